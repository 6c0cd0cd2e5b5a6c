/*
 * People's requests: a table of verbs. What the tick must decide goes through the ring, the rest is
 * answered here; stopping waits for nobody.
 */
#include "daemon/comms_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define EVAL_S       30.0
#define CONFIG_BYTES (1 << 16)

void comms_send(struct comms *c, const struct asking *to, const Basald__V1__Reply *r)
{
    const size_t n = basald__v1__reply__get_packed_size(r);
    uint8_t *bytes = malloc(n + 1);
    if (bytes == NULL) {
        return; /* the client's patience ends */
    }
    (void)basald__v1__reply__pack(r, bytes);
    const int more = ZMQ_SNDMORE | ZMQ_DONTWAIT;
    if (zmq_send(c->command, to->identity, to->identity_n, more) >= 0 &&
        (!to->envelope || zmq_send(c->command, "", 0, more) >= 0)) {
        (void)zmq_send(c->command, bytes, n, ZMQ_DONTWAIT);
    }
    free(bytes);
}

static void say(struct comms *c, const struct asking *to, bool ok, const char *sentence)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    r.id = to->theirs;
    r.ok = ok;
    r.state = comms_state_text(c);
    r.why = wire_text(sentence);
    comms_send(c, to, &r);
}

/* Into the ring for the next tick; the answer comes back through comms_send_replies. */
static void ask_tick(struct comms *c, const struct asking *from, struct request q)
{
    for (int i = 0; i < ASKING_MAX; i++) {
        struct asking *a = &c->asking[i];
        if (a->id != 0) {
            continue;
        }
        q.id = ++c->next_id;
        q.asked_ns = from->sent_ns > 0 ? from->sent_ns : c->now_ns;
        if (!ring_push(&c->spec.shared->requests, &q)) {
            break;
        }
        *a = *from;
        a->id = q.id;
        a->kind = q.kind;
        a->flags = q.flags;
        a->since_ns = c->now_ns;
        return;
    }
    say(c, from, false, "too many requests at once; try again");
}

static void on_arm(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    ask_tick(c, from, (struct request){.kind = REQUEST_ARM});
}

/* A file drives from the next period on, whatever run it is of; if it is refused all stays. */
static int follow_file(struct comms *c, const uint8_t *block, size_t n)
{
    struct intake *in = c->spec.intake;
    const uint64_t run_id = in->any_run ? 0 : in->want.run_id;
    const uint32_t have = in->have;
    intake_follow(in, 0);
    const int rc = comms_intake(c, block, n);
    if (rc < 0) {
        intake_follow(in, run_id);
        in->have = have;
    } else {
        c->from_file = true;
    }
    return rc;
}

/* Back to the weights of the configured source, its newest at once. Where it has none yet, the
 * file's drive no longer either. */
static void follow_source(struct comms *c)
{
    const bool own = strcmp(c->spec.config->comms.weights, "own") == 0;
    const struct kept *newest = own ? &c->own : &c->source;
    const uint64_t file_run_id = c->driving_run_id;
    c->from_file = false;
    intake_follow(c->spec.intake, own ? c->spec.run_id : 0);
    if (newest->n == 0 || comms_intake(c, newest->block, newest->n) < 0) {
        c->shun_run_id = file_run_id;
        c->driving.n = 0;
        c->driving_run_id = 0;
    }
}

static void on_run(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    const uint32_t flags = (q->no_explore ? RUN_NO_EXPLORE : 0) | (q->no_learn ? RUN_NO_LEARN : 0) |
                           (q->random ? RUN_RANDOM : 0) | (q->attended ? RUN_ATTENDED : 0);
    if (q->block.len > 0) {
        if (follow_file(c, q->block.data, q->block.len) < 0) {
            say(c, from, false, c->spec.intake->why);
            return;
        }
    } else if (c->from_file) {
        follow_source(c);
    }
    ask_tick(c, from,
             (struct request){.kind = REQUEST_RUN, .flags = flags, .shun_run_id = c->shun_run_id});
}

/* Whoever says it, and however often: the run that is attended goes on. */
static void on_attend(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    (void)q;
    atomic_fetch_add_explicit(&c->spec.shared->lease_beats, 1, memory_order_relaxed);
    r.id = from->theirs;
    r.ok = true;
    r.state = comms_state_text(c);
    r.lease_deadman_ms = (uint32_t)c->spec.config->control.lease_deadman_ms;
    comms_send(c, from, &r);
}

static void on_hold(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    ask_tick(c, from, (struct request){.kind = REQUEST_HOLD});
}

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
    const double eval_s = q->seconds > 0.0 ? q->seconds : EVAL_S;
    ask_tick(c, from, (struct request){.kind = REQUEST_EVAL, .x = eval_s});
}

static void on_episode_end(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    ask_tick(
        c, from,
        (struct request){.kind = REQUEST_EPISODE_END, .x = q->reward, .flags = q->success != 0});
}

static void on_episode_begin(struct comms *c, const struct asking *from,
                             const Basald__V1__Command *q)
{
    (void)q;
    ask_tick(c, from, (struct request){.kind = REQUEST_EPISODE_BEGIN});
}

static void pause_learner(struct comms *c, bool paused, bool by_run)
{
    c->paused_by_run = paused && by_run;
    atomic_store_explicit(&c->spec.shared->learner.paused, paused, memory_order_relaxed);
}

static void on_pause(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    pause_learner(c, true, false);
    say(c, from, true, "the learner pauses");
}

static void on_resume(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    (void)q;
    pause_learner(c, false, false);
    say(c, from, true, "the learner goes on");
}

