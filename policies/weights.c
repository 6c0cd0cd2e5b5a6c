#include "policies/weights.h"

#include "daemon/base/hash.h"
#include "daemon/base/types.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MAGIC UINT32_C(0x574c5342) /* "BSLW" */
#define CODEC 1u

/* The fixed part, as it lies in the block; every field is aligned, so there is no padding. */
struct head {
    uint32_t magic, codec;
    uint64_t run_id;
    uint32_t version, flags;
    uint64_t robot_hash;
    double policy_rate_hz;
    uint32_t n_obs, n_act, n_weights, net;
    char algo[16];
    int64_t step;
};

_Static_assert(sizeof(struct head) == 80, "the block's layout is part of the wire");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the block is little-endian");

size_t weights_bytes(int n_obs, int n_weights)
{
    return sizeof(struct head) + (2 * (size_t)n_obs + (size_t)n_weights) * sizeof(float) +
           sizeof(uint32_t);
}

int64_t weights_encode(const struct weights_id *id, const float *mean, const float *scale,
                       const float *w, int n, uint8_t *ret_block, size_t cap)
{
    const size_t bytes = weights_bytes(id->n_obs, n), per_obs = (size_t)id->n_obs * sizeof(float);
    if (bytes > cap) {
        return -ENOSPC;
    }
    struct head h = {.magic = MAGIC,
                     .codec = CODEC,
                     .run_id = id->run_id,
                     .version = id->version,
                     .robot_hash = id->robot_hash,
                     .policy_rate_hz = id->policy_rate_hz,
                     .n_obs = (uint32_t)id->n_obs,
                     .n_act = (uint32_t)id->n_act,
                     .n_weights = (uint32_t)n,
                     .net = id->net,
                     .step = id->step};
    memcpy(h.algo, id->algo, sizeof h.algo);
    uint8_t *at = ret_block;
    memcpy(at, &h, sizeof h);
    at += sizeof h;
    memcpy(at, mean, per_obs);
    memcpy(at + per_obs, scale, per_obs);
    memcpy(at + 2 * per_obs, w, (size_t)n * sizeof(float));
    const uint32_t crc = hash_crc32c(0, ret_block, bytes - sizeof crc);
    memcpy(ret_block + bytes - sizeof crc, &crc, sizeof crc);
    return (int64_t)bytes;
}

static bool all_finite(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, bytes + i * sizeof x, sizeof x);
        if (!isfinite(x)) {
            return false;
        }
    }
    return true;
}

int weights_decode(const uint8_t *block, size_t n, struct weights_view *ret_view, char *ret_why,
                   int cap)
{
    struct head h;
    uint32_t crc;
    if (n < weights_bytes(0, 0)) {
        return why(ret_why, cap, -EBADMSG, "weights: %zu bytes are too few", n);
    }
    memcpy(&h, block, sizeof h);
    if (h.magic != MAGIC) {
        return why(ret_why, cap, -EBADMSG, "weights: this is no weights block");
    }
    if (h.codec != CODEC) {
        return why(ret_why, cap, -EPROTO, "weights: codec %u, this program reads %u", h.codec,
                   CODEC);
    }
    if (h.n_obs > OBS_MAX || h.n_act < 1 || h.n_act > ACT_MAX || h.n_weights < 1 ||
        h.n_weights > WEIGHTS_MAX || n != weights_bytes((int)h.n_obs, (int)h.n_weights)) {
        return why(ret_why, cap, -EBADMSG, "weights: the counts do not fit %zu bytes", n);
    }
    memcpy(&crc, block + n - sizeof crc, sizeof crc);
    if (crc != hash_crc32c(0, block, n - sizeof crc)) {
        return why(ret_why, cap, -EBADMSG, "weights: the checksum is wrong");
    }
    const uint8_t *numbers = block + sizeof h;
    if (!all_finite(numbers, 2 * (size_t)h.n_obs + h.n_weights) || !isfinite(h.policy_rate_hz)) {
        return why(ret_why, cap, -EDOM, "weights: a number is not finite");
    }
    if (memchr(h.algo, '\0', sizeof h.algo) == NULL) {
        return why(ret_why, cap, -EBADMSG, "weights: the algorithm's name has no end");
    }
    *ret_view = (struct weights_view){
        .id = {.run_id = h.run_id,
               .version = h.version,
               .robot_hash = h.robot_hash,
               .policy_rate_hz = h.policy_rate_hz,
               .n_obs = (int)h.n_obs,
               .n_act = (int)h.n_act,
               .net = h.net,
               .step = h.step},
        .n = (int)h.n_weights,
        .mean = numbers,
        .scale = numbers + h.n_obs * sizeof(float),
        .w = numbers + 2 * (size_t)h.n_obs * sizeof(float),
    };
    memcpy(ret_view->id.algo, h.algo, sizeof h.algo);
    return 0;
}

int weights_accept(const struct weights_id *id, const struct weights_id *want, uint32_t have,
                   char *ret_why, int cap)
{
    if (strcmp(id->algo, want->algo) != 0) {
        return why(ret_why, cap, -EPROTO, "weights are of %s, this robot runs %s", id->algo,
                   want->algo);
    }
    if (id->robot_hash != want->robot_hash) {
        return why(ret_why, cap, -EPROTO,
                   "weights belong to another robot, or its joints or slots were changed");
    }
    if (id->n_obs != want->n_obs || id->n_act != want->n_act) {
        return why(ret_why, cap, -EPROTO, "weights see %d and do %d numbers, this robot %d and %d",
                   id->n_obs, id->n_act, want->n_obs, want->n_act);
    }
    if (id->policy_rate_hz != want->policy_rate_hz) {
        return why(ret_why, cap, -EPROTO, "weights were trained at %g Hz, this robot runs at %g Hz",
                   id->policy_rate_hz, want->policy_rate_hz);
    }
    if (id->net != want->net && id->net != 0) {
        return why(ret_why, cap, -EPROTO,
                   "weights are of another network: net_arch, activation_fn or layer_norm_actor of "
                   "the two robot files differ");
    }
    if (id->run_id != want->run_id) {
        return why(ret_why, cap, -EPROTO, "weights come from another run");
    }
    if (id->version <= have) {
        return why(ret_why, cap, -ESTALE, "weights are version %u, version %u is here", id->version,
                   have);
    }
    return 0;
}
