#include "policies/priority.h"

#include <math.h>
#include <string.h>

#define FIRST_PRIORITY 1.0

struct priority {
    struct priority_spec spec;
    int n_leaves;     /* proportional: power of two, at least capacity */
    double *value;    /* [capacity] as in priority_view; proportional: the tree's leaves */
    double *sum;      /* [2 n_leaves]: sum[1] the root, children of k are 2k and 2k + 1 */
    int32_t *order;   /* rank: [capacity] items, a heap, largest first */
    int32_t *place;   /* rank: [capacity] of each item in order, -1: not there */
    int *node;        /* [batch]: of a draw, of an update */
    double *left;     /* [batch]: what a draw still looks for */
    double *harmonic; /* rank: [capacity + 1]: sum over ranks 1..k of 1 / rank^alpha */
    double largest[1];
    int64_t count[1];
};

struct priority *priority_init(const struct priority_spec *spec, struct arena *mem)
{
    struct priority *p = arena_take(mem, sizeof *p);
    *p = (struct priority){.spec = *spec, .n_leaves = 1, .largest = {FIRST_PRIORITY}};
    const size_t n = (size_t)spec->capacity;
    while (p->n_leaves < spec->capacity) {
        p->n_leaves *= 2;
    }
    p->node = arena_take(mem, (size_t)spec->batch * sizeof(int));
    p->left = arena_take(mem, (size_t)spec->batch * sizeof(double));
    if (spec->kind == PRIORITY_PROPORTIONAL) {
        p->sum = arena_take(mem, 2 * (size_t)p->n_leaves * sizeof(double));
        p->value = p->sum + p->n_leaves;
        return p;
    }
    p->value = arena_take(mem, n * sizeof(double));
    p->order = arena_take(mem, n * sizeof(int32_t));
    p->place = arena_take(mem, n * sizeof(int32_t));
    p->harmonic = arena_take(mem, (n + 1) * sizeof(double));
    for (int i = 0; i < spec->capacity; i++) {
        p->place[i] = -1;
        p->harmonic[i + 1] = p->harmonic[i] + pow(i + 1.0, -spec->alpha);
    }
    return p;
}

int priority_count(const struct priority *p)
{
    return (int)p->count[0];
}

/* --- proportional: the tree --- */

/* Exact sums of the children on every level: nothing drifts. */
static void tree_set(struct priority *p, int item, double value)
{
    p->count[0] += (value > 0.0) - (p->value[item] > 0.0);
    p->value[item] = value;
    for (int k = (p->n_leaves + item) / 2; k > 0; k /= 2) {
        p->sum[k] = p->sum[2 * k] + p->sum[2 * k + 1];
    }
}

/* All draws go down together, a level at a time: the fetches of a level overlap. */
static void tree_draw(struct priority *p, struct rng *rng, int n, int *ret_item, double *ret_p)
{
    const double total = p->sum[1];
    for (int i = 0; i < n; i++) {
        p->node[i] = 1;
        p->left[i] = (i + rng_uniform(rng)) / n * total;
    }
    for (int level = 1; level < p->n_leaves; level *= 2) {
        for (int i = 0; i < n; i++) {
            const double *child = &p->sum[2 * p->node[i]];
            const bool right = child[1] > 0.0 && p->left[i] >= child[0];
            p->left[i] -= right ? child[0] : 0.0;
            p->node[i] = 2 * p->node[i] + right;
            __builtin_prefetch(&p->sum[2 * p->node[i] % (2 * p->n_leaves)]);
        }
    }
    for (int i = 0; i < n; i++) {
        ret_item[i] = p->node[i] - p->n_leaves;
        ret_p[i] = p->sum[p->node[i]] / total;
    }
}

/* The same bottom up: parents of all, then parents of those. Whoever comes twice is summed twice.
 */
static void tree_update(struct priority *p, const int *item, const float *td, int n)
{
    for (int i = 0; i < n; i++) {
        double *leaf = &p->value[item[i]];
        const float size = fabsf(td[i]) + (float)p->spec.eps;
        if (*leaf > 0.0 && isfinite(size)) {
            *leaf = (double)powf(size, (float)p->spec.alpha);
            p->largest[0] = fmax(p->largest[0], *leaf);
        }
        p->node[i] = p->n_leaves + item[i];
    }
    for (int level = p->n_leaves; level > 1; level /= 2) {
        for (int i = 0; i < n; i++) {
            const int k = p->node[i] / 2;
            p->sum[k] = p->sum[2 * k] + p->sum[2 * k + 1];
            p->node[i] = k;
        }
    }
}

/* --- ranks: the heap --- */

static void put(struct priority *p, int at, int item)
{
    p->order[at] = item;
    p->place[item] = at;
}

