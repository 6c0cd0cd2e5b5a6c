/*
 * An emulated ODrive axis, CANSimple of firmware 0.5 or 0.6. Hears remote and data frames, says a
 * heartbeat every 100 ms and its estimates every 10 ms; any frame to it feeds its watchdog. Its own
 * position and speed loops, in turns.
 */
#include "sim/firmware/odrive.h"

#include <math.h>
#include <string.h>

static const char *const firmware_names[] = {"0.5", "0.6", NULL};

#define AT(field) offsetof(struct odrive_device_config, field)

/* clang-format off */
static const struct option device_options[] = {
    {.key = "firmware", .type = OPTION_CHOICE, .offset = AT(firmware), .def = "0.6", .choices = firmware_names, .help = "its generation"},
    {.key = "nm_per_a", .type = OPTION_DOUBLE, .offset = AT(nm_per_a), .min = 0.001, .max = 100, .def = "0.1", .help = "torque constant of its motor"},
    {.key = "kp_nm_rad", .type = OPTION_DOUBLE, .offset = AT(kp), .min = 0, .max = 10000, .def = "20", .help = "stiffness of its position loop at the motor"},
    {.key = "kd_nms_rad", .type = OPTION_DOUBLE, .offset = AT(kd), .min = 0, .max = 1000, .def = "1", .help = "damping of its position and speed loops at the motor"},
    {.key = "watchdog_s", .type = OPTION_DOUBLE, .offset = AT(watchdog_s), .min = 0, .max = 1000, .def = "0", .help = "axis watchdog; 0: off"},
    {.key = "error", .type = OPTION_INT, .offset = AT(error), .min = 1, .max = 2147483647, .def = "1024", .help = "bits that come at error_at_s"},
    {.key = "error_at_s", .type = OPTION_DOUBLE, .offset = AT(error_at_s), .min = 0, .max = 1e9, .def = "0", .help = "when they come; 0: never"},
    {.key = "cyclic", .type = OPTION_BOOL, .offset = AT(cyclic), .def = "true", .help = "estimates every 10 ms, unasked"},
    CAN_DEMAND_OPTIONS(struct odrive_device_config),
    {.key = NULL},
};

/* clang-format on */

static void axis_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    struct odrive_axis *z = ret_state;
    memset(z, 0, sizeof *z);
    option_defaults(device_options, &z->c);
    if (config != NULL) {
        z->c = *(const struct odrive_device_config *)config;
    }
    can_motor_init(&z->m, robot, joint);
    z->node = (uint32_t)robot->joint[joint].id & ODRIVE_NODE_MAX;
    z->volt_v = 24.0;
    odrive_power_up(z, 0);
}

/* --- out --- */

void odrive_say(struct odrive_axis *z, uint32_t what, uint32_t first, uint32_t second, int64_t t_ns)
{
    struct canfd_frame f = {.can_id = z->node * 32 + what, .len = 8};
    can_put32(f.data, first);
    can_put32(f.data + 4, second);
    can_put(&z->out, t_ns, &f);
}

static void say_pair(struct odrive_axis *z, uint32_t what, double first, double second,
                     int64_t t_ns)
{
    odrive_say(z, what, can_bits((float)first), can_bits((float)second), t_ns);
}

void odrive_tell(struct odrive_axis *z, uint32_t what, int64_t t_ns)
{
    const bool old = z->c.firmware == 0;
    switch (what) {
    case ODRIVE_VERSION: /* protocol 2, hardware 4.4 58, firmware 0.6.9 */
        if (!old) {
            odrive_say(z, what, 0x3A040402u, 0x00090600u, t_ns);
        }
        break;
    case ODRIVE_ERROR:
        odrive_say(z, what, z->error, 0, t_ns);
        break;
    case ODRIVE_ADDRESS:
        if (!old) {
            odrive_say(z, what, z->node | (0x1000u + z->node) << 8, 0, t_ns);
        }
        break;
    case ODRIVE_ESTIMATES:
        say_pair(z, what, z->m.p / ODRIVE_TURN, z->m.v / ODRIVE_TURN, t_ns);
        break;
    case ODRIVE_IQ:
        say_pair(z, what, z->m.t / z->c.nm_per_a, z->m.t / z->c.nm_per_a, t_ns);
        break;
    case ODRIVE_TEMPERATURE:
        if (!old) {
            say_pair(z, what, 25.0 + 0.8 * (z->m.temp_c - 25.0), z->m.temp_c, t_ns);
        }
        break;
    case ODRIVE_BUS:
        say_pair(z, what, z->volt_v, 0.1, t_ns);
        break;
    default:
        break;
    }
}

