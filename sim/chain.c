/*
 * A chain of states and two choices. In each state one of them is right and leads one state on; the
 * right one in the last state is paid. The other ends the episode, or leads back: who acts at
 * random is paid once in 2^states tries, and what is learned has to travel back all the way.
 *
 *   wrong: end    the blind cliff walk: Q(i, right) = gamma^(states - 1 - i), Q(i, wrong) = 0
 *   wrong: start  the chain: the same but for Q(i, wrong) = gamma^states
 *   goal_ends: false, slip 0.2, 5 states, goal_reward 10, wrong_reward 2: Strens' chain (2000)
 *
 * It begins in state 0. After its end it stays where it is until it is reset. One step per call,
 * whatever dt. Sensors: `state` from 0 on, after the end too (the one that it ended in); `score`,
 * all that was paid; `end`, 1 when it is over.
 *
 * Source: Schaul et al. 2016, arXiv:1511.05952, 3.1 and figure 1; Strens 2000, "A Bayesian
 * framework for reinforcement learning", figure 1.
 */
#include "sim/sense.h"
#include "sim/sim.h"

#include <string.h>

enum { CHOICES_N = 2 };

enum { STATE, SCORE, END, SENSORS_N };

enum wrong { WRONG_END, WRONG_START, WRONG_BACK };

enum pattern { PATTERN_SAME, PATTERN_ALTERNATE };

static const char *const wrong_names[] = {"end", "start", "back", NULL};
static const char *const pattern_names[] = {"same", "alternate", NULL};
static const struct world_sensor sensors[SENSORS_N] = {{"state", 1}, {"score", 1}, {"end", 1}};

struct chain_config {
    int states, wrong, pattern;
    bool goal_ends;
    double goal_reward, wrong_reward, slip;
};

#define AT(field) offsetof(struct chain_config, field)

/* clang-format off */
static const struct option chain_options[] = {
    {.key = "states", .type = OPTION_INT, .offset = AT(states), .min = 1, .max = 1000, .def = "10",
     .help = "length of the chain"},
    {.key = "wrong", .type = OPTION_CHOICE, .offset = AT(wrong), .def = "end", .choices = wrong_names,
     .help = "what the wrong choice does: ends the episode, leads back to the start, or one state back"},
    {.key = "pattern", .type = OPTION_CHOICE, .offset = AT(pattern), .def = "same", .choices = pattern_names,
     .help = "which choice is right: the second one everywhere, or the first and the second in turn"},
    {.key = "goal_ends", .type = OPTION_BOOL, .offset = AT(goal_ends), .def = "true",
     .help = "the right choice in the last state ends the episode; false: it stays there"},
    {.key = "goal_reward", .type = OPTION_DOUBLE, .offset = AT(goal_reward), .min = -1e6, .max = 1e6, .def = "1",
     .help = "what the right choice in the last state is paid"},
    {.key = "wrong_reward", .type = OPTION_DOUBLE, .offset = AT(wrong_reward), .min = -1e6, .max = 1e6, .def = "0",
     .help = "what a wrong choice is paid"},
    {.key = "slip", .type = OPTION_DOUBLE, .offset = AT(slip), .min = 0, .max = 1, .def = "0",
     .help = "chance that the other choice is made"},
    {.key = NULL},
};

/* clang-format on */

struct chain {
    struct chain_config c;
    int n; /* joints of the robot */
    int at[SENSORS_N];
};

/* Flat: copying it copies the world. */
struct chain_state {
    double at, score, end;
};

static int chain_open(const void *config, const struct robot *robot, struct arena *mem,
                      void **ret_self, char *ret_why, int cap)
{
    struct chain z = {.c = *(const struct chain_config *)config, .n = robot->n_joints};
    int rc = sense_choices("chain", robot, CHOICES_N, ret_why, cap);
    rc = rc == 0 ? sense_extras("chain", robot, sensors, SENSORS_N, z.at, ret_why, cap) : rc;
    if (rc == 0) {
        struct chain *taken = arena_take(mem, sizeof *taken);
        *taken = z;
        *ret_self = taken;
    }
    return rc;
}

static size_t chain_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct chain_state);
}

static void chain_reset(void *self, void *state, struct rng *rng)
{
    (void)self;
    (void)rng;
    memset(state, 0, sizeof(struct chain_state));
}

static bool is_right(const struct chain_config *c, const struct chain_state *s, int choice)
{
    return choice == (c->pattern == PATTERN_SAME ? 1 : (int)s->at % 2);
}

static void go_on(const struct chain_config *c, struct chain_state *s)
{
    if ((int)s->at + 1 < c->states) {
        s->at += 1.0;
        return;
    }
    s->score += c->goal_reward;
    s->end = c->goal_ends ? 1.0 : 0.0;
}

static void go_wrong(const struct chain_config *c, struct chain_state *s)
{
    s->score += c->wrong_reward;
    s->end = c->wrong == WRONG_END ? 1.0 : 0.0;
    if (c->wrong == WRONG_START) {
        s->at = 0.0;
    } else if (c->wrong == WRONG_BACK && s->at > 0.0) {
        s->at -= 1.0;
    }
}

static void move(const struct chain_config *c, struct chain_state *s, bool right)
{
    if (s->end != 0.0) {
        return;
    }
    if (right) {
        go_on(c, s);
    } else {
        go_wrong(c, s);
    }
}

static void chain_step(void *self, void *state, const struct command *cmd, double dt_s,
                       struct rng *rng)
{
    (void)dt_s;
    const struct chain_config *c = &((const struct chain *)self)->c;
    struct chain_state *s = state;
    const bool slips = c->slip > 0.0 && rng_uniform(rng) < c->slip;
    move(c, s, is_right(c, s, cmd->choice) != slips);
}

static int chain_outcomes(void *self, const void *state, const struct command *cmd,
                          void *ret_states, double *ret_p, int n_max)
{
    const struct chain_config *c = &((const struct chain *)self)->c;
    const struct chain_state *s = state;
    struct chain_state *to = ret_states;
    int n = 0;
    for (int slips = 0; slips < 2; slips++) {
        const double p = slips != 0 ? c->slip : 1.0 - c->slip;
        if (p > 0.0 && n < n_max) {
            to[n] = *s;
            move(c, &to[n], is_right(c, s, cmd->choice) != (slips != 0));
            ret_p[n++] = p;
        }
    }
    return n;
}

static void chain_sense(void *self, const void *state, struct rng *noise, struct sensed *ret_sensed)
{
    (void)noise; /* its sensors are perfect */
    const struct chain *z = self;
    const struct chain_state *s = state;
    sense_begin(ret_sensed, z->n);
    sense_put(ret_sensed, z->at[STATE], s->at);
    sense_put(ret_sensed, z->at[SCORE], s->score);
    sense_put(ret_sensed, z->at[END], s->end);
}

const struct sim sim_chain = {
    .name = "chain",
    .source = "blind cliff walk of arXiv:1511.05952; Strens' chain",
    .options = chain_options,
    .config_bytes = sizeof(struct chain_config),
    .open = chain_open,
    .state_bytes = chain_state_bytes,
    .reset = chain_reset,
    .step = chain_step,
    .sense = chain_sense,
    .outcomes = chain_outcomes,
};
