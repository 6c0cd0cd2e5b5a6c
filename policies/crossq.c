/*
 * CrossQ: soft actor-critic without target networks. One pass of each critic over (s, a) and (s',
 * a') together, batch-normalised over both, gives the estimate and the target.
 *
 * Bhatt, Palenicek et al. 2024, "CrossQ: Batch Normalization in Deep Reinforcement Learning for
 * Greater Sample Efficiency and Simplicity", arXiv:1902.05605, figure 1; batch renormalisation as
 * its authors' code has it (batchnorm.h), in the actor too; Adam's beta1 is 0.5. The target entropy
 * is -1 per action unless it is set. The policy that acts is the actor with its averages folded in.
 */
#include "policies/nn/bnet.h"
#include "policies/nn/gauss_actor.h"
#include "policies/nn/temperature.h"
#include "policies/nn/views.h"
#include "policies/soft_actor.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define CRITICS 2

struct crossq_config {
    struct net_settings net; /* first: gauss_actor.h */
    double learning_rate;
    struct temperature_settings temperature;
    int policy_delay;
    int64_t renorm_warmup_steps;
};

struct crossq {
    struct views views; /* first: its entries of struct policy */
    struct crossq_config c;
    struct rng *rng; /* the learner's */
    int n_obs, n_act;
    struct bnet pi, q[CRITICS];
    struct gauss squash;
    struct alpha alpha;
    int64_t updates, skipped;
    float *a2, *logp2, *a, *logp, *da, *dlogp; /* [B,A] [B] ... */
    float *dq[CRITICS], *dsa;                  /* [2B] [B,O+A] */
};

/* clang-format off */
#define AT(field) offsetof(struct crossq_config, field)
static const struct option crossq_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "1e-3",
     .help = "Adam's step for actor, critics and temperature"},
    {.key = "policy_delay", .type = OPTION_INT, .offset = AT(policy_delay), .min = 1, .max = 1000000, .def = "3",
     .help = "updates of the critics for one of actor and temperature"},
    {.key = "renorm_warmup_steps", .type = OPTION_INT64, .offset = AT(renorm_warmup_steps), .min = 0, .max = 1e15, .def = "100000",
     .help = "passes that are plain batch normalisation, before it is corrected towards its averages"},
    TEMPERATURE_OPTIONS,
    NET_OPTIONS_OF("[256, 256]", "false", "[0.5, 0.999]"),
    {.key = NULL},
};

/* clang-format on */

/* Rows of s and a side by side, n of them from row `at` on. */
static void join(const struct crossq *z, const float *s, const float *a, int n, int at,
                 float *ret_sa)
{
    const size_t o = (size_t)z->n_obs, k = (size_t)z->n_act;
    for (size_t i = 0; i < (size_t)n; i++) {
        float *row = ret_sa + ((size_t)at + i) * (o + k);
        memcpy(row, s + i * o, o * sizeof *row);
        memcpy(row + o, a + i * k, k * sizeof *row);
    }
}

/* (s, a) and (s', a') through critic i in one pass, by their common mean and variance. */
static const float *cross(struct crossq *z, int i, const struct batch *b)
{
    join(z, b->s, b->a, b->n, 0, bnet_input(&z->q[i]));
    join(z, b->s2, z->a2, b->n, b->n, bnet_input(&z->q[i]));
    return bnet_forward(&z->q[i], 2 * b->n, true);
}

static void actor_forward(struct crossq *z, const float *s, int n, bool learn, float *ret_a,
                          float *ret_logp)
{
    memcpy(bnet_input(&z->pi), s, (size_t)(n * z->n_obs) * sizeof *s);
    const float *out = bnet_forward(&z->pi, n, learn);
    squash_forward(&z->squash, out, n, z->rng, ret_a, ret_logp);
}

/* theta_i <- theta_i - lr grad E[ 1/2 (Q_i(s, a) - y)^2 ],  y = r + gamma (1 - d) (min_i Q_i(s',
 * a')
 * - alpha log pi(a'|s')) held fixed. Returns the loss; when it is not finite nothing is changed. */
static float update_critics(struct crossq *z, const struct batch *b, float alpha)
{
    const int n = b->n;
    const float *q[CRITICS], inv_n = 1.0f / (float)n;
    float loss = 0.0f;
    for (int i = 0; i < CRITICS; i++) {
        q[i] = cross(z, i, b);
    }
    for (int k = 0; k < n; k++) {
        const float next = fminf(q[0][n + k], q[1][n + k]);
        const float y = b->r[k] + b->g[k] * (next - alpha * z->logp2[k]);
        for (int i = 0; i < CRITICS; i++) {
            const float error = q[i][k] - y;
            loss += 0.5f * b->w[k] * error * error * inv_n;
            z->dq[i][k] = b->w[k] * error * inv_n;
            z->dq[i][n + k] = 0.0f;
        }
        if (b->ret_td != NULL) {
            b->ret_td[k] = fabsf(q[0][k] - y);
        }
    }
    for (int i = 0; i < CRITICS && isfinite(loss); i++) {
        bnet_backward(&z->q[i], z->dq[i], 2 * n);
        bnet_step(&z->q[i]);
    }
    return loss;
}

