#include "policies/priority_tree.h"

#define LEAVES 16 /* of a node; a cache line of floats */
#define SUMS   8  /* a cache line of doubles */

static int nodes_for(int n, int width)
{
    return (n + width - 1) / width;
}

void tree_init(struct tree *ret_tree, int capacity, int batch, struct arena *mem)
{
    struct tree *t = ret_tree;
    *t = (struct tree){0};
    int n = nodes_for(capacity, LEAVES);
    t->leaf = arena_take(mem, (size_t)n * LEAVES * sizeof(float));
    for (;;) {
        basal_assert(t->n_levels < TREE_LEVELS_MAX);
        t->n[t->n_levels] = n;
        t->sum[t->n_levels++] = arena_take(mem, (size_t)nodes_for(n, SUMS) * SUMS * sizeof(double));
        if (n == 1) {
            break;
        }
        n = nodes_for(n, SUMS);
    }
    t->node = arena_take(mem, (size_t)batch * sizeof(int));
    t->left = arena_take(mem, (size_t)batch * sizeof(double));
}

size_t tree_bytes(int capacity)
{
    return (size_t)capacity * (sizeof(float) + sizeof(double) / LEAVES * 2);
}

/*
 * Where left falls among the children that lie end to end; *left becomes what remains in that
 * child. Rounding may leave it past them all: then it is the last that is not empty.
 */
static int child_of(const double *v, int n, double *left)
{
    const double x = *left;
    double sum = 0.0, below = 0.0;
    int at = 0;
    for (int c = 0; c < n; c++) {
        sum += v[c];
        at += x >= sum;
        below = x >= sum ? sum : below;
    }
    *left = x - below;
    if (at == n) {
        do {
            at--;
        } while (at > 0 && !(v[at] > 0.0));
        *left = 0.0;
    }
    return at;
}

static int leaf_of(const float *v, double *left)
{
    double wide[LEAVES];
    for (int c = 0; c < LEAVES; c++) {
        wide[c] = (double)v[c];
    }
    return child_of(wide, LEAVES, left);
}

void tree_draw(const struct tree *t, struct rng *rng, int n, int *ret_item, double *ret_p)
{
    const double total = t->sum[t->n_levels - 1][0];
    for (int i = 0; i < n; i++) {
        t->node[i] = 0;
        t->left[i] = (i + rng_uniform(rng)) / n * total;
    }
    for (int k = t->n_levels - 2; k >= 0; k--) {
        for (int i = 0; i < n; i++) {
            const int first = SUMS * t->node[i];
            t->node[i] = first + child_of(t->sum[k] + first, SUMS, &t->left[i]);
            __builtin_prefetch(
                k > 0 ? (const void *)(t->sum[k - 1] + (size_t)SUMS * (size_t)t->node[i])
                      : t->leaf + (size_t)LEAVES * (size_t)t->node[i]);
        }
    }
    for (int i = 0; i < n; i++) {
        const float *leaves = t->leaf + (size_t)LEAVES * (size_t)t->node[i];
        const int c = leaf_of(leaves, &t->left[i]);
        ret_item[i] = LEAVES * t->node[i] + c;
        ret_p[i] = (double)leaves[c] / total;
    }
}

/* In pairs: the order is always the same, and short. */
static double sum8(const double *v)
{
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

static double node_sum(const struct tree *t, int level, int node)
{
    if (level > 0) {
        return sum8(t->sum[level - 1] + (size_t)SUMS * (size_t)node);
    }
    const float *leaf = t->leaf + (size_t)LEAVES * (size_t)node;
    double wide[LEAVES];
    for (int c = 0; c < LEAVES; c++) {
        wide[c] = (double)leaf[c];
    }
    return sum8(wide) + sum8(wide + SUMS);
}

void tree_follow(struct tree *t, const int *item, int n)
{
    for (int i = 0; i < n; i++) {
        t->node[i] = item[i] / LEAVES;
    }
    for (int k = 0; k < t->n_levels; k++) {
        const bool all = t->n[k] <= n;
        for (int i = 0; i < (all ? t->n[k] : n); i++) {
            const int node = all ? i : t->node[i];
            t->sum[k][node] = node_sum(t, k, node);
            t->node[i] = node / SUMS;
        }
    }
}

void tree_rebuild(struct tree *t)
{
    for (int k = 0; k < t->n_levels; k++) {
        for (int node = 0; node < t->n[k]; node++) {
            t->sum[k][node] = node_sum(t, k, node);
        }
    }
}
