#include "drivers/dynamixel_steps.h"

#include "drivers/joints.h"

#include <math.h>

#define VELOCITY_LIMIT_FRAC 1.5 /* of qd_max: the device's own is the second fence */
#define VELOCITY_LIMIT_MAX  1023
#define ACCELERATION_MAX    32767

/* clang-format off */
static const struct step identify[] = {
    {STEP_IDENTITY, 0,                        0, WANT_ZERO,                 ALL, 0},
    {STEP_ENSURE,   DXL_STATUS_LEVEL,         1, WANT_STATUS_LEVEL,         ALL, 0}, /* before anything that must be answered */
    {STEP_ENSURE,   DXL_TORQUE_ENABLE,        1, WANT_ZERO,                 ALL, 0}, /* non-volatile settings want torque off */
    {STEP_ENSURE,   DXL_RETURN_DELAY,         1, WANT_RETURN_DELAY,         ALL, 0},
    {STEP_ENSURE,   DXL_MODE,                 1, WANT_MODE,                 ALL, 0},
    {STEP_ENSURE,   DXL_DRIVE_MODE,           1, WANT_ZERO,                 ALL, 0},
    {STEP_ENSURE,   DXL_POSITION_MAX,         4, WANT_POSITION_MAX,         ACTUATED, 0},
    {STEP_ENSURE,   DXL_POSITION_MIN,         4, WANT_POSITION_MIN,         ACTUATED, 0},
    {STEP_ENSURE,   DXL_VELOCITY_LIMIT,       4, WANT_VELOCITY_LIMIT,       ACTUATED, 0},
    {STEP_ENSURE,   DXL_CURRENT_LIMIT,        2, WANT_CURRENT_LIMIT,        ACTUATED, 0},
    {STEP_ENSURE,   DXL_PWM_LIMIT,            2, WANT_PWM_FULL,             ACTUATED, 0},
};

static const struct step arm[] = {
    {STEP_IDENTITY, 0,                        0, WANT_ZERO,                 ALL, 0},
    {STEP_NO_ERROR, DXL_HARDWARE_ERROR,       1, WANT_ZERO,                 ALL, 0},
    {STEP_SILENCE,  0,                        0, WANT_ZERO,                 ACTUATED, 0},
    {STEP_ENSURE,   DXL_TORQUE_ENABLE,        1, WANT_ZERO,                 ACTUATED, 0},
    {STEP_ENSURE,   DXL_WATCHDOG,             1, WANT_ZERO,                 ACTUATED, 0},
    {STEP_ENSURE,   DXL_MODE,                 1, WANT_MODE,                 ACTUATED, 0},
    {STEP_ENSURE,   DXL_POSITION_P,           2, WANT_P,                    ACTUATED, 0},
    {STEP_ENSURE,   DXL_POSITION_I,           2, WANT_I,                    ACTUATED, 0},
    {STEP_ENSURE,   DXL_POSITION_D,           2, WANT_D,                    ACTUATED, 0},
    {STEP_ENSURE,   DXL_PROFILE_ACCELERATION, 4, WANT_PROFILE_ACCELERATION, ACTUATED, 0},
    {STEP_ENSURE,   DXL_PROFILE_VELOCITY,     4, WANT_PROFILE_VELOCITY,     ACTUATED, 0},
    {STEP_PUT,      DXL_GOAL_PWM,             2, WANT_ZERO,                 ACTUATED, 0},
    {STEP_POSE,     DXL_PRESENT_POSITION,     4, WANT_ZERO,                 ACTUATED, 0},
    {STEP_PUT,      DXL_GOAL_POSITION,        4, WANT_PRESENT,              ACTUATED, 0},
    {STEP_ENSURE,   DXL_TORQUE_ENABLE,        1, WANT_ONE,                  ACTUATED, 0},
    {STEP_PUT,      DXL_WATCHDOG,             1, WANT_WATCHDOG,             ACTUATED, 0},
};

static const struct step disarm[] = {{STEP_ENSURE, DXL_TORQUE_ENABLE, 1, WANT_ZERO, ALL, 0}};
static const struct step clear[] = {{STEP_IDENTITY, 0, 0, WANT_ZERO, ALL, 0}, {STEP_NO_ERROR, DXL_HARDWARE_ERROR, 1, WANT_ZERO, ALL, 0}};
static const struct step reboot[] = {{STEP_REBOOT, 0, 0, WANT_ZERO, ALL, 0}, {STEP_IDENTITY, 0, 0, WANT_ZERO, ALL, 0}};

