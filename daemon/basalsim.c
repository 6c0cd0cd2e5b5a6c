/*
 * basalsim: the robot that is not there. A pseudo-terminal or a CAN interface per bus; behind it
 * the emulated devices and the simulated body of a robot file, in real time.
 */
#include "daemon/args.h"
#include "daemon/json.h"
#include "daemon/line.h"
#include "daemon/realtime.h"
#include "daemon/truth.h"
#include "daemon/world.h"

#include "daemon/base/clock.h"
#include "daemon/base/thread.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SETS_MAX       64
#define MEMORY_BYTES   ((size_t)64 << 20)
#define PAUSE_NS       (100 * NS_PER_US) /* between looks at the buses: finer than any deadline */
#define PAUSE_LEAST_NS (20 * NS_PER_US)  /* less than any frame's time */
#define PAUSE_TOLD_NS  (10 * NS_PER_MS)  /* a tick of most robots */
#define AS_INTERRUPT   85                /* priorities: the loop has 80, as it comes */
#define BESIDE_LOOP    70
#define MOTION_NS      NS_PER_MS /* between looks at the body, which take longer than those at a bus */
#define STILL_RAD_S    0.02      /* below the sensor's unit of 0.024 rad/s a joint stands still */

struct arguments {
    const char *config, *link, *truth;
    const char *sets[SETS_MAX];
    int n_sets;
    int64_t seed;
    bool json;
};

struct robot_sim {
    struct config config;
    struct world *world;
    struct line line[BUSES_MAX];
    int n_lines;
    int64_t zero_ns; /* real time of the world's 0 */
    int64_t last_motion_ns, next_motion_ns;
    int64_t looked_ns, longest_pause_ns, told_pause_ns; /* between two looks at the buses */
    struct truth *truth;                                /* NULL: nobody wants it */
    int64_t next_truth_ns;
};

static int64_t now_ns(const struct robot_sim *r)
{
    return clock_now_ns(&(const struct clock){0}) - r->zero_ns;
}

static int plug(struct robot_sim *r, int i)
{
    struct line *l = &r->line[i];
    char reason[WHY_CHARS];
    const int rc = line_plug(l, &r->config.robot, i, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basalsim: %s\n", reason);
        return rc;
    }
    (void)printf("basalsim: bus %s is %s%s%s\n", r->config.robot.bus[i].name, l->link,
                 l->path[0] != '\0' ? " -> " : "", l->path);
    (void)fflush(stdout);
    return 0;
}

/* What the host has written reaches the devices; what they answered by now reaches the host. */
static void carry(struct robot_sim *r, int i)
{
    if (r->line[i].fd >= 0) {
        line_carry(&r->line[i], r->world, i);
    } else if (now_ns(r) >= r->line[i].back_ns) {
        (void)plug(r, i);
    }
}

static void watch_motion(struct robot_sim *r)
{
    struct sensed s;
    if (world_now_ns(r->world) < r->next_motion_ns) {
        return;
    }
    r->next_motion_ns = world_now_ns(r->world) + MOTION_NS;
    world_truth(r->world, &s);
    for (int j = 0; j < s.n; j++) {
        if (world_drives(r->world, j) && fabs(s.qd[j]) > STILL_RAD_S) {
            r->last_motion_ns = world_now_ns(r->world);
        }
    }
    if (r->truth != NULL && world_now_ns(r->world) >= r->next_truth_ns) {
        r->next_truth_ns = world_now_ns(r->world) + 100 * NS_PER_MS;
        truth_push(r->truth, world_now_ns(r->world), &s);
    }
}

/* "guide arm 0.3": a hand leads a limp joint there; "guide arm": it lets go. */
static void guide(struct robot_sim *r, const char *text)
{
    char name[NAME_CHARS], rest;
    double q_rad = (double)NAN;
    const int n = sscanf(text, "guide %31s %lf %c", name, &q_rad, &rest); /* NOLINT(cert-err34-c) */
    for (int j = 0; j < r->config.robot.n_joints && (n == 1 || n == 2); j++) {
        if (strcmp(r->config.robot.joint[j].name, name) == 0) {
            world_guide(r->world, j, q_rad);
            (void)printf("basalsim: a hand leads %s to %g rad\n", name, q_rad);
            (void)fflush(stdout);
        }
    }
}

