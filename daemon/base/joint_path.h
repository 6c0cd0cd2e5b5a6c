/*
 * All joints together along a straight line in joint space, from rest to rest, a step a tick: as
 * fast as no joint's speed and acceleration forbid. Flat: a checkpoint holds it.
 */
#pragma once

#include "daemon/base/robot.h"
#include "daemon/base/rt.h"

struct joint_path {
    double from[JOINTS_MAX], to[JOINTS_MAX];
    double v, a;  /* of s: 1/s, 1/s^2 */
    double s, sd; /* along it: 0 to 1; 1/s */
};

/* joints: those that move, a bit each. Of each of them from, to (rad), v (rad/s), a (rad/s^2), of
 * which infinity limits nothing. dt_s: of a step. */
void joint_path_begin(struct joint_path *ret_path, uint64_t joints, const double *from,
                      const double *to, const double *v, const double *a, double dt_s) BASAL_RT;

/* A step on; whether it has ended. */
bool joint_path_step(struct joint_path *p, double dt_s) BASAL_RT;

/* Goal, rad, and its speed, rad/s, of one of those joints. */
double joint_path_q(const struct joint_path *p, int j) BASAL_RT;
double joint_path_qd(const struct joint_path *p, int j) BASAL_RT;
