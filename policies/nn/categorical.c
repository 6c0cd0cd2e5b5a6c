#include "policies/nn/categorical.h"

#include <math.h>

static float spacing(const struct support *z)
{
    return (z->v_max - z->v_min) / (float)(z->n - 1);
}

float support_atom(const struct support *z, int i)
{
    return z->v_min + (float)i * spacing(z);
}

void categorical_softmax(const float *logits, int n, float *ret_p)
{
    float most = logits[0], sum = 0.0f;
    for (int i = 1; i < n; i++) {
        most = fmaxf(most, logits[i]);
    }
    for (int i = 0; i < n; i++) {
        ret_p[i] = expf(logits[i] - most);
        sum += ret_p[i];
    }
    for (int i = 0; i < n; i++) {
        ret_p[i] /= sum;
    }
}

float categorical_mean(const struct support *z, const float *p)
{
    float mean = 0.0f;
    for (int i = 0; i < z->n; i++) {
        mean += p[i] * support_atom(z, i);
    }
    return mean;
}

void categorical_project(const struct support *z, const float *p, float r, float g, float *ret_m)
{
    const float dz = spacing(z);
    for (int j = 0; j < z->n; j++) {
        ret_m[j] = 0.0f;
    }
    for (int i = 0; i < z->n; i++) {
        const float v = r + g * support_atom(z, i);
        const float mass = isfinite(v) ? p[i] : NAN; /* a clip would hide it */
        const float at = (fminf(fmaxf(v, z->v_min), z->v_max) - z->v_min) / dz;
        const int below = (int)at < z->n - 1 ? (int)at : z->n - 2;
        const float above = fminf(fmaxf(at - (float)below, 0.0f), 1.0f);
        ret_m[below] += mass * (1.0f - above);
        ret_m[below + 1] += mass * above;
    }
}

float categorical_loss(const float *logits, const float *m, int n, float *ret_dlogits)
{
    float most = logits[0], sum = 0.0f, loss = 0.0f;
    categorical_softmax(logits, n, ret_dlogits);
    for (int i = 1; i < n; i++) {
        most = fmaxf(most, logits[i]);
    }
    for (int i = 0; i < n; i++) {
        sum += expf(logits[i] - most);
    }
    const float log_sum = most + logf(sum);
    for (int i = 0; i < n; i++) {
        loss -= m[i] * (logits[i] - log_sum);
        ret_dlogits[i] -= m[i];
    }
    return loss;
}
