/*
 * Three emulated servos of one kind on a wire, told anything: packets with a good sum, raw bytes,
 * time. Never a crash, never more bytes out than room; what the servos command is finite. A fuzzer
 * says what kind, and checks their registers.
 */
#pragma once

#include "daemon/base/clock.h"
#include "sim/firmware/device.h"
#include "sim/firmware/wire.h"
#include "tests/fuzz/feed.h"

#include <math.h>

#define SERVOS      3
#define SERVO_BYTES 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct servo_bench {
    struct robot robot;
    struct wire wire;
    struct sensed truth;
    struct command cmd;
    int64_t now_ns;
    uint32_t baud;
    _Alignas(16) uint8_t servo[SERVOS][SERVO_BYTES];
};

struct servo_kind {
    const char *device;
    const uint8_t *instructions;
    size_t n_instructions, params_max;
    uint32_t other_baud; /* that they do not listen at */
    uint8_t broadcast;
    bool feels_load;
    /* with settings out of the feed */
    void (*init)(struct servo_bench *b, const struct device *d, int joint, struct feed *f);
    /* an instruction whose sum is right */
    int (*build)(uint8_t id, uint8_t instruction, const uint8_t *params, size_t n, uint8_t *ret_tx,
                 size_t cap);
    void (*check)(const void *servo); /* at the end */
};

static inline void servo_open(struct servo_bench *b, const struct servo_kind *k, struct feed *f)
{
    const struct device *d = device_find(k->device);
    memset(b, 0, sizeof *b);
    basal_assert(d->state_bytes <= SERVO_BYTES);
    b->baud = 1000000;
    b->robot.n_joints = SERVOS;
    b->robot.n_buses = 1;
    b->robot.bus[0].baud = (int)b->baud;
    b->wire.n = SERVOS;
    b->wire.st.baud = b->baud;
    rng_seed(&b->wire.st.rng, feed_u8(f));
    b->wire.config.late_ns = NS_PER_MS;
    for (int i = 0; i < WIRE_FAULTS; i++) {
        b->wire.config.p[i] = feed_u8(f) / 2048.0;
    }
    b->truth.n = b->cmd.n = SERVOS;
    for (int j = 0; j < SERVOS; j++) {
        b->robot.joint[j] = (struct joint_spec){.id = j + 1, .sign = 1, .gear = 1, .tau_stall = 1};
        b->wire.device[j] = d;
        b->wire.device_state[j] = b->servo[j];
        k->init(b, d, j, f);
    }
}

static inline void servo_tell(struct servo_bench *b, const struct servo_kind *k, struct feed *f)
{
    const uint8_t ids[] = {1, 2, 3, k->broadcast, k->broadcast, 9, 0xFD, 0xFF};
    uint8_t params[255], tx[512];
    const uint8_t id = ids[feed_u8(f) % sizeof ids];
    const uint8_t instruction = k->instructions[feed_u8(f) % k->n_instructions];
    const size_t n = feed_bytes(f, params, feed_u8(f) % (k->params_max + 1));
    const int made = k->build(id, instruction, params, n, tx, sizeof tx);
    (void)wire_host_tx(&b->wire, tx, (size_t)made, b->now_ns, b->baud);
}

static inline void servo_shout(struct servo_bench *b, struct feed *f)
{
    uint8_t tx[255];
    const size_t n = feed_bytes(f, tx, feed_u8(f));
    if (n > 0) {
        (void)wire_host_tx(&b->wire, tx, n, b->now_ns, b->baud);
    }
}

static inline void servo_wait(struct servo_bench *b, int64_t ns)
{
    uint8_t rx[WIRE_BYTES];
    b->now_ns += ns;
    wire_advance(&b->wire, b->now_ns);
    basal_assert(wire_host_rx(&b->wire, b->now_ns, rx, sizeof rx) <= (int)sizeof rx);
    for (int j = 0; j < SERVOS; j++) {
        b->wire.device[j]->step(b->servo[j], b->now_ns, &b->truth, &b->cmd);
        basal_assert(isfinite(b->cmd.q[j]) && isfinite(b->cmd.qd[j]) && isfinite(b->cmd.tau[j]) &&
                     isfinite(b->cmd.tau_max[j]) && b->cmd.tau_max[j] >= 0.0);
    }
}

/* The body of a fuzzer. */
static inline int servo_fuzz(const struct servo_kind *kind, const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    struct servo_bench b;
    servo_open(&b, kind, &f);
    for (int k = 0; feed_more(&f) && k < 200; k++) {
        switch (feed_u8(&f) % 5) {
        case 0:
        case 1:
            servo_tell(&b, kind, &f);
            break;
        case 2:
            servo_shout(&b, &f);
            break;
        case 3:
            b.truth.q[feed_u8(&f) % SERVOS] = (int8_t)feed_u8(&f);
            if (kind->feels_load) {
                b.truth.tau[feed_u8(&f) % SERVOS] = (int8_t)feed_u8(&f) / 64.0;
            }
            b.baud = feed_u8(&f) % 8 == 0 ? kind->other_baud : 1000000;
            break;
        default:
            break;
        }
        servo_wait(&b, (int64_t)feed_u8(&f) * NS_PER_MS / 4);
    }
    for (int j = 0; j < SERVOS; j++) {
        kind->check(b.servo[j]);
    }
    return 0;
}
