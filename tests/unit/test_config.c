/* Every refusal of a robot file says where, which key, and what is wanted; what is accepted comes
 * out of a dump as it went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/config_tables.h"

#include "daemon/bus_codec.h"
#include "sim/firmware/device.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRAWLER SOURCE_DIR "/deploy/robots/crawler.yaml"
#define MEMORY  ((size_t)64 << 20)

struct loaded {
    struct arena mem;
    struct config config;
    char why[WHY_CHARS];
    int rc;
};

static void load(struct loaded *l, const char *text, const char *const *sets, int n_sets)
{
    memset(l, 0, sizeof *l);
    assert_int_equal(arena_open(&l->mem, "config", MEMORY), 0);
    const struct config_text from = {.text = text, .n = strlen(text), .name = "r.yaml"};
    l->rc = config_load_text(&l->config, &from, sets, n_sets, &l->mem, l->why, sizeof l->why);
}

static int open_loaded(void **state)
{
    *state = calloc(1, sizeof(struct loaded));
    return *state != NULL ? 0 : -1;
}

static int close_loaded(void **state)
{
    free(*state);
    return 0;
}

/* A small robot; %s go where a row of a table puts them, each on its own line. */
static const char good[] = "schema: 1\n"                                        /* 1 */
                           "name: box\n"                                        /* 2 */
                           "bus:\n"                                             /* 3 */
                           "  - {name: a, driver: dynamixel, device: /dev/a}\n" /* 4 */
                           "joints:\n"                                          /* 5 */
                           "  - {name: arm, bus: a, id: 1, q_min_rad: -1, q_max_rad: 1, "
                           "qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1, "
                           "tau_stall_nm: 1.4, temp_max_c: 70}\n"                           /* 6 */
                           "  - {name: wheel, bus: a, id: 2, actuated: false}\n"            /* 7 */
                           "control: {rate_hz: 100}\n"                                      /* 8 */
                           "estop: {hardware: none, drop_accepted: true}\n"                 /* 9 */
                           "task: {observation: [{kind: position}, {kind: last_action}]}\n" /* 10 */
                           "policy: {kind: sac, rate_hz: 20}\n";                            /* 11 */

/* good with its line number `line` replaced (0: `text` in front, 99: behind). */
static void with_line(int line, const char *text, char *ret_text, size_t cap)
{
    size_t used = line == 0 ? (size_t)snprintf(ret_text, cap, "%s\n", text) : 0;
    int at = 1;
    for (const char *p = good; *p != '\0'; at++) {
        const size_t n = strcspn(p, "\n") + 1;
        if (at == line) {
            used += (size_t)snprintf(ret_text + used, cap - used, "%s\n", text);
        } else {
            used += (size_t)snprintf(ret_text + used, cap - used, "%.*s", (int)n, p);
        }
        p += n;
    }
    if (line == 99) {
        (void)snprintf(ret_text + used, cap - used, "%s\n", text);
    }
}

static void a_small_robot_is_accepted(void **state)
{
    struct loaded *l = *state;
    load(l, good, NULL, 0);
    assert_string_equal(l->why, "");
    assert_int_equal(l->rc, 0);
    assert_int_equal(l->config.robot.n_joints, 2);
    assert_int_equal(l->config.robot.bus[0].write_phase_us, 3200); /* the deadline and 200 */
    arena_close(&l->mem);
}

static void a_direct_body_carries_itself(void **state)
{
    struct loaded *l = *state;
    static const char *const sets[] = {"control.carry_weight=true"};
    memset(l, 0, sizeof *l);
    assert_int_equal(arena_open(&l->mem, "config", MEMORY), 0);
    l->rc = config_load(&l->config, SOURCE_DIR "/deploy/robots/openarm6.yaml", sets, 1, &l->mem,
                        l->why, sizeof l->why);
    assert_int_equal(l->rc, -EINVAL);
    assert_non_null(strstr(l->why, "control.carry_weight is for a robot on a bus"));
    arena_close(&l->mem);
}

