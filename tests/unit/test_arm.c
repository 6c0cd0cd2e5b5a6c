/*
 * The simulated arm: its motion against the chain's equations; its motors, stops, table and valve
 * against what their equations say. Its tip and its targets: test_task_target.c.
 */
#include "tests/unit/world_fixture.h"

#include "daemon/base/vec3.h"
#include "sim/arm_inside.h"
#include "sim/rk4.h"

#define YAML ROBOT("openarm6")
#define N    6

enum { WAIST, SHOULDER, ELBOW, FOREARM, WRIST, HAND };

/* A millisecond a tick, and what a test wants otherwise. */
#define FAST "control.rate_hz=1000", "policy.rate_hz=1000"
#define NO_FRICTION                                                                                \
    "links.waist.friction_nm=0", "links.shoulder.friction_nm=0", "links.elbow.friction_nm=0",      \
        "links.forearm.friction_nm=0", "links.wrist.friction_nm=0", "links.hand.friction_nm=0"
#define OPEN(w, ...)                                                                               \
    do {                                                                                           \
        const char *const sets[] = {FAST, __VA_ARGS__};                                            \
        rig_open_with(&(w), YAML, sets, sizeof sets / sizeof sets[0]);                             \
        begin(&(w));                                                                               \
    } while (0)

static struct arm_state *state_of(const struct world_rig *w)
{
    return (struct arm_state *)(void *)w->state;
}

static const struct arm *arm_of(const struct world_rig *w)
{
    return w->self;
}

/* At the pose of the robot file, at rest; no motor on. */
static void begin(struct world_rig *w)
{
    w->sim->reset(w->self, w->state, &w->rng);
    for (int j = 0; j < N; j++) {
        w->cmd.mode[j] = MODE_OFF;
        w->cmd.tau_max[j] = w->config.robot.joint[j].tau_max;
    }
}

static void put_pose(struct world_rig *w, const double *q)
{
    struct arm_state *s = state_of(w);
    for (int i = 0; i < N; i++) {
        s->q[i] = s->q_seen[i] = q[i];
        s->qd[i] = 0.0;
    }
}

static void go(struct world_rig *w, int ticks, double dt_s)
{
    for (int k = 0; k < ticks; k++) {
        w->sim->step(w->self, w->state, &w->cmd, dt_s, &w->rng);
    }
}

static void hold_all(struct world_rig *w)
{
    for (int j = 0; j < N; j++) {
        w->cmd.mode[j] = MODE_HOLD;
    }
}

/* --- motion --- */

/* y = q, qd; viscous friction is all that brakes */
static void falls(const void *self, const double *y, double *ret_dy)
{
    const struct chain *c = self;
    double tau[CHAIN_MAX];
    chain_friction(c, y + N, tau);
    for (int i = 0; i < N; i++) {
        ret_dy[i] = y[N + i];
        tau[i] = -tau[i];
    }
    assert_int_equal(chain_accelerate(c, y, y + N, tau, ret_dy + N), 0);
}

/* How far it is from a Runge-Kutta solution after 150 ms of falling, rad. */
static double off_course(double h_s)
{
    static struct world_rig w;
    static const double pose[N] = {0.1, -0.2, 0.1, 0.3, -0.4, 0.5};
    double y[2 * N] = {0}, off = 0.0;
    OPEN(w, NO_FRICTION, "sim.table=false");
    put_pose(&w, pose);
    memcpy(y, pose, sizeof pose);
    go(&w, (int)lrint(0.15 / h_s), h_s);
    for (int k = 0; k < 300; k++) {
        rk4(falls, &arm_of(&w)->chain, y, 2 * N, 0.0005);
    }
    for (int i = 0; i < N; i++) {
        off = fmax(off, fabs(state_of(&w)->q[i] - y[i]));
    }
    assert_true(fabs(y[ELBOW] - pose[ELBOW]) > 0.05); /* it did fall */
    rig_close(&w);
    return off;
}

static void it_falls_as_the_chain_says(void **state)
{
    (void)state;
    const double coarse = off_course(1e-3), fine = off_course(5e-4);
    print_message("after 150 ms: %.2e rad with 1 ms, %.2e rad with 0.5 ms\n", coarse, fine);
    assert_true(coarse < 5e-3 && coarse / fine > 1.8 && coarse / fine < 2.2);
}

