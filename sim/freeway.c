/*
 * A chicken crosses eight lanes of cars: 1 for each time that it arrives on the other side. A car
 * that touches it sends it back to the start; the game is over after 2501 frames.
 *
 * The chicken moves at most every third frame. A car of speed 1 to 5 moves every second to sixth
 * frame, and enters again on the other side. When the chicken arrives, all speeds and directions
 * are drawn anew; the cars stay where they are.
 *
 * Source of the rules: sim/minatar.h.
 */
#include "sim/minatar_states.h"

#include <stdlib.h>

enum { CHICKEN, CAR, SPEED_1, CHANNELS = SPEED_1 + 5 };

#define COLUMN     4
#define START      (MINATAR_SIDE - 1)
#define MOVE_EVERY 3
#define FRAMES     2500
#define SPEED_MAX  5

static void draw_speeds(struct freeway_state *s, struct rng *rng)
{
    for (int k = 0; k < FREEWAY_CARS; k++) {
        struct freeway_car *car = &s->car[k];
        car->timer = 1 + (int32_t)rng_below(rng, SPEED_MAX);
        car->speed = minatar_coin(rng) ? car->timer : -car->timer;
    }
}

static void freeway_reset(void *state, struct rng *rng)
{
    struct freeway_state *s = state;
    s->y = START;
    s->move_timer = MOVE_EVERY;
    s->time_left = FRAMES;
    draw_speeds(s, rng);
}

static void move_chicken(struct freeway_state *s, enum minatar_action action)
{
    const int by = (action == MINATAR_DOWN) - (action == MINATAR_UP);
    if (by != 0 && s->move_timer == 0) {
        s->y = minatar_clamp(s->y + by, START);
        s->move_timer = MOVE_EVERY;
    }
}

static void run_over(struct freeway_state *s, int k)
{
    if (s->car[k].x == COLUMN && s->y == k + 1) {
        s->y = START;
    }
}

static void move_car(struct freeway_state *s, int k)
{
    struct freeway_car *car = &s->car[k];
    run_over(s, k);
    if (car->timer > 0) {
        car->timer--;
        return;
    }
    car->timer = abs(car->speed);
    car->x = (car->x + (car->speed > 0 ? 1 : MINATAR_SIDE - 1)) % MINATAR_SIDE;
    run_over(s, k);
}

static void freeway_frame(void *state, const struct minatar_config *c, enum minatar_action action,
                          struct rng *rng)
{
    (void)c;
    struct freeway_state *s = state;
    move_chicken(s, action);
    if (s->y == 0) {
        s->head.score++;
        s->y = START;
        draw_speeds(s, rng);
    }
    for (int k = 0; k < FREEWAY_CARS; k++) {
        move_car(s, k);
    }
    minatar_count_down(&s->move_timer);
    s->head.over = --s->time_left < 0;
}

static void freeway_draw(const void *state, struct minatar_picture *p)
{
    const struct freeway_state *s = state;
    minatar_draw(p, COLUMN, s->y, CHICKEN);
    for (int k = 0; k < FREEWAY_CARS; k++) {
        const struct freeway_car *car = &s->car[k];
        const int behind = (car->x + (car->speed > 0 ? MINATAR_SIDE - 1 : 1)) % MINATAR_SIDE;
        minatar_draw(p, car->x, k + 1, CAR);
        minatar_draw(p, behind, k + 1, SPEED_1 + abs(car->speed) - 1);
    }
}

static const struct minatar_game freeway = {.name = "freeway",
                                            .channels = CHANNELS,
                                            .state_bytes = sizeof(struct freeway_state),
                                            .reset = freeway_reset,
                                            .frame = freeway_frame,
                                            .draw = freeway_draw};

static int freeway_open(const void *config, const struct robot *robot, struct arena *mem,
                        void **ret_self, char *ret_why, int cap)
{
    return minatar_open(&freeway, config, robot, mem, ret_self, ret_why, cap);
}

const struct sim sim_freeway = {
    .name = "freeway",
    .source = "MinAtar's Freeway, arXiv:1903.03176",
    .open = freeway_open,
    MINATAR_SIM(minatar_steady_options),
};
