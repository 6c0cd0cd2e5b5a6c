/*
 * A cannon against a block of aliens that comes down: 1 for each that is shot. An alien or a bullet
 * of theirs on the cannon is the end, so is an alien that leaves the bottom row.
 *
 * The aliens move together, the faster the fewer they are: sideways, or, where one of them would
 * leave the grid, down by one and the other way from then on. Every tenth frame one of them shoots:
 * the lowest of the column nearest to the cannon. When all are shot there are new ones, which with
 * ramping move one frame earlier, down to every sixth.
 *
 * Source of the rules: sim/minatar.h. What they leave open, and we chose:
 *
 *   - the order of a frame: the cannon, all bullets, the aliens, their shot, hits, timers, and a
 * new wave in the frame of the last hit; so a bullet that an alien comes down or across to hits it,
 *     and one that it passes by within a frame does not;
 *   - a shot of the aliens starts where the alien is, and flies from the next frame on; the first
 *     comes after ten frames, and the column is chosen when it is due;
 *   - a new wave appears in the four rows at the top whatever flies there, and keeps way and timer
 *     of the one before;
 *   - an alien on the cannon is the end also when the cannon drove there.
 */
#include "sim/minatar_states.h"

#include <string.h>

enum { CANNON, ALIEN, ALIEN_LEFT, ALIEN_RIGHT, FRIENDLY, ENEMY, CHANNELS };

#define BOTTOM         (MINATAR_SIDE - 1)
#define MOVE_EVERY     12
#define MOVE_EVERY_MIN 6
#define SHOT_EVERY     5
#define ALIEN_SHOT     10
#define WAVE_ROWS      4
#define WAVE           0xfcu /* columns 2 to 7 */
#define LEFTMOST       1u
#define RIGHTMOST      (1u << (MINATAR_SIDE - 1))
#define ALL            (2 * RIGHTMOST - 1)

static void new_wave(struct invaders_state *s)
{
    for (int y = 0; y < WAVE_ROWS; y++) {
        s->alien[y] = WAVE;
    }
}

static void invaders_reset(void *state, struct rng *rng)
{
    (void)rng;
    struct invaders_state *s = state;
    s->x = 5;
    s->way = -1;
    s->move_timer = s->move_every = MOVE_EVERY;
    s->alien_shot_timer = ALIEN_SHOT;
    new_wave(s);
}

static int count(const struct invaders_state *s)
{
    int n = 0;
    for (int y = 0; y < MINATAR_SIDE; y++) {
        n += __builtin_popcount(s->alien[y]);
    }
    return n;
}

/* All columns that have one. */
static uint32_t columns(const struct invaders_state *s)
{
    uint32_t all = 0;
    for (int y = 0; y < MINATAR_SIDE; y++) {
        all |= s->alien[y];
    }
    return all;
}

static bool is_at(const uint32_t *rows, int x, int y)
{
    return (rows[y] >> x & 1) != 0;
}

static void move_cannon(struct invaders_state *s, enum minatar_action action)
{
    if (action == MINATAR_FIRE && s->shot_timer == 0) {
        s->bullet[BOTTOM] |= 1u << s->x;
        s->shot_timer = SHOT_EVERY;
    }
    s->x += (action == MINATAR_RIGHT) - (action == MINATAR_LEFT);
    s->x = minatar_clamp(s->x, MINATAR_SIDE - 1);
}

static void move_bullets(struct invaders_state *s)
{
    memmove(&s->bullet[0], &s->bullet[1], BOTTOM * sizeof s->bullet[0]);
    s->bullet[BOTTOM] = 0;
    memmove(&s->alien_bullet[1], &s->alien_bullet[0], BOTTOM * sizeof s->alien_bullet[0]);
    s->alien_bullet[0] = 0;
    s->head.over |= is_at(s->alien_bullet, s->x, BOTTOM);
}

