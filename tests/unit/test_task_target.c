/*
 * What a robot with links knows without its body: where its tip is, and the target that its task
 * draws; at the simulated arm, and in the loop around it.
 */
#include "tests/unit/world_fixture.h"

#define YAML ROBOT("arm-reach")
#define FAST "control.rate_hz=1000", "policy.rate_hz=1000"
#define N    6

static void open_arm(struct world_rig *w)
{
    static const char *const sets[] = {FAST, "sim.table=false"};
    rig_open_with(w, YAML, sets, 3);
    w->sim->reset(w->self, w->state, &w->rng);
    for (int j = 0; j < N; j++) {
        w->cmd.mode[j] = MODE_HOLD;
        w->cmd.tau_max[j] = w->config.robot.joint[j].tau_max;
    }
}

static const double *extra_of(const struct robot *r, const struct sensed *s, const char *name)
{
    for (int k = 0; k < r->n_extra; k++) {
        if (strcmp(r->extra[k].name, name) == 0) {
            return &s->extra[r->extra[k].offset];
        }
    }
    fail_msg("no sensor %s", name);
    return s->extra;
}

/* to_target, distance against target and tip. */
static void check_way(const struct robot *r, const struct sensed *s)
{
    double off = 0.0;
    for (int i = 0; i < 3; i++) {
        const double way = extra_of(r, s, "target")[i] - extra_of(r, s, "tip")[i];
        assert_near(extra_of(r, s, "to_target")[i], way, 1e-12);
        off += way * way;
    }
    assert_near(extra_of(r, s, "distance")[0], sqrt(off), 1e-12);
}

/* Upright links: the tip is where their lengths say. */
static void the_tip_is_where_the_links_say(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double half_pi = 1.5707963267948966;
    open_arm(&w);
    struct sensed s = {.n = N};
    task_sense(&w.task, &s); /* forearm level: 0.26 up from the shoulder, 0.40 forward */
    const double *tip = extra_of(&w.config.robot, &s, "tip");
    assert_near(tip[0], 0.12 + 0.12 + 0.06 + 0.10, 1e-12);
    assert_near(tip[1], 0.0, 1e-12);
    assert_near(tip[2], 0.08 + 0.10 + 0.26, 1e-12);
    s.q[0] = half_pi; /* to the left, the forearm straight down */
    s.q[2] = half_pi;
    task_sense(&w.task, &s);
    assert_near(tip[0], 0.0, 1e-12);
    assert_near(tip[1], 0.0, 1e-12);
    assert_near(tip[2], 0.44 - 0.40, 1e-12);
    rig_close(&w);
}

static void its_speed_is_what_carries_it(void **state)
{
    (void)state;
    static struct world_rig w;
    double before[3];
    open_arm(&w);
    w.cmd.mode[0] = MODE_EFFORT;
    w.cmd.tau[0] = 2.0;
    for (int k = 0; k < 100; k++) {
        w.sim->step(w.self, w.state, &w.cmd, 1e-3, &w.rng);
    }
    for (int i = 0; i < 3; i++) {
        before[i] = rig_extra(&w, "tip", i);
    }
    w.sim->step(w.self, w.state, &w.cmd, 1e-3, &w.rng);
    const struct sensed s = rig_truth(&w);
    check_way(&w.config.robot, &s);
    double fastest = 0.0;
    for (int i = 0; i < 3; i++) {
        const double v = extra_of(&w.config.robot, &s, "tip_velocity")[i];
        fastest = fmax(fastest, fabs(v));
        assert_near((rig_extra(&w, "tip", i) - before[i]) / 1e-3, v, 5e-3);
    }
    assert_true(fastest > 0.1);
    rig_close(&w);
}

/* Inside, near to each of the box's faces, and another one each time. */
static void targets_lie_in_their_box(void **state)
{
    (void)state;
    static struct world_rig w;
    double low[3] = {9, 9, 9}, high[3] = {-9, -9, -9}, last[3] = {0};
    open_arm(&w);
    struct sensed s = rig_truth(&w);
    for (int k = 0; k < 2000; k++) {
        while (!task_ready(&w.task)) {
            task_sense(&w.task, &s);
        }
        task_aim(&w.task, &s);
        const double *target = extra_of(&w.config.robot, &s, "target");
        assert_true(memcmp(target, last, sizeof last) != 0);
        memcpy(last, target, sizeof last);
        check_way(&w.config.robot, &s);
        for (int i = 0; i < 3; i++) {
            low[i] = fmin(low[i], target[i]);
            high[i] = fmax(high[i], target[i]);
        }
    }
    const double box_low[3] = {0.2, -0.35, 0.05}, box_high[3] = {0.6, 0.35, 0.5};
    for (int i = 0; i < 3; i++) {
        assert_true(low[i] >= box_low[i] && low[i] < box_low[i] + 0.05);
        assert_true(high[i] <= box_high[i] && high[i] > box_high[i] - 0.05);
    }
    rig_close(&w);
}

