/* A policy's learner as the learner thread has it: options, dims, memory, random stream, views. */
#pragma once

#include "policies/policy.h"

#include <stdlib.h>
#include <string.h>

struct learner_fixture {
    const struct policy *policy;
    void *config;
    struct dims dims;
    struct arena mem;
    struct rng rng; /* the learner's: it keeps a pointer to this */
    void *self;
    int n;
    struct tensor tensor[TENSORS_MAX];
};

struct setting {
    const char *key, *value;
};

/* Batches of every kind, in the runs that the policy wants. */
static inline void learner_gives(const struct policy *policy, const void *config,
                                 struct dims *ret_dims)
{
    struct wants w;
    policy->wants(config, &w);
    ret_dims->gives = NEEDS_NEXT_ACTION | NEEDS_LOGP | NEEDS_SEGMENTS | NEEDS_NEWEST | NEEDS_SWEEP |
                      NEEDS_MODEL | NEEDS_ONCE;
    ret_dims->seg_len = (w.needs & NEEDS_NEWEST) != 0 ? ret_dims->batch : w.seg_len;
}

/* Where the test says nothing of them: actions are poses of joints, decided in every tick. */
static inline void dims_pose(struct dims *d)
{
    d->poses = true;
    d->ticks_per_period = 1;
    for (int k = 0; k < d->n_act; k++) {
        d->pose[k] = (struct act_pose){.half_rad = 1.0, .qd_max = 2.0, .qdd_max = 20.0};
    }
}

/* settings end with a NULL key. */
static inline void learner_make(struct learner_fixture *ret_learner, const struct policy *policy,
                                const struct dims *dims, const struct setting *settings,
                                uint64_t seed)
{
    struct learner_fixture *l = ret_learner;
    char reason[WHY_CHARS] = "";
    *l = (struct learner_fixture){
        .policy = policy, .dims = *dims, .config = calloc(1, policy->config_bytes)};
    option_defaults(policy->options, l->config);
    for (; settings->key != NULL; settings++) {
        const struct option *o = option_find(policy->options, settings->key);
        assert_non_null(o);
        assert_int_equal(option_set(o, l->config, settings->value, reason, sizeof reason), 0);
    }
    learner_gives(policy, l->config, &l->dims);
    if (dims->n_choices == 0 && !dims->poses) {
        dims_pose(&l->dims);
    }
    if (policy_check(policy, l->config, &l->dims, reason, sizeof reason) != 0) {
        fail_msg("%s", reason);
    }
    assert_int_equal(arena_open(&l->mem, "learner", (size_t)256 << 20), 0);
    rng_seed(&l->rng, seed);
    l->self = policy->init(l->config, &l->dims, &l->mem, &l->rng);
    l->n = policy->state(l->self, l->tensor, TENSORS_MAX);
    assert_true(l->n >= 0);
}

static inline void learner_free(struct learner_fixture *l)
{
    arena_close(&l->mem);
    free(l->config);
}

static inline const struct tensor *learner_tensor(const struct learner_fixture *l, const char *name)
{
    int i = 0;
    while (i < l->n && strcmp(l->tensor[i].name, name) != 0) {
        i++;
    }
    if (i == l->n) {
        fail_msg("the learner has no tensor %s", name);
    }
    return &l->tensor[i];
}

/* A view of floats: weights of a whole network where name is that of its first array, since a
 * network is one block. */
static inline float *learner_floats(const struct learner_fixture *l, const char *name)
{
    return learner_tensor(l, name)->data;
}

static inline int tensor_count(const struct tensor *t)
{
    int n = 1;
    for (int i = 0; i < t->n_dims; i++) {
        n *= t->dim[i];
    }
    return n;
}

/* Where in ret_stats a statistic is. */
static inline int stat_index(const struct policy *p, const char *name)
{
    for (int i = 0; p->stat_names[i] != NULL; i++) {
        if (strcmp(p->stat_names[i], name) == 0) {
            return i;
        }
    }
    fail_msg("%s has no statistic %s", p->name, name);
    return -1;
}
