/*
 * Choosing among choices by their values: what every algorithm with discrete actions shares. Ties
 * are broken at random, since taking the first of equals lets a table stall; a choice that is not
 * legal is never taken.
 */
#pragma once

#include "daemon/base/rng.h"

#include <stdint.h>

#define LEGAL_ALL (~UINT64_C(0))

/* The bits of n choices that exist and are legal; where none is, all n. */
uint64_t greedy_legal(int n, uint64_t legal) BASAL_RT;

/* argmax of q [n] over the legal choices. */
int greedy_choice(const float *q, int n, uint64_t legal, struct rng *rng) BASAL_RT;
/* max of q [n] over them. */
float greedy_max(const float *q, int n, uint64_t legal) BASAL_RT;
/* One of them, all alike. */
int greedy_random(int n, uint64_t legal, struct rng *rng) BASAL_RT;

/* How a learner explores by chance, as Stable-Baselines3's DQN: epsilon falls in a straight line
 * from `initial` at step 0 to `final` at step `steps`, and stays there. */
struct epsilon_settings {
    double initial, final;
    int64_t steps;
};

double epsilon_at(const struct epsilon_settings *e, int64_t step) BASAL_RT;

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose epsilon is an epsilon_settings. */
#define EPSILON_OPTIONS(first, last, over) \
    {.key = "exploration_initial_eps", .type = OPTION_DOUBLE, .offset = AT(epsilon.initial), .min = 0, .max = 1, .def = (first), \
     .help = "chance of a random choice at the first step"}, \
    {.key = "exploration_final_eps", .type = OPTION_DOUBLE, .offset = AT(epsilon.final), .min = 0, .max = 1, .def = (last), \
     .help = "and from exploration_steps on; in between it falls in a straight line"}, \
    {.key = "exploration_steps", .type = OPTION_INT64, .offset = AT(epsilon.steps), .min = 0, .max = 1e15, .def = (over), \
     .help = "policy steps over which it falls"}
/* clang-format on */
