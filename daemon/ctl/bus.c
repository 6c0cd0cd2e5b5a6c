/* Servos without a daemon: a question and its answer; who is there. */
#include "daemon/ctl/bus.h"

#include "daemon/base/clock.h"
#include "drivers/io/serial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_NS       (40 * NS_PER_MS)
#define LOOK_NS        (20 * NS_PER_MS) /* for one id of many: an adapter may hold 16 ms back */
#define QUIET_NS       (10 * NS_PER_MS)
#define QUIETS_MAX     20 /* another host may never be quiet */
#define TRIES          3
#define IDENTITY_BYTES 14       /* a Dynamixel's answer to a ping */
#define BOOT_NS        NS_PER_S /* a servo that starts anew is silent for 0.3 to 1 s */
#define DRIVER         "dynamixel"

/* Statuses that come in until a deadline. */
struct listener {
    const struct line *line;
    int64_t deadline_ns;
    uint8_t rx[1024];
    size_t n;
    size_t dropped; /* bytes that belong to no good packet */
};

/* One request and the answer that it wants. */
struct question {
    uint8_t tx[32];
    int n, id;
    size_t n_data;
};

static int64_t now_ns(void)
{
    return clock_now_ns(&(const struct clock){0});
}

const struct servo_protocol *line_protocol(struct ctl *c, const char *driver)
{
    const char *name = driver != NULL ? driver : DRIVER;
    const struct serial_driver *d = serial_driver_find(name);
    if (d != NULL && d->servo != NULL) {
        return d->servo;
    }
    char names[WHY_CHARS] = "";
    for (int i = 0; serial_drivers[i] != NULL; i++) {
        const size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                       serial_drivers[i]->info.name);
    }
    ctl_say(c, "no servos are called %s; there are %s", name, names);
    return NULL;
}

