/* The planar arm: its motion against that of Gymnasium's Reacher, its task, and the loop around it.
 * The state begins with both angles, both speeds and the target. */
#include "tests/unit/world_fixture.h"

#define YAML ROBOT("reacher2")

enum { SHOULDER, ELBOW };

/* environments.md 11.2: Reacher, computed with MuJoCo with its limits off: from all zero, torque
 * 200 sin(0.3 k + joint) in step k. Its masses are given to nine digits. */
static const struct golden {
    int after;
    double q[2], w[2];
} golden[] = {
    {1, {-.00001337057338, .0334296248}, {-.001327883191, 3.331858316}},
    {10, {2.139570131, 2.792021318}, {23.9058439, 16.18915479}},
    {50, {7.705741008, 6.021464956}, {14.25737778, 16.05890531}},
};

static void it_moves_as_mujocos_reacher_11_2(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {"sim.elbow_max_rad=1000"};
    size_t row = 0;
    rig_open_with(&w, YAML, sets, 1);
    rig_put(&w, (const double[]){0, 0, 0, 0, .1, -.1}, 6);
    for (int k = 0; k < 50; k++) {
        w.cmd.mode[SHOULDER] = w.cmd.mode[ELBOW] = MODE_EFFORT;
        w.cmd.tau[SHOULDER] = 200.0 * sin(0.3 * k);
        w.cmd.tau[ELBOW] = 200.0 * sin(0.3 * k + 1.0);
        w.sim->step(w.self, w.state, &w.cmd, w.dt_s, NULL);
        if (k + 1 == golden[row].after) {
            const struct sensed s = rig_truth(&w);
            for (int j = 0; j < 2; j++) {
                assert_close(s.q[j], golden[row].q[j], 1e-8);
                assert_close(s.qd[j], golden[row].w[j], 1e-8);
            }
            row++;
        }
    }
    assert_int_equal(row, sizeof golden / sizeof golden[0]);
    rig_close(&w);
}

/* At the stop all its speed is gone, the shoulder has its share, and it comes away again. */
static void the_elbow_has_stops(void **state)
{
    (void)state;
    static struct world_rig w;
    static const float on[] = {0.0f, 1.0f}, away[] = {0.0f, -0.1f};
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){0, 2.95, 0, 20}, 4);
    rig_step(&w, on);
    const struct sensed s = rig_truth(&w);
    assert_true(s.q[ELBOW] == 3.0 && s.qd[ELBOW] == 0.0);
    assert_true(s.qd[SHOULDER] != 0.0 && fabs(s.qd[SHOULDER]) < 0.02);
    rig_step(&w, away);
    assert_true(rig_truth(&w).q[ELBOW] < 3.0 && rig_truth(&w).qd[ELBOW] < -0.3);
    rig_put(&w, (const double[]){0, -2.95, 0, -20}, 4);
    rig_step(&w, (const float[]){0.0f, -1.0f});
    assert_true(rig_truth(&w).q[ELBOW] == -3.0);
    rig_close(&w);
}

static void it_moves_freely_in_every_other_mode(void **state)
{
    (void)state;
    static const uint8_t modes[] = {MODE_OFF, MODE_HOLD, MODE_POSITION, MODE_VELOCITY,
                                    MODE_IMPEDANCE};
    static struct world_rig w;
    static const float nothing[] = {0.0f, 0.0f};
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){.1, .2, 3, -2}, 4);
    rig_step(&w, nothing);
    const struct sensed coasting = rig_truth(&w);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        rig_put(&w, (const double[]){.1, .2, 3, -2}, 4);
        w.cmd.mode[SHOULDER] = w.cmd.mode[ELBOW] = modes[i];
        w.cmd.tau[SHOULDER] = w.cmd.tau[ELBOW] = 50.0;
        w.sim->step(w.self, w.state, &w.cmd, w.dt_s, NULL);
        const struct sensed s = rig_truth(&w);
        assert_memory_equal(s.q, coasting.q, sizeof s.q);
        assert_memory_equal(s.qd, coasting.qd, sizeof s.qd);
        assert_int_equal(s.torque[ELBOW], modes[i] == MODE_OFF ? TORQUE_OFF : TORQUE_ON);
    }
    rig_close(&w);
}

/* Springs pull it into the pose that touches the target; each reward is - distance - |a|^2 after
 * the step. */
