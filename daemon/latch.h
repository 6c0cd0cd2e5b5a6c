/*
 * The estop latch: a file in the state folder, written as soon as the estop is asked for, while the
 * robot still stops; found again after kill -9, a power cut or a reboot, removed only by a person's
 * clear. Whatever stands there, readable or not, means latched.
 *
 * The loop cannot write it: a thread looks every LATCH_STEP_US, and a crash in between leaves the
 * mark from its signal handler. A kill -9 within that time of the request is what remains.
 */
#pragma once

#include "daemon/base/log.h"
#include "daemon/filewriter.h"

#include <stdatomic.h>

#define LATCH_STEP_US 5000

struct latch {
    char reason[WHY_CHARS];
    int64_t unix_ns; /* CLOCK_REALTIME; 0: unknown */
};

/* dir: descriptor of the state folder. Errors: -errno and one sentence. */
int latch_set(struct filewriter *w, int dir, const struct latch *latch, char *ret_why,
              int cap) BASAL_MUST_USE;

/* Is there one? Then ret_latch says what is known of it. */
bool latch_get(int dir, struct latch *ret_latch);

/* Errors: -errno and one sentence; the latch then may still be there after a power cut. */
int latch_clear(struct filewriter *w, int dir, char *ret_why, int cap) BASAL_MUST_USE;

/* Who keeps the file as the loop says it should be. */
struct latch_keeper {
    struct filewriter *writer; /* owned; NULL: nothing is kept */
    int dir;
    uint32_t on_disk; /* enum latched */
    struct log_limit said;
};

/* dir: descriptor of the state folder, borrowed; -1: there is none, nothing is kept. */
int latch_keeper_open(struct latch_keeper *ret_keeper, int dir) BASAL_MUST_USE;
void latch_keeper_close(struct latch_keeper *k);

/* At start: is an estop of an earlier life latched? Then it holds until a person clears it, and
 * ret_reason [WHY_CHARS] says what is known of it. */
bool latch_keeper_restore(struct latch_keeper *k, char *ret_reason);

/*
 * Bring the file to what is asked for (STOP_ESTOP in stop) and what the loop says (enum latched).
 * What fails is logged once a minute and tried again at the next step; a disk without room for the
 * reason still takes the file's name, which latches, too.
 */
void latch_keeper_step(struct latch_keeper *k, const _Atomic uint32_t *stop,
                       const _Atomic uint32_t *latched);

/* From a signal handler, for a process that dies: where an estop holds that has no file yet, a file
 * that says no more than that. dir: -1: nothing is kept. */
void latch_mark(int dir, const _Atomic uint32_t *stop, const _Atomic uint32_t *latched);
