#include "daemon/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recording {
    FILE *file;
    char path[PATH_CHARS], part[PATH_CHARS + 8]; /* part "": none of ours is there */
    int n;
    double rate_hz;
    uint64_t begun, first, last; /* nominal ticks: came first, of the first row, came last */
    struct recording_tick seen;
    bool any;       /* a tick has come */
    uint64_t ended; /* nominal tick of the last row */
    int unwritten;  /* a row is cut, whatever later writes say: why, -errno */
    struct recording_counts counts;
};

static int say_unwritten(const struct recording *z, int rc, char *ret_why, int cap)
{
    return why(ret_why, cap, rc,
               "cannot write %s: %s; make room or its folder writable, or give another file",
               z->path, strerror(-rc));
}

static int put_names(struct recording *z, const char *const *joint)
{
    static const char *const quantity[] = {"q_rad", "qd_rad_s", "tau_nm"};
    bool good = fputs("t_s", z->file) >= 0;
    for (size_t k = 0; k < sizeof quantity / sizeof quantity[0]; k++) {
        for (int j = 0; j < z->n; j++) {
            good = fprintf(z->file, ",%s.%s", quantity[k], joint[j]) > 0 && good;
        }
    }
    return good && fputc('\n', z->file) != EOF ? 0 : -EIO;
}

/* Never somebody else's: z->part is set once the file is known to be new. */
static int open_part(struct recording *z, char *ret_why, int cap)
{
    char part[sizeof z->part];
    (void)snprintf(part, sizeof part, "%s.part", z->path);
    const int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) {
        return why(ret_why, cap, -EEXIST,
                   "%s is there already: unless another recording is under way it is left over "
                   "from one that was killed; remove it, or give another name",
                   part);
    }
    if (fd < 0) {
        return say_unwritten(z, -errno, ret_why, cap);
    }
    (void)snprintf(z->part, sizeof z->part, "%s", part);
    z->file = fdopen(fd, "w");
    if (z->file == NULL) {
        const int rc = -errno;
        (void)close(fd);
        return say_unwritten(z, rc, ret_why, cap);
    }
    return 0;
}

int recording_open(struct recording **ret_recording, const char *path, const char *const *joint,
                   int n, double rate_hz, char *ret_why, int cap)
{
    struct stat there;
    struct recording *z = calloc(1, sizeof *z);
    if (z == NULL) {
        return why(ret_why, cap, -ENOMEM, "out of memory");
    }
    z->n = n;
    z->rate_hz = rate_hz;
    int rc = 0;
    if (snprintf(z->path, sizeof z->path, "%s", path) >= (int)sizeof z->path) {
        rc = why(ret_why, cap, -ENAMETOOLONG, "%s: a path is at most %zu characters", path,
                 sizeof z->path - 1);
    } else if (lstat(path, &there) == 0) {
        rc = why(ret_why, cap, -EEXIST, "%s is there already: give another name, or remove it",
                 path);
    }
    if (rc == 0) {
        rc = open_part(z, ret_why, cap);
    }
    if (rc == 0) {
        rc = put_names(z, joint);
        rc = rc < 0 ? say_unwritten(z, rc, ret_why, cap) : 0;
    }
    if (rc < 0) {
        recording_drop(z);
        return rc;
    }
    *ret_recording = z;
    return 0;
}

/* What lies between the tick seen last and this one, and whether this one is a row. The loop counts
 * no coasting before a robot is driven, so the first driven tick may still be an old reading. */
static bool count_missing(struct recording *z, const struct recording_tick *t, uint64_t now)
{
    const uint64_t skipped = t->overruns - z->seen.overruns;
    const uint64_t lost = now - z->last - 1 - skipped;
    const bool driven = t->driven && z->seen.driven;
    const bool coasts = driven && t->coasted != z->seen.coasted;
    z->counts.skipped += (int64_t)skipped;
    z->counts.lost += (int64_t)lost;
    z->counts.coasted += coasts;
    z->counts.undriven += !driven;
    return driven && !coasts;
}

static int put_row(struct recording *z, const struct recording_tick *t, uint64_t now)
{
    const float *const list[] = {t->q, t->qd, t->tau};
    bool good = fprintf(z->file, "%.6f", (double)(now - z->first) / z->rate_hz) > 0;
    for (size_t k = 0; k < sizeof list / sizeof list[0]; k++) {
        for (int j = 0; j < z->n; j++) {
            good = fprintf(z->file, ",%.8g", (double)list[k][j]) > 0 && good;
        }
    }
    return good && fputc('\n', z->file) != EOF ? 0 : -errno;
}

