/*
 * The pendulum of the classic swing-up task: a uniform rod on a hinge, too heavy for its motor. It
 * knows torque alone: a command of any other mode lets it swing.
 *
 *   w  <- clip(w + (3 g / (2 l) sin th + 3 / (m l^2) u) dt, -w_max, w_max),  |u| <= u_max
 *   th <- th + w dt
 *
 * th = 0 is upright and th is never wrapped. Semi-implicit Euler, one step per call: dt belongs to
 * the task, which is Gymnasium's Pendulum-v1 at 0.05 s, number for number.
 *
 * Source: Farama-Foundation/Gymnasium, gymnasium/envs/classic_control/pendulum.py.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include <math.h>
#include <string.h>

struct pendulum_config {
    char joint[NAME_CHARS];
    double gravity_m_s2, mass_kg, length_m;
    double speed_max_rad_s, torque_max_nm;
    double reset_angle_rad, reset_speed_rad_s;
};

#define AT(field) offsetof(struct pendulum_config, field)

/* clang-format off */
static const struct option pendulum_options[] = {
    {.key = "joint", .type = OPTION_TEXT, .offset = AT(joint), .n_max = NAME_CHARS, .def = "pole",
     .help = "joint of the robot that is the hinge"},
    {.key = "gravity_m_s2", .type = OPTION_DOUBLE, .offset = AT(gravity_m_s2), .min = 0, .max = 100, .def = "10",
     .help = "gravity, downwards"},
    {.key = "mass_kg", .type = OPTION_DOUBLE, .offset = AT(mass_kg), .min = 0.001, .max = 1000, .def = "1",
     .help = "of the rod"},
    {.key = "length_m", .type = OPTION_DOUBLE, .offset = AT(length_m), .min = 0.001, .max = 100, .def = "1",
     .help = "of the rod"},
    {.key = "speed_max_rad_s", .type = OPTION_DOUBLE, .offset = AT(speed_max_rad_s), .min = 0.001, .max = 1000, .def = "8",
     .help = "it never turns faster"},
    {.key = "torque_max_nm", .type = OPTION_DOUBLE, .offset = AT(torque_max_nm), .min = 0.001, .max = 1000, .def = "2",
     .help = "what the motor gives at most"},
    {.key = "reset_angle_rad", .type = OPTION_DOUBLE, .offset = AT(reset_angle_rad), .min = 0, .max = 1000, .def = "3.141592653589793",
     .help = "a reset draws the angle from -this to this, 0 being upright"},
    {.key = "reset_speed_rad_s", .type = OPTION_DOUBLE, .offset = AT(reset_speed_rad_s), .min = 0, .max = 1000, .def = "1",
     .help = "a reset draws the speed from -this to this"},
    {.key = NULL},
};

/* clang-format on */

struct pendulum {
    struct pendulum_config c;
    int joint, n; /* of the robot */
};

/* Flat: copying it copies the world. */
struct pendulum_state {
    double th, w, u; /* rad, rad/s; Nm over the last step */
    uint8_t mode;    /* enum command_mode of the last step */
};

static int pendulum_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    const struct pendulum_config *c = config;
    int joint = 0;
    const int rc = sense_joint("pendulum", robot, c->joint, &joint, ret_why, cap);
    if (rc == 0) {
        struct pendulum *z = arena_take(mem, sizeof *z);
        *z = (struct pendulum){.c = *c, .joint = joint, .n = robot->n_joints};
        *ret_self = z;
    }
    return rc;
}

static size_t pendulum_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct pendulum_state);
}

static double draw(struct rng *rng, double bound)
{
    return bound * (2.0 * rng_uniform(rng) - 1.0);
}

static void pendulum_reset(void *self, void *state, struct rng *rng)
{
    const struct pendulum *z = self;
    struct pendulum_state *s = state;
    memset(s, 0, sizeof *s);
    s->th = draw(rng, z->c.reset_angle_rad);
    s->w = draw(rng, z->c.reset_speed_rad_s);
}

static void pendulum_step(void *self, void *state, const struct command *cmd, double dt_s,
                          struct rng *rng)
{
    (void)rng;
    const struct pendulum *z = self;
    const struct pendulum_config *c = &z->c;
    struct pendulum_state *s = state;
    const double asked = cmd->mode[z->joint] == MODE_EFFORT ? cmd->tau[z->joint] : 0.0;
    s->mode = cmd->mode[z->joint];
    s->u = fmax(-c->torque_max_nm, fmin(c->torque_max_nm, asked));
    const double gravity = 3.0 * c->gravity_m_s2 / (2.0 * c->length_m) * sin(s->th);
    const double motor = 3.0 / (c->mass_kg * c->length_m * c->length_m) * s->u;
    const double w = s->w + (gravity + motor) * dt_s;
    s->w = fmax(-c->speed_max_rad_s, fmin(c->speed_max_rad_s, w));
    s->th += s->w * dt_s;
}

static void pendulum_sense(void *self, const void *state, struct rng *noise,
                           struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct pendulum *z = self;
    const struct pendulum_state *s = state;
    sense_begin(ret_sensed, z->n);
    ret_sensed->q[z->joint] = s->th;
    ret_sensed->qd[z->joint] = s->w;
    ret_sensed->tau[z->joint] = s->u;
    ret_sensed->torque[z->joint] = s->mode == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
}

const struct sim sim_pendulum = {
    .name = "pendulum",
    .source = "Gymnasium's Pendulum-v1",
    .options = pendulum_options,
    .config_bytes = sizeof(struct pendulum_config),
    .open = pendulum_open,
    .state_bytes = pendulum_state_bytes,
    .reset = pendulum_reset,
    .step = pendulum_step,
    .sense = pendulum_sense,
};
