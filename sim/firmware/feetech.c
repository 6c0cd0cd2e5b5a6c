/*
 * An emulated STS servo: its own decoder, register table, protection and position controller.
 * Everything it knows of the body comes through step(); everything the host knows of it through
 * rx() and tx(). Here: its life (factory, power-up) and its end of the line.
 *
 * Not emulated: modes 2 and 3, positions of several turns (bit 4 of Phase), angular resolution; two
 * that speak at once, as after a ping to all, come one after the other.
 */
#include "sim/firmware/feetech_inside.h"

#include <math.h>
#include <string.h>

#define BOOT_NS       INT64_C(300000000)
#define TURNAROUND_NS INT64_C(20000)

static const char *const gap_names[] = {"silence", "skip", NULL};

/* clang-format off */
#define AT(field) offsetof(struct sts_config, field)
static const struct option sts_options[] = {
    {.key = "model", .type = OPTION_INT, .offset = AT(model), .min = 0, .max = 65535, .def = "777", .help = "model number; 777 is an STS3215"},
    {.key = "firmware", .type = OPTION_INT, .offset = AT(firmware), .min = 0, .max = 25599, .def = "310", .help = "firmware version; 310 is 3.10"},
    {.key = "factory_new", .type = OPTION_BOOL, .offset = AT(factory_new), .def = "false", .help = "as delivered: id 1, 1000000 baud, return delay 500 us"},
    {.key = "id", .type = OPTION_INT, .offset = AT(id), .min = 0, .max = 253, .def = "0", .help = "the id that it has; 0: its joint's"},
    {.key = "goal_turns_on", .type = OPTION_BOOL, .offset = AT(goal_turns_on), .def = "false", .help = "a goal switches torque on by itself"},
    {.key = "gap", .type = OPTION_CHOICE, .offset = AT(gap), .def = "silence", .choices = gap_names, .help = "what it does in a sync read when one before it is missing"},
    {.key = "overload_silences", .type = OPTION_BOOL, .offset = AT(overload_silences), .def = "false", .help = "after an overload it answers nothing until its power is cycled"},
    {.key = "noise", .type = OPTION_DOUBLE, .offset = AT(noise), .min = 0, .max = 100, .def = "1", .help = "scale of sensor noise"},
    {.key = "overload_at_s", .type = OPTION_DOUBLE, .offset = AT(overload_at_s), .min = 0, .max = 1e9, .def = "0", .help = "its overload protection trips then; 0: never"},
    {.key = "overheat_at_s", .type = OPTION_DOUBLE, .offset = AT(overheat_at_s), .min = 0, .max = 1e9, .def = "0", .help = "it is too hot from then on; 0: never"},
    {.key = "brownout_at_s", .type = OPTION_DOUBLE, .offset = AT(brownout_at_s), .min = 0, .max = 1e9, .def = "0", .help = "loses power for a moment then; 0: never"},
    {.key = "torque_flip_at_s", .type = OPTION_DOUBLE, .offset = AT(torque_flip_at_s), .min = 0, .max = 1e9, .def = "0", .help = "its torque goes off by itself then, or on; 0: never"},
    {.key = "silent_at_s", .type = OPTION_DOUBLE, .offset = AT(silent_at_s), .min = 0, .max = 1e9, .def = "0", .help = "it obeys but answers nothing from then on; 0: never"},
    {.key = "bad_sum_from_s", .type = OPTION_DOUBLE, .offset = AT(bad_sum_from_s), .min = 0, .max = 1e9, .def = "0", .help = "its checksums are wrong from then on; 0: never"},
    {.key = NULL},
};
/* clang-format on */

static const uint32_t bauds[] = {1000000, 500000, 250000, 128000, 115200, 76800, 57600, 38400};

/* --- life --- */

void sts_hush(struct sts *z)
{
    z->n_tx = 0;
    z->n_before = 0;
    z->due_ns = STS_NEVER;
}

