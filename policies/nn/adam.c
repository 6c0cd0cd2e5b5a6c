#include "policies/nn/adam.h"

#include <math.h>

#define CLIP_EPS 1e-6
#define PARTS    PANEL /* sums that do not wait for each other */

struct adam_options adam_defaults(float lr)
{
    return (struct adam_options){
        .lr = lr, .beta1 = (float)0.9, .beta2 = (float)0.999, .eps = (float)1e-8};
}

void adam_init(struct adam *ret_adam, const struct kernel *kernel, int n,
               const struct adam_options *c, struct arena *mem)
{
    *ret_adam = (struct adam){.kernel = kernel, .n = n, .c = *c};
    ret_adam->m = arena_take(mem, (size_t)n * sizeof(float));
    ret_adam->v = arena_take(mem, (size_t)n * sizeof(float));
}

double gradient_norm2(const float *g, int n)
{
    double part[PARTS] = {0}, sum = 0.0;
    for (int i = 0; i + PARTS <= n; i += PARTS) {
        for (int j = 0; j < PARTS; j++) {
            part[j] += (double)g[i + j] * (double)g[i + j];
        }
    }
    for (int i = n - n % PARTS; i < n; i++) {
        sum += (double)g[i] * (double)g[i];
    }
    for (int j = 0; j < PARTS; j++) {
        sum += part[j];
    }
    return sum;
}

double gradient_shrink(double norm2, double max_grad_norm)
{
    return max_grad_norm > 0.0 ? fmin(1.0, max_grad_norm / (sqrt(norm2) + CLIP_EPS)) : 1.0;
}

void adam_prepare(const struct adam *o, const float *w, float *g)
{
    const double most = (double)o->c.max_grad_norm;
    const double shrink = most > 0.0 ? gradient_shrink(gradient_norm2(g, o->n), most) : 1.0;
    const float scale = (float)shrink, decay = o->c.weight_decay;
    for (int i = 0; i < o->n && shrink < 1.0; i++) {
        g[i] *= scale;
    }
    for (int i = 0; i < o->n && decay > 0.0f; i++) {
        g[i] += decay * w[i];
    }
}

void adam_next(struct adam *o, struct adam_pass *ret_pass)
{
    o->t++;
    const double c1 = 1.0 - pow((double)o->c.beta1, (double)o->t);
    const double c2 = 1.0 - pow((double)o->c.beta2, (double)o->t);
    *ret_pass = (struct adam_pass){.beta1 = o->c.beta1,
                                   .beta2 = o->c.beta2,
                                   .eps = o->c.eps,
                                   .step = (float)((double)o->c.lr / c1),
                                   .root = (float)(1.0 / sqrt(c2))};
}

void adam_step(struct adam *o, float *g, float *w)
{
    struct adam_pass pass;
    adam_prepare(o, w, g);
    adam_next(o, &pass);
    o->kernel->adam(o->n, &pass, g, o->m, o->v, w);
}