#define LIST(steps) {(steps), (int)(sizeof(steps) / sizeof((steps)[0]))}
static const struct {
    const struct step *steps;
    int n;
} lists[] = {
    [SETUP_IDENTIFY] = LIST(identify), [SETUP_ARM] = LIST(arm), [SETUP_DISARM] = LIST(disarm),
    [SETUP_CLEAR] = LIST(clear), [SETUP_REBOOT] = LIST(reboot), [SETUP_ZERO] = {NULL, 0},
};

/* clang-format on */

const struct step *dxl_step(enum setup_goal goal, int at)
{
    const bool there = (size_t)goal < sizeof lists / sizeof lists[0] && at < lists[goal].n;
    return there ? &lists[goal].steps[at] : NULL;
}

bool dxl_applies(const struct robot_bus *b, int joint, const struct step *step)
{
    const struct dxl_model_row *row = dxl_model_find(b->id[joint].model);
    const bool gain = step->wanted == WANT_P || step->wanted == WANT_I || step->wanted == WANT_D;
    if (gain && dxl_config_of(b, joint)->position_p == 0) {
        return false;
    }
    if (step->addr == DXL_WATCHDOG && !dxl_has_watchdog(b, joint)) {
        return false;
    }
    if (step->addr == DXL_CURRENT_LIMIT && (row == NULL || !row->has_current)) {
        return false;
    }
    return step->only == ALL || b->robot->joint[joint].actuated;
}

/* The current that tau_max takes, at most the one that the motor draws at standstill. */
static uint32_t current_limit(const struct robot_bus *b, int joint)
{
    const struct dxl_model_row *row = dxl_model_find(b->id[joint].model);
    if (row == NULL || !row->has_current) {
        return 0;
    }
    const double current_ma = b->robot->joint[joint].tau_max / dxl_nm_per_a(b, joint) * 1000.0;
    return in_units(current_ma, row->ma_per_unit, 1, (uint32_t)(row->stall_ma / row->ma_per_unit));
}

static uint32_t velocity_limit(const struct joint_spec *j)
{
    const double rate = fabs(joint_rate_to_device(j, j->qd_max));
    return in_units(VELOCITY_LIMIT_FRAC * rate, DXL_RAD_S_PER_UNIT, 1, VELOCITY_LIMIT_MAX);
}

static uint32_t profile(double frac, double rate, double unit, uint32_t most)
{
    return frac <= 0.0 ? 0 : in_units(frac * fabs(rate), unit, 1, most);
}

uint32_t dxl_value(const struct setup *s, int joint, int wanted)
{
    const struct robot_bus *b = s->bus;
    const struct joint_spec *j = &b->robot->joint[joint];
    const struct dxl_config *c = dxl_config_of(b, joint);
    switch ((enum wanted)wanted) {
    case WANT_ZERO:
        return 0;
    case WANT_ONE:
        return 1;
    case WANT_RETURN_DELAY:
        return (uint32_t)(c->return_delay_us / DXL_RETURN_DELAY_US);
    case WANT_MODE:
        return (uint32_t)dxl_mode_of(j);
    case WANT_STATUS_LEVEL:
        return 2;
    case WANT_POSITION_MIN:
        return (uint32_t)position_limit(j, false);
    case WANT_POSITION_MAX:
        return (uint32_t)position_limit(j, true);
    case WANT_VELOCITY_LIMIT:
        return velocity_limit(j);
    case WANT_CURRENT_LIMIT:
        return current_limit(b, joint);
    case WANT_PWM_FULL:
        return DXL_PWM_FULL;
    case WANT_P:
        return (uint32_t)c->position_p;
    case WANT_I:
        return (uint32_t)c->position_i;
    case WANT_D:
        return (uint32_t)c->position_d;
    case WANT_PROFILE_VELOCITY:
        return profile(c->profile_velocity_frac, joint_rate_to_device(j, j->qd_max),
                       DXL_RAD_S_PER_UNIT, velocity_limit(j));
    case WANT_PROFILE_ACCELERATION:
        return profile(c->profile_acceleration_frac, joint_rate_to_device(j, j->qdd_max),
                       DXL_RAD_S2_PER_UNIT, ACCELERATION_MAX);
    case WANT_PRESENT:
        return (uint32_t)s->pose[joint];
    case WANT_WATCHDOG:
        return (uint32_t)dxl_watchdog_units(b);
    }
    return 0;
}
