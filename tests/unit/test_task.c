/*
 * The task: every observation slot and every reward term at three hand-made states, what an action
 * means, when an episode ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/task.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EPS 1e-6

/* Two driven joints around a wheel that only measures: action 1 is joint 2. */
static const struct robot robot = {
    .n_joints = 3,
    .n_extra = 2,
    .control_rate_hz = 100.0,
    .policy_rate_hz = 20.0,
    .joint = {{.name = "arm", .actuated = true, .q_min = -0.5, .q_max = 0.5, .tau_max = 1.4},
              {.name = "wheel"},
              {.name = "hand", .actuated = true, .q_min = -2.0, .q_max = 0.0, .tau_max = 0.7}},
    .extra = {{.name = "imu", .offset = 0, .n = 2}, {.name = "foot", .offset = 2, .n = 1}},
};

/* At the middle; moving; at the limits. */
static const struct sensed states[] = {
    {.n = 3, .q = {0, 0, -1.0}, .temp_c = {25, 25, NAN}, .legal = 1},
    {.n = 3,
     .q = {0.2, 3.0, -1.5},
     .qd = {0.5, 1.5, -2.0},
     .tau = {0.1, 9.0, -0.3},
     .temp_c = {40, 30, 55.5f},
     .legal = 6,
     .extra = {0.5, -1.0, 7.0}},
    {.n = 3,
     .q = {-0.5, -4.0, 0.0},
     .qd = {-3.0, -0.5, 4.0},
     .tau = {-1.4, 0.0, 0.7},
     .temp_c = {70, 30, 71},
     .extra = {1.0, 2.0, 3.0}},
};

static const struct slot_kind *slot_of(const char *name)
{
    const struct slot_kind *k = slot_kinds;
    while (k->name != NULL && strcmp(k->name, name) != 0) {
        k++;
    }
    return k;
}

static const struct reward_kind *reward_of(const char *name)
{
    const struct reward_kind *k = reward_kinds;
    while (k->name != NULL && strcmp(k->name, name) != 0) {
        k++;
    }
    return k;
}

/* A task that sees this alone. One stands at a time: it lies here. */
static struct task_spec *spec_of(const char *slot, const struct term *term)
{
    static struct task_spec s;
    s = (struct task_spec){.settings = {.actuation = ACTUATE_HOLD}, .n_slots = 1};
    s.slot[0] = (struct slot){.kind = slot_of(slot), .term = *term};
    return &s;
}

static void open_task(struct task *ret_task, const struct task_spec *spec)
{
    char reason[WHY_CHARS] = "";
    if (task_open(ret_task, spec, &robot, reason, sizeof reason) != 0) {
        fail_msg("%s", reason);
    }
}

/* --- observation slots --- */

struct slot_case {
    const char *kind;
    struct term term;
    int n;
    double want[3][6]; /* at each state; last_action: 0.25, -0.75 was applied */
};

