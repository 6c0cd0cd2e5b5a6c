#include "policies/nn/mlp.h"

#include "policies/nn/gemm.h"

#include <math.h>
#include <string.h>

#define PACK 16 /* outputs are padded to whole vectors */

void mlp_shape(struct mlp_shape *ret_shape, int n_in, const int *hidden, int n_hidden, int n_out)
{
    basal_assert(n_hidden >= 0 && n_hidden < LAYERS_MAX);
    ret_shape->n_layers = n_hidden + 1;
    ret_shape->width[0] = n_in;
    for (int l = 0; l < n_hidden; l++) {
        basal_assert(hidden[l] <= MLP_WIDTH_MAX);
        ret_shape->width[l + 1] = hidden[l];
    }
    ret_shape->width[n_hidden + 1] = n_out;
}

int mlp_weights(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        n += s->width[l + 1] * (s->width[l] + 1);
    }
    return n;
}

static int widest(const struct mlp_shape *s)
{
    int most = 0;
    for (int l = 0; l <= s->n_layers; l++) {
        most = s->width[l] > most ? s->width[l] : most;
    }
    return most;
}

void mlp_init(struct mlp *ret_mlp, const struct mlp_shape *s, int rows, struct arena *mem,
              struct rng *rng)
{
    struct mlp *m = ret_mlp;
    *m = (struct mlp){.shape = *s, .n = mlp_weights(s), .rows = rows};
    m->w = arena_take(mem, (size_t)m->n * sizeof(float));
    m->g = arena_take(mem, (size_t)m->n * sizeof(float));
    float *w = m->w;
    for (int l = 0; l < s->n_layers; l++) {
        const double bound = 1.0 / sqrt((double)s->width[l]);
        const int n = s->width[l + 1] * (s->width[l] + 1);
        for (int i = 0; i < n; i++) {
            w[i] = (float)(bound * (2.0 * rng_uniform(rng) - 1.0));
        }
        w += n;
    }
    for (int l = 0; l <= s->n_layers; l++) {
        m->x[l] = arena_take(mem, (size_t)rows * (size_t)s->width[l] * sizeof(float));
    }
    for (int i = 0; i < 2; i++) {
        m->dx[i] = arena_take(mem, (size_t)rows * (size_t)widest(s) * sizeof(float));
    }
}

static void add_bias_relu(float *y, const float *b, int n, int out, bool relu)
{
    for (int i = 0; i < n; i++) {
        float *row = y + (size_t)i * (size_t)out;
        for (int j = 0; j < out; j++) {
            const float v = row[j] + b[j];
            row[j] = relu && v < 0.0f ? 0.0f : v;
        }
    }
}

float *mlp_forward(struct mlp *m, const float *x, int n)
{
    const struct mlp_shape *s = &m->shape;
    const float *w = m->w;
    basal_assert(n <= m->rows);
    memcpy(m->x[0], x, (size_t)n * (size_t)s->width[0] * sizeof(float));
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1];
        gemm_nt(n, out, in, m->x[l], w, 0.0f, m->x[l + 1]);
        add_bias_relu(m->x[l + 1], w + (size_t)out * (size_t)in, n, out, l + 1 < s->n_layers);
        w += (size_t)out * (size_t)(in + 1);
    }
    return m->x[s->n_layers];
}

/* db += sum over rows of dy */
static void add_rows(const float *dy, int n, int out, float *db)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < out; j++) {
            db[j] += dy[(size_t)i * (size_t)out + (size_t)j];
        }
    }
}

/* dx where the ReLU let through; ReLU'(0) = 0 */
static void mask_relu(const float *x, size_t n, float *dx)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] = x[i] > 0.0f ? dx[i] : 0.0f;
    }
}

static void backward(struct mlp *m, const float *dy, int n, bool weights, float *ret_dx)
{
    const struct mlp_shape *s = &m->shape;
    int at = m->n;
    for (int l = s->n_layers - 1; l >= 0; l--) {
        const int in = s->width[l], out = s->width[l + 1];
        at -= out * (in + 1);
        if (weights) {
            gemm_tn(out, in, n, dy, m->x[l], 1.0f, m->g + at);
            add_rows(dy, n, out, m->g + at + (size_t)out * (size_t)in);
        }
        float *dx = l == 0 ? ret_dx : m->dx[l % 2];
        if (dx == NULL) {
            return;
        }
        gemm_nn(n, in, out, dy, m->w + at, 0.0f, dx);
        if (l > 0) {
            mask_relu(m->x[l], (size_t)n * (size_t)in, dx);
        }
        dy = dx;
    }
}

void mlp_backward(struct mlp *m, const float *dy, int n, float *ret_dx)
{
    backward(m, dy, n, true, ret_dx);
}

void mlp_backward_input(struct mlp *m, const float *dy, int n, float *ret_dx)
{
    backward(m, dy, n, false, ret_dx);
}

void mlp_zero_grad(struct mlp *m)
{
    memset(m->g, 0, (size_t)m->n * sizeof(float));
}

void mlp_blend(const struct mlp *m, float tau, struct mlp *target)
{
    for (int i = 0; i < m->n; i++) {
        target->w[i] += tau * (m->w[i] - target->w[i]);
    }
}

void mlp_copy(const struct mlp *m, struct mlp *ret_copy)
{
    memcpy(ret_copy->w, m->w, (size_t)m->n * sizeof(float));
}

static int padded(int n)
{
    return (n + PACK - 1) / PACK * PACK;
}

int mlp_packed(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        n += padded(s->width[l + 1]) * (s->width[l] + 1);
    }
    return n;
}

void mlp_pack(const struct mlp_shape *s, const float *w, float *ret_packed)
{
    float *p = ret_packed;
    memset(p, 0, (size_t)mlp_packed(s) * sizeof(float));
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1], wide = padded(out);
        for (int i = 0; i < in; i++) {
            for (int j = 0; j < out; j++) {
                p[(size_t)i * (size_t)wide + (size_t)j] = w[(size_t)j * (size_t)in + (size_t)i];
            }
        }
        memcpy(p + (size_t)in * (size_t)wide, w + (size_t)out * (size_t)in,
               (size_t)out * sizeof(float));
        w += (size_t)out * (size_t)(in + 1);
        p += (size_t)wide * (size_t)(in + 1);
    }
}

/* y = W' x + b over padded outputs: a sum of columns, so that the inner loop is a vector of
 * outputs. */
static void layer_row(const float *p, const float *x, int in, int wide, bool relu, float *ret_y)
{
    const float *b = p + (size_t)in * (size_t)wide;
    for (int j = 0; j < wide; j++) {
        ret_y[j] = b[j];
    }
    for (int i = 0; i < in; i++) {
        const float xi = x[i];
        for (int j = 0; j < wide; j++) {
            ret_y[j] += xi * p[(size_t)i * (size_t)wide + (size_t)j];
        }
    }
    for (int j = 0; j < wide && relu; j++) {
        ret_y[j] = ret_y[j] > 0.0f ? ret_y[j] : 0.0f;
    }
}

void mlp_row(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y)
{
    _Alignas(CACHE_LINE) float buf[2][MLP_WIDTH_MAX];
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], wide = padded(s->width[l + 1]);
        basal_assert(wide > 0);
        layer_row(packed, x, in, wide, l + 1 < s->n_layers, buf[l % 2]);
        x = buf[l % 2];
        packed += (size_t)wide * (size_t)(in + 1);
    }
    memcpy(ret_y, x, (size_t)s->width[s->n_layers] * sizeof(float));
}
