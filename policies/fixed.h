/*
 * What policies that learn nothing share: a learner without an update, whose one weight is the
 * number of actions, so that weights of another robot are refused.
 */
#pragma once

#include "policies/policy.h"

void *fixed_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng);
void fixed_update(void *learner, const struct batch *b, struct stats *ret_stats);
/* One number, or -ENOSPC. */
int fixed_save(const void *learner, float *ret_w, int n_max);
/* It has none. */
int fixed_state(void *learner, struct tensor *ret_tensors, int n_max);
/* Errors: -EPROTO: weights of something else. */
int fixed_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
               int n_max);
