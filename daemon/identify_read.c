/* Recordings of a motion: text to angles, their slopes, torques. */
#include "daemon/identify.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HALF_WINDOW_S 0.03
#define UNEVEN        0.05 /* of a step */
#define GAP           1.5  /* steps: what is longer parts two runs */
#define SAMPLES_MAX   200000
#define COLUMNS_MAX   256

struct table {
    double *t, *q, *tau; /* s; [n_samples, n] */
    int n_samples, n;
    int column[2 * CHAIN_MAX + 1]; /* of the file: t, then q and tau of each link */
};

/* The next cell of a line; NULL: no more. Cuts the line. */
static char *next_cell(char **line)
{
    char *cell = strsep(line, ",");
    if (cell != NULL) {
        cell += strspn(cell, " \t");
        cell[strcspn(cell, " \t\r\n")] = '\0';
    }
    return cell;
}

static int read_names(struct table *t, char *line, const char *path, const struct robot *robot,
                      char *ret_why, int cap)
{
    const int wanted = 2 * t->n + 1;
    char name[2 * CHAIN_MAX + 1][NAME_CHARS + 16];
    (void)snprintf(name[0], sizeof name[0], "t_s");
    for (int i = 0; i < t->n; i++) {
        (void)snprintf(name[1 + i], sizeof name[0], "q_rad.%s", robot->chain.link[i].name);
        (void)snprintf(name[1 + t->n + i], sizeof name[0], "tau_nm.%s", robot->chain.link[i].name);
    }
    for (int k = 0; k < wanted; k++) {
        t->column[k] = -1;
    }
    int at = 0;
    for (char *cell = next_cell(&line); cell != NULL; cell = next_cell(&line), at++) {
        for (int k = 0; k < wanted; k++) {
            t->column[k] = strcmp(cell, name[k]) == 0 ? at : t->column[k];
        }
    }
    for (int k = 0; k < wanted; k++) {
        if (t->column[k] < 0 || t->column[k] >= COLUMNS_MAX) {
            return why(ret_why, cap, -EINVAL, "%s:1: there is no column %s", path, name[k]);
        }
    }
    return 0;
}

static int read_line(struct table *t, char *line, const char *path, char *ret_why, int cap)
{
    double cell[COLUMNS_MAX] = {0.0};
    int n = 0;
    for (char *text = next_cell(&line); text != NULL && n < COLUMNS_MAX; text = next_cell(&line)) {
        char *end = text;
        cell[n] = strtod(text, &end);
        cell[n] = *text == '\0' || *end != '\0' ? (double)NAN : cell[n];
        n++;
    }
    const int s = t->n_samples, wanted = 2 * t->n + 1;
    for (int k = 0; k < wanted; k++) {
        if (t->column[k] >= n || !isfinite(cell[t->column[k]])) {
            return why(ret_why, cap, -EINVAL, "%s:%d: column %d is no finite number", path, s + 2,
                       t->column[k] + 1);
        }
    }
    t->t[s] = cell[t->column[0]];
    for (int i = 0; i < t->n; i++) {
        t->q[s * t->n + i] = cell[t->column[1 + i]];
        t->tau[s * t->n + i] = cell[t->column[1 + t->n + i]];
    }
    t->n_samples++;
    return 0;
}

static int read_all(struct table *t, FILE *f, const char *path, const struct robot *robot,
                    char *ret_why, int cap)
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    for (int at = 0; rc == 0 && getline(&line, &size, f) > 0; at++) {
        if (at == 0) {
            rc = read_names(t, line, path, robot, ret_why, cap);
        } else if (t->n_samples == SAMPLES_MAX) {
            rc = why(ret_why, cap, -EFBIG, "%s: more than %d samples", path, SAMPLES_MAX);
        } else {
            rc = read_line(t, line, path, ret_why, cap);
        }
    }
    free(line);
    return rc;
}

/* Where the run of even steps ends that begins at sample `from`: the first sample behind it. */
static int end_of_run(const struct table *t, int from, double step_s)
{
    int s = from + 1;
    while (s < t->n_samples && t->t[s] - t->t[s - 1] < GAP * step_s) {
        s++;
    }
    return s;
}

/* The smallest step of time, or 0: it does not go on everywhere. */
static double least_step(const struct table *t)
{
    double least_s = t->n_samples > 1 ? (double)INFINITY : 0.0;
    for (int s = 1; s < t->n_samples; s++) {
        least_s = fmin(least_s, t->t[s] - t->t[s - 1]);
    }
    return fmax(0.0, least_s);
}

/* Sample s is where even steps would have it: so many of them behind its run's first sample, which
 * is a whole number of them behind the run before. */
static bool is_even(const struct table *t, int s, int from, double dt_s)
{
    const double behind = (t->t[s] - t->t[from]) / dt_s;
    const double gap = s == from && s > 0 ? (t->t[s] - t->t[s - 1]) / dt_s : 0.0;
    return fabs(behind - (s - from)) <= UNEVEN && fabs(gap - round(gap)) <= UNEVEN;
}

