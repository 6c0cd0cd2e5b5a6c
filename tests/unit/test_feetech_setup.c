/* The set-up of Feetech servos against emulated ones: what is written, in which order, and when it
 * is refused. */
#include "tests/unit/feetech_fixture.h"

static int open_three(void **state)
{
    const int rc = open_desk(state);
    if (rc == 0) {
        desk_init(*state, 3, true);
    }
    return rc;
}

static int lasting_writes(const struct desk *d, int from)
{
    int n = 0;
    for (int i = from; i < d->n_sent; i++) {
        n += d->sent[i].instruction == FEETECH_WRITE && d->sent[i].addr < FEETECH_EEPROM_END;
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

/* What power cycling leaves of a register. */
static int32_t after_power(struct desk *d, int j, uint8_t addr)
{
    struct sts copy = d->servo[j];
    sts_power_up(&copy, 0);
    return sts_get(&copy, addr);
}

static void identify_sets_limits_and_writes_only_what_differs(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(d->bus.id[j].model, 777);
        assert_int_equal(d->bus.id[j].firmware, 310);
        assert_int_equal(d->bus.id[j].silence, SILENCE_NONE);
        assert_int_equal(desk_reg(d, j, FEETECH_LOCK), 1);
    }
    for (int j = 0; j < 2; j++) {
        assert_int_equal(after_power(d, j, FEETECH_POSITION_MIN),
                         2048 - 326); /* -0.5 rad, outwards */
        assert_int_equal(after_power(d, j, FEETECH_POSITION_MAX), 2048 + 326);
        assert_int_equal(after_power(d, j, FEETECH_TORQUE_MAX), 681); /* 2.0 of 2.94 Nm, up */
        assert_int_equal(after_power(d, j, FEETECH_TORQUE_LIMIT), 681);
    }
    assert_int_equal(after_power(d, 2, FEETECH_POSITION_MAX), 4095); /* a wheel is left alone */
    assert_int_equal(lasting_writes(d, 0), 6);

    const int from = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(d->setup.written, 0);
    assert_int_equal(lasting_writes(d, from), 0);
    d->robot.joint[1].tau_max = 1.0;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(d->setup.written, 1);
    assert_int_equal(lasting_writes(d, from), 1);
}

/* The lock is open before the first lasting write of a joint and closed after its last. */
static void the_lock_is_open_no_longer_than_needed(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    for (uint8_t id = 1; id <= 2; id++) {
        const int open = desk_find(d, 0, id, FEETECH_WRITE, FEETECH_LOCK);
        const int closed = desk_find(d, open + 1, id, FEETECH_WRITE, FEETECH_LOCK);
        assert_true(open >= 0 && closed > open);
        assert_int_equal(d->sent[open].value, 0);
        assert_int_equal(d->sent[closed].value, 1);
        for (int i = 0; i < d->n_sent; i++) {
            assert_false(d->sent[i].id == id && d->sent[i].instruction == FEETECH_WRITE &&
                         d->sent[i].addr < FEETECH_EEPROM_END && (i < open || i > closed));
        }
    }
}

static void settings_of_the_robot_file_are_written(void **state)
{
    struct desk *d = *state;
    d->settings[0].position_p = 16;
    d->settings[0].position_d = 24;
    d->settings[0].position_i = 3;
    d->settings[0].protection_ma = 1625;
    d->settings[0].overload_percent = 25;
    d->settings[0].return_delay_us = 40;
    d->settings[1].offset_counts = -100;
    d->settings[0].profile_acceleration_frac = 1.0;
    bring_up(d);
    assert_int_equal(after_power(d, 0, FEETECH_POSITION_P), 16);
    assert_int_equal(after_power(d, 0, FEETECH_POSITION_D), 24);
    assert_int_equal(after_power(d, 0, FEETECH_POSITION_I), 3);
    assert_int_equal(after_power(d, 0, FEETECH_PROTECTION_CURRENT), 250);
    assert_int_equal(after_power(d, 0, FEETECH_OVERLOAD_TORQUE), 25);
    assert_int_equal(after_power(d, 0, FEETECH_RETURN_DELAY), 20);
    assert_int_equal(after_power(d, 0, FEETECH_OFFSET), 0);
    assert_int_equal(after_power(d, 1, FEETECH_OFFSET), -100);
    assert_int_equal(after_power(d, 1, FEETECH_POSITION_P), 32); /* its own */
    const int offset = desk_find(d, 0, 2, FEETECH_WRITE, FEETECH_OFFSET);
    assert_int_equal(d->sent[offset].value, 0x0864); /* sign and magnitude */
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    /* 30 rad/s^2 in 100 counts, 3.75 rad/s in counts, both up; no limit is 0 */
    assert_int_equal(desk_reg(d, 0, FEETECH_ACCELERATION), 196);
    assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_SPEED), 2445);
    assert_int_equal(desk_reg(d, 1, FEETECH_ACCELERATION), 0);
    /* 100 counts further, and held there */
    assert_int_equal(desk_reg(d, 1, FEETECH_GOAL_POSITION), 2148);
    assert_int_equal(d->truth.q[1] == 0.0, true);
}

