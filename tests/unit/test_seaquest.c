/* Seaquest, rule by rule (environments.md 7.4). */
#include "tests/unit/minatar_fixture.h"

#define YAML ROBOT("minatar-seaquest")

enum { FRONT, BACK, BULLET, TRAIL, THEIR_BULLET, FISHES, SUBS, OXYGEN, DIVERS, SWIMMERS };

static struct seaquest_state *s;

/* An empty sea, nothing due for a while; the submarine at (x, y), faced to the left. */
static void sea(int x, int y)
{
    rig.sim->reset(rig.self, rig.state, &rig.rng);
    s->x = x;
    s->y = y;
    s->at_surface = y == 0;
    s->spawn_timer = s->diver_timer = 100000;
}

/* Faced to the right (+1) or left; it moves in the next frame or never. */
static void put(enum seaquest_kind kind, int x, int y, int way, bool moves)
{
    s->mover[kind][s->n[kind]++] = (struct seaquest_mover){
        .x = x, .y = y, .way = way, .move_timer = moves ? 0 : 100000, .shot_timer = 100000};
}

static void it_starts_at_the_surface(void **state)
{
    (void)state;
    s = game_open(YAML);
    assert_true(on(5, 0, FRONT) && on(6, 0, BACK));
    assert_int_equal(n_on(OXYGEN), 10);
    for (int c = 0; c <= SWIMMERS; c++) {
        assert_int_equal(n_on(c), c == FRONT || c == BACK ? 1 : c == OXYGEN ? 10 : 0);
    }
    rig_close(&rig);
}

static void it_stays_within_rows_0_to_8(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 4);
    (void)frame(MINATAR_RIGHT);
    assert_true(on(6, 4, FRONT) && on(5, 4, BACK));
    frames(MINATAR_RIGHT, 9);
    assert_true(s->x == 9 && s->way == 1);
    frames(MINATAR_LEFT, 12);
    assert_true(s->x == 0 && s->way == -1);
    frames(MINATAR_DOWN, 9);
    assert_int_equal(s->y, 8);
    s->divers = 1;
    frames(MINATAR_UP, 12);
    assert_int_equal(s->y, 0);
    rig_close(&rig);
}

/* One a frame, the way it faces, in the frame of the shot too; the next after five. */
static void bullets_fly(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 4);
    for (int k = 1; k <= 5; k++) {
        (void)frame(MINATAR_FIRE);
        assert_true(on(5 - k, 4, BULLET));
        assert_int_equal(n_on(BULLET), 1);
    }
    (void)frame(MINATAR_FIRE);
    assert_true(on(4, 4, BULLET)); /* the first has left */
    assert_int_equal(n_on(BULLET), 1);
    rig_close(&rig);
}

/* Into a fish or a submarine, or these into it. */
static void what_is_shot_is_a_point(void **state)
{
    (void)state;
    s = game_open(YAML);
    for (int kind = FISH; kind <= ENEMY_SUB; kind++) {
        sea(9, 8);
        put((enum seaquest_kind)kind, 3, 4, 1, false);
        put(FRIENDLY_BULLET, 4, 4, -1, false);
        assert_int_equal(frame(MINATAR_NOOP), 1);
        assert_int_equal(s->n[kind] + s->n[FRIENDLY_BULLET], 0);
        sea(9, 8);
        put((enum seaquest_kind)kind, 3, 4, 1, true);
        put(FRIENDLY_BULLET, 5, 4, -1, false);
        assert_int_equal(frame(MINATAR_NOOP), 1);
        assert_int_equal(s->n[kind] + s->n[FRIENDLY_BULLET], 0);
    }
    rig_close(&rig);
}

/* Fish, submarine, their bullet: the submarine moves onto one, or it moves onto the submarine. */
static void contact_is_the_end(void **state)
{
    (void)state;

    static const enum seaquest_kind kinds[] = {FISH, ENEMY_SUB, ENEMY_BULLET};

    s = game_open(YAML);
    for (int k = 0; k < 3; k++) {
        sea(5, 4);
        put(kinds[k], 4, 4, -1, false);
        (void)frame(MINATAR_LEFT);
        assert_true(is_over());
        sea(5, 4);
        put(kinds[k], 4, 4, 1, true);
        (void)frame(MINATAR_NOOP);
        assert_true(is_over());
        sea(5, 4);
        put(kinds[k], 4, 3, 1, true);
        (void)frame(MINATAR_NOOP);
        assert_false(is_over());
    }
    rig_close(&rig);
}

