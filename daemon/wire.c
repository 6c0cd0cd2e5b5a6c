/* Each message in one place: what it is filled from, what is wanted of it when it comes in. */
#include "daemon/wire.h"

#include "daemon/bus_load.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 86400.0
#define REWARD_MAX  1e6

static const char *source_name(uint8_t source)
{
    static const char *const names[] = {"hold", "random", "policy", "human"};
    return source < sizeof names / sizeof names[0] ? names[source] : "?";
}

static double us(int64_t ns)
{
    return (double)ns / 1000.0;
}

char *wire_text(const char *s)
{
    union {
        const char *in;
        char *out;
    } u = {.in = s};

    return u.out;
}

static void fill_joints(const struct record *r, const struct robot *robot, struct wire_scratch *k,
                        Basald__V1__Telemetry *m)
{
    union {
        const struct record *in;
        struct record *out;
    } u = {.in = r};
    struct record *w = u.out; /* only read */
    const size_t n = (size_t)r->n;
    for (size_t j = 0; j < n; j++) {
        k->name[j] = wire_text(robot->joint[j].name);
        k->rule[j] = wire_text(safety_rule_name((enum safety_rule)r->rule[j]));
        k->torque[j] = r->torque[j];
    }
    m->n_joint_name = m->n_position_rad = m->n_velocity_rad_s = m->n_effort_nm =
        m->n_goal_asked_rad = n;
    m->n_goal_applied_rad = m->n_temperature_c = m->n_voltage_v = m->n_age_us = m->n_faults =
        m->n_torque = n;
    m->n_rule = m->n_misses = n;
    m->joint_name = k->name;
    m->position_rad = w->q;
    m->velocity_rad_s = w->qd;
    m->effort_nm = w->tau;
    m->goal_asked_rad = w->asked;
    m->goal_applied_rad = w->applied;
    m->temperature_c = w->temp_c;
    m->voltage_v = w->volt_v;
    m->age_us = w->age_us;
    m->faults = w->faults;
    m->torque = k->torque;
    m->rule = k->rule;
    m->misses = w->misses;
    m->n_action = (size_t)r->n_act;
    m->action = w->act;
}

/* Bus i of the robot, as the n-th on CAN. */
static void take_can(const struct can_record *r, const struct robot *robot, int i, size_t n,
                     struct wire_scratch *k)
{
    struct bus_budget budget;
    bus_budget(robot, i, &budget);
    k->can_name[n] = wire_text(robot->bus[i].name);
    k->frames_tx[n] = r->frames_tx;
    k->frames_rx[n] = r->frames_rx;
    k->dropped[n] = r->dropped;
    for (int t = 0; t < CAN_TROUBLES; t++) {
        k->error[t][n] = r->errors.n[t];
    }
    k->tx_errors[n] = r->errors.tx_errors;
    k->rx_errors[n] = r->errors.rx_errors;
    k->load_min_percent[n] = 100.0 * budget.load_min_frac;
    k->load_max_percent[n] = 100.0 * budget.load_max_frac;
}

static void fill_buses(const struct record *r, const struct robot *robot, struct wire_scratch *k,
                       Basald__V1__Telemetry *m)
{
    size_t n = 0;
    for (int i = 0; i < robot->n_buses; i++) {
        if (bus_codec_find(robot->bus[i].driver).can != NULL) {
            take_can(&r->can[i], robot, i, n++, k);
        }
    }
    m->n_can_name = m->n_can_frames_tx = m->n_can_frames_rx = m->n_can_dropped = n;
    m->n_can_tx_full = m->n_can_rx_full = m->n_can_bus_off = m->n_can_restarted = n;
    m->n_can_no_ack = m->n_can_passive = m->n_can_warning = m->n_can_damaged = n;
    m->n_can_tx_errors = m->n_can_rx_errors = n;
    m->n_can_load_min_percent = m->n_can_load_max_percent = n;
    m->can_name = k->can_name;
    m->can_frames_tx = k->frames_tx;
    m->can_frames_rx = k->frames_rx;
    m->can_dropped = k->dropped;
    m->can_bus_off = k->error[0];
    m->can_no_ack = k->error[1];
    m->can_passive = k->error[2];
    m->can_warning = k->error[3];
    m->can_rx_full = k->error[4];
    m->can_tx_full = k->error[5];
    m->can_damaged = k->error[6];
    m->can_restarted = k->error[7];
    m->can_tx_errors = k->tx_errors;
    m->can_rx_errors = k->rx_errors;
    m->can_load_min_percent = k->load_min_percent;
    m->can_load_max_percent = k->load_max_percent;
}

