/*
 * What can be observed and what can be rewarded: a slot or a reward term is one row of a table at
 * the end. Where a row names no joint it means all actuated joints, in order.
 */
#include "policies/task.h"

#include <math.h>

#define AT(field) offsetof(struct term, field)

/* clang-format off */
#define OPTION_JOINT  {.key = "joint",  .type = OPTION_TEXT,   .offset = AT(joint),  .n_max = NAME_CHARS, .def = "", \
                       .help = "name of the joint; none: all actuated joints"}
#define OPTION_SCALE  {.key = "scale",  .type = OPTION_DOUBLE, .offset = AT(scale),  .min = -1e6, .max = 1e6, .def = "1", \
                       .help = "the observed value is (x - offset) x scale"}
#define OPTION_OFFSET {.key = "offset", .type = OPTION_DOUBLE, .offset = AT(offset), .min = -1e6, .max = 1e6, .def = "0", \
                       .help = "the observed value is (x - offset) x scale"}
#define OPTION_WEIGHT {.key = "weight", .type = OPTION_DOUBLE, .offset = AT(weight), .min = -1e6, .max = 1e6, .def = NULL, \
                       .help = "factor of this term in the reward"}
#define OPTION_RADIUS {.key = "radius_m", .type = OPTION_DOUBLE, .offset = AT(radius_m), .min = 1e-6, .max = 10, .def = NULL, \
                       .help = "radius of the wheel on that joint"}

static const struct option slot_options[] = {OPTION_JOINT, OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option plain_options[] = {OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option wheel_slot_options[] = {
    {.key = "joint", .type = OPTION_TEXT, .offset = AT(joint), .n_max = NAME_CHARS, .def = NULL, .help = "the odometer"},
    OPTION_RADIUS, OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option reward_options[] = {OPTION_JOINT, OPTION_WEIGHT, {.key = NULL}};
static const struct option angle_options[] = {OPTION_JOINT, OPTION_WEIGHT,
    {.key = "target_rad", .type = OPTION_DOUBLE, .offset = AT(offset), .min = -7, .max = 7, .def = "0", .help = "the angle wanted"},
    {.key = NULL}};
static const struct option weight_options[] = {OPTION_WEIGHT, {.key = NULL}};
static const struct option forward_options[] = {
    {.key = "joint", .type = OPTION_TEXT, .offset = AT(joint), .n_max = NAME_CHARS, .def = NULL, .help = "the odometer"},
    OPTION_RADIUS, OPTION_WEIGHT, {.key = NULL}};

/* clang-format on */

static int width_joint(const struct task *t, const struct term *a)
{
    return a->joint_index >= 0 ? 1 : t->n_act;
}

static int width_two(const struct task *t, const struct term *a)
{
    return 2 * width_joint(t, a);
}

static int width_act(const struct task *t, const struct term *a)
{
    (void)a;
    return t->n_act;
}

static int width_extra(const struct task *t, const struct term *a)
{
    (void)a;
    int n = 0;
    for (int i = 0; i < t->robot->n_extra; i++) {
        n += t->robot->extra[i].n;
    }
    return n;
}

/* The joints that a term means: joint_of(t, a, 0) ... joint_of(t, a, width - 1). */
static int joint_of(const struct task *t, const struct term *a, int i)
{
    return a->joint_index >= 0 ? a->joint_index : t->act_joint[i];
}

static void observe_position(const struct task *t, const struct term *a, const struct sensed *s,
                             float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)s->q[joint_of(t, a, i)];
    }
}

/* The joint's range onto -1..1. */
static void observe_in_range(const struct task *t, const struct term *a, const struct sensed *s,
                             float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        const struct joint_spec *j = &t->robot->joint[joint_of(t, a, i)];
        ret_obs[i] =
            (float)(2.0 * (s->q[joint_of(t, a, i)] - j->q_min) / (j->q_max - j->q_min) - 1.0);
    }
}

static void observe_velocity(const struct task *t, const struct term *a, const struct sensed *s,
                             float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)s->qd[joint_of(t, a, i)];
    }
}

static void observe_effort(const struct task *t, const struct term *a, const struct sensed *s,
                           float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)s->tau[joint_of(t, a, i)];
    }
}

static void observe_sin_cos(const struct task *t, const struct term *a, const struct sensed *s,
                            float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        float *pair = ret_obs + (size_t)i * 2;
        pair[0] = (float)sin(s->q[joint_of(t, a, i)]);
        pair[1] = (float)cos(s->q[joint_of(t, a, i)]);
    }
}

static void observe_sin(const struct task *t, const struct term *a, const struct sensed *s,
                        float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)sin(s->q[joint_of(t, a, i)]);
    }
}

static void observe_cos(const struct task *t, const struct term *a, const struct sensed *s,
                        float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)cos(s->q[joint_of(t, a, i)]);
    }
}

static void observe_temperature(const struct task *t, const struct term *a, const struct sensed *s,
                                float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        const float temp_c = s->temp_c[joint_of(t, a, i)];
        ret_obs[i] = isfinite(temp_c) ? temp_c : 25.0f; /* not read yet: a room's */
    }
}

static void observe_speed(const struct task *t, const struct term *a, const struct sensed *s,
                          float *ret_obs)
{
    (void)t;
    ret_obs[0] = (float)(s->qd[a->joint_index] * a->radius_m);
}

static void observe_last_action(const struct task *t, const struct term *a, const struct sensed *s,
                                float *ret_obs)
{
    (void)a;
    (void)s;
    for (int k = 0; k < t->n_act; k++) {
        ret_obs[k] = t->st.act_last[k];
    }
}

static void observe_extra(const struct task *t, const struct term *a, const struct sensed *s,
                          float *ret_obs)
{
    for (int k = 0; k < width_extra(t, a); k++) {
        ret_obs[k] = (float)s->extra[k];
    }
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
    for (int i = 0; i < width_joint(t, a); i++) {
        sum += x[joint_of(t, a, i)] * x[joint_of(t, a, i)];
    }
    return sum / width_joint(t, a);
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
    for (int i = 0; i < width_joint(t, a); i++) {
        const double d = wrap(t->st.q_start[joint_of(t, a, i)] - a->offset);
        sum += d * d;
    }
    return -a->weight * sum / width_joint(t, a);
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
    for (int i = 0; i < width_joint(t, a); i++) {
        const int j = joint_of(t, a, i);
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

/* clang-format off */
const struct slot_kind slot_kinds[] = {
    {"position",    "rad",   slot_options,       width_joint, observe_position},
    {"in_range",    "1",     slot_options,       width_joint, observe_in_range},
    {"velocity",    "rad/s", slot_options,       width_joint, observe_velocity},
    {"effort",      "Nm",    slot_options,       width_joint, observe_effort},
    {"sin_cos",     "1",     slot_options,       width_two,   observe_sin_cos},
    {"sin",         "1",     slot_options,       width_joint, observe_sin},
    {"cos",         "1",     slot_options,       width_joint, observe_cos},
    {"temperature", "C",     slot_options,       width_joint, observe_temperature},
    {"speed",       "m/s",   wheel_slot_options, width_joint, observe_speed},
    {"last_action", "1",     plain_options,      width_act,   observe_last_action},
    {"extra",       "",      plain_options,      width_extra, observe_extra},
    {.name = NULL},
};

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
    {.name = NULL},
};
/* clang-format on */
