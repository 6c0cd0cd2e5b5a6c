#include "daemon/loop_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BIT(event) (1u << (event))

void loop_tell(struct loop *l, const struct happened *what)
{
    (void)ring_push(&l->shared->happened, what);
}

/* Without the weights of a run that is over, also where they wait to be taken. */
static void shun_weights(struct loop *l, uint64_t run_id)
{
    const struct packed *newest = run_id != 0 ? mailbox_take(&l->shared->weights) : NULL;
    l->packed = newest != NULL ? newest : l->packed;
    if (run_id != 0 && l->packed != NULL && l->packed->id.run_id == run_id) {
        l->packed = NULL;
    }
}

/* In use, or waiting to be taken when the next period begins. */
static bool has_weights(const struct loop *l)
{
    return l->packed != NULL || mailbox_waiting(&l->shared->weights) != NULL;
}

/* What learns may begin by chance. */
static bool needs_weights(const struct loop *l, const struct request *q)
{
    const bool stays = q->kind == REQUEST_EVAL || (q->flags & RUN_NO_LEARN) != 0 ||
                       (l->config->policy->fixed && l->script == NULL);
    return stays && (q->flags & RUN_RANDOM) == 0;
}

static enum refusal judge_arm(const struct loop *l, uint32_t *ret_events, char ret_why[WHY_CHARS])
{
    if (l->st.fsm.state != STATE_LIMP) {
        return REFUSED_STATE;
    }
    if (!plant_ready(l->plant)) {
        return REFUSED_PLANT;
    }
    if (loop_lost_power(l)) {
        (void)snprintf(ret_why, WHY_CHARS,
                       "motor power is off: a servo reads less than %g V (estop.power_min_v); "
                       "switch it on, then arm",
                       l->config->robot.power_min_v);
        return REFUSED_UNSAFE;
    }
    if (safety_may_arm(&l->st.safety, &l->st.sensed, ret_why, WHY_CHARS) < 0) {
        return REFUSED_UNSAFE;
    }
    *ret_events |= BIT(EVENT_ARM);
    return REFUSED_NOT;
}

/* The reason must be gone. */
static enum refusal judge_clear(const struct loop *l, uint32_t *ret_events, char ret_why[WHY_CHARS])
{
    if (l->st.fsm.latch == LATCH_NONE) {
        return REFUSED_STATE;
    }
    if (fsm_drives(l->st.fsm.state)) {
        (void)snprintf(ret_why, WHY_CHARS,
                       "torque is on: a robot that holds is brought down by basalctl stop; one "
                       "that retreats or sinks ends by itself");
        return REFUSED_LATCHED;
    }
    if (!loop_at_rest(l) || !plant_ready(l->plant)) {
        (void)snprintf(ret_why, WHY_CHARS, "%s", plant_why(l->plant));
        return REFUSED_LATCHED;
    }
    if (loop_lost_power(l)) {
        loop_explain_power(l, ret_why);
        return REFUSED_LATCHED;
    }
    *ret_events |= BIT(EVENT_CLEAR);
    return REFUSED_NOT;
}

/* It holds, and nothing latched: a person may go on. */
static bool holds_free(const struct loop *l)
{
    return l->st.fsm.state == STATE_HOLDING && l->st.fsm.latch == LATCH_NONE;
}

/* May this request be granted now? It becomes an event, or a refusal. */
static enum refusal judge(struct loop *l, const struct request *q, uint32_t *ret_events,
                          char ret_why[WHY_CHARS])
{
    struct loop_state *z = &l->st;
    const enum fsm_state state = z->fsm.state;
    if (atomic_load_explicit(&l->shared->stop, memory_order_relaxed) != 0 &&
        q->kind != REQUEST_CLEAR) {
        return REFUSED_STOPPING;
    }
    switch (q->kind) {
    case REQUEST_ARM:
        return judge_arm(l, ret_events, ret_why);
    case REQUEST_EVAL:
    case REQUEST_RUN:
        if (state != STATE_READY && state != STATE_RUNNING && !holds_free(l)) {
            return REFUSED_STATE;
        }
        shun_weights(l, q->shun_run_id);
        if (!has_weights(l) && needs_weights(l, q)) {
            return REFUSED_NO_WEIGHTS;
        }
        if (q->kind == REQUEST_RUN) {
            z->reset.stage = loop_waits(l) ? RESET_THERE : z->reset.stage;
            z->run_flags = q->flags;
            z->eval_left = 0; /* a run ends an evaluation */
        }
        if (q->kind == REQUEST_EVAL) {
            z->eval_left = (int)fmax(1.0, q->x / l->dt_s); /* 0 would be a run without end */
            z->eval_holds = state != STATE_RUNNING;
            z->run_flags &= z->eval_holds ? ~(uint32_t)RUN_ATTENDED : UINT32_MAX;
            z->eval_ticks = (double)z->eval_left;
            z->eval_from = l->odometer >= 0 ? z->sensed.q[l->odometer] : 0.0;
        }
        *ret_events |= BIT(EVENT_RUN);
        return REFUSED_NOT;
    case REQUEST_HOLD:
        *ret_events |= BIT(EVENT_HOLD);
        return state == STATE_RUNNING || holds_free(l) ? REFUSED_NOT : REFUSED_STATE;
    case REQUEST_CLEAR:
        return judge_clear(l, ret_events, ret_why);
    case REQUEST_EPISODE_END:
        if (!z->open) {
            return REFUSED_STATE;
        }
        z->end_asked = true;
        z->end_reward = q->x;
        z->end_success = (q->flags & 1u) != 0;
        return REFUSED_NOT;
    case REQUEST_EPISODE_BEGIN:
        if (!loop_waits(l)) {
            return REFUSED_STATE;
        }
        z->reset.stage = RESET_THERE;
        return REFUSED_NOT;
    case REQUEST_NONE:
        break;
    }
    return REFUSED_STATE;
}

