/*
 * Stochastic value gradients by finite differences, in double, through the contract of policies
 * alone: the value of an unrolled run, its noises held, is differentiated by the policy's weights.
 * And on the regulator of algorithms.md 14.4, where every derivative has a closed form.
 */
#include <cmocka.h>

#include "tests/double/differences.h"
#include "tests/unit/policy_fixture.h"

#define ROWS  24
#define O     3
#define A     2
#define W_MAX 512

static const double one_less_beta1 = 1.0 - 0.9;

struct net {
    struct mlp_shape shape;
    int n;
    double w[W_MAX], g[W_MAX];
};

struct svg_case {
    struct learner_fixture l;
    struct stats stats;
    struct batch b;
    int k;       /* steps of a run */
    bool replay; /* rows have importance weights */
    bool squash, value_at_end;
    double s[ROWS * O], a[ROWS * A], r[ROWS], s2[ROWS * O], g[ROWS], w[ROWS], logp[ROWS];
    uint8_t last[ROWS], valid[ROWS];
    double eta[ROWS * A], xi[ROWS * O], rho[ROWS];
    double y[ROWS], eps[2][ROWS * A];
    struct net actor, f, r_net, v, v_targ;
};

static void shape_net(struct net *n, int in, int out)
{
    static const int hidden[] = {7, 6};
    mlp_shape(&n->shape, in, hidden, 2, out);
    n->shape.activation = ACTIVATION_TANH;
    n->n = mlp_weights(&n->shape);
    assert_true(n->n <= W_MAX);
}

static void read_net(const struct learner_fixture *l, const char *name, double *ret_w, int n)
{
    char first[96];
    (void)snprintf(first, sizeof first, "%s.0.weight", name);
    memcpy(ret_w, learner_floats(l, first), (size_t)n * sizeof *ret_w);
}

static void read_gradient(const struct learner_fixture *l, const char *name, struct net *n)
{
    char moment[64];
    (void)snprintf(moment, sizeof moment, "%s.adam_m", name);
    read_net(l, moment, n->g, n->n);
    for (int i = 0; i < n->n; i++) {
        n->g[i] /= one_less_beta1;
    }
}

static double run_net(const struct net *n, const double *s, const double *a, double *ret_y)
{
    uint64_t unused = 0;
    double x[O + A], y[8];
    memcpy(x, s, O * sizeof *x);
    if (a != NULL) {
        memcpy(x + O, a, A * sizeof *x);
    }
    plain_mlp(&n->shape, n->w, x, y, &unused);
    if (ret_y != NULL) {
        memcpy(ret_y, y, (size_t)n->shape.width[n->shape.n_layers] * sizeof *y);
    }
    return y[0];
}

/* mu and sigma by the letter: log sigma between -3 and 0.5 */
static void plain_policy(const struct svg_case *k, const double *s, double *ret_mu, double *ret_std)
{
    double y[2 * A];
    (void)run_net(&k->actor, s, NULL, y);
    for (int j = 0; j < A; j++) {
        ret_mu[j] = k->squash ? tanh(y[j]) : y[j];
        ret_std[j] = exp(-3.0 + 3.5 * 0.5 * (tanh(y[A + j]) + 1.0));
    }
}

static void act(const struct svg_case *k, const double *s, const double *eta, double *ret_a)
{
    double std[A];
    plain_policy(k, s, ret_a, std);
    for (int j = 0; j < A; j++) {
        ret_a[j] += std[j] * eta[j];
    }
}

static bool ends(const struct svg_case *k, int i, int begin)
{
    return i + 1 == ROWS || k->last[i] != 0 || i + 1 - begin == k->k;
}

/* - the mean over runs of rho (r_0 + gamma r_1 + ... + gamma^k V(s_k)), unrolled from the first
 * state of each with the noises that were inferred. */
