/* What the arm does when it is stopped, on its body without a bus: it retreats, or sinks, and never
 * drops. */
#include "tests/loop/arm_fixture.h"

#define ARM_YAML SOURCE_DIR "/deploy/robots/openarm6.yaml"

/* A body that begins anew with every episode would jump in the middle of a stop. */
#define STAYS "task.reset=none"

#define SOFT_M 0.02 /* what is let go from here hits with 0.63 m/s */

static double farthest_rad(const struct arm_rig *r)
{
    const struct loop *l = &r->house.loop;
    double far = 0.0;
    for (int j = 0; j < l->st.sensed.n; j++) {
        far = fmax(far, fabs(l->st.sensed.q[j] - l->config->responses.rest[j]));
    }
    return far;
}

/* Without any response it drops: what the others are measured by. */
static void limp_lets_it_fall(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {STAYS, "responses.stop=limp"};
    arm_open(r, ARM_YAML, sets, 2);
    arm_run(r, RUN_RANDOM);
    arm_for(r, 0.2);
    fall_begin(r);
    arm_stop_bit(r, STOP_ASKED);
    arm_until(r, STATE_LIMP);
    arm_for(r, 2.0);
    fall_report(r, "stop: limp");
    assert_true(drop_m(r) > 4.0 * SOFT_M);
}

static void a_stop_retreats_within_its_limits(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {STAYS};
    arm_open(r, ARM_YAML, sets, 1);
    const struct loop *l = &r->house.loop;
    const struct response_settings *c = &l->config->responses;
    arm_run(r, RUN_RANDOM);
    for (int k = 0; k < 5; k++) {
        arm_for(r, 0.37);
        arm_stop_bit(r, STOP_ASKED);
        assert_int_equal(arm_state(r), STATE_RETREATING);
        assert_int_equal(l->st.cause, CAUSE_STOP);
        while (!l->st.respond.braked) { /* it was thrown about until now */
            arm_tick(r);
        }
        fall_begin(r);
        double last_rad_s[JOINTS_MAX] = {0.0};
        while (arm_state(r) == STATE_RETREATING) {
            for (int j = 0; j < 6; j++) {
                const double change = fabs(l->st.command.qd[j] - last_rad_s[j]) / l->dt_s;
                assert_true(fabs(l->st.command.qd[j]) <= c->retreat_rad_s + 1e-9);
                assert_true(change <= c->retreat_rad_s2 + 1e-6);
                last_rad_s[j] = l->st.command.qd[j];
            }
            arm_tick(r);
        }
        assert_true(farthest_rad(r) <= c->rest_near_rad + 0.01);
        assert_false(was_in(r, STATE_DAMPED));
        arm_until(r, STATE_LIMP);
        assert_int_equal(l->st.fsm.latch, LATCH_NONE);
        const double rested_m = r->tip_m;
        arm_for(r, 2.0);
        fall_report(r, "stop: retreat");
        assert_true(fabs(r->tip_m - rested_m) < 0.02); /* it stays where it was laid */
        assert_true(drop_m(r) < SOFT_M);
        arm_run(r, RUN_RANDOM);
    }
}

