#include "policies/nn/rmsprop.h"

#include <math.h>

void rmsprop_init(struct rmsprop *ret_rmsprop, int n, const struct rmsprop_options *c,
                  struct arena *mem)
{
    *ret_rmsprop = (struct rmsprop){.c = *c, .n = n};
    ret_rmsprop->mean = arena_take(mem, (size_t)n * sizeof(float));
    ret_rmsprop->square = arena_take(mem, (size_t)n * sizeof(float));
}

/* Plain enough for the compiler to take several weights at once. */
void rmsprop_step(struct rmsprop *o, const float *restrict g, float *restrict w)
{
    const float rho = o->c.rho, new = 1.0f - rho, lr = o->c.lr, eps = o->c.eps;
    float *restrict mean = o->mean, *restrict square = o->square;
    const int n = o->n;
    for (int i = 0; i < n; i++) {
        mean[i] = rho * mean[i] + new *g[i];
        square[i] = rho * square[i] + new *g[i] * g[i];
        const float variance = square[i] - mean[i] * mean[i];
        w[i] -= lr * g[i] / sqrtf((variance > 0.0f ? variance : 0.0f) + eps);
    }
}
