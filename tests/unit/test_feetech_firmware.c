/*
 * The emulated STS servo on its line: what it answers to the maker's requests, byte by byte, when,
 * and what goes wrong in it on demand. Bytes in, bytes out: nothing of the driver is in between,
 * until the last tests show what the driver makes of faults.
 */
#include "tests/unit/feetech_fixture.h"
#include "tests/unit/hex.h"

static int open_three(void **state)
{
    const int rc = open_desk(state);
    if (rc == 0) {
        desk_init(*state, 3, false);
        desk_power(*state);
    }
    return rc;
}

/* The request in hexadecimal brings exactly this answer, also in hexadecimal. */
static void assert_answers(struct desk *d, const char *asked, const char *answered)
{
    uint8_t tx[128], want[256], rx[256];
    const size_t n = hex(asked, tx, sizeof tx);
    const size_t n_want = hex(answered, want, sizeof want);
    const size_t n_rx = desk_exchange(d, tx, n, rx, sizeof rx);
    if (n_rx != n_want || memcmp(rx, want, n_rx) != 0) {
        char got[3 * sizeof rx + 1] = "";
        for (size_t i = 0; i < n_rx; i++) {
            (void)snprintf(got + 3 * i, 4, "%02X ", rx[i]);
        }
        fail_msg("%s: %s, wanted %s", asked, got, answered);
    }
}

/* Registers stand still: no sensor changes them. */
static void freeze(struct desk *d)
{
    d->substep_ns = INT64_MAX / 2;
}

static void it_answers_as_documented(void **state)
{
    struct desk *d = *state;
    freeze(d);
    assert_answers(d, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    sts_set(&d->servo[0], FEETECH_PRESENT_POSITION, 1304);
    assert_answers(d, "FF FF 01 04 02 38 02 BE", "FF FF 01 04 00 18 05 DD");
    assert_answers(d, "FF FF 01 09 03 2A 00 08 00 00 E8 03 D5", "FF FF 01 02 00 FC");
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_POSITION), 2048);
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_SPEED), 1000);
    sts_set(&d->servo[0], FEETECH_GOAL_SPEED, 0);
    assert_answers(d, "FF FF 01 09 04 2A 00 08 00 00 E8 03 D4", "FF FF 01 02 00 FC");
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_SPEED), 0); /* registered */
    assert_int_equal(desk_reg(d, 0, FEETECH_REGISTERED), 1);
    assert_answers(d, "FF FF FE 02 05 FA", "");
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_SPEED), 1000);
    assert_int_equal(desk_reg(d, 0, FEETECH_REGISTERED), 0);
    assert_answers(d, "FF FF 01 05 03 1F 64 08 6B", "FF FF 01 02 00 FC");
    assert_int_equal(desk_reg(d, 0, FEETECH_OFFSET), -100);
    assert_answers(d, "FF FF 03 05 03 2A 64 80 E6", "FF FF 03 02 00 FA");
    assert_int_equal(desk_reg(d, 2, FEETECH_GOAL_POSITION), -100);
    assert_answers(d, "FF FF 01 05 03 2C 2C 05 99", "FF FF 01 02 00 FC");
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_TIME), -300);
    assert_answers(d, "FF FF 01 0A 03 29 32 00 08 00 00 DC 05 AD", "FF FF 01 02 00 FC");
    assert_int_equal(desk_reg(d, 0, FEETECH_ACCELERATION), 50);
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_SPEED), 1500);
    assert_answers(d, "FF FF 01 04 03 28 01 CE", "FF FF 01 02 00 FC");
    assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_ENABLE), 1);
    d->servo[0].regs[FEETECH_STATUS] = FEETECH_ERR_OVERLOAD;
    assert_answers(d, "FF FF 01 04 03 28 01 CE", "FF FF 01 02 20 DC");
    assert_answers(d, "FF FF 01 02 0A F2", "FF FF 01 02 20 DC");
}

