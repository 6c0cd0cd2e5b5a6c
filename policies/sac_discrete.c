/*
 * Soft actor-critic for choices: the policy is a softmax, and expectations over it are sums.
 *
 * Christodoulou 2019, "Soft Actor-Critic for Discrete Action Settings", arXiv:1910.07207, Algorithm
 * 1 and equations 10 to 12. Departs from it: the entropy aimed at is a share of log n of the n
 * choices that are legal in each state; alpha is stepped as log alpha and clipped to [1e-4, 1e2];
 * an update whose critic loss is not finite is skipped and counted.
 */
#include "policies/explore.h"
#include "policies/nn/boltzmann.h"
#include "policies/nn/choice_critic.h"
#include "policies/nn/settings.h"
#include "policies/nn/temperature.h"
#include "policies/nn/views.h"
#include "policies/soft_actor.h"

#include <math.h>

struct sac_discrete_config {
    double learning_rate, tau, target_entropy_ratio;
    char ent_coef[24];
    int target_update_interval;
    struct net_settings net;
};

struct sac_discrete {
    struct views views; /* first: its entries of struct policy */
    struct sac_discrete_config c;
    int n_choices;
    struct mlp pi; /* -> logits [C] */
    struct adam pi_opt;
    struct choice_critic q[2], q_targ[2];
    struct alpha alpha; /* its target is 0: what it is fitted to is the gap to H */
    int64_t updates, skipped;
    float *y, *p;  /* [B] [C] */
    float *dlogit; /* [B,C] */
};

/* clang-format off */
#define AT(field) offsetof(struct sac_discrete_config, field)
static const struct option sac_discrete_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "3e-4",
     .help = "Adam's step for actor, critics and temperature"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of the target critics"},
    {.key = "target_update_interval", .type = OPTION_INT, .offset = AT(target_update_interval), .min = 1, .max = 1000000, .def = "1",
     .help = "updates between two of those steps"},
    ENT_COEF_OPTION(AT(ent_coef)),
    {.key = "target_entropy_ratio", .type = OPTION_DOUBLE, .offset = AT(target_entropy_ratio), .min = 0, .max = 1, .def = "0.98",
     .help = "entropy that an automatic temperature aims at, as a share of a uniform choice's"},
    NET_OPTIONS("[64, 64]"),
    {.key = NULL},
};

/* clang-format on */

/* sum_a pi(a) (alpha log pi(a) - min_i q_i(a)); ret_dlogit [C], unless NULL: its derivatives
 * pi(a) (f(a) - sum pi f) of f = alpha log pi - min q. What has no chance has no part in it. */
static float soft_loss(const float *p, const float *q0, const float *q1, int n, float alpha,
                       float *ret_dlogit)
{
    float sum = 0.0f;
    for (int a = 0; a < n; a++) {
        sum += p[a] > 0.0f ? p[a] * (alpha * logf(p[a]) - fminf(q0[a], q1[a])) : 0.0f;
    }
    for (int a = 0; ret_dlogit != NULL && a < n; a++) {
        const float f = p[a] > 0.0f ? alpha * logf(p[a]) - fminf(q0[a], q1[a]) : 0.0f;
        ret_dlogit[a] = p[a] * (f - sum);
    }
    return sum;
}

static uint64_t legal_of(const uint64_t *legal, int i)
{
    return legal != NULL ? legal[i] : LEGAL_ALL;
}

/* y = r + gamma (1 - d) V(s') */
static void targets(struct sac_discrete *z, const struct batch *b, float alpha)
{
    const int k = z->n_choices;
    const float *logit = mlp_forward(&z->pi, b->s2, b->n);
    const float *q0 = choice_critic_forward(&z->q_targ[0], b->s2, b->n);
    const float *q1 = choice_critic_forward(&z->q_targ[1], b->s2, b->n);
    for (int i = 0; i < b->n; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * k;
        (void)soft_value(logit + at, k, legal_of(b->legal2, i), 1.0f, z->p);
        z->y[i] = b->r[i] - b->g[i] * soft_loss(z->p, q0 + at, q1 + at, k, alpha, NULL);
    }
}

