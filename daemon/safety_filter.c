/*
 * The filter: asked command -> safe command, joint by joint. Nothing here depends on what decides,
 * only on the last safe command, the joint's limits and what is sensed.
 *
 * A joint may move towards an end of its range at distance d no faster than v(d) of
 * safety_speed.h, with T = age of the sample + latency + one hold. A goal in flight lies inside the
 * range, so a_in = 0 for position goals, whose trajectory is known exactly; speeds and torques in
 * flight can still add a_in = qdd_max.
 *
 * Last come the joints of links together: safety_space_limit.c.
 */
#include "daemon/safety_inside.h"
#include "daemon/safety_speed.h"

#include <math.h>
#include <string.h>

#define SAME_RAD 1e-9 /* an asked goal that is met */

void safety_bite(struct safety *z, int j, enum safety_rule rule)
{
    if (rule != RULE_NONE) {
        z->bites[j][rule]++;
    }
    if (rule > z->rule[j]) {
        z->rule[j] = (uint8_t)rule;
    }
}

/* What is not finite becomes `instead`. */
static double finite_or(struct safety *z, int j, double x, double instead)
{
    if (isfinite(x)) {
        return x;
    }
    safety_bite(z, j, RULE_NOT_FINITE);
    return instead;
}

/* Torque falls linearly from derate_from_frac of temp_max_c to nothing there; an unknown
 * temperature does not derate. */
static double derating(const struct safety *z, const struct sensed *s, int j)
{
    const double temp_max_c = z->robot->joint[j].temp_max_c, temp_c = (double)s->temp_c[j];
    const double from_c = z->settings.derate_from_frac * temp_max_c;
    if (z->robot->direct || z->lets_go || !(temp_c > from_c)) {
        return 1.0;
    }
    return temp_c < temp_max_c ? (temp_max_c - temp_c) / (temp_max_c - from_c) : 0.0;
}

static void limit_effort(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const double tau_max = z->robot->joint[j].tau_max;
    const double asked = finite_or(z, j, cmd->tau_max[j], 0.0);
    const double safe = clip(asked, 0.0, tau_max * derating(z, s, j));
    if (safe != asked) {
        safety_bite(z, j, RULE_EFFORT);
    }
    cmd->tau_max[j] = safe;
    z->ceiling[j] = safe / tau_max;
}

/*
 * The speed of this tick that follows a goal from where it was, q_ask, to `goal`, its own speed fed
 * forward, so that a steady ramp is met exactly and a step without overshoot.
 */
static double follow(const struct safety *z, int j, double goal)
{
    const double a_b = z->robot->joint[j].qdd_max * z->ceiling[j];
    const double behind = z->q_ask[j] - z->q_cmd[j];
    return (goal - z->q_ask[j]) / z->dt_s +
           copysign(speed_towards(fabs(behind), a_b, 0.0, z->dt_s), behind);
}

double safety_limit_speed(const struct safety *z, int j, double v, enum safety_rule *ret_rule)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const double step = p->qdd_max * z->dt_s, a_b = p->qdd_max * z->ceiling[j];
    const double t = z->settings.latency_s + z->dt_s;
    const double slow = clip(v, -p->qd_max, p->qd_max);
    const double smooth = clip(slow, z->qd_cmd[j] - step, z->qd_cmd[j] + step);
    const double safe = clip(smooth, -speed_towards(z->q_cmd[j] - p->q_min, a_b, 0.0, t),
                             speed_towards(p->q_max - z->q_cmd[j], a_b, 0.0, t));
    *ret_rule =
        RULE_ACCELERATION; /* where nothing else does, slowing down before the goal keeps it back */
    if (safe != smooth) {
        *ret_rule = RULE_BRAKING;
    } else if (slow != v && smooth == slow) {
        *ret_rule = RULE_VELOCITY;
    }
    return safe;
}

void safety_advance(struct safety *z, int j, double v)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const double q = z->q_cmd[j];
    const double q_new = clip(q + v * z->dt_s, fmin(p->q_min, q), fmax(p->q_max, q));
    z->qd_cmd[j] = v;
    z->q_cmd[j] = q_new;
}

/* The goal that may be followed: the one asked for, cut to the range, or where there is none the
 * last one. */
static double choose_goal(struct safety *z, int j, double asked)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const double finite = finite_or(z, j, asked, z->q_ask[j]);
    if (z->stale[j] > 1) {
        safety_bite(z, j, RULE_STALE);
        return z->q_ask[j];
    }
    const double goal = clip(finite, p->q_min, p->q_max);
    if (goal != finite) {
        safety_bite(z, j, RULE_POSITION);
    }
    return goal;
}

static void filter_position(struct safety *z, struct command *cmd, int j)
{
    enum safety_rule rule;
    const double goal = choose_goal(z, j, cmd->q[j]);
    safety_advance(z, j, safety_limit_speed(z, j, follow(z, j, goal), &rule));
    if (fabs(z->q_cmd[j] - goal) > SAME_RAD) {
        safety_bite(z, j, rule);
    }
    z->q_ask[j] = goal;
    cmd->q[j] = z->q_cmd[j];
    cmd->qd[j] = z->qd_cmd[j];
}

