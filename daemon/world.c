#include "daemon/world.h"

#include "daemon/base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct world {
    const struct config *config;
    const struct sim *sim;
    void *self; /* the sim's own, without state */
    void *body; /* sim state */
    size_t body_bytes;
    int64_t now_ns, next_substep_ns, substep_ns;
    struct rng rng_body, rng_sense;
    struct command command;
    int n_buses;
    struct wire wire[BUSES_MAX];
    int joint[BUSES_MAX][WIRE_DEVICES];
};

static int open_bus(struct world *w, int i, uint64_t seed, struct arena *mem, char *ret_why,
                    int cap)
{
    const struct robot *robot = &w->config->robot;
    struct wire *wire = &w->wire[i];
    const struct fault_settings *f = &w->config->faults;
    wire->config = (struct wire_config){
        .p = {f->lost, f->corrupted, f->late, f->truncated, f->duplicated},
        .late_ns = f->late_us * NS_PER_US,
        .away_from_ns = (int64_t)(f->away_at_s * (double)NS_PER_S),
        .away_to_ns = (int64_t)((f->away_at_s + f->away_s) * (double)NS_PER_S)};
    char label[NAME_CHARS + 8];
    (void)snprintf(label, sizeof label, "wire.%s", robot->bus[i].name);
    rng_child(&wire->st.rng, seed, label);
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
        if (wire->n == WIRE_DEVICES) {
            return why(ret_why, cap, -EINVAL, "bus %s: more than %d emulated devices",
                       robot->bus[i].name, WIRE_DEVICES);
        }
        wire->device[wire->n] = device;
        wire->device_state[wire->n] = arena_take(mem, device->state_bytes);
        device->init(robot->joint[j].device, robot, j, wire->device_state[wire->n]);
        w->joint[i][wire->n++] = j;
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

/* Sense the truth, let every device turn it into its joint's command, move the body once. */
static void substep(struct world *w)
{
    struct sensed truth;
    w->sim->sense(w->self, w->body, NULL, &truth);
    truth.t_ns = w->now_ns;
    cut_power(w, &truth);
    for (int i = 0; i < w->n_buses; i++) {
        for (int k = 0; k < w->wire[i].n; k++) {
            w->wire[i].device[k]->step(w->wire[i].device_state[k], w->now_ns, &truth, &w->command);
        }
    }
    w->sim->step(w->self, w->body, &w->command, (double)w->substep_ns / (double)NS_PER_S,
                 &w->rng_body);
}

static void advance_wires(struct world *w, int64_t t_ns)
{
    for (int i = 0; i < w->n_buses; i++) {
        wire_advance(&w->wire[i], t_ns);
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

int64_t world_tx(struct world *w, int bus, const uint8_t *bytes, size_t n, uint32_t baud)
{
    return wire_host_tx(&w->wire[bus], bytes, n, w->now_ns, baud);
}

int world_rx(struct world *w, int bus, int64_t t_ns, uint8_t *ret_bytes, size_t cap)
{
    struct wire *wire = &w->wire[bus];
    for (;;) {
        if (wire_away(wire, w->now_ns)) {
            return -EIO;
        }
        const int n = wire_host_rx(wire, w->now_ns, ret_bytes, cap);
        if (n > 0 || w->now_ns >= t_ns) {
            return n;
        }
        int64_t next_ns = wire_next_ns(wire);
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

bool world_drives(const struct world *w, int j)
{
    return w->command.mode[j] != MODE_OFF;
}

int64_t world_heard_ns(const struct world *w, int bus)
{
    return w->wire[bus].st.heard_ns;
}

void world_injected(const struct world *w, uint64_t ret_counts[WIRE_FAULTS])
{
    for (int k = 0; k < WIRE_FAULTS; k++) {
        ret_counts[k] = 0;
        for (int i = 0; i < w->n_buses; i++) {
            ret_counts[k] += w->wire[i].st.injected[k];
        }
    }
}

/* --- flat state: clock, random streams, body, wires, devices --- */

struct flat {
    int64_t now_ns, next_substep_ns;
    struct rng rng_body, rng_sense;
    struct command command;
};

size_t world_state_bytes(const struct world *w)
{
    size_t n = sizeof(struct flat) + w->body_bytes;
    for (int i = 0; i < w->n_buses; i++) {
        n += sizeof(struct wire_state);
        for (int k = 0; k < w->wire[i].n; k++) {
            n += w->wire[i].device[k]->state_bytes;
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
        memcpy(at, &w->wire[i].st, sizeof w->wire[i].st);
        at += sizeof w->wire[i].st;
        for (int k = 0; k < w->wire[i].n; k++) {
            memcpy(at, w->wire[i].device_state[k], w->wire[i].device[k]->state_bytes);
            at += w->wire[i].device[k]->state_bytes;
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
        memcpy(&w->wire[i].st, at, sizeof w->wire[i].st);
        at += sizeof w->wire[i].st;
        for (int k = 0; k < w->wire[i].n; k++) {
            memcpy(w->wire[i].device_state[k], at, w->wire[i].device[k]->state_bytes);
            at += w->wire[i].device[k]->state_bytes;
        }
    }
}
