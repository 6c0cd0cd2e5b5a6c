/*
 * The contract of everything that pretends to be a body: a state that can be copied, reset, step,
 * sense. No reward, no reset inside step, no global random numbers, no pointers inside the state.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/option.h"
#include "daemon/base/rng.h"
#include "daemon/base/robot.h"

struct sim {
    const char *name;
    const char *source; /* where its equations are from: "Gymnasium's Pendulum-v1" */
    const struct option *options;
    size_t config_bytes;
    /* 0, or -errno and one sentence */
    int (*open)(const void *config, const struct robot *robot, struct arena *mem, void **ret_self,
                char *ret_why, int cap);
    size_t (*state_bytes)(const void *self);
    void (*reset)(void *self, void *state, struct rng *rng);
    void (*step)(void *self, void *state, const struct command *cmd, double dt_s, struct rng *rng);
    /* noise NULL: the truth */
    void (*sense)(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed);
    /* small worlds only, else NULL: every successor of (state, cmd) and its probability */
    int (*outcomes)(void *self, const void *state, const struct command *cmd, void *ret_states,
                    double *ret_p, int n_max);
    /* lets go of what open took beside the arena; NULL: nothing */
    void (*close)(void *self);
    /* the speed that no controller can exceed on this body, m/s; NULL: nobody knows */
    double (*speed_bound_m_s)(const void *self);
};

extern const struct sim *const sims[];
const struct sim *sim_find(const char *name);
/* Why this build has not that one, in a sentence; NULL: no body has that name. */
const char *sim_missing(const char *name);
