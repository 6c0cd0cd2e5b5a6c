/*
 * A planar arm of two links that reaches for a target: gravity is across the plane, nothing
 * touches anything. Link mass m, length l, centre l/2, inertia J about it; at the end a ball of
 * mass f and radius r, e from the elbow; a rotor's inertia A and a damping d in each joint.
 *
 *   M22 = A + J + Jf + m l^2/4 + f e^2                         Jf = 2/5 f r^2
 *   M12 = J + Jf + m (l^2/4 + l^2/2 cos q2) + f (e^2 + l e cos q2)
 *   M11 = A + 2 J + Jf + m (3/2 l^2 + l^2 cos q2) + f (l^2 + e^2 + 2 l e cos q2)
 *   h   = (m l^2/2 + f l e) sin q2
 *   M w' = (tau1 - d w1 + h (2 w1 w2 + w2^2), tau2 - d w2 - h w1^2)
 *
 * The elbow's stops take all its speed, at once. Runge-Kutta at 10 ms or finer. The numbers are
 * those of Gymnasium's Reacher-v5, of which this is the analytic twin: the same motion between the
 * stops, which are soft there. Sensors beside the joints: `target` and `fingertip` (x, y),
 * `to_target` = fingertip - target, `distance` = its length.
 *
 * Source of the numbers: Farama-Foundation/Gymnasium, gymnasium/envs/mujoco/reacher_v5.py and
 * assets/reacher.xml. The equations are Lagrange's for these two links.
 */
#include "sim/rk4.h"
#include "sim/sense.h"
#include "sim/sim.h"

#include <math.h>
#include <string.h>

#define STEP_MAX_S 0.01
#define FIT        1e-9 /* 20 ms are two steps of 10 ms, whatever the rounding */

enum { TARGET, FINGERTIP, TO_TARGET, DISTANCE, SENSORS_N };

static const struct world_sensor sensors[SENSORS_N] = {
    {"target", 2}, {"fingertip", 2}, {"to_target", 2}, {"distance", 1}};

struct reacher2_config {
    char shoulder[NAME_CHARS], elbow[NAME_CHARS];
    double link_m, link_kg, link_kgm2;
    double tip_m, tip_kg, tip_radius_m;
    double rotor_kgm2, damping, torque_max_nm, elbow_max_rad;
    double target_m, reset_angle_rad, reset_speed_rad_s;
};

#define AT(field) offsetof(struct reacher2_config, field)

/* clang-format off */
static const struct option reacher2_options[] = {
    {.key = "shoulder_joint", .type = OPTION_TEXT, .offset = AT(shoulder), .n_max = NAME_CHARS, .def = "shoulder",
     .help = "joint of the robot at the base"},
    {.key = "elbow_joint", .type = OPTION_TEXT, .offset = AT(elbow), .n_max = NAME_CHARS, .def = "elbow",
     .help = "joint of the robot between the links"},
    {.key = "link_m", .type = OPTION_DOUBLE, .offset = AT(link_m), .min = 0.001, .max = 10, .def = "0.1",
     .help = "length of each link"},
    {.key = "link_kg", .type = OPTION_DOUBLE, .offset = AT(link_kg), .min = 0, .max = 1000, .def = "0.0356047167",
     .help = "mass of each link"},
    {.key = "link_kgm2", .type = OPTION_DOUBLE, .offset = AT(link_kgm2), .min = 0, .max = 1000, .def = "3.91756604e-5",
     .help = "inertia of each link about its centre"},
    {.key = "tip_m", .type = OPTION_DOUBLE, .offset = AT(tip_m), .min = 0.001, .max = 10, .def = "0.11",
     .help = "elbow to fingertip"},
    {.key = "tip_kg", .type = OPTION_DOUBLE, .offset = AT(tip_kg), .min = 0, .max = 1000, .def = "0.0041887902",
     .help = "mass of the fingertip, a ball"},
    {.key = "tip_radius_m", .type = OPTION_DOUBLE, .offset = AT(tip_radius_m), .min = 0, .max = 10, .def = "0.01",
     .help = "radius of that ball"},
    {.key = "rotor_kgm2", .type = OPTION_DOUBLE, .offset = AT(rotor_kgm2), .min = 1e-6, .max = 1000, .def = "1",
     .help = "what each motor adds to the inertia of its joint"},
    {.key = "damping_nms_rad", .type = OPTION_DOUBLE, .offset = AT(damping), .min = 0, .max = 1000, .def = "1",
     .help = "viscous friction of each joint"},
    {.key = "torque_max_nm", .type = OPTION_DOUBLE, .offset = AT(torque_max_nm), .min = 0, .max = 1e5, .def = "200",
     .help = "what each motor gives at most"},
    {.key = "elbow_max_rad", .type = OPTION_DOUBLE, .offset = AT(elbow_max_rad), .min = 0.01, .max = 1e6, .def = "3",
     .help = "the elbow's stops, from straight"},
    {.key = "target_m", .type = OPTION_DOUBLE, .offset = AT(target_m), .min = 0, .max = 10, .def = "0.2",
     .help = "a reset puts the target anywhere within this distance of the base"},
    {.key = "reset_angle_rad", .type = OPTION_DOUBLE, .offset = AT(reset_angle_rad), .min = 0, .max = 3, .def = "0.1",
     .help = "a reset draws both angles from -this to this"},
    {.key = "reset_speed_rad_s", .type = OPTION_DOUBLE, .offset = AT(reset_speed_rad_s), .min = 0, .max = 1000, .def = "0.005",
     .help = "a reset draws both speeds from -this to this"},
    {.key = NULL},
};