/* The step of time, that of all runs on average, or -EINVAL. */
static int step_of(const struct table *t, const char *path, double *ret_dt_s, char *ret_why,
                   int cap)
{
    const double least_s = least_step(t);
    if (!(least_s > 0.0)) {
        return why(ret_why, cap, -EINVAL, "%s: its time does not go on", path);
    }
    double whole_s = 0.0;
    int steps = 0;
    for (int from = 0, to; from < t->n_samples; from = to) {
        to = end_of_run(t, from, least_s);
        whole_s += t->t[to - 1] - t->t[from];
        steps += to - 1 - from;
    }
    const double dt_s = whole_s / steps;
    for (int from = 0, to; from < t->n_samples; from = to) {
        to = end_of_run(t, from, least_s);
        for (int s = from; s < to; s++) {
            if (!is_even(t, s, from, dt_s)) {
                return why(ret_why, cap, -EINVAL,
                           "%s:%d: the samples are not %.6g s apart, nor a whole number of that; "
                           "even steps are wanted",
                           path, s + 2, dt_s);
            }
        }
    }
    *ret_dt_s = dt_s;
    return 0;
}

/*
 * Over k = -w .. w, with S_m = sum k^m:
 *   value (S4 - S2 k^2) / (N S4 - S2^2),  curvature 2 (N k^2 - S2) / (N S4 - S2^2)   second degree
 *   slope (S6 k - S4 k^3) / (S2 S6 - S4^2)                                           third degree
 */
void identify_slopes(const double *q, int n_samples, int w, double dt_s, struct motion_record *ret)
{
    const int n = ret->n;
    const double count = 2.0 * w + 1.0;
    double s2 = 0.0, s4 = 0.0, s6 = 0.0;
    for (int k = -w; k <= w; k++) {
        const double k2 = (double)k * k;
        s2 += k2;
        s4 += k2 * k2;
        s6 += k2 * k2 * k2;
    }
    const double even = count * s4 - s2 * s2, odd = s2 * s6 - s4 * s4;
    for (int s = w; s < n_samples - w; s++) {
        for (int i = 0; i < n; i++) {
            double value = 0.0, slope = 0.0, curve = 0.0;
            for (int k = -w; k <= w; k++) {
                const double x = q[(s + k) * n + i], k1 = k, k2 = k1 * k1;
                value += (s4 - s2 * k2) / even * x;
                slope += (s6 * k1 - s4 * k2 * k1) / odd * x;
                curve += 2.0 * (count * k2 - s2) / even * x;
            }
            const int to = (s - w) * n + i;
            ret->q[to] = value;
            ret->qd[to] = slope / dt_s;
            ret->qdd[to] = curve / (dt_s * dt_s);
        }
    }
}

static int slopes_of(const struct table *t, const char *path, struct motion_record *ret,
                     struct arena *mem, char *ret_why, int cap)
{
    double dt_s = 0.0;
    const int rc = step_of(t, path, &dt_s, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if (HALF_WINDOW_S / dt_s > 0.5 * SAMPLES_MAX) {
        return why(ret_why, cap, -EINVAL,
                   "%s: its samples are %.3g s apart, too near for a slope over %g s: t_s is in "
                   "seconds",
                   path, dt_s, 2.0 * HALF_WINDOW_S);
    }
    const int w = (int)fmax(2.0, round(HALF_WINDOW_S / dt_s)), n = t->n;
    int left = 0;
    for (int from = 0, to; from < t->n_samples; from = to) {
        to = end_of_run(t, from, dt_s);
        left += to - from > 2 * w ? to - from - 2 * w : 0;
    }
    if (left < 1) {
        return why(ret_why, cap, -EINVAL,
                   "%s: %d samples are too few: %d and more are wanted in a row", path,
                   t->n_samples, 2 * w + 1);
    }
    const size_t bytes = (size_t)left * (size_t)n * sizeof(double);
    *ret = (struct motion_record){.n_samples = left,
                                  .n = n,
                                  .reach = w,
                                  .q = arena_take(mem, bytes),
                                  .qd = arena_take(mem, bytes),
                                  .qdd = arena_take(mem, bytes),
                                  .tau = arena_take(mem, bytes)};
    int at = 0;
    for (int from = 0, to; from < t->n_samples; from = to) {
        to = end_of_run(t, from, dt_s);
        const int rows = to - from - 2 * w;
        struct motion_record run = {
            .n = n, .q = ret->q + at * n, .qd = ret->qd + at * n, .qdd = ret->qdd + at * n};
        if (rows > 0) {
            identify_slopes(t->q + from * n, to - from, w, dt_s, &run);
            memcpy(ret->tau + at * n, t->tau + (from + w) * n,
                   (size_t)rows * (size_t)n * sizeof(double));
            at += rows;
        }
    }
    return 0;
}

int identify_read(struct motion_record *ret_record, const char *path, const struct robot *robot,
                  struct arena *mem, char *ret_why, int cap)
{
    struct table t = {.n = robot->chain.n};
    const size_t most = (size_t)SAMPLES_MAX * sizeof(double);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return why(ret_why, cap, -errno, "cannot read %s: %s", path, strerror(errno));
    }
    t.t = arena_take(mem, most);
    t.q = arena_take(mem, most * (size_t)t.n);
    t.tau = arena_take(mem, most * (size_t)t.n);
    int rc = read_all(&t, f, path, robot, ret_why, cap);
    rc = rc == 0 && ferror(f) != 0 ? why(ret_why, cap, -EIO, "cannot read %s", path) : rc;
    (void)fclose(f);
    return rc < 0 ? rc : slopes_of(&t, path, ret_record, mem, ret_why, cap);
}
