/*
 * Feetech's driver on anything that a bus may bring: statuses with a good sum, raw bytes, doubles,
 * in pieces of any size, while it reads and while it sets up. Never a crash, never more bytes used
 * than given; only a reply of the joint itself answers for it, and what was sensed is finite.
 */
#include "drivers/feetech.h"

#include "daemon/base/clock.h"
#include "tests/fuzz/feed.h"

#include <errno.h>
#include <math.h>

#define JOINTS     3
#define STREAM_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct desk {
    struct robot robot;
    struct feetech_config settings[JOINTS];
    struct feetech_joint state[JOINTS];
    struct robot_bus bus;
    struct sensed sensed;
};

static void open_desk(struct desk *d, struct feed *f)
{
    static const uint16_t models[] = {FEETECH_STS3215, FEETECH_STS3250, 7, 0};
    memset(d, 0, sizeof *d);
    d->robot.n_buses = 1;
    d->robot.n_joints = JOINTS;
    d->robot.control_rate_hz = 100;
    d->robot.bus[0].baud = 1000000;
    d->robot.bus[0].reply_deadline_us = 3000;
    d->robot.bus[0].accept_no_device_watchdog = feed_u8(f) % 4 != 0;
    d->sensed.n = JOINTS;
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = JOINTS};
    for (int j = 0; j < JOINTS; j++) {
        d->settings[j] = (struct feetech_config){.position_p = feed_u8(f) % 2 * 16,
                                                 .offset_counts = feed_u8(f) % 2 == 0 ? -100 : 2048,
                                                 .profile_velocity_frac = 1.25};
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
                                                .temp_max_c = 70,
                                                .driver = &d->settings[j]};
        d->bus.joint[j] = j;
        d->bus.state[j] = &d->state[j];
        d->bus.id[j] = (struct identity){.model = models[feed_u8(f) % 4], .known = true};
    }
}

/* More bytes on the stream: a status, noise, or some of what was there. */
static size_t more(struct feed *f, uint8_t *ret_rx, size_t n)
{
    static const uint8_t sizes[] = {0, 1, 2, 5, FEETECH_SLOW_BYTES, FEETECH_STATE_BYTES, 20};
    uint8_t params[64] = {0};
    const size_t room = STREAM_MAX - n;
    if (room < 256) {
        return n;
    }
    switch (feed_u8(f) % 4) {
    case 0:
    case 1: {
        const uint8_t id = 1 + feed_u8(f) % 4, size = sizes[feed_u8(f) % sizeof sizes];
        const uint8_t error = feed_u8(f) % 4 == 0 ? feed_u8(f) : 0;
        (void)feed_bytes(f, params, size);
        return n + (size_t)feetech_build(id, error, params, size, ret_rx + n, room);
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

static void decode(struct desk *d, struct feed *f)
{
    const struct serial_driver *driver = serial_driver_find("feetech");
    uint8_t tx[512], rx[STREAM_MAX];
    d->bus.asked = feed_u8(f) % 2;
    d->bus.slow_due = true;
    d->bus.pending = 0;
    (void)driver->ask(&d->bus, tx, sizeof tx);
    size_t n = 0;
    for (int k = feed_u8(f) % 8; k > 0; k--) {
        n = more(f, rx, n);
    }
    size_t given = 0;
    for (size_t at = 0; at < n;) {
        const uint64_t owed = d->bus.pending;
        given = given < n ? given + 1 + feed_u8(f) : n;
        given = given < n && feed_more(f) ? given : n;
        const int used = driver->decode(&d->bus, rx + at, given - at, &d->sensed);
        basal_assert(used <= (int)(given - at) && used != -EAGAIN);
        basal_assert((d->bus.pending & ~owed) == 0);
        if (used == 0 && given == n) {
            break;
        }
        at += used > 0 ? (size_t)used : used < 0 ? 1 : 0;
    }
    for (int j = 0; j < JOINTS; j++) {
        basal_assert(isfinite(d->sensed.q[j]) && isfinite(d->sensed.qd[j]) &&
                     isfinite(d->sensed.tau[j]) && d->sensed.age_us[j] >= 0);
    }
    d->sensed.t_ns += (int64_t)feed_u16(f) * NS_PER_MS;
}

static void set_up(struct desk *d, struct feed *f)
{
    struct setup s = {.goal = (enum setup_goal)(feed_u8(f) % 5), .bus = &d->bus};
    uint8_t tx[512], rx[STREAM_MAX];
    size_t n = 0;
    int64_t now_ns = 0;
    for (int k = 0; k < 400 && s.state == SETUP_BUSY; k++) {
        const int sent = feetech_setup(&s, now_ns, rx, n, tx, sizeof tx);
        basal_assert(sent >= 0 && s.used <= n);
        n -= s.used;
        memmove(rx, rx + s.used, n);
        struct feetech_packet p;
        basal_assert(sent == 0 || feetech_parse(tx, (size_t)sent, &p) == sent);
        n = sent > 0 ? more(f, rx, 0) : n;
        now_ns = sent == 0 && s.used == 0 && s.wake_ns > now_ns ? s.wake_ns : now_ns + 1000;
    }
    basal_assert(s.state != SETUP_FAILED || s.why[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    struct desk d;
    open_desk(&d, &f);
    while (feed_more(&f)) {
        if (feed_u8(&f) % 4 == 0) {
            set_up(&d, &f);
        } else {
            decode(&d, &f);
        }
    }
    return 0;
}
