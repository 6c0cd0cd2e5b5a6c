#include "daemon/service.h"

#include "daemon/args.h"
#include "daemon/base/log.h"
#include "daemon/base/thread.h"
#include "daemon/comms.h"
#include "daemon/crash.h"
#include "daemon/latch.h"
#include "daemon/realtime.h"
#include "daemon/runfiles.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define MAIN_STEP_NS (100 * NS_PER_MS)
#define IDLE_US      2000
#define COMMS_BYTES  ((size_t)256 << 20)

struct service {
    const struct service_spec *spec;
    struct house house;
    struct arena comms_mem;
    struct comms *comms;
    struct runfiles files;
    struct realtime_state realtime;
    struct reopen reopen[BUSES_MAX];
    char said[BUSES_MAX][WHY_CHARS]; /* what was last logged of each bus */
    _Atomic bool leaving;            /* the loop has ended: learner and comms end too */
    _Atomic bool comms_leaving;
    _Atomic bool save_asked; /* main asks the learner's thread for a checkpoint */
    pthread_t loop_thread, learner_thread, comms_thread;
    int64_t next_checkpoint_ns, next_metrics_ns, woke_watchdog_ns;
    uint32_t latched; /* enum latched as it stands on disk */
    struct log_limit latch_said;
    uint64_t watchdog_us, beats_seen;
    int64_t beats_ns;
};

static void maybe_stall(const struct service *s, const char *thread)
{
#ifdef BASAL_STALL
    const bool moving = atomic_load_explicit(&s->house.shared->steps, memory_order_relaxed) > 50;
    while (moving && s->spec->stall != NULL && strcmp(s->spec->stall, thread) == 0) {
        (void)usleep(100000);
    }
#else
    (void)s;
    (void)thread;
#endif
}

static void *loop_body(void *arg)
{
    struct service *s = arg;
    thread_flush_denormals();
    crash_on_loop_thread();
#ifdef BASAL_STALL
    s->house.loop.stall = s->spec->stall != NULL && strcmp(s->spec->stall, "loop") == 0;
#endif
    loop_run(&s->house.loop);
    atomic_store(&s->leaving, true);
    return NULL;
}

/* On the learner's thread, between two updates; or when that thread has ended. */
static void save(struct service *s)
{
    char reason[WHY_CHARS];
    if (s->files.dir == NULL) {
        return;
    }
    if (runfiles_checkpoint(&s->files, &s->house, 0, reason, (int)sizeof reason) < 0) {
        log_line(LOG_LEVEL_ERR, "checkpoint: %s", reason);
    } else {
        comms_note_checkpoint(s->comms, s->files.last);
    }
}

static void *learner_body(void *arg)
{
    struct service *s = arg;
    thread_flush_denormals();
    while (!atomic_load_explicit(&s->leaving, memory_order_relaxed)) {
        if (atomic_exchange_explicit(&s->save_asked, false, memory_order_relaxed)) {
            save(s);
        } else if (!learner_step(&s->house.learner)) {
            (void)usleep(IDLE_US);
        }
    }
    return NULL;
}

static void *comms_body(void *arg)
{
    struct service *s = arg;
    while (!atomic_load_explicit(&s->comms_leaving, memory_order_relaxed)) {
        comms_wait(s->comms);
        comms_step(s->comms);
        maybe_stall(s, "comms");
    }
    return NULL;
}

static int open_comms(struct service *s, char *ret_why, int cap)
{
    const struct comms_spec spec = {
        .config = &s->house.config,
        .shared = s->house.shared,
        .intake = &s->house.intake,
        .replay = s->house.replay,
        .hist = s->house.loop.hist,
        .runtime_dir = s->spec->runtime_dir,
        .run_id = s->house.run_id,
        .block_bytes = s->house.learner.block_cap,
    };
    if (arena_open(&s->comms_mem, "comms", COMMS_BYTES) < 0) {
        return -ENOMEM;
    }
    const int rc = comms_open(&s->comms, &spec, &s->comms_mem, ret_why, cap);
    if (rc == 0) {
        s->house.learner.publish = comms_offer;
        s->house.learner.to = s->comms;
    }
    return rc;
}

