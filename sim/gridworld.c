/*
 * The gridworlds of Berkeley's CS188, project 3. A cell is empty, a wall, or an exit that pays a
 * number. In an exit the only choice is to leave, which ends the episode: so the reward depends on
 * the cell that is left. Elsewhere north, south, east and west are legal:
 *
 *   with 1 - slip to where it is asked, with slip / 2 to each side of that, never back;
 *   against a wall or the edge one stays; each such step pays living_reward.
 *
 * After the end it stays as it is until a reset. A step is a step, however long it takes. Sensors:
 * `score`, all that was paid since the reset; `end`, 1 after the exit; `cell`, row by row from 0 at
 * the bottom left; `column`, `row`.
 *
 * Source: todddeluca/gym-berkeley-reinforcement, reinforcement/gridworld.py.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include <string.h>

enum { NORTH, SOUTH, EAST, WEST, EXIT, CHOICES_N };

enum { SCORE, END, CELL, COLUMN, ROW, SENSORS_N };

static const struct world_sensor sensors[SENSORS_N] = {
    {"score", 1}, {"end", 1}, {"cell", 1}, {"column", 1}, {"row", 1}};

#define CELLS_MAX    32
#define OUTCOMES_MAX 3

/* What a cell is, unless it is an exit that pays so much. */
enum { OO = 1000, WW, SS }; /* empty, wall, start */

struct layout {
    int columns, rows;
    short cell[CELLS_MAX]; /* the top row first */
};

/* clang-format off */
static const char *const layout_names[] = {"book", "bridge", "cliff", "cliff2", "discount", "maze", NULL};

static const struct layout layouts[] = {
    {4, 3, {OO, OO, OO,  1,
            OO, WW, OO, -1,
            SS, OO, OO, OO}},
    {7, 3, {WW, -100, -100, -100, -100, -100, WW,
             1,   SS,   OO,   OO,   OO,   OO, 10,
            WW, -100, -100, -100, -100, -100, WW}},
    {5, 3, {  OO,   OO,   OO,   OO,   OO,
              SS,   OO,   OO,   OO,   10,
            -100, -100, -100, -100, -100}},
    {5, 3, {  OO,   OO,   OO,   OO,   OO,
               8,   SS,   OO,   OO,   10,
            -100, -100, -100, -100, -100}},
    {5, 5, { OO,  OO,  OO,  OO,  OO,
             OO,  WW,  OO,  OO,  OO,
             OO,  WW,   1,  WW,  10,
             SS,  OO,  OO,  OO,  OO,
            -10, -10, -10, -10, -10}},
    {4, 5, {OO, OO, OO,  1,
            WW, WW, OO, WW,
            OO, WW, OO, OO,
            OO, WW, WW, OO,
            SS, OO, OO, OO}},
};

static const struct { int columns, rows; } step_of[] = {
    [NORTH] = {0, 1}, [SOUTH] = {0, -1}, [EAST] = {1, 0}, [WEST] = {-1, 0}};

static const int sides_of[][2] = {
    [NORTH] = {WEST, EAST}, [SOUTH] = {EAST, WEST}, [EAST] = {NORTH, SOUTH}, [WEST] = {SOUTH, NORTH}};

struct gridworld_config {
    int layout;
    double slip, living_reward;
};

#define AT(field) offsetof(struct gridworld_config, field)

static const struct option gridworld_options[] = {
    {.key = "layout", .type = OPTION_CHOICE, .offset = AT(layout), .def = "book", .choices = layout_names,
     .help = "which grid"},
    {.key = "slip", .type = OPTION_DOUBLE, .offset = AT(slip), .min = 0, .max = 1, .def = "0.2",
     .help = "chance that a step goes to a side, half of it to each: the noise of CS188"},
    {.key = "living_reward", .type = OPTION_DOUBLE, .offset = AT(living_reward), .min = -1e6, .max = 1e6, .def = "0",
     .help = "what each step pays but that through an exit"},
    {.key = NULL},
};

/* clang-format on */

struct gridworld {
    struct gridworld_config c;
    const struct layout *layout;
    int n_joints, start;
    int at[SENSORS_N];
};

/* Flat: copying it copies the world. */
struct gridworld_state {
    double cell, end; /* whole numbers */
    double score;
};

static int cell_of(const struct layout *l, int column, int row)
{
    return row * l->columns + column;
}

/* A wall, an exit's pay ... of cell number i. */
static int what_is(const struct layout *l, int i)
{
    const int row = i / l->columns;
    return l->cell[(l->rows - 1 - row) * l->columns + i % l->columns];
}

static bool is_exit(const struct layout *l, int i)
{
    return what_is(l, i) < OO;
}

