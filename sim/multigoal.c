/*
 * A point in the plane with four goals around it, alike in all but their direction: whoever learns
 * one best action instead of a distribution learns to go to one of them.
 *
 *   p <- clip(p + v, -7, 7),  |v_k| <= 1;  goals (5, 0), (-5, 0), (0, 5), (0, -5)
 *
 * The point has no mass: a joint's effort is its step. A command of any other mode lets it stay. A
 * step is a step, however long it takes. Within 1 of a goal it has arrived, and stays where it is
 * until a reset, which draws p from N(0, 0.1^2).
 *
 * Source: haarnoja/softqlearning, softqlearning/environments/multigoal.py. `mixture` is the reward
 * of Haarnoja et al. 2017, arXiv:1702.08165, section 5.1, whose width the paper does not give.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include "daemon/base/err.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct multigoal_config {
    char x[NAME_CHARS], y[NAME_CHARS];
    double goal_distance_m, goal_radius_m, bound_m, step_max_m, reset_std_m, mixture_width_m;
};

#define AT(field) offsetof(struct multigoal_config, field)

/* clang-format off */
static const struct option multigoal_options[] = {
    {.key = "x", .type = OPTION_TEXT, .offset = AT(x), .n_max = NAME_CHARS, .def = "x",
     .help = "joint of the robot that is the point's first coordinate"},
    {.key = "y", .type = OPTION_TEXT, .offset = AT(y), .n_max = NAME_CHARS, .def = "y",
     .help = "and its second"},
    {.key = "goal_distance_m", .type = OPTION_DOUBLE, .offset = AT(goal_distance_m), .min = 0.1, .max = 1000, .def = "5",
     .help = "from the middle to each goal"},
    {.key = "goal_radius_m", .type = OPTION_DOUBLE, .offset = AT(goal_radius_m), .min = 0.001, .max = 1000, .def = "1",
     .help = "nearer than this to a goal the point has arrived"},
    {.key = "bound_m", .type = OPTION_DOUBLE, .offset = AT(bound_m), .min = 0.1, .max = 1000, .def = "7",
     .help = "neither coordinate goes beyond this"},
    {.key = "step_max_m", .type = OPTION_DOUBLE, .offset = AT(step_max_m), .min = 0.001, .max = 1000, .def = "1",
     .help = "longest step of each coordinate"},
    {.key = "reset_std_m", .type = OPTION_DOUBLE, .offset = AT(reset_std_m), .min = 0, .max = 1000, .def = "0.1",
     .help = "standard deviation of where a reset puts each coordinate"},
    {.key = "mixture_width_m", .type = OPTION_DOUBLE, .offset = AT(mixture_width_m), .min = 0.001, .max = 1000, .def = "1",
     .help = "standard deviation of the Gaussians that the sensor mixture adds up"},
    {.key = NULL},
};

/* clang-format on */

enum { DISTANCE2, MIXTURE, GOAL, END, N_SENSORS };

static const struct world_sensor multigoal_sensors[N_SENSORS] = {
    [DISTANCE2] = {"distance2", 1}, /* to the nearest goal, squared */
    [MIXTURE] = {"mixture", 1},     /* a Gaussian around each goal, 1 at its top, added up */
    [GOAL] = {"goal", 1},           /* 1 .. 4 once it has arrived there; 0: on its way */
    [END] = {"end", 1},             /* 1: it has arrived */
};

static const double direction[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};

#define N_GOALS 4

struct multigoal {
    struct multigoal_config c;
    int joint[2], n; /* of the robot */
    int at[N_SENSORS];
};

/* Flat: copying it copies the world. */
struct multigoal_state {
    double p[2], v[2]; /* m; the last step */
    int goal;          /* 1 .. N_GOALS; 0: on its way */
    int torque;        /* enum torque_state */
};

static int joint_named(const struct robot *robot, const char *name)
{
    for (int j = 0; j < robot->n_joints; j++) {
        if (strcmp(robot->joint[j].name, name) == 0) {
            return j;
        }
    }
    return -1;
}