/* Of Phase only two bits are the driver's; the others stay what they were. */
static void phase_is_changed_in_two_bits(void **state)
{
    struct desk *d = *state;
    desk_power(d);
    d->servo[0].lasting[FEETECH_PHASE] = d->servo[0].regs[FEETECH_PHASE] = 0xF8;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(after_power(d, 0, FEETECH_PHASE), 0xEC);
    assert_int_equal(after_power(d, 1, FEETECH_PHASE), 12);
    assert_int_equal(desk_find(d, 0, 2, FEETECH_WRITE, FEETECH_PHASE), -1);
}

/* By the order of the bytes: ceiling 0, goal := present, read back, only then torque. */
static void check_arm_order(const struct desk *d, int from, int j, bool by_goal)
{
    const uint8_t id = (uint8_t)(j + 1);
    const int limit = desk_find(d, from, id, FEETECH_WRITE, FEETECH_TORQUE_LIMIT);
    const int pose = desk_find(d, from, id, FEETECH_READ, FEETECH_PRESENT_POSITION);
    const int goal = desk_find(d, pose, id, FEETECH_WRITE, FEETECH_GOAL_POSITION);
    const int back = desk_find(d, goal, id, FEETECH_READ, FEETECH_GOAL_POSITION);
    const int torque = desk_find(d, from, id, FEETECH_WRITE, FEETECH_TORQUE_ENABLE);
    const int armed = desk_find(d, back, id, FEETECH_READ, FEETECH_TORQUE_ENABLE);
    assert_true(from <= limit && limit < pose && pose < goal && goal < back && back < armed);
    assert_int_equal(d->sent[limit].value, 0);
    assert_true(by_goal ? torque == -1 : torque > back && d->sent[torque].value == 1);
}

static void arm_holds_the_measured_pose(void **state)
{
    struct desk *d = *state;
    for (int by_goal = 0; by_goal < 2; by_goal++) { /* some firmware turns torque on by a goal */
        d->device[0].goal_turns_on = d->device[1].goal_turns_on = by_goal != 0;
        d->truth.q[0] = 0.3;
        d->truth.q[1] = -0.4;
        bring_up(d);
        desk_wait(d, 5 * NS_PER_MS);
        const int from = d->n_sent;
        assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
        for (int j = 0; j < 2; j++) {
            check_arm_order(d, from, j, by_goal != 0);
            const double q = (desk_reg(d, j, FEETECH_GOAL_POSITION) - 2048) * FEETECH_RAD_PER_COUNT;
            assert_true(fabs(q - (j == 0 ? 0.3 : -0.4)) < FEETECH_RAD_PER_COUNT);
            assert_int_equal(desk_reg(d, j, FEETECH_TORQUE_ENABLE), 1);
            assert_int_equal(desk_reg(d, j, FEETECH_TORQUE_LIMIT), 0);
            assert_int_equal(desk_reg(d, j, FEETECH_GOAL_TIME), 0);
            assert_int_equal(desk_reg(d, j, FEETECH_GOAL_SPEED), 2445);
        }
        assert_int_equal(desk_reg(d, 2, FEETECH_TORQUE_ENABLE), 0);
        assert_int_equal(desk_find(d, from, 3, FEETECH_WRITE, FEETECH_GOAL_POSITION), -1);
        assert_int_equal(lasting_writes(d, from), 0);
        desk_wait(d, 50 * NS_PER_MS);
        assert_true(fabs(d->truth.q[0] - 0.3) < 1e-9); /* no torque before the ramp */
        d->n_sent = 0;
    }
}

