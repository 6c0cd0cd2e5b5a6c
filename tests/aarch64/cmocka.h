/*
 * As much of cmocka as the unit tests use that run on aarch64 (ci_aarch64.sh), where Debian has no
 * cmocka to link on another machine. The first check that does not hold ends the program.
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf shim_skipped;

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f, NULL, NULL                                                                          \
    }
#define cmocka_unit_test_setup_teardown(f, begin, done)                                            \
    {                                                                                              \
#f, f, begin, done                                                                         \
    }
#define cmocka_run_group_tests(tests, begin, done)                                                 \
    shim_run(tests, sizeof(tests) / sizeof((tests)[0]), begin, done)

#define print_message(...) ((void)printf(__VA_ARGS__))
#define print_error(...)   ((void)fprintf(stderr, __VA_ARGS__))
#define fail_msg(...)      (print_error(__VA_ARGS__), shim_fail("fail", __FILE__, __LINE__))
#define fail()             shim_fail("fail", __FILE__, __LINE__)
#define skip()             longjmp(shim_skipped, 1)

#define shim_check(yes, what) ((yes) ? (void)0 : shim_fail(what, __FILE__, __LINE__))
#define assert_true(x)        shim_check((x) ? true : false, #x)
#define assert_false(x)       shim_check((x) ? false : true, "not " #x)
#define assert_int_equal(a, b)                                                                     \
    shim_equal((int64_t)(a), (int64_t)(b), #a " == " #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b)       shim_check((int64_t)(a) != (int64_t)(b), #a " != " #b)
#define assert_in_range(x, low, top)     shim_check((x) >= (low) && (x) <= (top), #x " in range")
#define assert_null(p)                   shim_check((p) == NULL, #p " is NULL")
#define assert_non_null(p)               shim_check((p) != NULL, #p " is not NULL")
#define assert_ptr_equal(a, b)           shim_check((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_string_equal(a, b)        shim_check(strcmp(a, b) == 0, #a " == " #b)
#define assert_memory_equal(a, b, n)     shim_check(memcmp(a, b, n) == 0, #a " == " #b)
#define assert_memory_not_equal(a, b, n) shim_check(memcmp(a, b, n) != 0, #a " != " #b)

static inline void __attribute__((noreturn)) shim_fail(const char *what, const char *file, int line)
{
    print_error("%s:%d: %s does not hold\n", file, line, what);
    exit(1);
}

static inline void shim_equal(int64_t a, int64_t b, const char *what, const char *file, int line)
{
    if (a != b) {
        print_error("%lld and %lld: ", (long long)a, (long long)b);
        shim_fail(what, file, line);
    }
}

static void __attribute__((noinline)) shim_run_one(const struct CMUnitTest *test, void *group)
{
    void *state = group;
    print_message("%s\n", test->name);
    (void)fflush(stdout);
    shim_check(test->setup == NULL || test->setup(&state) == 0, "the test's beginning");
    if (setjmp(shim_skipped) == 0) {
        test->test(&state);
    } else {
        print_message("skipped: %s\n", test->name);
    }
    shim_check(test->teardown == NULL || test->teardown(&state) == 0, "the test's end");
}

static inline int shim_run(const struct CMUnitTest *tests, size_t n, int (*begin)(void **state),
                           int (*done)(void **state))
{
    void *group = NULL;
    (void)shim_equal;
    shim_check(begin == NULL || begin(&group) == 0, "the group's beginning");
    for (size_t i = 0; i < n; i++) {
        shim_run_one(&tests[i], group);
    }
    shim_check(done == NULL || done(&group) == 0, "the group's end");
    return 0;
}
