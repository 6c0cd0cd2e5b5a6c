/* Freeway, rule by rule (environments.md 7.3). */
#include "tests/unit/minatar_fixture.h"

#define YAML ROBOT("minatar-freeway")

enum { CHICKEN, CAR, SPEED_1 };

static struct freeway_state *s;

/* Cars that stand still for long, out of the way. */
static void road(void)
{
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    for (int k = 0; k < FREEWAY_CARS; k++) {
        s->car[k] = (struct freeway_car){.x = 0, .speed = 1, .timer = 100000};
    }
    s->move_timer = 0;
}

/* Speeds 1 to 5 and both ways, each as often; timers start at the speed, cars in column 0. */
static void a_reset_draws_the_speeds(void **state)
{
    (void)state;

    enum { N = 1000 };

    int speeds[11] = {0};
    s = game_open(YAML);
    for (int k = 0; k < N; k++) {
        rig.sim->reset(rig.self, rig.state, &rig.rng);
        for (int c = 0; c < FREEWAY_CARS; c++) {
            assert_true(s->car[c].x == 0 && s->car[c].timer == abs(s->car[c].speed));
            assert_in_range(s->car[c].timer, 1, 5);
            speeds[s->car[c].speed + 5]++;
        }
    }
    for (int v = -5; v <= 5; v++) {
        assert_near(speeds[v + 5] / (double)(N * FREEWAY_CARS), v == 0 ? 0.0 : 0.1, 0.015);
    }
    assert_true(on(4, 9, CHICKEN));
    assert_int_equal(n_on(CAR), 8);
    rig_close(&rig);
}

/* First in frame 4, then every third; up, down, and not below its start. */
static void the_chicken_moves_every_third_frame(void **state)
{
    (void)state;
    s = game_open(YAML);
    road();
    s->move_timer = 3;
    for (int k = 1; k <= 12; k++) {
        (void)frame(MINATAR_UP);
        assert_int_equal(s->y, 9 - (k - 1) / 3);
    }
    for (int k = 0; k < 20; k++) {
        (void)frame(MINATAR_DOWN);
    }
    assert_int_equal(s->y, 9);
    (void)frame(MINATAR_LEFT);
    frames(MINATAR_NOOP, 5);
    assert_int_equal(s->y, 9);
    rig_close(&rig);
}

/* 1, back to the start, other speeds, cars where they are. */
static void arriving_is_a_point(void **state)
{
    (void)state;
    s = game_open(YAML);
    road();
    for (int k = 0; k < FREEWAY_CARS; k++) {
        s->car[k].x = 6;
    }
    s->y = 1;
    assert_int_equal(frame(MINATAR_UP), 1);
    assert_int_equal(s->y, 9);
    for (int k = 0; k < FREEWAY_CARS; k++) {
        assert_true(s->car[k].x == 6);
        assert_int_equal(s->car[k].timer, abs(s->car[k].speed) - 1);
    }
    rig_close(&rig);
}

/* A car of speed v moves every v + 1 frames, and enters again on the other side; its trail is the
 * point behind it, in the channel of its speed. */
static void cars_move_by_their_speeds(void **state)
{
    (void)state;
    s = game_open(YAML);
    for (int v = -5; v <= 5; v++) {
        if (v == 0) {
            continue;
        }
        road();
        s->car[2] = (struct freeway_car){.x = 0, .speed = v, .timer = abs(v)};
        for (int k = 1; k <= 100; k++) {
            frames(MINATAR_NOOP, 1);
            const int moved = k / (abs(v) + 1);
            const int x = (1000 + (v > 0 ? moved : -moved)) % 10;
            assert_int_equal(s->car[2].x, x);
            assert_true(on(x, 3, CAR) && on((x + (v > 0 ? 9 : 1)) % 10, 3, SPEED_1 + abs(v) - 1));
        }
    }
    rig_close(&rig);
}

/* Walking into a car, or being met by one. */
static void a_car_sends_the_chicken_back(void **state)
{
    (void)state;
    s = game_open(YAML);
    road();
    s->y = 6;
    s->car[4].x = 4; /* row 5 */
    (void)frame(MINATAR_UP);
    assert_int_equal(s->y, 9);
    for (int v = -1; v <= 1; v += 2) {
        road();
        s->y = 6;
        s->car[5] = (struct freeway_car){.x = 4 - v, .speed = v, .timer = 0};
        (void)frame(MINATAR_NOOP);
        assert_int_equal(s->y, 9);
        assert_false(is_over());
    }
    rig_close(&rig);
}

static void it_is_over_after_2501_frames(void **state)
{
    (void)state;
    s = game_open(YAML);
    int n = 0;
    for (; !is_over(); n++) {
        (void)frame(MINATAR_NOOP);
    }
    assert_int_equal(n, 2501);
    rig_close(&rig);
}

/* With no car in the way, 9 moves of 3 frames are a point: the first takes one wait more. */
static void the_most_there_is(void **state)
{
    (void)state;
    s = game_open(YAML);
    road();
    s->move_timer = 3;
    while (!is_over()) {
        for (int k = 0; k < FREEWAY_CARS; k++) {
            s->car[k] = (struct freeway_car){.x = 0, .speed = 1, .timer = 10};
        }
        (void)frame(MINATAR_UP);
    }
    assert_int_equal(s->head.score, (2501 - 1) / 27);
    rig_close(&rig);
}

/* MinAtar 1.0.15 itself, 700 games at random: 0.133 +- 0.014. (7.6 says 0.2.) */
static void at_random_it_has_minatars_return_7_6(void **state)
{
    (void)state;
    double length;
    const double mean = at_random(YAML, 1000, &length);
    assert_near(mean, 0.133, 0.05);
    assert_true(length == 2501.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_draws_the_speeds),
        cmocka_unit_test(the_chicken_moves_every_third_frame),
        cmocka_unit_test(arriving_is_a_point),
        cmocka_unit_test(cars_move_by_their_speeds),
        cmocka_unit_test(a_car_sends_the_chicken_back),
        cmocka_unit_test(it_is_over_after_2501_frames),
        cmocka_unit_test(the_most_there_is),
        cmocka_unit_test(at_random_it_has_minatars_return_7_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
