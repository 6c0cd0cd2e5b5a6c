/*
 * Recursive Newton-Euler, composite rigid bodies, Cholesky. In the frame of each link, with r its
 * rotation in the frame before and o its origin there:
 *
 *   w_i = r' w + a qd        al_i = r' al + (r' w) x a qd + a qdd     outwards: speed, its change,
 *   g_i = r' (g + al x o + w x (w x o))                               acceleration of the origin
 *   f_i = m g_i + al_i x h + w_i x (w_i x h)                          force and moment that the
 *   n_i = I al_i + w_i x I w_i + h x g_i                              link wants
 *   tau_i = a . n_i + armature qdd;  f += r f_i;  n += r n_i + o x r f_i      inwards
 */
#include "daemon/base/chain_inside.h"
#include "daemon/base/vec3.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* What one link's motion is: al, g as above. */
struct motion {
    double w[3], al[3], g[3];
};

static void move_on(const struct chain_link *l, const double *r, double qd, double qdd,
                    const struct motion *in, struct motion *ret)
{
    double wo[3], g[3], part[3], turned[3];
    vec3_turn_back(r, in->w, turned);
    vec3_cross(turned, l->axis, part);
    vec3_turn_back(r, in->al, ret->al);
    vec3_add(qd, part, ret->al);
    vec3_add(qdd, l->axis, ret->al);
    memcpy(ret->w, turned, sizeof turned);
    vec3_add(qd, l->axis, ret->w);
    vec3_cross(in->al, l->off, g);
    vec3_cross(in->w, l->off, wo);
    vec3_cross(in->w, wo, part);
    vec3_add(1.0, part, g);
    vec3_add(1.0, in->g, g);
    vec3_turn_back(r, g, ret->g);
}

/* Force f and moment n that a body of ten numbers p wants under a motion. */
static void wanted(const double *p, const struct motion *k, double *ret_f, double *ret_n)
{
    const double *h = p + CHAIN_HX;
    double part[3], wh[3], iw[3];
    vec3_cross(k->al, h, ret_f);
    vec3_cross(k->w, h, wh);
    vec3_cross(k->w, wh, part);
    vec3_add(1.0, part, ret_f);
    vec3_add(p[CHAIN_M], k->g, ret_f);
    sym3_times(p + CHAIN_IXX, k->al, ret_n);
    sym3_times(p + CHAIN_IXX, k->w, iw);
    vec3_cross(k->w, iw, part);
    vec3_add(1.0, part, ret_n);
    vec3_cross(h, k->g, part);
    vec3_add(1.0, part, ret_n);
}

/* Force f and moment n about a link's origin, seen from the frame before. */
static void hand_on(const struct chain_link *l, const double *r, double *f, double *n)
{
    double turned[3], part[3];
    vec3_turn(r, f, turned);
    memcpy(f, turned, sizeof turned);
    vec3_turn(r, n, turned);
    vec3_cross(l->off, f, part);
    vec3_add(1.0, part, turned);
    memcpy(n, turned, sizeof turned);
}

static void turn_all(const struct chain *c, const double *q, double r[CHAIN_MAX][9])
{
    for (int i = 0; i < c->n; i++) {
        chain_turn(&c->link[i], q[i], r[i]);
    }
}

/* The base does not move; it falls upwards instead of gravity pulling. */
static void all_motions(const struct chain *c, double r[CHAIN_MAX][9], const double *qd,
                        const double *qdd, struct motion ret[CHAIN_MAX])
{
    struct motion base = {.g = {-c->gravity[0], -c->gravity[1], -c->gravity[2]}};
    for (int i = 0; i < c->n; i++) {
        move_on(&c->link[i], r[i], qd != NULL ? qd[i] : 0.0, qdd != NULL ? qdd[i] : 0.0,
                i == 0 ? &base : &ret[i - 1], &ret[i]);
    }
}

static void inverse(const struct chain *c, double r[CHAIN_MAX][9], const double *qd,
                    const double *qdd, double *ret_tau)
{
    struct motion k[CHAIN_MAX];
    double f[3] = {0.0}, n[3] = {0.0};
    all_motions(c, r, qd, qdd, k);
    for (int i = c->n - 1; i >= 0; i--) {
        const struct chain_link *l = &c->link[i];
        double own_f[3], own_n[3];
        wanted(l->p, &k[i], own_f, own_n);
        vec3_add(1.0, own_f, f);
        vec3_add(1.0, own_n, n);
        ret_tau[i] = vec3_dot(l->axis, n) + l->p[CHAIN_ARMATURE] * (qdd != NULL ? qdd[i] : 0.0);
        hand_on(l, r[i], f, n);
    }
}

void chain_inverse(const struct chain *c, const double *q, const double *qd, const double *qdd,
                   double *ret_tau)
{
    double r[CHAIN_MAX][9];
    turn_all(c, q, r);
    inverse(c, r, qd, qdd, ret_tau);
}

void chain_gravity(const struct chain *c, const double *q, double *ret_tau)
{
    chain_inverse(c, q, NULL, NULL, ret_tau);
}

void chain_friction(const struct chain *c, const double *qd, double *ret_tau)
{
    for (int i = 0; i < c->n; i++) {
        const double *p = c->link[i].p;
        const double sign = qd[i] > 0.0 ? 1.0 : qd[i] < 0.0 ? -1.0 : 0.0;
        ret_tau[i] = p[CHAIN_COULOMB] * sign + p[CHAIN_VISCOUS] * qd[i];
    }
}

