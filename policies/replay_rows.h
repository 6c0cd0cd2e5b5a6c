/*
 * From one row of the replay to one line of a batch: what the ways of choosing rows share
 * (replay_sample.c draws them, replay_newest.c and replay_sweep.c take them in order). The buffers
 * are the sampler's.
 */
#pragma once

#include "policies/replay_segment.h"

/*
 * Row into line i; rows before head are closed. False: it is no start (final, or the action after
 * it is wanted and not known), or it was overwritten while it was read.
 */
bool sampler_gather(struct sampler *s, int64_t row, int64_t head, int i);
/* Line i is padding. */
void sampler_pad(struct sampler *s, int i);
/* The line after i is no successor of it. */
void sampler_end_run(struct sampler *s, int i);
/* All lines as a batch, valid among them. */
void sampler_batch(const struct sampler *s, struct batch *ret_batch);
