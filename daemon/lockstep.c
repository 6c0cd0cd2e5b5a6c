#include "daemon/lockstep.h"

#include "daemon/args.h"
#include "daemon/base/thread.h"
#include "daemon/evaltrace.h"
#include "daemon/fsm.h"
#include "daemon/json.h"
#include "daemon/runfiles.h"
#include "daemon/problem.h"
#include "daemon/recording.h"
#include "policies/nn/kernel.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_S 300.0 /* of its own time, for a step: a robot that cannot go on makes none */

struct lockstep {
    const struct lockstep_spec *spec;
    struct house house;
    struct runfiles files;
    int64_t planned_ns, period_ns, next_checkpoint;
    int64_t learned; /* policy steps; the evaluation cuts a period short, which is one more row */
    struct rollout rollout;      /* since the last metrics line */
    double learned_s;            /* wall time that learning took */
    struct evaluation *eval;     /* where episode returns go now; NULL: learning */
    struct evaltrace *trace;     /* and its periods; NULL: nowhere */
    struct recording *recording; /* and its ticks; NULL: nowhere */
    struct recording_counts recorded;
    int record_rc; /* why they do not; record_why says it */
    char record_why[WHY_CHARS];
    char fault[WHY_CHARS];
};

static void hand_over(void *to, const uint8_t *block, size_t n)
{
    (void)intake_block(to, block, n);
}

static void ask(struct lockstep *k, enum request_kind kind, uint32_t flags)
{
    const struct request q = {.id = 1, .kind = kind, .flags = flags};
    (void)ring_push(&k->house.shared->requests, &q);
}

/* Where a body's sensor `goal` lies, or NULL. */
static const double *goal_of(const struct house *h)
{
    const struct robot *r = &h->config.robot;
    for (int i = 0; i < r->n_extra; i++) {
        if (strcmp(r->extra[i].name, "goal") == 0) {
            return &h->loop.st.sensed.extra[r->extra[i].offset];
        }
    }
    return NULL;
}

static void add_episode(struct lockstep *k, const struct happened *h)
{
    struct evaluation *e = k->eval;
    const double *goal = goal_of(&k->house);
    const int at = goal != NULL ? (int)lrint(*goal) - 1 : -1;
    e->n++;
    e->successes += h->b != 0;
    e->steps += h->c;
    e->sum += h->x;
    e->sum2 += h->x * h->x;
    if (at >= 0 && at < GOALS_MAX) {
        e->goal[at]++;
    }
}

static void keep_tick(struct lockstep *k, const struct record *r)
{
    const struct recording_tick t = {.tick = r->tick,
                                     .overruns = r->overruns,
                                     .coasted = r->coasted,
                                     .driven = fsm_drives((enum fsm_state)r->state),
                                     .q = r->q,
                                     .qd = r->qd,
                                     .tau = r->tau};
    if (k->eval != NULL && k->recording != NULL && k->record_rc == 0) {
        k->record_rc = recording_put(k->recording, &t, k->record_why, (int)sizeof k->record_why);
    }
}

/* What comms would do: answer nobody, note episodes, faults and why it was refused. */
static void listen(struct lockstep *k)
{
    struct shared *s = k->house.shared;
    struct record record;
    struct reply reply;
    struct happened h;
    while (ring_pop(&s->telemetry, &record)) {
        keep_tick(k, &record);
    }
    while (ring_pop(&s->replies, &reply)) {
        if (reply.refusal != REFUSED_NOT && reply.why[0] != '\0') {
            (void)snprintf(k->fault, sizeof k->fault, "%s", reply.why);
        }
    }
    while (ring_pop(&s->happened, &h)) {
        if (h.kind == HAPPENED_EPISODE && k->eval != NULL) {
            add_episode(k, &h);
        } else if (h.kind == HAPPENED_EPISODE) {
            k->rollout.return_sum += h.x;
            k->rollout.value_sum += h.z;
            k->rollout.episodes++;
        } else if (h.kind == HAPPENED_TRIP || (h.kind == HAPPENED_STATE && h.text[0] != '\0')) {
            (void)snprintf(k->fault, sizeof k->fault, "%s", h.text);
        }
    }
}

static void tick(struct lockstep *k)
{
    if (loop_waits(&k->house.loop)) { /* nobody else is there to say so */
        ask(k, REQUEST_EPISODE_BEGIN, 0);
    }
    loop_tick(&k->house.loop, k->planned_ns, 0, 0);
    k->planned_ns += k->period_ns;
    listen(k);
    if (k->eval != NULL && k->trace != NULL) {
        evaltrace_tick(k->trace, &k->house.loop);
    }
}

