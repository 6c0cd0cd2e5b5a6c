#include "policies/nn/conv.h"

#include "policies/nn/kernel.h"

#include <string.h>

int conv_points(int side, int kernel, int stride)
{
    return side >= kernel ? (side - kernel) / stride + 1 : 0;
}

int conv_inputs(const struct conv_shape *s)
{
    return s->frames * s->h * s->w * s->c;
}

int conv_outputs(const struct conv_shape *s)
{
    return s->out_h * s->out_w * s->filters;
}

int conv_patch(const struct conv_shape *s)
{
    return s->kernel * s->frames * s->kernel * s->c;
}

void conv_net_shape(const struct conv_shape *s, struct mlp_shape *ret_shape)
{
    mlp_shape(ret_shape, conv_patch(s), NULL, 0, s->filters);
}

static float *floats(struct arena *mem, int rows, int n)
{
    return arena_take(mem, (size_t)rows * (size_t)n * sizeof(float));
}

void conv_init(struct conv *ret_conv, const struct conv_shape *s, const struct net_spec *spec,
               struct arena *mem, struct rng *rng)
{
    struct conv *z = ret_conv;
    struct mlp_shape net;
    const int points = s->out_h * s->out_w;
    *z = (struct conv){.shape = *s};
    conv_net_shape(s, &net);
    mlp_init(&z->net, &net, spec->kernel, spec->rows * points, mem, rng);
    adam_init(&z->opt, z->net.kernel, z->net.n, &spec->adam, mem);
    z->y = floats(mem, spec->rows, conv_outputs(s));
    z->dy = floats(mem, spec->rows, conv_outputs(s));
    z->dpatch = floats(mem, spec->rows * points, conv_patch(s));
}

/* The run of `kernel` points that a patch takes from row ky of a frame: kernel x c floats. */
static size_t run_at(const struct conv_shape *s, int point, int frame, int ky)
{
    const int y = point / s->out_w * s->stride + ky, x = point % s->out_w * s->stride;
    return (((size_t)frame * (size_t)s->h + (size_t)y) * (size_t)s->w + (size_t)x) * (size_t)s->c;
}

static void read_patch(const struct conv_shape *s, const float *x, int point, float *ret_patch)
{
    const size_t run = (size_t)s->kernel * (size_t)s->c;
    for (int ky = 0; ky < s->kernel; ky++) {
        for (int f = 0; f < s->frames; f++, ret_patch += run) {
            memcpy(ret_patch, x + run_at(s, point, f, ky), run * sizeof *x);
        }
    }
}

/* The transpose: a patch's derivatives to where it was read. */
static void add_patch(const struct conv_shape *s, const float *dpatch, int point, float *dx)
{
    const int run = s->kernel * s->c;
    for (int ky = 0; ky < s->kernel; ky++) {
        for (int f = 0; f < s->frames; f++, dpatch += run) {
            float *to = dx + run_at(s, point, f, ky);
            for (int k = 0; k < run; k++) {
                to[k] += dpatch[k];
            }
        }
    }
}

const float *conv_forward(struct conv *z, struct matrix x, int n)
{
    const struct conv_shape *s = &z->shape;
    const int points = s->out_h * s->out_w;
    const struct matrix patch = z->net.x[0];
    for (int i = 0; i < n; i++) {
        for (int p = 0; p < points; p++) {
            read_patch(s, x.v + (size_t)i * (size_t)x.ld, p,
                       patch.v + (size_t)(i * points + p) * (size_t)patch.ld);
        }
    }
    const float *y = mlp_forward_inside(&z->net, n * points);
    for (int k = 0; k < n * conv_outputs(s); k++) {
        z->y[k] = y[k] > 0.0f ? y[k] : 0.0f;
    }
    return z->y;
}

void conv_backward(struct conv *z, struct matrix dout, int n, float *ret_dx)
{
    const struct conv_shape *s = &z->shape;
    const int points = s->out_h * s->out_w, outs = conv_outputs(s), patch = conv_patch(s);
    for (int i = 0; i < n; i++) {
        const float *d = dout.v + (size_t)i * (size_t)dout.ld;
        for (int k = 0; k < outs; k++) {
            z->dy[i * outs + k] = z->y[i * outs + k] > 0.0f ? d[k] : 0.0f;
        }
    }
    mlp_backward(&z->net, z->dy, n * points);
    if (ret_dx == NULL) {
        return;
    }
    const struct input_part all = {.n = n * points, .columns = patch};
    mlp_backward_input(&z->net, z->dy, &all, z->dpatch);
    memset(ret_dx, 0, (size_t)n * (size_t)conv_inputs(s) * sizeof *ret_dx);
    for (int i = 0; i < n * points; i++) {
        add_patch(s, z->dpatch + (size_t)i * (size_t)patch, i % points,
                  ret_dx + (size_t)(i / points) * (size_t)conv_inputs(s));
    }
}

void conv_row(const struct conv_shape *s, const float *packed, const float *x, float *patch,
              float *ret_y)
{
    struct mlp_shape net;
    conv_net_shape(s, &net);
    for (int p = 0; p < s->out_h * s->out_w; p++) {
        float *y = ret_y + (size_t)p * (size_t)s->filters;
        read_patch(s, x, p, patch);
        mlp_row(&net, packed, patch, y);
        for (int k = 0; k < s->filters; k++) {
            y[k] = y[k] > 0.0f ? y[k] : 0.0f;
        }
    }
}
