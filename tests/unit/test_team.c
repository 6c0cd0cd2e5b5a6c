/*
 * Two threads at one job: each half is done once, by its own thread, before team_run returns; jobs
 * in quick succession, with pauses in which the helper falls asleep, and with pauses of about as
 * long as it takes to; started and stopped at any moment. The thread sanitizer watches: the halves'
 * numbers are plain ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "daemon/base/team.h"

#include <errno.h>
#include <float.h>
#include <time.h>

static const struct thread_spec anywhere = {.name = "helper", .cpu = -1, .not_cpu = -1};

static struct team *team(void)
{
    struct team *t = NULL;
    char reason[WHY_CHARS] = "";
    assert_int_equal(team_start(&t, &anywhere, reason, sizeof reason), 0);
    assert_string_equal(reason, "");
    return t;
}

static void pause_us(int us)
{
    const struct timespec t = {.tv_sec = 0, .tv_nsec = us * 1000L};
    (void)nanosleep(&t, NULL);
}

/* Each half adds what the other half has counted so far: the order of jobs shows in the sums. */
struct sums {
    uint64_t before[2], n[2];
    pthread_t by[2];
    int pause_us[2];
};

static void add(void *arg, int half)
{
    struct sums *s = arg;
    s->n[half] = 3 * s->before[half] + s->before[1 - half] + 1;
    s->by[half] = pthread_self();
    if (s->pause_us[half] > 0) {
        pause_us(s->pause_us[half]);
    }
}

static void run_and_check(struct team *t, struct sums *s)
{
    const uint64_t a = s->n[0], b = s->n[1];
    s->before[0] = a;
    s->before[1] = b;
    team_run(t, add, s);
    assert_true(s->n[0] == 3 * a + b + 1 && s->n[1] == 3 * b + a + 1);
    assert_true(pthread_equal(s->by[0], pthread_self()) != 0);
    assert_int_equal(pthread_equal(s->by[1], pthread_self()) != 0, t == NULL);
}

static void without_a_team_both_halves_are_done_here(void **state)
{
    (void)state;
    struct sums s = {.n = {0, 5}};
    for (int i = 0; i < 10; i++) {
        run_and_check(NULL, &s);
    }
    team_stop(NULL);
}

static void jobs_in_quick_succession(void **state)
{
    (void)state;
    struct sums s = {.n = {0, 5}};
    struct team *t = team();
    for (int i = 0; i < 20000; i++) {
        run_and_check(t, &s);
    }
    team_stop(t);
}

static void jobs_that_wake_the_helper(void **state)
{
    (void)state;
    struct sums s = {.n = {0, 5}};
    struct team *t = team();
    for (int i = 0; i < 40; i++) {
        pause_us(5000);
        run_and_check(t, &s);
    }
    team_stop(t);
}

/* A job arrives just as the helper goes to sleep. */
static void pauses_as_long_as_the_helper_waits(void **state)
{
    (void)state;
    struct sums s = {.n = {0, 5}};
    struct rng rng;
    struct team *t = team();
    rng_seed(&rng, 1);
    for (int i = 0; i < 1000; i++) {
        const int before = (int)rng_below(&rng, 1000);
        s.pause_us[0] = rng_below(&rng, 8) == 0 ? 200 : 0; /* the one waits for the other */
        s.pause_us[1] = rng_below(&rng, 8) == 0 ? 200 : 0;
        if (before > 100) {
            pause_us(before);
        }
        run_and_check(t, &s);
    }
    team_stop(t);
}

static void stops_at_any_moment(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct sums s = {.n = {0, 5}};
        struct team *t = team();
        if (i % 3 > 0) {
            run_and_check(t, &s);
        }
        if (i % 3 == 2) {
            pause_us(3000); /* it sleeps */
        }
        team_stop(t);
    }
}

/* --- the same numbers on both sides: denormals too --- */

struct product {
    volatile float small, half, got[2];
};

static void multiply(void *arg, int half)
{
    struct product *p = arg;
    p->got[half] = p->small * p->half;
}

static void *denormals_are_alike(void *arg)
{
    const bool flush = *(bool *)arg;
    struct product p = {.small = FLT_MIN, .half = 0.5f};
    if (flush) {
        thread_flush_denormals();
    }
    struct team *t = team();
    team_run(t, multiply, &p);
    team_stop(t);
    assert_true(p.got[0] == p.got[1]);
    assert_int_equal(p.got[1] == 0.0f, flush);
    return NULL;
}

static void the_helper_rounds_as_the_caller_does(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool flush = i == 1;
        pthread_t thread; /* the mode is the thread's: it goes with it */
        assert_int_equal(pthread_create(&thread, NULL, denormals_are_alike, &flush), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

/* What cannot be had is said, and the team is there all the same. */
static void a_processor_that_is_not_there_is_reported(void **state)
{
    (void)state;
    const struct thread_spec nowhere = {.name = "helper", .cpu = 1000, .not_cpu = -1};
    struct sums s = {.n = {0, 5}};
    struct team *t = NULL;
    char reason[WHY_CHARS] = "";
    assert_int_equal(team_start(&t, &nowhere, reason, sizeof reason), 0);
    assert_true(reason[0] != '\0');
    run_and_check(t, &s);
    team_stop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_team_both_halves_are_done_here),
        cmocka_unit_test(jobs_in_quick_succession),
        cmocka_unit_test(jobs_that_wake_the_helper),
        cmocka_unit_test(pauses_as_long_as_the_helper_waits),
        cmocka_unit_test(stops_at_any_moment),
        cmocka_unit_test(the_helper_rounds_as_the_caller_does),
        cmocka_unit_test(a_processor_that_is_not_there_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
