/*
 * Soft actor-critic: twin critics, automatic temperature.
 *
 * Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications", arXiv:1812.05905,
 * Algorithm 1 and equations 5 to 18; use_sde is of arXiv:2005.05719. Departs from it: alpha is
 * stepped as log alpha and clipped to [1e-4, 1e2]; an update whose critic loss is not finite is
 * skipped and counted. Pictures: s is what an encoder makes of them, which learns by the critics'
 * loss alone, as in arXiv:1910.01741 (SAC-AE, without its decoder).
 */
#include "policies/nn/sde_actor.h"
#include "policies/nn/sight.h"
#include "policies/nn/temperature.h"
#include "policies/nn/twin.h"
#include "policies/nn/views.h"
#include "policies/soft_actor.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

struct sac_config {
    struct net_settings net; /* these two first: sde_actor reads them */
    struct sde_settings sde;
    double learning_rate, tau;
    struct temperature_settings temperature;
    int target_update_interval;
    struct encoder_settings encoder;
};

static_assert(offsetof(struct sac_config, sde) == offsetof(struct sde_net, sde),
              "a struct sde_net");

struct sac {
    struct views views; /* first: its entries of struct policy */
    struct sac_config c;
    struct encoder see, see_targ; /* without a picture they are nothing */
    struct soft_actor pi;
    struct twin q, q_targ;
    struct alpha alpha;
    int64_t updates, skipped;
    float *y; /* [B] */
};

/* clang-format off */
#define AT(field) offsetof(struct sac_config, field)
static const struct option sac_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "3e-4",
     .help = "Adam's step for actor, critics and temperature"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of the target critics"},
    {.key = "target_update_interval", .type = OPTION_INT, .offset = AT(target_update_interval), .min = 1, .max = 1000000, .def = "1",
     .help = "updates between two of those steps"},
    TEMPERATURE_OPTIONS,
    SDE_OPTIONS,
    NET_OPTIONS("[256, 256]"),
    ENCODER_OPTIONS,
    {.key = NULL},
};

/* clang-format on */

static void sac_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct sac *z = self;
    const int n = b->n;
    const float inv_n = 1.0f / (float)n, alpha = alpha_now(&z->alpha);

    /* y = r + gamma (1 - d) (min_i Q'_i(s', a') - alpha log pi(a'|s')),  a' ~ pi(.|s') */
    soft_actor_sample(&z->pi, encoder_forward(&z->see, b->s2, n), n);
    const float *t = twin_min(&z->q_targ, encoder_forward(&z->see_targ, b->s2, n), z->pi.a, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * (t[i] - alpha * z->pi.logp[i]);
    }

    /* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - y)^2 ],  i = 1, 2 */
    const struct critic_target target = {z->y, b->w, b->ret_td};
    const float *s = encoder_forward(&z->see, b->s, n);
    const float loss = twin_fit(&z->q, s, b->a, &target, n);
    ret_stats->v[SOFT_CRITIC_LOSS] = (double)(0.5f * loss);
    ret_stats->v[SOFT_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }
    if (z->q.ds[0] != NULL) {
        encoder_fit(&z->see, twin_state(&z->q, n), n); /* s stays as it was before this step */
    }

    /* phi <- phi - lr grad E[ alpha log pi(a|s) - min_i Q_i(s, a) ],  a = f_phi(s, eps) */
    soft_actor_forward(&z->pi, s, n);
    const float *q = twin_min_there(&z->q, z->pi.a, n);
    ret_stats->v[SOFT_ACTOR_LOSS] = (double)soft_actor_loss(&z->pi, alpha, q, n);
    twin_backward_action(&z->q, -inv_n, n, z->pi.da);
    soft_actor_fit(&z->pi, alpha, n);

    /* alpha <- alpha - lr grad E[ -log alpha (log pi(a|s) + H) ] */
    ret_stats->v[SOFT_ENT_COEF_LOSS] = (double)alpha_fit(&z->alpha, z->pi.entropy);
    ret_stats->v[SOFT_ENT_COEF] = (double)alpha;
    ret_stats->v[SOFT_ENTROPY] = (double)z->pi.entropy;

    /* theta'_i <- tau theta_i + (1 - tau) theta'_i */
    if (++z->updates % z->c.target_update_interval == 0) {
        twin_blend(&z->q, (float)z->c.tau, &z->q_targ);
        encoder_blend(&z->see, (float)z->c.tau, &z->see_targ);
    }
}

