/* basal-bench update: updates a second, beside the limit that the processor sets, and a peer. */
#include "daemon/bench_count.h"
#include "daemon/bench_learner.h"
#include "daemon/bench_peak.h"
#include "daemon/bench_peer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SETS_MAX     32
#define TURN_S       0.25  /* of the learner, and of a peer */
#define PEAK_TURN_S  0.005 /* of each peak, before every turn of the learner */
#define HASH_UPDATES 100   /* before the first turn, for caches and for the hash */

struct arguments {
    struct bench_common common;
    struct bench_learner_spec learner;
    const char *kernel, *compare; /* NULL: the best; nobody */
    const char *precision;        /* NULL: the kernel's, or fp32 */
    int64_t threads;
    const char *sets[SETS_MAX];
};

/* clang-format off */
static const struct flag flags[] = {
    {"algo",      "NAME", "whose update: sac, td3 or ddpg (default sac)"},
    {"obs",       "N",    "numbers in an observation (default 17)"},
    {"act",       "N",    "numbers in an action (default 6)"},
    {"hidden",    "WIDTHS", "of the hidden layers of actor and critics (default 256,256)"},
    {"batch",     "N",    "rows of a batch (default 256)"},
    {"rows",      "N",    "random transitions in the replay (default 1000000)"},
    {"threads",   "N",    "1 or 2 (default 1)"},
    {"precision", "NAME", "of products while learning: fp32 or bf16 (default fp32, or the kernel's)"},
    {"kernel",    "NAME", "the back end that computes (default: the best that this processor has)"},
    {"set",       "KEY=VALUE", "a key of policy or learner as in a robot file; repeat as needed"},
    {"compare",   "FILE", "a program that does the same updates, in turns with ours (tests/bench/peer_torch.py)"},
    BENCH_FLAGS,
    {.name = NULL},
};

/* clang-format on */

static bool take_number(struct bench_learner_spec *s, const char *name, const char *value,
                        bool *ret_fits)
{
    const struct {
        const char *name;
        int64_t *at, min, max;
    } numbers[] = {{"obs", &s->n_obs, 1, OBS_MAX},
                   {"act", &s->n_act, 1, ACT_MAX},
                   {"batch", &s->batch, 1, 65536},
                   {"rows", &s->rows, 1000, 100000000}};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            *ret_fits = args_whole(value, numbers[i].at) && *numbers[i].at >= numbers[i].min &&
                        *numbers[i].at <= numbers[i].max;
            return true;
        }
    }
    return false;
}

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    struct bench_learner_spec *s = &a->learner;
    bool fits = false;
    if (take_number(s, name, value, &fits)) {
        return fits;
    }
    if (strcmp(name, "hidden") == 0) {
        return bench_hidden(value, s->hidden, &s->n_hidden);
    }
    if (strcmp(name, "threads") == 0) {
        return args_whole(value, &a->threads) && a->threads >= 1 && a->threads <= 2;
    }
    if (strcmp(name, "precision") == 0) {
        a->precision = value;
        return strcmp(value, "fp32") == 0 || strcmp(value, "bf16") == 0;
    }
    if (strcmp(name, "set") == 0) {
        if (s->n_sets < SETS_MAX) {
            a->sets[s->n_sets++] = value;
            return true;
        }
        return false;
    }
    const char **text = strcmp(name, "algo") == 0      ? &s->algo
                        : strcmp(name, "kernel") == 0  ? &a->kernel
                        : strcmp(name, "compare") == 0 ? &a->compare
                                                       : NULL;
    if (text != NULL) {
        *text = value;
        return true;
    }
    return bench_take(&a->common, name, value);
}

/* --- the measurement --- */

struct update_result {
    struct peaks peaks;
    struct figures ours, limit, share, peer, ratio;
    double flop; /* of one update; NaN: unknown */
    uint64_t hash;
    struct peer with;
};

