/*
 * The rows of a replay by priority: follows its head, so that every closed row that may be a start
 * is there with the largest priority so far until it was learnt from, and leaves before the writer
 * comes. Belongs to the learner. The priorities: priority.h.
 */
#pragma once

#include "policies/priority.h"
#include "policies/replay.h"

struct prioritized_spec {
    int kind; /* enum priority_kind, not uniform */
    int batch;
    double alpha, eps;
};

struct prioritized *prioritized_init(const struct replay *r, const struct prioritized_spec *spec,
                                     struct arena *mem);

/* beta of the weights of what is drawn next, 0..1. */
void prioritized_beta(struct prioritized *p, double beta);

/*
 * Follow the head, then draw n rows: ret_row [n], ret_w [n] their weights. Returns the head that it
 * followed, before which all of them are closed, or -1: there is no row yet.
 */
int64_t prioritized_draw(struct prioritized *p, struct rng *rng, int n, int64_t *ret_row,
                         float *ret_w);

/* td [n] = |TD error| of the rows drawn last. */
void prioritized_learnt(struct prioritized *p, const float *td, int n);

#define PRIORITIZED_TENSORS 6

/* What a checkpoint must hold; returns how many, at most PRIORITIZED_TENSORS. */
int prioritized_tensors(struct prioritized *p, struct tensor *ret_tensors, int n_max);
/* After these were written from a checkpoint, and the replay is as it will go on. Of a replay that
 * was lost meanwhile, or of priorities that are damaged, nothing is believed: all rows are new. */
void prioritized_restored(struct prioritized *p);
