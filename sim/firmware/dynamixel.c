/*
 * An emulated X-series servo, Protocol 2.0: its own decoder, control table, watchdog and position
 * controller. Everything it knows of the body comes through step(); everything the host knows of it
 * through rx() and tx(). Here: its life (factory, power-up, reboot) and its end of the line.
 *
 * Not emulated: indirect registers, homing offset, reversed drive, protocol 1.0; writing what does
 * not exist is answered with an access error.
 */
#include "sim/firmware/dynamixel_inside.h"

#include <math.h>
#include <string.h>

#define BOOT_NS INT64_C(500000000)
#define GAP_NS  INT64_C(1500000) /* between two bytes of one packet; a longer pause drops it */

static const char *const watchdog_names[] = {"brake", "off", "hold", "keeps_going", "none", NULL};

/* clang-format off */
#define AT(field) offsetof(struct dxl_device_config, field)
static const struct option device_options[] = {
    {.key = "model", .type = OPTION_INT, .offset = AT(model), .min = 0, .max = 65535, .def = "1060", .help = "model number; 1060 is an XL430-W250"},
    {.key = "firmware", .type = OPTION_INT, .offset = AT(firmware), .min = 1, .max = 255, .def = "45", .help = "firmware version"},
    {.key = "watchdog", .type = OPTION_CHOICE, .offset = AT(watchdog), .def = "brake", .choices = watchdog_names, .help = "what a tripped bus watchdog does to the motor"},
    {.key = "factory_new", .type = OPTION_BOOL, .offset = AT(factory_new), .def = "false", .help = "as delivered: id 1, 57600 baud, return delay 500 us"},
    {.key = "id", .type = OPTION_INT, .offset = AT(id), .min = 0, .max = 252, .def = "0", .help = "the id that it has; 0: its joint's"},
    {.key = "noise", .type = OPTION_DOUBLE, .offset = AT(noise), .min = 0, .max = 100, .def = "1", .help = "scale of sensor noise"},
    {.key = "overload_at_s", .type = OPTION_DOUBLE, .offset = AT(overload_at_s), .min = 0, .max = 1e9, .def = "0", .help = "latches an overload error then; 0: never"},
    {.key = "brownout_at_s", .type = OPTION_DOUBLE, .offset = AT(brownout_at_s), .min = 0, .max = 1e9, .def = "0", .help = "loses power for a moment then; 0: never"},
    {.key = "torque_flip_at_s", .type = OPTION_DOUBLE, .offset = AT(torque_flip_at_s), .min = 0, .max = 1e9, .def = "0", .help = "its torque goes off by itself then, or on; 0: never"},
    {.key = NULL},
};
/* clang-format on */

static const uint32_t bauds[] = {9600, 57600, 115200, 1000000, 2000000, 3000000, 4000000, 4500000};

/* --- life --- */

void servo_power_up(struct servo *z, int64_t t_ns)
{
    table_power_up(z->regs, z->c.model);
    servo_hush(z);
    z->boot_ns = t_ns;
    z->silent_until_ns = t_ns;
    z->tripped = z->profile.begun = z->reboots = false;
    z->turns_due = true;
    z->n_rx = z->n_registered = 0;
    z->heard_ns = t_ns;
}

void servo_reboot(struct servo *z, int64_t t_ns)
{
    servo_power_up(z, t_ns + BOOT_NS);
}

static void leave_factory(struct servo *z, const struct robot *robot, const struct joint_spec *j)
{
    table_factory(z->regs, z->c.model, z->c.firmware);
    if (z->c.factory_new) {
        return;
    }
    const uint32_t baud = j->bus >= 0 ? (uint32_t)robot->bus[j->bus].baud : 1000000;
    servo_set(z, DXL_ID, z->c.id > 0 ? z->c.id : j->id);
    servo_set(z, DXL_RETURN_DELAY, 0);
    for (int code = 0; code < 8; code++) {
        if (bauds[code] == baud) {
            servo_set(z, DXL_BAUD, code);
        }
    }
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
    leave_factory(z, robot, j);
    servo_power_up(z, 0);
    servo_set(z, DXL_PRESENT_POSITION, DXL_COUNTS_MIDDLE);
    servo_set(z, DXL_PRESENT_VOLTAGE, 111);
    servo_set(z, DXL_PRESENT_TEMPERATURE, 25);
}

/* --- the line --- */

static void drop(struct servo *z, size_t n)
{
    z->n_rx -= n;
    memmove(z->rx, z->rx + n, z->n_rx);
}

