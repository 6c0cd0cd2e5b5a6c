/* What answers on a bus: basalctl scan. Moves nothing. */
#include "daemon/ctl/bus.h"
#include "daemon/ctl/canbus.h"
#include "daemon/ctl/robotfile.h"

#include "drivers/io/serial.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define LISTEN_MS  300
#define SLCAN_BAUD 1000000
#define FORMS                                                                                      \
    "scan --config FILE | --device DEVICE [--driver NAME] [--baud N] [--bitrate N], a bus's "      \
    "device file or CAN interface, a rate that its devices can have"

void line_say_found(const struct ctl *c, const struct servo_protocol *p, int id, int baud,
                    const struct identity *found)
{
    if (c->json) {
        struct json_object *o = json_begin();
        json_int(o, "id", id);
        json_int(o, "baud", baud);
        json_int(o, "model", found->model);
        json_text(o, "name", p->model_name(found->model));
        json_int(o, "firmware", found->firmware);
        json_print(o, stdout, true);
    } else {
        (void)printf("id %3d  %7d baud  model %d (%s)  firmware %d\n", id, baud, found->model,
                     p->model_name(found->model), found->firmware);
    }
}

/* Who looks, and for whose servos. */
struct scanner {
    const struct ctl *c;
    const struct servo_protocol *p;
};

static void say(void *self, int id, int baud, const struct identity *found)
{
    const struct scanner *s = self;
    line_say_found(s->c, s->p, id, baud, found);
}

static int scan_at(struct ctl *c, const struct line *line, int baud)
{
    const bool wanted = c->joint_baud == 0 || c->joint_baud == baud;
    if (!wanted || serial_set_baud(line->fd, baud) < 0) {
        return 0;
    }
    struct scanner s = {c, line->p};
    const int found = line_find(line, baud, &(const struct finder){.found = say, .self = &s});
    if (found < 0) {
        ctl_say(c,
                "at %d baud something answers that cannot be read: two servos of one id, or "
                "another rate",
                baud);
    }
    return found > 0 ? found : 0;
}

/* A bus of servos; how many answer, or -1, having said why. */
static int scan_serial(struct ctl *c, const char *device, const char *driver)
{
    char reason[WHY_CHARS];
    int n = 0;
    struct line line = {.p = line_protocol(c, driver)};
    if (line.p == NULL) {
        return -1;
    }
    line.fd = serial_open(device, line.p->bauds[0].baud, reason, (int)sizeof reason);
    if (line.fd < 0) {
        ctl_say(c, "%s", reason);
        return -1;
    }
    for (const struct baud_code *b = line.p->bauds; b->baud != 0; b++) {
        n += scan_at(c, &line, b->baud);
    }
    serial_close(line.fd);
    return n;
}

static void say_motor(const struct ctl *c, const struct canbus_kind *k, int id, int bitrate)
{
    const struct can_seen *z = &k->seen[id];
    const char *error = z->error != 0 ? z->error_text : "";
    if (c->json) {
        struct json_object *o = json_begin();
        json_int(o, "id", id);
        json_int(o, "bitrate", bitrate);
        json_text(o, "driver", k->driver->name);
        json_int(o, "model", z->who.model);
        json_int(o, "firmware", z->who.firmware);
        json_int(o, "serial", z->who.serial);
        json_bool(o, "torque", z->torque);
        json_text(o, "error", error);
        json_print(o, stdout, true);
        return;
    }
    (void)printf("id %3d  %7d bit/s  %s  model %d", id, bitrate, k->driver->name, z->who.model);
    if (z->who.firmware >= 0) {
        (void)printf("  firmware %d", z->who.firmware);
    }
    (void)printf("  serial %u%s%s%s%s\n", (unsigned)z->who.serial, z->torque ? "  torque on" : "",
                 error[0] != '\0' ? "  error: " : "", error,
                 z->answers > k->asked[id] ? "  answers more than once: two of one id" : "");
}

