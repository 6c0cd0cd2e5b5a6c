/* The set-up machine against emulated servos: what it writes, in which order, and when it refuses.
 */
#include "tests/unit/desk_fixture.h"

#include <stdlib.h>

static int open_desk(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    *state = d;
    if (d != NULL) {
        desk_init(d, 3, true);
    }
    return d != NULL ? 0 : -1;
}

static int close_desk(void **state)
{
    free(*state);
    return 0;
}

static void assert_says(const struct desk *d, const char *text)
{
    if (strstr(d->setup.why, text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, d->setup.why);
    }
}

static int eeprom_writes(const struct desk *d, int from)
{
    int n = 0;
    for (int i = from; i < d->n_sent; i++) {
        n += d->sent[i].instruction == DXL_WRITE && d->sent[i].addr < DXL_EEPROM_END;
    }
    return n;
}

static void bring_up(struct desk *d)
{
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(d->setup.torque_off, 7);
}

static void identify_sets_limits_and_writes_only_what_differs(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(d->bus.id[j].model, DXL_XL430_W250);
        assert_int_equal(d->bus.id[j].firmware, 45);
        assert_int_equal(d->bus.id[j].silence, SILENCE_BRAKE);
    }
    for (int j = 0; j < 2; j++) {
        assert_int_equal(desk_reg(d, j, DXL_MODE), DXL_MODE_POSITION);
        assert_int_equal(desk_reg(d, j, DXL_POSITION_MIN), 2048 - 326); /* -0.5 rad, outwards */
        assert_int_equal(desk_reg(d, j, DXL_POSITION_MAX), 2048 + 326);
        assert_int_equal(desk_reg(d, j, DXL_VELOCITY_LIMIT), 313); /* 7.5 rad/s in 0.229 rpm, up */
    }
    assert_int_equal(desk_reg(d, 2, DXL_MODE), DXL_MODE_EXTENDED);
    assert_int_equal(desk_reg(d, 2, DXL_POSITION_MAX), 4095); /* a wheel is left alone */
    /* mode of the wheel, three limits of two joints */
    assert_int_equal(eeprom_writes(d, 0), 7);

    const int from = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(d->setup.written, 0);
    assert_int_equal(eeprom_writes(d, from), 0);
    d->robot.joint[1].qd_max = 4.0;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(d->setup.written, 1);
    assert_int_equal(eeprom_writes(d, from), 1);
}

static void current_limit_is_set_where_current_is_measured(void **state)
{
    struct desk *d = *state;
    d->device[0].model = d->robot.joint[0].model = DXL_XM430_W350;
    d->robot.joint[0].tau_stall = 4.1;
    d->robot.joint[0].tau_max = 2.0;
    bring_up(d);
    /* 2.0 Nm of 4.1 Nm at 2.3 A is 1.122 A, in units of 2.69 mA */
    assert_int_equal(desk_reg(d, 0, DXL_CURRENT_LIMIT), 418);
    assert_int_equal(desk_find(d, 0, 2, DXL_READ, DXL_CURRENT_LIMIT), -1); /* an XL430 has none */
}

/* By the order of the bytes: ceiling 0, goal := present, read back, only then torque, then
 * watchdog.
 */
static void check_arm_order(const struct desk *d, int from, int j)
{
    const uint8_t id = (uint8_t)(j + 1);
    const int pwm = desk_find(d, from, id, DXL_WRITE, DXL_GOAL_PWM);
    const int pose = desk_find(d, from, id, DXL_READ, DXL_PRESENT_POSITION);
    const int goal = desk_find(d, pose, id, DXL_WRITE, DXL_GOAL_POSITION);
    const int back = desk_find(d, goal, id, DXL_READ, DXL_GOAL_POSITION);
    const int torque = desk_find(d, goal, id, DXL_WRITE, DXL_TORQUE_ENABLE);
    const int watchdog = desk_find(d, torque, id, DXL_WRITE, DXL_WATCHDOG);
    const int armed = desk_find(d, watchdog, id, DXL_READ, DXL_WATCHDOG);
    assert_true(from <= pwm && pwm < pose && pose < goal && goal < back && back < torque &&
                torque < watchdog && watchdog < armed);
    for (int i = from; i < torque; i++) {
        assert_false(d->sent[i].id == id && d->sent[i].instruction == DXL_WRITE &&
                     d->sent[i].addr == DXL_TORQUE_ENABLE && d->sent[i].value != 0);
    }
    assert_int_equal(d->sent[pwm].value, 0);
    assert_int_equal(d->sent[torque].value, 1);
    assert_int_equal(d->sent[watchdog].value, 10); /* 200 ms in units of 20 ms */
}

