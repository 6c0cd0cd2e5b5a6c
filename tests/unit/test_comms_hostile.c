/*
 * Whatever comes to a socket, from whomever: it is counted and dropped, nobody else notices, and
 * the step ends. The loop is the test itself: what it pushes must not be lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/comms_fixture.h"

#include "daemon/base/rng.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define MESSAGES 2000
#define CROWD    150

static int raw_unix(const struct bench *b, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%.80s/%s", b->folder.path, name);
    assert_true(s >= 0 && connect(s, (const struct sockaddr *)&a, sizeof a) == 0);
    return s;
}

static int raw_tcp(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0 && connect(s, (const struct sockaddr *)&a, sizeof a) == 0);
    return s;
}

static void random_bytes(struct rng *rng, uint8_t *ret_bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ret_bytes[i] = (uint8_t)rng_u64(rng);
    }
}

static size_t below(struct rng *rng, size_t n)
{
    return (size_t)(rng_u64(rng) % n);
}

/* A question, or what damage, a cut or pure chance makes of one. */
static size_t damaged_command(struct rng *rng, uint8_t *ret_bytes, size_t cap)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.id = rng_u64(rng);
    q.verb = wire_text("status");
    q.seconds = 1.0;
    size_t n = basald__v1__command__pack(&q, ret_bytes);
    switch (below(rng, 3)) {
    case 0:
        n = below(rng, cap);
        random_bytes(rng, ret_bytes, n);
        break;
    case 1:
        n = below(rng, n);
        break;
    default:
        ret_bytes[below(rng, n)] ^= (uint8_t)(1u << below(rng, 8));
        break;
    }
    return n;
}

static int drain(void *s)
{
    static uint8_t frame[4][FRAME_BYTES];
    size_t n[4];
    int all = 0;
    while (receive(s, frame, n, 4) > 0) {
        all++;
    }
    return all;
}

/* Each message is answered or counted, none twice and none not at all. */
static void noise_is_answered_or_counted(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[300];
    struct rng rng;
    int answers = 0;
    rng_seed(&rng, 11);
    for (int i = 0; i < MESSAGES; i++) {
        for (size_t frames = below(&rng, 8) == 0 ? below(&rng, 4) : 0; frames > 0; frames--) {
            const size_t n = below(&rng, sizeof bytes);
            random_bytes(&rng, bytes, n);
            (void)zmq_send(b->client, bytes, n, ZMQ_SNDMORE);
        }
        const size_t n = damaged_command(&rng, bytes, sizeof bytes);
        (void)zmq_send(b->client, bytes, n, 0);
        if (i % 16 == 15) {
            pump(b);
            answers += drain(b->client);
        }
    }
    for (int quiet = 0; quiet < 20;) {
        pump(b);
        const int more = drain(b->client);
        answers += more;
        quiet = more > 0 ? 0 : quiet + 1;
    }
    assert_true(answers > 100);
    assert_int_equal(garbage(b) + (uint64_t)answers, MESSAGES);
    struct request q;
    assert_false(ring_pop(&b->house.shared->requests, &q)); /* nothing of it reached the loop */
    assert_int_equal(atomic_load(&b->house.shared->stop), 0);
}

/* Bytes that are no ZeroMQ, a greeting that ends in the middle, a silence, on every door. */
static void raw_bytes_harm_nobody(void **state)
{
    struct bench *b = *state;
    static const char *const doors[] = {"telemetry", "events", "weights", "command", "replay.sock"};
    static const uint8_t greeting[] = {0xFF, 0,    0, 0, 0,   0,   0,   0,
                                       1,    0x7F, 3, 0, 'N', 'U', 'L', 'L'};
    uint8_t bytes[4096];
    struct rng rng;
    int s[30];
    rng_seed(&rng, 12);
    void *sub = client_socket(b, ZMQ_SUB, "telemetry");
    join(b, sub, push_tick);
    for (int i = 0; i < 30; i++) {
        s[i] = raw_unix(b, doors[i % 5]);
        random_bytes(&rng, bytes, sizeof bytes);
        if (i % 3 > 0) {
            memcpy(bytes, greeting, sizeof greeting);
        }
        const size_t n = i % 3 == 2 ? sizeof greeting : sizeof bytes;
        (void)send(s[i], bytes, n, MSG_NOSIGNAL);
        pump(b);
    }
    for (int i = 0; i < 10; i++) {
        push_tick(b);
    }
    assert_int_equal(count_messages(b, sub, "basald/telemetry"), 10);
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->ok && r->status->telemetry_dropped == 0);
    free_reply(r);
    for (int i = 0; i < 30; i++) {
        (void)close(s[i]);
    }
    (void)zmq_close(sub);
}

/* Who subscribes and does not read loses its own messages, not those of others, and not time. */
static void a_sleeper_is_left_behind(void **state)
{
    struct bench *b = *state;
    const int one = 1, n = 5000;
    int got = 0;
    void *sleeper = zmq_socket(b->context, ZMQ_SUB);
    char endpoint[PATH_CHARS + 32];
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/telemetry", b->folder.path);
    (void)zmq_setsockopt(sleeper, ZMQ_RCVHWM, &one, sizeof one);
    (void)zmq_setsockopt(sleeper, ZMQ_SUBSCRIBE, "", 0);
    assert_int_equal(zmq_connect(sleeper, endpoint), 0);
    void *sub = client_socket(b, ZMQ_SUB, "telemetry");
    join(b, sub, push_tick);
    for (int i = 0; i < n; i++) {
        push_tick(b);
        if (i % 50 == 49) {
            pump(b);
            got += drain(sub);
        }
    }
    assert_int_equal(got + count_messages(b, sub, "basald/telemetry"), n);
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->status->telemetry_dropped == 0);
    free_reply(r);
    (void)zmq_close(sleeper);
    (void)zmq_close(sub);
}

