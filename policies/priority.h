/*
 * Which rows to learn from: by their last |TD error|. Schaul et al. 2016, "Prioritized experience
 * replay", arXiv:1511.05952.
 *
 *   proportional  p_i = (|delta_i| + eps)^alpha,  a sum tree
 *   rank          p_i = 1 / rank(i)^alpha,        a heap, whose order is nearly the rank
 *
 * P(i) = p_i / sum p;  w_i = (N P(i))^-beta / max_j w_j, over the batch. Belongs to the learner;
 * items are slots 0..capacity-1, row modulo capacity.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum priority_kind { PRIORITY_UNIFORM, PRIORITY_PROPORTIONAL, PRIORITY_RANK };

struct priority_spec {
    int kind; /* enum priority_kind, not uniform */
    int capacity, batch;
    double alpha, eps;
};

struct priority;

struct priority *priority_init(const struct priority_spec *spec, struct arena *mem);
/* What that takes, nearly. */
size_t priority_bytes(int kind, int capacity);

/* An item that nobody has learnt from yet: the largest priority of all so far. */
void priority_add(struct priority *p, int item);
/* This item is never drawn: it ends an episode, or is about to be overwritten. */
void priority_remove(struct priority *p, int item);
bool priority_has(const struct priority *p, int item);
int priority_count(const struct priority *p);

/*
 * Draw n items with replacement, stratified: the i-th from the i-th n-th of the whole. ret_item
 * [n], ret_p [n] = P(item). Without any item nothing is drawn: false.
 */
bool priority_draw(struct priority *p, struct rng *rng, int n, int *ret_item, double *ret_p);

/* td [n] of those items. Items that were removed meanwhile stay so. */
void priority_update(struct priority *p, const int *item, const float *td, int n);

/* beta0 at step 0, from there in a straight line to 1 at step iters, and 1 ever after. */
double priority_beta(double beta0, int64_t iters, int64_t step);
/* w [n] from P [n]. beta = 1 corrects in full. */
void priority_weights(const double *prob, double beta, int n, float *ret_w);

/* rank: sort the heap, so that its order is the rank. Updates do so themselves, once a million. */
void priority_sort(struct priority *p);

/* The flat state for a checkpoint, and what to do when it was written anew. */
struct priority_view {
    float *value;    /* [capacity]: p_i of each item, 0: not there; rank: |TD| of each place */
    double *largest; /* [1] */
    int32_t *order;  /* [capacity]: rank: the item at each place; else NULL */
    int64_t *count;  /* [2]: items, updates since the last sort */
};

void priority_state(struct priority *p, struct priority_view *ret_view);
/* False: this is no state of priorities; then they are empty. */
bool priority_restored(struct priority *p);
/* Nothing is there any more; the largest priority stays. */
void priority_clear(struct priority *p);
