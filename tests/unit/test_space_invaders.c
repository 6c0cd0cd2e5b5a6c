/* Space Invaders, rule by rule (environments.md 7.5). */
#include "tests/unit/minatar_fixture.h"

#define YAML ROBOT("minatar-space-invaders")

enum { CANNON, ALIEN, ALIEN_LEFT, ALIEN_RIGHT, FRIENDLY, ENEMY };

static struct invaders_state *s;

/* One alien far away that keeps the wave alive, nothing due for a while; the cannon at x. */
static void field(int x)
{
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    memset(s->alien, 0, sizeof s->alien);
    s->alien[0] = 1u << 9;
    s->x = x;
    s->move_timer = s->alien_shot_timer = 1000;
}

static void it_starts_with_a_block_of_24(void **state)
{
    (void)state;
    s = game_open(YAML);
    assert_true(on(5, 9, CANNON) && on(2, 0, ALIEN) && on(7, 3, ALIEN) && on(2, 0, ALIEN_LEFT));
    assert_true(!on(1, 0, ALIEN) && !on(8, 0, ALIEN) && !on(2, 4, ALIEN));
    assert_int_equal(n_on(ALIEN), 24);
    assert_int_equal(n_on(ALIEN_LEFT), 24);
    assert_int_equal(n_on(ALIEN_RIGHT) + n_on(FRIENDLY) + n_on(ENEMY), 0);
    assert_int_equal(n_on(CANNON), 1);
    rig_close(&rig);
}

static void the_cannon_stays_on_its_row(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5);
    (void)frame(MINATAR_LEFT);
    assert_int_equal(s->x, 4);
    frames(MINATAR_LEFT, 9);
    assert_int_equal(s->x, 0);
    frames(MINATAR_RIGHT, 20);
    assert_int_equal(s->x, 9);
    rig_close(&rig);
}

/* Row 8 in the frame of the shot, one row up in each that follows; the next shot after five. */
static void a_bullet_flies_up(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(3);
    for (int k = 1; k <= 10; k++) {
        (void)frame(MINATAR_FIRE);
        assert_int_equal(on(3, 9 - k, FRIENDLY), k < 10);
        assert_int_equal(n_on(FRIENDLY), k < 6 ? 1 : k < 10 ? 2 : 1);
    }
    rig_close(&rig);
}

/* As many frames as there are aliens, but no more than 12, and one step of the timer to 0. */
static void few_aliens_move_faster(void **state)
{
    (void)state;
    s = game_open(YAML);
    s->alien_shot_timer = 1000;
    for (int k = 1; k <= 26; k++) {
        (void)frame(MINATAR_NOOP);
        assert_int_equal(on(2 - (k - 1) / 12, 0, ALIEN), true);
        assert_int_equal(on(7 - (k - 1) / 12, 0, ALIEN), true);
        assert_int_equal(n_on(ALIEN), 24);
    }
    field(0);
    s->alien[0] = 7u << 5;
    s->move_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_int_equal(s->alien[0], 7u << 4);
    frames(MINATAR_NOOP, 2);
    assert_int_equal(s->alien[0], 7u << 4);
    (void)frame(MINATAR_NOOP);
    assert_int_equal(s->alien[0], 7u << 3);
    rig_close(&rig);
}

static void at_an_edge_they_come_down_and_turn(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5);
    s->alien[0] = 1u;
    s->alien[2] = 1u << 3;
    s->move_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(s->way == 1 && s->alien[0] == 0 && s->alien[1] == 1u && s->alien[3] == 1u << 3);
    assert_int_equal(n_on(ALIEN_RIGHT), 2);
    s->move_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(s->alien[1] == 1u << 1 && s->alien[3] == 1u << 4);
    field(5);
    s->alien[0] = 1u << 9;
    s->way = 1;
    s->move_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(s->way == -1 && s->alien[0] == 0 && s->alien[1] == 1u << 9);
    rig_close(&rig);
}

/* One that would leave the bottom row; one that moves onto the cannon; a cannon that moves onto
 * one.
 */
static void aliens_at_the_bottom_are_the_end(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5);
    s->alien[9] = 1u;
    s->move_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(is_over());
    field(5);
    s->alien[0] = 0;
    s->alien[9] = 1u << 6;
    s->move_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(is_over());
    field(5);
    s->alien[9] = 1u << 6;
    (void)frame(MINATAR_NOOP);
    assert_false(is_over());
    (void)frame(MINATAR_RIGHT);
    assert_true(is_over());
    rig_close(&rig);
}

