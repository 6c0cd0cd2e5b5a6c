/*
 * A desk with up to four Dynamixels on one bus and nothing on their horns: the driver on one side,
 * the emulated servos on the other, the bytes between them, virtual time. What the host sends is
 * kept.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/clock.h"
#include "drivers/dynamixel.h"
#include "sim/firmware/dynamixel_inside.h"
#include "sim/firmware/wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DESK_MAX  4
#define SENT_MAX  4096
#define SUBSTEP   NS_PER_MS
#define FREE_QD   5.0 /* rad/s, of a servo without load */
#define GOALS_MAX 64

/* One packet of the host. */
struct sent {
    int64_t t_ns;
    uint8_t id, instruction;
    uint16_t addr; /* of a read or write */
    uint32_t value;
    size_t n; /* data bytes written, or asked for */
};

struct desk {
    int n;
    struct robot robot;
    struct dxl_config settings[DESK_MAX];
    struct dxl_device_config device[DESK_MAX];
    struct servo servo[DESK_MAX];
    struct dxl_joint joint[DESK_MAX];
    struct robot_bus bus;
    struct wire wire;
    struct sensed truth, sensed;
    struct command cmd; /* of the servos to the body */
    int64_t now_ns, substep_ns;
    struct sent sent[SENT_MAX];
    int n_sent;
    struct setup setup; /* the last one */
};

static const struct serial_driver *desk_driver(void)
{
    return serial_driver_find("dynamixel");
}

/* n servos as a crawler has them, the last one a wheel if wheel is set; then change what you want
 * and desk_power. */
static inline void desk_init(struct desk *d, int n, bool wheel)
{
    memset(d, 0, sizeof *d);
    d->n = n;
    d->robot = (struct robot){.name = "desk",
                              .n_buses = 1,
                              .n_joints = n,
                              .control_rate_hz = 100.0,
                              .bus = {{.name = "servo",
                                       .driver = "dynamixel",
                                       .baud = 1000000,
                                       .reply_deadline_us = 3000,
                                       .watchdog_ms = 200,
                                       .misses_max = 6}}};
    for (int j = 0; j < n; j++) {
        struct joint_spec *s = &d->robot.joint[j];
        *s = (struct joint_spec){.id = j + 1,
                                 .model = DXL_XL430_W250,
                                 .actuated = !(wheel && j == n - 1),
                                 .sign = 1,
                                 .gear = 1,
                                 .q_min = -0.5,
                                 .q_max = 0.5,
                                 .qd_max = 5,
                                 .qdd_max = 100,
                                 .tau_max = 1.4,
                                 .tau_stall = 1.4,
                                 .temp_max_c = 70,
                                 .driver = &d->settings[j],
                                 .device = &d->device[j]};
        (void)snprintf(s->name, sizeof s->name, "joint%d", j + 1);
        d->settings[j] = (struct dxl_config){.position_p = 800, .profile_velocity_frac = 1.25};
        d->device[j] = (struct dxl_device_config){.model = DXL_XL430_W250, .firmware = 45};
    }
}

/* Power on: state from the specs as they are now. */
static inline void desk_power(struct desk *d)
{
    const struct device *dev = device_find("dynamixel");
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = d->n};
    d->wire.n = d->n;
    d->wire.st.baud = (uint32_t)d->robot.bus[0].baud;
    d->truth.n = d->sensed.n = d->cmd.n = d->n;
    for (int j = 0; j < d->n; j++) {
        d->bus.joint[j] = j;
        d->bus.state[j] = &d->joint[j];
        d->wire.device[j] = dev;
        d->wire.device_state[j] = &d->servo[j];
        d->truth.volt_v[j] = 11.1f;
        d->truth.temp_c[j] = 30.0f;
        dev->init(&d->device[j], &d->robot, j, &d->servo[j]);
    }
    d->substep_ns = SUBSTEP;
}

