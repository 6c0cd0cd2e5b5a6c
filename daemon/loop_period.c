#include "daemon/loop_inside.h"

#include "policies/greedy.h"
#include "policies/nn/scale.h"

#include <math.h>
#include <string.h>

static bool driving(const struct loop *l)
{
    return l->st.fsm.state == STATE_RUNNING && l->st.reset_left == 0;
}

bool loop_period_ends(const struct loop *l)
{
    const struct loop_state *z = &l->st;
    if (!z->open) {
        return driving(l) || z->reset_left > 0;
    }
    return z->phase >= l->ticks_per_period || !driving(l) || l->task.st.end != END_NONE ||
           z->end_asked;
}

/* The last safe command of the period, in action units, clipped as an action is. */
static void applied_action(struct loop *l, float *ret_act)
{
    task_unactuate(&l->task, &l->st.command, ret_act);
    for (int k = 0; k < l->task.n_act_joints; k++) {
        ret_act[k] = fmaxf(-1.0f, fminf(1.0f, ret_act[k]));
    }
}

/* Who drives the next period: random until learning starts or while there is nothing else; who
 * learns nothing has nothing to gain from chance. */
static enum source choose_source(const struct loop *l)
{
    const struct loop_state *z = &l->st;
    const bool warming =
        !l->config->policy->fixed && z->step < l->config->learner.learning_starts &&
        (z->run_flags & RUN_NO_LEARN) == 0 && l->config->learner.enabled && z->eval_left == 0;
    const bool random = (z->run_flags & RUN_RANDOM) != 0 && z->eval_left == 0;
    if (random || l->packed == NULL || (warming && l->packed->id.step == 0)) {
        return SOURCE_RANDOM;
    }
    return SOURCE_POLICY;
}

static void take_weights(struct loop *l)
{
    const struct packed *newest = mailbox_take(&l->shared->weights);
    if (newest != NULL) {
        l->packed = newest;
    }
}

/* Uniform over the box, or over the choices that are legal. */
static void act_randomly(struct loop *l)
{
    struct loop_state *z = &l->st;
    const int choices = l->dims.n_choices;
    if (choices > 0) {
        z->act[0] = (float)greedy_random(choices, z->now.legal, &z->rng);
        return;
    }
    for (int k = 0; k < l->task.n_act; k++) {
        z->act[k] = (float)(2.0 * rng_uniform(&z->rng) - 1.0);
    }
}

/* What is no number is the middle of the range, the filter limits the way there; what is no legal
 * choice is one of those that are. */
static void check_action(struct loop *l)
{
    struct loop_state *z = &l->st;
    const int choices = l->dims.n_choices;
    if (choices > 0) {
        const bool exists = z->act[0] >= 0.0f && z->act[0] < (float)choices;
        if (!exists || (greedy_legal(choices, z->now.legal) >> (int)z->act[0] & 1) == 0) {
            act_randomly(l);
        }
        return;
    }
    for (int k = 0; k < l->task.n_act_joints; k++) {
        if (!isfinite(z->act[k])) {
            z->act[k] = 0.0f;
            z->safety.bites[l->task.act_joint[k]][RULE_NOT_FINITE]++;
        }
    }
}

/* The numbers as the weights want them, then the pictures. */
static void observe_for_policy(struct loop *l)
{
    const int n = l->dims.n_vector, pixels = l->dims.n_obs - n;
    memcpy(l->obs, l->st.now.v, (size_t)n * sizeof *l->obs);
    scale_apply(n, l->packed->mean, l->packed->scale, l->obs);
    for (int k = 0; k < pixels; k++) {
        l->obs[n + k] = (float)l->pictures[k] * (1.0f / 255.0f);
    }
}

/* The newest picture behind those before it; an episode's first one fills the whole history. */
static void keep_picture(struct loop *l, bool first)
{
    const size_t n = (size_t)l->task.n_pixels;
    const uint8_t *now = l->st.sensed.frame;
    if (l->task.history == 0) {
        return;
    }
    basal_assert(now != NULL); /* the body of such a robot has one, checked when it was opened */
    memmove(l->pictures, l->pictures + n, (size_t)(l->task.history - 1) * n);
    for (int k = first ? 0 : l->task.history - 1; k < l->task.history; k++) {
        memcpy(l->pictures + (size_t)k * n, now, n);
    }
}

static void act(struct loop *l)
{
    struct loop_state *z = &l->st;
    z->source = (uint8_t)choose_source(l);
    z->logp = NAN;
    z->version = l->packed != NULL ? l->packed->id.version : 0;
    if (l->script != NULL) {
        l->script(l->script_self, z->act);
        return;
    }
    if (z->source == SOURCE_RANDOM) {
        act_randomly(l);
        return;
    }
    observe_for_policy(l);
    const struct act_in in = {
        .packed = l->packed->w,
        .obs = l->obs,
        .last = l->task.st.act_last,
        .legal = z->now.legal,
        .step = z->step,
        .explore = (z->run_flags & RUN_NO_EXPLORE) == 0 && z->eval_left == 0,
        .rng = &z->rng,
    };
    l->config->policy->act(l->actor, &in, z->act, &z->logp);
    check_action(l);
}

