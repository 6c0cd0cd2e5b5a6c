/* Joints that know nothing of each other: where gravity takes them, what holds them, and that a
 * copy of the state is the world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/config.h"
#include "sim/sim.h"

#include <math.h>
#include <string.h>

#define DT_S                         0.001
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

struct rig {
    struct arena mem;
    struct config config;
    void *self;
    unsigned char state[4096];
    size_t bytes;
    struct command cmd;
};

static struct rig rig; /* too large for the stack */

static void open_rig(const char *const *sets, int n_sets)
{
    char reason[WHY_CHARS] = "";
    memset(&rig, 0, sizeof rig);
    assert_int_equal(arena_open(&rig.mem, "joints", (size_t)64 << 20), 0);
    if (config_load(&rig.config, SOURCE_DIR "/deploy/robots/so101.yaml", sets, n_sets, &rig.mem,
                    reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct config *c = &rig.config;
    assert_int_equal(
        c->sim->open(c->sim_config, &c->robot, &rig.mem, &rig.self, reason, sizeof reason), 0);
    rig.bytes = c->sim->state_bytes(rig.self);
    assert_true(rig.bytes <= sizeof rig.state);
    c->sim->reset(rig.self, rig.state, NULL);
    rig.cmd.n = c->robot.n_joints;
}

static struct sensed run_s(double seconds)
{
    struct sensed s = {0};
    for (int k = 0; k < (int)(seconds / DT_S + 0.5); k++) {
        rig.config.sim->step(rig.self, rig.state, &rig.cmd, DT_S, NULL);
    }
    rig.config.sim->sense(rig.self, rig.state, NULL, &s);
    return s;
}

static void it_begins_where_the_file_says(void **state)
{
    (void)state;
    open_rig(NULL, 0);
    const struct sensed s = run_s(0.0);
    assert_int_equal(s.n, 6);
    assert_near(s.q[1], -1.7, 1e-12);
    assert_near(s.q[2], 1.6, 1e-12);
    assert_near(s.q[5], 0.0, 1e-12);
    assert_near((double)s.volt_v[0], 12.0, 1e-6);
    assert_near((double)s.temp_c[0], 25.0, 1e-6);
    arena_close(&rig.mem);
}

/* Without torque and friction: 1/2 J w^2 + g cos(q) is what it was, until the stop is reached. */
static void energy_is_kept_without_friction(void **state)
{
    (void)state;
    const char *const sets[] = {"sim.friction_nm=0", "sim.damping_nms_rad=0", "sim.backlash_rad=0",
                                "sim.start_rad=[0,0.2,0,0,0,0]"};
    open_rig(sets, 4);
    const struct sensed before = run_s(0.0);
    struct sensed s = before;
    int looked = 0;
    while (s.q[1] < 1.6 && looked < 2000) {
        s = run_s(DT_S);
        const double energy = 0.5 * 0.06 * s.qd[1] * s.qd[1] + 0.86 * cos(s.q[1]);
        assert_near(energy, 0.86 * cos(0.2), 0.005); /* of the integrator's first order */
        looked++;
    }
    assert_true(looked > 100 && looked < 2000 && s.qd[1] > 3.0);
    assert_near(s.q[0], 0.0, 1e-12); /* no gravity, nothing moves it */
    arena_close(&rig.mem);
}

/* Held by a spring: kp (goal - q) = - load. */
static void a_goal_sags_by_load_over_stiffness(void **state)
{
    (void)state;
    const char *const sets[] = {"sim.friction_nm=0", "sim.backlash_rad=0",
                                "sim.start_rad=[0,1.2,0,0,0,0]"};
    open_rig(sets, 3);
    for (int j = 0; j < 6; j++) {
        rig.cmd.mode[j] = MODE_POSITION;
        rig.cmd.kp[j] = 12.0;
        rig.cmd.tau_max[j] = 2.94;
    }
    rig.cmd.q[1] = 1.2;
    const struct sensed s = run_s(5.0);
    assert_near(s.qd[1], 0.0, 1e-6);
    assert_near(12.0 * (s.q[1] - 1.2), 0.86 * sin(s.q[1]), 1e-6);
    assert_near(12.0 * s.q[2], 0.46 * sin(s.q[2] + 1.5708), 1e-6);
    assert_near(s.tau[1], -0.86 * sin(s.q[1]), 1e-6);
    assert_true(s.volt_v[0] < 12.0f && s.temp_c[1] > 25.01f && s.temp_c[0] < 25.01f);
    arena_close(&rig.mem);
}

static void a_limp_arm_falls_to_its_stop(void **state)
{
    (void)state;
    const char *const sets[] = {"sim.start_rad=[0,0.5,0,0,0,0]"};
    open_rig(sets, 1);
    const struct sensed s = run_s(5.0);
    assert_near(s.q[1], 1.7453 + 0.1, 0.01);
    assert_near(s.qd[1], 0.0, 1e-6);
    arena_close(&rig.mem);
}

static void a_copy_of_the_state_is_the_world(void **state)
{
    (void)state;
    open_rig(NULL, 0);
    rig.cmd.mode[1] = MODE_POSITION;
    rig.cmd.tau_max[1] = 2.0;
    (void)run_s(0.1);
    unsigned char copy[sizeof rig.state];
    memcpy(copy, rig.state, rig.bytes);
    const struct sensed a = run_s(0.5);
    memcpy(rig.state, copy, rig.bytes);
    const struct sensed b = run_s(0.5);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.q[1] > -1.6);
    arena_close(&rig.mem);
}

static void a_list_of_another_length_is_refused(void **state)
{
    (void)state;
    char reason[WHY_CHARS] = "";
    const char *const sets[] = {"sim.gravity_nm=[0,1]"};
    memset(&rig, 0, sizeof rig);
    assert_int_equal(arena_open(&rig.mem, "joints", (size_t)64 << 20), 0);
    assert_true(config_load(&rig.config, SOURCE_DIR "/deploy/robots/so101.yaml", sets, 1, &rig.mem,
                            reason, sizeof reason) < 0);
    assert_non_null(strstr(reason, "sim joints: gravity_nm has 2 numbers, the robot 6 joints"));
    arena_close(&rig.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_where_the_file_says),
        cmocka_unit_test(energy_is_kept_without_friction),
        cmocka_unit_test(a_goal_sags_by_load_over_stiffness),
        cmocka_unit_test(a_limp_arm_falls_to_its_stop),
        cmocka_unit_test(a_copy_of_the_state_is_the_world),
        cmocka_unit_test(a_list_of_another_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
