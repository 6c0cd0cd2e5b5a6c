/*
 * MuJoCo's bodies as worlds: a copy of the state is a copy of the world, resets and rewards are
 * Gymnasium's, and what goes wrong ends neither the process nor in a file.
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

/* --- what any world owes --- */

static const char *const robots[] = {"inverted-pendulum",
                                     "inverted-double-pendulum",
                                     "reacher",
                                     "swimmer",
                                     "hopper",
                                     "walker2d",
                                     "half-cheetah",
                                     "ant",
                                     "humanoid"};
#define ROBOTS (sizeof robots / sizeof robots[0])

static void at_random(struct body *b, struct rng *rng, double *ret_act)
{
    for (int j = 0; j < b->cmd.n; j++) {
        ret_act[j] = 2.0 * rng_uniform(rng) - 1.0;
    }
}

static void drive(struct body *b, uint64_t seed, int steps)
{
    double act[JOINTS_MAX];
    struct rng rng;
    rng_seed(&rng, seed);
    for (int k = 0; k < steps; k++) {
        at_random(b, &rng, act);
        body_step(b, act);
    }
}

static void assert_same_senses(const struct body *b, const struct sensed *a, const struct sensed *c)
{
    assert_memory_equal(a->q, c->q, (size_t)b->cmd.n * sizeof a->q[0]);
    assert_memory_equal(a->qd, c->qd, (size_t)b->cmd.n * sizeof a->qd[0]);
    assert_memory_equal(a->tau, c->tau, (size_t)b->cmd.n * sizeof a->tau[0]);
    assert_memory_equal(a->extra, c->extra, (size_t)b->task.n_extra * sizeof a->extra[0]);
}

/* Also after the scratch pad has been elsewhere: in another state of another world of this model.
 */
static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    static struct body b;
    for (size_t i = 0; i < ROBOTS; i++) {
        body_open(&b, robots[i], NULL, 0);
        const size_t bytes = b.sim->state_bytes(b.self);
        void *copy = arena_take(&b.mem, bytes);
        drive(&b, 7, 20);
        memcpy(copy, b.state, bytes);
        drive(&b, 8, 30);
        const struct sensed first = b.s;
        b.sim->reset(b.self, b.state, &b.rng);
        drive(&b, 9, 3);
        memcpy(b.state, copy, bytes);
        drive(&b, 8, 30);
        assert_same_senses(&b, &first, &b.s);
        body_close(&b);
    }
}

static void worlds_of_one_model_do_not_meet(void **state)
{
    (void)state;
    static struct body alone, a, c;
    double act[JOINTS_MAX];
    struct rng rng;
    body_open(&alone, "hopper", NULL, 0);
    drive(&alone, 3, 40);
    body_open(&a, "hopper", NULL, 0);
    body_open(&c, "hopper", NULL, 0);
    rng_seed(&rng, 3);
    for (int k = 0; k < 40; k++) {
        at_random(&a, &rng, act);
        body_step(&a, act);
        body_step(&c, NULL);
    }
    assert_same_senses(&a, &alone.s, &a.s);
    body_close(&alone);
    body_close(&c);
    body_step(&a, NULL); /* its model is still there */
    body_close(&a);
}

static void models_are_shared(void **state)
{
    (void)state;
    const mjModel *a = model_of("ant"), *again = model_of("ant"), *hopper = model_of("hopper");
    assert_ptr_equal(a, again);
    assert_ptr_not_equal(a, hopper);
    mujoco_model_drop(hopper);
    mujoco_model_drop(again);
    assert_int_equal(a->nq, 15);
    mujoco_model_drop(a);
}

/* A step of the robot file is the model's timestep, frame_skip times. */
static void substeps_fit_their_models(void **state)
{
    (void)state;
    static struct body b;
    static const int frame_skip[ROBOTS] = {2, 5, 2, 4, 4, 4, 5, 5, 5};
    static const int n_obs[ROBOTS] = {4, 9, 10, 8, 11, 17, 17, 27, 348};
    for (size_t i = 0; i < ROBOTS; i++) {
        const mjModel *m = model_of(robots[i]);
        body_open(&b, robots[i], NULL, 0);
        assert_true(fabs(m->opt.timestep * frame_skip[i] -
                         b.config.sim_settings.substep_us * 1e-6) < 1e-12);
        assert_true(fabs(b.config.robot.control_rate_hz * b.config.sim_settings.substep_us - 1e6) <
                    1e-6);
        assert_int_equal(b.task.n_obs, n_obs[i]);
        assert_int_equal(b.task.n_act, m->nu);
        body_close(&b);
        mujoco_model_drop(m);
    }
}

