/* The filter against adversaries that try to break each promise. */
#include "tests/unit/safety_fixture.h"

static double nasty(struct rng *r)
{
    static const double bad[] = {NONE,   -NONE, HUGE_VAL, -HUGE_VAL, 1e308,
                                 -1e308, 0.0,   -0.0,     5e-324};
    return bad[rng_below(r, sizeof bad / sizeof bad[0])];
}

/* Steps, ramps, noise, extremes and nonsense, each for a while. */
static double adversary(struct rng *r, int64_t i, const struct joint_spec *p)
{
    const double span = p->q_max - p->q_min;
    switch ((i / 37) % 6) {
    case 0:
        return p->q_min + span * rng_uniform(r);
    case 1:
        return rng_below(r, 2) == 0 ? p->q_max + 10.0 : p->q_min - 10.0;
    case 2:
        return (i / 11) % 2 == 0 ? p->q_max : p->q_min;
    case 3:
        return p->q_min + span * 0.5 * (1.0 + sin((double)i * 0.21));
    case 4:
        return nasty(r);
    default:
        return rng_normal(r) * span;
    }
}

/* The promise, per joint and tick: range, velocity, acceleration, and goals that join up. */
static void the_trajectory_keeps_every_limit(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    struct sensed s = make_sensed(0.1, -1.0);
    struct rng r;
    rng_seed(&r, 1);
    double q_was[2] = {0.1, -1.0}, qd_was[2] = {0};
    for (int64_t i = 0; i < 400000; i++) {
        struct command c =
            ask(rng_below(&r, 50) == 0 ? MODE_HOLD : MODE_POSITION,
                adversary(&r, i, &crawler.joint[0]), adversary(&r, i * 3 + 1, &crawler.joint[1]));
        const bool primes = i == 0;
        tick(&z, &s, primes ? 7 : rng_below(&r, 8), &c);
        assert_true(all_finite(&c));
        for (int j = 0; j < 2; j++) {
            const struct joint_spec *p = &crawler.joint[j];
            assert_int_equal(c.mode[j], MODE_POSITION);
            assert_true(c.q[j] >= p->q_min && c.q[j] <= p->q_max);
            assert_true(fabs(c.qd[j]) <= p->qd_max + EPS);
            assert_true(fabs(c.q[j] - q_was[j] - c.qd[j] * z.dt_s) < EPS);
            assert_true(fabs(c.qd[j] - qd_was[j]) <= p->qdd_max * z.dt_s + EPS);
            q_was[j] = c.q[j];
            qd_was[j] = c.qd[j];
        }
        assert_int_equal(c.mode[2], MODE_OFF);
        assert_true(c.tau_max[2] == 0.0);
    }
    assert_true(z.bites[0][RULE_BRAKING] > 1000 && z.bites[0][RULE_NOT_FINITE] > 1000);
    assert_true(z.bites[1][RULE_POSITION] > 1000 && z.bites[1][RULE_ACCELERATION] > 1000);
    assert_true(z.bites[1][RULE_STALE] > 1000);
}

/* A ceiling that comes and goes takes the power to brake with it: speed is then cut at once, and
 * never gained at once. */
static void braking_outranks_the_rate_limit_and_only_slows(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    struct rng r;
    rng_seed(&r, 2);
    double qd_was = 0.0;
    int cuts = 0;
    for (int64_t i = 0; i < 200000; i++) {
        struct sensed s = make_sensed(0.0, -1.0);
        struct command c = ask(MODE_POSITION, 0.0, adversary(&r, i, &crawler.joint[1]));
        c.tau_max[1] = 1.4 * rng_uniform(&r) * (double)((i / 200) % 2);
        s.temp_c[1] = (float)(60.0 + 10.0 * rng_uniform(&r));
        tick(&z, &s, 7, &c);
        const double step = crawler.joint[1].qdd_max * z.dt_s;
        const bool cut = fabs(c.qd[1] - qd_was) > step + EPS;
        assert_true(c.q[1] >= crawler.joint[1].q_min && c.q[1] <= crawler.joint[1].q_max);
        assert_true(c.tau_max[1] >= 0.0 && c.tau_max[1] <= 1.4);
        if (cut) {
            assert_true(fabs(c.qd[1]) < fabs(qd_was) && c.qd[1] * qd_was >= 0.0);
            assert_int_equal(z.rule[1] >= RULE_BRAKING, 1);
        }
        cuts += cut;
        qd_was = c.qd[1];
    }
    assert_true(cuts > 100);
}

