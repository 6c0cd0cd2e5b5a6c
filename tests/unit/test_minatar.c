/* What the five games have in common: their actions, sticky or not, their picture, their end. */
#include "tests/unit/minatar_fixture.h"

#include <errno.h>
#include <stdio.h>

#define YAML ROBOT("minatar-breakout")

static const char *const games[] = {ROBOT("minatar-breakout"), ROBOT("minatar-asterix"),
                                    ROBOT("minatar-freeway"), ROBOT("minatar-seaquest"),
                                    ROBOT("minatar-space-invaders")};
static const int n_games = sizeof games / sizeof games[0];

static void a_copy_of_the_state_is_a_copy_of_the_game(void **state)
{
    (void)state;
    for (int k = 0; k < n_games; k++) {
        check_copy(games[k]);
    }
}

/* At random, with sticky actions, until each is over: then it stays where it is, and a reset lets
 * it go on. */
static void what_is_over_stays_where_it_is(void **state)
{
    (void)state;
    for (int k = 0; k < n_games; k++) {
        static uint8_t kept[1 << 16];
        float act[ACT_MAX];
        rig_open(&rig, games[k]);
        rig.sim->reset(rig.self, rig.state, &rig.rng);
        for (int i = 0; i < 1000000 && !is_over(); i++) {
            some_action(&rig, &rig.rng, act);
            rig_step(&rig, act);
        }
        assert_true(is_over() && rig.state_bytes < sizeof kept);
        memcpy(kept, rig.state, rig.state_bytes);
        frames(MINATAR_LEFT, 30);
        assert_memory_equal(kept, rig.state, rig.state_bytes);
        rig.sim->reset(rig.self, rig.state, &rig.rng);
        assert_false(is_over());
        assert_true(rig_extra(&rig, "score", 0) == 0.0);
        rig_close(&rig);
    }
}

/* Of 20,000 first frames to the left a tenth do nothing, for that is what was done before. */
static void a_tenth_of_the_actions_are_those_before(void **state)
{
    (void)state;

    enum { FRAMES = 20000 };

    rig_open(&rig, YAML);
    struct breakout_state *s = (void *)rig.state;
    int wrong = 0;
    for (int k = 0; k < FRAMES; k++) {
        rig.sim->reset(rig.self, rig.state, &rig.rng);
        frames(MINATAR_LEFT, 1);
        wrong += s->head.action != MINATAR_LEFT;
        assert_true(s->head.action == MINATAR_LEFT || s->head.action == MINATAR_NOOP);
        assert_int_equal(s->paddle, s->head.action == MINATAR_LEFT ? 3 : 4);
    }
    assert_near((double)wrong / FRAMES, 0.1, 0.01);
    rig_close(&rig);
    s = game_open(YAML);
    frames(MINATAR_LEFT, 1);
    frames(MINATAR_RIGHT, 1);
    assert_int_equal(s->paddle, 4);
    rig_close(&rig);
}

/* Three of the six, in another order. */
static void choices_go_by_their_names(void **state)
{
    (void)state;
    char reason[WHY_CHARS];
    struct breakout_state *s = game_open(YAML);
    struct robot *r = &rig.config.robot;
    r->n_choices = 3;
    (void)snprintf(r->choice[0], NAME_CHARS, "right");
    (void)snprintf(r->choice[1], NAME_CHARS, "noop");
    (void)snprintf(r->choice[2], NAME_CHARS, "left");
    assert_int_equal(
        rig.sim->open(rig.config.sim_config, r, &rig.mem, &rig.self, reason, sizeof reason), 0);
    rig_step(&rig, (const float[]){0});
    assert_int_equal(s->paddle, 5);
    rig_step(&rig, (const float[]){1});
    assert_int_equal(s->paddle, 5);
    rig_step(&rig, (const float[]){2});
    assert_int_equal(s->paddle, 4);
    rig_close(&rig);
}

static void refused(const char *sentence)
{
    char reason[WHY_CHARS];
    assert_int_equal(rig.sim->open(rig.config.sim_config, &rig.config.robot, &rig.mem, &rig.self,
                                   reason, sizeof reason),
                     -EINVAL);
    assert_string_equal(reason, sentence);
}

static void other_choices_and_pictures_are_refused(void **state)
{
    (void)state;
    (void)game_open(YAML);
    struct robot *r = &rig.config.robot;
    r->picture.c = 3;
    refused("picture: sim breakout shows 10 x 10 x 4 (height, width, channels), the robot file "
            "wants 10 x 10 x 3");
    (void)snprintf(r->choice[2], NAME_CHARS, "jump");
    refused("choices: sim breakout knows noop, left, up, right, down and fire, not \"jump\"");
    r->n_choices = 0;
    refused("choices: sim breakout has 1 to 6, the robot file names 0");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_game),
        cmocka_unit_test(what_is_over_stays_where_it_is),
        cmocka_unit_test(a_tenth_of_the_actions_are_those_before),
        cmocka_unit_test(choices_go_by_their_names),
        cmocka_unit_test(other_choices_and_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