static int gridworld_open(const void *config, const struct robot *robot, struct arena *mem,
                          void **ret_self, char *ret_why, int cap)
{
    struct gridworld z = {.c = *(const struct gridworld_config *)config,
                          .n_joints = robot->n_joints};
    int rc = sense_choices("gridworld", robot, CHOICES_N, ret_why, cap);
    rc = rc == 0 ? sense_extras("gridworld", robot, sensors, SENSORS_N, z.at, ret_why, cap) : rc;
    if (rc < 0) {
        return rc;
    }
    z.layout = &layouts[z.c.layout];
    while (what_is(z.layout, z.start) != SS) {
        z.start++;
    }
    struct gridworld *taken = arena_take(mem, sizeof *taken);
    *taken = z;
    *ret_self = taken;
    return 0;
}

static size_t gridworld_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct gridworld_state);
}

static void gridworld_reset(void *self, void *state, struct rng *rng)
{
    (void)rng;
    const struct gridworld *z = self;
    *(struct gridworld_state *)state = (struct gridworld_state){.cell = z->start};
}

static int neighbour(const struct layout *l, int i, int direction)
{
    const int column = i % l->columns + step_of[direction].columns;
    const int row = i / l->columns + step_of[direction].rows;
    const bool inside = column >= 0 && column < l->columns && row >= 0 && row < l->rows;
    return inside && what_is(l, cell_of(l, column, row)) != WW ? cell_of(l, column, row) : i;
}

/* Where a choice may lead, the direction that was asked first. */
static int gridworld_outcomes(void *self, const void *state, const struct command *cmd,
                              void *ret_states, double *ret_p, int n_max)
{
    const struct gridworld *z = self;
    const struct gridworld_state *s = state;
    struct gridworld_state *to = ret_states;
    const int i = (int)s->cell, choice = cmd->choice;
    basal_assert(n_max >= OUTCOMES_MAX);
    to[0] = *s;
    ret_p[0] = 1.0;
    if (s->end != 0.0) {
        return 1;
    }
    if (is_exit(z->layout, i)) {
        to[0].score += what_is(z->layout, i);
        to[0].end = 1.0;
        return 1;
    }
    to[0].score += z->c.living_reward;
    if (choice < NORTH || choice > WEST) { /* there is no exit here */
        return 1;
    }
    const int direction[OUTCOMES_MAX] = {choice, sides_of[choice][0], sides_of[choice][1]};
    const double p[OUTCOMES_MAX] = {1.0 - z->c.slip, 0.5 * z->c.slip, 0.5 * z->c.slip};
    const struct gridworld_state from = to[0];
    int n = 0;
    for (int k = 0; k < OUTCOMES_MAX; k++) {
        if (p[k] > 0.0) {
            to[n] = from;
            to[n].cell = neighbour(z->layout, i, direction[k]);
            ret_p[n++] = p[k];
        }
    }
    return n;
}

/* rng NULL: nothing slips. */
static void gridworld_step(void *self, void *state, const struct command *cmd, double dt_s,
                           struct rng *rng)
{
    (void)dt_s;
    struct gridworld_state to[OUTCOMES_MAX];
    double p[OUTCOMES_MAX];
    const int n = gridworld_outcomes(self, state, cmd, to, p, OUTCOMES_MAX);
    double u = rng != NULL ? rng_uniform(rng) : 0.0;
    int k = 0;
    while (k + 1 < n && u >= p[k]) {
        u -= p[k++];
    }
    *(struct gridworld_state *)state = to[k];
}

static void gridworld_sense(void *self, const void *state, struct rng *noise,
                            struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct gridworld *z = self;
    const struct gridworld_state *s = state;
    const int i = (int)s->cell;
    sense_begin(ret_sensed, z->n_joints);
    ret_sensed->legal = is_exit(z->layout, i) ? UINT64_C(1) << EXIT : (UINT64_C(1) << EXIT) - 1;
    sense_put(ret_sensed, z->at[SCORE], s->score);
    sense_put(ret_sensed, z->at[END], s->end);
    sense_put(ret_sensed, z->at[CELL], s->cell);
    const int column = i % z->layout->columns, row = i / z->layout->columns;
    sense_put(ret_sensed, z->at[COLUMN], column);
    sense_put(ret_sensed, z->at[ROW], row);
}

const struct sim sim_gridworld = {
    .name = "gridworld",
    .source = "the gridworlds of Berkeley's CS188, project 3",
    .options = gridworld_options,
    .config_bytes = sizeof(struct gridworld_config),
    .open = gridworld_open,
    .state_bytes = gridworld_state_bytes,
    .reset = gridworld_reset,
    .step = gridworld_step,
    .sense = gridworld_sense,
    .outcomes = gridworld_outcomes,
};
