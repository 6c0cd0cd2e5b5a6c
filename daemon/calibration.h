/*
 * Where this robot's joints are: zeros, signs and ranges found by hand, in a file beside the robot
 * file, with the devices that they were found on. It overrides the robot file's values; a checksum
 * over its text guards it against a slip of an editor and a damaged disk, not against intent.
 */
#pragma once

#include "daemon/base/err.h"
#include "daemon/base/robot.h"

#include <stddef.h>

#define DATE_CHARS            32
#define CALIBRATION_BYTES_MAX (1 << 16)

struct calibration_joint {
    char name[NAME_CHARS];
    int model, firmware; /* of its device; 0: not told */
    int64_t serial;
    int sign;
    double zero_rad;
    double q_min, q_max; /* rad; NaN: not measured, the robot file's hold */
};

struct calibration {
    int schema;
    char robot[NAME_CHARS], date[DATE_CHARS], checksum[16];
    int n;
    struct calibration_joint joint[JOINTS_MAX];
};

/* "deploy/so101.yaml" -> "deploy/so101.calibration.yaml". 0, or -ENAMETOOLONG. */
int calibration_path(const char *robot_path, char *ret_path, size_t cap);

/* Its text, checksum included. Returns the length, or -ENOSPC. */
int calibration_text(const struct calibration *c, char *ret_text, int cap);

/*
 * Read a text; name stands for the file in messages. 0, or -EINVAL and one sentence: not YAML, a
 * key that is none, or another checksum than its contents make.
 */
int calibration_read(struct calibration *ret_calibration, const char *text, size_t n,
                     const char *name, char *ret_why, int cap) BASAL_MUST_USE;

/* Into the robot, if it is `of`'s. 0, or -EINVAL and one sentence: another robot's, a joint that it
 * has not, or made on another model than the robot file wants. Nothing is changed then. */
int calibration_apply(const struct calibration *c, const char *of, struct robot *r,
                      const char *name, char *ret_why, int cap) BASAL_MUST_USE;

/* After everything else that may say where joints are: range_found of those of which the
 * calibration still says it, zero and sign included. */
void calibration_mark(const struct calibration *c, struct robot *r);

/*
 * Which way a joint went last: a stretch ends where it turns back by more than TURN_RAD, which is
 * more than a hand trembles. Begins with both at the first angle.
 */
struct stretch {
    double from, tip; /* rad */
};

#define TURN_RAD 0.05

void stretch_follow(struct stretch *s, double q);

/* The row of a joint, a new one where there is none: as the robot has it. NULL: no room. */
struct calibration_joint *calibration_joint(struct calibration *c, const struct joint_spec *j);

/* The joint stands at q by these settings, and that is to be its 0: what zero_rad becomes. */
double calibration_zero_rad(const struct joint_spec *j, double q);