/* At most one request a tick; kind REQUEST_NONE: none. */
static void take_request(struct loop *l, int64_t now_ns, uint32_t *ret_events,
                         struct request *ret_request, struct reply *ret_reply)
{
    const struct request *q = ret_request;
    *ret_request = (struct request){.kind = REQUEST_NONE};
    *ret_reply = (struct reply){.refusal = REFUSED_NOT};
    if (!ring_pop(&l->shared->requests, ret_request)) {
        return;
    }
    ret_reply->id = q->id;
    const bool late = q->asked_ns > 0 && now_ns - q->asked_ns > REQUEST_NS;
    ret_reply->refusal =
        late && q->kind != REQUEST_HOLD ? REFUSED_LATE : judge(l, q, ret_events, ret_reply->why);
    if (ret_reply->refusal == REFUSED_PLANT) {
        (void)snprintf(ret_reply->why, sizeof ret_reply->why, "%s", plant_why(l->plant));
    }
}

/* Is the robot where this permit leads? Something more dangerous in the same tick outdoes it. */
static bool came_true(enum request_kind kind, enum fsm_state state)
{
    switch (kind) {
    case REQUEST_ARM:
        return state == STATE_ARMING;
    case REQUEST_RUN:
    case REQUEST_EVAL:
        return state == STATE_RUNNING;
    case REQUEST_CLEAR:
        return state == STATE_LIMP;
    case REQUEST_HOLD:
    case REQUEST_EPISODE_END:
    case REQUEST_EPISODE_BEGIN:
    case REQUEST_NONE:
        break;
    }
    return true;
}

/* After the tick's step: who asked hears what came of it, everybody hears of a refusal. */
static void answer(struct loop *l, int64_t now_ns, const struct request *q, struct reply *r)
{
    const enum fsm_state state = l->st.fsm.state;
    if (q->kind == REQUEST_NONE) {
        return;
    }
    if (r->refusal == REFUSED_NOT && !came_true(q->kind, state)) {
        r->refusal = REFUSED_LOST;
    }
    if (r->refusal != REFUSED_NOT) {
        struct happened h = {.t_ns = now_ns,
                             .kind = HAPPENED_REFUSED,
                             .a = (int32_t)q->kind,
                             .b = (int32_t)r->refusal,
                             .c = (int32_t)state};
        (void)snprintf(h.text, sizeof h.text, "%s", r->why);
        loop_tell(l, &h);
    }
    r->state = (uint8_t)state;
    (void)ring_push(&l->shared->replies, r);
}

/* The bits that are answered: stop when at rest, estop once it is latched in the state. */
static void clear_stop_bits(struct loop *l)
{
    uint32_t done = 0;
    if (l->st.fsm.latch == LATCH_ESTOP) {
        done |= STOP_ESTOP | STOP_ASKED;
    }
    if (loop_at_rest(l)) {
        done |= STOP_ASKED | STOP_STALLED;
    }
    if (done != 0) {
        atomic_fetch_and_explicit(&l->shared->stop, ~done, memory_order_release);
    }
}

/* An evaluation goes on for its time, whatever ticks were left out; then its speed is told, and a
 * robot that only held still before holds still again. */
static uint32_t evaluate(struct loop *l, int64_t now_ns, int64_t late_ns)
{
    struct loop_state *z = &l->st;
    if (z->eval_left <= 0) {
        return 0;
    }
    z->eval_left -= 1 + (int)(late_ns / l->period_ns);
    if (z->eval_left > 0) {
        return 0;
    }
    if (l->odometer >= 0) {
        const double ticks = z->eval_ticks - (double)z->eval_left;
        const double way_m =
            (z->sensed.q[l->odometer] - z->eval_from) * l->config->task.settings.travel_radius_m;
        loop_tell(l, &(struct happened){
                         .t_ns = now_ns, .kind = HAPPENED_EVAL, .x = way_m / (ticks * l->dt_s)});
    }
    z->eval_left = 0;
    return z->eval_holds ? BIT(EVENT_HOLD) : 0;
}

/* An estop is latched on disk from now on, and until it is cleared. Before the bit is taken back:
 * who keeps the file reads them the other way round. */
