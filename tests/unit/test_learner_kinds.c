/*
 * The learner that gives more than single rows: the newest ones in turns with acting, each one
 * once, passes over all of them; when it updates, when it publishes, what a pause and a checkpoint
 * do. And the settings that do not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/probe_fixture.h"
#include "tests/unit/replay_fixture.h"

#include <errno.h>
#include <stdio.h>

struct desk {
    struct config config;
    struct task task;
    struct dims dims;
    struct shared shared;
    struct replay *replay;
    struct arena mem;
    struct learner learner;
    int published;
};

static void note(void *to, const uint8_t *block, size_t n)
{
    struct desk *d = to;
    (void)block;
    (void)n;
    d->published++;
}

static struct desk *desk_open(const struct policy *p, void (*change)(struct config *c))
{
    char reason[WHY_CHARS] = "";
    struct desk *d = aligned_alloc(64, (sizeof *d + 63) / 64 * 64);
    memset(d, 0, sizeof *d);
    probe_config(&d->config, p);
    change(&d->config);
    d->task.n_obs = d->task.n_act = 1;
    problem_dims(&d->config, &d->task, &d->dims);
    if (problem_check(&d->config, &d->dims, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    d->replay = replay_make(1, 1, 200);
    assert_int_equal(arena_open(&d->mem, "desk", (size_t)64 << 20), 0);
    const struct learner_spec spec = {
        .config = &d->config, .dims = &d->dims, .replay = d->replay, .shared = &d->shared};
    if (learner_open(&d->learner, &spec, &d->mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    d->learner.publish = note;
    d->learner.to = d;
    const struct observation o = seen(1, 0.0f);
    replay_commit(d->replay, &(struct period){.opens = true, .obs2 = &o});
    return d;
}

static void desk_close(struct desk *d)
{
    replay_close(d->replay);
    arena_close(&d->mem);
    free(d);
}

/* Another step, which the policy took by version; its observation and its reward are its number. */
static void act(struct desk *d, uint32_t version)
{
    const float a = 0.5f, applied = 0.25f;
    const int64_t step = replay_head(d->replay) + 1;
    const struct observation o = seen(1, (float)step);
    replay_commit(d->replay, &(struct period){.closes = true,
                                              .opens = true,
                                              .asked = &a,
                                              .applied = &applied,
                                              .logp = -1.0f,
                                              .reward = (float)step,
                                              .source = SOURCE_POLICY,
                                              .version = version,
                                              .obs2 = &o});
    atomic_store(&d->shared.steps, (uint64_t)step);
}

static void assert_mean_is(struct desk *d, float mean)
{
    assert_true(fabsf(d->learner.mean[0] - mean) < 1e-5f);
}

/* --- the newest --- */

static void newest_settings(struct config *c)
{
    c->learner.train_freq = 5;
    c->learner.learning_starts = 2;
    c->learner.normalize = true;
}

static const struct wants newest_wants = {.needs = NEEDS_NEWEST | NEEDS_LOGP | NEEDS_SEGMENTS};

static void acting_and_learning_take_turns(void **state)
{
    (void)state;
    const struct policy p = probe_policy(newest_wants);
    struct desk *d = desk_open(&p, newest_settings);
    assert_int_equal(d->dims.batch, 5);
    assert_int_equal(d->dims.seg_len, 5);
    assert_int_equal(d->dims.minibatch, 4);
    assert_false(learner_step(&d->learner));
    assert_int_equal(d->published, 1); /* somebody must act first */
    assert_false(learner_step(&d->learner));
    assert_int_equal(d->published, 1);
    for (int step = 1; step <= 5; step++) {
        assert_int_equal(probe.updates, 0);
        act(d, 1);
        assert_int_equal(learner_step(&d->learner), step == 5);
    }
    assert_int_equal(d->published, 2); /* at once */
    assert_int_equal(probe.batch.n, 5);
    assert_int_equal(probe.batch.seg_len, 5);
    assert_int_equal(probe.batch.step, 5);
    assert_true(probe.s[0] == 0.0f && probe.s[4] == 4.0f); /* as they were acted */
    assert_true(probe.batch.logp[4] == -1.0f);
    assert_mean_is(d, 2.0f); /* of 0 1 2 3 4, from now on */
    act(d, 1);               /* acted before the new weights came */
    for (int step = 7; step <= 11; step++) {
        assert_mean_is(d, 2.0f);
        act(d, 2);
        assert_int_equal(learner_step(&d->learner), step == 11);
    }
    assert_true(fabsf(probe.s[0] - 4.0f / sqrtf(2.0f)) < 1e-5f); /* (6 - 2) / sqrt(2) */
    assert_mean_is(d, 5.0f);
    assert_int_equal(atomic_load(&d->shared.learner.dropped), 1);
    assert_int_equal(d->learner.counters[LEARNER_UPDATES], 2);
    desk_close(d);
}

