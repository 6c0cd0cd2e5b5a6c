#include "policies/nn/adam.h"

#include <math.h>

void adam_init(struct adam *ret_adam, int n, float lr, struct arena *mem)
{
    *ret_adam = (struct adam){.n = n, .lr = lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    ret_adam->m = arena_take(mem, (size_t)n * sizeof(float));
    ret_adam->v = arena_take(mem, (size_t)n * sizeof(float));
}

void adam_step(struct adam *o, const float *g, float *w)
{
    o->t++;
    const double c1 = 1.0 - pow((double)o->beta1, (double)o->t);
    const double c2 = 1.0 - pow((double)o->beta2, (double)o->t);
    const float step = (float)((double)o->lr / c1), root = (float)(1.0 / sqrt(c2));
    const float b1 = o->beta1, b2 = o->beta2, eps = o->eps;
    for (int i = 0; i < o->n; i++) {
        o->m[i] = b1 * o->m[i] + (1.0f - b1) * g[i];
        o->v[i] = b2 * o->v[i] + (1.0f - b2) * g[i] * g[i];
        w[i] -= step * o->m[i] / (sqrtf(o->v[i]) * root + eps);
    }
}
