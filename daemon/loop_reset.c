/*
 * What lies between two episodes, and between a run's beginning and its first one. By script: what
 * still moves is brought to rest where it is, then all joints go together to where episodes begin,
 * through the safety filter like any goal; who cannot get there begins where it is, and says so.
 * By ask it holds its pose until a person begins the next episode.
 */
#include "daemon/loop_inside.h"

#include <math.h>
#include <stdio.h>

#define STILL_S    0.1 /* nothing has moved for so long ... */
#define PATIENCE_S 2.0 /* ... or something does for longer than this */
#define NEAR_RAD   0.1 /* of where a joint was sent */

static bool is_script(const struct loop *l)
{
    return l->config->task.settings.reset == RESET_SCRIPT;
}

static bool is_ask(const struct loop *l)
{
    return l->config->task.settings.reset == RESET_ASK;
}

bool loop_waits(const struct loop *l)
{
    return is_ask(l) && l->st.fsm.state == STATE_RUNNING && l->st.reset.stage == RESET_GOES;
}

void loop_reset_forget(struct loop *l)
{
    const bool told = l->st.reset.told && l->st.fsm.state == STATE_RUNNING;
    l->st.reset = (struct reset_state){.stage = RESET_BRAKES, .told = told};
}

static void tell(struct loop *l, const char *text)
{
    struct happened h = {.t_ns = l->planned_ns, .kind = HAPPENED_RESET};
    (void)snprintf(h.text, sizeof h.text, "%s", text);
    loop_tell(l, &h);
}

bool loop_reset_done(const struct loop *l)
{
    const struct loop_state *z = &l->st;
    const struct task_settings *t = &l->config->task.settings;
    if (t->reset == RESET_BODY) {
        return z->begun_tick == z->tick;
    }
    if (is_ask(l)) {
        return z->reset.stage == RESET_THERE;
    }
    return !is_script(l) || (z->reset.stage == RESET_THERE && z->reset.for_s >= t->reset_s);
}

static double within(double x, double least, double most)
{
    return fmax(least, fmin(most, x));
}

/* From the safe command, which moves no more: what was asked may lie beyond what safety allows. */
static void begin_path(struct loop *l, const struct command *cmd, const double *to)
{
    const struct task_settings *t = &l->config->task.settings;
    struct loop_state *z = &l->st;
    const double *from = z->safety.primed ? z->safety.q_cmd : cmd->q;
    double v[JOINTS_MAX], a[JOINTS_MAX];
    uint64_t joints = 0;
    for (int j = 0; j < cmd->n; j++) {
        const struct joint_spec *p = &l->config->robot.joint[j];
        v[j] = fmin(t->reset_rad_s, p->qd_max);
        a[j] = fmin(t->reset_rad_s2, p->qdd_max);
    }
    for (int k = 0; k < l->task.n_act_joints; k++) {
        joints |= UINT64_C(1) << l->task.act_joint[k];
    }
    joint_path_begin(&z->reset.path, joints, from, to, v, a, l->dt_s);
    z->reset.stage = RESET_GOES;
    z->reset.for_s = 0.0;
}

/* Where the next episode begins. */
static void draw_pose(struct loop *l, double *ret_to)
{
    const struct task_settings *t = &l->config->task.settings;
    for (int j = 0; j < l->config->robot.n_joints; j++) {
        const struct joint_spec *p = &l->config->robot.joint[j];
        ret_to[j] = t->reset_pose[j];
        if (p->actuated && t->reset_noise_rad > 0.0) {
            const double off = t->reset_noise_rad * (2.0 * rng_uniform(&l->st.rng) - 1.0);
            ret_to[j] = within(ret_to[j] + off, p->q_min, p->q_max);
        }
    }
}

/* The joint that is farthest from where it was sent. */
static int farthest(const struct loop *l, double *ret_off)
{
    const struct loop_state *z = &l->st;
    int at = -1;
    *ret_off = 0.0;
    for (int k = 0; k < l->task.n_act_joints; k++) {
        const int j = l->task.act_joint[k];
        const double off = z->sensed.q[j] - z->reset.path.to[j];
        if (at < 0 || fabs(off) > fabs(*ret_off)) {
            at = j;
            *ret_off = off;
        }
    }
    return at;
}

/* Nor does it push against what is in its way. */
static void give_up(struct loop *l, const struct command *cmd, int joint, double off)
{
    char text[WHY_CHARS];
    (void)snprintf(text, sizeof text,
                   "reset: joint %s came to rest %.2f rad from where it was sent; the episode "
                   "begins there: look what is in its way",
                   l->config->robot.joint[joint].name, off);
    tell(l, text);
    l->st.reset.gave_up = true;
    begin_path(l, cmd, l->st.sensed.q);
}

/* The path has ended. */
static void settle(struct loop *l, const struct command *cmd)
{
    struct reset_state *r = &l->st.reset;
    double off;
    const int j = farthest(l, &off);
    const bool near = j < 0 || fabs(off) <= NEAR_RAD, late = r->for_s >= PATIENCE_S;
    if (late && !near && !r->gave_up) {
        give_up(l, cmd, j, off);
    } else if (late || (near && r->still_s >= STILL_S)) {
        r->stage = RESET_THERE;
        r->for_s = 0.0;
    }
}

static void go(struct loop *l, struct command *cmd)
{
    struct loop_state *z = &l->st;
    const bool ends = joint_path_step(&z->reset.path, l->dt_s);
    for (int k = 0; k < l->task.n_act_joints; k++) {
        const int j = l->task.act_joint[k];
        cmd->mode[j] = MODE_POSITION;
        cmd->q[j] = joint_path_q(&z->reset.path, j);
        cmd->qd[j] = joint_path_qd(&z->reset.path, j);
    }
    if (!ends) {
        z->reset.for_s = 0.0;
        return;
    }
    settle(l, cmd);
}

/* Who lets it run begins its first episode. */
static void wait_for_a_person(struct loop *l)
{
    struct loop_state *z = &l->st;
    if (z->fsm.state != STATE_RUNNING) {
        z->reset.stage = RESET_THERE;
    } else if (z->reset.stage == RESET_BRAKES) {
        tell(l, "the episode is over: put things in their places, then basalctl episode begin");
        z->reset.stage = RESET_GOES;
    }
}

void loop_reset(struct loop *l, struct command *cmd)
{
    struct loop_state *z = &l->st;
    if (is_ask(l)) {
        wait_for_a_person(l);
    }
    if (!is_script(l)) {
        return;
    }
    if (z->fsm.state != STATE_RUNNING) {
        loop_reset_forget(l);
        return;
    }
    struct reset_state *r = &z->reset;
    r->for_s += l->dt_s;
    r->still_s = respond_still(&l->responder, &z->sensed) ? r->still_s + l->dt_s : 0.0;
    if (r->stage == RESET_BRAKES && (r->still_s >= STILL_S || r->for_s >= PATIENCE_S)) {
        double to[JOINTS_MAX];
        if (!r->told) {
            tell(l,
                 "reset: on its way to task.reset_pose_rad, before this and each further episode");
            r->told = true;
        }
        draw_pose(l, to);
        begin_path(l, cmd, to);
    }
    if (r->stage == RESET_GOES) {
        go(l, cmd);
    }
}
