/* One new servo, alone on the bus, comes to a joint's settings. */
#include "daemon/ctl/bus.h"
#include "daemon/ctl/robotfile.h"

#include "drivers/io/serial.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A servo as it is, and as its joint wants it. */
struct motor {
    const struct joint_spec *joint;
    int id, baud; /* now */
    int baud_bus; /* wanted */
};

/* Has somebody else the joint's id, at the servo's rate or at the bus's? Leaves the port at either.
 */
static bool is_taken(const struct line *l, const struct motor *m)
{
    struct identity other;
    bool taken = m->joint->id != m->id && line_identify(l, m->joint->id, &other);
    if (!taken && m->baud != m->baud_bus && serial_set_baud(l->fd, m->baud_bus) == 0) {
        taken = line_identify(l, m->joint->id, &other);
    }
    return taken;
}

/* Is it the right servo, alone, and can it be what is wanted? 0, or -errno and one sentence. */
static int check_motor(const struct line *l, const struct motor *m, char *ret_why, int cap)
{
    struct identity found;
    uint8_t code;
    if (!line_baud_code(l->p, m->baud_bus, &code)) {
        return why(ret_why, cap, -EINVAL, "no servo can do its bus's %d baud; see bus.baud",
                   m->baud_bus);
    }
    if (!line_identify(l, m->id, &found)) {
        return why(ret_why, cap, -ENODEV,
                   "no servo answers to id %d at this rate; check power and cable, or look with "
                   "basalctl scan",
                   m->id);
    }
    if (l->p->all_answer_id < 0 && line_count(l, m->id) > 1) { /* as delivered all have one rate */
        return why(ret_why, cap, -EEXIST,
                   "more than one servo answers to id %d; connect one servo at a time", m->id);
    }
    if (m->joint->model != 0 && found.model != m->joint->model) {
        return why(ret_why, cap, -EINVAL,
                   "model %d (%s) answers, the robot file says %d; connect another servo, or "
                   "change its model",
                   found.model, l->p->model_name(found.model), m->joint->model);
    }
    if (is_taken(l, m)) {
        return why(ret_why, cap, -EEXIST,
                   "a servo with the joint's id %d is on the bus already; take it off, or connect "
                   "one servo at a time",
                   m->joint->id);
    }
    return serial_set_baud(l->fd, m->baud) == 0
               ? 0
               : why(ret_why, cap, -EIO, "the port does not go back to the servo's %d baud",
                     m->baud);
}

/* Where there is a lock: 0 lets settings last, 1 protects them. */
static bool set_lock(const struct line *l, int id, uint8_t value)
{
    return l->p->lock == 0 || line_write(l, id, l->p->lock, value);
}

/* Torque off, return delay, id, and the baud rate last: after each the servo is still reachable.
 * 0, and who it is now; or -errno and one sentence. */
static int bring(const struct line *l, const struct motor *m, struct identity *ret_id,
                 char *ret_why, int cap)
{
    const int id = m->joint->id;
    const uint8_t delay = l->p->delay_code(m->joint);
    struct identity renamed;
    uint8_t back, code = 0;
    (void)line_baud_code(l->p, m->baud_bus, &code);
    if (!line_write(l, m->id, l->p->torque, 0) || !set_lock(l, m->id, 0) ||
        !line_write(l, m->id, l->p->return_delay, delay)) {
        return why(ret_why, cap, -EIO,
                   "the servo refuses torque off or its return delay (register %d); power it "
                   "anew, then try again",
                   l->p->return_delay);
    }
    if (id != m->id && !line_write(l, m->id, l->p->id, (uint8_t)id) &&
        !line_identify(l, id, &renamed)) {
        return why(ret_why, cap, -EIO, "the servo with id %d does not take its new id %d", m->id,
                   id);
    }
    (void)line_write(l, id, l->p->baud, code); /* may answer at either rate */
    if (serial_set_baud(l->fd, m->baud_bus) < 0 || !line_identify(l, id, ret_id)) {
        return why(ret_why, cap, -EIO,
                   "the servo, now id %d, does not answer at its new %d baud; look with basalctl "
                   "scan",
                   id, m->baud_bus);
    }
    if (!set_lock(l, id, 1) || !line_read(l, id, l->p->return_delay, &back) || back != delay) {
        return why(ret_why, cap, -EIO, "the servo forgot its return delay; try again");
    }
    return 0;
}

static const struct joint_spec *find_joint(const struct config *c, const char *name)
{
    for (int j = 0; j < c->robot.n_joints; j++) {
        if (strcmp(c->robot.joint[j].name, name) == 0) {
            return &c->robot.joint[j];
        }
    }
    return NULL;
}

/* The joint that the words name; NULL: it has been said why there is none. */
static const struct joint_spec *named_joint(struct ctl *c, const struct config *config)
{
    const struct joint_spec *j = find_joint(config, c->words[0]);
    if (j == NULL) {
        char names[WHY_CHARS] = "";
        for (int k = 0; k < config->robot.n_joints; k++) {
            const size_t used = strlen(names);
            (void)snprintf(names + used, sizeof names - used, "%s%s", k > 0 ? ", " : "",
                           config->robot.joint[k].name);
        }
        ctl_say(c, "%s has no joint %s; it has %s", c->config, c->words[0], names);
        return NULL;
    }
    if (j->bus < 0) {
        ctl_say(c, "joint %s is on no bus", j->name);
        return NULL;
    }
    return j;
}

static int setup_joint(struct ctl *c, const struct config *config)
{
    char reason[WHY_CHARS] = "";
    const struct joint_spec *j = named_joint(c, config);
    if (j == NULL) {
        return EXIT_USAGE;
    }
    const struct bus_spec *b = &config->robot.bus[j->bus];
    struct line l = {.p = line_protocol(c, b->driver)};
    if (l.p == NULL) {
        return EXIT_USAGE;
    }
    const struct motor m = {.joint = j,
                            .id = (int)c->id,
                            .baud = c->joint_baud != 0 ? (int)c->joint_baud : l.p->factory_baud,
                            .baud_bus = b->baud};
    if (m.id > l.p->id_max) {
        ctl_say(c, "--id %d: these servos have ids up to %d", m.id, l.p->id_max);
        return EXIT_USAGE;
    }
    l.fd =
        serial_open(c->device != NULL ? c->device : b->device, m.baud, reason, (int)sizeof reason);
    if (l.fd < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_UNAVAILABLE;
    }
    struct identity id = {.known = false};
    int rc = check_motor(&l, &m, reason, (int)sizeof reason);
    rc = rc == 0 ? bring(&l, &m, &id, reason, (int)sizeof reason) : rc;
    serial_close(l.fd);
    if (rc < 0) {
        ctl_say(c, "joint %s: %s", j->name, reason);
        return EXIT_FAILURE;
    }
    line_say_found(c, l.p, j->id, b->baud, &id);
    return 0;
}

int ctl_setup_motor(struct ctl *c)
{
    if (c->config == NULL || c->n_words != 1 || c->id > UINT8_MAX || c->joint_baud > INT_MAX) {
        return ctl_usage(c, "setup-motor --config FILE [--device PATH] [--id N] [--baud N] JOINT");
    }
    return ctl_on_config(c, c->config, setup_joint);
}
