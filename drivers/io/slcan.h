/*
 * CAN over a tty, for USB adapters and for machines without kernel CAN: whole frames on one side,
 * slcan_line's text on the other, serial.h's port below. Frames are struct canfd_frame, CANFD_MTU
 * bytes each, as in can.h. Flat state, for it is part of a bus's.
 */
#pragma once

#include "daemon/base/err.h"
#include "drivers/io/slcan_line.h"

#include <stdbool.h>
#include <stdint.h>

#define SLCAN_TEXT_BYTES 1024

struct slcan {
    char text[SLCAN_TEXT_BYTES]; /* received, not parsed yet */
    size_t n;
    bool torn;        /* the last line sent was cut off */
    uint64_t garbage; /* lines that are none */
    uint64_t refused; /* BEL: the adapter did not take a frame */
};

/*
 * Open the port and, through it, the adapter's channel at bitrate: C, S, O. An adapter that
 * acknowledges must say yes; one that says nothing is believed. Takes some tenths of a second.
 * Returns the descriptor, or -errno and one sentence.
 */
int slcan_open(const char *path, int baud, int bitrate, char *ret_why, int cap) BASAL_MUST_USE;
/* Closes the channel too, so that nothing is heard or acknowledged any more. -1 is fine. */
void slcan_close(int fd);

/* Frames onto the bus. Returns the bytes taken; less than n: the tty takes no more; -EIO: gone;
 * -EINVAL: a frame that slcan cannot carry. */
int slcan_write(struct slcan *s, int fd, const void *frames, size_t n) BASAL_RT;
/* Frames that are there, error frames among them. Returns bytes; 0: none; -EIO. */
int slcan_read(struct slcan *s, int fd, void *ret_frames, size_t cap) BASAL_RT;
