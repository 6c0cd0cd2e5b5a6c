/*
 * What can be rewarded, and what ends an episode: each is one row of a table at the end.
 */
#include "policies/task_options.h"

#include <math.h>

#define UNBOUNDED 1e30

/* clang-format off */
static const struct option reward_options[] = {OPTION_JOINT, OPTION_WEIGHT, {.key = NULL}};
static const struct option angle_options[] = {OPTION_JOINT, OPTION_WEIGHT,
    {.key = "target_rad", .type = OPTION_DOUBLE, .offset = TERM(offset), .min = -7, .max = 7, .def = "0", .help = "the angle wanted"},
    {.key = NULL}};
static const struct option weight_options[] = {OPTION_WEIGHT, {.key = NULL}};
static const struct option forward_options[] = {OPTION_WHEEL, OPTION_RADIUS, OPTION_WEIGHT, {.key = NULL}};
static const struct option extra_options[] = {OPTION_EXTRA, OPTION_FIRST, OPTION_WEIGHT, {.key = NULL}};

static const struct option inside_options[] = {OPTION_EXTRA, OPTION_FIRST,
    {.key = "min", .type = OPTION_DOUBLE, .offset = TERM(min), .min = -UNBOUNDED, .max = UNBOUNDED, .def = "-1e30", .help = "the least value that is rewarded"},
    {.key = "max", .type = OPTION_DOUBLE, .offset = TERM(max), .min = -UNBOUNDED, .max = UNBOUNDED, .def = "1e30", .help = "the largest value that is rewarded"},
    OPTION_WEIGHT, {.key = NULL}};

static const struct option square_options[] = {OPTION_EXTRA, OPTION_FIRST, OPTION_COUNT,
    {.key = "target", .type = OPTION_DOUBLE, .offset = TERM(offset), .min = -1e6, .max = 1e6, .def = "0", .help = "the value wanted"},
    {.key = "limit", .type = OPTION_DOUBLE, .offset = TERM(limit), .min = 0, .max = 1e6, .def = "0", .help = "each is clipped to +- this first; 0: it is not"},
    OPTION_WEIGHT, {.key = NULL}};

static const char *const when_names[] = {"at_once", "at_last", NULL};

#define OPTION_BOUNDS \
    {.key = "min", .type = OPTION_DOUBLE, .offset = TERM(min), .min = -UNBOUNDED, .max = UNBOUNDED, .def = "-1e30", .help = "below this it ends; -1e30: never"}, \
    {.key = "max", .type = OPTION_DOUBLE, .offset = TERM(max), .min = -UNBOUNDED, .max = UNBOUNDED, .def = "1e30", .help = "above this it ends; 1e30: never"}, \
    {.key = "success", .type = OPTION_BOOL, .offset = TERM(success), .def = "false", .help = "such an end is what was wanted"}, \
    {.key = "for_s", .type = OPTION_DOUBLE, .offset = TERM(for_s), .min = 0, .max = 86400, .def = "0", .help = "it counts once it has held for so long without a break"}, \
    {.key = "when", .type = OPTION_CHOICE, .offset = TERM(when), .def = "at_once", .choices = when_names, .help = "at_once: it ends the episode; at_last: task.episode_s does, and only then is this judged"}
static const struct option joint_end_options[] = {OPTION_ONE_JOINT, OPTION_BOUNDS, {.key = NULL}};
static const struct option extra_end_options[] = {OPTION_EXTRA, OPTION_FIRST, OPTION_COUNT, OPTION_BOUNDS, {.key = NULL}};

/* clang-format on */

/* What is not a number is outside. */
static bool outside(const struct term *a, double x)
{
    return !(x >= a->min && x <= a->max);
}

/*
 * weight per metre: by the odometer's angle, not its speed. Samples of the speed add up to the way
 * only if it is smooth between two ticks; a learner finds the gaits where it is not.
 */
