/*
 * Joints that know nothing of each other: a servo motor each (motor.h), and a weight on it. What an
 * arm is to its servos as long as only their bytes, limits and strain matter; how its links move
 * each other is another body's.
 *
 *   load_i = gravity_i sin(q_i - upright_i)
 *
 * gravity_i is the largest moment that gravity makes at joint i, everything behind it stretched
 * out; upright_i the angle where it has none and would fall to either side.
 *
 * Integrator: that of motor.h, at 0.5 ms or finer.
 */
#include "sim/motor.h"
#include "sim/sense.h"
#include "sim/sim.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define STEP_MAX_S 0.0005
#define ROOM_C     25.0

/* Lists are in the order of the robot's joints; one number is for all of them, none is 0. */
struct list {
    int n;
    double x[JOINTS_MAX];
};

struct joints_config {
    struct list start_rad, gravity_nm, upright_rad, inertia_kgm2, speed_rad_s;
    double friction_nm, damping_nms_rad, backlash_rad, kp_nm_rad, stop_margin_rad;
    double supply_v, sag_v, heat_c, heat_s;
};

#define AT(field) offsetof(struct joints_config, field)

/* clang-format off */
static const struct option joints_options[] = {
    {.key = "start_rad", .type = OPTION_DOUBLES, .offset = AT(start_rad.x), .n_offset = AT(start_rad.n), .n_max = JOINTS_MAX, .min = -1e4, .max = 1e4, .def = "[0]",
     .help = "pose after a reset, joint by joint; one number is for all"},
    {.key = "gravity_nm", .type = OPTION_DOUBLES, .offset = AT(gravity_nm.x), .n_offset = AT(gravity_nm.n), .n_max = JOINTS_MAX, .min = 0, .max = 1e4, .def = "[0]",
     .help = "largest moment that gravity makes at each joint, everything behind it stretched out"},
    {.key = "upright_rad", .type = OPTION_DOUBLES, .offset = AT(upright_rad.x), .n_offset = AT(upright_rad.n), .n_max = JOINTS_MAX, .min = -1e4, .max = 1e4, .def = "[0]",
     .help = "angle of each joint where gravity makes none and it would fall to either side"},
    {.key = "inertia_kgm2", .type = OPTION_DOUBLES, .offset = AT(inertia_kgm2.x), .n_offset = AT(inertia_kgm2.n), .n_max = JOINTS_MAX, .min = 1e-6, .max = 1e3, .def = "[0.03]",
     .help = "rotor times gear squared, and what hangs on it"},
    {.key = "speed_rad_s", .type = OPTION_DOUBLES, .offset = AT(speed_rad_s.x), .n_offset = AT(speed_rad_s.n), .n_max = JOINTS_MAX, .min = 0.01, .max = 1e3, .def = "[4.7]",
     .help = "no-load speed of each motor at full voltage"},
    {.key = "friction_nm", .type = OPTION_DOUBLE, .offset = AT(friction_nm), .min = 0, .max = 100, .def = "0.05",
     .help = "dry friction of each gear"},
    {.key = "damping_nms_rad", .type = OPTION_DOUBLE, .offset = AT(damping_nms_rad), .min = 0, .max = 100, .def = "0.005",
     .help = "viscous friction of each gear"},
    {.key = "backlash_rad", .type = OPTION_DOUBLE, .offset = AT(backlash_rad), .min = 0, .max = 0.5, .def = "0.0087",
     .help = "play between gear and output"},
    {.key = "kp_nm_rad", .type = OPTION_DOUBLE, .offset = AT(kp_nm_rad), .min = 0, .max = 1000, .def = "10",
     .help = "stiffness of a position command without gains"},
    {.key = "stop_margin_rad", .type = OPTION_DOUBLE, .offset = AT(stop_margin_rad), .min = 0, .max = 3, .def = "0.1",
     .help = "mechanical stops this far beyond each joint's range"},
    {.key = "supply_v", .type = OPTION_DOUBLE, .offset = AT(supply_v), .min = 0, .max = 60, .def = "12",
     .help = "voltage without load"},
    {.key = "sag_v", .type = OPTION_DOUBLE, .offset = AT(sag_v), .min = 0, .max = 60, .def = "0.1",
     .help = "what one stalled motor takes from it"},
    {.key = "heat_c", .type = OPTION_DOUBLE, .offset = AT(heat_c), .min = 0, .max = 500, .def = "60",
     .help = "how much hotter than the room a stalled motor gets"},
    {.key = "heat_s", .type = OPTION_DOUBLE, .offset = AT(heat_s), .min = 1, .max = 1e5, .def = "300",
     .help = "time constant of that"},
    {.key = NULL},
};

/* clang-format on */

struct joints {
    struct joints_config c;
    int n; /* of the robot, all of them */
    struct motor_spec motor[JOINTS_MAX];
};

/* Flat: copying it copies the world. */
struct joint_state {
    struct motor motor;
    double temp_c;
};

static double item(const struct list *l, int j)
{
    return l->n == 0 ? 0.0 : l->x[l->n == 1 ? 0 : j];
}

