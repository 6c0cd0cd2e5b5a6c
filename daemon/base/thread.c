#include "daemon/base/thread.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define STACK_BYTES ((size_t)256 << 10) /* no function of ours takes more than 16 KiB */

static int set_cpu(const struct thread_spec *spec, char *ret_why, int cap)
{
    const long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    CPU_ZERO(&set);
    if (spec->cpu >= 0) {
        CPU_SET((size_t)spec->cpu, &set);
    } else if (spec->not_cpu >= 0 && n_cpus > 1) {
        for (long i = 0; i < n_cpus; i++) {
            if (i != spec->not_cpu) {
                CPU_SET((size_t)i, &set);
            }
        }
    } else {
        return 0;
    }
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        return why(ret_why, cap, -errno, "thread %s: cannot run on CPU %d: %s", spec->name,
                   spec->cpu, strerror(errno));
    }
    return 0;
}

int thread_become(const struct thread_spec *spec, char *ret_why, int cap)
{
    (void)pthread_setname_np(pthread_self(), spec->name);
    const int rc = set_cpu(spec, ret_why, cap);
    struct sched_param param = {0};
    int policy = SCHED_OTHER;
    if (spec->class == THREAD_IDLE) {
        policy = SCHED_IDLE;

    } else if (spec->class == THREAD_FIFO) {
        policy = SCHED_FIFO | SCHED_RESET_ON_FORK;
        param.sched_priority = spec->priority;
    }

    if (policy != SCHED_OTHER && sched_setscheduler(0, policy, &param) != 0) {
        return why(ret_why, cap, -errno,
                   "thread %s: the system refuses its scheduling class (%s); give the process "
                   "CAP_SYS_NICE "
                   "or LimitRTPRIO=95",
                   spec->name, strerror(errno));
    }
    return rc;
}

void thread_prefault_stack(void)
{
    pthread_attr_t attr;
    void *low;
    size_t n;
    if (pthread_getattr_np(pthread_self(), &attr) != 0) {
        return;
    }
    if (pthread_attr_getstack(&attr, &low, &n) == 0) {
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        const size_t here = ((size_t)((char *)&attr - (char *)low) + page) / page * page;
        const size_t deep = here < STACK_BYTES ? here : STACK_BYTES;
        /* kernels before 5.14 do not know it: the first ticks fault there, limp and harmless */
        (void)madvise((char *)low + here - deep, deep, MADV_POPULATE_WRITE);
    }
    (void)pthread_attr_destroy(&attr);
}

void thread_flush_denormals(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ bit 15, DAZ bit 6 */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (UINT64_C(1) << 24)));
#endif
}

struct start {
    const struct thread_spec *spec;
    void *(*body)(void *);
    void *arg;
    char *ret_missed;
    int cap;
    sem_t ready;
};

static void *run(void *arg)
{
    struct start *s = arg;
    void *(*body)(void *) = s->body;
    void *body_arg = s->arg;
    char missed[WHY_CHARS] = "";
    if (thread_become(s->spec, missed, (int)sizeof missed) != 0) {
        (void)why(s->ret_missed, s->cap, 0, "%s", missed);
    }
    (void)sem_post(&s->ready); /* s is gone after this */
    return body(body_arg);
}

int thread_start(pthread_t *ret_thread, const struct thread_spec *spec, void *(*body)(void *),
                 void *arg, char *ret_missed, int cap)
{
    struct start s = {.spec = spec, .body = body, .arg = arg, .ret_missed = ret_missed, .cap = cap};
    (void)why(ret_missed, cap, 0, "%s", "");
    if (sem_init(&s.ready, 0, 0) != 0) {
        return -errno;
    }
    sigset_t all, old;
    (void)sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL,
                          SIGABRT}; /* a crash must reach its handler */
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)sigdelset(&all, faults[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    const int rc = pthread_create(ret_thread, NULL, run, &s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    while (rc == 0 && sem_wait(&s.ready) != 0) { /* interrupted */
    }
    (void)sem_destroy(&s.ready);
    return -rc;
}
