/*
 * SVG(k) as the learner thread feeds it: what rows count, what is reproduced, and a
 * linear-quadratic regulator whose best gain it finds, by every k. Gradients are held against
 * differences in tests/double/test_svg.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/actor_fixture.h"

#include <math.h>
#include <stdio.h>

#define ROWS 128
#define RUN  4

struct rows {
    struct batch b;
    struct rng rng;
    float s[ROWS * 3], a[ROWS * 2], r[ROWS], s2[ROWS * 3], g[ROWS], w[ROWS], logp[ROWS];
    uint8_t last[ROWS], source[ROWS];
};

static void rows_begin(struct rows *ret_rows, int n, uint64_t seed)
{
    struct rows *x = ret_rows;
    *x = (struct rows){.b = {.n = n,
                             .seg_len = 1,
                             .s = x->s,
                             .a = x->a,
                             .r = x->r,
                             .s2 = x->s2,
                             .g = x->g,
                             .w = x->w,
                             .logp = x->logp,
                             .last = x->last,
                             .source = x->source}};
    rng_seed(&x->rng, seed);
    for (int i = 0; i < n; i++) {
        x->w[i] = 1.0f;
        x->source[i] = SOURCE_POLICY;
        x->last[i] = i % RUN == RUN - 1;
        x->g[i] = 0.95f;
    }
}

static float uniform(struct rng *r, double half)
{
    return (float)rng_between(r, -half, half);
}

/* Any smooth world of three numbers and two actions. */
static void any_rows(struct rows *x)
{
    for (int i = 0; i < x->b.n; i++) {
        float *s = x->s + (size_t)i * 3, *s2 = x->s2 + (size_t)i * 3, *a = x->a + (size_t)i * 2;
        for (int k = 0; k < 3; k++) {
            s[k] = i % RUN == 0 ? uniform(&x->rng, 1.5) : x->s2[(i - 1) * 3 + k];
        }
        a[0] = uniform(&x->rng, 1.2);
        a[1] = uniform(&x->rng, 1.2);
        x->logp[i] = -logf(5.76f);
        x->r[i] = s[0] - a[0] * a[0];
        s2[0] = 0.9f * s[0] + 0.1f * a[0];
        s2[1] = 0.9f * s[1] + 0.1f * sinf(3.0f * s[0]);
        s2[2] = 0.5f * s[2] + 0.3f * a[1] + 0.05f * (float)rng_normal(&x->rng);
    }
}

static const struct dims three_two = {
    .n_obs = 3, .n_act = 2, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};
static const struct dims one_one = {
    .n_obs = 1, .n_act = 1, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};

static double stat(const struct learner_fixture *l, const struct stats *s, const char *name)
{
    return s->v[stat_index(l->policy, name)];
}

/* With the noises that are inferred, policy and model say the recorded actions and states again, in
 * floats, while both change. */
static void policy_and_model_reproduce_what_happened(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct rows x;
    static const struct setting settings[] = {{"k", "4"}, {NULL, NULL}};
    struct stats stats;
    double most = 0.0;
    learner_make(&l, policy_find("svg"), &three_two, settings, 1);
    rows_begin(&x, ROWS, 2);
    x.b.seg_len = RUN;
    for (int t = 0; t < 300; t++) {
        any_rows(&x);
        l.policy->update(l.self, &x.b, &stats);
        most = fmax(most, stat(&l, &stats, "train/reproduction_error"));
    }
    print_message("reproduction error: %.2g at most, model loss %.2g\n", most,
                  stat(&l, &stats, "train/model_loss"));
    assert_true(most < 1e-6);
    assert_true(stat(&l, &stats, "train/model_loss") < 0.01);
    learner_free(&l);
}

/* pi(a|s) / b(a|s): held at importance_max, 0 where b is not known, uniform for who acts at random,
 * 1 where it is off. */
static void rows_count_as_their_importance_says(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture actor;
    static struct rows x;

    static const struct {
        const char *most;
        float less; /* b's logarithm below that of pi */
        uint8_t source;
        double rho;
    } cases[] = {{"10", 0.7f, SOURCE_POLICY, 2.01375}, {"10", 5.0f, SOURCE_POLICY, 10.0},
                 {"10", NAN, SOURCE_HUMAN, 0.0},       {"0", 5.0f, SOURCE_POLICY, 1.0},
                 {"10", NAN, SOURCE_RANDOM, -1.0},     {"1e6", 5.0f, SOURCE_POLICY, 148.4132}};

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const struct setting settings[] = {{"importance_max", cases[c].most}, {NULL, NULL}};
        struct stats stats;
        struct rng rng;
        learner_make(&l, policy_find("svg"), &three_two, settings, 1);
        actor_make(&actor, &l);
        rows_begin(&x, 1, 2);
        any_rows(&x);
        rng_seed(&rng, 3);
        const float logp = actor_act(&actor, x.s, true, &rng, x.a);
        x.logp[0] = logp - cases[c].less;
        x.source[0] = cases[c].source;
        l.policy->update(l.self, &x.b, &stats);
        const double rho = cases[c].rho < 0.0 ? 4.0 * exp((double)logp) : cases[c].rho;
        assert_true(fabs(stat(&l, &stats, "train/importance_weight") - rho) < 1e-3 * (rho + 1e-3));
        actor_free(&actor);
        learner_free(&l);
    }
}

