/*
 * Frames through descriptors: SocketCAN's two sizes on a pair of sockets that stands in for PF_CAN,
 * which few test machines have; slcan on a pseudo-terminal, with an emulated adapter behind it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/clock.h"
#include "drivers/io/can.h"
#include "drivers/io/serial.h"
#include "drivers/io/slcan.h"
#include "sim/firmware/slcan_adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_NS (20 * NS_PER_S) /* nobody waits for it */

static int64_t in_ns(int64_t ns)
{
    return clock_now_ns(&(const struct clock){0}) + ns;
}

static void open_pair(int ret_fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd),
                     0);
}

static void both_sizes_go_out_and_come_in(void **state)
{
    static const uint8_t enable[] = {1,   0,   0,   0,   8,   0,   0,   0,
                                     255, 255, 255, 255, 255, 255, 255, 0xFC};
    static const uint8_t private[] = {0x7F, 0xFD, 0, 0x91, 8, 0, 0, 0,
                                      0x1E, 0x70, 0, 0,    0, 0, 0, 0};
    static const uint8_t bus_off[] = {0x40, 0, 0, 0x20, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const struct canfd_frame frames[] = {
        {.can_id = 1, .len = 8, .data = {255, 255, 255, 255, 255, 255, 255, 0xFC}},
        {.can_id = 0x1100FD7F | CAN_EFF_FLAG, .len = 8, .data = {0x1E, 0x70}},
        {.can_id = 2, .len = 12, .flags = CANFD_FDF | CANFD_BRS, .data = {1, 2, 3}},
    };
    struct canfd_frame back[8];
    uint8_t raw[CANFD_MTU];
    int64_t age_ns;
    int fd[2];
    (void)state;
    open_pair(fd);
    assert_int_equal(can_read(fd[0], back, sizeof back, &age_ns), 0);
    assert_int_equal(can_wait(fd[0], in_ns(NS_PER_MS)), 0);
    assert_int_equal(can_write(fd[0], frames, sizeof frames), sizeof frames);
    assert_int_equal(read(fd[1], raw, sizeof raw), CAN_MTU);
    assert_memory_equal(raw, enable, CAN_MTU);
    assert_int_equal(read(fd[1], raw, sizeof raw), CAN_MTU);
    assert_memory_equal(raw, private, CAN_MTU);
    assert_int_equal(read(fd[1], raw, sizeof raw), CANFD_MTU);
    assert_memory_equal(raw, &frames[2], CANFD_MTU);

    /* a classic error frame between does not end what is read */
    assert_int_equal(write(fd[1], &frames[2], CANFD_MTU), CANFD_MTU);
    assert_int_equal(write(fd[1], bus_off, CAN_MTU), CAN_MTU);
    assert_int_equal(write(fd[1], enable, CAN_MTU), CAN_MTU);
    assert_int_equal(can_wait(fd[0], in_ns(LONG_NS)), 1);
    assert_int_equal(can_read(fd[0], back, sizeof back, &age_ns), 3 * CANFD_MTU);
    assert_memory_equal(&back[0], &frames[2], CANFD_MTU);
    assert_int_equal(back[1].can_id, CAN_ERR_FLAG | 0x40);
    assert_memory_equal(&back[2], &frames[0], CANFD_MTU);
    assert_int_equal(age_ns, 0);

    /* one at a time where there is no more room */
    assert_int_equal(write(fd[1], enable, CAN_MTU), CAN_MTU);
    assert_int_equal(write(fd[1], private, CAN_MTU), CAN_MTU);
    assert_int_equal(can_read(fd[0], back, 2 * CANFD_MTU - 1, &age_ns), CANFD_MTU);
    assert_int_equal(can_read(fd[0], back, sizeof back, &age_ns), CANFD_MTU);
    assert_int_equal(back[0].can_id, 0x1100FD7F | CAN_EFF_FLAG);

    (void)close(fd[1]);
    assert_int_equal(can_read(fd[0], back, sizeof back, &age_ns), -EIO);
    assert_int_equal(can_write(fd[0], frames, sizeof frames), -EIO);
    (void)close(fd[0]);
}

static void the_kernels_stamp_says_how_old(void **state)
{
    const struct canfd_frame f = {.can_id = 1, .len = 8};
    struct canfd_frame back[2];
    const int on = 1;
    int64_t age_ns = 0;
    int fd[2];
    (void)state;
    open_pair(fd);
    assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on), 0);
    const int64_t sent_ns = in_ns(0);
    assert_int_equal(can_write(fd[1], &f, sizeof f), sizeof f);
    const struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};
    (void)nanosleep(&pause, NULL);
    assert_int_equal(can_read(fd[0], back, sizeof back, &age_ns), sizeof f);
    const int64_t passed_ns = in_ns(0) - sent_ns;
    assert_in_range(age_ns, 2 * NS_PER_MS, passed_ns + NS_PER_MS); /* two clocks */
    (void)close(fd[0]);
    (void)close(fd[1]);
}

