#include "daemon/fsm.h"

#include "daemon/base/clock.h"

#define BIT(event) (UINT32_C(1) << (event))

/* clang-format off */
/*
 * Where each event leads from each state; a blank stays. A fault while limp is reported by others and changes nothing:
 * there is no torque to cut, and arming checks again. A failed arming may have left torque on: it is stopped. From the
 * states between ready and damped a response leads further, by next_further.
 */
static const uint8_t table[STATES_N][EVENTS_N] = {
#define ROW(state) [STATE_##state]
#define ON(event, state) [EVENT_##event] = (STATE_##state + 1)
    ROW(BOOT)       = {ON(IDENTIFIED, LIMP), ON(NOT_FOUND, LIMP), ON(ESTOPPED, ESTOP)},
    ROW(LIMP)       = {ON(ARM, ARMING), ON(ESTOPPED, ESTOP)},
    ROW(ARMING)     = {ON(ARMED, READY), ON(ARM_FAILED, STOPPING), ON(STOP, STOPPING), ON(FAULTED, FAULT),
                       ON(ESTOPPED, ESTOP)},
    ROW(READY)      = {ON(RUN, RUNNING)},
    ROW(RUNNING)    = {ON(HOLD, READY)},
    ROW(HOLDING)    = {ON(RUN, RUNNING), ON(HOLD, READY)}, /* without a latch alone */
    ROW(RETREATING) = {0},
    ROW(DAMPED)     = {0},
    ROW(STOPPING)   = {ON(STOPPED, LIMP), ON(STOP_FAILED, FAULT), ON(FAULTED, FAULT), ON(ESTOPPED, ESTOP)},
    ROW(FAULT)      = {ON(CLEAR, LIMP), ON(ESTOPPED, ESTOP)},
    ROW(ESTOP)      = {ON(CLEAR, LIMP)},
#undef ON
#undef ROW
};

/* The most dangerous first: what comes earlier decides what a later event of the same tick meets. */
static const uint8_t order[] = {EVENT_ESTOPPED,  EVENT_FAULTED,   EVENT_STOP_FAILED, EVENT_STOP,  EVENT_STOPPED,
                                EVENT_CANNOT,    EVENT_TIMED_OUT, EVENT_RESTED,      EVENT_ARM_FAILED,
                                EVENT_NOT_FOUND, EVENT_IDENTIFIED, EVENT_LOST,       EVENT_HOLD,  EVENT_ARMED,
                                EVENT_CLEAR,     EVENT_ARM,       EVENT_RUN};
_Static_assert(sizeof order == EVENTS_N, "every event has its place");

static const uint8_t plant_of[STATES_N] = {
    [STATE_BOOT] = PLANT_IDENTIFY, [STATE_LIMP] = PLANT_LISTEN,    [STATE_ARMING] = PLANT_ARM, [STATE_READY] = PLANT_RUN,
    [STATE_RUNNING] = PLANT_RUN,   [STATE_HOLDING] = PLANT_RUN,    [STATE_RETREATING] = PLANT_RUN,
    [STATE_DAMPED] = PLANT_RUN,    [STATE_STOPPING] = PLANT_STOP,  [STATE_FAULT] = PLANT_STOP, [STATE_ESTOP] = PLANT_STOP,
};

/* clang-format on */

static const uint8_t state_of[] = {[RESPONSE_HOLD] = STATE_HOLDING,
                                   [RESPONSE_RETREAT] = STATE_RETREATING,
                                   [RESPONSE_DAMPED] = STATE_DAMPED};

/* How far a state is on the way to torque off, as the response that leads there. -1: not on it. */
static int way_of(enum fsm_state state)
{
    for (int how = RESPONSE_HOLD; how < RESPONSE_LIMP; how++) {
        if (state_of[how] == state) {
            return how;
        }
    }
    return -1;
}

/* Torque goes off: where to, by the latch. */
static enum fsm_state ends_in(enum fsm_latch latch)
{
    return latch == LATCH_ESTOP ? STATE_ESTOP : latch == LATCH_FAULT ? STATE_FAULT : STATE_STOPPING;
}

