/*
 * Dynamixel Protocol 2.0, X-series: ask for the state of all joints, decode it, send goals, stop.
 * Pure codec.
 *
 *   ask 1   sync read (fast where every firmware can) of 120..135: tick, moving, PWM, current,
 * velocity, position ask 2   one slow register of one joint in rotation: voltage and temperature,
 * hardware error, torque, watchdog goals   sync write of Goal Position (116); of Goal PWM (100),
 * the torque ceiling, when it changed or was long ago
 *
 * Position goals only; the ceiling is a part of full PWM, which at standstill is a part of the
 * stall torque.
 */
#include "drivers/dynamixel.h"

#include "daemon/base/clock.h"
#include "drivers/joints.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define PWM_REFRESH_GOALS 20 /* sync writes are not acknowledged: repeat the ceiling */
#define SAME_TICKS_MAX    5  /* replies with one and the same device time: it is frozen */
#define TICK_SLACK_US                                                                              \
    300000 /* device time may differ from ours by this much between replies; more is a reboot */
#define OFFSET_LEAK_US 1    /* per reply: follows the drift of two clocks */
#define REPLY_US_MAX   1200 /* the longest request with its replies at 1 Mbaud, pauses included */

struct slow_row {
    uint16_t addr, len;
};

static const struct slow_row slow_rows[] = {
    {DXL_PRESENT_VOLTAGE, 3}, {DXL_HARDWARE_ERROR, 1}, {DXL_TORQUE_ENABLE, 1}, {DXL_WATCHDOG, 1}};
#define SLOW_ROWS (sizeof slow_rows / sizeof slow_rows[0])

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

static int ask_state(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    uint8_t params[4 + JOINTS_MAX];
    dxl_put16(params, DXL_STATE_FROM);
    dxl_put16(params + 2, DXL_STATE_BYTES);
    for (int k = 0; k < b->n; k++) {
        params[4 + k] = (uint8_t)b->robot->joint[b->joint[k]].id;
        b->pending |= UINT64_C(1) << b->joint[k];
    }
    b->last_addr = DXL_STATE_FROM;
    b->last_len = DXL_STATE_BYTES;
    const uint8_t instruction = all_fast(b) ? DXL_FAST_SYNC_READ : DXL_SYNC_READ;
    return dxl_build(DXL_BROADCAST, instruction, params, 4 + (size_t)b->n, ret_tx, cap);
}

static int ask_slow(struct robot_bus *b, uint8_t *ret_tx, size_t cap)
{
    const int j = b->joint[b->slow / SLOW_ROWS % (unsigned)b->n];
    const struct slow_row *row = &slow_rows[b->slow % SLOW_ROWS];
    uint8_t params[4];
    b->slow++;
    dxl_put16(params, row->addr);
    dxl_put16(params + 2, row->len);
    b->pending |= UINT64_C(1) << j;
    b->last_addr = row->addr;
    b->last_len = row->len;
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

/* --- state
 * ---------------------------------------------------------------------------------------------------
 */

/* The device's own clock gives the sample's age, says when it stands still, and when the device
 * started anew. */
static void follow_tick(struct dxl_joint *z, uint16_t tick_ms, struct sensed *s, int j)
{
    const int64_t host_us = s->t_ns / NS_PER_US;
    if (z->ticked) {
        const int64_t passed_us = (s->t_ns - z->tick_host_ns) / NS_PER_US;
        const int64_t wrap_us = (int64_t)DXL_TICK_MODULO * 1000;
        int64_t moved_us = ((int64_t)tick_ms - z->tick_ms) * 1000;
        moved_us += moved_us < 0 ? wrap_us : 0;
        const int64_t expected_us = passed_us % wrap_us;
        const int64_t off_us = moved_us - expected_us;
        const bool near = llabs(off_us) < TICK_SLACK_US || llabs(off_us) > wrap_us - TICK_SLACK_US;
        z->same_ticks = moved_us == 0 && passed_us > 2000 ? z->same_ticks + 1 : 0;
        if (z->same_ticks > SAME_TICKS_MAX) {
            s->faults[j] |= FAULT_FROZEN;
        } else {
            s->faults[j] &= ~(uint32_t)FAULT_FROZEN;
            s->faults[j] |= near ? 0u : FAULT_REBOOT;
        }
    }
    const int64_t lag_us = (host_us - (int64_t)tick_ms * 1000) % ((int64_t)DXL_TICK_MODULO * 1000);
    if (!z->ticked || llabs(lag_us - z->offset_us) > TICK_SLACK_US || lag_us < z->offset_us) {
        z->offset_us = lag_us;
    }
    const int64_t age_us = lag_us - z->offset_us;
    z->offset_us += OFFSET_LEAK_US;
    s->age_us[j] = age_us < 0 ? 0 : (int32_t)age_us;
    z->tick_ms = tick_ms;
    z->tick_host_ns = s->t_ns;
    z->ticked = true;
}

static double effort_nm(const struct robot_bus *b, int j, int16_t raw)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const struct dxl_model_row *row = dxl_model_find(b->id[j].model);
    if (!(spec->tau_stall > 0.0)) {
        return 0.0; /* measured only: nobody stated its torque */
    }
    if (row == NULL || !row->has_current) {
        return spec->sign * raw / 1000.0 * spec->tau_stall; /* load: a part of full drive */
    }
    const double current_a = raw * row->ma_per_unit / 1000.0;
    const double nm_per_a = dxl_config_of(b, j)->nm_per_a;
    const double k = nm_per_a > 0.0 ? nm_per_a : spec->tau_stall / (row->stall_ma / 1000.0);
    return spec->sign * current_a * k;
}

