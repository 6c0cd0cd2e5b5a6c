/*
 * Three emulated STS servos on a wire, told anything: packets with a good sum, raw bytes, time.
 * Never a crash, never more bytes out than room; every register stays in the range of its table,
 * the model stays what it is, and what the servos command is finite.
 */
#include "sim/firmware/feetech_inside.h"

#include "drivers/feetech_packet.h"
#include "sim/firmware/wire.h"
#include "tests/fuzz/feed.h"

#include <math.h>

#define SERVOS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bench {
    struct robot robot;
    struct sts servo[SERVOS];
    struct wire wire;
    struct sensed truth;
    struct command cmd;
    int64_t now_ns;
    uint32_t baud;
};

static void open_bench(struct bench *b, struct feed *f)
{
    const struct device *d = device_find("feetech");
    memset(b, 0, sizeof *b);
    b->baud = 1000000;
    b->robot.n_joints = SERVOS;
    b->robot.n_buses = 1;
    b->robot.bus[0].baud = (int)b->baud;
    b->wire.n = SERVOS;
    b->wire.st.baud = b->baud;
    rng_seed(&b->wire.st.rng, feed_u8(f));
    b->wire.config.late_ns = STS_NS_PER_MS;
    for (int k = 0; k < WIRE_FAULTS; k++) {
        b->wire.config.p[k] = feed_u8(f) / 2048.0;
    }
    b->truth.n = b->cmd.n = SERVOS;
    for (int j = 0; j < SERVOS; j++) {
        const uint8_t bits = feed_u8(f);
        const struct sts_config c = {.model = FEETECH_STS3215,
                                     .firmware = 310,
                                     .gap = bits & 1,
                                     .goal_turns_on = (bits & 2) != 0,
                                     .overload_silences = (bits & 4) != 0,
                                     .overload_at_s = (bits & 8) != 0 ? 0.1 : 0.0,
                                     .noise = 1.0};
        b->robot.joint[j] = (struct joint_spec){.id = j + 1, .sign = 1, .gear = 1, .tau_stall = 1};
        b->wire.device[j] = d;
        b->wire.device_state[j] = &b->servo[j];
        d->init(&c, &b->robot, j, &b->servo[j]);
    }
}

/* An instruction whose sum is right. */
static void tell(struct bench *b, struct feed *f)
{
    static const uint8_t ids[] = {1, 2, 3, FEETECH_BROADCAST, FEETECH_BROADCAST, 9, 0xFD, 0xFF};
    static const uint8_t instructions[] = {
        FEETECH_PING,   FEETECH_READ,      FEETECH_WRITE,     FEETECH_REG_WRITE,
        FEETECH_ACTION, FEETECH_RESTORE,   FEETECH_RESTART,   FEETECH_BACKUP,
        FEETECH_RESET,  FEETECH_CALIBRATE, FEETECH_WRITE,     0,
        0x33,           FEETECH_SYNC_READ, FEETECH_SYNC_WRITE};
    uint8_t params[FEETECH_PARAMS_MAX], tx[256];
    const uint8_t id = ids[feed_u8(f) % sizeof ids];
    const uint8_t instruction = instructions[feed_u8(f) % sizeof instructions];
    const size_t n = feed_bytes(f, params, feed_u8(f) % (sizeof params + 1));
    const int made = feetech_build(id, instruction, params, n, tx, sizeof tx);
    (void)wire_host_tx(&b->wire, tx, (size_t)made, b->now_ns, b->baud);
}

static void shout(struct bench *b, struct feed *f)
{
    uint8_t tx[255];
    const size_t n = feed_bytes(f, tx, feed_u8(f));
    if (n > 0) {
        (void)wire_host_tx(&b->wire, tx, n, b->now_ns, b->baud);
    }
}

static void wait(struct bench *b, int64_t ns)
{
    uint8_t rx[WIRE_BYTES];
    b->now_ns += ns;
    wire_advance(&b->wire, b->now_ns);
    basal_assert(wire_host_rx(&b->wire, b->now_ns, rx, sizeof rx) <= (int)sizeof rx);
    for (int j = 0; j < SERVOS; j++) {
        b->wire.device[j]->step(&b->servo[j], b->now_ns, &b->truth, &b->cmd);
        basal_assert(isfinite(b->cmd.q[j]) && isfinite(b->cmd.qd[j]) && isfinite(b->cmd.tau[j]) &&
                     isfinite(b->cmd.tau_max[j]) && b->cmd.tau_max[j] >= 0.0);
    }
}

static void check(const struct sts *z)
{
    basal_assert(sts_get(z, FEETECH_MODEL) == z->c.model);
    basal_assert(z->n_rx <= STS_RX_BYTES && z->n_tx <= STS_TX_BYTES);
    for (int k = 0; sts_row_at(k) != NULL; k++) {
        const struct sts_row *row = sts_row_at(k);
        const int32_t v = sts_get(z, row->addr);
        basal_assert(!row->writable || (v >= row->min && v <= row->max));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct feed f = {.data = data, .n = n};
    struct bench b;
    open_bench(&b, &f);
    for (int k = 0; feed_more(&f) && k < 200; k++) {
        switch (feed_u8(&f) % 5) {
        case 0:
        case 1:
            tell(&b, &f);
            break;
        case 2:
            shout(&b, &f);
            break;
        case 3:
            b.truth.q[feed_u8(&f) % SERVOS] = (int8_t)feed_u8(&f);
            b.truth.tau[feed_u8(&f) % SERVOS] = (int8_t)feed_u8(&f) / 64.0;
            b.baud = feed_u8(&f) % 8 == 0 ? 500000 : 1000000;
            break;
        default:
            break;
        }
        wait(&b, (int64_t)feed_u8(&f) * STS_NS_PER_MS / 4);
    }
    for (int j = 0; j < SERVOS; j++) {
        check(&b.servo[j]);
    }
    return 0;
}
