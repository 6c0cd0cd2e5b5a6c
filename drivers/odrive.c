/*
 * ODrive axes by CANSimple, firmware 0.5 and 0.6. Id = node << 5 | message, little-endian payloads,
 * padded to 8 bytes; what is asked for is a remote frame. Pure codec; set-up is odrive_setup.c.
 *
 *   ask 1   09 estimates of every axis: f32 turns, f32 turns/s
 *   ask 2   one of one axis in rotation: 14 currents, 17 supply, 15 temperatures (0.6)
 *   goals   0B control and input mode, 0F limits: when they changed or were long ago
 *           0C position, 0D velocity or 0E torque
 *   heard   01 heartbeat, every 100 ms: error, state
 *
 * Commands are not acknowledged: the heartbeat shows what came of them. The gains are the ODrive's
 * own; its current limit is the torque ceiling.
 */
#include "drivers/odrive.h"

#include "drivers/joints.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define REPLY_US      200 /* from a request to its answer; not in the papers */
#define SLOW_US       500 /* a remote frame and its answer at 1 Mbit/s */
#define REFRESH_GOALS 20  /* commands are not acknowledged: repeat mode and limits */
#define SPEED_FRAC    1.5 /* of qd_max: the device's own limit is the second fence */
#define AMPS_MIN      0.1 /* the least limit: below it an axis may refuse its closed loop */
#define RPS_FF_MAX    32.0
#define NM_FF_MAX     32.0
#define NUMBER_MAX    1e9

static const char *const firmware_names[] = {"0.5", "0.6", NULL};

/* clang-format off */
#define AT(field) offsetof(struct odrive_config, field)
static const struct option odrive_options[] = {
    {.key = "firmware", .type = OPTION_CHOICE, .offset = AT(firmware), .def = "0.6", .choices = firmware_names,
     .help = "its generation: the layout of heartbeat and errors"},
    {.key = "nm_per_a", .type = OPTION_DOUBLE, .offset = AT(nm_per_a), .min = 0, .max = 100, .def = "0",
     .help = "torque constant of the motor, as set in the ODrive; must be given for a driven joint"},
    {.key = "watchdog_set", .type = OPTION_BOOL, .offset = AT(watchdog_set), .def = "false",
     .help = "you have enabled the axis watchdog in the ODrive, which CANSimple cannot read"},
    {.key = NULL},
};

/* mode: 1 = the watchdog is set */
const struct silence_row odrive_silence_rows[] = {
    {0, 1, 0, UINT32_MAX, SILENCE_OFF, "ODrive documentation, axis watchdog: error and disarm"},
    {0, 0, 0, UINT32_MAX, SILENCE_KEEPS_GOING, "ODrive documentation: without the watchdog the last input stands"},
    {.source = NULL},
};

/* clang-format on */

const struct odrive_config *odrive_config_of(const struct robot_bus *b, int joint)
{
    static const struct odrive_config plain = {.firmware = 1};
    const struct odrive_config *c = b->robot->joint[joint].driver;
    return c != NULL ? c : &plain;
}

static uint32_t id_of(const struct robot_bus *b, int joint, enum odrive_message what)
{
    return (uint32_t)b->robot->joint[joint].id << ODRIVE_NODE_BITS | (uint32_t)what;
}

void odrive_frame(const struct robot_bus *b, int joint, enum odrive_message what,
                  const uint8_t *data, int n, struct canfd_frame *ret_tx)
{
    uint8_t padded[8] = {0};
    memcpy(padded, data, (size_t)n);
    can_frame(b, id_of(b, joint, what), padded, (int)sizeof padded, ret_tx);
    ret_tx->flags = 0; /* classic CAN only */
}

void odrive_request(const struct robot_bus *b, int joint, enum odrive_message what,
                    struct canfd_frame *ret_tx)
{
    can_frame(b, id_of(b, joint, what) | CAN_RTR_FLAG, NULL, 0, ret_tx);
}

