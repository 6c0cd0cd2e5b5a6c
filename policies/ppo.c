/*
 * Proximal policy optimisation: on-policy, so fed with the newest rows alone, each once.
 *
 * Schulman et al. 2017, "Proximal Policy Optimization Algorithms", arXiv:1707.06347, Algorithm 1
 * and equations 7, 9, 11 and 12. Rows to learn from are learner.train_freq (T), those of one step
 * of the optimiser learner.batch_size (M). Departs from it as Stable-Baselines3 does: advantages
 * are normalised in each minibatch, actor and critic are two networks whose gradients are clipped
 * together, an update may stop at a KL divergence. A minibatch whose loss is not finite is skipped
 * and counted.
 */
#include "policies/gae.h"
#include "policies/nn/clip.h"
#include "policies/nn/orthogonal.h"
#include "policies/nn/views.h"
#include "policies/ppo_loss.h"
#include "policies/returns.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define KL_STOP 1.5 /* times target_kl */

struct ppo_config {
    double learning_rate, clip_range, clip_range_vf, gae_lambda, ent_coef, vf_coef, max_grad_norm;
    double target_kl, log_std_init, optimizer_eps, clip_reward;
    int n_epochs, activation_fn;
    bool normalize_advantage, ortho_init, norm_reward;
    int n_hidden, hidden[LAYERS_MAX - 1];
    int n_pi, pi[LAYERS_MAX - 1], n_vf, vf[LAYERS_MAX - 1]; /* none: hidden */
};

struct ppo {
    struct views views; /* first: its entries of struct policy */
    struct ppo_config c;
    struct rng *rng; /* the learner's */
    int n_obs, n_act, batch, minibatch;
    struct ppo_policy policy;
    struct mlp pi, v;
    struct adam pi_opt, v_opt, log_std_opt;
    float *log_std, *g_log_std; /* [A] */
    struct returns returns;
    int64_t updates, skipped;
    float *r, *values, *values2, *adv, *target; /* [B] */
    int *order;                                 /* [B]: a permutation of the rows */
    struct ppo_minibatch mb;
    float *dout; /* [M,outputs] */
};

