/* Durable files, once through io_uring and once by plain calls: whole or not at all, whatever fails
 * at whatever step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "daemon/filewriter.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define N 300000

struct bench {
    struct folder folder;
    struct filewriter *w;
    uint8_t *old, *fresh;
};

static int setup(void **state, enum filewriter_how how)
{
    struct bench *b = calloc(1, sizeof *b);
    struct rng r;
    rng_seed(&r, 1);
    b->old = malloc(N);
    b->fresh = malloc(N);
    for (int i = 0; i < N; i++) {
        b->old[i] = (uint8_t)rng_u64(&r);
        b->fresh[i] = (uint8_t)rng_u64(&r);
    }
    folder_make(&b->folder);
    *state = b;
    return filewriter_open(&b->w, how);
}

static int setup_any(void **state)
{
    return setup(state, FILEWRITER_ANY);
}

static int setup_plain(void **state)
{
    return setup(state, FILEWRITER_PLAIN);
}

static int teardown(void **state)
{
    struct bench *b = *state;
    filewriter_close(b->w);
    folder_remove(&b->folder);
    free(b->old);
    free(b->fresh);
    free(b);
    return 0;
}

static int put(struct bench *b, const uint8_t *p, size_t n, char *ret_why)
{
    const struct bytes parts[] = {{p, n / 3}, {p + n / 3, 0}, {p + n / 3, n - n / 3}};
    return filewriter_put(b->w, b->folder.fd, "file", parts, 3, ret_why, WHY_CHARS);
}

static bool holds(struct bench *b, const uint8_t *p, size_t n)
{
    size_t got;
    uint8_t *bytes = folder_read(&b->folder, "file", &got);
    const bool same = bytes != NULL && got == n && memcmp(bytes, p, n) == 0;
    free(bytes);
    return same;
}

static void a_put_replaces_the_whole_file(void **state)
{
    struct bench *b = *state;
    char reason[WHY_CHARS] = "";
    assert_int_equal(put(b, b->old, N, reason), 0);
    assert_true(holds(b, b->old, N));
    assert_int_equal(put(b, b->fresh, N - 7, reason), 0);
    assert_true(holds(b, b->fresh, N - 7));
    assert_int_equal(put(b, b->fresh, 0, reason), 0);
    assert_true(holds(b, b->fresh, 0));
    assert_int_equal(folder_count(&b->folder), 1);
}

static void short_writes_go_on(void **state)
{
    struct bench *b = *state;
    char reason[WHY_CHARS];
    filewriter_trouble(b->w, &(struct disk_trouble){.write_max = 1009});
    assert_int_equal(put(b, b->old, N, reason), 0);
    assert_true(holds(b, b->old, N));
}

/* Stopped before every single step: the old file or the new one, and a sentence. */
static void a_failure_at_any_step_keeps_one_whole_file(void **state)
{
    struct bench *b = *state;
    static const int errors[] = {ENOSPC, EIO};
    for (size_t e = 0; e < 2; e++) {
        int64_t steps = 0;
        for (int rc = -1; rc < 0; steps++) {
            char reason[WHY_CHARS] = "";
            filewriter_trouble(b->w, &(struct disk_trouble){0});
            assert_int_equal(put(b, b->old, N, reason), 0);
            filewriter_trouble(b->w, &(struct disk_trouble){steps, errors[e], 100000});
            rc = put(b, b->fresh, N, reason);
            if (rc < 0) {
                assert_int_equal(rc, -errors[e]);
                assert_non_null(strstr(reason, errors[e] == ENOSPC
                                                   ? "No space left on device; free some space"
                                                   : "Input/output error; check the disk"));
            }
            assert_true(rc == 0 ? holds(b, b->fresh, N)
                                : holds(b, b->old, N) || holds(b, b->fresh, N));
        }
        assert_in_range(steps, 7, 9); /* four writes, fsync, rename, fsync of the folder */
    }
}