void sts_power_up(struct sts *z, int64_t t_ns)
{
    memcpy(z->regs, z->lasting, sizeof z->lasting);
    sts_table_power_up(z->regs);
    sts_hush(z);
    z->n_rx = 0;
    z->n_registered = 0;
    z->restarts = false;
    z->profile.begun = false;
    z->overloaded = false; /* only this ends it */
    z->strained_ns = z->heavy_ns = STS_NEVER;
    z->silent_until_ns = t_ns;
}

void sts_restart(struct sts *z, int64_t t_ns)
{
    sts_power_up(z, t_ns + BOOT_NS);
}

void sts_restore(struct sts *z)
{
    const uint8_t id = z->regs[FEETECH_ID];
    uint8_t fresh[FEETECH_TABLE_END];
    sts_table_factory(fresh, z->c.model, z->c.firmware);
    memcpy(z->regs, fresh, FEETECH_EEPROM_END);
    z->regs[FEETECH_ID] = id;
    memcpy(z->lasting, z->regs, sizeof z->lasting);
}

static void sts_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    static const struct sts_config plain = {
        .model = FEETECH_STS3215, .firmware = 310, .noise = 1.0};
    struct sts *z = ret_state;
    const struct joint_spec *j = &robot->joint[joint];
    memset(z, 0, sizeof *z);
    z->c = config != NULL ? *(const struct sts_config *)config : plain;
    z->joint = joint;
    z->sign = j->sign;
    z->gear = j->gear;
    z->zero_rad = j->zero_rad;
    z->tau_stall_nm = isfinite(j->tau_stall) ? j->tau_stall : 1.0;
    rng_child(&z->rng, (uint64_t)joint + 1, "servo noise");
    sts_table_factory(z->regs, z->c.model, z->c.firmware);
    if (!z->c.factory_new) {
        const uint32_t baud = j->bus >= 0 ? (uint32_t)robot->bus[j->bus].baud : bauds[0];
        sts_set(z, FEETECH_ID, z->c.id > 0 ? z->c.id : j->id);
        sts_set(z, FEETECH_RETURN_DELAY, 0);
        for (int code = 0; code < 8; code++) {
            if (bauds[code] == baud) {
                sts_set(z, FEETECH_BAUD, code);
            }
        }
    }
    memcpy(z->lasting, z->regs, sizeof z->lasting);
    sts_power_up(z, 0);
    sts_set(z, FEETECH_PRESENT_POSITION, FEETECH_COUNTS_MIDDLE);
    sts_set(z, FEETECH_PRESENT_VOLTAGE, 120);
    sts_set(z, FEETECH_PRESENT_TEMPERATURE, 25);
}

/* --- the line --- */

int64_t sts_answer_ns(const struct sts *z, int64_t t_ns)
{
    return t_ns + TURNAROUND_NS +
           sts_get(z, FEETECH_RETURN_DELAY) * INT64_C(1000) * FEETECH_RETURN_DELAY_US;
}

/* All bytes together, with the sum, are 255. */
static uint8_t complement(const uint8_t *p, size_t n)
{
    unsigned rest = 255u + 256u * 512u;
    while (n-- > 0) {
        rest -= *p++;
    }
    return (uint8_t)(rest % 256u);
}

void sts_answer(struct sts *z, const uint8_t *data, size_t n, int64_t t_ns)
{
    uint8_t *p = z->tx;
    const uint8_t head[] = {0xFF, 0xFF, z->regs[FEETECH_ID], (uint8_t)(n + 2),
                            z->regs[FEETECH_STATUS]};
    memcpy(p, head, sizeof head);
    if (n > 0) {
        memcpy(p + sizeof head, data, n);
    }
    p[sizeof head + n] = complement(p + 2, 3 + n);
    z->n_tx = sizeof head + n + 1;
    z->due_ns = sts_answer_ns(z, t_ns);
}

