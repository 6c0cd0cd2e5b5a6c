/* The simulated crawler: its shape against published figures, its motor against its data sheet, its
 * way against physics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "sim/crawler_shape.h"
#include "sim/motor.h"
#include "sim/sim.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEGREE                       (M_PI / 180.0)
#define RADIUS                       0.02 /* the odometer's default wheel */
#define STEP_S                       0.001
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

extern const struct sim sim_crawler;

static const struct crawler_shape shape = {
    .arm_m = 0.06, .hand_m = 0.04, .width_m = 0.08, .height_m = 0.04};

struct body {
    struct robot *robot;
    struct arena mem;
    void *config, *self, *state;
    struct command cmd;
};

static void set(void *config, const char *key, const char *text)
{
    char text_why[WHY_CHARS];
    const struct option *o = option_find(sim_crawler.options, key);
    assert_non_null(o);
    assert_int_equal(option_set(o, config, text, text_why, sizeof text_why), 0);
}

static void name_joint(struct robot *r, int j, const char *name, double min_deg, double max_deg)
{
    r->joint[j] = (struct joint_spec){
        .actuated = j < 2, .q_min = min_deg * DEGREE, .q_max = max_deg * DEGREE};
    memcpy(r->joint[j].name, name, strlen(name) + 1);
}

static void body_open(struct body *b)
{
    char text[WHY_CHARS];
    memset(b, 0, sizeof *b);
    assert_int_equal(arena_open(&b->mem, "body", 1 << 20), 0);
    b->robot = arena_take(&b->mem, sizeof *b->robot);
    b->robot->n_joints = 3;
    name_joint(b->robot, 0, "arm", -30.0, 30.0);
    name_joint(b->robot, 1, "hand", -150.0, 0.0);
    name_joint(b->robot, 2, "odometer", 0.0, 0.0);
    b->config = arena_take(&b->mem, sim_crawler.config_bytes);
    option_defaults(sim_crawler.options, b->config);
    assert_int_equal(sim_crawler.open(b->config, b->robot, &b->mem, &b->self, text, sizeof text),
                     0);
    b->state = arena_take(&b->mem, sim_crawler.state_bytes(b->self));
    sim_crawler.reset(b->self, b->state, NULL);
    b->cmd.n = 3;
}

static void body_close(struct body *b)
{
    arena_close(&b->mem);
}

static struct sensed truth(const struct body *b)
{
    struct sensed s;
    sim_crawler.sense(b->self, b->state, NULL, &s);
    return s;
}

static double way_m(const struct body *b)
{
    return truth(b).q[2] * RADIUS;
}

static void go_to(struct body *b, double arm_rad, double hand_rad)
{
    for (int j = 0; j < 2; j++) {
        b->cmd.mode[j] = MODE_POSITION;
        b->cmd.tau_max[j] = 1.4;
    }
    b->cmd.q[0] = arm_rad;
    b->cmd.q[1] = hand_rad;
}

static void run(struct body *b, double seconds)
{
    const int n = (int)lround(seconds / STEP_S);
    for (int i = 0; i < n; i++) {
        sim_crawler.step(b->self, b->state, &b->cmd, STEP_S, NULL);
    }
}

/* From the pose commanded now to another, in a straight line. */
static void glide(struct body *b, double arm_rad, double hand_rad, double seconds)
{
    const double arm_0 = b->cmd.q[0], hand_0 = b->cmd.q[1];
    const int n = (int)lround(seconds / STEP_S);
    for (int i = 1; i <= n; i++) {
        const double f = (double)i / n;
        go_to(b, arm_0 + f * (arm_rad - arm_0), hand_0 + f * (hand_rad - hand_0));
        run(b, STEP_S);
    }
}

/* The Berkeley crawler's buckets: 9 arm angles, 13 hand angles, both from the body's axis. */
static struct crawler_tip bucket(int arm, int hand)
{
    return crawler_tip(&shape, -M_PI / 6.0 + arm * M_PI / 24.0,
                       -5.0 * M_PI / 6.0 + hand * 5.0 * M_PI / 72.0);
}

