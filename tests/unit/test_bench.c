/* The benchmark of the loop: what it does with numbers, what it prints, and that its three runners
 * really ran as told. No time is asserted: the machine may be as slow as it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "daemon/bench_loop_report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CRAWLER SOURCE_DIR "/deploy/robots/crawler.yaml"

struct fixture {
    struct arena mem;
    struct turns_result result;
    char why[WHY_CHARS];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    return f != NULL ? arena_open(&f->mem, "test", (size_t)64 << 20) : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_close(&f->mem);
    free(f);
    return 0;
}

/* By the definition, slowly: the smallest value that is not exceeded by frac of all. */
static int64_t quantile_by_counting(const int64_t *v, int n, int permille)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < n; i++) {
        int below = 0;
        for (int k = 0; k < n; k++) {
            below += v[k] <= v[i];
        }
        if (below * 1000 >= permille * n && v[i] < best) {
            best = v[i];
        }
    }
    return best;
}

static void percentiles_are_exact(void **state)
{
    struct fixture *f = *state;
    static const int sizes[] = {1, 2, 3, 10, 99, 100, 101, 1000, 1001};
    int64_t scratch[1001];
    struct rng rng;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct series s;
        struct spread spread;
        const int n = sizes[i];
        series_init(&s, n, &f->mem);
        for (int k = 0; k < n; k++) {
            series_add(&s, (int64_t)(rng_u64(&rng) % 700) * 1000); /* with ties */
        }
        series_end_run(&s);
        series_spread(&s, -1, scratch, &spread);
        assert_int_equal(spread.n, n);
        assert_true(spread.p50_us * 1000.0 == (double)quantile_by_counting(s.ns, n, 500));
        assert_true(spread.p99_us * 1000.0 == (double)quantile_by_counting(s.ns, n, 990));
        assert_true(spread.p999_us * 1000.0 == (double)quantile_by_counting(s.ns, n, 999));
        assert_true(spread.max_us * 1000.0 == (double)quantile_by_counting(s.ns, n, 1000));
    }
}

static void turns_are_pooled_and_runs_kept_apart(void **state)
{
    struct fixture *f = *state;
    struct series s;
    struct spread run, all;
    int64_t scratch[300];
    series_init(&s, 300, &f->mem);
    for (int k = 0; k < 300; k++) {
        series_add(&s, (k < 100 ? 1 : k < 250 ? 2 : 9) * 1000); /* 100 of 1, 150 of 2, 50 of 9 */
        if (k == 99 || k == 249 || k == 299) {
            series_end_run(&s);
        }
    }
    const double expected[3] = {1.0, 2.0, 9.0};
    const int64_t n[3] = {100, 150, 50};
    for (int i = 0; i < 3; i++) {
        series_spread(&s, i, scratch, &run);
        assert_int_equal(run.n, n[i]);
        assert_true(run.p50_us == expected[i] && run.max_us == expected[i]);
    }
    series_spread(&s, -1, scratch, &all);
    assert_int_equal(all.n, 300);
    assert_true(all.p50_us == 2.0); /* neither the median run's nor the mean of the runs */
    assert_true(all.p99_us == 9.0);
    assert_int_equal(s.lost, 0);
    series_add(&s, 1);
    assert_int_equal(s.lost, 1); /* full: counted, not stored */
    assert_int_equal(s.n, 300);
}

static void medians_and_empty_runs(void **state)
{
    struct fixture *f = *state;
    static const double v[] = {5.0, 1.0, 4.0, 2.0};
    struct series s;
    struct spread spread;
    assert_true(median(v, 4) == 3.0);
    assert_true(median(v, 3) == 4.0);
    assert_true(median(v, 1) == 5.0);
    assert_true(isnan(median(v, 0)));
    series_init(&s, 1, &f->mem);
    series_end_run(&s);
    series_spread(&s, 0, NULL, &spread);
    assert_int_equal(spread.n, 0);
    assert_true(isnan(spread.p50_us) && isnan(spread.max_us));
}