/* Waist alone, no gravity about it: M qd' = tau - c - d qd, from rest. */
static void one_joint_spins_up_as_its_equation_says(void **state)
{
    (void)state;
    static struct world_rig w;
    double m[N * N];
    OPEN(w, "sim.table=false");
    for (int j = SHOULDER; j < N; j++) {
        w.cmd.mode[j] = MODE_HOLD;
    }
    const struct chain *c = &arm_of(&w)->chain;
    w.cmd.mode[WAIST] = MODE_EFFORT;
    w.cmd.tau[WAIST] = 1.4;
    chain_mass(c, state_of(&w)->q, m);
    go(&w, 300, 1e-3);
    const double d = c->link[WAIST].p[CHAIN_VISCOUS], push = 1.4 - c->link[WAIST].p[CHAIN_COULOMB];
    const double want = push / d * (1.0 - exp(-d * 0.3 / m[0]));
    assert_close(rig_truth(&w).qd[WAIST], want, 0.01); /* the others, held softly, swing along */
    rig_close(&w);
}

/* Below its dry friction nothing moves at all, above it does. */
static void dry_friction_holds(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.table=false");
    hold_all(&w);
    go(&w, 1000, 1e-3);
    const double q = rig_truth(&w).q[WAIST];
    w.cmd.mode[WAIST] = MODE_EFFORT;
    w.cmd.tau[WAIST] = 0.39;
    go(&w, 500, 1e-3);
    assert_near(rig_truth(&w).q[WAIST], q, 1e-9);
    w.cmd.tau[WAIST] = 0.41;
    go(&w, 100, 1e-3);
    assert_true(rig_truth(&w).q[WAIST] > q + 1e-5);
    rig_close(&w);
}

static void stops_stop_it(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.table=false");
    hold_all(&w);
    w.cmd.mode[WAIST] = MODE_EFFORT;
    w.cmd.tau[WAIST] = 20.0;
    for (int k = 0; k < 1500; k++) {
        go(&w, 1, 1e-3);
        assert_true(rig_truth(&w).q[WAIST] < 1.55 + 1e-9);
    }
    assert_near(rig_truth(&w).q[WAIST], 1.55, 1e-9);
    assert_near(rig_truth(&w).qd[WAIST], 0.0, 1e-9);
    w.cmd.tau[WAIST] = -20.0;
    go(&w, 20, 1e-3);
    assert_true(rig_truth(&w).q[WAIST] < 1.54);
    rig_close(&w);
}

/* --- motors --- */

static void impedance_is_the_motors_law(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.start_noise_rad=0");
    struct arm_state *s = state_of(&w);
    s->qd[ELBOW] = 0.3;
    w.cmd.mode[ELBOW] = w.cmd.mode[WRIST] = MODE_IMPEDANCE;
    w.cmd.kp[ELBOW] = 20.0;
    w.cmd.kd[ELBOW] = 1.5;
    w.cmd.q[ELBOW] = 0.7;
    w.cmd.qd[ELBOW] = -0.5;
    w.cmd.tau[ELBOW] = 0.25;
    w.cmd.tau[WRIST] = 5.0; /* gains of 0: the torque alone, to its ceiling */
    const double want = 20.0 * (0.7 - s->q[ELBOW]) + 1.5 * (-0.5 - 0.3) + 0.25;
    go(&w, 1, 1e-3);
    const struct sensed is = rig_truth(&w);
    assert_near(is.tau[ELBOW], want, 1e-12);
    assert_near(is.tau[WRIST], 3.0, 1e-12);
    assert_near(is.tau[SHOULDER], 0.0, 1e-12);
    assert_int_equal(is.torque[ELBOW], TORQUE_ON);
    assert_int_equal(is.torque[SHOULDER], TORQUE_OFF);
    w.cmd.tau_max[ELBOW] = 1.0; /* the ramp of arming */
    go(&w, 1, 1e-3);
    assert_near(rig_truth(&w).tau[ELBOW], 1.0, 1e-12);
    rig_close(&w);
}

