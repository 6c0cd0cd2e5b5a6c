/*
 * What drivers on CAN share: frames, the part of a joint's state that set-up knows, and the step
 * machine of set-up, which walks a driver's lists joint by joint. Each driver says what a step asks
 * and what answers it.
 */
#pragma once

#include "drivers/driver.h"

/* What a motor's reply says in full: its bits are replaced by each one. */
#define CAN_DEVICE_FAULTS                                                                          \
    ((uint32_t)(FAULT_VOLTAGE | FAULT_OVERHEAT | FAULT_ENCODER | FAULT_ELECTRICAL |                \
                FAULT_OVERLOAD | FAULT_WATCHDOG | FAULT_ALERT))

/* First in every CAN driver's state of a joint. */
struct can_joint {
    double p_rad, v_rad_s; /* of the device, as last heard */
    bool heard, enabled;
    /* set-up only */
    bool owes;            /* an answer to a step of all */
    bool differed;        /* a setting is not what it should be ... */
    double value, wanted; /* ... but this, although that was written */
};

/* What a frame is to the step under way. */
enum can_heard {
    HEARD_OTHER,   /* no answer to it */
    HEARD_YES,     /* done: the next step */
    HEARD_DIFFERS, /* read another value: write it */
    HEARD_WRITTEN, /* now read it back */
    HEARD_NOT_YET, /* an answer, but not as wanted: ask again later */
    HEARD_FAILED   /* can_give_up was called */
};

/* Flags of a step. */
enum {
    CAN_ACTUATED = 1, /* not for joints that are measured only */
    CAN_ALL = 2,      /* of all joints at once, after the steps before it are done for each */
    CAN_PUT = 4,      /* write first, then read back */
    CAN_QUIET = 8,    /* nothing answers it */
    CAN_PATIENT = 16  /* it is asked many times before that is taken for silence */
};

enum {
    CAN_SILENCE = 0
}; /* kind: refuse what goes on moving on a silent bus. Drivers' own: from 1 */

struct can_step {
    uint8_t kind;
    uint16_t addr;
    uint8_t wanted; /* of the driver: which value */
    uint8_t flags;
    uint16_t wait_ms; /* for an answer, or after a quiet step; 0: CAN_ANSWER_MS */
};

#define CAN_ANSWER_MS 10

struct can_list {
    const struct can_step *step;
    int n; /* 0: the device cannot do that over its bus */
};

struct can_steps {
    struct can_list list[SETUP_ZERO + 1];
    /* is the step for this joint, as its settings are? NULL: yes */
    bool (*applies)(const struct robot_bus *b, int joint, const struct can_step *step) BASAL_RT;
    /* the frame that asks, or writes */
    void (*ask)(struct setup *s, int joint, const struct can_step *step, bool write,
                struct canfd_frame *ret_tx) BASAL_RT;
    enum can_heard (*hear)(struct setup *s, int joint, const struct can_step *step,
                           const struct canfd_frame *rx) BASAL_RT;
};

/* struct can_driver's setup, by a driver's steps. */
int can_setup(const struct can_steps *steps, struct setup *s, int64_t now_ns,
              const struct canfd_frame *rx, int n, struct canfd_frame *ret_tx, int cap) BASAL_RT;

/* For hear: set-up has failed at this joint; a disarm still goes on to the others. */
enum can_heard can_give_up(struct setup *s, int joint, const char *what,
                           const char *do_this) BASAL_RT;
/* For hear: is it the answer to a write? */
bool can_wrote(const struct setup *s) BASAL_RT;
/* For hear: a setting was read. */
enum can_heard can_compare(struct can_joint *z, double value, double wanted) BASAL_RT;
/* For hear: this is the device. Refused where the robot file wants another. */
enum can_heard can_identify(struct setup *s, int joint, const struct identity *id) BASAL_RT;
/* For hear: the pose to hold, by the device's angle. Refused outside of the joint's range, but for
 * rest_outside_rad. */
enum can_heard can_pose(struct setup *s, int joint, double device_rad) BASAL_RT;

/* id with CAN_EFF_FLAG or CAN_RTR_FLAG as it is; CAN FD where the bus has a data phase. */
void can_frame(const struct robot_bus *b, uint32_t id, const uint8_t *data, int n,
               struct canfd_frame *ret_frame) BASAL_RT;
/* For decode: this is a reply of the joint's. Returns whether it owed one, which is paid now; one
 * that nobody asked for, or that was answered before, is counted. */
bool can_owed(struct robot_bus *b, int joint) BASAL_RT;
/* As serial drivers compute it: three periods, or two deadlines, unless the bus says. */
double can_watchdog_s(const struct robot_bus *b) BASAL_RT;
enum silence can_silence(const struct silence_row *rows, int model, int mode,
                         int firmware) BASAL_RT;
/* How many joints of the robot are on a bus. */
int can_joints(const struct robot *r, int bus) BASAL_RT;

static inline struct can_joint *can_joint_of(const struct robot_bus *b, int joint)
{
    return b->state[joint];
}
