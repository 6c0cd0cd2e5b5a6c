/* Servos without a daemon: find them, bring a new one to a joint's settings. */
#include "daemon/ctl/ctl.h"

#include "daemon/base/clock.h"
#include "daemon/config.h"
#include "drivers/dynamixel.h"
#include "drivers/io/serial.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_NS     (40 * NS_PER_MS)
#define TRIES        3
#define FACTORY_BAUD 57600
#define PONG_BYTES   14 /* a ping's answer */
#define CONFIG_BYTES ((size_t)16 << 20)

static const int bauds[] = {57600, 115200, 1000000, 2000000, 3000000, 4000000, 4500000, 9600};

/* Packets that come in until a deadline. */
struct listener {
    int fd;
    int64_t deadline_ns;
    uint8_t rx[1024];
    size_t n;
    size_t dropped; /* bytes that belong to no good packet */
};

static int64_t now_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

/* The next status packet; false: the deadline came, or the bus is gone. */
static bool listen_status(struct listener *l, struct dxl_packet *ret_packet)
{
    for (;;) {
        while (l->n > 0) {
            const int used = dxl_parse(l->rx, l->n, ret_packet);
            if (used == 0) {
                break;
            }
            const size_t drop = used > 0 ? (size_t)used : 1;
            l->dropped += used > 0 ? 0 : 1;
            l->n -= drop;
            memmove(l->rx, l->rx + drop, l->n);
            if (used > 0 && ret_packet->instruction == DXL_STATUS) {
                return true;
            }
        }
        if (l->n == sizeof l->rx || serial_wait(l->fd, l->deadline_ns) != 1) {
            return false;
        }
        const int got = serial_read(l->fd, l->rx + l->n, sizeof l->rx - l->n);
        if (got < 0) {
            return false;
        }
        l->n += (size_t)got;
    }
}

/* What came before the question answers nothing. */
static void discard(int fd)
{
    uint8_t junk[256];
    while (serial_read(fd, junk, sizeof junk) > 0) {
    }
}

/* One request of n bytes and the answer of id with n_params bytes; some tries. */
static bool exchange(int fd, const uint8_t *tx, int n, int id, size_t n_params,
                     struct dxl_packet *ret_packet)
{
    for (int i = 0; i < TRIES; i++) {
        struct listener l = {.fd = fd, .deadline_ns = now_ns() + REPLY_NS};
        discard(fd);
        if (n < 0 || serial_write(fd, tx, (size_t)n) != n) {
            return false;
        }
        while (listen_status(&l, ret_packet)) {
            if (ret_packet->id == id &&
                (ret_packet->n_params == n_params || (ret_packet->error & 0x7F) != 0)) {
                return (ret_packet->error & 0x7F) == 0;
            }
        }
    }
    return false;
}

static bool ping(int fd, int id, struct dxl_packet *ret_packet)
{
    uint8_t tx[32];
    const int n = dxl_build((uint8_t)id, DXL_PING, NULL, 0, tx, sizeof tx);
    return exchange(fd, tx, n, id, 3, ret_packet);
}

static struct json_object *describe(int baud, const struct dxl_packet *p)
{
    const int model = dxl_get16(p->params);
    const struct dxl_model_row *row = dxl_model_find(model);
    struct json_object *o = json_begin();
    json_int(o, "id", p->id);
    json_int(o, "baud", baud);
    json_int(o, "model", model);
    json_text(o, "name", row != NULL ? row->name : "unknown");
    json_int(o, "firmware", p->params[2]);
    return o;
}

static void say_found(const struct ctl *c, int baud, const struct dxl_packet *p)
{
    const int model = dxl_get16(p->params);
    const struct dxl_model_row *row = dxl_model_find(model);
    if (c->json) {
        json_print(describe(baud, p), stdout, true);
    } else {
        (void)printf("id %3d  %7d baud  model %d (%s)  firmware %d\n", p->id, baud, model,
                     row != NULL ? row->name : "unknown", p->params[2]);
    }
}

/*
 * A ping to all at one rate. Each servo answers in its turn; the wait is that of the maker's SDK:
 * 3 ms an id, 16 ms, and the time of all answers on the wire. Returns servos found, or -1: bytes
 * came, but no good packet.
 */
static int scan_at(struct ctl *c, int fd, int baud)
{
    uint8_t tx[32];
    struct dxl_packet p = {0};
    const int64_t wire_ns = (int64_t)PONG_BYTES * DXL_ID_MAX * 10 * NS_PER_S / baud;
    struct listener l = {.fd = fd,
                         .deadline_ns = now_ns() + (3 * DXL_ID_MAX + 16) * NS_PER_MS + wire_ns};
    const int n = dxl_build(DXL_BROADCAST, DXL_PING, NULL, 0, tx, sizeof tx);
    int found = 0;
    if (n < 0 || serial_write(fd, tx, (size_t)n) != n) {
        return 0;
    }
    while (listen_status(&l, &p)) {
        if (p.n_params >= 3) {
            say_found(c, baud, &p);
            found++;
        }
    }
    return found == 0 && l.dropped > 0 ? -1 : found;
}

