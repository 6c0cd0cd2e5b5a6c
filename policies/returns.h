/*
 * Rewards in units of the deviation of the discounted return: what a critic has to reach stays of
 * one size whatever the task pays. Engstrom et al. 2020, arXiv:2005.12729, appendix A.2, the
 * scaling of rewards; Stable-Baselines3's VecNormalize. Departs from both: the discounted sum
 * begins anew where the next row is no successor, as at the edge of a batch.
 */
#pragma once

#include "policies/policy.h"

/* Of all returns so far. Welford 1962. */
struct returns {
    double count, mean, m2;
};

/*
 * R_t = r_t + gamma R_{t-1} of b's rows into the statistics, in order; then
 *
 *   ret_r_t = clip(r_t / sqrt(Var[R] + 1e-8), -most, most)   [n]
 */
void returns_scale(struct returns *z, const struct batch *b, float most, float *ret_r);
