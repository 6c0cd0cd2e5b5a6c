/* The plant over emulated buses, in lockstep: deadlines, faults on the wire, orders, buses. */
#include "tests/unit/plant_fixture.h"

#include "daemon/plant_inside.h"

static int open_rig(void **state)
{
    *state = calloc(1, sizeof(struct rig));
    return *state != NULL ? 0 : -1;
}

static int close_rig(void **state)
{
    rig_close(*state);
    free(*state);
    return 0;
}

/* Plain sync reads: with firmware 44 no servo speaks in another's packet. */
#define PLAIN                                                                                      \
    "joints.arm.device.firmware=44", "joints.hand.device.firmware=44",                             \
        "joints.odometer.device.firmware=44"

/*
 * One fault at a time: each one that is injected costs one missed answer, doubles cost none; no
 * read phase is longer than its deadline; who did not answer keeps its last sample and grows old.
 */
static void run_fault(struct rig *r, enum wire_fault fault, const char *set)
{
    const char *const sets[] = {PLAIN, set, "faults.late_us=6000"};
    uint64_t before[WIRE_FAULTS], after[WIRE_FAULTS];
    rig_open(r, sets, 5);
    rig_arm(r);
    const struct command hold = rig_hold(r);
    const struct plant_counters *c = plant_counters(r->plant);
    rig_tick(r, PLANT_RUN, &hold);
    plant_injected(r->plant, before);
    const struct plant_counters was = *c;
    const uint64_t misses = rig_misses(r);
    uint64_t requests = 0, asked = 0;
    for (int i = 0; i < 1000; i++) {
        const struct sensed last = r->sensed;
        rig_tick(r, PLANT_RUN, &hold);
        for (int j = 0; j < 3; j++) {
            if ((r->fresh >> j & 1) == 0) {
                assert_true(r->sensed.q[j] == last.q[j] && r->sensed.qd[j] == last.qd[j]);
                assert_int_equal(r->sensed.age_us[j], last.age_us[j] + 10000);
            } else {
                assert_in_range(r->sensed.age_us[j], 0, 1100);
            }
        }
        requests += r->fresh == ALL_JOINTS ? 4 : 3; /* no time is left for a slow row */
    }
    plant_injected(r->plant, after);
    const uint64_t n = after[fault] - before[fault];
    for (int j = 0; j < 3; j++) {
        asked += c->requests[j] - was.requests[j];
    }
    assert_in_range(n, 250, 500); /* 10 % of about 4 answers in each of 1000 ticks */
    assert_int_equal(asked, requests);
    assert_int_equal(rig_misses(r) - misses, fault == WIRE_DUPLICATED ? 0 : n);
    assert_true(c->read_phase_us_max <= DEADLINE_US);
    for (int f = 0; f < WIRE_FAULTS; f++) {
        assert_true(f == (int)fault || after[f] == 0);
    }
    switch (fault) {
    case WIRE_CORRUPTED:
        assert_true(c->crc_errors - was.crc_errors > n / 2); /* the others have no header */
        assert_true(c->bytes_lost > was.bytes_lost);
        break;
    case WIRE_DUPLICATED:
        assert_true(c->bad_replies - was.bad_replies > n / 2); /* the others come too late */
        break;
    case WIRE_LOST:
    case WIRE_LATE:
        assert_int_equal(c->crc_errors + c->bad_replies, 0);
        break;
    case WIRE_TRUNCATED:
    case WIRE_FAULTS:
        break;
    }
}

static void lost_answers_are_counted(void **state)
{
    run_fault(*state, WIRE_LOST, "faults.lost=0.1");
}

static void corrupted_answers_are_counted(void **state)
{
    run_fault(*state, WIRE_CORRUPTED, "faults.corrupted=0.1");
}

static void late_answers_are_counted(void **state)
{
    run_fault(*state, WIRE_LATE, "faults.late=0.1");
}

static void truncated_answers_are_counted(void **state)
{
    run_fault(*state, WIRE_TRUNCATED, "faults.truncated=0.1");
}

static void doubled_answers_cost_nothing(void **state)
{
    run_fault(*state, WIRE_DUPLICATED, "faults.duplicated=0.1");
}

