#include "daemon/checkpoint.h"

#include "daemon/base/hash.h"
#include "daemon/checkpoint_inside.h"
#include "daemon/safetensors.h"
#include "daemon/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX (CHECKPOINT_BLOBS_MAX + 1)
#define NAMES_MAX 256
#define DIR_MODE  0750
#define NEW       ".new"

/* --- folders
 * --------------------------------------------------------------------------------------------------
 */

static int open_dir(int at, const char *name)
{
    const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A folder of files, and it. What is missing already is fine. */
static void remove_folder(int at, const char *name)
{
    const int fd = open_dir(at, name);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            (void)unlinkat(fd, e->d_name, 0);
        }
    }
    (void)closedir(d);
    (void)unlinkat(at, name, AT_REMOVEDIR);
}

static void folder_name(int64_t steps, const char *suffix, char ret_name[CHECKPOINT_NAME_CHARS])
{
    (void)snprintf(ret_name, CHECKPOINT_NAME_CHARS, "ckpt-%012lld%.4s", (long long)steps, suffix);
}

void checkpoint_name(int64_t steps, char ret_name[CHECKPOINT_NAME_CHARS])
{
    folder_name(steps, "", ret_name);
}

/* "ckpt-" and twelve digits or more. */
static bool is_folder_name(const char *name)
{
    const size_t n = strlen(name);
    return n >= 17 && n < CHECKPOINT_NAME_CHARS && strncmp(name, "ckpt-", 5) == 0 &&
           strspn(name + 5, "0123456789") == n - 5;
}

static bool is_left_over(const char *name)
{
    const size_t n = strlen(name);
    return n > sizeof NEW && strncmp(name, "ckpt-", 5) == 0 &&
           strcmp(name + n - (sizeof NEW - 1), NEW) == 0;
}

static int newest_first(const void *a, const void *b)
{
    const char *x = a, *y = b;
    const size_t nx = strlen(x), ny = strlen(y);
    return nx != ny ? (nx < ny ? 1 : -1) : strcmp(y, x);
}

/* Names of the folders that keep() accepts, the newest first; how many, or -errno. */
static int list_folders(int at, bool (*keep)(const char *),
                        char (*ret_names)[CHECKPOINT_NAME_CHARS])
{
    const int fd = open_dir(at, ".");
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int n = 0;
    if (d == NULL) {
        return -errno;
    }
    for (struct dirent *e = readdir(d); e != NULL && n < NAMES_MAX; e = readdir(d)) {
        const size_t bytes = strlen(e->d_name) + 1;
        if (keep(e->d_name) && bytes <= CHECKPOINT_NAME_CHARS) {
            memcpy(ret_names[n++], e->d_name, bytes);
        }
    }
    (void)closedir(d);
    qsort(ret_names, (size_t)n, sizeof ret_names[0], newest_first);
    return n;
}

/* Where `last` points to, "" if nowhere sensible. */
static void read_last(int at, char ret_name[CHECKPOINT_NAME_CHARS])
{
    const ssize_t n = readlinkat(at, CHECKPOINT_LAST, ret_name, CHECKPOINT_NAME_CHARS - 1);
    ret_name[n > 0 ? n : 0] = '\0';
    if (!is_folder_name(ret_name)) {
        ret_name[0] = '\0';
    }
}

static void remove_left_overs(int fd)
{
    char names[NAMES_MAX][CHECKPOINT_NAME_CHARS];
    const int n = list_folders(fd, is_left_over, names);
    for (int i = 0; i < n; i++) {
        remove_folder(fd, names[i]);
    }
}

int checkpoint_store_open(struct checkpoint_store *ret_store, struct filewriter *writer,
                          const char *path, int keep, char *ret_why, int cap)
{
    if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST) {
        return why(ret_why, cap, -errno, "cannot make the folder %s: %s; give another --run-dir",
                   path, strerror(errno));
    }
    const int fd = open_dir(AT_FDCWD, path);
    if (fd < 0) {
        return why(ret_why, cap, fd, "cannot open the folder %s: %s; give another --run-dir", path,
                   strerror(-fd));
    }
    /* a reader changes nothing: the folder may be a running daemon's; a writer has it alone, and
     * where a file system knows no locks, that is its owner's duty */
    if (writer != NULL && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        (void)close(fd);
        return why(ret_why, cap, -EBUSY,
                   "another basald keeps its run in %s; stop it, or give another --run-dir", path);
    }
    if (writer != NULL) {
        remove_left_overs(fd);
    }
    *ret_store = (struct checkpoint_store){.writer = writer, .fd = fd, .keep = keep > 1 ? keep : 1};
    return 0;
}

