/* The names in a task's rows against the robot: what there is, how many numbers, what is refused.
 */
#include "policies/task_options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int find_joint(const struct robot *r, const char *name)
{
    for (int j = 0; j < r->n_joints; j++) {
        if (strcmp(r->joint[j].name, name) == 0) {
            return j;
        }
    }
    return -1;
}

static int resolve_joint(struct term *a, const struct robot *r, const char *kind, char *ret_why,
                         int cap)
{
    a->joint_index = -1;
    if (a->joint[0] == '\0') {
        return 0;
    }
    a->joint_index = find_joint(r, a->joint);
    if (a->joint_index < 0) {
        return why(ret_why, cap, -EINVAL,
                   "task: %s names joint \"%s\", which the robot does not have", kind, a->joint);
    }
    return 0;
}

static const struct extra_spec *find_extra(const struct robot *r, const char *name)
{
    for (int i = 0; i < r->n_extra; i++) {
        if (strcmp(r->extra[i].name, name) == 0) {
            return &r->extra[i];
        }
    }
    return NULL;
}

/* The sensor that a term means: all of them, or one from number `first` on. */
static int resolve_extra(struct term *a, const struct task *t, const char *kind, char *ret_why,
                         int cap)
{
    const struct extra_spec all = {.n = t->n_extra};
    const struct extra_spec *e = a->extra[0] == '\0' ? &all : find_extra(t->robot, a->extra);
    if (e == NULL) {
        return why(ret_why, cap, -EINVAL,
                   "task: %s names the sensor \"%s\", which is not in the robot's list extra", kind,
                   a->extra);
    }
    a->extra_index = e->offset + a->first;
    if (a->extra[0] != '\0' && a->first >= e->n) {
        return why(ret_why, cap, -EINVAL, "task: %s: first %d is past the %d numbers of \"%s\"",
                   kind, a->first, e->n, a->extra);
    }
    return 0;
}

static int resolve(struct term *a, const struct task *t, const char *kind, char *ret_why, int cap)
{
    const int rc = resolve_joint(a, t->robot, kind, ret_why, cap);
    return rc < 0 ? rc : resolve_extra(a, t, kind, ret_why, cap);
}

/* A slot `extra` without n observes the rest of its sensor. */
static int count_extra(struct slot *s, const struct task *t, char *ret_why, int cap)
{
    struct term *a = &s->term;
    const struct extra_spec *e = find_extra(t->robot, a->extra);
    const int rest = (e != NULL ? e->n : t->n_extra) - a->first;
    if (strcmp(s->kind->name, "extra") != 0) {
        return 0;
    }
    if (a->n > rest) {
        return why(ret_why, cap, -EINVAL,
                   "task: the slot extra wants %d numbers from number %d of \"%s\", there are %d",
                   a->n, a->first, a->extra, rest);
    }
    a->n = a->n == 0 && rest > 0 ? rest : a->n;
    return 0;
}

static int open_picture(struct task *t, const struct slot *s, char *ret_why, int cap)
{
    const struct picture_spec *p = &t->robot->picture;
    if (p->c == 0 || p->h == 0 || p->w == 0) {
        return why(ret_why, cap, -EINVAL,
                   "task: the slot picture wants a camera: set picture.height, width and channels");
    }
    if (t->history > 0) {
        return why(ret_why, cap, -EINVAL, "task: the slot picture stands twice");
    }
    t->history = s->term.history;
    t->n_pixels = p->h * p->w * p->c;
    return 0;
}

static int open_slots(struct task *t, char *ret_why, int cap)
{
    bool remembers = false;
    for (int i = 0; i < t->spec->n_slots; i++) {
        struct slot *s = &t->slot[i];
        *s = t->spec->slot[i];
        int rc = resolve(&s->term, t, s->kind->name, ret_why, cap);
        rc = rc == 0 ? count_extra(s, t, ret_why, cap) : rc;
        if (rc < 0) {
            return rc;
        }
        if (strcmp(s->kind->name, "lag") == 0 && t->spec->settings.action == ACTION_EFFORT) {
            return why(ret_why, cap, -EINVAL,
                       "task: the slot lag wants goals of pose; task.action effort has none");
        }
        s->first = t->n_obs;
        s->n = s->kind->width(t, &s->term);
        if (s->term.history > 0) {
            rc = open_picture(t, s, ret_why, cap);
            if (rc < 0) {
                return rc;
            }
            continue;
        }
        if (s->n == 0) {
            return why(ret_why, cap, -EINVAL,
                       "task: the slot \"%s\" observes nothing on this robot; leave it out",
                       s->kind->name);
        }
        t->n_obs += s->n;
        remembers = remembers || strcmp(s->kind->name, "last_action") == 0;
        if (t->n_obs > OBS_MAX) {
            return why(ret_why, cap, -EINVAL, "task: more than %d observations", OBS_MAX);
        }
    }
    if (t->n_obs == 0 && t->history == 0) {
        return why(ret_why, cap, -EINVAL,
                   "task: nothing is observed; list slots under task.observation");
    }
    if (t->spec->settings.actuation == ACTUATE_RAMP && !remembers) {
        return why(ret_why, cap, -EINVAL,
                   "task: with actuation ramp the last action belongs to the state; add the slot "
                   "last_action");
    }
    for (int i = 0; i < t->robot->n_buses && !remembers; i++) {
        if (t->robot->bus[i].order == ORDER_PIPELINED) {
            return why(ret_why, cap, -EINVAL,
                       "task: on a pipelined bus (%s) the last action is still on its way and "
                       "belongs to the state; add the slot last_action",
                       t->robot->bus[i].name);
        }
    }
    return 0;
}