/* clang-format off */
#define ARM "{name: arm, bus: a, id: 1, q_min_rad: -1, q_max_rad: 1, qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1, tau_stall_nm: 1.4, temp_max_c: 70"
static const struct refusal_row {
    int line;
    const char *text, *why;
} rows[] = {
    /* one key */
    {8, "control: {rate_h: 100}", "r.yaml:8:11: rate_h: no such key; the nearest is rate_hz"},
    {2, "nane: box", "r.yaml:2:1: nane: no such key; the nearest is name"},
    {8, "control: {rate_hz: 100, carry_weight: true}", "r.yaml:8:10: control.carry_weight wants links, which tell what there is to carry"},
    {8, "control: {rate_hz: 100, carry_weight: true}\nlinks: [{name: arm, axis: [0, 0, 1], mass_kg: 1, inertia_kgm2: [1, 1, 1, 0, 0, 0]}]",
     "r.yaml:8:10: control.carry_weight: bus a: its dynamixel devices take poses alone, no torque beside them"},
    {8, "control: {rate_hz: fast}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"fast\""},
    {8, "control: {rate_hz: 100x}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"100x\""},
    {8, "control: {rate_hz: 0}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"0\""},
    {8, "control: {rate_hz: .inf}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \".inf\""},
    {8, "control: {rate_hz: inf}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"inf\""},
    {8, "control: {rate_hz: nan}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"nan\""},
    {8, "control: {rate_hz: 1e999}", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"1e999\""},
    {8, "control: {rate_hz: }", "r.yaml:8:20: rate_hz must be a number from 1 to 10000, not \"\""},
    {8, "control: {rate_hz: [100]}", "rate_hz must be a number from 1 to 10000, not \"[100]\""},
    {8, "control: {rate_hz: {a: 1}}", "r.yaml:8:20: rate_hz: a value is wanted here, not a map"},
    {8, "control: {rate_hz: 100, priority: 1.5}", "r.yaml:8:35: priority must be a whole number from 1 to 98, not \"1.5\""},
    {8, "control: {rate_hz: 100, priority: 0x10}", "priority must be a whole number from 1 to 98, not \"0x10\""},
    {8, "control: {rate_hz: 100, realtime: always}", "realtime must be off | prefer | enforce, not \"always\""},
    {8, "control: {rate_hz: 100, rate_hz: 50}", "r.yaml:8:25: rate_hz: stands twice in this map"},
    {8, "control: [1]", "r.yaml:8:10: keys and values are wanted here"},
    {8, "control: 3", "r.yaml:8:10: keys and values are wanted here"},
    {9, "estop: {hardware: none, drop_accepted: yes}", "r.yaml:9:40: drop_accepted must be true or false, not \"yes\""},
    {2, "name: a-name-that-is-longer-than-thirty-one-characters", "r.yaml:2:7: name must be text of at most 31 characters, not"},
    {2, "name: \"a\\tb\"", "name must be text of at most 31 characters, not"},
    {11, "policy: {kind: sac, rate_hz: 20, net_arch: [64, 0]}", "net_arch must be a list of at most "},
    {11, "policy: {kind: sac, rate_hz: 20, net_arch: [64, 2.5]}", "whole numbers from 1 to "},
    {11, "policy: {kind: sac, rate_hz: 20, net_arch: [[64]]}", "net_arch: a short list of numbers is wanted here"},
    {1, "schema: 2", "r.yaml:1:9: schema must be a whole number from 1 to 1, not \"2\""},
    {0, "? [a, b]\n: 1", "r.yaml:1:3: a key is wanted here"},
    {0, "a: [1", "this is no YAML"},
    {0, "\ta: 1", "r.yaml:1:1: this is no YAML"},
    {2, "name: b\xe9te", "r.yaml:2:9: this is no YAML"},
    {2, "name: \"\\e[31m\"", "r.yaml:2:7: name must be text of at most 31 characters, not \"?[31m\""},
    {2, "name: [[[[[[[[[[[[[[[[[", "r.yaml:2:22: nested deeper than 16 levels"},
    {99, "---\nname: box", "r.yaml:12:1: a second document begins here"},
    /* lists and kinds */
    {4, "  - {driver: dynamixel, device: /dev/a}", "r.yaml:4:5: bus: every bus needs a name"},
    {4, "  - {name: a, driver: dynamixle, device: /dev/a}", "r.yaml:4:23: driver: none is called \"dynamixle\"; the nearest is dynamixel"},
    {4, "  - {name: a, driver: dynamixel}", "r.yaml:4:5: bus a: device must be set: text of at most 255 characters"},
    {4, "  - {name: a, device: /dev/a}", "r.yaml:4:5: bus a: driver must be set: text of at most 31 characters"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a}\n  - {name: a, baud: 9600}", "r.yaml:5:5: bus: a stands twice in this list"},
    {6, "  - {id: 1}", "r.yaml:6:5: joints: every joint needs a name"},
    {6, "  - {name: arm, id: 1}", "r.yaml:6:5: joints: joint arm needs its bus"},
    {6, "  - {name: arm, bus: b, id: 1}", "r.yaml:6:22: bus: there is no \"b\"; the nearest is a"},
    {6, "  - " ARM ", device: {model: 1060, colour: red}}", "colour: no such key; the nearest is "},
    {6, "  - " ARM ", position_p: -1}", "position_p must be a whole number from 0 to 16383, not \"-1\""},
    {10, "task: {observation: [{joint: arm}]}", "r.yaml:10:22: observation: every slot needs a kind"},
    {10, "task: {observation: [{kind: positoin}]}", "r.yaml:10:29: observation: there is no slot \"positoin\"; the nearest is position"},
    {10, "task: {observation: [{kind: position, radius_m: 1}]}", "r.yaml:10:39: radius_m: no such key"},
    {10, "task: {observation: [{kind: position}, {kind: last_action}], reward: [{kind: efort, weight: 1}]}", "there is no term \"efort\"; the nearest is effort"},
    {10, "task: {observation: [{kind: position}, {kind: last_action}], reward: [{kind: effort}]}", "r.yaml:10:71: weight must be set: a number from -1000000 to 1000000"},
    {10, "task: {observation: [{kind: position}, {kind: last_action}], reward: {kind: effort}}", "task.reward: a list is wanted here"},
    {11, "policy: {kind: sacc, rate_hz: 20}", "r.yaml:11:16: policy.kind: no algorithm is called \"sacc\"; the nearest is sac"},
    {11, "policy: {rate_hz: 20}", "r.yaml:11:9: policy: needs its kind first"},
    {99, "sim: {kind: crowler}", "r.yaml:12:13: sim.kind: no body is called \"crowler\"; the nearest is crawler"},
    {99, "extra: [{n: 2}]", "r.yaml:12:9: extra: every sensor needs a name"},
    {99, "extra: [{name: light, n: 2}]", "r.yaml:1:1: extra light: no driver of this version has such a sensor: leave it out"},
    {99, "extra: [{name: light, n: 399}, {name: sound, n: 2}]", "extra: more than 400 numbers in all"},
    {99, "choices: [left, right]", "r.yaml:1:1: choices: no driver of this version has any: leave it out"},
    {99, "choices: left", "r.yaml:12:10: choices: a list of names is wanted here"},
    {99, "choices: [left, {a: b}]", "r.yaml:12:17: choices: a list of at most 64 names is wanted here"},
    {99, "choices: [left, left]", "r.yaml:12:17: choices: left stands twice in this list"},
    {10, "task: {observation: [{kind: position}, {kind: last_action}], end: [{kind: outside}]}", "end: there is no kind \"outside\"; the nearest is joint_outside"},
    {10, "task: {observation: [{kind: position}, {kind: last_action}], end: [{kind: extra_outside, extra: x}]}", "extra_outside names the sensor \"x\", which is not in the robot's list extra"},
    {10, "task: {observation: [{kind: position}, {kind: last_action}, {kind: extra}]}", "the slot \"extra\" observes nothing on this robot; leave it out"},
    /* what must be set */
    {1, "", "schema must be set: a whole number from 1 to 1"},
    {2, "", "r.yaml:1:1: name must be set: text of at most 31 characters"},
    {8, "control: {priority: 80}", "r.yaml:8:10: control.rate_hz must be set: a number from 1 to 10000"},
    {8, "", "control.rate_hz must be set: a number from 1 to 10000"},
    {9, "", "estop.hardware must be set: unset | none | power_sense | gpio"},
    {9, "estop: {hardware: unset}", "r.yaml:9:8: estop.hardware must be set: unset | none | power_sense | gpio"},
    {11, "policy: {kind: sac}", "r.yaml:11:9: policy.rate_hz must be set: a number from 0.1 to 10000"},
    {11, "", "policy.rate_hz must be set: a number from 0.1 to 10000"},
    {6, "  - {name: arm, bus: a, q_min_rad: -1}", "r.yaml:6:5: joint arm: id must be set: a whole number from 0 to 252"},
    {6, "  - {name: arm, bus: a, id: 1, q_min_rad: -1}", "r.yaml:6:5: joint arm: q_max_rad must be set: a number from -10000 to 10000"},
    {6, "  - {name: arm, bus: a, id: 1, q_min_rad: -1, q_max_rad: 1, qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1, temp_max_c: 70}",
     "r.yaml:6:5: joint arm: tau_stall_nm must be set: a number from 0.0001 to 10000"},
    /* what contradicts something else */
    {6, "  - " ARM ", sign: 0}", "r.yaml:6:5: joint arm: sign must be 1 or -1"},
    {7, "  - {name: wheel, bus: a, id: 1, actuated: false}", "r.yaml:7:5: joints arm and wheel have the same id 1 on one bus"},
    {6, "  - {name: arm, bus: a, id: 1, q_min_rad: 1, q_max_rad: 1, qd_max_rad_s: 5, qdd_max_rad_s2: 100, tau_max_nm: 1, tau_stall_nm: 1.4, temp_max_c: 70}",
     "joint arm: q_min_rad 1 is not below q_max_rad 1"},
    {11, "policy: {kind: sac, rate_hz: 30}", "r.yaml:11:9: control.rate_hz 100 is no whole multiple of policy.rate_hz 30"},
    {11, "policy: {kind: sac, rate_hz: 200}", "r.yaml:11:9: control.rate_hz 100 is no whole multiple of policy.rate_hz 200"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, write_phase_us: 2000}", "r.yaml:4:5: bus a: write_phase_us 2000 is before reply_deadline_us 3000"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, write_phase_us: 10000}", "bus a: write_phase_us 10000 does not fit the tick's 10000 us"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, baud: 57600}", "r.yaml:4:5: bus a: reply_deadline_us 3000 is too short: to ask 2 joints and hear them takes up to 35069 us at 57600 baud"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, baud: 57600, reply_deadline_us: 9000}", "takes up to 35069 us"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, write_phase_us: 9900}", "r.yaml:4:5: bus a: goals take up to 410 us at 1000000 baud: sent at write_phase_us 9900 they do not end in the tick's 10000 us"},
    {4, "  - {name: a, driver: feetech, device: /dev/a}", "r.yaml:4:5: bus a: feetech devices have no watchdog: if basald dies they hold their last goal"},
    {4, "  - {name: a, driver: feetech, device: /dev/a, accept_no_device_watchdog: true, watchdog_ms: 200}", "r.yaml:4:5: bus a: watchdog_ms 200: feetech devices have no watchdog; leave it out"},
    {4, "  - {name: a, driver: feetech, device: /dev/a, accept_no_device_watchdog: true, baud: 115200}", "reply_deadline_us 3000 is too short: to ask 2 joints and hear them takes up to 7985 us at 115200 baud"},
    {4, "  - {name: a, driver: feetek, device: /dev/a}", "r.yaml:4:23: driver: none is called \"feetek\"; the nearest is feetech"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, watchdog_ms: 20}", "bus a: watchdog_ms 20 is less than 3 periods of 10000 us"},
    {4, "  - {name: a, driver: dynamixel, device: /dev/a, order: pipelined, reply_deadline_us: 12000}", "bus a: reply_deadline_us 12000 does not fit the tick's 10000 us"},
    {9, "estop: {hardware: none}", "r.yaml:9:8: estop.drop_accepted must be true: responses.sensor_stale is limp: torque goes off"},
    {9, "estop: {hardware: gpio, drop_accepted: true}", "r.yaml:9:8: estop.hardware gpio is not available in this version"},
    {9, "estop: {hardware: power_sense, drop_accepted: true}", "r.yaml:9:8: estop.hardware power_sense needs estop.power_min_v above 0"},
    {10, "task: {reset: script, observation: [{kind: last_action}, {kind: position}]}", "r.yaml:10:7: task.reset_pose_rad has 0 numbers; it wants one for each of 2 joints"},
    {10, "task: {reset: script, reset_pose_rad: [9, 0], observation: [{kind: last_action}, {kind: position}]}", "joint arm: task.reset_pose_rad has it at 9 rad, outside its range"},
    {10, "task: {reset: hold, reset_pose_rad: [0, 0], observation: [{kind: last_action}, {kind: position}]}", "r.yaml:10:7: task.reset_pose_rad is where task.reset script goes: set that too"},
    {10, "task: {reset: none, reset_s: 1, observation: [{kind: last_action}, {kind: position}]}", "r.yaml:10:7: task.reset none takes no time: leave out task.reset_s, or use hold"},
    {10, "task: {reset: body, observation: [{kind: last_action}, {kind: position}]}", "r.yaml:10:7: task.reset body is for a simulated body without a bus"},
    {10, "task: {action: effort, observation: [{kind: last_action}, {kind: position}]}", "r.yaml:10:7: task.action effort is not available on a bus in this version; use position"},
    {10, "task: {eval_episodes: 5, observation: [{kind: last_action}, {kind: position}]}", "r.yaml:10:7: task.eval_episodes counts episodes that end: set task.episode_s"},
    {99, "comms: {weights: tcp://10.0.0.1:5}", "r.yaml:12:8: comms.weights must be own or ipc:///PATH"},
    {10, "task: {observation: [{kind: position, joint: leg}, {kind: last_action}]}", "r.yaml:10:7: task: position names joint \"leg\", which the robot does not have"},
    {10, "task: {observation: [{kind: position}]}", "r.yaml:10:7: task: with actuation ramp the last action belongs to the state"},
    {10, "task: {actuation: hold, observation: []}", "r.yaml:10:7: task: nothing is observed"},
    {99, "include: [[1]]", "include: a file name is wanted here"},
    {99, "include: /nowhere/at/all.yaml", "r.yaml:12:10: include: cannot read /nowhere/at/all.yaml: No such file or directory"},
};

