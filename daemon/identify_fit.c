/* The fit of identify.h, of as many torques as there are: only a triangle of them is kept. */
#include "daemon/identify.h"

#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define SPEED_MIN     0.02 /* rad/s */
#define ROWS_EACH     10
#define CONDITION_MAX 1e5
#define BLOCK         512 /* rows that are folded at once */

/* --- the rows of Y that count, one after the other --- */

struct rows {
    const struct identify *z;
    const struct motion_record *m;
    int sample, joint; /* of the next, if it counts */
    double y[CHAIN_MAX * IDENTIFY_COLUMNS];
};

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

static int count_rows(const struct motion_record *m)
{
    int rows = 0;
    for (int s = 0; s < m->n_samples; s++) {
        for (int i = 0; i < m->n; i++) {
            rows += counts(m, s, i) ? 1 : 0;
        }
    }
    return rows;
}

/* ret_row [n_base + 1]: base columns of Y, then the torque. Returns the joint whose torque it is,
 * -1: no more. */
static int next_row(struct rows *r, double *ret_row)
{
    const struct identify *z = r->z;
    const struct motion_record *m = r->m;
    for (; r->sample < m->n_samples; r->sample++, r->joint = 0) {
        const int at = r->sample * m->n;
        if (r->joint == 0) {
            chain_regressor(&z->chain, m->q + at, m->qd + at, m->qdd + at, r->y);
        }
        while (r->joint < z->n) {
            const int i = r->joint++;
            if (counts(m, r->sample, i)) {
                for (int b = 0; b < z->n_base; b++) {
                    ret_row[b] = r->y[i * z->n * CHAIN_PARAMETERS + z->base[b]];
                }
                ret_row[z->n_base] = m->tau[at + i];
                return i;
            }
        }
    }
    return -1;
}

/* --- the triangle --- */

/*
 * W (Y tau) = Q R: R [n + 1,n + 1] says all that least squares asks of the rows, and they can come
 * block after block, each folded into it by Householder's reflections. Golub and Van Loan 2013, 5.3
 * and 6.5; Demmel, Grigori, Hoemmen and Langou 2012 (sequential TSQR).
 */
struct triangle {
    int n, filled; /* parameters; rows of the block that are new */
    double *a;     /* [n + 1 + BLOCK,n + 1], column by column: R, then the block */
    double *work;  /* [n + 1] */
};

static double *cell(struct triangle *t, int row, int at)
{
    return t->a + (size_t)at * (size_t)(t->n + 1 + BLOCK) + row;
}

/* False: LAPACK met what is no number. */
static bool fold(struct triangle *t)
{
    const int columns = t->n + 1, rows = columns + BLOCK;
    if (LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, columns, t->a, rows, t->work) != 0) {
        return false;
    }
    for (int j = 0; j < columns; j++) {
        memset(cell(t, j + 1, j), 0, (size_t)(rows - j - 1) * sizeof *t->a);
    }
    t->filled = 0;
    return true;
}

/* R of all rows, each over the noise of its joint. */
static bool fold_all(struct triangle *t, const struct identify *z, const struct motion_record *m,
                     const double *noise)
{
    struct rows r = {.z = z, .m = m};
    double row[IDENTIFY_COLUMNS + 1];
    bool good = true;
    t->filled = 0;
    memset(t->a, 0, (size_t)(t->n + 1 + BLOCK) * (size_t)(t->n + 1) * sizeof *t->a);
    for (int i = next_row(&r, row); i >= 0 && good; i = next_row(&r, row)) {
        for (int j = 0; j <= t->n; j++) {
            *cell(t, t->n + 1 + t->filled, j) = row[j] / noise[i];
        }
        good = ++t->filled < BLOCK || fold(t);
    }
    return good && fold(t);
}

/* --- the parameters --- */

struct values {
    double *u, *vt, *s; /* of R, its columns scaled to length 1: [n,n] column by column, [n] */
};

/*
 * min |R b - Q'W tau| by singular values: b = V S^-1 U' Q'W tau, its covariance V S^-2 V'. Columns
 * are scaled to length 1 first. False: LAPACK gave up.
 */