static void lists_are_answered_in_order(void **state)
{
    struct desk *d = *state;
    freeze(d);
    static const int32_t at[] = {2048, 2047}, volt[] = {121, 119}, temp[] = {30, 35};
    for (int j = 0; j < 2; j++) {
        sts_set(&d->servo[j], FEETECH_PRESENT_POSITION, at[j]);
        sts_set(&d->servo[j], FEETECH_PRESENT_VOLTAGE, volt[j]);
        sts_set(&d->servo[j], FEETECH_PRESENT_TEMPERATURE, temp[j]);
    }
    static const char first[] = "FF FF 01 0A 00 00 08 00 00 00 00 79 1E 55",
                      second[] = "FF FF 02 0A 00 FF 07 00 00 00 00 77 23 53";
    char both[128], turned[128];
    (void)snprintf(both, sizeof both, "%s %s", first, second);
    (void)snprintf(turned, sizeof turned, "%s %s", second, first);
    assert_answers(d, "FF FF FE 06 82 38 08 01 02 36", both);
    assert_answers(d, "FF FF FE 06 82 38 08 02 01 36", turned);
    /* one that is not there: those after it are silent, or wait for as long as it would speak */
    d->servo[0].regs[FEETECH_ID] = 99;
    assert_answers(d, "FF FF FE 06 82 38 08 01 02 36", "");
    assert_answers(d, "FF FF FE 06 82 38 08 02 01 36", second);
    d->servo[1].c.gap = STS_GAP_SKIP;
    assert_answers(d, "FF FF FE 06 82 38 08 01 02 36", second);
    assert_answers(d, "FF FF 02 02 01 FA", "FF FF 02 02 00 FB"); /* and all are well afterwards */
    d->servo[0].regs[FEETECH_ID] = 1;
    assert_answers(d, "FF FF FE 06 82 38 08 01 02 36", both);
    assert_answers(
        d,
        "FF FF FE 20 83 2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 00 00 E8 "
        "03 04 00 08 00 00 E8 03 58",
        "");
    for (int j = 0; j < 3; j++) {
        assert_int_equal(desk_reg(d, j, FEETECH_GOAL_POSITION), 2048);
        assert_int_equal(desk_reg(d, j, FEETECH_GOAL_SPEED), 1000);
    }
}

/* A request for another comes instead of the answer that was waited for: the wait is over. */
static void a_new_request_ends_a_list(void **state)
{
    struct desk *d = *state;
    uint8_t tx[16], rx[64];
    freeze(d);
    d->servo[0].regs[FEETECH_ID] = 99;
    const size_t n = hex("FF FF FE 06 82 38 08 01 02 36", tx, sizeof tx);
    assert_int_equal(desk_exchange(d, tx, n, rx, sizeof rx), 0);
    assert_answers(d, "FF FF 03 02 01 F9", "FF FF 03 02 00 FA");
    assert_int_equal(d->servo[1].n_tx, 0);
}

