/*
 * How fast a core reads: the slopes of a roofline. In the widest vectors that it has, over a block
 * that fits into its own caches and over one that fits into none.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/bench.h"

enum reach { REACH_CACHE, REACH_MEMORY, REACHES_N };

struct reads {
    float *block;
    struct figures gb_s[REACHES_N]; /* one a repetition */
};

#define READ_CACHE_BYTES  ((size_t)256 << 10) /* outside the first cache, inside the second */
#define READ_MEMORY_BYTES ((size_t)256 << 20)

void reads_init(struct reads *ret_reads, struct arena *mem);
/* GB/s, over about so many seconds but a whole pass at least. */
double reads_measure(const struct reads *r, enum reach reach, double seconds);
/* read_cache_gb_s, read_memory_gb_s. */
void reads_put(const struct reads *r, struct json_object *o);
