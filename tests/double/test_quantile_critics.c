/*
 * Truncated quantile critics in double, through the contract of policies: one update's gradients
 * against differences of its losses, the pool and what is left out of it by plain loops.
 */
#include <cmocka.h>

#include "tests/double/differences.h"
#include "tests/unit/policy_fixture.h"

#define ROWS      5
#define O         3
#define A         2
#define CRITICS   2
#define QUANTILES 4
#define DROPPED   1
#define W_MAX     512

static const struct dims dims = {
    .n_obs = O, .n_vector = O, .n_act = A, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 10.0};
static const int hidden[] = {6};

struct tqc_case {
    struct learner_fixture l;
    struct mlp_shape actor, critic;
    double pi[W_MAX], q[CRITICS][W_MAX], fitted[CRITICS][W_MAX], g[W_MAX];
    double s[ROWS * O], a[ROWS * A], r[ROWS], s2[ROWS * O], gamma[ROWS], w[ROWS];
    double eps[2][ROWS * A + 1]; /* of s', of s */
    double y[ROWS][CRITICS * QUANTILES];
    int which;
    struct batch b;
};

static void copy(const struct learner_fixture *l, const char *name, double *ret_w, int n)
{
    memcpy(ret_w, learner_floats(l, name), (size_t)n * sizeof *ret_w);
}

static void begin(struct tqc_case *k)
{
    static const struct setting settings[] = {
        {"net_arch", "[6]"},  {"n_critics", "2"},
        {"n_quantiles", "4"}, {"top_quantiles_to_drop_per_net", "1"},
        {"ent_coef", "0.3"},  {NULL, NULL}};
    struct rng r;
    rng_seed(&r, 3);
    learner_make(&k->l, policy_find("tqc"), &dims, settings, 9);
    mlp_shape(&k->actor, O, hidden, 1, 2 * A);
    mlp_shape(&k->critic, O + A, hidden, 1, QUANTILES);
    copy(&k->l, "actor.0.weight", k->pi, mlp_weights(&k->actor));
    copy(&k->l, "critic0.0.weight", k->q[0], mlp_weights(&k->critic));
    copy(&k->l, "critic1.0.weight", k->q[1], mlp_weights(&k->critic));
    for (int i = 0; i < ROWS * O; i++) {
        k->s[i] = rng_normal(&r);
        k->s2[i] = rng_normal(&r);
    }
    for (int i = 0; i < ROWS * A; i++) {
        k->a[i] = 2.0 * rng_uniform(&r) - 1.0;
    }
    for (int i = 0; i < ROWS; i++) {
        k->r[i] = 2.0 * rng_normal(&r);
        k->gamma[i] = i == 1 ? 0.0 : 0.9;
        k->w[i] = 0.5 + rng_uniform(&r);
    }
    k->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = k->s,
                          .a = k->a,
                          .r = k->r,
                          .s2 = k->s2,
                          .g = k->gamma,
                          .w = k->w};
    struct rng own = k->l.rng; /* as the update draws: first for s', then for s */
    plain_normals(&own, ROWS * A, k->eps[0]);
    plain_normals(&own, ROWS * A, k->eps[1]);
}

static void plain_quantiles(const struct tqc_case *k, const double *w, const double *s,
                            const double *a, double *ret_q, uint64_t *ret_pattern)
{
    double x[O + A];
    memcpy(x, s, sizeof(double) * O);
    memcpy(x + O, a, sizeof(double) * A);
    plain_mlp(&k->critic, w, x, ret_q, ret_pattern);
}

