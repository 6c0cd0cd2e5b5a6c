/* What went wrong since the last tick: each cause with the response that the robot file names. */
#include "daemon/loop_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An event and the response to it: the one that leads farther, where two causes share an event. */
static void due(const struct loop *l, struct due *d, enum fsm_event event, enum cause cause)
{
    const uint8_t how = (uint8_t)l->config->responses.how[cause];
    const uint32_t bit = UINT32_C(1) << event;
    if ((d->in.events & bit) == 0 || how > d->in.how[event]) {
        d->in.how[event] = how;
        d->cause[event] = (uint8_t)cause;
    }
    d->in.events |= bit;
}

/* The response to an event leads this far, whatever the file says: what must not be held or driven.
 */
static void at_least(struct due *d, enum fsm_event event, enum response how)
{
    d->in.how[event] = d->in.how[event] > (uint8_t)how ? d->in.how[event] : (uint8_t)how;
}

bool loop_has_power(const struct loop *l)
{
    const struct robot *r = &l->config->robot;
    for (int j = 0; j < r->n_joints; j++) {
        const double v = (double)l->st.sensed.volt_v[j];
        const bool known = isfinite(v) && (v > 0.0 || r->n_buses > 0);
        if (r->joint[j].actuated && known && v < r->power_min_v) {
            return false;
        }
    }
    return true;
}

bool loop_lost_power(const struct loop *l)
{
    return l->config->robot.estop_hardware == ESTOP_POWER_SENSE && !loop_has_power(l);
}

void loop_explain_power(const struct loop *l, char ret_text[WHY_CHARS])
{
    (void)snprintf(ret_text, WHY_CHARS,
                   "motor power is lost: a servo reads less than %g V (estop.power_min_v); switch "
                   "it on, then clear",
                   l->config->robot.power_min_v);
}

static bool is_too_late(const struct loop *l, int64_t late_ns)
{
    return late_ns > l->config->control.loop_deadman_ms * NS_PER_MS;
}

/* The person who attends the run has not been heard of for too long. */
static bool is_unattended(const struct loop *l, int64_t now_ns)
{
    return (l->st.run_flags & RUN_ATTENDED) != 0 &&
           now_ns - l->lease_ns > l->config->control.lease_deadman_ms * NS_PER_MS;
}

static void follow_lease(struct loop *l, int64_t now_ns)
{
    const uint64_t beats = atomic_load_explicit(&l->shared->lease_beats, memory_order_relaxed);
    if (beats != l->lease_beats || l->st.fsm.state != STATE_RUNNING) {
        l->lease_beats = beats;
        l->lease_ns = now_ns;
    }
}

/* Another publisher's weights drive, and none came for too long. Between two episodes none are
 * taken, and none drive. */
static bool is_policy_stale(struct loop *l, int64_t now_ns)
{
    struct loop_state *z = &l->st;
    const double limit_s = l->config->responses.policy_stale_s;
    const bool counts = limit_s > 0.0 && z->fsm.state == STATE_RUNNING && z->open &&
                        z->source == SOURCE_POLICY && strcmp(l->config->comms.weights, "own") != 0;
    const uint32_t version = l->packed != NULL ? l->packed->id.version : 0;
    if (!counts || version != z->aged_version || z->aged_ns == 0) {
        z->aged_version = version;
        z->aged_ns = now_ns;
    }
    return counts && (double)(now_ns - z->aged_ns) > limit_s * (double)NS_PER_S;
}

/* Of a joint that trips: is it its limits, its motor's silence, or its whole bus's? */
static enum cause cause_of_trip(const struct loop *l, int j)
{
    const struct safety *z = &l->st.safety;
    const uint32_t trips = z->joint_trips[j];
    const bool lost = (trips & TRIP_DEVICE) != 0 && (l->st.sensed.faults[j] & FAULT_LOST) != 0;
    const uint32_t others = trips & ~(uint32_t)(TRIP_STALE | (lost ? TRIP_DEVICE : 0));
    if (others != 0) {
        return CAUSE_FAULT;
    }
    return safety_bus_is_silent(z, &l->st.sensed, l->config->robot.joint[j].bus)
               ? CAUSE_BUS_LOST
               : CAUSE_SENSOR_STALE;
}

static void add_trips(struct loop *l, int64_t now_ns, struct due *d)
{
    struct loop_state *z = &l->st;
    /* while torque is cut and read back no pose is: that is no fault of a joint */
    const uint32_t not_now = z->fsm.state == STATE_STOPPING ? TRIP_STALE : 0;
    if ((z->safety.trips & ~not_now) == 0) {
        return;
    }
    for (int j = 0; j < z->sensed.n; j++) {
        if ((z->safety.joint_trips[j] & ~not_now) != 0) {
            due(l, d, EVENT_FAULTED, cause_of_trip(l, j));
        }
        if ((z->safety.joint_trips[j] & (TRIP_RUNAWAY | TRIP_FROZEN | TRIP_NOT_FINITE)) != 0) {
            z->doubted |= UINT64_C(1) << j;
            at_least(d, EVENT_FAULTED, l->responder.after_retreat);
        }
    }
    if ((z->safety.trips & ~z->told_trips) != 0) { /* they may last while it holds or retreats */
        struct happened h = {.t_ns = now_ns,
                             .kind = HAPPENED_TRIP,
                             .a = (int32_t)z->safety.trips,
                             .b = z->safety.trip_joint};
        (void)safety_explain(&z->safety, &z->sensed, h.text, (int)sizeof h.text);
        loop_tell(l, &h);
    }
    z->told_trips |= z->safety.trips;
}

