#include "sim/minatar.h"

#include "sim/sense.h"

#include <errno.h>
#include <string.h>

#define AT(field) offsetof(struct minatar_config, field)

/* clang-format off */
#define STICKY \
    {.key = "sticky_frac", .type = OPTION_DOUBLE, .offset = AT(sticky_frac), .min = 0, .max = 1, .def = "0.1", \
     .help = "of the frames, those that repeat the action executed last instead of taking the one chosen"}

const struct option minatar_steady_options[] = {STICKY, {.key = NULL}};
const struct option minatar_options[] = {STICKY,
    {.key = "ramping", .type = OPTION_BOOL, .offset = AT(ramping), .def = "true",
     .help = "the game becomes more difficult as it goes on"},
    {.key = NULL}};

/* clang-format on */

enum { SCORE, END, N_SENSORS };

static const struct world_sensor minatar_sensors[N_SENSORS] = {
    [SCORE] = {"score", 1}, [END] = {"end", 1}};

static const char *const action_names[MINATAR_ACTIONS] = {"noop",  "left", "up",
                                                          "right", "down", "fire"};

struct minatar {
    const struct minatar_game *game;
    struct minatar_config c;
    int n_joints;
    int n_choices, action[MINATAR_ACTIONS]; /* of each choice of the robot */
    int at[N_SENSORS];
    uint8_t frame[MINATAR_SIDE * MINATAR_SIDE * MINATAR_CHANNELS];
};

static int action_named(const char *name)
{
    for (int a = 0; a < MINATAR_ACTIONS; a++) {
        if (strcmp(action_names[a], name) == 0) {
            return a;
        }
    }
    return -1;
}

static int open_choices(struct minatar *z, const struct robot *robot, char *ret_why, int cap)
{
    if (robot->n_choices < 1 || robot->n_choices > MINATAR_ACTIONS) {
        return why(ret_why, cap, -EINVAL, "choices: sim %s has 1 to %d, the robot file names %d",
                   z->game->name, MINATAR_ACTIONS, robot->n_choices);
    }
    for (int k = 0; k < robot->n_choices; k++) {
        z->action[k] = action_named(robot->choice[k]);
        if (z->action[k] < 0) {
            return why(ret_why, cap, -EINVAL,
                       "choices: sim %s knows noop, left, up, right, down and fire, not \"%s\"",
                       z->game->name, robot->choice[k]);
        }
    }
    z->n_choices = robot->n_choices;
    return 0;
}

int minatar_open(const struct minatar_game *game, const void *config, const struct robot *robot,
                 struct arena *mem, void **ret_self, char *ret_why, int cap)
{
    const struct picture_spec picture = {MINATAR_SIDE, MINATAR_SIDE, game->channels};
    struct minatar *z = arena_take(mem, sizeof *z);
    *z = (struct minatar){.game = game, .n_joints = robot->n_joints};
    memcpy(&z->c, config, sizeof z->c);
    int rc = open_choices(z, robot, ret_why, cap);
    rc = rc == 0 ? sense_picture(game->name, robot, picture, ret_why, cap) : rc;
    rc = rc == 0 ? sense_extras(game->name, robot, minatar_sensors, N_SENSORS, z->at, ret_why, cap)
                 : rc;
    *ret_self = rc == 0 ? z : *ret_self;
    return rc;
}

size_t minatar_state_bytes(const void *self)
{
    const struct minatar *z = self;
    return z->game->state_bytes;
}

void minatar_reset(void *self, void *state, struct rng *rng)
{
    const struct minatar *z = self;
    memset(state, 0, z->game->state_bytes);
    z->game->reset(state, rng);
}

void minatar_step(void *self, void *state, const struct command *cmd, double dt_s, struct rng *rng)
{
    (void)dt_s;
    const struct minatar *z = self;
    struct minatar_state *s = state;
    if (s->over != 0) {
        return;
    }
    const bool chosen = cmd->choice >= 0 && cmd->choice < z->n_choices;
    const bool again = z->c.sticky_frac > 0.0 && rng_uniform(rng) < z->c.sticky_frac;
    s->action = again ? s->action : chosen ? z->action[cmd->choice] : MINATAR_NOOP;
    z->game->frame(state, &z->c, (enum minatar_action)s->action, rng);
}

void minatar_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    struct minatar *z = self;
    const struct minatar_state *s = state;
    struct minatar_picture picture = {z->game->channels, z->frame};
    sense_begin(ret_sensed, z->n_joints);
    memset(z->frame, 0, sizeof z->frame);
    z->game->draw(state, &picture);
    ret_sensed->frame = z->frame;
    sense_put(ret_sensed, z->at[SCORE], (double)s->score);
    sense_put(ret_sensed, z->at[END], (double)s->over);
}

void minatar_draw(struct minatar_picture *p, int x, int y, int channel)
{
    if (minatar_inside(x) && minatar_inside(y)) {
        p->point[(y * MINATAR_SIDE + x) * p->channels + channel] = 255;
    }
}

int minatar_clamp(int x, int most)
{
    return x < 0 ? 0 : x > most ? most : x;
}
