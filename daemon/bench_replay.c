/*
 * basal-bench replay and per: batches out of memory, over the size of the replay. A row is what a
 * mid-sized robot has (17 observations, 6 actions); episodes are 1000 rows long.
 *
 *   replay  a batch drawn uniformly and gathered; a row pushed as the tick does
 *   per     a batch drawn by priority and gathered, its |TD errors| given back; and both together
 *
 * The sizes take turns, so that what the machine does meanwhile is shared fairly.
 */
#include "daemon/base/clock.h"
#include "daemon/bench.h"
#include "policies/replay_prioritized.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OBS        17
#define N_ACT        6
#define EPISODE      1000
#define SIZES_MAX    8
#define MORE_ROWS    66 /* the guard, the open row, a final one: so many rows are held besides */
#define ROWS_MIN     10000
#define SAMPLES_MAX  500000             /* of a size and quantity; later ones are dropped */
#define TURNS        64                 /* batches of one size in a row */
#define PUSH_EVERY   4                  /* batches */
#define MEMORY_BYTES ((size_t)16 << 30) /* of addresses */

struct arguments {
    struct bench_common common;
    int64_t rows, batch, n_steps;
    int kind; /* enum priority_kind; uniform: basal-bench replay */
};

enum quantity { SAMPLE, UPDATE, BOTH, PUSH, QUANTITIES };

static const char *const quantity_keys[] = {"sample_us", "update_us", "sample_update_us",
                                            "push_us"};
static const char *const quantity_words[] = {"sample", "update", "sample, update", "push"};

/* A replay of one size and what was measured on it. */
struct sized {
    int64_t rows;
    struct replay *replay;
    struct prioritized *by;
    struct sampler *sampler;
    struct rng rng;
    struct period period; /* the next row to push */
    struct observation obs;
    float act[N_ACT];
    int64_t pushed;
    struct series us[QUANTITIES];
};

struct curve {
    int n;
    struct arena mem;
    struct sized size[SIZES_MAX];
    int64_t *scratch;
};

static const struct clock wall = {0};

/* What the next period saw. */
static void live_on(struct sized *z)
{
    const bool begins = z->pushed % EPISODE == 0, ends = z->pushed % EPISODE == EPISODE - 1;
    for (int k = 0; k < N_OBS; k++) {
        z->obs.v[k] = (float)rng_uniform(&z->rng);
    }
    z->period.closes = !begins;
    z->period.opens = !ends;
    z->period.bits = ends ? ROW_TRUNCATED : 0;
    z->pushed++;
}

