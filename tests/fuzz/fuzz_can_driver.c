/*
 * Every driver on CAN, on anything that a bus may bring while it sets up, commands and decodes:
 * frames made of noise, and its own frames sent back. Never a crash, never more frames out than
 * room; only a frame that was taken answers for a joint; what was sensed is finite; no command to a
 * motor is a special one; a set-up ends, and says why where it failed.
 */
#include "drivers/driver.h"

#include "daemon/base/clock.h"
#include "tests/fuzz/feed.h"

#include <errno.h>
#include <math.h>

#define JOINTS     3
#define FRAMES     16
#define STATE_MAX  512
#define CONFIG_MAX 256
#define SETUP_MAX  4000 /* exchanges */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct desk {
    const struct can_driver *driver;
    struct robot robot;
    struct robot_bus bus;
    struct sensed sensed;
    int64_t now_ns;
    struct canfd_frame last; /* the driver's own */
    _Alignas(16) uint8_t state[JOINTS][STATE_MAX], config[JOINTS][CONFIG_MAX];
};

static const uint16_t ids[] = {0x011, 0x012, 0x013, 0x001, 0x029, 0x021, 0x049, 0x035, 0x7FF};
static const uint32_t long_ids[] = {0x028001FD, 0x020002FD, 0x150001FD, 0x110001FD,
                                    0x000001FE, 0x000002FE, 0x110003FD, 0x028003FD};

static void open_desk(struct desk *d, struct feed *f)
{
    int n = 0;
    while (can_drivers[n] != NULL) {
        n++;
    }
    memset(d, 0, sizeof *d);
    d->driver = can_drivers[feed_u8(f) % n];
    basal_assert(d->driver->info.joint_bytes <= STATE_MAX &&
                 d->driver->info.config_bytes <= CONFIG_MAX);
    d->robot.n_buses = 1;
    d->robot.n_joints = JOINTS;
    d->robot.control_rate_hz = 100;
    d->robot.bus[0] = (struct bus_spec){.name = "can",
                                        .bitrate = 1000000,
                                        .data_bitrate = feed_u8(f) % 2 * 5000000,
                                        .reply_deadline_us = 3000,
                                        .accept_no_device_watchdog = true};
    d->sensed.n = JOINTS;
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = JOINTS};
    for (int j = 0; j < JOINTS; j++) {
        option_defaults(d->driver->info.options, d->config[j]);
        d->robot.joint[j] = (struct joint_spec){.name = "joint",
                                                .id = j + 1,
                                                .actuated = j > 0,
                                                .sign = j == 1 ? -1 : 1,
                                                .gear = j == 2 ? 4 : 1,
                                                .q_min = -1,
                                                .q_max = 1,
                                                .qd_max = 5,
                                                .qdd_max = 100,
                                                .tau_max = 1,
                                                .tau_stall = 1,
                                                .temp_max_c = 70,
                                                .driver = j == 0 ? NULL : d->config[j]};
        d->bus.joint[j] = j;
        d->bus.state[j] = d->state[j];
    }
}

/* Noise on an id that may be a motor's, or the driver's last frame turned round. */
static struct canfd_frame frame_of(struct desk *d, struct feed *f)
{
    struct canfd_frame rx = {0};
    switch (feed_u8(f) % 4) {
    case 0:
        rx.can_id = ids[feed_u8(f) % (sizeof ids / sizeof ids[0])];
        break;
    case 1:
        rx.can_id = CAN_EFF_FLAG | long_ids[feed_u8(f) % (sizeof long_ids / sizeof long_ids[0])];
        rx.can_id ^= (uint32_t)feed_u8(f) << 16;
        break;
    case 2: /* as a register or a parameter is answered */
        rx = d->last;
        rx.can_id = (rx.can_id & CAN_EFF_FLAG) != 0
                        ? CAN_EFF_FLAG | (rx.can_id & 0x1F000000) | (rx.can_id & 0xFF) << 8 | 0xFD
                        : 0x010u + rx.data[0] % 4;
        rx.len = 8;
        (void)feed_bytes(f, rx.data + 4, feed_u8(f) % 5);
        return rx;
    default:
        rx.can_id = (uint32_t)feed_u16(f) << 16 | feed_u16(f);
        rx.can_id &= ~CAN_ERR_FLAG;
        break;
    }
    rx.len = feed_u8(f) % 4 == 0 ? feed_u8(f) % 9 : 8;
    (void)feed_bytes(f, rx.data, rx.len);
    return rx;
}

