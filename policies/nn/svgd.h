/*
 * Stein variational gradient descent: the direction in which to move particles so that they become
 * draws of a density p of which only the score, grad log p, is known.
 *
 *   Delta(x_i) = 1/J sum_j [ k(x_j, x_i) grad log p(x_j) + grad_{x_j} k(x_j, x_i) ]
 *   k(x, y) = exp(-|x - y|^2 / h),  h = median_{ij} |x_j - x_i|^2 / log(J + 1)
 *
 * Liu and Wang 2016, arXiv:1608.04471, equation 8 and section 5. The first term carries particles
 * to where p is large, the second keeps them apart.
 */
#pragma once

#include "daemon/base/arena.h"
#include "policies/nn/kernel.h"

#define SVGD_BANDWIDTH_MIN ((float)1e-3)

struct svgd {
    const struct kernel *kernel;
    int dim;                /* of a particle */
    int n_from, n_to;       /* J and I, at most those of init */
    const float *from, *to; /* of the last bandwidth */
    float *d2, *k, *order;  /* [J,I] squared distances, kernel, scratch of the median */
};

void svgd_init(struct svgd *ret_svgd, const struct kernel *kernel, int dim, int n_from, int n_to,
               struct arena *mem);

/*
 * Measure from [J,dim] against to [I,dim], which may be the same particles; both are borrowed until
 * svgd_direction. Returns h, at least SVGD_BANDWIDTH_MIN; of an even number of pairs the upper of
 * the two in the middle is the median.
 */
float svgd_bandwidth(struct svgd *z, const float *from, const float *to);

/*
 * score [J,dim] = grad log p at from; ret_delta [I,dim] = Delta at to, with bandwidth h. Without
 * repulsion the second term is left out: all particles then climb to a mode of p.
 */
void svgd_direction(struct svgd *z, const float *score, float h, bool repulsion, float *ret_delta);
