/*
 * Protocol 2.0 packets, byte by byte: the example frames of the maker's e-manual (chapter "Protocol
 * 2.0" and the X-series control tables) both ways, and more that its SDK's stuffing code makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "drivers/dynamixel_packet.h"
#include "drivers/dynamixel_regs.h"
#include "tests/unit/hex.h"

#include <errno.h>
#include <string.h>

#define BYTES_MAX 128

/* clang-format off */
static const struct frame {
    const char *what;
    uint8_t id, instruction;
    const char *params; /* of a status: ERR first; without stuffing */
    const char *bytes;
} frames[] = {
    {"ping",             1, DXL_PING, "", "FF FF FD 00 01 03 00 01 19 4E"},
    {"pong",             1, DXL_STATUS, "00 06 04 26", "FF FF FD 00 01 07 00 55 00 06 04 26 65 5D"},
    {"ping all",         0xFE, DXL_PING, "", "FF FF FD 00 FE 03 00 01 31 42"},
    {"pong of 2",        2, DXL_STATUS, "00 06 04 26", "FF FF FD 00 02 07 00 55 00 06 04 26 6F 6D"},
    {"read 132",         1, DXL_READ, "84 00 04 00", "FF FF FD 00 01 07 00 02 84 00 04 00 1D 15"},
    {"  166",            1, DXL_STATUS, "00 A6 00 00 00", "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0"},
    {"goal 512",         1, DXL_WRITE, "74 00 00 02 00 00", "FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89"},
    {"  done",           1, DXL_STATUS, "00", "FF FF FD 00 01 04 00 55 00 A1 0C"},
    {"torque on",        1, DXL_WRITE, "40 00 01", "FF FF FD 00 01 06 00 03 40 00 01 DB 66"},
    {"watchdog 100 ms",  1, DXL_WRITE, "62 00 05", "FF FF FD 00 01 06 00 03 62 00 05 68 E4"},
    {"  range error",    1, DXL_STATUS, "04", "FF FF FD 00 01 04 00 55 04 BA 8C"},
    {"  alert",          1, DXL_STATUS, "80", "FF FF FD 00 01 04 00 55 80 A2 8F"},
    {"read 70",          1, DXL_READ, "46 00 01 00", "FF FF FD 00 01 07 00 02 46 00 01 00 3C A3"},
    {"  overload",       1, DXL_STATUS, "80 20", "FF FF FD 00 01 05 00 55 80 20 99 21"},
    {"  tripped",        1, DXL_STATUS, "00 FF", "FF FF FD 00 01 05 00 55 00 FF 51 23"},
    {"reg write",        1, DXL_REG_WRITE, "68 00 C8 00 00 00", "FF FF FD 00 01 09 00 04 68 00 C8 00 00 00 AE 8E"},
    {"action",           1, DXL_ACTION, "", "FF FF FD 00 01 03 00 05 02 CE"},
    {"reboot",           1, DXL_REBOOT, "", "FF FF FD 00 01 03 00 08 2F 4E"},
    {"factory reset",    1, DXL_FACTORY_RESET, "01", "FF FF FD 00 01 04 00 06 01 A1 E6"},
    {"clear turns",      1, DXL_CLEAR, "01 44 58 4C 22", "FF FF FD 00 01 08 00 10 01 44 58 4C 22 B1 DC"},
    {"backup",           1, DXL_BACKUP, "01 43 54 52 4C", "FF FF FD 00 01 08 00 20 01 43 54 52 4C 16 F5"},
    {"restore",          1, DXL_BACKUP, "02 43 54 52 4C", "FF FF FD 00 01 08 00 20 02 43 54 52 4C 9E F5"},
    {"sync read",        0xFE, DXL_SYNC_READ, "84 00 04 00 01 02", "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA"},
    {"  2079",           2, DXL_STATUS, "00 1F 08 00 00", "FF FF FD 00 02 08 00 55 00 1F 08 00 00 BA BE"},
    {"sync read 126/10", 0xFE, DXL_SYNC_READ, "7E 00 0A 00 01 02", "FF FF FD 00 FE 09 00 82 7E 00 0A 00 01 02 38 92"},
    {"  -5, -10, 2048",  1, DXL_STATUS, "00 FB FF F6 FF FF FF 00 08 00 00",
     "FF FF FD 00 01 0E 00 55 00 FB FF F6 FF FF FF 00 08 00 00 B7 EC"},
    {"sync write",       0xFE, DXL_SYNC_WRITE, "74 00 04 00 01 96 00 00 00 02 AA 00 00 00",
     "FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87"},
    {"bulk read",        0xFE, DXL_BULK_READ, "01 90 00 02 00 02 92 00 01 00",
     "FF FF FD 00 FE 0D 00 92 01 90 00 02 00 02 92 00 01 00 1A 05"},
    {"  11.9 V",         1, DXL_STATUS, "00 77 00", "FF FF FD 00 01 06 00 55 00 77 00 C3 69"},
    {"  36 C",           2, DXL_STATUS, "00 24", "FF FF FD 00 02 05 00 55 00 24 8B A9"},
    {"bulk write",       0xFE, DXL_BULK_WRITE, "01 20 00 02 00 A0 00 02 1F 00 01 00 50",
     "FF FF FD 00 FE 10 00 93 01 20 00 02 00 A0 00 02 1F 00 01 00 50 B7 68"},
    {"fast sync read",   0xFE, DXL_FAST_SYNC_READ, "84 00 04 00 03 07 04",
     "FF FF FD 00 FE 0A 00 8A 84 00 04 00 03 07 04 20 F2"},
    {"  its answer",     0xFE, DXL_STATUS, "00 03 A6 00 00 00 84 08 00 07 1F 08 00 00 16 CA 00 04 FF 03 00 00",
     "FF FF FD 00 FE 19 00 55 00 03 A6 00 00 00 84 08 00 07 1F 08 00 00 16 CA 00 04 FF 03 00 00 D1 9E"},
    {"fast bulk read",   0xFE, DXL_FAST_BULK_READ, "03 84 00 04 00 07 7C 00 02 00 04 92 00 01 00",
     "FF FF FD 00 FE 12 00 9A 03 84 00 04 00 07 7C 00 02 00 04 92 00 01 00 DA 2D"},
    {"  its answer",     0xFE, DXL_STATUS, "00 03 A6 00 00 00 67 A4 00 07 A5 01 24 74 00 04 1F",
     "FF FF FD 00 FE 14 00 55 00 03 A6 00 00 00 67 A4 00 07 A5 01 24 74 00 04 1F D9 C1"},
    {"stuffed",          1, DXL_WRITE, "74 00 FF FF FD 00", "FF FF FD 00 01 0A 00 03 74 00 FF FF FD FD 00 21 E7"},
    {"stuffed twice",    1, DXL_WRITE, "A8 00 FF FF FD FF FF FD",
     "FF FF FD 00 01 0D 00 03 A8 00 FF FF FD FD FF FF FD FD 17 B7"},
};

