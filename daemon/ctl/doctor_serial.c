/* What basalctl doctor sees of a bus of servos: it listens, then it asks. */
#include "daemon/ctl/bus.h"
#include "daemon/ctl/doctor.h"

#include "daemon/base/clock.h"
#include "daemon/hostlook.h"
#include "daemon/port.h"
#include "daemon/safety.h"
#include "drivers/io/serial.h"

#include <string.h>

/* Who is found by looking at everybody. */
struct look {
    const struct robot *robot;
    int bus;
    struct bus_facts *facts;
};

static void found(void *self, int id, int baud, const struct identity *who)
{
    const struct look *k = self;
    doctor_found(k->robot, k->bus, k->facts, id, baud, who);
}

static void look_at_error(const struct line *l, int id, bool fix, struct device_facts *d)
{
    uint8_t error = 0, torque = 0, left = 0;
    if (!line_read_error(l, id, &error)) {
        return;
    }
    d->torque = line_read(l, id, l->p->torque, &torque) && torque != 0;
    d->error = error;
    d->clears = l->p->reboot != NULL;
    (void)safety_fault_words(l->p->faults(error), d->error_text, sizeof d->error_text);
    if (fix && error != 0 && !d->torque && line_reboot(l, id)) {
        d->cleared = line_read_error(l, id, &left) && left == 0;
    }
}

static void look_at_device(const struct line *l, const struct joint_spec *j, bool fix,
                           struct device_facts *d)
{
    uint8_t delay;
    for (d->asked = 0; d->asked < DOCTOR_ASKS; d->asked++) {
        const struct heard h = line_hear_pose(l, j->id);
        d->answers += h.answers;
        d->damaged += h.damaged;
    }
    if (!line_identify(l, j->id, &d->id)) {
        return;
    }
    d->mute = d->answers == 0;
    if (d->mute) {
        return;
    }
    if (line_read(l, j->id, l->p->return_delay, &delay)) {
        d->delay_us = delay * l->p->delay_us;
        d->delay_wanted_us = l->p->delay_code(j) * l->p->delay_us;
    }
    look_at_error(l, j->id, fix, d);
}

/* Joints of which somebody was found in look_elsewhere. */
static int n_found(const struct robot *r, const struct bus_facts *b)
{
    int n = b->n_others;
    for (int j = 0; j < r->n_joints; j++) {
        n += b->device[j].rate > 0;
    }
    return n;
}

/* So many are missing: who else is there, and at another rate? */
static void look_elsewhere(const struct robot *r, int i, int missing, const struct line *l,
                           struct bus_facts *b)
{
    struct look k = {r, i, b};
    const struct finder all = {.found = found, .self = &k};
    (void)line_find(l, r->bus[i].baud, &all);
    for (const struct baud_code *c = l->p->bauds; c->baud != 0 && n_found(r, b) < missing; c++) {
        if (c->baud == r->bus[i].baud || serial_set_baud(l->fd, c->baud) < 0) {
            continue;
        }
        if (l->p->all_answer_id >= 0) {
            (void)line_find(l, c->baud, &all);
            continue;
        }
        for (int j = 0; j < r->n_joints; j++) {
            struct identity who;
            if (r->joint[j].bus == i && b->device[j].answers == 0 &&
                line_identify(l, r->joint[j].id, &who)) {
                found(&k, r->joint[j].id, c->baud, &who);
            }
        }
    }
}

/* True: it was longer than it should be, and is not any more. */
static bool fix_latency(const char *device, struct bus_facts *b)
{
    if (b->latency_ms <= 1 || host_set_latency_ms("/sys", device, 1) < 0) {
        return false;
    }
    b->latency_ms = host_latency_ms("/sys", device);
    return b->latency_ms == 1;
}

void doctor_look_serial(const struct robot *r, int i, bool fix, struct bus_facts *ret_facts)
{
    const struct bus_spec *s = &r->bus[i];
    const struct line closed = {.p = serial_driver_find(s->driver)->servo};
    struct line l = closed;
    int missing = 0;
    ret_facts->model_name = l.p->model_name;
    l.fd = port_open(r, i, ret_facts->note, ret_facts->why, (int)sizeof ret_facts->why);
    host_holders("/proc", s->device, ret_facts->holders, sizeof ret_facts->holders);
    if (l.fd < 0) {
        ret_facts->error = l.fd;
        return;
    }
    /* with the port open, for opening it asks for low latency */
    ret_facts->latency_ms = host_latency_ms("/sys", s->device);
    ret_facts->latency_set = fix && fix_latency(s->device, ret_facts);
    ret_facts->silent_ms = DOCTOR_SILENT_MS;
    ret_facts->heard = line_listen(&l, DOCTOR_SILENT_MS * NS_PER_MS);
    for (int j = 0; j < r->n_joints && doctor_may_ask(ret_facts); j++) {
        if (r->joint[j].bus == i) {
            look_at_device(&l, &r->joint[j], fix, &ret_facts->device[j]);
            missing += !ret_facts->device[j].id.known;
        }
    }
    if (missing > 0) {
        look_elsewhere(r, i, missing, &l, ret_facts);
    }
    serial_close(l.fd);
}
