/*
 * RobStride, private protocol: the driver's frames and the emulated motor's, each against the same
 * bytes of the maker's manuals and Python SDK; then both against each other.
 */
#include "drivers/robstride.h"
#include "sim/firmware/robstride.h"
#include "tests/unit/can_desk.h"

#include <errno.h>

static int open_desk(void **state)
{
    struct can_desk *d = desk_open("robstride", 3);
    d->robot.joint[0].id = 0x7F;
    d->robot.joint[1].sign = -1;
    d->robot.joint[1].zero_rad = 0.25;
    d->robot.joint[2].gear = 2.0;
    d->truth.q[0] = 1.0;
    *state = d;
    return 0;
}

static int close_desk(void **state)
{
    desk_close(*state);
    return 0;
}

static struct rs_motor *motor(struct can_desk *d, int j)
{
    return (void *)d->device_state[j];
}

static struct rs_joint *joint(struct can_desk *d, int j)
{
    return (void *)d->driver_state[j];
}

static void bring_up(struct can_desk *d)
{
    desk_power(d);
    desk_wait(d, 5 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(d->setup.torque_off, 7);
}

static void arm(struct can_desk *d)
{
    bring_up(d);
    if (desk_setup(d, SETUP_ARM) != SETUP_DONE) {
        fail_msg("%s", d->setup.why);
    }
}

/* --- bytes --- */

static void the_drivers_frames(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame tx[4];
    d->robot.bus[0].watchdog_ms = 200;
    arm(d);
    assert_true(desk_find(d, 0, "0000FD7F#0000000000000000") >= 0); /* who */
    assert_true(desk_find(d, 0, "0400FD7F#00C4000000000000") >= 0); /* version */
    assert_true(desk_find(d, 0, "0400FD7F#0100000000000000") >= 0); /* clear */
    assert_true(desk_find(d, 0, "0300FD7F#0000000000000000") >= 0); /* enable */
    assert_true(desk_find(d, 0, "1200FD7F#28700000A00F0000") >= 0); /* timeout 0.2 s */
    assert_true(desk_find(d, 0, "1100FD7F#2870000000000000") >= 0); /* ... read back */
    assert_int_equal(d->driver->stop(&d->bus, STOP_OFF, tx, 4), 3);
    assert_frame(&tx[0], "0400FD7F#0000000000000000");
    assert_int_equal(d->driver->stop(&d->bus, STOP_DAMPED, tx, 4), -ENOTSUP);

    struct command c = desk_command(d, MODE_IMPEDANCE, 1.0, 100.0);
    c.kp[0] = 20.0;
    c.kd[0] = 0.5;
    c.tau[0] = 0.5;
    assert_int_equal(d->driver->goals(&d->bus, &c, tx, 4), 3);
    assert_frame(&tx[0], "0183C37F#8A2E7FFF0A3D1999");
    desk_set(d, 0, false, "p_max_rad", "12.5");
    assert_int_equal(d->driver->goals(&d->bus, &c, tx, 4), 3);
    assert_frame(&tx[0], "0183C37F#8A3C7FFF0A3D1999");
    d->robot.joint[0].id = 1;
    const struct mit_goal zero = {0};
    rs_control(&d->bus, 0, &zero, &tx[0]);
    assert_frame(&tx[0], "017FFF01#7FFF7FFF00000000");
    assert_int_equal(desk_setup(d, SETUP_ZERO), SETUP_FAILED); /* nobody has id 1 */
    assert_true(desk_find(d, 0, "0400FD01#") >= 0);
}

static void the_run_mode_is_written_where_it_differs(void **state)
{
    struct can_desk *d = *state;
    bring_up(d);
    assert_int_equal(rs_motor_write(motor(d, 0), RS_RUN_MODE, RS_MODE_PP), 0);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_true(desk_find(d, 0, "1200FD7F#0570000000000000") >= 0);
    assert_int_equal(desk_find(d, 0, "1200FD02#0570"), -1);
    assert_true(rs_motor_f32(motor(d, 0), RS_LIMIT_TORQUE) == 4.0f); /* tau_max_nm */
    assert_true(rs_motor_f32(motor(d, 2), RS_LIMIT_TORQUE) == 2.0f); /* through a gear of 2 */
}

static void the_motors_frames(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame f;
    desk_power(d);
    d->truth.temp_c[0] = 34.5f;
    desk_wait(d, NS_PER_MS);
    assert_int_equal(desk_answer_of(d, "0000FD7F#0000000000000000", &f), 1);
    assert_int_equal(f.can_id, CAN_EFF_FLAG | 0x00007FFE);
    assert_int_equal(desk_answer_of(d, "1100FD7F#1E70000000000000", &f), 1);
    assert_frame(&f, "11007FFD#1E7000000000F041");
    assert_int_equal(desk_answer_of(d, "1200FD7F#0570000001000000", &f), 1);
    assert_int_equal(f.can_id, CAN_EFF_FLAG | 0x02007FFD);
    assert_int_equal(*rs_motor_parameter(motor(d, 0), RS_RUN_MODE), 1);
    assert_int_equal(desk_answer_of(d, "1200FD7F#0570000000000000", &f), 1);
    assert_int_equal(desk_answer_of(d, "1200FD7F#28700000A00F0000", &f), 1);
    assert_int_equal(*rs_motor_parameter(motor(d, 0), RS_CAN_TIMEOUT), 4000);
    assert_int_equal(desk_answer_of(d, "1200FD7F#0A70000000000040", &f), 1);
    assert_true(rs_motor_f32(motor(d, 0), RS_SPD_REF) == 2.0f);
    assert_int_equal(desk_answer_of(d, "0183C37F#8A2E7FFF0A3D1999", &f), 1);
    assert_int_equal(d->cmd.mode[0], MODE_OFF); /* it is stopped */
    assert_int_equal(desk_answer_of(d, "0300FD7F#0000000000000000", &f), 1);
    motor(d, 0)->m.v = -2.0;
    motor(d, 0)->m.t = 0.5;
    rs_motor_feedback(motor(d, 0), d->now_ns);
    assert_frame(&motor(d, 0)->out.frame[0], "02807FFD#8A2E7A2E83C30159");
    motor(d, 0)->out.n = 0;
    assert_int_equal(desk_answer_of(d, "0183C37F#8A2E7FFF0A3D1999", &f), 1);
    assert_true(fabs(d->cmd.q[0] - 1.0) < 4e-4 && fabs(d->cmd.kp[0] - 20.0) < 0.01 &&
                fabs(d->cmd.kd[0] - 0.5) < 1e-4 && fabs(d->cmd.tau[0] - 0.5) < 1e-3);
    assert_int_equal(desk_answer_of(d, "0701FD7F#0000000000000000", &f), 1);
    assert_int_equal(f.can_id, CAN_EFF_FLAG | 0x000001FE);
    assert_int_equal(desk_answer_of(d, "0000FD7F#0000000000000000", &f), 0);
}

/* Under-voltage and stalled: the manual's fault frame, once, and the feedback's bits. */
static void the_motors_fault_frame(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame f;
    desk_set(d, 0, true, "fault", "17");
    desk_set(d, 0, true, "fault_at_s", "0.01");
    desk_power(d);
    desk_until(d, 12 * NS_PER_MS);
    assert_int_equal(d->n_rx, 1);
    assert_frame(&d->rx[0], "15007FFD#0440000000000000");
    assert_int_equal(desk_answer_of(d, "0300FD7F#0000000000000000", &f), 1);
    assert_int_equal(f.can_id, CAN_EFF_FLAG | 0x02117FFD); /* reset, and not enabled */
    assert_int_equal(desk_answer_of(d, "0400FD7F#0100000000000000", &f), 1);
    assert_int_equal(f.can_id, CAN_EFF_FLAG | 0x02007FFD);
}

static void feedback_is_decoded(void **state)
{
    struct can_desk *d = *state;
    arm(d);

    const struct {
        const char *frame;
        int rc, joint;
        double q, qd, tau;
        uint8_t torque;
        uint32_t faults;
        bool answers;
    } rows[] = {
        {"02807FFD#8A2E7A2E83C30159", 1, 0, 1, -2, 0.5, TORQUE_ON, 0, true},
        {"02017FFD#8A2E7A2E83C30159", 1, 0, 1, -2, 0.5, TORQUE_OFF, FAULT_VOLTAGE, true},
        {"02047FFD#8A2E7A2E83C30159", 1, 0, 1, -2, 0.5, TORQUE_OFF, FAULT_OVERHEAT, true},
        {"02087FFD#8A2E7A2E83C30159", 1, 0, 1, -2, 0.5, TORQUE_OFF, FAULT_ENCODER, true},
        {"02107FFD#8A2E7A2E83C30159", 1, 0, 1, -2, 0.5, TORQUE_OFF, FAULT_OVERLOAD, true},
        {"028002FD#8A2E7A2E83C30159", 1, 1, -0.75, 2, -0.5, TORQUE_ON, 0, true},
        {"028003FD#8A2E7A2E83C30159", 1, 2, 0.5, -1, 1, TORQUE_ON, 0, true},
        {"15007FFD#0440000000000000", 1, 0, 1, -2, 0.5, TORQUE_OFF, FAULT_VOLTAGE | FAULT_OVERLOAD,
         false},
        {"02807FFD#8A2E7A2E83C30159", 1, 0, 1, -2, 0.5, TORQUE_ON, FAULT_VOLTAGE | FAULT_OVERLOAD,
         true}, /* until it is cleared */
        {"028009FD#8A2E7A2E83C30159", 0, 0, 0, 0, 0, 0, 0, false},
        {"02807FFC#8A2E7A2E83C30159", 0, 0, 0, 0, 0, 0, 0, false}, /* for another host */
        {"02807FFD#8A2E7A2E83C3", 0, 0, 0, 0, 0, 0, 0, false},
        {"0FD#8A2E7A2E83C30159", 0, 0, 0, 0, 0, 0, 0, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct canfd_frame f = desk_frame(rows[i].frame);
        const int j = rows[i].joint;
        d->bus.pending = 7;
        d->sensed.faults[j] = 0;
        assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), rows[i].rc);
        assert_int_equal(d->bus.pending, rows[i].answers ? 7 & ~(1u << j) : 7);
        if (rows[i].rc == 1) {
            assert_int_equal(d->sensed.faults[j], rows[i].faults);
        }
        if (rows[i].answers) {
            assert_true(fabs(d->sensed.q[j] - rows[i].q) < 4e-4);
            assert_true(fabs(d->sensed.qd[j] - rows[i].qd) < 2e-3);
            assert_true(fabs(d->sensed.tau[j] - rows[i].tau) < 2e-3);
            assert_true(fabs((double)d->sensed.temp_c[j] - 34.5) < 1e-3);
            assert_int_equal(d->sensed.torque[j], rows[i].torque);
        }
    }
}