/* The mean is squashed unless that is off; exploring adds sigma eta, whose density is told. */
static void it_acts_by_its_normal(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture actor;

    enum { N = 40000 };

    for (int squash = 0; squash < 2; squash++) {
        const struct setting settings[] = {
            {"net_arch", "[]"},        {"net_arch_qf", "[8]"},
            {"net_arch_model", "[8]"}, {"squash_output", squash != 0 ? "true" : "false"},
            {"log_std_init", "-1.2"},  {NULL, NULL}};
        const float s = 1.0f;
        float a, still;
        double sum = 0.0, sum2 = 0.0, entropy = 0.0;
        struct rng rng;
        rng_seed(&rng, 4);
        learner_make(&l, policy_find("svg"), &one_one, settings, 1);
        float *w = learner_floats(&l, "actor.0.weight"); /* m_s, l_s, m_0, l_0 */
        w[0] = 1.5f;
        w[1] = w[2] = 0.0f;
        actor_make(&actor, &l);
        assert_true(isnan(actor_act(&actor, &s, false, &rng, &still)));
        assert_true(fabsf(still - (squash != 0 ? tanhf(1.5f) : 1.5f)) < 1e-6f);
        for (int i = 0; i < N; i++) {
            entropy -= (double)actor_act(&actor, &s, true, &rng, &a) / N;
            sum += (double)a / N;
            sum2 += (double)a * (double)a / N;
        }
        const double std = sqrt(sum2 - sum * sum);
        assert_true(fabs(sum - (double)still) < 0.006);
        assert_true(fabs(std / exp(-1.2) - 1.0) < 0.02);
        assert_true(fabs(entropy - (0.5 * log(2.0 * acos(-1.0) * exp(1.0)) - 1.2)) < 0.02);
        actor_free(&actor);
        learner_free(&l);
    }
}

/* --- 14.4: s' = 1.2 s + 0.5 u, r = -(s^2 + 0.1 u^2), gamma 0.95: the best u is -1.8588 s --- */

#define LQR_K     1.8587903198
#define LQR_REACH 4.0f /* u = 4 a: nothing is clipped */

/* Runs of four steps, begun anywhere, with actions anywhere. */
static void visit_lqr(struct rows *x, int run)
{
    for (int i = 0; i < x->b.n; i++) {
        const float s = i % run == 0 ? uniform(&x->rng, 1.5) : x->s2[i - 1];
        const float a = uniform(&x->rng, 1.0), u = LQR_REACH * a;
        x->s[i] = s;
        x->a[i] = a;
        x->logp[i] = -logf(2.0f);
        x->r[i] = -(s * s + 0.1f * u * u);
        x->s2[i] = 1.2f * s + 0.5f * u;
        x->last[i] = i % run == run - 1;
    }
}

/* Episodes of the policy as it is, of so many steps or until it is too far away. */
static void live_lqr(struct rows *x, struct actor_fixture *actor, int run)
{
    for (int i = 0; i < x->b.n; i++) {
        const bool begins = i % run == 0 || x->last[i - 1] != 0;
        x->s[i] = begins ? uniform(&x->rng, 1.2) : x->s2[i - 1];
        x->logp[i] = actor_act(actor, &x->s[i], true, &x->rng, &x->a[i]);
        const float u = LQR_REACH * fminf(fmaxf(x->a[i], -1.0f), 1.0f);
        x->r[i] = -(x->s[i] * x->s[i] + 0.1f * u * u);
        x->s2[i] = 1.2f * x->s[i] + 0.5f * u;
        x->last[i] = i % run == run - 1 || fabsf(x->s2[i]) > 2.0f;
    }
}

static double gain_of(struct actor_fixture *actor)
{
    double su = 0.0, ss = 0.0;
    struct rng unused;
    rng_seed(&unused, 0);
    for (int i = -20; i <= 20; i++) {
        const float s = (float)i / 20.0f;
        float a;
        (void)actor_act(actor, &s, false, &unused, &a);
        su -= (double)s * (double)(LQR_REACH * a);
        ss += (double)s * (double)s;
    }
    return su / ss;
}

struct regulator_case {
    const char *k;
    bool replay, apart; /* rows are of another policy than the one that learns */
};

/* The mean gain over the last third of the updates: where all is noisy and the optimum flat, one
 * moment says little. */
