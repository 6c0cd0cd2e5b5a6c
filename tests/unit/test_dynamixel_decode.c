/* What the driver takes out of a stream of bytes, and what it does not. */
#include "tests/unit/desk_fixture.h"
#include "tests/unit/hex.h"

#include <stdlib.h>

#define STREAM_MAX 1024

static int open_desk(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    *state = d;
    if (d != NULL) {
        desk_init(d, 3, true);
        desk_power(d);
    }
    return d != NULL ? 0 : -1;
}

static int close_desk(void **state)
{
    free(*state);
    return 0;
}

/* The status of joint j with registers 120..135. */
static size_t put_state(uint8_t *ret_rx, int j, uint16_t tick_ms, int32_t counts)
{
    uint8_t params[17] = {0};
    dxl_put16(params + 1, tick_ms);
    dxl_put16(params + 7, (uint32_t)-5 & 0xFFFF); /* load */
    dxl_put32(params + 9, (uint32_t)-10);         /* velocity */
    dxl_put32(params + 13, (uint32_t)counts);
    return (size_t)dxl_build((uint8_t)(j + 1), DXL_STATUS, params, sizeof params, ret_rx, 64);
}

/* The states of all, as a sync read brings them; joint j stands at 1000 (j + 1) counts. */
static size_t put_states(uint8_t *ret_rx, int n)
{
    size_t at = 0;
    for (int j = 0; j < n; j++) {
        at += put_state(ret_rx + at, j, 500, 1000 * (j + 1));
    }
    return at;
}

static void ask(struct desk *d)
{
    uint8_t tx[64];
    d->bus.asked = 0;
    assert_true(desk_driver()->ask(&d->bus, tx, sizeof tx) > 0);
    d->sensed = (struct sensed){.n = d->n, .t_ns = d->sensed.t_ns};
}

static bool took(const struct desk *d, int j)
{
    return fabs(d->sensed.q[j] - (1000 * (j + 1) - 2048) * DXL_RAD_PER_COUNT) < 1e-12;
}

static bool untouched(const struct desk *d, int j)
{
    return d->sensed.q[j] == 0.0 && d->sensed.qd[j] == 0.0 && d->sensed.tau[j] == 0.0;
}

static void a_sync_read_is_asked_and_understood(void **state)
{
    struct desk *d = *state;
    uint8_t tx[64], rx[STREAM_MAX], want[64];
    const size_t n_want =
        hex("FF FF FD 00 FE 0A 00 82 78 00 10 00 01 02 03 00 00", want, sizeof want);
    dxl_put16(want + n_want - 2, dxl_crc(0, want, n_want - 2));
    d->bus.asked = 0;
    assert_int_equal(desk_driver()->ask(&d->bus, tx, sizeof tx), n_want);
    assert_memory_equal(tx, want, n_want);
    assert_int_equal(d->bus.pending, 7);
    assert_int_equal(desk_decode(d, rx, put_states(rx, 3)), 0);
    assert_int_equal(d->bus.pending, 0);
    for (int j = 0; j < 3; j++) {
        assert_true(took(d, j));
        assert_true(fabs(d->sensed.qd[j] + 10 * DXL_RAD_S_PER_UNIT) < 1e-12);
    }
    assert_true(fabs(d->sensed.tau[0] + 0.005 * 1.4) < 1e-12); /* -0.5 % of the stall torque */
}

static void signs_gears_and_currents_are_applied(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    d->robot.joint[0].sign = -1;
    d->robot.joint[0].gear = 2.0;
    d->robot.joint[0].zero_rad = 0.1;
    d->bus.id[0] = (struct identity){.model = DXL_XM430_W350, .known = true, .firmware = 40};
    ask(d);
    (void)desk_decode(d, rx, put_states(rx, 1));
    const double device_rad = (1000 - 2048) * DXL_RAD_PER_COUNT;
    assert_true(fabs(d->sensed.q[0] + (device_rad - 0.1) / 2.0) < 1e-12);
    assert_true(fabs(d->sensed.qd[0] - 10 * DXL_RAD_S_PER_UNIT / 2.0) < 1e-12);
    /* -5 units of 2.69 mA, 1.4 Nm at 2.3 A, turned around */
    assert_true(fabs(d->sensed.tau[0] - 5 * 2.69e-3 * 1.4 / 2.3) < 1e-12);
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    const size_t n = put_states(rx, 3);
    for (size_t cut = 0; cut <= n; cut++) {
        ask(d);
        const size_t left = desk_decode(d, rx, cut);
        assert_int_equal(desk_decode(d, rx + cut - left, n - cut + left), 0);
        assert_true(d->bus.pending == 0 && took(d, 0) && took(d, 1) && took(d, 2));
    }
    assert_int_equal(d->bus.bytes_lost + d->bus.bad_replies + d->bus.crc_errors, 0);
}

