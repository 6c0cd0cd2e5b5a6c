/*
 * Feetech STS and SMS: what goes out in a tick. Pure codec; what comes back is feetech_state.c.
 *
 *   ask 1   sync read of 56..70: position, speed, load, voltage, temperature, status, moving, goal
 *           as the servo has it, current
 *   ask 2   40..49 of one joint in rotation: torque switch .. torque limit. What else changes
 *           slowly comes with the state
 *   goals   sync write of Torque Limit (48), the ceiling, when it changed or was long ago; and of
 *           Goal Position (42)
 *
 * Position goals only; the ceiling is a part of full drive, which at standstill is a part of the
 * stall torque. These servos have no watchdog: what was last commanded stands for ever.
 */
#include "drivers/feetech.h"

#include <errno.h>

#define REPLY_US_MAX 400 /* 8 bytes, 16 bytes and a pause at 1 Mbaud */

static uint8_t id_of(const struct robot_bus *b, int joint)
{
    return (uint8_t)b->robot->joint[joint].id;
}

static int ask_state(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[2 + JOINTS_MAX] = {FEETECH_STATE_FROM, FEETECH_STATE_BYTES};
    for (int k = 0; k < b->n; k++) {
        params[2 + k] = id_of(b, b->joint[k]);
        b->pending |= UINT64_C(1) << b->joint[k];
    }
    b->last_addr = FEETECH_STATE_FROM;
    b->last_len = FEETECH_STATE_BYTES;
    return feetech_build(FEETECH_BROADCAST, FEETECH_SYNC_READ, params, 2 + (size_t)b->n, ret_tx,
                         cap);
}

/* A reply does not say which registers it is about: this one's length is not that of the state. */
static int ask_slow(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    static const uint8_t params[] = {FEETECH_SLOW_FROM, FEETECH_SLOW_BYTES};
    const int j = b->joint[b->slow % (unsigned)b->n];
    b->slow++;
    b->pending |= UINT64_C(1) << j;
    b->last_addr = FEETECH_SLOW_FROM;
    b->last_len = FEETECH_SLOW_BYTES;
    return feetech_build(id_of(b, j), FEETECH_READ, params, sizeof params, ret_tx, cap);
}

static int feetech_ask(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    if (b->n == 0) {
        return 0;
    }
    b->asked++;
    if (b->asked == 1) {
        return ask_state(b, ret_tx, cap);
    }
    return b->asked == 2 && b->slow_due ? ask_slow(b, ret_tx, cap) : 0;
}

/* One word to each joint of which due says so. */
static int put_words(const struct robot_bus *b, uint8_t addr, uint64_t due, const uint16_t *words,
                     uint8_t *ret_tx, size_t cap)
{
    uint8_t params[2 + 3 * JOINTS_MAX] = {addr, 2};
    size_t n = 2;
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        if ((due >> j & 1u) != 0) {
            params[n] = id_of(b, j);
            feetech_put16(params + n + 1, words[j]);
            n += 3;
        }
    }
    return n > 2 ? feetech_build(FEETECH_BROADCAST, FEETECH_SYNC_WRITE, params, n, ret_tx, cap) : 0;
}

static int feetech_goals(struct robot_bus *b, const struct command *cmd, uint8_t *ret_tx,
                         size_t cap)
{
    uint16_t goals[JOINTS_MAX], limits[JOINTS_MAX];
    uint64_t driven = 0, due = 0;
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        const struct joint_spec *spec = &b->robot->joint[j];
        struct feetech_joint *z = b->state[j];
        const bool commanded = position_commanded(b, cmd, j);
        limits[j] = ceiling_of(spec, cmd, j, FEETECH_TORQUE_FULL);
        goals[j] =
            commanded ? feetech_encode(position_goal(spec, cmd->q[j]), FEETECH_POSITION_SIGN) : 0;
        driven |= (uint64_t)commanded << j;
        due |= (uint64_t)ceiling_due(&z->limit, commanded, limits[j]) << j;
    }
    const int first = put_words(b, FEETECH_TORQUE_LIMIT, due, limits, ret_tx, cap);
    if (first < 0) {
        return first;
    }
    const int second =
        put_words(b, FEETECH_GOAL_POSITION, driven, goals, ret_tx + first, cap - (size_t)first);
    return second < 0 ? second : first + second;
}

static int feetech_stop(const struct robot_bus *b, enum stop_how how, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[2 + 2 * JOINTS_MAX] = {FEETECH_TORQUE_ENABLE, 1};
    size_t n = 2;
    if (how != STOP_OFF && how != STOP_DAMPED) {
        return -ENOTSUP; /* holding is a goal of a powered servo */
    }
    for (int k = 0; k < b->n; k++) {
        params[n++] = id_of(b, b->joint[k]);
        params[n++] = how == STOP_OFF ? FEETECH_TORQUE_OFF : FEETECH_TORQUE_DAMPED;
    }
    return feetech_build(FEETECH_BROADCAST, FEETECH_SYNC_WRITE, params, n, ret_tx, cap);
}

static int packet_bytes(int n_params)
{
    return FEETECH_HEADER + 1 + n_params + 1;
}

static void feetech_load(const struct robot *r, int bus, struct bus_load *ret_load)
{
    int n = 0, driven = 0, pauses_us = 0;
    for (int j = 0; j < r->n_joints; j++) {
        if (r->joint[j].bus == bus) {
            n++;
            driven += r->joint[j].actuated;
            pauses_us += feetech_config_of(&r->joint[j])->return_delay_us;
        }
    }
    *ret_load = (struct bus_load){
        .read_bytes = packet_bytes(2 + n) + n * packet_bytes(FEETECH_STATE_BYTES),
        .pauses_us = pauses_us,
        .goals_bytes = driven == 0 ? 0 : 2 * packet_bytes(2 + 3 * driven),
    };
}

const struct serial_driver serial_driver_feetech = {
    .info = {.name = "feetech",
             .options = feetech_options,
             .config_bytes = sizeof(struct feetech_config),
             .silence = feetech_silence_rows,
             .joint_bytes = sizeof(struct feetech_joint),
             .reply_us_max = REPLY_US_MAX},
    .servo = &feetech_protocol,
    .setup = feetech_setup,
    .ask = feetech_ask,
    .goals = feetech_goals,
    .decode = feetech_decode_reply,
    .stop = feetech_stop,
    .load = feetech_load,
};
