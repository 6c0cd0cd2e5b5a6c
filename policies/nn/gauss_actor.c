#include "policies/nn/gauss_actor.h"

#include "policies/nn/gauss.h"

/* Flat, without pointers. */
struct gauss_actor {
    struct mlp_shape shape;
    int n_act;
};

static void shape_of(const void *config, const struct dims *d, struct mlp_shape *ret_shape)
{
    const struct net_settings *c = config;
    net_actor_shape(c, d, 2 * d->n_act, ret_shape);
}

uint32_t gauss_actor_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    return mlp_shape_id(&shape);
}

int gauss_actor_pack(const void *config, const struct dims *d, const float *w, int n,
                     float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    return mlp_pack(&shape, w, n, ret_packed, n_max);
}

size_t gauss_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct gauss_actor);
}

void gauss_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    struct gauss_actor *a = ret_actor;
    *a = (struct gauss_actor){.n_act = d->n_act};
    shape_of(config, d, &a->shape);
}

void gauss_actor_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

void gauss_actor_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    const struct gauss_actor *a = actor;
    float out[2 * ACT_MAX];
    mlp_row(&a->shape, in->packed, in->obs, out);
    gauss_act(out, a->n_act, in->explore, in->rng, ret_act, ret_logp);
}
