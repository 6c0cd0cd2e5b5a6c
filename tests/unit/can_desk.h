/*
 * A desk with up to four motors on one CAN bus: any driver on one side, its emulated devices on the
 * other, frames between them, virtual time, a rotor on each shaft. Every frame is kept.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/clock.h"
#include "drivers/driver.h"
#include "sim/firmware/device.h"
#include "tests/unit/hex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESK_MAX     4
#define DESK_LOG     8192
#define DESK_BYTES   8192 /* of one device's or driver's state */
#define DESK_RX      64
#define FRAME_NS     (130 * NS_PER_US) /* one of 8 bytes at 1 Mbit/s */
#define SUBSTEP      (100 * NS_PER_US)
#define PERIOD       (4 * NS_PER_MS) /* 250 Hz */
#define INERTIA_KGM2 0.02

struct desk_frame {
    int64_t t_ns;
    bool host;
    struct canfd_frame f;
};

struct can_desk {
    int n;
    const struct can_driver *driver;
    const struct device *device;
    struct robot robot;
    struct robot_bus bus;
    struct sensed truth, sensed;
    struct command cmd; /* of the motors to their rotors */
    double load_nm[DESK_MAX];
    int64_t now_ns, substep_ns;
    struct canfd_frame rx[DESK_RX];
    int n_rx;
    struct desk_frame log[DESK_LOG];
    int n_log;
    unsigned unplugged; /* a bit per motor */
    uint64_t missed;    /* of the last tick */
    struct setup setup; /* the last one */
    _Alignas(16) uint8_t driver_state[DESK_MAX][DESK_BYTES], device_state[DESK_MAX][DESK_BYTES];
    _Alignas(16) uint8_t driver_config[DESK_MAX][512], device_config[DESK_MAX][512];
};

/* n motors with ids from 1; then change what you want and desk_power. */
static inline struct can_desk *desk_open(const char *name, int n)
{
    struct can_desk *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->n = n;
    d->driver = can_driver_find(name);
    d->device = device_find(name);
    assert_true(d->driver != NULL && d->device != NULL && n <= DESK_MAX);
    assert_true(d->driver->info.joint_bytes <= DESK_BYTES && d->device->state_bytes <= DESK_BYTES);
    assert_true(d->driver->info.config_bytes <= 512 && d->device->config_bytes <= 512);
    d->robot = (struct robot){
        .name = "desk",
        .n_buses = 1,
        .n_joints = n,
        .control_rate_hz = 250.0,
        .bus = {{.name = "can", .bitrate = 1000000, .reply_deadline_us = 3000, .misses_max = 3}}};
    for (int j = 0; j < n; j++) {
        struct joint_spec *s = &d->robot.joint[j];
        *s = (struct joint_spec){.id = j + 1,
                                 .actuated = true,
                                 .sign = 1,
                                 .gear = 1,
                                 .q_min = -2,
                                 .q_max = 2,
                                 .qd_max = 5,
                                 .qdd_max = 100,
                                 .tau_max = 4,
                                 .tau_stall = 4,
                                 .temp_max_c = 90,
                                 .driver = d->driver_config[j],
                                 .device = d->device_config[j]};
        (void)snprintf(s->name, sizeof s->name, "joint%d", j + 1);
        option_defaults(d->driver->info.options, s->driver);
        option_defaults(d->device->options, s->device);
    }
    return d;
}

