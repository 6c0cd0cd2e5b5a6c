/*
 * Batches that are more than single rows drawn at random: the action of the next row, the newest
 * rows in order, each row once, passes over all of them. Hand-made replays, values by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/replay_newest.h"
#include "policies/replay_once.h"
#include "policies/replay_sweep.h"
#include "tests/unit/replay_fixture.h"

/* A period of a replay with one observation, whose value is the row it opens, and one action. */
struct act {
    float asked, applied;
    unsigned bits; /* enum row_bits */
    bool ends;
    uint8_t source;
    uint32_t version;
    float logp;
};

static void close_row_of(struct replay *r, struct act a)
{
    const struct observation o = seen(r->n_obs, (float)replay_head(r) + 1.0f);
    replay_commit(r, &(struct period){.closes = true,
                                      .opens = !a.ends,
                                      .asked = &a.asked,
                                      .applied = &a.applied,
                                      .reward = 1.0f,
                                      .logp = a.logp,
                                      .bits = (uint8_t)a.bits,
                                      .source = a.source,
                                      .version = a.version,
                                      .obs2 = &o});
}

/* The first row of an episode. */
static void open_row_of(struct replay *r)
{
    const struct observation o = seen(r->n_obs, (float)replay_head(r));
    replay_commit(r, &(struct period){.opens = true, .obs2 = &o});
}

static void by_policy(struct replay *r, int n, uint32_t version)
{
    for (int i = 0; i < n; i++) {
        close_row_of(r, (struct act){.source = SOURCE_POLICY, .version = version, .logp = -1.0f});
    }
}

/* --- the action of the next row --- */

/* Rows 0 1 2 F | 4 5 F | 7 8(flag) 9 10...: 2 ends terminal, 5 by a clock, 8 has a flag, 10 is the
 * newest that is closed. */
static struct replay *episodes(void)
{
    struct replay *r = replay_make(1, 1, 64);
    open_row_of(r);
    close_row_of(r, (struct act){.asked = 0.1f, .applied = 0.2f, .source = SOURCE_POLICY});
    close_row_of(r, (struct act){.asked = 0.3f, .applied = 0.4f, .source = SOURCE_HUMAN});
    close_row_of(
        r,
        (struct act){.asked = 3.0f, .source = SOURCE_POLICY, .bits = ROW_TERMINAL, .ends = true});
    open_row_of(r);
    close_row_of(r, (struct act){.asked = 0.5f, .source = SOURCE_POLICY});
    close_row_of(
        r,
        (struct act){.asked = 0.6f, .source = SOURCE_POLICY, .bits = ROW_TRUNCATED, .ends = true});
    open_row_of(r);
    close_row_of(r, (struct act){.asked = 0.7f, .source = SOURCE_POLICY});
    close_row_of(r, (struct act){.asked = 0.8f, .source = SOURCE_POLICY, .bits = ROW_FLAG});
    close_row_of(r, (struct act){.asked = 0.9f, .source = SOURCE_POLICY});
    close_row_of(r, (struct act){.asked = -0.9f, .source = SOURCE_POLICY});
    assert_int_equal(replay_head(r), 11);
    return r;
}

static void the_next_action_is_the_next_rows(void **state)
{
    (void)state;
    /* a2 of each row under the rule by_source; NAN: no start */
    const float want[] = {0.4f, 1.0f, 0.0f, NAN, 0.6f, NAN, NAN, 0.8f, NAN, -0.9f, NAN};
    struct replay *r = episodes();
    struct drawer d;
    struct batch b;
    int met[11] = {0};
    drawer_make(&d, r,
                &(struct sample_spec){.batch = 64,
                                      .n_steps = 1,
                                      .seg_len = 1,
                                      .gamma = GAMMA,
                                      .action = REPLAY_BY_SOURCE,
                                      .next_action = true});
    for (int t = 0; t < 20; t++) {
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        assert_null(b.logp); /* nobody asked */
        for (int i = 0; i < b.n; i++) {
            const int row = (int)b.s[i];
            assert_true(b.a2[i] == want[row]); /* NAN equals nothing */
            assert_true(b.g[i] == (row == 2 ? 0.0f : (float)GAMMA));
            met[row]++;
        }
    }
    for (int row = 0; row < 11; row++) {
        assert_int_equal(met[row] > 0, !isnan(want[row]));
    }
    drawer_free(&d);
    replay_close(r);
}

