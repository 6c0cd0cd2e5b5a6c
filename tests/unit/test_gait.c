/* The search for the best gait: what an action is, that it finds optima, that the course is fair
 * and repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/course.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRIAL_S 4.0

/* The course of the shipped robot file: the whole daemon in lockstep. */
static struct course *course(void)
{
    const struct house_spec spec = {.config_path = SOURCE_DIR "/deploy/robots/crawler.yaml",
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .replay_fd = -1};
    struct course *k = NULL;
    char text[WHY_CHARS] = "";
    assert_int_equal(course_open(&k, &spec, TRIAL_S, text, sizeof text), 0);
    assert_int_equal(course_n_act(k), 2);
    return k;
}

static void an_action_is_a_clipped_fourier_sum(void **state)
{
    (void)state;
    const struct gait g = {
        .n_act = 2, .steps = 8, .coef = {{0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.4}, {3.0}}};
    float act[2];
    gait_act(&g, 0, act);
    assert_true(fabs((double)act[0] - 0.3) < 1e-6);
    assert_true(act[1] == 1.0f);
    gait_act(&g, 2, act); /* a quarter: cos 0, sin 1, third sine -1 */
    assert_true(fabs((double)act[0] - (0.1 + 0.3 - 0.4)) < 1e-6);
    float later[2];
    gait_act(&g, 10, later);
    assert_true(fabsf(later[0] - act[0]) < 1e-6f);
}

/* A hill with a known top: 16 steps, first sine of action 0 at 0.5, all else 0. */
static void hill(void *self, const struct gait *g, struct gait_result *ret_result)
{
    int *trials = self;
    double d = 0.01 * (g->steps - 16) * (g->steps - 16);
    for (int k = 0; k < g->n_act; k++) {
        for (int i = 0; i < GAIT_COEFS; i++) {
            const double want = k == 0 && i == 2 ? 0.5 : 0.0;
            d += (g->coef[k][i] - want) * (g->coef[k][i] - want);
        }
    }
    (*trials)++;
    *ret_result = (struct gait_result){.return_per_s = -d, .speed_m_s = (double)*trials};
}

static void the_search_climbs_a_hill_and_repeats(void **state)
{
    (void)state;
    struct gait_search spec;
    struct gait g[2];
    struct gait_result found[2];
    struct arena mem;
    int trials[2] = {0};
    gait_search_defaults(&spec, 20.0);
    assert_int_equal(arena_open(&mem, "gait", 8 << 20), 0);
    for (int i = 0; i < 2; i++) {
        struct rng r;
        rng_seed(&r, 3);
        const struct gait_trial trial = {.run = hill, .self = &trials[i], .n_act = 2};
        gait_find(&spec, &trial, &mem, &r, &g[i], &found[i]);
    }
    assert_true(found[0].return_per_s > -0.01);
    assert_true(g[0].steps == 16 && fabs(g[0].coef[0][2] - 0.5) < 0.1);
    assert_memory_equal(&g[0], &g[1], sizeof g[0]);
    assert_int_equal(trials[0], gait_trials(&spec));
    arena_close(&mem);
}

static void the_course_is_the_same_every_time(void **state)
{
    (void)state;
    struct course *k = course();
    struct gait_result a, b, still;
    const struct gait swing = {.n_act = 2, .steps = 12, .coef = {{-0.5, 0.0, -0.8}, {-0.4, -0.6}}};
    const struct gait rest = {.n_act = 2, .steps = 20};
    course_run(k, &swing, &a);
    course_run(k, &rest, &still);
    course_run(k, &swing, &b);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(fabs(still.speed_m_s) < 1e-3);
    course_close(k);
}

static void the_best_known_speed_is_within_the_bound_and_at_least_half_of_it(void **state)
{
    (void)state;
    struct course *k = course();
    assert_true(course_best_known_m_s(k) <= course_bound_m_s(k));
    assert_true(course_best_known_m_s(k) >= 0.5 * course_bound_m_s(k));
    course_close(k);
}

static void a_short_search_comes_near_the_best_known(void **state)
{
    (void)state;
    struct gait_search spec;
    struct gait g;
    struct gait_result found;
    struct arena mem;
    struct rng r;
    struct course *k = course();
    assert_int_equal(arena_open(&mem, "gait", 8 << 20), 0);
    gait_search_defaults(&spec, 20.0);
    spec.steps_min = 12;
    spec.steps_max = 13;
    rng_seed(&r, 1);
    const struct gait_trial trial = {.run = course_run, .self = k, .n_act = 2};
    gait_find(&spec, &trial, &mem, &r, &g, &found);
    assert_true(found.speed_m_s > 0.8 * course_best_known_m_s(k));
    assert_true(found.speed_m_s <
                1.02 * course_best_known_m_s(k)); /* else the file's is not the best known */
    arena_close(&mem);
    course_close(k);
}

static void a_course_without_an_odometer_is_refused(void **state)
{
    (void)state;
    const char *const sets[] = {"task.travel_joint=", "task.travel_max_m=0"};
    const struct house_spec spec = {.config_path = SOURCE_DIR "/deploy/robots/crawler.yaml",
                                    .sets = sets,
                                    .n_sets = 2,
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .replay_fd = -1};
    struct course *k = NULL;
    char text[WHY_CHARS] = "";
    assert_int_equal(course_open(&k, &spec, TRIAL_S, text, sizeof text), -EINVAL);
    assert_null(k);
    assert_non_null(strstr(text, "travel_joint"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_is_a_clipped_fourier_sum),
        cmocka_unit_test(the_search_climbs_a_hill_and_repeats),
        cmocka_unit_test(the_course_is_the_same_every_time),
        cmocka_unit_test(the_best_known_speed_is_within_the_bound_and_at_least_half_of_it),
        cmocka_unit_test(a_short_search_comes_near_the_best_known),
        cmocka_unit_test(a_course_without_an_odometer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
