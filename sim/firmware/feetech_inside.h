/*
 * Inside of the emulated STS servo: feetech.c (life and line: what comes in, what goes out),
 * feetech_instruct.c (what an instruction does to it), feetech_motion.c (sensors, faults,
 * protection, position controller).
 */
#pragma once

#include "daemon/base/rng.h"
#include "sim/firmware/device.h"
#include "sim/firmware/feetech_table.h"
#include "sim/firmware/profile.h"

#define STS_RX_BYTES  512 /* two of the longest packets */
#define STS_TX_BYTES  256
#define STS_NS_PER_MS INT64_C(1000000)
#define STS_NEVER     INT64_MAX

/* What those listed after a missing servo do in a sync read: nobody documents it. */
enum sts_gap { STS_GAP_SILENCE, STS_GAP_SKIP };

struct sts_config {
    int model, firmware, gap;
    int id; /* 0: the joint's */
    bool factory_new, goal_turns_on, overload_silences;
    double noise; /* scale of sensor noise */
    double overload_at_s, overheat_at_s, brownout_at_s, torque_flip_at_s, silent_at_s,
        bad_sum_from_s;
};

struct sts {
    struct sts_config c;
    int joint, sign;
    double gear, zero_rad, tau_stall_nm;
    struct rng rng;
    uint8_t regs[FEETECH_TABLE_END];
    uint8_t lasting[FEETECH_EEPROM_END]; /* what a power-up finds: written with the lock open */
    uint8_t kept[FEETECH_EEPROM_END];    /* by Backup */
    bool has_kept;
    int64_t now_ns, silent_until_ns;
    bool overloaded;                /* its output is eased until its torque is switched off */
    bool tripped, browned, flipped; /* the faults on demand have happened */
    int64_t strained_ns, heavy_ns;  /* since when it strains beyond 36, draws beyond 28; NEVER */
    struct profile profile;
    uint8_t rx[STS_RX_BYTES];
    size_t n_rx;
    uint8_t tx[STS_TX_BYTES];
    size_t n_tx;
    int64_t due_ns; /* of the answer in tx */
    bool restarts;  /* once it has left */
    /* a sync read: those before us, in order, and how many bytes each says */
    uint8_t before[FEETECH_LEN_MAX];
    int n_before;
    size_t each_bytes;
    int64_t slot_ns; /* how long a missing one is waited for */
    uint8_t registered_addr, n_registered;
    uint8_t registered[64];
};

static inline int32_t sts_get(const struct sts *z, uint8_t addr)
{
    return sts_table_get(z->regs, addr);
}

static inline void sts_set(struct sts *z, uint8_t addr, int32_t value)
{
    sts_table_put(z->regs, addr, value);
}

/* A status into tx, to leave after turnaround and return delay. */
void sts_answer(struct sts *z, const uint8_t *data, size_t n, int64_t t_ns);
/* When an answer may leave that was asked for, or whose turn came, at t_ns. */
int64_t sts_answer_ns(const struct sts *z, int64_t t_ns);
/* Forget whatever was to be answered. */
void sts_hush(struct sts *z);

/* A good packet for us, or for all: do it. */
void sts_instruct(struct sts *z, uint8_t id, uint8_t instruction, const uint8_t *p, size_t n,
                  int64_t t_ns, uint32_t baud);

/* As after power-up, at t_ns. */
void sts_power_up(struct sts *z, int64_t t_ns);
/* Loses power for a moment. */
void sts_restart(struct sts *z, int64_t t_ns);
/* The whole table as delivered, but for the id; it lasts. */
void sts_restore(struct sts *z);
/* One substep of the body: struct device.step. */
void sts_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd);
