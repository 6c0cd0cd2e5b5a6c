/* What goes out, and what people ask, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/runfiles.h"
#include "tests/unit/comms_fixture.h"

#include <jansson.h>

/* --- what is published --- */

static void telemetry_is_two_frames(void **state)
{
    struct bench *b = *state;
    uint8_t frame[4][FRAME_BYTES];
    size_t n[4];
    struct timespec now;
    void *sub = client_socket(b, ZMQ_SUB, "telemetry");
    join(b, sub, push_tick);
    const uint64_t tick = b->tick;
    b->t_ns = clock_now_ns(&(const struct clock){0});
    push_tick(b);
    int got = 0;
    for (int i = 0; i < PUMPS_MAX && got == 0; i++) {
        pump(b);
        got = receive(sub, frame, n, 4);
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    assert_int_equal(got, 2);
    assert_int_equal(n[0], 16);
    assert_memory_equal(frame[0], "basald/telemetry", 16);
    Basald__V1__Telemetry *m = basald__v1__telemetry__unpack(NULL, n[1], frame[1]);
    assert_non_null(m);
    assert_true(m->tick == tick);
    assert_true(m->position_rad[0] == 0.5f && m->position_rad[1] == -1.25f);
    assert_string_equal(m->joint_name[2], "odometer");
    assert_true(fabs(m->timestamp - (double)now.tv_sec) < 120.0);
    basald__v1__telemetry__free_unpacked(m, NULL);
    (void)zmq_close(sub);
}

/* Viewers know one type only: nothing else may ever come over TCP, whatever happens meanwhile. */
static void tcp_carries_telemetry_and_nothing_else(void **state)
{
    struct bench *b = *state;
    char set[64], endpoint[64];
    const int port = free_port();
    (void)snprintf(set, sizeof set, "comms.telemetry=tcp://127.0.0.1:%d", port);
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    const char *const sets[] = {set};
    close_bench(b);
    open_bench(b, sets, 1);
    void *sub = client_socket(b, ZMQ_SUB, endpoint);
    join(b, sub, push_tick);
    for (int i = 0; i < 5; i++) {
        push_tick(b);
        push_event(b);
        learner_publish(&b->house.learner);
        pump(b);
    }
    assert_int_equal(count_messages(b, sub, "basald/telemetry"), 5);
    (void)zmq_close(sub);
}

static void telemetry_hz_holds_on_average(void **state)
{
    struct bench *b = *state;
    static const char *const sets[] = {"comms.telemetry=off", "comms.telemetry_hz=30"};
    close_bench(b);
    open_bench(b, sets, 2);
    void *sub = client_socket(b, ZMQ_SUB, "telemetry");
    join(b, sub, push_tick);
    for (int i = 0; i < 1000; i++) { /* ten seconds of a 100 Hz loop */
        push_tick(b);
        if (i % 100 == 0) {
            pump(b);
        }
    }
    assert_in_range(count_messages(b, sub, "basald/telemetry"), 299, 301);
    (void)zmq_close(sub);
}

static void events_are_sentences(void **state)
{
    struct bench *b = *state;
    uint8_t frame[4][FRAME_BYTES];
    size_t n[4];
    int got = 0;
    void *sub = client_socket(b, ZMQ_SUB, "events");
    join(b, sub, push_event);
    push_event(b);
    for (int i = 0; i < PUMPS_MAX && got == 0; i++) {
        pump(b);
        got = receive(sub, frame, n, 4);
    }
    assert_int_equal(got, 2);
    assert_memory_equal(frame[0], "basald/event", n[0]);
    Basald__V1__Event *m = basald__v1__event__unpack(NULL, n[1], frame[1]);
    assert_non_null(m);
    assert_string_equal(m->kind, "episode");
    assert_string_equal(m->text, "episode 7: return 1.50 in 10.0 s");
    basald__v1__event__free_unpacked(m, NULL);
    (void)zmq_close(sub);
}

static json_t *next_line(FILE *f)
{
    char line[4096];
    assert_non_null(fgets(line, (int)sizeof line, f));
    json_t *o = json_loads(line, 0, NULL);
    assert_non_null(o);
    return o;
}

/* The learning curve of a run in real time: loop -> comms -> main -> metrics.jsonl. */
static void episodes_reach_the_metrics(void **state)
{
    struct bench *b = *state;
    struct runfiles files;
    char path[PATH_CHARS + 32];
    static const double returns[3][2] = {{1.0, 3.0}, {(double)NAN, (double)NAN}, {-8.0, 4.0}};
    assert_int_equal(runfiles_open(&files, &b->house, b->folder.path, b->why, (int)sizeof b->why),
                     0);
    for (int line = 0; line < 3; line++) {
        atomic_store(&b->house.shared->steps, (uint64_t)(20 * (line + 1)));
        for (int i = 0; i < 2 && isfinite(returns[line][i]); i++) {
            const struct happened h = {
                .kind = HAPPENED_EPISODE, .a = i, .b = i, .x = returns[line][i]};
            assert_true(ring_push(&b->house.shared->happened, &h));
        }
        pump(b);
        runfiles_interval(&files, &b->house, comms_rollout(b->comms));
        runfiles_interval(&files, &b->house, NULL); /* the same step: no other line */
    }
    runfiles_close(&files);
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", b->folder.path);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    for (int line = 0; line < 3; line++) {
        json_t *o = next_line(f);
        json_t *mean = json_object_get(o, "rollout/ep_rew_mean");
        assert_int_equal(json_integer_value(json_object_get(o, "time/total_timesteps")),
                         20 * (line + 1));
        assert_int_equal(mean == NULL, line == 1); /* no episode ended: nothing is made up */
        assert_true(mean == NULL ||
                    json_number_value(mean) == 0.5 * (returns[line][0] + returns[line][1]));
        json_decref(o);
    }
    assert_int_equal(fgetc(f), EOF);
    (void)fclose(f);
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->status->successes == 2 && r->status->n_episode_return == 4);
    free_reply(r);
}

