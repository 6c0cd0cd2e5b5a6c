/*
 * Stochastic value gradients: policy, model and noise as functions that can be differentiated, and
 * the value of a policy by a recursion backwards through what really happened.
 *
 * Heess et al. 2015, "Learning continuous control policies by stochastic value gradients",
 * arXiv:1510.09142: SVG(k) for k = 0, 1, ... and infinity, equations 7 to 13, Algorithms 1 and 2.
 * Subscripts are derivatives, a prime is the step after:
 *
 *   v_s     = r_s + r_a pi_s + gamma v'_s (f_s + f_a pi_s)
 *   v_theta = r_a pi_theta + gamma (v'_s f_a pi_theta + v'_theta)
 *
 * evaluated at the states and actions of a recorded trajectory, with the noises eta of the policy
 * and xi of the model inferred so that both say that trajectory again. Departs from it: one network
 * for all dimensions of the state, and one for the reward, fitted by squared error; the value's
 * target follows by Polyak's steps; a run of several steps out of the replay is weighted by the
 * product of its ratios; rows whose density nobody knows teach the model alone. SVG(0) draws eta
 * afresh.
 */
#include "policies/nn/critic.h"
#include "policies/nn/dynamics.h"
#include "policies/nn/views.h"
#include "policies/runs.h"
#include "policies/svg_inside.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define K_MAX      64
#define K_INFINITE INT_MAX
#define LOG_2      ((float)0.69314718055994531)

struct svg {
    struct views views; /* first: its entries of struct policy */
    struct svg_config c;
    struct rng *rng; /* the learner's */
    int n_obs, n_act;
    int k;                   /* steps of the recursion, or K_INFINITE */
    struct normal pi;        /* a = pi(s, eta) */
    struct dynamics model;   /* s' = f(s, a, xi), r(s, a); of k >= 1 */
    struct critic v, v_targ; /* V(s); Q(s, a) where k = 0 */
    int64_t skipped;
    struct runs runs;
    float *a, *da, *y, *rho, *mask, *logp; /* [B,A] [B,A] [B] [B] [B] [B] */
    float *v_s;                            /* [B,O] of each row */
    float *run_v2, *run_vs, *run_va;       /* of the rows at hand: [B,O] [B,O] [B,A] */
};

/* clang-format off */
#define AT(field) offsetof(struct svg_config, field)
static const struct option svg_options[] = {
    {.key = "k", .type = OPTION_TEXT, .offset = AT(k), .n_max = 8, .def = "1",
     .help = "steps along a trajectory before the value function takes over: 0, which needs no model, 1 to 64, or inf"},
    {.key = "experience_replay", .type = OPTION_BOOL, .offset = AT(experience_replay), .def = "true",
     .help = "learn from all that the replay holds, with importance weights; false: from the newest learner.train_freq steps, as inf must"},
    {.key = "importance_max", .type = OPTION_DOUBLE, .offset = AT(importance_max), .min = 0, .max = 1e6, .def = "10",
     .help = "largest importance weight of a run; 0: every weight is 1"},
    {.key = "value_at_end", .type = OPTION_BOOL, .offset = AT(value_at_end), .def = "true",
     .help = "a run that a clock cuts short goes on with its value; false: with nothing"},
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 0, .max = 1, .def = "1e-3",
     .help = "Adam's step for model and value; 0: they stay as they are"},
    {.key = "learning_rate_actor", .type = OPTION_DOUBLE, .offset = AT(learning_rate_actor), .min = 0, .max = 1, .def = "0",
     .help = "Adam's step for the policy; 0: the same"},
    {.key = "n_epochs", .type = OPTION_INT, .offset = AT(n_epochs), .min = 1, .max = 1000, .def = "1",
     .help = "steps of model and value, all on the same batch, for one of the policy"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of the value's target, per step of the value"},
    {.key = "squash_output", .type = OPTION_BOOL, .offset = AT(squash_output), .def = "true",
     .help = "the policy's mean goes through tanh and so stays in -1..1"},
    {.key = "log_std_init", .type = OPTION_DOUBLE, .offset = AT(log_std_init), .min = -9, .max = 0.4, .def = "-1",
     .help = "logarithm of the policy's deviation at first, in action units"},
    {.key = "log_std_min", .type = OPTION_DOUBLE, .offset = AT(log_std_min), .min = -10, .max = 0, .def = "-5",
     .help = "and its least; the value gradient alone would end all exploration"},
    {.key = "net_arch_model", .type = OPTION_INTS, .offset = AT(model), .min = 1, .max = MLP_WIDTH_MAX, .def = "[]",
     .n_max = LAYERS_MAX - 1, .n_offset = AT(n_model), .help = "hidden layers of the model and of its reward; []: net_arch"},
    NET_OPTIONS_ALL("[64, 64]", "tanh", "false", "[0.9, 0.999]"),
    {.key = NULL},
};

