/*
 * What simulated worlds have in common when they sense: perfect joints, and numbers that are no
 * joint, by the names under which the robot file lists them.
 */
#pragma once

#include "daemon/base/robot.h"
#include "daemon/base/rt.h"

/* A sensor that a world offers: n numbers in sensed.extra. */
struct world_sensor {
    const char *name;
    int n;
};

/* ret_joint: which joint of the robot has that name. -EINVAL and one sentence: none. */
int sense_joint(const char *world, const struct robot *robot, const char *name, int *ret_joint,
                char *ret_why, int cap) BASAL_MUST_USE;

/*
 * Where each of a world's sensors lies in sensed.extra: ret_offset [n_have], -1 where the robot
 * file does not list it. -EINVAL and one sentence: the file lists a sensor of the body that this
 * world has not, or one of another length.
 */
int sense_extras(const char *world, const struct robot *robot, const struct world_sensor *have,
                 int n_have, int *ret_offset, char *ret_why, int cap) BASAL_MUST_USE;

/* The robot's choices and picture are those of the world: n choices; h x w x c. -EINVAL and one
 * sentence. */
int sense_choices(const char *world, const struct robot *robot, int n, char *ret_why,
                  int cap) BASAL_MUST_USE;
int sense_picture(const char *world, const struct robot *robot, struct picture_spec has,
                  char *ret_why, int cap) BASAL_MUST_USE;

/* Everything but q, qd, tau and extra: n joints without noise, thermometer, supply or torque; every
 * choice is legal; no picture. */
void sense_begin(struct sensed *ret_sensed, int n_joints);

/* A sensor's numbers where sense_extras says that they lie; offset -1: nobody listens. */
void sense_put(struct sensed *ret_sensed, int offset, double x);
void sense_put_all(struct sensed *ret_sensed, int offset, const double *x, int n);
