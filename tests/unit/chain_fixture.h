/* Chains at random, and small helpers that know nothing of the algorithms under test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/chain.h"
#include "daemon/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static inline void random_vector(struct rng *r, double most, int n, double *ret)
{
    for (int i = 0; i < n; i++) {
        ret[i] = rng_between(r, -most, most);
    }
}

/* A link whose mass is spread over a few points: its inertia is one that a body can have. */
static inline void random_link(struct rng *r, int i, struct link_spec *ret_link)
{
    struct link_spec *k = ret_link;
    memset(k, 0, sizeof *k);
    (void)snprintf(k->name, sizeof k->name, "joint%d", i);
    k->n_xyz = k->n_rpy = k->n_axis = k->n_com = 3;
    k->n_inertia = 6;
    random_vector(r, 0.3, 3, k->xyz);
    random_vector(r, 3.0, 3, k->rpy);
    random_vector(r, 1.0, 3, k->axis);
    random_vector(r, 0.2, 3, k->com);
    k->mass_kg = rng_between(r, 0.2, 2.0);
    for (int point = 0; point < 5; point++) {
        double x[3];
        const double m = k->mass_kg / 5.0;
        random_vector(r, 0.1, 3, x);
        const double xx = x[0] * x[0] + x[1] * x[1] + x[2] * x[2];
        for (int a = 0; a < 3; a++) {
            k->inertia[a] += m * (xx - x[a] * x[a]);
        }
        k->inertia[3] -= m * x[0] * x[1];
        k->inertia[4] -= m * x[0] * x[2];
        k->inertia[5] -= m * x[1] * x[2];
    }
    k->armature_kgm2 = rng_between(r, 0.0, 0.05);
    k->friction_nm = rng_between(r, 0.0, 0.5);
    k->damping_nms_rad = rng_between(r, 0.0, 0.5);
}

static inline void random_robot(struct rng *r, int n, struct robot *ret_robot)
{
    memset(ret_robot, 0, sizeof *ret_robot);
    struct chain_spec *c = &ret_robot->chain;
    ret_robot->n_joints = c->n = n;
    for (int i = 0; i < n; i++) {
        (void)snprintf(ret_robot->joint[i].name, sizeof ret_robot->joint[i].name, "joint%d", i);
        random_link(r, i, &c->link[i]);
    }
    random_vector(r, 10.0, 3, c->gravity);
    random_vector(r, 0.2, 3, c->tool_xyz);
    random_vector(r, 3.0, 3, c->tool_rpy);
    c->n_gravity = c->n_tool_xyz = c->n_tool_rpy = 3;
}

static inline void make_chain(const struct robot *robot, struct chain *ret_chain)
{
    char reason[WHY_CHARS] = "";
    if (chain_init(ret_chain, robot, reason, (int)sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

static inline void random_chain(struct rng *r, int n, struct chain *ret_chain)
{
    static struct robot robot;
    random_robot(r, n, &robot);
    make_chain(&robot, ret_chain);
}

/* |a - b| against the larger of 1 and both */
static inline void assert_near(double a, double b, double tolerance)
{
    const double scale = fmax(1.0, fmax(fabs(a), fabs(b)));
    if (!(fabs(a - b) <= tolerance * scale)) {
        fail_msg("%.17g is not %.17g within %g", a, b, tolerance);
    }
}
