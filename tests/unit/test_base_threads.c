/*
 * What crosses threads on the floor: ring and mailbox against a model of one thread, then between
 * two threads, where the thread sanitizer watches; and threads themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/mailbox.h"
#include "daemon/base/ring.h"
#include "daemon/base/rng.h"
#include "daemon/base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 60000
#define WORDS   8
#define SLOT    (WORDS * 512)

struct record {
    uint64_t word[WORDS];
};

static struct record record_of(uint64_t i)
{
    struct record r;
    for (int k = 0; k < WORDS; k++) {
        r.word[k] = i * 0x9e3779b97f4a7c15u + (uint64_t)k;
    }
    return r;
}

static void *block_of(size_t n)
{
    const size_t whole = (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *p = aligned_alloc(CACHE_LINE, whole);
    assert_non_null(p);
    return memset(p, 0, whole);
}

/* --- ring --- */

static void a_ring_is_a_bounded_queue(void **state)
{
    static const uint64_t sizes[] = {1, 2, 8, 64};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct ring r;
        struct rng rng;
        void *block = block_of(ring_bytes(sizeof(struct record), sizes[k]));
        ring_init(&r, block, sizeof(struct record), sizes[k]);
        rng_seed(&rng, sizes[k]);
        uint64_t first = 0, next = 0, dropped = 0, model[64];
        for (uint64_t i = 0; i < 20000; i++) {
            struct record got, want = record_of(i);
            /* phases in which it runs full, and empty */
            if (rng_below(&rng, 100) < (i / 500 % 2 == 0 ? 60u : 40u)) {
                const bool room = next - first < sizes[k];
                assert_int_equal(ring_push(&r, &want), room);
                model[next % sizes[k]] = room ? i : model[next % sizes[k]];
                next += room;
                dropped += !room;
            } else {
                assert_int_equal(ring_pop(&r, &got), next > first);
                if (next > first) {
                    want = record_of(model[first++ % sizes[k]]);
                    assert_memory_equal(&got, &want, sizeof got);
                }
            }
            assert_true(ring_dropped(&r) == dropped);
        }
        assert_true(dropped > 0 && next > sizes[k]);
        free(block);
    }
}

