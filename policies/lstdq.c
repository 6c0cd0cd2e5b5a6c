#include "policies/lstdq.h"

#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

_Static_assert(sizeof(lapack_int) == sizeof(int), "pivots are ints");

void lstdq_init(struct lstdq *ret_lstdq, int n, struct arena *mem)
{
    struct lstdq *z = ret_lstdq;
    const size_t k = (size_t)n;
    z->n = n;
    z->a = arena_take(mem, k * k * sizeof *z->a);
    z->b = arena_take(mem, k * sizeof *z->b);
    z->pivot = arena_take(mem, k * sizeof *z->pivot);
}

/* A += scale phi(at) phi(by)' */
static void add_product(struct lstdq *z, struct phi at, struct phi by, double scale)
{
    for (int j = 0; j < by.active->n; j++) {
        double *column = z->a + (size_t)(by.from + by.active->index[j]) * (size_t)z->n;
        const double x = scale * by.active->value[j];
        for (int i = 0; i < at.active->n; i++) {
            column[at.from + at.active->index[i]] += x * at.active->value[i];
        }
    }
}

void lstdq_add(struct lstdq *z, struct phi at, struct phi next, double r, double discount, double w)
{
    add_product(z, at, at, w);
    add_product(z, at, next, -w * discount);
    for (int i = 0; i < at.active->n; i++) {
        z->b[at.from + at.active->index[i]] += w * r * at.active->value[i];
    }
}

int lstdq_solve(struct lstdq *z, double ridge, double *w, double *ret_change)
{
    const size_t n = (size_t)z->n;
    for (size_t i = 0; i < n; i++) {
        z->a[i * n + i] += ridge;
    }
    bool sound = LAPACKE_dgesv(LAPACK_COL_MAJOR, z->n, 1, z->a, z->n, z->pivot, z->b, z->n) == 0;
    for (size_t i = 0; i < n; i++) {
        sound = sound && isfinite(z->b[i]);
    }
    for (size_t i = 0; sound && i < n; i++) {
        *ret_change = fmax(i > 0 ? *ret_change : 0.0, fabs(z->b[i] - w[i]));
        w[i] = z->b[i];
    }
    memset(z->a, 0, n * n * sizeof *z->a);
    memset(z->b, 0, n * sizeof *z->b);
    return sound ? 0 : -EDOM;
}
