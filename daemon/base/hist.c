#include "daemon/base/hist.h"

#define SUB (INT64_C(1) << HIST_SUB_BITS)

static int bucket_of(int64_t ns)
{
    if (ns < SUB) {
        return ns < 0 ? 0 : (int)ns;
    }
    const int top = 63 - __builtin_clzll((unsigned long long)ns); /* >= HIST_SUB_BITS */
    const int shift = top - HIST_SUB_BITS;
    const int bucket = ((shift + 1) << HIST_SUB_BITS) + (int)((ns >> shift) & (SUB - 1));
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

static int64_t middle_of(int bucket)
{
    if (bucket < SUB) {
        return bucket;
    }
    const int shift = (bucket >> HIST_SUB_BITS) - 1;
    const int64_t low = (SUB + (bucket & (SUB - 1))) << shift;
    return low + ((INT64_C(1) << shift) >> 1);
}

static void add_relaxed(_Atomic uint64_t *x)
{
    /* one writer: a plain load and store, no locked instruction */
    atomic_store_explicit(x, atomic_load_explicit(x, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void hist_add(struct hist *h, int64_t ns)
{
    add_relaxed(&h->count[bucket_of(ns)]);
    add_relaxed(&h->total);
    if (ns > atomic_load_explicit(&h->max_ns, memory_order_relaxed)) {
        atomic_store_explicit(&h->max_ns, ns, memory_order_relaxed);
    }
}

int64_t hist_quantile(const struct hist *h, double frac)
{
    const uint64_t total = atomic_load_explicit(&h->total, memory_order_relaxed);
    const double wanted = frac * (double)total;
    uint64_t seen = 0;
    for (int i = 0; i < HIST_BUCKETS && total > 0; i++) {
        seen += atomic_load_explicit(&h->count[i], memory_order_relaxed);
        if ((double)seen >= wanted && seen > 0) {
            return middle_of(i);
        }
    }
    return 0;
}
