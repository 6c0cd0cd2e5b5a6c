/*
 * basal-bench step: what a tick costs in all its parts, and a step of lockstep, which is a tick and
 * an update. Nothing sleeps: each tick is due when the one before has ended.
 */
#include "daemon/base/thread.h"
#include "daemon/bench.h"
#include "daemon/bench_robot.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES   ((size_t)2 << 30)
#define SAMPLES_MAX    200000 /* of one kind in a repetition */
#define SETS_OWN       1      /* come before those of the command line */
#define STEP_SETS_MAX  32
#define WARM_TICKS     200
#define CONTROL_HZ_MAX 10000.0

struct arguments {
    struct bench_common common;
    const char *config; /* NULL: the crawler */
    double rate_hz;
    const char *sets[STEP_SETS_MAX];
    int n_sets;
};

/* clang-format off */
static const struct flag flags[] = {
    {"rate-hz", "R",         "rate of the loop, and of the policy: every tick does all (default 1000; without a bus the file's)"},
    {"config",  "FILE",      "the robot file (default: the crawler that comes with basald)"},
    {"set",     "KEY=VALUE", "override one of its keys; repeat as needed (default without --config: policy.net_arch=[256,256])"},
    BENCH_FLAGS,
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    if (strcmp(name, "config") == 0) {
        a->config = value;
        return true;
    }
    if (strcmp(name, "set") == 0) {
        if (a->n_sets < STEP_SETS_MAX) {
            a->sets[a->n_sets++] = value;
            return true;
        }
        return false;
    }
    if (strcmp(name, "rate-hz") == 0) {
        return args_number(value, &a->rate_hz) && a->rate_hz >= 1.0 && a->rate_hz <= CONTROL_HZ_MAX;
    }
    return bench_take(&a->common, name, value);
}

/* --- the measurement --- */

enum part { TICK = PHASES_N, UPDATE, STEP, PARTS_N };

static const char *const part_names[PARTS_N] = {"read", "observe", "act",    "safety", "write",
                                                "push", "tick",    "update", "step"};

enum { P50, P99, MAX, FIGURES_N };

static const char *const figure_names[FIGURES_N] = {"p50_us", "p99_us", "max_us"};

struct step_bench {
    struct bench_robot robot;
    struct arena mem;
    struct series part[PARTS_N];
    struct figures of[PARTS_N][FIGURES_N]; /* of each repetition */
    int64_t *scratch;
    int64_t ticks, running;
    bool notes; /* the records of these ticks count */
};

static int64_t now_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

static void note(void *self, const struct record *r)
{
    struct step_bench *b = self;
    b->ticks++;
    b->running += r->state == STATE_RUNNING;
    for (int i = 0; b->notes && i < PHASES_N; i++) {
        series_add(&b->part[i], r->phase_ns[i]);
    }
}

/* One tick, due now, as lockstep does it: whatever the clock shows, its time has come. Returns how
 * long it took. */
static int64_t tick(struct step_bench *b)
{
    struct loop *l = &b->robot.house.loop;
    clock_resume(l->clock, l->planned_ns);
    const int64_t from_ns = now_ns();
    loop_tick(l, l->planned_ns, 0, 0);
    const int64_t took_ns = now_ns() - from_ns;
    l->planned_ns += l->period_ns;
    return took_ns;
}

/* Half of the time ticks alone, half of it steps of lockstep. */
static void repetition(struct step_bench *b, double seconds)
{
    const int64_t half_ns = (int64_t)(seconds * 1e9 / 2.0);
    int64_t end_ns = now_ns() + half_ns;
    b->notes = true;
    do {
        series_add(&b->part[TICK], tick(b));
        bench_robot_attend(&b->robot, note, b);
    } while (now_ns() < end_ns);
    b->notes = false;
    end_ns = now_ns() + half_ns;
    do {
        const int64_t took_ns = tick(b);
        const int64_t from_ns = now_ns();
        (void)learner_step(&b->robot.house.learner);
        const int64_t update_ns = now_ns() - from_ns;
        series_add(&b->part[UPDATE], update_ns);
        series_add(&b->part[STEP], took_ns + update_ns);
        bench_robot_attend(&b->robot, note, b);
    } while (now_ns() < end_ns);
}

static void end_run(struct step_bench *b, int run)
{
    for (int i = 0; i < PARTS_N; i++) {
        struct spread s;
        series_end_run(&b->part[i]);
        series_spread(&b->part[i], run, b->scratch, &s);
        if (s.n > 0) {
            figures_add(&b->of[i][P50], s.p50_us);
            figures_add(&b->of[i][P99], s.p99_us);
            figures_add(&b->of[i][MAX], s.max_us);
        }
    }
}