static void take_state(struct robot_bus *b, int j, const uint8_t *p, struct sensed *s)
{
    const struct joint_spec *spec = &b->robot->joint[j];
    const int32_t counts = (int32_t)dxl_get32(p + DXL_PRESENT_POSITION - DXL_STATE_FROM);
    const int32_t rate = (int32_t)dxl_get32(p + DXL_PRESENT_VELOCITY - DXL_STATE_FROM);
    follow_tick(b->state[j], dxl_get16(p), s, j);
    s->q[j] = joint_from_device(spec, (counts - DXL_COUNTS_MIDDLE) * DXL_RAD_PER_COUNT);
    s->qd[j] = joint_rate_from_device(spec, rate * DXL_RAD_S_PER_UNIT);
    s->tau[j] = effort_nm(b, j, (int16_t)dxl_get16(p + DXL_PRESENT_CURRENT - DXL_STATE_FROM));
}

/* Hardware Error Status (70) onto enum joint_fault. */
static uint32_t faults_of(uint8_t status)
{
    static const struct {
        uint8_t bit;
        uint32_t fault;
    } map[] = {{1, FAULT_VOLTAGE},
               {4, FAULT_OVERHEAT},
               {8, FAULT_ENCODER},
               {16, FAULT_ELECTRICAL},
               {32, FAULT_OVERLOAD}};

    uint32_t faults = 0;
    for (unsigned i = 0; i < sizeof map / sizeof map[0]; i++) {
        faults |= (status & map[i].bit) != 0 ? map[i].fault : 0;
    }
    return faults;
}

static void take_slow(struct robot_bus *b, int j, const uint8_t *p, struct sensed *s)
{
    const uint32_t hardware =
        FAULT_VOLTAGE | FAULT_OVERHEAT | FAULT_ENCODER | FAULT_ELECTRICAL | FAULT_OVERLOAD;
    switch (b->last_addr) {
    case DXL_PRESENT_VOLTAGE:
        s->volt_v[j] = (float)dxl_get16(p) * 0.1f;
        s->temp_c[j] = (float)p[2];
        break;
    case DXL_HARDWARE_ERROR:
        s->faults[j] = (s->faults[j] & ~hardware) | faults_of(p[0]);
        break;
    case DXL_TORQUE_ENABLE:
        s->torque[j] = p[0] != 0 ? TORQUE_ON : TORQUE_OFF;
        break;
    case DXL_WATCHDOG:
        s->faults[j] =
            p[0] == 0xFF ? s->faults[j] | FAULT_WATCHDOG : s->faults[j] & ~(uint32_t)FAULT_WATCHDOG;
        break;
    default:
        break;
    }
}

/* A reply that answers what was asked: take it. */
static bool take_reply(struct robot_bus *b, int id, uint8_t error, const uint8_t *p, size_t n,
                       struct sensed *s)
{
    const int j = robot_bus_joint(b, id);
    if (j < 0 || (b->pending >> j & 1u) == 0 || n != b->last_len || (error & 0x7F) != 0) {
        b->bad_replies++;
        return false;
    }
    b->pending &= ~(UINT64_C(1) << j);
    if (b->last_addr == DXL_STATE_FROM) {
        take_state(b, j, p, s);
    } else {
        take_slow(b, j, p, s);
    }
    if ((error & DXL_ALERT) == 0) {
        const uint32_t hardware =
            FAULT_VOLTAGE | FAULT_OVERHEAT | FAULT_ENCODER | FAULT_ELECTRICAL | FAULT_OVERLOAD;
        s->faults[j] &= ~hardware;
    } else if ((s->faults[j] & 0x1F) == 0) {
        s->faults[j] |= FAULT_ELECTRICAL; /* which one: the slow read of register 70 says */
    }
    return true;
}