/* clang-format on */

enum {
    TRAIN_MODEL_LOSS,
    TRAIN_REWARD_LOSS,
    TRAIN_CRITIC_LOSS,
    TRAIN_ACTOR_LOSS,
    TRAIN_STD,
    TRAIN_IMPORTANCE,
    TRAIN_REPRODUCTION,
    TRAIN_SKIPPED
};

static const char *const svg_stats[] = {"train/model_loss",
                                        "train/reward_loss",
                                        "train/critic_loss",
                                        "train/actor_loss",
                                        "train/std",
                                        "train/importance_weight",
                                        "train/reproduction_error",
                                        "train/skipped_not_finite",
                                        NULL};

/* --- the value of the policy --- */

/* y = r + gamma (1 - d) V'(s'), or Q'(s', pi(s', eta')) */
static const float *targets(struct svg *z, const struct batch *b)
{
    if (z->k == 0) {
        normal_forward(&z->pi, b->s2, b->n);
        normal_draw(&z->pi, b->n, z->rng, z->a);
    }
    const float *t = critic_forward(&z->v_targ, b->s2, z->a, b->n);
    for (int i = 0; i < b->n; i++) {
        z->y[i] = b->r[i] + b->g[i] * t[i];
    }
    return z->y;
}

/* nu <- nu - lr grad E[ rho 1/2 (V(s) - y)^2 ],  nu' <- tau nu + (1 - tau) nu' */
static float fit_value(struct svg *z, const struct batch *b)
{
    const struct critic_target target = {targets(z, b), z->rho, b->ret_td};
    const float loss = critic_fit(&z->v, b->s, b->a, &target, b->n);
    mlp_blend(&z->v.net, (float)z->c.tau, &z->v_targ.net);
    return loss;
}

/* --- how much each row counts --- */

/* log of the density with which a was chosen: as the row says; who acts at random is uniform. */
static float logp_then(const struct svg *z, const struct batch *b, int i)
{
    const bool random = b->source != NULL && b->source[i] == SOURCE_RANDOM;
    return random ? -LOG_2 * (float)z->n_act : b->logp != NULL ? b->logp[i] : NAN;
}

/* rho = pi(a|s) / b(a|s), at most importance_max; 0 where b is not known. */
static void weigh(struct svg *z, const struct batch *b)
{
    const float most = (float)z->c.importance_max;
    normal_logp(&z->pi, b->n, z->logp);
    for (int i = 0; i < b->n; i++) {
        const float then = logp_then(z, b, i);
        const float ratio = isfinite(then) ? fminf(expf(z->logp[i] - then), most) : 0.0f;
        const bool plain = !z->c.experience_replay || !(most > 0.0f);
        z->mask[i] = batch_is_padding(b, i) ? 0.0f : 1.0f;
        z->rho[i] = z->mask[i] * b->w[i] * (plain ? 1.0f : ratio);
    }
}

/* --- the recursion --- */

/* eta = (a - mu(s)) / sigma(s), xi = s' - f(s, a). Returns how far what policy and model now say is
 * from what happened. */
static float infer(struct svg *z, const struct steps_seen *seen, int n)
{
    float most = 0.0f;
    normal_act(&z->pi, n, z->a);
    for (int i = 0; i < n * z->n_act; i++) {
        most = fmaxf(most, fabsf(z->a[i] - seen->a[i]));
    }
    dynamics_infer(&z->model, seen, n);
    const float *f = z->model.f.x[z->model.f.shape.n_layers].v;
    for (int i = 0; i < n * z->n_obs; i++) {
        most = fmaxf(most, fabsf(seen->s[i] + f[i] + z->model.xi[i] - seen->s2[i]));
    }
    return most;
}

/* gamma v'_s of the m rows at hand: V_s(s') where their run ends, v_s of the next row elsewhere. */
static void what_follows(struct svg *z, const struct batch *b, int depth, int m)
{
    const int o = z->n_obs;
    const struct input_part state = {.rows = z->runs.row, .n = m, .columns = o};
    if (depth == 0) {
        mlp_backward_input(&z->v.net, z->model.one, &state, z->run_v2);
    }
    for (int i = 0; i < m; i++) {
        const int row = z->runs.row[i];
        const float g = depth == 0 && !z->c.value_at_end ? 0.0f : b->g[row];
        const float *v2 = depth == 0 ? z->run_v2 + i * o : z->v_s + (row + 1) * o;
        for (int j = 0; j < o; j++) {
            z->run_v2[i * o + j] = g * v2[j];
        }
    }
}

