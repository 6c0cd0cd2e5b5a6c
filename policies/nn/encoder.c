#include "policies/nn/encoder.h"

#include <errno.h>
#include <string.h>

/* What comes out of convolution l - 1, or the pictures themselves. */
static struct conv_shape next_shape(const struct encoder_shape *s, int l, const struct dims *d)
{
    if (l == 0) {
        return (struct conv_shape){.frames = d->history, .h = d->h, .w = d->w, .c = d->c};
    }
    const struct conv_shape *last = &s->conv[l - 1];
    return (struct conv_shape){.frames = 1, .h = last->out_h, .w = last->out_w, .c = last->filters};
}

int encoder_shape(const struct encoder_settings *c, const struct dims *d,
                  struct encoder_shape *ret_shape, char *ret_why, int cap)
{
    struct encoder_shape s = {.n_obs = d->n_obs, .n_vector = d->n_vector, .n_features = d->n_obs};
    if (d->history == 0) {
        *ret_shape = s;
        return 0;
    }
    if (c->n_filters < 1 || c->n_kernels != c->n_filters || c->n_strides != c->n_filters) {
        return why(ret_why, cap, -EINVAL,
                   "policy: cnn_filters, cnn_kernel_sizes and cnn_strides have %d, %d and %d "
                   "elements; one for each convolution is wanted",
                   c->n_filters, c->n_kernels, c->n_strides);
    }
    for (int l = 0; l < c->n_filters; l++) {
        struct conv_shape v = next_shape(&s, l, d);
        v.kernel = c->kernels[l];
        v.stride = c->strides[l];
        v.filters = c->filters[l];
        v.out_h = conv_points(v.h, v.kernel, v.stride);
        v.out_w = conv_points(v.w, v.kernel, v.stride);
        if (v.out_h == 0 || v.out_w == 0) {
            return why(ret_why, cap, -EINVAL,
                       "policy: a kernel of %d points does not fit the %d x %d that come into "
                       "convolution %d",
                       v.kernel, v.h, v.w, l + 1);
        }
        s.conv[s.n_convs++] = v;
    }
    s.n_features = s.n_vector + conv_outputs(&s.conv[s.n_convs - 1]);
    *ret_shape = s;
    return 0;
}

void encoder_init(struct encoder *ret_encoder, const struct encoder_shape *s,
                  const struct net_spec *spec, struct arena *mem, struct rng *rng)
{
    struct encoder *z = ret_encoder;
    memset(z, 0, sizeof *z);
    z->shape = *s;
    for (int l = 0; l < s->n_convs; l++) {
        conv_init(&z->conv[l], &s->conv[l], spec, mem, rng);
        if (l > 0) {
            z->dx[l] = arena_take(mem, (size_t)spec->rows * (size_t)conv_inputs(&s->conv[l]) *
                                           sizeof(float));
        }
    }
    if (s->n_convs > 0) {
        z->features = arena_take(mem, (size_t)spec->rows * (size_t)s->n_features * sizeof(float));
    }
}

const float *encoder_forward(struct encoder *z, const float *obs, int n)
{
    const struct encoder_shape *s = &z->shape;
    if (s->n_convs == 0) {
        return obs;
    }
    struct matrix x = {(float *)obs + s->n_vector, s->n_obs};
    for (int l = 0; l < s->n_convs; l++) {
        x = (struct matrix){(float *)conv_forward(&z->conv[l], x, n), conv_outputs(&s->conv[l])};
    }
    for (int i = 0; i < n; i++) {
        float *to = z->features + (size_t)i * (size_t)s->n_features;
        memcpy(to, obs + (size_t)i * (size_t)s->n_obs, (size_t)s->n_vector * sizeof *to);
        memcpy(to + s->n_vector, x.v + (size_t)i * (size_t)x.ld, (size_t)x.ld * sizeof *to);
    }
    return z->features;
}

