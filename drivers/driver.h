/*
 * The contract of everything that knows hardware. A driver is a pure codec: it never opens, reads,
 * waits or logs; bytes in, meaning out. `plant` moves the bytes and owns the clock.
 */
#pragma once

#include "daemon/base/option.h"
#include "daemon/base/robot.h"
#include "drivers/load.h"
#include "drivers/setup.h"

#include <linux/can.h>

/* What a device does when its bus goes silent and its watchdog (if any) trips. */
enum silence {
    SILENCE_OFF,
    SILENCE_BRAKE,
    SILENCE_HOLD,
    SILENCE_DAMPED,
    SILENCE_KEEPS_GOING,
    SILENCE_NONE
};

enum stop_how { STOP_OFF, STOP_BRAKE, STOP_HOLD, STOP_DAMPED };

struct silence_row {
    uint16_t model;
    uint8_t mode; /* operating mode of the device */
    uint32_t firmware_min, firmware_max;
    enum silence silence;
    const char *source;
};

struct driver_info {
    const char *name;
    const struct option
        *options;        /* of a joint on this driver, merged into its YAML map; may be NULL */
    size_t config_bytes; /* of that struct */
    const struct silence_row *silence; /* ends with .source = NULL */
    double kd_max; /* Nms/rad at the device: damping without stiffness that each of its models can
                      be told; 0: they take none */
    size_t joint_bytes; /* run-time state of one joint: flat, no pointers */
    int reply_us_max;   /* longest request of ask after the first, with its replies, at DRIVER_BAUD;
                           one more may start if this fits */
};

#define DRIVER_BAUD 1000000

struct identity {
    int model, firmware;
    uint32_t serial;
    bool known;
    enum silence silence;
};

/* One bus at run time. Bits and arrays are indexed by the robot's joint number. */
struct robot_bus {
    const struct robot *robot;
    const struct bus_spec *spec;
    int index;
    int n, joint[JOINTS_MAX];        /* joints on this bus, in wire order */
    uint64_t pending;                /* a bit per joint that owes a reply */
    unsigned asked;                  /* requests sent in this read phase; plant clears it */
    unsigned slow;                   /* rotation of slow registers */
    bool slow_due;                   /* a slow request may be asked in this read phase */
    uint16_t last_addr, last_len;    /* of the request that pending belongs to */
    uint64_t unread;                 /* a bit per joint whose state the last request did not get */
    unsigned careful;                /* requests to come that keep joints apart on the wire */
    uint64_t crc_errors, bytes_lost; /* damaged frames; bytes dropped while resynchronising */
    uint64_t bad_replies;            /* whole frames that answer nothing asked */
    struct identity id[JOINTS_MAX];
    void *state[JOINTS_MAX]; /* info.joint_bytes each */
};

struct servo_protocol; /* drivers/steps.h */
struct can_look;       /* drivers/can_look.h */

struct serial_driver {
    struct driver_info info;
    const struct servo_protocol *servo; /* for basalctl's scan and setup-motor; NULL: not for it */
    int (*setup)(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
                 size_t cap) BASAL_RT;
    int (*ask)(struct robot_bus *b, uint8_t *ret_tx, size_t cap) BASAL_RT;
    int (*goals)(struct robot_bus *b, const struct command *cmd, uint8_t *ret_tx,
                 size_t cap) BASAL_RT;
    int (*decode)(struct robot_bus *b, const uint8_t *rx, size_t n,
                  struct sensed *ret_sensed) BASAL_RT;
    int (*stop)(const struct robot_bus *b, enum stop_how how, uint8_t *ret_tx, size_t cap) BASAL_RT;
    /* before the start, from the robot alone: bus is an index */
    void (*load)(const struct robot *r, int bus, struct bus_load *ret_load);
};

/*
 * As serial_driver, in frames. A frame with CANFD_FDF in flags goes out as CAN FD, which a driver
 * sets where the bus has a data_bitrate. Motors that answer every command leave ask at 0 frames;
 * goals then also sends to joints that are off what earns a reply without torque.
 */
struct can_driver {
    struct driver_info info; /* reply_us_max: of one more request of ask */
    int (*setup)(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
                 struct canfd_frame *ret_tx, int cap) BASAL_RT;
    int (*ask)(struct robot_bus *b, struct canfd_frame *ret_tx, int cap) BASAL_RT;
    int (*goals)(struct robot_bus *b, const struct command *cmd, struct canfd_frame *ret_tx,
                 int cap) BASAL_RT;
    /* 1: ours; 0: not ours; -EBADMSG: ours and damaged; plant counts both. Error frames never come
     * here. A sample's age is plant's to say. */
    int (*decode)(struct robot_bus *b, const struct canfd_frame *rx,
                  struct sensed *ret_sensed) BASAL_RT;
    int (*stop)(const struct robot_bus *b, enum stop_how how, struct canfd_frame *ret_tx,
                int cap) BASAL_RT;
    void (*load)(const struct robot *r, int bus, struct can_load *ret_load);
    /* before the start: which identifiers its devices send, so that the kernel wakes the loop for
     * no others; returns how many filters, at most cap. NULL: all are heard */
    int (*filters)(const struct robot *r, int bus, struct can_filter *ret_filters, int cap);
    const struct can_look *look; /* for basalctl's scan and doctor; NULL: they cannot be asked */
};

/* The joint of this bus that answers to id, or -1. */
int robot_bus_joint(const struct robot_bus *b, int id) BASAL_RT;

/* Does any device of this driver end what it does by itself when its bus goes silent? */
bool driver_has_watchdog(const struct driver_info *info);

extern const struct serial_driver *const serial_drivers[];
const struct serial_driver *serial_driver_find(const char *name);
extern const struct can_driver *const can_drivers[];
const struct can_driver *can_driver_find(const char *name);
