/*
 * Batch-normalised networks in double: gradients by differences through the batch's own mean and
 * variance, r and d held fixed; the averages; what is folded in.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/bnet.h"

#define ROWS 7
#define IN   4
#define OUT  2

static const int hidden[] = {6, 5};

struct bnet_case {
    struct arena mem;
    struct bnet z;
    double x[ROWS * IN], c[ROWS * OUT];
    double r[LAYERS_MAX][8], d[LAYERS_MAX][8]; /* as the learning pass used them */
};

/* y [ROWS,n] of x by the batch's mean and variance, corrected by r and d. */
static void plain_norm(const struct batchnorm *b, const double *r, const double *d, const double *x,
                       double *ret_y)
{
    for (int k = 0; k < b->n; k++) {
        double mean = 0.0, var = 0.0;
        for (int i = 0; i < ROWS; i++) {
            mean += x[i * b->n + k] / ROWS;
        }
        for (int i = 0; i < ROWS; i++) {
            var += pow(x[i * b->n + k] - mean, 2.0) / ROWS;
        }
        for (int i = 0; i < ROWS; i++) {
            const double xhat = (x[i * b->n + k] - mean) / sqrt(var + 1e-3);
            ret_y[i * b->n + k] = b->w[k] * (xhat * r[k] + d[k]) + b->w[b->n + k];
        }
    }
}

/* y [ROWS,out] = x W' + b */
static void plain_dense(const struct mlp *m, const double *x, double *ret_y)
{
    const int in = m->shape.width[0], out = m->shape.width[1];
    for (int i = 0; i < ROWS; i++) {
        for (int o = 0; o < out; o++) {
            double sum = m->w[out * in + o];
            for (int k = 0; k < in; k++) {
                sum += m->w[o * in + k] * x[i * in + k];
            }
            ret_y[i * out + o] = sum;
        }
    }
}

static void plain_bnet(const struct bnet_case *k, double *ret_y, uint64_t *ret_pattern)
{
    const struct bnet *z = &k->z;
    double now[ROWS * 8], next[ROWS * 8];
    memcpy(now, k->x, sizeof k->x);
    for (int l = 0; l < z->shape.n_layers; l++) {
        plain_norm(&z->norm[l], k->r[l], k->d[l], now, next);
        plain_dense(&z->dense[l], next, now);
        for (int i = 0; l + 1 < z->shape.n_layers && i < ROWS * z->shape.width[l + 1]; i++) {
            decide(ret_pattern, now[i] > 0.0);
            now[i] = now[i] > 0.0 ? now[i] : 0.0;
        }
    }
    memcpy(ret_y, now, sizeof(double) * ROWS * OUT);
}

static double bnet_loss(void *self, uint64_t *ret_pattern)
{
    const struct bnet_case *k = self;
    double y[ROWS * OUT], loss = 0.0;
    plain_bnet(k, y, ret_pattern);
    for (int i = 0; i < ROWS * OUT; i++) {
        loss += k->c[i] * y[i];
    }
    return loss;
}

/* The same by the averages, by the network folded. */
static double folded_loss(void *self, uint64_t *ret_pattern)
{
    const struct bnet_case *k = self;
    static double w[512];
    double loss = 0.0, y[OUT];
    bnet_fold(&k->z, w);
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&k->z.shape, w, k->x + i * IN, y, ret_pattern);
        for (int o = 0; o < OUT; o++) {
            loss += k->c[i * OUT + o] * y[o];
        }
    }
    return loss;
}

static void begin(struct bnet_case *k, int64_t warmup)
{
    struct rng r;
    rng_seed(&r, 11);
    assert_int_equal(arena_open(&k->mem, "bnet", (size_t)16 << 20), 0);
    const struct net_spec spec = {
        .hidden = hidden, .n_hidden = 2, .rows = ROWS, .adam = adam_defaults(1e-3)};
    bnet_init(&k->z, &spec, IN, OUT, warmup, &k->mem, &r);
    for (int i = 0; i < ROWS * IN; i++) {
        k->x[i] = 3.0 * rng_uniform(&r) - 1.0;
    }
    for (int i = 0; i < ROWS * OUT; i++) {
        k->c[i] = 2.0 * rng_uniform(&r) - 1.0;
    }
    for (int l = 0; l < k->z.shape.n_layers; l++) {
        struct batchnorm *b = &k->z.norm[l];
        double *w = b->w, *mean = b->mean, *var = b->var;
        for (int i = 0; i < b->n; i++) {
            w[i] += 0.6 * rng_uniform(&r) - 0.3;
            w[b->n + i] = 0.6 * rng_uniform(&r) - 0.3;
            mean[i] = rng_uniform(&r) - 0.5;
            var[i] = 0.2 + rng_uniform(&r);
        }
    }
}