static const struct slot_case slot_cases[] = {
    {"position", {.scale = 1}, 2, {{0, -1}, {0.2, -1.5}, {-0.5, 0}}},
    {"position", {.joint = "wheel", .scale = 2, .offset = 1}, 1, {{-2}, {4}, {-10}}},
    {"in_range", {.scale = 1}, 2, {{0, 0}, {0.4, -0.5}, {-1, 1}}},
    {"in_range", {.joint = "hand", .scale = 3}, 1, {{0}, {-1.5}, {3}}},
    {"velocity", {.scale = 0.2}, 2, {{0, 0}, {0.1, -0.4}, {-0.6, 0.8}}},
    {"velocity", {.joint = "wheel", .scale = 1}, 1, {{0}, {1.5}, {-0.5}}},
    {"effort", {.scale = 1}, 2, {{0, 0}, {0.1, -0.3}, {-1.4, 0.7}}},
    {"effort", {.joint = "arm", .scale = 10}, 1, {{0}, {1}, {-14}}},
    {"sin_cos",
     {.scale = 1},
     4,
     {{0, 1, -0.8414709848, 0.5403023059},
      {0.1986693308, 0.9800665778, -0.9974949866, 0.0707372017},
      {-0.4794255386, 0.8775825619, 0, 1}}},
    {"sin",
     {.scale = 2},
     2,
     {{0, -1.6829419696}, {0.3973386616, -1.9949899732}, {-0.9588510772, 0}}},
    {"cos", {.joint = "hand", .scale = 1}, 1, {{0.5403023059}, {0.0707372017}, {1}}},
    {"lag", {.scale = 1}, 2, {{0, 1}, {-0.2, 1.5}, {0.5, 0}}}, /* the goals are 0 */
    {"lag", {.joint = "hand", .scale = 2}, 1, {{2}, {3}, {0}}},
    {"temperature", {.scale = 0.01, .offset = 25}, 2, {{0, 0}, {.15, .305}, {.45, .46}}},
    {"speed", {.joint = "wheel", .radius_m = 0.02, .scale = 10}, 1, {{0}, {0.3}, {-0.1}}},
    {"last_action", {.scale = 1}, 2, {{0.25, -0.75}, {0.25, -0.75}, {0.25, -0.75}}},
    {"extra", {.scale = 2, .offset = 0.5}, 3, {{-1, -1, -1}, {0, -3, 13}, {1, 3, 5}}},
    {"extra", {.extra = "imu", .first = 1, .scale = 1}, 1, {{0}, {-1}, {2}}},
    {"extra", {.extra = "foot", .limit = 5, .scale = 2, .n = 1}, 1, {{0}, {10}, {6}}},
    {"one_hot", {.extra = "foot", .scale = 1, .n = 4}, 4, {{1, 0, 0, 0}, {0}, {0, 0, 0, 1}}},
};

static void slots_see_what_they_say(void **state)
{
    (void)state;
    static const float applied[] = {0.25f, -0.75f};
    static const struct command cmd = {.n = 3};
    for (size_t i = 0; i < sizeof slot_cases / sizeof slot_cases[0]; i++) {
        const struct slot_case *c = &slot_cases[i];
        static struct task t;
        static struct observation o;
        const struct task_spec *spec = spec_of(c->kind, &c->term);
        open_task(&t, spec);
        task_remember(&t, applied, &cmd);
        assert_int_equal(t.n_obs, c->n);
        for (int k = 0; k < 3; k++) {
            task_observe(&t, &states[k], &o);
            assert_int_equal(o.n, c->n);
            assert_true(o.legal == states[k].legal);
            for (int j = 0; j < c->n; j++) {
                if (!(fabs((double)o.v[j] - c->want[k][j]) < EPS)) {
                    fail_msg("slot %s, state %d, number %d: %g, not %g", c->kind, k, j,
                             (double)o.v[j], c->want[k][j]);
                }
            }
        }
    }
}

/* Slots stand in the observation in the order of the file, each with its name and unit. */
static void slots_have_places_and_names(void **state)
{
    (void)state;
    static const char *const names[] = {"velocity.arm",    "velocity.hand", "speed.wheel",
                                        "sin_cos.hand0",   "sin_cos.hand1", "last_action.arm",
                                        "last_action.hand"};
    static const char *const units[] = {"rad/s", "rad/s", "m/s", "1", "1", "1", "1"};
    static struct task t;
    static struct observation o;
    static struct task_spec spec = {.settings = {.actuation = ACTUATE_HOLD}, .n_slots = 4};
    const char *unit;
    char name[64];
    spec.slot[0] = (struct slot){.kind = slot_of("velocity"), .term = {.scale = 1}};
    spec.slot[1] = (struct slot){.kind = slot_of("speed"),
                                 .term = {.joint = "wheel", .radius_m = 1, .scale = 1}};
    spec.slot[2] = (struct slot){.kind = slot_of("sin_cos"), .term = {.joint = "hand", .scale = 1}};
    spec.slot[3] = (struct slot){.kind = slot_of("last_action"), .term = {.scale = 1}};
    open_task(&t, &spec);
    assert_int_equal(t.n_obs, 7);
    for (int k = 0; k < 7; k++) {
        assert_true(task_slot_name(&t, k, name, sizeof name, &unit) > 0);
        assert_string_equal(name, names[k]);
        assert_string_equal(unit, units[k]);
    }
    assert_int_equal(task_slot_name(&t, 7, name, sizeof name, &unit), -EINVAL);
    task_observe(&t, &states[1], &o);
    assert_true(o.v[0] == 0.5f && o.v[1] == -2.0f && o.v[2] == 1.5f);
}

