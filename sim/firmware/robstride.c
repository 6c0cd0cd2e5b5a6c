/*
 * An emulated RobStride motor, private protocol: types 00 to 04, 06, 07, 11, 12, 15, 16, 18. One
 * feedback per control, enable, stop and write.
 */
#include "sim/firmware/robstride.h"

#include <math.h>
#include <string.h>

static const char *const model_names[] = {"rs00", "rs01", "rs02", "rs03", "rs04",
                                          "rs05", "rs06", "el05", NULL};

#define AT(field) offsetof(struct rs_device_config, field)

/* clang-format off */
static const struct option device_options[] = {
    {.key = "model", .type = OPTION_CHOICE, .offset = AT(model), .def = "rs02", .choices = model_names, .help = "RobStride motor, for its ranges"},
    {.key = "p_max_rad", .type = OPTION_DOUBLE, .offset = AT(p_max_rad), .min = 0.1, .max = 1000, .def = "12.57", .help = "range of its positions: 12.57, or 12.5 with old firmware"},
    {.key = "host_id", .type = OPTION_INT, .offset = AT(host_id), .min = 1, .max = 253, .def = "253", .help = "whom it tells faults before anybody spoke to it"},
    {.key = "fault", .type = OPTION_INT, .offset = AT(fault), .min = 1, .max = 63, .def = "16", .help = "bits that come at fault_at_s: 1 under-voltage, 2 over-current, 4 hot, 8 encoder, 16 stalled, 32 uncalibrated"},
    {.key = "fault_at_s", .type = OPTION_DOUBLE, .offset = AT(fault_at_s), .min = 0, .max = 1e9, .def = "0", .help = "when they come; 0: never"},
    {.key = "ignores_timeout", .type = OPTION_BOOL, .offset = AT(ignores_timeout), .def = "false", .help = "goes on with its last command on a silent bus"},
    CAN_DEMAND_OPTIONS(struct rs_device_config),
    {.key = NULL},
};

/* clang-format on */

static void motor_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    struct rs_motor *z = ret_state;
    memset(z, 0, sizeof *z);
    option_defaults(device_options, &z->c);
    if (config != NULL) {
        z->c = *(const struct rs_device_config *)config;
    }
    can_motor_init(&z->m, robot, joint);
    z->id = (uint8_t)robot->joint[joint].id;
    z->host = (uint8_t)z->c.host_id;
    for (int i = 0; i < 8; i++) {
        z->uid[i] = (uint8_t)(16 * i + z->id);
    }
    rs_motor_power_up(z, 0);
}

/* --- the line --- */

void rs_motor_say(struct rs_motor *z, int type, unsigned more, uint8_t to, const uint8_t *data,
                  int64_t t_ns)
{
    struct canfd_frame f = {.len = 8};
    f.can_id =
        CAN_EFF_FLAG | (uint32_t)type << 24 | (uint32_t)more << 16 | (uint32_t)z->id << 8 | to;
    memcpy(f.data, data, 8);
    can_put(&z->out, t_ns + z->c.demands.reply_us * INT64_C(1000), &f);
}

static void put16(uint8_t *p, unsigned u)
{
    p[0] = (uint8_t)(u / 256);
    p[1] = (uint8_t)(u % 256);
}

void rs_motor_feedback(struct rs_motor *z, int64_t t_ns)
{
    const struct motor_range r = rs_motor_range(z);
    uint8_t data[8];
    put16(data, motor_code(z->m.p, r.p, 16));
    put16(data + 2, motor_code(z->m.v, r.v, 16));
    put16(data + 4, motor_code(z->m.t, r.t, 16));
    put16(data + 6, (unsigned)fmax(0.0, fmin(6000.0, z->m.temp_c * 10.0 + 1e-6)));
    rs_motor_say(z, RS_FEEDBACK, (unsigned)z->state << 6 | z->faults, z->host, data, t_ns);
}

static void control(struct rs_motor *z, unsigned torque, const uint8_t *d)
{
    const struct motor_range r = rs_motor_range(z);
    if (z->state == RS_RUN) {
        z->goal = (struct motor_command){
            .p = motor_value((unsigned)d[0] * 256 + d[1], r.p, 16),
            .v = motor_value((unsigned)d[2] * 256 + d[3], r.v, 16),
            .kp = r.kp * (d[4] * 256 + d[5]) / 65535.0,
            .kd = r.kd * (d[6] * 256 + d[7]) / 65535.0,
            .t = motor_value(torque, r.t, 16),
        };
    }
}

