#include "policies/nn/mu_actor.h"

#include <math.h>
#include <string.h>

const char *const noise_names[] = {"normal", "ornstein_uhlenbeck", NULL};

/* Flat, without pointers. */
struct mu_actor {
    struct mlp_shape shape;
    int n_act, noise;
    float std, theta, dt;
    float x[ACT_MAX]; /* of the Ornstein-Uhlenbeck process */
};

static void shape_of(const void *config, const struct dims *d, struct mlp_shape *ret_shape)
{
    const struct mu_net *c = config;
    net_actor_shape(&c->net, d, d->n_act, ret_shape);
}

uint32_t mu_actor_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    return mlp_shape_id(&shape);
}

int mu_actor_pack(const void *config, const struct dims *d, const float *w, int n,
                  float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    return mlp_pack(&shape, w, n, ret_packed, n_max);
}

size_t mu_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct mu_actor);
}

void mu_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct noise_settings *noise = &((const struct mu_net *)config)->noise;
    struct mu_actor *a = ret_actor;
    *a = (struct mu_actor){.n_act = d->n_act,
                           .noise = noise->action_noise,
                           .theta = (float)noise->theta,
                           .dt = (float)noise->dt,
                           .std = (float)noise->std};
    shape_of(config, d, &a->shape);
}

void mu_actor_reset(void *actor, struct rng *rng)
{
    (void)rng;
    struct mu_actor *a = actor;
    memset(a->x, 0, sizeof a->x);
}

void mu_actor_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    struct mu_actor *a = actor;
    const float spread = sqrtf(a->dt);
    mlp_row(&a->shape, in->packed, in->obs, ret_act);
    for (int k = 0; k < a->n_act; k++) {
        ret_act[k] = tanhf(ret_act[k]);
        if (in->explore) {
            const float draw = a->std * (float)rng_normal(in->rng);
            a->x[k] =
                a->noise != NOISE_OU ? draw : a->x[k] - a->theta * a->dt * a->x[k] + spread * draw;
            ret_act[k] += a->x[k];
        }
    }
    *ret_logp = NAN;
}
