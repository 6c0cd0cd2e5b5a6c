/*
 * Least-squares temporal differences of Q: the weights at which the expected TD error times each
 * feature is 0, for a policy that is fixed meanwhile.
 *
 *   A = sum phi(s,a) (phi(s,a) - gamma (1 - d) phi(s',pi(s')))',  b = sum phi(s,a) r,  A w = b
 *
 * Lagoudakis and Parr 2003, "Least-squares policy iteration", section 5.3. phi(s,a) are the
 * features of s at the place of choice a, 0 elsewhere.
 */
#pragma once

#include "policies/features.h"

#define LSTDQ_MAX 1024 /* weights: A is 8 MB, solving takes their cube */

struct lstdq {
    int n;         /* weights */
    double *a, *b; /* [n,n] by columns, [n] */
    int *pivot;    /* [n] */
};

void lstdq_init(struct lstdq *ret_lstdq, int n, struct arena *mem);

/* Features at a place: those of a choice begin at `from`. */
struct phi {
    const struct active *active;
    int from;
};

/* A transition with weight w; discount is gamma (1 - d). */
void lstdq_add(struct lstdq *z, struct phi at, struct phi next, double r, double discount,
               double w);

/*
 * Solve (A + ridge I) w = b and begin anew; ret_change gets the largest change of a weight.
 *
 * Returns 0, or -EDOM: A has no inverse, w [n] is as it was.
 * RT: no.
 */
int lstdq_solve(struct lstdq *z, double ridge, double *w, double *ret_change);
