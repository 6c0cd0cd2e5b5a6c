#include "policies/nn/critic.h"

#include <math.h>
#include <string.h>

void critic_init(struct critic *ret_critic, const struct net_spec *spec, struct arena *mem,
                 struct rng *rng)
{
    struct critic *q = ret_critic;
    struct mlp_shape shape;
    const int n_in = spec->n_obs + spec->n_act;
    *q = (struct critic){.n_obs = spec->n_obs, .n_act = spec->n_act};
    mlp_shape(&shape, n_in, spec->hidden, spec->n_hidden, 1);
    mlp_init(&q->net, &shape, spec->rows, mem, rng);
    adam_init(&q->opt, q->net.n, spec->lr, mem);
    const size_t joined = (size_t)spec->rows * (size_t)n_in * sizeof(float);
    q->sa = arena_take(mem, joined);
    q->dsa = arena_take(mem, joined);
    q->dq = arena_take(mem, (size_t)spec->rows * sizeof(float));
}

const float *critic_forward(struct critic *q, const float *s, const float *a, int n)
{
    const size_t o = (size_t)q->n_obs, k = (size_t)q->n_act;
    for (size_t i = 0; i < (size_t)n; i++) {
        memcpy(q->sa + i * (o + k), s + i * o, o * sizeof(float));
        memcpy(q->sa + i * (o + k) + o, a + i * k, k * sizeof(float));
    }
    return mlp_forward(&q->net, q->sa, n);
}

float critic_fit(struct critic *q, const float *s, const float *a, const struct critic_target *t,
                 int n)
{
    const float inv_n = 1.0f / (float)n;
    const float *value = critic_forward(q, s, a, n);
    float loss = 0.0f;
    for (int i = 0; i < n; i++) {
        const float error = value[i] - t->y[i];
        loss += 0.5f * t->w[i] * error * error * inv_n;
        q->dq[i] = t->w[i] * error * inv_n;
        if (t->ret_td != NULL) {
            t->ret_td[i] = fabsf(error);
        }
    }
    if (isfinite(loss)) {
        mlp_zero_grad(&q->net);
        mlp_backward(&q->net, q->dq, n, NULL);
        adam_step(&q->opt, q->net.g, q->net.w);
    }
    return loss;
}

void critic_backward_action(struct critic *q, const float *dq, int n, float *ret_da)
{
    const size_t o = (size_t)q->n_obs, k = (size_t)q->n_act;
    mlp_backward_input(&q->net, dq, n, q->dsa);
    for (size_t i = 0; i < (size_t)n; i++) {
        memcpy(ret_da + i * k, q->dsa + i * (o + k) + o, k * sizeof(float));
    }
}
