/*
 * Damiao: the driver's frames and the emulated motor's, each against the same bytes of openarm_can,
 * the vendor's wiki and a captured motor; then both against each other: identify, arm, goals,
 * states, errors, timeout, disarm.
 */
#include "drivers/damiao.h"
#include "sim/firmware/damiao.h"
#include "tests/unit/can_desk.h"

#include <errno.h>

static int open_desk(void **state)
{
    struct can_desk *d = desk_open("damiao", 3);
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

static struct dm_motor *motor(struct can_desk *d, int j)
{
    return (void *)d->device_state[j];
}

static struct dm_joint *joint(struct can_desk *d, int j)
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
    arm(d);
    assert_true(desk_find(d, 0, "7FF#0100331500000000") >= 0); /* read PMAX */
    assert_true(desk_find(d, 0, "001#FFFFFFFFFFFFFFFC") >= 0);
    assert_true(desk_find(d, 0, "001#FFFFFFFFFFFFFFFD") >= 0);
    assert_true(desk_find(d, 0, "001#FFFFFFFFFFFFFFFB") >= 0);
    assert_true(desk_find(d, 0, "7FF#0100CC0000000000") >= 0);
    assert_int_equal(d->driver->stop(&d->bus, STOP_OFF, tx, 4), 3);
    assert_frame(&tx[2], "003#FFFFFFFFFFFFFFFD");
    assert_int_equal(d->driver->stop(&d->bus, STOP_BRAKE, tx, 4), -ENOTSUP);
    assert_int_equal(d->driver->stop(&d->bus, STOP_OFF, tx, 2), -ENOSPC);

    struct command c = desk_command(d, MODE_IMPEDANCE, 1.0, 100.0);
    c.kp[0] = 50.0;
    c.kd[0] = 1.0;
    assert_int_equal(d->driver->goals(&d->bus, &c, tx, 4), 3);
    assert_frame(&tx[0], "001#8A3C7FF1993337FF");
    c.q[0] = -1.5;
    c.qd[0] = 2.0;
    c.kp[0] = 240.0;
    c.kd[0] = 5.0;
    c.tau[0] = -3.25;
    joint(d, 0)->can.p_rad = -1.5; /* so that no ceiling is met */
    c.tau_max[0] = 1000.0;
    assert_int_equal(d->driver->goals(&d->bus, &c, tx, 4), 3);
    assert_frame(&tx[0], "001#70A38887ADFFF566");
}

static void the_timeout_and_the_mode_as_bytes(void **state)
{
    struct can_desk *d = *state;
    d->robot.bus[0].watchdog_ms = 100;
    desk_set(d, 0, true, "sw_version", "5015");
    desk_power(d);
    desk_wait(d, 5 * NS_PER_MS);
    dm_motor_write(motor(d, 0), DM_CTRL_MODE, DM_MODE_VEL);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const int mode = desk_find(d, 0, "7FF#0100550A01000000");
    const int timeout = desk_find(d, 0, "7FF#01005509D0070000");
    const int back = desk_find(d, timeout, "7FF#01003309");
    const int limp = desk_find(d, back, "001#8A3C7FF0000007FF"); /* measured pose, no gain */
    const int enable = desk_find(d, limp, "001#FFFFFFFFFFFFFFFC");
    assert_true(mode > 0 && timeout > mode && back > timeout && limp > back && enable > limp);
    assert_int_equal(desk_find(d, 0, "7FF#0200550A"), -1); /* written only where it differs */
    assert_int_equal(desk_find(d, 0, "001#FFFFFFFFFFFFFFFC"), enable);
    assert_int_equal(motor(d, 0)->regs[DM_TIMEOUT], 2000);
    assert_int_equal(motor(d, 0)->regs[DM_CTRL_MODE], DM_MODE_MIT);
    assert_int_equal(motor(d, 0)->flash[DM_TIMEOUT], 0); /* nothing is saved */
}

