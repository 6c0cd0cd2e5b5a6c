#include "daemon/service.h"

#include "daemon/args.h"
#include "daemon/base/log.h"
#include "daemon/bus_codec.h"
#include "daemon/bus_load.h"
#include "daemon/crash.h"
#include "daemon/kept.h"
#include "daemon/service_inside.h"
#include "daemon/problem.h"
#include "policies/nn/kernel.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define MAIN_STEP_NS (100 * NS_PER_MS)
#define COMMS_BYTES  ((size_t)256 << 20)
#define DISARM_S     1.0  /* torque off and its read-back, on a bus that answers badly */
#define FILES_S      10.0 /* networks onto a slow disk */
#define FILES_MIN    128  /* about thirty of its own, and three for each peer of its sockets */

void service_save(struct service *s)
{
    char reason[WHY_CHARS];
    const int64_t updates = s->house.learner.counters[LEARNER_UPDATES];
    const int64_t steps =
        (int64_t)atomic_load_explicit(&s->house.shared->steps, memory_order_relaxed);
    if (s->files.dir == NULL || (updates == s->saved_updates && steps == s->saved_steps)) {
        return;
    }
    if (runfiles_checkpoint(&s->files, &s->house, 0, reason, (int)sizeof reason) < 0) {
        log_limited(&s->save_said, 600.0, LOG_LEVEL_ERR, "checkpoint in %s: %s", s->files.dir,
                    reason);
        return;
    }
    s->saved_updates = updates;
    s->saved_steps = steps;
    comms_note_checkpoint(s->comms, s->files.last);
}

/* --- main's step, ten times a second --- */

static void serve_buses(struct service *s, int64_t now_ns)
{
    plant_service(s->house.plant, now_ns, s->reopen);
    for (int i = 0; i < s->house.config.robot.n_buses; i++) {
        if (s->reopen[i].note[0] != '\0') {
            log_line(LOG_LEVEL_WARN, "%s", s->reopen[i].note);
            s->reopen[i].note[0] = '\0';
        }
        if (strcmp(s->said[i], s->reopen[i].why) != 0) {
            memcpy(s->said[i], s->reopen[i].why, sizeof s->said[i]);
            if (s->said[i][0] != '\0') {
                log_line(LOG_LEVEL_WARN, "%s", s->said[i]);
            } else {
                log_line(LOG_LEVEL_NOTE, "bus %s: open again", s->house.config.robot.bus[i].name);
            }
        }
    }
}

/* For how long has this counter not moved? */
static int64_t stands_still_ns(struct progress *p, uint64_t now, int64_t now_ns)
{
    if (p->seen != now || p->since_ns == 0) {
        *p = (struct progress){.seen = now, .since_ns = now_ns};
    }
    return now_ns - p->since_ns;
}

/* The service manager's watchdog is fed by the loop's progress, not by a timer. */
static void feed_watchdog(struct service *s, int64_t now_ns)
{
    const uint64_t beats = atomic_load_explicit(&s->house.shared->loop_beats, memory_order_relaxed);
    const int64_t still_ns = stands_still_ns(&s->loop, beats, now_ns);
    if (still_ns == 0 && s->watchdog_us > 0 &&
        now_ns - s->woke_watchdog_ns > (int64_t)s->watchdog_us * NS_PER_US / 4) {
        (void)sd_notify(0, "WATCHDOG=1");
        s->woke_watchdog_ns = now_ns;
    } else if (still_ns > s->house.loop.stall_ns && !s->loop.said) {
        s->loop.said = true;
        log_line(LOG_LEVEL_ERR, "the control loop makes no progress; the devices stop by their own "
                                "watchdogs, the service manager kills this process");
    }
}

/* The loop has stopped the robot for it by itself; nobody could command it any more. */
static void watch_comms(struct service *s, int64_t now_ns)
{
    const uint64_t beats =
        atomic_load_explicit(&s->house.shared->comms_beats, memory_order_relaxed);
    if (stands_still_ns(&s->comms_progress, beats, now_ns) > s->house.loop.stall_ns && !s->broken) {
        s->broken = true;
        log_line(LOG_LEVEL_ERR, "comms makes no progress: stopping the robot, then leaving");
        atomic_fetch_or(&s->house.shared->stop, STOP_EXIT);
    }
}