/* From the ends of all runs back to their beginnings: v_a = r_a + gamma v'_s f_a of each row, into
 * da as its part of - v_theta = - sum v_a pi_theta. */
static void recur(struct svg *z, const struct batch *b)
{
    const int o = z->n_obs, k = z->n_act;
    const int runs = runs_cut(&z->runs, b, z->k, z->rho, (float)z->c.importance_max);
    int m;
    memset(z->da, 0, (size_t)(b->n * k) * sizeof *z->da);
    for (int depth = 0; (m = runs_at(&z->runs, depth)) > 0; depth++) {
        const int *row = z->runs.row;
        what_follows(z, b, depth, m);

        /* v_a = r_a + gamma v'_s f_a,  v_s = r_s + gamma v'_s f_s + v_a pi_s */
        dynamics_backward(&z->model, z->run_v2, row, m, z->run_vs, z->run_va);
        normal_backward_state(&z->pi, z->run_va, row, m, z->run_v2);
        for (int i = 0; i < m; i++) {
            const float part = -z->runs.coef[row[i]] / (float)runs;
            for (int j = 0; j < o; j++) {
                z->v_s[row[i] * o + j] = z->run_vs[i * o + j] + z->run_v2[i * o + j];
            }
            for (int j = 0; j < k; j++) {
                z->da[row[i] * k + j] = part * z->run_va[i * k + j];
            }
        }
    }
}

/* k >= 1: what theta changes in the value of the runs, into da. */
static void through_the_model(struct svg *z, const struct batch *b, struct stats *ret_stats)
{
    const struct steps_seen seen = {b->s, b->a, b->r, b->s2, z->mask};
    ret_stats->v[TRAIN_REPRODUCTION] = (double)infer(z, &seen, b->n);
    (void)critic_forward(&z->v, b->s2, NULL, b->n);
    recur(z, b);
}

/* k = 0: Q_a(s, pi(s, eta)), into da. */
static void through_q(struct svg *z, const struct batch *b)
{
    normal_forward(&z->pi, b->s, b->n);
    normal_draw(&z->pi, b->n, z->rng, z->a);
    (void)critic_forward(&z->v, b->s, z->a, b->n);
    for (int i = 0; i < b->n; i++) {
        z->y[i] = -1.0f / (float)b->n;
    }
    critic_backward_action(&z->v, z->y, NULL, b->n, z->da);
}

/* The value of the policy where it was: the mean of the targets. */
static double mean_target(const struct svg *z, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        sum += (double)z->y[i] / n;
    }
    return sum;
}

static void svg_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct svg *z = self;
    const int n = b->n;
    float loss = 0.0f;
    struct dynamics_loss model = {0.0f, 0.0f};

    /* eta = (a - mu(s)) / sigma(s),  rho = pi(a|s) / b(a|s) */
    normal_forward(&z->pi, b->s, n);
    normal_infer(&z->pi, b->a, n);
    if (z->k > 0) {
        weigh(z, b);
    } else {
        memcpy(z->rho, b->w, (size_t)n * sizeof *z->rho);
    }

    /* phi <- phi - lr grad E[ 1/2 |s' - f(s, a)|^2 + 1/2 (r - r(s, a))^2 ];  nu as V's, or Q's */
    for (int epoch = 0; epoch < z->c.n_epochs; epoch++) {
        if (z->k > 0) {
            model =
                dynamics_fit(&z->model, &(struct steps_seen){b->s, b->a, b->r, b->s2, z->mask}, n);
        }
        loss = fit_value(z, b);
    }
    const bool finite = isfinite(loss + model.f + model.r);
    ret_stats->v[TRAIN_MODEL_LOSS] = (double)model.f;
    ret_stats->v[TRAIN_REWARD_LOSS] = (double)model.r;
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)loss;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !finite);
    if (!finite) {
        return;
    }

    /* theta <- theta + lr E[ rho v_theta ] */
    ret_stats->v[TRAIN_ACTOR_LOSS] = -mean_target(z, n);
    if (z->k > 0) {
        through_the_model(z, b, ret_stats);
    } else {
        through_q(z, b);
    }
    normal_fit(&z->pi, z->da, n);
    ret_stats->v[TRAIN_STD] = ret_stats->v[TRAIN_IMPORTANCE] = 0.0;
    for (int i = 0; i < n; i++) {
        ret_stats->v[TRAIN_STD] += (double)z->pi.std[i * z->n_act] / n;
        ret_stats->v[TRAIN_IMPORTANCE] += (double)z->rho[i] / n;
    }
}

/* --- the contract --- */

/* "inf", or a whole number to K_MAX; -1: neither. */
static int read_k(const char *text)
{
    char *end = NULL;
    if (strcmp(text, "inf") == 0) {
        return K_INFINITE;
    }
    const long k = strtol(text, &end, 10);
    return end != text && *end == '\0' && k >= 0 && k <= K_MAX ? (int)k : -1;
}

