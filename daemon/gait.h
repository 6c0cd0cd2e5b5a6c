/*
 * How fast can this robot be? A search over periodic gaits that sees what the learner sees: the
 * same policy rate, interpolation, safety filter, body and return. Its answer is the yardstick for
 * learned policies, nothing more: no policy is ever made from it.
 *
 * Every period has its own search (CMA-ES). After each round the worse half of the periods is
 * dropped and the others go on where they were: successive halving, Jamieson and Talwalkar 2016,
 * "Non-stochastic Best Arm Identification and Hyperparameter Optimization", algorithm 1.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"

#define GAIT_HARMONICS 3
#define GAIT_COEFS     (1 + 2 * GAIT_HARMONICS)
#define GAIT_ACT_MAX   8

/*
 * action_k(t) = clip(c_k0 + sum_i c_k,2i-1 cos(2 pi i t / steps) + c_k,2i sin(2 pi i t / steps),
 * +-1), t in policy steps. steps: the period, so that every cycle is the same.
 */
struct gait {
    int n_act, steps;
    double coef[GAIT_ACT_MAX][GAIT_COEFS];
};

/* What a gait earns. */
struct gait_result {
    double return_per_s; /* of the task's reward: what is searched for */
    double speed_m_s;    /* by the body's true way */
};

struct gait_search {
    int population, generations; /* of a round; population <= CMA_POPULATION_MAX */
    int steps_min, steps_max;    /* periods that are tried, policy steps */
};

/* The action [n_act] at policy step t >= 0 since the gait began. */
void gait_act(const struct gait *g, int64_t t, float *ret_act);

/* The budget that shipped figures are found with: 0.3 to 1.2 s at this policy rate. */
void gait_search_defaults(struct gait_search *ret_search, double policy_rate_hz);

/* How often gait_find tries a gait. */
int gait_trials(const struct gait_search *search);

/* Where a gait of n_act actions is tried: the same gait always with the same result. */
struct gait_trial {
    void (*run)(void *self, const struct gait *g, struct gait_result *ret_result);
    void *self;
    int n_act;
};

/*
 * All randomness is rng's, all memory mem's. ret_best, ret_result: the best of the gaits that
 * searches settled on, and what it earned.
 */
void gait_find(const struct gait_search *search, const struct gait_trial *trial, struct arena *mem,
               struct rng *rng, struct gait *ret_best, struct gait_result *ret_result);
