/*
 * What a benchmark does with its numbers: keep every one, pool the turns, exact percentiles by
 * nearest rank, medians of runs, and a ratio beside the ratio that two equal things had.
 */
#pragma once

#include "daemon/base/arena.h"

#include <stdint.h>

#define BENCH_RUNS_MAX 64

/* All samples of one kind, in the order in which they came; ends [runs]: where each run ends. */
struct series {
    int64_t *ns;
    int64_t n, cap;
    int64_t lost; /* came when it was full */
    int n_runs;
    int64_t end[BENCH_RUNS_MAX];
};

struct spread {
    int64_t n;
    double p50_us, p99_us, p999_us, max_us; /* NaN when n is 0 */
};

/* Its memory is touched now, so that adding never faults. */
void series_init(struct series *ret_series, int64_t cap, struct arena *mem);
void series_add(struct series *s, int64_t ns) BASAL_RT;
void series_end_run(struct series *s);

/* The smallest of the n sorted values that at least the fraction frac of all does not exceed. */
int64_t quantile_ns(const int64_t *sorted, int64_t n, double frac);
/* Of run, or of all runs pooled when run is negative. scratch [s->cap]. */
void series_spread(const struct series *s, int run, int64_t *scratch, struct spread *ret_spread);
/* Of n <= BENCH_RUNS_MAX values; the mean of the middle two when n is even. NaN when n is 0. */
double median(const double *v, int n);

/*
 * ratio = ours / bare, null = again / bare, which two equal things should have had.
 * It holds when ratio <= max(at_least, at_null * null).
 */
struct verdict {
    double ratio, null, limit;
    bool holds;
};

struct verdict judge_ratio(double ours, double bare, double again, double at_least, double at_null);