static void damage_is_ignored(void **state)
{
    struct desk *d = *state;
    freeze(d);
    uint8_t tx[16], rx[64];
    const size_t n = hex("FF FF 01 04 03 29 07 C7", tx, sizeof tx); /* acceleration 7 */
    for (size_t at = 2; at < n; at++) {
        tx[at] ^= 0x10;
        assert_int_equal(desk_exchange(d, tx, n, rx, sizeof rx), 0);
        tx[at] ^= 0x10;
        (void)desk_exchange(d, (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, rx,
                            sizeof rx);
        assert_int_equal(desk_reg(d, 0, FEETECH_ACCELERATION), 0);
    }
    for (size_t cut = 1; cut < n; cut++) { /* in two pieces, noise before */
        static const uint8_t noise[] = {0xFF, 0xFF, 0xFF, 0x01, 0x03};
        sts_set(&d->servo[0], FEETECH_ACCELERATION, 0);
        (void)wire_host_tx(&d->wire, noise, cut % (sizeof noise + 1), d->now_ns, BAUD);
        (void)wire_host_tx(&d->wire, tx, cut, d->now_ns, BAUD);
        desk_wait(d, NS_PER_MS);
        (void)desk_exchange(d, tx + cut, n - cut, rx, sizeof rx);
        assert_int_equal(desk_reg(d, 0, FEETECH_ACCELERATION), 7);
    }
}

static void what_lasts_is_written_with_the_lock_open(void **state)
{
    struct desk *d = *state;
    freeze(d);
    assert_answers(d, "FF FF 01 04 03 15 10 D2", "FF FF 01 02 00 FC"); /* P 16, locked */
    assert_int_equal(desk_reg(d, 0, FEETECH_POSITION_P), 16);
    sts_restart(&d->servo[0], d->now_ns);
    assert_int_equal(desk_reg(d, 0, FEETECH_POSITION_P), 32);
    assert_answers(d, "FF FF 01 02 01 FB", ""); /* it boots */
    desk_wait(d, 300 * NS_PER_MS);
    assert_answers(d, "FF FF 01 04 03 37 00 C0", "FF FF 01 02 00 FC"); /* unlock */
    assert_answers(d, "FF FF 01 04 03 15 10 D2", "FF FF 01 02 00 FC");
    assert_answers(d, "FF FF 01 05 03 10 F4 01 F1", "FF FF 01 02 00 FC"); /* torque 50 % */
    sts_restart(&d->servo[0], d->now_ns);
    assert_int_equal(desk_reg(d, 0, FEETECH_POSITION_P), 16);
    assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_LIMIT), 500); /* copied at power-up */
    assert_int_equal(desk_reg(d, 0, FEETECH_LOCK), 1);
    desk_wait(d, 300 * NS_PER_MS);
    assert_answers(d, "FF FF 01 02 06 F6", "FF FF 01 02 00 FC"); /* restore: all but the id */
    assert_int_equal(desk_reg(d, 0, FEETECH_POSITION_P), 32);
    assert_int_equal(desk_reg(d, 0, FEETECH_RETURN_DELAY), 250);
    assert_int_equal(desk_reg(d, 0, FEETECH_ID), 1);
}

static void what_may_not_be_written_is_not(void **state)
{
    struct desk *d = *state;
    freeze(d);
    assert_answers(d, "FF FF 01 04 03 38 07 B8",
                   "FF FF 01 02 00 FC"); /* half of a read-only word */
    assert_int_equal(desk_reg(d, 0, FEETECH_PRESENT_POSITION), 2048);
    assert_answers(d, "FF FF 01 05 03 30 D0 07 EF", "FF FF 01 02 00 FC"); /* 2000 of 1000 */
    assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_LIMIT), 1000);
    assert_answers(d, "FF FF 01 04 03 2A 07 C6", "FF FF 01 02 00 FC"); /* half a word */
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_POSITION), 0);
    assert_answers(d, "FF FF 01 04 02 57 02 9F", "FF FF 01 04 00 00 00 FA"); /* beyond: zeros */
    assert_answers(d, "FF FF 01 02 33 C9", ""); /* no such instruction */
    d->servo[0].regs[FEETECH_RETURN_LEVEL] = 0;
    assert_answers(d, "FF FF 01 04 03 29 07 C7", ""); /* obeyed, not answered */
    assert_int_equal(desk_reg(d, 0, FEETECH_ACCELERATION), 7);
    assert_answers(d, "FF FF 01 04 02 29 01 CE", "FF FF 01 03 00 07 F4");
}

