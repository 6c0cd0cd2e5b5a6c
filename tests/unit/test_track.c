/* A car on a closed road: its motion, what it knows in numbers, what its camera sees. */
#include "tests/unit/world_fixture.h"

#include "sim/track_road.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define YAML ROBOT("track")

enum { STEER, N = 32, GRASS = 96, ASPHALT = 40, SKY = 160 };

static struct world_rig w;

/* The state begins with x, y, heading, speed, wheel, pedal, way, off. */
enum { X, Y, HEADING, SPEED, WHEEL, PEDAL, WAY, OFF, NUMBERS };

static void open_with(const char *set)
{
    rig_open_with(&w, YAML, &set, set == NULL ? 0 : 1);
}

/* On the centre line, along it. */
static void put(struct road *road, double along, double left, double angle)
{
    double at[NUMBERS] = {[SPEED] = 1.5};
    road_point(road, along, left, &at[X], &at[Y]);
    at[HEADING] = road_find(road, at[X], at[Y]).heading_rad + angle;
    rig_put(&w, at, NUMBERS);
}

static struct road *road_of(int seed)
{
    return road_open(seed, 3.0, 0.7, &w.mem);
}

/* Every seed: closed, smooth, its length that of its points, and no bend tighter than the car can
 * take (0.25 / tan 0.5 = 0.46 m). */
static void a_road_is_closed_and_can_be_driven(void **state)
{
    (void)state;

    enum { POINTS = 20000 };

    for (int seed = 1; seed <= 20; seed++) {
        rig_open(&w, YAML);
        const struct road *road = road_of(seed);
        const double length = road_length_m(road), ds = length / POINTS;
        double sum = 0.0, x, y, x2, y2;
        road_point(road, 0.0, 0.0, &x, &y);
        for (int k = 1; k <= POINTS; k++) {
            road_point(road, k * ds, 0.0, &x2, &y2);
            const struct road_place p = road_find(road, x2, y2);
            sum += hypot(x2 - x, y2 - y);
            assert_near(remainder(p.along_m - k * ds, length), 0.0, 1e-3);
            assert_near(p.left_m, 0.0, 1e-6);
            assert_near(remainder(p.heading_rad - atan2(y2 - y, x2 - x), 2.0 * M_PI), 0.0, 0.02);
            x = x2;
            y = y2;
        }
        assert_near(sum, length, 1e-3);
        for (int k = 0; k < 200; k++) {
            double ax, ay, bx, by;
            road_point(road, fmod(k * length / 200, length), 0.0, &ax, &ay);
            road_point(road, fmod(k * length / 200 + 0.2, length), 0.0, &bx, &by);
            const double bend =
                remainder(road_find(road, bx, by).heading_rad - road_find(road, ax, ay).heading_rad,
                          2.0 * M_PI);
            assert_true(fabs(bend) / 0.2 < 1.0 / 0.46);
        }
        rig_close(&w);
    }
}

/* On a road as wide as it is, the place to the left is where it was put, to first order. */
static void left_is_left(void **state)
{
    (void)state;
    rig_open(&w, YAML);
    struct road *road = road_of(1);
    for (int k = 0; k < 100; k++) {
        double x, y, cx, cy;
        const double along = k * road_length_m(road) / 100, left = 0.3 - 0.006 * k;
        road_point(road, along, left, &x, &y);
        road_point(road, along, 0.0, &cx, &cy);
        const struct road_place p = road_find(road, x, y), c = road_find(road, cx, cy);
        assert_near(p.left_m, left, 1e-6);
        const double dx = x - cx, dy = y - cy;
        const double side = cos(c.heading_rad) * dy - sin(c.heading_rad) * dx;
        assert_near(side, left, 1e-6); /* across the road's direction at the same ray */
    }
    rig_close(&w);
}

/* th' = v tan(d) / L: a wheel that stays turned makes a circle of radius L / tan(d). */
static void a_turned_wheel_makes_a_circle(void **state)
{
    (void)state;
    open_with("sim.width_m=3");
    w.cmd.mode[STEER] = MODE_POSITION;
    w.cmd.q[STEER] = -0.3;
    const double radius = 0.25 / tan(0.3), dt = 0.01;
    rig_put(&w, (const double[]){3.0, 0.0, 0.0, 1.5, -0.3}, 5);
    for (int k = 1; k <= 100; k++) {
        w.sim->step(w.self, w.state, &w.cmd, dt, NULL);
        const double turned = 1.5 * dt * k / radius;
        assert_near(w.state[X], 3.0 + radius * sin(turned), 1e-4);
        assert_near(w.state[Y], -radius * (1.0 - cos(turned)), 1e-4);
        assert_near(remainder(w.state[HEADING] + turned, 2.0 * M_PI), 0.0, 1e-9);
    }
    rig_close(&w);
}