/* The next status; false: the deadline came, or the bus is gone. */
static bool listen_status(struct listener *l, struct answer *ret_answer)
{
    for (;;) {
        while (l->n > 0) {
            const int used = l->line->p->parse(l->rx, l->n, ret_answer);
            if (used == 0) {
                break;
            }
            const size_t drop = used > 0 ? (size_t)used : 1;
            l->dropped += used > 0 ? 0 : 1;
            l->n -= drop;
            memmove(l->rx, l->rx + drop, l->n);
            if (used > 0 && ret_answer->status) {
                return true;
            }
        }
        if (l->n == sizeof l->rx || serial_wait(l->line->fd, l->deadline_ns) != 1) {
            return false;
        }
        const int got = serial_read(l->line->fd, l->rx + l->n, sizeof l->rx - l->n);
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

static bool exchange(const struct line *line, const struct question *q, int tries, int64_t for_ns,
                     struct answer *ret_answer)
{
    for (int i = 0; i < tries; i++) {
        struct listener l = {.line = line, .deadline_ns = now_ns() + for_ns};
        discard(line->fd);
        if (q->n < 0 || serial_write(line->fd, q->tx, (size_t)q->n) != q->n) {
            return false;
        }
        while (listen_status(&l, ret_answer)) {
            if (ret_answer->id == q->id &&
                (ret_answer->n == q->n_data || ret_answer->verdict != VERDICT_DONE)) {
                return ret_answer->verdict == VERDICT_DONE;
            }
        }
    }
    return false;
}

static struct question who(const struct servo_protocol *p, int id)
{
    struct question q = {.id = id, .n_data = p->identity_bytes};
    q.n = p->ask_identity((uint8_t)id, q.tx, sizeof q.tx);
    return q;
}

static struct identity identity_of(const struct servo_protocol *p, const struct answer *a)
{
    struct identity id = {.known = true};
    p->identify(&(const struct joint_spec){.actuated = true}, a->data, &id);
    return id;
}

static bool identify_for(const struct line *l, int id, int tries, int64_t for_ns,
                         struct identity *ret_id)
{
    struct answer a;
    const struct question q = who(l->p, id);
    const bool there = exchange(l, &q, tries, for_ns, &a);
    if (there) {
        *ret_id = identity_of(l->p, &a);
    }
    return there;
}

bool line_identify(const struct line *l, int id, struct identity *ret_id)
{
    return identify_for(l, id, TRIES, REPLY_NS, ret_id);
}

/* The step of a list that is of this kind: every servo protocol has those asked for here. */
static const struct step *step_of(const struct servo_protocol *p, enum setup_goal goal,
                                  enum step_kind kind)
{
    const struct step *step;
    int i = 0;
    do {
        step = p->step(goal, i++);
    } while (step != NULL && step->kind != kind);
    basal_assert(step != NULL);
    return step;
}

/* Until nothing comes any more: what two devices still say to the question before, cut in two by
 * the next one, would look like damage. */
static void settle(const struct line *l)
{
    for (int i = 0; i < QUIETS_MAX && line_listen(l, QUIET_NS) > 0; i++) {
    }
}

static struct heard hear(const struct line *l, const struct question *q)
{
    struct listener ear = {.line = l};
    struct heard h = {0};
    struct answer a;
    settle(l);
    ear.deadline_ns = now_ns() + REPLY_NS;
    if (q->n < 0 || serial_write(l->fd, q->tx, (size_t)q->n) != q->n) {
        return h;
    }
    while (listen_status(&ear, &a)) {
        h.answers += a.id == q->id && a.n == q->n_data;
    }
    h.damaged = (int)(ear.dropped + ear.n); /* what is left began a packet and did not end it */
    return h;
}

int line_count(const struct line *l, int id)
{
    const struct question q = who(l->p, id);
    return hear(l, &q).answers;
}

struct heard line_hear_pose(const struct line *l, int id)
{
    const struct step *pose = step_of(l->p, SETUP_ARM, STEP_POSE);
    struct question q = {.id = id, .n_data = pose->size};
    q.n = l->p->read((uint8_t)id, pose->addr, pose->size, q.tx, sizeof q.tx);
    return hear(l, &q);
}

bool line_read_error(const struct line *l, int id, uint8_t *ret_error)
{
    return line_read(l, id, step_of(l->p, SETUP_CLEAR, STEP_NO_ERROR)->addr, ret_error);
}

bool line_reboot(const struct line *l, int id)
{
    struct question q = {.id = id};
    struct identity back;
    q.n = l->p->reboot != NULL ? l->p->reboot((uint8_t)id, q.tx, sizeof q.tx) : -ENOTSUP;
    if (q.n < 0 || serial_write(l->fd, q.tx, (size_t)q.n) != q.n) {
        return false;
    }
    (void)line_listen(l, BOOT_NS);
    return line_identify(l, id, &back);
}

int line_listen(const struct line *l, int64_t for_ns)
{
    const int64_t until_ns = now_ns() + for_ns;
    uint8_t junk[256];
    int n = 0;
    while (serial_wait(l->fd, until_ns) == 1) {
        const int got = serial_read(l->fd, junk, sizeof junk);
        if (got < 0) {
            return n;
        }
        n += got;
    }
    return n;
}

bool line_write(const struct line *l, int id, uint16_t addr, uint8_t value)
{
    struct answer a;
    struct question q = {.id = id};
    q.n = l->p->write((uint8_t)id, addr, value, 1, q.tx, sizeof q.tx);
    return exchange(l, &q, TRIES, REPLY_NS, &a);
}

bool line_read(const struct line *l, int id, uint16_t addr, uint8_t *ret_value)
{
    struct answer a;
    struct question q = {.id = id, .n_data = 1};
    q.n = l->p->read((uint8_t)id, addr, 1, q.tx, sizeof q.tx);
    const bool read = exchange(l, &q, TRIES, REPLY_NS, &a);
    if (read) {
        *ret_value = a.data[0];
    }
    return read;
}

bool line_baud_code(const struct servo_protocol *p, int baud, uint8_t *ret_code)
{
    for (const struct baud_code *b = p->bauds; b->baud != 0; b++) {
        if (b->baud == baud) {
            *ret_code = b->code;
            return true;
        }
    }
    return false;
}

/*
 * A ping to all at one rate. Each servo answers in its turn; the wait is that of the maker's SDK:
 * 3 ms an id, 16 ms, and the time of all answers on the wire. Returns servos found, or -1: bytes
 * came, but no good packet.
 */
static int find_all(const struct line *line, int baud, const struct finder *f)
{
    const struct servo_protocol *p = line->p;
    const int64_t wire_ns = (int64_t)IDENTITY_BYTES * p->id_max * 10 * NS_PER_S / baud;
    struct listener l = {.line = line,
                         .deadline_ns = now_ns() + (3 * p->id_max + 16) * NS_PER_MS + wire_ns};
    const struct question q = who(p, p->all_answer_id);
    struct answer a;
    int found = 0;
    discard(line->fd);
    if (q.n < 0 || serial_write(line->fd, q.tx, (size_t)q.n) != q.n) {
        return 0;
    }
    while (listen_status(&l, &a)) {
        if (a.n >= p->identity_bytes) {
            const struct identity id = identity_of(p, &a);
            f->found(f->self, a.id, baud, &id);
            found++;
        }
    }
    return found == 0 && l.dropped > 0 ? -1 : found;
}

/* Where all would speak at once each id is asked by itself. */
static int find_each(const struct line *line, int baud, const struct finder *f)
{
    int found = 0;
    for (int id = 0; id <= line->p->id_max; id++) {
        struct identity who_is;
        if (identify_for(line, id, 1, LOOK_NS, &who_is)) {
            f->found(f->self, id, baud, &who_is);
            found++;
        }
    }
    return found;
}

int line_find(const struct line *l, int baud, const struct finder *f)
{
    return l->p->all_answer_id >= 0 ? find_all(l, baud, f) : find_each(l, baud, f);
}
