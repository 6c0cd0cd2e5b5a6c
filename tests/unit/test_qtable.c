/*
 * Tabular methods through the daemon's loop and learner, on worlds whose values are known: oracles
 * 14.2 and 14.3 of algorithms.md, the tables of environments.md 2.4 and 3.1. What is printed says
 * how near they come.
 */
#include "tests/unit/grid_values.h"
#include "tests/unit/lesson_fixture.h"

#include "policies/table.h"
#include "tests/unit/policy_fixture.h"

#include <stdio.h>

#define CRAWLER ROBOT("crawler-grid")
#define GRID    ROBOT("gridworld")

static struct lesson x;

/* --- value iteration --- */

/* 14.2, 14.3: every grid of 3.1, hard and soft; each step is a sweep. */
static void sweeps_reach_the_values_of_the_grids_14_2(void **state)
{
    (void)state;
    double worst = 0.0;
    for (size_t i = 0; i < GRIDS_N; i++) {
        const struct grid_values *g = &grid_values[i];
        char text[7][48];
        const char *sets[8] = {NULL};
        const bool soft = g->alpha > 0.0;
        (void)snprintf(text[0], sizeof text[0], "sim.layout=%s", g->layout);
        (void)snprintf(text[1], sizeof text[1], "sim.slip=%s", g->noise);
        (void)snprintf(text[2], sizeof text[2], "sim.living_reward=%s", g->living_reward);
        (void)snprintf(text[3], sizeof text[3], "policy.bins=[%d]", g->cells);
        (void)snprintf(text[4], sizeof text[4], "learner.gamma=%g", g->gamma);
        (void)snprintf(text[5], sizeof text[5], "policy.backup=%s", soft ? "soft" : "max");
        (void)snprintf(text[6], sizeof text[6], "policy.ent_coef=%g", g->alpha);
        for (int k = 0; k < 7; k++) {
            sets[k] = text[k];
        }
        const char *with[9] = {"policy.solver=value_iteration"};
        memcpy(with + 1, sets, sizeof sets);
        lesson_open(&x, GRID, with, 1);
        lesson_go_on(&x, 400);
        (void)lesson_solve(&x, soft ? SOLVE_SOFT : SOLVE_MAX, g->alpha);
        const double error = lesson_error(&x, lesson_tensor(&x, "q"));
        assert_true(error < 1e-6);
        worst = fmax(worst, error);
        lesson_close(&x);
    }
    print_message("value iteration on 15 grids: %.2g from their values\n", worst);
}

/* 14.2, 14.3: the crawler of 2.4. */
static void sweeps_reach_the_values_of_the_crawler_14_2(void **state)
{
    (void)state;

    static const struct {
        const char *gamma, *backup, *ent_coef;
        enum solution solution;
        double parameter, start; /* V(4,6) of 2.4 */
    } cases[] = {
        {"learner.gamma=0.8", "policy.backup=max", "policy.ent_coef=0", SOLVE_MAX, 0, 24.254128},
        {"learner.gamma=0.9", "policy.backup=max", "policy.ent_coef=0", SOLVE_MAX, 0, 40.282273},
        {"learner.gamma=0.9", "policy.backup=soft", "policy.ent_coef=0.1", SOLVE_SOFT, 0.1,
         40.312227},
        {"learner.gamma=0.9", "policy.backup=soft", "policy.ent_coef=1", SOLVE_SOFT, 1, 42.269445},
        {"learner.gamma=0.9", "policy.backup=soft", "policy.ent_coef=5", SOLVE_SOFT, 5, 79.260467},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const sets[] = {"policy.solver=value_iteration", cases[i].gamma,
                                    cases[i].backup, cases[i].ent_coef, NULL};
        lesson_open(&x, CRAWLER, sets, 1);
        lesson_go_on(&x, 300);
        const struct mdp *m = lesson_solve(&x, cases[i].solution, cases[i].parameter);
        assert_near(m->v[4 * 13 + 6], cases[i].start, 1e-6);
        const double error = lesson_error(&x, lesson_tensor(&x, "q"));
        print_message("value iteration on the crawler, %s, %s: %.2g from its values\n",
                      cases[i].backup, cases[i].ent_coef, error);
        assert_true(error < 1e-6);
        lesson_close(&x);
    }
}

