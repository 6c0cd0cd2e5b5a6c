/*
 * A time limit is no end: with reward 1 for ever, the learned value is 1 / (1 - gamma) = 100 at
 * gamma 0.99, although every episode is cut after 50 steps. Rows through the replay, targets
 * through its sampler, values by the algorithm's critic. Pardo et al. 2018, arXiv:1712.00378.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/replay_fixture.h"

#include <stdio.h>

#define BATCH   32
#define EPISODE 50

/* Nothing tells one moment from another: s is always 0.5, whatever was done. */
static struct replay *live(unsigned end)
{
    struct replay *r = replay_make(1, 1, 1200);
    const struct observation o = seen(1, 0.5f);
    struct rng rng;
    rng_seed(&rng, 2);
    for (int step = 0; step < 20 * EPISODE; step++) {
        const bool ends = step % EPISODE == EPISODE - 1;
        const float a = (float)(2.0 * rng_uniform(&rng) - 1.0);
        struct period p = {.opens = true, .obs2 = &o};
        if (step % EPISODE == 0) {
            replay_commit(r, &p);
        }
        p = (struct period){.closes = true,
                            .opens = !ends,
                            .asked = &a,
                            .applied = &a,
                            .reward = 1.0f,
                            .bits = (uint8_t)(ends ? end : 0),
                            .source = SOURCE_RANDOM,
                            .obs2 = &o};
        replay_commit(r, &p);
    }
    return r;
}

/* Q of the batch's rows by the target critic, in the mean: one hidden layer, [1 + 1] inputs. */
static double value_of(const struct learner_fixture *l, const char *critic, const struct batch *b)
{
    char name[4][48];
    const char *const parts[] = {"0.weight", "0.bias", "1.weight", "1.bias"};
    const float *v[4];
    double sum = 0.0;
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name[i], sizeof name[i], "%s.%s", critic, parts[i]);
        v[i] = learner_floats(l, name[i]);
    }
    const int hidden = learner_tensor(l, name[1])->dim[0];
    for (int i = 0; i < b->n; i++) {
        double q = (double)v[3][0];
        for (int j = 0; j < hidden; j++) {
            const float h = v[0][j * 2] * b->s[i] + v[0][j * 2 + 1] * b->a[i] + v[1][j];
            q += h > 0.0f ? (double)(v[2][j] * h) : 0.0;
        }
        sum += q / b->n;
    }
    return sum;
}

static double learned_value(const char *policy, const char *critic, unsigned end, int n_steps)
{
    static struct learner_fixture l;
    static const struct dims dims = {
        .n_obs = 1, .n_act = 1, .batch = BATCH, .seg_len = 1, .policy_rate_hz = 20.0};
    const bool sac = strcmp(policy, "sac") == 0;
    const struct setting settings[] = {{"net_arch", "[16]"},
                                       {"learning_rate", "1e-2"},
                                       {"tau", "0.1"},
                                       {sac ? "ent_coef" : NULL, "1e-4"},
                                       {NULL, NULL}};
    struct replay *r = live(end);
    struct drawer d;
    struct batch b;
    struct stats stats;
    learner_make(&l, policy_find(policy), &dims, settings, 1);
    drawer_make(
        &d, r,
        &(struct sample_spec){.batch = BATCH, .n_steps = n_steps, .seg_len = 1, .gamma = 0.99});
    for (int t = 0; t < 8000; t++) {
        assert_true(sampler_draw(d.sampler, &d.rng, &b));
        l.policy->update(l.self, &b, &stats);
    }
    const double value = value_of(&l, critic, &b);
    drawer_free(&d);
    learner_free(&l);
    replay_close(r);
    return value;
}

static void reward_for_ever_is_worth_a_hundred_in_spite_of_the_clock_14_9(void **state)
{
    (void)state;

    static const struct {
        const char *policy, *critic;
        int n_steps;
    } cases[] = {
        {"ddpg", "critic_target", 1}, {"ddpg", "critic_target", 3}, {"sac", "critic0_target", 1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double got =
            learned_value(cases[i].policy, cases[i].critic, ROW_TRUNCATED, cases[i].n_steps);
        print_message("%s, %d steps: %.2f\n", cases[i].policy, cases[i].n_steps, got);
        assert_true(fabs(got - 100.0) < 3.0);
    }
}

/* What the mistake would look like: one step in fifty has no future, 1 / (1 - 0.99 49/50) = 34. */
static void taken_for_ends_time_limits_would_show_14_9(void **state)
{
    (void)state;
    const double got = learned_value("ddpg", "critic_target", ROW_TERMINAL, 1);
    print_message("ddpg, all cuts are ends: %.2f\n", got);
    assert_true(got > 20.0 && got < 60.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reward_for_ever_is_worth_a_hundred_in_spite_of_the_clock_14_9),
        cmocka_unit_test(taken_for_ends_time_limits_would_show_14_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
