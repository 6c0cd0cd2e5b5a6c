#include "policies/priority.h"

#include "policies/priority_heap.h"
#include "policies/priority_tree.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FIRST_PRIORITY 1.0
#define SORT_EVERY     8000000 /* 1e6 steps of the paper: 32 rows for every fourth of them */

enum { ITEMS, SINCE_SORT, COUNTS };

struct priority {
    struct priority_spec spec;
    struct tree tree; /* proportional */
    struct heap heap; /* rank */
    double largest[1];
    int64_t count[COUNTS];
};

struct priority *priority_init(const struct priority_spec *spec, struct arena *mem)
{
    struct priority *p = arena_take(mem, sizeof *p);
    *p = (struct priority){.spec = *spec, .largest = {FIRST_PRIORITY}};
    if (spec->kind == PRIORITY_PROPORTIONAL) {
        tree_init(&p->tree, spec->capacity, spec->batch, mem);
    } else {
        heap_init(&p->heap, spec->capacity, spec->batch, spec->alpha, mem);
    }
    return p;
}

size_t priority_bytes(int kind, int capacity)
{
    return kind == PRIORITY_UNIFORM        ? 0
           : kind == PRIORITY_PROPORTIONAL ? tree_bytes(capacity)
                                           : heap_bytes(capacity);
}

int priority_count(const struct priority *p)
{
    return (int)p->count[ITEMS];
}

bool priority_has(const struct priority *p, int item)
{
    return p->spec.kind == PRIORITY_PROPORTIONAL ? p->tree.leaf[item] > 0.0f
                                                 : p->heap.place[item] >= 0;
}

static void set_leaf(struct priority *p, int item, float value)
{
    p->tree.leaf[item] = value;
    tree_follow(&p->tree, &item, 1);
}

void priority_add(struct priority *p, int item)
{
    const float value = (float)p->largest[0];
    const bool was_there = priority_has(p, item);
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        set_leaf(p, item, value);
    } else if (was_there) {
        heap_change(&p->heap, priority_count(p), item, value);
    } else {
        heap_add(&p->heap, priority_count(p), item, value);
    }
    p->count[ITEMS] += !was_there;
}

void priority_remove(struct priority *p, int item)
{
    if (!priority_has(p, item)) {
        return;
    }
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        set_leaf(p, item, 0.0f);
    } else {
        heap_remove(&p->heap, priority_count(p), item);
    }
    p->count[ITEMS]--;
}

bool priority_draw(struct priority *p, struct rng *rng, int n, int *ret_item, double *ret_p)
{
    basal_assert(n <= p->spec.batch);
    if (p->count[ITEMS] == 0) {
        return false;
    }
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        tree_draw(&p->tree, rng, n, ret_item, ret_p);
    } else {
        heap_draw(&p->heap, priority_count(p), rng, n, ret_item, ret_p);
    }
    return true;
}

/* p_i = (|delta_i| + eps)^alpha, and never nothing: what is there can be drawn */
static void update_tree(struct priority *p, const int *item, const float *td, int n)
{
    const float alpha = (float)p->spec.alpha, eps = (float)p->spec.eps;
    for (int i = 0; i < n; i++) {
        __builtin_prefetch(&p->tree.leaf[item[i]], 1);
    }
    for (int i = 0; i < n; i++) {
        float *leaf = &p->tree.leaf[item[i]];
        const float size = fabsf(td[i]) + eps;
        if (*leaf > 0.0f && isfinite(size)) {
            *leaf = fmaxf(powf(size, alpha), FLT_MIN);
            p->largest[0] = fmax(p->largest[0], (double)*leaf);
        }
    }
    tree_follow(&p->tree, item, n);
}

void priority_sort(struct priority *p)
{
    p->count[SINCE_SORT] = 0;
    if (p->spec.kind == PRIORITY_RANK) {
        heap_sort(&p->heap, priority_count(p));
    }
}

static void update_heap(struct priority *p, const int *item, const float *td, int n)
{
    heap_fetch(&p->heap, item, n);
    for (int i = 0; i < n; i++) {
        if (p->heap.place[item[i]] >= 0 && isfinite(td[i])) {
            p->largest[0] = fmax(p->largest[0], (double)fabsf(td[i]));
            heap_change(&p->heap, priority_count(p), item[i], fabsf(td[i]));
        }
    }
    p->count[SINCE_SORT] += n;
    if (p->count[SINCE_SORT] >= SORT_EVERY && p->count[SINCE_SORT] >= p->count[ITEMS]) {
        priority_sort(p);
    }
}

void priority_update(struct priority *p, const int *item, const float *td, int n)
{
    basal_assert(n <= p->spec.batch);
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        update_tree(p, item, td, n);
    } else {
        update_heap(p, item, td, n);
    }
}

double priority_beta(double beta0, int64_t iters, int64_t step)
{
    const double done = step >= iters ? 1.0 : (double)step / (double)iters;
    return beta0 + (1.0 - beta0) * done;
}

/* (N P_i)^-beta / max_j (N P_j)^-beta = (min_j P_j / P_i)^beta */
void priority_weights(const double *prob, double beta, int n, float *ret_w)
{
    double least = HUGE_VAL;
    for (int i = 0; i < n; i++) {
        least = fmin(least, prob[i]);
    }
    for (int i = 0; i < n; i++) {
        ret_w[i] = powf((float)(least / prob[i]), (float)beta);
    }
}

void priority_state(struct priority *p, struct priority_view *ret_view)
{
    const bool tree = p->spec.kind == PRIORITY_PROPORTIONAL;
    *ret_view = (struct priority_view){.value = tree ? p->tree.leaf : p->heap.key,
                                       .largest = p->largest,
                                       .order = tree ? NULL : p->heap.order,
                                       .count = p->count};
}

void priority_clear(struct priority *p)
{
    p->count[ITEMS] = 0;
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        memset(p->tree.leaf, 0, (size_t)p->spec.capacity * sizeof(float));
        tree_rebuild(&p->tree);
    } else {
        heap_clear(&p->heap);
    }
}

static bool tree_is_sound(const struct priority *p)
{
    int64_t there = 0;
    for (int i = 0; i < p->spec.capacity; i++) {
        if (!(p->tree.leaf[i] >= 0.0f) || isinf(p->tree.leaf[i])) {
            return false;
        }
        there += p->tree.leaf[i] > 0.0f;
    }
    return there == p->count[ITEMS];
}

/* Each item at one place, and none larger than what stands above it. place is written. */
static bool heap_is_sound(struct priority *p)
{
    const int n = priority_count(p);
    struct heap *h = &p->heap;
    heap_clear(h);
    for (int i = 0; i < n; i++) {
        if (h->order[i] < 0 || h->order[i] >= p->spec.capacity || h->place[h->order[i]] >= 0 ||
            !(h->key[i] <= h->key[(i - 1) / 2])) {
            return false;
        }
        h->place[h->order[i]] = i;
    }
    return true;
}

bool priority_restored(struct priority *p)
{
    const bool counts = p->count[ITEMS] >= 0 && p->count[ITEMS] <= p->spec.capacity &&
                        p->largest[0] > 0.0 && isfinite(p->largest[0]);
    const bool sound =
        counts && (p->spec.kind == PRIORITY_PROPORTIONAL ? tree_is_sound(p) : heap_is_sound(p));
    if (!sound) {
        p->largest[0] = FIRST_PRIORITY;
        priority_clear(p);
    } else if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        tree_rebuild(&p->tree);
    }
    return sound;
}
