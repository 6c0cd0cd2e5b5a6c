/* Inside of the emulated RobStride motor: robstride.c (frames), robstride_state.c (its parameters,
 * time, errors). */
#pragma once

#include "drivers/robstride_regs.h"
#include "sim/firmware/can_device.h"
#include "sim/firmware/mit_motor.h"

#define RS_PARAMETERS 20

struct rs_device_config {
    int model; /* row of its table */
    double p_max_rad, fault_at_s;
    int fault, host_id;
    bool ignores_timeout;
    struct can_demands demands;
};

struct rs_motor {
    struct rs_device_config c;
    struct can_motor m;
    uint8_t id, uid[8];
    uint8_t host; /* who spoke last: its answers go there */
    uint32_t parameter[RS_PARAMETERS];
    int state;      /* enum rs_state */
    uint8_t faults; /* enum rs_feedback_fault, latched */
    struct motor_command goal;
    bool reports; /* feedback of its own accord */
    int64_t heard_ns, reported_ns;
    struct can_queue out;
};

struct motor_range rs_motor_range(const struct rs_motor *z);
void rs_motor_power_up(struct rs_motor *z, int64_t t_ns);
/* The parameter of that index; NULL: there is none. */
uint32_t *rs_motor_parameter(struct rs_motor *z, unsigned index);
/* What is measured is written by nobody; -1: there is none, or it may not be written. */
int rs_motor_write(struct rs_motor *z, unsigned index, uint32_t value);
float rs_motor_f32(const struct rs_motor *z, unsigned index);
/* The faults that its temperature and supply are now. */
uint8_t rs_motor_causes(const struct rs_motor *z);
void rs_motor_stop(struct rs_motor *z);
void rs_motor_feedback(struct rs_motor *z, int64_t t_ns);
/* A frame of that type: more goes into the second field above the motor's id. */
void rs_motor_say(struct rs_motor *z, int type, unsigned more, uint8_t to, const uint8_t *data,
                  int64_t t_ns);
/* struct device's step. */
void rs_motor_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);
