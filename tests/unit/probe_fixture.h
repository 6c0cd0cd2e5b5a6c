/*
 * A learner without a robot: a configuration by hand, and a policy that wants what a test says and
 * remembers what it was given.
 */
#pragma once

#include "daemon/learner.h"
#include "daemon/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_ROWS 64

/* What the last update of the probe saw; its "weight" is how many rows it was given. */
struct probe {
    struct batch batch;
    float s[PROBE_ROWS];
    int updates;
    float rows;
};

static struct wants probe_wants;
static struct probe probe;

static inline void probe_tell(const void *config, struct wants *ret_wants)
{
    (void)config;
    *ret_wants = probe_wants;
}

/* Its error in a row, where somebody asks. */
static inline float probe_td(float s)
{
    return 1.0f + fmodf(s, 3.0f);
}

static inline void probe_update(void *learner, const struct batch *b, struct stats *ret_stats)
{
    (void)learner;
    (void)ret_stats;
    const int n = b->n < PROBE_ROWS ? b->n : PROBE_ROWS;
    probe.batch = *b;
    memcpy(probe.s, b->s, (size_t)n * sizeof(float));
    probe.updates++;
    for (int i = 0; i < b->n; i++) {
        if (b->ret_td != NULL) {
            b->ret_td[i] = probe_td(b->s[i]);
        }
        probe.rows += b->valid == NULL || b->valid[i] != 0;
    }
}

static inline int probe_save(const void *learner, float *ret_w, int n_max)
{
    (void)learner;
    (void)n_max;
    ret_w[0] = probe.rows;
    return 1;
}

/* The policy hold, which wants `wants` and takes choices too, and learns. */
static inline struct policy probe_policy(struct wants wants)
{
    struct policy p = *policy_find("hold");
    p.fixed = false; /* its updates are what is looked at */
    probe = (struct probe){.rows = 0.0f};
    probe_wants = wants;
    p.name = "probe";
    p.actions = ACTION_BOX | ACTION_DISCRETE;
    p.wants = probe_tell;
    p.update = probe_update;
    p.save = probe_save;
    return p;
}

/* Defaults of the section learner; one observation, one action. */
static inline void probe_config(struct config *ret_config, const struct policy *p)
{
    *ret_config = (struct config){
        .policy = p,
        .policy_config = (void *)"",
        .learner = {.enabled = true,
                    .batch_size = 4,
                    .gamma = 0.9,
                    .n_steps = 1,
                    .train_freq = 1,
                    .gradient_steps = 1,
                    .publish_every = 1,
                    .normalize_until = 1000},
        .replay = {.capacity = 1000, .action = REPLAY_BY_SOURCE},
        .comms = {.weights = "own"},
        .robot = {.policy_rate_hz = 20.0, .control_rate_hz = 20.0},
    };
}
