/*
 * Deep deterministic policy gradient.
 *
 * Lillicrap et al. 2016, "Continuous control with deep reinforcement learning", arXiv:1509.02971,
 * Algorithm 1. Departs from it: the action joins the critic at its first layer; one learning rate
 * for actor and critic unless both are set; no batch normalisation, no weight decay unless asked
 * for; Gaussian exploration beside Ornstein-Uhlenbeck. The basic form is what that algorithm
 * repairs: no target networks, no replay, the newest steps once each. It is there to be seen
 * failing. Pictures: s is what an encoder makes of them, which learns by the critic's loss alone.
 */
#include "policies/nn/critic.h"
#include "policies/nn/mu.h"
#include "policies/nn/mu_actor.h"
#include "policies/nn/sight.h"
#include "policies/nn/views.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

struct ddpg_config {
    struct net_settings net; /* these two first: mu_actor reads them */
    struct noise_settings noise;
    double learning_rate, learning_rate_actor, tau;
    bool basic;
    struct encoder_settings encoder;
};

static_assert(offsetof(struct ddpg_config, noise) == offsetof(struct mu_net, noise),
              "a struct mu_net");

struct ddpg {
    struct views views; /* first: its entries of struct policy */
    struct ddpg_config c;
    int n_act;
    struct encoder see, see_targ; /* without a picture they are nothing */
    struct mu mu, mu_targ;
    struct critic q, q_targ;
    int64_t skipped;
    float *a, *da, *dq, *y; /* [B,A] [B,A] [B] [B] */
    float *ds;              /* [B,features]; NULL: no picture */
};

/* clang-format off */
#define AT(field) offsetof(struct ddpg_config, field)
static const struct option ddpg_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "1e-3",
     .help = "Adam's step for the critic"},
    {.key = "learning_rate_actor", .type = OPTION_DOUBLE, .offset = AT(learning_rate_actor), .min = 0, .max = 1, .def = "0",
     .help = "Adam's step for the actor; 0: the critic's"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of both targets, per update"},
    {.key = "basic", .type = OPTION_BOOL, .offset = AT(basic), .def = "false",
     .help = "no target networks and no replay: an update learns from the newest learner.train_freq steps, and is likely to be unstable"},
    NOISE_OPTIONS,
    NET_OPTIONS("[400, 300]"),
    ENCODER_OPTIONS,
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_CRITIC_LOSS, TRAIN_ACTOR_LOSS, TRAIN_SKIPPED };

static const char *const ddpg_stats[] = {"train/critic_loss", "train/actor_loss",
                                         "train/skipped_not_finite", NULL};

/* The loss before the step; when it is not finite nothing is changed. */
static float fit_critic(struct ddpg *z, const float *s, const struct batch *b)
{
    const struct critic_target target = {z->y, b->w, b->ret_td};
    critic_join(&z->q, s, b->a, b->n);
    const float loss = critic_loss(&z->q, &target, b->n);
    if (!isfinite(loss)) {
        return loss;
    }
    if (z->ds != NULL) {
        critic_backward_state(&z->q, b->n, z->ds);
        encoder_fit(&z->see, z->ds, b->n); /* s stays as it was before this step */
    }
    critic_step(&z->q, b->n);
    return loss;
}

static void ddpg_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct ddpg *z = self;
    const int n = b->n;
    const float inv_n = 1.0f / (float)n;

    /* y = r + gamma (1 - d) Q'(s', mu'(s'));  basic: Q and mu as they are */
    const float *s2 = encoder_forward(z->c.basic ? &z->see : &z->see_targ, b->s2, n);
    mu_value(z->c.basic ? &z->mu : &z->mu_targ, s2, n, z->a);
    const float *t = critic_forward(z->c.basic ? &z->q : &z->q_targ, s2, z->a, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * t[i];
    }

    /* theta_Q <- theta_Q - lr grad E[ 1/2 (Q(s, a) - y)^2 ] */
    const float *s = encoder_forward(&z->see, b->s, n);
    const float loss = fit_critic(z, s, b);
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)loss;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }

    /* theta_mu <- theta_mu + lr E[ grad_a Q(s, a) at a = mu(s)  grad mu(s) ] */
    mu_forward(&z->mu, s, n, z->a);
    const float *q = critic_forward(&z->q, s, z->a, n);
    float objective = 0.0f;
    for (int i = 0; i < n; i++) {
        z->dq[i] = -inv_n;
        objective -= q[i] * inv_n;
    }
    critic_backward_action(&z->q, z->dq, NULL, n, z->da);
    mu_fit(&z->mu, z->a, z->da, n);
    ret_stats->v[TRAIN_ACTOR_LOSS] = (double)objective;

    /* theta' <- tau theta + (1 - tau) theta' */
    if (!z->c.basic) {
        mlp_blend(&z->q.net, (float)z->c.tau, &z->q_targ.net);
        mlp_blend(&z->mu.net, (float)z->c.tau, &z->mu_targ.net);
        encoder_blend(&z->see, (float)z->c.tau, &z->see_targ);
    }
}