/* clang-format off */
#define AT(field) offsetof(struct ppo_config, field)
static const struct option ppo_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "3e-4",
     .help = "Adam's step for actor and critic"},
    {.key = "n_epochs", .type = OPTION_INT, .offset = AT(n_epochs), .min = 1, .max = 1000, .def = "10",
     .help = "passes over learner.train_freq steps in an update, in minibatches of learner.batch_size"},
    {.key = "clip_range", .type = OPTION_DOUBLE, .offset = AT(clip_range), .min = 1e-3, .max = 10, .def = "0.2",
     .help = "epsilon: beyond 1 +- this the ratio of new to old probability earns nothing"},
    {.key = "clip_range_vf", .type = OPTION_DOUBLE, .offset = AT(clip_range_vf), .min = 0, .max = 1e6, .def = "0",
     .help = "a value further than this from what it was is taken back to there in its loss; 0: any"},
    {.key = "gae_lambda", .type = OPTION_DOUBLE, .offset = AT(gae_lambda), .min = 0, .max = 1, .def = "0.95",
     .help = "lambda of the advantages: 0 trusts the critic, 1 the returns"},
    {.key = "normalize_advantage", .type = OPTION_BOOL, .offset = AT(normalize_advantage), .def = "true",
     .help = "advantages of a minibatch have mean 0 and deviation 1"},
    {.key = "ent_coef", .type = OPTION_DOUBLE, .offset = AT(ent_coef), .min = 0, .max = 100, .def = "0",
     .help = "weight of the entropy bonus"},
    {.key = "vf_coef", .type = OPTION_DOUBLE, .offset = AT(vf_coef), .min = 0, .max = 100, .def = "0.5",
     .help = "weight of the critic's loss, the mean squared error"},
    {.key = "max_grad_norm", .type = OPTION_DOUBLE, .offset = AT(max_grad_norm), .min = 0, .max = 1e6, .def = "0.5",
     .help = "longest gradient of actor and critic together; 0: any"},
    {.key = "target_kl", .type = OPTION_DOUBLE, .offset = AT(target_kl), .min = 0, .max = 100, .def = "0",
     .help = "an update stops where the divergence from the old policy passes 1.5 times this; 0: never"},
    {.key = "log_std_init", .type = OPTION_DOUBLE, .offset = AT(log_std_init), .min = -10, .max = 3, .def = "0",
     .help = "logarithm of the deviation of continuous actions at first, in action units"},
    {.key = "ortho_init", .type = OPTION_BOOL, .offset = AT(ortho_init), .def = "true",
     .help = "weights begin orthogonal, those of the actor's output a hundredth as long"},
    {.key = "norm_reward", .type = OPTION_BOOL, .offset = AT(norm_reward), .def = "false",
     .help = "rewards are divided by the running deviation of the discounted return"},
    {.key = "clip_reward", .type = OPTION_DOUBLE, .offset = AT(clip_reward), .min = 1e-3, .max = 1e6, .def = "10",
     .help = "and then clipped to +- this"},
    {.key = "net_arch", .type = OPTION_INTS, .offset = AT(hidden), .min = 1, .max = MLP_WIDTH_MAX, .def = "[64, 64]",
     .n_max = LAYERS_MAX - 1, .n_offset = AT(n_hidden), .help = "hidden layers of actor and critic"},
    {.key = "net_arch_pi", .type = OPTION_INTS, .offset = AT(pi), .min = 1, .max = MLP_WIDTH_MAX, .def = "[]",
     .n_max = LAYERS_MAX - 1, .n_offset = AT(n_pi), .help = "hidden layers of the actor alone; []: net_arch"},
    {.key = "net_arch_vf", .type = OPTION_INTS, .offset = AT(vf), .min = 1, .max = MLP_WIDTH_MAX, .def = "[]",
     .n_max = LAYERS_MAX - 1, .n_offset = AT(n_vf), .help = "hidden layers of the critic alone; []: net_arch"},
    {.key = "activation_fn", .type = OPTION_CHOICE, .offset = AT(activation_fn), .def = "tanh", .choices = activation_names,
     .help = "what follows each hidden layer"},
    {.key = "optimizer_eps", .type = OPTION_DOUBLE, .offset = AT(optimizer_eps), .min = 1e-12, .max = 1, .def = "1e-5",
     .help = "Adam's epsilon, added to the root"},
    {.key = NULL},
};

/* clang-format on */

enum {
    TRAIN_LOSS,
    TRAIN_POLICY_GRADIENT_LOSS,
    TRAIN_VALUE_LOSS,
    TRAIN_ENTROPY_LOSS,
    TRAIN_APPROX_KL,
    TRAIN_CLIP_FRACTION,
    TRAIN_EXPLAINED_VARIANCE,
    TRAIN_STD,
    TRAIN_EPOCHS,
    TRAIN_SKIPPED
};

static const char *const ppo_stats[] = {"train/loss",
                                        "train/policy_gradient_loss",
                                        "train/value_loss",
                                        "train/entropy_loss",
                                        "train/approx_kl",
                                        "train/clip_fraction",
                                        "train/explained_variance",
                                        "train/std",
                                        "train/n_epochs",
                                        "train/skipped_not_finite",
                                        NULL};

/* --- what the advantages are made of --- */

/* V of n states, a piece at a time. */
static void value_of(struct ppo *z, const float *s, int n, float *ret_v)
{
    for (int i = 0; i < n; i += z->minibatch) {
        const int piece = n - i < z->minibatch ? n - i : z->minibatch;
        const float *v = mlp_forward(&z->v, s + (size_t)i * (size_t)z->n_obs, piece);
        memcpy(ret_v + i, v, (size_t)piece * sizeof *v);
    }
}

/* --- one minibatch --- */

static void shuffle(struct ppo *z, int n)
{
    for (int i = 0; i < n; i++) {
        z->order[i] = i;
    }
    for (int i = n - 1; i > 0; i--) {
        const int j = (int)rng_below(z->rng, (uint64_t)i + 1);
        const int kept = z->order[i];
        z->order[i] = z->order[j];
        z->order[j] = kept;
    }
}

