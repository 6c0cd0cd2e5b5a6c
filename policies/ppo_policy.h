/*
 * What PPO's actor draws from, given the outputs of its network: for continuous actions normals of
 * mean mu(s) and one deviation per action that no state changes, without squashing; for choices a
 * softmax over those that are legal. Densities, entropies and their gradients.
 */
#pragma once

#include "daemon/base/rng.h"
#include "daemon/base/types.h"

struct ppo_policy {
    int n_act;     /* [n_act] actions; 1 with choices */
    int n_choices; /* 0: continuous */
};

/* Outputs of the network. */
int ppo_policy_outputs(const struct ppo_policy *p);

/* Rows of a batch, and what a loss says of them. */
struct ppo_rows {
    int n;
    const float *out;      /* [n,outputs] of the network */
    const float *log_std;  /* [n_act], continuous */
    const float *a;        /* [n,n_act] taken */
    const uint64_t *legal; /* [n], or NULL: every choice */
};

/* log pi(a|s) and the entropy of pi(.|s), [n] each. */
void ppo_policy_density(const struct ppo_policy *p, const struct ppo_rows *b, float *ret_logp,
                        float *ret_entropy);

/*
 * dL/dlog pi [n] and dL/dentropy [n] -> dL/d(outputs) [n,outputs], and into d_log_std [n_act],
 * which is added to.
 *
 *   normal:  dlog pi/dmu = z / sigma,  dlog pi/dlog sigma = z^2 - 1,  z = (a - mu) / sigma;
 *            dH/dlog sigma = 1
 *   softmax: dlog pi(a)/dl_j = [j = a] - p_j,  dH/dl_j = -p_j (log p_j + H)
 */
void ppo_policy_backward(const struct ppo_policy *p, const struct ppo_rows *b, const float *dlogp,
                         const float *dentropy, float *ret_dout, float *d_log_std);

/* One row: an action and its log pi; or, where nobody explores, the likeliest one and NaN. */
void ppo_policy_draw(const struct ppo_policy *p, const float *out, const float *log_std,
                     uint64_t legal, struct rng *rng, float *ret_a, float *ret_logp) BASAL_RT;
void ppo_policy_best(const struct ppo_policy *p, const float *out, uint64_t legal, struct rng *rng,
                     float *ret_a, float *ret_logp) BASAL_RT;
