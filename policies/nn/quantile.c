#include "policies/nn/quantile.h"

#include <math.h>

#define LANES 8 /* sums that do not wait for each other */

float huber(float u)
{
    const float size = fabsf(u);
    return size <= 1.0f ? 0.5f * u * u : size - 0.5f;
}

float huber_derivative(float u)
{
    return u < -1.0f ? -1.0f : u > 1.0f ? 1.0f : u;
}

/* One sample: with c = clip(u, -1, 1), Huber is c (u - c / 2) and its derivative c. */
static inline void add(float u, float tau, float *loss, float *d)
{
    const float c = huber_derivative(u);
    const float weighted = (u < 0.0f ? 1.0f - tau : tau) * c;
    *loss += weighted * (u - 0.5f * c);
    *d -= weighted;
}

float quantile_loss(const float *theta, int n, const float *y, int m, float *ret_dtheta)
{
    const float part = 1.0f / (float)m;
    float loss = 0.0f;
    for (int i = 0; i < n; i++) {
        const float tau = (float)(2 * i + 1) / (float)(2 * n);
        float of[LANES] = {0}, d[LANES] = {0};
        int j = 0;
        for (; j + LANES <= m; j += LANES) {
            for (int l = 0; l < LANES; l++) {
                add(y[j + l] - theta[i], tau, &of[l], &d[l]);
            }
        }
        for (; j < m; j++) {
            add(y[j] - theta[i], tau, &of[0], &d[0]);
        }
        ret_dtheta[i] = 0.0f;
        for (int l = 0; l < LANES; l++) {
            loss += part * of[l];
            ret_dtheta[i] += part * d[l];
        }
    }
    return loss;
}
