/*
 * A driver on CAN and its motor that are in no robot: the least that shows what the plant, the wire
 * and the transports do for every driver. The linker puts both into the registries of the tests
 * that ask for it (can_driver_find, device_find, --wrap in tests/CMakeLists.txt).
 *
 *   to the motor, id           what, 0, float q, 0, 0       answered each, once
 *   from it, DOUBLE_ID + id    torque, 0xA5, float q, 0, 0
 *                              2, 0xA5, ...                unasked: it is hot
 */
#pragma once

#include "daemon/base/clock.h"
#include "drivers/driver.h"
#include "sim/firmware/device.h"

#include <errno.h>
#include <string.h>

enum double_what { DOUBLE_QUERY, DOUBLE_GOAL, DOUBLE_ON, DOUBLE_OFF };

#define DOUBLE_ID       0x100
#define DOUBLE_MARK     0xA5
#define DOUBLE_PAUSE_NS (30 * NS_PER_US)
#define DOUBLE_TRIES    3
#define DOUBLE_HOT      2

static inline struct canfd_frame double_frame(const struct robot_bus *b, int j, uint8_t what,
                                              double q)
{
    const float f = (float)q;
    struct canfd_frame tx = {.can_id = (canid_t)b->robot->joint[j].id, .len = 8};
    tx.flags = b->spec->data_bitrate > 0 ? CANFD_FDF | CANFD_BRS : 0;
    tx.data[0] = what;
    memcpy(tx.data + 2, &f, sizeof f);
    return tx;
}

/* --- the driver --- */

static inline int double_decode(struct robot_bus *b, const struct canfd_frame *rx,
                                struct sensed *ret_sensed)
{
    const int j = rx->can_id >= DOUBLE_ID && rx->can_id < DOUBLE_ID + 256
                      ? robot_bus_joint(b, (int)rx->can_id - DOUBLE_ID)
                      : -1;
    float q;
    if (j >= 0 && rx->len == 8 && rx->data[0] == DOUBLE_HOT) {
        ret_sensed->faults[j] |= FAULT_OVERHEAT;
        return 1;
    }
    if (j < 0 || (b->pending >> j & 1u) == 0) {
        return 0;
    }
    if (rx->len != 8 || rx->data[1] != DOUBLE_MARK) {
        return -EBADMSG;
    }
    memcpy(&q, rx->data + 2, sizeof q);
    b->pending &= ~(UINT64_C(1) << j);
    ret_sensed->q[j] = (double)q;
    ret_sensed->torque[j] = rx->data[0] != 0 ? TORQUE_ON : TORQUE_OFF;
    ret_sensed->volt_v[j] = 12.0f;
    ret_sensed->temp_c[j] = 30.0f;
    return 1;
}

static inline int double_ask(struct robot_bus *b, struct canfd_frame *ret_tx, int cap)
{
    (void)b;
    (void)ret_tx;
    (void)cap;
    return 0;
}

static inline int double_goals(struct robot_bus *b, const struct command *cmd,
                               struct canfd_frame *ret_tx, int cap)
{
    for (int k = 0; k < b->n && k < cap; k++) {
        const int j = b->joint[k];
        const bool driven = b->robot->joint[j].actuated && cmd->mode[j] != MODE_OFF;
        ret_tx[k] = double_frame(b, j, driven ? DOUBLE_GOAL : DOUBLE_QUERY, cmd->q[j]);
        b->pending |= UINT64_C(1) << j;
    }
    return b->n;
}

static inline int double_stop(const struct robot_bus *b, enum stop_how how,
                              struct canfd_frame *ret_tx, int cap)
{
    for (int k = 0; how == STOP_OFF && k < b->n && k < cap; k++) {
        ret_tx[k] = double_frame(b, b->joint[k], DOUBLE_OFF, 0.0);
    }
    return how == STOP_OFF ? b->n : -ENOTSUP;
}

