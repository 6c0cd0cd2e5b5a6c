#include "daemon/bench_stats.h"

#include "daemon/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void series_init(struct series *ret_series, int64_t cap, struct arena *mem)
{
    *ret_series = (struct series){.ns = arena_take(mem, (size_t)cap * sizeof(int64_t)), .cap = cap};
    memset(ret_series->ns, 0xff, (size_t)cap * sizeof(int64_t));
}

void series_add(struct series *s, int64_t ns)
{
    if (s->n == s->cap) {
        s->lost++;
        return;
    }
    s->ns[s->n++] = ns;
}

void series_end_run(struct series *s)
{
    basal_assert(s->n_runs < BENCH_RUNS_MAX);
    s->end[s->n_runs++] = s->n;
}

int64_t quantile_ns(const int64_t *sorted, int64_t n, double frac)
{
    basal_assert(n > 0);
    int64_t rank = (int64_t)ceil(frac * (double)n - 1e-9); /* 1e-9: 0.99 * 100 is 99 */
    rank = rank < 1 ? 1 : rank > n ? n : rank;
    return sorted[rank - 1];
}

static int order_ns(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double us(int64_t ns)
{
    return (double)ns / (double)NS_PER_US;
}

void series_spread(const struct series *s, int run, int64_t *scratch, struct spread *ret_spread)
{
    basal_assert(run < s->n_runs);
    const int64_t from = run > 0 ? s->end[run - 1] : 0;
    const int64_t n = (run < 0 ? s->n : s->end[run]) - from;
    const double none = (double)NAN;
    *ret_spread = (struct spread){n, none, none, none, none};
    if (n == 0) {
        return;
    }
    memcpy(scratch, s->ns + from, (size_t)n * sizeof *scratch);
    qsort(scratch, (size_t)n, sizeof *scratch, order_ns);
    ret_spread->p50_us = us(quantile_ns(scratch, n, 0.5));
    ret_spread->p99_us = us(quantile_ns(scratch, n, 0.99));
    ret_spread->p999_us = us(quantile_ns(scratch, n, 0.999));
    ret_spread->max_us = us(scratch[n - 1]);
}

static int order_double(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double median(const double *v, int n)
{
    double sorted[BENCH_RUNS_MAX];
    basal_assert(n <= BENCH_RUNS_MAX);
    if (n < 1) {
        return (double)NAN;
    }
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, order_double);
    return 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
}

struct verdict judge_ratio(double ours, double bare, double again, double at_least, double at_null)
{
    struct verdict v = {.ratio = ours / bare, .null = again / bare};
    v.limit = fmax(at_least, at_null * v.null);
    v.holds = v.ratio <= v.limit; /* NaN holds nothing */
    return v;
}
