/*
 * The judge of what is sensed: limits at the start, trips while driven, the sentence that a person
 * reads. The filter of what is commanded is safety_filter.c.
 */
#include "daemon/base/err.h"
#include "daemon/safety_inside.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const ranges_names[] = {"file", "found", NULL};

#define AT(field) offsetof(struct safety_settings, field)

/* clang-format off */
const struct option safety_options[] = {
    {.key = "position_margin_rad", .type = OPTION_DOUBLE, .offset = AT(position_margin_rad), .min = 0, .max = 3, .def = "0.15",
     .help = "measured overshoot beyond a joint's range before the robot stops; at rest, it arms up to three quarters of this outside"},
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
    {.key = "derate_from_frac", .type = OPTION_DOUBLE, .offset = AT(derate_from_frac), .min = 0.1, .max = 0.99, .def = "0.9",
     .help = "of temp_max_c: torque falls linearly from here to nothing"},
    {.key = "ranges", .type = OPTION_CHOICE, .offset = AT(ranges), .def = "file", .choices = ranges_names,
     .help = "with which ranges joints are armed on a real bus: those of this file, or only such as the calibration beside it has, where basalctl find-limits writes what it found"},
    {.key = NULL},
};
/* clang-format on */

#define EFFORT_MARGIN_FRAC 0.25 /* current sensing is coarse */
#define RUNAWAY_RAD        0.2 /* following error that a wrong sign makes, and a slow servo does not */
#define RUNAWAY_RAD_S      0.5
#define FROZEN_RAD         0.2    /* a goal this far off on both sides must move a joint ... */
#define FROZEN_S           0.2    /* ... when it stays there this long ... */
#define FROZEN_CEILING     0.5    /* ... with this part of its torque */
#define UNSEEN_US          500000 /* a pose older than this is none to arm from */

/* direct: speeds, accelerations and heat are the body's own affair. */
static int check_joint(const struct joint_spec *j, bool direct, char *ret_why, int cap)
{
    static const bool of_body[] = {false, false, true, true, false, true};
    const double limits[] = {j->q_min, j->q_max, j->qd_max, j->qdd_max, j->tau_max, j->temp_max_c};
    static const char *const names[] = {"q_min_rad",      "q_max_rad",  "qd_max_rad_s",
                                        "qdd_max_rad_s2", "tau_max_nm", "temp_max_c"};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (direct && of_body[i]) {
            continue;
        }
        if (!isfinite(limits[i]) || (i >= 2 && limits[i] <= 0.0)) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: %s is %g: it must be set to a finite%s limit", j->name, names[i],
                       limits[i], i >= 2 ? ", positive" : "");
        }
    }
    if (j->q_min >= j->q_max) {
        return why(ret_why, cap, -EINVAL, "joint %s: q_min_rad %g is not below q_max_rad %g",
                   j->name, j->q_min, j->q_max);
    }
    return 0;
}

static int check_settings(const struct safety_settings *c, double rate_hz, char *ret_why, int cap)
{
    const double numbers[] = {c->position_margin_rad, c->velocity_margin_frac,
                              c->latency_s,           c->effort_s,
                              c->runaway_s,           c->derate_from_frac};
    static const char *const names[] = {"position_margin_rad", "velocity_margin_frac",
                                        "latency_s",           "effort_s",
                                        "runaway_s",           "derate_from_frac"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!isfinite(numbers[i]) || numbers[i] < 0.0) {
            return why(ret_why, cap, -EINVAL,
                       "safety.%s is %g: it must be a finite number, not negative", names[i],
                       numbers[i]);
        }
    }
    if (c->derate_from_frac >= 1.0) {
        return why(ret_why, cap, -EINVAL, "safety.derate_from_frac is %g: it must lie below 1",
                   c->derate_from_frac);
    }
    if (!isfinite(rate_hz) || rate_hz <= 0.0) {
        return why(ret_why, cap, -EINVAL,
                   "control.rate_hz is %g: it must be a finite, positive rate", rate_hz);
    }
    return 0;
}

int safety_init(struct safety *ret_safety, const struct robot *robot,
                const struct safety_settings *settings, char *ret_why, int cap)
{
    int rc = check_settings(settings, robot->control_rate_hz, ret_why, cap);
    for (int j = 0; rc == 0 && j < robot->n_joints; j++) {
        rc = robot->joint[j].actuated ? check_joint(&robot->joint[j], robot->direct, ret_why, cap)
                                      : 0;
    }
    if (rc < 0) {
        return rc;
    }
    *ret_safety = (struct safety){.robot = robot,
                                  .settings = *settings,
                                  .dt_s = 1.0 / robot->control_rate_hz,
                                  .trip_joint = -1};
    rc = space_init(&ret_safety->space, robot, ret_why, cap);
    for (int i = 0; rc == 0 && ret_safety->space.n > 0 && i < ret_safety->space.chain.n; i++) {
        ret_safety->linked |= UINT64_C(1) << ret_safety->space.chain.link[i].joint;
    }
    return rc;
}

