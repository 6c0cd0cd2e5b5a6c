/*
 * What the tick asks of policies and replay: no allocation, lock, output or BLAS, and the same
 * numbers from the same seed. The linker sends those calls through the counters below (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/nn/kernel.h"
#include "tests/unit/actor_fixture.h"
#include "tests/unit/replay_fixture.h"

#include <pthread.h>
#include <sys/mman.h>

/* volatile: a compiler knows that malloc does not look at them */
static volatile bool in_tick;
static volatile int forbidden;
static const char *last_forbidden;

static void note(const char *name)
{
    if (in_tick) {
        forbidden++;
        last_forbidden = name;
    }
}

/* clang-format off */
#define WRAP(type, name, parameters, arguments)        \
    type __real_##name parameters;                     \
    type __wrap_##name parameters;                     \
    type __wrap_##name parameters                      \
    {                                                  \
        note(#name);                                   \
        return __real_##name arguments;                \
    }

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t m), (n, m))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, aligned_alloc, (size_t a, size_t n), (a, n))
WRAP(void *, mmap, (void *p, size_t n, int r, int f, int fd, off_t o), (p, n, r, f, fd, o))
WRAP(int, pthread_mutex_lock, (pthread_mutex_t *m), (m))
WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
/* clang-format on */

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
    note("free");
    __real_free(p);
}

/* of cblas.h, whose door is policies/nn: its enums are ints */
#define SGEMM_PARAMETERS                                                                           \
    int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,          \
        const float *b, int ldb, float beta, float *c, int ldc

void __real_cblas_sgemm(SGEMM_PARAMETERS);
void __wrap_cblas_sgemm(SGEMM_PARAMETERS);