static void the_shape_has_the_published_tips_and_ways(void **state)
{
    (void)state;

    static const struct {
        int from[2], to[2];
        double mm;
    } moves[] = {{{4, 6}, {4, 5}, 0.0},         {{3, 6}, {2, 6}, 0.995673540},
                 {{4, 6}, {3, 6}, 0.284414144}, {{0, 5}, {0, 4}, 8.597905275},
                 {{0, 3}, {0, 2}, 8.357750222}, {{0, 4}, {1, 4}, -1.992467893},
                 {{0, 6}, {0, 5}, 8.144692552}, {{2, 6}, {1, 6}, 1.606622098}};

    assert_near(1e3 * bucket(4, 6).x_m, 150.352762, 1e-6);
    assert_near(1e3 * bucket(4, 6).y_m, 1.362967, 1e-6);
    assert_near(1e3 * bucket(0, 6).x_m, 142.314286, 1e-6);
    assert_near(1e3 * bucket(0, 6).y_m, -28.637033, 1e-6);
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        const struct crawler_tip p0 = bucket(moves[i].from[0], moves[i].from[1]);
        const struct crawler_tip p1 = bucket(moves[i].to[0], moves[i].to[1]);
        assert_near(1e3 * crawler_pull_m(p0, p1), moves[i].mm, 1e-8);
    }
    int touching = 0;
    for (int i = 0; i < 9 * 13; i++) {
        touching += bucket(i / 13, i % 13).y_m < 0.0;
    }
    assert_int_equal(touching, 35);
}

static void the_tip_s_torque_is_the_gradient_of_its_work(void **state)
{
    (void)state;
    const double a = -0.3, r = -1.4, eps = 1e-6;
    const double f[2] = {1.7, 2.3};
    double tau[2];
    crawler_tip_torque(&shape, a, a + r, f, tau);
    /* with the pitch held, the tip's move in the world is R(pitch) d(X, Y) */
    const struct crawler_tip p = crawler_tip(&shape, a, a + r);
    const double pitch = atan2(-p.y_m, p.x_m);
    for (int j = 0; j < 2; j++) {
        const double a2 = a + (j == 0 ? eps : 0.0), r2 = r + (j == 1 ? eps : 0.0);
        const struct crawler_tip p2 = crawler_tip(&shape, a2, a2 + r2);
        const double dx = p2.x_m - p.x_m, dy = p2.y_m - p.y_m;
        const double work =
            f[0] * (cos(pitch) * dx - sin(pitch) * dy) + f[1] * (sin(pitch) * dx + cos(pitch) * dy);
        assert_near(tau[j], work / eps, 1e-5);
    }
}

static void the_bound_is_the_known_one(void **state)
{
    (void)state;
    struct crawler_reach r = {-30.0 * DEGREE, 30.0 * DEGREE, -150.0 * DEGREE, 0.0, false};
    assert_near(crawler_speed_bound_m_s(&shape, &r, 5.0), 0.100, 0.0005);
    r.hand_relative = true;
    assert_near(crawler_speed_bound_m_s(&shape, &r, 5.0), 0.170, 0.0005);
}

static void a_free_motor_starts_and_tops_out_as_its_data_sheet_says(void **state)
{
    (void)state;
    struct body b;
    body_open(&b);
    go_to(&b, 30.0 * DEGREE, -150.0 * DEGREE); /* hand in the air */
    run(&b, 1.0);
    b.cmd.q[1] = 0.0;
    run(&b, 0.003);
    assert_in_range((int)(truth(&b).qd[1] / 0.003), 85, 105); /* rad/s^2 */
    double top = 0.0;
    for (int i = 0; i < 500; i++) {
        run(&b, STEP_S);
        top = fmax(top, truth(&b).qd[1]);
    }
    assert_true(top > 4.5 && top < 5.0);
    run(&b, 1.0);
    assert_near(truth(&b).q[1], 0.0, 0.02);
    body_close(&b);
}

