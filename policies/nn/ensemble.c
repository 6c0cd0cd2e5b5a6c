#include "policies/nn/ensemble.h"

#include <math.h>
#include <string.h>

void ensemble_init(struct ensemble *ret_ensemble, int n, const struct net_spec *spec,
                   struct arena *mem, struct rng *rng)
{
    struct ensemble *e = ret_ensemble;
    *e = (struct ensemble){.n = n, .rng = spec->dropout > 0.0f ? rng : NULL};
    e->q = arena_take(mem, (size_t)n * sizeof *e->q);
    for (int i = 0; i < n; i++) {
        critic_init(&e->q[i], spec, mem, rng);
    }
    e->value = arena_take(mem, (size_t)spec->rows * sizeof(float));
    e->dq = arena_take(mem, (size_t)spec->rows * sizeof(float));
    e->da = arena_take(mem, (size_t)(spec->rows * spec->n_act) * sizeof(float));
}

static const float *forward(struct ensemble *e, int i, const float *s, const float *a, int n)
{
    if (e->rng != NULL) {
        mlp_draw_dropout(&e->q[i].net, n, e->rng);
    }
    return critic_forward(&e->q[i], s, a, n);
}

const float *ensemble_least(struct ensemble *e, const int *which, int m, const float *s,
                            const float *a, int n)
{
    for (int k = 0; k < m; k++) {
        const float *q = forward(e, which[k], s, a, n);
        for (int i = 0; i < n; i++) {
            e->value[i] = k == 0 ? q[i] : fminf(e->value[i], q[i]);
        }
    }
    return e->value;
}

const float *ensemble_mean(struct ensemble *e, const float *s, const float *a, int n)
{
    const float part = 1.0f / (float)e->n;
    memset(e->value, 0, (size_t)n * sizeof *e->value);
    for (int k = 0; k < e->n; k++) {
        const float *q = forward(e, k, s, a, n);
        for (int i = 0; i < n; i++) {
            e->value[i] += part * q[i];
        }
    }
    return e->value;
}

void ensemble_backward_action(struct ensemble *e, float dq, int n, float *ret_da)
{
    const int n_act = e->q[0].n_act;
    for (int i = 0; i < n; i++) {
        e->dq[i] = dq / (float)e->n;
    }
    memset(ret_da, 0, (size_t)(n * n_act) * sizeof *ret_da);
    for (int k = 0; k < e->n; k++) {
        critic_backward_action(&e->q[k], e->dq, NULL, n, e->da);
        for (int i = 0; i < n * n_act; i++) {
            ret_da[i] += e->da[i];
        }
    }
}

float ensemble_fit(struct ensemble *e, const float *s, const float *a,
                   const struct critic_target *y, int n)
{
    float loss = 0.0f;
    for (int k = 0; k < e->n; k++) {
        const struct critic_target t = {y->y, y->w, k == 0 ? y->ret_td : NULL};
        if (e->rng != NULL) {
            mlp_draw_dropout(&e->q[k].net, n, e->rng);
        }
        critic_join(&e->q[k], s, a, n);
        loss += critic_loss(&e->q[k], &t, n);
    }
    for (int k = 0; k < e->n && isfinite(loss); k++) {
        critic_step(&e->q[k], n);
    }
    return loss;
}

void ensemble_draw(int n, int m, struct rng *rng, int *ret_which)
{
    int all[ENSEMBLE_MAX] = {0};
    for (int i = 0; i < n; i++) {
        all[i] = i;
    }
    for (int k = 0; k < m; k++) {
        const int j = k + (int)rng_below(rng, (uint64_t)(n - k));
        ret_which[k] = all[j];
        all[j] = all[k];
    }
}

void ensemble_blend(const struct ensemble *e, float tau, struct ensemble *target)
{
    for (int k = 0; k < e->n; k++) {
        mlp_blend(&e->q[k].net, tau, &target->q[k].net);
    }
}

void ensemble_copy(const struct ensemble *e, struct ensemble *ret_copy)
{
    for (int k = 0; k < e->n; k++) {
        mlp_copy(&e->q[k].net, &ret_copy->q[k].net);
    }
}
