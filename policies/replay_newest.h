/*
 * On-policy batches: the rows that one version of the weights acted, in order, each once. Rows of
 * other versions, of who is no policy and, where it is wanted, without a log-probability are
 * dropped and counted. Belongs to the learner.
 */
#pragma once

#include "policies/replay.h"

struct newest;

/* sampler: with seg_len = batch, its lines get the rows. logp: rows without are of no use. */
struct newest *newest_init(const struct replay *r, struct sampler *sampler, int batch, bool logp,
                           struct arena *mem);

/*
 * Look at the rows that have come. True as soon as a whole batch of them was acted by this version:
 * it is in ret_batch, one segment of seg_len = n rows, episodes back to back and `last` where the
 * next line is no successor. The same rows never come again.
 */
bool newest_take(struct newest *z, uint32_t version, struct batch *ret_batch);

/* Since this version came to be, a batch's worth of rows, and more than may be on their way, was
 * acted by others and not one by it: it may not have arrived. */
bool newest_is_unheard(const struct newest *z, uint32_t version);

int64_t newest_dropped(const struct newest *z);

#define NEWEST_TENSORS 2

/* What a checkpoint must hold; returns how many, at most NEWEST_TENSORS. */
int newest_tensors(struct newest *z, struct tensor *ret_tensors, int n_max);
/* After these were written from a checkpoint: of a replay that was lost meanwhile no row is there.
 */
void newest_restored(struct newest *z);
