/*
 * Ranks: items in a binary heap, the largest first, whose order is nearly the rank; the k-th place
 * is drawn with a probability in proportion to k^-alpha. Schaul et al. 2016, arXiv:1511.05952,
 * section 3.3 and appendix B.2.1.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"

#include <stdint.h>

struct heap {
    int capacity;
    double alpha;
    float *key;       /* [capacity] by place */
    int32_t *order;   /* [capacity] the item at each place */
    int32_t *place;   /* [capacity] of each item, -1: not there */
    double *harmonic; /* [capacity + 1] sum over ranks 1..k of rank^-alpha */
    int *rank;        /* [batch] of a draw */
};

void heap_init(struct heap *ret_heap, int capacity, int batch, double alpha, struct arena *mem);
size_t heap_bytes(int capacity);

/* n: items in the heap. The new key of an item that is there; a new item; without an item. */
void heap_change(struct heap *h, int n, int item, float key);
void heap_add(struct heap *h, int n, int item, float key);
void heap_remove(struct heap *h, int n, int item);

/* These items [n] will change soon. */
void heap_fetch(const struct heap *h, const int *item, int n);

/* As tree_draw: the i-th rank from the i-th of count parts of equal probability. */
void heap_draw(const struct heap *h, int n, struct rng *rng, int count, int *ret_item,
               double *ret_p);

/* Sort, so that the order is the rank. */
void heap_sort(struct heap *h, int n);
/* No item is in it. */
void heap_clear(struct heap *h);
