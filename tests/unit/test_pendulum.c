/*
 * The pendulum: its steps against Gymnasium's, its rewards and resets as the robot file has them,
 * and the loop around a body that has no bus.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/house.h"
#include "sim/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define YAML                         SOURCE_DIR "/deploy/robots/pendulum.yaml"
#define STEP_S                       0.05
#define STEP_NS                      (50 * NS_PER_MS)
#define EPISODE                      200
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))
#define assert_close(a, b, relative) assert_near(a, b, (relative)*fabs(b))

struct body {
    struct arena mem;
    struct config config;
    const struct sim *sim;
    void *self;
    double *state; /* begins with angle and speed */
    struct command cmd;
};

/* The robot as it is shipped. */
static void body_open(struct body *b)
{
    char reason[WHY_CHARS] = "";
    memset(b, 0, sizeof *b);
    assert_int_equal(arena_open(&b->mem, "body", (size_t)16 << 20), 0);
    if (config_load(&b->config, YAML, NULL, 0, &b->mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    b->sim = b->config.sim;
    assert_int_equal(b->sim->open(b->config.sim_config, &b->config.robot, &b->mem, &b->self, reason,
                                  sizeof reason),
                     0);
    b->state = arena_take(&b->mem, b->sim->state_bytes(b->self));
    b->cmd = (struct command){.n = 1, .mode = {MODE_EFFORT}};
}

static void body_put(struct body *b, double angle, double speed)
{
    b->state[0] = angle;
    b->state[1] = speed;
}

static void body_step(struct body *b, double torque_nm)
{
    b->cmd.tau[0] = torque_nm;
    b->sim->step(b->self, b->state, &b->cmd, STEP_S, NULL);
}

static struct sensed truth(const struct body *b)
{
    struct sensed s = {0};
    b->sim->sense(b->self, b->state, NULL, &s);
    return s;
}

/* --- against Gymnasium --- */

/* From (1.0, 0.5) with torque 2 sin(0.3 k) at step k, run with Gymnasium's own source. */
static const struct golden {
    int after;
    double angle, speed, reward, sum;
} golden[] = {
    {1, 1.056555162, 1.131103239, -1.025, -1.025},
    {2, 1.15019311, 1.872758969, -1.244597593, -2.269597593},
    {10, 3.50625388, 8, -16.04954378, -61.28081142},
    {50, 0.2481187363, 0.2337055025, -0.06259163077, -244.2155012},
};

static void its_steps_and_rewards_are_gymnasiums_11_1(void **state)
{
    (void)state;
    static struct body b;
    static struct task t;
    char reason[WHY_CHARS];
    size_t row = 0;
    double sum = 0.0;
    body_open(&b);
    assert_int_equal(task_open(&t, &b.config.task, &b.config.robot, reason, sizeof reason), 0);
    body_put(&b, 1.0, 0.5);
    struct sensed s = truth(&b);
    task_begin(&t, &s);
    for (int k = 0; k < 50; k++) {
        const double torque_nm = 2.0 * sin(0.3 * k);
        const float act = (float)(0.5 * torque_nm);
        body_step(&b, torque_nm);
        s = truth(&b);
        task_tick(&t, &s, STEP_S);
        task_remember(&t, &act, &b.cmd);
        const double reward = task_period(&t, &s);
        sum += reward;
        if (k + 1 == golden[row].after) {
            assert_close(s.q[0], golden[row].angle, 1e-9);
            assert_close(s.qd[0], golden[row].speed, 1e-9);
            assert_close(reward, golden[row].reward, 2e-8); /* actions are floats */
            assert_close(sum, golden[row].sum, 1e-9);
            row++;
        }
    }
    assert_int_equal(row, sizeof golden / sizeof golden[0]);
    arena_close(&b.mem);
}

static double hang_or_spin(struct body *b, double angle, double speed, float act, int steps)
{
    static struct task t;
    char reason[WHY_CHARS];
    double sum = 0.0;
    assert_int_equal(task_open(&t, &b->config.task, &b->config.robot, reason, sizeof reason), 0);
    body_put(b, angle, speed);
    struct sensed s = truth(b);
    task_begin(&t, &s);
    for (int k = 0; k < steps; k++) {
        body_step(b, 2.0 * (double)act);
        s = truth(b);
        task_remember(&t, &act, &b->cmd);
        sum += task_period(&t, &s);
    }
    return sum;
}

static void its_returns_have_gymnasiums_ends_11_1(void **state)
{
    (void)state;
    static struct body b;
    body_open(&b);
    assert_close(hang_or_spin(&b, M_PI, 0.0, 0.0f, EPISODE), -1973.92088, 1e-9);
    assert_close(hang_or_spin(&b, M_PI, 8.0, 1.0f, 1), -16.2736044, 1e-9); /* none is worse */
    assert_close(hang_or_spin(&b, -5.0 * M_PI, -8.0, -1.0f, 1), -16.2736044, 1e-9);
    arena_close(&b.mem);
}

/* --- the body --- */

static void torque_and_speed_have_their_limits(void **state)
{
    (void)state;
    static struct body b;
    body_open(&b);
    body_put(&b, 0.3, 0.1);
    body_step(&b, 2.0);
    const struct sensed at_limit = truth(&b);
    assert_true(at_limit.tau[0] == 2.0 && at_limit.torque[0] == TORQUE_ON);
    body_put(&b, 0.3, 0.1);
    body_step(&b, 50.0);
    const struct sensed beyond = truth(&b);
    assert_true(beyond.q[0] == at_limit.q[0] && beyond.tau[0] == 2.0);
    for (int k = 0; k < EPISODE; k++) {
        body_step(&b, 2.0);
        assert_true(fabs(truth(&b).qd[0]) <= 8.0);
    }
    arena_close(&b.mem);
}

static void it_swings_freely_in_every_other_mode(void **state)
{
    (void)state;
    static const uint8_t modes[] = {MODE_OFF, MODE_HOLD, MODE_POSITION, MODE_VELOCITY,
                                    MODE_IMPEDANCE};
    static struct body b;
    body_open(&b);
    body_put(&b, 0.3, 0.1);
    body_step(&b, 0.0);
    const struct sensed free_swing = truth(&b);
    for (size_t i = 0; i < sizeof modes; i++) {
        body_put(&b, 0.3, 0.1);
        b.cmd.mode[0] = modes[i];
        body_step(&b, 2.0);
        const struct sensed s = truth(&b);
        assert_true(s.q[0] == free_swing.q[0] && s.qd[0] == free_swing.qd[0] && s.tau[0] == 0.0);
        assert_int_equal(s.torque[0], modes[i] == MODE_OFF ? TORQUE_OFF : TORQUE_ON);
    }
    arena_close(&b.mem);
}

/* Uniform: the means are 0, the variances a third of the bound squared. */
static void a_reset_draws_as_gymnasium_does(void **state)
{
    (void)state;
    static struct body b;
    static const double bound[] = {M_PI, 1.0};
    const int n = 20000;
    double sum[2] = {0}, sum2[2] = {0};
    struct rng r;
    body_open(&b);
    rng_seed(&r, 5);
    for (int k = 0; k < n; k++) {
        b.sim->reset(b.self, b.state, &r);
        const struct sensed s = truth(&b);
        const double x[] = {s.q[0], s.qd[0]};
        for (int i = 0; i < 2; i++) {
            assert_true(fabs(x[i]) <= bound[i]);
            sum[i] += x[i] / bound[i];
            sum2[i] += x[i] * x[i] / (bound[i] * bound[i]);
        }
        assert_true(s.tau[0] == 0.0 && s.torque[0] == TORQUE_OFF);
    }
    for (int i = 0; i < 2; i++) {
        assert_near(sum[i] / n, 0.0, 0.02);
        assert_near(sum2[i] / n, 1.0 / 3.0, 0.01);
    }
    arena_close(&b.mem);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    static struct body b;
    struct rng r;
    body_open(&b);
    rng_seed(&r, 6);
    const size_t bytes = b.sim->state_bytes(b.self);
    void *copy = arena_take(&b.mem, bytes);
    b.sim->reset(b.self, b.state, &r);
    memcpy(copy, b.state, bytes);
    for (int k = 0; k < 100; k++) {
        body_step(&b, sin(k));
    }
    const struct sensed first = truth(&b);
    memcpy(b.state, copy, bytes);
    for (int k = 0; k < 100; k++) {
        body_step(&b, sin(k));
    }
    const struct sensed again = truth(&b);
    assert_memory_equal(&first, &again, sizeof first);
    arena_close(&b.mem);
}

static void a_robot_without_that_joint_is_refused(void **state)
{
    (void)state;
    static struct body b;
    char reason[WHY_CHARS];
    body_open(&b);
    memcpy(b.config.robot.joint[0].name, "leg", 4);
    assert_true(b.sim->open(b.config.sim_config, &b.config.robot, &b.mem, &b.self, reason,
                            sizeof reason) < 0);
    assert_string_equal(reason, "sim pendulum: the robot has no joint \"pole\"");
    arena_close(&b.mem);
}

/* --- the loop around it --- */

struct rig {
    struct house house;
    int64_t planned_ns;
    int episodes, steps_in_episode;
};

static void tick(struct rig *r)
{
    static struct record record;
    static struct reply reply;
    static struct happened happened;
    struct shared *s = r->house.shared;
    loop_tick(&r->house.loop, r->planned_ns, 0, 0);
    r->planned_ns += STEP_NS;
    while (ring_pop(&s->telemetry, &record) || ring_pop(&s->replies, &reply)) {
    }
    while (ring_pop(&s->happened, &happened)) {
        if (happened.kind == HAPPENED_EPISODE) {
            r->episodes++;
            r->steps_in_episode = (int)llround(happened.y / STEP_S);
        }
    }
}

static void ask(struct rig *r, enum request_kind kind)
{
    const struct request q = {.id = 1, .kind = kind};
    assert_true(ring_push(&r->house.shared->requests, &q));
}

/* Armed and running at random. */
static struct rig *rig_open(void)
{
    char reason[WHY_CHARS] = "";
    const struct house_spec spec = {.config_path = YAML,
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .seed = 1,
                                    .replay_fd = -1};
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    if (house_open(&r->house, &spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct loop_state *z = &r->house.loop.st;
    for (int i = 0; i < 20 && z->fsm.state != STATE_RUNNING; i++) {
        if (z->fsm.state == STATE_LIMP && plant_ready(r->house.plant)) {
            ask(r, REQUEST_ARM);
        } else if (z->fsm.state == STATE_READY) {
            ask(r, REQUEST_RUN);
        }
        tick(r);
    }
    assert_int_equal(z->fsm.state, STATE_RUNNING);
    return r;
}

static void rig_close(struct rig *r)
{
    house_close(&r->house);
    free(r);
}

/* 200 steps each, and each from where a reset put it: no step is lost or driven unseen. */
static void episodes_begin_where_the_reset_put_them(void **state)
{
    (void)state;
    struct rig *r = rig_open();
    const struct loop_state *z = &r->house.loop.st;
    double lowest = 1.0, highest = -1.0;
    for (int k = 1; k <= 40; k++) {
        while (!z->open) {
            tick(r);
        }
        assert_true(fabs(z->sensed.qd[0]) <= 1.0 && fabs(z->sensed.q[0]) <= M_PI);
        assert_near((double)z->now.v[0], cos(z->sensed.q[0]), 1e-6);
        assert_near((double)z->now.v[1], sin(z->sensed.q[0]), 1e-6);
        assert_near((double)z->now.v[2], z->sensed.qd[0], 1e-6);
        lowest = fmin(lowest, z->sensed.qd[0]);
        highest = fmax(highest, z->sensed.qd[0]);
        while (z->open) {
            tick(r);
        }
        assert_int_equal(r->episodes, k);
        assert_int_equal(r->steps_in_episode, EPISODE);
        assert_int_equal(z->step, k * EPISODE);
    }
    assert_true(lowest < -0.7 && highest > 0.7);
    rig_close(r);
}

/* What the learner samples is Gymnasium's transition: the torque of a period acts in it. */
static void rows_are_gymnasiums_transitions(void **state)
{
    (void)state;
    struct rig *r = rig_open();
    struct batch b;
    struct rng rng;
    while (r->episodes < 10) {
        tick(r);
    }
    rng_seed(&rng, 2);
    assert_true(sampler_draw(r->house.learner.sampler, &rng, &b));
    assert_int_equal(b.n, 100);
    for (int i = 0; i < b.n; i++) {
        const float *s = b.s + (size_t)i * 3, *s2 = b.s2 + (size_t)i * 3;
        const double angle = atan2((double)s[1], (double)s[0]), speed = (double)s[2];
        const double u = 2.0 * (double)b.a[i];
        const double next = fmax(-8.0, fmin(8.0, speed + (15.0 * sin(angle) + 3.0 * u) * STEP_S));
        assert_near((double)b.r[i], -(angle * angle + 0.1 * speed * speed + 0.001 * u * u), 1e-4);
        assert_near((double)s2[2], next, 1e-5);
        assert_near((double)s2[0], cos(angle + next * STEP_S), 1e-5);
        assert_near((double)s2[1], sin(angle + next * STEP_S), 1e-5);
        assert_true(b.g[i] == (float)r->house.config.learner.gamma); /* a clock ends no MDP */
    }
    rig_close(r);
}

/* Stop, estop and clear as a robot with buses has them. */
static void it_stops_and_is_cleared(void **state)
{
    (void)state;
    struct rig *r = rig_open();
    const struct loop_state *z = &r->house.loop.st;
    for (int k = 0; k < 30; k++) {
        tick(r);
    }
    (void)atomic_fetch_or(&r->house.shared->stop, STOP_ESTOP);
    for (int k = 0; k < 40 && !(z->fsm.state == STATE_ESTOP && loop_at_rest(&r->house.loop)); k++) {
        tick(r);
    }
    assert_int_equal(z->fsm.state, STATE_ESTOP);
    tick(r);
    assert_int_equal(z->command.mode[0], MODE_OFF);
    ask(r, REQUEST_CLEAR);
    tick(r);
    assert_int_equal(z->fsm.state, STATE_LIMP);
    tick(r);
    assert_int_equal(z->sensed.torque[0], TORQUE_OFF);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_steps_and_rewards_are_gymnasiums_11_1),
        cmocka_unit_test(its_returns_have_gymnasiums_ends_11_1),
        cmocka_unit_test(torque_and_speed_have_their_limits),
        cmocka_unit_test(it_swings_freely_in_every_other_mode),
        cmocka_unit_test(a_reset_draws_as_gymnasium_does),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(a_robot_without_that_joint_is_refused),
        cmocka_unit_test(episodes_begin_where_the_reset_put_them),
        cmocka_unit_test(rows_are_gymnasiums_transitions),
        cmocka_unit_test(it_stops_and_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
