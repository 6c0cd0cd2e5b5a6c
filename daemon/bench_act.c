/* basal-bench act: one observation through an actor, as the tick does it: policy.act on packed
 * weights. */
#include "daemon/base/thread.h"
#include "daemon/bench_learner.h"
#include "daemon/bench_peak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES ((size_t)1 << 30)
#define OBS_N        1024 /* observations, one after the other */
#define WARM_MAX     200000
#define COLD_MAX     20000
#define LINE_BYTES   64
#define BLOCK        1000 /* calls between two looks at the clock */

struct arguments {
    struct bench_common common;
    const char *algo;
    struct bench_learner_spec one; /* n_hidden 0: both sizes below */
};

/* clang-format off */
static const struct flag flags[] = {
    {"algo",   "NAME", "whose actor; sac's has two outputs an action (default td3)"},
    {"obs",    "N",    "numbers in an observation; with --act and --hidden, in place of both sizes"},
    {"act",    "N",    "numbers in an action"},
    {"hidden", "WIDTHS", "of its hidden layers"},
    BENCH_FLAGS,
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    if (strcmp(name, "algo") == 0) {
        const struct policy *p = policy_find(value);
        a->algo = value;
        return p != NULL && option_find(p->options, "net_arch") != NULL;
    }
    if (strcmp(name, "hidden") == 0) {
        return bench_hidden(value, a->one.hidden, &a->one.n_hidden);
    }
    if (strcmp(name, "obs") == 0) {
        return args_whole(value, &a->one.n_obs) && a->one.n_obs >= 1 && a->one.n_obs <= OBS_MAX;
    }
    if (strcmp(name, "act") == 0) {
        return args_whole(value, &a->one.n_act) && a->one.n_act >= 1 && a->one.n_act <= ACT_MAX;
    }
    return bench_take(&a->common, name, value);
}

/* --- one actor --- */

struct actor {
    const struct policy *policy;
    struct arena mem;
    void *config, *self; /* self: the actor's bytes */
    struct dims dims;
    float *packed, *obs; /* obs [OBS_N,n_obs] */
    int n_packed;
    struct rng rng;
    int64_t at; /* the next observation */
};

static int actor_open(struct actor *ret_actor, const char *algo, const struct bench_learner_spec *s,
                      char *ret_why, int cap)
{
    struct actor *a = ret_actor;
    char arch[64] = "[";
    *a = (struct actor){.policy = policy_find(algo),
                        .dims = {.n_obs = (int)s->n_obs,
                                 .n_act = (int)s->n_act,
                                 .batch = 1,
                                 .seg_len = 1,
                                 .policy_rate_hz = 1000.0}};
    int rc = arena_open(&a->mem, "actor", MEMORY_BYTES);
    if (rc < 0) {
        return why(ret_why, cap, rc, "out of address space");
    }
    for (int i = 0; i < s->n_hidden; i++) {
        const size_t n = strlen(arch);
        (void)snprintf(arch + n, sizeof arch - n, "%s%d%s", i > 0 ? ", " : "", s->hidden[i],
                       i + 1 == s->n_hidden ? "]" : "");
    }
    a->config = arena_take(&a->mem, a->policy->config_bytes);
    option_defaults(a->policy->options, a->config);
    rc = option_set(option_find(a->policy->options, "net_arch"), a->config, arch, ret_why, cap);
    if (rc == 0) {
        rc = policy_check(a->policy, a->config, &a->dims, ret_why, cap);
    }
    if (rc < 0) {
        return rc;
    }
    rng_seed(&a->rng, (uint64_t)s->seed);
    void *learner = a->policy->init(a->config, &a->dims, &a->mem, &a->rng);
    float *w = arena_take(&a->mem, WEIGHTS_MAX * sizeof(float));
    const int n_max = WEIGHTS_MAX;
    const int n = a->policy->save(learner, w, n_max);
    a->packed = arena_take(&a->mem, (size_t)n_max * 2 * sizeof(float));
    a->n_packed = n < 0 ? n : a->policy->pack(a->config, &a->dims, w, n, a->packed, 2 * n_max);
    if (a->n_packed < 0) {
        return why(ret_why, cap, a->n_packed, "%s: more than %d weights", algo, n_max);
    }
    a->self = arena_take(&a->mem, a->policy->actor_bytes(a->config, &a->dims));
    a->policy->actor_init(a->config, &a->dims, a->self);
    a->policy->reset(a->self, &a->rng);
    a->obs = arena_take(&a->mem, sizeof(float) * OBS_N * (size_t)s->n_obs);
    for (int i = 0; i < OBS_N * a->dims.n_obs; i++) {
        a->obs[i] = (float)rng_normal(&a->rng);
    }
    return 0;
}

