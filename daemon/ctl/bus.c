/* Servos without a daemon: find them, bring a new one to a joint's settings. */
#include "daemon/ctl/ctl.h"

#include "daemon/base/clock.h"
#include "daemon/config.h"
#include "drivers/dynamixel.h"
#include "drivers/io/serial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_NS (40 * NS_PER_MS)
#define TRIES    3

static const int bauds[] = {57600, 115200, 1000000, 2000000, 3000000, 4000000, 9600};

/* Bytes of one exchange until a status of id, or the deadline. */
static bool exchange(int fd, const uint8_t *tx, int n, int id, struct dxl_packet *ret_packet)
{
    static const struct clock mono = {0};
    uint8_t rx[256];
    size_t n_rx = 0;
    const int64_t deadline_ns = clock_now_ns(&mono) + REPLY_NS;
    if (n < 0 || serial_write(fd, tx, (size_t)n) != n) {
        return false;
    }
    while (io_wait(fd, deadline_ns) == 1 && n_rx < sizeof rx) {
        const int got = serial_read(fd, rx + n_rx, sizeof rx - n_rx);
        if (got < 0) {
            return false;
        }
        n_rx += (size_t)got;
        while (n_rx > 0) {
            const int used = dxl_parse(rx, n_rx, ret_packet);
            if (used == 0) {
                break;
            }
            const size_t drop = used > 0 ? (size_t)used : 1;
            n_rx -= drop;
            memmove(rx, rx + drop, n_rx);
            if (used > 0 && ret_packet->instruction == DXL_STATUS && ret_packet->id == id) {
                return true;
            }
        }
    }
    return false;
}

static bool ping(int fd, int id, struct dxl_packet *ret_packet)
{
    uint8_t tx[32];
    const int n = dxl_build((uint8_t)id, DXL_PING, NULL, 0, tx, sizeof tx);
    return exchange(fd, tx, n, id, ret_packet) && ret_packet->n_params >= 3;
}

static int found(struct ctl *c, int baud, int id, const struct dxl_packet *p)
{
    const int model = dxl_get16(p->params);
    const struct dxl_model_row *row = dxl_model_find(model);
    const char *name = row != NULL ? row->name : "unknown";
    if (!c->json) {
        (void)printf("id %3d  %7d baud  model %d (%s)  firmware %d\n", id, baud, model, name, p->params[2]);
        return 1;
    }
    struct json_object *o = json_begin();
    json_int(o, "id", id);
    json_int(o, "baud", baud);
    json_int(o, "model", model);
    json_text(o, "name", name);
    json_int(o, "firmware", p->params[2]);
    json_print(o, stdout, true);
    return 1;
}

int ctl_scan(struct ctl *c)
{
    char reason[WHY_CHARS];
    int n = 0;
    if (c->device == NULL) {
        (void)fprintf(stderr, "basalctl: scan --device PATH, the bus's device file\n");
        return EXIT_USAGE;
    }
    const int fd = serial_open(c->device, bauds[0], reason, (int)sizeof reason);
    if (fd < 0) {
        (void)fprintf(stderr, "basalctl: %s\n", reason);
        return 69;
    }
    for (size_t b = 0; b < sizeof bauds / sizeof bauds[0]; b++) {
        if (serial_set_baud(fd, bauds[b]) < 0) {
            continue;
        }
        if (!c->json) {
            (void)fprintf(stderr, "\rlooking at %d baud ...   ", bauds[b]);
        }
        struct dxl_packet p;
        for (int id = 0; id <= 20; id++) {
            if (ping(fd, id, &p)) {
                n += found(c, bauds[b], id, &p);
            }
        }
    }
    if (!c->json) {
        (void)fprintf(stderr, "\r%d servos found (ids 0 to 20)\n", n);
    }
    serial_close(fd);
    return n > 0 ? 0 : EXIT_FAILURE;
}

static bool write_register(int fd, int id, uint16_t addr, uint8_t value)
{
    uint8_t tx[32], params[3];
    struct dxl_packet p;
    dxl_put16(params, addr);
    params[2] = value;
    for (int i = 0; i < TRIES; i++) {
        const int n = dxl_build((uint8_t)id, DXL_WRITE, params, sizeof params, tx, sizeof tx);
        if (exchange(fd, tx, n, id, &p)) {
            return (p.error & 0x7F) == 0;
        }
    }
    return false;
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

/* Torque off, return delay, id, and the baud rate last: after each the servo is still reachable. */
static const char *bring(int fd, int id, const struct joint_spec *j, int baud)
{
    struct dxl_packet p;
    if (!ping(fd, id, &p)) {
        return "no servo answers; check power and cable, or look with basalctl scan";
    }
    if (j->model != 0 && dxl_get16(p.params) != j->model) {
        return "another model answers than the robot file says";
    }
    if (j->id != id && ping(fd, j->id, &p)) {
        return "a servo with the new id is on the bus already; connect one servo at a time";
    }
    if (!write_register(fd, id, DXL_TORQUE_ENABLE, 0) || !write_register(fd, id, DXL_RETURN_DELAY, 0)) {
        return "the servo refuses a setting";
    }
    if (j->id != id && !write_register(fd, id, DXL_ID, (uint8_t)j->id)) {
        struct dxl_packet again;
        if (!ping(fd, j->id, &again)) { /* it answers under its new id */
            return "the servo does not take its new id";
        }
    }
    if (baud_code(baud) < 0) {
        return "no servo can do the bus's baud rate";
    }
    (void)write_register(fd, j->id, DXL_BAUD, (uint8_t)baud_code(baud)); /* may answer at either rate */
    if (serial_set_baud(fd, baud) < 0 || !ping(fd, j->id, &p)) {
        return "the servo does not answer at its new baud rate";
    }
    return NULL;
}

int ctl_setup_motor(struct ctl *c)
{
    static struct config config;
    struct arena mem;
    char reason[WHY_CHARS] = "";
    if (c->config == NULL || c->n_words != 1) {
        (void)fprintf(stderr, "basalctl: setup-motor --config FILE [--device PATH] [--id N] [--baud N] JOINT\n");
        return EXIT_USAGE;
    }
    if (arena_open(&mem, "config", (size_t)16 << 20) < 0) {
        return EXIT_OS;
    }
    if (config_load(&config, c->config, NULL, 0, &mem, reason, (int)sizeof reason) < 0) {
        (void)fprintf(stderr, "basalctl: %s\n", reason);
        arena_close(&mem);
        return EXIT_CONFIG;
    }
    int at = 0;
    while (at < config.robot.n_joints && strcmp(config.robot.joint[at].name, c->words[0]) != 0) {
        at++;
    }
    const char *problem = at == config.robot.n_joints ? "the robot file has no joint of that name" : NULL;
    if (problem == NULL) {
        const struct joint_spec *j = &config.robot.joint[at];
        const struct bus_spec *b = &config.robot.bus[j->bus];
        const int fd = serial_open(c->device != NULL ? c->device : b->device, (int)c->joint_baud, reason, (int)sizeof reason);
        problem = fd < 0 ? reason : bring(fd, (int)c->id, j, b->baud);
        serial_close(fd);
        if (problem == NULL) {
            (void)printf("joint %s: id %d, %d baud, return delay 0\n", j->name, j->id, b->baud);
        }
    }
    if (problem != NULL) {
        (void)fprintf(stderr, "basalctl: %s\n", problem);
    }
    arena_close(&mem);
    return problem == NULL ? 0 : EXIT_FAILURE;
}
