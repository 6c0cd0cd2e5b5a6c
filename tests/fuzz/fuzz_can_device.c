/*
 * Three emulated motors of any kind on a CAN bus, told anything: frames to their ids, each other's
 * answers, noise, time, a body that moves. Never a crash; each frame out is whole; an answer is
 * never due before it was asked for; what the motors command is finite.
 */
#include "drivers/driver.h"
#include "sim/firmware/device.h"

#include "daemon/base/clock.h"
#include "tests/fuzz/feed.h"

#include <math.h>
#include <stdio.h>

#define MOTORS     3
#define STATE_MAX  8192
#define CONFIG_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bench {
    const struct device *device;
    struct robot robot;
    struct sensed truth;
    struct command cmd;
    int64_t now_ns;
    _Alignas(16) uint8_t state[MOTORS][STATE_MAX], config[CONFIG_MAX];
};

static void open_bench(struct bench *b, struct feed *f)
{
    int n = 0;
    while (can_drivers[n] != NULL) {
        n++;
    }
    memset(b, 0, sizeof *b);
    b->device = device_find(can_drivers[feed_u8(f) % n]->info.name);
    basal_assert(b->device != NULL && b->device->state_bytes <= STATE_MAX &&
                 b->device->config_bytes <= CONFIG_MAX);
    b->robot.n_joints = MOTORS;
    b->robot.n_buses = 1;
    b->robot.bus[0].bitrate = 1000000;
    b->robot.bus[0].data_bitrate = feed_u8(f) % 2 * 5000000;
    b->truth.n = b->cmd.n = MOTORS;
    option_defaults(b->device->options, b->config);
    for (const struct option *o = b->device->options; o->key != NULL; o++) { /* some settings */
        char text[32], reason[WHY_CHARS];
        if (feed_u8(f) % 4 != 0) {
            continue;
        }
        if (o->type == OPTION_BOOL) {
            (void)option_set(o, b->config, "true", reason, (int)sizeof reason);
        } else if (o->type == OPTION_CHOICE) {
            (void)option_set(o, b->config, o->choices[feed_u8(f) % 2], reason, (int)sizeof reason);
        } else {
            (void)snprintf(text, sizeof text, o->type == OPTION_INT ? "%d" : "0.%02d",
                           feed_u8(f) % 100);
            (void)option_set(o, b->config, text, reason, (int)sizeof reason); /* or refused */
        }
    }
    for (int j = 0; j < MOTORS; j++) {
        b->robot.joint[j] =
            (struct joint_spec){.id = j + 1, .sign = j == 1 ? -1 : 1, .gear = j + 1};
        b->device->init(b->config, &b->robot, j, b->state[j]);
    }
}

static struct canfd_frame frame_of(struct feed *f)
{
    static const uint8_t types[] = {0, 1, 3, 4, 6, 7, 0x11, 0x12, 0x16, 0x18, 0x1F};
    static const uint8_t heads[] = {0x33, 0x55, 0xAA, 0xCC};
    const uint8_t id = 1 + feed_u8(f) % 4;
    struct canfd_frame x = {.len = 8};
    switch (feed_u8(f) % 6) {
    case 0: /* special: enable and the like */
        x.can_id = id;
        memset(x.data, 0xFF, 7);
        x.data[7] = 0xFB + feed_u8(f) % 5;
        return x;
    case 1:
        x.can_id = 0x7FF;
        x.data[0] = id;
        x.data[2] = heads[feed_u8(f) % 4];
        x.data[3] = feed_u8(f) % 84;
        (void)feed_bytes(f, x.data + 4, 4);
        return x;
    case 2:
        x.can_id = CAN_EFF_FLAG | (uint32_t)types[feed_u8(f) % sizeof types] << 24 |
                   (uint32_t)feed_u16(f) << 8 | id;
        x.data[0] = feed_u8(f) % 0x30;
        x.data[1] = feed_u8(f) % 2 == 0 ? 0x70 : feed_u8(f);
        (void)feed_bytes(f, x.data + 4, 4);
        return x;
    case 3: /* node and message */
        x.can_id = (uint32_t)id << 5 | feed_u8(f) % 32;
        x.can_id |= feed_u8(f) % 2 == 0 ? CAN_RTR_FLAG : 0;
        break;
    case 4:
        x.can_id = (uint32_t)(feed_u8(f) % 4) << 8 | id;
        break;
    default:
        x.can_id = (uint32_t)feed_u16(f) << 16 | feed_u16(f);
        x.flags = feed_u8(f);
        break;
    }
    x.len = feed_u8(f) % 4 == 0 ? feed_u8(f) : 8;
    (void)feed_bytes(f, x.data, 8);
    return x;
}

static void hear(struct bench *b, const struct canfd_frame *x, int sender)
{
    for (int j = 0; j < MOTORS; j++) {
        if (j != sender) {
            b->device->rx(b->state[j], (const uint8_t *)x, sizeof *x, b->now_ns, 1000000);
        }
    }
}

static void wait(struct bench *b, int64_t ns)
{
    b->now_ns += ns;
    for (int k = 0; k < 64; k++) { /* they may answer each other */
        for (int j = 0; j < MOTORS; j++) {
            struct canfd_frame x;
            if (b->device->due(b->state[j]) > b->now_ns) {
                continue;
            }
            const int n = b->device->tx(b->state[j], b->now_ns, (uint8_t *)&x, sizeof x);
            basal_assert(n == (int)sizeof x && x.len <= 8 && (x.can_id & CAN_ERR_FLAG) == 0);
            hear(b, &x, j);
        }
    }
    for (int j = 0; j < MOTORS; j++) {
        b->device->step(b->state[j], b->now_ns, &b->truth, &b->cmd);
        basal_assert(isfinite(b->cmd.q[j]) && isfinite(b->cmd.qd[j]) && isfinite(b->cmd.tau[j]) &&
                     isfinite(b->cmd.kp[j]) && isfinite(b->cmd.kd[j]) &&
                     isfinite(b->cmd.tau_max[j]) && b->cmd.tau_max[j] >= 0.0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    struct bench b;
    open_bench(&b, &f);
    for (int k = 0; feed_more(&f) && k < 200; k++) {
        const struct canfd_frame x = frame_of(&f);
        hear(&b, &x, -1);
        if (feed_u8(&f) % 8 == 0) {
            b.truth.q[feed_u8(&f) % MOTORS] = (int8_t)feed_u8(&f);
            b.truth.temp_c[feed_u8(&f) % MOTORS] = feed_u8(&f);
        }
        wait(&b, (int64_t)feed_u8(&f) * NS_PER_MS / 4);
    }
    return 0;
}