static void on_policy(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    (void)q;
    r.id = from->theirs;
    r.ok = c->driving.n > 0;
    r.state = comms_state_text(c);
    r.why = r.ok ? r.why : wire_text("there are no weights yet: let it learn first");
    r.block.data = c->driving.block;
    r.block.len = c->driving.n;
    comms_send(c, from, &r);
}

static void on_config(struct comms *c, const struct asking *from, const Basald__V1__Command *q)
{
    Basald__V1__Reply r = BASALD__V1__REPLY__INIT;
    char *text = malloc(CONFIG_BYTES);
    (void)q;
    r.id = from->theirs;
    r.state = comms_state_text(c);
    r.ok = text != NULL && config_dump(c->spec.config, text, CONFIG_BYTES) > 0;
    if (r.ok) {
        r.text = text;
    } else {
        r.why = wire_text("the configuration is too long to show");
    }
    comms_send(c, from, &r);
    free(text);
}

static const struct {
    const char *verb;
    void (*answer)(struct comms *c, const struct asking *from, const Basald__V1__Command *q);
} verbs[] = {
    {"status", comms_on_status},
    {"arm", on_arm},
    {"run", on_run},
    {"attend", on_attend},
    {"hold", on_hold},
    {"stop", on_stop},
    {"estop", on_estop},
    {"clear", on_clear},
    {"eval", on_eval},
    {"episode-end", on_episode_end},
    {"episode-begin", on_episode_begin},
    {"learner-pause", on_pause},
    {"learner-resume", on_resume},
    {"policy", on_policy},
    {"config", on_config},
};

static void answer(struct comms *c, struct asking *from, const uint8_t *bytes, size_t n)
{
    Basald__V1__Command *q = NULL;
    if (wire_command(bytes, n, c->command_bytes, &q) < 0) {
        c->garbage++;
        return;
    }
    size_t i = 0;
    const size_t n_verbs = sizeof verbs / sizeof verbs[0];
    from->theirs = q->id;
    from->sent_ns = q->sent_monotonic_ns;
    while (i < n_verbs && strcmp(verbs[i].verb, q->verb) != 0) {
        i++;
    }
    if (i < n_verbs) {
        verbs[i].answer(c, from, q);
    } else {
        say(c, from, false,
            "this daemon does not know that verb; is basalctl of the same version?");
    }
    wire_command_free(q);
}

/* The next frame of the message that is being received. */
static bool next_frame(void *socket, zmq_msg_t *frame)
{
    return zmq_msg_more(frame) && zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) >= 0;
}

/* [identity][command], or with an empty frame between them. */
bool comms_answer_one(struct comms *c)
{
    struct asking from = {0};
    zmq_msg_t frame;
    (void)zmq_msg_init(&frame);
    const bool got = zmq_msg_recv(&frame, c->command, ZMQ_DONTWAIT) >= 0;
    bool good = got && zmq_msg_size(&frame) <= IDENTITY_MAX;
    if (good) {
        from.identity_n = zmq_msg_size(&frame);
        memcpy(from.identity, zmq_msg_data(&frame), from.identity_n);
        good = next_frame(c->command, &frame);
        from.envelope = good && zmq_msg_size(&frame) == 0;
        good = good && (!from.envelope || next_frame(c->command, &frame));
    }
    if (good && !zmq_msg_more(&frame)) {
        answer(c, &from, zmq_msg_data(&frame), zmq_msg_size(&frame));
    } else if (got) {
        c->garbage++;
        comms_drop_rest(c->command);
    }
    (void)zmq_msg_close(&frame);
    return got;
}

/* The learner stands still while a person runs without learning, and goes on with the next run. */
static void learner_follows_run(struct comms *c, const struct asking *a)
{
    const bool paused = atomic_load_explicit(&c->spec.shared->learner.paused, memory_order_relaxed);
    if ((a->flags & RUN_NO_LEARN) != 0 && !paused) {
        pause_learner(c, true, true);
    } else if ((a->flags & RUN_NO_LEARN) == 0 && c->paused_by_run) {
        pause_learner(c, false, false);
    }
}

static void answer_asked(struct comms *c, struct asking *a, const struct reply *r)
{
    char sentence[WHY_CHARS + 128];
    Basald__V1__Reply m = BASALD__V1__REPLY__INIT;
    (void)snprintf(sentence, sizeof sentence, "%s%s%s",
                   wire_refusal(a->kind, r->refusal, (enum fsm_state)r->state),
                   r->why[0] != '\0' ? ": " : "", r->why);
    m.id = a->theirs;
    m.ok = r->refusal == REFUSED_NOT;
    m.state = wire_text(fsm_state_name((enum fsm_state)r->state));
    m.why = sentence;
    if (m.ok && a->kind == REQUEST_RUN) {
        learner_follows_run(c, a);
    }
    comms_send(c, a, &m);
    a->id = 0;
}

void comms_send_replies(struct comms *c)
{
    struct reply r;
    for (int n = 0; n < MESSAGES_A_STEP && ring_pop(&c->spec.shared->replies, &r); n++) {
        for (int i = 0; i < ASKING_MAX; i++) {
            if (c->asking[i].id == r.id) {
                answer_asked(c, &c->asking[i], &r);
            }
        }
    }
    for (int i = 0; i < ASKING_MAX; i++) {
        if (c->asking[i].id != 0 && c->now_ns - c->asking[i].since_ns > REQUEST_NS) {
            say(c, &c->asking[i], false, "the control loop does not answer; look at the journal");
            c->asking[i].id = 0;
        }
    }
}
