/* Adam. Kingma and Ba 2015, Algorithm 1; epsilon outside the root, after bias correction. Knows
 * nothing of layers. */
#pragma once

#include "daemon/base/arena.h"
#include "policies/nn/kernel.h"

#include <stdint.h>

struct adam_options {
    float lr, beta1, beta2, eps;
    float weight_decay;  /* L2: this much of the weights joins the gradient, as torch's Adam does */
    float max_grad_norm; /* the gradient is never longer than this; 0: any length */
};

/* betas 0.9 and 0.999, eps 1e-8; neither decay nor clipping */
struct adam_options adam_defaults(float lr);

struct adam {
    const struct kernel *kernel;
    int n;
    struct adam_options c;
    int64_t t;    /* steps taken */
    float *m, *v; /* [n] */
};

void adam_init(struct adam *ret_adam, const struct kernel *kernel, int n,
               const struct adam_options *c, struct arena *mem);

/* w <- w - lr mhat / (sqrt(vhat) + eps) for the gradient g, which is prepared. [n] each */
void adam_step(struct adam *o, float *g, float *w);

/*
 * In two parts, for who goes over the weights in pieces. The gradient as a step takes it:
 *
 *   g <- g min(1, max_grad_norm / (|g| + 1e-6)) + weight_decay w
 *
 * Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063, Algorithm 1, with torch's 1e-6
 * (clip_grad_norm_). And one step further: its constants.
 */
void adam_prepare(const struct adam *o, const float *w, float *g);
void adam_next(struct adam *o, struct adam_pass *ret_pass);

/* For networks of several blocks of weights, whose gradient is one: |g|^2 of a block, summed in one
 * order whoever asks; and what all of them are scaled by: at most 1, 1 where any length is good
 * (max_grad_norm 0). */
double gradient_norm2(const float *g, int n);
double gradient_shrink(double norm2, double max_grad_norm);
