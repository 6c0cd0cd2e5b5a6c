/* What the Feetech driver asks and commands, and what it takes out of a stream of bytes. */
#include "tests/unit/feetech_fixture.h"
#include "tests/unit/hex.h"

#include <errno.h>

#define STREAM_MAX 1024
#define STATE_LEN  (FEETECH_STATE_BYTES + 6)

static int open_six(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    *state = d;
    if (d != NULL) {
        desk_init(d, DESK_MAX, false);
        desk_power(d);
        for (int j = 0; j < d->n; j++) {
            d->bus.id[j] = (struct identity){.model = FEETECH_STS3215, .known = true};
        }
    }
    return d != NULL ? 0 : -1;
}

/* The status of joint j with registers 56..70 at this count. */
static size_t put_state(uint8_t *ret_rx, int j, int32_t counts, uint8_t error)
{
    uint8_t params[FEETECH_STATE_BYTES];
    (void)hex("00 08 14 80 32 04 78 1F 00 00 01 34 08 0C 80", params, sizeof params);
    feetech_put16(params, feetech_encode(counts, FEETECH_POSITION_SIGN));
    return (size_t)feetech_build((uint8_t)(j + 1), error, params, sizeof params, ret_rx, 64);
}

static int32_t place(int j)
{
    return 600 * (j + 1);
}

static size_t put_states(uint8_t *ret_rx, int n)
{
    size_t at = 0;
    for (int j = 0; j < n; j++) {
        at += put_state(ret_rx + at, j, place(j), 0);
    }
    return at;
}

static void ask(struct desk *d)
{
    uint8_t tx[64];
    d->bus.asked = 0;
    d->bus.pending = 0;
    assert_true(desk_driver()->ask(&d->bus, tx, sizeof tx) > 0);
    d->sensed = (struct sensed){.n = d->n, .t_ns = d->sensed.t_ns};
}

static bool took(const struct desk *d, int j)
{
    return fabs(d->sensed.q[j] - (place(j) - 2048) * FEETECH_RAD_PER_COUNT) < 1e-12;
}

static bool untouched(const struct desk *d, int j)
{
    return d->sensed.q[j] == 0.0 && d->sensed.qd[j] == 0.0 && d->sensed.tau[j] == 0.0;
}

/* --- what goes out, beside the documents' bytes --- */

static void the_state_is_asked_as_documented(void **state)
{
    struct desk *d = *state;
    uint8_t tx[64], want[64];
    const size_t n = hex("FF FF FE 0A 82 38 0F 01 02 03 04 05 06 19", want, sizeof want);
    assert_int_equal(desk_driver()->ask(&d->bus, tx, sizeof tx), n);
    assert_memory_equal(tx, want, n);
    assert_int_equal(d->bus.pending, 0x3F);
    assert_int_equal(desk_driver()->ask(&d->bus, tx, sizeof tx), 0); /* no slow row is due */
    d->bus.asked = 1;
    d->bus.pending = 0;
    d->bus.slow_due = true;
    const size_t n_slow = hex("FF FF 01 04 02 28 0A C6", want, sizeof want);
    assert_int_equal(desk_driver()->ask(&d->bus, tx, sizeof tx), n_slow);
    assert_memory_equal(tx, want, n_slow);
    assert_int_equal(d->bus.pending, 1);
}

static void goals_go_out_as_documented(void **state)
{
    struct desk *d = *state;
    uint8_t tx[128], want[128];
    struct command c = desk_command(d, 0.0, 1.0);
    for (int j = 0; j < d->n; j++) {
        c.q[j] = (j + 1) * FEETECH_RAD_PER_COUNT; /* 2049..2054 */
        d->joint[j].limit = (struct ceiling){.sent = FEETECH_TORQUE_FULL};
    }
    const size_t n =
        hex("FF FF FE 16 83 2A 02 01 01 08 02 02 08 03 03 08 04 04 08 05 05 08 06 06 08 E2", want,
            sizeof want);
    assert_int_equal(desk_driver()->goals(&d->bus, &c, tx, sizeof tx), n);
    assert_memory_equal(tx, want, n);
    /* a ceiling that changed goes first, of that joint alone: half of 1000 */
    c.tau_max[2] = 0.5 * d->robot.joint[2].tau_stall;
    const size_t n_limit = hex("FF FF FE 07 83 30 02 03 F4 01 4D", want, sizeof want);
    assert_int_equal(desk_driver()->goals(&d->bus, &c, tx, sizeof tx), n_limit + n);
    assert_memory_equal(tx, want, n_limit);
    /* nobody is commanded: nothing */
    c = desk_command(d, 0.0, 1.0);
    memset(c.mode, MODE_OFF, sizeof c.mode);
    assert_int_equal(desk_driver()->goals(&d->bus, &c, tx, sizeof tx), 0);
    c = desk_command(d, (double)NAN, 1.0);
    assert_int_equal(desk_driver()->goals(&d->bus, &c, tx, sizeof tx), 0);
}

