/*
 * PPO and its pieces: advantages, scaled rewards, orthogonal weights, gradients clipped together;
 * small worlds that it solves, with actions and with choices; that it goes on from its state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/gae.h"
#include "policies/nn/clip.h"
#include "policies/nn/orthogonal.h"
#include "policies/returns.h"
#include "tests/unit/actor_fixture.h"

#include <math.h>

#define ROWS 256

static void assert_near(double got, double want, double most)
{
    if (!(fabs(got - want) <= most)) {
        fail_msg("%.9g, not %.9g", got, want);
    }
}

/* --- advantages: oracle 14.9 --- */

static void advantages_are_those_of_oracle_14_9(void **state)
{
    (void)state;
    static const double want[] = {2.8109150, 1.9307975, 0.995};
    const float r[] = {1, 1, 1}, g[] = {0.99f, 0.99f, 0.99f}, v[] = {0.5f, 0.5f, 0.5f};
    const uint8_t last[] = {0, 0, 1};
    float adv[3];
    gae(&(struct gae_rows){3, r, g, v, v, last}, 0.95f, adv);
    for (int t = 0; t < 3; t++) {
        assert_near((double)adv[t], want[t], 1e-6 * want[t]);
    }
}

/* lambda 1: returns less V. Oracle 14.9's of n steps: bootstrap 10; an end after two; cut after
 * two, where the final observation is worth 10. */
static void an_end_and_a_cut_differ(void **state)
{
    (void)state;

    static const struct {
        float g[3];
        uint8_t last[3];
        double first; /* A_0 with V = 0 but at the end of a run */
    } cases[] = {
        {{0.9f, 0.9f, 0.9f}, {0, 0, 1}, 1 + 0.9 * 2 + 0.81 * 3 + 0.729 * 10},
        {{0.9f, 0.0f, 0.9f}, {0, 1, 1}, 2.8},
        {{0.9f, 0.9f, 0.9f}, {0, 1, 1}, 10.9},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const float r[] = {1, 2, 3}, v[] = {0, 0, 0};
        float v2[3], adv[3];
        for (int t = 0; t < 3; t++) {
            v2[t] = cases[i].last[t] != 0 ? 10.0f : 0.0f;
        }
        gae(&(struct gae_rows){3, r, cases[i].g, v, v2, cases[i].last}, 1.0f, adv);
        assert_near((double)adv[0], cases[i].first, 1e-5);
        if (cases[i].last[1] != 0) {
            assert_near((double)adv[2], 12.0, 1e-5); /* nothing leaks across the cut */
        }
    }
    assert_near(explained_variance((const float[]){1, 2, 3}, (const float[]){2, 3, 4}, 3), 1.0,
                1e-12);
    assert_near(explained_variance((const float[]){1, 2, 3}, (const float[]){5, 5, 5}, 3), 0.0,
                1e-12);
    assert_true(isnan(explained_variance((const float[]){2, 2}, (const float[]){1, 3}, 2)));
}

/* Returns 1, 1.5, 1.75 | 4 | 0: mean 1.65, variance 1.74. */
static void rewards_in_units_of_the_return(void **state)
{
    (void)state;
    const float r[] = {1, 1, 1, 4, 0}, g[] = {0.5f, 0.5f, 0.5f, 0.0f, 0.5f};
    const uint8_t last[] = {0, 0, 1, 1, 1};
    const struct batch b = {.n = 5, .r = r, .g = g, .last = last};
    struct returns z = {0};
    float scaled[5];
    returns_scale(&z, &b, 2.0f, scaled);
    assert_near(z.mean, 1.65, 1e-12);
    assert_near(z.m2 / z.count, 1.74, 1e-12);
    assert_near((double)scaled[0], 1.0 / sqrt(1.74), 1e-6);
    assert_near((double)scaled[3], 2.0, 0.0); /* 3.0 is clipped */
    assert_near((double)scaled[4], 0.0, 0.0);
    returns_scale(&z, &b, 2.0f, scaled);
    assert_near(z.count, 10.0, 0.0);
    assert_near(z.m2 / z.count, 1.74, 1e-12);
}

