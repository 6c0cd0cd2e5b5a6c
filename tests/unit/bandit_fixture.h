/*
 * Whole algorithms on problems whose answer is known, through struct batch, as the learner thread
 * feeds them: a bandit of one state, whose every action ends the episode, and what a policy makes
 * of it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/actor_fixture.h"

#include <math.h>

#define ROWS 64

static const struct dims one_by_one = {
    .n_obs = 1, .n_act = 1, .batch = ROWS, .seg_len = 1, .policy_rate_hz = 20.0};

struct arms {
    struct learner_fixture l;
    struct batch b;
    struct rng rng;
    float s[ROWS], a[ROWS], r[ROWS], s2[ROWS], g[ROWS], w[ROWS];
};

static inline void arms_begin(struct arms *x, const char *policy, const struct setting *settings)
{
    learner_make(&x->l, policy_find(policy), &one_by_one, settings, 1);
    rng_seed(&x->rng, 2);
    for (int i = 0; i < ROWS; i++) {
        x->s[i] = x->s2[i] = x->w[i] = 1.0f;
        x->g[i] = 0.0f;
    }
    x->b = (struct batch){.n = ROWS,
                          .seg_len = 1,
                          .s = x->s,
                          .a = x->a,
                          .r = x->r,
                          .s2 = x->s2,
                          .g = x->g,
                          .w = x->w};
}

static inline void arms_learn(struct arms *x, float (*reward)(float a), int updates,
                              struct stats *ret_stats)
{
    for (int t = 0; t < updates; t++) {
        for (int i = 0; i < ROWS; i++) {
            x->a[i] = (float)(2.0 * rng_uniform(&x->rng) - 1.0);
            x->r[i] = reward(x->a[i]);
        }
        x->l.policy->update(x->l.self, &x->b, ret_stats);
    }
}

/* r = -k (a - m)^2 / 2, k = 10, m = 0.3. With alpha 0.1 the best squashed normal has mean 0.299744,
 * deviation 0.099653, its middle is tanh 0.3128637, and E[Q] + alpha H is -0.13870092: oracle 14.3.
 */
static inline float off_centre(float a)
{
    return -5.0f * (a - 0.3f) * (a - 0.3f);
}

struct seen {
    double mean, sd, entropy; /* of what it does when it explores */
    double still;             /* what it does when it does not */
    double below;             /* share of actions below 0 */
    double sd_of[2];          /* around the middle of those below, and of the others */
};

static inline void arms_watch(const struct arms *x, struct seen *ret_seen)
{
    static struct actor_fixture actor;

    enum { N = 20000 };

    const float s = 1.0f;
    double sum[2] = {0}, sum2[2] = {0}, entropy = 0.0;
    int n[2] = {0};
    float a;
    struct rng rng;
    rng_seed(&rng, 8);
    actor_make(&actor, &x->l);
    for (int i = 0; i < N; i++) {
        entropy -= (double)actor_act(&actor, &s, true, &rng, &a) / N;
        const int side = a < 0.0f ? 0 : 1;
        n[side]++;
        sum[side] += (double)a;
        sum2[side] += (double)a * (double)a;
    }
    (void)actor_act(&actor, &s, false, &rng, &a);
    actor_free(&actor);
    ret_seen->still = (double)a;
    ret_seen->entropy = entropy;
    ret_seen->mean = (sum[0] + sum[1]) / N;
    ret_seen->sd = sqrt((sum2[0] + sum2[1]) / N - ret_seen->mean * ret_seen->mean);
    ret_seen->below = (double)n[0] / N;
    for (int i = 0; i < 2; i++) {
        const double mean = sum[i] / (n[i] + 1e-9);
        ret_seen->sd_of[i] = sqrt(fmax(0.0, sum2[i] / (n[i] + 1e-9) - mean * mean));
    }
}