/* clang-format on */

#define FRAMES (sizeof frames / sizeof frames[0])

static void crc_matches_its_check_values(void **state)
{
    (void)state;
    static const uint16_t firsts[] = {0x0000, 0x8005, 0x800F, 0x000A,
                                      0x801B, 0x001E, 0x0014, 0x8011};
    const uint8_t *digits = (const uint8_t *)"123456789";
    assert_int_equal(dxl_crc(0, digits, 9), 0xFEE8);
    for (uint8_t i = 0; i < 8; i++) {
        assert_int_equal(dxl_crc(0, &i, 1), firsts[i]);
    }
    const uint8_t last = 0xFF;
    assert_int_equal(dxl_crc(0, &last, 1), 0x0202);
    assert_int_equal(dxl_crc(dxl_crc(0, digits, 4), digits + 4, 5), 0xFEE8);
}

static void frames_encode_as_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t want[BYTES_MAX], params[BYTES_MAX], tx[BYTES_MAX];
        const size_t n_want = hex(frames[i].bytes, want, sizeof want);
        const size_t n = hex(frames[i].params, params, sizeof params);
        const int made = dxl_build(frames[i].id, frames[i].instruction, params, n, tx, sizeof tx);
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
        struct dxl_packet p;
        const size_t n_rx = hex(frames[i].bytes, rx, sizeof rx);
        const size_t n = hex(frames[i].params, params, sizeof params);
        assert_int_equal(dxl_parse(rx, n_rx, &p), (int)n_rx);
        assert_int_equal(p.id, frames[i].id);
        assert_int_equal(p.instruction, frames[i].instruction);
        /* the error byte of a fast packet stands with each device */
        const size_t skip =
            frames[i].instruction == DXL_STATUS && frames[i].id != DXL_BROADCAST ? 1 : 0;
        assert_int_equal(p.error, skip > 0 ? params[0] : 0);
        assert_int_equal(p.n_params, n - skip);
        assert_memory_equal(p.params, params + skip, n - skip);
    }
}

