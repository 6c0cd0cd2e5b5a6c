/*
 * RobStride motors, private protocol: 29-bit ids, type << 24 | second field << 8 | who it is for.
 * Pure codec; set-up is robstride_setup.c.
 *
 *   goals     01 torque(16) motor     p v kp kd, 16 bits each, big-endian
 *   feedback  02 state(2) faults(6) motor, host     p v torque 16 bits each, temperature x 10
 *   fault     15 motor host           u32 faults, u32 warnings, little-endian
 *   stop      04 host motor           0
 *
 * Positions, speeds and torques are parts of ranges that the motor does not tell: they are
 * settings. Set-up compares a feedback with the motor's own angle, which shows a wrong range of
 * positions.
 */
#include "drivers/robstride.h"

#include <errno.h>
#include <math.h>

static const char *const motor_names[] = {"rs00", "rs01", "rs02", "rs03", "rs04",
                                          "rs05", "rs06", "el05", NULL};

#define AT(field) offsetof(struct rs_config, field)

/* clang-format off */
static const struct mit_range ranges[] = { /* p v t kp kd, private mode, by the manuals */
    {RS_P_MAX_RAD, 33, 14,  500,  5},   {RS_P_MAX_RAD, 44, 17,  500,  5},   {RS_P_MAX_RAD, 44, 17, 500,  5},
    {RS_P_MAX_RAD, 20, 60,  5000, 100}, {RS_P_MAX_RAD, 15, 120, 5000, 100}, {RS_P_MAX_RAD, 50, 5.5, 500, 5},
    {RS_P_MAX_RAD, 50, 36,  5000, 100}, {RS_P_MAX_RAD, 50, 6,   500,  5},
};

static const struct option rs_options[] = {
    {.key = "motor", .type = OPTION_CHOICE, .offset = AT(motor), .def = "rs02", .choices = motor_names,
     .help = "RobStride motor, for its ranges, which it does not tell"},
    {.key = "p_max_rad", .type = OPTION_DOUBLE, .offset = AT(p_max_rad), .min = 0, .max = 1000, .def = "0",
     .help = "end of its range of positions; 0: 12.57; 12.5 on an RS00 before firmware 0.0.2.6"},
    {.key = "v_max_rad_s", .type = OPTION_DOUBLE, .offset = AT(v_max_rad_s), .min = 0, .max = 1000, .def = "0",
     .help = "end of its range of speeds; 0: the motor's by the manual"},
    {.key = "t_max_nm", .type = OPTION_DOUBLE, .offset = AT(t_max_nm), .min = 0, .max = 1000, .def = "0",
     .help = "end of its range of torques; 0: the motor's by the manual"},
    {.key = "host_id", .type = OPTION_INT, .offset = AT(host_id), .min = 1, .max = 253, .def = "253",
     .help = "our own id, which the motors answer to"},
    {.key = "kp_nm_rad", .type = OPTION_DOUBLE, .offset = AT(gains.kp_nm_rad), .min = 0, .max = 100000, .def = "10",
     .help = "stiffness of position goals at the joint; at most 500 or 5000 gear^2, by the motor"},
    {.key = "kd_nms_rad", .type = OPTION_DOUBLE, .offset = AT(gains.kd_nms_rad), .min = 0, .max = 10000, .def = "0.5",
     .help = "damping of position and velocity goals at the joint; at most 5 or 100 gear^2, by the motor"},
    {.key = NULL},
};

const struct silence_row rs_silence_rows[] = {
    {0, RS_MODE_CONTROL, 0, UINT32_MAX, SILENCE_OFF, "maker's manuals, canTimeout (7028): back to reset mode"},
    {.source = NULL},
};

/* clang-format on */

const struct rs_config *rs_config_of(const struct robot_bus *b, int joint)
{
    static const struct rs_config plain = {.motor = 2, .host_id = 253, .gains = {10.0, 0.5}};
    const struct rs_config *c = b->robot->joint[joint].driver;
    return c != NULL ? c : &plain;
}

