#include "policies/gae.h"

#include <math.h>

void gae(const float *r, const float *g, const float *v, const float *v2, const uint8_t *last,
         int n, float lambda, float *ret_adv)
{
    float next = 0.0f;
    for (int t = n - 1; t >= 0; t--) {
        const float delta = r[t] + g[t] * v2[t] - v[t];
        next = delta + (last[t] != 0 ? 0.0f : g[t] * lambda * next);
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
