/*
 * A replay segment among processes: seals and mode, taking over what a killed writer left, damaged
 * and foreign headers, restoring from a checkpoint, verification.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "tests/unit/replay_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct replay_spec same = {
    .run_id = 8, .capacity = 64, .n_obs = 2, .n_act = 1, .schema_hash = 99};

static void fill(struct replay *r, int rows)
{
    commit(r, false, true, 0.0f, 0.0f, 0);
    for (int k = 1; k <= rows; k++) {
        commit(r, true, true, (float)k, (float)k, 0);
    }
}

/* --- the memfd --- */

static void a_segment_is_sealed_and_its_owners_alone(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64);
    struct stat st;
    char path[64];
    assert_int_equal(fstat(replay_fd(r), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, (off_t)replay_bytes(r));
    assert_int_equal(fcntl(replay_fd(r), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(replay_fd(r), 0), -1);
    assert_int_equal(ftruncate(replay_fd(r), st.st_size * 2), -1);
    assert_true((fcntl(replay_fd(r), F_GETFD) & FD_CLOEXEC) != 0);

    /* what a reader is given: opened again, read-only; it cannot be mapped for writing */
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", replay_fd(r));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ptr_equal(mmap(NULL, replay_bytes(r), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
                     MAP_FAILED);
    char reason[WHY_CHARS] = "";
    struct replay *reader = NULL;
    float obs[2];
    assert_int_equal(replay_attach(&reader, fd, reason, sizeof reason), 0);
    fill(r, 3); /* a reader sees what is written after it came */
    assert_int_equal(replay_head(reader), 3);
    assert_true(replay_row_obs(reader, 2, obs) && obs[0] == 2.0f);
    replay_close(reader);
    replay_close(r);
}

static void specifications_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct replay_spec bad[] = {
        {.capacity = 3, .n_obs = 1, .n_act = 1},
        {.capacity = 64, .n_obs = 0, .n_act = 1},
        {.capacity = 64, .n_obs = OBS_MAX + 1, .n_act = 1},
        {.capacity = 64, .n_obs = 1, .n_act = 0},
        {.capacity = 64, .n_obs = 1, .n_act = ACT_MAX + 1},
        {.capacity = INT64_MAX, .n_obs = 1, .n_act = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct replay *r = NULL;
        char reason[WHY_CHARS] = "";
        assert_int_equal(replay_create(&r, &bad[i], reason, sizeof reason), -EINVAL);
        assert_null(r);
        assert_true(strstr(reason, "out of range") != NULL);
    }
}

/* --- taking over --- */

/* The open row becomes a final one: no row ever gets another run's observation as its successor. */
static void who_takes_over_closes_what_was_open(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64), *next = NULL;
    char reason[WHY_CHARS] = "";
    struct drawer d;
    struct batch b;
    fill(r, 3);
    const int fd = dup(replay_fd(r));
    replay_close(r); /* without a word, as kill -9 does */

    assert_int_equal(replay_adopt(&next, fd, &same, reason, sizeof reason), 0);
    assert_non_null(next);
    assert_int_equal(replay_head(next), 4);
    assert_int_equal(atomic_load(&next->seg->open), 0);
    assert_int_equal(word_get(&segment_row(next, 3)[next->at_tail + ROW_META]), ROW_FINAL);
    commit(next, false, true, 100.0f, 0.0f, 0);
    commit(next, true, true, 101.0f, 50.0f, 0);

    drawer_make(&d, next,
                &(struct sample_spec){.batch = 64, .n_steps = 3, .seg_len = 1, .gamma = GAMMA});
    assert_true(sampler_draw(d.sampler, &d.rng, &b));
    int before = 0;
    for (int i = 0; i < b.n; i++) {
        const float s = b.s[i * 2];
        assert_true(s != 3.0f && (s < 3.0f || s == 100.0f));
        assert_true(s != 2.0f || (b.s2[i * 2] == 3.0f && b.last[i] == 1 && b.r[i] == 3.0f &&
                                  b.g[i] == (float)GAMMA));
        assert_true(s != 1.0f || (b.s2[i * 2] == 3.0f && b.last[i] == 0)); /* cut to two steps */
        before += s == 2.0f;
    }
    assert_true(before > 0);
    assert_int_equal(replay_verify(next, NULL, 0), 0);

    /* the run id is the new writer's, under a good checksum */
    struct replay *reader = NULL;
    static struct replay_info info;
    assert_int_equal(replay_attach(&reader, dup(fd), reason, sizeof reason), 0);
    assert_int_equal(replay_info(reader, &info), 0);
    assert_true(info.run_id == 8);
    replay_close(reader);
    drawer_free(&d);
    replay_close(next);
}

