/*
 * How long a frame takes on a CAN bus, to the bit: the three bits of intermission after it, which
 * nobody may use, included. Classic CAN and CAN FD after ISO 11898-1:2015; the CRC of classic CAN
 * is that of Bosch's CAN 2.0.
 */
#pragma once

#include "daemon/base/rt.h"

#include <linux/can.h>
#include <stdbool.h>
#include <stdint.h>

#define CAN_CLASSIC_BYTES 8 /* of data, at the most */

struct cantime {
    int bitrate;      /* bit/s */
    int data_bitrate; /* of the data phase of FD frames with a bit rate switch; 0: there is none */
};

/* A kind of frame: what is known of it before its bits are. */
struct cantime_kind {
    int bytes; /* of data; on FD a length that does not exist counts as the next longer one */
    bool extended, fd; /* 29-bit identifier; FD with a bit rate switch */
};

/*
 * Of one kind of frame the shortest time, without a stuff bit, and the longest, with one after
 * every fourth bit that may be stuffed.
 */
void cantime_bounds_ns(const struct cantime *t, const struct cantime_kind *k, int64_t *ret_min_ns,
                       int64_t *ret_max_ns) BASAL_RT;

/*
 * Of this frame, its own stuff bits counted. CANFD_FDF in flags: an FD frame; with CANFD_BRS its
 * data go at the data bit rate. An FD length that does not exist counts as the next longer one.
 */
int64_t cantime_frame_ns(const struct cantime *t, const struct canfd_frame *f) BASAL_RT;

/* The length on the wire for so many bytes: 0 to 8, 12, 16, 20, 24, 32, 48, 64. */
int cantime_fd_bytes(int bytes) BASAL_RT;
