/*
 * PPO's loss of one minibatch, given what the networks say of it. Schulman et al. 2017,
 * arXiv:1707.06347, equations 7 and 9:
 *
 *   L = mean[ -min(rho A, clip(rho, 1 - eps, 1 + eps) A) + c1 (V - R)^2 - c2 H ],
 *   rho = pi(a|s) / pi_old(a|s)
 */
#pragma once

#include "daemon/base/arena.h"
#include "policies/ppo_policy.h"

struct ppo_loss_settings {
    float clip_range;    /* eps */
    float clip_range_vf; /* V is held so near to V_old, where its gradient ends; 0: anywhere */
    float vf_coef;       /* c1 */
    float ent_coef;      /* c2 */
};

/* Rows of a batch in any order, and the derivatives of their loss; [rows] each. */
struct ppo_minibatch {
    int n;
    float *s, *a;    /* [rows,O] [rows,A] */
    uint64_t *legal; /* choices */
    float *logp_old; /* log pi_old(a|s) */
    float *adv;      /* A */
    float *target;   /* R */
    float *v_old;    /* V_old(s) */
    float *logp, *entropy;
    float *dlogp, *dentropy, *dv;
};

void ppo_minibatch_init(struct ppo_minibatch *ret_m, int rows, int n_obs, int n_act,
                        struct arena *mem);

/* A with mean 0 and deviation 1; one row alone stays as it is. */
void ppo_normalize_advantages(struct ppo_minibatch *m);

/* What is told of a loss; or, added up, of n of them. */
struct ppo_losses {
    int n;
    double loss, policy, value, entropy;
    double kl;      /* mean[ rho - 1 - log rho ], which is never negative (Schulman 2020, k3) */
    double clipped; /* share of rows beyond eps */
};

/* Sums, but for kl, which is the last one's. */
void ppo_losses_add(struct ppo_losses *sum, const struct ppo_losses *l);

/* out, log_std and v [n]: of the networks for m's rows. Fills logp, entropy, dlogp, dentropy, dv.
 */
struct ppo_losses ppo_loss(const struct ppo_loss_settings *c, const struct ppo_policy *p,
                           const float *out, const float *log_std, const float *v,
                           struct ppo_minibatch *m);