static void a_steady_ramp_is_met_exactly_and_a_step_without_overshoot(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    const struct sensed s = make_sensed(0.0, -2.0);
    for (int i = 0; i < 50; i++) {
        const double goal = -2.0 + 0.03 * i; /* 3 rad/s */
        struct command c = ask(MODE_POSITION, 0.0, goal);
        tick(&z, &s, 7, &c);
        if (i >= 10) {
            assert_true(fabs(c.q[1] - goal) < 1e-3);
        }
        if (i >= 30) {
            assert_int_equal(z.rule[1], RULE_NONE);
        }
    }
    begin(&z, &crawler);
    double top = -10.0;
    for (int i = 0; i < 100; i++) {
        struct command c = ask(MODE_POSITION, 0.0, -1.0);
        tick(&z, &s, 7, &c);
        top = fmax(top, c.q[1]);
    }
    assert_true(top <= -1.0 + EPS);
    assert_true(fabs(z.q_cmd[1] + 1.0) < EPS);
    assert_true(z.qd_cmd[1] < EPS);
}

/* A torque beside a pose is weight that is carried: within the ceiling, of a fresh angle, and only
 * where the robot's file asks for it. */
static void weight_is_carried_within_the_ceiling(void **state)
{
    (void)state;
    static struct robot lifter;
    struct safety z;
    struct sensed s = make_sensed(0.0, -1.0);
    lifter = crawler;
    for (int carries = 0; carries < 2; carries++) {
        lifter.carry_weight = carries;
        begin(&z, &lifter);
        for (int i = 0; i < 3; i++) {
            struct command c = ask(i == 1 ? MODE_HOLD : MODE_POSITION, 0.0, -1.0);
            c.tau[0] = i == 2 ? NONE : 0.5;
            c.tau[1] = -3.0;
            c.tau[2] = 1.0;
            tick(&z, &s, 7, &c);
            assert_true(c.tau[0] == (carries && i < 2 ? 0.5 : 0.0));
            assert_true(c.tau[1] == (carries ? -1.4 : 0.0));
            assert_true(c.tau[2] == 0.0);
        }
        struct command c = ask(MODE_POSITION, 0.0, -1.0);
        c.tau[0] = c.tau[1] = 0.5;
        tick(&z, &s, 5, &c); /* the hand is not seen */
        assert_true(c.tau[0] == (carries ? 0.5 : 0.0) && c.tau[1] == 0.0);
    }
}

static void hold_brakes_to_rest_and_stays(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    const struct sensed s = make_sensed(0.0, -2.0);
    struct command c;
    for (int i = 0; i < 20; i++) {
        c = ask(MODE_POSITION, 0.0, 0.0);
        tick(&z, &s, 7, &c);
    }
    const double v = c.qd[1], q = c.q[1];
    assert_true(v > 3.0);
    for (int i = 0; i < 20; i++) {
        c = ask(MODE_HOLD, 9.0, NONE);
        tick(&z, &s, 7, &c);
        assert_true(all_finite(&c));
    }
    assert_true(c.qd[1] == 0.0);
    assert_true(c.q[1] > q && c.q[1] <= q + v * v / (2.0 * 100.0));
}

static void a_joint_outside_its_range_only_comes_back(void **state)
{
    (void)state;
    static struct robot robot;
    robot = crawler;
    struct safety z;
    begin(&z, &robot);
    struct sensed s = make_sensed(0.60, -1.0); /* 0.076 outside */
    struct rng r;
    rng_seed(&r, 5);
    double was = 0.60;
    for (int i = 0; i < 2000; i++) {
        struct command c = ask(MODE_POSITION, adversary(&r, i, &crawler.joint[0]), -1.0);
        tick(&z, &s, 7, &c);
        assert_true(c.q[0] <= fmax(was, robot.joint[0].q_max));
        was = c.q[0];
    }
    /* a range that shrinks past a moving joint stops it at once */
    begin(&z, &robot);
    s = make_sensed(0.0, -2.0);
    struct command c = {0};
    for (int i = 0; i < 20; i++) {
        c = ask(MODE_POSITION, 0.0, 0.0);
        tick(&z, &s, 7, &c);
    }
    assert_true(c.qd[1] > 3.0);
    was = c.q[1];
    robot.joint[1].q_max = was - 0.1;
    for (int i = 0; i < 100; i++) {
        c = ask(MODE_POSITION, 0.0, 0.0);
        tick(&z, &s, 7, &c);
        assert_true(c.q[1] <= was);
        was = c.q[1];
    }
    assert_true(fabs(was - robot.joint[1].q_max) < 1e-6);
}

