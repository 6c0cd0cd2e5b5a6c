/* A CAN bus through the plant, in lockstep: goals that are answered, misses, what goes wrong on the
 * bus, and how much fits on it. */
#include "tests/unit/can_fixture.h"

#include "daemon/bus_load.h"

#define CLASSIC ""
#define FD      "    data_bitrate: 5000000\n"

static void open_can(struct rig *r, const char *bus_keys, const char *const *sets, int n_sets)
{
    char text[TEXT_MAX];
    const size_t n = can_robot("can0", bus_keys, text);
    rig_open_text(r, text, n, sets, n_sets);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct rig));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Nothing drives it, and yet each tick reads every joint. */
static void a_limp_robot_sees_its_pose(void **state)
{
    struct rig *r = *state;
    open_can(r, CLASSIC, NULL, 0);
    assert_int_equal(r->config.robot.bus[0].order, ORDER_PIPELINED);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    struct sensed truth;
    for (int i = 0; i < 50; i++) {
        const struct plant_counters before = *plant_counters(r->plant);
        rig_tick(r, PLANT_LISTEN, NULL);
        const struct plant_counters *c = plant_counters(r->plant);
        assert_int_equal(r->fresh & ALL_JOINTS, ALL_JOINTS);
        assert_true(plant_truth(r->plant, &truth));
        for (int j = 0; j < 3; j++) {
            assert_float_equal(r->sensed.q[j], truth.q[j], 1e-6);
            assert_int_equal(r->sensed.age_us[j], 0);
            assert_int_equal(r->sensed.torque[j], TORQUE_OFF);
        }
        /* one command and one answer each, 8 bytes */
        assert_int_equal(c->frames_tx[0] - before.frames_tx[0], 3);
        assert_int_equal(c->frames_rx[0] - before.frames_rx[0], 3);
        assert_int_equal(c->bytes_tx - before.bytes_tx, 24);
        assert_int_equal(c->bytes_rx - before.bytes_rx, 24);
    }
    assert_int_equal(rig_misses(r), 0);
    rig_close(r);
}

static void goals_go_first_and_are_answered(void **state)
{
    struct rig *r = *state;
    for (int fd = 0; fd < 2; fd++) {
        open_can(r, fd != 0 ? FD : CLASSIC, NULL, 0);
        rig_arm(r);
        struct command cmd = rig_hold(r);
        const double goal = 0.2;
        cmd.q[0] = goal;
        for (int i = 0; i < 200; i++) {
            rig_tick(r, PLANT_RUN, &cmd);
            assert_int_equal(r->fresh & ALL_JOINTS, ALL_JOINTS);
            /* all commands before any answer: 3 frames of at least 47 us */
            assert_in_range(plant_counters(r->plant)->last_byte_ns, 140 * NS_PER_US,
                            405 * NS_PER_US);
        }
        assert_float_equal(r->sensed.q[0], goal, 0.05);
        assert_int_equal(r->sensed.torque[0], TORQUE_ON);
        assert_int_equal(r->sensed.torque[2], TORQUE_OFF); /* measured only */
        assert_int_equal(rig_misses(r), 0);
        assert_true(plant_counters(r->plant)->read_phase_us_max <
                    (fd != 0 ? 6 * 56 + 40 : 6 * 135 + 40));
        rig_until(r, PLANT_STOP, EVENT_STOPPED);
        assert_true(plant_stopped(r->plant));
        rig_tick(r, PLANT_LISTEN, NULL);
        for (int j = 0; j < 3; j++) {
            assert_int_equal(r->sensed.torque[j], TORQUE_OFF);
        }
        rig_close(r);
    }
}

static void a_silent_motor_is_missed_alone(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"joints.hand.device.mute_at_s=1",
                                       "joints.hand.device.mute_s=0.5"};
    open_can(r, CLASSIC, sets, 2);
    rig_arm(r);
    while (r->t_ns < 990 * NS_PER_MS) {
        rig_tick(r, PLANT_RUN, NULL);
    }
    assert_int_equal(rig_misses(r), 0);
    int32_t oldest_us = 0;
    int lost = 0;
    while (r->t_ns < 1490 * NS_PER_MS) {
        rig_tick(r, PLANT_RUN, NULL);
        oldest_us = r->sensed.age_us[1] > oldest_us ? r->sensed.age_us[1] : oldest_us;
        lost += (r->sensed.faults[1] & FAULT_LOST) != 0;
        assert_int_equal(r->fresh & 5, 5);
        assert_int_equal(r->sensed.faults[0], 0);
    }
    const struct plant_counters *c = plant_counters(r->plant);
    assert_in_range(c->misses[1], 48, 50);
    assert_int_equal(c->misses[0] + c->misses[2], 0);
    assert_int_equal(lost, (int)c->misses[1] - r->config.robot.bus[0].misses_max);
    assert_int_equal(oldest_us, (int32_t)c->misses[1] * 10000);
    while (r->t_ns < 1600 * NS_PER_MS) {
        rig_tick(r, PLANT_RUN, NULL);
    }
    assert_int_equal(r->sensed.faults[1], 0);
    assert_int_equal(r->sensed.age_us[1], 0);
    rig_close(r);
}