/* All at once and one packet for all: nothing is longer, nothing is taken that is not right. */
static void no_fault_makes_a_read_phase_long(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"faults.lost=0.05",       "faults.corrupted=0.1",
                                       "faults.late=0.05",       "faults.truncated=0.1",
                                       "faults.duplicated=0.05", "faults.late_us=2000"};
    rig_open(r, sets, 6);
    rig_arm(r);
    const struct command hold = rig_hold(r);
    for (int i = 0; i < 3000; i++) {
        rig_tick(r, PLANT_RUN, &hold);
        for (int j = 0; j < 2; j++) {
            assert_true(fabs(r->sensed.q[j] - hold.q[j]) < 0.1); /* they hold their pose */
            assert_true(fabs(r->sensed.qd[j]) < 1.0);
        }
        assert_int_equal((r->sensed.faults[0] | r->sensed.faults[1]) & ~(unsigned)FAULT_LOST, 0);
        assert_false(r->sensed.temp_c[0] < 20 || r->sensed.temp_c[0] > 40); /* NaN: not yet read */
    }
    assert_in_range(r->sensed.temp_c[0], 20, 40);
    assert_true(rig_misses(r) > 1000);
    assert_true(plant_counters(r->plant)->read_phase_us_max <= DEADLINE_US);
}

static void the_seventh_miss_in_a_row_is_a_fault(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {PLAIN, "joints.odometer.device.brownout_at_s=3"};
    rig_open(r, sets, 4);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    while (r->t_ns < 3 * NS_PER_S) {
        rig_tick(r, PLANT_LISTEN, NULL);
        assert_int_equal(r->fresh, ALL_JOINTS);
    }
    const struct plant_counters *c = plant_counters(r->plant);
    for (int i = 1; i <= 40; i++) {
        rig_tick(r, PLANT_LISTEN, NULL);
        assert_int_equal(r->fresh, 3);
        assert_int_equal(c->misses_in_a_row[2], i);
        assert_int_equal(r->sensed.faults[2], i > 6 ? FAULT_LOST : 0);
        assert_int_equal(r->sensed.faults[0] | r->sensed.faults[1], 0);
    }
    while (r->fresh != ALL_JOINTS) {
        rig_tick(r, PLANT_LISTEN, NULL);
    }
    assert_int_equal(c->misses_in_a_row[2], 0);
    assert_in_range(c->misses_in_a_row_max[2], 45, 55);
    assert_int_equal(r->sensed.faults[2], FAULT_REBOOT); /* it is back, and not what it was */
    assert_true(plant_ready(r->plant));
}

static void a_bus_that_goes_away_is_found_again(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"faults.away_at_s=2", "faults.away_s=0.5"};
    rig_open(r, sets, 2);
    rig_arm(r);
    const struct command hold = rig_hold(r);
    const struct plant_counters *c = plant_counters(r->plant);
    while (plant_ready(r->plant)) {
        rig_tick(r, PLANT_RUN, &hold);
        assert_true(r->t_ns < 3 * NS_PER_S);
    }
    assert_in_range(r->t_ns, 2 * NS_PER_S, 2 * NS_PER_S + 2 * TICK_NS);
    assert_non_null(strstr(plant_why(r->plant), "is gone (unplugged?); torque of its joints is "
                                                "unknown until it is read back"));
    const uint64_t sent = c->bytes_tx;
    for (int i = 0; i < 40; i++) {
        rig_tick(r, PLANT_STOP, &hold);
        for (int j = 0; j < 3; j++) {
            assert_int_equal(r->sensed.torque[j], TORQUE_UNKNOWN);
            assert_true((r->sensed.faults[j] & FAULT_LOST) != 0);
        }
        assert_int_equal(r->fresh, 0);
    }
    assert_int_equal(c->bytes_tx, sent); /* nothing is said to nobody */
    rig_until(r, PLANT_STOP, EVENT_IDENTIFIED);
    assert_false(plant_ready(r->plant)); /* found, but no joint has been read since */
    assert_non_null(strstr(plant_why(r->plant), "not every joint has been read yet"));
    rig_tick(r, PLANT_STOP, &hold);
    assert_true(plant_ready(r->plant));
    assert_int_equal(c->reconnects, 1);
    for (int i = 0; i < 2; i++) {
        rig_tick(r, PLANT_STOP, &hold); /* still stopped: no goal goes out */
        assert_int_equal(c->last_byte_ns, 0);
    }
    for (int j = 0; j < 3; j++) {
        assert_int_equal(r->sensed.torque[j], TORQUE_OFF);
        assert_int_equal(r->sensed.faults[j] & FAULT_LOST, 0);
    }
    rig_until(r, PLANT_ARM, EVENT_ARMED);
    assert_int_equal(r->sensed.torque[0], TORQUE_ON);
}

