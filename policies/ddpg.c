/*
 * Deep deterministic policy gradient.
 *
 * Lillicrap et al. 2016, "Continuous control with deep reinforcement learning", arXiv:1509.02971,
 * Algorithm 1. Departs from it: the action joins the critic at its first layer; one learning rate
 * for actor and critic unless both are set; no batch normalisation, no weight decay; Gaussian
 * exploration beside Ornstein-Uhlenbeck.
 */
#include "policies/nn/critic.h"
#include "policies/nn/views.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum noise { NOISE_NORMAL, NOISE_OU };

static const char *const noise_names[] = {"normal", "ornstein_uhlenbeck", NULL};

struct ddpg_config {
    double learning_rate, learning_rate_actor, tau, action_noise_std, ou_theta;
    int action_noise; /* enum noise */
    int n_hidden, hidden[LAYERS_MAX - 1];
};

struct ddpg {
    struct ddpg_config c;
    int n_act;
    struct mlp mu, mu_targ;
    struct adam mu_opt;
    struct critic q, q_targ;
    int64_t skipped;
    float *a, *da, *dq, *y; /* [B,A] [B,A] [B] [B] */
    struct views views;
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
    {.key = "action_noise", .type = OPTION_CHOICE, .offset = AT(action_noise), .def = "normal", .choices = noise_names,
     .help = "exploration noise"},
    {.key = "action_noise_std", .type = OPTION_DOUBLE, .offset = AT(action_noise_std), .min = 0, .max = 2, .def = "0.1",
     .help = "its standard deviation per step, in action units"},
    {.key = "ou_theta", .type = OPTION_DOUBLE, .offset = AT(ou_theta), .min = 0, .max = 1, .def = "0.15",
     .help = "pull of Ornstein-Uhlenbeck noise back to 0, per step"},
    {.key = "net_arch", .type = OPTION_INTS, .offset = AT(hidden), .min = 1, .max = MLP_WIDTH_MAX, .def = "[256, 256]",
     .n_max = LAYERS_MAX - 1, .n_offset = AT(n_hidden), .help = "hidden layers of actor and critic"},
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_CRITIC_LOSS, TRAIN_ACTOR_LOSS, TRAIN_SKIPPED };

static const char *const ddpg_stats[] = {"train/critic_loss", "train/actor_loss",
                                         "train/skipped_not_finite", NULL};

/* mu(s): the network's output through tanh */
static void act_all(struct mlp *mu, const float *s, int n, int n_act, float *ret_a)
{
    mu->kernel->tanh(n * n_act, mlp_forward(mu, s, n), ret_a);
}

static void ddpg_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct ddpg *z = self;
    const int n = b->n;
    const float inv_n = 1.0f / (float)n;

    /* y = r + gamma (1 - d) Q'(s', mu'(s')) */
    act_all(&z->mu_targ, b->s2, n, z->n_act, z->a);
    const float *t = critic_forward(&z->q_targ, b->s2, z->a, n);
    for (int i = 0; i < n; i++) {
        z->y[i] = b->r[i] + b->g[i] * t[i];
    }

    /* theta_Q <- theta_Q - lr grad E[ 1/2 (Q(s, a) - y)^2 ] */
    const float loss =
        critic_fit(&z->q, b->s, b->a, &(struct critic_target){z->y, b->w, b->ret_td}, n);
    ret_stats->v[TRAIN_CRITIC_LOSS] = (double)loss;
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }

    /* theta_mu <- theta_mu + lr E[ grad_a Q(s, a) at a = mu(s)  grad mu(s) ] */
    act_all(&z->mu, b->s, n, z->n_act, z->a);
    const float *q = critic_forward(&z->q, b->s, z->a, n);
    float objective = 0.0f;
    for (int i = 0; i < n; i++) {
        z->dq[i] = -inv_n;
        objective -= q[i] * inv_n;
    }
    critic_backward_action(&z->q, z->dq, NULL, n, z->da);
    for (int i = 0; i < n * z->n_act; i++) {
        z->da[i] *= 1.0f - z->a[i] * z->a[i];
    }
    mlp_zero_grad(&z->mu);
    mlp_backward(&z->mu, z->da, n);
    adam_step(&z->mu_opt, z->mu.g, z->mu.w);
    mlp_changed(&z->mu);
    ret_stats->v[TRAIN_ACTOR_LOSS] = (double)objective;

    /* theta' <- tau theta + (1 - tau) theta' */
    mlp_blend(&z->q.net, (float)z->c.tau, &z->q_targ.net);
    mlp_blend(&z->mu, (float)z->c.tau, &z->mu_targ);
}

static int ddpg_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    (void)config;
    if (d->n_act < 1 || d->n_obs < 1) {
        return why(ret_why, cap, -EINVAL, "ddpg needs continuous actions and observations");
    }
    return 0;
}

static void ddpg_wants(const void *config, struct wants *ret_wants)
{
    (void)config;
    *ret_wants = (struct wants){.seg_len = 1};
}

static void actor_shape(const struct ddpg_config *c, const struct dims *d,
                        struct mlp_shape *ret_shape)
{
    mlp_shape(ret_shape, d->n_obs, c->hidden, c->n_hidden, d->n_act);
}

