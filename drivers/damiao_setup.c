/*
 * What set-up does to each Damiao motor. Nothing is written to its flash: mode and timeout are set
 * in RAM at every arming. Register replies and states come on one id and length; a reply is told by
 * id, access and register, and no goals are sent while set-up asks.
 */
#include "drivers/damiao.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ZERO_RAD 0.02 /* a motor at rest that was just told that this is 0 */

/* LOOK, BID (a special command) and LIMP (a frame without torque) are answered by a state. */
enum { LOOK = CAN_SILENCE + 1, BID, LIMP, READ, SET };

/* What a state must show, or a SET writes. */
enum { ANY, OFF, ON, NO_ERROR, POSE, AT_ZERO, MODE, TIMEOUT };

#define RANGES                                                                                     \
    {READ, DM_PMAX, ANY, 0, 0}, {READ, DM_VMAX, ANY, 0, 0},                                        \
    {                                                                                              \
        READ, DM_TMAX, ANY, 0, 0                                                                   \
    }

/* clang-format off */
static const struct can_step identify[] = {
    {READ, DM_ESC_ID,     ANY, 0, 0},
    {READ, DM_HW_VERSION, ANY, 0, 0},
    {READ, DM_SW_VERSION, ANY, 0, 0},
    {READ, DM_SERIAL,     ANY, 0, 0},
    {READ, DM_CAN_BR,     ANY, 0, 0},
    RANGES,
};

/* A motor's timeout counts from its enabling: all are enabled at once, at the very end. */
static const struct can_step arm[] = {
    {READ,        DM_SERIAL,    ANY,      0, 0},
    RANGES,
    {CAN_SILENCE, 0,            ANY,      CAN_ACTUATED, 0},
    {BID,         MIT_DISABLE,  OFF,      CAN_ACTUATED, 0},
    {BID,         MIT_CLEAR,    ANY,      CAN_ACTUATED, 0},
    {LOOK,        0,            NO_ERROR, CAN_ACTUATED, 0},
    {SET,         DM_CTRL_MODE, MODE,     CAN_ACTUATED, 0},
    {SET,         DM_TIMEOUT,   TIMEOUT,  CAN_ACTUATED | CAN_PUT, 0},
    {LIMP,        0,            POSE,     CAN_ACTUATED, 0},
    {BID,         MIT_ENABLE,   NO_ERROR, CAN_ACTUATED | CAN_ALL, 0},
    {LIMP,        0,            ON,       CAN_ACTUATED | CAN_ALL, 0},
};

static const struct can_step disarm[] = {{BID, MIT_DISABLE, OFF, CAN_ALL, 0}};
static const struct can_step clear[] = {{BID, MIT_CLEAR, ANY, CAN_ALL, 0}, {LOOK, 0, NO_ERROR, CAN_ALL, 0}};
static const struct can_step zero[] = {
    {BID,  MIT_DISABLE, OFF,     0, 0},
    {BID,  MIT_ZERO,    ANY,     0, 0},
    {LOOK, 0,           AT_ZERO, 0, 0},
};

/* clang-format on */

static double wanted(const struct robot_bus *b, const struct can_step *step)
{
    return step->wanted == TIMEOUT ? fmax(1.0, ceil(can_watchdog_s(b) / DM_TIMEOUT_S - 1e-6))
                                   : (double)DM_MODE_MIT;
}

static void ask(struct setup *s, int joint, const struct can_step *step, bool write,
                struct canfd_frame *ret_tx)
{
    const struct robot_bus *b = s->bus;
    const int id = b->robot->joint[joint].id;
    uint8_t data[8] = {(uint8_t)id, (uint8_t)(id >> 8), write ? DM_WRITE : DM_READ,
                       (uint8_t)step->addr};
    switch (step->kind) {
    case LOOK:
        dm_refresh(b, joint, ret_tx);
        return;
    case LIMP: {
        const struct mit_goal g = mit_goal_limp(b, joint);
        dm_mit(b, joint, &g, ret_tx);
        return;
    }
    case BID:
        mit_pack_special((enum mit_special)step->addr, data);
        can_frame(b, (uint32_t)id, data, (int)sizeof data, ret_tx);
        return;
    default:
        if (write) {
            const uint32_t value = (uint32_t)wanted(b, step);
            memcpy(data + 4, &value, sizeof value);
        }
        can_frame(b, DM_REGISTER_ID, data, (int)sizeof data, ret_tx);
    }
}

static enum can_heard hear_error(struct setup *s, int joint, int status)
{
    char text[64];
    (void)snprintf(text, sizeof text, "reports %s (status %X)", dm_status_name(status),
                   (unsigned)status);
    return can_give_up(s, joint, text,
                       "remove the cause, then clear it; if it stays, cycle the motor's power");
}