/* --- commands --- */

/* Every phase of the tick and the last byte out, each from its own histogram. */
static void status_says_where_a_tick_goes(void **state)
{
    static const char *const names[] = {"read",  "observe", "act",      "safety",
                                        "write", "push",    "last_byte"};
    static const int hist[] = {PHASE_READ,  PHASE_OBSERVE, PHASE_ACT,     PHASE_SAFETY,
                               PHASE_WRITE, PHASE_PUSH,    HIST_LAST_BYTE};
    struct bench *b = *state;
    for (int i = 0; i < 7; i++) {
        for (int n = 0; n < 98; n++) {
            hist_add(&b->house.loop.hist[hist[i]], (i + 1) * 10 * NS_PER_US);
        }
        hist_add(&b->house.loop.hist[hist[i]], (i + 1) * 100 * NS_PER_US);
        hist_add(&b->house.loop.hist[hist[i]], (i + 1) * 1000 * NS_PER_US);
    }
    Basald__V1__Reply *r = ask(b, "status");
    const Basald__V1__Status *s = r->status;
    assert_int_equal(s->n_phase_name, 7);
    assert_true(s->n_phase_p50_us == 7 && s->n_phase_p99_us == 7 && s->n_phase_max_us == 7);
    for (int i = 0; i < 7; i++) {
        assert_string_equal(s->phase_name[i], names[i]);
        assert_true(fabs(s->phase_p50_us[i] / ((i + 1) * 10.0) - 1.0) < 0.03);
        assert_true(fabs(s->phase_p99_us[i] / ((i + 1) * 100.0) - 1.0) < 0.03);
        assert_true(s->phase_max_us[i] == (i + 1) * 1000.0);
    }
    free_reply(r);
}

static void status_says_what_is_known(void **state)
{
    struct bench *b = *state;
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->ok && r->status != NULL);
    assert_string_equal(r->state, "boot"); /* no tick yet */
    free_reply(r);
    for (int i = 0; i < 300; i++) {
        push_tick(b);
        if (i == 150) {
            pump(b);
            atomic_fetch_add(&b->house.shared->learner.updates, 160);
        }
    }
    push_event(b);
    pump(b);
    pump(b);
    comms_note_checkpoint(b->comms, "/somewhere/ckpt-1");
    r = ask(b, "status");
    const Basald__V1__Status *s = r->status;
    assert_string_equal(s->state, "ready");
    assert_string_equal(s->robot, "crawler");
    assert_string_equal(s->algo, "sac");
    assert_true(s->has_odometer);
    assert_string_equal(s->checkpoint, "/somewhere/ckpt-1");
    assert_true(s->last->tick == 299 && s->plant_ready && s->n_episode_return == 1 &&
                s->episode_return[0] == 1.5);
    assert_true(fabs(s->loop_rate_hz - 100.0) < 1e-6);
    assert_true(s->updates == 160 && fabs(s->updates_per_s - 160.0) < 1e-6);
    assert_true(s->telemetry_dropped == 0 && s->garbage == 0);
    free_reply(r);
}

static void an_answer_finds_who_asked(void **state)
{
    struct bench *b = *state;
    void *other = client_socket(b, ZMQ_DEALER, "command");
    send_command(b->client, "arm", 5, NULL, 0, false);
    assert_int_equal(answer_request(b, REFUSED_PLANT).kind, REQUEST_ARM);
    send_command(other, "hold", 6, NULL, 0, false);
    assert_int_equal(answer_request(b, REFUSED_NOT).kind, REQUEST_HOLD);
    Basald__V1__Reply *r = wait_reply(b, other);
    assert_true(r->id == 6 && r->ok);
    assert_string_equal(r->state, "running");
    free_reply(r);
    r = wait_reply(b, b->client);
    assert_true(r->id == 5 && !r->ok);
    assert_string_equal(r->why, "the devices are not there");
    free_reply(r);
    (void)zmq_close(other);
}

