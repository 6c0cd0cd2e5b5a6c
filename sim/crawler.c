/*
 * The crawler: a box on the ground with a two-joint arm at its front, which pulls it forward, and
 * an odometer, a wheel on a trailing arm. Shape and tip: crawler_shape.h. Motors: motor.h.
 *
 * Load, quasi-static (the body's inertia is small against its drag). Hand on the ground (Y < 0):
 *
 *   N  = m g x_com / X            normal force on the tip: moments about the rear corner
 *   D  = mu (m g - N)             drag of the rear edge
 *   Fx = -D s / slip              on the tip; s in [-slip, slip]: its creep since it touched
 *   tau = J' R(-pitch) (Fx, N)    on the two joints
 *
 * Way: the tip's distance rho from the rear corner changes by d rho; first the tip creeps, up to
 * `slip` either way, then the body is carried: ds = d rho within the bounds, dx = ds - d rho. In
 * the air the body stands still; where it lands the creep begins at 0. Only true way along the
 * ground counts, pitching does not turn the wheel.
 *
 * Integrator: semi-implicit Euler for the motors at 0.5 ms or finer; the way is integrated exactly
 * along the straight line of the tip within a step.
 */
#include "sim/crawler_shape.h"
#include "sim/motor.h"
#include "sim/sim.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define GRAVITY_M_S2 9.81
#define STEP_MAX_S   0.0005
#define ARM          0
#define HAND         1
#define ROOM_C       25.0

struct crawler_config {
    char arm[NAME_CHARS], hand[NAME_CHARS], odometer[NAME_CHARS];
    struct crawler_shape shape;
    double wheel_radius_m;
    double mass_kg, com_m, mu, slip_m;
    struct motor_spec motor; /* both joints have the same */
    double stop_margin_rad;
    double start_arm_rad, start_hand_rad;
    double supply_v, sag_v;
    double heat_c, heat_s;
};

#define AT(field) offsetof(struct crawler_config, field)