static void turn(struct bench_learner *b, double seconds, double *ret_updates, double *ret_seconds)
{
    const double from_s = bench_now_s();
    double now_s;
    do {
        const bool learnt = learner_step(&b->learner);
        basal_assert(learnt);
        *ret_updates += 1.0;
        now_s = bench_now_s();
    } while (now_s - from_s < seconds);
    *ret_seconds += now_s - from_s;
}

/* One repetition: all that is compared takes turns, so that all had the same machine. */
static int repetition(const struct arguments *a, struct bench_learner *b, struct update_result *r,
                      char *ret_why, int cap)
{
    const double turn_s = fmin(TURN_S, a->common.seconds);
    const int turns = (int)ceil(a->common.seconds / turn_s - 1e-9);
    double peak[PEAKS_N] = {0}, updates = 0.0, took_s = 0.0, others = 0.0, others_s = 0.0;
    for (int i = 0; i < turns; i++) {
        for (int p = 0; p < PEAKS_N; p++) {
            if (r->peaks.loop[p] != NULL) {
                peak[p] += peak_measure(r->peaks.loop[p], PEAK_TURN_S, a->learner.team) / turns;
            }
        }
        turn(b, turn_s, &updates, &took_s);
        const int rc =
            r->with.pid == 0 ? 0 : peer_run(&r->with, turn_s, &others, &others_s, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    const enum peak_kind p = peak_of_kernel(a->learner.kernel);
    const double ours = updates / took_s;
    for (int k = 0; k < PEAKS_N; k++) {
        if (r->peaks.loop[k] != NULL) {
            figures_add(&r->peaks.gflop_s[k], peak[k]);
        }
    }
    figures_add(&r->ours, ours);
    if (r->peaks.loop[p] != NULL && isfinite(r->flop)) {
        figures_add(&r->limit, peak[p] * 1e9 / r->flop);
        figures_add(&r->share, ours * r->flop / (peak[p] * 1e9));
    }
    if (others_s > 0.0) {
        figures_add(&r->peer, others / others_s);
        figures_add(&r->ratio, ours / (others / others_s));
    }
    return 0;
}

/* The peer, at our sizes. */
static int open_peer(const struct arguments *a, struct peer *ret_peer, char *ret_why, int cap)
{
    const struct bench_learner_spec *s = &a->learner;
    char obs[16], act[16], batch[16], rows[16], seed[32], hidden[64] = "";
    (void)snprintf(obs, sizeof obs, "%d", (int)s->n_obs);
    (void)snprintf(act, sizeof act, "%d", (int)s->n_act);
    (void)snprintf(batch, sizeof batch, "%d", (int)s->batch);
    (void)snprintf(rows, sizeof rows, "%d", (int)s->rows);
    (void)snprintf(seed, sizeof seed, "%lld", (long long)a->common.seed);
    for (int i = 0; i < s->n_hidden; i++) {
        const size_t n = strlen(hidden);
        (void)snprintf(hidden + n, sizeof hidden - n, "%s%d", i > 0 ? "," : "", s->hidden[i]);
    }
    const char *const args[] = {"--serve",
                                "--algo",
                                s->algo,
                                "--obs",
                                obs,
                                "--act",
                                act,
                                "--batch",
                                batch,
                                "--rows",
                                rows,
                                "--seed",
                                seed,
                                "--hidden",
                                hidden,
                                "--threads",
                                a->threads == 2 ? "2" : "1",
                                "--precision",
                                a->precision,
                                NULL};
    return peer_open(ret_peer, a->compare, args, ret_why, cap);
}

static int measure(const struct arguments *a, struct bench_learner *b, struct update_result *r,
                   char *ret_why, int cap)
{
    const struct bench_learner_spec *s = &a->learner;
    const struct count_spec count = {.algo = s->algo,
                                     .n_obs = (int)s->n_obs,
                                     .n_act = (int)s->n_act,
                                     .batch = b->config.learner.batch_size,
                                     .hidden = s->hidden,
                                     .n_hidden = s->n_hidden};
    r->flop = count_flop(&count);
    peaks_find(&r->peaks);
    for (int i = 0; i < HASH_UPDATES; i++) {
        const bool learnt = learner_step(&b->learner);
        basal_assert(learnt);
    }
    r->hash = learner_hash(&b->learner);
    int rc = a->compare != NULL ? open_peer(a, &r->with, ret_why, cap) : 0;
    for (int i = 0; rc == 0 && i < a->common.repeat; i++) {
        rc = repetition(a, b, r, ret_why, cap);
    }
    return rc;
}

/* --- the report --- */

static void print_json(const struct arguments *a, const struct update_result *r, FILE *f)
{
    const struct bench_learner_spec *s = &a->learner;
    struct json_object *o = json_begin();
    double hidden[BENCH_LAYERS_MAX];
    char text[256];
    for (int i = 0; i < s->n_hidden; i++) {
        hidden[i] = s->hidden[i];
    }
    json_text(o, "benchmark", "update");
    json_text(o, "algo", s->algo);
    json_int(o, "n_obs", s->n_obs);
    json_int(o, "n_act", s->n_act);
    json_numbers(o, "hidden", hidden, s->n_hidden);
    json_int(o, "batch", s->batch);
    json_int(o, "rows", s->rows);
    json_int(o, "threads", a->threads);
    json_text(o, "precision", a->precision);
    json_text(o, "kernel", a->learner.kernel->name);
    json_number(o, "seconds", a->common.seconds);
    json_int(o, "repeat", a->common.repeat);
    json_int(o, "seed", a->common.seed);
    bench_machine(o);
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)r->hash);
    json_int(o, "hash_updates", HASH_UPDATES);
    json_text(o, "weights_hash", text);
    (void)count_text(s->algo, text, sizeof text);
    json_text(o, "operations", text);
    json_number(o, "mflop_per_update", r->flop / 1e6);
    figures_put(&r->ours, o, "updates_per_s");
    peaks_put(&r->peaks, o);
    figures_put(&r->limit, o, "limit_updates_per_s");
    figures_put(&r->share, o, "share_of_limit");
    json_number(o, "gflop_s", figures_median(&r->ours) * r->flop / 1e9);
    if (a->compare != NULL) {
        struct json_object *peer = json_begin();
        json_text(peer, "name", r->with.name);
        figures_put(&r->peer, peer, "updates_per_s");
        json_child(o, "peer", peer);
        figures_put(&r->ratio, o, "ratio");
    }
    json_print(o, f, true);
}

