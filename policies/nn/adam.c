#include "policies/nn/adam.h"

#include <math.h>

void adam_init(struct adam *ret_adam, const struct kernel *kernel, int n, float lr,
               struct arena *mem)
{
    *ret_adam = (struct adam){
        .kernel = kernel, .n = n, .lr = lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    ret_adam->m = arena_take(mem, (size_t)n * sizeof(float));
    ret_adam->v = arena_take(mem, (size_t)n * sizeof(float));
}

void adam_next(struct adam *o, struct adam_pass *ret_pass)
{
    o->t++;
    const double c1 = 1.0 - pow((double)o->beta1, (double)o->t);
    const double c2 = 1.0 - pow((double)o->beta2, (double)o->t);
    *ret_pass = (struct adam_pass){.beta1 = o->beta1,
                                   .beta2 = o->beta2,
                                   .eps = o->eps,
                                   .step = (float)((double)o->lr / c1),
                                   .root = (float)(1.0 / sqrt(c2))};
}

void adam_step(struct adam *o, const float *g, float *w)
{
    struct adam_pass pass;
    adam_next(o, &pass);
    o->kernel->adam(o->n, &pass, g, o->m, o->v, w);
}
