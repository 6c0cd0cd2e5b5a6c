/*
 * Twin delayed deterministic policy gradient: DDPG with clipped double-Q, target policy smoothing
 * and a delayed actor.
 *
 * Fujimoto et al. 2018, "Addressing function approximation error in actor-critic methods",
 * arXiv:1802.09477, Algorithm 1. Departs from it: Ornstein-Uhlenbeck exploration beside Gaussian;
 * an update whose critic loss is not finite is skipped and counted.
 */
#include "policies/nn/gauss.h"
#include "policies/nn/mu.h"
#include "policies/nn/mu_actor.h"
#include "policies/nn/twin.h"
#include "policies/nn/views.h"

#include <assert.h>
#include <math.h>

struct td3_config {
    struct net_settings net; /* these two first: mu_actor reads them */
    struct noise_settings noise;
    double learning_rate, tau, target_policy_noise, target_noise_clip;
    int policy_delay;
};

static_assert(offsetof(struct td3_config, noise) == offsetof(struct mu_net, noise),
              "a struct mu_net");

struct td3 {
    struct views views; /* first: its entries of struct policy */
    struct td3_config c;
    struct rng *rng; /* the learner's */
    int n_act;
    struct mu mu, mu_targ;
    struct twin q, q_targ;
    int64_t updates, skipped;
    float *a, *da, *eps, *dq, *y; /* [B,A] [B,A] [B,A] [B] [B] */
};

/* clang-format off */
#define AT(field) offsetof(struct td3_config, field)
static const struct option td3_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "1e-3",
     .help = "Adam's step for actor and critics"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of the targets, per update of the actor"},
    {.key = "policy_delay", .type = OPTION_INT, .offset = AT(policy_delay), .min = 1, .max = 100, .def = "2",
     .help = "updates of the critics for each of actor and targets"},
    {.key = "target_policy_noise", .type = OPTION_DOUBLE, .offset = AT(target_policy_noise), .min = 0, .max = 2, .def = "0.2",
     .help = "standard deviation of the noise on the target's action, in action units"},
    {.key = "target_noise_clip", .type = OPTION_DOUBLE, .offset = AT(target_noise_clip), .min = 0, .max = 2, .def = "0.5",
     .help = "where that noise is clipped"},
    NOISE_OPTIONS,
    NET_OPTIONS("[400, 300]"),
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_CRITIC_LOSS, TRAIN_ACTOR_LOSS, TRAIN_SKIPPED };

static const char *const td3_stats[] = {"train/critic_loss", "train/actor_loss",
                                        "train/skipped_not_finite", NULL};

static float clip(float x, float most)
{
    return fmaxf(-most, fminf(most, x));
}

/* a~ = clip(mu'(s') + clip(eps, -c, c), -1, 1),  eps ~ N(0, sigma) */
static void smoothed_action(struct td3 *z, const float *s2, int n)
{
    const float std = (float)z->c.target_policy_noise, most = (float)z->c.target_noise_clip;
    mu_value(&z->mu_targ, s2, n, z->a);
    gauss_draw(z->mu.net.kernel, z->rng, n * z->n_act, z->eps);
    for (int i = 0; i < n * z->n_act; i++) {
        z->a[i] = clip(z->a[i] + clip(std * z->eps[i], most), 1.0f);
    }
}

static void td3_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct td3 *z = self;
    const int n = b->n;
    const float inv_n = 1.0f / (float)n;

    /* y = r + gamma (1 - d) min_i Q'_i(s', a~) */
    smoothed_action(z, b->s2, n);
    const float *t = twin_min(&z->q_targ, b->s2, z->a, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * t[i];
    }

    /* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - y)^2 ],  i = 1, 2 */
    const struct critic_target target = {z->y, b->w, b->ret_td};
    const float loss = twin_fit(&z->q, b->s, b->a, &target, n);
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)(0.5f * loss);
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss) || ++z->updates % z->c.policy_delay != 0) {
        return;
    }

    /* phi <- phi + lr E[ grad_a Q_1(s, a) at a = mu(s)  grad mu(s) ] */
    mu_forward(&z->mu, b->s, n, z->a);
    const float *q = critic_forward(&z->q.q[0], b->s, z->a, n);
    float objective = 0.0f;
    for (int i = 0; i < n; i++) {
        z->dq[i] = -inv_n;
        objective -= q[i] * inv_n;
    }
    critic_backward_action(&z->q.q[0], z->dq, NULL, n, z->da);
    mu_fit(&z->mu, z->a, z->da, n);
    ret_stats->v[TRAIN_ACTOR_LOSS] = (double)objective;

    /* theta'_i <- tau theta_i + (1 - tau) theta'_i,  phi' <- tau phi + (1 - tau) phi' */
    twin_blend(&z->q, (float)z->c.tau, &z->q_targ);
    mlp_blend(&z->mu.net, (float)z->c.tau, &z->mu_targ.net);
}

static int td3_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)d;
    const struct td3_config *c = config;
    return net_check(&c->net, ret_why, cap);
}

static void name_all(struct td3 *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->mu.net, &z->mu.opt);
    views_mlp(v, "actor_target", &z->mu_targ.net);
    views_twin(v, &z->q, &z->q_targ);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *td3_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct td3 *z = arena_take(mem, sizeof *z);
    const struct td3_config *c = config;
    const int n = d->batch * d->n_act;
    struct net_spec pi, qf;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    z->c = *c;
    z->rng = rng;
    z->n_act = d->n_act;
    mu_init(&z->mu, &pi, mem, rng);
    mu_init(&z->mu_targ, &pi, mem, rng);
    mlp_copy(&z->mu.net, &z->mu_targ.net);
    twin_init(&z->q, &qf, mem, rng);
    twin_init(&z->q_targ, &qf, mem, rng);
    twin_copy(&z->q, &z->q_targ);
    z->mu.net.team = z->mu_targ.net.team = z->q.team = z->q_targ.team = d->team;
    z->a = arena_floats(mem, n);
    z->da = arena_floats(mem, n);
    z->eps = arena_floats(mem, n + 1);
    z->dq = arena_floats(mem, d->batch);
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

static int td3_save(const void *learner, float *ret_w, int n_max)
{
    const struct td3 *z = learner;
    return mlp_save(&z->mu.net, ret_w, n_max);
}

const struct policy policy_td3 = {
    .name = "td3",
    .source = "arXiv:1802.09477, Algorithm 1",
    .actions = ACTION_BOX,
    .options = td3_options,
    .stat_names = td3_stats,
    .config_bytes = sizeof(struct td3_config),
    .check = td3_check,
    .wants = policy_wants_rows,
    .init = td3_init,
    .update = td3_update,
    .save = td3_save,
    .state = views_state,
    .restored = views_restored,
    .net = mu_actor_net,
    .pack = mu_actor_pack,
    .actor_bytes = mu_actor_bytes,
    .actor_init = mu_actor_init,
    .reset = mu_actor_reset,
    .act = mu_actor_act,
};
