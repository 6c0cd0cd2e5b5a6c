/*
 * A network whose inputs are batch-normalised, layer by layer: what CrossQ learns with in place of
 * target networks.
 *
 *   x_0 = x,   x_(l+1) = max(0, W_l norm_l(x_l) + b_l),   y = W_L norm_L(x_L) + b_L
 *
 * Bhatt et al. 2024, arXiv:1902.05605, figure 2.
 */
#pragma once

#include "policies/nn/batchnorm.h"
#include "policies/nn/mlp.h"

struct bnet {
    struct mlp_shape shape; /* of the plain network that it becomes when averages are folded in */
    int rows;
    struct mlp dense[LAYERS_MAX];
    struct adam opt[LAYERS_MAX];
    struct batchnorm norm[LAYERS_MAX]; /* norm[l]: of layer l's inputs */
    float *x[LAYERS_MAX];              /* [rows,width[l]] inputs of norm l, of the last forward */
    float *d[2];                       /* [rows,widest] scratch */
};

/* spec: hidden layers, rows, Adam; warmup as batchnorm.h's. */
void bnet_init(struct bnet *ret_net, const struct net_spec *spec, int n_in, int n_out,
               int64_t warmup, struct arena *mem, struct rng *rng);

/* Room [rows,n_in] for the input of the next forward, tight. */
float *bnet_input(struct bnet *z);
/* That input -> [n,n_out], valid until the next forward. learn: by the batch's own mean and
 * variance; else by the averages. */
const float *bnet_forward(struct bnet *z, int n, bool learn);

/* dy [n,n_out] of the last learning forward -> one step of Adam down the gradient. */
void bnet_backward(struct bnet *z, const float *dy, int n);
void bnet_step(struct bnet *z);
/* dy of the last forward by averages -> ret_dx [n,n_in]. */
void bnet_backward_input(struct bnet *z, const float *dy, int n, float *ret_dx);

/* The plain network [mlp_weights(&shape)] that computes the same by averages. */
void bnet_fold(const struct bnet *z, float *ret_w);
