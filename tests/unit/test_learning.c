/*
 * Whole algorithms on problems whose answer is known: a bandit, a linear-quadratic regulator; and
 * that they go on from a saved state exactly. Through struct batch, as the learner thread feeds
 * them.
 */
#include "policies/nn/mlp.h"
#include "tests/unit/bandit_fixture.h"

#include <stdio.h>

/* Rows made up on the spot. */
struct rows {
    struct batch b;
    struct rng rng;
    float s[ROWS * 3], a[ROWS * 2], r[ROWS], s2[ROWS * 3], g[ROWS], w[ROWS];
};

static void rows_begin(struct rows *ret_rows, uint64_t seed)
{
    struct rows *x = ret_rows;
    *x = (struct rows){.b = {.n = ROWS, .seg_len = 1}};
    x->b.s = x->s;
    x->b.a = x->a;
    x->b.r = x->r;
    x->b.s2 = x->s2;
    x->b.g = x->g;
    x->b.w = x->w;
    rng_seed(&x->rng, seed);
    for (int i = 0; i < ROWS; i++) {
        x->w[i] = 1.0f;
    }
}

static float uniform(struct rng *r, double half)
{
    return (float)(half * (2.0 * rng_uniform(r) - 1.0));
}

/* --- the bandit --- */

static void sac_finds_the_best_policy_of_a_bandit_14_3(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {
        {"net_arch", "[32, 32]"}, {"learning_rate", "1e-3"}, {"ent_coef", "0.1"}, {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    arms_begin(&x, "sac", settings);
    arms_learn(&x, off_centre, 4000, &stats);
    arms_watch(&x, &seen);
    print_message("sac: mean %.4f, deviation %.4f, middle %.4f\n", seen.mean, seen.sd, seen.still);
    assert_true(fabs(seen.mean - .299744) < 0.03);
    assert_true(fabs(seen.sd / .099653 - 1.0) < 0.15);
    assert_true(fabs(seen.still - tanh(.3128637)) < 0.03);
    learner_free(&x.l);
}

/* Asked for the entropy -0.890472, its temperature settles at 0.1. */
static void sac_finds_the_temperature_of_a_bandit_14_3(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {{"net_arch", "[32, 32]"},
                                              {"learning_rate", "1e-3"},
                                              {"ent_coef", "auto_1"},
                                              {"target_entropy", "-0.890472"},
                                              {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    double log_alpha = 0.0;
    arms_begin(&x, "sac", settings);
    arms_learn(&x, off_centre, 5000, &stats);
    for (int i = 0; i < 20; i++) {
        arms_learn(&x, off_centre, 50, &stats);
        log_alpha += (double)learner_floats(&x.l, "log_ent_coef")[0] / 20;
    }
    arms_watch(&x, &seen);
    print_message("sac: alpha %.4f, entropy %.3f, mean %.4f\n", exp(log_alpha), seen.entropy,
                  seen.mean);
    assert_true(fabs(exp(log_alpha) / 0.1 - 1.0) < 0.15);
    assert_true(fabs(seen.entropy - -.890472) < 0.1);
    assert_true(fabs(seen.mean - .299744) < 0.03);
    learner_free(&x.l);
}

static void deterministic_policies_find_the_best_arm_of_a_bandit(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {{"net_arch", "[64, 64]"}, {NULL, NULL}};
    static const char *const names[] = {"ddpg", "td3"};
    struct seen seen;
    struct stats stats;
    for (int p = 0; p < 2; p++) {
        arms_begin(&x, names[p], settings);
        arms_learn(&x, off_centre, 3000, &stats);
        arms_watch(&x, &seen);
        print_message("%s: middle %.4f, deviation %.4f\n", names[p], seen.still, seen.sd);
        assert_true(fabs(seen.still - 0.3) < 0.03);
        assert_true(fabs(seen.mean - seen.still) < 0.005);
        assert_true(fabs(seen.sd - 0.1) < 0.005); /* action_noise_std */
        learner_free(&x.l);
    }
}

/* --- a linear-quadratic regulator: s' = 1.2 s + 0.5 u, r = -(s^2 + 0.1 u^2), gamma 0.95 --- */

#define LQR_K     1.8587903198 /* the best u is -K s, by the Riccati equation */
#define LQR_REACH 2.5f         /* u = 2.5 a: from |s| <= 1 the best u is well inside */

/* Everywhere alike: nothing is learned from where nobody was. */
static void visit_lqr(struct rows *x)
{
    for (int i = 0; i < ROWS; i++) {
        const float s = uniform(&x->rng, 1.5), a = uniform(&x->rng, 1.0), u = LQR_REACH * a;
        x->s[i] = s;
        x->a[i] = a;
        x->r[i] = -(s * s + 0.1f * u * u);
        x->s2[i] = 1.2f * s + 0.5f * u;
        x->g[i] = 0.95f;
    }
}

/* The gain of the actor from |s| <= 1, by least squares, and what it does where it need do nothing.
 */
static double gain_of(struct actor_fixture *actor, double *ret_rest)
{
    double su = 0.0, ss = 0.0, rest = 0.0;
    struct rng unused;
    rng_seed(&unused, 0);
    for (int i = -20; i <= 20; i++) {
        const float s = (float)i / 20.0f;
        float a;
        (void)actor_act(actor, &s, false, &unused, &a);
        su -= (double)s * (double)(LQR_REACH * a);
        ss += (double)s * (double)s;
        rest += (double)a / 41.0;
    }
    *ret_rest = rest;
    return su / ss;
}

/* A network of ReLUs has corners where the true Q is a bowl: hence 8 %, not less. */
static void finds_the_gain_of_a_regulator(const char *name, const struct setting *settings,
                                          int updates)
{
    static struct learner_fixture l;
    static struct actor_fixture actor;
    static struct rows x;
    struct stats stats;
    double rest;
    learner_make(&l, policy_find(name), &one_by_one, settings, 3);
    rows_begin(&x, 4);
    for (int t = 0; t < updates; t++) {
        visit_lqr(&x);
        l.policy->update(l.self, &x.b, &stats);
    }
    actor_make(&actor, &l);
    const double gain = gain_of(&actor, &rest);
    print_message("%s: gain %.4f of %.4f, at rest %.3f\n", name, gain, LQR_K, rest);
    assert_true(fabs(gain / LQR_K - 1.0) < 0.08);
    assert_true(fabs(rest) < 0.06);
    actor_free(&actor);
    learner_free(&l);
}

static void ddpg_finds_the_gain_of_a_regulator_14_4(void **state)
{
    (void)state;
    static const struct setting settings[] = {
        {"net_arch", "[64, 64]"}, {"learning_rate_actor", "2e-4"}, {"tau", "0.02"}, {NULL, NULL}};
    finds_the_gain_of_a_regulator("ddpg", settings, 5000);
}

static void td3_finds_the_gain_of_a_regulator_14_4(void **state)
{
    (void)state;
    static const struct setting settings[] = {
        {"net_arch", "[64, 64]"}, {"tau", "0.02"}, {NULL, NULL}};
    finds_the_gain_of_a_regulator("td3", settings, 5000);
}

/* --- saved in the middle, gone on elsewhere: bit for bit --- */

static const struct dims three_by_two = {
    .n_obs = 3, .n_act = 2, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};
static const struct dims three_choices = {
    .n_obs = 3, .n_act = 1, .n_choices = 3, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};

static const struct dims *dims_of(const struct policy *p)
{
    return (p->actions & ACTION_BOX) != 0 ? &three_by_two : &three_choices;
}

static void any_rows(struct rows *x, int n_choices)
{
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < 3; k++) {
            x->s[i * 3 + k] = uniform(&x->rng, 2.0);
            x->s2[i * 3 + k] = uniform(&x->rng, 2.0);
        }
        x->a[i * 2] = uniform(&x->rng, 1.0);
        x->a[i * 2 + 1] = uniform(&x->rng, 1.0);
        x->r[i] = x->s[i * 3] - x->a[i * 2] * x->a[i * 2];
        x->g[i] = rng_below(&x->rng, 10) == 0 ? 0.0f : 0.95f;
        x->w[i] = 0.5f + uniform(&x->rng, 0.5);
    }
    for (int i = 0; n_choices > 0 && i < ROWS; i++) {
        x->a[i] = (float)rng_below(&x->rng, (uint64_t)n_choices);
    }
}

static void update_any(struct learner_fixture *l, struct rows *x, int n)
{
    struct stats stats;
    for (int t = 0; t < n; t++) {
        any_rows(x, l->dims.n_choices);
        l->policy->update(l->self, &x->b, &stats);
    }
}

static const size_t tensor_bytes[] = {
    [TENSOR_F32] = 4, [TENSOR_F64] = 8, [TENSOR_I64] = 8, [TENSOR_U8] = 1};

static void assert_same_state(const struct learner_fixture *a, const struct learner_fixture *b)
{
    for (int i = 0; i < a->n; i++) {
        const size_t n = (size_t)tensor_count(&a->tensor[i]) * tensor_bytes[a->tensor[i].type];
        if (memcmp(a->tensor[i].data, b->tensor[i].data, n) != 0) {
            fail_msg("%s: %s differs", a->policy->name, a->tensor[i].name);
        }
    }
}

static void learners_go_on_from_their_state_exactly_14_9(void **state)
{
    (void)state;
    static struct learner_fixture whole, first, second;
    static struct rows x, y;
    static const struct setting plain[] = {{"net_arch", "[16, 16]"}, {NULL, NULL}};
    static const struct setting more[] = {{"net_arch", "[16, 17]"},
                                          {"layer_norm", "true"},
                                          {"layer_norm_actor", "true"},
                                          {"max_grad_norm", "0.5"},
                                          {"optimizer_weight_decay", "0.001"},
                                          {NULL, NULL}};
    /* crossq is the last: it has no layers that are normalised otherwise */
    static const char *const names[] = {"sac",          "ddpg",           "td3",  "sac_v1", "softq",
                                        "sac_discrete", "softq_discrete", "redq", "droq",   "tqc",
                                        "crossq"};

    enum { N = sizeof names / sizeof names[0] };

    for (int p = 0; p < 2 * N - 1; p++) {
        const struct policy *policy = policy_find(names[p % N]);
        const struct setting *settings = p < N ? plain : more;
        const struct dims *dims = dims_of(policy);
        learner_make(&whole, policy, dims, settings, 1);
        learner_make(&first, policy, dims, settings, 1);
        learner_make(&second, policy, dims, settings, 99);
        rows_begin(&x, 6);
        rows_begin(&y, 6);
        update_any(&whole, &x, 41);
        update_any(&first, &y, 21); /* odd: between two updates of a delayed actor */
        assert_int_equal(first.n, second.n);
        for (int i = 0; i < first.n; i++) {
            const struct tensor *t = &first.tensor[i];
            assert_string_equal(t->name, second.tensor[i].name);
            memcpy(second.tensor[i].data, t->data, (size_t)tensor_count(t) * tensor_bytes[t->type]);
        }
        policy->restored(second.self);
        second.rng = first.rng;
        update_any(&second, &y, 20);
        assert_same_state(&whole, &second);

        /* and the same seed is the same learner, another is another */
        learner_free(&second);
        learner_make(&second, policy, dims, settings, 2);
        assert_memory_not_equal(second.tensor[0].data, first.tensor[0].data, 16);
        learner_free(&whole);
        learner_free(&first);
        learner_free(&second);
    }
}

/* Every third update the targets move by tau, and by tau alone. */
static void targets_move_at_their_interval(void **state)
{
    (void)state;

    static const struct {
        const char *policy, *net, *target;
    } rows[] = {{"sac", "critic1.0.weight", "critic1_target.0.weight"},
                {"sac_v1", "value.0.weight", "value_target.0.weight"},
                {"sac_discrete", "critic1.0.weight", "critic1_target.0.weight"},
                {"softq", "critic.0.weight", "critic_target.0.weight"},
                {"softq_discrete", "critic.0.weight", "critic_target.0.weight"}};
    static struct learner_fixture l;
    static struct rows x;
    static const struct setting settings[] = {
        {"net_arch", "[4]"}, {"target_update_interval", "3"}, {"tau", "0.5"}, {NULL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct policy *policy = policy_find(rows[i].policy);
        learner_make(&l, policy, dims_of(policy), settings, 1);
        rows_begin(&x, 5);
        for (int t = 1; t <= 9; t++) {
            const float *q = learner_floats(&l, rows[i].net);
            const float *target = learner_floats(&l, rows[i].target);
            const float before = target[0];
            update_any(&l, &x, 1);
            assert_true(target[0] == (t % 3 == 0 ? before + 0.5f * (q[0] - before) : before));
        }
        learner_free(&l);
    }
}

/* --- acting --- */

static void set_floats(const struct learner_fixture *l, const char *name, float v)
{
    const struct tensor *t = learner_tensor(l, name);
    for (int i = 0; i < tensor_count(t); i++) {
        ((float *)t->data)[i] = v;
    }
}

/* Stationary deviation sigma sqrt(dt) / sqrt(1 - (1 - theta dt)^2): at dt 1 and theta 0.15 0.3797
 * for sigma 0.2, 0.5695 for 0.3; at smaller dt near sigma / sqrt(2 theta). */
static void ou_noise_has_its_stationary_deviation_14_9(void **state)
{
    (void)state;

    static const struct {
        const char *sigma, *dt, *theta;
        double sd;
    } rows[] = {{"0.2", "1", "0.15", .3797},
                {"0.3", "1", "0.15", .5695},
                {"0.2", "0.25", "0.15", .3686},
                {"0.2", "1", "0.6", .2182}};
    static struct learner_fixture l;
    static struct actor_fixture actor;

    enum { N = 1000000 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct setting settings[] = {{"net_arch", "[1]"},
                                           {"action_noise", "ornstein_uhlenbeck"},
                                           {"action_noise_std", rows[i].sigma},
                                           {"ou_dt", rows[i].dt},
                                           {"ou_theta", rows[i].theta},
                                           {NULL, NULL}};
        struct rng rng;
        double sum2 = 0.0;
        const float s = 0.0f;
        float a;
        rng_seed(&rng, 7);
        learner_make(&l, policy_find("ddpg"), &one_by_one, settings, 1);
        set_floats(&l, "actor.1.weight", 0.0f);
        set_floats(&l, "actor.1.bias", 0.0f);
        actor_make(&actor, &l);
        for (int t = 0; t < N; t++) {
            (void)actor_act(&actor, &s, true, &rng, &a);
            sum2 += (double)a * (double)a / N;
        }
        assert_true(fabs(sqrt(sum2) / rows[i].sd - 1.0) < 0.02);
        /* an episode begins without the noise of the last one */
        struct rng before = rng, same = rng;
        l.policy->reset(actor.actor, &rng);
        (void)actor_act(&actor, &s, true, &before, &a);
        const double spread = strtod(rows[i].sigma, NULL) * sqrt(strtod(rows[i].dt, NULL));
        assert_true(fabs((double)a - spread * rng_normal(&same)) < 1e-6);
        actor_free(&actor);
        learner_free(&l);
    }
}

/* One network by plain loops, from its weights as they are sent. */
static void plain_actor(const struct mlp_shape *s, const float *w, const float *x, float *ret_y)
{
    float now[64], next[64];
    memcpy(now, x, (size_t)s->width[0] * sizeof *now);
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1];
        float mean = 0.0f, variance = 0.0f;
        for (int j = 0; j < out; j++) {
            next[j] = w[out * in + j];
            for (int k = 0; k < in; k++) {
                next[j] += w[j * in + k] * now[k];
            }
            mean += next[j] / (float)out;
        }
        w += out * (in + 1);
        for (int j = 0; j < out; j++) {
            variance += (next[j] - mean) * (next[j] - mean) / (float)out;
        }
        const bool hidden = l + 1 < s->n_layers;
        for (int j = 0; j < out; j++) {
            if (hidden && s->layer_norm) {
                next[j] = w[j] * (next[j] - mean) / sqrtf(variance + 1e-5f) + w[out + j];
            }
            now[j] = !hidden                            ? next[j]
                     : s->activation == ACTIVATION_TANH ? tanhf(next[j])
                                                        : fmaxf(next[j], 0.0f);
        }
        w += hidden && s->layer_norm ? 2 * out : 0;
    }
    memcpy(ret_y, now, (size_t)s->width[s->n_layers] * sizeof *now);
}

/* The tick's path and the learner's agree; padding in the packed form changes nothing. */
static void acting_is_the_network_that_was_learned(void **state)
{
    (void)state;

    static const struct {
        const char *arch;
        int n_hidden, hidden[LAYERS_MAX - 1];
    } archs[] = {{"[16, 16]", 2, {16, 16}},
                 {"[17, 5]", 2, {17, 5}},
                 {"[1]", 1, {1}},
                 {"[64, 33, 16, 7, 3]", 5, {64, 33, 16, 7, 3}}};

    static const char *const names[] = {"sac", "ddpg", "td3"};
    static const struct dims dims = {
        .n_obs = 3, .n_act = 2, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};
    static struct learner_fixture l;
    static struct actor_fixture actor;
    static struct rows x;
    for (int i = 0; i < 48; i++) {
        const char *name = names[i % 3];
        const bool norm = i / 3 % 2 != 0, tanh_too = i / 6 % 2 != 0;
        const struct setting settings[] = {{"net_arch_pi", archs[i / 12].arch},
                                           {"net_arch", "[8]"},
                                           {"layer_norm_actor", norm ? "true" : "false"},
                                           {"activation_fn", tanh_too ? "tanh" : "relu"},
                                           {NULL, NULL}};
        const float s[] = {0.3f, -1.2f, 2.0f};
        float a[2], y[4];
        struct mlp_shape shape;
        struct rng rng;
        rng_seed(&rng, 1);
        learner_make(&l, policy_find(name), &dims, settings, 1);
        rows_begin(&x, 3);
        update_any(&l, &x, 2); /* gains and biases are no longer 1 and 0 */
        actor_make(&actor, &l);
        (void)actor_act(&actor, s, false, &rng, a);

        mlp_shape(&shape, 3, archs[i / 12].hidden, archs[i / 12].n_hidden,
                  strcmp(name, "sac") == 0 ? 4 : 2);
        shape.layer_norm = norm;
        shape.activation = tanh_too ? ACTIVATION_TANH : ACTIVATION_RELU;
        assert_int_equal(actor.n_w, mlp_weights(&shape));
        plain_actor(&shape, actor.w, s, y);
        for (int j = 0; j < 2; j++) {
            assert_true(fabsf(a[j] - tanhf(y[j])) < 2e-6f);
        }
        actor_free(&actor);
        learner_free(&l);
    }
}

/* Weights of another network are refused by pack, with nothing written. */
static void pack_refuses_what_does_not_fit(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture actor;
    for (int i = 0; policies[i] != NULL; i++) {
        static const struct setting none[] = {{NULL, NULL}};
        learner_make(&l, policies[i], dims_of(policies[i]), none, 1);
        actor_make(&actor, &l);
        const int n = actor.n_w;
        float small[1];
        assert_true(l.policy->pack(l.config, &l.dims, actor.w, n - 1, actor.packed, 1 << 20) < 0);
        assert_true(l.policy->pack(l.config, &l.dims, actor.w, n + 1, actor.packed, 1 << 20) < 0);
        assert_true(l.policy->pack(l.config, &l.dims, actor.w, n, actor.packed, 0) < 0);
        assert_true(l.policy->save(l.self, small, 0) < 0);
        actor.w[0] = 1e30f; /* finite, so any network may have it; hold knows its one number */
        assert_true((l.policy->pack(l.config, &l.dims, actor.w, n, actor.packed, 1 << 20) < 0) ==
                    (n == 1));
        actor_free(&actor);
        learner_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sac_finds_the_best_policy_of_a_bandit_14_3),
        cmocka_unit_test(sac_finds_the_temperature_of_a_bandit_14_3),
        cmocka_unit_test(deterministic_policies_find_the_best_arm_of_a_bandit),
        cmocka_unit_test(ddpg_finds_the_gain_of_a_regulator_14_4),
        cmocka_unit_test(td3_finds_the_gain_of_a_regulator_14_4),
        cmocka_unit_test(learners_go_on_from_their_state_exactly_14_9),
        cmocka_unit_test(targets_move_at_their_interval),
        cmocka_unit_test(ou_noise_has_its_stationary_deviation_14_9),
        cmocka_unit_test(acting_is_the_network_that_was_learned),
        cmocka_unit_test(pack_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
