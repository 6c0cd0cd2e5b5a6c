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
 * into ret_adv [n].
 */
struct gae_rows {
    int n;
    const float *r;      /* [n] rewards */
    const float *g;      /* [n] gamma (1 - terminal): a row cut by a clock has its last state's V */
    const float *v, *v2; /* [n] V of each row's state and of what follows it */
    const uint8_t *last; /* [n] the next row is no successor */
};

void gae(const struct gae_rows *x, float lambda, float *ret_adv);

/* 1 - Var[R - V] / Var[R]: how much of the returns [n] a critic knew; NaN where they are all one.
 */
double explained_variance(const float *target, const float *v, int n);
