/* An arm that carries its weight on a CAN bus of Damiao motors, in lockstep: for each fault of a
 * motor or of the bus what the daemon does, and how the tip comes down. */
#include "tests/loop/arm_fixture.h"

#include "daemon/plant_inside.h"

#include <stdio.h>

#define ARM_YAML SOURCE_DIR "/tests/loop/arm_can.yaml"

#define TWO_BUSES SOURCE_DIR "/tests/loop/arm_two_buses.yaml"

#define FAULT_S 8.0  /* when the fault comes: the arm has been lifted and has stood for a while */
#define SOFT_M  0.02 /* what is let go from here hits with 0.63 m/s */

#define SILENT(joint, seconds)                                                                     \
    "joints." joint ".device.silent_at_s=8", "joints." joint ".device.silent_for_s=" seconds

static const struct loop_state *loop_state(const struct arm_rig *r)
{
    return &r->house.loop.st;
}

/* The upper arm leans back, the forearm is before it: the tip 0.30 m before the base, 0.20 m high.
 */
static void lift(void *self, float *ret_act)
{
    static const double pose_rad[] = {0.0, -0.3, 0.6, 0.0, 0.3, 0.0};
    const struct arm_rig *r = self;
    for (int j = 0; j < r->house.config.robot.n_joints; j++) {
        const struct joint_spec *p = &r->house.config.robot.joint[j];
        ret_act[j] = (float)((2.0 * pose_rad[j] - p->q_min - p->q_max) / (p->q_max - p->q_min));
    }
}

/* Armed where it lies, lifted, and holding that pose until just before the fault. */
static void stand_as(struct arm_rig *r, const char *path, const char *const *sets, int n_sets)
{
    arm_open(r, path, sets, n_sets);
    arm_until(r, STATE_LIMP);
    for (int i = 0; i < 100 && !plant_ready(r->house.plant); i++) {
        arm_tick(r);
    }
    arm_ask(r, REQUEST_ARM, 0);
    if (r->refusal != REFUSED_NOT) {
        fail_msg("arm is refused: %s", r->why);
    }
    arm_until(r, STATE_READY);
    r->house.loop.script = lift;
    r->house.loop.script_self = r;
    arm_ask(r, REQUEST_RUN, RUN_RANDOM);
    arm_for(r, 5.0);
    arm_ask(r, REQUEST_HOLD, 0);
    while ((double)r->planned_ns * 1e-9 < FAULT_S - 0.005) {
        arm_tick(r);
    }
    if (arm_state(r) != STATE_READY) {
        fail_msg("%s: %s; %s", fsm_state_name(arm_state(r)), r->said, r->changed);
    }
    assert_true(r->tip_m > 0.15);
    fall_begin(r);
}

static void stand(struct arm_rig *r, const char *const *sets, int n_sets)
{
    stand_as(r, ARM_YAML, sets, n_sets);
}

static int joint_of(const struct arm_rig *r, const char *name)
{
    const struct robot *robot = &r->house.config.robot;
    int j = 0;
    while (j < robot->n_joints && strcmp(robot->joint[j].name, name) != 0) {
        j++;
    }
    assert_true(j < robot->n_joints);
    return j;
}

/* --- what the others are measured by --- */

static void limp_lets_it_fall(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {"responses.stop=limp"};
    stand(r, sets, 1);
    arm_stop_bit(r, STOP_ASKED);
    arm_until(r, STATE_LIMP);
    arm_for(r, 2.0);
    fall_report(r, "stop: limp");
    assert_true(drop_m(r) > 2.0 * SOFT_M);
}

/* --- nothing is broken --- */

static void a_stop_retreats(void **state)
{
    struct arm_rig *r = *state;
    stand(r, NULL, 0);
    arm_stop_bit(r, STOP_ASKED);
    arm_until(r, STATE_LIMP);
    assert_true(was_in(r, STATE_RETREATING));
    assert_false(was_in(r, STATE_DAMPED));
    arm_for(r, 2.0);
    fall_report(r, "stop: retreat");
    assert_true(drop_m(r) < SOFT_M);
}