static void a_calibration_moves_the_zero(void **state)
{
    struct desk *d = *state;
    d->truth.q[0] = 0.5;
    desk_wait(d, 5 * NS_PER_MS);
    const int32_t there = desk_reg(d, 0, FEETECH_PRESENT_POSITION);
    assert_int_equal(there, 2374);
    assert_answers(d, "FF FF 01 02 0B F1", "FF FF 01 02 00 FC");
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_reg(d, 0, FEETECH_PRESENT_POSITION), 2048);
    assert_int_equal(desk_reg(d, 0, FEETECH_OFFSET), 326);
    assert_answers(d, "FF FF 01 04 0B 00 04 EB", "FF FF 01 02 00 FC"); /* to 1024 */
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_reg(d, 0, FEETECH_PRESENT_POSITION), 1024);
    assert_answers(d, "FF FF 01 04 03 28 80 4F", "FF FF 01 02 00 FC"); /* 40 := 128 */
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_reg(d, 0, FEETECH_PRESENT_POSITION), 2048);
    assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_ENABLE), 0);
    /* a goal is in the same counts: it stays where it is */
    assert_answers(d, "FF FF 01 05 03 2A 00 08 C4", "FF FF 01 02 00 FC");
    assert_answers(d, "FF FF 01 04 03 28 01 CE", "FF FF 01 02 00 FC");
    desk_wait(d, 100 * NS_PER_MS);
    assert_true(fabs(d->truth.q[0] - 0.5) < 2 * FEETECH_RAD_PER_COUNT);
}

/* Return delay and turnaround before each status, 10 bits a byte. */
static void time_is_that_of_the_wire(void **state)
{
    struct desk *d = *state;
    freeze(d);
    for (int delay = 0; delay <= 250; delay += 250) {
        uint8_t tx[8], rx[64];
        sts_set(&d->servo[0], FEETECH_RETURN_DELAY, delay);
        const size_t n = hex("FF FF 01 02 01 FB", tx, sizeof tx);
        const int64_t start_ns = d->now_ns;
        const int64_t sent_ns = wire_host_tx(&d->wire, tx, n, start_ns, BAUD);
        assert_int_equal(sent_ns - start_ns, 60000); /* six bytes at 1 Mbaud */
        for (size_t got = 0; got < 6;) {
            got += (size_t)desk_hear(d, d->now_ns + NS_PER_MS, rx, 1);
        }
        assert_int_equal(d->now_ns - sent_ns, 20000 + delay * 2000 + 60000);
        desk_wait(d, NS_PER_MS);
    }
}

