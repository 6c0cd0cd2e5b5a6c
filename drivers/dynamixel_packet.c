#include "drivers/dynamixel_packet.h"

#include "drivers/dynamixel_regs.h"

#include <errno.h>
#include <string.h>

#define LEN_MAX (DXL_PARAMS_MAX + 64)

uint16_t dxl_crc(uint16_t crc, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc = (uint16_t)(crc ^ bytes[i] << 8);
        for (int k = 0; k < 8; k++) {
            crc = (uint16_t)((crc & 0x8000) != 0 ? crc << 1 ^ 0x8005 : crc << 1);
        }
    }
    return crc;
}

void dxl_put16(uint8_t *ret_bytes, uint32_t v)
{
    ret_bytes[0] = (uint8_t)v;
    ret_bytes[1] = (uint8_t)(v >> 8);
}

void dxl_put32(uint8_t *ret_bytes, uint32_t v)
{
    dxl_put16(ret_bytes, v);
    dxl_put16(ret_bytes + 2, v >> 16);
}

uint16_t dxl_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t dxl_get32(const uint8_t *bytes)
{
    return dxl_get16(bytes) | (uint32_t)dxl_get16(bytes + 2) << 16;
}

int dxl_build(uint8_t id, uint8_t instruction, const uint8_t *params, size_t n, uint8_t *ret_tx,
              size_t cap)
{
    static const uint8_t header[4] = {0xFF, 0xFF, 0xFD, 0x00};
    if (cap < DXL_HEADER + 1 + n + n / 3 + 2) {
        return -ENOSPC;
    }
    memcpy(ret_tx, header, sizeof header);
    ret_tx[4] = id;
    ret_tx[7] = instruction;
    size_t at = 8;
    for (size_t i = 0; i < n; i++) {
        ret_tx[at++] = params[i];
        if (at >= 10 && ret_tx[at - 3] == 0xFF && ret_tx[at - 2] == 0xFF &&
            ret_tx[at - 1] == 0xFD) {
            ret_tx[at++] = 0xFD;
        }
    }
    dxl_put16(ret_tx + 5, (uint32_t)(at + 2 - DXL_HEADER));
    dxl_put16(ret_tx + at, dxl_crc(0, ret_tx, at));
    return (int)at + 2;
}

/* Is this the start of a header, as far as it can be seen? */
static bool header_starts(const uint8_t *b, size_t n)
{
    static const uint8_t header[3] = {0xFF, 0xFF, 0xFD};
    for (size_t i = 0; i < n && i < 3; i++) {
        if (b[i] != header[i]) {
            return false;
        }
    }
    return (n < 4 || b[3] == 0x00) && (n < 5 || b[4] <= DXL_ID_MAX || b[4] == DXL_BROADCAST);
}

bool dxl_has_header(const uint8_t *bytes, size_t n)
{
    return n > DXL_HEADER && header_starts(bytes, n);
}

/* INST..params without the stuffing, into params. */
static bool unstuff(const uint8_t *b, size_t n, struct dxl_packet *ret_packet)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (out == DXL_PARAMS_MAX) {
            return false;
        }
        ret_packet->params[out++] = b[i];
        const bool mark = i >= 2 && b[i] == 0xFD && b[i - 1] == 0xFF && b[i - 2] == 0xFF;
        if (mark && i + 1 < n && b[i + 1] == 0xFD) {
            i++;
        }
    }
    ret_packet->n_params = out;
    return true;
}

int dxl_parse(const uint8_t *bytes, size_t n, struct dxl_packet *ret_packet)
{
    if (!header_starts(bytes, n)) {
        return -EBADMSG;
    }
    if (n < DXL_HEADER + 1) {
        return 0;
    }
    const size_t len = dxl_get16(bytes + 5), total = len + DXL_HEADER;
    const bool status = bytes[7] == DXL_STATUS;
    if (len < (status ? 4u : 3u) || len > LEN_MAX) {
        return -EBADMSG;
    }
    if (n < total) {
        return 0;
    }
    if (dxl_get16(bytes + total - 2) != dxl_crc(0, bytes, total - 2)) {
        return -EBADMSG;
    }
    ret_packet->id = bytes[4];
    ret_packet->instruction = bytes[7];
    ret_packet->error = 0;
    const bool fast = status && bytes[4] == DXL_BROADCAST;
    const uint8_t *body = bytes + 8;
    size_t n_body = total - 2 - 8;
    if (fast) {
        if (n_body > DXL_PARAMS_MAX) {
            return -EBADMSG;
        }
        memcpy(ret_packet->params, body, n_body);
        ret_packet->n_params = n_body;
        return (int)total;
    }
    if (!unstuff(body, n_body, ret_packet)) {
        return -EBADMSG;
    }
    if (status) {
        ret_packet->error = ret_packet->params[0];
        ret_packet->n_params--;
        memmove(ret_packet->params, ret_packet->params + 1, ret_packet->n_params);
    }
    return (int)total;
}
