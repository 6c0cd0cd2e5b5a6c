#include "daemon/line.h"

#include "drivers/io/can.h"
#include "drivers/io/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAUD_UNKNOWN 57600u
#define CARRIED      (ADAPTER_FRAMES * CANFD_MTU) /* bytes at a time */
#define LINES_BYTES  (ADAPTER_FRAMES * 6) /* of text: no more lines than that, t1230 CR each */

void line_init(struct line *l, const struct robot *r, int bus, const char *name)
{
    struct bus_spec spec = r->bus[bus];
    const struct bus_codec c = bus_codec_find(spec.driver);
    if (name != NULL) {
        (void)snprintf(spec.device, sizeof spec.device, "%s", name);
    }
    *l =
        (struct line){.kind = port_kind(&c, &spec), .fd = -1, .slave = -1, .bitrate = spec.bitrate};
    memcpy(l->link, spec.device, sizeof l->link);
}

static int plug_pty(struct line *l, char *ret_why, int cap)
{
    l->fd = serial_open_pty(l->path, sizeof l->path);
    if (l->fd < 0) {
        return why(ret_why, cap, l->fd, "no pseudo-terminal: %s", strerror(-l->fd));
    }
    l->slave = open(l->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    l->adapter = (struct adapter){.n = 0};
    (void)unlink(l->link);
    if (symlink(l->path, l->link) != 0) {
        return why(ret_why, cap, -errno,
                   "cannot link %.100s to %.100s: %s; give another with --link", l->link, l->path,
                   strerror(errno));
    }
    return 0;
}

static int plug_interface(struct line *l, const struct robot *r, int bus, char *ret_why, int cap)
{
    char note[WHY_CHARS];
    const struct can_spec spec = {
        .interface = l->link, .rate = bus_cantime(&r->bus[bus]), .queue_frames = ADAPTER_FRAMES};
    l->fd = can_open(&spec, note, ret_why, cap);
    return l->fd < 0 ? l->fd : 0;
}

int line_plug(struct line *l, const struct robot *r, int bus, char *ret_why, int cap)
{
    return l->kind == PORT_CAN ? plug_interface(l, r, bus, ret_why, cap)
                               : plug_pty(l, ret_why, cap);
}

void line_unplug(struct line *l)
{
    if (l->fd >= 0) {
        (void)close(l->fd);
    }
    if (l->slave >= 0) {
        (void)close(l->slave);
        (void)unlink(l->link);
    }
    l->fd = l->slave = -1;
}

static void carry_bytes(struct line *l, struct world *w, int bus)
{
    uint8_t bytes[1024];
    const int n = serial_read(l->fd, bytes, sizeof bytes);
    if (n > 0) {
        const int baud = serial_baud(l->fd);
        (void)world_tx(w, bus, bytes, (size_t)n, baud > 0 ? (uint32_t)baud : BAUD_UNKNOWN);
    }
    const int m = world_rx(w, bus, world_now_ns(w), bytes, sizeof bytes);
    if (m > 0) {
        (void)serial_write(l->fd, bytes, (size_t)m);
    }
}

static void carry_lines(struct line *l, struct world *w, int bus)
{
    _Alignas(struct canfd_frame) uint8_t bytes[CARRIED];
    struct adapter_out out = {.n_frames = 0};
    const int n = serial_read(l->fd, bytes, LINES_BYTES);
    if (n > 0) {
        adapter_host(&l->adapter, (const char *)bytes, (size_t)n, &out);
        (void)world_tx(w, bus, (const uint8_t *)out.frame, (size_t)out.n_frames * CANFD_MTU,
                       l->adapter.bitrate);
    }
    const int m = world_rx(w, bus, world_now_ns(w), bytes, sizeof bytes);
    for (int at = 0; at + (int)CANFD_MTU <= m && out.n_text + 64 < sizeof out.text;
         at += (int)CANFD_MTU) {
        struct canfd_frame f;
        memcpy(&f, bytes + at, sizeof f);
        out.n_text += (size_t)adapter_bus(&l->adapter, &f, world_now_ns(w), out.text + out.n_text,
                                          sizeof out.text - out.n_text);
    }
    if (out.n_text > 0) {
        (void)serial_write(l->fd, (const uint8_t *)out.text, out.n_text);
    }
}

/* Without the errors that the interface tells of itself. */
static int only_frames(uint8_t *bytes, int n)
{
    int kept = 0;
    for (int at = 0; at + (int)CANFD_MTU <= n; at += (int)CANFD_MTU) {
        struct canfd_frame f;
        memcpy(&f, bytes + at, sizeof f);
        if ((f.can_id & CAN_ERR_FLAG) == 0) {
            memcpy(bytes + kept, &f, sizeof f);
            kept += (int)CANFD_MTU;
        }
    }
    return kept;
}

static void carry_frames(struct line *l, struct world *w, int bus)
{
    uint8_t bytes[CARRIED];
    int64_t age_ns;
    int n = can_read(l->fd, bytes, sizeof bytes, &age_ns);
    n = n > 0 ? only_frames(bytes, n) : 0;
    if (n > 0) {
        (void)world_tx(w, bus, bytes, (size_t)n, (uint32_t)l->bitrate);
    }
    const int m = world_rx(w, bus, world_now_ns(w), bytes, sizeof bytes);
    if (m > 0) {
        (void)can_write(l->fd, bytes, (size_t)m);
    }
}

void line_carry(struct line *l, struct world *w, int bus)
{
    switch (l->kind) {
    case PORT_SLCAN:
        carry_lines(l, w, bus);
        break;
    case PORT_CAN:
        carry_frames(l, w, bus);
        break;
    case PORT_SERIAL:
        carry_bytes(l, w, bus);
        break;
    }
}
