/*
 * The rows of a ring by priority: which are there, how often each is drawn and with which weight,
 * what a torn row, a restored checkpoint and a lost replay do. The priorities alone:
 * test_priority.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/replay_prioritized.h"
#include "tests/unit/replay_fixture.h"

#define BATCH 32

struct bench {
    struct replay *replay;
    struct prioritized *by;
    struct drawer d;
    int next; /* what the next observation says: rows are numbered by theirs */
};

static void bench_open(struct bench *b, int kind, int64_t capacity, int n_steps)
{
    const struct prioritized_spec spec = {.kind = kind, .batch = BATCH, .alpha = 0.6, .eps = 1e-6};
    *b = (struct bench){.replay = replay_make(1, 1, capacity)};
    assert_int_equal(arena_open(&b->d.mem, "draws", (size_t)16 << 20), 0);
    b->by = prioritized_init(b->replay, &spec, &b->d.mem);
    b->d.sampler = sampler_init(
        b->replay,
        &(struct sample_spec){
            .batch = BATCH, .n_steps = n_steps, .seg_len = 1, .gamma = GAMMA, .by = b->by},
        &b->d.mem);
    rng_seed(&b->d.rng, 5);
}

static void bench_close(struct bench *b)
{
    drawer_free(&b->d);
    replay_close(b->replay);
}

/* Until row n is open: episodes of 10 rows, of which the last is final. Row i sees i, and earns it.
 */
static void write_until(struct bench *b, int n)
{
    for (; b->next < n; b->next++) {
        const int i = b->next;
        if (i % 10 == 0) {
            commit(b->replay, false, true, (float)i, 0.0f, 0);
        } else {
            commit(b->replay, true, i % 10 != 9, (float)i, (float)(i - 1),
                   i % 10 != 9 ? 0 : ROW_TRUNCATED);
        }
    }
}

/* What is learnt about row i, whenever it is drawn. */
static float error_of(int row)
{
    return 0.25f + (float)(row * 7 % 10);
}

static void learn(struct bench *b, struct batch *batch)
{
    assert_true(sampler_draw(b->d.sampler, &b->d.rng, batch));
    assert_non_null(batch->ret_td);
    for (int i = 0; i < batch->n; i++) {
        batch->ret_td[i] = error_of((int)batch->s[i]);
    }
    prioritized_learnt(b->by, batch->ret_td, batch->n);
}

/* Chi-square of counts against n p, and its bound at four deviations. */
static void check_counts(const int *count, const double *p, int n, double draws)
{
    double chi2 = 0.0, sum = 0.0, dof = -1.0;
    for (int i = 0; i < n; i++) {
        sum += p[i];
    }
    for (int i = 0; i < n; i++) {
        const double expected = p[i] / sum * draws;
        assert_true(p[i] > 0.0 || count[i] == 0);
        chi2 += p[i] > 0.0 ? (count[i] - expected) * (count[i] - expected) / expected : 0.0;
        dof += p[i] > 0.0;
    }
    assert_true(chi2 < dof + 4.0 * sqrt(2.0 * dof)); /* strata only make it smaller */
}

enum { CAPACITY = 64, ROWS = 165, ROUNDS = 4000 };

/* The ring has wrapped more than twice, and was learnt from while it turned. */
static void bench_turned(struct bench *b, int kind, struct replay_info *ret_info)
{
    struct batch batch;
    bench_open(b, kind, CAPACITY, 1);
    for (int n = 10; n <= ROWS; n += 5) {
        write_until(b, n);
        learn(b, &batch);
    }
    for (int k = 0; k < 200; k++) {
        learn(b, &batch);
    }
    assert_int_equal(replay_info(b->replay, ret_info), 0);
}

/* What is held and is a start is drawn in proportion to (|TD| + eps)^alpha, with the weights of the
 * paper; final rows and what is gone never. */
static void rows_are_drawn_by_their_errors(void **state)
{
    (void)state;
    struct bench b;
    struct batch batch;
    static struct replay_info info;
    double p[ROWS] = {0};
    int count[ROWS] = {0};
    bench_turned(&b, PRIORITY_PROPORTIONAL, &info);
    for (int row = (int)(info.head - info.rows); row < info.head; row++) {
        p[row] = row % 10 == 9 ? 0.0 : pow((double)error_of(row) + 1e-6, 0.6);
    }
    prioritized_beta(b.by, 0.5);
    for (int k = 0; k < ROUNDS; k++) {
        double least = HUGE_VAL;
        learn(&b, &batch);
        for (int i = 0; i < BATCH; i++) {
            const int row = (int)batch.s[i];
            assert_true((int)batch.s2[i] == row + 1);
            count[row]++;
            least = fmin(least, p[row]);
        }
        for (int i = 0; i < BATCH; i++) { /* (N P)^-beta over the largest of the batch */
            const double want = pow(least / p[(int)batch.s[i]], 0.5);
            assert_true(fabs((double)batch.w[i] - want) < 1e-5);
        }
    }
    check_counts(count, p, ROWS, (double)BATCH * ROUNDS);
    bench_close(&b);
}

