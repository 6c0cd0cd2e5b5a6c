/*
 * The exciting motion by itself, on made-up joints: it begins at the pose, stays inside limits and
 * amplitude, repeats with its base frequency, and is another one by its seed; what cannot be
 * planned is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/actor_fixture.h"

#include <errno.h>
#include <math.h>

#define HZ     200.0
#define BASE_S 5.0
#define N      3
#define STEPS  4000

static const struct dims joints = {.n_obs = 1,
                                   .n_vector = 1,
                                   .n_act = N,
                                   .batch = 8,
                                   .policy_rate_hz = HZ,
                                   .ticks_per_period = 1,
                                   .poses = true,
                                   .pose = {{.half_rad = 1.5, .qd_max = 2.0, .qdd_max = 10.0},
                                            {.half_rad = 0.3, .qd_max = 9.0, .qdd_max = 90.0},
                                            {.half_rad = 2.0, .qd_max = 0.5, .qdd_max = 90.0}}};

static struct learner_fixture l;
static struct actor_fixture a;
static float path[STEPS][N];

static void make(const char *seed, const char *frac)
{
    const struct setting settings[] = {
        {"base_hz", "0.2"},   {"amplitude_rad", "0.4"}, {"harmonics", "5"}, {"margin_rad", "0.05"},
        {"limit_frac", frac}, {"seed", seed},           {NULL, NULL}};
    learner_make(&l, policy_find("excite"), &joints, settings, 1);
    actor_make(&a, &l);
}

static void drop(void)
{
    actor_free(&a);
    learner_free(&l);
}

static void go(const float *from)
{
    struct rng rng;
    float logp;
    const struct act_in in = {.packed = a.packed, .last = from, .rng = &rng};
    rng_seed(&rng, 1);
    a.policy->reset(a.actor, &rng);
    for (int t = 0; t < STEPS; t++) {
        a.policy->act(a.actor, &in, path[t], &logp);
    }
}

/* Joint k's angle from the middle of its range; before the first step it is where it began. */
static double rad(const float *from, int t, int k)
{
    return joints.pose[k].half_rad * (double)(t < 0 ? from[k] : path[t][k]);
}

/* From the middle, and from a pose whose first joint is at the end of its range and beyond room. */
static void it_keeps_every_limit_from_where_it_begins(void **state)
{
    (void)state;
    static const float begins[2][N] = {{0.0f, 0.0f, 0.0f}, {1.0f, -0.99f, 0.5f}};
    make("1", "0.7");
    for (int b = 0; b < 2; b++) {
        go(begins[b]);
        for (int k = 0; k < N; k++) {
            const struct act_pose *p = &joints.pose[k];
            double low = HUGE_VAL, high = -HUGE_VAL, fastest = 0.0, hardest = 0.0, before = 0.0;
            for (int t = 0; t < STEPS; t++) {
                const double speed = (rad(begins[b], t, k) - rad(begins[b], t - 1, k)) * HZ;
                fastest = fmax(fastest, fabs(speed));
                hardest = fmax(hardest, fabs(speed - before) * HZ);
                before = speed;
                if (t >= STEPS / 2) { /* it is where there is room, and let in */
                    low = fmin(low, rad(begins[b], t, k));
                    high = fmax(high, rad(begins[b], t, k));
                }
            }
            assert_true(fabs(rad(begins[b], 0, k) - rad(begins[b], -1, k)) < 1e-4);
            assert_true(high <= p->half_rad - 0.05 + 1e-6 && low >= 0.05 - p->half_rad - 1e-6);
            assert_true(fastest <= 0.7 * p->qd_max * 1.001);
            assert_true(hardest <= 0.7 * p->qdd_max * 1.01);
            /* it does what it may: speed, acceleration, or its way bounds it */
            const double way = 0.5 * (high - low) / fmin(0.4, p->half_rad - 0.05);
            const double used = fmax(way, fmax(fastest / p->qd_max, hardest / p->qdd_max) / 0.7);
            print_message("joint %d: %.2f of its way, %.2f of what bounds it\n", k, way, used);
            assert_true(used > 0.8);
            assert_true(high - low <= 0.8 + 1e-6);
        }
    }
    drop();
}

static void it_repeats_and_the_seed_draws_another(void **state)
{
    (void)state;
    static const float middle[N];
    static float first[STEPS][N];
    make("1", "0.7");
    go(middle);
    memcpy(first, path, sizeof first);
    const int period = (int)(BASE_S * HZ);
    double apart = 0.0;
    for (int t = 2 * period; t < 3 * period; t++) {
        for (int k = 0; k < N; k++) {
            assert_true(fabsf(path[t][k] - path[t - period][k]) < 1e-5f);
        }
        apart = fmax(apart, (double)fabsf(path[t][0] - path[t][1]));
    }
    assert_true(apart > 0.1);
    go(middle); /* an episode begins anew, and is the same again */
    assert_memory_equal(path, first, sizeof first);
    drop();
    make("2", "0.7");
    go(middle);
    assert_true(memcmp(path, first, sizeof first) != 0);
    drop();
}

/* Without limits the amplitude alone counts. */
static void what_limits_nothing_is_no_limit(void **state)
{
    (void)state;
    static const float middle[N];
    struct dims free = joints;
    static const struct setting settings[] = {{"amplitude_rad", "[0.4, 0, 0.1]"}, {NULL, NULL}};
    for (int k = 0; k < N; k++) {
        free.pose[k].qd_max = free.pose[k].qdd_max = (double)NAN;
    }
    learner_make(&l, policy_find("excite"), &free, settings, 1);
    actor_make(&a, &l);
    go(middle);
    double most[N] = {0.0};
    for (int t = 0; t < STEPS; t++) {
        for (int k = 0; k < N; k++) {
            assert_true(isfinite(path[t][k]));
            most[k] = fmax(most[k], fabs(rad(middle, t, k)));
        }
    }
    assert_true(most[0] > 0.3 && most[0] < 0.4 + 1e-6);
    assert_true(!(most[1] > 0.0));
    assert_true(most[2] > 0.07 && most[2] < 0.1 + 1e-6);
    drop();
}

static void refused(const struct dims *d, const char *key, const char *value, const char *words)
{
    const struct policy *p = policy_find("excite");
    char reason[WHY_CHARS] = "";
    struct dims given = *d;
    void *config = calloc(1, p->config_bytes);
    option_defaults(p->options, config);
    learner_gives(p, config, &given);
    assert_int_equal(option_set(option_find(p->options, key), config, value, reason, sizeof reason),
                     0);
    assert_int_equal(policy_check(p, config, &given, reason, sizeof reason), -EINVAL);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
    free(config);
}

static void what_cannot_be_planned_is_refused(void **state)
{
    (void)state;
    struct dims d = joints;
    d.poses = false;
    refused(&d, "seed", "1", "set task.action to position");
    d = joints;
    d.ticks_per_period = 5;
    refused(&d, "seed", "1", "set policy.rate_hz to control.rate_hz, 1000");
    refused(&joints, "amplitude_rad", "[0.1, 0.2]", "2 numbers; one for all, or one for each of 3");
    refused(&joints, "base_hz", "2", "needs 20 ticks a period: 10 are left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_keeps_every_limit_from_where_it_begins),
        cmocka_unit_test(it_repeats_and_the_seed_draws_another),
        cmocka_unit_test(what_limits_nothing_is_no_limit),
        cmocka_unit_test(what_cannot_be_planned_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
