#include "daemon/port.h"

#include "daemon/bus_load.h"
#include "drivers/io/can.h"
#include "drivers/io/serial.h"

#include <errno.h>
#include <string.h>

#define DISCARD_READS 64 /* a bus that never stops talking must not stop the tick */
#define FILTERS_MAX   (2 * JOINTS_MAX)
#define FULL_TICKS    2

enum port_kind port_kind(const struct bus_codec *c, const struct bus_spec *spec)
{
    return c->can == NULL ? PORT_SERIAL : bus_is_tty(spec) ? PORT_SLCAN : PORT_CAN;
}

void port_init(struct port *p, const struct robot *r, int bus)
{
    const struct bus_spec *b = &r->bus[bus];
    const struct bus_codec c = bus_codec_find(b->driver);
    *p =
        (struct port){.kind = port_kind(&c, b),
                      .fd = -1,
                      .bus = bus,
                      .baud = b->baud,
                      .rate = bus_cantime(b),
                      .full_max_ns = (int64_t)(FULL_TICKS * (double)NS_PER_S / r->control_rate_hz)};
}

static int open_can(const struct robot *r, int bus, char *ret_note, char *ret_why, int cap)
{
    const struct bus_spec *b = &r->bus[bus];
    const struct bus_codec c = bus_codec_find(b->driver);
    struct can_filter filters[FILTERS_MAX];
    struct bus_budget budget;
    bus_budget(r, bus, &budget);
    const struct can_spec spec = {
        .interface = b->device,
        .rate = bus_cantime(b),
        .queue_frames = budget.frames, /* of which half are replies */
        .filter = filters,
        .n_filters = c.can->filters != NULL ? c.can->filters(r, bus, filters, FILTERS_MAX) : 0};
    return can_open(&spec, ret_note, ret_why, cap);
}

int port_open(const struct robot *r, int bus, char *ret_note, char *ret_why, int cap)
{
    const struct bus_spec *b = &r->bus[bus];
    const struct bus_codec c = bus_codec_find(b->driver);
    ret_note[0] = '\0';
    switch (port_kind(&c, b)) {
    case PORT_CAN:
        return open_can(r, bus, ret_note, ret_why, cap);
    case PORT_SLCAN:
        return slcan_open(b->device, b->baud, b->bitrate, ret_why, cap);
    case PORT_SERIAL:
    default:
        return serial_open(b->device, b->baud, ret_why, cap);
    }
}

void port_close(enum port_kind kind, int fd)
{
    if (kind == PORT_SLCAN) {
        slcan_close(fd);
    } else {
        serial_close(fd);
    }
}

void port_take(struct port *p, int fd)
{
    p->fd = fd;
    p->full_ns = 0;
    p->trouble = p->lost = 0;
    p->slcan.n = 0;
    p->slcan.torn = false;
}

static int64_t frames_ns(const struct port *p, const uint8_t *bytes, size_t n)
{
    int64_t ns = 0;
    for (size_t at = 0; at + CANFD_MTU <= n; at += CANFD_MTU) {
        struct canfd_frame f;
        memcpy(&f, bytes + at, sizeof f);
        ns += cantime_frame_ns(&p->rate, &f);
    }
    return ns;
}

/* done of n bytes were taken. What was not is dropped: sent later it would be untrue. */
static int note_full(struct port *p, size_t done, size_t n)
{
    const int64_t now_ns = clock_now_ns(p->clock);
    if (done == n) {
        p->full_ns = 0;
        return 0;
    }
    p->dropped += (n - done) / CANFD_MTU;
    can_errors_add(&p->errors, CAN_TROUBLE_TX_FULL, 1);
    p->full_ns = p->full_ns == 0 ? now_ns : p->full_ns;
    if (now_ns - p->full_ns <= p->full_max_ns) {
        return -EAGAIN;
    }
    p->trouble |= CAN_TROUBLE_TX_FULL;
    p->lost |= CAN_TROUBLE_TX_FULL;
    return -EIO;
}

/* n of can_read and can_write. An interface that is down keeps its socket, and this is said once.
 */
static int note_down(struct port *p, int n)
{
    p->lost |= n == -ENETDOWN ? (unsigned)CAN_TROUBLE_DOWN : 0;
    return n < 0 ? -EIO : n;
}

static int write_frames(struct port *p, const uint8_t *bytes, size_t n)
{
    const int done = p->kind == PORT_CAN ? note_down(p, can_write(p->fd, bytes, n))
                                         : slcan_write(&p->slcan, p->fd, bytes, n);
    p->sent_ns = clock_now_ns(p->clock) + frames_ns(p, bytes, n);
    return done < 0 ? -EIO : note_full(p, (size_t)done, n);
}