/* environments.md 3.1: after exactly five sweeps, each from the table of the one before. */
static void five_sweeps_are_those_of_3_1(void **state)
{
    (void)state;
    static const double five[] = {0,     .2221, .3698, .1321, .2687, NO,
                                  .5532, -1,    .5076, .7155, .8409, 1};
    const char *const sets[] = {"policy.solver=value_iteration", NULL};
    lesson_open(&x, GRID, sets, 1);
    lesson_go_on(&x, 5);
    assert_int_equal(x.ride->house.learner.counters[LEARNER_UPDATES], 5);
    const double *q = lesson_tensor(&x, "q");
    const struct mdp *m = lesson_solve(&x, SOLVE_MAX, 0);
    const struct backup hard = {.kind = BACKUP_MAX};
    for (int i = 0; i < 12; i++) {
        if (five[i] != NO) {
            const double v = backup_value(&hard, q + (ptrdiff_t)i * 5, 5, m->legal[i]);
            assert_near(v, five[i], 5e-5);
        }
    }
    lesson_close(&x);
}

/* 14.2: two arbitrary tables come nearer by gamma with each sweep. */
static void a_sweep_is_a_contraction_14_2(void **state)
{
    (void)state;
    static const char *const backups[] = {"policy.backup=max", "policy.backup=soft",
                                          "policy.backup=expected"};
    static double a[117 * 4], b[117 * 4];
    struct rng rng;
    struct stats stats;
    rng_seed(&rng, 3);
    for (int k = 0; k < 3; k++) {
        const char *const sets[] = {"policy.solver=value_iteration", backups[k],
                                    "policy.ent_coef=2", NULL};
        lesson_open(&x, CRAWLER, sets, 1);
        struct learner *l = &x.ride->house.learner;
        double *q = lesson_tensor(&x, "q"), before = 0.0;
        for (int i = 0; i < 117 * 4; i++) {
            a[i] = 50.0 * rng_normal(&rng);
            b[i] = 50.0 * rng_normal(&rng);
            before = fmax(before, fabs(a[i] - b[i]));
        }
        for (int t = 0; t < 20; t++) {
            double after = 0.0;
            memcpy(q, a, sizeof a);
            l->policy->update(l->self, &l->model->batch, &stats);
            memcpy(a, q, sizeof a);
            memcpy(q, b, sizeof b);
            l->policy->update(l->self, &l->model->batch, &stats);
            memcpy(b, q, sizeof b);
            for (int i = 0; i < 117 * 4; i++) {
                const bool legal = ((int64_t *)lesson_tensor(&x, "visits"))[i] > 0;
                after = legal ? fmax(after, fabs(a[i] - b[i])) : after;
            }
            assert_true(after <= 0.9 * before * (1.0 + 1e-6));
            assert_true(after > 0.0);
            before = after;
        }
        lesson_close(&x);
    }
}

/* --- learning by what happens --- */

