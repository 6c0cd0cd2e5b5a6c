/*
 * Inside of deep Q-learning: dqn.c (the updates), dqn_act.c (the network as it acts).
 */
#pragma once

#include "policies/greedy.h"
#include "policies/nn/categorical.h"
#include "policies/nn/qnet.h"

#define ATOMS_MAX 256

enum distributional { DISTRIBUTIONAL_NONE, DISTRIBUTIONAL_C51, DISTRIBUTIONAL_QR };

enum dqn_loss { LOSS_HUBER, LOSS_MSE };

struct dqn_config {
    double learning_rate, tau, v_min, v_max, sigma_0, rmsprop_alpha, rmsprop_eps;
    double adam_eps, max_grad_norm;
    int target_update_interval, distributional, n_atoms, n_quantiles, loss, optimizer;
    bool double_q, dueling, noisy;
    struct epsilon_settings epsilon;
    struct encoder_settings encoder;
    int n_hidden, hidden[LAYERS_MAX - 1];
};

/* The network of these settings: 0, or -EINVAL and one sentence. */
int dqn_shape(const struct dqn_config *c, const struct dims *d, struct qnet_shape *ret_shape,
              char *ret_why, int cap);

/* Q of each choice out of one row of the network's [choices,atoms]. */
void dqn_values(int kind, const struct support *z, int choices, const float *out, float *ret_value);

/* The entries of struct policy that act. */
uint32_t dqn_net(const void *config, const struct dims *d);
int dqn_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
             int n_max);
size_t dqn_actor_bytes(const void *config, const struct dims *d);
void dqn_actor_init(const void *config, const struct dims *d, void *ret_actor);
void dqn_reset(void *actor, struct rng *rng) BASAL_RT;
void dqn_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp) BASAL_RT;
