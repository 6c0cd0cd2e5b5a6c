/*
 * An arm of up to eight revolute joints: the chain of links that the robot file tells, its motors,
 * a table under its tip and, where asked, a valve that the tip can turn, or somebody who pushes the
 * tip (push.h). Motion: arm_move.c.
 *
 * Motors, at every step, from the encoder's angle q and the speed qd:
 *
 *   off         0
 *   effort      tau*
 *   impedance   kp* (q* - q) + kd* (qd* - qd) + tau*             the law of MIT-mode motors
 *   position    the same, with the arm's own kp and kd where the command brings none, + gravity
 *   hold        position, at the angle where the mode began
 *   velocity    kd (qd* - qd) + gravity
 *
 * clipped to the command's ceiling and to what the motor gives (the joint's tau_stall_nm, else its
 * tau_max_nm). gravity is the torque that carries the arm at rest, by the links of the robot file;
 * off with gravity_compensation: false. Commands take latency_s to arrive.
 *
 * Backlash is a play between encoder and link: the encoder shows the shaft, which the link leaves
 * behind until it presses the other flank; torque passes at all times.
 *
 * The valve is a disc on a vertical hinge with posts on it, at equal angles; the tip, a ball,
 * pushes them sideways. Its target is drawn about valve_target_rad.
 *
 * Sensors beside the joints: table_force, valve_angle, valve_velocity, valve_turn = (cos, sin) of
 * the angle, valve_target, valve_error = target - angle in [-pi, pi], valve_off = its size, to_peg
 * = nearest post - tip. Where the tip is, and the target that it has, a robot with links knows
 * without its body: policies/task_sense.c.
 */
#include "sim/arm_inside.h"
#include "sim/sense.h"
#include "sim/sim.h"

#include "daemon/base/vec3.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define STEP_MAX_S 0.001
#define FIT        1e-9 /* 2 ms are two steps of 1 ms, whatever the rounding */

static const struct world_sensor sensors[ARM_SENSORS_N] = {
    [TABLE_FORCE] = {"table_force", 1},       [VALVE_ANGLE] = {"valve_angle", 1},
    [VALVE_VELOCITY] = {"valve_velocity", 1}, [VALVE_TURN] = {"valve_turn", 2},
    [VALVE_TARGET] = {"valve_target", 1},     [VALVE_ERROR] = {"valve_error", 1},
    [VALVE_OFF] = {"valve_off", 1},           [TO_PEG] = {"to_peg", 3},
};

#define AT(field) offsetof(struct arm_config, field)

