/* The chain from a robot's links, and where its frames are. */
#include "daemon/base/chain_inside.h"

#include "daemon/base/vec3.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define TINY 1e-9 /* of an inertia's trace: what rounding in a file may do to a flat body */

/* R = Rz(yaw) Ry(pitch) Rx(roll) */
static void rotation(const double *rpy, double *ret_r)
{
    const double sr = sin(rpy[0]), cr = cos(rpy[0]), sp = sin(rpy[1]), cp = cos(rpy[1]),
                 sy = sin(rpy[2]), cy = cos(rpy[2]);
    const double r[9] = {cy * cp,
                         cy * sp * sr - sy * cr,
                         cy * sp * cr + sy * sr,
                         sy * cp,
                         sy * sp * sr + cy * cr,
                         sy * sp * cr - cy * sr,
                         -sp,
                         cp * sr,
                         cp * cr};
    memcpy(ret_r, r, sizeof r);
}

/* Is the symmetric S + e 1 positive semidefinite: no principal minor below 0? */
static bool is_positive(const double *s, double e)
{
    const double a = s[0] + e, b = s[1] + e, c = s[2] + e, ab = s[3], ac = s[4], bc = s[5];
    return a >= 0.0 && b >= 0.0 && c >= 0.0 && a * b - ab * ab >= 0.0 && a * c - ac * ac >= 0.0 &&
           b * c - bc * bc >= 0.0 &&
           a * (b * c - bc * bc) - ab * (ab * c - bc * ac) + ac * (ab * bc - b * ac) >= 0.0;
}

static int check_link(const struct link_spec *k, char *ret_why, int cap)
{
    const struct {
        const char *key;
        int n, wanted;
    } vectors[] = {{"xyz_m", k->n_xyz, 3},
                   {"rpy_rad", k->n_rpy, 3},
                   {"axis", k->n_axis, 3},
                   {"com_m", k->n_com, 3},
                   {"inertia_kgm2", k->n_inertia, 6}};

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        if (vectors[i].n != vectors[i].wanted) {
            return why(ret_why, cap, -EINVAL, "link %s: %s is a list of %d numbers, not of %d",
                       k->name, vectors[i].key, vectors[i].wanted, vectors[i].n);
        }
    }
    if (vec3_dot(k->axis, k->axis) < 1e-6) {
        return why(ret_why, cap, -EINVAL, "link %s: axis has no direction: its length is 0",
                   k->name);
    }
    const double *s = k->inertia, trace = s[0] + s[1] + s[2];
    if (!is_positive(s, -TINY * trace) || trace <= 0.0) {
        return why(ret_why, cap, -EINVAL,
                   "link %s: inertia_kgm2 is not positive definite: no body has it", k->name);
    }
    /* the second moments of mass: tr(I)/2 1 - I */
    const double second[6] = {-s[0], -s[1], -s[2], -s[3], -s[4], -s[5]};
    if (!is_positive(second, 0.5 * trace + TINY * trace)) {
        return why(ret_why, cap, -EINVAL,
                   "link %s: inertia_kgm2 has a principal moment that is larger than the sum of "
                   "the other two: no body has it",
                   k->name);
    }
    return 0;
}

/* I about the frame's origin: I_c + m (c.c 1 - c c') */
static void move_inertia(const struct link_spec *k, double *ret_inertia)
{
    const double *c = k->com, m = k->mass_kg, cc = vec3_dot(c, c);
    for (int i = 0; i < 3; i++) {
        ret_inertia[i] = k->inertia[i] + m * (cc - c[i] * c[i]);
    }
    ret_inertia[3] = k->inertia[3] - m * c[0] * c[1];
    ret_inertia[4] = k->inertia[4] - m * c[0] * c[2];
    ret_inertia[5] = k->inertia[5] - m * c[1] * c[2];
}

