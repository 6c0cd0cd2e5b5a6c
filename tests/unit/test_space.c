/* The space of the fenced arm: its distances, and the filter against who tries to break them. */
#include "tests/unit/space_fixture.h"

#include "daemon/base/segment.h"
#include "daemon/base/vec3.h"

static const char *const kinds[] = {"box", "table", "self"};

static void random_numbers(struct rng *r, double most, int n, double *ret)
{
    for (int i = 0; i < n; i++) {
        ret[i] = rng_between(r, -most, most);
    }
}

/* --- distances --- */

static double apart_at(const double *a, const double *b, double s, double t)
{
    double sum = 0.0;
    for (int i = 0; i < 3; i++) {
        const double d = a[i] + s * (a[3 + i] - a[i]) - b[i] - t * (b[3 + i] - b[i]);
        sum += d * d;
    }
    return sqrt(sum);
}

/* A grid, then a finer one about its best, and so on. */
static double searched(const double *a, const double *b)
{
    double s = 0.5, t = 0.5, half = 0.5, best = HUGE_VAL;
    for (int pass = 0; pass < 14; pass++) {
        const double s_mid = s, t_mid = t;
        for (int i = 0; i <= 20; i++) {
            for (int k = 0; k <= 20; k++) {
                const double si = fmax(0.0, fmin(1.0, s_mid + half * (i - 10) / 10.0));
                const double tk = fmax(0.0, fmin(1.0, t_mid + half * (k - 10) / 10.0));
                if (apart_at(a, b, si, tk) < best) {
                    best = apart_at(a, b, si, tk);
                    s = si;
                    t = tk;
                }
            }
        }
        half *= 0.3;
    }
    return best;
}

/* Also parallel ones, such as share a line, points, and such as cross. */
static void segments_are_as_near_as_a_search_finds(void **state)
{
    (void)state;
    struct rng r;
    double worst = 0.0;
    rng_seed(&r, 3);
    for (int k = 0; k < 3000; k++) {
        double a[6], b[6], near[2][3], between[3];
        random_numbers(&r, 1.0, 6, a);
        random_numbers(&r, 1.0, 6, b);
        for (int i = 0; i < 3; i++) {
            if (k % 6 == 1) { /* parallel */
                b[3 + i] = b[i] + 0.7 * (a[3 + i] - a[i]);
            } else if (k % 6 == 2) { /* on one line */
                b[i] = a[i] + 0.4 * (a[3 + i] - a[i]);
                b[3 + i] = a[i] + 2.0 * (a[3 + i] - a[i]);
            } else if (k % 6 == 3) { /* a point */
                a[3 + i] = a[i];
            } else if (k % 6 == 4) { /* nearly parallel */
                b[3 + i] = b[i] + a[3 + i] - a[i] + 1e-7 * b[3 + i];
            }
        }
        const double apart = segment_apart(a, b, near[0], near[1]);
        for (int i = 0; i < 3; i++) {
            between[i] = near[1][i] - near[0][i];
        }
        assert_true(fabs(sqrt(vec3_dot(between, between)) - apart) < 1e-12);
        worst = fmax(worst, fabs(apart - searched(a, b)));
    }
    print_message("segments: at most %.1e m from what a search finds\n", worst);
    assert_true(worst < 1e-5);
}

/* A rule's distance at a pose where joint j is dq further. */
static double moved(const struct space *x, const double *q, int i, int j, double dq)
{
    struct space_pose p;
    double at[CHAIN_MAX];
    memcpy(at, q, sizeof at);
    at[j] += dq;
    space_place(x, at, &p);
    return space_distance(x, &p, i);
}

/* By central differences, but where the nearest end or pair of points changes within a step: there
 * the distance has a corner. */
