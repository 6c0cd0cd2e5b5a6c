/*
 * The block in which weights travel: what is written comes back, what is damaged, foreign, stale or
 * not finite is refused with its code and a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "daemon/base/types.h"
#include "policies/weights.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_OBS 3
#define N_W   5

static const struct weights_id id = {.run_id = 0x1122334455667788,
                                     .version = 7,
                                     .robot_hash = 0x99aabbccddeeff00,
                                     .policy_rate_hz = 20.0,
                                     .n_obs = N_OBS,
                                     .n_act = 2,
                                     .net = 0x0badcafe,
                                     .algo = "sac",
                                     .step = 123456};
static const float mean[] = {1.0f, -2.0f, 3.0f}, scale[] = {0.5f, 1.0f, 2.0f};
static const float w[] = {0.1f, -0.2f, 0.3f, -0.4f, 1e-30f};

/* Where things lie: part of the wire. */
enum {
    AT_MAGIC = 0,
    AT_CODEC = 4,
    AT_RATE = 32,
    AT_N_OBS = 40,
    AT_N_ACT = 44,
    AT_N_WEIGHTS = 48,
    AT_ALGO = 56,
    AT_MEAN = 80,
    AT_SCALE = AT_MEAN + 4 * N_OBS,
    AT_W = AT_SCALE + 4 * N_OBS,
    AT_CRC = AT_W + 4 * N_W,
    BYTES = AT_CRC + 4
};

static void make(uint8_t ret_block[BYTES])
{
    assert_int_equal(weights_bytes(N_OBS, N_W), BYTES);
    assert_int_equal(weights_encode(&id, mean, scale, w, N_W, ret_block, BYTES), BYTES);
}

static void check_again(uint8_t *block)
{
    const uint32_t crc = hash_crc32c(0, block, AT_CRC);
    memcpy(block + AT_CRC, &crc, sizeof crc);
}

static void what_was_encoded_comes_back(void **state)
{
    (void)state;
    uint8_t block[BYTES + 1];
    struct weights_view v;
    char reason[WHY_CHARS] = "";
    make(block + 1); /* floats may lie anywhere */
    assert_int_equal(weights_decode(block + 1, BYTES, &v, reason, sizeof reason), 0);
    assert_true(v.id.run_id == id.run_id && v.id.version == 7 && v.id.robot_hash == id.robot_hash);
    assert_true(v.id.policy_rate_hz == 20.0 && v.id.step == 123456);
    assert_int_equal(v.id.n_obs, N_OBS);
    assert_int_equal(v.id.n_act, 2);
    assert_true(v.id.net == id.net);
    assert_string_equal(v.id.algo, "sac");
    assert_int_equal(v.n, N_W);
    assert_memory_equal(v.mean, mean, sizeof mean);
    assert_memory_equal(v.scale, scale, sizeof scale);
    assert_memory_equal(v.w, w, sizeof w);
    assert_int_equal(weights_encode(&id, mean, scale, w, N_W, block, BYTES - 1), -ENOSPC);
}

/* The bytes of a block written down: another program may read them. */
static void the_layout_is_as_written_down(void **state)
{
    (void)state;
    static const uint8_t head[] = {
        'B', 'S', 'L', 'W', 1,    0,    0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        7,   0,   0,   0,   0,    0,    0,    0,    0x00, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99,
        0,   0,   0,   0,   0,    0,    0x34, 0x40, 3,    0,    0,    0,    2,    0,    0,    0,
        5,   0,   0,   0,   0xfe, 0xca, 0xad, 0x0b, 's',  'a',  'c',  0,    0,    0,    0,    0,
        0,   0,   0,   0,   0,    0,    0,    0,    0x40, 0xe2, 1,    0,    0,    0,    0,    0,
    };
    uint8_t block[BYTES];
    make(block);
    assert_int_equal(sizeof head, AT_MEAN);
    assert_memory_equal(block, head, sizeof head);
}

struct damage {
    const char *name;
    int at, n;        /* these bytes ... */
    uint64_t value;   /* ... become this */
    bool check_again; /* under a good checksum */
    int want;
};

#define NAN_BITS      0x7fc00000u
#define INFINITY_BITS 0xff800000u

static const struct damage damages[] = {
    {"magic", AT_MAGIC, 4, 0x574c5343, true, -EBADMSG},
    {"codec", AT_CODEC, 4, 2, true, -EPROTO},
    {"no observations", AT_N_OBS, 4, 0, true, -EBADMSG},
    {"too many observations", AT_N_OBS, 4, OBS_MAX + 1, true, -EBADMSG},
    {"one observation more", AT_N_OBS, 4, N_OBS + 1, true, -EBADMSG},
    {"no actions", AT_N_ACT, 4, 0, true, -EBADMSG},
    {"too many actions", AT_N_ACT, 4, ACT_MAX + 1, true, -EBADMSG},
    {"no weights", AT_N_WEIGHTS, 4, 0, true, -EBADMSG},
    {"a weight more", AT_N_WEIGHTS, 4, N_W + 1, true, -EBADMSG},
    {"four thousand million weights", AT_N_WEIGHTS, 4, 0xffffffff, true, -EBADMSG},
    {"a name without end", AT_ALGO, 8, 0x7878787878787878, true, -EBADMSG},
    {"a rate that is no number", AT_RATE, 8, 0x7ff8000000000000, true, -EDOM},
    {"a mean that is no number", AT_MEAN, 4, NAN_BITS, true, -EDOM},
    {"an infinite scale", AT_SCALE + 8, 4, INFINITY_BITS, true, -EDOM},
    {"an infinite weight", AT_W + 4 * (N_W - 1), 4, INFINITY_BITS, true, -EDOM},
    {"a flipped bit in the head", AT_RATE, 1, 1, false, -EBADMSG},
    {"a flipped bit in a weight", AT_W, 1, 1, false, -EBADMSG},
    {"a flipped bit in the checksum", AT_CRC, 1, 0, false, -EBADMSG},
};

