/*
 * A sum tree: items drawn with a probability in proportion to their leaf. A node is one cache line
 * of children (16 leaves, above them 8 sums), so that a draw from a million waits for memory twice
 * and not twelve times. Many items go down and up together, a level at a time: their fetches
 * overlap.
 */
#pragma once

#include "daemon/base/arena.h"
#include "daemon/base/rng.h"

#include <stdint.h>

#define TREE_LEVELS_MAX 11 /* 16 8^10: more than an int counts */

struct tree {
    int n_levels;                 /* of sums */
    int n[TREE_LEVELS_MAX];       /* sums on each level; the last one has one, the whole */
    double *sum[TREE_LEVELS_MAX]; /* sum[0]: of 16 leaves each; sum[k]: of 8 of sum[k - 1] */
    float *leaf;                  /* 0: not there */
    int *node;                    /* [batch] of a draw, of an update */
    double *left;                 /* [batch] what a draw still looks for */
};

/* Items 0..capacity-1, at most batch of them at once. */
void tree_init(struct tree *ret_tree, int capacity, int batch, struct arena *mem);
size_t tree_bytes(int capacity);

/*
 * Draw n items with replacement, stratified: the i-th from the i-th n-th of the whole. ret_item
 * [n], ret_p [n] = leaf / sum of leaves. There must be a leaf that is not 0; one that is 0 is never
 * drawn.
 */
void tree_draw(const struct tree *t, struct rng *rng, int n, int *ret_item, double *ret_p);

/* The leaves of item [n] were written: the sums above them. Each is a sum of its children as they
 * are, so that nothing drifts. */
void tree_follow(struct tree *t, const int *item, int n);
/* The same for all leaves. */
void tree_rebuild(struct tree *t);
