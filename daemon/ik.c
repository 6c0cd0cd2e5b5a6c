/*
 * One step from q, with e what is missing in place (and turn, as half the sum of the cross products
 * of the axes, which is the angle where it is small):
 *
 *   dq = argmin |J dq - e|^2 + l^2 |dq|^2
 *
 * by LAPACK's least squares on [J; l 1], which has full rank at singular poses too. Joints that
 * stand at an end of their range and would go on are left out and the rest solved again. A step
 * that comes nearer is taken and l shrinks; else l grows.
 */
#include "daemon/ik.h"

#include "daemon/base/rng.h"
#include "daemon/base/vec3.h"

#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define STARTS      60
#define STEPS_MAX   200
#define ROWS_MAX    (6 + CHAIN_MAX)
#define DAMPING     0.1 /* m/rad: of the first step */
#define DAMPING_MIN 1e-9
#define DAMPING_MAX 1e3
#define LESS        0.2  /* times the damping after a step that helped */
#define MORE        3.0  /* ... that did not */
#define SQUARE      1e-6 /* of R R' - 1 of a rotation */

void ik_ranges(struct ik *z, const struct robot *robot)
{
    for (int i = 0; i < z->chain->n; i++) {
        const struct joint_spec *j = &robot->joint[z->chain->link[i].joint];
        z->lo[i] = j->actuated ? j->q_min : -M_PI;
        z->hi[i] = j->actuated ? j->q_max : M_PI;
    }
}

/* A pose, what is missing there, and how the tool moves. */
struct at {
    double q[CHAIN_MAX], e[6], off, j[6 * CHAIN_MAX];
};

static void look(const struct ik *z, const struct ik_target *t, struct at *a)
{
    struct frame link[CHAIN_MAX], tool;
    const int rows = t->turned ? 6 : 3;
    memset(a->e, 0, sizeof a->e);
    chain_frames(z->chain, a->q, link, &tool);
    chain_jacobian(z->chain, link, tool.p, a->j);
    for (int k = 0; k < 3; k++) {
        a->e[k] = t->p[k] - tool.p[k];
        if (t->turned) {
            const double is[3] = {tool.r[k], tool.r[3 + k], tool.r[6 + k]};
            const double wanted[3] = {t->r[k], t->r[3 + k], t->r[6 + k]};
            double turn[3];
            vec3_cross(is, wanted, turn);
            vec3_add(0.5, turn, a->e + 3);
        }
    }
    double sum = 0.0;
    for (int k = 0; k < rows; k++) {
        sum += a->e[k] * a->e[k];
    }
    /* turned the wrong way round the cross products vanish, too */
    const double trace = tool.r[0] * t->r[0] + tool.r[3] * t->r[3] + tool.r[6] * t->r[6] +
                         tool.r[1] * t->r[1] + tool.r[4] * t->r[4] + tool.r[7] * t->r[7] +
                         tool.r[2] * t->r[2] + tool.r[5] * t->r[5] + tool.r[8] * t->r[8];
    a->off = sqrt(sum) + (t->turned && trace < 1.0 ? 1.0 - 0.5 * (trace - 1.0) : 0.0);
}

/* Joints with a bit in `out` stay where they are. -ENOMEM: so says LAPACK. */
static int least_squares(const struct ik *z, const struct at *a, int rows, double damping,
                         unsigned out, double *ret_dq)
{
    const int n = z->chain->n, all = rows + n;
    double m[ROWS_MAX * CHAIN_MAX] = {0.0}, b[ROWS_MAX] = {0.0}, s[CHAIN_MAX];
    lapack_int rank = 0;
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < rows && (out >> j & 1u) == 0; k++) {
            m[k * n + j] = a->j[k * n + j];
        }
        m[(rows + j) * n + j] = damping;
    }
    memcpy(b, a->e, (size_t)rows * sizeof b[0]);
    if (LAPACKE_dgelsd(LAPACK_ROW_MAJOR, all, n, 1, m, n, b, 1, s, -1.0, &rank) != 0) {
        return -ENOMEM;
    }
    memcpy(ret_dq, b, (size_t)n * sizeof b[0]);
    return 0;
}

