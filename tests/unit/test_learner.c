/*
 * The learner's clock: how many updates for how many steps, what a pause forgives, when weights go
 * out, whose mean and deviation they carry. The house is the crawler's; nobody drives it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/nn/kernel.h"
#include "tests/unit/crawler_fixture.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct house house;
    int rows;      /* closed so far */
    int published; /* blocks that went out */
    struct weights_view last;
    uint8_t *block;
};

static void note(void *to, const uint8_t *block, size_t n)
{
    struct bench *b = to;
    char reason[WHY_CHARS] = "";
    free(b->block);
    b->block = malloc(n);
    memcpy(b->block, block, n);
    assert_int_equal(weights_decode(b->block, n, &b->last, reason, sizeof reason), 0);
    b->published++;
}

static struct bench *bench_open(const char *const *more, int n_more)
{
    static const char *const small[] = {"policy.net_arch=[8]", "learner.batch_size=8",
                                        "replay.capacity=1000"};
    const char *sets[16];
    char reason[WHY_CHARS] = "";
    int n = 0;
    for (int i = 0; i < 3; i++) {
        sets[n++] = small[i];
    }
    for (int i = 0; i < n_more; i++) {
        sets[n++] = more[i];
    }
    const struct house_spec spec = crawler_spec(sets, n);
    struct bench *b = calloc(1, sizeof *b);
    if (house_open(&b->house, &spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    b->house.learner.publish = note;
    b->house.learner.to = b;
    return b;
}

static void bench_close(struct bench *b)
{
    house_close(&b->house);
    free(b->block);
    free(b);
}

/* Another row; its observation is all v. */
static void step(struct bench *b, float v)
{
    static const float act[ACT_MAX];
    static struct observation o;
    o.n = b->house.loop.task.n_obs;
    for (int k = 0; k < o.n; k++) {
        o.v[k] = v;
    }
    struct period p = {.opens = true, .asked = act, .applied = act, .obs2 = &o};
    if (b->rows == 0) {
        replay_commit(b->house.replay, &p);
    }
    p.closes = true;
    replay_commit(b->house.replay, &p);
    b->rows++;
    atomic_store(&b->house.shared->steps, (uint64_t)b->rows);
}

static int work(struct bench *b)
{
    int n = 0;
    while (learner_step(&b->house.learner)) {
        n++;
    }
    return n;
}

/* gradient_steps for every train_freq steps since learning_starts: no more, no less. */
static void updates_are_owed_by_steps(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.train_freq=4", "learner.gradient_steps=3",
                                       "learner.learning_starts=10", "learner.publish_every=5"};
    struct bench *b = bench_open(sets, 4);
    int total = 0;
    for (int k = 1; k <= 60; k++) {
        step(b, (float)k);
        total += work(b);
        assert_int_equal(total, k <= 10 ? 0 : (k - 10) / 4 * 3);
        assert_int_equal(b->published, total / 5);
        assert_int_equal(b->published > 0 ? (int)b->last.id.version : 0, total / 5);
        assert_int_equal(b->house.learner.counters[LEARNER_UPDATES], total);
        assert_int_equal(atomic_load(&b->house.shared->learner.updates), total);
    }
    for (int k = 61; k <= 211; k++) { /* it fell behind: all is made up, at once */
        step(b, (float)k);
    }
    total += work(b);
    assert_int_equal(total, 201 / 4 * 3);
    assert_int_equal(b->last.id.step, 211);
    assert_string_equal(b->last.id.algo, "sac");
    bench_close(b);
}

/* kernel_of() as on a processor without bf16: the linker sends it here. */
static bool without_bf16;
const struct kernel *__real_kernel_of(enum precision precision);
const struct kernel *__wrap_kernel_of(enum precision precision);

const struct kernel *__wrap_kernel_of(enum precision precision)
{
    return without_bf16 && precision == PRECISION_BF16 ? NULL : __real_kernel_of(precision);
}

static void a_precision_that_is_not_there_is_refused(void **state)
{
    (void)state;
    static const char *const sets[] = {"policy.net_arch=[8]", "learner.precision=bf16"};
    const struct house_spec spec = crawler_spec(sets, 2);
    struct house *h = calloc(1, sizeof *h);
    char reason[WHY_CHARS] = "";
    without_bf16 = true;
    assert_int_equal(house_open(h, &spec, reason, sizeof reason), -EINVAL);
    assert_string_equal(reason, "learner.precision bf16 needs a processor with AVX512_BF16, which "
                                "this one has not: set it to fp32");
    without_bf16 = false;
    house_close(h);
    free(h);
}

/* Another architecture's, which no machine of this one has. */
#ifdef __aarch64__
#define NOT_HERE "avx2"
#else
#define NOT_HERE "neon"
#endif

static void a_kernel_that_is_not_there_is_refused(void **state)
{
    (void)state;

    static const struct {
        const char *sets[2], *begins, *ends;
    } cases[] = {
        {{"learner.kernel=" NOT_HERE, "learner.precision=fp32"},
         "learner.kernel " NOT_HERE " does not run on this machine, which has ",
         "portable, cblas: set one of these, or auto"},
        {{"learner.kernel=portable", "learner.precision=bf16"},
         "learner.kernel portable multiplies in fp32, learner.precision is bf16: ",
         "set that to fp32, or the kernel to auto"},
        {{"learner.kernel=avx", "learner.precision=fp32"}, "--set learner.kernel", "avx2"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct house_spec spec = crawler_spec(cases[i].sets, 2);
        struct house *h = calloc(1, sizeof *h);
        char reason[WHY_CHARS] = "";
        assert_int_equal(house_open(h, &spec, reason, sizeof reason), -EINVAL);
        if (strstr(reason, cases[i].begins) == NULL || strstr(reason, cases[i].ends) == NULL) {
            fail_msg("%s", reason);
        }
        house_close(h);
        free(h);
    }
}

/* Each that is here computes when it is named; all that were built have a name to be asked for. */
static void the_kernel_that_is_named_learns(void **state)
{
    (void)state;
    for (int i = 0; kernels[i] != NULL; i++) {
        char kernel[48], precision[48];
        int k = 0;
        while (kernel_names[k] != NULL && strcmp(kernel_names[k], kernels[i]->name) != 0) {
            k++;
        }
        assert_non_null(kernel_names[k]);
        if (!kernels[i]->usable()) {
            continue;
        }
        (void)snprintf(kernel, sizeof kernel, "learner.kernel=%s", kernels[i]->name);
        (void)snprintf(precision, sizeof precision, "learner.precision=%s",
                       precision_names[kernels[i]->precision]);
        const char *const sets[] = {kernel, precision, "learner.learning_starts=0"};
        struct bench *b = bench_open(sets, 3);
        assert_ptr_equal(b->house.learner.dims.kernel, kernels[i]);
        for (int n = 1; n <= 5; n++) {
            step(b, (float)n);
        }
        assert_true(work(b) > 0);
        bench_close(b);
    }
}

static void learning_in_bf16(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.precision=bf16", "learner.learning_starts=0",
                                       "learner.gradient_steps=1"};
    if (kernel_of(PRECISION_BF16) == NULL) {
        skip();
    }
    struct bench *b = bench_open(sets, 3);
    assert_int_equal(b->house.learner.dims.kernel->precision, PRECISION_BF16);
    for (int k = 1; k <= 20; k++) {
        step(b, (float)k);
        (void)work(b);
    }
    assert_int_equal(b->house.learner.counters[LEARNER_UPDATES], 20);
    assert_true(b->published > 0); /* decoding them, it was seen that they are finite */
    bench_close(b);
}

static void a_pause_is_forgiven(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.train_freq=1", "learner.gradient_steps=2",
                                       "learner.learning_starts=0"};
    struct bench *b = bench_open(sets, 3);
    for (int k = 1; k <= 10; k++) {
        step(b, 1.0f);
    }
    assert_int_equal(work(b), 20);
    atomic_store(&b->house.shared->learner.paused, true);
    for (int k = 1; k <= 50; k++) {
        step(b, 1.0f);
        assert_int_equal(work(b), 0);
    }
    assert_int_equal(b->house.learner.counters[LEARNER_FORGIVEN], 100);
    atomic_store(&b->house.shared->learner.paused, false);
    assert_int_equal(work(b), 0); /* what was missed is not made up */
    step(b, 1.0f);
    assert_int_equal(work(b), 2);
    bench_close(b);
}

