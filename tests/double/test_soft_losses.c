/*
 * The losses of soft Q-learning, of soft actor-critic's first version and of that for choices: as
 * test_losses has those of the others.
 */
#include <cmocka.h>

#include "tests/double/losses.h"

/* --- soft Q-learning --- */

#define MOVED 2
#define FIXED 3
#define VALUE 4

struct softq_case {
    struct update_case k;
    double xi[ROWS * (MOVED + FIXED) * A]; /* all that are moved come first */
    double delta[ROWS * MOVED * A];        /* frozen */
};

static const double softq_alpha = 0.4;

static void softq_begin(struct softq_case *z, const char *repulsion)
{
    const struct setting settings[] = {
        {"net_arch", "[8, 8]"},     {"tau", "0.02"},          {"target_update_interval", "1"},
        {"ent_coef", "0.4"},        {"n_particles", "5"},     {"kernel_update_ratio", "0.4"},
        {"value_n_particles", "4"}, {"repulsion", repulsion}, {NULL, NULL}};
    struct update_case *k = &z->k;
    learner_make(&k->l, policy_find("softq"), &dims, settings, 11);
    draw_batch(k);
    shape_net(&k->actor, O + A, A);
    shape_net(&k->critic[0], O + A, 1);
    shape_net(&k->target[0], O + A, 1);
    read_net(&k->l, "sampler", k->actor.w, k->actor.n);
    read_net(&k->l, "critic", k->critic[0].w, k->critic[0].n);
    double *q = learner_floats(&k->l, "critic_target.0.weight");
    assert_memory_equal(q, k->critic[0].w, (size_t)k->critic[0].n * sizeof *q);
    for (int i = 0; i < k->critic[0].n; i++) {
        k->target[0].w[i] = q[i] *= 0.8;
    }
    k->l.policy->restored(k->l.self);
}

/* y = r / alpha + g ( log mean_j exp Q'(s', a_j) + A log 2 ), of the same draws */
static void softq_targets(struct softq_case *z, struct rng *noise)
{
    struct update_case *k = &z->k;
    uint64_t pattern = 0;
    for (int i = 0; i < ROWS; i++) {
        double sum = 0.0;
        for (int j = 0; j < VALUE; j++) {
            double a[A];
            for (int c = 0; c < A; c++) {
                a[c] = 2.0 * rng_uniform(noise) - 1.0;
            }
            sum += exp(q_of(&k->target[0], k->s2 + i * O, a, &pattern)) / VALUE;
        }
        k->y[i] = k->r[i] / softq_alpha + k->g[i] * (log(sum) + A * log(2.0));
    }
}

/* dQ/da by the chain rule forwards, one action at a time; layers of ReLU. */
static void plain_slope(const struct net *q, const double *s, const double *a, double *ret_da)
{
    for (int c = 0; c < A; c++) {
        double x[64] = {0}, dx[64] = {0}, y[64], dy[64];
        const double *w = q->w;
        memcpy(x, s, O * sizeof *x);
        memcpy(x + O, a, A * sizeof *x);
        dx[O + c] = 1.0;
        for (int l = 0; l < q->shape.n_layers; l++) {
            const int in = q->shape.width[l], out = q->shape.width[l + 1];
            for (int j = 0; j < out; j++) {
                y[j] = w[out * in + j];
                dy[j] = 0.0;
                for (int i = 0; i < in; i++) {
                    y[j] += w[j * in + i] * x[i];
                    dy[j] += w[j * in + i] * dx[i];
                }
                const bool off = l + 1 < q->shape.n_layers && y[j] <= 0.0;
                y[j] = off ? 0.0 : y[j];
                dy[j] = off ? 0.0 : dy[j];
            }
            memcpy(x, y, sizeof x);
            memcpy(dx, dy, sizeof dx);
            w += out * (in + 1);
        }
        ret_da[c] = dx[0];
    }
}

