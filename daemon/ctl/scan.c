/* What answers on a bus: basalctl scan. Moves nothing. */
#include "daemon/ctl/bus.h"

#include "drivers/io/serial.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

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

int ctl_scan(struct ctl *c)
{
    char reason[WHY_CHARS];
    uint8_t code;
    int n = 0;
    struct line line = {.p = line_protocol(c, c->driver)};
    if (line.p == NULL) {
        return EXIT_USAGE;
    }
    if (c->device == NULL || c->joint_baud > INT_MAX ||
        (c->joint_baud != 0 && !line_baud_code(line.p, (int)c->joint_baud, &code))) {
        return ctl_usage(c, "scan --device PATH [--driver NAME] [--baud N], the bus's device file, "
                            "a servo's rate");
    }
    line.fd = serial_open(c->device, line.p->bauds[0].baud, reason, (int)sizeof reason);
    if (line.fd < 0) {
        ctl_say(c, "%s", reason);
        return EXIT_UNAVAILABLE;
    }
    for (const struct baud_code *b = line.p->bauds; b->baud != 0; b++) {
        n += scan_at(c, &line, b->baud);
    }
    serial_close(line.fd);
    if (n == 0) {
        ctl_say(c, "no servo answers on %s: check power and cable", c->device);
    }
    return n > 0 ? 0 : EXIT_FAILURE;
}