/* Every byte of the second status in every way: it is never taken, the others always are. */
static void a_damaged_status_costs_itself_only(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    const size_t n = put_states(rx, 3), from = n / 3, to = 2 * n / 3;
    for (size_t at = from; at < to; at++) {
        for (int with = 1; with < 256; with++) {
            rx[at] ^= (uint8_t)with;
            ask(d);
            (void)desk_decode(d, rx, n);
            rx[at] ^= (uint8_t)with;
            assert_int_equal(d->bus.pending, 2);
            assert_true(took(d, 0) && untouched(d, 1) && took(d, 2));
        }
    }
    assert_true(d->bus.crc_errors > 0 && d->bus.bytes_lost > 0);
}

/* Noise that looks like the beginnings of frames, before, between and after. */
static void garbage_between_is_passed_byte_by_byte(void **state)
{
    struct desk *d = *state;
    static const uint8_t likely[] = {0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x14, 0x55, 0x37};
    struct rng rng;
    rng_seed(&rng, 11);
    for (int k = 0; k < 3000; k++) {
        uint8_t rx[STREAM_MAX];
        size_t n = 0;
        for (int j = 0; j < 3; j++) {
            for (uint64_t i = rng_below(&rng, 30); i > 0; i--) {
                rx[n++] = likely[rng_below(&rng, sizeof likely)];
            }
            n += put_state(rx + n, j, 500, 1000 * (j + 1));
        }
        ask(d);
        (void)desk_decode(d, rx, n);
        assert_true(took(d, 0) || (d->bus.pending & 1) != 0);
        assert_true(took(d, 1) || (d->bus.pending & 2) != 0);
        /* noise may end in half a header that swallows what follows, for as long as a status is */
        if (d->bus.pending != 0) {
            memset(rx + n, 0xFF, 40);
            n += 40;
            ask(d);
            (void)desk_decode(d, rx, n);
        }
        assert_int_equal(d->bus.pending, 0);
        assert_true(took(d, 0) && took(d, 1) && took(d, 2));
    }
}

static void only_the_answer_to_the_question_counts(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX], params[32] = {0};
    /* a stranger, ours from another request, an error, an echo, one that was asked and one twice */
    size_t n = put_state(rx, 8, 500, 3000);
    n += (size_t)dxl_build(1, DXL_STATUS, params, 5, rx + n, 64);
    params[0] = DXL_ERR_CRC;
    n += (size_t)dxl_build(1, DXL_STATUS, params, 1, rx + n, 64);
    n += (size_t)dxl_build(1, DXL_READ, params, 4, rx + n, 64);
    ask(d);
    assert_int_equal(desk_decode(d, rx, n), 0);
    assert_int_equal(d->bus.pending, 7);
    assert_int_equal(d->bus.bad_replies, 4);
    assert_true(untouched(d, 0) && untouched(d, 1) && untouched(d, 2));

    n = put_state(rx, 0, 500, 1000);
    n += put_state(rx + n, 0, 501, 3000);
    assert_int_equal(desk_decode(d, rx, n), 0);
    assert_int_equal(d->bus.pending, 6); /* the double has cleared nobody else */
    assert_int_equal(d->bus.bad_replies, 5);
    assert_true(took(d, 0));                 /* and changed nothing */
    assert_int_equal(d->bus.bytes_lost, 14); /* the echo, byte by byte */
    assert_int_equal(d->bus.crc_errors, 0);
}

/* No two requests of the rotation, nor the state, expect the same number of bytes. */
static void a_late_answer_is_not_the_next_ones(void **state)
{
    struct desk *d = *state;
    uint16_t addr[4], len[4];
    for (int i = 0; i < 4; i++) {
        uint8_t tx[64];
        struct dxl_packet p;
        d->bus.asked = 1;
        d->bus.slow_due = true;
        d->bus.pending = 0;
        const int n = desk_driver()->ask(&d->bus, tx, sizeof tx);
        assert_int_equal(dxl_parse(tx, (size_t)n, &p), n);
        assert_int_equal(p.instruction, DXL_READ);
        addr[i] = dxl_get16(p.params);
        len[i] = dxl_get16(p.params + 2);
        for (int k = 0; k < i; k++) {
            assert_int_not_equal(len[i], len[k]);
        }
        assert_int_not_equal(len[i], DXL_STATE_BYTES);
        /* what was asked before comes now */
        if (i > 0) {
            uint8_t rx[64], params[32];
            memset(params, 0xFF, sizeof params);
            params[0] = 0;
            const uint64_t bad = d->bus.bad_replies;
            const struct sensed before = d->sensed;
            (void)desk_decode(
                d, rx, (size_t)dxl_build(p.id, DXL_STATUS, params, 1u + len[i - 1], rx, sizeof rx));
            assert_int_equal(d->bus.bad_replies, bad + 1);
            assert_int_not_equal(d->bus.pending, 0);
            assert_memory_equal(&d->sensed, &before, sizeof before);
        }
    }
    assert_true(addr[0] <= DXL_PRESENT_VOLTAGE && addr[0] + len[0] > DXL_PRESENT_TEMPERATURE);
    assert_true(addr[1] <= DXL_HARDWARE_ERROR && addr[1] + len[1] > DXL_HARDWARE_ERROR);
    assert_true(addr[2] <= DXL_TORQUE_ENABLE && addr[2] + len[2] > DXL_TORQUE_ENABLE);
    assert_int_equal(addr[3], DXL_WATCHDOG);
}