static void an_estop_sinks(void **state)
{
    struct arm_rig *r = *state;
    stand(r, NULL, 0);
    arm_stop_bit(r, STOP_ESTOP);
    assert_int_equal(arm_state(r), STATE_DAMPED);
    arm_until(r, STATE_ESTOP);
    arm_for(r, 2.0);
    fall_report(r, "estop: damped");
    assert_true(drop_m(r) < SOFT_M);
    assert_true(r->from_m - r->lowest_m > 0.1);
}

/* --- one motor --- */

/* For good: its own timeout switches it off; the others hold, latched, until somebody stops it. */
static void others_hold(struct arm_rig *r, const char *name, const char *const *sets, double most_m)
{
    char what[64];
    stand(r, sets, 2);
    const int gone = joint_of(r, name);
    double from[JOINTS_MAX];
    memcpy(from, loop_state(r)->sensed.q, sizeof from);
    arm_for(r, 3.0);
    assert_int_equal(arm_state(r), STATE_HOLDING);
    assert_int_equal(loop_state(r)->fsm.latch, LATCH_FAULT);
    assert_int_equal(loop_state(r)->cause, CAUSE_SENSOR_STALE);
    assert_non_null(strstr(r->said, name));
    for (int j = 0; j < 6; j++) {
        const bool others = j == gone || fabs(loop_state(r)->sensed.q[j] - from[j]) < 0.15;
        assert_true(others);
    }
    (void)snprintf(what, sizeof what, "%s silent: the others hold", name);
    fall_report(r, what);
    assert_true(drop_m(r) < most_m);
    arm_ask(r, REQUEST_RUN, RUN_RANDOM);
    assert_int_equal(r->refusal, REFUSED_STATE);
    arm_ask(r, REQUEST_CLEAR, 0);
    assert_int_equal(r->refusal, REFUSED_LATCHED);
    fall_begin(r);
    arm_stop_bit(r, STOP_ASKED); /* a retreat takes every joint */
    arm_until(r, STATE_FAULT);
    assert_true(was_in(r, STATE_RETREATING) && was_in(r, STATE_DAMPED));
    arm_for(r, 2.0);
    (void)snprintf(what, sizeof what, "%s silent: then stopped", name);
    fall_report(r, what);
    assert_true(drop_m(r) < most_m);
}

static void an_unplugged_wrist_leaves_the_others_holding(void **state)
{
    static const char *const sets[] = {SILENT("wrist", "1000")};
    others_hold(*state, "wrist", sets, SOFT_M);
}

static void an_unplugged_elbow_leaves_the_others_holding(void **state)
{
    static const char *const sets[] = {SILENT("elbow", "1000")};
    others_hold(*state, "elbow", sets, 0.1);
}

/* It carries everything: what falls with it nobody can hold. */
static void an_unplugged_shoulder_leaves_the_others_holding(void **state)
{
    static const char *const sets[] = {SILENT("shoulder", "1000")};
    others_hold(*state, "shoulder", sets, 0.2);
}

static void fifty_ms_of_silence_are_ridden_through(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SILENT("elbow", "0.05")};
    stand(r, sets, 2);
    arm_for(r, 1.0);
    assert_int_equal(arm_state(r), STATE_READY);
    assert_in_range(plant_counters(r->house.plant)->misses[joint_of(r, "elbow")], 4, 6);
    fall_report(r, "elbow silent for 50 ms: rides through");
    assert_true(r->from_m - r->lowest_m < 0.002);
}

static void fifty_ms_of_silence_hold_where_fewer_misses_are_allowed(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {SILENT("elbow", "0.05"), "bus.arm.misses_max=2"};
    stand(r, sets, 3);
    arm_for(r, 3.0);
    assert_int_equal(arm_state(r), STATE_HOLDING); /* its return resumes nothing */
    assert_int_equal(loop_state(r)->fsm.latch, LATCH_FAULT);
    assert_int_equal(loop_state(r)->sensed.faults[joint_of(r, "elbow")], 0);
    fall_report(r, "elbow silent for 50 ms: holds");
    assert_true(r->from_m - r->lowest_m < 0.002);
    arm_stop_bit(r, STOP_ASKED); /* it answers again: the retreat has every joint */
    arm_until(r, STATE_FAULT);
    assert_false(was_in(r, STATE_DAMPED));
    arm_for(r, 2.0);
    assert_true(drop_m(r) < SOFT_M);
    arm_ask(r, REQUEST_CLEAR, 0);
    assert_int_equal(arm_state(r), STATE_LIMP);
}