/* R S R' of a symmetric S */
static void turn_inertia(const double *r, const double *s, double *ret)
{
    double half[9];
    for (int i = 0; i < 3; i++) {
        sym3_times(s, r + (ptrdiff_t)3 * i, half + (ptrdiff_t)3 * i);
    }
    for (int i = 0; i < 3; i++) {
        ret[i] = vec3_dot(half + (ptrdiff_t)3 * i, r + (ptrdiff_t)3 * i);
    }
    ret[3] = vec3_dot(half, r + 3);
    ret[4] = vec3_dot(half, r + 6);
    ret[5] = vec3_dot(half + 3, r + 6);
}

/* into += the body of ten numbers p, seen from the frame before: with o its origin and h = R h_i,
 * I = R I_i R' + 2 h.o 1 - h o' - o h' + m (o.o 1 - o o') */
static void add_body(const struct chain_link *l, const double *r, const double *p, double *into)
{
    const double *o = l->off, m = p[CHAIN_M];
    double h[3], turned[6];
    vec3_turn(r, p + CHAIN_HX, h);
    turn_inertia(r, p + CHAIN_IXX, turned);
    const double all = 2.0 * vec3_dot(h, o) + m * vec3_dot(o, o);
    double *i6 = into + CHAIN_IXX;
    for (int i = 0; i < 3; i++) {
        i6[i] += turned[i] + all - 2.0 * h[i] * o[i] - m * o[i] * o[i];
    }
    i6[3] += turned[3] - h[0] * o[1] - h[1] * o[0] - m * o[0] * o[1];
    i6[4] += turned[4] - h[0] * o[2] - h[2] * o[0] - m * o[0] * o[2];
    i6[5] += turned[5] - h[1] * o[2] - h[2] * o[1] - m * o[1] * o[2];
    into[CHAIN_M] += m;
    vec3_add(1.0, h, into + CHAIN_HX);
    vec3_add(m, o, into + CHAIN_HX);
}

static void mass(const struct chain *c, double r[CHAIN_MAX][9], double *ret_m)
{
    double body[CHAIN_MAX][CHAIN_ARMATURE]; /* of each link and all behind it */
    const int n = c->n;
    for (int i = 0; i < n; i++) {
        memcpy(body[i], c->link[i].p, sizeof body[i]);
    }
    for (int i = n - 1; i >= 0; i--) {
        const struct chain_link *l = &c->link[i];
        double force[3], moment[3];
        vec3_cross(l->axis, body[i] + CHAIN_HX, force);
        sym3_times(body[i] + CHAIN_IXX, l->axis, moment);
        ret_m[i * n + i] = vec3_dot(l->axis, moment) + l->p[CHAIN_ARMATURE];
        for (int k = i - 1; k >= 0; k--) {
            hand_on(&c->link[k + 1], r[k + 1], force, moment);
            ret_m[i * n + k] = ret_m[k * n + i] = vec3_dot(c->link[k].axis, moment);
        }
        if (i > 0) {
            add_body(l, r[i], body[i], body[i - 1]);
        }
    }
}

void chain_mass(const struct chain *c, const double *q, double *ret_m)
{
    double r[CHAIN_MAX][9];
    turn_all(c, q, r);
    mass(c, r, ret_m);
}

int chain_accelerate(const struct chain *c, const double *q, const double *qd, const double *tau,
                     double *ret_qdd)
{
    double r[CHAIN_MAX][9], m[CHAIN_MAX * CHAIN_MAX], x[CHAIN_MAX];
    turn_all(c, q, r);
    inverse(c, r, qd, NULL, x);
    mass(c, r, m);
    for (int i = 0; i < c->n; i++) {
        x[i] = tau[i] - x[i];
    }
    if (chain_factor(m, c->n) < 0) {
        return -EDOM;
    }
    chain_solve(m, c->n, x);
    memcpy(ret_qdd, x, (size_t)c->n * sizeof x[0]);
    return 0;
}

int chain_factor(double *a, int n)
{
    for (int j = 0; j < n; j++) {
        for (int i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++) {
                sum -= a[i * n + k] * a[j * n + k];
            }
            if (i == j && !(sum > 0.0)) {
                return -EDOM;
            }
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    }
    return 0;
}

void chain_solve(const double *l, int n, double *x)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) {
            x[i] -= l[i * n + k] * x[k];
        }
        x[i] /= l[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++) {
            x[i] -= l[k * n + i] * x[k];
        }
        x[i] /= l[i * n + i];
    }
}

/* Column by column: what a link with one of its ten numbers 1 and the others 0 wants. */
void chain_regressor(const struct chain *c, const double *q, const double *qd, const double *qdd,
                     double *ret_y)
{
    double r[CHAIN_MAX][9];
    struct motion k[CHAIN_MAX];
    const int columns = c->n * CHAIN_PARAMETERS;
    turn_all(c, q, r);
    all_motions(c, r, qd, qdd, k);
    memset(ret_y, 0, (size_t)c->n * (size_t)columns * sizeof *ret_y);
    for (int i = 0; i < c->n; i++) {
        const int first = i * CHAIN_PARAMETERS;
        for (int which = CHAIN_M; which < CHAIN_ARMATURE; which++) {
            double p[CHAIN_PARAMETERS] = {0.0}, f[3], n[3];
            p[which] = 1.0;
            wanted(p, &k[i], f, n);
            for (int at = i; at >= 0; at--) {
                ret_y[at * columns + first + which] = vec3_dot(c->link[at].axis, n);
                hand_on(&c->link[at], r[at], f, n);
            }
        }
        double *own = ret_y + (ptrdiff_t)i * columns + first;
        own[CHAIN_ARMATURE] = qdd[i];
        own[CHAIN_VISCOUS] = qd[i];
        own[CHAIN_COULOMB] = qd[i] > 0.0 ? 1.0 : qd[i] < 0.0 ? -1.0 : 0.0;
    }
}
