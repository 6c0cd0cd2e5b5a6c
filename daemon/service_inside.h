/*
 * Inside of the service: service.c (start, main's step, end), service_threads.c (what each thread
 * does).
 */
#pragma once

#include "daemon/comms.h"
#include "daemon/latch.h"
#include "daemon/misbehave.h"
#include "daemon/realtime.h"
#include "daemon/runfiles.h"
#include "daemon/service.h"

#include <pthread.h>

/* A counter that somebody else moves, and when it was last seen moving. */
struct progress {
    uint64_t seen;
    int64_t since_ns;
    bool said;
};

struct service {
    const struct service_spec *spec;
    struct house house;
    struct arena comms_mem;
    struct comms *comms;
    struct runfiles files;
    struct latch_keeper latch;
    struct realtime_state realtime;
    struct misbehaviour misbehaviour;
    struct reopen reopen[BUSES_MAX];
    char said[BUSES_MAX][WHY_CHARS]; /* what was last logged of each bus */
    _Atomic bool leaving;            /* the loop has ended: learner and log end too */
    _Atomic bool comms_leaving;
    pthread_t loop_thread, learner_thread, comms_thread, log_thread;
    int64_t next_checkpoint_ns;         /* on the learner's thread */
    int64_t saved_updates, saved_steps; /* what the newest checkpoint holds */
    struct log_limit save_said;
    int64_t next_metrics_ns; /* on the log's */
    int64_t woke_watchdog_ns;
    uint64_t watchdog_us; /* the service manager's; 0: none */
    struct progress loop, comms_progress;
    bool broken; /* a thread hangs: leave with a failure */
};

/* A checkpoint of the networks, by whoever owns them; what fails is logged. */
void service_save(struct service *s);

/* Errors: -errno and one sentence; the process then leaves. */
int service_start_threads(struct service *s, char *ret_why, int cap) BASAL_MUST_USE;

/*
 * After the loop has ended. False: learner or comms did not end in time; what they own may then not
 * be touched, and the process leaves by _exit.
 */
bool service_end_threads(struct service *s);
