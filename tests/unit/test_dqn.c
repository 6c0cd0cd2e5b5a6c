/*
 * Deep Q-learning on a corridor whose values are known, with each of its switches and with all of
 * them; gone on from a checkpoint it is the same learner; as it acts it keeps to what is legal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/actor_fixture.h"

#include <math.h>

#define CELLS 5 /* right of the last one lies the end, which pays 1 */
#define ROWS  32
#define GAMMA 0.9f

enum { LEFT, RIGHT, FORBIDDEN, CHOICES };

static const struct dims dims = {.n_obs = CELLS,
                                 .n_vector = CELLS,
                                 .n_act = 1,
                                 .n_choices = CHOICES,
                                 .batch = ROWS,
                                 .seg_len = 1,
                                 .policy_rate_hz = 10.0};

#define COMMON                                                                                     \
    {"net_arch", "[32]"}, {"learning_rate", "3e-3"}, {"target_update_interval", "20"},             \
        {"v_min", "-1"}, {"v_max", "2"}, {"n_atoms", "31"},                                        \
    {                                                                                              \
        "n_quantiles", "8"                                                                         \
    }

static const struct setting plain[] = {COMMON, {NULL, NULL}};
static const struct setting twice[] = {COMMON, {"double_q", "true"}, {NULL, NULL}};
static const struct setting duel[] = {COMMON, {"dueling", "true"}, {NULL, NULL}};
static const struct setting c51[] = {COMMON, {"distributional", "c51"}, {NULL, NULL}};
static const struct setting qr[] = {COMMON, {"distributional", "qr"}, {NULL, NULL}};
static const struct setting noisy[] = {COMMON, {"noisy", "true"}, {NULL, NULL}};
static const struct setting rmsprop[] = {COMMON, {"optimizer", "rmsprop"}, {NULL, NULL}};
static const struct setting squares[] = {COMMON, {"loss", "mse"}, {"tau", "0.5"}, {NULL, NULL}};
static const struct setting rainbow[] = {COMMON,
                                         {"double_q", "true"},
                                         {"dueling", "true"},
                                         {"distributional", "c51"},
                                         {"noisy", "true"},
                                         {NULL, NULL}};
static const struct setting rainbow_rmsprop[] = {COMMON,
                                                 {"double_q", "true"},
                                                 {"dueling", "true"},
                                                 {"distributional", "qr"},
                                                 {"noisy", "true"},
                                                 {"optimizer", "rmsprop"},
                                                 {NULL, NULL}};

static const struct setting *const kinds[] = {plain, twice,   duel,    c51,     qr,
                                              noisy, rmsprop, squares, rainbow, rainbow_rmsprop};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

struct rows {
    struct rng rng;
    float s[ROWS * CELLS], s2[ROWS * CELLS], a[ROWS], r[ROWS], g[ROWS], w[ROWS];
    uint64_t legal[ROWS];
    struct batch b;
};

/* Random steps along the corridor. */
static void rows_draw(struct rows *x)
{
    memset(x->s, 0, sizeof x->s);
    memset(x->s2, 0, sizeof x->s2);
    for (int i = 0; i < ROWS; i++) {
        const int cell = (int)rng_below(&x->rng, CELLS), a = (int)rng_below(&x->rng, 2);
        const int next = a == RIGHT ? cell + 1 : cell > 0 ? cell - 1 : 0;
        x->s[i * CELLS + cell] = 1.0f;
        if (next < CELLS) {
            x->s2[i * CELLS + next] = 1.0f;
        }
        x->a[i] = (float)a;
        x->r[i] = next == CELLS ? 1.0f : 0.0f;
        x->g[i] = next == CELLS ? 0.0f : GAMMA;
        x->w[i] = 1.0f;
        x->legal[i] = 3;
    }
    x->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = x->s,
                          .a = x->a,
                          .r = x->r,
                          .s2 = x->s2,
                          .g = x->g,
                          .w = x->w,
                          .legal = x->legal,
                          .legal2 = x->legal};
}

static void update(struct learner_fixture *l, struct rows *x, int n, struct stats *ret_stats)
{
    for (int i = 0; i < n; i++) {
        rows_draw(x);
        l->policy->update(l->self, &x->b, ret_stats);
    }
}

