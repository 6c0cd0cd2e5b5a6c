#include "policies/nn/quantile.h"

#include <math.h>

float huber(float u)
{
    const float size = fabsf(u);
    return size <= 1.0f ? 0.5f * u * u : size - 0.5f;
}

float huber_derivative(float u)
{
    return fminf(fmaxf(u, -1.0f), 1.0f);
}

float quantile_loss(const float *theta, int n, const float *y, int m, float *ret_dtheta)
{
    const float part = 1.0f / (float)m;
    float loss = 0.0f;
    for (int i = 0; i < n; i++) {
        const float tau = (float)(2 * i + 1) / (float)(2 * n);
        float d = 0.0f;
        for (int j = 0; j < m; j++) {
            const float u = y[j] - theta[i];
            const float weight = u < 0.0f ? 1.0f - tau : tau;
            loss += part * weight * huber(u);
            d -= part * weight * huber_derivative(u);
        }
        ret_dtheta[i] = d;
    }
    return loss;
}