void checkpoint_store_close(struct checkpoint_store *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    s->fd = -1;
}

/* The oldest beyond `keep`; never the one that `last` names. Failing to remove costs space, nothing
 * else. */
static void drop_oldest(const struct checkpoint_store *s)
{
    char names[NAMES_MAX][CHECKPOINT_NAME_CHARS], last[CHECKPOINT_NAME_CHARS];
    const int n = list_folders(s->fd, is_folder_name, names);
    read_last(s->fd, last);
    int kept = last[0] != '\0';
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], last) != 0 && ++kept > s->keep) {
            remove_folder(s->fd, names[i]);
        }
    }
}

/* --- saving
 * ---------------------------------------------------------------------------------------------------
 */

/* Everything that state.pb says, and what it points to. */
struct message {
    struct Basald__State__V1__RunState state;
    struct Basald__State__V1__CheckpointBlob blob[CHECKPOINT_BLOBS_MAX],
        *blobs[CHECKPOINT_BLOBS_MAX];
    struct Basald__State__V1__CheckpointFile file[FILES_MAX], *files[FILES_MAX];
};

static void describe(const struct checkpoint *c, struct message *ret_message)
{
    const struct run_state *r = &c->run;
    struct message *m = ret_message;
    basald__state__v1__run_state__init(&m->state);
    m->state.schema = CHECKPOINT_SCHEMA;
    m->state.run_id = r->run_id;
    m->state.parent_run_id = r->parent_run_id;
    m->state.config_hash = r->config_hash;
    m->state.robot_hash = r->robot_hash;
    m->state.algo = wire_text(r->algo);
    m->state.steps = r->steps;
    m->state.updates = r->updates;
    m->state.episodes = r->episodes;
    m->state.weights_version = r->weights_version;
    m->state.replay_head = r->replay_head;
    m->state.clock_ns = r->clock_ns;
    m->state.seed = r->seed;
    m->state.prior_hash = r->prior_hash;
    m->state.blobs = m->blobs;
    m->state.files = m->files;
}

/* The file that was just written, by what a reader will see of it. */
static int add_file(struct message *m, int dir, const char *name)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    const int rc = checkpoint_read(dir, name, &bytes, &n);
    if (rc < 0) {
        return rc;
    }
    struct Basald__State__V1__CheckpointFile *f = &m->file[m->state.n_files];
    basald__state__v1__checkpoint_file__init(f);
    f->name = wire_text(name);
    f->bytes = n;
    f->crc32c = hash_crc32c(0, bytes, n);
    m->files[m->state.n_files++] = f;
    free(bytes);
    return 0;
}

static void add_blob(struct message *m, const struct checkpoint_blob *b)
{
    struct Basald__State__V1__CheckpointBlob *x = &m->blob[m->state.n_blobs];
    basald__state__v1__checkpoint_blob__init(x);
    x->name = wire_text(b->name);
    x->data.data = b->p;
    x->data.len = b->n;
    m->blobs[m->state.n_blobs++] = x;
}

/* Sealed with its checksum into state.pb. */
static int write_state(struct filewriter *w, int dir, const struct message *m, char *ret_why,
                       int cap)
{
    struct Basald__State__V1__Sealed sealed;
    const size_t room = basald__state__v1__run_state__get_packed_size(&m->state);
    uint8_t *inner = malloc(room + 1), *outer = malloc(room + 64);
    int rc = -ENOMEM;
    if (inner == NULL || outer == NULL) {
        (void)why(ret_why, cap, rc, "out of memory for %s", CHECKPOINT_STATE);
    } else {
        basald__state__v1__sealed__init(&sealed);
        sealed.run_state.len = basald__state__v1__run_state__pack(&m->state, inner);
        sealed.run_state.data = inner;
        sealed.crc32c = hash_crc32c(0, inner, sealed.run_state.len);
        const struct bytes part = {outer, basald__state__v1__sealed__pack(&sealed, outer)};
        rc = filewriter_new(w, dir, CHECKPOINT_STATE, &part, 1, ret_why, cap);
    }
    free(inner);
    free(outer);
    return rc;
}

/* The files, state.pb last, and the folder itself: all durable under a name that no reader looks
 * for. */