/* Its motor switches itself off; the rest sinks. */
static void a_hot_elbow_lets_the_rest_sink(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {"joints.elbow.device.hot_at_s=8"};
    stand(r, sets, 1);
    arm_until(r, STATE_FAULT);
    assert_int_equal(loop_state(r)->cause, CAUSE_FAULT);
    assert_non_null(strstr(r->said, "elbow"));
    assert_true(was_in(r, STATE_RETREATING) && was_in(r, STATE_DAMPED));
    arm_for(r, 2.0);
    fall_report(r, "elbow overheats, its motor is off: damped");
    assert_true(drop_m(r) < 0.1);
}

/* A limit of the robot file's, which leaves the motor its torque: it retreats, hot as it is. */
static void a_warm_wrist_retreats(void **state)
{
    struct arm_rig *r = *state;
    stand(r, NULL, 0);
    r->house.config.robot.joint[joint_of(r, "wrist")].temp_max_c = 20.0; /* colder than any motor */
    arm_until(r, STATE_FAULT);
    assert_true(was_in(r, STATE_RETREATING));
    assert_false(was_in(r, STATE_DAMPED));
    arm_for(r, 2.0);
    fall_report(r, "wrist above temp_max_c: retreat");
    assert_true(drop_m(r) < SOFT_M);
}

/* Joints that move against their commands are neither held nor driven, whatever the file says; and
 * not carried, for nobody knows which way. */
static void a_runaway_is_damped_at_once(void **state)
{
    struct arm_rig *r = *state;
    static const char *const sets[] = {"responses.fault=hold"};
    stand(r, sets, 1);
    r->house.loop.st.safety.settings.runaway_s =
        -1.0; /* whatever moves or not has done it too long */
    arm_tick(r);
    assert_int_equal(arm_state(r), STATE_DAMPED);
    while (arm_state(r) == STATE_DAMPED) {
        for (int j = 0; j < 6 && loop_state(r)->respond.braked; j++) {
            assert_int_equal(loop_state(r)->command.mode[j], MODE_IMPEDANCE);
            assert_true(loop_state(r)->command.kp[j] == 0.0 && loop_state(r)->command.kd[j] > 0.0);
            assert_true(loop_state(r)->command.tau[j] == 0.0);
        }
        arm_tick(r);
    }
    assert_int_equal(arm_state(r), STATE_FAULT);
    assert_non_null(strstr(r->said, "moved away from its goal"));
    fall_report(r, "runaway: damping alone");
    assert_true(drop_m(r) < 2.0 * SOFT_M);
}

/* --- the bus --- */

/* Nothing can be told to any motor: each switches itself off when its timeout ends. */
static void all_fall(struct arm_rig *r, const char *const *sets, const char *what)
{
    stand(r, sets, 3);
    arm_until(r, STATE_FAULT);
    assert_int_equal(loop_state(r)->cause, CAUSE_BUS_LOST);
    arm_for(r, 3.0);
    fall_report(r, what);
    assert_int_equal(arm_state(r), STATE_FAULT);
    for (int j = 0; j < 6; j++) {
        assert_int_equal(loop_state(r)->command.mode[j], MODE_OFF);
        assert_int_equal(loop_state(r)->sensed.torque[j], TORQUE_UNKNOWN);
    }
    /* that is a fall, and no more than one from where the tip was */
    assert_true(drop_m(r) > 2.0 * SOFT_M);
    assert_true(drop_m(r) < r->from_m);
}

static void bus_off_lets_it_fall(void **state)
{
    static const char *const sets[] = {"faults.bus_off_at_s=8", "faults.bus_off_s=1000",
                                       "responses.bus_lost=retreat"};
    all_fall(*state, sets, "bus-off: each motor's own timeout");
}

static void a_removed_adapter_lets_it_fall(void **state)
{
    static const char *const sets[] = {"faults.away_at_s=8", "faults.away_s=1000",
                                       "responses.bus_lost=hold"};
    all_fall(*state, sets, "adapter removed: each motor's own timeout");
}