/* Rows order[from .. from + n) of the batch. */
static void gather(struct ppo *z, const struct batch *b, int from, int n)
{
    struct ppo_minibatch *m = &z->mb;
    const size_t o = (size_t)z->n_obs, k = (size_t)z->n_act;
    m->n = n;
    for (int i = 0; i < n; i++) {
        const size_t row = (size_t)z->order[from + i], to = (size_t)i;
        memcpy(m->s + to * o, b->s + row * o, o * sizeof *m->s);
        memcpy(m->a + to * k, b->a + row * k, k * sizeof *m->a);
        m->legal[i] = b->legal != NULL ? b->legal[row] : ~UINT64_C(0);
        m->logp_old[i] = b->logp[row];
        m->adv[i] = z->adv[row];
        m->target[i] = z->target[row];
        m->v_old[i] = z->values[row];
    }
    if (z->c.normalize_advantage) {
        ppo_normalize_advantages(m);
    }
}

/* theta <- theta - lr grad L, for the gathered rows; false: the policy is as far from the old one
 * as target_kl lets it. */
static bool step(struct ppo *z, struct ppo_losses *sum)
{
    struct ppo_minibatch *m = &z->mb;
    const struct ppo_config *c = &z->c;
    const struct ppo_loss_settings settings = {(float)c->clip_range, (float)c->clip_range_vf,
                                               (float)c->vf_coef, (float)c->ent_coef};
    const float *out = mlp_forward(&z->pi, m->s, m->n), *v = mlp_forward(&z->v, m->s, m->n);
    const struct ppo_losses l = ppo_loss(&settings, &z->policy, out, z->log_std, v, m);
    if (!isfinite(l.loss)) {
        z->skipped++;
        return true;
    }
    ppo_losses_add(sum, &l);
    if (c->target_kl > 0.0 && l.kl > KL_STOP * c->target_kl) {
        return false;
    }
    const struct ppo_rows rows = {m->n, out, z->log_std, m->a, m->legal};
    memset(z->g_log_std, 0, (size_t)z->n_act * sizeof *z->g_log_std);
    ppo_policy_backward(&z->policy, &rows, m->dlogp, m->dentropy, z->dout, z->g_log_std);
    mlp_backward(&z->pi, z->dout, m->n);
    mlp_backward(&z->v, m->dv, m->n);
    const bool normal = z->policy.n_choices == 0;
    const struct gradient all[] = {
        {z->pi.g, z->pi.n}, {z->v.g, z->v.n}, {z->g_log_std, normal ? z->n_act : 0}};
    clip_together(all, 3, c->max_grad_norm);
    mlp_step(&z->pi, &z->pi_opt);
    mlp_step(&z->v, &z->v_opt);
    if (normal) {
        adam_step(&z->log_std_opt, z->g_log_std, z->log_std);
    }
    return true;
}

static void tell(const struct ppo *z, const struct ppo_losses *sum, int epochs,
                 struct stats *ret_stats)
{
    double *v = ret_stats->v, std = 0.0;
    const double n = sum->n > 0 ? sum->n : (double)NAN;
    for (int k = 0; k < z->n_act && z->policy.n_choices == 0; k++) {
        std += exp((double)z->log_std[k]) / z->n_act;
    }
    v[TRAIN_LOSS] = sum->loss / n;
    v[TRAIN_POLICY_GRADIENT_LOSS] = sum->policy / n;
    v[TRAIN_VALUE_LOSS] = sum->value / n;
    v[TRAIN_ENTROPY_LOSS] = -sum->entropy / n;
    v[TRAIN_APPROX_KL] = sum->kl;
    v[TRAIN_CLIP_FRACTION] = sum->clipped / n;
    v[TRAIN_STD] = std;
    v[TRAIN_EPOCHS] = epochs;
    v[TRAIN_SKIPPED] = (double)z->skipped;
}