/* 14.2: 100,000 steps at random; each transition once, in order, and as the replay's batches. */
static void q_learning_reaches_the_values_of_the_crawler_14_2(void **state)
{
    (void)state;

    static const struct {
        const char *how, *backup;
        enum solution solution;
        double parameter;
        int64_t steps;
    } cases[] = {
        {"policy.experience_replay=false", "policy.backup=max", SOLVE_MAX, 0, 100000},
        {"policy.experience_replay=true", "policy.backup=max", SOLVE_MAX, 0, 20000},
        {"policy.experience_replay=false", "policy.backup=soft", SOLVE_SOFT, 1, 100000},
        {"policy.experience_replay=false", "policy.backup=expected", SOLVE_EXPECTED, 1, 100000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bool soft = cases[i].solution == SOLVE_SOFT;
        const char *const sets[] = {cases[i].how,
                                    cases[i].backup,
                                    "policy.exploration_initial_eps=1",
                                    "policy.exploration_final_eps=1",
                                    soft ? "policy.ent_coef=1" : "policy.ent_coef=0",
                                    "learner.batch_size=8",
                                    NULL};
        lesson_open(&x, CRAWLER, sets, 1);
        lesson_go_on(&x, cases[i].steps);
        (void)lesson_solve(&x, cases[i].solution, cases[i].parameter);
        const double error = lesson_error(&x, lesson_tensor(&x, "q"));
        print_message("Q-learning, %s, %s, %d steps: %.2g from its values\n", cases[i].how,
                      cases[i].backup, (int)cases[i].steps, error);
        assert_true(error < 1e-3);
        lesson_close(&x);
    }
}

/* Each transition was learnt from once: visits add up to the steps but for the newest. */
static void each_step_counts_once(void **state)
{
    (void)state;
    const char *const sets[] = {"learner.publish_every=10", NULL};
    lesson_open(&x, CRAWLER, sets, 2);
    lesson_go_on(&x, 3000);
    const int64_t *visits = lesson_tensor(&x, "visits");
    int64_t sum = 0;
    for (int i = 0; i < 117 * 4; i++) {
        sum += visits[i];
    }
    assert_int_equal(sum, 3000);
    lesson_close(&x);
}

/* Where there is chance, rates must fall (Robbins and Monro); one that does not stays off. */
static void falling_rates_converge_where_there_is_chance(void **state)
{
    (void)state;
    double error[2];
    for (int i = 0; i < 2; i++) {
        const char *const sets[] = {
            i == 0 ? "policy.learning_rate_omega=0.7" : "policy.learning_rate_omega=0",
            i == 0 ? "policy.learning_rate=1" : "policy.learning_rate=0.5",
            "policy.exploration_initial_eps=1", "policy.exploration_final_eps=1", NULL};
        lesson_open(&x, GRID, sets, 1);
        lesson_go_on(&x, 400000);
        (void)lesson_solve(&x, SOLVE_MAX, 0);
        error[i] = lesson_error(&x, lesson_tensor(&x, "q"));
        lesson_close(&x);
    }
    print_message("BookGrid by 400,000 steps: %.2g from its values; at a constant rate %.2g\n",
                  error[0], error[1]);
    assert_true(error[0] < 0.05);
    assert_true(error[1] > 0.1);
}

static const struct {
    const char *kind, *backup;
    bool of_who_acts;
} sarsas[] = {{"policy.kind=sarsa", NULL, true},
              {"policy.kind=qtable", "policy.backup=expected", true},
              {"policy.kind=qtable", "policy.backup=max", false}};

#define SARSAS_N 3

static const char *name_of(size_t i)
{
    return sarsas[i].backup != NULL ? sarsas[i].backup : sarsas[i].kind;
}

/* Sarsa and Expected Sarsa learn what the policy that acts is worth, here one that acts at random;
 * Q-learning what the best one is. */
static void sarsa_learns_of_the_policy_that_acts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SARSAS_N; i++) {
        const char *const sets[] = {"policy.learning_rate=1",
                                    "policy.learning_rate_omega=0.7",
                                    "policy.exploration_initial_eps=1",
                                    "policy.exploration_final_eps=1",
                                    sarsas[i].kind,
                                    sarsas[i].backup,
                                    NULL};
        double error[2];
        lesson_open(&x, GRID, sets, 1);
        lesson_go_on(&x, 400000);
        for (int k = 0; k < 2; k++) {
            (void)lesson_solve(&x, k == 0 ? SOLVE_EXPECTED : SOLVE_MAX, 1.0);
            error[k] = lesson_error(&x, lesson_tensor(&x, "q"));
        }
        print_message("BookGrid at random, %s: %.2g from the random policy's values, %.2g from the "
                      "best one's\n",
                      name_of(i), error[0], error[1]);
        assert_true(error[sarsas[i].of_who_acts ? 0 : 1] < 0.05);
        assert_true(error[sarsas[i].of_who_acts ? 1 : 0] > 0.5);
        lesson_close(&x);
    }
}

