/*
 * Inside of the loop: loop.c (the tick), loop_causes.c (what went wrong), loop_fsm.c (what
 * happened -> events), loop_period.c (periods and episodes), loop_reset.c (what lies between
 * those).
 */
#pragma once

#include "daemon/loop.h"

/* Everything that happened since the last tick, as events, into the state machine; answers
 * requests. */
void loop_fsm(struct loop *l, int64_t now_ns, int64_t late_ns) BASAL_RT;

/* What went wrong in a tick, by event and response, and which cause led to each event. */
struct due {
    struct fsm_input in;
    uint8_t cause[EVENTS_N];
};

void loop_causes(struct loop *l, int64_t now_ns, int64_t late_ns, struct due *ret_due) BASAL_RT;
/* Why it holds, retreats or sinks, where no trip says it; "" else. */
void loop_explain_response(const struct loop *l, const struct due *d, enum fsm_state from,
                           int64_t late_ns, char ret_text[WHY_CHARS]) BASAL_RT;

/* Joints may be driven, or not be read back as off. */
bool loop_torque_may_be_on(const struct loop *l) BASAL_RT;
/* A joint whose voltage nobody has read yet counts as supplied, and so does a body without any. */
bool loop_has_power(const struct loop *l) BASAL_RT;
/* Power sense is what the robot has, and it has none. */
bool loop_lost_power(const struct loop *l) BASAL_RT;
void loop_explain_power(const struct loop *l, char ret_text[WHY_CHARS]) BASAL_RT;

/* The policy is due, or the driving ends or begins at this very tick. */
bool loop_period_ends(const struct loop *l) BASAL_RT;
/* Close the open period, store it, begin the next one if someone drives. */
void loop_period(struct loop *l, int64_t now_ns) BASAL_RT;

/* Back to where a reset by script begins: an episode has ended, or nobody drives. */
void loop_reset_forget(struct loop *l) BASAL_RT;
/* What there is to do before an episode may begin is done. */
bool loop_reset_done(const struct loop *l) BASAL_RT;
/* Goals of a tick in which no episode runs. */
void loop_reset(struct loop *l, struct command *cmd) BASAL_RT;

/* A person should know: into the ring. */
void loop_tell(struct loop *l, const struct happened *what) BASAL_RT;
