/* Gradients that are clipped as one vector. Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063. */
#pragma once

struct gradient {
    float *g;
    int n;
};

/* The n_parts parts together are no longer than max_norm: g <- g min(1, max_norm / (|g| + 1e-6)),
 * as torch's clip_grad_norm_. 0: any length. */
void clip_together(const struct gradient *parts, int n_parts, double max_norm);
