/*
 * The comms thread's step over real sockets, in a folder of its own. The loop is played by the
 * test: it feeds the rings and answers them.
 */
#pragma once

#include "daemon/comms.h"
#include "daemon/house.h"
#include "daemon/wire.h"
#include "tests/unit/folder_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define PUMPS_MAX   4000 /* of a few ms: only a failure waits so long */
#define FRAME_BYTES 2048
#define TICK_NS     (10 * NS_PER_MS)

static inline void *take(size_t n)
{
    void *p = malloc(n);
    if (p == NULL) {
        abort();
    }
    return p;
}

struct bench {
    struct folder folder;
    struct house house;
    struct arena mem;
    struct comms *comms;
    void *context; /* of the clients */
    void *client;  /* DEALER on command */
    uint64_t tick;
    int64_t t_ns;
    char why[WHY_CHARS];
};

static inline void open_bench(struct bench *b, const char *const *sets, int n_sets)
{
    const struct house_spec spec = {.config_path = SOURCE_DIR "/deploy/robots/crawler.yaml",
                                    .sets = sets,
                                    .n_sets = n_sets,
                                    .kind = PLANT_EMULATED,
                                    .virtual_clock = true,
                                    .seed = 1,
                                    .replay_fd = -1};
    assert_int_equal(house_open(&b->house, &spec, b->why, sizeof b->why), 0);
    assert_int_equal(arena_open(&b->mem, "comms", (size_t)64 << 20), 0);
    const struct comms_spec comms = {.config = &b->house.config,
                                     .shared = b->house.shared,
                                     .intake = &b->house.intake,
                                     .replay = b->house.replay,
                                     .hist = b->house.loop.hist,
                                     .runtime_dir = b->folder.path,
                                     .run_id = b->house.run_id,
                                     .block_bytes = b->house.learner.block_cap};
    const int rc = comms_open(&b->comms, &comms, &b->mem, b->why, sizeof b->why);
    if (rc < 0) {
        print_message("%s\n", b->why);
    }
    assert_int_equal(rc, 0);
    b->house.learner.publish = comms_offer;
    b->house.learner.to = b->comms;
    b->t_ns = clock_now_ns(&(const struct clock){0});
}

static inline void close_bench(struct bench *b)
{
    comms_close(b->comms);
    arena_close(&b->mem);
    house_close(&b->house);
    b->comms = NULL;
}

static inline void *client_socket(struct bench *b, int type, const char *endpoint)
{
    const int zero = 0;
    char text[PATH_CHARS + 128];
    void *s = zmq_socket(b->context, type);
    assert_non_null(s);
    (void)snprintf(text, sizeof text, "ipc://%s/%s", b->folder.path, endpoint);
    (void)zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    if (type == ZMQ_SUB) {
        (void)zmq_setsockopt(s, ZMQ_SUBSCRIBE, "", 0);
    }
    assert_int_equal(zmq_connect(s, strchr(endpoint, ':') != NULL ? endpoint : text), 0);
    return s;
}

static inline int setup(void **state)
{
    static const char *const sets[] = {"comms.telemetry=off"};
    struct bench *b = memset(take(sizeof *b), 0, sizeof *b);
    *state = b;
    folder_make(&b->folder);
    b->context = zmq_ctx_new();
    open_bench(b, sets, 1);
    b->client = client_socket(b, ZMQ_DEALER, "command");
    return 0;
}

static inline int teardown(void **state)
{
    struct bench *b = *state;
    (void)zmq_close(b->client);
    (void)zmq_ctx_term(b->context);
    close_bench(b);
    folder_remove(&b->folder);
    free(b);
    return 0;
}

/* --- the loop's part --- */

static inline void pump(struct bench *b)
{
    comms_wait(b->comms);
    comms_step(b->comms);
}

static inline void push_tick(struct bench *b)
{
    const struct record r = {.tick = b->tick++,
                             .t_ns = b->t_ns,
                             .state = STATE_READY,
                             .n = 3,
                             .n_act = 2,
                             .plant_ready = 1,
                             .q = {0.5f, -1.25f, 3.0f}};
    b->t_ns += TICK_NS;
    (void)ring_push(&b->house.shared->telemetry, &r);
}

static inline void push_event(struct bench *b)
{
    const struct happened h = {
        .t_ns = b->t_ns, .kind = HAPPENED_EPISODE, .a = 7, .x = 1.5, .y = 10.0};
    (void)ring_push(&b->house.shared->happened, &h);
}