/* clang-format on */

static void every_refusal_says_where_and_what(void **state)
{
    struct loaded *l = *state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[4096];
        with_line(rows[i].line, rows[i].text, text, sizeof text);
        load(l, text, NULL, 0);
        if (l->rc >= 0 || strstr(l->why, rows[i].why) == NULL ||
            strncmp(l->why, "r.yaml:", 7) != 0) {
            print_error("%s\n  said   %s\n  wanted %s\n", rows[i].text, l->why, rows[i].why);
            wrong++;
        }
        arena_close(&l->mem);
    }
    assert_int_equal(wrong, 0);
}

/* Without a bus a joint needs neither an id nor limits that a body keeps by itself, but a body. */
static void a_robot_without_a_bus_needs_a_body(void **state)
{
    struct loaded *l = *state;
    static const char text[] =
        "schema: 1\n"
        "name: rod\n"
        "joints: [{name: pole, q_min_rad: -1, q_max_rad: 1, tau_max_nm: 2}]\n"
        "control: {rate_hz: 20}\n"
        "estop: {hardware: none}\n"
        "task: {action: effort, actuation: hold, reset: body,\n"
        "       observation: [{kind: cos}, {kind: sin}]}\n"
        "policy: {kind: sac, rate_hz: 20}\n";
    static const char *const sim = "sim.kind=pendulum", *const ceiling = "joints.pole.tau_max_nm=3";
    const char *const both[] = {sim, ceiling};
    load(l, text, NULL, 0);
    assert_string_equal(l->why, "r.yaml:1:1: there is neither a bus nor a section sim: nothing to "
                                "drive");
    arena_close(&l->mem);
    load(l, text, &sim, 1);
    assert_string_equal(l->why, "");
    assert_true(l->config.robot.direct && l->config.task.settings.action == ACTION_EFFORT);
    const uint64_t robot_hash = l->config.robot_hash;
    static char dump[CONFIG_DUMP_MAX];
    assert_true(config_dump(&l->config, dump, CONFIG_DUMP_MAX) > 0);
    arena_close(&l->mem);
    load(l, dump, NULL, 0); /* what is written out is a robot file */
    assert_string_equal(l->why, "");
    assert_true(l->config.robot_hash == robot_hash);
    arena_close(&l->mem);
    load(l, text, both, 2); /* the same action would be another torque */
    assert_string_equal(l->why, "");
    assert_true(l->config.robot_hash != robot_hash);
    arena_close(&l->mem);
}

