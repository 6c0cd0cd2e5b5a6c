#include "daemon/plant_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_NS (NS_PER_S)

/* The goals of each job, in order; every bus reaches one before any starts the next. */
static const enum setup_goal job_goals[][2] = {
    [JOB_BRING_UP] = {SETUP_IDENTIFY, SETUP_DISARM},
    [JOB_ARM] = {SETUP_ARM, SETUP_ARM},
    [JOB_STOP] = {SETUP_DISARM, SETUP_DISARM},
};

static const int job_goals_n[] = {
    [JOB_NONE] = 0, [JOB_BRING_UP] = 2, [JOB_ARM] = 1, [JOB_STOP] = 1};

void job_start(struct plant *p, enum job job)
{
    p->job = job;
    p->goal = 0;
    p->at_bus = 0;
    p->job_failed = false;
    p->torque_off = 0;
    memset(p->stored.mode, MODE_OFF, sizeof p->stored.mode); /* goals of before are none of after */
    for (int i = 0; i < p->n_buses; i++) {
        p->bus[i].flying = false;
    }
}

static void job_end(struct plant *p)
{
    const bool ok = !p->job_failed;
    switch (p->job) {
    case JOB_BRING_UP:
        plant_know(p, ok);
        p->seen = 0;
        p->retry_ns = clock_now_ns(p->clock) + RETRY_NS;
        p->event = ok ? EVENT_IDENTIFIED : EVENT_NOT_FOUND;
        break;
    case JOB_ARM:
        for (int j = 0; j < p->sensed.n && ok; j++) {
            p->sensed.faults[j] &= ~(uint32_t)FAULTS_OF_SILENCE;
        }
        p->event = ok ? EVENT_ARMED : EVENT_ARM_FAILED;
        break;
    case JOB_STOP:
        p->stopped = true;
        if (!ok) { /* whoever drives on: quiet, so that its watchdog trips, then found anew */
            plant_know(p, false);
            p->retry_ns = clock_now_ns(p->clock) + RETRY_NS;
        }
        p->event = ok ? EVENT_STOPPED : EVENT_STOP_FAILED;
        break;
    case JOB_NONE:
        break;
    }
    if (ok) {
        p->why[0] = '\0';
    }
    p->job = JOB_NONE;
}

/*
 * A disarm goes on with the other buses whatever happens; any other goal ends at the first failure.
 * A bring-up that fails still goes on to its disarm: who does not answer is no reason to leave
 * torque on at the others. The first failure says why.
 */
static void bus_ended(struct plant *p, struct bus_run *b, bool ok)
{
    b->flying = false;
    p->at_bus++;
    if (ok) {
        b->why[0] = '\0';
        return;
    }
    if (b->setup.why[0] != '\0') {
        memcpy(b->why, b->setup.why, sizeof b->why);
    }
    if (!p->job_failed && b->setup.why[0] != '\0') {
        (void)snprintf(p->why, sizeof p->why, "%s", b->setup.why);
    }
    p->job_failed = true;
    if (job_goals[p->job][p->goal] != SETUP_DISARM) {
        p->at_bus = p->n_buses;
    }
}

static void note_torque(struct plant *p, const struct bus_run *b)
{
    for (int k = 0; k < b->bus.n; k++) {
        const int j = b->bus.joint[k];
        const bool off = (b->setup.torque_off >> j & 1u) != 0;
        if (b->setup.goal == SETUP_DISARM) {
            p->sensed.torque[j] = off ? TORQUE_OFF : TORQUE_UNKNOWN;
        } else if (b->setup.goal == SETUP_ARM && b->setup.state == SETUP_DONE &&
                   p->config->robot.joint[j].actuated) {
            p->sensed.torque[j] = TORQUE_ON;
            if ((b->setup.posed >> j & 1u) != 0) { /* the pose that is held from now on */
                p->sensed.q[j] = b->setup.q[j];
            }
        }
    }
    p->torque_off |= b->setup.torque_off;
}

static void begin(struct plant *p, struct bus_run *b)
{
    /* the answer to what a set-up that was cut off has asked may still come until then */
    const int64_t wake_ns = b->setup.state == SETUP_BUSY ? b->setup.wake_ns : 0;
    b->setup = (struct setup){.goal = job_goals[p->job][p->goal],
                              .state = SETUP_BUSY,
                              .wake_ns = wake_ns,
                              .bus = &b->bus,
                              .sensed = &p->sensed};
    b->n_rx = 0;
    b->bus.pending = 0;
    b->flying = true;
    (void)port_discard(&b->port);
    if (b->setup.goal == SETUP_DISARM) { /* all at once; then each is asked whether it heard */
        plant_send_stop(p, b);
    }
}

