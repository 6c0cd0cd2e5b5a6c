/* slcan's lines both ways, byte by byte, and the differences between adapters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/io/can_errors.h"
#include "drivers/io/slcan_line.h"

#include <errno.h>
#include <string.h>

#define EFF CAN_EFF_FLAG
#define RTR CAN_RTR_FLAG

/* clang-format off */
static const struct {
    const char *line;
    struct canfd_frame frame;
} vectors[] = {
    {"t1230\r", {.can_id = 0x123}}, /* the kernel's document */
    {"t4563112233\r", {.can_id = 0x456, .len = 3, .data = {0x11, 0x22, 0x33}}},
    {"T12ABCDEF2AA55\r", {.can_id = 0x12ABCDEF | EFF, .len = 2, .data = {0xAA, 0x55}}},
    {"r1230\r", {.can_id = 0x123 | RTR}},
    {"t0018FFFFFFFFFFFFFFFC\r", /* Damiao: enable */
     {.can_id = 1, .len = 8, .data = {255, 255, 255, 255, 255, 255, 255, 0xFC}}},
    {"T1100FD7F81E70000000000000\r", /* RobStride: read parameter 701E */
     {.can_id = 0x1100FD7F | EFF, .len = 8, .data = {0x1E, 0x70}}},
    {"r0698\r", {.can_id = 0x069 | RTR, .len = 8}}, /* ODrive: encoder estimate of node 3 */
    {"R000000010\r", {.can_id = 1 | EFF | RTR}},
};

/* clang-format on */

static void assert_frame(const struct canfd_frame *f, const struct canfd_frame *wanted)
{
    assert_memory_equal(f, wanted, sizeof *f);
}

static void the_vectors_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[SLCAN_LINE_MAX];
        struct slcan_line line;
        const size_t n = strlen(vectors[i].line);
        assert_int_equal(slcan_build(&vectors[i].frame, text, sizeof text), n);
        assert_memory_equal(text, vectors[i].line, n);
        assert_int_equal(slcan_parse(vectors[i].line, n, &line), n);
        assert_int_equal(line.kind, SLCAN_FRAME);
        assert_int_equal(line.stamp_ms, -1);
        assert_frame(&line.frame, &vectors[i].frame);
        for (size_t part = 0; part < n; part++) { /* not whole yet */
            assert_int_equal(slcan_parse(vectors[i].line, part, &line), 0);
        }
        assert_int_equal(slcan_build(&vectors[i].frame, text, n - 1), -ENOSPC);
    }
    assert_string_equal(slcan_rate(1000000), "S8");
    assert_string_equal(slcan_rate(10000), "S0");
    assert_null(slcan_rate(1000001));
}

static void stamps_and_lower_case_are_read(void **state)
{
    struct slcan_line line;
    (void)state;
    assert_int_equal(slcan_parse("t100211331234\r", 14, &line), 14);
    assert_frame(&line.frame,
                 &(struct canfd_frame){.can_id = 0x100, .len = 2, .data = {0x11, 0x33}});
    assert_int_equal(line.stamp_ms, 0x1234);
    assert_int_equal(slcan_parse("T12abcdef2aa55ea5f\r", 19, &line), 19);
    assert_int_equal(line.frame.can_id, 0x12ABCDEF | EFF);
    assert_int_equal(line.stamp_ms, 59999);
}

static void all_kinds_of_yes_and_no(void **state)
{
    static const struct {
        const char *text;
        size_t used;
        enum slcan_kind kind;
    } rows[] = {
        {"\r", 1, SLCAN_YES},           {"z\r", 2, SLCAN_YES},
        {"Z\r", 2, SLCAN_YES},          {"\a", 1, SLCAN_NO},
        {"t12\a", 4, SLCAN_NO},         {"V1013\r", 6, SLCAN_TEXT},
        {"v1\r", 3, SLCAN_TEXT},        {"NA123\r", 6, SLCAN_TEXT},
        {"t12\r", 4, SLCAN_GARBAGE},    {"t1239\r", 6, SLCAN_GARBAGE},
        {"t8000\r", 6, SLCAN_GARBAGE},  {"T200000000\r", 11, SLCAN_GARBAGE},
        {"t12g0\r", 6, SLCAN_GARBAGE},  {"t1231x1\r", 8, SLCAN_GARBAGE},
        {"t12311\r", 7, SLCAN_GARBAGE}, {"t1231112\r", 9, SLCAN_GARBAGE},
        {"\x80\r", 2, SLCAN_GARBAGE},   {"hello\r", 6, SLCAN_GARBAGE},
    };

    struct slcan_line line;
    char noise[SLCAN_LINE_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(slcan_parse(rows[i].text, strlen(rows[i].text), &line), rows[i].used);
        assert_int_equal(line.kind, rows[i].kind);
    }
    memset(noise, 't', sizeof noise); /* without an end it is let go */
    assert_int_equal(slcan_parse(noise, SLCAN_LINE_MAX, &line), 0);
    assert_int_equal(slcan_parse(noise, sizeof noise, &line), sizeof noise);
    assert_int_equal(line.kind, SLCAN_GARBAGE);
}