/* d/da min_i Q_i(s, a) times dq, each row through its smaller critic, into da. */
static float backward_action(struct crossq *z, const float *s, int n, float dq)
{
    const size_t o = (size_t)z->n_obs, k = (size_t)z->n_act;
    const float *q[CRITICS];
    float sum = 0.0f;
    for (int i = 0; i < CRITICS; i++) {
        join(z, s, z->a, n, 0, bnet_input(&z->q[i]));
        q[i] = bnet_forward(&z->q[i], n, false);
    }
    for (int j = 0; j < n; j++) {
        const int less = q[1][j] < q[0][j];
        sum += q[less][j];
        z->dq[less][j] = dq;
        z->dq[1 - less][j] = 0.0f;
    }
    memset(z->da, 0, (size_t)n * k * sizeof *z->da);
    for (int i = 0; i < CRITICS; i++) {
        bnet_backward_input(&z->q[i], z->dq[i], n, z->dsa);
        for (size_t j = 0; j < (size_t)n * k; j++) {
            z->da[j] += z->dsa[j / k * (o + k) + o + j % k];
        }
    }
    return sum;
}

/* phi <- phi - lr grad E[ alpha log pi(a|s) - min_i Q_i(s, a) ],  a = f_phi(s, eps) */
static void update_actor(struct crossq *z, const struct batch *b, float alpha,
                         struct stats *ret_stats)
{
    const int n = b->n;
    const float inv_n = 1.0f / (float)n;
    float entropy = 0.0f;
    actor_forward(z, b->s, n, true, z->a, z->logp);
    for (int i = 0; i < n; i++) {
        z->dlogp[i] = alpha * inv_n;
        entropy -= z->logp[i] * inv_n;
    }
    const float q = backward_action(z, b->s, n, -inv_n) * inv_n;
    const float *out = z->pi.dense[z->pi.shape.n_layers - 1].x[1].v;
    bnet_backward(&z->pi, squash_backward(&z->squash, out, z->a, z->da, z->dlogp, n), n);
    bnet_step(&z->pi);
    ret_stats->v[SOFT_ACTOR_LOSS] = (double)(-alpha * entropy - q);
    ret_stats->v[SOFT_ENTROPY] = (double)entropy;
    ret_stats->v[SOFT_ENT_COEF] = (double)alpha;
    ret_stats->v[SOFT_ENT_COEF_LOSS] = (double)alpha_fit(&z->alpha, entropy);
}

static void crossq_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct crossq *z = self;
    const float alpha = alpha_now(&z->alpha);

    /* a' ~ pi(.|s'), the actor by its averages */
    actor_forward(z, b->s2, b->n, false, z->a2, z->logp2);

    const float loss = update_critics(z, b, alpha);
    ret_stats->v[SOFT_CRITIC_LOSS] = (double)loss;
    ret_stats->v[SOFT_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (isfinite(loss) && ++z->updates % z->c.policy_delay == 0) {
        update_actor(z, b, alpha, ret_stats);
    }
}

static int crossq_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct crossq_config *c = config;
    if (c->net.layer_norm || c->net.layer_norm_actor || c->net.activation_fn != ACTIVATION_RELU) {
        return why(ret_why, cap, -EINVAL,
                   "crossq normalises over batches, with ReLU: leave out policy.layer_norm, "
                   "layer_norm_actor and activation_fn");
    }
    const int rc = temperature_check(&c->temperature, d->n_act, ret_why, cap);
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void name_all(struct crossq *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_bnet(v, "actor", &z->pi);
    for (int i = 0; i < CRITICS; i++) {
        views_bnet(v, i == 0 ? "critic0" : "critic1", &z->q[i]);
    }
    views_alpha(v, &z->alpha);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *crossq_init(const void *config, const struct dims *d, struct arena *mem,
                         struct rng *rng)
{
    struct crossq *z = arena_take(mem, sizeof *z);
    const struct crossq_config *c = config;
    const int64_t warmup = c->renorm_warmup_steps;
    struct net_spec pi, qf;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    qf.rows = 2 * d->batch;
    z->c = *c;
    z->rng = rng;
    z->n_obs = d->n_obs;
    z->n_act = d->n_act;
    bnet_init(&z->pi, &pi, d->n_obs, 2 * d->n_act, warmup, mem, rng);
    squash_init(&z->squash, &pi, mem);
    for (int i = 0; i < CRITICS; i++) {
        bnet_init(&z->q[i], &qf, d->n_obs + d->n_act, 1, warmup, mem, rng);
        z->dq[i] = arena_floats(mem, 2 * d->batch);
    }
    alpha_init_by(&z->alpha, &c->temperature, d->n_act, z->squash.net.kernel, c->learning_rate,
                  mem);
    z->a = arena_floats(mem, d->batch * d->n_act);
    z->a2 = arena_floats(mem, d->batch * d->n_act);
    z->da = arena_floats(mem, d->batch * d->n_act);
    z->dsa = arena_floats(mem, d->batch * (d->n_obs + d->n_act));
    z->logp = arena_floats(mem, d->batch);
    z->logp2 = arena_floats(mem, d->batch);
    z->dlogp = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

static int crossq_save(const void *learner, float *ret_w, int n_max)
{
    const struct crossq *z = learner;
    const int n = mlp_weights(&z->pi.shape);
    if (n_max < n) {
        return -ENOSPC;
    }
    bnet_fold(&z->pi, ret_w);
    return n;
}

const struct policy policy_crossq = {
    .name = "crossq",
    .source = "arXiv:1902.05605, figure 1",
    .actions = ACTION_BOX,
    .options = crossq_options,
    .stat_names = soft_stats,
    .config_bytes = sizeof(struct crossq_config),
    .check = crossq_check,
    .wants = policy_wants_rows,
    .init = crossq_init,
    .update = crossq_update,
    .save = crossq_save,
    .state = views_state,
    .restored = views_restored,
    .net = gauss_actor_net,
    .pack = gauss_actor_pack,
    .actor_bytes = gauss_actor_bytes,
    .actor_init = gauss_actor_init,
    .reset = gauss_actor_reset,
    .act = gauss_actor_act,
};
