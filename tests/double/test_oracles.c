/*
 * Numbers that can be known without learning: densities and entropies of the squashed normal, the
 * optimum of a bandit, first steps of Adam, soft updates. In double.
 *
 * Where a number stands without a formula it was computed by quadrature, apart from this code.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/boltzmann.h"
#include "policies/nn/critic.h"
#include "policies/nn/gauss.h"

/* A policy without a state: the last layer's bias alone. */
struct bare {
    struct gauss p;
    struct arena mem;
    double *mu, *log_std;
};

static void bare_begin(struct bare *ret_bare, int rows, double lr, double mu, double sigma)
{
    struct bare *b = ret_bare;
    struct rng r;
    rng_seed(&r, 1);
    assert_int_equal(arena_open(&b->mem, "bare", (size_t)256 << 20), 0);
    const struct net_spec spec = {.n_obs = 1, .n_act = 1, .rows = rows, .adam = adam_defaults(lr)};
    gauss_init(&b->p, &spec, &b->mem, &r);
    memset(b->p.net.w, 0, (size_t)b->p.net.n * sizeof b->p.net.w[0]);
    b->mu = b->p.net.w + 2; /* W [2,1], b [2] */
    b->log_std = b->p.net.w + 3;
    *b->mu = mu;
    *b->log_std = log(sigma);
    mlp_changed(&b->p.net);
}

/* log pi at u for mu and sigma: Haarnoja et al. 2018, appendix C. */
static void log_pi_is_exact_also_where_tanh_is_flat_14_3(void **state)
{
    (void)state;

    static const struct {
        double u, mu, sigma, log_pi;
    } rows[] = {
        {0, 0, 1, -.9189385332},     {.5, .2, .3, .0252632850},  {-1.5, 0, 1, -.3330581912},
        {3, 0, 1, -.8002815240},     {10, 0, 1, -32.3052328902}, {-20, 0, 5, 28.0853291932},
        {20, 19, .5, 36.3879142862},
    };
    static struct bare b;
    const double s = 0.0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double u = rows[i].u, sigma = rows[i].sigma, z = (u - rows[i].mu) / sigma;
        const double at_z0 = rows[i].log_pi + 0.5 * z * z; /* what does not depend on the draw */
        struct rng noise, again;
        double eps, a, log_pi;
        rng_seed(&noise, 9);
        again = noise;
        /* the draw is what it is: mu such that it lands at u */
        plain_normals(&again, 1, &eps);
        bare_begin(&b, 1, 0.0, u - sigma * eps, sigma);
        gauss_forward(&b.p, &s, 1, &noise, &a, &log_pi);
        assert_true(fabs(log_pi - (at_z0 - 0.5 * eps * eps)) < 1e-9 && fabs(a - tanh(u)) < 1e-12);

        again = noise; /* the tick draws one by one */
        eps = rng_normal(&again);
        const double out[] = {u - sigma * eps, log(sigma)};
        gauss_act(out, 1, true, &noise, &a, &log_pi);
        assert_true(fabs(log_pi - (at_z0 - 0.5 * eps * eps)) < 1e-9 && fabs(a - tanh(u)) < 1e-12);
        gauss_act(out, 1, false, &noise, &a, &log_pi);
        assert_true(isnan(log_pi) && a == tanh(out[0]));
        arena_close(&b.mem);
    }
}

static void entropy_of_a_squashed_normal_is_known_14_3(void **state)
{
    (void)state;

    static const struct {
        double sigma, entropy;
    } rows[] = {{.05, -1.57929}, {.1, -.89360}, {.2, -.22974},
                {.5, .49997},    {1, .66980},   {2, -.00123}};

    enum { N = 100000 };

    static double s[N], a[N], log_pi[N];
    static struct bare b;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rng noise;
        double sum = 0.0;
        rng_seed(&noise, 10);
        bare_begin(&b, N, 0.0, 0.0, rows[i].sigma);
        gauss_forward(&b.p, s, N, &noise, a, log_pi);
        for (int k = 0; k < N; k++) {
            sum -= log_pi[k];
        }
        assert_true(fabs(sum / N - rows[i].entropy) < 0.012); /* 4 sd / sqrt(N) */
        arena_close(&b.mem);
    }
}

