#include "policies/ensemble_sac.h"

#include <errno.h>
#include <math.h>

struct ensemble_sac {
    struct views views; /* first: its entries of struct policy */
    struct ensemble_sac_config c;
    struct rng *rng; /* the learner's */
    struct soft_actor pi;
    struct ensemble q, q_targ;
    struct alpha alpha;
    int64_t updates, skipped;
    float *y; /* [B] */
};

/* phi <- phi - lr grad E[ alpha log pi(a|s) - 1/N sum_i Q_i(s, a) ],  a = f_phi(s, eps) */
static void update_actor(struct ensemble_sac *z, const struct batch *b, struct stats *ret_stats)
{
    const int n = b->n;
    const float inv_n = 1.0f / (float)n, alpha = alpha_now(&z->alpha);
    soft_actor_forward(&z->pi, b->s, n);
    const float *q = ensemble_mean(&z->q, b->s, z->pi.a, n);
    ret_stats->v[SOFT_ACTOR_LOSS] = (double)soft_actor_loss(&z->pi, alpha, q, n);
    ensemble_backward_action(&z->q, -inv_n, n, z->pi.da);
    soft_actor_fit(&z->pi, alpha, n);
    ret_stats->v[SOFT_ENT_COEF_LOSS] = (double)alpha_fit(&z->alpha, z->pi.entropy);
    ret_stats->v[SOFT_ENT_COEF] = (double)alpha;
    ret_stats->v[SOFT_ENTROPY] = (double)z->pi.entropy;
}

void ensemble_sac_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct ensemble_sac *z = self;
    const int n = b->n;
    const float alpha = z->c.backup_entropy ? alpha_now(&z->alpha) : 0.0f;
    int some[ENSEMBLE_MAX];

    /* y = r + gamma (1 - d) (min_{i in M} Q'_i(s', a') - alpha log pi(a'|s')),  a' ~ pi(.|s') */
    soft_actor_sample(&z->pi, b->s2, n);
    ensemble_draw(z->q_targ.n, z->c.n_least, z->rng, some);
    const float *t = ensemble_least(&z->q_targ, some, z->c.n_least, b->s2, z->pi.a, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * (t[i] - alpha * z->pi.logp[i]);
    }

    /* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - y)^2 ],  i = 1 .. N */
    const struct critic_target target = {z->y, b->w, b->ret_td};
    const float loss = ensemble_fit(&z->q, b->s, b->a, &target, n);
    ret_stats->v[SOFT_CRITIC_LOSS] = (double)loss;
    ret_stats->v[SOFT_SKIPPED] = (double)(z->skipped += !isfinite(loss));
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
    if (c->n_least > c->n_critics) {
        return why(ret_why, cap, -EINVAL, "policy.n_min_critics %d is more than n_critics %d",
                   c->n_least, c->n_critics);
    }
    const int rc = temperature_check(&c->temperature, d->n_act, ret_why, cap);
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void name_all(struct ensemble_sac *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi.gauss.net, &z->pi.gauss.opt);
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
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    qf.dropout = (float)c->dropout;
    z->c = *c;
    z->rng = rng;
    soft_actor_init(&z->pi, &pi, NULL, mem, rng);
    ensemble_init(&z->q, c->n_critics, &qf, mem, rng);
    ensemble_init(&z->q_targ, c->n_critics, &qf, mem, rng);
    ensemble_copy(&z->q, &z->q_targ);
    alpha_init_by(&z->alpha, &c->temperature, d->n_act, z->pi.gauss.net.kernel, c->learning_rate,
                  mem);
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

int ensemble_sac_save(const void *learner, float *ret_w, int n_max)
{
    const struct ensemble_sac *z = learner;
    return mlp_save(&z->pi.gauss.net, ret_w, n_max);
}
