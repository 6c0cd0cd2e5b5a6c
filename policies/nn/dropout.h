/*
 * Dropout: each number of a layer's sums is 0 with probability p and 1 / (1 - p) times itself
 * otherwise, drawn anew before a forward pass; the backward pass goes the same way.
 *
 * Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"; with
 * layer normalisation behind it, as DroQ has it (arXiv:2110.02034).
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"
#include "policies/nn/kernel.h"

struct dropout {
    int n;              /* columns; 0: there is none */
    float p;            /* chance of 0 */
    struct matrix keep; /* [rows,n] 0 or 1 / (1 - p), as drawn last */
};

void dropout_init(struct dropout *ret_dropout, int n, float p, int rows, struct arena *mem);
/* For the first n_rows of the next forward pass. p counts to one part in two million. */
void dropout_draw(struct dropout *z, int n_rows, struct rng *rng);
/* x [n_rows,n] times what was kept of the rows from row from on, or of those that are named. */
void dropout_apply(const struct dropout *z, const int *rows, int from, int n_rows, struct matrix x);