static void led_by_hand_it_is_rewarded_as_gymnasium_does(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double pose[] = {0.9, 1.2};
    const double x = .1 * cos(0.9) + .11 * cos(2.1), y = .1 * sin(0.9) + .11 * sin(2.1);
    double sum = 0.0;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){.05, -.08, .001, -.002, x, y}, 6);
    rig_begin(&w);
    while (w.task.st.end == END_NONE) {
        struct sensed s = rig_truth(&w);
        float act[2];
        for (int j = 0; j < 2; j++) {
            act[j] = (float)(0.3 * (pose[j] - s.q[j]) - 0.07 * s.qd[j]);
        }
        const double reward = rig_act(&w, act), a1 = (double)act[0], a2 = (double)act[1];
        s = rig_truth(&w);
        const double dx = .1 * cos(s.q[0]) + .11 * cos(s.q[0] + s.q[1]) - x;
        const double dy = .1 * sin(s.q[0]) + .11 * sin(s.q[0] + s.q[1]) - y;
        assert_near(reward, -hypot(dx, dy) - a1 * a1 - a2 * a2, 1e-6);
        assert_near(rig_extra(&w, "to_target", 0), dx, 1e-12);
        assert_near(rig_extra(&w, "to_target", 1), dy, 1e-12);
        assert_near(rig_extra(&w, "fingertip", 0), dx + x, 1e-12);
        assert_near(rig_extra(&w, "target", 1), y, 1e-12);
        sum += reward;
    }
    assert_int_equal(w.task.st.end, END_TRUNCATED);
    assert_int_equal(w.task.st.episode_steps, 50);
    assert_near(w.task.st.episode_return, sum, 1e-12);
    print_message("by hand: %.2f, %.4f m from the target\n", sum, rig_extra(&w, "distance", 0));
    assert_true(rig_extra(&w, "distance", 0) < 0.001);
    rig_close(&w);
}

/* The target is even over the disc: the square of its distance is uniform. */
static void a_reset_draws_as_gymnasium_does(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double mean[4] = {0}, half[] = {0.1, 0.1, 0.005, 0.005};
    double even = 0.0, even2 = 0.0, x = 0.0, y = 0.0;
    const int n = 20000;
    struct rng r;
    rig_open(&w, YAML);
    check_reset(&w, mean, half, 4);
    rng_seed(&r, 7);
    for (int k = 0; k < n; k++) {
        w.sim->reset(w.self, w.state, &r);
        const double tx = w.state[4] / 0.2, ty = w.state[5] / 0.2, u = tx * tx + ty * ty;
        assert_true(u <= 1.0);
        even += u;
        even2 += u * u;
        x += tx;
        y += ty;
    }
    assert_near(even / n, 0.5, 0.01);
    assert_near(even2 / n, 1.0 / 3.0, 0.01);
    assert_true(fabs(x / n) < 0.02 && fabs(y / n) < 0.02);
    rig_close(&w);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(YAML);
}

static void what_it_lacks_is_refused(void **state)
{
    (void)state;
    static struct world_rig w;
    char reason[WHY_CHARS];
    check_refusal(YAML, "sim reacher2: the robot has no joint \"shoulder\"");
    rig_open(&w, YAML);
    memcpy(w.config.robot.extra[0].name, "weight", 7);
    assert_true(w.sim->open(w.config.sim_config, &w.config.robot, &w.mem, &w.self, reason,
                            sizeof reason) < 0);
    assert_string_equal(reason, "extra: sim reacher2 has no sensor \"weight\"");
    rig_close(&w);
}

/* Another target in each episode, and the observation says where. */
static void episodes_begin_where_the_reset_put_them(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML);
    const struct loop_state *z = &r->house.loop.st;
    double before = 0.0;
    for (int k = 1; k <= 40; k++) {
        while (!z->open) {
            ride_tick(r);
        }
        const float *o = z->now.v; /* cos cos sin sin, target, speeds, tip - target */
        assert_int_equal(z->now.n, 10);
        assert_near((double)o[0], cos(z->sensed.q[0]), 1e-6);
        assert_near((double)o[3], sin(z->sensed.q[1]), 1e-6);
        assert_true(hypot((double)o[4], (double)o[5]) <= 0.2 && (double)o[4] != before);
        assert_true(fabs(z->sensed.q[0]) <= 0.1 && fabs((double)o[7]) <= 0.005);
        const double tip = .1 * cos(z->sensed.q[0]) + .11 * cos(z->sensed.q[0] + z->sensed.q[1]);
        assert_near((double)o[8], tip - (double)o[4], 1e-6);
        before = (double)o[4];
        while (z->open) {
            ride_tick(r);
        }
        assert_int_equal(r->episodes, k);
    }
    assert_true(r->steps == 40 * 50);
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_moves_as_mujocos_reacher_11_2),
        cmocka_unit_test(the_elbow_has_stops),
        cmocka_unit_test(it_moves_freely_in_every_other_mode),
        cmocka_unit_test(led_by_hand_it_is_rewarded_as_gymnasium_does),
        cmocka_unit_test(a_reset_draws_as_gymnasium_does),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(what_it_lacks_is_refused),
        cmocka_unit_test(episodes_begin_where_the_reset_put_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