static inline void desk_body(struct desk *d, double dt_s)
{
    for (int j = 0; j < d->n; j++) {
        const double goal = d->cmd.q[j] - d->truth.q[j];
        const double most = FREE_QD * dt_s * d->cmd.tau_max[j] / d->servo[j].tau_stall_nm;
        double dq = 0.0;
        if (d->cmd.mode[j] == MODE_POSITION) {
            dq = fabs(goal) > most ? copysign(most, goal) : goal;
        } else if (d->cmd.mode[j] == MODE_VELOCITY) {
            dq = d->cmd.qd[j] * dt_s;
        }
        d->truth.q[j] += dq;
        d->truth.qd[j] = dq / dt_s;
    }
}

/* Let everything happen up to t_ns. */
static inline void desk_until(struct desk *d, int64_t t_ns)
{
    while (d->substep_ns <= t_ns) {
        wire_advance(&d->wire, d->substep_ns);
        for (int j = 0; j < d->n; j++) {
            d->wire.device[j]->step(&d->servo[j], d->substep_ns, &d->truth, &d->cmd);
        }
        desk_body(d, 1e-9 * SUBSTEP);
        d->substep_ns += SUBSTEP;
    }
    wire_advance(&d->wire, t_ns);
    d->now_ns = t_ns > d->now_ns ? t_ns : d->now_ns;
}

static inline void desk_wait(struct desk *d, int64_t ns)
{
    uint8_t junk[256];
    desk_until(d, d->now_ns + ns);
    while (wire_host_rx(&d->wire, d->now_ns, junk, sizeof junk) > 0) {
    }
}

static inline void desk_note(struct desk *d, const uint8_t *tx, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct dxl_packet p;
        const int used = dxl_parse(tx + at, n - at, &p);
        assert_true(used > 0); /* the driver sends whole packets and nothing else */
        assert_true(d->n_sent < SENT_MAX);
        struct sent *s = &d->sent[d->n_sent++];
        *s = (struct sent){.t_ns = d->now_ns, .id = p.id, .instruction = p.instruction};
        if (p.n_params >= 2) {
            s->addr = dxl_get16(p.params);
        }
        if (p.instruction == DXL_WRITE) {
            s->n = p.n_params - 2;
            for (size_t i = 0; i < s->n; i++) {
                s->value |= (uint32_t)p.params[2 + i] << 8 * i;
            }
        } else if (p.instruction == DXL_READ) {
            s->n = dxl_get16(p.params + 2);
        }
        at += (size_t)used;
    }
}

/* Bytes for the host until t_ns, or 0 then. */
static inline int desk_hear(struct desk *d, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    for (;;) {
        const int n = wire_host_rx(&d->wire, d->now_ns, ret_bytes, cap);
        if (n > 0 || d->now_ns >= t_ns) {
            return n;
        }
        int64_t next_ns = wire_next_ns(&d->wire);
        next_ns = next_ns < d->substep_ns ? next_ns : d->substep_ns;
        next_ns = next_ns > d->now_ns ? next_ns : d->now_ns + 1;
        desk_until(d, next_ns < t_ns ? next_ns : t_ns);
    }
}

/* A set-up from beginning to end, as the plant does it. */
static inline enum setup_state desk_setup(struct desk *d, enum setup_goal goal)
{
    uint8_t tx[256], rx[1024];
    size_t n_rx = 0;
    d->setup = (struct setup){.goal = goal, .bus = &d->bus, .sensed = &d->sensed};
    for (int i = 0; i < 100000 && d->setup.state == SETUP_BUSY; i++) {
        const int n = desk_driver()->setup(&d->setup, d->now_ns, rx, n_rx, tx, sizeof tx);
        assert_true(n >= 0 && d->setup.used <= n_rx);
        n_rx -= d->setup.used;
        memmove(rx, rx + d->setup.used, n_rx);
        if (n > 0) {
            uint8_t stale[256];
            while (wire_host_rx(&d->wire, d->now_ns, stale, sizeof stale) > 0) {
            }
            n_rx = 0;
            desk_note(d, tx, (size_t)n);
            (void)wire_host_tx(&d->wire, tx, (size_t)n, d->now_ns, (uint32_t)d->robot.bus[0].baud);
        } else if (d->setup.used == 0 && d->setup.state == SETUP_BUSY) {
            n_rx += (size_t)desk_hear(d, d->setup.wake_ns, rx + n_rx, sizeof rx - n_rx);
        }
    }
    assert_int_not_equal(d->setup.state, SETUP_BUSY);
    return d->setup.state;
}