void __wrap_cblas_sgemm(SGEMM_PARAMETERS)
{
    note("cblas_sgemm");
    __real_cblas_sgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void tick_begins(void)
{
    forbidden = 0;
    in_tick = true;
}

static void tick_ends(const char *what)
{
    in_tick = false;
    if (forbidden != 0) {
        fail_msg("%s: %d calls that a tick must not make, the last of %s", what, forbidden,
                 last_forbidden);
    }
}

#define N_OBS 12
#define N_ACT 3
#define ACTS  500

static const struct dims dims = {
    .n_obs = N_OBS, .n_act = N_ACT, .batch = 4, .seg_len = 1, .policy_rate_hz = 20.0};

/* Of a robot whose action is one of a few; with a camera of two pictures in part of what it sees.
 */
static const struct dims choices = {
    .n_obs = N_OBS, .n_act = 1, .n_choices = 5, .batch = 4, .seg_len = 1, .policy_rate_hz = 20.0};
static const struct dims choices_by_sight = {.n_obs = N_OBS,
                                             .n_vector = 4,
                                             .h = 2,
                                             .w = 2,
                                             .c = 1,
                                             .history = 2,
                                             .n_act = 1,
                                             .n_choices = 5,
                                             .batch = 4,
                                             .seg_len = 1,
                                             .policy_rate_hz = 20.0};

static const struct dims by_sight = {.n_obs = N_OBS,
                                     .n_vector = 4,
                                     .h = 2,
                                     .w = 2,
                                     .c = 1,
                                     .history = 2,
                                     .n_act = N_ACT,
                                     .batch = 4,
                                     .seg_len = 1,
                                     .policy_rate_hz = 20.0};

/* Every policy; DDPG also with the noise that has a state; what may lie between two layers. */
struct act_case {
    const char *policy;
    struct setting settings[4];
    bool draws; /* exploring takes random numbers */
};

/* Pictures where the settings begin with a kernel that fits them. */
static const struct dims *dims_of(const struct act_case *c)
{
    const struct policy *p = policy_find(c->policy);
    const bool sees =
        c->settings[0].key != NULL && strcmp(c->settings[0].key, "cnn_kernel_sizes") == 0;
    return (p->actions & ACTION_BOX) != 0 ? (sees ? &by_sight : &dims)
           : p->pictures                  ? &choices_by_sight
                                          : &choices;
}

static const struct act_case cases[] = {
    {"hold", {{NULL, NULL}}, false},
    {"excite", {{NULL, NULL}}, false},
    {"sac", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"ddpg", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"sac", {{"cnn_kernel_sizes", "[2]"}, {"use_sde", "true"}, {NULL, NULL}}, true},
    {"ddpg", {{"cnn_kernel_sizes", "[2]"}, {NULL, NULL}}, true},
    {"ddpg", {{"action_noise", "ornstein_uhlenbeck"}, {NULL, NULL}}, true},
    {"td3", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"softq", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"sac_v1", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"softq_discrete", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"sac_discrete", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"dqn", {{"net_arch", "[64, 64]"}, {"cnn_kernel_sizes", "[2]"}, {NULL, NULL}}, true},
    {"dqn",
     {{"noisy", "true"}, {"dueling", "true"}, {"cnn_kernel_sizes", "[2]"}, {NULL, NULL}},
     true},
    {"qtable", {{"bins", "[2]"}, {NULL, NULL}}, true},
    {"qtable", {{"bins", "[2]"}, {"ent_coef", "0.5"}, {NULL, NULL}}, true},
    {"sarsa", {{"bins", "[2]"}, {NULL, NULL}}, true},
    {"linearq", {{"bins", "[1]"}, {NULL, NULL}}, true},
    {"linearq", {{"features", "identity"}, {NULL, NULL}}, true},
    {"linearq", {{"features", "radial"}, {"bins", "[1]"}, {NULL, NULL}}, true},
    {"crossq", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"ppo", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"tqc", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"redq", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"svg", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"droq", {{"net_arch", "[64, 64]"}, {NULL, NULL}}, true},
    {"sac", {{"use_sde", "true"}, {"sde_sample_freq", "4"}, {NULL, NULL}}, true},
    {"sac", {{"layer_norm_actor", "true"}, {"net_arch", "[64, 33]"}, {NULL, NULL}}, true},
    {"td3",
     {{"activation_fn", "tanh"}, {"layer_norm_actor", "true"}, {"net_arch", "[33]"}, {NULL, NULL}},
     true},
};

#define N_CASES (sizeof cases / sizeof cases[0])

static void see(struct rng *r, float ret_obs[N_OBS])
{
    for (int k = 0; k < N_OBS; k++) {
        ret_obs[k] = (float)rng_normal(r);
    }
}

/* ACTS actions from a seed, an episode's beginning among them. */
static void act_many(struct actor_fixture *a, uint64_t seed, bool explore, float *ret_acts)
{
    struct rng world, own;
    float obs[N_OBS];
    rng_seed(&world, 1);
    rng_seed(&own, seed);
    for (int t = 0; t < ACTS; t++) {
        see(&world, obs);
        if (t % 100 == 0) {
            a->policy->reset(a->actor, &own);
        }
        (void)actor_act(a, obs, explore, &own, ret_acts + (ptrdiff_t)t * N_ACT);
    }
}

static void acting_allocates_locks_and_writes_nothing(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture a;
    static float acts[ACTS * N_ACT];
    for (size_t i = 0; i < N_CASES; i++) {
        learner_make(&l, policy_find(cases[i].policy), dims_of(&cases[i]), cases[i].settings, 1);
        actor_make(&a, &l);
        for (int explore = 0; explore < 2; explore++) {
            tick_begins();
            act_many(&a, 3, explore != 0, acts);
            tick_ends(cases[i].policy);
        }
        for (int k = 0; k < ACTS * N_ACT; k++) {
            assert_true(isfinite(acts[k]) != 0);
        }
        actor_free(&a);
        learner_free(&l);
    }
}

static void committing_a_row_allocates_locks_and_writes_nothing(void **state)
{
    (void)state;
    struct replay *r = replay_make(N_OBS, N_ACT, 64);
    tick_begins();
    for (int k = 0; k < 1000; k++) {
        commit(r, k % 10 != 0, k % 10 != 9, (float)k, 1.0f, k % 10 != 9 ? 0 : ROW_TRUNCATED);
    }
    tick_ends("replay_commit");
    replay_close(r);
}

/* The counters count: else all the above says nothing. */
static void the_counters_have_teeth(void **state)
{
    (void)state;
    float x[1] = {3.0f}, w[2] = {2.0f, 1.0f}, y[1] = {0.0f};
    const struct layer l = {.in = 1, .out = 1, .w = {w, 1}, .b = w + 1};
    tick_begins();
    kernel_find("cblas")->forward(&l, (struct matrix){x, 1}, 1, false, (struct matrix){y, 1});
    in_tick = false;
    assert_true(y[0] == 7.0f && forbidden > 0);
    assert_string_equal(last_forbidden, "cblas_sgemm");
    tick_begins();
    void *volatile p = malloc(16);
    free(p);
    in_tick = false;
    assert_int_equal(forbidden, 2);
    assert_string_equal(last_forbidden, "free");
}

/* A table begins with values that are all alike, among which chance decides: others. */
static void untie(struct actor_fixture *a)
{
    struct rng r;
    bool alike = true;
    for (int i = 0; i < a->n_packed; i++) {
        alike = alike && a->packed[i] == 0.0f;
    }
    rng_seed(&r, 9);
    for (int i = 0; alike && i < a->n_packed; i++) {
        a->packed[i] = (float)rng_normal(&r);
    }
}

static void the_same_seed_acts_the_same(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture a, b;
    static float first[ACTS * N_ACT], second[ACTS * N_ACT];
    for (size_t i = 0; i < N_CASES; i++) {
        learner_make(&l, policy_find(cases[i].policy), dims_of(&cases[i]), cases[i].settings, 1);
        actor_make(&a, &l);
        actor_make(&b, &l);
        untie(&a);
        untie(&b);
        act_many(&a, 3, true, first);
        act_many(&b, 3, true, second);
        assert_memory_equal(first, second, sizeof first);
        act_many(&b, 4, true, second);
        assert_int_equal(memcmp(first, second, sizeof first) != 0, cases[i].draws);

        /* without exploration no number is drawn, and none matters */
        act_many(&a, 3, false, first);
        act_many(&b, 4, false, second);
        assert_memory_equal(first, second, sizeof first);
        struct rng own, before;
        float obs[N_OBS] = {1.0f}, act[N_ACT];
        rng_seed(&own, 5);
        before = own;
        (void)actor_act(&a, obs, false, &own, act);
        assert_memory_equal(&own, &before, sizeof own);
        actor_free(&a);
        actor_free(&b);
        learner_free(&l);
    }
}

/* The actor is flat bytes: a copy of them goes on as the original does. */
static void an_actor_is_its_bytes(void **state)
{
    (void)state;
    static struct learner_fixture l;
    static struct actor_fixture a, b;
    for (size_t i = 0; i < N_CASES; i++) {
        struct rng one, other;
        float obs[N_OBS] = {0.5f}, act[2][N_ACT];
        learner_make(&l, policy_find(cases[i].policy), dims_of(&cases[i]), cases[i].settings, 1);
        actor_make(&a, &l);
        actor_make(&b, &l);
        rng_seed(&one, 6);
        for (int t = 0; t < 20; t++) {
            (void)actor_act(&a, obs, true, &one, act[0]);
        }
        other = one;
        memcpy(b.actor, a.actor, l.policy->actor_bytes(l.config, &l.dims));
        for (int t = 0; t < 20; t++) {
            (void)actor_act(&a, obs, true, &one, act[0]);
            (void)actor_act(&b, obs, true, &other, act[1]);
            assert_memory_equal(act[0], act[1], sizeof act[0]);
        }
        actor_free(&a);
        actor_free(&b);
        learner_free(&l);
    }
}

static void every_policy_is_among_them(void **state)
{
    (void)state;
    for (int i = 0; policies[i] != NULL; i++) {
        bool found = false;
        for (size_t k = 0; k < N_CASES; k++) {
            found = found || strcmp(cases[k].policy, policies[i]->name) == 0;
        }
        if (!found) {
            fail_msg("policy %s does not act in tests/rt", policies[i]->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acting_allocates_locks_and_writes_nothing),
        cmocka_unit_test(committing_a_row_allocates_locks_and_writes_nothing),
        cmocka_unit_test(the_counters_have_teeth),
        cmocka_unit_test(the_same_seed_acts_the_same),
        cmocka_unit_test(an_actor_is_its_bytes),
        cmocka_unit_test(every_policy_is_among_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