static void every_prefix_waits_for_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t rx[BYTES_MAX];
        struct dxl_packet p;
        const size_t n = hex(frames[i].bytes, rx, sizeof rx);
        for (size_t cut = 0; cut < n; cut++) {
            assert_int_equal(dxl_parse(rx, cut, &p), 0);
        }
    }
}

/* A CRC of 16 bits finds every error within one byte: nothing but the frame itself is the frame. */
static void no_flipped_byte_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t rx[BYTES_MAX + 64] = {0};
        struct dxl_packet p;
        const size_t n = hex(frames[i].bytes, rx, BYTES_MAX);
        for (size_t at = 0; at < n; at++) {
            for (int with = 1; with < 256; with++) {
                rx[at] ^= (uint8_t)with;
                /* zeros follow: a longer length has bytes to take */
                assert_true(dxl_parse(rx, sizeof rx, &p) <= 0);
                rx[at] ^= (uint8_t)with;
            }
        }
    }
}

/* What is built is what is read, whatever the parameters; runs of FF FF FD are everywhere. */
static void stuffing_is_undone(void **state)
{
    (void)state;
    static const uint8_t likely[] = {0xFF, 0xFF, 0xFF, 0xFD, 0xFD, 0x00, 0x55};
    struct rng rng;
    rng_seed(&rng, 5);
    for (int k = 0; k < 20000; k++) {
        uint8_t params[40], tx[BYTES_MAX];
        struct dxl_packet p;
        const size_t n = 1 + rng_below(&rng, sizeof params);
        for (size_t i = 0; i < n; i++) {
            params[i] = likely[rng_below(&rng, sizeof likely)];
        }
        const int made = dxl_build(7, DXL_WRITE, params, n, tx, sizeof tx);
        assert_in_range(made, (int)n + 10, (int)(n + n / 3) + 10);
        for (int i = 8; i + 3 < made - 2; i++) { /* no header inside */
            assert_false(tx[i] == 0xFF && tx[i + 1] == 0xFF && tx[i + 2] == 0xFD &&
                         tx[i + 3] != 0xFD);
        }
        assert_int_equal(dxl_parse(tx, (size_t)made, &p), made);
        assert_int_equal(p.n_params, n);
        assert_memory_equal(p.params, params, n);
    }
}

static void room_is_never_exceeded(void **state)
{
    (void)state;
    uint8_t params[30], tx[64];
    struct dxl_packet p;
    memset(params, 0xFF, sizeof params);
    for (size_t i = 2; i < sizeof params; i += 3) {
        params[i] = 0xFD; /* all is to be stuffed */
    }
    const size_t need = 8 + sizeof params + sizeof params / 3 + 2;
    assert_int_equal(dxl_build(1, DXL_WRITE, params, sizeof params, tx, need), (int)need);
    for (size_t cap = 0; cap < need; cap++) {
        memset(tx, 0xA5, sizeof tx);
        assert_int_equal(dxl_build(1, DXL_WRITE, params, sizeof params, tx, cap), -ENOSPC);
        assert_int_equal(tx[cap], 0xA5);
    }
    /* a length beyond anything that exists is no packet, without waiting for it */
    const uint8_t huge[] = {0xFF, 0xFF, 0xFD, 0x00, 0x01, 0xFF, 0xFF, 0x55};
    assert_int_equal(dxl_parse(huge, sizeof huge, &p), -EBADMSG);
    const uint8_t none[] = {0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x02, 0x00, 0x55};
    assert_int_equal(dxl_parse(none, sizeof none, &p), -EBADMSG);
    const uint8_t nobody[] = {0xFF, 0xFF, 0xFD, 0x00, 0xFD, 0x04, 0x00, 0x55};
    assert_int_equal(dxl_parse(nobody, sizeof nobody, &p), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_matches_its_check_values),
        cmocka_unit_test(frames_encode_as_documented),
        cmocka_unit_test(frames_decode_as_documented),
        cmocka_unit_test(every_prefix_waits_for_more),
        cmocka_unit_test(no_flipped_byte_passes),
        cmocka_unit_test(stuffing_is_undone),
        cmocka_unit_test(room_is_never_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
