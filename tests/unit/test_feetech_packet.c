/*
 * Feetech packets, byte by byte: the example frames of the maker's manual and of its SDK both ways,
 * and others that its rules make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/feetech_packet.h"
#include "drivers/feetech_regs.h"
#include "tests/unit/hex.h"

#include <errno.h>
#include <string.h>

#define BYTES_MAX 300
#define ALL       FEETECH_BROADCAST
#define STATUS    0

/* clang-format off */
static const struct frame {
    const char *what;
    uint8_t id, code;
    const char *params, *bytes;
} frames[] = {
    {"ping",            1, FEETECH_PING, "", "FF FF 01 02 01 FB"},
    {"pong",            1, STATUS, "", "FF FF 01 02 00 FC"},
    {"read position",   1, FEETECH_READ, "38 02", "FF FF 01 04 02 38 02 BE"},
    {"  1304",          1, STATUS, "18 05", "FF FF 01 04 00 18 05 DD"},
    {"id 1 to all",     ALL, FEETECH_WRITE, "05 01", "FF FF FE 04 03 05 01 F4"},
    {"goal, speed",     1, FEETECH_WRITE, "2A 00 08 00 00 E8 03", "FF FF 01 09 03 2A 00 08 00 00 E8 03 D5"},
    {"  registered",    1, FEETECH_REG_WRITE, "2A 00 08 00 00 E8 03", "FF FF 01 09 04 2A 00 08 00 00 E8 03 D4"},
    {"action",          ALL, FEETECH_ACTION, "", "FF FF FE 02 05 FA"},
    {"sync write of 4", ALL, FEETECH_SYNC_WRITE,
     "2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 00 00 E8 03 04 00 08 00 00 E8 03",
     "FF FF FE 20 83 2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 00 00 E8 03 04 00 08 00 00 E8 03 58"},
    {"sync read of 2",  ALL, FEETECH_SYNC_READ, "38 08 01 02", "FF FF FE 06 82 38 08 01 02 36"},
    {"  12.1 V, 30 C",  1, STATUS, "00 08 00 00 00 00 79 1E", "FF FF 01 0A 00 00 08 00 00 00 00 79 1E 55"},
    {"  11.9 V, 35 C",  2, STATUS, "FF 07 00 00 00 00 77 23", "FF FF 02 0A 00 FF 07 00 00 00 00 77 23 53"},
    {"reset",           1, FEETECH_RESET, "", "FF FF 01 02 0A F2"},
    {"calibrate",       1, FEETECH_CALIBRATE, "", "FF FF 01 02 0B F1"},
    {"calibrate 1024",  1, FEETECH_CALIBRATE, "00 04", "FF FF 01 04 0B 00 04 EB"},
    {"restore",         1, FEETECH_RESTORE, "", "FF FF 01 02 06 F6"},
    {"torque on",       1, FEETECH_WRITE, "28 01", "FF FF 01 04 03 28 01 CE"},
    {"unlock",          1, FEETECH_WRITE, "37 00", "FF FF 01 04 03 37 00 C0"},
    {"offset -100",     1, FEETECH_WRITE, "1F 64 08", "FF FF 01 05 03 1F 64 08 6B"},
    {"goal -100",       3, FEETECH_WRITE, "2A 64 80", "FF FF 03 05 03 2A 64 80 E6"},
    {"speed -500",      7, FEETECH_WRITE, "2E F4 81", "FF FF 07 05 03 2E F4 81 4D"},
    {"PWM -300",        1, FEETECH_WRITE, "2C 2C 05", "FF FF 01 05 03 2C 2C 05 99"},
    {"acc, goal, speed", 1, FEETECH_WRITE, "29 32 00 08 00 00 DC 05", "FF FF 01 0A 03 29 32 00 08 00 00 DC 05 AD"},
    {"sync read of 6",  ALL, FEETECH_SYNC_READ, "38 0F 01 02 03 04 05 06", "FF FF FE 0A 82 38 0F 01 02 03 04 05 06 19"},
    {"  state",         1, STATUS, "00 08 14 80 32 04 78 1F 00 00 01 34 08 0C 80",
     "FF FF 01 11 00 00 08 14 80 32 04 78 1F 00 00 01 34 08 0C 80 BB"},
    {"sync write of 6", ALL, FEETECH_SYNC_WRITE, "2A 02 01 01 08 02 02 08 03 03 08 04 04 08 05 05 08 06 06 08",
     "FF FF FE 16 83 2A 02 01 01 08 02 02 08 03 03 08 04 04 08 05 05 08 06 06 08 E2"},
    {"  overloaded",    1, FEETECH_ERR_OVERLOAD, "", "FF FF 01 02 20 DC"},
};

static const struct {
    int32_t v;
    int sign;
    uint16_t raw;
} signed_words[] = {
    {-100, FEETECH_OFFSET_SIGN, 0x0864}, {100, FEETECH_OFFSET_SIGN, 0x0064}, {-100, FEETECH_POSITION_SIGN, 0x8064},
    {-500, FEETECH_SPEED_SIGN, 0x81F4},  {-300, FEETECH_PWM_SIGN, 0x052C},   {-20, FEETECH_SPEED_SIGN, 0x8014},
    {-50, FEETECH_LOAD_SIGN, 0x0432},    {-12, FEETECH_CURRENT_SIGN, 0x800C}, {2047, FEETECH_OFFSET_SIGN, 0x07FF},
    {-2047, FEETECH_OFFSET_SIGN, 0x0FFF}, {0, FEETECH_POSITION_SIGN, 0},
};

