/* What the filter's files share beside the struct. */
#pragma once

#include "daemon/safety.h"

void safety_bite(struct safety *z, int j, enum safety_rule rule) BASAL_RT;

/* Within velocity, then acceleration, then the speed from which each end can be kept: the later
 * outranks the earlier. */
double safety_limit_speed(const struct safety *z, int j, double v,
                          enum safety_rule *ret_rule) BASAL_RT;

/* One tick of the commanded trajectory; past an end of the range it can only come back. */
void safety_advance(struct safety *z, int j, double v) BASAL_RT;

/* --- safety_space_tick.c: space in the tick; each does nothing where the robot has none --- */

/* What a tick's trajectories start from. */
struct safety_before {
    double q[JOINTS_MAX], qd[JOINTS_MAX];
    uint64_t held;
    uint8_t mode[JOINTS_MAX];
};

/* The trajectories of one tick, joint by joint, become those that keep the space together. */
void safety_keep_space(struct safety *z, const struct sensed *s, const struct safety_before *b,
                       struct command *cmd) BASAL_RT;

/* Is the measured pose beyond a limit by more than space.trip_m? The joint furthest from the base
 * of those that could mend it; -1: no. */
int safety_outside_space(const struct safety *z, const struct sensed *s) BASAL_RT;

int safety_may_arm_here(const struct safety *z, const struct sensed *s, char *ret_why,
                        int cap) BASAL_MUST_USE;
int safety_explain_space(const struct safety *z, const struct sensed *s, char *ret_text, size_t n);
