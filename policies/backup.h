/*
 * What a state is worth by the values of its choices, and the size of the step towards a target:
 * what tables and linear features have in common. In double, whatever the observations are.
 */
#pragma once

#include "policies/greedy.h"
#include "policies/policy.h"

enum backup_kind { BACKUP_MAX, BACKUP_EXPECTED, BACKUP_SOFT };

extern const char *const backup_names[]; /* "max", "expected", "soft", NULL */

struct backup {
    int kind; /* enum backup_kind */
    double epsilon, alpha;
};

/*
 * V of q [n] over the legal choices (greedy_legal):
 *
 *   max       max_a q_a                                      Watkins 1989
 *   expected  (1 - epsilon) max_a q_a + epsilon mean_a q_a   van Seijen et al. 2009
 *   soft      alpha log sum_a exp(q_a / alpha)               arXiv:1702.08165, equation 3
 */
double backup_value(const struct backup *b, const double *q, int n, uint64_t legal);

/* 0, or -EINVAL and one sentence: soft is of a temperature alpha above 0. */
int backup_check(int kind, double alpha, char *ret_why, int cap);

/* argmax of q [n] over the legal choices, ties at random. */
int backup_greedy(const double *q, int n, uint64_t legal, struct rng *rng);

/* The step at the k-th visit, k = 1, 2 ...: initial k^-omega. */
struct rate_settings {
    double initial, omega;
};

double rate_at(const struct rate_settings *c, int64_t visits);

/* 0, or -EINVAL and one sentence: a rate that falls must satisfy Robbins and Monro, sum = infinity
 * and sum of squares < infinity, which is 1/2 < omega <= 1. */
int rate_check(const struct rate_settings *c, char *ret_why, int cap);

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose rate is a rate_settings. */
#define RATE_OPTIONS(first) \
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(rate.initial), .min = 0, .max = 1, .def = (first), \
     .help = "how far a value goes towards its target, of 1"}, \
    {.key = "learning_rate_omega", .type = OPTION_DOUBLE, .offset = AT(rate.omega), .min = 0, .max = 1, .def = "0", \
     .help = "that at the k-th visit times k^-omega; 0: always the same; above 0.5 it converges in worlds with chance, too"}
/* clang-format on */