static int measure(const struct arguments *a, struct step_bench *b, char *ret_why, int cap)
{
    char robot_path[PATH_CHARS * 4];
    const char *sets[STEP_SETS_MAX + SETS_OWN];
    int n = 0;
    if (a->config == NULL) {
        sets[n++] = "policy.net_arch=[256,256]";
    }
    for (int i = 0; i < a->n_sets; i++) {
        sets[n++] = a->sets[i];
    }
    bench_robot_find("crawler.yaml", robot_path, sizeof robot_path);
    const struct bench_robot_spec spec = {.config_path = a->config != NULL ? a->config : robot_path,
                                          .sets = sets,
                                          .n_sets = n,
                                          .rate_hz = a->rate_hz,
                                          .act_each_tick = true,
                                          .seed = (uint64_t)a->common.seed};
    const int64_t samples = SAMPLES_MAX * a->common.repeat;
    for (int i = 0; i < PARTS_N; i++) {
        series_init(&b->part[i], samples, &b->mem);
    }
    b->scratch = arena_take(&b->mem, (size_t)samples * sizeof *b->scratch);
    thread_flush_denormals(); /* as the loop's thread does */
    const int rc = bench_robot_open(&b->robot, &spec, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    loop_begin(&b->robot.house.loop);
    for (int i = 0; i < WARM_TICKS; i++) {
        (void)tick(b);
        bench_robot_attend(&b->robot, NULL, NULL);
    }
    for (int run = 0; run < a->common.repeat; run++) {
        repetition(b, a->common.seconds);
        end_run(b, run);
    }
    return 0;
}

/* --- the report --- */

static double running_frac(const struct step_bench *b)
{
    return b->ticks > 0 ? (double)b->running / (double)b->ticks : 0.0;
}

static void print_json(const struct arguments *a, const struct step_bench *b, FILE *f)
{
    const struct config *c = &b->robot.house.config;
    struct json_object *o = json_begin();
    json_text(o, "benchmark", "step");
    json_text(o, "algo", c->policy->name);
    json_int(o, "joints", c->robot.n_joints);
    json_int(o, "batch", c->learner.batch_size);
    json_number(o, "rate_hz", c->robot.control_rate_hz);
    json_number(o, "seconds", a->common.seconds);
    json_int(o, "repeat", a->common.repeat);
    bench_machine(o);
    json_number(o, "running_frac", running_frac(b));
    for (int i = 0; i < PARTS_N; i++) {
        struct json_object *part = json_begin();
        json_int(part, "samples", b->part[i].n);
        for (int k = 0; k < FIGURES_N; k++) {
            figures_put(&b->of[i][k], part, figure_names[k]);
        }
        json_child(o, part_names[i], part);
    }
    json_print(o, f, true);
}

static void print_table(const struct step_bench *b, FILE *f)
{
    const struct config *c = &b->robot.house.config;
    (void)fprintf(f,
                  "step: %s, %d joints%s, policy %s in every tick at %g Hz, batch %d\n"
                  "  us           %-24s %-24s max\n",
                  c->robot.name, c->robot.n_joints, c->robot.direct ? "" : " over emulated bytes",
                  c->policy->name, c->robot.control_rate_hz, c->learner.batch_size, "p50", "p99");
    for (int i = 0; i < PARTS_N; i++) {
        char text[FIGURES_N][64];
        for (int k = 0; k < FIGURES_N; k++) {
            (void)figures_text(&b->of[i][k], text[k], sizeof text[k]);
        }
        (void)fprintf(f, "  %s%-*s %-24s %-24s %s\n", i < TICK ? "  " : "", i < TICK ? 10 : 12,
                      part_names[i], text[P50], text[P99], text[MAX]);
    }
    if (b->running < b->ticks) {
        (void)fprintf(f, "  the robot ran in %.1f %% of the ticks: %s\n", 100.0 * running_frac(b),
                      b->robot.trouble);
    }
}

static int run(void *args)
{
    struct arguments *a = args;
    char reason[WHY_CHARS] = "";
    struct step_bench *b = calloc(1, sizeof *b);
    if (b == NULL || arena_open(&b->mem, "samples", MEMORY_BYTES) < 0) {
        free(b);
        return exit_no_memory("basal-bench step");
    }
    const int rc = measure(a, b, reason, (int)sizeof reason);
    if (rc == 0) {
        if (a->common.json) {
            print_json(a, b, stdout);
        } else {
            print_table(b, stdout);
        }
    } else {
        (void)fprintf(stderr, "basal-bench step: %s\n", reason);
    }
    bench_robot_close(&b->robot);
    arena_close(&b->mem);
    free(b);
    return exit_status(rc);
}

static const struct arguments defaults = {.common = {.seconds = 1.0, .repeat = 5, .seed = 1}};

const struct bench bench_step = {
    .name = "step",
    .about = "what a tick costs, part by part, and a step of lockstep",
    .help =
        "The time of a tick with all its parts (read the emulated servos' bytes, observe, act,\n"
        "safety, write, push) when the policy acts in every one, and of a step of lockstep: a\n"
        "tick and an update. Nothing sleeps; the emulator's own work is in read, and so is the\n"
        "step of a body without a bus. What tick has beside act is what the daemon costs.",
    .flags = flags,
    .args_bytes = sizeof defaults,
    .defaults = &defaults,
    .take = take,
    .run = run,
};
