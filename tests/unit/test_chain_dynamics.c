/*
 * The chain's dynamics: against closed forms, against differences of its energies, against itself
 * the other way round, against LAPACK. MuJoCo's are in test_chain_mujoco.c.
 */
#include "tests/unit/chain_fixture.h"

#include "sim/rk4.h"

#include <errno.h>
#include <lapacke.h>

#define GRAVITY 9.81
#define STEP    1e-5 /* of central differences: its square is below 1e-9 of what is measured */

/* --- closed forms --- */

static void swings_about_y(struct link_spec *k, const char *name, double mass_kg, double com_m,
                           double about_com)
{
    *k = (struct link_spec){.axis = {0, 1, 0},
                            .mass_kg = mass_kg,
                            .com = {0, 0, -com_m},
                            .inertia = {about_com, about_com, about_com, 0, 0, 0},
                            .n_xyz = 3,
                            .n_rpy = 3,
                            .n_axis = 3,
                            .n_com = 3,
                            .n_inertia = 6};
    (void)snprintf(k->name, sizeof k->name, "%s", name);
}

static void arm_of(int n, double length_m, struct robot *ret_robot)
{
    static const char *const names[] = {"joint0", "joint1"};
    memset(ret_robot, 0, sizeof *ret_robot);
    struct chain_spec *c = &ret_robot->chain;
    ret_robot->n_joints = c->n = n;
    c->n_gravity = c->n_tool_xyz = c->n_tool_rpy = 3;
    c->gravity[2] = -GRAVITY;
    c->tool_xyz[2] = -length_m;
    for (int i = 0; i < n; i++) {
        (void)snprintf(ret_robot->joint[i].name, sizeof ret_robot->joint[i].name, "%s", names[i]);
    }
}

/* (I + m c^2 + armature) qdd + m g c sin q = tau */
static void a_pendulum_has_its_equation(void **state)
{
    (void)state;
    static struct robot robot;
    struct chain chain;
    const double m = 1.7, c = 0.31, i = 0.04, rotor = 0.02, q = 0.7, qd = -2.0, tau = 0.9;
    double got, gravity, mass;
    arm_of(1, 0.6, &robot);
    swings_about_y(&robot.chain.link[0], "joint0", m, c, i);
    robot.chain.link[0].armature_kgm2 = rotor;
    make_chain(&robot, &chain);
    chain_gravity(&chain, &q, &gravity);
    chain_mass(&chain, &q, &mass);
    assert_near(gravity, m * GRAVITY * c * sin(q), 1e-14);
    assert_near(mass, i + m * c * c + rotor, 1e-14);
    assert_int_equal(chain_accelerate(&chain, &q, &qd, &tau, &got), 0);
    assert_near(got, (tau - m * GRAVITY * c * sin(q)) / mass, 1e-13);
    struct frame link, tool;
    chain_frames(&chain, &q, &link, &tool);
    assert_near(tool.p[0], -0.6 * sin(q), 1e-14);
    assert_near(tool.p[2], -0.6 * cos(q), 1e-14);
}

/*
 * Two links of length l that hang down, the textbook's double pendulum with relative angles:
 *   M22 = I2 + m2 c2^2,  M12 = M22 + m2 l c2 cos q2,  M11 = I1 + m1 c1^2 + M22 + m2 (l^2 + 2 l c2
 * cos q2) b = (-h (2 w1 w2 + w2^2) + g1 + g2, h w1^2 + g2),   h = m2 l c2 sin q2, g1 = (m1 c1 + m2
 * l) g sin q1,  g2 = m2 c2 g sin(q1 + q2)
 */
static void two_links_have_theirs(void **state)
{
    (void)state;
    static struct robot robot;
    struct chain chain;
    const double m1 = 1.1, m2 = 0.8, l = 0.4, c1 = 0.2, c2 = 0.15, i1 = 0.02, i2 = 0.01;
    const double q[2] = {0.6, -1.1}, w[2] = {1.5, -2.5};
    double m[4], b[2];
    arm_of(2, 0.3, &robot);
    swings_about_y(&robot.chain.link[0], "joint0", m1, c1, i1);
    swings_about_y(&robot.chain.link[1], "joint1", m2, c2, i2);
    robot.chain.link[1].xyz[2] = -l;
    make_chain(&robot, &chain);
    chain_mass(&chain, q, m);
    chain_inverse(&chain, q, w, NULL, b);
    const double m22 = i2 + m2 * c2 * c2, couple = m2 * l * c2;
    assert_near(m[3], m22, 1e-14);
    assert_near(m[1], m22 + couple * cos(q[1]), 1e-14);
    assert_true(m[1] == m[2]);
    assert_near(m[0], i1 + m1 * c1 * c1 + m22 + m2 * l * l + 2.0 * couple * cos(q[1]), 1e-14);
    const double h = couple * sin(q[1]), g1 = (m1 * c1 + m2 * l) * GRAVITY * sin(q[0]),
                 g2 = m2 * c2 * GRAVITY * sin(q[0] + q[1]);
    assert_near(b[0], -h * (2.0 * w[0] * w[1] + w[1] * w[1]) + g1 + g2, 1e-13);
    assert_near(b[1], h * w[0] * w[0] + g2, 1e-13);
}