static const struct sighted ddpg_actor = {.net = mu_actor_net,
                                          .pack = mu_actor_pack,
                                          .bytes = mu_actor_bytes,
                                          .init = mu_actor_init,
                                          .reset = mu_actor_reset,
                                          .act = mu_actor_act,
                                          .encoder = AT(encoder)};

static int ddpg_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct ddpg_config *c = config;
    struct encoder_shape seen;
    struct dims features;
    const int rc = sight_dims(&ddpg_actor, c, d, &seen, &features, ret_why, cap);
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void ddpg_wants(const void *config, struct wants *ret_wants)
{
    const struct ddpg_config *c = config;
    *ret_wants = (struct wants){.needs = c->basic ? NEEDS_NEWEST : 0, .seg_len = 1};
}

static void name_all(struct ddpg *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_encoder(v, "encoder", &z->see, true);
    if (!z->c.basic) {
        views_encoder(v, "encoder_target", &z->see_targ, false);
    }
    views_trained(v, "actor", &z->mu.net, &z->mu.opt);
    views_trained(v, "critic", &z->q.net, &z->q.opt);
    if (!z->c.basic) {
        views_mlp(v, "actor_target", &z->mu_targ.net);
        views_mlp(v, "critic_target", &z->q_targ.net);
    }
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *ddpg_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct ddpg *z = arena_take(mem, sizeof *z);
    const struct ddpg_config *c = config;
    struct net_spec pi, qf;
    struct encoder_shape seen;
    struct dims features;
    const int rc = sight_dims(&ddpg_actor, c, d, &seen, &features, NULL, 0);
    basal_assert(rc == 0); /* ddpg_check has seen it */
    net_specs(&c->net, &features, c->learning_rate, &pi, &qf);
    z->c = *c;
    z->n_act = d->n_act;
    if (c->learning_rate_actor > 0.0) {
        pi.adam.lr = (float)c->learning_rate_actor;
    }
    mu_init(&z->mu, &pi, mem, rng);
    mu_init(&z->mu_targ, &pi, mem, rng);
    critic_init(&z->q, &qf, mem, rng);
    critic_init(&z->q_targ, &qf, mem, rng);
    mlp_copy(&z->mu.net, &z->mu_targ.net);
    mlp_copy(&z->q.net, &z->q_targ.net);
    encoder_init(&z->see, &seen, &qf, mem, rng);
    encoder_init(&z->see_targ, &seen, &qf, mem, rng);
    encoder_copy(&z->see, &z->see_targ);
    z->ds = seen.n_convs > 0 ? arena_floats(mem, d->batch * features.n_obs) : NULL;
    z->mu.net.team = z->mu_targ.net.team = z->q.net.team = z->q_targ.net.team = d->team;
    z->a = arena_floats(mem, d->batch * d->n_act);
    z->da = arena_floats(mem, d->batch * d->n_act);
    z->dq = arena_floats(mem, d->batch);
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

static int ddpg_save(const void *learner, float *ret_w, int n_max)
{
    const struct ddpg *z = learner;
    const int n = encoder_weights(&z->see.shape);
    if (n > n_max) {
        return -ENOSPC;
    }
    (void)encoder_save(&z->see, ret_w);
    const int own = mlp_save(&z->mu.net, ret_w + n, n_max - n);
    return own < 0 ? own : n + own;
}

/* --- acting --- */

static uint32_t ddpg_net(const void *config, const struct dims *d)
{
    return sight_net(&ddpg_actor, config, d);
}

static int ddpg_pack(const void *config, const struct dims *d, const float *w, int n,
                     float *ret_packed, int n_max)
{
    const struct sent_weights sent = {w, n};
    return sight_pack(&ddpg_actor, config, d, &sent, ret_packed, n_max);
}

static size_t ddpg_actor_bytes(const void *config, const struct dims *d)
{
    return sight_bytes(&ddpg_actor, config, d);
}

static void ddpg_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    sight_init(&ddpg_actor, config, d, ret_actor);
}

static void ddpg_reset(void *actor, struct rng *rng)
{
    sight_reset(&ddpg_actor, actor, rng);
}

static void ddpg_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    sight_act(&ddpg_actor, actor, in, ret_act, ret_logp);
}

const struct policy policy_ddpg = {
    .name = "ddpg",
    .source = "arXiv:1509.02971, Algorithm 1",
    .actions = ACTION_BOX,
    .pictures = true,
    .options = ddpg_options,
    .stat_names = ddpg_stats,
    .config_bytes = sizeof(struct ddpg_config),
    .check = ddpg_check,
    .wants = ddpg_wants,
    .init = ddpg_init,
    .update = ddpg_update,
    .save = ddpg_save,
    .state = views_state,
    .restored = views_restored,
    .net = ddpg_net,
    .pack = ddpg_pack,
    .actor_bytes = ddpg_actor_bytes,
    .actor_init = ddpg_actor_init,
    .reset = ddpg_reset,
    .act = ddpg_act,
};