static double reward_forward(struct task *t, const struct term *a, const struct sensed *s,
                             double dt_s)
{
    (void)dt_s;
    return a->weight * (s->q[a->joint_index] - t->st.q_last[a->joint_index]) * a->radius_m;
}

static double mean_square(const struct task *t, const struct term *a, const double *x)
{
    double sum = 0.0;
    for (int i = 0; i < term_joints(t, a); i++) {
        sum += x[term_joint(t, a, i)] * x[term_joint(t, a, i)];
    }
    return sum / term_joints(t, a);
}

/* - weight mean tau^2, per second */
static double reward_effort(struct task *t, const struct term *a, const struct sensed *s,
                            double dt_s)
{
    return -a->weight * mean_square(t, a, s->tau) * dt_s;
}

/* - weight mean qd^2, per second */
static double reward_velocity(struct task *t, const struct term *a, const struct sensed *s,
                              double dt_s)
{
    return -a->weight * mean_square(t, a, s->qd) * dt_s;
}

/* - weight mean (a_t - a_(t-1))^2, per period, of the applied actions */
static double reward_action_change(struct task *t, const struct term *a, const struct sensed *s,
                                   double dt_s)
{
    (void)s;
    (void)dt_s;
    double sum = 0.0;
    for (int k = 0; k < t->n_act; k++) {
        const double d = (double)t->st.act_last[k] - (double)t->st.act_before[k];
        sum += d * d;
    }
    return -a->weight * sum / t->n_act;
}

/* - weight mean a_t^2, per period, of the applied action */
static double reward_action(struct task *t, const struct term *a, const struct sensed *s,
                            double dt_s)
{
    (void)s;
    (void)dt_s;
    double sum = 0.0;
    for (int k = 0; k < t->n_act; k++) {
        sum += (double)t->st.act_last[k] * (double)t->st.act_last[k];
    }
    return -a->weight * sum / t->n_act;
}

/* The same angle in [-pi, pi). */
static double wrap(double angle_rad)
{
    const double turn = fmod(angle_rad + M_PI, 2.0 * M_PI);
    return (turn < 0.0 ? turn + 2.0 * M_PI : turn) - M_PI;
}

/* - weight mean (angle - target)^2, the difference wrapped, where the period began; per period */
static double reward_angle_at_start(struct task *t, const struct term *a, const struct sensed *s,
                                    double dt_s)
{
    (void)s;
    (void)dt_s;
    double sum = 0.0;
    for (int i = 0; i < term_joints(t, a); i++) {
        const double d = wrap(t->st.q_start[term_joint(t, a, i)] - a->offset);
        sum += d * d;
    }
    return -a->weight * sum / term_joints(t, a);
}

/* - weight mean qd^2 where the period began, per period */
static double reward_velocity_at_start(struct task *t, const struct term *a, const struct sensed *s,
                                       double dt_s)
{
    (void)s;
    (void)dt_s;
    return -a->weight * mean_square(t, a, t->st.qd_start);
}

/* - weight per second and joint in the outer twentieth of its range */
static double reward_range(struct task *t, const struct term *a, const struct sensed *s,
                           double dt_s)
{
    double sum = 0.0;
    for (int i = 0; i < term_joints(t, a); i++) {
        const int j = term_joint(t, a, i);
        const double edge = 0.05 * (t->robot->joint[j].q_max - t->robot->joint[j].q_min);
        sum +=
            s->q[j] < t->robot->joint[j].q_min + edge || s->q[j] > t->robot->joint[j].q_max - edge
                ? 1.0
                : 0.0;
    }
    return -a->weight * sum * dt_s;
}

static double reward_alive(struct task *t, const struct term *a, const struct sensed *s,
                           double dt_s)
{
    (void)t;
    (void)s;
    return a->weight * dt_s;
}

