/*
 * Protocol 2.0 packets, pure: build one, find the next one in a stream.
 *
 *   FF FF FD 00 ID LEN_L LEN_H INST params.. CRC_L CRC_H
 *   status:                    55   ERR params.. CRC_L CRC_H
 *
 * LEN = bytes after LEN_H, stuffing included.
 *
 * In INST..params every FF FF FD gets an FD appended; fast status packets are not stuffed.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DXL_PARAMS_MAX 768 /* a fast reply of 32 joints with 16 bytes each has 640 */
#define DXL_HEADER     7   /* bytes before INST */

struct dxl_packet {
    uint8_t id, instruction, error; /* error: status packets */
    size_t n_params;
    uint8_t params[DXL_PARAMS_MAX]; /* stuffing removed */
};

/* CRC-16, polynomial 0x8005, start 0; over "123456789": 0xFEE8. crc: 0 or the result of the part
 * before. */
uint16_t dxl_crc(uint16_t crc, const uint8_t *bytes, size_t n) BASAL_RT;

/* Returns the packet's length, or -ENOSPC. */
int dxl_build(uint8_t id, uint8_t instruction, const uint8_t *params, size_t n, uint8_t *ret_tx,
              size_t cap) BASAL_RT;

/* Does a whole header start here, up to and with INST? LEN may be anything. */
bool dxl_has_header(const uint8_t *bytes, size_t n) BASAL_RT;

/*
 * Look at the front of bytes. Returns the length of a whole good packet; 0: more bytes are needed;
 * -EBADMSG: no packet starts here, or it is damaged: drop one byte and look again.
 */
int dxl_parse(const uint8_t *bytes, size_t n, struct dxl_packet *ret_packet) BASAL_RT;

void dxl_put16(uint8_t *ret_bytes, uint32_t v) BASAL_RT;
void dxl_put32(uint8_t *ret_bytes, uint32_t v) BASAL_RT;
uint16_t dxl_get16(const uint8_t *bytes) BASAL_RT;
uint32_t dxl_get32(const uint8_t *bytes) BASAL_RT;