void wire_fill(const struct record *r, const struct robot *robot, double unix_s,
               struct wire_scratch *scratch, Basald__V1__Telemetry *ret_message)
{
    Basald__V1__Telemetry *m = ret_message;
    basald__v1__telemetry__init(m);
    m->timestamp = unix_s;
    m->tick = r->tick;
    m->state = wire_text(fsm_state_name((enum fsm_state)r->state));
    m->source = wire_text(source_name(r->source));
    m->latch = wire_text(fsm_latch_name((enum fsm_latch)r->latch));
    m->cause = wire_text(cause_name((enum cause)r->cause));
    fill_joints(r, robot, scratch, m);
    m->trips = r->trips;
    m->weights_version = r->weights_version;
    m->step = r->step;
    m->episode = r->episode;
    m->reward = r->reward;
    m->episode_return = r->episode_return;
    m->way_m = r->way_m;
    m->speed_m_s = isfinite(r->speed_m_s) ? r->speed_m_s : 0.0;
    m->wake_us = us(r->wake_ns);
    m->read_us = us(r->phase_ns[PHASE_READ]);
    m->observe_us = us(r->phase_ns[PHASE_OBSERVE]);
    m->act_us = us(r->phase_ns[PHASE_ACT]);
    m->safety_us = us(r->phase_ns[PHASE_SAFETY]);
    m->write_us = us(r->phase_ns[PHASE_WRITE]);
    m->push_us = us(r->phase_ns[PHASE_PUSH]);
    m->last_byte_us = us(r->last_byte_ns);
    m->overruns = r->overruns;
    m->coasted = r->coasted;
    m->crc_errors = r->crc_errors;
    m->bytes_tx = r->bytes_tx;
    m->bytes_rx = r->bytes_rx;
    m->reconnects = r->reconnects;
    fill_buses(r, robot, scratch, m);
}

int wire_telemetry(const struct record *r, const struct robot *robot, double unix_s,
                   uint8_t *ret_bytes, size_t cap)
{
    Basald__V1__Telemetry m;
    struct wire_scratch scratch;
    wire_fill(r, robot, unix_s, &scratch, &m);
    const size_t n = basald__v1__telemetry__get_packed_size(&m);
    return n <= cap ? (int)basald__v1__telemetry__pack(&m, ret_bytes) : -ENOSPC;
}

static const char *joint_name(const struct robot *robot, int j)
{
    return j >= 0 && j < robot->n_joints ? robot->joint[j].name : "?";
}

/* What stands in the way of arming or running from here, and how to get there. */
static const char *way_to(enum request_kind kind, enum fsm_state state)
{
    switch (state) {
    case STATE_LIMP:
        return "torque is off: basalctl arm first";
    case STATE_ARMING:
        return "it is still arming: try again when it is ready";
    case STATE_READY:
    case STATE_RUNNING:
        return "it is armed already";
    case STATE_HOLDING:
        return "it holds: see to what basalctl status says; then basalctl run, or where it is "
               "latched basalctl stop, clear and arm";
    case STATE_RETREATING:
    case STATE_DAMPED:
        return "it is on its way to rest: try again when torque is off";
    case STATE_STOPPING:
        return "it is stopping: try again when it is limp";
    case STATE_FAULT:
    case STATE_ESTOP:
        return kind == REQUEST_ARM
                   ? "it is latched: see to what basalctl status says, then basalctl clear"
                   : "it is latched: see to what basalctl status says, then basalctl clear and arm";
    case STATE_BOOT:
    case STATES_N:
        break;
    }
    return "its devices are not known yet: try again in a moment";
}

static const char *wrong_state(enum request_kind kind, enum fsm_state state)
{
    switch (kind) {
    case REQUEST_HOLD:
        return "nothing drives it: there is nothing to hold back";
    case REQUEST_CLEAR:
        return "there is no fault and no estop to leave";
    case REQUEST_EPISODE_END:
        return "no episode is open: one begins with basalctl run";
    case REQUEST_EPISODE_BEGIN:
        return "no episode waits to begin: with task.reset ask one does when another has ended";
    case REQUEST_ARM:
    case REQUEST_RUN:
    case REQUEST_EVAL:
        return way_to(kind, state);
    case REQUEST_NONE:
        break;
    }
    return "not possible in this state";
}

const char *wire_refusal(enum request_kind kind, enum refusal refusal, enum fsm_state state)
{
    switch (refusal) {
    case REFUSED_NOT:
        return "";
    case REFUSED_STATE:
        return wrong_state(kind, state);
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
    case REFUSED_LATE:
        return "it came too late to be done unseen: look at basalctl status, then ask again";
    case REFUSED_LOST:
        return "a stop, a fault or a hold came at the same moment: look at basalctl status, then "
               "ask again";
    }
    return "?";
}

