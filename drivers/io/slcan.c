#include "drivers/io/slcan.h"

#include "daemon/base/clock.h"
#include "drivers/io/serial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_NS (60 * NS_PER_MS) /* USB adapters answer in a few */
#define QUIET_NS  (20 * NS_PER_MS)
#define DRAIN_NS  (200 * NS_PER_MS)
#define WRITE_MAX 2048 /* 64 of the longest lines */

/* Everything that still comes, until it is quiet: a channel that was open may have been talking. */
static int drain(int fd)
{
    static const struct clock monotonic = {0};
    const int64_t until_ns = clock_now_ns(&monotonic) + DRAIN_NS;
    uint8_t junk[256];
    int rc = 1;
    while (rc > 0 && clock_now_ns(&monotonic) < until_ns) {
        rc = serial_wait(fd, clock_now_ns(&monotonic) + QUIET_NS);
        if (rc > 0) {
            rc = serial_read(fd, junk, sizeof junk) < 0 ? -EIO : 1;
        }
    }
    return rc < 0 ? rc : 0;
}

/* A command and what the adapter says to it. 1: yes, 0: nothing, -EPROTO: no, -EIO. */
static int command(struct slcan *s, int fd, const char *text)
{
    static const struct clock monotonic = {0};
    const int64_t until_ns = clock_now_ns(&monotonic) + ANSWER_NS;
    const int len = (int)strlen(text);
    struct slcan_line line;
    if (serial_write(fd, (const uint8_t *)text, (size_t)len) != len) {
        return -EIO;
    }
    for (;;) {
        for (size_t used = 1; used > 0;) {
            used = slcan_parse(s->text, s->n, &line);
            s->n -= used;
            memmove(s->text, s->text + used, s->n);
            if (used > 0 && (line.kind == SLCAN_YES || line.kind == SLCAN_NO)) {
                return line.kind == SLCAN_YES ? 1 : -EPROTO;
            }
        }
        const int ready = serial_wait(fd, until_ns);
        const int n =
            ready <= 0 ? ready : serial_read(fd, (uint8_t *)s->text + s->n, sizeof s->text - s->n);
        if (n < 0 || ready == 0) {
            return n;
        }
        s->n += (size_t)n;
    }
}

static int open_channel(int fd, const char *path, int bitrate, char *ret_why, int cap)
{
    struct slcan s = {.n = 0};
    char text[8];
    /* an empty line first, which ends what a killed process has left half written */
    int rc = command(&s, fd, "\r");
    if (rc != -EIO) {
        rc = command(&s, fd, "C\r"); /* no: it is closed */
    }
    if (rc == -EIO || drain(fd) < 0) {
        return why(ret_why, cap, -EIO, "%s is gone while its channel is opened", path);
    }
    s.n = 0;
    (void)snprintf(text, sizeof text, "%s\r", slcan_rate(bitrate));
    rc = command(&s, fd, text);
    if (rc == -EPROTO) {
        return why(ret_why, cap, -EPROTO,
                   "the adapter at %s refuses %d bit/s: is it an slcan adapter? see bus.bitrate",
                   path, bitrate);
    }
    rc = rc < 0 ? rc : command(&s, fd, "O\r");
    if (rc == -EPROTO) {
        return why(ret_why, cap, -EPROTO,
                   "the adapter at %s does not open its channel: unplug it, plug it in again",
                   path);
    }
    return rc < 0 ? why(ret_why, cap, -EIO, "%s is gone while its channel is opened", path) : 0;
}

int slcan_open(const char *path, int baud, int bitrate, char *ret_why, int cap)
{
    if (slcan_rate(bitrate) == NULL) {
        return why(ret_why, cap, -EINVAL,
                   "an slcan adapter cannot do %d bit/s: 1000000, 800000, 500000, 250000, 125000, "
                   "100000, 50000, 20000 or 10000; see bus.bitrate",
                   bitrate);
    }
    const int fd = serial_open(path, baud, ret_why, cap);
    if (fd < 0) {
        return fd;
    }
    const int rc = open_channel(fd, path, bitrate, ret_why, cap);
    if (rc < 0) {
        serial_close(fd);
        return rc;
    }
    return fd;
}

void slcan_close(int fd)
{
    if (fd >= 0) {
        (void)serial_write(fd, (const uint8_t *)"\rC\r", 3);
    }
    serial_close(fd);
}

/* How many whole lines are within the first n characters. */
static size_t lines_in(const char *text, size_t n)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += text[i] == SLCAN_CR;
    }
    return lines;
}

int slcan_write(struct slcan *s, int fd, const void *frames, size_t n)
{
    char text[WRITE_MAX];
    size_t at = 0;
    const size_t torn = s->torn;
    if (torn != 0) {
        text[at++] = SLCAN_CR; /* ends what was cut off */
    }
    for (size_t i = 0; i + CANFD_MTU <= n && at + SLCAN_LINE_MAX <= sizeof text; i += CANFD_MTU) {
        struct canfd_frame f;
        memcpy(&f, (const char *)frames + i, sizeof f);
        const int len = slcan_build(&f, text + at, sizeof text - at);
        if (len < 0) {
            return -EINVAL;
        }
        at += (size_t)len;
    }
    const int done = serial_write(fd, (const uint8_t *)text, at);
    if (done < 0) {
        return done;
    }
    const size_t sent = (size_t)done < at ? (size_t)done : at;
    if (sent > 0) {
        s->torn = text[sent - 1] != SLCAN_CR;
    }
    const size_t lines = lines_in(text, sent);
    return (int)((lines > torn ? lines - torn : 0) * CANFD_MTU);
}

int slcan_read(struct slcan *s, int fd, void *ret_frames, size_t cap)
{
    if (s->n < sizeof s->text) { /* lines may be left that did not fit into what was asked for */
        const int got = serial_read(fd, (uint8_t *)s->text + s->n, sizeof s->text - s->n);
        if (got < 0) {
            return got;
        }
        s->n += (size_t)got;
    }
    size_t used = 0, at = 0;
    while (at + CANFD_MTU <= cap) {
        struct slcan_line line;
        const size_t n = slcan_parse(s->text + used, s->n - used, &line);
        if (n == 0) {
            break;
        }
        used += n;
        s->garbage += line.kind == SLCAN_GARBAGE;
        s->refused += line.kind == SLCAN_NO;
        if (line.kind == SLCAN_FRAME) {
            memcpy((char *)ret_frames + at, &line.frame, sizeof line.frame);
            at += CANFD_MTU;
        }
    }
    s->n -= used;
    memmove(s->text, s->text + used, s->n);
    return (int)at;
}
