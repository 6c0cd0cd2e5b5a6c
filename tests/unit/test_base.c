/* The floor: rng against published vectors, hash check values, histograms, arena, clock, options.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/arena.h"
#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "daemon/base/hist.h"
#include "daemon/base/option.h"
#include "daemon/base/rng.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void hashes_match_their_check_values(void **state)
{
    (void)state;
    assert_int_equal(hash_crc32c(0, "123456789", 9), 0xE3069283u);
    assert_true(hash_fnv1a(HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

/* A bit a step, as the polynomial is written down. */
static uint32_t crc_by_bits(const uint8_t *p, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * n; i++) {
        const uint32_t bit = (crc ^ (uint32_t)(p[i / 8] >> i % 8)) & 1u;
        crc = crc >> 1 ^ (bit != 0 ? 0x82F63B78u : 0u);
    }
    return ~crc;
}

static void the_crc_is_its_definition_however_it_is_cut(void **state)
{
    (void)state;
    uint8_t bytes[70];
    struct rng r;
    rng_seed(&r, 3);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_below(&r, 256);
    }
    for (size_t n = 0; n <= sizeof bytes; n++) {
        const size_t cut = rng_below(&r, (uint32_t)n + 1);
        const uint32_t part = hash_crc32c(0, bytes, cut);
        assert_int_equal(hash_crc32c(0, bytes, n), crc_by_bits(bytes, n));
        assert_int_equal(hash_crc32c(part, bytes + cut, n - cut), crc_by_bits(bytes, n));
    }
}

static void rng_has_unit_normal_moments_and_independent_children(void **state)
{
    (void)state;
    struct rng r, a, b;
    rng_seed(&r, 7);
    double sum = 0.0, sum2 = 0.0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        const double x = rng_normal(&r);
        sum += x;
        sum2 += x * x;
    }
    assert_true(fabs(sum / n) < 0.01);
    assert_true(fabs(sum2 / n - 1.0) < 0.02);
    rng_child(&a, 7, "body");
    rng_child(&b, 7, "noise");
    assert_true(rng_u64(&a) != rng_u64(&b));
    int counts[3] = {0};
    for (int i = 0; i < 30000; i++) {
        counts[rng_below(&r, 3)]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
}

/* The generators' authors and their ports publish the first numbers of these states. */
static void rng_gives_the_published_numbers(void **state)
{
    static const uint64_t splitmix[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431)};
    static const uint64_t xoshiro[] = {
        UINT64_C(41943041),
        UINT64_C(58720359),
        UINT64_C(3588806011781223),
        UINT64_C(3591011842654386),
        UINT64_C(9228616714210784205),
        UINT64_C(9973669472204895162),
        UINT64_C(14011001112246962877),
        UINT64_C(12406186145184390807),
        UINT64_C(15849039046786891736),
        UINT64_C(10450023813501588000),
    };
    struct rng r;
    (void)state;
    rng_seed(&r, 1234567);
    assert_memory_equal(r.s, splitmix, sizeof splitmix);
    r = (struct rng){{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof xoshiro / sizeof xoshiro[0]; i++) {
        assert_true(rng_u64(&r) == xoshiro[i]);
    }
}

