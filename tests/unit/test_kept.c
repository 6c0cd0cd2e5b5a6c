/* The replay outlives the process: what is handed over is taken, what is to be kept is sent, and
 * what does not fit is refused while the house opens without it, as a run that goes on refuses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/kept.h"
#include "daemon/runfiles.h"
#include "policies/replay_segment.h"
#include "tests/unit/crawler_fixture.h"
#include "tests/unit/folder_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST 3 /* SD_LISTEN_FDS_START */

/* In a child: two descriptors under these names; its status is what kept_take answers, 99 for -1.
 */
static int taken_of(const char *names)
{
    const pid_t child = fork();
    if (child == 0) {
        char pid[24];
        (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
        const int fd = memfd_create("x", 0);
        if (dup2(fd, FIRST) < 0 || dup2(fd, FIRST + 1) < 0 || setenv("LISTEN_PID", pid, 1) != 0 ||
            setenv("LISTEN_FDS", "2", 1) != 0 || setenv("LISTEN_FDNAMES", names, 1) != 0) {
            _exit(98);
        }
        const int taken = kept_take();
        const bool other_closed = fcntl(taken == FIRST ? FIRST + 1 : FIRST, F_GETFD) < 0;
        const bool private_now =
            taken < 0 || (fcntl(taken, F_GETFD) & FD_CLOEXEC) != 0; /* children get none */
        _exit(!other_closed || !private_now ? 97 : taken < 0 ? 99 : taken);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_replay_is_taken_by_its_name(void **state)
{
    (void)state;
    assert_int_equal(taken_of("replay:other"), FIRST);
    assert_int_equal(taken_of("other:replay"), FIRST + 1);
    assert_int_equal(taken_of("replay:replay"), FIRST); /* one is enough */
    assert_int_equal(taken_of("one:other"), 99);
    assert_int_equal(kept_take(), -1); /* nobody hands over anything */
}

static int receive(int socket, char *ret_text, size_t cap, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control = {0};
    struct iovec v = {.iov_base = ret_text, .iov_len = cap - 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    const ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT);
    *ret_fd = -1;
    if (n < 0) {
        return -errno;
    }
    ret_text[n] = '\0';
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_RIGHTS) {
            memcpy(ret_fd, CMSG_DATA(h), sizeof *ret_fd);
        }
    }
    return (int)n;
}

static void the_replay_is_sent_to_be_kept(void **state)
{
    (void)state;
    char reason[WHY_CHARS] = "", text[256], folder[] = "/tmp/kept-XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    const int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (const struct sockaddr *)&address, sizeof address), 0);

    const int replay = memfd_create("replay", MFD_CLOEXEC);
    assert_int_equal(kept_put(replay, reason, (int)sizeof reason), -ENOTCONN);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    assert_int_equal(kept_put(replay, reason, (int)sizeof reason), 0);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);

    int fd;
    assert_true(receive(manager, text, sizeof text, &fd) > 0); /* the one before goes first */
    assert_string_equal(text, "FDSTOREREMOVE=1\nFDNAME=replay");
    assert_int_equal(fd, -1);
    assert_true(receive(manager, text, sizeof text, &fd) > 0);
    assert_string_equal(text, "FDSTORE=1\nFDNAME=replay");
    struct stat ours, theirs;
    assert_int_equal(fstat(replay, &ours), 0);
    assert_int_equal(fstat(fd, &theirs), 0);
    assert_true(ours.st_ino == theirs.st_ino);
    assert_int_equal(receive(manager, text, sizeof text, &fd), -EAGAIN);
    (void)close(replay);
    (void)close(manager);
    (void)unlink(address.sun_path);
    (void)rmdir(folder);
}

static struct house *open_robot(const char *path, int replay_fd, const char *set)
{
    char reason[WHY_CHARS] = "";
    struct house *h = calloc(1, sizeof *h);
    const char *const sets[] = {"replay.capacity=1000", set};
    struct house_spec spec = crawler_spec(sets, set != NULL ? 2 : 1);
    spec.config_path = path;
    spec.replay_fd = replay_fd;
    assert_non_null(h);
    if (house_open(h, &spec, reason, (int)sizeof reason) != 0) {
        fail_msg("%s", reason);
    }
    return h;
}

static struct house *open_house(int replay_fd, const char *set)
{
    return open_robot(CRAWLER_YAML, replay_fd, set);
}

static void close_house(struct house *h)
{
    house_close(h);
    free(h);
}

