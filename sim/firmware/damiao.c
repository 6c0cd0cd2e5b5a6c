/*
 * An emulated Damiao motor: MIT, position, speed and position-force commands, registers, timeout,
 * temperatures. Answers once per frame that it accepts; disabled it still answers, without torque.
 * A command of another mode than CTRL_MODE is ignored, as some firmware does.
 */
#include "sim/firmware/damiao.h"

#include <math.h>
#include <string.h>

static const char *const model_names[] = {"4310",  "4310_48v", "4340",  "4340_48v", "6006",
                                          "8006",  "8009",     "3507",  "10010l",   "10010",
                                          "h3510", "h6215",    "g6220", NULL};

#define AT(field) offsetof(struct dm_device_config, field)

/* clang-format off */
static const struct option device_options[] = {
    {.key = "model", .type = OPTION_CHOICE, .offset = AT(model), .def = "4310", .choices = model_names, .help = "DM-J motor, for its ranges"},
    {.key = "p_max_rad", .type = OPTION_DOUBLE, .offset = AT(p_max_rad), .min = -1000, .max = 1000, .def = "0", .help = "range of its positions, register 21; 0: the model's"},
    {.key = "v_max_rad_s", .type = OPTION_DOUBLE, .offset = AT(v_max_rad_s), .min = -1000, .max = 1000, .def = "0", .help = "range of its speeds, register 22; 0: the model's"},
    {.key = "t_max_nm", .type = OPTION_DOUBLE, .offset = AT(t_max_nm), .min = -1000, .max = 1000, .def = "0", .help = "range of its torques, register 23; 0: the model's"},
    {.key = "id", .type = OPTION_INT, .offset = AT(id), .min = 0, .max = 255, .def = "0", .help = "the id that it has, register 8; 0: its joint's"},
    {.key = "master_id", .type = OPTION_INT, .offset = AT(master_id), .min = -1, .max = 2047, .def = "-1", .help = "CAN id of its answers, register 7; -1: its id + 16"},
    {.key = "can_br", .type = OPTION_INT, .offset = AT(can_br), .min = -1, .max = 11, .def = "-1", .help = "bit rate code, register 35, CAN FD from 5 on; -1: as the bus"},
    {.key = "sw_version", .type = OPTION_INT, .offset = AT(sw_version), .min = 0, .max = 1000000000, .def = "5015", .help = "software version, register 14"},
    {.key = "serial", .type = OPTION_INT, .offset = AT(serial), .min = 0, .max = 1000000000, .def = "0", .help = "serial number, register 15; 0: made of its id"},
    {.key = "status", .type = OPTION_INT, .offset = AT(status), .min = 2, .max = 15, .def = "14", .help = "error that comes at status_at_s: 8 over-voltage .. 14 overload"},
    {.key = "status_at_s", .type = OPTION_DOUBLE, .offset = AT(status_at_s), .min = 0, .max = 1e9, .def = "0", .help = "when that error comes; 0: never"},
    {.key = "lost_latches", .type = OPTION_BOOL, .offset = AT(lost_latches), .def = "false", .help = "a tripped timeout stays until power is cycled"},
    {.key = "ignores_timeout", .type = OPTION_BOOL, .offset = AT(ignores_timeout), .def = "false", .help = "goes on with its last command on a silent bus"},
    CAN_DEMAND_OPTIONS(struct dm_device_config),
    {.key = NULL},
};

/* clang-format on */

static void motor_init(const void *config, const struct robot *robot, int joint, void *ret_state)
{
    struct dm_motor *z = ret_state;
    memset(z, 0, sizeof *z);
    option_defaults(device_options, &z->c);
    if (config != NULL) {
        z->c = *(const struct dm_device_config *)config;
    }
    can_motor_init(&z->m, robot, joint);
    dm_motor_leave_factory(z, robot);
    dm_motor_power_up(z, 0);
}

/* --- the line --- */

static void answer(struct dm_motor *z, const uint8_t *data, int64_t t_ns)
{
    struct canfd_frame f = {.can_id = z->regs[DM_MST_ID] & CAN_SFF_MASK, .len = 8};
    f.flags = z->regs[DM_CAN_BR] >= DM_CAN_BR_FD ? CANFD_FDF | CANFD_BRS : 0;
    memcpy(f.data, data, 8);
    can_put(&z->out, t_ns + z->c.demands.reply_us * INT64_C(1000), &f);
}

static void answer_state(struct dm_motor *z, int64_t t_ns)
{
    const struct motor_range r = dm_motor_range(z);
    uint8_t data[8] = {(uint8_t)(z->status << 4 | (int)(z->regs[DM_ESC_ID] & 0xF))};
    motor_answer(&r, z->m.p, z->m.v, z->m.t, data);
    data[6] = (uint8_t)fmax(0.0, fmin(255.0, dm_motor_mosfet_c(z)));
    data[7] = (uint8_t)fmax(0.0, fmin(255.0, z->m.temp_c));
    answer(z, data, t_ns);
}

