/* What crosses a process boundary: round trips, sizes, and bytes that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "daemon/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX 4096

static struct robot *make_robot(int n)
{
    struct robot *r = calloc(1, sizeof *r);
    r->n_joints = n;
    for (int j = 0; j < n; j++) {
        memset(r->joint[j].name, 'a' + j % 26, sizeof r->joint[j].name - 1);
    }
    return r;
}

/* Every number is another one, and the largest that its field takes where size matters. */
static void fill(struct record *r, int n, bool largest)
{
    *r = (struct record){.tick = largest ? UINT64_MAX : 12345,
                         .state = STATE_RUNNING,
                         .source = 2,
                         .n = n,
                         .n_act = n < ACT_MAX ? n : ACT_MAX,
                         .trips = largest ? UINT32_MAX : 3,
                         .weights_version = largest ? UINT32_MAX : 77,
                         .step = largest ? -1 : 4000,
                         .episode = largest ? -1 : 40,
                         .reward = -1.5,
                         .episode_return = 2.25,
                         .way_m = 0.125,
                         .speed_m_s = 0.0625,
                         .wake_ns = 1500,
                         .last_byte_ns = 2500,
                         .overruns = largest ? UINT64_MAX : 9,
                         .coasted = largest ? UINT64_MAX : 8,
                         .crc_errors = largest ? UINT64_MAX : 7,
                         .bytes_tx = largest ? UINT64_MAX : 6,
                         .bytes_rx = largest ? UINT64_MAX : 5,
                         .reconnects = largest ? UINT64_MAX : 4};
    for (int j = 0; j < n; j++) {
        r->q[j] = 0.5f + (float)j;
        r->qd[j] = 0.25f + (float)j;
        r->tau[j] = 0.125f + (float)j;
        r->asked[j] = -0.5f - (float)j;
        r->applied[j] = -0.25f - (float)j;
        r->temp_c[j] = 20.0f + (float)j;
        r->volt_v[j] = 11.0f + (float)j;
        r->age_us[j] = largest ? -1 : 100 + j;
        r->faults[j] = largest ? UINT32_MAX : (uint32_t)j;
        r->torque[j] = (uint8_t)(j % 3);
        r->rule[j] = (uint8_t)(j % RULES_N);
        r->misses[j] = largest ? UINT64_MAX : (uint64_t)j;
    }
    for (int k = 0; k < r->n_act; k++) {
        r->act[k] = 0.1f * (float)k;
    }
    for (int i = 0; i < PHASES_N; i++) {
        r->phase_ns[i] = 1000 * (i + 1);
    }
}

static void telemetry_comes_back_as_it_went(void **state)
{
    (void)state;
    uint8_t bytes[WIRE_TELEMETRY_MAX];
    struct robot *robot = make_robot(3);
    struct record r;
    fill(&r, 3, false);
    const int n = wire_telemetry(&r, robot, 1234567890.125, bytes, sizeof bytes);
    assert_true(n > 0);
    Basald__V1__Telemetry *m = basald__v1__telemetry__unpack(NULL, (size_t)n, bytes);
    assert_non_null(m);
    assert_true(m->timestamp == 1234567890.125);
    assert_true(m->tick == r.tick && m->step == r.step && m->episode == r.episode);
    assert_string_equal(m->state, "running");
    assert_string_equal(m->source, "policy");
    assert_true(m->n_joint_name == 3 && m->n_position_rad == 3 && m->n_misses == 3 &&
                m->n_rule == 3 && m->n_torque == 3 && m->n_action == 3);
    for (int j = 0; j < 3; j++) {
        assert_string_equal(m->joint_name[j], robot->joint[j].name);
        assert_true(m->position_rad[j] == r.q[j] && m->velocity_rad_s[j] == r.qd[j] &&
                    m->effort_nm[j] == r.tau[j]);
        assert_true(m->goal_asked_rad[j] == r.asked[j] && m->goal_applied_rad[j] == r.applied[j]);
        assert_true(m->temperature_c[j] == r.temp_c[j] && m->voltage_v[j] == r.volt_v[j]);
        assert_true(m->age_us[j] == r.age_us[j] && m->faults[j] == r.faults[j] &&
                    m->torque[j] == r.torque[j] && m->misses[j] == r.misses[j]);
        assert_string_equal(m->rule[j], safety_rule_name((enum safety_rule)r.rule[j]));
        assert_true(m->action[j] == r.act[j]);
    }
    assert_true(m->wake_us == 1.5 && m->last_byte_us == 2.5);
    assert_true(m->read_us == 1.0 && m->observe_us == 2.0 && m->act_us == 3.0 &&
                m->safety_us == 4.0 && m->write_us == 5.0 && m->push_us == 6.0);
    assert_true(m->reward == r.reward && m->episode_return == r.episode_return &&
                m->way_m == r.way_m && m->speed_m_s == r.speed_m_s);
    assert_true(m->overruns == 9 && m->coasted == 8 && m->crc_errors == 7 && m->bytes_tx == 6 &&
                m->bytes_rx == 5 && m->reconnects == 4 && m->trips == 3 &&
                m->weights_version == 77);
    basald__v1__telemetry__free_unpacked(m, NULL);
    free(robot);
}