/* Somebody of those before us has spoken, or whoever it was did not wait for us. */
static void heard_other(struct sts *z, uint8_t id, size_t n, int64_t t_ns)
{
    int k = 0;
    while (k < z->n_before && z->before[k] != id) {
        k++;
    }
    if (k == z->n_before || n != z->each_bytes) {
        sts_hush(z);
        return;
    }
    const int left = z->n_before - k - 1;
    memmove(z->before, z->before + k + 1, (size_t)left);
    z->n_before = left;
    z->due_ns = left == 0                  ? sts_answer_ns(z, t_ns)
                : z->c.gap == STS_GAP_SKIP ? t_ns + left * z->slot_ns
                                           : STS_NEVER;
}

static void whole_packet(struct sts *z, size_t total, int64_t t_ns, uint32_t baud)
{
    uint8_t packet[STS_RX_BYTES];
    memcpy(packet, z->rx, total);
    z->n_rx -= total;
    memmove(z->rx, z->rx + total, z->n_rx);
    const uint8_t id = packet[2];
    if (id == z->regs[FEETECH_ID] && packet[4] == 0) {
        return; /* no instruction: another of our id answers */
    }
    if (id == z->regs[FEETECH_ID] || id == FEETECH_BROADCAST) {
        sts_hush(z);
        sts_instruct(z, id, packet[4], packet + 5, total - 6, t_ns, baud);
    } else if (z->n_before > 0) {
        heard_other(z, id, total, t_ns);
    }
}

/* A byte that begins no good packet is passed over. */
static void pass_byte(struct sts *z)
{
    z->n_rx--;
    memmove(z->rx, z->rx + 1, z->n_rx);
}

static bool hears(const struct sts *z, int64_t t_ns, uint32_t baud)
{
    const uint32_t own = bauds[z->regs[FEETECH_BAUD] & 7];
    return t_ns >= z->silent_until_ns && (baud > own ? baud - own : own - baud) <= own / 33;
}

static void sts_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    struct sts *z = state;
    if (!hears(z, t_ns, baud)) {
        z->n_rx = 0; /* booting, or at another rate: noise */
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (z->n_rx == sizeof z->rx) {
            pass_byte(z);
        }
        z->rx[z->n_rx++] = bytes[i];
        while (z->n_rx >= 4) {
            const size_t total = z->rx[3] + (size_t)4;
            const bool odd = z->rx[0] != 0xFF || z->rx[1] != 0xFF || z->rx[2] > FEETECH_BROADCAST ||
                             total < 6 || z->rx[3] > FEETECH_LEN_MAX;
            if (!odd && z->n_rx < total) {
                break;
            }
            if (odd || complement(z->rx + 2, total - 3) != z->rx[total - 1]) {
                pass_byte(z);
            } else {
                whole_packet(z, total, t_ns, baud);
            }
        }
    }
}

static bool mute(const struct sts *z, int64_t t_ns)
{
    const double now_s = (double)t_ns * 1e-9;
    return (z->c.silent_at_s > 0.0 && now_s >= z->c.silent_at_s) ||
           (z->overloaded && z->c.overload_silences);
}

static int64_t sts_due(const void *state)
{
    const struct sts *z = state;
    return z->n_tx > 0 ? z->due_ns : STS_NEVER;
}

static int sts_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    struct sts *z = state;
    const size_t n = z->n_tx <= cap && !mute(z, t_ns) ? z->n_tx : 0;
    const bool bad = z->c.bad_sum_from_s > 0.0 && (double)t_ns * 1e-9 >= z->c.bad_sum_from_s;
    memcpy(ret_bytes, z->tx, n);
    if (n > 0 && bad) {
        ret_bytes[n - 1] ^= 0x01;
    }
    sts_hush(z);
    if (z->restarts) {
        sts_restart(z, t_ns);
    }
    return (int)n;
}

const struct device device_feetech = {
    .name = "feetech",
    .options = sts_options,
    .config_bytes = sizeof(struct sts_config),
    .state_bytes = sizeof(struct sts),
    .init = sts_init,
    .rx = sts_rx,
    .due = sts_due,
    .tx = sts_tx,
    .step = sts_step,
};
