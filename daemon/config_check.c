/* What no single key can know: what is missing, what contradicts what, what a module refuses. */
#include "daemon/config_yaml.h"

#include "daemon/base/chain.h"
#include "daemon/bus_codec.h"
#include "daemon/problem.h"
#include "daemon/respond.h"
#include "drivers/driver.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 512

/* --- what must be set --- */

int config_refuse_unset(const struct walk *w, const struct place *at, const char *what,
                        const struct option *o)
{
    char wanted[160];
    (void)option_wanted(o, wanted, (int)sizeof wanted);
    return config_bad_at(w, at, "%s%s must be set: %s", what, o->key, wanted);
}

/* Rows without a default say one of these until a file sets them. */
static bool is_unset(const struct option *o, const void *base, const char *unset)
{
    char text[TEXT_MAX];
    (void)option_get(o, base, text, (int)sizeof text);
    return o->def == NULL && strcmp(text, unset) == 0;
}

bool config_is_empty(const struct option *o, const void *base)
{
    return is_unset(o, base, "") || is_unset(o, base, "0") || is_unset(o, base, "unset");
}

static int check_sections(const struct walk *w)
{
    const struct config *c = w->config;
    for (int i = 0; config_sections[i].name != NULL; i++) {
        const struct section *s = &config_sections[i];
        const void *base = (const char *)c + s->offset;
        const bool there = i > 0 && w->places->section[i].line > 0;
        for (const struct option *o = s->options; o->key != NULL; o++) {
            if (config_is_empty(o, base)) {
                char what[NAME_CHARS];
                (void)snprintf(what, sizeof what, "%s%s", s->name, i > 0 ? "." : "");
                return config_refuse_unset(w, there ? &w->places->section[i] : &w->places->root,
                                           what, o);
            }
        }
    }
    if (c->policy == NULL) {
        return config_bad_at(w, &w->places->root, "policy.kind must be set");
    }
    return c->robot.n_joints > 0 || c->robot.n_choices > 0
               ? 0
               : config_bad_at(w, &w->places->root,
                               "joints must be set: a list of joints; or choices, where an action "
                               "is one of a few");
}

static const struct place *place_of(const struct walk *w, const char *section)
{
    for (int i = 1; config_sections[i].name != NULL; i++) {
        if (strcmp(config_sections[i].name, section) == 0) {
            return w->places->section[i].file != NULL ? &w->places->section[i] : &w->places->root;
        }
    }
    return &w->places->root;
}

/* --- what no single key can know --- */

