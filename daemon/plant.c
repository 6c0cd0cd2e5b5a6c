#include "daemon/plant_inside.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SETTLED_RAD_S 0.05
#define REST_US       500 /* of a tick that starts late, for what is neither reading nor waiting */

void plant_wire(struct plant *p, struct bus_run *b, int i, void **states)
{
    b->bus.robot = &p->config->robot;
    b->bus.spec = &p->config->robot.bus[i];
    b->codec = bus_codec_find(b->bus.spec->driver);
    b->port.world = p->world;
    b->port.clock = p->clock;
    b->setup.bus = &b->bus;
    b->setup.sensed = &p->sensed;
    memcpy(b->bus.state, states, sizeof b->bus.state);
}

static int open_bus(struct plant *p, int i, struct arena *mem, char *ret_why, int cap)
{
    struct bus_run *b = &p->bus[i];
    const struct robot *robot = &p->config->robot;
    const struct bus_codec codec = bus_codec_find(robot->bus[i].driver);
    if (codec.info == NULL) {
        return why(ret_why, cap, -EINVAL, "bus %s: no driver is called \"%s\"", robot->bus[i].name,
                   robot->bus[i].driver);
    }
    void *states[JOINTS_MAX] = {0};
    for (int j = 0; j < robot->n_joints; j++) {
        if (robot->joint[j].bus == i) {
            b->bus.joint[b->bus.n++] = j;
            states[j] = arena_take(mem, codec.info->joint_bytes);
        }
    }
    b->bus.index = i;
    port_init(&b->port, robot, i);
    plant_wire(p, b, i, states);
    atomic_init(&b->offered, -1);
    atomic_init(&b->returned, -1);
    atomic_init(&b->wanted, p->world == NULL);
    atomic_init(&b->trouble, 0);
    b->lock = -1;
    return 0;
}