/* clang-format off */
static const struct option crawler_options[] = {
    {.key = "arm_joint", .type = OPTION_TEXT, .offset = AT(arm), .n_max = NAME_CHARS, .def = "arm",
     .help = "joint of the robot that is the shoulder"},
    {.key = "hand_joint", .type = OPTION_TEXT, .offset = AT(hand), .n_max = NAME_CHARS, .def = "hand",
     .help = "joint of the robot that turns the hand, relative to the arm"},
    {.key = "odometer_joint", .type = OPTION_TEXT, .offset = AT(odometer), .n_max = NAME_CHARS, .def = "odometer",
     .help = "joint of the robot that is the wheel on the trailing arm"},
    {.key = "wheel_radius_m", .type = OPTION_DOUBLE, .offset = AT(wheel_radius_m), .min = 0.001, .max = 1, .def = "0.02",
     .help = "radius of that wheel"},
    {.key = "arm_m", .type = OPTION_DOUBLE, .offset = AT(shape.arm_m), .min = 0.001, .max = 10, .def = "0.06",
     .help = "shoulder to hand joint; the Berkeley crawler's 60 units as mm"},
    {.key = "hand_m", .type = OPTION_DOUBLE, .offset = AT(shape.hand_m), .min = 0.001, .max = 10, .def = "0.04",
     .help = "hand joint to tip; the Berkeley crawler's 40 units as mm"},
    {.key = "width_m", .type = OPTION_DOUBLE, .offset = AT(shape.width_m), .min = 0.001, .max = 10, .def = "0.08",
     .help = "rear edge to shoulder; the Berkeley crawler's 80 units as mm"},
    {.key = "height_m", .type = OPTION_DOUBLE, .offset = AT(shape.height_m), .min = 0.001, .max = 10, .def = "0.04",
     .help = "ground to shoulder; the Berkeley crawler's 40 units as mm"},
    {.key = "mass_kg", .type = OPTION_DOUBLE, .offset = AT(mass_kg), .min = 0.01, .max = 100, .def = "0.5",
     .help = "whole robot: three servos of 57 g, battery, frame"},
    {.key = "com_m", .type = OPTION_DOUBLE, .offset = AT(com_m), .min = 0, .max = 10, .def = "0.045",
     .help = "centre of mass before the rear edge"},
    {.key = "mu", .type = OPTION_DOUBLE, .offset = AT(mu), .min = 0, .max = 5, .def = "0.4",
     .help = "friction of the dragged rear edge: plastic on a table"},
    {.key = "slip_m", .type = OPTION_DOUBLE, .offset = AT(slip_m), .min = 1e-5, .max = 0.1, .def = "0.001",
     .help = "how far the tip creeps before it carries: a rubber foot's shear"},
    {.key = "stall_torque_nm", .type = OPTION_DOUBLE, .offset = AT(motor.tau_stall_nm), .min = 0.01, .max = 100, .def = "1.4",
     .help = "at full voltage; XL430-W250 at 11.1 V, maker's data sheet"},
    {.key = "no_load_speed_rad_s", .type = OPTION_DOUBLE, .offset = AT(motor.qd_max_rad_s), .min = 0.1, .max = 100, .def = "5",
     .help = "XL430-W250 turns 5.97 rad/s at 11.1 V without any load; less a margin for wear and voltage"},
    {.key = "inertia_kgm2", .type = OPTION_DOUBLE, .offset = AT(motor.inertia_kgm2), .min = 1e-6, .max = 10, .def = "0.0135",
     .help = "rotor times gear squared, and link; about 100 rad/s^2 from standstill"},
    {.key = "friction_nm", .type = OPTION_DOUBLE, .offset = AT(motor.friction_nm), .min = 0, .max = 10, .def = "0.05",
     .help = "dry friction of the gear"},
    {.key = "damping_nms_rad", .type = OPTION_DOUBLE, .offset = AT(motor.damping_nms_rad), .min = 0, .max = 10, .def = "0.005",
     .help = "viscous friction of the gear"},
    {.key = "backlash_rad", .type = OPTION_DOUBLE, .offset = AT(motor.backlash_rad), .min = 0, .max = 0.5, .def = "0.0087",
     .help = "play between gear and output, half a degree; the encoder sits on the output, as in the X series"},
    {.key = "kp_nm_rad", .type = OPTION_DOUBLE, .offset = AT(motor.kp_nm_rad), .min = 0, .max = 1000, .def = "6.45",
     .help = "stiffness of a position command without gains; position P gain 800 of the X series at 1.4 Nm"},
    {.key = "kd_nms_rad", .type = OPTION_DOUBLE, .offset = AT(motor.kd_nms_rad), .min = 0, .max = 100, .def = "0",
     .help = "damping of a position command without gains, beside back-EMF; position D gain 0"},
    {.key = "stop_margin_rad", .type = OPTION_DOUBLE, .offset = AT(stop_margin_rad), .min = 0, .max = 3, .def = "0.1",
     .help = "mechanical stops this far beyond each joint's range"},
    {.key = "start_arm_rad", .type = OPTION_DOUBLE, .offset = AT(start_arm_rad), .min = -7, .max = 7, .def = "0",
     .help = "pose after a reset"},
    {.key = "start_hand_rad", .type = OPTION_DOUBLE, .offset = AT(start_hand_rad), .min = -7, .max = 7, .def = "-1.308996939",
     .help = "pose after a reset, relative to the arm: -75 degrees"},
    {.key = "supply_v", .type = OPTION_DOUBLE, .offset = AT(supply_v), .min = 0, .max = 60, .def = "11.1",
     .help = "battery: three lithium cells"},
    {.key = "sag_v", .type = OPTION_DOUBLE, .offset = AT(sag_v), .min = 0, .max = 60, .def = "0.2",
     .help = "what one stalled motor takes from the supply's voltage: 1.3 A over 0.15 ohm"},
    {.key = "heat_c", .type = OPTION_DOUBLE, .offset = AT(heat_c), .min = 0, .max = 500, .def = "60",
     .help = "how much hotter than the room a stalled motor gets"},
    {.key = "heat_s", .type = OPTION_DOUBLE, .offset = AT(heat_s), .min = 1, .max = 1e5, .def = "300",
     .help = "time constant of that"},
    {.key = NULL},
};

