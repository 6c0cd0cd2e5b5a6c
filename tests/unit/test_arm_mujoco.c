/*
 * The simulated arm beside the same arm in MuJoCo: deploy/mjcf/arm6.xml, step by step of 1 ms, the
 * same integrator on both sides, nothing touching, dry friction off.
 */
#ifndef BASAL_MUJOCO
#include <stdio.h>

int main(void)
{
    (void)puts("skipped: built without MuJoCo: libmujoco-dev is not installed");
    return 77;
}
#else

#include "tests/unit/mujoco_fixture.h"

#include "sim/arm_inside.h"

#define N    6
#define NEAR 1e-9 /* rad: rounding, of sums in another order */
#define POSE "0.1 -0.2 0.1 0.3 -0.4 0.5"

#define FREE                                                                                       \
    "<option><flag contact=\"disable\" limit=\"disable\" frictionloss=\"disable\"/></option>"      \
    "<keyframe><key name=\"start\" qpos=\"" POSE "\"/></keyframe>"

static const double pose[N] = {0.1, -0.2, 0.1, 0.3, -0.4, 0.5};

static void open_arm(struct body *b)
{
    static const char *const sets[] = {
        "sim.table=false",           "links.waist.friction_nm=0",   "links.shoulder.friction_nm=0",
        "links.elbow.friction_nm=0", "links.forearm.friction_nm=0", "links.wrist.friction_nm=0",
        "links.hand.friction_nm=0"};
    body_open(b, "openarm6", sets, 7);
    struct arm_state *s = b->state;
    memcpy(s->q, pose, sizeof pose);
    memcpy(s->q_seen, pose, sizeof pose);
}

/* Both for so many ms under torques drawn anew every 20 ms, of this part of the ceilings. Returns
 * the largest difference, and how far a joint went. */
static double part(double amplitude, int steps, double *ret_way)
{
    static struct body ours, theirs;
    struct rng r;
    double off = 0.0, act[N] = {0.0};
    open_arm(&ours);
    open_wrapped(&theirs, "arm6", FREE);
    rng_seed(&r, 8);
    *ret_way = 0.0;
    for (int k = 0; k < steps; k++) {
        for (int j = 0; k % 20 == 0 && j < N; j++) {
            act[j] = amplitude * rng_between(&r, -1.0, 1.0);
        }
        for (int j = 0; j < N; j++) {
            ours.cmd.tau_max[j] = ours.config.robot.joint[j].tau_max;
        }
        body_step(&ours, act);
        body_step(&theirs, act);
        for (int j = 0; j < N; j++) {
            off = fmax(off, fabs(ours.s.q[j] - theirs.s.q[j]));
            *ret_way = fmax(*ret_way, fabs(ours.s.q[j] - pose[j]));
        }
    }
    arena_close(&ours.mem); /* the arm has nothing else */
    body_close(&theirs);
    return off;
}

static void it_falls_as_mujocos_arm(void **state)
{
    (void)state;
    double way;
    const double off = part(0.0, 250, &way);
    print_message("250 ms of falling: %.1e rad apart after %.2f rad\n", off, way);
    assert_true(off < NEAR && way > 0.2);
}

static void it_is_driven_as_mujocos_arm(void **state)
{
    (void)state;
    double way;
    const double off = part(0.1, 300, &way);
    print_message("300 ms of torques: %.1e rad apart after %.2f rad\n", off, way);
    assert_true(off < NEAR && way > 0.2);
}

/* At rest on its stops and table nothing explodes: contacts and friction are there, and MuJoCo's.
 */
static void it_comes_to_rest_on_its_table(void **state)
{
    (void)state;
    static struct body b;
    body_open(&b, "arm6", NULL, 0);
    for (int k = 0; k < 4000; k++) {
        body_step(&b, NULL);
    }
    for (int j = 0; j < N; j++) {
        const struct joint_spec *p = &b.config.robot.joint[j];
        assert_true(fabs(b.s.qd[j]) < 0.02);
        assert_true(b.s.q[j] > p->q_min - 0.1 && b.s.q[j] < p->q_max + 0.1);
    }
    assert_true(extra(&b, "unstable")[0] == 0.0);
    body_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_falls_as_mujocos_arm),
        cmocka_unit_test(it_is_driven_as_mujocos_arm),
        cmocka_unit_test(it_comes_to_rest_on_its_table),
    };
    return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
#endif
