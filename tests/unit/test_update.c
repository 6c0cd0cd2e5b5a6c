/*
 * Whole updates of every learning policy: the same bits with and without a helper thread, and from
 * every back end what the definition gives, at batches that are whole tiles of rows and that are
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/hash.h"
#include "daemon/base/team.h"
#include "policies/nn/kernel.h"
#include "tests/unit/policy_fixture.h"

#include <math.h>

#define N_OBS    7
#define N_ACT    3
#define ROWS_MAX 128

static const struct kernel *wanted; /* for the learners to come */

static const char *const names[] = {"sac", "td3", "ddpg", "ppo", "dqn"};

/* What algorithms are given that have it: nothing begins at 0, where back ends could not be
 * compared; one epoch. */
static const struct setting begun[] = {
    {"ortho_init", "false"}, {"log_std_init", "-1"}, {"n_epochs", "1"}, {NULL, NULL}};

/* Networks and steps without and with what may be added to them. */
static const struct setting plain[] = {{"net_arch", "[33, 17]"}, {NULL, NULL}};
static const struct setting normalised[] = {{"net_arch", "[33, 17]"}, {"net_arch_qf", "[40, 16]"},
                                            {"layer_norm", "true"},   {"layer_norm_actor", "true"},
                                            {"max_grad_norm", "0.1"}, {NULL, NULL}};
static const struct setting squashed[] = {{"net_arch", "[17, 33]"},
                                          {"activation_fn", "tanh"},
                                          {"layer_norm", "true"},
                                          {"optimizer_weight_decay", "0.01"},
                                          {NULL, NULL}};
static const struct setting *const kinds[] = {plain, normalised, squashed};

static const int batches[] = {1, 7, 33, 100, 24};

#define N_NAMES   (sizeof names / sizeof names[0])
#define N_KINDS   (sizeof kinds / sizeof kinds[0])
#define N_BATCHES (sizeof batches / sizeof batches[0])

static float uniform(struct rng *r)
{
    return (float)(2.0 * rng_uniform(r) - 1.0);
}

static void draw_batch(struct rng *r, int n, int n_choices, struct batch *ret_batch)
{
    static float s[ROWS_MAX * N_OBS], a[ROWS_MAX * N_ACT], s2[ROWS_MAX * N_OBS];
    static float reward[ROWS_MAX], g[ROWS_MAX], w[ROWS_MAX], td[ROWS_MAX], logp[ROWS_MAX];
    static uint8_t last[ROWS_MAX];
    for (int i = 0; i < n * N_OBS; i++) {
        s[i] = 2.0f * uniform(r);
        s2[i] = 2.0f * uniform(r);
    }
    for (int i = 0; i < n * N_ACT; i++) {
        a[i] = uniform(r);
    }
    for (int i = 0; i < n; i++) {
        reward[i] = s[i * N_OBS] - a[i * N_ACT] * a[i * N_ACT];
        g[i] = rng_below(r, 10) == 0 ? 0.0f : 0.95f;
        w[i] = 0.5f + (float)rng_uniform(r);
        logp[i] = -3.0f + uniform(r);
        last[i] = g[i] == 0.0f || i + 1 == n;
    }
    for (int i = 0; i < n && n_choices > 0; i++) {
        a[i] = (float)rng_below(r, (uint64_t)n_choices);
    }
    *ret_batch = (struct batch){.n = n,
                                .seg_len = 1,
                                .s = s,
                                .a = a,
                                .r = reward,
                                .s2 = s2,
                                .g = g,
                                .w = w,
                                .logp = logp,
                                .last = last,
                                .ret_td = td};
}

/* Those settings that the algorithm has; returns where the list ends. */
static struct setting *settings_of(const struct policy *p, const struct setting *settings,
                                   struct setting *ret_settings)
{
    for (; settings->key != NULL; settings++) {
        if (option_find(p->options, settings->key) != NULL) {
            *ret_settings++ = *settings;
        }
    }
    *ret_settings = (struct setting){NULL, NULL};
    return ret_settings;
}

/* A learner after so many updates. Widths that are panels and a bit. */
static void learn(struct learner_fixture *l, const char *name, const struct setting *settings,
                  int batch, int updates, struct team *team)
{
    const struct policy *p = policy_find(name);
    const bool box = (p->actions & ACTION_BOX) != 0;
    const struct dims dims = {.n_obs = N_OBS,
                              .n_vector = N_OBS,
                              .n_act = box ? N_ACT : 1,
                              .n_choices = box ? 0 : N_ACT,
                              .batch = batch,
                              .seg_len = 1,
                              .policy_rate_hz = 20.0,
                              .team = team,
                              .kernel = wanted};
    struct setting own[12];
    struct rng world;
    rng_seed(&world, 2);
    (void)settings_of(p, settings, settings_of(p, begun, own));
    learner_make(l, p, &dims, own, 1);
    for (int t = 0; t < updates; t++) {
        struct batch b;
        struct stats stats = {0};
        draw_batch(&world, batch, dims.n_choices, &b);
        l->policy->update(l->self, &b, &stats);
        assert_true(stats.v[stat_index(l->policy, "train/skipped_not_finite")] == 0.0);
    }
}