static void the_load_is_what_is_sent_at_most(void **state)
{
    struct desk *d = *state;
    uint8_t tx[128];
    struct bus_load load;
    struct command c = desk_command(d, 0.1, 0.7);
    desk_driver()->load(&d->robot, 0, &load);
    for (int j = 0; j < d->n; j++) {
        d->joint[j].limit.age = CEILING_NEVER_SENT;
    }
    assert_int_equal(desk_driver()->goals(&d->bus, &c, tx, sizeof tx), load.goals_bytes);
    d->bus.asked = 0;
    const int asked = desk_driver()->ask(&d->bus, tx, sizeof tx);
    assert_int_equal(load.read_bytes, asked + d->n * STATE_LEN);
    assert_int_equal(load.pauses_us, 0);
}

static void it_stops_by_off_or_damped(void **state)
{
    struct desk *d = *state;
    uint8_t tx[64], want[64];
    size_t n =
        hex("FF FF FE 10 83 28 01 01 00 02 00 03 00 04 00 05 00 06 00 30", want, sizeof want);
    assert_int_equal(desk_driver()->stop(&d->bus, STOP_OFF, tx, sizeof tx), n);
    assert_memory_equal(tx, want, n);
    n = hex("FF FF FE 10 83 28 01 01 02 02 02 03 02 04 02 05 02 06 02 24", want, sizeof want);
    assert_int_equal(desk_driver()->stop(&d->bus, STOP_DAMPED, tx, sizeof tx), n);
    assert_memory_equal(tx, want, n);
    assert_int_equal(desk_driver()->stop(&d->bus, STOP_HOLD, tx, sizeof tx), -ENOTSUP);
    assert_int_equal(desk_driver()->stop(&d->bus, STOP_BRAKE, tx, sizeof tx), -ENOTSUP);
}

/* --- what comes back --- */

/* The documents' example: 2048, -20 steps/s, -5.0 %, 12.0 V, 31 C, -12 units of current. */
static void the_documented_state_is_understood(void **state)
{
    struct desk *d = *state;
    uint8_t rx[64];
    const size_t n =
        hex("FF FF 01 11 00 00 08 14 80 32 04 78 1F 00 00 01 34 08 0C 80 BB", rx, sizeof rx);
    ask(d);
    assert_int_equal(desk_decode(d, rx, n), 0);
    assert_int_equal(d->bus.pending, 0x3E);
    assert_true(d->sensed.q[0] == 0.0);
    assert_true(fabs(d->sensed.qd[0] + 20 * FEETECH_RAD_PER_COUNT) < 1e-12);
    assert_true(fabs(d->sensed.tau[0] + 12 * 0.0065 * 2.94 / 2.7) < 1e-12);
    assert_true(fabsf(d->sensed.volt_v[0] - 12.0f) < 1e-4f);
    assert_true(fabsf(d->sensed.temp_c[0] - 31.0f) < 1e-4f);
    assert_int_equal(d->sensed.faults[0], 0);
    d->bus.id[0].model = 0; /* nobody knows what an ampere makes: the load says it */
    ask(d);
    (void)desk_decode(d, rx, n);
    assert_true(fabs(d->sensed.tau[0] + 0.05 * 2.94) < 1e-12);
    d->robot.joint[0].sign = -1;
    d->robot.joint[0].gear = 2.0;
    d->robot.joint[0].zero_rad = 0.1;
    ask(d);
    (void)desk_decode(d, rx, n);
    assert_true(fabs(d->sensed.q[0] - 0.05) < 1e-12);
    assert_true(fabs(d->sensed.qd[0] - 10 * FEETECH_RAD_PER_COUNT) < 1e-12);
    assert_true(fabs(d->sensed.tau[0] - 0.05 * 2.94) < 1e-12);
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    const size_t n = put_states(rx, d->n);
    for (size_t cut = 0; cut <= n; cut++) {
        ask(d);
        const size_t left = desk_decode(d, rx, cut);
        assert_int_equal(desk_decode(d, rx + cut - left, n - cut + left), 0);
        assert_int_equal(d->bus.pending, 0);
        for (int j = 0; j < d->n; j++) {
            assert_true(took(d, j));
        }
    }
    assert_int_equal(d->bus.bytes_lost + d->bus.bad_replies + d->bus.crc_errors, 0);
}

