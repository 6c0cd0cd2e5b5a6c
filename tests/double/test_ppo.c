/*
 * PPO's clipped loss by finite differences, in double, through the contract of policies alone: one
 * epoch of one minibatch, after which Adam's first moment is (1 - beta1) times the gradient. The
 * old log-probabilities are such that ratios lie within and beyond the clip, either way.
 */
#include <cmocka.h>

#include "policies/ppo_loss.h"
#include "tests/double/differences.h"
#include "tests/unit/policy_fixture.h"

#define ROWS    24
#define O       4
#define A       2
#define CHOICES 5
#define W_MAX   256

static const double one_less_beta1 = 1.0 - 0.9;

struct ppo_case {
    struct learner_fixture l;
    struct stats stats;
    struct batch b;
    double s[ROWS * O], a[ROWS * A], r[ROWS], s2[ROWS * O], g[ROWS], w[ROWS], logp[ROWS];
    uint8_t last[ROWS];
    uint64_t legal[ROWS];
    bool choices, as_they_are; /* advantages: not normalised */
    double clip_reward;        /* 0: rewards are not in units of the return */
    double clip_vf, clip_range, vf_coef;
    struct mlp_shape actor, value;
    double w_actor[W_MAX], g_actor[W_MAX], w_value[W_MAX], g_value[W_MAX];
    double log_std[A], g_log_std[A];
    double adv[ROWS], target[ROWS], v_old[ROWS]; /* what the loss takes as given */
    int beyond, held;                            /* rows past the clip; values held */
};

static double value_of(const struct ppo_case *k, const double *s)
{
    uint64_t unused = 0;
    double v;
    plain_mlp(&k->value, k->w_value, s, &v, &unused);
    return v;
}

static double density_of_choice(const double *l, int a, uint64_t legal, double *ret_entropy)
{
    double sum = 0.0;
    *ret_entropy = 0.0;
    for (int j = 0; j < CHOICES; j++) {
        sum += (legal >> j & 1) != 0 ? exp(l[j]) : 0.0;
    }
    for (int j = 0; j < CHOICES; j++) {
        const double p = exp(l[j]) / sum;
        *ret_entropy -= (legal >> j & 1) != 0 ? p * log(p) : 0.0;
    }
    return l[a] - log(sum);
}

static double density(const struct ppo_case *k, int i, double *ret_entropy)
{
    uint64_t unused = 0;
    double out[CHOICES], logp = 0.0;
    plain_mlp(&k->actor, k->w_actor, k->s + i * O, out, &unused);
    if (k->choices) {
        return density_of_choice(out, (int)k->a[i], k->legal[i], ret_entropy);
    }
    *ret_entropy = 0.0;
    for (int j = 0; j < A; j++) {
        const double sigma = exp(k->log_std[j]), z = (k->a[i * A + j] - out[j]) / sigma;
        logp += -0.5 * z * z - log(sigma) - 0.5 * log(2.0 * acos(-1.0));
        *ret_entropy += 0.5 * log(2.0 * acos(-1.0) * exp(1.0)) + log(sigma);
    }
    return logp;
}

/* Equation 9, by the letter; V held within clip_range_vf as Stable-Baselines3 does. */
static double loss(void *self, uint64_t *ret_pattern)
{
    struct ppo_case *k = self;
    double sum = 0.0;
    k->beyond = k->held = 0;
    for (int i = 0; i < ROWS; i++) {
        double entropy;
        const double rho = exp(density(k, i, &entropy) - k->logp[i]), adv = k->adv[i];
        const double inside = fmin(fmax(rho, 1.0 - k->clip_range), 1.0 + k->clip_range),
                     off = value_of(k, k->s + i * O) - k->v_old[i];
        const double moved = k->clip_vf > 0.0 ? fmin(fmax(off, -k->clip_vf), k->clip_vf) : off;
        const double error = k->v_old[i] + moved - k->target[i];
        decide(ret_pattern, inside * adv < rho * adv);
        decide(ret_pattern, moved != off);
        k->beyond += inside * adv < rho * adv;
        k->held += moved != off;
        sum +=
            (-fmin(rho * adv, inside * adv) + k->vf_coef * error * error - 0.03 * entropy) / ROWS;
    }
    return sum;
}

