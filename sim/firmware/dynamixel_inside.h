/*
 * Inside of the emulated servo: dynamixel.c (life and line: what comes in, what goes out),
 * dynamixel_instruct.c (what an instruction does), dynamixel_answer.c (the packets that leave),
 * dynamixel_access.c (the control table over the wire), dynamixel_motion.c (sensors, faults,
 * watchdog, position controller).
 */
#pragma once

#include "daemon/base/rng.h"
#include "sim/firmware/device.h"
#include "sim/firmware/dynamixel_table.h"
#include "sim/firmware/profile.h"

#define RX_BYTES  768
#define TX_BYTES  768
#define NS_PER_MS INT64_C(1000000)
#define NEVER     INT64_MAX

enum watchdog { WATCHDOG_BRAKE, WATCHDOG_OFF, WATCHDOG_HOLD, WATCHDOG_KEEPS_GOING, WATCHDOG_NONE };

struct dxl_device_config {
    int model, firmware, watchdog;
    int id; /* 0: the joint's */
    bool factory_new;
    double noise; /* 0..1: scale of sensor noise */
    double overload_at_s, brownout_at_s, torque_flip_at_s;
};

/* A fast read is one packet made by all: who is before us, and what we add. */
struct fast_read {
    bool on;
    uint16_t addr, n;    /* registers of our block */
    size_t before, data; /* bytes on the line when ours begin; LEN of the whole packet */
};

struct servo {
    struct dxl_device_config c;
    int joint, sign;
    double gear, zero_rad, tau_stall_nm;
    struct rng rng;
    uint8_t regs[DXL_TABLE_END];
    uint8_t backup[DXL_EEPROM_END]; /* of the non-volatile registers, by Control Table Backup */
    bool backed_up;
    int64_t now_ns, boot_ns, silent_until_ns;
    int64_t heard_ns; /* last instruction of any kind, for the watchdog */
    int64_t line_ns;  /* when the line was last busy: a pause ends whatever was begun */
    int64_t turns;    /* whole turns that Present Position does not count */
    bool turns_due;   /* start counting anew at the next sample */
    bool tripped;     /* by the watchdog */
    bool overloaded, browned, flipped; /* the faults on demand have happened */
    struct profile profile;
    uint8_t rx[RX_BYTES];
    size_t n_rx;
    int64_t due_ns; /* of the answer in tx */
    uint8_t tx[TX_BYTES];
    size_t n_tx;
    bool reboots; /* once the answer has left */
    /* waiting for the answers of others before ours */
    bool queued;
    int before; /* statuses still to come */
    struct fast_read fast;
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

/* The manual's CRC-16; crc: 0, or the result of the part before. */
uint16_t servo_crc(uint16_t crc, const uint8_t *p, size_t n);
/* A status into tx, to leave after turnaround and return delay. */
void servo_answer(struct servo *z, uint8_t error, const uint8_t *params, size_t n, int64_t t_ns);
/* When an answer may leave that was asked for, or whose turn came, at t_ns. */
int64_t servo_answer_ns(const struct servo *z, int64_t t_ns);
/* Status Return Level: 0 answers ping only, 1 reads too, 2 all. */
bool servo_may_answer(const struct servo *z, uint8_t instruction);
/* Our block of a fast read into tx; what the others have sent so far lies in rx. */
void servo_make_fast(struct servo *z);

/* A good packet for whoever id names: do it. */
void servo_instruct(struct servo *z, uint8_t id, uint8_t instruction, const uint8_t *p, size_t n,
                    int64_t t_ns);
/* Forget whatever was to be answered. */
void servo_hush(struct servo *z);

/* RAM as after power-up; the clock starts at t_ns, turns are counted anew. */
void servo_power_up(struct servo *z, int64_t t_ns);
/* Loses power for a moment: silent for half a second, RAM and clock start over. */
void servo_reboot(struct servo *z, int64_t t_ns);
/* One substep of the body: struct device.step. */
void servo_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);

static inline uint16_t servo_word(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
