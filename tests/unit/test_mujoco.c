/*
 * MuJoCo's bodies on our models against figures of Gymnasium's own: free flight
 * (environments 11.2), mass matrices (11.3), limits and contacts (11.4).
 */
#ifndef BASAL_MUJOCO
#include <stdio.h>

int main(void)
{
    (void)puts("skipped: built without MuJoCo: libmujoco-dev is not installed");
    return 77;
}
#else

#include "tests/unit/mujoco_fixture.h"

#define DOF_MAX 24
#define NEAR    2e-9 /* of the figures' ten digits; below 1 absolute */

#define FREE          "<option><flag contact=\"disable\" limit=\"disable\"/></option>"
#define FREE_AT(pose) FREE "<keyframe><key name=\"start\" qpos=\"" pose "\"/></keyframe>"

/* --- 11.2 --- */

/* u_j(k) = A sin(0.3 k + j), held over the step; A in the ceiling of the control. */
struct flight {
    const char *robot, *more;
    double amplitude;
    int steps, n_q, n_v;
    double q[DOF_MAX], v[DOF_MAX];
};

/* clang-format off */
static const struct flight flights[] = {
    {"reacher", FREE, 1, 1, 2, 2, {-.00001337057338, .0334296248}, {-.001327883191, 3.331858316}},
    {"reacher", FREE, 1, 10, 2, 2, {2.139570131, 2.792021318}, {23.9058439, 16.18915479}},
    {"reacher", FREE, 1, 50, 2, 2, {7.705741008, 6.021464956}, {14.25737778, 16.05890531}},
    {"inverted-pendulum", FREE_AT("0 .01"), 0, 1, 2, 2, {-.00002647150478, .01027261396}, {-.0013104315,
     .01350127729}},
    {"inverted-pendulum", FREE_AT("0 .01"), 0, 10, 2, 2, {-.00299962983, .04112117039}, {-.01829596307, .1904096355}},
    {"inverted-pendulum", FREE_AT("0 .01"), 0, 25, 2, 2, {-.05497055198, .6235042808}, {-.2062620887, 2.662220666}},
    {"inverted-pendulum", FREE_AT("0 .01"), 1, 10, 2, 2, {.9551793303, -2.056792833}, {4.533483592, -9.947877601}},
    {"inverted-double-pendulum", FREE_AT("0 .05 -.03"), 0, 1, 3, 3, {-.0003884947159, .05274027436, -.03513048005},
     {-.01566524648, .1108159753, -.2081244355}},
    {"inverted-double-pendulum", FREE_AT("0 .05 -.03"), 0, 10, 3, 3, {-.06774655688, .6491828508, -1.328678849},
     {-.3080463556, 3.053981379, -6.500263039}},
    {"swimmer", FREE_AT("0 0 0 .05 -.05"), 1, 1, 5, 5, {.000324486392, -.009796339892, .00785308233, .0256228607,
     -.01135393627}, {.01157370072, -.4803812817, .3848271316, -1.192695282, 1.885884368}},
    {"swimmer", FREE_AT("0 0 0 .05 -.05"), 1, 10, 5, 5, {.04033856299, .361496687, -.4791064132, .4690316383,
     .5886474184}, {.7575975498, 2.221155326, -2.503293989, 4.174817745, -2.133493861}},
    {"swimmer", FREE_AT("0 0 0 .05 -.05"), 1, 100, 5, 5, {-.3179661755, .6802712105, -.5367010386, 1.635492491,
     -1.591939091}, {-1.074500453, -1.030209328, 1.597427276, -.6932358358, -3.037973307}},
    {"hopper", FREE, 1, 1, 6, 6, {.0004747009393, 1.249531475, .001747696179, -.0004677791994, .004256091156,
     .004975020655}, {.118516754, -.1174371164, .4363503264, -.1166418576, 1.06291842, 1.242229524}},
    {"hopper", FREE, 1, 10, 6, 6, {.05019001473, 1.190249569, .4141126583, .2881795415, .3596298455, .1084341183},
     {.8484016503, -1.6723399, 9.839407013, 8.719046321, 5.326875643, -2.643461643}},
    {"walker2d", FREE, 1, 1, 9, 9, {.0002349991415, 1.249714283, .002957944497, -.001503331319, .009881778736,
     .03937571687, .008760516153, -.01028655726, -.04296068996}, {.0579324829, -.07327783574, .7425685836,
     -.3691835234, 2.503219744, 9.792012384, 2.197718897, -2.537576462, -10.76101651}},
    {"half-cheetah", FREE, 1, 1, 9, 9, {.002068555347, -.03351830497, -.02278698495, -.07443409256, .2917902498,
     .3400326815, .119687449, -.2387084565, -.2472357396}, {.07589133582, -.9748956975, -.5886371201, -1.008293777,
     6.742247251, 8.11750271, 2.673470721, -5.915009569, -6.967603465}},
    {"half-cheetah", FREE, 1, 10, 9, 9, {-.01087933218, -1.230609129, .004570320666, .2446683681, -.2663779961,
     -.502520848, -.4190971836, .1918628103, .5078137944}, {-.002575536414, -4.700219157, .04742543789, -2.512067276,
     -2.248819654, -.1522231685, 3.03041989, 2.432440576, .717448172}},
    {"ant", FREE, 1, 1, 15, 14, {.002582308382, -.01125446585, .7424991541, .9999407851, .00838929365, -.006713597302,
     .001724428728, .163838609, .02630234322, -.1364824179, -.1755977899, -.05080379138, .1205063731, .00009537922513,
     .1540054657}, {.100168876, -.4164670476, -.3089277836, .6457282922, -.5542050235, .1282372235, 6.499819621,
     1.043006971, -5.413571939, -6.966232397, -2.014674704, 4.780741393, .00182955547, 6.110278336}},
};