/* "unplug 5", "guide arm 0.3" and "quit" from standard input. False: leave. */
static bool obey(struct robot_sim *r, bool *ret_listening)
{
    char text[64];
    const ssize_t n = read(STDIN_FILENO, text, sizeof text - 1);
    static const char word[] = "unplug ";
    if (n <= 0) {
        *ret_listening = false; /* the other side has closed it */
        return true;
    }
    text[n] = '\0';
    guide(r, text);
    const char *number = text + sizeof word - 1;
    const bool asked = strncmp(text, word, sizeof word - 1) == 0;
    char *end = text;
    const double seconds = asked ? strtod(number, &end) : 0.0;
    if (end > number && seconds >= 0.0 && seconds < 1e6) {
        for (int i = 0; i < r->n_lines; i++) {
            line_unplug(&r->line[i]);
            r->line[i].back_ns = now_ns(r) + (int64_t)(seconds * (double)NS_PER_S);
        }
        (void)printf("basalsim: unplugged for %g s\n", seconds);
        (void)fflush(stdout);
    }
    return strncmp(text, "quit", 4) != 0;
}

/* While this program does not run nobody answers: whose replies are missing then, should know. */
static void watch_pauses(struct robot_sim *r, int64_t now_ns)
{
    const int64_t pause_ns = now_ns - r->looked_ns;
    r->looked_ns = now_ns;
    if (pause_ns > r->longest_pause_ns) {
        if (pause_ns > PAUSE_TOLD_NS && pause_ns > 2 * r->told_pause_ns) {
            r->told_pause_ns = pause_ns;
            (void)fprintf(stderr,
                          "basalsim: did not run for %lld ms at %.3f s: replies were late\n",
                          (long long)(pause_ns / NS_PER_MS), (double)now_ns / (double)NS_PER_S);
        }
        r->longest_pause_ns = pause_ns;
    }
}

/* How long nothing happens by itself, with interfaces alone. A terminal is never polled: see
 * serial.h. */
static int64_t quiet_ns(const struct robot_sim *r)
{
    for (int i = 0; i < r->n_lines; i++) {
        if (r->line[i].kind != PORT_CAN) {
            return PAUSE_NS;
        }
    }
    const int64_t ns = world_next_ns(r->world) - now_ns(r);
    return ns < PAUSE_LEAST_NS ? PAUSE_LEAST_NS : ns > NS_PER_MS ? NS_PER_MS : ns;
}

/* Until it is time to look again. A frame on an interface ends it: a tick of 1 ms that the bus
 * fills to two thirds has no room for waiting. True: somebody has written a command. */
static bool rest(const struct robot_sim *r, bool listening)
{
    const struct timespec pause = {.tv_nsec = quiet_ns(r)};
    struct pollfd p[1 + BUSES_MAX] = {{.fd = listening ? STDIN_FILENO : -1, .events = POLLIN}};
    for (int i = 0; i < r->n_lines; i++) {
        const struct line *l = &r->line[i];
        p[1 + i] = (struct pollfd){.fd = l->kind == PORT_CAN ? l->fd : -1, .events = POLLIN};
    }
    return ppoll(p, 1 + (nfds_t)r->n_lines, &pause, NULL) > 0 && p[0].revents != 0;
}

static void live(struct robot_sim *r, const sigset_t *signals)
{
    bool listening = true;
    r->looked_ns = now_ns(r);
    for (bool going = true; going;) {
        const bool told = rest(r, listening);
        const int64_t t_ns = now_ns(r);
        watch_pauses(r, t_ns);
        world_advance(r->world, t_ns);
        for (int i = 0; i < r->n_lines; i++) {
            carry(r, i);
        }
        watch_motion(r);
        if (told) {
            going = obey(r, &listening);
        }
        const struct timespec none = {0};
        going = going && sigtimedwait(signals, NULL, &none) < 0;
    }
}

static void summary(struct robot_sim *r, bool as_json)
{
    uint64_t injected[WIRE_FAULTS];
    struct sensed s;
    int64_t heard_ns = 0;
    struct json_object *o = json_begin();
    world_injected(r->world, injected);
    world_truth(r->world, &s);
    for (int i = 0; i < r->n_lines; i++) {
        heard_ns = world_heard_ns(r->world, i) > heard_ns ? world_heard_ns(r->world, i) : heard_ns;
    }
    const double after_ms = (double)(r->last_motion_ns - heard_ns) / (double)NS_PER_MS;
    json_number(o, "simulated_s", (double)world_now_ns(r->world) * 1e-9);
    json_numbers(o, "q", s.q, s.n);
    json_number(o, "last_motion_after_last_packet_ms", after_ms > 0.0 ? after_ms : 0.0);
    json_number(o, "longest_pause_ms", (double)r->longest_pause_ns / (double)NS_PER_MS);
    if (world_frames(r->world) > 0) {
        json_int(o, "can_frames", (int64_t)world_frames(r->world));
    }
    for (int k = 0; k < WIRE_FAULTS; k++) {
        char name[48];
        (void)snprintf(name, sizeof name, "injected_%s", wire_fault_names[k]);
        json_int(o, name, (int64_t)injected[k]);
    }
    json_print(o, stdout, as_json);
}

