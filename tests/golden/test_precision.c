/*
 * Oracle 14.1: the float path beside the double one. One update of every algorithm and of what may
 * be switched on in it, from the same draws: losses to 1e-4, gradients (Adam's first moment) to
 * 1e-3.
 *
 * Compiled twice. The double one, asked with "numbers", prints its own; both compare theirs with
 * it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy_fixture.h"

#include <math.h>
#include <stdio.h>

#define N_OBS   5
#define ROWS    32
#define CHOICES 3
#define N_MAX   4096 /* numbers of one kind */

static const bool is_double = sizeof(float) == 8;

struct precision_case {
    const char *policy;
    struct setting more[6];
};

/* clang-format off */
static const struct precision_case cases[] = {
    {"sac", {{NULL, NULL}}},
    {"sac", {{"use_sde", "true"}}},
    {"sac", {{"layer_norm", "true"}, {"layer_norm_actor", "true"}}},
    {"sac_v1", {{NULL, NULL}}},
    {"sac_discrete", {{NULL, NULL}}},
    {"softq", {{NULL, NULL}}},
    {"softq_discrete", {{NULL, NULL}}},
    {"ddpg", {{NULL, NULL}}},
    {"td3", {{"policy_delay", "1"}}},
    {"svg", {{"k", "0"}}},
    {"svg", {{"k", "1"}}},
    {"svg", {{"k", "4"}}},
    {"ppo", {{"n_epochs", "1"}, {"ortho_init", "false"}, {"log_std_init", "-1"}}},
    {"redq", {{"policy_delay", "1"}}},
    {"droq", {{"policy_delay", "1"}, {"dropout", "0.1"}}},
    {"crossq", {{"policy_delay", "1"}}},
    {"crossq", {{"policy_delay", "1"}, {"renorm_warmup_steps", "0"}}},
    {"tqc", {{NULL, NULL}}},
    {"dqn", {{NULL, NULL}}},
    {"dqn", {{"double_q", "true"}, {"dueling", "true"}}},
    {"dqn", {{"noisy", "true"}, {"loss", "mse"}}},
    {"dqn", {{"distributional", "c51"}, {"v_min", "-5"}, {"v_max", "5"}, {"n_atoms", "11"}}},
    {"dqn", {{"distributional", "qr"}, {"n_quantiles", "8"}, {"dueling", "true"}}},
};

/* clang-format on */

#define N_CASES (sizeof cases / sizeof cases[0])

struct numbers {
    int n_losses, n_moments, n_of[TENSORS_MAX], n_tensors;
    double loss[STATS_MAX], moment[N_MAX];
};

static float *some(struct rng *r, int n, double half)
{
    float *x = calloc((size_t)n, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < n; i++) { /* so that a float holds it */
        x[i] = (float)(half * (double)((int)rng_below(r, 2001) - 1000) / 1024.0);
    }
    return x;
}

/* Runs, choices, log-probabilities: whatever the policy may ask for. */
static struct batch draw(const struct learner_fixture *l, struct rng *r)
{
    static uint8_t last[ROWS], valid[ROWS], source[ROWS];
    static uint32_t version[ROWS];
    const struct dims *d = &l->dims;
    struct batch b = {.n = ROWS,
                      .seg_len = d->seg_len,
                      .s = some(r, ROWS * N_OBS, 1.0),
                      .s2 = some(r, ROWS * N_OBS, 1.0),
                      .a = some(r, ROWS * d->n_act, 0.9),
                      .a2 = some(r, ROWS * d->n_act, 0.9),
                      .r = some(r, ROWS, 2.0),
                      .g = some(r, ROWS, 0.0),
                      .w = some(r, ROWS, 0.0),
                      .logp = some(r, ROWS, 0.0),
                      .last = last,
                      .valid = valid,
                      .source = source,
                      .version = version};
    for (int i = 0; i < ROWS; i++) {
        ((float *)b.g)[i] = i % 5 == 4 ? 0.0f : 0.9375f;
        ((float *)b.w)[i] = 0.5f + (float)(i % 4) / 4.0f;
        ((float *)b.logp)[i] = -2.0f;
        last[i] = i % 5 == 4 || (i + 1) % d->seg_len == 0;
        valid[i] = 1;
        for (int k = 0; d->n_choices > 0 && k < d->n_act; k++) {
            ((float *)b.a)[i] = (float)rng_below(r, CHOICES);
            ((float *)b.a2)[i] = (float)rng_below(r, CHOICES);
        }
    }
    return b;
}

static void take(const struct learner_fixture *l, const struct stats *stats, struct numbers *ret_n)
{
    struct numbers *z = ret_n;
    *z = (struct numbers){0};
    for (int i = 0; l->policy->stat_names[i] != NULL; i++) {
        z->loss[z->n_losses++] = (double)stats->v[i];
    }
    for (int i = 0; i < l->n; i++) {
        const struct tensor *t = &l->tensor[i];
        const int n = tensor_count(t);
        if (strstr(t->name, ".adam_m") == NULL || t->type != TENSOR_F32) {
            continue;
        }
        assert_true(z->n_moments + n <= N_MAX);
        for (int k = 0; k < n; k++) {
            z->moment[z->n_moments++] = (double)((const float *)t->data)[k];
        }
        z->n_of[z->n_tensors++] = n;
    }
}

