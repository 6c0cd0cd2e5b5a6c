/*
 * A normal policy that is not squashed: the network gives the mean and, between two bounds, the
 * logarithm of the deviation; a = mu(s) + sigma(s) eta. Given an action that was taken, eta is what
 * makes it so: the policy then says again what it did, with derivatives.
 *
 *   log sigma = lo + (hi - lo)/2 (tanh l + 1),  mu = m or tanh m,  for the outputs m and l
 */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/mlp.h"

struct normal_shape {
    int n_act;
    bool squash; /* the mean goes through tanh; what is added to it does not */
    float log_std_min, log_std_max;
};

struct normal {
    struct mlp net; /* -> m [n_act], l [n_act] */
    struct adam opt;
    struct normal_shape shape;
    float *mu, *std, *eta; /* [rows,n_act]: of the last forward and what followed it */
    float *dm, *dl;        /* [rows,n_act]: dmu/dm, and dlog sigma/dl */
    float *dy;             /* [rows,2 n_act] */
};

/* log_std_init: of the deviation at first, as near as random weights let it; within the bounds. */
void normal_init(struct normal *ret_normal, const struct net_spec *spec,
                 const struct normal_shape *shape, float log_std_init, struct arena *mem,
                 struct rng *rng);

/* mu and sigma of n states. */
void normal_forward(struct normal *p, const float *s, int n);
/* Then: eta as drawn, and a [n,n_act]; or eta as it must have been, from a. */
void normal_draw(struct normal *p, int n, struct rng *rng, float *ret_a);
void normal_infer(struct normal *p, const float *a, int n);
/* What the policy does with that eta, [n,n_act]; log pi of it, [n]. */
void normal_act(const struct normal *p, int n, float *ret_a);
void normal_logp(const struct normal *p, int n, float *ret_logp);

/* ds [m,n_obs] = da pi_s, for da [m,n_act] of those m rows of the last forward that are named. */
void normal_backward_state(struct normal *p, const float *da, const int *rows, int m,
                           float *ret_ds);
/* One Adam step down the gradient of a loss whose derivative by a [n,n_act] is da: eta is fixed.
 *
 *   dL/dm = da dmu/dm,  dL/dl = da sigma eta dlog sigma/dl */
void normal_fit(struct normal *p, const float *da, int n);

/* The tick's path: the network's outputs [2 n_act] -> one action and its log pi; or the mean, and
 * NaN. */
void normal_row(const struct normal_shape *shape, const float *out, bool explore, struct rng *rng,
                float *ret_a, float *ret_logp) BASAL_RT;
