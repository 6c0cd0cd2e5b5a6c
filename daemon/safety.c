/*
 * The filter. Each joint's goal moves from the last safe goal under limits of acceleration and velocity, inside its
 * range, and never faster towards an end than it can still brake:
 *
 *   v(d) = sqrt(a_b (a_b + a_in) T^2 + 2 a_b d) - (a_b + a_in) T
 *
 * d: distance to the end, T: sample age + latency + one hold, a_b: braking, a_in: what commands in flight may still add.
 */
#include "daemon/safety.h"


#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct safety_settings, field)

/* clang-format off */
const struct option safety_options[] = {
    {.key = "position_margin_rad", .type = OPTION_DOUBLE, .offset = AT(position_margin_rad), .min = 0, .max = 3, .def = "0.15",
     .help = "measured overshoot beyond a joint's range before the robot stops"},
    {.key = "velocity_margin_frac", .type = OPTION_DOUBLE, .offset = AT(velocity_margin_frac), .min = 0, .max = 10, .def = "0.5",
     .help = "measured speed beyond qd_max, as a part of it, before the robot stops"},
    {.key = "latency_s", .type = OPTION_DOUBLE, .offset = AT(latency_s), .min = 0, .max = 1, .def = "0.01",
     .help = "from a sample to the torque it leads to; part of the braking distance"},
    {.key = "effort_s", .type = OPTION_DOUBLE, .offset = AT(effort_s), .min = 0, .max = 60, .def = "1",
     .help = "how long measured effort may exceed its ceiling"},
    {.key = "runaway_s", .type = OPTION_DOUBLE, .offset = AT(runaway_s), .min = 0, .max = 60, .def = "0.3",
     .help = "how long a joint may move fast against its command"},
    {.key = "stale_ticks_max", .type = OPTION_INT, .offset = AT(stale_ticks_max), .min = 0, .max = 1000, .def = "6",
     .help = "ticks in a row that a joint may coast on its last sample"},
    {.key = "derate_from_frac", .type = OPTION_DOUBLE, .offset = AT(derate_from_frac), .min = 0.1, .max = 1, .def = "0.9",
     .help = "of temp_max_c: torque falls linearly from here to nothing"},
    {.key = NULL},
};
/* clang-format on */

#define EFFORT_MARGIN_FRAC 0.25 /* current sensing is coarse */
#define RUNAWAY_RAD        0.2  /* following error that a wrong sign makes, and a slow servo does not */
#define RUNAWAY_RAD_S      0.5

static int check_joint(const struct joint_spec *j, char *ret_why, int cap)
{
    const double limits[] = {j->q_min, j->q_max, j->qd_max, j->qdd_max, j->tau_max, j->temp_max_c};
    static const char *const names[] = {"q_min_rad",       "q_max_rad",  "qd_max_rad_s",
                                        "qdd_max_rad_s2", "tau_max_nm", "temp_max_c"};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!isfinite(limits[i]) || (i >= 2 && limits[i] <= 0.0)) {
            return why(ret_why, cap, -EINVAL, "joint %s: %s must be set to a finite limit", j->name, names[i]);
        }
    }
    if (j->q_min >= j->q_max) {
        return why(ret_why, cap, -EINVAL, "joint %s: q_min_rad %g is not below q_max_rad %g", j->name, j->q_min, j->q_max);
    }
    return 0;
}