/* --- reward terms --- */

struct reward_case {
    const char *kind;
    struct term term;
    double want[3]; /* per tick of 0.01 s after a tick at states[0]; or per period */
};

static const struct reward_case reward_cases[] = {
    /* 100 per metre: 3 rad and -4 rad of a 20 mm wheel since the tick before */
    {"forward", {.joint = "wheel", .radius_m = 0.02, .weight = 100}, {0, 6, -8}},
    {"effort", {.weight = 2}, {0, -2 * (0.01 + 0.09) / 2 * 0.01, -2 * (1.96 + 0.49) / 2 * 0.01}},
    {"effort", {.joint = "hand", .weight = 1}, {0, -0.0009, -0.0049}},
    {"velocity", {.weight = 1}, {0, -(0.25 + 4.0) / 2 * 0.01, -(9.0 + 16.0) / 2 * 0.01}},
    {"velocity", {.joint = "wheel", .weight = 4}, {0, -0.09, -0.01}},
    {"range", {.weight = 10}, {0, 0, -0.2}}, /* both joints at an end */
    {"range", {.joint = "arm", .weight = 10}, {0, 0, -0.1}},
    {"alive", {.weight = 3}, {0.03, 0.03, 0.03}},
    /* from (0, 0) to (0.25, -0.75) of the actions applied */
    {"action_change", {.weight = 2}, {-0.625, -0.625, -0.625}},
    {"action", {.weight = 2}, {-0.625, -0.625, -0.625}},
    /* of where the period began: arm 0, hand -1, at rest */
    {"angle_at_start", {.weight = 2}, {-1, -1, -1}},
    {"angle_at_start",
     {.joint = "hand", .weight = 1, .offset = 6},
     {-0.513823303843, -0.513823303843, -0.513823303843}}, /* -7 + 2 pi, squared */
    {"velocity_at_start", {.weight = 1}, {0, 0, 0}},
    {"gain", {.extra = "imu", .first = 1, .weight = 2}, {0, -2, 4}},
    {"extra", {.extra = "foot", .weight = -1}, {0, -7, -3}},
    {"extra_inside", {.extra = "foot", .min = 3, .max = 6, .weight = 2}, {0, 0, 2}},
    {"extra_inside", {.extra = "foot", .min = -1e30, .max = 7, .weight = 2}, {2, 2, 2}},
    {"square",
     {.extra = "imu", .n = 2, .offset = 1, .limit = 1.5, .weight = 0.5},
     {-1, -2.125, -0.125}},
    {"step", {.weight = -0.5}, {-0.5, -0.5, -0.5}},
    /* the third state ends it */
    {"until_end", {.weight = 4}, {4, 4, 0}},
    {"at_end", {.weight = 4}, {0, 0, 4}},
};

static void rewards_are_what_they_say(void **state)
{
    (void)state;
    static const float none[] = {0.0f, 0.0f}, applied[] = {0.25f, -0.75f};
    static const struct command cmd = {.n = 3};
    for (size_t i = 0; i < sizeof reward_cases / sizeof reward_cases[0]; i++) {
        const struct reward_case *c = &reward_cases[i];
        struct task_spec *spec = spec_of("velocity", &(struct term){.scale = 1});
        spec->n_rewards = 1;
        spec->reward[0] = (struct reward){.kind = reward_of(c->kind), .term = c->term};
        spec->n_ends = 1;
        spec->end[0] = (struct end){&end_kinds[0], {.joint = "hand", .min = -3, .max = -0.1}};
        for (int k = 0; k < 3; k++) {
            static struct task t;
            open_task(&t, spec);
            task_begin(&t, &states[0]);
            task_remember(&t, none, &cmd);
            task_remember(&t, applied, &cmd);
            task_tick(&t, &states[k], 0.01);
            const double got = task_period(&t, &states[k]);
            if (!(fabs(got - c->want[k]) < 1e-9)) {
                fail_msg("reward %s, state %d: %.12g, not %.12g", c->kind, k, got, c->want[k]);
            }
            assert_true(t.st.episode_return == got && t.st.episode_steps == 1);
        }
    }
}