/* clang-format on */

#define FRAMES (sizeof frames / sizeof frames[0])

static void frames_encode_as_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t want[BYTES_MAX], params[BYTES_MAX], tx[BYTES_MAX];
        const size_t n_want = hex(frames[i].bytes, want, sizeof want);
        const size_t n = hex(frames[i].params, params, sizeof params);
        const int made = feetech_build(frames[i].id, frames[i].code, params, n, tx, sizeof tx);
        if (made != (int)n_want || memcmp(tx, want, n_want) != 0) {
            fail_msg("%s: %d bytes instead of %zu, or other ones", frames[i].what, made, n_want);
        }
    }
}

static void frames_decode_as_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t rx[BYTES_MAX], params[BYTES_MAX];
        struct feetech_packet p;
        const size_t n_rx = hex(frames[i].bytes, rx, sizeof rx);
        const size_t n = hex(frames[i].params, params, sizeof params);
        assert_int_equal(feetech_parse(rx, n_rx, &p), (int)n_rx);
        assert_int_equal(p.id, frames[i].id);
        assert_int_equal(p.code, frames[i].code);
        assert_int_equal(p.n_params, n);
        assert_memory_equal(p.params, params, n);
    }
}

static void every_prefix_waits_for_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t rx[BYTES_MAX];
        struct feetech_packet p;
        const size_t n = hex(frames[i].bytes, rx, sizeof rx);
        for (size_t cut = 0; cut < n; cut++) {
            assert_int_equal(feetech_parse(rx, cut, &p), 0);
        }
    }
}

/* A sum of 8 bits finds every error within one byte, as long as the length is right; who knows what
 * length was asked for finds that one too (test_feetech_decode.c). */
static void no_flipped_byte_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t rx[BYTES_MAX];
        struct feetech_packet p;
        const size_t n = hex(frames[i].bytes, rx, sizeof rx);
        for (size_t at = 0; at < n; at++) {
            for (int with = 1; with < 256; with++) {
                rx[at] ^= (uint8_t)with;
                const int used = feetech_parse(rx, n, &p);
                rx[at] ^= (uint8_t)with;
                assert_true(used != (int)n && (used <= 0 || at == 3));
            }
        }
    }
}

static void signed_words_are_sign_and_magnitude(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof signed_words / sizeof signed_words[0]; i++) {
        assert_int_equal(feetech_encode(signed_words[i].v, signed_words[i].sign),
                         signed_words[i].raw);
        assert_int_equal(feetech_decode(signed_words[i].raw, signed_words[i].sign),
                         signed_words[i].v);
    }
    assert_int_equal(feetech_decode(0x8000, FEETECH_POSITION_SIGN), 0); /* minus nothing */
    assert_int_equal(feetech_encode(3000, FEETECH_OFFSET_SIGN), 0x07FF);
    assert_int_equal(feetech_encode(-3000, FEETECH_OFFSET_SIGN), 0x0FFF);
    assert_int_equal(feetech_encode(INT32_MIN, FEETECH_OFFSET_SIGN), 0x0FFF);
}

static void room_is_never_exceeded(void **state)
{
    (void)state;
    uint8_t params[FEETECH_PARAMS_MAX + 1] = {0}, tx[BYTES_MAX];
    struct feetech_packet p;
    const size_t need = FEETECH_PARAMS_MAX + 6;
    assert_int_equal(feetech_build(1, 3, params, FEETECH_PARAMS_MAX, tx, need), (int)need);
    assert_int_equal(feetech_parse(tx, need, &p), (int)need);
    assert_int_equal(feetech_build(1, 3, params, sizeof params, tx, sizeof tx), -ENOSPC);
    for (size_t cap = 0; cap < need; cap++) {
        memset(tx, 0xA5, sizeof tx);
        assert_int_equal(feetech_build(1, 3, params, FEETECH_PARAMS_MAX, tx, cap), -ENOSPC);
        assert_int_equal(tx[cap], 0xA5);
    }
}

static void what_cannot_begin_a_packet_is_passed(void **state)
{
    (void)state;
    static const char *const none[] = {"00", "FF 00", "FF FF FF", "FF FF 01 01", "FF FF 01 FB"};
    static const char *const no_status[] = {"FF FF FE", "FF FF 01 0A 82"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        uint8_t rx[8];
        struct feetech_packet p;
        assert_int_equal(feetech_parse(rx, hex(none[i], rx, sizeof rx), &p), -EBADMSG);
    }
    for (size_t i = 0; i < sizeof no_status / sizeof no_status[0]; i++) {
        uint8_t rx[8];
        const size_t n = hex(no_status[i], rx, sizeof rx);
        assert_false(feetech_starts_status(rx, n));
        assert_true(feetech_starts_status(rx, n - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_encode_as_documented),
        cmocka_unit_test(frames_decode_as_documented),
        cmocka_unit_test(every_prefix_waits_for_more),
        cmocka_unit_test(no_flipped_byte_passes),
        cmocka_unit_test(signed_words_are_sign_and_magnitude),
        cmocka_unit_test(room_is_never_exceeded),
        cmocka_unit_test(what_cannot_begin_a_packet_is_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