/* Sutton and Barto, example 6.6: who explores and knows it keeps away from the cliff. */
static void sarsa_keeps_away_from_the_cliff(void **state)
{
    (void)state;
    for (size_t i = 0; i < SARSAS_N; i++) {
        const char *const sets[] = {"sim.layout=cliff",
                                    "sim.slip=0",
                                    "policy.bins=[15]",
                                    "policy.exploration_initial_eps=0.2",
                                    "policy.exploration_final_eps=0.2",
                                    "policy.learning_rate=1",
                                    "policy.learning_rate_omega=0.7",
                                    sarsas[i].kind,
                                    sarsas[i].backup,
                                    NULL};
        lesson_open(&x, GRID, sets, 1);
        lesson_go_on(&x, 100000);
        const double *q = lesson_tensor(&x, "q");
        const double north = q[5 * 5], east = q[5 * 5 + 2];
        print_message("at the cliff, %s: north %.2f, east along it %.2f\n", name_of(i), north,
                      east);
        assert_true(sarsas[i].of_who_acts ? north > east + 1.0 : east > north + 1.0);
        lesson_close(&x);
    }
}

/* --- by hand-made transitions --- */

/* 14.3: Q = (1, 2, .5); the entropy by its identity. */
static void a_soft_value_is_that_of_14_3(void **state)
{
    (void)state;
    const double q[] = {1, 2, 99, .5};
    const uint64_t legal = 1 | 2 | 8;
    static const double alpha[] = {.01, .1, 1, 10};
    static const double v[] = {2.0, 2.0000045705, 2.4643687841, 12.1723786488};
    static const double pi[] = {.2312239, .62853172, 0, .14024438};
    for (int i = 0; i < 4; i++) {
        const struct backup b = {.kind = BACKUP_SOFT, .alpha = alpha[i]};
        assert_near(backup_value(&b, q, 4, legal), v[i], 1e-9);
    }
    double mean = 0.0;
    for (int a = 0; a < 4; a++) {
        mean += pi[a] * q[a];
    }
    assert_near(mean + .90595926, v[2], 1e-7);
    const struct backup expected = {.kind = BACKUP_EXPECTED, .epsilon = 0.3};
    assert_near(backup_value(&expected, q, 4, legal), 0.7 * 2 + 0.3 * 3.5 / 3, 1e-12);
}

/* Two updates by hand: y = 1 + 0.5 Q(1, 1), then a terminal one; the k-th step by k^-0.75. */
static void a_sarsa_update_is_the_books(void **state)
{
    (void)state;
    static const struct dims d = {.n_obs = 1, .n_act = 1, .n_choices = 2, .batch = 2, .seg_len = 1};
    const struct setting settings[] = {{"bins", "[2]"},
                                       {"bins_min", "[]"},
                                       {"bins_max", "[]"},
                                       {"learning_rate", "1"},
                                       {"learning_rate_omega", "0.75"},
                                       {NULL, NULL}};
    static struct learner_fixture l;
    const float s[] = {0, 0}, a[] = {1, 1}, r[] = {1, 3}, s2[] = {1, 1}, g[] = {0.5f, 0};
    const float a2[] = {1, 0}, w[] = {1, 1};
    struct stats stats;
    learner_make(&l, policy_find("sarsa"), &d, settings, 1);
    double *q = learner_tensor(&l, "q")->data;
    q[2] = 100.0; /* Q(1, 0), the better choice, which was not taken */
    q[3] = 4.0;
    const struct batch b = {
        .n = 2, .seg_len = 1, .s = s, .a = a, .r = r, .s2 = s2, .g = g, .w = w, .a2 = a2};
    l.policy->update(l.self, &b, &stats);
    assert_near(q[1], 3.0, 1e-12); /* 1 + 0.5 x 4, and 3 */
    assert_true(q[0] == 0.0 && q[2] == 100.0 && q[3] == 4.0);
    q[1] = 0.0;
    l.policy->update(l.self, &b, &stats);
    const double third = 3.0 * pow(3.0, -0.75);
    assert_near(q[1], third + (3.0 - third) * pow(4.0, -0.75), 1e-12);
    learner_free(&l);
}

