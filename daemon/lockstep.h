/*
 * The whole daemon on one thread and a virtual clock: the same steps as the service in a fixed
 * order, the same bytes on the bus, exactly the set number of updates per step, and the same result
 * for the same seed.
 */
#pragma once

#include "daemon/house.h"

struct lockstep_spec {
    struct house_spec house;
    int64_t steps; /* policy steps to learn */
    double eval_s; /* deterministic evaluation at the end; 0: none. task.eval_episodes, where it is
                      set, says how long it is */
    const char *run_dir;      /* metrics.jsonl and checkpoints; NULL: none */
    const char *resume;       /* checkpoint folder to go on from; NULL: a new run */
    int64_t checkpoint_steps; /* a checkpoint every so many steps; 0: none */
    const char *eval_trace;   /* where the evaluation's periods go (evaltrace.h); NULL: nowhere */
    const char *record;       /* where its joints go, tick by tick (recording.h); NULL: nowhere */
    bool json;
};

#define GOALS_MAX 8

/* What the evaluation saw. */
struct evaluation {
    int n, successes;
    int64_t steps;       /* of all episodes */
    double sum, sum2;    /* of the episodes' returns, and of their squares */
    int goal[GOALS_MAX]; /* episodes that ended at goal k + 1, as the sensor `goal` says */
    double speed_m_s;    /* NaN: the body has no odometer, or episodes were counted */
};

struct lockstep_result {
    int64_t steps, updates;
    double learned_s; /* wall time of learning: neither set-up nor evaluation */
    struct evaluation eval;
    const char *kernel; /* the back end of the learner's products */
};

/* Of the returns; NaN: there were none. */
double evaluation_mean(const struct evaluation *e);

/* The same without a word. 0, or -errno and one sentence. */
int lockstep_measure(const struct lockstep_spec *spec, struct lockstep_result *ret_result,
                     char *ret_why, int cap) BASAL_MUST_USE;

/* Prints what came of it. Returns an exit status. */
int lockstep_run(const struct lockstep_spec *spec);
