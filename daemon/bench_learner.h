/*
 * The daemon's learner without a robot: a replay full of random transitions of any shape, and
 * learner_step, which samples and calls policy.update. Owes more updates than it can make.
 */
#pragma once

#include "daemon/learner.h"

#define BENCH_LAYERS_MAX 5

struct bench_learner_spec {
    const char *algo;
    int64_t n_obs, n_act, batch;
    int hidden[BENCH_LAYERS_MAX], n_hidden;
    int64_t rows; /* of the replay, all of them random */
    int64_t seed;
    struct team *team;           /* does half of an update; NULL: nobody */
    const struct kernel *kernel; /* NULL: the best */
    const char *const *sets;     /* [n_sets] "policy.KEY=VALUE" or "learner.KEY=VALUE" */
    int n_sets;
};

struct bench_learner {
    struct config config;
    struct shared shared;
    struct arena mem;
    struct replay *replay;
    struct learner learner;
};

/* Observations are not normalised unless sets say so: they are standard normals already. */
int bench_learner_open(struct bench_learner *ret_learner, const struct bench_learner_spec *spec,
                       char *ret_why, int cap) BASAL_MUST_USE;
void bench_learner_close(struct bench_learner *b);

/* "256,256" into hidden; false: not 1 to BENCH_LAYERS_MAX widths. */
bool bench_hidden(const char *text, int *ret_hidden, int *ret_n);