/* --- driver and motor --- */

static void identify_and_arm(void **state)
{
    struct can_desk *d = *state;
    d->truth.q[0] = 0.75;
    bring_up(d);
    assert_int_equal(d->bus.id[0].firmware, 0x00000206); /* 0.0.2.6 */
    assert_int_not_equal(d->bus.id[0].serial, d->bus.id[1].serial);
    assert_int_equal(d->bus.id[0].silence, SILENCE_OFF);
    const int from = d->n_log;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const int enable = desk_find(d, from, "0300FD7F#");
    assert_true(enable > desk_find(d, from, "1200FD03#2870")); /* the last one's timeout */
    assert_true(d->log[desk_find(d, from, "0300FD03#")].t_ns - d->log[enable].t_ns < NS_PER_MS);
    assert_true(fabs(d->setup.q[0] - 0.75) < 4e-4);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(motor(d, j)->state, RS_RUN);
        assert_true(motor(d, j)->goal.kp == 0.0 && motor(d, j)->goal.kd == 0.0);
    }
    motor(d, 1)->uid[3] ^= 1;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): another motor answers than was identified");
}

static void limits_beyond_its_ranges_are_refused(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, false, "motor", "rs03");
    d->robot.joint[1].qd_max = 21;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    desk_says(d, "needs a velocity of 21 at the motor, whose range ends at 20");
}

