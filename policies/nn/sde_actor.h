/*
 * How a tanh-Gaussian policy acts that may explore by generalised state-dependent noise: the
 * entries of struct policy for an algorithm whose settings begin as struct sde_net does. Its
 * weights are the network's, then log sigma [A,H] of the noise where that is used.
 */
#pragma once

#include "policies/nn/gauss.h"
#include "policies/nn/settings.h"

struct sde_net {
    struct net_settings net;
    struct sde_settings sde;
};

/* What pi needs to act: n, or -ENOSPC. */
int sde_actor_save(const struct gauss *pi, float *ret_w, int n_max);
uint32_t sde_actor_net(const void *config, const struct dims *d);
int sde_actor_pack(const void *config, const struct dims *d, const float *w, int n,
                   float *ret_packed, int n_max);
size_t sde_actor_bytes(const void *config, const struct dims *d);
void sde_actor_init(const void *config, const struct dims *d, void *ret_actor);
void sde_actor_reset(void *actor, struct rng *rng) BASAL_RT;
/* a = tanh(mu + sigma eps), tanh(mu + W z), or tanh(mu) */
void sde_actor_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;