/* ERR ID data.. CRC CRC per device; the last CRC is the packet's own. Intermediate ones are a
 * running sum. */
static void take_fast(struct robot_bus *b, const uint8_t *packet, size_t total, struct sensed *s)
{
    const size_t block = (size_t)b->last_len + 4;
    for (size_t at = 8; at + block <= total; at += block) {
        if (dxl_get16(packet + at + block - 2) != dxl_crc(0, packet, at + block - 2)) {
            b->crc_errors++;
            return;
        }
        (void)take_reply(b, packet[at + 1], packet[at], packet + at + 2, b->last_len, s);
    }
}

static int dynamixel_decode(struct robot_bus *b, const uint8_t *rx, size_t n,
                            struct sensed *ret_sensed)
{
    struct dxl_packet p;
    const int used = dxl_parse(rx, n, &p);
    if (used == -EBADMSG && n >= DXL_HEADER + 4 && rx[0] == 0xFF && rx[1] == 0xFF &&
        rx[2] == 0xFD && rx[3] == 0) {
        b->crc_errors++;
        if (rx[4] == DXL_BROADCAST && b->last_addr == DXL_STATE_FROM) {
            take_fast(b, rx, n,
                      ret_sensed); /* damaged further on: save the devices before the damage */
        }
    }
    if (used <= 0) {
        return used;
    }
    if (p.instruction != DXL_STATUS) {
        b->bad_replies++; /* someone else sends on this bus, or our own echo */
    } else if (p.id == DXL_BROADCAST) {
        take_fast(b, rx, (size_t)used, ret_sensed);
    } else {
        (void)take_reply(b, p.id, p.error, p.params, p.n_params, ret_sensed);
    }
    return used;
}

/* --- goals
 * ---------------------------------------------------------------------------------------------------
 */

static uint16_t pwm_of(const struct joint_spec *j, const struct command *cmd, int joint)
{
    const double frac = j->tau_stall > 0.0 ? cmd->tau_max[joint] / j->tau_stall : 0.0;
    const double pwm = floor((frac > 1.0 ? 1.0 : frac) * DXL_PWM_FULL + 0.5);
    return pwm > 0.0 ? (uint16_t)pwm : 0; /* NaN compares false */
}

static int32_t counts_of(const struct joint_spec *j, double q_rad)
{
    const double counts =
        floor(joint_to_device(j, q_rad) / DXL_RAD_PER_COUNT + 0.5) + DXL_COUNTS_MIDDLE;
    return counts < 0.0                       ? 0
           : counts > DXL_COUNTS_PER_TURN - 1 ? DXL_COUNTS_PER_TURN - 1
                                              : (int32_t)counts;
}

static bool has_goal(const struct robot_bus *b, const struct command *cmd, int j)
{
    return b->robot->joint[j].actuated && cmd->mode[j] != MODE_OFF && isfinite(cmd->q[j]) &&
           isfinite(cmd->tau_max[j]);
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
        if (has_goal(b, cmd, j)) {
            params[n] = (uint8_t)b->robot->joint[j].id;
            dxl_put32(params + n + 1, (uint32_t)counts_of(&b->robot->joint[j], cmd->q[j]));
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
        const uint16_t pwm = pwm_of(&b->robot->joint[j], cmd, j);
        if (!has_goal(b, cmd, j) || (pwm == z->pwm_sent && z->pwm_age < PWM_REFRESH_GOALS)) {
            z->pwm_age++;
            continue;
        }
        z->pwm_sent = pwm;
        z->pwm_age = 0;
        params[n] = (uint8_t)b->robot->joint[j].id;
        dxl_put16(params + n + 1, pwm);
        n += 3;
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

const struct serial_driver serial_driver_dynamixel = {
    .info = {.name = "dynamixel",
             .options = dxl_options,
             .config_bytes = sizeof(struct dxl_config),
             .silence = dxl_silence_rows,
             .joint_bytes = sizeof(struct dxl_joint),
             .reply_us_max = REPLY_US_MAX},
    .setup = dxl_setup,
    .ask = dynamixel_ask,
    .goals = dynamixel_goals,
    .decode = dynamixel_decode,
    .stop = dynamixel_stop,
};
