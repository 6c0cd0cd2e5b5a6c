/*
 * Deep Q-learning, and what has been added to it since, each by a switch.
 *
 *   Mnih et al. 2015, "Human-level control through deep reinforcement learning", Algorithm 1
 *   double_q        van Hasselt et al. 2016, arXiv:1509.06461, equation 4
 *   dueling         Wang et al. 2016, arXiv:1511.06581, equation 9
 *   distributional  c51: Bellemare et al. 2017, arXiv:1707.06887; qr: Dabney et al. 2018,
 *                   arXiv:1710.10044
 *   noisy           Fortunato et al. 2018, arXiv:1706.10295, in place of epsilon
 *
 * Prioritised replay and n-step returns are the learner's (learner.prioritized_replay, n_steps).
 * All of them together are Rainbow, Hessel et al. 2018, arXiv:1710.02298; the priority is then the
 * loss of the sample. Departs from it: both streams of a duel share all hidden layers; the
 * derivative of the error is clipped, before it is weighted; evaluated without noise.
 */
#include "policies/dqn_inside.h"
#include "policies/nn/quantile.h"
#include "policies/nn/views.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const distributional_names[] = {"none", "c51", "qr", NULL};
static const char *const optimizer_names[] = {"adam", "rmsprop", NULL};
static const char *const loss_names[] = {"huber", "mse", NULL};

struct dqn {
    struct views views; /* first: its entries of struct policy */
    struct dqn_config c;
    struct rng *rng; /* the learner's */
    struct support support;
    int choices, atoms;
    struct qnet q, q_targ;
    int64_t updates, skipped;
    int *next;                /* [B] the choice taken in s' */
    float *y;                 /* [B,atoms] */
    float p[ATOMS_MAX];       /* of one row */
    float value[CHOICES_MAX]; /* of one row */
};

/* clang-format off */
#define AT(field) offsetof(struct dqn_config, field)
static const struct option dqn_options[] = {
    {.key = "learning_rate", .type = OPTION_DOUBLE, .offset = AT(learning_rate), .min = 1e-8, .max = 1, .def = "1e-4",
     .help = "step of the optimiser"},
    {.key = "tau", .type = OPTION_DOUBLE, .offset = AT(tau), .min = 0, .max = 1, .def = "1",
     .help = "Polyak step of the target; 1: a copy"},
    {.key = "target_update_interval", .type = OPTION_INT, .offset = AT(target_update_interval), .min = 1, .max = 1000000000, .def = "10000",
     .help = "updates between two of those steps"},
    {.key = "double_q", .type = OPTION_BOOL, .offset = AT(double_q), .def = "false",
     .help = "the network that learns says which choice is best in the next state, the target what it is worth"},
    {.key = "dueling", .type = OPTION_BOOL, .offset = AT(dueling), .def = "false",
     .help = "a value of the state and advantages of its choices"},
    {.key = "distributional", .type = OPTION_CHOICE, .offset = AT(distributional), .def = "none", .choices = distributional_names,
     .help = "what is learnt of a return: its mean, its distribution over fixed atoms, or its quantiles"},
    {.key = "n_atoms", .type = OPTION_INT, .offset = AT(n_atoms), .min = 2, .max = ATOMS_MAX, .def = "51",
     .help = "atoms of c51"},
    {.key = "v_min", .type = OPTION_DOUBLE, .offset = AT(v_min), .min = -1e6, .max = 1e6, .def = "-10", .help = "the lowest of them"},
    {.key = "v_max", .type = OPTION_DOUBLE, .offset = AT(v_max), .min = -1e6, .max = 1e6, .def = "10", .help = "and the highest"},
    {.key = "n_quantiles", .type = OPTION_INT, .offset = AT(n_quantiles), .min = 1, .max = ATOMS_MAX, .def = "50",
     .help = "quantiles of qr"},
    {.key = "noisy", .type = OPTION_BOOL, .offset = AT(noisy), .def = "false",
     .help = "it explores by noise in its weights, in place of epsilon"},
    {.key = "noisy_sigma", .type = OPTION_DOUBLE, .offset = AT(sigma_0), .min = 0, .max = 10, .def = "0.5",
     .help = "sigma_0: that noise to begin with, times 1 / sqrt(inputs)"},
    {.key = "loss", .type = OPTION_CHOICE, .offset = AT(loss), .def = "huber", .choices = loss_names,
     .help = "of an error of the mean: its square up to 1 and its size beyond, or its square"},
    {.key = "optimizer", .type = OPTION_CHOICE, .offset = AT(optimizer), .def = "adam", .choices = optimizer_names,
     .help = "Adam, or centred RMSProp"},
    {.key = "optimizer_eps", .type = OPTION_DOUBLE, .offset = AT(adam_eps), .min = 1e-12, .max = 1, .def = "1e-8",
     .help = "Adam's epsilon, added to the root"},
    {.key = "rmsprop_alpha", .type = OPTION_DOUBLE, .offset = AT(rmsprop_alpha), .min = 0, .max = 0.999999, .def = "0.95",
     .help = "RMSProp's decay of both averages"},
    {.key = "rmsprop_eps", .type = OPTION_DOUBLE, .offset = AT(rmsprop_eps), .min = 1e-12, .max = 1, .def = "1e-5",
     .help = "RMSProp's epsilon, within the root; 0.01 / 32^2 is that of the Atari agents, whose gradients are sums"},
    {.key = "max_grad_norm", .type = OPTION_DOUBLE, .offset = AT(max_grad_norm), .min = 0, .max = 1e6, .def = "10",
     .help = "longest gradient of the whole network, longer ones are scaled down to it; 0: any"},
    {.key = "net_arch", .type = OPTION_INTS, .offset = AT(hidden), .min = 1, .max = MLP_WIDTH_MAX, .def = "[64, 64]",
     .n_max = LAYERS_MAX - 1, .n_offset = AT(n_hidden), .help = "hidden layers"},
    EPSILON_OPTIONS("1", "0.05", "10000"),
    ENCODER_OPTIONS,
    {.key = NULL},
};