static void the_output_lags_by_the_play_when_the_motor_turns_back(void **state)
{
    (void)state;
    const struct motor_spec spec = {1.4, 5.0, 0.0135, 0.05, 0.005, 0.0087, 6.5, 0.0, -9.0, 9.0};
    struct command cmd = {.n = 1, .mode = {MODE_EFFORT}, .tau_max = {1.4}, .tau = {0.2}};
    struct motor m;
    motor_rest(&m, 0.0);
    for (int i = 0; i < 200; i++) {
        motor_step(&m, &spec, &cmd, 0, 0.0, 0.0005);
    }
    assert_near(m.q_motor - m.q, 0.5 * spec.backlash_rad, 1e-12);
    cmd.tau[0] = -0.4;
    while (m.qd_motor > 0.0) {
        motor_step(&m, &spec, &cmd, 0, 0.0, 0.0005);
    }
    const double top = m.q;
    while (m.q_motor > top - 0.4 * spec.backlash_rad) {
        assert_near(m.q, top, 1e-12);
        motor_step(&m, &spec, &cmd, 0, 0.0, 0.0005);
    }
    while (m.q_motor > top - 2.0 * spec.backlash_rad) {
        motor_step(&m, &spec, &cmd, 0, 0.0, 0.0005);
    }
    assert_near(m.q - m.q_motor, 0.5 * spec.backlash_rad, 1e-12);
}

static void a_motor_never_makes_more_torque_than_its_curve(void **state)
{
    (void)state;
    const struct motor_spec spec = {1.4, 5.0, 0.0135, 0.05, 0.005, 0.0087, 6.5, 0.0, -2.0, 2.0};
    struct rng r;
    struct motor m;
    rng_seed(&r, 11);
    motor_rest(&m, 0.0);
    struct command cmd = {.n = 1, .tau_max = {1.0}};
    for (int i = 0; i < 40000; i++) {
        if (i % 40 == 0) {
            cmd.mode[0] = (uint8_t)rng_below(&r, MODE_IMPEDANCE + 1);
            cmd.q[0] = 4.0 * rng_uniform(&r) - 2.0;
            cmd.qd[0] = 12.0 * rng_uniform(&r) - 6.0;
            cmd.tau[0] = 6.0 * rng_uniform(&r) - 3.0;
            cmd.kp[0] = 20.0 * rng_uniform(&r);
            cmd.kd[0] = rng_uniform(&r);
        }
        const double qd = m.qd_motor;
        motor_step(&m, &spec, &cmd, 0, 0.4 * rng_normal(&r), 0.0005);
        assert_true(fabs(m.tau) <= spec.tau_stall_nm);
        assert_true(m.tau * qd <= 0.0 ||
                    fabs(m.tau) <= spec.tau_stall_nm * (1.0 - fabs(qd) / spec.qd_max_rad_s) + 1e-9);
        assert_true(m.q_motor >= spec.q_min - 0.01 && m.q_motor <= spec.q_max + 0.01);
        assert_true(fabs(m.q - m.q_motor) <= 0.5 * spec.backlash_rad + 1e-12);
    }
}

static void off_gives_way_and_brake_does_not(void **state)
{
    (void)state;
    const struct motor_spec spec = {1.4, 5.0, 0.0135, 0.05, 0.005, 0.0087, 6.5, 0.0, -9.0, 9.0};
    const uint8_t modes[] = {MODE_OFF, MODE_VELOCITY, MODE_HOLD};
    double turned[3];
    for (int k = 0; k < 3; k++) {
        struct command cmd = {.n = 1, .mode = {modes[k]}, .tau_max = {1.4}};
        struct motor m;
        motor_rest(&m, 0.0);
        for (int i = 0; i < 1000; i++) {
            motor_step(&m, &spec, &cmd, 0, 0.3, 0.0005);
        }
        turned[k] = m.q;
    }
    assert_true(turned[0] > 1.0);  /* 18 rad/s^2 for half a second */
    assert_true(turned[1] < 0.06); /* creeps at 0.25 Nm / (2.8 + 0.28) */
    assert_true(turned[2] < 0.06); /* gives 0.25 Nm / 6.5 */
}

static void in_the_air_there_is_no_way(void **state)
{
    (void)state;
    struct body b;
    struct rng r;
    body_open(&b);
    rng_seed(&r, 5);
    go_to(&b, 30.0 * DEGREE, -60.0 * DEGREE);
    run(&b, 0.5);
    const double x0 = way_m(&b);
    for (int i = 0; i < 50; i++) {
        go_to(&b, (25.0 + 5.0 * rng_uniform(&r)) * DEGREE, -100.0 * DEGREE * rng_uniform(&r));
        run(&b, 0.1);
        assert_true(way_m(&b) == x0);
    }
    body_close(&b);
}

