/*
 * One step of the arm and of the valve. Speeds v = (qd, valve's), M the mass matrix with the
 * valve's inertia, D viscous friction, b Coriolis and gravity, f a push on the tip, h the step:
 *
 *   (M + h D) v+ = M v + h (tau + J' f - b) + sum_k J_k' l_k        l_k: impulses
 *   q+ = q + h v+
 *
 * The impulses obey, all at v+ (so that nothing stiff can explode):
 *   dry friction    |l| <= h c, against the speed; all of it only where the joint slides
 *   end stop        l >= 0, the joint ends at the stop at the furthest, without speed
 *   table, peg      l >= 0, spring and damper: l = h (k depth+ - c speed+) while they press
 *   table, sideways two directions, |l| <= mu l of the normal
 * They are found by projected Gauss-Seidel sweeps over the rows.
 *
 * Integrator: semi-implicit Euler, first order. Stewart and Trinkle 1996 for speeds and impulses in
 * place of accelerations and forces; Catto 2011 ("Soft constraints") for the implicit spring.
 */
#include "sim/arm_inside.h"

#include "daemon/base/vec3.h"

#include <math.h>
#include <string.h>

#define ROWS_MAX   (2 * CHAIN_MAX + 6)
#define SWEEPS_MAX 200
#define STILL      1e-12 /* change of speed in a sweep, rad/s, at which they end */

/* J v+ + soft l wants to be `want`; lo <= l <= hi, or |l| <= mu l of row `of`. */
struct row {
    double j[SPEEDS_MAX], w[SPEEDS_MAX]; /* w = (M + h D)^-1 J' */
    double want, soft, lo, hi, mu;
    int of; /* -1: lo and hi are numbers */
    double l;
};

struct step {
    const struct arm *z;
    struct arm_state *s;
    double h_s;
    int n, n_rows, table;                     /* table: its row, -1: the tip is in the air */
    double a[CHAIN_MAX * CHAIN_MAX], valve_a; /* Cholesky of M + h D; the valve's */
    double v[SPEEDS_MAX];
    struct frame frames[CHAIN_MAX], tool;
    double jac[6 * CHAIN_MAX];
    struct row row[ROWS_MAX];
};

static void solve(const struct step *k, double *x)
{
    chain_solve(k->a, k->n, x);
    x[k->n] /= k->valve_a;
}

static struct row *new_row(struct step *k)
{
    basal_assert(k->n_rows < ROWS_MAX);
    struct row *r = &k->row[k->n_rows++];
    *r = (struct row){.of = -1};
    return r;
}

static void add_joint_rows(struct step *k, int i)
{
    const struct arm *z = k->z;
    const double dry = z->chain.link[i].p[CHAIN_COULOMB], q = k->s->q[i];
    if (dry > 0.0) {
        struct row *r = new_row(k);
        r->j[i] = 1.0;
        r->hi = k->h_s * dry;
        r->lo = -r->hi;
    }
    const double on = q + k->h_s * k->v[i];
    /* a little early: another impulse may yet push it there */
    const double near = 0.01;
    if (on < z->q_lo[i] + near || on > z->q_hi[i] - near) {
        const bool low = on < z->q_lo[i] + near;
        struct row *r = new_row(k);
        r->j[i] = low ? 1.0 : -1.0;
        r->want = (low ? z->q_lo[i] - q : q - z->q_hi[i]) / k->h_s;
        r->hi = (double)INFINITY;
    }
}

/* l = h (k (depth - h u+) - c u+), u+ the speed away: (1/(h (h k + c))) l + u+ = k depth/(h k + c)
 */
static struct row *add_spring(struct step *k, double depth_m)
{
    const struct arm_config *c = &k->z->c;
    const double give = k->h_s * c->stiffness_n_m + c->damping_ns_m;
    struct row *r = new_row(k);
    r->soft = 1.0 / (k->h_s * give);
    r->want = c->stiffness_n_m * depth_m / give;
    r->hi = (double)INFINITY;
    return r;
}

/* Row of the tip's speed along a direction. */
static void along_tip(const struct step *k, const double *way, struct row *r)
{
    for (int i = 0; i < k->n; i++) {
        r->j[i] = way[0] * k->jac[i] + way[1] * k->jac[k->n + i] + way[2] * k->jac[2 * k->n + i];
    }
}

static void add_table(struct step *k)
{
    static const double ways[3][3] = {{0, 0, 1}, {1, 0, 0}, {0, 1, 0}};
    const struct arm_config *c = &k->z->c;
    const double depth = c->table_z_m + c->tip_radius_m - k->tool.p[2];
    k->table = -1;
    if (!c->table || depth <= 0.0) {
        return;
    }
    k->table = k->n_rows;
    along_tip(k, ways[0], add_spring(k, depth));
    for (int side = 1; side < 3; side++) {
        struct row *r = new_row(k);
        along_tip(k, ways[side], r);
        r->mu = c->mu;
        r->of = k->table;
    }
}