static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    static struct fenced f;
    struct rng r;
    double worst[3] = {0.0};
    int corners = 0, n = 0;
    fenced_open(&f, NULL, 0);
    rng_seed(&r, 4);
    const struct space *x = &f.z.space;
    for (int k = 0; k < 500; k++) {
        struct space_pose p;
        double q[CHAIN_MAX] = {0.0}, g[CHAIN_MAX];
        random_numbers(&r, 1.5, N, q);
        space_place(x, q, &p);
        for (int i = 0; i < x->n; i++) {
            const double h = space_gradient(x, &p, i, g);
            assert_true(h == space_distance(x, &p, i));
            for (int j = 0; j < N; j++, n++) {
                const double e = 1e-5, up = moved(x, q, i, j, e), down = moved(x, q, i, j, -e);
                if (fabs(up + down - 2.0 * h) > 100.0 * e * e) {
                    corners++;
                    continue;
                }
                const double off = fabs((up - down) / (2.0 * e) - g[j]);
                worst[x->rule[i].kind] = fmax(worst[x->rule[i].kind], off);
            }
        }
    }
    print_message("gradients: off by %.1e (box), %.1e (table), %.1e (self); %d corners of %d\n",
                  worst[SPACE_BOX], worst[SPACE_TABLE], worst[SPACE_SELF], corners, n);
    assert_true(worst[SPACE_BOX] < 1e-8 && worst[SPACE_TABLE] < 1e-8 && worst[SPACE_SELF] < 1e-7);
    assert_true(corners < n / 500);
    fenced_close(&f);
}

/* What a few turns can change at most is what the filter skips rules by. */
static void no_turn_changes_a_distance_by_more_than_is_said(void **state)
{
    (void)state;
    static struct fenced f;
    struct rng r;
    double nearest = HUGE_VAL;
    fenced_open(&f, NULL, 0);
    rng_seed(&r, 5);
    const struct space *x = &f.z.space;
    for (int k = 0; k < 20000; k++) {
        struct space_pose p, p2;
        double q[CHAIN_MAX] = {0.0}, q2[CHAIN_MAX] = {0.0}, turn[CHAIN_MAX] = {0.0};
        random_numbers(&r, 1.5, N, q);
        random_numbers(&r, rng_below(&r, 2) == 0 ? 0.01 : 1.0, N, turn);
        for (int j = 0; j < N; j++) {
            turn[j] *= (double)rng_below(&r, 2);
            q2[j] = q[j] + turn[j];
        }
        space_place(x, q, &p);
        space_place(x, q2, &p2);
        for (int i = 0; i < x->n; i++) {
            const double change = fabs(space_distance(x, &p2, i) - space_distance(x, &p, i));
            const double most = space_change(x, i, turn);
            assert_true(change <= most + 1e-12);
            nearest = fmin(nearest, most > 1e-6 ? (most - change) / most : 1.0);
        }
    }
    assert_true(nearest < 0.2); /* ... and the bound is not idle */
    fenced_close(&f);
}

/* --- goals --- */