/* The motor alone, told by bytes: what the protocol's examples say it answers. */
static void the_motors_frames(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame f;
    desk_power(d);
    d->truth.temp_c[0] = 32.0f;
    desk_wait(d, NS_PER_MS);
    assert_int_equal(desk_answer_of(d, "7FF#0100331500000000", &f), 1);
    assert_frame(&f, "011#0100331500004841");
    assert_int_equal(desk_answer_of(d, "7FF#01005509D0070000", &f), 1);
    assert_frame(&f, "011#01005509D0070000");
    assert_int_equal(desk_answer_of(d, "7FF#0100CC0000000000", &f), 1);
    assert_frame(&f, "011#018A3C7FF7FF1F20"); /* disabled, 1.0 rad, 31 and 32 degrees */
    assert_int_equal(desk_answer_of(d, "001#8A3C7FF1993337FF", &f), 1);
    assert_frame(&f, "011#018A3C7FF7FF1F20"); /* disabled it answers and does not move */
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    assert_int_equal(desk_answer_of(d, "001#FFFFFFFFFFFFFFFC", &f), 1);
    assert_frame(&f, "011#118A3C7FF7FF1F20");
    assert_int_equal(desk_answer_of(d, "001#8A3C7FF1993337FF", &f), 1);
    assert_int_equal(d->cmd.mode[0], MODE_IMPEDANCE);
    assert_true(fabs(d->cmd.q[0] - 1.0) < 4e-4 && fabs(d->cmd.kp[0] - 50.0) < 0.13 &&
                fabs(d->cmd.kd[0] - 1.0) < 2e-3 && fabs(d->cmd.tau[0]) < 5e-3);
    desk_wait(d, 110 * NS_PER_MS); /* register 9 says 100 ms */
    assert_int_equal(desk_answer_of(d, "7FF#0100CC0000000000", &f), 1);
    assert_int_equal(f.data[0], 0xD1);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    assert_int_equal(desk_answer_of(d, "001#FFFFFFFFFFFFFFFC", &f), 1);
    assert_int_equal(f.data[0], 0xD1); /* not before it is cleared */
    assert_int_equal(desk_answer_of(d, "001#FFFFFFFFFFFFFFFB", &f), 1);
    assert_int_equal(f.data[0], 0x01);
    assert_int_equal(desk_answer_of(d, "009#FFFFFFFFFFFFFFFC", &f), 0); /* another's */
}

static void the_motors_other_modes(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame f;
    d->truth.q[0] = 0.0;
    desk_power(d);
    desk_wait(d, NS_PER_MS);
    assert_int_equal(desk_answer_of(d, "101#0000C03F0000A040", &f), 0); /* not this mode */
    assert_int_equal(desk_answer_of(d, "7FF#0100550A02000000", &f), 1);
    assert_int_equal(desk_answer_of(d, "001#FFFFFFFFFFFFFFFC", &f), 1);
    assert_int_equal(desk_answer_of(d, "101#0000C03F0000A040", &f), 1); /* 1.5 rad, 5 rad/s */
    desk_wait(d, 600 * NS_PER_MS);
    assert_true(fabs(d->truth.q[0] - 1.5) < 0.02);
    assert_int_equal(desk_answer_of(d, "7FF#0100550A03000000", &f), 1);
    assert_int_equal(desk_answer_of(d, "201#000040C0", &f), 1); /* -3 rad/s */
    desk_wait(d, 300 * NS_PER_MS);
    assert_true(fabs(d->truth.qd[0] + 3.0) < 0.1);
    assert_int_equal(desk_answer_of(d, "7FF#0100550A04000000", &f), 1);
    assert_int_equal(desk_answer_of(d, "301#0000003FE803E803", &f), 1); /* 0.5, 10 rad/s, 0.1 */
    desk_wait(d, NS_PER_MS);
    assert_true(fabs(d->cmd.tau_max[0] - 1.0) < 1e-9); /* of 10 Nm */
}