static uint8_t row_bits(const struct loop *l, bool opens)
{
    const struct loop_state *z = &l->st;
    uint8_t bits = 0;
    if ((l->task.st.end & END_TERMINAL) != 0) {
        bits |= ROW_TERMINAL;
    }
    if (!opens && bits == 0) {
        bits |= ROW_TRUNCATED;
    }
    const uint64_t all = (UINT64_C(1) << z->sensed.n) - 1;
    if (z->skipped > 0 || z->coasted > 1 || (z->fresh & all) != all) {
        bits |= ROW_FLAG;
    }
    return bits;
}

static void begin_episode(struct loop *l)
{
    task_aim(&l->task, &l->st.sensed);
    task_begin(&l->task, &l->st.sensed);
    if (l->st.safety.space.n > 0 && l->config->task.settings.reset == RESET_BODY) {
        safety_forget(&l->st.safety); /* the way from where it was told to be leads anywhere */
    }
    l->config->policy->reset(l->actor, &l->st.rng);
    l->st.end_asked = l->st.end_success = false;
    l->st.to_go = l->st.weight = 0.0;
    l->st.episode++;
}

/* Does what happens from now on become experience? */
static bool worth_storing(const struct loop *l)
{
    return (l->st.run_flags & RUN_NO_LEARN) == 0 && l->st.eval_left == 0;
}

static void store(struct loop *l, int64_t now_ns, bool opens, const float *applied,
                  const struct observation *obs2)
{
    struct loop_state *z = &l->st;
    const struct period p = {
        .closes = z->stored,
        .opens = opens,
        .asked = z->act,
        .applied = applied,
        .reward = (float)z->reward,
        .logp = z->logp,
        .dt_s = (float)((double)(now_ns - z->period_t_ns) / (double)NS_PER_S),
        .bits = row_bits(l, opens),
        .source = z->source,
        .version = z->version,
        .t_ns = z->stored ? z->period_t_ns : now_ns,
        .obs2 = obs2,
        .picture2 = l->task.history > 0 ? z->sensed.frame : NULL,
    };
    if (!p.closes && !p.opens) {
        return;
    }
    replay_commit(l->replay, &p);
    if (p.closes) {
        z->step++;
        atomic_store_explicit(&l->shared->steps, (uint64_t)z->step, memory_order_release);
    }
    z->stored = opens;
}

/* A period ended: its reward and its row. Returns whether the episode goes on. */
static bool close_period(struct loop *l, int64_t now_ns, struct observation *ret_obs2)
{
    struct loop_state *z = &l->st;
    float applied[ACT_MAX];
    const bool goes_on = driving(l) && l->task.st.end == END_NONE && !z->end_asked;
    applied_action(l, applied);
    task_remember(&l->task, applied, &z->command);
    z->reward = task_period(&l->task, &z->sensed) + (z->end_asked ? z->end_reward : 0.0);
    z->weight = 1.0 + l->config->learner.gamma * z->weight;
    z->to_go += z->weight * z->reward;
    task_observe(&l->task, &z->sensed, ret_obs2);
    store(l, now_ns, goes_on && worth_storing(l), applied, ret_obs2);
    return goes_on;
}

/* A simulated body begins anew in the tick before an episode does. */
static void reset_body(struct loop *l)
{
    if (l->config->task.settings.reset == RESET_BODY) {
        plant_reset(l->plant);
        l->st.begun_tick = l->st.tick + 1;
    }
}

static void end_episode(struct loop *l, int64_t now_ns)
{
    struct loop_state *z = &l->st;
    loop_tell(l, &(struct happened){.t_ns = now_ns,
                                    .kind = HAPPENED_EPISODE,
                                    .a = (int32_t)z->episode,
                                    .b = z->end_success || l->task.st.success,
                                    .c = (int32_t)l->task.st.episode_steps,
                                    .x = l->task.st.episode_return,
                                    .y = l->task.st.episode_s,
                                    .z = z->to_go / (double)l->task.st.episode_steps});
    z->open = false;
    const int ticks = (int)(l->config->task.settings.reset_s / l->dt_s);
    z->reset_left = ticks > 1 && l->config->task.settings.reset == RESET_HOLD ? ticks : 1;
    reset_body(l);
    loop_reset_forget(l);
}

void loop_period(struct loop *l, int64_t now_ns)
{
    struct loop_state *z = &l->st;
    struct observation obs;
    memset(&obs, 0, sizeof obs); /* it ends in a checkpoint, with all its bytes */
    const bool was_open = z->open;
    if (z->open) {
        if (!close_period(l, now_ns, &obs)) {
            end_episode(l, now_ns);
            return;
        }
    } else {
        if (z->reset_left > 0 && --z->reset_left > 0) {
            return;
        }
        if (!driving(l)) {
            return;
        }
        if (!task_ready(&l->task)) { /* its target is still looked for */
            z->reset_left = 1;
            return;
        }
        if (!loop_reset_done(l)) { /* under way, or a run begins: no episode has just ended */
            reset_body(l);
            z->reset_left = 1;
            return;
        }
        begin_episode(l);
        float applied[ACT_MAX];
        applied_action(l, applied);
        task_remember(&l->task, applied, &z->command);
        task_observe(&l->task, &z->sensed, &obs);
        store(l, now_ns, worth_storing(l), applied, &obs);
        z->open = true;
    }
    keep_picture(l, !was_open);
    z->now = obs;
    z->phase = 0;
    z->coasted = z->skipped = 0;
    z->period_t_ns = now_ns;
    take_weights(l);
    act(l);
}
