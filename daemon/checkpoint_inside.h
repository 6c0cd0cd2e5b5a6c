/*
 * Inside of checkpoints: checkpoint.c (folders, saving), checkpoint_load.c (reading one).
 */
#pragma once

#include "daemon/checkpoint.h"
#include "proto/checkpoint.pb-c.h"

#define CHECKPOINT_SCHEMA  1
#define CHECKPOINT_LEARNER "learner.safetensors"
#define CHECKPOINT_STATE   "state.pb"
#define CHECKPOINT_LAST    "last"

/* The whole of dir/name, to be freed. Errors: -errno, -EFBIG; no sentence. */
int checkpoint_read(int dir, const char *name, uint8_t **ret_bytes, size_t *ret_n) BASAL_MUST_USE;
