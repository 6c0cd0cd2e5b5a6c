#include "daemon/problem.h"

#include "policies/nn/kernel.h"
#include "policies/priority.h"
#include "policies/replay_mix.h"

#include <errno.h>
#include <string.h>

#define ROWS_APART 64 /* the replay leaves these alone, where the writer comes next */

static void wanted(const struct config *c, struct wants *ret_wants)
{
    *ret_wants = (struct wants){.seg_len = 1};
    c->policy->wants(c->policy_config, ret_wants);
}

unsigned problem_needs(const struct config *c)
{
    struct wants w;
    wanted(c, &w);
    return w.needs;
}

/* What the learner can put into a batch: priorities draw single rows; a model is made of a
 * simulated body's outcomes of a choice. */
static unsigned gives(const struct config *c, const struct task *t)
{
    const bool alike = c->learner.prioritized_replay == PRIORITY_UNIFORM;
    const bool model = c->robot.direct && c->robot.n_choices > 0 && t->history == 0 &&
                       c->sim != NULL && c->sim->outcomes != NULL;
    const unsigned runs =
        NEEDS_NEXT_ACTION | NEEDS_SEGMENTS | NEEDS_NEWEST | NEEDS_SWEEP | NEEDS_ONCE;
    return NEEDS_LOGP | (alike ? runs : 0) | (alike && model ? NEEDS_MODEL : 0);
}

const struct kernel *problem_kernel(const struct config *c)
{
    const enum precision precision = (enum precision)c->learner.precision;
    if (c->learner.kernel == KERNEL_AUTO) {
        return kernel_of(precision);
    }
    const struct kernel *k = kernel_find(kernel_names[c->learner.kernel]);
    return k != NULL && k->precision == precision ? k : NULL;
}

int problem_check_kernel(const struct config *c, char *ret_why, int cap)
{
    const struct learner_settings *l = &c->learner;
    char here[96];
    if (problem_kernel(c) != NULL) {
        return 0;
    }
    if (l->kernel == KERNEL_AUTO) {
        return why(ret_why, cap, -EINVAL,
                   "learner.precision %s needs a processor with AVX512_BF16, which this one has "
                   "not: set it to fp32",
                   precision_names[l->precision]);
    }
    const struct kernel *k = kernel_find(kernel_names[l->kernel]);
    if (k == NULL) {
        kernel_list(here, (int)sizeof here);
        return why(ret_why, cap, -EINVAL,
                   "learner.kernel %s does not run on this machine, which has %s: set one of "
                   "these, or auto",
                   kernel_names[l->kernel], here);
    }
    return why(ret_why, cap, -EINVAL,
               "learner.kernel %s multiplies in %s, learner.precision is %s: set that to %s, or "
               "the kernel to auto",
               k->name, precision_names[k->precision], precision_names[l->precision],
               precision_names[k->precision]);
}

/* Where an action is a pose: what the joint behind it may do. */
static void put_poses(const struct task *t, struct dims *ret_dims)
{
    ret_dims->poses = t->n_act_joints > 0 && t->spec->settings.action == ACTION_POSITION;
    for (int k = 0; ret_dims->poses && k < t->n_act_joints; k++) {
        const struct joint_spec *j = &t->robot->joint[t->act_joint[k]];
        ret_dims->pose[k] = (struct act_pose){
            .half_rad = 0.5 * (j->q_max - j->q_min), .qd_max = j->qd_max, .qdd_max = j->qdd_max};
    }
}

void problem_dims(const struct config *c, const struct task *t, struct dims *ret_dims)
{
    struct wants w;
    wanted(c, &w);
    const bool newest = (w.needs & NEEDS_NEWEST) != 0;
    const bool ordered = (w.needs & (NEEDS_NEWEST | NEEDS_ONCE)) != 0;
    const int batch = ordered ? c->learner.train_freq : c->learner.batch_size;
    *ret_dims = (struct dims){
        .n_obs = t->n_obs + t->history * t->n_pixels,
        .n_vector = t->n_obs,
        .h = c->robot.picture.h,
        .w = c->robot.picture.w,
        .c = c->robot.picture.c,
        .history = t->history,
        .n_act = t->n_act,
        .n_choices = c->robot.n_choices,
        .batch = batch,
        .seg_len = newest ? batch : w.seg_len,
        .minibatch = c->learner.batch_size,
        .policy_rate_hz = c->robot.policy_rate_hz,
        .ticks_per_period = t->ticks_per_period,
        .gives = gives(c, t),
        .kernel = problem_kernel(c),
    };
    put_poses(t, ret_dims);
}

