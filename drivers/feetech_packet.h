/*
 * Feetech packets, pure: build one, find the next one in a stream.
 *
 *   FF FF ID LEN INST params.. SUM
 *   status:      ERR  params.. SUM
 *
 * LEN = params + 2. SUM = not (ID + LEN + INST + params), its low 8 bits. Nothing is stuffed: a
 * header may stand inside data. Nothing but the id's turn tells a status from an instruction.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEETECH_HEADER     4 /* bytes before INST or ERR */
#define FEETECH_PARAMS_MAX 248

struct feetech_packet {
    uint8_t id;
    uint8_t code; /* INST or ERR */
    size_t n_params;
    uint8_t params[FEETECH_PARAMS_MAX];
};

/* Over ID..params. */
uint8_t feetech_sum(const uint8_t *bytes, size_t n) BASAL_RT;

/* Returns the packet's length, or -ENOSPC. */
int feetech_build(uint8_t id, uint8_t code, const uint8_t *params, size_t n, uint8_t *ret_tx,
                  size_t cap) BASAL_RT;

/*
 * Look at the front of bytes. Returns the length of a whole good packet; 0: more bytes are needed;
 * -EBADMSG: no packet starts here, or it is damaged: drop one byte and look again.
 */
int feetech_parse(const uint8_t *bytes, size_t n, struct feetech_packet *ret_packet) BASAL_RT;

/* Could a status start here, as far as can be seen? An instruction to all is none. */
bool feetech_starts_status(const uint8_t *bytes, size_t n) BASAL_RT;

void feetech_put16(uint8_t *ret_bytes, uint32_t v) BASAL_RT;
uint16_t feetech_get16(const uint8_t *bytes) BASAL_RT;

/* Sign and magnitude, the sign in bit `sign`; what is too large is the largest. */
uint16_t feetech_encode(int32_t v, int sign) BASAL_RT;
int32_t feetech_decode(uint16_t raw, int sign) BASAL_RT;
