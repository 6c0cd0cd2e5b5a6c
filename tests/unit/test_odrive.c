/*
 * ODrive by CANSimple: the driver's frames and the emulated axis's, each against the same bytes of
 * the protocol's description, of published frames and of another library's test; then both against
 * each other.
 */
#include "drivers/odrive.h"
#include "sim/firmware/odrive.h"
#include "tests/unit/can_desk.h"

#include <errno.h>

static struct can_desk *open_axes(const char *firmware)
{
    struct can_desk *d = desk_open("odrive", 2);
    d->robot.joint[1].sign = -1;
    d->robot.joint[1].gear = 4.0;
    for (int j = 0; j < 2; j++) {
        desk_set(d, j, false, "firmware", firmware);
        desk_set(d, j, true, "firmware", firmware);
        desk_set(d, j, false, "nm_per_a", "0.1");
        desk_set(d, j, false, "watchdog_set", "true");
        desk_set(d, j, true, "watchdog_s", "0.02");
        desk_set(d, j, true, "cyclic", "false");
    }
    return d;
}

static int open_old(void **state)
{
    *state = open_axes("0.5");
    return 0;
}

static int open_new(void **state)
{
    *state = open_axes("0.6");
    return 0;
}

static int close_desk(void **state)
{
    desk_close(*state);
    return 0;
}

static struct odrive_axis *axis(struct can_desk *d, int j)
{
    return (void *)d->device_state[j];
}

static void bring_up(struct can_desk *d)
{
    desk_power(d);
    desk_wait(d, 5 * NS_PER_MS);
    if (desk_setup(d, SETUP_IDENTIFY) != SETUP_DONE) {
        fail_msg("%s", d->setup.why);
    }
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(d->setup.torque_off, 3);
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
    struct canfd_frame tx[8];
    arm(d);
    const int clear = desk_find(d, 0, "038#0000000000000000");
    const int mode = desk_find(d, clear, "02B#0300000001000000");
    const int limits = desk_find(d, mode, "02F#");
    const int here = desk_find(d, limits, "02C#0000000000000000");
    const int loop = desk_find(d, here, "027#0800000000000000");
    assert_true(clear >= 0 && mode > clear && limits > mode && here > limits && loop > here);
    assert_int_equal(d->driver->stop(&d->bus, STOP_OFF, tx, 8), 2);
    assert_frame(&tx[0], "027#0100000000000000");

    struct command c = desk_command(d, MODE_POSITION, 1.25 * ODRIVE_RAD, 2.0);
    c.qd[0] = 0.5 * ODRIVE_RAD;
    c.tau[0] = -0.2;
    c.mode[1] = MODE_OFF;
    d->robot.joint[0].qd_max = 10.0 / 1.5 * ODRIVE_RAD;
    int n = d->driver->goals(&d->bus, &c, tx, 8);
    assert_int_equal(n, 2 + 3); /* the second axis: torque mode, least current, and 0 */
    assert_frame(&tx[0], "02F#000020410000A041");
    assert_frame(&tx[1], "02C#0000A03FF40138FF");
    assert_frame(&tx[2], "04B#0100000001000000");
    assert_frame(&tx[4], "04E#0000000000000000");
    c.mode[0] = MODE_VELOCITY;
    c.qd[0] = -2.5 * ODRIVE_RAD;
    c.tau[0] = 0.25;
    n = d->driver->goals(&d->bus, &c, tx, 8);
    assert_int_equal(n, 2 + 1); /* nothing else has changed */
    assert_frame(&tx[0], "02B#0200000001000000");
    assert_frame(&tx[1], "02D#000020C00000803E");
    c.mode[0] = MODE_EFFORT;
    c.tau[0] = 0.75;
    n = d->driver->goals(&d->bus, &c, tx, 8);
    assert_frame(&tx[0], "02B#0100000001000000");
    assert_frame(&tx[1], "02E#0000403F00000000");
    for (int i = 0; i < 30; i++) { /* unacknowledged: told again */
        n = d->driver->goals(&d->bus, &c, tx, 8);
        assert_int_equal(n, i == 17 ? 3 + 3 : 2);
    }
    c.tau[0] = (double)NAN;
    n = d->driver->goals(&d->bus, &c, tx, 8);
    assert_frame(&tx[n - 2], "02E#0000000000000000");
    assert_int_equal(d->driver->goals(&d->bus, &c, tx, 5), -ENOSPC);
    d->bus.asked = 0;
    assert_int_equal(d->driver->ask(&d->bus, tx, 8), 2);
    assert_int_equal(tx[1].can_id, CAN_RTR_FLAG | 0x049);
    assert_int_equal(tx[1].len, 0);
}