/*
 * Sutton and Barto, example 6.7: left leads to a state whose eight choices are worth -0.1 each,
 * with a deviation of 1. The best of eight noisy values is too high, and left with it; two tables
 * know better.
 */
static double value_of_left(const char *double_q)
{
    enum { CHOICES = 8, RUNS = 200, EPISODES = 300 };

    static const struct dims d = {
        .n_obs = 1, .n_act = 1, .n_choices = CHOICES, .batch = 1, .seg_len = 1};
    const struct setting settings[] = {{"bins", "[2]"},        {"bins_min", "[]"},
                                       {"bins_max", "[]"},     {"learning_rate", "0.1"},
                                       {"double_q", double_q}, {NULL, NULL}};
    static struct learner_fixture l;
    const float zero = 0.0f, one = 1.0f;
    double sum = 0.0;
    struct stats stats;
    for (int run = 0; run < RUNS; run++) {
        struct rng rng;
        float w[2 * CHOICES];
        rng_seed(&rng, (uint64_t)run);
        learner_make(&l, policy_find("qtable"), &d, settings, (uint64_t)run + 1000);
        for (int t = 0; t < EPISODES; t++) {
            const float choice = (float)rng_below(&rng, CHOICES);
            const float r = (float)(rng_normal(&rng) - 0.1);
            struct batch b = {.n = 1,
                              .seg_len = 1,
                              .s = &zero,
                              .a = &zero,
                              .r = &zero,
                              .s2 = &one,
                              .g = &one,
                              .w = &one};
            l.policy->update(l.self, &b, &stats);
            b.s = &one;
            b.a = &choice;
            b.r = &r;
            b.g = &zero;
            l.policy->update(l.self, &b, &stats);
        }
        assert_int_equal(l.policy->save(l.self, w, 2 * CHOICES), 2 * CHOICES);
        sum += (double)w[0];
        learner_free(&l);
    }
    return sum / RUNS;
}

static void two_tables_are_not_too_hopeful_14_9(void **state)
{
    (void)state;
    const double one = value_of_left("false"), two = value_of_left("true");
    print_message("left is worth -0.1: %.3f by one table, %.3f by two\n", one, two);
    assert_true(one > 0.1);
    assert_true(two < 0.0 && two > -0.3);
}