/* clang-format off */
static const struct option arm_options[] = {
    {.key = "kp_nm_rad", .type = OPTION_DOUBLES, .offset = AT(kp), .min = 0, .max = 10000, .def = "[50]", .n_max = CHAIN_MAX, .n_offset = AT(n_kp),
     .help = "stiffness of a position command that brings none; one for all joints, or one a link"},
    {.key = "kd_nms_rad", .type = OPTION_DOUBLES, .offset = AT(kd), .min = 0, .max = 1000, .def = "[2]", .n_max = CHAIN_MAX, .n_offset = AT(n_kd),
     .help = "damping of a position or velocity command that brings none; one for all joints, or one a link"},
    {.key = "gravity_compensation", .type = OPTION_BOOL, .offset = AT(gravity_compensation), .def = "true",
     .help = "position, hold and velocity commands carry the arm's weight besides"},
    {.key = "latency_s", .type = OPTION_DOUBLE, .offset = AT(latency_s), .min = 0, .max = 1, .def = "0",
     .help = "a command takes this long to arrive; at most 15 of them may be on their way"},
    {.key = "backlash_rad", .type = OPTION_DOUBLE, .offset = AT(backlash_rad), .min = 0, .max = 0.5, .def = "0",
     .help = "play between each encoder and its link"},
    {.key = "stop_margin_rad", .type = OPTION_DOUBLE, .offset = AT(stop_margin_rad), .min = 0, .max = 3, .def = "0.05",
     .help = "mechanical stops this far beyond each joint's range"},
    {.key = "start_rad", .type = OPTION_DOUBLES, .offset = AT(start), .min = -100, .max = 100, .def = "[0]", .n_max = CHAIN_MAX, .n_offset = AT(n_start),
     .help = "pose after a reset; one for all joints, or one a link"},
    {.key = "start_noise_rad", .type = OPTION_DOUBLE, .offset = AT(start_noise_rad), .min = 0, .max = 3, .def = "0",
     .help = "a reset moves each joint by up to this, either way"},
    {.key = "table", .type = OPTION_BOOL, .offset = AT(table), .def = "true",
     .help = "there is a table, which the tip cannot leave downwards"},
    {.key = "table_z_m", .type = OPTION_DOUBLE, .offset = AT(table_z_m), .min = -10, .max = 10, .def = "0",
     .help = "height of the table"},
    {.key = "tip_radius_m", .type = OPTION_DOUBLE, .offset = AT(tip_radius_m), .min = 0, .max = 1, .def = "0.01",
     .help = "the tip is a ball of this radius about the tool's frame"},
    {.key = "stiffness_n_m", .type = OPTION_DOUBLE, .offset = AT(stiffness_n_m), .min = 1, .max = 1e7, .def = "20000",
     .help = "of the tip against the table and the posts: hard rubber"},
    {.key = "damping_ns_m", .type = OPTION_DOUBLE, .offset = AT(damping_ns_m), .min = 0, .max = 1e5, .def = "100",
     .help = "of the tip against the table and the posts"},
    {.key = "mu", .type = OPTION_DOUBLE, .offset = AT(mu), .min = 0, .max = 5, .def = "0.5",
     .help = "friction between tip and table"},
    {.key = "valve_pegs", .type = OPTION_INT, .offset = AT(pegs), .min = 0, .max = 12, .def = "0",
     .help = "posts on the valve; 0: there is no valve"},
    {.key = "valve_xyz_m", .type = OPTION_DOUBLES, .offset = AT(valve), .min = -100, .max = 100, .def = "[0.3, 0, 0]", .n_max = 3, .n_offset = AT(n_valve),
     .help = "foot of the valve's hinge, in the frame of the base"},
    {.key = "valve_radius_m", .type = OPTION_DOUBLE, .offset = AT(valve_radius_m), .min = 0.001, .max = 1, .def = "0.06",
     .help = "from the hinge to the middle of a post"},
    {.key = "peg_radius_m", .type = OPTION_DOUBLE, .offset = AT(peg_radius_m), .min = 0.001, .max = 1, .def = "0.01",
     .help = "radius of a post"},
    {.key = "peg_height_m", .type = OPTION_DOUBLE, .offset = AT(peg_height_m), .min = 0.001, .max = 1, .def = "0.1",
     .help = "height of a post above the foot of the hinge"},
    {.key = "valve_kgm2", .type = OPTION_DOUBLE, .offset = AT(valve_kgm2), .min = 1e-6, .max = 10, .def = "0.001",
     .help = "inertia of the valve"},
    {.key = "valve_friction_nm", .type = OPTION_DOUBLE, .offset = AT(valve_friction_nm), .min = 0, .max = 100, .def = "0.05",
     .help = "dry friction of the hinge"},
    {.key = "valve_damping_nms_rad", .type = OPTION_DOUBLE, .offset = AT(valve_damping_nms_rad), .min = 0, .max = 100, .def = "0.01",
     .help = "viscous friction of the hinge"},
    {.key = "valve_start_rad", .type = OPTION_DOUBLE, .offset = AT(valve_start_rad), .min = -7, .max = 7, .def = "0",
     .help = "the valve's angle after a reset, give or take valve_spread_rad"},
    {.key = "valve_target_rad", .type = OPTION_DOUBLE, .offset = AT(valve_target_rad), .min = -7, .max = 7, .def = "0",
     .help = "the angle wanted after a reset, give or take valve_spread_rad"},
    {.key = "valve_spread_rad", .type = OPTION_DOUBLE, .offset = AT(valve_spread_rad), .min = 0, .max = 4, .def = "0",
     .help = "by how much a reset moves both, either way, evenly"},
    PUSH_OPTIONS(AT(push)),
    {.key = NULL},
};

