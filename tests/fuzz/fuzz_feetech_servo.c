/* Emulated STS servos (serial_servo.h): every register stays in the range of its table, the model
 * stays what it is. */
#include "sim/firmware/feetech_inside.h"

#include "drivers/feetech_packet.h"
#include "tests/fuzz/serial_servo.h"

static void init(struct servo_bench *b, const struct device *d, int j, struct feed *f)
{
    const uint8_t bits = feed_u8(f);
    const struct sts_config c = {.model = FEETECH_STS3215,
                                 .firmware = 310,
                                 .gap = bits & 1,
                                 .goal_turns_on = (bits & 2) != 0,
                                 .overload_silences = (bits & 4) != 0,
                                 .overload_at_s = (bits & 8) != 0 ? 0.1 : 0.0,
                                 .noise = 1.0};
    d->init(&c, &b->robot, j, b->servo[j]);
}

static void check(const void *servo)
{
    const struct sts *z = servo;
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
    static const uint8_t instructions[] = {
        FEETECH_PING,   FEETECH_READ,      FEETECH_WRITE,     FEETECH_REG_WRITE,
        FEETECH_ACTION, FEETECH_RESTORE,   FEETECH_RESTART,   FEETECH_BACKUP,
        FEETECH_RESET,  FEETECH_CALIBRATE, FEETECH_WRITE,     0,
        0x33,           FEETECH_SYNC_READ, FEETECH_SYNC_WRITE};
    static const struct servo_kind kind = {.device = "feetech",
                                           .instructions = instructions,
                                           .n_instructions = sizeof instructions,
                                           .params_max = FEETECH_PARAMS_MAX,
                                           .other_baud = 500000,
                                           .broadcast = FEETECH_BROADCAST,
                                           .feels_load = true,
                                           .init = init,
                                           .build = feetech_build,
                                           .check = check};
    return servo_fuzz(&kind, data, n);
}
