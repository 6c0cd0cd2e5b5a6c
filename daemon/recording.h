/*
 * A recorded motion as a file that identify_read reads: a line of names, then a line a tick:
 *
 *   t_s,q_rad.JOINT ...,qd_rad_s.JOINT ...,tau_nm.JOINT ...
 *
 * Time is counted in nominal ticks. A tick that did not come, in which some joint coasted or in
 * which the robot was not driven, so that what is known of it may be old, is left out and counted:
 * nothing is made up between those about it. Written beside first, as PATH.part, and renamed when
 * it is whole; what is there already stays, under either name.
 *
 * Never in a robot's tick: it writes where it is told.
 */
#pragma once

#include "daemon/base/err.h"
#include "daemon/base/types.h"

#include <stdint.h>

struct recording;

/* A tick as telemetry has it. */
struct recording_tick {
    uint64_t tick, overruns;   /* loop's ticks, and those it left out, since its start */
    uint64_t coasted;          /* ticks in which a joint did not answer while driven, since then */
    bool driven;               /* fsm_drives */
    const float *q, *qd, *tau; /* [n] */
};

/* What is in the file. */
struct recording_counts {
    int64_t rows;
    double seconds; /* from the first to the last */
    double seen_s;  /* from the first tick that came to the last, in the file or not */
    int64_t gaps;   /* places between rows where ticks are missing */
    int64_t skipped, lost, coasted, undriven; /* ticks left out, before and after all rows too */
};

/* Begins the file. Errors: -EEXIST and others, and one sentence. */
int recording_open(struct recording **ret_recording, const char *path, const char *const *joint,
                   int n, double rate_hz, char *ret_why, int cap) BASAL_MUST_USE;

/* The next tick. Errors: -errno and one sentence: it cannot be written; or -ESTALE: time went back,
 * the daemon was started anew. */
int recording_put(struct recording *z, const struct recording_tick *t, char *ret_why,
                  int cap) BASAL_MUST_USE;

void recording_counts(const struct recording *z, struct recording_counts *ret_counts);
/* Ticks that came. */
int64_t recording_came(const struct recording_counts *c);
/* "2 gaps; the loop left out 3 ticks, ..."; "" where nothing is left out. */
void recording_gaps(const struct recording_counts *c, char *ret_text, int cap);

/* To disk and under its name; z is gone. Errors: -errno and one sentence, which says where the
 * recording is if it is whole but not under its name. */
int recording_close(struct recording *z, char *ret_why, int cap) BASAL_MUST_USE;
/* Nothing stays; NULL is fine. */
void recording_drop(struct recording *z);
