/*
 * Observation mean and variance, by Welford's update in batches (Chan et al. 1979). Kept by the
 * learner; raw data stay in the replay; what acts and what trains apply the same mean and scale.
 */
#pragma once

#include "policies/policy.h"

struct scale {
    int n;
    double count[1];
    double mean[OBS_MAX], m2[OBS_MAX];
};

void scale_init(struct scale *ret_scale, int n);
/* x [rows, n] */
void scale_add(struct scale *s, const float *x, int rows);
/* ret_mean [n], ret_scale [n] = 1 / std, std at least 1e-3; 0 and 1 before anything was seen. */
void scale_get(const struct scale *s, float *ret_mean, float *ret_scale);
/* x [n] <- (x - mean) scale, clipped to +-10: what acts in the tick and what trains see of it. With
 * mean 0 and scale 1, that is without normalisation, it stays as it is. */
void scale_apply(int n, const float *mean, const float *scale, float *x) BASAL_RT;
int scale_tensors(struct scale *s, struct tensor *ret_tensors, int n_max);