/* clang-format off */
static const struct refusal_row sets[] = {
    {0, "control.rate_hz=100x", "--set control.rate_hz=100x: rate_hz must be a number from 1 to 10000, not \"100x\""},
    {0, "control.rate_hz=30", "control.rate_hz 30 is no whole multiple of policy.rate_hz 20"},
    {0, "control.rate=1", "--set control.rate=1: rate: no such key; the nearest is "},
    {0, "contrl.rate_hz=1", "--set contrl.rate_hz=1: contrl: no such key; the nearest is control"},
    {0, "control.rate_hz.x=1", "rate_hz: a value is wanted here, not a map"},
    {0, "joints.amr.id=3", "--set joints.amr.id=3: joints: there is no \"amr\"; the nearest is arm"},
    {0, "bus.b.baud=9600", "--set bus.b.baud=9600: bus: there is no \"b\"; the nearest is a"},
    {0, "joints.arm.id=2", "joints arm and wheel have the same id 2 on one bus"},
    {0, "joints.arm.device.firmware=0", "--set joints.arm.device.firmware=0: firmware must be a whole number from 1 to 255, not \"0\""},
    {0, "joints.arm=3", "joints: a list is wanted here"},
    {0, "bus=7", "bus: a list is wanted here"},
    {0, "joints.arm.q_max_rad.deep=1", "q_max_rad: a value is wanted here, not a map"},
    {0, "policy.kind=nosuch", "--set policy.kind=nosuch: policy.kind: no algorithm is called \"nosuch\""},
    {0, "include=/etc/passwd", "include: only a file may include another"},
    {0, "policy.net_arch=[1, 2", "--set policy.net_arch=[1, 2: this is no YAML"},
    {0, "learner.normalize_until=1e12", "a whole number from 0 to 1000000000000, not"},
    {0, "joints.arm.q_min_rad=2", "--set joints.arm.q_min_rad=2: joint arm: q_min_rad 2 is not below q_max_rad 1"},
    {0, "control.rate_hz", "KEY=VALUE is wanted"},
    {0, "=1", "KEY=VALUE is wanted"},
    {0, ".=1", "KEY=VALUE is wanted"},
    {0, "a..b=1", "KEY=VALUE is wanted"},
    {0, "a.b.c.d.e.f.g=1", "KEY=VALUE is wanted"},
};

