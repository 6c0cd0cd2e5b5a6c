/* What a network that learns and one that acts both know of their layers. */
#pragma once

#include "policies/nn/mlp.h"

static inline int padded(int n)
{
    return (n + PANEL - 1) / PANEL * PANEL;
}

static inline bool is_hidden(const struct mlp_shape *s, int l)
{
    return l + 1 < s->n_layers;
}

/* Vectors [out] of layer l: its bias, and the gain and bias of its normalisation. */
static inline int n_vectors(const struct mlp_shape *s, int l)
{
    return s->layer_norm && is_hidden(s, l) ? 3 : 1;
}

/* ReLU and nothing else: the kernels do it themselves. */
static inline bool relu_alone(const struct mlp_shape *s)
{
    return s->activation == ACTIVATION_RELU && !s->layer_norm;
}
