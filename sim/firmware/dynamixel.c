/*
 * An emulated X-series servo, Protocol 2.0: its own decoder, control table, watchdog and position controller. Everything
 * it knows of the body comes through step(); everything the host knows of it through rx() and tx().
 *
 * The position controller as the body gets it: torque = kp (goal - q) - kd qd, limited to |Goal PWM| / 885 of the stall
 * torque. Register P: P/128 PWM units a count; register D: D/16 PWM units per count and millisecond.
 */
#include "sim/firmware/device.h"
#include "sim/firmware/dynamixel_table.h"

#include "daemon/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RX_BYTES      768
#define TX_BYTES      768
#define BOOT_NS       INT64_C(500000000)
#define NS_PER_MS     INT64_C(1000000)
#define GAP_NS        INT64_C(1500000) /* between two bytes of one packet; a longer pause drops it */
#define TURNAROUND_NS INT64_C(20000) /* from the last bit in to the first bit out, beside the return delay */
#define NEVER         INT64_MAX

enum watchdog { WATCHDOG_BRAKE, WATCHDOG_OFF, WATCHDOG_HOLD, WATCHDOG_KEEPS_GOING, WATCHDOG_NONE };

static const char *const watchdog_names[] = {"brake", "off", "hold", "keeps_going", "none", NULL};

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
    int64_t heard_ns;          /* last instruction of any kind, for the watchdog */
    int64_t line_ns;           /* when the line was last busy: a pause ends whatever was begun */
    bool tripped;              /* by the watchdog */
    double trip_q;             /* where it stood then */
    bool overloaded, browned;  /* the faults on demand have happened */
    double goal_rad, goal_rad_s; /* where the profile is now */
    bool profiled;             /* goal_rad follows the register */
    uint8_t rx[RX_BYTES];
    size_t n_rx;
    int64_t due_ns;            /* of the answer in tx */
    uint8_t tx[TX_BYTES];
    size_t n_tx;
    /* waiting for the answers of others before ours */
    bool queued;
    int before;                /* statuses still to come */
    bool fast;
    uint16_t fast_addr, fast_len;
    int fast_index, fast_n;    /* our place among the devices of a fast request, and how many */
    uint8_t registered[64];
    size_t n_registered;
    uint16_t registered_addr;
};

/* clang-format off */
#define AT(field) offsetof(struct dxl_device_config, field)
static const struct option device_options[] = {
    {.key = "model", .type = OPTION_INT, .offset = AT(model), .min = 0, .max = 65535, .def = "1060", .help = "model number; 1060 is an XL430-W250"},
    {.key = "firmware", .type = OPTION_INT, .offset = AT(firmware), .min = 1, .max = 255, .def = "45", .help = "firmware version"},
    {.key = "watchdog", .type = OPTION_CHOICE, .offset = AT(watchdog), .def = "brake", .choices = watchdog_names, .help = "what a tripped bus watchdog does to the motor"},
    {.key = "factory_new", .type = OPTION_BOOL, .offset = AT(factory_new), .def = "false", .help = "as delivered: id 1, 57600 baud, return delay 500 us"},
    {.key = "noise", .type = OPTION_DOUBLE, .offset = AT(noise), .min = 0, .max = 100, .def = "1", .help = "scale of sensor noise"},
    {.key = "overload_at_s", .type = OPTION_DOUBLE, .offset = AT(overload_at_s), .min = 0, .max = 1e9, .def = "0", .help = "latches an overload error then; 0: never"},
    {.key = "brownout_at_s", .type = OPTION_DOUBLE, .offset = AT(brownout_at_s), .min = 0, .max = 1e9, .def = "0", .help = "loses power for a moment then; 0: never"},
    {.key = NULL},
};
/* clang-format on */

static const uint32_t bauds[] = {9600, 57600, 115200, 1000000, 2000000, 3000000, 4000000, 4500000};

static int64_t get(const struct servo *z, uint16_t addr)
{
    return table_get(z->regs, addr);
}

static void set(struct servo *z, uint16_t addr, int64_t v)
{
    table_put(z->regs, addr, v);
}