/* Each counter under its own name, and the load that the robot file has; a serial bus has none. */
static void a_can_bus_comes_back_as_it_went(void **state)
{
    (void)state;
    uint8_t bytes[WIRE_TELEMETRY_MAX];
    struct robot *robot = make_robot(3);
    struct record r;
    robot->n_buses = 2;
    robot->control_rate_hz = 400;
    robot->bus[0] = (struct bus_spec){.name = "servo", .driver = "dynamixel", .baud = 1000000};
    robot->bus[1] = (struct bus_spec){.name = "arm", .driver = "damiao", .bitrate = 1000000};
    for (int j = 0; j < 3; j++) {
        robot->joint[j].bus = 1;
    }
    fill(&r, 3, false);
    r.can[1] = (struct can_record){.frames_tx = 101,
                                   .frames_rx = 102,
                                   .dropped = 103,
                                   .errors = {.tx_errors = 17, .rx_errors = 18}};
    for (unsigned i = 0; i < CAN_TROUBLES; i++) {
        can_errors_add(&r.can[1].errors, 1u << i, i + 1);
    }
    const int n = wire_telemetry(&r, robot, 1.0, bytes, sizeof bytes);
    assert_true(n > 0);
    Basald__V1__Telemetry *m = basald__v1__telemetry__unpack(NULL, (size_t)n, bytes);
    assert_non_null(m);
    assert_int_equal(m->n_can_name, 1);
    assert_string_equal(m->can_name[0], "arm");
    assert_true(m->can_frames_tx[0] == 101 && m->can_frames_rx[0] == 102);
    assert_true(m->can_dropped[0] == 103 && m->can_tx_errors[0] == 17 && m->can_rx_errors[0] == 18);

    const struct {
        unsigned trouble;
        uint64_t n;
    } rows[] = {
        {CAN_TROUBLE_BUS_OFF, m->can_bus_off[0]}, {CAN_TROUBLE_NO_ACK, m->can_no_ack[0]},
        {CAN_TROUBLE_PASSIVE, m->can_passive[0]}, {CAN_TROUBLE_WARNING, m->can_warning[0]},
        {CAN_TROUBLE_RX_FULL, m->can_rx_full[0]}, {CAN_TROUBLE_TX_FULL, m->can_tx_full[0]},
        {CAN_TROUBLE_SIGNAL, m->can_damaged[0]},  {CAN_TROUBLE_RESTARTED, m->can_restarted[0]}};

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(1u << (rows[i].n - 1), rows[i].trouble);
    }
    /* six frames of 111 to 135 us, 400 times a second */
    assert_true(fabs(m->can_load_min_percent[0] - 26.64) < 1e-6);
    assert_true(fabs(m->can_load_max_percent[0] - 32.4) < 1e-6);
    basald__v1__telemetry__free_unpacked(m, NULL);
    free(robot);
}

