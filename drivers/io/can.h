/*
 * SocketCAN: an interface that the administrator has set up, as whole frames. Classic and FD, both
 * sizes on one socket; short queues, so that nothing old is sent late; the readiness contract of
 * the tick as in serial.h, here by ppoll: frames are brought in by the interface's interrupt.
 * What is read and written are struct canfd_frame, CANFD_MTU bytes each; a classic frame has no
 * CANFD_FDF in flags.
 */
#pragma once

#include "daemon/base/cantime.h"
#include "daemon/base/err.h"

#include <stddef.h>

struct can_spec {
    const char *interface;           /* "can0" */
    struct cantime rate;             /* for what is said; data_bitrate > 0: FD frames are wanted */
    int queue_frames;                /* about two ticks of what is sent; more may wait nowhere */
    const struct can_filter *filter; /* identifiers to hear; none: all */
    int n_filters;
};

/*
 * A socket on the interface. ret_note [cap] gets what should be changed about it ("" when nothing):
 * a long transmit queue. Returns the descriptor, or -errno and one sentence: -EAFNOSUPPORT (a
 * kernel without CAN), -ENODEV, -ENETDOWN (down, or bus-off), -EPROTONOSUPPORT (FD is wanted, the
 * interface is classic), -EINVAL (its rates or its restart are others than wanted).
 */
int can_open(const struct can_spec *spec, char *ret_note, char *ret_why, int cap) BASAL_MUST_USE;

/*
 * Frames onto the bus until one is not taken. Returns the bytes taken, a multiple of CANFD_MTU;
 * less than n: the queue is full; -ENETDOWN, -EIO: the interface is down, gone.
 */
int can_write(int fd, const void *frames, size_t n) BASAL_RT;

/*
 * Frames that are there, error frames among them (CAN_ERR_FLAG in can_id). Returns bytes; 0: none;
 * -ENETDOWN, -EIO. ret_age_ns gets how long ago the first of them came by the kernel's stamp; 0
 * where it has none.
 */
int can_read(int fd, void *ret_frames, size_t cap, int64_t *ret_age_ns) BASAL_RT;

/* 1: something is there, frames or an error of the interface; 0: deadline_ns (CLOCK_MONOTONIC). */
int can_wait(int fd, int64_t deadline_ns) BASAL_RT;
