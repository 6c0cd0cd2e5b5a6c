/* Adam. Kingma and Ba 2015, Algorithm 1; epsilon outside the root, after bias correction. Knows
 * nothing of layers. */
#pragma once

#include "daemon/base/arena.h"
#include "policies/nn/kernel.h"

#include <stdint.h>

struct adam {
    const struct kernel *kernel;
    int n;
    float lr, beta1, beta2, eps;
    int64_t t;    /* steps taken */
    float *m, *v; /* [n] */
};

/* beta1 0.9, beta2 0.999, eps 1e-8 */
void adam_init(struct adam *ret_adam, const struct kernel *kernel, int n, float lr,
               struct arena *mem);

/* w <- w - lr mhat / (sqrt(vhat) + eps) for the gradient g. [n] each */
void adam_step(struct adam *o, const float *g, float *w);

/* One step further: its constants, for who goes over the weights in parts. */
void adam_next(struct adam *o, struct adam_pass *ret_pass);
