/*
 * Any body that MuJoCo's MJCF describes. A joint of the robot is an actuator of the model, by its
 * name or by that of the joint it drives, or a joint that is measured only. It knows effort alone:
 * -tau_max to tau_max spans the actuator's range of control; a command of any other mode lets it
 * go. What the engine diverges on stays as it was, and says so (`unstable`), until a reset.
 *
 * A step is frame_skip steps of the engine with the control held. Sensors that are no joint are
 * what the engine left in mjData after the last of them, as Gymnasium reads them: what derives from
 * the pose (bodies, sites, forces) belongs to the evaluation before the pose moved on.
 *
 * Source: MuJoCo 2.2.2 (google-deepmind/mujoco); Farama-Foundation/Gymnasium,
 * gymnasium/envs/mujoco/mujoco_env.py.
 */
#include "sim/mujoco_model.h"
#include "sim/mujoco_sensors.h"
#include "sim/push.h"
#include "sim/sim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum noise_kind { NOISE_UNIFORM, NOISE_NORMAL };

static const char *const noise_names[] = {"uniform", "normal", NULL};

struct mujoco_config {
    char model[PATH_CHARS];
    int frame_skip;
    char keyframe[NAME_CHARS];
    double reset_qpos_noise, reset_qvel_noise;
    int reset_qvel_kind; /* enum noise_kind */
    char tip[NAME_CHARS], goal[NAME_CHARS];
    double goal_radius_m;
    struct push_config push;
};

#define AT(field) offsetof(struct mujoco_config, field)

/* clang-format off */
static const struct option mujoco_options[] = {
    {.key = "model", .type = OPTION_TEXT, .offset = AT(model), .n_max = PATH_CHARS, .def = "",
     .help = "the MJCF file, relative to the robot file"},
    {.key = "frame_skip", .type = OPTION_INT, .offset = AT(frame_skip), .min = 1, .max = 1000, .def = "1",
     .help = "the engine's steps in one of the body's: substep_us over the model's timestep"},
    {.key = "keyframe", .type = OPTION_TEXT, .offset = AT(keyframe), .n_max = NAME_CHARS, .def = "",
     .help = "keyframe of the model where a reset begins; none: the model's own pose"},
    {.key = "reset_qpos_noise", .type = OPTION_DOUBLE, .offset = AT(reset_qpos_noise), .min = 0, .max = 10, .def = "0",
     .help = "a reset adds a draw from -this to this to every position"},
    {.key = "reset_qvel_noise", .type = OPTION_DOUBLE, .offset = AT(reset_qvel_noise), .min = 0, .max = 10, .def = "0",
     .help = "a reset adds a draw of this size to every velocity"},
    {.key = "reset_qvel_kind", .type = OPTION_CHOICE, .offset = AT(reset_qvel_kind), .def = "uniform", .choices = noise_names,
     .help = "that draw: from -reset_qvel_noise to reset_qvel_noise, or with this deviation"},
    {.key = "tip", .type = OPTION_TEXT, .offset = AT(tip), .n_max = NAME_CHARS, .def = "",
     .help = "body or site that reaches for the goal, or is pushed"},
    {.key = "goal", .type = OPTION_TEXT, .offset = AT(goal), .n_max = NAME_CHARS, .def = "",
     .help = "body on two slides, the goal: a reset draws its place"},
    {.key = "goal_radius_m", .type = OPTION_DOUBLE, .offset = AT(goal_radius_m), .min = 0, .max = 100, .def = "0",
     .help = "a reset draws the goal's slides from a disc of this radius, at rest"},
    PUSH_OPTIONS(AT(push)),
    {.key = NULL},
};

/* clang-format on */

struct drive {
    int actuator;   /* -1: measured only */
    int qpos, qvel; /* of its joint */
    double tau_max;
};