/* The tool's bus is gone, its motors switch off by themselves; what hangs on the other holds, is
 * commanded on, and sinks when it is stopped. */
static void a_lost_bus_leaves_the_other_holding(void **state)
{
    struct arm_rig *r = *state;
    stand_as(r, TWO_BUSES, NULL, 0);
    double from[JOINTS_MAX];
    memcpy(from, loop_state(r)->sensed.q, sizeof from);
    plant_lose(r->house.plant, &r->house.plant->bus[1]);
    for (int i = 0; i < 300; i++) {
        arm_tick(r);
        const struct plant_counters *c = plant_counters(r->house.plant);
        assert_int_equal(c->misses[joint_of(r, "elbow")], 0);
        assert_int_equal(loop_state(r)->fresh >> joint_of(r, "wrist") & 1, 0);
    }
    assert_int_equal(arm_state(r), STATE_HOLDING);
    assert_int_equal(loop_state(r)->fsm.latch, LATCH_FAULT);
    assert_int_equal(loop_state(r)->cause, CAUSE_BUS_LOST);
    for (int j = 0; j < 4; j++) {
        assert_true(fabs(loop_state(r)->sensed.q[j] - from[j]) < 0.1);
        assert_int_equal(loop_state(r)->sensed.torque[j], TORQUE_ON);
    }
    fall_report(r, "tool's bus lost: the others hold");
    assert_true(drop_m(r) < SOFT_M);
    fall_begin(r);
    arm_stop_bit(r, STOP_ASKED);
    arm_until(r, STATE_FAULT);
    arm_for(r, 3.0);
    fall_report(r, "tool's bus lost: then stopped");
    assert_true(was_in(r, STATE_DAMPED));
    assert_true(drop_m(r) < SOFT_M);
    arm_ask(r, REQUEST_CLEAR, 0); /* the bus is back: identified anew, torque read back as off */
    assert_int_equal(arm_state(r), STATE_LIMP);
}

/* --- ranges in a motor's registers that are not the robot's --- */

static void never_armed(struct arm_rig *r, const char *set, const char *sentence)
{
    const char *const sets[] = {set};
    arm_open(r, ARM_YAML, sets, 1);
    bool asked = false;
    for (int i = 0; i < 300; i++) {
        if (arm_state(r) == STATE_LIMP && plant_ready(r->house.plant) && !asked) {
            arm_ask(r, REQUEST_ARM, 0);
            asked = true;
        }
        arm_tick(r);
        assert_true(arm_state(r) != STATE_READY);
    }
    if (strstr(plant_why(r->house.plant), sentence) == NULL &&
        strstr(r->changed, sentence) == NULL) {
        fail_msg("%s; %s", plant_why(r->house.plant), r->changed);
    }
}

static void a_range_that_is_too_short_never_arms(void **state)
{
    never_armed(*state, "joints.elbow.device.t_max_nm=5",
                "needs a torque of 9 at the motor, whose range ends at 5");
}

static void a_range_that_is_no_number_never_arms(void **state)
{
    never_armed(*state, "joints.elbow.device.p_max_rad=-12.5", "register 21, its range, is -12.5");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, arm_setup, arm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(limp_lets_it_fall),
        TEST(a_stop_retreats),
        TEST(an_estop_sinks),
        TEST(an_unplugged_wrist_leaves_the_others_holding),
        TEST(an_unplugged_elbow_leaves_the_others_holding),
        TEST(an_unplugged_shoulder_leaves_the_others_holding),
        TEST(fifty_ms_of_silence_are_ridden_through),
        TEST(fifty_ms_of_silence_hold_where_fewer_misses_are_allowed),
        TEST(a_hot_elbow_lets_the_rest_sink),
        TEST(a_warm_wrist_retreats),
        TEST(a_runaway_is_damped_at_once),
        TEST(bus_off_lets_it_fall),
        TEST(a_removed_adapter_lets_it_fall),
        TEST(a_lost_bus_leaves_the_other_holding),
        TEST(a_range_that_is_too_short_never_arms),
        TEST(a_range_that_is_no_number_never_arms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