/* --- in --- */

static double milli(const uint8_t *p)
{
    return (int16_t)(uint16_t)(p[0] | p[1] << 8) / 1000.0;
}

/* Numbers that are none are left out. */
static void put(double *at, float value)
{
    *at = isfinite(value) ? (double)value : *at;
}

static void set_state(struct odrive_axis *z, uint32_t state)
{
    if (state == ODRIVE_IDLE || (state == ODRIVE_CLOSED_LOOP && z->error == 0)) {
        z->state = state;
    } else {
        z->error |= 1; /* 0.5: invalid state; 0.6: still initialising */
    }
}

static void obey(struct odrive_axis *z, uint32_t what, const uint8_t *d, int64_t t_ns)
{
    const float first = can_f32(can_u32(d)), second = can_f32(can_u32(d + 4));
    switch (what) {
    case ODRIVE_ESTOP:
        z->state = ODRIVE_IDLE;
        z->error |= z->c.firmware == 0 ? 0x4000u : 0x2000000u;
        break;
    case ODRIVE_STATE:
        set_state(z, can_u32(d));
        break;
    case ODRIVE_MODE:
        if (can_u32(d) >= ODRIVE_BY_TORQUE && can_u32(d) <= ODRIVE_BY_POSITION) {
            z->control = can_u32(d);
        }
        break;
    case ODRIVE_POSITION:
        put(&z->turns, first);
        z->turns_s = milli(d + 4);
        z->nm = milli(d + 6);
        break;
    case ODRIVE_VELOCITY:
        put(&z->turns_s, first);
        put(&z->nm, second);
        break;
    case ODRIVE_TORQUE:
        put(&z->nm, first);
        break;
    case ODRIVE_LIMITS:
        put(&z->turns_s_max, first);
        put(&z->amps_max, second);
        break;
    case ODRIVE_CLEAR:
        z->error = 0;
        break;
    case ODRIVE_SET_POSITION:
        z->m.origin += z->m.p;
        z->m.p = 0.0;
        break;
    case ODRIVE_REBOOT:
        odrive_power_up(z, t_ns);
        z->silent_until_ns = t_ns + ODRIVE_BOOT_NS;
        break;
    default:
        break;
    }
}

/* Firmware 0.5 takes an empty data frame for a remote one. */
static bool is_asked_for(uint32_t what)
{
    return what == ODRIVE_ERROR || what == ODRIVE_ESTIMATES || what == ODRIVE_IQ ||
           what == ODRIVE_BUS;
}

static void axis_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    struct odrive_axis *z = state;
    struct canfd_frame f;
    (void)baud;
    if (!can_heard(bytes, n, &f) || (f.can_id & CAN_EFF_FLAG) != 0 || (f.flags & CANFD_FDF) != 0 ||
        (f.can_id & CAN_SFF_MASK) / 32 != z->node || t_ns < z->silent_until_ns ||
        can_silent(&z->c.demands, t_ns)) {
        return;
    }
    const uint32_t what = f.can_id % 32;
    const bool remote = (f.can_id & CAN_RTR_FLAG) != 0;
    z->heard_ns = t_ns;
    if (remote || (f.len == 0 && z->c.firmware == 0 && is_asked_for(what))) {
        odrive_tell(z, what, t_ns + z->c.demands.reply_us * INT64_C(1000));
    } else {
        obey(z, what, f.data, t_ns); /* what is not there is 0 */
    }
}

static int64_t axis_due(const void *state)
{
    return can_due(&((const struct odrive_axis *)state)->out);
}

static int axis_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    return can_take(&((struct odrive_axis *)state)->out, t_ns, ret_bytes, cap);
}

const struct device device_odrive = {
    .name = "odrive",
    .options = device_options,
    .config_bytes = sizeof(struct odrive_device_config),
    .state_bytes = sizeof(struct odrive_axis),
    .init = axis_init,
    .rx = axis_rx,
    .due = axis_due,
    .tx = axis_tx,
    .step = odrive_step,
};
