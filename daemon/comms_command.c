/* People's requests: a table of verbs; what the tick must decide goes through the ring, the rest is answered here. */
#include "daemon/comms_inside.h"

#include "daemon/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

static void send_reply(struct comms *c, const struct asking *to, const Basald__V1__Reply *r)
{
    const size_t n = basald__v1__reply__get_packed_size(r);
    uint8_t *bytes = malloc(n + 1);
    if (bytes == NULL) {
        return;
    }
    (void)basald__v1__reply__pack(r, bytes);
    if (zmq_send(c->command, to->identity, to->identity_n, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        (void)zmq_send(c->command, bytes, n, ZMQ_DONTWAIT);
    }
    free(bytes);
}

static char *state_text(const struct comms *c)
{
    return wire_text(fsm_state_name(c->any ? (enum fsm_state)c->last.state : STATE_BOOT));
}

static void say(struct comms *c, const struct asking *to, bool ok, const char *sentence)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    r.id = to->theirs;
    r.ok = ok;
    r.state = state_text(c);
    r.why = wire_text(sentence);
    send_reply(c, to, &r);
}

/* Into the ring for the next tick; the answer comes back through comms_send_replies. */
static void ask_tick(struct comms *c, const struct asking *from, struct request q)
{
    for (int i = 0; i < ASKING_MAX; i++) {
        if (c->asking[i].id == 0) {
            c->asking[i] = *from;
            c->asking[i].id = q.id = ++c->next_id;
            if (ring_push(&c->spec.shared->requests, &q)) {
                return;
            }
            c->asking[i].id = 0;
            break;
        }
    }
    say(c, from, false, "too many requests at once; try again");
}

static double quantile_us(const struct comms *c, int which, double frac)
{
    return (double)hist_quantile(&c->spec.hist[which], frac) / 1000.0;
}

static void fill_learner(const struct comms *c, Basald__V1__Status *m, double *stat, char **name)
{
    const struct learner_shared *l = &c->spec.shared->learner;
    m->algo = wire_text(c->spec.config->policy->name);
    m->learner_paused = atomic_load(&l->paused);
    m->updates = atomic_load(&l->updates);
    m->updates_per_s = atomic_load(&l->updates_per_s);
    m->weights_published = atomic_load(&l->published);
    m->weights_accepted = c->spec.intake->accepted;
    m->weights_refused = c->spec.intake->refused;
    m->weights_why = c->spec.intake->why;
    for (int i = 0; i < STATS_MAX && c->spec.config->policy->stat_names[i] != NULL; i++) {
        stat[i] = atomic_load(&l->stat[i]);
        name[i] = wire_text(c->spec.config->policy->stat_names[i]);
        m->n_stat = m->n_stat_name = (size_t)i + 1;
    }
    m->stat = stat;
    m->stat_name = name;
}

static void on_status(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    Basald__V1__Status m = BASALD__V1__STATUS__INIT;
    Basald__V1__Telemetry last;
    struct wire_scratch scratch;
    struct rusage usage;
    double stat[STATS_MAX];
    char *name[STATS_MAX], run_id[20];
    (void)q;
    (void)getrusage(RUSAGE_SELF, &usage);
    wire_fill(&c->last, &c->spec.config->robot, comms_unix_s(c->last.t_ns), &scratch, &last);
    m.version = wire_text(BASALD_VERSION);
    m.robot = wire_text(c->spec.config->robot.name);
    m.state = state_text(c);
    m.why = c->reason;
    m.realtime = c->spec.shared->verdict;
    m.uptime_s = (double)(clock_now_ns(&(const struct clock){0}) - c->begun_ns) * 1e-9;
    m.last = &last;
    fill_learner(c, &m, stat, name);
    struct replay_info *info = malloc(sizeof *info);
    if (info != NULL) {
        (void)replay_info(c->spec.replay, info);
        m.replay_rows = (uint64_t)info->rows;
        free(info);
    }
    m.garbage = c->garbage;
    m.telemetry_dropped = ring_dropped(&c->spec.shared->telemetry);
    m.wake_p50_us = quantile_us(c, HIST_WAKE, 0.5);
    m.wake_p99_us = quantile_us(c, HIST_WAKE, 0.99);
    m.wake_max_us = (double)atomic_load(&c->spec.hist[HIST_WAKE].max_ns) / 1000.0;
    m.n_episode_return = (size_t)c->n_returns;
    m.episode_return = c->returns + RETURNS_KEPT - c->n_returns;
    m.page_faults = (uint64_t)usage.ru_majflt;
    m.context_switches = (uint64_t)usage.ru_nivcsw;
    m.plant_ready = c->last.plant_ready != 0;
    (void)snprintf(run_id, sizeof run_id, "%016llx", (unsigned long long)c->spec.run_id);
    m.run_id = run_id;
    m.checkpoint = (atomic_load(&c->checkpoint_seq) & 1u) == 0 ? c->checkpoint : run_id + 16;
    m.best_known_speed_m_s = c->spec.config->best_known_speed_m_s;
    r.id = from->theirs;
    r.ok = true;
    r.state = m.state;
    r.status = &m;
    send_reply(c, from, &r);
}