static enum can_heard hear_state(struct setup *s, int joint, const struct can_step *step,
                                 const struct canfd_frame *rx)
{
    const struct dm_joint *z = s->bus->state[joint];
    struct mit_state m;
    if (!dm_is_state(s->bus, joint, rx)) {
        return HEARD_OTHER;
    }
    dm_note(s->bus, joint, rx, &m);
    const bool error = z->status != DM_DISABLED && z->status != DM_ENABLED;
    switch (step->wanted) {
    case OFF:
        if (z->can.enabled) {
            return HEARD_NOT_YET;
        }
        s->torque_off |= s->goal == SETUP_DISARM ? UINT64_C(1) << joint : 0;
        return HEARD_YES;
    case ON:
        return error ? hear_error(s, joint, z->status) : z->can.enabled ? HEARD_YES : HEARD_NOT_YET;
    case NO_ERROR:
        return error ? hear_error(s, joint, z->status) : HEARD_YES;
    case POSE:
        return can_pose(s, joint, m.p);
    case AT_ZERO:
        return fabs(m.p) < ZERO_RAD ? HEARD_YES : HEARD_NOT_YET;
    default:
        return HEARD_YES;
    }
}

/* Ranges scale everything: one that is no sane number is an end. */
static enum can_heard hear_range(struct setup *s, int joint, int rid, float value)
{
    struct dm_joint *z = s->bus->state[joint];
    double *const at[] = {&z->range.p, &z->range.v, &z->range.t};
    if (!isfinite(value) || !(value > 0.0f)) {
        char text[64];
        (void)snprintf(text, sizeof text, "register %d, its range, is %g", rid, (double)value);
        return can_give_up(s, joint, text, "set it with the maker's tool");
    }
    *at[rid - DM_PMAX] = (double)value;
    if (rid != DM_TMAX) {
        return HEARD_YES;
    }
    z->range.kp = DM_KP_MAX;
    z->range.kd = DM_KD_MAX;
    return mit_range_fits(s, joint, &z->range, &dm_config_of(s->bus, joint)->gains);
}

static enum can_heard hear_serial(struct setup *s, int joint, uint32_t serial)
{
    struct dm_joint *z = s->bus->state[joint];
    if (s->goal == SETUP_ARM && serial != s->bus->id[joint].serial) {
        return can_give_up(s, joint, "another motor answers than was identified",
                           "do not change motors while basald runs");
    }
    z->found.serial = serial;
    z->found.silence = can_silence(dm_silence_rows, z->found.model, DM_MODE_MIT, z->found.firmware);
    return can_identify(s, joint, &z->found);
}

static enum can_heard hear_read(struct setup *s, int joint, int rid, const uint8_t *data)
{
    struct dm_joint *z = s->bus->state[joint];
    uint32_t u;
    float f;
    memcpy(&u, data, sizeof u);
    memcpy(&f, data, sizeof f);
    switch (rid) {
    case DM_HW_VERSION:
        z->found.model = (int)(u & INT32_MAX);
        return HEARD_YES;
    case DM_SW_VERSION:
        z->found.firmware = (int)(u & INT32_MAX);
        return HEARD_YES;
    case DM_SERIAL:
        return hear_serial(s, joint, u);
    case DM_CAN_BR:
        if (s->bus->spec->data_bitrate > 0 && u < DM_CAN_BR_FD) {
            return can_give_up(s, joint, "answers in classic CAN, register 35 says",
                               "set it to the bus's data rate, or remove bus.data_bitrate");
        }
        return HEARD_YES;
    case DM_PMAX:
    case DM_VMAX:
    case DM_TMAX:
        return hear_range(s, joint, rid, f);
    default:
        return HEARD_YES;
    }
}

static enum can_heard hear_register(struct setup *s, int joint, const struct can_step *step,
                                    const struct canfd_frame *rx)
{
    const int id = s->bus->robot->joint[joint].id;
    const uint8_t *d = rx->data;
    const bool write = d[2] == DM_WRITE;
    if ((rx->can_id & (CAN_EFF_FLAG | CAN_RTR_FLAG)) != 0 || rx->len < 8 || d[0] != (id & 0xFF) ||
        d[1] != id >> 8 || (!write && d[2] != DM_READ) || d[3] != step->addr ||
        rx->can_id == DM_REGISTER_ID) {
        return HEARD_OTHER;
    }
    if (!dm_on_master_id(s->bus, joint, rx)) {
        char text[64];
        (void)snprintf(text, sizeof text, "answers on CAN id 0x%03x", rx->can_id);
        return can_give_up(s, joint, text, "write that into master_id, or change register 7");
    }
    if (step->kind == READ) {
        return hear_read(s, joint, (int)step->addr, d + 4);
    }
    if (write) {
        return HEARD_WRITTEN;
    }
    uint32_t value;
    memcpy(&value, d + 4, sizeof value);
    return can_compare(can_joint_of(s->bus, joint), (double)value, wanted(s->bus, step));
}

static enum can_heard hear(struct setup *s, int joint, const struct can_step *step,
                           const struct canfd_frame *rx)
{
    return step->kind == READ || step->kind == SET ? hear_register(s, joint, step, rx)
                                                   : hear_state(s, joint, step, rx);
}

#define LIST(steps)                                                                                \
    {                                                                                              \
        (steps), (int)(sizeof(steps) / sizeof((steps)[0]))                                         \
    }

static const struct can_steps dm_steps = {
    .list = {[SETUP_IDENTIFY] = LIST(identify),
             [SETUP_ARM] = LIST(arm),
             [SETUP_DISARM] = LIST(disarm),
             [SETUP_CLEAR] = LIST(clear),
             [SETUP_ZERO] = LIST(zero)},
    .ask = ask,
    .hear = hear,
};

int dm_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
             struct canfd_frame *ret_tx, int cap)
{
    return can_setup(&dm_steps, s, now_ns, rx, n, ret_tx, cap);
}
