/*
 * From asked speeds to speeds that keep every rule. Two steps:
 *
 * 1. Towards rule i the arm may go no faster than v(h_i), the formula by which joints brake, along
 *    the rule's gradient g: g . v >= -v(h_i). What is too fast loses the part that changes h most
 *    for what it costs the joints, v += l D g with D their steps in a tick. If each joint brakes
 *    with a_j in that way, no joint more than it can, h brakes with
 *
 *      a = sum_j a_j g_j^2 / max_j |g_j|
 *
 *    of which half is reckoned with: the other half is for paths that bend and rules that meet.
 *
 * 2. What comes out is taken only if braking with every joint's own acceleration from there on
 *    keeps every rule to the end: that trajectory is known exactly, tick by tick, and looked at in
 *    a few of its ticks. Between two of them a point strays from the straight way between its
 *    places there by no more than (sum of turns)(sum of reach times turns)/8 for bending in space,
 *    plus reach times a t^2/8 for braking, and the distance of two that pass each other dips by
 *    (way)^2/(8 distance). If it is not kept the next step is that of the trajectory before, which
 *    was found good: it brakes.
 *
 * So after every tick a checked way to stop exists. One exception: where a joint's own rules cut
 * its speed at once (a ceiling of torque that shrinks), what was checked before is left; if braking
 * from there breaks a rule, the trajectory stands still at once. A rule that is broken at the start
 * must not be broken further.
 */
#include "daemon/safety_space.h"
#include "daemon/safety_speed.h"

#include <string.h>

#define SAMPLES    6   /* of a trajectory */
#define TRIES      2   /* what is asked, then half of the way to braking */
#define SWEEPS     6   /* over the rules that are too fast */
#define HALF       0.5 /* of the braking that a rule's gradient promises */
#define ROUNDING_M 1e-12
#define APART_M    1e-3 /* lines of two capsules nearer than this count as so far apart */

/* Where a joint is `ticks` after it began to brake from v, from q on. Exactly as ticks do it:
 * speeds v - step, v - 2 step ... while they are above 0. */
static double braked(double q, double v, double step, double dt_s, double ticks)
{
    if (!(step > 0.0)) {
        return q; /* not driven: v is 0 */
    }
    const double n = fmin(ticks, floor(fabs(v) / step));
    return q + copysign(dt_s * (n * fabs(v) - step * n * (n + 1.0) * 0.5), v);
}

/* One way to stop: this tick at v, then braking. */
struct stop {
    const struct space *z;
    const struct space_motion *m;
    const double *v;
    double ticks;    /* until every joint stands */
    const double *h; /* [rules] before this tick */
    int n;           /* rules that it could break at all */
    int rule[SPACE_RULES_MAX];
};

static void pose_after(const struct stop *s, double ticks, double *ret_q)
{
    const struct space_motion *m = s->m;
    for (int j = 0; j < s->z->chain.n; j++) {
        const double first = m->q[j] + s->v[j] * m->dt_s;
        ret_q[j] = braked(first, s->v[j], m->step[j], m->dt_s, ticks);
    }
}

/* What a rule's distance can be short of between two samples that are so many turns and `ticks`
 * apart. */
static double between(const struct stop *s, int i, const double *turn, double ticks)
{
    const struct space_rule *r = &s->z->rule[i];
    const double way = space_change(s->z, i, turn), t_s = ticks * s->m->dt_s;
    double turns = 0.0, bent[CHAIN_MAX] = {0.0};
    for (int j = r->from; j < r->to; j++) {
        turns += fabs(turn[j]);
        bent[j] = turn[j] != 0.0 ? s->m->step[j] / s->m->dt_s * t_s * t_s : 0.0;
    }
    double dip = (turns * way + space_change(s->z, i, bent)) / 8.0;
    if (r->kind == SPACE_SELF) {
        dip += way * way / (8.0 * fmax(APART_M, r->least + fmin(0.0, s->h[i])));
    }
    return dip;
}

/* Returns the rule that this way to stop breaks, -1: none. */
static int broken_by(struct stop *s)
{
    const struct space *z = s->z;
    const struct space_motion *m = s->m;
    const int n = z->chain.n;
    double q[CHAIN_MAX], turn[CHAIN_MAX], was[CHAIN_MAX];
    s->ticks = 0.0;
    for (int j = 0; j < n; j++) {
        s->ticks = m->step[j] > 0.0 ? fmax(s->ticks, floor(fabs(s->v[j]) / m->step[j])) : s->ticks;
    }
    pose_after(s, s->ticks, q);
    for (int j = 0; j < n; j++) {
        turn[j] = q[j] - m->q[j];
    }
    s->n = 0;
    for (int i = 0; i < z->n; i++) {
        const double change = space_change(z, i, turn);
        if (change > 0.0 && s->h[i] < change + ROUNDING_M) {
            s->rule[s->n++] = i;
        }
    }
    memcpy(was, m->q, sizeof was);
    const double stride = fmax(1.0, ceil(s->ticks / (SAMPLES - 1)));
    double last = -1.0; /* before this tick */
    while (s->n > 0 && last < s->ticks) {
        const double at = last < 0.0 ? 0.0 : fmin(last + stride, s->ticks);
        struct space_pose p;
        pose_after(s, at, q);
        for (int j = 0; j < n; j++) {
            turn[j] = q[j] - was[j];
        }
        space_place(z, q, &p);
        for (int k = 0; k < s->n; k++) {
            const int i = s->rule[k];
            const double least = fmin(0.0, s->h[i]) - ROUNDING_M;
            if (space_distance(z, &p, i) - between(s, i, turn, at - last) < least) {
                return i;
            }
        }
        memcpy(was, q, sizeof was);
        last = at;
    }
    return -1;
}