static void tell_latch(struct loop *l)
{
    if (l->st.fsm.latch != LATCH_ESTOP) {
        atomic_store_explicit(&l->shared->latched, LATCHED_NOT, memory_order_relaxed);
    } else if (atomic_load_explicit(&l->shared->latched, memory_order_relaxed) == LATCHED_NOT) {
        atomic_store_explicit(&l->shared->latched,
                              loop_has_power(l) ? LATCHED_ASKED : LATCHED_POWER,
                              memory_order_relaxed);
    }
}

/* Whether the devices are there, and why not, where no change of state says it. */
static void tell_plant(struct loop *l, int64_t now_ns, bool state_said)
{
    const bool known = plant_ready(l->plant);
    const char *text = known ? "" : plant_why(l->plant);
    const bool news = known != l->plant_known || strcmp(text, l->plant_said) != 0;
    const bool quiet = l->st.fsm.state == STATE_BOOT || l->st.fsm.state == STATE_ARMING;
    if (!news || quiet || loop_torque_may_be_on(l)) {
        return;
    }
    l->plant_known = known;
    (void)snprintf(l->plant_said, sizeof l->plant_said, "%s", text);
    if (!state_said) {
        struct happened h = {.t_ns = now_ns, .kind = HAPPENED_PLANT, .a = known};
        (void)snprintf(h.text, sizeof h.text, "%s", text);
        loop_tell(l, &h);
    }
}

static void explain_estop(const struct loop *l, char ret_text[WHY_CHARS])
{
    const struct shared *s = l->shared;
    const bool asked = (atomic_load_explicit(&s->stop, memory_order_relaxed) & STOP_ESTOP) != 0;
    const uint32_t latched = atomic_load_explicit(&s->latched, memory_order_relaxed);
    if (!asked) {
        loop_explain_power(l, ret_text);
        return;
    }
    (void)snprintf(ret_text, WHY_CHARS, "%s",
                   latched == LATCHED_NOT ? "a person asked for it"
                                          : "it was latched before this start");
}

/* Why it is in another state now: who asked for the estop, what led to a response, what the devices
 * say; "": the states say it, or a trip has. */
static void explain(const struct loop *l, const struct due *d, enum fsm_state from,
                    enum fsm_latch before, int64_t late_ns, char ret_text[WHY_CHARS])
{
    const enum fsm_state state = l->st.fsm.state;
    loop_explain_response(l, d, from, late_ns, ret_text);
    if (l->st.fsm.latch == LATCH_ESTOP && before != LATCH_ESTOP) {
        explain_estop(l, ret_text);
    } else if (ret_text[0] == '\0' && !fsm_drives(state)) {
        (void)snprintf(ret_text, WHY_CHARS, "%s", plant_why(l->plant));
    }
}

/* The cause that led here, for status and telemetry; none where it only holds still or is limp. */
static void note_cause(struct loop *l, const struct due *d, enum fsm_latch before)
{
    static const uint8_t order[] = {EVENT_ESTOPPED, EVENT_FAULTED, EVENT_STOP, EVENT_LOST};
    struct loop_state *z = &l->st;
    const enum fsm_state state = z->fsm.state;
    if (state == STATE_LIMP || state == STATE_READY || state == STATE_RUNNING) {
        z->cause = CAUSE_NONE;
        return;
    }
    for (unsigned i = 0; i < sizeof order; i++) {
        const bool worse = z->cause == CAUSE_NONE || z->fsm.latch > before;
        if ((d->in.events & BIT(order[i])) != 0 && worse) {
            z->cause = d->cause[order[i]];
            return;
        }
    }
}

void loop_fsm(struct loop *l, int64_t now_ns, int64_t late_ns)
{
    struct loop_state *z = &l->st;
    struct request request;
    struct reply reply;
    struct due due;
    const enum fsm_state from = z->fsm.state;
    const enum fsm_latch latch = z->fsm.latch;
    loop_causes(l, now_ns, late_ns, &due);
    due.in.events |= evaluate(l, now_ns, late_ns);
    take_request(l, now_ns, &due.in.events, &request, &reply);
    fsm_step(&z->fsm, &due.in, now_ns);
    note_cause(l, &due, latch);
    if (z->fsm.state != from || z->fsm.latch != latch) {
        struct happened h = {.t_ns = now_ns,
                             .kind = HAPPENED_STATE,
                             .a = (int32_t)from,
                             .b = (int32_t)z->fsm.state,
                             .c = (int32_t)due.in.events};
        explain(l, &due, from, latch, late_ns, h.text);
        loop_tell(l, &h);
        if (z->fsm.state == STATE_LIMP) {
            safety_forget(&z->safety);
        }
    }
    if (z->fsm.state != STATE_RUNNING) {
        z->eval_left = 0;
    }
    tell_plant(l, now_ns, z->fsm.state != from);
    answer(l, now_ns, &request, &reply);
    tell_latch(l);
    clear_stop_bits(l);
}
