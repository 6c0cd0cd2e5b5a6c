#include "policies/replay_newest.h"

#include "policies/replay_rows.h"

#include <math.h>

#define ROWS_LATE 4 /* of the version before: as many may come before a new one drives */

enum newest_count {
    NEXT_ROW, /* that was not looked at */
    CHOSEN,   /* rows so far */
    VERSION,  /* that acted them */
    OTHERS,   /* dropped since it came to be */
    DROPPED,  /* ever */
    NEWEST_COUNTS
};

struct newest {
    const struct replay *replay;
    struct sampler *sampler;
    int batch;
    bool logp;
    int64_t count[NEWEST_COUNTS]; /* a view of them goes into checkpoints */
    int64_t *row;                 /* [batch]: those chosen */
};

struct newest *newest_init(const struct replay *r, struct sampler *sampler, int batch, bool logp,
                           struct arena *mem)
{
    struct newest *z = arena_take(mem, sizeof *z);
    *z = (struct newest){.replay = r, .sampler = sampler, .batch = batch, .logp = logp};
    z->row = arena_take(mem, (size_t)batch * sizeof(int64_t));
    return z;
}

static void drop(struct newest *z, int64_t rows)
{
    z->count[DROPPED] += rows;
    z->count[OTHERS] += rows;
}

static void drop_chosen(struct newest *z)
{
    drop(z, z->count[CHOSEN]);
    z->count[CHOSEN] = 0;
}

static bool is_wanted(const struct newest *z, int64_t row)
{
    const _Atomic uint32_t *tail = segment_row(z->replay, row) + z->replay->at_tail;
    return (word_get(&tail[ROW_META]) >> 8 & 0xff) == SOURCE_POLICY &&
           word_get(&tail[ROW_VERSION]) == (uint32_t)z->count[VERSION] &&
           (!z->logp || isfinite(word_float(&tail[ROW_LOGP])));
}

/* Choose among the rows before head, until the batch is full. */
static void choose(struct newest *z, int64_t head)
{
    const int64_t first = segment_first(z->replay, head);
    int64_t *next = &z->count[NEXT_ROW], *chosen = &z->count[CHOSEN];
    if (*chosen > 0 && z->row[0] < first) { /* the writer comes there */
        drop_chosen(z);
    }
    if (*next < first) {
        drop(z, first - *next);
        *next = first;
    }
    for (; *next < head && *chosen < z->batch; (*next)++) {
        if ((segment_meta(z->replay, *next) & ROW_FINAL) != 0) {
            continue;
        }
        if (is_wanted(z, *next)) {
            z->row[(*chosen)++] = *next;
        } else {
            drop(z, 1);
        }
    }
}

/* The rows chosen into the batch; false: one of them was overwritten. */
static bool gather(struct newest *z, int64_t head)
{
    for (int i = 0; i < z->batch; i++) {
        if (!sampler_gather(z->sampler, z->row[i], head, i)) {
            return false;
        }
        if (i + 1 == z->batch || z->row[i + 1] != z->row[i] + 1) {
            sampler_end_run(z->sampler, i);
        }
    }
    return true;
}

bool newest_take(struct newest *z, uint32_t version, struct batch *ret_batch)
{
    const int64_t head = replay_head(z->replay);
    if (z->count[VERSION] != (int64_t)version) {
        drop_chosen(z);
        z->count[VERSION] = version;
        z->count[OTHERS] = 0;
    }
    choose(z, head);
    if (z->count[CHOSEN] < z->batch) {
        return false;
    }
    if (!gather(z, head)) {
        drop_chosen(z);
        return false;
    }
    z->count[CHOSEN] = 0;
    sampler_batch(z->sampler, ret_batch);
    return true;
}

bool newest_is_unheard(const struct newest *z, uint32_t version)
{
    const int enough = z->batch > ROWS_LATE ? z->batch : ROWS_LATE;
    return z->count[VERSION] == (int64_t)version && z->count[CHOSEN] == 0 &&
           z->count[OTHERS] >= enough;
}

int64_t newest_dropped(const struct newest *z)
{
    return z->count[DROPPED];
}

int newest_tensors(struct newest *z, struct tensor *ret_tensors, int n_max)
{
    basal_assert(n_max >= NEWEST_TENSORS);
    ret_tensors[0] = (struct tensor){"newest.counts", TENSOR_I64, 1, {NEWEST_COUNTS}, z->count};
    ret_tensors[1] = (struct tensor){"newest.row", TENSOR_I64, 1, {z->batch}, z->row};
    return NEWEST_TENSORS;
}

void newest_restored(struct newest *z)
{
    const int64_t head = replay_head(z->replay);
    int64_t *chosen = &z->count[CHOSEN];
    bool sound = *chosen >= 0 && *chosen <= z->batch && z->count[NEXT_ROW] >= 0 &&
                 z->count[NEXT_ROW] <= head;
    for (int64_t i = 0; sound && i < *chosen; i++) {
        sound = z->row[i] >= (i > 0 ? z->row[i - 1] + 1 : 0) && z->row[i] < head;
    }
    if (!sound) {
        z->count[CHOSEN] = 0;
        z->count[NEXT_ROW] = head;
    }
}
