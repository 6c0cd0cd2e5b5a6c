#include "policies/svg_inside.h"

#define LOG_STD_MAX 0.5f

struct normal_shape svg_policy(const struct svg_config *c, int n_act)
{
    return (struct normal_shape){n_act, c->squash_output, (float)c->log_std_min, LOG_STD_MAX};
}

struct svg_actor {
    struct mlp_shape shape;
    struct normal_shape policy;
};

static void actor_shape(const struct svg_config *c, const struct dims *d,
                        struct mlp_shape *ret_shape)
{
    net_actor_shape(&c->net, d, 2 * d->n_act, ret_shape);
}

uint32_t svg_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    actor_shape(config, d, &shape);
    return mlp_shape_id(&shape);
}

int svg_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
             int n_max)
{
    struct mlp_shape shape;
    actor_shape(config, d, &shape);
    return mlp_pack(&shape, w, n, ret_packed, n_max);
}

size_t svg_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct svg_actor);
}

void svg_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    struct svg_actor *a = ret_actor;
    *a = (struct svg_actor){.policy = svg_policy(config, d->n_act)};
    actor_shape(config, d, &a->shape);
}

void svg_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

void svg_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    const struct svg_actor *a = actor;
    float out[2 * ACT_MAX];
    mlp_row(&a->shape, in->packed, in->obs, out);
    normal_row(&a->policy, out, in->explore, in->rng, ret_act, ret_logp);
}
