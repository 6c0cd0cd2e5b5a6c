/*
 * A fault of a device, from the wire to what a person reads.
 */
#include "tests/loop/ride_fixture.h"

static void an_overload_stops_the_robot_and_is_named(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"joints.hand.device.overload_at_s=3"};
    start(r, sets, 1);
    run(r);
    until(r, STATE_FAULT);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 3 * TICK_NS);
    assert_non_null(strstr(r->said, "hand"));
    assert_true(strstr(r->said, "overload") != NULL || strstr(r->said, "hardware error") != NULL);
    for (int i = 0; i < 200; i++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_FAULT);
    assert_int_equal(sensed(r)->faults[1], FAULT_OVERLOAD);
    assert_int_equal(sensed(r)->torque[0], TORQUE_OFF);
    assert_int_equal(sensed(r)->torque[1], TORQUE_OFF);
    ask(r, REQUEST_CLEAR);
    until(r, STATE_LIMP);
    ask(r, REQUEST_ARM); /* it is latched in the servo: until that has started anew */
    assert_int_equal(r->refusal, REFUSED_UNSAFE);
    assert_non_null(strstr(r->why, "joint hand: fault: overload"));
}

/* A servo that lets go is a robot that falls: nothing else says so. */
static void torque_that_goes_off_by_itself_stops_the_robot(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"joints.hand.device.torque_flip_at_s=3"};
    start(r, sets, 1);
    run(r);
    until(r, STATE_FAULT);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 20 * TICK_NS);
    assert_string_equal(r->said,
                        "joint hand: its torque is off though nobody switched it off: it restarted "
                        "or shut itself down; check its power and load, then clear");
    while (!loop_at_rest(&r->house.loop)) {
        tick(r);
    }
    assert_int_equal(sensed(r)->torque[0], TORQUE_OFF);
    ask(r, REQUEST_CLEAR);
    until(r, STATE_LIMP);
    run(r); /* arming sets up what it lost */
    for (int i = 0; i < 100; i++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_RUNNING);
}

static void torque_on_a_joint_that_is_only_measured_stops_the_robot(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"joints.odometer.device.torque_flip_at_s=3"};
    start(r, sets, 1);
    run(r);
    until(r, STATE_FAULT);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 20 * TICK_NS);
    assert_non_null(strstr(r->said, "joint odometer: its torque is on though it is only measured"));
}

/* Not ready within so many ticks of at_ns, and ready again soon after, with torque off. */
static void is_quenched(struct ride *r, int64_t at_ns, int joint)
{
    while (r->planned_ns < at_ns) {
        tick(r);
    }
    assert_true(plant_ready(r->house.plant));
    r->missing[0] = '\0';
    for (int i = 0; plant_ready(r->house.plant); i++) {
        assert_true(i < 20);
        tick(r);
    }
    for (int i = 0; !plant_ready(r->house.plant); i++) {
        assert_true(i < 50);
        tick(r);
    }
    assert_int_equal(sensed(r)->torque[joint], TORQUE_OFF);
}

/* Limp, and where an estop is latched. */
static void torque_that_comes_on_while_limp_is_cut(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"joints.hand.device.torque_flip_at_s=3",
                                       "joints.arm.device.torque_flip_at_s=6"};
    start(r, sets, 2);
    until(r, STATE_LIMP);
    is_quenched(r, 3 * NS_PER_S, 1);
    assert_string_equal(r->missing,
                        "joint hand: its torque is on though nobody armed it: it is switched off "
                        "again; see what else commands its bus");
    assert_int_equal(now(r), STATE_LIMP);
    atomic_fetch_or(&r->house.shared->stop, STOP_ESTOP);
    until(r, STATE_ESTOP);
    is_quenched(r, 6 * NS_PER_S, 0);
    assert_int_equal(now(r), STATE_ESTOP);
}

static void a_brown_out_stops_the_robot_and_is_set_up_anew(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"joints.hand.device.brownout_at_s=3"};
    start(r, sets, 1);
    run(r);
    until(r, STATE_FAULT);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 10 * TICK_NS);
    assert_non_null(strstr(r->said, "hand"));
    while (r->planned_ns < 6 * NS_PER_S) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_FAULT);
    ask(r, REQUEST_CLEAR);
    until(r, STATE_LIMP);
    run(r); /* arming writes all that was lost */
    for (int i = 0; i < 100; i++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_RUNNING);
    assert_int_equal(sensed(r)->faults[0], 0);
}