static void a_house_takes_its_replay_over(void **state)
{
    (void)state;
    struct house *first = open_house(-1, NULL);
    static struct observation obs;
    const float act[ACT_MAX] = {0};
    struct period p = {.opens = true, .obs2 = &obs, .asked = act, .applied = act};
    assert_false(first->replay_kept);
    replay_commit(first->replay, &p);
    p.closes = true;
    replay_commit(first->replay, &p);
    replay_commit(first->replay, &p);
    const int64_t head = replay_head(first->replay);
    const int kept = dup(replay_fd(first->replay)), again = dup(kept), broken = dup(kept);
    close_house(first); /* as kill -9 leaves it: the last row is open */

    struct house *second = open_house(kept, NULL);
    static struct replay_info info;
    assert_true(second->replay_kept);
    assert_int_equal(replay_head(second->replay), head + 1); /* the open row became final */
    assert_int_equal(replay_info(second->replay, &info), 0);
    assert_true(info.run_id == second->run_id);
    close_house(second);

    struct house *other = open_house(again, "replay.capacity=2000");
    assert_false(other->replay_kept);
    assert_non_null(strstr(other->replay_why, "belongs to another robot or configuration"));
    assert_int_equal(replay_head(other->replay), 0);
    assert_true(fcntl(again, F_GETFD) < 0); /* it was closed */
    close_house(other);

    const char damage = 0x55;
    assert_int_equal(pwrite(broken, &damage, 1, 0), 1);
    struct house *fourth = open_house(broken, NULL);
    assert_false(fourth->replay_kept);
    assert_true(fourth->replay_why[0] != '\0');
    assert_int_equal(replay_head(fourth->replay), 0);
    close_house(fourth);
}

/* --- a choice that this robot has not: a learner would read behind its values --- */

#define CHOOSER SOURCE_DIR "/deploy/robots/crawler-grid.yaml" /* of four */

/* One row, and an open one behind it. */
static void live_one_row(struct house *h, float asked, float applied)
{
    static struct observation obs;
    struct period p = {.opens = true, .obs2 = &obs, .asked = &asked, .applied = &applied};
    replay_commit(h->replay, &p);
    p.closes = true;
    replay_commit(h->replay, &p);
}

static const struct {
    float asked, applied;
    bool sound;
} decided[] = {{3, 0, true},   {4, 0, false},    {0, 4, false},
               {-1, 0, false}, {0.5f, 0, false}, {0, NAN, false}};

static void kept_choices_that_are_none_are_not_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decided / sizeof decided[0]; i++) {
        struct house *first = open_robot(CHOOSER, -1, NULL);
        live_one_row(first, decided[i].asked, decided[i].applied);
        const int kept = dup(replay_fd(first->replay));
        close_house(first);
        struct house *second = open_robot(CHOOSER, kept, NULL);
        assert_int_equal(second->replay_kept, decided[i].sound);
        if (!decided[i].sound) {
            assert_string_equal(second->replay_why, "replay: row 0 of the kept segment decides for "
                                                    "what is none of 4 choices");
            assert_int_equal(replay_head(second->replay), 0);
            assert_true(fcntl(kept, F_GETFD) < 0); /* it was closed */
        }
        close_house(second);
    }
}

static void a_run_with_choices_that_are_none_does_not_go_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decided / sizeof decided[0]; i++) {
        static struct runfiles files;
        struct folder f;
        char reason[WHY_CHARS] = "";
        int64_t planned_ns = 0;
        folder_make(&f);
        struct house *first = open_robot(CHOOSER, -1, NULL);
        live_one_row(first, decided[i].asked, decided[i].applied);
        assert_int_equal(runfiles_open(&files, first, f.path, reason, (int)sizeof reason), 0);
        assert_int_equal(runfiles_checkpoint(&files, first, 0, reason, (int)sizeof reason), 0);
        runfiles_close(&files);
        close_house(first);

        struct house *second = open_robot(CHOOSER, -1, NULL);
        assert_int_equal(runfiles_open(&files, second, NULL, reason, (int)sizeof reason), 0);
        assert_int_equal(
            runfiles_resume(&files, second, f.path, &planned_ns, reason, (int)sizeof reason),
            decided[i].sound ? 0 : -EBADMSG);
        assert_true(decided[i].sound ||
                    strstr(reason, "row 0 of the checkpoint's segment decides for what is none of "
                                   "4 choices; go on from another checkpoint") != NULL);
        runfiles_close(&files);
        close_house(second);
        folder_remove(&f);
    }
}

/* The networks come from a checkpoint that has seen 5000 rows, the replay is new. */
static void statistics_go_on_with_a_new_replay(void **state)
{
    (void)state;
    static struct observation obs;
    struct house *h = open_house(-1, "learner.normalize=true");
    const float act[ACT_MAX] = {0};
    struct period p = {.opens = true, .obs2 = &obs, .asked = act, .applied = act};
    const int rows = 300;
    h->learner.counters[LEARNER_SEEN] = 5000;
    learner_restored(&h->learner);
    for (int i = 0; i <= rows; i++) {
        p.closes = i > 0;
        obs.v[0] = (float)i;
        replay_commit(h->replay, &p);
    }
    atomic_store(&h->shared->steps, (uint64_t)rows);
    assert_true(learner_step(&h->learner));
    assert_int_equal(h->learner.counters[LEARNER_SEEN], 5000 + rows);
    close_house(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_replay_is_taken_by_its_name),
        cmocka_unit_test(the_replay_is_sent_to_be_kept),
        cmocka_unit_test(a_house_takes_its_replay_over),
        cmocka_unit_test(kept_choices_that_are_none_are_not_taken),
        cmocka_unit_test(a_run_with_choices_that_are_none_does_not_go_on),
        cmocka_unit_test(statistics_go_on_with_a_new_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
