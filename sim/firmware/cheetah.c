/*
 * An emulated motor with the mini-cheetah's firmware, or an AK. The mini-cheetah answers before it
 * obeys, so that an answer shows the state before the command; only ordinary commands wind its
 * timeout up, which zeroes them and leaves it enabled. An AK goes on with its last command.
 */
#include "sim/firmware/can_device.h"
#include "sim/firmware/mit_motor.h"

#include <math.h>
#include <string.h>

#define CYCLE_S    25e-6 /* of the mini-cheetah's control: unit of its timeout */
#define HOT_C      100.0
#define ZERO_NS    INT64_C(1000000000) /* an AK that stores its zero does not listen */
#define N_VARIANTS 7

static const char *const variant_names[] = {"mini_cheetah", "ak10_9", "ak60_6",  "ak70_10",
                                            "ak80_6",       "ak80_9", "ak80_64", NULL};

static const struct motor_range ranges[N_VARIANTS] = {
    {12.5, 65, 18, 500, 5}, {12.5, 50, 65, 500, 5}, {12.5, 50, 15, 500, 5}, {12.5, 50, 25, 500, 5},
    {12.5, 76, 12, 500, 5}, {12.5, 50, 18, 500, 5}, {12.5, 8, 144, 500, 5}};

struct cheetah_device_config {
    int motor, timeout_cycles, master_id, error;
    double error_at_s;
    bool short_answers;
    struct can_demands demands;
};

struct cheetah_motor {
    struct cheetah_device_config c;
    struct can_motor m;
    int id;
    bool enabled;
    uint8_t error;
    double volt_v;
    struct motor_command goal;
    int64_t heard_ns, deaf_until_ns;
    struct can_queue out;
};

#define AT(field) offsetof(struct cheetah_device_config, field)

/* clang-format off */
static const struct option device_options[] = {
    {.key = "motor", .type = OPTION_CHOICE, .offset = AT(motor), .def = "mini_cheetah", .choices = variant_names, .help = "the mini-cheetah's firmware, or an AK motor"},
    {.key = "timeout_cycles", .type = OPTION_INT, .offset = AT(timeout_cycles), .min = 0, .max = 100000000, .def = "0", .help = "CAN_TIMEOUT of the mini-cheetah, cycles of 25 us; 0: off"},
    {.key = "master_id", .type = OPTION_INT, .offset = AT(master_id), .min = 0, .max = 2047, .def = "0", .help = "CAN id of its answers"},
    {.key = "error", .type = OPTION_INT, .offset = AT(error), .min = 1, .max = 6, .def = "2", .help = "of an AK: 1 hot, 2 over-current, 3 over-voltage, 4 under-voltage, 5 encoder, 6 phase"},
    {.key = "error_at_s", .type = OPTION_DOUBLE, .offset = AT(error_at_s), .min = 0, .max = 1e9, .def = "0", .help = "when that error comes; 0: never"},
    {.key = "short_answers", .type = OPTION_BOOL, .offset = AT(short_answers), .def = "false", .help = "an AK's older firmware: neither temperature nor error"},
    CAN_DEMAND_OPTIONS(struct cheetah_device_config),
    {.key = NULL},
};

/* clang-format on */

static void release(struct cheetah_motor *z)
{
    z->enabled = false;
    z->goal = (struct motor_command){0};
}

static void motor_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    struct cheetah_motor *z = ret_state;
    memset(z, 0, sizeof *z);
    option_defaults(device_options, &z->c);
    if (config != NULL) {
        z->c = *(const struct cheetah_device_config *)config;
    }
    can_motor_init(&z->m, robot, joint);
    z->id = robot->joint[joint].id;
    z->volt_v = 24.0;
}

static void answer(struct cheetah_motor *z, int64_t t_ns)
{
    struct canfd_frame f = {.can_id = (canid_t)z->c.master_id};
    f.data[0] = (uint8_t)z->id;
    motor_answer(&ranges[z->c.motor], z->m.p, z->m.v, z->m.t, f.data);
    if (z->c.motor == 0) {
        f.len = 7;
        f.data[6] = (uint8_t)fmax(0.0, fmin(255.0, z->volt_v * 255.0 / 40.0));
    } else if (z->c.short_answers) {
        f.len = 6;
    } else {
        f.len = 8;
        f.data[6] = (uint8_t)fmax(0.0, fmin(255.0, z->m.temp_c));
        f.data[7] = z->error;
    }
    can_put(&z->out, t_ns + z->c.demands.reply_us * INT64_C(1000), &f);
}

