/* A deterministic policy a = mu(s): a network whose outputs go through tanh. */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/mlp.h"

struct mu {
    struct mlp net;
    struct adam opt;
    int n_act;
    float *dy; /* [rows,n_act] */
};

void mu_init(struct mu *ret_mu, const struct net_spec *spec, struct arena *mem, struct rng *rng);

/* s [n,n_obs] -> ret_a [n,n_act] = mu(s) */
void mu_forward(struct mu *p, const float *s, int n, float *ret_a);
/* The same where no mu_fit follows: a target's actions. */
void mu_value(struct mu *p, const float *s, int n, float *ret_a);

/* One Adam step down the gradient of a loss whose derivative by the last forward's a [n,n_act] is
 * da [n,n_act]. Silver et al. 2014, "Deterministic policy gradient algorithms", equation 7. */
void mu_fit(struct mu *p, const float *a, const float *da, int n);