/* Whole frames out of n bytes, as the plant takes them. Returns what is left over. */
static inline size_t desk_decode(struct desk *d, const uint8_t *rx, size_t n)
{
    size_t at = 0;
    while (at < n) {
        const int used = desk_driver()->decode(&d->bus, rx + at, n - at, &d->sensed);
        assert_true(used <= (int)(n - at));
        if (used == 0) {
            break;
        }
        at += used > 0 ? (size_t)used : 1;
        d->bus.bytes_lost += used < 0;
    }
    return n - at;
}

/* One read phase at now: state, and one slow row. Returns the joints whose state is new. */
static inline uint64_t desk_read(struct desk *d)
{
    const int64_t deadline_ns = d->now_ns + d->robot.bus[0].reply_deadline_us * NS_PER_US;
    uint64_t fresh = 0;
    d->sensed.t_ns = d->now_ns;
    d->bus.asked = 0;
    d->bus.slow_due = true;
    for (int k = 0; k < 2; k++) {
        uint8_t tx[256], rx[1024];
        size_t n_rx = 0;
        const int n = desk_driver()->ask(&d->bus, tx, sizeof tx);
        assert_true(n > 0);
        const uint64_t owed = d->bus.pending;
        desk_note(d, tx, (size_t)n);
        (void)wire_host_tx(&d->wire, tx, (size_t)n, d->now_ns, (uint32_t)d->robot.bus[0].baud);
        while (d->bus.pending != 0 && d->now_ns < deadline_ns) {
            const int got = desk_hear(d, deadline_ns, rx + n_rx, sizeof rx - n_rx);
            n_rx += (size_t)got;
            const size_t left = desk_decode(d, rx, n_rx);
            memmove(rx, rx + n_rx - left, left);
            n_rx = left;
        }
        fresh |= k == 0 ? owed & ~d->bus.pending : 0;
        d->bus.pending = 0;
    }
    return fresh;
}

/* Goals onto the wire. */
static inline void desk_write(struct desk *d, const struct command *cmd)
{
    uint8_t tx[256];
    const int n = desk_driver()->goals(&d->bus, cmd, tx, sizeof tx);
    assert_true(n >= 0);
    if (n > 0) {
        desk_note(d, tx, (size_t)n);
        (void)wire_host_tx(&d->wire, tx, (size_t)n, d->now_ns, (uint32_t)d->robot.bus[0].baud);
    }
}

/* One tick of 10 ms: read, goals, the rest. */
static inline uint64_t desk_tick(struct desk *d, const struct command *cmd)
{
    const int64_t start_ns = d->now_ns;
    const uint64_t fresh = desk_read(d);
    if (cmd != NULL) {
        desk_write(d, cmd);
    }
    desk_wait(d, start_ns + 10 * NS_PER_MS - d->now_ns);
    return fresh;
}

/* All joints to q with a ceiling of frac of their stall torque. */
static inline struct command desk_command(const struct desk *d, double q, double frac)
{
    struct command c = {.n = d->n};
    for (int j = 0; j < d->n; j++) {
        c.mode[j] = d->robot.joint[j].actuated ? MODE_POSITION : MODE_OFF;
        c.q[j] = q;
        c.tau_max[j] = frac * d->robot.joint[j].tau_stall;
    }
    return c;
}

static inline int64_t desk_reg(const struct desk *d, int j, uint16_t addr)
{
    return servo_get(&d->servo[j], addr);
}

/* The first packet from the from-th on that this is; -1: none. */
static inline int desk_find(const struct desk *d, int from, uint8_t id, uint8_t instruction,
                            uint16_t addr)
{
    for (int i = from; i < d->n_sent; i++) {
        if (d->sent[i].id == id && d->sent[i].instruction == instruction &&
            d->sent[i].addr == addr) {
            return i;
        }
    }
    return -1;
}
