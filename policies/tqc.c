/*
 * Truncated quantile critics: soft actor-critic whose critics learn distributions of returns; of
 * all their quantiles together the highest are left out of the target, and with them what is
 * overestimated.
 *
 * Kuznetsov, Shvechikov, Grishin and Vetrov 2020, "Controlling Overestimation Bias with Truncated
 * Mixture of Continuous Distributional Quantile Critics", arXiv:2005.04269, equations 9 to 13;
 * entropy and temperature as in arXiv:1812.05905. Departs from it: the loss is the sum over critics
 * of the mean over quantiles.
 */
#include "policies/nn/gauss_actor.h"
#include "policies/nn/quantile.h"
#include "policies/nn/temperature.h"
#include "policies/nn/views.h"
#include "policies/soft_actor.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRITICS_MAX   10
#define QUANTILES_MAX 64

struct tqc_config {
    struct net_settings net; /* first: gauss_actor.h */
    double learning_rate, tau;
    struct temperature_settings temperature;
    int n_critics, n_quantiles, top_quantiles_to_drop_per_net;
};

struct tqc {
    struct views views; /* first: its entries of struct policy */
    struct tqc_config c;
    int n_obs, n_act, kept;
    struct soft_actor pi;
    struct mlp q[CRITICS_MAX], q_targ[CRITICS_MAX]; /* (s, a) -> [n_quantiles] */
    struct adam opt[CRITICS_MAX];
    struct alpha alpha;
    int64_t skipped;
    float *one;             /* [B,A] */
    float *pool;            /* [B,n_critics n_quantiles]: of s', then y, lowest first */
    float *dq[CRITICS_MAX]; /* [B,n_quantiles] */
};

/* clang-format off */
#define AT(field) offsetof(struct tqc_config, field)
static const struct option tqc_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "3e-4",
     .help = "Adam's step for actor, critics and temperature"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "0.005",
     .help = "Polyak step of the target critics"},
    {.key = "n_critics", .type = OPTION_INT, .offset = AT(n_critics), .min = 1, .max = CRITICS_MAX, .def = "5",
     .help = "critics"},
    {.key = "n_quantiles", .type = OPTION_INT, .offset = AT(n_quantiles), .min = 1, .max = QUANTILES_MAX, .def = "25",
     .help = "quantiles of each"},
    {.key = "top_quantiles_to_drop_per_net", .type = OPTION_INT, .offset = AT(top_quantiles_to_drop_per_net), .min = 0, .max = QUANTILES_MAX - 1, .def = "2",
     .help = "so many for each critic are left out of the target, the highest of all together"},
    TEMPERATURE_OPTIONS,
    NET_OPTIONS("[256, 256]"),
    {.key = NULL},
};

/* clang-format on */

