/*
 * The exciting motion on the arm, over the bytes of its CAN bus: at the edge of every limit no rule
 * has to bite; where a fence stands in its way the fence wins.
 */
#include "tests/loop/arm_fixture.h"

#define SLACK 1e-9

/* What lockstep does: weights of a policy that learns nothing come before anybody drives. */
static void hand_over(void *to, const uint8_t *block, size_t n)
{
    assert_int_equal(intake_block(to, block, n), 0);
}

static void begin(struct arm_rig *r, const char *path, const char *const *sets, int n_sets)
{
    arm_open(r, path, sets, n_sets);
    r->house.learner.publish = hand_over;
    r->house.learner.to = &r->house.intake;
    assert_false(learner_step(&r->house.learner));
    arm_run(r, 0);
    memset(r->house.loop.st.safety.bites, 0, sizeof r->house.loop.st.safety.bites);
}

static uint64_t bites(const struct arm_rig *r, enum safety_rule from, enum safety_rule to)
{
    uint64_t sum = 0;
    for (int j = 0; j < r->house.config.robot.n_joints; j++) {
        for (int rule = (int)from; rule <= (int)to; rule++) {
            sum += r->house.loop.st.safety.bites[j][rule];
        }
    }
    return sum;
}

/* It is asked for more than every range holds, as near to speed and acceleration as can be set. */
static void no_rule_bites_at_the_edge_of_every_limit(void **state)
{
    static const char *const sets[] = {"policy.amplitude_rad=[3]", "policy.limit_frac=0.95",
                                       "policy.base_hz=0.2", "sim.table=false"};
    struct arm_rig *r = *state;
    begin(r, SOURCE_DIR "/deploy/robots/openarm6-excite.yaml", sets, 4);
    const struct robot *robot = &r->house.config.robot;
    const struct safety *z = &r->house.loop.st.safety;
    const double dt_s = r->house.loop.dt_s;
    double q[JOINTS_MAX], qd[JOINTS_MAX] = {0.0}, fastest[JOINTS_MAX] = {0.0},
                          hardest[JOINTS_MAX] = {0.0};
    memcpy(q, z->q_cmd, sizeof q);
    for (int t = 0; t < (int)(15.0 / dt_s); t++) {
        arm_tick(r);
        assert_int_equal(arm_state(r), STATE_RUNNING);
        for (int j = 0; j < robot->n_joints; j++) {
            const struct joint_spec *spec = &robot->joint[j];
            const double now = (z->q_cmd[j] - q[j]) / dt_s;
            assert_true(z->q_cmd[j] >= spec->q_min + 0.1 - 1e-6 &&
                        z->q_cmd[j] <= spec->q_max - 0.1 + 1e-6);
            fastest[j] = fmax(fastest[j], fabs(now) / spec->qd_max);
            hardest[j] = fmax(hardest[j], fabs(now - qd[j]) / dt_s / spec->qdd_max);
            q[j] = z->q_cmd[j];
            qd[j] = now;
        }
    }
    assert_int_equal(bites(r, RULE_ACCELERATION, RULE_OFF), 0);
    for (int j = 0; j < robot->n_joints; j++) {
        print_message("%s: at most %.2f of its speed, %.2f of its acceleration\n",
                      robot->joint[j].name, fastest[j], hardest[j]);
        assert_true(fastest[j] <= 1.0 + SLACK && hardest[j] <= 1.0 + SLACK);
        assert_true(fmax(fastest[j], hardest[j]) > 0.9); /* it does use what it may */
    }
}

/* What is commanded stays in the space; the body, which is soft, leaves it by less than a trip. */
static void a_fence_outranks_it(void **state)
{
    static const char *const sets[] = {"policy.amplitude_rad=[1]", "policy.base_hz=0.2"};
    struct arm_rig *r = *state;
    begin(r, TEST_DATA "/loop/excite_fenced.yaml", sets, 2);
    const struct loop_state *z = &r->house.loop.st;
    double least_m = HUGE_VAL, body_m = HUGE_VAL;
    for (int t = 0; t < 15000; t++) {
        int unused;
        arm_tick(r);
        assert_int_equal(arm_state(r), STATE_RUNNING);
        least_m = fmin(least_m, space_least(&z->safety.space, z->safety.q_cmd, &unused));
        body_m = fmin(body_m, space_least(&z->safety.space, z->sensed.q, &unused));
    }
    const uint64_t fenced = bites(r, RULE_SPACE, RULE_SELF);
    print_message("the fence bit %llu times; commanded %.4f m inside at the least, measured %.4f\n",
                  (unsigned long long)fenced, least_m, body_m);
    assert_true(fenced > 0);
    assert_true(least_m > -1e-6);
    assert_int_equal(bites(r, RULE_STALE, RULE_OFF), 0);
}

/* Who learns nothing drives from the first step on, or not at all: never by chance. */
static void nobody_drives_in_its_place(void **state)
{
    static const char *const sets[] = {"learner.enabled=true"};
    struct arm_rig *r = *state;
    arm_open(r, SOURCE_DIR "/deploy/robots/openarm6-excite.yaml", sets, 1);
    arm_until(r, STATE_LIMP);
    arm_tick(r);
    arm_ask(r, REQUEST_ARM, 0);
    arm_until(r, STATE_READY);
    arm_ask(r, REQUEST_RUN, 0);
    assert_int_equal(r->refusal, REFUSED_NO_WEIGHTS);
    r->house.learner.publish = hand_over;
    r->house.learner.to = &r->house.intake;
    (void)learner_step(&r->house.learner);
    arm_ask(r, REQUEST_RUN, 0);
    arm_until(r, STATE_RUNNING);
    for (int t = 0; t < 10; t++) { /* warm-up by chance would last 100 steps */
        arm_tick(r);
        assert_int_equal(r->house.loop.st.source, SOURCE_POLICY);
    }
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, arm_setup, arm_teardown)
    const struct CMUnitTest tests[] = {
        RIG(no_rule_bites_at_the_edge_of_every_limit),
        RIG(a_fence_outranks_it),
        RIG(nobody_drives_in_its_place),
    };
#undef RIG
    return cmocka_run_group_tests(tests, NULL, NULL);
}
