/*
 * Ensembles and dropout in double: gradients by differences with the masks as drawn, subsets and
 * masks by their frequencies, and what the least of two normals is in the mean.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/ensemble.h"

#define ROWS  5
#define O     3
#define A     2
#define DRAWS 100000

static const int hidden[] = {7, 6};

struct ensemble_case {
    struct arena mem;
    struct ensemble e;
    struct rng rng;
    double s[ROWS * O], a[ROWS * A], w[ROWS], y[ROWS];
    int which; /* critic under the differences */
};

static double value(struct ensemble_case *k, int critic, int row, uint64_t *ret_pattern)
{
    const struct mlp *m = &k->e.q[critic].net;
    const double *keep[2];
    double x[O + A], q;
    memcpy(x, k->s + row * O, sizeof(double) * O);
    memcpy(x + O, k->a + row * A, sizeof(double) * A);
    for (int l = 0; l < 2; l++) {
        keep[l] = m->drop[l].keep.v + row * m->drop[l].keep.ld;
    }
    plain_mlp_kept(&m->shape, m->w, m->drop[0].n > 0 ? keep : NULL, x, &q, ret_pattern);
    return q;
}

static double fit_loss(void *self, uint64_t *ret_pattern)
{
    struct ensemble_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double d = value(k, k->which, i, ret_pattern) - k->y[i];
        loss += 0.5 * k->w[i] * d * d / ROWS;
    }
    return loss;
}

static double mean_loss(void *self, uint64_t *ret_pattern)
{
    struct ensemble_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        for (int c = 0; c < k->e.n; c++) {
            loss += value(k, c, i, ret_pattern) / k->e.n;
        }
    }
    return loss;
}

static void begin(struct ensemble_case *k, int n, bool norm, double dropout)
{
    rng_seed(&k->rng, 6);
    assert_int_equal(arena_open(&k->mem, "ensemble", (size_t)16 << 20), 0);
    const struct net_spec spec = {.n_obs = O,
                                  .n_act = A,
                                  .hidden = hidden,
                                  .n_hidden = 2,
                                  .layer_norm = norm,
                                  .dropout = dropout,
                                  .rows = ROWS,
                                  .adam = adam_defaults(0.0)};
    ensemble_init(&k->e, n, &spec, &k->mem, &k->rng);
    for (int i = 0; i < ROWS * O; i++) {
        k->s[i] = 2.0 * rng_uniform(&k->rng) - 1.0;
    }
    for (int i = 0; i < ROWS * A; i++) {
        k->a[i] = 2.0 * rng_uniform(&k->rng) - 1.0;
    }
    for (int i = 0; i < ROWS; i++) {
        k->w[i] = rng_uniform(&k->rng);
        k->y[i] = rng_normal(&k->rng);
    }
}

/* 14.1: every critic steps down the gradient of its own loss, dropout as drawn for that pass. */
static void each_critic_fits_by_its_gradient(void **state)
{
    (void)state;
    static struct ensemble_case k;
    for (int norm = 0; norm < 2; norm++) {
        for (int drop = 0; drop < 2; drop++) {
            begin(&k, 3, norm != 0, 0.3 * drop);
            double td[ROWS], sum = 0.0;
            const struct critic_target target = {k.y, k.w, td};
            const double loss = ensemble_fit(&k.e, k.s, k.a, &target, ROWS);
            for (k.which = 0; k.which < 3; k.which++) {
                struct mlp *net = &k.e.q[k.which].net;
                uint64_t pattern = 0;
                sum += fit_loss(&k, &pattern);
                check_differences("critic", net->w, net->n, net->g, fit_loss, &k);
            }
            assert_true(fabs(loss - sum) < 1e-12);
            uint64_t pattern = 0;
            assert_true(fabs(td[1] - fabs(value(&k, 0, 1, &pattern) - k.y[1])) < 1e-12);
            arena_close(&k.mem);
        }
    }
}

static void the_mean_reaches_the_action_through_all(void **state)
{
    (void)state;
    static struct ensemble_case k;
    double da[ROWS * A];
    begin(&k, 4, true, 0.2);
    const double *q = ensemble_mean(&k.e, k.s, k.a, ROWS);
    double sum = 0.0;
    for (int i = 0; i < ROWS; i++) {
        sum += q[i];
    }
    uint64_t pattern = 0;
    assert_true(fabs(sum - mean_loss(&k, &pattern)) < 1e-12);
    ensemble_backward_action(&k.e, 1.0, ROWS, da);
    check_differences("action", k.a, ROWS * A, da, mean_loss, &k);
    arena_close(&k.mem);
}

static void the_least_is_of_those_named(void **state)
{
    (void)state;
    static struct ensemble_case k;
    static const int which[] = {2, 0};
    begin(&k, 3, false, 0.0);
    const double *q = ensemble_least(&k.e, which, 2, k.s, k.a, ROWS);
    for (int i = 0; i < ROWS; i++) {
        uint64_t pattern = 0;
        const double two = value(&k, 2, i, &pattern), none = value(&k, 0, i, &pattern);
        assert_true(fabs(q[i] - fmin(two, none)) < 1e-12);
    }
    arena_close(&k.mem);
}

/* 14.9: the least of a random two of ten independent N(0, 1) is -0.5642 in the mean. */
static void a_random_pair_underestimates_14_9(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 9);
    int count[10] = {0};
    double sum = 0.0;
    for (int t = 0; t < DRAWS; t++) {
        double x[10];
        int two[2];
        for (int i = 0; i < 10; i++) {
            x[i] = rng_normal(&rng);
        }
        ensemble_draw(10, 2, &rng, two);
        assert_true(two[0] != two[1]);
        count[two[0]]++;
        count[two[1]]++;
        sum += fmin(x[two[0]], x[two[1]]);
    }
    assert_true(fabs(sum / DRAWS + 0.5642) < 4.0 * 0.8256 / sqrt(DRAWS));
    for (int i = 0; i < 10; i++) { /* sd 126 */
        assert_true(abs(count[i] - DRAWS / 5) < 600);
    }
}

static void masks_keep_the_mean(void **state)
{
    (void)state;
    struct arena mem;
    struct dropout z;
    struct rng rng;
    double x[ROWS * 7];
    rng_seed(&rng, 4);
    assert_int_equal(arena_open(&mem, "dropout", (size_t)1 << 20), 0);
    dropout_init(&z, 7, 0.1, ROWS, &mem);
    int zeros = 0;
    const int rounds = 20000;
    for (int t = 0; t < rounds; t++) {
        dropout_draw(&z, ROWS, &rng);
        for (int i = 0; i < ROWS * 7; i++) {
            x[i] = 1.0;
        }
        dropout_apply(&z, NULL, 0, ROWS, (struct matrix){x, 7});
        for (int i = 0; i < ROWS * 7; i++) {
            assert_true(x[i] == 0.0 || fabs(x[i] - 1.0 / 0.9) < 1e-12);
            zeros += x[i] == 0.0;
        }
    }
    const double n = (double)rounds * ROWS * 7;
    assert_true(fabs(zeros / n - 0.1) < 4.0 * sqrt(0.09 / n));
    arena_close(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_critic_fits_by_its_gradient),
        cmocka_unit_test(the_mean_reaches_the_action_through_all),
        cmocka_unit_test(the_least_is_of_those_named),
        cmocka_unit_test(a_random_pair_underestimates_14_9),
        cmocka_unit_test(masks_keep_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
