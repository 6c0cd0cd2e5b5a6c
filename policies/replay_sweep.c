#include "policies/replay_sweep.h"

#include "policies/replay_rows.h"

enum sweep_row { NEXT_ROW, END_ROW, SWEEP_ROWS };

struct sweep {
    const struct replay *replay;
    struct sampler *sampler;
    int batch;
    int64_t row[SWEEP_ROWS]; /* a view of them goes into checkpoints */
};

struct sweep *sweep_init(const struct replay *r, struct sampler *sampler, int batch,
                         struct arena *mem)
{
    struct sweep *z = arena_take(mem, sizeof *z);
    *z = (struct sweep){.replay = r, .sampler = sampler, .batch = batch};
    return z;
}

bool sweep_begins(const struct sweep *z)
{
    return z->row[NEXT_ROW] >= z->row[END_ROW];
}

/* All rows held now, up to the last that is a start: so the last batch is never empty. */
static void begin(struct sweep *z)
{
    const int64_t head = replay_head(z->replay), first = segment_first(z->replay, head);
    int64_t end = head;
    while (end > first && !sampler_gather(z->sampler, end - 1, head, 0)) {
        end--;
    }
    z->row[NEXT_ROW] = first;
    z->row[END_ROW] = end;
}

bool sweep_next(struct sweep *z, struct batch *ret_batch)
{
    if (sweep_begins(z)) {
        begin(z);
        if (sweep_begins(z)) {
            return false;
        }
    }
    const int64_t head = replay_head(z->replay), first = segment_first(z->replay, head);
    int64_t *next = &z->row[NEXT_ROW];
    int n = 0;
    *next = *next < first ? first : *next; /* what is older was overwritten, or is about to be */
    for (; n < z->batch && *next < z->row[END_ROW]; (*next)++) {
        n += sampler_gather(z->sampler, *next, head, n);
    }
    for (int i = n; i < z->batch; i++) {
        sampler_pad(z->sampler, i);
    }
    sampler_batch(z->sampler, ret_batch);
    ret_batch->sweep_end = sweep_begins(z);
    return true;
}

int sweep_tensors(struct sweep *z, struct tensor *ret_tensors, int n_max)
{
    basal_assert(n_max >= SWEEP_TENSORS);
    ret_tensors[0] = (struct tensor){"sweep.row", TENSOR_I64, 1, {SWEEP_ROWS}, z->row};
    return SWEEP_TENSORS;
}

void sweep_restored(struct sweep *z)
{
    if (z->row[NEXT_ROW] < 0 || z->row[END_ROW] > replay_head(z->replay)) {
        z->row[NEXT_ROW] = z->row[END_ROW] = 0;
    }
}
