/*
 * Batch renormalisation: each column gets mean 0 and variance 1 over a batch, corrected towards
 * what running averages say, so that learning and acting see the same.
 *
 *   xhat = (x - mu_B) / sigma_B,   y = gain (r xhat + d) + bias
 *   r = clip(sigma_B / sigma, 1/3, 3),   d = clip((mu_B - mu) / sigma, -5, 5),   both held fixed
 *   dx = r / (sigma_B n) (n t - sum t - xhat sum(t xhat)),   t = gain dy
 *
 * and plain batch normalisation, r = 1 and d = 0, for the first `warmup` batches. sigma^2 is the
 * variance + eps. Ioffe 2017, arXiv:1702.03275, Algorithm 1; Ioffe and Szegedy 2015.
 */
#pragma once

#include "policies/nn/adam.h"

struct batchnorm {
    int n;                       /* columns */
    float *w, *g;                /* [2 n] gain, then bias; their gradient */
    struct adam opt;             /* of w */
    float *mean, *var;           /* [n] running averages */
    float momentum, eps;         /* of those: mean <- mean + momentum (mu_B - mean) */
    int64_t seen, warmup;        /* batches */
    float *xhat;                 /* [rows,n] of the last learning pass */
    float *mu, *inv_std, *r, *d; /* [n] of the last pass */
};

void batchnorm_init(struct batchnorm *ret_norm, int n, int rows, const struct kernel *kernel,
                    const struct adam_options *c, int64_t warmup, struct arena *mem);

/* A learning pass: over this batch, which joins the averages. x and y [rows,n]; y's rows have ld
 * floats. */
void batchnorm_learn(struct batchnorm *z, const float *x, int rows, struct matrix y);
/* dy of that pass [rows,n] -> the gradient of gain and bias, and ret_dx [rows,n]. */
void batchnorm_backward(struct batchnorm *z, const float *dy, int rows, float *ret_dx);

/* A pass by the averages alone, and its backward: y = a x + c, dx = a dy. */
void batchnorm_apply(struct batchnorm *z, const float *x, int rows, struct matrix y);
void batchnorm_apply_backward(struct batchnorm *z, const float *dy, int rows, float *ret_dx);
/* a and c of column k. */
void batchnorm_affine(const struct batchnorm *z, int k, float *ret_a, float *ret_c);