/* Lockstep arms and runs by itself; a daemon never does. */
static void drive(struct lockstep *k)
{
    const enum fsm_state state = k->house.loop.st.fsm.state;
    if (state == STATE_LIMP && plant_ready(k->house.plant)) {
        ask(k, REQUEST_ARM, 0);
    } else if (state == STATE_READY) {
        ask(k, REQUEST_RUN, 0);
    }
}

static void write_metrics(struct lockstep *k)
{
    struct house *h = &k->house;
    if (k->rollout.episodes > 0) {
        runfiles_metrics(&k->files, h, &k->rollout);
        k->rollout = (struct rollout){0};
    }
}

static int learn(struct lockstep *k, char *ret_why, int cap)
{
    struct house *h = &k->house;
    const double most_s = WAIT_S + h->config.task.settings.reset_s;
    const int64_t most = (int64_t)(most_s / h->loop.dt_s) + 4 * h->loop.ticks_per_period;
    for (int64_t since = 0; h->loop.st.step < k->spec->steps; since++) {
        const int64_t step = h->loop.st.step;
        tick(k);
        drive(k);
        while (learner_step(&h->learner)) {
        }
        if (h->loop.st.step != step) {
            since = 0;
            write_metrics(k);
        }
        if (k->spec->checkpoint_steps > 0 && h->loop.st.step >= k->next_checkpoint &&
            h->loop.st.step != step) {
            k->next_checkpoint = h->loop.st.step + k->spec->checkpoint_steps;
            const int rc = runfiles_checkpoint(&k->files, h, k->planned_ns, ret_why, cap);
            if (rc < 0) {
                return rc;
            }
        }
        const enum fsm_state state = h->loop.st.fsm.state;
        if (since > most && k->fault[0] == '\0') {
            (void)snprintf(k->fault, sizeof k->fault, "for %g s it has made no step", most_s);
        }
        if (h->loop.st.fsm.latch != LATCH_NONE || since > most) {
            return why(ret_why, cap, -EIO, "the robot is in state %s at step %lld of %lld: %s",
                       fsm_state_name(state), (long long)h->loop.st.step, (long long)k->spec->steps,
                       k->fault);
        }
    }
    return 0;
}

static double way_m(struct lockstep *k)
{
    struct sensed truth;
    const struct loop *l = &k->house.loop;
    if (l->odometer < 0 || !plant_truth(k->house.plant, &truth)) {
        return (double)NAN;
    }
    return truth.q[l->odometer] * k->house.config.task.settings.travel_radius_m;
}

/* From now on it counts, the period that runs included. */
static void begin_evaluation(struct lockstep *k, struct evaluation *ret_eval)
{
    k->eval = ret_eval;
    if (k->trace != NULL) {
        evaltrace_tick(k->trace, &k->house.loop);
    }
}

/* So many whole episodes, the body's start and end included. */
static void evaluate_episodes(struct lockstep *k, int episodes, struct evaluation *ret_eval)
{
    const bool explores = k->house.config.task.settings.eval_explore;
    ask(k, REQUEST_RUN, RUN_NO_LEARN | (explores ? 0 : RUN_NO_EXPLORE));
    tick(k);
    ask(k, REQUEST_EPISODE_END, 0); /* of the one that began otherwise */
    tick(k);
    begin_evaluation(k, ret_eval);
    while (ret_eval->n < episodes && k->house.loop.st.fsm.state == STATE_RUNNING) {
        tick(k);
    }
    k->eval = NULL;
}

static void evaluate_seconds(struct lockstep *k, struct evaluation *ret_eval)
{
    ask(k, REQUEST_EPISODE_END, 0);
    tick(k);
    ask(k, REQUEST_RUN, RUN_NO_EXPLORE | RUN_NO_LEARN);
    tick(k);
    begin_evaluation(k, ret_eval);
    const double from_m = way_m(k);
    const int64_t n = llround(k->spec->eval_s / k->house.loop.dt_s);
    for (int64_t i = 0; i < n; i++) {
        tick(k);
    }
    ret_eval->speed_m_s = (way_m(k) - from_m) / k->spec->eval_s;
    ask(k, REQUEST_EPISODE_END, 0);
    tick(k);
    tick(k);
    k->eval = NULL;
}

