/*
 * What set-up does to each servo, as lists of steps; and the value that this robot wants in each
 * register. The machine that walks them is dynamixel_setup.c.
 */
#pragma once

#include "drivers/dynamixel.h"

/* ENSURE: read, write where it differs, read back. PUT: write, read back. */
enum step_kind {
    STEP_PING,
    STEP_NO_ERROR,
    STEP_SILENCE,
    STEP_ENSURE,
    STEP_PUT,
    STEP_POSE,
    STEP_REBOOT
};

/* Which value an ENSURE or PUT wants. */
enum wanted {
    WANT_ZERO,
    WANT_ONE,
    WANT_RETURN_DELAY,
    WANT_MODE,
    WANT_STATUS_LEVEL,
    WANT_POSITION_MIN,
    WANT_POSITION_MAX,
    WANT_VELOCITY_LIMIT,
    WANT_CURRENT_LIMIT,
    WANT_PWM_FULL,
    WANT_P,
    WANT_I,
    WANT_D,
    WANT_PROFILE_VELOCITY,
    WANT_PROFILE_ACCELERATION,
    WANT_PRESENT,
    WANT_WATCHDOG,
};

enum only { ALL, ACTUATED };

struct step {
    enum step_kind kind;
    uint16_t addr;
    uint8_t size;
    enum wanted wanted;
    enum only only;
};

/* The at-th step of a goal; NULL: the list has ended. */
const struct step *dxl_step(enum setup_goal goal, int at) BASAL_RT;
/* Is this step for this joint, as its model, firmware and settings are? */
bool dxl_applies(const struct robot_bus *b, int joint, const struct step *step) BASAL_RT;
uint32_t dxl_value(const struct robot_bus *b, int joint, enum wanted wanted) BASAL_RT;

/* The ends of a joint's range in counts; an end outside of one turn stays outside. */
double dxl_range_counts(const struct joint_spec *j, bool high) BASAL_RT;