static double sag_of(const char *compensation)
{
    static struct world_rig w;
    OPEN(w, "sim.start_noise_rad=0", compensation);
    const double q = rig_truth(&w).q[ELBOW];
    hold_all(&w);
    go(&w, 2000, 1e-3);
    const struct sensed s = rig_truth(&w);
    rig_close(&w);
    return fabs(s.q[ELBOW] - q);
}

/* The elbow carries about 3 Nm here, of which dry friction takes a tenth: with a stiffness of
 * 120 Nm/rad that is 20 mrad. */
static void it_carries_its_weight(void **state)
{
    (void)state;
    assert_true(sag_of("sim.gravity_compensation=true") < 1e-3);
    assert_true(sag_of("sim.gravity_compensation=false") > 0.015);
}

static void a_command_takes_its_time(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.latency_s=0.003", "sim.table=false");
    w.cmd.mode[WAIST] = MODE_EFFORT;
    for (int k = 0; k < 12; k++) {
        w.cmd.tau[WAIST] = 0.1 * (k + 1);
        go(&w, 1, 1e-3);
        const double told_before = k >= 3 ? 0.1 * (k - 3 + 1) : 0.0;
        assert_near(rig_truth(&w).tau[WAIST], told_before, 1e-12);
    }
    rig_close(&w);
}

/* The encoder stays behind by half the play, the other way round after a turn. */
static void the_encoder_is_behind_the_play(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.backlash_rad=0.02", "sim.table=false");
    hold_all(&w);
    w.cmd.mode[WAIST] = MODE_EFFORT;
    w.cmd.tau[WAIST] = 3.0;
    go(&w, 200, 1e-3);
    assert_near(state_of(&w)->q[WAIST] - rig_truth(&w).q[WAIST], 0.01, 1e-12);
    w.cmd.tau[WAIST] = -6.0;
    double least = 1.0;
    for (int k = 0; k < 400; k++) {
        go(&w, 1, 1e-3);
        least = fmin(least, state_of(&w)->q[WAIST] - rig_truth(&w).q[WAIST]);
    }
    assert_near(least, -0.01, 1e-12);
    rig_close(&w);
}

/* --- table and valve --- */

/* Pressed down with some 60 N: the tip sinks in as far as the spring says, and dry friction holds
 * it against a push along the table. */
static void the_table_carries_the_tip(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.start_noise_rad=0");
    hold_all(&w);
    w.cmd.mode[SHOULDER] = MODE_IMPEDANCE;
    w.cmd.kd[SHOULDER] = 3.0;
    w.cmd.tau[SHOULDER] = 8.0;
    go(&w, 3000, 1e-3);
    const struct arm_state *s = state_of(&w);
    const double z = rig_extra(&w, "tip", 2), force = s->table_n;
    const double y = rig_extra(&w, "tip", 1);
    assert_true(force > 5.0);
    assert_near((0.01 - z) * 20000.0, force, 0.01 * force);
    assert_true(fabs(s->qd[SHOULDER]) < 1e-6);
    w.cmd.mode[WAIST] = MODE_EFFORT; /* less than its own friction and the tip's on the table */
    w.cmd.tau[WAIST] = 0.4 + 0.3 * 0.5 * force * rig_extra(&w, "tip", 0);
    go(&w, 500, 1e-3);
    assert_near(rig_extra(&w, "tip", 1), y, 1e-5);
    w.cmd.tau[WAIST] = 0.4 + 1.5 * 0.5 * force * rig_extra(&w, "tip", 0);
    go(&w, 500, 1e-3);
    assert_true(rig_extra(&w, "tip", 1) > y + 1e-2);
    rig_close(&w);
}

/* J w' = - c - d w, untouched: w = (w0 + c/d) exp(-d t / J) - c/d, then it stands. */
static void the_valve_comes_to_rest(void **state)
{
    (void)state;
    static struct world_rig w;
    OPEN(w, "sim.valve_pegs=3", "sim.valve_friction_nm=0.01", "sim.valve_damping_nms_rad=0.002",
         "sim.valve_kgm2=0.001", "sim.valve_xyz_m=[3, 0, 0]");
    hold_all(&w);
    state_of(&w)->qd[N] = 4.0;
    go(&w, 100, 1e-3);
    assert_close(state_of(&w)->qd[N], (4.0 + 5.0) * exp(-0.2) - 5.0, 2e-3);
    go(&w, 1000, 1e-3);
    assert_true(state_of(&w)->qd[N] == 0.0);
    rig_close(&w);
}