/* clang-format on */

static void assert_near_all(const char *what, const double *got, const double *want, int n,
                            double tolerance)
{
    for (int i = 0; i < n; i++) {
        if (!(fabs(got[i] - want[i]) <= tolerance * fmax(1.0, fabs(want[i])))) {
            fail_msg("%s, number %d: %.12g, %.12g was wanted", what, i, got[i], want[i]);
        }
    }
}

static void fly(struct body *b, double amplitude, int steps)
{
    double act[JOINTS_MAX];
    for (int k = 0; k < steps; k++) {
        for (int j = 0; j < b->cmd.n; j++) {
            act[j] = amplitude * sin(0.3 * k + j);
        }
        body_step(b, act);
    }
}

static void free_flight_is_gymnasiums_11_2(void **state)
{
    (void)state;
    static struct body b;
    for (size_t i = 0; i < sizeof flights / sizeof flights[0]; i++) {
        const struct flight *f = &flights[i];
        open_wrapped(&b, f->robot, f->more);
        fly(&b, f->amplitude, f->steps);
        assert_near_all(f->robot, qpos(&b), f->q, f->n_q, NEAR);
        assert_near_all(f->robot, extra(&b, "qvel"), f->v, f->n_v, NEAR);
        body_close(&b);
    }
}

/* Mass times the velocity of its centre, and its height. */
static void momentum_of(const mjModel *m, mjData *d, const struct body *b, double *ret_p,
                        double *ret_z)
{
    memcpy(d->qpos, qpos(b), (size_t)m->nq * sizeof(double));
    memcpy(d->qvel, extra(b, "qvel"), (size_t)m->nv * sizeof(double));
    mj_forward(m, d);
    mj_subtreeVel(m, d);
    for (int k = 0; k < 3; k++) {
        ret_p[k] = mj_getTotalmass(m) * d->subtree_linvel[k];
    }
    *ret_z = d->subtree_com[2];
}

/* What drives its joints moves no centre: that falls by g t^2 / 2, or by steps of semi-implicit
 * Euler, and its horizontal momentum is kept; as exactly as each body's steps are. (Armature turns
 * with no partner: angular momentum is none of these.) */
static void in_flight_a_centre_only_falls_11_2(void **state)
{
    (void)state;

    static const struct {
        const char *robot;
        bool euler;
        double amplitude, tolerance;
        int steps;
    } cases[] = {
        {"hopper", false, 1, 1e-7, 10},
        {"walker2d", false, 1, 1e-4, 5},
        {"ant", false, 1, 1e-4, 4},
        {"half-cheetah", true, 0, 1e-12, 10},
    };

    static struct body b;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const mjModel *m = model_of(cases[i].robot);
        const double g = 9.81, dt_s = m->opt.timestep;
        mjData *d = mj_makeData(m);
        double p[3], z0, z;
        open_wrapped(&b, cases[i].robot, FREE);
        momentum_of(m, d, &b, p, &z0);
        fly(&b, cases[i].amplitude, cases[i].steps);
        momentum_of(m, d, &b, p, &z);
        const double t_s = cases[i].steps * b.config.sim_settings.substep_us * 1e-6;
        const double n = t_s / dt_s;
        const double fall_m =
            cases[i].euler ? g * dt_s * dt_s * n * (n + 1) / 2 : g * t_s * t_s / 2;
        const double want[4] = {0, 0, -g * t_s * mj_getTotalmass(m), fall_m};
        const double got[4] = {p[0], p[1], p[2], z0 - z};
        assert_near_all(cases[i].robot, got, want, 4, cases[i].tolerance);
        mj_deleteData(d);
        mujoco_model_drop(m);
        body_close(&b);
    }
}

