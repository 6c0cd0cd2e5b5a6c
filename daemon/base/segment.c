/*
 * Squared distance of a(s) = a0 + s u and b(t) = b0 + t w, with r = a0 - b0:
 *
 *   f(s, t) = uu s^2 - 2 uw s t + ww t^2 + 2 ur s - 2 wr t + rr      0 <= s, t <= 1
 *
 * is convex: its least value is where its gradient is 0, if that is in the square, or else on one
 * of the square's four sides, on each of which it is a parabola. On parallel segments a side has it
 * too.
 */
#include "daemon/base/segment.h"

#include "daemon/base/vec3.h"

#include <math.h>
#include <string.h>

#define PARALLEL 1e-12 /* of uu ww: what rounding leaves of their determinant */

struct pair {
    double uu, uw, ww, ur, wr; /* f without rr */
    double s, t, f;            /* the best so far */
};

static double unit(double x)
{
    return x < 0.0 ? 0.0 : (x > 1.0 ? 1.0 : x);
}

static void try_at(struct pair *p, double s, double t)
{
    const double f =
        s * (p->uu * s - 2.0 * p->uw * t + 2.0 * p->ur) + t * (p->ww * t - 2.0 * p->wr);
    if (f < p->f) {
        p->s = s;
        p->t = t;
        p->f = f;
    }
}

/* The best s for a t, and the other way round; a segment without length has only its start. */
static double best_s(const struct pair *p, double t)
{
    return p->uu > 0.0 ? unit((p->uw * t - p->ur) / p->uu) : 0.0;
}

static double best_t(const struct pair *p, double s)
{
    return p->ww > 0.0 ? unit((p->uw * s + p->wr) / p->ww) : 0.0;
}

double segment_apart(const double *a, const double *b, double *ret_a, double *ret_b)
{
    double u[3], w[3], r[3], apart[3];
    for (int i = 0; i < 3; i++) {
        u[i] = a[3 + i] - a[i];
        w[i] = b[3 + i] - b[i];
        r[i] = a[i] - b[i];
    }
    struct pair p = {.uu = vec3_dot(u, u),
                     .uw = vec3_dot(u, w),
                     .ww = vec3_dot(w, w),
                     .ur = vec3_dot(u, r),
                     .wr = vec3_dot(w, r),
                     .f = HUGE_VAL};
    for (int side = 0; side < 2; side++) {
        try_at(&p, side, best_t(&p, side));
        try_at(&p, best_s(&p, side), side);
    }
    const double det = p.uu * p.ww - p.uw * p.uw;
    if (det > PARALLEL * p.uu * p.ww) {
        const double s = unit((p.uw * p.wr - p.ww * p.ur) / det);
        try_at(&p, s, best_t(&p, s));
    }
    memcpy(ret_a, a, 3 * sizeof *ret_a);
    vec3_add(p.s, u, ret_a);
    memcpy(ret_b, b, 3 * sizeof *ret_b);
    vec3_add(p.t, w, ret_b);
    for (int i = 0; i < 3; i++) {
        apart[i] = ret_a[i] - ret_b[i];
    }
    return sqrt(vec3_dot(apart, apart));
}