int plant_open(struct plant **ret_plant, const struct plant_spec *spec, struct arena *mem,
               char *ret_why, int cap)
{
    struct plant *p = arena_take(mem, sizeof *p);
    const struct config *c = spec->config;
    p->config = c;
    p->clock = spec->clock;
    p->kind = spec->kind;
    p->event = -1;
    p->sensed.n = c->robot.n_joints;
    p->sensed.legal = UINT64_MAX;
    for (int j = 0; j < JOINTS_MAX; j++) {
        p->sensed.age_us[j] = INT32_MAX;
        p->sensed.volt_v[j] = NAN;
        p->sensed.temp_c[j] = NAN;
    }
    (void)snprintf(p->why, sizeof p->why, "devices are not identified yet");
    if (spec->kind != PLANT_DEVICES && !spec->clock->is_virtual) {
        p->wall = spec->clock;
        p->wire_clock.is_virtual = true;
        p->clock = &p->wire_clock;
    }
    if (spec->kind != PLANT_DEVICES) {
        const int rc = world_open(&p->world, c, spec->seed, mem, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
        p->t_ns = clock_now_ns(spec->clock); /* a real clock counts from the machine's start */
        world_begin(p->world, p->t_ns);
    }
    p->n_buses = spec->kind == PLANT_BODY ? 0 : c->robot.n_buses;
    for (int i = 0; i < p->n_buses; i++) {
        const int rc = open_bus(p, i, mem, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    *ret_plant = p;
    return 0;
}

void plant_close(struct plant *p)
{
    for (int i = 0; p != NULL && i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        port_close(b->port.kind, b->port.fd);
        port_close(b->port.kind, atomic_exchange(&b->offered, -1));
        port_close(b->port.kind, atomic_exchange(&b->returned, -1));
        b->port.fd = -1;
        port_close(PORT_CAN, b->lock);
        b->lock = -1;
    }
    if (p != NULL && p->world != NULL) {
        world_close(p->world);
    }
}

static void take_port(struct plant *p, struct bus_run *b)
{
    if (p->world != NULL) {
        port_take(&b->port, -1);
        b->up = port_discard(&b->port) == 0;
        return;
    }
    const int fd = atomic_exchange_explicit(&b->offered, -1, memory_order_acquire);
    if (fd >= 0) {
        port_take(&b->port, fd);
        b->up = true;
        p->retry_ns = 0;
    }
}

static void age(struct plant *p, int64_t t_ns)
{
    const int64_t dt_us = (t_ns - p->t_ns) / NS_PER_US;
    for (int j = 0; j < p->sensed.n; j++) {
        const int64_t older_us = p->sensed.age_us[j] + dt_us;
        p->sensed.age_us[j] = older_us > INT32_MAX ? INT32_MAX : (int32_t)older_us;
    }
    p->t_ns = t_ns;
    p->sensed.t_ns = t_ns;
    p->fresh = 0;
    p->counters.last_byte_ns = 0;
}

/*
 * A tick that starts late listens and writes as much later, so that nobody speaks while an answer
 * is still under way; as long as the tick can still end in its period.
 */
static int64_t lateness(const struct plant *p, int64_t now_ns)
{
    int64_t room_ns =
        (int64_t)((double)NS_PER_S / p->config->robot.control_rate_hz) - REST_US * NS_PER_US;
    int64_t busy_ns = 0;
    for (int i = 0; i < p->n_buses; i++) {
        const struct bus_spec *b = p->bus[i].bus.spec;
        const int us = b->order == ORDER_PIPELINED ? b->reply_deadline_us : b->write_phase_us;
        busy_ns = us * NS_PER_US > busy_ns ? us * NS_PER_US : busy_ns;
    }
    room_ns = room_ns > busy_ns ? room_ns - busy_ns : 0;
    const int64_t late_ns = now_ns > p->t_ns ? now_ns - p->t_ns : 0;
    return late_ns < room_ns ? late_ns : room_ns;
}

int64_t plant_deadline_ns(const struct plant *p, const struct bus_run *b)
{
    return p->t_ns + p->late_ns + b->bus.spec->reply_deadline_us * NS_PER_US;
}

/* The first joint from j on whose torque was read back as on although nothing drives it, or as off
 * although it is driven. -1: none. */
static int torque_astray(const struct plant *p, bool driven, int j)
{
    for (; j < p->sensed.n; j++) {
        const bool wanted = driven && p->config->robot.joint[j].actuated;
        if (p->sensed.torque[j] == (wanted ? TORQUE_OFF : TORQUE_ON)) {
            return j;
        }
    }
    return -1;
}

/* While the robot is driven that is a fault of the joint, until it is armed again. */
static void judge_torque(struct plant *p)
{
    if (p->doing != PLANT_RUN || p->kind == PLANT_BODY) {
        return;
    }
    for (int j = torque_astray(p, true, 0); j >= 0; j = torque_astray(p, true, j + 1)) {
        p->sensed.faults[j] |= FAULT_TORQUE;
    }
}

/* For plant_service to say. */
static void tell_troubles(struct plant *p)
{
    for (int i = 0; i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        if (b->port.trouble != 0) {
            (void)atomic_fetch_or_explicit(&b->trouble, b->port.trouble, memory_order_relaxed);
            b->port.trouble = 0;
        }
    }
}

void plant_read(struct plant *p, int64_t t_ns, struct sensed *ret_sensed, uint64_t *ret_fresh)
{
    age(p, t_ns);
    if (p->world != NULL) {
        world_advance(p->world, t_ns);
        p->clock->now_ns = t_ns;
    }
    if (p->kind == PLANT_BODY) {
        if (p->begins) {
            world_reset(p->world);
            p->begins = false;
        }
        world_sense(p->world, &p->sensed);
        p->fresh = UINT64_MAX;
    }
    for (int i = 0; i < p->n_buses; i++) {
        if (!p->bus[i].up) {
            take_port(p, &p->bus[i]);
        }
    }
    const int64_t begun_ns = clock_now_ns(p->clock);
    p->late_ns = lateness(p, begun_ns);
    if (p->job != JOB_NONE) {
        job_step(p, plant_deadline_ns(p, &p->bus[0]));
    } else {
        plant_read_buses(p);
        const int64_t took_us = (clock_now_ns(p->clock) - begun_ns) / NS_PER_US;
        if (took_us > p->counters.read_phase_us_max) {
            p->counters.read_phase_us_max = took_us;
        }
    }
    tell_troubles(p);
    p->seen |= p->fresh;
    judge_torque(p);
    *ret_sensed = p->sensed;
    *ret_fresh = p->fresh;
}

static bool settled(const struct plant *p)
{
    for (int j = 0; j < p->sensed.n; j++) {
        if (p->config->robot.joint[j].actuated && fabs(p->sensed.qd[j]) > SETTLED_RAD_S) {
            return false;
        }
    }
    return true;
}

static bool stop_is_over(const struct plant *p)
{
    const int64_t limit_ns = (int64_t)(p->config->control.stop_s * (double)NS_PER_S);
    return settled(p) || p->t_ns - p->stop_ns > limit_ns;
}

/* Bodies without buses have nothing to set up; stopping takes them as long as others. */
static int body_event(struct plant *p, bool changed)
{
    p->known = true;
    p->why[0] = '\0';
    if (changed) {
        p->stopped = false;
        p->stop_ns = p->t_ns;
    }
    switch (p->doing) {
    case PLANT_IDENTIFY:
        return changed ? EVENT_IDENTIFIED : -1;
    case PLANT_ARM:
        return changed ? EVENT_ARMED : -1;
    case PLANT_STOP:
        if (!p->stopped && stop_is_over(p)) {
            p->stopped = true;
            return EVENT_STOPPED;
        }
        return -1;
    case PLANT_LISTEN:
    case PLANT_RUN:
        break;
    }
    return -1;
}

void plant_know(struct plant *p, bool known)
{
    p->known = known;
    for (int i = 0; i < p->n_buses; i++) {
        p->bus[i].known = known;
    }
}

bool plant_reaches(const struct plant *p, const struct bus_run *b)
{
    return b->up && (p->known || (b->known && p->doing == PLANT_RUN));
}

void plant_reset(struct plant *p)
{
    p->begins = true;
}

/* Torque came on while nothing may drive: off with it at once; then the devices are found anew and
 * their torque read back. */
static void quench(struct plant *p)
{
    const int j = torque_astray(p, false, 0);
    if (j < 0) {
        return;
    }
    for (int i = 0; i < p->n_buses; i++) {
        plant_send_stop(p, &p->bus[i]);
    }
    plant_know(p, false);
    p->retry_ns = 0;
    p->sensed.torque[j] = TORQUE_UNKNOWN;
    (void)snprintf(p->why, sizeof p->why,
                   "joint %s: its torque is on though nobody armed it: it is switched off again; "
                   "see what else commands its bus",
                   p->config->robot.joint[j].name);
}

int plant_do(struct plant *p, enum plant_do what)
{
    const bool changed = what != p->doing;
    const int64_t now_ns = p->t_ns;
    p->doing = what;
    if (p->kind == PLANT_BODY) {
        return body_event(p, changed);
    }
    if (changed) {
        p->job = JOB_NONE;
        p->stopped = false;
        p->stop_ns = now_ns;
        if (what == PLANT_ARM) {
            job_start(p, JOB_ARM);
        }
    }
    const bool idle =
        what == PLANT_LISTEN || what == PLANT_IDENTIFY || (what == PLANT_STOP && p->stopped);
    if (idle && !p->known && p->job == JOB_NONE && now_ns >= p->retry_ns) {
        job_start(p, JOB_BRING_UP);
    } else if (idle && p->known && p->job == JOB_NONE) {
        quench(p);
    }
    if (what == PLANT_STOP && !p->stopped && p->job == JOB_NONE && (!p->known || stop_is_over(p))) {
        job_start(p, JOB_STOP);
    }
    const int event = p->event;
    p->event = -1;
    return event;
}

void plant_send_stop(struct plant *p, struct bus_run *b)
{
    FRAMES_ALIGNED uint8_t tx[TX_BYTES];
    const int n = b->up ? bus_stop(&b->codec, &b->bus, STOP_OFF, tx, sizeof tx) : 0;
    if (n > 0) {
        (void)plant_send(p, b, tx, (size_t)n);
    }
}

int plant_send(struct plant *p, struct bus_run *b, const uint8_t *tx, size_t n)
{
    const int rc = port_write(&b->port, tx, n);
    if (rc == 0) {
        plant_count(b, tx, n, &p->counters.bytes_tx, &p->counters.frames_tx[b->bus.index]);
    }
    return rc;
}

void plant_count(const struct bus_run *b, const uint8_t *bytes, size_t n, uint64_t *ret_bytes,
                 uint64_t *ret_frames)
{
    if (b->codec.can == NULL) {
        *ret_bytes += n;
        return;
    }
    for (size_t at = 0; at + CANFD_MTU <= n; at += CANFD_MTU) {
        struct canfd_frame f;
        memcpy(&f, bytes + at, sizeof f);
        *ret_bytes += f.len;
        *ret_frames += 1;
    }
}