/* After a window of two rows it is the action of the third. */
static void a_window_looks_further(void **state)
{
    (void)state;
    const float want[] = {1.0f, 0.0f, 0.0f, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct replay *r = episodes();
    struct drawer d;
    struct batch b;
    drawer_make(&d, r,
                &(struct sample_spec){.batch = 64,
                                      .n_steps = 2,
                                      .seg_len = 1,
                                      .gamma = GAMMA,
                                      .action = REPLAY_BY_SOURCE,
                                      .next_action = true});
    assert_true(sampler_draw(d.sampler, &d.rng, &b));
    for (int i = 0; i < b.n; i++) {
        assert_true(b.a2[i] == want[(int)b.s[i]]);
    }
    drawer_free(&d);
    replay_close(r);
}

static void a_choice_is_not_clipped(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 64);
    struct drawer d;
    struct batch b;
    open_row_of(r);
    for (int i = 0; i < 10; i++) {
        close_row_of(r, (struct act){.asked = (float)i, .source = SOURCE_POLICY});
    }
    for (int choices = 0; choices < 2; choices++) {
        drawer_make(&d, r,
                    &(struct sample_spec){.batch = 64,
                                          .n_steps = 1,
                                          .seg_len = 1,
                                          .as_asked = choices == 1,
                                          .next_action = true});
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        for (int i = 0; i < b.n; i++) {
            const float row = b.s[i];
            assert_true(b.a[i] == (choices == 1 ? row : fminf(row, 1.0f)));
            assert_true(b.a2[i] == (choices == 1 ? row + 1.0f : 1.0f));
        }
        drawer_free(&d);
    }
    replay_close(r);
}

/* --- the newest rows in order --- */

struct reader {
    struct arena mem;
    struct sampler *sampler;
    struct newest *newest;
    struct sweep *sweep;
};

static void reader_make(struct reader *ret_reader, const struct replay *r, int batch, bool runs)
{
    const struct sample_spec spec = {
        .batch = batch, .n_steps = 1, .seg_len = runs ? batch : 1, .gamma = GAMMA, .logp = true};
    assert_int_equal(arena_open(&ret_reader->mem, "reader", (size_t)1 << 20), 0);
    ret_reader->sampler = sampler_init(r, &spec, &ret_reader->mem);
    ret_reader->newest = newest_init(r, ret_reader->sampler, batch, true, &ret_reader->mem);
    ret_reader->sweep = sweep_init(r, ret_reader->sampler, batch, &ret_reader->mem);
}

static void assert_rows(const struct batch *b, const int *rows, const int *last, int n)
{
    for (int i = 0; i < n; i++) {
        if ((int)b->s[i] != rows[i] || b->last[i] != last[i] || b->valid[i] != 1) {
            fail_msg("line %d: row %d, last %d; wanted %d, %d", i, (int)b->s[i], b->last[i],
                     rows[i], last[i]);
        }
        assert_true(b->s2[i] == b->s[i] + 1.0f);
    }
}

