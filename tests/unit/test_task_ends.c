/*
 * What ends an episode for good, and robots whose action is one of a few choices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/task.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* A cart that is pushed left or right, and a sensor that says where the goal is. */
static const struct robot cart = {
    .n_joints = 1,
    .n_extra = 1,
    .n_choices = 3,
    .choice = {"left", "none", "right"},
    .control_rate_hz = 50.0,
    .policy_rate_hz = 50.0,
    .joint = {{.name = "cart"}},
    .extra = {{.name = "pose", .offset = 0, .n = 2}},
};

static struct task_spec spec;
static struct task task;
static char reason[WHY_CHARS];

/* Sees the cart; ends as said. */
static int open_cart(const struct end *ends, int n)
{
    spec = (struct task_spec){.settings = {.actuation = ACTUATE_HOLD}, .n_slots = 1, .n_ends = n};
    spec.slot[0].term = (struct term){.joint = "cart", .scale = 1};
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        spec.slot[0].kind = strcmp(k->name, "position") == 0 ? k : spec.slot[0].kind;
    }
    for (int i = 0; i < n; i++) {
        spec.end[i] = ends[i];
    }
    return task_open(&task, &spec, &cart, reason, sizeof reason);
}

static const struct end_kind *end_of(const char *name)
{
    const struct end_kind *k = end_kinds;
    while (k->name != NULL && strcmp(k->name, name) != 0) {
        k++;
    }
    return k;
}

static int end_after(double q, double pose)
{
    const struct sensed rest = {.n = 1}, s = {.n = 1, .q = {q}, .extra = {0.0, pose}};
    task_begin(&task, &rest);
    assert_int_equal(task.st.end, END_NONE);
    task_tick(&task, &s, 0.02);
    return task.st.end;
}

static void a_joint_outside_ends_it(void **state)
{
    (void)state;
    const struct end e = {end_of("joint_outside"), {.joint = "cart", .min = -2.4, .max = 2.4}};
    assert_int_equal(open_cart(&e, 1), 0);
    assert_int_equal(end_after(2.4, 0), END_NONE); /* at the bound it goes on */
    assert_int_equal(end_after(2.4000001, 0), END_TERMINAL);
    assert_int_equal(end_after(-2.5, 0), END_TERMINAL);
    assert_int_equal(end_after((double)NAN, 0), END_TERMINAL);
    assert_false(task.st.success);
}

/* Two ends; the second one is wanted. Both clocks and ends may come at once. */
static void a_wanted_end_is_a_success(void **state)
{
    (void)state;
    const struct end e[2] = {
        {end_of("joint_outside"), {.joint = "cart", .min = -1, .max = 1e30}},
        {end_of("extra_outside"),
         {.extra = "pose", .first = 1, .min = -1e30, .max = 0.5, .success = true}},
    };
    assert_int_equal(open_cart(e, 2), 0);
    assert_int_equal(end_after(9.0, 0.4), END_NONE);
    assert_int_equal(end_after(0.0, 0.6), END_TERMINAL);
    assert_true(task.st.success);
    assert_int_equal(end_after(-2.0, 0.4), END_TERMINAL);
    assert_false(task.st.success);
    spec.settings.episode_s = 0.02;
    assert_int_equal(end_after(0.0, 0.6), END_TERMINAL | END_TRUNCATED);
}

static void ticks(int n, double pose)
{
    const struct sensed s = {.n = 1, .extra = {0.0, pose}};
    for (int k = 0; k < n; k++) {
        task_tick(&task, &s, 0.02);
    }
}

/* Three ticks of 20 ms below 0.5: not less, and not with a break. */
static void an_end_may_have_to_hold(void **state)
{
    (void)state;
    const struct sensed rest = {.n = 1};
    struct end e = {end_of("extra_outside"),
                    {.extra = "pose", .first = 1, .min = 0.5, .max = 1e30, .for_s = 0.06}};
    assert_int_equal(open_cart(&e, 1), 0);
    task_begin(&task, &rest);
    ticks(2, 0.4);
    ticks(1, 0.6);
    ticks(2, 0.4);
    assert_int_equal(task.st.end, END_NONE);
    ticks(1, 0.4);
    assert_int_equal(task.st.end, END_TERMINAL);
    assert_false(task.st.success);
    task_begin(&task, &rest);
    ticks(1, 0.4);
    assert_int_equal(task.st.end, END_NONE); /* it counts anew */
}

