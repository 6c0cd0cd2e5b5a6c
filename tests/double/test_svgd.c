/*
 * Stein variational gradient descent and soft values against known numbers, in double. Numbers
 * without a formula were computed apart from this code.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/boltzmann.h"
#include "policies/nn/svgd.h"

#define N_MAX 200

struct cloud {
    struct arena mem;
    struct svgd z;
    int n, dim;
    double x[N_MAX * 2], score[N_MAX * 2], delta[N_MAX * 2];
    struct rng rng;
};

static void cloud_begin(struct cloud *c, int n, int dim)
{
    assert_int_equal(arena_open(&c->mem, "cloud", (size_t)16 << 20), 0);
    svgd_init(&c->z, kernel_best(), dim, n, n, &c->mem);
    c->n = n;
    c->dim = dim;
    rng_seed(&c->rng, 3);
    for (int i = 0; i < n * dim; i++) {
        c->x[i] = rng_normal(&c->rng);
    }
}

/* So many steps towards the density whose score is given. */
static void cloud_move(struct cloud *c, void (*score)(struct cloud *c), double step, int steps,
                       bool repulsion)
{
    for (int t = 0; t < steps; t++) {
        score(c);
        const double h = svgd_bandwidth(&c->z, c->x, c->x);
        svgd_direction(&c->z, c->score, h, repulsion, c->delta);
        for (int i = 0; i < c->n * c->dim; i++) {
            c->x[i] += step * c->delta[i];
        }
    }
}

static void moments(const struct cloud *c, int k, int l, double *ret_mean, double *ret_cov)
{
    double a = 0.0, b = 0.0, ab = 0.0;
    for (int i = 0; i < c->n; i++) {
        a += c->x[i * c->dim + k] / c->n;
        b += c->x[i * c->dim + l] / c->n;
        ab += c->x[i * c->dim + k] * c->x[i * c->dim + l] / c->n;
    }
    *ret_mean = a;
    *ret_cov = ab - a * b;
}

static void score_standard(struct cloud *c)
{
    for (int i = 0; i < c->n; i++) {
        c->score[i] = -c->x[i];
    }
}

static void score_narrow(struct cloud *c) /* N(1.5, 0.5^2) */
{
    for (int i = 0; i < c->n; i++) {
        c->score[i] = -(c->x[i] - 1.5) / 0.25;
    }
}

static void score_leaning(struct cloud *c) /* unit variances, correlation 0.8 */
{
    for (int i = 0; i < c->n; i++) {
        const double x = c->x[2 * i], y = c->x[2 * i + 1];
        c->score[2 * i] = -(x - 0.8 * y) / 0.36;
        c->score[2 * i + 1] = -(y - 0.8 * x) / 0.36;
    }
}

/* Oracle 14.5: particles -1, 0, 2 for N(0, 1). */
static void one_step_is_known_14_5(void **state)
{
    (void)state;

    static const struct {
        double h, delta[3];
    } rows[] = {{.72134752, {.1022711534, .3045579437, -.6594345354}},
                {1.0, {.0877512797, .3312481634, -.6419578586}}};
    static struct cloud c;
    cloud_begin(&c, 3, 1);
    memcpy(c.x, (const double[]){-1, 0, 2}, 3 * sizeof c.x[0]);
    score_standard(&c);
    const double h = svgd_bandwidth(&c.z, c.x, c.x);
    assert_true(fabs(h - 1.0 / log(4.0)) < 1e-12);
    for (int r = 0; r < 2; r++) {
        svgd_direction(&c.z, c.score, r == 0 ? h : rows[r].h, true, c.delta);
        for (int i = 0; i < 3; i++) {
            assert_true(fabs(c.delta[i] - rows[r].delta[i]) < 1e-9);
        }
    }
    arena_close(&c.mem);
}

/* Oracle 14.5: what finitely many particles settle at for N(1.5, 0.5^2). */
static void particles_become_draws_14_5(void **state)
{
    (void)state;

    static const struct {
        int n, steps;
        double step, mean, sd;
    } rows[] = {{10, 4000, .05, 1.500000, .4394},
                {50, 4000, .05, 1.49998, .4840},
                {200, 800, .25, 1.49995, .4947}};
    static struct cloud c;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        double mean, variance;
        cloud_begin(&c, rows[r].n, 1);
        cloud_move(&c, score_narrow, rows[r].step, rows[r].steps, true);
        moments(&c, 0, 0, &mean, &variance);
        print_message("%d particles: mean %.5f, deviation %.4f\n", rows[r].n, mean, sqrt(variance));
        assert_true(fabs(mean - rows[r].mean) < 1e-3);
        assert_true(fabs(sqrt(variance) / rows[r].sd - 1.0) < 0.02);
        arena_close(&c.mem);
    }
}