static void bins_cut_where_they_say(void **state)
{
    (void)state;
    char reason[WHY_CHARS];
    struct bins b;
    const struct bins_settings ranges = {
        .n_bins = 2, .bins = {4, 3}, .n_min = 2, .min = {-1, 0}, .n_max = 2, .max = {1, 30}};
    assert_int_equal(bins_make(&ranges, 2, 12, &b, reason, sizeof reason), 0);

    static const struct {
        float obs[2];
        int cell;
    } cases[] = {{{-1, 0}, 0},      {{-0.51f, 9.9f}, 0}, {{-0.5f, 10}, 4},
                 {{0.99f, 29}, 11}, {{1, 30}, 11},       {{77, -5}, 9},
                 {{-77, 99}, 2},    {{0.0f, 20}, 8},     {{NAN, INFINITY}, 2}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(bins_cell(&b, cases[i].obs), cases[i].cell);
    }
    const struct bins_settings numbers = {.n_bins = 1, .bins = {1000}};
    assert_int_equal(bins_make(&numbers, 1, 1000, &b, reason, sizeof reason), 0);
    for (int i = 0; i < 1000; i++) {
        const float obs = (float)i;
        assert_int_equal(bins_cell(&b, &obs), i);
    }
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;

    static const struct {
        const char *const sets[4];
        const char *says;
    } cases[] = {
        {{"policy.bins=[9,13,2]"}, "policy.bins has 3 numbers, the task has 2 observations"},
        {{"policy.bins_min=[0]"}, "policy.bins_min and bins_max must both be given or []"},
        {{"policy.bins_min=[0]", "policy.bins_max=[0]"}, "policy.bins_max 0 of observation 0"},
        {{"policy.bins=[100000]"}, "make 10000000000 cells, 1048576 are possible"},
        {{"policy.learning_rate_omega=0.4"}, "policy.learning_rate_omega 0.4 falls too slowly"},
        {{"policy.backup=soft"}, "policy.backup soft needs an ent_coef above 0"},
        {{"policy.double_q=true", "policy.solver=value_iteration"}, "policy.double_q is for"},
        {{"learner.n_steps=3"}, "learner.n_steps 3 sums rewards"},
    };

    static struct config c;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char reason[WHY_CHARS] = "";
        struct arena mem;
        assert_int_equal(arena_open(&mem, "config", (size_t)64 << 20), 0);
        assert_true(config_load(&c, CRAWLER, cases[i].sets, count_sets(cases[i].sets), &mem, reason,
                                sizeof reason) < 0);
        if (strstr(reason, cases[i].says) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", reason, cases[i].says);
        }
        arena_close(&mem);
    }
}

/* Weights learnt with other cells do not drive: their name says count and range. */
static void other_ranges_are_another_table(void **state)
{
    (void)state;
    static const struct dims d = {.n_obs = 1, .n_act = 1, .n_choices = 2, .batch = 2, .seg_len = 1};
    static const char *const names[] = {"qtable", "sarsa", "linearq"};
    static const char *const keys[] = {"bins_min", "bins_max", "bins"};
    static const char *const values[] = {"[-3]", "[5]", "[9]"};
    for (int i = 0; i < 9; i++) {
        const struct policy *p = policy_find(names[i / 3]);
        void *config = calloc(1, p->config_bytes);
        option_defaults(p->options, config);
        const uint32_t before = policy_net(p, config, &d);
        const struct option *o = option_find(p->options, keys[i % 3]);
        assert_non_null(o);
        assert_int_equal(option_set(o, config, values[i % 3], NULL, 0), 0);
        assert_true(policy_net(p, config, &d) != before);
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_ranges_are_another_table),
        cmocka_unit_test(sweeps_reach_the_values_of_the_grids_14_2),
        cmocka_unit_test(sweeps_reach_the_values_of_the_crawler_14_2),
        cmocka_unit_test(five_sweeps_are_those_of_3_1),
        cmocka_unit_test(a_sweep_is_a_contraction_14_2),
        cmocka_unit_test(q_learning_reaches_the_values_of_the_crawler_14_2),
        cmocka_unit_test(each_step_counts_once),
        cmocka_unit_test(falling_rates_converge_where_there_is_chance),
        cmocka_unit_test(sarsa_learns_of_the_policy_that_acts),
        cmocka_unit_test(sarsa_keeps_away_from_the_cliff),
        cmocka_unit_test(a_soft_value_is_that_of_14_3),
        cmocka_unit_test(a_sarsa_update_is_the_books),
        cmocka_unit_test(two_tables_are_not_too_hopeful_14_9),
        cmocka_unit_test(bins_cut_where_they_say),
        cmocka_unit_test(what_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
