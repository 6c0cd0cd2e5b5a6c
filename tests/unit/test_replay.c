/*
 * The replay, its writer and its sampler: commits, final rows, windows, actions, normalising, the
 * ring's wrap. Damage and other processes: test_replay_segment.c. Races: test_replay_race.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/replay_fixture.h"

/* --- commits --- */

/* Opening writes the observation, closing all else; head alone says how far the rows are whole. */
static void a_row_is_opened_then_closed_then_counted(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 2, 16);
    const struct observation first = {.n = 2, .legal = UINT64_C(0x8000000000000001), .v = {1, 2}};
    const struct observation second = {.n = 2, .v = {3, 4}};
    const float asked[] = {2.5f, -0.25f}, applied[] = {1.0f, -0.5f};
    const struct period open = {.opens = true, .obs2 = &first};
    const struct period close = {.closes = true,
                                 .opens = true,
                                 .asked = asked,
                                 .applied = applied,
                                 .reward = 5.5f,
                                 .logp = -2.0f,
                                 .dt_s = 0.07f,
                                 .bits = ROW_FLAG,
                                 .source = SOURCE_HUMAN,
                                 .version = 0xfffffff0u,
                                 .t_ns = INT64_C(0x123456789abcdef0),
                                 .obs2 = &second};
    float obs[2];
    replay_commit(r, &open);
    assert_int_equal(replay_head(r), 0);
    assert_int_equal(atomic_load(&r->seg->open), 1);
    assert_true(word_float(&segment_row(r, 0)[0]) == 1.0f);
    assert_false(replay_row_obs(r, 0, obs)); /* not closed */

    replay_commit(r, &close);
    assert_int_equal(replay_head(r), 1);
    assert_true(replay_row_obs(r, 0, obs) && obs[0] == 1.0f && obs[1] == 2.0f);
    const _Atomic uint32_t *w = segment_row(r, 0), *tail = w + r->at_tail;
    assert_true(word_float(&w[2]) == 2.5f && word_float(&w[3]) == -0.25f); /* asked, unclipped */
    assert_true(word_float(&w[4]) == 1.0f && word_float(&w[5]) == -0.5f);
    assert_true(word_float(&tail[ROW_R]) == 5.5f && word_float(&tail[ROW_LOGP]) == -2.0f);
    assert_true(word_float(&tail[ROW_DT]) == 0.07f);
    assert_int_equal(word_get(&tail[ROW_META]), ROW_FLAG | SOURCE_HUMAN << 8);
    assert_true(word_get(&tail[ROW_VERSION]) == 0xfffffff0u);
    assert_true(((uint64_t)word_get(&tail[ROW_T_HI]) << 32 | word_get(&tail[ROW_T_LO])) ==
                UINT64_C(0x123456789abcdef0));
    assert_true(((uint64_t)word_get(&tail[ROW_LEGAL_HI]) << 32 | word_get(&tail[ROW_LEGAL_LO])) ==
                UINT64_C(0x8000000000000001));
    assert_true(word_float(&segment_row(r, 1)[1]) == 4.0f); /* the next row's observation */
    replay_close(r);
}

/* An episode leaves a row with its last observation: the successor of the row before, no start. */
static void an_episode_ends_with_a_final_row(void **state)
{
    (void)state;
    struct replay *r = replay_make(2, 1, 64);
    struct drawer d;
    struct batch b;
    static struct replay_info info;
    commit(r, false, true, 1.0f, 0.0f, 0);
    commit(r, true, true, 2.0f, 1.0f, 0);
    commit(r, true, false, 3.0f, 2.0f, ROW_TRUNCATED);
    assert_int_equal(replay_head(r), 3);
    assert_int_equal(atomic_load(&r->seg->open), 0);
    commit(r, false, true, 10.0f, 0.0f, 0); /* the next episode */
    commit(r, true, false, 11.0f, 3.0f, ROW_TERMINAL);
    assert_int_equal(replay_head(r), 5);

    drawer_make(&d, r,
                &(struct sample_spec){.batch = 64, .n_steps = 1, .seg_len = 1, .gamma = GAMMA});
    int seen_end = 0;
    for (int t = 0; t < 20; t++) {
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        for (int i = 0; i < b.n; i++) {
            const float s = b.s[i * 2], s2 = b.s2[i * 2];
            assert_true((s == 1.0f && s2 == 2.0f) || (s == 2.0f && s2 == 3.0f) ||
                        (s == 10.0f && s2 == 11.0f));
            assert_true(b.last[i] == (s != 1.0f)); /* also before the next episode's first row */
            assert_true(b.g[i] == (s == 10.0f ? 0.0f : (float)GAMMA)); /* a clock is no end */
            assert_true(b.legal[i] == (uint64_t)s && b.legal2[i] == (uint64_t)s2);
            seen_end += s == 2.0f;
        }
    }
    assert_true(seen_end > 200);
    assert_int_equal(replay_info(r, &info), 0);
    assert_true(info.head == 5 && info.rows == 5 && info.episodes == 2 && info.terminals == 1 &&
                info.truncated == 1 && info.human == 0);
    assert_int_equal(replay_verify(r, NULL, 0), 0);
    drawer_free(&d);
    replay_close(r);
}

