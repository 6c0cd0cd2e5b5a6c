/* What a robot file's responses ask for, against what the robot has. */
#include "daemon/bus_codec.h"
#include "daemon/respond.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define TURN_RAD  (2.0 * M_PI)
#define RELEASE_S 2.0 /* of a descent: from still to not carried, twice */

static const char *const names[] = {
#define X(name, text) text,
    CAUSES(X)
#undef X
};

const char *cause_name(enum cause cause)
{
    return cause < CAUSES_N ? names[cause] : "";
}

static bool is_asked(const struct response_settings *c, enum response how)
{
    for (int i = CAUSE_NONE + 1; i < CAUSES_N; i++) {
        if (c->how[i] == (int)how) {
            return true;
        }
    }
    return false;
}

/* The largest damping that a joint's device can be told, at the joint; 0: it takes none. */
static double kd_max(const struct robot *robot, int j)
{
    const struct joint_spec *p = &robot->joint[j];
    if (robot->direct) {
        return (double)INFINITY;
    }
    const struct driver_info *d = bus_codec_find(robot->bus[p->bus].driver).info;
    return d == NULL ? 0.0 : d->kd_max * p->gear * p->gear;
}

static bool can_sink(const struct robot *robot, const struct response_settings *c)
{
    for (int j = 0; j < robot->n_joints; j++) {
        if (robot->joint[j].actuated && !(kd_max(robot, j) > 0.0)) {
            return false;
        }
    }
    return c->n_kd > 0;
}

static int check_rest(const struct responder *r, char *ret_why, int cap)
{
    const struct robot *robot = r->robot;
    const struct response_settings *c = r->c;
    if (c->n_rest == 0) {
        return is_asked(c, RESPONSE_RETREAT)
                   ? why(ret_why, cap, -EINVAL,
                         "responses.rest_pose_rad must be set: a retreat needs a pose to go to, "
                         "one number for each of %d joints",
                         robot->n_joints)
                   : 0;
    }
    return robot_check_pose(robot, c->rest, c->n_rest, "responses.rest_pose_rad", ret_why, cap);
}

/* Torque off at the rest pose must let nothing fall. */
static int check_weight(const struct responder *r, char *ret_why, int cap)
{
    double pose[CHAIN_MAX], g[CHAIN_MAX];
    if (r->c->n_rest == 0 || r->chain.n == 0 || r->c->rest_supported) {
        return 0;
    }
    for (int i = 0; i < r->chain.n; i++) {
        pose[i] = r->c->rest[r->chain.link[i].joint];
    }
    chain_gravity(&r->chain, pose, g);
    for (int i = 0; i < r->chain.n; i++) {
        if (!(fabs(g[i]) <= r->c->rest_torque_nm)) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: gravity pulls with %.3g Nm in responses.rest_pose_rad, "
                       "rest_torque_nm allows %g: choose a pose that hangs or stands, or set "
                       "rest_supported: true where something carries the robot there",
                       r->robot->joint[r->chain.link[i].joint].name, fabs(g[i]),
                       r->c->rest_torque_nm);
        }
    }
    return 0;
}

/* From the farthest pose there must be time to get there. */
static int check_time(const struct responder *r, char *ret_why, int cap)
{
    for (int j = 0; j < r->robot->n_joints && r->c->n_rest > 0; j++) {
        const struct joint_spec *p = &r->robot->joint[j];
        const double way =
            p->actuated ? fmax(r->c->rest[j] - p->q_min, p->q_max - r->c->rest[j]) : 0.0;
        const double longest_s = way / r->v[j] + r->v[j] / r->a[j] + 1.0;
        if (way > 0.0 && longest_s > r->c->retreat_s) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: from the far end of its range a retreat takes up to %.1f s, "
                       "responses.retreat_s allows %g: allow more time or a higher retreat_rad_s",
                       p->name, longest_s, r->c->retreat_s);
        }
    }
    return 0;
}

static int check_damping(const struct responder *r, char *ret_why, int cap)
{
    const struct robot *robot = r->robot;
    const struct response_settings *c = r->c;
    const bool asked = is_asked(c, RESPONSE_DAMPED);
    if (c->n_kd == 0 && asked) {
        return why(ret_why, cap, -EINVAL,
                   "responses.damped_kd_nms_rad must be set: damped needs a damping, one number "
                   "for all, or one for each of %d joints",
                   robot->n_joints);
    }
    if (c->n_kd > 1 && c->n_kd != robot->n_joints) {
        return why(ret_why, cap, -EINVAL,
                   "responses.damped_kd_nms_rad has %d numbers; one for all, or one for each of %d "
                   "joints",
                   c->n_kd, robot->n_joints);
    }
    for (int j = 0; j < robot->n_joints && c->n_kd > 0; j++) {
        const double most = kd_max(robot, j), kd = c->damped_kd[c->n_kd > 1 ? j : 0];
        if (!robot->joint[j].actuated || kd <= most) {
            continue;
        }
        if (most > 0.0) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: responses.damped_kd_nms_rad %g is more than its device can be "
                       "told, %g",
                       robot->joint[j].name, kd, most);
        }
        if (asked) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: its %s device takes poses, no damping: damped is not for it; use "
                       "retreat, hold or limp",
                       robot->joint[j].name, robot->bus[robot->joint[j].bus].driver);
        }
    }
    return 0;
}