static void the_newest_come_in_order_and_once(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 256);
    struct reader z;
    struct batch b;
    reader_make(&z, r, 6, true);
    open_row_of(r);
    by_policy(r, 2, 7);
    close_row_of(r, (struct act){.source = SOURCE_POLICY,
                                 .version = 7,
                                 .logp = -2.0f,
                                 .bits = ROW_TERMINAL,
                                 .ends = true}); /* row 2, and a final row 3 */
    open_row_of(r);
    by_policy(r, 2, 7);
    assert_false(newest_take(z.newest, 7, &b)); /* five of six */
    by_policy(r, 1, 7);
    assert_true(newest_take(z.newest, 7, &b));
    assert_int_equal(b.n, 6);
    assert_int_equal(b.seg_len, 6);
    assert_rows(&b, (const int[]){0, 1, 2, 4, 5, 6}, (const int[]){0, 0, 1, 0, 0, 1}, 6);
    assert_true(b.logp[2] == -2.0f && b.logp[3] == -1.0f);
    assert_true(b.g[2] == 0.0f && b.g[5] == (float)GAMMA); /* an edge is no end */
    assert_false(newest_take(z.newest, 7, &b));
    assert_int_equal(newest_dropped(z.newest), 0);

    /* the version after: what is still of the one before is dropped and counted */
    by_policy(r, 2, 7);
    by_policy(r, 5, 8);
    assert_false(newest_take(z.newest, 8, &b));
    assert_int_equal(newest_dropped(z.newest), 2);
    close_row_of(r, (struct act){.source = SOURCE_HUMAN, .version = 8, .logp = -1.0f});
    close_row_of(r, (struct act){.source = SOURCE_POLICY, .version = 8, .logp = NAN});
    by_policy(r, 3, 8);
    assert_true(newest_take(z.newest, 8, &b));
    assert_rows(&b, (const int[]){9, 10, 11, 12, 13, 16}, (const int[]){0, 0, 0, 0, 1, 1}, 6);
    assert_int_equal(newest_dropped(z.newest), 4);
    arena_close(&z.mem);
    replay_close(r);
}

/* A version that nobody acts by is published again; one that is acted by is not. */
static void a_version_may_not_have_arrived(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 256);
    struct reader z;
    struct batch b;
    reader_make(&z, r, 4, true);
    open_row_of(r);
    by_policy(r, 3, 1);
    assert_false(newest_take(z.newest, 2, &b));
    assert_false(newest_is_unheard(z.newest, 2));
    by_policy(r, 1, 1);
    assert_false(newest_take(z.newest, 2, &b));
    assert_true(newest_is_unheard(z.newest, 2));
    assert_false(newest_is_unheard(z.newest, 3)); /* just out */
    by_policy(r, 1, 2);
    assert_false(newest_take(z.newest, 2, &b));
    assert_false(newest_is_unheard(z.newest, 2));
    arena_close(&z.mem);
    replay_close(r);
}

/* Where a batch is one row: the row on its way when a version came out is no sign of its loss. */
static void a_row_on_its_way_is_no_loss(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 256);
    struct reader z;
    struct batch b;
    reader_make(&z, r, 1, false);
    open_row_of(r);
    by_policy(r, 1, 1);
    assert_false(newest_take(z.newest, 2, &b));
    assert_false(newest_is_unheard(z.newest, 2));
    by_policy(r, 1, 2);
    assert_true(newest_take(z.newest, 2, &b));
    by_policy(r, 4, 2);
    assert_false(newest_take(z.newest, 3, &b));
    assert_true(newest_is_unheard(z.newest, 3));
    arena_close(&z.mem);
    replay_close(r);
}

/* A learner that slept while the ring turned begins with what is there. */
static void what_was_overwritten_is_dropped(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 40); /* its first 8 rows at the old end are left alone */
    struct reader z;
    struct batch b;
    reader_make(&z, r, 8, true);
    open_row_of(r);
    by_policy(r, 5, 1);
    assert_false(newest_take(z.newest, 1, &b));
    by_policy(r, 95, 1);
    const int first = 100 - 40 + 2 + 10;
    assert_true(newest_take(z.newest, 1, &b));
    assert_true((int)b.s[0] == first && (int)b.s[7] == first + 7);
    assert_int_equal(newest_dropped(z.newest), first); /* 5 chosen, 67 never seen */
    arena_close(&z.mem);
    replay_close(r);
}

static void copy_tensors(const struct tensor *from, const struct tensor *to, int n)
{
    for (int i = 0; i < n; i++) {
        assert_string_equal(from[i].name, to[i].name);
        assert_int_equal(from[i].type, TENSOR_I64);
        memcpy(to[i].data, from[i].data, (size_t)from[i].dim[0] * sizeof(int64_t));
    }
}

