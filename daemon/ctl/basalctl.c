/* basalctl: the command line of a running basald. One table of verbs makes the dispatch and --help.
 */
#include "daemon/ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

/* Verbs that ask one thing and print the answer. */
#define VERB_SIMPLE(name, verb)                                                                    \
    static int name(struct ctl *c)                                                                 \
    {                                                                                              \
        return ctl_simple(c, verb);                                                                \
    }
VERB_SIMPLE(verb_hold, "hold")
VERB_SIMPLE(verb_clear, "clear")

/* clang-format off */
static const struct verb verbs[] = {
    /* name         words                 flags                                   help                                                run */
    {"status",      NULL,                 "",                                     "state, joints, learner, counters",                 ctl_status},
    {"health",      NULL,                 "",                                     "can it do its work? the exit status says it too",  ctl_health},
    {"monitor",     NULL,                 "lines hz seconds until-fault",         "a screen that follows the robot; q leaves it",     ctl_monitor},
    {"scan",        NULL,                 "config device driver baud bitrate",    "look for servos at all rates, for motors on CAN; moves nothing", ctl_scan},
    {"setup-motor", "JOINT",              "config device id baud",                "bring one new servo to a joint's settings",        ctl_setup_motor},
    {"doctor",      NULL,                 "config fix",                           "what is the matter with a robot's buses; moves nothing", ctl_doctor},
    {"calibrate",   "[JOINT ...]",        "config",                               "zeros and signs, by hand; the robot is limp",      ctl_calibrate},
    {"find-limits", "[JOINT ...]",        "config",                               "ranges, by hand; the robot is limp",               ctl_find_limits},
    {"identify",    "RECORDING",          "config constants",                     "masses, inertias and friction from a recorded motion", ctl_identify},
    {"record",      "FILE",               "seconds",                              "every tick of the joints into a file, for identify", ctl_record},
    {"arm",         NULL,                 "",                                     "check, torque on, hold the measured pose",         ctl_arm},
    {"run",         NULL,                 "policy no-explore no-learn random attended", "the policy drives and learns",                     ctl_run},
    {"hold",        NULL,                 "",                                     "stop driving, keep the pose",                      verb_hold},
    {"stop",        NULL,                 "",                                     "controlled stop, then torque off; stays so",       ctl_stop},
    {"estop",       NULL,                 "",                                     "the same, latched until clear, over restarts too", ctl_estop},
    {"clear",       NULL,                 "",                                     "leave fault or estop for limp; moves nothing",     verb_clear},
    {"eval",        NULL,                 "seconds",                              "drive without exploring, then say the speed",      ctl_eval},
    {"episode",     "begin | end",        "reward success",                       "begin the one that waits; end the one that runs",  ctl_episode},
    {"learner",     "pause | resume",     "",                                     "let the learner rest, wake it",                    ctl_learner},
    {"policy",      "show | save FILE",   "",                                     "the weights that drive",                           ctl_policy},
    {"replay",      "info | verify",      "",                                     "what was experienced: counts; every row checked",  ctl_replay},
    {"config",      "show",               "",                                     "the whole configuration in use",                   ctl_config},
    {"version",     NULL,                 "",                                     "installed and running",                            ctl_version},
    {.name = NULL},
};