/* A queue that nobody empties takes no more, and says how many it took. */
static void a_full_queue_is_no_error_of_a_frame(void **state)
{
    struct canfd_frame frames[64] = {{.can_id = 1, .len = 8}};
    int fd[2], taken = 0;
    const int small = 4096;
    (void)state;
    open_pair(fd);
    assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (int i = 0; i < 100 && (taken == 0 || taken == (int)sizeof frames); i++) {
        taken = can_write(fd[0], frames, sizeof frames);
    }
    assert_true(taken >= 0 && taken < (int)sizeof frames);
    assert_int_equal(taken % (int)CANFD_MTU, 0);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static void an_interface_that_is_not_there_is_said(void **state)
{
    char note[WHY_CHARS], why[WHY_CHARS] = "";
    const struct can_spec spec = {
        .interface = "nocan7", .rate = {.bitrate = 1000000}, .queue_frames = 12};
    (void)state;
    const int fd = can_open(&spec, note, why, sizeof why);
    assert_true(fd == -EAFNOSUPPORT || fd == -ENODEV);
    assert_non_null(strstr(why, fd == -ENODEV ? "there is no interface nocan7"
                                              : "this kernel has no CAN sockets"));
}

/* An adapter on the other end of a pseudo-terminal. What it should put on the bus comes straight
 * back, as if a device echoed it. */
struct desk {
    int master, slave; /* our own keeps the master from hanging up */
    char path[64];
    struct adapter adapter;
    pthread_t thread;
    _Atomic bool leaving;
    _Atomic int n_frames; /* on the bus */
    _Atomic bool open;    /* the adapter's channel */
    bool deaf;            /* answers nothing at all */
    bool refuses;
};

static void *adapter_life(void *arg)
{
    struct desk *d = arg;
    struct adapter_out out;
    uint8_t bytes[512];
    char line[64];
    while (!atomic_load(&d->leaving)) {
        const int ready = serial_wait(d->master, in_ns(NS_PER_MS));
        const int n = ready > 0 ? serial_read(d->master, bytes, sizeof bytes) : 0;
        if (n <= 0 || d->deaf) {
            continue;
        }
        adapter_host(&d->adapter, (const char *)bytes, (size_t)n, &out);
        atomic_store(&d->open, d->adapter.open);
        if (d->refuses) {
            (void)serial_write(d->master, (const uint8_t *)"\a", 1);
            continue;
        }
        (void)serial_write(d->master, (const uint8_t *)out.text, out.n_text);
        for (int i = 0; i < out.n_frames; i++) {
            const int len =
                adapter_bus(&d->adapter, &out.frame[i], 1234 * NS_PER_MS, line, sizeof line);
            (void)serial_write(d->master, (const uint8_t *)line, (size_t)len);
        }
        atomic_fetch_add(&d->n_frames, out.n_frames);
    }
    return NULL;
}

static void open_desk(struct desk *d, struct adapter adapter)
{
    d->adapter = adapter;
    d->master = serial_open_pty(d->path, sizeof d->path);
    assert_true(d->master >= 0);
    d->slave = open(d->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    atomic_store(&d->open, adapter.open);
    assert_int_equal(pthread_create(&d->thread, NULL, adapter_life, d), 0);
}

static void close_desk(struct desk *d)
{
    atomic_store(&d->leaving, true);
    (void)pthread_join(d->thread, NULL);
    (void)close(d->slave);
    (void)close(d->master);
}

static void echo_through(struct adapter adapter)
{
    const struct canfd_frame frames[] = {
        {.can_id = 1, .len = 8, .data = {255, 255, 255, 255, 255, 255, 255, 0xFC}},
        {.can_id = 0x1100FD7F | CAN_EFF_FLAG, .len = 8, .data = {0x1E, 0x70}},
        {.can_id = 0x69 | CAN_RTR_FLAG, .len = 8},
    };
    struct desk d = {.master = -1};
    struct slcan s = {.n = 0};
    struct canfd_frame back[3];
    char why[WHY_CHARS] = "";
    open_desk(&d, adapter);
    const int fd = slcan_open(d.path, 1000000, 1000000, why, sizeof why);
    assert_true(fd >= 0);
    assert_int_equal(slcan_write(&s, fd, frames, sizeof frames), sizeof frames);
    size_t n = 0;
    while (n < sizeof back) { /* in pieces, as they come */
        assert_int_equal(serial_wait(fd, in_ns(LONG_NS)), 1);
        const int got = slcan_read(&s, fd, (char *)back + n, sizeof back - n);
        assert_true(got >= 0);
        n += (size_t)got;
    }
    assert_memory_equal(back, frames, sizeof frames);
    assert_int_equal(s.garbage, 0);
    assert_int_equal(s.refused, 0);
    assert_true(atomic_load(&d.open));
    slcan_close(fd);
    for (const int64_t until_ns = in_ns(LONG_NS); atomic_load(&d.open);) { /* it hears of it */
        assert_true(in_ns(0) < until_ns);
    }
    close_desk(&d);
    assert_int_equal(d.n_frames, 3);
    assert_false(d.adapter.open);
    assert_int_equal(d.adapter.bitrate, 1000000);
}

static void frames_pass_an_adapter_of_each_kind(void **state)
{
    (void)state;
    echo_through((struct adapter){.silent = false});
    echo_through((struct adapter){.silent = true});
    echo_through((struct adapter){.stamps = true});
    echo_through((struct adapter){.open = true, .bitrate = 500000}); /* left open by a killed one */
    echo_through((struct adapter){.line = "t0018FFFF", .n = 9}); /* ... in the middle of a line */
}

static void an_adapter_that_refuses_is_said(void **state)
{
    struct desk d = {.master = -1, .refuses = true};
    char why[WHY_CHARS] = "";
    (void)state;
    open_desk(&d, (struct adapter){.silent = true});
    assert_int_equal(slcan_open(d.path, 1000000, 1000000, why, sizeof why), -EPROTO);
    assert_non_null(strstr(why, "refuses 1000000 bit/s"));
    assert_int_equal(slcan_open(d.path, 1000000, 123456, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "cannot do 123456 bit/s"));
    close_desk(&d);
}

/* What was cut off in the middle costs its own frame and no other. */
static void a_torn_line_costs_one_frame(void **state)
{
    struct desk d = {.master = -1};
    struct slcan s = {.n = 0};
    const struct canfd_frame f = {.can_id = 5, .len = 1, .data = {7}};
    struct canfd_frame back[2];
    char why[WHY_CHARS] = "";
    (void)state;
    open_desk(&d, (struct adapter){.silent = false});
    const int fd = slcan_open(d.path, 1000000, 1000000, why, sizeof why);
    assert_true(fd >= 0);
    assert_int_equal(serial_write(fd, (const uint8_t *)"t00110", 6), 6);
    s.torn = true;
    assert_int_equal(slcan_write(&s, fd, &f, sizeof f), sizeof f);
    assert_false(s.torn);
    int n = 0;
    while (n == 0) {
        assert_int_equal(serial_wait(fd, in_ns(LONG_NS)), 1);
        n = slcan_read(&s, fd, back, sizeof back);
    }
    assert_int_equal(n, sizeof f);
    assert_memory_equal(&back[0], &f, sizeof f);
    assert_int_equal(s.refused, 1);
    close_desk(&d);
    slcan_close(fd);
    assert_int_equal(slcan_read(&s, -1, back, sizeof back), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sizes_go_out_and_come_in),
        cmocka_unit_test(the_kernels_stamp_says_how_old),
        cmocka_unit_test(a_full_queue_is_no_error_of_a_frame),
        cmocka_unit_test(an_interface_that_is_not_there_is_said),
        cmocka_unit_test(frames_pass_an_adapter_of_each_kind),
        cmocka_unit_test(an_adapter_that_refuses_is_said),
        cmocka_unit_test(a_torn_line_costs_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
