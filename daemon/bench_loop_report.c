#include "daemon/bench_loop_report.h"

#include "daemon/bench.h"

#include <string.h>

static const char *const runner_keys[RUNNERS_N] = {"loop", "bare", "bare_again"};
static const char *const runner_words[RUNNERS_N] = {"loop", "bare", "bare again"};
static const char *const phase_names[PHASES_N] = {"read",   "observe", "act",
                                                  "safety", "write",   "push"};

enum { P50, P99, P999, MAX, FIGURES_N };

static const char *const figure_names[FIGURES_N] = {"p50", "p99", "p999", "max"};

static double figure(const struct spread *s, int which)
{
    const double v[FIGURES_N] = {s->p50_us, s->p99_us, s->p999_us, s->max_us};
    return v[which];
}

void loop_judge(const struct turns_result *r, struct loop_verdict *ret_verdict)
{
    struct spread s[RUNNERS_N];
    for (int i = 0; i < RUNNERS_N; i++) {
        series_spread(&r->runner[i].wake, -1, r->scratch, &s[i]);
    }
    ret_verdict->p50 = judge_ratio(s[RUNNER_LOOP].p50_us, s[RUNNER_BARE].p50_us,
                                   s[RUNNER_BARE_AGAIN].p50_us, 1.05, 1.02);
    ret_verdict->p99 = judge_ratio(s[RUNNER_LOOP].p99_us, s[RUNNER_BARE].p99_us,
                                   s[RUNNER_BARE_AGAIN].p99_us, 1.2, 1.2);
    ret_verdict->holds = ret_verdict->p50.holds && ret_verdict->p99.holds;
}

/* name_p50_us ...: pooled in o, of each run as lists in runs, their medians in medians. */
static void put_series(struct json_object *o, struct json_object *runs, struct json_object *medians,
                       const char *name, const struct turns_result *r, const struct series *s)
{
    double v[FIGURES_N][BENCH_RUNS_MAX];
    struct spread spread;
    for (int run = 0; run < r->runs; run++) {
        series_spread(s, run, r->scratch, &spread);
        for (int k = 0; k < FIGURES_N; k++) {
            v[k][run] = figure(&spread, k);
        }
    }
    series_spread(s, -1, r->scratch, &spread);
    for (int k = 0; k < FIGURES_N; k++) {
        char key[64];
        (void)snprintf(key, sizeof key, "%s_%s_us", name, figure_names[k]);
        json_number(o, key, figure(&spread, k));
        json_numbers(runs, key, v[k], r->runs);
        json_number(medians, key, median(v[k], r->runs));
    }
}

static int64_t overruns_of(const struct turns_result *r, int who)
{
    int64_t sum = 0;
    for (int run = 0; run < r->runs; run++) {
        sum += r->runner[who].overruns[run];
    }
    return sum;
}

static void put_overruns(struct json_object *o, struct json_object *runs,
                         struct json_object *medians, const struct turns_result *r, int who)
{
    double v[BENCH_RUNS_MAX];
    for (int run = 0; run < r->runs; run++) {
        v[run] = (double)r->runner[who].overruns[run];
    }
    json_int(o, "overruns", overruns_of(r, who));
    json_numbers(runs, "overruns", v, r->runs);
    json_number(medians, "overruns", median(v, r->runs));
}

static struct json_object *runner_object(const struct turns_result *r, int who)
{
    struct json_object *o = json_begin(), *runs = json_begin(), *medians = json_begin();
    const struct runner_result *it = &r->runner[who];
    json_int(o, "samples", it->wake.n);
    put_series(o, runs, medians, "wakeup", r, &it->wake);
    put_overruns(o, runs, medians, r, who);
    if (who == RUNNER_LOOP) {
        put_series(o, runs, medians, "tick", r, &r->tick);
        put_series(o, runs, medians, "last_byte", r, &r->last_byte);
        for (int i = 0; i < PHASES_N; i++) {
            put_series(o, runs, medians, phase_names[i], r, &r->phase[i]);
        }
        json_int(o, "bytes_tx", r->bytes_tx);
        json_int(o, "bytes_rx", r->bytes_rx);
        json_int(o, "missed_replies", r->missed_replies);
        json_number(o, "running_frac", r->running_frac);
        json_text(o, "trouble", r->trouble);
        json_int(o, "records_lost", r->records_lost);
    }
    json_int(o, "page_faults", it->page_faults);
    json_int(o, "preempted", it->preempted);
    json_child(o, "medians", medians);
    json_child(o, "runs", runs);
    return o;
}

static void put_verdict(struct json_object *o, const char *name, const struct verdict *v)
{
    struct json_object *c = json_begin();
    json_number(c, "loop_over_bare", v->ratio);
    json_number(c, "again_over_bare", v->null);
    json_number(c, "limit", v->limit);
    json_bool(c, "holds", v->holds);
    json_child(o, name, c);
}