static void power_up(struct servo *z, int64_t t_ns)
{
    table_power_up(z->regs, z->c.model);
    z->boot_ns = t_ns;
    z->silent_until_ns = t_ns;
    z->tripped = z->queued = z->profiled = false;
    z->n_rx = z->n_tx = z->n_registered = 0;
    z->due_ns = NEVER;
    z->heard_ns = t_ns;
}

static void reboot(struct servo *z, int64_t t_ns)
{
    power_up(z, t_ns + BOOT_NS);
    z->silent_until_ns = t_ns + BOOT_NS;
}

static void servo_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    static const struct dxl_device_config plain = {.model = DXL_XL430_W250, .firmware = 45, .noise = 1.0};
    struct servo *z = ret_state;
    const struct joint_spec *j = &robot->joint[joint];
    memset(z, 0, sizeof *z);
    z->c = config != NULL ? *(const struct dxl_device_config *)config : plain;
    z->joint = joint;
    z->sign = j->sign;
    z->gear = j->gear;
    z->zero_rad = j->zero_rad;
    z->tau_stall_nm = isfinite(j->tau_stall) ? j->tau_stall : 1.0;
    rng_child(&z->rng, (uint64_t)joint + 1, "servo noise");
    table_factory(z->regs, z->c.model, z->c.firmware);
    if (!z->c.factory_new) {
        const uint32_t baud = j->bus >= 0 ? (uint32_t)robot->bus[j->bus].baud : 1000000;
        set(z, DXL_ID, j->id);
        set(z, DXL_RETURN_DELAY, 0);
        for (int code = 0; code < 8; code++) {
            if (bauds[code] == baud) {
                set(z, DXL_BAUD, code);
            }
        }
    }
    power_up(z, 0);
    set(z, DXL_PRESENT_POSITION, DXL_COUNTS_MIDDLE);
    set(z, DXL_PRESENT_VOLTAGE, 111);
    set(z, DXL_PRESENT_TEMPERATURE, 25);
}

/* --- answers --------------------------------------------------------------------------------------------------- */

/* The manual's CRC-16 (polynomial 0x8005), by the bit. */
static uint16_t crc16(uint16_t crc, const uint8_t *p, size_t n)
{
    while (n-- > 0) {
        uint16_t bit = 0x80;
        const uint8_t byte = *p++;
        while (bit != 0) {
            const bool out = ((crc & 0x8000) != 0) != ((byte & bit) != 0);
            crc = (uint16_t)(crc << 1);
            if (out) {
                crc ^= 0x8005;
            }
            bit >>= 1;
        }
    }
    return crc;
}

static uint8_t alert(const struct servo *z)
{
    return z->regs[DXL_HARDWARE_ERROR] != 0 ? DXL_ALERT : 0;
}

/* Our status into tx, to leave after the return delay (or after the others, when queued). */
static void answer(struct servo *z, uint8_t error, const uint8_t *params, size_t n, int64_t t_ns)
{
    uint8_t *p = z->tx;
    size_t at = 0;
    const uint8_t head[] = {0xFF, 0xFF, 0xFD, 0x00, z->regs[DXL_ID], 0, 0, DXL_STATUS, (uint8_t)(error | alert(z))};
    memcpy(p, head, sizeof head);
    at = sizeof head;
    int run = 0; /* how much of FF FF FD has just been sent */
    for (size_t i = 0; i < n; i++) {
        p[at++] = params[i];
        run = params[i] == 0xFF ? (run >= 2 ? 2 : run + 1) : (params[i] == 0xFD && run == 2 ? 3 : 0);
        if (run == 3) {
            p[at++] = 0xFD;
            run = 0;
        }
    }
    const size_t len = at - 7 + 2;
    p[5] = (uint8_t)len;
    p[6] = (uint8_t)(len >> 8);
    const uint16_t crc = crc16(0, p, at);
    p[at++] = (uint8_t)crc;
    p[at++] = (uint8_t)(crc >> 8);
    z->n_tx = at;
    z->due_ns = t_ns + TURNAROUND_NS + get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
}

/* Status Return Level: 0 answers ping only, 1 reads too, 2 all. */
static bool may_answer(const struct servo *z, uint8_t instruction)
{
    const int64_t level = get(z, DXL_STATUS_LEVEL);
    const bool reads = instruction == DXL_READ || instruction == DXL_SYNC_READ || instruction == DXL_FAST_SYNC_READ ||
                       instruction == DXL_BULK_READ;
    return instruction == DXL_PING || level == 2 || (level == 1 && reads);
}

