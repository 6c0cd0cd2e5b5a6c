#include "daemon/crash.h"

#include "daemon/shared.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES 65536

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* A signal handler has no other way to its data: written once, before the threads start. */
static struct {
    _Atomic uint32_t *stop;
    struct plant *plant;
} target;

static _Thread_local bool on_loop;

static void cut_torque(void)
{
    uint8_t tx[256];
    for (int bus = 0; bus < BUSES_MAX; bus++) {
        int fd = -1;
        const int n = plant_stop_bytes(target.plant, bus, &fd, tx, sizeof tx);
        if (n > 0) {
            for (int i = 0; i < 3; i++) { /* not acknowledged: three times */
                const ssize_t ignored = write(fd, tx, (size_t)n);
                (void)ignored;
            }
        }
    }
}

static void handle(int sig)
{
    char text[80];
    const int n =
        snprintf(text, sizeof text, "<0>basald: signal %d on the %s thread: stopping the robot\n",
                 sig, on_loop ? "loop" : "other");
    const ssize_t ignored = write(STDERR_FILENO, text, n > 0 ? (size_t)n : 0);
    (void)ignored;
    if (on_loop) {
        cut_torque();
        (void)signal(sig, SIG_DFL);
        (void)raise(sig);
        return;
    }
    atomic_fetch_or(target.stop, STOP_CRASHED);
    for (;;) {
        (void)pause();
    }
}

static _Thread_local stack_t before; /* the stack that this thread's handlers had */

static void own_stack(void)
{
    static _Thread_local char stack[STACK_BYTES];
    const stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    (void)sigaltstack(&s, &before);
}

void crash_install(_Atomic uint32_t *stop, struct plant *plant)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = handle;
    a.sa_flags = SA_ONSTACK;
    target.stop = stop;
    target.plant = plant;
    own_stack();
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaction(signals[i], &a, NULL);
    }
}

void crash_on_loop_thread(void)
{
    own_stack();
    on_loop = true;
}

void crash_leave_loop_thread(void)
{
    (void)sigaltstack(&before, NULL);
    on_loop = false;
}

void crash_uninstall(void)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)signal(signals[i], SIG_DFL);
    }
    (void)sigaltstack(&before, NULL);
}