/* clang-format on */

/* One number for all is as many as there are links. */
static int spread(const char *key, double *x, int n, int n_links, char *ret_why, int cap)
{
    if (n != 1 && n != n_links) {
        return why(ret_why, cap, -EINVAL,
                   "sim.%s has %d numbers; one for all, or one for each of "
                   "%d links",
                   key, n, n_links);
    }
    for (int i = n; i < n_links; i++) {
        x[i] = x[0];
    }
    return 0;
}

static int check_lists(struct arm *z, char *ret_why, int cap)
{
    struct arm_config *c = &z->c;
    const int n = z->chain.n;
    int rc = spread("kp_nm_rad", c->kp, c->n_kp, n, ret_why, cap);
    rc = rc == 0 ? spread("kd_nms_rad", c->kd, c->n_kd, n, ret_why, cap) : rc;
    rc = rc == 0 ? spread("start_rad", c->start, c->n_start, n, ret_why, cap) : rc;
    if (rc == 0 && c->n_valve != 3) {
        return why(ret_why, cap, -EINVAL, "sim.valve_xyz_m is a list of 3 numbers");
    }
    return rc == 0 ? push_check(&c->push, ret_why, cap) : rc;
}

static void take_limits(struct arm *z, const struct robot *robot)
{
    for (int i = 0; i < z->chain.n; i++) {
        const struct joint_spec *j = &robot->joint[z->chain.link[i].joint];
        z->q_lo[i] = j->q_min - z->c.stop_margin_rad;
        z->q_hi[i] = j->q_max + z->c.stop_margin_rad;
        z->tau_most[i] = isfinite(j->tau_stall) ? j->tau_stall : j->tau_max;
    }
}

static int arm_open(const void *config, const struct robot *robot, struct arena *mem,
                    void **ret_self, char *ret_why, int cap)
{
    struct arm *z = arena_take(mem, sizeof *z);
    *z = (struct arm){.c = *(const struct arm_config *)config, .n_joints = robot->n_joints};
    const char *own = "arm";
    int rc = chain_init(&z->chain, robot, ret_why, cap);
    rc = rc == 0 ? check_lists(z, ret_why, cap) : rc;
    rc = rc == 0 ? sense_choices(own, robot, 0, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras(own, robot, sensors, ARM_SENSORS_N, z->at, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    if (z->c.latency_s * robot->control_rate_hz > ORDERS_MAX - 1) {
        return why(ret_why, cap, -EINVAL,
                   "sim.latency_s %g is more than %d commands at control.rate_hz %g",
                   z->c.latency_s, ORDERS_MAX - 1, robot->control_rate_hz);
    }
    take_limits(z, robot);
    *ret_self = z;
    return 0;
}

static size_t arm_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct arm_state);
}

static double wrap(double angle_rad)
{
    return remainder(angle_rad, 2.0 * M_PI);
}

static void arm_reset(void *self, void *state, struct rng *rng)
{
    const struct arm *z = self;
    const struct arm_config *c = &z->c;
    struct arm_state *s = state;
    const int n = z->chain.n;
    memset(s, 0, sizeof *s);
    for (int i = 0; i < n; i++) {
        const double q = c->start[i] + rng_between(rng, -c->start_noise_rad, c->start_noise_rad);
        s->q[i] = s->q_seen[i] = s->q_held[i] = fmax(z->q_lo[i], fmin(z->q_hi[i], q));
    }
    s->q[n] = c->valve_start_rad + rng_between(rng, -c->valve_spread_rad, c->valve_spread_rad);
    s->valve_target =
        c->valve_target_rad + rng_between(rng, -c->valve_spread_rad, c->valve_spread_rad);
    push_reset(&c->push, &s->push, rng);
}