/* The least distances of each kind that the commanded trajectory gets to. */
static void drive(struct fenced *f, const uint8_t *modes, int n_modes, int ticks, uint64_t seed,
                  double ret_h[3])
{
    static struct fenced open; /* the same with its rules, to measure with */
    struct rng r;
    double goal[N] = {0.0}, was[N];
    fenced_open(&open, NULL, 0);
    rng_seed(&r, seed);
    memcpy(was, home_rad, sizeof was);
    double qd_was[N] = {0.0};
    for (int64_t i = 0; i < ticks; i++) {
        memcpy(open.z.q_cmd, f->z.q_cmd, sizeof open.z.q_cmd);
        adversary(&open, &r, i, goal);
        struct command c = fenced_ask(f, modes[(i / 97) % n_modes], goal);
        const bool weak = (i / 1500) % 3 == 2; /* then ceilings come and go, and cut speeds */
        for (int j = 0; j < N; j++) {
            c.kp[j] = 50.0;
            c.qd[j] = rng_normal(&r) * 10.0;
            c.tau[j] = rng_normal(&r);
            c.tau_max[j] *= weak ? rng_uniform(&r) : 1.0;
            was[j] = f->z.held != 0 ? f->z.q_cmd[j] : home_rad[j];
        }
        fenced_tick(f, &c);
        least_of_kinds(&open.z.space, c.q, ret_h);
        for (int j = 0; j < N; j++) {
            f->s.q[j] = c.q[j]; /* a body that is where it is told */
            f->s.qd[j] = c.qd[j];
        }
        for (int j = 0; f->z.space.n > 0 && j < N; j++) {
            const struct joint_spec *p = &f->config.robot.joint[j];
            assert_true(isfinite(c.q[j]) && c.mode[j] != MODE_VELOCITY && c.mode[j] != MODE_EFFORT);
            assert_true(fabs(c.qd[j]) <= p->qd_max + 1e-9);
            assert_true(weak || fabs(c.qd[j] - qd_was[j]) <= p->qdd_max * f->z.dt_s + 1e-9);
            qd_was[j] = c.qd[j];
            assert_true(fabs(c.q[j] - was[j] - c.qd[j] * f->z.dt_s) < 1e-9);
            assert_true(c.q[j] >= p->q_min - 1e-12 && c.q[j] <= p->q_max + 1e-12);
        }
    }
    fenced_close(&open);
}