static void sac_discrete_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct sac_discrete *z = self;
    const int n = b->n, k = z->n_choices;
    const float inv_n = 1.0f / (float)n, alpha = alpha_now(&z->alpha);

    /* y = r + gamma (1 - d) V(s'),
     * V(s') = sum_a' pi(a'|s') (min_i Q'_i(s', a') - alpha log pi(a'|s'))                   (10) */
    targets(z, b, alpha);

    /* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - y)^2 ],  i = 1, 2 */
    const struct critic_target first = {z->y, b->w, b->ret_td}, second = {z->y, b->w, NULL};
    const float loss = choice_critic_fit(&z->q[0], b->s, b->a, &first, n) +
                       choice_critic_fit(&z->q[1], b->s, b->a, &second, n);
    ret_stats->v[SOFT_CRITIC_LOSS] = (double)(0.5f * loss);
    ret_stats->v[SOFT_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }

    /* phi <- phi - lr grad E[ sum_a pi(a|s) (alpha log pi(a|s) - min_i Q_i(s, a)) ]         (12) */
    const float *logit = mlp_forward(&z->pi, b->s, n);
    const float *q0 = choice_critic_forward(&z->q[0], b->s, n);
    const float *q1 = choice_critic_forward(&z->q[1], b->s, n);
    float objective = 0.0f, entropy = 0.0f, wanted = 0.0f;
    for (int i = 0; i < n; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * k;
        const uint64_t legal = greedy_legal(k, legal_of(b->legal, i));
        (void)soft_value(logit + at, k, legal, 1.0f, z->p);
        objective += soft_loss(z->p, q0 + at, q1 + at, k, alpha, z->dlogit + at) * inv_n;
        entropy += choice_entropy(z->p, k) * inv_n;
        wanted += logf((float)__builtin_popcountll(legal)) * inv_n;
    }
    for (int i = 0; i < n * k; i++) {
        z->dlogit[i] *= inv_n;
    }
    mlp_backward(&z->pi, z->dlogit, n);
    mlp_step(&z->pi, &z->pi_opt);
    ret_stats->v[SOFT_ACTOR_LOSS] = (double)objective;
    ret_stats->v[SOFT_ENTROPY] = (double)entropy;

    /* alpha <- alpha - lr grad E[ sum_a pi(a|s) (- log alpha (log pi(a|s) + H)) ]           (11) */
    const float gap = entropy - (float)z->c.target_entropy_ratio * wanted;
    ret_stats->v[SOFT_ENT_COEF_LOSS] = (double)alpha_fit(&z->alpha, gap);
    ret_stats->v[SOFT_ENT_COEF] = (double)alpha;

    /* theta'_i <- tau theta_i + (1 - tau) theta'_i */
    if (++z->updates % z->c.target_update_interval == 0) {
        mlp_blend(&z->q[0].net, (float)z->c.tau, &z->q_targ[0].net);
        mlp_blend(&z->q[1].net, (float)z->c.tau, &z->q_targ[1].net);
    }
}

static int sac_discrete_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)d;
    const struct sac_discrete_config *c = config;
    struct temperature t;
    const int rc = temperature_read(c->ent_coef, "auto", 1, &t, ret_why, cap);
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void name_all(struct sac_discrete *z, struct arena *mem)
{
    static const char *const critics[] = {"critic0", "critic1"};
    static const char *const targets_of[] = {"critic0_target", "critic1_target"};
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi, &z->pi_opt);
    for (int i = 0; i < 2; i++) {
        views_trained(v, critics[i], &z->q[i].net, &z->q[i].opt);
        views_mlp(v, targets_of[i], &z->q_targ[i].net);
    }
    views_alpha(v, &z->alpha);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void init_networks(struct sac_discrete *z, const struct dims *d, struct arena *mem,
                          struct rng *rng)
{
    struct net_spec pi, qf;
    struct mlp_shape shape;
    net_specs(&z->c.net, d, z->c.learning_rate, &pi, &qf);
    net_shape(&pi, d->n_obs, d->n_choices, &shape);
    mlp_init(&z->pi, &shape, pi.kernel, pi.rows, mem, rng);
    adam_init(&z->pi_opt, z->pi.kernel, z->pi.n, &pi.adam, mem);
    z->pi.team = d->team;
    for (int i = 0; i < 2; i++) {
        choice_critic_init(&z->q[i], &qf, d->n_choices, mem, rng);
        choice_critic_init(&z->q_targ[i], &qf, d->n_choices, mem, rng);
        mlp_copy(&z->q[i].net, &z->q_targ[i].net);
        z->q[i].net.team = z->q_targ[i].net.team = d->team;
    }
}