/* A row without three numbers here is a row without proof. */
static void every_row_has_its_numbers(void **state)
{
    (void)state;
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        bool found = false;
        for (size_t i = 0; i < sizeof slot_cases / sizeof slot_cases[0]; i++) {
            found = found || strcmp(slot_cases[i].kind, k->name) == 0;
        }
        if (!found && strcmp(k->name, "picture") != 0) { /* pictures_lie_beside_the_numbers */
            fail_msg("slot %s is not tested", k->name);
        }
    }
    for (const struct reward_kind *k = reward_kinds; k->name != NULL; k++) {
        bool found = false;
        for (size_t i = 0; i < sizeof reward_cases / sizeof reward_cases[0]; i++) {
            found = found || strcmp(reward_cases[i].kind, k->name) == 0;
        }
        if (!found) {
            fail_msg("reward %s is not tested", k->name);
        }
    }
}

static void pictures_lie_beside_the_numbers(void **state)
{
    (void)state;
    static struct task t;
    static struct robot with;
    char reason[WHY_CHARS] = "";
    struct task_spec *spec = spec_of("velocity", &(struct term){.scale = 1});
    spec->slot[spec->n_slots++] = (struct slot){.kind = slot_of("picture"), .term = {.history = 4}};
    assert_true(task_open(&t, spec, &robot, reason, sizeof reason) < 0);
    assert_non_null(strstr(reason, "the slot picture wants a camera"));
    with = robot;
    with.picture = (struct picture_spec){.h = 10, .w = 8, .c = 3};
    assert_int_equal(task_open(&t, spec, &with, reason, sizeof reason), 0);
    assert_int_equal(t.n_obs, 2);
    assert_int_equal(t.history, 4);
    assert_int_equal(t.n_pixels, 240);
    spec->slot[spec->n_slots] = spec->slot[spec->n_slots - 1];
    spec->n_slots++;
    assert_true(task_open(&t, spec, &with, reason, sizeof reason) < 0);
    assert_string_equal(reason, "task: the slot picture stands twice");
}

/* Terms add up over the ticks of a period, by the time that each took; the next begins at nothing.
 */
static void a_period_sums_its_ticks(void **state)
{
    (void)state;
    static struct task t;
    struct task_spec *spec = spec_of("velocity", &(struct term){.scale = 1});
    struct sensed s = states[0];
    spec->n_rewards = 2;
    spec->reward[0] = (struct reward){
        .kind = reward_of("forward"),
        .term = {.joint = "wheel", .radius_m = 0.5, .weight = 1},
    };
    spec->reward[1] = (struct reward){.kind = reward_of("alive"), .term = {.weight = 10}};
    open_task(&t, spec);
    task_begin(&t, &s);
    for (int k = 1; k <= 5; k++) {
        s.q[1] = 0.1 * k;
        task_tick(&t, &s, k == 3 ? 0.02 : 0.01); /* the third came late */
    }
    assert_true(fabs(t.st.period_s - 0.06) < 1e-12);
    assert_true(fabs(task_period(&t, &s) - (0.25 + 0.6)) < 1e-9);
    assert_true(task_period(&t, &s) == 0.0 && t.st.period_s == 0.0);
    assert_true(fabs(t.st.episode_return - 0.85) < 1e-9);
    task_begin(&t, &s);
    assert_true(t.st.episode_return == 0.0 && t.st.episode_steps == 0);
}