static void draw(struct ppo_case *k, double spread)
{
    struct rng r;
    rng_seed(&r, 12);
    for (int i = 0; i < ROWS * O; i++) {
        k->s[i] = rng_normal(&r);
        k->s2[i] = rng_normal(&r);
    }
    for (int i = 0; i < ROWS; i++) {
        double unused;
        k->legal[i] = k->choices ? 1 + (rng_u64(&r) & 30) : 0;
        for (int j = 0; j < A; j++) {
            k->a[i * A + j] = rng_normal(&r);
        }
        for (int j = (int)rng_below(&r, CHOICES); k->choices; j = (j + 1) % CHOICES) {
            k->a[i] = j;
            if ((k->legal[i] >> j & 1) != 0) {
                break;
            }
        }
        k->r[i] = rng_normal(&r);
        k->g[i] = i % 5 == 0 ? 0.0 : 0.95;
        k->last[i] = i % 5 == 0 || i % 7 == 0 || i + 1 == ROWS;
        k->w[i] = 1.0;
        k->logp[i] = density(k, i, &unused) + spread * rng_normal(&r);
    }
    k->b = (struct batch){.n = ROWS,
                          .seg_len = ROWS,
                          .s = k->s,
                          .a = k->a,
                          .r = k->r,
                          .s2 = k->s2,
                          .g = k->g,
                          .w = k->w,
                          .logp = k->logp,
                          .legal = k->choices ? k->legal : NULL,
                          .last = k->last};
}

static void read_net(const struct ppo_case *k, const char *name, double *ret_w, int n)
{
    char first[96];
    (void)snprintf(first, sizeof first, "%s.0.weight", name);
    memcpy(ret_w, learner_floats(&k->l, first), (size_t)n * sizeof *ret_w);
}

/* Rewards over the deviation of the discounted return so far, held to clip_reward. */
static void find_rewards(const struct ppo_case *k, double *ret_r)
{
    double sum = 0.0, mean = 0.0, var = 0.0, all[ROWS];
    for (int i = 0; i < ROWS; i++) {
        all[i] = sum = k->r[i] + (i > 0 && k->last[i - 1] == 0 ? k->g[i - 1] * sum : 0.0);
        mean += all[i] / ROWS;
    }
    for (int i = 0; i < ROWS; i++) {
        var += (all[i] - mean) * (all[i] - mean) / ROWS;
    }
    for (int i = 0; i < ROWS; i++) {
        const double most = k->clip_reward;
        ret_r[i] = most > 0.0 ? fmin(fmax(k->r[i] / sqrt(var), -most), most) : k->r[i];
    }
}

/* A and R by the equations, from V_old; then as the minibatch has them: mean 0, deviation 1. */
static void find_targets(struct ppo_case *k)
{
    double next = 0.0, mean = 0.0, var = 0.0, r[ROWS];
    find_rewards(k, r);
    for (int i = ROWS - 1; i >= 0; i--) {
        k->v_old[i] = value_of(k, k->s + i * O);
        const double delta = r[i] + k->g[i] * value_of(k, k->s2 + i * O) - k->v_old[i];
        next = delta + (k->last[i] != 0 ? 0.0 : 0.9 * k->g[i] * next);
        k->adv[i] = next;
        k->target[i] = next + k->v_old[i];
        mean += next / ROWS;
    }
    for (int i = 0; i < ROWS; i++) {
        var += (k->adv[i] - mean) * (k->adv[i] - mean) / (ROWS - 1);
    }
    for (int i = 0; i < ROWS && !k->as_they_are; i++) {
        k->adv[i] = (k->adv[i] - mean) / (sqrt(var) + 1e-8);
    }
}