static void frames_are_decoded(void **state)
{
    struct can_desk *d = *state;
    const int old = ((struct odrive_config *)d->robot.joint[0].driver)->firmware == 0;
    arm(d);

    const struct {
        const char *frame;
        bool old_only, new_only;
        int rc;
        uint8_t torque;
        uint32_t faults;
    } rows[] = {
        {"029#0000003F000080BF", false, false, 1, TORQUE_ON, 0},
        {"021#0000000008000080", true, false, 1, TORQUE_ON, 0},
        {"021#0008000001000000", true, false, 1, TORQUE_OFF, FAULT_WATCHDOG},
        {"021#0000000101030000", false, true, 1, TORQUE_OFF, FAULT_WATCHDOG},
        {"021#010000000B000000", false, false, 1, TORQUE_OFF, FAULT_ALERT},
        {"021#4000000001000000", true, false, 1, TORQUE_OFF, FAULT_ELECTRICAL},
        {"021#0002000001000000", false, true, 1, TORQUE_OFF, FAULT_VOLTAGE},
        {"021#0000000008000000", false, false, 1, TORQUE_ON, 0},
        {"029#0000C07F000080BF", false, false, -EBADMSG, TORQUE_ON, 0}, /* not a number */
        {"029#0000003F", false, false, -EBADMSG, TORQUE_ON, 0},
        {"069#0000003F000080BF", false, false, 0, TORQUE_ON, 0},
        {"02A#0000003F000080BF", false, false, 0, TORQUE_ON, 0},
    };

    d->sensed.torque[0] = TORQUE_ON;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct canfd_frame f = desk_frame(rows[i].frame);
        if ((old && rows[i].new_only) || (!old && rows[i].old_only)) {
            continue;
        }
        d->bus.pending = 3;
        d->bus.last_addr = ODRIVE_ESTIMATES;
        assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), rows[i].rc);
        assert_int_equal(d->bus.pending, i == 0 ? 2 : 3);
        assert_int_equal(d->sensed.torque[0], rows[i].torque);
        assert_int_equal(d->sensed.faults[0], rows[i].faults);
        assert_true(fabs(d->sensed.q[0] - 0.5 * ODRIVE_RAD) < 1e-6);
        assert_true(fabs(d->sensed.qd[0] + ODRIVE_RAD) < 1e-6);
    }
    /* the published one: node 0 */
    const struct canfd_frame f = desk_frame("001#010000000B000000");
    d->robot.joint[0].id = 0;
    assert_int_equal(d->driver->decode(&d->bus, &f, &d->sensed), 1);
    assert_int_equal(d->sensed.faults[0], FAULT_ALERT);
}

/* A remote frame to the axis of joint 0. */
static int remote(struct can_desk *d, canid_t id, struct canfd_frame *ret_f)
{
    const struct canfd_frame f = {.can_id = id | CAN_RTR_FLAG};
    d->n_rx = 0;
    desk_send(d, &f, 1);
    desk_until(d, d->now_ns + NS_PER_MS);
    *ret_f = d->rx[0];
    return d->n_rx;
}

