/* What --check-config says of a robot file's responses, and the numbers that are computed of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/config.h"
#include "daemon/respond.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARM     SOURCE_DIR "/tests/loop/arm_can.yaml"
#define BODY    SOURCE_DIR "/deploy/robots/openarm6.yaml"
#define CRAWLER SOURCE_DIR "/deploy/robots/crawler.yaml"

#define SETS_MAX 4

static int load(const char *path, const char *const *sets, struct config *ret_config,
                struct arena *ret_mem, char *ret_why)
{
    int n = 0;
    while (n < SETS_MAX && sets[n] != NULL) {
        n++;
    }
    assert_int_equal(arena_open(ret_mem, "respond", (size_t)64 << 20), 0);
    return config_load(ret_config, path, sets, n, ret_mem, ret_why, WHY_CHARS);
}

/* clang-format off */
static const struct {
    const char *path, *sets[SETS_MAX], *why; /* "": good */
} rows[] = {
    {ARM, {NULL}, ""},
    {ARM, {"responses.stop=hold"}, "responses.stop hold would never end: use retreat, damped or limp"},
    {ARM, {"responses.process_dead=damped"}, "responses.process_dead can only be limp"},
    {ARM, {"responses.estop=fall"}, "estop must be hold | retreat | damped | limp, not \"fall\""},
    {ARM, {"responses.rest_pose_rad=[]"}, "responses.rest_pose_rad must be set: a retreat needs a pose to go to, one number for each of 6 joints"},
    {ARM, {"responses.rest_pose_rad=[0, 0]"}, "responses.rest_pose_rad has 2 numbers; it wants one for each of 6 joints"},
    {ARM, {"responses.rest_pose_rad=[0, -0.11, 1.5, 0, 0.28, 0]"}, "joint elbow: responses.rest_pose_rad has it at 1.5 rad, outside its range -1.3 to 1.4"},
    {ARM, {"responses.rest_torque_nm=0.5"}, "joint elbow: gravity pulls with 0.833 Nm in responses.rest_pose_rad, rest_torque_nm allows 0.5"},
    {ARM, {"responses.rest_pose_rad=[0, 0.8, 0, 0, 0, 0]"}, "joint shoulder: gravity pulls with "},
    {ARM, {"responses.rest_pose_rad=[0, 0.8, 0, 0, 0, 0]", "responses.rest_supported=true"}, ""},
    {ARM, {"responses.retreat_s=4"}, "joint elbow: from the far end of its range a retreat takes up to 5.7 s, responses.retreat_s allows 4"},
    {ARM, {"responses.damped_kd_nms_rad=[]"}, "responses.damped_kd_nms_rad must be set"},
    {ARM, {"responses.damped_kd_nms_rad=[1, 2]"}, "responses.damped_kd_nms_rad has 2 numbers; one for all, or one for each of 6 joints"},
    {ARM, {"responses.damped_kd_nms_rad=[6]"}, "joint waist: responses.damped_kd_nms_rad 6 is more than its device can be told, 5"},
    {ARM, {"responses.damped_kd_nms_rad=[2]"}, ""},
    {ARM, {"estop.drop_accepted=false"}, "estop.drop_accepted must be true: responses.bus_lost is limp: torque goes off"},
    {ARM, {"estop.drop_accepted=false", "responses.bus_lost=hold"}, "estop.drop_accepted must be true: responses.process_dead is limp, as nothing of basald is left"},
    {ARM, {"estop.drop_accepted=false", "estop.brake=true"}, ""},
    {ARM, {"estop.drop_accepted=false", "responses.bus_lost=hold", "responses.power_sag=retreat", "responses.damped_kd_nms_rad=[]"}, "responses.damped_kd_nms_rad must be set"},
    {CRAWLER, {NULL}, ""},
    {CRAWLER, {"responses.estop=damped", "responses.damped_kd_nms_rad=[1]"}, "its dynamixel device takes poses, no damping: damped is not for it; use retreat, hold or limp"},
    {BODY, {NULL}, ""},
    {BODY, {"responses.damped_kd_nms_rad=[50]"}, ""}, /* a body takes any */
};