static void costs_are_of_where_the_period_began(void **state)
{
    (void)state;
    static struct task t;
    struct task_spec *spec = spec_of("velocity", &(struct term){.scale = 1});
    spec->n_rewards = 1;
    spec->reward[0] =
        (struct reward){.kind = reward_of("velocity_at_start"), .term = {.weight = 1}};
    open_task(&t, spec);
    task_begin(&t, &states[1]);
    task_tick(&t, &states[2], 0.01);
    assert_true(fabs(task_period(&t, &states[2]) - -(0.25 + 4.0) / 2) < 1e-12);
    task_tick(&t, &states[0], 0.01);
    assert_true(fabs(task_period(&t, &states[0]) - -(9.0 + 16.0) / 2) < 1e-12);
    assert_true(task_period(&t, &states[1]) == 0.0);
}

/* --- what an action means --- */

static void an_effort_is_a_part_of_the_ceiling(void **state)
{
    (void)state;
    static struct task t;
    static const float act[] = {-0.5f, 3.0f}, applied[] = {0.0f, 0.0f};
    float back[2];
    struct command c = {.n = 3, .q = {0.1, 0.2, 0.3}};
    struct task_spec *spec = spec_of("last_action", &(struct term){.scale = 1});
    spec->settings.action = ACTION_EFFORT;
    open_task(&t, spec);
    task_actuate(&t, act, 0, &c);
    assert_true(c.tau[0] == -0.7 && c.tau[2] == 0.7 && c.tau[1] == 0.0);
    assert_true(c.mode[0] == MODE_EFFORT && c.mode[1] == MODE_OFF && c.mode[2] == MODE_EFFORT);
    assert_true(c.tau_max[0] == 1.4 && c.tau_max[2] == 0.7);
    task_unactuate(&t, &c, back);
    assert_true(back[0] == -0.5f && back[1] == 1.0f);
    spec->settings.actuation = ACTUATE_RAMP; /* from the last torque to the next */
    open_task(&t, spec);
    task_remember(&t, applied, &c);
    task_actuate(&t, applied, 1, &c);
    assert_true(fabs(c.tau[0] - -0.7 * 0.6) < 1e-12 && fabs(c.tau[2] - 0.7 * 0.6) < 1e-12);
}

/* Goals move by what a joint's speed allows in a period of 50 ms, and not out of its range. */
static void an_increment_is_a_step_of_the_goal(void **state)
{
    (void)state;
    static struct robot quick, unset;
    static struct task t;
    static const float act[] = {-0.5f, 3.0f}, none[] = {0.0f, 0.0f};
    const struct command last = {.n = 3, .q = {0.1, 77.0, -0.02}};
    struct command c = {.n = 3};
    char reason[WHY_CHARS] = "";
    float back[2];
    struct task_spec *spec = spec_of("last_action", &(struct term){.scale = 1});
    spec->settings.action = ACTION_INCREMENT;
    spec->settings.actuation = ACTUATE_RAMP;
    quick = unset = robot;
    quick.joint[0].qd_max = 2.0;
    quick.joint[2].qd_max = 1.0;
    unset.joint[2].qd_max = (double)NAN;
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), 0);
    task_begin(&t, &states[0]);
    task_remember(&t, none, &last);
    task_actuate(&t, act, 0, &c);
    assert_true(fabs(c.q[0] - (0.1 - 0.05 / 5)) < 1e-12 && c.mode[0] == MODE_POSITION);
    assert_true(fabs(c.q[2] - (-0.02 + 0.02 / 5)) < 1e-12); /* on its way to the range's end */
    task_actuate(&t, act, 4, &c);
    assert_true(fabs(c.q[0] - 0.05) < 1e-12 && fabs(c.q[2]) < 1e-12);
    task_unactuate(&t, &c, back);
    assert_true(back[0] == 0.0f && back[1] == 0.0f); /* nothing has moved yet */
    task_tick(&t, &states[0], 0.05);
    task_unactuate(&t, &c, back);
    assert_true(fabsf(back[0] + 0.5f) < 1e-6f && fabsf(back[1] - 0.4f) < 1e-6f);
    spec->settings.reset = RESET_BODY; /* from where the body is, not where it was told to be */
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), 0);
    task_begin(&t, &states[1]);
    task_remember(&t, none, &last);
    task_actuate(&t, none, 4, &c);
    assert_true(c.q[0] == states[1].q[0] && c.q[2] == states[1].q[2]);
    assert_int_equal(task_open(&t, spec, &unset, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "joint hand: task.action increment needs qd_max_rad_s"));
    spec = spec_of("lag", &(struct term){.scale = 1});
    spec->settings.action = ACTION_EFFORT;
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "the slot lag wants goals of pose"));
}