/* clang-format on */

enum { TRAIN_LOSS, TRAIN_Q, TRAIN_SKIPPED };

static const char *const dqn_stats[] = {"train/loss", "train/mean_q", "train/skipped_not_finite",
                                        NULL};

static const float *row_of(const struct dqn *z, const float *out, int i)
{
    return out + (size_t)i * (size_t)(z->choices * z->atoms);
}

/* a* = argmax_a' of what one of the networks says of s', over what is legal there. */
static void choose_next(struct dqn *z, const struct batch *b, const float *out)
{
    for (int i = 0; i < b->n; i++) {
        const uint64_t legal = b->legal2 != NULL ? b->legal2[i] : LEGAL_ALL;
        dqn_values(z->c.distributional, &z->support, z->choices, row_of(z, out, i), z->value);
        z->next[i] = greedy_choice(z->value, z->choices, legal, z->rng);
    }
}

/* What the target says of s', noise drawn anew, and the choice a*: by the network that learns
 * (double_q), with noise of its own, or by the very pass of the target that values it. */
static const float *value_next(struct dqn *z, const struct batch *b)
{
    if (z->c.double_q) {
        qnet_draw(&z->q, z->rng);
        choose_next(z, b, qnet_forward(&z->q, b->s2, b->n));
    }
    qnet_draw(&z->q_targ, z->rng);
    const float *out = qnet_forward(&z->q_targ, b->s2, b->n);
    if (!z->c.double_q) {
        choose_next(z, b, out);
    }
    return out;
}

/* y = r + gamma (1 - d) Q'(s', a*): a number, a distribution on the atoms, or quantiles. */
static void make_targets(struct dqn *z, const struct batch *b, const float *out)
{
    for (int i = 0; i < b->n; i++) {
        const float *next = row_of(z, out, i) + (size_t)(z->next[i] * z->atoms);
        float *y = z->y + (size_t)i * (size_t)z->atoms;
        if (z->c.distributional == DISTRIBUTIONAL_C51) {
            categorical_softmax(next, z->atoms, z->p);
            categorical_project(&z->support, z->p, b->r[i], b->g[i], y);
            continue;
        }
        for (int k = 0; k < z->atoms; k++) {
            y[k] = b->r[i] + b->g[i] * next[k];
        }
    }
}

/* The loss of one row's q [atoms] against y [atoms], its derivative, and its priority. */
static float row_loss(const struct dqn *z, const float *q, const float *y, float *ret_dq,
                      float *ret_priority)
{
    if (z->c.distributional == DISTRIBUTIONAL_C51) {
        return *ret_priority = categorical_loss(q, y, z->atoms, ret_dq);
    }
    if (z->c.distributional == DISTRIBUTIONAL_QR) {
        return *ret_priority = quantile_loss(q, z->atoms, y, z->atoms, ret_dq);
    }
    const float error = q[0] - y[0];
    *ret_priority = fabsf(error);
    ret_dq[0] = z->c.loss == LOSS_HUBER ? huber_derivative(error) : error;
    return z->c.loss == LOSS_HUBER ? huber(error) : 0.5f * error * error;
}