/* Between two ticks, when nobody has asked. */
static void what_a_motor_says_unasked_is_heard(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"joints.arm.device.hot_at_s=1.005"};
    int hot = 0;
    open_can(r, CLASSIC, sets, 1);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    while (r->t_ns < 1100 * NS_PER_MS) {
        rig_tick(r, PLANT_LISTEN, NULL);
        const bool now = (r->sensed.faults[0] & FAULT_OVERHEAT) != 0;
        assert_true(!now || r->t_ns >= 1005 * NS_PER_MS);
        hot += now;
        assert_int_equal(r->sensed.faults[1] | r->sensed.faults[2], 0);
    }
    assert_true(hot > 0);
    assert_int_equal(rig_misses(r), 0);
    rig_close(r);
}

static void damaged_and_foreign_frames_are_counted(void **state)
{
    struct rig *r = *state;
    open_can(r, CLASSIC, NULL, 0);
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    struct bus_codec codec = bus_codec_find("double");
    struct robot_bus b = {.robot = &r->config.robot,
                          .spec = &r->config.robot.bus[0],
                          .n = 3,
                          .joint = {0, 1, 2},
                          .pending = 3};
    struct canfd_frame f[3] = {{.can_id = 0x300, .len = 8}, {.can_id = 0x101, .len = 8}};
    struct sensed s = {.n = 3};
    assert_int_equal(bus_decode(&codec, &b, (const uint8_t *)f, sizeof f, &s), CANFD_MTU);
    assert_int_equal(b.bad_replies, 1);
    assert_int_equal(bus_decode(&codec, &b, (const uint8_t *)&f[1], sizeof f[1], &s), CANFD_MTU);
    assert_int_equal(b.crc_errors, 1);
    assert_int_equal(bus_decode(&codec, &b, (const uint8_t *)f, CANFD_MTU - 1, &s), 0);
    rig_close(r);

    static const char *const sets[] = {"joints.arm.device.damaged=true"};
    open_can(r, CLASSIC, sets, 1);
    for (int i = 0; i < 100; i++) {
        rig_tick(r, PLANT_IDENTIFY, NULL);
        assert_int_equal(r->event == EVENT_IDENTIFIED, 0);
    }
    assert_non_null(strstr(plant_why(r->plant), "joint arm does not answer"));
    rig_close(r);
}

/* Replies that the adapter loses are misses, one for one; those that the bus damages come again. */
static void lost_replies_are_misses(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"faults.lost=0.05", "faults.corrupted=0.05",
                                       "faults.duplicated=0.02"};
    open_can(r, CLASSIC, sets, 3);
    for (int i = 0; i < 3000; i++) {
        rig_tick(r, PLANT_IDENTIFY, NULL);
    }
    uint64_t injected[WIRE_FAULTS];
    plant_injected(r->plant, injected);
    assert_true(injected[WIRE_LOST] > 300 && injected[WIRE_CORRUPTED] > 300);
    /* a few were of the set-up, which asks again */
    assert_in_range(rig_misses(r), injected[WIRE_LOST] - 10, injected[WIRE_LOST]);
    assert_true(plant_counters(r->plant)->bad_replies > 0); /* of those that came twice */
    rig_close(r);
}

static void until_gone(struct rig *r, const struct command *cmd)
{
    for (int i = 0; plant_ready(r->plant); i++) {
        assert_true(i < 500);
        rig_tick(r, PLANT_RUN, cmd);
    }
}

static void comes_back(struct rig *r)
{
    for (int j = 0; j < 3; j++) {
        assert_int_equal(r->sensed.torque[j], TORQUE_UNKNOWN);
        assert_true((r->sensed.faults[j] & FAULT_LOST) != 0);
    }
    rig_until(r, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    rig_tick(r, PLANT_IDENTIFY, NULL);
    assert_true(plant_ready(r->plant));
    for (int j = 0; j < 3; j++) {
        assert_int_equal(r->sensed.torque[j], TORQUE_OFF);
        assert_int_equal(r->sensed.faults[j], 0);
    }
    rig_until(r, PLANT_ARM, EVENT_ARMED);
    rig_tick(r, PLANT_RUN, NULL);
    assert_int_equal(r->fresh & ALL_JOINTS, ALL_JOINTS);
    assert_int_equal(r->sensed.torque[0], TORQUE_ON);
}

static void an_unplugged_adapter_comes_back_limp(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"faults.away_at_s=1", "faults.away_s=1"};
    open_can(r, CLASSIC, sets, 2);
    rig_arm(r);
    const struct command cmd = rig_hold(r);
    until_gone(r, &cmd);
    assert_in_range(r->t_ns, NS_PER_S, NS_PER_S + 3 * TICK_NS);
    assert_non_null(strstr(plant_why(r->plant), "bus servo: can0 is gone (unplugged?)"));
    comes_back(r);
    assert_int_equal(plant_counters(r->plant)->reconnects, 1);
    rig_close(r);
}