/* What each goal of set-up sends to a joint, and the torque that its answer must show. */
static inline int double_setup(struct setup *s, int64_t now_ns, const struct canfd_frame *rx, int n,
                               struct canfd_frame *ret_tx, int cap)
{
    static const uint8_t what[] = {
        [SETUP_IDENTIFY] = DOUBLE_QUERY, [SETUP_ARM] = DOUBLE_ON, [SETUP_DISARM] = DOUBLE_OFF};
    struct robot_bus *b = s->bus;
    while (s->joint < b->n && s->goal == SETUP_ARM &&
           !b->robot->joint[b->joint[s->joint]].actuated) {
        s->joint++;
    }
    if (s->joint == b->n) {
        s->state = s->failed ? SETUP_FAILED : SETUP_DONE;
        return 0;
    }
    const int j = b->joint[s->joint];
    if (s->tries > 0 && n > 0) {
        struct sensed seen = {.n = b->robot->n_joints};
        s->used = 1;
        b->pending = UINT64_C(1) << j;
        const bool ours = double_decode(b, rx, &seen) == 1;
        b->pending = 0;
        if (ours && (seen.torque[j] == TORQUE_ON) == (s->goal == SETUP_ARM)) {
            s->torque_off |= s->goal == SETUP_ARM ? 0 : UINT64_C(1) << j;
            s->posed |= s->goal == SETUP_ARM ? UINT64_C(1) << j : 0;
            s->q[j] = seen.q[j];
            s->joint++;
            s->tries = 0;
        }
        return 0;
    }
    if (s->tries > 0 && now_ns < s->wake_ns) {
        return 0;
    }
    if (s->tries == DOUBLE_TRIES) {
        (void)why(s->why, (int)sizeof s->why, 0, "joint %s does not answer; check its cable",
                  b->robot->joint[j].name);
        s->failed = true;
        s->tries = 0;
        s->joint = s->goal == SETUP_DISARM ? s->joint + 1 : b->n;
        return 0;
    }
    if (cap < 1 || now_ns < s->wake_ns) {
        return 0;
    }
    s->tries++;
    s->wake_ns = now_ns + 5 * NS_PER_MS;
    ret_tx[0] = double_frame(b, j, what[s->goal], 0.0);
    return 1;
}

static inline void double_load(const struct robot *r, int bus, struct can_load *ret_load)
{
    int n = 0;
    for (int j = 0; j < r->n_joints; j++) {
        n += r->joint[j].bus == bus;
    }
    *ret_load = (struct can_load){
        .n = 2, .frames = {{.n = n, .bytes = 8}, {.n = n, .bytes = 8}}, .reply_us = 30};
}

static inline int double_filters(const struct robot *r, int bus, struct can_filter *ret_filters,
                                 int cap)
{
    int n = 0;
    for (int j = 0; j < r->n_joints && n < cap; j++) {
        if (r->joint[j].bus == bus) {
            ret_filters[n++] =
                (struct can_filter){.can_id = (canid_t)(DOUBLE_ID + r->joint[j].id),
                                    .can_mask = CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG};
        }
    }
    return n;
}

static const struct silence_row double_silence[] = {{.silence = SILENCE_OFF, .source = "itself"},
                                                    {.source = NULL}};

static const struct can_driver can_double = {
    .info = {.name = "double", .joint_bytes = 8, .silence = double_silence},
    .setup = double_setup,
    .ask = double_ask,
    .goals = double_goals,
    .decode = double_decode,
    .stop = double_stop,
    .load = double_load,
    .filters = double_filters};

/* --- the motor --- */

struct double_config {
    double mute_at_s, mute_s; /* answers nothing then, for so long */
    double hot_at_s;          /* it says so then, once; 0: never */
    bool damaged;             /* its answers have no mark */
};

struct double_motor {
    struct double_config c;
    int joint;
    canid_t id;
    bool on, fd;
    float goal;
    double q, kp, tau_max;
    int64_t due_ns;  /* of the answer; INT64_MAX: none */
    int64_t hot_ns;  /* of what it says unasked; INT64_MAX: nothing */
    uint64_t heard;  /* commands to it */
    uint64_t others; /* frames of others */
};

#define AT(field) offsetof(struct double_config, field)
static const struct option double_options[] = {
    {.key = "mute_at_s",
     .type = OPTION_DOUBLE,
     .offset = AT(mute_at_s),
     .min = 0,
     .max = 1e9,
     .def = "0",
     .help = "silent from then"},
    {.key = "mute_s",
     .type = OPTION_DOUBLE,
     .offset = AT(mute_s),
     .min = 0,
     .max = 1e9,
     .def = "0",
     .help = "for this long"},
    {.key = "hot_at_s",
     .type = OPTION_DOUBLE,
     .offset = AT(hot_at_s),
     .min = 0,
     .max = 1e9,
     .def = "0",
     .help = "complains then"},
    {.key = "damaged",
     .type = OPTION_BOOL,
     .offset = AT(damaged),
     .def = "false",
     .help = "its answers are damaged"},
    {.key = NULL},
};
#undef AT