/* The lowest alien of the column nearest to the cannon, of two the left one; from frame 11 on every
 * tenth; the bullet moves from the next frame on and ends the game on the cannon. */
static void the_nearest_alien_shoots(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5);
    s->alien[2] = 1u << 3 | 1u << 7;
    s->alien[4] = 1u << 3;
    s->alien_shot_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(on(3, 4, ENEMY));
    assert_int_equal(n_on(ENEMY), 1);
    (void)frame(MINATAR_RIGHT);
    assert_true(on(3, 5, ENEMY));
    s->alien_shot_timer = 0;
    (void)frame(MINATAR_NOOP);
    assert_true(on(7, 2, ENEMY));
    frames(MINATAR_NOOP, 6);
    assert_true(on(7, 8, ENEMY));
    s->x = 7;
    (void)frame(MINATAR_NOOP);
    assert_true(is_over());
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    frames(MINATAR_NOOP, 10);
    assert_int_equal(n_on(ENEMY), 0);
    (void)frame(MINATAR_NOOP);
    assert_int_equal(n_on(ENEMY), 1);
    frames(MINATAR_LEFT, 9);
    assert_int_equal(n_on(ENEMY), 0);
    (void)frame(MINATAR_NOOP);
    assert_int_equal(n_on(ENEMY), 1);
    rig_close(&rig);
}

static void a_bullet_and_an_alien_are_a_point(void **state)
{
    (void)state;
    s = game_open(YAML);
    field(5);
    s->alien[3] = 1u << 5 | 1u << 6;
    s->bullet[4] = 1u << 5;
    assert_int_equal(frame(MINATAR_NOOP), 1);
    assert_true(s->alien[3] == 1u << 6 && s->bullet[3] == 0);
    rig_close(&rig);
}

/* A frame faster for each wave, down to 6. */
static void the_next_wave_comes_faster(void **state)
{
    (void)state;
    s = game_open(YAML);
    for (int wave = 1; wave <= 8; wave++) {
        memset(s->alien, 0, sizeof s->alien);
        s->alien[3] = 1u << 5;
        s->bullet[4] = 1u << 5;
        s->move_timer = s->alien_shot_timer = 1000;
        assert_int_equal(frame(MINATAR_NOOP), 1);
        assert_int_equal(n_on(ALIEN), 24);
        assert_int_equal(s->move_every, wave < 6 ? 12 - wave : 6);
    }
    rig_close(&rig);
}

static void without_ramping_it_does_not(void **state)
{
    (void)state;
    static const char *const sets[] = {"sim.sticky_frac=0", "sim.ramping=false"};
    rig_open_with(&rig, YAML, sets, 2);
    s = (void *)rig.state;
    field(5);
    s->alien[0] = 1u << 5;
    s->bullet[1] = 1u << 5;
    assert_int_equal(frame(MINATAR_NOOP), 1);
    assert_true(s->move_every == 12 && n_on(ALIEN) == 24);
    rig_close(&rig);
}

/* MinAtar 1.0.15 itself, 4,000 games at random: 2.83 +- 0.04, 51.2 +- 0.6 frames. (7.6 says 2.9 and
 * 56.) */
static void at_random_it_has_minatars_return_7_6(void **state)
{
    (void)state;
    double length;
    const double mean = at_random(YAML, 10000, &length);
    assert_near(mean, 2.85, 0.13);
    assert_near(length, 51.2, 2.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_with_a_block_of_24),
        cmocka_unit_test(the_cannon_stays_on_its_row),
        cmocka_unit_test(a_bullet_flies_up),
        cmocka_unit_test(few_aliens_move_faster),
        cmocka_unit_test(at_an_edge_they_come_down_and_turn),
        cmocka_unit_test(aliens_at_the_bottom_are_the_end),
        cmocka_unit_test(the_nearest_alien_shoots),
        cmocka_unit_test(a_bullet_and_an_alien_are_a_point),
        cmocka_unit_test(the_next_wave_comes_faster),
        cmocka_unit_test(without_ramping_it_does_not),
        cmocka_unit_test(at_random_it_has_minatars_return_7_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