static void rng_stays_in_its_range(void **state)
{
    struct rng r, again;
    (void)state;
    rng_seed(&r, 11);
    again = r;
    for (int i = 0; i < 100000; i++) {
        const double u = rng_uniform(&r);
        assert_true(u >= 0.0 && u < 1.0);
        assert_true(u == rng_uniform(&again));
    }
    static const uint64_t bounds[] = {1, 2, 3, 1000, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t k = 0; k < sizeof bounds / sizeof bounds[0]; k++) {
        for (int i = 0; i < 1000; i++) {
            assert_true(rng_below(&r, bounds[k]) < bounds[k]);
        }
    }
    struct rng a, b;
    rng_child(&a, 7, "wire");
    rng_child(&b, 7, "wire");
    assert_memory_equal(&a, &b, sizeof a);
    rng_child(&b, 8, "wire");
    assert_true(memcmp(&a, &b, sizeof a) != 0);
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Any quantile within a bucket (3 %) of the sorted list's, whatever the scale. */
static void hist_knows_every_quantile(void **state)
{
    enum { N = 20000 };

    static const double fracs[] = {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
    struct hist *h = calloc(1, sizeof *h);
    int64_t *list = calloc(N, sizeof *list);
    struct rng r;
    (void)state;
    assert_true(h != NULL && list != NULL);
    assert_int_equal(hist_quantile(h, 0.5), 0);
    rng_seed(&r, 3);
    for (int i = 0; i < N; i++) {
        list[i] = (int64_t)exp(25.0 * rng_uniform(&r)); /* 1 ns to 72 s */
        hist_add(h, list[i]);
    }
    qsort(list, N, sizeof *list, by_value);
    int64_t last = 0;
    for (size_t k = 0; k < sizeof fracs / sizeof fracs[0]; k++) {
        const int64_t got = hist_quantile(h, fracs[k]);
        const double want = (double)list[(size_t)(fracs[k] * N) - 1];
        assert_true(fabs((double)got - want) <= 0.5 + want / 32.0);
        assert_true(got >= last);
        last = got;
    }
    assert_true(atomic_load(&h->max_ns) == list[N - 1]);
    assert_true(atomic_load(&h->total) == N);
    free(list);
    free(h);
}

static void hist_takes_any_duration(void **state)
{
    struct hist *h = calloc(1, sizeof *h);
    (void)state;
    assert_non_null(h);
    hist_add(h, -5);
    hist_add(h, INT64_MIN);
    assert_int_equal(hist_quantile(h, 1.0), 0);
    for (int64_t ns = 0; ns < 32; ns++) { /* exact where it is finest */
        struct hist *one = calloc(1, sizeof *one);
        assert_non_null(one);
        hist_add(one, ns);
        assert_int_equal(hist_quantile(one, 0.5), ns);
        free(one);
    }
    hist_add(h, INT64_MAX);
    hist_add(h, INT64_C(1) << 39);
    assert_true(hist_quantile(h, 1.0) >= INT64_C(1) << 38);
    assert_true(atomic_load(&h->max_ns) == INT64_MAX);
    free(h);
}

/* How a child ends that breaks a promise: by SIGABRT. */
static bool aborts(void (*body)(struct arena *a), struct arena *a)
{
    int status = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        body(a);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void take_one(struct arena *a)
{
    (void)arena_take(a, 1);
}

static void take_too_much(struct arena *a)
{
    (void)arena_take(a, a->cap - a->used + 1);
}

static void an_arena_gives_until_it_is_frozen(void **state)
{
    struct arena a;
    (void)state;
    assert_int_equal(arena_open(&a, "test", (size_t)1 << 20), 0);
    char *before = NULL;
    size_t n_before = 0;
    for (size_t n = 0; n < 300; n += 7) {
        char *p = arena_take(&a, n);
        assert_true((uintptr_t)p % CACHE_LINE == 0);
        assert_true(before == NULL || p >= before + n_before);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xff, n);
        before = p;
        n_before = n;
    }
    assert_false(aborts(take_one, &a));
    assert_true(aborts(take_too_much, &a));
    arena_freeze(&a);
    assert_true(aborts(take_one, &a));
    arena_close(&a);
    arena_close(&a);
    arena_close(NULL);
}

static int pages_there(const void *p, size_t n)
{
    unsigned char there[64];
    int count = 0;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (n + page - 1) / page;
    assert_true(pages <= sizeof there);
    assert_int_equal(mincore((void *)(uintptr_t)p, n, there), 0);
    for (size_t i = 0; i < pages; i++) {
        count += there[i] & 1;
    }
    return count;
}

static void a_prefaulted_arena_has_its_pages(void **state)
{
    struct arena a;
    (void)state;
    const size_t n = (size_t)sysconf(_SC_PAGESIZE) * 10;
    assert_int_equal(arena_open(&a, "test", n * 2), 0);
    char *p = arena_take(&a, n);
    assert_int_equal(pages_there(p, n), 0);
    if (madvise(p, 1, 12345) == 0) {
        arena_close(&a);
        skip(); /* an emulator that takes any advice and follows none */
    }
    p[5] = 7;
    arena_prefault(&a);
    assert_int_equal(pages_there(p, n), 10);
    assert_int_equal(pages_there(p, n * 2), 10); /* what nobody took stays away */
    assert_int_equal(p[5], 7);
    memory_prefault(p + 100, 0);
    arena_close(&a);
}

static void a_virtual_clock_goes_where_it_is_sent(void **state)
{
    struct clock c = {.is_virtual = true, .now_ns = 5};
    (void)state;
    assert_int_equal(clock_now_ns(&c), 5);
    assert_int_equal(clock_sleep_until(&c, 9), 9);
    assert_int_equal(clock_sleep_until(&c, 7), 9); /* late, not back */
    struct clock real = {0};
    const int64_t t_ns = clock_now_ns(&real);
    assert_true(clock_sleep_until(&real, t_ns + NS_PER_MS) >= t_ns + NS_PER_MS);
}

struct settings {
    int n_hidden, hidden[4], kind;
    double rate;
    bool on;
};

static const char *const kinds[] = {"ramp", "hold", NULL};
static const struct option table[] = {
    {.key = "hidden",
     .type = OPTION_INTS,
     .offset = offsetof(struct settings, hidden),
     .min = 1,
     .max = 512,
     .def = "[64, 64]",
     .n_max = 4,
     .n_offset = offsetof(struct settings, n_hidden)},
    {.key = "rate",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct settings, rate),
     .min = 0,
     .max = 1,
     .def = "3e-4"},
    {.key = "kind",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct settings, kind),
     .choices = kinds,
     .def = "hold"},
    {.key = "on", .type = OPTION_BOOL, .offset = offsetof(struct settings, on), .def = "true"},
    {.key = NULL},
};

