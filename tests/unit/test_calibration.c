/* The calibration's text and back, what is refused, and what it does to a robot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/folder_fixture.h"

#include "daemon/base/arena.h"
#include "daemon/base/hash.h"
#include "daemon/calibration.h"
#include "daemon/config.h"
#include "drivers/joints.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static struct calibration made, again;
static struct robot robot;
static char text[CALIBRATION_BYTES_MAX], why_not[WHY_CHARS];

static int fill(void **state)
{
    const double none = (double)NAN;
    (void)state;
    made =
        (struct calibration){.schema = 1, .robot = "it's", .date = "2026-11-27T12:00:00Z", .n = 2};
    made.joint[0] = (struct calibration_joint){.name = "arm",
                                               .model = 1060,
                                               .firmware = 45,
                                               .serial = 4294967295,
                                               .sign = -1,
                                               .zero_rad = 0.12345678,
                                               .q_min = -0.5,
                                               .q_max = 0.25};
    made.joint[1] = (struct calibration_joint){
        .name = "the 'hand': [x]", .sign = 1, .q_min = none, .q_max = none};
    robot = (struct robot){.name = "it's", .n_joints = 2};
    robot.joint[0] = (struct joint_spec){
        .name = "arm", .sign = 1, .gear = 2.0, .zero_rad = 0.5, .q_min = -1.0, .q_max = 1.0};
    robot.joint[1] = (struct joint_spec){.name = "the 'hand': [x]", .sign = 1, .q_max = 2.0};
    why_not[0] = '\0';
    return 0;
}

static int read_text(size_t n)
{
    return calibration_read(&again, text, n, "file", why_not, (int)sizeof why_not);
}

/* A text with the checksum that it needs. */
static size_t sealed(const char *head)
{
    const int n = snprintf(text, sizeof text, "%s", head);
    return (size_t)n + (size_t)snprintf(text + n, sizeof text - (size_t)n, "checksum: '%08x'\n",
                                        (unsigned)hash_crc32c(0, text, (size_t)n));
}

static void assert_refused(const char *what)
{
    if (strstr(why_not, what) == NULL) {
        fail_msg("not \"%s\" but \"%s\"", what, why_not);
    }
}

static void its_text_says_it_all(void **state)
{
    (void)state;
    const int n = calibration_text(&made, text, (int)sizeof text);
    assert_true(n > 0 && text[n - 1] == '\n');
    if (read_text((size_t)n) < 0) {
        fail_msg("%s", why_not);
    }
    assert_string_equal(again.robot, made.robot);
    assert_string_equal(again.date, made.date);
    assert_int_equal(again.n, 2);
    const struct calibration_joint *a = &again.joint[0], *m = &made.joint[0];
    assert_true(strcmp(a->name, m->name) == 0 && a->model == m->model && a->sign == m->sign);
    assert_true(a->firmware == m->firmware && a->serial == m->serial);
    assert_true(a->zero_rad == m->zero_rad && a->q_min == m->q_min && a->q_max == m->q_max);
    assert_string_equal(again.joint[1].name, made.joint[1].name);
    assert_true(isnan(again.joint[1].q_min) && isnan(again.joint[1].q_max));
    for (int cap = 0; cap < n; cap += 7) { /* no more than fits */
        static char small[CALIBRATION_BYTES_MAX];
        assert_int_equal(calibration_text(&made, small, cap), -ENOSPC);
    }
}

/* Every byte counts. */
static void a_changed_byte_is_refused(void **state)
{
    (void)state;
    const int n = calibration_text(&made, text, (int)sizeof text);
    for (int i = 0; i < n; i++) {
        text[i] = (char)(text[i] ^ 1);
        assert_int_equal(read_text((size_t)n), -EINVAL);
        assert_refused("its checksum is not that of its contents");
        text[i] = (char)(text[i] ^ 1);
    }
    for (int len = 0; len < n; len++) {
        assert_int_equal(read_text((size_t)len), -EINVAL);
    }
    assert_int_equal(read_text((size_t)n), 0);
}