static void nothing_is_drawn_from_nothing(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 16);
    struct drawer d;
    struct batch b;
    drawer_make(&d, r, &(struct sample_spec){.batch = 4, .n_steps = 1, .seg_len = 1});
    assert_false(sampler_draw(d.sampler, &d.rng, &b));
    commit(r, false, true, 1.0f, 0.0f, 0); /* an open row is no row yet */
    assert_false(sampler_draw(d.sampler, &d.rng, &b));
    commit(r, true, true, 2.0f, 0.0f, 0);
    assert_true(sampler_draw(d.sampler, &d.rng, &b));
    drawer_free(&d);
    replay_close(r);
}

/* --- n-step windows: r = sum gamma^i r_i, g = gamma^k (1 - terminal), s2 after k rows --- */

struct window_case {
    const char *name;
    int n_rows;         /* closed rows 1, 2, 3 ... of reward 1, 2, 3 ... */
    unsigned bits[4];   /* of each */
    double r, g, after; /* of the 3-step window from the first row */
    bool at_head;       /* nothing follows */
};

static void windows_stop_where_they_must(void **state)
{
    (void)state;
    static const struct window_case cases[] = {
        {"whole", 4, {0, 0, 0, 0}, 5.23, .729, 4, false},
        {"terminal at the third", 3, {0, 0, ROW_TERMINAL}, 5.23, 0, 4, false},
        {"terminal at the second", 2, {0, ROW_TERMINAL}, 2.8, 0, 3, false},
        {"truncated at the second", 2, {0, ROW_TRUNCATED}, 2.8, .81, 3, false},
        {"both at the second", 2, {0, ROW_TERMINAL | ROW_TRUNCATED}, 2.8, 0, 3, false},
        {"terminal at the first", 1, {ROW_TERMINAL}, 1, 0, 2, false},
        {"truncated at the first", 1, {ROW_TRUNCATED}, 1, .9, 2, false},
        {"flag at the first", 4, {ROW_FLAG, 0, 0, 0}, 1, .9, 2, false},
        {"flag at the second", 4, {0, ROW_FLAG, 0, 0}, 2.8, .81, 3, false},
        {"the head after two", 2, {0, 0}, 2.8, .81, 3, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct window_case *c = &cases[i];
        struct replay *r = replay_make(1, 1, 64);
        struct drawer d;
        struct batch b;
        commit(r, false, true, 1.0f, 0.0f, 0);
        for (int k = 0; k < c->n_rows; k++) {
            const bool ends = (c->bits[k] & (ROW_TERMINAL | ROW_TRUNCATED)) != 0;
            commit(r, true, !ends, (float)(k + 2), (float)(k + 1), c->bits[k]);
        }
        if (!c->at_head) { /* what follows must not leak in */
            commit(r, atomic_load(&r->seg->open) != 0, true, 50.0f, 100.0f, 0);
        }
        drawer_make(&d, r,
                    &(struct sample_spec){.batch = 64, .n_steps = 3, .seg_len = 1, .gamma = GAMMA});
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        int found = 0;
        for (int k = 0; k < b.n; k++) {
            if (b.s[k] == 1.0f) {
                found++;
                if (fabs((double)b.r[k] - c->r) > 1e-6 || fabs((double)b.g[k] - c->g) > 1e-6 ||
                    (double)b.s2[k] != c->after) {
                    fail_msg("%s: r %g, g %g, then %g", c->name, (double)b.r[k], (double)b.g[k],
                             (double)b.s2[k]);
                }
            }
        }
        assert_true(found > 0);
        drawer_free(&d);
        replay_close(r);
    }
}

/* The three targets that a bootstrap of 10 makes of r = 1, 2, 3. */
static void targets_are_those_of_the_textbook_14_9(void **state)
{
    (void)state;

    static const struct {
        unsigned end;
        double y;
    } cases[] = {{0, 12.52}, {ROW_TERMINAL, 2.8}, {ROW_TRUNCATED, 10.9}};

    for (int i = 0; i < 3; i++) {
        struct replay *r = replay_make(1, 1, 64);
        struct drawer d;
        struct batch b;
        commit(r, false, true, 1.0f, 0.0f, 0);
        commit(r, true, true, 2.0f, 1.0f, 0);
        commit(r, true, cases[i].end == 0, 3.0f, 2.0f, cases[i].end);
        if (cases[i].end == 0) {
            commit(r, true, true, 4.0f, 3.0f, 0);
        }
        drawer_make(&d, r,
                    &(struct sample_spec){.batch = 32, .n_steps = 3, .seg_len = 1, .gamma = GAMMA});
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        for (int k = 0; k < b.n; k++) {
            assert_true(b.s[k] != 1.0f ||
                        fabs((double)b.r[k] + (double)b.g[k] * 10.0 - cases[i].y) < 1e-5);
        }
        drawer_free(&d);
        replay_close(r);
    }
}

/* --- what else a batch holds --- */

static void actions_are_asked_or_applied_as_set(void **state)
{
    (void)state;

    static const struct {
        int action;
        float of_policy, of_random, of_human;
    } cases[] = {
        {REPLAY_ASKED, 1.0f, 1.0f, 1.0f}, /* 2.5, clipped */
        {REPLAY_APPLIED, -0.5f, -0.5f, -0.5f},
        {REPLAY_BY_SOURCE, 1.0f, 1.0f, -0.5f},
    };

    static const uint8_t sources[] = {SOURCE_POLICY, SOURCE_RANDOM, SOURCE_HUMAN};
    const float asked = 2.5f, applied = -0.5f;
    struct replay *r = replay_make(1, 1, 64);
    static struct replay_info info;
    commit(r, false, true, 0.0f, 0.0f, 0);
    for (int k = 0; k < 3; k++) {
        const struct observation o = seen(1, (float)(k + 1));
        replay_commit(r, &(struct period){.closes = true,
                                          .opens = true,
                                          .asked = &asked,
                                          .applied = &applied,
                                          .source = sources[k],
                                          .version = (uint32_t)(10 + k),
                                          .logp = (float)k,
                                          .obs2 = &o});
    }
    for (int i = 0; i < 3; i++) {
        struct drawer d;
        struct batch b;
        drawer_make(
            &d, r,
            &(struct sample_spec){
                .batch = 64, .n_steps = 1, .seg_len = 1, .action = cases[i].action, .logp = true});
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        for (int k = 0; k < b.n; k++) {
            const int row = (int)b.s[k];
            const float want[] = {cases[i].of_policy, cases[i].of_random, cases[i].of_human};
            assert_true(b.a[k] == want[row]);
            assert_int_equal(b.source[k], sources[row]);
            assert_int_equal(b.version[k], 10 + row);
            assert_true(b.logp[k] == (float)row && b.w[k] == 1.0f);
        }
        drawer_free(&d);
    }
    assert_int_equal(replay_info(r, &info), 0);
    assert_int_equal(info.human, 1);
    replay_close(r);
}

/* s and s2 alike: (x - mean) scale, held in +-10; the rows stay raw. */
static void observations_are_normalised_when_gathered(void **state)
{
    (void)state;
    static const float mean[] = {1.0f, 0.0f}, scale[] = {2.0f, 100.0f};
    struct replay *r = replay_make(2, 1, 64);
    struct drawer d;
    struct batch b;
    float raw[2];
    commit(r, false, true, 3.0f, 0.0f, 0);
    commit(r, true, true, -0.05f, 0.0f, 0);
    drawer_make(&d, r,
                &(struct sample_spec){
                    .batch = 4, .n_steps = 1, .seg_len = 1, .obs_mean = mean, .obs_scale = scale});
    assert_true(sampler_draw(d.sampler, &d.rng, &b));
    for (int i = 0; i < b.n; i++) {
        assert_true(b.s[i * 2] == 4.0f && b.s[i * 2 + 1] == 10.0f);
        assert_true(fabsf(b.s2[i * 2] - -2.1f) < 1e-6f && fabsf(b.s2[i * 2 + 1] - -5.0f) < 1e-5f);
    }
    assert_true(replay_row_obs(r, 0, raw) && raw[0] == 3.0f && raw[1] == 3.0f);
    drawer_free(&d);
    replay_close(r);
}

/* Runs of four: consecutive, padded after an end. */
static void segments_are_runs_with_padding(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 64);
    struct drawer d;
    struct batch b;
    commit(r, false, true, 1.0f, 0.0f, 0);
    for (int k = 2; k <= 5; k++) { /* rows 1 .. 5, the fifth ends the episode */
        commit(r, true, true, (float)k, (float)(k - 1), 0);
    }
    commit(r, true, false, 6.0f, 5.0f, ROW_TRUNCATED);
    drawer_make(&d, r,
                &(struct sample_spec){.batch = 256, .n_steps = 1, .seg_len = 4, .gamma = GAMMA});
    assert_true(sampler_draw(d.sampler, &d.rng, &b));
    assert_int_equal(b.seg_len, 4);
    assert_non_null(b.valid);
    int starts[6] = {0};
    for (int i = 0; i < b.n; i += 4) {
        const int from = (int)b.s[i];
        assert_in_range(from, 1, 5);
        starts[from]++;
        for (int k = 0; k < 4; k++) {
            const bool there = from + k <= 5;
            assert_int_equal(b.valid[i + k], there);
            assert_true(b.s[i + k] == (there ? (float)(from + k) : 0.0f));
            assert_true(b.s2[i + k] == (there ? (float)(from + k + 1) : 0.0f));
            assert_int_equal(b.last[i + k], from + k >= 5);
        }
    }
    for (int k = 1; k <= 5; k++) {
        assert_true(starts[k] > 0);
    }
    drawer_free(&d);
    replay_close(r);
}

