/* The search for the best gait: what an action is, that it finds optima, that the course is fair
 * and repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/course.h"
#include "sim/crawler_shape.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEGREE  (M_PI / 180.0)
#define TRIAL_S 6.0

/* The fastest gait that long searches found on the course below, and what it earned there. */
static const struct gait best_known = {
    .n_act = 2,
    .period_s = 0.449989,
    .coef = {{-0.523970, -1.144487, -1.516549, -0.182824, 0.816684, 0.212992, -0.114746},
             {-0.538911, -0.481288, -1.584765, -0.320497, 0.210971, -0.229330, 0.077194}}};
static const double best_known_speed_m_s = 0.1000;

static const struct crawler_shape shape = {
    .arm_m = 0.06, .hand_m = 0.04, .width_m = 0.08, .height_m = 0.04};

static void add_joint(struct robot *r, const char *name, double min_deg, double max_deg)
{
    struct joint_spec *j = &r->joint[r->n_joints];
    *j = (struct joint_spec){.actuated = r->n_joints < 2,
                             .q_min = min_deg * DEGREE,
                             .q_max = max_deg * DEGREE,
                             .qd_max = 6.2,
                             .qdd_max = 300.0,
                             .tau_max = 1.4,
                             .temp_max_c = 70.0};
    memcpy(j->name, name, strlen(name) + 1);
    r->n_joints++;
}

static const struct slot_kind *slot_named(const char *name)
{
    int i = 0;
    while (strcmp(slot_kinds[i].name, name) != 0) {
        i++;
    }
    return &slot_kinds[i];
}

static const struct reward_kind *reward_named(const char *name)
{
    int i = 0;
    while (strcmp(reward_kinds[i].name, name) != 0) {
        i++;
    }
    return &reward_kinds[i];
}

/* A crawler as its robot file describes it, as far as gaits are concerned. */
static struct config *crawler(struct arena *mem)
{
    struct config *c = arena_take(mem, sizeof *c);
    struct robot *r = &c->robot;
    add_joint(r, "arm", -30.0, 30.0);
    add_joint(r, "hand", -150.0, 0.0);
    add_joint(r, "odometer", 0.0, 0.0);
    r->n_buses = 1;
    r->bus[0].reply_deadline_us = 3000;
    r->control_rate_hz = 100.0;
    r->policy_rate_hz = 20.0;
    c->sim = sim_find("crawler");
    c->sim_config = arena_take(mem, c->sim->config_bytes);
    option_defaults(c->sim->options, c->sim_config);
    c->sim_settings.substep_us = 1000;
    option_defaults(safety_options, &c->safety);
    option_defaults(task_options, &c->task.settings);
    c->task.settings.travel_radius_m = 0.02;
    memcpy(c->task.settings.travel_joint, "odometer", sizeof "odometer");
    c->task.n_slots = 1;
    c->task.slot[0] = (struct slot){.kind = slot_named("last_action"), .term = {.scale = 1.0}};
    c->task.n_rewards = 1;
    c->task.reward[0] =
        (struct reward){.kind = reward_named("forward"),
                        .term = {.joint = "odometer", .weight = 1.0, .radius_m = 0.02}};
    return c;
}

static void *course(struct arena *mem)
{
    struct course *k = NULL;
    char text[WHY_CHARS];
    assert_int_equal(arena_open(mem, "gait", 8 << 20), 0);
    assert_int_equal(course_open(&k, crawler(mem), TRIAL_S, mem, text, sizeof text), 0);
    assert_int_equal(course_n_act(k), 2);
    return k;
}

static void an_action_is_a_clipped_fourier_sum(void **state)
{
    (void)state;
    const struct gait g = {
        .n_act = 2, .period_s = 0.5, .coef = {{0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.4}, {3.0}}};
    float act[2];
    gait_act(&g, 0.0, act);
    assert_true(fabs((double)act[0] - 0.3) < 1e-6);
    assert_true(act[1] == 1.0f);
    gait_act(&g, 0.125, act); /* a quarter: cos 0, sin 1, third sine -1 */
    assert_true(fabs((double)act[0] - (0.1 + 0.3 - 0.4)) < 1e-6);
    float later[2];
    gait_act(&g, 0.625, later);
    assert_true(fabsf(later[0] - act[0]) < 1e-6f);
}