static double unrolled_loss(void *self, uint64_t *ret_pattern)
{
    const struct svg_case *k = self;
    double sum = 0.0, s[O], a[A], f[O];
    int begin = 0, runs = 0;
    (void)ret_pattern; /* all is smooth */
    while (begin < ROWS) {
        if (k->valid[begin] == 0) {
            begin++;
            continue;
        }
        double value = 0.0, discount = 1.0, rho = 1.0;
        int i = begin;
        memcpy(s, k->s + begin * O, sizeof s);
        for (bool end = false; !end; i++) {
            end = ends(k, i, begin);
            act(k, s, k->eta + i * A, a);
            value += discount * run_net(&k->r_net, s, a, NULL);
            (void)run_net(&k->f, s, a, f);
            for (int j = 0; j < O; j++) {
                s[j] += f[j] + k->xi[i * O + j];
            }
            discount *= k->g[i];
            rho *= k->rho[i];
        }
        value += k->value_at_end ? discount * run_net(&k->v, s, NULL, NULL) : 0.0;
        sum -= fmin(rho, k->replay ? 10.0 : INFINITY) * value;
        runs++;
        begin = i;
    }
    return sum / runs;
}

static double value_loss(void *self, uint64_t *ret_pattern)
{
    const struct svg_case *k = self;
    double loss = 0.0;
    (void)ret_pattern;
    for (int i = 0; i < ROWS; i++) {
        const double e =
            run_net(&k->v, k->s + i * O, k->k == 0 ? k->a + i * A : NULL, NULL) - k->y[i];
        loss += k->rho[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

static double model_loss(void *self, uint64_t *ret_pattern)
{
    const struct svg_case *k = self;
    double loss = 0.0, f[O];
    (void)ret_pattern;
    for (int i = 0; i < ROWS; i++) {
        (void)run_net(&k->f, k->s + i * O, k->a + i * A, f);
        for (int j = i * O; j < (i + 1) * O; j++) {
            const double e = k->s[j] + f[j - i * O] - k->s2[j];
            loss += k->valid[i] * 0.5 * e * e / ROWS;
        }
    }
    return loss;
}

static double reward_loss(void *self, uint64_t *ret_pattern)
{
    const struct svg_case *k = self;
    double loss = 0.0;
    (void)ret_pattern;
    for (int i = 0; i < ROWS; i++) {
        const double e = run_net(&k->r_net, k->s + i * O, k->a + i * A, NULL) - k->r[i];
        loss += k->valid[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

/* Runs of consecutive states, some cut short with padding behind them; actions as some other policy
 * would choose them. */
static void draw_rows(struct svg_case *k)
{
    struct rng r;
    rng_seed(&r, 12);
    const int run = k->replay && k->k > 0 ? k->k : ROWS;
    for (int i = 0; i < ROWS; i++) {
        const bool begins = i % run == 0 || k->last[i - 1] != 0;
        k->valid[i] = !(k->replay && i % run != 0 && k->last[i - 1] != 0);
        for (int j = i * O; j < (i + 1) * O; j++) {
            k->s[j] = !k->valid[i] ? 0.0 : begins ? rng_normal(&r) : k->s2[j - O];
            k->s2[j] = k->s[j] + 0.5 * rng_normal(&r);
        }
        k->last[i] = !k->valid[i] || i % 5 == 1 || i % 7 == 3;
        k->g[i] = i % 5 == 1 ? 0.0 : 0.9;
        k->r[i] = rng_normal(&r);
        k->w[i] = 1.0;
        for (int j = 0; j < A; j++) {
            k->a[i * A + j] = 0.7 * rng_normal(&r);
        }
    }
    k->b = (struct batch){.n = ROWS,
                          .seg_len = run,
                          .s = k->s,
                          .a = k->a,
                          .r = k->r,
                          .s2 = k->s2,
                          .g = k->g,
                          .w = k->w,
                          .logp = k->logp,
                          .last = k->last,
                          .valid = k->replay ? k->valid : NULL};
}

/* Noises and weights by the letter, of the policy as it is before the update. */
static void infer_policy(struct svg_case *k)
{
    struct rng r;
    rng_seed(&r, 13);
    for (int i = 0; i < ROWS; i++) {
        double mu[A], std[A], logp = 0.0;
        plain_policy(k, k->s + i * O, mu, std);
        for (int j = 0; j < A; j++) {
            const double eta = (k->a[i * A + j] - mu[j]) / std[j];
            k->eta[i * A + j] = eta;
            logp -= 0.5 * eta * eta + log(std[j]) + 0.5 * log(2.0 * acos(-1.0));
        }
        k->logp[i] = i % 11 == 4 ? NAN : logp - 0.8 * rng_normal(&r) - (i % 9 == 6 ? 4.0 : 0.0);
        k->rho[i] = !k->replay ? 1.0 : isnan(k->logp[i]) ? 0.0 : fmin(exp(logp - k->logp[i]), 10.0);
        k->rho[i] *= k->valid[i];
    }
}

static void begin(struct svg_case *k, const char *steps)
{
    const struct setting settings[] = {{"k", steps},
                                       {"log_std_min", "-3"},
                                       {"experience_replay", k->replay ? "true" : "false"},
                                       {"squash_output", k->squash ? "true" : "false"},
                                       {"value_at_end", k->value_at_end ? "true" : "false"},
                                       {"net_arch", "[7, 6]"},
                                       {NULL, NULL}};
    const struct dims dims = {
        .n_obs = O, .n_act = A, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};
    k->k = strcmp(steps, "inf") == 0 ? ROWS : atoi(steps);
    learner_make(&k->l, policy_find("svg"), &dims, settings, 11);
    shape_net(&k->actor, O, 2 * A);
    shape_net(&k->f, O + A, O);
    shape_net(&k->r_net, O + A, 1);
    shape_net(&k->v, O + (k->k == 0 ? A : 0), 1);
    k->v_targ = k->v;
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    read_net(&k->l, "critic", k->v.w, k->v.n);
    double *target = learner_floats(&k->l, "critic_target.0.weight");
    for (int i = 0; i < k->v.n; i++) {
        k->v_targ.w[i] = target[i] *= 0.8;
    }
    k->l.policy->restored(k->l.self);
    draw_rows(k);
    infer_policy(k);
}

static double stat(const struct svg_case *k, const char *name)
{
    return k->stats.v[stat_index(k->l.policy, name)];
}

static void check_value(struct svg_case *k)
{
    uint64_t unused = 0;
    read_gradient(&k->l, "critic", &k->v);
    assert_true(fabs(stat(k, "train/critic_loss") - value_loss(k, &unused)) < 1e-9);
    check_differences("svg value", k->v.w, k->v.n, k->v.g, value_loss, k);
}

static void check_model(struct svg_case *k)
{
    uint64_t unused = 0;
    read_net(&k->l, "model", k->f.w, k->f.n);
    read_net(&k->l, "reward", k->r_net.w, k->r_net.n);
    k->l.policy->update(k->l.self, &k->b, &k->stats);
    read_gradient(&k->l, "model", &k->f);
    read_gradient(&k->l, "reward", &k->r_net);
    assert_true(fabs(stat(k, "train/model_loss") - model_loss(k, &unused)) < 1e-9);
    assert_true(fabs(stat(k, "train/reward_loss") - reward_loss(k, &unused)) < 1e-9);
    check_differences("svg model", k->f.w, k->f.n, k->f.g, model_loss, k);
    check_differences("svg reward", k->r_net.w, k->r_net.n, k->r_net.g, reward_loss, k);
}

/* One update of SVG(k): each network steps down the gradient of its own loss. */
static void check_steps(struct svg_case *k, const char *steps)
{
    begin(k, steps);
    check_model(k);
    for (int i = 0; i < ROWS; i++) {
        k->y[i] = k->r[i] + k->g[i] * run_net(&k->v_targ, k->s2 + i * O, NULL, NULL);
    }
    check_value(k);

    /* the policy saw model and value after their steps */
    read_net(&k->l, "model", k->f.w, k->f.n);
    read_net(&k->l, "reward", k->r_net.w, k->r_net.n);
    read_net(&k->l, "critic", k->v.w, k->v.n);
    for (int i = 0; i < ROWS; i++) {
        double f[O];
        (void)run_net(&k->f, k->s + i * O, k->a + i * A, f);
        for (int j = 0; j < O; j++) {
            k->xi[i * O + j] = k->s2[i * O + j] - k->s[i * O + j] - f[j];
        }
    }
    read_gradient(&k->l, "actor", &k->actor);
    check_differences(steps, k->actor.w, k->actor.n, k->actor.g, unrolled_loss, k);
    assert_true(stat(k, "train/reproduction_error") < 1e-12);
    double rho = 0.0;
    for (int i = 0; i < ROWS; i++) {
        rho += k->rho[i] / ROWS;
    }
    assert_true(fabs(stat(k, "train/importance_weight") - rho) < 1e-9);
    learner_free(&k->l);
}

/* 14.1: through model and value; with importance weights, ends of episodes, padding. */
static void svg_k_out_of_the_replay_steps_down_its_gradients_14_1(void **state)
{
    (void)state;
    static struct svg_case k;
    static const char *const steps[] = {"1", "2", "3", "6"};
    for (int i = 0; i < 4; i++) {
        k = (struct svg_case){.replay = true, .squash = i % 2 == 0, .value_at_end = true};
        check_steps(&k, steps[i]);
    }
}

static void svg_k_and_infinity_on_policy_step_down_their_gradients_14_1(void **state)
{
    (void)state;
    static struct svg_case k;
    static const char *const steps[] = {"1", "3", "inf", "inf"};
    for (int i = 0; i < 4; i++) {
        k = (struct svg_case){.squash = i % 2 == 0, .value_at_end = i != 3};
        check_steps(&k, steps[i]);
    }
}

/* - E[ Q(s, pi(s, eta)) ] for the eta that was drawn */
static double climb_loss(void *self, uint64_t *ret_pattern)
{
    const struct svg_case *k = self;
    double loss = 0.0, a[A];
    (void)ret_pattern;
    for (int i = 0; i < ROWS; i++) {
        act(k, k->s + i * O, k->eps[1] + i * A, a);
        loss -= run_net(&k->v, k->s + i * O, a, NULL) / ROWS;
    }
    return loss;
}

static void svg_0_steps_down_its_gradients_14_1(void **state)
{
    (void)state;
    static struct svg_case k;
    double a[A];
    k = (struct svg_case){.replay = true, .squash = true, .value_at_end = true};
    begin(&k, "0");
    k.b.valid = NULL;
    struct rng noise = k.l.rng; /* for s' first, then for s */
    for (int pass = 0; pass < 2; pass++) {
        plain_normals(&noise, ROWS * A, k.eps[pass]);
    }
    k.l.policy->update(k.l.self, &k.b, &k.stats);
    for (int i = 0; i < ROWS; i++) {
        act(&k, k.s2 + i * O, k.eps[0] + i * A, a);
        k.y[i] = k.r[i] + k.g[i] * run_net(&k.v_targ, k.s2 + i * O, a, NULL);
        k.rho[i] = 1.0;
    }
    check_value(&k);
    read_net(&k.l, "critic", k.v.w, k.v.n);
    read_gradient(&k.l, "actor", &k.actor);
    check_differences("svg(0)", k.actor.w, k.actor.n, k.actor.g, climb_loss, &k);
    learner_free(&k.l);
}

/* --- the regulator: s' = 1.2 s + 0.5 u, r = -(s^2 + 0.1 u^2), gamma 0.95; u = -K s --- */

#define LQR_A     1.2
#define LQR_B     0.5
#define LQR_R     0.1
#define LQR_GAMMA 0.95
#define EPSILON   2e-4               /* so little of a tanh is a line, or, about BEND, a parabola */
#define BEND      0.6584789484624083 /* where tanh bends most: tanh'' = -4 / 3 sqrt 3 */

#define STEPS 120

struct regulator {
    struct learner_fixture l;
    struct stats stats;
    struct batch b;
    double s[STEPS], a[STEPS], r[STEPS], s2[STEPS], g[STEPS], w[STEPS], logp[STEPS];
    uint8_t last[STEPS];
    double before[4]; /* moments of the actor's weights: m_s, l_s, m_0, l_0 */
};

/* y = c x^2 by two hidden tanhs: w x^2 + O(EPSILON^2). */
static void put_parabola(double *w, double *b, double *out, double *ret_rest, double c, int stride)
{
    const double bent = -4.0 / (3.0 * sqrt(3.0)), scale = c / (bent * EPSILON * EPSILON);
    w[0] = EPSILON;
    w[stride] = -EPSILON;
    b[0] = b[1] = BEND;
    out[0] = out[1] = scale;
    *ret_rest -= 2.0 * scale * tanh(BEND);
}

/* Model, reward and value as they are; V = -P s^2 of the gain. */
static void put_truth(struct regulator *z, double p)
{
    double *f = learner_floats(&z->l, "model.0.weight");
    double *r = learner_floats(&z->l, "reward.0.weight");
    double *v = learner_floats(&z->l, "critic.0.weight");
    memset(f, 0, (4 * 2 + 4 + 4 + 1) * sizeof *f);
    memset(r, 0, (4 * 2 + 4 + 4 + 1) * sizeof *r);
    memset(v, 0, (2 + 2 + 2 + 1) * sizeof *v);
    f[0] = EPSILON; /* the first hidden one reads s, the second a */
    f[2 + 1] = EPSILON;
    f[12] = (LQR_A - 1.0) / EPSILON;
    f[13] = LQR_B / EPSILON;
    put_parabola(r, r + 8, r + 12, r + 16, -1.0, 2);
    put_parabola(r + 5, r + 10, r + 14, r + 16, -LQR_R, 2);
    put_parabola(v, v + 2, v + 4, v + 6, -p, 1);
    memcpy(learner_floats(&z->l, "critic_target.0.weight"), v, 7 * sizeof *v);
    z->l.policy->restored(z->l.self);
}

/* Of gain K: V = -P s^2 - c; S = R + gamma B P B */
static double p_of(double gain)
{
    const double closed = LQR_A - LQR_B * gain;
    return (1.0 + LQR_R * gain * gain) / (1.0 - LQR_GAMMA * closed * closed);
}

/* A linear policy m = -K s with a deviation that no state changes. */
static void regulator_begin(struct regulator *z, const char *k, double gain, double std)
{
    char log_std[32];
    (void)snprintf(log_std, sizeof log_std, "%.17g", log(std));
    const struct setting settings[] = {{"k", k},
                                       {"log_std_min", "-3"},
                                       {"experience_replay", "false"},
                                       {"squash_output", "false"},
                                       {"net_arch", "[]"},
                                       {"net_arch_qf", "[2]"},
                                       {"net_arch_model", "[4]"},
                                       {"learning_rate", "0"},
                                       {"log_std_init", log_std},
                                       {NULL, NULL}};
    static const struct dims dims = {
        .n_obs = 1, .n_act = 1, .batch = STEPS, .seg_len = 1, .policy_rate_hz = 20.0};
    memset(z, 0, sizeof *z);
    learner_make(&z->l, policy_find("svg"), &dims, settings, 1);
    double *actor = learner_floats(&z->l, "actor.0.weight"); /* m_s, l_s, m_0, l_0 */
    actor[0] = -gain;
    actor[1] = actor[2] = 0.0;
    put_truth(z, p_of(gain));
}

/* An episode from s = 1, with noise in policy and world. */
static void live(struct regulator *z, int n, double gain, double std, double world_std,
                 struct rng *rng)
{
    double s = 1.0;
    for (int i = 0; i < n; i++) {
        z->s[i] = s;
        z->a[i] = -gain * s + std * rng_normal(rng);
        z->r[i] = -(s * s + LQR_R * z->a[i] * z->a[i]);
        s = LQR_A * s + LQR_B * z->a[i] + world_std * rng_normal(rng);
        z->s2[i] = s;
        z->g[i] = LQR_GAMMA;
        z->w[i] = 1.0;
        z->last[i] = i + 1 == n;
    }
    z->b = (struct batch){.n = n,
                          .seg_len = n,
                          .s = z->s,
                          .a = z->a,
                          .r = z->r,
                          .s2 = z->s2,
                          .g = z->g,
                          .w = z->w,
                          .logp = z->logp,
                          .last = z->last};
}

/* One update; the gradient of the value by the actor's four weights, out of Adam's moments. */
static void gradient(struct regulator *z, double ret_g[4])
{
    z->l.policy->update(z->l.self, &z->b, &z->stats);
    const double *m = learner_floats(&z->l, "actor.adam_m.0.weight");
    for (int i = 0; i < 4; i++) {
        ret_g[i] = -(m[i] - 0.9 * z->before[i]) / one_less_beta1;
        z->before[i] = m[i];
    }
}

static const struct {
    double gain, q_a, dj; /* Q_a at s = 1, dJ/dK */
} truths[] = {{0.8, -1.90285714, 4.85422741},
              {1.5, -.34842904, .43142428},
              {1.8587903198, 0.0, 0.0},
              {2.0, .12349272, -.12837081}};

/* 14.4: with the exact V of the gain, the action's gradient at s = 1, a = -K; weighed by how often
 * the discounted trajectory comes by, it is dJ/dK: the deterministic policy gradient theorem. */
static void svg_1_has_the_regulators_action_gradient_14_4(void **state)
{
    (void)state;
    static struct regulator z;
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < 4; i++) {
        double g[4];
        const double closed = LQR_A - LQR_B * truths[i].gain;
        regulator_begin(&z, "1", truths[i].gain, 0.1);
        live(&z, 1, truths[i].gain, 0.0, 0.0, &rng);
        gradient(&z, g);
        print_message("gain %.4f: Q_a %.8f of %.8f\n", truths[i].gain, g[0], truths[i].q_a);
        assert_true(fabs(g[0] - truths[i].q_a) < 2e-6);
        assert_true(fabs(-g[0] / (1.0 - LQR_GAMMA * closed * closed) - truths[i].dj) < 5e-6);
        learner_free(&z.l);
    }
}

/* 14.4: over a long horizon dJ/dK = -dJ/dm_s, with and without a value at its end. */
static void svg_infinity_has_the_regulators_policy_gradient_14_4(void **state)
{
    (void)state;
    static struct regulator z;
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < 4; i++) {
        double g[4];
        regulator_begin(&z, "inf", truths[i].gain, 0.1);
        live(&z, STEPS, truths[i].gain, 0.0, 0.0, &rng);
        gradient(&z, g);
        print_message("gain %.4f: dJ/dK %.8f of %.8f\n", truths[i].gain, -g[0], truths[i].dj);
        assert_true(fabs(-g[0] - truths[i].dj) < 5e-6);
        learner_free(&z.l);
    }
}

/*
 * 14.4, with noise: eta and xi as inferred, the expectation is the noisy problem's own gradient.
 *
 *   J = -P (s_0^2 + gamma N / (1 - gamma)) - R sigma^2 / (1 - gamma),  N = sigma_w^2 + B^2 sigma^2
 *
 * by K at fixed sigma, and by log sigma. The runs end with the value of where they are.
 */
static void noise_that_is_inferred_changes_no_expectation_14_4(void **state)
{
    (void)state;
    static struct regulator z;

    enum { EPISODES = 3000 };

    const double gain = 1.5, std = 0.3, world = 0.2, h = LQR_GAMMA / (1.0 - LQR_GAMMA);
    const double n = world * world + LQR_B * LQR_B * std * std;
    const double by_gain = .43142428 * (1.0 + h * n);
    const double by_log_std =
        -2.0 * std * std * (LQR_R + LQR_GAMMA * LQR_B * LQR_B * p_of(gain)) / (1.0 - LQR_GAMMA);
    /* l gives log sigma = -3 + 1.75 (tanh l + 1) */
    const double tanh_l = (log(std) + 3.0) / 1.75 - 1.0, slope = 1.75 * (1.0 - tanh_l * tanh_l);
    double sum[2] = {0}, sum2[2] = {0}, g[4];
    struct rng rng;
    rng_seed(&rng, 5);
    regulator_begin(&z, "inf", gain, std);
    for (int e = 0; e < EPISODES; e++) {
        live(&z, STEPS, gain, std, world, &rng);
        gradient(&z, g);
        const double x[2] = {-g[0], g[3] / slope};
        for (int i = 0; i < 2; i++) {
            sum[i] += x[i] / EPISODES;
            sum2[i] += x[i] * x[i] / EPISODES;
        }
        assert_true(z.stats.v[stat_index(z.l.policy, "train/reproduction_error")] < 1e-9);
    }
    const double want[2] = {by_gain, by_log_std};
    for (int i = 0; i < 2; i++) {
        /* beyond the last step only V is left of J, whose constant sigma does not move here */
        const double error = sqrt((sum2[i] - sum[i] * sum[i]) / EPISODES);
        print_message("by %s: %.5f +- %.5f of %.5f\n", i == 0 ? "gain" : "log sigma", sum[i], error,
                      want[i]);
        assert_true(fabs(sum[i] - want[i]) < 4.0 * error + 0.005 * fabs(want[i]));
        assert_true(error < 0.05 * fabs(want[i]));
    }
    learner_free(&z.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svg_k_out_of_the_replay_steps_down_its_gradients_14_1),
        cmocka_unit_test(svg_k_and_infinity_on_policy_step_down_their_gradients_14_1),
        cmocka_unit_test(svg_0_steps_down_its_gradients_14_1),
        cmocka_unit_test(svg_1_has_the_regulators_action_gradient_14_4),
        cmocka_unit_test(svg_infinity_has_the_regulators_policy_gradient_14_4),
        cmocka_unit_test(noise_that_is_inferred_changes_no_expectation_14_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
