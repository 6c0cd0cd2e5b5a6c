/*
 * Two Q-functions of the same state and action, of which the smaller is believed: clipped double-Q.
 * Fujimoto et al. 2018, arXiv:1802.09477, equation 10. The input is joined once for both.
 */
#pragma once

#include "policies/nn/critic.h"

struct twin {
    struct critic q[2];
    struct team *team; /* one critic each; NULL: nobody helps. The results are the same bits */
    float *least;      /* [rows]: of the last twin_min, and in ... */
    int *smaller[2];   /* ... which rows [n_smaller] that was the one or the other */
    int n_smaller[2];
    float *dq, *da[2]; /* [rows] [rows,n_act] */
    float *ds[2];      /* [rows,n_obs]; NULL: nobody asks */
};

void twin_init(struct twin *ret_twin, const struct net_spec *spec, struct arena *mem,
               struct rng *rng);

/* From now on twin_fit also says dL/ds of both losses together, before its step. */
void twin_want_state(struct twin *t, int rows, struct arena *mem);
/* [n,n_obs] of the last twin_fit whose loss was finite. */
const float *twin_state(struct twin *t, int n);

/* s [n,n_obs], a [n,n_act] -> min_i Q_i(s,a) [n], valid until the next call. */
const float *twin_min(struct twin *t, const float *s, const float *a, int n);

/* The same for other actions in the states of the last twin_fit. */
const float *twin_min_there(struct twin *t, const float *a, int n);

/*
 * Fit both to the targets, as critic_fit does. Returns the sum of both losses before the step; when
 * it is not finite neither is changed. ret_td is the first one's.
 */
float twin_fit(struct twin *t, const float *s, const float *a, const struct critic_target *y,
               int n);

/* After twin_min: ret_da [n,n_act] = dq d/da min_i Q_i(s,a), each row through its smaller critic
 * only. */
void twin_backward_action(struct twin *t, float dq, int n, float *ret_da);

/* target_i <- tau q_i + (1 - tau) target_i */
void twin_blend(const struct twin *t, float tau, struct twin *target);
void twin_copy(const struct twin *t, struct twin *ret_copy);
