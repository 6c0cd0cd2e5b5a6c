/* Feetech's driver on anything that a bus may bring (serial_driver.h). */
#include "drivers/feetech.h"

#include "tests/fuzz/serial_driver.h"

static void open_bus(struct driver_desk *d, struct feed *f)
{
    d->robot.bus[0].accept_no_device_watchdog = feed_u8(f) % 4 != 0;
}

static void open_joint(struct driver_desk *d, int j, struct feed *f)
{
    static const uint16_t models[] = {FEETECH_STS3215, FEETECH_STS3250, 7, 0};
    struct feetech_config *c = (void *)d->config[j];
    *c = (struct feetech_config){.position_p = feed_u8(f) % 2 * 16,
                                 .offset_counts = feed_u8(f) % 2 == 0 ? -100 : 2048,
                                 .profile_velocity_frac = 1.25};
    d->robot.joint[j].driver = c;
    d->bus.id[j] = (struct identity){.model = models[feed_u8(f) % 4], .known = true};
}

static size_t status(uint8_t id, uint8_t error, const uint8_t *data, size_t n, uint8_t *ret_rx,
                     size_t cap)
{
    return (size_t)feetech_build(id, error, data, n, ret_rx, cap);
}

static bool is_whole(const uint8_t *tx, size_t n)
{
    struct feetech_packet p;
    return feetech_parse(tx, n, &p) == (int)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t sizes[] = {0, 1, 2, 5, FEETECH_SLOW_BYTES, FEETECH_STATE_BYTES, 20};
    static const struct driver_kind kind = {.driver = "feetech",
                                            .sizes = sizes,
                                            .n_sizes = sizeof sizes,
                                            .open_bus = open_bus,
                                            .open_joint = open_joint,
                                            .status = status,
                                            .is_whole = is_whole};
    return driver_fuzz(&kind, data, n);
}
