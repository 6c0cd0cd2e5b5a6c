#include "policies/returns.h"

#include <math.h>

#define VAR_EPS 1e-8

static void add(struct returns *z, double x)
{
    const double off = x - z->mean;
    z->count += 1.0;
    z->mean += off / z->count;
    z->m2 += off * (x - z->mean);
}

void returns_scale(struct returns *z, const struct batch *b, float most, float *ret_r)
{
    double sum = 0.0;
    for (int t = 0; t < b->n; t++) {
        const bool goes_on = t > 0 && b->last[t - 1] == 0;
        sum = (double)b->r[t] + (goes_on ? (double)b->g[t - 1] * sum : 0.0);
        add(z, sum);
    }
    const float inv_std = (float)(1.0 / sqrt(z->m2 / z->count + VAR_EPS));
    for (int t = 0; t < b->n; t++) {
        ret_r[t] = fmaxf(-most, fminf(most, b->r[t] * inv_std));
    }
}
