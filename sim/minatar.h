/*
 * What five small games have in common: a grid of 10 x 10 points, each with a few channels that are
 * on or off, row 0 at the top; six actions, of which the one executed last is now and then repeated
 * (sticky actions); a score; an end, after which nothing moves until a reset.
 *
 * The robot file says which of the six it has, by name: choices: [noop, left, right], or all of
 * them. One step is one frame of the game. It senses the frame as a picture of bytes, 0 or 255, and
 * `score`, `end`.
 *
 * Source of all rules: Young and Tian 2019, arXiv:1903.03176. What departs from it: the action
 * executed last is forgotten at a reset.
 */
#pragma once

#include "sim/sim.h"

#define MINATAR_SIDE     10
#define MINATAR_CHANNELS 10 /* at most */

enum minatar_action {
    MINATAR_NOOP,
    MINATAR_LEFT,
    MINATAR_UP,
    MINATAR_RIGHT,
    MINATAR_DOWN,
    MINATAR_FIRE,
    MINATAR_ACTIONS
};

/* How each game's state begins. */
struct minatar_state {
    int32_t action; /* executed last */
    int32_t score;
    int32_t over;
};

struct minatar_config {
    double sticky_frac;
    bool ramping;
};

/* What draw writes into. */
struct minatar_picture {
    int channels;
    uint8_t *point; /* [10,10,channels] */
};

struct minatar_game {
    const char *name;
    int channels;
    size_t state_bytes;
    /* the state is all 0 before */
    void (*reset)(void *state, struct rng *rng);
    void (*frame)(void *state, const struct minatar_config *c, enum minatar_action action,
                  struct rng *rng);
    void (*draw)(const void *state, struct minatar_picture *p);
};

/* Options of a game: with difficulty ramping, and without. */
extern const struct option minatar_options[], minatar_steady_options[];

int minatar_open(const struct minatar_game *game, const void *config, const struct robot *robot,
                 struct arena *mem, void **ret_self, char *ret_why, int cap);
size_t minatar_state_bytes(const void *self);
void minatar_reset(void *self, void *state, struct rng *rng);
void minatar_step(void *self, void *state, const struct command *cmd, double dt_s, struct rng *rng);
void minatar_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed);

/* The entries of a game's struct sim but name, source and open. */
#define MINATAR_SIM(table)                                                                         \
    .options = (table), .config_bytes = sizeof(struct minatar_config),                             \
    .state_bytes = minatar_state_bytes, .reset = minatar_reset, .step = minatar_step,              \
    .sense = minatar_sense

/* --- for the games --- */

/* Channel `channel` of the point at (x, y) is on; outside the grid there is nothing to draw. */
void minatar_draw(struct minatar_picture *p, int x, int y, int channel);

/* x within 0 .. most */
int minatar_clamp(int x, int most);

static inline bool minatar_inside(int x)
{
    return x >= 0 && x < MINATAR_SIDE;
}

static inline bool minatar_coin(struct rng *rng)
{
    return rng_below(rng, 2) == 1;
}

/* Whoever has a timer: down to 0, and no further. */
static inline void minatar_count_down(int32_t *timer)
{
    *timer -= *timer > 0;
}
