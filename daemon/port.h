/*
 * Where a bus's bytes go: a real tty, or a bus of the emulated world. One contract for both: write
 * all, read until something came or the absolute deadline, and -EIO when the bus is gone.
 */
#pragma once

#include "daemon/base/clock.h"
#include "daemon/world.h"

struct port {
    int fd;              /* -1: not open */
    struct world *world; /* NULL: a real tty */
    struct clock *clock;
    int bus;
    int baud;
    int64_t sent_ns; /* when the last byte written left, as far as can be known */
};

/* 0, or -EIO (gone), -EAGAIN (the tty takes no more). */
int port_write(struct port *p, const uint8_t *bytes, size_t n) BASAL_RT;
/* Bytes read, 0 at deadline_ns, -EIO. */
int port_read(struct port *p, int64_t deadline_ns, uint8_t *ret_bytes, size_t cap) BASAL_RT;
/* Throw away what lies in the receive buffer. 0 or -EIO. */
int port_discard(struct port *p) BASAL_RT;