static void states_are_decoded(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    joint(d, 1)->range = joint(d, 0)->range;

    const struct {
        const char *frame;
        int rc, joint;
        double q;
        float temp_c;
        uint8_t torque;
        uint32_t faults;
    } rows[] = {
        {"011#118A3C7778652320", 1, 0, 1.0, 35, TORQUE_ON, 0},
        {"011#D18A3C7FF7FF2320", 1, 0, 1.0, 35, TORQUE_OFF, FAULT_WATCHDOG},
        {"011#818A3C7FF7FF2023", 1, 0, 1.0, 35, TORQUE_OFF, FAULT_VOLTAGE},
        {"011#918A3C7FF7FF2320", 1, 0, 1.0, 35, TORQUE_OFF, FAULT_VOLTAGE},
        {"011#A18A3C7FF7FF2320", 1, 0, 1.0, 35, TORQUE_OFF, FAULT_ELECTRICAL},
        {"011#B18A3C7FF7FF8020", 1, 0, 1.0, 128, TORQUE_OFF, FAULT_OVERHEAT},
        {"011#C18A3C7FF7FF2379", 1, 0, 1.0, 121, TORQUE_OFF, FAULT_OVERHEAT},
        {"011#E18A3C7FF7FF2320", 1, 0, 1.0, 35, TORQUE_OFF, FAULT_OVERLOAD},
        {"011#618A3C7FF7FF2320", 1, 0, 1.0, 35, TORQUE_OFF, FAULT_ALERT},
        {"011#018A3C7FF7FF2320", 1, 0, 1.0, 35, TORQUE_OFF, 0},
        {"012#0292557FF7FE1C1B", 1, 1, 0.25 - 1.790, 28, TORQUE_OFF, 0}, /* sign -1, zero 0.25 */
        {"011#028A3C7FF7FF2320", -EBADMSG, 0, 0, 0, 0, 0}, /* another motor's number */
        {"011#018A3C7FF7FF", -EBADMSG, 0, 0, 0, 0, 0},
        {"055#118A3C7778652320", 0, 0, 0, 0, 0, 0},
        {"00000011#118A3C7778652320", 0, 0, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct canfd_frame f = desk_frame(rows[i].frame);
        const int j = rows[i].joint;
        d->bus.pending = 7;
        assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), rows[i].rc);
        assert_int_equal(d->bus.pending, rows[i].rc == 1 ? 7 & ~(1u << j) : 7);
        if (rows[i].rc == 1) {
            assert_true(fabs(d->sensed.q[j] - rows[i].q) < 1e-3);
            assert_true(d->sensed.temp_c[j] == rows[i].temp_c);
            assert_int_equal(d->sensed.torque[j], rows[i].torque);
            assert_int_equal(d->sensed.faults[j], rows[i].faults);
            assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), 1); /* again: counted */
        }
    }
    assert_int_equal(d->bus.bad_replies, 11);
}

/* --- driver and motor --- */

static void identify_reads_ranges_and_writes_nothing(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, true, "model", "4340");
    desk_set(d, 2, true, "p_max_rad", "25");
    bring_up(d);
    assert_true(joint(d, 0)->range.v == 30.0 && joint(d, 0)->range.t == 10.0);
    assert_true(joint(d, 1)->range.v == 10.0 && joint(d, 1)->range.t == 28.0);
    assert_true(joint(d, 2)->range.p == 25.0);
    assert_int_equal(d->bus.id[2].firmware, 5015);
    assert_int_equal(d->bus.id[2].serial, 1003);
    assert_int_equal(d->bus.id[2].silence, SILENCE_OFF);
    assert_int_equal(d->setup.written, 0);
    for (int i = 0; i < d->n_log; i++) {
        assert_false(d->log[i].host && d->log[i].f.can_id == DM_REGISTER_ID &&
                     d->log[i].f.data[2] == DM_WRITE);
    }
}

