/* What lies between two episodes of an arm: a way back to where they begin, or a person. */
#include "tests/loop/arm_fixture.h"

#define ARM_YAML SOURCE_DIR "/deploy/robots/openarm6.yaml"

#define FENCED_YAML SOURCE_DIR "/deploy/robots/arm-fenced.yaml"

#define SCRIPT "task.reset=script"
#define POSE   "task.reset_pose_rad=[0.2, -0.3, 0.6, 0.1, 0.3, 0]"
#define SHORT  "task.episode_s=0.5"

static const double pose[] = {0.2, -0.3, 0.6, 0.1, 0.3, 0.0};

static double farthest_from_pose_rad(const struct arm_rig *r)
{
    double far = 0.0;
    for (int j = 0; j < 6; j++) {
        far = fmax(far, fabs(r->house.loop.st.sensed.q[j] - pose[j]));
    }
    return far;
}

static int ticks_until_open(struct arm_rig *r, bool open, int most)
{
    int n = 0;
    for (; r->house.loop.st.open != open && n < most; n++) {
        arm_tick(r);
    }
    return n;
}

/* Every episode, the first too, begins near the pose, at rest; on the way nothing becomes
 * experience and no joint is faster than it may be. */
static void a_script_leads_to_its_pose(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SCRIPT, POSE, SHORT, "task.reset_noise_rad=0.1",
                                       "task.reset_rad_s=0.8"};
    arm_open(r, ARM_YAML, sets, 5);
    const struct loop_state *z = &r->house.loop.st;
    double first_rad = 0.0;
    arm_run(r, RUN_RANDOM);
    for (int k = 0; k < 8; k++) {
        const int64_t step = z->step;
        double last[JOINTS_MAX];
        bool goes = false;
        for (int i = 0; !z->open; i++) {
            memcpy(last, z->command.q, sizeof last);
            assert_true(i < 1000);
            arm_tick(r);
            for (int j = 0; j < 6 && goes && z->reset.stage == RESET_GOES; j++) {
                const double rad_s = fabs(z->command.q[j] - last[j]) / r->house.loop.dt_s;
                assert_true(rad_s <= 0.8 + 1e-9);
            }
            goes = z->reset.stage == RESET_GOES;
        }
        assert_true(z->step == step);
        assert_true(farthest_from_pose_rad(r) < 0.1 + 0.03);
        assert_true(respond_still(&r->house.loop.responder, &z->sensed));
        assert_true(k == 0 || fabs(z->sensed.q[0] - first_rad) > 1e-4); /* drawn anew */
        first_rad = z->sensed.q[0];
        assert_true(ticks_until_open(r, false, 100) < 100);
        assert_true(z->step > step);
    }
    assert_null(strstr(r->reset, "came to rest"));
}

static void it_stands_still_for_as_long_as_asked(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SCRIPT, POSE, SHORT, "task.reset_s=0.7"};
    arm_open(r, ARM_YAML, sets, 4);
    const struct loop_state *z = &r->house.loop.st;
    arm_run(r, RUN_RANDOM);
    while (z->reset.stage != RESET_THERE) {
        assert_false(z->open);
        arm_tick(r);
    }
    assert_in_range(ticks_until_open(r, true, 1000), 68, 73);
}

/* The table is in its way: it says so, and goes on from where it is. */
static void who_is_kept_from_it_says_so(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SCRIPT, SHORT, "task.reset_pose_rad=[0, 1.4, 0.1, 0, 0, 0]"};
    arm_open(r, ARM_YAML, sets, 3);
    arm_run(r, RUN_RANDOM);
    assert_true(ticks_until_open(r, true, 3000) < 3000);
    assert_non_null(strstr(r->reset, "rad from where it was sent; the episode begins there"));
    assert_non_null(strstr(r->reset, "joint "));
    const struct loop_state *z = &r->house.loop.st;
    for (int j = 0; j < 6; j++) { /* nor does it push */
        assert_true(fabs(z->command.q[j] - z->sensed.q[j]) < 0.1);
    }
}

/* A fence is in its way: it stays inside, and goes on from where safety stopped it at once. */
static void a_fence_keeps_it_inside(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SCRIPT, SHORT, "task.reset_pose_rad=[0, 1.4, 0.1, 0, 0, 0]"};
    arm_open(r, FENCED_YAML, sets, 3);
    const struct loop_state *z = &r->house.loop.st;
    int back = 0;
    arm_run(r, RUN_RANDOM);
    for (int i = 0; !z->open; i++) {
        assert_true(i < 3000);
        arm_tick(r);
        back += z->reset.gave_up && z->reset.stage == RESET_GOES;
        assert_true(r->tip_m > 0.03 - 0.01);
    }
    assert_non_null(strstr(r->reset, "came to rest"));
    assert_true(back > 0 && back < 50);
}

/* Whatever ends it on the way: nobody goes on with it, nor when torque is on again. */
static void whoever_stops_it_ends_the_way(void **state)
{
    struct arm_rig *r = *state;

    static const struct {
        uint32_t bit;
        enum fsm_state then, at_last;
    } rows[] = {{STOP_ASKED, STATE_RETREATING, STATE_LIMP},
                {STOP_ESTOP, STATE_DAMPED, STATE_ESTOP}};

    static const char *const sets[] = {SCRIPT, POSE, SHORT};
    arm_open(r, ARM_YAML, sets, 3);
    const struct loop_state *z = &r->house.loop.st;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        arm_run(r, RUN_RANDOM);
        while (z->reset.stage != RESET_GOES || z->reset.path.s < 0.2) {
            arm_tick(r);
        }
        arm_stop_bit(r, rows[k].bit);
        assert_int_equal(arm_state(r), rows[k].then);
        assert_int_equal(z->reset.stage, RESET_BRAKES);
        arm_until(r, rows[k].at_last);
        arm_for(r, 3.0);
        assert_int_equal(arm_state(r), rows[k].at_last);
        assert_false(z->open);
    }
}