static void what_is_no_calibration_is_refused(void **state)
{
    static const struct {
        const char *head, *what;
    } bad[] = {
        {"schema: 1\nrobot: x\n", "date"},
        {"schema: 2\nrobot: x\ndate: d\n", "schema"},
        {"schema: 1\nrobot: x\ndate: d\njoint: 1\n", "joint"},
        {"schema: 1\nrobot: x\ndate: d\njoints: 1\n", "joints"},
        {"schema: 1\nrobot: x\ndate: d\njoints: [{name: a}]\n", "model"},
        {"schema: 1\nrobot: x\ndate: d\njoints:\n"
         "  - {name: a, model: 0, firmware: 0, serial: 0, sign: 0, zero_rad: 0}\n",
         "sign is 1 or -1"},
        {"schema: 1\nrobot: x\ndate: d\njoints:\n"
         "  - {name: a, model: 0, firmware: 0, serial: 0, sign: 1, zero_rad: .nan}\n",
         "zero_rad"},
        {"schema: 1\nrobot: x\ndate: d\njoints:\n"
         "  - {name: a, model: 0, firmware: 0, serial: 0, sign: 1, zero_rad: 0, q_min_rad: 1}\n",
         "q_min_rad must be less"},
        {"schema: 1\nrobot: x\ndate: d\njoints:\n"
         "  - {name: a, model: 0, firmware: 0, serial: 0, sign: 1, zero_rad: 0, q_min_rad: 1, "
         "q_max_rad: 0}\n",
         "q_min_rad must be less"},
        {"[", ""},
        {"- 1\n", "this is no YAML"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_text(sealed(bad[i].head)), -EINVAL);
        assert_refused(bad[i].what);
        assert_refused("file:");
    }
}

static int apply(void)
{
    return calibration_apply(&made, robot.name, &robot, "file", why_not, (int)sizeof why_not);
}

static void it_overrides_the_robot_file(void **state)
{
    (void)state;
    assert_int_equal(apply(), 0);
    const struct joint_spec *j = &robot.joint[0];
    assert_true(j->sign == -1 && j->zero_rad == 0.12345678 && j->q_min == -0.5 && j->q_max == 0.25);
    assert_true(j->model == 1060 && j->serial == 4294967295);
    assert_true(robot.joint[1].q_max == 2.0 && robot.joint[1].model == 0);
    assert_false(j->range_found); /* --set comes after it */
    calibration_mark(&made, &robot);
    assert_true(j->range_found && !robot.joint[1].range_found);
}

static void another_robot_s_is_refused(void **state)
{
    (void)state;
    const struct robot before = robot;
    robot.joint[0].model = 1190;
    assert_int_equal(apply(), -EINVAL);
    assert_refused("joint arm was model 1060 then, the robot file says 1190");
    robot = before;
    (void)snprintf(robot.joint[1].name, sizeof robot.joint[1].name, "leg");
    assert_int_equal(apply(), -EINVAL);
    assert_refused("robot it's has no joint the 'hand': [x]");
    assert_true(robot.joint[0].sign == 1); /* and nothing was done by halves */
    robot = before;
    (void)snprintf(robot.name, sizeof robot.name, "other");
    assert_int_equal(apply(), -EINVAL);
    assert_refused("it is of robot it's, this one is other");
}

/* The pose that a hand held reads 0 afterwards, whatever sign and gear; and so it does with the
 * other sign. */
static void a_held_pose_becomes_zero(void **state)
{
    struct joint_spec *j = &robot.joint[0];
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        j->sign = sign;
        j->zero_rad = 0.5;
        const double device = joint_to_device(j, 0.3);
        j->zero_rad = calibration_zero_rad(j, 0.3);
        assert_true(fabs(joint_from_device(j, device)) < 1e-12);
        j->sign = -sign;
        assert_true(fabs(joint_from_device(j, device)) < 1e-12);
    }
}