static void name_all(struct ddpg *z, struct arena *mem)
{
    struct views *v = &z->views;
    v->mem = mem;
    views_mlp(v, "actor", &z->mu);
    views_adam(v, "actor", &z->mu, &z->mu_opt);
    views_mlp(v, "actor_target", &z->mu_targ);
    views_mlp(v, "critic", &z->q.net);
    views_adam(v, "critic", &z->q.net, &z->q.opt);
    views_mlp(v, "critic_target", &z->q_targ.net);
    views_value(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *ddpg_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct ddpg *z = arena_take(mem, sizeof *z);
    const struct ddpg_config *c = config;
    const float lr = (float)c->learning_rate;
    struct mlp_shape shape;
    z->c = *c;
    z->n_act = d->n_act;
    actor_shape(c, d, &shape);
    mlp_init(&z->mu, &shape, d->batch, mem, rng);
    mlp_init(&z->mu_targ, &shape, d->batch, mem, rng);
    adam_init(&z->mu_opt, z->mu.n,
              c->learning_rate_actor > 0.0 ? (float)c->learning_rate_actor : lr, mem);
    critic_init(&z->q, d->n_obs, d->n_act, c->hidden, c->n_hidden, d->batch, lr, mem, rng);
    critic_init(&z->q_targ, d->n_obs, d->n_act, c->hidden, c->n_hidden, d->batch, lr, mem, rng);
    mlp_copy(&z->mu, &z->mu_targ);
    mlp_copy(&z->q.net, &z->q_targ.net);
    z->a = arena_take(mem, (size_t)(d->batch * d->n_act) * sizeof(float));
    z->da = arena_take(mem, (size_t)(d->batch * d->n_act) * sizeof(float));
    z->dq = arena_take(mem, (size_t)d->batch * sizeof(float));
    z->y = arena_take(mem, (size_t)d->batch * sizeof(float));
    name_all(z, mem);
    return z;
}

static int ddpg_save(const void *learner, float *ret_w, int n_max)
{
    const struct ddpg *z = learner;
    if (n_max < z->mu.n) {
        return -ENOSPC;
    }
    memcpy(ret_w, z->mu.w, (size_t)z->mu.n * sizeof(float));
    return z->mu.n;
}

static int ddpg_state(void *learner, struct tensor *ret_tensors, int n_max)
{
    const struct ddpg *z = learner;
    return views_get(&z->views, ret_tensors, n_max);
}

static void ddpg_restored(void *learner)
{
    struct ddpg *z = learner;
    mlp_changed(&z->mu);
    mlp_changed(&z->mu_targ);
    mlp_changed(&z->q.net);
    mlp_changed(&z->q_targ.net);
}

/* --- acting
 * ---------------------------------------------------------------------------------------------------
 */

struct ddpg_actor {
    struct mlp_shape shape;
    int n_act, noise;
    float std, theta;
    float x[ACT_MAX]; /* of the Ornstein-Uhlenbeck process */
};

static int ddpg_pack(const void *config, const struct dims *d, const float *w, int n,
                     float *ret_packed, int n_max)
{
    struct mlp_shape shape;
    actor_shape(config, d, &shape);
    const int n_packed = mlp_packed(&shape);
    if (n != mlp_weights(&shape) || n_packed > n_max) {
        return -EPROTO;
    }
    mlp_pack(&shape, w, ret_packed);
    return n_packed;
}

static size_t ddpg_actor_bytes(const void *config, const struct dims *d)
{
    (void)config;
    (void)d;
    return sizeof(struct ddpg_actor);
}

static void ddpg_actor_init(const void *config, const struct dims *d, void *ret_actor)
{
    const struct ddpg_config *c = config;
    struct ddpg_actor *a = ret_actor;
    *a = (struct ddpg_actor){.n_act = d->n_act,
                             .noise = c->action_noise,
                             .std = (float)c->action_noise_std,
                             .theta = (float)c->ou_theta};
    actor_shape(c, d, &a->shape);
}

static void ddpg_reset(void *actor, struct rng *rng)
{
    struct ddpg_actor *a = actor;
    (void)rng;
    memset(a->x, 0, sizeof a->x);
}

/* mu(s), plus noise: normal, or x <- x - theta x + sigma N(0,1) (Uhlenbeck and Ornstein 1930, dt =
 * 1 step) */
static void ddpg_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    struct ddpg_actor *a = actor;
    mlp_row(&a->shape, in->packed, in->obs, ret_act);
    for (int k = 0; k < a->n_act; k++) {
        ret_act[k] = tanhf(ret_act[k]);
        if (in->explore) {
            const float draw = a->std * (float)rng_normal(in->rng);
            a->x[k] = a->noise == NOISE_OU ? a->x[k] - a->theta * a->x[k] + draw : draw;
            ret_act[k] += a->x[k];
        }
    }
    *ret_logp = NAN;
}

const struct policy policy_ddpg = {
    .name = "ddpg",
    .source = "arXiv:1509.02971, Algorithm 1",
    .actions = ACTION_BOX,
    .options = ddpg_options,
    .stat_names = ddpg_stats,
    .config_bytes = sizeof(struct ddpg_config),
    .check = ddpg_check,
    .wants = ddpg_wants,
    .init = ddpg_init,
    .update = ddpg_update,
    .save = ddpg_save,
    .state = ddpg_state,
    .restored = ddpg_restored,
    .pack = ddpg_pack,
    .actor_bytes = ddpg_actor_bytes,
    .actor_init = ddpg_actor_init,
    .reset = ddpg_reset,
    .act = ddpg_act,
};