static void trip(struct safety *z, int j, enum safety_trip what, bool yes)
{
    if (yes) {
        z->trip_joint = z->trips == 0 ? j : z->trip_joint;
        z->trips |= what;
        z->joint_trips[j] |= what;
    }
}

static void count_for(double *seconds, bool yes, double dt_s)
{
    *seconds = yes ? *seconds + dt_s : 0.0;
}

/*
 * A sample that stays the same to the last bit is no proof: the joint may stand against something.
 * One that stays the same while its goal stood well above and well below it, each for a while and
 * with torque, is.
 */
static bool is_frozen(struct safety *z, const struct sensed *s, int j, bool fresh)
{
    const double error = z->q_cmd[j] - s->q[j];
    if (fresh && s->q[j] != z->q_last[j]) {
        z->frozen[j][0] = z->frozen[j][1] = 0;
        z->q_last[j] = s->q[j];
    } else if (fresh && fabs(error) > FROZEN_RAD && z->ceiling[j] >= FROZEN_CEILING) {
        z->frozen[j][error > 0.0]++;
    }
    return fmin(z->frozen[j][0], z->frozen[j][1]) * z->dt_s > FROZEN_S;
}

/* Rules that know the command: only while the joint is driven. */
static void watch_driven(struct safety *z, const struct sensed *s, int j, bool fresh)
{
    const double error = z->q_cmd[j] - s->q[j];
    const bool away =
        fabs(error) > RUNAWAY_RAD && s->qd[j] * error < 0.0 && fabs(s->qd[j]) > RUNAWAY_RAD_S;
    count_for(&z->runaway_s[j], away, z->dt_s);
    trip(z, j, TRIP_RUNAWAY, z->runaway_s[j] > z->settings.runaway_s);
    trip(z, j, TRIP_FROZEN, is_frozen(z, s, j, fresh));
}

static bool sees(const struct sensed *s, int j)
{
    return isfinite(s->q[j]) && isfinite(s->qd[j]) && isfinite(s->tau[j]);
}

static void watch_joint(struct safety *z, const struct sensed *s, int j, bool fresh)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const struct safety_settings *c = &z->settings;
    const bool driven = p->actuated ? (z->held >> j & 1u) != 0 : z->held != 0;
    z->stale[j] = fresh ? 0 : z->stale[j] + driven;
    trip(z, j, TRIP_NOT_FINITE, !sees(s, j));
    if (z->robot->direct) {
        return;
    }
    trip(z, j, TRIP_STALE, z->stale[j] > c->stale_ticks_max);
    trip(z, j, TRIP_FROZEN, (s->faults[j] & FAULT_FROZEN) != 0);
    trip(z, j, TRIP_DEVICE, (s->faults[j] & ~(uint32_t)FAULT_FROZEN) != 0);
    trip(z, j, TRIP_TEMPERATURE, p->temp_max_c > 0.0 && (double)s->temp_c[j] > p->temp_max_c);
    if (!p->actuated) {
        return;
    }
    trip(z, j, TRIP_POSITION,
         s->q[j] < p->q_min - c->position_margin_rad ||
             s->q[j] > p->q_max + c->position_margin_rad);
    trip(z, j, TRIP_VELOCITY, fabs(s->qd[j]) > p->qd_max * (1.0 + c->velocity_margin_frac));
    count_for(&z->effort_s[j], fabs(s->tau[j]) > p->tau_max * (1.0 + EFFORT_MARGIN_FRAC), z->dt_s);
    trip(z, j, TRIP_EFFORT, z->effort_s[j] > c->effort_s);
    if (driven) {
        watch_driven(z, s, j, fresh);
    }
}

void safety_watch(struct safety *z, const struct sensed *s, uint64_t fresh)
{
    z->trips = 0;
    memset(z->joint_trips, 0, sizeof z->joint_trips);
    z->trip_joint = -1;
    z->fresh = fresh;
    for (int j = 0; j < z->robot->n_joints; j++) {
        watch_joint(z, s, j, (fresh >> j & 1u) != 0);
        const bool lost = (s->faults[j] & (FAULT_REBOOT | FAULT_LOST)) != 0;
        z->adrift |= lost && z->robot->joint[j].incremental ? UINT64_C(1) << j : 0;
    }
    const int outside = safety_outside_space(z, s);
    trip(z, outside, TRIP_SPACE, outside >= 0);
}