static int svg_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)d;
    const struct svg_config *c = config;
    const int k = read_k(c->k);
    if (k < 0) {
        return why(ret_why, cap, -EINVAL,
                   "policy.k must be a whole number from 0 to %d, or inf, not \"%s\"", K_MAX, c->k);
    }
    if (k == K_INFINITE && c->experience_replay) {
        return why(ret_why, cap, -EINVAL,
                   "policy.k inf goes back through whole episodes of the policy itself: set "
                   "policy.experience_replay to false");
    }
    if (c->log_std_init <= c->log_std_min) {
        return why(ret_why, cap, -EINVAL,
                   "policy.log_std_init %g must be above policy.log_std_min %g", c->log_std_init,
                   c->log_std_min);
    }
    return net_check(&c->net, ret_why, cap);
}

static void svg_wants(const void *config, struct wants *ret_wants)
{
    const struct svg_config *c = config;
    const int k = read_k(c->k);
    *ret_wants = (struct wants){.seg_len = 1};
    if (!c->experience_replay) {
        ret_wants->needs = NEEDS_NEWEST | (k > 0 ? NEEDS_LOGP : 0);
    } else if (k > 0 && k < K_INFINITE) {
        *ret_wants = (struct wants){NEEDS_SEGMENTS | NEEDS_LOGP, k};
    }
}

static void name_all(struct svg *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi.net, &z->pi.opt);
    views_trained(v, "critic", &z->v.net, &z->v.opt);
    views_mlp(v, "critic_target", &z->v_targ.net);
    if (z->k > 0) {
        views_trained(v, "model", &z->model.f, &z->model.f_opt);
        views_trained(v, "reward", &z->model.r.net, &z->model.r.opt);
    }
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void take_buffers(struct svg *z, int n, struct arena *mem)
{
    float **each[] = {&z->y, &z->rho, &z->mask, &z->logp};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        *each[i] = arena_floats(mem, n);
    }
    z->a = arena_floats(mem, n * z->n_act);
    z->da = arena_floats(mem, n * z->n_act);
    z->run_va = arena_floats(mem, n * z->n_act);
    z->v_s = arena_floats(mem, n * z->n_obs);
    z->run_v2 = arena_floats(mem, n * z->n_obs);
    z->run_vs = arena_floats(mem, n * z->n_obs);
    runs_init(&z->runs, n, mem);
}

static void *svg_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct svg *z = arena_take(mem, sizeof *z);
    const struct svg_config *c = config;
    struct net_spec pi, value, model;
    net_specs(&c->net, d, c->learning_rate, &pi, &value);
    model = value;
    z->c = *c;
    z->rng = rng;
    z->n_obs = d->n_obs;
    z->n_act = d->n_act;
    z->k = read_k(c->k);
    model.hidden = c->n_model > 0 ? c->model : c->net.hidden;
    model.n_hidden = c->n_model > 0 ? c->n_model : c->net.n_hidden;
    value.n_act = z->k == 0 ? d->n_act : 0;
    if (c->learning_rate_actor > 0.0) {
        pi.adam.lr = (float)c->learning_rate_actor;
    }
    const struct normal_shape shape = svg_policy(c, d->n_act);
    normal_init(&z->pi, &pi, &shape, (float)c->log_std_init, mem, rng);
    critic_init(&z->v, &value, mem, rng);
    critic_init(&z->v_targ, &value, mem, rng);
    mlp_copy(&z->v.net, &z->v_targ.net);
    z->pi.net.team = z->v.net.team = z->v_targ.net.team = d->team;
    if (z->k > 0) {
        dynamics_init(&z->model, &model, mem, rng);
        z->model.f.team = z->model.r.net.team = d->team;
    }
    take_buffers(z, d->batch, mem);
    name_all(z, mem);
    return z;
}

static int svg_save(const void *learner, float *ret_w, int n_max)
{
    const struct svg *z = learner;
    return mlp_save(&z->pi.net, ret_w, n_max);
}

const struct policy policy_svg = {
    .name = "svg",
    .source = "arXiv:1510.09142, Algorithms 1 and 2",
    .actions = ACTION_BOX,
    .options = svg_options,
    .stat_names = svg_stats,
    .config_bytes = sizeof(struct svg_config),
    .check = svg_check,
    .wants = svg_wants,
    .init = svg_init,
    .update = svg_update,
    .save = svg_save,
    .state = views_state,
    .restored = views_restored,
    .net = svg_net,
    .pack = svg_pack,
    .actor_bytes = svg_actor_bytes,
    .actor_init = svg_actor_init,
    .reset = svg_reset,
    .act = svg_act,
};