/* Asked when the clock ends the episode, and not before. */
static void a_success_may_be_judged_at_last(void **state)
{
    (void)state;
    const struct sensed rest = {.n = 1};
    struct end e = {end_of("extra_outside"),
                    {.extra = "pose",
                     .first = 1,
                     .min = 0.5,
                     .max = 1e30,
                     .for_s = 0.06,
                     .when = WHEN_AT_LAST,
                     .success = true}};
    assert_int_equal(open_cart(&e, 1), 0);
    spec.settings.episode_s = 0.2;
    for (int last = 0; last < 10; last++) { /* of its ticks are below */
        task_begin(&task, &rest);
        ticks(9 - last, 0.4);
        ticks(1, 0.6);
        ticks(last, 0.4);
        assert_int_equal(task.st.end, END_TRUNCATED);
        assert_true(task.st.success == (last >= 3));
    }
    task_begin(&task, &rest);
    ticks(9, 0.4);
    assert_int_equal(task.st.end, END_NONE);
    assert_false(task.st.success);
}

static void an_end_may_look_at_more_numbers(void **state)
{
    (void)state;
    const struct end e = {end_of("extra_outside"), {.extra = "pose", .n = 2, .min = -1, .max = 1}};
    assert_int_equal(open_cart(&e, 1), 0);
    assert_int_equal(end_after(0.0, 0.9), END_NONE);
    assert_int_equal(end_after(0.0, 1.1), END_TERMINAL);
    assert_int_equal(end_after(0.0, -1.1), END_TERMINAL);
    const struct end past = {end_of("extra_outside"), {.extra = "pose", .first = 1, .n = 2}};
    assert_int_equal(open_cart(&past, 1), -EINVAL);
    assert_non_null(
        strstr(reason, "extra_outside wants 2 numbers from number 1 of \"pose\", there are 1"));
}

static void an_end_of_nothing_is_refused(void **state)
{
    (void)state;
    const struct end no_joint = {end_of("joint_outside"), {.joint = "pole", .max = 1}};
    assert_int_equal(open_cart(&no_joint, 1), -EINVAL);
    assert_non_null(strstr(reason, "joint_outside names joint \"pole\""));
    const struct end past = {end_of("extra_outside"), {.extra = "pose", .first = 2, .max = 1}};
    assert_int_equal(open_cart(&past, 1), -EINVAL);
    assert_non_null(strstr(reason, "first 2 is past the 2 numbers of \"pose\""));
}

/* --- choices --- */

static void a_choice_is_an_index_and_comes_back(void **state)
{
    (void)state;
    assert_int_equal(open_cart(NULL, 0), 0);
    assert_int_equal(task.n_act, 1);
    assert_int_equal(task.n_act_joints, 0);
    for (int choice = 0; choice < 3; choice++) {
        const float act[1] = {(float)choice};
        struct command cmd = {.n = 1};
        float back[1];
        task_actuate(&task, act, 0, &cmd);
        assert_int_equal(cmd.choice, choice);
        assert_int_equal(cmd.mode[0], MODE_OFF);
        task_unactuate(&task, &cmd, back);
        assert_true(back[0] == act[0]);
        task_remember(&task, back, &cmd);
        assert_true(task.st.act_last[0] == act[0]);
    }
}

static void choices_drive_no_joint_and_know_no_ramp(void **state)
{
    (void)state;
    assert_int_equal(open_cart(NULL, 0), 0);
    spec.settings.actuation = ACTUATE_RAMP;
    assert_int_equal(task_open(&task, &spec, &cart, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "task.actuation must be hold"));
    static struct robot driven;
    driven = cart;
    driven.joint[0].actuated = true;
    spec.settings.actuation = ACTUATE_HOLD;
    assert_int_equal(task_open(&task, &spec, &driven, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "joint cart: a robot with choices drives no joint"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_joint_outside_ends_it),
        cmocka_unit_test(a_wanted_end_is_a_success),
        cmocka_unit_test(an_end_may_have_to_hold),
        cmocka_unit_test(a_success_may_be_judged_at_last),
        cmocka_unit_test(an_end_may_look_at_more_numbers),
        cmocka_unit_test(an_end_of_nothing_is_refused),
        cmocka_unit_test(a_choice_is_an_index_and_comes_back),
        cmocka_unit_test(choices_drive_no_joint_and_know_no_ramp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
