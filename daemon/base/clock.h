/*
 * Time as an argument: CLOCK_MONOTONIC nanoseconds, or a virtual clock that its owner moves. A real
 * clock can be put on hold: where it goes on, its owner says.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

struct clock {
    bool is_virtual;
    int64_t now_ns;  /* of a virtual clock */
    int64_t zero_ns; /* of a real one: CLOCK_MONOTONIC when it showed 0 */
};

int64_t clock_now_ns(const struct clock *c) BASAL_RT;

/* Sleep until t_ns; a virtual clock jumps there. Returns the time at waking. */
int64_t clock_sleep_until(struct clock *c, int64_t t_ns) BASAL_RT;

/* Show t_ns now: for whoever reads it, what lies between then and now has not happened. */
void clock_resume(struct clock *c, int64_t t_ns) BASAL_RT;
