/* Weights, the replay's descriptor, the runtime folder, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/comms_fixture.h"

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

/* The learner has published nothing yet: a plain run asks for none of the file's, until there is
 * something else, also where the tick has refused it. */
static void a_file_does_not_outlive_its_run(void **state)
{
    struct bench *b = *state;
    struct learner *l = &b->house.learner;
    uint8_t *file = take(l->block_cap);
    struct weights_id id = l->id;
    id.run_id = 0xF11E;
    id.version = 7;
    assert_true(weights_encode(&id, l->mean, l->inv_std, l->w, l->w_max, file, l->block_cap) > 0);
    send_command(b->client, "run", 1, file, l->block_cap, false);
    assert_true(answer_request(b, REFUSED_NOT).shun_run_id == 0);
    free_reply(wait_reply(b, b->client));
    for (int i = 0; i < 2; i++) {
        send_command(b->client, "run", 2, NULL, 0, false);
        assert_true(answer_request(b, i == 0 ? REFUSED_STATE : REFUSED_NOT).shun_run_id == 0xF11E);
        free_reply(wait_reply(b, b->client));
    }
    Basald__V1__Reply *r = ask(b, "policy");
    assert_false(r->ok); /* nobody's */
    free_reply(r);
    const uint64_t before = b->house.intake.accepted;
    for (int i = 0; i < PUMPS_MAX && b->house.intake.accepted == before; i++) {
        if (i % 100 == 0) {
            learner_publish(l);
        }
        pump(b);
    }
    send_command(b->client, "run", 3, NULL, 0, false);
    assert_true(answer_request(b, REFUSED_NOT).shun_run_id == 0);
    free_reply(wait_reply(b, b->client));
    assert_true(taken(b)->id.run_id == b->house.run_id);
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
    uint8_t *file = take(l->block_cap);
    id.run_id = 0xF11E;
    assert_true(weights_encode(&id, l->mean, l->inv_std, l->w, l->w_max, file, l->block_cap) > 0);
    send_command(b->client, "run", 1, file, l->block_cap, false);
    (void)answer_request(b, REFUSED_NOT);
    free_reply(wait_reply(b, b->client));
    assert_true(taken(b)->id.run_id == 0xF11E);
    send_command(b->client, "run", 2, NULL, 0, false);
    assert_true(answer_request(b, REFUSED_NOT).shun_run_id == 0);
    free_reply(wait_reply(b, b->client));
    assert_true(taken(b)->id.run_id == 77); /* not when it speaks next, but at once */
    free(file);
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
    assert_true(garbage(b) == 3 && b->house.intake.accepted == 3);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(weights_come_home),
        TEST(bad_weights_are_refused),
        TEST(a_file_drives_until_the_next_run),
        TEST(a_file_does_not_outlive_its_run),
        TEST(a_persons_pause_outlives_runs),
        TEST(another_source_is_checked_like_the_own),
        TEST(sockets_are_the_groups),
        TEST(one_daemon_a_folder),
        TEST(the_replay_is_handed_out_to_read),
        TEST(a_fast_learner_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
