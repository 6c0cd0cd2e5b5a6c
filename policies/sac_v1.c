/*
 * Soft actor-critic as it was first published: a value function beside two critics, a fixed
 * temperature.
 *
 * Haarnoja et al. 2018, "Soft Actor-Critic: Off-Policy Maximum Entropy Deep Reinforcement Learning
 * with a Stochastic Actor", arXiv:1801.01290, Algorithm 1 and equations 5 to 13. Departs from it:
 * the temperature stands in the equations (ent_coef, the inverse of the paper's reward scale), no
 * penalty on mu and log sigma, as the authors' code has one; an update whose loss is not finite is
 * skipped and counted. sac is the later version.
 */
#include "policies/nn/gauss_actor.h"
#include "policies/nn/settings.h"
#include "policies/nn/twin.h"
#include "policies/nn/views.h"
#include "policies/soft_actor.h"

#include <math.h>

struct sac_v1_config {
    struct net_settings net; /* first: gauss_actor reads it */
    double learning_rate, tau, ent_coef;
    int target_update_interval;
};

struct sac_v1 {
    struct views views; /* first: its entries of struct policy */
    struct sac_v1_config c;
    struct soft_actor pi;
    struct twin q;
    struct critic v, v_targ; /* of states alone: no action joins them */
    int64_t updates, skipped;
    float *y; /* [B] */
};

/* clang-format off */
#define AT(field) offsetof(struct sac_v1_config, field)
static const struct option sac_v1_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "3e-4",
     .help = "Adam's step for actor, critics and value function"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of the target value function"},
    {.key = "target_update_interval", .type = OPTION_INT, .offset = AT(target_update_interval), .min = 1, .max = 1000000, .def = "1",
     .help = "updates between two of those steps"},
    {.key = "ent_coef", .type = OPTION_DOUBLE, .offset = AT(ent_coef), .min = 1e-4, .max = 1e2, .def = "0.2",
     .help = "temperature alpha, the inverse of a reward scale"},
    NET_OPTIONS("[256, 256]"),
    {.key = NULL},
};

/* clang-format on */

enum {
    TRAIN_CRITIC_LOSS,
    TRAIN_VALUE_LOSS,
    TRAIN_ACTOR_LOSS,
    TRAIN_VALUE,
    TRAIN_ENT_COEF,
    TRAIN_ENTROPY,
    TRAIN_SKIPPED
};

static const char *const sac_v1_stats[] = {
    "train/critic_loss", "train/value_loss", "train/actor_loss",         "train/value",
    "train/ent_coef",    "train/entropy",    "train/skipped_not_finite", NULL};

static void sac_v1_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct sac_v1 *z = self;
    const int n = b->n;
    const float inv_n = 1.0f / (float)n, alpha = (float)z->c.ent_coef;

    /* psi <- psi - lr grad E[ 1/2 (V(s) - (min_i Q_i(s, a) - alpha log pi(a|s)))^2 ],
     * a = f_phi(s, eps)                                                                      (5) */
    soft_actor_forward(&z->pi, b->s, n);
    const float *q = twin_min(&z->q, b->s, z->pi.a, n);
    float value = 0.0f;
    for (int i = 0; i < n; i++) {
        z->y[i] = q[i] - alpha * z->pi.logp[i];
        value += z->y[i] * inv_n;
    }
    const struct critic_target of_v = {z->y, b->w, NULL};
    const float loss_v = critic_fit(&z->v, b->s, NULL, &of_v, n);

    /* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - (r + gamma (1 - d) V'(s')))^2 ]       (7) */
    const float *v2 = critic_forward(&z->v_targ, b->s2, NULL, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * v2[i];
    }
    const struct critic_target of_q = {z->y, b->w, b->ret_td};
    const float loss = twin_fit(&z->q, b->s, b->a, &of_q, n);
    const bool finite = isfinite(loss) && isfinite(loss_v);
    ret_stats->v[TRAIN_VALUE_LOSS] = (double)loss_v;
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)(0.5f * loss);
    ret_stats->v[TRAIN_VALUE] = (double)value;
    ret_stats->v[TRAIN_ENTROPY] = (double)z->pi.entropy;
    ret_stats->v[TRAIN_ENT_COEF] = z->c.ent_coef;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !finite);
    if (!finite) {
        return;
    }

    /* phi <- phi - lr grad E[ alpha log pi(a|s) - min_i Q_i(s, a) ],  the same a = f_phi(s, eps)
     *                                                                                       (12) */
    q = twin_min(&z->q, b->s, z->pi.a, n);
    ret_stats->v[TRAIN_ACTOR_LOSS] = (double)soft_actor_loss(&z->pi, alpha, q, n);
    twin_backward_action(&z->q, -inv_n, n, z->pi.da);
    soft_actor_fit(&z->pi, alpha, n);

    /* psi' <- tau psi + (1 - tau) psi' */
    if (++z->updates % z->c.target_update_interval == 0) {
        mlp_blend(&z->v.net, (float)z->c.tau, &z->v_targ.net);
    }
}

static int sac_v1_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)d;
    const struct sac_v1_config *c = config;
    return net_check(&c->net, ret_why, cap);
}

static void name_all(struct sac_v1 *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi.gauss.net, &z->pi.gauss.opt);
    views_trained(v, "critic0", &z->q.q[0].net, &z->q.q[0].opt);
    views_trained(v, "critic1", &z->q.q[1].net, &z->q.q[1].opt);
    views_trained(v, "value", &z->v.net, &z->v.opt);
    views_mlp(v, "value_target", &z->v_targ.net);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *sac_v1_init(const void *config, const struct dims *d, struct arena *mem,
                         struct rng *rng)
{
    struct sac_v1 *z = arena_take(mem, sizeof *z);
    const struct sac_v1_config *c = config;
    struct net_spec pi, qf, vf;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    vf = qf;
    vf.n_act = 0;
    z->c = *c;
    soft_actor_init(&z->pi, &pi, NULL, mem, rng);
    twin_init(&z->q, &qf, mem, rng);
    critic_init(&z->v, &vf, mem, rng);
    critic_init(&z->v_targ, &vf, mem, rng);
    mlp_copy(&z->v.net, &z->v_targ.net);
    z->pi.gauss.net.team = z->q.team = z->v.net.team = z->v_targ.net.team = d->team;
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

static int sac_v1_save(const void *learner, float *ret_w, int n_max)
{
    const struct sac_v1 *z = learner;
    return mlp_save(&z->pi.gauss.net, ret_w, n_max);
}

const struct policy policy_sac_v1 = {
    .name = "sac_v1",
    .source = "arXiv:1801.01290, Algorithm 1",
    .actions = ACTION_BOX,
    .options = sac_v1_options,
    .stat_names = sac_v1_stats,
    .config_bytes = sizeof(struct sac_v1_config),
    .check = sac_v1_check,
    .wants = policy_wants_rows,
    .init = sac_v1_init,
    .update = sac_v1_update,
    .save = sac_v1_save,
    .state = views_state,
    .restored = views_restored,
    .net = gauss_actor_net,
    .pack = gauss_actor_pack,
    .actor_bytes = gauss_actor_bytes,
    .actor_init = gauss_actor_init,
    .reset = gauss_actor_reset,
    .act = gauss_actor_act,
};