/* What the controller says of itself means the same whichever way it comes. */
static void states_are_error_frames(void **state)
{
    static const struct {
        const char *text;
        unsigned trouble;
        int tx, rx;
    } rows[] = {
        {"sa000000\r", 0, 0, 0},
        {"sw096100\r", CAN_TROUBLE_WARNING, 100, 96},
        {"sp000136\r", CAN_TROUBLE_PASSIVE, 136, 0},
        {"sb000256\r", CAN_TROUBLE_BUS_OFF, 255, 0},
        {"e1a\r", CAN_TROUBLE_NO_ACK, 0, 0},
        {"e3aoO\r", CAN_TROUBLE_NO_ACK | CAN_TROUBLE_RX_FULL | CAN_TROUBLE_TX_FULL, 0, 0},
        {"e2cs\r", CAN_TROUBLE_SIGNAL, 0, 0},
        {"F00\r", 0, 0, 0},
        {"FA6\r",
         CAN_TROUBLE_SIGNAL | CAN_TROUBLE_TX_FULL | CAN_TROUBLE_WARNING | CAN_TROUBLE_PASSIVE, 0,
         0},
        {"F09\r", CAN_TROUBLE_RX_FULL, 0, 0},
    };

    static const char *const bad[] = {"sx000000\r", "sa00000\r", "sa00000x\r", "e2a\r",
                                      "e1x\r",      "F0\r",      "F0g\r"};
    struct slcan_line line;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct can_errors e = {.n = {0}};
        (void)slcan_parse(rows[i].text, strlen(rows[i].text), &line);
        assert_int_equal(line.kind, SLCAN_FRAME);
        assert_int_equal(can_errors_note(&e, &line.frame), rows[i].trouble);
        assert_int_equal(e.tx_errors, rows[i].tx);
        assert_int_equal(e.rx_errors, rows[i].rx);
        for (int k = 0; k < CAN_TROUBLES; k++) {
            assert_int_equal(e.n[k], rows[i].trouble >> k & 1u);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)slcan_parse(bad[i], strlen(bad[i]), &line);
        assert_int_equal(line.kind, SLCAN_GARBAGE);
    }
}

static void what_does_not_fit_a_line_is_refused(void **state)
{
    char text[SLCAN_LINE_MAX];
    struct canfd_frame f = {.can_id = 1, .len = 8, .flags = CANFD_FDF};
    (void)state;
    assert_int_equal(slcan_build(&f, text, sizeof text), -EINVAL);
    f = (struct canfd_frame){.can_id = 1, .len = 12};
    assert_int_equal(slcan_build(&f, text, sizeof text), -EINVAL);
    f = (struct canfd_frame){.can_id = CAN_ERR_FLAG | 4, .len = 8};
    assert_int_equal(slcan_build(&f, text, sizeof text), -EINVAL);
}

/* SocketCAN's own error frames, and the sentences. */
static void error_frames_are_counted_and_said(void **state)
{
    static const struct canfd_frame off = {.can_id = 0x20000040, .len = 8},
                                    passive = {.can_id = 0x20000204,
                                               .len = 8,
                                               .data = {0, 0x20, 0, 0, 0, 0, 0x88, 0}},
                                    state_of_motor = {.can_id = 0x11, .len = 8};
    struct can_errors e = {.n = {0}};
    char text[256] = "";
    (void)state;
    assert_int_equal(can_errors_note(&e, &state_of_motor), 0);
    unsigned t = can_errors_note(&e, &passive);
    assert_int_equal(t, CAN_TROUBLE_PASSIVE);
    assert_int_equal(e.tx_errors, 0x88);
    t |= can_errors_note(&e, &off);
    assert_int_equal(t, CAN_TROUBLE_PASSIVE | CAN_TROUBLE_BUS_OFF);
    assert_true(can_errors_text(t, "can0", text, sizeof text) > 0);
    assert_non_null(strstr(text, "can0 has left the bus after too many errors (bus-off)"));
    assert_int_equal(can_errors_text(0, "can0", text, sizeof text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_both_ways),
        cmocka_unit_test(stamps_and_lower_case_are_read),
        cmocka_unit_test(all_kinds_of_yes_and_no),
        cmocka_unit_test(states_are_error_frames),
        cmocka_unit_test(what_does_not_fit_a_line_is_refused),
        cmocka_unit_test(error_frames_are_counted_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
