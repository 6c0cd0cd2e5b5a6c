/*
 * The mini-cheetah's firmware and AK motors: the emulated motor against frames of the firmware's
 * packing and of the AK manual, then the driver against it.
 */
#include "tests/unit/can_desk.h"

#include <errno.h>

static struct can_desk *open_motors(const char *motor)
{
    struct can_desk *d = desk_open("cheetah", 2);
    for (int j = 0; j < 2; j++) {
        desk_set(d, j, false, "motor", motor);
        desk_set(d, j, true, "motor", motor);
        desk_set(d, j, false, "t_max_nm", "18");
    }
    return d;
}

static int open_cheetah(void **state)
{
    struct can_desk *d = open_motors("mini_cheetah");
    for (int j = 0; j < 2; j++) {
        desk_set(d, j, false, "timeout_set", "true");
        desk_set(d, j, true, "timeout_cycles", "800"); /* 20 ms */
    }
    *state = d;
    return 0;
}

static int open_ak(void **state)
{
    struct can_desk *d = open_motors("ak80_9");
    d->robot.bus[0].accept_no_device_watchdog = true;
    *state = d;
    return 0;
}

static int close_desk(void **state)
{
    desk_close(*state);
    return 0;
}

static void arm(struct can_desk *d)
{
    desk_power(d);
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(d->setup.torque_off, 3);
    if (desk_setup(d, SETUP_ARM) != SETUP_DONE) {
        fail_msg("%s", d->setup.why);
    }
}

static void a_mini_cheetahs_frames(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame f;
    d->robot.joint[0].id = 2;
    d->robot.joint[1].id = 3;
    d->truth.q[0] = -0.25;
    desk_power(d);
    d->truth.volt_v[0] = 20.1f;
    desk_wait(d, NS_PER_MS);
    assert_int_equal(desk_answer_of(d, "002#7FFF7FF0000007FF", &f), 1);
    assert_frame(&f, "000#027D707FF7FF80");
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    assert_int_equal(desk_answer_of(d, "002#FFFFFFFFFFFFFFFC", &f), 1);
    assert_int_equal(d->cmd.mode[0], MODE_IMPEDANCE);
    assert_int_equal(desk_answer_of(d, "002#FFFFFFFFFFFFFFFE", &f), 1); /* not while enabled */
    assert_int_equal(desk_answer_of(d, "002#7FFF7FF0000007FF", &f), 1);
    assert_frame(&f, "000#027D707FF7FF80");
    assert_int_equal(desk_answer_of(d, "002#FFFFFFFFFFFFFFFD", &f), 1);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    assert_int_equal(desk_answer_of(d, "002#FFFFFFFFFFFFFFFE", &f), 1);
    assert_frame(&f, "000#027D707FF7FF80"); /* the state before */
    assert_int_equal(desk_answer_of(d, "002#7FFF7FF0000007FF", &f), 1);
    assert_frame(&f, "000#027FFF7FF7FF80");
    d->bus.pending = 1;
    assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), 1);
    assert_true(fabs((double)d->sensed.volt_v[0] - 20.08) < 0.01);
}

static void an_aks_frames(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame tx[2];
    d->truth.q[0] = 0.5;
    arm(d);
    assert_true(desk_find(d, 0, "001#FFFFFFFFFFFFFFFC") > 0);
    struct command c = desk_command(d, MODE_IMPEDANCE, 0.5, 100.0);
    c.qd[0] = 1.0;
    c.kp[0] = 20.0;
    c.kd[0] = 0.5;
    c.tau[0] = 0.8;
    assert_int_equal(d->driver->goals(&d->bus, &c, tx, 2), 2);
    assert_frame(&tx[0], "001#851E8280A319985A");
    assert_int_equal(d->driver->stop(&d->bus, STOP_OFF, tx, 2), 2);
    assert_frame(&tx[1], "002#FFFFFFFFFFFFFFFD");
    assert_int_equal(d->driver->stop(&d->bus, STOP_HOLD, tx, 2), -ENOTSUP);

    const struct {
        const char *frame;
        int rc;
        uint32_t faults;
    } rows[] = {
        {"000#01851E82885A1F00", 1, 0},
        {"001#01851E82885A1F01", 1, FAULT_OVERHEAT},
        {"011#01851E82885A1F02", 1, FAULT_ELECTRICAL},
        {"000#01851E82885A1F03", 1, FAULT_VOLTAGE},
        {"000#01851E82885A1F05", 1, FAULT_ENCODER},
        {"000#01851E82885A1F09", 1, FAULT_ALERT},
        {"000#01851E82885A", 1, FAULT_ALERT}, /* older firmware: says nothing of it */
        {"000#01851E8288", 0, 0},
        {"000#09851E82885A1F00", 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct canfd_frame f = desk_frame(rows[i].frame);
        d->bus.pending = 3;
        assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), rows[i].rc);
        assert_int_equal(d->bus.pending, rows[i].rc == 1 ? 2 : 3);
        if (rows[i].rc == 1) {
            assert_int_equal(d->sensed.faults[0], rows[i].faults);
            assert_true(fabs(d->sensed.q[0] - 0.5) < 4e-4);
            assert_true(fabs(d->sensed.qd[0] - 1.0) < 0.03 && fabs(d->sensed.tau[0] - 0.8) < 0.01);
            assert_true(d->sensed.temp_c[0] == 31.0f);
        }
    }
}

