/*
 * What goes wrong in a servo, and what the driver makes of it: the bus watchdog in all its
 * behaviours, a latched overload, a moment without power.
 */
#include "tests/unit/desk_fixture.h"

#include <stdlib.h>

#define WATCHDOG_NS (200 * NS_PER_MS)
#define UNIT_NS     (20 * NS_PER_MS)

static int open_desk(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    *state = d;
    return d != NULL ? 0 : -1;
}

static int close_desk(void **state)
{
    free(*state);
    return 0;
}

/* Two servos on their slow way from -0.5 to 0.5 rad, then silence. */
static void start_moving(struct desk *d, int watchdog)
{
    desk_init(d, 2, false);
    for (int j = 0; j < 2; j++) {
        d->device[j].watchdog = watchdog;
        d->truth.q[j] = -0.49;
        d->robot.joint[j].qd_max = 0.5;
    }
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const struct command c = desk_command(d, 0.5, 1.0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(desk_tick(d, &c), 3);
    }
    assert_true(d->truth.qd[0] > 0.1 && d->truth.q[0] < 0.0);
}

/* Silence for two seconds. Returns when the last of it moved, after the last packet. */
static int64_t last_motion_ns(struct desk *d)
{
    const int64_t silent_ns = d->servo[0].heard_ns;
    int64_t last_ns = 0;
    while (d->now_ns < silent_ns + 2 * NS_PER_S) {
        desk_wait(d, NS_PER_MS);
        if (fabs(d->truth.qd[0]) > 1e-9) {
            last_ns = d->now_ns - silent_ns;
        }
    }
    return last_ns;
}

/* One tick long after a trip: goals are refused, register 98 reads -1. */
static void look_after_silence(struct desk *d, bool tripped)
{
    const struct command c = desk_command(d, -0.2, 1.0);
    const int64_t goal = desk_reg(d, 0, DXL_GOAL_POSITION);
    for (int i = 0; i < 16; i++) { /* register 98 has its turn */
        (void)desk_tick(d, &c);
    }
    assert_int_equal((d->sensed.faults[0] & FAULT_WATCHDOG) != 0, tripped);
    assert_int_equal((d->sensed.faults[1] & FAULT_WATCHDOG) != 0, tripped);
    assert_int_equal(desk_reg(d, 0, DXL_GOAL_POSITION) == goal, tripped);
}

static void brake_and_hold_stand_with_torque(void **state)
{
    struct desk *d = *state;
    for (int how = WATCHDOG_BRAKE; how <= WATCHDOG_HOLD; how += WATCHDOG_HOLD) {
        start_moving(d, how);
        assert_in_range(last_motion_ns(d), WATCHDOG_NS - NS_PER_MS, WATCHDOG_NS + UNIT_NS);
        assert_int_equal(d->cmd.mode[0], MODE_VELOCITY); /* held, not limp */
        assert_int_equal(desk_reg(d, 0, DXL_TORQUE_ENABLE), 1);
        look_after_silence(d, true);
    }
}

static void off_is_limp(void **state)
{
    struct desk *d = *state;
    start_moving(d, WATCHDOG_OFF);
    assert_in_range(last_motion_ns(d), WATCHDOG_NS - NS_PER_MS, WATCHDOG_NS + UNIT_NS);
    assert_int_equal(d->cmd.mode[0], MODE_OFF);
    look_after_silence(d, true);
    assert_int_equal(d->sensed.torque[0], TORQUE_OFF); /* as read back */
}

/* The firmware that says that it has tripped and moves on, even faster: its profile is gone. */
static void keeps_going_goes_on(void **state)
{
    struct desk *d = *state;
    start_moving(d, WATCHDOG_KEEPS_GOING);
    assert_true(last_motion_ns(d) > WATCHDOG_NS);
    assert_true(d->truth.q[0] > 0.49);
    look_after_silence(d, true);
}

static void none_never_trips(void **state)
{
    struct desk *d = *state;
    start_moving(d, WATCHDOG_NONE);
    assert_true(last_motion_ns(d) > WATCHDOG_NS);
    assert_true(d->truth.q[0] > 0.49);
    look_after_silence(d, false);
}

/* Torque off, or any packet on the bus for whomever, and nothing trips. */
static void the_watchdog_watches_only_driven_and_silent(void **state)
{
    struct desk *d = *state;
    start_moving(d, WATCHDOG_BRAKE);
    for (int i = 0; i < 20; i++) {
        uint8_t tx[32];
        const int n = dxl_build(99, DXL_PING, NULL, 0, tx, sizeof tx);
        (void)wire_host_tx(&d->wire, tx, (size_t)n, d->now_ns, 1000000);
        desk_wait(d, 100 * NS_PER_MS);
    }
    assert_false(d->servo[0].tripped);
    assert_int_equal(desk_setup(d, SETUP_DISARM), SETUP_DONE);
    desk_wait(d, NS_PER_S);
    assert_false(d->servo[0].tripped);
}

