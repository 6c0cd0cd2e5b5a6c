#include "daemon/service_inside.h"

#include "daemon/base/log.h"
#include "daemon/base/thread.h"
#include "daemon/crash.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDLE_US       2000
#define LEARNER_END_S 8 /* it may be writing a checkpoint to a slow disk */
#define COMMS_END_S   1

static int64_t now_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

static int64_t steps(const struct service *s)
{
    return (int64_t)atomic_load_explicit(&s->house.shared->steps, memory_order_relaxed);
}

static void *loop_body(void *arg)
{
    struct service *s = arg;
    thread_flush_denormals();
    crash_on_loop_thread();
    loop_run(&s->house.loop);
    crash_loop_ended();
    atomic_store(&s->leaving, true);
    return NULL;
}

/* Between two updates: this thread owns the networks. */
static void checkpoint_when_due(struct service *s)
{
    const double every_s = s->house.config.learner.checkpoint_s;
    const int64_t t_ns = now_ns();
    if (every_s <= 0.0 || t_ns < s->next_checkpoint_ns) {
        return;
    }
    if (s->next_checkpoint_ns > 0) {
        service_save(s);
    }
    s->next_checkpoint_ns = t_ns + (int64_t)(every_s * (double)NS_PER_S);
}

static void *learner_body(void *arg)
{
    struct service *s = arg;
    thread_flush_denormals();
    crash_on_thread();
    while (!atomic_load_explicit(&s->leaving, memory_order_relaxed)) {
        checkpoint_when_due(s);
        if (!learner_step(&s->house.learner)) {
            (void)usleep(IDLE_US);
        }
        misbehave(&s->misbehaviour, "learner", steps(s));
    }
    crash_thread_ends();
    return NULL;
}

static void *comms_body(void *arg)
{
    struct service *s = arg;
    crash_on_thread();
    while (!atomic_load_explicit(&s->comms_leaving, memory_order_relaxed)) {
        comms_wait(s->comms);
        comms_step(s->comms);
        misbehave(&s->misbehaviour, "comms", steps(s));
    }
    crash_thread_ends();
    return NULL;
}

/* Small files: a disk may take its time here, nobody waits. */
static void *log_body(void *arg)
{
    struct service *s = arg;
    crash_on_thread();
    while (!atomic_load_explicit(&s->leaving, memory_order_relaxed)) {
        latch_keeper_step(&s->latch, &s->house.shared->stop, &s->house.shared->latched);
        if (now_ns() >= s->next_metrics_ns) {
            s->next_metrics_ns = now_ns() + NS_PER_S;
            runfiles_interval(&s->files, &s->house, comms_rollout(s->comms));
        }
        (void)usleep(LATCH_STEP_US);
    }
    latch_keeper_step(&s->latch, &s->house.shared->stop, &s->house.shared->latched);
    crash_thread_ends();
    return NULL;
}

int service_start_threads(struct service *s, char *ret_why, int cap)
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
    const struct thread_spec log = {.name = "basald-log", .cpu = -1, .not_cpu = -1};

    const struct {
        pthread_t *thread;
        const struct thread_spec *spec;
        void *(*body)(void *);
    } list[] = {{&s->comms_thread, &comms, comms_body},
                {&s->log_thread, &log, log_body},
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

static bool end(pthread_t thread, const char *name, int within_s)
{
    /* by trying: the thread sanitizer does not know pthread_clockjoin_np, and a wall clock may jump
     */
    const int64_t until_ns = now_ns() + within_s * NS_PER_S;
    while (now_ns() < until_ns) {
        if (pthread_tryjoin_np(thread, NULL) == 0) {
            return true;
        }
        (void)usleep(IDLE_US);
    }
    log_line(LOG_LEVEL_ERR, "thread %s does not end within %d s: leaving without it", name,
             within_s);
    return false;
}

bool service_end_threads(struct service *s)
{
    const struct sched_param none = {0};
    /* an idle thread may wait for ever behind busy ones, and now somebody waits for it */
    (void)pthread_setschedparam(s->learner_thread, SCHED_OTHER, &none);
    (void)pthread_join(s->loop_thread, NULL);
    bool all = end(s->learner_thread, "basald-learner", LEARNER_END_S);
    if (all) {
        s->save_said.next_ns = 0; /* the last one is always said */
        service_save(s);
    }
    all = end(s->log_thread, "basald-log", LEARNER_END_S) && all;
    atomic_store(&s->comms_leaving, true);
    return end(s->comms_thread, "basald-comms", COMMS_END_S) && all;
}
