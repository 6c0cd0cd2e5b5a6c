/*
 * What the loop writes into the replay: the crawler driven at random through its bus, tick by tick,
 * on virtual time. One period of the policy is one row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/replay_segment.h"
#include "tests/unit/crawler_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TICK (NS_PER_S / 100)

struct bench {
    struct house house;
    int64_t planned_ns;
    uint64_t skip; /* ticks to leave out before the next one */
};

static void tick(struct bench *b)
{
    static struct record record;
    static struct reply reply;
    static struct happened happened;
    struct shared *s = b->house.shared;
    const int64_t skipped = (int64_t)b->skip;
    b->planned_ns += skipped * TICK;
    loop_tick(&b->house.loop, b->planned_ns, 0, skipped);
    b->planned_ns += TICK;
    b->skip = 0;
    while (ring_pop(&s->telemetry, &record) || ring_pop(&s->replies, &reply) ||
           ring_pop(&s->happened, &happened)) {
    }
}

static void ask(struct bench *b, enum request_kind kind, uint32_t flags, double x)
{
    const struct request q = {.id = 1, .kind = kind, .flags = flags, .x = x};
    assert_true(ring_push(&b->house.shared->requests, &q));
}

/* Armed and running at random, at the first tick of a stored period. */
static struct bench *bench_open(const char *const *sets, int n_sets)
{
    char reason[WHY_CHARS] = "";
    const struct house_spec spec = crawler_spec(sets, n_sets);
    struct bench *b = calloc(1, sizeof *b);
    if (house_open(&b->house, &spec, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct loop_state *z = &b->house.loop.st;
    for (int i = 0; i < 2000 && !z->stored; i++) {
        if (z->fsm.state == STATE_LIMP && plant_ready(b->house.plant)) {
            ask(b, REQUEST_ARM, 0, 0.0);
        } else if (z->fsm.state == STATE_READY) {
            ask(b, REQUEST_RUN, RUN_RANDOM, 0.0);
        }
        tick(b);
    }
    assert_true(z->stored);
    return b;
}

static void bench_close(struct bench *b)
{
    house_close(&b->house);
    free(b);
}

struct row {
    unsigned bits, source;
    double r, dt_s;
    int64_t t_ns;
    float obs[OBS_MAX], asked[2], applied[2];
};

static struct row row_at(const struct bench *b, int64_t at)
{
    const struct replay *r = b->house.replay;
    const _Atomic uint32_t *w = segment_row(r, at), *tail = w + r->at_tail;
    struct row x = {
        .bits = word_get(&tail[ROW_META]) & 0xff,
        .source = word_get(&tail[ROW_META]) >> 8,
        .r = (double)word_float(&tail[ROW_R]),
        .dt_s = (double)word_float(&tail[ROW_DT]),
        .t_ns = (int64_t)((uint64_t)word_get(&tail[ROW_T_HI]) << 32 | word_get(&tail[ROW_T_LO]))};
    assert_int_equal(r->n_act, 2);
    for (int k = 0; k < r->n_obs; k++) {
        x.obs[k] = word_float(&w[k]);
    }
    for (int k = 0; k < 2; k++) {
        x.asked[k] = word_float(&w[r->n_obs + k]);
        x.applied[k] = word_float(&w[r->n_obs + 2 + k]);
    }
    return x;
}

static int64_t head(const struct bench *b)
{
    return replay_head(b->house.replay);
}

static void run_rows(struct bench *b, int64_t rows)
{
    const int64_t until = head(b) + rows;
    for (int i = 0; head(b) < until; i++) {
        assert_true(i < 100 * (int)rows);
        tick(b);
    }
}

/* The last two numbers of the observation are the action applied in the period before: with a ramp
 * and a limiter the state would not be whole without it. */
static void a_row_is_a_period_with_what_was_asked_and_applied(void **state)
{
    (void)state;
    struct bench *b = bench_open(NULL, 0);
    const int at = b->house.loop.task.n_obs - 2;
    int limited = 0;
    run_rows(b, 150);
    for (int64_t i = 0; i + 1 < head(b); i++) {
        const struct row x = row_at(b, i), next = row_at(b, i + 1);
        assert_int_equal(x.bits, 0);
        assert_int_equal(x.source, SOURCE_RANDOM);
        assert_true(fabs(x.dt_s - 0.05) < 1e-6);
        assert_true(next.t_ns - x.t_ns == 5 * TICK);
        for (int k = 0; k < 2; k++) {
            assert_true(fabsf(x.asked[k]) <= 1.0f && fabsf(x.applied[k]) <= 1.0f);
            assert_true(next.obs[at + k] == x.applied[k]);
            limited += fabsf(x.asked[k] - x.applied[k]) > 1e-3f;
        }
    }
    assert_true(limited > 10); /* the filter slows most of such jerks: both are worth storing */
    assert_true(limited < 290);
    bench_close(b);
}

/* A clock cuts the episode: truncated, its last observation kept, the next begins a tick later. */
static void an_episode_of_ten_seconds_is_two_hundred_rows(void **state)
{
    (void)state;
    struct bench *b = bench_open(NULL, 0);
    run_rows(b, 203);
    for (int64_t i = 0; i < 199; i++) {
        assert_int_equal(row_at(b, i).bits, 0);
    }
    assert_int_equal(row_at(b, 199).bits, ROW_TRUNCATED);
    assert_int_equal(row_at(b, 200).bits, ROW_FINAL);
    assert_int_equal(row_at(b, 201).bits, 0);
    assert_true(row_at(b, 201).t_ns - row_at(b, 199).t_ns >= 6 * TICK);
    assert_int_equal(b->house.loop.st.step, 202); /* a final row is no step */
    assert_int_equal(replay_verify(b->house.replay, NULL, 0), 0);
    bench_close(b);
}

/* A person's reward lands in the period in which it arrives, which ends there, with its true dt. */
static void a_person_ends_the_episode_with_a_reward(void **state)
{
    (void)state;
    struct bench *b = bench_open(NULL, 0), *twin = bench_open(NULL, 0);
    run_rows(b, 20);
    run_rows(twin, 20);
    for (int i = 0; i < 2; i++) {
        tick(b);
        tick(twin);
    }
    ask(b, REQUEST_EPISODE_END, 0, 5.5);
    ask(twin, REQUEST_EPISODE_END, 0, 0.0);
    tick(b);
    tick(twin);
    assert_int_equal(head(b), 22);
    const struct row x = row_at(b, 20), without = row_at(twin, 20);
    assert_int_equal(x.bits, ROW_TRUNCATED);
    assert_true(fabs(x.r - without.r - 5.5) < 1e-5);
    assert_true(fabs(x.dt_s - 0.03) < 1e-6);
    assert_int_equal(row_at(b, 21).bits, ROW_FINAL);
    run_rows(b, 2); /* and the next is no longer rewarded */
    assert_int_equal(row_at(b, 22).bits, 0);
    assert_true(fabs(row_at(b, 22).r) < 2.0);
    bench_close(b);
    bench_close(twin);
}

/* A stop is no end of the MDP either; while the robot stands nothing is stored. */
static void a_stop_truncates(void **state)
{
    (void)state;
    struct bench *b = bench_open(NULL, 0);
    run_rows(b, 20);
    tick(b);
    atomic_fetch_or(&b->house.shared->stop, STOP_ASKED);
    tick(b);
    assert_int_equal(head(b), 22);
    assert_int_equal(row_at(b, 20).bits, ROW_TRUNCATED);
    assert_true(row_at(b, 20).dt_s < 0.05 - 1e-6);
    assert_int_equal(row_at(b, 21).bits, ROW_FINAL);
    for (int i = 0; i < 300; i++) {
        tick(b);
    }
    assert_int_equal(head(b), 22);
    assert_int_equal(b->house.loop.st.fsm.state, STATE_LIMP);
    bench_close(b);
}

/* Without learning nothing is stored, and the open row is closed when that begins. */
static void what_is_not_to_be_learned_is_not_stored(void **state)
{
    (void)state;
    struct bench *b = bench_open(NULL, 0);
    run_rows(b, 20);
    ask(b, REQUEST_RUN, RUN_RANDOM | RUN_NO_LEARN, 0.0);
    for (int i = 0; i < 100; i++) {
        tick(b);
    }
    assert_int_equal(head(b), 22);
    assert_int_equal(row_at(b, 20).bits, ROW_TRUNCATED);
    assert_int_equal(row_at(b, 21).bits, ROW_FINAL);
    assert_int_equal(b->house.loop.st.fsm.state, STATE_RUNNING);
    bench_close(b);
}

/* Late ticks are skipped: the row says so and how long it really took. */
static void a_skipped_tick_is_flagged(void **state)
{
    (void)state;
    struct bench *b = bench_open(NULL, 0);
    run_rows(b, 20);
    tick(b);
    b->skip = 2;
    tick(b);
    run_rows(b, 2);
    assert_int_equal(row_at(b, 20).bits, ROW_FLAG);
    assert_true(fabs(row_at(b, 20).dt_s - 0.05) < 1e-6); /* the next period ends N ticks later */
    assert_int_equal(row_at(b, 21).bits, 0);
    b->skip = 9;
    tick(b);
    run_rows(b, 1);
    assert_int_equal(row_at(b, 22).bits, ROW_FLAG);
    assert_true(row_at(b, 22).dt_s > 0.1 - 1e-6);
    bench_close(b);
}

/* Lost replies: coasting over one tick within a period is no harm, over more, or where it is
 * observed, is flagged. */
static void coasting_is_flagged(void **state)
{
    (void)state;
    static const char *const sets[] = {"faults.lost=0.03"};
    struct bench *b = bench_open(sets, 1);
    int flagged = 0, rows = 0;
    for (int64_t i = 0; i < 60; i++) {
        const uint64_t before = b->house.loop.st.coasted_total;
        const int64_t at = head(b);
        int coasted = 0;
        uint64_t now = before;
        while (head(b) == at) {
            const uint64_t then = b->house.loop.st.coasted_total;
            tick(b);
            now = b->house.loop.st.coasted_total;
            coasted += now > then;
        }
        const uint64_t all = 7;
        const bool observed_blind = (b->house.loop.st.fresh & all) != all;
        assert_int_equal((row_at(b, at).bits & ROW_FLAG) != 0, coasted > 1 || observed_blind);
        flagged += (row_at(b, at).bits & ROW_FLAG) != 0;
        rows++;
    }
    assert_true(flagged > 2 && flagged < rows);
    bench_close(b);
}

/* --- what drives and what trains see the same numbers --- */

static void hand_over(void *to, const uint8_t *block, size_t n)
{
    assert_int_equal(intake_block(to, block, n), 0);
}

static struct seen {
    struct policy policy; /* the house's, but for act */
    void (*act)(void *actor, const struct act_in *in, float *ret_act, float *ret_logp);
    int n, n_obs;
    float obs[64][OBS_MAX];
} seen;

static void look_and_act(void *actor, const struct act_in *in, float *ret_act, float *ret_logp)
{
    assert_true(seen.n < 64);
    memcpy(seen.obs[seen.n++], in->obs, (size_t)seen.n_obs * sizeof(float));
    seen.act(actor, in, ret_act, ret_logp);
}

/* The same rows drawn from the replay, with the mean and scale that drove. */
static void draw_all(struct bench *b, bool ret_found[64])
{
    const struct packed *p = b->house.loop.packed;
    const size_t n_obs = (size_t)seen.n_obs;
    const struct sample_spec spec = {.batch = 32,
                                     .n_steps = 1,
                                     .seg_len = 1,
                                     .gamma = 0.9,
                                     .obs_mean = p->mean,
                                     .obs_scale = p->scale};
    struct arena mem;
    struct rng rng;
    assert_int_equal(arena_open(&mem, "draw", (size_t)1 << 20), 0);
    struct sampler *s = sampler_init(b->house.replay, &spec, &mem);
    rng_seed(&rng, 1);
    for (int t = 0; t < 200; t++) {
        struct batch batch;
        assert_true(sampler_draw(s, &rng, &batch));
        for (int i = 0; i < batch.n * seen.n; i++) {
            const int k = i % seen.n;
            ret_found[k] = ret_found[k] || memcmp(batch.s + (size_t)(i / seen.n) * n_obs,
                                                  seen.obs[k], n_obs * sizeof(float)) == 0;
        }
    }
    arena_close(&mem);
}

static void the_policy_sees_what_it_learns_from(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.normalize=true", "learner.learning_starts=0",
                                       "policy.layer_norm_actor=true", "policy.net_arch=[16]",
                                       "learner.publish_every=1"};
    struct bench *b = bench_open(sets, 5);
    struct learner *l = &b->house.learner;
    run_rows(b, 150);
    l->publish = hand_over;
    l->to = &b->house.intake;
    assert_true(learner_step(l)); /* looks at all rows and publishes */

    seen.n_obs = b->house.loop.task.n_obs;
    seen.policy = *b->house.config.policy;
    seen.act = seen.policy.act;
    seen.policy.act = look_and_act;
    b->house.config.policy = &seen.policy;
    ask(b, REQUEST_RUN, 0, 0.0);
    run_rows(b, 40);
    assert_true(seen.n >= 40);
    const struct packed *p = b->house.loop.packed;
    int scaled = 0;
    for (int k = 0; k < b->house.loop.task.n_obs; k++) {
        assert_true(p->mean[k] == l->mean[k] && p->scale[k] == l->inv_std[k]);
        scaled += p->scale[k] != 1.0f && p->mean[k] != 0.0f;
    }
    assert_true(scaled > 5);

    bool found[64] = {false};
    draw_all(b, found);
    for (int k = 0; k + 1 < seen.n; k++) { /* the last row is still open */
        if (!found[k]) {
            fail_msg("what act saw in step %d is in no batch", k);
        }
    }
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_a_period_with_what_was_asked_and_applied),
        cmocka_unit_test(an_episode_of_ten_seconds_is_two_hundred_rows),
        cmocka_unit_test(a_person_ends_the_episode_with_a_reward),
        cmocka_unit_test(a_stop_truncates),
        cmocka_unit_test(what_is_not_to_be_learned_is_not_stored),
        cmocka_unit_test(a_skipped_tick_is_flagged),
        cmocka_unit_test(coasting_is_flagged),
        cmocka_unit_test(the_policy_sees_what_it_learns_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