/* weight x what a sensor gained; over the period */
static double reward_gain(struct task *t, const struct term *a, const struct sensed *s, double dt_s)
{
    (void)dt_s;
    return a->weight * (s->extra[a->extra_index] - t->st.extra_last[a->extra_index]);
}

/* weight x what a sensor says when the period ends */
static double reward_extra(struct task *t, const struct term *a, const struct sensed *s,
                           double dt_s)
{
    (void)t;
    (void)dt_s;
    return a->weight * s->extra[a->extra_index];
}

/* weight while what a sensor says when the period ends lies in its bounds */
static double reward_extra_inside(struct task *t, const struct term *a, const struct sensed *s,
                                  double dt_s)
{
    (void)t;
    (void)dt_s;
    return outside(a, s->extra[a->extra_index]) ? 0.0 : a->weight;
}

/* - weight x the sum of (x - target)^2 of a sensor's numbers when the period ends */
static double reward_square(struct task *t, const struct term *a, const struct sensed *s,
                            double dt_s)
{
    (void)t;
    (void)dt_s;
    double sum = 0.0;
    for (int k = 0; k < a->n; k++) {
        const double x = s->extra[a->extra_index + k];
        const double d = (a->limit > 0.0 ? fmax(-a->limit, fmin(a->limit, x)) : x) - a->offset;
        sum += d * d;
    }
    return -a->weight * sum;
}

static double reward_step(struct task *t, const struct term *a, const struct sensed *s, double dt_s)
{
    (void)t;
    (void)s;
    (void)dt_s;
    return a->weight;
}

static bool is_terminal(const struct task *t)
{
    return (t->st.end & END_TERMINAL) != 0;
}

static double reward_until_end(struct task *t, const struct term *a, const struct sensed *s,
                               double dt_s)
{
    (void)s;
    (void)dt_s;
    return is_terminal(t) ? 0.0 : a->weight;
}

static double reward_at_end(struct task *t, const struct term *a, const struct sensed *s,
                            double dt_s)
{
    (void)s;
    (void)dt_s;
    return is_terminal(t) ? a->weight : 0.0;
}

/* --- ends --- */

static bool end_joint_outside(const struct task *t, const struct term *a, const struct sensed *s)
{
    (void)t;
    return outside(a, s->q[a->joint_index]);
}

static bool end_extra_outside(const struct task *t, const struct term *a, const struct sensed *s)
{
    (void)t;
    for (int k = 0; k < a->n; k++) {
        if (outside(a, s->extra[a->extra_index + k])) {
            return true;
        }
    }
    return false;
}

/* clang-format off */
const struct reward_kind reward_kinds[] = {
    {"forward",           forward_options, reward_forward,  NULL},
    {"effort",            reward_options,  reward_effort,   NULL},
    {"velocity",          reward_options,  reward_velocity, NULL},
    {"range",             reward_options,  reward_range,    NULL},
    {"alive",             weight_options,  reward_alive,    NULL},
    {"action",            weight_options,  NULL,            reward_action},
    {"action_change",     weight_options,  NULL,            reward_action_change},
    {"angle_at_start",    angle_options,   NULL,            reward_angle_at_start},
    {"velocity_at_start", reward_options,  NULL,            reward_velocity_at_start},
    {"gain",              extra_options,   reward_gain,     NULL},
    {"extra",             extra_options,   NULL,            reward_extra},
    {"extra_inside",      inside_options,  NULL,            reward_extra_inside},
    {"square",            square_options,  NULL,            reward_square},
    {"step",              weight_options,  NULL,            reward_step},
    {"until_end",         weight_options,  NULL,            reward_until_end},
    {"at_end",            weight_options,  NULL,            reward_at_end},
    {.name = NULL},
};

const struct end_kind end_kinds[] = {
    {"joint_outside", joint_end_options, end_joint_outside},
    {"extra_outside", extra_end_options, end_extra_outside},
    {.name = NULL},
};
/* clang-format on */
