#include "daemon/filewriter.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_MAX ((size_t)1 << 30) /* the kernel takes a little less than 2 GiB at once */

struct filewriter {
    bool uring;
    struct io_uring ring;
    struct disk_trouble trouble;
};

int filewriter_open(struct filewriter **ret_writer, enum filewriter_how how)
{
    struct filewriter *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return -ENOMEM;
    }
    w->uring = how == FILEWRITER_ANY && io_uring_queue_init(4, &w->ring, 0) == 0;
    *ret_writer = w;
    return 0;
}

void filewriter_close(struct filewriter *w)
{
    if (w != NULL && w->uring) {
        io_uring_queue_exit(&w->ring);
    }
    free(w);
}

bool filewriter_has_uring(const struct filewriter *w)
{
    return w->uring;
}

void filewriter_trouble(struct filewriter *w, const struct disk_trouble *trouble)
{
    w->trouble = *trouble;
}

/* One step of the disk: 0, or the trouble that a test ordered. */
static int step(struct filewriter *w)
{
    if (w->trouble.error == 0) {
        return 0;
    }
    return w->trouble.steps-- > 0 ? 0 : -w->trouble.error;
}

/* A free entry: there always is one, for every operation is waited for. */
static struct io_uring_sqe *entry(struct filewriter *w)
{
    struct io_uring_sqe *e = io_uring_get_sqe(&w->ring);
    basal_assert(e != NULL);
    return e;
}

/* The operation that is prepared in the ring, done: its result or -errno. */
static int64_t finish(struct filewriter *w)
{
    struct io_uring_cqe *cqe;
    int rc;
    do {
        rc = io_uring_submit(&w->ring);
    } while (rc == -EINTR || rc == -EAGAIN);
    if (rc < 0) {
        return rc;
    }
    do {
        rc = io_uring_wait_cqe(&w->ring, &cqe);
    } while (rc == -EINTR);
    if (rc < 0) {
        return rc;
    }
    const int64_t result = cqe->res;
    io_uring_cqe_seen(&w->ring, cqe);
    return result;
}

/* At the file's position (or end, with O_APPEND): how many bytes were taken, or -errno. */
static int64_t write_some(struct filewriter *w, int fd, const void *p, size_t n)
{
    const size_t most = w->trouble.write_max > 0 ? w->trouble.write_max : WRITE_MAX;
    const size_t some = n < most ? n : most;
    const int rc = step(w);
    if (rc < 0) {
        return rc;
    }
    if (w->uring) {
        io_uring_prep_write(entry(w), fd, p, (unsigned)some, (__u64)-1);
        return finish(w);
    }
    const ssize_t taken = write(fd, p, some);
    return taken < 0 ? -errno : taken;
}

static int write_all(struct filewriter *w, int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        const int64_t taken = write_some(w, fd, at, n);
        if (taken == -EINTR) {
            continue;
        }
        if (taken <= 0) {
            return taken < 0 ? (int)taken : -EIO;
        }
        at += taken;
        n -= (size_t)taken;
    }
    return 0;
}

static int sync_fd(struct filewriter *w, int fd)
{
    const int rc = step(w);
    if (rc < 0) {
        return rc;
    }
    if (w->uring) {
        io_uring_prep_fsync(entry(w), fd, 0);
        return (int)finish(w);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* What a person can do about it. */
static const char *advice(int code)
{
    switch (code) {
    case -ENOSPC:
    case -EDQUOT:
        return "free some space";
    case -EROFS:
    case -EACCES:
    case -EPERM:
        return "make the folder writable";
    case -EIO:
        return "check the disk";
    default:
        return "what was there before is kept";
    }
}

static int failed(int code, const char *what, const char *name, char *ret_why, int cap)
{
    return why(ret_why, cap, code, "cannot %s %s: %s; %s", what, name, strerror(-code),
               advice(code));
}

int filewriter_append(struct filewriter *w, int fd, const void *p, size_t n, char *ret_why, int cap)
{
    const int rc = write_all(w, fd, p, n);
    return rc < 0 ? failed(rc, "write", "the file", ret_why, cap) : 0;
}

int filewriter_sync(struct filewriter *w, int fd, char *ret_why, int cap)
{
    const int rc = sync_fd(w, fd);
    return rc < 0 ? failed(rc, "fsync", "the file", ret_why, cap) : 0;
}

int filewriter_sync_dir(struct filewriter *w, int dir, char *ret_why, int cap)
{
    const int rc = sync_fd(w, dir);
    return rc < 0 ? failed(rc, "fsync", "the folder", ret_why, cap) : 0;
}

int filewriter_new(struct filewriter *w, int dir, const char *name, const struct bytes *parts,
                   int n, char *ret_why, int cap)
{
    /* always a new inode: a file that ever failed an fsync is not written again */
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT) {
        return failed(-errno, "remove the old", name, ret_why, cap);
    }
    const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return failed(-errno, "create", name, ret_why, cap);
    }
    int rc = 0;
    const char *what = "write";
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = write_all(w, fd, parts[i].p, parts[i].n);
    }
    if (rc == 0) {
        what = "fsync";
        rc = sync_fd(w, fd);
    }
    if (close(fd) < 0 && rc == 0) {
        what = "close";
        rc = -errno;
    }
    return rc < 0 ? failed(rc, what, name, ret_why, cap) : 0;
}

int filewriter_rename(struct filewriter *w, int dir, const char *from, const char *to,
                      char *ret_why, int cap)
{
    int rc = step(w);
    if (rc == 0 && renameat(dir, from, dir, to) < 0) {
        rc = -errno;
    }
    if (rc < 0) {
        return failed(rc, "rename", from, ret_why, cap);
    }
    return filewriter_sync_dir(w, dir, ret_why, cap);
}

/* dir/name's new self until the rename. */
static int name_new(const char *name, char *ret_name, char *ret_why, int cap)
{
    if (snprintf(ret_name, NAME_MAX, "%s.new", name) >= NAME_MAX) {
        return why(ret_why, cap, -ENAMETOOLONG, "the file name %.40s... is too long", name);
    }
    return 0;
}

int filewriter_link(struct filewriter *w, int dir, const char *target, const char *name,
                    char *ret_why, int cap)
{
    char fresh[NAME_MAX];
    int rc = name_new(name, fresh, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    rc = step(w);
    if (rc == 0 && unlinkat(dir, fresh, 0) < 0 && errno != ENOENT) {
        rc = -errno;
    }
    if (rc == 0 && symlinkat(target, dir, fresh) < 0) {
        rc = -errno;
    }
    if (rc < 0) {
        return failed(rc, "link", name, ret_why, cap);
    }
    return filewriter_rename(w, dir, fresh, name, ret_why, cap);
}

int filewriter_put(struct filewriter *w, int dir, const char *name, const struct bytes *parts,
                   int n, char *ret_why, int cap)
{
    char fresh[NAME_MAX];
    int rc = name_new(name, fresh, ret_why, cap);
    if (rc == 0) {
        rc = filewriter_new(w, dir, fresh, parts, n, ret_why, cap);
    }
    return rc < 0 ? rc : filewriter_rename(w, dir, fresh, name, ret_why, cap);
}