/* It sinks where it is, latched from the first tick on; torque goes off when nothing holds it. */
static void an_estop_sinks(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {STAYS};
    arm_open(r, ARM_YAML, sets, 1);
    const struct loop *l = &r->house.loop;
    arm_run(r, RUN_RANDOM);
    arm_for(r, 0.2);
    fall_begin(r);
    arm_stop_bit(r, STOP_ESTOP);
    assert_int_equal(arm_state(r), STATE_DAMPED);
    assert_int_equal(l->st.fsm.latch, LATCH_ESTOP);
    assert_int_equal(l->st.cause, CAUSE_ESTOP);
    assert_int_equal(atomic_load(&r->house.shared->latched), LATCHED_ASKED);
    assert_string_equal(r->changed, "a person asked for it");
    arm_ask(r, REQUEST_CLEAR, 0);
    assert_int_equal(r->refusal, REFUSED_LATCHED);
    assert_non_null(strstr(r->why, "ends by itself"));
    arm_until(r, STATE_ESTOP);
    const double rested_m = r->tip_m;
    arm_for(r, 2.0);
    fall_report(r, "estop: damped");
    assert_true(drop_m(r) < SOFT_M);
    assert_true(rested_m - r->tip_m < 0.02);
    assert_true(r->from_m - r->lowest_m > 0.1); /* it has come down */
    arm_ask(r, REQUEST_CLEAR, 0);
    assert_int_equal(arm_state(r), STATE_LIMP);
    assert_int_equal(l->st.fsm.latch, LATCH_NONE);
    assert_int_equal(l->st.cause, CAUSE_NONE);
}

static void an_estop_ends_a_retreat(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {STAYS, "responses.estop=retreat"};
    arm_open(r, ARM_YAML, sets, 2);
    arm_run(r, RUN_RANDOM);
    arm_for(r, 0.2);
    fall_begin(r);
    arm_stop_bit(r, STOP_ESTOP);
    assert_int_equal(arm_state(r), STATE_RETREATING);
    arm_for(r, 1.0);
    arm_stop_bit(r, STOP_ESTOP); /* again */
    assert_int_equal(arm_state(r), STATE_DAMPED);
    arm_until(r, STATE_ESTOP);
    arm_for(r, 1.0);
    fall_report(r, "estop in a retreat");
    assert_true(drop_m(r) < SOFT_M);
}

static void a_retreat_that_does_not_arrive_sinks(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {STAYS, "responses.rest_near_rad=0.0001",
                                       "responses.retreat_s=8", "sim.kp_nm_rad=[20]"};
    arm_open(r, ARM_YAML, sets, 4);
    const struct loop *l = &r->house.loop;
    arm_run(r, RUN_RANDOM);
    arm_for(r, 0.2);
    fall_begin(r);
    arm_stop_bit(r, STOP_ASKED);
    const int64_t from_ns = r->planned_ns;
    arm_until(r, STATE_DAMPED);
    assert_true((double)(r->planned_ns - from_ns) * 1e-9 <= 8.0 + l->config->control.stop_s + 0.05);
    assert_non_null(strstr(r->changed, "rest pose was not reached in responses.retreat_s, 8"));
    arm_until(r, STATE_LIMP);
    assert_true((double)(r->planned_ns - from_ns) * 1e-9 <=
                respond_stop_s(&l->responder) + 0.1); /* what systemd is told */
    arm_for(r, 1.0);
    fall_report(r, "a retreat that fails");
    assert_true(drop_m(r) < SOFT_M);
}

/* Nobody attends: the pose is held, for as long as it takes. */
static void an_operator_who_is_lost_leaves_it_holding(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {STAYS};
    arm_open(r, ARM_YAML, sets, 1);
    arm_run(r, RUN_RANDOM | RUN_ATTENDED);
    arm_until(r, STATE_HOLDING);
    assert_int_equal(r->house.loop.st.cause, CAUSE_OPERATOR_LOST);
    arm_for(r, 0.5);
    fall_begin(r);
    arm_for(r, 5.0);
    fall_report(r, "operator_lost: hold");
    assert_int_equal(arm_state(r), STATE_HOLDING);
    assert_true(r->from_m - r->lowest_m < 0.005);
    arm_ask(r, REQUEST_RUN, RUN_RANDOM);
    assert_int_equal(arm_state(r), STATE_RUNNING);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, arm_setup, arm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(limp_lets_it_fall),
        TEST(a_stop_retreats_within_its_limits),
        TEST(an_estop_sinks),
        TEST(an_estop_ends_a_retreat),
        TEST(a_retreat_that_does_not_arrive_sinks),
        TEST(an_operator_who_is_lost_leaves_it_holding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