/* A reward term or an end takes one number of its sensor, or the n that it says. */
static int resolve_counted(struct term *a, const struct task *t, const char *kind, char *ret_why,
                           int cap)
{
    const int rc = resolve(a, t, kind, ret_why, cap);
    const struct extra_spec *e = find_extra(t->robot, a->extra);
    a->n = a->n == 0 ? 1 : a->n;
    if (rc == 0 && e != NULL && a->first + a->n > e->n) {
        return why(ret_why, cap, -EINVAL,
                   "task: %s wants %d numbers from number %d of \"%s\", there are %d", kind, a->n,
                   a->first, a->extra, e->n - a->first);
    }
    return rc;
}

static int open_rewards(struct task *t, char *ret_why, int cap)
{
    for (int i = 0; i < t->spec->n_rewards; i++) {
        t->reward[i] = t->spec->reward[i];
        const int rc =
            resolve_counted(&t->reward[i].term, t, t->reward[i].kind->name, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int open_ends(struct task *t, char *ret_why, int cap)
{
    for (int i = 0; i < t->spec->n_ends; i++) {
        t->end[i] = t->spec->end[i];
        const int rc = resolve_counted(&t->end[i].term, t, t->end[i].kind->name, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* What an action is: one number per actuated joint, or one of the robot's choices. */
static int open_actions(struct task *t, char *ret_why, int cap)
{
    const struct robot *r = t->robot;
    for (int j = 0; j < r->n_joints; j++) {
        if (!r->joint[j].actuated) {
            continue;
        }
        if (r->n_choices > 0) {
            return why(ret_why, cap, -EINVAL,
                       "joint %s: a robot with choices drives no joint: set actuated: false",
                       r->joint[j].name);
        }
        if (t->spec->settings.action == ACTION_INCREMENT && !isfinite(r->joint[j].qd_max)) {
            return why(
                ret_why, cap, -EINVAL,
                "joint %s: task.action increment needs qd_max_rad_s: it is the step's length",
                r->joint[j].name);
        }
        if (t->n_act == ACT_MAX) {
            return why(ret_why, cap, -EINVAL, "task: more than %d actuated joints", ACT_MAX);
        }
        t->act_joint[t->n_act++] = j;
    }
    if (t->spec->settings.lag_max_rad > 0.0 && t->spec->settings.action != ACTION_INCREMENT) {
        return why(ret_why, cap, -EINVAL,
                   "task.lag_max_rad is for task.action increment, whose goals it keeps near the "
                   "pose");
    }
    t->n_act_joints = t->n_act;
    t->n_act = r->n_choices > 0 ? 1 : t->n_act;
    if (r->n_choices > 0 && t->spec->settings.actuation == ACTUATE_RAMP) {
        return why(ret_why, cap, -EINVAL,
                   "task.actuation must be hold: there is nothing between two choices");
    }
    return 0;
}

int task_open(struct task *ret_task, const struct task_spec *spec, const struct robot *robot,
              char *ret_why, int cap)
{
    struct task *t = ret_task;
    *t = (struct task){.spec = spec, .robot = robot, .travel_joint = -1};
    for (int i = 0; i < robot->n_extra; i++) {
        t->n_extra += robot->extra[i].n;
    }
    int rc = open_actions(t, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if (spec->settings.travel_joint[0] != '\0') {
        t->travel_joint = find_joint(robot, spec->settings.travel_joint);
        if (t->travel_joint < 0) {
            return why(ret_why, cap, -EINVAL, "task.travel_joint: the robot has no joint \"%s\"",
                       spec->settings.travel_joint);
        }
    } else if (spec->settings.travel_max_m > 0.0) {
        return why(ret_why, cap, -EINVAL,
                   "task.travel_max_m needs task.travel_joint, the joint that measures the way");
    }
    t->ticks_per_period = (int)llround(robot->control_rate_hz / robot->policy_rate_hz);
    rc = task_open_sensors(t, ret_why, cap);
    rc = rc == 0 ? open_slots(t, ret_why, cap) : rc;
    rc = rc == 0 ? open_rewards(t, ret_why, cap) : rc;
    return rc == 0 ? open_ends(t, ret_why, cap) : rc;
}

int task_slot_name(const struct task *t, int k, char *ret_name, int cap, const char **ret_unit)
{
    for (int i = 0; i < t->spec->n_slots; i++) {
        const struct slot *s = &t->slot[i];
        if (k < s->first || k >= s->first + s->n) {
            continue;
        }
        *ret_unit = s->kind->unit;
        const char *of = s->term.joint[0] != '\0' ? s->term.joint : s->term.extra;
        if (of[0] == '\0' && s->n == t->n_act_joints) {
            of = t->robot->joint[t->act_joint[k - s->first]].name;
            return snprintf(ret_name, (size_t)cap, "%s.%s", s->kind->name, of);
        }
        if (of[0] != '\0' && s->n == 1) {
            return snprintf(ret_name, (size_t)cap, "%s.%s", s->kind->name, of);
        }
        return snprintf(ret_name, (size_t)cap, "%s.%s%d", s->kind->name, of, k - s->first);
    }
    return -EINVAL;
}