/* Every cell is left to the right, and the mean of the greedy values is (1 + .9 + ... ) / 5. */
static void every_switch_learns_the_corridor(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct rows x;
    const double want = (1 + .9 + .81 + .729 + .6561) / CELLS;
    for (size_t k = 0; k < N_KINDS; k++) {
        struct actor_fixture actor;
        struct stats stats = {0};
        struct rng rng;
        rng_seed(&x.rng, 3);
        rng_seed(&rng, 4);
        learner_make(&l, policy_find("dqn"), &dims, kinds[k], 1);
        update(&l, &x, 3000, &stats);
        double mean = 0.0;
        for (int i = 0; i < 20; i++) {
            update(&l, &x, 1, &stats);
            mean += stats.v[stat_index(l.policy, "train/mean_q")] / 20.0;
        }
        print_message("kind %zu: mean value %.4f, loss %.5f\n", k, mean, stats.v[0]);
        assert_true(fabs(mean - want) < 0.06);
        actor_make(&actor, &l);
        for (int cell = 0; cell < CELLS; cell++) {
            float obs[CELLS] = {0}, act[1], logp;
            obs[cell] = 1.0f;
            const struct act_in in = {.packed = actor.packed, .obs = obs, .legal = 3, .rng = &rng};
            l.policy->act(actor.actor, &in, act, &logp);
            assert_true(act[0] == RIGHT);
        }
        actor_free(&actor);
        learner_free(&l);
    }
}

static void a_restored_learner_goes_on_as_the_same(void **state)
{
    (void)state;
    static struct learner_fixture whole, first, second;
    static struct rows x, y;
    static const size_t bytes[] = {
        [TENSOR_F32] = 4, [TENSOR_F64] = 8, [TENSOR_I64] = 8, [TENSOR_U8] = 1};
    for (size_t k = 0; k < N_KINDS; k++) {
        struct stats stats;
        rng_seed(&x.rng, 5);
        rng_seed(&y.rng, 5);
        learner_make(&whole, policy_find("dqn"), &dims, kinds[k], 1);
        learner_make(&first, policy_find("dqn"), &dims, kinds[k], 1);
        learner_make(&second, policy_find("dqn"), &dims, kinds[k], 99);
        update(&whole, &x, 50, &stats);
        update(&first, &y, 25, &stats);
        for (int i = 0; i < first.n; i++) {
            const struct tensor *t = &first.tensor[i];
            assert_string_equal(t->name, second.tensor[i].name);
            memcpy(second.tensor[i].data, t->data, (size_t)tensor_count(t) * bytes[t->type]);
        }
        second.rng = first.rng;
        second.policy->restored(second.self);
        update(&second, &y, 25, &stats);
        for (int i = 0; i < whole.n; i++) {
            const struct tensor *t = &whole.tensor[i];
            assert_memory_equal(second.tensor[i].data, t->data,
                                (size_t)tensor_count(t) * bytes[t->type]);
        }
        learner_free(&whole);
        learner_free(&first);
        learner_free(&second);
    }
}

/* With epsilon 1 all that is legal is tried, and nothing else; with noise it is not always the same
 * where values are close. */
static void exploring_keeps_to_what_is_legal(void **state)
{
    (void)state;
    static struct learner_fixture l;
    for (size_t k = 0; k < N_KINDS; k++) {
        struct actor_fixture actor;
        struct rng rng;
        int count[CHOICES] = {0};
        rng_seed(&rng, 4);
        learner_make(&l, policy_find("dqn"), &dims, kinds[k], 1);
        actor_make(&actor, &l);
        for (int t = 0; t < 300; t++) {
            float obs[CELLS] = {1.0f}, act[1], logp;
            const struct act_in in = {
                .packed = actor.packed, .obs = obs, .legal = 3, .explore = true, .rng = &rng};
            l.policy->act(actor.actor, &in, act, &logp);
            count[(int)act[0]]++;
        }
        assert_int_equal(count[FORBIDDEN], 0);
        assert_true(count[LEFT] > 0 && count[RIGHT] > 0);
        actor_free(&actor);
        learner_free(&l);
    }
}