/* --- the control table over the wire --------------------------------------------------------------------------------- */

static uint8_t read_table(struct servo *z, uint16_t addr, uint16_t len, uint8_t *ret_bytes)
{
    for (uint16_t i = 0; i < len; i++) {
        if (addr + i >= DXL_TABLE_END || len > 256) {
            return DXL_ERR_ACCESS;
        }
        ret_bytes[i] = z->regs[addr + i];
    }
    if (!table_has(addr, z->c.model)) {
        return DXL_ERR_ACCESS;
    }
    if (z->tripped && addr <= DXL_WATCHDOG && addr + len > DXL_WATCHDOG) {
        ret_bytes[DXL_WATCHDOG - addr] = 0xFF; /* reads -1 after a trip */
    }
    return 0;
}

static bool is_goal(uint16_t addr)
{
    return addr == DXL_GOAL_PWM || addr == DXL_GOAL_CURRENT || addr == DXL_GOAL_VELOCITY || addr == DXL_GOAL_POSITION;
}

static uint8_t check_limits(const struct servo *z, uint16_t addr, int64_t v)
{
    const int64_t mode = get(z, DXL_MODE);
    if (addr == DXL_GOAL_POSITION && mode == DXL_MODE_POSITION &&
        (v < get(z, DXL_POSITION_MIN) || v > get(z, DXL_POSITION_MAX))) {
        return DXL_ERR_LIMIT;
    }
    if (addr == DXL_GOAL_PWM && llabs(v) > get(z, DXL_PWM_LIMIT)) {
        return DXL_ERR_LIMIT;
    }
    if ((addr == DXL_GOAL_VELOCITY || addr == DXL_PROFILE_VELOCITY) && llabs(v) > get(z, DXL_VELOCITY_LIMIT)) {
        return DXL_ERR_LIMIT;
    }
    return 0;
}

static int64_t value_at(const struct table_row *row, const uint8_t *p)
{
    uint64_t u = 0;
    for (int i = 0; i < row->size; i++) {
        u |= (uint64_t)p[i] << (8 * i);
    }
    if (row->is_signed) {
        return row->size == 2 ? (int16_t)u : (int32_t)(uint32_t)u;
    }
    return (int64_t)u;
}

static uint8_t check_write(const struct servo *z, uint16_t addr, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        const uint16_t here = (uint16_t)(addr + at);
        if (here >= 168 && here < 252) {
            at++;
            continue;
        }
        const struct table_row *row = table_find(here);
        if (row == NULL || !row->writable || !table_has(here, z->c.model)) {
            return DXL_ERR_ACCESS;
        }
        if (here < DXL_EEPROM_END && z->regs[DXL_TORQUE_ENABLE] != 0) {
            return DXL_ERR_ACCESS;
        }
        if (at + row->size > n) {
            return DXL_ERR_LENGTH;
        }
        const int64_t v = value_at(row, p + at);
        if (v < row->min || v > row->max || (z->tripped && is_goal(here))) {
            return DXL_ERR_RANGE;
        }
        const uint8_t limit = check_limits(z, here, v);
        if (limit != 0) {
            return limit;
        }
        at += row->size;
    }
    return 0;
}

static void mode_changed(struct servo *z)
{
    uint8_t kept[DXL_TABLE_END];
    memcpy(kept, z->regs, sizeof kept);
    table_power_up(z->regs, z->c.model); /* gains, profile and goals of the mode's defaults */
    for (uint16_t a = DXL_TICK; a < 160; a++) {
        z->regs[a] = kept[a];
    }
    z->regs[DXL_STATUS_LEVEL] = kept[DXL_STATUS_LEVEL];
    z->regs[DXL_HARDWARE_ERROR] = kept[DXL_HARDWARE_ERROR];
    z->regs[DXL_LED] = kept[DXL_LED];
}

static void torque_changed(struct servo *z)
{
    z->profiled = false;
    if (z->regs[DXL_HARDWARE_ERROR] != 0) {
        z->regs[DXL_TORQUE_ENABLE] = 0; /* a latched error lets nothing turn on */
    }
}