static void weights_begin_at_right_angles(void **state)
{
    (void)state;
    struct arena mem;
    struct rng rng;
    struct mlp m;
    struct mlp_shape s;
    rng_seed(&rng, 1);
    assert_int_equal(arena_open(&mem, "mlp", (size_t)1 << 22), 0);
    mlp_shape(&s, 3, (const int[]){7, 5}, 2, 2); /* a tall layer, two wide ones */
    mlp_init(&m, &s, NULL, 1, &mem, &rng);
    mlp_orthogonal(&m, 1.5, 0.01, &mem, &rng);
    const float *w = m.w;
    for (int l = 0; l < 3; l++) {
        const int in = s.width[l], out = s.width[l + 1], n = in < out ? in : out;
        const double length = l < 2 ? 1.5 : 0.01;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double dot = 0.0;
                for (int k = 0; k < (in < out ? out : in); k++) {
                    dot += in < out ? (double)w[k * in + i] * (double)w[k * in + j]
                                    : (double)w[i * in + k] * (double)w[j * in + k];
                }
                assert_near(dot, i == j ? length * length : 0.0, 1e-6 * length * length);
            }
        }
        for (int i = 0; i < out; i++) {
            assert_true(w[out * in + i] == 0.0f);
        }
        w += out * (in + 1);
    }
    arena_close(&mem);
}

static void gradients_are_clipped_as_one(void **state)
{
    (void)state;
    float a[] = {3.0f}, b[] = {0.0f, 4.0f};
    const struct gradient all[] = {{a, 1}, {b, 2}};
    clip_together(all, 2, 0.0);
    clip_together(all, 2, 6.0);
    assert_true(a[0] == 3.0f && b[1] == 4.0f);
    clip_together(all, 2, 0.5);
    assert_near((double)a[0], 0.3, 1e-6);
    assert_near((double)b[1], 0.4, 1e-6);
}

/* --- small worlds --- */

/* Rows that the learner's own actor acts. */
struct world {
    struct batch b;
    struct rng rng;
    float s[ROWS], a[ROWS], r[ROWS], s2[ROWS], g[ROWS], w[ROWS], logp[ROWS];
    uint8_t last[ROWS];
    uint64_t legal[ROWS];
    struct actor_fixture actor;
};

static void world_begin(struct world *ret_world, const struct learner_fixture *l, uint64_t seed)
{
    struct world *x = ret_world;
    memset(x, 0, sizeof *x);
    x->b = (struct batch){.n = ROWS,
                          .seg_len = ROWS,
                          .s = x->s,
                          .a = x->a,
                          .r = x->r,
                          .s2 = x->s2,
                          .g = x->g,
                          .w = x->w,
                          .logp = x->logp,
                          .legal = l->dims.n_choices > 0 ? x->legal : NULL,
                          .last = x->last};
    rng_seed(&x->rng, seed);
    actor_make(&x->actor, l);
}

static void world_act(struct world *x, int i)
{
    const struct act_in in = {.packed = x->actor.packed,
                              .obs = &x->s[i],
                              .legal = x->legal[i],
                              .explore = true,
                              .rng = &x->rng};
    x->actor.policy->act(x->actor.actor, &in, &x->a[i], &x->logp[i]);
}

/* One state, every action ends the episode: r = -5 (a - 0.3)^2. */
static void pull_arms(struct world *x)
{
    for (int i = 0; i < ROWS; i++) {
        x->s[i] = x->s2[i] = 1.0f;
        world_act(x, i);
        const float off = x->a[i] - 0.3f;
        x->r[i] = -5.0f * off * off;
        x->g[i] = 0.0f;
        x->last[i] = 1;
    }
}

static void ppo_finds_the_best_arm_of_a_bandit(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct world x;
    static const struct setting settings[] = {
        {"net_arch", "[16]"}, {"learning_rate", "3e-3"}, {NULL, NULL}};
    const struct dims dims = {.n_obs = 1, .n_act = 1, .batch = ROWS, .minibatch = 64};
    struct stats stats = {0};
    const float s = 1.0f;
    float a;
    learner_make(&l, policy_find("ppo"), &dims, settings, 1);
    world_begin(&x, &l, 2);
    assert_near((double)learner_floats(&l, "log_std")[0], 0.0, 0.0);
    for (int t = 0; t < 60; t++) {
        pull_arms(&x);
        l.policy->update(l.self, &x.b, &stats);
        actor_take(&x.actor, &l);
    }
    (void)actor_act(&x.actor, &s, false, &x.rng, &a);
    const double sd = stats.v[stat_index(l.policy, "train/std")];
    print_message("ppo: middle %.4f, deviation %.4f\n", (double)a, sd);
    assert_near((double)a, 0.3, 0.05);
    assert_true(sd < 0.3); /* nothing pays for noise */
    actor_free(&x.actor);
    learner_free(&l);
}

/*
 * A corridor of cells 0 to 5, begun in 0: on (2) or back (1) one cell, or stay (0); 5 ends it and
 * pays 1, a step costs 0.1. Back is no choice in 0. A clock cuts after 20 steps.
 */