static void an_action_spans_the_range_of_control(void **state)
{
    (void)state;
    static struct body b;
    static const double full[] = {1.0}, beyond[] = {5.0}, back[] = {-1.0};
    open_wrapped(&b, "inverted-pendulum", "");
    body_step(&b, full);
    assert_true(fabs(b.s.tau[0] - 300.0) < 1e-9 && b.s.torque[0] == TORQUE_ON);
    body_step(&b, beyond);
    assert_true(fabs(b.s.tau[0] - 300.0) < 1e-9);
    body_step(&b, back);
    assert_true(fabs(b.s.tau[0] + 300.0) < 1e-9);
    b.cmd.mode[0] = MODE_POSITION;
    body_step(&b, full);
    assert_true(b.s.tau[0] == 0.0 && b.s.torque[0] == TORQUE_ON);
    b.cmd.mode[0] = MODE_OFF;
    body_step(&b, full);
    assert_true(b.s.tau[0] == 0.0 && b.s.torque[0] == TORQUE_OFF);
    body_close(&b);
}

/* Means and variances of positions and velocities: uniform, and normal for the cheetah's speeds. */
static void a_reset_draws_as_gymnasium_does(void **state)
{
    (void)state;
    static struct body b;
    const int n = 4000;
    double sum[2] = {0}, sum2[2] = {0};
    body_open(&b, "half-cheetah", NULL, 0);
    for (int k = 0; k < n; k++) {
        b.sim->reset(b.self, b.state, &b.rng);
        b.sim->sense(b.self, b.state, NULL, &b.s);
        for (int i = 0; i < 9; i++) {
            assert_true(fabs(qpos(&b)[i]) <= 0.1);
            sum[0] += qpos(&b)[i] / 0.1;
            sum2[0] += qpos(&b)[i] * qpos(&b)[i] / 0.01;
            sum[1] += extra(&b, "qvel")[i] / 0.1;
            sum2[1] += extra(&b, "qvel")[i] * extra(&b, "qvel")[i] / 0.01;
        }
    }
    assert_true(fabs(sum[0] / (9 * n)) < 0.015 && fabs(sum2[0] / (9 * n) - 1.0 / 3.0) < 0.01);
    assert_true(fabs(sum[1] / (9 * n)) < 0.025 && fabs(sum2[1] / (9 * n) - 1.0) < 0.03);
    body_close(&b);
}

/* Uniform in the disc: its squared radius is uniform; at rest, where the arm is not. */
static void the_reachers_target_is_drawn_from_a_disc(void **state)
{
    (void)state;
    static struct body b;
    const int n = 4000;
    double mean = 0.0, x = 0.0;
    body_open(&b, "reacher", NULL, 0);
    for (int k = 0; k < n; k++) {
        b.sim->reset(b.self, b.state, &b.rng);
        b.sim->sense(b.self, b.state, NULL, &b.s);
        const double *q = qpos(&b), *v = extra(&b, "qvel"), *way = extra(&b, "tip_from_goal");
        const double r2 = (q[2] * q[2] + q[3] * q[3]) / 0.04;
        const double tip[2] = {0.1 * cos(q[0]) + 0.11 * cos(q[0] + q[1]),
                               0.1 * sin(q[0]) + 0.11 * sin(q[0] + q[1])};
        assert_true(r2 < 1.0 && v[2] == 0.0 && v[3] == 0.0 && v[0] != 0.0);
        assert_true(fabs(way[0] - (tip[0] - q[2])) < 1e-12);
        assert_true(fabs(way[1] - (tip[1] - q[3])) < 1e-12);
        assert_true(fabs(extra(&b, "goal_distance")[0] - hypot(way[0], way[1])) < 1e-12);
        mean += r2 / n;
        x += q[2] / n;
    }
    assert_true(fabs(mean - 0.5) < 0.02 && fabs(x) < 0.006);
    body_close(&b);
}