/* --- energies, from nothing but where the masses are --- */

/* Where a link's centre of mass is at q. */
static void centre(const struct chain *c, const double *q, int i, double *ret_p)
{
    struct frame link[CHAIN_MAX], tool;
    const double *p = c->link[i].p;
    chain_frames(c, q, link, &tool);
    for (int a = 0; a < 3; a++) {
        ret_p[a] = link[i].p[a];
        for (int b = 0; b < 3; b++) {
            ret_p[a] += link[i].r[3 * a + b] * p[CHAIN_HX + b] / p[CHAIN_M];
        }
    }
}

static double potential(const struct chain *c, const double *q)
{
    double sum = 0.0, p[3];
    for (int i = 0; i < c->n; i++) {
        centre(c, q, i, p);
        for (int a = 0; a < 3; a++) {
            sum -= c->link[i].p[CHAIN_M] * c->gravity[a] * p[a];
        }
    }
    return sum;
}

static void along(const double *q, const double *qd, double h, int n, double *ret)
{
    for (int i = 0; i < n; i++) {
        ret[i] = q[i] + h * qd[i];
    }
}

/* Angular speed in the link's own frame, from R' dR/dt. */
static void own_spin(const struct frame *back, const struct frame *here, const struct frame *on,
                     double *ret_w)
{
    double s[9] = {0};
    for (int a = 0; a < 3; a++) {
        for (int b = 0; b < 3; b++) {
            for (int k = 0; k < 3; k++) {
                s[3 * a + b] +=
                    here->r[3 * k + a] * (on->r[3 * k + b] - back->r[3 * k + b]) / (2.0 * STEP);
            }
        }
    }
    ret_w[0] = 0.5 * (s[7] - s[5]);
    ret_w[1] = 0.5 * (s[2] - s[6]);
    ret_w[2] = 0.5 * (s[3] - s[1]);
}

/* sum 1/2 m v^2 + 1/2 w' I_c w + 1/2 armature qd^2, speeds by differences; spec has I_c itself */
static double kinetic(const struct chain *c, const struct chain_spec *spec, const double *q,
                      const double *qd)
{
    struct frame back[CHAIN_MAX], here[CHAIN_MAX], on[CHAIN_MAX], tool;
    double qa[CHAIN_MAX], qb[CHAIN_MAX], sum = 0.0;
    along(q, qd, -STEP, c->n, qa);
    along(q, qd, STEP, c->n, qb);
    chain_frames(c, qa, back, &tool);
    chain_frames(c, q, here, &tool);
    chain_frames(c, qb, on, &tool);
    for (int i = 0; i < c->n; i++) {
        const double *s = spec->link[i].inertia;
        double pa[3], pb[3], w[3];
        centre(c, qa, i, pa);
        centre(c, qb, i, pb);
        own_spin(&back[i], &here[i], &on[i], w);
        for (int a = 0; a < 3; a++) {
            const double v = (pb[a] - pa[a]) / (2.0 * STEP);
            sum += 0.5 * spec->link[i].mass_kg * v * v + 0.5 * s[a] * w[a] * w[a];
        }
        sum += s[3] * w[0] * w[1] + s[4] * w[0] * w[2] + s[5] * w[1] * w[2];
        sum += 0.5 * spec->link[i].armature_kgm2 * qd[i] * qd[i];
    }
    return sum;
}

static double half_square(const double *m, const double *qd, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            sum += 0.5 * qd[i] * m[i * n + j] * qd[j];
        }
    }
    return sum;
}

static void the_mass_matrix_is_the_kinetic_energy(void **state)
{
    (void)state;
    static struct robot robot;
    struct rng r;
    rng_seed(&r, 1);
    for (int trial = 0; trial < 50; trial++) {
        struct chain c;
        double q[CHAIN_MAX], qd[CHAIN_MAX], m[CHAIN_MAX * CHAIN_MAX];
        random_robot(&r, 1 + trial % CHAIN_MAX, &robot);
        make_chain(&robot, &c);
        random_vector(&r, 3.0, c.n, q);
        random_vector(&r, 2.0, c.n, qd);
        chain_mass(&c, q, m);
        assert_near(half_square(m, qd, c.n), kinetic(&c, &robot.chain, q, qd), 1e-7);
    }
}

