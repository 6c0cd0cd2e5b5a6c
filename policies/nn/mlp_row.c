/* The network that acts: its weights in the order that one row reads them, and that row. */
#include "policies/nn/mlp_inside.h"

#include <errno.h>
#include <string.h>

int mlp_packed(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        n += padded(s->width[l + 1]) * (s->width[l] + n_vectors(s, l));
    }
    return n;
}

int mlp_pack(const struct mlp_shape *s, const float *w, int n, float *ret_packed, int n_max)
{
    const int wanted = mlp_packed(s);
    const struct kernel *k = kernel_best();
    float *p = ret_packed;
    if (n != mlp_weights(s) || wanted > n_max) {
        return -EPROTO;
    }
    memset(p, 0, (size_t)wanted * sizeof(float));
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1], wide = padded(out);
        k->panels(in, out, w, p);
        w += out * in;
        p += wide * in;
        for (int i = 0; i < n_vectors(s, l); i++, w += out, p += wide) {
            memcpy(p, w, (size_t)out * sizeof(float));
        }
    }
    return wanted;
}

void mlp_row(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y)
{
    mlp_row_hidden(s, packed, x, ret_y, NULL);
}

void mlp_row_hidden(const struct mlp_shape *s, const float *packed, const float *x, float *ret_y,
                    float *ret_hidden)
{
    _Alignas(CACHE_LINE) float buf[2][MLP_WIDTH_MAX];
    const struct kernel *k = kernel_best();
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1], wide = padded(out);
        float *y = buf[l % 2];
        if (ret_hidden != NULL && !is_hidden(s, l)) {
            memcpy(ret_hidden, x, (size_t)in * sizeof(float));
        }
        k->row(packed, packed + in * wide, x, in, out, is_hidden(s, l) && relu_alone(s), y);
        packed += (size_t)wide * (size_t)(in + 1);
        if (n_vectors(s, l) > 1) {
            const struct norm w = {packed, packed + wide};
            (void)k->norm(out, &w, s->activation == ACTIVATION_RELU, y, y, y);
            packed += 2 * wide;
        }
        if (is_hidden(s, l) && s->activation == ACTIVATION_TANH) {
            k->tanh(out, y, y);
        }
        x = y;
    }
    memcpy(ret_y, x, (size_t)s->width[s->n_layers] * sizeof(float));
}
