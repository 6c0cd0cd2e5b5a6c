/* The writer's side of the replay: create, adopt, attach, commit. */
#include "policies/replay_segment.h"

#include "daemon/base/hash.h"
#include "daemon/base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define HEAD_MAX (INT64_C(1) << 62) /* a head beyond it is damage, not age */

static size_t words_of(const struct replay_spec *s)
{
    const struct picture_spec *p = &s->picture;
    const size_t pixels = (size_t)p->h * (size_t)p->w * (size_t)p->c;
    return (size_t)s->n_obs + 2 * (size_t)s->n_act + ROW_WORDS + (pixels + 3) / 4;
}

size_t replay_need_bytes(const struct replay_spec *spec)
{
    return sizeof(struct segment_header) +
           (size_t)spec->capacity * words_of(spec) * sizeof(uint32_t);
}

/* What the header's counts say of a row. */
static struct replay_spec spec_of(const struct segment_header *h)
{
    return (struct replay_spec){.capacity = h->capacity,
                                .n_obs = h->n_obs,
                                .n_act = h->n_act,
                                .picture = {h->picture_h, h->picture_w, h->picture_c}};
}

static uint32_t header_crc(const struct segment_header *h)
{
    return hash_crc32c(0, h, offsetof(struct segment_header, crc));
}

static struct replay *wrap(struct segment_header *seg, size_t bytes, int fd, bool writer)
{
    struct replay *r = calloc(1, sizeof *r);
    const struct replay_spec s = spec_of(seg);
    if (r != NULL) {
        *r = (struct replay){.seg = seg,
                             .bytes = bytes,
                             .fd = fd,
                             .writer = writer,
                             .n_obs = seg->n_obs,
                             .n_act = seg->n_act,
                             .at_tail = seg->n_obs + 2 * seg->n_act,
                             .n_pixels = seg->picture_h * seg->picture_w * seg->picture_c,
                             .at_picture = seg->n_obs + 2 * seg->n_act + ROW_WORDS,
                             .row_words = words_of(&s),
                             .capacity = seg->capacity};
    }
    return r;
}

static void write_header(struct segment_header *h, const struct replay_spec *spec)
{
    h->magic = REPLAY_MAGIC;
    h->version = REPLAY_VERSION;
    h->header_bytes = (uint32_t)sizeof *h;
    h->run_id = spec->run_id;
    h->schema_hash = spec->schema_hash;
    h->capacity = spec->capacity;
    h->n_obs = spec->n_obs;
    h->n_act = spec->n_act;
    h->has_legal = spec->has_legal;
    h->picture_h = spec->picture.h;
    h->picture_w = spec->picture.w;
    h->picture_c = spec->picture.c;
    h->row_words = (uint32_t)words_of(spec);
    h->policy_rate_hz = spec->policy_rate_hz;
    for (int k = 0; k < spec->n_obs + spec->n_act && spec->slot_name != NULL; k++) {
        (void)snprintf(h->slot[k].name, sizeof h->slot[k].name, "%s", spec->slot_name[k]);
        if (spec->slot_unit != NULL && spec->slot_unit[k] != NULL) {
            (void)snprintf(h->slot[k].unit, sizeof h->slot[k].unit, "%s", spec->slot_unit[k]);
        }
        h->slot[k].type = SLOT_F32;
    }
    h->crc = header_crc(h);
}

static int check_spec(const struct replay_spec *s, char *ret_why, int cap)
{
    const struct picture_spec *p = &s->picture;
    const int sides[3] = {p->h, p->w, p->c};
    for (int i = 0; i < 3; i++) {
        if (sides[i] < 0 || sides[i] > PICTURE_MAX || (sides[i] > 0) != (p->c > 0)) {
            return why(ret_why, cap, -EINVAL, "replay: a picture of %d x %d x %d is out of range",
                       p->h, p->w, p->c);
        }
    }
    if (s->n_obs < (p->c > 0 ? 0 : 1) || s->n_obs > OBS_MAX || s->n_act < 1 || s->n_act > ACT_MAX ||
        s->capacity < 4 || s->capacity > INT64_C(1) << 32) {
        return why(ret_why, cap, -EINVAL,
                   "replay: %d observations, %d actions, %lld rows are out of range", s->n_obs,
                   s->n_act, (long long)s->capacity);
    }
    return 0;
}

