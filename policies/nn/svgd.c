#include "policies/nn/svgd.h"

#include <math.h>
#include <string.h>

void svgd_init(struct svgd *ret_svgd, const struct kernel *kernel, int dim, int n_from, int n_to,
               struct arena *mem)
{
    const size_t bytes = (size_t)n_from * (size_t)n_to * sizeof(float);
    *ret_svgd = (struct svgd){.kernel = kernel, .dim = dim, .n_from = n_from, .n_to = n_to};
    ret_svgd->d2 = arena_take(mem, bytes);
    ret_svgd->k = arena_take(mem, bytes);
    ret_svgd->order = arena_take(mem, bytes);
}

/* The middle one of x [n] in order, the upper of two; x is left in disorder. Hoare 1961, FIND. */
static float median(float *x, int n)
{
    const int k = n / 2;
    for (int low = 0, high = n - 1; low < high;) {
        const float pivot = x[k];
        int i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot) {
                i++;
            }
            while (pivot < x[j]) {
                j--;
            }
            if (i <= j) {
                const float swap = x[i];
                x[i++] = x[j];
                x[j--] = swap;
            }
        }
        low = j < k ? i : low;
        high = k < i ? j : high;
    }
    return x[k];
}

float svgd_bandwidth(struct svgd *z, const float *from, const float *to)
{
    const int n = z->n_from * z->n_to;
    z->from = from;
    z->to = to;
    for (int j = 0; j < z->n_from; j++) {
        for (int i = 0; i < z->n_to; i++) {
            float d2 = 0.0f;
            for (int c = 0; c < z->dim; c++) {
                const float d = from[j * z->dim + c] - to[i * z->dim + c];
                d2 += d * d;
            }
            z->d2[j * z->n_to + i] = d2;
        }
    }
    memcpy(z->order, z->d2, (size_t)n * sizeof(float));
    return fmaxf(median(z->order, n) / logf((float)z->n_from + 1.0f), SVGD_BANDWIDTH_MIN);
}

void svgd_direction(struct svgd *z, const float *score, float h, bool repulsion, float *ret_delta)
{
    const int dim = z->dim;
    const float inv_h = 1.0f / h, inv_j = 1.0f / (float)z->n_from;
    for (int i = 0; i < z->n_from * z->n_to; i++) {
        z->k[i] = -inv_h * z->d2[i];
    }
    z->kernel->exp(z->n_from * z->n_to, z->k, z->k);
    memset(ret_delta, 0, (size_t)(z->n_to * dim) * sizeof(float));
    for (int j = 0; j < z->n_from; j++) {
        const float *from = z->from + (ptrdiff_t)j * dim, *s = score + (ptrdiff_t)j * dim;
        for (int i = 0; i < z->n_to; i++) {
            const float k = z->k[j * z->n_to + i] * inv_j;
            const float push = repulsion ? 2.0f * inv_h * k : 0.0f;
            for (int c = 0; c < dim; c++) {
                const float away = z->to[i * dim + c] - from[c];
                ret_delta[i * dim + c] += k * s[c] + push * away;
            }
        }
    }
}