static int start_threads(struct service *s, char *ret_why, int cap)
{
    const struct control_settings *c = &s->house.config.control;
    const int cpu = realtime_cpu(c);
    const bool rt = c->realtime != REALTIME_OFF;
    const struct thread_spec loop = {.name = "basald-loop",
                                     .class = rt ? THREAD_FIFO : THREAD_NORMAL,
                                     .priority = c->priority,
                                     .cpu = rt ? cpu : -1,
                                     .not_cpu = -1};
    const struct thread_spec learner = {.name = "basald-learner",
                                        .class = rt ? THREAD_IDLE : THREAD_NORMAL,
                                        .cpu = -1,
                                        .not_cpu = rt ? cpu : -1};
    const struct thread_spec comms = {.name = "basald-comms", .cpu = -1, .not_cpu = -1};

    const struct {
        pthread_t *thread;
        const struct thread_spec *spec;
        void *(*body)(void *);
    } list[] = {{&s->comms_thread, &comms, comms_body},
                {&s->learner_thread, &learner, learner_body},
                {&s->loop_thread, &loop, loop_body}};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        char missed[WHY_CHARS];
        const int rc =
            thread_start(list[i].thread, list[i].spec, list[i].body, s, missed, (int)sizeof missed);
        if (rc < 0) {
            return why(ret_why, cap, rc, "cannot start thread %s: %s", list[i].spec->name,
                       strerror(-rc));
        }
        if (missed[0] != '\0') {
            log_line(LOG_LEVEL_WARN, "%s", missed);
        }
    }
    return 0;
}

/* --- main's step, ten times a second --- */

static void serve_buses(struct service *s, int64_t now_ns)
{
    plant_service(s->house.plant, now_ns, s->reopen);
    for (int i = 0; i < s->house.config.robot.n_buses; i++) {
        if (strcmp(s->said[i], s->reopen[i].why) != 0) {
            (void)snprintf(s->said[i], sizeof s->said[i], "%s", s->reopen[i].why);
            log_line(LOG_LEVEL_WARN, "%s",
                     s->said[i][0] != '\0' ? s->said[i] : "bus is open again");
        }
    }
}

/* The service manager's watchdog is fed by the loop's progress, not by a timer. */
static void feed_watchdog(struct service *s, int64_t now_ns)
{
    const uint64_t beats = atomic_load_explicit(&s->house.shared->loop_beats, memory_order_relaxed);
    if (beats != s->beats_seen) {
        s->beats_seen = beats;
        if (s->watchdog_us > 0 &&
            now_ns - s->woke_watchdog_ns > (int64_t)s->watchdog_us * NS_PER_US / 4) {
            (void)sd_notify(0, "WATCHDOG=1");
            s->woke_watchdog_ns = now_ns;
        }
    }
}

static int64_t unix_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* What the loop says of the estop, onto the disk. What fails is tried again at the next step, and
 * said once. */
static void keep_latch(struct service *s)
{
    char reason[WHY_CHARS] = "";
    const uint32_t now = atomic_load_explicit(&s->house.shared->latched, memory_order_relaxed);
    if (s->files.writer == NULL || now == s->latched) {
        return;
    }
    struct latch latch = {.unix_ns = unix_ns()};
    (void)snprintf(latch.reason, sizeof latch.reason, "%s",
                   now == LATCHED_POWER ? "motor power was lost" : "a person asked for it");
    const int rc =
        now == LATCHED_NOT
            ? latch_clear(s->files.writer, s->files.store.fd, reason, (int)sizeof reason)
            : latch_set(s->files.writer, s->files.store.fd, &latch, reason, (int)sizeof reason);
    if (rc == 0) {
        s->latched = now;
    } else {
        log_limited(&s->latch_said, 60.0, LOG_LEVEL_ERR, "the estop latch: %s", reason);
    }
}

/* An estop of an earlier life holds until a person clears it. */
static void restore_latch(struct service *s)
{
    struct latch latch;
    if (s->files.writer == NULL || !latch_get(s->files.store.fd, &latch)) {
        return;
    }
    s->latched = LATCHED_ASKED;
    atomic_store(&s->house.shared->latched, s->latched);
    atomic_fetch_or(&s->house.shared->stop, STOP_ESTOP);
    log_line(LOG_LEVEL_WARN, "estop is latched from before (%s): basalctl clear", latch.reason);
}

static void main_step(struct service *s, int64_t now_ns)
{
    const double every_s = s->house.config.learner.checkpoint_s;
    atomic_fetch_add_explicit(&s->house.shared->main_beats, 1, memory_order_relaxed);
    serve_buses(s, now_ns);
    feed_watchdog(s, now_ns);
    keep_latch(s);
    if (now_ns >= s->next_metrics_ns) {
        s->next_metrics_ns = now_ns + NS_PER_S;
        runfiles_interval(&s->files, &s->house, comms_rollout(s->comms));
    }
    if (every_s > 0.0 && now_ns >= s->next_checkpoint_ns) {
        atomic_store_explicit(&s->save_asked, s->next_checkpoint_ns > 0, memory_order_relaxed);
        s->next_checkpoint_ns = now_ns + (int64_t)(every_s * (double)NS_PER_S);
    }
    maybe_stall(s, "main");
}

