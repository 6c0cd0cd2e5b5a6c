/*
 * A ball, a paddle that must not let it pass, three rows of bricks: 1 for each brick that the ball
 * strikes.
 *
 * The ball moves one point along a diagonal each frame. A wall on the side turns it around there;
 * then the first of these that applies decides:
 *
 *   above the top row   it stays in the top row and turns down
 *   a brick             is gone for 1 point, the ball turns and keeps its row; but if the frame
 *                       before struck one too, it passes, and that lasts while bricks are there
 *   the bottom row      no brick left: there are new ones. A paddle where the ball was: it turns up
 *                       again; a paddle where it would be: it goes back the way it came; else the
 *                       game is over
 *
 * Source of the rules: sim/minatar.h.
 */
#include "sim/minatar_states.h"

#include <string.h>

enum { PADDLE, BALL, TRAIL, BRICK, CHANNELS };

#define BOTTOM (MINATAR_SIDE - 1)

static const int way_x[] = {[UP_LEFT] = -1, [UP_RIGHT] = 1, [DOWN_RIGHT] = 1, [DOWN_LEFT] = -1};
static const int way_y[] = {[UP_LEFT] = -1, [UP_RIGHT] = -1, [DOWN_RIGHT] = 1, [DOWN_LEFT] = 1};
static const int turned_sideways[] = {
    [UP_LEFT] = UP_RIGHT, [UP_RIGHT] = UP_LEFT, [DOWN_RIGHT] = DOWN_LEFT, [DOWN_LEFT] = DOWN_RIGHT};
static const int turned_up_down[] = {
    [UP_LEFT] = DOWN_LEFT, [UP_RIGHT] = DOWN_RIGHT, [DOWN_RIGHT] = UP_RIGHT, [DOWN_LEFT] = UP_LEFT};

static void breakout_reset(void *state, struct rng *rng)
{
    struct breakout_state *s = state;
    const bool left = minatar_coin(rng);
    s->paddle = 4;
    s->x = s->trail_x = left ? 0 : BOTTOM;
    s->y = s->trail_y = BRICK_ROWS;
    s->way = left ? DOWN_RIGHT : DOWN_LEFT;
    memset(s->brick, 1, sizeof s->brick);
}

static uint8_t *brick_at(struct breakout_state *s, int x, int y)
{
    return y >= 1 && y <= BRICK_ROWS ? &s->brick[y - 1][x] : NULL;
}

static bool cleared(const struct breakout_state *s)
{
    return memchr(s->brick, 1, sizeof s->brick) == NULL;
}

/* The ball, which was at (s->x, s->y), would be at (x, bottom): the row where it will be. */
static int at_bottom(struct breakout_state *s, int x)
{
    if (cleared(s)) {
        memset(s->brick, 1, sizeof s->brick);
    }
    if (s->x == s->paddle) {
        s->way = turned_up_down[s->way];
    } else if (x == s->paddle) {
        s->way = turned_up_down[turned_sideways[s->way]];
    } else {
        s->head.over = 1;
        return BOTTOM;
    }
    return s->y;
}

static void move_ball(struct breakout_state *s)
{
    int x = s->x + way_x[s->way], y = s->y + way_y[s->way];
    bool among_bricks = false;
    s->trail_x = s->x;
    s->trail_y = s->y;
    if (!minatar_inside(x)) {
        x = minatar_clamp(x, MINATAR_SIDE - 1);
        s->way = turned_sideways[s->way];
    }
    uint8_t *brick = brick_at(s, x, y);
    if (y < 0) {
        y = 0;
        s->way = turned_up_down[s->way];
    } else if (brick != NULL && *brick != 0) {
        among_bricks = true;
        if (s->struck == 0) {
            s->struck = 1;
            s->head.score++;
            *brick = 0;
            y = s->y;
            s->way = turned_up_down[s->way];
        }
    } else if (y == BOTTOM) {
        y = at_bottom(s, x);
    }
    s->struck = among_bricks ? s->struck : 0;
    s->x = x;
    s->y = y;
}

static void breakout_frame(void *state, const struct minatar_config *c, enum minatar_action action,
                           struct rng *rng)
{
    (void)c;
    (void)rng;
    struct breakout_state *s = state;
    const int by = action == MINATAR_LEFT ? -1 : action == MINATAR_RIGHT ? 1 : 0;
    s->paddle = minatar_clamp(s->paddle + by, MINATAR_SIDE - 1);
    move_ball(s);
}

static void breakout_draw(const void *state, struct minatar_picture *p)
{
    const struct breakout_state *s = state;
    minatar_draw(p, s->paddle, BOTTOM, PADDLE);
    minatar_draw(p, s->x, s->y, BALL);
    minatar_draw(p, s->trail_x, s->trail_y, TRAIL);
    for (int y = 0; y < BRICK_ROWS; y++) {
        for (int x = 0; x < MINATAR_SIDE; x++) {
            if (s->brick[y][x] != 0) {
                minatar_draw(p, x, y + 1, BRICK);
            }
        }
    }
}

static const struct minatar_game breakout = {.name = "breakout",
                                             .channels = CHANNELS,
                                             .state_bytes = sizeof(struct breakout_state),
                                             .reset = breakout_reset,
                                             .frame = breakout_frame,
                                             .draw = breakout_draw};

static int breakout_open(const void *config, const struct robot *robot, struct arena *mem,
                         void **ret_self, char *ret_why, int cap)
{
    return minatar_open(&breakout, config, robot, mem, ret_self, ret_why, cap);
}

const struct sim sim_breakout = {
    .name = "breakout",
    .source = "MinAtar's Breakout, arXiv:1903.03176",
    .open = breakout_open,
    MINATAR_SIM(minatar_steady_options),
};