/* Every byte of the third status in every way: it is never taken, the others always are. */
static void a_damaged_status_costs_itself_only(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX];
    const size_t n = put_states(rx, d->n);
    for (size_t at = 2 * STATE_LEN; at < 3 * STATE_LEN; at++) {
        for (int with = 1; with < 256; with++) {
            rx[at] ^= (uint8_t)with;
            ask(d);
            (void)desk_decode(d, rx, n);
            rx[at] ^= (uint8_t)with;
            assert_int_equal(d->bus.pending, 4);
            for (int j = 0; j < d->n; j++) {
                assert_true(j == 2 ? untouched(d, j) : took(d, j));
            }
        }
    }
    assert_true(d->bus.crc_errors > 0 && d->bus.bytes_lost > 0);
}

/* Noise that looks like the beginnings of frames, of the right length too: nothing of what follows
 * is lost. That noise is taken for a frame itself, as once in 256 the sum lets it, is rare. */
static void garbage_between_is_passed_byte_by_byte(void **state)
{
    struct desk *d = *state;
    static const uint8_t likely[] = {0xFF, 0xFF, 0xFF, 0x01, 0x02, 0x11, 0x00, 0x20};
    const int rounds = 3000;
    int wrong = 0;
    struct rng rng;
    rng_seed(&rng, 11);
    for (int k = 0; k < rounds; k++) {
        uint8_t rx[STREAM_MAX];
        size_t n = 0;
        for (int j = 0; j < 3; j++) {
            for (uint64_t i = rng_below(&rng, 30); i > 0; i--) {
                rx[n++] = likely[rng_below(&rng, sizeof likely)];
            }
            n += put_state(rx + n, j, place(j), 0);
        }
        ask(d);
        const size_t left = desk_decode(d, rx, n);
        memset(rx + n, 0xFF,
               40); /* half a header at the end may wait for as much as a status has */
        (void)desk_decode(d, rx + n - left, left + 40);
        wrong += d->bus.pending != 0x38 || !took(d, 0) || !took(d, 1) || !took(d, 2);
    }
    assert_true(wrong * 256 < rounds);
}

static void only_the_answer_to_the_question_counts(void **state)
{
    struct desk *d = *state;
    uint8_t rx[STREAM_MAX],
        params[32] = {FEETECH_STATE_FROM, FEETECH_STATE_BYTES, 1, 2, 3, 4, 5, 6};
    /* our own echo, a stranger, ours from another request, one that was asked and one twice */
    size_t n = (size_t)feetech_build(FEETECH_BROADCAST, FEETECH_SYNC_READ, params, 8, rx, 64);
    n += put_state(rx + n, 8, 3000, 0);
    n += (size_t)feetech_build(1, 0, params, FEETECH_SLOW_BYTES, rx + n, 64);
    ask(d);
    assert_int_equal(desk_decode(d, rx, n), 0);
    assert_int_equal(d->bus.pending, 0x3F);
    assert_int_equal(d->bus.bad_replies, 2);
    assert_int_equal(d->bus.bytes_lost, 14 + 16); /* the echo, the other request: byte by byte */
    assert_true(untouched(d, 0));

    n = put_state(rx, 0, place(0), 0);
    n += put_state(rx + n, 0, 3000, 0);
    assert_int_equal(desk_decode(d, rx, n), 0);
    assert_int_equal(d->bus.pending, 0x3E); /* the double has cleared nobody else */
    assert_int_equal(d->bus.bad_replies, 3);
    assert_true(took(d, 0));
}