/* What still moves is asked to stop by a step of 0: not to come back. */
static void an_increment_starts_where_the_command_comes_to_rest(void **state)
{
    (void)state;
    static struct robot quick;
    static struct task t;
    static const float none[] = {0.0f, 0.0f};
    const struct command moves = {.n = 3, .q = {-0.1, 0.0, -0.05}, .qd = {1.0, 0.0, -2.0}};
    struct command c = {.n = 3};
    char reason[WHY_CHARS] = "";
    float back[2];
    struct task_spec *spec = spec_of("last_action", &(struct term){.scale = 1});
    spec->settings.action = ACTION_INCREMENT;
    spec->settings.actuation = ACTUATE_RAMP;
    quick = robot;
    quick.joint[0].qd_max = quick.joint[2].qd_max = 2.0;
    quick.joint[0].qdd_max = 10.0;
    quick.joint[2].qdd_max = (double)INFINITY;
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), 0);
    task_begin(&t, &states[0]);
    task_remember(&t, none, &moves);
    for (int phase = 0; phase < 5; phase++) {
        task_actuate(&t, none, phase, &c);
        assert_true(fabs(c.q[0] - (-0.1 + 1.0 / 20.0)) < 1e-12);
        assert_true(fabs(c.q[2] - fmax(quick.joint[2].q_min, -0.05)) < 1e-12);
    }
    task_tick(&t, &states[0], 0.05);
    task_unactuate(&t, &moves, back);
    assert_true(back[0] == 0.0f && back[1] == 0.0f); /* it does what it was asked */
    spec->settings.action = ACTION_POSITION;         /* a pose is a pose */
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), 0);
    task_begin(&t, &states[0]);
    task_remember(&t, none, &moves);
    assert_true(t.st.goal_last[0] == -0.1);
}

/* Told further and further, a joint that does not move is asked for no more than the lag. */
static void a_goal_stays_near_its_pose(void **state)
{
    (void)state;
    static struct robot quick;
    static struct task t;
    static const float act[] = {1.0f, -1.0f};
    struct command c = {.n = 3, .q = {states[0].q[0], 0.0, states[0].q[2]}};
    char reason[WHY_CHARS] = "";
    struct task_spec *spec = spec_of("last_action", &(struct term){.scale = 1});
    spec->settings.lag_max_rad = 0.15;
    quick = robot;
    quick.joint[0].qd_max = quick.joint[2].qd_max = 2.0;
    quick.joint[0].q_max = 9.0;
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "task.lag_max_rad is for task.action increment"));
    spec->settings.action = ACTION_INCREMENT;
    assert_int_equal(task_open(&t, spec, &quick, reason, sizeof reason), 0);
    task_begin(&t, &states[0]);
    for (int k = 1; k < 5; k++) {
        task_remember(&t, act, &c);
        task_actuate(&t, act, 4, &c);
        assert_true(fabs(c.q[0] - (states[0].q[0] + fmin(0.1 * k, 0.15))) < 1e-12);
        assert_true(c.q[2] >= quick.joint[2].q_min);
    }
}

static void open_acting(struct task *ret_task, int actuation)
{
    struct task_spec *spec = spec_of("last_action", &(struct term){.scale = 1});
    spec->settings.actuation = actuation;
    open_task(ret_task, spec);
    assert_int_equal(ret_task->ticks_per_period, 5);
}