static void arm_holds_the_measured_pose(void **state)
{
    struct desk *d = *state;
    d->truth.q[0] = 0.3;
    d->truth.q[1] = -0.4;
    bring_up(d);
    const int from = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    for (int j = 0; j < 2; j++) {
        check_arm_order(d, from, j);
        const double q = (double)(desk_reg(d, j, DXL_GOAL_POSITION) - 2048) * DXL_RAD_PER_COUNT;
        assert_true(fabs(q - (j == 0 ? 0.3 : -0.4)) < DXL_RAD_PER_COUNT);
        assert_int_equal(desk_reg(d, j, DXL_TORQUE_ENABLE), 1);
        assert_int_equal(desk_reg(d, j, DXL_WATCHDOG), 10);
        assert_int_equal(desk_reg(d, j, DXL_GOAL_PWM), 0);
        assert_int_equal(desk_reg(d, j, DXL_POSITION_P), 800);
        assert_int_equal(desk_reg(d, j, DXL_PROFILE_VELOCITY), 261); /* 1.25 x 5 rad/s, up */
    }
    assert_int_equal(desk_reg(d, 2, DXL_TORQUE_ENABLE), 0);
    assert_int_equal(desk_find(d, from, 3, DXL_WRITE, DXL_GOAL_POSITION), -1);
    assert_int_equal(eeprom_writes(d, from), 0);
    desk_wait(d, 50 * NS_PER_MS);
    assert_true(fabs(d->truth.q[0] - 0.3) < 1e-9); /* no torque before the ramp */
}

static void torque_ramps_by_goal_pwm(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    for (int i = 0; i <= 5; i++) {
        const struct command c = desk_command(d, 0.0, 0.2 * i);
        (void)desk_tick(d, &c);
        assert_int_equal(desk_reg(d, 0, DXL_GOAL_PWM), 177 * i);
    }
    /* an unacknowledged ceiling is repeated */
    const int from = d->n_sent;
    servo_set(&d->servo[0], DXL_GOAL_PWM, 0);
    const struct command c = desk_command(d, 0.0, 1.0);
    for (int i = 0; i < 25; i++) {
        (void)desk_tick(d, &c);
    }
    assert_int_equal(desk_reg(d, 0, DXL_GOAL_PWM), 885);
    assert_true(desk_find(d, from, DXL_BROADCAST, DXL_SYNC_WRITE, DXL_GOAL_PWM) > from);
}

static void another_model_or_firmware_is_refused(void **state)
{
    struct desk *d = *state;
    d->device[1].model = DXL_XL330_M288;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d,
                "joint joint2 (id 2 on bus servo): model 1200 answers, the robot file says 1060");
    assert_int_equal(eeprom_writes(d, desk_find(d, 0, 2, DXL_PING, 0)), 0);

    d->device[1].model = DXL_XL430_W250;
    d->robot.joint[1].firmware_min = 46;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d, "firmware 45, at least 46 is wanted");
}

