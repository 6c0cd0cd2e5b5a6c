/*
 * basald: the daemon, and every headless training or test run. Reads its arguments and decides
 * which life to lead.
 */
#include "daemon/args.h"
#include "daemon/bus_load.h"
#include "daemon/config.h"
#include "daemon/course.h"
#include "daemon/house.h"
#include "daemon/listing.h"
#include "daemon/lockstep.h"
#include "daemon/make_safe.h"
#include "daemon/reach.h"
#include "daemon/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS_MAX   64
#define TEXT_BYTES (1 << 17)

struct arguments {
    const char *config, *run_dir, *resume, *runtime_dir, *stall, *crash, *list, *prior;
    const char *eval_trace, *record;
    const char *sets[SETS_MAX];
    int n_sets;
    bool lockstep, search, json, check, dump, manual, make_safe, go_on, reach;
    double xyz_m[3];
    uint64_t seed;
    int64_t steps, checkpoint_steps;
    double eval_s;
};

/* clang-format off */
static const struct flag flags[] = {
    {"config",           "FILE",      "the robot file"},
    {"set",              "KEY=VALUE", "override one key, checked like the file; repeat as needed"},
    {"check-config",     "FILE",      "check a robot file and leave"},
    {"dump-config",      NULL,        "print the whole configuration, defaults included, and leave"},
    {"manual",           NULL,        "print every key with range and default, and leave"},
    {"list",             "WHAT",      "print what there is and leave: algorithms or worlds"},
    {"lockstep",         NULL,        "no robot, no threads: the simulated body on virtual time, as fast as possible"},
    {"search-gait",      NULL,        "search the fastest periodic gait of the simulated body, the yardstick of learning"},
    {"reach",            "POINT",     "print the joint angles, rad, that bring the tip of a robot of links to X,Y,Z, m in the frame of its base, and leave"},
    {"seed",             "N",         "lockstep, search, reach: the seed of everything random (default 0)"},
    {"steps",            "N",         "lockstep: policy steps to learn (default 2400)"},
    {"eval-s",           "S",         "lockstep: seconds of deterministic evaluation at the end (default 30; task.eval_episodes comes first)"},
    {"eval-trace",       "FILE",      "lockstep: write what the evaluation observed, did and got, one JSON object a line"},
    {"record",           "FILE",      "lockstep: write the joints at every tick of the evaluation, as basalctl record does"},
    {"run-dir",          "DIR",       "where metrics and checkpoints go"},
    {"checkpoint-steps", "N",         "lockstep: a checkpoint every N policy steps"},
    {"runtime-dir",      "DIR",       "where the sockets are (default /run/basald)"},
    {"make-safe",        NULL,        "cut torque on every device, read it back, and leave"},
#ifdef BASAL_STALL
    {"stall",            "THREAD",    "test build: hang loop, main or comms"},
    {"crash",            "THREAD",    "test build: crash loop, main, comms or learner"},
#endif
    {"resume",           "DIR",       "go on from this checkpoint, or from the newest of a run's folder"},
    {"continue",         NULL,        "go on from the newest checkpoint of --run-dir, where there is one"},
    {"prior",            "FILE",      "learn from an earlier run's transitions too: a replay.seg, or the folder of a checkpoint or run in lockstep"},
    {"json",             NULL,        "print the result as one JSON object"},
    {.name = NULL},
};
/* clang-format on */
/* "0.3,0,0.2" */
static bool take_point(const char *text, double *ret_xyz)
{
    for (int i = 0; i < 3; i++) {
        char word[32] = "";
        const size_t n = strcspn(text, ",");
        memcpy(word, text, n < sizeof word ? n : 0);
        if (!args_number(word, &ret_xyz[i]) || (text[n] == ',') != (i < 2)) {
            return false;
        }
        text += n + 1;
    }
    return true;
}