static void an_axis_obeys_bytes(void **state)
{
    struct can_desk *d = *state;
    struct canfd_frame f;
    desk_set(d, 0, true, "watchdog_s", "0");
    d->truth.q[0] = 0.5 * ODRIVE_RAD;
    desk_power(d);
    desk_wait(d, NS_PER_MS);
    assert_int_equal(remote(d, 0x029, &f), 1);
    assert_frame(&f, "029#0000003F00000000");
    assert_int_equal(desk_answer_of(d, "02B#0300000001000000", &f), 0); /* never acknowledged */
    assert_int_equal(desk_answer_of(d, "027#08000000", &f), 0);
    assert_int_equal(desk_answer_of(d, "02F#000020410000A041", &f), 0);
    assert_int_equal(desk_answer_of(d, "02C#0000A03FF40138FF", &f), 0);
    assert_int_equal(d->cmd.mode[0], MODE_IMPEDANCE);
    assert_true(fabs(d->cmd.q[0] - 1.25 * ODRIVE_RAD) < 1e-9);
    assert_true(fabs(d->cmd.qd[0] - 0.5 * ODRIVE_RAD) < 1e-9);
    assert_true(fabs(d->cmd.tau[0] + 0.2) < 1e-9 && fabs(d->cmd.tau_max[0] - 2.0) < 1e-6);
    assert_int_equal(desk_answer_of(d, "02B#0200000001000000", &f), 0);
    assert_int_equal(desk_answer_of(d, "02D#000020C00000803E", &f), 0);
    assert_true(fabs(d->cmd.qd[0] + 2.5 * ODRIVE_RAD) < 1e-9 && d->cmd.tau[0] == 0.25);
    assert_int_equal(desk_answer_of(d, "02B#0100000001000000", &f), 0);
    assert_int_equal(desk_answer_of(d, "02E#0000403F", &f), 0);
    assert_true(d->cmd.tau[0] == 0.75 && d->cmd.kp[0] == 0.0 && d->cmd.kd[0] == 0.0);
    assert_int_equal(desk_answer_of(d, "022#", &f), 0); /* emergency stop */
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
}

static void a_heartbeat_is_the_generations(void **state)
{
    struct can_desk *d = *state;
    desk_power(d);
    const bool is_old = axis(d, 0)->c.firmware == 0;
    struct canfd_frame f;
    assert_int_equal(desk_answer_of(d, "02B#0300000001000000", &f), 0);
    assert_int_equal(desk_answer_of(d, "027#08000000", &f), 0);
    axis(d, 0)->c.watchdog_s = 0.0;
    desk_until(d, 101 * NS_PER_MS);
    assert_frame(&d->log[d->n_log - 2].f, is_old ? "021#0000000008000080" : "021#0000000008000000");
    axis(d, 0)->c.watchdog_s = 0.02;
    desk_until(d, 201 * NS_PER_MS);
    assert_frame(&d->log[d->n_log - 2].f, is_old ? "021#0008000001000080" : "021#0000000101030000");
}

/* --- driver and axis --- */

static void goals_by_mode_reach_the_joint(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    assert_int_equal(d->bus.id[0].silence, SILENCE_OFF);
    struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    desk_ticks(d, &c, 400);
    assert_int_equal(d->missed, 0);
    for (int j = 0; j < 2; j++) {
        assert_true(fabs(d->truth.q[j] - 0.5) < 0.01);
        assert_true(fabs(d->sensed.q[j] - d->truth.q[j]) < 0.01);
        assert_int_equal(d->sensed.torque[j], TORQUE_ON);
        assert_true(d->sensed.volt_v[j] == 24.0f);
        assert_true(fabs(d->sensed.tau[j] - d->truth.tau[j]) < 0.05);
    }
    c = desk_command(d, MODE_VELOCITY, 0.0, 4.0);
    c.qd[1] = -0.8;
    desk_ticks(d, &c, 200);
    assert_true(fabs(d->truth.qd[1] + 0.8) < 0.05);
    assert_true(fabs(d->sensed.qd[1] + 0.8) < 0.05);
    c = desk_command(d, MODE_EFFORT, 0.0, 4.0);
    c.tau[1] = 0.5;
    desk_tick(d, &c);
    assert_true(fabs(d->truth.tau[1] - 0.5) < 1e-6);
    c = desk_command(d, MODE_OFF, 0.0, 0.0);
    desk_tick(d, &c); /* still in closed loop: no torque */
    assert_true(d->truth.tau[0] == 0.0 && d->truth.tau[1] == 0.0);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    desk_tick(d, &c);
    assert_int_equal(d->missed, 0);
}

