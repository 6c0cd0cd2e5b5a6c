/* What an instruction does to an emulated servo. Source: the maker's e-manual, "Protocol 2.0". */
#include "sim/firmware/dynamixel_inside.h"

#include <string.h>

#define FAST_BYTES_MAX 128             /* of one device's block */
#define SLOT_NS        (3 * NS_PER_MS) /* a ping to all: each id answers in its own */

static void on_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    uint8_t data[256];
    const uint16_t len = n == 4 ? servo_word(p + 2) : 0;
    const uint8_t error = n != 4              ? DXL_ERR_LENGTH
                          : len > sizeof data ? DXL_ERR_ACCESS
                                              : servo_read(z, servo_word(p), len, data);
    servo_answer(z, error, data, error == 0 ? len : 0, t_ns);
}

/* Our place in a list of ids; -1: not in it. */
static int place_in(const uint8_t *ids, size_t n, size_t stride, uint8_t own)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i * stride] == own) {
            return (int)i;
        }
    }
    return -1;
}

/* A list of devices answers in order: ours is ready, and leaves when the statuses before it were
 * heard. */
static void stand_in_line(struct servo *z, int before)
{
    z->before = before;
    z->queued = before > 0;
    if (z->queued) {
        z->due_ns = NEVER;
    }
}

static void on_sync_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = n > 4 ? place_in(p + 4, n - 4, 1, z->regs[DXL_ID]) : -1;
    if (place >= 0) {
        on_read(z, p, 4, t_ns);
        stand_in_line(z, place);
    }
}

static void on_bulk_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = place_in(p, n / 5, 5, z->regs[DXL_ID]);
    if (place >= 0) {
        on_read(z, p + (size_t)place * 5 + 1, 4, t_ns);
        stand_in_line(z, place);
    }
}

/* The first device sends the header and its block, the others append theirs. */
static void begin_fast(struct servo *z, const struct fast_read *f, int64_t t_ns)
{
    if (f->n > FAST_BYTES_MAX || f->before + f->n + 4 > RX_BYTES) {
        return;
    }
    z->fast = *f;
    z->fast.on = true;
    z->n_rx = 0;
    z->n_tx = 1; /* made when it leaves */
    z->queued = f->before > 8;
    z->due_ns = z->queued ? NEVER : servo_answer_ns(z, t_ns);
}

static void on_fast_sync_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = n > 4 ? place_in(p + 4, n - 4, 1, z->regs[DXL_ID]) : -1;
    if (place < 0) {
        return;
    }
    const size_t block = servo_word(p + 2) + 4u;
    const struct fast_read f = {.addr = servo_word(p),
                                .n = servo_word(p + 2),
                                .before = 8 + block * (size_t)place,
                                .data = 1 + block * (n - 4)};
    begin_fast(z, &f, t_ns);
}

static void on_fast_bulk_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = place_in(p, n / 5, 5, z->regs[DXL_ID]);
    if (place < 0) {
        return;
    }
    const uint8_t *own = p + (size_t)place * 5; /* id, address, length */
    struct fast_read f = {
        .addr = servo_word(own + 1), .n = servo_word(own + 3), .before = 8, .data = 1};
    for (size_t i = 0; i < n / 5; i++) {
        const size_t block = servo_word(p + 5 * i + 3) + 4u;
        f.data += block;
        f.before += i < (size_t)place ? block : 0;
    }
    begin_fast(z, &f, t_ns);
}

static void on_sync_write(struct servo *z, const uint8_t *p, size_t n)
{
    const uint16_t len = n >= 4 ? servo_word(p + 2) : 0;
    for (size_t at = 4; len > 0 && at + 1 + len <= n; at += 1u + len) {
        if (p[at] == z->regs[DXL_ID]) {
            (void)servo_write(z, servo_word(p), p + at + 1, len);
        }
    }
}

static void on_bulk_write(struct servo *z, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + 5 <= n && at + 5 + servo_word(p + at + 3) <= n;
         at += 5u + servo_word(p + at + 3)) {
        if (p[at] == z->regs[DXL_ID]) {
            (void)servo_write(z, servo_word(p + at + 1), p + at + 5, servo_word(p + at + 3));
        }
    }
}

static uint8_t on_reg_write(struct servo *z, const uint8_t *p, size_t n)
{
    if (n < 3 || n - 2 > sizeof z->registered) {
        return DXL_ERR_LENGTH;
    }
    const uint8_t error = servo_check_write(z, servo_word(p), p + 2, n - 2);
    if (error == 0) {
        z->registered_addr = servo_word(p);
        z->n_registered = n - 2;
        memcpy(z->registered, p + 2, n - 2);
        servo_set(z, DXL_REGISTERED, 1);
    }
    return error;
}

static uint8_t on_action(struct servo *z)
{
    if (z->n_registered == 0) {
        return DXL_ERR_INSTRUCTION;
    }
    const size_t n = z->n_registered;
    z->n_registered = 0;
    servo_set(z, DXL_REGISTERED, 0);
    return servo_write(z, z->registered_addr, z->registered, n);
}

static uint8_t on_factory_reset(struct servo *z, const uint8_t *p, size_t n, bool broadcast,
                                int64_t t_ns)
{
    const uint8_t id = z->regs[DXL_ID], baud = z->regs[DXL_BAUD];
    if (n < 1 || (p[0] != 0xFF && p[0] != 1 && p[0] != 2) || (p[0] == 0xFF && broadcast)) {
        return DXL_ERR_RESULT;
    }
    table_factory(z->regs, z->c.model, z->c.firmware);
    z->regs[DXL_ID] = p[0] == 0xFF ? 1 : id;
    z->regs[DXL_BAUD] = p[0] == 2 ? baud : 1;
    servo_power_up(z, t_ns);
    return 0;
}