static void a_ratio_is_judged_beside_the_null(void **state)
{
    (void)state;
    assert_true(judge_ratio(104.0, 100.0, 100.0, 1.05, 1.02).holds);
    assert_false(judge_ratio(106.0, 100.0, 100.0, 1.05, 1.02).holds);
    assert_true(
        judge_ratio(111.0, 100.0, 110.0, 1.05, 1.02).holds); /* two bare loops differ as much */
    assert_false(judge_ratio(113.0, 100.0, 110.0, 1.05, 1.02).holds);
    assert_true(judge_ratio(106.0, 100.0, 50.0, 1.05, 1.02).limit == 1.05); /* never below that */
    assert_true(judge_ratio(119.0, 100.0, 60.0, 1.2, 1.2).holds);
    assert_true(judge_ratio(179.0, 100.0, 150.0, 1.2, 1.2).holds);
    assert_false(judge_ratio(181.0, 100.0, 150.0, 1.2, 1.2).holds);
    assert_false(judge_ratio((double)NAN, 100.0, 100.0, 1.2, 1.2).holds);
}

/* Two runs of made-up figures: wake-ups of 10, bare 10, again 10 us; the loop's second run 30 us.
 */
static void make_up(struct fixture *f)
{
    struct turns_result *r = &f->result;
    struct series *own[2 + PHASES_N] = {&r->tick, &r->last_byte};
    for (int i = 0; i < PHASES_N; i++) {
        own[2 + i] = &r->phase[i];
    }
    for (int who = 0; who < RUNNERS_N; who++) {
        series_init(&r->runner[who].wake, 20, &f->mem);
        for (int k = 0; k < 20; k++) {
            series_add(&r->runner[who].wake, who == RUNNER_LOOP && k >= 12 ? 30000 : 10000);
            if (k == 11 || k == 19) {
                series_end_run(&r->runner[who].wake);
            }
        }
        r->runner[who].overruns[0] = 3;
        r->runner[who].overruns[1] = 1;
    }
    for (int i = 0; i < 2 + PHASES_N; i++) {
        series_init(own[i], 2, &f->mem);
        series_add(own[i], 1000 * (i + 1));
        series_end_run(own[i]);
        series_end_run(own[i]); /* nothing came in the second run */
    }
    r->scratch = arena_take(&f->mem, 20 * sizeof *r->scratch);
    r->runs = 2;
    r->running_frac = 1.0;
    (void)snprintf(r->realtime, sizeof r->realtime, "yes: as told");
}

static json_t *print(const struct turns_result *r)
{
    static const struct turns_spec spec = {.rate_hz = 1000.0, .seconds = 5.0, .turn_s = 0.5};
    char *text = NULL;
    size_t n = 0;
    json_error_t error;
    FILE *stream = open_memstream(&text, &n);
    assert_non_null(stream);
    loop_print_json(&spec, r, stream);
    (void)fclose(stream);
    assert_true(strchr(text, '\n') == text + n - 1); /* one object, one line */
    json_t *o = json_loads(text, 0, &error);
    assert_non_null(o);
    free(text);
    return o;
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL) {
        fail_msg("no key %s", key);
    }
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static void the_object_has_its_keys(void **state)
{
    struct fixture *f = *state;
    static const char *const runners[] = {"loop", "bare", "bare_again"};
    static const char *const keys[] = {"wakeup_p50_us", "wakeup_p99_us", "wakeup_p999_us",
                                       "wakeup_max_us", "overruns"};
    static const char *const loop_keys[] = {
        "tick_p50_us",      "tick_p99_us",      "tick_p999_us",      "tick_max_us",
        "last_byte_p50_us", "last_byte_p99_us", "last_byte_p999_us", "last_byte_max_us",
        "read_p50_us",      "push_p99_us"};
    make_up(f);
    json_t *o = print(&f->result);
    for (size_t i = 0; i < 3; i++) {
        const json_t *r = json_object_get(o, runners[i]);
        const json_t *runs = json_object_get(r, "runs");
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            assert_true(isfinite(number(r, keys[k])));
            assert_true(isfinite(number(json_object_get(r, "medians"), keys[k])));
            assert_int_equal(json_array_size(json_object_get(runs, keys[k])), 2);
        }
        assert_true(number(r, "overruns") == 4.0);
        assert_true(number(r, "samples") == 20.0);
    }
    const json_t *loop = json_object_get(o, "loop"), *bare = json_object_get(o, "bare");
    for (size_t k = 0; k < sizeof loop_keys / sizeof loop_keys[0]; k++) {
        assert_true(isfinite(number(loop, loop_keys[k])));
        assert_null(json_object_get(bare, loop_keys[k]));
    }
    assert_true(number(loop, "wakeup_p50_us") == 10.0);
    assert_true(number(loop, "wakeup_p99_us") == 30.0);
    assert_true(number(json_object_get(loop, "medians"), "wakeup_p50_us") == 20.0);
    assert_true(number(loop, "tick_p50_us") == 1.0);
    assert_true(number(loop, "last_byte_max_us") == 2.0);
    const json_t *judged = json_object_get(o, "judged");
    assert_true(json_is_true(json_object_get(json_object_get(judged, "wakeup_p50"), "holds")));
    assert_true(number(json_object_get(judged, "wakeup_p99"), "loop_over_bare") == 3.0);
    assert_true(number(json_object_get(judged, "wakeup_p99"), "limit") == 1.2);
    assert_true(json_is_false(json_object_get(judged, "holds")));
    assert_non_null(json_object_get(json_object_get(o, "machine"), "cpu"));
    json_decref(o);
}

