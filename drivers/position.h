/*
 * What drivers of position servos share: joint angles as counts of an encoder that has 4096 a turn
 * and reads 2048 in its middle, and the torque ceiling as a part of full drive.
 */
#pragma once

#include "drivers/driver.h"

#define POSITION_PER_TURN      4096
#define POSITION_MIDDLE        2048
#define POSITION_RAD_PER_COUNT (6.283185307179586 / POSITION_PER_TURN)

/* Joint angle at a count. */
double position_rad(const struct joint_spec *j, double counts) BASAL_RT;
/* The count of a joint angle; what is beyond one turn is its end. */
int32_t position_goal(const struct joint_spec *j, double q_rad) BASAL_RT;
/* The ends of a joint's range in counts, outwards; an end outside of one turn stays outside ... */
double position_range(const struct joint_spec *j, bool high) BASAL_RT;
/* ... or is the turn's. */
int32_t position_limit(const struct joint_spec *j, bool high) BASAL_RT;

/* Is this joint driven by this command, and to somewhere? */
bool position_commanded(const struct robot_bus *b, const struct command *cmd, int j) BASAL_RT;

/* What was last sent as a joint's ceiling. */
struct ceiling {
    uint16_t sent; /* units */
    int age;       /* goals since */
};

#define CEILING_NEVER_SENT 1000 /* age: send it with the next goals */

/* The commanded ceiling in units of which full drive has full. */
uint16_t ceiling_of(const struct joint_spec *j, const struct command *cmd, int joint,
                    int full) BASAL_RT;
/* Goals go out, with this ceiling if the joint is commanded: must it be sent? Nobody acknowledges
 * it, so it is sent when it changes and again after a while. */
bool ceiling_due(struct ceiling *c, bool commanded, uint16_t units) BASAL_RT;

/* value in units, rounded up, from least to most; NaN: least. */
uint32_t in_units(double value, double unit, uint32_t least, uint32_t most) BASAL_RT;