/* As far as how leads, never back; with this latch at least. */
static struct fsm_at next_further(struct fsm_at at, enum fsm_latch latch, enum response how)
{
    const int far = way_of(at.state) > (int)how ? way_of(at.state) : (int)how;
    at.latch = latch > at.latch ? latch : at.latch;
    at.state = far >= RESPONSE_LIMP ? ends_in(at.latch) : (enum fsm_state)state_of[far];
    return at;
}

/* One of the states from ready to damped, in which joints are driven. */
static struct fsm_at next_driven(struct fsm_at at, enum fsm_event event, enum response how)
{
    const bool retreats = at.state == STATE_RETREATING;
    if (event == EVENT_ESTOPPED) {
        return next_further(at, LATCH_ESTOP, how);
    }
    if (event == EVENT_FAULTED) {
        return next_further(at, LATCH_FAULT, how);
    }
    if (event == EVENT_LOST && at.state == STATE_READY && how == RESPONSE_HOLD) {
        return at; /* nothing drives it: it holds already */
    }
    if (event == EVENT_STOP || event == EVENT_LOST) {
        return next_further(at, LATCH_NONE, how);
    }
    const bool failed = event == EVENT_TIMED_OUT || event == EVENT_CANNOT;
    if (failed && retreats) {
        return next_further(at, LATCH_NONE, how > RESPONSE_DAMPED ? how : RESPONSE_DAMPED);
    }
    const bool over = event == EVENT_RESTED && way_of(at.state) > RESPONSE_HOLD;
    return over || (failed && way_of(at.state) >= 0) ? next_further(at, LATCH_NONE, RESPONSE_LIMP)
                                                     : at;
}

struct fsm_at fsm_next(struct fsm_at at, enum fsm_event event, enum response how)
{
    const uint8_t to = table[at.state][event];
    const bool refused = at.state == STATE_HOLDING && at.latch != LATCH_NONE;
    if (to != 0 && !refused) {
        at.state = (enum fsm_state)(to - 1);
        at.latch = at.state == STATE_ESTOP   ? LATCH_ESTOP
                   : at.state == STATE_FAULT ? LATCH_FAULT
                                             : LATCH_NONE;
        return at;
    }
    return fsm_drives(at.state) ? next_driven(at, event, how) : at;
}

bool fsm_drives(enum fsm_state state)
{
    return plant_of[state] == PLANT_RUN;
}

bool fsm_responds(enum fsm_state state)
{
    return way_of(state) >= 0 || state == STATE_FAULT || state == STATE_ESTOP;
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
    if ((events & (BIT(EVENT_ESTOPPED) | BIT(EVENT_FAULTED) | BIT(EVENT_STOP) | BIT(EVENT_LOST))) !=
        0) {
        events &= ~BIT(EVENT_RUN) & ~BIT(EVENT_HOLD); /* which would also end a holding */
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
    f->entered_ns = now_ns;
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

void fsm_step(struct fsm *f, const struct fsm_input *in, int64_t now_ns)
{
    const uint32_t events = without_lost_permits(in->events);
    if ((events & (BIT(EVENT_STOPPED) | BIT(EVENT_STOP_FAILED))) != 0 && f->plant == PLANT_STOP) {
        f->torque = false; /* nothing is commanded any more, also where a fault or an estop stays */
    }
    for (unsigned i = 0; i < sizeof order; i++) {
        if ((events & BIT(order[i])) == 0) {
            continue;
        }
        const struct fsm_at to =
            fsm_next((struct fsm_at){f->state, f->latch}, (enum fsm_event)order[i],
                     (enum response)in->how[order[i]]);
        f->latch = to.latch;
        if (to.state != f->state) {
            enter(f, to.state, now_ns);
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
    const bool moves =
        f->state == STATE_RUNNING || f->state == STATE_RETREATING || f->state == STATE_DAMPED;
    const bool holds = f->torque && !moves;
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

const char *fsm_latch_name(enum fsm_latch latch)
{
    return latch == LATCH_ESTOP ? "estop" : latch == LATCH_FAULT ? "fault" : "";
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
