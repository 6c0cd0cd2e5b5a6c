/* The packets that an emulated servo puts on the line: statuses, stuffed, and its block of a fast
 * read, which is not. */
#include "sim/firmware/dynamixel_inside.h"

#include <string.h>

/* From the last bit in to the first bit out, beside the return delay. */
#define TURNAROUND_NS INT64_C(20000)

/* Polynomial 0x8005, by the bit. */
uint16_t servo_crc(uint16_t crc, const uint8_t *p, size_t n)
{
    while (n-- > 0) {
        uint16_t bit = 0x80;
        const uint8_t byte = *p++;
        while (bit != 0) {
            const bool out = ((crc & 0x8000) != 0) != ((byte & bit) != 0);
            crc = (uint16_t)(crc << 1);
            if (out) {
                crc ^= 0x8005;
            }
            bit >>= 1;
        }
    }
    return crc;
}

static uint8_t alert(const struct servo *z)
{
    return z->regs[DXL_HARDWARE_ERROR] != 0 ? DXL_ALERT : 0;
}

static size_t put_crc(uint8_t *packet, size_t at)
{
    const uint16_t crc = servo_crc(0, packet, at);
    packet[at++] = (uint8_t)crc;
    packet[at++] = (uint8_t)(crc >> 8);
    return at;
}

int64_t servo_answer_ns(const struct servo *z, int64_t t_ns)
{
    return t_ns + TURNAROUND_NS + servo_get(z, DXL_RETURN_DELAY) * DXL_RETURN_DELAY_US * 1000;
}

void servo_answer(struct servo *z, uint8_t error, const uint8_t *params, size_t n, int64_t t_ns)
{
    uint8_t *p = z->tx;
    const uint8_t head[] = {
        0xFF, 0xFF, 0xFD, 0x00, z->regs[DXL_ID], 0, 0, DXL_STATUS, (uint8_t)(error | alert(z))};
    memcpy(p, head, sizeof head);
    size_t at = sizeof head;
    int run = 0; /* how much of FF FF FD has just been sent */
    for (size_t i = 0; i < n; i++) {
        p[at++] = params[i];
        run =
            params[i] == 0xFF ? (run >= 2 ? 2 : run + 1) : (params[i] == 0xFD && run == 2 ? 3 : 0);
        if (run == 3) {
            p[at++] = 0xFD;
            run = 0;
        }
    }
    const size_t len = at - 7 + 2;
    p[5] = (uint8_t)len;
    p[6] = (uint8_t)(len >> 8);
    z->n_tx = put_crc(p, at);
    z->due_ns = servo_answer_ns(z, t_ns);
}

bool servo_may_answer(const struct servo *z, uint8_t instruction)
{
    const int64_t level = servo_get(z, DXL_STATUS_LEVEL);
    const bool reads = instruction == DXL_READ || instruction == DXL_SYNC_READ ||
                       instruction == DXL_FAST_SYNC_READ || instruction == DXL_BULK_READ ||
                       instruction == DXL_FAST_BULK_READ;
    return instruction == DXL_PING || level == 2 || (level == 1 && reads);
}

/* Each block ends with the CRC over everything so far, which is why everyone listens. */
void servo_make_fast(struct servo *z)
{
    const struct fast_read *f = &z->fast;
    uint8_t *packet = z->rx;
    size_t at = f->before;
    const size_t from = f->before == 8 ? 0 : at;
    if (from == 0) {
        const uint8_t head[] = {
            0xFF,      0xFF, 0xFD, 0x00, DXL_BROADCAST, (uint8_t)f->data, (uint8_t)(f->data >> 8),
            DXL_STATUS};
        memcpy(packet, head, sizeof head);
    }
    uint8_t *block = packet + at;
    memset(block, 0, 2u + f->n);
    block[0] = alert(z) | servo_read(z, f->addr, f->n, block + 2);
    block[1] = z->regs[DXL_ID];
    at = put_crc(packet, at + 2u + f->n);
    z->n_tx = at - from;
    memcpy(z->tx, packet + from, z->n_tx);
    z->n_rx = 0;
    z->fast.on = false;
}
