/*
 * What the passes of one deep Q-learning update share and what they do not, in double: which draw
 * of noise each of them runs with, copies that are copies, and rows that are not finite; RMSProp
 * and the projection once more.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/categorical.h"
#include "policies/nn/noisy.h"
#include "policies/nn/rmsprop.h"
#include "tests/unit/policy_fixture.h"

#define ROWS    6
#define O       3
#define CHOICES 4
#define W_MAX   256

static const struct dims dims = {.n_obs = O,
                                 .n_vector = O,
                                 .n_act = 1,
                                 .n_choices = CHOICES,
                                 .batch = ROWS,
                                 .seg_len = 1,
                                 .policy_rate_hz = 10.0};

struct rows {
    double s[ROWS * O], a[ROWS], r[ROWS], s2[ROWS * O], g[ROWS], w[ROWS], td[ROWS];
    struct batch b;
};

static void rows_begin(struct rows *ret_rows)
{
    struct rows *x = ret_rows;
    struct rng r;
    rng_seed(&r, 31);
    for (int i = 0; i < ROWS * O; i++) {
        x->s[i] = rng_normal(&r);
        x->s2[i] = rng_normal(&r);
    }
    for (int i = 0; i < ROWS; i++) {
        x->a[i] = (double)rng_below(&r, CHOICES);
        x->r[i] = rng_normal(&r);
        x->g[i] = 0.9;
        x->w[i] = 1.0;
    }
    x->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = x->s,
                          .a = x->a,
                          .r = x->r,
                          .s2 = x->s2,
                          .g = x->g,
                          .w = x->w,
                          .ret_td = x->td};
}

/* --- noise --- */

/* mu and sigma of a network as they were before the update, and a draw of theirs. */
struct drawn {
    struct arena mem;
    struct mlp net;
    struct noisy z;
};

static void drawn_begin(struct drawn *d, const struct learner_fixture *l, const char *name)
{
    static const int hidden[] = {6};
    struct mlp_shape shape;
    struct rng unused;
    char part[32];
    rng_seed(&unused, 1);
    assert_int_equal(arena_open(&d->mem, "drawn", (size_t)1 << 20), 0);
    mlp_shape(&shape, O, hidden, 1, CHOICES);
    mlp_init(&d->net, &shape, NULL, ROWS, &d->mem, &unused);
    noisy_init(&d->z, &d->net, 0.5, &d->mem);
    (void)snprintf(part, sizeof part, "%s.mu", name);
    memcpy(d->z.mu, learner_floats(l, part), (size_t)d->net.n * sizeof(double));
    (void)snprintf(part, sizeof part, "%s.sigma", name);
    memcpy(d->z.sigma, learner_floats(l, part), (size_t)d->net.n * sizeof(double));
}

static void q_of(const struct drawn *d, const double *obs, double *ret_q)
{
    uint64_t unused = 0;
    plain_mlp(&d->net.shape, d->net.w, obs, ret_q, &unused);
}

static int best_of(const double *q)
{
    int best = 0;
    for (int c = 1; c < CHOICES; c++) {
        best = q[c] > q[best] ? c : best;
    }
    return best;
}

/*
 * In this order, each with a draw of its own over the whole batch: the choice in s' where double_q
 * has the network that learns make it; the target's pass, which makes it otherwise; the pass that
 * is fitted.
 */
static void every_pass_has_a_draw_of_its_own(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct rows x;
    for (int twice = 0; twice < 2; twice++) {
        const struct setting settings[] = {{"net_arch", "[6]"},
                                           {"noisy", "true"},
                                           {"noisy_sigma", "2"},
                                           {"double_q", twice ? "true" : "false"},
                                           {NULL, NULL}};
        static struct drawn online, target;
        struct stats stats;
        double q[CHOICES];
        int next[ROWS], other = 0;
        rows_begin(&x);
        learner_make(&l, policy_find("dqn"), &dims, settings, 5);
        double *mu = learner_floats(&l, "q_target.mu");
        for (int i = 0; i < tensor_count(learner_tensor(&l, "q_target.mu")); i++) {
            mu[i] *= 0.8; /* apart, as in the middle of learning */
        }
        drawn_begin(&online, &l, "q");
        drawn_begin(&target, &l, "q_target");
        struct rng noise = l.rng;
        l.policy->update(l.self, &x.b, &stats);

        if (twice) {
            noisy_draw(&online.z, &noise);
        }
        for (int i = 0; i < ROWS && twice; i++) {
            q_of(&online, x.s2 + i * O, q);
            next[i] = best_of(q);
        }
        noisy_draw(&target.z, &noise);
        noisy_draw(&online.z, &noise);
        for (int i = 0; i < ROWS; i++) {
            q_of(&target, x.s2 + i * O, q);
            next[i] = twice ? next[i] : best_of(q);
            other += next[i] != best_of(q);
            const double y = x.r[i] + x.g[i] * q[next[i]];
            q_of(&online, x.s + i * O, q);
            assert_true(fabs(x.td[i] - fabs(q[(int)x.a[i]] - y)) < 1e-9);
        }
        assert_int_equal(other > 0, twice); /* or the draw of the choice would not show */
        assert_memory_equal(&noise, &l.rng, sizeof noise);
        arena_close(&online.mem);
        arena_close(&target.mem);
        learner_free(&l);
    }
}

/* --- copies --- */

static bool same(const struct learner_fixture *l, const char *a, const char *b)
{
    const struct tensor *x = learner_tensor(l, a), *y = learner_tensor(l, b);
    assert_int_equal(tensor_count(x), tensor_count(y));
    return memcmp(x->data, y->data, (size_t)tensor_count(x) * sizeof(double)) == 0;
}