static void six_divers_are_picked_up(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 4);
    for (int k = 1; k <= 7; k++) {
        put(DIVER, k % 2 == 0 ? 5 : 4, 4, 1, k % 2 == 1);
        (void)frame(MINATAR_NOOP);
        assert_int_equal(s->divers, k < 6 ? k : 6);
        assert_int_equal(n_on(DIVERS), s->divers);
        assert_true(on(8, 9, DIVERS) && !on(9, 9, DIVERS));
    }
    assert_int_equal(s->n[DIVER], 1);
    assert_false(is_over());
    rig_close(&rig);
}

/* Fish, submarine and diver move every sixth frame: five of waiting; the trail is behind them. */
static void swimmers_take_their_time(void **state)
{
    (void)state;

    static const enum seaquest_kind kinds[] = {FISH, ENEMY_SUB, DIVER};

    static const int channels[] = {FISHES, SUBS, SWIMMERS};
    s = game_open(YAML);
    for (int k = 0; k < 3; k++) {
        sea(5, 8);
        put(kinds[k], 2, 3, -1, false);
        s->mover[kinds[k]][0].move_timer = 5;
        for (int i = 1; i <= 18; i++) {
            (void)frame(MINATAR_NOOP);
            assert_int_equal(on(2 - i / 6, 3, channels[k]), i < 18);
            assert_int_equal(on(3 - i / 6, 3, TRAIL), i < 18);
        }
        assert_int_equal(s->n[kinds[k]], 0);
    }
    rig_close(&rig);
}

/* After ten frames of waiting; the bullet flies one a frame. */
static void enemy_submarines_shoot(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 8);
    put(ENEMY_SUB, 2, 3, 1, false);
    s->mover[ENEMY_SUB][0].shot_timer = 10;
    frames(MINATAR_NOOP, 10);
    assert_int_equal(n_on(THEIR_BULLET), 0);
    for (int k = 1; k <= 3; k++) {
        (void)frame(MINATAR_NOOP);
        assert_true(on(2 + k, 3, THEIR_BULLET));
    }
    frames(MINATAR_NOOP, 9);
    assert_int_equal(s->n[ENEMY_BULLET], 1);
    assert_true(on(3, 3, THEIR_BULLET)); /* the second */
    rig_close(&rig);
}

/* Enemies every 20 frames, a third of them submarines; none against those in its row. Divers every
 * 30. */
static void who_comes_is_drawn(void **state)
{
    (void)state;

    enum { N = 6000 };

    int subs = 0, left = 0, rows[9] = {0};
    s = game_open(YAML);
    for (int k = 0; k < N; k++) {
        sea(5, 0);
        s->spawn_timer = 0;
        (void)frame(MINATAR_NOOP);
        assert_int_equal(s->spawn_timer, 19);
        assert_int_equal(s->n[FISH] + s->n[ENEMY_SUB], 1);
        const struct seaquest_mover *m = &s->mover[s->n[FISH] > 0 ? FISH : ENEMY_SUB][0];
        subs += s->n[ENEMY_SUB];
        left += m->x == 0;
        rows[m->y]++;
        assert_true((m->x == 0 && m->way == 1) || (m->x == 9 && m->way == -1));
    }
    assert_near((double)subs / N, 1.0 / 3.0, 0.02);
    assert_near((double)left / N, 0.5, 0.02);
    for (int y = 0; y < 9; y++) {
        assert_near((double)rows[y] / N, y == 0 ? 0.0 : 0.125, 0.015);
    }
    for (int k = 0; k < 200; k++) {
        sea(5, 0);
        for (int y = 1; y <= 8; y++) {
            put(FISH, 4, y, 1, false);
        }
        s->spawn_timer = s->diver_timer = 0;
        (void)frame(MINATAR_NOOP);
        const int n = s->n[FISH] + s->n[ENEMY_SUB];
        const struct seaquest_mover *m =
            n == 8 ? NULL : &s->mover[s->n[FISH] == 9 ? FISH : ENEMY_SUB][s->n[FISH] == 9 ? 8 : 0];
        assert_true(n == 8 || (n == 9 && m->way == 1));
        assert_true(s->n[DIVER] == 1 && s->diver_timer == 29);
    }
    rig_close(&rig);
}