static void special(struct dm_motor *z, uint8_t what)
{
    switch (what) {
    case 0xFC:
        if (z->status == DM_DISABLED) {
            z->status = DM_ENABLED;
            z->path_rad = z->m.p;
        }
        break;
    case 0xFD:
        if (z->status == DM_ENABLED) {
            dm_motor_release(z, DM_DISABLED);
        }
        break;
    case 0xFE:
        z->m.origin += z->m.p;
        z->m.p = 0.0;
        break;
    case 0xFB:
        if (z->status != DM_ENABLED) {
            z->status = dm_motor_cause(z);
        }
        break;
    default:
        break;
    }
}

/* A frame to a register; false: not for us, or not answered. */
static void access_register(struct dm_motor *z, const uint8_t *d, int64_t t_ns)
{
    const unsigned rid = d[3];
    uint8_t data[8];
    memcpy(data, d, 4);
    if (d[2] == DM_REFRESH) {
        answer_state(z, t_ns);
        return;
    }
    if (d[2] == DM_SAVE) {
        if (z->status != DM_ENABLED) {
            memcpy(z->flash, z->regs, sizeof z->flash);
            answer_state(z, t_ns);
        }
        return;
    }
    if ((d[2] != DM_READ && d[2] != DM_WRITE) || !dm_motor_has(rid)) {
        return;
    }
    if (d[2] == DM_WRITE) {
        dm_motor_write(z, rid, can_u32(d + 4));
    }
    can_put32(data + 4, dm_motor_read(z, rid));
    answer(z, data, t_ns);
}

/* A command of the mode that CTRL_MODE names. */
static bool command(struct dm_motor *z, uint32_t kind, const uint8_t *d, int n)
{
    const struct motor_range r = dm_motor_range(z);
    const uint32_t mode = z->regs[DM_CTRL_MODE];
    struct motor_command g = {0};
    if (kind == 0 && mode == DM_MODE_MIT && n >= 8) {
        motor_decode(&r, d, &g);
    } else if (kind == DM_POS_VEL_ID && mode == DM_MODE_POS_VEL && n >= 8) {
        g.p = (double)can_f32(can_u32(d));
        const double speed = fabs((double)can_f32(can_u32(d + 4)));
        z->speed = isfinite(speed) ? speed : 0.0;
        z->force = 1.0;
    } else if (kind == DM_VEL_ID && mode == DM_MODE_VEL && n >= 4) {
        g.v = (double)can_f32(can_u32(d));
    } else if (kind == DM_POS_FORCE_ID && mode == DM_MODE_POS_FORCE && n >= 8) {
        g.p = (double)can_f32(can_u32(d));
        z->speed = (d[4] | d[5] << 8) / 100.0;
        z->force = fmin(1.0, (d[6] | d[7] << 8) / 10000.0);
    } else {
        return false;
    }
    if (z->status == DM_ENABLED && isfinite(g.p) && isfinite(g.v)) {
        z->goal = g;
    }
    return true;
}

static void motor_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns, uint32_t baud)
{
    struct dm_motor *z = state;
    struct canfd_frame f;
    const uint32_t own = z->regs[DM_ESC_ID];
    (void)baud;
    if (!can_heard(bytes, n, &f) || (f.can_id & (CAN_EFF_FLAG | CAN_RTR_FLAG)) != 0 ||
        can_silent(&z->c.demands, t_ns)) {
        return;
    }
    if (f.can_id == DM_REGISTER_ID) {
        if (f.len >= 4 && (uint32_t)(f.data[0] | f.data[1] << 8) == own) {
            z->heard_ns = t_ns;
            access_register(z, f.data, t_ns);
        }
        return;
    }
    const uint32_t kind = f.can_id & 0x700;
    if ((f.can_id & 0xFF) != own || kind > DM_POS_FORCE_ID) {
        return;
    }
    const uint8_t what = f.len >= 8 ? motor_special(f.data) : 0;
    if (what >= 0xFB && what <= 0xFE) {
        special(z, what);
    } else if (!command(z, kind, f.data, f.len)) {
        return;
    }
    z->heard_ns = t_ns;
    answer_state(z, t_ns);
}

static int64_t motor_due(const void *state)
{
    return can_due(&((const struct dm_motor *)state)->out);
}

static int motor_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    return can_take(&((struct dm_motor *)state)->out, t_ns, ret_bytes, cap);
}

const struct device device_damiao = {
    .name = "damiao",
    .options = device_options,
    .config_bytes = sizeof(struct dm_device_config),
    .state_bytes = sizeof(struct dm_motor),
    .init = motor_init,
    .rx = motor_rx,
    .due = motor_due,
    .tx = motor_tx,
    .step = dm_motor_step,
};
