/*
 * An emulated X-series servo, Protocol 2.0: its own decoder, control table, watchdog and position
 * controller. Everything it knows of the body comes through step(); everything the host knows of it
 * through rx() and tx().
 *
 * The position controller as the body gets it: torque = kp (goal - q) - kd qd, limited to |Goal
 * PWM| / 885 of the stall torque. Register P: P/128 PWM units a count; register D: D/16 PWM units
 * per count and millisecond.
 */
#include "sim/firmware/dynamixel_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOOT_NS INT64_C(500000000)
#define GAP_NS  INT64_C(1500000) /* between two bytes of one packet; a longer pause drops it */
#define TURNAROUND_NS                                                                              \
    INT64_C(20000) /* from the last bit in to the first bit out, beside the return delay */
#define NEVER INT64_MAX

static const char *const watchdog_names[] = {"brake", "off", "hold", "keeps_going", "none", NULL};

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

void servo_reboot(struct servo *z, int64_t t_ns)
{
    power_up(z, t_ns + BOOT_NS);
    z->silent_until_ns = t_ns + BOOT_NS;
}

static void servo_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    static const struct dxl_device_config plain = {
        .model = DXL_XL430_W250, .firmware = 45, .noise = 1.0};
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
        servo_set(z, DXL_ID, j->id);
        servo_set(z, DXL_RETURN_DELAY, 0);
        for (int code = 0; code < 8; code++) {
            if (bauds[code] == baud) {
                servo_set(z, DXL_BAUD, code);
            }
        }
    }
    power_up(z, 0);
    servo_set(z, DXL_PRESENT_POSITION, DXL_COUNTS_MIDDLE);
    servo_set(z, DXL_PRESENT_VOLTAGE, 111);
    servo_set(z, DXL_PRESENT_TEMPERATURE, 25);
}

/* --- answers
 * ---------------------------------------------------------------------------------------------------
 */

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
    const uint8_t head[] = {
        0xFF, 0xFF, 0xFD, 0x00, z->regs[DXL_ID], 0, 0, DXL_STATUS, (uint8_t)(error | alert(z))};
    memcpy(p, head, sizeof head);
    at = sizeof head;
    int run = 0; /* how much of FF FF FD has just been sent */
    for (size_t i = 0; i < n; i++) {
        p[at++] = params[i];
        run =
            params[i] == 0xFF ? (run >= 2 ? 2 : run + 1) : (params[i] == 0xFD && run == 2 ? 3 : 0);
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
    z->due_ns = t_ns + TURNAROUND_NS + servo_get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
}

/* Status Return Level: 0 answers ping only, 1 reads too, 2 all. */
static bool may_answer(const struct servo *z, uint8_t instruction)
{
    const int64_t level = servo_get(z, DXL_STATUS_LEVEL);
    const bool reads = instruction == DXL_READ || instruction == DXL_SYNC_READ ||
                       instruction == DXL_FAST_SYNC_READ || instruction == DXL_BULK_READ;
    return instruction == DXL_PING || level == 2 || (level == 1 && reads);
}

/* --- instructions
 * ------------------------------------------------------------------------------------------------
 */

static uint16_t word(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static void on_read(struct servo *z, uint16_t addr, uint16_t len, int64_t t_ns)
{
    uint8_t data[256];
    const uint8_t error = len <= sizeof data ? servo_read(z, addr, len, data) : DXL_ERR_ACCESS;
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
        on_read(z, word(p), word(p + 2), t_ns);
        stand_in_line(z, place);
    }
}

static void on_bulk_read(struct servo *z, const uint8_t *p, size_t n, int64_t t_ns)
{
    const int place = place_in(p, n / 5, 5, z->regs[DXL_ID]);
    if (place >= 0) {
        const uint8_t *own = p + (size_t)place * 5; /* id, address, length */
        on_read(z, word(own + 1), word(own + 3), t_ns);
        stand_in_line(z, place);
    }
}

/*
 * A fast sync read is one packet made by all: the first device sends header and its block, the
 * others append theirs; each block ends with the CRC over everything so far, which is why everyone
 * listens.
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
    z->due_ns = place > 0 ? NEVER
                          : t_ns + TURNAROUND_NS +
                                servo_get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
    z->n_tx = 1; /* made when it leaves */
}

