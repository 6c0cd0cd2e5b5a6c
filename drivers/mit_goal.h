/*
 * Between a joint's command and what an MIT-style motor is told: gear, sign, zero, gains by mode,
 * and the torque ceiling, which these motors have no register for.
 */
#pragma once

#include "drivers/can.h"
#include "drivers/mit.h"

/* Of position and velocity goals, at the joint. */
struct mit_gains {
    double kp_nm_rad, kd_nms_rad;
};

/*
 * What the motor is told. Position: the gains given; velocity: kd alone; effort: neither;
 * impedance: the command's gains. By the pose last heard, the torque that comes of it would be kp
 * (p - pose) + kd (v - speed) + t; if that is above tau_max, gains and torque shrink together until
 * it is tau_max. So a ceiling of 0 is a frame without torque, whatever the goal.
 *
 * Returns false, and a goal without torque at the pose last heard, for a joint that is off, is not
 * actuated, or has a command that is not finite.
 */
bool mit_goal_of(const struct robot_bus *b, int joint, const struct mit_gains *gains,
                 const struct command *cmd, struct mit_goal *ret_goal) BASAL_RT;
/* No gains, no torque, the pose last heard. */
struct mit_goal mit_goal_limp(const struct robot_bus *b, int joint) BASAL_RT;

/* A reply's numbers to the joint's, and to what goals need. */
void mit_sense(struct robot_bus *b, int joint, const struct mit_state *m,
               struct sensed *ret_sensed) BASAL_RT;
/* The same for set-up, which senses nothing. */
void mit_note(const struct robot_bus *b, int joint, const struct mit_state *m) BASAL_RT;

/* struct can_driver's ask: every goal is answered. */
int mit_ask(struct robot_bus *b, struct canfd_frame *ret_tx, int cap) BASAL_RT;
/* struct can_driver's load: a goal and its answer for each joint. */
void mit_load(const struct robot *r, int bus, struct can_load *ret_load);

/* For hear: can these ranges carry the joint's limits and gains? */
enum can_heard mit_range_fits(struct setup *s, int joint, const struct mit_range *range,
                              const struct mit_gains *gains) BASAL_RT;