static void who_is_off_learns_nothing(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.enabled=false", "learner.learning_starts=0"};
    struct bench *b = bench_open(sets, 2);
    for (int k = 1; k <= 10; k++) {
        step(b, 1.0f);
    }
    assert_int_equal(work(b), 0);
    bench_close(b);
}

/* Steps without rows, as after a restart without its replay, wait for rows. */
static void nothing_is_learned_from_no_rows(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.gradient_steps=1", "learner.learning_starts=0"};
    struct bench *b = bench_open(sets, 2);
    atomic_store(&b->house.shared->steps, 5);
    assert_int_equal(work(b), 0);
    for (int k = 1; k <= 6; k++) {
        step(b, 1.0f);
    }
    assert_int_equal(work(b), 6);
    bench_close(b);
}

/* Mean and deviation of the raw rows, each once, until normalize_until; published with the weights.
 */
static void the_normaliser_follows_then_freezes(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=0", "learner.gradient_steps=1",
                                       "learner.publish_every=1", "learner.normalize_until=20",
                                       "learner.normalize=true"};
    struct bench *b = bench_open(sets, 5);
    float mean, scale;
    double sum = 0.0, sum2 = 0.0;
    /* row k holds the observation of step k - 1, the first that of step 1 */
    for (int k = 1; k <= 20; k++) {
        const double x = k == 1 ? 1.0 : k - 1.0;
        step(b, (float)k);
        assert_int_equal(work(b), 1);
        sum += x;
        sum2 += x * x;
        const double m = sum / k, sd = sqrt(fmax(0.0, sum2 / k - m * m));
        memcpy(&mean, b->last.mean, sizeof mean);
        memcpy(&scale, b->last.scale, sizeof scale);
        assert_true(fabs((double)mean - m) < 1e-5);
        assert_true(k == 1 ? scale == 1.0f
                           : fabs((double)scale - 1.0 / fmax(sd, 1e-3)) < 1e-4 * (double)scale);
    }
    for (int k = 0; k < 10; k++) {
        float now;
        step(b, 1000.0f);
        assert_int_equal(work(b), 1);
        memcpy(&now, b->last.mean, sizeof now);
        assert_true(now == mean);
        memcpy(&now, b->last.scale, sizeof now);
        assert_true(now == scale);
    }
    bench_close(b);
}