static int check_list(const struct robot *robot, const struct list *l, const char *key,
                      char *ret_why, int cap)
{
    return l->n <= 1 || l->n == robot->n_joints
               ? 0
               : why(ret_why, cap, -EINVAL,
                     "sim joints: %s has %d numbers, the robot %d joints; give one for each, or "
                     "one for all",
                     key, l->n, robot->n_joints);
}

static int joints_open(const void *config, const struct robot *robot, struct arena *mem,
                       void **ret_self, char *ret_why, int cap)
{
    const struct joints_config *c = config;
    int rc = check_list(robot, &c->start_rad, "start_rad", ret_why, cap);
    rc = rc == 0 ? check_list(robot, &c->gravity_nm, "gravity_nm", ret_why, cap) : rc;
    rc = rc == 0 ? check_list(robot, &c->upright_rad, "upright_rad", ret_why, cap) : rc;
    rc = rc == 0 ? check_list(robot, &c->inertia_kgm2, "inertia_kgm2", ret_why, cap) : rc;
    rc = rc == 0 ? check_list(robot, &c->speed_rad_s, "speed_rad_s", ret_why, cap) : rc;
    rc = rc == 0 ? sense_choices("joints", robot, 0, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    struct joints *z = arena_take(mem, sizeof *z);
    z->c = *c;
    z->n = robot->n_joints;
    for (int j = 0; j < z->n; j++) {
        const struct joint_spec *spec = &robot->joint[j];
        z->motor[j] =
            (struct motor_spec){.tau_stall_nm = isfinite(spec->tau_stall) ? spec->tau_stall : 1.0,
                                .qd_max_rad_s = fmax(item(&c->speed_rad_s, j), 0.01),
                                .inertia_kgm2 = fmax(item(&c->inertia_kgm2, j), 1e-6),
                                .friction_nm = c->friction_nm,
                                .damping_nms_rad = c->damping_nms_rad,
                                .backlash_rad = c->backlash_rad,
                                .kp_nm_rad = c->kp_nm_rad,
                                .q_min = -HUGE_VAL,
                                .q_max = HUGE_VAL};
        if (spec->actuated) {
            z->motor[j].q_min = spec->q_min - c->stop_margin_rad;
            z->motor[j].q_max = spec->q_max + c->stop_margin_rad;
        }
    }
    *ret_self = z;
    return 0;
}

static size_t joints_state_bytes(const void *self)
{
    return (size_t)((const struct joints *)self)->n * sizeof(struct joint_state);
}

static void joints_reset(void *self, void *state, struct rng *rng)
{
    (void)rng;
    const struct joints *z = self;
    struct joint_state *s = state;
    memset(s, 0, joints_state_bytes(self));
    for (int j = 0; j < z->n; j++) {
        motor_rest(&s[j].motor, item(&z->c.start_rad, j));
        s[j].temp_c = ROOM_C;
    }
}

static void joints_step(void *self, void *state, const struct command *cmd, double dt_s,
                        struct rng *rng)
{
    (void)rng;
    const struct joints *z = self;
    struct joint_state *s = state;
    const int n = (int)fmax(1.0, ceil(dt_s / STEP_MAX_S - 1e-9));
    for (int j = 0; j < z->n; j++) {
        struct motor *m = &s[j].motor;
        for (int k = 0; k < n; k++) {
            const double load_nm =
                item(&z->c.gravity_nm, j) * sin(m->q - item(&z->c.upright_rad, j));
            motor_step(m, &z->motor[j], cmd, j, load_nm, dt_s / n);
        }
        const double frac = m->tau / z->motor[j].tau_stall_nm;
        const double to_c = ROOM_C + z->c.heat_c * frac * frac;
        s[j].temp_c += (to_c - s[j].temp_c) * dt_s / z->c.heat_s;
    }
}

static void joints_sense(void *self, const void *state, struct rng *noise,
                         struct sensed *ret_sensed)
{
    (void)noise; /* sensors are the servos' */
    const struct joints *z = self;
    const struct joint_state *s = state;
    double volt_v = z->c.supply_v;
    sense_begin(ret_sensed, z->n);
    for (int j = 0; j < z->n; j++) {
        const struct motor *m = &s[j].motor;
        volt_v -= z->c.sag_v * fabs(m->tau) / z->motor[j].tau_stall_nm;
        ret_sensed->q[j] = m->q;
        ret_sensed->qd[j] = m->qd_motor;
        ret_sensed->tau[j] = m->tau;
        ret_sensed->temp_c[j] = (float)s[j].temp_c;
        ret_sensed->torque[j] = m->mode == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
    }
    for (int j = 0; j < z->n; j++) {
        ret_sensed->volt_v[j] = (float)volt_v;
    }
}

const struct sim sim_joints = {
    .name = "joints",
    .source = "own: a geared DC motor with a weight on each joint",
    .options = joints_options,
    .config_bytes = sizeof(struct joints_config),
    .open = joints_open,
    .state_bytes = joints_state_bytes,
    .reset = joints_reset,
    .step = joints_step,
    .sense = joints_sense,
};