/* A motor that scales its positions by 12.5 where the host means 12.57. */
static void a_wrong_range_is_found_out(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 0, true, "p_max_rad", "12.5");
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "its feedback means 1.005");
    desk_says(d, "its parameter 7019 1.0000; p_max_rad is not this motor's: try 12.5 or 12.57");
    assert_int_equal(motor(d, 0)->state, RS_RESET);
    desk_set(d, 0, false, "p_max_rad", "12.5");
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
}

static void goals_by_mode_reach_the_joint(void **state)
{
    struct can_desk *d = *state;
    d->truth.q[0] = 0.0;
    arm(d);
    struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    desk_ticks(d, &c, 400);
    assert_int_equal(d->missed, 0);
    for (int j = 0; j < 3; j++) {
        assert_true(fabs(d->truth.q[j] - 0.5) < 0.01);
        assert_true(fabs(d->sensed.q[j] - d->truth.q[j]) < 1e-3);
    }
    c = desk_command(d, MODE_VELOCITY, 0.0, 4.0);
    c.qd[1] = -0.8;
    desk_ticks(d, &c, 200);
    assert_true(fabs(d->truth.qd[1] + 0.8) < 0.05);
    c = desk_command(d, MODE_EFFORT, 0.0, 4.0);
    c.tau[2] = 0.5;
    desk_tick(d, &c);
    assert_true(fabs(d->truth.tau[2] - 0.5) < 0.02 && d->cmd.kp[2] == 0.0);
    c = desk_command(d, MODE_OFF, 0.0, 0.0);
    desk_tick(d, &c);
    assert_true(d->truth.tau[0] == 0.0 || fabs(d->truth.tau[0]) < 1e-2);
    assert_int_equal(d->missed, 0);
}

