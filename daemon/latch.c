#include "daemon/latch.h"

#include "daemon/base/clock.h"
#include "daemon/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LATCH_FILE "estop"

int latch_set(struct filewriter *w, int dir, const struct latch *latch, char *ret_why, int cap)
{
    char text[WHY_CHARS + 64];
    const int n = snprintf(text, sizeof text, "%" PRId64 " %s\n", latch->unix_ns, latch->reason);
    const struct bytes part = {text, (size_t)n};
    return filewriter_put(w, dir, LATCH_FILE, &part, 1, ret_why, cap);
}

/* "unix_ns reason\n"; where it is anything else, that is the reason. */
static void parse(char *text, struct latch *ret_latch)
{
    char *at = text;
    text[strcspn(text, "\n")] = '\0';
    errno = 0;
    int64_t unix_ns = strtoll(text, &at, 10);
    if (errno != 0) {
        unix_ns = 0;
        at = text;
    }
    at += strspn(at, " ");
    *ret_latch = (struct latch){.unix_ns = unix_ns};
    (void)snprintf(ret_latch->reason, sizeof ret_latch->reason, "%.255s",
                   *at != '\0' ? at : "the latch file does not say why");
}

bool latch_get(int dir, struct latch *ret_latch)
{
    char text[WHY_CHARS + 64];
    const int fd = openat(dir, LATCH_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return false;
    }
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n < 0) {
        (void)snprintf(text, sizeof text, "0 the latch file cannot be read: %s", strerror(errno));
    } else {
        text[n] = '\0';
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    parse(text, ret_latch);
    return true;
}

int latch_clear(struct filewriter *w, int dir, char *ret_why, int cap)
{
    if (unlinkat(dir, LATCH_FILE, 0) < 0 && errno != ENOENT) {
        return why(ret_why, cap, -errno, "cannot remove the estop latch: %s", strerror(errno));
    }
    return filewriter_sync_dir(w, dir, ret_why, cap);
}

int latch_keeper_open(struct latch_keeper *ret_keeper, int dir)
{
    *ret_keeper = (struct latch_keeper){.dir = dir};
    return dir < 0 ? 0 : filewriter_open(&ret_keeper->writer, FILEWRITER_ANY);
}

void latch_keeper_close(struct latch_keeper *k)
{
    if (k->writer != NULL) {
        filewriter_close(k->writer);
        k->writer = NULL;
    }
}

bool latch_keeper_restore(struct latch_keeper *k, char *ret_reason)
{
    struct latch latch;
    if (k->writer == NULL || !latch_get(k->dir, &latch)) {
        return false;
    }
    k->on_disk = LATCHED_ASKED;
    (void)snprintf(ret_reason, WHY_CHARS, "%s", latch.reason);
    return true;
}

static int64_t unix_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* The bit first: the loop takes it back only after it has said that it is latched. */
static uint32_t wanted(const _Atomic uint32_t *stop, const _Atomic uint32_t *latched)
{
    const bool asked = (atomic_load_explicit(stop, memory_order_acquire) & STOP_ESTOP) != 0;
    const uint32_t said = atomic_load_explicit(latched, memory_order_relaxed);
    return said == LATCHED_NOT && asked ? LATCHED_ASKED : said;
}

/* As much of a latch as there is room for: an empty file latches, too. False: not even that. */
static bool mark(int dir, const char *text)
{
    const int fd = openat(dir, LATCH_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) {
        return errno == EEXIST;
    }
    const ssize_t ignored = write(fd, text, strlen(text));
    (void)ignored;
    (void)fsync(fd);
    (void)close(fd);
    (void)fsync(dir);
    return true;
}

void latch_mark(int dir, const _Atomic uint32_t *stop, const _Atomic uint32_t *latched)
{
    if (dir >= 0 && wanted(stop, latched) != LATCHED_NOT) {
        (void)mark(dir, "0 the daemon crashed before it could say why\n");
    }
}

void latch_keeper_step(struct latch_keeper *k, const _Atomic uint32_t *stop,
                       const _Atomic uint32_t *latched)
{
    char reason[WHY_CHARS] = "";
    const uint32_t now = wanted(stop, latched);
    if (k->writer == NULL || now == k->on_disk) {
        return;
    }
    struct latch latch = {.unix_ns = unix_ns()};
    (void)snprintf(latch.reason, sizeof latch.reason, "%s",
                   now == LATCHED_POWER ? "motor power was lost" : "a person asked for it");
    const int rc = now == LATCHED_NOT
                       ? latch_clear(k->writer, k->dir, reason, (int)sizeof reason)
                       : latch_set(k->writer, k->dir, &latch, reason, (int)sizeof reason);
    /* a full disk has no room for the reason, but for a name */
    if (rc == 0 || (now != LATCHED_NOT && mark(k->dir, ""))) {
        k->on_disk = now;
    }
    if (rc < 0) {
        log_limited(&k->said, 60.0, LOG_LEVEL_ERR, "the estop latch: %s%s", reason,
                    k->on_disk == now ? "; it is latched without its reason" : "");
    }
}