/* Bytes until something came or until_ns; -EIO: the bus is lost. */
static int hear(struct plant *p, struct bus_run *b, int64_t until_ns)
{
    if (b->n_rx == sizeof b->rx) {
        b->n_rx = 0; /* noise without end: start over */
    }
    const int got = port_read(&b->port, until_ns, b->rx + b->n_rx, sizeof b->rx - b->n_rx);
    if (got < 0) {
        plant_lose(p, b);
        return -EIO;
    }
    plant_count(b, b->rx + b->n_rx, (size_t)got, &p->counters.bytes_rx,
                &p->counters.frames_rx[b->bus.index]);
    b->n_rx += (size_t)got;
    return got;
}

/* One exchange with one bus's step machine. False: wait for the next tick. */
static bool exchange(struct plant *p, struct bus_run *b, int64_t deadline_ns)
{
    FRAMES_ALIGNED uint8_t tx[TX_BYTES];
    b->setup.used = 0;
    const int n =
        bus_setup(&b->codec, &b->setup, clock_now_ns(p->clock), b->rx, b->n_rx, tx, sizeof tx);
    basal_assert(b->setup.used <= b->n_rx);
    b->n_rx -= b->setup.used;
    memmove(b->rx, b->rx + b->setup.used, b->n_rx);
    if (n > 0) {
        b->n_rx = 0; /* what came before the question answers nothing */
        if (port_discard(&b->port) == -EIO || plant_send(p, b, tx, (size_t)n) == -EIO) {
            plant_lose(p, b);
            return false;
        }
    }
    if (b->setup.state != SETUP_BUSY) {
        p->counters.settings_written += (uint64_t)b->setup.written;
        note_torque(p, b);
        bus_ended(p, b, b->setup.state == SETUP_DONE);
        return true;
    }
    if (n > 0 || b->setup.used > 0) {
        return true;
    }
    const int64_t until_ns = b->setup.wake_ns < deadline_ns ? b->setup.wake_ns : deadline_ns;
    const int got = hear(p, b, until_ns);
    return got > 0 || (got == 0 && until_ns < deadline_ns);
}

void job_step(struct plant *p, int64_t deadline_ns)
{
    if (p->at_bus < p->n_buses && p->bus[p->at_bus].up && p->bus[p->at_bus].flying) {
        /* what came since the tick before, for the step machine knows only the time */
        (void)hear(p, &p->bus[p->at_bus], clock_now_ns(p->clock));
    }
    while (p->job != JOB_NONE) {
        if (p->at_bus >= p->n_buses) {
            p->goal++;
            p->at_bus = 0;
            if (p->goal >= job_goals_n[p->job]) {
                job_end(p);
                return;
            }
        }
        struct bus_run *b = &p->bus[p->at_bus];
        if (!b->up) {
            b->setup.why[0] = '\0';
            bus_ended(p, b, false);
            continue;
        }
        if (clock_now_ns(p->clock) >= deadline_ns) {
            return;
        }
        if (!b->flying) {
            begin(p, b);
        }
        if (!exchange(p, b, deadline_ns)) {
            if (p->job != JOB_NONE && b->up) {
                return;
            }
        }
    }
}

static void say_lost(struct bus_run *b)
{
    char what[WHY_CHARS];
    if (can_errors_text(b->port.lost, b->bus.spec->device, what, (int)sizeof what) > 0) {
        (void)snprintf(b->why, sizeof b->why, "bus %s: %.170s; torque of its joints is unknown",
                       b->bus.spec->name, what);
        return;
    }
    (void)snprintf(b->why, sizeof b->why,
                   "bus %s: %.100s is gone (unplugged?); torque of its joints is unknown until it "
                   "is read back; plug it in again",
                   b->bus.spec->name, b->bus.spec->device);
}

void plant_lose(struct plant *p, struct bus_run *b)
{
    b->up = b->known = false;
    b->n_rx = 0;
    b->bus.pending = 0;
    p->known = false;
    p->counters.reconnects++;
    for (int k = 0; k < b->bus.n; k++) {
        const int j = b->bus.joint[k];
        p->sensed.torque[j] = TORQUE_UNKNOWN;
        p->sensed.faults[j] |= FAULT_LOST;
    }
    say_lost(b);
    memcpy(p->why, b->why, sizeof p->why);
    if (b->flying) {
        b->setup.why[0] = '\0';
        bus_ended(p, b, false);
    }
    if (p->world == NULL && b->port.fd >= 0) {
        atomic_store_explicit(&b->returned, b->port.fd, memory_order_release);
        b->port.fd = -1;
        atomic_store_explicit(&b->wanted, true, memory_order_release);
    }
}
