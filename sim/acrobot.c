/*
 * Two links that hang from a bar, with a motor at the elbow alone: three choices, a torque of -1, 0
 * or 1 Nm. Sutton (1996), with the dynamics of Sutton and Barto's book, as Gymnasium's Acrobot-v1
 * steps them. Mass m = 1, length l = 1, centre lc = 0.5 and inertia I = 1 of each link:
 *
 *   d1   = m lc^2 + m (l^2 + lc^2 + 2 l lc cos q2) + 2 I
 *   d2   = m (lc^2 + l lc cos q2) + I
 *   phi2 = m lc g cos(q1 + q2 - pi/2)
 *   phi1 = -m l lc w2^2 sin q2 - 2 m l lc w2 w1 sin q2 + (m lc + m l) g cos(q1 - pi/2) + phi2
 *   w2'  = (tau + d2/d1 phi1 - m l lc w1^2 sin q2 - phi2) / (m lc^2 + I - d2^2/d1)
 *   w1'  = -(d2 w2' + phi1) / d1
 *
 * q1 = 0 hangs down, q2 is relative to it; both are kept in [-pi, pi], |w1| <= 4 pi, |w2| <= 9 pi.
 * One Runge-Kutta step per call, 0.2 s in Acrobot-v1. Sensor beside the joints: `height` of the tip
 * above the bar, -cos q1 - cos(q1 + q2); the task ends it above 1.
 *
 * Source: Farama-Foundation/Gymnasium, gymnasium/envs/classic_control/acrobot.py.
 */
#include "sim/rk4.h"
#include "sim/sense.h"
#include "sim/sim.h"

#include <math.h>

#define M      1.0 /* kg of each link */
#define L      1.0 /* m */
#define LC     0.5 /* m */
#define I      1.0 /* kg m^2 */
#define G      9.8 /* m/s^2 */
#define W1_MAX (4.0 * M_PI)
#define W2_MAX (9.0 * M_PI)

enum { CHOICES_N = 3 }; /* torque -1, 0, 1 */

static const struct world_sensor sensors[] = {{"height", 1}};

struct acrobot_config {
    char upper[NAME_CHARS], lower[NAME_CHARS];
    double torque_nm;
    double reset;
};

#define AT(field) offsetof(struct acrobot_config, field)

/* clang-format off */
static const struct option acrobot_options[] = {
    {.key = "upper_joint", .type = OPTION_TEXT, .offset = AT(upper), .n_max = NAME_CHARS, .def = "shoulder",
     .help = "joint of the robot at the bar, without a motor"},
    {.key = "lower_joint", .type = OPTION_TEXT, .offset = AT(lower), .n_max = NAME_CHARS, .def = "elbow",
     .help = "joint of the robot between the links"},
    {.key = "torque_nm", .type = OPTION_DOUBLE, .offset = AT(torque_nm), .min = 0, .max = 1000, .def = "1",
     .help = "of the outer two choices"},
    {.key = "reset", .type = OPTION_DOUBLE, .offset = AT(reset), .min = 0, .max = 3.1, .def = "0.1",
     .help = "a reset draws both angles and both speeds from -this to this"},
    {.key = NULL},
};

/* clang-format on */

struct acrobot {
    struct acrobot_config c;
    int upper, lower, n; /* joints of the robot */
    int height;
};

/* Flat: copying it copies the world. */
struct acrobot_state {
    double y[4]; /* q1, q2, w1, w2 */
    double tau;  /* Nm over the last step */
};

static int acrobot_open(const void *config, const struct robot *robot, struct arena *mem,
                        void **ret_self, char *ret_why, int cap)
{
    struct acrobot z = {.c = *(const struct acrobot_config *)config, .n = robot->n_joints};
    const char *own = "acrobot";
    int rc = sense_joint(own, robot, z.c.upper, &z.upper, ret_why, cap);
    rc = rc == 0 ? sense_joint(own, robot, z.c.lower, &z.lower, ret_why, cap) : rc;
    rc = rc == 0 ? sense_choices(own, robot, CHOICES_N, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras(own, robot, sensors, 1, &z.height, ret_why, cap) : rc;
    if (rc == 0) {
        struct acrobot *taken = arena_take(mem, sizeof *taken);
        *taken = z;
        *ret_self = taken;
    }
    return rc;
}

static size_t acrobot_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct acrobot_state);
}

static void acrobot_reset(void *self, void *state, struct rng *rng)
{
    const struct acrobot *z = self;
    struct acrobot_state *s = state;
    for (int i = 0; i < 4; i++) {
        s->y[i] = rng_between(rng, -z->c.reset, z->c.reset);
    }
    s->tau = 0.0;
}

/* self: the torque */
static void slope(const void *self, const double *y, double *ret_dy)
{
    const double tau = *(const double *)self, q1 = y[0], q2 = y[1], w1 = y[2], w2 = y[3];
    const double s2 = sin(q2), c2 = cos(q2);
    const double d1 = M * LC * LC + M * (L * L + LC * LC + 2.0 * L * LC * c2) + 2.0 * I;
    const double d2 = M * (LC * LC + L * LC * c2) + I;
    const double phi2 = M * LC * G * cos(q1 + q2 - M_PI / 2.0);
    const double phi1 = -M * L * LC * w2 * w2 * s2 - 2.0 * M * L * LC * w2 * w1 * s2 +
                        (M * LC + M * L) * G * cos(q1 - M_PI / 2.0) + phi2;
    ret_dy[0] = w1;
    ret_dy[1] = w2;
    ret_dy[3] = (tau + d2 / d1 * phi1 - M * L * LC * w1 * w1 * s2 - phi2) /
                (M * LC * LC + I - d2 * d2 / d1);
    ret_dy[2] = -(d2 * ret_dy[3] + phi1) / d1;
}

static double bound(double w, double w_max)
{
    return fmin(fmax(w, -w_max), w_max);
}

static void acrobot_step(void *self, void *state, const struct command *cmd, double dt_s,
                         struct rng *rng)
{
    (void)rng;
    const struct acrobot *z = self;
    struct acrobot_state *s = state;
    s->tau = (cmd->choice - 1) * z->c.torque_nm;
    rk4(slope, &s->tau, s->y, 4, dt_s);
    s->y[0] = remainder(s->y[0], 2.0 * M_PI);
    s->y[1] = remainder(s->y[1], 2.0 * M_PI);
    s->y[2] = bound(s->y[2], W1_MAX);
    s->y[3] = bound(s->y[3], W2_MAX);
}

static void acrobot_sense(void *self, const void *state, struct rng *noise,
                          struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct acrobot *z = self;
    const struct acrobot_state *s = state;
    sense_begin(ret_sensed, z->n);
    ret_sensed->q[z->upper] = s->y[0];
    ret_sensed->q[z->lower] = s->y[1];
    ret_sensed->qd[z->upper] = s->y[2];
    ret_sensed->qd[z->lower] = s->y[3];
    ret_sensed->tau[z->lower] = s->tau;
    sense_put(ret_sensed, z->height, -cos(s->y[0]) - cos(s->y[0] + s->y[1]));
}

const struct sim sim_acrobot = {
    .name = "acrobot",
    .source = "Gymnasium's Acrobot-v1",
    .options = acrobot_options,
    .config_bytes = sizeof(struct acrobot_config),
    .open = acrobot_open,
    .state_bytes = acrobot_state_bytes,
    .reset = acrobot_reset,
    .step = acrobot_step,
    .sense = acrobot_sense,
};
