/*
 * Inside of the Feetech driver: what feetech.c (requests, goals), feetech_state.c (replies),
 * feetech_steps.c (what drivers/steps.c wants to know) and feetech_models.c (facts per model)
 * share.
 */
#pragma once

#include "drivers/driver.h"
#include "drivers/feetech_packet.h"
#include "drivers/feetech_regs.h"
#include "drivers/position.h"
#include "drivers/steps.h"

/* Settings of a joint on this driver; 0: leave the device's own. */
struct feetech_config {
    int position_p, position_i, position_d;
    int return_delay_us;
    int offset_counts; /* FEETECH_OFFSET_OWN: leave the device's own */
    int protection_ma, overload_percent;
    double profile_velocity_frac;     /* of qd_max; 0: infinite */
    double profile_acceleration_frac; /* of qdd_max; 0: infinite */
    double nm_per_a;                  /* 0: from the stall torque and the model's stall current */
};

#define FEETECH_OFFSET_OWN 2048

/* Run-time state of one joint. */
struct feetech_joint {
    struct ceiling limit;
    bool sags;       /* it complains of its voltage ... */
    int64_t sags_ns; /* ... since then */
    bool counted;    /* measured only: its encoder was read before, and read this */
    int32_t counts;
    int64_t turns; /* whole ones since */
};

struct feetech_model_row {
    uint16_t model;
    const char *name;
    double stall_a; /* at the voltage of its stall torque; 0: not known */
};

const struct feetech_model_row *feetech_model_find(int model) BASAL_RT;
const struct feetech_config *feetech_config_of(const struct joint_spec *j) BASAL_RT;
/* Torque at the joint for an ampere; 0: not known. */
double feetech_nm_per_a(const struct robot_bus *b, int joint) BASAL_RT;

extern const struct servo_protocol feetech_protocol;
extern const struct option feetech_options[];
extern const struct silence_row feetech_silence_rows[];

/* The table's part that feetech_ask reads of one joint in turn. */
enum { FEETECH_SLOW_FROM = FEETECH_TORQUE_ENABLE, FEETECH_SLOW_BYTES = 10 };

/* The error byte, or Status (65), onto enum joint_fault. */
uint32_t feetech_faults(uint8_t error) BASAL_RT;

/* struct serial_driver's setup and decode. */
int feetech_setup(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
                  size_t cap) BASAL_RT;
int feetech_decode_reply(struct robot_bus *b, const uint8_t *rx, size_t n,
                         struct sensed *ret_sensed) BASAL_RT;
