/*
 * A desk with up to six Feetech servos on one bus and nothing on their horns: the driver on one
 * side, the emulated servos on the other, the bytes between them, virtual time. What the host sends
 * is kept.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/clock.h"
#include "drivers/feetech.h"
#include "sim/firmware/feetech_inside.h"
#include "sim/firmware/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESK_MAX 6
#define SENT_MAX 8192
#define SUBSTEP  NS_PER_MS
#define FREE_QD  5.0 /* rad/s, of a servo without load */
#define BAUD     1000000

/* One packet of the host. */
struct sent {
    int64_t t_ns;
    uint8_t id, instruction, addr;
    uint32_t value;
    size_t n; /* data bytes written, or asked for */
};

struct desk {
    int n;
    struct robot robot;
    struct feetech_config settings[DESK_MAX];
    struct sts_config device[DESK_MAX];
    struct sts servo[DESK_MAX];
    struct feetech_joint joint[DESK_MAX];
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
    return serial_driver_find("feetech");
}

/* n servos, the last one a wheel if wheel is set; then change what you want and desk_power. */
static inline void desk_init(struct desk *d, int n, bool wheel)
{
    memset(d, 0, sizeof *d);
    d->n = n;
    d->robot = (struct robot){.name = "desk",
                              .n_buses = 1,
                              .n_joints = n,
                              .control_rate_hz = 100.0,
                              .bus = {{.name = "servo",
                                       .driver = "feetech",
                                       .baud = BAUD,
                                       .reply_deadline_us = 4500,
                                       .accept_no_device_watchdog = true,
                                       .misses_max = 6}}};
    for (int j = 0; j < n; j++) {
        struct joint_spec *s = &d->robot.joint[j];
        *s = (struct joint_spec){.id = j + 1,
                                 .model = FEETECH_STS3215,
                                 .actuated = !(wheel && j == n - 1),
                                 .sign = 1,
                                 .gear = 1,
                                 .q_min = -0.5,
                                 .q_max = 0.5,
                                 .qd_max = 3,
                                 .qdd_max = 30,
                                 .tau_max = 2.0,
                                 .tau_stall = 2.94,
                                 .temp_max_c = 65,
                                 .driver = &d->settings[j],
                                 .device = &d->device[j]};
        (void)snprintf(s->name, sizeof s->name, "joint%d", j + 1);
        d->settings[j] = (struct feetech_config){.offset_counts = FEETECH_OFFSET_OWN,
                                                 .profile_velocity_frac = 1.25};
        d->device[j] = (struct sts_config){.model = FEETECH_STS3215, .firmware = 310};
    }
}

/* Power on: state from the specs as they are now. */
static inline void desk_power(struct desk *d)
{
    const struct device *dev = device_find("feetech");
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = d->n};
    d->wire.n = d->n;
    d->wire.st.baud = BAUD;
    d->truth.n = d->sensed.n = d->cmd.n = d->n;
    for (int j = 0; j < d->n; j++) {
        d->bus.joint[j] = j;
        d->bus.state[j] = &d->joint[j];
        d->wire.device[j] = dev;
        d->wire.device_state[j] = &d->servo[j];
        d->truth.volt_v[j] = 12.0f;
        d->truth.temp_c[j] = 30.0f;
        dev->init(&d->device[j], &d->robot, j, &d->servo[j]);
    }
    d->substep_ns = d->now_ns / SUBSTEP * SUBSTEP + SUBSTEP;
}

static inline void desk_body(struct desk *d, double dt_s)
{
    for (int j = 0; j < d->n; j++) {
        const double goal = d->cmd.q[j] - d->truth.q[j];
        const double most = FREE_QD * dt_s * d->cmd.tau_max[j] / d->servo[j].tau_stall_nm;
        double dq = 0.0;
        if (d->cmd.mode[j] == MODE_POSITION) {
            dq = fabs(goal) > most ? copysign(most, goal) : goal;
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

/* Whole packets onto the wire, kept. */
static inline void desk_tx(struct desk *d, const uint8_t *tx, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct feetech_packet p;
        const int used = feetech_parse(tx + at, n - at, &p);
        assert_true(used > 0 && d->n_sent < SENT_MAX);
        struct sent *s = &d->sent[d->n_sent++];
        *s = (struct sent){.t_ns = d->now_ns, .id = p.id, .instruction = p.code};
        s->addr = p.n_params > 0 ? p.params[0] : 0;
        if (p.code == FEETECH_WRITE) {
            s->n = p.n_params - 1;
            for (size_t i = 0; i < s->n; i++) {
                s->value |= (uint32_t)p.params[1 + i] << 8 * i;
            }
        } else if (p.code == FEETECH_READ) {
            s->n = p.params[1];
        }
        at += (size_t)used;
    }
    (void)wire_host_tx(&d->wire, tx, n, d->now_ns, (uint32_t)d->robot.bus[0].baud);
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
            desk_tx(d, tx, (size_t)n);
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
        desk_tx(d, tx, (size_t)n);
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

/* One tick of 10 ms: read, goals, the rest. */
static inline uint64_t desk_tick(struct desk *d, const struct command *cmd)
{
    const int64_t start_ns = d->now_ns;
    const uint64_t fresh = desk_read(d);
    uint8_t tx[256];
    const int n = cmd != NULL ? desk_driver()->goals(&d->bus, cmd, tx, sizeof tx) : 0;
    assert_true(n >= 0);
    if (n > 0) {
        desk_tx(d, tx, (size_t)n);
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

static inline int32_t desk_reg(const struct desk *d, int j, uint8_t addr)
{
    return sts_get(&d->servo[j], addr);
}

/* The first packet from the from-th on that this is; -1: none. */
static inline int desk_find(const struct desk *d, int from, uint8_t id, uint8_t instruction,
                            uint8_t addr)
{
    for (int i = from; i < d->n_sent; i++) {
        if (d->sent[i].id == id && d->sent[i].instruction == instruction &&
            d->sent[i].addr == addr) {
            return i;
        }
    }
    return -1;
}

static inline void assert_says(const struct desk *d, const char *text)
{
    if (strstr(d->setup.why, text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, d->setup.why);
    }
}

/* Whatever comes back within 10 ms to these bytes. */
static inline size_t desk_exchange(struct desk *d, const uint8_t *tx, size_t n, uint8_t *ret_rx,
                                   size_t cap)
{
    const int64_t until_ns = d->now_ns + 10 * NS_PER_MS;
    size_t n_rx = 0;
    (void)wire_host_tx(&d->wire, tx, n, d->now_ns, (uint32_t)d->robot.bus[0].baud);
    while (d->now_ns < until_ns) {
        n_rx += (size_t)desk_hear(d, until_ns, ret_rx + n_rx, cap - n_rx);
    }
    return n_rx;
}

static inline int open_desk(void **state)
{
    *state = calloc(1, sizeof(struct desk));
    return *state != NULL ? 0 : -1;
}

static inline int close_desk(void **state)
{
    free(*state);
    return 0;
}
