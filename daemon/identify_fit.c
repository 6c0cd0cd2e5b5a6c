/* The fit of identify.h: base parameters, weights and motor constants among the joints' triangles.
 */
#include "daemon/identify_fold.h"

#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define ROWS_EACH     10 /* of each parameter */
#define ROWS_JOINT    50 /* of each joint: fewer do not tell its noise */
#define CONDITION_MAX 1e5
#define SETTLE        3 /* times that the weights are taken from what the last fit left */
#define TIMES_MAX     100
#define WHOLE_STEPS   5    /* then half ones: what noise hides would go to and fro */
#define STILL         1e-3 /* of a gain's standard error: a step that is none ... */
#define EXACT         1e-9 /* ... as this is */
#define UNKNOWNS      (IDENTIFY_COLUMNS + CHAIN_MAX)

/* Least squares of a small system; all column by column. */
struct fit {
    int rows, n;
    double *a, *y; /* [rows,n], [rows] */
    double *u, *vt, *s;
    double x[UNKNOWNS], error[UNKNOWNS];
};

/* What is known of every joint so far: its torque is gain Y b and noise. */
struct joints {
    const struct triangle *t; /* [n] */
    double gain[CHAIN_MAX], noise[CHAIN_MAX];
    bool fitted[CHAIN_MAX]; /* its gain is */
    int restless;           /* whose gain's last step was the longest by its error; -1: none was */
};

/* R b of joint i, row k. */
static double explained(const struct identify *z, const struct triangle *t, int k)
{
    double sum = 0.0;
    for (int b = k; b < z->n_base; b++) {
        sum += *triangle_cell(t, k, b) * z->value[b];
    }
    return sum;
}

/*
 * min sum_i |(gain_i R_i b' + step_i R_i b - Q'tau) / noise_i|^2 over b' and the steps of the gains
 * that are fitted: Gauss and Newton's for gain_i R_i b.
 */
static void lay_out(const struct identify *z, const struct joints *j, struct fit *f)
{
    const int n = z->n_base;
    f->rows = z->n * n;
    f->n = n;
    for (int i = 0; i < z->n; i++) {
        f->n += j->fitted[i];
    }
    memset(f->a, 0, (size_t)f->rows * (size_t)f->n * sizeof *f->a);
    for (int i = 0, at = n; i < z->n; i++) {
        const struct triangle *t = &j->t[i];
        for (int k = 0; k < n; k++) {
            double *row = f->a + i * n + k;
            for (int b = k; b < n; b++) {
                row[(size_t)b * (size_t)f->rows] =
                    j->gain[i] * *triangle_cell(t, k, b) / j->noise[i];
            }
            if (j->fitted[i]) {
                row[(size_t)at * (size_t)f->rows] = explained(z, t, k) / j->noise[i];
            }
            f->y[i * n + k] = *triangle_cell(t, k, n) / j->noise[i];
        }
        at += j->fitted[i];
    }
}

/*
 * x = V S^-1 U' y by singular values, its covariance V S^-2 V'. Columns are scaled to length 1
 * first. False: LAPACK gave up.
 */
static bool solve(struct fit *f)
{
    const int rows = f->rows, n = f->n;
    double scale[UNKNOWNS];
    for (int j = 0; j < n; j++) {
        double *x = f->a + (size_t)j * (size_t)rows, sum = 0.0;
        for (int i = 0; i < rows; i++) {
            sum += x[i] * x[i];
        }
        scale[j] = sqrt(sum);
        for (int i = 0; i < rows && sum > 0.0; i++) {
            x[i] /= scale[j];
        }
    }
    if (LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', rows, n, f->a, rows, f->s, f->u, rows, f->vt, n) !=
        0) {
        return false;
    }
    memset(f->x, 0, sizeof f->x);
    memset(f->error, 0, sizeof f->error);
    for (int k = 0; k < n && f->s[k] > 0.0; k++) {
        double along = 0.0;
        for (int i = 0; i < rows; i++) {
            along += f->u[(size_t)k * (size_t)rows + (size_t)i] * f->y[i];
        }
        for (int b = 0; b < n; b++) {
            const double part = f->vt[b * n + k] / f->s[k];
            f->x[b] += part * along;
            f->error[b] += part * part;
        }
    }
    for (int b = 0; b < n; b++) {
        f->x[b] /= scale[b];
        f->error[b] = sqrt(f->error[b]) / scale[b];
    }
    return true;
}