/* As people write it in Python: REQ puts an empty frame before the body and wants it back. */
static void a_req_socket_is_understood(void **state)
{
    struct bench *b = *state;
    void *req = client_socket(b, ZMQ_REQ, "command");
    send_command(req, "status", 11, NULL, 0, false);
    Basald__V1__Reply *r = wait_reply(b, req);
    assert_true(r->id == 11 && r->ok && r->status != NULL);
    free_reply(r);
    (void)zmq_close(req);
}

/* Nobody ticks here: the bits must be there all the same. */
static void stop_waits_for_nobody(void **state)
{
    struct bench *b = *state;
    Basald__V1__Reply *r = ask(b, "stop");
    assert_true(r->ok);
    free_reply(r);
    assert_int_equal(atomic_load(&b->house.shared->stop), STOP_ASKED);
    r = ask(b, "estop");
    assert_true(r->ok);
    free_reply(r);
    assert_int_equal(atomic_load(&b->house.shared->stop), STOP_ASKED | STOP_ESTOP);
}

static void a_silent_loop_is_said(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 40; i++) { /* more than it keeps */
        send_command(b->client, "arm", 1000 + (uint64_t)i, NULL, 0, false);
    }
    for (int i = 0; i < 40; i++) {
        Basald__V1__Reply *r = wait_reply(b, b->client);
        assert_false(r->ok);
        assert_non_null(strstr(r->why, i < 24 ? "too many" : "does not answer"));
        free_reply(r);
    }
}

/* The time at which it was sent goes with it: it may have waited in the socket. */
static void a_request_says_how_old_it_is(void **state)
{
    struct bench *b = *state;
    const int64_t before_ns = clock_now_ns(&(const struct clock){0});
    send_command(b->client, "arm", 7, NULL, 0, false);
    assert_true(answer_request(b, REFUSED_NOT).asked_ns >= before_ns);
    free_reply(wait_reply(b, b->client));
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    uint8_t bytes[64];
    q.id = 8;
    q.verb = wire_text("run");
    q.sent_monotonic_ns = 12345;
    const size_t n = basald__v1__command__pack(&q, bytes);
    (void)zmq_send(b->client, bytes, n, 0);
    assert_int_equal(answer_request(b, REFUSED_NOT).asked_ns, 12345);
    free_reply(wait_reply(b, b->client));
}

static void an_unknown_verb_is_said(void **state)
{
    struct bench *b = *state;
    Basald__V1__Reply *r = ask(b, "dance");
    assert_false(r->ok);
    assert_non_null(strstr(r->why, "does not know"));
    free_reply(r);
}

static void garbage_is_counted_and_dropped(void **state)
{
    struct bench *b = *state;
    static const uint8_t noise[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    assert_true(garbage(b) == 0);
    (void)zmq_send(b->client, noise, sizeof noise, 0);
    assert_true(garbage(b) == 1);
    (void)zmq_send(b->client, "", 0, 0); /* an empty body */
    assert_true(garbage(b) == 2);
    for (int frames = 3; frames < 100; frames += 48) {
        for (int i = 1; i < frames; i++) {
            (void)zmq_send(b->client, noise, 1, ZMQ_SNDMORE);
        }
        (void)zmq_send(b->client, noise, 1, 0);
    }
    assert_true(garbage(b) == 5); /* one for each message, however many frames */
}

/* Larger than a command can be: the connection is cut before the memory is taken. */
static void the_oversized_is_cut_off(void **state)
{
    struct bench *b = *state;
    const size_t n = (size_t)8 << 20;
    uint8_t *bytes = memset(take(n), 0, n);
    void *bully = client_socket(b, ZMQ_DEALER, "command");
    (void)zmq_send(bully, bytes, n, 0);
    for (int i = 0; i < 50; i++) {
        pump(b);
    }
    assert_true(garbage(b) == 0);
    (void)zmq_close(bully);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(telemetry_is_two_frames),       TEST(tcp_carries_telemetry_and_nothing_else),
        TEST(telemetry_hz_holds_on_average), TEST(events_are_sentences),
        TEST(status_says_where_a_tick_goes), TEST(episodes_reach_the_metrics),
        TEST(status_says_what_is_known),     TEST(an_answer_finds_who_asked),
        TEST(a_request_says_how_old_it_is),  TEST(a_req_socket_is_understood),
        TEST(stop_waits_for_nobody),         TEST(a_silent_loop_is_said),
        TEST(an_unknown_verb_is_said),       TEST(garbage_is_counted_and_dropped),
        TEST(the_oversized_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
