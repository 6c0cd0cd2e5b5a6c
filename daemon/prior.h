/*
 * Prior data of a run: transitions out of an earlier run's replay segment, to be learnt from beside
 * the robot's own (policies/replay_mix.h). They are copied into this process's memory: what becomes
 * of the file afterwards does not matter.
 */
#pragma once

#include "policies/replay.h"

struct prior {
    struct replay *replay; /* owned; NULL: there is none */
    int64_t rows;          /* transitions; whoever checks them against the robot fills it in */
    uint64_t hash;         /* of the bytes; 0: there is none */
};

/*
 * path: a replay.seg, the folder of a checkpoint that holds one (made in lockstep), or of a run,
 * whose newest checkpoint is taken. Where a checkpoint vouches for the file's bytes they must be
 * those. Errors: -errno, -EBADMSG (damaged), -EPROTO (of another version) and one sentence.
 */
int prior_open(struct prior *ret_prior, const char *path, char *ret_why, int cap) BASAL_MUST_USE;
void prior_close(struct prior *p);