/* A PUB frame must never be empty, and the largest robot must fit. */
static void telemetry_fits_at_both_ends(void **state)
{
    (void)state;
    uint8_t bytes[WIRE_TELEMETRY_MAX];
    struct robot *robot = make_robot(JOINTS_MAX);
    struct record r = {0};
    assert_true(wire_telemetry(&r, robot, 1.0, bytes, sizeof bytes) > 0);
    fill(&r, JOINTS_MAX, true);
    robot->n_buses = BUSES_MAX;
    robot->control_rate_hz = 1000;
    for (int i = 0; i < BUSES_MAX; i++) {
        robot->bus[i] = (struct bus_spec){
            .name = "a_bus_with_the_longest_of_names", .driver = "damiao", .bitrate = 1000000};
        memset(&r.can[i], 0xff, sizeof r.can[i]);
    }
    const int n = wire_telemetry(&r, robot, 1.7e9, bytes, sizeof bytes);
    assert_true(n > 0);
    assert_int_equal(wire_telemetry(&r, robot, 1.7e9, bytes, (size_t)n - 1), -ENOSPC);
    free(robot);
}

/* Plots cannot draw NaN; a robot without an odometer has no speed. */
static void a_speed_that_is_none_is_zero(void **state)
{
    (void)state;
    struct robot *robot = make_robot(1);
    struct record r = {.n = 1, .speed_m_s = (double)NAN};
    struct wire_scratch scratch;
    Basald__V1__Telemetry m;
    wire_fill(&r, robot, 1.0, &scratch, &m);
    assert_true(m.speed_m_s == 0.0);
    free(robot);
}

static void every_event_is_a_sentence(void **state)
{
    (void)state;
    struct robot *robot = make_robot(2);
    uint8_t bytes[WIRE_EVENT_MAX];
    for (int kind = -1; kind < HAPPENED_EVAL + 2; kind++) {
        for (int a = -1; a < 40; a += 3) {
            struct happened h = {.kind = (enum event_kind)kind, .a = a, .b = 40 - a, .x = 0.5};
            memset(h.text, 'x', sizeof h.text - 1);
            const int n = wire_event(&h, robot, 12.0, bytes, sizeof bytes);
            assert_true(n > 0);
            Basald__V1__Event *m = basald__v1__event__unpack(NULL, (size_t)n, bytes);
            assert_non_null(m);
            assert_true(m->timestamp == 12.0 && m->value == 0.5);
            assert_true(strlen(m->text) > 0 && strlen(m->kind) > 0);
            basald__v1__event__free_unpacked(m, NULL);
        }
    }
    char text[WHY_CHARS + 64];
    const struct happened refused = {
        .kind = HAPPENED_REFUSED, .a = REQUEST_RUN, .b = REFUSED_STATE, .c = STATE_LIMP};
    wire_sentence(&refused, robot, text, (int)sizeof text);
    assert_string_equal(text, "run is refused: torque is off: basalctl arm first");
    const struct happened ended = {.kind = HAPPENED_EPISODE, .a = 3, .b = 1, .x = 1.5, .y = 2.0};
    wire_sentence(&ended, robot, text, (int)sizeof text);
    assert_string_equal(text, "episode 3: return 1.50 in 2.0 s, a success");
    const struct happened moved = {.kind = HAPPENED_STATE, .a = STATE_LIMP, .b = STATE_ARMING};
    wire_sentence(&moved, robot, text, (int)sizeof text);
    assert_string_equal(text, "limp -> arming");
    free(robot);
}

