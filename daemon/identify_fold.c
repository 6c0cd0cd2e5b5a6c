#include "daemon/identify_fold.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#define SPEED_MIN 0.02 /* rad/s */

/* False: LAPACK met what is no number. */
static bool fold(struct triangle *t)
{
    const int columns = t->n + 1, rows = columns + FOLD_BLOCK;
    double reflections[IDENTIFY_COLUMNS + 1];
    if (LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, columns, t->a, rows, reflections) != 0) {
        return false;
    }
    for (int j = 0; j < columns; j++) {
        memset(triangle_cell(t, j + 1, j), 0, (size_t)(rows - j - 1) * sizeof *t->a);
    }
    t->filled = 0;
    return true;
}

/* The joint moves, and turns back nowhere that its slopes were taken over: dry friction jumps
 * there.
 */
static bool counts(const struct motion_record *m, int sample, int i)
{
    const double qd = m->qd[sample * m->n + i];
    const int from = sample - m->reach, to = sample + m->reach;
    for (int s = from > 0 ? from : 0; s <= to && s < m->n_samples; s++) {
        if (m->qd[s * m->n + i] * qd <= 0.0) {
            return false;
        }
    }
    return fabs(qd) >= SPEED_MIN;
}

static bool is_finite(const struct triangle *t)
{
    double sum = 0.0;
    for (int j = 0; j <= t->n; j++) {
        for (int i = 0; i <= j; i++) {
            sum += fabs(*triangle_cell(t, i, j));
        }
    }
    return isfinite(sum);
}

bool identify_fold(const struct identify *z, const struct motion_record *m,
                   struct triangle *ret_triangle, struct arena *mem)
{
    struct triangle *t = ret_triangle;
    const size_t n = (size_t)z->n_base + 1;
    const int columns = z->n * CHAIN_PARAMETERS;
    for (int i = 0; i < z->n; i++) {
        t[i] = (struct triangle){.n = z->n_base,
                                 .a = arena_take(mem, (n + FOLD_BLOCK) * n * sizeof *t[i].a)};
    }
    double y[CHAIN_MAX * IDENTIFY_COLUMNS];
    bool good = true;
    for (int s = 0; s < m->n_samples && good; s++) {
        const int at = s * m->n;
        chain_regressor(&z->chain, m->q + at, m->qd + at, m->qdd + at, y);
        for (int i = 0; i < z->n; i++) {
            if (!counts(m, s, i)) {
                continue;
            }
            const int row = z->n_base + 1 + t[i].filled;
            for (int b = 0; b < z->n_base; b++) {
                *triangle_cell(&t[i], row, b) = y[i * columns + z->base[b]];
            }
            *triangle_cell(&t[i], row, z->n_base) = m->tau[at + i];
            t[i].rows++;
            good = (++t[i].filled < FOLD_BLOCK || fold(&t[i])) && good;
        }
    }
    for (int i = 0; i < z->n; i++) {
        good = good && fold(&t[i]) && is_finite(&t[i]);
    }
    return good;
}
