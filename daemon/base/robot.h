/*
 * The robot as data: buses, joints, limits. Read by drivers, sim, safety, task and config; never
 * written after start. A robot file fills it; a user with another robot on a known bus writes no C.
 */
#pragma once

#include "daemon/base/chain_spec.h"
#include "daemon/base/space_spec.h"
#include "daemon/base/types.h"

enum bus_order { ORDER_SAME_TICK, ORDER_PIPELINED, ORDER_BY_RATE };

enum estop_hardware { ESTOP_UNSET, ESTOP_NONE, ESTOP_POWER_SENSE, ESTOP_GPIO };

struct bus_spec {
    char name[NAME_CHARS];
    char driver[NAME_CHARS]; /* of drivers/registry.c: "dynamixel" */
    char device[PATH_CHARS]; /* "/dev/serial/by-id/..." */
    int baud;                /* of a serial bus; of the tty that an slcan adapter is */
    int bitrate;             /* of a CAN bus, bit/s */
    int data_bitrate;        /* its CAN FD data phase; 0: classic CAN */
    int order;               /* enum bus_order */
    int reply_deadline_us;   /* after the tick's start every reply must be in */
    int write_phase_us; /* same_tick: goals go out this long after the tick's start; 0: deadline +
                           200 */
    int misses_max;     /* consecutive missed replies that a joint may coast over */
    int watchdog_ms;    /* device-side timeout wanted; 0: computed as safety.md 7 says */
    bool accept_no_device_watchdog;
};

struct joint_spec {
    char name[NAME_CHARS];
    int bus; /* index */
    int id;
    int model;           /* model number that identify must find; 0: any */
    int64_t serial;      /* serial number that identify must find, of 32 bits; 0: any */
    int firmware_min;    /* 0: any */
    bool incremental;    /* its angle is lost with its power: not armed again before it is found */
    bool actuated;       /* false: measured only, mode always off, no action */
    int sign;            /* +1 or -1: direction of the device against the joint */
    double gear;         /* device turns per joint turn */
    double zero_rad;     /* device angle (from its middle, 2048 counts) where the joint reads 0 */
    double q_min, q_max; /* rad */
    bool range_found;    /* ... found by hand on this very robot: its calibration has them */
    double qd_max, qdd_max; /* rad/s, rad/s^2 */
    double tau_max;         /* Nm: continuous ceiling */
    double tau_stall;       /* Nm at full PWM and standstill: what Goal PWM is a fraction of */
    double temp_max_c;
    void *driver; /* settings of the joint's driver, by its option table; may be NULL */
    void *device; /* settings of the joint's emulated device; may be NULL */
};

/* Who fills a sensor that is no joint: the simulated body; forward kinematics; the task. */
enum extra_source { EXTRA_OF_BODY, EXTRA_OF_CHAIN, EXTRA_OF_TASK };

struct extra_spec {
    char name[NAME_CHARS];
    char unit[NAME_CHARS];
    int offset, n; /* into sensed.extra */
    int source;    /* enum extra_source; what has a chain is told by name: task_claim */
};

struct picture_spec {
    int h, w, c; /* of sensed.frame, a byte each; c 0: the robot has no camera */
};

struct robot {
    char name[NAME_CHARS];
    char folder[PATH_CHARS]; /* of its file, with a slash at the end: where a body's files are */
    int n_buses, n_joints, n_extra;
    int n_choices; /* > 0: an action is one of these, command.choice; no joint is actuated then */
    char choice[CHOICES_MAX][NAME_CHARS];
    struct picture_spec picture;
    bool direct; /* it has no bus: a simulated body takes its commands and keeps its own limits */
    struct bus_spec bus[BUSES_MAX];
    struct joint_spec joint[JOINTS_MAX];
    struct extra_spec extra[EXTRAS_MAX];
    struct chain_spec chain; /* masses and lengths, where the file tells them */
    struct space_spec space; /* where its links may be, likewise */
    double control_rate_hz, policy_rate_hz;
    int estop_hardware; /* enum estop_hardware */
    double power_min_v; /* power_sense: below this motor power counts as cut */
    bool drop_accepted; /* limp while loaded is accepted by the owner; driven joints want it */
    bool brake;         /* ... or what carries something has a brake that closes without torque */
    bool carry_weight;  /* goals of poses carry its weight as torque, where the file tells the links
                         */
    double arm_ramp_s;  /* torque ramp from 0 to the ceiling when arming */
    double rest_outside_rad; /* a joint that rests this far outside its range may still arm: its
                                first goal is the range's end. Three quarters of
                                safety.position_margin_rad */
};

/* Is pose [n] one of this robot: a number a joint, each driven one within its range? key names it
 * in the sentence. 0, or -EINVAL and the sentence. */
int robot_check_pose(const struct robot *r, const double *pose, int n, const char *key,
                     char *ret_why, int cap);
