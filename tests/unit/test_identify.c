/*
 * Identification: which parameters there are, planted ones found again with honest errors, a
 * recording of the simulated arm, and what is refused.
 */
#include "tests/unit/chain_fixture.h"

#include "daemon/config.h"
#include "daemon/identify.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ROBOT   SOURCE_DIR "/deploy/robots/openarm6.yaml"
#define WAVES   5
#define BASE_HZ 0.1
#define RATE_HZ 100
#define SAMPLES 2000

static struct arena mem;
static char reason[WHY_CHARS];

static int open_memory(void **state)
{
    (void)state;
    return arena_open(&mem, "test", (size_t)512 << 20);
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&mem);
    return 0;
}

static const struct robot *our_arm(void)
{
    static struct config config;
    if (config_load(&config, ROBOT, NULL, 0, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    return &config.robot;
}

static void base_of(struct identify *z, const struct robot *robot)
{
    if (identify_base(z, robot, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

/* --- motions --- */

/* Every joint a sum of sines at multiples of a tenth of a hertz, within its range. */
struct tune {
    double middle, a[WAVES], b[WAVES];
};

static void draw_tune(struct rng *r, const struct joint_spec *j, struct tune *ret)
{
    ret->middle = 0.5 * (j->q_min + j->q_max);
    for (int k = 0; k < WAVES; k++) {
        const double most = 0.5 * (j->q_max - j->q_min) / (WAVES * sqrt(2.0));
        ret->a[k] = rng_between(r, -most, most);
        ret->b[k] = rng_between(r, -most, most);
    }
}

static void play(const struct tune *t, double at_s, double *ret_q, double *ret_qd, double *ret_qdd)
{
    *ret_q = t->middle;
    *ret_qd = *ret_qdd = 0.0;
    for (int k = 0; k < WAVES; k++) {
        const double w = 2.0 * M_PI * BASE_HZ * (k + 1) * 1.5, s = sin(w * at_s), c = cos(w * at_s);
        *ret_q += t->a[k] * s + t->b[k] * c;
        *ret_qd += w * (t->a[k] * c - t->b[k] * s);
        *ret_qdd -= w * w * (t->a[k] * s + t->b[k] * c);
    }
}

/* Torques by the chain itself, and normal noise of noise_nm, twice as much in the first joint. */
static void record(const struct robot *robot, const struct chain *c, uint64_t seed, double noise_nm,
                   struct motion_record *ret)
{
    static double q[SAMPLES * CHAIN_MAX], qd[SAMPLES * CHAIN_MAX], qdd[SAMPLES * CHAIN_MAX],
        tau[SAMPLES * CHAIN_MAX];
    struct tune tune[CHAIN_MAX];
    struct rng r;
    rng_seed(&r, seed);
    for (int i = 0; i < c->n; i++) {
        draw_tune(&r, &robot->joint[c->link[i].joint], &tune[i]);
    }
    for (int s = 0; s < SAMPLES; s++) {
        double rub[CHAIN_MAX];
        const int at = s * c->n;
        for (int i = 0; i < c->n; i++) {
            play(&tune[i], (double)s / RATE_HZ, &q[at + i], &qd[at + i], &qdd[at + i]);
        }
        chain_inverse(c, q + at, qd + at, qdd + at, tau + at);
        chain_friction(c, qd + at, rub);
        for (int i = 0; i < c->n; i++) {
            tau[at + i] += rub[i] + noise_nm * (i == 0 ? 2.0 : 1.0) * rng_normal(&r);
        }
    }
    *ret = (struct motion_record){
        .n_samples = SAMPLES, .n = c->n, .q = q, .qd = qd, .qdd = qdd, .tau = tau};
}

/* Our arm, its base, and an exact record of it. */
static const struct robot *exact_swing(struct identify *ret_base, struct motion_record *ret_record)
{
    const struct robot *robot = our_arm();
    base_of(ret_base, robot);
    record(robot, &ret_base->chain, 1, 0.0, ret_record);
    return robot;
}

static void fit_of(struct identify *z, const struct motion_record *m)
{
    if (identify_fit(z, m, false, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

/* --- the base parameters --- */

static bool has(const struct identify *z, const char *name)
{
    char own[IDENTIFY_NAME];
    for (int i = 0; i < z->n_base; i++) {
        (void)identify_name(z, i, own, (int)sizeof own);
        if (strcmp(own, name) == 0) {
            return true;
        }
    }
    return false;
}

/* About a level axis y: two first moments, one inertia with the rotor's, two frictions; the rest
 * moves nothing. */
static void a_pendulum_has_five(void **state)
{
    (void)state;
    static struct robot robot;
    static struct identify z;
    struct rng r;
    rng_seed(&r, 1);
    random_robot(&r, 1, &robot);
    struct chain_spec *c = &robot.chain;
    const double none[3] = {0, 0, 0}, y[3] = {0, 1, 0}, down[3] = {0, 0, -9.81};
    memcpy(c->link[0].rpy, none, sizeof none);
    memcpy(c->link[0].axis, y, sizeof y);
    memcpy(c->gravity, down, sizeof down);
    base_of(&z, &robot);
    assert_int_equal(z.n_base, 5);
    assert_true(has(&z, "joint0.m_cx") && has(&z, "joint0.m_cz"));
    assert_true(has(&z, "joint0.Iyy + 1 joint0.armature"));
    assert_true(has(&z, "joint0.damping") && has(&z, "joint0.friction"));
    int unseen = 0;
    for (int k = 0; k < z.n_rest; k++) {
        unseen += identify_is_unseen(&z, k) ? 1 : 0;
    }
    assert_int_equal(unseen, CHAIN_PARAMETERS - 6);
}

/* Any torque is the base's: Y p = Y_base b, for other parameters than those of the file too. */
static void the_base_says_everything(void **state)
{
    (void)state;
    static struct robot robot;
    static struct identify z;
    static double y[CHAIN_MAX * IDENTIFY_COLUMNS];
    struct rng r;
    rng_seed(&r, 2);
    for (int trial = 0; trial < 12; trial++) {
        double p[IDENTIFY_COLUMNS], b[IDENTIFY_COLUMNS], q[3][CHAIN_MAX];
        random_robot(&r, 1 + trial % CHAIN_MAX, &robot);
        base_of(&z, &robot);
        const int columns = z.n * CHAIN_PARAMETERS;
        random_vector(&r, 1.0, columns, p);
        identify_combine(&z, p, b);
        for (int k = 0; k < 3; k++) {
            random_vector(&r, 3.0, z.n, q[k]);
        }
        chain_regressor(&z.chain, q[0], q[1], q[2], y);
        for (int i = 0; i < z.n; i++) {
            double all = 0.0, base = 0.0;
            for (int j = 0; j < columns; j++) {
                all += y[i * columns + j] * p[j];
            }
            for (int j = 0; j < z.n_base; j++) {
                base += y[i * columns + z.base[j]] * b[j];
            }
            assert_near(all, base, 1e-7);
        }
    }
}

/* --- planted parameters --- */

static void without_noise_it_finds_them_exactly(void **state)
{
    (void)state;
    static struct identify z;
    struct motion_record m;
    (void)exact_swing(&z, &m);
    fit_of(&z, &m);
    print_message("%d base parameters of %d, condition %.0f\n", z.n_base, z.n * CHAIN_PARAMETERS,
                  z.condition);
    for (int i = 0; i < z.n_base; i++) {
        assert_near(z.value[i], z.nominal[i], 1e-7);
    }
}

/*
 * Noise of 0.1 Nm, of 0.2 in the waist. In the first run each within three standard errors, 60 %
 * and more within one. Over twenty runs the errors are as large as they say: 68.3 % within one (its
 * own standard error is about 1.6 %), 99.7 % within three.
 */
static void errors_are_as_large_as_they_say(void **state)
{
    (void)state;
    static struct identify z;
    const struct robot *robot = our_arm();
    int all = 0, one = 0, three = 0;
    base_of(&z, robot);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct arena here;
        assert_int_equal(arena_open(&here, "fit", (size_t)64 << 20), 0);
        struct motion_record m;
        int one_now = 0;
        record(robot, &z.chain, seed, 0.1, &m);
        if (identify_fit(&z, &m, false, &here, reason, sizeof reason) < 0) {
            fail_msg("%s", reason);
        }
        for (int i = 0; i < z.n_base; i++) {
            const double off = fabs(z.value[i] - z.nominal[i]) / z.error[i];
            assert_true(seed > 1 || off < 3.0);
            one_now += off < 1.0 ? 1 : 0;
            three += off < 3.0 ? 1 : 0;
        }
        arena_close(&here);
        if (seed == 1) {
            print_message("first run: %d of %d within one standard error\n", one_now, z.n_base);
            assert_true(one_now >= 0.6 * z.n_base);
        }
        one += one_now;
        all += z.n_base;
        assert_true(fabs(z.rms_nm[0] - 0.2) < 0.02 && fabs(z.rms_nm[3] - 0.1) < 0.01);
    }
    print_message("twenty runs: %.1f %% within one, %.2f %% within three\n", 100.0 * one / all,
                  100.0 * three / all);
    assert_true(fabs((double)one / all - 0.683) < 0.05 && (double)three / all > 0.99);
}

/* Drivers take motors for others than they are: what they say is the torque over `constant`. */
static void mistake_motors(struct motion_record *m, const double *constant)
{
    for (int s = 0; s < m->n_samples * m->n; s++) {
        m->tau[s] /= constant[s % m->n];
    }
}

/* As planted, against the joint that counts as right: its own scales every mass with it. */
static void wrong_constants_are_found(void **state)
{
    (void)state;
    static struct identify z;
    static const double planted[CHAIN_MAX] = {1.3, 0.8, 1.1, 0.7, 1.2, 0.9};
    struct motion_record m;
    const struct robot *robot = exact_swing(&z, &m);
    mistake_motors(&m, planted);
    if (identify_fit(&z, &m, true, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const double right = planted[z.right];
    print_message("%s counts as right\n", robot->chain.link[z.right].name);
    for (int i = 0; i < z.n; i++) {
        assert_near(z.constant[i], planted[i] / right, 1e-6);
    }
    for (int i = 0; i < z.n_base; i++) {
        assert_near(z.value[i], z.nominal[i] / right, 1e-6);
    }
    fit_of(&z, &m); /* not asked for: none is found, and the fit leaves torque */
    assert_int_equal(z.right, -1);
    assert_true(z.constant[2] == 1.0 && z.constant_error[2] == 0.0 && z.rms_nm[1] > 0.1);
}

/* With noise of 0.02 Nm their errors are as large as they say, too. */
static void constants_know_their_errors(void **state)
{
    (void)state;
    static struct identify z;
    static const double planted[CHAIN_MAX] = {1.05, 1.0, 0.95, 1.1, 0.9, 1.02};
    const struct robot *robot = our_arm();
    int all = 0, one = 0, three = 0;
    base_of(&z, robot);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct arena here;
        struct motion_record m;
        assert_int_equal(arena_open(&here, "fit", (size_t)8 << 20), 0);
        record(robot, &z.chain, seed, 0.02, &m);
        mistake_motors(&m, planted);
        if (identify_fit(&z, &m, true, &here, reason, sizeof reason) < 0) {
            fail_msg("%s", reason);
        }
        for (int i = 0; i < z.n; i++) {
            const double off = fabs(z.constant[i] - planted[i] / planted[z.right]);
            if (i != z.right) {
                one += off < z.constant_error[i] ? 1 : 0;
                three += off < 3.0 * z.constant_error[i] ? 1 : 0;
                all++;
            }
        }
        if (seed == 1) {
            for (int i = 0; i < z.n; i++) {
                print_message("%s: %.4f +- %.4f\n", robot->chain.link[i].name, z.constant[i],
                              z.constant_error[i]);
            }
        }
        arena_close(&here);
    }
    print_message("forty runs: %.1f %% within one standard error, %.1f %% within three\n",
                  100.0 * one / all, 100.0 * three / all);
    assert_true(fabs((double)one / all - 0.683) < 0.1 && (double)three / all > 0.97);
}

/* Noise of 0.2 Nm drowns the small joints' torque: what is not told is said so, or has an error as
 * large as itself; the others' stay right, and nobody's sign is called wrong. */
static void constants_that_noise_hides(void **state)
{
    (void)state;
    static struct identify z;
    const struct robot *robot = our_arm();
    int untold = 0;
    base_of(&z, robot);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct arena here;
        struct motion_record m;
        assert_int_equal(arena_open(&here, "fit", (size_t)8 << 20), 0);
        record(robot, &z.chain, seed, 0.2, &m);
        if (identify_fit(&z, &m, true, &here, reason, sizeof reason) < 0) {
            fail_msg("seed %d: %s", (int)seed, reason);
        }
        for (int i = 0; i < 3; i++) { /* waist, shoulder, elbow */
            assert_true(fabs(z.constant[i] - 1.0) <= 4.0 * z.constant_error[i]);
        }
        untold += isnan(z.constant_error[5]) || z.constant_error[5] > 0.5 * z.constant[5];
        assert_true(isfinite(z.constant[5]) && isfinite(z.value[0]) && isfinite(z.error[0]));
        arena_close(&here);
    }
    print_message("the hand's constant is not told in %d of 12 runs\n", untold);
    assert_true(untold >= 6);
}

/* A pendulum's only joint has nothing to be told from; one whose sign is wrong has no constant. */
static void a_wrong_sign_is_no_constant(void **state)
{
    (void)state;
    static struct identify z;
    static struct robot robot;
    static const double turned[CHAIN_MAX] = {1.0, 1.0, 1.0, -1.0, 1.0, 1.0};
    struct motion_record m;
    (void)exact_swing(&z, &m);
    mistake_motors(&m, turned);
    assert_int_equal(identify_fit(&z, &m, true, &mem, reason, sizeof reason), -EDOM);
    assert_non_null(strstr(reason, "joint forearm: its torques fit the other joints' with no "));
    struct rng r;
    rng_seed(&r, 1);
    random_robot(&r, 1, &robot);
    robot.joint[0].q_min = -1.0;
    robot.joint[0].q_max = 1.0;
    base_of(&z, &robot);
    record(&robot, &z.chain, 1, 0.0, &m);
    assert_int_equal(identify_fit(&z, &m, true, &mem, reason, sizeof reason), 0);
    assert_true(z.right == 0 && z.constant[0] == 1.0 && z.constant_error[0] == 0.0);
}

/* --- a recording of the simulated arm --- */

struct ride {
    struct config config;
    void *self, *state;
    struct command cmd;
};

static void open_ride(struct ride *w)
{
    static const char *const sets[] = {"sim.table=false", "sim.start_noise_rad=0"};
    if (config_load(&w->config, ROBOT, sets, 2, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    const struct sim *sim = w->config.sim;
    assert_int_equal(
        sim->open(w->config.sim_config, &w->config.robot, &mem, &w->self, reason, sizeof reason),
        0);
    w->state = arena_take(&mem, sim->state_bytes(w->self));
    struct rng r;
    rng_seed(&r, 1);
    sim->reset(w->self, w->state, &r);
    w->cmd.n = w->config.robot.n_joints;
}

/* It follows a tune by position commands for 40 s; q and the motors' torque, 200 times a second. */
static void record_ride(struct ride *w, const char *path)
{
    const struct robot *robot = &w->config.robot;
    struct tune tune[CHAIN_MAX];
    struct rng r;
    rng_seed(&r, 4);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f, "t_s");
    for (int j = 0; j < w->cmd.n; j++) {
        draw_tune(&r, &robot->joint[j], &tune[j]);
        (void)fprintf(f, ", q_rad.%s, volt_v.%s, tau_nm.%s", robot->joint[j].name,
                      robot->joint[j].name, robot->joint[j].name);
        w->cmd.mode[j] = MODE_POSITION;
        w->cmd.tau_max[j] = robot->joint[j].tau_max;
    }
    (void)fprintf(f, "\n");
    for (int ms = 0; ms < 42000; ms++) {
        double qdd;
        for (int j = 0; j < w->cmd.n; j++) {
            play(&tune[j], ms * 1e-3, &w->cmd.q[j], &w->cmd.qd[j], &qdd);
        }
        w->config.sim->step(w->self, w->state, &w->cmd, 1e-3, &r);
        if (ms < 2000 || ms % 5 != 0) { /* it has caught up by then */
            continue;
        }
        struct sensed s = {0};
        w->config.sim->sense(w->self, w->state, NULL, &s);
        (void)fprintf(f, "%.3f", ms * 1e-3);
        for (int j = 0; j < w->cmd.n; j++) {
            (void)fprintf(f, ",%.7f,24.0,%.5f", s.q[j] + 2e-5 * rng_normal(&r),
                          s.tau[j] + 0.02 * rng_normal(&r));
        }
        (void)fprintf(f, "\n");
    }
    assert_int_equal(fclose(f), 0);
}

/* A copy that knows nothing of the masses finds those of the arm that moved: what is left of each
 * torque is little more than its noise, and friction and the gravity of the elbow are right. */
static void it_knows_the_simulated_arm(void **state)
{
    (void)state;
    static struct ride w;
    static struct identify z;
    struct motion_record m;
    char path[] = "/tmp/test_identify_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    open_ride(&w);
    record_ride(&w, path);
    base_of(&z, &w.config.robot);
    if (identify_read(&m, path, &w.config.robot, &mem, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    (void)remove(path);
    assert_int_equal(m.n_samples, 8000 - 12);
    fit_of(&z, &m);
    for (int i = 0; i < z.n; i++) {
        print_message("%s: %.3f Nm left\n", w.config.robot.chain.link[i].name, z.rms_nm[i]);
        assert_true(z.rms_nm[i] < 0.03); /* the noise is 0.02 */
    }
    for (int i = 0; i < z.n_base; i++) {
        const int which = z.base[i] % CHAIN_PARAMETERS;
        if (which == CHAIN_COULOMB || which == CHAIN_VISCOUS) {
            assert_near(z.value[i], z.nominal[i], 0.02);
        }
        if (which >= CHAIN_HX && which <= CHAIN_HZ) {
            assert_near(z.value[i], z.nominal[i], 0.005);
        }
    }
}

/* So that minutes at a thousand a second fit into a small computer. */
static void a_longer_record_takes_no_more_memory(void **state)
{
    (void)state;
    static struct identify z;
    struct motion_record m;
    (void)exact_swing(&z, &m);
    size_t taken[2];
    for (int k = 0; k < 2; k++) {
        const size_t before = mem.used;
        m.n_samples = SAMPLES / (2 - k);
        fit_of(&z, &m);
        taken[k] = mem.used - before;
    }
    assert_int_equal(taken[0], taken[1]);
    assert_true(taken[0] < (size_t)1 << 20);
}

/* --- refusals --- */

static void a_dull_motion_is_refused(void **state)
{
    (void)state;
    static struct identify z;
    struct motion_record m;
    const struct robot *robot = exact_swing(&z, &m);
    for (int s = 0; s < m.n_samples; s++) { /* the hand does what the wrist does */
        m.q[s * m.n + 5] = m.q[s * m.n + 4] = m.q[s * m.n + 3] = 0.0;
    }
    for (int s = 0; s < m.n_samples * m.n; s++) {
        m.qdd[s] = 0.0;
    }
    assert_int_equal(identify_fit(&z, &m, false, &mem, reason, sizeof reason), -EDOM);
    assert_non_null(strstr(reason, "the motion does not excite every parameter"));
    record(robot, &z.chain, 1, 0.0, &m);
    for (int s = 0; s < m.n_samples; s++) { /* the hand stands still but for a moment */
        m.qd[s * m.n + 5] = s < 40 ? 1.0 : 0.0;
    }
    assert_int_equal(identify_fit(&z, &m, false, &mem, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "joint hand: 40 torques while it moves are too few: 50 are"));
    m.n_samples = 20;
    assert_int_equal(identify_fit(&z, &m, false, &mem, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "are too few"));
    m.n_samples = SAMPLES;
    m.tau[0] = 1.7e308;
    m.tau[m.n] = -1.7e308;
    m.tau[2 * m.n] = 1.7e308;
    for (int s = 0; s < m.n_samples; s++) {
        m.qd[s * m.n + 5] = 1.0;
    }
    assert_int_equal(identify_fit(&z, &m, false, &mem, reason, sizeof reason), -EDOM);
    assert_non_null(strstr(reason, "the motion has numbers too large for a fit"));
}

static void refused(const char *text, const char *words)
{
    struct motion_record m;
    static struct robot robot;
    struct rng r;
    char path[] = "/tmp/test_identify_XXXXXX";
    const int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
    rng_seed(&r, 1);
    random_robot(&r, 1, &robot);
    assert_true(identify_read(&m, path, &robot, &mem, reason, sizeof reason) < 0);
    (void)remove(path);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
}

static void bad_recordings_are_refused(void **state)
{
    (void)state;
    const char *names = "t_s,q_rad.joint0,tau_nm.joint0\n";
    char text[256];
    refused("t_s,q_rad.joint0,tau.joint0\n", ":1: there is no column tau_nm.joint0");
    (void)snprintf(text, sizeof text, "%s0,1,2\n0.1,1x,2\n", names);
    refused(text, ":3: column 2 is no finite number");
    (void)snprintf(text, sizeof text, "%s0,1,2\n0.1,1\n", names);
    refused(text, ":3: column 3 is no finite number");
    (void)snprintf(text, sizeof text, "%s0,1,nan\n", names);
    refused(text, ":2: column 3 is no finite number");
    (void)snprintf(text, sizeof text, "%s0,1,2\n0,1,2\n", names);
    refused(text, "its time does not go on");
    (void)snprintf(text, sizeof text, "%s0,1,2\n1,1,2\n2,1,2\n3.2,1,2\n", names);
    refused(text, ":3: the samples are not");
    (void)snprintf(text, sizeof text, "%s0,1,2\n1,1,2\n3.6,1,2\n4.6,1,2\n", names);
    refused(text, ":4: the samples are not 1 s apart, nor a whole number of that");
    (void)snprintf(text, sizeof text, "%s0,1,2\n1,1,2\n2,1,2\n3,1,2\n", names);
    refused(text, "4 samples are too few: 5 and more");
    (void)snprintf(text, sizeof text, "%s0,1,2\n1e-12,1,2\n2e-12,1,2\n", names);
    refused(text, "its samples are 1e-12 s apart, too near for a slope over 0.06 s");
}

/* Second and third degree go through unchanged. */
static void slopes_are_exact_for_a_parabola(void **state)
{
    (void)state;
    double q[21], value[13], slope[13], curve[13];
    struct motion_record m = {.n_samples = 13, .n = 1, .q = value, .qd = slope, .qdd = curve};
    for (int s = 0; s < 21; s++) {
        const double t = 0.01 * s;
        q[s] = 1.0 + 2.0 * t - 3.0 * t * t;
    }
    identify_slopes(q, 21, 4, 0.01, &m);
    for (int s = 0; s < 13; s++) {
        const double t = 0.01 * (s + 4);
        assert_near(value[s], q[s + 4], 1e-12);
        assert_near(slope[s], 2.0 - 6.0 * t, 1e-10);
        assert_near(curve[s], -6.0, 1e-8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pendulum_has_five),
        cmocka_unit_test(the_base_says_everything),
        cmocka_unit_test(without_noise_it_finds_them_exactly),
        cmocka_unit_test(errors_are_as_large_as_they_say),
        cmocka_unit_test(wrong_constants_are_found),
        cmocka_unit_test(constants_know_their_errors),
        cmocka_unit_test(constants_that_noise_hides),
        cmocka_unit_test(a_wrong_sign_is_no_constant),
        cmocka_unit_test(it_knows_the_simulated_arm),
        cmocka_unit_test(a_longer_record_takes_no_more_memory),
        cmocka_unit_test(a_dull_motion_is_refused),
        cmocka_unit_test(bad_recordings_are_refused),
        cmocka_unit_test(slopes_are_exact_for_a_parabola),
    };
    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