/* One setting of a joint's driver or of its emulated device. */
static inline void desk_set(struct can_desk *d, int j, bool device, const char *key,
                            const char *text)
{
    const struct option *o =
        option_find(device ? d->device->options : d->driver->info.options, key);
    char reason[WHY_CHARS] = "";
    assert_non_null(o);
    if (option_set(o, device ? d->device_config[j] : d->driver_config[j], text, reason,
                   (int)sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

/* Power on: state from the specs as they are now. */
static inline void desk_power(struct can_desk *d)
{
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = d->n};
    d->truth.n = d->sensed.n = d->cmd.n = d->n;
    for (int j = 0; j < d->n; j++) {
        d->bus.joint[j] = j;
        d->bus.state[j] = d->driver_state[j];
        d->truth.temp_c[j] = 30.0f;
        d->truth.volt_v[j] = 24.0f;
        memset(d->driver_state[j], 0, DESK_BYTES);
        d->device->init(d->device_config[j], &d->robot, j, d->device_state[j]);
    }
    d->substep_ns = d->now_ns + SUBSTEP;
}

static inline void desk_close(struct can_desk *d)
{
    free(d);
}

static inline void desk_note(struct can_desk *d, const struct canfd_frame *f, bool host)
{
    assert_true(d->n_log < DESK_LOG);
    d->log[d->n_log++] = (struct desk_frame){d->now_ns, host, *f};
}

static inline void desk_rotors(struct can_desk *d, double dt_s)
{
    for (int j = 0; j < d->n; j++) {
        const struct command *c = &d->cmd;
        double tau = 0.0;
        if (c->mode[j] != MODE_OFF) {
            const bool position = c->mode[j] == MODE_POSITION, speed = c->mode[j] == MODE_VELOCITY;
            const double kp = position ? 50.0 : speed ? 0.0 : c->kp[j];
            const double kd = position || speed ? 1.0 : c->kd[j];
            tau = (c->mode[j] == MODE_EFFORT
                       ? 0.0
                       : kp * (c->q[j] - d->truth.q[j]) + kd * (c->qd[j] - d->truth.qd[j])) +
                  (position || speed ? 0.0 : c->tau[j]);
            tau = fmax(-c->tau_max[j], fmin(c->tau_max[j], tau));
        }
        d->truth.tau[j] = tau;
        d->truth.qd[j] += (tau + d->load_nm[j] - 0.01 * d->truth.qd[j]) / INERTIA_KGM2 * dt_s;
        d->truth.q[j] += d->truth.qd[j] * dt_s;
    }
}

/* Everybody but its sender hears a frame that ended now. */
static inline void desk_hear_all(struct can_desk *d, const struct canfd_frame *f, int sender)
{
    for (int j = 0; j < d->n; j++) {
        if (j != sender && (d->unplugged >> j & 1u) == 0) {
            d->device->rx(d->device_state[j], (const uint8_t *)f, sizeof *f, d->now_ns, 1000000);
        }
    }
}

static inline void desk_answers(struct can_desk *d, int64_t t_ns)
{
    for (;;) {
        int who = -1;
        int64_t due_ns = t_ns + 1;
        for (int j = 0; j < d->n; j++) {
            const int64_t own_ns = d->device->due(d->device_state[j]);
            if (own_ns < due_ns) {
                due_ns = own_ns;
                who = j;
            }
        }
        if (who < 0) {
            return;
        }
        struct canfd_frame f;
        const int n = d->device->tx(d->device_state[who], due_ns, (uint8_t *)&f, sizeof f);
        assert_int_equal(n, sizeof f);
        if ((d->unplugged >> who & 1u) == 0) {
            d->now_ns = due_ns + FRAME_NS > d->now_ns ? due_ns + FRAME_NS : d->now_ns;
            desk_note(d, &f, false);
            desk_hear_all(d, &f, who);
            if (d->n_rx < DESK_RX) {
                d->rx[d->n_rx++] = f;
            }
        }
    }
}

/* Let everything happen up to t_ns. */
static inline void desk_until(struct can_desk *d, int64_t t_ns)
{
    while (d->substep_ns <= t_ns) {
        desk_answers(d, d->substep_ns);
        for (int j = 0; j < d->n; j++) {
            d->device->step(d->device_state[j], d->substep_ns, &d->truth, &d->cmd);
        }
        desk_rotors(d, 1e-9 * SUBSTEP);
        d->substep_ns += SUBSTEP;
    }
    desk_answers(d, t_ns);
    d->now_ns = t_ns > d->now_ns ? t_ns : d->now_ns;
}

static inline void desk_wait(struct can_desk *d, int64_t ns)
{
    desk_until(d, d->now_ns + ns);
    d->n_rx = 0;
}

static inline void desk_send(struct can_desk *d, const struct canfd_frame *f, int n)
{
    for (int i = 0; i < n; i++) {
        desk_until(d, d->now_ns + FRAME_NS);
        desk_note(d, &f[i], true);
        desk_hear_all(d, &f[i], -1);
    }
}

/* A set-up from beginning to end, as the plant does it. */
static inline enum setup_state desk_setup(struct can_desk *d, enum setup_goal goal)
{
    d->setup = (struct setup){.goal = goal, .bus = &d->bus, .sensed = &d->sensed};
    d->n_rx = 0;
    for (int i = 0; i < 100000 && d->setup.state == SETUP_BUSY; i++) {
        struct canfd_frame tx[16];
        const int n = d->driver->setup(&d->setup, d->now_ns, d->rx, d->n_rx, tx, 16);
        assert_true(n >= 0 && n <= 16 && (int)d->setup.used <= d->n_rx);
        d->n_rx -= (int)d->setup.used;
        memmove(d->rx, d->rx + d->setup.used, (size_t)d->n_rx * sizeof d->rx[0]);
        if (n > 0) {
            d->n_rx = 0;
            desk_send(d, tx, n);
        } else if (d->setup.used == 0 && d->setup.state == SETUP_BUSY) {
            const int had = d->n_rx;
            while (d->n_rx == had && d->now_ns < d->setup.wake_ns) {
                desk_until(d, d->now_ns + 10 * NS_PER_US);
            }
        }
    }
    assert_int_not_equal(d->setup.state, SETUP_BUSY);
    return d->setup.state;
}

static inline void desk_says(const struct can_desk *d, const char *text)
{
    if (strstr(d->setup.why, text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, d->setup.why);
    }
}

static inline void desk_hear(struct can_desk *d)
{
    for (int i = 0; i < d->n_rx; i++) {
        (void)d->driver->decode(&d->bus, &d->rx[i], &d->sensed);
    }
    d->n_rx = 0;
}

/* Frames until nobody owes one or the deadline. */
static inline void desk_collect(struct can_desk *d, int64_t until_ns)
{
    for (;;) {
        desk_hear(d);
        if (d->bus.pending == 0 || d->now_ns >= until_ns) {
            break;
        }
        desk_until(d, d->now_ns + 20 * NS_PER_US);
    }
    d->missed |= d->bus.pending;
    d->bus.pending = 0;
}

/* One period, pipelined: goals, what else is to be asked, collect, the rest. */
static inline void desk_tick(struct can_desk *d, const struct command *cmd)
{
    const int64_t start_ns = d->now_ns;
    const int64_t until_ns = start_ns + d->robot.bus[0].reply_deadline_us * NS_PER_US;
    struct canfd_frame tx[16];
    d->sensed.t_ns = start_ns;
    d->missed = 0;
    desk_hear(d); /* what was said unasked since */
    d->bus.asked = 0;
    d->bus.slow_due = true;
    const int n = d->driver->goals(&d->bus, cmd, tx, 16);
    assert_true(n >= 0 && n <= 16);
    desk_send(d, tx, n);
    for (int asked = d->driver->ask(&d->bus, tx, 16); asked > 0;) {
        desk_send(d, tx, asked);
        desk_collect(d, until_ns);
        asked = d->driver->ask(&d->bus, tx, 16);
    }
    desk_collect(d, until_ns);
    desk_until(d, start_ns + PERIOD);
}

static inline void desk_ticks(struct can_desk *d, const struct command *cmd, int n)
{
    for (int i = 0; i < n; i++) {
        desk_tick(d, cmd);
    }
}

/* All joints in a mode, to q, with a ceiling. */
static inline struct command desk_command(const struct can_desk *d, int mode, double q,
                                          double tau_max)
{
    struct command c = {.n = d->n};
    for (int j = 0; j < d->n; j++) {
        c.mode[j] = (uint8_t)mode;
        c.q[j] = q;
        c.tau_max[j] = tau_max;
    }
    return c;
}

/* A frame written as in a manual: "001#FFFFFFFFFFFFFFFC", 29 bits with eight digits. */
static inline struct canfd_frame desk_frame(const char *text)
{
    const char *data = strchr(text, '#');
    struct canfd_frame f = {.can_id = (canid_t)strtoul(text, NULL, 16)};
    assert_non_null(data);
    f.can_id |= data - text > 3 ? CAN_EFF_FLAG : 0;
    f.len = (uint8_t)hex(data + 1, f.data, CANFD_MAX_DLEN);
    return f;
}

static inline void assert_frame(const struct canfd_frame *f, const char *text)
{
    const struct canfd_frame want = desk_frame(text);
    assert_int_equal(f->can_id, want.can_id);
    assert_int_equal(f->len, want.len);
    if (memcmp(f->data, want.data, want.len) != 0) {
        char got[2 * CANFD_MAX_DLEN + 1] = "";
        for (int i = 0; i < f->len; i++) {
            (void)snprintf(got + 2 * i, 3, "%02X", f->data[i]);
        }
        fail_msg("%s is sent, not %s", got, text);
    }
}

/* The first frame of the host from the from-th on that begins as text says; -1: none. */
static inline int desk_find(const struct can_desk *d, int from, const char *text)
{
    const struct canfd_frame want = desk_frame(text);
    for (int i = from; i < d->n_log; i++) {
        const struct canfd_frame *f = &d->log[i].f;
        if (d->log[i].host && f->can_id == want.can_id && f->len >= want.len &&
            memcmp(f->data, want.data, want.len) == 0) {
            return i;
        }
    }
    return -1;
}

/* What the emulated device of joint 0 answers to a frame; -1 frames: says nothing. */
static inline int desk_answer_of(struct can_desk *d, const char *text, struct canfd_frame *ret_f)
{
    const struct canfd_frame f = desk_frame(text);
    d->n_rx = 0;
    desk_send(d, &f, 1);
    desk_until(d, d->now_ns + NS_PER_MS);
    if (d->n_rx > 0) {
        *ret_f = d->rx[0];
    }
    return d->n_rx;
}
