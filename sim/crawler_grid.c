/*
 * The crawler of Berkeley's CS188, project 3: a body that a two-link arm drags along. Its joints
 * have 9 and 13 positions, a choice moves one of them by one; what would leave the range is not
 * legal. product: every choice moves both, and an end of the range stops one.
 *
 *   a = -pi/6 + arm pi/24,  h = -5pi/6 + hand 5pi/72          both against the body
 *   X = 60 cos a + 40 cos h + 80,  Y = 60 sin a + 40 sin h + 40
 *
 * X, Y is the tip of the hand, seen from the rear bottom corner of the level body. Where Y < 0 it
 * touches the ground, the body tips about that corner, and the tip is at distance |(X, Y)| from it.
 * As long as it touches it does not move, so the body goes by what that distance shrinks; on
 * touching down and lifting off the straight way between two tips is cut at Y = 0.
 *
 * No end, nothing by chance, and a step is a step, however long it takes. Sensors: `arm`, `hand`,
 * `x`, the way since the reset, and `tip`, X and Y.
 *
 * Source: todddeluca/gym-berkeley-reinforcement, reinforcement/crawler.py.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include <math.h>

#define ARM_LENGTH  60.0
#define HAND_LENGTH 40.0
#define BODY_WIDTH  80.0
#define BODY_HEIGHT 40.0
#define ARMS        9  /* positions */
#define HANDS       13 /* positions */
#define CHOICES_N   4

enum { ARM, HAND, X, TIP, SENSORS_N };

static const struct world_sensor sensors[SENSORS_N] = {
    {"arm", 1}, {"hand", 1}, {"x", 1}, {"tip", 2}};

/* Choice -> positions that it moves the arm and the hand. */
static const int moves[2][CHOICES_N][2] = {
    {{1, 0}, {-1, 0}, {0, 1}, {0, -1}},
    {{1, 1}, {1, -1}, {-1, 1}, {-1, -1}},
};

struct crawler_grid_config {
    bool product;
};

/* clang-format off */
static const struct option crawler_grid_options[] = {
    {.key = "product", .type = OPTION_BOOL, .offset = offsetof(struct crawler_grid_config, product), .def = "false",
     .help = "a choice moves both joints, in place of one: up up, up down, down up, down down"},
    {.key = NULL},
};

/* clang-format on */

struct crawler_grid {
    struct crawler_grid_config c;
    int n_joints;
    int at[SENSORS_N];
};

/* Flat: copying it copies the world. */
struct crawler_grid_state {
    double arm, hand; /* whole numbers */
    double x;
};

struct tip {
    double x, y;
};

static int crawler_grid_open(const void *config, const struct robot *robot, struct arena *mem,
                             void **ret_self, char *ret_why, int cap)
{
    struct crawler_grid z = {.c = *(const struct crawler_grid_config *)config,
                             .n_joints = robot->n_joints};
    int rc = sense_choices("crawler_grid", robot, CHOICES_N, ret_why, cap);
    rc = rc == 0 ? sense_extras("crawler_grid", robot, sensors, SENSORS_N, z.at, ret_why, cap) : rc;
    if (rc == 0) {
        struct crawler_grid *taken = arena_take(mem, sizeof *taken);
        *taken = z;
        *ret_self = taken;
    }
    return rc;
}

static size_t crawler_grid_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct crawler_grid_state);
}

static void crawler_grid_reset(void *self, void *state, struct rng *rng)
{
    (void)self;
    (void)rng;
    const int arm = (ARMS - 1) / 2, hand = (HANDS - 1) / 2;
    *(struct crawler_grid_state *)state = (struct crawler_grid_state){.arm = arm, .hand = hand};
}

static struct tip tip_of(const struct crawler_grid_state *s)
{
    const double a = -M_PI / 6.0 + s->arm * (M_PI / 3.0) / (ARMS - 1);
    const double h = -5.0 * M_PI / 6.0 + s->hand * (5.0 * M_PI / 6.0) / (HANDS - 1);
    return (struct tip){ARM_LENGTH * cos(a) + HAND_LENGTH * cos(h) + BODY_WIDTH,
                        ARM_LENGTH * sin(a) + HAND_LENGTH * sin(h) + BODY_HEIGHT};
}

/* Where the way between two tips, one above the ground and one below, is cut by it. */
static double crossing(struct tip a, struct tip b)
{
    return a.x - a.y * (b.x - a.x) / (b.y - a.y);
}

/* How far the body goes while the tip of its hand goes from one place to the other. */
static double way(struct tip from, struct tip to)
{
    const double reach_from = hypot(from.x, from.y), reach_to = hypot(to.x, to.y);
    if (to.y < 0.0) {
        return (from.y <= 0.0 ? reach_from : crossing(from, to)) - reach_to;
    }
    return from.y < 0.0 ? reach_from - crossing(to, from) : 0.0;
}

static bool inside(double position, int positions)
{
    return position >= 0.0 && position < positions;
}

static bool is_legal(const struct crawler_grid *z, const struct crawler_grid_state *s, int choice)
{
    const int *by = moves[z->c.product][choice];
    return z->c.product || (inside(s->arm + by[0], ARMS) && inside(s->hand + by[1], HANDS));
}

static void crawler_grid_step(void *self, void *state, const struct command *cmd, double dt_s,
                              struct rng *rng)
{
    (void)dt_s;
    (void)rng;
    const struct crawler_grid *z = self;
    struct crawler_grid_state *s = state;
    if (cmd->choice < 0 || cmd->choice >= CHOICES_N) {
        return;
    }
    const int *by = moves[z->c.product][cmd->choice];
    const struct tip from = tip_of(s);
    s->arm += inside(s->arm + by[0], ARMS) ? by[0] : 0;
    s->hand += inside(s->hand + by[1], HANDS) ? by[1] : 0;
    s->x += way(from, tip_of(s));
}

static int crawler_grid_outcomes(void *self, const void *state, const struct command *cmd,
                                 void *ret_states, double *ret_p, int n_max)
{
    basal_assert(n_max >= 1);
    *(struct crawler_grid_state *)ret_states = *(const struct crawler_grid_state *)state;
    crawler_grid_step(self, ret_states, cmd, 0.0, NULL);
    ret_p[0] = 1.0;
    return 1;
}

static void crawler_grid_sense(void *self, const void *state, struct rng *noise,
                               struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct crawler_grid *z = self;
    const struct crawler_grid_state *s = state;
    sense_begin(ret_sensed, z->n_joints);
    ret_sensed->legal = 0;
    for (int a = 0; a < CHOICES_N; a++) {
        ret_sensed->legal |= is_legal(z, s, a) ? UINT64_C(1) << a : 0;
    }
    sense_put(ret_sensed, z->at[ARM], s->arm);
    sense_put(ret_sensed, z->at[HAND], s->hand);
    sense_put(ret_sensed, z->at[X], s->x);
    const struct tip tip = tip_of(s);
    sense_put_all(ret_sensed, z->at[TIP], (const double[]){tip.x, tip.y}, 2);
}

const struct sim sim_crawler_grid = {
    .name = "crawler_grid",
    .source = "the crawler of Berkeley's CS188, project 3",
    .options = crawler_grid_options,
    .config_bytes = sizeof(struct crawler_grid_config),
    .open = crawler_grid_open,
    .state_bytes = crawler_grid_state_bytes,
    .reset = crawler_grid_reset,
    .step = crawler_grid_step,
    .sense = crawler_grid_sense,
    .outcomes = crawler_grid_outcomes,
};
