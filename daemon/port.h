/*
 * Where a bus's bytes go: a real tty, frames through SocketCAN or an slcan adapter, or a bus of the
 * emulated world. One contract for all: write all, read until something came or the absolute
 * deadline, and -EIO when the bus is gone. On CAN bytes are whole struct canfd_frame; error frames
 * end here, counted.
 */
#pragma once

#include "daemon/base/clock.h"
#include "daemon/bus_codec.h"
#include "daemon/world.h"
#include "drivers/io/can_errors.h"
#include "drivers/io/slcan.h"

enum port_kind { PORT_SERIAL, PORT_CAN, PORT_SLCAN };

struct port {
    enum port_kind kind;
    int fd;              /* -1: not open */
    struct world *world; /* NULL: a real one */
    struct clock *clock;
    int bus;
    int baud;
    struct cantime rate; /* of CAN */
    int64_t full_max_ns; /* a CAN bus that takes nothing for longer is lost */
    int64_t sent_ns;     /* when the last byte written left, as far as can be known */
    int64_t full_ns;     /* since when the bus takes nothing; 0: it does */
    unsigned trouble;    /* of enum can_trouble, until somebody takes note */
    unsigned lost;       /* ... for which it is lost, until it is opened anew */
    struct can_errors errors;
    uint64_t dropped;  /* frames that were not taken */
    int64_t waited_ns; /* from a frame's arrival, by the kernel's stamp, to its reading: longest */
    struct slcan slcan;
};

enum port_kind port_kind(const struct bus_codec *c, const struct bus_spec *spec);

/* A port of the robot's bus that is not open. */
void port_init(struct port *p, const struct robot *r, int bus);
/*
 * Not the loop: open what the robot's bus names. Returns the descriptor, or -errno and one
 * sentence; ret_note [cap] gets what should be changed about it ("" when nothing).
 */
int port_open(const struct robot *r, int bus, char *ret_note, char *ret_why,
              int cap) BASAL_MUST_USE;
/* -1 is fine. */
void port_close(enum port_kind kind, int fd);
/* The loop begins to use what was opened. */
void port_take(struct port *p, int fd) BASAL_RT;

/* 0, or -EIO (gone), -EAGAIN (it takes no more: what was not taken is dropped). */
int port_write(struct port *p, const uint8_t *bytes, size_t n) BASAL_RT;
/* Bytes read, 0 at deadline_ns, -EIO. */
int port_read(struct port *p, int64_t deadline_ns, uint8_t *ret_bytes, size_t cap) BASAL_RT;
/* Throw away what lies in the receive buffer. 0 or -EIO. */
int port_discard(struct port *p) BASAL_RT;