/* In the middle of a batch; and of a pass. */
static void readers_go_on_from_their_state(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 256);
    struct reader x, y;
    struct batch b, c;
    struct tensor from[NEWEST_TENSORS], to[NEWEST_TENSORS];
    reader_make(&x, r, 8, true);
    reader_make(&y, r, 8, true);
    open_row_of(r);
    by_policy(r, 3, 6);
    by_policy(r, 5, 7);
    assert_false(newest_take(x.newest, 7, &b));
    assert_int_equal(newest_tensors(x.newest, from, NEWEST_TENSORS), NEWEST_TENSORS);
    assert_int_equal(newest_tensors(y.newest, to, NEWEST_TENSORS), NEWEST_TENSORS);
    copy_tensors(from, to, NEWEST_TENSORS);
    newest_restored(y.newest);
    by_policy(r, 4, 7);
    assert_true(newest_take(x.newest, 7, &b));
    assert_true(newest_take(y.newest, 7, &c));
    assert_memory_equal(b.s, c.s, 8 * sizeof(float));
    assert_true(b.s[0] == 3.0f);
    assert_int_equal(newest_dropped(x.newest), newest_dropped(y.newest));

    /* of a replay that was lost */
    struct replay *empty = replay_make(1, 1, 256);
    struct reader w;
    reader_make(&w, empty, 8, true);
    assert_int_equal(newest_tensors(w.newest, to, NEWEST_TENSORS), NEWEST_TENSORS);
    copy_tensors(from, to, NEWEST_TENSORS);
    newest_restored(w.newest);
    open_row_of(empty);
    by_policy(empty, 8, 7);
    assert_true(newest_take(w.newest, 7, &b));
    assert_true(b.s[0] == 0.0f);
    arena_close(&w.mem);
    replay_close(empty);
    arena_close(&x.mem);
    arena_close(&y.mem);
    replay_close(r);
}

/* --- each row once --- */

struct once_reader {
    struct arena mem;
    struct once *once;
};

static void once_make(struct once_reader *ret_reader, const struct replay *r, int batch,
                      bool next_action)
{
    const struct sample_spec spec = {.batch = batch,
                                     .n_steps = 1,
                                     .seg_len = 1,
                                     .gamma = GAMMA,
                                     .action = REPLAY_BY_SOURCE,
                                     .next_action = next_action};
    assert_int_equal(arena_open(&ret_reader->mem, "once", (size_t)1 << 20), 0);
    ret_reader->once =
        once_init(r, sampler_init(r, &spec, &ret_reader->mem), batch, &ret_reader->mem);
}

static void assert_takes(struct once_reader *z, const int *rows, int n)
{
    struct batch b;
    for (int i = 0; i < n; i++) {
        assert_true(once_take(z->once, &b));
        assert_int_equal((int)b.s[0], rows[i]);
        assert_int_equal(b.valid[0], 1);
    }
    assert_false(once_take(z->once, &b)); /* and no row again */
}

/* Whoever drove, and whatever weights. */
static void each_row_comes_once_in_order(void **state)
{
    (void)state;
    static const int rows[] = {0, 1, 2, 4, 5, 7, 8, 9, 10}, more[] = {11, 12};
    struct replay *r = episodes();
    struct once_reader z;
    once_make(&z, r, 1, false);
    assert_takes(&z, rows, 9);
    by_policy(r, 2, 3);
    assert_takes(&z, more, 2);
    assert_int_equal(once_dropped(z.once), 0);
    arena_close(&z.mem);
    replay_close(r);
}

/* A row waits for its next action, unless there will be none. */
static void a_row_waits_for_its_next_action(void **state)
{
    (void)state;
    static const int rows[] = {0, 1, 2, 4, 7, 9}, more[] = {10};
    struct replay *r = episodes();
    struct once_reader z;
    once_make(&z, r, 1, true);
    assert_takes(&z, rows, 6);
    by_policy(r, 1, 3);
    assert_takes(&z, more, 1);
    arena_close(&z.mem);
    replay_close(r);
}