/* A pause delays an update; what was acted by the same weights still counts. */
static void a_pause_delays(void **state)
{
    (void)state;
    const struct policy p = probe_policy(newest_wants);
    struct desk *d = desk_open(&p, newest_settings);
    assert_false(learner_step(&d->learner));
    atomic_store(&d->shared.learner.paused, true);
    for (int step = 1; step <= 7; step++) {
        act(d, 1);
        assert_false(learner_step(&d->learner));
    }
    atomic_store(&d->shared.learner.paused, false);
    assert_true(learner_step(&d->learner));
    assert_true(probe.s[0] == 0.0f && probe.batch.step == 7);
    assert_false(learner_step(&d->learner)); /* the two more are of the old weights */
    act(d, 2);
    assert_false(learner_step(&d->learner));
    assert_int_equal(d->published, 2);
    desk_close(d);
}

static void weights_that_did_not_arrive_are_sent_again(void **state)
{
    (void)state;
    const struct policy p = probe_policy(newest_wants);
    struct desk *d = desk_open(&p, newest_settings);
    assert_false(learner_step(&d->learner));
    for (int step = 1; step <= 5; step++) {
        act(d, 0); /* at random */
        assert_false(learner_step(&d->learner));
    }
    assert_int_equal(d->published, 1);
    assert_false(learner_step(&d->learner));
    assert_int_equal(d->published, 2);
    desk_close(d);
}

static void copy_learner(struct desk *from, struct desk *to)
{
    static struct tensor a[TENSORS_MAX], b[TENSORS_MAX];
    static const size_t bytes[] = {
        [TENSOR_F32] = 4, [TENSOR_F64] = 8, [TENSOR_I64] = 8, [TENSOR_U8] = 1, [TENSOR_I32] = 4};
    const int n = learner_tensors(&from->learner, a, TENSORS_MAX);
    assert_int_equal(learner_tensors(&to->learner, b, TENSORS_MAX), n);
    for (int i = 0; i < n; i++) {
        size_t count = 1;
        for (int k = 0; k < a[i].n_dims; k++) {
            count *= (size_t)a[i].dim[k];
        }
        assert_string_equal(a[i].name, b[i].name);
        memcpy(b[i].data, a[i].data, count * bytes[a[i].type]);
    }
    learner_restored(&to->learner);
}

/* Out of a checkpoint in the middle of a batch or a pass: the same batches ever after. */
static void learners_of_all_kinds_go_on_exactly(void **state)
{
    (void)state;

    static const struct wants kinds[] = {
        {.needs = NEEDS_NEWEST | NEEDS_LOGP | NEEDS_SEGMENTS},
        {.needs = NEEDS_SWEEP, .seg_len = 1},
        {.needs = NEEDS_NEXT_ACTION, .seg_len = 1},
        {.needs = NEEDS_ONCE, .seg_len = 1},
    };

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const struct policy p = probe_policy(kinds[k]);
        struct desk *x = desk_open(&p, newest_settings), *y = desk_open(&p, newest_settings);
        int same = 0;
        for (int step = 1; step <= 60; step++) {
            const uint32_t by = (uint32_t)x->learner.counters[LEARNER_VERSION];
            act(x, by);
            act(y, by);
            bool more = step != 33; /* then one batch of a pass of nine is done */
            do {
                more = learner_step(&x->learner) && more;
                const struct probe seen_x = probe;
                if (step > 33) {
                    (void)learner_step(&y->learner);
                    assert_int_equal(probe.batch.n, seen_x.batch.n);
                    assert_memory_equal(probe.s, seen_x.s, sizeof probe.s);
                    same++;
                }
            } while (more);
            if (step == 33) {
                copy_learner(x, y);
            }
        }
        assert_true(same > 20);
        assert_memory_equal(x->learner.counters, y->learner.counters, sizeof x->learner.counters);
        desk_close(x);
        desk_close(y);
    }
}

/* --- each once --- */

static void once_settings(struct config *c)
{
    c->learner.train_freq = 1;
    c->learner.learning_starts = 2;
    c->learner.publish_every = 2;
}

/* From learning_starts on every row that there is, whoever acted it; a pause delays it. */
static void each_row_is_learnt_once(void **state)
{
    (void)state;
    const struct policy p = probe_policy((struct wants){.needs = NEEDS_ONCE, .seg_len = 1});
    struct desk *d = desk_open(&p, once_settings);
    assert_int_equal(d->dims.batch, 1);
    for (int step = 1; step <= 2; step++) {
        act(d, 0);
        assert_false(learner_step(&d->learner));
    }
    act(d, 0);
    for (int row = 0; row < 3; row++) {
        assert_true(learner_step(&d->learner));
        assert_true(probe.s[0] == (float)row && probe.batch.step == 3);
    }
    assert_false(learner_step(&d->learner));
    assert_int_equal(d->published, 1);
    atomic_store(&d->shared.learner.paused, true);
    act(d, 7);
    assert_false(learner_step(&d->learner));
    atomic_store(&d->shared.learner.paused, false);
    assert_true(learner_step(&d->learner));
    assert_true(probe.s[0] == 3.0f);
    assert_int_equal(d->published, 2);
    assert_int_equal(d->learner.counters[LEARNER_UPDATES], 4);
    desk_close(d);
}

