/*
 * Reading a checkpoint: everything is read and judged first, copied last.
 */
#include "daemon/checkpoint.h"

#include "daemon/base/hash.h"
#include "daemon/checkpoint_inside.h"
#include "daemon/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX ((off_t)1 << 36)

/* What is read and not yet believed; owned. */
struct loading {
    const char *path;
    struct Basald__State__V1__Sealed *sealed;
    struct Basald__State__V1__RunState *state;
    uint8_t *learner;
    struct safetensors *tensors;
    uint8_t *file[CHECKPOINT_BLOBS_MAX];      /* BLOB_FILE */
    struct bytes found[CHECKPOINT_BLOBS_MAX]; /* every blob; p NULL: missing */
    char *ret_why;
    int cap;
};

int checkpoint_read(int dir, const char *name, uint8_t **ret_bytes, size_t *ret_n)
{
    struct stat st;
    const int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -errno;
    }
    int rc =
        fstat(fd, &st) < 0 ? -errno : (!S_ISREG(st.st_mode) || st.st_size > READ_MAX ? -EFBIG : 0);
    uint8_t *bytes = rc == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    size_t at = 0;
    if (rc == 0 && bytes == NULL) {
        rc = -ENOMEM;
    }
    while (rc == 0 && at < (size_t)st.st_size) {
        const ssize_t n = read(fd, bytes + at, (size_t)st.st_size - at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0) {
            break;
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    (void)close(fd);
    if (rc < 0) {
        free(bytes);
        return rc;
    }
    *ret_bytes = bytes;
    *ret_n = at;
    return 0;
}

static int damaged(const struct loading *l, const char *file, const char *how)
{
    return why(l->ret_why, l->cap, -EBADMSG, "checkpoint %s is damaged: %s %s; it is not used",
               l->path, file, how);
}

static int read_state(struct loading *l, int dir)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    const int rc = checkpoint_read(dir, CHECKPOINT_STATE, &bytes, &n);
    if (rc < 0) {
        return damaged(l, CHECKPOINT_STATE, "cannot be read");
    }
    l->sealed = basald__state__v1__sealed__unpack(NULL, n, bytes);
    const bool whole = /* of nothing, the checksum would be right */
        n > 0 && l->sealed != NULL && basald__state__v1__sealed__get_packed_size(l->sealed) == n &&
        l->sealed->crc32c == hash_crc32c(0, l->sealed->run_state.data, l->sealed->run_state.len);
    free(bytes);
    if (!whole) {
        return damaged(l, CHECKPOINT_STATE, "fails its checksum");
    }
    l->state = basald__state__v1__run_state__unpack(NULL, l->sealed->run_state.len,
                                                    l->sealed->run_state.data);
    if (l->state == NULL) {
        return damaged(l, CHECKPOINT_STATE, "is no message");
    }
    if (l->state->schema != CHECKPOINT_SCHEMA) {
        return why(
            l->ret_why, l->cap, -EPROTO,
            "checkpoint %s has schema %u, this program reads %d; give another, or begin anew",
            l->path, (unsigned)l->state->schema, CHECKPOINT_SCHEMA);
    }
    return 0;
}

static int check_run(const struct loading *l, const struct run_state *want)
{
    const struct Basald__State__V1__RunState *s = l->state;
    if (strcmp(s->algo, want->algo) != 0) {
        return why(l->ret_why, l->cap, -EPROTO,
                   "checkpoint %s is of algorithm %.20s, this run's is %.20s; change policy.kind, "
                   "or give another checkpoint",
                   l->path, s->algo, want->algo);
    }
    if (s->robot_hash != want->robot_hash) {
        return why(l->ret_why, l->cap, -EPROTO,
                   "checkpoint %s is of another robot (joints, slots, action units or policy rate "
                   "differ); give another run folder",
                   l->path);
    }
    if (want->config_hash != 0 && s->config_hash != want->config_hash) {
        return why(l->ret_why, l->cap, -EPROTO,
                   "checkpoint %s was made with another configuration; give that, or begin anew",
                   l->path);
    }
    return 0;
}

/* What state.pb says of a file; NULL: the checkpoint has none of that name. */
static const struct Basald__State__V1__CheckpointFile *find_file(const struct loading *l,
                                                                 const char *name)
{
    const struct Basald__State__V1__CheckpointFile *f = NULL;
    for (size_t i = 0; i < l->state->n_files; i++) {
        f = strcmp(l->state->files[i]->name, name) == 0 ? l->state->files[i] : f;
    }
    return f;
}

/* The bytes of a file that state.pb vouches for. *ret_bytes stays NULL where the checkpoint has no
 * such file. */
static int read_file(const struct loading *l, int dir, const char *name, uint8_t **ret_bytes,
                     size_t *ret_n)
{
    const struct Basald__State__V1__CheckpointFile *f = find_file(l, name);
    if (f == NULL) {
        return 0;
    }
    uint8_t *bytes = NULL;
    size_t n = 0;
    const int rc = checkpoint_read(dir, name, &bytes, &n);
    if (rc < 0) {
        return damaged(l, name, "cannot be read");
    }
    if (n != f->bytes || hash_crc32c(0, bytes, n) != f->crc32c) {
        const bool size = n != f->bytes;
        free(bytes);
        return damaged(l, name, size ? "has another size" : "fails its checksum");
    }
    *ret_bytes = bytes;
    *ret_n = n;
    return 0;
}

