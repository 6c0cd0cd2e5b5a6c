#include "policies/nn/twin.h"

#include <math.h>

void twin_init(struct twin *ret_twin, const struct net_spec *spec, struct arena *mem,
               struct rng *rng)
{
    const size_t rows = (size_t)spec->rows, n_act = (size_t)spec->n_act;
    struct twin *t = ret_twin;
    *t = (struct twin){0};
    for (int i = 0; i < 2; i++) {
        critic_init(&t->q[i], spec, mem, rng);
        t->smaller[i] = arena_take(mem, rows * sizeof(int));
    }
    t->q[1].net.x[0] = t->q[0].net.x[0];
    t->least = arena_take(mem, rows * sizeof(float));
    t->dq = arena_take(mem, rows * sizeof(float));
    for (int i = 0; i < 2; i++) {
        t->da[i] = arena_take(mem, rows * n_act * sizeof(float));
    }
}

void twin_want_state(struct twin *t, int rows, struct arena *mem)
{
    for (int i = 0; i < 2; i++) {
        t->ds[i] = arena_take(mem, (size_t)rows * (size_t)t->q[i].n_obs * sizeof(float));
    }
}

const float *twin_state(struct twin *t, int n)
{
    for (int k = 0; k < n * t->q[0].n_obs; k++) {
        t->ds[0][k] += t->ds[1][k];
    }
    return t->ds[0];
}

/* Who helps: nobody where the kernel has room for one. */
static struct team *team_of(const struct twin *t)
{
    return t->q[0].net.kernel->shares ? t->team : NULL;
}

struct job {
    struct twin *t;
    const struct critic_target *y[2];
    int n;
    const float *q[2];
    float loss[2];
    float *ret_da;
};

static void value_one(void *arg, int i)
{
    struct job *j = arg;
    j->q[i] = critic_value(&j->t->q[i], j->n);
}

/* Of the input that was joined. */
static const float *least_of(struct twin *t, int n)
{
    struct job j = {.t = t, .n = n};
    team_run(team_of(t), value_one, &j);
    t->n_smaller[0] = t->n_smaller[1] = 0;
    for (int i = 0; i < n; i++) {
        const int which = j.q[0][i] <= j.q[1][i] ? 0 : 1;
        t->smaller[which][t->n_smaller[which]++] = i;
        t->least[i] = fminf(j.q[0][i], j.q[1][i]);
    }
    return t->least;
}

const float *twin_min(struct twin *t, const float *s, const float *a, int n)
{
    critic_join(&t->q[0], s, a, n);
    return least_of(t, n);
}

const float *twin_min_there(struct twin *t, const float *a, int n)
{
    critic_join_actions(&t->q[0], a, n);
    return least_of(t, n);
}

static void loss_one(void *arg, int i)
{
    struct job *j = arg;
    j->loss[i] = critic_loss(&j->t->q[i], j->y[i], j->n);
}

static void step_one(void *arg, int i)
{
    struct job *j = arg;
    if (j->t->ds[i] != NULL) {
        critic_backward_state(&j->t->q[i], j->n, j->t->ds[i]);
    }
    critic_step(&j->t->q[i], j->n);
}

float twin_fit(struct twin *t, const float *s, const float *a, const struct critic_target *y, int n)
{
    const struct critic_target second = {.y = y->y, .w = y->w};
    struct job j = {.t = t, .n = n, .y = {y, &second}};
    critic_join(&t->q[0], s, a, n);
    team_run(team_of(t), loss_one, &j);
    const float loss = j.loss[0] + j.loss[1];
    if (isfinite(loss)) {
        team_run(team_of(t), step_one, &j);
    }
    return loss;
}

static void backward_action_one(void *arg, int i)
{
    struct job *j = arg;
    struct twin *t = j->t;
    const size_t n_act = (size_t)t->q[i].n_act;
    critic_backward_action(&t->q[i], t->dq, t->smaller[i], t->n_smaller[i], t->da[i]);
    for (int r = 0; r < t->n_smaller[i]; r++) {
        for (size_t k = 0; k < n_act; k++) {
            j->ret_da[(size_t)t->smaller[i][r] * n_act + k] = t->da[i][(size_t)r * n_act + k];
        }
    }
}

void twin_backward_action(struct twin *t, float dq, int n, float *ret_da)
{
    struct job j = {.t = t, .ret_da = ret_da};
    for (int i = 0; i < n; i++) {
        t->dq[i] = dq;
    }
    team_run(team_of(t), backward_action_one, &j);
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