static void the_wheel_turns_no_faster_and_no_further(void **state)
{
    (void)state;
    open_with("sim.steer_rate_rad_s=2");
    struct road *road = road_of(1);
    put(road, 0.0, 0.0, 0.0);
    rig_step(&w, (const float[]){1.0f});
    assert_near(rig_truth(&w).q[STEER], 0.2, 1e-12);
    rig_step(&w, (const float[]){1.0f});
    rig_step(&w, (const float[]){1.0f});
    assert_near(rig_truth(&w).q[STEER], 0.5, 1e-12);
    w.cmd.q[STEER] = 2.0;
    w.sim->step(w.self, w.state, &w.cmd, 0.1, NULL);
    assert_near(rig_truth(&w).q[STEER], 0.5, 1e-12);
    rig_close(&w);
}

/* The robot file with a second joint, the pedal, in a file of its own. */
static void write_with_pedal(const char *path)
{
    static char text[8192];
    FILE *from = fopen(YAML, "r"), *to = fopen(path, "w");
    assert_true(from != NULL && to != NULL);
    text[fread(text, 1, sizeof text - 1, from)] = '\0';
    char *picture = strstr(text, "\npicture:"), *kind = strstr(text, "  kind: track");
    assert_true(picture != NULL && kind != NULL && kind > picture);
    (void)fprintf(to,
                  "%.*s  - {name: pedal, q_min_rad: -1, q_max_rad: 1, tau_max_nm: 1}\n%.*s"
                  "  pedal_joint: pedal\n  width_m: 3\n%s",
                  (int)(picture - text), text, (int)(kind - picture), picture, kind);
    (void)fclose(from);
    (void)fclose(to);
}

/* v' = 3 p - v: towards 3 m/s, never below 0; without a pedal it keeps its speed. */
static void a_pedal_makes_the_speed(void **state)
{
    (void)state;
    char path[] = "/tmp/track-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    write_with_pedal(path);
    rig_open(&w, path);
    (void)unlink(path);
    struct road *road = road_of(1);
    put(road, 0.0, 0.0, 0.0);
    double v = 1.5;
    for (int k = 0; k < 5; k++) {
        rig_step(&w, (const float[]){0.0f, 1.0f});
        v += (3.0 - v) * 0.1;
        assert_near(rig_extra(&w, "speed", 0), v, 1e-12);
        assert_true(rig_extra(&w, "off", 0) == 0.0);
    }
    put(road, 0.0, 0.0, 0.0);
    for (int k = 0; k < 8; k++) {
        rig_step(&w, (const float[]){0.0f, -1.0f});
    }
    assert_true(rig_extra(&w, "speed", 0) == 0.0);
    rig_close(&w);
}

/* Who sees the numbers steers by them: 200 steps of 0.15 m, more than a lap, reward = way. */
static void a_good_driver_stays_on_the_road(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 8; seed++) {
        char set[32];
        (void)snprintf(set, sizeof set, "sim.seed=%d", seed);
        open_with(set);
        struct rng rng;
        rng_seed(&rng, (uint64_t)seed);
        w.sim->reset(w.self, w.state, &rng);
        rig_begin(&w);
        double reward = 0.0;
        while (w.task.st.end == END_NONE) {
            const double wheel =
                -3.0 * rig_extra(&w, "offset", 0) - 2.0 * rig_extra(&w, "angle", 0) + 0.08;
            reward += rig_act(&w, (const float[]){(float)fmax(-1.0, fmin(1.0, wheel / 0.5))});
        }
        assert_int_equal(w.task.st.end, END_TRUNCATED);
        assert_int_equal(w.task.st.episode_steps, 200);
        assert_near(reward, rig_extra(&w, "way", 0), 1e-9);
        assert_near(reward, 30.0, 1.5);
        rig_close(&w);
    }
}

