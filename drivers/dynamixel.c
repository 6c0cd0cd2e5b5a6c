/*
 * Dynamixel Protocol 2.0, X-series: what goes out in a tick. Pure codec; what comes back is
 * dynamixel_state.c.
 *
 *   ask 1   sync read (fast where every firmware can) of 120..135: tick, moving, PWM, current,
 *           velocity, position
 *   ask 2   one slow row of one joint in rotation: voltage and temperature, hardware error, torque,
 *           watchdog
 *   goals   sync write of Goal PWM (100), the torque ceiling, when it changed or was long ago; and
 *           of Goal Position (116)
 *
 * Position goals only; the ceiling is a part of full PWM, which at standstill is a part of the
 * stall torque.
 */
#include "drivers/dynamixel.h"

#include <errno.h>

#define CAREFUL_REQUESTS 100  /* after a miss: a second at 100 Hz */
#define REPLY_US_MAX     1200 /* the longest request with its replies at 1 Mbaud, pauses included */

/*
 * A reply does not say which register it is about. No two rows are of one length, so that a late
 * answer to the row before is never taken for this one; the registers beside them fill the length.
 */
enum slow { SLOW_POWER, SLOW_ERROR, SLOW_TORQUE, SLOW_WATCHDOG, SLOW_ROWS };

static const struct {
    uint16_t addr, len;
} slow_rows[SLOW_ROWS] = {
    [SLOW_POWER] = {DXL_POSITION_TRAJECTORY, 7}, /* .., voltage 144, temperature 146 */
    [SLOW_ERROR] = {DXL_STATUS_LEVEL, 3},        /* .., .., hardware error 70 */
    [SLOW_TORQUE] = {DXL_TORQUE_ENABLE, 2},      /* torque 64, LED */
    [SLOW_WATCHDOG] = {DXL_WATCHDOG, 1},
};

static bool all_fast(const struct robot_bus *b)
{
    for (int k = 0; k < b->n; k++) {
        const struct identity *id = &b->id[b->joint[k]];
        const struct dxl_model_row *row = dxl_model_find(id->model);
        if (!id->known || row == NULL || row->fast_firmware == 0 ||
            id->firmware < row->fast_firmware) {
            return false;
        }
    }
    return b->n > 1;
}

/* One packet of all saves time on a good line; on a bad one a damaged block takes those behind it
 * along. After a miss each joint answers in a packet of its own for a while. */
static bool asks_fast(struct robot_bus *b)
{
    b->careful = b->unread != 0 ? CAREFUL_REQUESTS : b->careful > 0 ? b->careful - 1 : 0;
    return b->careful == 0 && all_fast(b);
}

static int ask_state(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[4 + JOINTS_MAX];
    const uint8_t instruction = asks_fast(b) ? DXL_FAST_SYNC_READ : DXL_SYNC_READ;
    b->unread = 0;
    dxl_put16(params, DXL_STATE_FROM);
    dxl_put16(params + 2, DXL_STATE_BYTES);
    for (int k = 0; k < b->n; k++) {
        params[4 + k] = (uint8_t)b->robot->joint[b->joint[k]].id;
        b->pending |= UINT64_C(1) << b->joint[k];
    }
    b->unread = b->pending;
    b->last_addr = DXL_STATE_FROM;
    b->last_len = DXL_STATE_BYTES;
    return dxl_build(DXL_BROADCAST, instruction, params, 4 + (size_t)b->n, ret_tx, cap);
}

/* Whose error is not known yet comes first; else all rows of all joints in turn. */
static int next_slow(struct robot_bus *b, enum slow *ret_row)
{
    for (int k = 0; k < b->n; k++) {
        struct dxl_joint *z = b->state[b->joint[k]];
        if (z->alert_unread) {
            z->alert_unread = false; /* asked once; its turn comes again if that is lost */
            *ret_row = SLOW_ERROR;
            return b->joint[k];
        }
    }
    const int j = b->joint[b->slow / SLOW_ROWS % (unsigned)b->n];
    const enum slow row = (enum slow)(b->slow % SLOW_ROWS);
    b->slow++;
    *ret_row = row == SLOW_WATCHDOG && !dxl_has_watchdog(b, j) ? SLOW_ERROR : row;
    return j;
}

static int ask_slow(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    enum slow row;
    uint8_t params[4];
    const int j = next_slow(b, &row);
    dxl_put16(params, slow_rows[row].addr);
    dxl_put16(params + 2, slow_rows[row].len);
    b->pending |= UINT64_C(1) << j;
    b->last_addr = slow_rows[row].addr;
    b->last_len = slow_rows[row].len;
    return dxl_build((uint8_t)b->robot->joint[j].id, DXL_READ, params, sizeof params, ret_tx, cap);
}