/* --- a bandit: Q(a) = -k (a - m)^2 / 2 is known, the actor climbs E[Q] + alpha H alone --- */

#define PULLS 256

struct bandit {
    struct bare b;
    double k, m, alpha;
    double a[PULLS], log_pi[PULLS], da[PULLS], dlogp[PULLS], s[PULLS];
    struct rng noise;
};

/* One step; returns the entropy of the draws. */
static double pull(struct bandit *z)
{
    double entropy = 0.0;
    gauss_forward(&z->b.p, z->s, PULLS, &z->noise, z->a, z->log_pi);
    for (int i = 0; i < PULLS; i++) {
        z->da[i] = z->k * (z->a[i] - z->m) / PULLS; /* J = alpha log pi - Q */
        z->dlogp[i] = z->alpha / PULLS;
        entropy -= z->log_pi[i] / PULLS;
    }
    gauss_fit(&z->b.p, z->a, z->da, z->dlogp, PULLS);
    return entropy;
}

static void bandit_begin(struct bandit *z, double k, double m, double alpha)
{
    bare_begin(&z->b, PULLS, 0.02, 0.0, 1.0);
    z->k = k;
    z->m = m;
    z->alpha = alpha;
    rng_seed(&z->noise, 21);
}

/* What tanh N(mu, sigma^2) is worth by quadrature over its eps: its entropy and E[Q] + alpha H. */
static double worth(const struct bandit *z, double mu, double sigma, double *ret_entropy)
{
    enum { N = 4000 };

    const double step = 16.0 / N, log_root = 0.5 * log(2.0 * acos(-1.0));
    double q = 0.0, entropy = 0.0;
    for (int i = 0; i <= N; i++) {
        const double eps = -8.0 + step * i, p = exp(-0.5 * eps * eps - log_root) * step;
        const double u = mu + sigma * eps, a = tanh(u);
        q += p * -0.5 * z->k * (a - z->m) * (a - z->m);
        entropy += p * (0.5 * eps * eps + log(sigma) + log_root - 2.0 * log(cosh(u)));
    }
    *ret_entropy = entropy;
    return q + z->alpha * entropy;
}

/* alpha log of the integral of exp(Q / alpha): what no policy is worth more than. */
static double best_possible(const struct bandit *z)
{
    enum { N = 20000 };

    static double q[N];
    for (int i = 0; i < N; i++) {
        const double a = (2.0 * i + 1.0) / N - 1.0;
        q[i] = -0.5 * z->k * (a - z->m) * (a - z->m);
    }
    return soft_value_estimate(q, N, 1, z->alpha, NULL);
}

static const struct bandit_row {
    double k, m, alpha, mu, sigma, mean, sd, best, possible, kl, entropy;
} bandits[] = {
    {10, .3, .1, .3128637, .1105787, .299744, .099653, -.13870092, -.13836466, .00336, -.890472},
    {10, .3, 1, .3194048, .3577918, .279330, .300320, -.27322790, -.24589331, .0273, .179868},
    {2, 0, .05, 0, .1618525, 0, .157851, -.04631667, -.04627506, .00083, -.427996},
    {50, -.5, .01, -.5494834, .0188545, -.500000, .014138, -.03339925, -.03339658, .00027,
     -2.840191},
    {10, .95, .1, 1.5785397, .3538864, .899338, .072047, -.18833039, -.17525930, .131, -1.495436},
};

/* The right half of the table: the best squashed normal's worth, and how far it is from the best
 * that there could be; what was learnt is worth as much. */
static void check_worth(const struct bandit *z, const struct bandit_row *row)
{
    double entropy;
    const double best = worth(z, row->mu, row->sigma, &entropy), possible = best_possible(z);
    assert_true(fabs(best - row->best) < 1e-8);
    assert_true(fabs(entropy - row->entropy) < 1e-6);
    assert_true(fabs(possible - row->possible) < 1e-8);
    assert_true(fabs((possible - best) / z->alpha - row->kl) < 0.01 * row->kl + 5e-6);
    const double learnt = worth(z, *z->b.mu, exp(*z->b.log_std), &entropy);
    assert_true(learnt < row->best + 1e-8 && learnt > row->best - 0.01 * z->alpha);
    assert_true(fabs(entropy - row->entropy) < 0.05); /* sigma is held to 5 % */
}