/* --- passes --- */

static void sweep_settings(struct config *c)
{
    c->learner.train_freq = 10;
    c->learner.gradient_steps = 2;
    c->learner.publish_every = 2;
    c->learner.normalize = true;
}

static void passes_are_owed_and_published(void **state)
{
    (void)state;
    const struct policy p = probe_policy((struct wants){.needs = NEEDS_SWEEP, .seg_len = 1});
    struct desk *d = desk_open(&p, sweep_settings);
    for (int step = 1; step <= 10; step++) {
        assert_false(learner_step(&d->learner));
        act(d, 0);
    }
    for (int i = 1; i <= 6; i++) { /* ten rows are three batches of four */
        assert_true(learner_step(&d->learner));
        assert_int_equal(probe.batch.sweep_end, i % 3 == 0);
        assert_int_equal(d->learner.counters[LEARNER_UPDATES], i / 3);
        assert_int_equal(d->published, i / 6);
        assert_mean_is(d, 4.5f); /* within a pass one mean */
    }
    assert_false(learner_step(&d->learner));
    assert_true(probe.rows == 20.0f);
    desk_close(d);
}

/* --- sums of rewards --- */

static void three_steps(struct config *c)
{
    c->learner.n_steps = 3;
}

/* learner.n_steps: r is the sum of that many rewards, s2 and g are of what follows them. */
static void rewards_of_n_steps_are_summed(void **state)
{
    (void)state;
    const struct policy p = probe_policy((struct wants){.seg_len = 1});
    struct desk *d = desk_open(&p, three_steps);
    for (int step = 1; step <= 40; step++) {
        act(d, 0);
        (void)learner_step(&d->learner);
    }
    assert_true(probe.updates > 20);
    const struct batch *b = &probe.batch;
    for (int i = 0; i < b->n; i++) {
        const float s = b->s[i];
        assert_true(fabsf(b->r[i] - (s + 1.0f + 0.9f * (s + 2.0f) + 0.81f * (s + 3.0f))) < 1e-4f);
        assert_true(b->s2[i] == s + 3.0f);
        assert_true(fabsf(b->g[i] - 0.729f) < 1e-6f);
    }
    desk_close(d);
}

static void actions_as_asked(struct config *c)
{
    c->replay.action = REPLAY_ASKED;
}

static void actions_as_applied(struct config *c)
{
    c->replay.action = REPLAY_APPLIED;
}

/* replay.action: which of the two a batch holds. */
static void actions_are_those_that_are_wanted(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const struct policy p = probe_policy((struct wants){.seg_len = 1});
        struct desk *d = desk_open(&p, k == 0 ? actions_as_asked : actions_as_applied);
        for (int step = 1; step <= 5; step++) {
            act(d, 0);
        }
        assert_true(learner_step(&d->learner));
        assert_true(probe.batch.a[0] == (k == 0 ? 0.5f : 0.25f));
        desk_close(d);
    }
}

/* --- by priority --- */

static void by_size(struct config *c)
{
    c->learner.prioritized_replay = PRIORITY_PROPORTIONAL;
    c->learner.prioritized_replay_alpha = 0.5;
    c->learner.prioritized_replay_eps = 0.75;
    c->learner.prioritized_replay_beta0 = 0.4;
    c->learner.prioritized_replay_beta_iters = 80;
    c->learner.gradient_steps = 50;
}

/* w ~ P^-beta, P ~ (|td| + eps)^alpha, beta a quarter of its way from 0.4 to 1 at step 20 of 80:
 * after a thousand updates each of twenty rows has given its error back. */
static void priorities_weigh_as_they_are_set(void **state)
{
    (void)state;
    const struct policy p = probe_policy((struct wants){.seg_len = 1});
    struct desk *d = desk_open(&p, by_size);
    for (int step = 1; step <= 20; step++) {
        act(d, 0);
    }
    int kinds = 0;
    while (learner_step(&d->learner)) {
    }
    assert_int_equal(probe.updates, 1000);
    const struct batch *b = &probe.batch;
    for (int i = 1; i < b->n; i++) {
        const double ratio =
            ((double)probe_td(b->s[0]) + 0.75) / ((double)probe_td(b->s[i]) + 0.75);
        assert_true(fabs((double)(b->w[i] / b->w[0]) - pow(ratio, 0.5 * 0.55)) < 1e-5);
        kinds += fabs(ratio - 1.0) > 0.1;
    }
    assert_true(kinds > 0);
    desk_close(d);
}