static int baud_code(int baud)
{
    static const int codes[] = {9600, 57600, 115200, 1000000, 2000000, 3000000, 4000000, 4500000};
    for (int i = 0; i < 8; i++) {
        if (codes[i] == baud) {
            return i;
        }
    }
    return -1;
}

int ctl_scan(struct ctl *c)
{
    char reason[WHY_CHARS];
    int n = 0;
    if (c->device == NULL || c->joint_baud > INT_MAX ||
        (c->joint_baud != 0 && baud_code((int)c->joint_baud) < 0)) {
        return ctl_usage(c, "scan --device PATH [--baud N], the bus's device file, a servo's rate");
    }
    const int fd = serial_open(c->device, bauds[0], reason, (int)sizeof reason);
    if (fd < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_UNAVAILABLE;
    }
    for (size_t b = 0; b < sizeof bauds / sizeof bauds[0]; b++) {
        const bool wanted = c->joint_baud == 0 || c->joint_baud == bauds[b];
        if (!wanted || serial_set_baud(fd, bauds[b]) < 0) {
            continue;
        }
        const int found = scan_at(c, fd, bauds[b]);
        n += found > 0 ? found : 0;
        if (found < 0) {
            ctl_say(c,
                    "at %d baud something answers that cannot be read: two servos of one id, or "
                    "another rate",
                    bauds[b]);
        }
    }
    serial_close(fd);
    if (n == 0) {
        ctl_say(c, "no servo answers on %s: check power and cable", c->device);
    }
    return n > 0 ? 0 : EXIT_FAILURE;
}

static bool write_register(int fd, int id, uint16_t addr, uint8_t value)
{
    uint8_t tx[32], params[3];
    struct dxl_packet p = {0};
    dxl_put16(params, addr);
    params[2] = value;
    const int n = dxl_build((uint8_t)id, DXL_WRITE, params, sizeof params, tx, sizeof tx);
    return exchange(fd, tx, n, id, 0, &p);
}

static bool read_register(int fd, int id, uint16_t addr, uint8_t *ret_value)
{
    uint8_t tx[32], params[4];
    struct dxl_packet p = {0};
    dxl_put16(params, addr);
    dxl_put16(params + 2, 1);
    const int n = dxl_build((uint8_t)id, DXL_READ, params, sizeof params, tx, sizeof tx);
    if (!exchange(fd, tx, n, id, 1, &p)) {
        return false;
    }
    *ret_value = p.params[0];
    return true;
}

/* A servo as it is, and as its joint wants it. */
struct motor {
    const struct joint_spec *joint;
    int id, baud;           /* now */
    int baud_bus, delay_us; /* wanted */
};

/* Has somebody else the joint's id, at the servo's rate or at the bus's? Leaves the port at either.
 */
static bool is_taken(int fd, const struct motor *m)
{
    struct dxl_packet p = {0};
    bool taken = m->joint->id != m->id && ping(fd, m->joint->id, &p);
    if (!taken && m->baud != m->baud_bus && serial_set_baud(fd, m->baud_bus) == 0) {
        taken = ping(fd, m->joint->id, &p);
    }
    return taken;
}

/* Is it the right servo, alone, and can it be what is wanted? 0, or -errno and one sentence. */
static int check_motor(int fd, const struct motor *m, char *ret_why, int cap)
{
    struct dxl_packet p = {0};
    if (baud_code(m->baud_bus) < 0) {
        return why(ret_why, cap, -EINVAL, "no servo can do its bus's %d baud; see bus.baud",
                   m->baud_bus);
    }
    if (!ping(fd, m->id, &p)) {
        return why(ret_why, cap, -ENODEV,
                   "no servo answers to id %d at this rate; check power and cable, or look with "
                   "basalctl scan",
                   m->id);
    }
    const int model = dxl_get16(p.params);
    if (m->joint->model != 0 && model != m->joint->model) {
        const struct dxl_model_row *row = dxl_model_find(model);
        return why(ret_why, cap, -EINVAL,
                   "model %d (%s) answers, the robot file says %d; connect another servo, or "
                   "change its model",
                   model, row != NULL ? row->name : "unknown", m->joint->model);
    }
    if (is_taken(fd, m)) {
        return why(ret_why, cap, -EEXIST,
                   "a servo with the joint's id %d is on the bus already; take it off, or connect "
                   "one servo at a time",
                   m->joint->id);
    }
    return serial_set_baud(fd, m->baud) == 0
               ? 0
               : why(ret_why, cap, -EIO, "the port does not go back to the servo's %d baud",
                     m->baud);
}