/* more [n_more]: settings beside those. */
static void begin_with(struct ppo_case *k, bool choices, const struct setting *more, int n_more)
{
    struct setting settings[12] = {{"net_arch", "[8, 8]"}, {"n_epochs", "1"},
                                   {"gae_lambda", "0.9"},  {"ent_coef", "0.03"},
                                   {"max_grad_norm", "0"}, {"log_std_init", "-0.3"}};
    memcpy(settings + 6, more, (size_t)n_more * sizeof *settings);
    const struct dims dims = {.n_obs = O,
                              .n_act = choices ? 1 : A,
                              .n_choices = choices ? CHOICES : 0,
                              .batch = ROWS,
                              .minibatch = ROWS};
    memset(k, 0, sizeof *k);
    k->choices = choices;
    k->clip_range = 0.2;
    k->vf_coef = 0.5;
    learner_make(&k->l, policy_find("ppo"), &dims, settings, 13);
    mlp_shape(&k->actor, O, (const int[]){8, 8}, 2, choices ? CHOICES : A);
    mlp_shape(&k->value, O, (const int[]){8, 8}, 2, 1);
    k->actor.activation = k->value.activation = ACTIVATION_TANH;
    double *w = learner_floats(&k->l, "actor.2.weight");
    for (int i = 0; i < 8 * k->actor.width[3]; i++) { /* they begin a hundredth as long */
        w[i] *= 60.0;
    }
    k->l.policy->restored(k->l.self);
    read_net(k, "actor", k->w_actor, mlp_weights(&k->actor));
    read_net(k, "value", k->w_value, mlp_weights(&k->value));
    memcpy(k->log_std, learner_floats(&k->l, "log_std"), (choices ? 1 : A) * sizeof(double));
}

static void begin(struct ppo_case *k, bool choices)
{
    static const struct setting none = {NULL, NULL};
    begin_with(k, choices, &none, 0);
}

static double stat(const struct ppo_case *k, const char *name)
{
    return k->stats.v[stat_index(k->l.policy, name)];
}

static void check(struct ppo_case *k)
{
    const int n_actor = mlp_weights(&k->actor), n_value = mlp_weights(&k->value);
    uint64_t pattern = 0;
    draw(k, 0.25);
    find_targets(k);
    k->l.policy->update(k->l.self, &k->b, &k->stats);
    assert_true(fabs(stat(k, "train/loss") - loss(k, &pattern)) < 1e-9);
    assert_true(k->beyond > 3 && k->beyond < ROWS - 3);
    read_net(k, "actor.adam_m", k->g_actor, n_actor);
    read_net(k, "value.adam_m", k->g_value, n_value);
    for (int i = 0; i < n_actor; i++) {
        k->g_actor[i] /= one_less_beta1;
    }
    for (int i = 0; i < n_value; i++) {
        k->g_value[i] /= one_less_beta1;
    }
    check_differences("ppo actor", k->w_actor, n_actor, k->g_actor, loss, k);
    check_differences("ppo value", k->w_value, n_value, k->g_value, loss, k);
    for (int j = 0; j < A && !k->choices; j++) {
        k->g_log_std[j] = learner_floats(&k->l, "log_std.adam_m")[j] / one_less_beta1;
    }
    if (!k->choices) {
        check_differences("ppo log_std", k->log_std, A, k->g_log_std, loss, k);
    }
    learner_free(&k->l);
}

static void the_clipped_loss_with_actions_14_1(void **state)
{
    (void)state;
    static struct ppo_case k;
    begin(&k, false);
    check(&k);
}

static void the_clipped_loss_with_choices_14_1(void **state)
{
    (void)state;
    static struct ppo_case k;
    begin(&k, true);
    check(&k);
}

/* Advantages as they are; rewards in units of the return, of which some are clipped; a ratio that
 * counts in a narrower range, beside values that weigh more. */
static void the_loss_by_its_switches_14_1(void **state)
{
    (void)state;
    static struct ppo_case k;
    static const struct setting as_they_are = {"normalize_advantage", "false"};
    static const struct setting scaled[] = {{"norm_reward", "true"}, {"clip_reward", "0.4"}};
    static const struct setting narrow[] = {{"clip_range", "0.1"}, {"vf_coef", "0.8"}};
    begin_with(&k, false, &as_they_are, 1);
    k.as_they_are = true;
    check(&k);
    begin_with(&k, false, scaled, 2);
    k.clip_reward = 0.4;
    check(&k);
    begin_with(&k, false, narrow, 2);
    k.clip_range = 0.1;
    k.vf_coef = 0.8;
    check(&k);
}

