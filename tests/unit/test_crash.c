/* A crash beside the loop parks its thread until the loop has stopped the robot and left; a loop
 * that does not answer is not waited for longer than patience; without a loop a crash ends at once.
 * Each in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/args.h"
#include "daemon/base/clock.h"
#include "daemon/crash.h"
#include "daemon/latch.h"
#include "daemon/shared.h"
#include "tests/unit/folder_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint32_t stop;
static _Atomic bool loop_is_up;
static _Atomic uint32_t latched;
static int latch_dir = -1;

static void nap(void)
{
    const struct timespec t = {.tv_nsec = 5 * NS_PER_MS};
    (void)nanosleep(&t, NULL);
}

/* As the loop does: sees the bit, stops the robot, which takes a moment, then ends. */
static void *good_loop(void *arg)
{
    (void)arg;
    crash_on_loop_thread();
    atomic_store(&loop_is_up, true);
    while ((atomic_load(&stop) & STOP_CRASHED) == 0) {
        nap();
    }
    for (int i = 0; i < 10; i++) {
        nap();
    }
    crash_loop_ended();
    return NULL;
}

static void *hung_loop(void *arg)
{
    (void)arg;
    crash_on_loop_thread();
    atomic_store(&loop_is_up, true);
    for (;;) {
        nap();
    }
    return NULL;
}

static void *beside(void *arg)
{
    (void)arg;
    crash_on_thread();
    (void)raise(SIGILL);
    crash_thread_ends();
    return NULL;
}

struct ending {
    int status; /* of waitpid */
    char said[1024];
};

/* The loop runs (or none), another thread crashes; the main thread waits. */
static void crash_with(void *(*loop)(void *), int64_t patience_ns, struct ending *ret_ending)
{
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    const pid_t child = fork();
    if (child == 0) {
        pthread_t a, b;
        (void)dup2(pipe_fd[1], STDERR_FILENO);
        crash_install(&(struct crash_spec){.stop = &stop,
                                           .latched = &latched,
                                           .latch_dir = latch_dir,
                                           .patience_ns = patience_ns});
        if (loop != NULL && pthread_create(&a, NULL, loop, NULL) != 0) {
            _exit(99);
        }
        while (loop != NULL && !atomic_load(&loop_is_up)) {
            nap();
        }
        if (pthread_create(&b, NULL, beside, NULL) != 0) {
            _exit(99);
        }
        for (int i = 0; i < 1000; i++) {
            nap();
        }
        _exit(98); /* nobody ended it */
    }
    (void)close(pipe_fd[1]);
    assert_int_equal(waitpid(child, &ret_ending->status, 0), child);
    const ssize_t n = read(pipe_fd[0], ret_ending->said, sizeof ret_ending->said - 1);
    ret_ending->said[n > 0 ? n : 0] = '\0';
    (void)close(pipe_fd[0]);
}

static void the_loop_ends_a_crashed_process(void **state)
{
    (void)state;
    struct ending e;
    crash_with(good_loop, 60 * NS_PER_S, &e);
    assert_true(WIFEXITED(e.status));
    assert_int_equal(WEXITSTATUS(e.status), EXIT_BROKEN);
    assert_string_equal(e.said, "basald: SIGILL on a thread beside the loop: stopping the robot\n"
                                "basald: the robot has stopped after a crash: leaving\n");
}

static void a_hung_loop_is_not_waited_for(void **state)
{
    (void)state;
    struct ending e;
    crash_with(hung_loop, 100 * NS_PER_MS, &e);
    assert_true(WIFSIGNALED(e.status));
    assert_int_equal(WTERMSIG(e.status), SIGILL);
    assert_non_null(strstr(e.said, "the loop did not answer the crash: leaving\n"));
}

static void without_a_loop_a_crash_ends_at_once(void **state)
{
    (void)state;
    struct ending e;
    crash_with(NULL, 60 * NS_PER_S, &e);
    assert_true(WIFSIGNALED(e.status));
    assert_int_equal(WTERMSIG(e.status), SIGILL);
    assert_string_equal(e.said, "basald: SIGILL: no robot moves: leaving\n");
}

/* An estop that no thread has written down yet, whatever the way out. */
static void an_estop_outlives_a_crash(void **state)
{
    (void)state;
    void *(*const loops[])(void *) = {good_loop, hung_loop, NULL};
    for (int i = 0; i < 6; i++) {
        struct folder folder;
        struct latch got;
        struct ending e;
        folder_make(&folder);
        latch_dir = folder.fd;
        atomic_store(&stop, i < 3 ? STOP_ESTOP : 0); /* asked for; or the loop has taken it */
        atomic_store(&latched, i < 3 ? LATCHED_NOT : LATCHED_POWER);
        crash_with(loops[i % 3], i % 3 == 1 ? 50 * NS_PER_MS : 60 * NS_PER_S, &e);
        assert_true(latch_get(folder.fd, &got));
        assert_string_equal(got.reason, "the daemon crashed before it could say why");
        folder_remove(&folder);
    }
    atomic_store(&stop, 0);
    atomic_store(&latched, LATCHED_NOT);
    latch_dir = -1;
}

static void a_crash_latches_nothing_by_itself(void **state)
{
    (void)state;
    struct folder folder;
    struct latch got;
    struct ending e;
    folder_make(&folder);
    latch_dir = folder.fd;
    crash_with(good_loop, 60 * NS_PER_S, &e);
    assert_false(latch_get(folder.fd, &got));
    folder_remove(&folder);
    latch_dir = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_ends_a_crashed_process),
        cmocka_unit_test(a_hung_loop_is_not_waited_for),
        cmocka_unit_test(without_a_loop_a_crash_ends_at_once),
        cmocka_unit_test(an_estop_outlives_a_crash),
        cmocka_unit_test(a_crash_latches_nothing_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
