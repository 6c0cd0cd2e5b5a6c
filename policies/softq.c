/*
 * Soft Q-learning: a Q-function whose policy is its own Boltzmann distribution, and a network that
 * draws from it, taught by amortised Stein variational gradient descent.
 *
 * Haarnoja et al. 2017, "Reinforcement learning with deep energy-based policies", arXiv:1702.08165,
 * Algorithm 1 and equations 10 to 14. Departs from it: rewards are divided by alpha, so that what
 * is called Q and V here is the paper's over alpha (ent_coef is the inverse of the authors' reward
 * scale); the action is a = tanh u and particles live in u, where pi has no edge; the particles
 * that carry the score are others than those that are moved, as in the authors' code; the bandwidth
 * is that of Liu and Wang; targets may also move by Polyak steps; an update whose critic loss is
 * not finite is skipped and counted.
 */
#include "policies/nn/boltzmann.h"
#include "policies/nn/critic.h"
#include "policies/nn/gauss.h"
#include "policies/nn/settings.h"
#include "policies/nn/svgd.h"
#include "policies/nn/views.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct softq_config {
    double learning_rate, learning_rate_actor, tau, ent_coef, kernel_update_ratio;
    int target_update_interval, n_particles, value_n_particles;
    bool repulsion;
    struct net_settings net;
};

struct softq {
    struct views views; /* first: its entries of struct policy */
    struct softq_config c;
    struct rng *rng; /* the learner's */
    int n_obs, n_act;
    int n_fixed, n_moved, n_value; /* J, I, M: particles of each state */
    struct critic q, q_targ;
    struct mlp f; /* the sampler: (s, xi) -> u */
    struct adam f_opt;
    struct svgd svgd;
    int64_t updates, skipped;
    float *xi;       /* [B (I + J),A]: normals; or [B M,A]: uniform actions */
    float *a, *da;   /* [B J,A] */
    float *ones;     /* [B J] */
    float *score;    /* [B J,A] */
    float *delta;    /* [B I,A] */
    float *v, *y, e; /* [B] [B]; effective fraction of the value's particles */
};

/* clang-format off */
#define AT(field) offsetof(struct softq_config, field)
static const struct option softq_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "1e-3",
     .help = "Adam's step for the critic"},
    {.key = "learning_rate_actor", .type = OPTION_DOUBLE, .offset = AT(learning_rate_actor), .min = 0, .max = 1, .def = "0",
     .help = "Adam's step for the sampler; 0: the critic's"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "1",
     .help = "Polyak step of the target critic; 1 copies it"},
    {.key = "target_update_interval", .type = OPTION_INT, .offset = AT(target_update_interval), .min = 1, .max = 1000000, .def = "1000",
     .help = "updates between two of those steps"},
    {.key = "ent_coef", .type = OPTION_DOUBLE, .offset = AT(ent_coef), .min = 1e-4, .max = 1e4, .def = "0.1",
     .help = "temperature alpha, the inverse of a reward scale"},
    {.key = "n_particles", .type = OPTION_INT, .offset = AT(n_particles), .min = 2, .max = 256, .def = "32",
     .help = "actions that the sampler draws in each state of a batch"},
    {.key = "kernel_update_ratio", .type = OPTION_DOUBLE, .offset = AT(kernel_update_ratio), .min = 0, .max = 1, .def = "0.5",
     .help = "share of them that are moved; the others say whereto"},
    {.key = "value_n_particles", .type = OPTION_INT, .offset = AT(value_n_particles), .min = 1, .max = 256, .def = "16",
     .help = "uniform actions from which the soft value of a state is estimated"},
    {.key = "repulsion", .type = OPTION_BOOL, .offset = AT(repulsion), .def = "true",
     .help = "particles keep apart; false: all of them climb to the best action"},
    NET_OPTIONS("[128, 128]"),
    {.key = NULL},
};

/* clang-format on */