static void no_goal_leads_the_trajectory_out(void **state)
{
    (void)state;
    static const uint8_t modes[] = {MODE_POSITION, MODE_IMPEDANCE, MODE_POSITION,
                                    MODE_HOLD,     MODE_VELOCITY,  MODE_EFFORT};
    static const char *const rates[] = {"control.rate_hz=100", "control.rate_hz=1000"};
    static struct fenced f;
    for (int rate = 0; rate < 2; rate++) {
        double h[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
        uint64_t bites[RULES_N] = {0};
        for (uint64_t seed = 1; seed <= 3; seed++) {
            fenced_open(&f, rates + rate, 1);
            drive(&f, modes, seed == 1 ? 1 : 6, 20000, seed, h);
            for (int j = 0; j < N; j++) {
                for (int k = 0; k < RULES_N; k++) {
                    bites[k] += f.z.bites[j][k];
                }
            }
            fenced_close(&f);
        }
        for (int k = 0; k < 3; k++) {
            print_message("%s: %s at least %.6f m, bit %llu times\n", rates[rate], kinds[k], h[k],
                          (unsigned long long)bites[RULE_SPACE + k]);
            assert_true(h[k] >= -1e-9);
            assert_true(h[k] < 0.02); /* it gets to the limit, not far from it */
            assert_true(bites[RULE_SPACE + k] > 100);
        }
    }
}

/* The same goals without the rules: so the test above can fail. */
static void without_rules_it_goes_everywhere(void **state)
{
    (void)state;
    static const uint8_t modes[] = {MODE_POSITION};
    static const char *const off[] = {"space.box_min_m=[]", "space.box_max_m=[]",
                                      "space.table=false", "space.self=false"};
    static struct fenced f;
    double h[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
    fenced_open(&f, off, 4);
    assert_int_equal(f.z.space.n, 0);
    drive(&f, modes, 1, 20000, 1, h);
    for (int k = 0; k < 3; k++) {
        print_message("without rules: %s %.3f m\n", kinds[k], h[k]);
        assert_true(h[k] < -0.03);
    }
    fenced_close(&f);
}

/* Pressed down and turned at once: it turns, at the limit. */
static void it_slides_along_a_limit(void **state)
{
    (void)state;
    static const double down[N] = {0.7, 1.5, 0.2, 0.0, 0.3, 0.0};
    static struct fenced f;
    double least = HUGE_VAL, h;
    int i = 0, held = 0;
    fenced_open(&f, NULL, 0);
    for (int k = 0; k < 300; k++) {
        struct command c = fenced_ask(&f, MODE_POSITION, down);
        fenced_tick(&f, &c);
        memcpy(f.s.q, c.q, sizeof c.q);
        h = space_least(&f.z.space, c.q, &i);
        least = fmin(least, h);
        held += f.z.rule[1] >= RULE_SPACE && f.z.rule[1] <= RULE_SELF;
    }
    print_message("pressed down: waist %.3f of %.3f rad, %.6f m from the limit\n", f.s.q[0],
                  down[0], least);
    assert_true(fabs(f.s.q[0] - down[0]) < 1e-3 && fabs(f.s.q[1] - down[1]) > 0.1);
    assert_true(least >= -1e-9 && least < 1e-3 && held > 100);
    fenced_close(&f);
}

/* --- a body behind --- */

#define DELAY_MAX 64 /* ms */

/* Each joint a double integrator stepped at 1 ms: a servo of its own stiffness and half again the
 * acceleration, on goals that are `delay` steps old. */
struct body {
    double q[N], qd[N];
    double line[DELAY_MAX][2 * N]; /* goals, their speeds */
    int at, delay;
};

static void body_step(const struct fenced *f, struct body *b, const struct command *c)
{
    static const double w[N] = {60.0, 50.0, 55.0, 70.0, 65.0, 80.0}; /* rad/s */
    const int ms = (int)lrint(1000.0 * f->z.dt_s);
    for (int k = 0; k < ms; k++, b->at++) {
        memcpy(b->line[b->at % DELAY_MAX], c->q, sizeof b->q);
        memcpy(b->line[b->at % DELAY_MAX] + N, c->qd, sizeof b->qd);
        const double *goal = b->line[(b->at + DELAY_MAX - b->delay) % DELAY_MAX];
        for (int j = 0; j < N; j++) {
            const double most = 1.5 * f->config.robot.joint[j].qdd_max;
            double a = w[j] * w[j] * (goal[j] - b->q[j]) + 2.0 * w[j] * (goal[N + j] - b->qd[j]);
            a = fmax(-most, fmin(most, a));
            b->q[j] += b->qd[j] * 0.001 + 0.5 * a * 1e-6;
            b->qd[j] += a * 0.001;
        }
    }
}

/* The body lags by the latency and by its stiffness, each joint by another time: it cuts the
 * trajectory's corners. TOLERANCE_M is what that may cost; margins of a robot file are for it. */
#define TOLERANCE_M 0.004

static void a_body_that_lags_stays_within_the_tolerance(void **state)
{
    (void)state;
    static struct fenced f;
    static const char *const sets[] = {"safety.latency_s=0.02"};
    double h[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct body b = {.at = DELAY_MAX, .delay = 20};
        struct rng r;
        double goal[N] = {0.0};
        rng_seed(&r, seed);
        fenced_open(&f, sets, 1);
        memcpy(b.q, home_rad, sizeof b.q);
        for (int k = 0; k < DELAY_MAX; k++) {
            memcpy(b.line[k], home_rad, sizeof home_rad);
        }
        for (int64_t i = 0; i < 20000; i++) {
            adversary(&f, &r, i, goal);
            struct command c = fenced_ask(&f, MODE_POSITION, goal);
            memcpy(f.s.q, b.q, sizeof b.q);
            memcpy(f.s.qd, b.qd, sizeof b.qd);
            fenced_tick(&f, &c);
            assert_true((f.z.trips & TRIP_SPACE) == 0);
            body_step(&f, &b, &c);
            least_of_kinds(&f.z.space, b.q, h);
        }
        fenced_close(&f);
    }
    for (int k = 0; k < 3; k++) {
        print_message("a body 20 ms and its own lag behind: %s %.4f m\n", kinds[k], h[k]);
        assert_true(h[k] > -TOLERANCE_M);
    }
}

/* --- broken at the start --- */

/* From any pose, however bad: no rule that held is broken, none gets worse than it was. */
static void what_is_broken_can_only_be_mended(void **state)
{
    (void)state;
    static struct fenced f;
    struct rng r;
    int broken = 0;
    rng_seed(&r, 7);
    for (int start = 0; start < 150; start++) {
        double goal[N] = {0.0}, h[SPACE_RULES_MAX];
        struct space_pose p;
        fenced_open(&f, NULL, 0);
        const struct space *x = &f.z.space;
        for (int j = 0; j < N; j++) {
            const struct joint_spec *s = &f.config.robot.joint[j];
            f.s.q[j] = f.z.q_cmd[j] = rng_between(&r, s->q_min, s->q_max);
        }
        space_place(x, f.s.q, &p);
        for (int i = 0; i < x->n; i++) {
            h[i] = space_distance(x, &p, i);
            broken += h[i] < 0.0;
        }
        for (int64_t i = 0; i < 300; i++) {
            adversary(&f, &r, i + 37 * start, goal);
            struct command c = fenced_ask(&f, MODE_POSITION, goal);
            fenced_tick(&f, &c);
            memcpy(f.s.q, c.q, sizeof f.s.q);
            space_place(x, c.q, &p);
            for (int k = 0; k < x->n; k++) {
                assert_true(space_distance(x, &p, k) >= fmin(0.0, h[k]) - 1e-9);
            }
        }
        fenced_close(&f);
    }
    assert_true(broken > 50);
}

/* The tip 2 cm under the box, less than three quarters of trip_m; 2.5 cm; more than trip_m. */
static void a_little_outside_it_arms_and_comes_back(void **state)
{
    (void)state;
    static const char *const sunk[] = {"space.box_min_m=[0.1,-0.4,0.2]"};
    static struct fenced f;
    char text[400];
    double q[N], h;
    int i = 0;
    fenced_open(&f, sunk, 1);
    memcpy(q, home_rad, sizeof q);
    for (q[1] = 0.0; space_least(&f.z.space, q, &i) > -0.02; q[1] += 0.001) {
    }
    memcpy(f.s.q, q, sizeof q);
    assert_int_equal(safety_may_arm(&f.z, &f.s, text, sizeof text), 0);
    for (int k = 0; k < 300; k++) { /* inward is free */
        struct command c = fenced_ask(&f, MODE_POSITION, home_rad);
        c.q[1] = -0.5;
        fenced_tick(&f, &c);
        assert_int_equal(f.z.trips, 0);
        memcpy(f.s.q, c.q, sizeof c.q);
    }
    assert_true(space_least(&f.z.space, f.s.q, &i) > 0.01);

    for (; space_least(&f.z.space, q, &i) > -0.025; q[1] += 0.001) {
    }
    memcpy(f.s.q, q, sizeof q);
    assert_int_equal(safety_may_arm(&f.z, &f.s, text, sizeof text), -EPERM);
    print_message("%s\n", text);
    assert_non_null(strstr(text, "the tip is 0.025 m outside the box, whose lower side in z is at "
                                 "0.200 m; move it by hand"));
    safety_watch(&f.z, &f.s, 63);
    assert_int_equal(f.z.trips, 0);

    for (h = 0.0; h > -0.04; q[1] += 0.001) {
        h = space_least(&f.z.space, q, &i);
    }
    memcpy(f.s.q, q, sizeof q);
    safety_watch(&f.z, &f.s, 63);
    assert_int_equal(f.z.trips, TRIP_SPACE);
    assert_int_equal(f.z.trip_joint, 5);
    (void)safety_explain(&f.z, &f.s, text, sizeof text);
    print_message("%s\n", text);
    assert_non_null(strstr(text, "more than space.trip_m 0.030; move it back by hand, then clear"));
    fenced_close(&f);
}

/* The sentences of the other rules. */
static void it_says_which_limit(void **state)
{
    (void)state;
    static const char *const open[] = {"space.box_min_m=[]", "space.box_max_m=[]"};
    static struct fenced f;
    static const double low[N] = {0.0, 1.5, 0.5, 0.0, 0.0, 0.0};
    static const double folded[N] = {0.0, -0.9, 1.4, 0.0, 1.5, 0.0};
    char text[400];
    fenced_open(&f, open, 2);
    memcpy(f.s.q, low, sizeof low);
    safety_watch(&f.z, &f.s, 63);
    (void)safety_explain(&f.z, &f.s, text, sizeof text);
    print_message("%s\n", text);
    assert_non_null(strstr(text, "m above the table, 0.010 m are wanted: beyond that limit by"));
    memcpy(f.s.q, folded, sizeof folded);
    struct space_pose p;
    space_place(&f.z.space, folded, &p);
    int self = -1;
    double least = HUGE_VAL;
    for (int i = 0; i < f.z.space.n; i++) {
        const double h = space_distance(&f.z.space, &p, i);
        if (f.z.space.rule[i].kind == SPACE_SELF && h < least) {
            least = h;
            self = i;
        }
    }
    (void)space_words(&f.z.space, &f.config.robot, folded, self, text, sizeof text);
    print_message("%s\n", text);
    assert_non_null(strstr(text, "apart, 0.010 m are wanted"));
    assert_string_equal(safety_rule_name(RULE_SPACE), "space");
    assert_string_equal(safety_rule_name(RULE_TABLE), "table");
    assert_string_equal(safety_rule_name(RULE_SELF), "self");
    assert_string_equal(safety_rule_name(RULE_OFF), "off");
    fenced_close(&f);
}

/* --- torque on top of a goal --- */

/* A body of unit inertias under the law of impedance, pushed by the command's torque: how deep it
 * gets below the table's margin. */
static double pushed(bool with_rules, uint64_t seed)
{
    static const char *const sets[] = {"space.box_min_m=[-1,-1,-1]", "space.box_max_m=[1,1,2]",
                                       "space.self=false", "space.trip_m=10"};
    static struct fenced f;
    struct rng r;
    double h[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL}, qd[N] = {0.0};
    fenced_open(&f, sets, 4);
    const struct space all = f.z.space;
    f.z.space.n = with_rules ? all.n : 0;
    rng_seed(&r, seed);
    for (int i = 0; i < 4000; i++) {
        struct command c = fenced_ask(&f, MODE_IMPEDANCE, home_rad);
        for (int j = 0; j < N; j++) {
            c.kp[j] = 5.0;
            c.kd[j] = 4.0;
            c.tau[j] = 20.0 * rng_uniform(&r); /* bends forward and down */
        }
        fenced_tick(&f, &c);
        for (int k = 0; k < 10; k++) {
            for (int j = 0; j < N; j++) {
                const struct joint_spec *p = &f.config.robot.joint[j];
                double a = c.kp[j] * (c.q[j] - f.s.q[j]) + c.kd[j] * (c.qd[j] - qd[j]) + c.tau[j];
                a = fmax(-p->qdd_max, fmin(p->qdd_max, a));
                qd[j] += a * 0.001;
                f.s.q[j] += qd[j] * 0.001;
            }
        }
        memcpy(f.s.qd, qd, sizeof qd);
        least_of_kinds(&all, f.s.q, h);
    }
    fenced_close(&f);
    return h[SPACE_TABLE];
}

static void torque_does_not_press_it_through_the_table(void **state)
{
    (void)state;
    const double with = pushed(true, 1), without = pushed(false, 1);
    print_message("pressed down by torque: %.4f m from the margin, %.4f without rules\n", with,
                  without);
    assert_true(with > -0.005 && without < -0.04);
}

/* --- the robot file --- */

static void a_file_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"space.box_min_m=[0.7,0,0]", ": space: the box has no inside: box_min_m 0.7 is not below "
                                      "box_max_m 0.6 in x"},
        {"space.box_max_m=[0.7,0]", ": space: box_min_m and box_max_m are lists of 3 numbers"},
        {"space.box_max_m=[2,1,1]", ": space: the tip is outside the box in x at each of",
         "space.box_min_m=[1,-1,0]"},
        {"space.table_z_m=0.3", ": capsule upper_arm: it is nearer to the table than"},
        {"space.self_joints_min=1", ": capsule elbow: it is nearer to upper_arm than"},
        {"capsules.hand.link=hnd", ": capsule hand: link hnd is none of links"},
        {"capsules.hand.to_m=[1]", ": capsule hand: from_m and to_m are lists of 3 numbers"},
        {"capsules.hnd.radius_m=1", "capsules: there is no \"hnd\"; the nearest is hand"},
        {"capsules.hand.radius_m=-1", "radius_m must be"},
        {"task.action=effort", "task.action effort says nothing of where it ends"},
    };
    static struct config config;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena mem;
        char reason[WHY_CHARS] = "";
        assert_int_equal(arena_open(&mem, "arm", (size_t)16 << 20), 0);
        const char *const sets[] = {cases[i][0], cases[i][2]};
        const int rc = config_load(&config, FENCED, sets, sets[1] != NULL ? 2 : 1, &mem, reason,
                                   (int)sizeof reason);
        if (rc != -EINVAL || strstr(reason, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], reason);
        }
        arena_close(&mem);
    }
}