/* E[ w L(Q(s, a), y) ] and its derivative by all outputs: 0 but for the choice that was taken. */
static float batch_loss(struct dqn *z, const struct batch *b, const float *out)
{
    const float inv_n = 1.0f / (float)b->n;
    float *dq = qnet_dq(&z->q), loss = 0.0f;
    memset(dq, 0, (size_t)(b->n * z->choices * z->atoms) * sizeof *dq);
    for (int i = 0; i < b->n; i++) {
        const size_t at = (size_t)(i * z->choices + (int)b->a[i]) * (size_t)z->atoms;
        float priority;
        loss += b->w[i] * inv_n *
                row_loss(z, out + at, z->y + (size_t)i * (size_t)z->atoms, dq + at, &priority);
        for (int k = 0; k < z->atoms; k++) {
            dq[at + (size_t)k] *= b->w[i] * inv_n;
        }
        if (b->ret_td != NULL) {
            b->ret_td[i] = priority;
        }
    }
    return loss;
}

/* What the network says of the states of a batch, in the mean: the greedy value. */
static float mean_value(struct dqn *z, const struct batch *b, const float *out)
{
    float mean = 0.0f;
    for (int i = 0; i < b->n; i++) {
        const uint64_t legal = b->legal != NULL ? b->legal[i] : LEGAL_ALL;
        dqn_values(z->c.distributional, &z->support, z->choices, row_of(z, out, i), z->value);
        mean += greedy_max(z->value, z->choices, legal) / (float)b->n;
    }
    return mean;
}

static void dqn_update(void *self, const struct batch *b, struct stats *ret_stats)
{
    struct dqn *z = self;

    /* y = r + gamma (1 - d) Q'(s', argmax_a' Q(s', a')) */
    make_targets(z, b, value_next(z, b));

    /* theta <- theta - lr grad E[ w L(Q(s, a), y) ] */
    qnet_draw(&z->q, z->rng);
    const float *out = qnet_forward(&z->q, b->s, b->n);
    const float loss = batch_loss(z, b, out);
    ret_stats->v[TRAIN_LOSS] = (double)loss;
    ret_stats->v[TRAIN_Q] = (double)mean_value(z, b, out);
    ret_stats->v[TRAIN_SKIPPED] = (double)(z->skipped += !isfinite(loss));
    if (!isfinite(loss)) {
        return;
    }
    qnet_step(&z->q, b->n);

    /* theta' <- tau theta + (1 - tau) theta', now and then */
    if (++z->updates % z->c.target_update_interval == 0) {
        if (z->c.tau < 1.0) {
            qnet_blend(&z->q, (float)z->c.tau, &z->q_targ);
        } else {
            qnet_copy(&z->q, &z->q_targ);
        }
    }
}