/* The last byte of the goals is out at one and the same phase. */
static void goals_leave_at_their_phase(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"bus.servo.write_phase_us=4000", "faults.lost=0.1"};
    rig_open(r, sets, 2);
    rig_arm(r);
    const struct command hold = rig_hold(r);
    const struct plant_counters *c = plant_counters(r->plant);
    int with_ceiling = 0;
    for (int i = 0; i < 200; i++) {
        rig_tick(r, PLANT_RUN, &hold);
        const int64_t positions_ns = 4000 * NS_PER_US + 24 * 10 * NS_PER_US; /* 14 + 2 (1 + 4) */
        const int64_t ceilings_ns = 20 * 10 * NS_PER_US;                     /* 14 + 2 (1 + 2) */
        assert_true(c->last_byte_ns == positions_ns ||
                    c->last_byte_ns == positions_ns + ceilings_ns);
        with_ceiling += c->last_byte_ns > positions_ns;
    }
    assert_in_range(with_ceiling, 9, 11); /* repeated every 21 goals */
}

static void nothing_is_written_unless_armed(void **state)
{
    struct rig *r = *state;
    rig_open(r, NULL, 0);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    const struct command hold = rig_hold(r);
    for (int i = 0; i < 50; i++) {
        rig_tick(r, PLANT_LISTEN, &hold);
        assert_int_equal(plant_counters(r->plant)->last_byte_ns, 0);
        assert_int_equal(r->sensed.torque[0], TORQUE_OFF);
    }
}

static void pipelined_goals_leave_in_the_next_tick(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"bus.servo.order=pipelined"};
    rig_open(r, sets, 1);
    rig_arm(r);
    struct command c = rig_hold(r);
    const struct plant_counters *n = plant_counters(r->plant);
    rig_tick(r, PLANT_RUN, &c);
    assert_int_equal(n->last_byte_ns, 0); /* stored */
    for (int i = 0; i < 100; i++) {
        rig_tick(r, PLANT_RUN, &c);
        assert_in_range(n->last_byte_ns, 240 * NS_PER_US, 440 * NS_PER_US);
        assert_int_equal(r->fresh, ALL_JOINTS);
    }
    assert_int_equal(rig_misses(r) + n->crc_errors + n->bad_replies, 0);
    rig_until(r, PLANT_STOP, EVENT_STOPPED);
    rig_until(r, PLANT_ARM, EVENT_ARMED);
    rig_tick(r, PLANT_RUN, NULL); /* nothing from before the stop */
    assert_int_equal(n->last_byte_ns, 0);
}

/* One bus in the dark costs the other none of its answers. */
static void two_buses_share_no_silence(void **state)
{
    struct rig *r = *state;
    static const char text[] = "include: " SOURCE_DIR "/deploy/robots/crawler.yaml\n"
                               "bus:\n"
                               "  - {name: wheel, driver: dynamixel, device: /dev/wheel}\n"
                               "joints:\n"
                               "  - {name: odometer, bus: wheel}\n"
                               "  - {name: arm, device: {brownout_at_s: 3}}\n";
    rig_open_text(r, text, sizeof text - 1, NULL, 0);
    assert_int_equal(r->config.robot.n_buses, 2);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    const struct plant_counters *c = plant_counters(r->plant);
    while (r->t_ns < 4 * NS_PER_S) {
        const uint64_t asked = c->requests[2];
        rig_tick(r, PLANT_LISTEN, NULL);
        assert_int_equal(r->fresh >> 2 & 1, 1);
        assert_int_equal(c->requests[2] - asked, 2); /* its slow rows go on, too */
    }
    assert_true(c->misses[0] > 40);
    assert_int_equal(c->misses[2], 0);
    assert_true(c->read_phase_us_max <= DEADLINE_US);
}

/* Torque off goes to all at once; who is silent does not keep the others driven. */
static void a_stop_tells_all_before_it_asks_each(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {PLAIN, "joints.arm.device.brownout_at_s=2"};
    rig_open(r, sets, 4);
    rig_arm(r);
    const struct command hold = rig_hold(r);
    while (r->t_ns < 2 * NS_PER_S + 3 * TICK_NS) {
        rig_tick(r, PLANT_RUN, &hold);
    }
    while (r->plant->job != JOB_STOP) {
        rig_tick(r, PLANT_STOP, &hold);
    }
    assert_true(world_drives(r->plant->world, 1));
    rig_tick(r, PLANT_STOP, NULL);
    rig_tick(r, PLANT_STOP, NULL); /* the first in line is not given up yet */
    assert_false(world_drives(r->plant->world, 1));
    assert_int_equal(r->plant->job, JOB_STOP);
    rig_until(r, PLANT_STOP, EVENT_STOP_FAILED);
    assert_non_null(strstr(plant_why(r->plant), "joint arm (id 1 on bus servo): torque off could "
                                                "not be read back"));
    assert_int_equal(r->sensed.torque[0], TORQUE_UNKNOWN);
    assert_int_equal(r->sensed.torque[1], TORQUE_OFF);
    assert_int_equal(r->sensed.torque[2], TORQUE_OFF);
    assert_false(plant_ready(r->plant)); /* nobody may clear, and the bus falls quiet ... */
    const uint64_t sent = plant_counters(r->plant)->bytes_tx;
    for (int i = 0; i < 50; i++) {
        rig_tick(r, PLANT_STOP, &hold);
    }
    assert_int_equal(plant_counters(r->plant)->bytes_tx, sent);
    rig_until(r, PLANT_STOP, EVENT_IDENTIFIED); /* ... until torque is read back as off */
    assert_int_equal(r->sensed.torque[0], TORQUE_OFF);
    do {
        rig_tick(r, PLANT_STOP, &hold);
        assert_true(r->t_ns < 60 * NS_PER_S);
    } while (!plant_ready(r->plant));
}