static void a_batch_waits_until_it_is_full(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 40);
    struct once_reader z;
    struct batch b;
    once_make(&z, r, 4, false);
    open_row_of(r);
    by_policy(r, 3, 1);
    assert_false(once_take(z.once, &b));
    by_policy(r, 2, 1);
    assert_true(once_take(z.once, &b));
    assert_true(b.s[0] == 0.0f && b.s[3] == 3.0f);
    assert_false(once_take(z.once, &b)); /* row 4 is alone */
    by_policy(r, 95, 1);
    const int first = 100 - 40 + 2 + 10;
    assert_true(once_take(z.once, &b)); /* what the ring has overwritten is dropped */
    assert_true((int)b.s[0] == first);
    assert_int_equal(once_dropped(z.once), first - 4);
    arena_close(&z.mem);
    replay_close(r);
}

/* Out of a checkpoint, also one whose replay was lost. */
static void who_takes_each_once_goes_on(void **state)
{
    (void)state;
    static const int rest[] = {2, 4, 5, 7, 8, 9, 10};
    struct replay *r = episodes(), *empty = replay_make(1, 1, 64);
    struct once_reader x, y, w;
    struct tensor from[ONCE_TENSORS], to[ONCE_TENSORS];
    struct batch b;
    once_make(&x, r, 2, false);
    once_make(&y, r, 1, false);
    once_make(&w, empty, 1, false);
    assert_true(once_take(x.once, &b));
    assert_int_equal(once_tensors(x.once, from, ONCE_TENSORS), ONCE_TENSORS);
    assert_int_equal(once_tensors(y.once, to, ONCE_TENSORS), ONCE_TENSORS);
    copy_tensors(from, to, ONCE_TENSORS);
    once_restored(y.once);
    assert_takes(&y, rest, 7);
    assert_int_equal(once_tensors(w.once, to, ONCE_TENSORS), ONCE_TENSORS);
    copy_tensors(from, to, ONCE_TENSORS);
    once_restored(w.once);
    open_row_of(empty);
    by_policy(empty, 1, 1);
    assert_takes(&w, (const int[]){0}, 1);
    arena_close(&x.mem);
    arena_close(&y.mem);
    arena_close(&w.mem);
    replay_close(empty);
    replay_close(r);
}

/* --- passes over all rows --- */

static void a_pass_has_every_row_once_and_says_its_end(void **state)
{
    (void)state;
    struct replay *r = episodes(); /* starts 0 1 2 4 5 7 8 9 10 */
    struct reader z;
    struct batch b;
    reader_make(&z, r, 4, false);
    for (int pass = 0; pass < 2; pass++) {
        assert_true(sweep_begins(z.sweep));
        assert_true(sweep_next(z.sweep, &b));
        assert_false(b.sweep_end);
        assert_false(sweep_begins(z.sweep));
        assert_int_equal(b.seg_len, 1);
        assert_true(b.s[0] == 0.0f && b.s[1] == 1.0f && b.s[2] == 2.0f && b.s[3] == 4.0f);
        assert_true(b.g[2] == 0.0f && b.g[3] == (float)GAMMA);
        assert_true(sweep_next(z.sweep, &b));
        assert_false(b.sweep_end);
        assert_true(b.s[0] == 5.0f && b.s[1] == 7.0f && b.s[2] == 8.0f && b.s[3] == 9.0f);
        assert_true(sweep_next(z.sweep, &b));
        assert_true(b.sweep_end && b.s[0] == 10.0f && b.valid[0] == 1);
        for (int i = 1; i < 4; i++) {
            assert_true(b.valid[i] == 0 && b.s[i] == 0.0f && b.g[i] == 0.0f);
        }
    }
    arena_close(&z.mem);
    replay_close(r);
}

