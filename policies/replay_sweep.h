/*
 * Passes over all rows that the replay holds, in order, in batches: what least squares learn from.
 * Belongs to the learner.
 */
#pragma once

#include "policies/replay.h"

struct sweep;

struct sweep *sweep_init(const struct replay *r, struct sampler *sampler, int batch,
                         struct arena *mem);

/* The next batch is the first one of a pass. */
bool sweep_begins(const struct sweep *z);

/*
 * The next batch of the pass; the first one of a new pass over what is held then. The last one has
 * sweep_end, and valid 0 after its rows. Rows that were overwritten since the pass began are left
 * out. False: there is no row to begin with.
 */
bool sweep_next(struct sweep *z, struct batch *ret_batch);

#define SWEEP_TENSORS 1

/* What a checkpoint must hold; returns how many, at most SWEEP_TENSORS. */
int sweep_tensors(struct sweep *z, struct tensor *ret_tensors, int n_max);
/* After these were written from a checkpoint: of a replay that was lost meanwhile nothing is left
 * of a pass. */
void sweep_restored(struct sweep *z);