/* Firmware 37 has no bus watchdog: silence leaves the last goal standing. */
static void what_goes_on_in_silence_arms_only_when_accepted(void **state)
{
    struct desk *d = *state;
    d->device[1].firmware = 37;
    bring_up(d);
    assert_int_equal(d->bus.id[1].silence, SILENCE_NONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    assert_says(d, "joint joint2 (id 2 on bus servo): goes on moving when the bus is silent");
    assert_says(d, "accept_no_device_watchdog: true");
    assert_int_equal(desk_reg(d, 1, DXL_TORQUE_ENABLE), 0);

    d->robot.bus[0].accept_no_device_watchdog = true;
    const int from = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_int_equal(desk_reg(d, 1, DXL_TORQUE_ENABLE), 1);
    assert_int_equal(desk_find(d, from, 2, DXL_READ, DXL_WATCHDOG), -1);
    assert_int_equal(desk_find(d, from, 2, DXL_WRITE, DXL_WATCHDOG), -1);
    assert_int_equal(desk_reg(d, 0, DXL_WATCHDOG), 10); /* the others keep theirs */
    for (int i = 0; i < 12; i++) {                      /* nor is it asked for later */
        assert_int_equal(desk_tick(d, NULL), 7);
    }
    assert_int_equal(desk_find(d, from, 2, DXL_READ, DXL_WATCHDOG), -1);
    assert_int_equal(d->bus.bad_replies, 0);
}

static void silence_is_known_per_model_mode_and_firmware(void **state)
{
    (void)state;

    static const struct {
        int model, mode, firmware;
        enum silence silence;
    } rows[] = {{DXL_XL430_W250, DXL_MODE_POSITION, 38, SILENCE_BRAKE},
                {DXL_XL430_W250, DXL_MODE_POSITION, 37, SILENCE_NONE},
                {DXL_XM430_W350, DXL_MODE_EXTENDED, 45, SILENCE_BRAKE},
                {DXL_XL330_M288, DXL_MODE_VELOCITY, 45, SILENCE_KEEPS_GOING},
                {DXL_XL330_M288, DXL_MODE_VELOCITY, 46, SILENCE_BRAKE},
                {DXL_XL330_M077, DXL_MODE_PWM, 40, SILENCE_KEEPS_GOING},
                {DXL_XL330_M077, DXL_MODE_POSITION, 45, SILENCE_BRAKE},
                {DXL_XL430_W250, 99, 45, SILENCE_NONE}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(dxl_silence(rows[i].model, rows[i].mode, rows[i].firmware),
                         rows[i].silence);
    }
    for (const struct silence_row *r = dxl_silence_rows; r->source != NULL; r++) {
        assert_true(r->source[0] != '\0' && r->firmware_min <= r->firmware_max);
    }
}

static void a_pose_outside_the_limits_cannot_arm(void **state)
{
    struct desk *d = *state;
    d->truth.q[1] = 0.51;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    assert_says(d, "joint joint2 (id 2 on bus servo): at 0.509 rad");
    assert_says(d, "outside its range -0.500 to 0.500; move it inside by hand");
    assert_int_equal(desk_reg(d, 1, DXL_TORQUE_ENABLE), 0);
    d->truth.q[1] = 0.5004; /* within one count of its end: rounding */
    desk_wait(d, 10 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_in_range(desk_reg(d, 1, DXL_GOAL_POSITION), 2048 + 325, 2048 + 326);
}

static void a_pose_a_little_outside_arms_with_the_end_of_its_range_as_goal(void **state)
{
    struct desk *d = *state;
    d->robot.rest_outside_rad = 0.05;
    d->truth.q[1] = -0.54;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_int_equal(desk_reg(d, 1, DXL_GOAL_POSITION), desk_reg(d, 1, DXL_POSITION_MIN));
    d->truth.q[1] = -0.56;
    desk_wait(d, 10 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    assert_says(d, "outside its range -0.500 to 0.500");
}

static void a_range_beyond_one_turn_is_refused(void **state)
{
    struct desk *d = *state;
    d->robot.joint[0].gear = 8.0;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d, "one turn has 0 to 4095");
}

/* Profiles are 0 after a trip, goals are read-only until register 98 is written: by arm only. */
static void after_a_trip_only_arm_clears(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    desk_wait(d, 250 * NS_PER_MS);
    assert_true(d->servo[0].tripped && d->servo[1].tripped);
    assert_int_equal(desk_reg(d, 0, DXL_PROFILE_VELOCITY), 0);
    const int from = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    for (int i = 0; i < 12; i++) {
        (void)desk_tick(d, NULL);
    }
    assert_int_equal(desk_find(d, from, 1, DXL_WRITE, DXL_WATCHDOG), -1);
    assert_true(d->servo[0].tripped && d->servo[1].tripped);
    assert_true((d->sensed.faults[0] & FAULT_WATCHDOG) != 0);

    const int arm = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const int cleared = desk_find(d, arm, 1, DXL_WRITE, DXL_WATCHDOG);
    const int profile = desk_find(d, arm, 1, DXL_WRITE, DXL_PROFILE_VELOCITY);
    const int back = desk_find(d, profile, 1, DXL_READ, DXL_PROFILE_VELOCITY);
    const int goal = desk_find(d, arm, 1, DXL_WRITE, DXL_GOAL_POSITION);
    assert_true(arm <= cleared && cleared < profile && profile < back && back < goal);
    assert_int_equal(d->sent[cleared].value, 0);
    check_arm_order(d, arm, 0);
    check_arm_order(d, arm, 1);
    assert_false(d->servo[0].tripped || d->servo[1].tripped);
    assert_int_equal(desk_reg(d, 0, DXL_PROFILE_VELOCITY), 261);
}

static void a_latched_error_needs_a_reboot(void **state)
{
    struct desk *d = *state;
    d->device[0].overload_at_s = 1.0;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    desk_wait(d, NS_PER_S);
    assert_int_equal(desk_reg(d, 0, DXL_TORQUE_ENABLE), 0);
    for (enum setup_goal goal = SETUP_ARM; goal <= SETUP_CLEAR; goal += SETUP_CLEAR - SETUP_ARM) {
        assert_int_equal(desk_setup(d, goal), SETUP_FAILED);
        assert_says(d, "joint joint1 (id 1 on bus servo): hardware error 0x20 is latched");
    }
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_REBOOT), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_int_equal(desk_reg(d, 0, DXL_TORQUE_ENABLE), 1);
}

static void a_zero_is_kept_by_the_robot_file(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ZERO), SETUP_FAILED);
    assert_says(d,
                "joint joint1 (id 1 on bus servo): keeps no zero of its own; set joints.zero_rad");
}