/* clang-format on */

struct reacher2 {
    struct reacher2_config c;
    int joint[2], n; /* of the robot: shoulder, elbow */
    int at[SENSORS_N];
    double tip_kgm2;
};

/* Flat: copying it copies the world. */
struct reacher2_state {
    double y[4]; /* q1, q2, w1, w2 */
    double target[2];
    double tau[2];   /* Nm over the last step */
    uint8_t mode[2]; /* enum command_mode of the last step */
};

static int reacher2_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    struct reacher2 z = {.c = *(const struct reacher2_config *)config, .n = robot->n_joints};
    const char *own = "reacher2";
    z.tip_kgm2 = 0.4 * z.c.tip_kg * z.c.tip_radius_m * z.c.tip_radius_m;
    int rc = sense_joint(own, robot, z.c.shoulder, &z.joint[0], ret_why, cap);
    rc = rc == 0 ? sense_joint(own, robot, z.c.elbow, &z.joint[1], ret_why, cap) : rc;
    rc = rc == 0 ? sense_choices(own, robot, 0, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras(own, robot, sensors, SENSORS_N, z.at, ret_why, cap) : rc;
    if (rc == 0) {
        struct reacher2 *taken = arena_take(mem, sizeof *taken);
        *taken = z;
        *ret_self = taken;
    }
    return rc;
}

static size_t reacher2_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct reacher2_state);
}

static void reacher2_reset(void *self, void *state, struct rng *rng)
{
    const struct reacher2_config *c = &((const struct reacher2 *)self)->c;
    struct reacher2_state *s = state;
    memset(s, 0, sizeof *s);
    for (int i = 0; i < 2; i++) {
        s->y[i] = rng_between(rng, -c->reset_angle_rad, c->reset_angle_rad);
        s->y[2 + i] = rng_between(rng, -c->reset_speed_rad_s, c->reset_speed_rad_s);
    }
    const double radius = c->target_m * sqrt(rng_uniform(rng)); /* even over the disc */
    const double angle = rng_between(rng, -M_PI, M_PI);
    s->target[0] = radius * cos(angle);
    s->target[1] = radius * sin(angle);
}

struct inertia {
    double m11, m12, m22, h;
};

static struct inertia inertia_at(const struct reacher2 *z, double q2)
{
    const struct reacher2_config *c = &z->c;
    const double m = c->link_kg, l = c->link_m, f = c->tip_kg, e = c->tip_m, cos_q2 = cos(q2);
    const double j = c->link_kgm2, jf = z->tip_kgm2;
    return (struct inertia){
        .m11 = c->rotor_kgm2 + 2.0 * j + jf + m * l * l * (1.5 + cos_q2) +
               f * (l * l + e * e + 2.0 * l * e * cos_q2),
        .m12 = j + jf + m * l * l * (0.25 + 0.5 * cos_q2) + f * (e * e + l * e * cos_q2),
        .m22 = c->rotor_kgm2 + j + jf + m * l * l * 0.25 + f * e * e,
        .h = (m * l * l * 0.5 + f * l * e) * sin(q2),
    };
}

