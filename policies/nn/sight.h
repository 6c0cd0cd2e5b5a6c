/*
 * An actor behind an encoder: the entries of struct policy for an algorithm whose actor sees
 * features in place of pictures. Its weights are the encoder's, then the actor's own. Without a
 * picture it is that actor.
 */
#pragma once

#include "policies/nn/encoder.h"

/* Who acts on features: as in struct policy, for dims whose observation is the features. */
struct sighted {
    uint32_t (*net)(const void *config, const struct dims *d);
    int (*pack)(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
                int n_max);
    size_t (*bytes)(const void *config, const struct dims *d);
    void (*init)(const void *config, const struct dims *d, void *ret_actor);
    void (*reset)(void *actor, struct rng *rng) BASAL_RT;
    void (*act)(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;
    size_t encoder; /* offset of the encoder_settings in config */
};

struct sent_weights {
    const float *v;
    int n;
};

/* The encoder's shape, and d as the networks behind it see it. 0, or -EINVAL and one sentence. */
int sight_dims(const struct sighted *p, const void *config, const struct dims *d,
               struct encoder_shape *ret_shape, struct dims *ret_behind, char *ret_why,
               int cap) BASAL_MUST_USE;

uint32_t sight_net(const struct sighted *p, const void *config, const struct dims *d);
int sight_pack(const struct sighted *p, const void *config, const struct dims *d,
               const struct sent_weights *w, float *ret_packed, int n_max);
size_t sight_bytes(const struct sighted *p, const void *config, const struct dims *d);
void sight_init(const struct sighted *p, const void *config, const struct dims *d, void *ret_actor);
void sight_reset(const struct sighted *p, void *actor, struct rng *rng) BASAL_RT;
void sight_act(const struct sighted *p, void *actor, const struct act_in *in, float *ret_act,
               float *ret_logp) BASAL_RT;