static int dynamixel_ask(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    if (b->n == 0) {
        return 0;
    }
    b->asked++;
    if (b->asked == 1) {
        return ask_state(b, ret_tx, cap);
    }
    if (b->asked == 2 && b->slow_due) {
        return ask_slow(b, ret_tx, cap);
    }
    return 0;
}

static int put_positions(const struct robot_bus *b, const struct command *cmd, uint8_t *ret_tx,
                         size_t cap)
{
    uint8_t params[4 + 5 * JOINTS_MAX];
    size_t n = 4;
    dxl_put16(params, DXL_GOAL_POSITION);
    dxl_put16(params + 2, 4);
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        if (position_commanded(b, cmd, j)) {
            params[n] = (uint8_t)b->robot->joint[j].id;
            dxl_put32(params + n + 1, (uint32_t)position_goal(&b->robot->joint[j], cmd->q[j]));
            n += 5;
        }
    }
    return n > 4 ? dxl_build(DXL_BROADCAST, DXL_SYNC_WRITE, params, n, ret_tx, cap) : 0;
}

static int put_ceilings(struct robot_bus *b, const struct command *cmd, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[4 + 3 * JOINTS_MAX];
    size_t n = 4;
    dxl_put16(params, DXL_GOAL_PWM);
    dxl_put16(params + 2, 2);
    for (int k = 0; k < b->n; k++) {
        const int j = b->joint[k];
        struct dxl_joint *z = b->state[j];
        const uint16_t pwm = ceiling_of(&b->robot->joint[j], cmd, j, DXL_PWM_FULL);
        if (ceiling_due(&z->pwm, position_commanded(b, cmd, j), pwm)) {
            params[n] = (uint8_t)b->robot->joint[j].id;
            dxl_put16(params + n + 1, pwm);
            n += 3;
        }
    }
    return n > 4 ? dxl_build(DXL_BROADCAST, DXL_SYNC_WRITE, params, n, ret_tx, cap) : 0;
}

static int dynamixel_goals(struct robot_bus *b, const struct command *cmd, uint8_t *ret_tx,
                           size_t cap)
{
    const int first = put_ceilings(b, cmd, ret_tx, cap);
    if (first < 0) {
        return first;
    }
    const int second = put_positions(b, cmd, ret_tx + first, cap - (size_t)first);
    return second < 0 ? second : first + second;
}

static int dynamixel_stop(const struct robot_bus *b, enum stop_how how, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[4 + 2 * JOINTS_MAX];
    size_t n = 4;
    if (how != STOP_OFF) {
        return -ENOTSUP; /* braking and holding are goals of a powered servo: what the bus watchdog
                            does */
    }
    dxl_put16(params, DXL_TORQUE_ENABLE);
    dxl_put16(params + 2, 1);
    for (int k = 0; k < b->n; k++) {
        params[n++] = (uint8_t)b->robot->joint[b->joint[k]].id;
        params[n++] = 0;
    }
    return dxl_build(DXL_BROADCAST, DXL_SYNC_WRITE, params, n, ret_tx, cap);
}

/* A packet to all with n params, every third byte of them stuffed. */
static int packet_bytes(int n)
{
    return DXL_HEADER + 1 + n + n / 3 + 2;
}

/* Each joint answers in a packet of its own, as after a miss; all goals change. */
static void dynamixel_load(const struct robot *r, int bus, struct bus_load *ret_load)
{
    int n = 0, driven = 0, pauses_us = 0;
    for (int j = 0; j < r->n_joints; j++) {
        if (r->joint[j].bus == bus) {
            const struct dxl_config *c = r->joint[j].driver;
            n++;
            driven += r->joint[j].actuated;
            pauses_us += c != NULL ? c->return_delay_us : 0;
        }
    }
    *ret_load = (struct bus_load){
        .read_bytes = packet_bytes(4 + n) + n * (DXL_HEADER + DXL_STATUS_LEN_MAX),
        .pauses_us = pauses_us,
        .goals_bytes =
            driven == 0 ? 0 : packet_bytes(4 + 3 * driven) + packet_bytes(4 + 5 * driven),
    };
}

const struct serial_driver serial_driver_dynamixel = {
    .info = {.name = "dynamixel",
             .options = dxl_options,
             .config_bytes = sizeof(struct dxl_config),
             .silence = dxl_silence_rows,
             .joint_bytes = sizeof(struct dxl_joint),
             .reply_us_max = REPLY_US_MAX},
    .servo = &dxl_protocol,
    .setup = dxl_setup,
    .ask = dynamixel_ask,
    .goals = dynamixel_goals,
    .decode = dxl_decode,
    .stop = dynamixel_stop,
    .load = dynamixel_load,
};