/* Why torque may go off where a joint carries something; NULL: it never does. */
static const char *drops(const struct responder *r, enum cause *ret_cause)
{
    for (int i = CAUSE_NONE + 1; i < CAUSES_N; i++) {
        if (i != CAUSE_PROCESS_DEAD && r->c->how[i] == RESPONSE_LIMP) {
            *ret_cause = (enum cause)i;
            return "is limp";
        }
    }
    for (int i = CAUSE_NONE + 1; i < CAUSES_N; i++) {
        if (r->c->how[i] == RESPONSE_RETREAT && r->after_retreat == RESPONSE_LIMP) {
            *ret_cause = (enum cause)i;
            return "is retreat, and a retreat that fails ends limp, for no damped_kd_nms_rad is "
                   "set or no device takes one";
        }
    }
    *ret_cause = CAUSE_PROCESS_DEAD;
    return "is limp, as nothing of basald is left to do better";
}

static int check_drop(const struct responder *r, char *ret_why, int cap)
{
    const struct robot *robot = r->robot;
    enum cause cause;
    bool driven = false;
    for (int j = 0; j < robot->n_joints; j++) {
        driven = driven || robot->joint[j].actuated;
    }
    if (robot->n_buses == 0 || !driven || robot->drop_accepted || robot->brake) {
        return 0;
    }
    const char *what = drops(r, &cause);
    return why(ret_why, cap, -EINVAL,
               "estop.drop_accepted must be true: responses.%s %s: torque goes off, and a joint "
               "that carries something then drops; see that none does, or that it may, or that "
               "brakes hold it (estop.brake)",
               cause_name(cause), what);
}

static int check_words(const struct response_settings *c, char *ret_why, int cap)
{
    if (c->how[CAUSE_STOP] == RESPONSE_HOLD) {
        return why(ret_why, cap, -EINVAL,
                   "responses.stop hold would never end: use retreat, damped or limp");
    }
    if (c->how[CAUSE_PROCESS_DEAD] != RESPONSE_LIMP) {
        return why(ret_why, cap, -EINVAL,
                   "responses.process_dead can only be limp: the devices do what they do on a "
                   "silent bus, then basald --make-safe cuts torque");
    }
    return 0;
}

/* The longest way down at the wanted speed, twice, and the releases; ranges beyond a turn count as
 * one. */
static double longest_descent_s(const struct responder *r)
{
    double way = 0.0;
    for (int j = 0; j < r->robot->n_joints; j++) {
        const struct joint_spec *p = &r->robot->joint[j];
        way = p->actuated ? fmax(way, fmin(p->q_max - p->q_min, TURN_RAD)) : way;
    }
    return 2.0 * way / r->c->damped_rad_s + RELEASE_S;
}

double respond_stop_s(const struct responder *r)
{
    const double sinks_s = r->brake_s + r->damped_s + r->brake_s;
    if (r->c->how[CAUSE_STOP] == RESPONSE_RETREAT) {
        return r->brake_s + r->c->retreat_s +
               (r->after_retreat == RESPONSE_DAMPED ? sinks_s : r->brake_s);
    }
    return r->c->how[CAUSE_STOP] == RESPONSE_DAMPED ? sinks_s : r->brake_s;
}

int respond_init(struct responder *ret_responder, const struct robot *robot,
                 const struct response_settings *settings, double stop_s, char *ret_why, int cap)
{
    struct responder *r = ret_responder;
    *r = (struct responder){.robot = robot,
                            .c = settings,
                            .dt_s = 1.0 / robot->control_rate_hz,
                            .brake_s = stop_s,
                            .after_retreat =
                                can_sink(robot, settings) ? RESPONSE_DAMPED : RESPONSE_LIMP};
    int rc = robot->chain.n > 0 ? chain_init(&r->chain, robot, ret_why, cap) : 0;
    for (int j = 0; j < robot->n_joints; j++) {
        const struct joint_spec *p = &robot->joint[j];
        r->v[j] = fmin(settings->retreat_rad_s, p->qd_max);
        r->a[j] = fmin(settings->retreat_rad_s2, p->qdd_max);
    }
    r->damped_s = longest_descent_s(r);
    rc = rc == 0 ? check_words(settings, ret_why, cap) : rc;
    rc = rc == 0 ? check_rest(r, ret_why, cap) : rc;
    rc = rc == 0 ? check_weight(r, ret_why, cap) : rc;
    rc = rc == 0 ? check_time(r, ret_why, cap) : rc;
    rc = rc == 0 ? check_damping(r, ret_why, cap) : rc;
    return rc == 0 ? check_drop(r, ret_why, cap) : rc;
}
