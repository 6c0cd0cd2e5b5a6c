/*
 * The control loop against a loop that only sleeps: on one thread and processor, at one priority,
 * under the same load, in short turns. The loop drives the emulated robot (the hardware's bytes)
 * and learns; the robot's time stands still while the others have their turn. What the loop did
 * comes from its own telemetry.
 */
#pragma once

#include "daemon/bench_stats.h"
#include "daemon/house.h"

#define TURN_SETS_MAX 64
#define TURN_S_MAX    0.5

enum runner { RUNNER_LOOP, RUNNER_BARE, RUNNER_BARE_AGAIN, RUNNERS_N };

struct turns_spec {
    const char *config_path;
    const char *sets[TURN_SETS_MAX]; /* "KEY=VALUE", on top of what rate_hz asks for */
    int n_sets;
    double rate_hz;
    double seconds; /* of one run, shared by the three */
    double turn_s;  /* of one of the three; at most TURN_S_MAX */
    int repeat;     /* runs; at most BENCH_RUNS_MAX */
    int64_t seed;
};

struct runner_result {
    struct series wake;
    int64_t overruns[BENCH_RUNS_MAX]; /* ticks left out because it woke after them */
    int64_t page_faults, preempted;   /* during its turns; minor and major; by other threads */
};

struct turns_result {
    struct runner_result runner[RUNNERS_N];
    /* of the loop: its work from waking to sleeping, the goals' last byte after the planned start
     */
    struct series tick, last_byte, phase[PHASES_N];
    int64_t records_lost;       /* telemetry that nobody fetched in time */
    int64_t bytes_tx, bytes_rx; /* to and from the emulated devices during its turns */
    int64_t missed_replies;
    double running_frac;                /* ticks in which the robot was running */
    double updates_per_s, learner_frac; /* of one processor that the learner had */
    int64_t learner_waits;              /* times it had nothing to do */
    int64_t *scratch;                   /* for series_spread */
    char realtime[WHY_CHARS];           /* the verdict */
    char bus[WHY_CHARS];                /* the first bus as configured */
    char algo[NAME_CHARS];
    char trouble[WHY_CHARS]; /* why the robot last stopped running; "": it did not */
    int runs;
};

/* Takes its memory from mem and writes everything to ret. Errors: -errno and one sentence. */
int turns_measure(const struct turns_spec *spec, struct arena *mem, struct turns_result *ret,
                  char *ret_why, int cap) BASAL_MUST_USE;
