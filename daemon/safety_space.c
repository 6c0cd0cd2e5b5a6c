/*
 * Distances to what the robot file forbids, and how they change with the joints. A point p that
 * link k carries moves with joint j <= k by (a_j x (p - o_j)) qd_j, a_j its axis, o_j its origin.
 *
 *   box      h = b (side - tip)                    b = 1: upper side, -1: lower
 *   table    h = the lower end's z - least         a capsule is lowest at an end
 *   self     h = |b - a| - least                   a, b: the nearest points of two capsules' lines;
 *            dh = (b - a)/|b - a| . d(b - a)       that they slide along the lines changes nothing
 */
#include "daemon/safety_space.h"

#include "daemon/base/segment.h"
#include "daemon/base/vec3.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void place_capsule(const struct space_capsule *k, const struct space_pose *p,
                          double *ret_end)
{
    if (k->link == SPACE_BASE) {
        memcpy(ret_end, k->end, sizeof k->end);
        return;
    }
    const struct frame *f = &p->link[k->link];
    for (int side = 0; side < 6; side += 3) {
        vec3_turn(f->r, k->end + side, ret_end + side);
        vec3_add(1.0, f->p, ret_end + side);
    }
}

void space_place(const struct space *z, const double *q, struct space_pose *ret_pose)
{
    chain_frames(&z->chain, q, ret_pose->link, &ret_pose->tool);
    for (int j = 0; j < z->chain.n; j++) {
        vec3_turn(ret_pose->link[j].r, z->chain.link[j].axis, ret_pose->axis[j]);
    }
    for (int i = 0; i < z->n_capsules; i++) {
        place_capsule(&z->capsule[i], ret_pose, ret_pose->end[i]);
    }
}

static const double *lower_end(const double *end)
{
    return end[2] <= end[5] ? end : end + 3;
}

/* h_i, the point of the body that makes it, and the direction in which it grows. */
static double worst_point(const struct space *z, const struct space_pose *p, int i,
                          double *ret_point, double *ret_way)
{
    const struct space_rule *r = &z->rule[i];
    if (r->kind == SPACE_SELF) {
        double a[3];
        const double apart = segment_apart(p->end[r->a], p->end[r->b], a, ret_point);
        for (int k = 0; k < 3; k++) {
            ret_way[k] = apart > 0.0 ? (ret_point[k] - a[k]) / apart : 0.0;
        }
        return apart - r->least;
    }
    const bool box = r->kind == SPACE_BOX;
    const double *point = box ? p->tool.p : lower_end(p->end[r->a]);
    for (int k = 0; k < 3; k++) {
        ret_point[k] = point[k];
        ret_way[k] = box ? (k == r->a ? -r->b : 0.0) : (k == 2 ? 1.0 : 0.0);
    }
    return box ? r->b * (r->least - point[r->a]) : point[2] - r->least;
}

double space_distance(const struct space *z, const struct space_pose *p, int i)
{
    double point[3], way[3];
    return worst_point(z, p, i, point, way);
}

double space_gradient(const struct space *z, const struct space_pose *p, int i, double *ret_g)
{
    const struct space_rule *r = &z->rule[i];
    double point[3], way[3];
    const double h = worst_point(z, p, i, point, way);
    for (int j = 0; j < z->chain.n; j++) {
        double arm[3], speed[3];
        for (int k = 0; k < 3; k++) {
            arm[k] = point[k] - p->link[j].p[k];
        }
        vec3_cross(p->axis[j], arm, speed);
        ret_g[j] = j >= r->from && j < r->to ? vec3_dot(way, speed) : 0.0;
    }
    return h;
}

double space_change(const struct space *z, int i, const double *turn)
{
    const struct space_rule *r = &z->rule[i];
    const double *reach = r->kind == SPACE_BOX     ? z->tip_reach
                          : r->kind == SPACE_TABLE ? z->capsule[r->a].reach
                                                   : z->capsule[r->b].reach;
    double most = 0.0;
    for (int j = r->from; j < r->to; j++) {
        most += reach[j] * fabs(turn[j]);
    }
    return most;
}

double space_least(const struct space *z, const double *q, int *ret_i)
{
    struct space_pose p;
    double least = HUGE_VAL;
    *ret_i = 0;
    space_place(z, q, &p);
    for (int i = 0; i < z->n; i++) {
        const double h = space_distance(z, &p, i);
        if (h < least) {
            least = h;
            *ret_i = i;
        }
    }
    return least;
}

int space_words(const struct space *z, const struct robot *robot, const double *q, int i,
                char *ret_text, int cap)
{
    const struct space_rule *r = &z->rule[i];
    const struct space_spec *s = &robot->space;
    struct space_pose p;
    space_place(z, q, &p);
    const double h = space_distance(z, &p, i);
    if (r->kind == SPACE_BOX) {
        return snprintf(ret_text, (size_t)cap,
                        "the tip is %.3f m %s the box, whose %s side in %c is at %.3f m", fabs(h),
                        h < 0.0 ? "outside" : "inside", r->b > 0 ? "upper" : "lower", "xyz"[r->a],
                        r -> least);
    }
    if (r->kind == SPACE_TABLE) {
        return snprintf(ret_text, (size_t)cap,
                        "capsule %s is %.3f m above the table, %.3f m are wanted",
                        s->capsule[r->a].name, h + s->table_margin_m, s->table_margin_m);
    }
    return snprintf(ret_text, (size_t)cap, "capsules %s and %s are %.3f m apart, %.3f m are wanted",
                    s->capsule[r->a].name, s->capsule[r->b].name, h + s->self_margin_m,
                    s->self_margin_m);
}