static void torque_ramps_by_its_limit(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    for (int i = 0; i <= 5; i++) {
        const struct command c = desk_command(d, 0.0, 0.2 * i);
        (void)desk_tick(d, &c);
        assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_LIMIT), 200 * i);
    }
    /* an unacknowledged ceiling is repeated */
    const int from = d->n_sent;
    sts_set(&d->servo[0], FEETECH_TORQUE_LIMIT, 0);
    const struct command c = desk_command(d, 0.0, 1.0);
    for (int i = 0; i < 25; i++) {
        (void)desk_tick(d, &c);
    }
    assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_LIMIT), 1000);
    assert_true(desk_find(d, from, FEETECH_BROADCAST, FEETECH_SYNC_WRITE, FEETECH_TORQUE_LIMIT) >
                from);
}

static void it_goes_where_it_is_told(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const struct command c = desk_command(d, 0.4, 0.6);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(desk_tick(d, &c), 7);
    }
    (void)desk_read(d);
    assert_true(fabs(d->truth.q[0] - 0.4) < FEETECH_RAD_PER_COUNT);
    assert_true(fabs(d->sensed.q[0] - 0.4) < 2 * FEETECH_RAD_PER_COUNT);
    assert_int_equal(d->sensed.torque[0], TORQUE_ON);
    assert_int_equal(d->sensed.torque[2], TORQUE_OFF);
    assert_int_equal(d->bus.bad_replies + d->bus.bytes_lost + d->bus.crc_errors, 0);
}

static void another_model_or_firmware_is_refused(void **state)
{
    struct desk *d = *state;
    d->device[1].model = FEETECH_STS3250;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d, "joint joint2 (id 2 on bus servo): model 2825 answers, the robot file says 777");
    d->device[1].model = FEETECH_STS3215;
    d->robot.joint[1].firmware_min = 311;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d, "firmware 310, at least 311 is wanted");
}

/* No watchdog: silence leaves the last goal standing. The owner must say that it may. */
static void silence_must_be_accepted(void **state)
{
    struct desk *d = *state;
    d->robot.bus[0].accept_no_device_watchdog = false;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    assert_says(d, "joint joint1 (id 1 on bus servo): has no watchdog: when the bus is silent it "
                   "holds its last goal for ever");
    assert_says(d, "accept_no_device_watchdog: true");
    assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_ENABLE), 0);
    assert_false(driver_has_watchdog(&desk_driver()->info));
    assert_true(driver_has_watchdog(&serial_driver_find("dynamixel")->info));
    d->robot.bus[0].accept_no_device_watchdog = true;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    /* and so it is: a minute of silence, and it still holds */
    const struct command c = desk_command(d, 0.2, 1.0);
    for (int i = 0; i < 30; i++) {
        (void)desk_tick(d, &c);
    }
    desk_wait(d, 60 * NS_PER_S);
    assert_int_equal(d->cmd.mode[0], MODE_POSITION);
    assert_true(fabs(d->truth.q[0] - 0.2) < FEETECH_RAD_PER_COUNT);
}

static void a_pose_outside_the_limits_cannot_arm(void **state)
{
    struct desk *d = *state;
    d->truth.q[1] = 0.51;
    bring_up(d);
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    assert_says(d, "joint joint2 (id 2 on bus servo): at 0.509 rad");
    assert_int_equal(desk_reg(d, 1, FEETECH_TORQUE_ENABLE), 0);
    d->robot.rest_outside_rad = 0.05;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_int_equal(desk_reg(d, 1, FEETECH_GOAL_POSITION), desk_reg(d, 1, FEETECH_POSITION_MAX));
}

static void what_is_wrong_now_stops_arming(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    d->truth.temp_c[0] = 75.0f;
    desk_wait(d, 5 * NS_PER_MS);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(desk_setup(d, k == 0 ? SETUP_ARM : SETUP_CLEAR), SETUP_FAILED);
        assert_says(d,
                    "joint joint1 (id 1 on bus servo): hardware error 0x04 is latched; remove the "
                    "cause, then cycle its power");
    }
    d->truth.temp_c[0] = 40.0f;
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
}