#define GLOBAL_FLAGS 2 /* the first ones, which every verb heeds */
static const struct flag flags[] = {
    {"runtime-dir", "DIR",  "where basald's sockets are (default /run/basald)"},
    {"json",        NULL,   "print data as JSON: one object, or one a line"},
    {"seconds",     "S",    "eval, record: how long; monitor: leave after that"},
    {"hz",          "N",    "monitor: updates a second"},
    {"lines",       NULL,   "monitor: plain lines, no screen"},
    {"until-fault", NULL,   "monitor: end with status 1 at a fault or estop"},
    {"policy",      "FILE", "run: weights from this file"},
    {"no-explore",  NULL,   "run: the policy's best action, no noise"},
    {"no-learn",    NULL,   "run: store nothing, pause the learner"},
    {"random",      NULL,   "run: random actions"},
    {"attended",    NULL,   "run: only as long as this basalctl lives; Ctrl-C holds"},
    {"reward",      "X",    "episode end: added to the last step"},
    {"success",     NULL,   "episode end: it was one"},
    {"config",      "FILE", "calibrate, doctor, find-limits, identify, scan, setup-motor: the robot file"},
    {"constants",   NULL,   "identify: the joints' constants of torque by current, too"},
    {"fix",         NULL,   "doctor: set the latency timer, clear errors of servos without torque"},
    {"device",      "PATH", "scan, setup-motor: the bus's device; scan: or its CAN interface"},
    {"driver",      "NAME", "scan: whose servos (default dynamixel), or motors (default: all on CAN)"},
    {"bitrate",     "N",    "scan: of a CAN bus behind an slcan adapter (default: 1000000 and below)"},
    {"id",          "N",    "setup-motor: the servo's id now (default 1)"},
    {"baud",        "N",    "setup-motor: its baud rate now (default: as delivered); scan: look only there"},
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
                    {"attended", &c->attended},
                    {"success", &c->success},
                    {"constants", &c->constants},
                    {"fix", &c->fix}};

    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"runtime-dir", &c->runtime_dir},
                 {"policy", &c->policy},
                 {"config", &c->config},
                 {"device", &c->device},
                 {"driver", &c->driver}};

    const struct {
        const char *name;
        double *number;
        double low, high;
    } numbers[] = {{"seconds", &c->seconds, 1e-3, 86400.0},
                   {"hz", &c->hz, 1e-3, 50.0},
                   {"reward", &c->reward, -1e6, 1e6}};

    for (uint32_t i = 0; flags[i].name != NULL; i++) {
        c->given |= strcmp(flags[i].name, name) == 0 ? UINT32_C(1) << i : 0;
    }
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
            return args_number(value, numbers[i].number) && *numbers[i].number >= numbers[i].low &&
                   *numbers[i].number <= numbers[i].high;
        }
    }
    return args_whole(value, strcmp(name, "id") == 0        ? &c->id
                             : strcmp(name, "bitrate") == 0 ? &c->bitrate
                                                            : &c->joint_baud);
}

static void list_verbs(FILE *f)
{
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        char left[48];
        (void)snprintf(left, sizeof left, "%s %s", v->name, v->words != NULL ? v->words : "");
        (void)fprintf(f, "  %-26s %s\n", left, v->help);
    }
}

/* A flag that a verb would not heed is a mistake, and may be a dangerous one. */
static bool heeds(struct ctl *c, const struct verb *v)
{
    for (size_t i = GLOBAL_FLAGS; flags[i].name != NULL; i++) {
        if ((c->given >> i & 1u) != 0 && !ctl_one_of(v->flags, flags[i].name)) {
            ctl_say(c, "%s knows no flag --%s; see basalctl --help", v->name, flags[i].name);
            return false;
        }
    }
    return true;
}

/* Flags may stand before and after the verb; words are what is left. */
static int gather(struct ctl *c, const struct program *p, int argc, char **argv, char **ret_words)
{
    int n = 0;
    char *rest[WORDS_MAX];
    int n_rest = argc < WORDS_MAX ? argc : WORDS_MAX;
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

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        if (strcmp(v->name, name) == 0) {
            return v;
        }
    }
    return NULL;
}

/* --help begins with the verbs. The caller frees it; NULL: no memory. */
static char *about(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (f == NULL) {
        return NULL;
    }
    (void)fputs("The command line of a running basald. Its verbs:\n\n", f);
    list_verbs(f);
    (void)fputs("\nand flags:", f);
    return fclose(f) == 0 ? text : NULL;
}

static int run_verb(struct ctl *c, char **words, int n_words)
{
    const struct verb *v = n_words > 0 ? find_verb(words[0]) : NULL;
    if (v == NULL) {
        (void)fprintf(stderr,
                      n_words > 0 ? "basalctl: %s: no such verb; these are:\n"
                                  : "basalctl: a verb is wanted%s:\n",
                      n_words > 0 ? words[0] : "");
        list_verbs(stderr);
        return EXIT_USAGE;
    }
    c->verb = v->name;
    c->words = words + 1;
    c->n_words = n_words - 1;
    if (v->words == NULL && c->n_words > 0) {
        ctl_say(c, "%s takes no word %s; see basalctl --help", v->name, c->words[0]);
        return EXIT_USAGE;
    }
    return heeds(c, v) ? v->run(c) : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    char *words[WORDS_MAX];
    char *text = about();
    struct ctl c = {.runtime_dir = "/run/basald", .id = 1};
    const struct program program = {.name = "basalctl",
                                    .usage = "[flags] VERB [words]",
                                    .about = text != NULL ? text : "",
                                    .flags = flags,
                                    .take = take};
    const int n = gather(&c, &program, argc, argv, words);
    const int status = n < 0 ? -1 - n : run_verb(&c, words, n);
    ctl_close(&c);
    free(text);
    return args_end("basalctl", status);
}
