/* Emulated Dynamixels (serial_servo.h): every register stays in the range of its table, the model
 * stays what it is. */
#include "sim/firmware/dynamixel_inside.h"

#include "drivers/dynamixel_packet.h"
#include "tests/fuzz/serial_servo.h"

static void init(struct servo_bench *b, const struct device *d, int j, struct feed *f)
{
    static const uint16_t models[] = {DXL_XL430_W250, DXL_XL330_M288, DXL_XM430_W350, 1};
    const struct dxl_device_config c = {.model = models[feed_u8(f) % 4],
                                        .firmware = 36 + feed_u8(f) % 12,
                                        .watchdog = feed_u8(f) % 5,
                                        .noise = 1.0};
    d->init(&c, &b->robot, j, b->servo[j]);
}

static void check(const void *servo)
{
    const struct servo *z = servo;
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
    static const uint8_t instructions[] = {
        DXL_PING,          DXL_READ,       DXL_WRITE,          DXL_REG_WRITE,
        DXL_ACTION,        DXL_REBOOT,     DXL_CLEAR,          DXL_BACKUP,
        DXL_FACTORY_RESET, DXL_STATUS,     DXL_SYNC_READ,      DXL_SYNC_WRITE,
        DXL_BULK_READ,     DXL_BULK_WRITE, DXL_FAST_SYNC_READ, DXL_FAST_BULK_READ};
    static const struct servo_kind kind = {.device = "dynamixel",
                                           .instructions = instructions,
                                           .n_instructions = sizeof instructions,
                                           .params_max = 255,
                                           .other_baud = 57600,
                                           .broadcast = DXL_BROADCAST,
                                           .init = init,
                                           .build = dxl_build,
                                           .check = check};
    return servo_fuzz(&kind, data, n);
}