static void update_once(const struct precision_case *c, struct numbers *ret_numbers)
{
    static struct learner_fixture l;
    const struct policy *p = policy_find(c->policy);
    const bool box = (p->actions & ACTION_BOX) != 0;
    const struct dims dims = {.n_obs = N_OBS,
                              .n_vector = N_OBS,
                              .n_act = box ? 2 : 1,
                              .n_choices = box ? 0 : CHOICES,
                              .batch = ROWS,
                              .minibatch = ROWS,
                              .policy_rate_hz = 20.0};
    struct setting settings[10] = {{"net_arch", "[12, 9]"}};
    int n = 1;
    for (int i = 0; c->more[i].key != NULL; i++) {
        settings[n++] = c->more[i];
    }
    struct rng world;
    struct stats stats = {0};
    rng_seed(&world, 2);
    learner_make(&l, p, &dims, settings, 1);
    const struct batch b = draw(&l, &world);
    p->update(l.self, &b, &stats);
    take(&l, &stats, ret_numbers);
    const void *const columns[] = {b.s, b.s2, b.a, b.a2, b.r, b.g, b.w, b.logp};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        free((void *)(uintptr_t)columns[i]);
    }
    learner_free(&l);
}

/* --- the double one --- */

static int print_numbers(void)
{
    static struct numbers z;
    for (size_t i = 0; i < N_CASES; i++) {
        update_once(&cases[i], &z);
        for (int k = 0; k < z.n_losses; k++) {
            (void)printf("%.17g\n", z.loss[k]);
        }
        for (int k = 0; k < z.n_moments; k++) {
            (void)printf("%.17g\n", z.moment[k]);
        }
    }
    return 0;
}

/* --- either --- */

static double next(FILE *f)
{
    char line[64];
    assert_non_null(fgets(line, sizeof line, f));
    return strtod(line, NULL);
}

/* Relative to the number, or to the root mean square of the tensor where that is more. */
static double farthest(FILE *f, const double *got, int n)
{
    static double want[N_MAX];
    double sum2 = 0.0, most = 0.0;
    for (int k = 0; k < n; k++) {
        want[k] = next(f);
        sum2 += want[k] * want[k] / n;
    }
    for (int k = 0; k < n; k++) {
        const double scale = fmax(fmax(fabs(want[k]), sqrt(sum2)), 1e-12);
        most = fmax(most, fabs(got[k] - want[k]) / scale);
    }
    return most;
}

static void floats_are_as_doubles_14_1(void **state)
{
    (void)state;
    static struct numbers z;
    char twin[512];
    const char *folder = getenv("BASAL_TESTS");
    (void)snprintf(twin, sizeof twin, "%s/test_precision_double numbers",
                   folder != NULL ? folder : "build/release/tests");
    FILE *f = popen(twin, "r"); /* NOLINT(cert-env33-c): our own twin */
    assert_non_null(f);
    for (size_t i = 0; i < N_CASES; i++) {
        double loss = 0.0, moment = 0.0;
        update_once(&cases[i], &z);
        for (int k = 0; k < z.n_losses; k++) {
            const double want = next(f);
            loss = fmax(loss, fabs(z.loss[k] - want) / fmax(fabs(want), 1e-2));
        }
        for (int k = 0, from = 0; k < z.n_tensors; from += z.n_of[k++]) {
            moment = fmax(moment, farthest(f, z.moment + from, z.n_of[k]));
        }
        print_message("%s, %s: losses %.1e, gradients %.1e\n", cases[i].policy,
                      cases[i].more[0].key != NULL ? cases[i].more[0].key : "as it is", loss,
                      moment);
        assert_true(z.n_losses > 0 && z.n_moments > 50);
        assert_true(loss < 1e-4 && moment < 1e-3);
    }
    assert_true(fgetc(f) == EOF);
    assert_int_equal(pclose(f), 0);
}

/* Every algorithm that learns by gradients stands above. */
static void every_network_is_there(void **state)
{
    (void)state;
    for (int i = 0; policies[i] != NULL; i++) {
        bool found = option_find(policies[i]->options, "net_arch") == NULL; /* no network */
        for (size_t k = 0; k < N_CASES; k++) {
            found = found || strcmp(cases[k].policy, policies[i]->name) == 0;
        }
        if (!found) {
            fail_msg("%s is not compared", policies[i]->name);
        }
    }
}

int main(int argc, char **argv)
{
    if (is_double && argc == 2 && strcmp(argv[1], "numbers") == 0) {
        return print_numbers();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_network_is_there),
        cmocka_unit_test(floats_are_as_doubles_14_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