static void without_a_normaliser_weights_say_so(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=0", "learner.normalize=false",
                                       "learner.publish_every=1"};
    struct bench *b = bench_open(sets, 3);
    float v;
    step(b, 50.0f);
    assert_true(work(b) > 0);
    memcpy(&v, b->last.mean, sizeof v);
    assert_true(v == 0.0f);
    memcpy(&v, b->last.scale, sizeof v);
    assert_true(v == 1.0f);
    bench_close(b);
}

/* What was copied out by name and put into another learner is the same learner. */
static void a_learner_goes_on_from_its_tensors(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=0", "learner.gradient_steps=2",
                                       "learner.normalize=true"};
    static const size_t bytes[] = {
        [TENSOR_F32] = 4, [TENSOR_F64] = 8, [TENSOR_I64] = 8, [TENSOR_U8] = 1};
    static struct tensor from[TENSORS_MAX], to[TENSORS_MAX];
    struct bench *a = bench_open(sets, 3), *b = bench_open(sets, 3);
    for (int k = 1; k <= 30; k++) {
        step(a, (float)(k % 7));
        step(b, (float)(k % 7));
        (void)work(a);
    }
    const int n = learner_tensors(&a->house.learner, from, TENSORS_MAX);
    assert_int_equal(learner_tensors(&b->house.learner, to, TENSORS_MAX), n);
    for (int i = 0; i < n; i++) {
        size_t count = 1;
        for (int k = 0; k < from[i].n_dims; k++) {
            count *= (size_t)from[i].dim[k];
        }
        assert_string_equal(from[i].name, to[i].name);
        memcpy(to[i].data, from[i].data, count * bytes[from[i].type]);
    }
    learner_restored(&b->house.learner);
    assert_true(learner_hash(&a->house.learner) == learner_hash(&b->house.learner));
    for (int k = 1; k <= 30; k++) {
        step(a, (float)(k % 5));
        step(b, (float)(k % 5));
        assert_int_equal(work(a), 2);
        assert_int_equal(work(b), 2);
    }
    assert_true(learner_hash(&a->house.learner) == learner_hash(&b->house.learner));
    bench_close(a);
    bench_close(b);
}