/* The request that came, answered as the loop would. */
static inline struct request answer_request(struct bench *b, enum refusal refusal)
{
    struct request q = {0};
    for (int i = 0; i < PUMPS_MAX && !ring_pop(&b->house.shared->requests, &q); i++) {
        pump(b);
    }
    assert_true(q.id != 0);
    const struct reply r = {.id = q.id, .refusal = refusal, .state = STATE_RUNNING};
    assert_true(ring_push(&b->house.shared->replies, &r));
    return q;
}

/* --- clients --- */

static inline int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
    (void)close(s);
    return ntohs(a.sin_port);
}

/* Frames of one message, sizes into ret_n; 0: nothing there. */
static inline int receive(void *s, uint8_t (*ret_frame)[FRAME_BYTES], size_t *ret_n, int n_max)
{
    int n = 0;
    for (int more = 1; more != 0; n++) {
        size_t size = sizeof more;
        assert_true(n < n_max);
        const int got = zmq_recv(s, ret_frame[n], sizeof ret_frame[n], ZMQ_DONTWAIT);
        if (got < 0) {
            assert_int_equal(n, 0);
            return 0;
        }
        assert_true((size_t)got <= sizeof ret_frame[n]);
        ret_n[n] = (size_t)got;
        (void)zmq_getsockopt(s, ZMQ_RCVMORE, &more, &size);
    }
    return n;
}

static inline void send_command(void *s, const char *verb, uint64_t id, const uint8_t *block,
                                size_t n, bool no_learn)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    q.id = id;
    q.verb = wire_text(verb);
    q.no_learn = no_learn;
    q.block.data = take(n + 1);
    q.block.len = n;
    if (n > 0) {
        memcpy(q.block.data, block, n);
    }
    const size_t bytes = basald__v1__command__get_packed_size(&q);
    uint8_t *message = take(bytes);
    (void)basald__v1__command__pack(&q, message);
    assert_int_equal(zmq_send(s, message, bytes, 0), (int)bytes);
    free(message);
    free(q.block.data);
}

static inline Basald__V1__Reply *wait_reply(struct bench *b, void *s)
{
    zmq_msg_t m;
    (void)zmq_msg_init(&m);
    Basald__V1__Reply *r = NULL;
    for (int i = 0; i < PUMPS_MAX && r == NULL; i++) {
        pump(b);
        if (zmq_msg_recv(&m, s, ZMQ_DONTWAIT) >= 0) {
            r = basald__v1__reply__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
            assert_non_null(r);
        }
    }
    (void)zmq_msg_close(&m);
    assert_non_null(r);
    return r;
}

static inline Basald__V1__Reply *ask(struct bench *b, const char *verb)
{
    send_command(b->client, verb, 99, NULL, 0, false);
    Basald__V1__Reply *r = wait_reply(b, b->client);
    assert_true(r->id == 99);
    return r;
}

static inline void free_reply(Basald__V1__Reply *r)
{
    basald__v1__reply__free_unpacked(r, NULL);
}

/* Push until the subscription has arrived at the publisher and its first message here. */
static inline void join(struct bench *b, void *sub, void (*push)(struct bench *b))
{
    uint8_t frame[4][FRAME_BYTES];
    size_t n[4];
    int got = 0;
    for (int i = 0; i < PUMPS_MAX && got == 0; i++) {
        push(b);
        pump(b);
        got = receive(sub, frame, n, 4);
    }
    assert_int_equal(got, 2);
    for (int quiet = 0; quiet < 20;) { /* what is still on its way */
        pump(b);
        quiet = receive(sub, frame, n, 4) == 0 ? quiet + 1 : 0;
    }
}

/* All messages that come until it is quiet; each is two frames of that topic. */
static inline int count_messages(struct bench *b, void *sub, const char *topic)
{
    uint8_t frame[4][FRAME_BYTES];
    size_t n[4];
    int all = 0;
    for (int quiet = 0; quiet < 20;) {
        pump(b);
        const int got = receive(sub, frame, n, 4);
        quiet = got == 0 ? quiet + 1 : 0;
        if (got != 0) {
            assert_int_equal(got, 2);
            assert_int_equal(n[0], strlen(topic));
            assert_memory_equal(frame[0], topic, n[0]);
            assert_true(n[1] > 0);
            all++;
        }
    }
    return all;
}

static inline uint64_t garbage(struct bench *b)
{
    Basald__V1__Reply *r = ask(b, "status");
    const uint64_t n = r->status->garbage;
    free_reply(r);
    return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