static void bus_off_is_named_and_comes_back_limp(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"faults.bus_off_at_s=1", "faults.bus_off_s=1"};
    open_can(r, CLASSIC, sets, 2);
    rig_arm(r);
    const struct command cmd = rig_hold(r);
    until_gone(r, &cmd);
    assert_in_range(r->t_ns, NS_PER_S, NS_PER_S + 3 * TICK_NS);
    assert_non_null(strstr(plant_why(r->plant), "bus servo: can0 has left the bus after too many "
                                                "errors (bus-off)"));
    assert_non_null(strstr(plant_why(r->plant), "torque of its joints is unknown"));
    uint64_t dropped;
    assert_int_equal(plant_can_errors(r->plant, 0, &dropped)->n[0], 1);
    comes_back(r);
    rig_close(r);
}

/* The same state goes on to the same readings: frames under way, motors and counters are in it. */
static void a_checkpoint_holds_the_bus(void **state)
{
    struct rig *r = *state;
    static const char *const sets[] = {"faults.lost=0.1", "faults.late=0.1"};
    open_can(r, CLASSIC, sets, 2);
    rig_arm(r);
    struct command cmd = rig_hold(r);
    cmd.q[0] += 0.1;
    for (int i = 0; i < 20; i++) {
        rig_tick(r, PLANT_RUN, &cmd);
    }
    void *kept = calloc(1, plant_state_bytes(r->plant));
    assert_non_null(kept);
    plant_save(r->plant, kept);
    const int64_t t_ns = r->t_ns;
    double q[2][50];
    uint64_t fresh[2][50];
    for (int life = 0; life < 2; life++) {
        for (int i = 0; i < 50; i++) {
            rig_tick(r, PLANT_RUN, &cmd);
            q[life][i] = r->sensed.q[0];
            fresh[life][i] = r->fresh;
        }
        plant_restore(r->plant, kept);
        r->t_ns = t_ns;
    }
    assert_memory_equal(q[0], q[1], sizeof q[0]);
    assert_memory_equal(fresh[0], fresh[1], sizeof fresh[0]);
    free(kept);
    rig_close(r);
}

/* --- how much fits --- */

/* Six joints that answer a command each. The body has only three; only the file is checked. */
static int load_six(const char *bus_keys, const char *const *sets, int n_sets,
                    struct config *ret_config, char *ret_why, int cap)
{
    char text[TEXT_MAX], file[TEXT_MAX];
    struct arena mem;
    size_t n = can_robot("can0", bus_keys, text), at = 0;
    const char *control = strstr(text, "\ncontrol:");
    assert_non_null(control);
    at = (size_t)snprintf(file, sizeof file, "%.*s\n", (int)(control - text), text);
    for (int j = 3; j < 6; j++) {
        at += (size_t)snprintf(file + at, sizeof file - at,
                               "  - {name: more%d, bus: servo, id: %d, actuated: false, "
                               "temp_max_c: 70}\n",
                               j, j + 1);
    }
    (void)snprintf(file + at, sizeof file - at, "%s", control + 1);
    (void)n;
    assert_int_equal(arena_open(&mem, "six", MEMORY), 0);
    const struct config_text from = {.text = file, .n = strlen(file), .name = "six.yaml"};
    const int rc = config_load_text(ret_config, &from, sets, n_sets, &mem, ret_why, cap);
    arena_close(&mem);
    return rc;
}

