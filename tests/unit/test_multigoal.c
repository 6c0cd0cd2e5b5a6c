/*
 * The point between four goals: its steps, rewards and ends as the robot file has them, by the
 * definition of environments 8.1 worked out by hand.
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

#define YAML                         SOURCE_DIR "/deploy/robots/multigoal.yaml"
#define STEP_S                       0.05
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

enum { DISTANCE2, MIXTURE, GOAL, END }; /* as the file lists them */

struct world {
    struct arena mem;
    struct config config;
    const struct sim *sim;
    void *self;
    double *state; /* begins with x and y */
    struct command cmd;
    struct task task;
};

/* The robot as it is shipped. */
static void world_open(struct world *w)
{
    char reason[WHY_CHARS] = "";
    memset(w, 0, sizeof *w);
    assert_int_equal(arena_open(&w->mem, "world", (size_t)16 << 20), 0);
    if (config_load(&w->config, YAML, NULL, 0, &w->mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    w->sim = w->config.sim;
    assert_int_equal(w->sim->open(w->config.sim_config, &w->config.robot, &w->mem, &w->self, reason,
                                  sizeof reason),
                     0);
    w->state = arena_take(&w->mem, w->sim->state_bytes(w->self));
    w->cmd = (struct command){.n = 2, .mode = {MODE_EFFORT, MODE_EFFORT}};
    if (task_open(&w->task, &w->config.task, &w->config.robot, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

static struct sensed truth(const struct world *w)
{
    struct sensed s;
    w->sim->sense(w->self, w->state, NULL, &s);
    return s;
}

static void put(struct world *w, double x, double y)
{
    struct rng r;
    rng_seed(&r, 1);
    w->sim->reset(w->self, w->state, &r);
    w->state[0] = x;
    w->state[1] = y;
}

static void step(struct world *w, double vx, double vy)
{
    w->cmd.tau[0] = vx;
    w->cmd.tau[1] = vy;
    w->sim->step(w->self, w->state, &w->cmd, STEP_S, NULL);
}

/* One period of the task; returns its reward. */
static double act(struct world *w, float ax, float ay)
{
    const float a[] = {ax, ay};
    step(w, (double)ax, (double)ay);
    const struct sensed s = truth(w);
    task_tick(&w->task, &s, STEP_S);
    task_remember(&w->task, a, &w->cmd);
    return task_period(&w->task, &s);
}

/* Environments 8.1: r = -30 |v|^2 - min_g |p' - g|^2, plus 10 on arrival. */
static void its_steps_and_rewards_are_known(void **state)
{
    (void)state;

    static const struct {
        float ax, ay;
        double x, y, reward;
        int goal;
    } rows[] = {
        {.5f, .25f, .5, .25, -30 * .3125 - (4.5 * 4.5 + .25 * .25), 0},
        {1.0f, -.25f, 1.5, 0, -30 * 1.0625 - 3.5 * 3.5, 0},
        {.0f, .0f, 1.5, 0, -3.5 * 3.5, 0},
        {1.0f, 1.0f, 2.5, 1, -60 - (2.5 * 2.5 + 1), 0},
        {1.0f, .0f, 3.5, 1, -30 - (1.5 * 1.5 + 1), 0},
        {.5f, .0f, 4.0, 1, -7.5 - 2, 0},
        {.0f, -1.0f, 4.0, 0, -30 - 1, 0}, /* at 1 it is not yet nearer than 1 */
        {.25f, .0f, 4.25, 0, -30 * .0625 - .5625 + 10, 1},
    };
    static struct world w;
    world_open(&w);
    put(&w, 0, 0);
    struct sensed s = truth(&w);
    task_begin(&w.task, &s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double reward = act(&w, rows[i].ax, rows[i].ay);
        s = truth(&w);
        assert_near(s.q[0], rows[i].x, 1e-12);
        assert_near(s.q[1], rows[i].y, 1e-12);
        assert_near(reward, rows[i].reward, 1e-9);
        assert_true(s.extra[GOAL] == rows[i].goal && s.extra[END] == (rows[i].goal != 0));
        assert_int_equal(w.task.st.end & END_TERMINAL, rows[i].goal != 0 ? END_TERMINAL : 0);
    }
    arena_close(&w.mem);
}

static void what_a_policy_sees_is_where_it_is(void **state)
{
    (void)state;
    static struct world w;
    struct observation o;
    world_open(&w);
    put(&w, 3.5, -7.0);
    const struct sensed s = truth(&w);
    task_observe(&w.task, &s, &o);
    assert_int_equal(o.n, 2);
    assert_true(o.v[0] == 0.5f && o.v[1] == -1.0f);
    arena_close(&w.mem);
}

static void each_goal_has_its_number(void **state)
{
    (void)state;
    static const double goals[][2] = {{5, 0}, {-5, 0}, {0, 5}, {0, -5}};
    static struct world w;
    world_open(&w);
    for (int i = 0; i < 4; i++) {
        put(&w, 0.7 * goals[i][0], 0.7 * goals[i][1]);
        step(&w, 0, 0);
        assert_true(truth(&w).extra[GOAL] == 0.0);
        step(&w, goals[i][0], goals[i][1]); /* clipped to 1 */
        assert_true(truth(&w).extra[GOAL] == i + 1);
        assert_near(truth(&w).extra[DISTANCE2], 0.25, 1e-12);
        /* it has arrived and stays there */
        const struct sensed there = truth(&w);
        step(&w, -goals[i][0], 1);
        assert_true(truth(&w).q[0] == there.q[0] && truth(&w).q[1] == there.q[1]);
        assert_true(truth(&w).extra[END] == 1.0);
    }
    arena_close(&w.mem);
}

/* Environments 8.2: a Gaussian of width 1 around each goal. */
static void the_mixture_has_its_tops_at_the_goals(void **state)
{
    (void)state;
    static struct world w;
    world_open(&w);
    put(&w, 0, 0);
    assert_near(truth(&w).extra[MIXTURE], 4.0 * exp(-12.5), 1e-15);
    put(&w, 5, 1);
    assert_near(truth(&w).extra[MIXTURE],
                exp(-.5) + exp(-.5 * (100 + 1)) + exp(-.5 * (25 + 16)) + exp(-.5 * (25 + 36)),
                1e-15);
    arena_close(&w.mem);
}

static void it_stays_in_its_square_and_knows_effort_alone(void **state)
{
    (void)state;
    static struct world w;
    world_open(&w);
    put(&w, 6.5, -6.8);
    step(&w, 1, -1);
    assert_true(truth(&w).q[0] == 7.0 && truth(&w).q[1] == -7.0);
    assert_true(truth(&w).tau[0] == 1.0 && truth(&w).torque[0] == TORQUE_ON);
    w.cmd.mode[0] = MODE_POSITION;
    w.cmd.mode[1] = MODE_OFF;
    step(&w, -1, 1);
    assert_true(truth(&w).q[0] == 7.0 && truth(&w).q[1] == -7.0);
    w.cmd.mode[0] = MODE_OFF;
    step(&w, -1, 1);
    assert_true(truth(&w).torque[0] == TORQUE_OFF);
    arena_close(&w.mem);
}

static void a_reset_puts_it_near_the_middle(void **state)
{
    (void)state;
    static struct world w;
    const int n = 20000;
    double sum[2] = {0}, sum2[2] = {0};
    struct rng r;
    world_open(&w);
    rng_seed(&r, 5);
    for (int i = 0; i < n; i++) {
        w.sim->reset(w.self, w.state, &r);
        const struct sensed s = truth(&w);
        for (int k = 0; k < 2; k++) {
            sum[k] += s.q[k] / n;
            sum2[k] += s.q[k] * s.q[k] / n;
        }
        assert_true(s.extra[GOAL] == 0.0 && s.tau[0] == 0.0);
    }
    for (int k = 0; k < 2; k++) {
        assert_near(sum[k], 0.0, 0.003);
        assert_near(sqrt(sum2[k]), 0.1, 0.002);
    }
    arena_close(&w.mem);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    static struct world w;
    struct rng r;
    world_open(&w);
    rng_seed(&r, 6);
    const size_t bytes = w.sim->state_bytes(w.self);
    void *copy = arena_take(&w.mem, bytes);
    w.sim->reset(w.self, w.state, &r);
    memcpy(copy, w.state, bytes);
    struct sensed after[2];
    for (int way = 0; way < 2; way++) {
        memcpy(w.state, copy, bytes);
        for (int i = 0; i < 40; i++) {
            step(&w, sin(i), cos(i));
        }
        memset(&after[way], 0, sizeof after[way]);
        w.sim->sense(w.self, w.state, NULL, &after[way]);
    }
    assert_memory_equal(&after[0], &after[1], sizeof after[0]);
    arena_close(&w.mem);
}

static void a_robot_of_another_kind_is_refused(void **state)
{
    (void)state;
    static struct world w;
    char reason[WHY_CHARS];
    world_open(&w);
    struct robot *robot = &w.config.robot;
    memcpy(robot->joint[1].name, "z", 2);
    assert_true(w.sim->open(w.config.sim_config, robot, &w.mem, &w.self, reason, sizeof reason) <
                0);
    assert_string_equal(reason, "sim multigoal: the robot has no joint \"y\"");
    memcpy(robot->joint[1].name, "y", 2);
    memcpy(robot->extra[0].name, "way", 4);
    assert_true(w.sim->open(w.config.sim_config, robot, &w.mem, &w.self, reason, sizeof reason) <
                0);
    assert_string_equal(reason, "extra: sim multigoal has no sensor \"way\"");
    arena_close(&w.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_steps_and_rewards_are_known),
        cmocka_unit_test(what_a_policy_sees_is_where_it_is),
        cmocka_unit_test(each_goal_has_its_number),
        cmocka_unit_test(the_mixture_has_its_tops_at_the_goals),
        cmocka_unit_test(it_stays_in_its_square_and_knows_effort_alone),
        cmocka_unit_test(a_reset_puts_it_near_the_middle),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(a_robot_of_another_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
