/* Inverse kinematics against forward kinematics: reachable targets of random chains and of the arm,
 * targets beyond reach, singular poses. */
#include "tests/unit/chain_fixture.h"

#include "daemon/config.h"
#include "daemon/ik.h"

#include <errno.h>

#define NEAR 1e-6

static void tool_of(const struct chain *c, const double *q, struct frame *ret_tool)
{
    struct frame link[CHAIN_MAX];
    chain_frames(c, q, link, ret_tool);
}

static void target_at(const struct chain *c, const double *q, bool turned,
                      struct ik_target *ret_target)
{
    struct frame tool;
    tool_of(c, q, &tool);
    *ret_target = (struct ik_target){.turned = turned};
    memcpy(ret_target->p, tool.p, sizeof tool.p);
    memcpy(ret_target->r, tool.r, sizeof tool.r);
}

/* How far the tool at q is from the target, by forward kinematics alone; and within the ranges. */
static double miss(const struct ik *z, const double *q, const struct ik_target *t)
{
    struct frame tool;
    double off = 0.0;
    tool_of(z->chain, q, &tool);
    for (int k = 0; k < 3; k++) {
        off = fmax(off, fabs(tool.p[k] - t->p[k]));
    }
    for (int k = 0; t->turned && k < 9; k++) {
        off = fmax(off, fabs(tool.r[k] - t->r[k]));
    }
    for (int j = 0; j < z->chain->n; j++) {
        assert_true(q[j] >= z->lo[j] && q[j] <= z->hi[j]);
    }
    return off;
}

static int solve(const struct ik *z, const struct ik_target *t, double *ret_q)
{
    char reason[WHY_CHARS] = "";
    double off;
    const int rc = ik_solve(z, t, ret_q, &off, reason, sizeof reason);
    assert_true(rc == 0 || reason[0] != '\0');
    return rc;
}

/* The targets are tools of poses in the ranges: every one can be reached. */
static void reachable_targets_are_reached(void **state)
{
    (void)state;
    struct rng r;
    double worst = 0.0;
    int lost = 0, n = 0;
    rng_seed(&r, 21);
    for (int trial = 0; trial < 150; trial++) {
        const bool turned = trial % 3 == 0;
        struct chain c;
        random_chain(&r, turned ? 6 + trial % 3 : 3 + trial % 6, &c);
        struct ik z = {.chain = &c, .seed = (uint64_t)trial};
        for (int j = 0; j < c.n; j++) {
            z.lo[j] = rng_between(&r, -3.0, -0.5);
            z.hi[j] = rng_between(&r, 0.5, 3.0);
        }
        for (int k = 0; k < 4; k++, n++) {
            struct ik_target t;
            double at[CHAIN_MAX], q[CHAIN_MAX] = {0.0}, again[CHAIN_MAX] = {0.0};
            for (int j = 0; j < c.n; j++) {
                at[j] = rng_between(&r, z.lo[j], z.hi[j]);
            }
            target_at(&c, at, turned, &t);
            if (solve(&z, &t, q) < 0) {
                lost++;
                continue;
            }
            worst = fmax(worst, miss(&z, q, &t));
            assert_int_equal(solve(&z, &t, again), 0);
            assert_memory_equal(q, again, sizeof q);
        }
    }
    print_message("%d targets of random chains: at most %.1e off, %d not found\n", n, worst, lost);
    assert_true(worst < NEAR);
    assert_int_equal(lost, 0);
}

struct arm {
    struct arena mem;
    struct config config;
    struct chain chain;
    struct ik z;
};

