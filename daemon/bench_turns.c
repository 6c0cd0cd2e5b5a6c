#include "daemon/bench_turns.h"

#include "daemon/bench_robot.h"

#include "daemon/base/thread.h"
#include "daemon/realtime.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LOOK_US 5000 /* between two looks at the loop's rings: comms sleeps as long */

struct turns {
    const struct turns_spec *spec;
    struct turns_result *out;
    struct bench_robot robot;
    int64_t ticks_a_turn, turns_a_run;
    int64_t stood_ns;          /* what the robot's clock showed when its turn ended */
    struct record first, last; /* of the loop's, the first one from before the runs */
    int64_t records, running;
    _Atomic int runs_wanted, runs_done;
    _Atomic bool leaving;
    pthread_t loop_thread, learner_thread;
};

static int64_t mono_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

/* --- the loop's thread --- */

static void loop_turn(struct turns *t)
{
    struct loop *l = &t->robot.house.loop;
    clock_resume(l->clock, t->stood_ns);
    const int64_t end_ns = l->planned_ns + t->ticks_a_turn * l->period_ns;
    while (l->planned_ns < end_ns) {
        (void)loop_step(l);
    }
    t->stood_ns = clock_now_ns(l->clock);
}

/* What the loop is measured against: sleep, look at the clock, nothing else. */
static void bare_turn(struct turns *t, struct runner_result *ret_result, int run)
{
    const int64_t period_ns = t->robot.house.loop.period_ns;
    int64_t planned_ns = mono_ns() + period_ns;
    const int64_t end_ns = planned_ns + t->ticks_a_turn * period_ns;
    while (planned_ns < end_ns) {
        struct timespec now;
        const struct timespec at = {.tv_sec = planned_ns / NS_PER_S,
                                    .tv_nsec = planned_ns % NS_PER_S};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        const int64_t late_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec - planned_ns;
        const int64_t skipped = late_ns / period_ns;
        series_add(&ret_result->wake, late_ns);
        ret_result->overruns[run] += skipped;
        planned_ns += (1 + skipped) * period_ns;
    }
}

static void take_turn(struct turns *t, enum runner who, int run)
{
    struct runner_result *r = &t->out->runner[who];
    struct rusage before, after;
    (void)getrusage(RUSAGE_THREAD, &before);
    if (who == RUNNER_LOOP) {
        loop_turn(t);
    } else {
        bare_turn(t, r, run);
    }
    (void)getrusage(RUSAGE_THREAD, &after);
    r->page_faults += after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt;
    r->preempted += after.ru_nivcsw - before.ru_nivcsw;
}

/* Every order of the three as often as any other: what a turn leaves behind meets all of them. */
static void *loop_body(void *arg)
{
    static const enum runner order[6][RUNNERS_N] = {{RUNNER_LOOP, RUNNER_BARE, RUNNER_BARE_AGAIN},
                                                    {RUNNER_BARE_AGAIN, RUNNER_BARE, RUNNER_LOOP},
                                                    {RUNNER_BARE, RUNNER_LOOP, RUNNER_BARE_AGAIN},
                                                    {RUNNER_BARE_AGAIN, RUNNER_LOOP, RUNNER_BARE},
                                                    {RUNNER_BARE, RUNNER_BARE_AGAIN, RUNNER_LOOP},
                                                    {RUNNER_LOOP, RUNNER_BARE_AGAIN, RUNNER_BARE}};
    struct turns *t = arg;
    struct loop *l = &t->robot.house.loop;
    thread_flush_denormals();
    clock_resume(l->clock, t->stood_ns);
    loop_begin(l);
    t->stood_ns = clock_now_ns(l->clock);
    for (int run = 0; run < t->spec->repeat; run++) {
        while (atomic_load(&t->runs_wanted) <= run) {
            (void)usleep(LOOK_US);
        }
        for (int64_t i = 0; i < t->turns_a_run; i++) {
            for (int k = 0; k < RUNNERS_N; k++) {
                take_turn(t, order[(run * t->turns_a_run + i) % 6][k], run);
            }
        }
        atomic_store(&t->runs_done, run + 1);
    }
    return NULL;
}

static void *learner_body(void *arg)
{
    struct turns *t = arg;
    thread_flush_denormals();
    while (!atomic_load_explicit(&t->leaving, memory_order_relaxed)) {
        if (!learner_step(&t->robot.house.learner)) {
            t->out->learner_waits++;
            (void)usleep(LOOK_US);
        }
    }
    return NULL;
}