static void who_takes_over_a_closed_segment_adds_nothing(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64), *next = NULL;
    char reason[WHY_CHARS] = "";
    commit(r, false, true, 0.0f, 0.0f, 0);
    commit(r, true, false, 1.0f, 1.0f, ROW_TRUNCATED);
    const int fd = dup(replay_fd(r));
    replay_close(r);
    assert_int_equal(replay_adopt(&next, fd, &same, reason, sizeof reason), 0);
    assert_int_equal(replay_head(next), 2);
    replay_close(next);
}

static void another_robots_segment_is_not_taken_over(void **state)
{
    (void)state;
    const struct replay_spec others[] = {
        {.run_id = 8, .capacity = 64, .n_obs = 3, .n_act = 1, .schema_hash = 99},
        {.run_id = 8, .capacity = 64, .n_obs = 2, .n_act = 2, .schema_hash = 99},
        {.run_id = 8, .capacity = 32, .n_obs = 2, .n_act = 1, .schema_hash = 99},
        {.run_id = 8, .capacity = 64, .n_obs = 2, .n_act = 1, .schema_hash = 98},
    };
    struct replay *r = replay_make(2, 1, 64);
    fill(r, 3);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct replay *next = NULL;
        char reason[WHY_CHARS] = "";
        assert_int_equal(replay_adopt(&next, replay_fd(r), &others[i], reason, sizeof reason),
                         -EPROTO);
        assert_null(next);
        assert_true(strstr(reason, "another robot") != NULL);
        assert_int_equal(replay_head(r), 3); /* and it stays as it was */
        assert_int_equal(atomic_load(&r->seg->open), 1);
    }
    replay_close(r);
}

/* A writer killed at any instruction leaves a segment that the next one goes on with. */
static void a_killed_writer_leaves_whole_rows(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64);
    int64_t before = -1;
    for (int round = 0; round < 20; round++) {
        char reason[WHY_CHARS] = "";
        const int fd = dup(replay_fd(r));
        const pid_t writer = fork();
        assert_true(writer >= 0);
        if (writer == 0) {
            struct replay *w = NULL;
            if (replay_adopt(&w, fd, &same, reason, sizeof reason) != 0) {
                _exit(1);
            }
            for (int k = 1;; k++) { /* five rows to an episode, for ever */
                const bool begins = k % 6 == 1, ends = k % 6 == 0;
                commit(w, !begins, !ends, (float)(k % 1000), 1.0f, ends ? ROW_TRUNCATED : 0);
            }
        }
        int status;
        while (replay_head(r) < before + 200 + 37 * round) {
            assert_int_equal(waitpid(writer, &status, WNOHANG), 0); /* it lives */
            (void)usleep(50);
        }
        assert_int_equal(kill(writer, SIGKILL), 0);
        assert_int_equal(waitpid(writer, &status, 0), writer);
        assert_true(WIFSIGNALED(status));

        struct replay *next = NULL;
        assert_int_equal(replay_adopt(&next, fd, &same, reason, sizeof reason), 0);
        assert_int_equal(atomic_load(&next->seg->open), 0);
        if (replay_verify(next, reason, sizeof reason) != 0) {
            fail_msg("after round %d: %s", round, reason);
        }
        before = replay_head(next);
        replay_close(next);
    }
    replay_close(r);
}

/* --- damage --- */