static void evaluate(struct lockstep *k, struct evaluation *ret_eval)
{
    const int episodes = k->house.config.task.settings.eval_episodes;
    *ret_eval = (struct evaluation){.speed_m_s = (double)NAN};
    if (k->spec->eval_s <= 0.0 || k->house.loop.packed == NULL) {
        return;
    }
    if (episodes > 0) {
        evaluate_episodes(k, episodes, ret_eval);
    } else {
        evaluate_seconds(k, ret_eval);
    }
}

static void stop(struct lockstep *k)
{
    const struct loop *l = &k->house.loop;
    const int most = 1000 + (int)(respond_stop_s(&l->responder) / l->dt_s);
    atomic_fetch_or(&k->house.shared->stop, STOP_EXIT);
    for (int i = 0; i < most && (i < 2 || !loop_at_rest(&k->house.loop)); i++) {
        tick(k);
    }
}

double evaluation_mean(const struct evaluation *e)
{
    return e->n > 0 ? e->sum / e->n : (double)NAN;
}

/* How the episodes ended, where the task or the body says it. */
static void print_ends(struct lockstep *k, const struct evaluation *e, struct json_object *o)
{
    const struct task_spec *t = &k->house.config.task;
    bool judged = false;
    for (int i = 0; i < t->n_ends; i++) {
        judged = judged || t->end[i].term.success;
    }
    const bool says = judged && e->n > 0;
    json_number(o, "success_rate", says ? (double)e->successes / e->n : (double)NAN);
    if (goal_of(&k->house) != NULL && e->n > 0) {
        double fraction[GOALS_MAX];
        for (int i = 0; i < GOALS_MAX; i++) {
            fraction[i] = (double)e->goal[i] / e->n;
        }
        json_numbers(o, "goal_fractions", fraction, GOALS_MAX);
    }
}

/* Of all CAN buses, where there are any. */
static void put_frames(struct json_object *o, const struct plant_counters *c)
{
    uint64_t tx = 0, rx = 0;
    for (int i = 0; i < BUSES_MAX; i++) {
        tx += c->frames_tx[i];
        rx += c->frames_rx[i];
    }
    if (tx > 0) {
        json_int(o, "can_frames_tx", (int64_t)tx);
        json_int(o, "can_frames_rx", (int64_t)rx);
    }
}

/* What --record wrote, and what it left out. */
static void put_recorded(struct json_object *o, const struct recording_counts *c)
{
    json_int(o, "recorded_ticks", c->rows);
    json_int(o, "recorded_coasted", c->coasted);
    json_int(o, "recorded_undriven", c->undriven);
}

static void print_result(struct lockstep *k, const struct evaluation *e, double wall_s)
{
    struct house *h = &k->house;
    const struct plant_counters *c = plant_counters(h->plant);
    uint64_t injected[WIRE_FAULTS] = {0};
    uint64_t misses = 0;
    plant_injected(h->plant, injected);
    struct json_object *o = json_begin();
    char hash[20];
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)h->run_id);
    json_text(o, "run_id", hash);
    json_text(o, "algo", h->config.policy->name);
    json_int(o, "seed", (int64_t)h->seed);
    json_int(o, "steps", k->learned);
    json_int(o, "updates", h->learner.counters[LEARNER_UPDATES]);
    const double mean = evaluation_mean(e);
    json_number(o, "eval_mean_reward", mean);
    json_number(o, "eval_std_reward",
                e->n > 0 ? sqrt(fmax(0.0, e->sum2 / e->n - mean * mean)) : (double)NAN);
    json_int(o, "eval_episodes", e->n);
    json_number(o, "eval_mean_ep_length", e->n > 0 ? (double)e->steps / e->n : (double)NAN);
    print_ends(k, e, o);
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)learner_hash(&h->learner));
    json_text(o, "weights_hash", hash);
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)h->config.hash);
    json_text(o, "config_hash", hash);
    json_int(o, "prior_rows", h->prior.rows);
    json_number(o, "wall_s", wall_s);
    json_int(o, "bytes_tx", (int64_t)c->bytes_tx);
    json_int(o, "bytes_rx", (int64_t)c->bytes_rx);
    put_frames(o, c);
    json_int(o, "crc_errors", (int64_t)c->crc_errors);
    for (int j = 0; j < h->config.robot.n_joints; j++) {
        misses += c->misses[j];
    }
    json_int(o, "missed_replies", (int64_t)misses);
    for (int i = 0; i < WIRE_FAULTS; i++) {
        char name[48];
        (void)snprintf(name, sizeof name, "injected_%s", wire_fault_names[i]);
        json_int(o, name, (int64_t)injected[i]);
    }
    json_int(o, "read_phase_us_max", c->read_phase_us_max);
    json_number(o, "final_speed_m_s", e->speed_m_s);
    json_number(o, "best_known_speed_m_s",
                h->config.best_known_speed_m_s > 0.0 ? h->config.best_known_speed_m_s
                                                     : (double)NAN);
    if (k->spec->record != NULL) {
        put_recorded(o, &k->recorded);
    }
    json_print(o, stdout, k->spec->json);
}

