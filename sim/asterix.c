/*
 * Gold and enemies cross the rows; 1 for each piece of gold that the player touches, an enemy is
 * the end.
 *
 * Every spawn_every frames one of them enters a row that is free, from the left or from the right,
 * a third of them gold; every move_every frames all of them move by one. The player moves before
 * they do, and touches before and after. With ramping every hundred frames something gets faster:
 * spawning each time, moving every second time.
 *
 * Source of the rules: sim/minatar.h.
 */
#include "sim/minatar_states.h"

enum { PLAYER, ENEMY, TRAIL, GOLD, CHANNELS };

#define SPAWN_EVERY 10
#define MOVE_EVERY  5
#define RAMP_EVERY  100
#define ONE_IN      3 /* is gold */

static void asterix_reset(void *state, struct rng *rng)
{
    (void)rng;
    struct asterix_state *s = state;
    s->x = s->y = 5;
    s->spawn_timer = s->spawn_every = SPAWN_EVERY;
    s->move_timer = s->move_every = MOVE_EVERY;
    s->ramp_timer = RAMP_EVERY;
}

static void spawn(struct asterix_state *s, struct rng *rng)
{
    int rows[ASTERIX_ROWS], n = 0;
    const bool from_left = minatar_coin(rng), gold = rng_below(rng, ONE_IN) == 0;
    for (int k = 0; k < ASTERIX_ROWS; k++) {
        if (s->row[k].there == 0) {
            rows[n++] = k;
        }
    }
    if (n > 0) {
        s->row[rows[rng_below(rng, (uint64_t)n)]] =
            (struct asterix_entity){.there = 1,
                                    .x = from_left ? 0 : MINATAR_SIDE - 1,
                                    .way = from_left ? 1 : -1,
                                    .gold = gold};
    }
}

static void move_player(struct asterix_state *s, enum minatar_action action)
{
    s->x += (action == MINATAR_RIGHT) - (action == MINATAR_LEFT);
    s->y += (action == MINATAR_DOWN) - (action == MINATAR_UP);
    s->x = minatar_clamp(s->x, MINATAR_SIDE - 1);
    s->y = minatar_clamp(s->y - 1, ASTERIX_ROWS - 1) + 1;
}

/* What is on the player's point is his, or the end. */
static void touch(struct asterix_state *s)
{
    struct asterix_entity *e = &s->row[s->y - 1];
    if (e->there == 0 || e->x != s->x) {
        return;
    }
    if (e->gold == 0) {
        s->head.over = 1;
        return;
    }
    s->head.score++;
    e->there = 0;
}

static void move_entities(struct asterix_state *s)
{
    for (int k = 0; k < ASTERIX_ROWS; k++) {
        s->row[k].x += s->row[k].way;
        s->row[k].there = s->row[k].there != 0 && minatar_inside(s->row[k].x);
    }
}

static void ramp(struct asterix_state *s)
{
    if (s->spawn_every == 1 && s->move_every == 1) {
        return;
    }
    if (s->ramp_timer >= 0) {
        s->ramp_timer--;
        return;
    }
    const bool second = s->ramps++ % 2 == 1;
    s->move_every -= second && s->move_every > 1;
    s->spawn_every -= s->spawn_every > 1;
    s->ramp_timer = RAMP_EVERY;
}

static void asterix_frame(void *state, const struct minatar_config *c, enum minatar_action action,
                          struct rng *rng)
{
    struct asterix_state *s = state;
    if (s->spawn_timer == 0) {
        spawn(s, rng);
        s->spawn_timer = s->spawn_every;
    }
    move_player(s, action);
    touch(s);
    if (s->move_timer == 0) {
        move_entities(s);
        touch(s);
        s->move_timer = s->move_every;
    }
    s->spawn_timer--;
    s->move_timer--;
    if (c->ramping) {
        ramp(s);
    }
}

static void asterix_draw(const void *state, struct minatar_picture *p)
{
    const struct asterix_state *s = state;
    minatar_draw(p, s->x, s->y, PLAYER);
    for (int k = 0; k < ASTERIX_ROWS; k++) {
        const struct asterix_entity *e = &s->row[k];
        if (e->there != 0) {
            minatar_draw(p, e->x, k + 1, e->gold != 0 ? GOLD : ENEMY);
            minatar_draw(p, e->x - e->way, k + 1, TRAIL);
        }
    }
}

static const struct minatar_game asterix = {.name = "asterix",
                                            .channels = CHANNELS,
                                            .state_bytes = sizeof(struct asterix_state),
                                            .reset = asterix_reset,
                                            .frame = asterix_frame,
                                            .draw = asterix_draw};

static int asterix_open(const void *config, const struct robot *robot, struct arena *mem,
                        void **ret_self, char *ret_why, int cap)
{
    return minatar_open(&asterix, config, robot, mem, ret_self, ret_why, cap);
}

const struct sim sim_asterix = {
    .name = "asterix",
    .source = "MinAtar's Asterix, arXiv:1903.03176",
    .open = asterix_open,
    MINATAR_SIM(minatar_options),
};
