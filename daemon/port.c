#include "daemon/port.h"

#include "drivers/io/serial.h"

#include <errno.h>

#define DISCARD_READS 64 /* a bus that never stops talking must not stop the tick */

int port_write(struct port *p, const uint8_t *bytes, size_t n)
{
    if (p->world != NULL) {
        p->sent_ns = world_tx(p->world, p->bus, bytes, n, (uint32_t)p->baud);
        return 0;
    }
    const int rc = serial_write(p->fd, bytes, n);
    const int64_t wire_ns = (int64_t)n * 10 * NS_PER_S / p->baud;
    p->sent_ns = clock_now_ns(p->clock) + wire_ns;
    return rc < 0 ? rc : (size_t)rc < n ? -EAGAIN : 0;
}

int port_read(struct port *p, int64_t deadline_ns, uint8_t *ret_bytes, size_t cap)
{
    if (p->world != NULL) {
        const int n = world_rx(p->world, p->bus, deadline_ns, ret_bytes, cap);
        p->clock->now_ns = world_now_ns(p->world);
        return n;
    }
    const int ready = serial_wait(p->fd, deadline_ns);
    return ready <= 0 ? ready : serial_read(p->fd, ret_bytes, cap);
}

int port_discard(struct port *p)
{
    uint8_t junk[256];
    int n = 1;
    for (int i = 0; i < DISCARD_READS && n > 0; i++) {
        n = p->world != NULL ? world_rx(p->world, p->bus, world_now_ns(p->world), junk, sizeof junk)
                             : serial_read(p->fd, junk, sizeof junk);
    }
    return n < 0 ? n : 0;
}