static void actor_finds_the_best_policy_of_a_bandit_14_3(void **state)
{
    (void)state;
    const struct bandit_row *const rows = bandits;
    static struct bandit z;
    for (size_t i = 0; i < sizeof bandits / sizeof bandits[0]; i++) {
        bandit_begin(&z, rows[i].k, rows[i].m, rows[i].alpha);
        for (int t = 0; t < 6000; t++) {
            z.b.p.opt.c.lr = t < 4000 ? 0.02 : 0.02 * (6000 - t) / 2000;
            (void)pull(&z);
        }
        assert_true(fabs(*z.b.mu - rows[i].mu) < 0.01);
        assert_true(fabs(exp(*z.b.log_std) / rows[i].sigma - 1.0) < 0.05);
        check_worth(&z, &rows[i]);
        double sum = 0.0, sum2 = 0.0;
        for (int t = 0; t < 100; t++) {
            gauss_forward(&z.b.p, z.s, PULLS, &z.noise, z.a, z.log_pi);
            for (int k = 0; k < PULLS; k++) {
                sum += z.a[k] / (100.0 * PULLS);
                sum2 += z.a[k] * z.a[k] / (100.0 * PULLS);
            }
        }
        assert_true(fabs(sum - rows[i].mean) < 0.01);
        assert_true(fabs(sqrt(sum2 - sum * sum) / rows[i].sd - 1.0) < 0.06);
        arena_close(&z.b.mem);
    }
}

/* The temperature that makes the best policy's entropy the wanted one: k 10, m 0.3, H -0.890472. */
static void temperature_settles_where_the_entropy_is_as_asked_14_3(void **state)
{
    (void)state;
    static struct bandit z;
    struct adam opt;
    double log_alpha = 0.0, mean = 0.0;

    enum { STEPS = 6000, COUNTED = 1000 };

    bandit_begin(&z, 10, .3, 1);
    const struct adam_options c = adam_defaults(0.01);
    adam_init(&opt, kernel_best(), 1, &c, &z.b.mem);
    for (int t = 0; t < STEPS; t++) {
        z.b.p.opt.c.lr = opt.c.lr = t < STEPS / 2 ? 0.01 : 0.01 * (STEPS - t) / (STEPS / 2);
        z.alpha = exp(log_alpha);
        double gap = pull(&z) - -.890472;
        adam_step(&opt, &gap, &log_alpha);
        mean += t >= STEPS - COUNTED ? exp(log_alpha) / COUNTED : 0.0;
    }
    assert_true(fabs(mean - 0.1) < 0.005);
    arena_close(&z.b.mem);
}

/* --- Adam, by the paper's algorithm 1 written out; its first step is lr --- */

static void adam_is_the_papers_algorithm_14_9(void **state)
{
    (void)state;
    struct arena mem;
    struct adam o;
    double w[2] = {1.0, -2.0}, m[2] = {0}, v[2] = {0}, want[2] = {1.0, -2.0};
    const double b1 = 0.9, b2 = 0.999;
    assert_int_equal(arena_open(&mem, "adam", (size_t)1 << 20), 0);
    const struct adam_options c = adam_defaults(1e-2);
    adam_init(&o, kernel_best(), 2, &c, &mem);
    for (int t = 1; t <= 50; t++) {
        double g[] = {sin(3.0 * t), 1e-3 * t};
        adam_step(&o, g, w);
        for (int i = 0; i < 2; i++) {
            m[i] = b1 * m[i] + (1.0 - b1) * g[i];
            v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
            const double m_hat = m[i] / (1.0 - pow(b1, t)), v_hat = v[i] / (1.0 - pow(b2, t));
            want[i] -= 1e-2 * m_hat / (sqrt(v_hat) + 1e-8);
            assert_true(fabs(w[i] - want[i]) < 1e-14);
        }
        if (t == 1) {
            assert_true(fabs(w[0] - (1.0 - 1e-2)) < 1e-9 && fabs(w[1] - (-2.0 - 1e-2)) < 1e-6);
        }
    }
    assert_int_equal(o.t, 50);
    arena_close(&mem);
}

/* torch's clip_grad_norm_: |g| 5 becomes the most, or stays; then L2: the penalty is not clipped.
 */