int recording_put(struct recording *z, const struct recording_tick *t, char *ret_why, int cap)
{
    const uint64_t now = t->tick + t->overruns;
    bool good = t->driven;
    if (z->any && (t->tick <= z->seen.tick || t->overruns < z->seen.overruns ||
                   t->coasted < z->seen.coasted)) {
        return why(ret_why, cap, -ESTALE, "basald was started anew");
    }
    if (z->any) {
        good = count_missing(z, t, now);
    } else {
        z->begun = now;
        z->counts.undriven = !t->driven;
    }
    z->any = true;
    z->last = now;
    z->seen = *t;
    z->counts.seen_s = (double)(now - z->begun) / z->rate_hz;
    if (!good) {
        return 0;
    }
    if (z->counts.rows == 0) {
        z->first = now;
    } else {
        z->counts.gaps += now != z->ended + 1;
    }
    errno = 0;
    const int rc = put_row(z, t, now);
    if (rc < 0 || ferror(z->file) != 0) {
        z->unwritten = rc < 0 ? rc : -EIO;
        return say_unwritten(z, z->unwritten, ret_why, cap);
    }
    z->ended = now;
    z->counts.rows++;
    z->counts.seconds = (double)(now - z->first) / z->rate_hz;
    return 0;
}

void recording_counts(const struct recording *z, struct recording_counts *ret_counts)
{
    *ret_counts = z->counts;
}

int64_t recording_came(const struct recording_counts *c)
{
    return c->rows + c->coasted + c->undriven;
}

void recording_gaps(const struct recording_counts *c, char *ret_text, int cap)
{
    ret_text[0] = '\0';
    if (c->skipped + c->lost + c->coasted + c->undriven > 0) {
        (void)snprintf(ret_text, (size_t)cap,
                       "%lld gap%s; the loop left out %lld ticks, %lld did not arrive, in %lld a "
                       "joint did not answer, in %lld the robot was not driven",
                       (long long)c->gaps, c->gaps == 1 ? "" : "s", (long long)c->skipped,
                       (long long)c->lost, (long long)c->coasted, (long long)c->undriven);
    }
}

/* The part takes its name, unless that is taken. Not every file system can do it in one step. */
static int give_name(const struct recording *z)
{
    if (renameat2(AT_FDCWD, z->part, AT_FDCWD, z->path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    if (link(z->part, z->path) != 0) {
        return -errno;
    }
    (void)unlink(z->part); /* the recording has its name, whether it keeps this one too */
    return 0;
}

/* Some file systems cannot: EINVAL. */
static int sync_folder(const struct recording *z)
{
    char path[sizeof z->path];
    (void)snprintf(path, sizeof path, "%s", z->path);
    const int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    const int rc = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
    (void)close(fd);
    return rc;
}

/* A whole recording gets its name and stays, whatever happens. */
static int publish(const struct recording *z, char *ret_why, int cap)
{
    int rc = give_name(z);
    if (rc < 0) {
        return why(ret_why, cap, rc,
                   "the whole recording is %s: it could not be named %s: %s; rename it", z->part,
                   z->path, strerror(-rc));
    }
    rc = sync_folder(z);
    return rc < 0 ? why(ret_why, cap, rc,
                        "%s is written, but not its folder: %s; a power cut may lose it, copy it",
                        z->path, strerror(-rc))
                  : 0;
}

int recording_close(struct recording *z, char *ret_why, int cap)
{
    int rc = z->unwritten;
    if (rc == 0 && (fflush(z->file) != 0 || fsync(fileno(z->file)) != 0)) {
        rc = -errno;
    }
    if (fclose(z->file) != 0 && rc == 0) {
        rc = -errno;
    }
    z->file = NULL;
    if (rc < 0) {
        rc = say_unwritten(z, rc, ret_why, cap);
        recording_drop(z);
        return rc;
    }
    rc = publish(z, ret_why, cap);
    free(z);
    return rc;
}

void recording_drop(struct recording *z)
{
    if (z != NULL && z->file != NULL) {
        (void)fclose(z->file);
    }
    if (z != NULL && z->part[0] != '\0') {
        (void)unlink(z->part);
    }
    free(z);
}