static void open_arm(struct arm *a)
{
    char reason[WHY_CHARS] = "";
    assert_int_equal(arena_open(&a->mem, "arm", (size_t)16 << 20), 0);
    if (config_load(&a->config, SOURCE_DIR "/deploy/robots/openarm6.yaml", NULL, 0, &a->mem, reason,
                    sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    make_chain(&a->config.robot, &a->chain);
    a->z = (struct ik){.chain = &a->chain};
    ik_ranges(&a->z, &a->config.robot);
}

static void the_arm_reaches_what_it_can(void **state)
{
    (void)state;
    static struct arm a;
    struct rng r;
    double worst = 0.0;
    open_arm(&a);
    assert_true(a.z.lo[1] == -1.0 && a.z.hi[1] == 1.5);
    rng_seed(&r, 22);
    for (int k = 0; k < 400; k++) {
        struct ik_target t;
        double at[CHAIN_MAX], q[CHAIN_MAX];
        for (int j = 0; j < a.chain.n; j++) {
            at[j] = rng_between(&r, a.z.lo[j], a.z.hi[j]);
        }
        target_at(&a.chain, at, k % 2 == 0, &t);
        a.z.seed = (uint64_t)k;
        assert_int_equal(solve(&a.z, &t, q), 0);
        worst = fmax(worst, miss(&a.z, q, &t));
    }
    print_message("400 places of the arm's tip, 200 with its axes: at most %.1e off\n", worst);
    assert_true(worst < NEAR);
    arena_close(&a.mem);
}

/* Stretched out, at the end of its reach, where no joint moves the tip outwards; above its own
 * axis; with both rolls in line. */
static void singular_poses_do_not_blow_up(void **state)
{
    (void)state;
    static struct arm a;
    static const double poses[][6] = {
        {0.0, 1.2, -1.2, 0.0, 0.0, 0.0}, {0.4, 0.9, -0.9, 0.0, 0.0, 0.3},
        {0.0, 0.0, 0.0, 0.0, 0.0, 0.0},  {0.0, -1.0, 1.4, 0.7, 0.0, -0.7},
        {1.5, 1.5, 1.4, 1.5, 1.5, 2.0},  {-1.5, -1.0, -1.3, -1.5, -1.5, -2.0},
    };
    open_arm(&a);
    for (size_t i = 0; i < sizeof poses / sizeof poses[0]; i++) {
        for (int turned = 0; turned < 2; turned++) {
            struct ik_target t;
            double q[CHAIN_MAX] = {0.0};
            target_at(&a.chain, poses[i], turned == 1, &t);
            const int rc = solve(&a.z, &t, q);
            if (rc < 0 || miss(&a.z, q, &t) >= NEAR) {
                fail_msg("pose %zu, turned %d: %d", i, turned, rc);
            }
        }
    }
    /* a start in a singular pose, the target right along the direction that is lost */
    struct ik z = a.z;
    for (int j = 0; j < 6; j++) {
        z.lo[j] = -0.5;
        z.hi[j] = 0.5;
    }
    struct ik_target t;
    double q[CHAIN_MAX], bent[CHAIN_MAX] = {0.0, 0.3, -0.4, 0.0, 0.2, 0.0};
    target_at(&a.chain, bent, false, &t);
    assert_int_equal(solve(&z, &t, q), 0);
    assert_true(miss(&z, q, &t) < NEAR);
    arena_close(&a.mem);
}

/* How near the tip comes to a place straight ahead, by trying poses in the plane. */
static double nearest_in_plane(const struct arm *a, const double *p)
{
    double best = HUGE_VAL;
    for (int i = 0; i < 60 * 60 * 60; i++) {
        const double part[3] = {(i % 60) / 59.0, (i / 60 % 60) / 59.0, (i / 3600) / 59.0};
        static const int joint[3] = {1, 2, 4};
        double q[CHAIN_MAX] = {0.0}, sum = 0.0;
        struct frame tool;
        for (int k = 0; k < 3; k++) {
            const double lo = a->z.lo[joint[k]], hi = a->z.hi[joint[k]];
            q[joint[k]] = lo + (hi - lo) * part[k];
        }
        tool_of(&a->chain, q, &tool);
        for (int k = 0; k < 3; k++) {
            sum += (tool.p[k] - p[k]) * (tool.p[k] - p[k]);
        }
        best = fmin(best, sqrt(sum));
    }
    return best;
}

static bool never(const void *self, const double *q)
{
    (void)self;
    (void)q;
    return false;
}

static void what_cannot_be_reached_is_said(void **state)
{
    (void)state;
    static struct arm a;
    char reason[WHY_CHARS] = "";
    double q[CHAIN_MAX] = {7.0}, off;
    open_arm(&a);
    struct ik_target t = {.p = {0.8, 0.0, 0.18}};
    assert_int_equal(ik_solve(&a.z, &t, q, &off, reason, sizeof reason), -ERANGE);
    print_message("%s\n", reason);
    const double searched = nearest_in_plane(&a, t.p);
    assert_true(q[0] == 7.0 && off <= searched && off > searched - 1e-3);
    assert_non_null(strstr(reason, "(0.8, 0, 0.18) m is out of reach: from 60 starts"));
    t.p[0] = -0.5; /* behind it: the waist turns no further than 1.5 rad */
    assert_int_equal(ik_solve(&a.z, &t, q, &off, reason, sizeof reason), -ERANGE);
    t.p[0] = (double)NAN;
    assert_int_equal(ik_solve(&a.z, &t, q, &off, reason, sizeof reason), -EINVAL);
    assert_string_equal(reason, "the target is not finite");
    t = (struct ik_target){.p = {0.4, 0.0, 0.3}, .turned = true, .r = {1, 0, 0, 0, 1, 0, 0, 0, -1}};
    assert_int_equal(ik_solve(&a.z, &t, q, &off, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "the target's axes are no rotation"));
    t.turned = false;
    a.z.good = never;
    assert_int_equal(ik_solve(&a.z, &t, q, &off, reason, sizeof reason), -EPERM);
    assert_non_null(strstr(reason, "(0.4, 0, 0.3) m can be reached, but"));
    assert_true(off <= IK_NEAR);
    arena_close(&a.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reachable_targets_are_reached),
        cmocka_unit_test(the_arm_reaches_what_it_can),
        cmocka_unit_test(singular_poses_do_not_blow_up),
        cmocka_unit_test(what_cannot_be_reached_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