void odrive_put_u32(const struct robot_bus *b, int joint, enum odrive_message what, uint32_t first,
                    uint32_t second, struct canfd_frame *ret_tx)
{
    const uint32_t data[2] = {first, second};
    odrive_frame(b, joint, what, (const uint8_t *)data, (int)sizeof data, ret_tx);
}

/* No overflow: what is that large is not meant. */
static float single(double x)
{
    return (float)(x > NUMBER_MAX ? NUMBER_MAX : x < -NUMBER_MAX ? -NUMBER_MAX : x);
}

void odrive_put_f32(const struct robot_bus *b, int joint, enum odrive_message what, double first,
                    double second, struct canfd_frame *ret_tx)
{
    const float data[2] = {single(first), single(second)};
    odrive_frame(b, joint, what, (const uint8_t *)data, (int)sizeof data, ret_tx);
}

int odrive_message_of(const struct robot_bus *b, int joint, const struct canfd_frame *rx)
{
    const bool ours = (rx->can_id & ~CAN_SFF_MASK) == 0 &&
                      (int)(rx->can_id >> ODRIVE_NODE_BITS) == b->robot->joint[joint].id;
    return ours ? (int)(rx->can_id & ((1u << ODRIVE_NODE_BITS) - 1)) : -1;
}

double odrive_amps(const struct robot_bus *b, int joint, double tau_max_nm)
{
    const double nm_per_a = odrive_config_of(b, joint)->nm_per_a;
    const double amps = tau_max_nm / fabs(b->robot->joint[joint].gear) / nm_per_a;
    return nm_per_a > 0.0 && amps > AMPS_MIN ? amps : AMPS_MIN;
}

static int odrive_ask(struct robot_bus *b, struct canfd_frame *ret_tx, int cap)
{
    static const enum odrive_message slow[] = {ODRIVE_IQ, ODRIVE_BUS, ODRIVE_IQ,
                                               ODRIVE_TEMPERATURE};

    if (b->n == 0 || cap < b->n) {
        return b->n == 0 ? 0 : -ENOSPC;
    }
    b->asked++;
    if (b->asked == 1) {
        b->last_addr = ODRIVE_ESTIMATES;
        for (int k = 0; k < b->n; k++) {
            odrive_request(b, b->joint[k], ODRIVE_ESTIMATES, &ret_tx[k]);
            b->pending |= UINT64_C(1) << b->joint[k];
        }
        return b->n;
    }
    if (b->asked == 2 && b->slow_due) {
        const int j = b->joint[b->slow / 4 % (unsigned)b->n];
        const enum odrive_message what = slow[b->slow % 4];
        const bool old = odrive_config_of(b, j)->firmware == 0;
        b->slow++;
        b->last_addr = what == ODRIVE_TEMPERATURE && old ? ODRIVE_BUS : (uint16_t)what;
        odrive_request(b, j, (enum odrive_message)b->last_addr, ret_tx);
        b->pending |= UINT64_C(1) << j;
        return 1;
    }
    return 0;
}

/* Thousandths in a signed 16-bit number. */
static void put_milli(uint8_t *p, double x, double most)
{
    const double cut = x > most ? most : x < -most ? -most : x;
    const int16_t milli = (int16_t)lround(cut * 1000.0);
    memcpy(p, &milli, sizeof milli);
}

static void put_position(const struct robot_bus *b, int j, const struct command *cmd, double torque,
                         struct canfd_frame *ret_tx)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const float turns = single(joint_to_device(spec, cmd->q[j]) / ODRIVE_RAD);
    uint8_t data[8];
    memcpy(data, &turns, sizeof turns);
    put_milli(data + 4, joint_rate_to_device(spec, cmd->qd[j]) / ODRIVE_RAD, RPS_FF_MAX);
    put_milli(data + 6, torque, NM_FF_MAX);
    odrive_frame(b, j, ODRIVE_POSITION, data, (int)sizeof data, ret_tx);
}

/* An impedance's gains are not ODrive's to take: its position and torque are. Off in closed loop is
 * no torque. */
