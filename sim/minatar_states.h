/*
 * What the five games remember: flat, so that copying a state copies the game; here because tests
 * set them up by hand. Places are x (column) and y (row), row 0 at the top.
 */
#pragma once

#include "sim/minatar.h"

/* --- breakout --- */

enum breakout_way { UP_LEFT, UP_RIGHT, DOWN_RIGHT, DOWN_LEFT };

#define BRICK_ROWS 3 /* rows 1 to 3 */

struct breakout_state {
    struct minatar_state head;
    int32_t paddle, x, y, way, trail_x, trail_y;
    int32_t struck; /* the last frame's ball has hit a brick, or is still among bricks since */
    uint8_t brick[BRICK_ROWS][MINATAR_SIDE];
};

/* --- asterix --- */

#define ASTERIX_ROWS 8 /* rows 1 to 8, at most one entity in each */

struct asterix_state {
    struct minatar_state head;
    int32_t x, y;

    struct asterix_entity {
        int32_t there, x, way, gold; /* way -1, +1 */
    } row[ASTERIX_ROWS];

    int32_t spawn_timer, spawn_every, move_timer, move_every, ramp_timer, ramps;
};

/* --- freeway --- */

#define FREEWAY_CARS 8 /* rows 1 to 8 */

struct freeway_state {
    struct minatar_state head;
    int32_t y, move_timer, time_left;

    struct freeway_car {
        int32_t x, speed, timer; /* speed -5 .. 5, not 0 */
    } car[FREEWAY_CARS];
};

/* --- seaquest --- */

#define SEAQUEST_MOVERS 64 /* of each kind; more than rules and speeds let live at once */

enum seaquest_kind { FRIENDLY_BULLET, ENEMY_BULLET, FISH, ENEMY_SUB, DIVER, SEAQUEST_KINDS };

struct seaquest_mover {
    int32_t x, y, way; /* way -1, +1 */
    int32_t move_timer, shot_timer;
};

struct seaquest_state {
    struct minatar_state head;
    int32_t x, y, way, oxygen, divers, at_surface;
    int32_t spawn_timer, spawn_every, diver_timer, shot_timer, move_every, ramps;
    int32_t n[SEAQUEST_KINDS];
    struct seaquest_mover mover[SEAQUEST_KINDS][SEAQUEST_MOVERS];
};

/* --- space invaders --- */

struct invaders_state {
    struct minatar_state head;
    int32_t x, way; /* of the cannon; of the aliens: -1, +1 */
    int32_t move_timer, move_every, alien_shot_timer, shot_timer;
    /* a bit per column, column x is bit x; a row each */
    uint32_t alien[MINATAR_SIDE], bullet[MINATAR_SIDE], alien_bullet[MINATAR_SIDE];
};
