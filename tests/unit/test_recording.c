/* A recorded motion's file: which ticks are its rows, and whose file is never touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/recording.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

struct bench {
    struct folder folder;
    struct recording *z;
    char path[PATH_CHARS + 16], part[PATH_CHARS + 32];
    char why[WHY_CHARS];
};

static int rename_errno, link_errno; /* 0: it works */

int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to,
                     unsigned int flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to,
                     unsigned int flags);
int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
    errno = rename_errno;
    return rename_errno != 0 ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

int __wrap_link(const char *from, const char *to)
{
    errno = link_errno;
    return link_errno != 0 ? -1 : __real_link(from, to);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    rename_errno = link_errno = 0;
    folder_make(&b->folder);
    (void)snprintf(b->path, sizeof b->path, "%s/swing.csv", b->folder.path);
    (void)snprintf(b->part, sizeof b->part, "%s.part", b->path);
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    folder_remove(&b->folder);
    free(b);
    return 0;
}

static int begin(struct bench *b)
{
    static const char *const joint[] = {"hip"};
    return recording_open(&b->z, b->path, joint, 1, 100.0, b->why, (int)sizeof b->why);
}

static void put(struct bench *b, uint64_t tick, uint64_t overruns, uint64_t coasted, bool driven)
{
    const float q = (float)tick, qd = 0.5F, tau = -1.0F;
    const struct recording_tick t = {.tick = tick,
                                     .overruns = overruns,
                                     .coasted = coasted,
                                     .driven = driven,
                                     .q = &q,
                                     .qd = &qd,
                                     .tau = &tau};
    assert_int_equal(recording_put(b->z, &t, b->why, (int)sizeof b->why), 0);
}

static int end(struct bench *b)
{
    return recording_close(b->z, b->why, (int)sizeof b->why);
}

static void assert_holds(struct bench *b, const char *name, const char *wanted)
{
    size_t n = 0;
    uint8_t *bytes = folder_read(&b->folder, name, &n);
    assert_non_null(bytes);
    bytes[n] = '\0';
    assert_string_equal((char *)bytes, wanted);
    free(bytes);
}

#define NAMES "t_s,q_rad.hip,qd_rad_s.hip,tau_nm.hip\n"

static void what_is_not_known_is_no_row(void **state)
{
    struct bench *b = *state;
    struct recording_counts c;
    char text[WHY_CHARS];
    assert_int_equal(begin(b), 0);
    put(b, 7, 0, 0, false); /* limp */
    put(b, 8, 0, 0, true);  /* its reading may be one of before */
    put(b, 9, 0, 0, true);
    put(b, 10, 0, 1, true); /* a joint does not answer */
    put(b, 11, 0, 1, true);
    put(b, 12, 1, 1, true); /* the loop leaves one out */
    put(b, 14, 1, 1, true); /* one does not arrive */
    put(b, 15, 1, 1, false);
    put(b, 16, 1, 2, false); /* the count of coasting lags by a tick: not counted twice */
    recording_counts(b->z, &c);
    assert_int_equal(c.rows, 4);
    assert_int_equal(c.gaps, 3);
    assert_true(c.skipped == 1 && c.lost == 1 && c.coasted == 1 && c.undriven == 4);
    assert_int_equal(recording_came(&c), 9);
    assert_true(c.seconds == 0.06 && c.seen_s == 0.1);
    recording_gaps(&c, text, (int)sizeof text);
    assert_string_equal(text, "3 gaps; the loop left out 1 ticks, 1 did not arrive, in 1 a joint "
                              "did not answer, in 4 the robot was not driven");
    assert_int_equal(end(b), 0);
    assert_holds(b, "swing.csv",
                 NAMES "0.000000,9,0.5,-1\n0.020000,11,0.5,-1\n0.040000,12,0.5,-1\n"
                       "0.060000,14,0.5,-1\n");
    assert_int_equal(folder_count(&b->folder), 1);
}

/* Nobody drives: it holds nothing, but its time passes, so that whoever waits for it ends. */
static void time_passes_without_rows(void **state)
{
    struct bench *b = *state;
    struct recording_counts c;
    char text[WHY_CHARS];
    assert_int_equal(begin(b), 0);
    recording_counts(b->z, &c);
    recording_gaps(&c, text, (int)sizeof text);
    assert_string_equal(text, "");
    for (uint64_t t = 0; t <= 200; t++) {
        put(b, t, 0, 0, false);
    }
    recording_counts(b->z, &c);
    assert_true(c.rows == 0 && c.undriven == 201 && c.seconds == 0.0 && c.seen_s == 2.0);
    recording_drop(b->z);
    assert_int_equal(folder_count(&b->folder), 0);
}

