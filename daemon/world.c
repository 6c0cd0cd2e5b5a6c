#include "daemon/world.h"

#include "daemon/base/clock.h"
#include "daemon/bus_codec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HAND_PER_RAD   20.0 /* of the joint's torque */
#define HAND_S_PER_RAD 1.0

struct world {
    const struct config *config;
    const struct sim *sim;
    void *self; /* the sim's own, without state */
    void *body; /* sim state */
    size_t body_bytes;
    int64_t now_ns, next_substep_ns, substep_ns;
    struct rng rng_body, rng_sense;
    struct command command;
    double hand_rad[JOINTS_MAX]; /* where a hand leads a limp joint; NaN: nowhere */
    int n_buses;
    bool is_can[BUSES_MAX];
    struct wire wire[BUSES_MAX];    /* of a serial bus ... */
    struct can_wire can[BUSES_MAX]; /* ... or of this kind */
};

/* The devices on a bus. */
struct crew {
    int n;
    const struct device *const *device;
    void *const *state;
};

static struct crew crew_of(const struct world *w, int i)
{
    const struct wire *s = &w->wire[i];
    const struct can_wire *c = &w->can[i];
    return w->is_can[i] ? (struct crew){c->n, c->device, c->device_state}
                        : (struct crew){s->n, s->device, s->device_state};
}

static void add_device(struct world *w, int i, const struct device *device, void *state)
{
    struct wire *s = &w->wire[i];
    struct can_wire *c = &w->can[i];
    const int n = w->is_can[i] ? c->n++ : s->n++;
    *(w->is_can[i] ? &c->device[n] : &s->device[n]) = device;
    *(w->is_can[i] ? &c->device_state[n] : &s->device_state[n]) = state;
}

static int64_t at_ns(double s)
{
    return (int64_t)(s * (double)NS_PER_S);
}

static int64_t every_ns(double hz)
{
    return hz > 0.0 ? (int64_t)((double)NS_PER_S / hz) : 0;
}

static void open_can(struct world *w, int i)
{
    const struct fault_settings *f = &w->config->faults;
    w->can[i].config =
        (struct can_wire_config){.rate = bus_cantime(&w->config->robot.bus[i]),
                                 .p = {f->lost, f->corrupted, f->late, f->truncated, f->duplicated},
                                 .late_ns = f->late_us * NS_PER_US,
                                 .away_from_ns = at_ns(f->away_at_s),
                                 .away_to_ns = at_ns(f->away_at_s + f->away_s),
                                 .off_from_ns = at_ns(f->bus_off_at_s),
                                 .off_to_ns = at_ns(f->bus_off_at_s + f->bus_off_s),
                                 .stranger_ns = every_ns(f->stranger_hz)};
}

static int open_bus(struct world *w, int i, uint64_t seed, struct arena *mem, char *ret_why,
                    int cap)
{
    const struct robot *robot = &w->config->robot;
    struct wire *wire = &w->wire[i];
    const struct fault_settings *f = &w->config->faults;
    wire->config =
        (struct wire_config){.p = {f->lost, f->corrupted, f->late, f->truncated, f->duplicated},
                             .late_ns = f->late_us * NS_PER_US,
                             .away_from_ns = at_ns(f->away_at_s),
                             .away_to_ns = at_ns(f->away_at_s + f->away_s),
                             .stranger_ns = every_ns(f->stranger_hz)};
    w->is_can[i] = bus_codec_find(robot->bus[i].driver).can != NULL;
    if (w->is_can[i]) {
        open_can(w, i);
    }
    char label[NAME_CHARS + 8];
    (void)snprintf(label, sizeof label, "wire.%s", robot->bus[i].name);
    rng_child(&wire->st.rng, seed, label);
    w->can[i].st.rng = wire->st.rng;
    wire->st.baud = (uint32_t)robot->bus[i].baud;
    const struct device *device = device_find(robot->bus[i].driver);
    if (device == NULL) {
        return why(ret_why, cap, -EINVAL, "bus %s: there is no emulated %s", robot->bus[i].name,
                   robot->bus[i].driver);
    }
    for (int j = 0; j < robot->n_joints; j++) {
        if (robot->joint[j].bus != i) {
            continue;
        }
        if (crew_of(w, i).n == WIRE_DEVICES) {
            return why(ret_why, cap, -EINVAL, "bus %s: more than %d emulated devices",
                       robot->bus[i].name, WIRE_DEVICES);
        }
        void *state = arena_take(mem, device->state_bytes);
        device->init(robot->joint[j].device, robot, j, state);
        add_device(w, i, device, state);
    }
    return 0;
}