static void act(struct actor *a)
{
    float action[ACT_MAX], logp;
    const struct act_in in = {.packed = a->packed,
                              .obs = a->obs + (a->at++ % OBS_N) * a->dims.n_obs,
                              .legal = ~UINT64_C(0),
                              .rng = &a->rng};
    a->policy->act(a->self, &in, action, &logp);
    __asm__ volatile("" : : "r"(action) : "memory");
}

/* --- timing --- */

static int64_t now_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

/* Out of every cache; false: nobody has said how on this processor. */
static bool evict(const void *p, size_t n)
{
#if defined(__x86_64__)
    for (size_t i = 0; i < n; i += LINE_BYTES) {
        __builtin_ia32_clflush((const char *)p + i);
    }
    __builtin_ia32_mfence();
    return true;
#elif defined(__aarch64__)
    for (size_t i = 0; i < n; i += LINE_BYTES) {
        __asm__ volatile("dc civac, %0" : : "r"((const char *)p + i) : "memory");
    }
    __asm__ volatile("dsb sy" : : : "memory");
    return true;
#else
    (void)p;
    (void)n;
    return false;
#endif
}

enum { P50, P99, MAX, FIGURES_N };

static const char *const figure_names[FIGURES_N] = {"p50_us", "p99_us", "max_us"};

struct timed {
    struct series all;
    struct figures of[FIGURES_N]; /* of each repetition */
};

struct act_result {
    char name[64]; /* "17-256-256-6" */
    struct timed warm, cold, timer;
    struct figures mean_us; /* without looking at the clock between */
    bool has_cold;
};

static void end_run(struct timed *t, int run, int64_t *scratch)
{
    struct spread s;
    series_end_run(&t->all);
    series_spread(&t->all, run, scratch, &s);
    if (s.n > 0) {
        figures_add(&t->of[P50], s.p50_us);
        figures_add(&t->of[P99], s.p99_us);
        figures_add(&t->of[MAX], s.max_us);
    }
}

/* A quarter of the time each: the clock alone, each call by itself, calls in a row, cold calls. */
static void repetition(struct actor *a, struct act_result *r, double seconds)
{
    const int64_t turn_ns = (int64_t)(seconds * 1e9 / 4.0);
    int64_t before, after, end_ns = now_ns() + turn_ns;
    for (int i = 0; i < BLOCK; i++) {
        act(a);
    }
    do {
        before = now_ns();
        after = now_ns();
        series_add(&r->timer.all, after - before);
    } while (after < end_ns && r->timer.all.lost == 0);
    end_ns = now_ns() + turn_ns;
    do {
        before = now_ns();
        act(a);
        after = now_ns();
        series_add(&r->warm.all, after - before);
    } while (after < end_ns && r->warm.all.lost == 0);
    int64_t calls = 0;
    before = now_ns();
    do {
        for (int i = 0; i < BLOCK; i++) {
            act(a);
        }
        calls += BLOCK;
        after = now_ns();
    } while (after - before < turn_ns);
    figures_add(&r->mean_us, (double)(after - before) / (double)calls / 1e3);
    end_ns = now_ns() + turn_ns;
    do {
        r->has_cold = evict(a->packed, (size_t)a->n_packed * sizeof(float));
        before = now_ns();
        act(a);
        after = now_ns();
        if (r->has_cold) {
            series_add(&r->cold.all, after - before);
        }
    } while (after < end_ns && r->cold.all.lost == 0);
}

static int measure(const struct arguments *a, const struct bench_learner_spec *s,
                   struct act_result *r, struct arena *mem, char *ret_why, int cap)
{
    struct actor actor;
    const int64_t repeat = a->common.repeat;
    int64_t *scratch = arena_take(mem, (size_t)(WARM_MAX * repeat) * sizeof *scratch);
    int n = snprintf(r->name, sizeof r->name, "%d", (int)s->n_obs);
    for (int i = 0; i < s->n_hidden; i++) {
        n += snprintf(r->name + n, sizeof r->name - (size_t)n, "-%d", s->hidden[i]);
    }
    (void)snprintf(r->name + n, sizeof r->name - (size_t)n, "-%d",
                   (int)s->n_act * (strcmp(a->algo, "sac") == 0 ? 2 : 1));
    series_init(&r->warm.all, WARM_MAX * repeat, mem);
    series_init(&r->timer.all, WARM_MAX * repeat, mem);
    series_init(&r->cold.all, COLD_MAX * repeat, mem);
    const int rc = actor_open(&actor, a->algo, s, ret_why, cap);
    for (int i = 0; rc == 0 && i < repeat; i++) {
        repetition(&actor, r, a->common.seconds);
        end_run(&r->timer, i, scratch);
        end_run(&r->warm, i, scratch);
        end_run(&r->cold, i, scratch);
    }
    arena_close(&actor.mem);
    return rc;
}