static uint8_t write_table(struct servo *z, uint16_t addr, const uint8_t *p, size_t n)
{
    const uint8_t error = check_write(z, addr, p, n);
    if (error != 0) {
        return error;
    }
    const uint8_t mode = z->regs[DXL_MODE];
    memcpy(z->regs + addr, p, n);
    if (addr <= DXL_WATCHDOG && addr + n > DXL_WATCHDOG) {
        z->tripped = false;
    }
    if (z->regs[DXL_MODE] != mode) {
        mode_changed(z);
    }
    if (addr <= DXL_TORQUE_ENABLE && addr + n > DXL_TORQUE_ENABLE) {
        torque_changed(z);
    }
    return 0;
}

/* --- instructions ------------------------------------------------------------------------------------------------ */

static uint16_t word(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static void on_read(struct servo *z, uint16_t addr, uint16_t len, int64_t t_ns)
{
    uint8_t data[256];
    const uint8_t error = len <= sizeof data ? read_table(z, addr, len, data) : DXL_ERR_ACCESS;
    answer(z, error, data, error == 0 ? len : 0, t_ns);
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

/* A list of devices answers in order: ours is ready, and leaves when the statuses before it were heard. */
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
        on_read(z, word(p), word(p + 2), t_ns);
        stand_in_line(z, place);
    }
}

static void on_bulk_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = place_in(p, n / 5, 5, z->regs[DXL_ID]);
    if (place >= 0) {
        on_read(z, word(p + 5 * place + 1), word(p + 5 * place + 3), t_ns);
        stand_in_line(z, place);
    }
}

/*
 * A fast sync read is one packet made by all: the first device sends header and its block, the others append theirs; each
 * block ends with the CRC over everything so far, which is why everyone listens.
 */
static void on_fast_sync_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = n > 4 ? place_in(p + 4, n - 4, 1, z->regs[DXL_ID]) : -1;
    if (place < 0 || word(p + 2) > 128) {
        return;
    }
    z->fast = true;
    z->fast_addr = word(p);
    z->fast_len = word(p + 2);
    z->fast_index = place;
    z->fast_n = (int)(n - 4);
    z->n_rx = 0;
    z->queued = place > 0;
    z->due_ns = place > 0 ? NEVER : t_ns + TURNAROUND_NS + get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
    z->n_tx = 1; /* made when it leaves */
}

static void make_fast(struct servo *z)
{
    const size_t block = (size_t)z->fast_len + 4;
    uint8_t *packet = z->rx; /* what the others have sent so far lies here */
    size_t at = z->n_rx;
    if (z->fast_index == 0) {
        const size_t len = 1 + block * (size_t)z->fast_n;
        const uint8_t head[] = {0xFF, 0xFF, 0xFD, 0x00, DXL_BROADCAST, (uint8_t)len, (uint8_t)(len >> 8), DXL_STATUS};
        memcpy(packet, head, sizeof head);
        at = sizeof head;
    }
    const size_t from = z->fast_index == 0 ? 0 : at;
    packet[at++] = alert(z);
    packet[at++] = z->regs[DXL_ID];
    (void)read_table(z, z->fast_addr, z->fast_len, packet + at);
    at += z->fast_len;
    const uint16_t crc = crc16(0, packet, at);
    packet[at++] = (uint8_t)crc;
    packet[at++] = (uint8_t)(crc >> 8);
    z->n_tx = at - from;
    memcpy(z->tx, packet + from, z->n_tx);
    z->n_rx = 0;
    z->fast = false;
}

static void on_sync_write(struct servo *z, const uint8_t *p, size_t n)
{
    const uint16_t len = n >= 4 ? word(p + 2) : 0;
    for (size_t at = 4; len > 0 && at + 1 + len <= n; at += 1u + len) {
        if (p[at] == z->regs[DXL_ID]) {
            (void)write_table(z, word(p), p + at + 1, len);
        }
    }
}

static void on_bulk_write(struct servo *z, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + 5 <= n && at + 5 + word(p + at + 3) <= n; at += 5u + word(p + at + 3)) {
        if (p[at] == z->regs[DXL_ID]) {
            (void)write_table(z, word(p + at + 1), p + at + 5, word(p + at + 3));
        }
    }
}

