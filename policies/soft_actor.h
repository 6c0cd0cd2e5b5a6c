/*
 * The actor of soft actor-critic, as SAC and those after it share it: a tanh-Gaussian that climbs
 * the value of its own actions and their entropy. An algorithm adds its critics, and so says whose
 * value that is.
 *
 *   J(phi) = E[ alpha log pi(a|s) - Q(s, a) ],  a = f_phi(s, eps)
 *
 * Haarnoja et al. 2018, arXiv:1812.05905, equations 7 to 10.
 */
#pragma once

#include "policies/nn/gauss.h"
#include "policies/policy.h"

/* What is said of an update, beside soft_stats. */
enum soft_stat {
    SOFT_CRITIC_LOSS,
    SOFT_ACTOR_LOSS,
    SOFT_ENT_COEF,
    SOFT_ENT_COEF_LOSS,
    SOFT_ENTROPY,
    SOFT_SKIPPED
};

extern const char *const soft_stats[]; /* NULL at the end */

struct soft_actor {
    struct gauss gauss;
    struct rng *rng;   /* the learner's */
    float *a, *logp;   /* [B,A] [B] of the last sample or forward */
    float entropy;     /* -E[ log pi ] of the last forward */
    float *da, *dlogp; /* [B,A] [B] dJ/da, dJ/d(log pi) */
};

/* sde: where its sigma may be a function of the state; NULL: nowhere. */
void soft_actor_init(struct soft_actor *ret_actor, const struct net_spec *spec,
                     const struct sde_settings *sde, struct arena *mem, struct rng *rng);

/* a ~ pi(.|s), log pi(a|s): for a target. s [n,n_obs] */
void soft_actor_sample(struct soft_actor *z, const float *s, int n);
/* The same before soft_actor_fit. */
void soft_actor_forward(struct soft_actor *z, const float *s, int n);

/* J(phi) of the last forward, for the values q [n] of its actions. */
float soft_actor_loss(const struct soft_actor *z, float alpha, const float *q, int n);
/* phi <- phi - lr grad J(phi), one step of Adam. da is the caller's: -1/n dQ/da. */
void soft_actor_fit(struct soft_actor *z, float alpha, int n);