enum {
    TRAIN_CRITIC_LOSS,
    TRAIN_VALUE,
    TRAIN_VALUE_ESS,
    TRAIN_BANDWIDTH,
    TRAIN_STEIN,
    TRAIN_ENT_COEF,
    TRAIN_SKIPPED
};

static const char *const softq_stats[] = {"train/critic_loss",
                                          "train/value",
                                          "train/value_effective_fraction",
                                          "train/kernel_bandwidth",
                                          "train/stein_direction",
                                          "train/ent_coef",
                                          "train/skipped_not_finite",
                                          NULL};

/* Rows (s_i, x_i1) ... (s_i, x_ik), each k, for all i: s [n,n_obs], x [n each,n_act]. */
static void join(const struct softq *z, const float *s, const float *x, int n, int each,
                 struct matrix ret_sx)
{
    for (int row = 0; row < n * each; row++) {
        float *to = ret_sx.v + (ptrdiff_t)row * ret_sx.ld;
        memcpy(to, s + (ptrdiff_t)(row / each) * z->n_obs, (size_t)z->n_obs * sizeof(float));
        memcpy(to + z->n_obs, x + (ptrdiff_t)row * z->n_act, (size_t)z->n_act * sizeof(float));
    }
}

/* V(s) of the target critic, into v [n]. */
static void soft_values(struct softq *z, const float *s, int n)
{
    const int m = z->n_value;
    for (int i = 0; i < n * m * z->n_act; i++) {
        z->xi[i] = (float)(2.0 * rng_uniform(z->rng) - 1.0);
    }
    join(z, s, z->xi, n, m, z->q_targ.net.x[0]);
    const float *q = critic_value(&z->q_targ, n * m);
    z->e = 0.0f;
    for (int i = 0; i < n; i++) {
        float effective;
        z->v[i] = soft_value_estimate(q + (ptrdiff_t)i * m, m, z->n_act, 1.0f, &effective);
        z->e += effective / (float)n;
    }
}

/* Particles u_j = f(xi_j; s): first all that are moved, then all that are fixed; the scores of the
 * latter, grad_u log pi(u|s) = (1 - a^2) grad_a Q(s, a) - 2 a. Returns u. */
static const float *particles(struct softq *z, const float *s, int n)
{
    const int moved = n * z->n_moved, fixed = n * z->n_fixed, k = z->n_act;
    struct matrix from = z->f.x[0];
    gauss_draw(z->f.kernel, z->rng, (moved + fixed) * k, z->xi);
    join(z, s, z->xi, n, z->n_moved, from);
    from.v += (ptrdiff_t)moved * from.ld;
    join(z, s, z->xi + (ptrdiff_t)moved * k, n, z->n_fixed, from);
    const float *u = mlp_forward_inside(&z->f, moved + fixed);

    z->f.kernel->tanh(fixed * k, u + (ptrdiff_t)moved * k, z->a);
    join(z, s, z->a, n, z->n_fixed, z->q.net.x[0]);
    (void)critic_value(&z->q, fixed);
    critic_backward_action(&z->q, z->ones, NULL, fixed, z->da);
    for (int i = 0; i < fixed * k; i++) {
        z->score[i] = (1.0f - z->a[i] * z->a[i]) * z->da[i] - 2.0f * z->a[i];
    }
    return u;
}

