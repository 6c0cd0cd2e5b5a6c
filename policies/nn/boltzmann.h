/*
 * The policy that a soft Q-function is: pi = exp((Q - V) / alpha), and its soft value V, exactly
 * for choices and by draws for continuous actions.
 *
 *   V(s) = alpha log sum_a exp(Q(s,a) / alpha),  V(s) = sum_a pi(a|s) Q(s,a) + alpha H(pi(.|s))
 *
 * Haarnoja et al. 2017, arXiv:1702.08165, equations 3 to 6. As alpha falls to 0, V falls to max Q.
 */
#pragma once

#include "daemon/base/rng.h"
#include "daemon/base/rt.h"

#include <stdint.h>

/* V of q [n] over the legal choices (greedy_legal); ret_pi [n], 0 where not legal. NULL: not asked.
 */
float soft_value(const float *q, int n, uint64_t legal, float alpha, float *ret_pi) BASAL_RT;

/* - sum_a pi log pi of pi [n] */
float choice_entropy(const float *pi, int n) BASAL_RT;

/* One of n, drawn with the chances pi [n], which add up to 1. */
int choice_draw(const float *pi, int n, struct rng *rng) BASAL_RT;

/*
 * The same integral from q [m] at m actions drawn uniformly from [-1,1]^n_act:
 *
 *   V = alpha [ log mean_j exp(q_j / alpha) + n_act log 2 ]
 *
 * Equation 10 with q_a' uniform; too low on average, by about 1/m. ret_effective gets the share of
 * the draws that counted, (sum w)^2 / (m sum w^2) of w = exp(q / alpha), unless NULL.
 */
float soft_value_estimate(const float *q, int m, int n_act, float alpha, float *ret_effective);
