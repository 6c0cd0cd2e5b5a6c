/*
 * What a run leaves on disk: metrics.jsonl (one line per interval, SB3's names) and checkpoints. In
 * lockstep a checkpoint holds everything (replay, body, devices, bytes on the wire, loop), so that
 * a resumed run equals the uninterrupted one bit for bit; in real time it holds the learner and the
 * weights in use.
 */
#pragma once

#include "daemon/checkpoint.h"
#include "daemon/house.h"
#include "daemon/metrics.h"

struct runfiles {
    const char *dir;           /* NULL: nothing is written */
    struct filewriter *writer; /* owned: of checkpoints */
    struct filewriter *lines;  /* owned: of metrics, which another thread may write meanwhile */
    struct metrics metrics;
    struct checkpoint_store store;
    uint64_t parent_run_id;     /* the run that was resumed; 0: none */
    bool other_prior;           /* it had other prior data, which in lockstep is refused */
    char last[PATH_CHARS + 64]; /* the newest checkpoint; "": none */
    int64_t step;               /* of the last interval line ... */
    struct rollout told, ended; /* ... the episodes it and those before it told of; all of them */
};

int runfiles_open(struct runfiles *ret_files, struct house *h, const char *dir, char *ret_why,
                  int cap) BASAL_MUST_USE;
void runfiles_close(struct runfiles *f);

/* One line: step, updates, the means of some episodes, and the learner's statistics. */
void runfiles_metrics(struct runfiles *f, struct house *h, const struct rollout *r);

/* One line of the service, where the step moved since the last. ended: NULL: as before. May run
 * beside runfiles_checkpoint. */
void runfiles_interval(struct runfiles *f, struct house *h, const struct rollout *ended);

/* Between two ticks in lockstep, between two updates on the learner's thread in real time. */
int runfiles_checkpoint(struct runfiles *f, struct house *h, int64_t planned_ns, char *ret_why,
                        int cap) BASAL_MUST_USE;

/*
 * path: a checkpoint folder, or a run's folder, whose newest whole one is taken; ret_why then says
 * why newer ones were refused ("" if none was). Errors: -ENOENT: the run's folder holds none, and
 * nothing was changed; after any other the house is not used.
 */
int runfiles_resume(struct runfiles *f, struct house *h, const char *path, int64_t *ret_planned_ns,
                    char *ret_why, int cap) BASAL_MUST_USE;