static int read_tensors(struct loading *l, int dir, const struct checkpoint *c)
{
    char reason[WHY_CHARS] = "";
    size_t n = 0;
    int rc = read_file(l, dir, CHECKPOINT_LEARNER, &l->learner, &n);
    if (rc < 0) {
        return rc;
    }
    if (l->learner == NULL) {
        return damaged(l, CHECKPOINT_LEARNER, "is missing");
    }
    struct safetensors *tensors = NULL;
    rc = safetensors_open(&tensors, l->learner, n, reason, (int)sizeof reason);
    l->tensors = tensors;
    if (rc == 0) {
        rc = safetensors_check(tensors, c->tensors, c->n_tensors, reason, (int)sizeof reason);
    }
    return rc == 0 ? 0
                   : why(l->ret_why, l->cap, rc,
                         "checkpoint %s cannot be used: %.160s; give the policy and learner "
                         "settings that it was made with, or another run folder",
                         l->path, reason);
}

static int read_blob(struct loading *l, int dir, const struct checkpoint_blob *b, int i)
{
    if ((b->flags & BLOB_FILE) != 0) {
        const int rc = read_file(l, dir, b->name, &l->file[i], &l->found[i].n);
        if (rc < 0) {
            return rc;
        }
        l->found[i].p = l->file[i];
    }
    for (size_t k = 0; (b->flags & BLOB_FILE) == 0 && k < l->state->n_blobs; k++) {
        const struct Basald__State__V1__CheckpointBlob *x = l->state->blobs[k];
        if (strcmp(x->name, b->name) == 0) {
            l->found[i] =
                (struct bytes){x->data.len > 0 ? (const void *)x->data.data : "", x->data.len};
        }
    }
    if (l->found[i].p == NULL) {
        return (b->flags & BLOB_OPTIONAL) != 0 ? 0
                                               : why(l->ret_why, l->cap, -EPROTO,
                                                     "checkpoint %s holds no %s", l->path, b->name);
    }
    const size_t n = l->found[i].n;
    if (n > b->n || (n < b->n && (b->flags & BLOB_VARIES) == 0)) {
        return why(l->ret_why, l->cap, -EPROTO,
                   "checkpoint %s: %s has %zu bytes, this run's has %s%zu", l->path, b->name, n,
                   (b->flags & BLOB_VARIES) != 0 ? "at most " : "", b->n);
    }
    return 0;
}

static void copy_in(const struct loading *l, struct checkpoint *c)
{
    const struct Basald__State__V1__RunState *s = l->state;
    struct run_state *r = &c->run;
    r->run_id = s->run_id;
    r->parent_run_id = s->parent_run_id;
    r->config_hash = s->config_hash;
    r->seed = s->seed;
    r->steps = s->steps;
    r->updates = s->updates;
    r->episodes = s->episodes;
    r->replay_head = s->replay_head;
    r->clock_ns = s->clock_ns;
    r->weights_version = s->weights_version;
    r->prior_hash = s->prior_hash;
    safetensors_copy(l->tensors, c->tensors, c->n_tensors);
    for (int i = 0; i < c->n_blobs; i++) {
        c->blobs[i].n = l->found[i].p != NULL ? l->found[i].n : 0;
        if (c->blobs[i].n > 0) {
            memcpy(c->blobs[i].p, l->found[i].p, c->blobs[i].n);
        }
    }
}

static void free_loading(struct loading *l)
{
    safetensors_close(l->tensors);
    free(l->learner);
    for (int i = 0; i < CHECKPOINT_BLOBS_MAX; i++) {
        free(l->file[i]);
    }
    if (l->state != NULL) {
        basald__state__v1__run_state__free_unpacked(l->state, NULL);
    }
    if (l->sealed != NULL) {
        basald__state__v1__sealed__free_unpacked(l->sealed, NULL);
    }
}

int checkpoint_load_at(struct checkpoint *c, int at, const char *path, char *ret_why, int cap)
{
    basal_assert(c->n_blobs <= CHECKPOINT_BLOBS_MAX);
    struct loading l = {.path = path, .ret_why = ret_why, .cap = cap};
    const int dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return why(ret_why, cap, -errno, "cannot open the checkpoint %s: %s", path,
                   strerror(errno));
    }
    int rc = read_state(&l, dir);
    if (rc == 0) {
        basal_assert(l.state != NULL);
        rc = check_run(&l, &c->run);
    }
    if (rc == 0) {
        rc = read_tensors(&l, dir, c);
    }
    for (int i = 0; rc == 0 && i < c->n_blobs; i++) {
        rc = read_blob(&l, dir, &c->blobs[i], i);
    }
    if (rc == 0) {
        copy_in(&l, c);
    }
    (void)close(dir);
    free_loading(&l);
    return rc;
}

int checkpoint_load(struct checkpoint *c, const char *path, char *ret_why, int cap)
{
    return checkpoint_load_at(c, AT_FDCWD, path, ret_why, cap);
}

int checkpoint_vouch(const char *path, const char *name, uint64_t *ret_bytes, uint32_t *ret_crc32c,
                     char *ret_why, int cap)
{
    struct loading l = {.path = path, .ret_why = ret_why, .cap = cap};
    const int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return why(ret_why, cap, -errno, "cannot open the checkpoint %s: %s", path,
                   strerror(errno));
    }
    int rc = read_state(&l, dir);
    if (rc == 0) {
        const struct Basald__State__V1__CheckpointFile *f = find_file(&l, name);
        rc = f != NULL
                 ? 0
                 : why(ret_why, cap, -EPROTO,
                       "checkpoint %s holds no %s: only those made in lockstep do", path, name);
        *ret_bytes = f != NULL ? f->bytes : *ret_bytes;
        *ret_crc32c = f != NULL ? f->crc32c : *ret_crc32c;
    }
    (void)close(dir);
    free_loading(&l);
    return rc;
}