static const char *request_name(int32_t kind)
{
    static const char *const names[] = {"?",     "arm",  "run",         "hold",
                                        "clear", "eval", "episode end", "episode begin"};
    return names[kind > 0 && kind < (int32_t)(sizeof names / sizeof names[0]) ? kind : 0];
}

static const char *state_name(int32_t state)
{
    return state >= 0 && state < STATES_N ? fsm_state_name((enum fsm_state)state) : "?";
}

void wire_sentence(const struct happened *h, const struct robot *robot, char *ret_text, int cap)
{
    const size_t n = (size_t)cap;
    (void)snprintf(ret_text, n, "something of an unknown kind");
    switch (h->kind) {
    case HAPPENED_STATE:
        (void)snprintf(ret_text, n, "%s -> %s%s%.200s", state_name(h->a), state_name(h->b),
                       h->text[0] != '\0' ? ": " : "", h->text);
        break;
    case HAPPENED_TRIP:
        (void)snprintf(ret_text, n, "%s", h->text[0] != '\0' ? h->text : joint_name(robot, h->b));
        break;
    case HAPPENED_REFUSED:
        (void)snprintf(
            ret_text, n, "%s is refused: %s%s%.200s", request_name(h->a),
            wire_refusal((enum request_kind)h->a, (enum refusal)h->b, (enum fsm_state)h->c),
            h->text[0] != '\0' ? ": " : "", h->text);
        break;
    case HAPPENED_EPISODE:
        (void)snprintf(ret_text, n, "episode %d: return %.2f in %.1f s%s", (int)h->a, h->x, h->y,
                       h->b != 0 ? ", a success" : "");
        break;
    case HAPPENED_PLANT:
        (void)snprintf(ret_text, n, "%s",
                       h->a != 0 ? "the devices are there, torque is off" : h->text);
        break;
    case HAPPENED_RESET:
    case HAPPENED_SETTINGS:
        (void)snprintf(ret_text, n, "%s", h->text);
        break;
    case HAPPENED_EVAL:
        (void)snprintf(ret_text, n, "evaluation: %.4f m/s", h->x);
        break;
    }
}

static const char *event_name(enum event_kind kind)
{
    static const char *const names[] = {"state", "trip", "refused", "episode",
                                        "plant", "eval", "reset",   "settings"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

int wire_event(const struct happened *h, const struct robot *robot, double unix_s,
               uint8_t *ret_bytes, size_t cap)
{
    char sentence[WHY_CHARS + 64];
    Basald__V1__Event m = BASALD__V1__EVENT__INIT;
    wire_sentence(h, robot, sentence, (int)sizeof sentence);
    m.timestamp = unix_s;
    m.kind = wire_text(event_name(h->kind));
    m.text = sentence;
    m.value = h->x;
    const size_t n = basald__v1__event__get_packed_size(&m);
    return n <= cap ? (int)basald__v1__event__pack(&m, ret_bytes) : -ENOSPC;
}

int64_t wire_weights(const uint8_t *block, size_t n, uint8_t *ret_bytes, size_t cap)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } u = {.in = block}; /* only read */

    Basald__V1__Weights m = BASALD__V1__WEIGHTS__INIT;
    m.block.data = u.out;
    m.block.len = n;
    return basald__v1__weights__get_packed_size(&m) <= cap
               ? (int64_t)basald__v1__weights__pack(&m, ret_bytes)
               : -ENOSPC;
}

int wire_weights_open(const uint8_t *bytes, size_t n, Basald__V1__Weights **ret_message)
{
    Basald__V1__Weights *m = n > 0 ? basald__v1__weights__unpack(NULL, n, bytes) : NULL;
    if (m == NULL || m->block.len == 0) {
        wire_weights_free(m);
        return -EBADMSG;
    }
    *ret_message = m;
    return 0;
}

void wire_weights_free(Basald__V1__Weights *m)
{
    if (m != NULL) {
        basald__v1__weights__free_unpacked(m, NULL);
    }
}

int wire_command(const uint8_t *bytes, size_t n, size_t n_max, Basald__V1__Command **ret_command)
{
    if (n == 0 || n > n_max) {
        return -EBADMSG;
    }
    Basald__V1__Command *c = basald__v1__command__unpack(NULL, n, bytes);
    if (c == NULL) {
        return -EBADMSG;
    }
    /* written so that NaN fails */
    if (!(c->seconds >= 0.0 && c->seconds <= SECONDS_MAX) || !(fabs(c->reward) <= REWARD_MAX) ||
        strlen(c->verb) > WIRE_VERB_MAX) {
        wire_command_free(c);
        return -EBADMSG;
    }
    *ret_command = c;
    return 0;
}

void wire_command_free(Basald__V1__Command *c)
{
    if (c != NULL) {
        basald__v1__command__free_unpacked(c, NULL);
    }
}