/* Every planned tick of all three is a sample or was left out, and the learner was at work. */
static void the_runners_run_as_told(void **state)
{
    struct fixture *f = *state;
    const struct turns_spec spec = {.config_path = CRAWLER,
                                    .sets = {"control.realtime=off"},
                                    .n_sets = 1,
                                    .rate_hz = 500.0,
                                    .seconds = 0.36,
                                    .turn_s = 0.02,
                                    .repeat = 2,
                                    .seed = 3};
    const struct turns_result *r = &f->result;
    const int rc = turns_measure(&spec, &f->mem, &f->result, f->why, (int)sizeof f->why);
    if (rc < 0) {
        fail_msg("%s", f->why);
    }
    assert_int_equal(r->runs, 2);
    for (int who = 0; who < RUNNERS_N; who++) {
        const struct runner_result *it = &r->runner[who];
        const int64_t ticks = it->wake.n + it->overruns[0] + it->overruns[1] +
                              (who == RUNNER_LOOP ? r->records_lost : 0);
        assert_true(ticks >= 120); /* the last skip of a turn may reach over its end */
        assert_int_equal(it->wake.n_runs, 2);
        assert_int_equal(it->wake.lost, 0);
        for (int64_t i = 0; i < it->wake.n; i++) {
            assert_true(it->wake.ns[i] >= 0); /* nobody wakes early */
        }
    }
    assert_int_equal(r->tick.n, r->runner[RUNNER_LOOP].wake.n);
    assert_int_equal(r->learner_waits, 0);
    assert_true(r->bytes_tx > 0 && r->bytes_rx > r->bytes_tx);
    assert_int_equal(r->missed_replies, 0);
    assert_non_null(strstr(r->bus, "4000000 baud, pipelined, replies within 1600 us"));
    assert_non_null(strstr(r->realtime, "off"));
}

static void what_cannot_run_is_said(void **state)
{
    struct fixture *f = *state;
    struct turns_spec spec = {.config_path = CRAWLER,
                              .rate_hz = 990.0, /* no whole multiple of the policy's 20 */
                              .seconds = 0.1,
                              .turn_s = 0.01,
                              .repeat = 1};
    assert_true(turns_measure(&spec, &f->mem, &f->result, f->why, (int)sizeof f->why) < 0);
    assert_non_null(strstr(f->why, "policy.rate_hz"));
    spec.rate_hz = 1000.0; /* a bus that never answers in time */
    spec.sets[spec.n_sets++] = "faults.lost=1";
    assert_true(turns_measure(&spec, &f->mem, &f->result, f->why, (int)sizeof f->why) < 0);
    assert_non_null(strstr(f->why, "does not run at 1000 Hz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(percentiles_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(turns_are_pooled_and_runs_kept_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(medians_and_empty_runs, setup, teardown),
        cmocka_unit_test(a_ratio_is_judged_beside_the_null),
        cmocka_unit_test_setup_teardown(the_object_has_its_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(the_runners_run_as_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_run_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
