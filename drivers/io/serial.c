#include "drivers/io/serial.h"

#include "daemon/base/clock.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/major.h>
#include <linux/serial.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define BAUD_ERROR 50                /* 1/50 = 2 % */
#define STEP_NS    (100 * NS_PER_US) /* between two looks for bytes */

/* TIOCEXCL lasts until everybody has closed the port. The emulator behind a pseudo-terminal never
 * does, so it would lock out whoever comes after this process; flock ends with it. */
static bool is_pty(dev_t device)
{
    return major(device) >= UNIX98_PTY_SLAVE_MAJOR &&
           major(device) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
}

/* Never waits: who opens a bus of a running robot has a watchdog to feed, and tries again. */
static int lock(int fd, const char *path, char *ret_why, int cap)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return why(ret_why, cap, -EBUSY, "%s is used by another program; stop it first", path);
    }
    struct stat st;
    if (fstat(fd, &st) == 0 && !is_pty(st.st_rdev)) {
        (void)ioctl(fd, TIOCEXCL);
    }
    return 0;
}

static int cannot_open(const char *path, char *ret_why, int cap)
{
    const int error = errno;
    struct stat st;
    if (error == EBUSY) { /* locked by TIOCEXCL */
        return why(ret_why, cap, -error, "%s is used by another program; stop it first", path);
    }
    if (error == ENOENT) {
        return why(ret_why, cap, -error, "there is no %s: is the robot plugged in and on?", path);
    }
    if (error == EACCES && stat(path, &st) == 0) {
        const struct group *g = getgrgid(st.st_gid);
        return why(ret_why, cap, -error, "not allowed to open %s: join its group %s", path,
                   g != NULL ? g->gr_name : "(which has no name)");
    }
    return why(ret_why, cap, -error, "cannot open %s: %s", path, strerror(error));
}

static int set_raw(int fd, int baud)
{
    struct termios2 t;
    if (ioctl(fd, TCGETS2, &t) != 0) {
        return -errno;
    }
    t.c_iflag = 0; /* no IXON, which eats 0x11 and 0x13; no PARMRK, which doubles 0xFF */
    t.c_oflag = 0;
    t.c_lflag = 0;
    t.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
    t.c_ispeed = t.c_ospeed = (speed_t)baud;
    memset(t.c_cc, 0, sizeof t.c_cc);
    t.c_cc[VMIN] = 1; /* so that an empty read says EAGAIN and not 0, which means hang-up */
    if (ioctl(fd, TCSETS2, &t) != 0 || ioctl(fd, TCGETS2, &t) != 0) {
        return -errno;
    }
    return abs((int)t.c_ospeed - baud) > baud / BAUD_ERROR ? -EINVAL : 0;
}

/* Low latency where the adapter knows it (FTDI holds short answers back for 16 ms otherwise). */
static void set_low_latency(int fd)
{
    struct serial_struct s;
    if (ioctl(fd, TIOCGSERIAL, &s) == 0) {
        s.flags = (int)((unsigned)s.flags | ASYNC_LOW_LATENCY);
        (void)ioctl(fd, TIOCSSERIAL, &s);
    }
}

int serial_set_baud(int fd, int baud)
{
    const int rc = set_raw(fd, baud);
    (void)ioctl(fd, TCFLSH, TCIOFLUSH);
    return rc;
}

int serial_baud(int fd)
{
    struct termios2 t;
    return ioctl(fd, TCGETS2, &t) == 0 ? (int)t.c_ospeed : -errno;
}

int serial_open_pty(char *ret_path, size_t cap)
{
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 || ptsname_r(fd, ret_path, cap) != 0) {
        const int rc = -errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    const int rc =
        set_raw(fd, 57600); /* before anyone opens it: a pty starts canonical, with echo */
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    return fd;
}

int serial_open(const char *path, int baud, char *ret_why, int cap)
{
    const int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return cannot_open(path, ret_why, cap);
    }
    int rc = lock(fd, path, ret_why, cap);
    if (rc == 0) {
        rc = set_raw(fd, baud);
        if (rc < 0) {
            (void)(rc == -ENOTTY ? why(ret_why, cap, rc, "%s is no serial port", path)
                                 : why(ret_why, cap, rc, "%s cannot do %d baud: %s", path, baud,
                                       strerror(-rc)));
        }
    }
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    set_low_latency(fd);
    (void)ioctl(fd, TCFLSH, TCIOFLUSH);
    return fd;
}

void serial_close(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int gone_or_later(void)
{
    return errno == EAGAIN || errno == EINTR ? 0 : -EIO;
}

int serial_write(int fd, const uint8_t *bytes, size_t n)
{
    const ssize_t done = write(fd, bytes, n);
    return done >= 0 ? (int)done : gone_or_later();
}

/* Bytes that can be read at once; -EIO: the device is gone. */
static int waiting(int fd)
{
    int n = 0;
    return ioctl(fd, TIOCINQ, &n) == 0 ? n : -EIO;
}

int serial_read(int fd, uint8_t *ret_bytes, size_t cap)
{
    const int there = waiting(fd);
    if (there <= 0) {
        return there;
    }
    const ssize_t n = read(fd, ret_bytes, cap);
    return n > 0 ? (int)n : n == 0 ? -EIO : gone_or_later();
}

int serial_wait(int fd, int64_t deadline_ns)
{
    const struct clock monotonic = {0};
    for (;;) {
        const int there = waiting(fd);
        if (there != 0) {
            return there < 0 ? there : 1;
        }
        const int64_t now_ns = clock_now_ns(&monotonic);
        if (now_ns >= deadline_ns) {
            return 0;
        }
        const int64_t until_ns = now_ns + STEP_NS < deadline_ns ? now_ns + STEP_NS : deadline_ns;
        const struct timespec t = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
}