/* --- motors --- */

static void take_order(const struct arm *z, const struct command *cmd, struct arm_order *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int i = 0; i < z->chain.n; i++) {
        const int j = z->chain.link[i].joint;
        ret->mode[i] = cmd->mode[j];
        ret->q[i] = cmd->q[j];
        ret->qd[i] = cmd->qd[j];
        ret->tau[i] = cmd->tau[j];
        ret->kp[i] = cmd->kp[j];
        ret->kd[i] = cmd->kd[j];
        ret->tau_max[i] = cmd->tau_max[j];
    }
}

/* The newest of them that nothing came after: what was told last. */
static const struct arm_order *last_told(const struct arm_state *s)
{
    return s->n_coming > 0 ? &s->coming[s->n_coming - 1] : &s->now;
}

static bool is_same(const struct arm_order *a, const struct arm_order *b, int n)
{
    for (int i = 0; i < n; i++) {
        if (a->mode[i] != b->mode[i] || a->q[i] != b->q[i] || a->qd[i] != b->qd[i] ||
            a->tau[i] != b->tau[i] || a->kp[i] != b->kp[i] || a->kd[i] != b->kd[i] ||
            a->tau_max[i] != b->tau_max[i]) {
            return false;
        }
    }
    return true;
}

static void send(const struct arm *z, struct arm_state *s, const struct command *cmd)
{
    struct arm_order told;
    take_order(z, cmd, &told);
    if (is_same(&told, last_told(s), z->chain.n)) {
        return;
    }
    const int64_t i = s->n_coming < ORDERS_MAX ? s->n_coming++ : ORDERS_MAX - 1;
    s->coming[i] = told;
    s->due_s[i] = s->t_s + z->c.latency_s;
}

static void obey(const struct arm *z, struct arm_state *s, const struct arm_order *told)
{
    for (int i = 0; i < z->chain.n; i++) {
        if (told->mode[i] == MODE_HOLD && s->now.mode[i] != MODE_HOLD) {
            s->q_held[i] = s->q_seen[i];
        }
    }
    s->now = *told;
}

static void receive(const struct arm *z, struct arm_state *s)
{
    while (s->n_coming > 0 && s->due_s[0] <= s->t_s + FIT) {
        const struct arm_order told = s->coming[0];
        s->n_coming--;
        memmove(s->coming, s->coming + 1, (size_t)s->n_coming * sizeof s->coming[0]);
        memmove(s->due_s, s->due_s + 1, (size_t)s->n_coming * sizeof s->due_s[0]);
        memset(&s->coming[s->n_coming], 0, sizeof s->coming[0]);
        s->due_s[s->n_coming] = 0.0;
        obey(z, s, &told);
    }
}

static double asked_nm(const struct arm *z, const struct arm_state *s, int i, double gravity_nm)
{
    const struct arm_order *o = &s->now;
    const bool own = o->kp[i] <= 0.0;
    const double kp = own ? z->c.kp[i] : o->kp[i], kd = own ? z->c.kd[i] : o->kd[i];
    const double q = s->q_seen[i], qd = s->qd[i];
    switch ((enum command_mode)o->mode[i]) {
    case MODE_EFFORT:
        return o->tau[i];
    case MODE_IMPEDANCE: /* a gain of 0 is meant */
        return o->kp[i] * (o->q[i] - q) + o->kd[i] * (o->qd[i] - qd) + o->tau[i];
    case MODE_POSITION:
        return kp * (o->q[i] - q) + kd * (o->qd[i] - qd) + o->tau[i] + gravity_nm;
    case MODE_HOLD:
        return z->c.kp[i] * (s->q_held[i] - q) - z->c.kd[i] * qd + gravity_nm;
    case MODE_VELOCITY:
        return z->c.kd[i] * (o->qd[i] - qd) + gravity_nm;
    case MODE_OFF:
        break;
    }
    return 0.0;
}