/* --- fast: one packet of all --- */

static size_t put_fast(struct desk *d, uint8_t *ret_rx, int n)
{
    uint8_t *p = ret_rx;
    const uint16_t len = (uint16_t)(1 + d->n * 20);
    const uint8_t head[] = {0xFF, 0xFF, 0xFD, 0x00, 0xFE, (uint8_t)len, (uint8_t)(len >> 8), 0x55};
    memcpy(p, head, sizeof head);
    size_t at = sizeof head;
    for (int j = 0; j < n; j++) {
        memset(p + at, 0, 18);
        p[at + 1] = (uint8_t)(j + 1);
        dxl_put16(p + at + 2, 500);
        dxl_put32(p + at + 14, (uint32_t)(1000 * (j + 1)));
        dxl_put16(p + at + 18, dxl_crc(0, p, at + 18));
        at += 20;
    }
    return at;
}

static void know_firmware(struct desk *d, int firmware)
{
    for (int j = 0; j < d->n; j++) {
        d->bus.id[j] =
            (struct identity){.model = DXL_XL430_W250, .firmware = firmware, .known = true};
    }
}

static void fast_is_used_where_every_firmware_can(void **state)
{
    struct desk *d = *state;
    uint8_t tx[64];
    for (int old = 0; old < 2; old++) {
        know_firmware(d, 45);
        d->bus.id[1].firmware -= old;
        d->bus.asked = 0;
        assert_true(desk_driver()->ask(&d->bus, tx, sizeof tx) > 0);
        assert_int_equal(tx[7], old ? DXL_SYNC_READ : DXL_FAST_SYNC_READ);
    }
}

static uint8_t instruction_asked(struct desk *d)
{
    uint8_t tx[64];
    d->bus.asked = 0;
    d->bus.pending = 0;
    assert_true(desk_driver()->ask(&d->bus, tx, sizeof tx) > 0);
    return tx[7];
}

/* On a bad line a block that is lost must not take the others along. */
static void after_a_miss_each_joint_answers_for_itself(void **state)
{
    struct desk *d = *state;
    know_firmware(d, 45);
    assert_int_equal(instruction_asked(d), DXL_FAST_SYNC_READ); /* and nobody answers */
    for (int i = 0; i < 101; i++) {
        assert_int_equal(instruction_asked(d), i < 100 ? DXL_SYNC_READ : DXL_FAST_SYNC_READ);
        d->bus.unread = 0; /* all do */
    }
    d->bus.unread = 2;
    assert_int_equal(instruction_asked(d), DXL_SYNC_READ);
}

static void a_fast_packet_is_taken_block_by_block(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    know_firmware(d, 45);
    const size_t n = put_fast(d, rx, 3);
    for (size_t cut = 0; cut <= n; cut++) {
        ask(d);
        const size_t left = desk_decode(d, rx, cut);
        for (int j = 0; j < 3; j++) { /* who is there is there */
            assert_int_equal(took(d, j), cut >= 8u + 20u * (unsigned)(j + 1));
        }
        assert_int_equal(left, cut < n ? cut : 0);
        assert_int_equal(desk_decode(d, rx, n), 0);
        assert_int_equal(d->bus.pending, 0);
    }
    assert_int_equal(d->bus.crc_errors + d->bus.bytes_lost, 0);
}

static void a_damaged_fast_packet_saves_what_came_before(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    know_firmware(d, 45);
    const size_t n = put_fast(d, rx, 3);
    for (size_t at = 0; at < n; at++) {
        for (int with = 1; with < 256; with += at % 20 == 9 ? 1 : 7) {
            rx[at] ^= (uint8_t)with;
            ask(d);
            (void)desk_decode(d, rx, n);
            rx[at] ^= (uint8_t)with;
            for (int j = 0; j < 3; j++) {
                const bool whole = at >= 8u + 20u * (unsigned)(j + 1);
                assert_true(whole ? took(d, j) : untouched(d, j));
                assert_int_equal(d->bus.pending >> j & 1, !whole);
            }
        }
    }
}