/* --- the report --- */

static void put_timed(struct json_object *o, const char *key, const struct timed *t)
{
    struct json_object *c = json_begin();
    json_int(c, "samples", t->all.n);
    for (int k = 0; k < FIGURES_N; k++) {
        figures_put(&t->of[k], c, figure_names[k]);
    }
    json_child(o, key, c);
}

static void print_json(const struct arguments *a, const struct act_result *r, int n, FILE *f)
{
    struct json_object *o = json_begin(), *all = json_begin();
    json_text(o, "benchmark", "act");
    json_text(o, "algo", a->algo);
    json_number(o, "seconds", a->common.seconds);
    json_int(o, "repeat", a->common.repeat);
    bench_machine(o);
    for (int i = 0; i < n; i++) {
        struct json_object *c = json_begin();
        put_timed(c, "warm", &r[i].warm);
        put_timed(c, "cold", &r[i].cold);
        put_timed(c, "timer", &r[i].timer);
        figures_put(&r[i].mean_us, c, "mean_us");
        json_child(all, r[i].name, c);
    }
    json_child(o, "actors", all);
    json_print(o, f, true);
}

static void print_timed(const char *name, const char *what, const struct timed *t, FILE *f)
{
    char text[FIGURES_N][64];
    for (int k = 0; k < FIGURES_N; k++) {
        (void)figures_text(&t->of[k], text[k], sizeof text[k]);
    }
    (void)fprintf(f, "  %-16s %-12s %-24s %-24s %s\n", name, what, text[P50], text[P99], text[MAX]);
}

static void print_table(const struct arguments *a, const struct act_result *r, int n, FILE *f)
{
    char text[64];
    (void)fprintf(f,
                  "act: one observation through %s's actor; us, the clock's own time included\n"
                  "  %-16s %-12s %-24s %-24s max\n",
                  a->algo, "network", "weights", "p50", "p99");
    for (int i = 0; i < n; i++) {
        print_timed(r[i].name, "warm", &r[i].warm, f);
        print_timed("", "out of cache", &r[i].cold, f);
        print_timed("", "(the clock)", &r[i].timer, f);
        (void)fprintf(f, "  %-16s in a row     %s\n", "",
                      figures_text(&r[i].mean_us, text, sizeof text));
    }
}

static int run(void *args)
{
    struct arguments *a = args;
    static const struct bench_learner_spec both[] = {
        {.n_obs = 17, .n_act = 6, .hidden = {256, 256}, .n_hidden = 2},
        {.n_obs = 3, .n_act = 1, .hidden = {64, 64}, .n_hidden = 2}};
    const bool own = a->one.n_hidden > 0;
    const int n = own ? 1 : 2;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    int rc = 0;
    struct act_result *r = calloc(2, sizeof *r);
    if (r == NULL || arena_open(&mem, "samples", MEMORY_BYTES) < 0) {
        free(r);
        return exit_no_memory("basal-bench act");
    }
    thread_flush_denormals(); /* as the loop does */
    for (int i = 0; rc == 0 && i < n; i++) {
        struct bench_learner_spec s = own ? a->one : both[i];
        s.seed = a->common.seed;
        rc = measure(a, &s, &r[i], &mem, reason, (int)sizeof reason);
    }
    if (rc == 0) {
        (a->common.json ? print_json : print_table)(a, r, n, stdout);
    } else {
        (void)fprintf(stderr, "basal-bench act: %s\n", reason);
    }
    arena_close(&mem);
    free(r);
    return exit_status(rc);
}

static const struct arguments defaults = {.common = {.seconds = 0.5, .repeat = 5, .seed = 1},
                                          .algo = "td3",
                                          .one = {.n_obs = 17, .n_act = 6}};

const struct bench bench_act = {
    .name = "act",
    .about = "one observation through an actor: microseconds, in cache and out of it",
    .help = "The time of policy.act, the tick's own way to an action: one observation, packed\n"
            "weights. Each call by itself, many in a row, and with the weights driven out of the\n"
            "caches before every call; beside it what two looks at the clock take.",
    .flags = flags,
    .args_bytes = sizeof defaults,
    .defaults = &defaults,
    .take = take,
    .run = run,
};
