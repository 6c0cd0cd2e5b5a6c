/*
 * The three products by CBLAS; what is elementwise is the portable kernel's. For comparison, and
 * for processors whose library is better than our kernels.
 *
 * For one thread: OpenBLAS built serial is not to be called by two at once (tried: the same updates
 * ended in other weights each time).
 */
#include "policies/nn/kernel.h"

#include <cblas.h>
#include <stddef.h>
#include <string.h>

extern const struct kernel kernel_portable;

static bool usable(void)
{
    return true;
}

static void forward(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, l->out, l->in, 1.0f, x.v, x.ld, l->w.v,
                l->w.ld, 0.0f, y.v, y.ld);
    for (int i = 0; i < n; i++) {
        float *row = y.v + (ptrdiff_t)i * y.ld;
        for (int o = 0; o < l->out; o++) {
            const float v = row[o] + l->b[o];
            row[o] = relu && v < 0.0f ? 0.0f : v;
        }
    }
}

static void backward_weights(const struct layer *l, struct matrix dy, struct matrix x, int n,
                             float *dw, float *db)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, l->out, l->in, n, 1.0f, dy.v, dy.ld, x.v,
                x.ld, 0.0f, dw, l->in);
    memset(db, 0, (size_t)l->out * sizeof *db);
    for (int i = 0; i < n; i++) {
        for (int o = 0; o < l->out; o++) {
            db[o] += dy.v[(ptrdiff_t)i * dy.ld + o];
        }
    }
}

static void backward_input(const struct layer *l, struct matrix dy, int n, struct matrix x,
                           struct matrix dx)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, l->in, l->out, 1.0f, dy.v, dy.ld,
                l->w.v, l->w.ld, 0.0f, dx.v, dx.ld);
    for (int i = 0; i < n && x.v != NULL; i++) {
        for (int k = 0; k < l->in; k++) {
            const ptrdiff_t at = (ptrdiff_t)i * dx.ld + k;
            dx.v[at] = x.v[(ptrdiff_t)i * x.ld + k] > 0.0f ? dx.v[at] : 0.0f;
        }
    }
}

static void panels(int in, int out, const float *w, float *ret_panels)
{
    kernel_portable.panels(in, out, w, ret_panels);
}

static void adam(int n, const struct adam_pass *c, const float *g, float *m, float *v, float *w)
{
    kernel_portable.adam(n, c, g, m, v, w);
}

static void blend(int n, float tau, const float *w, float *target)
{
    kernel_portable.blend(n, tau, w, target);
}

static void row(const float *panels_at, const float *b, const float *x, int in, int out, bool relu,
                float *ret_y)
{
    kernel_portable.row(panels_at, b, x, in, out, relu, ret_y);
}

static float norm(int n, const struct norm *w, bool relu, const float *x, float *ret_xhat,
                  float *ret_y)
{
    return kernel_portable.norm(n, w, relu, x, ret_xhat, ret_y);
}

static void norm_backward(int n, const float *gain, const float *xhat, float inv_std,
                          const float *dy, float *ret_dx)
{
    kernel_portable.norm_backward(n, gain, xhat, inv_std, dy, ret_dx);
}

static void norm_weights(int columns, int n, struct matrix dy, struct matrix xhat, float *ret_dgain,
                         float *ret_dbias)
{
    kernel_portable.norm_weights(columns, n, dy, xhat, ret_dgain, ret_dbias);
}

static void exp_all(int n, const float *x, float *ret_y)
{
    kernel_portable.exp(n, x, ret_y);
}

static void tanh_all(int n, const float *x, float *ret_y)
{
    kernel_portable.tanh(n, x, ret_y);
}

static void softplus_all(int n, const float *x, float *ret_y)
{
    kernel_portable.softplus(n, x, ret_y);
}

static void normal_all(int n, const float *u, const float *v, float *ret_z)
{
    kernel_portable.normal(n, u, v, ret_z);
}

const struct kernel kernel_cblas = {
    .name = "cblas",
    .usable = usable,
    .shares = false,
    .forward = forward,
    .backward_weights = backward_weights,
    .backward_input = backward_input,
    .panels = panels,
    .adam = adam,
    .blend = blend,
    .row = row,
    .norm = norm,
    .norm_backward = norm_backward,
    .norm_weights = norm_weights,
    .exp = exp_all,
    .tanh = tanh_all,
    .softplus = softplus_all,
    .normal = normal_all,
};
