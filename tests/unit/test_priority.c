/* Prioritised replay: probabilities and weights of the published formulas, at numbers computed
 * independently; frequencies of draws; sums that do not drift; items that are never drawn. */
#include "policies/priority.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BATCH  64
#define STRATA 50 /* a draw of so many: 1e5 are whole ones */

struct bench {
    struct arena mem;
    struct priority *p;
    struct rng rng;
};

static void begin(struct bench *b, int kind, int capacity, double alpha)
{
    const struct priority_spec spec = {
        .kind = kind, .capacity = capacity, .batch = BATCH, .alpha = alpha, .eps = 0.0};
    assert_int_equal(arena_open(&b->mem, "test", (size_t)64 << 20), 0);
    b->p = priority_init(&spec, &b->mem);
    rng_seed(&b->rng, 7);
}

static void learn(struct bench *b, const float *td, int n)
{
    int item[BATCH];
    for (int i = 0; i < n; i++) {
        priority_add(b->p, i);
        item[i] = i;
    }
    priority_update(b->p, item, td, n);
}

#define DRAWS 100000

/* 1e5 draws, so many at a time: of each item its probability, and how often it came. */
static void frequencies(struct bench *b, int n, int batch, double *ret_prob, int *ret_count)
{
    int item[BATCH];
    double prob[BATCH];
    memset(ret_count, 0, (size_t)n * sizeof(int));
    for (int k = 0; k < DRAWS / batch; k++) {
        assert_true(priority_draw(b->p, &b->rng, batch, item, prob));
        for (int i = 0; i < batch; i++) {
            assert_in_range(item[i], 0, n - 1);
            ret_prob[item[i]] = prob[i];
            ret_count[item[i]]++;
        }
    }
}

static double chi_square(const double *prob, const int *count, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        const double want = DRAWS * prob[i];
        sum += (count[i] - want) * (count[i] - want) / want;
    }
    return sum;
}

/* One at a time they are independent: chi-square within its bounds (p = 0.001 above, 0.999 below).
 * In strata they vary less: the upper bound alone, and each item's frequency within 1 %. */
static void check_frequencies(struct bench *b, int n, double least, double most, double *ret_prob)
{
    int count[8];
    frequencies(b, n, 1, ret_prob, count);
    const double chi2 = chi_square(ret_prob, count, n);
    frequencies(b, n, STRATA, ret_prob, count);
    const double strata = chi_square(ret_prob, count, n);
    print_message("chi-square %.2f, in strata %.2f\n", chi2, strata);
    assert_true(chi2 > least && chi2 < most);
    assert_true(strata < most);
    for (int i = 0; i < n; i++) {
        assert_true(fabs(count[i] / (DRAWS * ret_prob[i]) - 1.0) < 0.01);
    }
}

static void proportional_probabilities_14_7(void **state)
{
    (void)state;

    static const struct {
        double alpha, prob[4], beta, w[4];
    } rows[] = {
        {0.6,
         {.12054997, .18271958, .27695109, .41977936},
         0.4,
         {1, .84674531, .71697762, .60709744}},
        {0.6,
         {.12054997, .18271958, .27695109, .41977936},
         1.0,
         {1, .65975396, .43527528, .28717459}},
        {1.0, {1.0 / 15, 2.0 / 15, 4.0 / 15, 8.0 / 15}, 0.4, {1, .75785828, .57434918, .43527528}},
        {0.5, {.13807119, .19526215, .27614237, .39052429}, 0.0, {1, 1, 1, 1}},
    };

    const float td[] = {1.0f, -2.0f, 4.0f, -8.0f};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct bench b;
        double prob[4] = {0};
        float w[4];
        begin(&b, PRIORITY_PROPORTIONAL, 4, rows[k].alpha);
        learn(&b, td, 4);
        check_frequencies(&b, 4, .0243, 16.27, prob); /* 3 degrees of freedom */
        priority_weights(prob, rows[k].beta, 4, w);
        for (int i = 0; i < 4; i++) {
            assert_true(fabs(prob[i] - rows[k].prob[i]) < 1e-6);
            assert_true(fabs((double)w[i] - rows[k].w[i]) < 1e-6);
        }
        arena_close(&b.mem);
    }
}