static void softq_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct softq *z = self;
    const int n = b->n, k = z->n_act;

    /* V(s') = log mean_j exp Q'(s', a_j) + A log 2,  a_j ~ U[-1, 1]^A                       (10) */
    soft_values(z, b->s2, n);
    double value = 0.0;
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] / (float)z->c.ent_coef + b->g[i] * z->v[i];
        value += z->c.ent_coef * (double)z->v[i] / n;
    }
    ret_stats->v[TRAIN_VALUE] = value;
    ret_stats->v[TRAIN_VALUE_ESS] = (double)z->e;

    /* theta <- theta - lr grad E[ 1/2 (r / alpha + gamma (1 - d) V(s') - Q(s, a))^2 ]       (11) */
    const struct critic_target target = {z->y, b->w, b->ret_td};
    const float loss = critic_fit(&z->q, b->s, b->a, &target, n);
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)loss;
    ret_stats->v[TRAIN_ENT_COEF] = z->c.ent_coef;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }

    /* Du_i = mean_j [ k(u_j, u_i) grad log pi(u_j|s) + grad_{u_j} k(u_j, u_i) ],
     * u = f(xi; s),  xi ~ N(0, 1)                                                           (13) */
    const int moved = n * z->n_moved;
    const float *u = particles(z, b->s, n), *fixed = u + (ptrdiff_t)moved * k;
    const float inv = 1.0f / (float)moved;
    float wide = 0.0f, far = 0.0f;
    for (int i = 0; i < n; i++) {
        const ptrdiff_t from = (ptrdiff_t)i * z->n_fixed * k, to = (ptrdiff_t)i * z->n_moved * k;
        const float h = svgd_bandwidth(&z->svgd, fixed + from, u + to);
        svgd_direction(&z->svgd, z->score + from, h, z->c.repulsion, z->delta + to);
        wide += h / (float)n;
    }

    /* phi <- phi + lr E_i[ (df(xi_i; s) / dphi)' Du_i ]                                     (14) */
    for (int i = 0; i < moved * k; i++) {
        far += z->delta[i] * z->delta[i] * inv;
        z->delta[i] *= -inv;
    }
    mlp_backward(&z->f, z->delta, moved);
    mlp_step(&z->f, &z->f_opt);
    ret_stats->v[TRAIN_BANDWIDTH] = (double)wide;
    ret_stats->v[TRAIN_STEIN] = (double)sqrtf(far);

    /* every so many updates: theta' <- tau theta + (1 - tau) theta' */
    if (++z->updates % z->c.target_update_interval == 0) {
        mlp_blend(&z->q.net, (float)z->c.tau, &z->q_targ.net);
    }
}

static int n_moved(const struct softq_config *c)
{
    return (int)lround(c->kernel_update_ratio * c->n_particles);
}

static int softq_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)d;
    const struct softq_config *c = config;
    if (n_moved(c) < 1 || n_moved(c) >= c->n_particles) {
        return why(ret_why, cap, -EINVAL,
                   "policy.kernel_update_ratio must leave particles of both kinds, %g of %d are %d",
                   c->kernel_update_ratio, c->n_particles, n_moved(c));
    }
    return net_check(&c->net, ret_why, cap);
}