static void main_step(struct service *s, int64_t now_ns)
{
    atomic_fetch_add_explicit(&s->house.shared->main_beats, 1, memory_order_relaxed);
    serve_buses(s, now_ns);
    feed_watchdog(s, now_ns);
    watch_comms(s, now_ns);
    misbehave(&s->misbehaviour, "main",
              (int64_t)atomic_load_explicit(&s->house.shared->steps, memory_order_relaxed));
}

static double stop_s(const struct service *s)
{
    return respond_stop_s(&s->house.loop.responder) + DISARM_S;
}

/* The unit's TimeoutStopSec fits most robots; one that takes longer to stop says so. */
static void say_stopping(const struct service *s)
{
    (void)sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
                     (unsigned long long)((stop_s(s) + FILES_S) * 1e6));
}

/* Until a signal has stopped the robot and the loop has left. */
static void live(struct service *s, const sigset_t *signals)
{
    static const struct clock mono = {0};
    const struct timespec step = {.tv_nsec = MAIN_STEP_NS};
    while (!atomic_load(&s->leaving)) {
        const int sig = sigtimedwait(signals, NULL, &step);
        if (sig == SIGTERM || sig == SIGINT) {
            log_line(LOG_LEVEL_NOTE, "%s: stopping the robot, then leaving",
                     sig == SIGTERM ? "SIGTERM" : "SIGINT");
            say_stopping(s);
            atomic_fetch_or(&s->house.shared->stop, STOP_EXIT);
        } else if (sig == SIGUSR1) {
            log_line(LOG_LEVEL_NOTE, "SIGUSR1: stopping the robot");
            atomic_fetch_or(&s->house.shared->stop, STOP_ASKED);
        }
        main_step(s, clock_now_ns(&mono));
    }
}

/* --- start --- */

/* What nothing but a switch in the power lead would end. */
static void say_silence(const struct robot *r)
{
    for (int i = 0; i < r->n_buses; i++) {
        const struct driver_info *d = bus_codec_find(r->bus[i].driver).info;
        if (d != NULL && !driver_has_watchdog(d)) {
            log_line(
                LOG_LEVEL_WARN,
                "bus %s: its %s devices have no watchdog: on a silent bus they hold their last "
                "goal, with torque; keep the switch of their power in reach",
                r->bus[i].name, d->name);
        }
    }
}

static void say_hello(const struct service *s)
{
    const struct config *c = &s->house.config;
    log_line(LOG_LEVEL_NOTE, "basald %s, robot %s, config %016llx, loop %g Hz, %s at %g Hz",
             BASALD_VERSION, c->robot.name, (unsigned long long)c->hash, c->robot.control_rate_hz,
             c->policy->name, c->robot.policy_rate_hz);
    log_line(LOG_LEVEL_NOTE, "learner: products in %s (%s)", precision_names[c->learner.precision],
             problem_kernel(c)->name);
    for (int i = 0; i < c->robot.n_buses; i++) {
        struct bus_budget b;
        char text[160];
        bus_budget(&c->robot, i, &b);
        if (b.frames > 0) {
            (void)bus_budget_text(&c->robot, i, &b, text, (int)sizeof text);
            log_line(LOG_LEVEL_NOTE, "%s", text);
        }
    }
    if (s->house.prior.rows > 0) {
        log_line(LOG_LEVEL_NOTE, "prior data: %lld transitions of %s, %g of each batch",
                 (long long)s->house.prior.rows, s->spec->house.prior, c->learner.prior_ratio);
    }
    log_line(s->house.shared->verdict[0] == 'i' ? LOG_LEVEL_WARN : LOG_LEVEL_NOTE, "real time %s",
             s->house.shared->verdict);
    say_silence(&c->robot);
    if (c->calibrated[0] != '\0') {
        log_line(LOG_LEVEL_NOTE, "zeros, signs and ranges of %s, from %s", c->calibrated,
                 c->calibration);
    }
}