static uint8_t on_reg_write(struct servo *z, const uint8_t *p, size_t n)
{
    if (n < 3 || n - 2 > sizeof z->registered) {
        return DXL_ERR_LENGTH;
    }
    const uint8_t error = check_write(z, word(p), p + 2, n - 2);
    if (error == 0) {
        z->registered_addr = word(p);
        z->n_registered = n - 2;
        memcpy(z->registered, p + 2, n - 2);
        set(z, DXL_REGISTERED, 1);
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
    set(z, DXL_REGISTERED, 0);
    return write_table(z, z->registered_addr, z->registered, n);
}

static uint8_t on_factory_reset(struct servo *z, const uint8_t *p, size_t n, bool broadcast, int64_t t_ns)
{
    const uint8_t id = z->regs[DXL_ID], baud = z->regs[DXL_BAUD];
    if (n < 1 || (p[0] == 0xFF && broadcast)) {
        return DXL_ERR_RESULT;
    }
    table_factory(z->regs, z->c.model, z->c.firmware);
    z->regs[DXL_ID] = p[0] == 0xFF ? 1 : id;
    z->regs[DXL_BAUD] = p[0] == 2 ? baud : 1;
    power_up(z, t_ns);
    return 0;
}

/* Turns are counted from the encoder; clearing them brings the present position back into one turn. */
static uint8_t on_clear(struct servo *z, const uint8_t *p, size_t n)
{
    static const uint8_t key[] = {0x01, 0x44, 0x58, 0x4C, 0x22};
    if (n != sizeof key || memcmp(p, key, sizeof key) != 0) {
        return DXL_ERR_RANGE;
    }
    return z->regs[DXL_MOVING] != 0 ? DXL_ERR_RESULT : 0;
}

/* Instructions that are answered with an error byte alone; -1: none of them. */
static int do_simple(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n, bool broadcast, int64_t t_ns)
{
    switch (instruction) {
    case DXL_WRITE:
        return n < 3 ? DXL_ERR_LENGTH : write_table(z, word(p), p + 2, n - 2);
    case DXL_REG_WRITE:
        return on_reg_write(z, p, n);
    case DXL_ACTION:
        return on_action(z);
    case DXL_FACTORY_RESET:
        return on_factory_reset(z, p, n, broadcast, t_ns);
    case DXL_CLEAR:
        return on_clear(z, p, n);
    case DXL_BACKUP:
        return z->regs[DXL_TORQUE_ENABLE] != 0 ? DXL_ERR_ACCESS : 0;
    default:
        return -1;
    }
}

static void do_broadcast(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n, int64_t t_ns)
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
    case DXL_SYNC_WRITE:
        on_sync_write(z, p, n);
        break;
    case DXL_BULK_WRITE:
        on_bulk_write(z, p, n);
        break;
    case DXL_REBOOT:
        reboot(z, t_ns);
        break;
    default:
        (void)do_simple(z, instruction, p, n, true, t_ns);
        break;
    }
}

static void instruct(struct servo *z, uint8_t id, uint8_t instruction, const uint8_t *p, size_t n, int64_t t_ns)
{
    const bool broadcast = id == DXL_BROADCAST;
    z->heard_ns = t_ns;
    z->queued = z->fast = false;
    z->due_ns = NEVER;
    if (instruction == DXL_PING && (broadcast || id == z->regs[DXL_ID])) {
        const uint8_t info[3] = {z->regs[0], z->regs[1], z->regs[DXL_FIRMWARE]};
        answer(z, 0, info, sizeof info, t_ns);
        z->due_ns += broadcast ? z->regs[DXL_ID] * 3 * NS_PER_MS : 0; /* each id in its own slot */
        return;
    }
    if (broadcast) {
        do_broadcast(z, instruction, p, n, t_ns);
        return;
    }
    if (id != z->regs[DXL_ID]) {
        return;
    }
    if (instruction == DXL_READ && n >= 4) {
        if (may_answer(z, instruction)) {
            on_read(z, word(p), word(p + 2), t_ns);
        }
        return;
    }
    if (instruction == DXL_REBOOT) {
        answer(z, 0, NULL, 0, t_ns);
        return; /* goes silent once that has left */
    }
    const int error = do_simple(z, instruction, p, n, false, t_ns);
    if (may_answer(z, instruction)) {
        answer(z, error >= 0 ? (uint8_t)error : DXL_ERR_INSTRUCTION, NULL, 0, t_ns);
    }
}