/* 14.9: with tau 1 the target is the network, bit for bit: when both begin, and every interval. */
static void a_hard_copy_is_exact_14_9(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct rows x;
    static const char *const pairs[][2] = {{"q.mu", "q_target.mu"},
                                           {"q.sigma", "q_target.sigma"},
                                           {"q.0.weight", "q_target.0.weight"},
                                           {"q.1.bias", "q_target.1.bias"}};
    for (int noisy = 0; noisy < 2; noisy++) {
        const struct setting settings[] = {{"net_arch", "[6]"},
                                           {"noisy", noisy ? "true" : "false"},
                                           {"learning_rate", "0.37"},
                                           {"target_update_interval", "3"},
                                           {NULL, NULL}};
        const int from = noisy ? 0 : 2, to = noisy ? 2 : 4;
        struct stats stats;
        rows_begin(&x);
        learner_make(&l, policy_find("dqn"), &dims, settings, 5);
        for (int t = 0; t <= 12; t++) {
            for (int i = from; i < to; i++) {
                assert_int_equal(same(&l, pairs[i][0], pairs[i][1]), t % 3 == 0);
            }
            l.policy->update(l.self, &x.b, &stats);
        }
        learner_free(&l);
    }
}

/* --- what is not finite --- */

/* One damaged row changes no weight and is counted, also where returns are clipped to atoms. */
static void a_row_that_is_not_finite_is_skipped(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct rows x;
    static const char *const kinds[] = {"none", "c51", "qr"};
    static const double damages[] = {(double)NAN, (double)INFINITY};
    for (int i = 0; i < 6; i++) {
        const struct setting settings[] = {{"net_arch", "[6]"},
                                           {"distributional", kinds[i / 2]},
                                           {"n_atoms", "5"},
                                           {"n_quantiles", "4"},
                                           {NULL, NULL}};
        double before[W_MAX];
        struct stats stats = {0};
        rows_begin(&x);
        learner_make(&l, policy_find("dqn"), &dims, settings, 5);
        const int n = tensor_count(learner_tensor(&l, "q.adam_m")); /* as many as weights */
        assert_true(n <= W_MAX);
        memcpy(before, learner_floats(&l, "q.0.weight"), (size_t)n * sizeof before[0]);
        x.r[3] = damages[i % 2];
        l.policy->update(l.self, &x.b, &stats);
        assert_memory_equal(before, learner_floats(&l, "q.0.weight"), (size_t)n * sizeof before[0]);
        assert_true(stats.v[stat_index(l.policy, "train/skipped_not_finite")] == 1.0);
        rows_begin(&x);
        l.policy->update(l.self, &x.b, &stats);
        assert_memory_not_equal(before, learner_floats(&l, "q.0.weight"),
                                (size_t)n * sizeof before[0]);
        assert_true(stats.v[stat_index(l.policy, "train/skipped_not_finite")] == 1.0);
        learner_free(&l);
    }
}

/* --- RMSProp --- */

/* Epsilon stands inside the root, and the mean that is taken off is the gradient's own. */
static void rmsprop_is_centred_with_epsilon_in_the_root(void **state)
{
    (void)state;
    struct arena mem;
    struct rmsprop o;
    double w = 0.0, mean = 0.0, square = 0.0, want = 0.0;
    static const double gradients[] = {0.1, -0.05, 0.2, 0.02};
    assert_int_equal(arena_open(&mem, "rmsprop", 1 << 16), 0);
    rmsprop_init(&o, 1, &(struct rmsprop_options){1e-2, .9, 1e-2}, &mem);
    for (int t = 0; t < 4; t++) {
        const double g = gradients[t];
        mean = .9 * mean + .1 * g;
        square = .9 * square + .1 * g * g;
        want -= 1e-2 * g / sqrt(square - mean * mean + 1e-2);
        rmsprop_step(&o, &g, &w);
        assert_true(fabs(w - want) < 1e-15);
    }
    arena_close(&mem);
}

/* --- C51 --- */

/* The two forms of the projection agree: mass to the atoms beside, or a triangle over all. */
static void both_forms_of_the_projection_agree_14_6(void **state)
{
    (void)state;
    static const struct support z = {51, -10.0, 10.0};
    const double dz = 20.0 / 50;
    struct rng r;
    rng_seed(&r, 4);
    for (int t = 0; t < 200; t++) {
        double logits[51], p[51], m[51], sum = 0.0;
        const double reward = 12.0 * (2.0 * rng_uniform(&r) - 1.0), g = rng_uniform(&r);
        for (int i = 0; i < 51; i++) {
            logits[i] = 3.0 * rng_normal(&r);
        }
        categorical_softmax(logits, 51, p);
        categorical_project(&z, p, reward, g, m);
        for (int j = 0; j < 51; j++) {
            double want = 0.0;
            for (int i = 0; i < 51; i++) {
                const double v = fmin(fmax(reward + g * (-10.0 + i * dz), -10.0), 10.0);
                want += p[i] * fmax(0.0, 1.0 - fabs(v - (-10.0 + j * dz)) / dz);
            }
            assert_true(fabs(m[j] - want) < 1e-12);
            sum += m[j];
        }
        assert_true(fabs(sum - 1.0) < 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pass_has_a_draw_of_its_own),
        cmocka_unit_test(a_hard_copy_is_exact_14_9),
        cmocka_unit_test(a_row_that_is_not_finite_is_skipped),
        cmocka_unit_test(rmsprop_is_centred_with_epsilon_in_the_root),
        cmocka_unit_test(both_forms_of_the_projection_agree_14_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
