/*
 * A whole daemon without its sockets, for benchmarks: the emulated robot in process, the loop, the
 * learner, and what comms and main do for them. Runs as soon as it may, which a daemon never does.
 */
#pragma once

#include "daemon/house.h"

#define BENCH_SETS_MAX 128
#define SET_CHARS      256

struct bench_robot {
    struct house house;
    const char *sets[BENCH_SETS_MAX];
    char text[BENCH_SETS_MAX][SET_CHARS];
    int n_sets;
    struct record last; /* fetched from the loop */
    uint64_t asked, answered;
    char trouble[WHY_CHARS]; /* the last fault or refusal in words */
};

struct bench_robot_spec {
    const char *config_path;
    const char *const *sets; /* kept; these come last and win */
    int n_sets;
    double rate_hz;     /* of the loop; 0: a body without a bus keeps its own, others get 1000 */
    bool act_each_tick; /* the policy's rate is the loop's */
    uint64_t seed;
};

/*
 * A bus whose replies do not come within 0.8 ticks as configured runs at 4 Mbaud, goals first. The
 * learner owes so much that it never waits, the replay holds enough for it, weights have arrived,
 * the robot is running. Its clock stands at the end of the last tick.
 */
int bench_robot_open(struct bench_robot *ret_robot, const struct bench_robot_spec *spec,
                     char *ret_why, int cap) BASAL_MUST_USE;
void bench_robot_close(struct bench_robot *b);

/* Fetch what the loop has told, note every record, ask it to run when it does not. */
void bench_robot_attend(struct bench_robot *b, void (*note)(void *self, const struct record *r),
                        void *self);

/* A robot file that comes with basald, "crawler.yaml": in the current folder's deploy/robots,
 * beside this program's build, or where it is installed; "" if nowhere. */
void bench_robot_find(const char *file, char *ret_path, size_t cap);