static void identify_refuses(void **state)
{
    struct can_desk *d = *state;

    const struct {
        const char *key, *value, *says;
    } rows[] = {
        {"p_max_rad", "-12.5", "joint joint1 (id 1 on bus can): register 21, its range, is -12.5"},
        {"p_max_rad", "1.9", "needs a position of 2 at the motor, whose range ends at 1.9"},
        {"v_max_rad_s", "4", "needs a velocity of 5 at the motor, whose range ends at 4"},
        {"t_max_nm", "3", "needs a torque of 4 at the motor, whose range ends at 3"},
        {"master_id", "0", "answers on CAN id 0x000; write that into master_id"},
        {"sw_version", "1", "firmware 1, at least 5000 is wanted"},
        {"serial", "77", "serial number 77 answers, 1001 is wanted; put its own device back"},
    };

    d->robot.joint[0].firmware_min = 5000;
    d->robot.joint[0].serial = 1001;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        option_defaults(d->device->options, d->device_config[0]);
        desk_set(d, 0, true, rows[i].key, rows[i].value);
        desk_power(d);
        assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
        desk_says(d, rows[i].says);
    }
    option_defaults(d->device->options, d->device_config[0]);
    d->robot.bus[0].data_bitrate = 5000000;
    desk_set(d, 0, true, "can_br", "4");
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    desk_says(d, "answers in classic CAN");
    d->robot.bus[0].data_bitrate = 0;
    d->robot.joint[0].id = 9; /* nobody */
    desk_set(d, 0, true, "can_br", "-1");
    d->unplugged = 1;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    desk_says(d, "joint joint1 (id 9 on bus can): does not answer as it should");
}

static void can_fd_where_the_bus_has_it(void **state)
{
    struct can_desk *d = *state;
    d->robot.bus[0].data_bitrate = 5000000;
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 0.0, 1.0);
    desk_ticks(d, &c, 3);
    assert_int_equal(d->missed, 0);
    for (int i = 0; i < d->n_log; i++) {
        assert_int_equal(d->log[i].f.flags, CANFD_FDF | CANFD_BRS);
        assert_int_equal(d->log[i].f.len, 8);
    }
}

/* All are enabled in one go after everything else, so that no timeout runs out meanwhile. */
static void arm_holds_the_measured_pose_without_torque(void **state)
{
    struct can_desk *d = *state;
    d->truth.q[0] = 0.75;
    bring_up(d);
    const int from = d->n_log;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const int first = desk_find(d, from, "001#FFFFFFFFFFFFFFFC");
    for (int j = 1; j < 3; j++) {
        const char *const frames[] = {"001#FFFFFFFFFFFFFFFC", "002#FFFFFFFFFFFFFFFC",
                                      "003#FFFFFFFFFFFFFFFC"};
        const int i = desk_find(d, from, frames[j]);
        assert_true(i > first && d->log[i].t_ns - d->log[first].t_ns < 3 * NS_PER_MS);
    }
    assert_int_equal(desk_find(d, first, "7FF#01"), -1);
    assert_int_equal(d->setup.posed, 7);
    assert_true(fabs(d->setup.q[0] - 0.75) < 4e-4);
    for (int j = 0; j < 3; j++) {
        assert_int_equal(motor(d, j)->status, DM_ENABLED);
        assert_int_equal(motor(d, j)->regs[DM_TIMEOUT], 240); /* three periods of 4 ms */
        assert_true(motor(d, j)->goal.kp == 0.0 && motor(d, j)->goal.kd == 0.0);
    }
    struct command c = desk_command(d, MODE_POSITION, 0.75, 0.0); /* the ramp's first */
    desk_ticks(d, &c, 5);
    assert_int_equal(d->missed, 0);
    assert_true(fabs(d->truth.q[0] - 0.75) < 1e-3);
}

static void arm_refuses(void **state)
{
    struct can_desk *d = *state;
    bring_up(d);
    d->truth.q[1] = 2.1;
    desk_wait(d, NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): at 2.100 rad, outside its range -2.000 to 2.000");
    for (int j = 0; j < 3; j++) {
        assert_int_equal(motor(d, j)->status, DM_DISABLED); /* none before all may be */
    }
    d->robot.rest_outside_rad = 0.15;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    motor(d, 2)->regs[DM_SERIAL] = 77;
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "another motor answers than was identified");
}