int replay_create(struct replay **ret_replay, const struct replay_spec *spec, char *ret_why,
                  int cap)
{
    int rc = check_spec(spec, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const size_t bytes = replay_need_bytes(spec);
    const int fd = memfd_create("basald-replay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
        rc = why(ret_why, cap, -errno, "replay: cannot take %zu MB of memory: %s", bytes >> 20,
                 strerror(errno));
        goto out;
    }
    /* a memfd is born 0777: a reader could open it again for writing */
    if (fchmod(fd, 0600) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        rc = why(ret_why, cap, -errno, "replay: cannot seal its memory: %s", strerror(errno));
        goto out;
    }
    void *p = map_shared(fd, bytes, PROT_READ | PROT_WRITE, MAP_POPULATE);
    if (p == NULL) {
        rc = why(ret_why, cap, -errno, "replay: cannot map %zu MB: %s", bytes >> 20,
                 strerror(errno));
        goto out;
    }
    /* MAP_POPULATE is silent about pages that it did not get; EINVAL: Linux before 5.14 */
    if (madvise(p, bytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
        rc = why(ret_why, cap, -errno, "replay: cannot take %zu MB of memory: %s", bytes >> 20,
                 strerror(errno));
        (void)munmap(p, bytes);
        goto out;
    }
    map_collapse(p, bytes);
    write_header(p, spec);
    struct replay *r = wrap(p, bytes, fd, true);
    if (r != NULL) {
        *ret_replay = r;
        return 0;
    }
    (void)munmap(p, bytes);
    rc = why(ret_why, cap, -ENOMEM, "replay: out of memory");
out:
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

/* Every field against the file's size before any of it is used. */
static int check_header(const struct segment_header *h, size_t bytes, char *ret_why, int cap)
{
    if (bytes < sizeof *h || h->magic != REPLAY_MAGIC) {
        return why(ret_why, cap, -EBADMSG, "replay: this is no replay segment");
    }
    if (h->version != REPLAY_VERSION || h->header_bytes != sizeof *h) {
        return why(ret_why, cap, -EPROTO, "replay: segment version %u, this program reads %u",
                   h->version, REPLAY_VERSION);
    }
    if (h->crc != header_crc(h)) {
        return why(ret_why, cap, -EBADMSG,
                   "replay: the header's checksum is wrong, the segment is damaged");
    }
    const struct replay_spec s = spec_of(h);
    if (check_spec(&s, NULL, 0) < 0 || h->row_words != words_of(&s) ||
        bytes != replay_need_bytes(&s)) {
        return why(ret_why, cap, -EBADMSG,
                   "replay: the header's counts do not fit the segment's size");
    }
    const int64_t head = atomic_load(&h->head), open = atomic_load(&h->open);
    if (head < 0 || head > HEAD_MAX || (open != 0 && open != 1)) {
        return why(ret_why, cap, -EBADMSG, "replay: the head is damaged");
    }
    return 0;
}

/*
 * A memfd that may shrink under our mapping would be a SIGBUS, not an error. A file has no seals:
 * its length is the owner's word.
 */
static bool may_shrink(int fd)
{
    const int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) == 0;
}

static int map_segment(struct replay **ret_replay, int fd, bool writer, char *ret_why, int cap)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct segment_header)) {
        return why(ret_why, cap, -EBADMSG, "replay: this is no replay segment");
    }
    if (may_shrink(fd)) {
        return why(ret_why, cap, -EPROTO, "replay: the segment is not sealed against shrinking");
    }
    const size_t bytes = (size_t)st.st_size;
    const int prot = writer ? PROT_READ | PROT_WRITE : PROT_READ;
    void *p = map_shared(fd, bytes, prot, writer ? MAP_POPULATE : 0);
    if (p == NULL) {
        return why(ret_why, cap, -errno, "replay: cannot map the segment: %s", strerror(errno));
    }
    int rc = check_header(p, bytes, ret_why, cap);
    if (rc == 0) {
        struct replay *r = wrap(p, bytes, fd, writer);
        if (r != NULL) {
            *ret_replay = r;
            return 0;
        }
        rc = why(ret_why, cap, -ENOMEM, "replay: out of memory");
    }
    (void)munmap(p, bytes);
    return rc;
}

