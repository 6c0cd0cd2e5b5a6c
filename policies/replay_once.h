/*
 * Each row of the replay once, in order, as soon as it is there and whoever drove: what a table
 * learns from, as the textbooks have it. Belongs to the learner.
 */
#pragma once

#include "policies/replay.h"

struct once;

struct once *once_init(const struct replay *r, struct sampler *sampler, int batch,
                       struct arena *mem);

/*
 * The next rows. False: they do not fill a batch yet. Where the action after a row is wanted, that
 * of an episode's last row never comes, unless it ends for good: it is left out.
 */
bool once_take(struct once *z, struct batch *ret_batch);

/* Rows that were overwritten before their turn. */
int64_t once_dropped(const struct once *z);

#define ONCE_TENSORS 1

/* What a checkpoint must hold; returns how many, at most ONCE_TENSORS. */
int once_tensors(struct once *z, struct tensor *ret_tensors, int n_max);
/* After these were written from a checkpoint: of a replay that was lost meanwhile no row is there.
 */
void once_restored(struct once *z);
