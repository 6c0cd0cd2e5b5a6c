/*
 * What can be observed: a slot is one row of the table at the end.
 */
#include "policies/task_options.h"

#include <math.h>

/* clang-format off */
static const struct option slot_options[] = {OPTION_JOINT, OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option plain_options[] = {OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option wheel_slot_options[] = {OPTION_WHEEL, OPTION_RADIUS, OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option extra_options[] = {
    {.key = "extra", .type = OPTION_TEXT, .offset = TERM(extra), .n_max = NAME_CHARS, .def = "", .help = "name of the sensor; none: all of them"},
    OPTION_FIRST,
    {.key = "n", .type = OPTION_INT, .offset = TERM(n), .min = 0, .max = EXTRA_MAX, .def = "0", .help = "how many numbers from there on; 0: the rest"},
    {.key = "limit", .type = OPTION_DOUBLE, .offset = TERM(limit), .min = 0, .max = 1e6, .def = "0", .help = "each is clipped to +- this before offset and scale; 0: it is not"},
    OPTION_SCALE, OPTION_OFFSET, {.key = NULL}};
static const struct option picture_options[] = {
    {.key = "history", .type = OPTION_INT, .offset = TERM(history), .min = 1, .max = HISTORY_MAX, .def = "1", .help = "how many of the camera's last pictures, one a policy step"},
    {.key = NULL}};
static const struct option one_hot_options[] = {
    OPTION_EXTRA, OPTION_FIRST,
    {.key = "n", .type = OPTION_INT, .offset = TERM(n), .min = 1, .max = OBS_MAX, .def = NULL, .help = "the number is 0 to n - 1; as many observations, of which that one is 1"},
    {.key = NULL}};

/* clang-format on */

static int width_joint(const struct task *t, const struct term *a)
{
    return term_joints(t, a);
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

static int width_n(const struct task *t, const struct term *a)
{
    (void)t;
    return a->n; /* task_open has made it a count */
}

static void observe_position(const struct task *t, const struct term *a, const struct sensed *s,
                             float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)s->q[term_joint(t, a, i)];
    }
}

/* The joint's range onto -1..1. */
static void observe_in_range(const struct task *t, const struct term *a, const struct sensed *s,
                             float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        const struct joint_spec *j = &t->robot->joint[term_joint(t, a, i)];
        ret_obs[i] =
            (float)(2.0 * (s->q[term_joint(t, a, i)] - j->q_min) / (j->q_max - j->q_min) - 1.0);
    }
}

static void observe_velocity(const struct task *t, const struct term *a, const struct sensed *s,
                             float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)s->qd[term_joint(t, a, i)];
    }
}

static void observe_effort(const struct task *t, const struct term *a, const struct sensed *s,
                           float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)s->tau[term_joint(t, a, i)];
    }
}

static void observe_sin_cos(const struct task *t, const struct term *a, const struct sensed *s,
                            float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        float *pair = ret_obs + (size_t)i * 2;
        pair[0] = (float)sin(s->q[term_joint(t, a, i)]);
        pair[1] = (float)cos(s->q[term_joint(t, a, i)]);
    }
}

static void observe_sin(const struct task *t, const struct term *a, const struct sensed *s,
                        float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)sin(s->q[term_joint(t, a, i)]);
    }
}

static void observe_cos(const struct task *t, const struct term *a, const struct sensed *s,
                        float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        ret_obs[i] = (float)cos(s->q[term_joint(t, a, i)]);
    }
}

/* goal - position: what a command that has not been reached yet still does */
static void observe_lag(const struct task *t, const struct term *a, const struct sensed *s,
                        float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        const int j = term_joint(t, a, i);
        ret_obs[i] = (float)(t->st.goal_last[j] - s->q[j]);
    }
}

static void observe_temperature(const struct task *t, const struct term *a, const struct sensed *s,
                                float *ret_obs)
{
    for (int i = 0; i < width_joint(t, a); i++) {
        const float temp_c = s->temp_c[term_joint(t, a, i)];
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
    (void)t;
    for (int k = 0; k < a->n; k++) {
        const double x = s->extra[a->extra_index + k];
        ret_obs[k] = (float)(a->limit > 0.0 ? fmax(-a->limit, fmin(a->limit, x)) : x);
    }
}

static int width_none(const struct task *t, const struct term *a)
{
    (void)t;
    (void)a;
    return 0;
}

static void observe_none(const struct task *t, const struct term *a, const struct sensed *s,
                         float *ret_obs)
{
    (void)t;
    (void)a;
    (void)s;
    (void)ret_obs;
}

static void observe_one_hot(const struct task *t, const struct term *a, const struct sensed *s,
                            float *ret_obs)
{
    (void)t;
    const int hot = (int)lrint(s->extra[a->extra_index]);
    for (int k = 0; k < a->n; k++) {
        ret_obs[k] = k == hot ? 1.0f : 0.0f;
    }
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
    {"lag",         "rad",   slot_options,       width_joint, observe_lag},
    {"temperature", "C",     slot_options,       width_joint, observe_temperature},
    {"speed",       "m/s",   wheel_slot_options, width_joint, observe_speed},
    {"last_action", "1",     plain_options,      width_act,   observe_last_action},
    {"extra",       "",      extra_options,      width_n,     observe_extra},
    {"one_hot",     "1",     one_hot_options,    width_n,     observe_one_hot},
    {"picture",     "1",     picture_options,    width_none,  observe_none}, /* kept as bytes, beside the numbers */
    {.name = NULL},
};
/* clang-format on */