/* What a body that is driven directly has not, or keeps by itself. */
static bool is_of_devices(const char *key)
{
    static const char *const keys[] = {"id",           "tau_stall_nm",   "temp_max_c",
                                       "qd_max_rad_s", "qdd_max_rad_s2", NULL};
    for (int i = 0; keys[i] != NULL; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static int check_joint(const struct walk *w, int i)
{
    const struct robot *r = &w->config->robot;
    const struct joint_spec *j = &r->joint[i];
    const struct place *at = &w->places->joint[i];
    char what[NAME_CHARS + 16];
    (void)snprintf(what, sizeof what, "joint %s: ", j->name);
    if (r->n_buses > 0 && j->bus < 0) {
        return config_bad_at(w, at, "%sbus must be set", what);
    }
    for (const struct option *o = config_joint_options; o->key != NULL; o++) {
        const bool of_limits = o->type == OPTION_DOUBLE;
        const bool wanted = !(r->direct && is_of_devices(o->key)) && (!of_limits || j->actuated);
        const bool missing = is_unset(o, j, of_limits ? "nan" : "-1");
        if (o->def == NULL && wanted && missing) {
            return config_refuse_unset(w, at, what, o);
        }
    }
    if (j->sign == 0) {
        return config_bad_at(w, at, "%ssign must be 1 or -1", what);
    }
    for (int k = 0; k < i && r->n_buses > 0; k++) {
        if (r->joint[k].bus == j->bus && r->joint[k].id == j->id) {
            return config_bad_at(w, at, "joints %s and %s have the same id %d on one bus",
                                 r->joint[k].name, j->name, j->id);
        }
    }
    return 0;
}

static int check_rates(const struct walk *w)
{
    const struct robot *r = &w->config->robot;
    const double ratio = r->control_rate_hz / r->policy_rate_hz;
    if (!(ratio >= 1.0) || fabs(ratio - round(ratio)) > 1e-9 * ratio) {
        return config_bad_at(w, place_of(w, "policy"),
                             "control.rate_hz %g is no whole multiple of policy.rate_hz %g",
                             r->control_rate_hz, r->policy_rate_hz);
    }
    return 0;
}

/* Without a bus there must be a body; on a bus this version's devices take poses alone. */
static int check_direct(const struct walk *w)
{
    const struct config *c = w->config;
    if (c->robot.direct && c->sim == NULL) {
        return config_bad_at(w, &w->places->root,
                             "there is neither a bus nor a section sim: nothing to drive");
    }
    const struct robot *r = &c->robot;
    const char *const what = r->n_choices > 0 ? "choices" : r->picture.c > 0 ? "picture" : NULL;
    if (!r->direct && what != NULL) {
        return config_bad_at(w, &w->places->root,
                             "%s: no driver of this version has any: leave it out", what);
    }
    for (int k = 0; k < r->n_extra && !r->direct; k++) {
        if (r->extra[k].source == EXTRA_OF_BODY) {
            return config_bad_at(w, &w->places->root,
                                 "extra %s: no driver of this version has such a sensor: leave it "
                                 "out",
                                 r->extra[k].name);
        }
    }
    if (!c->robot.direct && c->task.settings.action == ACTION_EFFORT) {
        return config_bad_at(w, place_of(w, "task"),
                             "task.action effort is not available on a bus in this version; use "
                             "position");
    }
    return 0;
}

/* A reset by script goes to a pose that the joints have. */
static int check_script(const struct walk *w)
{
    const struct task_settings *t = &w->config->task.settings;
    if (t->reset != RESET_SCRIPT) {
        return config_bad_at(w, place_of(w, "task"),
                             "task.reset_pose_rad is where task.reset script goes: set that too");
    }
    char reason[WHY_CHARS];
    return robot_check_pose(&w->config->robot, t->reset_pose, t->n_reset_pose,
                            "task.reset_pose_rad", reason, (int)sizeof reason) < 0
               ? config_bad_at(w, place_of(w, "task"), "%s", reason)
               : 0;
}

static int check_reset(const struct walk *w)
{
    const struct task_settings *t = &w->config->task.settings;
    char text[TEXT_MAX];
    (void)option_get(option_find(task_options, "reset"), t, text, (int)sizeof text);
    if (t->reset == RESET_SCRIPT || t->n_reset_pose > 0) {
        const int rc = check_script(w);
        if (rc < 0) {
            return rc;
        }
    }
    if (t->eval_episodes > 0 && t->episode_s <= 0.0) {
        return config_bad_at(w, place_of(w, "task"),
                             "task.eval_episodes counts episodes that end: set task.episode_s");
    }
    if (t->reset == RESET_BODY && !w->config->robot.direct) {
        return config_bad_at(w, place_of(w, "task"),
                             "task.reset body is for a simulated body without a bus: this robot's "
                             "devices would see it jump; use hold or none");
    }
    if (t->reset != RESET_HOLD && t->reset != RESET_SCRIPT && t->reset_s > 0.0) {
        return config_bad_at(w, place_of(w, "task"),
                             "task.reset %s takes no time: leave out task.reset_s, or use hold",
                             text);
    }
    return 0;
}

static int check_words(const struct walk *w)
{
    const struct config *c = w->config;
    if (c->robot.estop_hardware == ESTOP_GPIO) {
        return config_bad_at(w, place_of(w, "estop"),
                             "estop.hardware gpio is not available in this version; use "
                             "power_sense or none");
    }
    if (c->robot.estop_hardware == ESTOP_POWER_SENSE && c->robot.power_min_v <= 0.0) {
        return config_bad_at(w, place_of(w, "estop"),
                             "estop.hardware power_sense needs estop.power_min_v above 0");
    }
    if (strcmp(c->comms.weights, "own") != 0 && strncmp(c->comms.weights, "ipc:///", 7) != 0) {
        return config_bad_at(w, place_of(w, "comms"),
                             "comms.weights must be own or ipc:///PATH: over a network nobody "
                             "would know whose they are");
    }
    return 0;
}

/* The place of the joint that a module's sentence begins with, or else that of the section. */
static const struct place *place_of_reason(const struct walk *w, const char *reason,
                                           const char *section)
{
    const struct robot *r = &w->config->robot;
    for (int j = 0; j < r->n_joints; j++) {
        char what[NAME_CHARS + 16];
        const int n = snprintf(what, sizeof what, "joint %s: ", r->joint[j].name);
        if (strncmp(reason, what, (size_t)n) == 0) {
            return &w->places->joint[j];
        }
    }
    return place_of(w, section);
}

/* Rules of space are of capsules, joints, or the section itself. */
static const struct place *place_of_safety(const struct walk *w, const char *reason)
{
    const struct space_spec *c = &w->config->robot.space;
    for (int i = 0; i < c->n_capsules; i++) {
        char what[NAME_CHARS + 16];
        const int n = snprintf(what, sizeof what, "capsule %s: ", c->capsule[i].name);
        if (strncmp(reason, what, (size_t)n) == 0) {
            return &w->places->capsule[i];
        }
    }
    return place_of_reason(w, reason, strncmp(reason, "space: ", 7) == 0 ? "space" : "safety");
}

static bool shows_picture(const struct walk *w, void *self)
{
    const struct sim *sim = w->config->sim;
    void *state = arena_take(w->mem, sim->state_bytes(self));
    struct sensed s = {.frame = NULL};
    struct rng rng;
    rng_seed(&rng, 0);
    sim->reset(self, state, &rng);
    sim->sense(self, state, NULL, &s);
    return s.frame != NULL;
}

/* The links, where the file tells them: could such bodies be? */
static int check_chain(const struct walk *w)
{
    const struct robot *r = &w->config->robot;
    struct chain chain;
    char reason[WHY_CHARS];
    if (r->chain.n == 0 || chain_init(&chain, r, reason, (int)sizeof reason) == 0) {
        return 0;
    }
    for (int i = 0; i < r->chain.n; i++) {
        char what[NAME_CHARS + 16];
        const int n = snprintf(what, sizeof what, "link %s: ", r->chain.link[i].name);
        if (strncmp(reason, what, (size_t)n) == 0) {
            return config_bad_at(w, &w->places->link[i], "%s", reason);
        }
    }
    return config_bad_at(w, place_of(w, "chain"), "%s", reason);
}

/* Weight is carried where it is known, by devices that take a torque beside a pose. */
static int check_weight(const struct walk *w)
{
    const struct robot *r = &w->config->robot;
    if (!r->carry_weight) {
        return 0;
    }
    if (r->chain.n == 0) {
        return config_bad_at(w, place_of(w, "control"),
                             "control.carry_weight wants links, which tell what there is to carry");
    }
    if (r->direct) {
        return config_bad_at(w, place_of(w, "control"),
                             "control.carry_weight is for a robot on a bus: a body that is driven "
                             "directly carries itself (sim.gravity_compensation)");
    }
    for (int i = 0; i < r->n_buses; i++) {
        if (bus_codec_find(r->bus[i].driver).can == NULL) {
            return config_bad_at(w, place_of(w, "control"),
                                 "control.carry_weight: bus %s: its %s devices take poses alone, "
                                 "no torque beside them",
                                 r->bus[i].name, r->bus[i].driver);
        }
    }
    return 0;
}

/* The body with this robot: are its joints, sensors, choices and picture there? */
static int check_body(const struct walk *w)
{
    const struct config *c = w->config;
    void *self = NULL;
    char reason[WHY_CHARS];
    if (c->sim == NULL) {
        return 0;
    }
    if (c->sim->open(c->sim_config, &c->robot, w->mem, &self, reason, (int)sizeof reason) < 0) {
        return config_bad_at(w, place_of(w, "sim"), "%s", reason);
    }
    const bool blind = c->robot.picture.c > 0 && !shows_picture(w, self);
    if (c->sim->close != NULL) {
        c->sim->close(self);
    }
    return blind ? config_bad_at(w, place_of(w, "picture"), "picture: sim %s shows none",
                                 c->sim->name)
                 : 0;
}

static int check_responses(const struct walk *w)
{
    const struct config *c = w->config;
    struct responder *r = arena_take(w->mem, sizeof *r);
    char reason[WHY_CHARS];
    if (respond_init(r, &c->robot, &c->responses, c->control.stop_s, reason, (int)sizeof reason) ==
        0) {
        return 0;
    }
    const bool of_estop = strncmp(reason, "estop.", strlen("estop.")) == 0;
    return config_bad_at(w, place_of_reason(w, reason, of_estop ? "estop" : "responses"), "%s",
                         reason);
}

/* What the modules themselves say about their settings. */
static int check_modules(const struct walk *w)
{
    const struct config *c = w->config;
    struct safety *z = arena_take(w->mem, sizeof *z);
    struct task *t = arena_take(w->mem, sizeof *t);
    char reason[WHY_CHARS];
    if (safety_init(z, &c->robot, &c->safety, reason, (int)sizeof reason) < 0) {
        return config_bad_at(w, place_of_safety(w, reason), "%s", reason);
    }
    if (z->space.n > 0 && c->task.settings.action == ACTION_EFFORT) {
        return config_bad_at(w, place_of(w, "task"),
                             "task.action effort says nothing of where it ends, which space must "
                             "know; use position or increment, or leave space out");
    }
    if (task_open(t, &c->task, &c->robot, reason, (int)sizeof reason) < 0) {
        return config_bad_at(w, place_of(w, "task"), "%s", reason);
    }
    struct dims d;
    problem_dims(c, t, &d);
    if (problem_check(c, &d, reason, (int)sizeof reason) < 0) {
        const bool of_learner = strncmp(reason, "learner.", strlen("learner.")) == 0;
        return config_bad_at(w, place_of(w, of_learner ? "learner" : "policy"), "%s", reason);
    }
    return check_body(w);
}

int config_check(const struct walk *w)
{
    w->config->robot.direct = w->config->robot.n_buses == 0;
    task_claim(&w->config->robot);
    int rc = check_sections(w);
    rc = rc == 0 ? check_words(w) : rc;
    rc = rc == 0 ? check_direct(w) : rc;
    rc = rc == 0 ? check_reset(w) : rc;
    rc = rc == 0 ? check_rates(w) : rc;
    for (int i = 0; rc == 0 && i < w->config->robot.n_buses; i++) {
        rc = config_check_bus(w, i);
    }
    for (int j = 0; rc == 0 && j < w->config->robot.n_joints; j++) {
        rc = check_joint(w, j);
    }
    for (int i = 0; rc == 0 && i < w->config->robot.n_buses; i++) {
        rc = config_check_wire(w, i);
    }
    rc = rc == 0 ? check_chain(w) : rc;
    rc = rc == 0 ? check_weight(w) : rc;
    rc = rc == 0 ? check_responses(w) : rc;
    return rc == 0 ? check_modules(w) : rc;
}
