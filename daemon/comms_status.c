/* What is known, in one message: the last tick, the learner, weights, queues, durations. */
#include "daemon/comms_inside.h"

#include "daemon/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts and arrays that a status points into while it is packed. */
struct status_scratch {
    Basald__V1__Telemetry last;
    struct wire_scratch wire;
    struct replay_info replay;
    double stat[STATS_MAX];
    char *name[STATS_MAX];
    char run_id[20], weights_run_id[20];
    char *phase[HISTS_N];
    double p50_us[HISTS_N], p99_us[HISTS_N], max_us[HISTS_N];
};

/* The number after the n-th blank of a line; 0: there is none. */
static uint64_t number_after(const char *line, int n)
{
    for (int i = 0; i < n && line != NULL; i++) {
        line = strchr(i == 0 ? line : line + 1, ' ');
    }
    return line != NULL ? strtoull(line, NULL, 10) : 0;
}

/* Fields 10 and 12 of /proc/PID/task/TID/stat: minor and major faults. proc(5). */
static uint64_t read_faults(int tid)
{
    char path[64], line[1024];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *f = fopen(path, "re");
    const char *after = NULL;
    if (f != NULL) {
        after = fgets(line, (int)sizeof line, f) != NULL ? strrchr(line, ')') : NULL;
        (void)fclose(f);
    }
    /* after the name in brackets the third field comes first */
    return after != NULL ? number_after(after, 8) + number_after(after, 10) : 0;
}

static uint64_t read_switches(int tid)
{
    static const char word[] = "nonvoluntary_ctxt_switches:";
    char path[64], line[256];
    uint64_t n = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    while (fgets(line, (int)sizeof line, f) != NULL) {
        if (strncmp(line, word, sizeof word - 1) == 0) {
            n = strtoull(line + sizeof word - 1, NULL, 10);
        }
    }
    (void)fclose(f);
    return n;
}

struct thread_counts comms_loop_counts(const struct comms *c)
{
    const int tid = atomic_load_explicit(&c->spec.shared->loop_tid, memory_order_relaxed);
    if (tid == 0) {
        return (struct thread_counts){0};
    }
    return (struct thread_counts){read_faults(tid), read_switches(tid)};
}

char *comms_state_text(const struct comms *c)
{
    return wire_text(fsm_state_name(c->any ? (enum fsm_state)c->last.state : STATE_BOOT));
}

static double quantile_us(const struct comms *c, int which, double frac)
{
    return (double)hist_quantile(&c->spec.hist[which], frac) / 1000.0;
}

static double max_us(const struct comms *c, int which)
{
    return (double)atomic_load_explicit(&c->spec.hist[which].max_ns, memory_order_relaxed) / 1000.0;
}

static void fill_phases(const struct comms *c, Basald__V1__Status *m, struct status_scratch *k)
{
    static const struct {
        int hist;
        const char *name;
    } list[] = {{PHASE_READ, "read"},         {PHASE_OBSERVE, "observe"}, {PHASE_ACT, "act"},
                {PHASE_SAFETY, "safety"},     {PHASE_WRITE, "write"},     {PHASE_PUSH, "push"},
                {HIST_LAST_BYTE, "last_byte"}};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        k->phase[i] = wire_text(list[i].name);
        k->p50_us[i] = quantile_us(c, list[i].hist, 0.5);
        k->p99_us[i] = quantile_us(c, list[i].hist, 0.99);
        k->max_us[i] = max_us(c, list[i].hist);
        m->n_phase_name = m->n_phase_p50_us = m->n_phase_p99_us = m->n_phase_max_us = i + 1;
    }
    m->phase_name = k->phase;
    m->phase_p50_us = k->p50_us;
    m->phase_p99_us = k->p99_us;
    m->phase_max_us = k->max_us;
}

