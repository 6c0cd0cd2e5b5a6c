/*
 * Generalised advantage estimation. Schulman et al. 2016, arXiv:1506.02438, equations 11, 12
 * and 16.
 */
#pragma once

#include <stdint.h>

/*
 * One run of rows in order of time:
 *
 *   delta_t = r_t + g_t V(s_{t+1}) - V(s_t)
 *   A_t     = delta_t + g_t lambda A_{t+1},  the latter 0 where the next row is no successor
 *
 *   r     [n]  rewards
 *   g     [n]  gamma (1 - terminal): cut by a clock, a row is worth what its last observation is
 *   v, v2 [n]  V of each row's state and of what follows it
 *   last  [n]  the next row is no successor
 *
 * ret_adv [n].
 */
void gae(const float *r, const float *g, const float *v, const float *v2, const uint8_t *last,
         int n, float lambda, float *ret_adv);

/* 1 - Var[R - V] / Var[R]: how much of the returns [n] a critic knew; NaN where they are all one.
 */
double explained_variance(const float *target, const float *v, int n);
