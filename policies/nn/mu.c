#include "policies/nn/mu.h"

#include <math.h>
#include <string.h>

const char *const noise_names[] = {"normal", "ornstein_uhlenbeck", NULL};

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

void mu_actor_init(struct mu_actor *ret_actor, const struct mlp_shape *shape,
                   const struct noise_settings *noise)
{
    *ret_actor = (struct mu_actor){.shape = *shape,
                                   .n_act = shape->width[shape->n_layers],
                                   .noise = noise->action_noise,
                                   .theta = (float)noise->theta,
                                   .dt = (float)noise->dt,
                                   .std = (float)noise->std};
}

void mu_reset(struct mu_actor *a)
{
    memset(a->x, 0, sizeof a->x);
}

void mu_act(struct mu_actor *a, const float *packed, const float *obs, bool explore,
            struct rng *rng, float *ret_act)
{
    const float spread = sqrtf(a->dt);
    mlp_row(&a->shape, packed, obs, ret_act);
    for (int k = 0; k < a->n_act; k++) {
        ret_act[k] = tanhf(ret_act[k]);
        if (explore) {
            const float draw = a->std * (float)rng_normal(rng);
            a->x[k] =
                a->noise != NOISE_OU ? draw : a->x[k] - a->theta * a->dt * a->x[k] + spread * draw;
            ret_act[k] += a->x[k];
        }
    }
}