/* Around the ring: what is held is drawn uniformly, what is gone never. */
static void the_ring_wraps(void **state)
{
    (void)state;

    enum { CAPACITY = 40, ROWS = 1000, DRAWS = 30000 };
    struct replay *r = replay_make(1, 1, CAPACITY);
    static struct replay_info info;
    struct drawer d;
    struct batch b;
    static int count[ROWS + 1];
    float obs;
    commit(r, false, true, 0.0f, 0.0f, 0);
    for (int k = 1; k <= ROWS; k++) {
        commit(r, true, true, (float)k, (float)k, 0);
    }
    assert_int_equal(replay_info(r, &info), 0);
    assert_int_equal(info.head, ROWS);
    assert_in_range(info.rows, CAPACITY / 2, CAPACITY - 1);
    const int first = (int)(info.head - info.rows);
    drawer_make(&d, r,
                &(struct sample_spec){.batch = 10, .n_steps = 3, .seg_len = 1, .gamma = GAMMA});
    for (int t = 0; t < DRAWS / 10; t++) {
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        for (int i = 0; i < b.n; i++) {
            const int row = (int)b.s[i];
            assert_in_range(row, first, ROWS - 1);
            count[row]++;
            const int k = ROWS - row < 3 ? ROWS - row : 3;
            assert_int_equal((int)b.s2[i], row + k);
        }
    }
    const double expected = (double)DRAWS / (double)info.rows;
    double chi2 = 0.0;
    for (int row = first; row < ROWS; row++) {
        chi2 += (count[row] - expected) * (count[row] - expected) / expected;
    }
    const double dof = (double)info.rows - 1.0;
    assert_true(chi2 < dof + 4.0 * sqrt(2.0 * dof));
    assert_false(replay_row_obs(r, first - 1, &obs));
    assert_false(replay_row_obs(r, -1, &obs));
    assert_true(replay_row_obs(r, first, &obs) && obs == (float)first);
    assert_int_equal(replay_verify(r, NULL, 0), 0);
    drawer_free(&d);
    replay_close(r);
}