static void long_gradients_are_shortened(void **state)
{
    (void)state;

    static const struct {
        double most, decay, want[2];
    } cases[] = {
        {0.0, 0.0, {3.0, -4.0}}, {5.1, 0.0, {3.0, -4.0}},  {1.0, 0.0, {0.6, -0.8}},
        {2.5, 0.0, {1.5, -2.0}}, {0.0, 0.5, {53.0, -4.5}}, {1.0, 0.01, {1.6, -0.81}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum { N = 35 }; /* whole parts of a sum, and a bit */

        double g[N] = {0}, w[N] = {0};
        const struct adam o = {
            .n = N, .c = {.max_grad_norm = cases[i].most, .weight_decay = cases[i].decay}};
        g[2] = 3.0;
        w[2] = 100.0;
        g[N - 1] = -4.0;
        w[N - 1] = -1.0;
        adam_prepare(&o, w, g);
        assert_true(fabs(g[2] - cases[i].want[0]) < 1e-6);
        assert_true(fabs(g[N - 1] - cases[i].want[1]) < 1e-6);
        assert_true(g[0] == 0.0 && w[2] == 100.0);
    }
}

/* 1 - 0.995^1000 = 0.99334603; a copy is exact. */
static void soft_updates_approach_and_copies_are_exact_14_9(void **state)
{
    (void)state;
    static const int hidden[] = {3};
    struct arena mem;
    struct mlp net, target;
    struct mlp_shape shape;
    struct rng r;
    rng_seed(&r, 2);
    assert_int_equal(arena_open(&mem, "blend", (size_t)1 << 20), 0);
    mlp_shape(&shape, 2, hidden, 1, 1);
    mlp_init(&net, &shape, NULL, 1, &mem, &r);
    mlp_init(&target, &shape, NULL, 1, &mem, &r);
    mlp_copy(&net, &target);
    assert_memory_equal(net.w, target.w, (size_t)net.n * sizeof net.w[0]);
    for (int i = 0; i < net.n; i++) {
        net.w[i] = 1.0;
        target.w[i] = 0.0;
    }
    mlp_changed(&net);
    mlp_changed(&target);
    for (int t = 0; t < 1000; t++) {
        mlp_blend(&net, 0.005, &target);
    }
    for (int i = 0; i < net.n; i++) {
        assert_true(fabs(target.w[i] - .99334603) < 1e-8);
        assert_true(net.w[i] == 1.0);
    }
    arena_close(&mem);
}

/* Weights U(+-1/sqrt(fan in)): variance 1 / (3 fan in). */
static void weights_start_within_their_fan_in(void **state)
{
    (void)state;
    static const int hidden[] = {100};
    struct arena mem;
    struct mlp net;
    struct mlp_shape shape;
    struct rng r;
    rng_seed(&r, 3);
    assert_int_equal(arena_open(&mem, "init", (size_t)4 << 20), 0);
    mlp_shape(&shape, 25, hidden, 1, 40);
    mlp_init(&net, &shape, NULL, 1, &mem, &r);
    const int first = 100 * 26, count[] = {first, net.n - first};
    const double fan_in[] = {25, 100};
    const double *w = net.w;
    for (int l = 0; l < 2; l++) {
        double sum2 = 0.0;
        for (int i = 0; i < count[l]; i++) {
            assert_true(fabs(w[i]) <= 1.0 / sqrt(fan_in[l]));
            sum2 += w[i] * w[i];
        }
        assert_true(fabs(sum2 / count[l] * 3.0 * fan_in[l] - 1.0) < 0.06);
        w += count[l];
    }
    arena_close(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_pi_is_exact_also_where_tanh_is_flat_14_3),
        cmocka_unit_test(entropy_of_a_squashed_normal_is_known_14_3),
        cmocka_unit_test(actor_finds_the_best_policy_of_a_bandit_14_3),
        cmocka_unit_test(temperature_settles_where_the_entropy_is_as_asked_14_3),
        cmocka_unit_test(adam_is_the_papers_algorithm_14_9),
        cmocka_unit_test(long_gradients_are_shortened),
        cmocka_unit_test(soft_updates_approach_and_copies_are_exact_14_9),
        cmocka_unit_test(weights_start_within_their_fan_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