static bool solve(struct triangle *t, struct values *v, double *ret_b, double *ret_error)
{
    const int n = t->n;
    double scale[IDENTIFY_COLUMNS];
    for (int j = 0; j < n; j++) {
        double sum = 0.0;
        for (int i = 0; i <= j; i++) {
            sum += *cell(t, i, j) * *cell(t, i, j);
        }
        scale[j] = sqrt(sum);
        for (int i = 0; i <= j && scale[j] > 0.0; i++) {
            *cell(t, i, j) /= scale[j];
        }
    }
    if (LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'A', n, n, t->a, n + 1 + BLOCK, v->s, v->u, n, v->vt, n) !=
        0) {
        return false;
    }
    memset(ret_b, 0, (size_t)n * sizeof *ret_b);
    memset(ret_error, 0, (size_t)n * sizeof *ret_error);
    for (int k = 0; k < n && v->s[k] > 0.0; k++) {
        double along = 0.0;
        for (int i = 0; i < n; i++) {
            along += v->u[k * n + i] * *cell(t, i, n);
        }
        for (int b = 0; b < n; b++) {
            const double part = v->vt[b * n + k] / v->s[k];
            ret_b[b] += part * along;
            ret_error[b] += part * part;
        }
    }
    for (int b = 0; b < n; b++) {
        ret_b[b] /= scale[b];
        ret_error[b] = sqrt(ret_error[b]) / scale[b];
    }
    return true;
}

/* Each joint's noise by what the fit leaves of its torque, its share of the parameters taken off.
 */
static void measure_noise(const struct identify *z, const struct motion_record *m, int n_rows,
                          double *ret_noise)
{
    struct rows r = {.z = z, .m = m};
    double row[IDENTIFY_COLUMNS + 1], sum[CHAIN_MAX] = {0.0};
    int count[CHAIN_MAX] = {0};
    for (int i = next_row(&r, row); i >= 0; i = next_row(&r, row)) {
        double left = row[z->n_base];
        for (int b = 0; b < z->n_base; b++) {
            left -= row[b] * z->value[b];
        }
        sum[i] += left * left;
        count[i]++;
    }
    const double taken = (double)z->n_base / n_rows;
    for (int i = 0; i < z->n; i++) {
        const double free = count[i] * (1.0 - taken);
        ret_noise[i] = free > 0.0 ? fmax(sqrt(sum[i] / free), 1e-12) : 1.0;
    }
}

/* The motion does not tell this combination: name what has the largest share in it. */
static int refuse_dull(const struct identify *z, const struct values *v, char *ret_why, int cap)
{
    const int n = z->n_base;
    int most = 0;
    for (int b = 1; b < n; b++) {
        if (fabs(v->vt[b * n + n - 1]) > fabs(v->vt[most * n + n - 1])) {
            most = b;
        }
    }
    char name[NAME_CHARS + 16];
    (void)identify_column_name(z, z->base[most], name, (int)sizeof name);
    return why(ret_why, cap, -EDOM,
               "the motion does not excite every parameter: it tells least of %s; record a motion "
               "in which all joints turn far and at several speeds at once",
               name);
}

int identify_fit(struct identify *z, const struct motion_record *m, struct arena *mem,
                 char *ret_why, int cap)
{
    const int n = z->n_base, rows = count_rows(m);
    const size_t square = (size_t)n * (size_t)n * sizeof(double);
    double noise[CHAIN_MAX];
    basal_assert(m->n == z->n);
    if (rows < ROWS_EACH * n) {
        return why(ret_why, cap, -EINVAL,
                   "%d torques of joints that move are too few for %d parameters: %d are wanted",
                   rows, n, ROWS_EACH * n);
    }
    struct triangle t = {
        .n = n,
        .a = arena_take(mem, (size_t)(n + 1 + BLOCK) * (size_t)(n + 1) * sizeof(double)),
        .work = arena_take(mem, (size_t)(n + 1) * sizeof(double))};
    struct values v = {.u = arena_take(mem, square),
                       .vt = arena_take(mem, square),
                       .s = arena_take(mem, (size_t)n * sizeof(double))};
    for (int i = 0; i < z->n; i++) {
        noise[i] = 1.0;
    }
    for (int pass = 0; pass < 3; pass++) { /* the weights settle */
        if (!fold_all(&t, z, m, noise) || !solve(&t, &v, z->value, z->error)) {
            return why(ret_why, cap, -EDOM, "LAPACK found no singular values of the motion");
        }
        if (!(v.s[n - 1] * CONDITION_MAX > v.s[0])) {
            return refuse_dull(z, &v, ret_why, cap);
        }
        measure_noise(z, m, rows, noise);
    }
    memcpy(z->rms_nm, noise, sizeof z->rms_nm);
    z->condition = v.s[0] / v.s[n - 1];
    z->n_rows = rows;
    return 0;
}