/* Oracle 14.5: two dimensions, correlation 0.8. */
static void particles_take_the_shape_of_the_density_14_5(void **state)
{
    (void)state;
    static struct cloud c;
    double mean[2], xx, yy, xy;
    cloud_begin(&c, N_MAX, 2);
    cloud_move(&c, score_leaning, .3, 1000, true);
    moments(&c, 0, 0, &mean[0], &xx);
    moments(&c, 1, 1, &mean[1], &yy);
    moments(&c, 0, 1, &mean[0], &xy);
    print_message("covariance %.4f %.4f %.4f\n", xx, xy, yy);
    assert_true(fabs(mean[0]) < 0.02 && fabs(mean[1]) < 0.02);
    assert_true(fabs(xx - 1.0) < 0.05 && fabs(yy - 1.0) < 0.05 && fabs(xy / 0.8 - 1.0) < 0.05);
    arena_close(&c.mem);
}

/* Oracle 14.5: without the second term all of them stand on the mode. */
static void without_repulsion_they_collapse_14_5(void **state)
{
    (void)state;
    static struct cloud c;
    double mean, variance;
    cloud_begin(&c, 50, 1);
    cloud_move(&c, score_narrow, .05, 4000, false);
    moments(&c, 0, 0, &mean, &variance);
    assert_true(fabs(mean - 1.5) < 1e-3 && variance < 1e-6);
    arena_close(&c.mem);
}

/* Oracle 14.5: one particle climbs the gradient, and nothing repels it. */
static void one_particle_climbs_14_5(void **state)
{
    (void)state;
    static struct cloud c;
    cloud_begin(&c, 1, 2);
    score_leaning(&c);
    svgd_direction(&c.z, c.score, svgd_bandwidth(&c.z, c.x, c.x), true, c.delta);
    assert_true(c.delta[0] == c.score[0] && c.delta[1] == c.score[1]);
    arena_close(&c.mem);
}

/* Oracle 14.5: the repulsion of all particles adds up to nothing. */
static void repulsion_is_antisymmetric_14_5(void **state)
{
    (void)state;
    static struct cloud c;
    double sum[2] = {0}, most = 0.0;
    cloud_begin(&c, 33, 2);
    memset(c.score, 0, sizeof c.score);
    svgd_direction(&c.z, c.score, svgd_bandwidth(&c.z, c.x, c.x), true, c.delta);
    for (int i = 0; i < c.n; i++) {
        sum[0] += c.delta[2 * i];
        sum[1] += c.delta[2 * i + 1];
        most = fmax(most, fabs(c.delta[2 * i]));
    }
    assert_true(fabs(sum[0]) < 1e-12 && fabs(sum[1]) < 1e-12 && most > 0.05);
    arena_close(&c.mem);
}

/* The median of an even number is the upper one in the middle; equal particles have a least h. */
static void bandwidth_is_by_the_median(void **state)
{
    (void)state;
    static struct cloud c;
    static const double from[] = {0, 1}, to[] = {0, 3}; /* squared: 0 9 1 4 */
    cloud_begin(&c, 2, 1);
    assert_true(fabs(svgd_bandwidth(&c.z, from, to) - 4.0 / log(3.0)) < 1e-12);
    assert_true(svgd_bandwidth(&c.z, from, from) == 1.0 / log(3.0)); /* 0 0 1 1 */
    static const double same[] = {2, 2};
    assert_true(svgd_bandwidth(&c.z, same, same) == SVGD_BANDWIDTH_MIN);
    arena_close(&c.mem);
}

/* --- soft values --- */

/* Oracle 14.3: Q = 1, 2, 0.5. */
static void soft_values_of_choices_are_known_14_3(void **state)
{
    (void)state;
    static const double q[] = {1, 2, .5}, pi_at_1[] = {.2312239, .62853172, .14024438};

    static const struct {
        double alpha, v;
    } rows[] = {{.01, 2.0000000000}, {.1, 2.0000045705}, {1, 2.4643687841}, {10, 12.1723786488}};

    double pi[3];
    for (size_t r = 0; r < 4; r++) {
        const double v = soft_value(q, 3, ~UINT64_C(0), rows[r].alpha, pi);
        double sum = rows[r].alpha * choice_entropy(pi, 3);
        for (int a = 0; a < 3; a++) {
            sum += pi[a] * q[a];
            assert_true(rows[r].alpha != 1.0 || fabs(pi[a] - pi_at_1[a]) < 1e-7);
        }
        assert_true(fabs(v - rows[r].v) < 1e-10 && fabs(v - sum) < 1e-12);
        assert_true(rows[r].alpha != 1.0 || fabs(choice_entropy(pi, 3) - .90595926) < 1e-8);
    }
    /* without the second choice: as if there were two */
    const double two[] = {1, .5};
    double pi2[2];
    assert_true(fabs(soft_value(q, 3, 5, .7, pi) - soft_value(two, 2, 3, .7, pi2)) < 1e-14);
    assert_true(pi[1] == 0.0 && fabs(pi[0] - pi2[0]) < 1e-15 && fabs(pi[2] - pi2[1]) < 1e-15);
}

