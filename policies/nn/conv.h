/*
 * One convolution without padding: from a picture of h x w points, or several one behind the other,
 * to out_h x out_w points of `filters` numbers each, then ReLU. It is a dense layer over patches:
 *
 *   patch(y, x) = x[frame, y stride + ky, x stride + kx, c]   in the order [ky][frame][kx][c]
 *   out(y, x)   = max(0, W patch(y, x) + b)
 *
 * so the kernels below are those of every other network. LeCun et al. 1989; the shapes are those of
 * Mnih et al. 2015.
 */
#pragma once

#include "policies/nn/mlp.h"

struct conv_shape {
    int frames, h, w, c; /* [frames,h,w,c] comes in */
    int kernel, stride, filters;
    int out_h, out_w; /* [out_h,out_w,filters] goes out */
};

struct conv {
    struct conv_shape shape;
    struct mlp net; /* patch -> filters; rows: all points of a batch */
    struct adam opt;
    float *y;      /* [rows,out_h,out_w,filters] of the last forward */
    float *dy;     /* dL/d(before ReLU), the same */
    float *dpatch; /* [rows out_h out_w, patch] */
};

/* A side of `side` points gives this many; 0: the kernel does not fit. */
int conv_points(int side, int kernel, int stride);
int conv_inputs(const struct conv_shape *s);  /* floats that come in */
int conv_outputs(const struct conv_shape *s); /* floats that go out */
void conv_net_shape(const struct conv_shape *s, struct mlp_shape *ret_shape);

void conv_init(struct conv *ret_conv, const struct conv_shape *s, const struct net_spec *spec,
               struct arena *mem, struct rng *rng);

/* Where n pictures lie: picture i at v + i x ld floats. */
const float *conv_forward(struct conv *z, struct matrix x, int n);

/*
 * dL/d(what came out of the last forward), picture i at dout + i x ld -> the gradient of its
 * weights; and, unless ret_dx is NULL, dL/dx [n, conv_inputs].
 */
void conv_backward(struct conv *z, struct matrix dout, int n, float *ret_dx);

/* One picture x out of packed weights (mlp_pack of its net): the tick's path. patch
 * [conv_patch floats] is scratch, ret_y [conv_outputs]. */
int conv_patch(const struct conv_shape *s);
void conv_row(const struct conv_shape *s, const float *packed, const float *x, float *patch,
              float *ret_y) BASAL_RT;
