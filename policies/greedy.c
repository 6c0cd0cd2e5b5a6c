#include "policies/greedy.h"

#include <math.h>

uint64_t greedy_legal(int n, uint64_t legal)
{
    const uint64_t all = n >= 64 ? LEGAL_ALL : (UINT64_C(1) << n) - 1;
    return (legal & all) != 0 ? legal & all : all;
}

int greedy_choice(const float *q, int n, uint64_t legal, struct rng *rng)
{
    const uint64_t may = greedy_legal(n, legal);
    int best = -1, ties = 0;
    for (int a = 0; a < n; a++) {
        if ((may >> a & 1) == 0 || (best >= 0 && !(q[a] >= q[best] || isnan(q[best])))) {
            continue;
        }
        ties = best >= 0 && !(q[a] == q[best]) ? 1 : ties + 1; /* the first one begins with 1 */
        if (ties == 1 || rng_below(rng, (uint64_t)ties) == 0) {
            best = a;
        }
    }
    return best;
}

float greedy_max(const float *q, int n, uint64_t legal)
{
    const uint64_t may = greedy_legal(n, legal);
    float best = -INFINITY;
    for (int a = 0; a < n; a++) {
        best = (may >> a & 1) != 0 && q[a] > best ? q[a] : best;
    }
    return best;
}

int greedy_random(int n, uint64_t legal, struct rng *rng)
{
    const uint64_t may = greedy_legal(n, legal);
    int k = (int)rng_below(rng, (uint64_t)__builtin_popcountll(may));
    for (int a = 0; a < n; a++) {
        if ((may >> a & 1) != 0 && k-- == 0) {
            return a;
        }
    }
    return 0; /* not reached: k was below their number */
}

double epsilon_at(const struct epsilon_settings *e, int64_t step)
{
    if (step >= e->steps) {
        return e->final;
    }
    return e->initial + (e->final - e->initial) * (double)step / (double)e->steps;
}
