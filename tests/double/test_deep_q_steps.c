/*
 * The step that one deep Q-learning update takes, in double: each optimiser's first one with its
 * epsilon, through noisy layers and through the convolution of a picture; gradients that are held
 * to a length; targets that follow. The network sees one number and a picture of 3 x 3 points.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "tests/unit/policy_fixture.h"

#define ROWS    6
#define SIDE    3
#define O       (1 + SIDE * SIDE)
#define CHOICES 4
#define FILTERS 2
#define KERNEL  2
#define POINTS  (SIDE - KERNEL + 1)
#define CONV    (FILTERS * (KERNEL * KERNEL + 1))
#define INPUTS  (1 + POINTS * POINTS * FILTERS)
#define HIDDEN  6
#define W_MAX   256

static const struct dims dims = {.n_obs = O,
                                 .n_vector = 1,
                                 .h = SIDE,
                                 .w = SIDE,
                                 .c = 1,
                                 .history = 1,
                                 .n_act = 1,
                                 .n_choices = CHOICES,
                                 .batch = ROWS,
                                 .seg_len = 1,
                                 .policy_rate_hz = 10.0};

struct step_case {
    struct learner_fixture l;
    struct stats stats;
    double s[ROWS * O], a[ROWS], r[ROWS], s2[ROWS * O], g[ROWS], w[ROWS], y[ROWS];
    uint64_t legal[ROWS];
    struct batch b;
    struct mlp_shape shape;
    double conv[CONV], dense[W_MAX]; /* as they were before the step */
};

static void draw_batch(struct step_case *k)
{
    struct rng r;
    rng_seed(&r, 41);
    for (int i = 0; i < ROWS * O; i++) {
        k->s[i] = rng_normal(&r);
        k->s2[i] = rng_normal(&r);
    }
    for (int i = 0; i < ROWS; i++) {
        k->a[i] = (double)rng_below(&r, CHOICES);
        k->r[i] = rng_normal(&r);
        k->g[i] = 0.9;
        k->w[i] = 0.5 + rng_uniform(&r);
        k->legal[i] = i % 2 == 0 ? 5 : 10;
    }
    k->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = k->s,
                          .a = k->a,
                          .r = k->r,
                          .s2 = k->s2,
                          .g = k->g,
                          .w = k->w,
                          .legal = k->legal};
}

/* more [4] end with a NULL key. The same seed begins with the same weights and draws the same. */
/* more ends with a NULL key. */
static void begin(struct step_case *k, const struct setting *more)
{
    static const int hidden[] = {HIDDEN};
    struct setting settings[10] = {
        {"net_arch", "[6]"}, {"cnn_filters", "[2]"}, {"cnn_kernel_sizes", "[2]"}};
    for (int i = 3; more->key != NULL; i++) {
        settings[i] = *more++;
    }
    learner_make(&k->l, policy_find("dqn"), &dims, settings, 5);
    draw_batch(k);
    mlp_shape(&k->shape, INPUTS, hidden, 1, CHOICES);
    assert_true(mlp_weights(&k->shape) <= W_MAX);
}

static void update(struct step_case *k)
{
    k->l.policy->update(k->l.self, &k->b, &k->stats);
}

/* --- the gradient --- */

/* One picture's points, [filter][ky][kx] weights, then the biases; and the number before them. */
static void plain_q(const struct step_case *k, const double *obs, double *ret_q,
                    uint64_t *ret_pattern)
{
    double x[INPUTS] = {obs[0]};
    for (int at = 0; at < POINTS * POINTS; at++) {
        for (int f = 0; f < FILTERS; f++) {
            double sum = k->conv[FILTERS * KERNEL * KERNEL + f];
            for (int i = 0; i < KERNEL * KERNEL; i++) {
                const int y = at / POINTS + i / KERNEL, u = at % POINTS + i % KERNEL;
                sum += k->conv[f * KERNEL * KERNEL + i] * obs[1 + y * SIDE + u];
            }
            decide(ret_pattern, sum > 0.0);
            x[1 + at * FILTERS + f] = fmax(sum, 0.0);
        }
    }
    plain_mlp(&k->shape, k->dense, x, ret_q, ret_pattern);
}

static double q_loss(void *self, uint64_t *ret_pattern)
{
    const struct step_case *k = self;
    double loss = 0.0, q[CHOICES];
    for (int i = 0; i < ROWS; i++) {
        plain_q(k, k->s + i * O, q, ret_pattern);
        const double u = fabs(q[(int)k->a[i]] - k->y[i]);
        decide(ret_pattern, u > 1.0);
        loss += k->w[i] / ROWS * (u > 1.0 ? u - 0.5 : 0.5 * u * u);
    }
    return loss;
}