int safety_init(struct safety *ret_safety, const struct robot *robot, const struct safety_settings *settings,
                char *ret_why, int cap)
{
    for (int j = 0; j < robot->n_joints; j++) {
        const int rc = robot->joint[j].actuated ? check_joint(&robot->joint[j], ret_why, cap) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    *ret_safety = (struct safety){
        .robot = robot, .settings = *settings, .dt_s = 1.0 / robot->control_rate_hz, .trip_joint = -1};
    return 0;
}

static void trip(struct safety *z, int j, enum safety_trip what, bool yes)
{
    if (yes) {
        z->trip_joint = z->trips == 0 ? j : z->trip_joint;
        z->trips |= what;
    }
}

static void count_for(double *seconds, bool yes, double dt_s)
{
    *seconds = yes ? *seconds + dt_s : 0.0;
}

static void watch_joint(struct safety *z, const struct sensed *s, int j, bool fresh)
{
    const struct joint_spec *spec = &z->robot->joint[j];
    const struct safety_settings *c = &z->settings;
    z->stale[j] = fresh ? 0 : z->stale[j] + 1;
    trip(z, j, TRIP_NOT_FINITE, !isfinite(s->q[j]) || !isfinite(s->qd[j]) || !isfinite(s->tau[j]));
    trip(z, j, TRIP_STALE, z->stale[j] > c->stale_ticks_max);
    trip(z, j, TRIP_FROZEN, (s->faults[j] & FAULT_FROZEN) != 0);
    trip(z, j, TRIP_DEVICE, (s->faults[j] & ~(uint32_t)FAULT_FROZEN) != 0);
    trip(z, j, TRIP_TEMPERATURE, spec->temp_max_c > 0.0 && (double)s->temp_c[j] > spec->temp_max_c);
    if (!spec->actuated) {
        return;
    }
    trip(z, j, TRIP_POSITION, s->q[j] < spec->q_min - c->position_margin_rad || s->q[j] > spec->q_max + c->position_margin_rad);
    trip(z, j, TRIP_VELOCITY, fabs(s->qd[j]) > spec->qd_max * (1.0 + c->velocity_margin_frac));
    count_for(&z->effort_s[j], fabs(s->tau[j]) > spec->tau_max * (1.0 + EFFORT_MARGIN_FRAC), z->dt_s);
    trip(z, j, TRIP_EFFORT, z->effort_s[j] > c->effort_s);
    const double error = z->q_cmd[j] - s->q[j];
    const bool away = z->primed && fabs(error) > RUNAWAY_RAD && s->qd[j] * error < 0.0 && fabs(s->qd[j]) > RUNAWAY_RAD_S;
    count_for(&z->runaway_s[j], away, z->dt_s);
    trip(z, j, TRIP_RUNAWAY, z->runaway_s[j] > c->runaway_s);
}

void safety_watch(struct safety *z, const struct sensed *s, uint64_t fresh)
{
    z->trips = 0;
    z->trip_joint = -1;
    for (int j = 0; j < s->n; j++) {
        watch_joint(z, s, j, (fresh >> j & 1u) != 0);
    }
}

/* Speed from which a joint still stops within d; 0 at the end and beyond. */
static double braking_speed(double d, double a, double t)
{
    if (d <= 0.0) {
        return 0.0;
    }
    const double v = sqrt(2.0 * a * a * t * t + 2.0 * a * d) - 2.0 * a * t; /* a_b = a_in = a */
    return v > 0.0 ? v : 0.0;
}

static void bite(struct safety *z, int j, enum safety_rule rule)
{
    if (rule > z->rule[j]) {
        z->rule[j] = (uint8_t)rule;
    }
}

static double clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/*
 * One tick of the goal of joint j towards `goal`. Braking outranks the rate limits: a speed that no longer fits the way
 * left is cut at once.
 */
static void move_goal(struct safety *z, int j, double goal)
{
    const struct joint_spec *spec = &z->robot->joint[j];
    const double dt = z->dt_s, a = spec->qdd_max;
    double v = (goal - z->q_cmd[j]) / dt;
    /* so that it can stop at the goal itself, too: v^2 / 2a <= way left */
    const double v_goal = sqrt(2.0 * a * fabs(goal - z->q_cmd[j]));
    if (fabs(v) > spec->qd_max) {
        v = copysign(spec->qd_max, v);
        bite(z, j, RULE_VELOCITY);
    }
    if (fabs(v) > v_goal + a * dt) {
        v = copysign(v_goal + a * dt, v);
        bite(z, j, RULE_ACCELERATION);
    }
    const double v_low = z->qd_cmd[j] - a * dt, v_high = z->qd_cmd[j] + a * dt;
    if (v < v_low || v > v_high) {
        v = clip(v, v_low, v_high);
        bite(z, j, RULE_ACCELERATION);
    }
    const double up = braking_speed(spec->q_max - z->q_cmd[j], a, dt);
    const double down = braking_speed(z->q_cmd[j] - spec->q_min, a, dt);
    if (v > up || v < -down) {
        v = clip(v, -down, up);
        bite(z, j, RULE_BRAKING);
    }
    double q = z->q_cmd[j] + v * dt;
    /* a range that shrank past the state lets the goal only move inward */
    const double low = fmin(spec->q_min, z->q_cmd[j]), high = fmax(spec->q_max, z->q_cmd[j]);
    if (q < low || q > high) {
        q = clip(q, low, high);
        bite(z, j, RULE_POSITION);
    }
    z->qd_cmd[j] = (q - z->q_cmd[j]) / dt;
    z->q_cmd[j] = q;
}

static double torque_ceiling(const struct safety *z, const struct sensed *s, int j, double asked)
{
    const struct joint_spec *spec = &z->robot->joint[j];
    const double from_c = spec->temp_max_c * z->settings.derate_from_frac, temp_c = (double)s->temp_c[j];
    double ceiling = spec->tau_max;
    if (temp_c > from_c) {
        ceiling *= clip((spec->temp_max_c - temp_c) / (spec->temp_max_c - from_c), 0.0, 1.0);
    }
    return isfinite(asked) && asked >= 0.0 ? fmin(asked, ceiling) : 0.0;
}

static double position_goal(struct safety *z, const struct sensed *s, const struct command *cmd, int j)
{
    const struct joint_spec *spec = &z->robot->joint[j];
    if (!isfinite(cmd->q[j])) {
        bite(z, j, RULE_NOT_FINITE);
        return z->q_cmd[j];
    }
    if (z->stale[j] > 0 && !isfinite(s->q[j])) {
        bite(z, j, RULE_STALE);
        return z->q_cmd[j];
    }
    const double goal = clip(cmd->q[j], spec->q_min, spec->q_max);
    if (goal != cmd->q[j]) {
        bite(z, j, RULE_POSITION);
    }
    return goal;
}

static void filter_joint(struct safety *z, const struct sensed *s, struct command *cmd, int j)
{
    const double asked_tau = cmd->tau_max[j];
    cmd->tau_max[j] = torque_ceiling(z, s, j, asked_tau);
    if (cmd->tau_max[j] < asked_tau) {
        bite(z, j, RULE_EFFORT);
    }
    /* where a joint coasts, the goal stands: nothing is chased blindly */
    const double goal = z->stale[j] > 1 ? z->q_cmd[j] : position_goal(z, s, cmd, j);
    if (z->stale[j] > 1) {
        bite(z, j, RULE_STALE);
    }
    move_goal(z, j, goal);
    cmd->mode[j] = MODE_POSITION;
    cmd->q[j] = z->q_cmd[j];
    cmd->qd[j] = z->qd_cmd[j];
    cmd->tau[j] = 0.0;
}

/* Torque was off: the commanded trajectory starts where the robot is. */
static void prime(struct safety *z, const struct sensed *s)
{
    for (int j = 0; j < s->n; j++) {
        const struct joint_spec *spec = &z->robot->joint[j];
        const double low = fmin(spec->q_min, s->q[j]), high = fmax(spec->q_max, s->q[j]);
        z->q_cmd[j] = isfinite(s->q[j]) ? clip(s->q[j], low, high) : z->q_cmd[j];
        z->qd_cmd[j] = 0.0;
    }
    z->primed = true;
}

void safety_filter(struct safety *z, const struct sensed *s, struct command *cmd)
{
    bool torque = false;
    memset(z->rule, RULE_NONE, sizeof z->rule);
    for (int j = 0; j < s->n; j++) {
        torque = torque || (z->robot->joint[j].actuated && cmd->mode[j] != MODE_OFF);
    }
    if (!torque) {
        z->primed = false;
    } else if (!z->primed) {
        prime(z, s);
    }
    for (int j = 0; j < s->n; j++) {
        if (!z->robot->joint[j].actuated || cmd->mode[j] == MODE_OFF) {
            cmd->mode[j] = MODE_OFF;
            cmd->tau_max[j] = cmd->tau[j] = 0.0;
            bite(z, j, z->robot->joint[j].actuated ? RULE_OFF : RULE_NONE);
        } else {
            filter_joint(z, s, cmd, j);
        }
        z->bites[j][z->rule[j]]++;
    }
}

void safety_forget(struct safety *z)
{
    z->primed = false;
    memset(z->runaway_s, 0, sizeof z->runaway_s);
    memset(z->effort_s, 0, sizeof z->effort_s);
}

const char *safety_rule_name(enum safety_rule rule)
{
    static const char *const names[RULES_N] = {"none",   "acceleration", "velocity",   "position", "braking",
                                               "effort", "stale",        "not_finite", "off"};
    return rule < RULES_N ? names[rule] : "?";
}

int safety_explain(const struct safety *z, const struct sensed *s, char *ret_text, int cap)
{
    const size_t n = (size_t)cap;
    const int j = z->trip_joint;
    if (j < 0) {
        return snprintf(ret_text, n, "nothing tripped");
    }
    const struct joint_spec *p = &z->robot->joint[j];
    const unsigned t = z->trips;
    if ((t & TRIP_NOT_FINITE) != 0) {
        return snprintf(ret_text, n, "joint %s: a sensed value is not finite; check its wiring and driver", p->name);
    }
    if ((t & TRIP_DEVICE) != 0) {
        return snprintf(ret_text, n, "joint %s: the device reports fault bits 0x%x; see basalctl status, then clear", p->name,
                        (unsigned)s->faults[j]);
    }
    if ((t & TRIP_POSITION) != 0) {
        return snprintf(ret_text, n, "joint %s: at %.3f rad, outside %.3f to %.3f by more than %.3f; move it back by hand, then clear",
                        p->name, s->q[j], p->q_min, p->q_max, z->settings.position_margin_rad);
    }
    if ((t & TRIP_VELOCITY) != 0) {
        return snprintf(ret_text, n, "joint %s: %.2f rad/s, the limit is %.2f plus %.0f %%; raise qd_max_rad_s or slow the policy",
                        p->name, s->qd[j], p->qd_max, 100.0 * z->settings.velocity_margin_frac);
    }
    if ((t & TRIP_TEMPERATURE) != 0) {
        return snprintf(ret_text, n, "joint %s: %.0f C, the limit is %.0f; let it cool, then clear", p->name,
                        (double)s->temp_c[j], p->temp_max_c);
    }
    if ((t & (TRIP_STALE | TRIP_FROZEN)) != 0) {
        return snprintf(ret_text, n, "joint %s: no new sample for %d ticks, %d are allowed; check its cable", p->name,
                        z->stale[j], z->settings.stale_ticks_max);
    }
    if ((t & TRIP_RUNAWAY) != 0) {
        return snprintf(ret_text, n, "joint %s: moves against its command; check sign and wiring", p->name);
    }
    return snprintf(ret_text, n, "joint %s: %.2f Nm, the ceiling is %.2f; it is blocked or overloaded", p->name, s->tau[j],
                    p->tau_max);
}
