/* A Q-function of choices: a network that reads a state and values all of them at once. */
#pragma once

#include "policies/nn/critic.h"

struct choice_critic {
    struct mlp net; /* -> Q(s, .) [n_choices] */
    struct adam opt;
    int n_choices;
    float *dq; /* [rows,n_choices] */
};

void choice_critic_init(struct choice_critic *ret_critic, const struct net_spec *spec,
                        int n_choices, struct arena *mem, struct rng *rng);

/* s [n,n_obs] -> Q [n,n_choices], valid until the next forward. */
const float *choice_critic_forward(struct choice_critic *q, const float *s, int n);

/*
 * Fit Q(s,a) to the targets by one Adam step on the mean of w 1/2 (Q(s,a) - y)^2, a [n] being the
 * choices that were made; what was not chosen has no part in it.
 *
 * Returns the loss before the step. When it is not finite nothing is changed. Mnih et al. 2015,
 * loss L_i.
 */
float choice_critic_fit(struct choice_critic *q, const float *s, const float *a,
                        const struct critic_target *t, int n);
