/* The car in its valley, with choices and with a force: its steps against Gymnasium's, its tasks,
 * and the loop around it. The state begins with place and speed. */
#include "tests/unit/world_fixture.h"

#define YAML            ROBOT("mountaincar")
#define YAML_CONTINUOUS ROBOT("mountaincar-continuous")

enum { BACK, COAST, FORWARD };

struct golden {
    int after;
    double place, speed;
};

/* environments.md 11.1: from (-.5, 0), always with the speed, run with Gymnasium's own sources. */
static const struct golden discrete[] = {
    {1, -.499176843, .0008231569958},
    {10, -.4576895849, .007254692063},
    {50, -.4420296231, -.02696604797},
    {124, .5349499826, .04819097793},
};
static const struct golden continuous[] = {
    {1, -.4986768365, .00132315699},
    {10, -.4319798946, .01166602597},
    {50, -.1941558868, -.02718416229},
    {106, .5020867586, .06404768676},
};

/* Until it ends; returns the return. */
static double with_the_speed(struct world_rig *w, const struct golden *rows, int n, double relative,
                             bool choices)
{
    int row = 0;
    rig_put(w, (const double[]){-.5, 0}, 2);
    rig_begin(w);
    while (w->task.st.end == END_NONE) {
        const bool on = rig_truth(w).qd[0] >= 0.0;
        const float act = choices ? (on ? FORWARD : BACK) : (on ? 1.0f : -1.0f);
        (void)rig_act(w, &act);
        if (w->task.st.episode_steps == rows[row].after) {
            const struct sensed s = rig_truth(w);
            assert_close(s.q[0], rows[row].place, relative);
            assert_close(s.qd[0], rows[row].speed, relative);
            row++;
        }
    }
    assert_int_equal(row, n);
    assert_int_equal(w->task.st.episode_steps, rows[n - 1].after);
    assert_int_equal(w->task.st.end, END_TERMINAL);
    assert_true(w->task.st.success);
    return w->task.st.episode_return;
}

static void its_steps_are_gymnasiums_11_1(void **state)
{
    (void)state;
    static struct world_rig w;
    rig_open(&w, YAML);
    assert_true(with_the_speed(&w, discrete, 4, 1e-9, true) == -124.0);
    rig_close(&w);
}

/* Gymnasium keeps this one's state in single precision: so near are its figures to ours. */
static void its_continuous_steps_are_gymnasiums_11_1(void **state)
{
    (void)state;
    static struct world_rig w;
    rig_open(&w, YAML_CONTINUOUS);
    assert_close(with_the_speed(&w, continuous, 4, 3e-7, false), 89.4, 1e-9);
    rig_close(&w);
}

#define BACK_M (0.01 + 0.0025 * 0.010796117058267392) /* cos 1.56 */

/* Place, speed and what comes of one step. */
static void walls_and_flag_are_where_they_are(void **state)
{
    (void)state;
    static struct world_rig w;

    static const struct {
        double place, speed;
        float choice;
        double place_then, speed_then, end;
    } cases[] = {
        {-1.19, -0.07, BACK, -1.2, 0.0, 0.0},              /* the left wall takes the speed */
        {-0.5, 0.0699, FORWARD, -0.43, 0.07, 0.0},         /* nothing is faster */
        {0.44, 0.07, FORWARD, 0.51, 0.07, 1.0},            /* the flag */
        {0.52, -0.01, COAST, 0.52 - BACK_M, -BACK_M, 0.0}, /* rolling back is no end */
    };

    rig_open(&w, YAML);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_put(&w, (const double[]){cases[i].place, cases[i].speed}, 2);
        rig_step(&w, &cases[i].choice);
        const struct sensed s = rig_truth(&w);
        assert_near(s.q[0], cases[i].place_then, 1e-9);
        assert_near(s.qd[0], cases[i].speed_then, 1e-9);
        assert_true(rig_extra(&w, "end", 0) == cases[i].end);
    }
    rig_close(&w);
}

static void at_the_flag_it_stays_until_it_is_reset(void **state)
{
    (void)state;
    static struct world_rig w;
    const float back = BACK;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){.55, .03}, 2);
    rig_step(&w, &back);
    assert_true(rig_truth(&w).q[0] == .55 && rig_extra(&w, "end", 0) == 1.0);
    rig_close(&w);
}