static const float *quantiles(const struct tqc *z, struct mlp *q, const float *s, const float *a,
                              int n)
{
    const size_t o = (size_t)z->n_obs, k = (size_t)z->n_act;
    for (size_t i = 0; i < (size_t)n; i++) {
        float *row = q->x[0].v + i * (size_t)q->x[0].ld;
        memcpy(row, s + i * o, o * sizeof *row);
        memcpy(row + o, a + i * k, k * sizeof *row);
    }
    return mlp_forward_inside(q, n);
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* y_i = r + gamma (1 - d) (z_(i) - alpha log pi(a'|s')),  z_(1) .. z_(kept): the lowest of all */
static void make_targets(struct tqc *z, const struct batch *b, float alpha)
{
    const int m = z->c.n_critics, k = z->c.n_quantiles, all = m * k;
    soft_actor_sample(&z->pi, b->s2, b->n);
    for (int c = 0; c < m; c++) {
        const float *t = quantiles(z, &z->q_targ[c], b->s2, z->pi.a, b->n);
        for (int i = 0; i < b->n; i++) {
            memcpy(z->pool + (size_t)(i * all + c * k), t + (size_t)(i * k), (size_t)k * sizeof *t);
        }
    }
    for (int i = 0; i < b->n; i++) {
        float *y = z->pool + (size_t)(i * all);
        qsort(y, (size_t)all, sizeof *y, compare);
        for (int j = 0; j < z->kept; j++) {
            y[j] = b->r[i] + b->g[i] * (y[j] - alpha * z->pi.logp[i]);
        }
    }
}

/* theta_c <- theta_c - lr grad E[ mean_i mean_j rho_tau_i(y_j - theta_c,i) ]. Returns the sum over
 * critics; when it is not finite nothing is changed. */
static float update_critics(struct tqc *z, const struct batch *b)
{
    const int k = z->c.n_quantiles, all = z->c.n_critics * k;
    const float inv_n = 1.0f / (float)b->n, part = 1.0f / (float)k;
    float loss = 0.0f;
    for (int c = 0; c < z->c.n_critics; c++) {
        const float *q = quantiles(z, &z->q[c], b->s, b->a, b->n);
        for (int i = 0; i < b->n; i++) {
            float *dq = z->dq[c] + (size_t)(i * k);
            const float *y = z->pool + (size_t)(i * all);
            const float of_row = part * quantile_loss(q + (size_t)(i * k), k, y, z->kept, dq);
            loss += b->w[i] * inv_n * of_row;
            for (int j = 0; j < k; j++) {
                dq[j] *= b->w[i] * inv_n * part;
            }
            if (b->ret_td != NULL && c == 0) {
                b->ret_td[i] = of_row;
            }
        }
    }
    for (int c = 0; c < z->c.n_critics && isfinite(loss); c++) {
        mlp_backward(&z->q[c], z->dq[c], b->n);
        mlp_step(&z->q[c], &z->opt[c]);
    }
    return loss;
}

/* The mean of all critics' quantiles at the actor's actions; its derivative by them, times dq, into
 * da. Returns its mean over the batch. */
static float backward_action(struct tqc *z, const float *s, int n, float dq)
{
    const int m = z->c.n_critics, k = z->c.n_quantiles;
    const struct input_part action = {.n = n, .from = z->n_obs, .columns = z->n_act};
    const float part = 1.0f / (float)(m * k);
    float mean = 0.0f;
    memset(z->pi.da, 0, (size_t)(n * z->n_act) * sizeof *z->pi.da);
    for (int c = 0; c < m; c++) {
        const float *q = quantiles(z, &z->q[c], s, z->pi.a, n);
        for (int i = 0; i < n * k; i++) {
            mean += part * q[i] / (float)n;
            z->dq[c][i] = part * dq;
        }
        mlp_backward_input(&z->q[c], z->dq[c], &action, z->one);
        for (int i = 0; i < n * z->n_act; i++) {
            z->pi.da[i] += z->one[i];
        }
    }
    return mean;
}

static void tqc_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct tqc *z = self;
    const int n = b->n;
    const float inv_n = 1.0f / (float)n, alpha = alpha_now(&z->alpha);

    make_targets(z, b, alpha);
    const float loss = update_critics(z, b);
    ret_stats->v[SOFT_CRITIC_LOSS] = (double)loss;
    ret_stats->v[SOFT_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }

    /* phi <- phi - lr grad E[ alpha log pi(a|s) - mean_c mean_i theta_c,i(s, a) ] */
    soft_actor_forward(&z->pi, b->s, n);
    const float q = backward_action(z, b->s, n, -inv_n);
    soft_actor_fit(&z->pi, alpha, n);
    ret_stats->v[SOFT_ACTOR_LOSS] = (double)(-alpha * z->pi.entropy - q);
    ret_stats->v[SOFT_ENT_COEF_LOSS] = (double)alpha_fit(&z->alpha, z->pi.entropy);
    ret_stats->v[SOFT_ENT_COEF] = (double)alpha;
    ret_stats->v[SOFT_ENTROPY] = (double)z->pi.entropy;

    /* theta'_c <- tau theta_c + (1 - tau) theta'_c */
    for (int c = 0; c < z->c.n_critics; c++) {
        mlp_blend(&z->q[c], (float)z->c.tau, &z->q_targ[c]);
    }
}