/* The row before the next one to come ends its run. */
static void mark_last(struct replay *r)
{
    const int64_t head = atomic_load_explicit(&r->seg->head, memory_order_relaxed);
    if (head > 0) {
        _Atomic uint32_t *meta = segment_row(r, head - 1) + r->at_tail + ROW_META;
        word_put(meta, word_get(meta) | META_NEXT_FINAL);
    }
}

/* A row that holds only an observation: never a start, and the run before it ends there. */
static void make_final(struct replay *r)
{
    _Atomic uint32_t *tail = segment_row(r, atomic_load(&r->seg->head)) + r->at_tail;
    word_put(&tail[ROW_META], ROW_FINAL);
    atomic_store_explicit(&r->seg->open, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->seg->head, 1, memory_order_release);
}

int replay_adopt(struct replay **ret_replay, int fd, const struct replay_spec *spec, char *ret_why,
                 int cap)
{
    struct replay *r = NULL;
    const int rc = map_segment(&r, fd, true, ret_why, cap);
    if (rc < 0 || r == NULL) {
        return rc;
    }
    if (r->n_obs != spec->n_obs || r->n_act != spec->n_act || r->row_words != words_of(spec) ||
        r->seg->schema_hash != spec->schema_hash || r->capacity != spec->capacity) {
        (void)munmap(r->seg, r->bytes);
        free(r);
        return why(ret_why, cap, -EPROTO,
                   "replay: the kept segment belongs to another robot or configuration");
    }
    if (atomic_load(&r->seg->open) != 0) {
        mark_last(r);
        make_final(r);
    }
    r->seg->run_id = spec->run_id;
    r->seg->crc = header_crc(r->seg);
    *ret_replay = r;
    return 0;
}

int replay_attach(struct replay **ret_replay, int fd, char *ret_why, int cap)
{
    return map_segment(ret_replay, fd, false, ret_why, cap);
}

void replay_close(struct replay *r)
{
    if (r != NULL) {
        (void)munmap(r->seg, r->bytes);
        (void)close(r->fd);
        free(r);
    }
}

int replay_fd(const struct replay *r)
{
    return r->fd;
}

int64_t replay_head(const struct replay *r)
{
    return atomic_load_explicit(&r->seg->head, memory_order_acquire);
}

static void close_row(struct replay *r, _Atomic uint32_t *row, const struct period *p)
{
    _Atomic uint32_t *tail = row + r->at_tail;
    for (int k = 0; k < r->n_act; k++) {
        float_put(&row[r->n_obs + k], p->asked[k]);
        float_put(&row[r->n_obs + r->n_act + k], p->applied[k]);
    }
    float_put(&tail[ROW_R], p->reward);
    float_put(&tail[ROW_LOGP], p->logp);
    float_put(&tail[ROW_DT], p->dt_s);
    word_put(&tail[ROW_META], (uint32_t)(p->bits & ~ROW_FINAL) | (uint32_t)p->source << 8 |
                                  (p->opens ? 0 : META_NEXT_FINAL));
    word_put(&tail[ROW_VERSION], p->version);
    word_put(&tail[ROW_T_LO], (uint32_t)p->t_ns);
    word_put(&tail[ROW_T_HI], (uint32_t)((uint64_t)p->t_ns >> 32));
}

