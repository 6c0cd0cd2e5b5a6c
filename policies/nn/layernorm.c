#include "policies/nn/layernorm.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define EPS   ((float)1e-5)
#define PARTS PANEL /* sums that do not wait for each other */

void layernorm_init(struct layernorm *ret_norm, int n, int rows, struct arena *mem)
{
    const int ld = matrix_stride(n);
    const size_t floats = (size_t)rows * (size_t)ld + PANEL; /* vectors may read past the end */
    *ret_norm = (struct layernorm){.n = n};
    ret_norm->xhat = (struct matrix){arena_take(mem, floats * sizeof(float)), ld};
    ret_norm->dy = (struct matrix){arena_take(mem, floats * sizeof(float)), ld};
    ret_norm->inv_std = arena_take(mem, (size_t)rows * sizeof(float));
}

static float *at(struct matrix m, int i)
{
    return m.v + (ptrdiff_t)i * m.ld;
}

static float all_parts(const float part[PARTS])
{
    float sum = 0.0f;
    for (int j = 0; j < PARTS; j++) {
        sum += part[j];
    }
    return sum;
}

static float sum_of(int n, const float *x)
{
    float part[PARTS] = {0};
    int i = 0;
    for (; i + PARTS <= n; i += PARTS) {
        for (int j = 0; j < PARTS; j++) {
            part[j] += x[i + j];
        }
    }
    for (int j = 0; i + j < n; j++) {
        part[j] += x[i + j];
    }
    return all_parts(part);
}

static float dot(int n, const float *x, const float *y)
{
    float part[PARTS] = {0};
    int i = 0;
    for (; i + PARTS <= n; i += PARTS) {
        for (int j = 0; j < PARTS; j++) {
            part[j] += x[i + j] * y[i + j];
        }
    }
    for (int j = 0; i + j < n; j++) {
        part[j] += x[i + j] * y[i + j];
    }
    return all_parts(part);
}

/* x -> xhat (may be x itself); returns 1 / sqrt(variance + eps). */
static float standardise(int n, const float *x, float *ret_xhat)
{
    const float inv_n = 1.0f / (float)n, mean = sum_of(n, x) * inv_n;
    for (int j = 0; j < n; j++) {
        ret_xhat[j] = x[j] - mean;
    }
    const float inv_std = 1.0f / sqrtf(dot(n, ret_xhat, ret_xhat) * inv_n + EPS);
    for (int j = 0; j < n; j++) {
        ret_xhat[j] *= inv_std;
    }
    return inv_std;
}

void layernorm_forward(struct layernorm *norm, int from, int n, struct matrix x)
{
    for (int i = 0; i < n; i++) {
        float *row = at(x, i), *xhat = at(norm->xhat, from + i);
        norm->inv_std[from + i] = standardise(norm->n, row, xhat);
        for (int j = 0; j < norm->n; j++) {
            row[j] = norm->gain[j] * xhat[j] + norm->bias[j];
        }
    }
}

void layernorm_row(int n, const float *gain, const float *bias, float *x)
{
    (void)standardise(n, x, x);
    for (int j = 0; j < n; j++) {
        x[j] = gain[j] * x[j] + bias[j];
    }
}

/* With t = gain dy:  dx = (t - mean(t) - xhat mean(t xhat)) / sqrt(variance + eps) */
void layernorm_backward(const struct layernorm *norm, const int *rows, int from, int n,
                        struct matrix ret_dx)
{
    const float inv_n = 1.0f / (float)norm->n;
    for (int i = 0; i < n; i++) {
        const int row = rows != NULL ? rows[i] : from + i;
        const float *dy = at(norm->dy, from + i), *xhat = at(norm->xhat, row);
        float *dx = at(ret_dx, i);
        for (int j = 0; j < norm->n; j++) {
            dx[j] = norm->gain[j] * dy[j];
        }
        const float mean = sum_of(norm->n, dx) * inv_n;
        const float slope = dot(norm->n, dx, xhat) * inv_n;
        for (int j = 0; j < norm->n; j++) {
            dx[j] = (dx[j] - mean - xhat[j] * slope) * norm->inv_std[row];
        }
    }
}

void layernorm_backward_weights(const struct layernorm *norm, int from, int columns, int n,
                                float *dgain, float *dbias)
{
    memset(dgain, 0, (size_t)columns * sizeof *dgain);
    memset(dbias, 0, (size_t)columns * sizeof *dbias);
    for (int i = 0; i < n; i++) {
        const float *dy = at(norm->dy, i) + from, *xhat = at(norm->xhat, i) + from;
        for (int j = 0; j < columns; j++) {
            dgain[j] += dy[j] * xhat[j];
            dbias[j] += dy[j];
        }
    }
}