static void a_seed_is_a_row_of_targets(void **state)
{
    (void)state;
    static struct world_rig w;
    static const uint64_t seeds[3] = {4, 4, 5};
    double drawn[3][20][3];
    open_arm(&w);
    struct sensed s = rig_truth(&w);
    for (int run = 0; run < 3; run++) {
        task_seed(&w.task, seeds[run]);
        for (int k = 0; k < 20; k++) {
            while (!task_ready(&w.task)) {
                task_sense(&w.task, &s);
            }
            task_aim(&w.task, &s);
            memcpy(drawn[run][k], extra_of(&w.config.robot, &s, "target"), sizeof drawn[run][k]);
        }
    }
    assert_memory_equal(drawn[0], drawn[1], sizeof drawn[0]);
    assert_true(memcmp(drawn[0], drawn[2], sizeof drawn[0]) != 0);
    rig_close(&w);
}

/* A box that few poses reach: some ticks without a target, each of which tries a few only; it is
 * kept as it was until the next is found. */
static void a_small_box_takes_its_time(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {FAST, "task.target_min_m=[0.3, 0.1, 0.2]",
                                       "task.target_max_m=[0.35, 0.15, 0.25]"};
    rig_open_with(&w, YAML, sets, 4);
    w.sim->reset(w.self, w.state, &w.rng);
    struct sensed s = rig_truth(&w);
    int waited = 0;
    for (int k = 0; k < 20; k++) {
        for (; !task_ready(&w.task); waited++) {
            assert_true(waited < 20000);
            task_sense(&w.task, &s);
        }
        task_aim(&w.task, &s);
        const double *target = extra_of(&w.config.robot, &s, "target");
        assert_true(target[0] >= 0.3 && target[0] <= 0.35 && target[2] <= 0.25);
    }
    print_message("%d ticks for 20 targets\n", waited);
    assert_true(waited > 20);
    rig_close(&w);
}

/* It stays where the tip was, wherever that goes; nothing has to be looked for. */
static void a_target_may_be_where_it_began(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {FAST, "task.target_min_m=[]", "task.target_max_m=[]",
                                       "task.target_at_start=true"};
    rig_open_with(&w, YAML, sets, 5);
    for (int k = 0; k < 3; k++) {
        w.sim->reset(w.self, w.state, &w.rng);
        struct sensed s = rig_truth(&w);
        assert_true(task_ready(&w.task));
        task_aim(&w.task, &s);
        const double *target = extra_of(&w.config.robot, &s, "target");
        assert_memory_equal(target, extra_of(&w.config.robot, &s, "tip"), 3 * sizeof *target);
        assert_true(extra_of(&w.config.robot, &s, "distance")[0] == 0.0);
        s.q[0] += 0.3;
        task_sense(&w.task, &s);
        check_way(&w.config.robot, &s);
        assert_true(extra_of(&w.config.robot, &s, "distance")[0] > 0.03);
    }
    rig_close(&w);
}

static void refused(const char *path, const char *set, const char *words)
{
    static struct world_rig w;
    char reason[WHY_CHARS] = "";
    memset(&w, 0, sizeof w);
    assert_int_equal(arena_open(&w.mem, "world", (size_t)16 << 20), 0);
    assert_true(config_load(&w.config, path, &set, 1, &w.mem, reason, sizeof reason) < 0);
    if (strstr(reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    }
    arena_close(&w.mem);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    refused(YAML, "task.target_min_m=[5, 5, 5]",
            "the box from target_min_m to target_max_m holds no place of the tip");
    refused(YAML, "task.target_min_m=[]", "are two corners of a box");
    refused(YAML, "task.target_max_m=[1, 1]", "are two corners of a box");
    refused(YAML, "extra.tip.n=2", "extra tip: it has 3 numbers, n is 2");
    refused(ROBOT("openarm6"), "task.target_max_m=[1, 1, 1]", "are two corners of a box");
    refused(ROBOT("reacher2"), "task.target_min_m=[1]", "are two corners of a box");
    refused(ROBOT("reacher2"), "task.target_at_start=true", "the robot file has no links");
    refused(YAML, "task.target_at_start=true", "are two answers to where the target is");
}

/* --- in the loop --- */

/* Drawn anew when an episode begins, the same until the next one does, and sensed in every tick. */
static void each_episode_has_its_target(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=100000000", "task.episode_s=0.2"};
    struct ride *r = ride_open_with(YAML, sets, 2, 1);
    const struct loop_state *z = &r->house.loop.st;
    const struct robot *robot = &r->house.config.robot;
    double last[3] = {0};
    int64_t episode = -1, drawn = 0;
    while (r->episodes < 50) {
        ride_tick(r);
        check_way(robot, &z->sensed);
        const double *target = extra_of(robot, &z->sensed, "target");
        const bool same = memcmp(target, last, sizeof last) == 0;
        assert_int_equal(same, z->episode == episode);
        drawn += !same;
        episode = z->episode;
        memcpy(last, target, sizeof last);
    }
    assert_in_range(drawn, 50, 51);
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tip_is_where_the_links_say),
        cmocka_unit_test(its_speed_is_what_carries_it),
        cmocka_unit_test(targets_lie_in_their_box),
        cmocka_unit_test(a_seed_is_a_row_of_targets),
        cmocka_unit_test(a_target_may_be_where_it_began),
        cmocka_unit_test(a_small_box_takes_its_time),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(each_episode_has_its_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
