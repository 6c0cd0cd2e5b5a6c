/*
 * Batches of two replays: which lines are whose, every column of them, and in which order they are
 * drawn; which prior data are refused, and why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/replay_mix.h"
#include "tests/unit/replay_fixture.h"

#include <errno.h>

#define N_OBS 3
#define ROWS  40
#define PRIOR 1000.0f /* prior data begin at this number, the robot's own at 0 */

/* Row v: its observation is v all over, and so is everything else that it says, in its own way. */
static void put(struct replay *r, float v, bool first)
{
    const bool prior = v >= PRIOR;
    const struct observation o = seen(N_OBS, v);
    const float asked[1] = {(v - 1.0f) / 4096.0f};
    const struct period p = {.closes = !first,
                             .opens = true,
                             .asked = asked,
                             .applied = asked,
                             .reward = 2.0f * (v - 1.0f),
                             .logp = -(v - 1.0f),
                             .dt_s = 0.05f,
                             .source = prior ? SOURCE_HUMAN : SOURCE_POLICY,
                             .version = prior ? 9 : 3,
                             .obs2 = &o};
    replay_commit(r, &p);
}

static struct replay *filled(float from)
{
    struct replay *r = replay_make(N_OBS, 1, 64);
    for (int k = 0; k <= ROWS; k++) {
        put(r, from + (float)k, k == 0);
    }
    return r;
}

static void shares_are_exact_and_spread(void **state)
{
    (void)state;
    assert_int_equal(mix_prior_rows(0.5, 256), 128);
    assert_int_equal(mix_prior_rows(0.25, 100), 25);
    assert_int_equal(mix_prior_rows(0.001, 100), 0);
    assert_int_equal(mix_prior_rows(1.0, 8), 8);
    for (int n = 2; n <= 64; n++) {
        for (int n_prior = 1; n_prior < n; n_prior++) {
            int so_far = 0;
            for (int i = 0; i < n; i++) {
                so_far += mix_is_prior(i, n, n_prior);
                assert_int_equal(so_far, (i + 1) * n_prior / n);
            }
        }
    }
    for (int i = 0; i < 256; i++) { /* a half: own, prior, own, prior */
        assert_int_equal(mix_is_prior(i, 256, 128), i % 2);
    }
}

static struct mix *mix_make(struct drawer *ret_drawer, const struct replay *own,
                            const struct replay *prior, const struct sample_spec *spec, int n_prior)
{
    assert_int_equal(arena_open(&ret_drawer->mem, "mix", (size_t)16 << 20), 0);
    rng_seed(&ret_drawer->rng, 5);
    return mix_init(own, prior, spec, n_prior, &ret_drawer->mem);
}

static void check_line(const struct batch *b, int i, bool prior)
{
    const float v = b->s[i * N_OBS];
    const bool last = v == (prior ? PRIOR : 0.0f) + ROWS - 1.0f; /* before the open row */
    assert_true(prior ? v >= PRIOR && v < PRIOR + ROWS : v >= 0.0f && v < ROWS);
    for (int k = 0; k < N_OBS; k++) {
        assert_true(b->s[i * N_OBS + k] == v);
        assert_true(b->s2[i * N_OBS + k] == v + 1.0f);
    }
    assert_true(b->a[i] == v / 4096.0f);
    assert_true(b->r[i] == 2.0f * v);
    assert_true(b->g[i] == (float)GAMMA);
    assert_true(b->w[i] == 1.0f);
    assert_true(b->logp[i] == -v);
    assert_int_equal(b->legal[i], (uint64_t)v);
    assert_int_equal(b->legal2[i], (uint64_t)v + 1);
    assert_int_equal(b->last[i], last);
    assert_int_equal(b->source[i], prior ? SOURCE_HUMAN : SOURCE_POLICY);
    assert_int_equal(b->version[i], prior ? 9 : 3);
}

