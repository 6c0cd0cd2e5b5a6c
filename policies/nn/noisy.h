/*
 * Noisy layers: weights that are drawn anew for every pass, and whose spread is learnt.
 *
 *   y = (mu_w + sigma_w eps_w) x + mu_b + sigma_b eps_b
 *   eps_w[o,i] = f(e_o) f(e_i),   eps_b[o] = f(e_o),   f(e) = sign(e) sqrt|e|,   e ~ N(0,1)
 *   dL/dmu = dL/dw,   dL/dsigma = dL/dw eps
 *
 * Fortunato et al. 2018, arXiv:1706.10295, equations 9 to 11, factorised. mu ~ U(+-1/sqrt(in)),
 * sigma = sigma_0 / sqrt(in). A draw writes the weights of the network that it belongs to; that one
 * then runs as any other.
 */
#pragma once

#include "policies/nn/mlp.h"

struct noisy {
    struct mlp *net;                  /* the caller's, without layer normalisation */
    float *mu, *sigma, *eps, *dsigma; /* [net->n] */
    float *f_in, *f_out;              /* [widest] */
};

/* Takes over net's weights as mu. */
void noisy_init(struct noisy *ret_noisy, struct mlp *net, double sigma_0, struct arena *mem);
/* Weights for the passes to come; with their noise, or mu alone (rng NULL). */
void noisy_draw(struct noisy *z, struct rng *rng);
/* After a backward pass of net: its gradient net->g is mu's; this is sigma's, in dsigma. */
void noisy_backward(struct noisy *z);

/* --- in the tick --- */

/* mu and sigma [n] each, as sent -> what noisy_row reads; returns its floats, or -EPROTO. */
int noisy_pack(const struct mlp_shape *s, const float *mu, const float *sigma, float *ret_packed,
               int n_max);
int noisy_packed(const struct mlp_shape *s);
/* One row x [in] -> ret_y [out], with noise drawn for it; rng NULL: none. */
void noisy_row(const struct mlp_shape *s, const float *packed, const float *x, struct rng *rng,
               float *ret_y) BASAL_RT;
