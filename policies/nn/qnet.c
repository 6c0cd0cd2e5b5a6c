#include "policies/nn/qnet.h"

#include "policies/nn/dueling.h"

#include <errno.h>
#include <string.h>

void qnet_shape(struct qnet_shape *s, const int *hidden, int n_hidden)
{
    const int ends = s->choices + (s->dueling ? 1 : 0);
    mlp_shape(&s->dense, s->encoder.n_features, hidden, n_hidden, ends * s->atoms);
}

static float *floats(struct arena *mem, int rows, int n)
{
    return arena_take(mem, (size_t)rows * (size_t)n * sizeof(float));
}

static int outputs(const struct qnet_shape *s)
{
    return s->choices * s->atoms;
}

static void init_steps(struct qnet *z, const struct qnet_spec *spec, struct arena *mem)
{
    const int n = z->dense.n;
    z->optimizer = spec->optimizer;
    z->max_grad_norm = spec->max_grad_norm;
    if (spec->optimizer == OPTIMIZER_ADAM) {
        adam_init(&z->adam, z->dense.kernel, n, &spec->net->adam, mem);
        adam_init(&z->adam_sigma, z->dense.kernel, z->shape.noisy ? n : 1, &spec->net->adam, mem);
        return;
    }
    rmsprop_init(&z->rms, n, &spec->rmsprop, mem);
    rmsprop_init(&z->rms_sigma, z->shape.noisy ? n : 1, &spec->rmsprop, mem);
    for (int l = 0; l < z->shape.encoder.n_convs; l++) {
        rmsprop_init(&z->rms_conv[l], z->encoder.conv[l].net.n, &spec->rmsprop, mem);
    }
}

void qnet_init(struct qnet *ret_net, const struct qnet_spec *spec, struct arena *mem,
               struct rng *rng)
{
    struct qnet *z = ret_net;
    const struct qnet_shape *s = &spec->shape;
    const int rows = spec->net->rows;
    memset(z, 0, sizeof *z);
    z->shape = *s;
    encoder_init(&z->encoder, &s->encoder, spec->net, mem, rng);
    mlp_init(&z->dense, &s->dense, spec->net->kernel, rows, mem, rng);
    if (s->noisy) {
        noisy_init(&z->noise, &z->dense, spec->sigma_0, mem);
    }
    init_steps(z, spec, mem);
    z->q = floats(mem, rows, outputs(s));
    z->dq = floats(mem, rows, outputs(s));
    z->draw = floats(mem, rows, s->dense.width[s->dense.n_layers]);
    z->dfeatures = floats(mem, rows, s->encoder.n_features);
}

void qnet_draw(struct qnet *z, struct rng *rng)
{
    if (z->shape.noisy) {
        noisy_draw(&z->noise, rng);
    }
}

const float *qnet_forward(struct qnet *z, const float *obs, int n)
{
    const struct qnet_shape *s = &z->shape;
    const float *raw = mlp_forward(&z->dense, encoder_forward(&z->encoder, obs, n), n);
    if (!s->dueling) {
        return raw;
    }
    for (int i = 0; i < n; i++) {
        dueling_combine(s->choices, s->atoms, raw + (size_t)i * (size_t)(outputs(s) + s->atoms),
                        z->q + (size_t)i * (size_t)outputs(s));
    }
    return z->q;
}

float *qnet_dq(struct qnet *z)
{
    return z->dq;
}

/* dL/d(what the dense layers gave) */
static const float *through_duel(struct qnet *z, int n)
{
    const struct qnet_shape *s = &z->shape;
    for (int i = 0; s->dueling && i < n; i++) {
        dueling_backward(s->choices, s->atoms, z->dq + (size_t)i * (size_t)outputs(s),
                         z->draw + (size_t)i * (size_t)(outputs(s) + s->atoms));
    }
    return s->dueling ? z->draw : z->dq;
}

struct block {
    float *g;
    int n;
};

/* The gradient, block by block of weights; returns how many. */
static int gradient_of(struct qnet *z, struct block *ret_blocks)
{
    int n = 0;
    ret_blocks[n++] = (struct block){z->dense.g, z->dense.n};
    if (z->shape.noisy) {
        ret_blocks[n++] = (struct block){z->noise.dsigma, z->dense.n};
    }
    for (int l = 0; l < z->shape.encoder.n_convs; l++) {
        ret_blocks[n++] = (struct block){z->encoder.conv[l].net.g, z->encoder.conv[l].net.n};
    }
    return n;
}

/* g <- g min(1, max_grad_norm / |g|) for the whole of it */
static void shorten(struct qnet *z)
{
    struct block b[2 + CONVS_MAX];
    const int n = gradient_of(z, b);
    double norm2 = 0.0;
    for (int i = 0; i < n && z->max_grad_norm > 0.0f; i++) {
        norm2 += gradient_norm2(b[i].g, b[i].n);
    }
    const double shrink = gradient_shrink(norm2, (double)z->max_grad_norm);
    for (int i = 0; i < n && shrink < 1.0; i++) {
        for (int k = 0; k < b[i].n; k++) {
            b[i].g[k] *= (float)shrink;
        }
    }
}