static void walk(struct world *x)
{
    int cell = 0, steps = 0;
    for (int i = 0; i < ROWS; i++) {
        x->s[i] = (float)cell / 5.0f;
        x->legal[i] = cell == 0 ? 5 : 7;
        world_act(x, i);
        const int a = (int)x->a[i];
        assert_true(a == 0 || a == 2 || (a == 1 && cell > 0));
        cell += a == 2 ? 1 : a == 1 ? -1 : 0;
        const bool ends = cell == 5, cut = ++steps == 20;
        x->s2[i] = (float)cell / 5.0f;
        x->r[i] = (ends ? 1.0f : 0.0f) - 0.1f;
        x->g[i] = ends ? 0.0f : 0.9f;
        x->last[i] = ends || cut || i + 1 == ROWS;
        cell = ends || cut ? 0 : cell;
        steps = ends || cut ? 0 : steps;
    }
}

static double ends_of(const struct world *x)
{
    double n = 0.0;
    for (int i = 0; i < ROWS; i++) {
        n += x->g[i] == 0.0f;
    }
    return n;
}

static void ppo_walks_a_corridor_by_choices(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct world x;
    static const struct setting settings[] = {
        {"net_arch", "[32]"}, {"learning_rate", "3e-3"}, {"norm_reward", "true"}, {NULL, NULL}};
    const struct dims dims = {
        .n_obs = 1, .n_act = 1, .n_choices = 3, .batch = ROWS, .minibatch = 64};
    struct stats stats;
    learner_make(&l, policy_find("ppo"), &dims, settings, 1);
    world_begin(&x, &l, 3);
    walk(&x);
    const double before = ends_of(&x);
    for (int t = 0; t < 40; t++) {
        l.policy->update(l.self, &x.b, &stats);
        actor_take(&x.actor, &l);
        walk(&x);
    }
    print_message("ppo: %g ends in %d steps, %g before; at most %d\n", ends_of(&x), ROWS, before,
                  ROWS / 5);
    assert_true(ends_of(&x) > 0.9 * ROWS / 5 && before < 0.5 * ROWS / 5);
    actor_free(&x.actor);
    learner_free(&l);
}

/* --- switches --- */

static void a_divergence_ends_the_update(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct world x;
    static const struct setting open[] = {{"learning_rate", "0.03"}, {NULL, NULL}};
    static const struct setting held[] = {
        {"learning_rate", "0.03"}, {"target_kl", "0.01"}, {NULL, NULL}};
    const struct dims dims = {.n_obs = 1, .n_act = 1, .batch = ROWS, .minibatch = 64};
    for (int k = 0; k < 2; k++) {
        struct stats stats = {0};
        learner_make(&l, policy_find("ppo"), &dims, k == 0 ? open : held, 1);
        world_begin(&x, &l, 2);
        pull_arms(&x);
        l.policy->update(l.self, &x.b, &stats);
        const double epochs = stats.v[stat_index(l.policy, "train/n_epochs")];
        const double kl = stats.v[stat_index(l.policy, "train/approx_kl")];
        assert_true(k == 0 ? epochs == 10.0 : epochs < 10.0 && kl > 0.015);
        actor_free(&x.actor);
        learner_free(&l);
    }
}

static void rows_that_are_not_finite_are_skipped(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct world x;
    static const struct setting settings[] = {{"normalize_advantage", "false"}, {NULL, NULL}};
    const struct dims dims = {.n_obs = 1, .n_act = 1, .batch = ROWS, .minibatch = 64};
    struct stats stats = {0};
    learner_make(&l, policy_find("ppo"), &dims, settings, 1);
    world_begin(&x, &l, 2);
    pull_arms(&x);
    x.r[17] = NAN;
    l.policy->update(l.self, &x.b, &stats);
    /* one of four minibatches in each of ten epochs */
    assert_true(stats.v[stat_index(l.policy, "train/skipped_not_finite")] == 10.0);
    const struct tensor *w = learner_tensor(&l, "actor.0.weight");
    for (int i = 0; i < tensor_count(w); i++) {
        assert_true(isfinite(((const float *)w->data)[i]) != 0);
    }
    actor_free(&x.actor);
    learner_free(&l);
}

