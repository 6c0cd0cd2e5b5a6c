/* Breakout, rule by rule (environments.md 7.1), and the runs that follow from them. */
#include "tests/unit/minatar_fixture.h"

#define YAML ROBOT("minatar-breakout")

enum { PADDLE, BALL, TRAIL, BRICK };

static struct breakout_state *s;

/* A ball at (x, y) on its way, the paddle at p; no brick but those that are put there. */
static void ball(int x, int y, enum breakout_way way, int p)
{
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    memset(s->brick, 0, sizeof s->brick);
    s->x = x;
    s->y = y;
    s->way = (int32_t)way;
    s->paddle = p;
}

static void is_at(int x, int y, enum breakout_way way)
{
    assert_int_equal(s->x, x);
    assert_int_equal(s->y, y);
    assert_int_equal(s->way, way);
}

/* Both sides by a fair coin: of 2,000 resets, 1,000 +- 22. */
static void a_reset_drops_the_ball_from_a_side(void **state)
{
    (void)state;
    int left = 0;
    s = game_open(YAML);
    for (int k = 0; k < 2000; k++) {
        rig.sim->reset(rig.self, rig.state, &rig.rng);
        assert_int_equal(s->paddle, 4);
        is_at(s->x == 0 ? 0 : 9, 3, s->x == 0 ? DOWN_RIGHT : DOWN_LEFT);
        left += s->x == 0;
    }
    assert_in_range(left, 900, 1100);
    assert_true(on(4, 9, PADDLE) && on(s->x, 3, BALL) && on(s->x, 3, TRAIL));
    assert_int_equal(n_on(PADDLE) + n_on(BALL) + n_on(TRAIL) + n_on(BRICK), 33);
    assert_true(on(0, 1, BRICK) && on(9, 3, BRICK) && !on(0, 4, BRICK) && !on(0, 0, BRICK));
    rig_close(&rig);
}

static void the_paddle_stays_on_its_row(void **state)
{
    (void)state;
    s = game_open(YAML);
    for (int k = 0; k < 8; k++) {
        ball(5, 5, UP_LEFT, 8);
        frames(MINATAR_RIGHT, k);
        assert_int_equal(s->paddle, k == 0 ? 8 : 9);
        ball(5, 5, UP_LEFT, 1);
        frames(MINATAR_LEFT, k);
        assert_int_equal(s->paddle, k == 0 ? 1 : 0);
    }
    ball(5, 5, UP_LEFT, 4);
    (void)frame(MINATAR_UP);
    (void)frame(MINATAR_FIRE);
    assert_int_equal(s->paddle, 4);
    rig_close(&rig);
}

static void walls_turn_the_ball(void **state)
{
    (void)state;
    s = game_open(YAML);
    ball(4, 5, UP_RIGHT, 0);
    (void)frame(MINATAR_NOOP);
    is_at(5, 4, UP_RIGHT);
    assert_true(on(4, 5, TRAIL) && on(5, 4, BALL));
    ball(0, 5, UP_LEFT, 4);
    (void)frame(MINATAR_NOOP);
    is_at(0, 4, UP_RIGHT);
    ball(9, 5, DOWN_RIGHT, 4);
    (void)frame(MINATAR_NOOP);
    is_at(9, 6, DOWN_LEFT);
    ball(4, 0, UP_LEFT, 4);
    (void)frame(MINATAR_NOOP);
    is_at(3, 0, DOWN_LEFT);
    ball(9, 0, UP_RIGHT, 4); /* a corner: both */
    (void)frame(MINATAR_NOOP);
    is_at(9, 0, DOWN_LEFT);
    rig_close(&rig);
}

/* A brick gives 1, goes, and turns the ball, which keeps its row; of a second one in the next frame
 * the ball takes nothing and passes; once among none, the next counts again. */
static void bricks_are_struck_one_at_a_time(void **state)
{
    (void)state;
    s = game_open(YAML);
    ball(4, 4, UP_LEFT, 4);
    s->brick[2][3] = 1;
    assert_int_equal(frame(MINATAR_NOOP), 1);
    is_at(3, 4, DOWN_LEFT);
    assert_int_equal(s->brick[2][3], 0);
    ball(4, 1, DOWN_LEFT, 4);
    s->struck = 1;
    s->brick[1][3] = 1; /* row 2 */
    assert_int_equal(frame(MINATAR_NOOP), 0);
    is_at(3, 2, DOWN_LEFT);
    assert_int_equal(s->brick[1][3], 1);
    s->brick[2][2] = 1; /* and through the next */
    assert_int_equal(frame(MINATAR_NOOP), 0);
    is_at(2, 3, DOWN_LEFT);
    (void)frame(MINATAR_NOOP);
    is_at(1, 4, DOWN_LEFT);
    s->way = UP_LEFT;
    s->brick[2][0] = 1;
    assert_int_equal(frame(MINATAR_NOOP), 1);
    is_at(0, 4, DOWN_LEFT);
    rig_close(&rig);
}