/*
 * A double integrator with the stated latency between a sample and the acceleration it leads to,
 * stepped at 1 ms. Everything a command says acts `delay` steps later.
 */
#define STEPS_MAX 64

struct goal {
    uint8_t mode;
    double q, qd, tau;
};

struct body {
    double q, qd;
    struct goal line[STEPS_MAX];
    int at, delay;
};

/* Speed loop, torque or stiff position servo: what the mode asks, as an acceleration within a_max.
 */
static double acceleration(const struct goal *g, const struct body *b, double a_max)
{
    double a = 0.0;
    if (g->mode == MODE_EFFORT) {
        a = a_max * g->tau / 1.4;
    } else if (g->mode == MODE_VELOCITY) {
        a = (g->qd - b->qd) / 0.002;
    } else if (g->mode == MODE_POSITION) {
        a = 3600.0 * (g->q - b->q) + 110.0 * (g->qd - b->qd);
    }
    return fmax(-a_max, fmin(a_max, a));
}

static void body_step(struct body *b, const struct goal *g, double a_max)
{
    for (int i = 0; i < 10; i++) {
        b->line[b->at % STEPS_MAX] = *g;
        const double a = acceleration(&b->line[(b->at - b->delay) % STEPS_MAX], b, a_max);
        b->q += b->qd * 0.001 + 0.5 * a * 1e-6;
        b->qd += a * 0.001;
        b->at++;
    }
}

/* How far an adversary in `mode` gets the body out of its range when the filter believes in
 * latency_s. */
static double excess(uint8_t mode, double latency_s, int delay, uint64_t seed)
{
    const struct joint_spec *p = &crawler.joint[1];
    struct safety z;
    begin(&z, &crawler);
    struct body b = {.q = -1.0, .at = STEPS_MAX, .delay = delay};
    struct rng r;
    double worst = 0.0;
    rng_seed(&r, seed);
    z.settings.latency_s = latency_s;
    for (int64_t i = 0; i < 100000; i++) {
        struct sensed s = make_sensed(0.0, b.q);
        s.qd[1] = b.qd;
        struct command c = ask(mode, 0.0, adversary(&r, i, p));
        const double push = (i / (7 + (i / 1000) % 40)) % 2 == 0 ? 1.0 : -1.0;
        c.qd[1] = (i / 500) % 3 == 0 ? 100.0 * push : 5.0 * rng_normal(&r);
        c.tau[1] = (i / 500) % 3 == 1 ? 9.0 * rng_normal(&r) : 1.4 * push;
        tick(&z, &s, 7, &c);
        const struct goal g = {c.mode[1], c.q[1], c.qd[1], c.tau[1]};
        body_step(&b, &g, p->qdd_max * (mode == MODE_POSITION ? 1.5 : 1.0));
        worst = fmax(worst, fmax(b.q - p->q_max, p->q_min - b.q));
    }
    return worst;
}

static void a_body_with_the_stated_latency_stays_inside(void **state)
{
    (void)state;
    static const uint8_t modes[] = {MODE_POSITION, MODE_VELOCITY, MODE_EFFORT};
    static const char *const names[] = {"position", "velocity", "effort"};
    for (int m = 0; m < 3; m++) {
        double worst = 0.0, lied = 0.0;
        for (uint64_t seed = 1; seed <= 3; seed++) {
            worst = fmax(worst, excess(modes[m], 0.02, 20, seed));
            lied = fmax(lied, excess(modes[m], 0.0, 50, seed));
        }
        print_message("%s: %.4f rad outside at the stated latency, %.4f when it is a lie\n",
                      names[m], worst, lied);
        assert_true(worst < 0.15);
        if (modes[m] != MODE_POSITION) {
            assert_true(worst < 0.002);
            assert_true(lied > 10.0 * worst + 0.01);
        }
    }
}

/* Every number of everything, sensed and asked, may be nonsense: what comes out is finite and
 * inside the limits. */
