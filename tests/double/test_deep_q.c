/*
 * Deep Q-learning in double: the pieces against hand-made numbers and differences, and whole
 * updates through the contract of policies: what is learnt towards, and that the gradient is the
 * loss's.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/greedy.h"
#include "policies/nn/categorical.h"
#include "policies/nn/dueling.h"
#include "policies/nn/noisy.h"
#include "policies/nn/quantile.h"
#include "policies/nn/rmsprop.h"
#include "tests/unit/policy_fixture.h"

#define ROWS  6
#define O     3
#define DRAWS 100000

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) {
        fail_msg("%.12g, not %.12g", got, want);
    }
}

/* --- 14.6: distributions --- */

static void a_distribution_is_projected_on_its_atoms_14_6(void **state)
{
    (void)state;
    static const struct support z = {5, -2.0, 2.0};
    static const double p[5] = {.1, .2, .4, .2, .1};

    static const struct {
        double r, g, m[5];
    } cases[] = {
        {.3, .5, {0, .11, .51, .35, .03}},
        {1, 1, {0, .1, .2, .4, .3}},
        {1.7, .9, {0, .01, .13, .28, .58}},
        {-.5, 0, {0, .5, .5, 0, 0}},
        {5, 0, {0, 0, 0, 0, 1}},
        {0, 1, {.1, .2, .4, .2, .1}}, /* the identity */
    };

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double m[5], sum = 0.0;
        categorical_project(&z, p, cases[c].r, cases[c].g, m);
        for (int j = 0; j < 5; j++) {
            assert_near(m[j], cases[c].m[j], 1e-12);
            sum += m[j];
        }
        assert_near(sum, 1.0, 1e-12);
    }
    /* what is not clipped keeps its mean, r + g 0; the others lose or gain what is cut off */
    static const double means[] = {.3, .9, 1.43, -.5, 2, 0};
    for (size_t c = 0; c < sizeof means / sizeof means[0]; c++) {
        double m[5];
        categorical_project(&z, p, cases[c].r, cases[c].g, m);
        assert_near(categorical_mean(&z, m), means[c], 1e-12);
    }
}

static void quantiles_and_huber_have_their_numbers_14_6(void **state)
{
    (void)state;
    static const double theta[3] = {-1, 0, 1}, y[2] = {.5, 2};
    double d[3];
    /* sum over quantiles of the mean over targets; of both the mean, as TQC has it */
    assert_near(quantile_loss(theta, 3, y, 2, d), .9166666667, 1e-9);
    assert_near(quantile_loss(theta, 3, y, 2, d) / 3, .3055555556, 1e-9);
    assert_near(huber(.5), .125, 0.0);
    assert_near(huber(-1), .5, 0.0);
    assert_near(huber(3), 2.5, 0.0);
    assert_near(huber_derivative(-3), -1.0, 0.0);
    assert_near(huber_derivative(.25), .25, 0.0);
}

/* --- 14.9: dueling, RMSProp --- */

static void a_constant_advantage_changes_nothing_14_9(void **state)
{
    (void)state;
    static const double raw[8] = {1, 2, .1, .2, -.3, .5, .7, -.9}; /* V, three choices, two atoms */
    double more[8], q[6], q2[6], draw[8];
    static const double dq[6] = {.3, -.1, .4, .2, -.6, .5};
    memcpy(more, raw, sizeof raw);
    for (int i = 2; i < 8; i++) {
        more[i] += 7.5;
    }
    dueling_combine(3, 2, raw, q);
    dueling_combine(3, 2, more, q2);
    for (int i = 0; i < 6; i++) {
        assert_near(q[i], q2[i], 1e-12);
    }
    assert_near(q[0], 1 + .1 - (.1 - .3 + .7) / 3, 1e-12);
    dueling_backward(3, 2, dq, draw);
    assert_near(draw[0], .3 + .4 - .6, 1e-12); /* into V: the sum; into advantages: none in sum */
    assert_near(draw[2] + draw[4] + draw[6], 0.0, 1e-12);
    assert_near(draw[3] + draw[5] + draw[7], 0.0, 1e-12);
}

