/*
 * A histogram of durations with logarithmic buckets (32 to the power of two, 3 % wide). One writer
 * counts in the tick; anyone reads: relaxed atomics, each bucket right on its own.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdatomic.h>
#include <stdint.h>

#define HIST_SUB_BITS 5
#define HIST_BUCKETS  ((40 - HIST_SUB_BITS) << HIST_SUB_BITS)

struct hist {
    _Atomic uint64_t count[HIST_BUCKETS];
    _Atomic uint64_t total;
    _Atomic int64_t max_ns;
};

/* Negative durations count as 0, durations beyond 2^39 ns as the last bucket. */
void hist_add(struct hist *h, int64_t ns) BASAL_RT;

/* The duration below which the fraction frac of all lies, in ns; 0 when empty. */
int64_t hist_quantile(const struct hist *h, double frac);