/* --- settings that do not fit --- */

static void by_rank(struct config *c)
{
    c->learner.prioritized_replay = PRIORITY_RANK;
}

static void short_replay(struct config *c)
{
    c->learner.train_freq = 500;
}

static void as_applied(struct config *c)
{
    c->replay.action = REPLAY_APPLIED;
}

static void of_another(struct config *c)
{
    (void)snprintf(c->comms.weights, sizeof c->comms.weights, "ipc:///run/other");
}

static void scaled(struct config *c)
{
    c->learner.normalize = true;
}

static void plain(struct config *c)
{
    (void)c;
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;

    static const struct {
        struct wants wants;
        void (*change)(struct config *c);
        const char *says; /* NULL: good */
    } cases[] = {
        {{NEEDS_SEGMENTS, 2}, plain, NULL},
        {{NEEDS_SEGMENTS, 3}, plain, "learner.batch_size 4 must be a whole multiple of 3"},
        {{NEEDS_SEGMENTS, 2}, by_rank, "learner.prioritized_replay draws single steps"},
        {{NEEDS_NEXT_ACTION, 1}, by_rank, "learner.prioritized_replay draws single steps"},
        {{NEEDS_SWEEP, 1}, by_rank, "set it to none"},
        {{NEEDS_NEWEST, 1}, by_rank, "set it to none"},
        {{0, 1}, by_rank, NULL},
        {{NEEDS_LOGP, 1}, by_rank, NULL},
        {{NEEDS_SEGMENTS, 2}, three_steps, "learner.n_steps 3 sums rewards"},
        {{NEEDS_NEWEST, 1}, three_steps, "set it to 1"},
        {{NEEDS_NEXT_ACTION, 1}, three_steps, NULL},
        {{NEEDS_NEWEST, 1}, short_replay, "replay.capacity 1000 does not hold"},
        {{NEEDS_ONCE, 1}, by_rank, "set it to none"},
        {{NEEDS_ONCE, 1}, three_steps, "set it to 1"},
        {{NEEDS_ONCE, 1}, short_replay, "replay.capacity 1000 does not hold"},
        {{NEEDS_ONCE, 1}, as_applied, NULL},
        {{NEEDS_ONCE | NEEDS_NEXT_ACTION, 1}, plain, NULL},
        {{NEEDS_ONCE | NEEDS_SWEEP, 1},
         plain,
         "wants passes over all steps and each step once in order, which no batch holds"},
        {{NEEDS_NEWEST, 1}, as_applied, "replay.action must be asked"},
        {{NEEDS_NEWEST, 1}, of_another, "comms.weights must be own"},
        {{NEEDS_MODEL, 1}, scaled, "learner.normalize must be false"},
        {{NEEDS_MODEL, 1}, plain, "wants every transition of a small simulated world, which"},
        {{NEEDS_NEWEST | NEEDS_SWEEP, 1}, plain, "which no batch holds at once"},
        {{NEEDS_NEWEST | NEEDS_NEXT_ACTION, 1},
         plain,
         "wants the action of the next step and the newest steps in order, each once, which no"},
        {{NEEDS_SWEEP | NEEDS_NEXT_ACTION, 1}, plain, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct policy p = probe_policy(cases[i].wants);
        static struct config c;
        static struct task t;
        struct dims d;
        char reason[WHY_CHARS] = "";
        probe_config(&c, &p);
        cases[i].change(&c);
        t.n_obs = t.n_act = 1;
        problem_dims(&c, &t, &d);
        const int rc = problem_check(&c, &d, reason, sizeof reason);
        if (rc != (cases[i].says == NULL ? 0 : -EINVAL) ||
            (cases[i].says != NULL && strstr(reason, cases[i].says) == NULL)) {
            fail_msg("case %zu: %d, \"%s\"", i, rc, reason);
        }
        /* and by the policy's own check alone */
        if (cases[i].says != NULL && cases[i].change == by_rank) {
            assert_int_equal(policy_check(&p, "", &d, reason, sizeof reason), -EINVAL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acting_and_learning_take_turns),
        cmocka_unit_test(a_pause_delays),
        cmocka_unit_test(weights_that_did_not_arrive_are_sent_again),
        cmocka_unit_test(learners_of_all_kinds_go_on_exactly),
        cmocka_unit_test(each_row_is_learnt_once),
        cmocka_unit_test(passes_are_owed_and_published),
        cmocka_unit_test(rewards_of_n_steps_are_summed),
        cmocka_unit_test(actions_are_those_that_are_wanted),
        cmocka_unit_test(priorities_weigh_as_they_are_set),
        cmocka_unit_test(what_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
