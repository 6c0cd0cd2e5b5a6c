/* The floor: rng against published vectors, hash check values, ring, mailbox, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "daemon/base/mailbox.h"
#include "daemon/base/option.h"
#include "daemon/base/ring.h"
#include "daemon/base/rng.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void hashes_match_their_check_values(void **state)
{
    (void)state;
    assert_int_equal(hash_crc32c(0, "123456789", 9), 0xE3069283u);
    assert_true(hash_fnv1a(HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
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

static void ring_keeps_order_and_counts_drops(void **state)
{
    (void)state;
    struct ring r;
    void *block = aligned_alloc(64, (ring_bytes(sizeof(int), 4) + 63) / 64 * 64);
    memset(block, 0, ring_bytes(sizeof(int), 4));
    ring_init(&r, block, sizeof(int), 4);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(ring_push(&r, &i), i < 4);
    }
    assert_int_equal(ring_dropped(&r), 2);
    int x = -1;
    for (int i = 0; i < 4; i++) {
        assert_true(ring_pop(&r, &x));
        assert_int_equal(x, i);
    }
    assert_false(ring_pop(&r, &x));
    free(block);
}

static void mailbox_gives_the_newest_once(void **state)
{
    (void)state;
    _Alignas(64) char block[3 * 64];
    struct mailbox m;
    mailbox_init(&m, block, 64);
    assert_null(mailbox_take(&m));
    for (int i = 1; i <= 3; i++) {
        memcpy(mailbox_back(&m), &i, sizeof i);
        mailbox_put(&m);
    }
    const int *got = mailbox_take(&m);
    assert_non_null(got);
    assert_int_equal(*got, 3);
    assert_null(mailbox_take(&m));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_their_check_values),
        cmocka_unit_test(rng_has_unit_normal_moments_and_independent_children),
        cmocka_unit_test(ring_keeps_order_and_counts_drops),
        cmocka_unit_test(mailbox_gives_the_newest_once),
        cmocka_unit_test(options_parse_print_and_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
