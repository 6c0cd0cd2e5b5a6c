/*
 * Features of an observation, for values that are linear in them. Bins (bins.h) say where each
 * observation lies in its range; u_k is that place, 0 to 1.
 *
 *   identity    the observations themselves, without bins
 *   one_hot     the cell: a table
 *   tiles       tile coding: n_tilings grids of these bins, each shifted by another fraction of a
 *               bin, by odd multiples per observation (Sutton and Barto 2018, section 9.5.4)
 *   polynomial  all products of powers (2 u_k - 1)^c, c = 0 .. degree (section 9.5.1)
 *   radial      a Gaussian around the middle of each cell (section 9.5.5)
 */
#pragma once

#include "policies/bins.h"

enum features_kind {
    FEATURES_IDENTITY,
    FEATURES_ONE_HOT,
    FEATURES_TILES,
    FEATURES_POLYNOMIAL,
    FEATURES_RADIAL
};

extern const char *const features_names[]; /* NULL at the end */

#define FEATURES_ACTIVE_MAX 512 /* that are not 0 at once */

struct features_settings {
    int kind; /* enum features_kind */
    int n_tilings, degree;
    double radial_width;
    struct bins_settings bins;
};

/* clang-format off */
/* AT(field) is the offset of a field of the algorithm's settings, whose features is a features_settings. */
#define FEATURES_OPTIONS \
    {.key = "features", .type = OPTION_CHOICE, .offset = AT(features.kind), .def = "tiles", .choices = features_names, \
     .help = "of an observation: itself; its cell of bins; shifted grids of bins; products of powers; a Gaussian at each cell"}, \
    {.key = "n_tilings", .type = OPTION_INT, .offset = AT(features.n_tilings), .min = 1, .max = FEATURES_ACTIVE_MAX, .def = "8", \
     .help = "shifted grids of tiles"}, \
    {.key = "degree", .type = OPTION_INT, .offset = AT(features.degree), .min = 1, .max = 16, .def = "2", \
     .help = "highest power of each observation, of polynomial"}, \
    {.key = "radial_width", .type = OPTION_DOUBLE, .offset = AT(features.radial_width), .min = 1e-3, .max = 1e3, .def = "1", \
     .help = "standard deviation of radial, in bins"}, \
    BINS_OPTIONS(features.bins)

/* clang-format on */

/* Flat, without pointers. */
struct features {
    int kind, n_tilings, degree;
    double radial_width;
    struct bins bins;
    int n; /* features, F */
};

/* The features of an observation that are not 0. */
struct active {
    int n;
    int index[FEATURES_ACTIVE_MAX];
    double value[FEATURES_ACTIVE_MAX];
};

/* 0, or -EINVAL and one sentence: bins that do not fit, more than n_max features. */
int features_make(const struct features_settings *c, int n_obs, int64_t n_max,
                  struct features *ret_features, char *ret_why, int cap);

void features_of(const struct features *f, const float *obs, struct active *ret_active) BASAL_RT;