static void ppo_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct ppo *z = self;
    const int n = b->n;
    struct ppo_losses sum = {0};
    bool near = true;
    int epochs = 0;

    /* V_old(s_t), and of what followed each row */
    value_of(z, b->s, n, z->values);
    value_of(z, b->s2, n, z->values2);

    /* A_t by generalised advantage estimation, R_t = A_t + V_old(s_t) */
    const float *r = b->r;
    if (z->c.norm_reward) {
        returns_scale(&z->returns, b, (float)z->c.clip_reward, z->r);
        r = z->r;
    }
    const struct gae_rows rows = {n, r, b->g, z->values, z->values2, b->last};
    gae(&rows, (float)z->c.gae_lambda, z->adv);
    for (int i = 0; i < n; i++) {
        z->target[i] = z->adv[i] + z->values[i];
    }
    ret_stats->v[TRAIN_EXPLAINED_VARIANCE] = explained_variance(z->target, z->values, n);

    /* K epochs of minibatches of M: theta <- theta - lr grad [ L^CLIP + c1 L^VF - c2 H ] */
    while (near && epochs < z->c.n_epochs) {
        shuffle(z, n);
        for (int from = 0; near && from < n; from += z->minibatch) {
            gather(z, b, from, n - from < z->minibatch ? n - from : z->minibatch);
            near = step(z, &sum);
        }
        epochs++;
    }
    z->updates++;
    tell(z, &sum, epochs, ret_stats);
}

static int ppo_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)config;
    if (d->batch < d->minibatch) {
        return why(ret_why, cap, -EINVAL,
                   "learner.train_freq %d is less than learner.batch_size %d: ppo learns from the "
                   "former, as 2048, in minibatches of the latter, as 64",
                   d->batch, d->minibatch);
    }
    return 0;
}

static void ppo_wants(const void *config, struct wants *ret_wants)
{
    (void)config;
    *ret_wants = (struct wants){.needs = NEEDS_NEWEST | NEEDS_SEGMENTS | NEEDS_LOGP, .seg_len = 1};
}

static struct ppo_policy policy_of(const struct dims *d)
{
    return (struct ppo_policy){.n_act = d->n_act, .n_choices = d->n_choices};
}

static void actor_shape(const struct ppo_config *c, const struct dims *d,
                        struct mlp_shape *ret_shape)
{
    const struct ppo_policy p = policy_of(d);
    mlp_shape(ret_shape, d->n_obs, c->n_pi > 0 ? c->pi : c->hidden,
              c->n_pi > 0 ? c->n_pi : c->n_hidden, ppo_policy_outputs(&p));
    ret_shape->activation = c->activation_fn;
}

static void critic_shape(const struct ppo_config *c, const struct dims *d,
                         struct mlp_shape *ret_shape)
{
    mlp_shape(ret_shape, d->n_obs, c->n_vf > 0 ? c->vf : c->hidden,
              c->n_vf > 0 ? c->n_vf : c->n_hidden, 1);
    ret_shape->activation = c->activation_fn;
}

static void take_buffers(struct ppo *z, struct arena *mem)
{
    float **columns[] = {&z->r, &z->values, &z->values2, &z->adv, &z->target};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        *columns[i] = arena_floats(mem, z->batch);
    }
    z->order = arena_take(mem, (size_t)z->batch * sizeof *z->order);
    z->dout = arena_floats(mem, z->minibatch * ppo_policy_outputs(&z->policy));
    ppo_minibatch_init(&z->mb, z->minibatch, z->n_obs, z->n_act, mem);
}

static void name_all(struct ppo *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi, &z->pi_opt);
    views_trained(v, "value", &z->v, &z->v_opt);
    views_value(v, "log_std", TENSOR_F32, z->n_act, z->log_std);
    views_value(v, "log_std.adam_m", TENSOR_F32, z->n_act, z->log_std_opt.m);
    views_value(v, "log_std.adam_v", TENSOR_F32, z->n_act, z->log_std_opt.v);
    views_value(v, "log_std.adam_t", TENSOR_I64, 1, &z->log_std_opt.t);
    views_value(v, "returns", TENSOR_F64, 3, &z->returns);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void init_networks(struct ppo *z, const struct dims *d, struct arena *mem, struct rng *rng)
{
    const struct ppo_config *c = &z->c;
    struct mlp_shape pi, v;
    struct adam_options adam = adam_defaults((float)c->learning_rate);
    adam.eps = (float)c->optimizer_eps;
    actor_shape(c, d, &pi);
    critic_shape(c, d, &v);
    mlp_init(&z->pi, &pi, d->kernel, z->minibatch, mem, rng);
    mlp_init(&z->v, &v, d->kernel, z->minibatch, mem, rng);
    if (c->ortho_init) {
        mlp_orthogonal(&z->pi, sqrt(2.0), 0.01, mem, rng);
        mlp_orthogonal(&z->v, sqrt(2.0), 1.0, mem, rng);
    }
    z->pi.team = z->v.team = d->team;
    adam_init(&z->pi_opt, z->pi.kernel, z->pi.n, &adam, mem);
    adam_init(&z->v_opt, z->v.kernel, z->v.n, &adam, mem);
    adam_init(&z->log_std_opt, z->pi.kernel, z->n_act, &adam, mem);
    z->log_std = arena_floats(mem, z->n_act);
    z->g_log_std = arena_floats(mem, z->n_act);
    for (int k = 0; k < z->n_act; k++) {
        z->log_std[k] = (float)c->log_std_init;
    }
}

