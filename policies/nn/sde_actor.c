#include "policies/nn/sde_actor.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Flat, without pointers. */
struct sde_actor {
    struct mlp_shape shape;
    int n_act, n_packed;
    int n_latent;    /* 0: the network says mu and log sigma */
    int sample_freq; /* steps; at most 0: an episode */
    int left;        /* steps until eps is drawn anew; 0: before the next one that explores */
    float eps[];     /* [A,H] standard normals: W_kh = sigma_kh eps_kh */
};

static bool uses_sde(const void *config)
{
    const struct sde_net *c = config;
    return c->sde.use_sde;
}

static void shape_of(const void *config, const struct dims *d, struct mlp_shape *ret_shape)
{
    const struct sde_net *c = config;
    net_actor_shape(&c->net, d, uses_sde(config) ? d->n_act : 2 * d->n_act, ret_shape);
}

/* Numbers of log sigma. */
static int n_noise(const void *config, const struct dims *d, const struct mlp_shape *s)
{
    return uses_sde(config) ? d->n_act * s->width[s->n_layers - 1] : 0;
}

int sde_actor_save(const struct gauss *pi, float *ret_w, int n_max)
{
    const int n = pi->net.n, more = pi->sde != NULL ? pi->n_act * pi->sde->n_latent : 0;
    if (n_max < n + more) {
        return -ENOSPC;
    }
    memcpy(ret_w, pi->net.w, (size_t)n * sizeof(float));
    if (more > 0) {
        memcpy(ret_w + n, pi->sde->log_std, (size_t)more * sizeof(float));
    }
    return n + more;
}

uint32_t sde_actor_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    return mlp_shape_id(&shape) ^ (uses_sde(config) ? 0x5de5de5du : 0u);
}

int sde_actor_pack(const void *config, const struct dims *d, const float *w, int n,
                   float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    const int more = n_noise(config, d, &shape), at = mlp_packed(&shape);
    if (at + more > n_max) {
        return -EPROTO;
    }
    const int rc = mlp_pack(&shape, w, n - more, ret_packed, n_max);
    for (int i = 0; rc >= 0 && i < more; i++) {
        ret_packed[at + i] = expf(w[n - more + i]);
    }
    return rc < 0 ? rc : at + more;
}

size_t sde_actor_bytes(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    shape_of(config, d, &shape);
    return sizeof(struct sde_actor) + (size_t)n_noise(config, d, &shape) * sizeof(float);
}

void sde_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct sde_net *c = config;
    struct sde_actor *a = ret_actor;
    memset(a, 0, sde_actor_bytes(config, d));
    shape_of(config, d, &a->shape);
    a->n_act = d->n_act;
    a->n_packed = mlp_packed(&a->shape);
    a->n_latent = n_noise(config, d, &a->shape) / d->n_act;
    a->sample_freq = c->sde.sample_freq;
}

void sde_actor_reset(void *actor, struct rng *rng)
{
    (void)rng;
    struct sde_actor *a = actor;
    a->left = 0;
}

/* A new W, when it is time for one. */
static void draw_noise(struct sde_actor *a, struct rng *rng)
{
    if (a->left == 0) {
        for (int i = 0; i < a->n_act * a->n_latent; i++) {
            a->eps[i] = (float)rng_normal(rng);
        }
        a->left = a->sample_freq > 0 ? a->sample_freq : -1;
    }
    a->left -= a->left > 0;
}

/* mu and W z -> the action and its log pi, with the deviation that W z has over draws of W. */
static void act_smoothly(const struct sde_actor *a, const float *packed, const float *mu,
                         const float *z, float *ret_act, float *ret_logp)
{
    *ret_logp = 0.0f;
    for (int k = 0; k < a->n_act; k++) {
        const float *sigma = packed + a->n_packed + (ptrdiff_t)k * a->n_latent;
        const float *eps = a->eps + (ptrdiff_t)k * a->n_latent;
        float noise = 0.0f, variance = 0.0f;
        for (int h = 0; h < a->n_latent; h++) {
            const float spread = sigma[h] * z[h];
            noise += spread * eps[h];
            variance += spread * spread;
        }
        const float log_std = sde_log_std(variance), std = expf(log_std);
        *ret_logp += squash_log_pi(mu[k] + noise, noise / std, log_std);
        ret_act[k] = tanhf(mu[k] + noise);
    }
}

void sde_actor_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    struct sde_actor *a = actor;
    float out[2 * ACT_MAX], z[MLP_WIDTH_MAX];
    if (a->n_latent > 0 && in->explore) {
        mlp_row_hidden(&a->shape, in->packed, in->obs, out, z);
        draw_noise(a, in->rng);
        act_smoothly(a, in->packed, out, z, ret_act, ret_logp);
    } else {
        mlp_row(&a->shape, in->packed, in->obs, out);
        gauss_act(out, a->n_act, in->explore, in->rng, ret_act, ret_logp);
    }
}