/* An estop of an earlier life holds until a person clears it. */
static void restore_latch(struct service *s)
{
    char reason[WHY_CHARS];
    if (latch_keeper_restore(&s->latch, reason)) {
        atomic_store(&s->house.shared->latched, LATCHED_ASKED);
        atomic_fetch_or(&s->house.shared->stop, STOP_ESTOP);
        log_line(LOG_LEVEL_WARN, "estop is latched from before (%s): basalctl clear", reason);
    }
}

static int open_comms(struct service *s, char *ret_why, int cap)
{
    const struct comms_spec spec = {
        .config = &s->house.config,
        .shared = s->house.shared,
        .intake = &s->house.intake,
        .replay = s->house.replay,
        .prior_rows = s->house.prior.rows,
        .hist = s->house.loop.hist,
        .runtime_dir = s->spec->runtime_dir,
        .run_id = s->house.run_id,
        .block_bytes = s->house.learner.block_cap,
    };
    if (arena_open(&s->comms_mem, "comms", COMMS_BYTES) < 0) {
        return why(ret_why, cap, -ENOMEM,
                   "out of address space; end other programs, or raise the limit (ulimit -v)");
    }
    const int rc = comms_open(&s->comms, &spec, &s->comms_mem, ret_why, cap);
    if (rc == 0) {
        s->house.learner.publish = comms_offer;
        s->house.learner.to = s->comms;
    }
    return rc;
}

/* What an earlier life has learned; its weights drive from the first step on. */
static int resume(struct service *s, char *ret_why, int cap)
{
    const bool go_on = s->spec->resume == NULL && s->spec->go_on;
    const char *from = go_on ? s->files.dir : s->spec->resume;
    char reason[WHY_CHARS] = "";
    int64_t planned_ns;
    if (from == NULL) {
        return 0;
    }
    const int rc =
        runfiles_resume(&s->files, &s->house, from, &planned_ns, reason, (int)sizeof reason);
    if (rc == -ENOENT && go_on) {
        return 0;
    }
    if (rc < 0) {
        return why(ret_why, cap, rc, "%s", reason);
    }
    if (reason[0] != '\0') {
        log_line(LOG_LEVEL_WARN, "%s; an older one is taken", reason);
    }
    if (s->files.other_prior) {
        log_line(LOG_LEVEL_WARN, "%s was learnt with other prior data than are given now (--prior)",
                 from);
    }
    s->saved_updates = s->house.learner.counters[LEARNER_UPDATES];
    s->saved_steps = s->house.loop.st.step;
    if (s->saved_updates > 0) {
        learner_publish(&s->house.learner);
    }
    log_line(LOG_LEVEL_NOTE, "going on from %s: step %lld, %lld updates", from,
             (long long)s->saved_steps, (long long)s->saved_updates);
    return 0;
}

/* The replay: taken over from an earlier life, or a new one for the next. */
static void keep_replay(const struct service *s)
{
    char reason[WHY_CHARS] = "";
    if (s->house.replay_kept) {
        log_line(LOG_LEVEL_NOTE, "the replay is kept: %lld rows so far",
                 (long long)replay_head(s->house.replay));
        return;
    }
    if (s->house.replay_why[0] != '\0') {
        log_line(LOG_LEVEL_WARN, "%s; a new one begins", s->house.replay_why);
    }
    const int rc = kept_put(replay_fd(s->house.replay), reason, (int)sizeof reason);
    if (rc < 0 && rc != -ENOTCONN) {
        log_line(LOG_LEVEL_WARN, "%s", reason);
    }
}

static void set_watches(struct service *s)
{
    (void)sd_watchdog_enabled(0, &s->watchdog_us);
    if (s->watchdog_us > 0) {
        s->house.loop.stall_ns = (int64_t)s->watchdog_us * NS_PER_US / 2;
    }
    s->misbehaviour = (struct misbehaviour){
        .stall = s->spec->stall, .crash = s->spec->crash, .from_step = s->house.loop.st.step};
    s->house.loop.misbehaviour = &s->misbehaviour;
    if (s->watchdog_us > 0 && stop_s(s) * 1e6 > (double)s->watchdog_us / 2.0) {
        log_line(LOG_LEVEL_WARN,
                 "a stop takes up to %.1f s: should main or comms hang, the service manager cuts "
                 "it off after WatchdogSec, %.1f s; a drop-in with WatchdogSec=%.0f leaves time",
                 stop_s(s), (double)s->watchdog_us * 1e-6, ceil(2.0 * stop_s(s)));
    }
    crash_install(&(struct crash_spec){.stop = &s->house.shared->stop,
                                       .latched = &s->house.shared->latched,
                                       .latch_dir = s->files.store.fd,
                                       .plant = s->house.plant,
                                       .patience_ns = (int64_t)(stop_s(s) * (double)NS_PER_S)});
}

