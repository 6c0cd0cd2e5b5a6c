#include "policies/replay_prioritized.h"

#include "policies/replay_segment.h"

#include <limits.h>

struct prioritized {
    const struct replay *replay;
    struct priority *priority;
    double beta;
    int64_t first, next; /* rows that are there, final ones left out */
    int *item;           /* [batch] of the last draw, ... */
    double *prob;        /* [batch] ... and with which probability */
};

struct prioritized *prioritized_init(const struct replay *r, const struct prioritized_spec *spec,
                                     struct arena *mem)
{
    struct prioritized *p = arena_take(mem, sizeof *p);
    basal_assert(r->capacity <= INT_MAX);
    const struct priority_spec by = {.kind = spec->kind,
                                     .capacity = (int)r->capacity,
                                     .batch = spec->batch,
                                     .alpha = spec->alpha,
                                     .eps = spec->eps};
    *p = (struct prioritized){.replay = r, .priority = priority_init(&by, mem), .beta = 1.0};
    p->item = arena_take(mem, (size_t)spec->batch * sizeof(int));
    p->prob = arena_take(mem, (size_t)spec->batch * sizeof(double));
    return p;
}

void prioritized_beta(struct prioritized *p, double beta)
{
    p->beta = beta;
}

static int item_of(const struct prioritized *p, int64_t row)
{
    return (int)(row % p->replay->capacity);
}

/* The youngest row before next that lies in this slot. */
static int64_t row_of(const struct prioritized *p, int item)
{
    const int64_t capacity = p->replay->capacity, at = p->next % capacity;
    return p->next - at + item - (item < at ? 0 : capacity);
}

static bool is_start(const struct prioritized *p, int64_t row)
{
    return (segment_meta(p->replay, row) & ROW_FINAL) == 0;
}

/* First those go that the writer comes to next, whose slots the new ones may take. */
static int64_t follow(struct prioritized *p)
{
    const int64_t head = replay_head(p->replay), first = segment_first(p->replay, head);
    for (; p->first < first && p->first < p->next; ++p->first) {
        priority_remove(p->priority, item_of(p, p->first));
    }
    if (p->next < first) { /* all of them went */
        p->first = p->next = first;
    }
    for (; p->next < head; ++p->next) {
        if (is_start(p, p->next)) {
            priority_add(p->priority, item_of(p, p->next));
        }
    }
    return head;
}

int64_t prioritized_draw(struct prioritized *p, struct rng *rng, int n, int64_t *ret_row,
                         float *ret_w)
{
    const int64_t head = follow(p);
    if (!priority_draw(p->priority, rng, n, p->item, p->prob)) {
        return -1;
    }
    for (int i = 0; i < n; i++) {
        ret_row[i] = row_of(p, p->item[i]);
    }
    priority_weights(p->prob, p->beta, n, ret_w);
    return head;
}

void prioritized_learnt(struct prioritized *p, const float *td, int n)
{
    priority_update(p->priority, p->item, td, n);
}

int prioritized_tensors(struct prioritized *p, struct tensor *ret_tensors, int n_max)
{
    const int capacity = (int)p->replay->capacity;
    struct priority_view v;
    struct tensor *t = ret_tensors;
    int n = 0;
    basal_assert(n_max >= PRIORITIZED_TENSORS);
    priority_state(p->priority, &v);
    t[n++] = (struct tensor){"priority.value", TENSOR_F32, 1, {capacity}, v.value};
    t[n++] = (struct tensor){"priority.largest", TENSOR_F64, 1, {1}, v.largest};
    t[n++] = (struct tensor){"priority.count", TENSOR_I64, 1, {2}, v.count};
    t[n++] = (struct tensor){"priority.first", TENSOR_I64, 1, {1}, &p->first};
    t[n++] = (struct tensor){"priority.next", TENSOR_I64, 1, {1}, &p->next};
    if (v.order != NULL) {
        t[n++] = (struct tensor){"priority.order", TENSOR_I32, 1, {capacity}, v.order};
    }
    return n;
}

/* Are they there, and no others, that may be drawn of this replay? */
static bool fits(const struct prioritized *p)
{
    const int64_t head = replay_head(p->replay);
    int n = 0;
    if (p->first < 0 || p->next < p->first || p->next > head ||
        p->next - p->first > p->replay->capacity) {
        return false;
    }
    for (int64_t row = p->first; row < p->next; row++) {
        const bool gone = row < segment_oldest(p->replay, head); /* nobody knows what it was */
        const bool has = priority_has(p->priority, item_of(p, row));
        if (!gone && has != is_start(p, row)) {
            return false;
        }
        n += has;
    }
    return n == priority_count(p->priority);
}

void prioritized_restored(struct prioritized *p)
{
    if (!priority_restored(p->priority) || !fits(p)) {
        priority_clear(p->priority);
        p->first = p->next = 0;
    }
}
