/*
 * How a tanh-Gaussian policy acts: the entries of struct policy that are the same for every
 * algorithm whose settings begin with struct net_settings.
 */
#pragma once

#include "policies/nn/settings.h"

uint32_t gauss_actor_net(const void *config, const struct dims *d);
int gauss_actor_pack(const void *config, const struct dims *d, const float *w, int n,
                     float *ret_packed, int n_max);
size_t gauss_actor_bytes(const void *config, const struct dims *d);
void gauss_actor_init(const void *config, const struct dims *d, void *ret_actor);
void gauss_actor_reset(void *actor, struct rng *rng) BASAL_RT;
/* a = tanh(mu + sigma eps), or tanh(mu) */
void gauss_actor_act(void *actor, const struct act_in *in, float *ret_act,
                     float *ret_logp) BASAL_RT;
