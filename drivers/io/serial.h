/*
 * Real ttys: any baud rate (termios2, BOTHER), raw, exclusive, non-blocking; and the one readiness
 * contract of the tick: wait for a descriptor until an absolute deadline, by ppoll. (ppoll's timer
 * runs in hard interrupt context; those of linked ring timeouts and of timerfd run in a
 * low-priority kernel thread on RT kernels.)
 */
#pragma once

#include "daemon/base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Open path at baud, 8N1, and lock it (TIOCEXCL and flock). Returns the descriptor, or -errno and
 * one sentence: -ENOENT, -EACCES, -EBUSY (another program has it), -EINVAL (the driver cannot do
 * this rate).
 */
int serial_open(const char *path, int baud, char *ret_why, int cap) BASAL_MUST_USE;
/* -1 is fine. */
void serial_close(int fd);
/* Another rate on an open port. 0, or -EINVAL when the driver cannot do it within 2 %. */
int serial_set_baud(int fd, int baud) BASAL_MUST_USE;

/* The rate set on a port, or seen from a pty's master; -errno. */
int serial_baud(int fd);
/* A new pseudo-terminal in raw mode. Returns the master; ret_path [cap] gets the slave's name;
 * -errno. */
int serial_open_pty(char *ret_path, size_t cap) BASAL_MUST_USE;

/* Bytes written, or -EIO: the device is gone. */
int serial_write(int fd, const uint8_t *bytes, size_t n) BASAL_RT;
/* Bytes read, 0: none there now, -EIO: the device is gone. */
int serial_read(int fd, uint8_t *ret_bytes, size_t cap) BASAL_RT;

/* 1: readable, 0: deadline_ns (CLOCK_MONOTONIC) came, -EIO: hung up. */
int io_wait(int fd, int64_t deadline_ns) BASAL_RT;
