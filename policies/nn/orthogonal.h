/*
 * Orthogonal weights. Saxe et al. 2014, arXiv:1312.6120: the rows of each layer, or its columns
 * where those are fewer, are of one length and at right angles. Biases are 0.
 */
#pragma once

#include "policies/nn/mlp.h"

/* Every layer's weights anew: lengths gain, of the last one last_gain. */
void mlp_orthogonal(struct mlp *m, double gain, double last_gain, struct arena *mem,
                    struct rng *rng);
