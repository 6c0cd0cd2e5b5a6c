#include "policies/nn/choice_critic.h"

#include <math.h>
#include <string.h>

void choice_critic_init(struct choice_critic *ret_critic, const struct net_spec *spec,
                        int n_choices, struct arena *mem, struct rng *rng)
{
    struct choice_critic *q = ret_critic;
    struct mlp_shape shape;
    *q = (struct choice_critic){.n_choices = n_choices};
    net_shape(spec, spec->n_obs, n_choices, &shape);
    mlp_init(&q->net, &shape, spec->kernel, spec->rows, mem, rng);
    adam_init(&q->opt, q->net.kernel, q->net.n, &spec->adam, mem);
    q->dq = arena_take(mem, (size_t)(spec->rows * n_choices) * sizeof(float));
}

const float *choice_critic_forward(struct choice_critic *q, const float *s, int n)
{
    return mlp_forward(&q->net, s, n);
}

float choice_critic_fit(struct choice_critic *q, const float *s, const float *a,
                        const struct critic_target *t, int n)
{
    const float inv_n = 1.0f / (float)n;
    const float *value = mlp_forward(&q->net, s, n);
    float loss = 0.0f;
    memset(q->dq, 0, (size_t)(n * q->n_choices) * sizeof(float));
    for (int i = 0; i < n; i++) {
        const int at = i * q->n_choices + (int)a[i];
        const float error = value[at] - t->y[i];
        loss += 0.5f * t->w[i] * error * error * inv_n;
        q->dq[at] = t->w[i] * error * inv_n;
        if (t->ret_td != NULL) {
            t->ret_td[i] = fabsf(error);
        }
    }
    if (isfinite(loss)) {
        mlp_backward(&q->net, q->dq, n);
        mlp_step(&q->net, &q->opt);
    }
    return loss;
}