/* The last stretch counts, trembling does not. */
static void the_last_stretch_tells_the_way(void **state)
{
    static const struct {
        double q[8];
        double from, tip;
    } rides[] = {
        {{0, 0.02, -0.02, 0.01, 0, 0, 0, 0}, 0.0, 0.02},
        {{0, 0.1, 0.3, 0.29, 0.3, 0.28, 0.3, 0.27}, 0.0, 0.3},
        {{0, -0.2, -0.5, -0.48, -0.3, -0.1, -0.12, -0.1}, -0.5, -0.1},
        {{0, 0.4, 0.2, 0, -0.3, -0.26, -0.3, -0.28}, 0.4, -0.3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rides / sizeof rides[0]; i++) {
        struct stretch s = {rides[i].q[0], rides[i].q[0]};
        for (int k = 0; k < 8; k++) {
            stretch_follow(&s, rides[i].q[k]);
        }
        assert_true(s.from == rides[i].from && s.tip == rides[i].tip);
    }
}

static void rows_and_names(void **state)
{
    char path[64];
    (void)state;
    assert_ptr_equal(calibration_joint(&made, &robot.joint[0]), &made.joint[0]);
    const struct joint_spec leg = {.name = "leg", .sign = -1, .zero_rad = 0.25};
    const struct calibration_joint *row = calibration_joint(&made, &leg);
    assert_true(made.n == 3 && row->sign == -1 && row->zero_rad == 0.25 && isnan(row->q_min));
    assert_int_equal(calibration_path("a.b/so101.yaml", path, sizeof path), 0);
    assert_string_equal(path, "a.b/so101.calibration.yaml");
    assert_int_equal(calibration_path("a.yaml/robot", path, sizeof path), 0);
    assert_string_equal(path, "a.yaml/robot.calibration.yaml");
    assert_int_equal(calibration_path("robot.yaml", path, 10), -ENAMETOOLONG);
}

static void put_file(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A task that includes the robot's file, under a name of its own; what --set says is not found. */
static void assert_a_task_has_it(const struct folder *d, struct config *c, struct arena *mem)
{
    static const char *const sets[] = {"joints.arm.q_max_rad=0.5", "joints.arm.zero_rad=0.1",
                                       "joints.arm.qd_max_rad_s=1"};
    static const char task[] = "include: robot.yaml\nname: crawls\n";
    static const char other[] =
        "include: robot.yaml\nbus:\n  - {name: servo, device: /dev/other}\n";
    char path[PATH_CHARS + 32];
    (void)snprintf(path, sizeof path, "%s/task.yaml", d->path);
    put_file(path, task, strlen(task));
    if (config_load(c, path, NULL, 0, mem, why_not, (int)sizeof why_not) < 0) {
        fail_msg("%s", why_not);
    }
    assert_true(c->robot.joint[0].range_found && c->robot.joint[0].q_max == 0.25);
    assert_non_null(strstr(c->calibration, "/robot.calibration.yaml"));
    assert_string_equal(c->calibration_robot, "crawler");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(config_load(c, path, sets + i, 1, mem, why_not, (int)sizeof why_not), 0);
        assert_int_equal(c->robot.joint[0].range_found, i == 2);
    }
    put_file(path, other, strlen(other)); /* another crawler, whose zeros nobody knows */
    assert_int_equal(config_load(c, path, NULL, 0, mem, why_not, (int)sizeof why_not), 0);
    assert_true(c->calibrated[0] == '\0' && !c->robot.joint[0].range_found);
    assert_non_null(strstr(c->calibration, "/task.calibration.yaml"));
    assert_int_equal(unlink(path), 0);
}

/* Beside a robot file it is taken by itself; a damaged one is refused, but by who asks for none. */
static void it_is_found_beside_the_robot_file(void **state)
{
    struct folder d;
    struct arena mem;
    struct config *c = calloc(1, sizeof *c);
    char path[PATH_CHARS + 32], beside[PATH_CHARS + 48], line[PATH_CHARS + 64];
    (void)state;
    assert_non_null(c);
    assert_int_equal(arena_open(&mem, "test", (size_t)16 << 20), 0);
    folder_make(&d);
    (void)snprintf(path, sizeof path, "%s/robot.yaml", d.path);
    (void)snprintf(beside, sizeof beside, "%s/robot.calibration.yaml", d.path);
    (void)snprintf(line, sizeof line, "include: %s\n", SOURCE_DIR "/deploy/robots/crawler.yaml");
    put_file(path, line, strlen(line));
    (void)snprintf(made.robot, sizeof made.robot, "crawler");
    made.n = 1;
    int n = calibration_text(&made, text, (int)sizeof text);
    put_file(beside, text, (size_t)n);
    if (config_load(c, path, NULL, 0, &mem, why_not, (int)sizeof why_not) < 0) {
        fail_msg("%s", why_not);
    }
    assert_true(c->robot.joint[0].sign == -1 && c->robot.joint[0].q_max == 0.25);
    assert_string_equal(c->calibrated, made.date);
    assert_true(c->robot.joint[0].range_found);
    const uint64_t hash = c->hash;
    assert_a_task_has_it(&d, c, &mem);
    text[n - 3] = (char)(text[n - 3] ^ 1);
    put_file(beside, text, (size_t)n);
    assert_int_equal(config_load(c, path, NULL, 0, &mem, why_not, (int)sizeof why_not), -EINVAL);
    assert_refused("its checksum is not that of its contents");
    assert_int_equal(config_load_bare(c, path, NULL, 0, &mem, why_not, (int)sizeof why_not), 0);
    assert_true(c->robot.joint[0].sign == 1 && c->calibrated[0] == '\0' && c->hash != hash);
    assert_string_equal(c->calibration, beside); /* where it is all the same */
    folder_remove(&d);
    arena_close(&mem);
    free(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fill)
    static const struct CMUnitTest tests[] = {
        TEST(its_text_says_it_all),
        TEST(a_changed_byte_is_refused),
        TEST(what_is_no_calibration_is_refused),
        TEST(it_overrides_the_robot_file),
        TEST(another_robot_s_is_refused),
        TEST(a_held_pose_becomes_zero),
        TEST(the_last_stretch_tells_the_way),
        TEST(rows_and_names),
        TEST(it_is_found_beside_the_robot_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