/* --- the line ---------------------------------------------------------------------------------------------------- */

static void drop(struct servo *z, size_t n)
{
    z->n_rx -= n;
    memmove(z->rx, z->rx + n, z->n_rx);
}

/* Someone's status was heard: one less before ours. */
static void heard_status(struct servo *z, int64_t t_ns)
{
    if (z->queued && !z->fast && --z->before <= 0) {
        z->queued = false;
        z->due_ns = t_ns + TURNAROUND_NS + get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
    }
}

static void whole_packet(struct servo *z, size_t total, int64_t t_ns)
{
    uint8_t params[RX_BYTES];
    const uint8_t id = z->rx[4], instruction = z->rx[7];
    if (crc16(0, z->rx, total - 2) != word(z->rx + total - 2)) {
        drop(z, total);
        if (id == z->regs[DXL_ID] && instruction != DXL_STATUS && may_answer(z, instruction)) {
            z->due_ns = NEVER;
            answer(z, DXL_ERR_CRC, NULL, 0, t_ns);
        }
        return;
    }
    size_t n = 0;
    int run = 0;
    for (size_t i = 8; i < total - 2; i++) {
        const uint8_t byte = z->rx[i];
        if (run == 3 && byte == 0xFD) {
            run = 0;
            continue; /* stuffing */
        }
        params[n++] = byte;
        run = byte == 0xFF ? (run >= 1 && run <= 2 ? 2 : 1) : (byte == 0xFD && run == 2 ? 3 : 0);
    }
    drop(z, total);
    if (instruction == DXL_STATUS) {
        heard_status(z, t_ns);
    } else {
        instruct(z, id, instruction, params, n, t_ns);
    }
}

static void servo_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    static const uint8_t header[4] = {0xFF, 0xFF, 0xFD, 0x00};
    struct servo *z = state;
    const uint32_t own = bauds[z->regs[DXL_BAUD] & 7];
    if (t_ns < z->silent_until_ns || (baud > own ? baud - own : own - baud) > own / 33) {
        z->n_rx = 0; /* booting, or at another rate: noise */
        return;
    }
    const int64_t begun_ns = t_ns - (int64_t)n * 10 * INT64_C(1000000000) / (int64_t)baud;
    if (begun_ns - z->line_ns > GAP_NS && !z->fast) {
        z->n_rx = 0;
    }
    z->line_ns = t_ns;
    if (z->n_rx + n > sizeof z->rx) {
        z->n_rx = 0;
        return;
    }
    memcpy(z->rx + z->n_rx, bytes, n);
    z->n_rx += n;
    if (z->fast && z->queued) {
        const size_t before = 8 + (size_t)z->fast_index * ((size_t)z->fast_len + 4);
        if (z->n_rx >= before) { /* all blocks before ours are on the line */
            z->queued = false;
            z->due_ns = t_ns;
        }
        return;
    }
    while (z->n_rx >= 4) {
        if (memcmp(z->rx, header, sizeof header) != 0) {
            drop(z, 1);
            continue;
        }
        const size_t total = z->n_rx >= 7 ? (size_t)word(z->rx + 5) + 7 : 0;
        if (z->n_rx >= 7 && (total < 10 || total > sizeof z->rx)) {
            drop(z, 1);
            continue;
        }
        if (z->n_rx < 7 || z->n_rx < total) {
            return;
        }
        whole_packet(z, total, t_ns);
        if (z->fast) {
            return;
        }
    }
}

static int64_t servo_due(const void *state)
{
    const struct servo *z = state;
    return z->n_tx > 0 ? z->due_ns : NEVER;
}

static int servo_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    struct servo *z = state;
    if (z->fast) {
        make_fast(z);
    }
    const size_t n = z->n_tx <= cap ? z->n_tx : 0;
    memcpy(ret_bytes, z->tx, n);
    z->n_tx = 0;
    z->due_ns = NEVER;
    (void)t_ns;
    return (int)n;
}

/* --- motion ------------------------------------------------------------------------------------------------------ */

static double from_counts(const struct servo *z, double counts)
{
    return z->sign * ((counts - DXL_COUNTS_MIDDLE) * DXL_RAD_PER_COUNT - z->zero_rad) / z->gear;
}

