#include "daemon/ctl/canbus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUP    8   /* questions on the bus at once */
#define GROUP_MS 6   /* of a group of questions and their answers at 125 kbit/s, and a bit */
#define LAST_MS  100 /* for answers that an adapter or a busy machine held back */
#define FRAMES   32
#define OPENS    3

int canbus_open(struct canbus *b, const struct bus_spec *spec, char *ret_why, int cap)
{
    *b = (struct canbus){.robot = calloc(1, sizeof *b->robot)};
    if (b->robot == NULL) {
        return why(ret_why, cap, -ENOMEM, "out of memory");
    }
    b->robot->n_buses = 1;
    b->robot->bus[0] = *spec;
    b->robot->control_rate_hz = 10.0; /* a full queue is waited for this long, twice */
    port_init(&b->port, b->robot, 0);
    b->port.clock = &b->clock;
    int fd = -EPROTO; /* what a late word of an adapter to whoever had it before looks like */
    for (int i = 0; i < OPENS && fd == -EPROTO; i++) {
        fd = port_open(b->robot, 0, b->note, ret_why, cap);
    }
    if (fd < 0) {
        free(b->robot);
        b->robot = NULL;
        return fd;
    }
    port_take(&b->port, fd);
    return 0;
}

void canbus_close(struct canbus *b)
{
    if (b->robot != NULL) {
        port_close(b->port.kind, b->port.fd);
        free(b->robot);
        b->robot = NULL;
    }
}

int canbus_kinds(const char *driver, struct canbus_kind *ret_kinds)
{
    int n = 0;
    for (int i = 0; can_drivers[i] != NULL && n < CANBUS_KINDS; i++) {
        const struct can_driver *d = can_drivers[i];
        if (d->look != NULL && (driver == NULL || strcmp(driver, d->info.name) == 0)) {
            ret_kinds[n].driver = &d->info;
            ret_kinds[n].look = d->look;
            can_look_begin(ret_kinds[n].seen);
            memset(ret_kinds[n].asked, 0, sizeof ret_kinds[n].asked);
            n++;
        }
    }
    return n;
}

/* True: a device of these kinds sent it. */
static bool take(struct canbus_kind *kinds, int n, const struct canfd_frame *f, bool asked)
{
    for (int k = 0; k < n; k++) {
        if ((asked || kinds[k].look->speaks) && kinds[k].look->hear(f, kinds[k].seen) >= 0) {
            return true;
        }
    }
    return false;
}

/* asked: what comes may be an answer. Returns frames of nobody. */
static int hear(struct canbus *b, struct canbus_kind *kinds, int n, int ms, bool asked)
{
    const int64_t until_ns = clock_now_ns(&b->clock) + ms * NS_PER_MS;
    _Alignas(struct canfd_frame) uint8_t bytes[FRAMES * CANFD_MTU];
    int strangers = 0;
    for (;;) {
        const int got = port_read(&b->port, until_ns, bytes, sizeof bytes);
        if (got <= 0) {
            return strangers;
        }
        for (int at = 0; at + (int)CANFD_MTU <= got; at += (int)CANFD_MTU) {
            struct canfd_frame f;
            memcpy(&f, bytes + at, sizeof f);
            strangers += !take(kinds, n, &f, asked);
        }
        if (clock_now_ns(&b->clock) >= until_ns) { /* who never stops talking */
            return strangers;
        }
    }
}

int canbus_listen(struct canbus *b, struct canbus_kind *kinds, int n, int ms)
{
    return hear(b, kinds, n, ms, false);
}

static void question(struct canbus *b, const struct canbus_kind *k, int id, int at)
{
    struct canfd_frame f;
    k->look->ask(id, at, &f);
    if (b->robot->bus[0].data_bitrate > 0 && (f.can_id & (CAN_RTR_FLAG | CAN_EFF_FLAG)) == 0) {
        f.flags = CANFD_FDF | CANFD_BRS;
    }
    (void)port_write(&b->port, (const uint8_t *)&f, sizeof f);
}

void canbus_ask(struct canbus *b, struct canbus_kind *k, const int *ids, int n_ids, int times)
{
    int sent = 0;
    for (int t = 0; t < times; t++) {
        for (int i = 0; i < n_ids; i++) {
            if (k->look->speaks && !k->seen[ids[i]].who.known) {
                continue;
            }
            k->asked[ids[i]]++;
            question(b, k, ids[i], 0);
            if (++sent % GROUP == 0 || i + 1 == n_ids) {
                (void)hear(b, k, 1, GROUP_MS, true);
            }
        }
    }
    (void)hear(b, k, 1, LAST_MS, true);
    for (int i = 0; i < n_ids; i++) {
        for (int at = 1; at < k->look->questions && k->seen[ids[i]].who.known; at++) {
            question(b, k, ids[i], at);
            (void)hear(b, k, 1, GROUP_MS, true);
        }
    }
    (void)hear(b, k, 1, LAST_MS, true);
}

void canbus_ask_all(struct canbus *b, struct canbus_kind *k)
{
    int ids[CAN_LOOK_IDS];
    int n = 0;
    for (int id = 0; id <= k->look->id_max; id++) {
        ids[n++] = id;
    }
    canbus_ask(b, k, ids, n, 1);
}

int canbus_errors(const struct canbus *b, char *ret_text, int cap)
{
    const struct can_errors *e = &b->port.errors;
    unsigned trouble = 0;
    int n = 0;
    ret_text[0] = '\0';
    for (int i = 0; i < CAN_TROUBLES; i++) {
        if (e->n[i] > 0 && 1u << i != CAN_TROUBLE_RESTARTED) {
            trouble |= 1u << i;
            n += e->n[i] < 1000 ? (int)e->n[i] : 1000;
        }
    }
    (void)can_errors_text(trouble, b->robot->bus[0].device, ret_text, cap);
    return n;
}
