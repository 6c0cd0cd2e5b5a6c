/*
 * What the policy did while lockstep judged it, as a file: one JSON object a line. The first names
 * what is in the others; then a line for each of the policy's periods, and one for where an episode
 * ended:
 *
 *   {"observation": ["in_range.x", ...], "unit": ["1", ...], "action": ["action.x", ...]}
 *   {"episode": 1, "step": 0, "observation": [...], "action": [...], "reward": -1.5}
 *   {"episode": 1, "step": 7, "observation": [...], "end": "terminal", "success": true}
 *
 * Observations are the task's numbers, before any normaliser; pictures are left out. An action is
 * what the policy asked for, in its own units. Never in a robot's tick: it writes where it is told.
 */
#pragma once

#include "daemon/loop.h"

struct evaltrace;

/* Begins the file, with its first line. Errors: -errno and one sentence. */
int evaltrace_open(struct evaltrace **ret_trace, const char *path, const struct loop *l,
                   char *ret_why, int cap) BASAL_MUST_USE;

/* After each tick of an evaluation, and once before the first of them. */
void evaltrace_tick(struct evaltrace *z, const struct loop *l);

/* The end of the file. NULL is fine. Errors: -errno and one sentence: not all of it was written. */
int evaltrace_close(struct evaltrace *z, char *ret_why, int cap) BASAL_MUST_USE;