static void a_new_servo_is_as_delivered(void **state)
{
    struct desk *d = *state;
    desk_init(d, 1, false);
    d->device[0].factory_new = true;
    d->robot.joint[0].id = 5;
    d->robot.bus[0].baud = 115200;
    desk_power(d);
    assert_answers(d, "FF FF 01 02 01 FB", ""); /* another rate: noise */
    d->robot.bus[0].baud = BAUD;
    assert_answers(d, "FF FF 05 02 01 F7", "");
    assert_answers(d, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    assert_answers(d, "FF FF 01 04 02 03 02 F3", "FF FF 01 04 00 09 03 EE"); /* model 777 */
    assert_int_equal(desk_reg(d, 0, FEETECH_RETURN_DELAY), 250);
    assert_answers(d, "FF FF 01 04 03 06 04 ED", "FF FF 01 02 00 FC"); /* 115200 */
    assert_answers(d, "FF FF 01 02 01 FB", "");                        /* it has another rate now */
    d->robot.bus[0].baud = 115200;
    assert_answers(d, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
}

/* --- what goes wrong, and what the driver makes of it --- */

static void drive(struct desk *d)
{
    for (int j = 0; j < d->n; j++) {
        d->servo[j].c = d->device[j];
    }
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const struct command c = desk_command(d, 0.0, 0.6);
    (void)desk_tick(d, &c);
}

/* Load beyond 80 % for two seconds: 20 % of full drive from then on, until torque goes off. */
static void an_overload_eases_the_servo(void **state)
{
    struct desk *d = *state;
    drive(d);
    const struct command c = desk_command(d, 0.0, 1.0);
    (void)desk_tick(d, &c);
    d->truth.tau[1] = 0.85 * d->servo[1].tau_stall_nm;
    d->servo[1].c.noise = 0.0;
    sts_set(&d->servo[1], FEETECH_PROTECTION_CURRENT, 2000);
    const int64_t start_ns = d->now_ns;
    while ((d->sensed.faults[1] & FAULT_OVERLOAD) == 0 && d->now_ns < start_ns + 3 * NS_PER_S) {
        const bool yet = d->now_ns < start_ns + 2 * NS_PER_S;
        assert_true(!yet || fabs(d->cmd.tau_max[1] / d->servo[1].tau_stall_nm - 1.0) < 1e-9);
        (void)desk_tick(d, &c);
    }
    assert_in_range(d->now_ns - start_ns, 2 * NS_PER_S, 2 * NS_PER_S + 20 * NS_PER_MS);
    assert_int_equal(d->sensed.faults[0] | d->sensed.faults[2], 0);
    assert_true(fabs(d->cmd.tau_max[1] / d->servo[1].tau_stall_nm - 0.2) < 1e-9);
    assert_true(fabs(d->sensed.tau[1] - d->truth.tau[1]) < 0.01);
    d->truth.tau[1] = 0.0;
    (void)desk_tick(d, &c);
    (void)desk_tick(d, &c);
    assert_int_equal(d->sensed.faults[1],
                     FAULT_OVERLOAD); /* the strain is over, the fault is not */
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    (void)desk_tick(d, NULL);
    (void)desk_tick(d, NULL);
    assert_int_equal(d->sensed.faults[1], 0);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
}

static void faults_come_on_demand(void **state)
{
    struct desk *d = *state;
    const struct command c = desk_command(d, 0.0, 0.6);
    d->device[0].overload_at_s = 1.0;
    d->device[1].overheat_at_s = 1.5;
    d->device[2].bad_sum_from_s = 2.0;
    drive(d);
    while (d->now_ns < NS_PER_S - 20 * NS_PER_MS) {
        assert_int_equal(desk_tick(d, &c), 7);
        assert_int_equal(d->sensed.faults[0] | d->sensed.faults[1] | d->sensed.faults[2], 0);
    }
    desk_wait(d, 40 * NS_PER_MS);
    assert_int_equal(desk_tick(d, &c), 7); /* it still answers */
    assert_int_equal(d->sensed.faults[0], FAULT_OVERLOAD);
    desk_wait(d, 500 * NS_PER_MS);
    for (int i = 0; i < 6; i++) { /* each torque switch has its turn */
        assert_int_equal(desk_tick(d, &c), 7);
    }
    assert_int_equal(d->sensed.faults[1], FAULT_OVERHEAT);
    assert_int_equal(d->sensed.torque[1], TORQUE_OFF); /* its mask says so */
    assert_int_equal(d->cmd.mode[1], MODE_OFF);
    desk_wait(d, 500 * NS_PER_MS);
    const uint64_t bad = d->bus.crc_errors;
    assert_int_equal(desk_tick(d, &c), 3);
    assert_true(d->bus.crc_errors > bad);
}

static void low_voltage_is_said_and_passes(void **state)
{
    struct desk *d = *state;
    const struct command c = desk_command(d, 0.0, 0.6);
    drive(d);
    for (int i = 0; i < 30; i++) {
        for (int j = 0; j < 3; j++) {
            d->truth.volt_v[j] = i < 20 ? 3.5f : 12.0f;
        }
        assert_int_equal(desk_tick(d, &c), 7);
        const bool told = i > 10 && i < 21; /* since it was first read, 100 ms */
        assert_int_equal(d->sensed.faults[0], told ? FAULT_VOLTAGE : 0);
    }
}

static void silence_is_only_its_own(void **state)
{
    struct desk *d = *state;
    const struct command c = desk_command(d, 0.3, 0.6);
    d->device[2].silent_at_s = 1.0;
    drive(d);
    desk_wait(d, NS_PER_S);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(desk_tick(d, &c), 3);
    }
    assert_true(d->truth.q[2] > 0.1); /* it obeys */
}

static void an_overload_may_silence_until_power_is_cycled(void **state)
{
    struct desk *d = *state;
    const struct command c = desk_command(d, 0.0, 0.6);
    d->device[2].overload_at_s = 1.0;
    d->device[2].overload_silences = true;
    drive(d);
    desk_wait(d, NS_PER_S);
    assert_int_equal(desk_tick(d, &c), 3);
    uint8_t tx[64];
    const int n = desk_driver()->stop(&d->bus, STOP_OFF, tx, sizeof tx);
    desk_tx(d, tx, (size_t)n);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_FAILED);
    assert_int_equal(d->setup.torque_off, 3);
    assert_int_equal(desk_reg(d, 2, FEETECH_TORQUE_ENABLE), 0); /* it has heard */
    d->truth.volt_v[2] = 0.0f;
    desk_wait(d, 10 * NS_PER_MS);
    d->truth.volt_v[2] = 12.0f;
    desk_wait(d, 400 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
}

/* No clock tells of it: the torque switch does, once its turn comes. */
static void a_moment_without_power_shows_in_the_torque_switch(void **state)
{
    struct desk *d = *state;
    const struct command c = desk_command(d, 0.0, 0.6);
    d->device[1].brownout_at_s = 1.0;
    drive(d);
    while (d->now_ns < NS_PER_S) {
        assert_int_equal(desk_tick(d, &c), 7);
    }
    int silent = 0;
    while (desk_tick(d, &c) != 7) { /* and those behind it in the list, as the gap option says */
        silent++;
    }
    assert_in_range(silent, 28, 32); /* 0.3 s */
    for (int i = 0; i < 3; i++) {
        (void)desk_tick(d, &c);
    }
    assert_int_equal(d->sensed.torque[0], TORQUE_ON);
    assert_int_equal(d->sensed.torque[1], TORQUE_OFF);
    assert_int_equal(d->cmd.mode[1], MODE_OFF);
}

static void damped_is_torque_that_only_brakes(void **state)
{
    struct desk *d = *state;
    drive(d);
    uint8_t tx[64];
    const int n = desk_driver()->stop(&d->bus, STOP_DAMPED, tx, sizeof tx);
    desk_tx(d, tx, (size_t)n);
    desk_wait(d, 10 * NS_PER_MS);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(d->cmd.mode[j], MODE_VELOCITY);
        assert_true(d->cmd.qd[j] == 0.0);
    }
}

