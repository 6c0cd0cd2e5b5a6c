#include "policies/priority_heap.h"

#include <math.h>

void heap_init(struct heap *ret_heap, int capacity, int batch, double alpha, struct arena *mem)
{
    struct heap *h = ret_heap;
    const size_t n = (size_t)capacity;
    *h = (struct heap){.capacity = capacity, .alpha = alpha};
    h->key = arena_take(mem, n * sizeof(float));
    h->order = arena_take(mem, n * sizeof(int32_t));
    h->place = arena_take(mem, n * sizeof(int32_t));
    h->harmonic = arena_take(mem, (n + 1) * sizeof(double));
    h->rank = arena_take(mem, (size_t)batch * sizeof(int));
    for (int i = 0; i < capacity; i++) {
        h->place[i] = -1;
        h->harmonic[i + 1] = h->harmonic[i] + pow(i + 1.0, -alpha);
    }
}

size_t heap_bytes(int capacity)
{
    return (size_t)capacity * (sizeof(float) + 2 * sizeof(int32_t) + sizeof(double));
}

static void put(struct heap *h, int at, int item, float key)
{
    h->order[at] = item;
    h->key[at] = key;
    h->place[item] = at;
}

/* item with its key goes from at, which is free, to where it belongs. */
static void sift(struct heap *h, int n, int at, int item, float key)
{
    while (at > 0 && h->key[(at - 1) / 2] < key) {
        const int up = (at - 1) / 2;
        put(h, at, h->order[up], h->key[up]);
        at = up;
    }
    for (int child = 2 * at + 1; child < n; child = 2 * at + 1) {
        /* a branch, not a sum: the processor guesses on while memory is slow */
        if (child + 1 < n && __builtin_expect(h->key[child + 1] > h->key[child], 1)) {
            child++;
        }
        if (h->key[child] <= key) {
            break;
        }
        put(h, at, h->order[child], h->key[child]);
        at = child;
    }
    put(h, at, item, key);
}

void heap_change(struct heap *h, int n, int item, float key)
{
    sift(h, n, h->place[item], item, key);
}

void heap_add(struct heap *h, int n, int item, float key)
{
    sift(h, n + 1, n, item, key);
}

void heap_remove(struct heap *h, int n, int item)
{
    const int at = h->place[item];
    const int last = h->order[n - 1];
    h->place[item] = -1;
    if (last != item) {
        sift(h, n - 1, at, last, h->key[n - 1]);
    }
}

void heap_fetch(const struct heap *h, const int *item, int n)
{
    for (int i = 0; i < n; i++) {
        __builtin_prefetch(&h->place[item[i]]);
    }
    for (int i = 0; i < n; i++) {
        const int at = h->place[item[i]], up = (at - 1) / 2, down = 2 * at + 1;
        if (at >= 0) {
            __builtin_prefetch(&h->key[at]);
            __builtin_prefetch(&h->key[up]);
            __builtin_prefetch(&h->key[down < h->capacity ? down : at]);
            __builtin_prefetch(&h->order[at]);
        }
    }
}

/* integral of x^-alpha from 1 to x, and its inverse */
static double area(double alpha, double x)
{
    return fabs(alpha - 1.0) < 1e-9 ? log(x) : (pow(x, 1.0 - alpha) - 1.0) / (1.0 - alpha);
}

static double area_inverse(double alpha, double y)
{
    return fabs(alpha - 1.0) < 1e-9 ? exp(y) : pow(1.0 + y * (1.0 - alpha), 1.0 / (1.0 - alpha));
}

/*
 * The rank of 1..n with harmonic[rank - 1] <= y < harmonic[rank]. By the midpoint rule harmonic[k]
 * is the area up to k + 1/2 less a constant: that guess is one or two off at the smallest ranks,
 * and right at the others.
 */
static int guess_rank(double alpha, int n, double y_and_constant)
{
    const double x = area_inverse(alpha, fmax(y_and_constant, 0.0)) + 0.5;
    return x < 1.0 ? 1 : x > n ? n : (int)x;
}

static int exact_rank(const struct heap *h, int n, double y, int rank)
{
    while (rank > 1 && h->harmonic[rank - 1] > y) {
        rank--;
    }
    while (rank < n && h->harmonic[rank] <= y) {
        rank++;
    }
    return rank;
}

void heap_draw(const struct heap *h, int n, struct rng *rng, int count, int *ret_item,
               double *ret_p)
{
    const double all = h->harmonic[n], constant = area(h->alpha, n + 0.5) - all;
    for (int i = 0; i < count; i++) {
        ret_p[i] = (i + rng_uniform(rng)) / count * all;
        h->rank[i] = guess_rank(h->alpha, n, ret_p[i] + constant);
        __builtin_prefetch(&h->harmonic[h->rank[i]]);
        __builtin_prefetch(&h->order[h->rank[i] - 1]);
    }
    for (int i = 0; i < count; i++) {
        const int rank = exact_rank(h, n, ret_p[i], h->rank[i]);
        ret_item[i] = h->order[rank - 1];
        ret_p[i] = (h->harmonic[rank] - h->harmonic[rank - 1]) / all;
    }
}

void heap_sort(struct heap *h, int n)
{
    /* take the largest out again and again, into the place that it leaves at the end; then turn
     * that around */
    for (int left = n - 1; left > 0; left--) {
        const int first = h->order[0], last = h->order[left];
        const float key = h->key[0], last_key = h->key[left];
        put(h, left, first, key);
        sift(h, left, 0, last, last_key);
    }
    for (int i = 0, j = n - 1; i < j; i++, j--) {
        const int item = h->order[i];
        const float key = h->key[i];
        put(h, i, h->order[j], h->key[j]);
        put(h, j, item, key);
    }
}

void heap_clear(struct heap *h)
{
    for (int i = 0; i < h->capacity; i++) {
        h->place[i] = -1;
    }
}
