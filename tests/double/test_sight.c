/*
 * Actor and critics that see pictures, in double: the encoder steps down the gradient of the
 * critics' loss, by differences, and of nothing else; who acts sees what the learner saw.
 */
#include <cmocka.h>

#include "tests/double/differences.h"
#include "tests/unit/actor_fixture.h"

#include "policies/nn/encoder.h"

#include <math.h>
#include <string.h>

#define ROWS    6
#define NUMBERS 2
#define PIXELS  (6 * 5 * 2)
#define HISTORY 2
#define O       (NUMBERS + HISTORY * PIXELS)
#define A       2
#define N_CONVS 2

static const struct dims dims = {.n_obs = O,
                                 .n_vector = NUMBERS,
                                 .h = 6,
                                 .w = 5,
                                 .c = 2,
                                 .history = HISTORY,
                                 .n_act = A,
                                 .batch = ROWS,
                                 .seg_len = 1,
                                 .policy_rate_hz = 20.0};

static const struct setting settings[] = {{"net_arch", "[8]"},
                                          {"cnn_filters", "[3, 4]"},
                                          {"cnn_kernel_sizes", "[3, 2]"},
                                          {"cnn_strides", "[1, 2]"},
                                          {NULL, NULL}};

static const char *const convs[N_CONVS] = {"encoder.conv0", "encoder.conv1"};
static const int n_weights[N_CONVS] = {3 * 3 * HISTORY * 2 * 3 + 3, 2 * 2 * 3 * 4 + 4};

/* Losses as their statistics say them, and how many of those the gradient is of. */
static const struct algorithm {
    const char *name;
    double losses;
} algorithms[] = {{"sac", 2.0}, {"ddpg", 1.0}};

#define N_ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

static double s[ROWS * O], s2[ROWS * O], a[ROWS * A], r[ROWS], g[ROWS], w[ROWS];

/* weight 0: the critics have nothing to learn. Nothing follows from what comes next: g is 0. */
static struct batch draw(double weight)
{
    struct rng rng;
    rng_seed(&rng, 4);
    for (int i = 0; i < ROWS * O; i++) {
        s[i] = rng_uniform(&rng);
        s2[i] = rng_uniform(&rng);
    }
    for (int i = 0; i < ROWS * A; i++) {
        a[i] = rng_between(&rng, -1.0, 1.0);
    }
    for (int i = 0; i < ROWS; i++) {
        r[i] = rng_normal(&rng);
        g[i] = 0.0;
        w[i] = weight * (0.3 + rng_uniform(&rng));
    }
    return (struct batch){
        .n = ROWS, .seg_len = 1, .s = s, .a = a, .r = r, .s2 = s2, .g = g, .w = w};
}

static double *weights(const struct learner_fixture *l, int conv, const char *what)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s.0.weight", convs[conv], what);
    return learner_floats(l, name);
}

/* The critic's loss where weight k of a convolution is moved by d. */
static double loss_at(const struct policy *p, int conv, int k, double d)
{
    static struct learner_fixture l;
    struct stats stats;
    const struct batch b = draw(1.0);
    learner_make(&l, p, &dims, settings, 3);
    weights(&l, conv, "")[k] += d;
    p->restored(l.self);
    p->update(l.self, &b, &stats);
    learner_free(&l);
    return stats.v[stat_index(p, "train/critic_loss")];
}

static void the_encoder_steps_down_the_critics_loss(void **state)
{
    (void)state;
    const double h = 1e-6;
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        static struct learner_fixture l;
        const struct policy *p = policy_find(algorithms[i].name);
        struct stats stats;
        const struct batch b = draw(1.0);
        double worst = 0.0, largest = 0.0;
        learner_make(&l, p, &dims, settings, 3);
        p->update(l.self, &b, &stats);
        for (int conv = 0; conv < N_CONVS; conv++) {
            const double *m = weights(&l, conv, ".adam_m");
            for (int k = 0; k < n_weights[conv]; k++) {
                const double by_differences = algorithms[i].losses *
                                              (loss_at(p, conv, k, h) - loss_at(p, conv, k, -h)) /
                                              (2.0 * h);
                worst = fmax(worst, fabs(m[k] / (1.0 - 0.9) - by_differences));
                largest = fmax(largest, fabs(by_differences));
            }
        }
        print_message("%s encoder: worst %.2g of %.2g\n", p->name, worst, largest);
        assert_true(largest > 1e-3 && worst < 1e-6 * fmax(1.0, largest));
        learner_free(&l);
    }
}