static int asked;

static void *counting_malloc(size_t n)
{
    asked++;
    return aligned_alloc(64, (n + 63) / 64 * 64);
}

/* Bodies that fall over each other, and their resets. */
static void a_step_takes_no_memory(void **state)
{
    (void)state;
    static struct body b;
    for (size_t i = 0; i < ROBOTS; i++) {
        asked = 0;
        mju_user_malloc = counting_malloc;
        body_open(&b, robots[i], NULL, 0);
        assert_true(asked > 0);
        asked = 0;
        drive(&b, 5, 100);
        b.sim->reset(b.self, b.state, &b.rng);
        drive(&b, 6, 100);
        mju_user_malloc = NULL;
        assert_int_equal(asked, 0);
        body_close(&b);
    }
}

/* --- the tasks --- */

/* One period: its reward, by the robot file. */
static double reward_of(struct body *b, const double *act)
{
    float a[ACT_MAX] = {0};
    int k = 0;
    for (int j = 0; j < b->cmd.n; j++) {
        if (b->config.robot.joint[j].actuated) {
            a[k++] = (float)(act == NULL ? 0.0 : act[j]);
        }
    }
    body_step(b, act);
    task_tick(&b->task, &b->s, b->config.sim_settings.substep_us * 1e-6);
    task_remember(&b->task, a, &b->cmd);
    return task_period(&b->task, &b->s);
}

static void rewards_are_gymnasiums(void **state)
{
    (void)state;
    static struct body b;
    static const double act[] = {0.5, -0.25, 1.0, 0, 0, 0.5};

    struct {
        const char *robot;
        double dt_s, alive, cost;
    } all[] = {
        {"hopper", 0.008, 1, 1e-3}, {"walker2d", 0.008, 1, 1e-3}, {"half-cheetah", 0.05, 0, 0.1}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        body_open(&b, all[i].robot, NULL, 0);
        task_begin(&b.task, &b.s);
        for (int k = 0; k < 5; k++) {
            const double x = qpos(&b)[0];
            double square = 0.0;
            for (int j = 0; j < b.cmd.n; j++) {
                square += act[j] * act[j];
            }
            const double got = reward_of(&b, act);
            const double want =
                (qpos(&b)[0] - x) / all[i].dt_s + all[i].alive - all[i].cost * square;
            assert_true(fabs(got - want) < 1e-9);
        }
        body_close(&b);
    }
}

static void the_reachers_reward_is_gymnasiums(void **state)
{
    (void)state;
    static struct body b;
    static const double act[] = {0.5, -0.25};
    body_open(&b, "reacher", NULL, 0);
    task_begin(&b.task, &b.s);
    const double got = reward_of(&b, act);
    assert_true(fabs(got - (-extra(&b, "goal_distance")[0] - 0.3125)) < 1e-9);
    body_close(&b);
}

static void the_double_pendulums_reward_is_gymnasiums(void **state)
{
    (void)state;
    static struct body b;
    static const double act[] = {1.0, 0, 0};
    bool ended = false;
    body_open(&b, "inverted-double-pendulum", NULL, 0);
    task_begin(&b.task, &b.s);
    for (int k = 0; k < 30 && !ended; k++) {
        const double got = reward_of(&b, act);
        const double *tip = extra(&b, "site.tip"), *v = extra(&b, "qvel");
        ended = b.task.st.end == END_TERMINAL;
        assert_int_equal(ended, !(tip[2] >= 1.0));
        const double want = (ended ? 0.0 : 10.0) - 0.01 * tip[0] * tip[0] -
                            (tip[2] - 2.0) * (tip[2] - 2.0) - 1e-3 * v[1] * v[1] -
                            5e-3 * v[2] * v[2];
        assert_true(fabs(got - want) < 1e-9);
    }
    assert_true(ended);
    body_close(&b);
}

/* 1.25 of the speed of the centre of mass. */
static void the_humanoids_reward_is_gymnasiums(void **state)
{
    (void)state;
    static struct body b;
    double act[17];
    body_open(&b, "humanoid", NULL, 0);
    task_begin(&b.task, &b.s);
    for (int j = 0; j < 17; j++) {
        act[j] = 0.5;
    }
    const double x = extra(&b, "com")[0];
    const double got = reward_of(&b, act);
    const double want = 1.25 * (extra(&b, "com")[0] - x) / 0.015 + 5.0 - 0.1 * 17 * 0.04;
    assert_true(fabs(got - want) < 1e-9);
    assert_true(extra(&b, "com")[0] != x);
    body_close(&b);
}