/* Rows are drawn by priority one by one, without order. */
static int check_priorities(const struct config *c, const struct wants *w, char *ret_why, int cap)
{
    static const unsigned ordered =
        NEEDS_NEXT_ACTION | NEEDS_SEGMENTS | NEEDS_NEWEST | NEEDS_SWEEP | NEEDS_MODEL | NEEDS_ONCE;
    if (c->learner.prioritized_replay != PRIORITY_UNIFORM && (w->needs & ordered) != 0) {
        return why(ret_why, cap, -EINVAL,
                   "learner.prioritized_replay draws single steps, which policy %s does not learn "
                   "from: set it to none",
                   c->policy->name);
    }
    return 0;
}

/* Who learns from train_freq steps at once, which must still be there. */
static int check_room(const struct config *c, char *ret_why, int cap)
{
    const struct learner_settings *l = &c->learner;
    const int64_t rows = 2 * ((int64_t)l->train_freq + ROWS_APART); /* an episode may be one step */
    if (c->replay.capacity < rows) {
        return why(ret_why, cap, -EINVAL,
                   "replay.capacity %lld does not hold what policy %s learns from at once: give at "
                   "least %lld, or a learner.train_freq below %d",
                   (long long)c->replay.capacity, c->policy->name, (long long)rows, l->train_freq);
    }
    return 0;
}

static int check_newest(const struct config *c, char *ret_why, int cap)
{
    const int rc = check_room(c, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if (c->replay.action == REPLAY_APPLIED) {
        return why(ret_why, cap, -EINVAL,
                   "replay.action must be asked or by_source: policy %s learns from what it asked",
                   c->policy->name);
    }
    if (strcmp(c->comms.weights, "own") != 0) {
        return why(ret_why, cap, -EINVAL,
                   "comms.weights must be own: policy %s learns from what its own weights did",
                   c->policy->name);
    }
    return 0;
}

static int check_settings(const struct config *c, const struct dims *d, char *ret_why, int cap)
{
    struct wants w;
    wanted(c, &w);
    const int rc = check_priorities(c, &w, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    if ((w.needs & (NEEDS_SEGMENTS | NEEDS_NEWEST | NEEDS_MODEL | NEEDS_ONCE)) != 0 &&
        c->learner.n_steps > 1) {
        return why(ret_why, cap, -EINVAL,
                   "learner.n_steps %d sums rewards, policy %s wants those of single steps: set it "
                   "to 1",
                   c->learner.n_steps, c->policy->name);
    }
    if ((w.needs & NEEDS_MODEL) != 0 && c->learner.normalize) {
        return why(ret_why, cap, -EINVAL,
                   "learner.normalize must be false: policy %s learns from the world's "
                   "observations as they are",
                   c->policy->name);
    }
    if ((w.needs & NEEDS_NEWEST) != 0) {
        return check_newest(c, ret_why, cap);
    }
    if ((w.needs & NEEDS_ONCE) != 0) {
        return check_room(c, ret_why, cap);
    }
    if (d->seg_len < 1 || d->batch % d->seg_len != 0) {
        return why(ret_why, cap, -EINVAL,
                   "learner.batch_size %d must be a whole multiple of %d: policy %s learns from "
                   "runs of so many steps",
                   d->batch, d->seg_len, c->policy->name);
    }
    return 0;
}

int problem_check(const struct config *c, const struct dims *d, char *ret_why, int cap)
{
    const int rc = check_settings(c, d, ret_why, cap);
    return rc < 0 ? rc : policy_check(c->policy, c->policy_config, d, ret_why, cap);
}

int problem_check_prior(const struct config *c, char *ret_why, int cap)
{
    const struct learner_settings *l = &c->learner;
    const int n = mix_prior_rows(l->prior_ratio, l->batch_size);
    if ((problem_needs(c) &
         (NEEDS_SEGMENTS | NEEDS_NEWEST | NEEDS_SWEEP | NEEDS_MODEL | NEEDS_ONCE)) != 0) {
        return why(ret_why, cap, -EINVAL,
                   "--prior adds single steps, which policy %s does not learn from: leave it out",
                   c->policy->name);
    }
    if (l->prioritized_replay != PRIORITY_UNIFORM) {
        return why(ret_why, cap, -EINVAL,
                   "--prior draws every step alike, learner.prioritized_replay does not: set it to "
                   "none, or leave --prior out");
    }
    if (n < 1 || n >= l->batch_size) {
        return why(ret_why, cap, -EINVAL,
                   "learner.prior_ratio %g makes %d of %d transitions of a batch prior data: at "
                   "least one must be, and one the robot's own",
                   l->prior_ratio, n, l->batch_size);
    }
    return 0;
}