/* Each joint's noise by what the fit leaves of its torque, its share of the unknowns taken off. */
static void measure_noise(const struct identify *z, struct joints *j, const struct fit *f)
{
    const int n = z->n_base;
    const double taken = (double)f->n / z->n_rows;
    for (int i = 0; i < z->n; i++) {
        const struct triangle *t = &j->t[i];
        double sum =
            *triangle_cell(t, n, n) * *triangle_cell(t, n, n); /* what no parameter explains */
        for (int k = 0; k < n; k++) {
            const double left = *triangle_cell(t, k, n) - j->gain[i] * explained(z, t, k);
            sum += left * left;
        }
        const double free = t->rows * (1.0 - taken);
        j->noise[i] = free > 0.0 ? fmax(sqrt(sum / free), 1e-12) : 1.0;
    }
}

static int refuse_large(char *ret_why, int cap)
{
    return why(ret_why, cap, -EDOM, "the motion has numbers too large for a fit");
}

/* The motion does not tell this combination: name what has the largest share in it. */
static int refuse_dull(const struct identify *z, const struct fit *f, char *ret_why, int cap)
{
    const int n = f->n;
    int most = 0;
    for (int b = 1; b < n; b++) {
        if (fabs(f->vt[b * n + n - 1]) > fabs(f->vt[most * n + n - 1])) {
            most = b;
        }
    }
    char name[NAME_CHARS + 32] = "the constants of torque by current";
    if (most < z->n_base) {
        (void)identify_column_name(z, z->base[most], name, (int)sizeof name);
    }
    return why(ret_why, cap, -EDOM,
               "the motion does not excite every parameter: it tells least of %s; record a motion "
               "in which all joints turn far and at several speeds at once",
               name);
}

/* This part of the way to another gain of joint i, where `step` is wanted. False: it is negative,
 * by more than three of its standard errors. */
static bool step_gain(struct identify *z, struct joints *j, int i, double step, double error,
                      double part)
{
    const bool good = j->gain[i] + step + 3.0 * error >= 0.0;
    j->gain[i] = fmax(j->gain[i] + part * step, 0.5 * j->gain[i]); /* never 0 nor less */
    z->constant[i] = 1.0 / j->gain[i];
    z->constant_error[i] = error / (j->gain[i] * j->gain[i]);
    return good;
}

/* One step: b, this part of the way to other gains, the noise. */
static int improve(struct identify *z, struct joints *j, struct fit *f, double part, char *ret_why,
                   int cap)
{
    lay_out(z, j, f);
    if (!solve(f)) {
        return refuse_large(ret_why, cap);
    }
    if (!(f->s[f->n - 1] * CONDITION_MAX > f->s[0])) {
        return refuse_dull(z, f, ret_why, cap);
    }
    for (int b = 0; b < f->n; b++) {
        if (!isfinite(f->x[b])) {
            return refuse_large(ret_why, cap);
        }
    }
    int rc = 0;
    double longest = 1.0;
    j->restless = -1;
    memcpy(z->value, f->x, (size_t)z->n_base * sizeof *z->value);
    memcpy(z->error, f->error, (size_t)z->n_base * sizeof *z->error);
    for (int i = 0, at = z->n_base; i < z->n && rc == 0; i++) {
        if (j->fitted[i]) {
            const double by = fabs(f->x[at]) / fmax(EXACT, STILL * f->error[at]);
            j->restless = by > longest ? i : j->restless;
            longest = fmax(longest, by);
            if (!step_gain(z, j, i, f->x[at], f->error[at], part)) {
                rc = why(ret_why, cap, -EDOM,
                         "joint %s: its torques fit the other joints' with no constant above 0: is "
                         "its sign right?",
                         z->robot->chain.link[i].name);
            }
            at++;
        }
    }
    measure_noise(z, j, f);
    return rc;
}

