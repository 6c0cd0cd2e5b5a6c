#include "policies/nn/scale.h"

#include <math.h>

#define STD_MIN 1e-3
#define CLIP    10.0f

void scale_init(struct scale *ret_scale, int n)
{
    basal_assert(n <= OBS_MAX);
    *ret_scale = (struct scale){.n = n};
}

void scale_add(struct scale *s, const float *x, int rows)
{
    for (int i = 0; i < rows; i++) {
        s->count[0] += 1.0;
        for (int k = 0; k < s->n; k++) {
            const double d = (double)x[i * s->n + k] - s->mean[k];
            s->mean[k] += d / s->count[0];
            s->m2[k] += d * ((double)x[i * s->n + k] - s->mean[k]);
        }
    }
}

void scale_get(const struct scale *s, float *ret_mean, float *ret_scale)
{
    for (int k = 0; k < s->n; k++) {
        const double std = s->count[0] > 1.0 ? sqrt(s->m2[k] / s->count[0]) : 1.0;
        ret_mean[k] = (float)s->mean[k];
        ret_scale[k] = (float)(1.0 / fmax(std, STD_MIN));
    }
}

void scale_apply(int n, const float *mean, const float *scale, float *x)
{
    for (int k = 0; k < n; k++) {
        const float y = (x[k] - mean[k]) * scale[k];
        if (mean[k] == 0.0f && scale[k] == 1.0f) {
            continue;
        }
        x[k] = y > CLIP ? CLIP : y < -CLIP ? -CLIP : y; /* what is not a number stays so */
    }
}

int scale_tensors(struct scale *s, struct tensor *ret_tensors, int n_max)
{
    basal_assert(n_max >= 3);
    ret_tensors[0] = (struct tensor){"scale.count", TENSOR_F64, 1, {1}, s->count};
    ret_tensors[1] = (struct tensor){"scale.mean", TENSOR_F64, 1, {s->n}, s->mean};
    ret_tensors[2] = (struct tensor){"scale.m2", TENSOR_F64, 1, {s->n}, s->m2};
    return 3;
}