/* clang-format on */

struct crawler {
    struct crawler_config c;
    struct motor_spec motor[2];
    struct crawler_reach reach;
    int joint[2], odometer; /* of the robot */
    int n;
};

/* Flat: copying it copies the world. */
struct crawler_state {
    struct motor motor[2]; /* ARM, HAND */
    double temp_c[2];
    double x_m, v_m_s; /* rear edge along the ground; v: over the last step */
    double creep_m;    /* of the tip since it touched */
};

static int find_joint(const struct robot *robot, const char *name, char *ret_why, int cap)
{
    for (int j = 0; j < robot->n_joints; j++) {
        if (strcmp(robot->joint[j].name, name) == 0) {
            return j;
        }
    }
    return why(ret_why, cap, -EINVAL, "sim crawler: the robot has no joint \"%s\"", name);
}

static int crawler_open(const void *config, const struct robot *robot, struct arena *mem,
                        void **ret_self, char *ret_why, int cap)
{
    const struct crawler_config *c = config;
    const int arm = find_joint(robot, c->arm, ret_why, cap);
    const int hand = arm < 0 ? arm : find_joint(robot, c->hand, ret_why, cap);
    const int odometer = hand < 0 ? hand : find_joint(robot, c->odometer, ret_why, cap);
    if (odometer < 0) {
        return odometer;
    }
    if (arm == hand || arm == odometer || hand == odometer) {
        return why(ret_why, cap, -EINVAL,
                   "sim crawler: arm, hand and odometer must be three joints");
    }
    struct crawler *z = arena_take(mem, sizeof *z);
    *z =
        (struct crawler){.c = *c, .joint = {arm, hand}, .odometer = odometer, .n = robot->n_joints};
    for (int i = 0; i < 2; i++) {
        const struct joint_spec *spec = &robot->joint[z->joint[i]];
        z->motor[i] = c->motor;
        z->motor[i].q_min = spec->q_min - c->stop_margin_rad;
        z->motor[i].q_max = spec->q_max + c->stop_margin_rad;
    }
    z->reach = (struct crawler_reach){
        .arm_min_rad = robot->joint[arm].q_min,
        .arm_max_rad = robot->joint[arm].q_max,
        .hand_min_rad = robot->joint[hand].q_min,
        .hand_max_rad = robot->joint[hand].q_max,
        .hand_relative = true,
    };
    *ret_self = z;
    return 0;
}

static double crawler_bound_m_s(const void *self)
{
    const struct crawler *z = self;
    return crawler_speed_bound_m_s(&z->c.shape, &z->reach, z->c.motor.qd_max_rad_s);
}

static size_t crawler_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct crawler_state);
}

static void crawler_reset(void *self, void *state, struct rng *rng)
{
    (void)rng;
    const struct crawler *z = self;
    struct crawler_state *s = state;
    memset(s, 0, sizeof *s);
    motor_rest(&s->motor[ARM], z->c.start_arm_rad);
    motor_rest(&s->motor[HAND], z->c.start_hand_rad);
    s->temp_c[ARM] = s->temp_c[HAND] = ROOM_C;
}

static struct crawler_tip tip(const struct crawler *z, const struct crawler_state *s)
{
    return crawler_tip(&z->c.shape, s->motor[ARM].q, s->motor[ARM].q + s->motor[HAND].q);
}

/* What the ground does to the two joints, Nm. */
static void load(const struct crawler *z, const struct crawler_state *s, struct crawler_tip p,
                 double ret_load_nm[2])
{
    ret_load_nm[ARM] = ret_load_nm[HAND] = 0.0;
    if (p.y_m < 0.0) {
        const double weight_n = z->c.mass_kg * GRAVITY_M_S2;
        const double normal_n = weight_n * z->c.com_m / p.x_m;
        const double drag_n = z->c.mu * (weight_n - normal_n);
        const double force_n[2] = {-drag_n * s->creep_m / z->c.slip_m, normal_n};
        crawler_tip_torque(&z->c.shape, s->motor[ARM].q, s->motor[ARM].q + s->motor[HAND].q,
                           force_n, ret_load_nm);
    }
}

