#include "daemon/identify.h"

#include "daemon/base/rng.h"

#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STATES    100   /* at random, for the rank */
#define DEPENDENT 1e-7  /* of a column's length: what is left of it beside those before it */
#define UNSEEN    1e-10 /* a column this short against the longest moves nothing */
#define TERM_MIN  1e-6  /* a term of a sum that is smaller is rounding */

/* Matrices here are column by column: a + j rows is column j. */
static double *column(double *a, int rows, int j)
{
    return a + (size_t)j * (size_t)rows;
}

static double dot(const double *x, const double *y, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        sum += x[i] * y[i];
    }
    return sum;
}

/* --- which columns are independent --- */

/* Y over states at random, [STATES n, 13 n]; seeded: the same set every time. */
static void fill_states(const struct chain *c, double *ret_a)
{
    const int n = c->n, rows = STATES * n, columns = n * CHAIN_PARAMETERS;
    double y[CHAIN_MAX * IDENTIFY_COLUMNS], q[CHAIN_MAX], qd[CHAIN_MAX], qdd[CHAIN_MAX];
    struct rng r;
    rng_seed(&r, 1);
    for (int s = 0; s < STATES; s++) {
        for (int i = 0; i < n; i++) {
            q[i] = rng_between(&r, -3.0, 3.0);
            qd[i] = rng_between(&r, -3.0, 3.0);
            qdd[i] = rng_between(&r, -10.0, 10.0);
        }
        chain_regressor(c, q, qd, qdd, y);
        for (int j = 0; j < columns; j++) {
            for (int i = 0; i < n; i++) {
                column(ret_a, rows, j)[s * n + i] = y[i * columns + j];
            }
        }
    }
}

/* Length of the longest column. */
static double longest_of(double *a, int rows, int columns)
{
    double longest = 0.0;
    for (int j = 0; j < columns; j++) {
        const double *x = column(a, rows, j);
        longest = fmax(longest, sqrt(dot(x, x, rows)));
    }
    return longest;
}

/* x less what the base's columns of a span, which have length 1; what it was in them is added to
 * ret_part, unless NULL. */
static void take_off(const struct identify *z, double *a, int rows, double *x, double *ret_part)
{
    for (int twice = 0; twice < 2; twice++) { /* once is not enough for rounding */
        for (int b = 0; b < z->n_base; b++) {
            const double *y = column(a, rows, z->base[b]);
            const double part = dot(x, y, rows);
            for (int i = 0; i < rows; i++) {
                x[i] -= part * y[i];
            }
            if (ret_part != NULL) {
                ret_part[b] += part;
            }
        }
    }
}

/*
 * Columns from the base to the tip, each less what those before it span (Gram and Schmidt): what is
 * left says whether it is one of the base parameters. The columns of r [13 n,13 n] are what each
 * was in the base's: a = Q r.
 */
static void choose_base(struct identify *z, double *a, int rows, double *r)
{
    const int columns = z->n * CHAIN_PARAMETERS;
    const double longest = longest_of(a, rows, columns);
    for (int j = 0; j < columns; j++) {
        double *x = column(a, rows, j);
        const double whole = sqrt(dot(x, x, rows));
        take_off(z, a, rows, x, column(r, columns, j));
        const double left = sqrt(dot(x, x, rows));
        if (whole <= UNSEEN * longest || left <= DEPENDENT * whole) {
            z->rest[z->n_rest++] = j;
            continue;
        }
        for (int i = 0; i < rows; i++) {
            x[i] /= left;
        }
        column(r, columns, j)[z->n_base] = left;
        z->base[z->n_base++] = j;
    }
}

/* Y_rest = Y_base K, from both in Q's columns: R_base K = R_rest, R_base upper triangular. */
static void find_sums(struct identify *z, double *r)
{
    const int columns = z->n * CHAIN_PARAMETERS;
    for (int k = 0; k < z->n_rest; k++) {
        const double *want = column(r, columns, z->rest[k]);
        for (int i = z->n_base - 1; i >= 0; i--) {
            double sum = want[i];
            for (int b = i + 1; b < z->n_base; b++) {
                sum -= column(r, columns, z->base[b])[i] * z->k[b * z->n_rest + k];
            }
            z->k[i * z->n_rest + k] = sum / column(r, columns, z->base[i])[i];
        }
        for (int i = 0; i < z->n_base; i++) {
            double *term = &z->k[i * z->n_rest + k];
            *term = fabs(*term) < TERM_MIN ? 0.0 : *term;
        }
    }
}

/* The rank of a [rows,columns] by its singular values, its columns scaled to length 1. a is lost.
 */