static void goals_by_mode_reach_the_joint(void **state)
{
    struct can_desk *d = *state;
    d->truth.q[0] = 0.0;
    arm(d);
    struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    desk_ticks(d, &c, 400);
    assert_int_equal(d->missed, 0);
    for (int j = 0; j < 3; j++) { /* whatever its sign, zero and gear */
        assert_true(fabs(d->truth.q[j] - 0.5) < 0.01);
        assert_true(fabs(d->sensed.q[j] - d->truth.q[j]) < 1e-3);
    }
    c = desk_command(d, MODE_VELOCITY, 0.0, 4.0);
    c.qd[1] = -0.8;
    desk_ticks(d, &c, 200);
    assert_true(fabs(d->truth.qd[1] + 0.8) < 0.05);
    assert_true(fabs(d->sensed.qd[1] - d->truth.qd[1]) < 0.02);
    c = desk_command(d, MODE_EFFORT, 0.0, 4.0);
    c.tau[2] = 0.5;
    desk_tick(d, &c);
    assert_true(fabs(d->truth.tau[2] - 0.5) < 0.02 && d->cmd.kp[2] == 0.0 && d->cmd.kd[2] == 0.0);
    c = desk_command(d, MODE_IMPEDANCE, 0.0, 100.0);
    c.q[1] = d->truth.q[1] + 0.01;
    c.kp[1] = 80.0;
    c.kd[1] = 2.0;
    desk_tick(d, &c);
    assert_true(fabs(d->cmd.kp[1] - 80.0) < 0.2 && fabs(d->cmd.kd[1] - 2.0) < 2e-3);
    assert_true(fabs(d->cmd.q[1] - c.q[1]) < 4e-4);
    c.kp[2] = 80.0;
    c.q[2] = d->truth.q[2];
    desk_tick(d, &c);
    assert_true(fabs(d->cmd.kp[2] - 80.0) < 0.6); /* through a gear of 2 */
}

/* The motor has no ceiling of its own below TMAX: what it would make of a command is kept below it.
 */
static void torque_stays_below_its_ceiling(void **state)
{
    struct can_desk *d = *state;
    d->truth.q[0] = 0.0;
    arm(d);
    for (int i = 0; i < 200; i++) {
        const struct command c = desk_command(d, MODE_POSITION, 1.5, 0.5);
        desk_tick(d, &c);
        for (int j = 0; j < 3; j++) {
            assert_true(fabs(d->truth.tau[j]) < 0.51);
        }
    }
    assert_true(d->truth.q[0] > 0.5);
}

static void off_earns_an_answer_without_torque(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    struct command c = desk_command(d, MODE_POSITION, 1.2, 4.0);
    desk_ticks(d, &c, 10);
    c = desk_command(d, MODE_OFF, 1.2, 4.0);
    int from = d->n_log;
    desk_tick(d, &c); /* still enabled: the command before must not stand */
    assert_int_equal(desk_find(d, from, "7FF#"), -1);
    assert_true(motor(d, 0)->goal.kp == 0.0 && motor(d, 0)->goal.kd == 0.0);
    assert_int_equal(d->missed, 0);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    from = d->n_log;
    desk_tick(d, &c);
    assert_true(desk_find(d, from, "7FF#0100CC0000000000") >= from);
    assert_int_equal(d->missed, 0);
    assert_int_equal(d->sensed.torque[0], TORQUE_OFF);
    c = desk_command(d, MODE_POSITION, (double)NAN, 4.0);
    desk_tick(d, &c); /* a command that is not finite is none */
    assert_int_equal(d->missed, 0);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
}

static void silence_trips_the_motors_own_timeout(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 1.0, 4.0);
    desk_ticks(d, &c, 10);
    desk_wait(d, 7 * NS_PER_MS); /* 11 ms after the last goal */
    assert_int_equal(motor(d, 0)->status, DM_ENABLED);
    desk_wait(d, 10 * NS_PER_MS);
    assert_int_equal(motor(d, 0)->status, DM_LOST);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    desk_tick(d, &c);
    assert_int_equal(d->sensed.faults[0], FAULT_WATCHDOG);
    assert_int_equal(d->sensed.torque[0], TORQUE_OFF);
    desk_ticks(d, &c, 5); /* goals alone do not bring it back */
    assert_int_equal(motor(d, 0)->status, DM_LOST);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    desk_tick(d, &c);
    assert_int_equal(d->sensed.faults[0], 0);
    assert_int_equal(d->sensed.torque[0], TORQUE_ON);
}