static void nonsense_never_gets_out(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    struct rng r;
    rng_seed(&r, 9);
    for (int64_t i = 0; i < 300000; i++) {
        struct sensed s = make_sensed(0.0, -1.0);
        struct command c = ask((uint8_t)rng_below(&r, 8), rng_normal(&r), rng_normal(&r));
        double *const in[] = {s.q, s.qd, s.tau, c.q, c.qd, c.tau, c.kp, c.kd, c.tau_max};
        for (int k = 0; k < 5; k++) {
            in[rng_below(&r, 9)][rng_below(&r, 3)] = nasty(&r);
        }
        s.temp_c[rng_below(&r, 3)] = (float)fmax(-1e30, fmin(1e30, nasty(&r)));
        s.age_us[rng_below(&r, 3)] = rng_below(&r, 2) == 0 ? INT32_MAX : -5;
        tick(&z, &s, rng_below(&r, 8), &c);
        assert_true(all_finite(&c));
        for (int j = 0; j < 2; j++) {
            assert_true(c.mode[j] <= MODE_IMPEDANCE);
            assert_true(c.tau_max[j] >= 0.0 && c.tau_max[j] <= 1.4);
            assert_true(fabs(c.tau[j]) <= c.tau_max[j]);
            assert_true(fabs(c.qd[j]) <= 5.0 + EPS || c.mode[j] == MODE_OFF);
            assert_true(c.kp[j] >= 0.0 && c.kd[j] >= 0.0);
        }
        if (rng_below(&r, 500) == 0) {
            safety_forget(&z);
        }
    }
}

/* Without stiffness the goal is no speed: following the pose would take the damping away. */
static void damping_follows_the_pose_and_wants_no_speed(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    struct sensed s = make_sensed(0.3, -1.0);
    struct command c = ask(MODE_POSITION, 0.3, -1.0);
    tick(&z, &s, 7, &c);
    for (int i = 0; i < 50; i++) {
        s.q[0] -= 0.01;
        s.qd[0] = -1.0;
        c = ask(MODE_IMPEDANCE, 0.5, -1.0);
        c.qd[0] = 3.0;
        c.kd[0] = 0.7;
        c.tau[0] = 0.4;
        tick(&z, &s, 7, &c);
        assert_int_equal(c.mode[0], MODE_IMPEDANCE);
        assert_true(c.q[0] == s.q[0] && c.qd[0] == 0.0);
        assert_true(c.kp[0] == 0.0 && c.kd[0] == 0.7 && c.tau[0] == 0.4);
    }
    c = ask(MODE_HOLD, 0.5, -1.0);
    tick(&z, &s, 7, &c);
    assert_true(c.q[0] == s.q[0] && c.qd[0] == 0.0); /* goes on from where it is */
}

/* A joint that is too hot gets no torque, but while it is let down. */
static void heat_takes_no_torque_from_a_descent(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    struct sensed s = make_sensed(0.3, -1.0);
    s.temp_c[0] = 75.0f;
    for (int lets_go = 0; lets_go < 2; lets_go++) {
        struct command c = ask(MODE_POSITION, 0.3, -1.0);
        z.lets_go = lets_go != 0;
        tick(&z, &s, 7, &c);
        assert_true(c.tau_max[0] == (lets_go != 0 ? 1.4 : 0.0));
        assert_true(c.tau_max[1] == 1.4);
        assert_true((z.joint_trips[0] & TRIP_TEMPERATURE) != 0); /* said all the same */
    }
}

static void a_joint_starts_where_a_fresh_sample_says(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    struct sensed s = make_sensed(0.3, -1.0);
    struct command c = ask(MODE_POSITION, -0.5, -0.5);
    tick(&z, &s, 1, &c); /* the hand is not seen */
    assert_int_equal(c.mode[0], MODE_POSITION);
    assert_int_equal(c.mode[1], MODE_OFF);
    assert_true(fabs(c.q[0] - 0.3) <=
                100.0 * 1e-4 + EPS); /* one tick of acceleration from the pose */
    s.q[1] = -2.0;
    c = ask(MODE_POSITION, -0.5, -0.5);
    tick(&z, &s, 7, &c);
    assert_true(fabs(c.q[1] + 2.0) <= 0.01 + EPS);
    assert_true(z.primed);
    /* off and on again: from the pose, not from the old trajectory */
    for (int i = 0; i < 30; i++) {
        c = ask(MODE_POSITION, -0.5, -0.5);
        tick(&z, &s, 7, &c);
    }
    c = ask(MODE_OFF, 0.0, 0.0);
    tick(&z, &s, 7, &c);
    assert_false(z.primed);
    assert_int_equal(z.rule[0], RULE_OFF);
    c = ask(MODE_HOLD, 0.0, 0.0);
    tick(&z, &s, 7, &c);
    assert_true(c.q[1] == -2.0);
    /* wanting to move unseen trips in the end */
    safety_forget(&z);
    for (int i = 0; i < 10; i++) {
        c = ask(MODE_HOLD, 0.0, 0.0);
        tick(&z, &s, 0, &c);
    }
    assert_int_equal(z.trips, TRIP_STALE);
}

