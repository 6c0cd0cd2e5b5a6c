/*
 * What emulated motors on CAN share: frames that wait to go out, the motor's place at its joint,
 * and faults that come at a time. On CAN, rx and tx carry one whole struct canfd_frame a call.
 */
#pragma once

#include "sim/firmware/device.h"

#include <linux/can.h>

#define CAN_QUEUE 8
#define CAN_NEVER INT64_MAX

/* Frames to send, the oldest first. */
struct can_queue {
    int n;
    int64_t due_ns[CAN_QUEUE];
    struct canfd_frame frame[CAN_QUEUE];
};

/* Where a motor sits, and what its encoder shows. */
struct can_motor {
    int joint, sign;
    double gear, zero_rad;
    double p, v, t; /* rad, rad/s, Nm at the motor; p counts from its zero */
    double origin;  /* angle of the motor that it calls 0 */
    double temp_c;
    int64_t now_ns;
};

/* Faults on demand that any of them may have. */
struct can_demands {
    double silent_at_s, silent_for_s; /* neither hears nor speaks; at 0: never */
    double hot_at_s;                  /* its temperature is HOT_C from then on; 0: never */
    double brownout_at_s;             /* loses power for a moment then; 0: never */
    int reply_us;                     /* from a frame's end to its answer */
};

#define CAN_HOT_C 140.0

/* clang-format off */
#define CAN_DEMAND_OPTIONS(config) \
    {.key = "silent_at_s", .type = OPTION_DOUBLE, .offset = offsetof(config, demands.silent_at_s), .min = 0, .max = 1e9, .def = "0", \
     .help = "neither hears nor answers from then on; 0: never"}, \
    {.key = "silent_for_s", .type = OPTION_DOUBLE, .offset = offsetof(config, demands.silent_for_s), .min = 0, .max = 1e9, .def = "0.05", \
     .help = "for so long"}, \
    {.key = "hot_at_s", .type = OPTION_DOUBLE, .offset = offsetof(config, demands.hot_at_s), .min = 0, .max = 1e9, .def = "0", \
     .help = "its temperature is 140 C from then on; 0: never"}, \
    {.key = "brownout_at_s", .type = OPTION_DOUBLE, .offset = offsetof(config, demands.brownout_at_s), .min = 0, .max = 1e9, .def = "0", \
     .help = "loses power for a moment then; 0: never"}, \
    {.key = "reply_us", .type = OPTION_INT, .offset = offsetof(config, demands.reply_us), .min = 0, .max = 100000, .def = "60", \
     .help = "from the end of a frame to its answer"}
/* clang-format on */

/* The frame that rx was given. False: not one, or an error frame. */
bool can_heard(const uint8_t *bytes, size_t n, struct canfd_frame *ret_frame);
bool can_silent(const struct can_demands *d, int64_t t_ns);

void can_put(struct can_queue *q, int64_t t_ns, const struct canfd_frame *frame);
int64_t can_due(const struct can_queue *q);
/* Bytes of the oldest frame, sizeof of one; 0: none is due. */
int can_take(struct can_queue *q, int64_t t_ns, uint8_t *ret_bytes, size_t cap);

void can_motor_init(struct can_motor *m, const struct robot *robot, int joint);
void can_motor_sense(struct can_motor *m, const struct can_demands *d, int64_t t_ns,
                     const struct sensed *s);
/* True once, when d says that power is lost for a moment. */
bool can_browns_out(const struct can_demands *d, int64_t before_ns, int64_t t_ns);

/* The motor's command as the joint's: mode, and goals by the motor's own angles. */
struct can_effort {
    int mode; /* enum command_mode */
    double p, v, t, kp, kd, t_max;
};

void can_motor_command(const struct can_motor *m, const struct can_effort *e,
                       struct command *ret_cmd);

static inline uint32_t can_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void can_put32(uint8_t *p, uint32_t u)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(u >> (8 * i));
    }
}

/* A float's bits, and back. */
float can_f32(uint32_t bits);
uint32_t can_bits(float f);