static int rank_of(double *a, int rows, int columns)
{
    double s[IDENTIFY_COLUMNS];
    const double longest = longest_of(a, rows, columns);
    for (int j = 0; j < columns; j++) {
        double *x = column(a, rows, j);
        const double whole = sqrt(dot(x, x, rows));
        for (int i = 0; i < rows; i++) {
            x[i] = whole > UNSEEN * longest ? x[i] / whole : 0.0;
        }
    }
    double none;
    if (LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', rows, columns, a, rows, s, &none, 1, &none, 1) != 0) {
        return -1;
    }
    int rank = 0;
    while (rank < columns && s[rank] > DEPENDENT * s[0]) {
        rank++;
    }
    return rank;
}

int identify_base(struct identify *ret_identify, const struct robot *robot, struct arena *mem,
                  char *ret_why, int cap)
{
    struct identify *z = ret_identify;
    *z = (struct identify){.robot = robot};
    const int rc = chain_init(&z->chain, robot, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    z->n = z->chain.n;
    const int columns = z->n * CHAIN_PARAMETERS, rows = STATES * z->n;
    const size_t n = (size_t)rows * (size_t)columns;
    double *a = arena_take(mem, n * sizeof *a);
    double *r = arena_take(mem, (size_t)columns * (size_t)columns * sizeof *r);
    fill_states(&z->chain, a);
    const int rank = rank_of(a, rows, columns);
    fill_states(&z->chain, a);
    choose_base(z, a, rows, r);
    if (rank != z->n_base) {
        return why(ret_why, cap, -EDOM,
                   "links: their torques have rank %d by singular values and %d by columns: some "
                   "length is nearly 0; set it to 0",
                   rank, z->n_base);
    }
    z->k = arena_take(mem, (size_t)columns * (size_t)columns * sizeof *z->k);
    find_sums(z, r);
    double p[IDENTIFY_COLUMNS];
    for (int i = 0; i < z->n; i++) {
        memcpy(p + (size_t)i * CHAIN_PARAMETERS, z->chain.link[i].p, sizeof z->chain.link[i].p);
    }
    identify_combine(z, p, z->nominal);
    return 0;
}

void identify_combine(const struct identify *z, const double *p, double *ret_base)
{
    for (int i = 0; i < z->n_base; i++) {
        ret_base[i] = p[z->base[i]];
        for (int k = 0; k < z->n_rest; k++) {
            ret_base[i] += z->k[i * z->n_rest + k] * p[z->rest[k]];
        }
    }
}

bool identify_is_unseen(const struct identify *z, int r)
{
    for (int i = 0; i < z->n_base; i++) {
        if (z->k[i * z->n_rest + r] != 0.0) {
            return false;
        }
    }
    return true;
}

/* --- names --- */

static const struct {
    const char *name, *unit;
} parameters[CHAIN_PARAMETERS] = {
    [CHAIN_M] = {"m", "kg"},
    [CHAIN_HX] = {"m_cx", "kg m"},
    [CHAIN_HY] = {"m_cy", "kg m"},
    [CHAIN_HZ] = {"m_cz", "kg m"},
    [CHAIN_IXX] = {"Ixx", "kg m^2"},
    [CHAIN_IYY] = {"Iyy", "kg m^2"},
    [CHAIN_IZZ] = {"Izz", "kg m^2"},
    [CHAIN_IXY] = {"Ixy", "kg m^2"},
    [CHAIN_IXZ] = {"Ixz", "kg m^2"},
    [CHAIN_IYZ] = {"Iyz", "kg m^2"},
    [CHAIN_ARMATURE] = {"armature", "kg m^2"},
    [CHAIN_VISCOUS] = {"damping", "Nms/rad"},
    [CHAIN_COULOMB] = {"friction", "Nm"},
};

int identify_column_name(const struct identify *z, int column_index, char *ret_name, int cap)
{
    return snprintf(ret_name, (size_t)cap, "%s.%s",
                    z->robot->chain.link[column_index / CHAIN_PARAMETERS].name,
                    parameters[column_index % CHAIN_PARAMETERS].name);
}

const char *identify_unit(int column_index)
{
    return parameters[column_index % CHAIN_PARAMETERS].unit;
}

int identify_name(const struct identify *z, int i, char *ret_name, int cap)
{
    int n = identify_column_name(z, z->base[i], ret_name, cap);
    for (int k = 0; k < z->n_rest && n < cap; k++) {
        const double term = z->k[i * z->n_rest + k];
        char name[NAME_CHARS + 16];
        if (term != 0.0) {
            (void)identify_column_name(z, z->rest[k], name, (int)sizeof name);
            n += snprintf(ret_name + n, (size_t)(cap - n), " %c %.4g %s", term < 0.0 ? '-' : '+',
                          fabs(term), name);
        }
    }
    return n < cap ? n : cap - 1;
}
