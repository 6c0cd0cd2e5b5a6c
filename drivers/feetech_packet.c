#include "drivers/feetech_packet.h"

#include "drivers/feetech_regs.h"

#include <errno.h>
#include <string.h>

uint8_t feetech_sum(const uint8_t *bytes, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)~sum;
}

void feetech_put16(uint8_t *ret_bytes, uint32_t v)
{
    ret_bytes[0] = (uint8_t)v;
    ret_bytes[1] = (uint8_t)(v >> 8);
}

uint16_t feetech_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint16_t feetech_encode(int32_t v, int sign)
{
    const int32_t most = (1 << sign) - 1;
    const int32_t magnitude = v < -most || v > most ? most : v < 0 ? -v : v;
    return (uint16_t)(magnitude | (v < 0 ? 1 << sign : 0));
}

int32_t feetech_decode(uint16_t raw, int sign)
{
    const int32_t magnitude = raw & ((1 << sign) - 1);
    return (raw >> sign & 1) != 0 ? -magnitude : magnitude;
}

int feetech_build(uint8_t id, uint8_t code, const uint8_t *params, size_t n, uint8_t *ret_tx,
                  size_t cap)
{
    const size_t total = FEETECH_HEADER + 1 + n + 1;
    if (n > FEETECH_PARAMS_MAX || cap < total) {
        return -ENOSPC;
    }
    ret_tx[0] = ret_tx[1] = 0xFF;
    ret_tx[2] = id;
    ret_tx[3] = (uint8_t)(n + 2);
    ret_tx[4] = code;
    if (n > 0) {
        memcpy(ret_tx + 5, params, n);
    }
    ret_tx[total - 1] = feetech_sum(ret_tx + 2, total - 3);
    return (int)total;
}

/* Is this the start of a packet, as far as it can be seen? */
static bool starts(const uint8_t *b, size_t n)
{
    return (n < 1 || b[0] == 0xFF) && (n < 2 || b[1] == 0xFF) &&
           (n < 3 || b[2] <= FEETECH_ID_MAX || b[2] == FEETECH_BROADCAST) &&
           (n < 4 || (b[3] >= 2 && b[3] <= FEETECH_LEN_MAX));
}

bool feetech_starts_status(const uint8_t *bytes, size_t n)
{
    return starts(bytes, n) && (n < 3 || bytes[2] != FEETECH_BROADCAST) &&
           (n < 5 || bytes[4] <= FEETECH_ERR_MAX);
}

int feetech_parse(const uint8_t *bytes, size_t n, struct feetech_packet *ret_packet)
{
    if (!starts(bytes, n)) {
        return -EBADMSG;
    }
    if (n < FEETECH_HEADER) {
        return 0;
    }
    const size_t total = (size_t)bytes[3] + FEETECH_HEADER;
    if (n < total) {
        return 0;
    }
    if (bytes[total - 1] != feetech_sum(bytes + 2, total - 3)) {
        return -EBADMSG;
    }
    ret_packet->id = bytes[2];
    ret_packet->code = bytes[4];
    ret_packet->n_params = total - FEETECH_HEADER - 2;
    memcpy(ret_packet->params, bytes + 5, ret_packet->n_params);
    return (int)total;
}
