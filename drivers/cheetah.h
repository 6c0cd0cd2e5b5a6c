/* Inside of the driver of mini-cheetah and AK motors: cheetah.c (the tick), cheetah_setup.c. */
#pragma once

#include "drivers/mit_goal.h"

/* Settings of a joint on this driver; 0: the motor's. */
struct cheetah_config {
    int motor;
    double p_max_rad, v_max_rad_s, t_max_nm;
    bool timeout_set;
    struct mit_gains gains;
};

struct cheetah_joint {
    struct can_joint can;
    uint8_t error;
};

extern const struct silence_row cheetah_silence_rows[];

const struct cheetah_config *cheetah_config_of(const struct robot_bus *b, int joint) BASAL_RT;
bool cheetah_is_ak(const struct robot_bus *b, int joint) BASAL_RT;
struct mit_range cheetah_range(const struct robot_bus *b, int joint) BASAL_RT;
void cheetah_special(const struct robot_bus *b, int joint, enum mit_special what,
                     struct canfd_frame *ret_tx) BASAL_RT;
void cheetah_command(const struct robot_bus *b, int joint, const struct mit_goal *g,
                     struct canfd_frame *ret_tx) BASAL_RT;
void cheetah_poll(const struct robot_bus *b, int joint, struct canfd_frame *ret_tx) BASAL_RT;
bool cheetah_is_answer(const struct robot_bus *b, int joint, const struct canfd_frame *rx) BASAL_RT;
/* Pose and error out of an answer. */
void cheetah_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx,
                  struct mit_state *ret_state) BASAL_RT;

/* struct can_driver's setup. */
int cheetah_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
                  struct canfd_frame *ret_tx, int cap) BASAL_RT;
