/* environments.md 3.1: optimal values of the gridworlds, to the digits that are printed there. */
#pragma once

#define GRID_CELLS 25
#define NO         1e9 /* no state: a wall, one that is never reached, or the table does not say */

struct grid_values {
    const char *layout, *noise, *living_reward;
    int cells;
    double gamma, alpha; /* alpha 0: the hard maximum */
    double tolerance;
    double v[GRID_CELLS]; /* the top row first */
    int columns;
    const char *moves; /* the best one of each cell, where it says: N S E W */
};

/* clang-format off */
static const struct grid_values grid_values[] = {
    {"book", "0.2", "0", 12, 0.9, 0, 5e-5,
     {.6450, .7444, .8478, 1, .5663, NO, .5719, -1, .4907, .4308, .4755, .2773}, 4, "EEE.N#N.NWNW"},
    {"book", "0.2", "-0.04", 12, 1, 0, 5e-5,
     {.8116, .8678, .9178, 1, .7616, NO, .6603, -1, .7053, .6553, .6114, .3879}, 4, ".....#....WW"},
    {"book", "0.2", "-0.04", 12, 0.9, 0, 5e-7,
     {NO, NO, NO, NO, NO, NO, NO, NO, .296467, NO, NO, NO}, 4, ""},
    {"bridge", "0.2", "0", 21, 0.9, 0, 5e-5,
     {NO, -100, -100, -100, -100, -100, NO, 1, -17.28, -30.4416, -36.5587, -25.776, -10.8, 10, NO, -100, -100, -100, -100, -100, NO}, 7, "........WWEEE........"},
    {"bridge", "0.1", "0", 21, 0.9, 0, 5e-5,
     {NO, NO, NO, NO, NO, NO, NO, NO, -8.19, -15.6339, -16.8805, -9.729, -0.9, NO, NO, NO, NO, NO, NO, NO, NO}, 7, "........WWEEE........"},
    {"bridge", "0.02", "0", 21, 0.9, 0, 5e-5,
     {NO, NO, NO, NO, NO, NO, NO, NO, -.918, .0288, 2.0734, 4.3916, 7.02, NO, NO, NO, NO, NO, NO, NO, NO}, 7, "........WEEEE........"},
    {"bridge", "0.01", "0", 21, 0.9, 0, 5e-5,
     {NO, NO, NO, NO, NO, NO, NO, NO, 1.9953, 3.2495, 4.6571, 6.2369, 8.01, NO, NO, NO, NO, NO, NO, NO, NO}, 7, "........EEEEE........"},
    {"bridge", "0", "0", 21, 0.9, 0, 1e-9,
     {NO, NO, NO, NO, NO, NO, NO, NO, 5.9049, 6.561, 7.29, 8.1, 9, NO, NO, NO, NO, NO, NO, NO, NO}, 7, ""},
    {"cliff", "0.2", "0", 15, 0.9, 0, 5e-5,
     {4.9066, 5.6545, 6.5237, 7.5251, 8.6563, 4.3750, 4.9834, 5.7609, 6.8366, 10, -100, -100, -100, -100, NO}, 5, "....SNNNN......"},
    {"cliff", "0", "0", 15, 0.9, 0, 1e-9,
     {5.9049, 6.561, 7.29, 8.1, 9, 6.561, 7.29, 8.1, 9, 10, -100, -100, -100, -100, NO}, 5, ".....EEEE......"},
    {"cliff2", "0.2", "0", 15, 0.9, 0, 5e-5,
     {6.9263, 6.0328, 6.5301, 7.5257, 8.6564, 8, 5.5874, 5.8203, 6.8424, 10, NO, -100, -100, -100, NO}, 5, "SW....NNN......"},
    {"discount", "0.2", "0", 25, 0.9, 0, 5e-5,
     {4.4765, 5.1665, 5.8841, 6.6836, 7.5087, 3.9306, NO, 6.0258, 7.5087, 8.6547, 3.4513, NO, 1, NO, 10,
      2.9289, 2.0045, 3.3074, 5.7186, 8.4777, -10, -10, -10, -10, -10}, 5, "EEEESN#EESN#.#.NNEEN....."},
    {"maze", "0.2", "0", 20, 0.9, 0, 5e-5,
     {.6680, .7608, .8665, 1, NO, NO, .7608, NO, .2235, NO, .6584, .5704, .2545, NO, NO, .5009, .2899, .3346, .3811, .4340}, 4, "....##N#S#NWS##NEEEN"},
    {"book", "0.2", "0", 12, 0.9, 0.01, 5e-7,
     {.645066, .744416, .847790, NO, .566487, NO, .572062, NO, .491536, .435934, .476585, .282722}, 4, ""},
    {"book", "0.2", "0", 12, 0.9, 0.1, 5e-7,
     {1.329954, 1.292022, 1.181771, NO, 1.339835, NO, .989509, NO, 1.328890, 1.289082, 1.172310, .921266}, 4, ""},
};
/* clang-format on */

#define GRIDS_N (sizeof grid_values / sizeof grid_values[0])

/* The place in the table of a cell, which the world counts from the bottom left. */
static inline int grid_place(const struct grid_values *g, int cell)
{
    const int rows = g->cells / g->columns;
    return (rows - 1 - cell / g->columns) * g->columns + cell % g->columns;
}

static inline double grid_value(const struct grid_values *g, int cell)
{
    return g->v[grid_place(g, cell)];
}
