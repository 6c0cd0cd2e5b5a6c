/*
 * What set-up does to each RobStride motor. Parameters are written to its RAM at every arming and
 * read back; nothing is saved.
 */
#include "drivers/robstride.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ZERO_RAD 0.02 /* a motor at rest that was just told that this is 0 */
#define SAME_RAD 2e-3 /* its angle in a feedback and in a parameter: some codes of 0.4 mrad */
#define MOVED_S  0.02 /* it may move between the two */
#define P_EDGE   0.1  /* nearer to the end of its range than this it may have wrapped */

/* STOP, CLEAR, ENABLE, ZERO and LIMP are answered by a feedback. */
enum { WHO = CAN_SILENCE + 1, VERSION, STOP, CLEAR, ENABLE, ZERO, LIMP, READ, SET };

/* What a feedback must show, or a SET writes. */
enum { ANY, OFF, ON, NO_ERROR, POSE, AT_ZERO, MODE, TORQUE, TIMEOUT };

/* clang-format off */
static const struct can_step identify[] = {
    {WHO,     0, ANY, 0, 0},
    {VERSION, 0, ANY, 0, 0}, /* by a stop */
};

/* A motor's timeout counts from its enabling: all are enabled at once, at the very end. */
static const struct can_step arm[] = {
    {WHO,         0,               ANY,      0, 0},
    {CAN_SILENCE, 0,               ANY,      CAN_ACTUATED, 0},
    {CLEAR,       0,               OFF,      CAN_ACTUATED, 0},
    {STOP,        0,               NO_ERROR, CAN_ACTUATED, 0},
    {SET,         RS_RUN_MODE,     MODE,     CAN_ACTUATED, 0},
    {SET,         RS_LIMIT_TORQUE, TORQUE,   CAN_ACTUATED | CAN_PUT, 0},
    {SET,         RS_CAN_TIMEOUT,  TIMEOUT,  CAN_ACTUATED | CAN_PUT, 0},
    {READ,        RS_MECH_POS,     ANY,      CAN_ACTUATED, 0},
    {LIMP,        0,               POSE,     CAN_ACTUATED, 0},
    {ENABLE,      0,               NO_ERROR, CAN_ACTUATED | CAN_ALL, 0},
    {LIMP,        0,               ON,       CAN_ACTUATED | CAN_ALL, 0},
};

static const struct can_step disarm[] = {{STOP, 0, OFF, CAN_ALL, 0}};
static const struct can_step clear[] = {{CLEAR, 0, ANY, CAN_ALL, 0}, {STOP, 0, NO_ERROR, CAN_ALL, 0}};
static const struct can_step zero[] = {
    {STOP, 0, OFF,     0, 0},
    {ZERO, 0, ANY,     0, 0},
    {STOP, 0, AT_ZERO, 0, 0},
};

/* clang-format on */

/* The four bytes of a parameter. */
static void wanted(const struct robot_bus *b, int joint, const struct can_step *step,
                   uint8_t *ret_value)
{
    const struct joint_spec *j = &b->robot->joint[joint];
    const float torque = (float)(j->tau_max / fabs(j->gear));
    const uint32_t units = (uint32_t)fmax(1.0, ceil(can_watchdog_s(b) / RS_TIMEOUT_S - 1e-6));
    const uint32_t mode = RS_MODE_CONTROL;
    memcpy(ret_value,
           step->wanted == TORQUE    ? (const void *)&torque
           : step->wanted == TIMEOUT ? (const void *)&units
                                     : (const void *)&mode,
           4);
}

static double number(const struct can_step *step, const uint8_t *value)
{
    float f;
    uint32_t u;
    memcpy(&f, value, sizeof f);
    memcpy(&u, value, sizeof u);
    return step->wanted == TORQUE || step->addr == RS_MECH_POS ? (double)f : (double)u;
}

static void ask(struct setup *s, int joint, const struct can_step *step, bool write,
                struct canfd_frame *ret_tx)
{
    const struct robot_bus *b = s->bus;
    const int host = rs_config_of(b, joint)->host_id;
    uint8_t data[8] = {0};
    enum rs_type type = RS_STOP;
    switch (step->kind) {
    case LIMP: {
        const struct mit_goal g = mit_goal_limp(b, joint);
        rs_control(b, joint, &g, ret_tx);
        return;
    }
    case WHO:
        type = RS_GET_ID;
        break;
    case VERSION:
        data[1] = RS_VERSION_ASK;
        break;
    case CLEAR:
        data[0] = 1;
        break;
    case ENABLE:
        type = RS_ENABLE;
        break;
    case ZERO:
        type = RS_SET_ZERO;
        data[0] = 1;
        break;
    case READ:
    case SET:
        type = write ? RS_WRITE : RS_READ;
        data[0] = (uint8_t)step->addr;
        data[1] = (uint8_t)(step->addr >> 8);
        if (write) {
            wanted(b, joint, step, data + 4);
        }
        break;
    default:
        break;
    }
    rs_frame(b, joint, type, host, data, ret_tx);
}

static enum can_heard hear_error(struct setup *s, int joint)
{
    const struct rs_joint *z = s->bus->state[joint];
    char text[64];
    (void)snprintf(text, sizeof text, "reports %s (faults 0x%02x)", rs_fault_name(z->faults),
                   z->faults);
    return can_give_up(s, joint, text,
                       "remove the cause, then clear it; if it stays, cycle the motor's power");
}