static void rmsprop_begins_with_its_step_14_9(void **state)
{
    (void)state;
    struct arena mem;
    struct rmsprop o;
    double w[2] = {0, 0};
    static const double g[2] = {3, -2};
    assert_int_equal(arena_open(&mem, "rmsprop", 1 << 16), 0);
    rmsprop_init(&o, 2, &(struct rmsprop_options){1e-3, .95, 1e-30}, &mem);
    rmsprop_step(&o, g, w);
    assert_near(w[0], -1e-3 / sqrt(.0475), 1e-12); /* 4.588 of it, whatever the gradient */
    assert_near(w[1], 1e-3 / sqrt(.0475), 1e-12);
    arena_close(&mem);
}

/* --- 14.8: noise --- */

struct noise_case {
    struct arena mem;
    struct mlp net;
    struct noisy z;
    double x[ROWS * O], c[ROWS * 2];
};

static void noise_begin(struct noise_case *k, const int *hidden, int n_hidden)
{
    struct rng r;
    struct mlp_shape shape;
    rng_seed(&r, 3);
    assert_int_equal(arena_open(&k->mem, "noise", (size_t)1 << 20), 0);
    mlp_shape(&shape, O, hidden, n_hidden, 2);
    mlp_init(&k->net, &shape, NULL, ROWS, &k->mem, &r);
    noisy_init(&k->z, &k->net, 0.5, &k->mem);
    for (int i = 0; i < ROWS * O; i++) {
        k->x[i] = 2.0 * rng_uniform(&r) - 1.0;
    }
    for (int i = 0; i < ROWS * 2; i++) {
        k->c[i] = 2.0 * rng_uniform(&r) - 1.0;
    }
}

static double noise_loss(void *self, uint64_t *ret_pattern)
{
    struct noise_case *k = self;
    double w[128], y[2], loss = 0.0;
    for (int i = 0; i < k->net.n; i++) {
        w[i] = k->z.mu[i] + k->z.sigma[i] * k->z.eps[i];
    }
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&k->net.shape, w, k->x + i * O, y, ret_pattern);
        loss += k->c[i * 2] * y[0] + k->c[i * 2 + 1] * y[1];
    }
    return loss;
}

static void noise_and_its_spread_are_learnt_14_8(void **state)
{
    (void)state;
    static struct noise_case k;
    static const int hidden[] = {5};
    struct rng r;
    rng_seed(&r, 8);
    noise_begin(&k, hidden, 1);
    noisy_draw(&k.z, &r);
    (void)mlp_forward(&k.net, k.x, ROWS);
    mlp_backward(&k.net, k.c, ROWS);
    noisy_backward(&k.z);
    check_differences("mu", k.z.mu, k.net.n, k.net.g, noise_loss, &k);
    check_differences("sigma", k.z.sigma, k.net.n, k.z.dsigma, noise_loss, &k);
    arena_close(&k.mem);
}

/* One layer: Var y_j = (2/pi) sum sigma^2 x^2 + sqrt(2/pi) sigma_b^2, the mean is without noise,
 * and two outputs do not go together. By batch and by row, each with its own draws. */
static void noise_has_its_variance_14_8(void **state)
{
    (void)state;
    static struct noise_case k;
    static double packed[512];
    struct rng r;
    rng_seed(&r, 21);
    noise_begin(&k, NULL, 0);
    assert_true(noisy_pack(&k.net.shape, k.z.mu, k.z.sigma, packed, 512) > 0);
    double plain[2], want[2];
    uint64_t pattern = 0;
    plain_mlp(&k.net.shape, k.z.mu, k.x, plain, &pattern);
    for (int j = 0; j < 2; j++) {
        const double s = 0.5 / sqrt(O);
        want[j] = sqrt(2.0 / M_PI) * s * s;
        for (int i = 0; i < O; i++) {
            want[j] += 2.0 / M_PI * s * s * k.x[i] * k.x[i];
        }
    }
    for (int by_row = 0; by_row < 2; by_row++) {
        double sum[2] = {0}, sum2[2] = {0}, both = 0.0, row[2];
        for (int t = 0; t < DRAWS; t++) {
            const double *y = row;
            if (by_row) {
                noisy_row(&k.net.shape, packed, k.x, &r, row);
            } else {
                noisy_draw(&k.z, &r);
                y = mlp_forward(&k.net, k.x, 1);
            }
            for (int j = 0; j < 2; j++) {
                sum[j] += (y[j] - plain[j]) / DRAWS;
                sum2[j] += (y[j] - plain[j]) * (y[j] - plain[j]) / DRAWS;
            }
            both += (y[0] - plain[0]) * (y[1] - plain[1]) / DRAWS;
        }
        for (int j = 0; j < 2; j++) {
            assert_near(sum[j], 0.0, 4.0 * sqrt(want[j] / DRAWS));
            assert_near(sum2[j], want[j], 0.03 * want[j]);
        }
        assert_near(both, 0.0, 0.03 * want[0]);
    }
    noisy_row(&k.net.shape, packed, k.x, NULL, want);
    assert_near(want[0], plain[0], 1e-12);
    noisy_draw(&k.z, NULL);
    assert_near(mlp_forward(&k.net, k.x, 1)[1], plain[1], 1e-12);
    arena_close(&k.mem);
}