static int memfd_of(const void *bytes, size_t n, int seals)
{
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Refused with this code and a sentence, by readers and writers alike. */
static void assert_refused(int fd, int want, const char *what)
{
    struct replay *r = NULL;
    char reason[WHY_CHARS] = "";
    const int read = replay_attach(&r, fd, reason, sizeof reason);
    if (read != want || r != NULL || reason[0] == '\0') {
        fail_msg("%s: attach gives %d \"%s\", not %d", what, read, reason, want);
    }
    const int written = replay_adopt(&r, fd, &same, reason, sizeof reason);
    if (written != want || r != NULL) {
        fail_msg("%s: adopt gives %d \"%s\", not %d", what, written, reason, want);
    }
    (void)close(fd);
}

static void seal_header(struct segment_header *h)
{
    h->crc = hash_crc32c(0, h, offsetof(struct segment_header, crc));
}

static void damage_magic(struct segment_header *h)
{
    h->magic ^= 1;
}

static void damage_version(struct segment_header *h)
{
    h->version++;
}

static void damage_header_bytes(struct segment_header *h)
{
    h->header_bytes = 0;
}

static void damage_name(struct segment_header *h)
{
    h->slot[1].name[0] ^= 0x20;
}

static void grow_capacity(struct segment_header *h)
{
    h->capacity = INT64_C(1) << 32;
    seal_header(h);
}

static void negate_capacity(struct segment_header *h)
{
    h->capacity = -64;
    seal_header(h);
}

static void grow_obs(struct segment_header *h)
{
    h->n_obs = OBS_MAX + 1;
    seal_header(h);
}

static void negate_act(struct segment_header *h)
{
    h->n_act = -1;
    seal_header(h);
}

static void grow_row_words(struct segment_header *h)
{
    h->row_words++;
    seal_header(h);
}

static void negate_head(struct segment_header *h)
{
    atomic_store(&h->head, -1);
}

static void overflow_head(struct segment_header *h)
{
    atomic_store(&h->head, INT64_MAX);
}

static void damage_open(struct segment_header *h)
{
    atomic_store(&h->open, 2);
}

static void damaged_headers_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *name;
        void (*damage)(struct segment_header *h);
        int want;
    } cases[] = {
        {"magic", damage_magic, -EBADMSG},
        {"version", damage_version, -EPROTO},
        {"header_bytes", damage_header_bytes, -EPROTO},
        {"a slot's name", damage_name, -EBADMSG},
        {"capacity beyond the file", grow_capacity, -EBADMSG},
        {"negative capacity", negate_capacity, -EBADMSG},
        {"n_obs", grow_obs, -EBADMSG},
        {"n_act", negate_act, -EBADMSG},
        {"row_words", grow_row_words, -EBADMSG},
        {"negative head", negate_head, -EBADMSG},
        {"head beyond all counting", overflow_head, -EBADMSG},
        {"open", damage_open, -EBADMSG},
    };
    struct replay *r = replay_make(2, 1, 64);
    struct segment_header *h = aligned_alloc(CACHE_LINE, (replay_bytes(r) + 63) / 64 * 64);
    fill(r, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(h, replay_data(r), replay_bytes(r));
        cases[i].damage(h);
        assert_refused(memfd_of(h, replay_bytes(r), F_SEAL_SHRINK), cases[i].want, cases[i].name);
    }
    free(h);
    replay_close(r);
}

static void what_is_no_segment_is_refused(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64);
    const size_t n = replay_bytes(r);
    int ends[2];
    fill(r, 3);
    assert_refused(memfd_of("", 0, F_SEAL_SHRINK), -EBADMSG, "nothing");
    assert_refused(memfd_of(replay_data(r), 100, F_SEAL_SHRINK), -EBADMSG, "a hundred bytes");
    assert_refused(memfd_of(replay_data(r), sizeof(struct segment_header), F_SEAL_SHRINK), -EBADMSG,
                   "a header without rows");
    assert_refused(memfd_of(replay_data(r), n - 4, F_SEAL_SHRINK), -EBADMSG, "a word too few");
    assert_refused(memfd_of(replay_data(r), n, 0), -EPROTO, "a segment that may shrink");
    assert_int_equal(pipe(ends), 0);
    assert_refused(ends[0], -EBADMSG, "a pipe");
    (void)close(ends[1]);
    assert_refused(open("/dev/null", O_RDWR), -EBADMSG, "/dev/null");
    struct replay *none = NULL;
    char reason[WHY_CHARS];
    assert_true(replay_attach(&none, -1, reason, sizeof reason) < 0);
    replay_close(r);
}