static void on_arm(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    ask_tick(c, from, (struct request){.kind = REQUEST_ARM});
}

static void on_run(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    const uint32_t flags = (q->no_explore ? RUN_NO_EXPLORE : 0) | (q->no_learn ? RUN_NO_LEARN : 0) |
                           (q->random ? RUN_RANDOM : 0);
    if (q->block.len > 0) {
        /* weights of a file come from another run: they are taken only while no learner of ours publishes */
        c->spec.intake->any_run = true;
        c->spec.intake->have = 0;
        if (intake_block(c->spec.intake, q->block.data, q->block.len) < 0) {
            say(c, from, false, c->spec.intake->why);
            return;
        }
    }
    if (q->no_learn) {
        atomic_store(&c->spec.shared->learner.paused, true);
    }
    ask_tick(c, from, (struct request){.kind = REQUEST_RUN, .flags = flags});
}

static void on_hold(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    ask_tick(c, from, (struct request){.kind = REQUEST_HOLD});
}

/* Stopping waits for nobody: the bits are set here, at once. */
static void on_stop(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    atomic_fetch_or_explicit(&c->spec.shared->stop, STOP_ASKED, memory_order_release);
    say(c, from, true, "stopping");
}

static void on_estop(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    atomic_fetch_or_explicit(&c->spec.shared->stop, STOP_ESTOP, memory_order_release);
    say(c, from, true, "estop: latched until clear");
}

static void on_clear(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    ask_tick(c, from, (struct request){.kind = REQUEST_CLEAR});
}

static void on_eval(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    ask_tick(c, from, (struct request){.kind = REQUEST_EVAL, .x = q->seconds > 0.0 ? q->seconds : 30.0});
}

static void on_episode_end(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    ask_tick(c, from, (struct request){.kind = REQUEST_EPISODE_END, .x = q->reward, .flags = q->success != 0});
}

static void on_pause(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    atomic_store(&c->spec.shared->learner.paused, true);
    say(c, from, true, "the learner pauses");
}

static void on_resume(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    atomic_store(&c->spec.shared->learner.paused, false);
    say(c, from, true, "the learner goes on");
}

static void on_policy(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    (void)q;
    r.id = from->theirs;
    r.ok = c->current_n > 0;
    r.state = state_text(c);
    r.why = c->current_n > 0 ? r.why : wire_text("no weights have been published yet");
    r.block.data = c->current;
    r.block.len = c->current_n;
    send_reply(c, from, &r);
}

static void on_config(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    enum { BYTES = 1 << 16 };
    char *text = malloc(BYTES);
    (void)q;
    r.id = from->theirs;
    r.state = state_text(c);
    if (text != NULL && config_dump(c->spec.config, text, BYTES) > 0) {
        r.ok = true;
        r.text = text;
    }
    send_reply(c, from, &r);
    free(text);
}

