#include "daemon/plant_inside.h"

#include "drivers/io/serial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BRING_UP_NS     (50 * NS_PER_MS) /* no deadline of a moving robot is near while limp */
#define SETTLED_RAD_S   0.05
#define REOPEN_FIRST_NS (200 * NS_PER_MS)
#define REOPEN_LAST_NS  (2 * NS_PER_S)
#define BUSY_TOLD_NS    (4 * REOPEN_FIRST_NS)

static void wire_pointers(struct plant *p, struct bus_run *b, int i, void **states)
{
    b->bus.robot = &p->config->robot;
    b->bus.spec = &p->config->robot.bus[i];
    b->driver = serial_driver_find(b->bus.spec->driver);
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
    const struct serial_driver *driver = serial_driver_find(robot->bus[i].driver);
    if (driver == NULL) {
        return why(ret_why, cap, -EINVAL, "bus %s: no driver is called \"%s\"", robot->bus[i].name,
                   robot->bus[i].driver);
    }
    void *states[JOINTS_MAX] = {0};
    for (int j = 0; j < robot->n_joints; j++) {
        if (robot->joint[j].bus == i) {
            b->bus.joint[b->bus.n++] = j;
            states[j] = arena_take(mem, driver->info.joint_bytes);
        }
    }
    b->bus.index = i;
    b->port = (struct port){.fd = -1, .bus = i, .baud = robot->bus[i].baud};
    wire_pointers(p, b, i, states);
    atomic_init(&b->offered, -1);
    atomic_init(&b->returned, -1);
    atomic_init(&b->wanted, p->world == NULL);
    return 0;
}