/* sigma 0: the layer as if it had no noise, whatever is drawn. */
static void without_spread_it_is_a_plain_layer_14_8(void **state)
{
    (void)state;
    static struct noise_case k;
    static double packed[512];
    static const int hidden[] = {5};
    struct rng r;
    rng_seed(&r, 4);
    noise_begin(&k, hidden, 1);
    memset(k.z.sigma, 0, (size_t)k.net.n * sizeof *k.z.sigma);
    assert_true(noisy_pack(&k.net.shape, k.z.mu, k.z.sigma, packed, 512) > 0);
    noisy_draw(&k.z, &r);
    const double *y = mlp_forward(&k.net, k.x, ROWS);
    for (int i = 0; i < ROWS; i++) {
        double want[2], row[2];
        uint64_t pattern = 0;
        plain_mlp(&k.net.shape, k.z.mu, k.x + i * O, want, &pattern);
        noisy_row(&k.net.shape, packed, k.x + i * O, &r, row);
        for (int j = 0; j < 2; j++) {
            assert_near(y[i * 2 + j], want[j], 1e-12);
            assert_near(row[j], want[j], 1e-12);
        }
    }
    arena_close(&k.mem);
}

/* --- whole updates --- */

#define CHOICES 4
#define OFFSET  100.0

static const struct dims dims = {.n_obs = O,
                                 .n_vector = O,
                                 .n_act = 1,
                                 .n_choices = CHOICES,
                                 .batch = ROWS,
                                 .seg_len = 1,
                                 .policy_rate_hz = 10.0};

struct q_case {
    struct learner_fixture l;
    struct mlp_shape shape;
    int n, atoms, kind; /* 0 mean with Huber, 1 mean with squares, 2 C51, 3 quantiles */
    bool dueling;
    double s[ROWS * O], a[ROWS], r[ROWS], s2[ROWS * O], g[ROWS], w[ROWS], td[ROWS];
    uint64_t legal2[ROWS];
    double y[ROWS * 8], before[512];
    struct batch b;
    struct stats stats;
};

static void q_begin(struct q_case *k, int kind, bool dueling, bool double_q)
{
    static const char *const kinds[] = {"none", "none", "c51", "qr"};
    const struct setting settings[] = {{"distributional", kinds[kind]},
                                       {"loss", kind == 1 ? "mse" : "huber"},
                                       {"n_atoms", "5"},
                                       {"n_quantiles", "4"},
                                       {"v_min", "-2"},
                                       {"v_max", "2"},
                                       {"dueling", dueling ? "true" : "false"},
                                       {"double_q", double_q ? "true" : "false"},
                                       {"net_arch", "[6]"},
                                       {"max_grad_norm", "0"},
                                       {"target_update_interval", "1000"},
                                       {NULL, NULL}};
    static const int hidden[] = {6};
    struct rng r;
    rng_seed(&r, 17);
    learner_make(&k->l, policy_find("dqn"), &dims, settings, 5);
    k->kind = kind;
    k->dueling = dueling;
    k->atoms = kind == 2 ? 5 : kind == 3 ? 4 : 1;
    mlp_shape(&k->shape, O, hidden, 1, (CHOICES + (dueling ? 1 : 0)) * k->atoms);
    k->n = mlp_weights(&k->shape);
    for (int i = 0; i < ROWS * O; i++) {
        k->s[i] = 2.0 * rng_normal(&r);
        k->s2[i] = 2.0 * rng_normal(&r);
    }
    for (int i = 0; i < ROWS; i++) {
        k->a[i] = (double)rng_below(&r, CHOICES);
        k->r[i] = 2.0 * rng_normal(&r); /* some errors are beyond 1 */
        k->g[i] = i == 2 ? 0.0 : 0.9;
        k->w[i] = 0.5 + rng_uniform(&r);
        k->legal2[i] = 7;
    }
    k->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = k->s,
                          .a = k->a,
                          .r = k->r,
                          .s2 = k->s2,
                          .g = k->g,
                          .w = k->w,
                          .legal2 = k->legal2,
                          .ret_td = k->td};
}

