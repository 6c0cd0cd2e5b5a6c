/*
 * The driver of a serial bus on anything that this may bring: statuses with a good sum, raw bytes,
 * doubles, in pieces of any size, while it reads and while it sets up. Never a crash, never more
 * bytes used than given; only a reply of the joint itself answers for it, and what was sensed is
 * finite. A fuzzer says which driver, and how a status of its servos looks.
 */
#pragma once

#include "daemon/base/clock.h"
#include "drivers/driver.h"
#include "tests/fuzz/feed.h"

#include <errno.h>
#include <math.h>

#define JOINTS       3
#define STREAM_MAX   1024
#define STATE_BYTES  2048
#define CONFIG_BYTES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct driver_desk {
    const struct serial_driver *driver;
    struct robot robot;
    struct robot_bus bus;
    struct sensed sensed;
    _Alignas(16) uint8_t state[JOINTS][STATE_BYTES], config[JOINTS][CONFIG_BYTES];
};

struct driver_kind {
    const char *driver;
    const uint8_t *sizes; /* of a status's data */
    size_t n_sizes;
    void (*open_bus)(struct driver_desk *d, struct feed *f); /* NULL: nothing to say of it */
    void (*open_joint)(struct driver_desk *d, int joint, struct feed *f);
    size_t (*status)(uint8_t id, uint8_t error, const uint8_t *data, size_t n, uint8_t *ret_rx,
                     size_t cap);
    size_t (*first)(struct feed *f, uint8_t *ret_rx); /* begins some streams; NULL: none does */
    bool (*is_whole)(const uint8_t *tx, size_t n);    /* one packet of the host */
};

static inline void driver_open(struct driver_desk *d, const struct driver_kind *k, struct feed *f)
{
    memset(d, 0, sizeof *d);
    d->driver = serial_driver_find(k->driver);
    basal_assert(d->driver->info.joint_bytes <= STATE_BYTES &&
                 d->driver->info.config_bytes <= CONFIG_BYTES);
    d->robot.n_buses = 1;
    d->robot.n_joints = JOINTS;
    d->robot.control_rate_hz = 100;
    d->robot.bus[0].baud = 1000000;
    d->robot.bus[0].reply_deadline_us = 3000;
    d->sensed.n = JOINTS;
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = JOINTS};
    if (k->open_bus != NULL) {
        k->open_bus(d, f);
    }
    for (int j = 0; j < JOINTS; j++) {
        d->robot.joint[j] = (struct joint_spec){.name = "joint",
                                                .id = j + 1,
                                                .actuated = j > 0,
                                                .sign = j == 1 ? -1 : 1,
                                                .gear = 1,
                                                .q_min = -1,
                                                .q_max = 1,
                                                .qd_max = 5,
                                                .qdd_max = 100,
                                                .tau_max = 1,
                                                .tau_stall = 1,
                                                .temp_max_c = 70};
        d->bus.joint[j] = j;
        d->bus.state[j] = d->state[j];
        k->open_joint(d, j, f);
    }
}

/* More bytes on the stream: a status, noise, or some of what was there. */
static inline size_t driver_more(const struct driver_kind *k, struct feed *f, uint8_t *ret_rx,
                                 size_t n)
{
    uint8_t data[64] = {0};
    const size_t room = STREAM_MAX - n;
    if (room < 256) {
        return n;
    }
    switch (feed_u8(f) % 4) {
    case 0:
    case 1: {
        const uint8_t id = 1 + feed_u8(f) % 4, size = k->sizes[feed_u8(f) % k->n_sizes];
        const uint8_t error = feed_u8(f) % 4 == 0 ? feed_u8(f) : 0;
        (void)feed_bytes(f, data, size);
        return n + k->status(id, error, data, size, ret_rx + n, room);
    }
    case 2:
        return n + feed_bytes(f, ret_rx + n, feed_u8(f) % 64);
    default: {
        const size_t from = n > 0 ? feed_u8(f) % n : 0, twice = n - from < 64 ? n - from : 64;
        memcpy(ret_rx + n, ret_rx + from, twice);
        return n + twice;
    }
    }
}

static inline void driver_decode(struct driver_desk *d, const struct driver_kind *kind,
                                 struct feed *f)
{
    uint8_t tx[512], rx[STREAM_MAX];
    d->bus.asked = feed_u8(f) % 2;
    d->bus.slow_due = true;
    d->bus.pending = 0;
    (void)d->driver->ask(&d->bus, tx, sizeof tx);
    size_t n = kind->first != NULL ? kind->first(f, rx) : 0;
    for (int k = feed_u8(f) % 8; k > 0; k--) {
        n = driver_more(kind, f, rx, n);
    }
    size_t given = 0;
    for (size_t at = 0; at < n;) {
        const uint64_t owed = d->bus.pending;
        given = given < n ? given + 1 + feed_u8(f) : n;
        given = given < n && feed_more(f) ? given : n;
        const int used = d->driver->decode(&d->bus, rx + at, given - at, &d->sensed);
        basal_assert(used <= (int)(given - at) && used != -EAGAIN);
        basal_assert((d->bus.pending & ~owed) == 0);
        if (used == 0 && given == n) {
            break;
        }
        at += used > 0 ? (size_t)used : (size_t)(used < 0);
    }
    for (int j = 0; j < JOINTS; j++) {
        basal_assert(isfinite(d->sensed.q[j]) && isfinite(d->sensed.qd[j]) &&
                     isfinite(d->sensed.tau[j]) && d->sensed.age_us[j] >= 0);
    }
    d->sensed.t_ns += (int64_t)feed_u16(f) * NS_PER_MS;
}

static inline void driver_set_up(struct driver_desk *d, const struct driver_kind *kind,
                                 struct feed *f)
{
    struct setup s = {.goal = (enum setup_goal)(feed_u8(f) % (SETUP_ZERO + 1)), .bus = &d->bus};
    uint8_t tx[512], rx[STREAM_MAX];
    size_t n = 0;
    int64_t now_ns = 0;
    for (int k = 0; k < 400 && s.state == SETUP_BUSY; k++) {
        const int sent = d->driver->setup(&s, now_ns, rx, n, tx, sizeof tx);
        basal_assert(sent >= 0 && s.used <= n);
        n -= s.used;
        memmove(rx, rx + s.used, n);
        basal_assert(sent == 0 || kind->is_whole(tx, (size_t)sent));
        n = sent > 0 ? driver_more(kind, f, rx, 0) : n;
        now_ns = sent == 0 && s.used == 0 && s.wake_ns > now_ns ? s.wake_ns : now_ns + 1000;
    }
    basal_assert(s.state != SETUP_FAILED || s.why[0] != '\0');
}

/* The body of a fuzzer. */
static inline int driver_fuzz(const struct driver_kind *kind, const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    struct driver_desk d;
    driver_open(&d, kind, &f);
    while (feed_more(&f)) {
        if (feed_u8(&f) % 4 == 0) {
            driver_set_up(&d, kind, &f);
        } else {
            driver_decode(&d, kind, &f);
        }
    }
    return 0;
}
