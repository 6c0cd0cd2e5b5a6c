/* Periods, episodes and the meaning of an action. The rows are in task_slots.c and
 * task_rewards.c. */
#include "policies/task.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const actuation_names[] = {"ramp", "hold", NULL};
static const char *const action_names[] = {"position", "effort", "increment", NULL};
static const char *const reset_names[] = {"none", "hold", "script", "ask", "body", NULL};

#define AT(field) offsetof(struct task_settings, field)

/* clang-format off */
const struct option task_options[] = {
    {.key = "actuation", .type = OPTION_CHOICE, .offset = AT(actuation), .def = "ramp", .choices = actuation_names,
     .help = "how the command moves between two actions: in a straight line, or at once"},
    {.key = "action", .type = OPTION_CHOICE, .offset = AT(action), .def = "position", .choices = action_names,
     .help = "what an action is: a pose, -1 to 1 being the joint's range; a torque, -1 to 1 being its ceiling either way; or a step of the goal, -1 to 1 being what qd_max_rad_s allows in a period, either way"},
    {.key = "lag_max_rad", .type = OPTION_DOUBLE, .offset = AT(lag_max_rad), .min = 0, .max = 100, .def = "0",
     .help = "action increment: the goal is at most this far from the pose that the period began with, so that a joint that something holds does not gather force; 0: no bound"},
    {.key = "reset", .type = OPTION_CHOICE, .offset = AT(reset), .def = "hold", .choices = reset_names,
     .help = "what happens between two episodes, and when a run begins: nothing; the pose is held; script: the robot goes to reset_pose_rad, all joints together along a straight line; ask: the pose is held until basalctl episode begin, or run; body: a simulated body that is driven directly begins anew"},
    {.key = "reset_s", .type = OPTION_DOUBLE, .offset = AT(reset_s), .min = 0, .max = 600, .def = "0",
     .help = "how long it stands still by hold, or at the end of a script; at least one tick"},
    {.key = "reset_pose_rad", .type = OPTION_DOUBLES, .offset = AT(reset_pose), .min = -1e6, .max = 1e6, .def = "[]", .n_max = JOINTS_MAX, .n_offset = AT(n_reset_pose),
     .help = "reset script: where episodes begin, one number for each joint"},
    {.key = "reset_noise_rad", .type = OPTION_DOUBLE, .offset = AT(reset_noise_rad), .min = 0, .max = 100, .def = "0",
     .help = "each joint's beginning is drawn evenly from so far about it, within its range"},
    {.key = "reset_rad_s", .type = OPTION_DOUBLE, .offset = AT(reset_rad_s), .min = 1e-3, .max = 100, .def = "0.5",
     .help = "fastest joint on the way there; each stays within its own limits too"},
    {.key = "reset_rad_s2", .type = OPTION_DOUBLE, .offset = AT(reset_rad_s2), .min = 1e-2, .max = 1e4, .def = "2",
     .help = "acceleration of it"},
    {.key = "episode_s", .type = OPTION_DOUBLE, .offset = AT(episode_s), .min = 0, .max = 86400, .def = "0",
     .help = "length of an episode, ended by truncation; 0: continuing"},
    {.key = "eval_episodes", .type = OPTION_INT, .offset = AT(eval_episodes), .min = 0, .max = 1000000, .def = "0",
     .help = "whole episodes that basald --lockstep evaluates at its end; 0: as many as --eval-s holds"},
    {.key = "eval_explore", .type = OPTION_BOOL, .offset = AT(eval_explore), .def = "false",
     .help = "that evaluation acts as learning does, by chance where the policy does so"},
    {.key = "travel_max_m", .type = OPTION_DOUBLE, .offset = AT(travel_max_m), .min = 0, .max = 10000, .def = "0",
     .help = "way from its start at which an episode is truncated; 0: no bound"},
    {.key = "travel_joint", .type = OPTION_TEXT, .offset = AT(travel_joint), .n_max = NAME_CHARS, .def = "",
     .help = "the odometer: a joint that measures the way"},
    {.key = "travel_radius_m", .type = OPTION_DOUBLE, .offset = AT(travel_radius_m), .min = 0, .max = 10, .def = "0",
     .help = "radius of the odometer's wheel"},
    {.key = "target_min_m", .type = OPTION_DOUBLES, .offset = AT(target_min), .min = -100, .max = 100, .def = "[]", .n_max = 3, .n_offset = AT(n_target_min),
     .help = "lower corner, in the frame of the base, of a box: each episode has a target for the tip in it, a place of the tip at a pose drawn evenly from the joints' ranges; [] : no target"},
    {.key = "target_max_m", .type = OPTION_DOUBLES, .offset = AT(target_max), .min = -100, .max = 100, .def = "[]", .n_max = 3, .n_offset = AT(n_target_max),
     .help = "upper corner of that box"},
    {.key = "target_at_start", .type = OPTION_BOOL, .offset = AT(target_at_start), .def = "false",
     .help = "the target of each episode is where the tip is as it begins, in place of one drawn in a box"},
    {.key = NULL},
};

