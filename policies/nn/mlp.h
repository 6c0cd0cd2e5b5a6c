/*
 * A multi-layer perceptron: ReLU between layers, linear at the end. One flat block of weights;
 * gradient and optimiser moments share its layout, so that save, send, blend and compare are loops
 * over n.
 *
 *   per layer: W [out,in] row-major, then b [out]
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"

#define LAYERS_MAX 6

struct mlp_shape {
    int n_layers;              /* weight layers */
    int width[LAYERS_MAX + 1]; /* width[0] inputs ... width[n_layers] outputs */
};

/* What a network is made of that reads states, or states and actions, and learns. */
struct net_spec {
    int n_obs, n_act;
    const int *hidden; /* [n_hidden] widths between */
    int n_hidden;
    int rows; /* largest batch */
    float lr; /* Adam's learning rate */
};

struct mlp {
    struct mlp_shape shape;
    int n;        /* weights in all */
    int rows;     /* largest batch */
    float *w, *g; /* [n] */
    float *x[LAYERS_MAX +
             1];  /* x[l] [rows,width[l]]: inputs of layer l, after ReLU; x[n_layers] the output */
    float *dx[2]; /* [rows, widest]: scratch of backward */
};

/* hidden [n_hidden] between n_in and n_out. */
void mlp_shape(struct mlp_shape *ret_shape, int n_in, const int *hidden, int n_hidden, int n_out);
int mlp_weights(const struct mlp_shape *s);

/* Takes weights, gradient and activations for batches up to rows; weights U(+-1/sqrt(fan_in)). */
void mlp_init(struct mlp *ret_mlp, const struct mlp_shape *s, int rows, struct arena *mem,
              struct rng *rng);

/* x [n,in] -> [n,out], kept inside together with all activations until the next forward. */
float *mlp_forward(struct mlp *m, const float *x, int n);

/* dy [n,out] = dL/d(output) of the last forward. Adds to g; ret_dx [n,in] unless NULL. */
void mlp_backward(struct mlp *m, const float *dy, int n, float *ret_dx);

/* The same into the inputs only; weights' gradients are untouched. */
void mlp_backward_input(struct mlp *m, const float *dy, int n, float *ret_dx);

void mlp_zero_grad(struct mlp *m);
/* target <- tau m + (1 - tau) target */
void mlp_blend(const struct mlp *m, float tau, struct mlp *target);
void mlp_copy(const struct mlp *m, struct mlp *ret_copy);

/* Floats of the packed form that mlp_row reads: W' [in, out rounded up to 16], then b; and how to
 * make it. */
int mlp_packed(const struct mlp_shape *s);
void mlp_pack(const struct mlp_shape *s, const float *w, float *ret_packed);

#define MLP_WIDTH_MAX 1024

/* One row without BLAS: the tick's path. x [in] -> ret_y [out]. */
void mlp_row(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y) BASAL_RT;