static void a_bus_is_not_filled_beyond_its_load(void **state)
{
    (void)state;

    static const struct {
        const char *keys;
        const char *sets[4];
        const char *says; /* NULL: accepted ... */
        double min_frac, max_frac;
    } rows[] = {
        {CLASSIC,
         {"control.rate_hz=1000", "bus.servo.reply_deadline_us=900", "policy.rate_hz=20"},
         "bus servo: 12 frames a tick at 1000 Hz take 133 to 162 % of 1000000 bit/s, more than 70 "
         "%: use a rate_hz of at most 432, CAN FD (data_bitrate), or a second bus",
         0,
         0},
        {CLASSIC,
         {"control.rate_hz=400", "bus.servo.reply_deadline_us=2000", "policy.rate_hz=20"},
         NULL,
         0.5328,
         0.648},
        {FD,
         {"control.rate_hz=1000", "bus.servo.reply_deadline_us=900", "policy.rate_hz=20"},
         NULL,
         0.5808,
         0.6696},
        {CLASSIC,
         {"control.rate_hz=400", "bus.servo.reply_deadline_us=1500", "policy.rate_hz=20"},
         "bus servo: reply_deadline_us 1500 is too short: 12 frames and the last answer take up "
         "to 1650 us",
         0,
         0},
        {"    bitrate: 500000\n",
         {"control.rate_hz=400", "bus.servo.reply_deadline_us=2000", "policy.rate_hz=20"},
         "take 107 to 130 % of 500000 bit/s",
         0,
         0},
    };

    struct config *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char reason[WHY_CHARS] = "";
        const int rc = load_six(rows[i].keys, rows[i].sets, 3, c, reason, sizeof reason);
        assert_int_equal(rc < 0, rows[i].says != NULL);
        if (rows[i].says != NULL) {
            if (strstr(reason, rows[i].says) == NULL) {
                fail_msg("%s", reason);
            }
            continue;
        }
        struct bus_budget b;
        char text[160];
        bus_budget(&c->robot, 0, &b);
        assert_int_equal(b.frames, 12);
        assert_float_equal(b.load_min_frac, rows[i].min_frac, 1e-6);
        assert_float_equal(b.load_max_frac, rows[i].max_frac, 1e-6);
        assert_true(bus_budget_text(&c->robot, 0, &b, text, sizeof text) > 0);
    }
    free(c);
}

static void what_a_can_bus_cannot_be_is_refused(void **state)
{
    (void)state;

    static const struct {
        const char *keys;
        const char *set;
        const char *says;
    } rows[] = {
        {"    order: same_tick\n", "control.rate_hz=100", "order same_tick is not for CAN"},
        {"    data_bitrate: 500000\n", "control.rate_hz=100", "is less than bitrate 1000000"},
        {FD, "bus.servo.device=/dev/ttyACM0", "speaks classic CAN only"},
        {"    bitrate: 400000\n", "bus.servo.device=/dev/ttyACM0", "cannot do bitrate 400000"},
        {CLASSIC, "bus.servo.device=an_interface_too_long", "neither an interface's name"},
        {CLASSIC, "bus.servo.data_bitrat=1", "data_bitrate"},
        {CLASSIC, "safety.latency_s=0.001", "in the pipelined order"},
    };

    struct config *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char reason[WHY_CHARS] = "";
        assert_true(load_six(rows[i].keys, &rows[i].set, 1, c, reason, sizeof reason) < 0);
        assert_non_null(strstr(reason, rows[i].says));
    }
    free(c);
}

/* A serial bus has no such keys. */
static void its_keys_are_its_own(void **state)
{
    struct config *c = calloc(1, sizeof *c);
    char *text = calloc(1, CONFIG_DUMP_MAX);
    struct arena mem;
    char reason[WHY_CHARS] = "";
    static const char *const set[] = {"bus.servo.bitrate=500000"};
    (void)state;
    assert_non_null(c);
    assert_non_null(text);
    assert_int_equal(arena_open(&mem, "keys", MEMORY), 0);
    assert_true(config_load(c, SOURCE_DIR "/deploy/robots/crawler.yaml", set, 1, &mem, reason,
                            sizeof reason) < 0);
    arena_close(&mem);
    char robot[TEXT_MAX];
    struct rig *r = calloc(1, sizeof *r);
    const size_t n = can_robot("can0", FD, robot);
    rig_open_text(r, robot, n, set, 1);
    assert_int_equal(r->config.robot.bus[0].bitrate, 500000);
    assert_int_equal(r->config.robot.bus[0].data_bitrate, 5000000);
    assert_true(config_dump(&r->config, text, CONFIG_DUMP_MAX) > 0);
    assert_non_null(strstr(text, "    bitrate: 500000\n    data_bitrate: 5000000\n"));
    rig_close(r);
    free(r);
    free(text);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_limp_robot_sees_its_pose, setup, teardown),
        cmocka_unit_test_setup_teardown(goals_go_first_and_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_motor_is_missed_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_motor_says_unasked_is_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_and_foreign_frames_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_replies_are_misses, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unplugged_adapter_comes_back_limp, setup, teardown),
        cmocka_unit_test_setup_teardown(bus_off_is_named_and_comes_back_limp, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_holds_the_bus, setup, teardown),
        cmocka_unit_test(a_bus_is_not_filled_beyond_its_load),
        cmocka_unit_test(what_a_can_bus_cannot_be_is_refused),
        cmocka_unit_test(its_keys_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