int port_write(struct port *p, const uint8_t *bytes, size_t n)
{
    if (p->lost != 0) {
        return -EIO;
    }
    if (p->world != NULL) {
        p->sent_ns = world_tx(p->world, p->bus, bytes, n,
                              (uint32_t)(p->kind == PORT_SERIAL ? p->baud : p->rate.bitrate));
        return 0;
    }
    if (p->kind != PORT_SERIAL) {
        return write_frames(p, bytes, n);
    }
    const int rc = serial_write(p->fd, bytes, n);
    const int64_t wire_ns = (int64_t)n * 10 * NS_PER_S / p->baud;
    p->sent_ns = clock_now_ns(p->clock) + wire_ns;
    return rc < 0 ? rc : (size_t)rc < n ? -EAGAIN : 0;
}

/* What is there, by now; in the emulated world until deadline_ns, which moves its clock. */
static int read_now(struct port *p, int64_t deadline_ns, uint8_t *ret_bytes, size_t cap)
{
    if (p->world != NULL) {
        const int n = world_rx(p->world, p->bus, deadline_ns, ret_bytes, cap);
        p->clock->now_ns = world_now_ns(p->world);
        return n;
    }
    if (p->kind == PORT_SERIAL) {
        return serial_read(p->fd, ret_bytes, cap);
    }
    if (p->kind == PORT_SLCAN) {
        const uint64_t refused = p->slcan.refused;
        const int n = slcan_read(&p->slcan, p->fd, ret_bytes, cap);
        can_errors_add(&p->errors, CAN_TROUBLE_TX_FULL, p->slcan.refused - refused);
        return n;
    }
    int64_t waited_ns;
    const int n = note_down(p, can_read(p->fd, ret_bytes, cap, &waited_ns));
    p->waited_ns = waited_ns > p->waited_ns ? waited_ns : p->waited_ns;
    return n;
}

/* Frames without those that tell errors, which are counted; -EIO: the controller is bus-off. */
static int keep_frames(struct port *p, uint8_t *bytes, int n)
{
    int kept = 0;
    for (int at = 0; at + (int)CANFD_MTU <= n; at += (int)CANFD_MTU) {
        struct canfd_frame f;
        memcpy(&f, bytes + at, sizeof f);
        if ((f.can_id & CAN_ERR_FLAG) != 0) {
            p->trouble |= can_errors_note(&p->errors, &f);
            continue;
        }
        if (kept < at) {
            memcpy(bytes + kept, &f, sizeof f);
        }
        kept += (int)CANFD_MTU;
    }
    p->lost |= p->trouble & CAN_TROUBLE_BUS_OFF;
    return p->lost != 0 ? -EIO : kept;
}

static int read_frames(struct port *p, int64_t deadline_ns, uint8_t *ret_bytes, size_t cap)
{
    for (;;) {
        int n = p->lost != 0 ? -EIO : read_now(p, deadline_ns, ret_bytes, cap);
        n = n > 0 ? keep_frames(p, ret_bytes, n) : n;
        if (n != 0) {
            return n < 0 ? -EIO : n;
        }
        if (clock_now_ns(p->clock) >= deadline_ns) {
            return 0;
        }
        if (p->world == NULL) {
            const int ready = p->kind == PORT_CAN ? can_wait(p->fd, deadline_ns)
                                                  : serial_wait(p->fd, deadline_ns);
            if (ready <= 0) {
                return ready;
            }
        }
    }
}

int port_read(struct port *p, int64_t deadline_ns, uint8_t *ret_bytes, size_t cap)
{
    if (p->kind != PORT_SERIAL) {
        return read_frames(p, deadline_ns, ret_bytes, cap);
    }
    if (p->world == NULL) {
        const int ready = serial_wait(p->fd, deadline_ns);
        if (ready <= 0) {
            return ready;
        }
    }
    return read_now(p, deadline_ns, ret_bytes, cap);
}

int port_discard(struct port *p)
{
    _Alignas(struct canfd_frame) uint8_t junk[4 * CANFD_MTU];
    int n = p->lost != 0 ? -EIO : 1;
    for (int i = 0; i < DISCARD_READS && n > 0; i++) {
        n = p->world != NULL ? world_rx(p->world, p->bus, world_now_ns(p->world), junk, sizeof junk)
                             : read_now(p, 0, junk, sizeof junk);
        if (n > 0 && p->kind != PORT_SERIAL && keep_frames(p, junk, n) < 0) {
            n = -EIO;
        }
    }
    return n < 0 ? n : 0;
}