/* Someone's status was heard: one less before ours. */
static void heard_status(struct servo *z, int64_t t_ns)
{
    if (z->queued && --z->before <= 0) {
        z->queued = false;
        z->due_ns = servo_answer_ns(z, t_ns);
    }
}

/* INST.. without the stuffing, into ret_params. */
static size_t unstuff(const uint8_t *bytes, size_t n, uint8_t *ret_params)
{
    size_t out = 0;
    int run = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t byte = bytes[i];
        if (run == 3 && byte == 0xFD) {
            run = 0;
            continue;
        }
        ret_params[out++] = byte;
        run = byte == 0xFF ? (run >= 1 && run <= 2 ? 2 : 1) : (byte == 0xFD && run == 2 ? 3 : 0);
    }
    return out;
}

static void whole_packet(struct servo *z, size_t total, int64_t t_ns)
{
    uint8_t params[RX_BYTES];
    const uint8_t id = z->rx[4], instruction = z->rx[7];
    const bool good = servo_crc(0, z->rx, total - 2) == servo_word(z->rx + total - 2);
    const size_t n = unstuff(z->rx + 8, total - 10, params);
    drop(z, total);
    if (!good) {
        if (id == z->regs[DXL_ID] && instruction != DXL_STATUS &&
            servo_may_answer(z, instruction)) {
            servo_hush(z);
            servo_answer(z, DXL_ERR_CRC, NULL, 0, t_ns);
        }
    } else if (instruction == DXL_STATUS) {
        heard_status(z, t_ns);
    } else {
        servo_instruct(z, id, instruction, params, n, t_ns);
    }
}

/* Waiting for the blocks before ours; anything but the one packet that they make ends the wait. */
static bool follow_fast(struct servo *z, int64_t t_ns)
{
    static const uint8_t head[5] = {0xFF, 0xFF, 0xFD, 0x00, DXL_BROADCAST};
    const size_t n = z->n_rx < sizeof head ? z->n_rx : sizeof head;
    const bool other = memcmp(z->rx, head, n) != 0 || (z->n_rx > 7 && z->rx[7] != DXL_STATUS);
    if (other || z->n_rx > z->fast.before) {
        servo_hush(z);
        return false;
    }
    if (z->n_rx == z->fast.before) {
        z->queued = false;
        z->due_ns = t_ns;
    }
    return true;
}

static bool hears(const struct servo *z, int64_t t_ns, uint32_t baud)
{
    const uint32_t own = bauds[z->regs[DXL_BAUD] & 7];
    return t_ns >= z->silent_until_ns && (baud > own ? baud - own : own - baud) <= own / 33;
}

static void servo_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    static const uint8_t header[4] = {0xFF, 0xFF, 0xFD, 0x00};
    struct servo *z = state;
    if (!hears(z, t_ns, baud)) {
        z->n_rx = 0; /* booting, or at another rate: noise */
        return;
    }
    const int64_t begun_ns = t_ns - (int64_t)n * 10 * INT64_C(1000000000) / (int64_t)baud;
    if (begun_ns - z->line_ns > GAP_NS) {
        z->n_rx = 0;
        z->fast.on = z->fast.on && !z->queued; /* the one before us is not there */
    }
    z->line_ns = t_ns;
    if (z->n_rx + n > sizeof z->rx) {
        z->n_rx = 0;
        return;
    }
    memcpy(z->rx + z->n_rx, bytes, n);
    z->n_rx += n;
    if (z->fast.on && z->queued && follow_fast(z, t_ns)) {
        return;
    }
    while (z->n_rx >= 4) {
        if (memcmp(z->rx, header, sizeof header) != 0) {
            drop(z, 1);
            continue;
        }
        const size_t total = z->n_rx >= 7 ? (size_t)servo_word(z->rx + 5) + 7 : 0;
        if (z->n_rx >= 7 && (total < 10 || total > sizeof z->rx)) {
            drop(z, 1);
            continue;
        }
        if (z->n_rx < 7 || z->n_rx < total) {
            return;
        }
        whole_packet(z, total, t_ns);
        if (z->fast.on) {
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
    if (z->fast.on) {
        servo_make_fast(z);
    }
    const size_t n = z->n_tx <= cap ? z->n_tx : 0;
    memcpy(ret_bytes, z->tx, n);
    z->n_tx = 0;
    z->due_ns = NEVER;
    if (z->reboots) {
        servo_reboot(z, t_ns);
    }
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