static void overload_is_said_at_once_and_named_in_the_next_tick(void **state)
{
    struct desk *d = *state;
    desk_init(d, 3, true);
    d->device[1].overload_at_s = 1.0;
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    const struct command c = desk_command(d, 0.1, 1.0);
    while (d->now_ns < NS_PER_S + NS_PER_MS) {
        assert_int_equal(desk_tick(d, &c), 7);
    }
    assert_int_equal(desk_tick(d, &c), 7); /* it still answers */
    assert_int_equal(d->sensed.faults[0] | d->sensed.faults[2], 0);
    assert_int_equal(d->sensed.faults[1], FAULT_OVERLOAD);
    assert_int_equal(desk_reg(d, 1, DXL_TORQUE_ENABLE), 0);
    for (int i = 0; i < 12; i++) {
        (void)desk_tick(d, &c);
    }
    assert_int_equal(d->sensed.faults[1], FAULT_OVERLOAD); /* and stays */
    assert_int_equal(d->sensed.torque[1], TORQUE_OFF);
}

static void a_moment_without_power_is_seen_by_the_clock(void **state)
{
    struct desk *d = *state;
    desk_init(d, 3, true);
    d->device[2].brownout_at_s = 2.0;
    desk_power(d);
    d->truth.q[2] = 20.0; /* three turns of the wheel, as counted from here on */
    desk_wait(d, NS_PER_MS);
    d->servo[2].turns = 0;
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    while (desk_tick(d, NULL) == 7) {
        assert_true(fabs(d->sensed.q[2] - 20.0) < 0.01);
    }
    assert_in_range(d->now_ns, 2 * NS_PER_S, 2 * NS_PER_S + 20 * NS_PER_MS);
    int silent = 1;
    while (desk_tick(d, NULL) != 7) {
        silent++;
        assert_int_equal(d->sensed.faults[2] & FAULT_REBOOT, 0); /* nothing is known yet */
    }
    assert_in_range(silent, 45, 55); /* half a second */
    assert_int_equal(d->sensed.faults[2] & FAULT_REBOOT, FAULT_REBOOT);
    assert_int_equal(d->sensed.faults[0] | d->sensed.faults[1], 0);
    assert_true(fabs(d->sensed.q[2]) < 6.3); /* the turns are lost */
    for (int i = 0; i < 20; i++) {
        (void)desk_tick(d, NULL);
    }
    assert_int_equal(d->sensed.faults[2] & FAULT_REBOOT, FAULT_REBOOT); /* stays until armed */
}

static void heat_shuts_down(void **state)
{
    struct desk *d = *state;
    desk_init(d, 1, false);
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    assert_int_equal(desk_setup(d, SETUP_ARM), SETUP_DONE);
    d->truth.temp_c[0] = 73.0f;
    for (int i = 0; i < 6; i++) {
        (void)desk_tick(d, NULL);
    }
    assert_int_equal(d->sensed.faults[0], FAULT_OVERHEAT);
    assert_true(fabsf(d->sensed.temp_c[0] - 73.0f) < 0.5f);
    assert_true(fabsf(d->sensed.volt_v[0] - 11.1f) < 0.05f);
    assert_int_equal(desk_reg(d, 0, DXL_TORQUE_ENABLE), 0);
}

/* One row a tick: all rows of all joints in 12 ticks, each once. */
static void slow_registers_take_turns(void **state)
{
    struct desk *d = *state;
    desk_init(d, 3, true);
    desk_power(d);
    assert_int_equal(desk_setup(d, SETUP_IDENTIFY), SETUP_DONE);
    const int from = d->n_sent;
    for (int i = 0; i < 24; i++) {
        assert_int_equal(desk_tick(d, NULL), 7);
    }
    assert_int_equal(d->n_sent, from + 48);
    static const uint16_t rows[] = {DXL_POSITION_TRAJECTORY, DXL_STATUS_LEVEL, DXL_TORQUE_ENABLE,
                                    DXL_WATCHDOG};
    for (int i = 0; i < 24; i++) {
        const struct sent *state_ask = &d->sent[from + 2 * i], *slow = state_ask + 1;
        assert_int_equal(state_ask->instruction, DXL_FAST_SYNC_READ);
        assert_int_equal(slow->instruction, DXL_READ);
        assert_int_equal(slow->id, 1 + i / 4 % 3);
        assert_int_equal(slow->addr, rows[i % 4]);
    }
    assert_int_equal(d->bus.bad_replies + d->bus.bytes_lost + d->bus.crc_errors, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(brake_and_hold_stand_with_torque),
        TEST(off_is_limp),
        TEST(keeps_going_goes_on),
        TEST(none_never_trips),
        TEST(the_watchdog_watches_only_driven_and_silent),
        TEST(overload_is_said_at_once_and_named_in_the_next_tick),
        TEST(a_moment_without_power_is_seen_by_the_clock),
        TEST(heat_shuts_down),
        TEST(slow_registers_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