static void coasting_holds_the_goal(void **state)
{
    (void)state;
    struct safety z;
    begin(&z, &crawler);
    const struct sensed s = make_sensed(0.0, -2.0);
    struct command c;
    for (int i = 0; i < 40; i++) {
        c = ask(MODE_POSITION, 0.0, -2.0 + 0.02 * i);
        tick(&z, &s, 7, &c);
    }
    c = ask(MODE_POSITION, 0.0, -1.2); /* one lost reply changes nothing */
    tick(&z, &s, 5, &c);
    assert_true(z.rule[1] != RULE_STALE);
    const double held = z.q_ask[1];
    for (int i = 0; i < 5; i++) {
        c = ask(MODE_POSITION, 0.0, 0.0);
        tick(&z, &s, 5, &c);
        assert_int_equal(z.rule[1], RULE_STALE);
        assert_int_equal(z.trips, 0);
    }
    assert_true(z.q_ask[1] == held);
    assert_true(fabs(c.q[1] - held) < 0.02);
    tick(&z, &s, 5, &c);
    assert_int_equal(z.trips, TRIP_STALE);
    assert_int_equal(z.trip_joint, 1);
    /* a torque is not repeated on an old sample */
    begin(&z, &crawler);
    c = ask(MODE_EFFORT, 0.0, 0.0);
    c.tau[1] = 1.0;
    tick(&z, &s, 7, &c);
    assert_true(c.tau[1] == 1.0);
    c = ask(MODE_EFFORT, 0.0, 0.0);
    c.tau[1] = 1.0;
    tick(&z, &s, 5, &c);
    assert_true(c.tau[1] == 0.0);
}

/* A body without a bus: limits of speed, range and heat are its own, nonsense still does not pass.
 */
static void a_direct_body_gets_what_is_finite_and_in_range(void **state)
{
    (void)state;
    struct safety z;
    static struct robot body;
    body = crawler;
    body.direct = true;
    body.joint[0].qd_max = body.joint[0].qdd_max = body.joint[0].temp_max_c = NONE;
    begin(&z, &body);
    struct sensed s = make_sensed(9.0, -50.0); /* outside, fast, hot */
    s.qd[0] = 300.0;
    s.temp_c[1] = 500.0f;
    struct command c = ask(MODE_EFFORT, 0.0, 0.0);
    c.tau[0] = 1.0;
    c.tau[1] = -5.0;
    tick(&z, &s, 7, &c);
    assert_int_equal(z.trips, 0);
    assert_true(c.tau[0] == 1.0 && c.mode[0] == MODE_EFFORT && z.rule[0] == RULE_NONE);
    assert_true(c.tau[1] == -1.4 && z.rule[1] == RULE_EFFORT && c.mode[2] == MODE_OFF);
    c = ask(MODE_POSITION, 0.5, 8.0); /* at once, but within the range */
    tick(&z, &s, 7, &c);
    assert_true(c.q[0] == 0.5 && c.q[1] == 0.0 && c.tau[0] == 0.0 && z.rule[1] == RULE_POSITION);
    c = ask(MODE_HOLD, -0.5, -1.0);
    tick(&z, &s, 7, &c);
    assert_true(c.mode[0] == MODE_POSITION && c.q[0] == -0.5 && c.q[1] == -1.0);
    c = ask(MODE_EFFORT, NONE, NONE);
    c.tau[0] = c.qd[0] = c.kp[0] = NONE;
    tick(&z, &s, 7, &c);
    assert_true(c.tau[0] == 0.0 && all_finite(&c) && z.rule[0] == RULE_NOT_FINITE);
    s.q[1] = NONE;
    tick(&z, &s, 7, &c);
    assert_true(z.trips == TRIP_NOT_FINITE && z.trip_joint == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_trajectory_keeps_every_limit),
        cmocka_unit_test(braking_outranks_the_rate_limit_and_only_slows),
        cmocka_unit_test(a_steady_ramp_is_met_exactly_and_a_step_without_overshoot),
        cmocka_unit_test(weight_is_carried_within_the_ceiling),
        cmocka_unit_test(hold_brakes_to_rest_and_stays),
        cmocka_unit_test(a_joint_outside_its_range_only_comes_back),
        cmocka_unit_test(a_body_with_the_stated_latency_stays_inside),
        cmocka_unit_test(nonsense_never_gets_out),
        cmocka_unit_test(damping_follows_the_pose_and_wants_no_speed),
        cmocka_unit_test(heat_takes_no_torque_from_a_descent),
        cmocka_unit_test(a_joint_starts_where_a_fresh_sample_says),
        cmocka_unit_test(coasting_holds_the_goal),
        cmocka_unit_test(a_direct_body_gets_what_is_finite_and_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