/* Whatever was asked in whatever state: a sentence, and none that says only that it is refused. */
static void every_refusal_says_what_to_do(void **state)
{
    (void)state;
    for (int kind = REQUEST_ARM; kind <= REQUEST_EPISODE_BEGIN; kind++) {
        for (int to = 0; to <= STATES_N; to++) {
            for (int refusal = REFUSED_STATE; refusal <= REFUSED_LOST; refusal++) {
                const char *text = wire_refusal((enum request_kind)kind, (enum refusal)refusal,
                                                (enum fsm_state)to);
                assert_true(strlen(text) > 5 && strstr(text, "not possible") == NULL);
            }
        }
    }
    assert_string_equal(wire_refusal(REQUEST_RUN, REFUSED_NOT, STATE_READY), "");
    assert_non_null(
        strstr(wire_refusal(REQUEST_EVAL, REFUSED_STATE, STATE_FAULT), "clear and arm"));
}

static void a_block_comes_back_as_it_went(void **state)
{
    (void)state;
    uint8_t block[5000], bytes[sizeof block + WIRE_AROUND];
    struct rng rng;
    rng_seed(&rng, 4);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (uint8_t)rng_u64(&rng);
    }
    Basald__V1__Weights *m = NULL;
    const int64_t n = wire_weights(block, sizeof block, bytes, sizeof bytes);
    assert_true(n > (int64_t)sizeof block);
    assert_int_equal(wire_weights(block, sizeof block, bytes, (size_t)n - 1), -ENOSPC);
    assert_int_equal(wire_weights_open(bytes, (size_t)n, &m), 0);
    assert_int_equal(m->block.len, sizeof block);
    assert_memory_equal(m->block.data, block, sizeof block);
    wire_weights_free(m);
    m = NULL;
    for (size_t cut = 0; cut < (size_t)n; cut += 7) {
        assert_int_equal(wire_weights_open(bytes, cut, &m), -EBADMSG);
    }
    const uint8_t empty[] = {0x0A, 0x00}; /* field 1, no bytes */
    assert_int_equal(wire_weights_open(empty, sizeof empty, &m), -EBADMSG);
    assert_null(m);
}

static size_t pack(const Basald__V1__Command *c, uint8_t *ret_bytes)
{
    assert_true(basald__v1__command__get_packed_size(c) <= COMMAND_MAX);
    return basald__v1__command__pack(c, ret_bytes);
}

static void a_command_comes_back_as_it_went(void **state)
{
    (void)state;
    uint8_t bytes[COMMAND_MAX], block[] = {1, 2, 3};
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT, *c = NULL;
    q.id = 42;
    q.verb = wire_text("run");
    q.seconds = 1.5;
    q.reward = -2.0;
    q.no_explore = true;
    q.block.data = block;
    q.block.len = sizeof block;
    const size_t n = pack(&q, bytes);
    assert_int_equal(wire_command(bytes, n, n, &c), 0);
    assert_true(c->id == 42 && c->seconds == 1.5 && c->reward == -2.0 && c->no_explore &&
                !c->no_learn && !c->success && c->block.len == sizeof block);
    assert_string_equal(c->verb, "run");
    wire_command_free(c);
    c = NULL;
    assert_int_equal(wire_command(bytes, n, n - 1, &c), -EBADMSG);
    assert_int_equal(wire_command(bytes, 0, n, &c), -EBADMSG);
    assert_null(c);
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    static const double seconds[] = {(double)NAN, (double)INFINITY, (double)-INFINITY, -1.0,
                                     86401.0};
    static const double rewards[] = {(double)NAN, (double)INFINITY, (double)-INFINITY, 1.1e6,
                                     -1.1e6};
    uint8_t bytes[COMMAND_MAX];
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        Basald__V1__Command q = BASALD__V1__COMMAND__INIT, *c = NULL;
        q.seconds = seconds[i];
        assert_int_equal(wire_command(bytes, pack(&q, bytes), COMMAND_MAX, &c), -EBADMSG);
        q.seconds = 0.0;
        q.reward = rewards[i];
        assert_int_equal(wire_command(bytes, pack(&q, bytes), COMMAND_MAX, &c), -EBADMSG);
        assert_null(c);
    }
    char verb[WIRE_VERB_MAX + 2];
    memset(verb, 'v', sizeof verb);
    verb[sizeof verb - 1] = '\0';
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT, *c = NULL;
    q.verb = verb;
    assert_int_equal(wire_command(bytes, pack(&q, bytes), COMMAND_MAX, &c), -EBADMSG);
    assert_null(c);
}

