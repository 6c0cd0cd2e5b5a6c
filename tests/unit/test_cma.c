/* CMA-ES on functions whose maximum is known: it gets there, whatever the axes, and repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/cma.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N          8
#define POPULATION 12

static double sphere(const double *x)
{
    double sum = 0.0;
    for (int i = 0; i < N; i++) {
        sum -= (x[i] - 0.1 * i) * (x[i] - 0.1 * i);
    }
    return sum;
}

/* Axes from 1 to 1000, none along a coordinate: the differences of neighbours. */
static double cigar(const double *x)
{
    double sum = -x[0] * x[0];
    for (int i = 1; i < N; i++) {
        const double d = (x[i] - x[i - 1]) * pow(1e3, i / (N - 1.0));
        sum -= d * d;
    }
    return sum;
}

/* A curved valley; the maximum is at all ones. */
static double rosenbrock(const double *x)
{
    double sum = 0.0;
    for (int i = 0; i + 1 < N; i++) {
        const double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
        sum -= 100.0 * a * a + b * b;
    }
    return sum;
}

struct draw {
    double gene[N], value;
};

static int better(const void *a, const void *b)
{
    const double x = ((const struct draw *)a)->value, y = ((const struct draw *)b)->value;
    return (x < y) - (x > y);
}

static void climb(double (*f)(const double *x), int generations, struct cma *ret_cma)
{
    static const double start[N] = {0};
    struct draw pool[POPULATION];
    const double *gene[POPULATION];
    struct rng rng;
    rng_seed(&rng, 7);
    cma_begin(ret_cma, N, POPULATION, start, 0.5);
    for (int g = 0; g < generations; g++) {
        for (int i = 0; i < POPULATION; i++) {
            cma_ask(ret_cma, &rng, pool[i].gene);
            pool[i].value = f(pool[i].gene);
        }
        qsort(pool, POPULATION, sizeof pool[0], better);
        for (int i = 0; i < POPULATION; i++) {
            gene[i] = pool[i].gene;
        }
        cma_tell(ret_cma, gene);
    }
}

/* Table 1 of the tutorial at n = 8, population 12, worked by hand. */
static void constants_are_those_of_the_tutorial(void **state)
{
    (void)state;
    static struct cma c;
    static const double start[N] = {0};
    cma_begin(&c, N, POPULATION, start, 0.5);
    assert_int_equal(c.parents, 6);
    assert_true(fabs(c.weight[0] / c.weight[1] - log(6.5) / log(3.25)) < 1e-12);
    assert_true(fabs(c.mu_eff - 3.7294589) < 1e-6);
    assert_true(fabs(c.c_sigma - (c.mu_eff + 2.0) / (8 + c.mu_eff + 5.0)) < 1e-12);
    assert_true(fabs(c.c_1 - 2.0 / (9.3 * 9.3 + c.mu_eff)) < 1e-12);
    assert_true(fabs(c.chi_n - 2.7421433) < 1e-6);
}

static void it_finds_the_top_of_a_sphere(void **state)
{
    (void)state;
    static struct cma c;
    climb(sphere, 120, &c);
    assert_true(sphere(c.mean) > -1e-10);
}

static void it_learns_the_axes_of_a_cigar(void **state)
{
    (void)state;
    static struct cma c;
    climb(cigar, 400, &c);
    assert_true(cigar(c.mean) > -1e-8);
}

static void it_follows_a_curved_valley(void **state)
{
    (void)state;
    static struct cma c;
    climb(rosenbrock, 600, &c);
    assert_true(rosenbrock(c.mean) > -1e-8);
}

static void the_same_seed_goes_the_same_way(void **state)
{
    (void)state;
    static struct cma a, b;
    climb(rosenbrock, 50, &a);
    climb(rosenbrock, 50, &b);
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_those_of_the_tutorial),
        cmocka_unit_test(it_finds_the_top_of_a_sphere),
        cmocka_unit_test(it_learns_the_axes_of_a_cigar),
        cmocka_unit_test(it_follows_a_curved_valley),
        cmocka_unit_test(the_same_seed_goes_the_same_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