/* Four bytes a word, the first one lowest. */
static void put_picture(const struct replay *r, _Atomic uint32_t *row, const uint8_t *picture)
{
    _Atomic uint32_t *to = row + r->at_picture;
    for (int k = 0; k < r->n_pixels; k += 4) {
        uint32_t word = 0;
        for (int i = 0; i < 4 && k + i < r->n_pixels && picture != NULL; i++) {
            word |= (uint32_t)picture[k + i] << 8 * i;
        }
        word_put(to++, word);
    }
}

static void open_row(struct replay *r, int64_t row_index, const struct period *p)
{
    const struct observation *obs = p->obs2;
    _Atomic uint32_t *row = segment_row(r, row_index);
    _Atomic uint32_t *tail = row + r->at_tail;
    for (int k = 0; k < r->n_obs; k++) {
        float_put(&row[k], obs->v[k]);
    }
    word_put(&tail[ROW_META], ROW_FINAL); /* until it closes, it is no start */
    word_put(&tail[ROW_LEGAL_LO], (uint32_t)obs->legal);
    word_put(&tail[ROW_LEGAL_HI], (uint32_t)(obs->legal >> 32));
    put_picture(r, row, p->picture2);
}

static void count(_Atomic int64_t *x, bool yes)
{
    if (yes) {
        atomic_store_explicit(x, atomic_load_explicit(x, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    }
}

void replay_commit(struct replay *r, const struct period *p)
{
    basal_assert(r->writer);
    struct segment_header *h = r->seg;
    int64_t head = atomic_load_explicit(&h->head, memory_order_relaxed);
    /* release: who reads a word that is written below also sees this head; pairs with the acquire
     * fence of a reader's check */
    atomic_thread_fence(memory_order_release);
    const bool was_open = atomic_load_explicit(&h->open, memory_order_relaxed) != 0;
    basal_assert(p->closes == was_open);
    if (p->closes) {
        close_row(r, segment_row(r, head), p);
        count(&h->terminals, (p->bits & ROW_TERMINAL) != 0);
        count(&h->truncated, (p->bits & ROW_TRUNCATED) != 0);
        count(&h->human, p->source == SOURCE_HUMAN);
        count(&h->episodes, !p->opens);
        open_row(r, head + 1, p);
        /* release: pairs with the acquire in replay_head */
        atomic_store_explicit(&h->head, ++head, memory_order_release);
        if (!p->opens) {
            make_final(r);
        }
        return;
    }
    if (p->opens) {
        open_row(r, head, p);
        atomic_store_explicit(&h->open, 1, memory_order_release);
    }
}

size_t replay_bytes(const struct replay *r)
{
    return r->bytes;
}

const void *replay_data(const struct replay *r)
{
    return r->seg;
}

int replay_restore(struct replay *r, const void *bytes, size_t n, char *ret_why, int cap)
{
    if (n != r->bytes) {
        return why(ret_why, cap, -EPROTO,
                   "replay: the checkpoint's segment has %zu bytes, this run's %zu", n, r->bytes);
    }
    struct segment_header *h = aligned_alloc(CACHE_LINE, sizeof *h); /* bytes lie anywhere */
    if (h == NULL) {
        return why(ret_why, cap, -ENOMEM, "replay: out of memory");
    }
    memcpy(h, bytes, sizeof *h);
    int rc = check_header(h, n, ret_why, cap);
    if (rc == 0 && (h->row_words != r->row_words || h->n_obs != r->n_obs || h->n_act != r->n_act ||
                    h->capacity != r->capacity || h->schema_hash != r->seg->schema_hash)) {
        rc = why(ret_why, cap, -EPROTO,
                 "replay: the checkpoint's segment belongs to another robot or configuration");
    }
    free(h);
    if (rc == 0) {
        memcpy(r->seg, bytes, n);
    }
    return rc;
}