static int write_folder(struct filewriter *w, int dir, const struct checkpoint *c, char *ret_why,
                        int cap)
{
    struct message m = {0};
    describe(c, &m);
    int rc = safetensors_new(w, dir, CHECKPOINT_LEARNER, c->tensors, c->n_tensors, ret_why, cap);
    if (rc == 0) {
        rc = add_file(&m, dir, CHECKPOINT_LEARNER);
    }
    for (int i = 0; rc == 0 && i < c->n_blobs; i++) {
        const struct checkpoint_blob *b = &c->blobs[i];
        if ((b->flags & BLOB_FILE) == 0) {
            add_blob(&m, b);
            continue;
        }
        const struct bytes part = {b->p, b->n};
        rc = filewriter_new(w, dir, b->name, &part, 1, ret_why, cap);
        if (rc == 0) {
            rc = add_file(&m, dir, b->name);
        }
    }
    if (rc == 0) {
        rc = write_state(w, dir, &m, ret_why, cap);
    }
    return rc < 0 ? rc : filewriter_sync_dir(w, dir, ret_why, cap);
}

/* from takes the name `to`; where a checkpoint of the same step is there already, the two change
 * places. */
static int publish(struct checkpoint_store *s, const char *from, const char *to, char *ret_why,
                   int cap)
{
    if (faccessat(s->fd, to, F_OK, 0) < 0) {
        return filewriter_rename(s->writer, s->fd, from, to, ret_why, cap);
    }
    if (renameat2(s->fd, from, s->fd, to, RENAME_EXCHANGE) < 0) {
        return why(ret_why, cap, -errno, "cannot replace the checkpoint %s: %s", to,
                   strerror(errno));
    }
    const int rc = filewriter_sync_dir(s->writer, s->fd, ret_why, cap);
    if (rc == 0) {
        remove_folder(s->fd, from);
    }
    return rc;
}

int checkpoint_save(struct checkpoint_store *s, const struct checkpoint *c, char *ret_why, int cap)
{
    char name[CHECKPOINT_NAME_CHARS], fresh[CHECKPOINT_NAME_CHARS];
    basal_assert(c->n_blobs <= CHECKPOINT_BLOBS_MAX && c->run.steps >= 0);
    folder_name(c->run.steps, "", name);
    folder_name(c->run.steps, NEW, fresh);
    remove_folder(s->fd, fresh);
    if (mkdirat(s->fd, fresh, DIR_MODE) < 0) {
        return why(ret_why, cap, -errno, "cannot make the folder %s: %s", fresh, strerror(errno));
    }
    const int dir = open_dir(s->fd, fresh);
    if (dir < 0) {
        return why(ret_why, cap, dir, "cannot open the folder %s: %s", fresh, strerror(-dir));
    }
    int rc = write_folder(s->writer, dir, c, ret_why, cap);
    (void)close(dir);
    if (rc == 0) {
        rc = publish(s, fresh, name, ret_why, cap);
    }
    if (rc == 0) {
        rc = filewriter_link(s->writer, s->fd, name, CHECKPOINT_LAST, ret_why, cap);
    }
    if (rc < 0) {
        remove_folder(s->fd, fresh);
        return rc;
    }
    drop_oldest(s);
    return 0;
}

/* --- the newest that can be loaded --- */

int checkpoint_load_last(struct checkpoint *c, const struct checkpoint_store *s,
                         char ret_name[CHECKPOINT_NAME_CHARS], char *ret_why, int cap)
{
    char names[NAMES_MAX][CHECKPOINT_NAME_CHARS], last[CHECKPOINT_NAME_CHARS],
        reason[WHY_CHARS] = "";
    const int n = list_folders(s->fd, is_folder_name, names);
    read_last(s->fd, last);
    int first = why(ret_why, cap, -ENOENT, "there is no checkpoint");
    for (int i = last[0] != '\0' ? -1 : 0; i < n; i++) {
        const char *name = i < 0 ? last : names[i];
        if (i >= 0 && strcmp(name, last) == 0) {
            continue;
        }
        const int rc = checkpoint_load_at(c, s->fd, name, reason, (int)sizeof reason);
        if (rc == 0) {
            (void)snprintf(ret_name, CHECKPOINT_NAME_CHARS, "%s", name);
            if (first == -ENOENT) {
                (void)why(ret_why, cap, 0, "%s", "");
            }
            return 0;
        }
        if (first == -ENOENT) {
            first = why(ret_why, cap, rc, "%s", reason);
        }
    }
    return first;
}