static uint64_t hash_of(const struct learner_fixture *l)
{
    static const size_t bytes[] = {
        [TENSOR_F32] = 4, [TENSOR_F64] = 8, [TENSOR_I64] = 8, [TENSOR_U8] = 1};
    uint64_t hash = HASH_START;
    for (int i = 0; i < l->n; i++) {
        const struct tensor *t = &l->tensor[i];
        hash = hash_fnv1a(hash, t->data, (size_t)tensor_count(t) * bytes[t->type]);
    }
    return hash;
}

static uint64_t learned_hash(const char *name, const struct setting *settings, int batch,
                             struct team *team)
{
    static struct learner_fixture l;
    learn(&l, name, settings, batch, 100, team);
    const uint64_t hash = hash_of(&l);
    learner_free(&l);
    return hash;
}

static void two_threads_give_the_bits_of_one(void **state)
{
    (void)state;
    const struct thread_spec anywhere = {.name = "helper", .cpu = -1, .not_cpu = -1};
    struct team *team = NULL;
    char reason[WHY_CHARS] = "";
    assert_int_equal(team_start(&team, &anywhere, reason, sizeof reason), 0);
    for (int k = 0; kernels[k] != NULL; k++) {
        if (!kernels[k]->usable()) {
            continue;
        }
        wanted = kernels[k];
        const bool best = wanted == kernel_best(); /* the others are slow: one batch each */
        for (size_t i = 0; i < N_NAMES * N_KINDS * (best ? N_BATCHES : 1); i++) {
            const char *name = names[i % N_NAMES];
            const struct setting *kind = kinds[i / N_NAMES % N_KINDS];
            const int n = best ? batches[i / N_NAMES / N_KINDS] : 33;
            const uint64_t alone = learned_hash(name, kind, n, NULL);
            const uint64_t helped = learned_hash(name, kind, n, team);
            if (alone != helped) {
                fail_msg("%s, %s, %s %s, batch %d: %016llx alone, %016llx with a helper",
                         wanted->name, name, kind[1].key, kind[1].value, n,
                         (unsigned long long)alone, (unsigned long long)helped);
            }
        }
    }
    team_stop(team);
}

/* --- every back end against the definition --- */

/* Relative to the number, or to the root mean square of its array where the number is smaller. */
static double distance(const struct tensor *a, const struct tensor *b)
{
    const int n = tensor_count(a);
    const float *x = a->data, *y = b->data;
    double sum2 = 0.0, most = 0.0;
    for (int i = 0; i < n; i++) {
        sum2 += (double)y[i] * (double)y[i];
    }
    for (int i = 0; i < n; i++) {
        const double scale = fmax(fmax(fabs((double)y[i]), sqrt(sum2 / n)), 1e-12);
        most = fmax(most, fabs((double)x[i] - (double)y[i]) / scale);
    }
    return most;
}

static void compare(const char *name, const struct setting *kind, int batch,
                    const struct kernel *kernel)
{
    static struct learner_fixture l, definition;
    /* in bf16 a gradient near 0 may change its sign, and Adam's step with it */
    const bool fp32 = kernel->precision == PRECISION_FP32;
    double most = 0.0, most_moment = 0.0;
    wanted = kernel;
    learn(&l, name, kind, batch, 20, NULL);
    wanted = kernel_find("portable");
    learn(&definition, name, kind, batch, 20, NULL);
    for (int i = 0; i < l.n; i++) {
        const struct tensor *a = &l.tensor[i], *b = &definition.tensor[i];
        /* what began at 0 is nothing but such steps */
        const bool steps = strstr(a->name, ".norm.bias") != NULL;
        if (a->type == TENSOR_F32 && (fp32 || !steps)) {
            const double d = distance(a, b);
            double *worst = strstr(a->name, ".adam_") != NULL ? &most_moment : &most;
            *worst = fmax(*worst, d);
        }
    }
    print_message("%s, %s, batch %d: weights %.1e, moments %.1e\n", kernel->name, name, batch, most,
                  most_moment);
    assert_true(most <= (fp32 ? 1e-4 : 0.1) && most_moment <= (fp32 ? 1e-4 : 2.0));
    assert_true(kernel == wanted ? most == 0.0 && most_moment == 0.0 : true);
    learner_free(&l);
    learner_free(&definition);
}

static void every_back_end_learns_what_the_definition_learns(void **state)
{
    (void)state;
    for (int k = 0; kernels[k] != NULL; k++) {
        const bool same = kernels[k] == kernel_find("portable"); /* of itself one batch is enough */
        const size_t n = N_NAMES * N_KINDS * (same ? 1 : N_BATCHES);
        for (size_t i = 0; kernels[k]->usable() && i < n; i++) {
            compare(names[i % N_NAMES], kinds[i / N_NAMES % N_KINDS],
                    batches[i / N_NAMES / N_KINDS], kernels[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_give_the_bits_of_one),
        cmocka_unit_test(every_back_end_learns_what_the_definition_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
