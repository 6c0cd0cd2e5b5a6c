/*
 * The chain's dynamics against MuJoCo's: chains at random, written as MJCF, in states at random,
 * nothing touching anything.
 */
#ifndef BASAL_MUJOCO
#include <stdio.h>

int main(void)
{
    (void)puts("skipped: built without MuJoCo: libmujoco-dev is not installed");
    return 77;
}
#else

#include "tests/unit/chain_fixture.h"

#include <mujoco/mujoco.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIALS 40
#define STATES 25
#define NEAR   1e-6

/* In a folder of its own, where MuJoCo would write its log. */
static char folder[] = "/tmp/test_chain_mujoco_XXXXXX";

static int begin(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    (void)remove("chain.xml");
    (void)remove("MUJOCO_LOG.TXT");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void put_numbers(FILE *f, const char *key, const double *x, int n)
{
    (void)fprintf(f, " %s=\"", key);
    for (int i = 0; i < n; i++) {
        (void)fprintf(f, "%s%.17g", i > 0 ? " " : "", x[i]);
    }
    (void)fprintf(f, "\"");
}

/* Fixed axes x, y, z in this order are MuJoCo's "XYZ". */
static void write_model(const struct chain_spec *c)
{
    FILE *f = fopen("chain.xml", "we");
    assert_non_null(f);
    (void)fprintf(f, "<mujoco><compiler angle=\"radian\" eulerseq=\"XYZ\"/><option");
    put_numbers(f, "gravity", c->gravity, 3);
    (void)fprintf(f, "/><worldbody>\n");
    for (int i = 0; i < c->n; i++) {
        const struct link_spec *k = &c->link[i];
        (void)fprintf(f, "<body");
        put_numbers(f, "pos", k->xyz, 3);
        put_numbers(f, "euler", k->rpy, 3);
        (void)fprintf(f, "><inertial");
        put_numbers(f, "pos", k->com, 3);
        put_numbers(f, "mass", &k->mass_kg, 1);
        put_numbers(f, "fullinertia", k->inertia, 6);
        (void)fprintf(f, "/><joint type=\"hinge\"");
        put_numbers(f, "axis", k->axis, 3);
        put_numbers(f, "armature", &k->armature_kgm2, 1);
        put_numbers(f, "damping", &k->damping_nms_rad, 1);
        (void)fprintf(f, "/>\n");
    }
    (void)fprintf(f, "<site name=\"tool\"");
    put_numbers(f, "pos", c->tool_xyz, 3);
    put_numbers(f, "euler", c->tool_rpy, 3);
    (void)fprintf(f, "/>");
    for (int i = 0; i < c->n; i++) {
        (void)fprintf(f, "</body>");
    }
    (void)fprintf(f, "</worldbody></mujoco>\n");
    assert_int_equal(fclose(f), 0);
}

static mjModel *load_model(void)
{
    char error[512] = "";
    mjModel *m = mj_loadXML("chain.xml", NULL, error, (int)sizeof error);
    if (m == NULL) {
        fail_msg("%s", error);
    }
    return m;
}

/* Largest difference, as a part of the largest number (or of 1). */
static double apart(const double *ours, const double *theirs, int n)
{
    double most = 1.0, off = 0.0;
    for (int i = 0; i < n; i++) {
        most = fmax(most, fabs(theirs[i]));
        off = fmax(off, fabs(ours[i] - theirs[i]));
    }
    return off / most;
}

struct worst {
    double acceleration, bias, mass, tool;
};

/* One state: the same torque, viscous friction on both sides. */
static void compare(const struct chain *c, const mjModel *m, mjData *d, struct rng *r,
                    struct worst *ret)
{
    double q[CHAIN_MAX], qd[CHAIN_MAX], tau[CHAIN_MAX], qdd[CHAIN_MAX], bias[CHAIN_MAX];
    double ours[CHAIN_MAX * CHAIN_MAX], theirs[CHAIN_MAX * CHAIN_MAX];
    struct frame link[CHAIN_MAX], tool;
    const int n = c->n;
    random_vector(r, 3.0, n, q);
    random_vector(r, 5.0, n, qd);
    random_vector(r, 10.0, n, tau);
    memcpy(d->qpos, q, (size_t)n * sizeof q[0]);
    memcpy(d->qvel, qd, (size_t)n * sizeof qd[0]);
    memcpy(d->qfrc_applied, tau, (size_t)n * sizeof tau[0]);
    mj_forward(m, d);
    for (int i = 0; i < n; i++) {
        tau[i] -= c->link[i].p[CHAIN_VISCOUS] * qd[i];
    }
    assert_int_equal(chain_accelerate(c, q, qd, tau, qdd), 0);
    ret->acceleration = fmax(ret->acceleration, apart(qdd, d->qacc, n));
    chain_inverse(c, q, qd, NULL, bias);
    ret->bias = fmax(ret->bias, apart(bias, d->qfrc_bias, n));
    chain_mass(c, q, ours);
    mj_fullM(m, theirs, d->qM);
    ret->mass = fmax(ret->mass, apart(ours, theirs, n * n));
    chain_frames(c, q, link, &tool);
    ret->tool =
        fmax(ret->tool, fmax(apart(tool.p, d->site_xpos, 3), apart(tool.r, d->site_xmat, 9)));
}

static void it_moves_as_mujocos(void **state)
{
    (void)state;
    static struct robot robot;
    struct worst worst = {0};
    struct rng r;
    rng_seed(&r, 11);
    for (int trial = 0; trial < TRIALS; trial++) {
        struct chain c;
        random_robot(&r, 1 + trial % CHAIN_MAX, &robot);
        make_chain(&robot, &c);
        write_model(&robot.chain);
        mjModel *m = load_model();
        mjData *d = mj_makeData(m);
        assert_int_equal(m->nv, c.n);
        for (int k = 0; k < STATES; k++) {
            compare(&c, m, d, &r, &worst);
        }
        mj_deleteData(d);
        mj_deleteModel(m);
    }
    print_message("%d states, largest relative difference: acceleration %.1e, bias %.1e, mass "
                  "matrix %.1e, tool %.1e\n",
                  TRIALS * STATES, worst.acceleration, worst.bias, worst.mass, worst.tool);
    assert_true(worst.acceleration < NEAR && worst.bias < NEAR);
    assert_true(worst.mass < NEAR && worst.tool < NEAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_moves_as_mujocos)};
    return cmocka_run_group_tests(tests, begin, end);
}
#endif