static void ramps_go_straight_from_the_last_safe_command(void **state)
{
    (void)state;
    static struct task t;
    static const float act[] = {1.0f, -0.5f}, applied[] = {0.0f, 0.0f}; /* goals 0.5, -1.5 */
    const struct command last = {.n = 3, .q = {0.1, 77.0, -1.0}};
    open_acting(&t, ACTUATE_RAMP);
    task_remember(&t, applied, &last);
    for (int phase = 0; phase < 8; phase++) {
        struct command c = {.n = 3};
        const double along = phase < 5 ? (phase + 1) / 5.0 : 1.0;
        task_actuate(&t, act, phase, &c);
        assert_true(fabs(c.q[0] - (0.1 + 0.4 * along)) < 1e-12);
        assert_true(fabs(c.q[2] - (-1.0 - 0.5 * along)) < 1e-12);
        assert_int_equal(c.mode[0], MODE_POSITION);
        assert_int_equal(c.mode[1], MODE_OFF); /* the wheel is left alone */
        assert_int_equal(c.mode[2], MODE_POSITION);
        assert_true(c.qd[0] == 0.0 && c.tau_max[0] == 1.4 && c.tau_max[2] == 0.7);
        assert_true(c.q[1] == 0.0);
    }
}

static void without_a_last_command_a_ramp_is_a_step(void **state)
{
    (void)state;
    static struct task t;
    static const float act[] = {1.0f, -0.5f};
    struct command c = {.n = 3};
    open_acting(&t, ACTUATE_RAMP);
    task_actuate(&t, act, 0, &c);
    assert_true(fabs(c.q[0] - 0.5) < 1e-12 && fabs(c.q[2] - -1.5) < 1e-12);
}

static void holds_are_there_at_once(void **state)
{
    (void)state;
    static struct task t;
    static const float act[] = {-0.2f, 0.5f}, applied[] = {0.0f, 0.0f};
    const struct command last = {.n = 3, .q = {0.4, 0, -2.0}};
    open_acting(&t, ACTUATE_HOLD);
    task_remember(&t, applied, &last);
    for (int phase = 0; phase < 6; phase++) {
        struct command c = {.n = 3};
        task_actuate(&t, act, phase, &c);
        assert_true(fabs(c.q[0] - -0.1) < EPS && fabs(c.q[2] - -0.5) < EPS);
    }
}

/* Beyond -1..1 an action is held at the joint's range; within, unactuate gives it back. */
static void actions_are_clipped_and_come_back(void **state)
{
    (void)state;
    static struct task t;
    open_acting(&t, ACTUATE_HOLD);
    for (int i = -30; i <= 30; i++) {
        const float a = (float)i / 20.0f, act[] = {a, -a};
        const float want = a > 1.0f ? 1.0f : a < -1.0f ? -1.0f : a;
        struct command c = {.n = 3};
        float back[2];
        task_actuate(&t, act, 0, &c);
        assert_true(c.q[0] >= -0.5 && c.q[0] <= 0.5 && c.q[2] >= -2.0 && c.q[2] <= 0.0);
        task_unactuate(&t, &c, back);
        assert_true(fabsf(back[0] - want) < 1e-6f && fabsf(back[1] + want) < 1e-6f);
    }
}

/* --- when an episode ends --- */

static void a_clock_truncates_and_never_terminates(void **state)
{
    (void)state;
    static struct task t;
    struct task_spec *spec = spec_of("velocity", &(struct term){.scale = 1});
    spec->settings.episode_s = 0.3;
    open_task(&t, spec);
    for (int episode = 0; episode < 2; episode++) {
        task_begin(&t, &states[0]);
        for (int k = 1; k <= 30; k++) {
            assert_int_equal(t.st.end, END_NONE);
            task_tick(&t, &states[0], 0.01);
        }
        assert_int_equal(t.st.end, END_TRUNCATED); /* at the thirtieth tick, not the next */
    }
    spec->settings.episode_s = 0.0; /* continuing */
    open_task(&t, spec);
    task_begin(&t, &states[0]);
    for (int k = 0; k < 100000; k++) {
        task_tick(&t, &states[0], 0.01);
    }
    assert_int_equal(t.st.end, END_NONE);
}

