/*
 * The arm on its CAN bus: six emulated Damiao motors with the simulated body behind them, as its
 * robot files ship it, driven by the loop in lockstep.
 */
#include "tests/unit/world_fixture.h"

#include "daemon/base/vec3.h"
#include "daemon/bus_load.h"
#include "daemon/plant_inside.h"
#include "daemon/world.h"

#define N   6
#define ALL UINT64_C(0x3f)

static struct ride *open_robot(const char *path)
{
    static const char *const sets[] = {"learner.learning_starts=100000000"};
    return ride_open_with(path, sets, 1, 1);
}

/* Every tick: a command and an answer of each motor, as many frames as the load is computed from;
 * counted by the plant, and by the wire. */
static void check_frames(const char *path)
{
    struct ride *r = open_robot(path);
    struct plant *p = r->house.plant;
    const struct plant_counters *c = plant_counters(p);
    const struct loop_state *z = &r->house.loop.st;
    struct bus_budget budget;
    bus_budget(&r->house.config.robot, 0, &budget);
    assert_int_equal(budget.joints, N);
    for (int i = 0; i < 2000; i++) {
        const uint64_t tx = c->frames_tx[0], rx = c->frames_rx[0], wire = world_frames(p->world);
        ride_tick(r);
        assert_int_equal(z->fresh & ALL, ALL);
        assert_int_equal(c->frames_tx[0] - tx, N);
        assert_int_equal(c->frames_rx[0] - rx, N);
        assert_int_equal(c->frames_tx[0] - tx + c->frames_rx[0] - rx, budget.frames);
        assert_int_equal(world_frames(p->world) - wire, budget.frames);
    }
    for (int j = 0; j < N; j++) {
        assert_int_equal(c->misses[j], 0);
        assert_int_equal(z->sensed.torque[j], TORQUE_ON);
    }
    assert_true(c->read_phase_us_max <= budget.read_us);
    assert_int_equal(z->fsm.state, STATE_RUNNING);
    ride_close(r);
}

static void each_motor_answers_in_each_tick(void **state)
{
    (void)state;
    check_frames(ROBOT("openarm6-can"));
    check_frames(ROBOT("openarm6-can400"));
}

static void stand_still(void *self, float *ret_act)
{
    (void)self;
    memset(ret_act, 0, N * sizeof *ret_act);
}

/* How far below its goal the tip is at rest; each joint is off by what nothing carries, and by no
 * more than its friction beside. carried: of its weight, 0 or 1. */
static double sag_m(const char *const *sets, int n_sets, double carried)
{
    struct ride *r = ride_open_with(ROBOT("openarm6-can"), sets, n_sets, 1);
    r->house.loop.script = stand_still;
    const struct loop_state *z = &r->house.loop.st;
    struct chain chain;
    struct frame link[CHAIN_MAX], tool;
    struct sensed truth;
    char reason[WHY_CHARS];
    double tau[N], sunk[3];
    assert_int_equal(chain_init(&chain, &r->house.config.robot, reason, sizeof reason), 0);
    for (int i = 0; i < 3000; i++) {
        ride_tick(r);
    }
    assert_true(plant_truth(r->house.plant, &truth));
    chain_frames(&chain, truth.q, link, &tool);
    chain_gravity(&chain, truth.q, tau);
    for (int i = 0; i < 3; i++) { /* what the loop knows of its tip: a motor's code is 0.4 mrad */
        assert_near(z->sensed.extra[i], tool.p[i], 1e-3);
        sunk[i] = -tool.p[i];
    }
    chain_frames(&chain, z->command.q, link, &tool);
    vec3_add(1.0, tool.p, sunk);
    for (int j = 0; j < N; j++) {
        static const double kp[N] = {240, 240, 120, 30, 30, 10};
        const double off = (z->command.q[j] - truth.q[j]) * kp[j];
        assert_near(off, (1.0 - carried) * tau[j], chain.link[j].p[CHAIN_COULOMB] + 0.1);
        assert_near(z->command.tau[j], carried * tau[j], 0.05);
    }
    ride_close(r);
    return sunk[2];
}

/* Goals carry its weight; without, stiffness does, as well as that can. */
static void it_holds_its_pose(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=100000000",
                                       "control.carry_weight=false"};
    const double with_m = sag_m(sets, 1, 1.0), without_m = sag_m(sets, 2, 0.0);
    print_message("the tip is %.1f mm below its goal, %.1f mm where nothing carries its weight\n",
                  with_m * 1e3, without_m * 1e3);
    assert_true(fabs(with_m) < 0.003 && without_m > 0.008);
}

/* At 1 kHz: it goes to its rest pose, torque goes off there, and nothing falls. */
static void a_stop_lets_it_down(void **state)
{
    (void)state;
    struct ride *r = open_robot(ROBOT("openarm6-can"));
    const struct loop_state *z = &r->house.loop.st;
    struct sensed truth;
    bool retreated = false;
    double before_m = (double)NAN, fastest_m_s = 0.0;
    for (int i = 0; i < 2000; i++) {
        ride_tick(r);
    }
    atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
    for (int i = 0, limp = 0; limp < 1000; i++) {
        assert_true(i < 30000);
        ride_tick(r);
        assert_true(plant_truth(r->house.plant, &truth));
        task_sense(&r->house.loop.task, &truth);
        /* it was thrown about until it was stopped */
        retreated = retreated || (z->fsm.state == STATE_RETREATING && z->respond.braked);
        fastest_m_s = retreated ? fmax(fastest_m_s, (before_m - truth.extra[2]) * 1e3) : 0.0;
        before_m = truth.extra[2];
        limp += z->fsm.state == STATE_LIMP;
    }
    print_message("on its way to rest the tip came down with %.2f m/s at most\n", fastest_m_s);
    assert_true(retreated);
    assert_true(fastest_m_s > 0.0 && fastest_m_s < 0.5); /* as if dropped from 1.3 cm */
    ride_close(r);
}

/* The reach of the direct body, by include: targets and rewards on the bus. */
static void it_has_the_task_of_the_direct_body(void **state)
{
    (void)state;
    struct ride *r = open_robot(ROBOT("arm-reach-can"));
    const struct loop *l = &r->house.loop;
    assert_int_equal(l->task.n_obs, 6 * 4 + 6);
    ride_on(r, 5);
    for (int i = 0; i < 500; i++) {
        ride_tick(r);
        assert_int_equal(l->st.fresh & ALL, ALL);
    }
    assert_int_equal(l->st.fsm.state, STATE_RUNNING);
    assert_true(ride_mean(r) < -1.0); /* of what it drives at random it reaches nothing */
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_motor_answers_in_each_tick),
        cmocka_unit_test(it_holds_its_pose),
        cmocka_unit_test(a_stop_lets_it_down),
        cmocka_unit_test(it_has_the_task_of_the_direct_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
