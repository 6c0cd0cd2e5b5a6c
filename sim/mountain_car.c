/*
 * A car in a valley, too weak to drive out of it straight: it must swing. Moore (1990); Sutton and
 * Barto, example 10.1, as Gymnasium's MountainCar-v0 (three choices: back, coast, forward) and
 * MountainCarContinuous-v0 (a torque from -1 to 1 on the joint) step it.
 *
 *   v <- clip(v + power u - 0.0025 cos 3p, -0.07, 0.07)
 *   p <- clip(p + v, -1.2, 0.6);  where it hits the left wall, v = 0
 *
 * It ends where p >= goal and v >= 0, and stays there until it is reset. One step per call,
 * whatever dt: the valley knows no seconds. Sensors beside the joint: `height` of the road, 0.45
 * sin 3p + 0.55, and `end`, 1 at the goal.
 *
 * Source: Farama-Foundation/Gymnasium, gymnasium/envs/classic_control/mountain_car.py and
 * continuous_mountain_car.py (the latter keeps its state in single precision).
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include <math.h>
#include <string.h>

#define P_MIN   (-1.2)
#define P_MAX   0.6
#define V_MAX   0.07
#define GRAVITY 0.0025

enum { BACK, COAST, FORWARD, CHOICES_N };

enum { HEIGHT, END, SENSORS_N };

static const struct world_sensor sensors[SENSORS_N] = {{"height", 1}, {"end", 1}};

struct mountain_car_config {
    char joint[NAME_CHARS];
    bool continuous;
    double power, goal;
    double reset_min, reset_max;
};

#define AT(field) offsetof(struct mountain_car_config, field)

/* clang-format off */
static const struct option mountain_car_options[] = {
    {.key = "joint", .type = OPTION_TEXT, .offset = AT(joint), .n_max = NAME_CHARS, .def = "car",
     .help = "joint of the robot that is the car"},
    {.key = "continuous", .type = OPTION_BOOL, .offset = AT(continuous), .def = "false",
     .help = "its engine is a torque from -1 to 1 on that joint, in place of the choices back, coast, forward"},
    {.key = "power", .type = OPTION_DOUBLE, .offset = AT(power), .min = 0, .max = 1, .def = "0.001",
     .help = "of the engine; 0.0015 in MountainCarContinuous-v0"},
    {.key = "goal", .type = OPTION_DOUBLE, .offset = AT(goal), .min = -1.2, .max = 0.6, .def = "0.5",
     .help = "where it ends; 0.45 in MountainCarContinuous-v0"},
    {.key = "reset_min", .type = OPTION_DOUBLE, .offset = AT(reset_min), .min = -1.2, .max = 0.6, .def = "-0.6",
     .help = "a reset puts it at rest between this"},
    {.key = "reset_max", .type = OPTION_DOUBLE, .offset = AT(reset_max), .min = -1.2, .max = 0.6, .def = "-0.4",
     .help = "... and this"},
    {.key = NULL},
};

/* clang-format on */

struct mountain_car {
    struct mountain_car_config c;
    int joint, n; /* of the robot */
    int at[SENSORS_N];
};

/* Flat: copying it copies the world. */
struct mountain_car_state {
    double p, v, u; /* u: of the engine over the last step */
    uint8_t mode;   /* enum command_mode of the last step */
};

static int mountain_car_open(const void *config, const struct robot *robot, struct arena *mem,
                             void **ret_self, char *ret_why, int cap)
{
    struct mountain_car z = {.c = *(const struct mountain_car_config *)config,
                             .n = robot->n_joints};
    const char *own = "mountain_car";
    int rc = sense_joint(own, robot, z.c.joint, &z.joint, ret_why, cap);
    rc = rc == 0 ? sense_choices(own, robot, z.c.continuous ? 0 : CHOICES_N, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras(own, robot, sensors, SENSORS_N, z.at, ret_why, cap) : rc;
    if (rc == 0) {
        struct mountain_car *taken = arena_take(mem, sizeof *taken);
        *taken = z;
        *ret_self = taken;
    }
    return rc;
}

static size_t mountain_car_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct mountain_car_state);
}

static void mountain_car_reset(void *self, void *state, struct rng *rng)
{
    const struct mountain_car *z = self;
    struct mountain_car_state *s = state;
    memset(s, 0, sizeof *s);
    s->p = rng_between(rng, z->c.reset_min, z->c.reset_max);
}

static double clip(double x, double lo, double hi)
{
    return fmin(fmax(x, lo), hi);
}

static bool ended(const struct mountain_car *z, const struct mountain_car_state *s)
{
    return s->p >= z->c.goal && s->v >= 0.0;
}

static double engine(const struct mountain_car *z, const struct command *cmd)
{
    if (!z->c.continuous) {
        return cmd->choice == BACK ? -1.0 : cmd->choice == FORWARD ? 1.0 : 0.0;
    }
    return cmd->mode[z->joint] == MODE_EFFORT ? clip(cmd->tau[z->joint], -1.0, 1.0) : 0.0;
}

static void mountain_car_step(void *self, void *state, const struct command *cmd, double dt_s,
                              struct rng *rng)
{
    (void)dt_s;
    (void)rng;
    const struct mountain_car *z = self;
    struct mountain_car_state *s = state;
    s->mode = cmd->mode[z->joint];
    if (ended(z, s)) {
        return;
    }
    s->u = engine(z, cmd);
    s->v = clip(s->v + s->u * z->c.power - GRAVITY * cos(3.0 * s->p), -V_MAX, V_MAX);
    s->p = clip(s->p + s->v, P_MIN, P_MAX);
    if (s->p == P_MIN && s->v < 0.0) {
        s->v = 0.0;
    }
}

static void mountain_car_sense(void *self, const void *state, struct rng *noise,
                               struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct mountain_car *z = self;
    const struct mountain_car_state *s = state;
    sense_begin(ret_sensed, z->n);
    ret_sensed->q[z->joint] = s->p;
    ret_sensed->qd[z->joint] = s->v;
    ret_sensed->tau[z->joint] = s->u;
    ret_sensed->torque[z->joint] = s->mode == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
    sense_put(ret_sensed, z->at[HEIGHT], 0.45 * sin(3.0 * s->p) + 0.55);
    sense_put(ret_sensed, z->at[END], ended(z, s) ? 1.0 : 0.0);
}

const struct sim sim_mountain_car = {
    .name = "mountain_car",
    .source = "Gymnasium's MountainCar-v0 and MountainCarContinuous-v0",
    .options = mountain_car_options,
    .config_bytes = sizeof(struct mountain_car_config),
    .open = mountain_car_open,
    .state_bytes = mountain_car_state_bytes,
    .reset = mountain_car_reset,
    .step = mountain_car_step,
    .sense = mountain_car_sense,
};