static void gravity_is_the_slope_of_the_potential(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (int trial = 0; trial < 50; trial++) {
        struct chain c;
        double q[CHAIN_MAX], tau[CHAIN_MAX];
        random_chain(&r, 1 + trial % CHAIN_MAX, &c);
        random_vector(&r, 3.0, c.n, q);
        chain_gravity(&c, q, tau);
        for (int i = 0; i < c.n; i++) {
            double a[CHAIN_MAX], b[CHAIN_MAX];
            memcpy(a, q, sizeof a);
            memcpy(b, q, sizeof b);
            a[i] -= STEP;
            b[i] += STEP;
            assert_near(tau[i], (potential(&c, b) - potential(&c, a)) / (2.0 * STEP), 1e-7);
        }
    }
}

/* d M / d q_k by differences: ret [k][i][j] */
static void mass_slopes(const struct chain *c, const double *q, double *ret)
{
    const int n = c->n;
    for (int k = 0; k < n; k++) {
        double a[CHAIN_MAX], b[CHAIN_MAX], ma[CHAIN_MAX * CHAIN_MAX], mb[CHAIN_MAX * CHAIN_MAX];
        memcpy(a, q, sizeof a);
        memcpy(b, q, sizeof b);
        a[k] -= STEP;
        b[k] += STEP;
        chain_mass(c, a, ma);
        chain_mass(c, b, mb);
        for (int e = 0; e < n * n; e++) {
            ret[k * n * n + e] = (mb[e] - ma[e]) / (2.0 * STEP);
        }
    }
}

/* (C qd)_i = sum_jk (dM_ij/dq_k - 1/2 dM_jk/dq_i) qd_j qd_k: Christoffel's symbols */
static void coriolis_is_what_the_mass_matrix_says(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    for (int trial = 0; trial < 30; trial++) {
        struct chain c;
        double q[CHAIN_MAX], qd[CHAIN_MAX], b[CHAIN_MAX], g[CHAIN_MAX];
        double slope[CHAIN_MAX * CHAIN_MAX * CHAIN_MAX];
        const int n = 1 + trial % CHAIN_MAX;
        random_chain(&r, n, &c);
        random_vector(&r, 3.0, n, q);
        random_vector(&r, 2.0, n, qd);
        chain_inverse(&c, q, qd, NULL, b);
        chain_gravity(&c, q, g);
        mass_slopes(&c, q, slope);
        for (int i = 0; i < n; i++) {
            double sum = 0.0;
            for (int j = 0; j < n; j++) {
                for (int k = 0; k < n; k++) {
                    sum += (slope[k * n * n + i * n + j] - 0.5 * slope[i * n * n + j * n + k]) *
                           qd[j] * qd[k];
                }
            }
            assert_near(b[i] - g[i], sum, 1e-7);
        }
    }
}

/* --- kinematics --- */

static void the_jacobian_is_the_slope_of_the_tool(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    for (int trial = 0; trial < 50; trial++) {
        struct chain c;
        struct frame link[CHAIN_MAX], tool, from, to, ignored[CHAIN_MAX];
        double q[CHAIN_MAX], qd[CHAIN_MAX], j[6 * CHAIN_MAX], a[CHAIN_MAX], b[CHAIN_MAX];
        double own[3];
        const int n = 1 + trial % CHAIN_MAX;
        random_chain(&r, n, &c);
        random_vector(&r, 3.0, n, q);
        random_vector(&r, 1.0, n, qd);
        chain_frames(&c, q, link, &tool);
        chain_jacobian(&c, link, tool.p, j);
        along(q, qd, -STEP, n, a);
        along(q, qd, STEP, n, b);
        chain_frames(&c, a, ignored, &from);
        chain_frames(&c, b, ignored, &to);
        own_spin(&from, &tool, &to, own);
        for (int k = 0; k < 3; k++) {
            double v = 0.0, w = 0.0, spin = 0.0;
            for (int i = 0; i < n; i++) {
                v += j[k * n + i] * qd[i];
                w += j[(3 + k) * n + i] * qd[i];
            }
            for (int i = 0; i < 3; i++) {
                spin += tool.r[3 * k + i] * own[i];
            }
            assert_near(v, (to.p[k] - from.p[k]) / (2.0 * STEP), 1e-8);
            assert_near(w, spin, 1e-8);
        }
    }
}