/* Until a signal has stopped the robot and the loop has left. */
static void live(struct service *s, const sigset_t *signals)
{
    static const struct clock mono = {0};
    const struct timespec step = {.tv_nsec = MAIN_STEP_NS};
    while (!atomic_load(&s->leaving)) {
        const int sig = sigtimedwait(signals, NULL, &step);
        if (sig == SIGTERM || sig == SIGINT) {
            log_line(LOG_LEVEL_NOTE, "signal %d: stopping the robot", sig);
            (void)sd_notify(0, "STOPPING=1");
            atomic_fetch_or(&s->house.shared->stop, STOP_EXIT);
        } else if (sig == SIGUSR1) {
            atomic_fetch_or(&s->house.shared->stop, STOP_ASKED);
        }
        main_step(s, clock_now_ns(&mono));
    }
}

static void say_hello(const struct service *s)
{
    const struct config *c = &s->house.config;
    log_line(LOG_LEVEL_NOTE, "basald %s, robot %s, config %016llx, loop %g Hz, %s at %g Hz",
             BASALD_VERSION, c->robot.name, (unsigned long long)c->hash, c->robot.control_rate_hz,
             c->policy->name, c->robot.policy_rate_hz);
    log_line(LOG_LEVEL_NOTE, "real time %s", s->house.shared->verdict);
}

static int open_all(struct service *s, char *ret_why, int cap)
{
    int rc = house_open(&s->house, &s->spec->house, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    rc = realtime_enter(&s->realtime, &s->house.config.control, s->house.shared->verdict,
                        (int)sizeof s->house.shared->verdict);
    if (rc < 0) {
        return why(ret_why, cap, rc, "real time %s", s->house.shared->verdict);
    }
    rc = runfiles_open(&s->files, &s->house, s->spec->state_dir, ret_why, cap);
    if (rc == 0 && s->spec->resume != NULL) {
        int64_t planned_ns;
        rc = runfiles_resume(&s->files, &s->house, s->spec->resume, &planned_ns, ret_why, cap);
    }
    return rc == 0 ? open_comms(s, ret_why, cap) : rc;
}

static void close_all(struct service *s)
{
    atomic_store(&s->comms_leaving, true);
    (void)pthread_join(s->loop_thread, NULL);
    (void)pthread_join(s->learner_thread, NULL);
    keep_latch(s);
    save(s);
    (void)pthread_join(s->comms_thread, NULL);
    comms_close(s->comms);
    arena_close(&s->comms_mem);
}

int service_run(const struct service_spec *spec)
{
    char reason[WHY_CHARS] = "";
    struct service *s = calloc(1, sizeof *s);
    sigset_t signals;
    if (s == NULL) {
        return EXIT_OS;
    }
    s->spec = spec;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sd_watchdog_enabled(0, &s->watchdog_us);
    int rc = open_all(s, reason, (int)sizeof reason);
    if (rc == 0) {
        say_hello(s);
        restore_latch(s);
        crash_install(&s->house.shared->stop, s->house.plant);
        rc = start_threads(s, reason, (int)sizeof reason);
    }
    if (rc == 0) {
        (void)sd_notify(0, "READY=1");
        live(s, &signals);
        close_all(s);
    } else {
        log_line(LOG_LEVEL_ERR, "basald: %s", reason);
    }
    realtime_leave(&s->realtime);
    runfiles_close(&s->files);
    house_close(&s->house);
    free(s);
    return rc == 0 ? 0 : rc == -EINVAL ? EXIT_CONFIG : rc == -EPERM ? EXIT_OS : EXIT_FAILURE;
}

int service_make_safe(const struct house_spec *spec)
{
    static const struct clock mono = {0};
    char reason[WHY_CHARS] = "";
    struct house *h = calloc(1, sizeof *h);
    struct reopen reopen[BUSES_MAX] = {0};
    if (h == NULL || house_open(h, spec, reason, (int)sizeof reason) < 0) {
        (void)fprintf(stderr, "basald: %s\n", reason);
        free(h);
        return EXIT_CONFIG;
    }
    struct sensed sensed;
    uint64_t fresh;
    const int64_t until_ns = clock_now_ns(&mono) + 3 * NS_PER_S;
    int event = -1;
    for (int64_t t_ns = clock_now_ns(&mono); t_ns < until_ns && event != EVENT_IDENTIFIED;
         t_ns = clock_now_ns(&mono)) {
        plant_service(h->plant, t_ns, reopen);
        plant_read(h->plant, t_ns, &sensed,
                   &fresh); /* bringing up ends with torque off, read back */
        event = plant_do(h->plant, PLANT_LISTEN, &sensed);
        (void)usleep(5000);
    }
    const bool safe = event == EVENT_IDENTIFIED;
    log_line(safe ? LOG_LEVEL_NOTE : LOG_LEVEL_ERR, "make safe: %s",
             safe                       ? "torque is off on every device"
             : reopen[0].why[0] != '\0' ? reopen[0].why
                                        : plant_why(h->plant));
    house_close(h);
    free(h);
    return safe ? 0 : EXIT_FAILURE;
}
