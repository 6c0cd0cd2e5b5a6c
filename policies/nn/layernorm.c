#include "policies/nn/layernorm.h"

#include <stddef.h>

void layernorm_init(struct layernorm *ret_norm, const struct kernel *kernel, int n, int rows,
                    struct arena *mem)
{
    const int ld = matrix_stride(n);
    const size_t floats = (size_t)rows * (size_t)ld + PANEL; /* vectors may read past the end */
    *ret_norm = (struct layernorm){.kernel = kernel, .n = n};
    ret_norm->xhat = (struct matrix){arena_take(mem, floats * sizeof(float)), ld};
    ret_norm->dy = (struct matrix){arena_take(mem, floats * sizeof(float)), ld};
    ret_norm->inv_std = arena_take(mem, (size_t)rows * sizeof(float));
}

static float *at(struct matrix m, int i)
{
    return m.v + (ptrdiff_t)i * m.ld;
}

void layernorm_forward(struct layernorm *norm, int from, int n, bool relu, struct matrix x)
{
    for (int i = 0; i < n; i++) {
        norm->inv_std[from + i] = norm->kernel->norm(norm->n, &norm->w, relu, at(x, i),
                                                     at(norm->xhat, from + i), at(x, i));
    }
}

void layernorm_backward(const struct layernorm *norm, const int *rows, int from, int n,
                        struct matrix ret_dx)
{
    for (int i = 0; i < n; i++) {
        const int row = rows != NULL ? rows[i] : from + i;
        norm->kernel->norm_backward(norm->n, norm->w.gain, at(norm->xhat, row), norm->inv_std[row],
                                    at(norm->dy, from + i), at(ret_dx, i));
    }
}

void layernorm_weights(const struct layernorm *norm, int from, int columns, int n, float *ret_dgain,
                       float *ret_dbias)
{
    const struct matrix dy = {norm->dy.v + from, norm->dy.ld};
    const struct matrix xhat = {norm->xhat.v + from, norm->xhat.ld};
    norm->kernel->norm_weights(columns, n, dy, xhat, ret_dgain, ret_dbias);
}
