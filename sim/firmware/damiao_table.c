/*
 * The emulated Damiao motor's registers: what leaves the factory, who may write what; and its time:
 * the timeout, errors, and what it commands.
 */
#include "sim/firmware/damiao.h"

#include <math.h>
#include <string.h>

#define HOT_MOSFET_C 120.0
#define HOT_COIL_C   100.0
/* Gains of the motor's own position loop at the motor: registers 25 to 28 are in the maker's units.
 */
#define OWN_KP 50.0
#define OWN_KD 1.0

static const struct {
    float p, v, t;
} models[] = {{12.5f, 30, 10}, {12.5f, 50, 10}, {12.5f, 10, 28}, {12.5f, 10, 28},  {12.5f, 45, 20},
              {12.5f, 45, 40}, {12.5f, 45, 54}, {12.5f, 50, 5},  {12.5f, 25, 200}, {12.5f, 20, 200},
              {12.5f, 280, 1}, {12.5f, 45, 10}, {12.5f, 45, 10}};

static bool is_float(unsigned rid)
{
    return !((rid >= DM_MST_ID && rid <= DM_CTRL_MODE) ||
             (rid >= DM_HW_VERSION && rid <= DM_POLE_PAIRS) || rid == DM_CAN_BR ||
             rid == DM_SUB_VERSION);
}

bool dm_motor_has(unsigned rid)
{
    return rid <= DM_SUB_VERSION || (rid >= DM_OFFSET_FIRST && rid <= DM_OFFSET_LAST) ||
           rid == DM_MOTOR_POSITION || rid == DM_OUTPUT_POSITION;
}

static bool is_writable(unsigned rid)
{
    return rid < DM_HW_VERSION || (rid >= DM_PMAX && rid <= DM_CAN_BR);
}

void dm_motor_power_up(struct dm_motor *z, int64_t t_ns)
{
    memcpy(z->regs, z->flash, sizeof z->regs);
    z->status = DM_DISABLED;
    z->goal = (struct motor_command){0};
    z->heard_ns = t_ns;
    z->lost = false;
    z->out.n = 0;
}

void dm_motor_leave_factory(struct dm_motor *z, const struct robot *robot)
{
    const struct joint_spec *j = &robot->joint[z->m.joint];

    static const struct {
        uint8_t rid;
        float value;
    } floats[] = {{DM_UV_VALUE, 15.0f},
                  {DM_OT_VALUE, (float)HOT_COIL_C},
                  {DM_OC_VALUE, 0.98f},
                  {DM_MAX_SPD, 300.0f},
                  {DM_OV_VALUE, 32.0f}};
    const struct dm_device_config *c = &z->c;
    const bool fd = j->bus >= 0 && robot->bus[j->bus].data_bitrate > 0;
    for (unsigned i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        z->flash[floats[i].rid] = can_bits(floats[i].value);
    }
    const int id = c->id > 0 ? c->id : j->id;
    z->flash[DM_ESC_ID] = (uint32_t)id;
    z->flash[DM_MST_ID] = (uint32_t)(c->master_id >= 0 ? c->master_id : id + DM_MST_ID_MORE);
    z->flash[DM_CTRL_MODE] = DM_MODE_MIT;
    z->flash[DM_HW_VERSION] = 1;
    z->flash[DM_SW_VERSION] = (uint32_t)c->sw_version;
    z->flash[DM_SERIAL] = c->serial != 0 ? (uint32_t)c->serial : 1000u + (uint32_t)j->id;
    z->flash[DM_POLE_PAIRS] = 14;
    z->flash[DM_PMAX] = can_bits(c->p_max_rad != 0 ? (float)c->p_max_rad : models[c->model].p);
    z->flash[DM_VMAX] = can_bits(c->v_max_rad_s != 0 ? (float)c->v_max_rad_s : models[c->model].v);
    z->flash[DM_TMAX] = can_bits(c->t_max_nm != 0 ? (float)c->t_max_nm : models[c->model].t);
    z->flash[DM_CAN_BR] = c->can_br >= 0 ? (uint32_t)c->can_br : fd ? 9u : 4u;
}

