#include "daemon/fsm.h"

#include "daemon/base/clock.h"



/* clang-format off */
/*
 * Where each event leads from each state; a blank stays. A fault while limp is reported by others and changes nothing:
 * there is no torque to cut, and arming checks again. A failed arming may have left torque on: it is stopped.
 */
static const uint8_t table[STATES_N][EVENTS_N] = {
#define ROW(state) [STATE_##state]
#define ON(event, state) [EVENT_##event] = STATE_##state + 1
    ROW(BOOT)     = {ON(IDENTIFIED, LIMP), ON(NOT_FOUND, LIMP), ON(ESTOPPED, ESTOP)},
    ROW(LIMP)     = {ON(ARM, ARMING), ON(ESTOPPED, ESTOP)},
    ROW(ARMING)   = {ON(ARMED, READY), ON(ARM_FAILED, STOPPING), ON(STOP, STOPPING), ON(FAULTED, FAULT),
                     ON(ESTOPPED, ESTOP)},
    ROW(READY)    = {ON(RUN, RUNNING), ON(STOP, STOPPING), ON(FAULTED, FAULT), ON(ESTOPPED, ESTOP)},
    ROW(RUNNING)  = {ON(HOLD, READY), ON(STOP, STOPPING), ON(FAULTED, FAULT), ON(ESTOPPED, ESTOP)},
    ROW(STOPPING) = {ON(STOPPED, LIMP), ON(STOP_FAILED, FAULT), ON(FAULTED, FAULT), ON(ESTOPPED, ESTOP)},
    ROW(FAULT)    = {ON(CLEAR, LIMP), ON(ESTOPPED, ESTOP)},
    ROW(ESTOP)    = {ON(CLEAR, LIMP)},
#undef ON
#undef ROW
};

/* The most dangerous first: what comes earlier decides what a later event of the same tick meets. */
static const uint8_t order[] = {EVENT_ESTOPPED, EVENT_FAULTED, EVENT_STOP_FAILED, EVENT_STOP, EVENT_STOPPED, EVENT_ARM_FAILED,
                                EVENT_NOT_FOUND, EVENT_IDENTIFIED, EVENT_HOLD, EVENT_ARMED, EVENT_CLEAR, EVENT_ARM, EVENT_RUN};
_Static_assert(sizeof order == EVENTS_N, "every event has its place");

static const uint8_t plant_of[STATES_N] = {
    [STATE_BOOT] = PLANT_IDENTIFY, [STATE_LIMP] = PLANT_LISTEN, [STATE_ARMING] = PLANT_ARM, [STATE_READY] = PLANT_RUN,
    [STATE_RUNNING] = PLANT_RUN,   [STATE_STOPPING] = PLANT_STOP, [STATE_FAULT] = PLANT_STOP, [STATE_ESTOP] = PLANT_STOP,
};
/* clang-format on */

enum fsm_state fsm_next(enum fsm_state state, enum fsm_event event)
{
    const uint8_t to = table[state][event];
    return to == 0 ? state : (enum fsm_state)(to - 1);
}

void fsm_init(struct fsm *ret_fsm, double ramp_s)
{
    *ret_fsm = (struct fsm){.state = STATE_BOOT, .plant = PLANT_IDENTIFY, .ramp_s = ramp_s};
}

static double ramp(const struct fsm *f, int64_t now_ns)
{
    const double since_s = (double)(now_ns - f->armed_ns) / (double)NS_PER_S;
    return f->ramp_s <= 0.0 || since_s >= f->ramp_s ? 1.0 : since_s / f->ramp_s;
}

void fsm_step(struct fsm *f, uint32_t events, int64_t now_ns)
{
    for (unsigned i = 0; i < sizeof order; i++) {
        if ((events >> order[i] & 1u) == 0) {
            continue;
        }
        const enum fsm_state to = fsm_next(f->state, (enum fsm_event)order[i]);
        if (to != f->state) {
            if (f->state == STATE_ARMING && to == STATE_READY) {
                f->armed_ns = now_ns;
            }
            f->entered_ns = now_ns;
            f->state = to;
            f->holding = false;
        }
    }
    f->plant = (enum plant_do)plant_of[f->state];
    f->ceiling = f->plant == PLANT_RUN || f->plant == PLANT_STOP ? ramp(f, now_ns) : 0.0;
}

/* The pose to hold: what was last commanded where torque was on, else what is measured. */
static void remember_pose(struct fsm *f, const struct sensed *s, const struct command *cmd)
{
    for (int j = 0; j < s->n; j++) {
        const bool commanded = f->torque_was_on && cmd->mode[j] != MODE_OFF;
        f->hold_q[j] = commanded ? cmd->q[j] : s->q[j];
    }
    f->holding = true;
}

void fsm_command(struct fsm *f, const struct robot *robot, const struct sensed *s, struct command *cmd)
{
    const bool torque = f->plant == PLANT_RUN || f->plant == PLANT_STOP;
    if (torque && f->state != STATE_RUNNING && !f->holding) {
        remember_pose(f, s, cmd);
    }
    for (int j = 0; j < robot->n_joints; j++) {
        if (!torque || !robot->joint[j].actuated) {
            cmd->mode[j] = MODE_OFF;
            cmd->q[j] = s->q[j];
            cmd->tau_max[j] = 0.0;
            continue;
        }
        if (f->state != STATE_RUNNING) {
            cmd->mode[j] = MODE_HOLD;
            cmd->q[j] = f->hold_q[j];
            cmd->qd[j] = 0.0;
            cmd->tau_max[j] = robot->joint[j].tau_max;
        }
        cmd->tau_max[j] *= f->ceiling;
    }
    f->torque_was_on = torque;
}

const char *fsm_state_name(enum fsm_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        FSM_STATES(X)
#undef X
    };
    return state < STATES_N ? names[state] : "?";
}

const char *fsm_event_name(enum fsm_event event)
{
    static const char *const names[] = {
#define X(name, text) text,
        FSM_EVENTS(X)
#undef X
    };
    return event < EVENTS_N ? names[event] : "?";
}