/* --- 11.3 --- */

struct inertia {
    const char *robot;
    int n;
    double upper[45]; /* of the mass matrix at the reference pose, by rows */
    double mass_kg;   /* 0: not stated */
};

/* clang-format off */
static const struct inertia inertias[] = {
    {"inverted-pendulum", 2, {15.4905672, 1.50557749, .640424269}, 15.49056714},
    {"inverted-double-pendulum", 3, {18.8694527, 5.0384863, 1.25962157, 4.08880606, 1.28863009, .532857142},
     18.8694527},
    {"reacher", 2, {1.00115336, .000403139641, 1.00017904}, 0},
    {"hopper", 6, {15.8200134, 0, -10.3407355, 7.90977108, 3.35312656, 0, 15.8200134, -.34551236, .34551236,
     .34551236, .34551236, 10.3765316, -8.23913862, -3.88054467, -.125981384, 7.6571844, 3.20991936, .125981384,
     2.70101241, .125981384, 1.12598138}, 15.8200134},
    {"half-cheetah", 9, {14, 0, -2.08561339, -1.24209874, -.370730544, -.106253556, -1.00225941, -.329205021,
     -.061916318, 14, -.528748954, -.0875146444, .49609205, -.0328619247, .159769874, -.232845188, -.0398033473,
     3.65552875, .471084074, .454855969, .0387093697, .324343121, .271755821, .0551628961, .614841396, .206809944,
     .0551403321, 0, 0, 0, .293502036, .023319035, 0, 0, 0, .117644876, 0, 0, 0, .504228058, .155333226, .0352612224,
     .208922348, .0259737747, .109654402}, 14},
    {"walker2d", 0, {0}, 23.6771366},
    {"ant", 0, {0}, .910880083},
    {"humanoid", 0, {0}, 42.1160305},
};

/* clang-format on */

static void inertia_is_gymnasiums_11_3(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof inertias / sizeof inertias[0]; i++) {
        const struct inertia *w = &inertias[i];
        const mjModel *m = model_of(w->robot);
        mjData *d = mj_makeData(m);
        static mjtNum full[DOF_MAX * DOF_MAX];
        int k = 0;
        mj_forward(m, d);
        mj_fullM(m, full, d->qM);
        for (int row = 0; row < w->n; row++) {
            assert_near_all(w->robot, full + row * m->nv + row, w->upper + k, w->n - row, 1e-8);
            k += w->n - row;
        }
        if (w->mass_kg > 0.0) {
            const double mass_kg = mj_getTotalmass(m);
            assert_near_all(w->robot, &mass_kg, &w->mass_kg, 1, 1e-8);
        }
        mj_deleteData(d);
        mujoco_model_drop(m);
    }
}

/* What contacts are computed with: each body's translational invweight0 (environments 5.3). */
static void contact_weights_are_gymnasiums_5_3(void **state)
{
    (void)state;

    static const struct {
        const char *robot;
        int n;
        double weight[8];
    } all[] = {
        {"half-cheetah", 7, {.0641575, .0969110, .127209, .243749, .0814838, .131997, .266144}},
        {"hopper", 4, {.0849224, .0519233, .0495951, .0669027}},
        {"walker2d", 4, {.0853165, .0605164, .0629972, .134746}},
        {"ant", 4, {1.10144, 1.18047, 1.80878, 3.98441}},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const mjModel *m = model_of(all[i].robot);
        for (int k = 0; k < all[i].n; k++) { /* the world's own body is the first */
            const double got = m->body_invweight0[2 * (k + 1)];
            assert_true(fabs(got - all[i].weight[k]) <= 5e-6 * fmax(1.0, got));
        }
        mujoco_model_drop(m);
    }
}

/* --- 11.4 --- */

struct landing {
    const char *robot;
    int steps, first, n;
    double q[9], tolerance;
    int contacts;
};