const char *safety_fault_words(uint32_t faults, char *ret_text, size_t n)
{
    static const char *const words[] = {"voltage out of range",
                                        "overheating",
                                        "encoder",
                                        "electrical shock",
                                        "overload",
                                        "bus watchdog",
                                        "restarted",
                                        "its clock stands",
                                        "does not answer",
                                        "refused a command",
                                        "hardware error",
                                        "torque switched by itself"};
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0] && used < n; i++) {
        if ((faults >> i & 1u) != 0) {
            used +=
                (size_t)snprintf(ret_text + used, n - used, "%s%s", used > 0 ? ", " : "", words[i]);
        }
    }
    return ret_text;
}

int safety_may_arm(const struct safety *z, const struct sensed *s, char *ret_why, int cap)
{
    char words[SAFETY_FAULT_CHARS];
    for (int j = 0; j < z->robot->n_joints; j++) {
        const struct joint_spec *p = &z->robot->joint[j];
        const double out = fmax(p->q_min - s->q[j], s->q[j] - p->q_max);
        if (p->actuated && z->settings.ranges == RANGES_FOUND && !p->range_found) {
            return why(ret_why, cap, -EPERM,
                       "joint %s: its range %.3f to %.3f rad was not found on this robot; run "
                       "basalctl find-limits, before that calibrate if its zero is not right, then "
                       "start basald anew",
                       p->name, p->q_min, p->q_max);
        }
        if (!sees(s, j)) {
            return why(ret_why, cap, -EPERM,
                       "joint %s: a sensed value is not finite; check its wiring and driver",
                       p->name);
        }
        if (s->age_us[j] > UNSEEN_US) {
            return why(ret_why, cap, -EPERM,
                       "joint %s: not seen for more than %d ms; wait until it answers, then arm",
                       p->name, UNSEEN_US / 1000);
        }
        if ((z->adrift >> j & 1u) != 0) {
            return why(ret_why, cap, -EPERM,
                       "joint %s: its power may have been away, and its angle with it; find its "
                       "zero again (basalctl calibrate), then start basald anew",
                       p->name);
        }
        if (p->actuated && out > z->robot->rest_outside_rad) {
            return why(ret_why, cap, -EPERM,
                       "joint %s: at %.3f rad, %.3f outside its range %.3f to %.3f; move it inside "
                       "by hand, then arm",
                       p->name, s->q[j], out, p->q_min, p->q_max);
        }
        if ((s->faults[j] & ~(uint32_t)FAULTS_OF_SILENCE) != 0) {
            return why(ret_why, cap, -EPERM, "joint %s: fault: %s; mend it, then arm", p->name,
                       safety_fault_words(s->faults[j], words, sizeof words));
        }
        if (p->temp_max_c > 0.0 &&
            (double)s->temp_c[j] > z->settings.derate_from_frac * p->temp_max_c) {
            return why(ret_why, cap, -EPERM,
                       "joint %s: %.0f C is too near its limit of %.0f C (safety.derate_from_frac "
                       "%g of it); let it cool, then arm",
                       p->name, (double)s->temp_c[j], p->temp_max_c, z->settings.derate_from_frac);
        }
    }
    return safety_may_arm_here(z, s, ret_why, cap);
}

void safety_forget(struct safety *z)
{
    z->primed = false;
    z->held = 0;
    memset(z->stale, 0, sizeof z->stale);
    memset(z->frozen, 0, sizeof z->frozen);
    memset(z->runaway_s, 0, sizeof z->runaway_s);
    memset(z->effort_s, 0, sizeof z->effort_s);
}

const char *safety_rule_name(enum safety_rule rule)
{
    static const char *const names[RULES_N] = {"none",    "acceleration", "velocity",   "position",
                                               "braking", "effort",       "space",      "table",
                                               "self",    "stale",        "not_finite", "off"};
    return rule < RULES_N ? names[rule] : "?";
}

/* In words, for the trip bits of joint j; the worst first. */
static int explain_motion(const struct safety *z, const struct sensed *s, int j, char *ret_text,
                          size_t n)
{
    const struct joint_spec *p = &z->robot->joint[j];
    const double out = fmax(p->q_min - s->q[j], s->q[j] - p->q_max);
    if ((z->joint_trips[j] & TRIP_POSITION) != 0) {
        return snprintf(ret_text, n,
                        "joint %s: at %.3f rad it is %.3f outside its range %.3f to %.3f, more "
                        "than the margin of %.3f; "
                        "move it back by hand, then clear",
                        p->name, s->q[j], out, p->q_min, p->q_max, z->settings.position_margin_rad);
    }
    if ((z->joint_trips[j] & TRIP_VELOCITY) != 0) {
        return snprintf(ret_text, n,
                        "joint %s: %.2f rad/s is faster than its limit of %.2f plus %.0f %%; check "
                        "qd_max_rad_s and its "
                        "load, then clear",
                        p->name, s->qd[j], p->qd_max, 100.0 * z->settings.velocity_margin_frac);
    }
    if ((z->joint_trips[j] & TRIP_RUNAWAY) != 0) {
        return snprintf(ret_text, n,
                        "joint %s: at %.3f rad it moved away from its goal %.3f for more than %.2f "
                        "s; check its sign, "
                        "gear and wiring, then clear",
                        p->name, s->q[j], z->q_cmd[j], z->settings.runaway_s);
    }
    return snprintf(ret_text, n,
                    "joint %s: %.2f Nm for more than %.2f s, its ceiling is %.2f; it is blocked or "
                    "overloaded: free it, "
                    "then clear",
                    p->name, s->tau[j], z->settings.effort_s, p->tau_max);
}

