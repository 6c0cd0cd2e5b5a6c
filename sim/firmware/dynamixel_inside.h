/*
 * Inside of the emulated servo: dynamixel.c (packets and instructions), dynamixel_access.c (the
 * control table over the wire), dynamixel_motion.c (sensors, faults, watchdog, position
 * controller).
 */
#pragma once

#include "daemon/base/rng.h"
#include "sim/firmware/device.h"
#include "sim/firmware/dynamixel_table.h"

#define RX_BYTES  768
#define TX_BYTES  768
#define NS_PER_MS INT64_C(1000000)

enum watchdog { WATCHDOG_BRAKE, WATCHDOG_OFF, WATCHDOG_HOLD, WATCHDOG_KEEPS_GOING, WATCHDOG_NONE };

struct dxl_device_config {
    int model, firmware, watchdog;
    bool factory_new;
    double noise; /* 0..1: scale of sensor noise */
    double overload_at_s, brownout_at_s;
};

struct servo {
    struct dxl_device_config c;
    int joint, sign;
    double gear, zero_rad, tau_stall_nm;
    struct rng rng;
    uint8_t regs[DXL_TABLE_END];
    int64_t now_ns, boot_ns, silent_until_ns;
    int64_t heard_ns;            /* last instruction of any kind, for the watchdog */
    int64_t line_ns;             /* when the line was last busy: a pause ends whatever was begun */
    bool tripped;                /* by the watchdog */
    bool overloaded, browned;    /* the faults on demand have happened */
    double goal_rad, goal_rad_s; /* where the profile is now */
    bool profiled;               /* goal_rad follows the register */
    uint8_t rx[RX_BYTES];
    size_t n_rx;
    int64_t due_ns; /* of the answer in tx */
    uint8_t tx[TX_BYTES];
    size_t n_tx;
    /* waiting for the answers of others before ours */
    bool queued;
    int before; /* statuses still to come */
    bool fast;
    uint16_t fast_addr, fast_len;
    int fast_index, fast_n; /* our place among the devices of a fast request, and how many */
    uint8_t registered[64];
    size_t n_registered;
    uint16_t registered_addr;
};

/* Registers of this servo, by the table. */
int64_t servo_get(const struct servo *z, uint16_t addr);
void servo_set(struct servo *z, uint16_t addr, int64_t v);

/* Bytes of the table as the wire sees them. 0 or enum dxl_error. */
uint8_t servo_read(const struct servo *z, uint16_t addr, uint16_t len, uint8_t *ret_bytes);
uint8_t servo_check_write(const struct servo *z, uint16_t addr, const uint8_t *p, size_t n);
uint8_t servo_write(struct servo *z, uint16_t addr, const uint8_t *p, size_t n);

/* Loses power for a moment: silent for half a second, RAM and clock start over. */
void servo_reboot(struct servo *z, int64_t t_ns);
/* One substep of the body: struct device.step. */
void servo_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);
