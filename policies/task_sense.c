/*
 * Sensors that are computed here, for a robot whose file tells its links: where the tip of its tool
 * is and how fast, by the chain from the joints as they are sensed; and the target that the task
 * draws for it in each episode.
 *
 *   tip           p(q)               m, in the frame of the base
 *   tip_velocity  J(q) qd            m/s
 *   target        drawn in the box from task.target_min_m to target_max_m; or, with
 *                 task.target_at_start, where the tip was when the episode began
 *   to_target     target - tip
 *   distance      its length
 *
 * A target that is drawn is a place of the tip at a pose drawn evenly from the joints' ranges: of
 * poses the first whose place lies in the box, so that it can be reached. The one for the next
 * episode is looked for ahead, a few poses a tick.
 */
#include "policies/task_options.h"

#include "daemon/base/vec3.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define TRIES_MAX    10000 /* before the start */
#define TRIES_A_TICK 8

static const struct {
    const char *name;
    int n, source;
} sensors[TASK_SENSORS_N] = {
    [TASK_TIP] = {"tip", 3, EXTRA_OF_CHAIN},
    [TASK_TIP_VELOCITY] = {"tip_velocity", 3, EXTRA_OF_CHAIN},
    [TASK_TARGET] = {"target", 3, EXTRA_OF_TASK},
    [TASK_TO_TARGET] = {"to_target", 3, EXTRA_OF_TASK},
    [TASK_DISTANCE] = {"distance", 1, EXTRA_OF_TASK},
};

