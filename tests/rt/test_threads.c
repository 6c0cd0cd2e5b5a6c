/*
 * The service as it lives: main, loop, learner, comms and libzmq's own threads together, the body
 * in process, a person asking over the sockets. Under the thread sanitizer every race between them
 * is an error; without it this is the shortest life of a whole daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/service.h"
#include "daemon/wire.h"
#include "tests/unit/folder_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define PATIENCE 600 /* tries of 50 ms: only a failure waits so long */

struct life {
    struct folder folder;
    char sockets[PATH_CHARS + 16], state[PATH_CHARS + 16];
    enum plant_kind kind;
    pthread_t thread;
    int status;
    void *context, *client;
};

static void *live(void *arg)
{
    static const char *const sets[] = {
        "control.realtime=off",      "control.loop_deadman_ms=10000", "comms.telemetry=off",
        "learner.learning_starts=5", "learner.publish_every=1",       "learner.checkpoint_s=0.3",
        "task.episode_s=1",          "learner.gradient_steps=1",
    };
    struct life *l = arg;
    const struct service_spec spec = {
        .house = {.config_path = SOURCE_DIR "/deploy/robots/crawler.yaml",
                  .sets = sets,
                  .n_sets = sizeof sets / sizeof sets[0],
                  .kind = l->kind,
                  .seed = 1,
                  .replay_fd = -1},
        .runtime_dir = l->sockets,
        .state_dir = l->state,
    };
    l->status = service_run(&spec);
    return NULL;
}

static void pause_ms(int ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    (void)nanosleep(&t, NULL);
}

static void *connect_to(struct life *l, int type, const char *name)
{
    char endpoint[PATH_CHARS + 48];
    const int zero = 0, wait_ms = 20000;
    void *s = zmq_socket(l->context, type);
    assert_non_null(s);
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%s", l->sockets, name);
    (void)zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    (void)zmq_setsockopt(s, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    if (type == ZMQ_SUB) {
        (void)zmq_setsockopt(s, ZMQ_SUBSCRIBE, "", 0);
    }
    assert_int_equal(zmq_connect(s, endpoint), 0);
    return s;
}

/* One request, one answer. */
static Basald__V1__Reply *ask(struct life *l, const char *verb)
{
    Basald__V1__Command q = BASALD__V1__COMMAND__INIT;
    uint8_t bytes[256];
    zmq_msg_t m;
    q.id = 1;
    q.verb = wire_text(verb);
    q.seconds = 0.5;
    const size_t n = basald__v1__command__pack(&q, bytes);
    assert_int_equal(zmq_send(l->client, bytes, n, 0), (int)n);
    (void)zmq_msg_init(&m);
    assert_true(zmq_msg_recv(&m, l->client, 0) >= 0);
    Basald__V1__Reply *r = basald__v1__reply__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
    (void)zmq_msg_close(&m);
    assert_non_null(r);
    return r;
}

static bool say(struct life *l, const char *verb)
{
    Basald__V1__Reply *r = ask(l, verb);
    const bool ok = r->ok;
    basald__v1__reply__free_unpacked(r, NULL);
    return ok;
}

static bool is(struct life *l, const char *state)
{
    Basald__V1__Reply *r = ask(l, "status");
    const bool same = strcmp(r->status->state, state) == 0 && r->status->plant_ready;
    basald__v1__reply__free_unpacked(r, NULL);
    return same;
}

static void until(struct life *l, const char *state, const char *verb)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (is(l, state)) {
            return;
        }
        if (verb != NULL) {
            (void)say(l, verb);
        }
        pause_ms(50);
    }
    fail_msg("the robot does not become %s", state);
}

static void run(struct life *l)
{
    until(l, "ready", "arm");
    until(l, "running", "run");
}

static void begin(struct life *l, enum plant_kind kind)
{
    *l = (struct life){.kind = kind, .status = -1};
    folder_make(&l->folder);
    (void)snprintf(l->sockets, sizeof l->sockets, "%s/sockets", l->folder.path);
    (void)snprintf(l->state, sizeof l->state, "%s/state", l->folder.path);
    assert_int_equal(pthread_create(&l->thread, NULL, live, l), 0);
    l->context = zmq_ctx_new();
    l->client = connect_to(l, ZMQ_REQ, "command");
}

static void end(struct life *l)
{
    (void)kill(getpid(), SIGTERM); /* blocked everywhere, taken by main's sigtimedwait */
    (void)pthread_join(l->thread, NULL);
    assert_int_equal(l->status, 0);
    (void)zmq_close(l->client);
    (void)zmq_ctx_term(l->context);
    folder_remove(&l->folder);
}

static void all_threads_live_together(enum plant_kind kind)
{
    static const char *const verbs[] = {"status",         "policy", "config",      "learner-pause",
                                        "learner-resume", "eval",   "episode-end", "nonsense"};
    struct life l;
    begin(&l, kind);
    until(&l, "limp", NULL);
    void *telemetry = connect_to(&l, ZMQ_SUB, "telemetry");
    void *weights = connect_to(&l, ZMQ_SUB, "weights");
    void *events = connect_to(&l, ZMQ_SUB, "events");
    run(&l);
    for (int i = 0; i < 48; i++) {
        (void)say(&l, verbs[i % 8]);
        pause_ms(i % 8 == 5 ? 600 : 50); /* an evaluation takes its time */
    }
    (void)say(&l, "learner-resume");
    until(&l, "running", "run");
    pause_ms(1500);
    char bytes[512];
    assert_true(zmq_recv(telemetry, bytes, sizeof bytes, 0) > 0);
    assert_true(zmq_recv(weights, bytes, sizeof bytes, 0) > 0);
    assert_true(zmq_recv(events, bytes, sizeof bytes, 0) > 0);

    Basald__V1__Reply *r = ask(&l, "status");
    const Basald__V1__Status *s = r->status;
    print_message("%lld steps, %llu updates, %llu weights taken, %lld episodes, %llu overruns\n",
                  (long long)s->last->step, (unsigned long long)s->updates,
                  (unsigned long long)s->weights_accepted, (long long)s->last->episode,
                  (unsigned long long)s->last->overruns);
    assert_true(s->last->step > 10 && s->updates > 0 && s->weights_accepted > 0);
    assert_true(s->last->episode > 1 && s->last->weights_version > 0);
    basald__v1__reply__free_unpacked(r, NULL);

    (void)kill(getpid(), SIGUSR1); /* stop, without leaving */
    until(&l, "limp", NULL);
    run(&l);
    assert_true(say(&l, "estop"));
    for (int i = 0; i < PATIENCE && !say(&l, "clear"); i++) {
        pause_ms(50);
    }
    until(&l, "limp", NULL);
    run(&l);
    (void)zmq_close(telemetry);
    (void)zmq_close(weights);
    (void)zmq_close(events);
    end(&l);
}

static void all_threads_with_emulated_devices(void **state)
{
    (void)state;
    all_threads_live_together(PLANT_EMULATED);
}

int main(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_threads_with_emulated_devices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
