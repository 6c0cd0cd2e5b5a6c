/* Inside of the emulated ODrive axis: odrive.c (frames), odrive_motion.c (time, errors, loops). */
#pragma once

#include "drivers/odrive_regs.h"
#include "sim/firmware/can_device.h"

#define ODRIVE_TURN    6.283185307179586
#define ODRIVE_BOOT_NS INT64_C(500000000)

struct odrive_device_config {
    int firmware;
    double nm_per_a, kp, kd, watchdog_s, error_at_s;
    int error;
    bool cyclic;
    struct can_demands demands;
};

struct odrive_axis {
    struct odrive_device_config c;
    struct can_motor m;
    uint32_t node;
    uint32_t state, error, control; /* enum odrive_state, bits, enum odrive_control */
    double turns, turns_s, nm;      /* goals */
    double turns_s_max, amps_max, volt_v;
    int64_t heard_ns, beat_ns, told_ns, silent_until_ns;
    struct can_queue out;
};

/* All as after power-up. */
void odrive_power_up(struct odrive_axis *z, int64_t t_ns);
/* Two words to the host. */
void odrive_say(struct odrive_axis *z, uint32_t what, uint32_t first, uint32_t second,
                int64_t t_ns);
/* What was asked for; what it does not know is not answered. */
void odrive_tell(struct odrive_axis *z, uint32_t what, int64_t t_ns);
/* struct device's step. */
void odrive_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);