/* True when understood. */
static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    int64_t whole = 0;
    if (strcmp(name, "config") == 0 || strcmp(name, "check-config") == 0) {
        a->config = value;
        a->check = a->check || name[1] == 'h';
    } else if (strcmp(name, "set") == 0 && a->n_sets < SETS_MAX) {
        a->sets[a->n_sets++] = value;
    } else if (strcmp(name, "dump-config") == 0) {
        a->dump = true;
    } else if (strcmp(name, "manual") == 0) {
        a->manual = true;
    } else if (strcmp(name, "lockstep") == 0) {
        a->lockstep = true;
    } else if (strcmp(name, "search-gait") == 0) {
        a->search = true;
    } else if (strcmp(name, "reach") == 0) {
        a->reach = take_point(value, a->xyz_m);
        return a->reach;
    } else if (strcmp(name, "json") == 0) {
        a->json = true;
    } else if (strcmp(name, "run-dir") == 0) {
        a->run_dir = value;
    } else if (strcmp(name, "resume") == 0) {
        a->resume = value;
    } else if (strcmp(name, "eval-trace") == 0) {
        a->eval_trace = value;
    } else if (strcmp(name, "record") == 0) {
        a->record = value;
    } else if (strcmp(name, "prior") == 0) {
        a->prior = value;
    } else if (strcmp(name, "runtime-dir") == 0) {
        a->runtime_dir = value;
    } else if (strcmp(name, "list") == 0) {
        a->list = value;
        return listing_knows(value);
    } else if (strcmp(name, "make-safe") == 0) {
        a->make_safe = true;
    } else if (strcmp(name, "continue") == 0) {
        a->go_on = true;
    } else if (strcmp(name, "stall") == 0) {
        a->stall = value;
    } else if (strcmp(name, "crash") == 0) {
        a->crash = value;
    } else if (strcmp(name, "eval-s") == 0) {
        return args_number(value, &a->eval_s) && a->eval_s >= 0.0 && a->eval_s < 1e6;
    } else if (!args_whole(value, &whole)) {
        return false;
    } else if (strcmp(name, "seed") == 0) {
        a->seed = (uint64_t)whole;
    } else if (strcmp(name, "steps") == 0) {
        a->steps = whole;
    } else if (strcmp(name, "checkpoint-steps") == 0) {
        a->checkpoint_steps = whole;
    }
    return true;
}

/* A line for each CAN bus. */
static int put_loads(const struct config *c, char *ret_text, int cap)
{
    int n = 0;
    for (int i = 0; i < c->robot.n_buses; i++) {
        struct bus_budget b;
        bus_budget(&c->robot, i, &b);
        if (b.frames > 0) {
            n += bus_budget_text(&c->robot, i, &b, ret_text + n, cap - n);
            n += snprintf(ret_text + n, (size_t)(cap - n), "\n");
        }
    }
    return n;
}

/* Where a stop is more than torque off: how long it may take, which the service manager is told. */
static int put_stop(const struct config *c, char *ret_text, int cap)
{
    struct responder r;
    if (c->responses.how[CAUSE_STOP] == RESPONSE_LIMP ||
        respond_init(&r, &c->robot, &c->responses, c->control.stop_s, NULL, 0) < 0) {
        return 0;
    }
    return snprintf(ret_text, (size_t)cap, "responses: a stop takes up to %.1f s\n",
                    respond_stop_s(&r));
}