static void a_fast_packet_of_all_joints_fits(void **state)
{
    (void)state;
    struct desk *d = calloc(1, sizeof *d);
    uint8_t rx[STREAM_MAX];
    static struct dxl_joint joints[JOINTS_MAX];
    desk_init(d, 2, false);
    desk_power(d);
    for (int j = 0; j < JOINTS_MAX; j++) {
        d->robot.joint[j] = d->robot.joint[0];
        d->robot.joint[j].id = j + 1;
        d->robot.joint[j].driver = NULL;
        d->bus.joint[j] = j;
        d->bus.state[j] = &joints[j];
    }
    d->n = d->bus.n = d->robot.n_joints = JOINTS_MAX;
    know_firmware(d, 45);
    ask(d);
    assert_int_equal(desk_decode(d, rx, put_fast(d, rx, JOINTS_MAX)), 0);
    assert_int_equal(d->bus.pending, 0);
    assert_true(took(d, JOINTS_MAX - 1));
    free(d);
}

/* --- the device's clock --- */

static void tick_at(struct desk *d, int64_t host_ms, int64_t device_ms)
{
    uint8_t rx[64];
    ask(d);
    d->sensed.t_ns = host_ms * NS_PER_MS;
    (void)desk_decode(d, rx, put_state(rx, 0, (uint16_t)(device_ms % DXL_TICK_MODULO), 2048));
}

static void the_tick_tells_age_and_restarts(void **state)
{
    struct desk *d = *state;
    for (int64_t t = 0; t < 80000; t += 10) { /* wraps twice */
        tick_at(d, t, t + 31000);
        assert_int_equal(d->sensed.faults[0], 0);
        assert_in_range(d->sensed.age_us[0], 0, 1000);
    }
    tick_at(d, 80000,
            79988 + 31000); /* an answer of a tick ago, taken now: it says how old it is */
    assert_in_range(d->sensed.age_us[0], 11000, 13000);
    assert_int_equal(d->sensed.faults[0], 0);
    tick_at(d, 80010, 80010 + 31000);
    assert_in_range(d->sensed.age_us[0], 0, 1000);
    tick_at(d, 80600, 90); /* half a second of darkness, a clock that starts anew */
    assert_true((d->sensed.faults[0] & FAULT_REBOOT) != 0);
}

/* Wherever the clock was, a restart is seen: but for four tenths of a second in 33. */
static void a_restart_hides_nearly_nowhere(void **state)
{
    struct desk *d = *state;
    int hidden = 0;
    for (int64_t up_ms = 0; up_ms < DXL_TICK_MODULO; up_ms += 8) {
        d->joint[0] = (struct dxl_joint){0};
        tick_at(d, 100000, up_ms);
        tick_at(d, 100520, 20);
        hidden += (d->sensed.faults[0] & FAULT_REBOOT) == 0;
    }
    assert_true(hidden * 8 <= 2 * 201);
}

static void a_clock_that_drifts_is_no_age(void **state)
{
    struct desk *d = *state;
    for (int slow = -1; slow <= 1; slow += 2) {
        d->joint[0] = (struct dxl_joint){0};
        for (int64_t t = 0; t < 120000; t += 10) {
            tick_at(d, t, t + slow * t / 2000 + 5000); /* 0.05 % */
            assert_int_equal(d->sensed.faults[0], 0);
            assert_in_range(d->sensed.age_us[0], 0, 2000);
        }
    }
}

static void a_clock_that_stands_is_a_frozen_servo(void **state)
{
    struct desk *d = *state;
    for (int64_t t = 0; t <= 60; t += 10) {
        tick_at(d, t, 5000);
        assert_int_equal((d->sensed.faults[0] & FAULT_FROZEN) != 0, t > 50);
    }
    tick_at(d, 70, 5010);
    assert_int_equal(d->sensed.faults[0], 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(a_sync_read_is_asked_and_understood),
        TEST(signs_gears_and_currents_are_applied),
        TEST(a_stream_may_be_cut_anywhere),
        TEST(a_damaged_status_costs_itself_only),
        TEST(garbage_between_is_passed_byte_by_byte),
        TEST(only_the_answer_to_the_question_counts),
        TEST(a_late_answer_is_not_the_next_ones),
        TEST(fast_is_used_where_every_firmware_can),
        TEST(after_a_miss_each_joint_answers_for_itself),
        TEST(a_fast_packet_is_taken_block_by_block),
        TEST(a_damaged_fast_packet_saves_what_came_before),
        TEST(a_fast_packet_of_all_joints_fits),
        TEST(the_tick_tells_age_and_restarts),
        TEST(a_restart_hides_nearly_nowhere),
        TEST(a_clock_that_drifts_is_no_age),
        TEST(a_clock_that_stands_is_a_frozen_servo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