/* 14.1, through an encoder: the whole network's loss by every weight, and what is said of it. */
static void the_picture_is_under_the_loss_14_1(void **state)
{
    (void)state;
    static struct step_case k;
    static const struct setting all[4] = {{"max_grad_norm", "0"}, {NULL, NULL}};
    begin(&k, all);
    const int n = mlp_weights(&k.shape);
    uint64_t pattern = 0;
    double q[CHOICES], g_conv[CONV], g_dense[W_MAX], value = 0.0;
    memcpy(k.conv, learner_floats(&k.l, "q.conv0.0.weight"), sizeof k.conv);
    memcpy(k.dense, learner_floats(&k.l, "q.0.weight"), (size_t)n * sizeof(double));
    for (int i = 0; i < ROWS; i++) { /* the target is a copy still */
        plain_q(&k, k.s2 + i * O, q, &pattern);
        k.y[i] = k.r[i] + k.g[i] * fmax(fmax(q[0], q[1]), fmax(q[2], q[3]));
        plain_q(&k, k.s + i * O, q, &pattern); /* of 0 and 2 or of 1 and 3: what is legal */
        value += fmax(q[i % 2], q[i % 2 + 2]) / ROWS;
    }
    update(&k);
    for (int i = 0; i < CONV; i++) {
        g_conv[i] = learner_floats(&k.l, "q.conv0.adam_m.0.weight")[i] / (1.0 - 0.9);
    }
    for (int i = 0; i < n; i++) {
        g_dense[i] = learner_floats(&k.l, "q.adam_m")[i] / (1.0 - 0.9);
    }
    assert_true(fabs(k.stats.v[stat_index(k.l.policy, "train/loss")] - q_loss(&k, &pattern)) <
                1e-9);
    assert_true(fabs(k.stats.v[stat_index(k.l.policy, "train/mean_q")] - value) < 1e-9);
    check_differences("convolution", k.conv, CONV, g_conv, q_loss, &k);
    check_differences("dense", k.dense, n, g_dense, q_loss, &k);
    learner_free(&k.l);
}

/* --- steps --- */

/* A block of weights with its optimiser's memory; of the dense layers, or of a noisy layer's two.
 */
struct block {
    const char *w, *target, *adam_m, *rms_mean;
    bool of_noise;
};

static const struct block blocks[] = {
    {"q.0.weight", "q_target.0.weight", "q.adam_m", "q.rms_mean", false},
    {"q.mu", "q_target.mu", "q.adam_m", "q.rms_mean", true},
    {"q.sigma", "q_target.sigma", "q.sigma.adam_m", "q.sigma.rms_mean", true},
    {"q.conv0.0.weight", "q_target.conv0.0.weight", "q.conv0.adam_m.0.weight", "q.conv0.rms_mean",
     false},
};

#define N_BLOCKS 4
#define IS_CONV  3

static bool has(const struct block *b, bool noisy)
{
    return b == &blocks[IS_CONV] || b->of_noise == noisy;
}

static int count(const struct step_case *k, const struct block *b)
{
    return b == &blocks[IS_CONV] ? CONV : mlp_weights(&k->shape);
}

static void read_block(const struct step_case *k, const char *name, const struct block *b,
                       double *ret_v)
{
    memcpy(ret_v, learner_floats(&k->l, name), (size_t)count(k, b) * sizeof(double));
}

/* The gradient of the first update, as Adam saw it. */
static void read_gradient(const struct step_case *k, const struct block *b, double *ret_g)
{
    read_block(k, b->adam_m, b, ret_g);
    for (int i = 0; i < count(k, b); i++) {
        ret_g[i] /= 1.0 - 0.9;
    }
}

/* Adam: w - lr g / (|g| + eps). RMSProp, centred: w - lr g / sqrt((1 - rho) rho g^2 + eps), for the
 * same gradient. Epsilons that show. */
static void both_optimisers_take_their_first_step(void **state)
{
    (void)state;
    static struct step_case k;
    static double g[N_BLOCKS][W_MAX];
    for (int i = 0; i < 4; i++) {
        const bool noisy = i / 2 != 0, rmsprop = i % 2 != 0;
        const struct setting settings[2][6] = {{{"learning_rate", "0.1"},
                                                {"optimizer_eps", "0.01"},
                                                {"noisy", noisy ? "true" : "false"},
                                                {NULL, NULL}},
                                               {{"learning_rate", "0.1"},
                                                {"optimizer", "rmsprop"},
                                                {"rmsprop_alpha", "0.9"},
                                                {"rmsprop_eps", "1e-4"},
                                                {"noisy", noisy ? "true" : "false"},
                                                {NULL, NULL}}};
        static double before[N_BLOCKS][W_MAX], after[W_MAX];
        begin(&k, settings[rmsprop]);
        for (int b = 0; b < N_BLOCKS; b++) {
            if (has(&blocks[b], noisy)) {
                read_block(&k, blocks[b].w, &blocks[b], before[b]);
            }
        }
        update(&k);
        for (int b = 0; b < N_BLOCKS; b++) {
            if (!has(&blocks[b], noisy)) {
                continue;
            }
            int moved = 0;
            if (!rmsprop) {
                read_gradient(&k, &blocks[b], g[b]);
            }
            read_block(&k, blocks[b].w, &blocks[b], after);
            for (int j = 0; j < count(&k, &blocks[b]); j++) {
                const double d = g[b][j];
                const double step =
                    rmsprop ? d / sqrt(.1 * .9 * d * d + 1e-4) : d / (fabs(d) + .01);
                assert_true(fabs(after[j] - (before[b][j] - 0.1 * step)) < 1e-12);
                moved += d != 0.0;
            }
            assert_true(4 * moved >= count(&k, &blocks[b]));
        }
        learner_free(&k.l);
    }
}