/* In proportion to place^-alpha; what is as good as it was keeps its place, and nobody stands
 * behind a smaller error. */
static void rows_are_drawn_by_their_rank(void **state)
{
    (void)state;
    struct bench b;
    struct batch batch;
    struct tensor t[PRIORITIZED_TENSORS];
    static struct replay_info info;
    double p[CAPACITY] = {0};
    int count[CAPACITY] = {0};
    bench_turned(&b, PRIORITY_RANK, &info);
    assert_int_equal(prioritized_tensors(b.by, t, PRIORITIZED_TENSORS), PRIORITIZED_TENSORS);
    const float *error = t[0].data;
    const int64_t n = ((const int64_t *)t[2].data)[0];
    const int32_t *order = t[5].data;
    assert_true(n > CAPACITY / 2 && n < CAPACITY);
    for (int k = 0; k < n; k++) {
        p[order[k]] = pow(k + 1.0, -0.6);
        assert_true(k == 0 || error[k] <= error[(k - 1) / 2]);
    }
    for (int k = 0; k < ROUNDS; k++) {
        learn(&b, &batch);
        for (int i = 0; i < BATCH; i++) {
            const int row = (int)batch.s[i];
            assert_true(row >= info.head - info.rows && row < info.head && row % 10 != 9);
            count[row % CAPACITY]++;
        }
    }
    check_counts(count, p, CAPACITY, (double)BATCH * ROUNDS);
    bench_close(&b);
}

/* What was never learnt from has the largest error so far. */
static void new_rows_come_soon(void **state)
{
    (void)state;
    struct bench b;
    struct batch batch;
    int seen_new = 0;
    bench_open(&b, PRIORITY_PROPORTIONAL, 256, 1);
    write_until(&b, 200);
    for (int k = 0; k < 300; k++) {
        assert_true(sampler_draw(b.d.sampler, &b.d.rng, &batch));
        for (int i = 0; i < BATCH; i++) {
            batch.ret_td[i] = (int)batch.s[i] == 17 ? 5.0f : 1e-4f;
        }
        prioritized_learnt(b.by, batch.ret_td, BATCH);
    }
    write_until(&b, 203); /* rows 200 and 201 are closed */
    assert_true(sampler_draw(b.d.sampler, &b.d.rng, &batch));
    for (int i = 0; i < BATCH; i++) {
        seen_new += batch.s[i] >= 200.0f;
    }
    assert_true(seen_new > BATCH / 2);
    bench_close(&b);
}

/* With n steps: r and g of windows by hand, whoever is drawn. */
static void windows_are_those_of_any_draw(void **state)
{
    (void)state;
    struct bench b;
    struct batch batch;
    bench_open(&b, PRIORITY_PROPORTIONAL, 64, 3);
    write_until(&b, 55);
    for (int t = 0; t < 50; t++) {
        learn(&b, &batch);
        for (int i = 0; i < BATCH; i++) {
            const int row = (int)batch.s[i], rest = 9 - row % 10; /* rows 54 is open */
            const int left = row + rest < 54 ? rest : 54 - row, k = left < 3 ? left : 3;
            const double want = k == 1   ? row
                                : k == 2 ? row + GAMMA * (row + 1)
                                         : row + GAMMA * (row + 1) + GAMMA * GAMMA * (row + 2);
            assert_true(fabs((double)batch.r[i] - want) < 1e-4);
            assert_true(fabs((double)batch.g[i] - pow(GAMMA, k)) < 1e-6);
            assert_int_equal((int)batch.s2[i], row + k);
        }
    }
    bench_close(&b);
}

/* A learner that slept while the ring turned more than once. */
static void what_was_overwritten_is_forgotten(void **state)
{
    (void)state;
    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        struct bench b;
        struct batch batch;
        bench_open(&b, kind, 64, 1);
        assert_false(sampler_draw(b.d.sampler, &b.d.rng, &batch));
        write_until(&b, 40);
        learn(&b, &batch);
        write_until(&b, 400);
        for (int t = 0; t < 100; t++) {
            learn(&b, &batch);
            for (int i = 0; i < BATCH; i++) {
                assert_in_range((int)batch.s[i], 400 - 64, 399);
                assert_true((int)batch.s[i] % 10 != 9);
            }
        }
        bench_close(&b);
    }
}

