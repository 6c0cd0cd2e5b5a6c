#include "daemon/fsm.h"

#include "daemon/base/clock.h"

#define BIT(event) (UINT32_C(1) << (event))

/* clang-format off */
/*
 * Where each event leads from each state; a blank stays. A fault while limp is reported by others and changes nothing:
 * there is no torque to cut, and arming checks again. A failed arming may have left torque on: it is stopped.
 */
static const uint8_t table[STATES_N][EVENTS_N] = {
#define ROW(state) [STATE_##state]
#define ON(event, state) [EVENT_##event] = (STATE_##state + 1)
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
static const uint8_t order[] = {EVENT_ESTOPPED, EVENT_FAULTED,   EVENT_STOP_FAILED, EVENT_STOP,  EVENT_STOPPED,
                                EVENT_ARM_FAILED, EVENT_NOT_FOUND, EVENT_IDENTIFIED, EVENT_HOLD, EVENT_ARMED,
                                EVENT_CLEAR,    EVENT_ARM,       EVENT_RUN};
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

/* What permits motion, or unlatches, loses against whatever else came in the same tick and asks for
 * less. */
static uint32_t without_lost_permits(uint32_t events)
{
    if ((events & (BIT(EVENT_ESTOPPED) | BIT(EVENT_FAULTED) | BIT(EVENT_STOP_FAILED))) != 0) {
        events &= ~(BIT(EVENT_CLEAR) | BIT(EVENT_ARM) | BIT(EVENT_RUN));
    }
    if ((events & (BIT(EVENT_STOP) | BIT(EVENT_ARM_FAILED) | BIT(EVENT_CLEAR))) != 0) {
        events &= ~(BIT(EVENT_ARM) | BIT(EVENT_RUN));
    }
    if ((events & BIT(EVENT_HOLD)) != 0) {
        events &= ~BIT(EVENT_RUN);
    }
    return events;
}

static void enter(struct fsm *f, enum fsm_state to, int64_t now_ns)
{
    if (f->state == STATE_ARMING && to == STATE_READY) {
        f->armed_ns = now_ns;
        f->torque = true;
    }
    if (to == STATE_LIMP) {
        f->torque = false;
    }
    f->state = to;
    f->plant = (enum plant_do)plant_of[to];
    f->holding = false;
}

/* 0 -> 1 over ramp_s after arming; as it was while the robot stops; 0 without torque. */
static double ceiling(const struct fsm *f, int64_t now_ns)
{
    if (!f->torque) {
        return 0.0;
    }
    if (f->plant != PLANT_RUN) {
        return f->ceiling;
    }
    const double since_s = (double)(now_ns - f->armed_ns) / (double)NS_PER_S;
    return since_s >= f->ramp_s ? 1.0 : since_s / f->ramp_s;
}

void fsm_step(struct fsm *f, uint32_t events, int64_t now_ns)
{
    events = without_lost_permits(events);
    if ((events & (BIT(EVENT_STOPPED) | BIT(EVENT_STOP_FAILED))) != 0 && f->plant == PLANT_STOP) {
        f->torque = false; /* nothing is commanded any more, also where a fault or an estop stays */
    }
    for (unsigned i = 0; i < sizeof order; i++) {
        if ((events & BIT(order[i])) == 0) {
            continue;
        }
        const enum fsm_state to = fsm_next(f->state, (enum fsm_event)order[i]);
        if (to != f->state) {
            enter(f, to, now_ns);
        }
    }
    f->ceiling = ceiling(f, now_ns);
}

static void command_off(struct command *cmd, int j, double q)
{
    cmd->mode[j] = MODE_OFF;
    cmd->q[j] = q;
    cmd->qd[j] = cmd->tau[j] = cmd->kp[j] = cmd->kd[j] = cmd->tau_max[j] = 0.0;
}

static void command_hold(struct command *cmd, int j, double q)
{
    command_off(cmd, j, q);
    cmd->mode[j] = MODE_HOLD;
}

/* The pose to hold: what was last commanded where torque was on, else what is measured. */
static void remember_pose(struct fsm *f, const struct sensed *s, const struct command *cmd)
{
    for (int j = 0; j < s->n; j++) {
        f->hold_q[j] = f->torque_was_on && cmd->mode[j] != MODE_OFF ? cmd->q[j] : s->q[j];
    }
    f->holding = true;
}

void fsm_command(struct fsm *f, const struct robot *robot, const struct sensed *s,
                 struct command *cmd)
{
    const bool holds = f->torque && f->state != STATE_RUNNING;
    if (holds && !f->holding) {
        remember_pose(f, s, cmd);
    }
    for (int j = 0; j < robot->n_joints; j++) {
        if (!f->torque || !robot->joint[j].actuated) {
            command_off(cmd, j, s->q[j]);
        } else if (holds) {
            command_hold(cmd, j, f->hold_q[j]);
        }
        if (cmd->mode[j] != MODE_OFF) {
            cmd->tau_max[j] = f->ceiling * robot->joint[j].tau_max;
        }
    }
    f->torque_was_on = f->torque;
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
