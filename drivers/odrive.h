/* Inside of the ODrive driver: odrive.c (what goes out), odrive_state.c (what comes back),
 * odrive_setup.c (its steps). */
#pragma once

#include "drivers/can.h"
#include "drivers/odrive_regs.h"

#define ODRIVE_RAD 6.283185307179586 /* a turn */

/* Settings of a joint on this driver. */
struct odrive_config {
    int firmware; /* 0: 0.5, 1: 0.6 */
    double nm_per_a;
    bool watchdog_set;
};

/* Run-time state of one joint. */
struct odrive_joint {
    struct can_joint can;
    struct identity found; /* while it is read */
    uint32_t error;
    uint8_t control; /* enum odrive_control, as last sent */
    float amps;      /* as last sent */
    int age;         /* goals since both were */
};

extern const struct silence_row odrive_silence_rows[];
extern const struct can_look odrive_look;

const struct odrive_config *odrive_config_of(const struct robot_bus *b, int joint) BASAL_RT;
/* A frame of up to eight bytes, the rest 0. */
void odrive_frame(const struct robot_bus *b, int joint, enum odrive_message what,
                  const uint8_t *data, int n, struct canfd_frame *ret_tx) BASAL_RT;
void odrive_request(const struct robot_bus *b, int joint, enum odrive_message what,
                    struct canfd_frame *ret_tx) BASAL_RT;
void odrive_put_u32(const struct robot_bus *b, int joint, enum odrive_message what, uint32_t first,
                    uint32_t second, struct canfd_frame *ret_tx) BASAL_RT;
void odrive_put_f32(const struct robot_bus *b, int joint, enum odrive_message what, double first,
                    double second, struct canfd_frame *ret_tx) BASAL_RT;
/* Which message of the joint's axis it is, or -1. */
int odrive_message_of(const struct robot_bus *b, int joint, const struct canfd_frame *rx) BASAL_RT;
/* A heartbeat or an estimate, into the joint's state. */
void odrive_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx) BASAL_RT;
/* Model and firmware out of a version. */
void odrive_version(const uint8_t *data, struct identity *ret_id) BASAL_RT;
double odrive_amps(const struct robot_bus *b, int joint, double tau_max_nm) BASAL_RT;

/* struct can_driver's decode and setup. */
int odrive_decode(struct robot_bus *b, const struct canfd_frame *rx,
                  struct sensed *ret_sensed) BASAL_RT;
int odrive_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
                 struct canfd_frame *ret_tx, int cap) BASAL_RT;
