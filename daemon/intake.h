/*
 * Weights on their way in: check, accept, pack, hand to the loop. The same steps whether the block
 * came through a socket or, in lockstep, straight from the learner. What fails a check is counted
 * and dropped; the running policy stays.
 */
#pragma once

#include "daemon/base/mailbox.h"
#include "daemon/config.h"
#include "policies/weights.h"

/* What the loop takes: one mailbox slot. */
struct packed {
    struct weights_id id;
    int n;
    float mean[OBS_MAX], scale[OBS_MAX]; /* observed = (x - mean) x scale */
    _Alignas(CACHE_LINE) float w[];      /* as policy.pack left them */
};

struct intake {
    const struct config *config;
    struct mailbox *mailbox;
    struct dims dims;
    int n_max;      /* floats that a slot holds */
    float *scratch; /* [n_max] weights, aligned */
    struct weights_id want;
    bool any_run; /* run_id is taken from the first accepted block */
    uint32_t have;
    uint64_t accepted, refused;
    char why[WHY_CHARS]; /* of the last refusal */
};

/* Bytes of one mailbox slot for n_max floats. */
size_t intake_slot_bytes(int n_max);
void intake_init(struct intake *ret_intake, const struct config *c, const struct dims *d,
                 struct mailbox *mailbox, int n_max, struct arena *mem);
/* From now on weights of this run only, from its first version on; 0: of whichever run comes next.
 */
void intake_follow(struct intake *in, uint64_t run_id);
/* 0, or the reason as -errno; counted either way. */
int intake_block(struct intake *in, const uint8_t *block, size_t n);
