/*
 * Durable files: written new beside the old, fsynced, renamed, folder fsynced. After any crash a
 * reader finds the old file or the new one, whole. Through io_uring where the kernel allows it, by
 * plain system calls elsewhere.
 *
 * Never for the loop thread. One writer belongs to one thread.
 */
#pragma once

#include "daemon/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filewriter;

enum filewriter_how { FILEWRITER_ANY, FILEWRITER_PLAIN };

struct bytes {
    const void *p;
    size_t n;
};

/* FILEWRITER_ANY: io_uring if the kernel allows it. Errors: -ENOMEM. */
int filewriter_open(struct filewriter **ret_writer, enum filewriter_how how) BASAL_MUST_USE;
void filewriter_close(struct filewriter *w);
bool filewriter_has_uring(const struct filewriter *w);

/*
 * Replace dir/name by the parts, one after the other; durable when it returns 0. dir: descriptor of
 * the folder. On an error dir/name is the old file or the new one, whole. Errors: -errno and one
 * sentence.
 */
int filewriter_put(struct filewriter *w, int dir, const char *name, const struct bytes *parts,
                   int n, char *ret_why, int cap) BASAL_MUST_USE;

/* As filewriter_put in a folder that nobody reads yet: a new file, fsynced; neither renamed nor its
 * folder fsynced. */
int filewriter_new(struct filewriter *w, int dir, const char *name, const struct bytes *parts,
                   int n, char *ret_why, int cap) BASAL_MUST_USE;

/* dir/from becomes dir/to, durably. */
int filewriter_rename(struct filewriter *w, int dir, const char *from, const char *to,
                      char *ret_why, int cap) BASAL_MUST_USE;

/* dir/name becomes a link to target by one rename, durably. */
int filewriter_link(struct filewriter *w, int dir, const char *target, const char *name,
                    char *ret_why, int cap) BASAL_MUST_USE;

/* What was created, renamed or removed in dir survives a power cut from now on. */
int filewriter_sync_dir(struct filewriter *w, int dir, char *ret_why, int cap) BASAL_MUST_USE;

/* All n bytes at the end of fd, which was opened with O_APPEND; not fsynced. Short writes go on. */
int filewriter_append(struct filewriter *w, int fd, const void *p, size_t n, char *ret_why,
                      int cap) BASAL_MUST_USE;

/* fsync. After an error the file must not be used again: what it holds is unknown, and a second
 * fsync would lie. */
int filewriter_sync(struct filewriter *w, int fd, char *ret_why, int cap) BASAL_MUST_USE;

/*
 * A disk that fails, for tests: after `steps` more steps (write, fsync, rename, link, folder) each
 * one fails with -error; no write takes more than write_max bytes (0: as many as fit).
 */
struct disk_trouble {
    int64_t steps;
    int error; /* 0: no trouble */
    size_t write_max;
};

void filewriter_trouble(struct filewriter *w, const struct disk_trouble *trouble);