static void check_sent(struct desk *d, const struct canfd_frame *tx, int n, bool commands)
{
    for (int i = 0; i < n; i++) {
        basal_assert(tx[i].len <= 8);
        bool special = commands && tx[i].len == 8 && (tx[i].can_id & CAN_EFF_FLAG) == 0;
        for (int k = 0; k < 7; k++) {
            special = special && tx[i].data[k] == 0xFF;
        }
        basal_assert(!special || tx[i].data[7] == 0xFD); /* an AK is polled by "disable" */
        d->last = tx[i];
    }
}

static void check_sensed(const struct sensed *s)
{
    for (int j = 0; j < JOINTS; j++) {
        basal_assert(isfinite(s->q[j]) && isfinite(s->qd[j]) && isfinite(s->tau[j]) &&
                     isfinite(s->temp_c[j]) && isfinite(s->volt_v[j]));
    }
}

static double number(struct feed *f)
{
    static const double odd[] = {0, 1, -1, 1e300, -1e300, (double)NAN, (double)INFINITY, 12.5};
    const uint8_t kind = feed_u8(f);
    return kind % 4 == 0 ? odd[kind / 4 % 8] : ((int8_t)feed_u8(f)) / 16.0;
}

static void tick(struct desk *d, struct feed *f)
{
    struct canfd_frame tx[FRAMES];
    struct command c = {.n = JOINTS};
    for (int j = 0; j < JOINTS; j++) {
        c.mode[j] = feed_u8(f) % 7;
        c.q[j] = number(f);
        c.qd[j] = number(f);
        c.tau[j] = number(f);
        c.kp[j] = number(f);
        c.kd[j] = number(f);
        c.tau_max[j] = number(f);
    }
    d->bus.pending = 0;
    d->bus.asked = 0;
    d->bus.slow_due = feed_u8(f) % 2 == 0;
    int n = d->driver->goals(&d->bus, &c, tx, FRAMES);
    basal_assert(n >= 0 && n <= FRAMES);
    check_sent(d, tx, n, true);
    for (int k = 0; k < 3; k++) {
        n = d->driver->ask(&d->bus, tx, FRAMES);
        basal_assert(n >= 0 && n <= FRAMES);
        check_sent(d, tx, n, false);
        for (int i = feed_u8(f) % 6; i > 0; i--) {
            const struct canfd_frame rx = frame_of(d, f);
            const uint64_t owed = d->bus.pending;
            const int rc = d->driver->decode(&d->bus, &rx, &d->sensed);
            basal_assert(rc == 1 || rc == 0 || rc == -EBADMSG);
            basal_assert(rc == 1 || d->bus.pending == owed);
            basal_assert((d->bus.pending & ~owed) == 0);
            check_sensed(&d->sensed);
        }
    }
    basal_assert(d->driver->stop(&d->bus, STOP_OFF, tx, FRAMES) == JOINTS);
}

static void set_up(struct desk *d, struct feed *f)
{
    struct setup s = {.goal = feed_u8(f) % (SETUP_ZERO + 1), .bus = &d->bus, .sensed = &d->sensed};
    for (int i = 0; i < SETUP_MAX && s.state == SETUP_BUSY; i++) {
        struct canfd_frame tx[FRAMES], rx[4];
        const int heard = feed_more(f) ? feed_u8(f) % 5 : 0;
        for (int k = 0; k < heard; k++) {
            rx[k] = frame_of(d, f);
        }
        const int n = d->driver->setup(&s, d->now_ns, rx, heard, tx, FRAMES);
        basal_assert(n >= 0 && n <= FRAMES && (int)s.used <= heard);
        check_sent(d, tx, n, false);
        const bool idle = n == 0 && s.used == 0 && s.wake_ns > d->now_ns;
        d->now_ns = idle ? s.wake_ns : d->now_ns + 1000;
    }
    basal_assert(s.state != SETUP_BUSY || feed_more(f));
    basal_assert(s.state != SETUP_FAILED || s.why[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    struct desk d;
    open_desk(&d, &f);
    while (feed_more(&f)) {
        if (feed_u8(&f) % 3 == 0) {
            set_up(&d, &f);
        } else {
            tick(&d, &f);
        }
    }
    return 0;
}