static void actor_and_critic_may_have_layers_of_their_own(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static const struct setting settings[] = {
        {"net_arch", "[7]"}, {"net_arch_pi", "[3]"}, {"net_arch_vf", "[5, 4]"}, {NULL, NULL}};
    const struct dims dims = {.n_obs = 1, .n_act = 1, .batch = ROWS, .minibatch = 64};
    learner_make(&l, policy_find("ppo"), &dims, settings, 1);
    assert_int_equal(learner_tensor(&l, "actor.0.weight")->dim[0], 3);
    assert_int_equal(learner_tensor(&l, "value.0.weight")->dim[0], 5);
    assert_int_equal(learner_tensor(&l, "value.1.weight")->dim[0], 4);
    learner_free(&l);
    learner_make(&l, policy_find("ppo"), &dims, (const struct setting[]){settings[0], {NULL, NULL}},
                 1);
    assert_int_equal(learner_tensor(&l, "actor.0.weight")->dim[0], 7);
    assert_int_equal(learner_tensor(&l, "value.0.weight")->dim[0], 7);
    learner_free(&l);
}

static void too_short_a_batch_is_refused(void **state)
{
    (void)state;
    const struct policy *p = policy_find("ppo");
    void *config = calloc(1, p->config_bytes);
    char reason[WHY_CHARS] = "";
    struct dims d = {.n_obs = 1, .n_act = 1, .batch = 32, .minibatch = 64};
    option_defaults(p->options, config);
    learner_gives(p, config, &d);
    assert_true(policy_check(p, config, &d, reason, sizeof reason) < 0);
    assert_non_null(strstr(reason, "learner.train_freq 32 is less than learner.batch_size 64"));
    d.batch = d.seg_len = 64;
    assert_int_equal(policy_check(p, config, &d, reason, sizeof reason), 0);
    free(config);
}

/* --- saved in the middle, gone on elsewhere: bit for bit --- */

static void ppo_goes_on_from_its_state_exactly(void **state)
{
    (void)state;
    static struct learner_fixture whole, other;
    static struct world x, y;
    static const size_t bytes[] = {
        [TENSOR_F32] = 4, [TENSOR_F64] = 8, [TENSOR_I64] = 8, [TENSOR_U8] = 1};
    static const struct setting settings[] = {{"norm_reward", "true"}, {NULL, NULL}};
    const struct dims dims = {.n_obs = 1, .n_act = 1, .batch = ROWS, .minibatch = 60};
    struct stats stats;
    learner_make(&whole, policy_find("ppo"), &dims, settings, 1);
    learner_make(&other, policy_find("ppo"), &dims, settings, 2);
    assert_memory_not_equal(whole.tensor[0].data, other.tensor[0].data, 16);
    world_begin(&x, &whole, 5);
    for (int t = 0; t < 6; t++) {
        pull_arms(&x);
        whole.policy->update(whole.self, &x.b, &stats);
        actor_take(&x.actor, &whole);
    }
    assert_int_equal(whole.n, other.n);
    for (int i = 0; i < whole.n; i++) {
        const struct tensor *t = &whole.tensor[i];
        assert_string_equal(t->name, other.tensor[i].name);
        memcpy(other.tensor[i].data, t->data, (size_t)tensor_count(t) * bytes[t->type]);
    }
    other.policy->restored(other.self);
    other.rng = whole.rng;
    world_begin(&y, &other, 5);
    y.rng = x.rng;
    for (int t = 0; t < 3; t++) {
        pull_arms(&x);
        pull_arms(&y);
        assert_memory_equal(x.a, y.a, sizeof x.a);
        whole.policy->update(whole.self, &x.b, &stats);
        other.policy->update(other.self, &y.b, &stats);
        actor_take(&x.actor, &whole);
        actor_take(&y.actor, &other);
    }
    for (int i = 0; i < whole.n; i++) {
        const struct tensor *t = &whole.tensor[i];
        assert_memory_equal(t->data, other.tensor[i].data,
                            (size_t)tensor_count(t) * bytes[t->type]);
    }
    actor_free(&x.actor);
    actor_free(&y.actor);
    learner_free(&whole);
    learner_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advantages_are_those_of_oracle_14_9),
        cmocka_unit_test(an_end_and_a_cut_differ),
        cmocka_unit_test(rewards_in_units_of_the_return),
        cmocka_unit_test(weights_begin_at_right_angles),
        cmocka_unit_test(gradients_are_clipped_as_one),
        cmocka_unit_test(ppo_finds_the_best_arm_of_a_bandit),
        cmocka_unit_test(ppo_walks_a_corridor_by_choices),
        cmocka_unit_test(a_divergence_ends_the_update),
        cmocka_unit_test(rows_that_are_not_finite_are_skipped),
        cmocka_unit_test(actor_and_critic_may_have_layers_of_their_own),
        cmocka_unit_test(too_short_a_batch_is_refused),
        cmocka_unit_test(ppo_goes_on_from_its_state_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
