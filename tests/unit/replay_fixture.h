/* What the replay's tests share: a small segment, and periods in one line. */
#pragma once

#include "policies/replay_segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GAMMA 0.9

static inline struct replay *replay_make(int n_obs, int n_act, int64_t capacity)
{
    char reason[WHY_CHARS] = "";
    struct replay *r = NULL;
    const struct replay_spec spec = {.run_id = 7,
                                     .capacity = capacity,
                                     .n_obs = n_obs,
                                     .n_act = n_act,
                                     .has_legal = true,
                                     .policy_rate_hz = 20.0,
                                     .schema_hash = 99};
    assert_int_equal(replay_create(&r, &spec, reason, sizeof reason), 0);
    assert_non_null(r);
    return r;
}

/* An observation whose numbers are all v. */
static inline struct observation seen(int n, float v)
{
    struct observation o = {.n = n, .legal = (uint64_t)v};
    for (int k = 0; k < n; k++) {
        o.v[k] = v;
    }
    return o;
}

/* The period that ends at an observation of v: reward r, bits of enum row_bits. */
static inline void commit(struct replay *replay, bool closes, bool opens, float v, float r,
                          unsigned bits)
{
    const struct observation o = seen(replay->n_obs, v);
    float asked[ACT_MAX], applied[ACT_MAX];
    for (int k = 0; k < replay->n_act; k++) {
        asked[k] = 0.5f;
        applied[k] = -0.5f;
    }
    replay_commit(replay, &(struct period){.closes = closes,
                                           .opens = opens,
                                           .asked = asked,
                                           .applied = applied,
                                           .reward = r,
                                           .logp = -1.0f,
                                           .dt_s = 0.05f,
                                           .bits = (uint8_t)bits,
                                           .source = SOURCE_POLICY,
                                           .version = 3,
                                           .t_ns = 1000,
                                           .obs2 = &o});
}

/* Draws of batches, apart from the memory they live in. */
struct drawer {
    struct arena mem;
    struct sampler *sampler;
    struct rng rng;
};

static inline void drawer_make(struct drawer *ret_drawer, const struct replay *r,
                               const struct sample_spec *spec)
{
    assert_int_equal(arena_open(&ret_drawer->mem, "draws", (size_t)16 << 20), 0);
    ret_drawer->sampler = sampler_init(r, spec, &ret_drawer->mem);
    rng_seed(&ret_drawer->rng, 5);
}

static inline void drawer_free(struct drawer *d)
{
    arena_close(&d->mem);
}