static void rank_probabilities_14_7(void **state)
{
    (void)state;

    static const struct {
        double alpha, prob[8];
    } rows[] = {
        {0.7,
         {.28115462, .17307097, .13030478, .10653768, .09113102, .080212, .07200731, .06558163}},
        {1.0,
         {.36793693, .18396846, .12264564, .09198423, .07358739, .06132282, .05256242, .04599212}},
    };

    const float td[] = {0.5f, -8.0f, 3.0f, 0.1f, 2.0f, -1.0f, 5.0f, 0.0f};
    const int rank[] = {6, 1, 3, 7, 4, 5, 2, 8};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct bench b;
        double prob[8] = {0};
        begin(&b, PRIORITY_RANK, 8, rows[k].alpha);
        learn(&b, td, 8);
        priority_sort(b.p);
        check_frequencies(&b, 8, .598, 24.32, prob); /* 7 of them */
        for (int i = 0; i < 8; i++) {
            assert_true(fabs(prob[i] - rows[k].prob[rank[i] - 1]) < 1e-7);
        }
        arena_close(&b.mem);
    }
}

static void sums_do_not_drift_14_7(void **state)
{
    (void)state;

    enum { N = 1000 };

    struct bench b;
    struct priority_view v;
    begin(&b, PRIORITY_PROPORTIONAL, N, 0.6);
    for (int i = 0; i < N; i++) {
        priority_add(b.p, i);
    }
    for (int k = 0; k < 1000000 / BATCH; k++) {
        int item[BATCH];
        float td[BATCH];
        for (int i = 0; i < BATCH; i++) {
            item[i] = (int)rng_below(&b.rng, N);
            td[i] = (float)rng_normal(&b.rng);
        }
        priority_update(b.p, item, td, BATCH);
    }
    double sum = 0.0, prob;
    int item;
    priority_state(b.p, &v);
    for (int i = 0; i < N; i++) {
        sum += (double)v.value[i];
    }
    assert_true(priority_draw(b.p, &b.rng, 1, &item, &prob));
    assert_true(fabs((double)v.value[item] / prob / sum - 1.0) < 1e-9);
    arena_close(&b.mem);
}

/* With beta = 1 and the weights as they are, a mean over prioritised draws is the uniform mean. */
static void weights_undo_the_priorities_14_7(void **state)
{
    (void)state;

    enum { N = 50, TURNS = 4000 };

    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        struct bench b;
        float td[N];
        double mean = 0.0, mean2 = 0.0, uniform = 0.0;
        begin(&b, kind, N, 0.7);
        for (int i = 0; i < N; i++) {
            td[i] = (float)(1 + i);
            uniform += (double)(i * i) / N;
        }
        learn(&b, td, N);
        for (int k = 0; k < TURNS; k++) {
            int item;
            double prob;
            assert_true(priority_draw(b.p, &b.rng, 1, &item, &prob));
            const double x = (double)(item * item) / (N * prob);
            mean += x / TURNS;
            mean2 += x * x / TURNS;
        }
        const double error = sqrt((mean2 - mean * mean) / TURNS);
        assert_true(fabs(mean - uniform) < 3.5 * error);
        arena_close(&b.mem);
    }
}