/* --- step 1 --- */

/* With what h can brake along its gradient when joint j brakes with at most a[j]. */
static double braking(const double *g, const double *a, int n)
{
    double sum = 0.0, most = 0.0;
    for (int j = 0; j < n; j++) {
        sum += a[j] * g[j] * g[j];
        most = fmax(most, fabs(g[j]));
    }
    return most > 0.0 ? sum / most : 0.0;
}

struct row {
    int rule;
    double g[CHAIN_MAX], least; /* g . v >= least; m/s */
};

#define ROWS_MAX 24 /* step 2 sees them all */

/* The rules that v could be too fast for. Returns how many. */
static int near_rules(const struct space *z, const struct space_motion *m,
                      const struct space_pose *p, const double *h, const double *v,
                      struct row *ret_rows)
{
    const double t = m->latency_s + m->dt_s;
    double turn[CHAIN_MAX], a[CHAIN_MAX];
    int n = 0;
    for (int j = 0; j < z->chain.n; j++) {
        a[j] = HALF * m->brake[j];
        turn[j] = a[j] > 0.0 ? fabs(v[j]) * (t + fabs(v[j]) / (2.0 * a[j])) : 0.0;
    }
    for (int i = 0; i < z->n && n < ROWS_MAX; i++) {
        if (h[i] < space_change(z, i, turn)) {
            struct row *r = &ret_rows[n++];
            r->rule = i;
            (void)space_gradient(z, p, i, r->g);
            r->least = -speed_towards(h[i], braking(r->g, a, z->chain.n), 0.0, t);
        }
    }
    return n;
}

/* Rows one after the other, a few times. Returns the rule that took most, -1: none took anything.
 */
static int slow_down(const struct space_motion *m, const struct row *rows, int n_rows, int n,
                     double *v)
{
    double most = 0.0;
    int bit = -1;
    for (int k = 0; k < SWEEPS * n_rows; k++) {
        const struct row *r = &rows[k % n_rows];
        double speed = 0.0, cost = 0.0;
        for (int j = 0; j < n; j++) {
            speed += r->g[j] * v[j];
            cost += r->g[j] * r->g[j] * m->step[j];
        }
        const double missing = r->least - speed;
        if (!(missing > 0.0 && cost > 0.0)) {
            continue;
        }
        if (missing > most) {
            most = missing;
            bit = r->rule;
        }
        for (int j = 0; j < n; j++) {
            v[j] = clip(v[j] + missing / cost * r->g[j] * m->step[j], m->lo[j], m->hi[j]);
        }
    }
    return bit;
}

/* The step of braking. Returns whether it is that of the trajectory before. */
static bool brake_step(const struct space_motion *m, int n, double *ret_v)
{
    bool same = true;
    for (int j = 0; j < n; j++) {
        const double slower = copysign(fmax(0.0, fabs(m->qd[j]) - m->step[j]), m->qd[j]);
        ret_v[j] = clip(slower, m->lo[j], m->hi[j]);
        same = same && ret_v[j] == slower;
    }
    return same;
}

int space_limit(const struct space *z, const struct space_motion *m, double *v)
{
    const int n = z->chain.n;
    double h[SPACE_RULES_MAX], brake[CHAIN_MAX];
    struct row rows[ROWS_MAX];
    struct space_pose p;
    space_place(z, m->q, &p);
    for (int i = 0; i < z->n; i++) {
        h[i] = space_distance(z, &p, i);
    }
    const bool was_checked = brake_step(m, n, brake);
    int bit = slow_down(m, rows, near_rules(z, m, &p, h, v, rows), n, v);
    for (int go = 0;; go++) {
        struct stop s = {.z = z, .m = m, .v = v, .h = h};
        const int broken = go < TRIES || !was_checked ? broken_by(&s) : -1;
        if (broken < 0) {
            return bit;
        }
        bit = broken;
        if (go == TRIES) {
            memset(v, 0, (size_t)n * sizeof *v);
            return bit;
        }
        for (int j = 0; j < n; j++) {
            v[j] = go + 1 < TRIES ? 0.5 * (v[j] + brake[j]) : brake[j];
        }
    }
}

int space_limit_torque(const struct space *z, const struct space_motion *m, double *tau)
{
    const int n = z->chain.n;
    int bit = -1;
    struct space_pose p;
    space_place(z, m->q, &p);
    for (int i = 0; i < z->n; i++) {
        double g[CHAIN_MAX], speed = 0.0;
        const double h = space_gradient(z, &p, i, g), a = HALF * braking(g, m->brake, n);
        for (int j = 0; j < n; j++) {
            speed += g[j] * m->qd[j];
        }
        const bool late = h <= 0.0 || speed < -speed_towards(h, a, a, m->latency_s + m->dt_s);
        for (int j = 0; late && j < n; j++) {
            if (g[j] * tau[j] < 0.0) {
                tau[j] = 0.0;
                bit = i;
            }
        }
    }
    return bit;
}