/* Feedback and parameter say the same angle, if host and motor mean the same range. */
static enum can_heard hear_pose(struct setup *s, int joint, const struct mit_state *m)
{
    const struct rs_joint *z = s->bus->state[joint];
    const struct mit_range r = rs_range(s->bus, joint);
    const double off = fabs(m->p - z->mech_rad);
    if (fabs(z->mech_rad) < r.p - P_EDGE && off > SAME_RAD + fabs(m->v) * MOVED_S) {
        char text[96];
        (void)snprintf(text, sizeof text, "its feedback means %.4f rad, its parameter 7019 %.4f",
                       m->p, z->mech_rad);
        return can_give_up(s, joint, text, "p_max_rad is not this motor's: try 12.5 or 12.57");
    }
    return can_pose(s, joint, m->p);
}

static enum can_heard hear_feedback(struct setup *s, int joint, const struct can_step *step,
                                    const struct canfd_frame *rx)
{
    struct rs_joint *z = s->bus->state[joint];
    struct mit_state m;
    rs_note(s->bus, joint, rx, &m);
    switch (step->wanted) {
    case OFF:
        if (z->can.enabled) {
            return HEARD_NOT_YET;
        }
        s->torque_off |= s->goal == SETUP_DISARM ? UINT64_C(1) << joint : 0;
        z->told = step->kind == CLEAR ? 0 : z->told;
        return HEARD_YES;
    case ON:
        return z->faults != 0 ? hear_error(s, joint) : z->can.enabled ? HEARD_YES : HEARD_NOT_YET;
    case NO_ERROR:
        return z->faults != 0 ? hear_error(s, joint) : HEARD_YES;
    case POSE:
        return hear_pose(s, joint, &m);
    case AT_ZERO:
        return fabs(m.p) < ZERO_RAD ? HEARD_YES : HEARD_NOT_YET;
    default:
        z->told = step->kind == CLEAR ? 0 : z->told;
        return HEARD_YES;
    }
}

static enum can_heard hear_id(struct setup *s, int joint, const uint8_t *d)
{
    struct rs_joint *z = s->bus->state[joint];
    const uint32_t serial = rs_serial(d);
    if (s->goal == SETUP_ARM && serial != s->bus->id[joint].serial) {
        return can_give_up(s, joint, "another motor answers than was identified",
                           "do not change motors while basald runs");
    }
    z->found.serial = serial;
    return HEARD_YES;
}

/* 00 C4 56, then a.b.c.d; older firmware answers the stop and no more. */
static enum can_heard hear_version(struct setup *s, int joint, const uint8_t *d)
{
    struct rs_joint *z = s->bus->state[joint];
    const struct mit_range range = rs_range(s->bus, joint);
    const bool told = d[0] == 0 && d[1] == RS_VERSION_ASK && d[2] == RS_VERSION_ANSWER;
    z->found.firmware = told ? (d[3] & 0x7F) << 24 | d[4] << 16 | d[5] << 8 | d[6] : 0;
    z->found.silence = can_silence(rs_silence_rows, 0, RS_MODE_CONTROL, z->found.firmware);
    const enum can_heard heard = can_identify(s, joint, &z->found);
    return heard != HEARD_YES
               ? heard
               : mit_range_fits(s, joint, &range, &rs_config_of(s->bus, joint)->gains);
}

static enum can_heard hear_parameter(struct setup *s, int joint, const struct can_step *step,
                                     const struct canfd_frame *rx)
{
    struct rs_joint *z = s->bus->state[joint];
    const uint8_t *d = rx->data;
    uint8_t want[4];
    if ((rx->can_id >> 16 & 0xFF) != 0) {
        return can_give_up(s, joint, "refuses a parameter", "update its firmware");
    }
    if (step->kind == READ) {
        z->mech_rad = number(step, d + 4);
        return HEARD_YES;
    }
    wanted(s->bus, joint, step, want);
    return can_compare(&z->can, number(step, d + 4), number(step, want));
}

static enum can_heard hear(struct setup *s, int joint, const struct can_step *step,
                           const struct canfd_frame *rx)
{
    const uint8_t *d = rx->data;
    const struct robot_bus *b = s->bus;
    const bool parameter = step->kind == READ || step->kind == SET;
    if (step->kind == WHO) {
        return rs_is(b, joint, RS_GET_ID, rx) ? hear_id(s, joint, d) : HEARD_OTHER;
    }
    if (parameter && rs_is(b, joint, RS_READ, rx) && (d[0] | d[1] << 8) == step->addr) {
        return hear_parameter(s, joint, step, rx);
    }
    if (!rs_is(b, joint, RS_FEEDBACK, rx)) {
        return HEARD_OTHER;
    }
    if (parameter) { /* what a write is answered by */
        return can_wrote(s) ? HEARD_WRITTEN : HEARD_OTHER;
    }
    return step->kind == VERSION ? hear_version(s, joint, d) : hear_feedback(s, joint, step, rx);
}

#define LIST(steps)                                                                                \
    {                                                                                              \
        (steps), (int)(sizeof(steps) / sizeof((steps)[0]))                                         \
    }

static const struct can_steps rs_steps = {
    .list = {[SETUP_IDENTIFY] = LIST(identify),
             [SETUP_ARM] = LIST(arm),
             [SETUP_DISARM] = LIST(disarm),
             [SETUP_CLEAR] = LIST(clear),
             [SETUP_ZERO] = LIST(zero)},
    .ask = ask,
    .hear = hear,
};

int rs_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
             struct canfd_frame *ret_tx, int cap)
{
    return can_setup(&rs_steps, s, now_ns, rx, n, ret_tx, cap);
}
