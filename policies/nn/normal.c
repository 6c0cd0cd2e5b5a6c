#include "policies/nn/normal.h"

#include "policies/nn/gauss.h"

#include <math.h>

#define HALF_LOG_2PI ((float)0.91893853320467274)

void normal_init(struct normal *ret_normal, const struct net_spec *spec,
                 const struct normal_shape *shape, float log_std_init, struct arena *mem,
                 struct rng *rng)
{
    struct normal *p = ret_normal;
    struct mlp_shape s;
    const int k = shape->n_act, n = spec->rows * k;
    *p = (struct normal){.shape = *shape};
    net_shape(spec, spec->n_obs, 2 * k, &s);
    mlp_init(&p->net, &s, spec->kernel, spec->rows, mem, rng);
    adam_init(&p->opt, p->net.kernel, p->net.n, &spec->adam, mem);
    p->mu = arena_floats(mem, n);
    p->std = arena_floats(mem, n);
    p->eta = arena_floats(mem, n + 1); /* normals come in pairs */
    p->dm = arena_floats(mem, n);
    p->dl = arena_floats(mem, n);
    p->dy = arena_floats(mem, 2 * n);
    const float at =
        (log_std_init - shape->log_std_min) / (shape->log_std_max - shape->log_std_min);
    for (int j = 0; j < k; j++) { /* the last biases are the last weights; logit at / 2 = atanh */
        p->net.w[p->net.n - k + j] = 0.5f * logf(at / (1.0f - at));
    }
    mlp_changed(&p->net);
}

static float log_std_of(const struct normal_shape *c, float tanh_l)
{
    return c->log_std_min + 0.5f * (c->log_std_max - c->log_std_min) * (tanh_l + 1.0f);
}

void normal_forward(struct normal *p, const float *s, int n)
{
    const int k = p->shape.n_act;
    const struct kernel *kernel = p->net.kernel;
    const float *out = mlp_forward(&p->net, s, n);
    const float half = 0.5f * (p->shape.log_std_max - p->shape.log_std_min);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < k; j++) {
            p->mu[i * k + j] = out[i * 2 * k + j];
            p->dl[i * k + j] = out[i * 2 * k + k + j];
        }
    }
    if (p->shape.squash) {
        kernel->tanh(n * k, p->mu, p->mu);
    }
    kernel->tanh(n * k, p->dl, p->dl);
    for (int i = 0; i < n * k; i++) {
        p->std[i] = log_std_of(&p->shape, p->dl[i]);
        p->dl[i] = half * (1.0f - p->dl[i] * p->dl[i]);
        p->dm[i] = p->shape.squash ? 1.0f - p->mu[i] * p->mu[i] : 1.0f;
    }
    kernel->exp(n * k, p->std, p->std);
}

void normal_draw(struct normal *p, int n, struct rng *rng, float *ret_a)
{
    gauss_draw(p->net.kernel, rng, n * p->shape.n_act, p->eta);
    normal_act(p, n, ret_a);
}

void normal_infer(struct normal *p, const float *a, int n)
{
    for (int i = 0; i < n * p->shape.n_act; i++) {
        p->eta[i] = (a[i] - p->mu[i]) / p->std[i];
    }
}

void normal_act(const struct normal *p, int n, float *ret_a)
{
    for (int i = 0; i < n * p->shape.n_act; i++) {
        ret_a[i] = p->mu[i] + p->std[i] * p->eta[i];
    }
}

void normal_logp(const struct normal *p, int n, float *ret_logp)
{
    const int k = p->shape.n_act;
    for (int i = 0; i < n; i++) {
        ret_logp[i] = 0.0f;
        for (int j = i * k; j < (i + 1) * k; j++) {
            ret_logp[i] -= 0.5f * p->eta[j] * p->eta[j] + logf(p->std[j]) + HALF_LOG_2PI;
        }
    }
}

/* dL/d(outputs) [m,2 n_act] of the rows that are named, or of the first m. */
static void backward_outputs(const struct normal *p, const float *da, const int *rows, int m,
                             float *ret_dy)
{
    const int k = p->shape.n_act;
    for (int i = 0; i < m; i++) {
        const int row = rows != NULL ? rows[i] : i;
        for (int j = 0; j < k; j++) {
            const int at = row * k + j;
            ret_dy[i * 2 * k + j] = da[i * k + j] * p->dm[at];
            ret_dy[i * 2 * k + k + j] = da[i * k + j] * p->std[at] * p->eta[at] * p->dl[at];
        }
    }
}

void normal_backward_state(struct normal *p, const float *da, const int *rows, int m, float *ret_ds)
{
    const struct input_part state = {.rows = rows, .n = m, .columns = p->net.shape.width[0]};
    backward_outputs(p, da, rows, m, p->dy);
    mlp_backward_input(&p->net, p->dy, &state, ret_ds);
}

void normal_fit(struct normal *p, const float *da, int n)
{
    backward_outputs(p, da, NULL, n, p->dy);
    mlp_backward(&p->net, p->dy, n);
    mlp_step(&p->net, &p->opt);
}

void normal_row(const struct normal_shape *shape, const float *out, bool explore, struct rng *rng,
                float *ret_a, float *ret_logp)
{
    const int k = shape->n_act;
    *ret_logp = explore ? 0.0f : NAN;
    for (int j = 0; j < k; j++) {
        ret_a[j] = shape->squash ? tanhf(out[j]) : out[j];
        if (explore) {
            const float log_std = log_std_of(shape, tanhf(out[k + j]));
            const float eta = (float)rng_normal(rng);
            ret_a[j] += expf(log_std) * eta;
            *ret_logp -= 0.5f * eta * eta + log_std + HALF_LOG_2PI;
        }
    }
}