/* To rest as fast as the acceleration limit allows, and stay. */
static void filter_hold(struct safety *z, struct command *cmd, int j)
{
    enum safety_rule rule;
    safety_advance(z, j, safety_limit_speed(z, j, 0.0, &rule));
    safety_bite(z, j, rule == RULE_BRAKING ? RULE_BRAKING : RULE_NONE);
    safety_bite(z, j, z->stale[j] > 1 ? RULE_STALE : RULE_NONE);
    z->q_ask[j] = z->q_cmd[j];
    cmd->mode[j] = MODE_POSITION;
    cmd->q[j] = z->q_cmd[j];
    cmd->qd[j] = z->qd_cmd[j];
}

/* Fastest speeds towards both ends that the measured pose allows while qdd_max may still be on its
 * way. */
static void measured_speeds(const struct safety *z, const struct sensed *s, int j, double *ret_down,
                            double *ret_up)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const double age_s = (double)s->age_us[j] * 1e-6 + z->stale[j] * z->dt_s;
    const double t = fmax(0.0, age_s) + z->settings.latency_s + z->dt_s;
    const double a_b = p->qdd_max * z->ceiling[j];
    *ret_down = speed_allowed(s->q[j] - p->q_min, a_b, p->qdd_max,
                              t); /* -infinity where the pose is not finite */
    *ret_up = speed_allowed(p->q_max - s->q[j], a_b, p->qdd_max, t);
}

/* Outside position modes the trajectory is what is measured, so that a change of mode starts from
 * there. */
static void follow_measured(struct safety *z, const struct sensed *s, int j)
{
    if (isfinite(s->q[j])) {
        z->q_cmd[j] = z->q_ask[j] = s->q[j];
    }
}

static void filter_velocity(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const double step = p->qdd_max * z->dt_s;
    double down, up, asked = finite_or(z, j, cmd->qd[j], 0.0);
    if (z->stale[j] > 1) {
        safety_bite(z, j, RULE_STALE);
        asked = 0.0;
    }
    measured_speeds(z, s, j, &down, &up);
    const double slow = clip(asked, -p->qd_max, p->qd_max);
    const double smooth = clip(slow, z->qd_cmd[j] - step, z->qd_cmd[j] + step);
    const double safe = clip(smooth, -fmax(0.0, down), fmax(0.0, up));
    safety_bite(z, j,
                safe != smooth ? RULE_BRAKING
                               : (smooth != slow ? RULE_ACCELERATION
                                                 : (slow != asked ? RULE_VELOCITY : RULE_NONE)));
    follow_measured(z, s, j);
    z->qd_cmd[j] = safe;
    cmd->q[j] = z->q_cmd[j];
    cmd->qd[j] = safe;
}

static void filter_effort(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const double ceiling = cmd->tau_max[j], qd_max = z->robot->joint[j].qd_max;
    const double asked = finite_or(z, j, cmd->tau[j], 0.0),
                 qd = isfinite(s->qd[j]) ? s->qd[j] : 0.0;
    double down, up, safe = clip(asked, -ceiling, ceiling);
    measured_speeds(z, s, j, &down, &up);
    if (safe != asked) {
        safety_bite(z, j, RULE_EFFORT);
    }
    if (z->stale[j] > 0 ||
        !isfinite(s->q[j] + s->qd[j])) { /* a torque is never repeated on an old sample */
        safety_bite(z, j, RULE_STALE);
        safe = 0.0;
    } else if (qd >= fmin(up, qd_max)) {
        safety_bite(z, j, RULE_BRAKING);
        safe = qd > 0.0 ? -ceiling : fmin(safe, 0.0);
    } else if (qd <= -fmin(down, qd_max)) {
        safety_bite(z, j, RULE_BRAKING);
        safe = qd < 0.0 ? ceiling : fmax(safe, 0.0);
    }
    follow_measured(z, s, j);
    z->qd_cmd[j] = clip(qd, -qd_max, qd_max);
    cmd->q[j] = z->q_cmd[j];
    cmd->qd[j] = z->qd_cmd[j];
    cmd->tau[j] = safe;
}

static void filter_impedance(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const double ceiling = cmd->tau_max[j];
    const double tau = finite_or(z, j, cmd->tau[j], 0.0);
    cmd->kp[j] = fmax(0.0, finite_or(z, j, cmd->kp[j], 0.0));
    cmd->kd[j] = fmax(0.0, finite_or(z, j, cmd->kd[j], 0.0));
    cmd->tau[j] = z->stale[j] > 0 ? 0.0 : clip(tau, -ceiling, ceiling);
    if (cmd->kp[j] <= 0.0) {
        follow_measured(z, s, j);
        z->qd_cmd[j] = cmd->qd[j] = 0.0;
        cmd->q[j] = z->q_cmd[j];
        return;
    }
    filter_position(z, cmd, j);
}