/* --- the algorithms against each other --- */

static void forward_undoes_inverse(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    for (int trial = 0; trial < 200; trial++) {
        struct chain c;
        double q[CHAIN_MAX], qd[CHAIN_MAX], qdd[CHAIN_MAX], tau[CHAIN_MAX], got[CHAIN_MAX];
        random_chain(&r, 1 + trial % CHAIN_MAX, &c);
        random_vector(&r, 3.0, c.n, q);
        random_vector(&r, 5.0, c.n, qd);
        random_vector(&r, 20.0, c.n, qdd);
        chain_inverse(&c, q, qd, qdd, tau);
        assert_int_equal(chain_accelerate(&c, q, qd, tau, got), 0);
        for (int i = 0; i < c.n; i++) {
            assert_near(got[i], qdd[i], 1e-9);
        }
    }
}

static void each_column_of_the_mass_matrix_is_one_acceleration(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 6);
    for (int trial = 0; trial < 50; trial++) {
        struct chain c;
        double q[CHAIN_MAX], m[CHAIN_MAX * CHAIN_MAX], g[CHAIN_MAX], tau[CHAIN_MAX];
        random_chain(&r, 1 + trial % CHAIN_MAX, &c);
        random_vector(&r, 3.0, c.n, q);
        chain_mass(&c, q, m);
        chain_gravity(&c, q, g);
        for (int j = 0; j < c.n; j++) {
            double one[CHAIN_MAX] = {0};
            one[j] = 1.0;
            chain_inverse(&c, q, NULL, one, tau);
            for (int i = 0; i < c.n; i++) {
                assert_near(m[i * c.n + j], tau[i] - g[i], 1e-12);
                assert_true(m[i * c.n + j] == m[j * c.n + i]);
            }
        }
    }
}

static void the_regressor_gives_the_same_torque(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    for (int trial = 0; trial < 50; trial++) {
        struct chain c;
        static double y[CHAIN_MAX * CHAIN_MAX * CHAIN_PARAMETERS];
        double q[CHAIN_MAX], qd[CHAIN_MAX], qdd[CHAIN_MAX], tau[CHAIN_MAX], rub[CHAIN_MAX];
        random_chain(&r, 1 + trial % CHAIN_MAX, &c);
        const int columns = c.n * CHAIN_PARAMETERS;
        random_vector(&r, 3.0, c.n, q);
        random_vector(&r, 5.0, c.n, qd);
        random_vector(&r, 20.0, c.n, qdd);
        chain_inverse(&c, q, qd, qdd, tau);
        chain_friction(&c, qd, rub);
        chain_regressor(&c, q, qd, qdd, y);
        for (int i = 0; i < c.n; i++) {
            double sum = 0.0;
            for (int k = 0; k < columns; k++) {
                sum += y[i * columns + k] * c.link[k / CHAIN_PARAMETERS].p[k % CHAIN_PARAMETERS];
            }
            assert_near(sum, tau[i] + rub[i], 1e-12);
        }
    }
}

static void cholesky_is_lapacks(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 8);
    for (int trial = 0; trial < 50; trial++) {
        struct chain c;
        double q[CHAIN_MAX], ours[CHAIN_MAX * CHAIN_MAX], theirs[CHAIN_MAX * CHAIN_MAX];
        double x[CHAIN_MAX], y[CHAIN_MAX];
        random_chain(&r, 1 + trial % CHAIN_MAX, &c);
        random_vector(&r, 3.0, c.n, q);
        random_vector(&r, 10.0, c.n, x);
        chain_mass(&c, q, ours);
        memcpy(theirs, ours, sizeof theirs);
        memcpy(y, x, sizeof y);
        assert_int_equal(LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', c.n, 1, theirs, c.n, y, 1), 0);
        assert_int_equal(chain_factor(ours, c.n), 0);
        chain_solve(ours, c.n, x);
        for (int i = 0; i < c.n; i++) {
            assert_near(x[i], y[i], 1e-10);
            for (int j = 0; j <= i; j++) {
                assert_near(ours[i * c.n + j], theirs[i * c.n + j], 1e-12);
            }
        }
    }
    double bad[4] = {1.0, 2.0, 2.0, 1.0};
    assert_int_equal(chain_factor(bad, 2), -EDOM);
}

/* --- energy --- */

