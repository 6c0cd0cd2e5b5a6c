/*
 * All memory is taken at start. An arena is one block that only grows until it is frozen; after
 * that an allocation is an assertion. It remembers its name and high-water mark.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    const char *name;
    char *base;
    size_t used, cap;
    bool frozen;
};

/* Maps cap bytes, zero-filled; a page is there from its first use on. Errors: -ENOMEM. */
int arena_open(struct arena *ret_arena, const char *name, size_t cap) BASAL_MUST_USE;
void arena_close(struct arena *a);

/* n zeroed bytes, 64-byte aligned. Never NULL: running out or a frozen arena is an assertion. */
void *arena_take(struct arena *a, size_t n);

/* n floats, zeroed. */
static inline float *arena_floats(struct arena *a, int n)
{
    return arena_take(a, (size_t)n * sizeof(float));
}

void arena_freeze(struct arena *a);

/* All that was taken gets its pages now, so that no later store waits for one. */
void arena_prefault(struct arena *a);

/* The same for n writable bytes from wherever. */
void memory_prefault(void *p, size_t n);

/* Memory that programs may still take without swapping, as the system says; INT64_MAX where it says
 * nothing. */
int64_t memory_available_bytes(void);