/* The step within the ranges: joints that would leave theirs from its end drop out one by one. */
static int step(const struct ik *z, const struct at *a, int rows, double damping, double *ret_q)
{
    const int n = z->chain->n;
    unsigned out = 0, was = ~0u;
    double dq[CHAIN_MAX];
    while (out != was) {
        was = out;
        const int rc = least_squares(z, a, rows, damping, out, dq);
        if (rc < 0) {
            return rc;
        }
        for (int j = 0; j < n; j++) {
            const bool leaves =
                (a->q[j] <= z->lo[j] && dq[j] < 0.0) || (a->q[j] >= z->hi[j] && dq[j] > 0.0);
            out |= leaves ? 1u << j : 0u;
        }
    }
    for (int j = 0; j < n; j++) {
        ret_q[j] = fmax(z->lo[j], fmin(z->hi[j], a->q[j] + dq[j]));
    }
    return 0;
}

/* Downhill from a->q until it is there, or nothing helps. */
static int descend(const struct ik *z, const struct ik_target *t, struct at *a)
{
    const int rows = t->turned ? 6 : 3;
    double damping = DAMPING;
    look(z, t, a);
    for (int k = 0; k < STEPS_MAX && a->off > 0.1 * IK_NEAR && damping < DAMPING_MAX; k++) {
        struct at next;
        const int rc = step(z, a, rows, damping, next.q);
        if (rc < 0) {
            return rc;
        }
        look(z, t, &next);
        if (next.off < a->off) {
            *a = next;
            damping = fmax(DAMPING_MIN, damping * LESS);
        } else {
            damping *= MORE;
        }
    }
    return 0;
}

static int check_target(const struct ik_target *t, char *ret_why, int cap)
{
    double sum = t->p[0] + t->p[1] + t->p[2];
    for (int k = 0; t->turned && k < 9; k++) {
        sum += t->r[k];
    }
    if (!isfinite(sum)) {
        return why(ret_why, cap, -EINVAL, "the target is not finite");
    }
    for (int i = 0; t->turned && i < 3; i++) {
        const double *row = t->r + (ptrdiff_t)3 * i, *next = t->r + (ptrdiff_t)3 * ((i + 1) % 3);
        double third[3];
        vec3_cross(row, next, third);
        const double *last = t->r + (ptrdiff_t)3 * ((i + 2) % 3);
        vec3_add(-1.0, last, third);
        if (fabs(vec3_dot(row, row) - 1.0) > SQUARE || vec3_dot(third, third) > SQUARE) {
            return why(ret_why, cap, -EINVAL,
                       "the target's axes are no rotation: they must have length 1 and be square "
                       "to each other");
        }
    }
    return 0;
}

int ik_solve(const struct ik *z, const struct ik_target *target, double *ret_q, double *ret_off,
             char *ret_why, int cap)
{
    const double *p = target->p;
    struct rng rng;
    int rc = check_target(target, ret_why, cap);
    bool came = false;
    double best = HUGE_VAL;
    rng_seed(&rng, z->seed);
    for (int start = 0; rc == 0 && start < STARTS; start++) {
        struct at a;
        for (int j = 0; j < z->chain->n; j++) {
            a.q[j] =
                start == 0 ? 0.5 * (z->lo[j] + z->hi[j]) : rng_between(&rng, z->lo[j], z->hi[j]);
        }
        if (descend(z, target, &a) < 0) {
            return why(ret_why, cap, -ENOMEM, "LAPACK is out of memory");
        }
        best = fmin(best, a.off);
        came = came || a.off <= IK_NEAR;
        if (a.off <= IK_NEAR && (z->good == NULL || z->good(z->self, a.q))) {
            memcpy(ret_q, a.q, (size_t)z->chain->n * sizeof *ret_q);
            *ret_off = a.off;
            return 0;
        }
    }
    *ret_off = best;
    if (rc == 0 && came) {
        return why(ret_why, cap, -EPERM,
                   "(%.4g, %.4g, %.4g) m can be reached, but at each of the poses found there the "
                   "arm would break its limits of space",
                   p[0], p[1], p[2]);
    }
    return rc < 0 ? rc
                  : why(ret_why, cap, -ERANGE,
                        "(%.4g, %.4g, %.4g) m%s is out of reach: from %d starts the tool came no "
                        "nearer than %.4g within the joints' ranges",
                        p[0], p[1], p[2], target->turned ? " turned as asked" : "", STARTS, best);
}
