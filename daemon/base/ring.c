#include "daemon/base/ring.h"

#include <string.h>

size_t ring_bytes(size_t record_bytes, uint64_t n)
{
    return sizeof(struct ring_head) + record_bytes * (size_t)n;
}

void ring_init(struct ring *ret_ring, void *block, size_t record_bytes, uint64_t n)
{
    basal_assert(n > 0 && (n & (n - 1)) == 0);
    *ret_ring = (struct ring){.head = block,
                              .records = (char *)block + sizeof(struct ring_head),
                              .record_bytes = record_bytes,
                              .n = n};
}

bool ring_push(struct ring *r, const void *record)
{
    const uint64_t pushed = atomic_load_explicit(&r->head->pushed, memory_order_relaxed);
    const uint64_t popped = atomic_load_explicit(&r->head->popped, memory_order_acquire);
    if (pushed - popped == r->n) {
        atomic_fetch_add_explicit(&r->head->dropped, 1, memory_order_relaxed);
        return false;
    }
    memcpy(r->records + (size_t)(pushed & (r->n - 1)) * r->record_bytes, record, r->record_bytes);
    atomic_store_explicit(&r->head->pushed, pushed + 1, memory_order_release);
    return true;
}

bool ring_pop(struct ring *r, void *ret_record)
{
    const uint64_t popped = atomic_load_explicit(&r->head->popped, memory_order_relaxed);
    const uint64_t pushed = atomic_load_explicit(&r->head->pushed, memory_order_acquire);
    if (pushed == popped) {
        return false;
    }
    memcpy(ret_record, r->records + (size_t)(popped & (r->n - 1)) * r->record_bytes,
           r->record_bytes);
    atomic_store_explicit(&r->head->popped, popped + 1, memory_order_release);
    return true;
}

uint64_t ring_dropped(const struct ring *r)
{
    return atomic_load_explicit(&r->head->dropped, memory_order_relaxed);
}
