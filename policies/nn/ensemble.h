/*
 * Several Q-functions of the same state and action: the least of a few is believed by targets, the
 * mean of all by the actor. Chen et al. 2021, arXiv:2101.05982, Algorithm 1.
 */
#pragma once

#include "policies/nn/critic.h"

#define ENSEMBLE_MAX 32

struct ensemble {
    int n;
    struct critic *q; /* [n] */
    float *value;     /* [rows] of the last ensemble_least or ensemble_mean */
    float *dq, *da;   /* [rows] [rows,n_act] */
    struct rng *rng;  /* draws dropout before each pass; NULL: there is none */
};

/* rng draws the weights now, and dropout where spec has some. */
void ensemble_init(struct ensemble *ret_ensemble, int n, const struct net_spec *spec,
                   struct arena *mem, struct rng *rng);

/* min over those m critics that `which` names: [n], valid until the next call. */
const float *ensemble_least(struct ensemble *e, const int *which, int m, const float *s,
                            const float *a, int n);
/* The mean over all: [n], valid until the next call. */
const float *ensemble_mean(struct ensemble *e, const float *s, const float *a, int n);
/* After ensemble_mean: ret_da [n,n_act] = dq d/da of the mean. */
void ensemble_backward_action(struct ensemble *e, float dq, int n, float *ret_da);

/* Fit all to the targets, as critic_fit does. Returns the sum of their losses before the step; when
 * it is not finite none is changed. ret_td is the first one's. */
float ensemble_fit(struct ensemble *e, const float *s, const float *a,
                   const struct critic_target *y, int n);

/* m of n, each subset alike: Fisher and Yates. ret_which [m]. */
void ensemble_draw(int n, int m, struct rng *rng, int *ret_which);

void ensemble_blend(const struct ensemble *e, float tau, struct ensemble *target);
void ensemble_copy(const struct ensemble *e, struct ensemble *ret_copy);