/* clang-format on */

static void every_refusal_says_which_and_why(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config *c = calloc(1, sizeof *c);
        struct arena mem;
        char reason[WHY_CHARS] = "";
        assert_non_null(c);
        const int rc = load(rows[i].path, rows[i].sets, c, &mem, reason);
        const bool good = rows[i].why[0] == '\0';
        if ((rc == 0) != good || strstr(reason, rows[i].why) == NULL) {
            print_error("row %zu: %s\n  said   %s\n  wanted %s\n", i,
                        rows[i].sets[0] != NULL ? rows[i].sets[0] : "-", reason, rows[i].why);
            wrong++;
        }
        arena_close(&mem);
        free(c);
    }
    assert_int_equal(wrong, 0);
}

static double stop_s(const char *path, const char *set)
{
    const char *const sets[SETS_MAX] = {set};
    struct config *c = calloc(1, sizeof *c);
    struct arena mem;
    struct responder r;
    char reason[WHY_CHARS] = "";
    assert_non_null(c);
    if (load(path, sets, c, &mem, reason) < 0 ||
        respond_init(&r, &c->robot, &c->responses, c->control.stop_s, reason, WHY_CHARS) < 0) {
        fail_msg("%s", reason);
    }
    const double s = respond_stop_s(&r);
    arena_close(&mem);
    free(c);
    return s;
}

/* A stop of the crawler is what it was; the arm's has room for a retreat, and a descent after it.
 */
static void the_time_of_a_stop_follows_the_robot(void **state)
{
    (void)state;
    assert_true(stop_s(CRAWLER, NULL) == 0.5);
    assert_true(stop_s(ARM, "responses.stop=limp") == 0.5);
    /* twice the hand's 4 rad at 0.3 rad/s, two seconds of letting go; brought to rest before and
     * after */
    const double sinks_s = 0.5 + 2.0 * 4.0 / 0.3 + 2.0 + 0.5;
    assert_true(fabs(stop_s(ARM, "responses.stop=damped") - sinks_s) < 1e-9);
    assert_true(fabs(stop_s(ARM, NULL) - (0.5 + 10.0 + sinks_s)) < 1e-9);
    assert_true(fabs(stop_s(ARM, "responses.retreat_s=20") - (0.5 + 20.0 + sinks_s)) < 1e-9);
}

/* What no file says is what was done before there were responses. */
static void the_defaults_are_what_was_done_before(void **state)
{
    (void)state;

    static const enum response before[CAUSES_N] = {
        [CAUSE_POLICY_STALE] = RESPONSE_HOLD, [CAUSE_OPERATOR_LOST] = RESPONSE_HOLD,
        [CAUSE_SENSOR_STALE] = RESPONSE_LIMP, [CAUSE_BUS_LOST] = RESPONSE_LIMP,
        [CAUSE_LOOP_STALLED] = RESPONSE_HOLD, [CAUSE_PROCESS_DEAD] = RESPONSE_LIMP,
        [CAUSE_POWER_SAG] = RESPONSE_LIMP,    [CAUSE_ESTOP] = RESPONSE_LIMP,
        [CAUSE_FAULT] = RESPONSE_LIMP,        [CAUSE_STOP] = RESPONSE_LIMP};

    const char *const none[SETS_MAX] = {NULL};
    struct config *c = calloc(1, sizeof *c);
    struct arena mem;
    char reason[WHY_CHARS] = "";
    assert_non_null(c);
    assert_int_equal(load(CRAWLER, none, c, &mem, reason), 0);
    for (int i = CAUSE_NONE + 1; i < CAUSES_N; i++) {
        assert_int_equal(c->responses.how[i], before[i]);
    }
    assert_int_equal(c->responses.n_rest, 0);
    assert_true(c->responses.policy_stale_s == 0.0);
    arena_close(&mem);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_says_which_and_why),
        cmocka_unit_test(the_time_of_a_stop_follows_the_robot),
        cmocka_unit_test(the_defaults_are_what_was_done_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
