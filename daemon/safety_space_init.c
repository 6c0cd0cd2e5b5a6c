/* From the robot file's capsules and its section space to rules that a tick can ask. */
#include "daemon/safety_space.h"

#include "daemon/base/rng.h"
#include "daemon/base/vec3.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define TRIES    1000 /* poses at which a rule that can be kept is kept once */
#define VERTICAL 1e-9 /* sideways part of an axis that turns about the table's normal */

static double length(const double *x)
{
    return sqrt(vec3_dot(x, x));
}

static int find_link(const struct chain_spec *c, const char *name)
{
    int i = 0;
    while (i < c->n && strcmp(c->link[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* reach[j]: along the links from joint j to the frame of `link`, then `last` further. */
static void fill_reach(const struct chain *c, int link, double last, double *ret_reach)
{
    for (int j = link; j >= 0; j--) {
        ret_reach[j] = last;
        last += length(c->link[j].off);
    }
}

static int add_capsule(struct space *z, const struct robot *robot, int i, char *ret_why, int cap)
{
    const struct capsule_spec *s = &robot->space.capsule[i];
    struct space_capsule *k = &z->capsule[i];
    const bool of_base = strcmp(s->link, "base") == 0;
    if (s->n_from != 3 || s->n_to != 3) {
        return why(ret_why, cap, -EINVAL, "capsule %s: from_m and to_m are lists of 3 numbers",
                   s->name);
    }
    k->link = of_base ? SPACE_BASE : find_link(&robot->chain, s->link);
    if (k->link == robot->chain.n) {
        return why(ret_why, cap, -EINVAL,
                   "capsule %s: link %s is none of links: name one of them, or base", s->name,
                   s->link);
    }
    memcpy(k->end, s->from, sizeof s->from);
    memcpy(k->end + 3, s->to, sizeof s->to);
    k->radius = s->radius_m;
    fill_reach(&z->chain, k->link, fmax(length(s->from), length(s->to)), k->reach);
    return 0;
}

static int add_box(struct space *z, const struct space_spec *s, char *ret_why, int cap)
{
    if (s->n_box_min == 0 && s->n_box_max == 0) {
        return 0;
    }
    if (s->n_box_min != 3 || s->n_box_max != 3) {
        return why(ret_why, cap, -EINVAL,
                   "space: box_min_m and box_max_m are lists of 3 numbers, or both left out");
    }
    for (int axis = 0; axis < 3; axis++) {
        if (s->box_min[axis] >= s->box_max[axis]) {
            return why(ret_why, cap, -EINVAL,
                       "space: the box has no inside: box_min_m %g is not below box_max_m %g in %c",
                       s->box_min[axis], s->box_max[axis], "xyz"[axis]);
        }
        const int from = axis == 2 && z->spins ? 1 : 0;
        z->rule[z->n++] =
            (struct space_rule){SPACE_BOX, axis, -1, from, z->chain.n, s->box_min[axis]};
        z->rule[z->n++] =
            (struct space_rule){SPACE_BOX, axis, 1, from, z->chain.n, s->box_max[axis]};
    }
    return 0;
}

static void add_table(struct space *z, const struct space_spec *s)
{
    for (int i = 0; s->table && i < z->n_capsules; i++) {
        const struct space_capsule *k = &z->capsule[i];
        if (k->link != SPACE_BASE) {
            z->rule[z->n++] = (struct space_rule){
                SPACE_TABLE,      i,           0,
                z->spins ? 1 : 0, k->link + 1, s->table_z_m + s->table_margin_m + k->radius};
        }
    }
}

static void add_pairs(struct space *z, const struct space_spec *s)
{
    for (int i = 0; s->self && i < z->n_capsules; i++) {
        for (int k = 0; k < z->n_capsules; k++) {
            const struct space_capsule *a = &z->capsule[i], *b = &z->capsule[k];
            if (b->link - a->link >= s->self_joints_min) {
                z->rule[z->n++] = (struct space_rule){
                    SPACE_SELF,  i,           k,
                    a->link + 1, b->link + 1, a->radius + b->radius + s->self_margin_m};
            }
        }
    }
}

/* Speeds and accelerations are what braking is reckoned with, also where a body keeps its own. */
static int check_joints(const struct space *z, const struct robot *robot, char *ret_why, int cap)
{
    for (int i = 0; i < z->chain.n; i++) {
        const struct joint_spec *j = &robot->joint[z->chain.link[i].joint];
        const bool slow = !isfinite(j->qdd_max);
        if (j->actuated && (slow || !isfinite(j->qd_max))) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: %s must be set: space reckons with it how the arm can stop",
                       j->name, slow ? "qdd_max_rad_s2" : "qd_max_rad_s");
        }
    }
    return 0;
}

static int refuse_rule(const struct space *z, const struct space_spec *s, int i, char *ret_why,
                       int cap)
{
    const struct space_rule *r = &z->rule[i];
    if (r->kind == SPACE_BOX) {
        return why(ret_why, cap, -EINVAL,
                   "space: the tip is outside the box in %c at each of %d poses drawn from the "
                   "joints' ranges: correct box_min_m and box_max_m",
                   "xyz"[r->a], TRIES);
    }
    if (r->kind == SPACE_TABLE) {
        return why(ret_why, cap, -EINVAL,
                   "capsule %s: it is nearer to the table than space.table_margin_m %g at each of "
                   "%d poses drawn from the joints' ranges: correct it or table_z_m",
                   s->capsule[r->a].name, s->table_margin_m, TRIES);
    }
    return why(ret_why, cap, -EINVAL,
               "capsule %s: it is nearer to %s than space.self_margin_m %g at each of %d poses "
               "drawn from the joints' ranges: correct it, or raise self_joints_min",
               s->capsule[r->b].name, s->capsule[r->a].name, s->self_margin_m, TRIES);
}

/* A rule that no pose keeps would stop the arm for ever; one that nothing changes is left out. */
static int check_rules(struct space *z, const struct robot *robot, char *ret_why, int cap)
{
    bool kept[SPACE_RULES_MAX] = {false};
    struct rng rng;
    rng_seed(&rng, 0);
    for (int k = 0; k < TRIES; k++) {
        struct space_pose p;
        double q[CHAIN_MAX];
        for (int i = 0; i < z->chain.n; i++) {
            const struct joint_spec *j = &robot->joint[z->chain.link[i].joint];
            q[i] = j->actuated ? rng_between(&rng, j->q_min, j->q_max)
                               : rng_between(&rng, -M_PI, M_PI);
        }
        space_place(z, q, &p);
        for (int i = 0; i < z->n; i++) {
            kept[i] = kept[i] || space_distance(z, &p, i) >= 0.0;
        }
    }
    int n = 0;
    for (int i = 0; i < z->n; i++) {
        if (!kept[i]) {
            return refuse_rule(z, &robot->space, i, ret_why, cap);
        }
        if (z->rule[i].from < z->rule[i].to) {
            z->rule[n++] = z->rule[i];
        }
    }
    z->n = n;
    return 0;
}

int space_init(struct space *ret_space, const struct robot *robot, char *ret_why, int cap)
{
    const struct space_spec *s = &robot->space;
    struct space *z = ret_space;
    memset(z, 0, sizeof *z);
    if (s->n_capsules == 0 && s->n_box_min == 0 && s->n_box_max == 0 && !s->table && !s->self) {
        return 0;
    }
    int rc = chain_init(&z->chain, robot, ret_why, cap);
    if (rc < 0) {
        return why(ret_why, cap, -EINVAL,
                   "space: links must be set: without them nobody knows where the arm is");
    }
    if ((s->table || s->self) && s->n_capsules == 0) {
        return why(ret_why, cap, -EINVAL,
                   "space: capsules must be set: table and self keep them apart, and there are "
                   "none");
    }
    const struct chain_link *first = &z->chain.link[0];
    double axis[3];
    vec3_turn(first->r0, first->axis, axis);
    z->spins = hypot(axis[0], axis[1]) < VERTICAL;
    z->trip_m = s->trip_m;
    z->n_capsules = s->n_capsules;
    fill_reach(&z->chain, z->chain.n - 1, length(z->chain.tool_off), z->tip_reach);
    for (int i = 0; rc == 0 && i < s->n_capsules; i++) {
        rc = add_capsule(z, robot, i, ret_why, cap);
    }
    rc = rc == 0 ? add_box(z, s, ret_why, cap) : rc;
    if (rc == 0) {
        add_table(z, s);
        add_pairs(z, s);
        rc = z->n > 0 ? check_joints(z, robot, ret_why, cap) : 0;
    }
    return rc == 0 ? check_rules(z, robot, ret_why, cap) : rc;
}