static void a_slow_pull_moves_the_body_as_the_tip_says(void **state)
{
    (void)state;
    struct body b;
    body_open(&b);
    go_to(&b, 10.0 * DEGREE, -30.0 * DEGREE);
    run(&b, 1.0);
    glide(&b, -25.0 * DEGREE, -40.0 * DEGREE, 1.0);
    assert_true(crawler_tip(&shape, truth(&b).q[0], truth(&b).q[0] + truth(&b).q[1]).y_m < 0.0);
    glide(&b, -25.0 * DEGREE, -60.0 * DEGREE, 0.5); /* the first millimetre creeps */
    const struct sensed s0 = truth(&b);
    glide(&b, -25.0 * DEGREE, -90.0 * DEGREE, 1.0);
    const struct sensed s1 = truth(&b);
    const struct crawler_tip p0 = crawler_tip(&shape, s0.q[0], s0.q[0] + s0.q[1]);
    const struct crawler_tip p1 = crawler_tip(&shape, s1.q[0], s1.q[0] + s1.q[1]);
    const double way = (s1.q[2] - s0.q[2]) * RADIUS;
    assert_true(way > 0.01);
    assert_near(way, hypot(p0.x_m, p0.y_m) - hypot(p1.x_m, p1.y_m), 1e-9);
    assert_true(s1.tau[0] < -0.05); /* holds the body up */
    body_close(&b);
}

static void small_strokes_only_creep(void **state)
{
    (void)state;
    struct body b;
    body_open(&b);
    go_to(&b, -25.0 * DEGREE, -60.0 * DEGREE);
    run(&b, 1.0);
    glide(&b, -25.0 * DEGREE, -70.0 * DEGREE, 0.5);
    glide(&b, -25.0 * DEGREE, -69.0 * DEGREE, 0.1);
    const double x0 = way_m(&b);
    for (int i = 0; i < 10; i++) { /* 1 degree of the hand is 0.7 mm or less of the tip */
        glide(&b, -25.0 * DEGREE, -70.0 * DEGREE, 0.1);
        glide(&b, -25.0 * DEGREE, -69.0 * DEGREE, 0.1);
    }
    assert_near(way_m(&b), x0, 1e-9);
    body_close(&b);
}

static void a_limp_crawler_sinks_to_the_ground(void **state)
{
    (void)state;
    struct body b;
    char text[WHY_CHARS];
    body_open(&b);
    set(b.config, "friction_nm",
        "0.005"); /* an easy gear: with 0.05 Nm friction alone carries part of the body */
    assert_int_equal(sim_crawler.open(b.config, b.robot, &b.mem, &b.self, text, sizeof text), 0);
    go_to(&b, -28.0 * DEGREE, -62.0 * DEGREE);
    run(&b, 1.0);
    assert_true(crawler_tip(&shape, truth(&b).q[0], truth(&b).q[0] + truth(&b).q[1]).y_m < -0.02);
    b.cmd.mode[0] = b.cmd.mode[1] = MODE_OFF;
    run(&b, 4.0);
    const struct sensed s = truth(&b);
    assert_true(crawler_tip(&shape, s.q[0], s.q[0] + s.q[1]).y_m > -0.002);
    assert_true(fabs(s.qd[0]) < 1e-9 && fabs(s.qd[1]) < 1e-9 && s.tau[0] == 0.0);
    body_close(&b);
}

/* Random gaits, many of them: mean speed within the bound, and the motors pay for the drag. */
static void no_gait_beats_the_bound_or_moves_for_nothing(void **state)
{
    (void)state;
    const struct crawler_reach reach = {-36.0 * DEGREE, 36.0 * DEGREE, -156.0 * DEGREE,
                                        6.0 * DEGREE, true};
    const double bound = crawler_speed_bound_m_s(&shape, &reach, 5.0); /* over the stops, too */
    const double drag_min_n = 0.4 * 0.5 * 9.81 * (1.0 - 0.045 / 0.09);
    struct rng r;
    rng_seed(&r, 3);
    for (int trial = 0; trial < 40; trial++) {
        struct body b;
        double work = 0.0, dragged = 0.0;
        body_open(&b);
        const double t = 0.3 + rng_uniform(&r), lag = 6.3 * rng_uniform(&r);
        const double arm = 30.0 * rng_uniform(&r), hand = 75.0 * rng_uniform(&r);
        for (int i = 0; i < 5000; i++) {
            const double phase = 2.0 * M_PI * i * STEP_S / t;
            go_to(&b, arm * DEGREE * sin(phase), (-75.0 + hand * sin(phase + lag)) * DEGREE);
            const double x = way_m(&b);
            run(&b, STEP_S);
            const struct sensed s = truth(&b);
            work += (s.tau[0] * s.qd[0] + s.tau[1] * s.qd[1]) * STEP_S;
            dragged += fabs(way_m(&b) - x);
        }
        assert_true(fabs(way_m(&b)) <= bound * 5.0 + 0.06); /* plus the stroke that is under way */
        assert_true(work >= drag_min_n * dragged);
        body_close(&b);
    }
}

