/*
 * The comms thread's step over real sockets, in a folder of its own. The loop is played by the
 * test: it feeds the rings and answers them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
#include <zmq.h>

#define PUMPS_MAX   4000 /* of a few ms: only a failure waits so long */
#define FRAME_BYTES 2048
#define TICK_NS     (10 * NS_PER_MS)

static void *take(size_t n)
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

static void open_bench(struct bench *b, const char *const *sets, int n_sets)
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

static void close_bench(struct bench *b)
{
    comms_close(b->comms);
    arena_close(&b->mem);
    house_close(&b->house);
    b->comms = NULL;
}

static void *client_socket(struct bench *b, int type, const char *endpoint)
{
    const int zero = 0;
    char text[PATH_CHARS + 64];
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

static int setup(void **state)
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

static int teardown(void **state)
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

static void pump(struct bench *b)
{
    comms_wait(b->comms);
    comms_step(b->comms);
}

static void push_tick(struct bench *b)
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

static void push_event(struct bench *b)
{
    const struct happened h = {
        .t_ns = b->t_ns, .kind = HAPPENED_EPISODE, .a = 7, .x = 1.5, .y = 10.0};
    (void)ring_push(&b->house.shared->happened, &h);
}

/* The request that came, answered as the loop would. */
static struct request answer_request(struct bench *b, enum refusal refusal)
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

/* Frames of one message, sizes into ret_n; 0: nothing there. */
static int receive(void *s, uint8_t (*ret_frame)[FRAME_BYTES], size_t *ret_n, int n_max)
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

static void send_command(void *s, const char *verb, uint64_t id, const uint8_t *block, size_t n,
                         bool no_learn)
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

static Basald__V1__Reply *wait_reply(struct bench *b, void *s)
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

static Basald__V1__Reply *ask(struct bench *b, const char *verb)
{
    send_command(b->client, verb, 99, NULL, 0, false);
    Basald__V1__Reply *r = wait_reply(b, b->client);
    assert_true(r->id == 99);
    return r;
}

static void free_reply(Basald__V1__Reply *r)
{
    basald__v1__reply__free_unpacked(r, NULL);
}

/* Push until the subscription has arrived at the publisher and its first message here. */
static void join(struct bench *b, void *sub, void (*push)(struct bench *b))
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
static int count_messages(struct bench *b, void *sub, const char *topic)
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

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
    (void)close(s);
    return ntohs(a.sin_port);
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

/* --- commands --- */

static void status_says_what_is_known(void **state)
{
    struct bench *b = *state;
    Basald__V1__Reply *r = ask(b, "status");
    assert_true(r->ok && r->status != NULL);
    assert_string_equal(r->state, "boot"); /* no tick yet */
    free_reply(r);
    for (int i = 0; i < 300; i++) {
        push_tick(b);
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
    assert_string_equal(s->checkpoint, "/somewhere/ckpt-1");
    assert_true(s->last->tick == 299 && s->plant_ready && s->n_episode_return == 1 &&
                s->episode_return[0] == 1.5);
    assert_true(fabs(s->loop_rate_hz - 100.0) < 1e-6);
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

static void an_unknown_verb_is_said(void **state)
{
    struct bench *b = *state;
    Basald__V1__Reply *r = ask(b, "dance");
    assert_false(r->ok);
    assert_non_null(strstr(r->why, "does not know"));
    free_reply(r);
}

static uint64_t garbage(struct bench *b)
{
    Basald__V1__Reply *r = ask(b, "status");
    const uint64_t n = r->status->garbage;
    free_reply(r);
    return n;
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

/* --- weights --- */

static bool accepted(struct bench *b, uint64_t n)
{
    for (int i = 0; i < PUMPS_MAX && b->house.intake.accepted < n; i++) {
        pump(b);
    }
    return b->house.intake.accepted == n;
}

static bool refused(struct bench *b, uint64_t n, const char *sentence)
{
    for (int i = 0; i < PUMPS_MAX && b->house.intake.refused < n; i++) {
        pump(b);
    }
    return b->house.intake.refused == n && strstr(b->house.intake.why, sentence) != NULL;
}

/* What the loop would take. */
static const struct packed *taken(struct bench *b)
{
    return mailbox_take(&b->house.shared->weights);
}

static void weights_come_home(void **state)
{
    struct bench *b = *state;
    Basald__V1__Reply *r = ask(b, "policy");
    assert_false(r->ok); /* none yet */
    free_reply(r);
    assert_null(taken(b));
    learner_publish(&b->house.learner); /* the own subscription may still be on its way */
    for (int i = 0; i < PUMPS_MAX && b->house.intake.accepted == 0; i++) {
        pump(b);
        if (i % 100 == 99) {
            learner_publish(&b->house.learner);
        }
    }
    const struct packed *p = taken(b);
    assert_non_null(p);
    assert_true(p->id.run_id == b->house.run_id && p->n > 0);
    const uint64_t before = b->house.intake.accepted;
    learner_publish(&b->house.learner);
    assert_true(accepted(b, before + 1));
    r = ask(b, "policy");
    assert_true(r->ok && r->block.len == b->house.learner.block_cap);
    struct weights_view v;
    assert_int_equal(weights_decode(r->block.data, r->block.len, &v, NULL, 0), 0);
    assert_true(v.id.version == b->house.intake.have);
    free_reply(r);
}

static void bad_weights_are_refused(void **state)
{
    struct bench *b = *state;
    struct learner *l = &b->house.learner;
    const size_t n = l->block_cap;
    uint8_t *bad = take(n);
    for (int i = 0; i < PUMPS_MAX && b->house.intake.accepted == 0; i++) {
        if (i % 100 == 0) {
            learner_publish(l);
        }
        pump(b);
    }
    (void)taken(b);
    const uint64_t before = b->house.intake.accepted;
    memcpy(bad, l->block, n);
    bad[n / 2] ^= 1;
    comms_offer(b->comms, bad, n);
    assert_true(refused(b, 1, "checksum"));
    comms_offer(b->comms, bad, n - 1);
    assert_true(refused(b, 2, "do not fit"));
    comms_offer(b->comms, l->block, n);
    assert_true(refused(b, 3, "is here")); /* the same version again */
    struct weights_id id = l->id;
    id.version++;
    id.run_id++;
    assert_true(weights_encode(&id, l->mean, l->inv_std, l->w, l->w_max, bad, n) > 0);
    comms_offer(b->comms, bad, n);
    assert_true(refused(b, 4, "another run"));
    id.run_id--;
    l->w[3] = NAN;
    assert_true(weights_encode(&id, l->mean, l->inv_std, l->w, l->w_max, bad, n) > 0);
    comms_offer(b->comms, bad, n);
    assert_true(refused(b, 5, "finite"));
    assert_true(b->house.intake.accepted == before);
    assert_null(taken(b)); /* the running policy stays */
    free(bad);
}

/* A file of another run drives until the next run without one. */
static void a_file_drives_until_the_next_run(void **state)
{
    struct bench *b = *state;
    struct learner *l = &b->house.learner;
    const size_t n = l->block_cap;
    uint8_t *file = take(n);
    for (int i = 0; i < PUMPS_MAX && b->house.intake.accepted == 0; i++) {
        if (i % 100 == 0) {
            learner_publish(l);
        }
        pump(b);
    }
    struct weights_id id = l->id;
    id.run_id = 0xF11E;
    id.version = 1; /* older than what drives: of another run that says nothing */
    assert_true(weights_encode(&id, l->mean, l->inv_std, l->w, l->w_max, file, n) > 0);

    file[n - 1] ^= 1;
    send_command(b->client, "run", 1, file, n, false);
    Basald__V1__Reply *r = wait_reply(b, b->client);
    assert_true(!r->ok && strstr(r->why, "checksum") != NULL);
    free_reply(r);
    const uint64_t own = b->house.intake.accepted;
    learner_publish(l);
    assert_true(accepted(b, own + 1)); /* a refused file changes nothing */

    file[n - 1] ^= 1;
    send_command(b->client, "run", 2, file, n, true);
    assert_int_equal(answer_request(b, REFUSED_NOT).flags, RUN_NO_LEARN);
    r = wait_reply(b, b->client);
    assert_true(r->ok);
    free_reply(r);
    assert_true(taken(b)->id.run_id == 0xF11E);
    assert_true(atomic_load(&b->house.shared->learner.paused));
    const uint64_t refusals = b->house.intake.refused;
    learner_publish(l);
    for (int i = 0; i < 50; i++) {
        pump(b);
    }
    assert_null(taken(b)); /* the learner's wait ... */
    assert_true(b->house.intake.refused == refusals);

    send_command(b->client, "run", 3, NULL, 0, false);
    (void)answer_request(b, REFUSED_NOT);
    r = wait_reply(b, b->client);
    assert_true(r->ok);
    free_reply(r);
    const struct packed *p = taken(b); /* ... and drive at once, the newest of them */
    assert_non_null(p);
    assert_true(p->id.run_id == b->house.run_id && p->id.version == l->id.version);
    assert_false(atomic_load(&b->house.shared->learner.paused));
    free(file);
}

static void a_persons_pause_outlives_runs(void **state)
{
    struct bench *b = *state;
    free_reply(ask(b, "learner-pause"));
    for (int no_learn = 1; no_learn >= 0; no_learn--) {
        send_command(b->client, "run", 1, NULL, 0, no_learn != 0);
        (void)answer_request(b, REFUSED_NOT);
        free_reply(wait_reply(b, b->client));
        assert_true(atomic_load(&b->house.shared->learner.paused));
    }
    free_reply(ask(b, "learner-resume"));
    assert_false(atomic_load(&b->house.shared->learner.paused));
    send_command(b->client, "run", 1, NULL, 0, true);
    (void)answer_request(b, REFUSED_STATE);
    free_reply(wait_reply(b, b->client));
    assert_false(atomic_load(&b->house.shared->learner.paused)); /* a refused run changes nothing */
}

/* Another publisher, and what a broken one sends. */
static void another_source_is_checked_like_the_own(void **state)
{
    struct bench *b = *state;
    struct learner *l = &b->house.learner;
    char set[PATH_CHARS + 64];
    close_bench(b);
    (void)snprintf(set, sizeof set, "comms.weights=ipc://%s/elsewhere", b->folder.path);
    const char *const sets[] = {"comms.telemetry=off", set};
    void *pub = zmq_socket(b->context, ZMQ_PUB);
    const int zero = 0;
    (void)zmq_setsockopt(pub, ZMQ_LINGER, &zero, sizeof zero);
    assert_int_equal(zmq_bind(pub, set + strlen("comms.weights=")), 0);
    open_bench(b, sets, 2);
    uint8_t *block = take(l->block_cap), *message = take(l->block_cap + WIRE_AROUND);
    learner_publish(l); /* of the own learner: not what is listened to */
    struct weights_id id = l->id;
    id.run_id = 77;
    id.version = 1;
    const int64_t n = weights_encode(&id, l->mean, l->inv_std, l->w, l->w_max, block, l->block_cap);
    const int64_t m = wire_weights(block, (size_t)n, message, l->block_cap + WIRE_AROUND);
    for (int i = 0; i < PUMPS_MAX && b->house.intake.accepted == 0; i++) {
        (void)zmq_send(pub, "basald/weights", 14, ZMQ_SNDMORE);
        (void)zmq_send(pub, message, (size_t)m, 0);
        pump(b);
    }
    assert_true(b->house.intake.accepted == 1 && taken(b)->id.run_id == 77);
    for (int i = 0; i < 50; i++) { /* the repeats of the joining */
        pump(b);
    }
    (void)zmq_send(pub, "basald/weights", 14, 0); /* one frame */
    for (int i = 0; i < PUMPS_MAX && garbage(b) < 1; i++) {
    }
    (void)zmq_send(pub, "basald/weights", 14, ZMQ_SNDMORE);
    (void)zmq_send(pub, message, (size_t)m, ZMQ_SNDMORE);
    (void)zmq_send(pub, "x", 1, 0); /* three frames */
    for (int i = 0; i < PUMPS_MAX && garbage(b) < 2; i++) {
    }
    (void)zmq_send(pub, "basald/weights", 14, ZMQ_SNDMORE);
    (void)zmq_send(pub, message, (size_t)m / 2, 0); /* no message */
    for (int i = 0; i < PUMPS_MAX && garbage(b) < 3; i++) {
    }
    assert_true(garbage(b) == 3 && b->house.intake.accepted == 1);
    free(block);
    free(message);
    (void)zmq_close(pub);
}

/* --- the folder --- */

static void sockets_are_the_groups(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"telemetry", "weights", "events", "command", "replay.sock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat st;
        assert_int_equal(fstatat(b->folder.fd, names[i], &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
    }
}

static void one_daemon_a_folder(void **state)
{
    struct bench *b = *state;
    struct arena mem;
    struct comms *second = NULL;
    assert_int_equal(arena_open(&mem, "second", (size_t)64 << 20), 0);
    const struct comms_spec spec = {.config = &b->house.config,
                                    .shared = b->house.shared,
                                    .intake = &b->house.intake,
                                    .replay = b->house.replay,
                                    .hist = b->house.loop.hist,
                                    .runtime_dir = b->folder.path,
                                    .block_bytes = b->house.learner.block_cap};
    assert_int_equal(comms_open(&second, &spec, &mem, b->why, sizeof b->why), -EBUSY);
    assert_non_null(strstr(b->why, "another basald"));
    assert_null(second);
    free_reply(ask(b, "status")); /* the first is not disturbed */
    arena_close(&mem);
}

static int fetch_descriptor(struct bench *b)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};

    char byte;
    int fd = -1;
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%.80s/replay.sock", b->folder.path);
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(s, (const struct sockaddr *)&a, sizeof a), 0);
    pump(b);
    assert_int_equal(recvmsg(s, &m, MSG_CMSG_CLOEXEC), 1);
    const struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (h != NULL) {
        memcpy(&fd, CMSG_DATA(h), sizeof fd);
    }
    assert_true(fd >= 0);
    (void)close(s);
    return fd;
}

static void the_replay_is_handed_out_to_read(void **state)
{
    struct bench *b = *state;
    struct replay *r = NULL;
    struct stat st;
    const int fd = fetch_descriptor(b);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* nobody else opens it once more */
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(replay_attach(&r, fd, b->why, sizeof b->why), 0);
    struct replay_info *info = take(sizeof *info);
    assert_int_equal(replay_info(r, info), 0);
    assert_true(info->run_id == b->house.run_id && info->n_act == 2);
    free(info);
    replay_close(r);
}

/* --- threads --- */

static void *learns(void *arg)
{
    struct bench *b = arg;
    for (int i = 0; i < 2000; i++) {
        learner_publish(&b->house.learner);
    }
    return NULL;
}

/* The learner offers as fast as it can: the newest wins, nothing is torn. */
static void a_fast_learner_waits_for_nobody(void **state)
{
    struct bench *b = *state;
    pthread_t thread;
    uint64_t checkpoints = 0;
    assert_int_equal(pthread_create(&thread, NULL, learns, b), 0);
    for (int i = 0; i < 200; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/ckpt-%llu", (unsigned long long)checkpoints++);
        comms_note_checkpoint(b->comms, path);
        pump(b);
    }
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < PUMPS_MAX && b->house.intake.have != 2001; i++) {
        if (i == 100) {
            learner_publish(&b->house.learner);
        }
        pump(b);
    }
    assert_int_equal(b->house.intake.have, 2001);
    assert_true(b->house.intake.refused == 0);
    Basald__V1__Reply *r = ask(b, "status");
    assert_string_equal(r->status->checkpoint, "/ckpt-199");
    free_reply(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(telemetry_is_two_frames),
        TEST(tcp_carries_telemetry_and_nothing_else),
        TEST(telemetry_hz_holds_on_average),
        TEST(events_are_sentences),
        TEST(status_says_what_is_known),
        TEST(an_answer_finds_who_asked),
        TEST(a_req_socket_is_understood),
        TEST(stop_waits_for_nobody),
        TEST(a_silent_loop_is_said),
        TEST(an_unknown_verb_is_said),
        TEST(garbage_is_counted_and_dropped),
        TEST(the_oversized_is_cut_off),
        TEST(weights_come_home),
        TEST(bad_weights_are_refused),
        TEST(a_file_drives_until_the_next_run),
        TEST(a_persons_pause_outlives_runs),
        TEST(another_source_is_checked_like_the_own),
        TEST(sockets_are_the_groups),
        TEST(one_daemon_a_folder),
        TEST(the_replay_is_handed_out_to_read),
        TEST(a_fast_learner_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