static void make_fast(struct servo *z)
{
    const size_t block = (size_t)z->fast_len + 4;
    uint8_t *packet = z->rx; /* what the others have sent so far lies here */
    size_t at = z->n_rx;
    if (z->fast_index == 0) {
        const size_t len = 1 + block * (size_t)z->fast_n;
        const uint8_t head[] = {
            0xFF, 0xFF, 0xFD, 0x00, DXL_BROADCAST, (uint8_t)len, (uint8_t)(len >> 8), DXL_STATUS};
        memcpy(packet, head, sizeof head);
        at = sizeof head;
    }
    const size_t from = z->fast_index == 0 ? 0 : at;
    packet[at++] = alert(z);
    packet[at++] = z->regs[DXL_ID];
    (void)servo_read(z, z->fast_addr, z->fast_len, packet + at);
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
            (void)servo_write(z, word(p), p + at + 1, len);
        }
    }
}

static void on_bulk_write(struct servo *z, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + 5 <= n && at + 5 + word(p + at + 3) <= n;
         at += 5u + word(p + at + 3)) {
        if (p[at] == z->regs[DXL_ID]) {
            (void)servo_write(z, word(p + at + 1), p + at + 5, word(p + at + 3));
        }
    }
}

static uint8_t on_reg_write(struct servo *z, const uint8_t *p, size_t n)
{
    if (n < 3 || n - 2 > sizeof z->registered) {
        return DXL_ERR_LENGTH;
    }
    const uint8_t error = servo_check_write(z, word(p), p + 2, n - 2);
    if (error == 0) {
        z->registered_addr = word(p);
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
    if (n < 1 || (p[0] == 0xFF && broadcast)) {
        return DXL_ERR_RESULT;
    }
    table_factory(z->regs, z->c.model, z->c.firmware);
    z->regs[DXL_ID] = p[0] == 0xFF ? 1 : id;
    z->regs[DXL_BAUD] = p[0] == 2 ? baud : 1;
    power_up(z, t_ns);
    return 0;
}

/* Turns are counted from the encoder; clearing them brings the present position back into one turn.
 */
static uint8_t on_clear(struct servo *z, const uint8_t *p, size_t n)
{
    static const uint8_t key[] = {0x01, 0x44, 0x58, 0x4C, 0x22};
    if (n != sizeof key || memcmp(p, key, sizeof key) != 0) {
        return DXL_ERR_RANGE;
    }
    return z->regs[DXL_MOVING] != 0 ? DXL_ERR_RESULT : 0;
}

/* Instructions that are answered with an error byte alone; -1: none of them. */
static int do_simple(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n,
                     bool broadcast, int64_t t_ns)
{
    switch (instruction) {
    case DXL_WRITE:
        return n < 3 ? DXL_ERR_LENGTH : servo_write(z, word(p), p + 2, n - 2);
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

static void do_broadcast(struct servo *z, uint8_t instruction, const uint8_t *p, size_t n,
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
    case DXL_SYNC_WRITE:
        on_sync_write(z, p, n);
        break;
    case DXL_BULK_WRITE:
        on_bulk_write(z, p, n);
        break;
    case DXL_REBOOT:
        servo_reboot(z, t_ns);
        break;
    default:
        (void)do_simple(z, instruction, p, n, true, t_ns);
        break;
    }
}

static void instruct(struct servo *z, uint8_t id, uint8_t instruction, const uint8_t *p, size_t n,
                     int64_t t_ns)
{
    const bool broadcast = id == DXL_BROADCAST;
    z->heard_ns = t_ns;
    z->queued = z->fast = false;
    z->due_ns = NEVER;
    if (instruction == DXL_PING && (broadcast || id == z->regs[DXL_ID])) {
        const uint8_t info[3] = {z->regs[0], z->regs[1], z->regs[DXL_FIRMWARE]};
        answer(z, 0, info, sizeof info, t_ns);
        z->due_ns += broadcast ? 3 * NS_PER_MS * z->regs[DXL_ID] : 0; /* each id in its own slot */
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

/* --- the line
 * ----------------------------------------------------------------------------------------------------
 */

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
        z->due_ns =
            t_ns + TURNAROUND_NS + servo_get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
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
