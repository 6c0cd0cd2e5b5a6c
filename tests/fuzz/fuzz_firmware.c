/*
 * Three emulated servos on a wire, told anything: packets with a good checksum, raw bytes, time.
 * Never a crash, never more bytes out than room; every register stays in the range of its table,
 * the model stays what it is, and what the servos command is finite.
 */
#include "sim/firmware/dynamixel_inside.h"

#include "drivers/dynamixel_packet.h"
#include "sim/firmware/wire.h"
#include "tests/fuzz/feed.h"

#include <math.h>

#define SERVOS     3
#define PARAMS_MAX 255

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bench {
    struct robot robot;
    struct servo servo[SERVOS];
    struct wire wire;
    struct sensed truth;
    struct command cmd;
    int64_t now_ns;
    uint32_t baud;
};

static void open_bench(struct bench *b, struct feed *f)
{
    static const uint16_t models[] = {DXL_XL430_W250, DXL_XL330_M288, DXL_XM430_W350, 1};
    const struct device *d = device_find("dynamixel");
    memset(b, 0, sizeof *b);
    b->baud = 1000000;
    b->robot.n_joints = SERVOS;
    b->robot.n_buses = 1;
    b->robot.bus[0].baud = (int)b->baud;
    b->wire.n = SERVOS;
    b->wire.st.baud = b->baud;
    rng_seed(&b->wire.st.rng, feed_u8(f));
    b->wire.config.late_ns = NS_PER_MS;
    for (int k = 0; k < WIRE_FAULTS; k++) {
        b->wire.config.p[k] = feed_u8(f) / 2048.0;
    }
    b->truth.n = b->cmd.n = SERVOS;
    for (int j = 0; j < SERVOS; j++) {
        const struct dxl_device_config c = {.model = models[feed_u8(f) % 4],
                                            .firmware = 36 + feed_u8(f) % 12,
                                            .watchdog = feed_u8(f) % 5,
                                            .noise = 1.0};
        b->robot.joint[j] = (struct joint_spec){.id = j + 1, .sign = 1, .gear = 1, .tau_stall = 1};
        b->wire.device[j] = d;
        b->wire.device_state[j] = &b->servo[j];
        d->init(&c, &b->robot, j, &b->servo[j]);
    }
}

/* An instruction whose checksum is right. */
static void tell(struct bench *b, struct feed *f)
{
    static const uint8_t ids[] = {1, 2, 3, DXL_BROADCAST, DXL_BROADCAST, 9, 0xFD, 0xFF};
    static const uint8_t instructions[] = {
        DXL_PING,          DXL_READ,       DXL_WRITE,          DXL_REG_WRITE,
        DXL_ACTION,        DXL_REBOOT,     DXL_CLEAR,          DXL_BACKUP,
        DXL_FACTORY_RESET, DXL_STATUS,     DXL_SYNC_READ,      DXL_SYNC_WRITE,
        DXL_BULK_READ,     DXL_BULK_WRITE, DXL_FAST_SYNC_READ, DXL_FAST_BULK_READ};
    uint8_t params[PARAMS_MAX], tx[512];
    const uint8_t id = ids[feed_u8(f) % sizeof ids];
    const uint8_t instruction = instructions[feed_u8(f) % sizeof instructions];
    const size_t n = feed_bytes(f, params, feed_u8(f));
    const int made = dxl_build(id, instruction, params, n, tx, sizeof tx);
    (void)wire_host_tx(&b->wire, tx, (size_t)made, b->now_ns, b->baud);
}

static void shout(struct bench *b, struct feed *f)
{
    uint8_t tx[PARAMS_MAX];
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

static void check(const struct servo *z)
{
    basal_assert(servo_get(z, DXL_MODEL) == z->c.model);
    basal_assert(z->n_rx <= RX_BYTES && z->n_tx <= TX_BYTES);
    for (uint16_t addr = 0; addr < DXL_TABLE_END; addr++) {
        const struct table_row *row = table_find(addr);
        const int64_t v = row != NULL ? servo_get(z, addr) : 0;
        basal_assert(row == NULL || !row->writable || (v >= row->min && v <= row->max));
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
            b.baud = feed_u8(&f) % 8 == 0 ? 57600 : 1000000;
            break;
        default:
            break;
        }
        wait(&b, (int64_t)feed_u8(&f) * NS_PER_MS / 4);
    }
    for (int j = 0; j < SERVOS; j++) {
        check(&b.servo[j]);
    }
    return 0;
}
