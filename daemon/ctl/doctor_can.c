/* What basalctl doctor sees of a CAN bus: it listens, then asks what moves nothing. */
#include "daemon/ctl/canbus.h"
#include "daemon/ctl/doctor.h"

#include "daemon/hostlook.h"

#include <stdlib.h>
#include <string.h>

#define CLEAR_NS NS_PER_S
#define FRAMES   32

/* The driver's own steps of clearing, for one motor alone. */
static bool clear(struct canbus *b, const struct robot *r, int j)
{
    const struct bus_spec *spec = &r->bus[r->joint[j].bus];
    const struct bus_codec codec = bus_codec_find(spec->driver);
    struct robot_bus *bus = calloc(1, sizeof *bus);
    void *state = calloc(1, codec.info->joint_bytes);
    struct setup s = {.goal = SETUP_CLEAR, .bus = bus};
    _Alignas(struct canfd_frame) uint8_t rx[FRAMES * CANFD_MTU], tx[FRAMES * CANFD_MTU];
    const int64_t until_ns = clock_now_ns(&b->clock) + CLEAR_NS;
    size_t n = 0;
    if (bus != NULL && state != NULL) {
        *bus = (struct robot_bus){.robot = r, .spec = spec, .n = 1, .joint = {j}};
        bus->state[j] = state;
    }
    while (bus != NULL && state != NULL && s.state == SETUP_BUSY &&
           clock_now_ns(&b->clock) < until_ns) {
        const int sent = bus_setup(&codec, &s, clock_now_ns(&b->clock), rx, n, tx, sizeof tx);
        if (sent > 0) {
            (void)port_write(&b->port, tx, (size_t)sent);
        }
        const int got = port_read(&b->port, clock_now_ns(&b->clock) + NS_PER_MS, rx, sizeof rx);
        n = got > 0 ? (size_t)got : 0;
    }
    free(state);
    free(bus);
    return s.state == SETUP_DONE;
}

static void note_device(struct canbus *b, const struct robot *r, int j, const struct canbus_kind *k,
                        bool fix, struct device_facts *d)
{
    const int id = r->joint[j].id;
    const struct can_seen *z = &k->seen[id];
    d->asked = z->answers > 0 ? k->asked[id] : 0;
    d->answers = z->answers > 0 ? z->answers : z->who.known;
    d->id = z->who;
    d->torque = z->torque;
    d->error = z->error;
    d->clears = true;
    (void)snprintf(d->error_text, sizeof d->error_text, "%s", z->error_text);
    d->cleared = fix && z->error != 0 && !z->torque && clear(b, r, j);
}

/* Everybody at this rate who is no joint's, or whose joint was not found at the bus's rate. */
static void look_at_all(struct canbus *b, const struct robot *r, int i, struct bus_facts *facts)
{
    struct canbus_kind *k = calloc(CANBUS_KINDS, sizeof *k);
    const int n = k != NULL ? canbus_kinds(r->bus[i].driver, k) : 0;
    if (n > 0) {
        (void)canbus_listen(b, k, n, DOCTOR_SILENT_MS);
        canbus_ask_all(b, k);
        for (int id = 0; id < CAN_LOOK_IDS; id++) {
            if (k->seen[id].who.known) {
                doctor_found(r, i, facts, id, b->robot->bus[0].bitrate, &k->seen[id].who);
            }
        }
    }
    free(k);
}

/* An adapter can be set to other rates, an interface only by the administrator. */
static void look_elsewhere(const struct robot *r, int i, struct bus_facts *facts)
{
    static const int rates[] = {1000000, 500000, 250000, 125000};
    struct bus_spec spec = r->bus[i];
    char reason[WHY_CHARS];
    for (size_t k = 0; k < sizeof rates / sizeof rates[0] && bus_is_tty(&spec); k++) {
        struct canbus b;
        spec.bitrate = rates[k];
        if (rates[k] != r->bus[i].bitrate &&
            canbus_open(&b, &spec, reason, (int)sizeof reason) == 0) {
            look_at_all(&b, r, i, facts);
            canbus_close(&b);
        }
    }
}

/* The bus is open and nobody else speaks. Returns how many joints are missing. */
static int look_at_joints(struct canbus *b, const struct robot *r, int i, struct canbus_kind *k,
                          bool fix, struct bus_facts *facts)
{
    int missing = 0;
    for (int j = 0; j < r->n_joints; j++) {
        if (r->joint[j].bus == i) {
            canbus_ask(b, k, &r->joint[j].id, 1, DOCTOR_ASKS);
            note_device(b, r, j, k, fix, &facts->device[j]);
            missing += !facts->device[j].id.known;
        }
    }
    if (missing > 0) {
        look_at_all(b, r, i, facts);
    }
    return missing;
}

/* What the system says of the interface as basald would open it, with its own filters and queue. */
static void note_interface(const struct robot *r, int i, struct bus_facts *facts)
{
    char reason[WHY_CHARS];
    const struct bus_codec codec = bus_codec_find(r->bus[i].driver);
    if (!bus_is_tty(&r->bus[i])) {
        port_close(port_kind(&codec, &r->bus[i]),
                   port_open(r, i, facts->note, reason, (int)sizeof reason));
    }
}

void doctor_look_can(const struct robot *r, int i, bool fix, struct bus_facts *ret_facts)
{
    const struct bus_spec *s = &r->bus[i];
    struct canbus b;
    struct canbus_kind *k = calloc(CANBUS_KINDS, sizeof *k);
    const int n = k != NULL ? canbus_kinds(s->driver, k) : 0;
    int missing = 0;
    ret_facts->error = canbus_open(&b, s, ret_facts->why, (int)sizeof ret_facts->why);
    host_holders("/proc", s->device, ret_facts->holders, sizeof ret_facts->holders);
    if (ret_facts->error == 0) {
        note_interface(r, i, ret_facts);
        ret_facts->cannot_ask = n == 0;
        ret_facts->silent_ms = DOCTOR_SILENT_MS;
        ret_facts->heard = canbus_listen(&b, k, n, DOCTOR_SILENT_MS);
        if (n > 0 && doctor_may_ask(ret_facts)) {
            missing = look_at_joints(&b, r, i, k, fix, ret_facts);
        }
        ret_facts->error_frames =
            canbus_errors(&b, ret_facts->error_why, (int)sizeof ret_facts->error_why);
        canbus_close(&b);
    }
    if (missing > 0 && ret_facts->n_others < missing) {
        look_elsewhere(r, i, ret_facts);
    }
    free(k);
}