static void damage_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const struct damage *d = &damages[i];
        uint8_t block[BYTES];
        struct weights_view v = {.n = -1};
        char reason[WHY_CHARS] = "";
        make(block);
        memcpy(block + d->at, &d->value, (size_t)d->n);
        if (d->at == AT_ALGO) {
            memcpy(block + d->at + 8, &d->value, 8);
        }
        if (d->check_again) {
            check_again(block);
        }
        const int rc = weights_decode(block, BYTES, &v, reason, sizeof reason);
        if (rc != d->want || v.n != -1 || strncmp(reason, "weights: ", 9) != 0) {
            fail_msg("%s: %d, \"%s\"", d->name, rc, reason);
        }
    }
}

/* Every single bit: nothing passes the checksum. */
static void no_flipped_bit_passes(void **state)
{
    (void)state;
    uint8_t block[BYTES];
    struct weights_view v;
    make(block);
    for (int bit = 0; bit < BYTES * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(weights_decode(block, BYTES, &v, NULL, 0) < 0);
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(weights_decode(block, BYTES, &v, NULL, 0), 0);
}

static void no_other_length_passes(void **state)
{
    (void)state;
    for (size_t n = 0; n <= BYTES + 8; n++) {
        uint8_t *block = calloc(1, n > 0 ? n : 1); /* exactly n: a sanitizer sees more */
        uint8_t whole[BYTES];
        struct weights_view v;
        make(whole);
        memcpy(block, whole, n < BYTES ? n : BYTES);
        assert_int_equal(weights_decode(block, n, &v, NULL, 0), n == BYTES ? 0 : -EBADMSG);
        free(block);
    }
}

static void weights_of_others_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        struct weights_id change; /* what is not 0 here differs */
        uint32_t have;
        int want;
        const char *says;
    } cases[] = {
        {"the same robot", {0}, 6, 0, ""},
        {"the first", {0}, 0, 0, ""},
        {"the same again", {0}, 7, -ESTALE, "version 7"},
        {"an older version", {0}, 8, -ESTALE, "version 8 is here"},
        {"another algorithm", {.algo = "ddpg"}, 6, -EPROTO, "runs ddpg"},
        {"another robot", {.robot_hash = 1}, 6, -EPROTO, "another robot"},
        {"other observations", {.n_obs = 4}, 6, -EPROTO, "see 3"},
        {"other actions", {.n_act = 1}, 6, -EPROTO, "do 2"},
        {"another rate", {.policy_rate_hz = 50.0}, 6, -EPROTO, "trained at 20 Hz"},
        {"a rate beside it", {.policy_rate_hz = 20.000001}, 6, -EPROTO, "Hz"},
        {"other networks", {.net = 1}, 6, -EPROTO, "another network"},
        {"another run", {.run_id = 2}, 6, -EPROTO, "another run"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weights_id want = id;
        const struct weights_id *c = &cases[i].change;
        char reason[WHY_CHARS] = "";
        if (c->algo[0] != '\0') {
            memcpy(want.algo, c->algo, sizeof want.algo);
        }
        want.robot_hash = c->robot_hash != 0 ? c->robot_hash : want.robot_hash;
        want.n_obs = c->n_obs != 0 ? c->n_obs : want.n_obs;
        want.n_act = c->n_act != 0 ? c->n_act : want.n_act;
        want.net = c->net != 0 ? c->net : want.net;
        want.run_id = c->run_id != 0 ? c->run_id : want.run_id;
        want.policy_rate_hz = c->policy_rate_hz > 0.0 ? c->policy_rate_hz : want.policy_rate_hz;
        want.version = 0; /* what is here is told apart */
        const int rc = weights_accept(&id, &want, cases[i].have, reason, sizeof reason);
        if (rc != cases[i].want || strstr(reason, cases[i].says) == NULL) {
            fail_msg("%s: %d, \"%s\"", cases[i].name, rc, reason);
        }
    }
}

/* Blocks from before it was written say 0; they fit whoever has as many weights. */
static void networks_that_are_not_named_fit(void **state)
{
    (void)state;
    struct weights_id before = id;
    char reason[WHY_CHARS] = "";
    before.net = 0;
    assert_int_equal(weights_accept(&before, &id, 0, reason, sizeof reason), 0);
    assert_int_equal(weights_accept(&id, &before, 0, reason, sizeof reason), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_encoded_comes_back),
        cmocka_unit_test(the_layout_is_as_written_down),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(no_flipped_bit_passes),
        cmocka_unit_test(no_other_length_passes),
        cmocka_unit_test(weights_of_others_are_refused),
        cmocka_unit_test(networks_that_are_not_named_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
