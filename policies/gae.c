#include "policies/gae.h"

#include <math.h>

void gae(const struct gae_rows *x, float lambda, float *ret_adv)
{
    float next = 0.0f;
    for (int t = x->n - 1; t >= 0; t--) {
        const float delta = x->r[t] + x->g[t] * x->v2[t] - x->v[t];
        next = delta + (x->last[t] != 0 ? 0.0f : x->g[t] * lambda * next);
        ret_adv[t] = next;
    }
}

double explained_variance(const float *target, const float *v, int n)
{
    double mean = 0.0, mean_off = 0.0, var = 0.0, var_off = 0.0;
    for (int i = 0; i < n; i++) {
        mean += (double)target[i] / n;
        mean_off += (double)(target[i] - v[i]) / n;
    }
    for (int i = 0; i < n; i++) {
        const double x = (double)target[i] - mean, off = (double)(target[i] - v[i]) - mean_off;
        var += x * x;
        var_off += off * off;
    }
    return var > 0.0 ? 1.0 - var_off / var : (double)NAN;
}