static void a_pulled_bus_needs_an_explicit_arm(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.away_at_s=3", "faults.away_s=1"};
    start(r, sets, 2);
    run(r);
    until(r, STATE_FAULT);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 3 * TICK_NS);
    assert_non_null(strstr(plant_why(r->house.plant), "is gone (unplugged?)"));
    assert_int_equal(sensed(r)->torque[0], TORQUE_UNKNOWN);
    ask(r, REQUEST_CLEAR); /* the reason is still there */
    assert_int_equal(r->refusal, REFUSED_LATCHED);
    while (r->planned_ns < 5 * NS_PER_S) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_FAULT);
    assert_int_equal(sensed(r)->torque[0], TORQUE_OFF);
    const uint64_t before = plant_counters(r->house.plant)->bytes_tx;
    for (int i = 0; i < 100; i++) {
        tick(r);
        assert_int_equal(plant_counters(r->house.plant)->last_byte_ns, 0); /* it only listens */
    }
    assert_true(plant_counters(r->house.plant)->bytes_tx > before);
    ask(r, REQUEST_CLEAR);
    until(r, STATE_LIMP);
    run(r);
    assert_int_equal(now(r), STATE_RUNNING);
}

static void rests(struct ride *r)
{
    for (int i = 0; !loop_at_rest(&r->house.loop); i++) {
        assert_true(i < TICKS_MAX);
        tick(r);
    }
}

/* Servos that still answer complain of their supply before anyone has read it: still an estop,
 * latched, that its return does not end. */
static void a_power_cut_is_a_latched_estop(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.power_at_s=3", "faults.power_s=2",
                                       "faults.power_v=5.5"};
    start(r, sets, 3);
    run(r);
    until(r, STATE_ESTOP);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 50 * TICK_NS);
    assert_non_null(strstr(r->changed, "motor power is lost: a servo reads less than 9 V"));
    rests(r);
    tick(r);
    assert_int_equal(atomic_load(&r->house.shared->latched), LATCHED_POWER);
    assert_int_equal(sensed(r)->torque[0], TORQUE_OFF);
    ask(r, REQUEST_CLEAR); /* the reason is still there */
    assert_int_equal(r->refusal, REFUSED_LATCHED);
    assert_non_null(strstr(r->why, "motor power is lost"));
    while (r->planned_ns < 7 * NS_PER_S) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_ESTOP);
    ask(r, REQUEST_CLEAR);
    assert_int_equal(r->refusal, REFUSED_NOT);
    assert_int_equal(now(r), STATE_LIMP);
}

static void a_sag_that_nobody_complains_of_is_one_too(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.power_at_s=3", "faults.power_s=2",
                                       "faults.power_v=8"};
    start(r, sets, 3);
    run(r);
    until(r, STATE_ESTOP);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 20 * TICK_NS);
    assert_string_equal(r->said, "");
}

/* Where the file says so it goes on holding, latched; its power's return does not end that. */
static void a_sag_may_be_held(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.power_at_s=3", "faults.power_s=2",
                                       "faults.power_v=8", "responses.power_sag=hold"};
    start(r, sets, 4);
    run(r);
    until(r, STATE_HOLDING);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 20 * TICK_NS);
    assert_int_equal(r->house.loop.st.cause, CAUSE_POWER_SAG);
    assert_non_null(strstr(r->changed, "motor power is lost"));
    tick(r);
    assert_int_equal(atomic_load(&r->house.shared->latched), LATCHED_POWER);
    while (r->planned_ns < 7 * NS_PER_S) {
        tick(r);
        assert_int_equal(now(r), STATE_HOLDING);
        assert_int_equal(r->house.loop.st.fsm.latch, LATCH_ESTOP);
    }
    ask(r, REQUEST_CLEAR);
    assert_int_equal(r->refusal, REFUSED_LATCHED);
    atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
    until(r, STATE_ESTOP);
    rests(r);
    ask(r, REQUEST_CLEAR);
    assert_int_equal(now(r), STATE_LIMP);
}

static void without_power_nothing_arms(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.power_at_s=3", "faults.power_s=2",
                                       "faults.power_v=8"};
    start(r, sets, 3);
    until(r, STATE_LIMP);
    while (r->planned_ns < 4 * NS_PER_S) {
        tick(r);
    }
    ask(r, REQUEST_ARM);
    assert_int_equal(r->refusal, REFUSED_UNSAFE);
    assert_string_equal(r->why, "motor power is off: a servo reads less than 9 V "
                                "(estop.power_min_v); switch it on, then arm");
    assert_int_equal(now(r), STATE_LIMP);
    while (r->planned_ns < 6 * NS_PER_S) {
        tick(r);
    }
    run(r);
}

