/*
 * Two threads that do one job in two halves: the caller the first, its helper the second. The
 * helper spins for a moment after each half, so that jobs in quick succession find it awake, and
 * sleeps in between.
 */
#pragma once

#include "daemon/base/thread.h"

struct team;

/* spec: of the helper's thread, whose floating-point environment (denormals) is that of the caller.
 * Errors: -errno and one sentence; what was missed of spec is in ret_why too. */
int team_start(struct team **ret_team, const struct thread_spec *spec, char *ret_why,
               int cap) BASAL_MUST_USE;
/* NULL is fine. */
void team_stop(struct team *t);

/* work(arg, 0) here and work(arg, 1) there; returns when both are done. Without a team (NULL) both
 * here, in that order. */
void team_run(struct team *t, void (*work)(void *arg, int half), void *arg);
