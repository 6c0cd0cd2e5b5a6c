/*
 * Soft Q-learning and the other soft actor-critics on problems whose best policy is known, through
 * struct batch, as the learner thread feeds them.
 */
#include "tests/unit/bandit_fixture.h"

#include <stdio.h>

static float bowl(float a) /* k = 10 */
{
    return -5.0f * a * a;
}

static float two_bowls(float a)
{
    const float off = fabsf(a) - 0.5f;
    return -5.0f * off * off;
}

/* Oracle 14.5: its deviation is sqrt(alpha / k) = 0.1; V is the integral's, oracle 14.3. */
static void softq_draws_from_a_bowl_14_5(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {{"net_arch", "[64, 64]"},
                                              {"ent_coef", "0.1"},
                                              {"tau", "0.05"},
                                              {"target_update_interval", "1"},
                                              {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    double v = 0.0;
    arms_begin(&x, "softq", settings);
    arms_learn(&x, bowl, 2500, &stats);
    for (int t = 0; t < 100; t++) { /* the estimate is of 64 times 16 draws a time */
        arms_learn(&x, bowl, 1, &stats);
        v += stats.v[stat_index(x.l.policy, "train/value")] / 100;
    }
    arms_watch(&x, &seen);
    print_message("softq: mean %.4f, deviation %.4f, V %.4f\n", seen.mean, seen.sd, v);
    assert_true(fabs(seen.mean) < 0.03);
    assert_true(fabs(seen.sd / 0.1 - 1.0) < 0.1);
    assert_true(fabs(v - -.160) < 0.015); /* what 16 draws say of -.1384 */
    learner_free(&x.l);
}

/* Oracle 14.5: both modes of an even Q, each as often as the other. At this temperature there is a
 * little between them; where there is nothing particles hardly know how many are on the other side.
 * The deviation of each half is 0.17. */
static void softq_draws_from_two_bowls_14_5(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {
        {"net_arch", "[64, 64]"}, {"ent_coef", "0.3"}, {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    arms_begin(&x, "softq", settings);
    arms_learn(&x, two_bowls, 3000, &stats);
    arms_watch(&x, &seen);
    print_message("softq: below 0 %.3f, deviations %.4f %.4f\n", seen.below, seen.sd_of[0],
                  seen.sd_of[1]);
    assert_true(fabs(seen.below - 0.5) < 0.1);
    assert_true(fabs(seen.sd_of[0] / 0.17 - 1.0) < 0.2 && fabs(seen.sd_of[1] / 0.17 - 1.0) < 0.2);
    learner_free(&x.l);
}

/* Oracle 14.5: without repulsion the sampler has one answer, the best action. */
static void softq_without_repulsion_collapses_14_5(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {
        {"net_arch", "[64, 64]"}, {"ent_coef", "0.1"}, {"repulsion", "false"}, {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    arms_begin(&x, "softq", settings);
    arms_learn(&x, bowl, 2500, &stats);
    arms_watch(&x, &seen);
    print_message("softq without repulsion: mean %.4f, deviation %.4f\n", seen.mean, seen.sd);
    assert_true(fabs(seen.mean) < 0.03 && seen.sd < 0.02);
    learner_free(&x.l);
}

/* E[Q] + alpha H is what its value function must say. */
static void sac_v1_finds_the_best_policy_of_a_bandit_14_3(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {
        {"net_arch", "[32, 32]"}, {"learning_rate", "1e-3"}, {"ent_coef", "0.1"}, {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    double v = 0.0;
    arms_begin(&x, "sac_v1", settings);
    arms_learn(&x, off_centre, 4000, &stats);
    for (int t = 0; t < 100; t++) {
        arms_learn(&x, off_centre, 1, &stats);
        v += stats.v[stat_index(x.l.policy, "train/value")] / 100;
    }
    arms_watch(&x, &seen);
    print_message("sac_v1: mean %.4f, deviation %.4f, V %.4f\n", seen.mean, seen.sd, v);
    assert_true(fabs(seen.mean - .299744) < 0.03);
    assert_true(fabs(seen.sd / .099653 - 1.0) < 0.15);
    assert_true(fabs(v - -.13870092) < 0.02);
    learner_free(&x.l);
}

/* The same optimum, where the deviation is a matter of the last hidden layer. */
static void sac_finds_it_with_state_dependent_noise(void **state)
{
    (void)state;
    static struct arms x;
    static const struct setting settings[] = {{"net_arch", "[32, 32]"}, {"learning_rate", "1e-3"},
                                              {"ent_coef", "0.1"},      {"use_sde", "true"},
                                              {"sde_sample_freq", "1"}, {NULL, NULL}};
    struct seen seen;
    struct stats stats;
    arms_begin(&x, "sac", settings);
    arms_learn(&x, off_centre, 4000, &stats);
    arms_watch(&x, &seen);
    print_message("sac, sde: mean %.4f, deviation %.4f\n", seen.mean, seen.sd);
    assert_true(fabs(seen.mean - .299744) < 0.03);
    assert_true(fabs(seen.sd / .099653 - 1.0) < 0.15);
    learner_free(&x.l);
}

/* Noise is a function of the state until it is drawn anew; its deviation and log pi are those of
 * its draws. One hidden unit, so that z is known. */
static void state_dependent_noise_stays_until_it_is_drawn(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture actor;
    static const struct setting settings[] = {{"net_arch", "[1]"},
                                              {"use_sde", "true"},
                                              {"log_std_init", "-1"},
                                              {"sde_sample_freq", "3"},
                                              {NULL, NULL}};

    enum { N = 20000 };

    const float z = 0.8f, sigma = expf(-1.0f) * z;
    float s = 1.0f, a, before = 0.0f;
    double sum2 = 0.0;
    struct rng rng;
    rng_seed(&rng, 5);
    learner_make(&l, policy_find("sac"), &one_by_one, settings, 1);
    learner_floats(&l, "actor.0.weight")[0] = z;
    learner_floats(&l, "actor.0.bias")[0] = 0.0f;
    learner_floats(&l, "actor.1.weight")[0] = 0.0f;
    learner_floats(&l, "actor.1.bias")[0] = 0.2f;
    actor_make(&actor, &l);
    for (int t = 0; t < N; t++) {
        const double logp = (double)actor_act(&actor, &s, true, &rng, &a);
        const double noise = atanh((double)a) - 0.2, of = noise / (double)sigma;
        assert_true(t % 3 == 0 ? a != before : a == before);
        assert_true(fabs(logp - (-0.5 * of * of - log((double)sigma * sqrt(2.0 * M_PI)) -
                                 log(1.0 - (double)a * (double)a))) < 1e-3);
        before = a;
        sum2 += noise * noise / N;
    }
    assert_true(fabs(sqrt(sum2) / (double)sigma - 1.0) < 0.04); /* 6,667 draws */

    /* half of z, half of the noise; none without exploration */
    l.policy->reset(actor.actor, &rng);
    (void)actor_act(&actor, &s, true, &rng, &a);
    const double whole = atanh((double)a) - 0.2;
    s = 0.5f;
    (void)actor_act(&actor, &s, true, &rng, &a);
    assert_true(fabs(atanh((double)a) - 0.2 - 0.5 * whole) < 1e-5);
    (void)actor_act(&actor, &s, false, &rng, &a);
    assert_true(fabs(atanh((double)a) - 0.2) < 1e-6);
    actor_free(&actor);
    learner_free(&l);
}

/* --- the same regulator as test_learning's, with entropy: oracle 14.4, fourth row, alpha 0.1 ---
 */

#define LQR_K     1.8587903198
#define LQR_VAR   .1127520167
#define LQR_REACH 10.0f /* u = 10 a: so wide that tanh is a straight line where actions are */

/* Near where a good policy goes. */
static void visit_lqr(struct arms *x)
{
    for (int i = 0; i < ROWS; i++) {
        const float s = (float)(3.0 * rng_uniform(&x->rng) - 1.5);
        const float u = -1.86f * s + 0.7f * (float)rng_normal(&x->rng);
        x->s[i] = s;
        x->a[i] = u / LQR_REACH;
        x->r[i] = -(s * s + 0.1f * u * u);
        x->s2[i] = 1.2f * s + 0.5f * u;
        x->g[i] = 0.95f;
    }
}

/* ReLUs where the true Q is a bowl: hence 8 % and 15 %, not less. */
static void sac_v1_finds_the_best_policy_of_a_regulator(void **state)
{
    (void)state;
    static struct arms x;
    static struct actor_fixture actor;
    static const struct setting settings[] = {{"net_arch", "[64, 64]"},
                                              {"learning_rate", "1e-3"},
                                              {"ent_coef", "0.1"},
                                              {"tau", "0.02"},
                                              {NULL, NULL}};
    struct stats stats;
    struct rng rng;
    double su = 0.0, ss = 0.0, variance = 0.0;
    arms_begin(&x, "sac_v1", settings);
    for (int t = 0; t < 8000; t++) {
        visit_lqr(&x);
        x.l.policy->update(x.l.self, &x.b, &stats);
    }
    actor_make(&actor, &x.l);
    rng_seed(&rng, 4);
    for (int i = -20; i <= 20; i++) {
        const float s = (float)i / 20.0f;
        float still, a;
        (void)actor_act(&actor, &s, false, &rng, &still);
        su -= (double)(s * LQR_REACH * still);
        ss += (double)(s * s);
        for (int t = 0; t < 500; t++) {
            (void)actor_act(&actor, &s, true, &rng, &a);
            const double off = (double)(LQR_REACH * (a - still));
            variance += off * off / (41 * 500);
        }
    }
    print_message("sac_v1: gain %.4f of %.4f, variance %.4f of %.4f\n", su / ss, LQR_K, variance,
                  LQR_VAR);
    assert_true(fabs(su / ss / LQR_K - 1.0) < 0.08);
    assert_true(fabs(variance / LQR_VAR - 1.0) < 0.15);
    actor_free(&actor);
    learner_free(&x.l);
}

/* --- a corridor of four rooms: left, right, and in even rooms a jump to the last one --- */

#define ROOMS   4
#define CHOICES 3
#define GAMMA   0.9
#define ALPHA   0.3

static uint64_t legal_in(int room)
{
    return room % 2 == 0 ? 7 : 3;
}

/* Returns the next room, ROOMS when it is over. */
static int go(int room, int choice, double *ret_reward)
{
    *ret_reward = choice == 2 ? -1.0 : choice == 1 ? -0.1 : 0.0;
    if (choice == 2) {
        return ROOMS - 1;
    }
    if (choice == 1 && room == ROOMS - 1) {
        *ret_reward = 2.0;
        return ROOMS;
    }
    return choice == 1 ? room + 1 : room > 0 ? room - 1 : 0;
}

/* Soft value iteration by plain loops: pi* of temperature ALPHA. */
static void solve_corridor(double gamma, double ret_pi[ROOMS][CHOICES])
{
    double v[ROOMS + 1] = {0}, q[ROOMS][CHOICES];
    for (int sweep = 0; sweep < 500; sweep++) {
        for (int s = 0; s < ROOMS; s++) {
            double sum = 0.0;
            for (int a = 0; a < CHOICES; a++) {
                double r;
                const int s2 = go(s, a, &r);
                q[s][a] = r + gamma * v[s2];
                sum += (legal_in(s) >> a & 1) != 0 ? exp(q[s][a] / ALPHA) : 0.0;
            }
            v[s] = ALPHA * log(sum);
        }
    }
    for (int s = 0; s < ROOMS; s++) {
        for (int a = 0; a < CHOICES; a++) {
            ret_pi[s][a] = (legal_in(s) >> a & 1) != 0 ? exp((q[s][a] - v[s]) / ALPHA) : 0.0;
        }
    }
}

struct corridor {
    struct learner_fixture l;
    struct batch b;
    struct rng rng;
    float s[ROWS * ROOMS], a[ROWS], r[ROWS], s2[ROWS * ROOMS], g[ROWS], w[ROWS];
    uint64_t legal[ROWS], legal2[ROWS];
    double gamma;
};

static const struct dims corridor_dims = {.n_obs = ROOMS,
                                          .n_act = 1,
                                          .n_choices = CHOICES,
                                          .batch = ROWS,
                                          .seg_len = 1,
                                          .policy_rate_hz = 20.0};

static void corridor_begin(struct corridor *x, const char *policy, const struct setting *settings)
{
    learner_make(&x->l, policy_find(policy), &corridor_dims, settings, 1);
    x->gamma = GAMMA;
    rng_seed(&x->rng, 2);
    x->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = x->s,
                          .a = x->a,
                          .r = x->r,
                          .s2 = x->s2,
                          .g = x->g,
                          .w = x->w,
                          .legal = x->legal,
                          .legal2 = x->legal2};
}

static void corridor_learn(struct corridor *x, int updates)
{
    struct stats stats;
    for (int t = 0; t < updates; t++) {
        memset(x->s, 0, sizeof x->s);
        memset(x->s2, 0, sizeof x->s2);
        for (int i = 0; i < ROWS; i++) {
            const int s = (int)rng_below(&x->rng, ROOMS);
            const int a = (int)rng_below(&x->rng, s % 2 == 0 ? 3 : 2);
            double r;
            const int s2 = go(s, a, &r), seen = s2 < ROOMS ? s2 : 0;
            x->s[i * ROOMS + s] = x->s2[i * ROOMS + seen] = x->w[i] = 1.0f;
            x->a[i] = (float)a;
            x->r[i] = (float)r;
            x->g[i] = s2 < ROOMS ? (float)x->gamma : 0.0f;
            x->legal[i] = legal_in(s);
            x->legal2[i] = legal_in(seen);
        }
        x->l.policy->update(x->l.self, &x->b, &stats);
    }
}

/* How far the shares of choices are from pi*, at most; none may be of what is not legal. And what
 * it does when it does not explore: the likeliest. */
static double corridor_watch(const struct corridor *x, double pi[ROOMS][CHOICES])
{
    static struct actor_fixture actor;

    enum { N = 20000 };

    double worst = 0.0;
    struct rng rng;
    rng_seed(&rng, 3);
    actor_make(&actor, &x->l);
    for (int s = 0; s < ROOMS; s++) {
        int n[CHOICES] = {0}, best = 0;
        float obs[ROOMS] = {0}, choice, logp;
        obs[s] = 1.0f;
        struct act_in in = {
            .packed = actor.packed, .obs = obs, .legal = legal_in(s), .explore = true, .rng = &rng};
        for (int t = 0; t < N; t++) {
            x->l.policy->act(actor.actor, &in, &choice, &logp);
            n[(int)choice]++;
            assert_true((legal_in(s) >> (int)choice & 1) != 0);
            assert_true(fabs(exp((double)logp) - pi[s][(int)choice]) < 0.06);
        }
        for (int a = 0; a < CHOICES; a++) {
            worst = fmax(worst, fabs((double)n[a] / N - pi[s][a]));
            best = pi[s][a] > pi[s][best] ? a : best;
        }
        in.explore = false;
        x->l.policy->act(actor.actor, &in, &choice, &logp);
        assert_true((int)choice == best && isnan(logp));
    }
    actor_free(&actor);
    return worst;
}

static void softq_discrete_finds_the_soft_policy(void **state)
{
    (void)state;
    static struct corridor x;
    static const struct setting settings[] = {{"net_arch", "[32, 32]"},
                                              {"ent_coef", "0.3"},
                                              {"tau", "0.05"},
                                              {"target_update_interval", "1"},
                                              {NULL, NULL}};
    double pi[ROOMS][CHOICES];
    solve_corridor(GAMMA, pi);
    corridor_begin(&x, "softq_discrete", settings);
    corridor_learn(&x, 3000);
    const double off = corridor_watch(&x, pi);
    print_message("softq_discrete: chances off by %.4f at most\n", off);
    assert_true(off < 0.03);
    learner_free(&x.l);
}

static void sac_discrete_finds_the_soft_policy(void **state)
{
    (void)state;
    static struct corridor x;
    static const struct setting settings[] = {{"net_arch", "[32, 32]"},
                                              {"ent_coef", "0.3"},
                                              {"learning_rate", "1e-3"},
                                              {"tau", "0.02"},
                                              {NULL, NULL}};
    double pi[ROOMS][CHOICES];
    solve_corridor(GAMMA, pi);
    corridor_begin(&x, "sac_discrete", settings);
    corridor_learn(&x, 4000);
    const double off = corridor_watch(&x, pi);
    print_message("sac_discrete: chances off by %.4f at most\n", off);
    assert_true(off < 0.03);
    learner_free(&x.l);
}

/* Asked for the entropy that the best policy has at temperature 0.3, it finds that temperature.
 * Rewards alone count here: with a future, the warmer a policy the longer it would rather live, and
 * its entropy may fall. */
static void sac_discrete_finds_the_temperature(void **state)
{
    (void)state;
    static struct corridor x;
    double pi[ROOMS][CHOICES], has = 0.0, most = 0.0, log_alpha = 0.0;
    char ratio[24];
    solve_corridor(0.0, pi);
    for (int s = 0; s < ROOMS; s++) { /* rooms are visited alike */
        most += log(s % 2 == 0 ? 3.0 : 2.0);
        for (int a = 0; a < CHOICES; a++) {
            has -= pi[s][a] > 0.0 ? pi[s][a] * log(pi[s][a]) : 0.0;
        }
    }
    (void)snprintf(ratio, sizeof ratio, "%.6f", has / most);
    const struct setting settings[] = {{"net_arch", "[32, 32]"},
                                       {"learning_rate", "1e-3"},
                                       {"tau", "0.02"},
                                       {"target_entropy_ratio", ratio},
                                       {NULL, NULL}};
    corridor_begin(&x, "sac_discrete", settings);
    x.gamma = 0.0;
    corridor_learn(&x, 6000);
    for (int i = 0; i < 20; i++) {
        corridor_learn(&x, 50);
        log_alpha += (double)learner_floats(&x.l, "log_ent_coef")[0] / 20;
    }
    print_message("sac_discrete: target %s of a uniform choice's, alpha %.4f\n", ratio,
                  exp(log_alpha));
    assert_true(fabs(exp(log_alpha) / ALPHA - 1.0) < 0.1);
    learner_free(&x.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softq_draws_from_a_bowl_14_5),
        cmocka_unit_test(softq_draws_from_two_bowls_14_5),
        cmocka_unit_test(softq_without_repulsion_collapses_14_5),
        cmocka_unit_test(sac_v1_finds_the_best_policy_of_a_bandit_14_3),
        cmocka_unit_test(sac_finds_it_with_state_dependent_noise),
        cmocka_unit_test(state_dependent_noise_stays_until_it_is_drawn),
        cmocka_unit_test(sac_v1_finds_the_best_policy_of_a_regulator),
        cmocka_unit_test(softq_discrete_finds_the_soft_policy),
        cmocka_unit_test(sac_discrete_finds_the_soft_policy),
        cmocka_unit_test(sac_discrete_finds_the_temperature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