static int tqc_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct tqc_config *c = config;
    if (c->top_quantiles_to_drop_per_net >= c->n_quantiles) {
        return why(ret_why, cap, -EINVAL,
                   "policy.top_quantiles_to_drop_per_net %d leaves none of the %d quantiles",
                   c->top_quantiles_to_drop_per_net, c->n_quantiles);
    }
    const int rc = temperature_check(&c->temperature, d->n_act, ret_why, cap);
    return rc < 0 ? rc : net_check(&c->net, ret_why, cap);
}

static void name_all(struct tqc *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "actor", &z->pi.gauss.net, &z->pi.gauss.opt);
    for (int c = 0; c < z->c.n_critics; c++) {
        char name[32];
        (void)snprintf(name, sizeof name, "critic%d", c);
        views_trained(v, name, &z->q[c], &z->opt[c]);
        (void)snprintf(name, sizeof name, "critic%d_target", c);
        views_mlp(v, name, &z->q_targ[c]);
    }
    views_alpha(v, &z->alpha);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void init_critics(struct tqc *z, const struct net_spec *qf, struct arena *mem,
                         struct rng *rng)
{
    struct mlp_shape shape;
    net_shape(qf, qf->n_obs + qf->n_act, z->c.n_quantiles, &shape);
    for (int c = 0; c < z->c.n_critics; c++) {
        mlp_init(&z->q[c], &shape, qf->kernel, qf->rows, mem, rng);
        mlp_init(&z->q_targ[c], &shape, qf->kernel, qf->rows, mem, rng);
        mlp_copy(&z->q[c], &z->q_targ[c]);
        adam_init(&z->opt[c], z->q[c].kernel, z->q[c].n, &qf->adam, mem);
        z->dq[c] = arena_floats(mem, qf->rows * z->c.n_quantiles);
    }
}

static void *tqc_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct tqc *z = arena_take(mem, sizeof *z);
    const struct tqc_config *c = config;
    struct net_spec pi, qf;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    z->c = *c;
    z->n_obs = d->n_obs;
    z->n_act = d->n_act;
    z->kept = c->n_critics * (c->n_quantiles - c->top_quantiles_to_drop_per_net);
    soft_actor_init(&z->pi, &pi, NULL, mem, rng);
    init_critics(z, &qf, mem, rng);
    alpha_init_by(&z->alpha, &c->temperature, d->n_act, z->pi.gauss.net.kernel, c->learning_rate,
                  mem);
    z->one = arena_floats(mem, d->batch * d->n_act);
    z->pool = arena_floats(mem, d->batch * c->n_critics * c->n_quantiles);
    name_all(z, mem);
    return z;
}

static int tqc_save(const void *learner, float *ret_w, int n_max)
{
    const struct tqc *z = learner;
    return mlp_save(&z->pi.gauss.net, ret_w, n_max);
}

const struct policy policy_tqc = {
    .name = "tqc",
    .source = "arXiv:2005.04269, equations 9 to 13",
    .actions = ACTION_BOX,
    .options = tqc_options,
    .stat_names = soft_stats,
    .config_bytes = sizeof(struct tqc_config),
    .check = tqc_check,
    .wants = policy_wants_rows,
    .init = tqc_init,
    .update = tqc_update,
    .save = tqc_save,
    .state = views_state,
    .restored = views_restored,
    .net = gauss_actor_net,
    .pack = gauss_actor_pack,
    .actor_bytes = gauss_actor_bytes,
    .actor_init = gauss_actor_init,
    .reset = gauss_actor_reset,
    .act = gauss_actor_act,
};
