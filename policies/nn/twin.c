#include "policies/nn/twin.h"

#include <math.h>
#include <string.h>

void twin_init(struct twin *ret_twin, int n_obs, int n_act, const int *hidden, int n_hidden,
               int rows, float lr, struct arena *mem, struct rng *rng)
{
    struct twin *t = ret_twin;
    *t = (struct twin){0};
    for (int i = 0; i < 2; i++) {
        critic_init(&t->q[i], n_obs, n_act, hidden, n_hidden, rows, lr, mem, rng);
        t->smaller[i] = arena_take(mem, (size_t)rows * sizeof(int));
    }
    t->q[1].net.x[0] = t->q[0].net.x[0];
    t->least = arena_take(mem, (size_t)rows * sizeof(float));
    t->dq = arena_take(mem, (size_t)rows * sizeof(float));
    t->da = arena_take(mem, (size_t)(rows * n_act) * sizeof(float));
}

const float *twin_min(struct twin *t, const float *s, const float *a, int n)
{
    critic_join(&t->q[0], s, a, n);
    const float *q0 = critic_value(&t->q[0], n), *q1 = critic_value(&t->q[1], n);
    t->n_smaller[0] = t->n_smaller[1] = 0;
    for (int i = 0; i < n; i++) {
        const int which = q0[i] <= q1[i] ? 0 : 1;
        t->smaller[which][t->n_smaller[which]++] = i;
        t->least[i] = fminf(q0[i], q1[i]);
    }
    return t->least;
}

float twin_fit(struct twin *t, const float *s, const float *a, const struct critic_target *y, int n)
{
    const struct critic_target second = {.y = y->y, .w = y->w};
    critic_join(&t->q[0], s, a, n);
    const float loss = critic_loss(&t->q[0], y, n) + critic_loss(&t->q[1], &second, n);
    for (int i = 0; i < 2 && isfinite(loss); i++) {
        critic_step(&t->q[i], n);
    }
    return loss;
}

void twin_backward_action(struct twin *t, float dq, int n, float *ret_da)
{
    const size_t n_act = (size_t)t->q[0].n_act;
    for (int i = 0; i < n; i++) {
        t->dq[i] = dq;
    }
    for (int i = 0; i < 2; i++) {
        critic_backward_action(&t->q[i], t->dq, t->smaller[i], t->n_smaller[i], t->da);
        for (int r = 0; r < t->n_smaller[i]; r++) {
            memcpy(ret_da + (size_t)t->smaller[i][r] * n_act, t->da + (size_t)r * n_act,
                   n_act * sizeof(float));
        }
    }
}

void twin_blend(const struct twin *t, float tau, struct twin *target)
{
    for (int i = 0; i < 2; i++) {
        mlp_blend(&t->q[i].net, tau, &target->q[i].net);
    }
}

void twin_copy(const struct twin *t, struct twin *ret_copy)
{
    for (int i = 0; i < 2; i++) {
        mlp_copy(&t->q[i].net, &ret_copy->q[i].net);
    }
}

void twin_changed(struct twin *t)
{
    for (int i = 0; i < 2; i++) {
        mlp_changed(&t->q[i].net);
    }
}
