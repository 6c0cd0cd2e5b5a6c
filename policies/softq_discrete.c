/*
 * Soft Q-learning for choices: integrals over actions are sums, the policy is a softmax of Q, and
 * nothing needs to be sampled or estimated.
 *
 * Haarnoja et al. 2017, "Reinforcement learning with deep energy-based policies", arXiv:1702.08165,
 * equations 3 to 7. Departs from it: a target network that may move by Polyak steps, as softq's; an
 * update whose loss is not finite is skipped and counted.
 */
#include "policies/explore.h"
#include "policies/nn/boltzmann.h"
#include "policies/nn/choice_critic.h"
#include "policies/nn/settings.h"
#include "policies/nn/views.h"

#include <math.h>

struct softq_discrete_config {
    double learning_rate, tau, ent_coef;
    int target_update_interval;
    struct net_settings net;
};

struct softq_discrete {
    struct views views; /* first: its entries of struct policy */
    struct softq_discrete_config c;
    struct choice_critic q, q_targ;
    int64_t updates, skipped;
    float *y, *pi; /* [B] [C] */
};

/* clang-format off */
#define AT(field) offsetof(struct softq_discrete_config, field)
static const struct option softq_discrete_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "1e-3",
     .help = "Adam's step"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "1",
     .help = "Polyak step of the target network; 1 copies it"},
    {.key = "target_update_interval", .type = OPTION_INT, .offset = AT(target_update_interval), .min = 1, .max = 1000000, .def = "1000",
     .help = "updates between two of those steps"},
    {.key = "ent_coef", .type = OPTION_DOUBLE, .offset = AT(ent_coef), .min = 1e-4, .max = 1e4, .def = "0.1",
     .help = "temperature alpha, the inverse of a reward scale"},
    NET_OPTIONS("[64, 64]"),
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_LOSS, TRAIN_VALUE, TRAIN_ENTROPY, TRAIN_ENT_COEF, TRAIN_SKIPPED };

static const char *const softq_discrete_stats[] = {
    "train/critic_loss",        "train/value", "train/entropy", "train/ent_coef",
    "train/skipped_not_finite", NULL};

static void softq_discrete_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct softq_discrete *z = self;
    const int n = b->n, k = z->q.n_choices;
    const float alpha = (float)z->c.ent_coef;

    /* y = r + gamma (1 - d) V(s'),  V(s') = alpha log sum_a' exp(Q'(s', a') / alpha)       (3, 7)
     */
    const float *t = choice_critic_forward(&z->q_targ, b->s2, n);
    double value = 0.0, entropy = 0.0;
    for (int i = 0; i < n; i++) {
        const uint64_t legal2 = b->legal2 != NULL ? b->legal2[i] : LEGAL_ALL;
        const float v = soft_value(t + (ptrdiff_t)i * k, k, legal2, alpha, z->pi);
        z->y[i] = b->r[i] + b->g[i] * v;
        value += (double)v / n;
        entropy += (double)choice_entropy(z->pi, k) / n;
    }
    ret_stats->v[TRAIN_VALUE] = value;
    ret_stats->v[TRAIN_ENTROPY] = entropy;
    ret_stats->v[TRAIN_ENT_COEF] = z->c.ent_coef;

    /* theta <- theta - lr grad E[ 1/2 (Q(s, a) - y)^2 ] */
    const struct critic_target target = {z->y, b->w, b->ret_td};
    const float loss = choice_critic_fit(&z->q, b->s, b->a, &target, n);
    ret_stats->v[TRAIN_LOSS] = (double)loss;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));

    /* every so many updates: theta' <- tau theta + (1 - tau) theta' */
    if (isfinite(loss) && ++z->updates % z->c.target_update_interval == 0) {
        mlp_blend(&z->q.net, (float)z->c.tau, &z->q_targ.net);
    }
}

static int softq_discrete_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)d;
    const struct softq_discrete_config *c = config;
    return net_check(&c->net, ret_why, cap);
}

static void name_all(struct softq_discrete *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "critic", &z->q.net, &z->q.opt);
    views_mlp(v, "critic_target", &z->q_targ.net);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *softq_discrete_init(const void *config, const struct dims *d, struct arena *mem,
                                 struct rng *rng)
{
    struct softq_discrete *z = arena_take(mem, sizeof *z);
    const struct softq_discrete_config *c = config;
    struct net_spec pi, qf;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    z->c = *c;
    choice_critic_init(&z->q, &qf, d->n_choices, mem, rng);
    choice_critic_init(&z->q_targ, &qf, d->n_choices, mem, rng);
    mlp_copy(&z->q.net, &z->q_targ.net);
    z->q.net.team = z->q_targ.net.team = d->team;
    z->y = arena_floats(mem, d->batch);
    z->pi = arena_take(mem, (size_t)d->n_choices * sizeof(float));
    name_all(z, mem);
    return z;
}

static int softq_discrete_save(const void *learner, float *ret_w, int n_max)
{
    const struct softq_discrete *z = learner;
    return mlp_save(&z->q.net, ret_w, n_max);
}

/* --- acting --- */

struct softq_discrete_actor {
    struct mlp_shape shape;
    int n_choices;
    float alpha;
};

/* It is the critic that acts. */
static void critic_shape(const struct softq_discrete_config *c, const struct dims *d,
                         struct mlp_shape *ret_shape)
{
    struct net_spec pi, qf;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    net_shape(&qf, d->n_obs, d->n_choices, ret_shape);
}

static uint32_t softq_discrete_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    critic_shape(config, d, &shape);
    return mlp_shape_id(&shape);
}

static int softq_discrete_pack(const void *config, const struct dims *d, const float *w, int n,
                               float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    critic_shape(config, d, &shape);
    return mlp_pack(&shape, w, n, ret_packed, n_max);
}

static size_t softq_discrete_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct softq_discrete_actor);
}

static void softq_discrete_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct softq_discrete_config *c = config;
    struct softq_discrete_actor *a = ret_actor;
    *a = (struct softq_discrete_actor){.n_choices = d->n_choices, .alpha = (float)c->ent_coef};
    critic_shape(c, d, &a->shape);
}

static void softq_discrete_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

/* a ~ pi(a|s) = exp((Q(s, a) - V(s)) / alpha)                                     (6), or argmax Q
 */
static void softq_discrete_act(void *actor, const struct act_in *in, float *ret_act,
                               float *ret_logp)
{
    const struct softq_discrete_actor *a = actor;
    float q[CHOICES_MAX];
    mlp_row(&a->shape, in->packed, in->obs, q);
    ret_act[0] = (float)explore_softly(q, a->n_choices, a->alpha, in, ret_logp);
}

const struct policy policy_softq_discrete = {
    .name = "softq_discrete",
    .source = "arXiv:1702.08165, equations 3 to 7",
    .actions = ACTION_DISCRETE,
    .options = softq_discrete_options,
    .stat_names = softq_discrete_stats,
    .config_bytes = sizeof(struct softq_discrete_config),
    .check = softq_discrete_check,
    .wants = policy_wants_rows,
    .init = softq_discrete_init,
    .update = softq_discrete_update,
    .save = softq_discrete_save,
    .state = views_state,
    .restored = views_restored,
    .net = softq_discrete_net,
    .pack = softq_discrete_pack,
    .actor_bytes = softq_discrete_actor_bytes,
    .actor_init = softq_discrete_actor_init,
    .reset = softq_discrete_reset,
    .act = softq_discrete_act,
};
