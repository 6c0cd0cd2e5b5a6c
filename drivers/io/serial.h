/*
 * Real ttys: any baud rate (termios2, BOTHER), raw, exclusive, non-blocking; and the one readiness
 * contract of the tick: wait for bytes until an absolute deadline.
 *
 * Not by ppoll. A tty's bytes are brought in by a kernel worker of ordinary priority, and poll()
 * and read() on an empty tty wait until that worker has run: on a busy processor a real-time thread
 * then waits behind everyone. Measured on a pseudo-terminal beside four busy programs, 2000 ticks:
 * ppoll with a timeout of 3 ms came back after up to 7.6 ms and 112 replies were missed; asking how
 * many bytes are there (TIOCINQ) and sleeping 100 us in between never took longer than it should
 * and missed 11.
 */
#pragma once

#include "daemon/base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Open path at baud, 8N1, and lock it (flock, and TIOCEXCL where it is no pseudo-terminal). Returns
 * the descriptor, or -errno and one sentence: -ENOENT, -EACCES, -EBUSY (another program has it),
 * -EINVAL (the driver cannot do this rate).
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

/* 1: bytes are there, 0: deadline_ns (CLOCK_MONOTONIC) came, -EIO: hung up. */
int serial_wait(int fd, int64_t deadline_ns) BASAL_RT;