static void *push_all(void *arg)
{
    for (uint64_t i = 1; i <= RECORDS; i++) {
        const struct record r = record_of(i);
        (void)ring_push(arg, &r);
        if (i % 64 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* Every record whole and in order; what is missing was counted. */
static void a_ring_between_two_threads(void **state)
{
    (void)state;
    struct ring r;
    pthread_t writer;
    void *block = block_of(ring_bytes(sizeof(struct record), 64));
    ring_init(&r, block, sizeof(struct record), 64);
    assert_int_equal(pthread_create(&writer, NULL, push_all, &r), 0);
    uint64_t got = 0, last = 0;
    while (got + ring_dropped(&r) < RECORDS) {
        struct record record;
        if (!ring_pop(&r, &record)) {
            (void)sched_yield();
            continue;
        }
        got++;
        uint64_t i = last + 1;
        while (i <= RECORDS && record_of(i).word[0] != record.word[0]) {
            i++;
        }
        const struct record want = record_of(i);
        assert_memory_equal(&record, &want, sizeof want);
        last = i;
    }
    (void)pthread_join(writer, NULL);
    assert_true(got >= 64); /* as many wait in it however the two are scheduled */
    assert_true(got + ring_dropped(&r) == RECORDS);
    free(block);
}

/* --- mailbox --- */

static void fill(uint64_t *slot, uint64_t version)
{
    for (size_t k = 0; k < SLOT / sizeof *slot; k++) {
        slot[k] = version;
    }
}

static void assert_whole(const uint64_t *slot, uint64_t version)
{
    for (size_t k = 0; k < SLOT / sizeof *slot; k++) {
        assert_true(slot[k] == version);
    }
}

/* The newest once; what the reader holds stays as it is until it takes another. */
static void a_mailbox_keeps_the_newest(void **state)
{
    (void)state;
    struct mailbox m;
    struct rng rng;
    void *block = block_of((size_t)3 * SLOT);
    mailbox_init(&m, block, SLOT);
    rng_seed(&rng, 5);
    uint64_t put = 0, taken = 0;
    const uint64_t *held = NULL;
    for (int i = 0; i < 20000; i++) {
        if (rng_below(&rng, 3) > 0) {
            fill(mailbox_back(&m), ++put);
            mailbox_put(&m);
        } else {
            const uint64_t *waiting = mailbox_waiting(&m), *got = mailbox_take(&m);
            assert_ptr_equal(got, waiting);
            assert_int_equal(got != NULL, put > taken);
            held = got != NULL ? got : held;
            taken = put;
        }
        if (held != NULL) {
            assert_whole(held, taken < held[0] ? taken : held[0]);
        }
        assert_int_equal(mailbox_waiting(&m) != NULL, put > taken);
    }
    free(block);
}

static void *put_all(void *arg)
{
    for (uint64_t i = 1; i <= RECORDS / 10; i++) {
        fill(mailbox_back(arg), i);
        mailbox_put(arg);
        if (i % 16 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* Never torn, never older than before, and in the end the last. */
static void a_mailbox_between_two_threads(void **state)
{
    (void)state;
    struct mailbox m;
    pthread_t writer;
    void *block = block_of((size_t)3 * SLOT);
    mailbox_init(&m, block, SLOT);
    assert_int_equal(pthread_create(&writer, NULL, put_all, &m), 0);
    for (uint64_t last = 0; last < RECORDS / 10;) {
        const uint64_t *got = mailbox_take(&m);
        if (got == NULL) {
            (void)sched_yield();
            continue;
        }
        assert_true(got[0] > last);
        last = got[0];
        assert_whole(got, last);
    }
    (void)pthread_join(writer, NULL);
    assert_null(mailbox_take(&m));
    free(block);
}

/* --- threads --- */

struct seen {
    char name[16];
    int policy, n_cpus;
    bool on_cpu, term_blocked, segv_blocked;
};

static void *look(void *arg)
{
    struct seen *s = arg;
    cpu_set_t set;
    sigset_t blocked;
    (void)pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    s->policy = sched_getscheduler(0);
    (void)sched_getaffinity(0, sizeof set, &set);
    s->n_cpus = CPU_COUNT(&set);
    s->on_cpu = CPU_ISSET((size_t)sched_getcpu(), &set);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    s->term_blocked = sigismember(&blocked, SIGTERM) == 1;
    s->segv_blocked = sigismember(&blocked, SIGSEGV) == 1;
    thread_prefault_stack();
    return NULL;
}

static struct seen started(const struct thread_spec *spec, char ret_missed[WHY_CHARS])
{
    struct seen s = {.policy = -1};
    pthread_t t;
    assert_int_equal(thread_start(&t, spec, look, &s, ret_missed, WHY_CHARS), 0);
    (void)pthread_join(t, NULL);
    return s;
}

static int any_cpu(void)
{
    cpu_set_t set;
    int cpu = 0;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET((size_t)cpu, &set)) {
        cpu++;
    }
    return cpu;
}

static void a_thread_is_as_it_was_ordered(void **state)
{
    char missed[WHY_CHARS];
    (void)state;
    const struct thread_spec idle = {
        .name = "idle", .class = THREAD_IDLE, .cpu = any_cpu(), .not_cpu = -1};
    const struct seen s = started(&idle, missed);
    assert_string_equal(missed, "");
    assert_string_equal(s.name, "idle");
    assert_int_equal(s.policy, SCHED_IDLE);
    assert_int_equal(s.n_cpus, 1);
    assert_true(s.on_cpu && s.term_blocked && !s.segv_blocked);
    sigset_t own;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_int_equal(sigismember(&own, SIGTERM), 0); /* the starter's mask is as before */
}

/* What the system refuses is said, and the thread runs without it. */
static void a_thread_without_its_processor_runs_and_says_so(void **state)
{
    char missed[WHY_CHARS];
    (void)state;
    const struct thread_spec far = {
        .name = "far", .class = THREAD_NORMAL, .cpu = CPU_SETSIZE - 1, .not_cpu = -1};
    const struct seen s = started(&far, missed);
    assert_non_null(strstr(missed, "thread far: cannot run on CPU"));
    assert_string_equal(s.name, "far");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_is_a_bounded_queue),
        cmocka_unit_test(a_ring_between_two_threads),
        cmocka_unit_test(a_mailbox_keeps_the_newest),
        cmocka_unit_test(a_mailbox_between_two_threads),
        cmocka_unit_test(a_thread_is_as_it_was_ordered),
        cmocka_unit_test(a_thread_without_its_processor_runs_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