static void a_restart_over_the_bus_is_refused(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    const int from = d->n_sent;
    assert_int_equal(desk_setup(d, SETUP_REBOOT), SETUP_FAILED);
    assert_says(d, "cannot be started anew over its bus; cycle its power");
    assert_int_equal(d->n_sent, from);
}

static void disarm_goes_on_past_a_silent_servo(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    d->servo[0].c.silent_at_s = 1e-3;
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_FAILED);
    assert_says(d, "joint joint1 (id 1 on bus servo): torque off could not be read back");
    assert_int_equal(d->setup.torque_off, 6);
    assert_int_equal(desk_reg(d, 1, FEETECH_TORQUE_ENABLE), 0);
}

static void silence_after_an_overload_is_named(void **state)
{
    struct desk *d = *state;
    bring_up(d);
    d->sensed.faults[0] = FAULT_OVERLOAD;
    d->servo[0].c.silent_at_s = 1e-3;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    assert_says(d,
                "it was overloaded and does not answer as it should; remove the load, then cycle "
                "its power");
}

/* At level 0 writes are not answered: done, read back, and then it answers. */
static void a_servo_that_answers_no_writes_is_told_to(void **state)
{
    struct desk *d = *state;
    desk_power(d);
    d->servo[1].regs[FEETECH_RETURN_LEVEL] = 0;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_reg(d, 1, FEETECH_RETURN_LEVEL), 1);
}

/*
 * Whatever the wire does to the answers, one by one: a set-up that says it is done has left every
 * register as it should be, and one that fails says why.
 */
static void damage_never_makes_a_wrong_setup(void **state)
{
    struct desk *d = *state;
    uint64_t injected = 0;
    int done = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        desk_init(d, 3, true);
        d->settings[0].position_p = d->settings[0].position_i = d->settings[0].position_d = 70;
        d->truth.q[0] = 0.25;
        desk_power(d);
        rng_seed(&d->wire.st.rng, seed);
        d->wire.config.late_ns = 6 * NS_PER_MS;
        for (int k = 0; k < WIRE_FAULTS; k++) {
            d->wire.config.p[k] = 0.02;
        }
        desk_wait(d, 5 * NS_PER_MS);
        const bool good =
            desk_setup(d, SETUP_IDENTIFY) == SETUP_DONE && desk_setup(d, SETUP_ARM) == SETUP_DONE;
        for (int k = 0; k < WIRE_FAULTS; k++) {
            injected += d->wire.st.injected[k];
        }
        done += good;
        if (!good) {
            assert_true(d->setup.why[0] != '\0');
            continue;
        }
        assert_int_equal(desk_reg(d, 0, FEETECH_POSITION_I), 70);
        assert_int_equal(desk_reg(d, 0, FEETECH_POSITION_MIN), 2048 - 326);
        assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_MAX), 681);
        assert_int_equal(desk_reg(d, 0, FEETECH_GOAL_POSITION), 2048 + 163);
        assert_int_equal(desk_reg(d, 1, FEETECH_GOAL_POSITION), 2048);
        assert_int_equal(desk_reg(d, 0, FEETECH_TORQUE_ENABLE), 1);
    }
    assert_true(injected > 300 && done > 40);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_three, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(identify_sets_limits_and_writes_only_what_differs),
        TEST(the_lock_is_open_no_longer_than_needed),
        TEST(settings_of_the_robot_file_are_written),
        TEST(phase_is_changed_in_two_bits),
        TEST(arm_holds_the_measured_pose),
        TEST(torque_ramps_by_its_limit),
        TEST(it_goes_where_it_is_told),
        TEST(another_model_or_firmware_is_refused),
        TEST(silence_must_be_accepted),
        TEST(a_pose_outside_the_limits_cannot_arm),
        TEST(what_is_wrong_now_stops_arming),
        TEST(a_restart_over_the_bus_is_refused),
        TEST(disarm_goes_on_past_a_silent_servo),
        TEST(silence_after_an_overload_is_named),
        TEST(a_servo_that_answers_no_writes_is_told_to),
        TEST(damage_never_makes_a_wrong_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