/* The input, through a learning pass; r and d as it used them. */
static const double *learn(struct bnet_case *k)
{
    double *to = bnet_input(&k->z);
    memcpy(to, k->x, sizeof k->x);
    const double *y = bnet_forward(&k->z, ROWS, true);
    for (int l = 0; l < k->z.shape.n_layers; l++) {
        const size_t n = (size_t)k->z.norm[l].n * sizeof(double);
        memcpy(k->r[l], k->z.norm[l].r, n);
        memcpy(k->d[l], k->z.norm[l].d, n);
    }
    return y;
}

/* 14.1: batch normalisation, and renormalisation with r and d frozen. */
static void it_learns_by_its_gradient_14_1(void **state)
{
    (void)state;
    static struct bnet_case k;
    for (int renorm = 0; renorm < 2; renorm++) {
        begin(&k, renorm != 0 ? 0 : 1000);
        uint64_t pattern = 0;
        double want[ROWS * OUT];
        const double *y = learn(&k);
        plain_bnet(&k, want, &pattern);
        for (int i = 0; i < ROWS * OUT; i++) {
            assert_true(fabs(y[i] - want[i]) < 1e-12);
        }
        assert_true((k.r[0][0] != 1.0) == (renorm != 0));
        bnet_backward(&k.z, k.c, ROWS);
        for (int l = 0; l < 3; l++) {
            struct mlp *m = &k.z.dense[l];
            struct batchnorm *b = &k.z.norm[l];
            check_differences("dense", m->w, m->n, m->g, bnet_loss, &k);
            check_differences("norm", b->w, 2 * b->n, b->g, bnet_loss, &k);
        }
        arena_close(&k.mem);
    }
}

static void by_averages_it_is_a_plain_network(void **state)
{
    (void)state;
    static struct bnet_case k;
    double dx[ROWS * IN];
    begin(&k, 0);
    double *to = bnet_input(&k.z);
    memcpy(to, k.x, sizeof k.x);
    const double *y = bnet_forward(&k.z, ROWS, false);
    double loss = 0.0;
    for (int i = 0; i < ROWS * OUT; i++) {
        loss += k.c[i] * y[i];
    }
    uint64_t pattern = 0;
    assert_true(fabs(loss - folded_loss(&k, &pattern)) < 1e-12);
    bnet_backward_input(&k.z, k.c, ROWS, dx);
    check_differences("input", k.x, ROWS * IN, dx, folded_loss, &k);
    arena_close(&k.mem);
}

/* After many passes over one batch the averages are that batch's, so both passes agree. */
static void averages_come_to_the_batch(void **state)
{
    (void)state;
    static struct bnet_case k;
    double at_first[ROWS * OUT];
    begin(&k, 100);
    for (int t = 0; t < 4000; t++) {
        (void)learn(&k);
    }
    memcpy(at_first, learn(&k), sizeof at_first);
    assert_true(fabs(k.r[1][0] - 1.0) < 1e-9 && fabs(k.d[1][0]) < 1e-9);
    double *to = bnet_input(&k.z);
    memcpy(to, k.x, sizeof k.x);
    const double *y = bnet_forward(&k.z, ROWS, false);
    for (int i = 0; i < ROWS * OUT; i++) {
        assert_true(fabs(y[i] - at_first[i]) < 1e-9);
    }
    assert_int_equal(k.z.norm[0].seen, 4001);
    arena_close(&k.mem);
}

/* arXiv:1702.03275: r stays in [1/3, 3], d in [-5, 5]. */
static void corrections_are_bounded(void **state)
{
    (void)state;
    static struct bnet_case k;
    begin(&k, 0);
    double *var = k.z.norm[0].var, *mean = k.z.norm[0].mean;
    var[0] = 1e-6;
    mean[1] = 100.0;
    var[2] = 1e6;
    (void)learn(&k);
    assert_true(k.r[0][0] == 3.0);
    assert_true(k.d[0][1] == -5.0);
    assert_true(fabs(k.r[0][2] - 1.0 / 3.0) < 1e-12);
    arena_close(&k.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_by_its_gradient_14_1),
        cmocka_unit_test(by_averages_it_is_a_plain_network),
        cmocka_unit_test(averages_come_to_the_batch),
        cmocka_unit_test(corrections_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
