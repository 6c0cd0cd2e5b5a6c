/*
 * A ring between one writer and one reader: every record, in order; when full the new one is
 * dropped and counted. The block holds no pointers, so it may lie in a memfd.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_head {
    _Alignas(CACHE_LINE) _Atomic uint64_t pushed; /* release by the writer, acquire by the reader */
    _Alignas(CACHE_LINE) _Atomic uint64_t popped; /* release by the reader, acquire by the writer */
    _Alignas(CACHE_LINE) _Atomic uint64_t dropped;
};

struct ring {
    struct ring_head *head;
    char *records;
    size_t record_bytes;
    uint64_t n; /* a power of two */
};

/* Bytes of the block for n records (a power of two) of record_bytes each. */
size_t ring_bytes(size_t record_bytes, uint64_t n);
void ring_init(struct ring *ret_ring, void *block, size_t record_bytes, uint64_t n);

/* False when full: dropped and counted. */
bool ring_push(struct ring *r, const void *record) BASAL_RT;
bool ring_pop(struct ring *r, void *ret_record) BASAL_RT;
uint64_t ring_dropped(const struct ring *r) BASAL_RT;
