#include "policies/nn/rmsprop.h"

#include <math.h>

void rmsprop_init(struct rmsprop *ret_rmsprop, int n, const struct rmsprop_options *c,
                  struct arena *mem)
{
    *ret_rmsprop = (struct rmsprop){.c = *c, .n = n};
    ret_rmsprop->mean = arena_take(mem, (size_t)n * sizeof(float));
    ret_rmsprop->square = arena_take(mem, (size_t)n * sizeof(float));
}

void rmsprop_step(struct rmsprop *o, const float *g, float *w)
{
    const float rho = o->c.rho, new = 1.0f - rho;
    for (int i = 0; i < o->n; i++) {
        const float mean = rho * o->mean[i] + new *g[i];
        const float square = rho * o->square[i] + new *g[i] * g[i];
        o->mean[i] = mean;
        o->square[i] = square;
        w[i] -= o->c.lr * g[i] / sqrtf(fmaxf(square - mean * mean, 0.0f) + o->c.eps);
    }
}