/* A torso that falls ends a hopper; so does any joint's number past 100. */
static void unhealthy_bodies_end(void **state)
{
    (void)state;
    static struct body b;
    open_wrapped(&b, "hopper",
                 "<keyframe><key name=\"start\" qpos=\"0 1.25 0.19 0 0 0\"/></keyframe>");
    task_begin(&b.task, &b.s);
    int k = 0;
    while (b.task.st.end == END_NONE && k < 100) {
        (void)reward_of(&b, NULL);
        k++;
    }
    assert_int_equal(b.task.st.end, END_TERMINAL);
    assert_true(fabs(qpos(&b)[2]) > 0.2 && qpos(&b)[1] > 0.7);
    struct sensed s = b.s;
    static const double healthy[] = {1e6, 1.25, 0, 0, 0, 0};
    memset(s.extra, 0, sizeof s.extra);
    memcpy(s.extra, healthy,
           sizeof healthy); /* qpos is the first sensor of the file, qvel the next */
    task_begin(&b.task, &s);
    task_tick(&b.task, &s, 0.008);
    assert_int_equal(b.task.st.end, END_NONE); /* x may be anywhere */
    for (int i = 3; i < 12; i++) {
        s.extra[i] = -100.5;
        task_begin(&b.task, &s);
        task_tick(&b.task, &s, 0.008);
        assert_int_equal(b.task.st.end, END_TERMINAL);
        s.extra[i] = 0.0;
    }
    body_close(&b);
}

/* Sensors by what they are of; a model's own; and a model beside the robot file. */
static void sensors_have_names(void **state)
{
    (void)state;
    static struct body b;
    char model[PATH_CHARS], path[PATH_CHARS];
    wrap("swimmer", "<sensor><jointpos name=\"heading\" joint=\"free_body_rot\"/></sensor>", model);
    (void)snprintf(path, sizeof path, "%s/named.yaml", folder);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fputs("include: " SOURCE_DIR "/deploy/robots/swimmer.yaml\n"
                "extra:\n  - {name: qpos.motor1_rot}\n  - {name: qvel.motor2_rot}\n"
                "  - {name: xpos.back, n: 3}\n  - {name: sensor.heading}\n"
                "sim: {model: swimmer.xml}\n",
                f);
    (void)fclose(f);
    body_open_file(&b, path, NULL, 0);
    assert_true(extra(&b, "qpos.motor1_rot")[0] == qpos(&b)[3]);
    assert_true(extra(&b, "qvel.motor2_rot")[0] == extra(&b, "qvel")[4]);
    assert_true(extra(&b, "sensor.heading")[0] == qpos(&b)[2]);
    const double heading = qpos(&b)[2], at = heading + qpos(&b)[3];
    const double x = qpos(&b)[0] + 0.5 * cos(heading) - cos(at);
    assert_true(fabs(extra(&b, "xpos.back")[0] - x) < 1e-12);
    body_close(&b);
}

/* --- what goes wrong --- */

/* A speed that no integrator survives: the world stands still and says so until it is reset. */
static void a_diverged_world_stays_where_it_is(void **state)
{
    (void)state;
    static struct body b;
    open_wrapped(
        &b, "hopper",
        "<keyframe><key name=\"start\" qpos=\"0 1.25 0 0 0 0\" qvel=\"0 0 0 9e9 -9e9 9e9\"/>"
        "</keyframe>");
    assert_true(extra(&b, "unstable")[0] == 0.0);
    for (int k = 0; k < 50 && extra(&b, "unstable")[0] == 0.0; k++) {
        body_step(&b, NULL);
    }
    assert_true(extra(&b, "unstable")[0] == 1.0);
    const struct sensed there = b.s;
    body_step(&b, NULL);
    assert_same_senses(&b, &there, &b.s);
    for (int i = 0; i < 6; i++) {
        assert_true(isfinite(qpos(&b)[i]) && isfinite(extra(&b, "qvel")[i]));
    }
    b.sim->reset(b.self, b.state, &b.rng);
    b.sim->sense(b.self, b.state, NULL, &b.s);
    assert_true(extra(&b, "unstable")[0] == 0.0);
    body_close(&b);
    assert_int_not_equal(access("MUJOCO_LOG.TXT", F_OK), 0);
}