/* A read of an arming is still unanswered when it is stopped: its 0 is no torque read back. */
static void what_a_cut_off_setup_asked_answers_nothing(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {PLAIN, "faults.late=1", "faults.late_us=12000"};
    rig_open(r, sets, 5);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    struct setup *setup = &r->plant->bus[0].setup;
    while (r->plant->job != JOB_ARM || setup->stage != 4 + 1) { /* hardware error: asked */
        rig_tick(r, PLANT_ARM, NULL);
        assert_true(r->t_ns < 60 * NS_PER_S);
    }
    (void)plant_do(r->plant, PLANT_STOP);
    assert_int_equal(r->plant->job, JOB_STOP);
    for (int i = 0; i < 2; i++) { /* an answer to a question of now takes longer */
        rig_tick(r, PLANT_STOP, NULL);
        assert_int_equal(setup->goal, SETUP_DISARM);
        assert_int_equal(setup->torque_off, 0);
    }
    rig_until(r, PLANT_STOP, EVENT_STOPPED);
}

/* A daemon that starts anew finds one servo dark and the others still driven by its predecessor. */
static void who_does_not_answer_leaves_no_other_driven(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {PLAIN, "joints.arm.device.brownout_at_s=2"};
    rig_open(r, sets, 4);
    rig_arm(r);
    const struct command hold = rig_hold(r);
    while (r->t_ns < 2 * NS_PER_S + 3 * TICK_NS) {
        rig_tick(r, PLANT_RUN, &hold);
    }
    r->plant->known = false;
    assert_true(world_drives(r->plant->world, 1));
    rig_until(r, PLANT_IDENTIFY, EVENT_NOT_FOUND);
    assert_false(world_drives(r->plant->world, 1));
    assert_int_equal(r->sensed.torque[0], TORQUE_UNKNOWN);
    assert_int_equal(r->sensed.torque[1], TORQUE_OFF);
    assert_int_equal(r->sensed.torque[2], TORQUE_OFF);
    assert_false(plant_ready(r->plant));
    assert_non_null(strstr(plant_why(r->plant), "joint arm (id 1 on bus servo): does not answer"));
}

/* The pose that is held is the one that set-up has measured, also where nothing was read since. */
static void arming_hands_over_the_pose(void **state)
{
    struct rig *r = *state;
    struct sensed truth;
    rig_open(r, NULL, 0);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    (void)plant_do(r->plant, PLANT_ARM); /* at once: no state was read yet */
    rig_until(r, PLANT_ARM, EVENT_ARMED);
    assert_true(plant_truth(r->plant, &truth));
    for (int j = 0; j < 2; j++) {
        assert_true(fabs(r->sensed.q[j] - truth.q[j]) < 0.05);
    }
    assert_true(fabs(truth.q[1]) > 0.5); /* far from where nothing is known */
}

static void written_settings_are_counted(void **state)
{
    struct rig *r = *state;
    rig_open(r, NULL, 0);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    /* two joints' three limits, and the mode of the wheel */
    assert_int_equal(plant_counters(r->plant)->settings_written, 7);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        TEST(lost_answers_are_counted),
        TEST(corrupted_answers_are_counted),
        TEST(late_answers_are_counted),
        TEST(truncated_answers_are_counted),
        TEST(doubled_answers_cost_nothing),
        TEST(no_fault_makes_a_read_phase_long),
        TEST(the_seventh_miss_in_a_row_is_a_fault),
        TEST(a_bus_that_goes_away_is_found_again),
        TEST(goals_leave_at_their_phase),
        TEST(nothing_is_written_unless_armed),
        TEST(pipelined_goals_leave_in_the_next_tick),
        TEST(two_buses_share_no_silence),
        TEST(a_stop_tells_all_before_it_asks_each),
        TEST(what_a_cut_off_setup_asked_answers_nothing),
        TEST(who_does_not_answer_leaves_no_other_driven),
        TEST(arming_hands_over_the_pose),
        TEST(written_settings_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
