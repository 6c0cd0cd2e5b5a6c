/*
 * Observations as one number of finitely many: each is cut into bins, and the bins of all are
 * counted through, the first observation slowest. What a table's states are.
 */
#pragma once

#include "policies/policy.h"

#define BINS_DIMS_MAX 32

/* A list holds one number for each observation, or one for all. Without bounds an observation is
 * the number of its bin. */
struct bins_settings {
    int n_bins, bins[BINS_DIMS_MAX];
    int n_min, n_max;
    double min[BINS_DIMS_MAX], max[BINS_DIMS_MAX];
};

/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): a field cannot stand in parentheses */
/* AT(field) is the offset of a field of the algorithm's settings; `of` is a bins_settings in them. */
#define BINS_OPTIONS(of) \
    {.key = "bins", .type = OPTION_INTS, .offset = AT(of.bins), .min = 1, .max = 1000000, .def = "[8]", .n_max = BINS_DIMS_MAX, \
     .n_offset = AT(of.n_bins), .help = "into how many bins an observation is cut; one number for each observation, or one for all"}, \
    {.key = "bins_min", .type = OPTION_DOUBLES, .offset = AT(of.min), .min = -1e9, .max = 1e9, .def = "[-1]", .n_max = BINS_DIMS_MAX, \
     .n_offset = AT(of.n_min), .help = "where the first bin begins, what is below falls into it; []: observations are the numbers of bins, from 0 on"}, \
    {.key = "bins_max", .type = OPTION_DOUBLES, .offset = AT(of.max), .min = -1e9, .max = 1e9, .def = "[1]", .n_max = BINS_DIMS_MAX, \
     .n_offset = AT(of.n_max), .help = "and where the last one ends; [] with bins_min"}
/* NOLINTEND(bugprone-macro-parentheses) */

/* clang-format on */

/* Flat, without pointers. */
struct bins {
    int n, cells;
    int count[BINS_DIMS_MAX];
    double min[BINS_DIMS_MAX], width[BINS_DIMS_MAX]; /* of all bins; a bin's is width / count */
};

/* 0, or -EINVAL and one sentence: a list of another length than n_obs, an empty range, more than
 * cells_max cells. */
int bins_make(const struct bins_settings *c, int n_obs, int64_t cells_max, struct bins *ret_bins,
              char *ret_why, int cap);

/* Bins of other counts or ranges have another number: for policy.net. */
uint32_t bins_id(const struct bins *b);

/* Where an observation is, in bins: 0 at the beginning of the first, count at the end of the last;
 * clipped to that. */
double bins_place(const struct bins *b, int k, float x) BASAL_RT;

/* The cell of obs [n]. */
int bins_cell(const struct bins *b, const float *obs) BASAL_RT;