/* Drawn by priority: rows come in as they are committed, errors go back, beta keeps time. */
static void priorities_follow_the_robot(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.prioritized_replay=proportional",
                                       "learner.prioritized_replay_beta0=0.5",
                                       "learner.prioritized_replay_beta_iters=100",
                                       "learner.learning_starts=20",
                                       "learner.train_freq=1",
                                       "learner.gradient_steps=1"};
    struct bench *b = bench_open(sets, 6);
    static struct tensor t[TENSORS_MAX];
    const int n = learner_tensors(&b->house.learner, t, TENSORS_MAX);
    const float *value = NULL;
    const int64_t *next = NULL;
    for (int i = 0; i < n; i++) {
        value = strcmp(t[i].name, "priority.value") == 0 ? t[i].data : value;
        next = strcmp(t[i].name, "priority.next") == 0 ? t[i].data : next;
    }
    assert_non_null(value);
    assert_non_null(next);
    for (int k = 1; k <= 120; k++) {
        step(b, (float)k);
        assert_int_equal(work(b), k > 20 ? 1 : 0);
        assert_int_equal(*next, k > 20 ? k : 0);
    }
    int changed = 0;
    for (int i = 0; i < 120; i++) {
        assert_true(value[i] > 0.0f);
        changed += value[i] != 1.0f;
    }
    assert_true(value[120] == 0.0f); /* the open row */
    assert_true(changed > 60);
    bench_close(b);
}

/* Refused before a byte is taken, whatever the machine has. */
static void too_large_a_replay_is_refused(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.prioritized_replay=rank",
                                       "replay.capacity=1000000000"};
    const struct house_spec spec = crawler_spec(sets, 2);
    struct house *h = calloc(1, sizeof *h);
    char reason[WHY_CHARS] = "";
    assert_int_equal(house_open(h, &spec, reason, sizeof reason), -ENOMEM);
    assert_non_null(strstr(reason, "replay.capacity 1000000000: its priorities take 19073 MB"));
    house_close(h);
    free(h);
}

/* Far numbers of a normalised observation are clipped; without normalisation, whose mean is 0 and
 * scale 1, they are what they are: a cell's index, a fast joint. */
static void only_what_is_normalised_is_clipped(void **state)
{
    (void)state;
    const float mean[] = {0.0f, 0.0f, 1.0f}, one_over_std[] = {1.0f, 2.0f, 1.0f};
    float x[] = {-64.0f, 64.0f, 64.0f};
    scale_apply(3, mean, one_over_std, x);
    assert_true(x[0] == -64.0f && x[1] == 10.0f && x[2] == 10.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_are_owed_by_steps),
        cmocka_unit_test(a_precision_that_is_not_there_is_refused),
        cmocka_unit_test(a_kernel_that_is_not_there_is_refused),
        cmocka_unit_test(the_kernel_that_is_named_learns),
        cmocka_unit_test(learning_in_bf16),
        cmocka_unit_test(a_pause_is_forgiven),
        cmocka_unit_test(who_is_off_learns_nothing),
        cmocka_unit_test(nothing_is_learned_from_no_rows),
        cmocka_unit_test(the_normaliser_follows_then_freezes),
        cmocka_unit_test(without_a_normaliser_weights_say_so),
        cmocka_unit_test(a_learner_goes_on_from_its_tensors),
        cmocka_unit_test(priorities_follow_the_robot),
        cmocka_unit_test(too_large_a_replay_is_refused),
        cmocka_unit_test(only_what_is_normalised_is_clipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