static void goals_reach_the_joint(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    desk_ticks(d, &c, 400);
    assert_int_equal(d->missed, 0);
    for (int j = 0; j < 2; j++) {
        assert_true(fabs(d->truth.q[j] - 0.5) < 0.01);
        assert_true(fabs(d->sensed.q[j] - d->truth.q[j]) < 1e-3);
    }
    c = desk_command(d, MODE_OFF, 0.0, 0.0);
    desk_tick(d, &c);
    assert_int_equal(d->missed, 0);
    assert_true(d->cmd.kp[0] == 0.0 && d->cmd.kd[0] == 0.0);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    desk_tick(d, &c); /* off and still seen */
    assert_int_equal(d->missed, 0);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    d->truth.qd[0] = d->truth.qd[1] = 0.0; /* at rest */
    assert_int_equal(desk_setup(d, SETUP_ZERO), SETUP_DONE);
    desk_tick(d, &c);
    assert_true(fabs(d->sensed.q[0]) < 4e-4);
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_FAILED);
}

static void silence_zeroes_a_mini_cheetahs_commands(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    assert_int_equal(d->bus.id[0].silence, SILENCE_OFF);
    const struct command c = desk_command(d, MODE_POSITION, 1.0, 4.0);
    desk_ticks(d, &c, 5);
    assert_true(d->cmd.kp[0] > 1.0);
    desk_wait(d, 25 * NS_PER_MS);
    assert_int_equal(d->cmd.mode[0], MODE_IMPEDANCE);
    assert_true(d->cmd.kp[0] == 0.0 && d->cmd.kd[0] == 0.0 && d->cmd.tau[0] == 0.0);
}

static void what_goes_on_in_silence_arms_only_when_accepted(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    assert_int_equal(d->bus.id[0].silence, SILENCE_KEEPS_GOING);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    d->robot.bus[0].accept_no_device_watchdog = false;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "joint joint1 (id 1 on bus can): goes on moving when the bus is silent");
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
}

static void settings_that_cannot_be_read_must_be_given(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, false, "t_max_nm", "0");
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): t_max_nm is not set");
    desk_set(d, 1, false, "t_max_nm", "3");
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    desk_says(d, "needs a torque of 4 at the motor, whose range ends at 3");
}

static void an_aks_errors(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 0, true, "error_at_s", "0.5");
    desk_set(d, 1, true, "hot_at_s", "0.5");
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    while (d->now_ns < NS_PER_S / 2 - PERIOD) {
        desk_tick(d, &c);
    }
    assert_int_equal(d->sensed.faults[0], 0);
    desk_ticks(d, &c, 1);
    desk_wait(d, 2 * PERIOD);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    assert_int_equal(d->cmd.mode[1], MODE_OFF);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "joint joint1 (id 1 on bus can)");
}

int main(void)
{
#define CHEETAH(f) cmocka_unit_test_setup_teardown(f, open_cheetah, close_desk)
#define AK(f)      cmocka_unit_test_setup_teardown(f, open_ak, close_desk)
    const struct CMUnitTest tests[] = {
        CHEETAH(a_mini_cheetahs_frames),
        AK(an_aks_frames),
        CHEETAH(goals_reach_the_joint),
        AK(goals_reach_the_joint),
        CHEETAH(silence_zeroes_a_mini_cheetahs_commands),
        AK(what_goes_on_in_silence_arms_only_when_accepted),
        CHEETAH(settings_that_cannot_be_read_must_be_given),
        AK(an_aks_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
