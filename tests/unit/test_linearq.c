/*
 * Linear Q-learning and least squares: features by hand, one-hot features against a table, worlds
 * whose values are known, and where it is known to diverge.
 */
#include "tests/unit/lesson_fixture.h"

#include "policies/features.h"
#include "policies/lstdq.h"
#include "tests/unit/policy_fixture.h"

#define CRAWLER ROBOT("crawler-grid")
#define GRID    ROBOT("gridworld")

static struct lesson x;

/* --- features --- */

static const struct bins_settings three_by_two = {
    .n_bins = 2, .bins = {3, 2}, .n_min = 2, .min = {-1, 0}, .n_max = 2, .max = {2, 4}};

static void make(const struct features_settings *c, struct features *ret_f)
{
    char reason[WHY_CHARS] = "";
    if (features_make(c, 2, 1000, ret_f, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

static void one_hot_features_are_the_cell(void **state)
{
    (void)state;
    static struct active a;
    struct features f;
    const float obs[] = {1.5f, 1.0f};
    make(&(struct features_settings){.kind = FEATURES_ONE_HOT, .bins = three_by_two}, &f);
    features_of(&f, obs, &a);
    assert_int_equal(f.n, 6);
    assert_true(a.n == 1 && a.index[0] == 4 && a.value[0] == 1.0);
}

/* Each grid has one tile more than bins; the second is shifted by a half of both, for its odd
 * multiples 1 and 3 are alike there. */
static void tiles_are_shifted_grids(void **state)
{
    (void)state;
    static struct active a;
    struct features f;
    const struct features_settings c = {
        .kind = FEATURES_TILES, .n_tilings = 2, .bins = three_by_two};

    static const struct {
        float obs[2];
        int tile[2]; /* of 4 x 3 */
    } cases[] = {
        {{-1.0f, 0.0f}, {0, 12 + 0}},  {{-0.4f, 0.0f}, {0, 12 + 3}},  {{0.4f, 0.0f}, {3, 12 + 3}},
        {{0.4f, 1.5f}, {3, 12 + 4}},   {{2.0f, 4.0f}, {11, 12 + 11}}, {{9.0f, 9.0f}, {11, 12 + 11}},
        {{-9.0f, -9.0f}, {0, 12 + 0}},
    };

    make(&c, &f);
    assert_int_equal(f.n, 2 * 4 * 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        features_of(&f, cases[i].obs, &a);
        assert_int_equal(a.n, 2);
        for (int t = 0; t < 2; t++) {
            assert_int_equal(a.index[t], cases[i].tile[t]);
            assert_true(a.value[t] == 1.0);
        }
    }
}

static void polynomials_are_all_products(void **state)
{
    (void)state;
    static struct active a;
    struct features f;
    const float obs[] = {1.25f, 1.0f}; /* 0.5 and -0.5 of -1 .. 1 */
    make(
        &(struct features_settings){.kind = FEATURES_POLYNOMIAL, .degree = 2, .bins = three_by_two},
        &f);
    assert_int_equal(f.n, 9);
    features_of(&f, obs, &a);
    static const double want[] = {1, .5, .25, -.5, -.25, -.125, .25, .125, .0625};
    assert_int_equal(a.n, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(a.index[i], i);
        assert_near(a.value[i], want[i], 1e-15);
    }
}

static void hills_stand_in_the_middle_of_cells(void **state)
{
    (void)state;
    static struct active a;
    struct features f;
    const float obs[] = {0.5f, 1.0f}; /* the middle of cell 1, 0 */
    make(&(struct features_settings){.kind = FEATURES_RADIAL,
                                     .radial_width = 2,
                                     .bins = three_by_two},
         &f);
    assert_int_equal(f.n, 6);
    features_of(&f, obs, &a);
    static const double distance2[] = {1, 2, 0, 1, 1, 2};
    for (int i = 0; i < 6; i++) {
        assert_near(a.value[i], exp(-distance2[i] / 8), 1e-15);
    }
}

/* By the keys of a robot file: one step from weights of 0 for a reward of 1 moves them by rate
 * phi(s), or where they are tiles by rate / n_tilings each. */
static void keys_reach_the_features(void **state)
{
    (void)state;
    static const struct dims d = {.n_obs = 2, .n_act = 1, .n_choices = 1, .batch = 1, .seg_len = 1};
    static struct learner_fixture l;
    const float s[] = {0.5f, 1.0f}, zero[1] = {0}, one[1] = {1}; /* the middle of cell 1, 0 */
    static const double distance2[] = {1, 2, 0, 1, 1, 2};
    struct stats stats;
    for (int k = 0; k < 2; k++) {
        const bool tiles = k == 0;
        const struct setting settings[] = {{"features", tiles ? "tiles" : "radial"},
                                           {"n_tilings", "3"},
                                           {"radial_width", "2"},
                                           {"bins", "[3, 2]"},
                                           {"bins_min", "[-1, 0]"},
                                           {"bins_max", "[2, 4]"},
                                           {"learning_rate", "0.5"},
                                           {NULL, NULL}};
        const struct batch b = {
            .n = 1, .seg_len = 1, .s = s, .a = zero, .r = one, .s2 = s, .g = zero, .w = one};
        learner_make(&l, policy_find("linearq"), &d, settings, 1);
        const struct tensor *w = learner_tensor(&l, "w");
        const double *v = w->data;
        l.policy->update(l.self, &b, &stats);
        assert_int_equal(w->dim[1], tiles ? 3 * 4 * 3 : 6);
        double sum = 0.0;
        for (int i = 0; i < w->dim[1]; i++) {
            assert_true(tiles || fabs(v[i] - 0.5 * exp(-distance2[i] / 8)) < 1e-12);
            sum += v[i];
        }
        assert_true(!tiles || fabs(sum - 0.5) < 1e-12);
        learner_free(&l);
    }
}

/* Of one row for ever, A = 1 and b = r: w = r / (1 + ridge). */
static void a_ridge_shortens_what_is_solved(void **state)
{
    (void)state;
    static const struct dims d = {.n_obs = 1, .n_act = 1, .n_choices = 1, .batch = 1, .seg_len = 1};
    static struct learner_fixture l;
    const float zero[1] = {0}, one[1] = {1};
    const struct setting settings[] = {
        {"solver", "lspi"}, {"features", "one_hot"}, {"bins", "[1]"}, {"bins_min", "[]"},
        {"bins_max", "[]"}, {"ridge", "0.25"},       {NULL, NULL}};
    const struct batch b = {.n = 1,
                            .seg_len = 1,
                            .sweep_end = true,
                            .s = zero,
                            .a = zero,
                            .r = one,
                            .s2 = zero,
                            .g = zero,
                            .w = one};
    struct stats stats;
    learner_make(&l, policy_find("linearq"), &d, settings, 1);
    l.policy->update(l.self, &b, &stats);
    assert_near(*(double *)learner_tensor(&l, "w")->data, 0.8, 1e-12);
    learner_free(&l);
}

/* --- a table is a special case --- */

/* 14.2: linear with one-hot features equals the table, bit for bit, and so acts alike. */
static void one_hot_is_the_table_bit_for_bit_14_2(void **state)
{
    (void)state;
    static const char *const linear[] = {"policy.kind=linearq", "policy.features=one_hot",
                                         "policy.experience_replay=false", NULL};
    static const char *const table[] = {"policy.kind=qtable", NULL};
    static struct lesson y;
    lesson_open(&x, CRAWLER, linear, 7);
    lesson_open(&y, CRAWLER, table, 7);
    lesson_go_on(&x, 20000);
    lesson_go_on(&y, 20000);
    const double *w = lesson_tensor(&x, "w"), *q = lesson_tensor(&y, "q");
    int learnt = 0;
    for (int i = 0; i < 117; i++) {
        for (int a = 0; a < 4; a++) {
            assert_memory_equal(&w[a * 117 + i], &q[i * 4 + a], sizeof *q);
            learnt += q[i * 4 + a] != 0.0;
        }
    }
    assert_true(learnt > 100);
    lesson_close(&x);
    lesson_close(&y);
}

/* --- least squares --- */

/* Values [cells, choices] out of weights [choices, cells]. */
static void turn(const double *w, double *ret_q)
{
    for (int i = 0; i < 117; i++) {
        for (int a = 0; a < 4; a++) {
            ret_q[i * 4 + a] = w[a * 117 + i];
        }
    }
}

/* Policy iteration needs few passes to what Q-learning needs many steps for. */
static void policy_iteration_reaches_the_values_of_the_crawler(void **state)
{
    (void)state;
    static double q[117 * 4];
    const char *const sets[] = {"policy.kind=linearq",
                                "policy.solver=lspi",
                                "policy.features=one_hot",
                                "policy.exploration_initial_eps=1",
                                "policy.exploration_final_eps=1",
                                "learner.learning_starts=40000",
                                "learner.train_freq=1",
                                "learner.gradient_steps=1",
                                "learner.batch_size=500",
                                NULL};
    lesson_open(&x, CRAWLER, sets, 1);
    (void)lesson_solve(&x, SOLVE_MAX, 0);
    for (int pass = 1; pass <= 8; pass++) {
        lesson_go_on(&x, 40000 + pass);
        turn(lesson_tensor(&x, "w"), q);
        print_message("least squares, pass %d of 40,000 steps: %.2g from its values\n", pass,
                      lesson_error(&x, q));
    }
    assert_int_equal(x.ride->house.learner.counters[LEARNER_UPDATES], 8);
    assert_true(lesson_error(&x, q) < 1e-3);
    assert_int_equal(*(int64_t *)lesson_tensor(&x, "singular"), 0);
    lesson_close(&x);
}

/* --- Baird's counterexample --- */

/*
 * Sutton and Barto, section 11.2: seven states whose features share a weight, every one leads to
 * the seventh, nothing is paid: all values are 0, and the features can say so. All states are
 * learnt from alike, which the policy would not visit alike.
 */
struct baird {
    struct learner_fixture l;
    float s[7][8], s2[7][8], zero[7], one[7], discount[7];
    struct batch b;
};

static void baird_make(struct baird *z, const char *solver)
{
    static const struct dims d = {.n_obs = 8, .n_act = 1, .n_choices = 1, .batch = 7, .seg_len = 1};
    const struct setting settings[] = {{"features", "identity"},
                                       {"learning_rate", "0.01"},
                                       {"solver", solver},
                                       {"ridge", "1e-9"},
                                       {NULL, NULL}};
    memset(z, 0, sizeof *z);
    learner_make(&z->l, policy_find("linearq"), &d, settings, 1);
    for (int i = 0; i < 7; i++) {
        z->s[i][i] = i < 6 ? 2.0f : 1.0f;
        z->s[i][7] = i < 6 ? 1.0f : 2.0f;
        z->one[i] = 1.0f;
        z->discount[i] = 0.99f;
    }
    for (int i = 0; i < 7; i++) {
        memcpy(z->s2[i], z->s[6], sizeof z->s[6]);
    }
    z->b = (struct batch){.n = 7,
                          .seg_len = 1,
                          .sweep_end = true,
                          .s = z->s[0],
                          .a = z->zero,
                          .r = z->zero,
                          .s2 = z->s2[0],
                          .g = z->discount,
                          .w = z->one};
    double *w = learner_tensor(&z->l, "w")->data;
    for (int i = 0; i < 8; i++) {
        w[i] = i == 6 ? 10.0 : 1.0;
    }
}

static double largest(const double *w)
{
    double most = 0.0;
    for (int i = 0; i < 8; i++) {
        most = fmax(most, fabs(w[i]));
    }
    return most;
}

static void bairds_counterexample_diverges_14_2(void **state)
{
    (void)state;
    static struct baird z;
    struct stats stats;
    baird_make(&z, "td");
    const double *w = learner_tensor(&z.l, "w")->data;
    double before = largest(w);
    for (int k = 1; k <= 5; k++) {
        for (int sweep = 0; sweep < 1000; sweep++) {
            z.l.policy->update(z.l.self, &z.b, &stats);
        }
        print_message("Baird's counterexample after %d sweeps: a weight of %.3g\n", k * 1000,
                      largest(w));
        assert_true(largest(w) > 2.0 * before);
        before = largest(w);
    }
    learner_free(&z.l);
}

/* On-policy, where the seventh state is all that is visited, the same steps converge; and least
 * squares do off-policy. */
static void what_diverges_is_the_combination(void **state)
{
    (void)state;
    static struct baird z;
    struct stats stats;
    baird_make(&z, "td");
    z.b.s = z.s[6];
    z.b.n = 1;
    const double *w = learner_tensor(&z.l, "w")->data;
    for (int t = 0; t < 100000; t++) {
        z.l.policy->update(z.l.self, &z.b, &stats);
    }
    assert_near(w[6] + 2.0 * w[7], 0.0, 1e-6);
    learner_free(&z.l);
    baird_make(&z, "lspi");
    w = learner_tensor(&z.l, "w")->data;
    z.l.policy->update(z.l.self, &z.b, &stats);
    assert_near(largest(w), 0.0, 1e-9);
    learner_free(&z.l);
}

/* Two states in a ring, by hand: V(0) = 1 + 0.5 V(1), V(1) = 2 + 0.5 V(0). */
static void least_squares_solve_a_ring(void **state)
{
    (void)state;
    struct arena mem;
    struct lstdq z;
    const struct active at[2] = {{.n = 1, .index = {0}, .value = {1}},
                                 {.n = 1, .index = {1}, .value = {1}}};
    double w[2] = {7, 7}, change = 0.0;
    assert_int_equal(arena_open(&mem, "lstdq", (size_t)1 << 20), 0);
    lstdq_init(&z, 2, &mem);
    lstdq_add(&z, (struct phi){&at[0], 0}, (struct phi){&at[1], 0}, 1.0, 0.5, 3.0);
    assert_true(lstdq_solve(&z, 0.0, w, &change) < 0); /* of state 1 nothing is known */
    assert_true(w[0] == 7.0 && w[1] == 7.0);
    lstdq_add(&z, (struct phi){&at[0], 0}, (struct phi){&at[1], 0}, 1.0, 0.5, 3.0);
    lstdq_add(&z, (struct phi){&at[1], 0}, (struct phi){&at[0], 0}, 2.0, 0.5, 1.0);
    assert_int_equal(lstdq_solve(&z, 0.0, w, &change), 0);
    assert_near(w[0], 8.0 / 3.0, 1e-12);
    assert_near(w[1], 10.0 / 3.0, 1e-12);
    assert_near(change, 7.0 - 8.0 / 3.0, 1e-12);
    arena_close(&mem);
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;

    static const struct {
        const char *const sets[4];
        const char *says;
    } cases[] = {
        {{"policy.features=radial", "policy.bins=[30]"}, "radial of 2 observations are more than"},
        {{"policy.features=polynomial", "policy.degree=16", "policy.solver=lspi"},
         "polynomial of 2 observations are more than 256"},
        {{"policy.solver=lspi", "policy.bins=[40]"}, "tiles of 2 observations are more than 256"},
        {{"policy.features=one_hot", "policy.bins=[9,13,1]"}, "policy.bins has 3 numbers"},
        {{"policy.backup=soft"}, "policy.backup soft needs an ent_coef above 0"},
    };

    static struct config c;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *sets[6] = {"policy.kind=linearq"};
        char reason[WHY_CHARS] = "";
        struct arena mem;
        memcpy(sets + 1, cases[i].sets, sizeof cases[i].sets);
        assert_int_equal(arena_open(&mem, "config", (size_t)64 << 20), 0);
        assert_true(config_load(&c, CRAWLER, sets, count_sets(sets), &mem, reason, sizeof reason) <
                    0);
        if (strstr(reason, cases[i].says) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", reason, cases[i].says);
        }
        arena_close(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_hot_features_are_the_cell),
        cmocka_unit_test(tiles_are_shifted_grids),
        cmocka_unit_test(polynomials_are_all_products),
        cmocka_unit_test(hills_stand_in_the_middle_of_cells),
        cmocka_unit_test(keys_reach_the_features),
        cmocka_unit_test(a_ridge_shortens_what_is_solved),
        cmocka_unit_test(one_hot_is_the_table_bit_for_bit_14_2),
        cmocka_unit_test(policy_iteration_reaches_the_values_of_the_crawler),
        cmocka_unit_test(bairds_counterexample_diverges_14_2),
        cmocka_unit_test(what_diverges_is_the_combination),
        cmocka_unit_test(least_squares_solve_a_ring),
        cmocka_unit_test(what_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