/* The hand's move from p0 to p1 first creeps, then carries the body. Returns the body's way, m. */
static double carry(const struct crawler *z, struct crawler_state *s, struct crawler_tip p0,
                    struct crawler_tip p1)
{
    if (p0.y_m >= 0.0) {
        s->creep_m = 0.0;
    }
    const double pull_m = crawler_pull_m(p0, p1);
    const double crept_m = s->creep_m - pull_m;
    s->creep_m = fmax(-z->c.slip_m, fmin(z->c.slip_m, crept_m));
    return s->creep_m - crept_m;
}

static void warm(const struct crawler *z, struct crawler_state *s, double dt_s)
{
    for (int i = 0; i < 2; i++) {
        const double part = s->motor[i].tau / z->motor[i].tau_stall_nm;
        const double end_c = ROOM_C + z->c.heat_c * part * part;
        s->temp_c[i] += (end_c - s->temp_c[i]) * dt_s / z->c.heat_s;
    }
}

static void crawler_step(void *self, void *state, const struct command *cmd, double dt_s,
                         struct rng *rng)
{
    (void)rng;
    const struct crawler *z = self;
    struct crawler_state *s = state;
    const int n = (int)ceil(dt_s / STEP_MAX_S - 1e-9);
    const double h = dt_s / n;
    const double from_m = s->x_m;
    struct crawler_tip p0 = tip(z, s);
    for (int k = 0; k < n; k++) {
        double load_nm[2];
        load(z, s, p0, load_nm);
        for (int i = 0; i < 2; i++) {
            motor_step(&s->motor[i], &z->motor[i], cmd, z->joint[i], load_nm[i], h);
        }
        const struct crawler_tip p1 = tip(z, s);
        s->x_m += carry(z, s, p0, p1);
        p0 = p1;
    }
    s->v_m_s = (s->x_m - from_m) / dt_s;
    warm(z, s, dt_s);
}

static void crawler_sense(void *self, const void *state, struct rng *noise,
                          struct sensed *ret_sensed)
{
    (void)noise; /* quantisation and noise are the servo's own: its firmware adds them */
    const struct crawler *z = self;
    const struct crawler_state *s = state;
    double volt_v = z->c.supply_v;
    *ret_sensed = (struct sensed){.n = z->n, .legal = ~UINT64_C(0)};
    for (int i = 0; i < 2; i++) {
        const struct motor *m = &s->motor[i];
        const int j = z->joint[i];
        volt_v -= z->c.sag_v * fabs(m->tau) / z->motor[i].tau_stall_nm;
        ret_sensed->q[j] = m->q;
        ret_sensed->qd[j] = m->qd_motor;
        ret_sensed->tau[j] = m->tau;
        ret_sensed->temp_c[j] = (float)s->temp_c[i];
        ret_sensed->torque[j] = m->mode == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
    }
    ret_sensed->q[z->odometer] = s->x_m / z->c.wheel_radius_m;
    ret_sensed->qd[z->odometer] = s->v_m_s / z->c.wheel_radius_m;
    ret_sensed->temp_c[z->odometer] = (float)ROOM_C;
    ret_sensed->torque[z->odometer] = TORQUE_OFF;
    for (int j = 0; j < z->n; j++) {
        ret_sensed->volt_v[j] = (float)volt_v;
    }
}

const struct sim sim_crawler = {
    .name = "crawler",
    .source = "own: quasi-static, after the crawling robot of Berkeley's CS188",
    .options = crawler_options,
    .config_bytes = sizeof(struct crawler_config),
    .open = crawler_open,
    .state_bytes = crawler_state_bytes,
    .reset = crawler_reset,
    .step = crawler_step,
    .sense = crawler_sense,
    .speed_bound_m_s = crawler_bound_m_s,
};