/* clang-format on */

static void set_goes_through_the_same_checks(void **state)
{
    struct loaded *l = *state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        load(l, good, &sets[i].text, 1);
        if (l->rc >= 0 || strstr(l->why, sets[i].why) == NULL) {
            print_error("--set %s\n  said   %s\n  wanted %s\n", sets[i].text, l->why, sets[i].why);
            wrong++;
        }
        arena_close(&l->mem);
    }
    assert_int_equal(wrong, 0);
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer, "name=", 5);
    const char *const set = longer;
    load(l, good, &set, 1);
    assert_int_equal(l->rc, -EINVAL);
    arena_close(&l->mem);
}

static void set_changes_what_it_names(void **state)
{
    struct loaded *l = *state;
    static const char *const changes[] = {
        "control.rate_hz=40",
        "joints.arm.q_max_rad=0.25",
        "joints.arm.device.firmware=44",
        "bus.a.device=/dev/it's: #1",
        "policy.net_arch=[32, 16]",
        "policy.kind=ddpg",
        "task.observation=[{kind: velocity}, {kind: last_action}]"};
    load(l, good, changes, 7);
    assert_string_equal(l->why, "");
    assert_true(l->config.robot.control_rate_hz == 40.0);
    assert_true(l->config.robot.joint[0].q_max == 0.25);
    assert_true(l->config.robot.joint[0].q_min == -1.0);
    assert_string_equal(l->config.robot.bus[0].device, "/dev/it's: #1");
    assert_string_equal(l->config.policy->name, "ddpg");
    assert_string_equal(l->config.task.slot[0].kind->name, "velocity");
    const struct option *arch = option_find(l->config.policy->options, "net_arch");
    char text[64];
    (void)option_get(arch, l->config.policy_config, text, sizeof text);
    assert_string_equal(text, "[32, 16]"); /* kept when the algorithm changes */
    arena_close(&l->mem);
}