struct mit_range rs_range(const struct robot_bus *b, int joint)
{
    const struct rs_config *c = rs_config_of(b, joint);
    struct mit_range r = ranges[c->motor];
    r.p = c->p_max_rad > 0.0 ? c->p_max_rad : r.p;
    r.v = c->v_max_rad_s > 0.0 ? c->v_max_rad_s : r.v;
    r.t = c->t_max_nm > 0.0 ? c->t_max_nm : r.t;
    return r;
}

void rs_frame(const struct robot_bus *b, int joint, enum rs_type type, int more,
              const uint8_t *data, struct canfd_frame *ret_tx)
{
    static const uint8_t zeros[MIT_BYTES];
    const uint32_t id =
        (uint32_t)type << 24 | (uint32_t)more << 8 | (uint32_t)(b->robot->joint[joint].id & 0xFF);
    can_frame(b, id | CAN_EFF_FLAG, data != NULL ? data : zeros, MIT_BYTES, ret_tx);
    ret_tx->flags = 0; /* these motors know classic CAN only */
}

static void put16(uint8_t *p, unsigned code)
{
    p[0] = (uint8_t)(code >> 8);
    p[1] = (uint8_t)code;
}

/* g is finite. */
void rs_control(const struct robot_bus *b, int joint, const struct mit_goal *g,
                struct canfd_frame *ret_tx)
{
    const struct mit_range r = rs_range(b, joint);
    uint8_t data[MIT_BYTES];
    put16(data, mit_code(g->p, -r.p, r.p, 16));
    put16(data + 2, mit_code(g->v, -r.v, r.v, 16));
    put16(data + 4, mit_code(g->kp, 0.0, r.kp, 16));
    put16(data + 6, mit_code(g->kd, 0.0, r.kd, 16));
    rs_frame(b, joint, RS_CONTROL, mit_code(g->t, -r.t, r.t, 16), data, ret_tx);
}

bool rs_is(const struct robot_bus *b, int joint, enum rs_type type, const struct canfd_frame *rx)
{
    const uint32_t id = rx->can_id & CAN_EFF_MASK;
    const uint32_t host =
        type == RS_GET_ID ? RS_EVERYONE : (uint32_t)rs_config_of(b, joint)->host_id;
    return (rx->can_id & ~CAN_EFF_MASK) == CAN_EFF_FLAG && id >> 24 == (uint32_t)type &&
           (id & 0xFF) == host && (id >> 8 & 0xFF) == (uint32_t)b->robot->joint[joint].id &&
           rx->len >= MIT_BYTES;
}

const char *rs_fault_name(int faults)
{
    static const char *const names[] = {"under-voltage", "over-current", "too hot",
                                        "encoder",       "stalled",      "uncalibrated"};
    int bit = 0;
    while (bit < 5 && (faults >> bit & 1) == 0) {
        bit++;
    }
    return names[bit];
}

uint32_t rs_serial(const uint8_t *id)
{
    uint32_t serial = 0;
    for (int i = 0; i < 8; i++) {
        serial ^= (uint32_t)id[i] << (8 * (i % 4));
    }
    return serial;
}

void rs_note(const struct robot_bus *b, int joint, const struct canfd_frame *rx,
             struct mit_state *ret_state)
{
    const struct mit_range r = rs_range(b, joint);
    struct rs_joint *z = b->state[joint];
    const uint8_t *d = rx->data;
    z->faults = rx->can_id >> 16 & 0x3F;
    z->state = rx->can_id >> 22 & 3;
    z->can.enabled = z->state == RS_RUN;
    ret_state->p = mit_value((unsigned)d[0] << 8 | d[1], -r.p, r.p, 16);
    ret_state->v = mit_value((unsigned)d[2] << 8 | d[3], -r.v, r.v, 16);
    ret_state->t = mit_value((unsigned)d[4] << 8 | d[5], -r.t, r.t, 16);
    mit_note(b, joint, ret_state);
}

/* A motor that is stopped answers a frame without torque, too. */
static int robstride_goals(struct robot_bus *b, const struct command *cmd,
                           struct canfd_frame *ret_tx, int cap)
{
    if (cap < b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        struct mit_goal g;
        (void)mit_goal_of(b, j, &rs_config_of(b, j)->gains, cmd, &g);
        rs_control(b, j, &g, &ret_tx[k]);
        b->pending |= UINT64_C(1) << j;
    }
    return b->n;
}

