/*
 * Inside of the loop: loop.c (the tick), loop_fsm.c (what happened -> events), loop_period.c
 * (periods and episodes).
 */
#pragma once

#include "daemon/loop.h"

/* Everything that happened since the last tick, as events, into the state machine; answers
 * requests. */
void loop_fsm(struct loop *l, int64_t now_ns, int64_t late_ns) BASAL_RT;

/* The policy is due, or the driving ends or begins at this very tick. */
bool loop_period_ends(const struct loop *l) BASAL_RT;
/* Close the open period, store it, begin the next one if someone drives. */
void loop_period(struct loop *l, int64_t now_ns) BASAL_RT;

/* A person should know: into the ring. */
void loop_tell(struct loop *l, const struct happened *what) BASAL_RT;
