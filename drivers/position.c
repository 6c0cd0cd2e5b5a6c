#include "drivers/position.h"

#include "drivers/joints.h"

#include <math.h>

#define REFRESH_GOALS 20

static int32_t within_turn(double counts)
{
    return counts < 0.0                     ? 0
           : counts > POSITION_PER_TURN - 1 ? POSITION_PER_TURN - 1
                                            : (int32_t)counts;
}

double position_rad(const struct joint_spec *j, double counts)
{
    return joint_from_device(j, (counts - POSITION_MIDDLE) * POSITION_RAD_PER_COUNT);
}

int32_t position_goal(const struct joint_spec *j, double q_rad)
{
    return within_turn(floor(joint_to_device(j, q_rad) / POSITION_RAD_PER_COUNT + 0.5) +
                       POSITION_MIDDLE);
}

double position_range(const struct joint_spec *j, bool high)
{
    double low_rad, high_rad;
    joint_range_to_device(j, &low_rad, &high_rad);
    const double counts = (high ? high_rad : low_rad) / POSITION_RAD_PER_COUNT + POSITION_MIDDLE;
    return high ? ceil(counts) : floor(counts);
}

int32_t position_limit(const struct joint_spec *j, bool high)
{
    return within_turn(position_range(j, high));
}

bool position_commanded(const struct robot_bus *b, const struct command *cmd, int j)
{
    return b->robot->joint[j].actuated && cmd->mode[j] != MODE_OFF && isfinite(cmd->q[j]) &&
           isfinite(cmd->tau_max[j]);
}

uint16_t ceiling_of(const struct joint_spec *j, const struct command *cmd, int joint, int full)
{
    const double frac = j->tau_stall > 0.0 ? cmd->tau_max[joint] / j->tau_stall : 0.0;
    const double units = floor((frac > 1.0 ? 1.0 : frac) * full + 0.5);
    return units > 0.0 ? (uint16_t)units : 0; /* NaN compares false */
}

bool ceiling_due(struct ceiling *c, bool commanded, uint16_t units)
{
    if (!commanded || (units == c->sent && c->age < REFRESH_GOALS)) {
        c->age++;
        return false;
    }
    c->sent = units;
    c->age = 0;
    return true;
}

uint32_t in_units(double value, double unit, uint32_t least, uint32_t most)
{
    const double n = ceil(value / unit);
    return n >= most ? most : n > least ? (uint32_t)n : least;
}