static inline void double_init(const void *config, const struct robot *robot, int joint,
                               void *ret_state)
{
    const struct double_config *c = config;
    struct double_motor m = {.joint = joint, .due_ns = INT64_MAX};
    m.c = *c;
    m.hot_ns = c->hot_at_s > 0.0 ? (int64_t)(c->hot_at_s * 1e9) : INT64_MAX;
    m.id = (canid_t)robot->joint[joint].id;
    m.tau_max = robot->joint[joint].tau_max;
    m.kp = 20.0 * m.tau_max;
    memcpy(ret_state, &m, sizeof m);
}

static inline void double_rx(void *state, const uint8_t *bytes, size_t n, int64_t t_ns,
                             uint32_t bitrate)
{
    struct double_motor *m = state;
    struct canfd_frame f = {.can_id = 0};
    (void)bitrate;
    memcpy(&f, bytes, n < sizeof f ? n : sizeof f);
    if (f.can_id != m->id) {
        m->others++;
        return;
    }
    m->heard++;
    m->fd = (f.flags & CANFD_FDF) != 0;
    m->on = f.data[0] == DOUBLE_ON || (m->on && f.data[0] != DOUBLE_OFF);
    if (f.data[0] == DOUBLE_GOAL) {
        memcpy(&m->goal, f.data + 2, sizeof m->goal);
    } else if (f.data[0] == DOUBLE_ON) {
        m->goal = (float)m->q;
    }
    const double now_s = (double)t_ns * 1e-9;
    const bool mute = now_s >= m->c.mute_at_s && now_s < m->c.mute_at_s + m->c.mute_s;
    m->due_ns = mute ? INT64_MAX : t_ns + DOUBLE_PAUSE_NS;
}

static inline int64_t double_due(const void *state)
{
    const struct double_motor *m = state;
    return m->due_ns < m->hot_ns ? m->due_ns : m->hot_ns;
}

static inline int double_tx(void *state, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    struct double_motor *m = state;
    const float q = (float)m->q;
    struct canfd_frame f = {.can_id = DOUBLE_ID + m->id, .len = 8};
    const bool hot = t_ns >= m->hot_ns;
    f.flags = m->fd ? CANFD_FDF | CANFD_BRS : 0;
    f.data[0] = hot ? DOUBLE_HOT : m->on;
    f.data[1] = m->c.damaged ? 0 : DOUBLE_MARK;
    memcpy(f.data + 2, &q, sizeof q);
    *(hot ? &m->hot_ns : &m->due_ns) = INT64_MAX;
    memcpy(ret_bytes, &f, cap < sizeof f ? cap : sizeof f);
    return (int)sizeof f;
}

static inline void double_step(void *state, int64_t t_ns, const struct sensed *s,
                               struct command *ret_cmd)
{
    struct double_motor *m = state;
    (void)t_ns;
    m->q = s->q[m->joint];
    ret_cmd->mode[m->joint] = m->on ? MODE_POSITION : MODE_OFF;
    ret_cmd->q[m->joint] = (double)m->goal;
    ret_cmd->kp[m->joint] = m->kp;
    ret_cmd->tau_max[m->joint] = m->on ? m->tau_max : 0.0;
}

static const struct device device_double = {.name = "double",
                                            .options = double_options,
                                            .config_bytes = sizeof(struct double_config),
                                            .state_bytes = sizeof(struct double_motor),
                                            .init = double_init,
                                            .rx = double_rx,
                                            .due = double_due,
                                            .tx = double_tx,
                                            .step = double_step};

/* --- the registries as these tests see them --- */

const struct can_driver *__real_can_driver_find(const char *name);
const struct can_driver *__wrap_can_driver_find(const char *name);
const struct device *__real_device_find(const char *name);
const struct device *__wrap_device_find(const char *name);

const struct can_driver *__wrap_can_driver_find(const char *name)
{
    return strcmp(name, "double") == 0 ? &can_double : __real_can_driver_find(name);
}

const struct device *__wrap_device_find(const char *name)
{
    return strcmp(name, "double") == 0 ? &device_double : __real_device_find(name);
}
