#include "policies/nn/boltzmann.h"

#include "policies/greedy.h"

#include <math.h>
#include <stddef.h>

#define LOG_2 ((float)0.69314718055994531)

float soft_value(const float *q, int n, uint64_t legal, float alpha, float *ret_pi)
{
    const uint64_t may = greedy_legal(n, legal);
    const float most = greedy_max(q, n, legal);
    float sum = 0.0f;
    for (int a = 0; a < n; a++) {
        sum += (may >> a & 1) != 0 ? expf((q[a] - most) / alpha) : 0.0f;
    }
    if (ret_pi != NULL) {
        for (int a = 0; a < n; a++) {
            ret_pi[a] = (may >> a & 1) != 0 ? expf((q[a] - most) / alpha) / sum : 0.0f;
        }
    }
    return most + alpha * logf(sum);
}

float choice_entropy(const float *pi, int n)
{
    float sum = 0.0f;
    for (int a = 0; a < n; a++) {
        sum -= pi[a] > 0.0f ? pi[a] * logf(pi[a]) : 0.0f;
    }
    return sum;
}

int choice_draw(const float *pi, int n, struct rng *rng)
{
    float left = (float)rng_uniform(rng);
    int last = 0;
    for (int a = 0; a < n; a++) {
        if (pi[a] > 0.0f) {
            last = a; /* rounding may leave a little over: never to one without a chance */
            left -= pi[a];
            if (left < 0.0f) {
                break;
            }
        }
    }
    return last;
}

float soft_value_estimate(const float *q, int m, int n_act, float alpha, float *ret_effective)
{
    float most = q[0], sum = 0.0f, sum2 = 0.0f;
    for (int j = 1; j < m; j++) {
        most = fmaxf(most, q[j]);
    }
    for (int j = 0; j < m; j++) {
        const float w = expf((q[j] - most) / alpha);
        sum += w;
        sum2 += w * w;
    }
    if (ret_effective != NULL) {
        *ret_effective = sum * sum / (sum2 * (float)m);
    }
    return most + alpha * (logf(sum / (float)m) + (float)n_act * LOG_2);
}