void arm_nearest_peg(const struct arm_config *c, double valve_angle, const double *tip,
                     double *ret_peg)
{
    double least = (double)INFINITY;
    memcpy(ret_peg, tip, 3 * sizeof *tip); /* without any, nowhere to go */
    for (int i = 0; i < c->pegs; i++) {
        const double angle = valve_angle + 2.0 * M_PI * i / c->pegs;
        const double peg[3] = {c->valve[0] + c->valve_radius_m * cos(angle),
                               c->valve[1] + c->valve_radius_m * sin(angle),
                               c->valve[2] + 0.5 * c->peg_height_m};
        const double off = hypot(tip[0] - peg[0], tip[1] - peg[1]);
        if (off < least) {
            least = off;
            memcpy(ret_peg, peg, sizeof peg);
        }
    }
}

/* A ball, the tip, against a post that stands on the turning valve; sideways only, no friction. */
static void add_peg(struct step *k)
{
    const struct arm_config *c = &k->z->c;
    double peg[3];
    if (c->pegs == 0) {
        return;
    }
    arm_nearest_peg(c, k->s->q[k->n], k->tool.p, peg);
    const double off[2] = {k->tool.p[0] - peg[0], k->tool.p[1] - peg[1]};
    const double distance = hypot(off[0], off[1]);
    const double depth = c->peg_radius_m + c->tip_radius_m - distance;
    if (depth <= 0.0 || fabs(k->tool.p[2] - peg[2]) > 0.5 * c->peg_height_m) {
        return;
    }
    const double x = distance > 0.0 ? off[0] / distance : 1.0,
                 y = distance > 0.0 ? off[1] / distance : 0.0;
    struct row *r = add_spring(k, depth);
    along_tip(k, (const double[]){x, y, 0.0}, r);
    r->j[k->n] = x * (peg[1] - c->valve[1]) - y * (peg[0] - c->valve[0]);
}

static void add_valve_friction(struct step *k)
{
    const struct arm_config *c = &k->z->c;
    if (c->pegs > 0 && c->valve_friction_nm > 0.0) {
        struct row *r = new_row(k);
        r->j[k->n] = 1.0;
        r->hi = k->h_s * c->valve_friction_nm;
        r->lo = -r->hi;
    }
}

/* One row: the impulse that gives it what it wants, within its bounds. Returns the change of v. */
static double relax(struct step *k, struct row *r)
{
    double speed = -r->want, stiff = r->soft;
    for (int i = 0; i <= k->n; i++) {
        speed += r->j[i] * k->v[i];
        stiff += r->j[i] * r->w[i];
    }
    if (!(stiff > 0.0)) {
        return 0.0;
    }
    const double most = r->of >= 0 ? r->mu * k->row[r->of].l : r->hi;
    const double least = r->of >= 0 ? -most : r->lo;
    const double l = fmax(least, fmin(most, r->l - (speed + r->soft * r->l) / stiff));
    double change = 0.0;
    for (int i = 0; i <= k->n; i++) {
        const double dv = r->w[i] * (l - r->l);
        k->v[i] += dv;
        change = fmax(change, fabs(dv));
    }
    r->l = l;
    return change;
}

/* v if there were no impulses, and the factor of M + h D. */
static void move_freely(struct step *k)
{
    const struct arm *z = k->z;
    const struct arm_state *s = k->s;
    const int n = k->n;
    double m[CHAIN_MAX * CHAIN_MAX], b[CHAIN_MAX];
    struct row push = {.of = -1};
    along_tip(k, s->push.force, &push);
    chain_mass(&z->chain, s->q, m);
    chain_inverse(&z->chain, s->q, s->qd, NULL, b);
    for (int i = 0; i < n; i++) {
        k->v[i] = k->h_s * (s->tau[i] + push.j[i] - b[i]);
        for (int j = 0; j < n; j++) {
            k->v[i] += m[i * n + j] * s->qd[j];
            k->a[i * n + j] = m[i * n + j];
        }
        k->a[i * n + i] += k->h_s * z->chain.link[i].p[CHAIN_VISCOUS];
    }
    k->v[n] = z->c.valve_kgm2 * s->qd[n];
    k->valve_a = z->c.valve_kgm2 + k->h_s * z->c.valve_damping_nms_rad;
    basal_assert(chain_factor(k->a, n) == 0); /* the links were checked when the file was read */
    solve(k, k->v);
}

void arm_move(const struct arm *z, struct arm_state *s, double h_s)
{
    struct step k = {.z = z, .s = s, .h_s = h_s, .n = z->chain.n};
    chain_frames(&z->chain, s->q, k.frames, &k.tool);
    chain_jacobian(&z->chain, k.frames, k.tool.p, k.jac);
    move_freely(&k);
    for (int i = 0; i < k.n; i++) {
        add_joint_rows(&k, i);
    }
    add_valve_friction(&k);
    add_table(&k);
    add_peg(&k);
    for (int i = 0; i < k.n_rows; i++) {
        memcpy(k.row[i].w, k.row[i].j, sizeof k.row[i].w);
        solve(&k, k.row[i].w);
    }
    double change = 1.0;
    for (int sweep = 0; sweep < SWEEPS_MAX && change > STILL; sweep++) {
        change = 0.0;
        for (int i = 0; i < k.n_rows; i++) {
            change = fmax(change, relax(&k, &k.row[i]));
        }
    }
    s->table_n = k.table >= 0 ? k.row[k.table].l / h_s : 0.0;
    for (int i = 0; i <= k.n; i++) {
        s->qd[i] = k.v[i];
        s->q[i] += h_s * k.v[i];
    }
}