/* Hundreds of connections, of both kinds, that come, stay and go. */
static void a_crowd_is_served(void **state)
{
    struct bench *b = *state;
    char set[64], endpoint[64];
    static void *sub[CROWD];
    static int raw[CROWD];
    static bool joined[CROWD];
    int n_joined = 0;
    const struct rlimit room = {4096, 4096};
    if (setrlimit(RLIMIT_NOFILE, &room) != 0) {
        skip();
    }
    const int port = free_port();
    (void)snprintf(set, sizeof set, "comms.telemetry=tcp://127.0.0.1:%d", port);
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    const char *const sets[] = {set};
    close_bench(b);
    open_bench(b, sets, 1);
    for (int i = 0; i < CROWD; i++) {
        sub[i] = client_socket(b, ZMQ_SUB, endpoint);
        raw[i] = i % 2 == 0 ? raw_tcp(port) : raw_unix(b, "command");
        (void)send(raw[i], "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
        pump(b);
    }
    for (int i = 0; i < PUMPS_MAX && n_joined < CROWD; i++) {
        push_tick(b);
        pump(b);
        for (int k = 0; k < CROWD; k++) {
            const int got = drain(sub[k]);
            n_joined += !joined[k] && got > 0;
            joined[k] = joined[k] || got > 0;
        }
    }
    assert_int_equal(n_joined, CROWD);
    for (int i = 0; i < CROWD; i++) {
        (void)zmq_close(sub[i]);
        (void)close(raw[i]);
        pump(b);
    }
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->ok);
    free_reply(r);
}

/* Who takes another's name gets none of his answers. */
static void a_forged_name_gets_nothing(void **state)
{
    struct bench *b = *state;
    char endpoint[PATH_CHARS + 32];
    void *client[2];
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/command", b->folder.path);
    for (int i = 0; i < 2; i++) {
        const int zero = 0;
        client[i] = zmq_socket(b->context, ZMQ_DEALER);
        (void)zmq_setsockopt(client[i], ZMQ_LINGER, &zero, sizeof zero);
        (void)zmq_setsockopt(client[i], ZMQ_ROUTING_ID, "operator", 8);
        assert_int_equal(zmq_connect(client[i], endpoint), 0);
        send_command(client[i], "hold", 70 + (uint64_t)i, NULL, 0, false);
        for (int k = 0; k < 20; k++) {
            pump(b);
        }
    }
    struct request q;
    assert_true(ring_pop(&b->house.shared->requests, &q)); /* of the first */
    const struct reply r = {.id = q.id, .refusal = REFUSED_NOT, .state = STATE_READY};
    assert_false(ring_pop(&b->house.shared->requests, &q));
    assert_true(ring_push(&b->house.shared->replies, &r));
    Basald__V1__Reply *reply = wait_reply(b, client[0]);
    assert_true(reply->ok && reply->id == 70);
    free_reply(reply);
    assert_int_equal(drain(client[1]), 0);
    (void)zmq_close(client[0]);
    (void)zmq_close(client[1]);
}

/* A ROUTER that speaks to ours, with names of any length before its message. */
static void a_router_is_a_client_like_others(void **state)
{
    struct bench *b = *state;
    char endpoint[PATH_CHARS + 32];
    uint8_t name[255];
    memset(name, 'n', sizeof name);
    void *router = zmq_socket(b->context, ZMQ_ROUTER);
    const int zero = 0, one = 1;
    (void)zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(router, ZMQ_ROUTING_ID, name, sizeof name); /* the longest there is */
    (void)zmq_setsockopt(router, ZMQ_CONNECT_ROUTING_ID, "daemon", 6);
    (void)zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/command", b->folder.path);
    assert_int_equal(zmq_connect(router, endpoint), 0);
    const uint64_t before = garbage(b);
    for (int i = 0; i < 8; i++) {
        (void)zmq_send(router, "daemon", 6, ZMQ_SNDMORE);
        (void)zmq_send(router, name, (size_t)(1 + 36 * i), ZMQ_SNDMORE); /* a name that is none */
        (void)zmq_send(router, name, 3, 0);
    }
    for (int i = 0; i < PUMPS_MAX && garbage(b) < before + 8; i++) {
    }
    assert_true(garbage(b) == before + 8);
    assert_int_equal(drain(router), 0);
    (void)zmq_close(router);
}

/* Those who ask for the replay and do not take it, or send instead of listening. */
static void the_replay_waits_for_nobody(void **state)
{
    struct bench *b = *state;
    int s[40];
    for (int i = 0; i < 40; i++) {
        s[i] = raw_unix(b, "replay.sock");
        (void)send(s[i], "give me all", 11, MSG_NOSIGNAL);
        pump(b);
    }
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->ok);
    free_reply(r);
    for (int i = 0; i < 40; i++) {
        (void)close(s[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(noise_is_answered_or_counted), TEST(raw_bytes_harm_nobody),
        TEST(a_sleeper_is_left_behind),     TEST(a_crowd_is_served),
        TEST(a_forged_name_gets_nothing),   TEST(a_router_is_a_client_like_others),
        TEST(the_replay_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