/* R0 (1 + sin q K + (1 - cos q) K K), K the cross product with the axis: Rodrigues */
static void fill_link(const struct link_spec *k, struct chain_link *ret_link)
{
    struct chain_link *l = ret_link;
    const double length = sqrt(vec3_dot(k->axis, k->axis));
    for (int i = 0; i < 3; i++) {
        l->axis[i] = k->axis[i] / length;
        l->off[i] = k->xyz[i];
        l->p[CHAIN_HX + i] = k->mass_kg * k->com[i];
    }
    const double *a = l->axis;
    const double cross[9] = {0.0, -a[2], a[1], a[2], 0.0, -a[0], -a[1], a[0], 0.0};
    rotation(k->rpy, l->r0);
    mat3_times(l->r0, cross, l->rs);
    mat3_times(l->rs, cross, l->rc);
    l->p[CHAIN_M] = k->mass_kg;
    move_inertia(k, l->p + CHAIN_IXX);
    l->p[CHAIN_ARMATURE] = k->armature_kgm2;
    l->p[CHAIN_VISCOUS] = k->damping_nms_rad;
    l->p[CHAIN_COULOMB] = k->friction_nm;
}

static int find_joint(const struct robot *r, const char *name)
{
    int j = 0;
    while (j < r->n_joints && strcmp(r->joint[j].name, name) != 0) {
        j++;
    }
    return j;
}

int chain_init(struct chain *ret_chain, const struct robot *robot, char *ret_why, int cap)
{
    const struct chain_spec *s = &robot->chain;
    if (s->n == 0) {
        return why(ret_why, cap, -ENOENT, "links must be set: the robot file names none");
    }
    if (s->n_gravity != 3 || s->n_tool_xyz != 3 || s->n_tool_rpy != 3) {
        return why(ret_why, cap, -EINVAL,
                   "chain: gravity_m_s2, tool_xyz_m and tool_rpy_rad are lists of 3 numbers");
    }
    struct chain c = {.n = s->n};
    memcpy(c.gravity, s->gravity, sizeof c.gravity);
    memcpy(c.tool_off, s->tool_xyz, sizeof c.tool_off);
    rotation(s->tool_rpy, c.tool_r);
    for (int i = 0; i < s->n; i++) {
        c.link[i].joint = find_joint(robot, s->link[i].name);
        if (c.link[i].joint == robot->n_joints) {
            return why(ret_why, cap, -EINVAL, "link %s: the robot has no joint of that name",
                       s->link[i].name);
        }
        const int rc = check_link(&s->link[i], ret_why, cap);
        if (rc < 0) {
            return rc;
        }
        fill_link(&s->link[i], &c.link[i]);
    }
    *ret_chain = c;
    return 0;
}

void chain_turn(const struct chain_link *l, double q, double *ret_r)
{
    const double s = sin(q), c1 = 1.0 - cos(q);
    for (int k = 0; k < 9; k++) {
        ret_r[k] = l->r0[k] + s * l->rs[k] + c1 * l->rc[k];
    }
}

/* The frame with rotation r and origin off in another one, in the base's. */
static void place(const struct frame *in, const double *r, const double *off,
                  struct frame *ret_frame)
{
    mat3_times(in->r, r, ret_frame->r);
    vec3_turn(in->r, off, ret_frame->p);
    vec3_add(1.0, in->p, ret_frame->p);
}

void chain_frames(const struct chain *c, const double *q, struct frame *ret_link,
                  struct frame *ret_tool)
{
    struct frame at = {.r = {1, 0, 0, 0, 1, 0, 0, 0, 1}};
    for (int i = 0; i < c->n; i++) {
        double r[9];
        chain_turn(&c->link[i], q[i], r);
        place(&at, r, c->link[i].off, &ret_link[i]);
        at = ret_link[i];
    }
    place(&at, c->tool_r, c->tool_off, ret_tool);
}

void chain_jacobian(const struct chain *c, const struct frame *frames, const double *point,
                    double *ret_j)
{
    const int n = c->n;
    for (int i = 0; i < n; i++) {
        double axis[3], arm[3], speed[3];
        vec3_turn(frames[i].r, c->link[i].axis, axis);
        memcpy(arm, point, sizeof arm);
        vec3_add(-1.0, frames[i].p, arm);
        vec3_cross(axis, arm, speed);
        for (int k = 0; k < 3; k++) {
            ret_j[k * n + i] = speed[k];
            ret_j[(3 + k) * n + i] = axis[k];
        }
    }
}
