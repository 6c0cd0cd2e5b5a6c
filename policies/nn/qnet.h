/*
 * The network of deep Q-learning: an encoder for pictures, dense layers, and for each choice
 * `atoms` numbers: one value, a distribution's logits, or quantiles. Its layers may be noisy, its
 * end may duel (both streams share the hidden layers), its step may be Adam's or RMSProp's.
 */
#pragma once

#include "policies/nn/encoder.h"
#include "policies/nn/noisy.h"
#include "policies/nn/rmsprop.h"

enum optimizer { OPTIMIZER_ADAM, OPTIMIZER_RMSPROP };

struct qnet_shape {
    int choices, atoms;
    bool dueling, noisy;
    struct encoder_shape encoder;
    struct mlp_shape dense;
};

struct qnet_spec {
    struct qnet_shape shape;
    double sigma_0;
    int optimizer;       /* enum optimizer */
    float max_grad_norm; /* of all of the network; 0: any */
    struct rmsprop_options rmsprop;
    const struct net_spec *net; /* rows, kernel, Adam without a longest gradient of its own */
};

struct qnet {
    struct qnet_shape shape;
    struct encoder encoder;
    struct mlp dense;
    struct noisy noise; /* where shape.noisy */
    int optimizer;
    float max_grad_norm;
    struct adam adam, adam_sigma;
    struct rmsprop rms, rms_sigma, rms_conv[CONVS_MAX];
    float *q, *dq, *draw; /* [rows,choices,atoms]; what is before the duel */
    float *dfeatures;     /* [rows,n_features] */
};

/* s.dense is made here, from hidden layers and the rest of s. */
void qnet_shape(struct qnet_shape *s, const int *hidden, int n_hidden);

void qnet_init(struct qnet *ret_net, const struct qnet_spec *spec, struct arena *mem,
               struct rng *rng);

/* Noise for the passes to come; nothing where there is none. */
void qnet_draw(struct qnet *z, struct rng *rng);
/* obs [n,n_obs] -> [n,choices,atoms], valid until the next forward. */
const float *qnet_forward(struct qnet *z, const float *obs, int n);
/* Room for dL/d(that) [n,choices,atoms]; then one step down its gradient. */
float *qnet_dq(struct qnet *z);
void qnet_step(struct qnet *z, int n);

/* target <- tau z + (1 - tau) target; target <- z, bit for bit. The noise's mu and sigma too. */
void qnet_blend(const struct qnet *z, float tau, struct qnet *target);
void qnet_copy(const struct qnet *z, struct qnet *ret_copy);

/* --- as sent, and in the tick --- */

int qnet_save(const struct qnet *z, float *ret_w, int n_max);
int qnet_pack(const struct qnet_shape *s, const float *w, int n, float *ret_packed, int n_max);
int qnet_scratch(const struct qnet_shape *s);
/* One observation -> [choices,atoms], in scratch; rng: noise is drawn, NULL: it is not. */
const float *qnet_row(const struct qnet_shape *s, const float *packed, const float *obs,
                      struct rng *rng, float *scratch) BASAL_RT;