static void *sac_discrete_init(const void *config, const struct dims *d, struct arena *mem,
                               struct rng *rng)
{
    struct sac_discrete *z = arena_take(mem, sizeof *z);
    struct temperature t;
    z->c = *(const struct sac_discrete_config *)config;
    const int rc = temperature_read(z->c.ent_coef, "auto", 1, &t, NULL, 0);
    basal_assert(rc == 0); /* sac_discrete_check has seen it */
    z->n_choices = d->n_choices;
    t.target_entropy = 0.0;
    init_networks(z, d, mem, rng);
    alpha_init(&z->alpha, &t, z->pi.kernel, z->c.learning_rate, mem);
    z->y = arena_floats(mem, d->batch);
    z->p = arena_take(mem, (size_t)d->n_choices * sizeof(float));
    z->dlogit = arena_floats(mem, d->batch * d->n_choices);
    name_all(z, mem);
    return z;
}

static int sac_discrete_save(const void *learner, float *ret_w, int n_max)
{
    const struct sac_discrete *z = learner;
    return mlp_save(&z->pi, ret_w, n_max);
}

/* --- acting --- */

struct sac_discrete_actor {
    struct mlp_shape shape;
    int n_choices;
};

static void actor_shape(const struct sac_discrete_config *c, const struct dims *d,
                        struct mlp_shape *ret_shape)
{
    net_actor_shape(&c->net, d, d->n_choices, ret_shape);
}

static uint32_t sac_discrete_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    actor_shape(config, d, &shape);
    return mlp_shape_id(&shape);
}

static int sac_discrete_pack(const void *config, const struct dims *d, const float *w, int n,
                             float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    actor_shape(config, d, &shape);
    return mlp_pack(&shape, w, n, ret_packed, n_max);
}

static size_t sac_discrete_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct sac_discrete_actor);
}

static void sac_discrete_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    struct sac_discrete_actor *a = ret_actor;
    *a = (struct sac_discrete_actor){.n_choices = d->n_choices};
    actor_shape(config, d, &a->shape);
}

static void sac_discrete_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

/* a ~ pi(.|s) = softmax of the logits, or the likeliest */
static void sac_discrete_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    const struct sac_discrete_actor *a = actor;
    float logit[CHOICES_MAX];
    mlp_row(&a->shape, in->packed, in->obs, logit);
    ret_act[0] = (float)explore_softly(logit, a->n_choices, 1.0f, in, ret_logp);
}

const struct policy policy_sac_discrete = {
    .name = "sac_discrete",
    .source = "arXiv:1910.07207, Algorithm 1",
    .actions = ACTION_DISCRETE,
    .options = sac_discrete_options,
    .stat_names = soft_stats,
    .config_bytes = sizeof(struct sac_discrete_config),
    .check = sac_discrete_check,
    .wants = policy_wants_rows,
    .init = sac_discrete_init,
    .update = sac_discrete_update,
    .save = sac_discrete_save,
    .state = views_state,
    .restored = views_restored,
    .net = sac_discrete_net,
    .pack = sac_discrete_pack,
    .actor_bytes = sac_discrete_actor_bytes,
    .actor_init = sac_discrete_actor_init,
    .reset = sac_discrete_reset,
    .act = sac_discrete_act,
};
