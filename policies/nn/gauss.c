#include "policies/nn/gauss.h"

#include <math.h>

#define HALF_LOG_2PI ((float)0.91893853320467274)
#define LOG_2        ((float)0.69314718055994531)

void gauss_init(struct gauss *ret_gauss, const struct net_spec *spec, struct arena *mem,
                struct rng *rng)
{
    struct gauss *p = ret_gauss;
    struct mlp_shape shape;
    *p = (struct gauss){.n_act = spec->n_act};
    mlp_shape(&shape, spec->n_obs, spec->hidden, spec->n_hidden, 2 * spec->n_act);
    mlp_init(&p->net, &shape, spec->rows, mem, rng);
    adam_init(&p->opt, p->net.n, spec->lr, mem);
    const size_t bytes = (size_t)spec->rows * (size_t)spec->n_act * sizeof(float);
    p->eps = arena_take(mem, bytes);
    p->u = arena_take(mem, bytes);
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
 * never overflows */
static float log_density(float u, float eps, float log_std)
{
    return -0.5f * eps * eps - log_std - HALF_LOG_2PI - 2.0f * (LOG_2 - u - softplus(-2.0f * u));
}

void gauss_forward(struct gauss *p, const float *s, int n, struct rng *rng, float *ret_a,
                   float *ret_logp)
{
    const int k = p->n_act;
    const float *out = mlp_forward(&p->net, s, n);
    for (int i = 0; i < n; i++) {
        ret_logp[i] = 0.0f;
        for (int j = 0; j < k; j++) {
            const int at = i * k + j;
            const float mu = out[i * 2 * k + j], log_std = clamp_log_std(out[i * 2 * k + k + j]);
            p->eps[at] = (float)rng_normal(rng);
            p->u[at] = mu + expf(log_std) * p->eps[at];
            ret_a[at] = tanhf(p->u[at]);
            ret_logp[i] += log_density(p->u[at], p->eps[at], log_std);
        }
    }
}

void gauss_fit(struct gauss *p, const float *a, const float *da, const float *dlogp, int n)
{
    const int k = p->n_act;
    const float *out = p->net.x[p->net.shape.n_layers];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < k; j++) {
            const int at = i * k + j;
            const float raw = out[i * 2 * k + k + j], log_std = clamp_log_std(raw);
            const float spread = expf(log_std) * p->eps[at];
            const float through = da[at] * (1.0f - a[at] * a[at]);
            const float du = dlogp[i] * 2.0f * a[at] + through;
            p->dy[i * 2 * k + j] = du;
            p->dy[i * 2 * k + k + j] = raw == log_std ? du * spread - dlogp[i] : 0.0f;
        }
    }
    mlp_zero_grad(&p->net);
    mlp_backward(&p->net, p->dy, n, NULL);
    adam_step(&p->opt, p->net.g, p->net.w);
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
            logp += log_density(u, eps, log_std);
        }
        ret_a[j] = tanhf(u);
    }
    *ret_logp = logp;
}
