/* The pole on its cart: its steps against Gymnasium's, its task, and the loop around it. */
#include "tests/unit/world_fixture.h"

#define YAML ROBOT("cartpole")

enum { CART, POLE };

static const float left[] = {0.0f}, right[] = {1.0f};

/* environments.md 11.1: from (.01, .02, .03, .04), to the left and to the right in turn, run with
 * Gymnasium's own source; place and speed of the cart, angle and speed of the pole. */
static const struct golden {
    int after;
    double state[4];
} golden[] = {
    {1, {.0104, -.1755390171, .0308, .3419952238}},
    {2, {.006889219658, .01913150199, .03763990448, .05918170676}},
    {10, {-.006017818617, .0131592984, .07847758454, .1914455874}},
};

static void its_steps_are_gymnasiums_11_1(void **state)
{
    (void)state;
    static struct world_rig w;
    size_t row = 0;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){.01, .02, .03, .04}, 4);
    for (int k = 0; k < 10; k++) {
        rig_step(&w, k % 2 == 0 ? left : right);
        if (k + 1 == golden[row].after) {
            const struct sensed s = rig_truth(&w);
            assert_close(s.q[CART], golden[row].state[0], 1e-9);
            assert_close(s.qd[CART], golden[row].state[1], 1e-9);
            assert_close(s.q[POLE], golden[row].state[2], 1e-9);
            assert_close(s.qd[POLE], golden[row].state[3], 1e-9);
            row++;
        }
    }
    assert_int_equal(row, sizeof golden / sizeof golden[0]);
    rig_close(&w);
}

/* From the exact origin, to the right: step 9 is the last, and has its reward. */
static void pushed_to_the_right_it_fails_at_step_9_11_1(void **state)
{
    (void)state;
    static struct world_rig w;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){0, 0, 0, 0}, 4);
    rig_begin(&w);
    int steps = 0;
    while (w.task.st.end == END_NONE && steps < 100) {
        assert_true(rig_act(&w, right) == 1.0);
        steps++;
    }
    const struct sensed s = rig_truth(&w);
    assert_int_equal(w.task.st.end, END_TERMINAL);
    assert_false(w.task.st.success);
    assert_int_equal(steps, 9);
    assert_true(w.task.st.episode_return == 9.0);
    assert_close(s.q[CART], .140650972, 1e-8);
    assert_close(s.qd[CART], 1.760381126, 1e-9);
    assert_close(s.q[POLE], -.2151860499, 1e-9);
    assert_close(s.qd[POLE], -2.777886494, 1e-9);
    rig_close(&w);
}

/* 2.4 m and 12 degrees are still good, either way. */
static void it_ends_beyond_its_bounds(void **state)
{
    (void)state;
    static struct world_rig w;

    static const struct {
        double x, th;
        bool ends;
    } cases[] = {{2.3999, 0, false},    {2.4001, 0, true},    {-2.3999, 0, false},
                 {-2.4001, 0, true},    {0, 0.209439, false}, {0, 0.20944, true},
                 {0, -0.209439, false}, {0, -0.20944, true},  {2.3999, 0.209439, false}};

    rig_open(&w, YAML);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_put(&w, (const double[]){cases[i].x, 0, cases[i].th, 0}, 4);
        rig_begin(&w);
        const struct sensed s = rig_truth(&w);
        task_tick(&w.task, &s, w.dt_s);
        assert_int_equal(w.task.st.end != END_NONE, cases[i].ends);
    }
    rig_close(&w);
}

/* Whoever watches where the pole falls keeps it for all 500 steps. */
static void balanced_by_hand_it_lasts_to_the_time_limit(void **state)
{
    (void)state;
    static struct world_rig w;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){.01, .02, .03, .04}, 4);
    rig_begin(&w);
    while (w.task.st.end == END_NONE) {
        const struct sensed s = rig_truth(&w);
        const double lean = s.q[POLE] + 0.5 * s.qd[POLE] + 0.05 * s.q[CART] + 0.1 * s.qd[CART];
        (void)rig_act(&w, lean > 0.0 ? right : left);
    }
    assert_int_equal(w.task.st.end, END_TRUNCATED);
    assert_int_equal(w.task.st.episode_steps, 500);
    assert_true(w.task.st.episode_return == 500.0);
    rig_close(&w);
}

static void a_reset_draws_as_gymnasium_does(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double mean[4] = {0}, half[] = {0.05, 0.05, 0.05, 0.05};
    rig_open(&w, YAML);
    check_reset(&w, mean, half, 4);
    rig_close(&w);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(YAML);
}

static void a_robot_without_that_joint_is_refused(void **state)
{
    (void)state;
    check_refusal(YAML, "sim cartpole: the robot has no joint \"cart\"");
}

/* environments.md 4.2: 21.7 +- 10.9; of 1,000 episodes the mean is known to 0.35. */
static void at_random_it_has_gymnasiums_return_4_2(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML);
    ride_on(r, 1000);
    print_message("at random: %.2f +- %.2f\n", ride_mean(r), ride_deviation(r));
    assert_near(ride_mean(r), 21.7, 1.4);
    assert_near(ride_deviation(r), 10.9, 2.0);
    assert_true(r->steps == r->returns && r->successes == 0);
    ride_close(r);
}

/* What the learner samples is Gymnasium's transition: the choice of a period acts in it, and its
 * end is the MDP's. */
static void rows_are_gymnasiums_transitions(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML);
    struct batch b;
    struct rng rng;
    int ends = 0;
    ride_on(r, 40);
    rng_seed(&rng, 2);
    for (int k = 0; k < 20; k++) {
        assert_true(sampler_draw(r->house.learner.sampler, &rng, &b));
        for (int i = 0; i < b.n; i++) {
            const float *s = b.s + (size_t)i * 4, *s2 = b.s2 + (size_t)i * 4;
            const double th = (double)s[2], w = (double)s[3];
            const double push = ((b.a[i] == 1.0f ? 10.0 : -10.0) + 0.05 * w * w * sin(th)) / 1.1;
            const double dw = (9.8 * sin(th) - cos(th) * push) /
                              (0.5 * (4.0 / 3.0 - 0.1 * cos(th) * cos(th) / 1.1));
            const bool ended = fabs((double)s2[2]) > 0.20944 || fabs((double)s2[0]) > 2.4;
            assert_true(b.a[i] == 0.0f || b.a[i] == 1.0f);
            assert_near((double)s2[0], (double)s[0] + 0.02 * (double)s[1], 1e-6);
            assert_near((double)s2[2], th + 0.02 * w, 1e-6);
            assert_near((double)s2[3], w + 0.02 * dw, 1e-5);
            assert_true(b.r[i] == 1.0f);
            assert_true(b.g[i] == (ended ? 0.0f : (float)r->house.config.learner.gamma));
            ends += ended;
        }
    }
    assert_true(ends > 20);
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_steps_are_gymnasiums_11_1),
        cmocka_unit_test(pushed_to_the_right_it_fails_at_step_9_11_1),
        cmocka_unit_test(it_ends_beyond_its_bounds),
        cmocka_unit_test(balanced_by_hand_it_lasts_to_the_time_limit),
        cmocka_unit_test(a_reset_draws_as_gymnasium_does),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(a_robot_without_that_joint_is_refused),
        cmocka_unit_test(at_random_it_has_gymnasiums_return_4_2),
        cmocka_unit_test(rows_are_gymnasiums_transitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
