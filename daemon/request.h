/* What people ask of the loop, and what it answers: two rings of these between comms and the tick.
 */
#pragma once

#include "daemon/base/err.h"

#include <stdint.h>

/* A person asks; the tick answers. */
enum request_kind {
    REQUEST_NONE,
    REQUEST_ARM,
    REQUEST_RUN,
    REQUEST_HOLD,
    REQUEST_CLEAR,
    REQUEST_EVAL,          /* run without exploration for x seconds, then report */
    REQUEST_EPISODE_END,   /* x = reward, flags & 1 = success                    */
    REQUEST_EPISODE_BEGIN, /* what a reset by ask waits for                    */
};

/* RUN_ATTENDED: only while a person keeps the lease, control.lease_deadman_ms */
enum run_flags { RUN_NO_EXPLORE = 1, RUN_NO_LEARN = 2, RUN_RANDOM = 4, RUN_ATTENDED = 8 };

/* Whoever asked has been told by now that nobody answers: it is not done any more. */
#define REQUEST_NS (2 * NS_PER_S)

struct request {
    uint64_t id;
    enum request_kind kind;
    uint32_t flags;
    double x;
    uint64_t shun_run_id; /* run: weights of this run drive no longer; 0: whatever there is */
    int64_t asked_ns;     /* when, on the loop's clock; 0: now */
};

enum refusal {
    REFUSED_NOT, /* done, or under way */
    REFUSED_STATE,
    REFUSED_PLANT,      /* devices are not there */
    REFUSED_NO_WEIGHTS, /* nothing to run */
    REFUSED_STOPPING,
    REFUSED_LATCHED, /* the reason is still there */
    REFUSED_UNSAFE,  /* a pose, a fault, a temperature forbids it: reply.why */
    REFUSED_LATE,    /* it has waited for too long */
    REFUSED_LOST,    /* something more dangerous came in the same tick */
};

struct reply {
    uint64_t id;
    enum refusal refusal;
    uint8_t state; /* enum fsm_state after it */
    char why[WHY_CHARS];
};