static void every_fault_has_its_bit(void **state)
{
    struct desk *d = *state;

    static const struct {
        uint8_t error;
        uint32_t faults;
    } rows[] = {{0, 0},
                {FEETECH_ERR_ENCODER, FAULT_ENCODER},
                {FEETECH_ERR_TEMPERATURE, FAULT_OVERHEAT},
                {FEETECH_ERR_CURRENT, FAULT_ELECTRICAL},
                {FEETECH_ERR_OVERLOAD, FAULT_OVERLOAD},
                {0x10, FAULT_ALERT},
                {0x48, FAULT_ELECTRICAL | FAULT_ALERT}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t rx[64];
        ask(d);
        d->sensed.faults[0] = FAULT_TORQUE | FAULT_OVERLOAD; /* what others said stays */
        (void)desk_decode(d, rx, put_state(rx, 0, place(0), rows[i].error));
        assert_int_equal(d->sensed.faults[0], FAULT_TORQUE | rows[i].faults);
        assert_true(took(d, 0)); /* the data are good, whatever the servo complains of */
    }
}

/* Low voltage for a moment is no fault; for a tenth of a second it is one. */
static void a_sag_is_a_fault_when_it_lasts(void **state)
{
    struct desk *d = *state;
    for (int64_t ms = 0; ms < 400; ms += 10) {
        uint8_t rx[64];
        const bool low = (ms >= 50 && ms < 140) || (ms >= 200 && ms < 350);
        d->sensed.t_ns = ms * NS_PER_MS;
        ask(d);
        (void)desk_decode(d, rx, put_state(rx, 0, 2048, low ? FEETECH_ERR_VOLTAGE : 0));
        assert_int_equal(d->sensed.faults[0], ms >= 300 && ms < 350 ? FAULT_VOLTAGE : 0);
    }
}

/* Two turns forth and three back, a third of a turn at a time. */
static void whole_turns_of_a_wheel_are_counted(void **state)
{
    struct desk *d = *state;
    d->robot.joint[0].actuated = false;
    int32_t at = 2048;
    for (int k = 0; k < 15; k++) {
        uint8_t rx[64];
        at += k < 6 ? 1365 : -1365;
        ask(d);
        (void)desk_decode(d, rx, put_state(rx, 0, ((at % 4096) + 4096) % 4096, 0));
        /* counting begins where it was first seen, within one turn */
        assert_true(fabs(d->sensed.q[0] - (at - 2048) * FEETECH_RAD_PER_COUNT) < 1e-9);
    }
}

static void the_torque_switch_is_read_back(void **state)
{
    struct desk *d = *state;
    static const uint8_t torque[] = {TORQUE_OFF, TORQUE_ON, TORQUE_UNKNOWN};
    for (uint8_t v = 0; v < 3; v++) {
        uint8_t tx[64], rx[64], params[FEETECH_SLOW_BYTES] = {v};
        d->bus.asked = 1;
        d->bus.slow_due = true;
        d->bus.slow = 4;
        d->bus.pending = 0;
        (void)desk_driver()->ask(&d->bus, tx, sizeof tx);
        d->sensed.torque[4] = TORQUE_ON;
        assert_int_equal(d->bus.pending, 0x10);
        (void)desk_decode(d, rx, (size_t)feetech_build(5, 0, params, sizeof params, rx, sizeof rx));
        assert_int_equal(d->bus.pending, 0);
        assert_int_equal(d->sensed.torque[4], torque[v]);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_six, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(the_state_is_asked_as_documented),       TEST(goals_go_out_as_documented),
        TEST(the_load_is_what_is_sent_at_most),       TEST(it_stops_by_off_or_damped),
        TEST(the_documented_state_is_understood),     TEST(a_stream_may_be_cut_anywhere),
        TEST(a_damaged_status_costs_itself_only),     TEST(garbage_between_is_passed_byte_by_byte),
        TEST(only_the_answer_to_the_question_counts), TEST(every_fault_has_its_bit),
        TEST(a_sag_is_a_fault_when_it_lasts),         TEST(whole_turns_of_a_wheel_are_counted),
        TEST(the_torque_switch_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