static void *ppo_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct ppo *z = arena_take(mem, sizeof *z);
    z->c = *(const struct ppo_config *)config;
    z->rng = rng;
    z->n_obs = d->n_obs;
    z->n_act = d->n_act;
    z->batch = d->batch;
    z->minibatch = d->minibatch > 0 ? d->minibatch : d->batch;
    z->policy = policy_of(d);
    init_networks(z, d, mem, rng);
    take_buffers(z, mem);
    name_all(z, mem);
    return z;
}

/* The actor's network, then log sigma. */
static int ppo_save(const void *learner, float *ret_w, int n_max)
{
    const struct ppo *z = learner;
    if (n_max < z->pi.n + z->n_act) {
        return -ENOSPC;
    }
    memcpy(ret_w, z->pi.w, (size_t)z->pi.n * sizeof(float));
    memcpy(ret_w + z->pi.n, z->log_std, (size_t)z->n_act * sizeof(float));
    return z->pi.n + z->n_act;
}

/* --- acting --- */

struct ppo_actor {
    struct mlp_shape shape;
    struct ppo_policy policy;
};

static uint32_t ppo_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    actor_shape(config, d, &shape);
    return mlp_shape_id(&shape);
}

/* log sigma in front, so that the network behind it begins where its panels may. */
static int panels_of(int n_act)
{
    return (n_act + PANEL - 1) / PANEL * PANEL;
}

static int ppo_pack(const void *config, const struct dims *d, const float *w, int n,
                    float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    const int front = panels_of(d->n_act), net = n - d->n_act;
    actor_shape(config, d, &shape);
    if (net < 1 || n_max < front) {
        return -EPROTO;
    }
    memset(ret_packed, 0, (size_t)front * sizeof *ret_packed);
    memcpy(ret_packed, w + net, (size_t)d->n_act * sizeof *ret_packed);
    const int packed = mlp_pack(&shape, w, net, ret_packed + front, n_max - front);
    return packed < 0 ? packed : packed + front;
}

static size_t ppo_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct ppo_actor);
}

static void ppo_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    struct ppo_actor *a = ret_actor;
    *a = (struct ppo_actor){.policy = policy_of(d)};
    actor_shape(config, d, &a->shape);
}

static void ppo_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

static void ppo_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    const struct ppo_actor *a = actor;
    float out[CHOICES_MAX > ACT_MAX ? CHOICES_MAX : ACT_MAX];
    mlp_row(&a->shape, in->packed + panels_of(a->policy.n_act), in->obs, out);
    if (in->explore) {
        ppo_policy_draw(&a->policy, out, in->packed, in->legal, in->rng, ret_act, ret_logp);
    } else {
        ppo_policy_best(&a->policy, out, in->legal, in->rng, ret_act, ret_logp);
    }
}

const struct policy policy_ppo = {
    .name = "ppo",
    .source = "arXiv:1707.06347, Algorithm 1",
    .actions = ACTION_BOX | ACTION_DISCRETE,
    .options = ppo_options,
    .stat_names = ppo_stats,
    .config_bytes = sizeof(struct ppo_config),
    .check = ppo_check,
    .wants = ppo_wants,
    .init = ppo_init,
    .update = ppo_update,
    .save = ppo_save,
    .state = views_state,
    .restored = views_restored,
    .net = ppo_net,
    .pack = ppo_pack,
    .actor_bytes = ppo_actor_bytes,
    .actor_init = ppo_actor_init,
    .reset = ppo_reset,
    .act = ppo_act,
};