static int check_or_dump(const struct arguments *a)
{
    static struct config config;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    char *text = malloc(TEXT_BYTES);
    int n = -1;
    if (text == NULL || arena_open(&mem, "config", (size_t)16 << 20) < 0) {
        free(text);
        return exit_no_memory("basald");
    }
    if (a->manual) {
        n = config_manual(text, TEXT_BYTES);
    } else if (config_load(&config, a->config, a->sets, a->n_sets, &mem, reason,
                           (int)sizeof reason) < 0 ||
               (a->check && house_check(&config, reason, (int)sizeof reason) < 0)) {
        (void)fprintf(stderr, "basald: %s\n", reason);
    } else if (a->dump) {
        n = config_dump(&config, text, TEXT_BYTES);
    } else {
        n = put_loads(&config, text, TEXT_BYTES);
        n += put_stop(&config, text + n, TEXT_BYTES - n);
        n += snprintf(text + n, (size_t)(TEXT_BYTES - n),
                      "%s: robot %s, %d joints, %s at %g Hz, loop at %g Hz: good\n", a->config,
                      config.robot.name, config.robot.n_joints, config.policy->name,
                      config.robot.policy_rate_hz, config.robot.control_rate_hz);
    }
    if (n > 0) {
        (void)fwrite(text, 1, (size_t)n, stdout);
    }
    arena_close(&mem);
    free(text);
    return n > 0 ? 0 : EXIT_CONFIG;
}

static int reach(const struct arguments *a)
{
    struct reach_spec spec = {.config_path = a->config,
                              .sets = a->sets,
                              .n_sets = a->n_sets,
                              .seed = a->seed,
                              .json = a->json};
    memcpy(spec.xyz_m, a->xyz_m, sizeof spec.xyz_m);
    return reach_run(&spec);
}

static int serve(const struct arguments *a)
{
    const struct service_spec spec = {
        .house = {.config_path = a->config,
                  .sets = a->sets,
                  .n_sets = a->n_sets,
                  .kind = PLANT_DEVICES,
                  .seed = a->seed,
                  .prior = a->prior,
                  .replay_fd = -1},
        .runtime_dir = a->runtime_dir,
        .state_dir = a->run_dir,
        .resume = a->resume,
        .go_on = a->go_on,
        .stall = a->stall,
        .crash = a->crash,
    };
    return service_run(&spec);
}

static int run(int argc, char **argv)
{
    struct arguments a = {.steps = 2400, .eval_s = 30.0, .runtime_dir = "/run/basald"};
    const struct program program = {
        .name = "basald",
        .usage = "--config FILE [flags]",
        .about = "A real-time robot-control daemon that learns on the robot.",
        .flags = flags,
        .take = take,
    };
    const int rest = args_read(&program, argc, argv, &a);
    if (rest < 0) {
        return -1 - rest;
    }
    if (rest < argc) {
        (void)fprintf(stderr, "basald: %s: no words are wanted, only flags; see basald --help\n",
                      argv[rest]);
        return EXIT_USAGE;
    }
    if (a.manual) {
        return check_or_dump(&a);
    }
    if (a.list != NULL) {
        listing_print(a.list, a.json);
        return 0;
    }
    if (a.config == NULL) {
        (void)fprintf(stderr, "basald: which robot? give --config FILE\n");
        return EXIT_USAGE;
    }
    if (a.check || a.dump) {
        return check_or_dump(&a);
    }
    if (a.reach) {
        return reach(&a);
    }
    if (a.search) {
        const struct course_spec course = {.config_path = a.config,
                                           .sets = a.sets,
                                           .n_sets = a.n_sets,
                                           .seed = a.seed,
                                           .json = a.json};
        return course_search(&course);
    }
    if (a.make_safe) {
        return make_safe(a.config, a.sets, a.n_sets);
    }
    if (!a.lockstep) {
        return serve(&a);
    }
    const struct lockstep_spec spec = {
        .house = {.config_path = a.config,
                  .sets = a.sets,
                  .n_sets = a.n_sets,
                  .kind = PLANT_EMULATED,
                  .virtual_clock = true,
                  .seed = a.seed,
                  .prior = a.prior,
                  .replay_fd = -1},
        .steps = a.steps,
        .eval_s = a.eval_s,
        .run_dir = a.run_dir,
        .resume = a.resume,
        .checkpoint_steps = a.checkpoint_steps,
        .eval_trace = a.eval_trace,
        .record = a.record,
        .json = a.json,
    };
    return lockstep_run(&spec);
}

int main(int argc, char **argv)
{
    return args_end("basald", run(argc, argv));
}
