#include "policies/nn/dropout.h"

#include <math.h>
#include <stddef.h>

#define BITS 21 /* of a draw: three from a random word */

void dropout_init(struct dropout *ret_dropout, int n, float p, int rows, struct arena *mem)
{
    const int ld = matrix_stride(n);
    *ret_dropout = (struct dropout){.n = n, .p = p};
    ret_dropout->keep =
        (struct matrix){arena_take(mem, ((size_t)rows * (size_t)ld + PANEL) * sizeof(float)), ld};
}

void dropout_draw(struct dropout *z, int n_rows, struct rng *rng)
{
    const uint64_t mask = (UINT64_C(1) << BITS) - 1;
    const uint64_t dropped = (uint64_t)lrint((double)z->p * (double)(mask + 1));
    const float kept = 1.0f / (1.0f - z->p);
    uint64_t word = 0;
    int left = 0;
    for (int i = 0; i < n_rows; i++) {
        float *row = z->keep.v + (ptrdiff_t)i * z->keep.ld;
        for (int k = 0; k < z->n; k++, word >>= BITS, left--) {
            if (left == 0) {
                word = rng_u64(rng);
                left = 3;
            }
            row[k] = (word & mask) < dropped ? 0.0f : kept;
        }
    }
}

void dropout_apply(const struct dropout *z, const int *rows, int from, int n_rows, struct matrix x)
{
    for (int i = 0; i < n_rows; i++) {
        const int row = rows != NULL ? rows[i] : from + i;
        const float *keep = z->keep.v + (ptrdiff_t)row * z->keep.ld;
        float *xi = x.v + (ptrdiff_t)i * x.ld;
        for (int k = 0; k < z->n; k++) {
            xi[k] *= keep[k];
        }
    }
}