/* A post stands beside the tip; the waist turns, the tip pushes it along. */
static void the_tip_turns_the_valve(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double pose[N] = {-0.3, 0.1, 0.6, 0.0, 0.9, 0.0};
    OPEN(w, "sim.valve_pegs=1", "sim.valve_xyz_m=[0.145, 0, 0]", "sim.peg_height_m=0.6");
    put_pose(&w, pose);
    const double angle = state_of(&w)->q[N];
    for (int j = 0; j < N; j++) {
        w.cmd.mode[j] = MODE_POSITION;
        w.cmd.q[j] = pose[j];
    }
    go(&w, 100, 1e-3);
    assert_true(state_of(&w)->q[N] == angle); /* nothing touches it yet */
    w.cmd.q[WAIST] = 0.1;
    go(&w, 1500, 1e-3);
    const double turned = state_of(&w)->q[N] - angle;
    print_message("the valve turned by %.3f rad\n", turned);
    assert_true(turned > 0.2);
    rig_close(&w);
}

/* --- a push on the tip --- */

/* J' f of the push that is on. */
static void torque_of_push(const struct world_rig *w, double *ret_tau)
{
    const struct arm_state *s = state_of(w);
    const struct chain *c = &arm_of(w)->chain;
    struct frame link[CHAIN_MAX], tool;
    double jac[6 * N];
    chain_frames(c, s->q, link, &tool);
    chain_jacobian(c, link, tool.p, jac);
    for (int i = 0; i < N; i++) {
        ret_tau[i] = vec3_dot(s->push.force, (const double[]){jac[i], jac[N + i], jac[2 * N + i]});
    }
}

/* From rest, weightless: (M + h D) v = h J' f. */
static void a_push_is_an_impulse(void **state)
{
    (void)state;
    static struct world_rig w;
    double m[N * N], tau[N];
    OPEN(w, NO_FRICTION, "sim.table=false", "chain.gravity_m_s2=[0, 0, 0]", "sim.push_n=[5, 30]",
         "sim.push_pause_s=0");
    const struct chain *c = &arm_of(&w)->chain;
    chain_mass(c, state_of(&w)->q, m);
    const struct arm_state before = *state_of(&w);
    go(&w, 1, 1e-3);
    struct arm_state after = *state_of(&w);
    assert_true(vec3_dot(after.push.force, after.push.force) >= 25.0);
    memcpy(after.q, before.q, sizeof before.q); /* where it was when it was pushed */
    *state_of(&w) = after;
    torque_of_push(&w, tau);
    for (int i = 0; i < N; i++) {
        double momentum = 1e-3 * c->link[i].p[CHAIN_VISCOUS] * after.qd[i];
        for (int j = 0; j < N; j++) {
            momentum += m[i * N + j] * after.qd[j];
        }
        assert_near(momentum, 1e-3 * tau[i], 1e-12);
        assert_true(fabs(tau[i]) > 0.01 || i == HAND); /* the tip is on the hand's axis */
    }
    rig_close(&w);
}

/* Held by its motors it leans until they carry the push. */
static void motors_carry_a_push(void **state)
{
    (void)state;
    static struct world_rig w;
    double tau[N], weight[N];
    OPEN(w, NO_FRICTION, "sim.table=false", "sim.push_n=6", "sim.push_s=100", "sim.push_pause_s=0");
    hold_all(&w);
    go(&w, 4000, 1e-3);
    const struct sensed s = rig_truth(&w);
    torque_of_push(&w, tau);
    chain_gravity(&arm_of(&w)->chain, state_of(&w)->q, weight);
    for (int i = 0; i < N; i++) {
        assert_near(s.tau[i] + tau[i], weight[i], 1e-4);
    }
    assert_true(fabs(state_of(&w)->q[WAIST] - state_of(&w)->q_held[WAIST]) > 1e-3);
    rig_close(&w);
}

/* --- sensors and reset --- */

