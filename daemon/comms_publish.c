/* What goes out to whoever listens, and the weights that come in. */
#include "daemon/comms_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define RECORDS_A_STEP 256
#define REPEAT_NS      (100 * NS_PER_MS)

/* Two frames, neither empty; nobody waits for a slow viewer. */
static void publish(void *socket, const char *topic, const uint8_t *bytes, int64_t n)
{
    if (n > 0 && zmq_send(socket, topic, strlen(topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
        (void)zmq_send(socket, bytes, (size_t)n, ZMQ_DONTWAIT);
    }
}

static void keep(struct kept *k, const uint8_t *block, size_t n)
{
    memcpy(k->block, block, n);
    k->n = n;
}

/* What is published before this daemon's own subscription is through is lost to it: until the first
 * block came back, the newest is sent again. */
static bool must_repeat(const struct comms *c)
{
    return c->own.n > 0 && c->spec.intake->accepted + c->spec.intake->refused == 0 &&
           c->now_ns - c->own_sent_ns > REPEAT_NS &&
           strcmp(c->spec.config->comms.weights, "own") == 0;
}

void comms_publish_weights(struct comms *c)
{
    const struct offered *o = mailbox_take(&c->offer);
    if (o != NULL) {
        keep(&c->own, o->block, o->n);
    } else if (!must_repeat(c)) {
        return;
    }
    c->own_sent_ns = c->now_ns;
    publish(c->weights_out, "basald/weights", c->message,
            wire_weights(c->own.block, c->own.n, c->message, c->message_bytes));
}

int comms_intake(struct comms *c, const uint8_t *block, size_t n)
{
    int rc = intake_block(c->spec.intake, block, n);
    if (rc == 0 && n <= c->spec.block_bytes) {
        keep(&c->driving, block, n);
        c->driving_run_id = c->spec.intake->want.run_id;
        c->shun_run_id = 0;
    }
    return rc;
}

static void take_message(struct comms *c, const uint8_t *bytes, size_t n)
{
    Basald__V1__Weights *m = NULL;
    if (wire_weights_open(bytes, n, &m) < 0) {
        c->garbage++;
        return;
    }
    const bool good = c->from_file || comms_intake(c, m->block.data, m->block.len) == 0;
    if (!good) {
        log_limited(&c->refused_limit, 60.0, LOG_LEVEL_WARN, "weights refused: %s",
                    c->spec.intake->why);
    } else if (m->block.len <= c->spec.block_bytes) {
        keep(&c->source, m->block.data, m->block.len);
    }
    wire_weights_free(m);
}

/* From whoever publishes them, this daemon's own learner included: the newest that passes. */
void comms_take_weights(struct comms *c)
{
    for (int i = 0; i < MESSAGES_A_STEP; i++) {
        zmq_msg_t topic, body;
        (void)zmq_msg_init(&topic);
        (void)zmq_msg_init(&body);
        const bool got = zmq_msg_recv(&topic, c->weights_in, ZMQ_DONTWAIT) >= 0;
        const bool two =
            got && zmq_msg_more(&topic) && zmq_msg_recv(&body, c->weights_in, ZMQ_DONTWAIT) >= 0;
        if (two && !zmq_msg_more(&body)) {
            take_message(c, zmq_msg_data(&body), zmq_msg_size(&body));
        } else if (got) {
            c->garbage++;
            comms_drop_rest(c->weights_in);
        }
        (void)zmq_msg_close(&topic);
        (void)zmq_msg_close(&body);
        if (!got) {
            return;
        }
    }
}

/* comms.telemetry_hz on average, whatever the tick's rate. */
static bool is_due(struct comms *c, int64_t t_ns)
{
    const double hz = c->spec.config->comms.telemetry_hz;
    const int64_t period_ns = hz > 0.0 ? (int64_t)(1e9 / hz) : 0;
    if (t_ns < c->due_ns) {
        return false;
    }
    c->due_ns += period_ns;
    if (c->due_ns <= t_ns) { /* the first, or after a gap: nothing is made up */
        c->due_ns = t_ns + (period_ns > 0 ? period_ns : 1);
    }
    return true;
}

static void measure_rate(struct comms *c, const struct record *r)
{
    struct rate *m = &c->rate;
    if (r->t_ns - m->t_ns < NS_PER_S) {
        return;
    }
    const uint64_t updates =
        atomic_load_explicit(&c->spec.shared->learner.updates, memory_order_relaxed);
    if (m->t_ns != 0) {
        const double passed_s = (double)(r->t_ns - m->t_ns) * 1e-9;
        m->hz = (double)(r->tick - m->tick) / passed_s;
        m->updates_per_s = (double)(updates - m->updates) / passed_s;
    }
    m->tick = r->tick;
    m->updates = updates;
    m->t_ns = r->t_ns;
}

void comms_publish_records(struct comms *c)
{
    uint8_t bytes[WIRE_TELEMETRY_MAX];
    struct record r;
    for (int i = 0; i < RECORDS_A_STEP && ring_pop(&c->spec.shared->telemetry, &r); i++) {
        c->last = r;
        if (!c->any) {
            c->any = true;
            c->loop_base = comms_loop_counts(c);
        }
        measure_rate(c, &r);
        if (is_due(c, r.t_ns)) {
            publish(c->telemetry, "basald/telemetry", bytes,
                    wire_telemetry(&r, &c->spec.config->robot, comms_unix_s(c, r.t_ns), bytes,
                                   sizeof bytes));
        }
    }
}

static void note_episode(struct comms *c, const struct happened *h)
{
    memmove(c->returns, c->returns + 1, (RETURNS_KEPT - 1) * sizeof c->returns[0]);
    c->returns[RETURNS_KEPT - 1] = h->x;
    c->n_returns += c->n_returns < RETURNS_KEPT;
    c->rollout.episodes++;
    c->rollout.successes += h->b != 0;
    c->rollout.return_sum += h->x;
    c->rollout.value_sum += h->z;
    memcpy(mailbox_back(&c->ended), &c->rollout, sizeof c->rollout);
    mailbox_put(&c->ended);
}

/*
 * The reason that status gives: what led to where the robot is now. An empty text does not take
 * away what a trip said before a latch, or what made a robot stop before it was limp.
 */
static void note_reason(struct comms *c, const struct happened *h, const char *sentence)
{
    const bool latched_now = c->last.latch != LATCH_NONE;
    if (h->kind == HAPPENED_PLANT && !latched_now) {
        (void)snprintf(c->reason, sizeof c->reason, "%s", h->text);
    } else if (h->kind == HAPPENED_TRIP) {
        (void)snprintf(c->reason, sizeof c->reason, "%s", sentence);
    } else if (h->kind == HAPPENED_STATE) {
        const bool responds = fsm_responds((enum fsm_state)h->b);
        const bool stopped = h->a == STATE_STOPPING && h->b == STATE_LIMP;
        if (h->text[0] != '\0' || !(responds || stopped)) {
            (void)snprintf(c->reason, sizeof c->reason, "%s", h->text);
        }
    }
}

void comms_publish_events(struct comms *c)
{
    uint8_t bytes[WIRE_EVENT_MAX];
    char sentence[WHY_CHARS + 64];
    struct happened h;
    for (int i = 0; i < MESSAGES_A_STEP && ring_pop(&c->spec.shared->happened, &h); i++) {
        wire_sentence(&h, &c->spec.config->robot, sentence, (int)sizeof sentence);
        note_reason(c, &h, sentence);
        if (h.kind == HAPPENED_EPISODE) {
            note_episode(c, &h);
            log_limited(&c->episode_limit, 60.0, LOG_LEVEL_INFO, "%s", sentence);
        } else if (h.kind == HAPPENED_REFUSED) {
            log_limited(&c->request_limit, 1.0, LOG_LEVEL_NOTE, "%s", sentence);
        } else {
            log_line(h.kind == HAPPENED_TRIP ? LOG_LEVEL_ERR : LOG_LEVEL_NOTE, "%s", sentence);
        }
        publish(
            c->events, "basald/event", bytes,
            wire_event(&h, &c->spec.config->robot, comms_unix_s(c, h.t_ns), bytes, sizeof bytes));
    }
}