static void give_up(void *arg)
{
    (void)arg;
    mju_error("no more of this");
}

static void an_error_of_the_engine_ends_no_process(void **state)
{
    (void)state;
    char reason[WHY_CHARS] = "";
    const mjModel *m = model_of("hopper"); /* which sets the handlers */
    assert_false(mujoco_guarded(give_up, NULL, reason, sizeof reason));
    assert_string_equal(reason, "no more of this");
    assert_int_not_equal(access("MUJOCO_LOG.TXT", F_OK), 0);
    mujoco_model_drop(m);
}

static void refuse(const char *robot, const char *set, const char *says)
{
    static struct config c;
    struct arena mem;
    char path[PATH_CHARS], reason[WHY_CHARS] = "";
    assert_int_equal(arena_open(&mem, "refuse", (size_t)16 << 20), 0);
    (void)snprintf(path, sizeof path, SOURCE_DIR "/deploy/robots/%s.yaml", robot);
    assert_true(config_load(&c, path, &set, 1, &mem, reason, sizeof reason) < 0);
    if (strstr(reason, says) == NULL) {
        fail_msg("%s: \"%s\" is not in: %s", set, says, reason);
    }
    arena_close(&mem);
}

static void what_a_model_has_not_is_refused(void **state)
{
    (void)state;
    char bad[PATH_CHARS], set[PATH_CHARS + 16];
    refuse("hopper", "sim.model=nowhere.xml",
           "nowhere.xml: No such file or directory; sim.model is relative to the robot file");
    refuse("hopper", "sim.model=", "sim.model must be set");
    refuse("inverted-pendulum", "sim.model=../mjcf/inverted-double-pendulum.xml",
           "extra qpos: sim mujoco gives 3 numbers, n is 2");
    refuse("reacher", "sim.model=../mjcf/ant.xml",
           "joint joint0: the model has no actuator for it");
    refuse("hopper", "sim.keyframe=nowhere", "the model has no keyframe \"nowhere\"");
    refuse("reacher", "sim.tip=nowhere", "the model has neither a body nor a site \"nowhere\"");
    refuse("reacher", "sim.goal=fingertip", "the goal must be a body on two slides");
    refuse("reacher", "sim.tip=", "extra tip_from_goal: set sim.tip and sim.goal");
    (void)snprintf(bad, sizeof bad, "%s/bad.xml", folder);
    FILE *f = fopen(bad, "we");
    assert_non_null(f);
    (void)fputs("<mujoco><worldbody><body><geom size=\"-1\"/></body></worldbody></mujoco>", f);
    (void)fclose(f);
    (void)snprintf(set, sizeof set, "sim.model=%s", bad);
    refuse("hopper", set, "bad.xml: ");
    assert_int_not_equal(access("MUJOCO_LOG.TXT", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(worlds_of_one_model_do_not_meet),
        cmocka_unit_test(models_are_shared),
        cmocka_unit_test(substeps_fit_their_models),
        cmocka_unit_test(an_action_spans_the_range_of_control),
        cmocka_unit_test(a_reset_draws_as_gymnasium_does),
        cmocka_unit_test(the_reachers_target_is_drawn_from_a_disc),
        cmocka_unit_test(a_step_takes_no_memory),
        cmocka_unit_test(rewards_are_gymnasiums),
        cmocka_unit_test(the_reachers_reward_is_gymnasiums),
        cmocka_unit_test(the_double_pendulums_reward_is_gymnasiums),
        cmocka_unit_test(the_humanoids_reward_is_gymnasiums),
        cmocka_unit_test(unhealthy_bodies_end),
        cmocka_unit_test(sensors_have_names),
        cmocka_unit_test(a_diverged_world_stays_where_it_is),
        cmocka_unit_test(an_error_of_the_engine_ends_no_process),
        cmocka_unit_test(what_a_model_has_not_is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
#endif