static void drive(const struct arm *z, struct arm_state *s)
{
    double gravity[CHAIN_MAX] = {0.0};
    if (z->c.gravity_compensation) {
        chain_gravity(&z->chain, s->q_seen, gravity);
    }
    for (int i = 0; i < z->chain.n; i++) {
        const double most =
            s->now.mode[i] == MODE_OFF ? 0.0 : fmax(0.0, fmin(s->now.tau_max[i], z->tau_most[i]));
        s->tau[i] = fmax(-most, fmin(most, asked_nm(z, s, i, gravity[i])));
    }
}

static void arm_step(void *self, void *state, const struct command *cmd, double dt_s,
                     struct rng *rng)
{
    const struct arm *z = self;
    struct arm_state *s = state;
    const double half_play = 0.5 * z->c.backlash_rad;
    const int n = (int)fmax(1.0, ceil(dt_s / STEP_MAX_S - FIT));
    const double h_s = dt_s / n;
    send(z, s, cmd);
    push_step(&z->c.push, &s->push, dt_s, rng);
    for (int k = 0; k < n; k++) {
        receive(z, s);
        drive(z, s);
        arm_move(z, s, h_s);
        for (int i = 0; i < z->chain.n; i++) {
            s->q_seen[i] = fmax(s->q[i] - half_play, fmin(s->q[i] + half_play, s->q_seen[i]));
        }
        s->t_s += h_s;
    }
}

static void sense_peg(const struct arm *z, const struct arm_state *s, struct sensed *ret_sensed)
{
    struct frame link[CHAIN_MAX], tool;
    double peg[3];
    chain_frames(&z->chain, s->q, link, &tool);
    arm_nearest_peg(&z->c, s->q[z->chain.n], tool.p, peg);
    vec3_add(-1.0, tool.p, peg);
    sense_put_all(ret_sensed, z->at[TO_PEG], peg, 3);
}

static void sense_valve(const struct arm *z, const struct arm_state *s, struct sensed *ret_sensed)
{
    const double angle = s->q[z->chain.n], turn[2] = {cos(angle), sin(angle)};
    const double error = wrap(s->valve_target - angle);
    sense_put(ret_sensed, z->at[VALVE_ANGLE], angle);
    sense_put(ret_sensed, z->at[VALVE_VELOCITY], s->qd[z->chain.n]);
    sense_put_all(ret_sensed, z->at[VALVE_TURN], turn, 2);
    sense_put(ret_sensed, z->at[VALVE_TARGET], s->valve_target);
    sense_put(ret_sensed, z->at[VALVE_ERROR], error);
    sense_put(ret_sensed, z->at[VALVE_OFF], fabs(error));
}

static void arm_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect, but for the play */
    const struct arm *z = self;
    const struct arm_state *s = state;
    sense_begin(ret_sensed, z->n_joints);
    for (int i = 0; i < z->chain.n; i++) {
        const int j = z->chain.link[i].joint;
        ret_sensed->q[j] = s->q_seen[i];
        ret_sensed->qd[j] = s->qd[i];
        ret_sensed->tau[j] = s->tau[i];
        ret_sensed->torque[j] = s->now.mode[i] == MODE_OFF ? TORQUE_OFF : TORQUE_ON;
    }
    sense_put(ret_sensed, z->at[TABLE_FORCE], s->table_n);
    sense_valve(z, s, ret_sensed);
    if (z->at[TO_PEG] >= 0) {
        sense_peg(z, s, ret_sensed);
    }
}

const struct sim sim_arm = {
    .name = "arm",
    .source = "own: rigid bodies by the links of the robot file",
    .options = arm_options,
    .config_bytes = sizeof(struct arm_config),
    .open = arm_open,
    .state_bytes = arm_state_bytes,
    .reset = arm_reset,
    .step = arm_step,
    .sense = arm_sense,
};