static void print_table(const struct arguments *a, const struct update_result *r, FILE *f)
{
    const struct bench_learner_spec *s = &a->learner;
    char text[256], formula[256];
    (void)fprintf(f, "update %s: obs %d, act %d, hidden", s->algo, (int)s->n_obs, (int)s->n_act);
    for (int i = 0; i < s->n_hidden; i++) {
        (void)fprintf(f, "%s%d", i > 0 ? "x" : " ", s->hidden[i]);
    }
    (void)fprintf(f,
                  ", batch %d; %lld rows, %d thread%s, %s, kernel %s\n"
                  "  %d repetitions of %g s: median [min-max]\n",
                  (int)s->batch, (long long)s->rows, (int)a->threads, a->threads == 1 ? "" : "s",
                  a->precision, a->learner.kernel->name, (int)a->common.repeat, a->common.seconds);
    peaks_print(&r->peaks, f);
    if (count_text(s->algo, formula, sizeof formula) > 0) {
        (void)fprintf(f, "  an update is %.4g MFLOP: %s\n", r->flop / 1e6, formula);
    }
    (void)fprintf(f, "  updates/s          %s\n", figures_text(&r->ours, text, sizeof text));
    (void)fprintf(f, "  limit by the peak  %s\n", figures_text(&r->limit, text, sizeof text));
    (void)fprintf(f, "  share of the limit %s\n", figures_text(&r->share, text, sizeof text));
    if (a->compare != NULL) {
        (void)fprintf(f, "  the peer           %s by %s\n",
                      figures_text(&r->peer, text, sizeof text), r->with.name);
        (void)fprintf(f, "  ours / the peer's  %s\n", figures_text(&r->ratio, text, sizeof text));
    }
    (void)fprintf(f, "  weights after %d updates: %016llx\n", HASH_UPDATES,
                  (unsigned long long)r->hash);
}

