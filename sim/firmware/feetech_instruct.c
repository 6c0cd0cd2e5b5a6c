/* What an instruction does to an emulated STS servo. Source: the maker's protocol manual. */
#include "sim/firmware/feetech_inside.h"

#include <string.h>

#define SLOT_NS (300 * INT64_C(1000)) /* beside its bytes, for one that does not answer */

/* --- the table over the wire --- */

static bool touches(uint8_t addr, size_t n, uint8_t of, size_t size)
{
    return addr < of + size && of < addr + n;
}

/* Present position reads as middle from now on: the offset takes it up. */
static void calibrate(struct sts *z, int32_t as)
{
    const int32_t encoder = sts_get(z, FEETECH_PRESENT_POSITION) + sts_get(z, FEETECH_OFFSET);
    int32_t offset = encoder - as;
    offset = offset > 2048    ? offset - FEETECH_COUNTS_PER_TURN
             : offset < -2047 ? offset + FEETECH_COUNTS_PER_TURN
                              : offset;
    sts_set(z, FEETECH_OFFSET, offset);
    memcpy(z->lasting + FEETECH_OFFSET, z->regs + FEETECH_OFFSET, 2);
    sts_set(z, FEETECH_PRESENT_POSITION, as);
}

static void torque_switched(struct sts *z)
{
    z->profile.begun = false;
    if (z->regs[FEETECH_TORQUE_ENABLE] == FEETECH_TORQUE_CALIBRATE) {
        calibrate(z, FEETECH_COUNTS_MIDDLE);
        z->regs[FEETECH_TORQUE_ENABLE] = FEETECH_TORQUE_OFF;
    } else if (z->regs[FEETECH_TORQUE_ENABLE] > FEETECH_TORQUE_DAMPED) {
        z->regs[FEETECH_TORQUE_ENABLE] = FEETECH_TORQUE_OFF; /* nothing else means anything */
    }
    if (z->regs[FEETECH_TORQUE_ENABLE] == FEETECH_TORQUE_OFF) { /* it rests: strain is over */
        z->overloaded = z->overloaded && z->c.overload_silences;
        z->strained_ns = z->heavy_ns = STS_NEVER;
    }
}

/* Writes what may be written; a word that is cut off is not. What is out of range is its end. */
static void sts_write(struct sts *z, uint8_t addr, const uint8_t *p, size_t n)
{
    uint8_t wire[FEETECH_TABLE_END];
    memcpy(wire, z->regs, sizeof wire);
    for (size_t i = 0; i < n && addr + i < sizeof wire; i++) {
        wire[addr + i] = p[i];
    }
    for (int k = 0; sts_row_at(k) != NULL; k++) {
        const struct sts_row *row = sts_row_at(k);
        if (!row->writable || row->addr < addr || (size_t)row->addr + row->size > addr + n) {
            continue;
        }
        sts_set(z, row->addr, sts_table_get(wire, row->addr));
        if (row->addr < FEETECH_EEPROM_END && z->regs[FEETECH_LOCK] == 0) {
            memcpy(z->lasting + row->addr, z->regs + row->addr, row->size);
        }
    }
    if (touches(addr, n, FEETECH_TORQUE_ENABLE, 1)) {
        torque_switched(z);
    }
    if (touches(addr, n, FEETECH_GOAL_POSITION, 2) && z->c.goal_turns_on &&
        z->regs[FEETECH_TORQUE_ENABLE] == FEETECH_TORQUE_OFF) {
        z->regs[FEETECH_TORQUE_ENABLE] = FEETECH_TORQUE_ON;
        z->profile.begun = false;
    }
    sts_set(z, FEETECH_GOAL_ECHO, sts_get(z, FEETECH_GOAL_POSITION));
}

/* Beyond the table there are zeros. */
static void answer_read(struct sts *z, uint8_t addr, uint8_t n, int64_t t_ns)
{
    uint8_t data[FEETECH_LEN_MAX] = {0};
    for (unsigned i = 0; i < n && addr + i < FEETECH_TABLE_END; i++) {
        data[i] = z->regs[addr + i];
    }
    sts_answer(z, data, n, t_ns);
}

/* --- instructions --- */

