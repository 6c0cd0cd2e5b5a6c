/*
 * Benchmarks: one file each, daemon/bench_NAME.c, that ends with one `const struct bench`, and one
 * line in basal_bench.c. What several of them need is here.
 */
#pragma once

#include "daemon/args.h"
#include "daemon/bench_stats.h"
#include "daemon/json.h"

#include <stddef.h>

struct bench {
    const char *name, *about; /* one line of --list */
    const char *help;         /* what --help says above the flags */
    const struct flag *flags; /* ends with .name = NULL */
    size_t args_bytes;
    const void *defaults; /* [args_bytes] copied, then changed by take, flag by flag */
    bool (*take)(void *args, const char *name, const char *value);
    int (*run)(void *args); /* returns an exit status */
};

/* What most benchmarks can be told: rows for their table of flags, and the taking of them. */
struct bench_common {
    double seconds; /* of one repetition of one thing */
    int64_t repeat, seed;
    bool json;
};

/* clang-format off */
#define BENCH_FLAGS                                                                               \
    {"seconds", "S",  "length of one repetition"},                                                \
    {"repeat",  "N",  "repetitions; what is compared takes turns in each"},                       \
    {"seed",    "N",  "of all that is random (default 1)"},                                       \
    {"json",    NULL, "print one JSON object instead of a table"}
/* clang-format on */

/* False: the value does not fit, or the flag is none of these. */
bool bench_take(struct bench_common *c, const char *name, const char *value);

/* One figure a repetition: updates a second, microseconds. */
struct figures {
    int n;
    double v[BENCH_RUNS_MAX];
};

void figures_add(struct figures *f, double v);
double figures_median(const struct figures *f);
double figures_min(const struct figures *f);
double figures_max(const struct figures *f);
/* key: {"median", "min", "max", "runs": [...]}; null when there is none. */
void figures_put(const struct figures *f, struct json_object *o, const char *key);
/* "median [min-max]" for people. */
const char *figures_text(const struct figures *f, char *ret_text, size_t cap);

/* CLOCK_MONOTONIC, in seconds. */
double bench_now_s(void);

/* On what machine the figures came about, as a child "machine" of o. */
void bench_machine(struct json_object *o);