static int multigoal_open(const void *config, const struct robot *robot, struct arena *mem,
                          void **ret_self, char *ret_why, int cap)
{
    const struct multigoal_config *c = config;
    const char *const names[] = {c->x, c->y};
    struct multigoal *z = arena_take(mem, sizeof *z);
    *z = (struct multigoal){.c = *c, .n = robot->n_joints};
    for (int k = 0; k < 2; k++) {
        z->joint[k] = joint_named(robot, names[k]);
        if (z->joint[k] < 0) {
            return why(ret_why, cap, -EINVAL, "sim multigoal: the robot has no joint \"%s\"",
                       names[k]);
        }
    }
    const int rc =
        sense_extras("multigoal", robot, multigoal_sensors, N_SENSORS, z->at, ret_why, cap);
    *ret_self = rc == 0 ? z : *ret_self;
    return rc;
}

static size_t multigoal_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct multigoal_state);
}

static double clip(double x, double most)
{
    return fmax(-most, fmin(most, x));
}

/* |p - g|^2 for the goal g in direction i */
static double distance2(const struct multigoal *z, const double *p, int i)
{
    const double x = p[0] - z->c.goal_distance_m * direction[i][0];
    const double y = p[1] - z->c.goal_distance_m * direction[i][1];
    return x * x + y * y;
}

static int nearest(const struct multigoal *z, const double *p)
{
    int best = 0;
    for (int i = 1; i < N_GOALS; i++) {
        best = distance2(z, p, i) < distance2(z, p, best) ? i : best;
    }
    return best;
}

static void arrive(const struct multigoal *z, struct multigoal_state *s)
{
    const int i = nearest(z, s->p);
    const bool there = distance2(z, s->p, i) < z->c.goal_radius_m * z->c.goal_radius_m;
    s->goal = there ? i + 1 : 0;
}

static void multigoal_reset(void *self, void *state, struct rng *rng)
{
    const struct multigoal *z = self;
    struct multigoal_state *s = state;
    memset(s, 0, sizeof *s);
    for (int k = 0; k < 2; k++) {
        s->p[k] = clip(z->c.reset_std_m * rng_normal(rng), z->c.bound_m);
    }
    s->torque = TORQUE_OFF;
    arrive(z, s);
}

static void multigoal_step(void *self, void *state, const struct command *cmd, double dt_s,
                           struct rng *rng)
{
    (void)dt_s;
    (void)rng;
    const struct multigoal *z = self;
    struct multigoal_state *s = state;
    s->torque = TORQUE_OFF;
    for (int k = 0; k < 2; k++) {
        const int j = z->joint[k];
        const double asked = cmd->mode[j] == MODE_EFFORT && s->goal == 0 ? cmd->tau[j] : 0.0;
        s->v[k] = clip(asked, z->c.step_max_m);
        s->p[k] = clip(s->p[k] + s->v[k], z->c.bound_m);
        s->torque = cmd->mode[j] != MODE_OFF ? TORQUE_ON : s->torque;
    }
    if (s->goal == 0) {
        arrive(z, s);
    }
}

static double mixture(const struct multigoal *z, const double *p)
{
    double sum = 0.0;
    for (int i = 0; i < N_GOALS; i++) {
        sum += exp(-distance2(z, p, i) / (2.0 * z->c.mixture_width_m * z->c.mixture_width_m));
    }
    return sum;
}

static void multigoal_sense(void *self, const void *state, struct rng *noise,
                            struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct multigoal *z = self;
    const struct multigoal_state *s = state;
    const double value[N_SENSORS] = {
        [DISTANCE2] = distance2(z, s->p, nearest(z, s->p)),
        [MIXTURE] = mixture(z, s->p),
        [GOAL] = s->goal,
        [END] = s->goal != 0,
    };
    sense_begin(ret_sensed, z->n);
    for (int k = 0; k < 2; k++) {
        ret_sensed->q[z->joint[k]] = s->p[k];
        ret_sensed->tau[z->joint[k]] = s->v[k];
        ret_sensed->torque[z->joint[k]] = (uint8_t)s->torque;
    }
    for (int i = 0; i < N_SENSORS; i++) {
        if (z->at[i] >= 0) {
            ret_sensed->extra[z->at[i]] = value[i];
        }
    }
}

const struct sim sim_multigoal = {
    .name = "multigoal",
    .source = "haarnoja/softqlearning, environments/multigoal.py; arXiv:1702.08165, section 5.1",
    .options = multigoal_options,
    .config_bytes = sizeof(struct multigoal_config),
    .open = multigoal_open,
    .state_bytes = multigoal_state_bytes,
    .reset = multigoal_reset,
    .step = multigoal_step,
    .sense = multigoal_sense,
};