static void name_all(struct softq *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_trained(v, "sampler", &z->f, &z->f_opt);
    views_trained(v, "critic", &z->q.net, &z->q.opt);
    views_mlp(v, "critic_target", &z->q_targ.net);
    views_value(v, "updates", TENSOR_I64, 1, &z->updates);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

/* The sampler reads a state and A normals, and says A numbers. */
static void sampler_shape(const struct softq_config *c, const struct dims *d,
                          struct mlp_shape *ret_shape)
{
    struct dims wider = *d;
    wider.n_obs += d->n_act;
    net_actor_shape(&c->net, &wider, d->n_act, ret_shape);
}

static void init_networks(struct softq *z, const struct dims *d, struct arena *mem, struct rng *rng)
{
    const struct softq_config *c = &z->c;
    const int rows[] = {d->batch, d->batch * z->n_fixed, d->batch * z->n_value};
    struct net_spec pi, qf;
    struct mlp_shape f;
    net_specs(&c->net, d, c->learning_rate, &pi, &qf);
    sampler_shape(c, d, &f);
    if (c->learning_rate_actor > 0.0) {
        pi.adam.lr = (float)c->learning_rate_actor;
    }
    mlp_init(&z->f, &f, pi.kernel, d->batch * c->n_particles, mem, rng);
    adam_init(&z->f_opt, z->f.kernel, z->f.n, &pi.adam, mem);
    qf.rows = rows[1];
    critic_init(&z->q, &qf, mem, rng);
    qf.rows = rows[2];
    critic_init(&z->q_targ, &qf, mem, rng);
    mlp_copy(&z->q.net, &z->q_targ.net);
    z->f.team = z->q.net.team = z->q_targ.net.team = d->team;
}

static void *softq_init(const void *config, const struct dims *d, struct arena *mem,
                        struct rng *rng)
{
    struct softq *z = arena_take(mem, sizeof *z);
    z->c = *(const struct softq_config *)config;
    z->rng = rng;
    z->n_obs = d->n_obs;
    z->n_act = d->n_act;
    z->n_moved = n_moved(&z->c);
    z->n_fixed = z->c.n_particles - z->n_moved;
    z->n_value = z->c.value_n_particles;
    init_networks(z, d, mem, rng);
    svgd_init(&z->svgd, z->f.kernel, d->n_act, z->n_fixed, z->n_moved, mem);
    const int fixed = d->batch * z->n_fixed,
              most = z->c.n_particles > z->n_value ? z->c.n_particles : z->n_value;
    z->xi = arena_floats(mem, d->batch * most * d->n_act + 1); /* normals come in pairs */
    z->a = arena_floats(mem, fixed * d->n_act);
    z->da = arena_floats(mem, fixed * d->n_act);
    z->score = arena_floats(mem, fixed * d->n_act);
    z->delta = arena_floats(mem, d->batch * z->n_moved * d->n_act);
    z->ones = arena_floats(mem, fixed);
    for (int i = 0; i < fixed; i++) {
        z->ones[i] = 1.0f;
    }
    z->v = arena_floats(mem, d->batch);
    z->y = arena_floats(mem, d->batch);
    name_all(z, mem);
    return z;
}

static int softq_save(const void *learner, float *ret_w, int n_max)
{
    const struct softq *z = learner;
    return mlp_save(&z->f, ret_w, n_max);
}

/* --- acting --- */

struct softq_actor {
    struct mlp_shape shape;
    int n_obs, n_act;
};

static uint32_t softq_net(const void *config, const struct dims *d)
{
    struct mlp_shape shape;
    sampler_shape(config, d, &shape);
    return mlp_shape_id(&shape);
}

static int softq_pack(const void *config, const struct dims *d, const float *w, int n,
                      float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    sampler_shape(config, d, &shape);
    return mlp_pack(&shape, w, n, ret_packed, n_max);
}

static size_t softq_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct softq_actor);
}

static void softq_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    struct softq_actor *a = ret_actor;
    *a = (struct softq_actor){.n_obs = d->n_obs, .n_act = d->n_act};
    sampler_shape(config, d, &a->shape);
}

static void softq_reset(void *actor, struct rng *rng)
{
    (void)actor;
    (void)rng;
}

/* a = tanh f(xi; s),  xi ~ N(0, 1); without exploration xi = 0, the middle of what it draws */
static void softq_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    const struct softq_actor *a = actor;
    float x[OBS_MAX + ACT_MAX];
    memcpy(x, in->obs, (size_t)a->n_obs * sizeof(float));
    for (int k = 0; k < a->n_act; k++) {
        x[a->n_obs + k] = in->explore ? (float)rng_normal(in->rng) : 0.0f;
    }
    mlp_row(&a->shape, in->packed, x, ret_act);
    for (int k = 0; k < a->n_act; k++) {
        ret_act[k] = tanhf(ret_act[k]);
    }
    *ret_logp = NAN;
}

const struct policy policy_softq = {
    .name = "softq",
    .source = "arXiv:1702.08165, Algorithm 1",
    .actions = ACTION_BOX,
    .options = softq_options,
    .stat_names = softq_stats,
    .config_bytes = sizeof(struct softq_config),
    .check = softq_check,
    .wants = policy_wants_rows,
    .init = softq_init,
    .update = softq_update,
    .save = softq_save,
    .state = views_state,
    .restored = views_restored,
    .net = softq_net,
    .pack = softq_pack,
    .actor_bytes = softq_actor_bytes,
    .actor_init = softq_actor_init,
    .reset = softq_reset,
    .act = softq_act,
};