static void options_parse_print_and_refuse(void **state)
{
    (void)state;
    struct settings s;
    char text[64], reason[WHY_CHARS];
    option_defaults(table, &s);
    assert_int_equal(s.n_hidden, 2);
    assert_int_equal(s.hidden[1], 64);
    assert_int_equal(s.kind, 1);
    (void)option_get(&table[1], &s, text, sizeof text);
    assert_string_equal(text, "0.0003");
    (void)option_get(&table[0], &s, text, sizeof text);
    assert_string_equal(text, "[64, 64]");
    const char *const bad[] = {"1.5", "x", "0.1x", "nan", " 0.1", "", "inf"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(option_set(&table[1], &s, bad[i], reason, sizeof reason), -EINVAL);
    }
    assert_int_equal(option_set(&table[0], &s, "[1, 2.5]", reason, sizeof reason), -EINVAL);
    assert_int_equal(option_set(&table[2], &s, "slow", reason, sizeof reason), -EINVAL);
    assert_string_equal(reason, "kind must be ramp | hold, not \"slow\"");
}

/* Whatever is printed is read back as the same value; what is refused leaves it alone. */
static void options_survive_a_round_trip(void **state)
{
    char text[96], reason[WHY_CHARS];
    struct rng r;
    (void)state;
    rng_seed(&r, 9);
    for (int i = 0; i < 5000; i++) {
        struct settings s = {.n_hidden = 1 + (int)rng_below(&r, 4),
                             .kind = (int)rng_below(&r, 2),
                             .rate = rng_uniform(&r) * pow(10.0, -(double)rng_below(&r, 12)),
                             .on = rng_below(&r, 2) == 1};
        struct settings again = {.rate = -1.0};
        for (int k = 0; k < s.n_hidden; k++) {
            s.hidden[k] = 1 + (int)rng_below(&r, 512);
        }
        for (const struct option *o = table; o->key != NULL; o++) {
            (void)option_get(o, &s, text, sizeof text);
            assert_int_equal(option_set(o, &again, text, reason, sizeof reason), 0);
        }
        assert_int_equal(again.n_hidden, s.n_hidden);
        assert_memory_equal(again.hidden, s.hidden, (size_t)s.n_hidden * sizeof s.hidden[0]);
        assert_true(again.kind == s.kind && again.on == s.on && again.rate == s.rate);
    }
}

static void options_hold_their_limits(void **state)
{
    static const char *const good[] = {"0", "1", "1.0", "1e-300", "0.5"};
    static const char *const bad[] = {"-1e-9", "1.0000000001", "0x10", "1e999",
                                      "-inf",  "1,0",          "--1"};
    static const char *const bad_lists[] = {"[0]", "[513]", "[1, 2, 3, 4, 5]", "[1, ]", "[1 2]",
                                            "[1",  "1]",    "[[1]]",           "[a]"};
    struct settings s;
    char reason[WHY_CHARS];
    (void)state;
    option_defaults(table, &s);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(option_set(&table[1], &s, good[i], reason, sizeof reason), 0);
    }
    s.rate = 0.25;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (option_set(&table[1], &s, bad[i], reason, sizeof reason) != -EINVAL) {
            fail_msg("rate: %s is taken as %g", bad[i], s.rate);
        }
        assert_true(s.rate == 0.25);
        assert_true(strlen(reason) > 10);
    }
    const struct settings before = s;
    for (size_t i = 0; i < sizeof bad_lists / sizeof bad_lists[0]; i++) {
        if (option_set(&table[0], &s, bad_lists[i], reason, sizeof reason) != -EINVAL) {
            fail_msg("hidden: %s is taken as %d numbers", bad_lists[i], s.n_hidden);
        }
        assert_memory_equal(&s, &before, sizeof s);
    }
    assert_int_equal(option_set(&table[3], &s, "yes", reason, sizeof reason), -EINVAL);
    assert_null(option_find(table, "hid"));
    assert_ptr_equal(option_find(table, "on"), &table[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_their_check_values),
        cmocka_unit_test(the_crc_is_its_definition_however_it_is_cut),
        cmocka_unit_test(rng_has_unit_normal_moments_and_independent_children),
        cmocka_unit_test(rng_gives_the_published_numbers),
        cmocka_unit_test(rng_stays_in_its_range),
        cmocka_unit_test(hist_knows_every_quantile),
        cmocka_unit_test(hist_takes_any_duration),
        cmocka_unit_test(an_arena_gives_until_it_is_frozen),
        cmocka_unit_test(a_prefaulted_arena_has_its_pages),
        cmocka_unit_test(a_virtual_clock_goes_where_it_is_sent),
        cmocka_unit_test(options_parse_print_and_refuse),
        cmocka_unit_test(options_survive_a_round_trip),
        cmocka_unit_test(options_hold_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