void loop_print_json(const struct turns_spec *spec, const struct turns_result *r, FILE *f)
{
    struct loop_verdict v;
    struct json_object *o = json_begin(), *learner = json_begin(), *judged = json_begin();
    json_text(o, "benchmark", "loop");
    json_number(o, "rate_hz", spec->rate_hz);
    json_number(o, "seconds", spec->seconds);
    json_int(o, "repeat", r->runs);
    json_number(o, "turn_s", spec->turn_s);
    bench_machine(o);
    json_text(o, "realtime", r->realtime);
    json_text(o, "bus", r->bus);
    json_text(learner, "algo", r->algo);
    json_number(learner, "updates_per_s", r->updates_per_s);
    json_number(learner, "cpu_frac", r->learner_frac);
    json_int(learner, "waits", r->learner_waits);
    json_child(o, "learner", learner);
    for (int who = 0; who < RUNNERS_N; who++) {
        json_child(o, runner_keys[who], runner_object(r, who));
    }
    loop_judge(r, &v);
    put_verdict(judged, "wakeup_p50", &v.p50);
    put_verdict(judged, "wakeup_p99", &v.p99);
    json_bool(judged, "holds", v.holds);
    json_child(o, "judged", judged);
    json_print(o, f, true);
}

/* --- for people --- */

static void print_row(FILE *f, const char *name, const struct turns_result *r,
                      const struct series *s)
{
    struct spread spread;
    series_spread(s, -1, r->scratch, &spread);
    (void)fprintf(f, "  %-14s", name);
    for (int k = 0; k < FIGURES_N; k++) {
        (void)fprintf(f, " %9.2f", figure(&spread, k));
    }
    (void)fprintf(f, "\n");
}

static void print_runs(FILE *f, const char *name, int which, const struct turns_result *r,
                       const struct series *s)
{
    double v[BENCH_RUNS_MAX];
    struct spread spread;
    (void)fprintf(f, "  %-11s %-4s", name, figure_names[which]);
    for (int run = 0; run < r->runs; run++) {
        series_spread(s, run, r->scratch, &spread);
        v[run] = figure(&spread, which);
        (void)fprintf(f, " %8.2f", v[run]);
    }
    (void)fprintf(f, "   median %.2f\n", median(v, r->runs));
}

static void print_counts(FILE *f, const struct turns_result *r)
{
    for (int who = 0; who < RUNNERS_N; who++) {
        const struct runner_result *it = &r->runner[who];
        (void)fprintf(f,
                      "  %s: %lld ticks, %lld left out, %lld page faults, preempted %lld times\n",
                      runner_words[who], (long long)it->wake.n, (long long)overruns_of(r, who),
                      (long long)it->page_faults, (long long)it->preempted);
    }
    (void)fprintf(f, "  the loop's bus: %lld bytes out, %lld in, %lld replies missed\n",
                  (long long)r->bytes_tx, (long long)r->bytes_rx, (long long)r->missed_replies);
    if (r->running_frac < 1.0) {
        (void)fprintf(f, "  the robot ran in %.1f %% of the ticks: %s\n", 100.0 * r->running_frac,
                      r->trouble);
    }
}

static void print_verdict(FILE *f, const char *name, const struct verdict *v)
{
    (void)fprintf(f, "  %s: loop/bare %.3f, bare again/bare %.3f, limit %.3f: %s\n", name, v->ratio,
                  v->null, v->limit, v->holds ? "holds" : "does not hold");
}

void loop_print_table(const struct turns_spec *spec, const struct turns_result *r, FILE *f)
{
    struct loop_verdict v;
    (void)fprintf(f,
                  "loop at %g Hz, %d runs of %g s, turns of %g s\n"
                  "  real time %s\n  bus %s\n"
                  "  learner %s: %.0f updates/s with %.0f %% of a processor, waited %lld times\n\n"
                  "  us, pooled           p50       p99     p99.9       max\n",
                  spec->rate_hz, r->runs, spec->seconds, spec->turn_s, r->realtime, r->bus, r->algo,
                  r->updates_per_s, 100.0 * r->learner_frac, (long long)r->learner_waits);
    for (int who = 0; who < RUNNERS_N; who++) {
        print_row(f, runner_words[who], r, &r->runner[who].wake);
    }
    print_row(f, "last byte out", r, &r->last_byte);
    print_row(f, "tick", r, &r->tick);
    for (int i = 0; i < PHASES_N; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "  %s", phase_names[i]);
        print_row(f, name, r, &r->phase[i]);
    }
    (void)fprintf(f, "\n  us, each run\n");
    for (int which = P50; which < FIGURES_N; which++) {
        for (int who = 0; who < RUNNERS_N; who++) {
            print_runs(f, runner_words[who], which, r, &r->runner[who].wake);
        }
    }
    (void)fprintf(f, "\n");
    print_counts(f, r);
    loop_judge(r, &v);
    (void)fprintf(f, "\n");
    print_verdict(f, "wake-up p50", &v.p50);
    print_verdict(f, "wake-up p99", &v.p99);
}
