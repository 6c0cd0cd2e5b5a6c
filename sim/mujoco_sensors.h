/*
 * What a MuJoCo world senses beside its joints: arrays of mjData under MuJoCo's own names, whole or
 * of one named joint, body or site, and the sensors of the model itself.
 */
#pragma once

#include "sim/sense.h"

#include "daemon/base/arena.h"

#include <mujoco/mujoco.h>

enum mujoco_source {
    MUJOCO_QPOS,
    MUJOCO_QVEL,
    MUJOCO_QFRC_ACTUATOR,
    MUJOCO_QFRC_CONSTRAINT,
    MUJOCO_CINERT,
    MUJOCO_CVEL,
    MUJOCO_CFRC_EXT,
    MUJOCO_COM,
    MUJOCO_XPOS,
    MUJOCO_SITE_XPOS,
    MUJOCO_SENSORDATA,
    MUJOCO_TIP_FROM_GOAL, /* vector from the goal's place to the tip's */
    MUJOCO_GOAL_DISTANCE, /* its length */
};

struct mujoco_sensor {
    enum mujoco_source source;
    int at, n;  /* numbers of the source's array */
    int offset; /* in sensed.extra; -1: the robot file does not list it */
};

/* A body or a site: where it is. */
struct mujoco_point {
    enum mujoco_source source; /* MUJOCO_XPOS or MUJOCO_SITE_XPOS */
    int at, body;              /* body: of the site, or itself */
};

struct mujoco_sensors {
    int n;
    struct mujoco_sensor *sensor; /* [n] those that the robot file lists */
    int unstable_at;              /* sensed.extra that says so; -1: nobody asks */
    bool wrenches;                /* some need mj_rnePostConstraint */
    struct mujoco_point tip, goal;
};

/* Names of a body or a site; "": the world has none. */
struct mujoco_ends {
    const char *tip, *goal;
};

/* Names against the robot file: 0, or -EINVAL and one sentence. */
int mujoco_sensors_open(struct mujoco_sensors *ret_sensors, const mjModel *m,
                        const struct robot *robot, struct mujoco_ends ends, struct arena *mem,
                        char *ret_why, int cap) BASAL_MUST_USE;

/* Where the tip is, [3]. */
const mjtNum *mujoco_sensors_tip(const struct mujoco_sensors *z, const mjData *d);

/* As the engine left them after its last step: into ret_extra [EXTRA_MAX]. */
void mujoco_sensors_read(const struct mujoco_sensors *z, const mjData *d, double *ret_extra);