/* Torque off, return delay, id, and the baud rate last: after each the servo is still reachable.
 * 0, and its answer to a ping as it is now; or -errno and one sentence. */
static int bring(int fd, const struct motor *m, struct dxl_packet *ret_pong, char *ret_why, int cap)
{
    const int id = m->joint->id;
    const uint8_t delay = (uint8_t)(m->delay_us / DXL_RETURN_DELAY_US);
    struct dxl_packet p = {0};
    uint8_t back;
    if (!write_register(fd, m->id, DXL_TORQUE_ENABLE, 0) ||
        !write_register(fd, m->id, DXL_RETURN_DELAY, delay)) {
        return why(ret_why, cap, -EIO,
                   "the servo refuses torque off or its return delay (register %d); power it "
                   "anew, then try again",
                   DXL_RETURN_DELAY);
    }
    if (id != m->id && !write_register(fd, m->id, DXL_ID, (uint8_t)id) && !ping(fd, id, &p)) {
        return why(ret_why, cap, -EIO, "the servo with id %d does not take its new id %d", m->id,
                   id);
    }
    (void)write_register(fd, id, DXL_BAUD,
                         (uint8_t)baud_code(m->baud_bus)); /* may answer at either rate */
    if (serial_set_baud(fd, m->baud_bus) < 0 || !ping(fd, id, ret_pong)) {
        return why(ret_why, cap, -EIO,
                   "the servo, now id %d, does not answer at its new %d baud; look with basalctl "
                   "scan",
                   id, m->baud_bus);
    }
    if (!read_register(fd, id, DXL_RETURN_DELAY, &back) || back != delay) {
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

static int setup_joint(struct ctl *c, const struct config *config)
{
    char reason[WHY_CHARS] = "";
    const struct joint_spec *j = find_joint(config, c->words[0]);
    if (j == NULL) {
        char names[WHY_CHARS] = "";
        for (int k = 0; k < config->robot.n_joints; k++) {
            const size_t used = strlen(names);
            (void)snprintf(names + used, sizeof names - used, "%s%s", k > 0 ? ", " : "",
                           config->robot.joint[k].name);
        }
        ctl_say(c, "%s has no joint %s; it has %s", c->config, c->words[0], names);
        return EXIT_USAGE;
    }
    if (j->bus < 0) {
        ctl_say(c, "joint %s is on no bus", j->name);
        return EXIT_USAGE;
    }
    const struct bus_spec *b = &config->robot.bus[j->bus];
    if (strcmp(b->driver, "dynamixel") != 0) {
        ctl_say(c, "joint %s is on bus %s of driver %s: setup-motor speaks dynamixel only", j->name,
                b->name, b->driver);
        return EXIT_USAGE;
    }
    const struct dxl_config *settings = j->driver;
    const struct motor m = {.joint = j,
                            .id = (int)c->id,
                            .baud = c->joint_baud != 0 ? (int)c->joint_baud : FACTORY_BAUD,
                            .baud_bus = b->baud,
                            .delay_us = settings != NULL ? settings->return_delay_us : 0};
    const char *device = c->device != NULL ? c->device : b->device;
    const int fd = serial_open(device, m.baud, reason, (int)sizeof reason);
    if (fd < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_UNAVAILABLE;
    }
    struct dxl_packet p = {0};
    int rc = check_motor(fd, &m, reason, (int)sizeof reason);
    rc = rc == 0 ? bring(fd, &m, &p, reason, (int)sizeof reason) : rc;
    serial_close(fd);
    if (rc < 0) {
        ctl_say(c, "joint %s: %s", j->name, reason);
        return EXIT_FAILURE;
    }
    say_found(c, b->baud, &p);
    return 0;
}

int ctl_setup_motor(struct ctl *c)
{
    struct arena mem;
    char reason[WHY_CHARS] = "";
    int status = EXIT_CONFIG;
    if (c->config == NULL || c->n_words != 1 || c->id > DXL_ID_MAX || c->joint_baud > INT_MAX) {
        return ctl_usage(c, "setup-motor --config FILE [--device PATH] [--id N] [--baud N] JOINT");
    }
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL || arena_open(&mem, "config", CONFIG_BYTES) < 0) {
        free(config);
        return exit_no_memory("basalctl");
    }
    if (config_load(config, c->config, NULL, 0, &mem, reason, (int)sizeof reason) < 0) {
        ctl_say(c, "%s", reason);
    } else {
        status = setup_joint(c, config);
    }
    arena_close(&mem);
    free(config);
    return status;
}
