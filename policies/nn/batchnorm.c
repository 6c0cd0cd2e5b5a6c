#include "policies/nn/batchnorm.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define R_MAX 3.0f
#define D_MAX 5.0f

static float *floats(struct arena *mem, int rows, int n)
{
    return arena_take(mem, (size_t)rows * (size_t)n * sizeof(float));
}

void batchnorm_init(struct batchnorm *ret_norm, int n, int rows, const struct kernel *kernel,
                    const struct adam_options *c, int64_t warmup, struct arena *mem)
{
    struct batchnorm *z = ret_norm;
    *z = (struct batchnorm){.n = n, .momentum = (float)0.01, .eps = (float)1e-3, .warmup = warmup};
    z->w = floats(mem, 2, n);
    z->g = floats(mem, 2, n);
    z->mean = floats(mem, 1, n);
    z->var = floats(mem, 1, n);
    z->xhat = floats(mem, rows, n);
    z->inv_std = floats(mem, 1, n);
    z->mu = floats(mem, 1, n);
    z->r = floats(mem, 1, n);
    z->d = floats(mem, 1, n);
    adam_init(&z->opt, kernel, 2 * n, c, mem);
    for (int k = 0; k < n; k++) {
        z->w[k] = z->var[k] = 1.0f;
    }
}

static float clip(float x, float lo, float hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* Mean and variance of each column over the batch, what follows from them, and into the averages.
 */
static void measure(struct batchnorm *z, const float *x, int rows)
{
    const int n = z->n;
    const float part = 1.0f / (float)rows;
    const bool renorm = z->seen >= z->warmup;
    float *restrict mean = z->mu, *restrict var = z->inv_std;
    memset(mean, 0, (size_t)n * sizeof *mean);
    memset(var, 0, (size_t)n * sizeof *var);
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < n; k++) {
            mean[k] += part * x[i * n + k];
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < n; k++) {
            const float dx = x[i * n + k] - mean[k];
            var[k] += part * dx * dx;
        }
    }
    for (int k = 0; k < n; k++) {
        const float sigma = sqrtf(z->var[k] + z->eps), sigma_b = sqrtf(var[k] + z->eps);
        z->r[k] = renorm ? clip(sigma_b / sigma, (float)(1.0 / 3.0), R_MAX) : 1.0f;
        z->d[k] = renorm ? clip((mean[k] - z->mean[k]) / sigma, -D_MAX, D_MAX) : 0.0f;
        z->mean[k] += z->momentum * (mean[k] - z->mean[k]);
        z->var[k] += z->momentum * (var[k] - z->var[k]);
        z->inv_std[k] = 1.0f / sigma_b;
    }
}

void batchnorm_learn(struct batchnorm *z, const float *x, int rows, struct matrix y)
{
    const int n = z->n;
    const float *gain = z->w, *bias = z->w + n, *r = z->r, *d = z->d;
    const float *mu = z->mu, *inv_std = z->inv_std;
    measure(z, x, rows);
    for (int i = 0; i < rows; i++) {
        float *restrict to = y.v + (ptrdiff_t)i * y.ld;
        float *restrict xhat = z->xhat + (ptrdiff_t)i * n;
        for (int k = 0; k < n; k++) {
            xhat[k] = (x[i * n + k] - mu[k]) * inv_std[k];
            to[k] = gain[k] * (r[k] * xhat[k] + d[k]) + bias[k];
        }
    }
    z->seen++;
}

void batchnorm_backward(struct batchnorm *z, const float *dy, int rows, float *ret_dx)
{
    const int n = z->n;
    const float part = 1.0f / (float)rows;
    float *restrict along = z->g, *restrict sum = z->g + n;
    const float *xhat = z->xhat, *scale = z->mu; /* the mean is not wanted any more */
    for (int k = 0; k < n; k++) {
        z->mu[k] = z->w[k] * z->r[k] * z->inv_std[k];
    }
    memset(z->g, 0, 2 * (size_t)n * sizeof *z->g);
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < n; k++) {
            sum[k] += dy[i * n + k];
            along[k] += dy[i * n + k] * xhat[i * n + k];
        }
    }
    for (int i = 0; i < rows; i++) {
        float *restrict dx = ret_dx + (ptrdiff_t)i * n;
        for (int k = 0; k < n; k++) {
            dx[k] = scale[k] * (dy[i * n + k] - part * (sum[k] + along[k] * xhat[i * n + k]));
        }
    }
    for (int k = 0; k < n; k++) { /* xhat as it was used: r xhat + d */
        along[k] = z->r[k] * along[k] + z->d[k] * sum[k];
    }
}

void batchnorm_affine(const struct batchnorm *z, int k, float *ret_a, float *ret_c)
{
    *ret_a = z->w[k] / sqrtf(z->var[k] + z->eps);
    *ret_c = z->w[z->n + k] - z->mean[k] * *ret_a;
}

/* a into mu and c into d, which the next learning pass writes anew. */
static void affine(struct batchnorm *z)
{
    for (int k = 0; k < z->n; k++) {
        batchnorm_affine(z, k, &z->mu[k], &z->d[k]);
    }
}

void batchnorm_apply(struct batchnorm *z, const float *x, int rows, struct matrix y)
{
    const int n = z->n;
    const float *a = z->mu, *c = z->d;
    affine(z);
    for (int i = 0; i < rows; i++) {
        float *restrict to = y.v + (ptrdiff_t)i * y.ld;
        for (int k = 0; k < n; k++) {
            to[k] = a[k] * x[i * n + k] + c[k];
        }
    }
}

void batchnorm_apply_backward(struct batchnorm *z, const float *dy, int rows, float *ret_dx)
{
    const int n = z->n;
    const float *a = z->mu;
    affine(z);
    for (int i = 0; i < rows; i++) {
        float *restrict dx = ret_dx + (ptrdiff_t)i * n;
        for (int k = 0; k < n; k++) {
            dx[k] = a[k] * dy[i * n + k];
        }
    }
}
