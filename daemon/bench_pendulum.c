/*
 * basal-bench pendulum: how long the daemon's own learning of Pendulum-v1 takes, in lockstep, and
 * what it is worth; beside the processor's peak, by which figures of other machines are scaled.
 */
#include "daemon/bench_peak.h"
#include "daemon/bench_robot.h"
#include "daemon/lockstep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROBOT        "pendulum.yaml"
#define SETS_MAX     32
#define PEAK_TURN_S  0.02
#define TARGET_S     1.7   /* RLtools takes 2.53 s where ... */
#define TARGET_GFLOP 115.0 /* ... this is the peak, fp32, of one core */
#define MEAN_WANTED  (-160.0)
#define WORST_WANTED (-200.0)

struct arguments {
    int64_t steps, seeds, seed;
    const char *config;
    const char *sets[SETS_MAX];
    int n_sets;
    bool json, judge;
};

/* clang-format off */
static const struct flag flags[] = {
    {"steps",  "N",         "policy steps to learn (default 10000)"},
    {"seeds",  "N",         "runs, each with the next seed (default 10)"},
    {"seed",   "N",         "the first seed (default 0)"},
    {"config", "FILE",      "the robot file (default: the pendulum that comes with basald)"},
    {"set",    "KEY=VALUE", "override one of its keys; repeat as needed"},
    {"judge",  NULL,        "exit with status 1 when a limit is not kept"},
    {"json",   NULL,        "print one JSON object instead of a table"},
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    if (strcmp(name, "json") == 0 || strcmp(name, "judge") == 0) {
        *(name[1] == 's' ? &a->json : &a->judge) = true;
        return true;
    }
    if (strcmp(name, "config") == 0) {
        a->config = value;
        return true;
    }
    if (strcmp(name, "set") == 0) {
        if (a->n_sets < SETS_MAX) {
            a->sets[a->n_sets++] = value;
            return true;
        }
        return false;
    }
    if (strcmp(name, "seed") == 0) {
        return args_whole(value, &a->seed);
    }
    if (strcmp(name, "seeds") == 0) {
        return args_whole(value, &a->seeds) && a->seeds >= 1 && a->seeds <= BENCH_RUNS_MAX;
    }
    return args_whole(value, &a->steps) && a->steps >= 1;
}

/* --- the measurement --- */

struct pendulum_result {
    const struct peak_loop *loop; /* NULL: the peak is not known here */
    struct figures wall_s, returns, peak_gflop_s;
    const char *kernel; /* the learner's */
    int64_t updates;    /* of each seed */
    int episodes;       /* ... and evaluated */
};

static int one_seed(const struct arguments *a, int64_t seed, struct pendulum_result *r,
                    char *ret_why, int cap)
{
    const struct lockstep_spec spec = {.house = {.config_path = a->config,
                                                 .sets = a->sets,
                                                 .n_sets = a->n_sets,
                                                 .kind = PLANT_EMULATED,
                                                 .virtual_clock = true,
                                                 .seed = (uint64_t)seed,
                                                 .replay_fd = -1},
                                       .steps = a->steps,
                                       .eval_s = 1.0}; /* in episodes: the robot file says so */
    struct lockstep_result out;
    if (r->loop != NULL) {
        figures_add(&r->peak_gflop_s, peak_measure(r->loop, PEAK_TURN_S, NULL));
    }
    const int rc = lockstep_measure(&spec, &out, ret_why, cap);
    if (rc == 0) {
        figures_add(&r->wall_s, out.learned_s);
        figures_add(&r->returns, evaluation_mean(&out.eval));
        r->kernel = out.kernel;
        r->updates = out.updates;
        r->episodes = out.eval.n;
    }
    return rc;
}

/* --- the report --- */

static double mean(const struct figures *f)
{
    double sum = 0.0;
    for (int i = 0; i < f->n; i++) {
        sum += f->v[i];
    }
    return sum / f->n;
}

/* What the target is on a processor of this peak; NaN: unknown. */
static double target_s(const struct pendulum_result *r)
{
    return TARGET_S * TARGET_GFLOP / figures_median(&r->peak_gflop_s);
}

/* NaN keeps no limit. */
static bool learns(const struct pendulum_result *r)
{
    return mean(&r->returns) >= MEAN_WANTED && figures_min(&r->returns) >= WORST_WANTED;
}

static bool is_fast(const struct pendulum_result *r)
{
    return figures_median(&r->wall_s) <= target_s(r);
}