static void load_text(const char *text, char *ret_why)
{
    static struct config config;
    struct arena mem;
    const struct config_text from = {text, strlen(text), "arm.yaml"};
    assert_int_equal(arena_open(&mem, "arm", (size_t)16 << 20), 0);
    assert_int_equal(config_load_text(&config, &from, NULL, 0, &mem, ret_why, WHY_CHARS), -EINVAL);
    arena_close(&mem);
}

/* What no --set can take away. */
static void what_space_needs_must_be_set(void **state)
{
    (void)state;
    char reason[WHY_CHARS];
    load_text("include: " SOURCE_DIR "/deploy/robots/openarm6.yaml\n"
              "capsules: [{name: hand, link: hand, radius_m: 0.02}]\nspace: {table: true}\n",
              reason);
    assert_string_equal(reason, SOURCE_DIR
                        "/deploy/robots/openarm6.yaml:20:5: joint waist: qdd_max_rad_s2 must be "
                        "set: space reckons with it how the arm can stop");
    load_text("include: " SOURCE_DIR "/deploy/robots/openarm6.yaml\nspace: {self: true}\n", reason);
    assert_string_equal(reason, "arm.yaml:2:8: space: capsules must be set: table and self keep "
                                "them apart, and there are none");
    load_text("include: " SOURCE_DIR "/deploy/robots/pendulum.yaml\nspace: {table: true}\n",
              reason);
    assert_string_equal(reason, "arm.yaml:2:8: space: links must be set: without them nobody knows "
                                "where the arm is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_as_near_as_a_search_finds),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(no_turn_changes_a_distance_by_more_than_is_said),
        cmocka_unit_test(no_goal_leads_the_trajectory_out),
        cmocka_unit_test(without_rules_it_goes_everywhere),
        cmocka_unit_test(it_slides_along_a_limit),
        cmocka_unit_test(a_body_that_lags_stays_within_the_tolerance),
        cmocka_unit_test(what_is_broken_can_only_be_mended),
        cmocka_unit_test(a_little_outside_it_arms_and_comes_back),
        cmocka_unit_test(it_says_which_limit),
        cmocka_unit_test(torque_does_not_press_it_through_the_table),
        cmocka_unit_test(a_file_that_cannot_be_is_refused),
        cmocka_unit_test(what_space_needs_must_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