/* Rows may say anything: they are counted, never believed. */
static void verification_counts_bad_rows_and_names_the_first(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64);
    char reason[WHY_CHARS] = "";
    fill(r, 10);
    commit(r, true, false, 11.0f, 1.0f, ROW_TERMINAL);
    assert_int_equal(replay_verify(r, reason, sizeof reason), 0);

    const uint32_t meta = SOURCE_POLICY << 8;
    float_put(&segment_row(r, 2)[1], NAN);                                    /* observation */
    float_put(&segment_row(r, 4)[2], INFINITY);                               /* action */
    float_put(&segment_row(r, 5)[r->at_tail + ROW_R], -INFINITY);             /* reward */
    float_put(&segment_row(r, 6)[r->at_tail + ROW_DT], -1.0f);                /* time */
    word_put(&segment_row(r, 7)[r->at_tail + ROW_META], 200 << 8);            /* source */
    word_put(&segment_row(r, 8)[r->at_tail + ROW_META], meta | ROW_TERMINAL); /* no final row */
    assert_int_equal(replay_verify(r, reason, sizeof reason), 6);
    assert_string_equal(reason, "row 2: observation 1 is not finite");

    /* and a reader walks over it */
    struct drawer d;
    struct batch b;
    drawer_make(&d, r, &(struct sample_spec){.batch = 64, .n_steps = 5, .seg_len = 8});
    assert_true(sampler_draw(d.sampler, &d.rng, &b));
    drawer_free(&d);
    replay_close(r);
}

/* --- checkpoints in lockstep --- */

static void a_checkpoint_comes_back_to_the_same_robot_only(void **state)
{
    (void)state;
    char reason[WHY_CHARS] = "";
    struct replay *r = replay_make(2, 1, 64), *to = replay_make(2, 1, 64);
    const size_t n = replay_bytes(r);
    uint8_t *bytes = malloc(n + 1); /* at an odd address: bytes of a file lie anywhere */
    float obs[2];
    fill(r, 5);
    memcpy(bytes + 1, replay_data(r), n);
    assert_int_equal(replay_restore(to, bytes + 1, n, reason, sizeof reason), 0);
    assert_int_equal(replay_head(to), 5);
    assert_true(replay_row_obs(to, 4, obs) && obs[0] == 4.0f);
    commit(to, true, true, 6.0f, 6.0f, 0); /* and goes on */
    assert_int_equal(replay_head(to), 6);

    assert_int_equal(replay_restore(to, bytes + 1, n - 1, reason, sizeof reason), -EPROTO);
    bytes[1 + 40] ^= 1;
    assert_int_equal(replay_restore(to, bytes + 1, n, reason, sizeof reason), -EBADMSG);
    assert_int_equal(replay_head(to), 6); /* untouched */

    /* as many bytes, other columns: 2 + 2 x 2 words are 4 + 2 x 1 */
    struct replay *a = replay_make(2, 2, 64), *b = replay_make(4, 1, 64);
    assert_int_equal(replay_bytes(a), replay_bytes(b));
    assert_int_equal(replay_restore(a, replay_data(b), replay_bytes(b), reason, sizeof reason),
                     -EPROTO);
    replay_close(a);
    replay_close(b);
    free(bytes);
    replay_close(to);
    replay_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_sealed_and_its_owners_alone),
        cmocka_unit_test(specifications_out_of_range_are_refused),
        cmocka_unit_test(who_takes_over_closes_what_was_open),
        cmocka_unit_test(who_takes_over_a_closed_segment_adds_nothing),
        cmocka_unit_test(another_robots_segment_is_not_taken_over),
        cmocka_unit_test(a_killed_writer_leaves_whole_rows),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(what_is_no_segment_is_refused),
        cmocka_unit_test(verification_counts_bad_rows_and_names_the_first),
        cmocka_unit_test(a_checkpoint_comes_back_to_the_same_robot_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