struct fault_row {
    uint32_t bits;
    uint32_t fault; /* enum joint_fault */
};

static uint32_t faults_of(uint32_t bits, const struct fault_row *rows, int n)
{
    uint32_t faults = 0;
    for (int i = 0; i < n; i++) {
        faults |= (bits & rows[i].bits) != 0 ? rows[i].fault : 0;
    }
    return faults == 0 && bits != 0 ? (uint32_t)FAULT_ALERT : faults;
}

static uint32_t feedback_faults(uint32_t bits)
{
    static const struct fault_row rows[] = {{RS_UNDER_VOLTAGE, FAULT_VOLTAGE},
                                            {RS_OVER_CURRENT, FAULT_ELECTRICAL},
                                            {RS_HOT, FAULT_OVERHEAT},
                                            {RS_ENCODER | RS_UNCALIBRATED, FAULT_ENCODER},
                                            {RS_STALL, FAULT_OVERLOAD}};
    return faults_of(bits, rows, (int)(sizeof rows / sizeof rows[0]));
}

/* Of a fault frame: the manual's bit numbers. */
static uint32_t frame_faults(const uint8_t *d)
{
    static const struct fault_row rows[] = {
        {1u << 0, FAULT_OVERHEAT},
        {1u << 1 | 1u << 4 | 1u << 5 | 1u << 16, FAULT_ELECTRICAL},
        {1u << 2 | 1u << 3, FAULT_VOLTAGE},
        {1u << 7 | 1u << 9, FAULT_ENCODER},
        {1u << 14, FAULT_OVERLOAD}};
    const uint32_t bits =
        (uint32_t)d[0] | (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16 | (uint32_t)d[3] << 24;
    return faults_of(bits, rows, (int)(sizeof rows / sizeof rows[0]));
}

static void take(struct robot_bus *b, int j, const struct canfd_frame *rx, struct sensed *s)
{
    struct rs_joint *z = b->state[j];
    struct mit_state m;
    rs_note(b, j, rx, &m);
    mit_sense(b, j, &m, s);
    s->temp_c[j] = (float)(rx->data[6] << 8 | rx->data[7]) * 0.1f;
    s->torque[j] = z->can.enabled ? TORQUE_ON : TORQUE_OFF;
    s->faults[j] = (s->faults[j] & ~CAN_DEVICE_FAULTS) | feedback_faults(z->faults) | z->told;
}

static int robstride_decode(struct robot_bus *b, const struct canfd_frame *rx,
                            struct sensed *ret_sensed)
{
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        struct rs_joint *z = b->state[j];
        if (rs_is(b, j, RS_FAULT, rx)) { /* of its own accord: no answer */
            z->told |= frame_faults(rx->data);
            ret_sensed->faults[j] |= z->told;
            return 1;
        }
        if (!rs_is(b, j, RS_FEEDBACK, rx)) {
            continue;
        }
        if (can_owed(b, j)) {
            take(b, j, rx, ret_sensed);
        }
        return 1;
    }
    return 0;
}

/* Brake, hold and damping are commands of a running motor, which its timeout ends. */
static int robstride_stop(const struct robot_bus *b, enum stop_how how, struct canfd_frame *ret_tx,
                          int cap)
{
    if (how != STOP_OFF) {
        return -ENOTSUP;
    }
    if (cap < b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        rs_frame(b, j, RS_STOP, rs_config_of(b, j)->host_id, NULL, &ret_tx[k]);
    }
    return b->n;
}

static void robstride_load(const struct robot *r, int bus, struct can_load *ret_load)
{
    mit_load(r, bus, ret_load);
    ret_load->frames[0].extended = true;
}

const struct can_driver can_driver_robstride = {
    .info = {.name = "robstride",
             .options = rs_options,
             .config_bytes = sizeof(struct rs_config),
             .silence = rs_silence_rows,
             .kd_max = 5.0,
             .joint_bytes = sizeof(struct rs_joint)},
    .setup = rs_setup,
    .ask = mit_ask,
    .goals = robstride_goals,
    .decode = robstride_decode,
    .stop = robstride_stop,
    .load = robstride_load,
    .look = &rs_look,
};
