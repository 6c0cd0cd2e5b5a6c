#include "daemon/latch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
