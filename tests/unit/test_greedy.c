/* Choosing among choices: ties, legal masks, epsilon's schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/greedy.h"

#include <math.h>
#include <stdlib.h>

#define DRAWS 12000

static void equals_are_drawn_alike(void **state)
{
    (void)state;
    const float q[5] = {1, 3, 3, 2, 3};
    int count[5] = {0};
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < DRAWS; i++) {
        count[greedy_choice(q, 5, LEGAL_ALL, &rng)]++;
    }
    assert_int_equal(count[0] + count[3], 0);
    for (int a = 1; a < 5; a += a == 1 ? 1 : 2) { /* sd of a third of 12,000 draws: 52 */
        assert_true(abs(count[a] - DRAWS / 3) < 200);
    }
}

static void what_is_not_legal_is_not_taken(void **state)
{
    (void)state;
    const float q[3] = {5, 1, 2};
    struct rng rng;
    rng_seed(&rng, 2);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(greedy_choice(q, 3, 6, &rng), 2);
        assert_true(greedy_random(3, 5, &rng) != 1);
    }
    assert_true(greedy_max(q, 3, 6) == 2.0f);
    assert_int_equal(greedy_legal(3, 8), 7); /* none of the three: all of them */
    assert_true(greedy_legal(64, LEGAL_ALL) == LEGAL_ALL);
}

static void random_choices_are_uniform(void **state)
{
    (void)state;
    int count[4] = {0};
    struct rng rng;
    rng_seed(&rng, 3);
    for (int i = 0; i < DRAWS; i++) {
        count[greedy_random(4, 11, &rng)]++;
    }
    assert_int_equal(count[2], 0);
    for (int a = 0; a < 4; a += a == 1 ? 2 : 1) {
        assert_true(abs(count[a] - DRAWS / 3) < 200);
    }
}

static void nothing_but_nan_is_still_a_choice(void **state)
{
    (void)state;
    const float q[3] = {NAN, NAN, NAN};
    struct rng rng;
    rng_seed(&rng, 4);
    const int a = greedy_choice(q, 3, 6, &rng);
    assert_true(a == 1 || a == 2);
}

static void epsilon_falls_in_a_line(void **state)
{
    (void)state;
    const struct epsilon_settings e = {1.0, 0.1, 1000};
    assert_true(epsilon_at(&e, 0) == 1.0);
    assert_true(fabs(epsilon_at(&e, 500) - 0.55) < 1e-12);
    assert_true(epsilon_at(&e, 1000) == 0.1);
    assert_true(epsilon_at(&e, 123456) == 0.1);
    const struct epsilon_settings at_once = {1.0, 0.5, 0};
    assert_true(epsilon_at(&at_once, 0) == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_are_drawn_alike),
        cmocka_unit_test(what_is_not_legal_is_not_taken),
        cmocka_unit_test(random_choices_are_uniform),
        cmocka_unit_test(nothing_but_nan_is_still_a_choice),
        cmocka_unit_test(epsilon_falls_in_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
