#include "policies/replay_once.h"

#include "policies/replay_rows.h"

enum once_count { NEXT_ROW, DROPPED, ONCE_COUNTS };

struct once {
    const struct replay *replay;
    struct sampler *sampler;
    int batch;
    int64_t count[ONCE_COUNTS]; /* a view of them goes into checkpoints */
};

struct once *once_init(const struct replay *r, struct sampler *sampler, int batch,
                       struct arena *mem)
{
    struct once *z = arena_take(mem, sizeof *z);
    *z = (struct once){.replay = r, .sampler = sampler, .batch = batch};
    return z;
}

/* Nothing is kept between two calls: until a batch is full its rows are looked at anew. */
bool once_take(struct once *z, struct batch *ret_batch)
{
    const int64_t head = replay_head(z->replay), first = segment_first(z->replay, head);
    int64_t *next = &z->count[NEXT_ROW];
    if (*next < first) {
        z->count[DROPPED] += first - *next;
        *next = first;
    }
    int n = 0;
    int64_t row = *next;
    for (; n < z->batch && row < head; row++) {
        const bool is_start = sampler_gather(z->sampler, row, head, n);
        if (!is_start && row + 1 == head) {
            break; /* the action after it may come */
        }
        n += is_start;
    }
    if (n < z->batch) {
        return false;
    }
    *next = row;
    sampler_batch(z->sampler, ret_batch);
    return true;
}

int64_t once_dropped(const struct once *z)
{
    return z->count[DROPPED];
}

int once_tensors(struct once *z, struct tensor *ret_tensors, int n_max)
{
    basal_assert(n_max >= ONCE_TENSORS);
    ret_tensors[0] = (struct tensor){"once.counts", TENSOR_I64, 1, {ONCE_COUNTS}, z->count};
    return ONCE_TENSORS;
}

void once_restored(struct once *z)
{
    const int64_t head = replay_head(z->replay);
    if (z->count[NEXT_ROW] < 0 || z->count[NEXT_ROW] > head) {
        z->count[NEXT_ROW] = head;
    }
}