static void silence_trips_the_motors_own_timeout(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 1.0, 4.0);
    desk_ticks(d, &c, 10);
    assert_int_equal(motor(d, 0)->state, RS_RUN);
    desk_wait(d, 20 * NS_PER_MS);
    assert_int_equal(motor(d, 0)->state, RS_RESET);
    desk_tick(d, &c);
    assert_int_equal(d->sensed.torque[0], TORQUE_OFF);
    assert_int_equal(d->missed, 0);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    desk_tick(d, &c);
    assert_int_equal(d->sensed.torque[0], TORQUE_ON);
}

static void errors_on_demand(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 0, true, "fault_at_s", "1");
    desk_set(d, 1, true, "hot_at_s", "1");
    desk_set(d, 2, true, "brownout_at_s", "1");
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    while (d->now_ns < NS_PER_S + 2 * PERIOD) {
        desk_tick(d, &c);
    }
    assert_int_equal(d->sensed.faults[0], FAULT_OVERLOAD);
    assert_int_equal(d->sensed.faults[1], FAULT_OVERHEAT);
    assert_int_equal(d->sensed.faults[2], 0);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(d->sensed.torque[j], TORQUE_OFF);
    }
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_FAILED); /* one is still hot */
    desk_says(d, "joint joint2 (id 2 on bus can): reports too hot (faults 0x04)");
    assert_int_equal(motor(d, 0)->faults, 0);
    desk_tick(d, &c);
    assert_int_equal(d->sensed.faults[0], 0);
}

static void disarm_goes_on_past_a_silent_motor(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    d->unplugged = 2;
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): torque off could not be read back");
    assert_int_equal(d->setup.torque_off, 5);
    assert_int_equal(motor(d, 2)->state, RS_RESET);
}

static void zero_is_here(void **state)
{
    struct can_desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ZERO), SETUP_DONE);
    assert_true(desk_find(d, 0, "0600FD7F#0100000000000000") >= 0);
    assert_true(fabs(joint(d, 0)->can.p_rad) < 4e-4);
    const struct command c = desk_command(d, MODE_OFF, 0.0, 0.0);
    desk_tick(d, &c);
    assert_true(fabs(d->sensed.q[0]) < 4e-4);
}

static void the_load_is_said(void **state)
{
    struct can_desk *d = *state;
    struct can_load load;
    d->driver->load(&d->robot, 0, &load);
    assert_int_equal(load.n, 1);
    assert_int_equal(load.frames[0].n, 6);
    assert_int_equal(load.frames[0].bytes, 8);
    assert_true(load.frames[0].extended);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(the_drivers_frames),
        TEST(the_run_mode_is_written_where_it_differs),
        TEST(the_motors_frames),
        TEST(the_motors_fault_frame),
        TEST(feedback_is_decoded),
        TEST(identify_and_arm),
        TEST(limits_beyond_its_ranges_are_refused),
        TEST(a_wrong_range_is_found_out),
        TEST(goals_by_mode_reach_the_joint),
        TEST(silence_trips_the_motors_own_timeout),
        TEST(errors_on_demand),
        TEST(disarm_goes_on_past_a_silent_motor),
        TEST(zero_is_here),
        TEST(the_load_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