static void what_is_there_stays(void **state)
{
    struct bench *b = *state;
    folder_write(&b->folder, "swing.csv", "mine", 4);
    assert_int_equal(begin(b), -EEXIST);
    assert_non_null(strstr(b->why, "swing.csv is there already"));
    assert_holds(b, "swing.csv", "mine");
    assert_int_equal(unlinkat(b->folder.fd, "swing.csv", 0), 0);

    folder_write(&b->folder, "swing.csv.part", "another's", 9);
    assert_int_equal(begin(b), -EEXIST);
    assert_non_null(strstr(b->why, "swing.csv.part is there already"));
    assert_non_null(strstr(b->why, "remove it"));
    assert_holds(b, "swing.csv.part", "another's");
    assert_int_equal(unlinkat(b->folder.fd, "swing.csv.part", 0), 0);

    assert_int_equal(symlinkat("elsewhere", b->folder.fd, "swing.csv.part"), 0); /* leads nowhere */
    assert_int_equal(begin(b), -EEXIST);
    assert_int_equal(folder_count(&b->folder), 1);
}

static void record_one(struct bench *b)
{
    assert_int_equal(begin(b), 0);
    put(b, 1, 0, 0, true);
}

static void a_file_system_that_cannot_rename_so(void **state)
{
    static const int cannot[] = {EINVAL, ENOSYS};
    struct bench *b = *state;
    for (int i = 0; i < 2; i++) {
        rename_errno = cannot[i];
        record_one(b);
        assert_int_equal(end(b), 0);
        assert_holds(b, "swing.csv", NAMES "0.000000,1,0.5,-1\n");
        assert_int_equal(folder_count(&b->folder), 1);
        assert_int_equal(unlinkat(b->folder.fd, "swing.csv", 0), 0);
    }
}

/* Whatever the last step meets: the whole recording stays, and the sentence says where. */
static void a_whole_recording_is_never_removed(void **state)
{
    static const int met[][3] = {{EACCES, 0, EACCES}, {EINVAL, EPERM, EPERM}, {ENOSYS, 0, EEXIST}};
    struct bench *b = *state;
    for (int i = 0; i < 3; i++) {
        rename_errno = met[i][0];
        link_errno = met[i][1];
        record_one(b);
        if (met[i][2] == EEXIST) {
            folder_write(&b->folder, "swing.csv", "mine", 4);
        }
        assert_int_equal(end(b), -met[i][2]);
        assert_non_null(strstr(b->why, "the whole recording is "));
        assert_non_null(strstr(b->why, b->part));
        assert_holds(b, "swing.csv.part", NAMES "0.000000,1,0.5,-1\n");
        assert_int_equal(unlinkat(b->folder.fd, "swing.csv.part", 0), 0);
    }
    assert_holds(b, "swing.csv", "mine");
}

/* Room for so much, as on a disk that runs full: whichever byte of a row meets its end, the newline
 * too, after which nothing is left to write, there is no recording. */
static void a_cut_row_is_no_recording(void **state)
{
    struct bench *b = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (int longer = 0; longer < 24; longer++) { /* 3 bytes at a time, in rows of 17 */
        const struct rlimit room = {1024, before.rlim_max};
        const char *const joint[] = {&"hip_and_twenty_three_more"[24 - longer]};
        int rc = recording_open(&b->z, b->path, joint, 1, 100.0, b->why, (int)sizeof b->why);
        assert_int_equal(rc, 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &room), 0);
        for (uint64_t tick = 0; rc == 0 && tick < 1000; tick++) {
            const float q = 0.0F, qd = 0.5F, tau = 0.0F;
            const struct recording_tick t = {
                .tick = tick, .driven = true, .q = &q, .qd = &qd, .tau = &tau};
            rc = recording_put(b->z, &t, b->why, (int)sizeof b->why);
        }
        const int closed = end(b);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(rc, -EFBIG);
        assert_int_equal(closed, -EFBIG);
        assert_non_null(strstr(b->why, "File too large"));
        assert_int_equal(folder_count(&b->folder), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_known_is_no_row, setup, teardown),
        cmocka_unit_test_setup_teardown(time_passes_without_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_system_that_cannot_rename_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_whole_recording_is_never_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_row_is_no_recording, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
