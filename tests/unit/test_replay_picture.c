/*
 * Pictures in the replay: bytes come back as parts of 1, a history never reaches into another
 * episode, around the ring and at its edge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/replay.h"

#include <math.h>
#include <string.h>

#define PIXELS  6 /* no multiple of four: a word is not full */
#define HISTORY 3
#define WIDTH   (1 + HISTORY * PIXELS)
#define BATCH   64

/* Every byte of picture t is t, but for its last, which is 255. */
static const uint8_t *picture(int t)
{
    static uint8_t v[PIXELS];
    memset(v, t, sizeof v);
    v[PIXELS - 1] = 255;
    return v;
}

static struct replay *replay_of(int64_t capacity)
{
    struct replay *r = NULL;
    char reason[WHY_CHARS];
    const struct replay_spec spec = {
        .run_id = 1, .capacity = capacity, .n_obs = 1, .n_act = 1, .picture = {2, 3, 1}};
    if (replay_create(&r, &spec, reason, sizeof reason) != 0) {
        fail_msg("%s", reason);
    }
    return r;
}

/* One episode of `steps`, its observations t, t + 1, ... */
static void episode(struct replay *r, int t, int steps)
{
    static const float act[1] = {0.5f};
    for (int k = 0; k <= steps; k++) {
        const struct observation obs = {.n = 1, .v = {(float)(t + k)}};
        const struct period p = {.closes = k > 0,
                                 .opens = k < steps,
                                 .asked = act,
                                 .applied = act,
                                 .reward = (float)k,
                                 .bits = k == steps ? ROW_TRUNCATED : 0,
                                 .source = SOURCE_POLICY,
                                 .obs2 = &obs,
                                 .picture2 = picture(t + k)};
        replay_commit(r, &p);
    }
}

/* The newest picture of an observation is its own; those before are one older each, down to the
 * first of its episode. */
static void assert_history(const float *obs, int first)
{
    const int t = (int)obs[0];
    for (int k = 0; k < HISTORY; k++) {
        const float *p = obs + 1 + k * PIXELS;
        const int age = HISTORY - 1 - k, want = t - age < first ? first : t - age;
        for (int i = 0; i < PIXELS - 1; i++) {
            assert_true(fabsf(p[i] * 255.0f - (float)want) < 1e-3f);
        }
        assert_true(fabsf(p[PIXELS - 1] - 1.0f) < 1e-6f);
    }
}

static void draw_and_check(struct replay *r, int n_steps, int (*first_of)(int t))
{
    struct arena mem;
    struct batch b;
    struct rng rng;
    rng_seed(&rng, 1);
    assert_int_equal(arena_open(&mem, "test", 1 << 20), 0);
    const struct sample_spec spec = {
        .batch = BATCH, .n_steps = n_steps, .seg_len = 1, .history = HISTORY, .gamma = 0.9};
    struct sampler *s = sampler_init(r, &spec, &mem);
    for (int k = 0; k < 20; k++) {
        assert_true(sampler_draw(s, &rng, &b));
        for (int i = 0; i < BATCH; i++) {
            const float *now = b.s + i * WIDTH, *next = b.s2 + i * WIDTH;
            const int first = first_of((int)now[0]);
            assert_history(now, first);
            assert_history(next, first);
            assert_true(next[0] > now[0] && next[0] <= now[0] + (float)n_steps);
        }
    }
    arena_close(&mem);
}

static int first_of_two(int t)
{
    return t < 20 ? 10 : 20;
}

static void a_history_stays_in_its_episode(void **state)
{
    (void)state;
    struct replay *r = replay_of(64);
    episode(r, 10, 5);
    episode(r, 20, 1);
    draw_and_check(r, 1, first_of_two);
    draw_and_check(r, 3, first_of_two);
    replay_close(r);
}

static int first_of_ten(int t)
{
    return t / 10 * 10;
}

/* Around the ring three times; rows whose history was overwritten are not drawn. */
static void the_ring_has_no_seam(void **state)
{
    (void)state;
    struct replay *r = replay_of(32);
    for (int e = 0; e < 9; e++) {
        episode(r, e * 10, 9);
    }
    draw_and_check(r, 2, first_of_ten);
    replay_close(r);
}

static void other_pictures_are_another_replay(void **state)
{
    (void)state;
    struct replay *r = replay_of(64);
    struct replay_info info;
    char reason[WHY_CHARS] = "";
    assert_int_equal(replay_info(r, &info), 0);
    assert_int_equal(info.picture.h * 100 + info.picture.w * 10 + info.picture.c, 231);
    episode(r, 1, 3);
    assert_int_equal(replay_verify(r, reason, sizeof reason), 0);
    struct replay *none = NULL;
    const struct replay_spec plain = {.run_id = 1, .capacity = 64, .n_obs = 1, .n_act = 1};
    assert_int_equal(replay_create(&none, &plain, reason, sizeof reason), 0);
    assert_true(replay_restore(none, replay_data(r), replay_bytes(r), reason, sizeof reason) < 0);
    const struct replay_spec bad = {.capacity = 64, .n_obs = 1, .n_act = 1, .picture = {1, 0, 1}};
    struct replay *x = NULL;
    assert_true(replay_create(&x, &bad, reason, sizeof reason) < 0);
    assert_string_equal(reason, "replay: a picture of 1 x 0 x 1 is out of range");
    replay_close(none);
    replay_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_stays_in_its_episode),
        cmocka_unit_test(the_ring_has_no_seam),
        cmocka_unit_test(other_pictures_are_another_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
