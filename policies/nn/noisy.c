#include "policies/nn/noisy.h"

#include "policies/nn/kernel.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int widest(const struct mlp_shape *s)
{
    int most = 0;
    for (int l = 0; l <= s->n_layers; l++) {
        most = s->width[l] > most ? s->width[l] : most;
    }
    return most;
}

void noisy_init(struct noisy *ret_noisy, struct mlp *net, double sigma_0, struct arena *mem)
{
    struct noisy *z = ret_noisy;
    *z = (struct noisy){.net = net};
    z->mu = arena_floats(mem, net->n);
    z->sigma = arena_floats(mem, net->n);
    z->eps = arena_floats(mem, net->n);
    z->dsigma = arena_floats(mem, net->n);
    z->f_in = arena_floats(mem, widest(&net->shape));
    z->f_out = arena_floats(mem, widest(&net->shape));
    memcpy(z->mu, net->w, (size_t)net->n * sizeof(float));
    int at = 0;
    for (int l = 0; l < net->shape.n_layers; l++) {
        const int in = net->shape.width[l], n = net->shape.width[l + 1] * (in + 1);
        for (int i = 0; i < n; i++) {
            z->sigma[at + i] = (float)(sigma_0 / sqrt((double)in));
        }
        at += n;
    }
}

static void draw(int n, struct rng *rng, float *ret_f)
{
    for (int i = 0; i < n; i++) {
        const double e = rng_normal(rng);
        ret_f[i] = (float)copysign(sqrt(fabs(e)), e);
    }
}

void noisy_draw(struct noisy *z, struct rng *rng)
{
    const struct mlp_shape *s = &z->net->shape;
    int at = 0;
    for (int l = 0; l < s->n_layers && rng != NULL; l++) {
        const int in = s->width[l], out = s->width[l + 1];
        draw(in, rng, z->f_in);
        draw(out, rng, z->f_out);
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                z->eps[at++] = z->f_out[o] * z->f_in[i];
            }
        }
        memcpy(z->eps + at, z->f_out, (size_t)out * sizeof(float));
        at += out;
    }
    for (int i = 0; i < z->net->n; i++) {
        z->eps[i] = rng != NULL ? z->eps[i] : 0.0f;
        z->net->w[i] = z->mu[i] + z->sigma[i] * z->eps[i];
    }
    mlp_changed(z->net);
}

void noisy_backward(struct noisy *z)
{
    for (int i = 0; i < z->net->n; i++) {
        z->dsigma[i] = z->net->g[i] * z->eps[i];
    }
}

/* --- in the tick: each layer's mu, then its sigma --- */

static void layer_shape(const struct mlp_shape *s, int l, struct mlp_shape *ret_shape)
{
    mlp_shape(ret_shape, s->width[l], NULL, 0, s->width[l + 1]);
}

int noisy_packed(const struct mlp_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_layers; l++) {
        struct mlp_shape one;
        layer_shape(s, l, &one);
        n += 2 * mlp_packed(&one);
    }
    return n;
}

int noisy_pack(const struct mlp_shape *s, const float *mu, const float *sigma, float *ret_packed,
               int n_max)
{
    int n = 0;
    if (noisy_packed(s) > n_max) {
        return -EPROTO;
    }
    for (int l = 0; l < s->n_layers; l++) {
        struct mlp_shape one;
        layer_shape(s, l, &one);
        const int sent = mlp_weights(&one);
        n += mlp_pack(&one, mu, sent, ret_packed + n, n_max - n);
        n += mlp_pack(&one, sigma, sent, ret_packed + n, n_max - n);
        mu += sent;
        sigma += sent;
    }
    return n;
}

/* y <- y + f_out (sigma_w (f_in x) + sigma_b) */
static void add_noise(const struct mlp_shape *one, const float *packed, const float *x,
                      struct rng *rng, float *y)
{
    float v[MLP_WIDTH_MAX] = {0}; /* f_in x, then what comes of it */
    const int in = one->width[0], out = one->width[1];
    draw(in, rng, v);
    for (int i = 0; i < in; i++) {
        v[i] *= x[i];
    }
    mlp_row(one, packed, v, v);
    for (int o = 0; o < out; o++) {
        float f;
        draw(1, rng, &f);
        y[o] += f * v[o];
    }
}

void noisy_row(const struct mlp_shape *s, const float *packed, const float *x, struct rng *rng,
               float *ret_y)
{
    float buf[2][MLP_WIDTH_MAX];
    for (int l = 0; l < s->n_layers; l++) {
        struct mlp_shape one;
        layer_shape(s, l, &one);
        float *y = buf[l % 2];
        mlp_row(&one, packed, x, y);
        packed += mlp_packed(&one);
        if (rng != NULL) {
            add_noise(&one, packed, x, rng, y);
        }
        packed += mlp_packed(&one);
        for (int o = 0; o < one.width[1] && l + 1 < s->n_layers; o++) {
            y[o] = y[o] > 0.0f ? y[o] : 0.0f;
        }
        x = y;
    }
    memcpy(ret_y, x, (size_t)s->width[s->n_layers] * sizeof(float));
}