/* Under the ball it turns up and keeps its row; where the ball would be, both ways; else it ends.
 */
static void the_paddle_turns_the_ball_or_it_is_over(void **state)
{
    (void)state;
    s = game_open(YAML);
    ball(4, 8, DOWN_RIGHT, 4);
    s->brick[0][0] = 1;
    (void)frame(MINATAR_NOOP);
    is_at(5, 8, UP_RIGHT);
    ball(4, 8, DOWN_RIGHT, 5);
    s->brick[0][0] = 1;
    (void)frame(MINATAR_NOOP);
    is_at(5, 8, UP_LEFT);
    ball(4, 8, DOWN_RIGHT, 5); /* it moves before the ball does */
    s->brick[0][0] = 1;
    (void)frame(MINATAR_RIGHT);
    assert_true(is_over());
    rig_close(&rig);
}

static void cleared_bricks_come_back_at_the_bottom(void **state)
{
    (void)state;
    s = game_open(YAML);
    ball(4, 6, DOWN_RIGHT, 5);
    (void)frame(MINATAR_NOOP);
    (void)frame(MINATAR_NOOP);
    assert_int_equal(n_on(BRICK), 0);
    (void)frame(MINATAR_RIGHT);
    assert_int_equal(n_on(BRICK), 30);
    is_at(7, 8, UP_RIGHT);
    rig_close(&rig);
}

static void start(int x)
{
    do {
        rig.sim->reset(rig.self, rig.state, &rig.rng);
    } while (s->x != x);
}

/* environments.md 7.1: computed on the reference rules. */
static void nobody_at_the_paddle_7_1(void **state)
{
    (void)state;
    static const int starts[] = {0, 9}, lengths[] = {6, 16}, returns[] = {0, 1};
    s = game_open(YAML);
    for (int k = 0; k < 2; k++) {
        int n = 0;
        for (start(starts[k]); !is_over(); n++) {
            (void)frame(MINATAR_NOOP);
        }
        assert_int_equal(n, lengths[k]);
        assert_int_equal(s->head.score, returns[k]);
    }
    rig_close(&rig);
}

/* A paddle that steps toward the ball's next column: 21 in 2,000 frames from either side, the first
 * rewards in known frames. */
static void whoever_follows_the_ball_gets_21_7_1(void **state)
{
    (void)state;
    static const int rewards[] = {11, 22, 33, 44, 55, 65};
    s = game_open(YAML);
    for (int x = 0; x <= 9; x += 9) {
        int at[30] = {0};
        start(x);
        for (int k = 1; k <= 2000; k++) {
            const int by = s->way == UP_RIGHT || s->way == DOWN_RIGHT ? 1 : -1;
            const int next = s->x + by < 0 ? 0 : s->x + by > 9 ? 9 : s->x + by;
            const int score = s->head.score;
            if (frame(next > s->paddle   ? MINATAR_RIGHT
                      : next < s->paddle ? MINATAR_LEFT
                                         : MINATAR_NOOP) == 1) {
                at[score] = k;
            }
            assert_false(is_over());
        }
        assert_int_equal(s->head.score, 21);
        for (int k = 0; k < 6; k++) {
            assert_int_equal(at[k], rewards[k]);
        }
    }
    rig_close(&rig);
}

/* MinAtar 1.0.15 itself, 10,000 games at random: 0.516 +- 0.007, 11.27 +- 0.08 frames. (7.6 says
 * 0.60 and 12.) */
static void at_random_it_has_minatars_return_7_6(void **state)
{
    (void)state;
    double length;
    const double mean = at_random(YAML, 20000, &length);
    assert_near(mean, 0.516, 0.03);
    assert_near(length, 11.27, 0.3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_drops_the_ball_from_a_side),
        cmocka_unit_test(the_paddle_stays_on_its_row),
        cmocka_unit_test(walls_turn_the_ball),
        cmocka_unit_test(bricks_are_struck_one_at_a_time),
        cmocka_unit_test(the_paddle_turns_the_ball_or_it_is_over),
        cmocka_unit_test(cleared_bricks_come_back_at_the_bottom),
        cmocka_unit_test(nobody_at_the_paddle_7_1),
        cmocka_unit_test(whoever_follows_the_ball_gets_21_7_1),
        cmocka_unit_test(at_random_it_has_minatars_return_7_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