int world_open(struct world **ret_world, const struct config *c, uint64_t seed, struct arena *mem,
               char *ret_why, int cap)
{
    if (c->sim == NULL) {
        return why(
            ret_why, cap, -EINVAL,
            "%s has no section sim: there is no body to simulate; see sim.kind in basald --manual",
            c->path);
    }
    struct world *w = arena_take(mem, sizeof *w);
    *w = (struct world){
        .config = c, .sim = c->sim, .substep_ns = c->sim_settings.substep_us * NS_PER_US};
    for (int j = 0; j < JOINTS_MAX; j++) {
        w->hand_rad[j] = (double)NAN;
    }
    int rc = c->sim->open(c->sim_config, &c->robot, mem, &w->self, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    w->body_bytes = c->sim->state_bytes(w->self);
    w->body = arena_take(mem, w->body_bytes);
    rng_child(&w->rng_body, seed, "body");
    rng_child(&w->rng_sense, seed, "sense");
    world_begin(w, 0);
    w->command.n = c->robot.n_joints;
    w->sim->reset(w->self, w->body, &w->rng_body);
    w->n_buses = c->robot.n_buses;
    for (int i = 0; i < w->n_buses; i++) {
        rc = open_bus(w, i, seed, mem, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    *ret_world = w;
    return 0;
}

void world_close(struct world *w)
{
    if (w->sim->close != NULL) {
        w->sim->close(w->self);
    }
}

void world_begin(struct world *w, int64_t t_ns)
{
    w->now_ns = t_ns;
    w->next_substep_ns = (t_ns / w->substep_ns + 1) * w->substep_ns;
}

int64_t world_now_ns(const struct world *w)
{
    return w->now_ns;
}

/* The fault plan's cut of the motor supply. */
static void cut_power(const struct world *w, struct sensed *truth)
{
    const struct fault_settings *f = &w->config->faults;
    const double now_s = (double)w->now_ns / (double)NS_PER_S;
    for (int j = 0; j < truth->n && now_s >= f->power_at_s && now_s < f->power_at_s + f->power_s;
         j++) {
        truth->volt_v[j] = fminf(truth->volt_v[j], (float)f->power_v);
    }
}

/* Hands pull at limp joints: a soft spring, as strong as the joint's own drive. */
static void pull(const struct world *w, struct command *c)
{
    for (int j = 0; j < w->config->robot.n_joints; j++) {
        const double tau = w->config->robot.joint[j].tau_max;
        if (c->mode[j] == MODE_OFF && isfinite(w->hand_rad[j]) && isfinite(tau)) {
            c->mode[j] = MODE_IMPEDANCE;
            c->q[j] = w->hand_rad[j];
            c->qd[j] = c->tau[j] = 0.0;
            c->kp[j] = HAND_PER_RAD * tau;
            c->kd[j] = HAND_S_PER_RAD * tau;
            c->tau_max[j] = tau;
        }
    }
}

/* Sense the truth, let every device turn it into its joint's command, move the body once. */
static void substep(struct world *w)
{
    struct sensed truth;
    w->sim->sense(w->self, w->body, NULL, &truth);
    truth.t_ns = w->now_ns;
    cut_power(w, &truth);
    for (int i = 0; i < w->n_buses; i++) {
        const struct crew c = crew_of(w, i);
        for (int k = 0; k < c.n; k++) {
            c.device[k]->step(c.state[k], w->now_ns, &truth, &w->command);
        }
    }
    struct command pulled = w->command;
    pull(w, &pulled);
    w->sim->step(w->self, w->body, &pulled, (double)w->substep_ns / (double)NS_PER_S, &w->rng_body);
}

static void advance_wires(struct world *w, int64_t t_ns)
{
    for (int i = 0; i < w->n_buses; i++) {
        if (w->is_can[i]) {
            can_wire_advance(&w->can[i], t_ns);
        } else {
            wire_advance(&w->wire[i], t_ns);
        }
    }
    w->now_ns = t_ns;
}

void world_advance(struct world *w, int64_t t_ns)
{
    while (w->next_substep_ns <= t_ns) {
        advance_wires(w, w->next_substep_ns);
        substep(w);
        w->next_substep_ns += w->substep_ns;
    }
    if (t_ns > w->now_ns) {
        advance_wires(w, t_ns);
    }
}

static int64_t wire_event_ns(const struct world *w, int bus)
{
    return w->is_can[bus] ? can_wire_next_ns(&w->can[bus]) : wire_next_ns(&w->wire[bus]);
}

int64_t world_next_ns(const struct world *w)
{
    int64_t next_ns = w->next_substep_ns;
    for (int i = 0; i < w->n_buses; i++) {
        const int64_t event_ns = wire_event_ns(w, i);
        next_ns = event_ns < next_ns ? event_ns : next_ns;
    }
    return next_ns;
}

int64_t world_tx(struct world *w, int bus, const uint8_t *bytes, size_t n, uint32_t baud)
{
    return w->is_can[bus] ? can_wire_host_tx(&w->can[bus], bytes, n, w->now_ns, baud)
                          : wire_host_tx(&w->wire[bus], bytes, n, w->now_ns, baud);
}

/* What has reached the host by now; -EIO: the bus is away. */
static int host_rx(struct world *w, int bus, uint8_t *ret_bytes, size_t cap)
{
    if (w->is_can[bus]) {
        return can_wire_host_rx(&w->can[bus], w->now_ns, ret_bytes, cap);
    }
    return wire_away(&w->wire[bus], w->now_ns)
               ? -EIO
               : wire_host_rx(&w->wire[bus], w->now_ns, ret_bytes, cap);
}

int world_rx(struct world *w, int bus, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    for (;;) {
        const int n = host_rx(w, bus, ret_bytes, cap);
        if (n != 0 || w->now_ns >= t_ns) {
            return n;
        }
        int64_t next_ns = wire_event_ns(w, bus);
        next_ns = next_ns < w->next_substep_ns ? next_ns : w->next_substep_ns;
        next_ns = next_ns > w->now_ns ? next_ns : w->now_ns + 1;
        world_advance(w, next_ns < t_ns ? next_ns : t_ns);
    }
}

void world_truth(struct world *w, struct sensed *ret_sensed)
{
    w->sim->sense(w->self, w->body, NULL, ret_sensed);
}

void world_sense(struct world *w, struct sensed *ret_sensed)
{
    const int64_t t_ns = ret_sensed->t_ns;
    w->sim->sense(w->self, w->body, w->config->sim_settings.noise > 0.0 ? &w->rng_sense : NULL,
                  ret_sensed);
    ret_sensed->t_ns = t_ns;
}

void world_reset(struct world *w)
{
    w->sim->reset(w->self, w->body, &w->rng_body);
}

void world_command(struct world *w, const struct command *cmd)
{
    w->command = *cmd;
}

double world_speed_bound_m_s(const struct world *w)
{
    return w->sim->speed_bound_m_s != NULL ? w->sim->speed_bound_m_s(w->self) : (double)NAN;
}

void world_guide(struct world *w, int j, double q_rad)
{
    w->hand_rad[j] = q_rad;
}

bool world_drives(const struct world *w, int j)
{
    return w->command.mode[j] != MODE_OFF;
}

int64_t world_heard_ns(const struct world *w, int bus)
{
    return w->is_can[bus] ? w->can[bus].st.heard_ns : w->wire[bus].st.heard_ns;
}

uint64_t world_frames(const struct world *w)
{
    uint64_t n = 0;
    for (int i = 0; i < w->n_buses; i++) {
        n += w->is_can[i] ? w->can[i].st.frames : 0;
    }
    return n;
}

void world_injected(const struct world *w, uint64_t ret_counts[WIRE_FAULTS])
{
    for (int k = 0; k < WIRE_FAULTS; k++) {
        ret_counts[k] = 0;
        for (int i = 0; i < w->n_buses; i++) {
            ret_counts[k] += w->is_can[i] ? w->can[i].st.injected[k] : w->wire[i].st.injected[k];
        }
    }
}

/* --- flat state: clock, random streams, body, wires, devices --- */

struct flat {
    int64_t now_ns, next_substep_ns;
    struct rng rng_body, rng_sense;
    struct command command;
};

/* What a bus's wire remembers. */
static size_t wire_bytes(const struct world *w, int i)
{
    return w->is_can[i] ? sizeof w->can[i].st : sizeof w->wire[i].st;
}

static const void *wire_state(const struct world *w, int i)
{
    return w->is_can[i] ? (const void *)&w->can[i].st : (const void *)&w->wire[i].st;
}

size_t world_state_bytes(const struct world *w)
{
    size_t n = sizeof(struct flat) + w->body_bytes;
    for (int i = 0; i < w->n_buses; i++) {
        const struct crew c = crew_of(w, i);
        n += wire_bytes(w, i);
        for (int k = 0; k < c.n; k++) {
            n += c.device[k]->state_bytes;
        }
    }
    return n;
}

void world_save(const struct world *w, void *ret_state)
{
    const struct flat flat = {w->now_ns, w->next_substep_ns, w->rng_body, w->rng_sense, w->command};
    char *at = ret_state;
    memcpy(at, &flat, sizeof flat);
    at += sizeof flat;
    memcpy(at, w->body, w->body_bytes);
    at += w->body_bytes;
    for (int i = 0; i < w->n_buses; i++) {
        const struct crew c = crew_of(w, i);
        memcpy(at, wire_state(w, i), wire_bytes(w, i));
        at += wire_bytes(w, i);
        for (int k = 0; k < c.n; k++) {
            memcpy(at, c.state[k], c.device[k]->state_bytes);
            at += c.device[k]->state_bytes;
        }
    }
}

void world_restore(struct world *w, const void *state)
{
    struct flat flat;
    const char *at = state;
    memcpy(&flat, at, sizeof flat);
    at += sizeof flat;
    w->now_ns = flat.now_ns;
    w->next_substep_ns = flat.next_substep_ns;
    w->rng_body = flat.rng_body;
    w->rng_sense = flat.rng_sense;
    w->command = flat.command;
    memcpy(w->body, at, w->body_bytes);
    at += w->body_bytes;
    for (int i = 0; i < w->n_buses; i++) {
        const struct crew c = crew_of(w, i);
        memcpy(w->is_can[i] ? (void *)&w->can[i].st : (void *)&w->wire[i].st, at, wire_bytes(w, i));
        at += wire_bytes(w, i);
        for (int k = 0; k < c.n; k++) {
            memcpy(c.state[k], at, c.device[k]->state_bytes);
            at += c.device[k]->state_bytes;
        }
    }
}