/* clang-format on */

static double way_now_m(const struct task *t, const struct sensed *s)
{
    return t->travel_joint < 0 ? 0.0 : s->q[t->travel_joint] * t->spec->settings.travel_radius_m;
}

static void begin_period(struct task_state *z, const struct sensed *s)
{
    z->reward = z->period_s = 0.0;
    memcpy(z->q_start, s->q, sizeof z->q_start);
    memcpy(z->qd_start, s->qd, sizeof z->qd_start);
}

static void remember_sensed(struct task *t, const struct sensed *s)
{
    memcpy(t->st.q_last, s->q, sizeof t->st.q_last);
    memcpy(t->st.extra_last, s->extra, (size_t)t->n_extra * sizeof s->extra[0]);
}

void task_begin(struct task *t, const struct sensed *s)
{
    struct task_state *z = &t->st;
    z->episode_return = z->episode_s = z->way_m = 0.0;
    z->episode_steps = 0;
    z->travel_0 = way_now_m(t, s);
    remember_sensed(t, s);
    begin_period(z, s);
    memset(z->held_s, 0, sizeof z->held_s);
    z->end = END_NONE;
    z->success = false;
}

/* For how long each end's condition has held without a break; one that waits for the clock does not
 * end anything itself. */
static void look_for_end(struct task *t, const struct sensed *s, double dt_s)
{
    struct task_state *z = &t->st;
    const double half_tick_s = 0.5 / t->robot->control_rate_hz;
    for (int i = 0; i < t->spec->n_ends; i++) {
        const struct end *e = &t->end[i];
        z->held_s[i] = e->kind->ends(t, &e->term, s) ? z->held_s[i] + dt_s : 0.0;
        const bool holds = z->held_s[i] > 0.0 && z->held_s[i] >= e->term.for_s - half_tick_s;
        if (holds && e->term.when == WHEN_AT_ONCE) {
            z->end |= END_TERMINAL;
            z->success = z->success || e->term.success;
        }
    }
}

/* The clock ends the episode: what waited for it is judged. */
static void judge_at_last(struct task *t)
{
    struct task_state *z = &t->st;
    const double half_tick_s = 0.5 / t->robot->control_rate_hz;
    for (int i = 0; i < t->spec->n_ends; i++) {
        const struct term *a = &t->end[i].term;
        const bool holds = z->held_s[i] > 0.0 && z->held_s[i] >= a->for_s - half_tick_s;
        z->success = z->success || (holds && a->success && a->when == WHEN_AT_LAST);
    }
}

void task_tick(struct task *t, const struct sensed *s, double dt_s)
{
    struct task_state *z = &t->st;
    for (int i = 0; i < t->spec->n_rewards; i++) {
        const struct reward *r = &t->reward[i];
        if (r->kind->tick != NULL) {
            z->reward += r->kind->tick(t, &r->term, s, dt_s);
        }
    }
    remember_sensed(t, s);
    look_for_end(t, s, dt_s);
    z->period_s += dt_s;
    z->episode_s += dt_s;
    z->way_m = way_now_m(t, s) - z->travel_0;
    const struct task_settings *c = &t->spec->settings;
    const double half_tick_s = 0.5 / t->robot->control_rate_hz; /* sums of ticks are not exact */
    if (c->episode_s > 0.0 && z->episode_s >= c->episode_s - half_tick_s) {
        z->end |= END_TRUNCATED;
        judge_at_last(t);
    }
    if (c->travel_max_m > 0.0 && fabs(z->way_m) >= c->travel_max_m) {
        z->end |= END_TRUNCATED;
    }
}

double task_period(struct task *t, const struct sensed *s)
{
    struct task_state *z = &t->st;
    for (int i = 0; i < t->spec->n_rewards; i++) {
        const struct reward *r = &t->reward[i];
        if (r->kind->period != NULL) {
            z->reward += r->kind->period(t, &r->term, s, z->period_s);
        }
    }
    const double reward = z->reward;
    z->episode_return += reward;
    z->episode_steps++;
    begin_period(z, s);
    return reward;
}

void task_observe(const struct task *t, const struct sensed *s, struct observation *ret_obs)
{
    ret_obs->n = t->n_obs;
    ret_obs->legal = s->legal;
    for (int i = 0; i < t->spec->n_slots; i++) {
        const struct slot *k = &t->slot[i];
        float *v = ret_obs->v + k->first;
        k->kind->observe(t, &k->term, s, v);
        for (int j = 0; j < k->n; j++) {
            v[j] = (float)(((double)v[j] - k->term.offset) * k->term.scale);
        }
    }
}

