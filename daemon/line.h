/*
 * Where the devices of an emulated bus can be reached from other programs: a pseudo-terminal with a
 * link for a name, which on a CAN bus is an emulated slcan adapter's; or a CAN interface. Carries
 * what comes between there and the world.
 */
#pragma once

#include "daemon/port.h"
#include "sim/firmware/slcan_adapter.h"

struct line {
    enum port_kind kind;
    int fd, slave;         /* -1: unplugged; our own open slave keeps the master from hanging up */
    char link[PATH_CHARS]; /* or the interface's name */
    char path[PATH_CHARS]; /* of the pseudo-terminal; "" */
    int64_t back_ns;       /* when an unplugged line comes back; its owner's */
    int bitrate;           /* of a CAN bus */
    struct adapter adapter;
};

/* name: a link, or an interface; NULL: the bus's own device. Nothing is open yet. */
void line_init(struct line *l, const struct robot *r, int bus, const char *name);
/* 0, or -errno and one sentence. */
int line_plug(struct line *l, const struct robot *r, int bus, char *ret_why,
              int cap) BASAL_MUST_USE;
/* Without it an interface stays where it is, but its motors are silent. */
void line_unplug(struct line *l);
/* What the host has sent reaches the devices; what they answered by now reaches the host. */
void line_carry(struct line *l, struct world *w, int bus);