/* Cut, flipped and random bytes: refused, or understood as numbers in range. Sanitizers watch. */
static void hostile_bytes_do_no_harm(void **state)
{
    (void)state;
    uint8_t good[COMMAND_MAX], bad[COMMAND_MAX];
    struct rng rng;
    rng_seed(&rng, 5);
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.id = UINT64_MAX;
    q.verb = wire_text("episode-end");
    q.reward = 3.0;
    q.success = true;
    const size_t n = pack(&q, good);
    int understood = 0, refused = 0;
    for (int i = 0; i < 20000; i++) {
        size_t m = n;
        memcpy(bad, good, n);
        if (i % 3 == 0) {
            m = (size_t)(rng_u64(&rng) % n);
        } else if (i % 3 == 1) {
            bad[rng_u64(&rng) % n] ^= (uint8_t)(1u << rng_u64(&rng) % 8);
        } else {
            m = 1 + (size_t)(rng_u64(&rng) % 64);
            for (size_t k = 0; k < m; k++) {
                bad[k] = (uint8_t)rng_u64(&rng);
            }
        }
        Basald__V1__Command *c = NULL;
        if (wire_command(bad, m, COMMAND_MAX, &c) == 0) {
            assert_true(isfinite(c->seconds) && c->seconds >= 0.0 && isfinite(c->reward));
            assert_true(strlen(c->verb) <= WIRE_VERB_MAX);
            wire_command_free(c);
            understood++;
        } else {
            assert_null(c);
            refused++;
        }
    }
    assert_true(understood > 100 && refused > 100);
}

/* What plot viewers trip over: formats of PlotJuggler's loader, and protoc-c on "optional". */
static void the_proto_file_stays_plain(void **state)
{
    (void)state;
    static const char *const never[] = {"\nimport ", " optional ", "map<", "oneof ",
                                        "\npackage basald;"};
    static char text[1 << 16];
    FILE *f = fopen(SOURCE_DIR "/proto/basald.proto", "re");
    assert_non_null(f);
    const size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    assert_true(n > 0 && n < sizeof text - 1);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        assert_null(strstr(text, never[i]));
    }
    const char *telemetry = strstr(text, "message Telemetry {");
    assert_non_null(telemetry);
    assert_non_null(strstr(text, "package basald.v1;"));
    assert_memory_equal(strchr(telemetry, '\n') + 1, "  double timestamp = 1;", 23);
    for (const char *end = strchr(telemetry, '}'), *at = strstr(telemetry, "  ");
         at != NULL && at < end;
         at = strstr(at + 2, "\n  ")) { /* flat: only scalars, so that every branch is a curve */
        const char *type = at + strspn(at, " \n");
        type += strncmp(type, "repeated ", 9) == 0 ? 9 : 0;
        assert_in_range(*type, 'a', 'z');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telemetry_comes_back_as_it_went),
        cmocka_unit_test(a_can_bus_comes_back_as_it_went),
        cmocka_unit_test(telemetry_fits_at_both_ends),
        cmocka_unit_test(a_speed_that_is_none_is_zero),
        cmocka_unit_test(every_event_is_a_sentence),
        cmocka_unit_test(every_refusal_says_what_to_do),
        cmocka_unit_test(a_block_comes_back_as_it_went),
        cmocka_unit_test(a_command_comes_back_as_it_went),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(hostile_bytes_do_no_harm),
        cmocka_unit_test(the_proto_file_stays_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