static const struct sighted sac_actor = {.net = sde_actor_net,
                                         .pack = sde_actor_pack,
                                         .bytes = sde_actor_bytes,
                                         .init = sde_actor_init,
                                         .reset = sde_actor_reset,
                                         .act = sde_actor_act,
                                         .encoder = AT(encoder)};

static int sac_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct sac_config *c = config;
    struct encoder_shape seen;
    struct dims features;
    int rc = temperature_check(&c->temperature, d->n_act, ret_why, cap);
    rc = rc == 0 ? sight_dims(&sac_actor, c, d, &seen, &features, ret_why, cap) : rc;
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void name_all(struct sac *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_encoder(v, "encoder", &z->see, true);
    views_encoder(v, "encoder_target", &z->see_targ, false);
    views_trained(v, "actor", &z->pi.gauss.net, &z->pi.gauss.opt);
    if (z->pi.gauss.sde != NULL) {
        views_sde(v, z->pi.gauss.sde);
    }
    views_twin(v, &z->q, &z->q_targ);
    views_alpha(v, &z->alpha);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *sac_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct sac *z = arena_take(mem, sizeof *z);
    const struct sac_config *c = config;
    struct net_spec pi, qf;
    struct encoder_shape seen;
    struct dims features;
    const int rc = sight_dims(&sac_actor, c, d, &seen, &features, NULL, 0);
    basal_assert(rc == 0); /* sac_check has seen it */
    net_specs(&c->net, &features, c->learning_rate, &pi, &qf);
    z->c = *c;
    soft_actor_init(&z->pi, &pi, &c->sde, mem, rng);
    twin_init(&z->q, &qf, mem, rng);
    twin_init(&z->q_targ, &qf, mem, rng);
    twin_copy(&z->q, &z->q_targ);
    encoder_init(&z->see, &seen, &qf, mem, rng);
    encoder_init(&z->see_targ, &seen, &qf, mem, rng);
    encoder_copy(&z->see, &z->see_targ);
    if (seen.n_convs > 0) {
        twin_want_state(&z->q, d->batch, mem);
    }
    z->pi.gauss.net.team = z->q.team = z->q_targ.team = d->team;
    alpha_init_by(&z->alpha, &c->temperature, d->n_act, z->pi.gauss.net.kernel, c->learning_rate,
                  mem);
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

static int sac_save(const void *learner, float *ret_w, int n_max)
{
    const struct sac *z = learner;
    const int n = encoder_weights(&z->see.shape);
    if (n > n_max) {
        return -ENOSPC;
    }
    (void)encoder_save(&z->see, ret_w);
    const int own = sde_actor_save(&z->pi.gauss, ret_w + n, n_max - n);
    return own < 0 ? own : n + own;
}

/* --- acting --- */

static uint32_t sac_net(const void *config, const struct dims *d)
{
    return sight_net(&sac_actor, config, d);
}

static int sac_pack(const void *config, const struct dims *d, const float *w, int n,
                    float *ret_packed, int n_max)
{
    const struct sent_weights sent = {w, n};
    return sight_pack(&sac_actor, config, d, &sent, ret_packed, n_max);
}

static size_t sac_actor_bytes(const void *config, const struct dims *d)
{
    return sight_bytes(&sac_actor, config, d);
}

static void sac_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    sight_init(&sac_actor, config, d, ret_actor);
}

static void sac_reset(void *actor, struct rng *rng)
{
    sight_reset(&sac_actor, actor, rng);
}

static void sac_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    sight_act(&sac_actor, actor, in, ret_act, ret_logp);
}

const struct policy policy_sac = {
    .name = "sac",
    .source = "arXiv:1812.05905, Algorithm 1",
    .actions = ACTION_BOX,
    .pictures = true,
    .options = sac_options,
    .stat_names = soft_stats,
    .config_bytes = sizeof(struct sac_config),
    .check = sac_check,
    .wants = policy_wants_rows,
    .init = sac_init,
    .update = sac_update,
    .save = sac_save,
    .state = views_state,
    .restored = views_restored,
    .net = sac_net,
    .pack = sac_pack,
    .actor_bytes = sac_actor_bytes,
    .actor_init = sac_actor_init,
    .reset = sac_reset,
    .act = sac_act,
};