/* All blocks are one gradient: where it is longer than max_grad_norm all of it is scaled alike,
 * whichever optimiser takes it. */
static void the_whole_gradient_is_held_to_its_length(void **state)
{
    (void)state;
    static struct step_case k;
    static double g[N_BLOCKS][W_MAX], held[W_MAX];
    for (int noisy = 0; noisy < 2; noisy++) {
        const char *on = noisy ? "true" : "false";
        const struct setting any[4] = {{"max_grad_norm", "0"}, {"noisy", on}, {NULL, NULL}};
        double norm2 = 0.0;
        char half[32], more[32];
        begin(&k, any);
        update(&k);
        for (int b = 0; b < N_BLOCKS; b++) {
            for (int j = 0; has(&blocks[b], noisy) && j < count(&k, &blocks[b]); j++) {
                read_gradient(&k, &blocks[b], g[b]);
                norm2 += g[b][j] * g[b][j];
            }
        }
        learner_free(&k.l);
        (void)snprintf(half, sizeof half, "%.17g", 0.5 * sqrt(norm2));
        (void)snprintf(more, sizeof more, "%.17g", 1.5 * sqrt(norm2));
        for (int i = 0; i < 4; i++) {
            const bool rmsprop = i % 2 != 0;
            const struct setting settings[4] = {{"max_grad_norm", i < 2 ? half : more},
                                                {"noisy", on},
                                                {"optimizer", rmsprop ? "rmsprop" : "adam"},
                                                {NULL, NULL}};
            begin(&k, settings);
            update(&k);
            for (int b = 0; b < N_BLOCKS; b++) {
                const double scale = (i < 2 ? 0.5 : 1.0) * (rmsprop ? 0.05 : 0.1);
                if (!has(&blocks[b], noisy)) {
                    continue;
                }
                read_block(&k, rmsprop ? blocks[b].rms_mean : blocks[b].adam_m, &blocks[b], held);
                for (int j = 0; j < count(&k, &blocks[b]); j++) { /* |g| + 1e-6 */
                    assert_true(fabs(held[j] - scale * g[b][j]) <= 1e-5 * fabs(g[b][j]));
                }
            }
            learner_free(&k.l);
        }
    }
}

/* target <- tau now + (1 - tau) before, of every block; with tau 1 the same bits. */
static void targets_follow_by_tau(void **state)
{
    (void)state;
    static struct step_case k;
    static double before[N_BLOCKS][W_MAX], now[W_MAX], target[W_MAX];
    for (int i = 0; i < 4; i++) {
        const bool noisy = i / 2 != 0, copied = i % 2 != 0;
        const struct setting settings[4] = {{"tau", copied ? "1" : "0.25"},
                                            {"target_update_interval", "1"},
                                            {"noisy", noisy ? "true" : "false"},
                                            {NULL, NULL}};
        begin(&k, settings);
        for (int b = 0; b < N_BLOCKS; b++) {
            if (has(&blocks[b], noisy)) {
                read_block(&k, blocks[b].target, &blocks[b], before[b]);
            }
        }
        update(&k);
        for (int b = 0; b < N_BLOCKS; b++) {
            if (!has(&blocks[b], noisy)) {
                continue;
            }
            const size_t bytes = (size_t)count(&k, &blocks[b]) * sizeof(double);
            read_block(&k, blocks[b].w, &blocks[b], now);
            read_block(&k, blocks[b].target, &blocks[b], target);
            assert_memory_not_equal(now, before[b], bytes);
            assert_int_equal(memcmp(now, target, bytes) == 0, copied);
            for (int j = 0; j < count(&k, &blocks[b]) && !copied; j++) {
                assert_true(fabs(target[j] - (0.25 * now[j] + 0.75 * before[b][j])) < 1e-12);
            }
        }
        learner_free(&k.l);
    }
}

/* sigma_0 / sqrt(inputs), of weights and biases alike. */
static void noise_begins_as_wide_as_it_is_set(void **state)
{
    (void)state;
    static struct step_case k;
    static const struct setting wide[4] = {{"noisy", "true"}, {"noisy_sigma", "2"}, {NULL, NULL}};
    begin(&k, wide);
    const double *sigma = learner_floats(&k.l, "q.sigma");
    for (int i = 0; i < mlp_weights(&k.shape); i++) {
        const double in = i < HIDDEN * (INPUTS + 1) ? INPUTS : HIDDEN;
        assert_true(fabs(sigma[i] - 2.0 / sqrt(in)) < 1e-12);
    }
    learner_free(&k.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_is_under_the_loss_14_1),
        cmocka_unit_test(both_optimisers_take_their_first_step),
        cmocka_unit_test(the_whole_gradient_is_held_to_its_length),
        cmocka_unit_test(targets_follow_by_tau),
        cmocka_unit_test(noise_begins_as_wide_as_it_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