/* Stopping clears faults, where asked and their cause is gone, or tells the version. */
static void stop(struct rs_motor *z, const uint8_t *d, int64_t t_ns)
{
    static const uint8_t version[8] = {0, RS_VERSION_ASK, RS_VERSION_ANSWER, 0, 0, 2, 6, 0};
    rs_motor_stop(z);
    if (d[0] == 1) {
        z->faults = rs_motor_causes(z);
    }
    if (d[1] == RS_VERSION_ASK) {
        rs_motor_say(z, RS_FEEDBACK, (unsigned)z->state << 6 | z->faults, z->host, version, t_ns);
    } else {
        rs_motor_feedback(z, t_ns);
    }
}

static void parameter(struct rs_motor *z, int type, const uint8_t *d, int64_t t_ns)
{
    const unsigned index = d[0] | (unsigned)d[1] << 8;
    if (type == RS_WRITE) {
        (void)rs_motor_write(z, index, can_u32(d + 4));
        rs_motor_feedback(z, t_ns);
        return;
    }
    uint8_t data[8] = {d[0], d[1]};
    const uint32_t *value = rs_motor_parameter(z, index);
    can_put32(data + 4, value != NULL ? *value : 0);
    rs_motor_say(z, RS_READ, value != NULL ? 0 : 1, z->host, data, t_ns);
}

/* more: the second field's high byte. False: it is not answered, and does not count as heard. */
static bool obey(struct rs_motor *z, int type, unsigned field, const uint8_t *d, int64_t t_ns)
{
    switch (type) {
    case RS_GET_ID:
        rs_motor_say(z, RS_GET_ID, 0, RS_EVERYONE, z->uid, t_ns);
        break;
    case RS_CONTROL:
        control(z, field, d);
        rs_motor_feedback(z, t_ns);
        break;
    case RS_ENABLE:
        if (z->faults == 0 && z->state == RS_RESET) {
            z->state = RS_RUN;
        }
        rs_motor_feedback(z, t_ns);
        break;
    case RS_STOP:
        stop(z, d, t_ns);
        break;
    case RS_SET_ZERO:
        if (d[0] == 1) {
            z->m.origin += z->m.p;
            z->m.p = 0.0;
        }
        rs_motor_feedback(z, t_ns);
        break;
    case RS_SET_ID:
        z->id = (uint8_t)(field >> 8);
        rs_motor_say(z, RS_GET_ID, 0, RS_EVERYONE, z->uid, t_ns);
        break;
    case RS_READ:
    case RS_WRITE:
        parameter(z, type, d, t_ns);
        break;
    case RS_SAVE:
        rs_motor_feedback(z, t_ns);
        break;
    case RS_REPORT:
        z->reports = d[6] == 1;
        rs_motor_feedback(z, t_ns);
        break;
    default:
        return false;
    }
    return true;
}

static void motor_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    struct rs_motor *z = state;
    struct canfd_frame f;
    (void)baud;
    if (!can_heard(bytes, n, &f) || f.len < 8 || can_silent(&z->c.demands, t_ns) ||
        (f.can_id & (CAN_EFF_FLAG | CAN_RTR_FLAG)) != CAN_EFF_FLAG || (f.flags & CANFD_FDF) != 0 ||
        (f.can_id & 0xFF) != z->id) {
        return;
    }
    const int type = (int)(f.can_id >> 24 & 0x1F);
    const unsigned field = f.can_id >> 8 & 0xFFFF;
    if (type != RS_CONTROL && (field & 0xFF) != 0) {
        z->host = (uint8_t)field;
    }
    if (obey(z, type, field, f.data, t_ns)) {
        z->heard_ns = t_ns;
    }
}

static int64_t motor_due(const void *state)
{
    return can_due(&((const struct rs_motor *)state)->out);
}

static int motor_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    return can_take(&((struct rs_motor *)state)->out, t_ns, ret_bytes, cap);
}

const struct device device_robstride = {
    .name = "robstride",
    .options = device_options,
    .config_bytes = sizeof(struct rs_device_config),
    .state_bytes = sizeof(struct rs_motor),
    .init = motor_init,
    .rx = motor_rx,
    .due = motor_due,
    .tx = motor_tx,
    .step = rs_motor_step,
};