/* Of 4000 decisions at a step, those that are not the best. */
static double astray(const struct setting *settings, int64_t step)
{
    static struct learner_fixture l;
    struct actor_fixture actor;
    struct rng rng;
    float obs[CELLS] = {1.0f}, best[1], act[1], logp;
    int n = 0;
    rng_seed(&rng, 6);
    learner_make(&l, policy_find("dqn"), &dims, settings, 1);
    actor_make(&actor, &l);
    struct act_in in = {.packed = actor.packed, .obs = obs, .legal = 3, .step = step, .rng = &rng};
    l.policy->act(actor.actor, &in, best, &logp);
    in.explore = true;
    for (int t = 0; t < 4000; t++) {
        l.policy->act(actor.actor, &in, act, &logp);
        n += act[0] != best[0];
    }
    actor_free(&actor);
    learner_free(&l);
    return n / 4000.0;
}

/* Half of what is random of two is not the best. Epsilon falls with the steps, and is nothing where
 * noise explores: without a spread that is always the best. */
static void epsilon_falls_and_gives_way_to_noise(void **state)
{
    (void)state;
    static const struct setting falls[] = {COMMON,
                                           {"exploration_initial_eps", "0.9"},
                                           {"exploration_final_eps", "0.1"},
                                           {"exploration_steps", "1000"},
                                           {NULL, NULL}};
    static const struct setting still[] = {COMMON,
                                           {"exploration_final_eps", "1"},
                                           {"noisy", "true"},
                                           {"noisy_sigma", "0"},
                                           {NULL, NULL}};
    assert_true(fabs(astray(falls, 0) - 0.45) < 0.03);
    assert_true(fabs(astray(falls, 500) - 0.25) < 0.03);
    assert_true(fabs(astray(falls, 1000) - 0.05) < 0.015);
    assert_true(fabs(astray(falls, 999999) - 0.05) < 0.015);
    assert_true(astray(still, 0) == 0.0);
    assert_true(astray(noisy, 0) > 0.0);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    const struct policy *p = policy_find("dqn");
    void *config = calloc(1, p->config_bytes);
    char reason[WHY_CHARS] = "";
    option_defaults(p->options, config);
    assert_int_equal(option_set(option_find(p->options, "v_max"), config, "-11", NULL, 0), 0);
    assert_int_equal(policy_check(p, config, &dims, reason, sizeof reason), 0); /* no atoms */
    assert_int_equal(option_set(option_find(p->options, "distributional"), config, "c51", NULL, 0),
                     0);
    assert_true(policy_check(p, config, &dims, reason, sizeof reason) < 0);
    assert_string_equal(reason, "policy.v_max -11 must be above v_min -10");
    struct dims many = dims;
    many.n_choices = CHOICES_MAX;
    assert_int_equal(option_set(option_find(p->options, "v_max"), config, "11", NULL, 0), 0);
    assert_true(policy_check(p, config, &many, reason, sizeof reason) < 0);
    assert_non_null(strstr(reason, "64 choices with 51 atoms each are more than 1024 outputs"));
    free(config);
}

/* Weights of one kind of return, or of one that duels or is noisy, drive no other: rows of as many
 * numbers mean something else. */
static void networks_of_other_kinds_have_other_names(void **state)
{
    (void)state;
    const struct policy *p = policy_find("dqn");
    static const struct setting kind[][2] = {
        {{"distributional", "none"}, {"noisy", "false"}},
        {{"distributional", "c51"}, {"noisy", "false"}},
        {{"distributional", "qr"}, {"noisy", "false"}},
        {{"distributional", "none"}, {"noisy", "true"}},
        {{"distributional", "c51"}, {"dueling", "true"}},
        {{"distributional", "qr"}, {"double_q", "true"}},
    };
    uint32_t net[6];
    for (int i = 0; i < 6; i++) {
        void *config = calloc(1, p->config_bytes);
        option_defaults(p->options, config);
        assert_int_equal(option_set(option_find(p->options, "n_atoms"), config, "50", NULL, 0), 0);
        for (int k = 0; k < 2; k++) {
            const struct option *o = option_find(p->options, kind[i][k].key);
            assert_int_equal(option_set(o, config, kind[i][k].value, NULL, 0), 0);
        }
        net[i] = policy_net(p, config, &dims);
        assert_true(net[i] != 0);
        for (int k = 0; k < i; k++) {
            assert_int_equal(net[k] == net[i], k == 2 && i == 5); /* double_q is the learner's */
        }
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_switch_learns_the_corridor),
        cmocka_unit_test(a_restored_learner_goes_on_as_the_same),
        cmocka_unit_test(exploring_keeps_to_what_is_legal),
        cmocka_unit_test(epsilon_falls_and_gives_way_to_noise),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(networks_of_other_kinds_have_other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