static void another_algorithm_brings_its_own_defaults(void **state)
{
    struct loaded *l = *state;
    static const char *const changes[] = {"policy.kind=sac", "policy.tau=0.25", "policy.kind=svg"};
    load(l, good, changes, 3);
    assert_string_equal(l->why, "");
    for (const struct option *o = l->config.policy->options; o->key != NULL; o++) {
        const bool given = strcmp(o->key, "net_arch") == 0 || strcmp(o->key, "tau") == 0;
        char text[128];
        (void)option_get(o, l->config.policy_config, text, sizeof text);
        if (!given && o->type == OPTION_DOUBLE) {
            assert_true(strtod(text, NULL) == strtod(o->def, NULL));
        }
        if (strcmp(o->key, "tau") == 0) {
            assert_string_equal(text, "0.25");
        }
    }
    arena_close(&l->mem);
}

/* What was dumped loads again, to the same hash and the same dump. */
static void check_round_trip(struct loaded *l)
{
    char *first = malloc(CONFIG_DUMP_MAX), *second = malloc(CONFIG_DUMP_MAX);
    const uint64_t hash = l->config.hash, robot_hash = l->config.robot_hash;
    const int n = config_dump(&l->config, first, CONFIG_DUMP_MAX);
    assert_true(n > 0);
    arena_close(&l->mem);
    load(l, first, NULL, 0);
    assert_string_equal(l->why, "");
    assert_true(l->config.hash == hash && l->config.robot_hash == robot_hash);
    assert_int_equal(config_dump(&l->config, second, CONFIG_DUMP_MAX), n);
    assert_string_equal(first, second);
    assert_int_equal(config_dump(&l->config, second, n), -ENOSPC);
    arena_close(&l->mem);
    free(first);
    free(second);
}

