/*
 * Inside of the RobStride driver: what robstride.c (commands and feedback of a tick) and
 * robstride_setup.c (its steps) share.
 */
#pragma once

#include "drivers/mit_goal.h"
#include "drivers/robstride_regs.h"

/* Settings of a joint on this driver; 0 ranges: the motor's. */
struct rs_config {
    int motor; /* row of the table of ranges */
    double p_max_rad, v_max_rad_s, t_max_nm;
    int host_id;
    struct mit_gains gains;
};

/* Run-time state of one joint. */
struct rs_joint {
    struct can_joint can;
    struct identity found; /* while it is read */
    double mech_rad;       /* parameter 7019, from set-up */
    uint32_t told;         /* enum joint_fault, by fault frames since the last clear */
    uint8_t faults;        /* enum rs_feedback_fault */
    uint8_t state;         /* enum rs_state */
};

extern const struct silence_row rs_silence_rows[];
extern const struct can_look rs_look;

const struct rs_config *rs_config_of(const struct robot_bus *b, int joint) BASAL_RT;
struct mit_range rs_range(const struct robot_bus *b, int joint) BASAL_RT;
/* A frame of that type to the joint's motor; more: its second field, or our id. */
void rs_frame(const struct robot_bus *b, int joint, enum rs_type type, int more,
              const uint8_t *data, struct canfd_frame *ret_tx) BASAL_RT;
void rs_control(const struct robot_bus *b, int joint, const struct mit_goal *g,
                struct canfd_frame *ret_tx) BASAL_RT;
/* Is this a frame of that type of the joint's motor, for us? */
bool rs_is(const struct robot_bus *b, int joint, enum rs_type type,
           const struct canfd_frame *rx) BASAL_RT;
/* State, faults and pose out of a feedback. */
void rs_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx,
             struct mit_state *ret_state) BASAL_RT;

/* The first of a feedback's faults, of which there is one: "too hot". */
const char *rs_fault_name(int faults) BASAL_RT;
/* Of the eight bytes that a motor calls its id. */
uint32_t rs_serial(const uint8_t *id) BASAL_RT;

/* struct can_driver's setup. */
int rs_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
             struct canfd_frame *ret_tx, int cap) BASAL_RT;