struct motor_range dm_motor_range(const struct dm_motor *z)
{
    return (struct motor_range){(double)can_f32(z->regs[DM_PMAX]),
                                (double)can_f32(z->regs[DM_VMAX]),
                                (double)can_f32(z->regs[DM_TMAX]), DM_KP_MAX, DM_KD_MAX};
}

uint32_t dm_motor_read(struct dm_motor *z, unsigned rid)
{
    z->regs[DM_MOTOR_POSITION] = z->regs[DM_OUTPUT_POSITION] = can_bits((float)z->m.p);
    return z->regs[rid];
}

void dm_motor_write(struct dm_motor *z, unsigned rid, uint32_t value)
{
    const bool good = rid != DM_CTRL_MODE || (value >= DM_MODE_MIT && value <= DM_MODE_POS_FORCE);
    if (is_writable(rid) && good && (!is_float(rid) || isfinite(can_f32(value)))) {
        z->regs[rid] = value;
    }
    if (rid == DM_CTRL_MODE) { /* a goal is of its mode */
        z->goal = (struct motor_command){0};
    }
}

void dm_motor_release(struct dm_motor *z, int status)
{
    z->status = status;
    z->goal = (struct motor_command){0};
}

double dm_motor_mosfet_c(const struct dm_motor *z)
{
    return 25.0 + 0.9 * (z->m.temp_c - 25.0);
}

int dm_motor_cause(const struct dm_motor *z)
{
    return z->m.temp_c > (double)can_f32(z->regs[DM_OT_VALUE]) ? DM_HOT_COIL
           : dm_motor_mosfet_c(z) > HOT_MOSFET_C               ? DM_HOT_MOSFET
           : z->lost && z->c.lost_latches                      ? DM_LOST
                                                               : DM_DISABLED;
}

static void watch(struct dm_motor *z, int64_t before_ns)
{
    const double now_s = (double)z->m.now_ns * 1e-9, status_at_s = z->c.status_at_s;
    const double quiet_s = (double)(z->m.now_ns - z->heard_ns) * 1e-9;
    if (can_browns_out(&z->c.demands, before_ns, z->m.now_ns)) {
        dm_motor_power_up(z, z->m.now_ns);
    }
    if (z->status == DM_ENABLED && z->regs[DM_TIMEOUT] != 0 && !z->c.ignores_timeout &&
        quiet_s > z->regs[DM_TIMEOUT] * DM_TIMEOUT_S) {
        z->lost = true;
        dm_motor_release(z, DM_LOST);
    }
    if (status_at_s > 0.0 && (double)before_ns * 1e-9 < status_at_s && now_s >= status_at_s) {
        dm_motor_release(z, z->c.status);
    }
    const int why = dm_motor_cause(z);
    if (why == DM_HOT_COIL || why == DM_HOT_MOSFET) {
        dm_motor_release(z, why);
    }
}

/* POS_VEL and POS_FORCE: on a straight path at their speed. */
static void follow(struct dm_motor *z, struct can_effort *e, double dt_s)
{
    const double left = z->goal.p - z->path_rad, step = z->speed * dt_s;
    z->path_rad += fabs(left) > step ? copysign(step, left) : left;
    e->p = z->path_rad;
    e->kp = OWN_KP;
    e->kd = OWN_KD;
    e->t_max *= z->force;
}

void dm_motor_step(void *state, int64_t t_ns, const struct sensed *s, struct command *ret_cmd)
{
    struct dm_motor *z = state;
    const int64_t before_ns = z->m.now_ns;
    can_motor_sense(&z->m, &z->c.demands, t_ns, s);
    watch(z, before_ns);
    struct can_effort e = {.mode = MODE_OFF, .p = z->m.p};
    if (z->status == DM_ENABLED) {
        e = (struct can_effort){
            MODE_IMPEDANCE,           z->goal.p, z->goal.v, z->goal.t, z->goal.kp, z->goal.kd,
            fabs(dm_motor_range(z).t)};
        if (z->regs[DM_CTRL_MODE] == DM_MODE_VEL) {
            e.kp = 0.0;
            e.kd = OWN_KD;
        } else if (z->regs[DM_CTRL_MODE] != DM_MODE_MIT) {
            follow(z, &e, (double)(t_ns - before_ns) * 1e-9);
        }
    }
    can_motor_command(&z->m, &e, ret_cmd);
}