struct driven {
    const struct reacher2 *z;
    double tau[2];
};

static void slope(const void *self, const double *y, double *ret_dy)
{
    const struct driven *d = self;
    const double w1 = y[2], w2 = y[3];
    const struct inertia i = inertia_at(d->z, y[1]);
    const double b1 = d->tau[0] - d->z->c.damping * w1 + i.h * (2.0 * w1 * w2 + w2 * w2);
    const double b2 = d->tau[1] - d->z->c.damping * w2 - i.h * w1 * w1;
    const double det = i.m11 * i.m22 - i.m12 * i.m12;
    ret_dy[0] = w1;
    ret_dy[1] = w2;
    ret_dy[2] = (i.m22 * b1 - i.m12 * b2) / det;
    ret_dy[3] = (i.m11 * b2 - i.m12 * b1) / det;
}

/* The stop's blow is on the elbow alone: M11 dw1 + M12 dw2 = 0. */
static void stop_elbow(const struct reacher2 *z, double *y)
{
    const double q_max = z->c.elbow_max_rad;
    if (fabs(y[1]) <= q_max) {
        return;
    }
    y[1] = copysign(q_max, y[1]);
    if (y[1] * y[3] > 0.0) {
        const struct inertia i = inertia_at(z, y[1]);
        y[2] += i.m12 / i.m11 * y[3];
        y[3] = 0.0;
    }
}

static void reacher2_step(void *self, void *state, const struct command *cmd, double dt_s,
                          struct rng *rng)
{
    (void)rng;
    const struct reacher2 *z = self;
    struct reacher2_state *s = state;
    const double tau_max = z->c.torque_max_nm;
    for (int i = 0; i < 2; i++) {
        const int j = z->joint[i];
        const double asked = cmd->mode[j] == MODE_EFFORT ? cmd->tau[j] : 0.0;
        s->mode[i] = cmd->mode[j];
        s->tau[i] = fmin(fmax(asked, -tau_max), tau_max);
    }
    const struct driven d = {.z = z, .tau = {s->tau[0], s->tau[1]}};
    const int n = (int)fmax(1.0, ceil(dt_s / STEP_MAX_S - FIT));
    for (int k = 0; k < n; k++) {
        rk4(slope, &d, s->y, 4, dt_s / n);
        stop_elbow(z, s->y);
    }
}

static void reacher2_sense(void *self, const void *state, struct rng *noise,
                           struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct reacher2 *z = self;
    const struct reacher2_state *s = state;
    sense_begin(ret_sensed, z->n);
    for (int i = 0; i < 2; i++) {
        const int j = z->joint[i];
        ret_sensed->q[j] = s->y[i];
        ret_sensed->qd[j] = s->y[2 + i];
        ret_sensed->tau[j] = s->tau[i];
        ret_sensed->torque[j] = s->mode[i] == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
    }
    const double both = s->y[0] + s->y[1];
    const double tip[2] = {z->c.link_m * cos(s->y[0]) + z->c.tip_m * cos(both),
                           z->c.link_m * sin(s->y[0]) + z->c.tip_m * sin(both)};
    const double off[2] = {tip[0] - s->target[0], tip[1] - s->target[1]};
    sense_put_all(ret_sensed, z->at[TARGET], s->target, 2);
    sense_put_all(ret_sensed, z->at[FINGERTIP], tip, 2);
    sense_put_all(ret_sensed, z->at[TO_TARGET], off, 2);
    sense_put(ret_sensed, z->at[DISTANCE], hypot(off[0], off[1]));
}

const struct sim sim_reacher2 = {
    .name = "reacher2",
    .source = "own: two links, with the numbers of Gymnasium's Reacher-v5",
    .options = reacher2_options,
    .config_bytes = sizeof(struct reacher2_config),
    .open = reacher2_open,
    .state_bytes = reacher2_state_bytes,
    .reset = reacher2_reset,
    .step = reacher2_step,
    .sense = reacher2_sense,
};