static void on_sync_read(struct sts *z, const uint8_t *p, size_t n, int64_t t_ns, uint32_t baud)
{
    const uint8_t *const ids = p + 2;
    const uint8_t *const own = n > 2 ? memchr(ids, z->regs[FEETECH_ID], n - 2) : NULL;
    if (own == NULL || p[1] > FEETECH_LEN_MAX - 2) {
        return;
    }
    answer_read(z, p[0], p[1], t_ns);
    z->n_before = (int)(own - ids);
    memcpy(z->before, ids, (size_t)z->n_before);
    z->each_bytes = p[1] + (size_t)6;
    z->slot_ns = (int64_t)z->each_bytes * 10 * INT64_C(1000000000) / (int64_t)baud +
                 sts_answer_ns(z, 0) + SLOT_NS;
    if (z->n_before > 0) {
        z->due_ns = z->c.gap == STS_GAP_SKIP ? t_ns + z->n_before * z->slot_ns : STS_NEVER;
    }
}

static void on_sync_write(struct sts *z, const uint8_t *p, size_t n)
{
    const size_t each = n >= 2 ? p[1] : 0;
    for (size_t at = 2; each > 0 && at + 1 + each <= n; at += 1 + each) {
        if (p[at] == z->regs[FEETECH_ID]) {
            sts_write(z, p[0], p + at + 1, each);
        }
    }
}

static void on_reg_write(struct sts *z, const uint8_t *p, size_t n)
{
    if (n >= 2 && n - 1 <= sizeof z->registered) {
        z->registered_addr = p[0];
        z->n_registered = (uint8_t)(n - 1);
        memcpy(z->registered, p + 1, n - 1);
        sts_set(z, FEETECH_REGISTERED, 1);
    }
}

static void on_action(struct sts *z)
{
    const size_t n = z->n_registered;
    z->n_registered = 0;
    sts_set(z, FEETECH_REGISTERED, 0);
    if (n > 0) {
        sts_write(z, z->registered_addr, z->registered, n);
    }
}

static void on_backup(struct sts *z)
{
    memcpy(z->kept, z->lasting, sizeof z->kept);
    z->has_kept = true;
}

/* Those that are answered with an error byte alone. False: there is no such instruction. */
static bool do_simple(struct sts *z, uint8_t instruction, const uint8_t *p, size_t n)
{
    switch (instruction) {
    case FEETECH_WRITE:
        if (n >= 2) {
            sts_write(z, p[0], p + 1, n - 1);
        }
        return true;
    case FEETECH_REG_WRITE:
        on_reg_write(z, p, n);
        return true;
    case FEETECH_ACTION:
        on_action(z);
        return true;
    case FEETECH_RESTORE:
        sts_restore(z);
        return true;
    case FEETECH_RESTART:
        z->restarts = true;
        return true;
    case FEETECH_BACKUP:
        on_backup(z);
        return true;
    case FEETECH_RESET:
        z->profile.begun = false;
        return true;
    case FEETECH_CALIBRATE:
        calibrate(z,
                  n == 2 ? (p[0] + 256 * p[1]) % FEETECH_COUNTS_PER_TURN : FEETECH_COUNTS_MIDDLE);
        return true;
    default:
        return false;
    }
}

/* To all: only pings and sync reads are answered. */
static void do_all(struct sts *z, uint8_t instruction, const uint8_t *p, size_t n, int64_t t_ns,
                   uint32_t baud)
{
    if (instruction == FEETECH_PING) {
        sts_answer(z, NULL, 0, t_ns);
    } else if (instruction == FEETECH_SYNC_READ) {
        on_sync_read(z, p, n, t_ns, baud);
    } else if (instruction == FEETECH_SYNC_WRITE) {
        on_sync_write(z, p, n);
    } else {
        (void)do_simple(z, instruction, p, n);
    }
    if (z->restarts) {
        sts_restart(z, t_ns);
    }
}

static void do_one(struct sts *z, uint8_t instruction, const uint8_t *p, size_t n, int64_t t_ns)
{
    if (instruction == FEETECH_PING) {
        sts_answer(z, NULL, 0, t_ns);
        return;
    }
    if (instruction == FEETECH_READ) {
        if (n == 2 && p[1] <= FEETECH_LEN_MAX - 2) {
            answer_read(z, p[0], p[1], t_ns);
        }
        return;
    }
    const bool known = do_simple(z, instruction, p, n);
    if (known && z->regs[FEETECH_RETURN_LEVEL] != 0) {
        sts_answer(z, NULL, 0, t_ns);
    } else if (z->restarts) {
        sts_restart(z, t_ns);
    }
}

void sts_instruct(struct sts *z, uint8_t id, uint8_t instruction, const uint8_t *p, size_t n,
                  int64_t t_ns, uint32_t baud)
{
    if (id == FEETECH_BROADCAST) {
        do_all(z, instruction, p, n, t_ns, baud);
    } else {
        do_one(z, instruction, p, n, t_ns);
    }
}