static void a_reset_puts_it_near_its_pose(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double mean[N] = {0, -0.3, 0.6, 0, 0.3, 0};
    static const double half[N] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    OPEN(w, "sim.start_noise_rad=0.1");
    check_reset(&w, mean, half, N);
    rig_close(&w);
}

/* What no joint measures, where the robot file lists it. */
static void it_says_what_it_touches(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {FAST};
    rig_open_with(&w, ROBOT("arm-valve"), sets, 2);
    begin(&w);
    state_of(&w)->table_n = 7.0;
    assert_true(rig_extra(&w, "table_force", 0) == 7.0);
    for (int i = 0; i < 3; i++) { /* the nearest of three posts, none of them at the tip */
        assert_true(fabs(rig_extra(&w, "to_peg", i)) < 0.2);
    }
    rig_close(&w);
}

static void refused(const char *set, const char *words)
{
    static struct world_rig w;
    char reason[WHY_CHARS] = "";
    memset(&w, 0, sizeof w);
    assert_int_equal(arena_open(&w.mem, "world", (size_t)16 << 20), 0);
    assert_true(config_load(&w.config, YAML, &set, 1, &w.mem, reason, sizeof reason) < 0);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
    arena_close(&w.mem);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    refused("links.waist.inertia_kgm2=[1, 1, 3, 0, 0, 0]", "link waist: inertia_kgm2 has a");
    refused("links.waist.inertia_kgm2=[1, 1, 1, 0, 0]", "is a list of 6 numbers, not of 5");
    refused("links.hand.axis=[0, 0, 0]", "link hand: axis has no direction");
    refused("links.hand.mass_kg=0", "mass_kg must be");
    refused("links.finger.mass_kg=1", "links: there is no \"finger\"");
    refused("links.hand.lenght_m=1", "lenght_m");
    refused("chain.gravity_m_s2=[0, 9.81]", "lists of 3 numbers");
    refused("sim.latency_s=0.5", "sim.latency_s 0.5 is more than 15 commands");
    refused("sim.kp_nm_rad=[1, 2]", "sim.kp_nm_rad has 2 numbers");
    refused("sim.push_s=[2, 1]", "sim.push_s is one number, or the least and the most of it");
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    static struct world_rig w;
    struct rng r;
    OPEN(w, "sim.latency_s=0.004", "sim.backlash_rad=0.01", "sim.valve_pegs=3", "sim.push_n=10",
         "sim.push_s=0.05", "sim.push_pause_s=[0, 0.05]");
    void *copy = arena_take(&w.mem, w.state_bytes);
    struct sensed seen[2];
    memset(seen, 0, sizeof seen);
    hold_all(&w);
    go(&w, 10, 1e-3);
    memcpy(copy, w.state, w.state_bytes);
    for (int run = 0; run < 2; run++) {
        rng_seed(&r, 3);
        rng_seed(&w.rng, 4);
        hold_all(&w);
        memcpy(w.state, copy, w.state_bytes);
        for (int k = 0; k < 300; k++) {
            w.cmd.mode[k % N] = MODE_EFFORT;
            w.cmd.tau[k % N] = rng_between(&r, -3.0, 3.0);
            go(&w, 1, 1e-3);
        }
        w.sim->sense(w.self, w.state, NULL, &seen[run]);
    }
    assert_memory_equal(&seen[0], &seen[1], sizeof seen[0]);
    rig_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_falls_as_the_chain_says),
        cmocka_unit_test(one_joint_spins_up_as_its_equation_says),
        cmocka_unit_test(dry_friction_holds),
        cmocka_unit_test(stops_stop_it),
        cmocka_unit_test(impedance_is_the_motors_law),
        cmocka_unit_test(it_carries_its_weight),
        cmocka_unit_test(a_command_takes_its_time),
        cmocka_unit_test(the_encoder_is_behind_the_play),
        cmocka_unit_test(the_table_carries_the_tip),
        cmocka_unit_test(the_valve_comes_to_rest),
        cmocka_unit_test(the_tip_turns_the_valve),
        cmocka_unit_test(a_push_is_an_impulse),
        cmocka_unit_test(motors_carry_a_push),
        cmocka_unit_test(a_reset_puts_it_near_its_pose),
        cmocka_unit_test(it_says_what_it_touches),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