/* No tick of the episode has passed yet. */
static bool begins(const struct task *t)
{
    return t->st.episode_s <= 0.0;
}

static bool is_effort(const struct task *t)
{
    return t->spec->settings.action == ACTION_EFFORT;
}

static bool is_increment(const struct task *t)
{
    return t->spec->settings.action == ACTION_INCREMENT;
}

/* How far the goal may move in a period. */
static double step_of(const struct task *t, const struct joint_spec *j)
{
    return j->qd_max / t->robot->policy_rate_hz;
}

static double near_pose(const struct task *t, int joint, double goal)
{
    const double q = t->st.q_start[joint], most = t->spec->settings.lag_max_rad;
    return most > 0.0 ? fmax(q - most, fmin(q + most, goal)) : goal;
}

/* Action -1..1 spans the joint's range, its torque either way, or a step of its goal either way. */
static double goal_of(const struct task *t, int joint, double a)
{
    const struct joint_spec *j = &t->robot->joint[joint];
    const double clipped = a > 1.0 ? 1.0 : a < -1.0 ? -1.0 : a;
    if (is_effort(t)) {
        return clipped * j->tau_max;
    }
    if (is_increment(t)) {
        const double goal = t->st.goal_last[joint] + clipped * step_of(t, j);
        return fmax(j->q_min, fmin(j->q_max, near_pose(t, joint, goal)));
    }
    return j->q_min + 0.5 * (clipped + 1.0) * (j->q_max - j->q_min);
}

void task_actuate(const struct task *t, const float *act, int phase, struct command *ret_cmd)
{
    if (t->robot->n_choices > 0) {
        ret_cmd->choice = (int)lrintf(act[0]);
        return;
    }
    const int n = t->ticks_per_period;
    const double along = phase >= n ? 1.0 : (double)(phase + 1) / n;
    for (int k = 0; k < t->n_act; k++) {
        const int j = t->act_joint[k];
        const double goal = goal_of(t, j, (double)act[k]);
        const double last = t->st.goal_last[j];
        const bool ramp = t->spec->settings.actuation == ACTUATE_RAMP && t->st.primed;
        const double now = ramp ? last + (goal - last) * along : goal;
        ret_cmd->mode[j] = is_effort(t) ? MODE_EFFORT : MODE_POSITION;
        (is_effort(t) ? ret_cmd->tau : ret_cmd->q)[j] = now;
        ret_cmd->qd[j] = 0.0;
        ret_cmd->tau_max[j] = t->robot->joint[j].tau_max;
    }
}

/* Where a step of the goal starts and ends: where the safe command, braked from now on, comes to
 * rest. A step of 0 is then a stop, not a way back to where the joint was when it was asked. */
static double rests_at(const struct task *t, int joint, const struct command *cmd)
{
    const struct joint_spec *j = &t->robot->joint[joint];
    const double q = cmd->q[joint], qd = cmd->qd[joint];
    if (!is_increment(t) || !isfinite(j->qdd_max) || j->qdd_max <= 0.0) {
        return q;
    }
    return fmax(j->q_min, fmin(j->q_max, q + qd * fabs(qd) / (2.0 * j->qdd_max)));
}

void task_unactuate(const struct task *t, const struct command *cmd, float *ret_act)
{
    if (t->robot->n_choices > 0) {
        ret_act[0] = (float)cmd->choice;
        return;
    }
    for (int k = 0; k < t->n_act; k++) {
        const int i = t->act_joint[k];
        const struct joint_spec *j = &t->robot->joint[i];
        if (is_effort(t)) {
            ret_act[k] = (float)(cmd->tau[i] / j->tau_max);
        } else if (is_increment(t)) {
            const double way = rests_at(t, i, cmd) - t->st.goal_last[i], step = way / step_of(t, j);
            ret_act[k] = begins(t) ? 0.0f : (float)fmax(-1.0, fmin(1.0, step));
        } else {
            ret_act[k] = (float)(2.0 * (cmd->q[i] - j->q_min) / (j->q_max - j->q_min) - 1.0);
        }
    }
}

/* A body that a reset has put elsewhere: the command that is there was for its pose before. */
static bool is_elsewhere(const struct task *t)
{
    return begins(t) && t->spec->settings.reset == RESET_BODY;
}

void task_remember(struct task *t, const float *applied, const struct command *cmd)
{
    memcpy(t->st.act_before, t->st.act_last, sizeof t->st.act_before);
    for (int k = 0; k < t->n_act; k++) {
        t->st.act_last[k] = applied[k];
    }
    for (int k = 0; k < t->n_act_joints; k++) {
        const int j = t->act_joint[k];
        const double pose = is_elsewhere(t) ? t->st.q_last[j] : rests_at(t, j, cmd);
        t->st.goal_last[j] = is_effort(t) ? cmd->tau[j] : pose;
    }
    t->st.primed = true;
}
