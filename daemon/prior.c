#include "daemon/prior.h"

#include "daemon/base/hash.h"
#include "daemon/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT     "replay.seg"
#define BLOCK_BYTES ((size_t)1 << 16)

struct segment_file {
    char path[PATH_CHARS + 32];
    bool vouched; /* a checkpoint says what the bytes are */
    uint64_t bytes;
    uint32_t crc32c;
};

static bool holds(const char *folder, const char *name)
{
    char path[PATH_CHARS + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* The segment of a checkpoint's folder. */
static int find_in(struct segment_file *s, const char *folder, char *ret_why, int cap)
{
    (void)snprintf(s->path, sizeof s->path, "%s/%s", folder, SEGMENT);
    if (!holds(folder, "state.pb")) {
        return 0; /* it was taken out of its checkpoint */
    }
    s->vouched = true;
    return checkpoint_vouch(folder, SEGMENT, &s->bytes, &s->crc32c, ret_why, cap);
}

static int find(struct segment_file *ret_file, const char *path, char *ret_why, int cap)
{
    char last[PATH_CHARS + 8];
    struct stat st;
    *ret_file = (struct segment_file){.vouched = false};
    if (strlen(path) >= PATH_CHARS) {
        return why(ret_why, cap, -ENAMETOOLONG, "--prior: a path of at most %d characters, please",
                   PATH_CHARS - 1);
    }
    if (stat(path, &st) < 0) {
        return why(ret_why, cap, -errno, "--prior %.150s: %s; give a %s or its folder", path,
                   strerror(errno), SEGMENT);
    }
    if (!S_ISDIR(st.st_mode)) {
        (void)snprintf(ret_file->path, sizeof ret_file->path, "%s", path);
        return 0;
    }
    if (holds(path, SEGMENT) || holds(path, "state.pb")) {
        return find_in(ret_file, path, ret_why, cap);
    }
    (void)snprintf(last, sizeof last, "%s/last", path);
    return holds(path, "last")
               ? find_in(ret_file, last, ret_why, cap)
               : why(ret_why, cap, -ENOENT,
                     "--prior %.150s: there is no checkpoint in it; give the folder of a run in "
                     "lockstep, or a %s",
                     path, SEGMENT);
}

struct sums {
    uint64_t fnv1a;
    uint32_t crc32c;
};

/* n bytes from one to the other; a block of zeros stays a hole and takes no memory. */
static int copy(int from, int to, off_t n, struct sums *ret_sums)
{
    static const char zeros[BLOCK_BYTES];
    char *block = malloc(BLOCK_BYTES);
    int rc = block == NULL ? -ENOMEM : 0;
    *ret_sums = (struct sums){.fnv1a = HASH_START};
    for (off_t at = 0; rc == 0 && at < n;) {
        const size_t most = n - at < (off_t)BLOCK_BYTES ? (size_t)(n - at) : BLOCK_BYTES;
        const ssize_t got = pread(from, block, most, at);
        if (got <= 0) {
            rc = got == 0 ? -EIO : errno == EINTR ? 0 : -errno;
            continue;
        }
        ret_sums->fnv1a = hash_fnv1a(ret_sums->fnv1a, block, (size_t)got);
        ret_sums->crc32c = hash_crc32c(ret_sums->crc32c, block, (size_t)got);
        if (memcmp(block, zeros, (size_t)got) != 0 && pwrite(to, block, (size_t)got, at) != got) {
            rc = -ENOSPC;
        }
        at += got;
    }
    free(block);
    return rc;
}

/* The file as sealed memory. */
static int take(const struct segment_file *s, int fd, int *ret_memory, struct sums *ret_sums,
                char *ret_why, int cap)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return why(ret_why, cap, -EBADMSG, "prior data %.150s: this is no replay segment", s->path);
    }
    if (st.st_size > memory_available_bytes() / 10 * 9) {
        return why(ret_why, cap, -ENOMEM,
                   "prior data %.150s: %lld MB do not fit into this machine's memory; give fewer",
                   s->path, (long long)(st.st_size >> 20));
    }
    const int to = memfd_create("basald-prior", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (to < 0 || ftruncate(to, st.st_size) != 0 || fchmod(to, 0600) != 0) {
        const int error = errno;
        if (to >= 0) {
            (void)close(to);
        }
        return why(ret_why, cap, -error, "prior data %.150s: no memory for them: %s", s->path,
                   strerror(error));
    }
    const int rc = copy(fd, to, st.st_size, ret_sums);
    const bool same =
        !s->vouched || ((uint64_t)st.st_size == s->bytes && ret_sums->crc32c == s->crc32c);
    if (rc < 0 || !same || fcntl(to, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        (void)close(to);
        return rc < 0 ? why(ret_why, cap, rc, "prior data %.150s: cannot be read: %s", s->path,
                            strerror(-rc))
                      : why(ret_why, cap, -EBADMSG,
                            "prior data %.150s: damaged: not what its checkpoint's checksum says; "
                            "give others",
                            s->path);
    }
    *ret_memory = to;
    return 0;
}

int prior_open(struct prior *ret_prior, const char *path, char *ret_why, int cap)
{
    char reason[WHY_CHARS] = "";
    struct segment_file source;
    struct sums sums = {0};
    int memory = -1;
    *ret_prior = (struct prior){.replay = NULL};
    int rc = find(&source, path, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const int fd = open(source.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return why(ret_why, cap, -errno, "prior data %.150s: %s", source.path, strerror(errno));
    }
    rc = take(&source, fd, &memory, &sums, ret_why, cap);
    (void)close(fd);
    if (rc < 0) {
        return rc;
    }
    rc = replay_attach(&ret_prior->replay, memory, reason, (int)sizeof reason);
    if (rc < 0) {
        (void)close(memory);
        return why(ret_why, cap, rc, "prior data %.100s: %.120s", source.path, reason);
    }
    ret_prior->hash = sums.fnv1a;
    return 0;
}

void prior_close(struct prior *p)
{
    replay_close(p->replay);
    *p = (struct prior){.replay = NULL};
}
