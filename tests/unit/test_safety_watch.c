/* Ceilings, trips at their edges, the sentences, arming and refused robots. */
#include "tests/unit/safety_fixture.h"

static void heat_takes_torque_away(void **state)
{
    (void)state;
    static const double at[][2] = {{30, 1.4}, {63, 1.4}, {66.5, 0.7},
                                   {70, 0},   {90, 0},   {NONE, 1.4}};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct safety z;
        begin(&z, &crawler);
        struct sensed s = make_sensed(0.0, -1.0);
        struct command c = ask(MODE_POSITION, 0.0, -1.0);
        s.temp_c[1] = (float)at[i][0];
        tick(&z, &s, 7, &c);
        assert_true(fabs(c.tau_max[1] - at[i][1]) < 1e-6);
        assert_int_equal(z.rule[1], at[i][1] < 1.4 ? RULE_EFFORT : RULE_NONE);
        assert_int_equal(z.trips, at[i][0] > 70.0 ? TRIP_TEMPERATURE : 0);
    }
    struct safety z;
    begin(&z, &crawler);
    struct sensed s = make_sensed(0.0, -1.0);
    struct command c = ask(MODE_POSITION, 0.0, -1.0);
    c.tau_max[1] = 5.0;
    tick(&z, &s, 7, &c);
    assert_true(c.tau_max[1] == 1.4);
    assert_int_equal(z.rule[1], RULE_EFFORT);
}

/* Ticks until `trip` shows while `s` stays as it is and the arm is driven towards goal; -1: not
 * within 200. */
static int ticks_to_trip(struct sensed s, double goal, uint32_t trip, struct safety *ret_safety)
{
    struct safety z;
    begin(&z, &crawler);
    struct sensed calm = make_sensed(0.0, -1.0);
    struct command c = ask(MODE_POSITION, 0.0, -1.0);
    tick(&z, &calm, 7, &c);
    for (int i = 0; i < 200; i++) {
        c = ask(MODE_POSITION, goal, -1.0);
        tick(&z, &s, 7, &c);
        if (z.trips != 0) {
            *ret_safety = z;
            return z.trips == trip ? i : -2;
        }
    }
    return -1;
}

static void trips_come_at_their_margins_and_explain_themselves(void **state)
{
    (void)state;
    struct safety z;
    char text[WHY_CHARS];
    struct sensed s = make_sensed(0.5236 + 0.149, -1.0);
    assert_int_equal(ticks_to_trip(s, 0.5, TRIP_POSITION, &z), -1);
    s = make_sensed(0.5236 + 0.151, -1.0);
    assert_int_equal(ticks_to_trip(s, 0.5, TRIP_POSITION, &z), 0);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(
        strstr(text, "arm: at 0.675 rad it is 0.151 outside its range -0.524 to 0.524"));

    s = make_sensed(0.0, -1.0);
    s.qd[1] = 7.49;
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_VELOCITY, &z), -1);
    s.qd[1] = -7.51;
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_VELOCITY, &z), 0);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(strstr(text, "hand: -7.51 rad/s is faster than its limit of 5.00 plus 50 %"));

    s = make_sensed(0.0, -1.0);
    s.tau[0] = 1.74;
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_EFFORT, &z), -1);
    s.tau[0] = 1.76;
    assert_in_range(ticks_to_trip(s, 0.0, TRIP_EFFORT, &z), 99, 101);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(strstr(text, "arm: 1.76 Nm"));

    s = make_sensed(-0.3, -1.0); /* told to go up, goes down */
    s.qd[0] = -1.0;
    assert_in_range(ticks_to_trip(s, 0.5, TRIP_RUNAWAY, &z), 29, 60);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(strstr(text, "moved away from its goal"));

    s = make_sensed(0.0, -1.0);
    s.faults[2] = FAULT_OVERLOAD;
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_DEVICE, &z), 0);
    assert_int_equal(z.trip_joint, 2);
    s.faults[2] = FAULT_LOST;
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_DEVICE, &z), 0);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(strstr(text, "does not answer: more than"));
    s.faults[2] = FAULT_FROZEN;
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_FROZEN, &z), 0);

    s = make_sensed(0.0, NONE);
    assert_int_equal(ticks_to_trip(s, 0.0, TRIP_NOT_FINITE, &z), 0);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(strstr(text, "hand: a sensed value is not finite"));
}

/* Each joint is explained by its own trip, not by a neighbour's. */
static void the_first_joint_is_explained_by_its_own_trip(void **state)
{
    (void)state;
    struct safety z;
    char text[WHY_CHARS];
    struct sensed s = make_sensed(0.9, NONE);
    assert_int_equal(ticks_to_trip(s, 0.5, TRIP_POSITION | TRIP_NOT_FINITE, &z), 0);
    (void)safety_explain(&z, &s, text, sizeof text);
    assert_non_null(strstr(text, "arm: at 0.900 rad"));
}