static double noisy(struct servo *z, double sd)
{
    return z->c.noise > 0.0 ? z->c.noise * sd * rng_normal(&z->rng) : 0.0;
}

/* What the sensors see, in the device's units: half a count of jitter, velocity in whole units. */
static void sense(struct servo *z, const struct sensed *s)
{
    const int j = z->joint;
    const double device = z->sign * s->q[j] * z->gear + z->zero_rad;
    const double counts = device / DXL_RAD_PER_COUNT + DXL_COUNTS_MIDDLE + noisy(z, 0.3);
    const double rate = z->sign * s->qd[j] * z->gear / DXL_RAD_S_PER_UNIT + noisy(z, 0.5);
    const double load = z->tau_stall_nm > 0.0 ? z->sign * s->tau[j] / z->tau_stall_nm : 0.0;
    const bool has_current = table_has(DXL_GOAL_CURRENT, z->c.model);
    set(z, DXL_PRESENT_POSITION, (int64_t)floor(counts + 0.5));
    set(z, DXL_PRESENT_VELOCITY, (int64_t)floor(rate + 0.5));
    set(z, DXL_PRESENT_CURRENT, (int64_t)floor(load * (has_current ? 855.0 : 1000.0) + noisy(z, 3.0) + 0.5));
    set(z, DXL_PRESENT_PWM, (int64_t)floor(load * DXL_PWM_FULL + 0.5));
    set(z, DXL_MOVING, fabs(rate) > (double)get(z, DXL_MOVING_THRESHOLD) ? 1 : 0);
    set(z, DXL_TICK, (z->now_ns - z->boot_ns) / NS_PER_MS % DXL_TICK_MODULO);
    if (isfinite(s->volt_v[j])) {
        set(z, DXL_PRESENT_VOLTAGE, (int64_t)floor((double)s->volt_v[j] * 10.0 + 0.5));
    }
    if (isfinite(s->temp_c[j])) {
        set(z, DXL_PRESENT_TEMPERATURE, (int64_t)floor((double)s->temp_c[j] + 0.5));
    }
}

static void shut_down(struct servo *z, uint8_t error)
{
    z->regs[DXL_HARDWARE_ERROR] |= error;
    if ((z->regs[DXL_HARDWARE_ERROR] & z->regs[DXL_SHUTDOWN]) != 0) {
        z->regs[DXL_TORQUE_ENABLE] = 0;
        z->profiled = false;
    }
}

static void faults_on_demand(struct servo *z)
{
    const double now_s = (double)z->now_ns * 1e-9;
    if (z->c.overload_at_s > 0.0 && now_s >= z->c.overload_at_s && !z->overloaded) {
        z->overloaded = true;
        shut_down(z, 0x20);
    }
    if (z->c.brownout_at_s > 0.0 && now_s >= z->c.brownout_at_s && !z->browned) {
        z->browned = true;
        reboot(z, z->now_ns);
    }
    if (z->regs[DXL_PRESENT_TEMPERATURE] > z->regs[DXL_TEMP_LIMIT]) {
        shut_down(z, 0x04);
    }
}

static void watch_bus(struct servo *z, const struct sensed *s)
{
    const int64_t units = get(z, DXL_WATCHDOG);
    if (units == 0 || z->tripped || z->regs[DXL_TORQUE_ENABLE] == 0 || z->c.watchdog == WATCHDOG_NONE ||
        z->now_ns - z->heard_ns <= units * DXL_WATCHDOG_MS * NS_PER_MS) {
        return;
    }
    z->tripped = true;
    z->trip_q = s->q[z->joint];
    set(z, DXL_PROFILE_ACCELERATION, 0);
    set(z, DXL_PROFILE_VELOCITY, 0);
    if (z->c.watchdog == WATCHDOG_OFF) {
        z->regs[DXL_TORQUE_ENABLE] = 0;
    }
}

