/* One of the small games, its state set up by hand, frame by frame. */
#pragma once

#include "sim/minatar_states.h"
#include "tests/unit/world_fixture.h"

static struct world_rig rig;

/* The game of a robot file without sticky actions. Returns its state. */
static inline void *game_open(const char *path)
{
    static const char *const sets[] = {"sim.sticky_frac=0"};
    rig_open_with(&rig, path, sets, 1);
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    return rig.state;
}

/* All robot files name all six actions, in their order. Returns the score that the frame gave. */
static inline int frame(enum minatar_action action)
{
    const struct minatar_state *s = (const void *)rig.state;
    const float act[] = {(float)action};
    const int score = s->score;
    rig_step(&rig, act);
    return s->score - score;
}

static inline void frames(enum minatar_action action, int n)
{
    for (int k = 0; k < n; k++) {
        (void)frame(action);
    }
}

static inline bool is_over(void)
{
    const struct minatar_state *s = (const void *)rig.state;
    assert_true(rig_extra(&rig, "end", 0) == (double)s->over);
    assert_true(rig_extra(&rig, "score", 0) == (double)s->score);
    return s->over != 0;
}

/* How many points of a channel are on; and is this one? */
static inline int n_on(int channel)
{
    const struct sensed s = rig_truth(&rig);
    const int channels = rig.config.robot.picture.c;
    int n = 0;
    for (int k = 0; k < MINATAR_SIDE * MINATAR_SIDE; k++) {
        const uint8_t b = s.frame[k * channels + channel];
        assert_true(b == 0 || b == 255);
        n += b != 0;
    }
    return n;
}

static inline bool on(int x, int y, int channel)
{
    const struct sensed s = rig_truth(&rig);
    return s.frame[(y * MINATAR_SIDE + x) * rig.config.robot.picture.c + channel] != 0;
}

/* The mean score of n games at random, sticky actions and all; ret_frames: their mean length. */
static inline double at_random(const char *path, int n, double *ret_frames)
{
    static struct world_rig w;
    double score = 0.0, length = 0.0;
    rig_open(&w, path);
    const struct minatar_state *s = (const void *)w.state;
    for (int k = 0; k < n; k++) {
        w.sim->reset(w.self, w.state, &w.rng);
        for (; s->over == 0; length += 1.0) {
            float act[ACT_MAX];
            some_action(&w, &w.rng, act);
            rig_step(&w, act);
        }
        score += s->score;
    }
    rig_close(&w);
    *ret_frames = length / n;
    print_message("at random: %.3f, %.1f frames\n", score / n, length / n);
    return score / n;
}
