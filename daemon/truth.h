/*
 * What the simulated body really does, as a file: one JSON object a line. The simulator only pushes
 * into a ring; a thread of ordinary priority writes, so that a slow disk never delays a servo's
 * reply.
 */
#pragma once

#include "daemon/base/err.h"
#include "daemon/base/types.h"

struct truth;

/* Starts the writer's thread. Errors: -errno and one sentence. */
int truth_open(struct truth **ret_truth, const char *path, char *ret_why, int cap) BASAL_MUST_USE;

/* Never waits; what finds the ring full is dropped. t_ns: simulated time. */
void truth_push(struct truth *z, int64_t t_ns, const struct sensed *s);

/* Writes what is left. NULL is fine. */
void truth_close(struct truth *z);
