#include "policies/nn/gauss.h"

#include <math.h>

#define HALF_LOG_2PI ((float)0.91893853320467274)
#define LOG_2        ((float)0.69314718055994531)
#define DRAWS        64 /* pairs at a time */

void gauss_init(struct gauss *ret_gauss, const struct net_spec *spec, struct arena *mem,
                struct rng *rng)
{
    struct gauss *p = ret_gauss;
    struct mlp_shape shape;
    squash_init(p, spec, mem);
    net_shape(spec, spec->n_obs, 2 * spec->n_act, &shape);
    mlp_init(&p->net, &shape, spec->kernel, spec->rows, mem, rng);
    adam_init(&p->opt, p->net.kernel, p->net.n, &spec->adam, mem);
}

void gauss_init_sde(struct gauss *ret_gauss, const struct net_spec *spec, double log_std_init,
                    struct arena *mem, struct rng *rng)
{
    struct gauss *p = ret_gauss;
    struct mlp_shape shape;
    squash_init(p, spec, mem);
    net_shape(spec, spec->n_obs, spec->n_act, &shape);
    mlp_init(&p->net, &shape, spec->kernel, spec->rows, mem, rng);
    adam_init(&p->opt, p->net.kernel, p->net.n, &spec->adam, mem);
    p->sde = arena_take(mem, sizeof *p->sde);
    sde_init(p->sde, spec, shape.width[shape.n_layers - 1], log_std_init, p->net.kernel, mem);
}

void squash_init(struct gauss *p, const struct net_spec *spec, struct arena *mem)
{
    *p = (struct gauss){.n_act = spec->n_act};
    p->net.kernel = spec->kernel != NULL ? spec->kernel : kernel_best();
    const size_t bytes = (size_t)spec->rows * (size_t)spec->n_act * sizeof(float);
    p->eps = arena_take(mem, bytes + sizeof(float)); /* normals come in pairs */
    p->u = arena_take(mem, bytes);
    p->log_std = arena_take(mem, bytes);
    p->std = arena_take(mem, bytes);
    p->dy = arena_take(mem, 2 * bytes);
}

static float clamp_log_std(float l)
{
    return l < LOG_STD_MIN ? LOG_STD_MIN : l > LOG_STD_MAX ? LOG_STD_MAX : l;
}

static float softplus(float x)
{
    return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
}

/* log pi of one dimension: log N(u; mu, sigma) - log(1 - tanh^2 u), the latter in the form that
 * never overflows; softplus of -2 u */
static float log_density(float u, float eps, float log_std, float softplus_2u)
{
    return -0.5f * eps * eps - log_std - HALF_LOG_2PI - 2.0f * (LOG_2 - u - softplus_2u);
}

void gauss_draw(const struct kernel *k, struct rng *rng, int n, float *ret_z)
{
    float u[DRAWS], v[DRAWS];
    for (int i = 0; i < n; i += 2 * DRAWS) {
        const int pairs = (n - i + 1) / 2 < DRAWS ? (n - i + 1) / 2 : DRAWS;
        for (int j = 0; j < pairs; j++) {
            const uint64_t x = rng_u64(rng);
            u[j] = (float)((x >> 40) + 1) * 0x1p-24f; /* (0,1]: log is finite */
            v[j] = (float)(x & 0xffffff) * 0x1p-24f;
        }
        k->normal(pairs, u, v, ret_z + i);
    }
}

/* From what the network gave for n states. */
static void from_output(struct gauss *p, const float *out, int n, struct rng *rng, float *ret_a,
                        float *ret_logp)
{
    if (p->sde != NULL) {
        out = sde_forward(p->sde, p->net.x[p->net.shape.n_layers - 1], out, n);
    }
    squash_forward(p, out, n, rng, ret_a, ret_logp);
}

void gauss_forward(struct gauss *p, const float *s, int n, struct rng *rng, float *ret_a,
                   float *ret_logp)
{
    from_output(p, mlp_forward(&p->net, s, n), n, rng, ret_a, ret_logp);
}

void gauss_sample(struct gauss *p, const float *s, int n, struct rng *rng, float *ret_a,
                  float *ret_logp)
{
    from_output(p, mlp_value(&p->net, s, n), n, rng, ret_a, ret_logp);
}

void squash_forward(struct gauss *p, const float *out, int n, struct rng *rng, float *ret_a,
                    float *ret_logp)
{
    const int k = p->n_act;
    const struct kernel *kernel = p->net.kernel;
    gauss_draw(kernel, rng, n * k, p->eps);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < k; j++) {
            p->u[i * k + j] = out[i * 2 * k + j];
            p->log_std[i * k + j] = clamp_log_std(out[i * 2 * k + k + j]);
        }
    }
    kernel->exp(n * k, p->log_std, p->std);
    float *restrict u = p->u, *restrict minus_2u = p->dy;
    for (int i = 0; i < n * k; i++) {
        u[i] += p->std[i] * p->eps[i];
        minus_2u[i] = -2.0f * u[i];
    }
    kernel->tanh(n * k, u, ret_a);
    kernel->softplus(n * k, minus_2u, minus_2u);
    for (int i = 0, at = 0; i < n; i++) {
        float sum = 0.0f;
        for (int j = 0; j < k; j++, at++) {
            sum += log_density(u[at], p->eps[at], p->log_std[at], minus_2u[at]);
        }
        ret_logp[i] = sum;
    }
}

const float *squash_backward(struct gauss *p, const float *out, const float *a, const float *da,
                             const float *dlogp, int n)
{
    const int k = p->n_act;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < k; j++) {
            const int at = i * k + j;
            const float spread = p->std[at] * p->eps[at];
            const float through = da[at] * (1.0f - a[at] * a[at]);
            const float du = dlogp[i] * 2.0f * a[at] + through;
            const bool free = out[i * 2 * k + k + j] == p->log_std[at];
            p->dy[i * 2 * k + j] = du;
            p->dy[i * 2 * k + k + j] = free ? du * spread - dlogp[i] : 0.0f;
        }
    }
    return p->dy;
}

void gauss_fit(struct gauss *p, const float *a, const float *da, const float *dlogp, int n)
{
    const int last = p->net.shape.n_layers;
    const float *out = p->sde != NULL ? p->sde->out : p->net.x[last].v;
    const float *dout = squash_backward(p, out, a, da, dlogp, n);
    if (p->sde != NULL) {
        dout = sde_fit(p->sde, p->net.x[last - 1], dout, n);
    }
    mlp_backward(&p->net, dout, n);
    mlp_step(&p->net, &p->opt);
}

float squash_log_pi(float u, float eps, float log_std)
{
    return log_density(u, eps, clamp_log_std(log_std), softplus(-2.0f * u));
}

void gauss_act(const float *out, int n_act, bool explore, struct rng *rng, float *ret_a,
               float *ret_logp)
{
    float logp = explore ? 0.0f : NAN;
    for (int j = 0; j < n_act; j++) {
        float u = out[j];
        if (explore) {
            const float log_std = clamp_log_std(out[n_act + j]);
            const float eps = (float)rng_normal(rng);
            u += expf(log_std) * eps;
            logp += log_density(u, eps, log_std, softplus(-2.0f * u));
        }
        ret_a[j] = tanhf(u);
    }
    *ret_logp = logp;
}