struct mujoco {
    struct mujoco_config c;
    const mjModel *m;
    mjData *d; /* a scratch pad: every call loads the state that it is given */
    struct mujoco_sensors sensors;
    int n_joints, n_extra;
    const double *force; /* on the tip, of the step that is made; NULL: none */
    struct drive joint[JOINTS_MAX];
    int key;                         /* -1: the model's own pose */
    int goal_q;                      /* address of the goal's two slides; -1: no goal is drawn */
    int qvel, act, warm, tau, extra; /* where they begin in v, after qpos */
    int n_v;
};

/* Flat: copying it copies the world. */
struct mujoco_state {
    double time_s;
    bool unstable;            /* the engine diverged: nothing moves until a reset */
    uint8_t mode[JOINTS_MAX]; /* enum command_mode of the last step */
    struct push_state push;   /* on the tip */
    double v[];               /* qpos, qvel, act, warm start, torques of joints, sensors */
};

/* --- open --- */

static int full_path(const struct mujoco_config *c, const struct robot *robot, char *ret_path,
                     char *ret_why, int cap)
{
    if (c->model[0] == '\0') {
        return why(ret_why, cap, -EINVAL, "sim.model must be set: an MJCF file");
    }
    const char *folder = c->model[0] == '/' ? "" : robot->folder;
    if (snprintf(ret_path, PATH_CHARS, "%s%s", folder, c->model) >= PATH_CHARS) {
        return why(ret_why, cap, -EINVAL, "sim.model: the path is longer than %d characters",
                   PATH_CHARS - 1);
    }
    return 0;
}

/* By its own name, or by that of the joint it drives. */
static int find_actuator(const mjModel *m, const char *name)
{
    const int joint = mj_name2id(m, mjOBJ_JOINT, name);
    int a = mj_name2id(m, mjOBJ_ACTUATOR, name);
    for (int i = 0; a < 0 && joint >= 0 && i < m->nu; i++) {
        const bool drives = m->actuator_trntype[i] == mjTRN_JOINT;
        a = drives && m->actuator_trnid[2 * i] == joint ? i : a;
    }
    return a;
}

static int open_joint(struct mujoco *z, int j, const struct joint_spec *spec, char *ret_why,
                      int cap)
{
    const mjModel *m = z->m;
    const int a = find_actuator(m, spec->name);
    const bool of_joint = a >= 0 && m->actuator_trntype[a] == mjTRN_JOINT;
    const int id = of_joint ? m->actuator_trnid[2 * a] : mj_name2id(m, mjOBJ_JOINT, spec->name);
    if (spec->actuated && a < 0) {
        return why(ret_why, cap, -EINVAL, "joint %s: the model has no actuator for it", spec->name);
    }
    if (id < 0 || m->jnt_type[id] == mjJNT_FREE || m->jnt_type[id] == mjJNT_BALL) {
        return why(ret_why, cap, -EINVAL, "joint %s: the model has no hinge or slide of that name",
                   spec->name);
    }
    if (spec->actuated && !m->actuator_ctrllimited[a]) {
        return why(ret_why, cap, -EINVAL, "joint %s: its actuator needs a ctrlrange in the model",
                   spec->name);
    }
    z->joint[j] = (struct drive){.actuator = spec->actuated ? a : -1,
                                 .qpos = m->jnt_qposadr[id],
                                 .qvel = m->jnt_dofadr[id],
                                 .tau_max = spec->tau_max};
    return 0;
}

