/*
 * Inside of the Damiao driver: what damiao.c (commands and states of a tick) and damiao_setup.c
 * (its steps) share.
 */
#pragma once

#include "drivers/damiao_regs.h"
#include "drivers/mit_goal.h"

/* Settings of a joint on this driver. */
struct dm_config {
    int master_id; /* 0: the motor's id + 16 */
    struct mit_gains gains;
};

/* Run-time state of one joint. */
struct dm_joint {
    struct can_joint can;
    struct mit_range range; /* as the motor says */
    struct identity found;  /* while it is read */
    uint8_t status;         /* enum dm_status */
};

extern const struct silence_row dm_silence_rows[];
extern const struct can_look dm_look;

const struct dm_config *dm_config_of(const struct robot_bus *b, int joint) BASAL_RT;
bool dm_on_master_id(const struct robot_bus *b, int joint, const struct canfd_frame *rx) BASAL_RT;
/* Is this a state of the joint's motor? */
bool dm_is_state(const struct robot_bus *b, int joint, const struct canfd_frame *rx) BASAL_RT;
/* Status and pose out of a state. */
void dm_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx,
             struct mit_state *ret_state) BASAL_RT;
/* "overload" */
const char *dm_status_name(int status) BASAL_RT;
void dm_refresh(const struct robot_bus *b, int joint, struct canfd_frame *ret_tx) BASAL_RT;
void dm_mit(const struct robot_bus *b, int joint, const struct mit_goal *g,
            struct canfd_frame *ret_tx) BASAL_RT;

/* struct can_driver's setup. */
int dm_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
             struct canfd_frame *ret_tx, int cap) BASAL_RT;