/* 1 a frame below the surface; 0 is still checked a frame later. */
static void oxygen_runs_out(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 8);
    for (int k = 1; k <= 200; k++) {
        (void)frame(MINATAR_NOOP);
        assert_int_equal(s->oxygen, 200 - k);
        assert_int_equal(n_on(OXYGEN), (200 - k) / 20);
        assert_false(is_over());
    }
    (void)frame(MINATAR_NOOP);
    assert_true(is_over());
    rig_close(&rig);
}

static void coming_up_needs_a_diver(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 1);
    (void)frame(MINATAR_UP);
    assert_true(is_over());
    sea(5, 1);
    s->divers = 3;
    s->oxygen = 31;
    assert_int_equal(frame(MINATAR_UP), 0);
    assert_true(s->divers == 2 && s->oxygen == 200 && !is_over());
    frames(MINATAR_NOOP, 10); /* it stays up: nobody else leaves */
    assert_true(s->divers == 2 && s->oxygen == 200);
    rig_close(&rig);
}

/* oxygen 10 / 200, rounded down; then none is on board, and none is owed. */
static void six_divers_are_worth_the_oxygen_left(void **state)
{
    (void)state;
    static const int oxygen[] = {200, 199, 100, 20, 19}, points[] = {10, 9, 5, 1, 0};
    s = game_open(YAML);
    for (int k = 0; k < 5; k++) {
        sea(5, 1);
        s->divers = 6;
        s->oxygen = oxygen[k];
        assert_int_equal(frame(MINATAR_UP), points[k]);
        assert_true(s->divers == 0 && s->oxygen == 200 && !is_over());
    }
    rig_close(&rig);
}

/* With each surfacing enemies come a frame earlier, down to 1; with every second they move a frame
 * earlier, down to 2. */
static void it_gets_faster(void **state)
{
    (void)state;
    s = game_open(YAML);
    sea(5, 1);
    for (int k = 1; k <= 30; k++) {
        s->divers = 2;
        s->y = 1;
        s->at_surface = 0;
        s->spawn_timer = 1000;
        (void)frame(MINATAR_UP);
        assert_int_equal(s->spawn_every, k < 19 ? 20 - k : 1);
        assert_int_equal(s->move_every, k < 6 ? 5 - k / 2 : 2);
    }
    rig_close(&rig);
}

/* At the fastest, with nobody to touch them, the lists are long enough: none is ever full. */
static void nobody_is_turned_away(void **state)
{
    (void)state;
    int most = 0;
    s = game_open(YAML);
    sea(5, 0);
    s->spawn_every = 1;
    s->move_every = 2;
    s->spawn_timer = s->diver_timer = 0;
    for (int k = 0; k < 20000; k++) {
        (void)frame(MINATAR_NOOP);
        assert_false(is_over());
        for (int kind = 0; kind < SEAQUEST_KINDS; kind++) {
            most = s->n[kind] > most ? s->n[kind] : most;
        }
    }
    assert_in_range(most, 10, SEAQUEST_MOVERS - 1);
    rig_close(&rig);
}

/* MinAtar 1.0.15 itself, 5,000 games at random: 0.104 +- 0.005, 30.1 +- 0.5 frames; so says 7.6. */
static void at_random_it_has_minatars_return_7_6(void **state)
{
    (void)state;
    double length;
    const double mean = at_random(YAML, 20000, &length);
    assert_near(mean, 0.104, 0.02);
    assert_near(length, 30.1, 1.6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_at_the_surface),
        cmocka_unit_test(it_stays_within_rows_0_to_8),
        cmocka_unit_test(bullets_fly),
        cmocka_unit_test(what_is_shot_is_a_point),
        cmocka_unit_test(contact_is_the_end),
        cmocka_unit_test(six_divers_are_picked_up),
        cmocka_unit_test(swimmers_take_their_time),
        cmocka_unit_test(enemy_submarines_shoot),
        cmocka_unit_test(who_comes_is_drawn),
        cmocka_unit_test(oxygen_runs_out),
        cmocka_unit_test(coming_up_needs_a_diver),
        cmocka_unit_test(six_divers_are_worth_the_oxygen_left),
        cmocka_unit_test(it_gets_faster),
        cmocka_unit_test(nobody_is_turned_away),
        cmocka_unit_test(at_random_it_has_minatars_return_7_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
