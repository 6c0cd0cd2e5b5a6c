/*
 * What checks of losses share: a batch of made-up rows, the networks before an update as plain
 * loops see them, and the gradient that an update went down, out of Adam's first moment, which is
 * (1 - beta1) times that.
 */
#pragma once

#include "tests/double/differences.h"
#include "tests/unit/policy_fixture.h"

#define ROWS  8
#define O     4
#define A     2
#define W_MAX 512

static const struct dims dims = {
    .n_obs = O, .n_act = A, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};
static const int hidden[] = {8, 8};
static const double one_less_beta1 = 1.0 - 0.9;

/* The network named as it was before the update, its gradient, and what the loss is about. */
struct net {
    struct mlp_shape shape;
    int n;
    double w[W_MAX], g[W_MAX];
};

struct update_case {
    struct learner_fixture l;
    struct stats stats;
    struct batch b;
    double s[ROWS * O], a[ROWS * A], r[ROWS], s2[ROWS * O], g[ROWS], w[ROWS];
    double eps[2][ROWS * A]; /* of the target's action, of the actor's */
    double y[ROWS];
    double alpha;
    struct net actor, actor_target, critic[2], target[2];
    int fitted; /* the critic that is under the differences */
};

static inline void shape_net(struct net *n, int in, int out)
{
    mlp_shape(&n->shape, in, hidden, 2, out);
    n->n = mlp_weights(&n->shape);
    assert_true(n->n <= W_MAX);
}

static inline void read_net(const struct learner_fixture *l, const char *name, double *ret_w, int n)
{
    char first[96];
    (void)snprintf(first, sizeof first, "%s.0.weight", name);
    memcpy(ret_w, learner_floats(l, first), (size_t)n * sizeof *ret_w);
}

static inline void read_gradient(const struct learner_fixture *l, const char *name, struct net *n)
{
    char moment[64];
    (void)snprintf(moment, sizeof moment, "%s.adam_m", name);
    read_net(l, moment, n->g, n->n);
    for (int i = 0; i < n->n; i++) {
        n->g[i] /= one_less_beta1;
    }
}

static inline void draw_batch(struct update_case *k)
{
    struct rng r;
    rng_seed(&r, 12);
    for (int i = 0; i < ROWS * O; i++) {
        k->s[i] = rng_normal(&r);
        k->s2[i] = rng_normal(&r);
    }
    for (int i = 0; i < ROWS * A; i++) {
        k->a[i] = 2.0 * rng_uniform(&r) - 1.0;
    }
    for (int i = 0; i < ROWS; i++) {
        k->r[i] = rng_normal(&r);
        k->g[i] = i % 3 == 0 ? 0.0 : 0.95;
        k->w[i] = 0.3 + rng_uniform(&r);
    }
    k->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = k->s,
                          .a = k->a,
                          .r = k->r,
                          .s2 = k->s2,
                          .g = k->g,
                          .w = k->w};
}

static inline double q_of(const struct net *q, const double *s, const double *a,
                          uint64_t *ret_pattern)
{
    double sa[O + A], value;
    memcpy(sa, s, O * sizeof *sa);
    memcpy(sa + O, a, A * sizeof *sa);
    plain_mlp(&q->shape, q->w, sa, &value, ret_pattern);
    return value;
}

static inline double fitted_loss(void *self, uint64_t *ret_pattern)
{
    struct update_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double e =
            q_of(&k->critic[k->fitted], k->s + i * O, k->a + i * A, ret_pattern) - k->y[i];
        loss += k->w[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

static inline double stat(const struct update_case *k, const char *name)
{
    return k->stats.v[stat_index(k->l.policy, name)];
}

/* --- two critics, of which the smaller is believed --- */

static const char *const critics[] = {"critic0", "critic1"};
static const char *const targets[] = {"critic0_target", "critic1_target"};

/* Both critics and targets as they are now; targets 0.8 of what they were: a copy until then. */
static inline void read_twin(struct update_case *k)
{
    for (int i = 0; i < 2; i++) {
        char first[96];
        shape_net(&k->critic[i], O + A, 1);
        shape_net(&k->target[i], O + A, 1);
        read_net(&k->l, critics[i], k->critic[i].w, k->critic[i].n);
        read_net(&k->l, targets[i], k->target[i].w, k->target[i].n);
        /* a copy is a copy: bit for bit */
        assert_memory_equal(k->critic[i].w, k->target[i].w,
                            (size_t)k->critic[i].n * sizeof k->critic[i].w[0]);
        for (int j = 0; j < k->target[i].n; j++) { /* then apart, as in the middle of learning */
            k->target[i].w[j] *= 0.8;
        }
        (void)snprintf(first, sizeof first, "%s.0.weight", targets[i]);
        memcpy(learner_floats(&k->l, first), k->target[i].w,
               (size_t)k->target[i].n * sizeof k->target[i].w[0]);
    }
    k->l.policy->restored(k->l.self);
}

static inline double least_target(const struct update_case *k, const double *s2, const double *a2)
{
    uint64_t pattern = 0;
    return fmin(q_of(&k->target[0], s2, a2, &pattern), q_of(&k->target[1], s2, a2, &pattern));
}

/* The gradient of each is that of its own loss, and of nothing else: the actor's pass left nothing
 * behind. */
static inline void check_twin(struct update_case *k, const char *what)
{
    uint64_t pattern = 0;
    double sum = 0.0;
    for (k->fitted = 0; k->fitted < 2; k->fitted++) {
        struct net *q = &k->critic[k->fitted];
        read_gradient(&k->l, critics[k->fitted], q);
        sum += fitted_loss(k, &pattern);
        check_differences(what, q->w, q->n, q->g, fitted_loss, k);
    }
    assert_true(fabs(stat(k, "train/critic_loss") - 0.5 * sum) < 1e-9);
}

/* target <- tau now + (1 - tau) before */
static inline void check_blend(const struct learner_fixture *l, const char *target, double tau,
                               const struct net *now, const struct net *before)
{
    double moved[W_MAX];
    read_net(l, target, moved, now->n);
    for (int i = 0; i < now->n; i++) {
        assert_true(fabs(moved[i] - (tau * now->w[i] + (1.0 - tau) * before->w[i])) < 1e-12);
    }
}

/* E[ alpha log pi(a|s) - min_i Q_i(s, a) ],  a by eps[1] */
static inline double sac_actor_loss(void *self, uint64_t *ret_pattern)
{
    struct update_case *k = self;
    double loss = 0.0, a[A], logp;
    for (int i = 0; i < ROWS; i++) {
        plain_gauss(&k->actor.shape, k->actor.w, k->s + i * O, k->eps[1] + i * A, a, &logp,
                    ret_pattern);
        const double q0 = q_of(&k->critic[0], k->s + i * O, a, ret_pattern);
        const double q1 = q_of(&k->critic[1], k->s + i * O, a, ret_pattern);
        decide(ret_pattern, q0 <= q1);
        loss += (k->alpha * logp - fmin(q0, q1)) / ROWS;
    }
    return loss;
}