static int open_joints(struct mujoco *z, const struct robot *robot, char *ret_why, int cap)
{
    for (int j = 0; j < robot->n_joints; j++) {
        const int rc = open_joint(z, j, &robot->joint[j], ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int open_reset(struct mujoco *z, char *ret_why, int cap)
{
    const struct mujoco_config *c = &z->c;
    const mjModel *m = z->m;
    z->key = c->keyframe[0] == '\0' ? -1 : mj_name2id(m, mjOBJ_KEY, c->keyframe);
    if (c->keyframe[0] != '\0' && z->key < 0) {
        return why(ret_why, cap, -EINVAL, "sim.keyframe: the model has no keyframe \"%s\"",
                   c->keyframe);
    }
    const int body = c->goal[0] == '\0' ? -1 : mj_name2id(m, mjOBJ_BODY, c->goal);
    const int joint = body < 0 ? -1 : m->body_jntadr[body];
    z->goal_q = -1;
    if (c->goal_radius_m <= 0.0) {
        return 0;
    }
    if (body < 0 || m->body_jntnum[body] != 2 || m->jnt_type[joint] != mjJNT_SLIDE ||
        m->jnt_type[joint + 1] != mjJNT_SLIDE) {
        return why(ret_why, cap, -EINVAL,
                   "sim.goal_radius_m: the goal must be a body on two slides");
    }
    z->goal_q = joint;
    return 0;
}

static int open_push(const struct mujoco *z, char *ret_why, int cap)
{
    const int rc = push_check(&z->c.push, ret_why, cap);
    if (rc == 0 && push_is_on(&z->c.push) && z->c.tip[0] == '\0') {
        return why(ret_why, cap, -EINVAL, "sim.push_n: set sim.tip, the body or site to push");
    }
    return rc;
}

static void lay_out(struct mujoco *z, const struct robot *robot)
{
    const mjModel *m = z->m;
    z->n_joints = robot->n_joints;
    for (int i = 0; i < robot->n_extra; i++) {
        z->n_extra += robot->extra[i].n;
    }
    z->qvel = m->nq;
    z->act = z->qvel + m->nv;
    z->warm = z->act + m->na;
    z->tau = z->warm + m->nv;
    z->extra = z->tau + z->n_joints;
    z->n_v = z->extra + z->n_extra;
}

static void make_data(void *arg)
{
    struct mujoco *z = arg;
    z->d = mj_makeData(z->m);
}

static void mujoco_close(void *self)
{
    struct mujoco *z = self;
    if (z->d != NULL) {
        mj_deleteData(z->d);
    }
    mujoco_model_drop(z->m);
    z->d = NULL;
    z->m = NULL;
}

static int open_with(struct mujoco *z, const struct robot *robot, struct arena *mem, char *ret_why,
                     int cap)
{
    const struct mujoco_config *c = &z->c;
    const struct mujoco_ends ends = {.tip = c->tip, .goal = c->goal};
    char reason[WHY_CHARS] = "no memory";
    int rc = open_joints(z, robot, ret_why, cap);
    rc = rc == 0 ? open_reset(z, ret_why, cap) : rc;
    rc = rc == 0 ? open_push(z, ret_why, cap) : rc;
    rc = rc == 0 ? mujoco_sensors_open(&z->sensors, z->m, robot, ends, mem, ret_why, cap) : rc;
    lay_out(z, robot);
    if (rc == 0 && (!mujoco_guarded(make_data, z, reason, sizeof reason) || z->d == NULL)) {
        rc = why(ret_why, cap, -ENOMEM, "sim mujoco: %s: %s", c->model, reason);
    }
    return rc;
}

static int mujoco_open(const void *config, const struct robot *robot, struct arena *mem,
                       void **ret_self, char *ret_why, int cap)
{
    char path[PATH_CHARS];
    struct mujoco *z = arena_take(mem, sizeof *z);
    z->c = *(const struct mujoco_config *)config;
    int rc = full_path(&z->c, robot, path, ret_why, cap);
    rc = rc == 0 ? mujoco_model_take(path, &z->m, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    rc = open_with(z, robot, mem, ret_why, cap);
    if (rc < 0) {
        mujoco_close(z);
        return rc;
    }
    *ret_self = z;
    return 0;
}

static size_t mujoco_state_bytes(const void *self)
{
    const struct mujoco *z = self;
    return sizeof(struct mujoco_state) + (size_t)z->n_v * sizeof(double);
}

/* --- state <-> mjData --- */

static void load_state(const struct mujoco *z, const struct mujoco_state *s)
{
    mjData *d = z->d;
    d->time = s->time_s;
    mju_copy(d->qpos, s->v, z->m->nq);
    mju_copy(d->qvel, s->v + z->qvel, z->m->nv);
    mju_copy(d->act, s->v + z->act, z->m->na);
    mju_copy(d->qacc_warmstart, s->v + z->warm, z->m->nv);
}

static void store_state(const struct mujoco *z, struct mujoco_state *s)
{
    const mjData *d = z->d;
    s->time_s = d->time;
    mju_copy(s->v, d->qpos, z->m->nq);
    mju_copy(s->v + z->qvel, d->qvel, z->m->nv);
    mju_copy(s->v + z->act, d->act, z->m->na);
    mju_copy(s->v + z->warm, d->qacc_warmstart, z->m->nv);
    for (int j = 0; j < z->n_joints; j++) {
        s->v[z->tau + j] = d->qfrc_actuator[z->joint[j].qvel];
    }
    mujoco_sensors_read(&z->sensors, d, s->v + z->extra);
}

/* The engine's own remedy for what diverges is to begin anew: then this is no state to go on from.
 */
static bool diverged(const struct mujoco *z)
{
    static const int signs[] = {mjWARN_BADQPOS, mjWARN_BADQVEL, mjWARN_BADQACC};
    bool bad = false;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        bad = bad || z->d->warning[signs[i]].number > 0;
    }
    for (int i = 0; i < z->m->nq && !bad; i++) {
        bad = !(fabs(z->d->qpos[i]) <= mjMAXVAL);
    }
    for (int i = 0; i < z->m->nv && !bad; i++) {
        bad = !(fabs(z->d->qvel[i]) <= mjMAXVAL);
    }
    return bad;
}

static void forget_warnings(mjData *d)
{
    for (int i = 0; i < mjNWARNING; i++) {
        d->warning[i].number = 0;
    }
}

static void keep(const struct mujoco *z, struct mujoco_state *s, bool whole)
{
    s->unstable = !whole || diverged(z);
    if (s->unstable) {
        mj_resetData(z->m, z->d); /* its stack is left as it was when it gave up */
    } else {
        store_state(z, s);
    }
    if (z->sensors.unstable_at >= 0) {
        s->v[z->extra + z->sensors.unstable_at] = s->unstable ? 1.0 : 0.0;
    }
}

/* --- reset, step, sense --- */

static double draw(struct rng *rng, double bound)
{
    return bound * (2.0 * rng_uniform(rng) - 1.0);
}

/* Uniform in the disc, at rest. */
static void draw_goal(const struct mujoco *z, struct rng *rng)
{
    const double radius_m = z->c.goal_radius_m;
    double x, y;
    do {
        x = draw(rng, radius_m);
        y = draw(rng, radius_m);
    } while (x * x + y * y >= radius_m * radius_m);
    const int q = z->m->jnt_qposadr[z->goal_q], v = z->m->jnt_dofadr[z->goal_q];
    z->d->qpos[q] = x;
    z->d->qpos[q + 1] = y;
    z->d->qvel[v] = z->d->qvel[v + 1] = 0.0;
}

static void forward(void *arg)
{
    const struct mujoco *z = arg;
    mj_forward(z->m, z->d);
    if (z->sensors.wrenches) {
        mj_rnePostConstraint(z->m, z->d);
    }
}

static void mujoco_reset(void *self, void *state, struct rng *rng)
{
    struct mujoco *z = self;
    struct mujoco_state *s = state;
    const struct mujoco_config *c = &z->c;
    memset(s, 0, mujoco_state_bytes(z));
    if (z->key >= 0) {
        mj_resetDataKeyframe(z->m, z->d, z->key);
    } else {
        mj_resetData(z->m, z->d);
    }
    for (int i = 0; i < z->m->nq; i++) {
        z->d->qpos[i] += draw(rng, c->reset_qpos_noise);
    }
    for (int i = 0; i < z->m->nv; i++) {
        z->d->qvel[i] += c->reset_qvel_kind == NOISE_NORMAL ? c->reset_qvel_noise * rng_normal(rng)
                                                            : draw(rng, c->reset_qvel_noise);
    }
    if (z->goal_q >= 0) {
        draw_goal(z, rng);
    }
    push_reset(&c->push, &s->push, rng);
    keep(z, s, mujoco_guarded(forward, z, NULL, 0));
}

/* On where the tip is now: what is in mjData is of the step before. */
static void push(const struct mujoco *z)
{
    static const mjtNum no_torque[3] = {0};
    mju_zero(z->d->qfrc_applied, z->m->nv);
    if (z->force != NULL) {
        mj_kinematics(z->m, z->d);
        mj_comPos(z->m, z->d);
        mj_applyFT(z->m, z->d, z->force, no_torque, mujoco_sensors_tip(&z->sensors, z->d),
                   z->sensors.tip.body, z->d->qfrc_applied);
    }
}

static void advance(void *arg)
{
    const struct mujoco *z = arg;
    for (int i = 0; i < z->c.frame_skip; i++) {
        push(z);
        mj_step(z->m, z->d);
    }
    if (z->sensors.wrenches) {
        mj_rnePostConstraint(z->m, z->d);
    }
}

/* -tau_max..tau_max onto the range of control. */
static void put_control(const struct mujoco *z, const struct drive *j, double tau)
{
    const mjtNum *range = z->m->actuator_ctrlrange + 2 * (size_t)j->actuator;
    const double a = fmax(-1.0, fmin(1.0, tau / j->tau_max));
    z->d->ctrl[j->actuator] = range[0] + 0.5 * (a + 1.0) * (range[1] - range[0]);
}

static void mujoco_step(void *self, void *state, const struct command *cmd, double dt_s,
                        struct rng *rng)
{
    struct mujoco *z = self;
    struct mujoco_state *s = state;
    if (s->unstable) {
        return;
    }
    load_state(z, s);
    forget_warnings(z->d);
    mju_zero(z->d->ctrl, z->m->nu);
    for (int j = 0; j < z->n_joints; j++) {
        s->mode[j] = cmd->mode[j];
        if (z->joint[j].actuator >= 0 && cmd->mode[j] == MODE_EFFORT) {
            put_control(z, &z->joint[j], cmd->tau[j]);
        }
    }
    push_step(&z->c.push, &s->push, dt_s, rng);
    z->force = s->push.pushes ? s->push.force : NULL;
    keep(z, s, mujoco_guarded(advance, z, NULL, 0));
}

static void mujoco_sense(void *self, const void *state, struct rng *noise,
                         struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct mujoco *z = self;
    const struct mujoco_state *s = state;
    sense_begin(ret_sensed, z->n_joints);
    for (int j = 0; j < z->n_joints; j++) {
        const struct drive *k = &z->joint[j];
        const bool driven = k->actuator >= 0 && s->mode[j] != MODE_OFF;
        ret_sensed->q[j] = s->v[k->qpos];
        ret_sensed->qd[j] = s->v[z->qvel + k->qvel];
        ret_sensed->tau[j] = s->v[z->tau + j];
        ret_sensed->torque[j] = driven ? TORQUE_ON : TORQUE_OFF;
    }
    memcpy(ret_sensed->extra, s->v + z->extra, (size_t)z->n_extra * sizeof(double));
}

const struct sim sim_mujoco = {
    .name = "mujoco",
    .source = "any MJCF file, stepped by MuJoCo; models of our own after Gymnasium's",
    .options = mujoco_options,
    .config_bytes = sizeof(struct mujoco_config),
    .open = mujoco_open,
    .state_bytes = mujoco_state_bytes,
    .reset = mujoco_reset,
    .step = mujoco_step,
    .sense = mujoco_sense,
    .close = mujoco_close,
};
