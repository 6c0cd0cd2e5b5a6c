/* Dynamixel's driver on anything that a bus may bring (serial_driver.h), and on fast packets. */
#include "drivers/dynamixel.h"

#include "tests/fuzz/serial_driver.h"

static void open_joint(struct driver_desk *d, int j, struct feed *f)
{
    static const uint16_t models[] = {DXL_XL430_W250, DXL_XL330_M288, DXL_XM430_W350, 7};
    d->bus.id[j] = (struct identity){
        .model = models[feed_u8(f) % 4], .firmware = 36 + feed_u8(f) % 12, .known = true};
}

static size_t status(uint8_t id, uint8_t error, const uint8_t *data, size_t n, uint8_t *ret_rx,
                     size_t cap)
{
    uint8_t params[64] = {error};
    memcpy(params + 1, data, n);
    return (size_t)dxl_build(id, DXL_STATUS, params, 1 + n, ret_rx, cap);
}

/* Sometimes a fast packet whose checksums are right, of any devices. */
static size_t fast(struct feed *f, uint8_t *ret_rx)
{
    const size_t len = 1 + JOINTS * (DXL_STATE_BYTES + 4u);
    const uint8_t head[] = {0xFF, 0xFF, 0xFD, 0, DXL_BROADCAST, (uint8_t)len, 0, DXL_STATUS};
    if (feed_u8(f) % 4 != 0) {
        return 0;
    }
    memcpy(ret_rx, head, sizeof head);
    size_t at = sizeof head;
    for (int k = 0; k < JOINTS; k++) {
        memset(ret_rx + at, 0, DXL_STATE_BYTES + 2);
        ret_rx[at + 1] = 1 + feed_u8(f) % 4;
        (void)feed_bytes(f, ret_rx + at + 2, DXL_STATE_BYTES);
        at += DXL_STATE_BYTES + 2;
        dxl_put16(ret_rx + at, dxl_crc(0, ret_rx, at));
        at += 2;
    }
    return at - feed_u8(f) % 24;
}

static bool is_whole(const uint8_t *tx, size_t n)
{
    struct dxl_packet p;
    return dxl_parse(tx, n, &p) == (int)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t sizes[] = {0, 1, 2, 3, 4, 7, DXL_STATE_BYTES, 20};
    static const struct driver_kind kind = {.driver = "dynamixel",
                                            .sizes = sizes,
                                            .n_sizes = sizeof sizes,
                                            .open_joint = open_joint,
                                            .status = status,
                                            .first = fast,
                                            .is_whole = is_whole};
    return driver_fuzz(&kind, data, n);
}
