/*
 * metrics.jsonl: the learning curve, one JSON object a line, appended. Names are
 * Stable-Baselines3's.
 */
#pragma once

#include "daemon/filewriter.h"

#define METRICS_MAX 64

struct metric {
    const char *name; /* "train/critic_loss" */
    double value;     /* not finite: null */
    bool whole;       /* a count: printed without a point */
};

struct metrics {
    struct filewriter *writer;
    int fd;
    uint64_t lines, lost;
};

/*
 * Go on with the file path, or begin it; half a line that a crash left at its end is cut. Errors:
 * -errno and one sentence.
 */
int metrics_open(struct metrics *ret_metrics, struct filewriter *writer, const char *path,
                 char *ret_why, int cap) BASAL_MUST_USE;
/* fsyncs what was written. */
void metrics_close(struct metrics *m);

/* One line. What cannot be written is counted as lost and the sentence says why; learning goes on.
 * 0 or -errno. */
int metrics_write(struct metrics *m, const struct metric *v, int n, char *ret_why, int cap);
