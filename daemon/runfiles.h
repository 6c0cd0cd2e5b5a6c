/*
 * What a run leaves on disk: metrics.jsonl (one line per interval, SB3's names) and checkpoints.
 */
#pragma once

#include "daemon/house.h"

#include <stdio.h>

struct runfiles {
    const char *dir; /* NULL: nothing is written */
    FILE *metrics;
    char last[PATH_CHARS + 64]; /* the newest checkpoint; "" : none */
    int64_t step;               /* of the last interval line */
};

int runfiles_open(struct runfiles *ret_files, struct house *h, const char *dir, char *ret_why, int cap) BASAL_MUST_USE;
void runfiles_close(struct runfiles *f);
/* One line: step, updates, mean return of the episodes since the last, and the learner's statistics. */
void runfiles_metrics(struct runfiles *f, struct house *h, double ep_rew_mean, int episodes);
/* One line of the service, where the step moved since the last. */
void runfiles_interval(struct runfiles *f, struct house *h);
int runfiles_checkpoint(struct runfiles *f, struct house *h, int64_t planned_ns, char *ret_why, int cap) BASAL_MUST_USE;
int runfiles_resume(struct runfiles *f, struct house *h, const char *path, int64_t *ret_planned_ns, char *ret_why,
                    int cap) BASAL_MUST_USE;
