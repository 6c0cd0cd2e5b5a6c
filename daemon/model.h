/*
 * Every transition of a small simulated world, for algorithms that are given the model: enumerated
 * breadth-first from the body's reset through sim.outcomes, one representative state for each
 * distinct observation. Observations and rewards are the task's, its clock and way are off.
 */
#pragma once

#include "daemon/config.h"

struct model {
    int states;      /* distinct observations that are no end */
    int transitions; /* rows of the batch */
    struct batch batch;
};

/*
 * The world of c, whose sim has outcomes and whose robot has choices. seed: its resets. All rows
 * are in one batch: s, a, r, s2, g, w = probability, legal, legal2. Takes them from mem, and what
 * it works with from memory of its own.
 *
 * Errors: -EINVAL and one sentence: a period of the policy is more than one step of the world, or
 * there are too many states; -ENOMEM.
 */
int model_open(struct model *ret_model, const struct config *c, uint64_t seed, struct arena *mem,
               char *ret_why, int cap) BASAL_MUST_USE;
