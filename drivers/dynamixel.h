/*
 * Inside of the Dynamixel driver: what dynamixel.c (requests, goals), dynamixel_state.c (replies),
 * dynamixel_setup.c and dynamixel_steps.c (what drivers/steps.c wants to know) and
 * dynamixel_models.c (facts per model) share.
 */
#pragma once

#include "drivers/driver.h"
#include "drivers/dynamixel_packet.h"
#include "drivers/dynamixel_regs.h"
#include "drivers/position.h"

/* Settings of a joint on this driver; 0 gains: leave the device's own. */
struct dxl_config {
    int position_p, position_i, position_d;
    int return_delay_us;
    double profile_velocity_frac;     /* of qd_max; 0: infinite */
    double profile_acceleration_frac; /* of qdd_max; 0: infinite */
    double nm_per_a;                  /* 0: from the stall torque and the model's stall current */
};

/* Run-time state of one joint. */
struct dxl_joint {
    uint16_t tick_ms; /* last Realtime Tick */
    bool ticked;
    int64_t tick_host_ns; /* host time of that reply */
    int64_t offset_us;    /* least host - device time seen: what counts as age 0 */
    int same_ticks;       /* replies in a row with the same tick */
    struct ceiling pwm;
    bool alert_unread; /* it reports a hardware error; register 70 was not read since */
};

/* LEN of the longest status that is ever asked for, all its bytes to be stuffed. */
#define DXL_STATUS_LEN_MAX (4 + DXL_STATE_BYTES + (DXL_STATE_BYTES + 1) / 3)

struct dxl_model_row {
    uint16_t model;
    const char *name;
    bool has_current; /* else register 126 is the load, +-1000 = 0.1 % */
    double ma_per_unit;
    double stall_ma;   /* at the rated voltage */
    int fast_firmware; /* fast sync read from this firmware on; 0: never */
};

const struct dxl_model_row *dxl_model_find(int model) BASAL_RT;
const struct dxl_config *dxl_config_of(const struct robot_bus *b, int joint) BASAL_RT;
int dxl_mode_of(const struct joint_spec *j) BASAL_RT;
/* Registers 98: device-side timeout in units of 20 ms. */
int dxl_watchdog_units(const struct robot_bus *b) BASAL_RT;
/* Older firmware has no register 98. */
bool dxl_has_watchdog(const struct robot_bus *b, int joint) BASAL_RT;
/* Torque at the joint for an ampere, of a model that measures current. */
double dxl_nm_per_a(const struct robot_bus *b, int joint) BASAL_RT;
enum silence dxl_silence(int model, int mode, int firmware) BASAL_RT;

extern const struct servo_protocol dxl_protocol;
extern const struct option dxl_options[];
extern const struct silence_row dxl_silence_rows[];

/* Hardware Error Status (70) onto enum joint_fault. */
uint32_t dxl_faults(uint8_t status) BASAL_RT;

/* struct serial_driver's setup and decode. */
int dxl_setup(struct setup *s, int64_t now_ns, const uint8_t *rx, size_t n, uint8_t *ret_tx,
              size_t cap) BASAL_RT;
int dxl_decode(struct robot_bus *b, const uint8_t *rx, size_t n,
               struct sensed *ret_sensed) BASAL_RT;
