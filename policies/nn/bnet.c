#include "policies/nn/bnet.h"

#include <string.h>

static float *floats(struct arena *mem, int rows, int n)
{
    return arena_take(mem, ((size_t)rows * (size_t)n + PANEL) * sizeof(float));
}

void bnet_init(struct bnet *ret_net, const struct net_spec *spec, int n_in, int n_out,
               int64_t warmup, struct arena *mem, struct rng *rng)
{
    struct bnet *z = ret_net;
    int widest = 0;
    memset(z, 0, sizeof *z);
    z->rows = spec->rows;
    mlp_shape(&z->shape, n_in, spec->hidden, spec->n_hidden, n_out);
    for (int l = 0; l < z->shape.n_layers; l++) {
        const int in = z->shape.width[l], out = z->shape.width[l + 1];
        struct mlp_shape one;
        mlp_shape(&one, in, NULL, 0, out);
        mlp_init(&z->dense[l], &one, spec->kernel, spec->rows, mem, rng);
        adam_init(&z->opt[l], z->dense[l].kernel, z->dense[l].n, &spec->adam, mem);
        batchnorm_init(&z->norm[l], in, spec->rows, z->dense[l].kernel, &spec->adam, warmup, mem);
        z->x[l] = floats(mem, spec->rows, in);
        widest = in > widest ? in : widest;
    }
    z->d[0] = floats(mem, spec->rows, widest);
    z->d[1] = floats(mem, spec->rows, widest);
}

float *bnet_input(struct bnet *z)
{
    return z->x[0];
}

static void relu(int n, const float *restrict x, float *restrict ret_y)
{
    for (int k = 0; k < n; k++) {
        ret_y[k] = x[k] > 0.0f ? x[k] : 0.0f;
    }
}

const float *bnet_forward(struct bnet *z, int n, bool learn)
{
    const int last = z->shape.n_layers - 1;
    basal_assert(n <= z->rows);
    for (int l = 0; l <= last; l++) {
        if (learn) {
            batchnorm_learn(&z->norm[l], z->x[l], n, z->dense[l].x[0]);
        } else {
            batchnorm_apply(&z->norm[l], z->x[l], n, z->dense[l].x[0]);
        }
        const float *y = mlp_forward_inside(&z->dense[l], n);
        if (l < last) {
            relu(n * z->shape.width[l + 1], y, z->x[l + 1]);
        }
    }
    return z->dense[last].x[1].v;
}

/* dL/d(inputs of layer l's norm) in d becomes that of layer l - 1's outputs: ReLU. */
static void through_relu(const struct bnet *z, int l, int n, float *d)
{
    const float *x = z->x[l];
    const int floats_n = n * z->shape.width[l];
    for (int k = 0; k < floats_n; k++) {
        d[k] = x[k] > 0.0f ? d[k] : 0.0f;
    }
}

static void dense_backward_input(struct bnet *z, int l, const float *dy, int n, float *ret_dx)
{
    const struct input_part all = {.n = n, .columns = z->shape.width[l]};
    mlp_backward_input(&z->dense[l], dy, &all, ret_dx);
}

void bnet_backward(struct bnet *z, const float *dy, int n)
{
    for (int l = z->shape.n_layers - 1; l >= 0; l--) {
        mlp_backward(&z->dense[l], dy, n);
        dense_backward_input(z, l, dy, n, z->d[0]);
        batchnorm_backward(&z->norm[l], z->d[0], n, z->d[1]);
        if (l > 0) {
            through_relu(z, l, n, z->d[1]);
        }
        dy = z->d[1];
    }
}

void bnet_step(struct bnet *z)
{
    for (int l = 0; l < z->shape.n_layers; l++) {
        mlp_step(&z->dense[l], &z->opt[l]);
        adam_step(&z->norm[l].opt, z->norm[l].g, z->norm[l].w);
    }
}

void bnet_backward_input(struct bnet *z, const float *dy, int n, float *ret_dx)
{
    for (int l = z->shape.n_layers - 1; l >= 0; l--) {
        float *dx = l > 0 ? z->d[1] : ret_dx;
        dense_backward_input(z, l, dy, n, z->d[0]);
        batchnorm_apply_backward(&z->norm[l], z->d[0], n, dx);
        if (l > 0) {
            through_relu(z, l, n, dx);
        }
        dy = dx;
    }
}

/* W (a x + c) + b = (W a) x + (b + W c) */
void bnet_fold(const struct bnet *z, float *ret_w)
{
    for (int l = 0; l < z->shape.n_layers; l++) {
        const int in = z->shape.width[l], out = z->shape.width[l + 1];
        const float *w = z->dense[l].w, *b = w + out * in;
        float *to_b = ret_w + out * in;
        memcpy(to_b, b, (size_t)out * sizeof *b);
        for (int i = 0; i < in; i++) {
            float a, c;
            batchnorm_affine(&z->norm[l], i, &a, &c);
            for (int o = 0; o < out; o++) {
                ret_w[o * in + i] = w[o * in + i] * a;
                to_b[o] += w[o * in + i] * c;
            }
        }
        ret_w += out * (in + 1);
    }
}