/* One row's numbers of each choice by plain loops. */
static void plain_q(const struct q_case *k, const double *w, const double *obs, double *ret_q,
                    uint64_t *ret_pattern)
{
    double raw[64];
    plain_mlp(&k->shape, w, obs, raw, ret_pattern);
    for (int i = 0; i < CHOICES * k->atoms; i++) {
        double mean = 0.0;
        const int atom = i % k->atoms;
        for (int c = 0; c < CHOICES && k->dueling; c++) {
            mean += raw[k->atoms + c * k->atoms + atom] / CHOICES;
        }
        ret_q[i] = k->dueling ? raw[atom] + raw[k->atoms + i] - mean : raw[i];
    }
}

static double plain_value(const struct q_case *k, const double *q)
{
    double p[8], sum = 0.0, value = 0.0;
    for (int i = 0; i < k->atoms; i++) {
        p[i] = k->kind == 2 ? exp(q[i]) : 1.0;
        sum += p[i];
    }
    for (int i = 0; i < k->atoms; i++) {
        value += p[i] / sum * (k->kind == 2 ? i - 2.0 : q[i]);
    }
    return value;
}

/* The targets of a fresh learner, whose target network is its network. */
static void plain_targets(struct q_case *k, const double *w)
{
    uint64_t pattern = 0;
    for (int i = 0; i < ROWS; i++) {
        double q[64], *y = k->y + i * k->atoms;
        plain_q(k, w, k->s2 + i * O, q, &pattern);
        int best = 0;
        for (int c = 1; c < 3; c++) { /* the fourth is not legal */
            best =
                plain_value(k, q + c * k->atoms) > plain_value(k, q + best * k->atoms) ? c : best;
        }
        const double *next = q + best * k->atoms;
        double sum = 0.0;
        for (int j = 0; j < k->atoms; j++) {
            sum += exp(next[j]);
            y[j] = k->kind == 2 ? 0.0 : k->r[i] + k->g[i] * next[j];
        }
        for (int j = 0; j < k->atoms && k->kind == 2; j++) {
            const double z = fmin(fmax(k->r[i] + k->g[i] * (j - 2.0), -2.0), 2.0);
            for (int m = 0; m < k->atoms; m++) {
                y[m] += exp(next[j]) / sum * fmax(0.0, 1.0 - fabs(z - (m - 2.0)));
            }
        }
    }
}

static double plain_row_loss(const struct q_case *k, const double *q, const double *y,
                             uint64_t *ret_pattern)
{
    double loss = 0.0, sum = 0.0;
    if (k->kind == 2) {
        for (int j = 0; j < k->atoms; j++) {
            sum += exp(q[j]);
        }
        for (int j = 0; j < k->atoms; j++) {
            loss -= y[j] * log(exp(q[j]) / sum);
        }
        return loss;
    }
    for (int i = 0; i < k->atoms; i++) {
        for (int j = 0; j < k->atoms; j++) {
            const double u = y[j] - q[i], tau = k->kind == 3 ? (2 * i + 1) / (2.0 * k->atoms) : 0.0;
            const double weight = k->kind != 3 ? 1.0 : u < 0.0 ? 1.0 - tau : tau;
            const double size = fabs(u);
            decide(ret_pattern, size > 1.0);
            decide(ret_pattern, u < 0.0);
            loss += weight / k->atoms * (size <= 1.0 || k->kind == 1 ? 0.5 * u * u : size - 0.5);
        }
    }
    return loss;
}

static double q_loss(void *self, uint64_t *ret_pattern)
{
    const struct q_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        double q[64];
        plain_q(k, k->before, k->s + i * O, q, ret_pattern);
        loss += k->w[i] / ROWS *
                plain_row_loss(k, q + (int)k->a[i] * k->atoms, k->y + i * k->atoms, ret_pattern);
    }
    return loss;
}

/* 14.1: every loss, with importance weights, through a duel or not; Adam's first moment is a tenth
 * of the gradient. */
