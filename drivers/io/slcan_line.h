/*
 * slcan, Lawicel's protocol: CAN frames as lines of text, each ended by CR; BEL ends a line too and
 * says no. A pure codec, with the additions of the kernel's driver (s, e) and the differences
 * between adapters: acknowledges as CR, z CR or Z CR or not at all, time stamps or none, hex digits
 * of either case. Classic frames only.
 *
 *   t iii l dd...         data frame, 11-bit identifier      r iii l         remote frame
 *   T iiiiiiii l dd...    data frame, 29-bit identifier      R iiiiiiii l
 *   ... tttt              time stamp, ms, on a received frame
 */
#pragma once

#include "daemon/base/rt.h"

#include <linux/can.h>
#include <stddef.h>

#define SLCAN_CR       '\r'
#define SLCAN_BEL      '\a'
#define SLCAN_LINE_MAX 32 /* T, 8, length, 16, stamp, CR: 31 */

enum slcan_kind {
    SLCAN_FRAME,   /* or an error frame as SocketCAN has them, from F, s or e */
    SLCAN_YES,     /* an acknowledge: of a command, or that a frame is taken */
    SLCAN_NO,      /* BEL */
    SLCAN_TEXT,    /* another answer: V, v, N ... */
    SLCAN_GARBAGE, /* no line of this protocol */
};

struct slcan_line {
    enum slcan_kind kind;
    struct canfd_frame frame; /* SLCAN_FRAME */
    int stamp_ms;             /* -1: none */
};

/* A frame's line, CR included. Returns its length; -EINVAL: an FD frame, or more than 8 bytes;
 * -ENOSPC. */
int slcan_build(const struct canfd_frame *f, char *ret_text, size_t cap) BASAL_RT;

/*
 * The first line of text. Returns the characters used, its end included; 0: it has not ended yet.
 * More than SLCAN_LINE_MAX characters without an end are garbage.
 */
size_t slcan_parse(const char *text, size_t n, struct slcan_line *ret_line) BASAL_RT;

/* "S8" for 1 Mbit/s; NULL: no code stands for this rate. */
const char *slcan_rate(int bitrate);
