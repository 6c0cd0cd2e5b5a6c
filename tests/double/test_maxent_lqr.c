/*
 * Policies of maximum entropy that are known in closed form, where tanh is a straight line.
 *
 * Oracle 14.4: the best policy of maximum entropy for a linear-quadratic regulator, found by soft
 * policy iteration: the critic is the bowl that belongs to the policy at hand, exactly; the actor
 * is SAC's, with a straight line for its network.
 *
 *   s' = A s + B u,  r = -(Q s^2 + R u^2);  pi = N(-K s, (alpha / 2) / S)
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/gauss.h"

#define ROWS  256
#define REACH 20.0 /* u = REACH a: there tanh is a straight line */
#define GAMMA 0.95

static const double lqr_a = 1.2, lqr_b = 0.5, lqr_q = 1.0, lqr_r = 0.1, alpha = 0.1;

struct actor {
    struct gauss p;
    struct arena mem;
    struct rng rng;
    double s[ROWS], a[ROWS], logp[ROWS], da[ROWS], dlogp[ROWS];
};

static void actor_begin(struct actor *z)
{
    const struct net_spec spec = {
        .n_obs = 1, .n_act = 1, .rows = ROWS, .adam = adam_defaults(2e-3)};
    assert_int_equal(arena_open(&z->mem, "actor", (size_t)16 << 20), 0);
    rng_seed(&z->rng, 3);
    gauss_init(&z->p, &spec, &z->mem, &z->rng);
    memset(z->p.net.w, 0, (size_t)z->p.net.n * sizeof z->p.net.w[0]);
    z->p.net.w[3] = log(1.0 / REACH); /* W [2,1], b [2] */
    z->p.net.w[0] = -1.0 / REACH;     /* u = -s to begin with: it is stable */
    mlp_changed(&z->p.net);
}

/* K of u = -K s near 0, and the variance of u there */
static double gain(const struct actor *z)
{
    return -REACH * z->p.net.w[0];
}

static double variance(const struct actor *z)
{
    return pow(REACH * exp(z->p.net.w[3]), 2);
}

/* V(s) = -p s^2 + c of u ~ N(-k s, any): p = Q + R k^2 + gamma p (A - B k)^2 */
static double evaluate(double k)
{
    const double closed = lqr_a - lqr_b * k;
    return (lqr_q + lqr_r * k * k) / (1.0 - GAMMA * closed * closed);
}

/* One step down alpha log pi - Q, Q(s, u) = -(Q s^2 + R u^2) - gamma p (A s + B u)^2 + c. */
static void improve(struct actor *z, double p)
{
    for (int i = 0; i < ROWS; i++) {
        z->s[i] = 2.0 * rng_uniform(&z->rng) - 1.0;
    }
    gauss_forward(&z->p, z->s, ROWS, &z->rng, z->a, z->logp);
    for (int i = 0; i < ROWS; i++) {
        const double u = REACH * z->a[i], s2 = lqr_a * z->s[i] + lqr_b * u;
        z->da[i] = REACH * (2.0 * lqr_r * u + 2.0 * GAMMA * p * lqr_b * s2) / ROWS;
        z->dlogp[i] = alpha / ROWS;
    }
    gauss_fit(&z->p, z->a, z->da, z->dlogp, ROWS);
}

static void soft_policy_iteration_finds_the_best_policy_14_4(void **state)
{
    (void)state;
    static struct actor z;
    double k = 0.0, v = 0.0;
    actor_begin(&z);
    for (int round = 0; round < 8; round++) {
        const double p = evaluate(gain(&z));
        for (int t = 0; t < 400; t++) {
            improve(&z, p);
        }
    }
    for (int t = 0; t < 200; t++) { /* it trembles a little */
        improve(&z, evaluate(gain(&z)));
        k += gain(&z) / 200;
        v += variance(&z) / 200;
    }
    print_message("gain %.4f, variance %.4f, P %.4f\n", k, v, evaluate(k));
    assert_true(fabs(k / 1.8587903198 - 1.0) < 0.02);
    assert_true(fabs(v / .1127520167 - 1.0) < 0.05);
    assert_true(fabs(evaluate(k) / 1.4461096767 - 1.0) < 1e-3); /* its value is the best one's */
    assert_true(fabs(z.p.net.w[2]) < 0.01);                     /* at rest it rests */
    arena_close(&z.mem);
}

/* Oracle 14.3: where nothing is squashed, a bandit's best policy is N(m, alpha / k), exactly. */
static void an_unsquashed_actor_is_that_of_a_bandit_14_3(void **state)
{
    (void)state;
    static const double cases[][2] = {{10, .3}, {2, -.5}}; /* k, m */
    static struct actor z;
    for (int c = 0; c < 2; c++) {
        const double k = cases[c][0], m = cases[c][1];
        double mean = 0.0, v = 0.0;
        actor_begin(&z);
        z.p.net.w[0] = 0.0; /* there is one state: 0 */
        mlp_changed(&z.p.net);
        memset(z.s, 0, sizeof z.s);
        for (int t = 0; t < 5000; t++) {
            z.p.opt.c.lr = t < 3000 ? 5e-3 : 5e-3 * (5000 - t) / 2000;
            gauss_forward(&z.p, z.s, ROWS, &z.rng, z.a, z.logp);
            for (int i = 0; i < ROWS; i++) {
                z.da[i] = REACH * k * (REACH * z.a[i] - m) / ROWS;
                z.dlogp[i] = alpha / ROWS;
            }
            gauss_fit(&z.p, z.a, z.da, z.dlogp, ROWS);
            mean += t >= 4500 ? REACH * z.p.net.w[2] / 500 : 0.0;
            v += t >= 4500 ? variance(&z) / 500 : 0.0;
        }
        print_message("k %g: middle %.4f of %.4f, variance %.5f of %.5f\n", k, mean, m, v,
                      alpha / k);
        assert_true(fabs(mean - m) < 0.01);
        assert_true(fabs(v / (alpha / k) - 1.0) < 0.05);
        arena_close(&z.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unsquashed_actor_is_that_of_a_bandit_14_3),
        cmocka_unit_test(soft_policy_iteration_finds_the_best_policy_14_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