/* Every row's fate at any small capacity: counts never go below zero. */
static void small_rings_hold_together(void **state)
{
    (void)state;
    for (int64_t capacity = 4; capacity < 300; capacity += capacity < 20 ? 1 : 37) {
        struct replay *r = replay_make(1, 1, capacity);
        static struct replay_info info;
        commit(r, false, true, 0.0f, 0.0f, 0);
        for (int k = 1; k <= 3 * capacity; k++) {
            commit(r, true, k % 5 != 0, (float)k, 0.0f, k % 5 != 0 ? 0 : ROW_TRUNCATED);
            if (k % 5 == 0) {
                commit(r, false, true, (float)k, 0.0f, 0);
            }
            assert_int_equal(replay_info(r, &info), 0);
            assert_true(info.rows >= 1 && info.rows <= capacity);
            assert_int_equal(replay_verify(r, NULL, 0), 0);
        }
        replay_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_opened_then_closed_then_counted),
        cmocka_unit_test(an_episode_ends_with_a_final_row),
        cmocka_unit_test(nothing_is_drawn_from_nothing),
        cmocka_unit_test(windows_stop_where_they_must),
        cmocka_unit_test(targets_are_those_of_the_textbook_14_9),
        cmocka_unit_test(actions_are_asked_or_applied_as_set),
        cmocka_unit_test(observations_are_normalised_when_gathered),
        cmocka_unit_test(segments_are_runs_with_padding),
        cmocka_unit_test(the_ring_wraps),
        cmocka_unit_test(small_rings_hold_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