static void step_adam(struct qnet *z)
{
    for (int l = 0; l < z->shape.encoder.n_convs; l++) {
        mlp_step(&z->encoder.conv[l].net, &z->encoder.conv[l].opt);
    }
    if (!z->shape.noisy) {
        mlp_step(&z->dense, &z->adam);
        return;
    }
    adam_step(&z->adam, z->dense.g, z->noise.mu);
    adam_step(&z->adam_sigma, z->noise.dsigma, z->noise.sigma);
}

static void step_rmsprop(struct qnet *z)
{
    for (int l = 0; l < z->shape.encoder.n_convs; l++) {
        struct mlp *m = &z->encoder.conv[l].net;
        rmsprop_step(&z->rms_conv[l], m->g, m->w);
    }
    encoder_changed(&z->encoder);
    if (!z->shape.noisy) {
        rmsprop_step(&z->rms, z->dense.g, z->dense.w);
        mlp_changed(&z->dense);
        return;
    }
    rmsprop_step(&z->rms, z->dense.g, z->noise.mu);
    rmsprop_step(&z->rms_sigma, z->noise.dsigma, z->noise.sigma);
}

void qnet_step(struct qnet *z, int n)
{
    const float *draw = through_duel(z, n);
    mlp_backward(&z->dense, draw, n);
    if (z->shape.encoder.n_convs > 0) {
        const struct input_part all = {.n = n, .columns = z->shape.encoder.n_features};
        mlp_backward_input(&z->dense, draw, &all, z->dfeatures);
        encoder_backward(&z->encoder, z->dfeatures, n);
    }
    if (z->shape.noisy) {
        noisy_backward(&z->noise);
    }
    shorten(z);
    if (z->optimizer == OPTIMIZER_ADAM) {
        step_adam(z);
    } else {
        step_rmsprop(z);
    }
}

void qnet_blend(const struct qnet *z, float tau, struct qnet *target)
{
    encoder_blend(&z->encoder, tau, &target->encoder);
    if (!z->shape.noisy) {
        mlp_blend(&z->dense, tau, &target->dense);
        return;
    }
    for (int i = 0; i < z->dense.n; i++) {
        target->noise.mu[i] += tau * (z->noise.mu[i] - target->noise.mu[i]);
        target->noise.sigma[i] += tau * (z->noise.sigma[i] - target->noise.sigma[i]);
    }
}

void qnet_copy(const struct qnet *z, struct qnet *ret_copy)
{
    encoder_copy(&z->encoder, &ret_copy->encoder);
    mlp_copy(&z->dense, &ret_copy->dense);
    if (z->shape.noisy) {
        const size_t bytes = (size_t)z->dense.n * sizeof(float);
        memcpy(ret_copy->noise.mu, z->noise.mu, bytes);
        memcpy(ret_copy->noise.sigma, z->noise.sigma, bytes);
    }
}

int qnet_save(const struct qnet *z, float *ret_w, int n_max)
{
    const int n_conv = encoder_weights(&z->shape.encoder), n = z->dense.n;
    if (n_conv + (z->shape.noisy ? 2 : 1) * n > n_max) {
        return -ENOSPC;
    }
    float *to = ret_w + encoder_save(&z->encoder, ret_w);
    const float *w = z->shape.noisy ? z->noise.mu : z->dense.w;
    memcpy(to, w, (size_t)n * sizeof *to);
    if (z->shape.noisy) {
        memcpy(to + n, z->noise.sigma, (size_t)n * sizeof *to);
    }
    return n_conv + (z->shape.noisy ? 2 : 1) * n;
}

/* --- in the tick --- */

int qnet_pack(const struct qnet_shape *s, const float *w, int n, float *ret_packed, int n_max)
{
    const int n_conv = encoder_weights(&s->encoder), dense = mlp_weights(&s->dense);
    if (n != n_conv + (s->noisy ? 2 : 1) * dense) {
        return -EPROTO;
    }
    const int at = encoder_pack(&s->encoder, w, ret_packed, n_max);
    if (at < 0) {
        return at;
    }
    w += n_conv;
    const int more = s->noisy ? noisy_pack(&s->dense, w, w + dense, ret_packed + at, n_max - at)
                              : mlp_pack(&s->dense, w, dense, ret_packed + at, n_max - at);
    return more < 0 ? more : at + more;
}

int qnet_scratch(const struct qnet_shape *s)
{
    return encoder_scratch(&s->encoder) + s->dense.width[s->dense.n_layers] + outputs(s);
}

const float *qnet_row(const struct qnet_shape *s, const float *packed, const float *obs,
                      struct rng *rng, float *scratch)
{
    const float *x = encoder_row(&s->encoder, &packed, obs, scratch);
    float *raw = scratch + encoder_scratch(&s->encoder);
    float *q = raw + s->dense.width[s->dense.n_layers];
    if (s->noisy) {
        noisy_row(&s->dense, packed, x, rng, raw);
    } else {
        mlp_row(&s->dense, packed, x, raw);
    }
    if (!s->dueling) {
        return raw;
    }
    dueling_combine(s->choices, s->atoms, raw, q);
    return q;
}