static void falls(const void *self, const double *y, double *ret_dy)
{
    static const double none[CHAIN_MAX];
    const struct chain *c = self;
    memcpy(ret_dy, y + c->n, (size_t)c->n * sizeof *y);
    assert_int_equal(chain_accelerate(c, y, y + c->n, none, ret_dy + c->n), 0);
}

/* |energy at the end - energy at the start| over half a second in steps of h */
static double energy_lost(const struct chain *c, const double *start, double h_s)
{
    double y[2 * CHAIN_MAX], m[CHAIN_MAX * CHAIN_MAX];
    memcpy(y, start, sizeof y);
    chain_mass(c, y, m);
    const double before = half_square(m, y + c->n, c->n) + potential(c, y);
    for (int k = 0; k < (int)lrint(0.5 / h_s); k++) {
        rk4(falls, c, y, 2 * c->n, h_s);
    }
    chain_mass(c, y, m);
    return fabs(half_square(m, y + c->n, c->n) + potential(c, y) - before);
}

/* RK4's error over a fixed time goes with h^4: half a step is a sixteenth of it. */
static void energy_stays_to_the_integrators_order(void **state)
{
    (void)state;
    struct rng r;
    double coarse = 0.0, fine = 0.0;
    rng_seed(&r, 9);
    for (int trial = 0; trial < 10; trial++) {
        struct chain c;
        double y[2 * CHAIN_MAX] = {0};
        random_chain(&r, 6, &c);
        random_vector(&r, 3.0, 6, y);
        random_vector(&r, 1.0, 6, y + 6);
        coarse += energy_lost(&c, y, 2e-3);
        fine += energy_lost(&c, y, 1e-3);
    }
    print_message("energy lost: %.2g J with 2 ms, %.2g J with 1 ms, ratio %.1f\n", coarse / 10.0,
                  fine / 10.0, coarse / fine);
    assert_true(coarse < 1e-2 && coarse / fine > 12.0);
}

/* --- refusals --- */

static void refused(const struct robot *robot, const char *words)
{
    struct chain c;
    char reason[WHY_CHARS] = "";
    assert_int_equal(chain_init(&c, robot, reason, (int)sizeof reason), -EINVAL);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
}

static void impossible_bodies_are_refused(void **state)
{
    (void)state;
    static struct robot good, bad;
    struct rng r;
    rng_seed(&r, 10);
    random_robot(&r, 3, &good);
    bad = good;
    const double negative[6] = {1, 1, -0.1, 0, 0, 0}, hidden[6] = {1, 1, 1, 1.1, 0, 0},
                 long_rod[6] = {1, 1, 2.1, 0, 0, 0}, flat[6] = {1, 1, 2, 0, 0, 0};
    memcpy(bad.chain.link[1].inertia, negative, sizeof negative);
    refused(&bad, "link joint1: inertia_kgm2 is not positive definite");
    memcpy(bad.chain.link[1].inertia, hidden, sizeof hidden);
    refused(&bad, "link joint1: inertia_kgm2 is not positive definite");
    memcpy(bad.chain.link[1].inertia, long_rod, sizeof long_rod);
    refused(&bad, "link joint1: inertia_kgm2 has a principal moment");
    struct chain c;
    memcpy(bad.chain.link[1].inertia, flat, sizeof flat);
    assert_int_equal(chain_init(&c, &bad, NULL, 0), 0);
    memset(bad.chain.link[2].axis, 0, sizeof bad.chain.link[2].axis);
    refused(&bad, "link joint2: axis has no direction");
    bad.chain.link[2].n_axis = 2;
    refused(&bad, "link joint2: axis is a list of 3 numbers, not of 2");
    bad = good;
    (void)snprintf(bad.chain.link[0].name, NAME_CHARS, "elbow");
    refused(&bad, "link elbow: the robot has no joint");
    bad.chain.n = 0;
    assert_int_equal(chain_init(&c, &bad, NULL, 0), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pendulum_has_its_equation),
        cmocka_unit_test(two_links_have_theirs),
        cmocka_unit_test(the_mass_matrix_is_the_kinetic_energy),
        cmocka_unit_test(gravity_is_the_slope_of_the_potential),
        cmocka_unit_test(coriolis_is_what_the_mass_matrix_says),
        cmocka_unit_test(the_jacobian_is_the_slope_of_the_tool),
        cmocka_unit_test(forward_undoes_inverse),
        cmocka_unit_test(each_column_of_the_mass_matrix_is_one_acceleration),
        cmocka_unit_test(the_regressor_gives_the_same_torque),
        cmocka_unit_test(cholesky_is_lapacks),
        cmocka_unit_test(energy_stays_to_the_integrators_order),
        cmocka_unit_test(impossible_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