static void a_dump_loads_to_the_same_hash(void **state)
{
    struct loaded *l = *state;
    static const char *const odd[] = {"name=it's: a \"box\" # 1", "joints.arm.q_max_rad=0.1",
                                      "joints.arm.gear=0.33333333333333331", "bus.a.device=~"};
    load(l, good, NULL, 0);
    check_round_trip(l);
    load(l, good, odd, 4);
    assert_string_equal(l->why, "");
    check_round_trip(l);
}

static void the_crawlers_file_is_good(void **state)
{
    struct loaded *l = *state;
    assert_int_equal(arena_open(&l->mem, "config", MEMORY), 0);
    l->rc = config_load(&l->config, CRAWLER, NULL, 0, &l->mem, l->why, sizeof l->why);
    assert_string_equal(l->why, "");
    assert_int_equal(l->config.robot.n_joints, 3);
    assert_true(l->config.best_known_speed_m_s > 0.0);
    check_round_trip(l);
}

/* An included file comes first; what follows changes it; messages name the right file. */
static void an_include_is_the_ground_to_build_on(void **state)
{
    struct loaded *l = *state;
    char path[] = "/tmp/config_testXXXXXX", text[256];
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, good, sizeof good - 1), (ssize_t)sizeof good - 1);
    (void)snprintf(text, sizeof text, "include: %s\nname: other\n", path);
    load(l, text, NULL, 0);
    assert_string_equal(l->why, "");
    assert_string_equal(l->config.robot.name, "other");
    assert_int_equal(l->config.robot.n_joints, 2);
    arena_close(&l->mem);

    (void)snprintf(text, sizeof text, "include: %s\njoints:\n  - {name: wheel, id: 1}\n", path);
    load(l, text, NULL, 0);
    assert_string_equal(l->why, "r.yaml:3:5: joints arm and wheel have the same id 1 on one bus");
    arena_close(&l->mem);

    static const char more[] = "learner: {gamma: 2}\n";
    assert_int_equal(write(fd, more, sizeof more - 1), (ssize_t)sizeof more - 1);
    (void)snprintf(text, sizeof text, "include: %s\n", path);
    load(l, text, NULL, 0);
    char want[128];
    (void)snprintf(want, sizeof want, "%s:12:18: gamma must be a number from 0 to 1, not \"2\"",
                   path);
    assert_string_equal(l->why, want);
    arena_close(&l->mem);

    (void)close(fd);
    (void)unlink(path);
}

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Two files on the same ground: what both include is read once, before the first of them, and takes
 * nothing back that it changed. */