/* Whose torque is the largest: of what others' torques say of its constant, most is known. */
static int strongest(const struct identify *z, const struct triangle *t)
{
    int best = 0;
    double most = -1.0;
    for (int i = 0; i < z->n; i++) {
        double sum = 0.0;
        for (int k = 0; k <= z->n_base; k++) {
            const double part = *triangle_cell(&t[i], k, z->n_base);
            sum += part * part;
        }
        best = sum > most * t[i].rows ? i : best;
        most = sum > most * t[i].rows ? sum / t[i].rows : most;
    }
    return best;
}

/* Until no gain moves. One that does not settle, for the others' torques do not tell it, is given
 * up: it counts as 1, and its error as no number. */
static int find_constants(struct identify *z, struct joints *j, struct fit *f, char *ret_why,
                          int cap)
{
    int rc = 0;
    z->right = strongest(z, j->t);
    for (int i = 0; i < z->n; i++) {
        j->fitted[i] = i != z->right;
    }
    do {
        if (j->restless >= 0) {
            j->fitted[j->restless] = false;
            j->gain[j->restless] = z->constant[j->restless] = 1.0;
            z->constant_error[j->restless] = (double)NAN;
        }
        for (int time = 0; time == 0 || (time < TIMES_MAX && j->restless >= 0 && rc == 0); time++) {
            rc = improve(z, j, f, time < WHOLE_STEPS ? 1.0 : 0.5, ret_why, cap);
        }
    } while (rc == 0 && j->restless >= 0);
    return rc;
}

static void take_memory(const struct identify *z, struct fit *f, struct arena *mem)
{
    const size_t n = (size_t)z->n_base, links = (size_t)z->n, unknowns = n + links,
                 rows = links * n;
    f->a = arena_take(mem, rows * unknowns * sizeof *f->a);
    f->u = arena_take(mem, rows * unknowns * sizeof *f->u);
    f->vt = arena_take(mem, unknowns * unknowns * sizeof *f->vt);
    f->y = arena_take(mem, rows * sizeof *f->y);
    f->s = arena_take(mem, unknowns * sizeof *f->s);
}

int identify_fit(struct identify *z, const struct motion_record *m, bool constants,
                 struct arena *mem, char *ret_why, int cap)
{
    struct triangle t[CHAIN_MAX];
    struct fit f;
    struct joints j = {.t = t, .restless = -1};
    const int wanted = ROWS_EACH * (z->n_base + (constants ? z->n - 1 : 0));
    int rc = 0;
    basal_assert(m->n == z->n);
    take_memory(z, &f, mem);
    if (!identify_fold(z, m, t, mem)) {
        return refuse_large(ret_why, cap);
    }
    z->right = -1;
    z->n_rows = 0;
    for (int i = 0; i < z->n; i++) {
        z->n_rows += t[i].rows;
        z->constant[i] = j.gain[i] = j.noise[i] = 1.0;
        z->constant_error[i] = 0.0;
    }
    if (z->n_rows < wanted) {
        return why(ret_why, cap, -EINVAL,
                   "%d torques of joints that move are too few for %d parameters: %d are wanted",
                   z->n_rows, wanted / ROWS_EACH, wanted);
    }
    for (int i = 0; i < z->n; i++) {
        if (t[i].rows > 0 && t[i].rows < ROWS_JOINT) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: %d torques while it moves are too few: %d are wanted",
                       z->robot->chain.link[i].name, t[i].rows, ROWS_JOINT);
        }
    }
    for (int time = 0; time < SETTLE && rc == 0; time++) {
        rc = improve(z, &j, &f, 1.0, ret_why, cap);
    }
    if (constants && rc == 0) {
        rc = find_constants(z, &j, &f, ret_why, cap);
    }
    memcpy(z->rms_nm, j.noise, sizeof z->rms_nm);
    z->condition = rc == 0 ? f.s[0] / f.s[f.n - 1] : 0.0;
    return rc;
}