void encoder_backward(struct encoder *z, const float *dfeatures, int n)
{
    const struct encoder_shape *s = &z->shape;
    struct matrix d = {(float *)dfeatures + s->n_vector, s->n_features};
    for (int l = s->n_convs - 1; l >= 0; l--) {
        conv_backward(&z->conv[l], d, n, z->dx[l]);
        d = (struct matrix){z->dx[l], conv_inputs(&s->conv[l])};
    }
}

void encoder_fit(struct encoder *z, const float *dfeatures, int n)
{
    encoder_backward(z, dfeatures, n);
    for (int l = 0; l < z->shape.n_convs; l++) {
        mlp_step(&z->conv[l].net, &z->conv[l].opt);
    }
}

void encoder_blend(const struct encoder *z, float tau, struct encoder *target)
{
    for (int l = 0; l < z->shape.n_convs; l++) {
        mlp_blend(&z->conv[l].net, tau, &target->conv[l].net);
    }
}

void encoder_copy(const struct encoder *z, struct encoder *ret_copy)
{
    for (int l = 0; l < z->shape.n_convs; l++) {
        mlp_copy(&z->conv[l].net, &ret_copy->conv[l].net);
    }
}

void encoder_changed(struct encoder *z)
{
    for (int l = 0; l < z->shape.n_convs; l++) {
        mlp_changed(&z->conv[l].net);
    }
}

int encoder_weights(const struct encoder_shape *s)
{
    int n = 0;
    for (int l = 0; l < s->n_convs; l++) {
        struct mlp_shape net;
        conv_net_shape(&s->conv[l], &net);
        n += mlp_weights(&net);
    }
    return n;
}

int encoder_save(const struct encoder *z, float *ret_w)
{
    int n = 0;
    for (int l = 0; l < z->shape.n_convs; l++) {
        const struct mlp *net = &z->conv[l].net;
        memcpy(ret_w + n, net->w, (size_t)net->n * sizeof *ret_w);
        n += net->n;
    }
    return n;
}

int encoder_pack(const struct encoder_shape *s, const float *w, float *ret_packed, int n_max)
{
    int at = 0;
    for (int l = 0; l < s->n_convs; l++) {
        struct mlp_shape net;
        conv_net_shape(&s->conv[l], &net);
        const int n = mlp_pack(&net, w, mlp_weights(&net), ret_packed + at, n_max - at);
        if (n < 0) {
            return n;
        }
        w += mlp_weights(&net);
        at += n;
    }
    return at;
}

/* The widest patch, two pictures in between, the features. */
static int widest(const struct encoder_shape *s, int *ret_patch)
{
    int most = 0;
    *ret_patch = 0;
    for (int l = 0; l < s->n_convs; l++) {
        const int out = conv_outputs(&s->conv[l]), patch = conv_patch(&s->conv[l]);
        most = out > most ? out : most;
        *ret_patch = patch > *ret_patch ? patch : *ret_patch;
    }
    return most;
}

int encoder_scratch(const struct encoder_shape *s)
{
    int patch;
    const int most = widest(s, &patch);
    return s->n_convs == 0 ? 0 : patch + 2 * most + s->n_features;
}

const float *encoder_row(const struct encoder_shape *s, const float **packed, const float *obs,
                         float *scratch)
{
    int patch;
    const int most = widest(s, &patch);
    const float *x = obs + s->n_vector;
    if (s->n_convs == 0) {
        return obs;
    }
    for (int l = 0; l < s->n_convs; l++) {
        const struct conv_shape *v = &s->conv[l];
        struct mlp_shape net;
        float *y = scratch + patch + (l % 2) * most;
        conv_row(v, *packed, x, scratch, y);
        conv_net_shape(v, &net);
        *packed += mlp_packed(&net);
        x = y;
    }
    float *features = scratch + patch + 2 * most;
    memcpy(features, obs, (size_t)s->n_vector * sizeof *features);
    memcpy(features + s->n_vector, x, (size_t)(s->n_features - s->n_vector) * sizeof *features);
    return features;
}
