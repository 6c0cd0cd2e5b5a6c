/* The loop's side of a learner_fixture: its weights saved, packed, and an actor that uses them. */
#pragma once

#include "tests/unit/policy_fixture.h"

struct actor_fixture {
    const struct policy *policy;
    void *actor;
    float *w, *packed;
    int n_w, n_packed;
};

/* Save and pack the learner's weights as they are now. */
static inline void actor_take(struct actor_fixture *a, const struct learner_fixture *l)
{
    a->n_w = l->policy->save(l->self, a->w, 1 << 20);
    assert_true(a->n_w > 0);
    a->n_packed = l->policy->pack(l->config, &l->dims, a->w, a->n_w, a->packed, 1 << 20);
    assert_true(a->n_packed > 0);
}

static inline void actor_make(struct actor_fixture *ret_actor, const struct learner_fixture *l)
{
    struct actor_fixture *a = ret_actor;
    *a = (struct actor_fixture){.policy = l->policy,
                                .actor = calloc(1, l->policy->actor_bytes(l->config, &l->dims)),
                                .w = calloc(1 << 20, sizeof(float)),
                                .packed = calloc(1 << 20, sizeof(float))};
    l->policy->actor_init(l->config, &l->dims, a->actor);
    actor_take(a, l);
}

static inline void actor_free(struct actor_fixture *a)
{
    free(a->actor);
    free(a->w);
    free(a->packed);
}

/* Returns log pi. */
static inline float actor_act(struct actor_fixture *a, const float *obs, bool explore,
                              struct rng *rng, float *ret_act)
{
    float logp = 0.0f;
    static const float last[ACT_MAX];
    const struct act_in in = {
        .packed = a->packed, .obs = obs, .last = last, .explore = explore, .rng = rng};
    a->policy->act(a->actor, &in, ret_act, &logp);
    return logp;
}