static void a_sensor_is_frozen_when_neither_side_moves_it(void **state)
{
    (void)state;
    for (int blocked = 0; blocked < 2; blocked++) {
        struct safety z;
        begin(&z, &crawler);
        const struct sensed s = make_sensed(0.0, -1.0);
        uint32_t seen = 0;
        for (int i = 0; i < 400; i++) {
            const double side = (i / 50) % 2 == 0 || blocked != 0 ? 0.5 : -0.5;
            struct command c = ask(MODE_POSITION, side, -1.0);
            tick(&z, &s, 7, &c);
            seen |= z.trips;
        }
        assert_int_equal(seen, blocked != 0 ? 0 : TRIP_FROZEN);
    }
}

static void arming_wants_a_pose_inside_and_nothing_wrong(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    char reason[WHY_CHARS] = "";
    struct sensed s = make_sensed(0.0, -1.0);
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), 0);
    s = make_sensed(0.0, 0.1);
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    static struct robot slack;
    slack = crawler;
    slack.rest_outside_rad = 0.11;
    begin(&z, &slack);
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), 0);
    begin(&z, &crawler);
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    assert_non_null(strstr(reason, "hand: at 0.100 rad, 0.100 outside its range"));
    s = make_sensed(NONE, 0.0);
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    s = make_sensed(0.0, -1.0);
    s.age_us[1] = INT32_MAX; /* never seen */
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    assert_non_null(strstr(reason, "hand: not seen for more than 500 ms"));
    s = make_sensed(0.0, -1.0);
    s.faults[2] = FAULT_LOST;
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    s = make_sensed(0.0, -1.0);
    s.temp_c[0] = 69.0f;
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
}

/* One joint whose range nobody found is enough; one that only measures needs none. */
static void arming_may_want_ranges_that_were_found(void **state)
{
    (void)state;
    static struct robot arm;
    struct safety z;
    char reason[WHY_CHARS] = "";
    const struct sensed s = make_sensed(0.0, -1.0);
    arm = crawler;
    begin(&z, &arm);
    z.settings.ranges = RANGES_FOUND;
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    assert_non_null(strstr(reason, "joint arm: its range "));
    arm.joint[0].range_found = true;
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), -EPERM);
    assert_non_null(strstr(reason, "joint hand: its range "));
    assert_non_null(strstr(reason, "was not found on this robot; run basalctl find-limits"));
    arm.joint[1].range_found = true;
    assert_false(arm.joint[2].actuated);
    assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), 0);
}

static void an_unset_limit_is_refused(void **state)
{
    (void)state;
    struct safety_settings settings;
    option_defaults(safety_options, &settings);
    for (int k = 0; k < 7; k++) {
        static const double bad[] = {NONE, HUGE_VAL, -HUGE_VAL};
        for (int b = 0; b < 3; b++) {
            static struct robot robot;
            robot = crawler;
            struct joint_spec *p = &robot.joint[1];
            double *const limit[] = {&p->q_min,
                                     &p->q_max,
                                     &p->qd_max,
                                     &p->qdd_max,
                                     &p->tau_max,
                                     &p->temp_max_c,
                                     &robot.control_rate_hz};
            struct safety z;
            char reason[WHY_CHARS] = "";
            *limit[k] = bad[b];
            assert_int_equal(safety_init(&z, &robot, &settings, reason, sizeof reason), -EINVAL);
            assert_true(strlen(reason) > 10);
            *limit[k] = 0.0;
            if (k >= 2) {
                assert_int_equal(safety_init(&z, &robot, &settings, reason, sizeof reason),
                                 -EINVAL);
            }
        }
    }
    static struct robot robot;
    robot = crawler;
    struct safety z;
    char reason[WHY_CHARS];
    robot.joint[0].q_min = robot.joint[0].q_max;
    assert_int_equal(safety_init(&z, &robot, &settings, reason, sizeof reason), -EINVAL);
    assert_string_equal(safety_rule_name(RULE_NOT_FINITE), "not_finite");
}

/* A joint without an absolute encoder: once its power may have been away it does not arm, whatever
 * it says afterwards. */
static void an_incremental_joint_must_be_found_again(void **state)
{
    static const uint32_t causes[] = {FAULT_REBOOT, FAULT_LOST};
    static struct robot robot;
    static struct safety z;
    char reason[WHY_CHARS];
    (void)state;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        for (int incremental = 0; incremental < 2; incremental++) {
            robot = crawler;
            robot.joint[1].incremental = incremental != 0;
            begin(&z, &robot);
            struct sensed s = make_sensed(0.0, -1.0);
            safety_watch(&z, &s, 7);
            assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason), 0);
            s.faults[1] = causes[i];
            safety_watch(&z, &s, 7);
            s.faults[1] = 0;
            safety_watch(&z, &s, 7);
            assert_int_equal(safety_may_arm(&z, &s, reason, sizeof reason),
                             incremental != 0 ? -EPERM : 0);
        }
        assert_non_null(strstr(reason, "joint hand: its power may have been away"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heat_takes_torque_away),
        cmocka_unit_test(trips_come_at_their_margins_and_explain_themselves),
        cmocka_unit_test(the_first_joint_is_explained_by_its_own_trip),
        cmocka_unit_test(a_sensor_is_frozen_when_neither_side_moves_it),
        cmocka_unit_test(arming_wants_a_pose_inside_and_nothing_wrong),
        cmocka_unit_test(arming_may_want_ranges_that_were_found),
        cmocka_unit_test(an_unset_limit_is_refused),
        cmocka_unit_test(an_incremental_joint_must_be_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