/* A hill with a known top: period 0.8 s, first sine of action 0 at 0.5, all else 0. */
static void hill(void *self, const struct gait *g, struct gait_result *ret_result)
{
    int *trials = self;
    double d = 4.0 * (g->period_s - 0.8) * (g->period_s - 0.8);
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
    gait_search_defaults(&spec);
    assert_int_equal(arena_open(&mem, "gait", 1 << 20), 0);
    for (int i = 0; i < 2; i++) {
        struct rng r;
        rng_seed(&r, 3);
        gait_find(&spec, 2, &mem, &r, hill, &trials[i], &g[i], &found[i]);
    }
    assert_true(found[0].return_per_s > -0.01);
    assert_true(fabs(g[0].period_s - 0.8) < 0.03 && fabs(g[0].coef[0][2] - 0.5) < 0.1);
    assert_memory_equal(&g[0], &g[1], sizeof g[0]);
    assert_int_equal(trials[0],
                     spec.population * (spec.islands * spec.generations + spec.refinements));
    arena_close(&mem);
}

static void the_course_is_the_same_every_time_and_pays_the_way(void **state)
{
    (void)state;
    struct arena mem;
    void *k = course(&mem);
    struct gait_result a, b, still;
    struct gait rest = {.n_act = 2, .period_s = 1.0};
    course_run(k, &best_known, &a);
    course_run(k, &rest, &still);
    course_run(k, &best_known, &b);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(fabs(a.return_per_s - a.speed_m_s) <
                1e-9); /* the only term is the way, at 1 per metre */
    assert_true(fabs(still.speed_m_s) < 1e-6);
    arena_close(&mem);
}

static void the_best_known_gait_is_still_as_fast_and_within_the_bound(void **state)
{
    (void)state;
    const struct crawler_reach reach = {-30.0 * DEGREE, 30.0 * DEGREE, -150.0 * DEGREE, 0.0, true};
    struct arena mem;
    struct gait_result r;
    course_run(course(&mem), &best_known, &r);
    const double bound = crawler_speed_bound_m_s(&shape, &reach, 5.0);
    assert_true(fabs(r.speed_m_s / best_known_speed_m_s - 1.0) < 0.02);
    assert_true(r.speed_m_s >= 0.5 * bound && r.speed_m_s <= bound);
    arena_close(&mem);
}

static void a_short_search_comes_near_the_best_known(void **state)
{
    (void)state;
    struct gait_search spec;
    struct gait g;
    struct gait_result found;
    struct arena mem;
    struct rng r;
    void *k = course(&mem);
    gait_search_defaults(&spec);
    spec.islands = 1;
    spec.period_min_s = 0.4;
    spec.period_max_s = 0.6;
    spec.generations = 15;
    spec.refinements = 5;
    rng_seed(&r, 1);
    gait_find(&spec, 2, &mem, &r, course_run, k, &g, &found);
    assert_true(found.speed_m_s > 0.85 * best_known_speed_m_s);
    assert_true(found.speed_m_s <
                1.05 * best_known_speed_m_s); /* else the stored one is not the best known */
    arena_close(&mem);
}

static void a_course_without_an_odometer_is_refused(void **state)
{
    (void)state;
    struct arena mem;
    struct course *k = NULL;
    char text[WHY_CHARS] = "";
    assert_int_equal(arena_open(&mem, "gait", 8 << 20), 0);
    struct config *c = crawler(&mem);
    c->task.settings.travel_radius_m = 0.0;
    assert_int_equal(course_open(&k, c, TRIAL_S, &mem, text, sizeof text), -EINVAL);
    assert_null(k);
    assert_non_null(strstr(text, "travel_radius_m"));
    arena_close(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_is_a_clipped_fourier_sum),
        cmocka_unit_test(the_search_climbs_a_hill_and_repeats),
        cmocka_unit_test(the_course_is_the_same_every_time_and_pays_the_way),
        cmocka_unit_test(the_best_known_gait_is_still_as_fast_and_within_the_bound),
        cmocka_unit_test(a_short_search_comes_near_the_best_known),
        cmocka_unit_test(a_course_without_an_odometer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