static void copies_are_the_same_world(void **state)
{
    struct desk *d = *state;
    d->servo[0].c.noise = 1.0;
    desk_wait(d, 10 * NS_PER_MS);
    struct sts a = d->servo[0], b = d->servo[0];
    struct command ca = {.n = 3}, cb = {.n = 3};
    for (int64_t t_ns = d->now_ns; t_ns < d->now_ns + NS_PER_S; t_ns += NS_PER_MS) {
        sts_step(&a, t_ns, &d->truth, &ca);
        sts_step(&b, t_ns, &d->truth, &cb);
    }
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_three, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(it_answers_as_documented),
        TEST(lists_are_answered_in_order),
        TEST(a_new_request_ends_a_list),
        TEST(damage_is_ignored),
        TEST(what_lasts_is_written_with_the_lock_open),
        TEST(what_may_not_be_written_is_not),
        TEST(a_calibration_moves_the_zero),
        TEST(time_is_that_of_the_wire),
        TEST(a_new_servo_is_as_delivered),
        TEST(an_overload_eases_the_servo),
        TEST(faults_come_on_demand),
        TEST(low_voltage_is_said_and_passes),
        TEST(silence_is_only_its_own),
        TEST(an_overload_may_silence_until_power_is_cycled),
        TEST(a_moment_without_power_shows_in_the_torque_switch),
        TEST(damped_is_torque_that_only_brakes),
        TEST(copies_are_the_same_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