/* The one named, or the best of the wanted precision. */
static int find_kernel(struct arguments *a, char *ret_why, int cap)
{
    const struct kernel **found = &a->learner.kernel;
    char names[128] = "";
    for (int i = 0; kernels[i] != NULL; i++) {
        const struct kernel *k = kernels[i];
        const char *precision = peak_names[peak_of_kernel(k)];
        const char *wanted = a->precision != NULL ? a->precision
                             : a->kernel != NULL  ? precision
                                                  : peak_names[PEAK_FP32];
        if (k->usable()) {
            const size_t n = strlen(names);
            (void)snprintf(names + n, sizeof names - n, "%s%s (%s)", n > 0 ? ", " : "", k->name,
                           precision);
            if (*found == NULL && strcmp(wanted, precision) == 0 &&
                (a->kernel == NULL || strcmp(a->kernel, k->name) == 0)) {
                *found = k;
                a->precision = precision;
            }
        }
    }
    return *found != NULL
               ? 0
               : why(ret_why, cap, -EINVAL, "no kernel %s for precision %s here; there are %s",
                     a->kernel != NULL ? a->kernel : "of any name",
                     a->precision != NULL ? a->precision : "fp32", names);
}

static int with_learner(struct arguments *a, struct bench_learner *b, struct update_result *r,
                        char *ret_why, int cap)
{
    const struct thread_spec anywhere = {.name = "bench-helper", .cpu = -1, .not_cpu = -1};
    int rc = find_kernel(a, ret_why, cap);
    thread_flush_denormals(); /* as the learner's thread does */
    if (rc == 0 && a->threads == 2) {
        rc = team_start(&a->learner.team, &anywhere, ret_why, cap);
    }
    if (rc == 0) {
        a->learner.sets = a->sets;
        a->learner.seed = a->common.seed;
        rc = bench_learner_open(b, &a->learner, ret_why, cap);
        if (rc == 0) {
            rc = measure(a, b, r, ret_why, cap);
        }
        if (rc == 0) {
            (a->common.json ? print_json : print_table)(a, r, stdout);
        }
        peer_close(&r->with);
        bench_learner_close(b);
    }
    team_stop(a->learner.team);
    return rc;
}

static int run(void *args)
{
    struct bench_learner *b = calloc(1, sizeof *b);
    struct update_result *r = calloc(1, sizeof *r);
    char reason[WHY_CHARS] = "";
    int status = 0;
    if (b == NULL || r == NULL) {
        status = exit_no_memory("basal-bench update");
    } else {
        const int rc = with_learner(args, b, r, reason, (int)sizeof reason);
        if (rc < 0) {
            (void)fprintf(stderr, "basal-bench update: %s\n", reason);
            status = rc == -EINVAL ? EXIT_USAGE : exit_status(rc);
        }
    }
    free(b);
    free(r);
    return status;
}

static const struct arguments defaults = {
    .common = {.seconds = 2.0, .repeat = 5, .seed = 1},
    .learner = {.algo = "sac",
                .n_obs = 17,
                .n_act = 6,
                .batch = 256,
                .hidden = {256, 256},
                .n_hidden = 2,
                .rows = 1000000},
    .threads = 1,
};

const struct bench bench_update = {
    .name = "update",
    .about = "updates a second of a learner, beside what the processor could do",
    .help = "Updates a second of the daemon's learner: a batch drawn from a full replay, and the\n"
            "algorithm's update. In turns with loops that touch only registers, which measure the\n"
            "processor's peak; the limit is that peak over the fewest operations of an update.",
    .flags = flags,
    .args_bytes = sizeof defaults,
    .defaults = &defaults,
    .take = take,
    .run = run,
};