static void the_edge_of_the_table_truncates_both_ways(void **state)
{
    (void)state;
    static struct task t;
    struct task_spec *spec = spec_of("velocity", &(struct term){.scale = 1});
    spec->settings.travel_max_m = 0.5;
    (void)snprintf(spec->settings.travel_joint, sizeof spec->settings.travel_joint, "wheel");
    spec->settings.travel_radius_m = 0.02;
    open_task(&t, spec);
    for (int way = -1; way <= 1; way += 2) {
        struct sensed s = states[1]; /* the odometer starts at 3 rad */
        task_begin(&t, &s);
        s.q[1] = 3.0 + way * 24.9;
        task_tick(&t, &s, 0.01);
        assert_int_equal(t.st.end, END_NONE);
        assert_true(fabs(t.st.way_m - way * 0.498) < 1e-9);
        s.q[1] = 3.0 + way * 25.1;
        task_tick(&t, &s, 0.01);
        assert_int_equal(t.st.end, END_TRUNCATED);
        task_begin(&t, &s); /* from here it counts anew */
        assert_int_equal(t.st.end, END_NONE);
        task_tick(&t, &s, 0.01);
        assert_int_equal(t.st.end, END_NONE);
        assert_true(t.st.way_m == 0.0);
    }
}

/* --- what cannot be a task --- */

static void refuses(const struct task_spec *spec, const char *part)
{
    static struct task t;
    char reason[WHY_CHARS] = "";
    assert_int_equal(task_open(&t, spec, &robot, reason, sizeof reason), -EINVAL);
    if (strstr(reason, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", reason, part);
    }
}

static void what_is_no_task_is_refused(void **state)
{
    (void)state;
    struct task_spec *s = spec_of("velocity", &(struct term){.scale = 1});
    s->settings.actuation = ACTUATE_RAMP; /* the state would not be whole */
    refuses(s, "add the slot last_action");

    s = spec_of("velocity", &(struct term){.joint = "elbow", .scale = 1});
    refuses(s, "\"elbow\"");

    s = spec_of("velocity", &(struct term){.scale = 1});
    s->n_slots = 0;
    refuses(s, "nothing is observed");

    s = spec_of("velocity", &(struct term){.scale = 1});
    s->n_rewards = 1;
    s->reward[0] = (struct reward){.kind = reward_of("effort"), .term = {.joint = "leg"}};
    refuses(s, "\"leg\"");

    s = spec_of("velocity", &(struct term){.scale = 1});
    s->settings.travel_max_m = 1.0;
    refuses(s, "travel_joint");
    (void)snprintf(s->settings.travel_joint, sizeof s->settings.travel_joint, "rail");
    refuses(s, "\"rail\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_see_what_they_say),
        cmocka_unit_test(slots_have_places_and_names),
        cmocka_unit_test(rewards_are_what_they_say),
        cmocka_unit_test(every_row_has_its_numbers),
        cmocka_unit_test(pictures_lie_beside_the_numbers),
        cmocka_unit_test(a_period_sums_its_ticks),
        cmocka_unit_test(costs_are_of_where_the_period_began),
        cmocka_unit_test(an_effort_is_a_part_of_the_ceiling),
        cmocka_unit_test(an_increment_is_a_step_of_the_goal),
        cmocka_unit_test(an_increment_starts_where_the_command_comes_to_rest),
        cmocka_unit_test(a_goal_stays_near_its_pose),
        cmocka_unit_test(ramps_go_straight_from_the_last_safe_command),
        cmocka_unit_test(without_a_last_command_a_ramp_is_a_step),
        cmocka_unit_test(holds_are_there_at_once),
        cmocka_unit_test(actions_are_clipped_and_come_back),
        cmocka_unit_test(a_clock_truncates_and_never_terminates),
        cmocka_unit_test(the_edge_of_the_table_truncates_both_ways),
        cmocka_unit_test(what_is_no_task_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