static void copy_tensors(struct prioritized *from, struct prioritized *to)
{
    struct tensor a[PRIORITIZED_TENSORS], b[PRIORITIZED_TENSORS];
    const int n = prioritized_tensors(from, a, PRIORITIZED_TENSORS);
    assert_int_equal(prioritized_tensors(to, b, PRIORITIZED_TENSORS), n);
    for (int i = 0; i < n; i++) {
        const size_t width = a[i].type == TENSOR_F32 || a[i].type == TENSOR_I32 ? 4 : 8;
        memcpy(b[i].data, a[i].data, (size_t)a[i].dim[0] * width);
    }
}

/* Two learners, one of them out of a checkpoint: the same rows, weights and numbers ever after. */
static void a_checkpoint_goes_on_exactly(void **state)
{
    (void)state;
    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        struct bench a, b;
        struct batch x, y;
        bench_open(&a, kind, 64, 1);
        bench_open(&b, kind, 64, 1);
        for (int n = 10; n <= 165; n += 5) {
            write_until(&a, n);
            learn(&a, &x);
        }
        write_until(&a, 168); /* rows that were not followed yet */
        assert_int_equal(
            replay_restore(b.replay, replay_data(a.replay), replay_bytes(a.replay), NULL, 0), 0);
        copy_tensors(a.by, b.by);
        prioritized_restored(b.by);
        b.d.rng = a.d.rng;
        b.next = a.next;
        for (int n = 168; n < 400; n += 3) {
            write_until(&a, n);
            write_until(&b, n);
            learn(&a, &x);
            learn(&b, &y);
            assert_memory_equal(x.s, y.s, BATCH * sizeof(float));
            assert_memory_equal(x.w, y.w, BATCH * sizeof(float));
        }
        bench_close(&a);
        bench_close(&b);
    }
}

/* Priorities of a replay that was lost, or damaged ones: all rows count as new, none is missing. */
static void what_does_not_fit_is_not_believed(void **state)
{
    (void)state;
    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        for (int how = 0; how < 3; how++) {
            struct bench a, b;
            struct batch batch;
            struct tensor t[PRIORITIZED_TENSORS];
            int count[64] = {0};
            bench_open(&a, kind, 64, 1);
            bench_open(&b, kind, 64, 1);
            write_until(&a, 43);
            for (int k = 0; k < 200; k++) {
                learn(&a, &batch);
            }
            write_until(&b, how == 0 ? 30 : 43); /* shorter than it was */
            copy_tensors(a.by, b.by);
            (void)prioritized_tensors(b.by, t, PRIORITIZED_TENSORS);
            if (how == 1) {
                ((float *)t[0].data)[2] = NAN;
            } else if (how == 2) {
                ((int64_t *)t[2].data)[0]--;
            }
            prioritized_restored(b.by);
            for (int k = 0; k < 100; k++) {
                assert_true(sampler_draw(b.d.sampler, &b.d.rng, &batch));
                for (int i = 0; i < BATCH; i++) {
                    count[(int)batch.s[i]]++;
                    batch.ret_td[i] = 1.0f;
                }
                prioritized_learnt(b.by, batch.ret_td, BATCH);
            }
            for (int row = 0; row < (how == 0 ? 29 : 42); row++) {
                assert_true(row % 10 == 9 ? count[row] == 0 : count[row] > 0);
            }
            bench_close(&a);
            bench_close(&b);
        }
    }
}

static void beta_grows_to_one(void **state)
{
    (void)state;
    assert_true(priority_beta(0.4, 100, 0) == 0.4);
    assert_true(fabs(priority_beta(0.4, 100, 25) - 0.55) < 1e-12);
    assert_true(fabs(priority_beta(0.4, 100, 50) - 0.7) < 1e-12);
    assert_true(priority_beta(0.4, 100, 100) == 1.0 && priority_beta(0.4, 100, 5000) == 1.0);
    assert_true(priority_beta(0.4, 0, 0) == 1.0 && priority_beta(1.0, 100, 3) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_drawn_by_their_errors),
        cmocka_unit_test(rows_are_drawn_by_their_rank),
        cmocka_unit_test(new_rows_come_soon),
        cmocka_unit_test(windows_are_those_of_any_draw),
        cmocka_unit_test(what_was_overwritten_is_forgotten),
        cmocka_unit_test(a_checkpoint_goes_on_exactly),
        cmocka_unit_test(what_does_not_fit_is_not_believed),
        cmocka_unit_test(beta_grows_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
