/* The two hanging links: their steps against Gymnasium's, their task, and the loop around them. The
 * state begins with both angles and both speeds. */
#include "tests/unit/world_fixture.h"

#define YAML ROBOT("acrobot")

enum { SHOULDER, ELBOW };

enum { BACK, COAST, FORWARD };

/* environments.md 11.1, run with Gymnasium's own source. */
struct golden {
    int after;
    double state[4], relative;
};

static const struct golden hanging[] = {
    /* from (1, .5, 0, 0) without torque */
    {1, {.8998655357, .55626124, -.9856047606, .5333900323}, 1e-9},
    {10, {-.1255667094, -2.26297416, 1.405468438, -2.002272764}, 1e-9},
    {50, {.1655887743, 2.751092417, 1.069933971, -1.196169492}, 1e-6},
};
static const struct golden pumped[] = {
    /* from (.05, -.03, .02, -.01), with the shoulder's speed */
    {1, {.03393921163, .01016779042, -.1758318308, .4017749797}, 1e-9},
    {10, {-.03052473012, -.02584279485, -.07100267253, .288634242}, 1e-9},
};

static void check(const double *from, const struct golden *rows, int n, bool pump)
{
    static struct world_rig w;
    int row = 0;
    rig_open(&w, YAML);
    rig_put(&w, from, 4);
    for (int k = 1; k <= rows[n - 1].after; k++) {
        const float act = !pump ? COAST : rig_truth(&w).qd[SHOULDER] >= 0.0 ? FORWARD : BACK;
        rig_step(&w, &act);
        if (k == rows[row].after) {
            const struct sensed s = rig_truth(&w);
            assert_close(s.q[SHOULDER], rows[row].state[0], rows[row].relative);
            assert_close(s.q[ELBOW], rows[row].state[1], rows[row].relative);
            assert_close(s.qd[SHOULDER], rows[row].state[2], rows[row].relative);
            assert_close(s.qd[ELBOW], rows[row].state[3], rows[row].relative);
            row++;
        }
    }
    assert_int_equal(row, n);
    rig_close(&w);
}

static void its_steps_are_gymnasiums_11_1(void **state)
{
    (void)state;
    check((const double[]){1.0, .5, 0, 0}, hanging, 3, false);
    check((const double[]){.05, -.03, .02, -.01}, pumped, 2, true);
}

/* Angles stay within half a turn, speeds within their bounds; the height is the tip's. */
static void angles_wrap_and_speeds_are_bounded(void **state)
{
    (void)state;
    static struct world_rig w;
    const float act = FORWARD;
    double fastest[2] = {0};
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){3.1, 3.1, 12.5, 28.2}, 4);
    for (int k = 0; k < 1000; k++) {
        rig_step(&w, &act);
        const struct sensed s = rig_truth(&w);
        assert_true(fabs(s.q[SHOULDER]) <= M_PI && fabs(s.q[ELBOW]) <= M_PI);
        assert_true(fabs(s.qd[SHOULDER]) <= 4.0 * M_PI && fabs(s.qd[ELBOW]) <= 9.0 * M_PI);
        fastest[0] = fmax(fastest[0], fabs(s.qd[SHOULDER]));
        fastest[1] = fmax(fastest[1], fabs(s.qd[ELBOW]));
        assert_near(rig_extra(&w, "height", 0),
                    -cos(s.q[SHOULDER]) - cos(s.q[SHOULDER] + s.q[ELBOW]), 1e-12);
    }
    assert_true(fastest[0] > 4.0 && fastest[1] > 9.0);
    rig_close(&w);
}

/* Swung by its elbow it gets above the bar: -1 for each step but the last. */
static void swung_up_by_hand_its_last_step_costs_nothing(void **state)
{
    (void)state;
    static struct world_rig w;
    double reward = 0.0;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){.05, -.03, .02, -.01}, 4);
    rig_begin(&w);
    while (w.task.st.end == END_NONE) {
        const float act = rig_truth(&w).qd[ELBOW] >= 0.0 ? FORWARD : BACK;
        assert_true(reward == (w.task.st.episode_steps > 0 ? -1.0 : 0.0));
        reward = rig_act(&w, &act);
    }
    assert_int_equal(w.task.st.end, END_TERMINAL);
    assert_true(w.task.st.success && reward == 0.0);
    assert_true(rig_extra(&w, "height", 0) > 1.0);
    assert_true(w.task.st.episode_return == (double)(1 - w.task.st.episode_steps));
    print_message("by hand: %.0f\n", w.task.st.episode_return);
    rig_close(&w);
}

static void a_reset_draws_as_gymnasium_does(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double mean[4] = {0}, half[] = {0.1, 0.1, 0.1, 0.1};
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
    check_refusal(YAML, "sim acrobot: the robot has no joint \"shoulder\"");
}

/* environments.md 4.4: -498; most episodes run to their limit of 500 steps. */
static void at_random_it_has_gymnasiums_return_4_4(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML);
    ride_on(r, 200);
    print_message("at random: %.2f, %d of %d above the bar\n", ride_mean(r), r->successes,
                  r->episodes);
    assert_near(ride_mean(r), -498.0, 2.5);
    assert_true(r->steps == r->successes - r->returns);
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_steps_are_gymnasiums_11_1),
        cmocka_unit_test(angles_wrap_and_speeds_are_bounded),
        cmocka_unit_test(swung_up_by_hand_its_last_step_costs_nothing),
        cmocka_unit_test(a_reset_draws_as_gymnasium_does),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(a_robot_without_that_joint_is_refused),
        cmocka_unit_test(at_random_it_has_gymnasiums_return_4_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
