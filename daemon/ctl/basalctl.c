/* basalctl: the command line of a running basald. One table of verbs makes the dispatch and --help.
 */
#include "daemon/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* Verbs that ask one thing and print the answer. */
#define VERB_SIMPLE(name, verb)                                                                    \
    static int name(struct ctl *c)                                                                 \
    {                                                                                              \
        return ctl_simple(c, verb);                                                                \
    }
VERB_SIMPLE(verb_arm, "arm")
VERB_SIMPLE(verb_hold, "hold")
VERB_SIMPLE(verb_stop, "stop")
VERB_SIMPLE(verb_estop, "estop")
VERB_SIMPLE(verb_clear, "clear")

/* clang-format off */
static const struct verb verbs[] = {
    {"status",      NULL,                 "state, joints, learner, counters",                              ctl_status},
    {"health",      NULL,                 "can the robot do its work? the exit status says it too",        ctl_health},
    {"monitor",     NULL,                 "a screen that follows the robot; --lines --json --hz --seconds --until-fault", ctl_monitor},
    {"scan",        NULL,                 "look for servos on --device at all baud rates",                 ctl_scan},
    {"setup-motor", "JOINT",              "bring one new servo to a joint's settings; --config FILE",      ctl_setup_motor},
    {"arm",         NULL,                 "check, set goal to pose, torque on: the robot holds still",     verb_arm},
    {"run",         NULL,                 "the policy drives; --policy FILE --no-explore --no-learn --random", ctl_run},
    {"hold",        NULL,                 "stop driving, keep the pose",                                   verb_hold},
    {"stop",        NULL,                 "controlled stop, then torque off; stays so",                    verb_stop},
    {"estop",       NULL,                 "the same at once, latched until clear; survives a restart",     verb_estop},
    {"clear",       NULL,                 "leave fault or estop for limp; moves nothing",                  verb_clear},
    {"eval",        NULL,                 "drive without exploring for --seconds, then say the speed",     ctl_eval},
    {"episode",     "end",                "end the episode; --reward X --success",                         ctl_episode},
    {"learner",     "pause | resume",     "let the learner rest, wake it",                                 ctl_learner},
    {"policy",      "show | save FILE",   "the weights that drive",                                        ctl_policy},
    {"replay",      "info | verify",      "what was experienced: counts; every row checked",               ctl_replay},
    {"config",      "show",               "the whole configuration in use",                                ctl_config},
    {"version",     NULL,                 "installed and running",                                         ctl_version},
    {.name = NULL},
};

static const struct flag flags[] = {
    {"runtime-dir", "DIR",  "where basald's sockets are (default /run/basald)"},
    {"json",        NULL,   "print data as one JSON object"},
    {"seconds",     "S",    "eval: how long; monitor: leave after that"},
    {"hz",          "N",    "monitor: updates a second"},
    {"lines",       NULL,   "monitor: plain lines, no screen"},
    {"until-fault", NULL,   "monitor: end with status 1 at a fault or estop"},
    {"policy",      "FILE", "run: weights from this file"},
    {"no-explore",  NULL,   "run: the policy's best action, no noise"},
    {"no-learn",    NULL,   "run: store nothing, pause the learner"},
    {"random",      NULL,   "run: random actions"},
    {"reward",      "X",    "episode end: added to the last step"},
    {"success",     NULL,   "episode end: it was one"},
    {"config",      "FILE", "setup-motor: the robot file"},
    {"device",      "PATH", "scan, setup-motor: the bus's device"},
    {"id",          "N",    "setup-motor: the servo's id now (default 1)"},
    {"baud",        "N",    "setup-motor: its baud rate now (default 57600)"},
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct ctl *c = self;

    const struct {
        const char *name;
        bool *yes;
    } switches[] = {{"json", &c->json},
                    {"lines", &c->lines},
                    {"until-fault", &c->until_fault},
                    {"no-explore", &c->no_explore},
                    {"no-learn", &c->no_learn},
                    {"random", &c->random},
                    {"success", &c->success}};

    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"runtime-dir", &c->runtime_dir},
                 {"policy", &c->policy},
                 {"config", &c->config},
                 {"device", &c->device}};

    const struct {
        const char *name;
        double *number;
    } numbers[] = {{"seconds", &c->seconds}, {"hz", &c->hz}, {"reward", &c->reward}};

    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (strcmp(switches[i].name, name) == 0) {
            *switches[i].yes = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            *texts[i].text = value;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            return args_number(value, numbers[i].number);
        }
    }
    return args_whole(value, strcmp(name, "id") == 0 ? &c->id : &c->joint_baud);
}

static void list_verbs(FILE *f)
{
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        char left[48];
        (void)snprintf(left, sizeof left, "%s %s", v->name, v->words != NULL ? v->words : "");
        (void)fprintf(f, "  %-26s %s\n", left, v->help);
    }
}

/* Flags may stand before and after the verb; words are what is left. */
static int gather(struct ctl *c, const struct program *p, int argc, char **argv, char **ret_words)
{
    int n = 0;
    char *rest[64];
    int n_rest = argc < 64 ? argc : 64;
    memcpy(rest, argv, (size_t)n_rest * sizeof rest[0]);
    while (n_rest > 1) {
        const int at = args_read(p, n_rest, rest, c);
        if (at < 0) {
            return at;
        }
        if (at < n_rest) {
            ret_words[n++] = rest[at];
        }
        const int used = at < n_rest ? at + 1 : at;
        memmove(rest + 1, rest + used, (size_t)(n_rest - used) * sizeof rest[0]);
        n_rest -= used - 1;
    }
    return n;
}

int main(int argc, char **argv)
{
    char *words[64];
    struct ctl c = {.runtime_dir = "/run/basald", .id = 1, .joint_baud = 57600};
    const struct program program = {
        .name = "basalctl",
        .usage = "[flags] VERB [words]",
        .about = "The command line of a running basald. Verbs: basalctl (without any).",
        .flags = flags,
        .take = take};
    const int n = gather(&c, &program, argc, argv, words);
    if (n < 0) {
        if (n == -1) {
            list_verbs(stdout);
        }
        return -1 - n;
    }
    for (const struct verb *v = verbs; n > 0 && v->name != NULL; v++) {
        if (strcmp(v->name, words[0]) == 0) {
            c.words = words + 1;
            c.n_words = n - 1;
            if (v->words == NULL && c.n_words > 0) {
                (void)fprintf(stderr, "basalctl: %s takes no word %s\n", v->name, c.words[0]);
                return EXIT_USAGE;
            }
            const int status = v->run(&c);
            ctl_close(&c);
            return status;
        }
    }
    (void)fprintf(stderr,
                  n > 0 ? "basalctl: %s: no such verb; these are:\n"
                        : "basalctl: a verb is wanted:\n",
                  n > 0 ? words[0] : "");
    list_verbs(stderr);
    return EXIT_USAGE;
}