/* Oracle 14.3: the estimate's mean and deviation over many draws of M, and the integral itself. */
static void soft_values_of_actions_are_estimated_14_3(void **state)
{
    (void)state;

    static const struct {
        double k, alpha;
        int m;
        double mean, sd, mean_tolerance;
    } rows[] = {{10, .1, 4, -.388, .50, .02},      {10, .1, 16, -.160, .083, .003},
                {10, .1, 64, -.1423, .0288, .001}, {10, .1, 256, -.1394, .0136, .0005},
                {2, .5, 4, .0735, .131, .004},     {2, .5, 16, .0861, .061, .002},
                {2, .5, 64, .0890, .030, .001},    {2, .5, 256, .0892, .015, .0005}};

    enum { DRAWS = 20000, M_MAX = 256 };

    static double q[M_MAX];
    struct rng rng;
    rng_seed(&rng, 4);
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        const double exact = rows[r].alpha * log(sqrt(2.0 * M_PI * rows[r].alpha / rows[r].k) *
                                                 erf(sqrt(rows[r].k / (2.0 * rows[r].alpha))));
        double sum = 0.0, sum2 = 0.0, effective;
        for (int t = 0; t < DRAWS; t++) {
            for (int j = 0; j < rows[r].m; j++) {
                const double a = 2.0 * rng_uniform(&rng) - 1.0;
                q[j] = -0.5 * rows[r].k * a * a;
            }
            const double v = soft_value_estimate(q, rows[r].m, 1, rows[r].alpha, &effective);
            assert_true(effective > 0.0 && effective <= 1.0 + 1e-12);
            sum += v / DRAWS;
            sum2 += v * v / DRAWS;
        }
        const double sd = sqrt(sum2 - sum * sum);
        print_message("k %g, M %d: mean %.4f, deviation %.4f, exact %.4f\n", rows[r].k, rows[r].m,
                      sum, sd, exact);
        assert_true(fabs(sum - rows[r].mean) < rows[r].mean_tolerance);
        assert_true(fabs(sd / rows[r].sd - 1.0) < 0.06);
        assert_true(sum < exact); /* always too low */
    }
}

/* Oracle 14.3: the integral, from a fine grid in place of draws. */
static void soft_values_of_actions_are_exact_in_the_end_14_3(void **state)
{
    (void)state;

    static const struct {
        double k, alpha, v;
    } rows[] = {{10, .1, -.1383646560}, {2, .5, .0896117202}};

    enum { M = 20000 };

    static double q[M];
    for (int r = 0; r < 2; r++) {
        for (int j = 0; j < M; j++) {
            const double a = (2.0 * j + 1.0) / M - 1.0;
            q[j] = -0.5 * rows[r].k * a * a;
        }
        assert_true(fabs(soft_value_estimate(q, M, 1, rows[r].alpha, NULL) - rows[r].v) < 1e-8);
    }
    /* a flat Q of two actions: its volume is 4 */
    memset(q, 0, sizeof q);
    assert_true(fabs(soft_value_estimate(q, M, 2, 3.0, NULL) - 3.0 * log(4.0)) < 1e-12);
}

static void choices_are_drawn_with_their_chances(void **state)
{
    (void)state;
    static const double pi[] = {.2, 0, .7, .1};
    int n[4] = {0};
    struct rng rng;
    rng_seed(&rng, 6);
    for (int t = 0; t < 100000; t++) {
        n[choice_draw(pi, 4, &rng)]++;
    }
    assert_int_equal(n[1], 0);
    for (int a = 0; a < 4; a++) {
        assert_true(fabs(n[a] / 1e5 - pi[a]) < 0.006); /* 4 sd */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step_is_known_14_5),
        cmocka_unit_test(particles_become_draws_14_5),
        cmocka_unit_test(particles_take_the_shape_of_the_density_14_5),
        cmocka_unit_test(without_repulsion_they_collapse_14_5),
        cmocka_unit_test(one_particle_climbs_14_5),
        cmocka_unit_test(repulsion_is_antisymmetric_14_5),
        cmocka_unit_test(bandwidth_is_by_the_median),
        cmocka_unit_test(soft_values_of_choices_are_known_14_3),
        cmocka_unit_test(soft_values_of_actions_are_estimated_14_3),
        cmocka_unit_test(soft_values_of_actions_are_exact_in_the_end_14_3),
        cmocka_unit_test(choices_are_drawn_with_their_chances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