/* The goal that the controller follows: the register, at most at the profile's velocity and acceleration. */
static void follow_profile(struct servo *z, double goal, double q, double dt_s)
{
    const double v_max = (double)get(z, DXL_PROFILE_VELOCITY) * DXL_RAD_S_PER_UNIT / z->gear;
    const double a_max = (double)get(z, DXL_PROFILE_ACCELERATION) * DXL_RAD_S2_PER_UNIT / z->gear;
    if (!z->profiled) {
        z->goal_rad = q;
        z->goal_rad_s = 0.0;
        z->profiled = true;
    }
    if (v_max <= 0.0) {
        z->goal_rad = goal;
        return;
    }
    double v = (goal - z->goal_rad) / dt_s;
    const double stop = a_max > 0.0 ? sqrt(2.0 * a_max * fabs(goal - z->goal_rad)) : v_max;
    const double most = stop < v_max ? stop : v_max;
    v = fabs(v) > most ? copysign(most, v) : v;
    if (a_max > 0.0 && v > z->goal_rad_s + a_max * dt_s) {
        v = z->goal_rad_s + a_max * dt_s;
    }
    if (a_max > 0.0 && v < z->goal_rad_s - a_max * dt_s) {
        v = z->goal_rad_s - a_max * dt_s;
    }
    z->goal_rad += v * dt_s;
    z->goal_rad_s = v;
}

static void command_position(struct servo *z, struct command *cmd)
{
    const int j = z->joint;
    const double full_nm_rad = z->tau_stall_nm * z->gear / (DXL_PWM_FULL * DXL_RAD_PER_COUNT);
    cmd->mode[j] = MODE_POSITION;
    cmd->q[j] = z->goal_rad;
    cmd->qd[j] = 0.0;
    cmd->kp[j] = (double)get(z, DXL_POSITION_P) / 128.0 * full_nm_rad;
    cmd->kd[j] = (double)get(z, DXL_POSITION_D) / 16.0 * full_nm_rad / 1000.0;
}

static void command_other(const struct servo *z, struct command *cmd)
{
    const int j = z->joint;
    if (z->regs[DXL_MODE] == DXL_MODE_VELOCITY) {
        cmd->mode[j] = MODE_VELOCITY;
        cmd->qd[j] = z->sign * (double)get(z, DXL_GOAL_VELOCITY) * DXL_RAD_S_PER_UNIT / z->gear;
        return;
    }
    const bool pwm = z->regs[DXL_MODE] == DXL_MODE_PWM;
    const double frac = pwm ? (double)get(z, DXL_GOAL_PWM) / DXL_PWM_FULL : (double)get(z, DXL_GOAL_CURRENT) / 855.0;
    cmd->mode[j] = MODE_EFFORT;
    cmd->tau[j] = z->sign * frac * z->tau_stall_nm;
}

static void servo_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct servo *z = state;
    const int j = z->joint;
    const double dt_s = (double)(t_ns - z->now_ns) * 1e-9;
    const bool was_booting = t_ns < z->silent_until_ns;
    z->now_ns = t_ns;
    faults_on_demand(z);
    sense(z, s);
    watch_bus(z, s);
    ret_cmd->tau_max[j] = fabs((double)get(z, DXL_GOAL_PWM)) / DXL_PWM_FULL * z->tau_stall_nm;
    if (z->regs[DXL_TORQUE_ENABLE] == 0 || was_booting || t_ns < z->silent_until_ns) {
        ret_cmd->mode[j] = MODE_OFF;
        ret_cmd->tau_max[j] = 0.0;
        return;
    }
    const uint8_t mode = z->regs[DXL_MODE];
    const bool stopped = z->tripped && (z->c.watchdog == WATCHDOG_BRAKE || z->c.watchdog == WATCHDOG_HOLD);
    if (stopped) {
        z->goal_rad = z->trip_q; /* brakes and keeps its torque where it stood */
        command_position(z, ret_cmd);
        return;
    }
    if (mode == DXL_MODE_POSITION || mode == DXL_MODE_EXTENDED || mode == DXL_MODE_CURRENT_POSITION) {
        follow_profile(z, from_counts(z, (double)get(z, DXL_GOAL_POSITION)), s->q[j], dt_s > 0.0 ? dt_s : 1e-3);
        command_position(z, ret_cmd);
    } else {
        command_other(z, ret_cmd);
    }
}

const struct device device_dynamixel = {
    .name = "dynamixel",
    .options = device_options,
    .config_bytes = sizeof(struct dxl_device_config),
    .state_bytes = sizeof(struct servo),
    .init = servo_init,
    .rx = servo_rx,
    .due = servo_due,
    .tx = servo_tx,
    .step = servo_step,
};
