/*
 * The benchmark of updates: what it counts, and that it measures what the daemon does: its
 * learner's step, which is a sample and policy.update. No time is asserted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "daemon/bench_count.h"
#include "daemon/bench_learner.h"
#include "daemon/bench_peak.h"
#include "policies/nn/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UPDATES 100

static const int large[] = {256, 256}, small[] = {64, 64}, odd[] = {7};

/* Counted by hand, layer by layer; a product and a sum are two. */
static void operations_are_counted(void **state)
{
    (void)state;

    static const struct {
        struct count_spec spec;
        double flop;
    } rows[] = {
        {{"sac", 17, 6, 256, large, 2}, 577110016.0},
        {{"sac", 3, 1, 100, small, 2}, 13913600.0},
        {{"td3", 17, 6, 256, large, 2}, 413466624.0},
        {{"td3", 3, 1, 100, small, 2}, 9984000.0},
        {{"ddpg", 17, 6, 256, large, 2}, 359006208.0},
        {{"ddpg", 3, 1, 100, small, 2}, 8652800.0},
        /* one hidden layer of 7, obs 2, act 1, a row: actor 2x14 + 7; critic 3x21 + 3x7; 21 + 28;
         * by the action 7 + 7; actor backward 14 + 14 */
        {{"ddpg", 2, 1, 1, odd, 1}, 2.0 * (2 * 21 + 3 * 28 + (2 * 28 - 21) + 14 + (2 * 21 - 14))},
    };

    char text[256];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double flop = count_flop(&rows[i].spec);
        if (flop != rows[i].flop) {
            fail_msg("%s, row %zu: %.0f, not %.0f", rows[i].spec.algo, i, flop, rows[i].flop);
        }
        assert_true(count_text(rows[i].spec.algo, text, sizeof text) > 0);
    }
    const struct count_spec unknown = {"hold", 1, 1, 1, odd, 1};
    assert_true(isnan(count_flop(&unknown)));
    assert_int_equal(count_text("hold", text, sizeof text), 0);
}

static void peaks_are_finite(void **state)
{
    (void)state;
    struct peaks peaks;
    peaks_find(&peaks);
    assert_non_null(peaks.loop[PEAK_FP32]);
    for (int p = 0; p < PEAKS_N; p++) {
        if (peaks.loop[p] != NULL) {
            const double v = peak_measure(peaks.loop[p], 1e-4, NULL);
            assert_true(isfinite(v) && v > 0.0);
        }
    }
}

static struct bench_learner_spec spec_of(const char *algo)
{
    return (struct bench_learner_spec){.algo = algo,
                                       .n_obs = 5,
                                       .n_act = 2,
                                       .batch = 33,
                                       .hidden = {17, 9},
                                       .n_hidden = 2,
                                       .rows = 2000,
                                       .seed = 3};
}