static void disarm_goes_on_past_a_silent_servo(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    servo_set(&d->servo[0], DXL_ID, 77); /* it is not there any more */
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_FAILED);
    assert_says(d, "joint joint1 (id 1 on bus servo): torque off could not be read back");
    assert_int_equal(d->setup.torque_off, 6);
    assert_int_equal(desk_reg(d, 1, DXL_TORQUE_ENABLE), 0);
}

static void a_mute_servo_is_told_to_speak(void **state)
{
    struct desk *d = *state;
    for (int level = 0; level < 2; level++) {
        desk_power(d);
        servo_set(&d->servo[1], DXL_STATUS_LEVEL, level);
        assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
        assert_int_equal(desk_reg(d, 1, DXL_STATUS_LEVEL), 2);
    }
}

static void another_baud_rate_is_silence(void **state)
{
    struct desk *d = *state;
    d->device[2].factory_new = true; /* 57,600 baud, id 1 */
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d, "joint joint3 (id 3 on bus servo): does not answer as it should");
    assert_says(d, "basalctl scan");
}

/* A servo that says yes to everything and remembers nothing. */
static int forgetful(const uint8_t *tx, int n, uint8_t *ret_rx, size_t cap)
{
    struct dxl_packet p;
    uint8_t params[16] = {0, 0x24, 0x04, 45};
    assert_int_equal(dxl_parse(tx, (size_t)n, &p), n);
    size_t n_params = p.instruction == DXL_PING ? 4 : 1;
    if (p.instruction == DXL_READ) {
        memset(params, 0, sizeof params);
        n_params += dxl_get16(p.params + 2);
    }
    return dxl_build(p.id, DXL_STATUS, params, n_params, ret_rx, cap);
}

static void a_value_that_does_not_stay_is_named(void **state)
{
    struct desk *d = *state;
    desk_power(d);
    struct setup s = {.goal = SETUP_IDENTIFY, .bus = &d->bus};
    uint8_t tx[64], rx[64];
    size_t n_rx = 0;
    for (int64_t now_ns = 0; s.state == SETUP_BUSY && now_ns < NS_PER_S; now_ns += NS_PER_MS) {
        const int n = desk_driver()->setup(&s, now_ns, rx, n_rx, tx, sizeof tx);
        n_rx -= s.used;
        n_rx = n > 0 ? (size_t)forgetful(tx, n, rx, sizeof rx) : n_rx;
    }
    assert_int_equal(s.state, SETUP_FAILED);
    assert_non_null(strstr(s.why, "joint joint1 (id 1 on bus servo): register 68 stays 0 although "
                                  "2 was written; check for a latched error"));
}

/* A status of the right servo and the wrong size answers something else. */
static void an_answer_of_another_size_is_none(void **state)
{
    struct desk *d = *state;
    desk_power(d);
    struct setup s = {.goal = SETUP_IDENTIFY, .bus = &d->bus};
    uint8_t tx[64], rx[64], params[9] = {0};
    assert_true(desk_driver()->setup(&s, 0, NULL, 0, tx, sizeof tx) > 0); /* a ping */
    for (size_t n = 1; n <= 9; n++) {
        const int stage = s.stage;
        const int n_rx = dxl_build(1, DXL_STATUS, params, n, rx, sizeof rx);
        if (n == 4) {
            continue; /* that would be a pong */
        }
        assert_int_equal(desk_driver()->setup(&s, 1, rx, (size_t)n_rx, tx, sizeof tx), 0);
        assert_int_equal(s.used, n_rx);
        assert_int_equal(s.stage, stage);
        assert_int_equal(s.state, SETUP_BUSY);
    }
    assert_int_equal(d->bus.bad_replies, 8);
    assert_false(d->bus.id[0].known);
}