/* With weights of 0 the critics do not move; the actor does, and takes the encoder nowhere. */
static void the_actor_leaves_the_encoder_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        static struct learner_fixture l;
        const struct policy *p = policy_find(algorithms[i].name);
        struct stats stats;
        const struct batch b = draw(0.0);
        double before[N_CONVS][256], actor[8 * (NUMBERS + 2 * 4)];
        learner_make(&l, p, &dims, settings, 3);
        for (int conv = 0; conv < N_CONVS; conv++) {
            memcpy(before[conv], weights(&l, conv, ""), (size_t)n_weights[conv] * sizeof(double));
        }
        memcpy(actor, learner_floats(&l, "actor.0.weight"), sizeof actor);
        p->update(l.self, &b, &stats);
        assert_memory_not_equal(actor, learner_floats(&l, "actor.0.weight"), sizeof actor);
        for (int conv = 0; conv < N_CONVS; conv++) {
            assert_memory_equal(before[conv], weights(&l, conv, ""),
                                (size_t)n_weights[conv] * sizeof(double));
        }
        learner_free(&l);
    }
}

/* The encoder alone, with the learner's weights. */
static const double *features_of(const struct learner_fixture *l, struct arena *mem,
                                 const double *x)
{
    static const struct encoder_settings same = {.n_filters = 2,
                                                 .filters = {3, 4},
                                                 .n_kernels = 2,
                                                 .kernels = {3, 2},
                                                 .n_strides = 2,
                                                 .strides = {1, 2}};
    const struct net_spec spec = {.rows = 1, .adam = adam_defaults(1e-3)};
    static struct encoder e;
    struct encoder_shape shape;
    struct rng rng;
    rng_seed(&rng, 2);
    assert_int_equal(encoder_shape(&same, &dims, &shape, NULL, 0), 0);
    encoder_init(&e, &shape, &spec, mem, &rng);
    for (int conv = 0; conv < N_CONVS; conv++) {
        memcpy(e.conv[conv].net.w, weights(l, conv, ""), (size_t)n_weights[conv] * sizeof(double));
    }
    encoder_changed(&e);
    return encoder_forward(&e, x, 1);
}

/* What acts, out of weights as they are sent: tanh of the actor's layers on the encoder's features,
 * of the weights after an update. */
static void who_acts_sees_what_the_learner_sees(void **state)
{
    (void)state;
    static const int hidden[] = {8};
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        static struct learner_fixture l;
        static struct actor_fixture actor;
        const struct policy *p = policy_find(algorithms[i].name);
        const struct batch b = draw(1.0);
        struct stats stats;
        struct arena mem;
        struct rng rng;
        assert_int_equal(arena_open(&mem, "sight", (size_t)1 << 20), 0);
        learner_make(&l, p, &dims, settings, 3);
        p->update(l.self, &b, &stats);
        actor_make(&actor, &l);
        rng_seed(&rng, 1);
        for (int row = 0; row < ROWS; row++) {
            struct mlp_shape shape;
            double out[2 * A], act[A];
            uint64_t pattern = 0;
            mlp_shape(&shape, NUMBERS + 2 * 4, hidden, 1, i == 0 ? 2 * A : A);
            plain_mlp(&shape, learner_floats(&l, "actor.0.weight"),
                      features_of(&l, &mem, s + row * O), out, &pattern);
            (void)actor_act(&actor, s + row * O, false, &rng, act);
            for (int k = 0; k < A; k++) {
                assert_true(fabs(act[k] - tanh(out[k])) < 1e-9);
            }
        }
        actor_free(&actor);
        learner_free(&l);
        arena_close(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoder_steps_down_the_critics_loss),
        cmocka_unit_test(the_actor_leaves_the_encoder_alone),
        cmocka_unit_test(who_acts_sees_what_the_learner_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