/* The lowest of all quantiles of s', by choosing the least again and again. */
static void plain_targets(struct tqc_case *k)
{
    uint64_t pattern = 0;
    for (int i = 0; i < ROWS; i++) {
        double a[A], logp, all[CRITICS * QUANTILES];
        plain_gauss(&k->actor, k->pi, k->s2 + i * O, k->eps[0] + i * A, a, &logp, &pattern);
        for (int c = 0; c < CRITICS; c++) { /* fresh targets are the critics */
            plain_quantiles(k, k->q[c], k->s2 + i * O, a, all + c * QUANTILES, &pattern);
        }
        for (int j = 0; j < CRITICS * (QUANTILES - DROPPED); j++) {
            int least = 0;
            for (int m = 1; m < CRITICS * QUANTILES; m++) {
                least = all[m] < all[least] ? m : least;
            }
            k->y[i][j] = k->r[i] + k->gamma[i] * (all[least] - 0.3 * logp);
            all[least] = 1e30;
        }
    }
}

static double critic_loss(void *self, uint64_t *ret_pattern)
{
    const struct tqc_case *k = self;
    const int kept = CRITICS * (QUANTILES - DROPPED);
    double loss = 0.0, q[QUANTILES];
    for (int i = 0; i < ROWS; i++) {
        plain_quantiles(k, k->q[k->which], k->s + i * O, k->a + i * A, q, ret_pattern);
        for (int m = 0; m < QUANTILES; m++) {
            for (int j = 0; j < kept; j++) {
                const double u = k->y[i][j] - q[m], tau = (2 * m + 1) / (2.0 * QUANTILES);
                decide(ret_pattern, u < 0.0);
                decide(ret_pattern, fabs(u) > 1.0);
                const double h = fabs(u) <= 1.0 ? 0.5 * u * u : fabs(u) - 0.5;
                loss += k->w[i] / ROWS * fabs(tau - (u < 0.0 ? 1.0 : 0.0)) * h / kept / QUANTILES;
            }
        }
    }
    return loss;
}

static double actor_loss(void *self, uint64_t *ret_pattern)
{
    const struct tqc_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        double a[A], logp, q[QUANTILES];
        plain_gauss(&k->actor, k->pi, k->s + i * O, k->eps[1] + i * A, a, &logp, ret_pattern);
        loss += 0.3 * logp / ROWS;
        for (int c = 0; c < CRITICS; c++) {
            plain_quantiles(k, k->fitted[c], k->s + i * O, a, q, ret_pattern);
            for (int m = 0; m < QUANTILES; m++) {
                loss -= q[m] / (CRITICS * QUANTILES * ROWS);
            }
        }
    }
    return loss;
}

static void moments(struct tqc_case *k, const char *name, int n)
{
    copy(&k->l, name, k->g, n);
    for (int i = 0; i < n; i++) {
        k->g[i] /= 1.0 - 0.9;
    }
}

/* 14.1: quantile Huber through a truncated pool; the actor through the mean of all quantiles. */
static void it_steps_down_its_losses_14_1(void **state)
{
    (void)state;
    static struct tqc_case k;
    static const char *const first[] = {"critic0.adam_m.0.weight", "critic1.adam_m.0.weight"};
    struct stats stats;
    begin(&k);
    plain_targets(&k);
    k.l.policy->update(k.l.self, &k.b, &stats);
    copy(&k.l, "critic0.0.weight", k.fitted[0], mlp_weights(&k.critic));
    copy(&k.l, "critic1.0.weight", k.fitted[1], mlp_weights(&k.critic));
    double loss = 0.0;
    for (k.which = 0; k.which < CRITICS; k.which++) {
        uint64_t pattern = 0;
        loss += critic_loss(&k, &pattern);
        moments(&k, first[k.which], mlp_weights(&k.critic));
        check_differences("tqc critic", k.q[k.which], mlp_weights(&k.critic), k.g, critic_loss, &k);
    }
    assert_true(fabs(stats.v[0] - loss) < 1e-9);
    moments(&k, "actor.adam_m.0.weight", mlp_weights(&k.actor));
    check_differences("tqc actor", k.pi, mlp_weights(&k.actor), k.g, actor_loss, &k);
    learner_free(&k.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_steps_down_its_losses_14_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
