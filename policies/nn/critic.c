#include "policies/nn/critic.h"

#include <math.h>

void critic_init(struct critic *ret_critic, const struct net_spec *spec, struct arena *mem,
                 struct rng *rng)
{
    struct critic *q = ret_critic;
    struct mlp_shape shape;
    *q = (struct critic){.n_obs = spec->n_obs, .n_act = spec->n_act};
    net_shape(spec, spec->n_obs + spec->n_act, 1, &shape);
    mlp_init(&q->net, &shape, spec->kernel, spec->rows, mem, rng);
    if (spec->dropout > 0.0f) {
        mlp_dropout(&q->net, spec->dropout, mem);
    }
    adam_init(&q->opt, q->net.kernel, q->net.n, &spec->adam, mem);
    q->dq = arena_take(mem, (size_t)spec->rows * sizeof(float));
}

void critic_join(struct critic *q, const float *s, const float *a, int n)
{
    const size_t o = (size_t)q->n_obs, k = (size_t)q->n_act;
    const struct matrix sa = q->net.x[0];
    for (size_t i = 0; i < (size_t)n; i++) {
        float *row = sa.v + i * (size_t)sa.ld;
        for (size_t j = 0; j < o; j++) {
            row[j] = s[i * o + j];
        }
        for (size_t j = 0; j < k; j++) {
            row[o + j] = a[i * k + j];
        }
    }
}

void critic_join_actions(struct critic *q, const float *a, int n)
{
    const size_t k = (size_t)q->n_act;
    float *row = q->net.x[0].v + q->n_obs;
    for (size_t i = 0; i < (size_t)n; i++, row += q->net.x[0].ld) {
        for (size_t j = 0; j < k; j++) {
            row[j] = a[i * k + j];
        }
    }
}

const float *critic_value(struct critic *q, int n)
{
    return mlp_forward_inside(&q->net, n);
}

const float *critic_forward(struct critic *q, const float *s, const float *a, int n)
{
    critic_join(q, s, a, n);
    return critic_value(q, n);
}

float critic_loss(struct critic *q, const struct critic_target *t, int n)
{
    const float inv_n = 1.0f / (float)n;
    const float *value = critic_value(q, n);
    float loss = 0.0f;
    for (int i = 0; i < n; i++) {
        const float error = value[i] - t->y[i];
        loss += 0.5f * t->w[i] * error * error * inv_n;
        q->dq[i] = t->w[i] * error * inv_n;
        if (t->ret_td != NULL) {
            t->ret_td[i] = fabsf(error);
        }
    }
    return loss;
}

void critic_backward_state(struct critic *q, int n, float *ret_ds)
{
    const struct input_part state = {.n = n, .columns = q->n_obs};
    mlp_backward_input(&q->net, q->dq, &state, ret_ds);
}

void critic_step(struct critic *q, int n)
{
    mlp_backward(&q->net, q->dq, n);
    mlp_step(&q->net, &q->opt);
}

float critic_fit(struct critic *q, const float *s, const float *a, const struct critic_target *t,
                 int n)
{
    critic_join(q, s, a, n);
    const float loss = critic_loss(q, t, n);
    if (isfinite(loss)) {
        critic_step(q, n);
    }
    return loss;
}

void critic_backward_action(struct critic *q, const float *dq, const int *rows, int n,
                            float *ret_da)
{
    const struct input_part action = {.rows = rows, .n = n, .from = q->n_obs, .columns = q->n_act};
    mlp_backward_input(&q->net, dq, &action, ret_da);
}
