/*
 * The two structs that cross every floor: what was sensed, what is commanded. And the capacities.
 *
 * Units are the last word of a name. One exception: the generalised coordinates q, qd, tau have the
 * unit of their joint (rad, rad/s, Nm for a revolute one). Everything inside is SI and radians.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOINTS_MAX  32
#define BUSES_MAX   4
#define EXTRA_MAX   400 /* numbers in sensed.extra */
#define EXTRAS_MAX  32  /* names for them */
#define OBS_MAX     384
#define ACT_MAX     32
#define HISTORY_MAX 8   /* pictures in an observation */
#define PICTURE_MAX 256 /* of each of its sides */
#define CHOICES_MAX 64  /* a bit each in sensed.legal */
#define NAME_CHARS  32
#define PATH_CHARS  256

/* What a device or the daemon says is wrong with a joint; bits of sensed.faults. */
enum joint_fault {
    FAULT_VOLTAGE = 1 << 0,
    FAULT_OVERHEAT = 1 << 1,
    FAULT_ENCODER = 1 << 2,
    FAULT_ELECTRICAL = 1 << 3,
    FAULT_OVERLOAD = 1 << 4,
    FAULT_WATCHDOG = 1 << 5, /* the device stopped because the bus was silent   */
    FAULT_REBOOT = 1 << 6,   /* its clock went back: brown-out, settings are lost */
    FAULT_FROZEN = 1 << 7,   /* its clock stands still                           */
    FAULT_LOST = 1 << 8,     /* more misses in a row than the bus allows         */
    FAULT_COMMAND = 1 << 9,  /* it refused a command                             */
    FAULT_ALERT = 1 << 10,   /* it reports a hardware error; which one is not read yet */
    FAULT_TORQUE = 1 << 11,  /* it switched its torque by itself, while the robot is driven */
};

/* What a silent bus or a brown-out leaves behind: arming sets everything up anew and clears these.
 */
#define FAULTS_OF_SILENCE                                                                          \
    (FAULT_WATCHDOG | FAULT_REBOOT | FAULT_FROZEN | FAULT_COMMAND | FAULT_TORQUE)

enum torque { TORQUE_UNKNOWN, TORQUE_OFF, TORQUE_ON };

enum command_mode {
    MODE_OFF,
    MODE_HOLD,
    MODE_POSITION,
    MODE_VELOCITY,
    MODE_EFFORT,
    MODE_IMPEDANCE
};

/* Who drove a period of the policy; stored with every transition. */
enum source { SOURCE_HOLD, SOURCE_RANDOM, SOURCE_POLICY, SOURCE_HUMAN };

struct sensed {
    int64_t t_ns; /* start of the reading: CLOCK_MONOTONIC, or virtual */
    int n;        /* joints */
    double q[JOINTS_MAX], qd[JOINTS_MAX], tau[JOINTS_MAX];
    float temp_c[JOINTS_MAX], volt_v[JOINTS_MAX];
    int32_t age_us[JOINTS_MAX];  /* of each joint's sample at t_ns */
    uint32_t faults[JOINTS_MAX]; /* enum joint_fault bits */
    uint8_t torque[JOINTS_MAX];  /* enum torque; as read back */
    uint64_t legal;              /* bit per choice; all ones unless a world says otherwise */
    double extra[EXTRA_MAX];     /* sensors that are no joint: named arrays of the robot file */
    const uint8_t *frame;        /* [h,w,c] picture, borrowed until the next read; NULL: none */
};

struct command {
    int n;
    uint8_t mode[JOINTS_MAX]; /* enum command_mode */
    double q[JOINTS_MAX], qd[JOINTS_MAX], tau[JOINTS_MAX], kp[JOINTS_MAX], kd[JOINTS_MAX];
    double tau_max[JOINTS_MAX]; /* ceiling: arming ramp, derating */
    int choice;                 /* worlds with discrete actions: index of robot.choice */
};
