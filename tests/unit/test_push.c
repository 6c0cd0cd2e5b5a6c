/*
 * Who pushes, when and how hard: the draws against what was asked, and none where nothing pushes.
 */
#include "sim/push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#define DT_S                         0.001
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static double size_of(const struct push_state *s)
{
    return sqrt(s->force[0] * s->force[0] + s->force[1] * s->force[1] + s->force[2] * s->force[2]);
}

/* The size of each step's force; the stream's next draw says whether both ended alike. */
static uint64_t row(const struct push_config *c, uint64_t seed, double *ret_n, int n)
{
    struct push_state s;
    struct rng r;
    rng_seed(&r, seed);
    push_reset(c, &s, &r);
    for (int k = 0; k < n; k++) {
        push_step(c, &s, DT_S, &r);
        ret_n[k] = size_of(&s);
    }
    return rng_u64(&r);
}

static void nothing_is_drawn_where_nothing_pushes(void **state)
{
    (void)state;
    const struct push_config off = {{{0.0}, 1}, {{1.0}, 1}, {{0.0}, 1}};
    double force[2000];
    struct rng untouched;
    rng_seed(&untouched, 1);
    assert_true(row(&off, 1, force, 2000) == rng_u64(&untouched));
    for (int k = 0; k < 2000; k++) {
        assert_true(force[k] == 0.0);
    }
}

static void pauses_and_pushes_take_their_steps(void **state)
{
    (void)state;
    const struct push_config c = {{{10.0}, 1}, {{0.1}, 1}, {{0.05}, 1}};
    double force[1500];
    (void)row(&c, 1, force, 1500);
    for (int k = 0; k < 1500; k++) {
        const double want = k % 150 < 50 ? 0.0 : 10.0;
        assert_near(force[k], want, 1e-12);
    }
}

/* Without a pause one push follows the other, each another way. */
static void a_pause_may_be_none(void **state)
{
    (void)state;
    const struct push_config c = {{{10.0}, 1}, {{0.1}, 1}, {{0.0}, 1}};
    struct push_state s;
    struct rng r;
    double last[3] = {0};
    rng_seed(&r, 1);
    push_reset(&c, &s, &r);
    for (int k = 0; k < 1000; k++) {
        push_step(&c, &s, DT_S, &r);
        assert_near(size_of(&s), 10.0, 1e-12);
        assert_int_equal(memcmp(last, s.force, sizeof last) != 0, k % 100 == 0);
        memcpy(last, s.force, sizeof last);
    }
}

static void a_seed_is_a_row_of_pushes(void **state)
{
    (void)state;
    const struct push_config c = {{{5.0, 15.0}, 2}, {{0.05, 0.2}, 2}, {{0.0, 0.1}, 2}};
    static double a[5000], b[5000], other[5000];
    assert_true(row(&c, 1, a, 5000) == row(&c, 1, b, 5000));
    assert_memory_equal(a, b, sizeof a);
    (void)row(&c, 2, other, 5000);
    assert_memory_not_equal(a, other, sizeof a);
}

/* Mean and variance of even draws; on the sphere each axis has mean 0 and mean square 1/3. */
static void draws_are_even(void **state)
{
    (void)state;

    enum { PUSHES = 20000 };

    const struct push_config c = {{{5.0, 15.0}, 2}, {{0.02, 0.06}, 2}, {{0.01, 0.03}, 2}};
    struct push_state s;
    struct rng r;
    double sum[3] = {0}, sum2[3] = {0}, sizes = 0.0, sizes2 = 0.0;
    int64_t steps = 0, pushed = 0, n = 0, before = 0;
    rng_seed(&r, 9);
    push_reset(&c, &s, &r);
    for (; n < PUSHES; steps++) {
        push_step(&c, &s, DT_S, &r);
        pushed += s.pushes;
        if (s.pushes && !before) {
            const double size = size_of(&s), x = (size - 10.0) / 5.0;
            assert_true(fabs(x) <= 1.0 + 1e-12);
            sizes += x;
            sizes2 += x * x;
            for (int i = 0; i < 3; i++) {
                sum[i] += s.force[i] / size;
                sum2[i] += s.force[i] * s.force[i] / (size * size);
            }
            n++;
        }
        before = s.pushes;
    }
    assert_near(sizes / PUSHES, 0.0, 0.02);
    assert_near(sizes2 / PUSHES, 1.0 / 3.0, 0.01);
    for (int i = 0; i < 3; i++) {
        assert_near(sum[i] / PUSHES, 0.0, 0.02);
        assert_near(sum2[i] / PUSHES, 1.0 / 3.0, 0.01);
    }
    /* 40 ms on the mean and 20 ms; each ends with the step that is half over, or not */
    assert_near((double)pushed / PUSHES, 40.5, 0.3);
    assert_near((double)(steps - pushed) / PUSHES, 20.5, 0.3);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    char reason[200];
    struct push_config c = {{{5.0, 15.0}, 2}, {{0.05, 0.05}, 2}, {{0.0}, 1}};
    assert_int_equal(push_check(&c, reason, sizeof reason), 0);
    assert_true(push_is_on(&c));
    c.pause = (struct push_range){.n = 0};
    assert_true(push_check(&c, reason, sizeof reason) < 0);
    assert_string_equal(reason, "sim.push_pause_s is one number, or the least and the most of it");
    c.size.x[0] = 20.0;
    assert_true(push_check(&c, reason, sizeof reason) < 0);
    assert_string_equal(reason, "sim.push_n is one number, or the least and the most of it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_drawn_where_nothing_pushes),
        cmocka_unit_test(pauses_and_pushes_take_their_steps),
        cmocka_unit_test(a_pause_may_be_none),
        cmocka_unit_test(a_seed_is_a_row_of_pushes),
        cmocka_unit_test(draws_are_even),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