int plant_open(struct plant **ret_plant, const struct config *c, enum plant_kind kind,
               struct clock *clock, uint64_t seed, struct arena *mem, char *ret_why, int cap)
{
    struct plant *p = arena_take(mem, sizeof *p);
    p->config = c;
    p->clock = clock;
    p->kind = kind;
    p->event = -1;
    p->sensed.n = c->robot.n_joints;
    p->sensed.legal = UINT64_MAX;
    for (int j = 0; j < JOINTS_MAX; j++) {
        p->sensed.age_us[j] = INT32_MAX;
        p->sensed.volt_v[j] = NAN;
        p->sensed.temp_c[j] = NAN;
    }
    (void)snprintf(p->why, sizeof p->why, "devices are not identified yet");
    if (kind != PLANT_DEVICES) {
        const int rc = world_open(&p->world, c, seed, mem, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    p->n_buses = kind == PLANT_BODY ? 0 : c->robot.n_buses;
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
        serial_close(b->port.fd);
        serial_close(atomic_exchange(&b->offered, -1));
        serial_close(atomic_exchange(&b->returned, -1));
        b->port.fd = -1;
    }
}

/* Whole frames out of the receive buffer; damage costs one byte at a time. */
static void decode_all(struct bus_run *b, struct sensed *s)
{
    size_t at = 0;
    while (at < b->n_rx) {
        const int used = b->driver->decode(&b->bus, b->rx + at, b->n_rx - at, s);
        if (used == 0 && !(at == 0 && b->n_rx == sizeof b->rx)) {
            break;
        }
        if (used > 0) {
            at += (size_t)used;
        } else {
            at++;
            b->bus.bytes_lost++;
        }
    }
    b->n_rx -= at;
    memmove(b->rx, b->rx + at, b->n_rx);
}

/* 1: all answered, 0: the deadline came, -EIO: gone. */
static int collect(struct plant *p, struct bus_run *b, int64_t deadline_ns)
{
    while (b->bus.pending != 0) {
        const int n = port_read(&b->port, deadline_ns, b->rx + b->n_rx, sizeof b->rx - b->n_rx);
        if (n <= 0) {
            return n;
        }
        b->n_rx += (size_t)n;
        p->counters.bytes_rx += (uint64_t)n;
        decode_all(b, &p->sensed);
    }
    return 1;
}

static void count_answers(struct plant *p, struct bus_run *b, uint64_t asked)
{
    struct plant_counters *c = &p->counters;
    const uint64_t missed = b->bus.pending;
    b->bus.pending = 0;
    for (int k = 0; k < b->bus.n; k++) {
        const int j = b->bus.joint[k];
        if ((asked >> j & 1u) == 0) {
            continue;
        }
        c->requests[j]++;
        if ((missed >> j & 1u) == 0) {
            c->misses_in_a_row[j] = 0;
            p->sensed.faults[j] &= ~(uint32_t)FAULT_LOST;
            continue;
        }
        c->misses[j]++;
        c->misses_in_a_row[j]++;
        if (c->misses_in_a_row[j] > c->misses_in_a_row_max[j]) {
            c->misses_in_a_row_max[j] = c->misses_in_a_row[j];
        }
        if (c->misses_in_a_row[j] > b->bus.spec->misses_max) {
            p->sensed.faults[j] |= FAULT_LOST;
        }
    }
}

/* Ask, collect until all have answered or the deadline; then once more for the slow registers, if
 * it still fits. */
static void read_bus(struct plant *p, struct bus_run *b)
{
    const int64_t deadline_ns = p->t_ns + b->bus.spec->reply_deadline_us * NS_PER_US;
    const int64_t reply_ns = b->driver->info.reply_us_max * NS_PER_US;
    uint8_t tx[TX_BYTES];
    int rc = port_discard(&b->port);
    b->n_rx = 0;
    b->bus.asked = 0;
    b->bus.slow_due = true;
    for (int i = 0; rc >= 0 && (i == 0 || clock_now_ns(p->clock) + reply_ns <= deadline_ns); i++) {
        const int n = b->driver->ask(&b->bus, tx, sizeof tx);
        if (n <= 0) {
            break;
        }
        p->counters.bytes_tx += (uint64_t)n;
        const uint64_t asked = b->bus.pending;
        rc = port_write(&b->port, tx, (size_t)n);
        if (rc == 0) {
            rc = collect(p, b, deadline_ns);
        }
        if (i == 0) {
            p->fresh |= asked & ~b->bus.pending;
        }
        count_answers(p, b, asked);
    }
    if (rc == -EIO) {
        plant_lose(p, b);
    }
    p->counters.crc_errors += b->bus.crc_errors;
    p->counters.bytes_lost += b->bus.bytes_lost;
    p->counters.bad_replies += b->bus.bad_replies;
    b->bus.crc_errors = b->bus.bytes_lost = b->bus.bad_replies = 0;
}

static void take_port(struct plant *p, struct bus_run *b)
{
    if (p->world != NULL) {
        uint8_t junk[16];
        b->up = world_rx(p->world, b->port.bus, world_now_ns(p->world), junk, sizeof junk) >= 0;
        return;
    }
    const int fd = atomic_exchange_explicit(&b->offered, -1, memory_order_acquire);
    if (fd >= 0) {
        b->port.fd = fd;
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
}

void plant_read(struct plant *p, int64_t t_ns, struct sensed *ret_sensed, uint64_t *ret_fresh)
{
    age(p, t_ns);
    if (p->world != NULL) {
        world_advance(p->world, t_ns);
        p->clock->now_ns = t_ns;
    }
    if (p->kind == PLANT_BODY) {
        world_sense(p->world, &p->sensed);
        p->fresh = UINT64_MAX;
    }
    for (int i = 0; i < p->n_buses; i++) {
        if (!p->bus[i].up) {
            take_port(p, &p->bus[i]);
        }
    }
    if (p->job != JOB_NONE) {
        int64_t slice_ns = p->config->robot.bus[0].reply_deadline_us * NS_PER_US;
        if (p->job == JOB_BRING_UP && p->world != NULL) {
            slice_ns = slice_ns < BRING_UP_NS ? slice_ns : BRING_UP_NS;
        }
        job_step(p, t_ns + slice_ns);
    } else {
        for (int i = 0; i < p->n_buses; i++) {
            if (p->bus[i].up && p->known) {
                read_bus(p, &p->bus[i]);
            }
        }
    }
    const int64_t took_us = (clock_now_ns(p->clock) - t_ns) / NS_PER_US;
    if (p->job == JOB_NONE && took_us > p->counters.read_phase_us_max) {
        p->counters.read_phase_us_max = took_us;
    }
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

/* Bodies without buses have nothing to set up. */
static int body_event(struct plant *p, bool changed)
{
    static const int event[] = {[PLANT_LISTEN] = -1,
                                [PLANT_IDENTIFY] = EVENT_IDENTIFIED,
                                [PLANT_ARM] = EVENT_ARMED,
                                [PLANT_RUN] = -1,
                                [PLANT_STOP] = EVENT_STOPPED};
    p->known = true;
    p->why[0] = '\0';
    if (changed) {
        memset(p->sensed.torque,
               p->doing == PLANT_RUN || p->doing == PLANT_ARM ? TORQUE_ON : TORQUE_OFF,
               sizeof p->sensed.torque);
    }
    return changed ? event[p->doing] : -1;
}

int plant_do(struct plant *p, enum plant_do what, const struct sensed *s)
{
    (void)s;
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
    }
    if (what == PLANT_STOP && !p->stopped && p->job == JOB_NONE) {
        const int64_t limit_ns = (int64_t)(p->config->control.stop_s * (double)NS_PER_S);
        if (!p->known || settled(p) || now_ns - p->stop_ns > limit_ns) {
            job_start(p, JOB_STOP);
        }
    }
    const int event = p->event;
    p->event = -1;
    return event;
}

static bool may_write(const struct plant *p)
{
    return p->known && p->job == JOB_NONE &&
           (p->doing == PLANT_RUN || (p->doing == PLANT_STOP && !p->stopped));
}

void plant_write(struct plant *p, const struct command *cmd)
{
    p->counters.last_byte_ns = 0;
    if (p->kind == PLANT_BODY) {
        world_command(p->world, cmd);
        return;
    }
    if (!may_write(p)) {
        return;
    }
    for (int i = 0; i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        uint8_t tx[TX_BYTES];
        const int n = b->up ? b->driver->goals(&b->bus, cmd, tx, sizeof tx) : 0;
        if (n <= 0) {
            continue;
        }
        /* a fixed phase after the tick's start, so that the delay from sample to torque is constant
         */
        const int64_t at_ns = p->t_ns + b->bus.spec->write_phase_us * NS_PER_US;
        (void)clock_sleep_until(p->clock, at_ns);
        if (p->world != NULL) {
            world_advance(p->world, at_ns);
        }
        if (port_write(&b->port, tx, (size_t)n) == -EIO) {
            plant_lose(p, b);
            continue;
        }
        p->counters.bytes_tx += (uint64_t)n;
        p->counters.last_byte_ns = b->port.sent_ns - p->t_ns;
    }
}

void plant_service(struct plant *p, int64_t now_ns, struct reopen *state)
{
    for (int i = 0; p->world == NULL && i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        struct reopen *r = &state[i];
        serial_close(atomic_exchange_explicit(&b->returned, -1, memory_order_acquire));
        if (!atomic_load_explicit(&b->wanted, memory_order_acquire) || now_ns < r->next_ns) {
            continue;
        }
        char reason[WHY_CHARS] = "";
        const int fd =
            serial_open(b->bus.spec->device, b->bus.spec->baud, reason, (int)sizeof reason);
        if (fd >= 0) {
            atomic_store_explicit(&b->wanted, false, memory_order_relaxed);
            atomic_store_explicit(&b->offered, fd, memory_order_release);
            r->back_off_ns = 0;
            r->why[0] = '\0';
            continue;
        }
        /* a killed process may keep the lock for a moment: said when it lasts */
        if (fd != -EBUSY || r->back_off_ns >= BUSY_TOLD_NS) {
            (void)snprintf(r->why, sizeof r->why, "bus %s: %.200s", b->bus.spec->name, reason);
        }
        r->back_off_ns = r->back_off_ns == 0 ? REOPEN_FIRST_NS : r->back_off_ns * 2;
        r->back_off_ns = r->back_off_ns > REOPEN_LAST_NS ? REOPEN_LAST_NS : r->back_off_ns;
        r->next_ns = now_ns + r->back_off_ns;
    }
}

int plant_stop_bytes(const struct plant *p, int bus, int *ret_fd, uint8_t *ret_tx, size_t cap)
{
    const struct bus_run *b = &p->bus[bus];
    if (bus >= p->n_buses || p->world != NULL || b->port.fd < 0) {
        return -ENODEV;
    }
    *ret_fd = b->port.fd;
    return b->driver->stop(&b->bus, STOP_OFF, ret_tx, cap);
}

bool plant_ready(const struct plant *p)
{
    return p->known;
}

bool plant_stopped(const struct plant *p)
{
    return p->doing == PLANT_STOP && p->stopped;
}

const char *plant_why(const struct plant *p)
{
    return p->why;
}

const struct plant_counters *plant_counters(const struct plant *p)
{
    return &p->counters;
}

const struct robot_bus *plant_bus(const struct plant *p, int bus)
{
    return &p->bus[bus].bus;
}

double plant_speed_bound_m_s(const struct plant *p)
{
    return p->world != NULL ? world_speed_bound_m_s(p->world) : (double)NAN;
}

bool plant_truth(struct plant *p, struct sensed *ret_sensed)
{
    if (p->world != NULL) {
        world_truth(p->world, ret_sensed);
    }
    return p->world != NULL;
}

void plant_injected(const struct plant *p, uint64_t ret_counts[WIRE_FAULTS])
{
    if (p->world != NULL) {
        world_injected(p->world, ret_counts);
    }
}

/* --- flat state for a checkpoint: the struct, every joint's driver state, the world --- */

static size_t joint_bytes(const struct plant *p)
{
    size_t n = 0;
    for (int i = 0; i < p->n_buses; i++) {
        n += (size_t)p->bus[i].bus.n * p->bus[i].driver->info.joint_bytes;
    }
    return n;
}

size_t plant_state_bytes(const struct plant *p)
{
    basal_assert(p->world != NULL);
    return sizeof *p + joint_bytes(p) + world_state_bytes(p->world);
}

void plant_save(const struct plant *p, void *ret_state)
{
    char *at = ret_state;
    memcpy(at, p, sizeof *p);
    at += sizeof *p;
    for (int i = 0; i < p->n_buses; i++) {
        const size_t n = p->bus[i].driver->info.joint_bytes;
        for (int k = 0; k < p->bus[i].bus.n; k++) {
            memcpy(at, p->bus[i].bus.state[p->bus[i].bus.joint[k]], n);
            at += n;
        }
    }
    world_save(p->world, at);
}

void plant_restore(struct plant *p, const void *state)
{
    const struct config *c = p->config;
    struct clock *clock = p->clock;
    struct world *world = p->world;
    void *states[BUSES_MAX][JOINTS_MAX];
    for (int i = 0; i < p->n_buses; i++) {
        memcpy(states[i], p->bus[i].bus.state, sizeof states[i]);
    }
    const char *at = state;
    memcpy(p, at, sizeof *p);
    at += sizeof *p;
    p->config = c;
    p->clock = clock;
    p->world = world;
    for (int i = 0; i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        wire_pointers(p, b, i, states[i]);
        for (int k = 0; k < b->bus.n; k++) {
            memcpy(b->bus.state[b->bus.joint[k]], at, b->driver->info.joint_bytes);
            at += b->driver->info.joint_bytes;
        }
    }
    world_restore(p->world, at);
    p->clock->now_ns = world_now_ns(p->world);
}