static int begin_recording(struct lockstep *k, char *ret_why, int cap)
{
    const struct robot *r = &k->house.config.robot;
    const char *name[JOINTS_MAX];
    for (int j = 0; j < r->n_joints; j++) {
        name[j] = r->joint[j].name;
    }
    return recording_open(&k->recording, k->spec->record, name, r->n_joints, r->control_rate_hz,
                          ret_why, cap);
}

/* rc: what went wrong before, or 0. */
static int end_recording(struct lockstep *k, int rc, char *ret_why, int cap)
{
    if (rc < 0 || k->record_rc < 0 || k->recording == NULL) {
        recording_drop(k->recording);
        return rc < 0 || k->record_rc == 0 ? rc
                                           : why(ret_why, cap, k->record_rc, "%s", k->record_why);
    }
    recording_counts(k->recording, &k->recorded);
    return recording_close(k->recording, ret_why, cap);
}

static double now_s(void)
{
    static const struct clock wall = {0};
    return (double)clock_now_ns(&wall) / (double)NS_PER_S;
}

static int live(struct lockstep *k, struct evaluation *ret_eval, char *ret_why, int cap)
{
    const struct lockstep_spec *spec = k->spec;
    int rc = runfiles_open(&k->files, &k->house, spec->run_dir, ret_why, cap);
    if (rc == 0 && spec->resume != NULL) {
        rc = runfiles_resume(&k->files, &k->house, spec->resume, &k->planned_ns, ret_why, cap);
        k->next_checkpoint = k->house.loop.st.step + spec->checkpoint_steps;
    }
    if (rc == 0 && spec->eval_trace != NULL) {
        rc = evaltrace_open(&k->trace, spec->eval_trace, &k->house.loop, ret_why, cap);
    }
    if (rc == 0 && spec->record != NULL) {
        rc = begin_recording(k, ret_why, cap);
    }
    const double begun_s = now_s();
    if (rc == 0) {
        rc = learn(k, ret_why, cap);
    }
    if (rc == 0) {
        k->learned = k->house.loop.st.step;
        k->learned_s = now_s() - begun_s;
        evaluate(k, ret_eval);
        stop(k);
    }
    runfiles_close(&k->files);
    char cut_short[WHY_CHARS];
    const int written = evaltrace_close(k->trace, cut_short, (int)sizeof cut_short);
    rc = rc == 0 && written < 0 ? why(ret_why, cap, written, "%s", cut_short) : rc;
    return end_recording(k, rc, ret_why, cap);
}

/* ret_result NULL: it is printed. */
static int run(const struct lockstep_spec *spec, struct lockstep_result *ret_result, char *ret_why,
               int cap)
{
    struct evaluation e = {0};
    struct lockstep *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return why(ret_why, cap, -ENOMEM, "out of memory");
    }
    k->spec = spec;
    k->next_checkpoint = spec->checkpoint_steps;
    int rc = house_open(&k->house, &spec->house, ret_why, cap);
    if (rc == 0) {
        k->house.learner.publish = hand_over;
        k->house.learner.to = &k->house.intake;
        k->period_ns = llround(k->house.loop.dt_s * (double)NS_PER_S);
        thread_flush_denormals();
        const double begun_s = now_s();
        rc = live(k, &e, ret_why, cap);
        if (rc == 0 && ret_result == NULL) {
            print_result(k, &e, now_s() - begun_s);
        } else if (rc == 0) {
            *ret_result =
                (struct lockstep_result){.steps = k->learned,
                                         .updates = k->house.learner.counters[LEARNER_UPDATES],
                                         .learned_s = k->learned_s,
                                         .eval = e,
                                         .kernel = problem_kernel(&k->house.config)->name};
        }
    }
    house_close(&k->house); /* as far as it was built */
    free(k);
    return rc;
}

int lockstep_measure(const struct lockstep_spec *spec, struct lockstep_result *ret_result,
                     char *ret_why, int cap)
{
    return run(spec, ret_result, ret_why, cap);
}

int lockstep_run(const struct lockstep_spec *spec)
{
    char reason[WHY_CHARS] = "";
    const int rc = run(spec, NULL, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)fprintf(stderr, "basald: %s\n", reason);
    }
    return exit_status(rc);
}
