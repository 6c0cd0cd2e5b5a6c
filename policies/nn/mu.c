#include "policies/nn/mu.h"

void mu_init(struct mu *ret_mu, const struct net_spec *spec, struct arena *mem, struct rng *rng)
{
    struct mu *p = ret_mu;
    struct mlp_shape shape;
    *p = (struct mu){.n_act = spec->n_act};
    net_shape(spec, spec->n_obs, spec->n_act, &shape);
    mlp_init(&p->net, &shape, spec->kernel, spec->rows, mem, rng);
    adam_init(&p->opt, p->net.kernel, p->net.n, &spec->adam, mem);
    p->dy = arena_take(mem, (size_t)(spec->rows * p->n_act) * sizeof(float));
}

void mu_forward(struct mu *p, const float *s, int n, float *ret_a)
{
    p->net.kernel->tanh(n * p->n_act, mlp_forward(&p->net, s, n), ret_a);
}

void mu_value(struct mu *p, const float *s, int n, float *ret_a)
{
    p->net.kernel->tanh(n * p->n_act, mlp_value(&p->net, s, n), ret_a);
}

void mu_fit(struct mu *p, const float *a, const float *da, int n)
{
    for (int i = 0; i < n * p->n_act; i++) {
        p->dy[i] = da[i] * (1.0f - a[i] * a[i]);
    }
    mlp_backward(&p->net, p->dy, n);
    mlp_step(&p->net, &p->opt);
}