/* -1: not computed here. */
static int find(const char *name)
{
    for (int i = 0; i < TASK_SENSORS_N; i++) {
        if (strcmp(sensors[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

void task_claim(struct robot *robot)
{
    for (int k = 0; k < robot->n_extra; k++) {
        struct extra_spec *e = &robot->extra[k];
        const int i = robot->chain.n > 0 ? find(e->name) : -1;
        e->source = i >= 0 ? sensors[i].source : EXTRA_OF_BODY;
    }
}

/* --- the target --- */

static bool in_box(const struct task_settings *c, const double *p)
{
    for (int i = 0; i < 3; i++) {
        if (!(p[i] >= c->target_min[i] && p[i] <= c->target_max[i])) {
            return false;
        }
    }
    return true;
}

/* Poses until a place of the tip lies in the box, so many at the most. */
static void look_for_target(struct task *t, int tries)
{
    struct task_state *z = &t->st;
    struct frame link[CHAIN_MAX], tool;
    double q[CHAIN_MAX];
    for (int k = 0; k < tries && !z->target2_found; k++) {
        for (int i = 0; i < t->chain.n; i++) {
            const struct joint_spec *j = &t->robot->joint[t->chain.link[i].joint];
            q[i] = rng_between(&z->rng, j->q_min, j->q_max);
        }
        chain_frames(&t->chain, q, link, &tool);
        if (in_box(&t->spec->settings, tool.p)) {
            memcpy(z->target2, tool.p, sizeof z->target2);
            z->target2_found = true;
        }
    }
}

void task_seed(struct task *t, uint64_t seed)
{
    struct task_state *z = &t->st;
    rng_child(&z->rng, seed, "target");
    if (t->draws) {
        z->target2_found = false;
        look_for_target(t, TRIES_MAX);
        memcpy(z->target, z->target2, sizeof z->target);
    }
}

bool task_ready(const struct task *t)
{
    return !t->draws || t->st.target2_found;
}

/* --- before the start --- */

static int open_box(struct task *t, char *ret_why, int cap)
{
    for (int i = 0; i < t->chain.n; i++) {
        const struct joint_spec *j = &t->robot->joint[t->chain.link[i].joint];
        if (!isfinite(j->q_min) || !isfinite(j->q_max)) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: a target is drawn from the joints' ranges: set q_min_rad and "
                       "q_max_rad",
                       j->name);
        }
    }
    task_seed(t, 0);
    return task_ready(t) ? 0
                         : why(ret_why, cap, -EINVAL,
                               "task: the box from target_min_m to target_max_m holds no place of "
                               "the tip at %d poses drawn from the joints' ranges",
                               TRIES_MAX);
}

static int open_target(struct task *t, char *ret_why, int cap)
{
    const struct task_settings *c = &t->spec->settings;
    const bool at_start = c->target_at_start;
    t->draws = c->n_target_min > 0 || c->n_target_max > 0;
    t->aims = t->draws || at_start;
    if (t->draws && at_start) {
        return why(ret_why, cap, -EINVAL,
                   "task: target_at_start and target_min_m are two answers to where the target is: "
                   "set one of them");
    }
    if (t->draws && (c->n_target_min != 3 || c->n_target_max != 3)) {
        return why(ret_why, cap, -EINVAL,
                   "task: target_min_m and target_max_m are two corners of a box: lists of 3 "
                   "numbers");
    }
    if (t->aims && t->robot->chain.n == 0) {
        return why(ret_why, cap, -EINVAL,
                   "task: %s: a target is for the tip of a chain, and the robot file has no links",
                   at_start ? "target_at_start" : "target_min_m");
    }
    return t->draws ? open_box(t, ret_why, cap) : 0;
}

int task_open_sensors(struct task *t, char *ret_why, int cap)
{
    const struct robot *r = t->robot;
    for (int i = 0; i < TASK_SENSORS_N; i++) {
        t->sensor_at[i] = -1;
    }
    int rc = r->chain.n > 0 ? chain_init(&t->chain, r, ret_why, cap) : 0;
    rc = rc == 0 ? open_target(t, ret_why, cap) : rc;
    for (int k = 0; rc == 0 && k < r->n_extra; k++) {
        const struct extra_spec *e = &r->extra[k];
        const int i = e->source != EXTRA_OF_BODY ? find(e->name) : -1;
        if (i < 0) {
            continue;
        }
        if (sensors[i].n != e->n) {
            return why(ret_why, cap, -EINVAL, "extra %s: it has %d numbers, n is %d", e->name,
                       sensors[i].n, e->n);
        }
        if (e->source == EXTRA_OF_TASK && !t->aims) {
            return why(ret_why, cap, -EINVAL,
                       "extra %s: there is no target: set task.target_min_m and "
                       "task.target_max_m, the box that it is drawn in, or task.target_at_start",
                       e->name);
        }
        t->sensor_at[i] = e->offset;
        t->senses = true;
    }
    return rc;
}

/* --- in the tick --- */

static void put(const struct task *t, int i, const double *x, struct sensed *s)
{
    if (t->sensor_at[i] >= 0) {
        memcpy(s->extra + t->sensor_at[i], x, (size_t)sensors[i].n * sizeof *x);
    }
}

static void sense_target(const struct task *t, const double *tip, struct sensed *s)
{
    double way[3];
    memcpy(way, t->st.target, sizeof way);
    vec3_add(-1.0, tip, way);
    const double distance = sqrt(vec3_dot(way, way));
    put(t, TASK_TARGET, t->st.target, s);
    put(t, TASK_TO_TARGET, way, s);
    put(t, TASK_DISTANCE, &distance, s);
}

/* ret_link [CHAIN_MAX]: where the links and the tool are. */
static void find_tip(const struct task *t, const struct sensed *s, struct frame *ret_link,
                     struct frame *ret_tool)
{
    double q[CHAIN_MAX] = {0.0};
    for (int i = 0; i < t->chain.n; i++) {
        q[i] = s->q[t->chain.link[i].joint];
    }
    chain_frames(&t->chain, q, ret_link, ret_tool);
}

/* Those of the tip, and of the target as it is now. */
static void sense(const struct task *t, struct sensed *s)
{
    const int n = t->chain.n;
    struct frame link[CHAIN_MAX], tool;
    double jac[6 * CHAIN_MAX], speed[3] = {0.0};
    if (!t->senses) {
        return;
    }
    find_tip(t, s, link, &tool);
    chain_jacobian(&t->chain, link, tool.p, jac);
    for (int i = 0; i < 3 * n; i++) {
        speed[i / n] += jac[i] * s->qd[t->chain.link[i % n].joint];
    }
    put(t, TASK_TIP, tool.p, s);
    put(t, TASK_TIP_VELOCITY, speed, s);
    sense_target(t, tool.p, s);
}

void task_sense(struct task *t, struct sensed *s)
{
    if (t->draws) {
        look_for_target(t, TRIES_A_TICK);
    }
    sense(t, s);
}

void task_aim(struct task *t, struct sensed *s)
{
    struct frame link[CHAIN_MAX], tool;
    if (t->draws) {
        memcpy(t->st.target, t->st.target2, sizeof t->st.target);
        t->st.target2_found = false;
    } else if (t->aims) {
        find_tip(t, s, link, &tool);
        memcpy(t->st.target, tool.p, sizeof t->st.target);
    }
    if (t->aims) {
        sense(t, s);
    }
}
