/* The definition: plain loops in the order of the equations. */
#include "policies/nn/kernel.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define TWO_PI ((float)6.28318530717958648)

static bool usable(void)
{
    return true;
}

static float *at(struct matrix m, int i)
{
    return m.v + (ptrdiff_t)i * m.ld;
}

static void forward(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    for (int i = 0; i < n; i++) {
        for (int o = 0; o < l->out; o++) {
            float sum = 0.0f;
            for (int k = 0; k < l->in; k++) {
                sum += at(x, i)[k] * l->w.v[(ptrdiff_t)o * l->w.ld + k];
            }
            sum += l->b[o];
            at(y, i)[o] = relu && sum < 0.0f ? 0.0f : sum;
        }
    }
}

static void backward_weights(const struct layer *l, struct matrix dy, struct matrix x, int n,
                             float *dw, float *db)
{
    memset(dw, 0, (size_t)l->out * (size_t)l->in * sizeof *dw);
    memset(db, 0, (size_t)l->out * sizeof *db);
    for (int i = 0; i < n; i++) {
        for (int o = 0; o < l->out; o++) {
            const float d = at(dy, i)[o];
            for (int k = 0; k < l->in; k++) {
                dw[(ptrdiff_t)o * l->in + k] += d * at(x, i)[k];
            }
            db[o] += d;
        }
    }
}

static void backward_input(const struct layer *l, struct matrix dy, int n, struct matrix x,
                           struct matrix dx)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < l->in; k++) {
            float sum = 0.0f;
            for (int o = 0; o < l->out; o++) {
                sum += at(dy, i)[o] * l->w.v[(ptrdiff_t)o * l->w.ld + k];
            }
            at(dx, i)[k] = x.v == NULL || at(x, i)[k] > 0.0f ? sum : 0.0f;
        }
    }
}

static void panels(int in, int out, const float *w, float *ret_panels)
{
    for (int o = 0; o < out; o++) {
        for (int k = 0; k < in; k++) {
            ret_panels[((ptrdiff_t)(o / PANEL) * in + k) * PANEL + o % PANEL] =
                w[(ptrdiff_t)o * in + k];
        }
    }
}

static void adam(int n, const struct adam_pass *c, const float *g, float *m, float *v, float *w)
{
    for (int i = 0; i < n; i++) {
        m[i] = c->beta1 * m[i] + (1.0f - c->beta1) * g[i];
        v[i] = c->beta2 * v[i] + (1.0f - c->beta2) * g[i] * g[i];
        w[i] -= c->step * m[i] / (c->root * sqrtf(v[i]) + c->eps);
    }
}

static void blend(int n, float tau, const float *w, float *target)
{
    for (int i = 0; i < n; i++) {
        target[i] += tau * (w[i] - target[i]);
    }
}

static void row(const float *panels_at, const float *b, const float *x, int in, int out, bool relu,
                float *ret_y)
{
    for (int p = 0; p < out; p += PANEL, panels_at += (ptrdiff_t)in * PANEL) {
        for (int j = 0; j < PANEL; j++) {
            float sum = b[p + j];
            for (int i = 0; i < in; i++) {
                sum += x[i] * panels_at[(ptrdiff_t)i * PANEL + j];
            }
            ret_y[p + j] = relu && sum < 0.0f ? 0.0f : sum;
        }
    }
}

static float norm(int n, const struct norm *w, bool relu, const float *x, float *ret_xhat,
                  float *ret_y)
{
    float mean = 0.0f, variance = 0.0f;
    for (int j = 0; j < n; j++) {
        mean += x[j] / (float)n;
    }
    for (int j = 0; j < n; j++) {
        variance += (x[j] - mean) * (x[j] - mean) / (float)n;
    }
    const float inv_std = 1.0f / sqrtf(variance + NORM_EPS);
    for (int j = 0; j < n; j++) {
        const float xhat = (x[j] - mean) * inv_std, y = w->gain[j] * xhat + w->bias[j];
        ret_xhat[j] = xhat;
        ret_y[j] = relu && y < 0.0f ? 0.0f : y;
    }
    return inv_std;
}

static void norm_backward(int n, const float *gain, const float *xhat, float inv_std,
                          const float *dy, float *ret_dx)
{
    float mean = 0.0f, slope = 0.0f;
    for (int j = 0; j < n; j++) {
        mean += gain[j] * dy[j] / (float)n;
        slope += gain[j] * dy[j] * xhat[j] / (float)n;
    }
    for (int j = 0; j < n; j++) {
        ret_dx[j] = (gain[j] * dy[j] - mean - xhat[j] * slope) * inv_std;
    }
}

static void norm_weights(int columns, int n, struct matrix dy, struct matrix xhat, float *ret_dgain,
                         float *ret_dbias)
{
    memset(ret_dgain, 0, (size_t)columns * sizeof *ret_dgain);
    memset(ret_dbias, 0, (size_t)columns * sizeof *ret_dbias);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < columns; j++) {
            ret_dgain[j] += at(dy, i)[j] * at(xhat, i)[j];
            ret_dbias[j] += at(dy, i)[j];
        }
    }
}

static void exp_all(int n, const float *x, float *ret_y)
{
    for (int i = 0; i < n; i++) {
        ret_y[i] = expf(x[i]);
    }
}

static void tanh_all(int n, const float *x, float *ret_y)
{
    for (int i = 0; i < n; i++) {
        ret_y[i] = tanhf(x[i]);
    }
}

static void softplus_all(int n, const float *x, float *ret_y)
{
    for (int i = 0; i < n; i++) {
        ret_y[i] = fmaxf(x[i], 0.0f) + log1pf(expf(-fabsf(x[i])));
    }
}

static void normal_all(int n, const float *u, const float *v, float *ret_z)
{
    for (int i = 0; i < n; i++) {
        const float radius = sqrtf(-2.0f * logf(u[i]));
        ret_z[i] = radius * cosf(TWO_PI * v[i]);
        ret_z[n + i] = radius * sinf(TWO_PI * v[i]);
    }
}

const struct kernel kernel_portable = {
    .name = "portable",
    .usable = usable,
    .shares = true,
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