static void filter_off(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    safety_bite(z, j, RULE_OFF);
    z->held &= ~(UINT64_C(1) << j);
    z->qd_cmd[j] = z->ceiling[j] = 0.0;
    follow_measured(z, s, j);
    cmd->mode[j] = MODE_OFF;
    cmd->q[j] = z->q_cmd[j];
    cmd->qd[j] = cmd->tau[j] = cmd->kp[j] = cmd->kd[j] = cmd->tau_max[j] = 0.0;
}

/* The body keeps its own limits: what is finite and in range passes. */
static void filter_direct(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const double ceiling = cmd->tau_max[j], tau = finite_or(z, j, cmd->tau[j], 0.0);
    cmd->tau[j] = clip(tau, -ceiling, ceiling);
    safety_bite(z, j, cmd->tau[j] != tau ? RULE_EFFORT : RULE_NONE);
    cmd->qd[j] = finite_or(z, j, cmd->qd[j], 0.0);
    cmd->kp[j] = fmax(0.0, finite_or(z, j, cmd->kp[j], 0.0));
    cmd->kd[j] = fmax(0.0, finite_or(z, j, cmd->kd[j], 0.0));
    if (cmd->mode[j] == MODE_EFFORT || cmd->mode[j] == MODE_VELOCITY) {
        follow_measured(z, s, j);
    } else {
        z->q_cmd[j] = z->q_ask[j] = choose_goal(z, j, cmd->q[j]);
    }
    cmd->q[j] = z->q_cmd[j];
    z->qd_cmd[j] = cmd->qd[j];
    if (cmd->mode[j] == MODE_HOLD) {
        cmd->mode[j] = MODE_POSITION;
    }
}

/* Has this joint a trajectory to go on from? Without one it starts at rest where a fresh sample
 * says it is. */
static bool start(struct safety *z, const struct sensed *s, int j)
{
    const uint64_t bit = UINT64_C(1) << j;
    if ((z->held & bit) != 0) {
        return true;
    }
    if ((z->fresh & bit) == 0 || !isfinite(s->q[j])) {
        z->stale[j]++; /* it wants to move and is not seen */
        return false;
    }
    z->held |= bit;
    z->q_cmd[j] = z->q_ask[j] = s->q[j];
    z->qd_cmd[j] = 0.0;
    return true;
}

/* What a goal of a pose carries of the robot's weight, within the ceiling; of an old angle
 * nothing. */
static double weight_of(struct safety *z, const struct command *cmd, int j)
{
    if (!z->robot->carry_weight || cmd->mode[j] == MODE_VELOCITY || z->stale[j] > 0) {
        return 0.0;
    }
    return clip(finite_or(z, j, cmd->tau[j], 0.0), -cmd->tau_max[j], cmd->tau_max[j]);
}

static void filter_joint(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const bool linked = (z->linked >> j & 1u) != 0;
    if (linked && (cmd->mode[j] == MODE_VELOCITY || cmd->mode[j] == MODE_EFFORT)) {
        safety_bite(z, j, RULE_SPACE);
        cmd->mode[j] = MODE_HOLD;
    }
    const uint8_t mode = cmd->mode[j];
    const bool off = mode == MODE_OFF || mode > MODE_IMPEDANCE || !z->robot->joint[j].actuated;
    if (off || !start(z, s, j)) {
        filter_off(z, s, cmd, j);
        return;
    }
    limit_effort(z, s, cmd, j);
    if (mode != MODE_IMPEDANCE) {
        cmd->kp[j] = cmd->kd[j] = 0.0;
    }
    if (mode != MODE_IMPEDANCE && mode != MODE_EFFORT) {
        cmd->tau[j] = weight_of(z, cmd, j);
    }
    if (z->robot->direct && !linked) {
        filter_direct(z, s, cmd, j);
        return;
    }
    switch ((enum command_mode)mode) {
    case MODE_HOLD:
        filter_hold(z, cmd, j);
        break;
    case MODE_VELOCITY:
        filter_velocity(z, s, cmd, j);
        break;
    case MODE_EFFORT:
        filter_effort(z, s, cmd, j);
        break;
    case MODE_IMPEDANCE:
        filter_impedance(z, s, cmd, j);
        break;
    case MODE_OFF:
    case MODE_POSITION:
        filter_position(z, cmd, j);
        break;
    }
}

void safety_filter(struct safety *z, const struct sensed *s, struct command *cmd)
{
    struct safety_before b = {.held = z->held};
    memset(z->rule, RULE_NONE, sizeof z->rule);
    cmd->n = z->robot->n_joints;
    if (z->space.n > 0) {
        memcpy(b.q, z->q_cmd, sizeof b.q);
        memcpy(b.qd, z->qd_cmd, sizeof b.qd);
        memcpy(b.mode, cmd->mode, sizeof b.mode);
    }
    for (int j = 0; j < cmd->n; j++) {
        filter_joint(z, s, cmd, j);
    }
    if (z->space.n > 0) {
        safety_keep_space(z, s, &b, cmd);
    }
    z->primed = z->held != 0;
}