/* The multi-turn count: the present position comes back into one turn. */
static uint8_t on_clear(struct servo *z, const uint8_t *p, size_t n)
{
    static const uint8_t key[] = {0x01, 0x44, 0x58, 0x4C, 0x22};
    if (n != sizeof key || memcmp(p, key, sizeof key) != 0) {
        return DXL_ERR_RANGE;
    }
    if (z->regs[DXL_MOVING] != 0) {
        return DXL_ERR_RESULT;
    }
    z->turns_due = true;
    return 0;
}

/* 1: the non-volatile registers aside, 2: back again, and start anew. */
static uint8_t on_backup(struct servo *z, const uint8_t *p, size_t n)
{
    static const uint8_t key[] = {0x43, 0x54, 0x52, 0x4C};
    if (n != 5 || memcmp(p + 1, key, sizeof key) != 0 || p[0] < 1 || p[0] > 2) {
        return DXL_ERR_RANGE;
    }
    if (z->regs[DXL_TORQUE_ENABLE] != 0) {
        return DXL_ERR_ACCESS;
    }
    if (p[0] == 1) {
        memcpy(z->backup, z->regs, sizeof z->backup);
        z->backed_up = true;
        return 0;
    }
    if (!z->backed_up) {
        return DXL_ERR_RESULT;
    }
    memcpy(z->regs, z->backup, sizeof z->backup);
    z->reboots = true;
    return 0;
}

/* Instructions that are answered with an error byte alone. */
static uint8_t do_simple(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n,
                         bool broadcast, int64_t t_ns)
{
    switch (instruction) {
    case DXL_WRITE:
        return n < 3 ? DXL_ERR_LENGTH : servo_write(z, servo_word(p), p + 2, n - 2);
    case DXL_REG_WRITE:
        return on_reg_write(z, p, n);
    case DXL_ACTION:
        return on_action(z);
    case DXL_FACTORY_RESET:
        return on_factory_reset(z, p, n, broadcast, t_ns);
    case DXL_REBOOT:
        z->reboots = true;
        return 0;
    case DXL_CLEAR:
        return on_clear(z, p, n);
    case DXL_BACKUP:
        return on_backup(z, p, n);
    default:
        return DXL_ERR_INSTRUCTION;
    }
}

static void do_list_read(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n,
                         int64_t t_ns)
{
    switch (instruction) {
    case DXL_SYNC_READ:
        on_sync_read(z, p, n, t_ns);
        break;
    case DXL_FAST_SYNC_READ:
        on_fast_sync_read(z, p, n, t_ns);
        break;
    case DXL_BULK_READ:
        on_bulk_read(z, p, n, t_ns);
        break;
    case DXL_FAST_BULK_READ:
        on_fast_bulk_read(z, p, n, t_ns);
        break;
    default:
        break;
    }
}

static bool is_list_read(uint8_t instruction)
{
    return instruction == DXL_SYNC_READ || instruction == DXL_FAST_SYNC_READ ||
           instruction == DXL_BULK_READ || instruction == DXL_FAST_BULK_READ;
}

/* To all: only lists are answered, and pings, elsewhere. */
static void do_broadcast(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n,
                         int64_t t_ns)
{
    if (is_list_read(instruction)) {
        if (servo_may_answer(z, instruction)) {
            do_list_read(z, instruction, p, n, t_ns);
        }
        return;
    }
    if (instruction == DXL_SYNC_WRITE) {
        on_sync_write(z, p, n);
    } else if (instruction == DXL_BULK_WRITE) {
        on_bulk_write(z, p, n);
    } else {
        (void)do_simple(z, instruction, p, n, true, t_ns);
    }
    if (z->reboots) {
        servo_reboot(z, t_ns);
    }
}

static void do_one(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n, int64_t t_ns)
{
    if (instruction == DXL_READ) {
        if (servo_may_answer(z, instruction)) {
            on_read(z, p, n, t_ns);
        }
        return;
    }
    const uint8_t error = do_simple(z, instruction, p, n, false, t_ns);
    if (servo_may_answer(z, instruction)) {
        servo_answer(z, error, NULL, 0, t_ns);
    } else if (z->reboots) {
        servo_reboot(z, t_ns);
    }
}

void servo_hush(struct servo *z)
{
    z->queued = z->fast.on = false;
    z->n_tx = 0;
    z->due_ns = NEVER;
}

void servo_instruct(struct servo *z, uint8_t id, uint8_t instruction, const uint8_t *p, size_t n,
                    int64_t t_ns)
{
    const bool broadcast = id == DXL_BROADCAST;
    z->heard_ns = t_ns;
    servo_hush(z);
    if (instruction == DXL_PING && (broadcast || id == z->regs[DXL_ID])) {
        const uint8_t info[3] = {z->regs[DXL_MODEL], z->regs[DXL_MODEL + 1], z->regs[DXL_FIRMWARE]};
        servo_answer(z, 0, info, sizeof info, t_ns);
        z->due_ns += broadcast ? z->regs[DXL_ID] * SLOT_NS : 0;
    } else if (broadcast) {
        do_broadcast(z, instruction, p, n, t_ns);
    } else if (id == z->regs[DXL_ID]) {
        do_one(z, instruction, p, n, t_ns);
    }
}
