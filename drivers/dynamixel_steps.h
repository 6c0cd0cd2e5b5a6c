/*
 * What set-up does to each servo, as lists of steps; and the value that this robot wants in each
 * register. The machine that walks them is steps.c.
 */
#pragma once

#include "drivers/dynamixel.h"
#include "drivers/steps.h"

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

/* The at-th step of a goal; NULL: the list has ended. */
const struct step *dxl_step(enum setup_goal goal, int at) BASAL_RT;
/* Is this step for this joint, as its model, firmware and settings are? */
bool dxl_applies(const struct robot_bus *b, int joint, const struct step *step) BASAL_RT;
uint32_t dxl_value(const struct setup *s, int joint, int wanted) BASAL_RT;