/* A full last batch is the last; rows that come meanwhile belong to the next pass. */
static void a_pass_ends_where_it_was_to_end(void **state)
{
    (void)state;
    struct replay *r = replay_make(1, 1, 64);
    struct reader x, y;
    struct batch b;
    struct tensor from[SWEEP_TENSORS], to[SWEEP_TENSORS];
    reader_make(&x, r, 3, false);
    reader_make(&y, r, 3, false);
    assert_false(sweep_next(x.sweep, &b)); /* nothing there */
    open_row_of(r);
    assert_false(sweep_next(x.sweep, &b));
    by_policy(r, 6, 1);
    assert_true(sweep_next(x.sweep, &b));
    assert_false(b.sweep_end);
    by_policy(r, 2, 1);
    assert_int_equal(sweep_tensors(x.sweep, from, SWEEP_TENSORS), SWEEP_TENSORS);
    assert_int_equal(sweep_tensors(y.sweep, to, SWEEP_TENSORS), SWEEP_TENSORS);
    copy_tensors(from, to, SWEEP_TENSORS);
    sweep_restored(y.sweep); /* in the middle: the other one goes on alike */
    for (int i = 0; i < 2; i++) {
        assert_true(sweep_next(i == 0 ? x.sweep : y.sweep, &b));
        assert_true(b.sweep_end && b.s[0] == 3.0f && b.s[2] == 5.0f && b.valid[2] == 1);
    }
    assert_true(sweep_next(x.sweep, &b));
    assert_true(sweep_next(x.sweep, &b));
    assert_false(b.sweep_end);
    assert_true(sweep_next(x.sweep, &b));
    assert_true(b.sweep_end && b.s[0] == 6.0f && b.s[1] == 7.0f && b.valid[2] == 0);
    arena_close(&x.mem);
    arena_close(&y.mem);
    replay_close(r);
}

/* Whose successor's action is wanted and not known is left out, at the end of the pass too. */
static void a_pass_with_next_actions(void **state)
{
    (void)state;
    struct replay *r = episodes(); /* starts with a known next action: 0 1 2 4 7 9 */
    struct arena mem;
    struct batch b;
    assert_int_equal(arena_open(&mem, "reader", (size_t)1 << 20), 0);
    struct sampler *s = sampler_init(r,
                                     &(struct sample_spec){.batch = 3,
                                                           .n_steps = 1,
                                                           .seg_len = 1,
                                                           .gamma = GAMMA,
                                                           .action = REPLAY_BY_SOURCE,
                                                           .next_action = true},
                                     &mem);
    struct sweep *z = sweep_init(r, s, 3, &mem);
    assert_true(sweep_next(z, &b));
    assert_true(!b.sweep_end && b.s[2] == 2.0f && b.a2[2] == 0.0f);
    assert_true(sweep_next(z, &b));
    assert_true(b.sweep_end && b.s[0] == 4.0f && b.s[1] == 7.0f && b.s[2] == 9.0f);
    assert_true(b.a2[2] == -0.9f && b.valid[2] == 1);
    arena_close(&mem);
    replay_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_action_is_the_next_rows),
        cmocka_unit_test(a_window_looks_further),
        cmocka_unit_test(a_choice_is_not_clipped),
        cmocka_unit_test(the_newest_come_in_order_and_once),
        cmocka_unit_test(a_version_may_not_have_arrived),
        cmocka_unit_test(a_row_on_its_way_is_no_loss),
        cmocka_unit_test(what_was_overwritten_is_dropped),
        cmocka_unit_test(readers_go_on_from_their_state),
        cmocka_unit_test(each_row_comes_once_in_order),
        cmocka_unit_test(a_row_waits_for_its_next_action),
        cmocka_unit_test(a_batch_waits_until_it_is_full),
        cmocka_unit_test(who_takes_each_once_goes_on),
        cmocka_unit_test(a_pass_has_every_row_once_and_says_its_end),
        cmocka_unit_test(a_pass_ends_where_it_was_to_end),
        cmocka_unit_test(a_pass_with_next_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