/* Held to nothing, V that has moved in the first epoch is not learnt from in the second: its
 * gradient is 0, and of Adam's moment 0.9 is left. */
static void a_value_that_is_held_stays_14_1(void **state)
{
    (void)state;
    static struct ppo_case once, twice;
    static const struct setting two[] = {{"n_epochs", "2"}, {"clip_range_vf", "1e-9"}};
    begin(&once, false);
    draw(&once, 0.25);
    once.l.policy->update(once.l.self, &once.b, &once.stats);
    begin_with(&twice, false, two, 2);
    draw(&twice, 0.25);
    twice.l.policy->update(twice.l.self, &twice.b, &twice.stats);
    const int n = mlp_weights(&once.value);
    read_net(&once, "value.adam_m", once.g_value, n);
    read_net(&twice, "value.adam_m", twice.g_value, n);
    for (int i = 0; i < n; i++) {
        assert_true(fabs(twice.g_value[i] - 0.9 * once.g_value[i]) < 1e-12);
    }
    assert_true(fabs(once.g_value[n - 1]) > 1e-6);
    learner_free(&once.l);
    learner_free(&twice.l);
}

/* With ortho_init the rows of a layer stand at right angles; without, they do not. */
static void rows_begin_at_right_angles_if_asked(void **state)
{
    (void)state;
    static struct ppo_case k;
    static const struct setting off = {"ortho_init", "false"};
    for (int i = 0; i < 2; i++) {
        double most = 0.0;
        begin_with(&k, false, &off, i);
        const double *w = k.w_value + (O + 1) * 8; /* the second layer, [8,8] */
        for (int a = 0; a < 8; a++) {
            for (int b = 0; b < a; b++) {
                double dot = 0.0;
                for (int j = 0; j < 8; j++) {
                    dot += w[a * 8 + j] * w[b * 8 + j];
                }
                most = fmax(most, fabs(dot));
            }
        }
        assert_int_equal(most < 1e-9, i == 0);
        learner_free(&k.l);
    }
}

/* The pieces alone, where V is far from what it was: no row of a first epoch is. */
static void values_are_held_near_the_old_ones(void **state)
{
    (void)state;
    struct arena mem;
    struct ppo_minibatch m;
    const struct ppo_policy p = {.n_act = 1};
    const struct ppo_loss_settings c = {0.2, 0.5, 0.7, 0.0};
    const double out[] = {0, 0, 0, 0}, log_std[] = {0};
    double v[] = {0.2, 0.9, -0.9, -0.3};
    static const double want[] = {0.2, 0.5, -0.5, -0.3}; /* from V_old = 0 */
    assert_int_equal(arena_open(&mem, "minibatch", (size_t)1 << 20), 0);
    ppo_minibatch_init(&m, 4, 1, 1, &mem);
    m.n = 4;
    for (int i = 0; i < 4; i++) {
        m.target[i] = 2.0;
    }
    const struct ppo_losses l = ppo_loss(&c, &p, out, log_std, v, &m);
    double sum = 0.0;
    for (int i = 0; i < 4; i++) {
        sum += (want[i] - 2.0) * (want[i] - 2.0) / 4.0;
        const double slope = want[i] == v[i] ? 0.7 * 2.0 * (v[i] - 2.0) / 4.0 : 0.0;
        assert_true(fabs(m.dv[i] - slope) < 1e-12);
    }
    assert_true(fabs(l.value - sum) < 1e-12);
    arena_close(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clipped_loss_with_actions_14_1),
        cmocka_unit_test(the_clipped_loss_with_choices_14_1),
        cmocka_unit_test(the_loss_by_its_switches_14_1),
        cmocka_unit_test(a_value_that_is_held_stays_14_1),
        cmocka_unit_test(rows_begin_at_right_angles_if_asked),
        cmocka_unit_test(values_are_held_near_the_old_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