/* --- main, which does what comms and main do for the loop --- */

static void note_record(void *self, const struct record *r)
{
    struct turns *t = self;
    struct turns_result *out = t->out;
    int64_t tick_ns = 0;
    series_add(&out->runner[RUNNER_LOOP].wake, r->wake_ns);
    for (int i = 0; i < PHASES_N; i++) {
        series_add(&out->phase[i], r->phase_ns[i]);
        tick_ns += r->phase_ns[i];
    }
    series_add(&out->tick, tick_ns);
    if (r->last_byte_ns > 0) {
        series_add(&out->last_byte, r->last_byte_ns);
    }
    t->last = *r;
    t->records++;
    t->running += r->state == STATE_RUNNING;
}

static int64_t cpu_ns(pthread_t thread)
{
    clockid_t id;
    struct timespec ts = {0};
    if (pthread_getcpuclockid(thread, &id) == 0) {
        (void)clock_gettime(id, &ts);
    }
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void end_run(struct turns *t, int run, const struct record *before)
{
    struct turns_result *out = t->out;
    out->runner[RUNNER_LOOP].overruns[run] = (int64_t)(t->last.overruns - before->overruns);
    for (int i = 0; i < RUNNERS_N; i++) {
        series_end_run(&out->runner[i].wake);
    }
    for (int i = 0; i < PHASES_N; i++) {
        series_end_run(&out->phase[i]);
    }
    series_end_run(&out->tick);
    series_end_run(&out->last_byte);
    out->runs = run + 1;
}

static uint64_t updates_of(struct house *h)
{
    return atomic_load_explicit(&h->shared->learner.updates, memory_order_relaxed);
}

/* An idle thread may wait for ever behind busy ones, and now somebody waits for it. */
static void end_learner(struct turns *t)
{
    const struct sched_param none = {0};
    (void)pthread_setschedparam(t->learner_thread, SCHED_OTHER, &none);
    (void)pthread_join(t->learner_thread, NULL);
}

static void attend_runs(struct turns *t)
{
    struct house *h = &t->robot.house;
    struct turns_result *out = t->out;
    const int64_t begun_ns = mono_ns(), cpu_begun_ns = cpu_ns(t->learner_thread);
    const uint64_t updates = updates_of(h);
    const uint64_t dropped = ring_dropped(&h->shared->telemetry);
    for (int run = 0; run < t->spec->repeat; run++) {
        const struct record before = t->last;
        atomic_store(&t->runs_wanted, run + 1);
        bool done;
        do {
            (void)usleep(LOOK_US);
            done = atomic_load(&t->runs_done) > run;
            bench_robot_attend(&t->robot, note_record, t);
        } while (!done);
        end_run(t, run, &before);
    }
    const double took_s = (double)(mono_ns() - begun_ns) / (double)NS_PER_S;
    out->learner_frac =
        (double)(cpu_ns(t->learner_thread) - cpu_begun_ns) / (double)NS_PER_S / took_s;
    out->updates_per_s = (double)(updates_of(h) - updates) / took_s;
    atomic_store(&t->leaving, true);
    end_learner(t);
    (void)pthread_join(t->loop_thread, NULL);
    out->records_lost = (int64_t)(ring_dropped(&h->shared->telemetry) - dropped);
    (void)snprintf(out->trouble, sizeof out->trouble, "%s", t->robot.trouble);
    out->bytes_tx = (int64_t)(t->last.bytes_tx - t->first.bytes_tx);
    out->bytes_rx = (int64_t)(t->last.bytes_rx - t->first.bytes_rx);
    for (int j = 0; j < t->last.n; j++) {
        out->missed_replies += (int64_t)(t->last.misses[j] - t->first.misses[j]);
    }
    out->running_frac = t->records > 0 ? (double)t->running / (double)t->records : 0.0;
}

/* Room for every sample, overruns or not. */
static void take_memory(struct turns *t, struct arena *mem)
{
    struct turns_result *out = t->out;
    const int64_t cap = t->ticks_a_turn * t->turns_a_run * t->spec->repeat;
    for (int i = 0; i < RUNNERS_N; i++) {
        series_init(&out->runner[i].wake, cap, mem);
    }
    for (int i = 0; i < PHASES_N; i++) {
        series_init(&out->phase[i], cap, mem);
    }
    series_init(&out->tick, cap, mem);
    series_init(&out->last_byte, cap, mem);
    out->scratch = arena_take(mem, (size_t)cap * sizeof *out->scratch);
}

/* The loop and the learner as the service starts them. What the system refuses joins the verdict.
 */
static int start_threads(struct turns *t, char *ret_why, int cap)
{
    const struct control_settings *c = &t->robot.house.config.control;
    const bool rt = c->realtime != REALTIME_OFF;
    const int cpu = realtime_cpu(c);
    const struct thread_spec learner = {.name = "bench-learner",
                                        .class = rt ? THREAD_IDLE : THREAD_NORMAL,
                                        .cpu = -1,
                                        .not_cpu = rt ? cpu : -1};
    const struct thread_spec loop = {.name = "bench-loop",
                                     .class = rt ? THREAD_FIFO : THREAD_NORMAL,
                                     .priority = c->priority,
                                     .cpu = rt ? cpu : -1,
                                     .not_cpu = -1};
    char missed[2][WHY_CHARS];
    int rc = thread_start(&t->learner_thread, &learner, learner_body, t, missed[0], WHY_CHARS);
    if (rc == 0) {
        rc = thread_start(&t->loop_thread, &loop, loop_body, t, missed[1], WHY_CHARS);
        if (rc < 0) {
            atomic_store(&t->leaving, true);
            end_learner(t);
        }
    }
    if (rc < 0) {
        return why(ret_why, cap, rc, "cannot start a thread: %s", strerror(-rc));
    }
    for (int i = 0; i < 2; i++) {
        if (missed[i][0] != '\0' && strncmp(t->out->realtime, "yes", 3) == 0) {
            (void)snprintf(t->out->realtime, sizeof t->out->realtime, "in part: %.200s", missed[i]);
        }
    }
    return 0;
}

static void describe(const struct config *c, struct turns_result *out)
{
    const struct bus_spec *b = &c->robot.bus[0];
    (void)snprintf(out->algo, sizeof out->algo, "%s", c->policy->name);
    if (c->robot.n_buses > 0) {
        (void)snprintf(out->bus, sizeof out->bus, "%s: %d baud, %s, replies within %d us", b->name,
                       b->baud, b->order == ORDER_PIPELINED ? "pipelined" : "same_tick",
                       b->reply_deadline_us);
    }
}

static int measure(struct turns *t, struct arena *mem, char *ret_why, int cap)
{
    const struct turns_spec *spec = t->spec;
    struct house *h = &t->robot.house;
    struct realtime_state realtime;
    const struct bench_robot_spec robot = {.config_path = spec->config_path,
                                           .sets = spec->sets,
                                           .n_sets = spec->n_sets,
                                           .rate_hz = spec->rate_hz,
                                           .seed = (uint64_t)spec->seed};
    int rc = bench_robot_open(&t->robot, &robot, ret_why, cap);
    if (rc == 0) {
        describe(&h->config, t->out);
        take_memory(t, mem);
        t->stood_ns = h->loop.planned_ns;
        t->first = t->last = t->robot.last;
        rc = realtime_enter(&realtime, &h->config.control, t->out->realtime, WHY_CHARS);
        if (rc < 0) {
            (void)why(ret_why, cap, rc, "real time %s", t->out->realtime);
        }
    }
    if (rc == 0) {
        rc = start_threads(t, ret_why, cap);
        if (rc == 0) {
            attend_runs(t);
        }
        realtime_leave(&realtime);
    }
    bench_robot_close(&t->robot);
    return rc;
}

int turns_measure(const struct turns_spec *spec, struct arena *mem, struct turns_result *ret,
                  char *ret_why, int cap)
{
    const double run_s = spec->seconds / RUNNERS_N; /* of each of the three */
    const double turn_s = fmin(spec->turn_s, run_s);
    struct turns *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return why(ret_why, cap, -ENOMEM, "out of memory");
    }
    *ret = (struct turns_result){0};
    t->spec = spec;
    t->out = ret;
    t->ticks_a_turn = (int64_t)fmax(1.0, round(turn_s * spec->rate_hz));
    t->turns_a_run = (int64_t)fmax(1.0, round(run_s * spec->rate_hz / (double)t->ticks_a_turn));
    const int rc = measure(t, mem, ret_why, cap);
    free(t);
    return rc;
}
