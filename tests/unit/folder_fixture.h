/* A folder of one's own under $TMPDIR, and what stands in it. */
#pragma once

#include "daemon/base/types.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[PATH_CHARS];
    int fd;
};

static inline void folder_make(struct folder *ret_folder)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(ret_folder->path, sizeof ret_folder->path, "%s/basal-test-XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(ret_folder->path));
    ret_folder->fd = open(ret_folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(ret_folder->fd >= 0);
}

static inline int folder_remove_one(const char *path, const struct stat *st, int flag,
                                    struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void folder_remove(struct folder *f)
{
    (void)close(f->fd);
    (void)nftw(f->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The bytes of name, to be freed; NULL: it cannot be read. */
static inline uint8_t *folder_read(const struct folder *f, const char *name, size_t *ret_n)
{
    struct stat st;
    const int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return NULL;
    }
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    const ssize_t n = read(fd, bytes, (size_t)st.st_size);
    (void)close(fd);
    *ret_n = n > 0 ? (size_t)n : 0;
    return bytes;
}

static inline void folder_write(const struct folder *f, const char *name, const void *p, size_t n)
{
    const int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    (void)close(fd);
}

static inline int folder_count(const struct folder *f)
{
    int n = 0;
    DIR *d = opendir(f->path);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(d);
    return n;
}
