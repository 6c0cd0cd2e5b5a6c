/*
 * One block of weights, as it travels: header, normaliser, floats, checksum. Checked before it is
 * used: length, magic, run id, version, robot hash, dims, rate, checksum, finite.
 *
 *   magic u32 "BSLW" | codec u32 = 1 | run_id u64 | version u32 | flags u32 | robot_hash u64 |
 * policy_rate_hz f64 n_obs u32 | n_act u32 | n_weights u32 | net u32 | algo char[16] | step
 * i64 | mean f32[n_obs] | scale f32[n_obs] | weights f32[n_weights] | crc32c u32 over all before
 *
 * Little-endian. net names what the networks are made of (policy.net); 0 was written before it did,
 * and fits any. mean and scale: observed = (x - mean) x scale, clipped to +-10; all 0 and 1 when
 * not normalised.
 */
#pragma once

#include "daemon/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define WEIGHTS_MAX (1 << 22) /* floats */

struct weights_id {
    uint64_t run_id;
    uint32_t version;
    uint64_t robot_hash;
    double policy_rate_hz;
    int n_obs, n_act;
    uint32_t net; /* policy.net; 0: not said */
    char algo[16];
    int64_t step; /* policy steps when they were made */
};

size_t weights_bytes(int n_obs, int n_weights);

/* Returns bytes written, or -ENOSPC. */
int64_t weights_encode(const struct weights_id *id, const float *mean, const float *scale,
                       const float *w, int n, uint8_t *ret_block, size_t cap) BASAL_MUST_USE;

struct weights_view {
    struct weights_id id;
    int n;
    const uint8_t *mean, *scale, *w; /* little-endian floats in the block, maybe unaligned */
};

/*
 * Errors: -EBADMSG (length, magic, checksum), -EPROTO (codec), -EDOM (a number is not finite), and
 * one sentence.
 */
int weights_decode(const uint8_t *block, size_t n, struct weights_view *ret_view, char *ret_why,
                   int cap) BASAL_MUST_USE;

/* Are these for me? -EPROTO and one sentence: other robot, dims, rate or algorithm; -ESTALE: not
 * newer than have. */
int weights_accept(const struct weights_id *id, const struct weights_id *want, uint32_t have,
                   char *ret_why, int cap) BASAL_MUST_USE;
