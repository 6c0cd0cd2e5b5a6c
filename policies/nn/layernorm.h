/*
 * Layer normalisation: the sums of each row get mean 0 and variance 1, then a gain and a bias each.
 *
 *   xhat = (x - mean) / sqrt(variance + eps),   y = gain xhat + bias
 *   dx = (t - mean(t) - xhat mean(t xhat)) / sqrt(variance + eps),   t = gain dy
 *
 * Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 3 and 4. A row needs no other row, and a
 * gain sums over rows in their order: whoever does which part gets the same bits.
 */
#pragma once

#include "daemon/base/arena.h"
#include "policies/nn/kernel.h"

struct layernorm {
    const struct kernel *kernel;
    int n;
    struct norm w;          /* [n] each, of the network that it is part of */
    struct matrix xhat, dy; /* [rows,n] of the last forward; dL/dy, for the caller to fill */
    float *inv_std;         /* [rows] of the last forward */
};

/* Takes what is kept between forward and backward, for batches up to rows. */
void layernorm_init(struct layernorm *ret_norm, const struct kernel *kernel, int n, int rows,
                    struct arena *mem);

/* n rows of the batch from row from on; x [n,norm.n] becomes y, and 0 where that is negative if
 * relu. */
void layernorm_forward(struct layernorm *norm, int from, int n, bool relu, struct matrix x);

/* dy of those rows -> ret_dx [n,norm.n] = dL/dx. rows [n]: of the batch, in dy's order from 0 on;
 * NULL: from row from on. */
void layernorm_backward(const struct layernorm *norm, const int *rows, int from, int n,
                        struct matrix ret_dx);

/* Columns from .. from + columns of dy, all n rows -> dgain, dbias [columns]. */
void layernorm_weights(const struct layernorm *norm, int from, int columns, int n, float *ret_dgain,
                       float *ret_dbias);
