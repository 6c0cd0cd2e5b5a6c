/*
 * A pole on a cart, which two choices push: to the left, to the right. Barto, Sutton and Anderson
 * (1983), equations (16) without friction, as Gymnasium's CartPole-v1 steps them.
 *
 *   a   = (F + m l w^2 sin th) / (M + m)                  F = -force or +force
 *   w'  = (g sin th - a cos th) / (l (4/3 - m cos^2 th / (M + m)))
 *   v'  = a - m l w' cos th / (M + m)
 *   x += v dt,  v += v' dt,  th += w dt,  w += w' dt      (explicit: the old speeds move)
 *
 * x in metres, th from upright, positive when it leans to the right; l is half the pole. It has no
 * end of its own: the task says how far cart and pole may go. One step per call, 0.02 s in
 * CartPole-v1.
 *
 * Source: Farama-Foundation/Gymnasium, gymnasium/envs/classic_control/cartpole.py.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include <math.h>
#include <string.h>

enum { LEFT, RIGHT, CHOICES_N };

struct cartpole_config {
    char cart[NAME_CHARS], pole[NAME_CHARS];
    double gravity_m_s2, cart_kg, pole_kg, half_m, force_n;
    double reset;
};

#define AT(field) offsetof(struct cartpole_config, field)

/* clang-format off */
static const struct option cartpole_options[] = {
    {.key = "cart_joint", .type = OPTION_TEXT, .offset = AT(cart), .n_max = NAME_CHARS, .def = "cart",
     .help = "joint of the robot that is the cart, in metres"},
    {.key = "pole_joint", .type = OPTION_TEXT, .offset = AT(pole), .n_max = NAME_CHARS, .def = "pole",
     .help = "joint of the robot that is the hinge"},
    {.key = "gravity_m_s2", .type = OPTION_DOUBLE, .offset = AT(gravity_m_s2), .min = 0, .max = 100, .def = "9.8",
     .help = "gravity, downwards"},
    {.key = "cart_kg", .type = OPTION_DOUBLE, .offset = AT(cart_kg), .min = 0.001, .max = 1000, .def = "1",
     .help = "mass of the cart"},
    {.key = "pole_kg", .type = OPTION_DOUBLE, .offset = AT(pole_kg), .min = 0.0001, .max = 1000, .def = "0.1",
     .help = "mass of the pole"},
    {.key = "half_length_m", .type = OPTION_DOUBLE, .offset = AT(half_m), .min = 0.001, .max = 100, .def = "0.5",
     .help = "half the length of the pole"},
    {.key = "force_n", .type = OPTION_DOUBLE, .offset = AT(force_n), .min = 0, .max = 1e5, .def = "10",
     .help = "with which each choice pushes"},
    {.key = "reset", .type = OPTION_DOUBLE, .offset = AT(reset), .min = 0, .max = 1000, .def = "0.05",
     .help = "a reset draws place, speed, angle and its speed from -this to this"},
    {.key = NULL},
};

/* clang-format on */

struct cartpole {
    struct cartpole_config c;
    int cart, pole, n; /* joints of the robot */
};

/* Flat: copying it copies the world. */
struct cartpole_state {
    double x, v, th, w; /* m, m/s, rad, rad/s */
};

static int cartpole_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    const struct cartpole_config *c = config;
    int cart = 0, pole = 0;
    int rc = sense_joint("cartpole", robot, c->cart, &cart, ret_why, cap);
    rc = rc == 0 ? sense_joint("cartpole", robot, c->pole, &pole, ret_why, cap) : rc;
    rc = rc == 0 ? sense_choices("cartpole", robot, CHOICES_N, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras("cartpole", robot, NULL, 0, NULL, ret_why, cap) : rc;
    if (rc == 0) {
        struct cartpole *z = arena_take(mem, sizeof *z);
        *z = (struct cartpole){.c = *c, .cart = cart, .pole = pole, .n = robot->n_joints};
        *ret_self = z;
    }
    return rc;
}

static size_t cartpole_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct cartpole_state);
}

static void cartpole_reset(void *self, void *state, struct rng *rng)
{
    const struct cartpole *z = self;
    struct cartpole_state *s = state;
    const double b = z->c.reset;
    s->x = rng_between(rng, -b, b);
    s->v = rng_between(rng, -b, b);
    s->th = rng_between(rng, -b, b);
    s->w = rng_between(rng, -b, b);
}

static void cartpole_step(void *self, void *state, const struct command *cmd, double dt_s,
                          struct rng *rng)
{
    (void)rng;
    const struct cartpole_config *c = &((const struct cartpole *)self)->c;
    struct cartpole_state *s = state;
    const double force = cmd->choice == RIGHT ? c->force_n : -c->force_n;
    const double sin_th = sin(s->th), cos_th = cos(s->th);
    const double mass = c->cart_kg + c->pole_kg, moment = c->pole_kg * c->half_m;
    const double a = (force + moment * s->w * s->w * sin_th) / mass;
    const double dw = (c->gravity_m_s2 * sin_th - cos_th * a) /
                      (c->half_m * (4.0 / 3.0 - c->pole_kg * cos_th * cos_th / mass));
    const double dv = a - moment * dw * cos_th / mass;
    s->x += dt_s * s->v;
    s->v += dt_s * dv;
    s->th += dt_s * s->w;
    s->w += dt_s * dw;
}

static void cartpole_sense(void *self, const void *state, struct rng *noise,
                           struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct cartpole *z = self;
    const struct cartpole_state *s = state;
    sense_begin(ret_sensed, z->n);
    ret_sensed->q[z->cart] = s->x;
    ret_sensed->qd[z->cart] = s->v;
    ret_sensed->q[z->pole] = s->th;
    ret_sensed->qd[z->pole] = s->w;
}

const struct sim sim_cartpole = {
    .name = "cartpole",
    .source = "Gymnasium's CartPole-v1",
    .options = cartpole_options,
    .config_bytes = sizeof(struct cartpole_config),
    .open = cartpole_open,
    .state_bytes = cartpole_state_bytes,
    .reset = cartpole_reset,
    .step = cartpole_step,
    .sense = cartpole_sense,
};
