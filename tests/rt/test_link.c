/*
 * Which OpenBLAS this program runs: the serial one. The pthread build starts threads before main,
 * and the alternatives system would choose it at run time where nothing else is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define OWN_THREADS 1 /* of the sanitizer, which may start one */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OWN_THREADS 1
#endif
#endif
#ifndef OWN_THREADS
#define OWN_THREADS 0
#endif

extern int openblas_get_parallel(void); /* 0: sequential, 1: threads, 2: OpenMP */
extern int openblas_get_num_threads(void);

static int threads_at_main;

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;
    for (const struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return n;
}

static void one_thread_reaches_main(void **state)
{
    (void)state;
    assert_in_range(threads_at_main, 1, 1 + OWN_THREADS);
}

static void the_serial_build_is_loaded(void **state)
{
    (void)state;
    char line[4096];
    bool serial = false;
    assert_int_equal(openblas_get_parallel(), 0);
    assert_int_equal(openblas_get_num_threads(), 1);
    FILE *f = fopen("/proc/self/maps", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        assert_null(strstr(line, "openblas-pthread"));
        assert_null(strstr(line, "openblas-openmp"));
        assert_null(strstr(line, "libgomp"));
        serial = serial || strstr(line, "openblas-serial/libopenblas") != NULL;
    }
    (void)fclose(f);
    assert_true(serial);
}

/* An rpath of the program holds for the libraries of its libraries, too; a runpath does not. */
static void an_rpath_says_so(void **state)
{
    (void)state;
    bool rpath = false;
    for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        assert_int_not_equal(d->d_tag, DT_RUNPATH);
        rpath = rpath || d->d_tag == DT_RPATH;
    }
    assert_true(rpath);
}

int main(void)
{
    threads_at_main = count_threads();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_reaches_main),
        cmocka_unit_test(the_serial_build_is_loaded),
        cmocka_unit_test(an_rpath_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
