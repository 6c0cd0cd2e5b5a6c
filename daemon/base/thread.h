/*
 * Threads as the daemon wants them: named, with a scheduling class, a processor and all signals
 * blocked.
 */
#pragma once

#include "daemon/base/err.h"

#include <pthread.h>
#include <stdbool.h>

enum thread_class { THREAD_NORMAL, THREAD_IDLE, THREAD_FIFO };

struct thread_spec {
    const char *name; /* at most 15 characters */
    enum thread_class class;
    int priority; /* THREAD_FIFO: 1..99, with RESET_ON_FORK */
    int cpu;      /* -1: any; else this one only */
    int not_cpu;  /* -1: none; else all but this one, where there is another */
};

/*
 * Start body(arg). What the system refuses (class, processor) is reported in ret_missed, one
 * sentence, and the thread runs without it. Errors: -errno of pthread_create.
 */
int thread_start(pthread_t *ret_thread, const struct thread_spec *spec, void *(*body)(void *),
                 void *arg, char *ret_missed, int cap) BASAL_MUST_USE;

/* Put the calling thread into the class and onto the processor of spec. 0, or -errno and one
 * sentence. */
int thread_become(const struct thread_spec *spec, char *ret_why, int cap) BASAL_MUST_USE;

/* The part of the calling thread's stack that is still to be used, paged in: the first deep call in
 * a tick waits for nothing. */
void thread_prefault_stack(void);

/* Denormals to zero in this thread (FTZ and DAZ on x86, FZ on aarch64): a stray denormal costs a
 * hundred cycles. */
void thread_flush_denormals(void);
