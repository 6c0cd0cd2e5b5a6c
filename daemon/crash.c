#include "daemon/crash.h"

#include "daemon/args.h"
#include "daemon/base/clock.h"
#include "daemon/latch.h"
#include "daemon/shared.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES 65536
#define PARK_NS     (10 * NS_PER_MS)

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* A signal handler has no other way to its data: written once, before the threads start. */
static struct {
    struct crash_spec spec;
    const char *priority; /* in front of a line, where a journal reads it */
    _Atomic bool loop_ticks;
} target;

static _Thread_local bool on_loop;
static _Thread_local stack_t stack_before;

/* One line by write(2) alone: nothing else may be called from here. */
static void say(const char *const *words, int n)
{
    char line[160];
    size_t at = 0;
    for (int i = -1; i < n; i++) {
        const char *word = i < 0 ? target.priority : words[i];
        const size_t len = strnlen(word, sizeof line - 1 - at);
        memcpy(line + at, word, len);
        at += len;
    }
    line[at++] = '\n';
    const ssize_t ignored = write(STDERR_FILENO, line, at);
    (void)ignored;
}

static void cut_torque(void)
{
    for (int bus = 0; bus < BUSES_MAX; bus++) {
        for (int i = 0; i < 3; i++) { /* not acknowledged: three times */
            (void)plant_cut_torque(target.spec.plant, bus);
        }
    }
}

static const char *signal_name(int sig)
{
    switch (sig) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGABRT:
        return "SIGABRT";
    default:
        return "a signal";
    }
}

/* Until the loop has stopped the robot and left with the whole process, or patience ends. */
static void park(void)
{
    const struct timespec pause = {.tv_nsec = PARK_NS};
    for (int64_t waited_ns = 0; waited_ns < target.spec.patience_ns; waited_ns += PARK_NS) {
        (void)nanosleep(&pause, NULL);
    }
}

/* After the robot: a disk may take its time. */
static void keep_latch(void)
{
    latch_mark(target.spec.latch_dir, target.spec.stop, target.spec.latched);
}

static void handle(int sig)
{
    const bool loop_ticks = atomic_load(&target.loop_ticks);
    const char *const what[] = {"basald: ", signal_name(sig),
                                on_loop      ? " on the loop's thread: cutting torque"
                                : loop_ticks ? " on a thread beside the loop: stopping the robot"
                                             : ": no robot moves: leaving"};
    say(what, 3);
    if (on_loop) {
        cut_torque();
    } else if (loop_ticks) {
        atomic_fetch_or(target.spec.stop, STOP_CRASHED);
        park();
        static const char *const late[] = {"basald: the loop did not answer the crash: leaving"};
        say(late, 1);
    }
    keep_latch();
    (void)signal(sig, SIG_DFL);
    (void)raise(sig); /* it is blocked until this handler returns: then the process dies of it */
}

void crash_on_thread(void)
{
    static _Thread_local char stack[STACK_BYTES];
    const stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    (void)sigaltstack(&s, &stack_before);
}

void crash_thread_ends(void)
{
    (void)sigaltstack(&stack_before, NULL);
}

void crash_install(const struct crash_spec *spec)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = handle;
    a.sa_flags = SA_ONSTACK;
    target.spec = *spec;
    target.priority = getenv("JOURNAL_STREAM") != NULL ? "<2>" : "";
    crash_on_thread();
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaction(signals[i], &a, NULL);
    }
}

void crash_on_loop_thread(void)
{
    crash_on_thread();
    on_loop = true;
    atomic_store(&target.loop_ticks, true);
}

void crash_loop_ended(void)
{
    atomic_store(&target.loop_ticks, false);
    crash_thread_ends();
    if ((atomic_load(target.spec.stop) & STOP_CRASHED) != 0) {
        static const char *const what[] = {"basald: the robot has stopped after a crash: leaving"};
        say(what, 1);
        keep_latch();
        _exit(EXIT_BROKEN);
    }
}

void crash_uninstall(void)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)signal(signals[i], SIG_DFL);
    }
    crash_thread_ends();
}
