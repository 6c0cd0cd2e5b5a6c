#include "policies/table.h"

#include "policies/explore.h"
#include "policies/weights.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int make_bins(const struct table_settings *c, const struct dims *d, struct bins *ret_bins,
                     char *ret_why, int cap)
{
    return bins_make(&c->bins, d->n_obs, WEIGHTS_MAX / d->n_choices, ret_bins, ret_why, cap);
}

int table_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct table_settings *c = config;
    struct bins bins;
    const int rc = make_bins(c, d, &bins, ret_why, cap);
    return rc < 0 ? rc : rate_check(&c->rate, ret_why, cap);
}

void table_make(struct table *ret_table, const struct table_settings *c, const struct dims *d,
                struct arena *mem)
{
    struct table *t = ret_table;
    *t = (struct table){.c = *c, .choices = d->n_choices};
    const int rc = make_bins(c, d, &t->bins, NULL, 0);
    basal_assert(rc == 0); /* table_check has seen it */
    const size_t n = (size_t)t->bins.cells * (size_t)t->choices;
    t->q = arena_take(mem, n * sizeof *t->q);
    t->visits = arena_take(mem, n * sizeof *t->visits);
}

double *table_row(const struct table *t, const float *obs)
{
    return t->q + (size_t)bins_cell(&t->bins, obs) * (size_t)t->choices;
}

double table_fit(struct table *t, const float *obs, int choice, double y, double w)
{
    double *q = table_row(t, obs) + choice;
    const double error = y - *q;
    *q += w * rate_at(&t->c.rate, ++t->visits[q - t->q]) * error;
    return error;
}

void *table_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    (void)rng;
    struct table *t = arena_take(mem, sizeof *t);
    table_make(t, config, d, mem);
    return t;
}

int table_save(const void *learner, float *ret_w, int n_max)
{
    const struct table *t = learner;
    const int n = t->bins.cells * t->choices;
    if (n > n_max) {
        return -ENOSPC;
    }
    for (int i = 0; i < n; i++) {
        ret_w[i] = (float)t->q[i];
    }
    return n;
}

int table_state(void *learner, struct tensor *ret_tensors, int n_max)
{
    struct table *t = learner;
    if (n_max < 2) {
        return -ENOSPC;
    }
    ret_tensors[0] = (struct tensor){"q", TENSOR_F64, 2, {t->bins.cells, t->choices}, t->q};
    ret_tensors[1] =
        (struct tensor){"visits", TENSOR_I64, 2, {t->bins.cells, t->choices}, t->visits};
    return 2;
}

/* --- acting --- */

/* Flat, without pointers. */
struct table_actor {
    struct bins bins;
    int choices;
    struct epsilon_settings epsilon;
    double ent_coef;
};

uint32_t table_net(const void *config, const struct dims *d)
{
    struct bins bins;
    const uint32_t id = make_bins(config, d, &bins, NULL, 0) == 0 ? bins_id(&bins) : 0;
    return id * 31u + (uint32_t)d->n_choices;
}

int table_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
               int n_max)
{
    struct bins bins;
    const int rc = make_bins(config, d, &bins, NULL, 0);
    if (rc < 0 || n != bins.cells * d->n_choices) {
        return -EINVAL;
    }
    if (n > n_max) {
        return -ENOSPC;
    }
    memcpy(ret_packed, w, (size_t)n * sizeof *w);
    return n;
}

size_t table_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct table_actor);
}

void table_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct table_settings *c = config;
    struct table_actor *a = ret_actor;
    *a = (struct table_actor){
        .choices = d->n_choices, .epsilon = c->epsilon, .ent_coef = c->ent_coef};
    const int rc = make_bins(c, d, &a->bins, NULL, 0);
    basal_assert(rc == 0);
}

void table_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

/* argmax_a Q(s, a), exploring by chance */
void table_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    const struct table_actor *a = actor;
    const float *q = in->packed + (size_t)bins_cell(&a->bins, in->obs) * (size_t)a->choices;
    ret_act[0] = (float)explore_choice(q, a->choices, &a->epsilon, a->ent_coef, in);
    *ret_logp = NAN;
}