/* clang-format off */
static const struct flag flags[] = {
    {"config", "FILE",      "the robot file; its section sim is the body"},
    {"link",   "PATH",      "name of the first bus's pseudo-terminal, or its CAN interface (default: the bus's device)"},
    {"set",    "KEY=VALUE", "override one key, e.g. faults.lost=0.05; repeat as needed"},
    {"seed",   "N",         "seed of noise and faults (default 0)"},
    {"truth",  "FILE",      "write the body's true state there, ten times a second"},
    {"json",   NULL,        "print the summary at the end as JSON"},
    {.name = NULL},
};

/* clang-format on */

static bool take(void *self, const char *name, const char *value)
{
    struct arguments *a = self;
    if (strcmp(name, "config") == 0) {
        a->config = value;
    } else if (strcmp(name, "link") == 0) {
        a->link = value;
    } else if (strcmp(name, "truth") == 0) {
        a->truth = value;
    } else if (strcmp(name, "json") == 0) {
        a->json = true;
    } else if (strcmp(name, "seed") == 0) {
        return args_whole(value, &a->seed);
    } else if (a->n_sets < SETS_MAX) {
        a->sets[a->n_sets++] = value;
    } else {
        return false;
    }
    return true;
}

/* Hardware is never late: as far as the system allows, off the loop's processor and there, like a
 * bus's interrupt, above everything; where there is no other, above everything but the loop. */
static void hurry(const struct config *c)
{
    const bool alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
    const struct thread_spec spec = {.name = "basalsim",
                                     .class = THREAD_FIFO,
                                     .priority = alone ? BESIDE_LOOP : AS_INTERRUPT,
                                     .cpu = -1,
                                     .not_cpu = realtime_cpu(&c->control)};
    char missed[WHY_CHARS];
    if (thread_become(&spec, missed, (int)sizeof missed) < 0) {
        (void)fprintf(stderr, "basalsim: %s; replies may be late\n", missed);
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        (void)fprintf(stderr, "basalsim: memory is not locked: %s; replies may be late\n",
                      strerror(errno));
    }
}

static int run(struct robot_sim *r, const struct arguments *a)
{
    struct arena mem;
    char reason[WHY_CHARS] = "";
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (arena_open(&mem, "sim", MEMORY_BYTES) < 0) {
        return exit_no_memory("basalsim");
    }
    int rc =
        config_load(&r->config, a->config, a->sets, a->n_sets, &mem, reason, (int)sizeof reason);
    if (rc == 0 && r->config.robot.direct) {
        rc = why(reason, (int)sizeof reason, -EINVAL,
                 "%s has no bus to put bytes on: basald moves its body by itself", r->config.path);
    }
    rc = rc == 0 ? world_open(&r->world, &r->config, (uint64_t)a->seed, &mem, reason,
                              (int)sizeof reason)
                 : rc;
    if (rc == 0 && a->truth != NULL) {
        rc = truth_open(&r->truth, a->truth, reason, (int)sizeof reason);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "basalsim: %s\n", reason);
        arena_close(&mem);
        return EXIT_CONFIG;
    }
    r->n_lines = r->config.robot.n_buses;
    r->zero_ns = clock_now_ns(&(const struct clock){0});
    for (int i = 0; i < r->n_lines; i++) {
        line_init(&r->line[i], &r->config.robot, i, i == 0 ? a->link : NULL);
    }
    for (int i = 0; i < r->n_lines && rc == 0; i++) {
        rc = plug(r, i);
    }
    if (rc == 0) {
        hurry(&r->config);
        live(r, &signals);
        summary(r, a->json);
    }
    for (int i = 0; i < r->n_lines; i++) {
        line_unplug(&r->line[i]);
    }
    truth_close(r->truth);
    world_close(r->world);
    arena_close(&mem);
    return rc == 0 ? 0 : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    const struct program program = {
        .name = "basalsim",
        .usage = "--config FILE [flags]",
        .about =
            "The robot that is not there: its devices on a pseudo-terminal or on CAN, its body "
            "in real time.\nReads \"unplug SECONDS\", \"guide JOINT RAD\" and \"quit\" from "
            "standard input.",
        .flags = flags,
        .take = take};
    const int rest = args_read(&program, argc, argv, &a);
    if (rest < 0) {
        return args_end("basalsim", -1 - rest);
    }
    if (a.config == NULL || rest < argc) {
        (void)fprintf(stderr, "basalsim: which robot? give --config FILE, and nothing but flags\n");
        return EXIT_USAGE;
    }
    struct robot_sim *r = calloc(1, sizeof *r);
    const int status = r != NULL ? run(r, &a) : exit_no_memory("basalsim");
    free(r);
    return args_end("basalsim", status);
}