static int dqn_check(const void *config, const struct dims *d, char *ret_why, int cap)
{
    const struct dqn_config *c = config;
    struct qnet_shape s;
    const int rc = dqn_shape(c, d, &s, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    const int widest = s.dense.width[s.dense.n_layers];
    if (widest > MLP_WIDTH_MAX) {
        return why(ret_why, cap, -EINVAL,
                   "policy dqn: %d choices with %d atoms each are more than %d outputs", s.choices,
                   s.atoms, MLP_WIDTH_MAX);
    }
    if (c->noisy && s.encoder.n_features > MLP_WIDTH_MAX) {
        return why(ret_why, cap, -EINVAL,
                   "policy.noisy: %d inputs of the dense layers, at most %d are possible",
                   s.encoder.n_features, MLP_WIDTH_MAX);
    }
    if (c->distributional == DISTRIBUTIONAL_C51 && !(c->v_max > c->v_min)) {
        return why(ret_why, cap, -EINVAL, "policy.v_max %g must be above v_min %g", c->v_max,
                   c->v_min);
    }
    return 0;
}

static void name_net(struct views *v, const char *name, struct qnet *q)
{
    char text[64];
    for (int l = 0; l < q->shape.encoder.n_convs; l++) {
        (void)snprintf(text, sizeof text, "%s.conv%d", name, l);
        views_trained(v, text, &q->encoder.conv[l].net, &q->encoder.conv[l].opt);
        (void)snprintf(text, sizeof text, "%s.conv%d.rms_mean", name, l);
        views_value(v, text, TENSOR_F32, q->rms_conv[l].n, q->rms_conv[l].mean);
        (void)snprintf(text, sizeof text, "%s.conv%d.rms_square", name, l);
        views_value(v, text, TENSOR_F32, q->rms_conv[l].n, q->rms_conv[l].square);
    }
    views_mlp(v, name, &q->dense);
}

static void name_part(struct views *v, const char *part, enum tensor_type type, int n, void *data)
{
    if (n > 0 && data != NULL) {
        views_value(v, part, type, n, data);
    }
}

static void name_all(struct dqn *z, struct arena *mem)
{
    struct views *v = &z->views;
    struct qnet *q = &z->q, *t = &z->q_targ;
    const int n = q->dense.n, noisy = z->c.noisy ? n : 0;
    v->mem = mem;
    name_net(v, "q", q);
    name_net(v, "q_target", t);
    name_part(v, "q.mu", TENSOR_F32, noisy, q->noise.mu);
    name_part(v, "q.sigma", TENSOR_F32, noisy, q->noise.sigma);
    name_part(v, "q_target.mu", TENSOR_F32, noisy, t->noise.mu);
    name_part(v, "q_target.sigma", TENSOR_F32, noisy, t->noise.sigma);
    name_part(v, "q.adam_m", TENSOR_F32, n, q->adam.m);
    name_part(v, "q.adam_v", TENSOR_F32, n, q->adam.v);
    name_part(v, "q.adam_t", TENSOR_I64, 1, &q->adam.t);
    name_part(v, "q.sigma.adam_m", TENSOR_F32, noisy, q->adam_sigma.m);
    name_part(v, "q.sigma.adam_v", TENSOR_F32, noisy, q->adam_sigma.v);
    name_part(v, "q.sigma.adam_t", TENSOR_I64, 1, &q->adam_sigma.t);
    name_part(v, "q.rms_mean", TENSOR_F32, n, q->rms.mean);
    name_part(v, "q.rms_square", TENSOR_F32, n, q->rms.square);
    name_part(v, "q.sigma.rms_mean", TENSOR_F32, noisy, q->rms_sigma.mean);
    name_part(v, "q.sigma.rms_square", TENSOR_F32, noisy, q->rms_sigma.square);
    name_part(v, "updates", TENSOR_I64, 1, &z->updates);
    name_part(v, "skipped_not_finite", TENSOR_I64, 1, &z->skipped);
}

static void *dqn_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    struct dqn *z = arena_take(mem, sizeof *z);
    const struct dqn_config *c = config;
    struct qnet_spec spec = {
        .sigma_0 = c->sigma_0,
        .optimizer = c->optimizer,
        .max_grad_norm = (float)c->max_grad_norm,
        .rmsprop = {(float)c->learning_rate, (float)c->rmsprop_alpha, (float)c->rmsprop_eps}};
    struct net_spec net = {
        .rows = d->batch, .kernel = d->kernel, .adam = adam_defaults((float)c->learning_rate)};
    net.adam.eps = (float)c->adam_eps;
    spec.net = &net;
    const int rc = dqn_shape(c, d, &spec.shape, NULL, 0);
    basal_assert(rc == 0); /* dqn_check has seen it */
    z->c = *c;
    z->rng = rng;
    z->choices = d->n_choices;
    z->atoms = spec.shape.atoms;
    z->support = (struct support){z->atoms, (float)c->v_min, (float)c->v_max};
    qnet_init(&z->q, &spec, mem, rng);
    qnet_init(&z->q_targ, &spec, mem, rng);
    qnet_copy(&z->q, &z->q_targ);
    z->q.dense.team = z->q_targ.dense.team = d->team;
    z->next = arena_take(mem, (size_t)d->batch * sizeof *z->next);
    z->y = arena_take(mem, (size_t)(d->batch * z->atoms) * sizeof *z->y);
    name_all(z, mem);
    return z;
}

static int dqn_save(const void *learner, float *ret_w, int n_max)
{
    const struct dqn *z = learner;
    return qnet_save(&z->q, ret_w, n_max);
}

const struct policy policy_dqn = {
    .name = "dqn",
    .source = "Mnih et al. 2015, Algorithm 1; with all switches arXiv:1710.02298",
    .actions = ACTION_DISCRETE,
    .pictures = true,
    .options = dqn_options,
    .stat_names = dqn_stats,
    .config_bytes = sizeof(struct dqn_config),
    .check = dqn_check,
    .wants = policy_wants_rows,
    .init = dqn_init,
    .update = dqn_update,
    .save = dqn_save,
    .state = views_state,
    .restored = views_restored,
    .net = dqn_net,
    .pack = dqn_pack,
    .actor_bytes = dqn_actor_bytes,
    .actor_init = dqn_actor_init,
    .reset = dqn_reset,
    .act = dqn_act,
};