static void a_full_device_is_said(void **state)
{
    struct bench *b = *state;
    char reason[WHY_CHARS] = "";
    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        skip();
    }
    assert_int_equal(filewriter_append(b->w, fd, b->old, N, reason, sizeof reason), -ENOSPC);
    assert_string_equal(reason, "cannot write the file: No space left on device; free some space");
    (void)close(fd);
}

/* A real limit: the kernel takes a part of the write, then refuses. (It does not hold for the
 * workers of io_uring.) */
static void a_file_limit_harms_nothing(void **state)
{
    struct bench *b = *state;
    char reason[WHY_CHARS] = "";
    struct rlimit was, low;
    assert_int_equal(put(b, b->old, N, reason), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    low = (struct rlimit){.rlim_cur = N / 2, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    const int rc = put(b, b->fresh, N, reason);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, -EFBIG);
    assert_non_null(strstr(reason, "cannot write file.new: File too large"));
    assert_true(holds(b, b->old, N));
    assert_int_equal(put(b, b->fresh, N, reason), 0);
    assert_true(holds(b, b->fresh, N));
}

static void appends_come_in_order(void **state)
{
    struct bench *b = *state;
    char reason[WHY_CHARS];
    const int fd = openat(b->folder.fd, "file", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    filewriter_trouble(b->w, &(struct disk_trouble){.write_max = 1000});
    for (size_t at = 0; at < N; at += N / 100) {
        assert_int_equal(filewriter_append(b->w, fd, b->old + at, N / 100, reason, sizeof reason),
                         0);
    }
    assert_int_equal(filewriter_sync(b->w, fd, reason, sizeof reason), 0);
    (void)close(fd);
    assert_true(holds(b, b->old, N));
}

static void a_link_moves_at_once(void **state)
{
    struct bench *b = *state;
    char reason[WHY_CHARS], target[64] = "";
    assert_int_equal(filewriter_link(b->w, b->folder.fd, "one", "last", reason, sizeof reason), 0);
    assert_int_equal(filewriter_link(b->w, b->folder.fd, "two", "last", reason, sizeof reason), 0);
    assert_int_equal(readlinkat(b->folder.fd, "last", target, sizeof target), 3);
    assert_string_equal(target, "two");
    filewriter_trouble(b->w, &(struct disk_trouble){1, EIO, 0});
    assert_int_equal(filewriter_link(b->w, b->folder.fd, "three", "last", reason, sizeof reason),
                     -EIO);
    assert_int_equal(readlinkat(b->folder.fd, "last", target, sizeof target), 3);
    assert_string_equal(target, "two");
}

static void a_refused_ring_is_no_ring(void **state)
{
    (void)state;
    struct filewriter *w;
    assert_int_equal(filewriter_open(&w, FILEWRITER_PLAIN), 0);
    assert_false(filewriter_has_uring(w));
    filewriter_close(w);
    filewriter_close(NULL);
    assert_int_equal(filewriter_open(&w, FILEWRITER_ANY), 0);
    print_message("io_uring: %s\n", filewriter_has_uring(w)
                                        ? "yes"
                                        : "refused by this kernel, plain calls tested twice");
    filewriter_close(w);
}

#define BOTH(test)                                                                                 \
    {#test " (any)", test, setup_any, teardown, NULL},                                             \
    {                                                                                              \
#test " (plain)", test, setup_plain, teardown, NULL                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_put_replaces_the_whole_file),
        BOTH(short_writes_go_on),
        BOTH(a_failure_at_any_step_keeps_one_whole_file),
        BOTH(a_full_device_is_said),
        {"a_file_limit_harms_nothing (plain)", a_file_limit_harms_nothing, setup_plain, teardown,
         NULL},
        BOTH(appends_come_in_order),
        BOTH(a_link_moves_at_once),
        cmocka_unit_test(a_refused_ring_is_no_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
