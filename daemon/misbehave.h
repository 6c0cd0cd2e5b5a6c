/*
 * Test builds only (BASAL_STALL): one thread hangs or crashes on order once the robot has moved for
 * a while, so that what the others do then can be shown. In every other build this is nothing.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdint.h>

struct misbehaviour {
    const char *stall, *crash; /* names of threads, or NULL */
    int64_t from_step;         /* policy steps that this life began with */
};

#ifdef BASAL_STALL
/* Called by each thread between two of its steps. */
void misbehave(const struct misbehaviour *m, const char *thread, int64_t step);
#else
static inline void misbehave(const struct misbehaviour *m, const char *thread, int64_t step)
{
    (void)m;
    (void)thread;
    (void)step;
}
#endif