static void move_aliens(struct invaders_state *s)
{
    const int n = count(s);
    s->move_timer = n < s->move_every ? n : s->move_every;
    if ((columns(s) & (s->way < 0 ? LEFTMOST : RIGHTMOST)) != 0) {
        s->way = -s->way;
        s->head.over |= s->alien[BOTTOM] != 0;
        memmove(&s->alien[1], &s->alien[0], BOTTOM * sizeof s->alien[0]);
        s->alien[0] = 0;
        return;
    }
    for (int y = 0; y < MINATAR_SIDE; y++) {
        s->alien[y] = s->way < 0 ? s->alien[y] >> 1 : s->alien[y] << 1 & ALL;
    }
}

/* The column nearest to the cannon that has an alien, the left one of two; -1: there is none. */
static int nearest_column(const struct invaders_state *s)
{
    const uint32_t all = columns(s);
    for (int d = 0; d < MINATAR_SIDE; d++) {
        if (minatar_inside(s->x - d) && (all >> (s->x - d) & 1) != 0) {
            return s->x - d;
        }
        if (minatar_inside(s->x + d) && (all >> (s->x + d) & 1) != 0) {
            return s->x + d;
        }
    }
    return -1;
}

static void shoot_back(struct invaders_state *s)
{
    const int x = nearest_column(s);
    s->alien_shot_timer = ALIEN_SHOT;
    for (int y = BOTTOM; x >= 0 && y >= 0; y--) {
        if (is_at(s->alien, x, y)) {
            s->alien_bullet[y] |= 1u << x;
            return;
        }
    }
}

static void hit(struct invaders_state *s)
{
    for (int y = 0; y < MINATAR_SIDE; y++) {
        const uint32_t both = s->alien[y] & s->bullet[y];
        s->head.score += __builtin_popcount(both);
        s->alien[y] &= ~both;
        s->bullet[y] &= ~both;
    }
}

static void invaders_frame(void *state, const struct minatar_config *c, enum minatar_action action,
                           struct rng *rng)
{
    (void)rng;
    struct invaders_state *s = state;
    move_cannon(s, action);
    move_bullets(s);
    s->head.over |= is_at(s->alien, s->x, BOTTOM);
    if (s->move_timer == 0) {
        move_aliens(s);
        s->head.over |= is_at(s->alien, s->x, BOTTOM);
    }
    if (s->alien_shot_timer == 0) {
        shoot_back(s);
    }
    hit(s);
    minatar_count_down(&s->shot_timer);
    s->move_timer--;
    s->alien_shot_timer--;
    if (count(s) == 0) {
        s->move_every -= c->ramping && s->move_every > MOVE_EVERY_MIN;
        new_wave(s);
    }
}

static void invaders_draw(const void *state, struct minatar_picture *p)
{
    const struct invaders_state *s = state;
    minatar_draw(p, s->x, BOTTOM, CANNON);
    for (int y = 0; y < MINATAR_SIDE; y++) {
        for (int x = 0; x < MINATAR_SIDE; x++) {
            if (is_at(s->alien, x, y)) {
                minatar_draw(p, x, y, ALIEN);
                minatar_draw(p, x, y, s->way < 0 ? ALIEN_LEFT : ALIEN_RIGHT);
            }
            if (is_at(s->bullet, x, y)) {
                minatar_draw(p, x, y, FRIENDLY);
            }
            if (is_at(s->alien_bullet, x, y)) {
                minatar_draw(p, x, y, ENEMY);
            }
        }
    }
}

static const struct minatar_game space_invaders = {.name = "space_invaders",
                                                   .channels = CHANNELS,
                                                   .state_bytes = sizeof(struct invaders_state),
                                                   .reset = invaders_reset,
                                                   .frame = invaders_frame,
                                                   .draw = invaders_draw};

static int invaders_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    return minatar_open(&space_invaders, config, robot, mem, ret_self, ret_why, cap);
}

const struct sim sim_space_invaders = {
    .name = "space_invaders",
    .source = "MinAtar's Space Invaders, arXiv:1903.03176",
    .open = invaders_open,
    MINATAR_SIM(minatar_options),
};