/* At one rate, every id of every kind. */
static int scan_motors(struct ctl *c, struct canbus *b, struct canbus_kind *kinds, int n_kinds)
{
    char text[WHY_CHARS];
    int n = 0;
    const int strangers = canbus_listen(b, kinds, n_kinds, LISTEN_MS);
    if (strangers > 0) {
        ctl_say(c,
                "%s: %d frames came in %d ms in which nothing was asked: another host speaks on "
                "this bus; stop it first, nothing was asked",
                b->robot->bus[0].device, strangers, LISTEN_MS);
        return 0;
    }
    for (int k = 0; k < n_kinds; k++) {
        canbus_ask_all(b, &kinds[k]);
        for (int id = 0; id < CAN_LOOK_IDS; id++) {
            if (kinds[k].seen[id].who.known) {
                say_motor(c, &kinds[k], id, b->robot->bus[0].bitrate);
                n++;
            }
        }
    }
    if (n == 0 && canbus_errors(b, text, (int)sizeof text) > 0) {
        ctl_say(c, "at %d bit/s: %s", b->robot->bus[0].bitrate, text);
    }
    return n;
}

/* A CAN bus at its rate, or at each that an adapter can do until somebody answers. How many do, or
 * -1, having said why. */
static int scan_can(struct ctl *c, const struct bus_spec *spec, const char *driver)
{
    static const int rates[] = {1000000, 500000, 250000, 125000};
    struct canbus_kind *kinds = calloc(CANBUS_KINDS, sizeof *kinds);
    struct bus_spec at = *spec;
    char reason[WHY_CHARS];
    const int n_kinds = kinds != NULL ? canbus_kinds(driver, kinds) : 0;
    int n = n_kinds > 0 ? 0 : -1;
    if (n_kinds == 0) {
        ctl_say(c, "%s motors answer nothing but commands: they cannot be looked for", driver);
    }
    const int n_rates = spec->bitrate == 0 && bus_is_tty(spec) ? 4 : 1;
    for (int i = 0; i < n_rates && n == 0; i++) {
        struct canbus b;
        at.bitrate = spec->bitrate != 0 ? spec->bitrate : rates[i];
        if (canbus_open(&b, &at, reason, (int)sizeof reason) < 0) {
            ctl_say(c, "%s", reason);
            n = -1;
            break;
        }
        n = scan_motors(c, &b, kinds, n_kinds);
        canbus_close(&b);
    }
    free(kinds);
    return n;
}

static int scan_robot(struct ctl *c, const struct config *config)
{
    const struct robot *r = &config->robot;
    int status = r->n_buses > 0 ? 0 : EXIT_FAILURE;
    for (int i = 0; i < r->n_buses; i++) {
        const bool can = can_driver_find(r->bus[i].driver) != NULL;
        const int n = can ? scan_can(c, &r->bus[i], r->bus[i].driver)
                          : scan_serial(c, r->bus[i].device, r->bus[i].driver);
        if (n == 0) {
            ctl_say(c, "bus %s: no device answers on %s: check power and cable", r->bus[i].name,
                    r->bus[i].device);
        }
        status = n < 0 ? EXIT_UNAVAILABLE : n == 0 && status == 0 ? EXIT_FAILURE : status;
    }
    return status;
}

/* --device alone: an interface's name, a rate or a driver of CAN say that it is one. */
static int scan_device(struct ctl *c)
{
    const bool can_driver = c->driver != NULL && can_driver_find(c->driver) != NULL;
    struct bus_spec spec = {.bitrate = (int)c->bitrate,
                            .baud = c->joint_baud != 0 ? (int)c->joint_baud : SLCAN_BAUD};
    (void)snprintf(spec.driver, sizeof spec.driver, "%s",
                   can_driver ? c->driver : can_drivers[0]->info.name);
    (void)snprintf(spec.device, sizeof spec.device, "%s", c->device);
    const bool can = can_driver || c->bitrate != 0 || !bus_is_tty(&spec);
    const struct servo_protocol *p = can ? NULL : line_protocol(c, c->driver);
    uint8_t code;
    if (!can &&
        (p == NULL || (c->joint_baud != 0 && !line_baud_code(p, (int)c->joint_baud, &code)))) {
        return p == NULL ? EXIT_USAGE : ctl_usage(c, FORMS);
    }
    const int n = can ? scan_can(c, &spec, can_driver ? c->driver : NULL)
                      : scan_serial(c, c->device, c->driver);
    if (n == 0) {
        ctl_say(c, "no %s answers on %s: check power and cable", can ? "motor" : "servo",
                c->device);
    }
    return n > 0 ? 0 : n < 0 ? EXIT_UNAVAILABLE : EXIT_FAILURE;
}

int ctl_scan(struct ctl *c)
{
    if ((c->device == NULL) == (c->config == NULL) || c->joint_baud > INT_MAX ||
        c->bitrate > 1000000) {
        return ctl_usage(c, FORMS);
    }
    return c->config != NULL ? ctl_on_config(c, c->config, scan_robot) : scan_device(c);
}