static int sized_open(struct sized *z, const struct arguments *a, struct arena *mem, char *ret_why,
                      int cap)
{
    const struct replay_spec replay = {.run_id = 1,
                                       .capacity = z->rows + MORE_ROWS,
                                       .n_obs = N_OBS,
                                       .n_act = N_ACT,
                                       .policy_rate_hz = 50.0};
    const int rc = replay_create(&z->replay, &replay, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const struct prioritized_spec by = {
        .kind = a->kind, .batch = (int)a->batch, .alpha = 0.6, .eps = 1e-6};
    if (a->kind != PRIORITY_UNIFORM) {
        z->by = prioritized_init(z->replay, &by, mem);
        prioritized_beta(z->by, 0.4);
    }
    const struct sample_spec sample = {.batch = (int)a->batch,
                                       .n_steps = (int)a->n_steps,
                                       .seg_len = 1,
                                       .gamma = 0.99,
                                       .by = z->by};
    z->sampler = sampler_init(z->replay, &sample, mem);
    rng_seed(&z->rng, (uint64_t)a->common.seed);
    z->period = (struct period){
        .asked = z->act, .applied = z->act, .source = SOURCE_POLICY, .obs2 = &z->obs};
    z->obs.n = N_OBS;
    while (z->pushed < z->rows + MORE_ROWS) {
        live_on(z);
        replay_commit(z->replay, &z->period);
    }
    for (int q = 0; q < QUANTITIES; q++) {
        series_init(&z->us[q], SAMPLES_MAX, mem);
    }
    return 0;
}

/* A batch, and its errors: exponential, as those of a network that has learnt are. */
static void turn(struct sized *z, bool counts)
{
    struct batch b = {0};
    const int64_t from_ns = clock_now_ns(&wall);
    basal_assert(sampler_draw(z->sampler, &z->rng, &b));
    const int64_t drawn_ns = clock_now_ns(&wall) - from_ns;
    for (int i = 0; i < b.n && z->by != NULL; i++) {
        b.ret_td[i] = -logf(1.0f - 0.999999f * (float)rng_uniform(&z->rng));
    }
    const int64_t learns_ns = clock_now_ns(&wall);
    if (z->by != NULL) {
        prioritized_learnt(z->by, b.ret_td, b.n);
    }
    const int64_t learnt_ns = clock_now_ns(&wall) - learns_ns;
    if (counts) {
        series_add(&z->us[SAMPLE], drawn_ns);
    }
    if (counts && z->by != NULL) {
        series_add(&z->us[UPDATE], learnt_ns);
        series_add(&z->us[BOTH], drawn_ns + learnt_ns);
    }
}

static void push(struct sized *z)
{
    live_on(z);
    const int64_t from_ns = clock_now_ns(&wall);
    replay_commit(z->replay, &z->period);
    series_add(&z->us[PUSH], clock_now_ns(&wall) - from_ns);
}

/* Priorities as after a while of learning: most rows were learnt from. */
static void warm_up(struct sized *z, int64_t batch)
{
    const int64_t n = z->by != NULL ? 2 * z->rows / batch : 0;
    for (int64_t i = 0; i < n + 100; i++) {
        turn(z, false);
    }
}

static void measure(struct curve *c, const struct arguments *a)
{
    for (int k = 0; k < c->n; k++) {
        warm_up(&c->size[k], a->batch);
    }
    const double until_s = bench_now_s() + a->common.seconds * (double)a->common.repeat;
    for (int64_t i = 0; bench_now_s() < until_s; i++) {
        struct sized *z = &c->size[i / TURNS % c->n];
        turn(z, true);
        if (i % PUSH_EVERY == 0) {
            push(z);
        }
    }
}

/* --- printing --- */

struct summary {
    double median, min, max, p99; /* us; NaN: not measured */
};

static struct summary summary_of(const struct series *s, int64_t *scratch)
{
    struct spread spread;
    series_spread(s, -1, scratch, &spread);
    const double least = spread.n > 0 ? (double)scratch[0] / (double)NS_PER_US : (double)NAN;
    return (struct summary){spread.p50_us, least, spread.max_us, spread.p99_us};
}

static void print_json(const struct curve *c, const struct arguments *a)
{
    struct json_object *o = json_begin();
    double v[5][SIZES_MAX] = {0};
    static const char *const keys[] = {"median", "min", "max", "p99", "samples"};
    json_text(o, "benchmark", a->kind == PRIORITY_UNIFORM ? "replay" : "per");
    json_int(o, "batch_size", a->batch);
    json_int(o, "n_steps", a->n_steps);
    for (int k = 0; k < c->n; k++) {
        v[0][k] = (double)c->size[k].rows;
    }
    json_numbers(o, "rows", v[0], c->n);
    for (int q = 0; q < QUANTITIES; q++) {
        if (c->size[0].us[q].n == 0) {
            continue;
        }
        struct json_object *of = json_begin();
        for (int k = 0; k < c->n; k++) {
            const struct summary s = summary_of(&c->size[k].us[q], c->scratch);
            const double row[] = {s.median, s.min, s.max, s.p99, (double)c->size[k].us[q].n};
            for (int i = 0; i < 5; i++) {
                v[i][k] = row[i];
            }
        }
        for (int i = 0; i < 5; i++) {
            json_numbers(of, keys[i], v[i], c->n);
        }
        json_child(o, quantity_keys[q], of);
    }
    bench_machine(o);
    json_print(o, stdout, true);
}

static void print_table(const struct curve *c, const struct arguments *a)
{
    (void)printf("batches of %lld, %d-step; us a batch, and a push: median [min-max], p99\n",
                 (long long)a->batch, (int)a->n_steps);
    for (int k = 0; k < c->n; k++) {
        for (int q = 0; q < QUANTITIES; q++) {
            const struct summary s = summary_of(&c->size[k].us[q], c->scratch);
            if (c->size[k].us[q].n > 0) {
                (void)printf("%9lld rows  %-15s %8.3f [%.3f-%.1f], p99 %.3f\n",
                             (long long)c->size[k].rows, quantity_words[q], s.median, s.min, s.max,
                             s.p99);
            }
        }
    }
}

/* --- the rows of the table of benchmarks --- */

/* 1e4, 1e5, ... up to the wish; what memory has no room for is left out, and said. */
static int curve_open(struct curve *c, const struct arguments *a, char *ret_why, int cap)
{
    int rc = arena_open(&c->mem, "bench", MEMORY_BYTES);
    if (rc < 0) {
        return why(ret_why, cap, rc, "out of address space");
    }
    c->scratch = arena_take(&c->mem, SAMPLES_MAX * sizeof *c->scratch);
    for (int64_t rows = ROWS_MIN; rc == 0 && rows <= a->rows && c->n < SIZES_MAX; rows *= 10) {
        const struct replay_spec spec = {.capacity = rows, .n_obs = N_OBS, .n_act = N_ACT};
        const int64_t bytes =
            (int64_t)replay_need_bytes(&spec) + (int64_t)priority_bytes(a->kind, (int)rows);
        if (bytes > memory_available_bytes()) {
            (void)fprintf(stderr, "basal-bench: %lld rows take %lld MB, more than there is\n",
                          (long long)rows, (long long)(bytes >> 20));
            break;
        }
        c->size[c->n].rows = rows;
        rc = sized_open(&c->size[c->n], a, &c->mem, ret_why, cap);
        c->n += rc == 0;
    }
    return rc;
}

static int run(void *args)
{
    const struct arguments *a = args;
    char reason[WHY_CHARS] = "";
    struct curve *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return exit_no_memory("basal-bench");
    }
    const int rc = curve_open(c, a, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basal-bench: %s\n", reason);
    } else {
        measure(c, a);
        (a->common.json ? print_json : print_table)(c, a);
    }
    for (int k = 0; k < c->n; k++) {
        replay_close(c->size[k].replay);
    }
    arena_close(&c->mem);
    free(c);
    return exit_status(rc);
}

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    if (strcmp(name, "rows") == 0) {
        return args_whole(value, &a->rows) && a->rows >= ROWS_MIN && a->rows <= 100000000;
    }
    if (strcmp(name, "batch-size") == 0) {
        return args_whole(value, &a->batch) && a->batch >= 1 && a->batch <= 4096;
    }
    if (strcmp(name, "n-steps") == 0) {
        return args_whole(value, &a->n_steps) && a->n_steps >= 1 && a->n_steps <= 64;
    }
    if (strcmp(name, "rank") == 0) {
        a->kind = PRIORITY_RANK;
        return true;
    }
    return bench_take(&a->common, name, value);
}