/* Its middle beyond the edge; then it stays. Backwards is a way of less than nothing. */
static void off_the_road_it_stays(void **state)
{
    (void)state;
    rig_open(&w, YAML);
    struct road *road = road_of(1);
    for (int side = -1; side <= 1; side += 2) {
        put(road, 5.0, side * 0.34, side * M_PI / 2);
        assert_true(rig_extra(&w, "off", 0) == 0.0);
        rig_begin(&w);
        (void)rig_act(&w, (const float[]){0.0f});
        assert_true(rig_extra(&w, "off", 0) == 1.0);
        assert_int_equal(w.task.st.end, END_TERMINAL);
        const double x = w.state[X], y = w.state[Y];
        rig_step(&w, (const float[]){0.0f});
        assert_true(w.state[X] == x && w.state[Y] == y);
    }
    put(road, 0.05, 0.0, M_PI); /* across the seam too */
    rig_step(&w, (const float[]){0.0f});
    assert_near(rig_extra(&w, "way", 0), -0.15, 0.01);
    rig_close(&w);
}

static int grey(const struct sensed *s, int row, int column)
{
    return s->frame[row * N + column];
}

/* Sky above, the road below: asphalt before the car, grass on both sides of the picture; turned to
 * the left, it has the road on its right. */
static void the_camera_sees_the_road(void **state)
{
    (void)state;
    rig_open(&w, YAML);
    struct road *road = road_of(1);
    for (int k = 0; k < 20; k++) {
        put(road, k * road_length_m(road) / 20, 0.1, 0.0);
        const struct sensed s = rig_truth(&w);
        for (int x = 0; x < N; x++) {
            assert_int_equal(grey(&s, 0, x), SKY);
        }
        assert_true(grey(&s, N - 1, 12) == ASPHALT);
    }
    put(road, 0.0, 0.25, 0.0);
    struct sensed s = rig_truth(&w);
    int left = 0, right = 0;
    for (int y = 16; y < N; y++) {
        for (int x = 0; x < N / 2; x++) {
            left += grey(&s, y, x) == GRASS;
            right += grey(&s, y, N - 1 - x) == GRASS;
        }
    }
    assert_true(left > right + 30);
    rig_close(&w);
}

/* A point of the picture is where the camera's ray meets the ground: the lowest row looks
 * 0.35 + atan(0.58 31/32) below the horizon, from a height of 0.3 m. */
static void its_perspective_is_a_cameras(void **state)
{
    (void)state;
    rig_open(&w, YAML);
    struct road *road = road_of(1);
    const double down = 0.35 + atan(0.58 * 31 / 32), ahead = 0.3 / tan(down);
    const double across = 0.3 / sin(down) * cos(atan(0.58 * 31 / 32)) * 0.8;
    for (int k = 0; k < 50; k++) {
        put(road, 0.3 * k, 0.01 * (k % 30 - 15), 0.02 * (k % 7 - 3));
        const struct sensed s = rig_truth(&w);
        for (int x = 0; x < N; x++) {
            const double left = across * (1.0 - (x + 0.5) / N * 2.0);
            const double c = cos(w.state[HEADING]), n = sin(w.state[HEADING]);
            const struct road_place p = road_find(road, w.state[X] + c * ahead - n * left,
                                                  w.state[Y] + n * ahead + c * left);
            const double d = fabs(p.left_m);
            if (d < 0.25 && d > 0.05) {
                assert_int_equal(grey(&s, N - 1, x), ASPHALT);
            } else if (d > 0.4) {
                assert_int_equal(grey(&s, N - 1, x), GRASS);
            } else if (d > 0.31 && d < 0.335) {
                assert_true(grey(&s, N - 1, x) > 180);
            }
        }
    }
    rig_close(&w);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(YAML);
}

static void other_roads_are_refused(void **state)
{
    (void)state;
    char reason[WHY_CHARS];
    check_refusal(YAML, "sim track: the robot has no joint \"steer\"");
    rig_open(&w, YAML);
    w.config.robot.picture.c = 3;
    assert_int_equal(
        w.sim->open(w.config.sim_config, &w.config.robot, &w.mem, &w.self, reason, sizeof reason),
        -EINVAL);
    assert_string_equal(reason,
                        "picture: sim track shows one byte a point, channels must be 1, not 3");
    rig_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_road_is_closed_and_can_be_driven),
        cmocka_unit_test(left_is_left),
        cmocka_unit_test(a_turned_wheel_makes_a_circle),
        cmocka_unit_test(the_wheel_turns_no_faster_and_no_further),
        cmocka_unit_test(a_pedal_makes_the_speed),
        cmocka_unit_test(a_good_driver_stays_on_the_road),
        cmocka_unit_test(off_the_road_it_stays),
        cmocka_unit_test(the_camera_sees_the_road),
        cmocka_unit_test(its_perspective_is_a_cameras),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(other_roads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
