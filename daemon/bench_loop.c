/* basal-bench loop: its flags, and where it finds a robot. */
#include "daemon/args.h"
#include "daemon/bench.h"
#include "daemon/bench_loop_report.h"
#include "daemon/bench_robot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROBOT         "crawler.yaml"
#define MEMORY_BYTES  ((size_t)4 << 30)
#define TICKS_RUN_MAX 1e7

struct arguments {
    struct turns_spec spec;
    int64_t repeat;
    bool json, judge;
};

/* clang-format off */
static const struct flag flags[] = {
    {"rate-hz", "R",         "rate of the loop (default 1000)"},
    {"seconds", "S",         "length of one run, shared by the loop and the two bare ones (default 60)"},
    {"repeat",  "N",         "runs (default 5)"},
    {"turn-s",  "S",         "length of a turn of one of them, at most 0.5 (default 0.05)"},
    {"config",  "FILE",      "the robot file (default: the crawler that comes with basald)"},
    {"set",     "KEY=VALUE", "override one of its keys; repeat as needed"},
    {"seed",    "N",         "of body, noise and learner (default 1)"},
    {"judge",   NULL,        "exit with status 1 when a limit is not kept"},
    {"json",    NULL,        "print one JSON object instead of a table"},
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    struct turns_spec *s = &a->spec;
    if (strcmp(name, "json") == 0 || strcmp(name, "judge") == 0) {
        *(name[1] == 's' ? &a->json : &a->judge) = true;
        return true;
    }
    if (strcmp(name, "config") == 0) {
        s->config_path = value;
        return true;
    }
    if (strcmp(name, "set") == 0) {
        if (s->n_sets < TURN_SETS_MAX) {
            s->sets[s->n_sets++] = value;
            return true;
        }
        return false;
    }
    if (strcmp(name, "seed") == 0) {
        return args_whole(value, &s->seed);
    }
    if (strcmp(name, "repeat") == 0) {
        return args_whole(value, &a->repeat) && a->repeat >= 1 && a->repeat <= BENCH_RUNS_MAX;
    }
    if (strcmp(name, "rate-hz") == 0) {
        return args_number(value, &s->rate_hz) && s->rate_hz >= 1.0 && s->rate_hz <= 10000.0;
    }
    if (strcmp(name, "turn-s") == 0) {
        return args_number(value, &s->turn_s) && s->turn_s >= 0.001 && s->turn_s <= TURN_S_MAX;
    }
    return args_number(value, &s->seconds) && s->seconds >= 0.01;
}

static int report(const struct arguments *a, const struct turns_result *r)
{
    struct loop_verdict v;
    (a->json ? loop_print_json : loop_print_table)(&a->spec, r, stdout);
    if (strncmp(r->realtime, "yes", 3) != 0) {
        (void)fprintf(stderr,
                      "basal-bench loop: real time %s; the figures are no better than that\n",
                      r->realtime);
    }
    loop_judge(r, &v);
    return a->judge && !v.holds ? EXIT_FAILURE : 0;
}

static int run(void *args)
{
    struct arguments *a = args;
    char robot[PATH_CHARS * 4], reason[WHY_CHARS] = "";
    a->spec.repeat = (int)a->repeat;
    if (a->spec.seconds * a->spec.rate_hz * (double)a->repeat > TICKS_RUN_MAX) {
        (void)fprintf(stderr, "basal-bench loop: at most 1e7 ticks in all\n");
        return EXIT_USAGE;
    }
    if (a->spec.config_path == NULL) {
        bench_robot_find(ROBOT, robot, sizeof robot);
        a->spec.config_path = robot;
        if (robot[0] == '\0') {
            (void)fprintf(stderr, "basal-bench loop: no " ROBOT " here: give --config FILE\n");
            return EXIT_CONFIG;
        }
    }
    struct arena mem;
    struct turns_result *r = calloc(1, sizeof *r);
    if (r == NULL || arena_open(&mem, "bench", MEMORY_BYTES) < 0) {
        free(r);
        return exit_no_memory("basal-bench loop");
    }
    const int rc = turns_measure(&a->spec, &mem, r, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basal-bench loop: %s\n", reason);
    }
    const int status = rc == 0 ? report(a, r) : exit_status(rc);
    arena_close(&mem);
    free(r);
    return status;
}

static const struct arguments defaults = {
    .spec = {.rate_hz = 1000.0, .seconds = 60.0, .turn_s = 0.05, .seed = 1}, .repeat = 5};

const struct bench bench_loop = {
    .name = "loop",
    .about = "how late the control loop wakes, beside a loop that only sleeps",
    .help = "How late the control loop wakes and how long its tick takes, while it drives the "
            "emulated\nrobot and the learner never rests; in turns with a loop that only sleeps, "
            "twice.",
    .flags = flags,
    .args_bytes = sizeof defaults,
    .defaults = &defaults,
    .take = take,
    .run = run,
};