static void a_file_is_included_once(void **state)
{
    struct loaded *l = *state;
    char folder[] = "/tmp/config_testXXXXXX", text[256], want[256];
    static const char *const names[] = {"ground.yaml", "bus.yaml", "task.yaml", "loop.yaml"};
    assert_non_null(mkdtemp(folder));
    put_file(folder, "ground.yaml", good);
    put_file(folder, "bus.yaml", "include: ground.yaml\nname: on_bus\nlearner: {gamma: 0.5}\n");
    put_file(folder, "task.yaml", "include: [ground.yaml]\nname: with_task\n");
    (void)snprintf(text, sizeof text, "include: [%s/bus.yaml, %s/task.yaml]\n", folder, folder);
    load(l, text, NULL, 0);
    assert_string_equal(l->why, "");
    assert_string_equal(l->config.robot.name, "with_task");
    assert_true(l->config.learner.gamma == 0.5);
    check_round_trip(l);

    put_file(folder, "task.yaml", "name: of_loop\ninclude: loop.yaml\n");
    put_file(folder, "loop.yaml", "include: [ground.yaml, task.yaml]\n");
    load(l, text, NULL, 0);
    (void)snprintf(want, sizeof want, "%s/loop.yaml:1:24: include: %s/task.yaml includes itself",
                   folder, folder);
    assert_string_equal(l->why, want);
    arena_close(&l->mem);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* --- the manual --- */

static int check_manual(const char *manual, const char *where, const struct option *table)
{
    int n = 0;
    for (const struct option *o = table; o != NULL && o->key != NULL; o++, n++) {
        char wanted[160], help[512], line[256];
        (void)option_wanted(o, wanted, sizeof wanted);
        (void)snprintf(help, sizeof help, "# %s; %s\n", o->help, wanted);
        (void)snprintf(line, sizeof line, " %s: %s\n", o->key,
                       o->def != NULL ? o->def : "        # must be set");
        const char *at = strstr(manual, help);
        if (at == NULL || strstr(at, line) == NULL) {
            fail_msg("%s.%s is not in the manual", where, o->key);
        }
        assert_true(o->help[0] != '\0' && o->help[strlen(o->help) - 1] != '.');
    }
    return n;
}

static void the_manual_lists_every_key(void **state)
{
    (void)state;
    char *manual = malloc(CONFIG_DUMP_MAX);
    assert_true(config_manual(manual, CONFIG_DUMP_MAX) > 0);
    int n = check_manual(manual, "bus", config_bus_options);
    n += check_manual(manual, "bus on CAN", config_can_options);
    n += check_manual(manual, "joints", config_joint_options);
    n += check_manual(manual, "extra", config_extra_options);
    n += check_manual(manual, "links", config_link_options);
    for (const struct section *s = config_sections; s->name != NULL; s++) {
        n += check_manual(manual, s->name, s->options);
    }
    for (int i = 0; bus_codec_info(i) != NULL; i++) {
        n += check_manual(manual, bus_codec_info(i)->name, bus_codec_info(i)->options);
    }
    for (int i = 0; devices[i] != NULL; i++) {
        n += check_manual(manual, devices[i]->name, devices[i]->options);
    }
    for (const struct slot_kind *k = slot_kinds; k->name != NULL; k++) {
        n += check_manual(manual, k->name, k->options);
    }
    for (const struct reward_kind *k = reward_kinds; k->name != NULL; k++) {
        n += check_manual(manual, k->name, k->options);
    }
    for (const struct end_kind *k = end_kinds; k->name != NULL; k++) {
        n += check_manual(manual, k->name, k->options);
    }
    for (int i = 0; policies[i] != NULL; i++) {
        n += check_manual(manual, policies[i]->name, policies[i]->options);
    }
    for (int i = 0; sims[i] != NULL; i++) {
        n += check_manual(manual, sims[i]->name, sims[i]->options);
    }
    assert_true(n > 120);
    assert_non_null(strstr(manual, "include: FILE"));
    free(manual);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_loaded, close_loaded)
    const struct CMUnitTest tests[] = {
        TEST(a_small_robot_is_accepted),
        TEST(a_direct_body_carries_itself),
        TEST(every_refusal_says_where_and_what),
        TEST(a_robot_without_a_bus_needs_a_body),
        TEST(set_goes_through_the_same_checks),
        TEST(set_changes_what_it_names),
        TEST(another_algorithm_brings_its_own_defaults),
        TEST(a_dump_loads_to_the_same_hash),
        TEST(the_crawlers_file_is_good),
        TEST(an_include_is_the_ground_to_build_on),
        TEST(a_file_is_included_once),
        TEST(the_manual_lists_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