static void the_ceiling_is_its_current_limit(void **state)
{
    struct can_desk *d = *state;
    d->robot.joint[0].tau_max = 4.0;
    arm(d);
    assert_true(fabs(axis(d, 0)->amps_max - 0.1) < 1e-6); /* armed with next to none */
    for (int i = 0; i < 100; i++) {
        const struct command c = desk_command(d, MODE_POSITION, 1.5, 0.5);
        desk_tick(d, &c);
        assert_true(fabs(d->truth.tau[0]) < 0.5 + 1e-6 && fabs(d->truth.tau[1]) < 0.5 + 1e-6);
    }
    assert_true(d->truth.q[0] > 0.3);
}

static void silence_trips_the_axis_watchdog(void **state)
{
    struct can_desk *d = *state;
    arm(d);
    const struct command c = desk_command(d, MODE_POSITION, 0.5, 4.0);
    desk_ticks(d, &c, 50);
    desk_wait(d, 30 * NS_PER_MS);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    desk_ticks(d, &c, 30); /* until the next heartbeat */
    assert_int_equal(d->sensed.faults[0], FAULT_WATCHDOG);
    assert_int_equal(d->sensed.torque[0], TORQUE_OFF);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    desk_ticks(d, &c, 30);
    assert_int_equal(d->sensed.faults[0], 0);
}

static void an_error_is_named(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, true, "hot_at_s", "0.001");
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): reports error 0x000");
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_FAILED); /* it is still hot */
    axis(d, 1)->c.demands.hot_at_s = 0.0;
    desk_wait(d, NS_PER_MS);
    assert_int_equal(desk_setup(d, SETUP_CLEAR), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_REBOOT), SETUP_DONE);
}

static void what_must_be_given(void **state)
{
    struct can_desk *d = *state;
    desk_set(d, 1, false, "nm_per_a", "0");
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_FAILED);
    desk_says(d, "joint joint2 (id 2 on bus can): nm_per_a is not set");
    desk_set(d, 1, false, "nm_per_a", "0.1");
    desk_set(d, 1, false, "watchdog_set", "false");
    bring_up(d);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_FAILED);
    desk_says(d, "goes on moving when the bus is silent");
}

static void identity_and_zero(void **state)
{
    struct can_desk *d = *state;
    d->truth.q[0] = 1.0;
    bring_up(d);
    const bool old = axis(d, 0)->c.firmware == 0;
    assert_int_equal(d->bus.id[0].firmware, old ? 0 : 609);
    assert_int_equal(d->bus.id[0].model, old ? 0 : 404);
    assert_int_equal(d->bus.id[1].serial, old ? 0 : 0x1002);
    assert_int_equal(desk_setup(d, SETUP_ZERO), SETUP_DONE);
    const struct command c = desk_command(d, MODE_OFF, 0.0, 0.0);
    desk_tick(d, &c);
    assert_true(fabs(d->sensed.q[0]) < 1e-6);
}

static void the_load_is_said(void **state)
{
    struct can_desk *d = *state;
    struct can_load load;
    d->driver->load(&d->robot, 0, &load);
    assert_int_equal(load.n, 2);
    assert_int_equal(load.frames[0].n, 3);
    assert_int_equal(load.frames[0].bytes, 0);
    assert_int_equal(load.frames[1].n, 2 + 1 + 3 * 2 + 2 * 2);
}

int main(void)
{
#define OLD(f) cmocka_unit_test_setup_teardown(f, open_old, close_desk)
#define NEW(f) cmocka_unit_test_setup_teardown(f, open_new, close_desk)
    const struct CMUnitTest tests[] = {
        NEW(the_drivers_frames),
        OLD(frames_are_decoded),
        NEW(frames_are_decoded),
        OLD(an_axis_obeys_bytes),
        NEW(an_axis_obeys_bytes),
        OLD(a_heartbeat_is_the_generations),
        NEW(a_heartbeat_is_the_generations),
        OLD(goals_by_mode_reach_the_joint),
        NEW(goals_by_mode_reach_the_joint),
        NEW(the_ceiling_is_its_current_limit),
        OLD(silence_trips_the_axis_watchdog),
        NEW(silence_trips_the_axis_watchdog),
        OLD(an_error_is_named),
        NEW(an_error_is_named),
        NEW(what_must_be_given),
        OLD(identity_and_zero),
        NEW(identity_and_zero),
        NEW(the_load_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
