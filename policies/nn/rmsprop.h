/*
 * RMSProp, centred, as the deep Q-network was trained: epsilon stands inside the root.
 *
 *   c <- rho c + (1 - rho) g,   n <- rho n + (1 - rho) g^2,   w <- w - lr g / sqrt(n - c^2 + eps)
 *
 * Graves 2013, arXiv:1308.0850, equations 38 to 41, without momentum; Mnih et al. 2015, extended
 * data table 1.
 */
#pragma once

#include "daemon/base/arena.h"

struct rmsprop_options {
    float lr, rho, eps;
};

struct rmsprop {
    struct rmsprop_options c;
    int n;
    float *mean, *square; /* [n] of the gradient */
};

void rmsprop_init(struct rmsprop *ret_rmsprop, int n, const struct rmsprop_options *c,
                  struct arena *mem);
void rmsprop_step(struct rmsprop *o, const float *g, float *w);
