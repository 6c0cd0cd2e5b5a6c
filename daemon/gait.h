/*
 * How fast can this robot be? A search over periodic gaits that sees what the learner sees: the
 * same policy rate, interpolation, safety filter, body and return. Its answer is the yardstick for
 * learned policies, nothing more: no policy is ever made from it.
 *
 * Cross-entropy method: draw candidates from a normal distribution, keep the elite, fit mean and
 * deviation to them, repeat. Fast and slow gaits are different valleys, so every island searches
 * its own range of periods, and the best of all is then refined. De Boer, Kroese, Mannor,
 * Rubinstein 2005, "A tutorial on the cross-entropy method", section 4.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"

#define GAIT_HARMONICS      3
#define GAIT_COEFS          (1 + 2 * GAIT_HARMONICS)
#define GAIT_ACT_MAX        8
#define GAIT_POPULATION_MAX 64

/* action_k(t) = clip(c_k0 + sum_i c_k,2i-1 cos(2 pi i t / period) + c_k,2i sin(2 pi i t / period),
 * +-1) */
struct gait {
    int n_act;
    double period_s;
    double coef[GAIT_ACT_MAX][GAIT_COEFS];
};

/* What a gait earns. */
struct gait_result {
    double return_per_s; /* of the task's reward: what is searched for */
    double speed_m_s;    /* by the body's true way */
};

struct gait_search {
    int population, elites;       /* population <= GAIT_POPULATION_MAX */
    int islands;                  /* equal parts of the logarithm of the period's range */
    int generations, refinements; /* on each island; from the best of all */
    double period_min_s, period_max_s;
};

/* The action [n_act] at time t_s since the gait began. */
void gait_act(const struct gait *g, double t_s, float *ret_act);

/* The budget that shipped figures are found with: 6500 trials. */
void gait_search_defaults(struct gait_search *ret_search);

/*
 * Search gaits of n_act actions; run(self, gait, ret_result) tries one, the same gait always with
 * the same result. All randomness is rng's, all memory mem's. ret_best, ret_result: the best gait
 * of all that were tried, and what it earned.
 */
void gait_find(const struct gait_search *search, int n_act, struct arena *mem, struct rng *rng,
               void (*run)(void *self, const struct gait *g, struct gait_result *ret_result),
               void *self, struct gait *ret_best, struct gait_result *ret_result);
