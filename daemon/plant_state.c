/* What others ask of the plant; and its flat state for a checkpoint. */
#include "daemon/plant_inside.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int plant_cut_torque(struct plant *p, int bus)
{
    FRAMES_ALIGNED uint8_t tx[TX_BYTES];
    struct bus_run *b = &p->bus[bus];
    if (bus >= p->n_buses || p->world != NULL || b->port.fd < 0) {
        return -ENODEV;
    }
    const int n = bus_stop(&b->codec, &b->bus, STOP_OFF, tx, sizeof tx);
    b->port.slcan.torn = true; /* perhaps in the middle of a line */
    return n > 0 ? port_write(&b->port, tx, (size_t)n) : n;
}

bool plant_ready(const struct plant *p)
{
    const uint64_t all = (UINT64_C(1) << p->sensed.n) - 1;
    return p->known && (p->seen & all) == all;
}

bool plant_stopped(const struct plant *p)
{
    return p->doing == PLANT_STOP && p->stopped;
}

const char *plant_why(const struct plant *p)
{
    const bool waits = p->why[0] == '\0' && !plant_ready(p);
    return waits ? "not every joint has been read yet; wait until all answer" : p->why;
}

const char *plant_bus_why(const struct plant *p, int bus)
{
    return p->bus[bus].why;
}

const struct identity *plant_identity(const struct plant *p, int joint)
{
    return &p->bus[p->config->robot.joint[joint].bus].bus.id[joint];
}

const struct plant_counters *plant_counters(const struct plant *p)
{
    return &p->counters;
}

const struct can_errors *plant_can_errors(const struct plant *p, int bus, uint64_t *ret_dropped)
{
    *ret_dropped = p->bus[bus].port.dropped;
    return &p->bus[bus].port.errors;
}

bool plant_is_emulated(const struct plant *p)
{
    return p->world != NULL;
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

/* Equal runs have equal files: where this one lives stays out of them. */
static void forget_pointers(struct plant *copy)
{
    copy->config = NULL;
    copy->clock = copy->wall = NULL;
    copy->world = NULL;
    copy->sensed.frame = NULL;
    for (int i = 0; i < BUSES_MAX; i++) {
        struct bus_run *b = &copy->bus[i];
        b->bus.robot = NULL;
        b->bus.spec = NULL;
        memset(b->bus.state, 0, sizeof b->bus.state);
        b->codec = (struct bus_codec){.info = NULL};
        b->port.world = NULL;
        b->port.clock = NULL;
        b->setup.bus = NULL;
        b->setup.sensed = NULL;
    }
}

static size_t joint_bytes(const struct plant *p)
{
    size_t n = 0;
    for (int i = 0; i < p->n_buses; i++) {
        n += (size_t)p->bus[i].bus.n * p->bus[i].codec.info->joint_bytes;
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
    struct plant *copy = ret_state;
    memcpy(copy, p, sizeof *p);
    forget_pointers(copy);
    at += sizeof *p;
    for (int i = 0; i < p->n_buses; i++) {
        const size_t n = p->bus[i].codec.info->joint_bytes;
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
    struct clock *clock = p->clock, *wall = p->wall;
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
    p->wall = wall;
    p->world = world;
    for (int i = 0; i < p->n_buses; i++) {
        struct bus_run *b = &p->bus[i];
        plant_wire(p, b, i, states[i]);
        for (int k = 0; k < b->bus.n; k++) {
            memcpy(b->bus.state[b->bus.joint[k]], at, b->codec.info->joint_bytes);
            at += b->codec.info->joint_bytes;
        }
    }
    world_restore(p->world, at);
    p->clock->now_ns = world_now_ns(p->world);
}