/* Nobody can read a voltage then: that the whole bus is silent says what may have happened. */
static void a_bus_that_falls_silent_with_its_power_is_named(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.power_at_s=3", "faults.power_s=2"};
    start(r, sets, 2);
    run(r);
    until(r, STATE_FAULT);
    assert_in_range(r->planned_ns, 3 * NS_PER_S, 3 * NS_PER_S + 20 * TICK_NS);
    assert_string_equal(r->said,
                        "bus servo: not one of its joints answers any more, arm first: is the "
                        "motor power cut, or its cable out? torque is unknown; mend it, then "
                        "clear");
    while (r->planned_ns < 8 * NS_PER_S) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_FAULT); /* its return resumes nothing */
    ask(r, REQUEST_CLEAR);
    until(r, STATE_LIMP);
}

/* A servo that trips although the daemon talks: its host cannot tell why, only stop. */
static void a_tripped_watchdog_is_a_fault(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    run(r);
    r->planned_ns += 400 * NS_PER_MS; /* the daemon was not there for a while */
    until(r, STATE_FAULT);
    assert_non_null(strstr(r->said, "bus watchdog"));
    ask(r, REQUEST_CLEAR);
    until(r, STATE_LIMP);
    run(r);
    for (int i = 0; i < 50; i++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_RUNNING);
    assert_int_equal(sensed(r)->faults[0] | sensed(r)->faults[1], 0);
}

/* Lost answers below the limit only coast. */
static void some_lost_answers_stop_nothing(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"faults.lost=0.05", "faults.corrupted=0.02",
                                       "faults.late=0.02"};
    start(r, sets, 3);
    run(r);
    for (int i = 0; i < 3000; i++) {
        tick(r);
        assert_int_equal(now(r), STATE_RUNNING);
    }
    uint64_t injected[WIRE_FAULTS];
    plant_injected(r->house.plant, injected);
    assert_true(injected[WIRE_LOST] > 300 && r->house.loop.st.coasted_total > 300);
    assert_true(plant_counters(r->house.plant)->read_phase_us_max <= 3000);
}

/* While a bus is set up nobody is asked for a pose: those ticks miss none. */
static void arming_and_stopping_do_not_coast(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    run(r);
    for (int i = 0; i < 100; i++) {
        tick(r);
    }
    atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
    until(r, STATE_LIMP);
    assert_int_equal(r->house.loop.st.coasted_total, 0);
}

static void writing_a_devices_memory_is_said(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    until(r, STATE_LIMP);
    tick(r);
    assert_string_equal(r->written, "7 settings in the devices' memory differed from the robot "
                                    "file and were written");
    r->written[0] = '\0';
    run(r);
    assert_string_equal(r->written, "");
}

/* Ticks that read torque back read no pose: many servos take many. */
static void a_stop_that_reads_back_slowly_is_no_fault(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"safety.stale_ticks_max=0"};
    start(r, sets, 1);
    run(r);
    for (int i = 0; i < 100; i++) {
        tick(r);
    }
    atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
    tick(r);
    while (now(r) == STATE_STOPPING) {
        tick(r);
    }
    assert_string_equal(r->said, "");
    assert_int_equal(now(r), STATE_LIMP);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_ride, close_ride)
    const struct CMUnitTest tests[] = {
        TEST(an_overload_stops_the_robot_and_is_named),
        TEST(torque_that_goes_off_by_itself_stops_the_robot),
        TEST(torque_on_a_joint_that_is_only_measured_stops_the_robot),
        TEST(torque_that_comes_on_while_limp_is_cut),
        TEST(a_brown_out_stops_the_robot_and_is_set_up_anew),
        TEST(a_pulled_bus_needs_an_explicit_arm),
        TEST(a_power_cut_is_a_latched_estop),
        TEST(a_sag_that_nobody_complains_of_is_one_too),
        TEST(a_sag_may_be_held),
        TEST(without_power_nothing_arms),
        TEST(a_bus_that_falls_silent_with_its_power_is_named),
        TEST(a_tripped_watchdog_is_a_fault),
        TEST(some_lost_answers_stop_nothing),
        TEST(arming_and_stopping_do_not_coast),
        TEST(writing_a_devices_memory_is_said),
        TEST(a_stop_that_reads_back_slowly_is_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
