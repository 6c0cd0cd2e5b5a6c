#include "policies/ensemble_sac.h"

#include "policies/nn/ensemble.h"
#include "policies/nn/gauss.h"
#include "policies/nn/temperature.h"

#include <errno.h>
#include <math.h>

struct ensemble_sac {
    struct views views; /* first: its entries of struct policy */
    struct ensemble_sac_config c;
    struct rng *rng; /* the learner's */
    struct gauss pi;
    struct ensemble q, q_targ;
    struct alpha alpha;
    int64_t updates, skipped;
    float *a, *logp, *y; /* [B,A] [B] [B] */
    float *da, *dlogp;   /* [B,A] [B] */
};

enum {
    TRAIN_CRITIC_LOSS,
    TRAIN_ACTOR_LOSS,
    TRAIN_ENT_COEF,
    TRAIN_ENT_COEF_LOSS,
    TRAIN_ENTROPY,
    TRAIN_SKIPPED
};

const char *const ensemble_sac_stats[] = {"train/critic_loss",
                                          "train/actor_loss",
                                          "train/ent_coef",
                                          "train/ent_coef_loss",
                                          "train/entropy",
                                          "train/skipped_not_finite",
                                          NULL};

/* phi <- phi - lr grad E[ alpha log pi(a|s) - 1/N sum_i Q_i(s, a) ],  a = f_phi(s, eps) */
static void update_actor(struct ensemble_sac *z, const struct batch *b, struct stats *ret_stats)
{
    const int n = b->n;
    const float inv_n = 1.0f / (float)n, alpha = alpha_now(&z->alpha);
    float objective = 0.0f, entropy = 0.0f;
    gauss_forward(&z->pi, b->s, n, z->rng, z->a, z->logp);
    const float *q = ensemble_mean(&z->q, b->s, z->a, n);
    for (int i = 0; i < n; i++) {
        z->dlogp[i] = alpha * inv_n;
        objective += (alpha * z->logp[i] - q[i]) * inv_n;
        entropy -= z->logp[i] * inv_n;
    }
    ensemble_backward_action(&z->q, -inv_n, n, z->da);
    gauss_fit(&z->pi, z->a, z->da, z->dlogp, n);
    ret_stats->v[TRAIN_ACTOR_LOSS] = (double)objective;
    ret_stats->v[TRAIN_ENTROPY] = (double)entropy;
    ret_stats->v[TRAIN_ENT_COEF] = (double)alpha;
    ret_stats->v[TRAIN_ENT_COEF_LOSS] = (double)alpha_fit(&z->alpha, entropy);
}

void ensemble_sac_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct ensemble_sac *z = self;
    const int n = b->n;
    const float alpha = z->c.backup_entropy ? alpha_now(&z->alpha) : 0.0f;
    int some[ENSEMBLE_MAX];

    /* y = r + gamma (1 - d) (min_{i in M} Q'_i(s', a') - alpha log pi(a'|s')),  a' ~ pi(.|s') */
    gauss_sample(&z->pi, b->s2, n, z->rng, z->a, z->logp);
    ensemble_draw(z->q_targ.n, z->c.n_least, z->rng, some);
    const float *t = ensemble_least(&z->q_targ, some, z->c.n_least, b->s2, z->a, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * (t[i] - alpha * z->logp[i]);
    }

    /* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - y)^2 ],  i = 1 .. N */
    const struct critic_target target = {z->y, b->w, b->ret_td};
    const float loss = ensemble_fit(&z->q, b->s, b->a, &target, n);
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)loss;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }

    /* actor and temperature, once for several updates of the critics */
    if (++z->updates % z->c.policy_delay == 0) {
        update_actor(z, b, ret_stats);
    }

    /* theta'_i <- tau theta_i + (1 - tau) theta'_i */
    ensemble_blend(&z->q, (float)z->c.tau, &z->q_targ);
}

int ensemble_sac_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct ensemble_sac_config *c = config;
    struct temperature t;
    if (c->n_least > c->n_critics) {
        return why(ret_why, cap, -EINVAL, "policy.n_min_critics %d is more than n_critics %d",
                   c->n_least, c->n_critics);
    }
    const int rc = temperature_read(c->ent_coef, c->target_entropy, d->n_act, &t, ret_why, cap);
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void name_all(struct ensemble_sac *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi.net, &z->pi.opt);
    views_ensemble(v, &z->q, &z->q_targ);
    views_alpha(v, &z->alpha);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

void *ensemble_sac_init(const void *config, const struct dims *d, struct arena *mem,
                        struct rng *rng)
{
    struct ensemble_sac *z = arena_take(mem, sizeof *z);
    const struct ensemble_sac_config *c = config;
    struct net_spec pi, qf;
    struct temperature t;
    const int rc = temperature_read(c->ent_coef, c->target_entropy, d->n_act, &t, NULL, 0);
    basal_assert(rc == 0); /* check has seen it */
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    qf.dropout = (float)c->dropout;
    z->c = *c;
    z->rng = rng;
    gauss_init(&z->pi, &pi, mem, rng);
    ensemble_init(&z->q, c->n_critics, &qf, mem, rng);
    ensemble_init(&z->q_targ, c->n_critics, &qf, mem, rng);
    ensemble_copy(&z->q, &z->q_targ);
    alpha_init(&z->alpha, &t, z->pi.net.kernel, c->learning_rate, mem);
    z->a = arena_floats(mem, d->batch * d->n_act);
    z->logp = arena_floats(mem, d->batch);
    z->da = arena_floats(mem, d->batch * d->n_act);
    z->dlogp = arena_floats(mem, d->batch);
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

int ensemble_sac_save(const void *learner, float *ret_w, int n_max)
{
    const struct ensemble_sac *z = learner;
    return mlp_save(&z->pi.net, ret_w, n_max);
}