static void print_json(const struct arguments *a, const struct pendulum_result *r, FILE *f)
{
    struct json_object *o = json_begin();
    struct json_object *wanted = json_begin();
    json_text(o, "benchmark", "pendulum");
    json_text(o, "config", a->config);
    json_int(o, "steps", a->steps);
    json_int(o, "updates", r->updates);
    json_int(o, "seeds", r->wall_s.n);
    json_int(o, "seed", a->seed);
    json_text(o, "kernel", r->kernel);
    bench_machine(o);
    figures_put(&r->wall_s, o, "wall_s");
    json_int(o, "eval_episodes", r->episodes);
    figures_put(&r->returns, o, "return");
    json_number(o, "mean_return", mean(&r->returns));
    json_number(o, "worst_return", figures_min(&r->returns));
    figures_put(&r->peak_gflop_s, o, "peak_fp32_gflop_s");
    json_text(o, "peak_instructions", r->loop != NULL ? r->loop->name : "");
    json_number(wanted, "wall_s", target_s(r));
    json_number(wanted, "wall_s_at_115_gflop_s", TARGET_S);
    json_bool(wanted, "wall_s_holds", is_fast(r));
    json_number(wanted, "mean_return", MEAN_WANTED);
    json_number(wanted, "worst_return", WORST_WANTED);
    json_bool(wanted, "returns_hold", learns(r));
    json_child(o, "judged", wanted);
    json_print(o, f, true);
}

static void print_table(const struct arguments *a, const struct pendulum_result *r, FILE *f)
{
    char text[64];
    (void)fprintf(f, "pendulum: %lld steps, %lld updates, kernel %s; %d seeds from %lld\n",
                  (long long)a->steps, (long long)r->updates, r->kernel, r->wall_s.n,
                  (long long)a->seed);
    (void)fprintf(f, "  seed   wall s   mean return of %d episodes\n", r->episodes);
    for (int i = 0; i < r->wall_s.n; i++) {
        (void)fprintf(f, "  %4lld   %6.3f   %8.1f\n", (long long)a->seed + i, r->wall_s.v[i],
                      r->returns.v[i]);
    }
    (void)fprintf(f, "  wall s, median [min-max]: %s\n",
                  figures_text(&r->wall_s, text, sizeof text));
    if (r->loop != NULL) {
        (void)fprintf(f, "  peak fp32 (%s): %s GFLOP/s; target %.3g s, from %g s at %g\n",
                      r->loop->name, figures_text(&r->peak_gflop_s, text, sizeof text), target_s(r),
                      TARGET_S, TARGET_GFLOP);
    }
    (void)fprintf(f, "  return: mean %.1f, worst %.1f; wanted %g and %g\n", mean(&r->returns),
                  figures_min(&r->returns), MEAN_WANTED, WORST_WANTED);
}

static int run(void *args)
{
    struct arguments *a = args;
    struct pendulum_result r = {.loop = peak_find(PEAK_FP32)};
    char robot[PATH_CHARS * 4], reason[WHY_CHARS] = "";
    if (a->config == NULL) {
        bench_robot_find(ROBOT, robot, sizeof robot);
        a->config = robot;
        if (robot[0] == '\0') {
            (void)fprintf(stderr, "basal-bench pendulum: no " ROBOT " here: give --config FILE\n");
            return EXIT_CONFIG;
        }
    }
    for (int64_t i = 0; i < a->seeds; i++) {
        const int rc = one_seed(a, a->seed + i, &r, reason, (int)sizeof reason);
        if (rc < 0) {
            (void)fprintf(stderr, "basal-bench pendulum: %s\n", reason);
            return exit_status(rc);
        }
    }
    (a->json ? print_json : print_table)(a, &r, stdout);
    return a->judge && !(learns(&r) && is_fast(&r)) ? EXIT_FAILURE : 0;
}

static const struct arguments defaults = {.steps = 10000, .seeds = 10};

const struct bench bench_pendulum = {
    .name = "pendulum",
    .about = "seconds that learning Pendulum-v1 takes, and what it is worth",
    .help =
        "The daemon's own learning of Gymnasium's Pendulum-v1 in lockstep: loop, replay, SAC and\n"
        "the publishing of weights. Wall seconds of the learning alone, seed by seed, then\n"
        "whole episodes without exploration; beside the processor's peak.",
    .flags = flags,
    .args_bytes = sizeof defaults,
    .defaults = &defaults,
    .take = take,
    .run = run,
};
