/*
 * A set-up under way: what a driver's step machine is to reach on one bus, where it stands, and
 * what came of it. The plant owns it and calls the machine with what arrives.
 */
#pragma once

#include "daemon/base/err.h"
#include "daemon/base/types.h"

struct robot_bus; /* drivers/driver.h */

/* ZERO: the device takes its pose for angle 0 and keeps that. */
enum setup_goal { SETUP_IDENTIFY, SETUP_ARM, SETUP_DISARM, SETUP_CLEAR, SETUP_REBOOT, SETUP_ZERO };

enum setup_state { SETUP_BUSY, SETUP_DONE, SETUP_FAILED };

struct setup {
    enum setup_goal goal;
    enum setup_state state;
    struct robot_bus *bus;
    const struct sensed *sensed; /* latest; may be NULL */
    int stage, joint, tries;
    size_t used;              /* bytes or frames of rx that were consumed */
    int64_t wake_ns;          /* call again then, even without an answer */
    uint64_t torque_off;      /* SETUP_DISARM: joints whose torque was read back as off */
    uint64_t posed;           /* SETUP_ARM: joints whose goal is the measured pose ... */
    double q[JOINTS_MAX];     /* ... which is this */
    int32_t pose[JOINTS_MAX]; /* the goal to begin with, in the device's counts */
    bool differed;            /* the joint has another value than is wanted: this one */
    uint32_t value;
    int written;         /* settings in non-volatile memory that differed and were written */
    bool failed;         /* a joint could not be set up; SETUP_DISARM still goes on to the others */
    char why[WHY_CHARS]; /* one sentence, when failed */
};