static void softq_sample(const struct softq_case *z, int row, int particle, double *ret_u,
                         uint64_t *ret_pattern)
{
    double s_xi[O + A];
    memcpy(s_xi, z->k.s + (ptrdiff_t)row * O, O * sizeof *s_xi);
    memcpy(s_xi + O, z->xi + (ptrdiff_t)particle * A, A * sizeof *s_xi);
    plain_mlp(&z->k.actor.shape, z->k.actor.w, s_xi, ret_u, ret_pattern);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Du_i = mean_j [ k(u_j, u_i) ((1 - a_j^2) grad_a Q(s, a_j) - 2 a_j) + 2 / h (u_i - u_j) k ] */
static void softq_directions(struct softq_case *z, int row, bool repulsion)
{
    double fixed[FIXED][A], moved[MOVED][A], score[FIXED][A], d2[FIXED * MOVED];
    uint64_t pattern = 0;
    for (int j = 0; j < FIXED; j++) {
        double a[A];
        softq_sample(z, row, ROWS * MOVED + row * FIXED + j, fixed[j], &pattern);
        for (int c = 0; c < A; c++) {
            a[c] = tanh(fixed[j][c]);
        }
        plain_slope(&z->k.critic[0], z->k.s + (ptrdiff_t)row * O, a, score[j]);
        for (int c = 0; c < A; c++) {
            score[j][c] = (1.0 - a[c] * a[c]) * score[j][c] - 2.0 * a[c];
        }
    }
    for (int i = 0; i < MOVED; i++) {
        softq_sample(z, row, row * MOVED + i, moved[i], &pattern);
        for (int j = 0; j < FIXED; j++) {
            d2[j * MOVED + i] =
                pow(moved[i][0] - fixed[j][0], 2) + pow(moved[i][1] - fixed[j][1], 2);
        }
    }
    double order[FIXED * MOVED];
    memcpy(order, d2, sizeof order);
    qsort(order, FIXED * MOVED, sizeof order[0], by_size);
    const double h = order[FIXED * MOVED / 2] / log(FIXED + 1.0);
    assert_true(h > 1e-3);
    for (int i = 0; i < MOVED; i++) {
        for (int c = 0; c < A; c++) {
            double sum = 0.0;
            for (int j = 0; j < FIXED; j++) {
                const double kernel = exp(-d2[j * MOVED + i] / h);
                const double push = repulsion ? 2.0 / h * (moved[i][c] - fixed[j][c]) : 0.0;
                sum += kernel * (score[j][c] + push) / FIXED;
            }
            z->delta[(row * MOVED + i) * A + c] = sum;
        }
    }
}

/* - mean_i u_i . Du_i, the directions being what they are */
static double softq_surrogate(void *self, uint64_t *ret_pattern)
{
    struct softq_case *z = self;
    double loss = 0.0, u[A];
    for (int i = 0; i < ROWS * MOVED; i++) {
        softq_sample(z, i / MOVED, i, u, ret_pattern);
        for (int c = 0; c < A; c++) {
            loss -= u[c] * z->delta[i * A + c] / (ROWS * MOVED);
        }
    }
    return loss;
}

/* Oracle 14.1: the critic's loss, and the sampler's with frozen directions. */
static void softq_steps_down_the_gradients_of_its_losses_14_1(void **state)
{
    (void)state;
    static struct softq_case z;
    static const char *const repulsion[] = {"true", "false"};
    for (int way = 0; way < 2; way++) {
        struct update_case *k = &z.k;
        uint64_t pattern = 0;
        double square = 0.0;
        softq_begin(&z, repulsion[way]);
        struct rng noise = k->l.rng; /* the update draws for s' first, then for s */
        k->l.policy->update(k->l.self, &k->b, &k->stats);

        softq_targets(&z, &noise);
        struct net *q = &k->critic[0];
        read_gradient(&k->l, "critic", q);
        assert_true(fabs(stat(k, "train/critic_loss") - fitted_loss(k, &pattern)) < 1e-9);
        check_differences("softq critic", q->w, q->n, q->g, fitted_loss, k);

        read_net(&k->l, "critic", q->w, q->n); /* the sampler saw it after its step */
        check_blend(&k->l, "critic_target", 0.02, q, &k->target[0]);
        plain_normals(&noise, ROWS * (MOVED + FIXED) * A, z.xi);
        for (int i = 0; i < ROWS; i++) {
            softq_directions(&z, i, way == 0);
        }
        read_gradient(&k->l, "sampler", &k->actor);
        check_differences("softq sampler", k->actor.w, k->actor.n, k->actor.g, softq_surrogate, &z);
        for (int i = 0; i < ROWS * MOVED * A; i++) {
            square += z.delta[i] * z.delta[i] / (ROWS * MOVED);
        }
        assert_true(fabs(stat(k, "train/stein_direction") - sqrt(square)) < 1e-9);
        learner_free(&k->l);
    }
}

/* --- soft actor-critic, first version --- */

static double value_of(const struct net *v, const double *s, uint64_t *ret_pattern)
{
    double value;
    plain_mlp(&v->shape, v->w, s, &value, ret_pattern);
    return value;
}

/* The value function stands where the others have target critics: its own in target[0], its slow
 * copy in target[1]. */
static double value_loss(void *self, uint64_t *ret_pattern)
{
    struct update_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double e = value_of(&k->target[0], k->s + i * O, ret_pattern) - k->y[i];
        loss += k->w[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

static void sac_v1_begin(struct update_case *k)
{
    static const struct setting settings[] = {
        {"net_arch", "[8, 8]"}, {"ent_coef", "0.3"}, {"tau", "0.02"}, {NULL, NULL}};
    learner_make(&k->l, policy_find("sac_v1"), &dims, settings, 17);
    draw_batch(k);
    k->alpha = 0.3;
    shape_net(&k->actor, O, 2 * A);
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    for (int i = 0; i < 2; i++) {
        shape_net(&k->critic[i], O + A, 1);
        shape_net(&k->target[i], O, 1);
        read_net(&k->l, critics[i], k->critic[i].w, k->critic[i].n);
    }
    read_net(&k->l, "value", k->target[0].w, k->target[0].n);
    double *slow = learner_floats(&k->l, "value_target.0.weight");
    assert_memory_equal(slow, k->target[0].w, (size_t)k->target[0].n * sizeof *slow);
    for (int i = 0; i < k->target[1].n; i++) {
        k->target[1].w[i] = slow[i] *= 0.7;
    }
    k->l.policy->restored(k->l.self);
    struct rng noise = k->l.rng;
    plain_normals(&noise, ROWS * A, k->eps[1]);
}

/* Oracle 14.1: the three losses of SAC-v1. */
static void sac_v1_steps_down_the_gradients_of_its_losses_14_1(void **state)
{
    (void)state;
    static struct update_case k;
    uint64_t pattern = 0;
    sac_v1_begin(&k);
    k.l.policy->update(k.l.self, &k.b, &k.stats);

    /* V: to min_i Q_i(s, a) - alpha log pi(a|s) of the critics before their step */
    for (int i = 0; i < ROWS; i++) {
        double a[A], logp;
        const double *s = k.s + i * O;
        plain_gauss(&k.actor.shape, k.actor.w, s, k.eps[1] + i * A, a, &logp, &pattern);
        k.y[i] = fmin(q_of(&k.critic[0], s, a, &pattern), q_of(&k.critic[1], s, a, &pattern)) -
                 k.alpha * logp;
    }
    struct net *v = &k.target[0];
    read_gradient(&k.l, "value", v);
    assert_true(fabs(stat(&k, "train/value_loss") - value_loss(&k, &pattern)) < 1e-9);
    check_differences("sac_v1 value", v->w, v->n, v->g, value_loss, &k);

    /* Q: to r + g V'(s') */
    for (int i = 0; i < ROWS; i++) {
        k.y[i] = k.r[i] + k.g[i] * value_of(&k.target[1], k.s2 + i * O, &pattern);
    }
    check_twin(&k, "sac_v1 critic");

    for (int i = 0; i < 2; i++) { /* the actor saw them after their step */
        read_net(&k.l, critics[i], k.critic[i].w, k.critic[i].n);
    }
    read_gradient(&k.l, "actor", &k.actor);
    assert_true(fabs(stat(&k, "train/actor_loss") - sac_actor_loss(&k, &pattern)) < 1e-9);
    check_differences("sac_v1 actor", k.actor.w, k.actor.n, k.actor.g, sac_actor_loss, &k);
    read_net(&k.l, "value", v->w, v->n);
    check_blend(&k.l, "value_target", 0.02, v, &k.target[1]);
    learner_free(&k.l);
}

/* --- soft actor-critic with state-dependent exploration --- */

#define H 8 /* the last hidden layer */

struct sde_case {
    struct update_case k;
    double z[ROWS * H]; /* frozen: noise does not teach it */
    double log_std[A * H], g[A * H];
};

/* What the actor's last hidden layer says: the network without its last layer, then ReLU. */
static void plain_hidden(const struct net *actor, const double *s, double *ret_z)
{
    struct mlp_shape shape = actor->shape;
    uint64_t pattern = 0;
    shape.n_layers--;
    plain_mlp(&shape, actor->w, s, ret_z, &pattern);
    for (int h = 0; h < H; h++) {
        ret_z[h] = fmax(ret_z[h], 0.0);
    }
}

/* a = tanh(mu + sigma eps), sigma_k^2 = sum_h sigma_kh^2 z_h^2 + 1e-6, and its log pi */
static void plain_sde(const struct sde_case *x, const double *s, const double *z, const double *eps,
                      double *ret_a, double *ret_logp, uint64_t *ret_pattern)
{
    double mu[A];
    plain_mlp(&x->k.actor.shape, x->k.actor.w, s, mu, ret_pattern);
    *ret_logp = 0.0;
    for (int k = 0; k < A; k++) {
        double variance = 1e-6;
        for (int h = 0; h < H; h++) {
            variance += pow(exp(x->log_std[k * H + h]) * z[h], 2);
        }
        const double u = mu[k] + sqrt(variance) * eps[k];
        ret_a[k] = tanh(u);
        *ret_logp +=
            -0.5 * eps[k] * eps[k] - 0.5 * log(2.0 * acos(-1.0) * variance) + 2.0 * log(cosh(u));
    }
}

static double sde_actor_loss(void *self, uint64_t *ret_pattern)
{
    struct sde_case *x = self;
    struct update_case *k = &x->k;
    double loss = 0.0, a[A], logp;
    for (int i = 0; i < ROWS; i++) {
        const double *s = k->s + i * O;
        plain_sde(x, s, x->z + i * H, k->eps[1] + i * A, a, &logp, ret_pattern);
        const double q0 = q_of(&k->critic[0], s, a, ret_pattern);
        const double q1 = q_of(&k->critic[1], s, a, ret_pattern);
        decide(ret_pattern, q0 <= q1);
        loss += (k->alpha * logp - fmin(q0, q1)) / ROWS;
    }
    return loss;
}

static void sac_steps_down_the_gradients_with_state_dependent_noise_14_1(void **state)
{
    (void)state;
    static struct sde_case x;
    static const struct setting settings[] = {{"net_arch", "[8, 8]"},   {"ent_coef", "auto_0.3"},
                                              {"tau", "0.02"},          {"use_sde", "true"},
                                              {"log_std_init", "-0.5"}, {NULL, NULL}};
    struct update_case *k = &x.k;
    uint64_t pattern = 0;
    learner_make(&k->l, policy_find("sac"), &dims, settings, 29);
    draw_batch(k);
    k->alpha = 0.3;
    shape_net(&k->actor, O, A);
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    read_twin(k);
    double *log_std = learner_floats(&k->l, "actor.log_std");
    for (int i = 0; i < A * H; i++) {
        assert_true(log_std[i] == -0.5);
        x.log_std[i] = log_std[i] = -0.5 - 0.1 * i;
    }
    struct rng noise = k->l.rng;
    plain_normals(&noise, ROWS * A, k->eps[0]);
    plain_normals(&noise, ROWS * A, k->eps[1]);
    k->l.policy->update(k->l.self, &k->b, &k->stats);

    for (int i = 0; i < ROWS; i++) {
        double z2[H], a[A], logp;
        const double *s2 = k->s2 + i * O;
        plain_hidden(&k->actor, s2, z2);
        plain_hidden(&k->actor, k->s + i * O, x.z + i * H);
        plain_sde(&x, s2, z2, k->eps[0] + i * A, a, &logp, &pattern);
        k->y[i] = k->r[i] + k->g[i] * (least_target(k, s2, a) - k->alpha * logp);
    }
    check_twin(k, "sac critic, sde");
    for (int i = 0; i < 2; i++) {
        read_net(&k->l, critics[i], k->critic[i].w, k->critic[i].n);
    }
    read_gradient(&k->l, "actor", &k->actor);
    assert_true(fabs(stat(k, "train/actor_loss") - sde_actor_loss(&x, &pattern)) < 1e-9);
    check_differences("sac actor, sde", k->actor.w, k->actor.n, k->actor.g, sde_actor_loss, &x);
    const double *moment = learner_floats(&k->l, "actor.log_std.adam_m");
    for (int i = 0; i < A * H; i++) {
        x.g[i] = moment[i] / one_less_beta1;
    }
    check_differences("log sigma, sde", x.log_std, A * H, x.g, sde_actor_loss, &x);
    learner_free(&k->l);
}

/* --- choices --- */

#define C 3

static const struct dims choice_dims = {
    .n_obs = O, .n_act = 1, .n_choices = C, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};

struct choice_case {
    struct update_case k;
    uint64_t legal[ROWS], legal2[ROWS];
};

/* Some choices are not legal, none of these was made. */
static void draw_choices(struct choice_case *z)
{
    static const uint64_t may[] = {7, 5, 6, 3, 2};
    struct rng r;
    rng_seed(&r, 13);
    draw_batch(&z->k);
    for (int i = 0; i < ROWS; i++) {
        z->legal[i] = may[i % 5];
        z->legal2[i] = may[(i + 2) % 5];
        do {
            z->k.a[i] = (double)rng_below(&r, C);
        } while ((z->legal[i] >> (int)z->k.a[i] & 1) == 0);
    }
    z->k.b.legal = z->legal;
    z->k.b.legal2 = z->legal2;
}

static double choice_loss(void *self, uint64_t *ret_pattern)
{
    struct choice_case *z = self;
    struct update_case *k = &z->k;
    double loss = 0.0, q[C];
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&k->critic[k->fitted].shape, k->critic[k->fitted].w, k->s + i * O, q,
                  ret_pattern);
        const double e = q[(int)k->a[i]] - k->y[i];
        loss += k->w[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

/* softmax over what is legal; returns how many that are */
static int plain_softmax(const double *x, uint64_t legal, double *ret_p)
{
    double sum = 0.0;
    int n = 0;
    for (int a = 0; a < C; a++) {
        ret_p[a] = (legal >> a & 1) != 0 ? exp(x[a]) : 0.0;
        sum += ret_p[a];
        n += (int)(legal >> a & 1);
    }
    for (int a = 0; a < C; a++) {
        ret_p[a] /= sum;
    }
    return n;
}

static void read_apart(struct update_case *k, const char *name, const char *target, int i)
{
    char first[96];
    shape_net(&k->critic[i], O, C);
    shape_net(&k->target[i], O, C);
    read_net(&k->l, name, k->critic[i].w, k->critic[i].n);
    (void)snprintf(first, sizeof first, "%s.0.weight", target);
    double *slow = learner_floats(&k->l, first);
    assert_memory_equal(slow, k->critic[i].w, (size_t)k->critic[i].n * sizeof *slow);
    for (int j = 0; j < k->target[i].n; j++) {
        k->target[i].w[j] = slow[j] *= 0.8;
    }
    k->l.policy->restored(k->l.self);
}

static void softq_discrete_steps_down_the_gradient_of_its_loss_14_1(void **state)
{
    (void)state;
    static struct choice_case z;
    static const struct setting settings[] = {{"net_arch", "[8, 8]"},
                                              {"tau", "0.02"},
                                              {"target_update_interval", "1"},
                                              {"ent_coef", "0.4"},
                                              {NULL, NULL}};
    struct update_case *k = &z.k;
    uint64_t pattern = 0;
    learner_make(&k->l, policy_find("softq_discrete"), &choice_dims, settings, 19);
    draw_choices(&z);
    read_apart(k, "critic", "critic_target", 0);
    k->l.policy->update(k->l.self, &k->b, &k->stats);
    for (int i = 0; i < ROWS; i++) { /* y = r + g alpha log sum exp(Q'(s', a') / alpha) */
        double q[C], sum = 0.0;
        plain_mlp(&k->target[0].shape, k->target[0].w, k->s2 + i * O, q, &pattern);
        for (int a = 0; a < C; a++) {
            sum += (z.legal2[i] >> a & 1) != 0 ? exp(q[a] / 0.4) : 0.0;
        }
        k->y[i] = k->r[i] + k->g[i] * 0.4 * log(sum);
    }
    struct net *q = &k->critic[0];
    k->fitted = 0;
    read_gradient(&k->l, "critic", q);
    assert_true(fabs(stat(k, "train/critic_loss") - choice_loss(&z, &pattern)) < 1e-9);
    check_differences("softq_discrete", q->w, q->n, q->g, choice_loss, &z);
    read_net(&k->l, "critic", q->w, q->n);
    check_blend(&k->l, "critic_target", 0.02, q, &k->target[0]);
    learner_free(&k->l);
}

/* sum_a pi (min_i Q_i - alpha log pi) at s */
static double soft_value_at(const struct update_case *k, const struct net q[2], const double *s,
                            uint64_t legal, uint64_t *ret_pattern)
{
    double logit[C], p[C], q0[C], q1[C], sum = 0.0;
    plain_mlp(&k->actor.shape, k->actor.w, s, logit, ret_pattern);
    plain_mlp(&q[0].shape, q[0].w, s, q0, ret_pattern);
    plain_mlp(&q[1].shape, q[1].w, s, q1, ret_pattern);
    (void)plain_softmax(logit, legal, p);
    for (int a = 0; a < C; a++) {
        sum += p[a] > 0.0 ? p[a] * (fmin(q0[a], q1[a]) - k->alpha * log(p[a])) : 0.0;
    }
    return sum;
}

static double sac_discrete_actor_loss(void *self, uint64_t *ret_pattern)
{
    struct choice_case *z = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        loss -= soft_value_at(&z->k, z->k.critic, z->k.s + i * O, z->legal[i], ret_pattern) / ROWS;
    }
    return loss;
}

/* E[ H(pi(.|s)) - ratio log n ], n the legal choices in s */
static double sac_discrete_gap(struct choice_case *z, double ratio)
{
    double gap = 0.0, logit[C], p[C];
    uint64_t pattern = 0;
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&z->k.actor.shape, z->k.actor.w, z->k.s + i * O, logit, &pattern);
        gap -= ratio * log(plain_softmax(logit, z->legal[i], p)) / ROWS;
        for (int a = 0; a < C; a++) {
            gap -= p[a] > 0.0 ? p[a] * log(p[a]) / ROWS : 0.0;
        }
    }
    return gap;
}

static void sac_discrete_begin(struct choice_case *z)
{
    static const struct setting settings[] = {{"net_arch", "[8, 8]"},
                                              {"ent_coef", "auto_0.3"},
                                              {"target_entropy_ratio", "0.7"},
                                              {"tau", "0.02"},
                                              {NULL, NULL}};
    struct update_case *k = &z->k;
    learner_make(&k->l, policy_find("sac_discrete"), &choice_dims, settings, 23);
    draw_choices(z);
    k->alpha = 0.3;
    shape_net(&k->actor, O, C);
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    for (int i = 0; i < 2; i++) {
        read_apart(k, critics[i], targets[i], i);
    }
}

/* Oracle 14.1: the three losses of SAC for choices, with choices that are not legal. */
static void sac_discrete_steps_down_the_gradients_of_its_losses_14_1(void **state)
{
    (void)state;
    static struct choice_case z;
    struct update_case *k = &z.k;
    uint64_t pattern = 0;
    double sum = 0.0;
    sac_discrete_begin(&z);
    k->l.policy->update(k->l.self, &k->b, &k->stats);

    for (int i = 0; i < ROWS; i++) { /* y = r + g V(s') */
        k->y[i] =
            k->r[i] + k->g[i] * soft_value_at(k, k->target, k->s2 + i * O, z.legal2[i], &pattern);
    }
    for (k->fitted = 0; k->fitted < 2; k->fitted++) {
        struct net *q = &k->critic[k->fitted];
        read_gradient(&k->l, critics[k->fitted], q);
        sum += choice_loss(&z, &pattern);
        check_differences("sac_discrete critic", q->w, q->n, q->g, choice_loss, &z);
    }
    assert_true(fabs(stat(k, "train/critic_loss") - 0.5 * sum) < 1e-9);

    for (int i = 0; i < 2; i++) { /* the actor saw them after their step */
        read_net(&k->l, critics[i], k->critic[i].w, k->critic[i].n);
        check_blend(&k->l, targets[i], 0.02, &k->critic[i], &k->target[i]);
    }
    read_gradient(&k->l, "actor", &k->actor);
    assert_true(fabs(stat(k, "train/actor_loss") - sac_discrete_actor_loss(&z, &pattern)) < 1e-9);
    check_differences("sac_discrete actor", k->actor.w, k->actor.n, k->actor.g,
                      sac_discrete_actor_loss, &z);

    const double gap = sac_discrete_gap(&z, 0.7);
    const double g = learner_floats(&k->l, "log_ent_coef.adam_m")[0] / one_less_beta1;
    const double step = learner_floats(&k->l, "log_ent_coef")[0] - log(0.3);
    assert_true(fabs(g - gap) < 1e-9 && fabs(gap) > 0.01);
    assert_true(fabs(step + 3e-4 * (gap > 0.0 ? 1.0 : -1.0)) < 1e-8); /* Adam's first step */
    learner_free(&k->l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softq_steps_down_the_gradients_of_its_losses_14_1),
        cmocka_unit_test(sac_v1_steps_down_the_gradients_of_its_losses_14_1),
        cmocka_unit_test(sac_steps_down_the_gradients_with_state_dependent_noise_14_1),
        cmocka_unit_test(softq_discrete_steps_down_the_gradient_of_its_loss_14_1),
        cmocka_unit_test(sac_discrete_steps_down_the_gradients_of_its_losses_14_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
