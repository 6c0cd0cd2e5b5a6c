/*
 * The estop latch: a file in the state folder, durable once the robot has stopped, found again
 * after kill -9, a power cut or a reboot, removed only by a person's clear. Whatever stands there,
 * readable or not, means latched.
 */
#pragma once

#include "daemon/filewriter.h"

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
