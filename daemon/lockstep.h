/*
 * The whole daemon on one thread and a virtual clock: the same steps as the service in a fixed
 * order, the same bytes on the bus, exactly the set number of updates per step, and the same result
 * for the same seed.
 */
#pragma once

#include "daemon/house.h"

struct lockstep_spec {
    struct house_spec house;
    int64_t steps;            /* policy steps to learn */
    double eval_s;            /* deterministic evaluation at the end */
    const char *run_dir;      /* metrics.jsonl and checkpoints; NULL: none */
    const char *resume;       /* checkpoint folder to go on from; NULL: a new run */
    int64_t checkpoint_steps; /* a checkpoint every so many steps; 0: none */
    bool json;
};

/* Returns an exit status. */
int lockstep_run(const struct lockstep_spec *spec);