static enum odrive_control control_of(uint8_t mode, bool driven)
{
    return !driven || mode == MODE_EFFORT ? ODRIVE_BY_TORQUE
           : mode == MODE_VELOCITY        ? ODRIVE_BY_VELOCITY
                                          : ODRIVE_BY_POSITION;
}

/* The frames of one joint; at most 3. */
static int put_goal(struct robot_bus *b, int j, const struct command *cmd,
                    struct canfd_frame *ret_tx)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    struct odrive_joint *z = b->state[j];
    const bool driven = spec->actuated && cmd->mode[j] != MODE_OFF && isfinite(cmd->q[j]) &&
                        isfinite(cmd->qd[j]) && isfinite(cmd->tau[j]) && isfinite(cmd->tau_max[j]);
    if (!driven && !z->can.enabled) {
        return 0;
    }
    const enum odrive_control control = control_of(cmd->mode[j], driven);
    const float amps = single(odrive_amps(b, j, driven ? cmd->tau_max[j] : 0.0));
    const double torque = driven ? spec->sign * cmd->tau[j] / spec->gear : 0.0;
    const double speed = fabs(joint_rate_to_device(spec, spec->qd_max)) / ODRIVE_RAD;
    int n = 0;
    if (control != z->control || z->age >= REFRESH_GOALS) {
        odrive_put_u32(b, j, ODRIVE_MODE, control, ODRIVE_PASSTHROUGH, &ret_tx[n++]);
    }
    if (!(amps == z->amps) || z->age >= REFRESH_GOALS) {
        odrive_put_f32(b, j, ODRIVE_LIMITS, SPEED_FRAC * speed, (double)amps, &ret_tx[n++]);
    }
    z->age = z->age >= REFRESH_GOALS ? 0 : z->age + 1;
    z->control = (uint8_t)control;
    z->amps = amps;
    if (control == ODRIVE_BY_POSITION) {
        put_position(b, j, cmd, torque, &ret_tx[n++]);
    } else if (control == ODRIVE_BY_VELOCITY) {
        odrive_put_f32(b, j, ODRIVE_VELOCITY, joint_rate_to_device(spec, cmd->qd[j]) / ODRIVE_RAD,
                       torque, &ret_tx[n++]);
    } else {
        odrive_put_f32(b, j, ODRIVE_TORQUE, torque, 0.0, &ret_tx[n++]);
    }
    return n;
}

static int odrive_goals(struct robot_bus *b, const struct command *cmd, struct canfd_frame *ret_tx,
                        int cap)
{
    int n = 0;
    if (cap < 3 * b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        n += put_goal(b, b->joint[k], cmd, &ret_tx[n]);
    }
    return n;
}

static int odrive_stop(const struct robot_bus *b, enum stop_how how, struct canfd_frame *ret_tx,
                       int cap)
{
    if (how != STOP_OFF) {
        return -ENOTSUP;
    }
    if (cap < b->n) {
        return -ENOSPC;
    }
    for (int k = 0; k < b->n; k++) {
        odrive_put_u32(b, b->joint[k], ODRIVE_STATE, ODRIVE_IDLE, 0, &ret_tx[k]);
    }
    return b->n;
}

/* Requests, answers, all goals anew; and of its own accord a heartbeat and estimates. */
static void odrive_load(const struct robot *r, int bus, struct can_load *ret_load)
{
    const int n = can_joints(r, bus);
    *ret_load = (struct can_load){
        .n = 2,
        .frames = {{.n = n + 1, .bytes = 0}, {.n = n + 1 + 3 * n + 2 * n, .bytes = 8}},
        .reply_us = REPLY_US};
}

const struct can_driver can_driver_odrive = {
    .info = {.name = "odrive",
             .options = odrive_options,
             .config_bytes = sizeof(struct odrive_config),
             .silence = odrive_silence_rows,
             .joint_bytes = sizeof(struct odrive_joint),
             .reply_us_max = SLOW_US},
    .setup = odrive_setup,
    .ask = odrive_ask,
    .goals = odrive_goals,
    .decode = odrive_decode,
    .stop = odrive_stop,
    .load = odrive_load,
    .look = &odrive_look,
};