/* What the benchmark prints as weights_hash. */
static uint64_t hash_of_bench(const struct bench_learner_spec *spec)
{
    struct bench_learner *b = calloc(1, sizeof *b);
    char reason[WHY_CHARS] = "";
    if (bench_learner_open(b, spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    for (int i = 0; i < UPDATES; i++) {
        assert_true(learner_step(&b->learner));
    }
    const uint64_t hash = learner_hash(&b->learner);
    bench_learner_close(b);
    free(b);
    return hash;
}

/* The same by hand, on the same replay: the algorithm, its random stream, a sampler, and nothing of
 * the daemon. */
static uint64_t hash_by_hand(const struct bench_learner_spec *spec)
{
    struct bench_learner *b = calloc(1, sizeof *b);
    char reason[WHY_CHARS] = "";
    struct rng rng, rng_sample;
    struct stats stats;
    assert_int_equal(bench_learner_open(b, spec, reason, sizeof reason), 0);
    const struct policy *p = policy_find(spec->algo);
    const struct dims dims = {.n_obs = (int)spec->n_obs,
                              .n_act = (int)spec->n_act,
                              .n_vector = (int)spec->n_obs,
                              .batch = (int)spec->batch,
                              .seg_len = 1,
                              .policy_rate_hz = 20.0,
                              .kernel = spec->kernel};
    const struct sample_spec sample = {
        .batch = dims.batch, .n_steps = 1, .seg_len = 1, .gamma = b->config.learner.gamma};
    rng_child(&rng, (uint64_t)spec->seed, "learner");
    rng_child(&rng_sample, (uint64_t)spec->seed, "sampler");
    void *self = p->init(b->config.policy_config, &dims, &b->mem, &rng);
    struct sampler *sampler = sampler_init(b->replay, &sample, &b->mem);
    for (int i = 0; i < UPDATES; i++) {
        struct batch batch = {0};
        assert_true(sampler_draw(sampler, &rng_sample, &batch));
        batch.step = spec->rows;
        p->update(self, &batch, &stats);
    }
    static float w[4096];
    const float mean[5] = {0}, inv_std[5] = {1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    const int n = p->save(self, w, 4096);
    assert_true(n > 0);
    uint64_t hash = hash_fnv1a(HASH_START, w, (size_t)n * sizeof(float));
    hash = hash_fnv1a(hash, mean, sizeof mean);
    hash = hash_fnv1a(hash, inv_std, sizeof inv_std);
    bench_learner_close(b);
    free(b);
    return hash;
}

static void the_bench_does_what_the_learner_does(void **state)
{
    (void)state;
    static const char *const algos[] = {"sac", "td3", "ddpg"};
    for (size_t i = 0; i < sizeof algos / sizeof algos[0]; i++) {
        for (int k = 0; kernels[k] != NULL; k++) {
            struct bench_learner_spec spec = spec_of(algos[i]);
            spec.kernel = kernels[k];
            if (kernels[k]->usable() && hash_of_bench(&spec) != hash_by_hand(&spec)) {
                fail_msg("%s, %s: the hashes differ", algos[i], kernels[k]->name);
            }
        }
        struct bench_learner_spec spec = spec_of(algos[i]), other = spec;
        other.seed++;
        assert_true(hash_of_bench(&spec) != hash_of_bench(&other));
    }
}

/* In one sentence each. */
static void mistakes_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *algo, *set, *said;
    } rows[] = {{"hold", NULL, "algo hold"},
                {"nobody", NULL, "algo nobody"},
                {"sac", "policy.tua=1", "policy.tua: there is no such key"},
                {"sac", "policy.tau=2", "tau must be"},
                {"sac", "bus.baud=1", "only keys of policy and learner"},
                {"sac", "tau", "not of the form"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench_learner *b = calloc(1, sizeof *b);
        struct bench_learner_spec spec = spec_of(rows[i].algo);
        char reason[WHY_CHARS] = "";
        spec.sets = &rows[i].set;
        spec.n_sets = rows[i].set != NULL ? 1 : 0;
        assert_true(bench_learner_open(b, &spec, reason, sizeof reason) < 0);
        if (strstr(reason, rows[i].said) == NULL) {
            fail_msg("'%s' does not say '%s'", reason, rows[i].said);
        }
        bench_learner_close(b);
        free(b);
    }
}

static void widths_are_read(void **state)
{
    (void)state;
    int hidden[BENCH_LAYERS_MAX], n = 0;
    assert_true(bench_hidden("400,300", hidden, &n));
    assert_int_equal(n, 2);
    assert_int_equal(hidden[0], 400);
    assert_int_equal(hidden[1], 300);
    static const char *const wrong[] = {"",      "64,", ",64",        "0",
                                        "64x64", "-1",  "9999999999", "1,2,3,4,5,6"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(bench_hidden(wrong[i], hidden, &n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_counted),
        cmocka_unit_test(peaks_are_finite),
        cmocka_unit_test(the_bench_does_what_the_learner_does),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(widths_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