/* clang-format off */
#define REPLAY_FLAGS                                                                              \
    {"rows",       "N", "largest replay; sizes are 10,000 and ten times more each (default 10,000,000)"}, \
    {"batch-size", "N", "rows of a batch (default 256)"},                                         \
    {"n-steps",    "N", "rewards summed in a row (default 1)"},                                   \
    BENCH_FLAGS

static const struct flag replay_flags[] = {
    REPLAY_FLAGS,
    {.name = NULL},
};

static const struct flag per_flags[] = {
    {"rank", NULL, "priorities by rank, not in proportion"},
    REPLAY_FLAGS,
    {.name = NULL},
};

/* clang-format on */

#define DEFAULTS(by)                                                                               \
    {                                                                                              \
        .common = {.seconds = 1.0, .repeat = 5, .seed = 1}, .rows = 10000000, .batch = 256,        \
        .n_steps = 1, .kind = (by)                                                                 \
    }

static const struct arguments replay_defaults = DEFAULTS(PRIORITY_UNIFORM);
static const struct arguments per_defaults = DEFAULTS(PRIORITY_PROPORTIONAL);

const struct bench bench_replay = {
    .name = "replay",
    .about = "a batch drawn uniformly from the replay, a row pushed into it",
    .help = "How long a batch takes that is drawn uniformly from replays of 10,000 to 10,000,000\n"
            "rows, and the push of a row as the control loop does it.",
    .flags = replay_flags,
    .args_bytes = sizeof replay_defaults,
    .defaults = &replay_defaults,
    .take = take,
    .run = run,
};

const struct bench bench_per = {
    .name = "per",
    .about = "a batch drawn by priority, its errors given back",
    .help = "How long prioritised replay takes: a batch drawn and gathered, its |TD errors| given\n"
            "back, and both together, over replays of 10,000 to 10,000,000 rows.",
    .flags = per_flags,
    .args_bytes = sizeof per_defaults,
    .defaults = &per_defaults,
    .take = take,
    .run = run,
};