static void fill_loop(const struct comms *c, Basald__V1__Status *m)
{
    m->loop_rate_hz = c->rate.hz;
    m->control_rate_hz = c->spec.config->robot.control_rate_hz;
    m->wake_p50_us = quantile_us(c, HIST_WAKE, 0.5);
    m->wake_p99_us = quantile_us(c, HIST_WAKE, 0.99);
    m->wake_p999_us = quantile_us(c, HIST_WAKE, 0.999);
    m->wake_max_us = max_us(c, HIST_WAKE);
    m->tick_p50_us = quantile_us(c, HIST_TICK, 0.5);
    m->tick_p99_us = quantile_us(c, HIST_TICK, 0.99);
    m->tick_p999_us = quantile_us(c, HIST_TICK, 0.999);
    m->tick_max_us = max_us(c, HIST_TICK);
    if (c->any) {
        const struct thread_counts now = comms_loop_counts(c);
        m->page_faults = now.faults - c->loop_base.faults;
        m->context_switches = now.switches - c->loop_base.switches;
    }
}

static void fill_learner(const struct comms *c, Basald__V1__Status *m, struct status_scratch *k)
{
    const struct learner_shared *l = &c->spec.shared->learner;
    const struct intake *in = c->spec.intake;
    const char *const *names = c->spec.config->policy->stat_names;
    m->algo = wire_text(c->spec.config->policy->name);
    m->learner_paused = atomic_load_explicit(&l->paused, memory_order_relaxed);
    m->updates = atomic_load_explicit(&l->updates, memory_order_relaxed);
    m->updates_per_s = c->rate.updates_per_s; /* the learner's own stands still while it rests */
    m->weights_published = atomic_load_explicit(&l->published, memory_order_relaxed);
    m->weights_accepted = in->accepted;
    m->weights_refused = in->refused;
    m->weights_why = wire_text(in->why);
    if (c->driving.n > 0) {
        (void)snprintf(k->weights_run_id, sizeof k->weights_run_id, "%016" PRIx64,
                       c->driving_run_id);
    }
    m->weights_run_id = k->weights_run_id;
    for (size_t i = 0; i < STATS_MAX && names[i] != NULL; i++) {
        k->stat[i] = atomic_load_explicit(&l->stat[i], memory_order_relaxed);
        k->name[i] = wire_text(names[i]);
        m->n_stat = m->n_stat_name = i + 1;
    }
    m->stat = k->stat;
    m->stat_name = k->name;
}

static void fill_robot(struct comms *c, Basald__V1__Status *m, struct status_scratch *k)
{
    const enum fsm_state state = (enum fsm_state)c->last.state;
    const bool rests = state == STATE_LIMP || fsm_responds(state);
    m->version = wire_text(BASALD_VERSION);
    m->robot = wire_text(c->spec.config->robot.name);
    m->state = comms_state_text(c);
    m->plant_ready = c->last.plant_ready != 0;
    m->why = rests || !m->plant_ready ? c->reason : m->why; /* else it is over */
    m->realtime = c->spec.shared->verdict;
    m->uptime_s = (double)(c->now_ns - c->begun_ns) * 1e-9;
    wire_fill(&c->last, &c->spec.config->robot, comms_unix_s(c, c->last.t_ns), &k->wire, &k->last);
    m->last = &k->last;
    m->n_episode_return = (size_t)c->n_returns;
    m->episode_return = c->returns + RETURNS_KEPT - c->n_returns;
    m->successes = (uint64_t)c->rollout.successes;
    m->best_known_speed_m_s = c->spec.config->best_known_speed_m_s;
    m->has_odometer = c->spec.config->task.settings.travel_joint[0] != '\0';
    (void)snprintf(k->run_id, sizeof k->run_id, "%016" PRIx64, c->spec.run_id);
    m->run_id = k->run_id;
    m->checkpoint = wire_text(c->last_checkpoint);
}

void comms_on_status(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    Basald__V1__Status m = BASALD__V1__STATUS__INIT;
    struct status_scratch *k = calloc(1, sizeof *k);
    (void)q;
    if (k == NULL) {
        return;
    }
    fill_robot(c, &m, k);
    fill_loop(c, &m);
    fill_phases(c, &m, k);
    fill_learner(c, &m, k);
    (void)replay_info(c->spec.replay, &k->replay);
    m.replay_rows = (uint64_t)k->replay.rows;
    m.prior_rows = (uint64_t)c->spec.prior_rows;
    m.garbage = c->garbage;
    m.telemetry_dropped = ring_dropped(&c->spec.shared->telemetry);
    m.events_dropped = ring_dropped(&c->spec.shared->happened);
    r.id = from->theirs;
    r.ok = true;
    r.state = m.state;
    r.status = &m;
    comms_send(c, from, &r);
    free(k);
}