static void add_stop_bits(struct loop *l, struct due *d)
{
    const uint32_t stop = atomic_load_explicit(&l->shared->stop, memory_order_acquire);
    if ((stop & STOP_ESTOP) != 0) {
        due(l, d, EVENT_ESTOPPED, CAUSE_ESTOP);
        if (l->st.fsm.state == STATE_RETREATING) { /* whoever presses it then wants no more of it */
            at_least(d, EVENT_ESTOPPED, l->responder.after_retreat);
        }
    }
    if ((stop & (STOP_ASKED | STOP_EXIT | STOP_CRASHED | STOP_STALLED)) != 0) {
        due(l, d, EVENT_STOP, CAUSE_STOP);
    }
}

/* Of the response under way, and what follows it. */
static void add_response(struct loop *l, int64_t now_ns, struct due *d)
{
    struct loop_state *z = &l->st;
    const uint64_t gone = respond_gone(&l->responder, &z->sensed, z->safety.stale,
                                       z->safety.settings.stale_ticks_max);
    d->in.events |= respond_events(&l->responder, &z->respond, &z->fsm, &z->sensed, gone, now_ns);
    d->in.how[EVENT_TIMED_OUT] = d->in.how[EVENT_CANNOT] = (uint8_t)l->responder.after_retreat;
}

bool loop_torque_may_be_on(const struct loop *l)
{
    return fsm_drives(l->st.fsm.state) || l->st.fsm.state == STATE_STOPPING;
}

void loop_causes(struct loop *l, int64_t now_ns, int64_t late_ns, struct due *ret_due)
{
    struct loop_state *z = &l->st;
    *ret_due = (struct due){.in = {.events = 0}};
    if (z->plant_event >= 0) {
        ret_due->in.events |= UINT32_C(1) << z->plant_event;
    }
    follow_lease(l, now_ns);
    add_stop_bits(l, ret_due);
    const bool may_be_on = loop_torque_may_be_on(l);
    if (may_be_on) {
        add_trips(l, now_ns, ret_due);
    } else {
        z->told_trips = 0;
        z->doubted = 0;
    }
    if (fsm_drives(z->fsm.state)) {
        add_response(l, now_ns, ret_due);
        if (is_too_late(l, late_ns)) {
            due(l, ret_due, EVENT_LOST, CAUSE_LOOP_STALLED);
        }
        if (is_unattended(l, now_ns)) {
            due(l, ret_due, EVENT_LOST, CAUSE_OPERATOR_LOST);
        }
    }
    if (is_policy_stale(l, now_ns)) {
        due(l, ret_due, EVENT_LOST, CAUSE_POLICY_STALE);
    }
    /* servos that run dry complain first: their fault becomes an estop when their voltage is read
     */
    const bool may_latch =
        z->fsm.latch != LATCH_ESTOP && (may_be_on || z->fsm.state == STATE_FAULT);
    if (may_latch && loop_lost_power(l)) {
        due(l, ret_due, EVENT_ESTOPPED, CAUSE_POWER_SAG);
    }
}

static void explain_lost(const struct loop *l, enum cause cause, int64_t late_ns,
                         char ret_text[WHY_CHARS])
{
    if (cause == CAUSE_LOOP_STALLED) {
        (void)snprintf(
            ret_text, WHY_CHARS,
            "the loop woke %lld ms late, control.loop_deadman_ms allows %d: see what else "
            "runs on this machine, then basalctl run again",
            (long long)(late_ns / NS_PER_MS), l->config->control.loop_deadman_ms);
    } else if (cause == CAUSE_OPERATOR_LOST) {
        (void)snprintf(ret_text, WHY_CHARS,
                       "who attends the run was silent for more than control.lease_deadman_ms, %d: "
                       "basalctl run again",
                       l->config->control.lease_deadman_ms);
    } else {
        (void)snprintf(ret_text, WHY_CHARS,
                       "no new weights came from %.120s for responses.policy_stale_s, %g: see what "
                       "publishes them, then basalctl run again",
                       l->config->comms.weights, l->config->responses.policy_stale_s);
    }
}

void loop_explain_response(const struct loop *l, const struct due *d, enum fsm_state from,
                           int64_t late_ns, char ret_text[WHY_CHARS])
{
    const uint32_t events = d->in.events;
    ret_text[0] = '\0';
    if ((events & UINT32_C(1) << EVENT_FAULTED) != 0 || from == STATE_STOPPING) {
        return; /* the trip says it */
    }
    if ((events & UINT32_C(1) << EVENT_LOST) != 0) {
        explain_lost(l, (enum cause)d->cause[EVENT_LOST], late_ns, ret_text);
    } else if ((events & UINT32_C(1) << EVENT_CANNOT) != 0) {
        (void)snprintf(ret_text, WHY_CHARS,
                       "a joint that it takes is silent or without torque: see basalctl status");
    } else if ((events & UINT32_C(1) << EVENT_TIMED_OUT) != 0 && from == STATE_RETREATING) {
        (void)snprintf(ret_text, WHY_CHARS,
                       "the rest pose was not reached in responses.retreat_s, %g: see what is in "
                       "its way or too heavy",
                       l->config->responses.retreat_s);
    } else if ((events & UINT32_C(1) << EVENT_TIMED_OUT) != 0) {
        (void)snprintf(ret_text, WHY_CHARS, "it was not still within %.1f s: torque goes off",
                       l->responder.damped_s);
    }
}
