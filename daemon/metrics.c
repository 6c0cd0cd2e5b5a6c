#include "daemon/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_CHARS (METRICS_MAX * 96)

/* Where the last whole line ends; -errno. */
static off_t end_of_lines(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    for (off_t end = st.st_size; end > 0;) {
        char block[4096];
        const off_t from = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        const ssize_t n = pread(fd, block, (size_t)(end - from), from);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        const char *newline = memrchr(block, '\n', (size_t)n);
        if (newline != NULL) {
            return from + (newline - block) + 1;
        }
        end = from;
    }
    return 0;
}

int metrics_open(struct metrics *ret_metrics, struct filewriter *writer, const char *path,
                 char *ret_why, int cap)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        return why(ret_why, cap, -errno,
                   "cannot open %s: %s; make its folder writable, or give another --run-dir", path,
                   strerror(errno));
    }
    const off_t end = end_of_lines(fd);
    if (end < 0 || ftruncate(fd, end) < 0) {
        const int code = end < 0 ? (int)end : -errno;
        (void)close(fd);
        return why(ret_why, cap, code, "cannot go on with %s: %s", path, strerror(-code));
    }
    *ret_metrics = (struct metrics){.writer = writer, .fd = fd};
    return 0;
}

void metrics_close(struct metrics *m)
{
    char reason[WHY_CHARS];
    if (m->writer != NULL && m->fd >= 0) {
        m->lost += filewriter_sync(m->writer, m->fd, reason, (int)sizeof reason) < 0;
        (void)close(m->fd);
    }
    m->fd = -1;
}

static int print_metric(const struct metric *v, char *ret_text, size_t cap)
{
    if (!isfinite(v->value)) {
        return snprintf(ret_text, cap, "\"%.60s\":null", v->name);
    }
    if (v->whole && fabs(v->value) < 9e18) {
        return snprintf(ret_text, cap, "\"%.60s\":%" PRId64, v->name, (int64_t)v->value);
    }
    return snprintf(ret_text, cap, "\"%.60s\":%.9g", v->name, v->value);
}

int metrics_write(struct metrics *m, const struct metric *v, int n, char *ret_why, int cap)
{
    char line[LINE_CHARS];
    size_t at = 0;
    basal_assert(n <= METRICS_MAX);
    line[at++] = '{';
    for (int i = 0; i < n; i++) {
        if (i > 0) {
            line[at++] = ',';
        }
        at += (size_t)print_metric(&v[i], line + at, sizeof line - at);
    }
    line[at++] = '}';
    line[at++] = '\n';
    const int rc = filewriter_append(m->writer, m->fd, line, at, ret_why, cap);
    if (rc < 0) { /* part of it may be there: the next line is not to follow that */
        const off_t end = end_of_lines(m->fd);
        const int ignored = end >= 0 ? ftruncate(m->fd, end) : 0;
        (void)ignored;
    }
    m->lines += rc == 0;
    m->lost += rc < 0;
    return rc;
}
