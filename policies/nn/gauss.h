/*
 * A Gaussian squashed by tanh: the network gives mu and log sigma, u = mu + sigma eps, a = tanh u.
 *
 *   log pi(a|s) = sum_k [ -eps_k^2/2 - log sigma_k - 1/2 log 2 pi - 2 (log 2 - u_k - softplus(-2
 * u_k)) ]
 *
 * in action units of -1..1. Haarnoja et al. 2018, appendix C; log sigma is clamped to [-20, 2],
 * gradient 0 outside.
 */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/mlp.h"
#include "policies/nn/sde.h"

#define LOG_STD_MIN (-20.0f)
#define LOG_STD_MAX 2.0f

struct gauss {
    struct mlp net; /* -> mu [n_act], log sigma [n_act] */
    struct adam opt;
    struct sde *sde; /* says sigma, net says mu alone; NULL: net says both */
    int n_act;
    float *eps, *u;       /* [rows,n_act]: of the last forward, with ... */
    float *log_std, *std; /* ... log sigma as clamped, and sigma */
    float *dy;            /* [rows,2 n_act] */
};

void gauss_init(struct gauss *ret_gauss, const struct net_spec *spec, struct arena *mem,
                struct rng *rng);
/* The same with sigma by generalised state-dependent exploration. */
void gauss_init_sde(struct gauss *ret_gauss, const struct net_spec *spec, double log_std_init,
                    struct arena *mem, struct rng *rng);

/* n standard normals into ret_z, which has room for n + 1: they come in pairs. */
void gauss_draw(const struct kernel *k, struct rng *rng, int n, float *ret_z);

/* Draw eps, keep it; ret_a [n,n_act], ret_logp [n]. */
void gauss_forward(struct gauss *p, const float *s, int n, struct rng *rng, float *ret_a,
                   float *ret_logp);

/* The same where no gauss_fit follows: a target's actions. */
void gauss_sample(struct gauss *p, const float *s, int n, struct rng *rng, float *ret_a,
                  float *ret_logp);

/*
 * One Adam step down the gradient of a loss whose derivatives by the last forward's a and log pi
 * are da [n,n_act] and dlogp [n] (reparameterised: eps is fixed).
 *
 *   dL/dmu = dlogp 2 tanh u + da (1 - tanh^2 u);  dL/dlog sigma = dlogp (2 tanh u sigma eps - 1) +
 * da (1 - tanh^2 u) sigma eps
 */
void gauss_fit(struct gauss *p, const float *a, const float *da, const float *dlogp, int n);

/*
 * The same for a network that is the caller's: its outputs out [n,2 n_act] -> actions and log pi;
 * and after that dL/d(out) [n,2 n_act], valid until the next call.
 */
void squash_init(struct gauss *ret_gauss, const struct net_spec *spec, struct arena *mem);
void squash_forward(struct gauss *p, const float *out, int n, struct rng *rng, float *ret_a,
                    float *ret_logp);
const float *squash_backward(struct gauss *p, const float *out, const float *a, const float *da,
                             const float *dlogp, int n);

/* log pi of one action tanh u, u = mu + sigma eps. */
float squash_log_pi(float u, float eps, float log_std) BASAL_RT;

/* The tick's path: mu and log sigma [2 n_act] -> one action and its log pi; deterministic: tanh mu,
 * log pi NaN. */
void gauss_act(const float *out, int n_act, bool explore, struct rng *rng, float *ret_a,
               float *ret_logp) BASAL_RT;
