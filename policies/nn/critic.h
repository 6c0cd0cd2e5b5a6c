/* A Q-function Q(s,a): a network over the joined state and action, its optimiser, and the two ways
 * to use it. */
#pragma once

#include "policies/nn/adam.h"
#include "policies/nn/mlp.h"

struct critic {
    struct mlp net;
    struct adam opt;
    int n_obs, n_act;
    float *dq; /* [rows] */
};

void critic_init(struct critic *ret_critic, const struct net_spec *spec, struct arena *mem,
                 struct rng *rng);

/* s [n,n_obs], a [n,n_act] -> Q [n], valid until the next forward: join the input, then value it.
 */
const float *critic_forward(struct critic *q, const float *s, const float *a, int n);
void critic_join(struct critic *q, const float *s, const float *a, int n);
const float *critic_value(struct critic *q, int n);
/* Other actions beside the states that were joined last. */
void critic_join_actions(struct critic *q, const float *a, int n);

/* What a fit wants: targets y [n], importance weights w [n], and where |Q - y| goes (ret_td [n],
 * NULL: nowhere). */
struct critic_target {
    const float *y, *w;
    float *ret_td;
};

/*
 * Fit Q to the targets y by one Adam step on the mean of w 1/2 (Q(s,a) - y)^2.
 *
 * Returns the loss before the step. When it is not finite nothing is changed. Mnih et al. 2015,
 * loss L_i; Haarnoja et al. 2018, J_Q.
 */
float critic_fit(struct critic *q, const float *s, const float *a, const struct critic_target *t,
                 int n);
/* Its two halves, for an input that was joined: the loss and its derivatives; the step down. */
float critic_loss(struct critic *q, const struct critic_target *t, int n);
void critic_step(struct critic *q, int n);
/* Between them: ret_ds [n,n_obs] = dL/ds. */
void critic_backward_state(struct critic *q, int n, float *ret_ds);

/*
 * After a forward: dq [n] -> ret_da [n,n_act] = dQ/da dq, for the rows [n] of it that are named, or
 * for all of them in order (rows NULL). The critic's weights and gradients are untouched.
 */
void critic_backward_action(struct critic *q, const float *dq, const int *rows, int n,
                            float *ret_da);