static uint64_t dance(struct body *b, uint64_t seed, int steps)
{
    struct rng r;
    rng_seed(&r, seed);
    for (int i = 0; i < steps; i++) {
        go_to(b, (60.0 * rng_uniform(&r) - 30.0) * DEGREE, -150.0 * DEGREE * rng_uniform(&r));
        run(b, 0.05);
    }
    return hash_fnv1a(HASH_START, b->state, sim_crawler.state_bytes(b->self));
}

static void the_same_commands_make_the_same_world(void **state)
{
    (void)state;
    struct body a, b;
    body_open(&a);
    body_open(&b);
    assert_true(dance(&a, 1, 200) == dance(&b, 1, 200));
    assert_true(fabs(way_m(&a)) > 0.001);
    assert_true(dance(&a, 2, 20) != dance(&b, 3, 20));
    /* a copy of the state is a copy of the world */
    memcpy(b.state, a.state, sim_crawler.state_bytes(a.self));
    assert_true(dance(&a, 4, 100) == dance(&b, 4, 100));
    assert_true(way_m(&a) == way_m(&b));
    body_close(&a);
    body_close(&b);
}

static void a_robot_without_its_joints_is_refused(void **state)
{
    (void)state;
    struct body b;
    char text[WHY_CHARS] = "";
    void *self = NULL;
    body_open(&b);
    set(b.config, "hand_joint", "elbow");
    assert_int_equal(sim_crawler.open(b.config, b.robot, &b.mem, &self, text, sizeof text),
                     -EINVAL);
    assert_non_null(strstr(text, "elbow"));
    set(b.config, "hand_joint", "arm");
    assert_int_equal(sim_crawler.open(b.config, b.robot, &b.mem, &self, text, sizeof text),
                     -EINVAL);
    assert_null(self);
    body_close(&b);
}

static void stalling_warms_a_motor_and_loads_the_supply(void **state)
{
    (void)state;
    struct body b;
    body_open(&b);
    const struct sensed s0 = truth(&b);
    go_to(&b, 4.0, -75.0 * DEGREE); /* against the stop */
    run(&b, 20.0);
    const struct sensed s1 = truth(&b);
    assert_near(s1.tau[0], 1.4, 1e-6);
    assert_near((double)s1.temp_c[0], 25.0 + 60.0 * (1.0 - exp(-20.0 / 300.0)), 0.2);
    assert_near((double)(s0.volt_v[0] - s1.volt_v[0]), 0.2, 0.01);
    body_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shape_has_the_published_tips_and_ways),
        cmocka_unit_test(the_tip_s_torque_is_the_gradient_of_its_work),
        cmocka_unit_test(the_bound_is_the_known_one),
        cmocka_unit_test(a_free_motor_starts_and_tops_out_as_its_data_sheet_says),
        cmocka_unit_test(the_output_lags_by_the_play_when_the_motor_turns_back),
        cmocka_unit_test(a_motor_never_makes_more_torque_than_its_curve),
        cmocka_unit_test(off_gives_way_and_brake_does_not),
        cmocka_unit_test(in_the_air_there_is_no_way),
        cmocka_unit_test(a_slow_pull_moves_the_body_as_the_tip_says),
        cmocka_unit_test(small_strokes_only_creep),
        cmocka_unit_test(a_limp_crawler_sinks_to_the_ground),
        cmocka_unit_test(no_gait_beats_the_bound_or_moves_for_nothing),
        cmocka_unit_test(the_same_commands_make_the_same_world),
        cmocka_unit_test(a_robot_without_its_joints_is_refused),
        cmocka_unit_test(stalling_warms_a_motor_and_loads_the_supply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
