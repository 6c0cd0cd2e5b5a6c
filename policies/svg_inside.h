/* What the learner and the acting side of SVG share: settings, and the form of the policy. */
#pragma once

#include "policies/nn/normal.h"
#include "policies/nn/settings.h"

struct svg_config {
    double learning_rate, learning_rate_actor, tau, importance_max, log_std_init, log_std_min;
    int n_epochs;
    bool experience_replay, value_at_end, squash_output;
    char k[8];
    int n_model, model[LAYERS_MAX - 1]; /* none: net_arch */
    struct net_settings net;
};

/* The policy that these settings ask for. */
struct normal_shape svg_policy(const struct svg_config *c, int n_act);

uint32_t svg_net(const void *config, const struct dims *d);
int svg_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
             int n_max);
size_t svg_actor_bytes(const void *config, const struct dims *d);
void svg_actor_init(const void *config, const struct dims *d, void *ret_actor);
void svg_reset(void *actor, struct rng *rng) BASAL_RT;
void svg_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;