static void each_line_is_one_row_of_its_replay(void **state)
{
    (void)state;
    static const int n_priors[] = {1, 8, 5, 15};
    struct replay *own = filled(0.0f), *prior = filled(PRIOR);
    const struct sample_spec spec = {
        .batch = 16, .n_steps = 1, .seg_len = 1, .gamma = GAMMA, .logp = true};
    for (int t = 0; t < 4; t++) {
        struct drawer d;
        struct batch b;
        struct mix *z = mix_make(&d, own, prior, &spec, n_priors[t]);
        for (int draw = 0; draw < 100; draw++) {
            int n_prior = 0;
            assert_true(mix_draw(z, &d.rng, &b));
            assert_int_equal(b.n, 16);
            assert_int_equal(b.seg_len, 1);
            assert_null(b.a2);
            assert_null(b.valid);
            assert_null(b.ret_td);
            for (int i = 0; i < b.n; i++) {
                n_prior += b.s[i * N_OBS] >= PRIOR;
                check_line(&b, i, mix_is_prior(i, b.n, n_priors[t]));
            }
            assert_int_equal(n_prior, n_priors[t]);
        }
        arena_close(&d.mem);
    }
    replay_close(own);
    replay_close(prior);
}

/* Own rows first, then the prior's, each as a sampler of that replay alone draws them. */
static void the_order_of_draws_is_fixed(void **state)
{
    (void)state;
    struct replay *own = filled(0.0f), *prior = filled(PRIOR);
    const struct sample_spec whole = {
        .batch = 12, .n_steps = 2, .seg_len = 1, .gamma = GAMMA, .next_action = true};
    struct sample_spec half = whole;
    half.batch = 6;
    struct drawer d, alone[2];
    struct mix *z = mix_make(&d, own, prior, &whole, 6);
    drawer_make(&alone[0], own, &half);
    drawer_make(&alone[1], prior, &half);
    for (int draw = 0; draw < 50; draw++) {
        struct batch b, half_of[2];
        assert_true(mix_draw(z, &d.rng, &b));
        assert_true(sampler_draw(alone[0].sampler, &alone[0].rng, &half_of[0]));
        assert_true(sampler_draw(alone[1].sampler, &alone[0].rng, &half_of[1]));
        for (int i = 0; i < b.n; i++) {
            const struct batch *from = &half_of[i % 2];
            assert_true(b.s[i * N_OBS] == from->s[i / 2 * N_OBS]);
            assert_true(b.r[i] == from->r[i / 2] && b.g[i] == from->g[i / 2]);
            assert_true(b.a2[i] == from->a2[i / 2]);
        }
    }
    drawer_free(&alone[0]);
    drawer_free(&alone[1]);
    arena_close(&d.mem);
    replay_close(own);
    replay_close(prior);
}

static void without_a_row_of_its_own_there_is_no_batch(void **state)
{
    (void)state;
    struct replay *own = replay_make(N_OBS, 1, 64), *prior = filled(PRIOR);
    const struct sample_spec spec = {.batch = 4, .n_steps = 1, .seg_len = 1, .gamma = GAMMA};
    struct drawer d;
    struct batch b;
    struct mix *z = mix_make(&d, own, prior, &spec, 2);
    assert_false(mix_draw(z, &d.rng, &b));
    put(own, 0.0f, true);
    assert_false(mix_draw(z, &d.rng, &b));
    put(own, 1.0f, false);
    assert_true(mix_draw(z, &d.rng, &b));
    arena_close(&d.mem);
    replay_close(own);
    replay_close(prior);
}

/* Pictures lie behind the numbers, and move with them. */
static void pictures_come_along(void **state)
{
    (void)state;
    struct replay *r[2];
    const struct replay_spec of = {
        .capacity = 16, .n_obs = 1, .n_act = 1, .picture = {2, 2, 1}, .policy_rate_hz = 20.0};
    for (int k = 0; k < 2; k++) {
        const uint8_t picture[4] = {51, 102, (uint8_t)(k * 255), 0};
        const float act[1] = {0.0f};
        const struct observation o = seen(1, (float)k);
        struct period p = {
            .opens = true, .asked = act, .applied = act, .obs2 = &o, .picture2 = picture};
        assert_int_equal(replay_create(&r[k], &of, NULL, 0), 0);
        replay_commit(r[k], &p);
        p.closes = true;
        replay_commit(r[k], &p);
    }
    const struct sample_spec spec = {
        .batch = 4, .n_steps = 1, .seg_len = 1, .history = 2, .gamma = GAMMA};
    struct drawer d;
    struct batch b;
    struct mix *z = mix_make(&d, r[0], r[1], &spec, 2);
    assert_true(mix_draw(z, &d.rng, &b));
    for (int i = 0; i < 4; i++) {
        const float *s = b.s + (ptrdiff_t)i * (1 + 2 * 4);
        assert_true(s[0] == (float)(i % 2));
        for (int k = 0; k < 2; k++) {
            assert_true(fabsf(s[1 + 4 * k] - 0.2f) < 1e-6f);
            assert_true(s[3 + 4 * k] == (float)(i % 2));
        }
    }
    arena_close(&d.mem);
    replay_close(r[0]);
    replay_close(r[1]);
}