static void what_was_removed_is_never_drawn(void **state)
{
    (void)state;
    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        struct bench b;
        int item[BATCH];
        double prob[BATCH];
        const float none[1] = {0.0f}, bad[2] = {NAN, INFINITY};
        begin(&b, kind, 100, 0.6);
        assert_false(priority_draw(b.p, &b.rng, 1, item, prob));
        for (int i = 0; i < 100; i++) {
            priority_add(b.p, i);
        }
        for (int i = 0; i < 100; i += 2) {
            priority_remove(b.p, i);
        }
        priority_update(b.p, (const int[]){4}, (const float[]){100.0f},
                        1); /* not there: stays so */
        priority_update(b.p, (const int[]){3, 5}, bad, 2);
        assert_int_equal(priority_count(b.p), 50);
        for (int k = 0; k < 100; k++) {
            assert_true(priority_draw(b.p, &b.rng, BATCH, item, prob));
            for (int i = 0; i < BATCH; i++) {
                assert_int_equal(item[i] % 2, 1);
                assert_true(isfinite(prob[i]) && prob[i] > 0.0);
            }
        }
        priority_update(b.p, (const int[]){7}, none, 1); /* eps 0: a priority of nothing */
        assert_true(priority_draw(b.p, &b.rng, BATCH, item, prob));
        arena_close(&b.mem);
    }
}

/* Of an item: by its place where there is an order. */
static float value_of(const struct priority_view *v, int n, int item)
{
    for (int at = 0; v->order != NULL && at < n; at++) {
        if (v->order[at] == item) {
            return v->value[at];
        }
    }
    return v->value[item];
}

/* New items come with the largest priority so far, so that each is drawn soon. */
static void new_items_come_first(void **state)
{
    (void)state;
    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        struct bench b;
        struct priority_view v;
        const float td[] = {0.1f, 3.0f, 0.2f};
        begin(&b, kind, 8, 1.0);
        learn(&b, td, 3);
        priority_add(b.p, 3);
        priority_state(b.p, &v);
        const float fresh = value_of(&v, 4, 3);
        assert_true(fresh == value_of(&v, 4, 1) && fresh > value_of(&v, 4, 0));
        arena_close(&b.mem);
    }
}

static void a_restored_state_goes_on_the_same(void **state)
{
    (void)state;
    for (int kind = PRIORITY_PROPORTIONAL; kind <= PRIORITY_RANK; kind++) {
        struct bench a, b;
        struct priority_view from, to;
        float td[40];
        begin(&a, kind, 40, 0.6);
        begin(&b, kind, 40, 0.6);
        for (int i = 0; i < 40; i++) {
            td[i] = (float)rng_normal(&a.rng);
        }
        learn(&a, td, 40);
        priority_remove(a.p, 11);
        priority_state(a.p, &from);
        priority_state(b.p, &to);
        memcpy(to.value, from.value, 40 * sizeof(float));
        memcpy(to.largest, from.largest, sizeof(double));
        memcpy(to.count, from.count, 2 * sizeof(int64_t));
        if (from.order != NULL) {
            memcpy(to.order, from.order, 40 * sizeof(int32_t));
        }
        assert_true(priority_restored(b.p));
        rng_seed(&a.rng, 9);
        rng_seed(&b.rng, 9);
        for (int k = 0; k < 20; k++) {
            int item[2][BATCH];
            double prob[2][BATCH];
            assert_true(priority_draw(a.p, &a.rng, BATCH, item[0], prob[0]));
            assert_true(priority_draw(b.p, &b.rng, BATCH, item[1], prob[1]));
            assert_memory_equal(item[0], item[1], sizeof item[0]);
            assert_memory_equal(prob[0], prob[1], sizeof prob[0]);
            priority_update(a.p, item[0], td, 40);
            priority_update(b.p, item[1], td, 40);
        }
        arena_close(&a.mem);
        arena_close(&b.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proportional_probabilities_14_7),
        cmocka_unit_test(rank_probabilities_14_7),
        cmocka_unit_test(sums_do_not_drift_14_7),
        cmocka_unit_test(weights_undo_the_priorities_14_7),
        cmocka_unit_test(what_was_removed_is_never_drawn),
        cmocka_unit_test(new_items_come_first),
        cmocka_unit_test(a_restored_state_goes_on_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