/* libzmq ends the program where it may not open one more file. */
static int check_files(char *ret_why, int cap)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= FILES_MIN) {
        return 0;
    }
    const rlim_t had = r.rlim_cur;
    r.rlim_cur = r.rlim_max < FILES_MIN ? r.rlim_max : FILES_MIN;
    if (r.rlim_cur == FILES_MIN && setrlimit(RLIMIT_NOFILE, &r) == 0) {
        return 0;
    }
    return why(
        ret_why, cap, -EMFILE,
        "only %llu files may be open at once: at least %d are wanted; raise the limit (ulimit "
        "-n, LimitNOFILE)",
        (unsigned long long)had, FILES_MIN);
}

static int open_all(struct service *s, char *ret_why, int cap)
{
    int rc = check_files(ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    struct house_spec house = s->spec->house;
    house.replay_fd = kept_take();
    rc = house_open(&s->house, &house, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    rc = realtime_enter(&s->realtime, &s->house.config.control, s->house.shared->verdict,
                        (int)sizeof s->house.shared->verdict);
    if (rc < 0) {
        return why(ret_why, cap, rc,
                   "real time %s; basald.service gives these, or set control.realtime: prefer",
                   s->house.shared->verdict);
    }
    say_hello(s);
    rc = runfiles_open(&s->files, &s->house, s->spec->state_dir, ret_why, cap);
    rc = rc == 0 ? open_comms(s, ret_why, cap) : rc;
    rc = rc == 0 ? resume(s, ret_why, cap) : rc;
    rc = rc == 0 ? latch_keeper_open(&s->latch, s->files.store.fd) : rc;
    if (rc < 0) {
        return rc;
    }
    keep_replay(s);
    restore_latch(s);
    set_watches(s);
    serve_buses(s,
                clock_now_ns(&(const struct clock){0})); /* before the first tick asks for them */
    return 0;
}

/* --- end --- */

static void close_all(struct service *s)
{
    crash_uninstall();
    comms_close(s->comms);
    arena_close(&s->comms_mem);
    latch_keeper_close(&s->latch);
    realtime_leave(&s->realtime);
    runfiles_close(&s->files);
    house_close(&s->house);
}

static void block_signals(sigset_t *ret_signals)
{
    (void)sigemptyset(ret_signals);
    (void)sigaddset(ret_signals, SIGTERM);
    (void)sigaddset(ret_signals, SIGINT);
    (void)sigaddset(ret_signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int service_run(const struct service_spec *spec)
{
    char reason[WHY_CHARS] = "";
    struct service *s = calloc(1, sizeof *s);
    sigset_t signals;
    if (s == NULL) {
        return exit_no_memory("basald");
    }
    s->spec = spec;
    s->files.store.fd = -1;
    s->realtime.dma_latency_fd = -1;
    block_signals(&signals);
    const int rc = open_all(s, reason, (int)sizeof reason);
    if (rc == 0) {
        if (service_start_threads(s, reason, (int)sizeof reason) < 0) {
            log_line(LOG_LEVEL_ERR, "basald: %s", reason);
            _exit(EXIT_OS); /* some of them run */
        }
        (void)sd_notify(0, "READY=1");
        live(s, &signals);
        if (!service_end_threads(s)) {
            _exit(EXIT_BROKEN);
        }
        log_line(LOG_LEVEL_NOTE, "leaving%s%s",
                 s->files.last[0] != '\0' ? "; newest checkpoint " : "", s->files.last);
    } else {
        log_line(LOG_LEVEL_ERR, "basald: %s", reason);
    }
    const int status = s->broken ? EXIT_BROKEN : exit_status(rc);
    close_all(s);
    free(s);
    return status;
}