/* --- what is refused --- */

static void refused(const struct replay *prior, const struct replay *own, int n_choices, int code,
                    const char *words)
{
    char reason[WHY_CHARS] = "";
    assert_int_equal(mix_check(prior, own, n_choices, reason, sizeof reason), code);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
}

static void data_of_another_robot_are_refused(void **state)
{
    (void)state;
    const struct replay_spec base = {.capacity = 64,
                                     .n_obs = N_OBS,
                                     .n_act = 1,
                                     .has_legal = true,
                                     .policy_rate_hz = 20.0,
                                     .schema_hash = 99};
    struct replay *own = filled(0.0f);
    const char *words[] = {"observations", "actions",      "actions",
                           "pictures",     "policy rates", "slots"};
    for (int i = 0; i < 6; i++) {
        struct replay_spec spec = base;
        struct replay *other = NULL;
        spec.n_obs += i == 0;
        spec.n_act += i == 1;
        spec.has_legal = i != 2;
        spec.picture = i == 3 ? (struct picture_spec){2, 2, 1} : spec.picture;
        spec.policy_rate_hz += i == 4;
        spec.schema_hash += i == 5;
        assert_int_equal(replay_create(&other, &spec, NULL, 0), 0);
        refused(other, own, 0, -EPROTO, words[i]);
        replay_close(other);
    }
    replay_close(own);
}

static void damaged_rows_are_refused(void **state)
{
    (void)state;
    char reason[WHY_CHARS] = "";
    struct replay *own = filled(0.0f), *empty = replay_make(N_OBS, 1, 64);
    refused(empty, own, 0, -EBADMSG, "not one transition");
    for (int i = 0; i < 5; i++) {
        struct replay *p = filled(PRIOR);
        assert_int_equal(mix_check(p, own, 0, reason, sizeof reason), ROWS);
        _Atomic uint32_t *tail = segment_row(p, 7) + p->at_tail;
        if (i == 0) {
            float_put(&segment_row(p, 7)[1], NAN);
        } else if (i == 1) {
            float_put(&tail[ROW_R], INFINITY);
        } else if (i == 2) { /* an episode that goes on behind its end */
            word_put(&tail[ROW_META], word_get(&tail[ROW_META]) | ROW_TERMINAL);
        } else if (i == 3) { /* the last row's successor */
            float_put(&segment_row(p, ROWS)[0], NAN);
        } else {
            atomic_store(&p->seg->open, 0);
        }
        refused(p, own, 0, -EBADMSG, "damaged");
        replay_close(p);
    }
    replay_close(empty);
    replay_close(own);
}

/* An index beyond the choices would be read behind the network's values. */
static void choices_that_are_none_are_refused(void **state)
{
    (void)state;
    static const float wrong[] = {4.0f, -1.0f, 1.5f, 1e30f};
    char reason[WHY_CHARS] = "";
    struct replay *r = filled(0.0f);
    for (int k = 0; k < ROWS; k++) {
        float_put(&segment_row(r, k)[N_OBS], (float)(k % 4));
        float_put(&segment_row(r, k)[N_OBS + 1], (float)(k % 4));
    }
    assert_int_equal(mix_check(r, r, 4, reason, sizeof reason), ROWS);
    for (int i = 0; i < 4; i++) {
        float_put(&segment_row(r, 9)[N_OBS + i % 2], wrong[i]); /* asked, or applied */
        refused(r, r, 4, -EBADMSG, "row 9 decides");
        float_put(&segment_row(r, 9)[N_OBS + i % 2], 1.0f);
    }
    replay_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_exact_and_spread),
        cmocka_unit_test(each_line_is_one_row_of_its_replay),
        cmocka_unit_test(the_order_of_draws_is_fixed),
        cmocka_unit_test(without_a_row_of_its_own_there_is_no_batch),
        cmocka_unit_test(pictures_come_along),
        cmocka_unit_test(data_of_another_robot_are_refused),
        cmocka_unit_test(damaged_rows_are_refused),
        cmocka_unit_test(choices_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