bool safety_bus_is_silent(const struct safety *z, const struct sensed *s, int bus)
{
    int n = 0;
    for (int j = 0; j < z->robot->n_joints; j++) {
        if (z->robot->joint[j].bus != bus) {
            continue;
        }
        if ((s->faults[j] & FAULT_LOST) == 0 && z->stale[j] < 2) {
            return false;
        }
        n++;
    }
    return n > 1;
}

/* How a joint's samples stay away: not one came, or none that is new. */
static int explain_silence(const struct safety *z, const struct sensed *s, int j, char *ret_text,
                           size_t n)
{
    const struct joint_spec *p = &z->robot->joint[j];
    if (z->robot->n_buses > 0 && safety_bus_is_silent(z, s, p->bus)) {
        return snprintf(ret_text, n,
                        "bus %s: not one of its joints answers any more, %s first: is the motor "
                        "power cut, or its cable out? torque is unknown; mend it, then clear",
                        z->robot->bus[p->bus].name, p->name);
    }
    if ((z->joint_trips[j] & TRIP_DEVICE) != 0) {
        return snprintf(ret_text, n,
                        "joint %s does not answer: more than %d replies in a row are missing "
                        "(misses_max of its bus); check its power and cable, then clear",
                        p->name, z->robot->bus[p->bus].misses_max);
    }
    return snprintf(
        ret_text, n,
        "joint %s: no new sample for %d ticks, %d are allowed; check its cable, then clear",
        p->name, z->stale[j], z->settings.stale_ticks_max);
}

int safety_explain(const struct safety *z, const struct sensed *s, char *ret_text, int cap)
{
    char words[SAFETY_FAULT_CHARS];
    const size_t n = (size_t)cap;
    const int j = z->trip_joint;
    if (j < 0) {
        return snprintf(ret_text, n, "nothing tripped");
    }
    const struct joint_spec *p = &z->robot->joint[j];
    if ((z->joint_trips[j] & TRIP_NOT_FINITE) != 0) {
        return snprintf(ret_text, n,
                        "joint %s: a sensed value is not finite (%g rad, %g rad/s, %g Nm); check "
                        "its wiring and driver",
                        p->name, s->q[j], s->qd[j], s->tau[j]);
    }
    if ((z->joint_trips[j] & TRIP_DEVICE) != 0 && (s->faults[j] & FAULT_LOST) != 0) {
        return explain_silence(z, s, j, ret_text, n);
    }
    if ((z->joint_trips[j] & TRIP_DEVICE) != 0 && s->faults[j] == FAULT_TORQUE) {
        return snprintf(ret_text, n,
                        p->actuated
                            ? "joint %s: its torque is off though nobody switched it off: it "
                              "restarted or shut itself down; check its power and load, then clear"
                            : "joint %s: its torque is on though it is only measured: see what "
                              "else commands its bus, then clear",
                        p->name);
    }
    if ((z->joint_trips[j] & TRIP_DEVICE) != 0) {
        return snprintf(ret_text, n, "joint %s: fault: %s; mend it, then clear", p->name,
                        safety_fault_words(s->faults[j], words, sizeof words));
    }
    if ((z->joint_trips[j] & TRIP_STALE) != 0) {
        return explain_silence(z, s, j, ret_text, n);
    }
    if ((z->joint_trips[j] & TRIP_FROZEN) != 0) {
        return snprintf(ret_text, n,
                        "joint %s: its sample stays at %.3f rad whatever is commanded; it is "
                        "blocked or its sensor is "
                        "dead: free or restart it, then clear",
                        p->name, s->q[j]);
    }
    if ((z->joint_trips[j] & TRIP_TEMPERATURE) != 0) {
        return snprintf(ret_text, n,
                        "joint %s: %.0f C, its limit is %.0f C; let it cool, then clear", p->name,
                        (double)s->temp_c[j], p->temp_max_c);
    }
    if ((z->joint_trips[j] & TRIP_SPACE) != 0) {
        return safety_explain_space(z, s, ret_text, n);
    }
    return explain_motion(z, s, j, ret_text, n);
}