static void a_latched_timeout_is_named(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, true, "lost_latches", "true");
    arm(d);
    desk_wait(d, 30 * NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): reports communication lost (status D)");
    desk_says(d, "cycle the motor's power");
}

static void errors_on_demand(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 0, true, "status_at_s", "1");
    desk_set(d, 1, true, "hot_at_s", "1");
    desk_set(d, 2, true, "brownout_at_s", "1");
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    while (d->now_ns < NS_PER_S + 2 * PERIOD) {
        desk_tick(d, &c);
    }
    assert_int_equal(d->sensed.faults[0], FAULT_OVERLOAD);
    assert_int_equal(d->sensed.faults[1], FAULT_OVERHEAT);
    assert_true(d->sensed.temp_c[1] == 140.0f);
    assert_int_equal(d->sensed.faults[2], 0); /* it only forgot that it was enabled */
    for (int j = 0; j < 3; j++) {
        assert_int_equal(d->sensed.torque[j], TORQUE_OFF);
    }
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_FAILED); /* one is still hot */
    desk_says(d, "joint joint2 (id 2 on bus can): reports coil too hot (status C)");
    assert_int_equal(motor(d, 0)->status, DM_DISABLED);
}

/* One motor silent for a while: it alone is missed, and then heard again. */
static void a_silent_motor_is_missed_alone(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, true, "silent_at_s", "0.5");
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    int misses = 0;
    while (d->now_ns < NS_PER_S) {
        desk_tick(d, &c);
        assert_true((d->missed & ~2u) == 0);
        misses += d->missed != 0;
    }
    assert_in_range(misses, 12, 13); /* 50 ms of 4 ms */
    assert_int_equal(d->sensed.faults[1], FAULT_WATCHDOG);
}

static void disarm_goes_on_past_a_silent_motor(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    d->unplugged = 1;
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_FAILED);
    desk_says(d, "joint joint1 (id 1 on bus can): torque off could not be read back");
    assert_int_equal(d->setup.torque_off, 6);
    assert_int_equal(motor(d, 1)->status, DM_DISABLED);
}

static void zero_is_here(void **state)
{
    struct can_desk *d = *state;
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ZERO), SETUP_DONE);
    const struct command c = desk_command(d, MODE_OFF, 0.0, 0.0);
    desk_tick(d, &c);
    assert_true(fabs(d->sensed.q[0]) < 4e-4); /* the rotor is still at 1.0 */
    assert_int_equal(desk_setup(d, SETUP_REBOOT), SETUP_FAILED);
    desk_says(d, "its protocol has no such request; cycle its power");
}

static void the_load_is_said(void **state)
{
    struct can_desk *d = *state;
    struct can_load load;
    d->driver->load(&d->robot, 0, &load);
    assert_int_equal(load.n, 1);
    assert_int_equal(load.frames[0].n, 6);
    assert_int_equal(load.frames[0].bytes, 8);
    assert_false(load.frames[0].extended);
    d->driver->load(&d->robot, 1, &load);
    assert_int_equal(load.frames[0].n, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(the_drivers_frames),
        TEST(the_timeout_and_the_mode_as_bytes),
        TEST(the_motors_frames),
        TEST(the_motors_other_modes),
        TEST(states_are_decoded),
        TEST(identify_reads_ranges_and_writes_nothing),
        TEST(identify_refuses),
        TEST(can_fd_where_the_bus_has_it),
        TEST(arm_holds_the_measured_pose_without_torque),
        TEST(arm_refuses),
        TEST(goals_by_mode_reach_the_joint),
        TEST(torque_stays_below_its_ceiling),
        TEST(off_earns_an_answer_without_torque),
        TEST(silence_trips_the_motors_own_timeout),
        TEST(a_latched_timeout_is_named),
        TEST(errors_on_demand),
        TEST(a_silent_motor_is_missed_alone),
        TEST(disarm_goes_on_past_a_silent_motor),
        TEST(zero_is_here),
        TEST(the_load_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