/* Force is what is asked within -1 to 1; without torque it coasts. */
static void its_force_has_limits(void **state)
{
    (void)state;
    static struct world_rig w;

    static const struct {
        uint8_t mode;
        double asked, force;
    } cases[] = {
        {MODE_EFFORT, 0.3, 0.3}, {MODE_EFFORT, -7, -1}, {MODE_OFF, 1, 0}, {MODE_HOLD, 1, 0}};

    rig_open(&w, YAML_CONTINUOUS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_put(&w, (const double[]){-.5, 0}, 2);
        w.cmd.mode[0] = cases[i].mode;
        w.cmd.tau[0] = cases[i].asked;
        w.sim->step(w.self, w.state, &w.cmd, w.dt_s, NULL);
        const struct sensed s = rig_truth(&w);
        assert_near(s.qd[0], 0.0015 * cases[i].force - 0.0025 * cos(-1.5), 1e-15);
        assert_true(s.tau[0] == cases[i].force);
        assert_int_equal(s.torque[0], cases[i].mode == MODE_OFF ? TORQUE_OFF : TORQUE_ON);
    }
    rig_close(&w);
}

static void a_reset_draws_as_gymnasium_does(void **state)
{
    (void)state;
    static struct world_rig w;
    const double mean = -0.5, half = 0.1;
    rig_open(&w, YAML);
    check_reset(&w, &mean, &half, 1);
    assert_true(w.state[1] == 0.0);
    rig_close(&w);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(YAML);
    check_copy(YAML_CONTINUOUS);
}

static void what_it_lacks_is_refused(void **state)
{
    (void)state;
    static struct world_rig w;
    const char *const sets[] = {"sim.continuous=true"};
    char reason[WHY_CHARS];
    check_refusal(YAML, "sim mountain_car: the robot has no joint \"car\"");
    memset(&w, 0, sizeof w);
    assert_int_equal(arena_open(&w.mem, "world", (size_t)64 << 20), 0);
    assert_true(config_load(&w.config, YAML, sets, 1, &w.mem, reason, sizeof reason) < 0);
    assert_non_null(strstr(reason, "choices: sim mountain_car as configured has 0"));
    rig_close(&w);
}

/* environments.md 4.3: -200, it never gets there. */
static void at_random_it_has_gymnasiums_return_4_3(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML);
    ride_on(r, 100);
    assert_true(ride_mean(r) == -200.0 && r->steps == 20000.0 && r->successes == 0);
    ride_close(r);
}

/* environments.md 4.3: -33.3 +- 1.0, but for the rare episode that gets there. */
static void at_random_the_continuous_one_has_too_4_3(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML_CONTINUOUS);
    ride_on(r, 50);
    print_message("at random: %.2f +- %.2f, %d at the flag\n", ride_mean(r), ride_deviation(r),
                  r->successes);
    assert_int_equal(r->successes, 0);
    assert_near(ride_mean(r), -33.3, 0.6);
    assert_near(ride_deviation(r), 1.0, 0.4);
    assert_true(r->steps == 50 * 999);
    ride_close(r);
}

static void rows_are_gymnasiums_transitions(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML_CONTINUOUS);
    struct batch b;
    struct rng rng;
    ride_on(r, 3);
    rng_seed(&rng, 2);
    assert_true(sampler_draw(r->house.learner.sampler, &rng, &b));
    for (int i = 0; i < b.n; i++) {
        const float *s = b.s + (size_t)i * 2, *s2 = b.s2 + (size_t)i * 2;
        const double force = (double)b.a[i];
        const double v = (double)s[1] + 0.0015 * force - 0.0025 * cos(3.0 * (double)s[0]);
        assert_near((double)s2[1], v, 1e-8);
        assert_near((double)s2[0], (double)s[0] + v, 1e-6);
        assert_near((double)b.r[i], -0.1 * force * force, 1e-7);
        assert_true(b.g[i] == (float)r->house.config.learner.gamma); /* a clock ends no MDP */
    }
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_steps_are_gymnasiums_11_1),
        cmocka_unit_test(its_continuous_steps_are_gymnasiums_11_1),
        cmocka_unit_test(walls_and_flag_are_where_they_are),
        cmocka_unit_test(at_the_flag_it_stays_until_it_is_reset),
        cmocka_unit_test(its_force_has_limits),
        cmocka_unit_test(a_reset_draws_as_gymnasium_does),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(what_it_lacks_is_refused),
        cmocka_unit_test(at_random_it_has_gymnasiums_return_4_3),
        cmocka_unit_test(at_random_the_continuous_one_has_too_4_3),
        cmocka_unit_test(rows_are_gymnasiums_transitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
