/* Asterix, rule by rule (environments.md 7.2). */
#include "tests/unit/minatar_fixture.h"

#define YAML ROBOT("minatar-asterix")

enum { PLAYER, ENEMY, TRAIL, GOLD };

static struct asterix_state *s;

/* An empty field, nothing due for a while; the player at (x, y). */
static void field(int x, int y)
{
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    s->x = x;
    s->y = y;
    s->spawn_timer = s->move_timer = 1000;
}

static void put(int y, int x, int way, bool gold)
{
    s->row[y - 1] = (struct asterix_entity){.there = 1, .x = x, .way = way, .gold = gold};
}

static int n_there(void)
{
    int n = 0;
    for (int k = 0; k < ASTERIX_ROWS; k++) {
        n += s->row[k].there;
    }
    return n;
}

static void it_starts_in_the_middle_of_nothing(void **state)
{
    (void)state;
    s = game_open(YAML);
    assert_true(on(5, 5, PLAYER));
    assert_int_equal(n_on(PLAYER), 1);
    assert_int_equal(n_on(ENEMY) + n_on(TRAIL) + n_on(GOLD), 0);
    rig_close(&rig);
}

static void the_player_stays_within_rows_1_to_8(void **state)
{
    (void)state;

    static const struct {
        enum minatar_action action;
        int x, y;
    } ends[] = {
        {MINATAR_LEFT, 0, 5}, {MINATAR_RIGHT, 9, 5}, {MINATAR_UP, 5, 1}, {MINATAR_DOWN, 5, 8}};

    s = game_open(YAML);
    for (int k = 0; k < 4; k++) {
        field(5, 5);
        (void)frame(ends[k].action);
        assert_int_equal(abs(s->x - 5) + abs(s->y - 5), 1);
        frames(ends[k].action, 10);
        assert_true(s->x == ends[k].x && s->y == ends[k].y);
        (void)frame(MINATAR_FIRE);
        assert_true(s->x == ends[k].x && s->y == ends[k].y);
    }
    rig_close(&rig);
}

/* The first comes in frame 11, the next every tenth. */
static void one_comes_every_ten_frames(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5, 5);
    s->spawn_timer = s->spawn_every;
    for (int k = 1; k <= 60; k++) {
        (void)frame(MINATAR_NOOP);
        assert_int_equal(n_there(), (k - 1) / 10);
    }
    rig_close(&rig);
}

/* From either side, in any free row, a third of them gold; of 6,000, 2,000 +- 37. */
static void who_comes_and_where_is_drawn(void **state)
{
    (void)state;

    enum { N = 6000 };

    int gold = 0, left = 0, at[ASTERIX_ROWS] = {0};
    s = game_open(YAML);
    for (int k = 0; k < N; k++) {
        field(5, 5);
        put(2, 3, 1, false);
        s->spawn_timer = 0;
        (void)frame(MINATAR_NOOP);
        assert_int_equal(n_there(), 2);
        for (int r = 0; r < ASTERIX_ROWS; r++) {
            const struct asterix_entity *e = &s->row[r];
            if (e->there != 0 && r != 1) {
                at[r]++;
                gold += e->gold;
                left += e->x == 0;
                assert_true((e->x == 0 && e->way == 1) || (e->x == 9 && e->way == -1));
            }
        }
    }
    assert_near((double)gold / N, 1.0 / 3.0, 0.02);
    assert_near((double)left / N, 0.5, 0.02);
    for (int r = 0; r < ASTERIX_ROWS; r++) {
        assert_near((double)at[r] / N, r == 1 ? 0.0 : 1.0 / 7.0, 0.02);
    }
    rig_close(&rig);
}

static void a_full_field_gets_nobody(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5, 5);
    for (int y = 1; y <= 8; y++) {
        put(y, 2, 1, false);
    }
    s->spawn_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_int_equal(n_there(), 8);
    for (int k = 0; k < ASTERIX_ROWS; k++) {
        assert_int_equal(s->row[k].x, 2);
    }
    rig_close(&rig);
}

/* The player steps onto it, or is stepped onto. */
static void gold_is_a_point_an_enemy_the_end(void **state)
{
    (void)state;
    s = game_open(YAML);
    for (int gold = 0; gold < 2; gold++) {
        for (int stepped_onto = 0; stepped_onto < 2; stepped_onto++) {
            field(5, 5);
            put(5, 4, 1, gold);
            s->move_timer = stepped_onto ? 0 : 1000;
            assert_int_equal(frame(stepped_onto ? MINATAR_NOOP : MINATAR_LEFT), gold);
            assert_int_equal(is_over(), !gold);
            assert_int_equal(n_there(), !gold);
        }
    }
    rig_close(&rig);
}

/* All together, every fifth frame, first in frame 6; beyond the edge they are gone. */
static void entities_move_every_five_frames(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5, 5);
    put(1, 3, 1, false);
    put(2, 1, -1, true);
    s->move_timer = s->move_every;
    assert_true(on(3, 1, ENEMY) && on(2, 1, TRAIL) && on(1, 2, GOLD) && on(2, 2, TRAIL));
    for (int k = 1; k <= 25; k++) {
        (void)frame(MINATAR_NOOP);
        assert_int_equal(s->row[0].x, 3 + (k - 1) / 5);
        assert_int_equal(s->row[1].there, k < 11);
    }
    assert_int_equal(n_on(GOLD), 0);
    rig_close(&rig);
}

/* Ramps in frames 102, 204, ...: spawning each time, moving every second time, neither below 1. */
static void it_gets_faster(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5, 5);
    for (int k = 1; k <= 102 * 12; k++) {
        s->spawn_timer = s->move_timer = 1000;
        (void)frame(MINATAR_NOOP);
        const int ramps = k / 102, spawn = 10 - ramps, move = 5 - ramps / 2;
        assert_int_equal(s->spawn_every, spawn > 1 ? spawn : 1);
        assert_int_equal(s->move_every, move > 1 ? move : 1);
    }
    rig_close(&rig);
}

static void without_ramping_it_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const sets[] = {"sim.sticky_frac=0", "sim.ramping=false"};
    rig_open_with(&rig, YAML, sets, 2);
    s = (void *)rig.state;
    field(5, 5);
    for (int k = 0; k < 1000; k++) {
        s->spawn_timer = 1000;
        (void)frame(MINATAR_NOOP);
    }
    assert_true(s->spawn_every == 10 && s->move_every == 5);
    rig_close(&rig);
}

/* MinAtar 1.0.15 itself, 3,000 games at random: 0.494 +- 0.015, 70.5 +- 0.8 frames; so says 7.6. */
static void at_random_it_has_minatars_return_7_6(void **state)
{
    (void)state;
    double length;
    const double mean = at_random(YAML, 10000, &length);
    assert_near(mean, 0.494, 0.04);
    assert_near(length, 70.5, 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_in_the_middle_of_nothing),
        cmocka_unit_test(the_player_stays_within_rows_1_to_8),
        cmocka_unit_test(one_comes_every_ten_frames),
        cmocka_unit_test(who_comes_and_where_is_drawn),
        cmocka_unit_test(a_full_field_gets_nobody),
        cmocka_unit_test(gold_is_a_point_an_enemy_the_end),
        cmocka_unit_test(entities_move_every_five_frames),
        cmocka_unit_test(it_gets_faster),
        cmocka_unit_test(without_ramping_it_stays_as_it_is),
        cmocka_unit_test(at_random_it_has_minatars_return_7_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