/*
 * Whatever the wire does to the answers, one by one: a set-up that says it is done has left every
 * register as it should be, torque came only after the goal, and one that fails says why.
 */
static void damage_never_makes_a_wrong_setup(void **state)
{
    struct desk *d = *state;
    uint64_t injected = 0;
    int done = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        desk_init(d, 3, true);
        for (int j = 0; j < 2; j++) { /* gains of one value: an answer about one fits the next */
            d->settings[j] = (struct dxl_config){.position_p = 700,
                                                 .position_i = 700,
                                                 .position_d = 700,
                                                 .profile_velocity_frac = 1};
        }
        d->truth.q[0] = 0.3;
        d->truth.q[1] = -0.4;
        desk_power(d);
        rng_seed(&d->wire.st.rng, seed);
        d->wire.config.late_ns = 20 * NS_PER_MS;
        for (int k = 0; k < WIRE_FAULTS; k++) {
            d->wire.config.p[k] = k == WIRE_DUPLICATED ? 0.3 : 0.03;
        }
        bool good = desk_setup(d, SETUP_IDENTIFY) == SETUP_DONE;
        const int from = d->n_sent;
        for (int j = 0; j < 2; j++) { /* as a trip leaves it */
            servo_set(&d->servo[j], DXL_WATCHDOG, 10);
            d->servo[j].tripped = true;
        }
        good = good && desk_setup(d, SETUP_ARM) == SETUP_DONE;
        for (int k = 0; k < WIRE_FAULTS; k++) {
            injected += d->wire.st.injected[k];
        }
        if (!good) {
            assert_true(d->setup.why[0] != '\0');
            continue;
        }
        done++;
        for (int j = 0; j < 2; j++) {
            const double q = (double)(desk_reg(d, j, DXL_GOAL_POSITION) - 2048) * DXL_RAD_PER_COUNT;
            assert_true(fabs(q - (j == 0 ? 0.3 : -0.4)) < DXL_RAD_PER_COUNT);
            assert_int_equal(desk_reg(d, j, DXL_TORQUE_ENABLE), 1);
            assert_int_equal(desk_reg(d, j, DXL_WATCHDOG), 10);
            assert_false(d->servo[j].tripped);
            assert_int_equal(desk_reg(d, j, DXL_POSITION_P), 700);
            assert_int_equal(desk_reg(d, j, DXL_POSITION_I), 700);
            assert_int_equal(desk_reg(d, j, DXL_POSITION_D), 700);
            assert_int_equal(desk_reg(d, j, DXL_PROFILE_VELOCITY), 209);
            assert_int_equal(desk_reg(d, j, DXL_POSITION_MAX), 2048 + 326);
            const uint8_t id = (uint8_t)(j + 1);
            const int goal = desk_find(d, from, id, DXL_WRITE, DXL_GOAL_POSITION);
            const int torque = desk_find(d, from, id, DXL_WRITE, DXL_TORQUE_ENABLE);
            assert_true(from < goal && goal < torque);
        }
        assert_int_equal(desk_reg(d, 2, DXL_TORQUE_ENABLE), 0);
    }
    print_message("%d of 60 done, %llu faults\n", done, (unsigned long long)injected);
    assert_true(done > 30 && injected > 1000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(identify_sets_limits_and_writes_only_what_differs),
        TEST(current_limit_is_set_where_current_is_measured),
        TEST(arm_holds_the_measured_pose),
        TEST(torque_ramps_by_goal_pwm),
        TEST(another_model_or_firmware_is_refused),
        TEST(what_goes_on_in_silence_arms_only_when_accepted),
        TEST(silence_is_known_per_model_mode_and_firmware),
        TEST(a_pose_outside_the_limits_cannot_arm),
        TEST(a_pose_a_little_outside_arms_with_the_end_of_its_range_as_goal),
        TEST(a_range_beyond_one_turn_is_refused),
        TEST(after_a_trip_only_arm_clears),
        TEST(a_latched_error_needs_a_reboot),
        TEST(a_zero_is_kept_by_the_robot_file),
        TEST(disarm_goes_on_past_a_silent_servo),
        TEST(a_mute_servo_is_told_to_speak),
        TEST(another_baud_rate_is_silence),
        TEST(a_value_that_does_not_stay_is_named),
        TEST(an_answer_of_another_size_is_none),
        TEST(damage_never_makes_a_wrong_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