static void special(struct cheetah_motor *z, uint8_t what, int64_t t_ns)
{
    const bool is_ak = z->c.motor != 0;
    if (what == 0xFC && z->error == 0) {
        z->enabled = true;
    } else if (what == 0xFD) {
        release(z);
    } else if (what == 0xFE && !z->enabled) {
        z->m.origin += z->m.p;
        z->m.p = 0.0;
        z->deaf_until_ns = is_ak ? t_ns + ZERO_NS : 0;
    }
}

static void motor_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    struct cheetah_motor *z = state;
    struct canfd_frame f;
    (void)baud;
    if (!can_heard(bytes, n, &f) || f.can_id != (canid_t)z->id || f.len != 8 ||
        (f.flags & CANFD_FDF) != 0 || t_ns < z->deaf_until_ns || can_silent(&z->c.demands, t_ns)) {
        return;
    }
    const uint8_t what = motor_special(f.data);
    const bool is_special = what >= 0xFC && what <= 0xFE;
    if (z->c.motor == 0) {
        answer(z, t_ns); /* first */
    }
    if (is_special) {
        special(z, what, t_ns);
    } else {
        z->heard_ns = t_ns;
        if (z->enabled) {
            motor_decode(&ranges[z->c.motor], f.data, &z->goal);
        }
    }
    if (z->c.motor != 0 && (is_special || z->enabled)) { /* disabled, it answers specials only */
        answer(z, t_ns);
    }
}

static int64_t motor_due(const void *state)
{
    return can_due(&((const struct cheetah_motor *)state)->out);
}

static int motor_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    return can_take(&((struct cheetah_motor *)state)->out, t_ns, ret_bytes, cap);
}

static void watch(struct cheetah_motor *z, int64_t before_ns)
{
    const bool is_ak = z->c.motor != 0;
    const double before_s = (double)before_ns * 1e-9, now_s = (double)z->m.now_ns * 1e-9;
    const double quiet_s = (double)(z->m.now_ns - z->heard_ns) * 1e-9;
    if (can_browns_out(&z->c.demands, before_ns, z->m.now_ns)) {
        release(z);
        z->error = 0;
    }
    if (!is_ak && z->c.timeout_cycles > 0 && quiet_s > z->c.timeout_cycles * CYCLE_S) {
        z->goal = (struct motor_command){0};
    }
    if (is_ak && z->c.error_at_s > 0.0 && before_s < z->c.error_at_s && now_s >= z->c.error_at_s) {
        z->error = (uint8_t)z->c.error;
    }
    if (is_ak && z->m.temp_c > HOT_C) {
        z->error = 1;
    }
    if (z->error != 0) {
        release(z);
    }
}

static void motor_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct cheetah_motor *z = state;
    const int64_t before_ns = z->m.now_ns;
    const double volt_v = (double)s->volt_v[z->m.joint];
    can_motor_sense(&z->m, &z->c.demands, t_ns, s);
    z->volt_v = isfinite(volt_v) ? volt_v : 24.0;
    watch(z, before_ns);
    struct can_effort e = {.mode = MODE_OFF, .p = z->m.p};
    if (z->enabled) {
        e = (struct can_effort){MODE_IMPEDANCE, z->goal.p,  z->goal.v,           z->goal.t,
                                z->goal.kp,     z->goal.kd, ranges[z->c.motor].t};
    }
    can_motor_command(&z->m, &e, ret_cmd);
}

const struct device device_cheetah = {
    .name = "cheetah",
    .options = device_options,
    .config_bytes = sizeof(struct cheetah_device_config),
    .state_bytes = sizeof(struct cheetah_motor),
    .init = motor_init,
    .rx = motor_rx,
    .due = motor_due,
    .tx = motor_tx,
    .step = motor_step,
};