/* clang-format off */
static const struct landing landings[] = {
    {"half-cheetah", 1, 1, 1, {-.014715}, 1e-12, 0}, /* before it touches */
    {"half-cheetah", 200, 0, 9, {-.01231863, -.1324451, .0521247, .0342037, .0678635, -.0139069, -.0589357, -.1399817, -.1310319}, 1e-6, 2},
    {"hopper", 1, 1, 1, {1.24968608}, 1e-8, 0},
    {"hopper", 10, 1, 1, {1.218608}, 1e-6, 0},
    {"hopper", 50, 1, 2, {1.206457, -.01562}, 1e-5, 2},
    {"walker2d", 50, 1, 2, {1.207723, -.005288}, 1e-6, 4},
    {"ant", 10, 2, 1, {.5821554}, 1e-6, 0},
    {"ant", 400, 2, 1, {.3724810}, 1e-6, 4},
};

/* clang-format on */

/* How often a body in that pose touches anything. */
static int contacts_of(const char *robot, const double *q)
{
    const mjModel *m = model_of(robot);
    mjData *d = mj_makeData(m);
    memcpy(d->qpos, q, (size_t)m->nq * sizeof *q);
    mj_forward(m, d);
    const int n = d->ncon;
    mj_deleteData(d);
    mujoco_model_drop(m);
    return n;
}

static void landings_are_gymnasiums_11_4(void **state)
{
    (void)state;
    static struct body b;
    for (size_t i = 0; i < sizeof landings / sizeof landings[0]; i++) {
        const struct landing *w = &landings[i];
        open_wrapped(&b, w->robot, "");
        for (int k = 0; k < w->steps; k++) {
            body_step(&b, NULL);
        }
        assert_near_all(w->robot, qpos(&b) + w->first, w->q, w->n, w->tolerance);
        assert_int_equal(contacts_of(w->robot, qpos(&b)), w->contacts);
        body_close(&b);
    }
}

/* Until it touches, the hopper falls as a stone does: -g t after steps of 8 ms. */
static void the_hopper_falls_11_4(void **state)
{
    (void)state;
    static struct body b;
    open_wrapped(&b, "hopper", "");
    for (int k = 1; k <= 10; k++) {
        body_step(&b, NULL);
        const double zdot = extra(&b, "qvel")[1];
        assert_true(k != 1 || fabs(zdot - -.07848) < 1e-12);
        assert_true(k != 10 || fabs(zdot - -.7848) < 1e-9);
    }
    body_close(&b);
}

static void settled_bodies_lie_still_11_4(void **state)
{
    (void)state;
    static struct body b;
    open_wrapped(&b, "half-cheetah", "");
    for (int k = 0; k < 200; k++) {
        body_step(&b, NULL);
    }
    for (int i = 0; i < 9; i++) {
        assert_true(fabs(extra(&b, "qvel")[i]) < 1e-8);
    }
    body_close(&b);
    open_wrapped(&b, "ant", "");
    for (int k = 0; k < 400; k++) {
        body_step(&b, NULL);
        if (k == 9) {
            assert_true(fabs(fabs(qpos(&b)[8]) - 1.0546298) < 1e-6);
        }
    }
    for (int leg = 0; leg < 4; leg++) {
        assert_true(fabs(fabs(qpos(&b)[8 + 2 * leg]) - .5235575) < 1e-4);
    }
    body_close(&b);
}

/* From zero, limits on; it reaches none of them. */
static void the_swimmer_swims_11_4(void **state)
{
    (void)state;
    static struct body b;
    static const double want[] = {-.34934775, .70772727, -.55908356, 1.6064334, -1.5162513};
    open_wrapped(&b, "swimmer", "");
    fly(&b, 1.0, 100);
    assert_near_all("swimmer", qpos(&b), want, 5, 5e-8);
    body_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_flight_is_gymnasiums_11_2),
        cmocka_unit_test(in_flight_a_centre_only_falls_11_2),
        cmocka_unit_test(inertia_is_gymnasiums_11_3),
        cmocka_unit_test(contact_weights_are_gymnasiums_5_3),
        cmocka_unit_test(landings_are_gymnasiums_11_4),
        cmocka_unit_test(the_hopper_falls_11_4),
        cmocka_unit_test(settled_bodies_lie_still_11_4),
        cmocka_unit_test(the_swimmer_swims_11_4),
    };
    return cmocka_run_group_tests(tests, fixture_begin, fixture_end);
}
#endif