/* Nobody attends it any more: it holds, on the way and while a person is asked. */
static void who_is_left_alone_holds(void **state)
{
    struct arm_rig *r = *state;
    static const char *const way[] = {SCRIPT, POSE, SHORT, "task.reset_rad_s=0.05"};
    static const char *const ask[] = {"task.reset=ask", SHORT};
    arm_open(r, ARM_YAML, way, 4);
    arm_run(r, RUN_RANDOM | RUN_ATTENDED);
    arm_until(r, STATE_HOLDING);
    assert_false(r->house.loop.st.open);
    assert_int_equal(r->house.loop.st.reset.stage, RESET_BRAKES);
    house_close(&r->house);
    memset(r, 0, sizeof *r);
    arm_open(r, ARM_YAML, ask, 2);
    arm_run(r, RUN_RANDOM | RUN_ATTENDED);
    arm_until(r, STATE_HOLDING);
    assert_false(loop_waits(&r->house.loop));
    assert_non_null(strstr(r->changed, "control.lease_deadman_ms"));
}

/* Weights do not age while none drive: a person is in its reach then. */
static void while_it_waits_no_policy_is_stale(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {"task.reset=ask", SHORT, "comms.weights=ipc:///run/w",
                                       "responses.policy_stale_s=0.3",
                                       "responses.policy_stale=retreat"};
    arm_open(r, ARM_YAML, sets, 5);
    arm_run(r, RUN_RANDOM);
    assert_true(ticks_until_open(r, true, 10) < 10);
    assert_true(ticks_until_open(r, false, 100) < 100);
    r->house.loop.st.source = SOURCE_POLICY; /* who drove last */
    arm_for(r, 2.0);
    assert_int_equal(arm_state(r), STATE_RUNNING);
    assert_true(loop_waits(&r->house.loop));
}

/* A hold on the way ends it; the next run begins it anew, from where the robot is then. */
static void a_hold_ends_the_way(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SCRIPT, POSE, SHORT};
    arm_open(r, ARM_YAML, sets, 3);
    const struct loop_state *z = &r->house.loop.st;
    arm_run(r, RUN_RANDOM);
    while (z->reset.stage != RESET_GOES) {
        arm_tick(r);
    }
    arm_ask(r, REQUEST_HOLD, 0);
    arm_for(r, 1.0);
    assert_int_equal(arm_state(r), STATE_READY);
    assert_int_equal(z->reset.stage, RESET_BRAKES);
    const double held_rad = z->sensed.q[2];
    arm_for(r, 1.0);
    assert_true(fabs(z->sensed.q[2] - held_rad) < 1e-3);
    arm_ask(r, REQUEST_RUN, RUN_RANDOM);
    assert_true(ticks_until_open(r, true, 1000) < 1000);
    assert_true(farthest_from_pose_rad(r) < 0.05);
}

/* Whoever lets it run begins the first episode; each further one waits for a person. */
static void by_ask_it_waits(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {"task.reset=ask", SHORT};
    arm_open(r, ARM_YAML, sets, 2);
    const struct loop_state *z = &r->house.loop.st;
    arm_run(r, RUN_RANDOM);
    assert_true(ticks_until_open(r, true, 10) < 10);
    arm_ask(r, REQUEST_EPISODE_BEGIN, 0);
    assert_int_equal(r->refusal, REFUSED_STATE);
    for (int k = 0; k < 3; k++) {
        const int64_t episode = z->episode;
        assert_true(ticks_until_open(r, false, 100) < 100);
        arm_for(r, 5.0);
        assert_false(z->open);
        assert_true(loop_waits(&r->house.loop));
        assert_non_null(strstr(r->reset, "basalctl episode begin"));
        r->reset[0] = '\0';
        arm_ask(r, REQUEST_EPISODE_BEGIN, 0);
        assert_int_equal(r->refusal, REFUSED_NOT);
        assert_true(ticks_until_open(r, true, 10) < 10);
        assert_int_equal(z->episode, episode + 1);
    }
    arm_ask(r, REQUEST_HOLD, 0);
    arm_for(r, 0.5);
    arm_ask(r, REQUEST_RUN, RUN_RANDOM);
    assert_true(ticks_until_open(r, true, 10) < 10);
    assert_true(ticks_until_open(r, false, 100) < 100);
    arm_for(r, 0.1);
    assert_true(loop_waits(&r->house.loop));
    arm_ask(r, REQUEST_RUN, RUN_RANDOM); /* says so too */
    assert_true(ticks_until_open(r, true, 10) < 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, arm_setup, arm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_script_leads_to_its_pose),
        TEST(it_stands_still_for_as_long_as_asked),
        TEST(who_is_kept_from_it_says_so),
        TEST(a_hold_ends_the_way),
        TEST(by_ask_it_waits),
        TEST(a_fence_keeps_it_inside),
        TEST(whoever_stops_it_ends_the_way),
        TEST(who_is_left_alone_holds),
        TEST(while_it_waits_no_policy_is_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