static void updates_step_down_their_loss_14_1(void **state)
{
    (void)state;
    static struct q_case k;
    for (int i = 0; i < 8; i++) {
        q_begin(&k, i / 2, i % 2 != 0, false);
        memcpy(k.before, learner_floats(&k.l, "q.0.weight"), (size_t)k.n * sizeof(double));
        plain_targets(&k, k.before);
        k.l.policy->update(k.l.self, &k.b, &k.stats);
        double g[512];
        memcpy(g, learner_floats(&k.l, "q.adam_m"), (size_t)k.n * sizeof(double));
        for (int j = 0; j < k.n; j++) {
            g[j] /= 1.0 - 0.9;
        }
        uint64_t pattern = 0;
        assert_near(k.stats.v[0], q_loss(&k, &pattern), 1e-9);
        check_differences("dqn", k.before, k.n, g, q_loss, &k);
        if (k.kind > 1) { /* of distributions the priority is the loss */
            double q[64];
            plain_q(&k, k.before, k.s, q, &pattern);
            assert_near(k.td[0], plain_row_loss(&k, q + (int)k.a[0] * k.atoms, k.y, &pattern),
                        1e-9);
        }
        learner_free(&k.l);
    }
}

/* 14.9: the best of n values 0 seen with errors N(0,1); the same choice valued by other errors. */
static void the_best_of_n_seems_better_than_it_is_14_9(void **state)
{
    (void)state;

    static const struct {
        int n;
        double most;
    } cases[] = {{2, .5642}, {3, .8463}, {4, 1.0294}, {5, 1.1630}, {10, 1.5388}, {18, 1.8201}};

    struct rng r;
    rng_seed(&r, 11);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double one = 0.0, two = 0.0, q[18], other[18];
        for (int t = 0; t < DRAWS; t++) {
            for (int a = 0; a < cases[c].n; a++) {
                q[a] = rng_normal(&r);
                other[a] = rng_normal(&r);
            }
            one += greedy_max(q, cases[c].n, LEGAL_ALL) / DRAWS;
            two += other[greedy_choice(q, cases[c].n, LEGAL_ALL, &r)] / DRAWS;
        }
        assert_near(one, cases[c].most, 4.0 * 0.83 / sqrt(DRAWS)); /* its deviation is less */
        assert_near(two, 0.0, 4.0 / sqrt(DRAWS));
    }
}

/* 14.9: of three choices worth nothing, seen with errors N(0,1), the best seems to be worth 0.8463;
 * chosen by one network and valued by another it is worth 0. The fourth is the best, but not legal.
 */
static void double_q_does_not_overestimate_14_9(void **state)
{
    (void)state;
    static struct q_case k;
    const int draws = 20000;
    for (int twice = 0; twice < 2; twice++) {
        struct rng r;
        double sum = 0.0;
        rng_seed(&r, 2);
        q_begin(&k, 0, false, twice != 0);
        double *w = learner_floats(&k.l, "q.0.weight");
        double *t = learner_floats(&k.l, "q_target.0.weight");
        k.b.n = 1;
        k.a[0] = CHOICES - 1;
        k.r[0] = 0.0;
        k.g[0] = 1.0;
        for (int d = 0; d < draws; d++) {
            memset(w, 0, (size_t)k.n * sizeof *w);
            memset(t, 0, (size_t)k.n * sizeof *t);
            for (int c = 0; c < CHOICES - 1; c++) {
                w[k.n - CHOICES + c] = rng_normal(&r);
                t[k.n - CHOICES + c] = rng_normal(&r);
            }
            w[k.n - 1] = t[k.n - 1] = OFFSET;
            k.l.policy->restored(k.l.self);
            k.l.policy->update(k.l.self, &k.b, &k.stats);
            sum += (OFFSET - k.td[0]) / draws; /* y: the error is Q(s, a) - y, Q being OFFSET */
        }
        assert_near(sum, twice ? 0.0 : 0.8463, 4.0 / sqrt(draws));
        learner_free(&k.l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_distribution_is_projected_on_its_atoms_14_6),
        cmocka_unit_test(quantiles_and_huber_have_their_numbers_14_6),
        cmocka_unit_test(a_constant_advantage_changes_nothing_14_9),
        cmocka_unit_test(rmsprop_begins_with_its_step_14_9),
        cmocka_unit_test(noise_and_its_spread_are_learnt_14_8),
        cmocka_unit_test(noise_has_its_variance_14_8),
        cmocka_unit_test(without_spread_it_is_a_plain_layer_14_8),
        cmocka_unit_test(updates_step_down_their_loss_14_1),
        cmocka_unit_test(the_best_of_n_seems_better_than_it_is_14_9),
        cmocka_unit_test(double_q_does_not_overestimate_14_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
