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

/* Ours, and MuJoCo's on the model FREE; the same draws for both, which push at once if at all. */
static void open_both(struct body *ret_ours, struct body *ret_theirs, double push_n)
{
    char path[PATH_CHARS], model[PATH_CHARS + 16], push[32];
    (void)snprintf(push, sizeof push, "sim.push_n=%g", push_n);
    const char *const ours[] = {
        push,
        "sim.push_s=[0.02, 0.1]",
        "sim.push_pause_s=0",
        "sim.table=false",
        "links.waist.friction_nm=0",
        "links.shoulder.friction_nm=0",
        "links.elbow.friction_nm=0",
        "links.forearm.friction_nm=0",
        "links.wrist.friction_nm=0",
        "links.hand.friction_nm=0",
    };
    body_open(ret_ours, "openarm6", ours, sizeof ours / sizeof ours[0]);
    struct arm_state *s = ret_ours->state;
    memcpy(s->q, pose, sizeof pose);
    memcpy(s->q_seen, pose, sizeof pose);
    wrap("arm6", FREE, path);
    (void)snprintf(model, sizeof model, "sim.model=%s", path);
    const char *const theirs[] = {push, ours[1], ours[2], model, "sim.keyframe=start"};
    body_open(ret_theirs, "arm6", theirs, sizeof theirs / sizeof theirs[0]);
    rng_seed(&ret_ours->rng, 2); /* their resets drew different numbers */
    rng_seed(&ret_theirs->rng, 2);
}

/* Both for so many ms under torques drawn anew every 20 ms, of this part of the ceilings, the tip
 * pushed with so much at once. Returns the largest difference, and how far a joint went. */
static double part(double amplitude, double push_n, int steps, double *ret_way)
{
    static struct body ours, theirs;
    struct rng r;
    double off = 0.0, act[N] = {0.0};
    open_both(&ours, &theirs, push_n);
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
    const double off = part(0.0, 0.0, 250, &way);
    print_message("250 ms of falling: %.1e rad apart after %.2f rad\n", off, way);
    assert_true(off < NEAR && way > 0.2);
}

static void it_is_driven_as_mujocos_arm(void **state)
{
    (void)state;
    double way;
    const double off = part(0.1, 0.0, 300, &way);
    print_message("300 ms of torques: %.1e rad apart after %.2f rad\n", off, way);
    assert_true(off < NEAR && way > 0.2);
}

static void it_is_pushed_as_mujocos_arm(void **state)
{
    (void)state;
    double way, alone;
    const double off = part(0.0, 20.0, 300, &way);
    (void)part(0.0, 0.0, 300, &alone);
    print_message("300 ms of pushes: %.1e rad apart after %.2f rad\n", off, way);
    assert_true(off < NEAR && fabs(way - alone) > 0.05);
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
        cmocka_unit_test(it_is_pushed_as_mujocos_arm),
        cmocka_unit_test(it_comes_to_rest_on_its_table),
    };
    return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
#endif