static void sift(struct priority *p, int at)
{
    const int item = p->order[at], n = (int)p->count[0];
    const double value = p->value[item];
    while (at > 0 && p->value[p->order[(at - 1) / 2]] < value) {
        put(p, at, p->order[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (int child = 2 * at + 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && p->value[p->order[child + 1]] > p->value[p->order[child]];
        if (p->value[p->order[child]] <= value) {
            break;
        }
        put(p, at, p->order[child]);
        at = child;
    }
    put(p, at, item);
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

/* A rank of 1..n with probability ~ rank^-alpha, without a table: rejection from the area under the
 * curve. Hoermann and Derflinger 1996, "Rejection-inversion to generate variates from monotone
 * discrete distributions". */
static int draw_rank(double alpha, int n, struct rng *rng)
{
    const double low = area(alpha, 1.5) - 1.0, high = area(alpha, n + 0.5);
    for (;;) {
        const double y = low + rng_uniform(rng) * (high - low);
        const double x = fmax(1.0, fmin((double)n, floor(area_inverse(alpha, y) + 0.5)));
        if (y >= area(alpha, x + 0.5) - pow(x, -alpha)) {
            return (int)x;
        }
    }
}

static void heap_draw(struct priority *p, struct rng *rng, int n, int *ret_item, double *ret_p)
{
    const double alpha = p->spec.alpha, all = p->harmonic[p->count[0]];
    for (int i = 0; i < n; i++) {
        const int rank = draw_rank(alpha, (int)p->count[0], rng);
        ret_item[i] = p->order[rank - 1];
        ret_p[i] = (p->harmonic[rank] - p->harmonic[rank - 1]) / all;
    }
}

static void heap_remove(struct priority *p, int item)
{
    const int at = p->place[item];
    if (at < 0) {
        return;
    }
    const int last = p->order[--p->count[0]];
    p->place[item] = -1;
    p->value[item] = 0.0;
    if (last != item) {
        put(p, at, last);
        sift(p, at);
    }
}

static void heap_add(struct priority *p, int item)
{
    p->value[item] = p->largest[0];
    if (p->place[item] < 0) {
        put(p, (int)p->count[0]++, item);
    }
    sift(p, p->place[item]);
}

void priority_sort(struct priority *p)
{
    if (p->spec.kind != PRIORITY_RANK) {
        return;
    }
    /* take the largest out again and again, into the place that it leaves at the end; then turn
     * that around */
    const int64_t n = p->count[0];
    while (p->count[0] > 1) {
        const int first = p->order[0], last = p->order[--p->count[0]];
        put(p, (int)p->count[0], first);
        p->order[0] = last;
        sift(p, 0);
    }
    p->count[0] = n;
    for (int i = 0, j = (int)n - 1; i < j; i++, j--) {
        const int other = p->order[i];
        put(p, i, p->order[j]);
        put(p, j, other);
    }
}

/* --- either --- */

void priority_add(struct priority *p, int item)
{
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        tree_set(p, item, p->largest[0]);
    } else {
        heap_add(p, item);
    }
}

void priority_remove(struct priority *p, int item)
{
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        tree_set(p, item, 0.0);
    } else {
        heap_remove(p, item);
    }
}

bool priority_draw(struct priority *p, struct rng *rng, int n, int *ret_item, double *ret_p)
{
    basal_assert(n <= p->spec.batch);
    if (p->count[0] == 0) {
        return false;
    }
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        tree_draw(p, rng, n, ret_item, ret_p);
    } else {
        heap_draw(p, rng, n, ret_item, ret_p);
    }
    return true;
}

void priority_update(struct priority *p, const int *item, const float *td, int n)
{
    basal_assert(n <= p->spec.batch);
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        tree_update(p, item, td, n);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (p->place[item[i]] >= 0 && isfinite(td[i])) {
            p->value[item[i]] = (double)fabsf(td[i]);
            p->largest[0] = fmax(p->largest[0], p->value[item[i]]);
            sift(p, p->place[item[i]]);
        }
    }
}

void priority_weights(const struct priority *p, const double *prob, double beta, int n,
                      float *ret_w)
{
    double most = 0.0;
    for (int i = 0; i < n; i++) {
        const double w = pow((double)p->count[0] * prob[i], -beta);
        ret_w[i] = (float)w;
        most = fmax(most, w);
    }
    for (int i = 0; i < n; i++) {
        ret_w[i] = (float)((double)ret_w[i] / most);
    }
}

void priority_state(struct priority *p, struct priority_view *ret_view)
{
    *ret_view = (struct priority_view){
        .value = p->value, .largest = p->largest, .order = p->order, .count = p->count};
}

void priority_restored(struct priority *p)
{
    if (p->spec.kind == PRIORITY_PROPORTIONAL) {
        for (int k = p->n_leaves - 1; k > 0; k--) {
            p->sum[k] = p->sum[2 * k] + p->sum[2 * k + 1];
        }
        return;
    }
    for (int i = 0; i < p->spec.capacity; i++) {
        p->place[i] = -1;
    }
    for (int i = 0; i < p->count[0]; i++) {
        p->place[p->order[i]] = i;
    }
}
