/*
 * The space that a robot of links may take: a box about the tool's tip, a table under its capsules,
 * capsules apart from each other. Pure functions of poses q [n], ordered as the chain's links, all
 * through forward kinematics. Each rule i is a distance h_i(q) in metres that must not become
 * negative.
 */
#pragma once

#include "daemon/base/chain.h"
#include "daemon/base/robot.h"

#define SPACE_PAIRS_MAX (CAPSULES_MAX * (CAPSULES_MAX - 1) / 2)
#define SPACE_RULES_MAX (6 + CAPSULES_MAX + SPACE_PAIRS_MAX)
#define SPACE_BASE      (-1) /* index of the link that does not move */

enum space_kind { SPACE_BOX, SPACE_TABLE, SPACE_SELF };

struct space_rule {
    int kind;     /* enum space_kind */
    int a, b;     /* BOX: axis, sign; TABLE: capsule; SELF: two, that of the earlier link first */
    int from, to; /* the joints that change it: from <= j < to */
    double least; /* m: BOX: the box's side; else how near the capsules' lines may come */
};

struct space_capsule {
    int link, unused; /* SPACE_BASE: none */
    double end[6];    /* [2,3] m, in that link's frame */
    double radius;
    double reach[CHAIN_MAX]; /* m: from each joint before it to its furthest point, at most */
};

struct space {
    int n; /* rules; 0: anywhere is good */
    int n_capsules;
    struct chain chain;
    double trip_m;
    double tip_reach[CHAIN_MAX];
    bool spins; /* the first joint's axis is vertical: no height depends on it */
    struct space_capsule capsule[CAPSULES_MAX];
    struct space_rule rule[SPACE_RULES_MAX];
};

/* Where everything is at one pose, in the base's frame. */
struct space_pose {
    struct frame link[CHAIN_MAX], tool;
    double axis[CHAIN_MAX][3];
    double end[CAPSULES_MAX][6]; /* [2,3] m */
};

/*
 * The rules of the robot file, or n = 0 where it has none. -EINVAL and one sentence ("capsule NAME:
 * ...", "joint NAME: ...", "space: ..."): no links, a capsule of no link, a box without inside, a
 * joint without a limit of speed or acceleration, a capsule that no pose lifts from the table.
 */
int space_init(struct space *ret_space, const struct robot *robot, char *ret_why,
               int cap) BASAL_MUST_USE;

void space_place(const struct space *z, const double *q, struct space_pose *ret_pose) BASAL_RT;

/* h_i, m. */
double space_distance(const struct space *z, const struct space_pose *p, int i) BASAL_RT;

/* The same, and ret_g [n]: its derivative by each joint's angle, m/rad; 0 where two capsules' lines
 * meet: nothing then says which way is out. */
double space_gradient(const struct space *z, const struct space_pose *p, int i,
                      double *ret_g) BASAL_RT;

/* No more than this can h_i change while each joint j turns by at most |turn[j]|, m. */
double space_change(const struct space *z, int i, const double *turn) BASAL_RT;

/* The least h_i at a pose, m; ret_i: which. */
double space_least(const struct space *z, const double *q, int *ret_i) BASAL_RT;

/* Which rule, how near, which limit: "the tip is 0.031 m outside the box, whose upper side in z is
 * at 0.500 m". robot: of space_init. Returns its length. */
int space_words(const struct space *z, const struct robot *robot, const double *q, int i,
                char *ret_text, int cap);

/* --- safety_space_limit.c --- */

/* One tick of the commanded trajectory, before it is taken. All [n], of the chain's joints. */
struct space_motion {
    double q[CHAIN_MAX], qd[CHAIN_MAX];  /* where it is, and how fast it goes */
    double lo[CHAIN_MAX], hi[CHAIN_MAX]; /* rad/s: the speeds that each joint's own rules leave */
    double
        step[CHAIN_MAX]; /* rad/s: by how much a tick can change its speed; 0: it is not driven */
    double brake[CHAIN_MAX]; /* rad/s^2: with which its torque can brake now */
    double dt_s, latency_s;
};

/*
 * The speeds of this tick: v [n] rad/s as asked, within lo and hi, becomes what keeps every rule. A
 * rule that is broken already can only be mended. Returns the rule that bit, -1: none did.
 */
int space_limit(const struct space *z, const struct space_motion *m, double *v) BASAL_RT;

/*
 * Torque that comes on top of a goal: tau [n] Nm loses what drives the measured motion (m.q, m.qd,
 * not older than m.latency_s) towards a limit that it has reached, or could not stop before any
 * more. Returns the rule that bit, -1.
 */
int space_limit_torque(const struct space *z, const struct space_motion *m, double *tau) BASAL_RT;