static const struct {
    const char *verb;
    void (*answer)(struct comms *c, const struct asking *from, const Basald__V1__Command *q);
} verbs[] = {
    {"status", on_status},
    {"arm", on_arm},
    {"run", on_run},
    {"hold", on_hold},
    {"stop", on_stop},
    {"estop", on_estop},
    {"clear", on_clear},
    {"eval", on_eval},
    {"episode-end", on_episode_end},
    {"learner-pause", on_pause},
    {"learner-resume", on_resume},
    {"policy", on_policy},
    {"config", on_config},
};

static void answer(struct comms *c, const struct asking *from, const uint8_t *bytes, size_t n)
{
    Basald__V1__Command *q = NULL;
    if (wire_command(bytes, n, &q) < 0) {
        c->garbage++;
        return;
    }
    struct asking who = *from;
    who.theirs = q->id;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].verb, q->verb) == 0) {
            verbs[i].answer(c, &who, q);
            wire_command_free(q);
            return;
        }
    }
    say(c, &who, false, "this daemon does not know that verb; is basalctl of the same version?");
    wire_command_free(q);
}

bool comms_answer_one(struct comms *c)
{
    struct asking from = {0};
    zmq_msg_t identity, body;
    (void)zmq_msg_init(&identity);
    (void)zmq_msg_init(&body);
    const bool got = zmq_msg_recv(&identity, c->command, ZMQ_DONTWAIT) >= 0;
    bool good = got && zmq_msg_size(&identity) <= IDENTITY_MAX && zmq_msg_more(&identity);
    if (good) {
        from.identity_n = zmq_msg_size(&identity);
        memcpy(from.identity, zmq_msg_data(&identity), from.identity_n);
        good = zmq_msg_recv(&body, c->command, ZMQ_DONTWAIT) >= 0 && !zmq_msg_more(&body);
    }
    if (good) {
        answer(c, &from, zmq_msg_data(&body), zmq_msg_size(&body));
    } else if (got) {
        c->garbage++;
        for (int more = 1, i = 0; i < 64 && more != 0; i++) { /* the rest of a message of the wrong shape */
            size_t size = sizeof more;
            (void)zmq_getsockopt(c->command, ZMQ_RCVMORE, &more, &size);
            if (more != 0) {
                (void)zmq_msg_recv(&body, c->command, ZMQ_DONTWAIT);
            }
        }
    }
    (void)zmq_msg_close(&identity);
    (void)zmq_msg_close(&body);
    return got;
}

static const char *refusal_text(const struct reply *r)
{
    switch (r->refusal) {
    case REFUSED_NOT:
        return "";
    case REFUSED_STATE:
        return "not possible in this state";
    case REFUSED_PLANT:
        return "the devices are not there";
    case REFUSED_NO_WEIGHTS:
        return "there is no policy to run yet: let it learn first, or give --policy FILE";
    case REFUSED_STOPPING:
        return "the robot is stopping; try again when it is limp";
    case REFUSED_LATCHED:
        return "the reason is still there, or torque off is not read back yet";
    case REFUSED_UNSAFE:
        return "not safe";
    }
    return "";
}

void comms_send_replies(struct comms *c)
{
    struct reply r;
    while (ring_pop(&c->spec.shared->replies, &r)) {
        for (int i = 0; i < ASKING_MAX; i++) {
            if (c->asking[i].id != r.id) {
                continue;
            }
            char sentence[WHY_CHARS + 128];
            (void)snprintf(sentence, sizeof sentence, "%s%s%s", refusal_text(&r), r.why[0] != '\0' ? ": " : "", r.why);
            Basald__V1__Reply m = BASALD__V1__REPLY__INIT;
            m.id = c->asking[i].theirs;
            m.ok = r.refusal == REFUSED_NOT;
            m.state = wire_text(fsm_state_name((enum fsm_state)r.state));
            m.why = sentence;
            send_reply(c, &c->asking[i], &m);
            c->asking[i].id = 0;
        }
    }
}