static double learned_gain(const struct regulator_case *c)
{
    static struct learner_fixture l;
    static struct actor_fixture actor;
    static struct rows x;

    enum { UPDATES = 4500, EVERY = 50, LAST = UPDATES / 3 };

    const struct setting settings[] = {{"k", c->k},
                                       {"experience_replay", c->replay ? "true" : "false"},
                                       {"net_arch", "[32, 32]"},
                                       {"tau", "0.02"},
                                       {"learning_rate_actor", "5e-4"},
                                       {"log_std_init", "-0.7"},
                                       {"log_std_min", c->apart ? "-3" : "-1.5"},
                                       {NULL, NULL}};
    struct stats stats;
    double gain = 0.0;
    learner_make(&l, policy_find("svg"), &one_one, settings, 3);
    actor_make(&actor, &l);
    rows_begin(&x, ROWS, 4);
    x.b.seg_len = l.dims.seg_len;
    for (int t = 1; t <= UPDATES; t++) {
        if (c->apart) {
            visit_lqr(&x, l.dims.seg_len);
        } else { /* of four ratios to a uniform policy the product would often be at its cap */
            live_lqr(&x, &actor, c->replay ? l.dims.seg_len : 16);
        }
        l.policy->update(l.self, &x.b, &stats);
        actor_take(&actor, &l);
        if (t > UPDATES - LAST && t % EVERY == 0) {
            gain += gain_of(&actor) * EVERY / LAST;
        }
    }
    actor_free(&actor);
    learner_free(&l);
    return gain;
}

static void every_k_finds_the_gain_of_a_regulator_14_4(void **state)
{
    (void)state;

    static const struct regulator_case cases[] = {{"0", true, true},
                                                  {"1", true, true},
                                                  {"4", true, false},
                                                  {"1", false, false},
                                                  {"inf", false, false}};

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const double gain = learned_gain(&cases[c]);
        print_message("svg(%s)%s: gain %.4f of %.4f\n", cases[c].k, cases[c].replay ? "-er" : "",
                      gain, LQR_K);
        assert_true(fabs(gain / LQR_K - 1.0) < 0.05);
    }
}

/* --- saved in the middle, gone on elsewhere: bit for bit --- */

static void update_any(struct learner_fixture *l, struct rows *x, int n)
{
    struct stats stats;
    for (int t = 0; t < n; t++) {
        any_rows(x);
        l->policy->update(l->self, &x->b, &stats);
    }
}

static size_t bytes_of(const struct tensor *t)
{
    return (size_t)tensor_count(t) * (t->type == TENSOR_F32 ? 4 : 8);
}

static void it_goes_on_from_its_state_exactly(void **state)
{
    (void)state;
    static struct learner_fixture whole, first, second;
    static struct rows x, y;
    static const char *const steps[] = {"0", "1", "4", "inf"};
    for (int c = 0; c < 4; c++) {
        const struct setting settings[] = {{"k", steps[c]},
                                           {"experience_replay", c < 3 ? "true" : "false"},
                                           {"net_arch", "[16, 17]"},
                                           {"layer_norm", c == 1 ? "true" : "false"},
                                           {NULL, NULL}};
        learner_make(&whole, policy_find("svg"), &three_two, settings, 1);
        learner_make(&first, policy_find("svg"), &three_two, settings, 1);
        learner_make(&second, policy_find("svg"), &three_two, settings, 99);
        rows_begin(&x, ROWS, 6);
        rows_begin(&y, ROWS, 6);
        x.b.seg_len = y.b.seg_len = whole.dims.seg_len;
        update_any(&whole, &x, 20);
        update_any(&first, &y, 10);
        for (int i = 0; i < first.n; i++) {
            memcpy(second.tensor[i].data, first.tensor[i].data, bytes_of(&first.tensor[i]));
        }
        second.policy->restored(second.self);
        second.rng = first.rng;
        update_any(&second, &y, 10);
        for (int i = 0; i < whole.n; i++) {
            assert_memory_equal(whole.tensor[i].data, second.tensor[i].data,
                                bytes_of(&whole.tensor[i]));
        }
        learner_free(&whole);
        learner_free(&first);
        learner_free(&second);
    }
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const struct policy *p = policy_find("svg");

    static const struct {
        const char *key, *value, *sentence;
    } cases[] = {
        {"k", "65", "policy.k must be a whole number from 0 to 64, or inf, not \"65\""},
        {"k", "1.5", "policy.k must be a whole number from 0 to 64, or inf, not \"1.5\""},
        {"k", "inf",
         "policy.k inf goes back through whole episodes of the policy itself: set "
         "policy.experience_replay to false"},
        {"log_std_min", "-0.5", "policy.log_std_init -1 must be above policy.log_std_min -0.5"}};

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        char reason[WHY_CHARS] = "";
        void *config = calloc(1, p->config_bytes);
        option_defaults(p->options, config);
        assert_int_equal(option_set(option_find(p->options, cases[c].key), config, cases[c].value,
                                    reason, sizeof reason),
                         0);
        assert_true(p->check(config, &one_one, reason, sizeof reason) < 0);
        assert_string_equal(reason, cases[c].sentence);
        free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_and_model_reproduce_what_happened),
        cmocka_unit_test(rows_count_as_their_importance_says),
        cmocka_unit_test(it_acts_by_its_normal),
        cmocka_unit_test(every_k_finds_the_gain_of_a_regulator_14_4),
        cmocka_unit_test(it_goes_on_from_its_state_exactly),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
