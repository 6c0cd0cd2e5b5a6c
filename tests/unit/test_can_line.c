/*
 * The plant on real descriptors of CAN: slcan through a pseudo-terminal, with unplugging; frames
 * through a pair of sockets that stands in for an interface, with what goes wrong there.
 */
#include "tests/unit/can_bench.h"

#include "daemon/make_safe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/can/error.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct bench));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void a_robot_behind_an_slcan_adapter(void **state)
{
    struct bench *b = *state;
    char folder[] = "/tmp/basal-line-XXXXXX", link[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(link, sizeof link, "%s/can", folder);
    bench_open(b, link, "");
    assert_int_equal(b->line.kind, PORT_SLCAN);
    bench_start(b);
    bench_ride(b);
    atomic_store(&b->unplugged, true);
    const int64_t until_ns = bench_now_ns() + PATIENCE_NS;
    while (plant_ready(b->plant)) {
        assert_true(bench_now_ns() < until_ns);
        bench_tick(b, PLANT_LISTEN, NULL);
    }
    assert_non_null(strstr(plant_why(b->plant), "is gone (unplugged?)"));
    assert_int_equal(b->sensed.torque[0], TORQUE_UNKNOWN);
    atomic_store(&b->unplugged, false);
    bench_until(b, PLANT_LISTEN, EVENT_IDENTIFIED);
    bench_fresh(b, PLANT_LISTEN, NULL);
    /* a crash in the middle of a line: what cuts torque is read all the same */
    bench_until(b, PLANT_ARM, EVENT_ARMED);
    assert_int_equal(write(b->plant->bus[0].port.fd, "t0", 2), 2);
    assert_int_equal(plant_cut_torque(b->plant, 0), 0);
    assert_int_equal(plant_cut_torque(b->plant, 1), -ENODEV);
    bench_fresh(b, PLANT_LISTEN, NULL);
    assert_int_equal(b->sensed.torque[0], TORQUE_OFF);
    bench_stop(b);
    bench_close(b);
    (void)rmdir(folder);
}

/* The daemon is gone while torque is on: what the service manager calls then. */
static void make_safe_cuts_torque(void **state)
{
    struct bench *b = *state;
    char folder[] = "/tmp/basal-line-XXXXXX", link[64], path[64], text[TEXT_MAX];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(link, sizeof link, "%s/can", folder);
    (void)snprintf(path, sizeof path, "%s/robot.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    const size_t n = can_robot(link, "", text);
    assert_int_equal(fwrite(text, 1, n, f), n);
    (void)fclose(f);
    bench_open(b, link, "");
    bench_start(b);
    bench_until(b, PLANT_IDENTIFY, EVENT_IDENTIFIED);
    bench_until(b, PLANT_ARM, EVENT_ARMED);
    plant_close(b->plant);
    b->plant = NULL;
    int status = EXIT_FAILURE;
    for (int i = 0; i < 20 && status != 0; i++) { /* it has 3 s; a busy machine takes longer */
        status = make_safe(path, bench_sets, BENCH_SETS);
    }
    assert_int_equal(status, 0);
    bench_stop(b);
    for (int j = 0; j < 3; j++) {
        assert_false(world_drives(b->world, j));
    }
    bench_close(b);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* The plant gets one end as plant_service would give it, the line has the other. */
static void open_pair(struct bench *b, const char *bus_keys, bool with_line)
{
    int fd[2];
    bench_open(b, "can0", bus_keys);
    assert_int_equal(b->line.kind, PORT_CAN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    b->line.fd = fd[1];
    atomic_store(&b->plant->bus[0].wanted, false);
    atomic_store(&b->plant->bus[0].offered, fd[0]);
    if (with_line) {
        bench_start(b);
    }
}

static void a_robot_on_an_interface(void **state)
{
    struct bench *b = *state;
    open_pair(b, "", true);
    bench_ride(b);
    bench_until(b, PLANT_ARM, EVENT_ARMED);
    assert_int_equal(plant_cut_torque(b->plant, 0), 0);
    bench_fresh(b, PLANT_LISTEN, NULL);
    assert_int_equal(b->sensed.torque[0], TORQUE_OFF);
    bench_stop(b);
    bench_close(b);
}

static void a_robot_on_an_interface_with_fd(void **state)
{
    struct bench *b = *state;
    open_pair(b, "    data_bitrate: 5000000\n", true);
    bench_ride(b);
    bench_stop(b);
    bench_close(b);
}

/* When the first answers of all are at the host; step_ns 0: looked at only when the world says. */
static int64_t answered_ns(struct bench *b, int64_t step_ns, int *ret_looks)
{
    struct canfd_frame f[8] = {{.len = 8}, {.len = 8}, {.len = 8}};
    struct world *w = b->world;
    int n = 0;
    for (int j = 0; j < 3; j++) {
        f[j].can_id = (canid_t)b->config.robot.joint[j].id;
    }
    (void)world_tx(w, 0, (const uint8_t *)f, 3 * CANFD_MTU, (uint32_t)b->line.bitrate);
    for (*ret_looks = 0; n < 3; ++*ret_looks) {
        const int64_t next_ns = step_ns > 0 ? world_now_ns(w) + step_ns : world_next_ns(w);
        assert_true(*ret_looks < 100000);
        world_advance(w, next_ns > world_now_ns(w) ? next_ns : world_now_ns(w) + 1);
        n += world_rx(w, 0, world_now_ns(w), (uint8_t *)f, sizeof f) / (int)CANFD_MTU;
    }
    return world_now_ns(w);
}

static void who_looks_when_the_world_says_misses_nothing(void **state)
{
    struct bench *b = *state;
    int looks, rare;
    bench_open(b, "can0", "");
    const int64_t by_looking_ns = answered_ns(b, 100, &looks);
    bench_close(b);
    bench_open(b, "can0", "");
    const int64_t by_waiting_ns = answered_ns(b, 0, &rare);
    assert_in_range(by_looking_ns - by_waiting_ns, 0, 99);
    assert_in_range(by_waiting_ns, 6 * 47 * NS_PER_US, 6 * 135 * NS_PER_US + 3 * DOUBLE_PAUSE_NS);
    assert_true(rare < 20 && looks > 1000); /* a few a frame, and the body's steps */
    bench_close(b);
}

static void tell(struct bench *b, uint32_t class, uint8_t status)
{
    const struct canfd_frame f = {
        .can_id = CAN_ERR_FLAG | class, .len = CAN_ERR_DLC, .data = {0, status}};
    assert_int_equal(write(b->line.fd, &f, CAN_MTU), CAN_MTU);
}

/* What the controller tells of itself is said, each kind once; bus-off takes the bus away. */
static void the_controllers_troubles_are_said(void **state)
{
    struct bench *b = *state;
    uint64_t dropped;
    open_pair(b, "", false);
    bench_tick(b, PLANT_LISTEN, NULL);
    assert_true(b->plant->bus[0].up);
    b->reopen[0].note[0] = '\0';
    tell(b, CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE);
    tell(b, CAN_ERR_ACK, 0);
    const int64_t until_ns =
        bench_now_ns() + PATIENCE_NS; /* it is read when devices are looked for */
    while (b->reopen[0].note[0] == '\0' && bench_now_ns() < until_ns) {
        bench_tick(b, PLANT_LISTEN, NULL);
    }
    assert_non_null(strstr(b->reopen[0].note, "bus servo: can0 sends, and nobody acknowledges"));
    b->reopen[0].note[0] = '\0';
    const struct can_errors *e = plant_can_errors(b->plant, 0, &dropped);
    tell(b, CAN_ERR_ACK, 0);
    while (e->n[1] < 2 && bench_now_ns() < until_ns) {
        bench_tick(b, PLANT_LISTEN, NULL);
    }
    bench_tick(b, PLANT_LISTEN, NULL);
    assert_string_equal(b->reopen[0].note, "");
    assert_int_equal(e->n[1], 2); /* no acknowledge */
    assert_int_equal(e->n[2], 1); /* passive */
    assert_int_equal(dropped, 0);
    tell(b, CAN_ERR_BUSOFF, 0);
    while (b->plant->bus[0].up && bench_now_ns() < until_ns) {
        bench_tick(b, PLANT_LISTEN, NULL);
    }
    assert_non_null(strstr(plant_bus_why(b->plant, 0), "(bus-off)"));
    assert_int_equal(b->plant->bus[0].port.fd, -1);
    bench_close(b);
}

/* A socket of packets on an interface that is down answers as one of CAN does, where there is none:
 * once to who reads, and to each who writes. */
static int down(void)
{
    const int own = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;
    if (unshare(own) != 0) {
        return -1;
    }
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    const struct sockaddr_ll a = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex("lo")};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void an_interface_that_is_down_is_no_unplugged_one(void **state)
{
    struct bench *b = *state;
    const struct canfd_frame f = {.can_id = 1, .len = 8};
    const int fd = down();
    if (fd < 0) {
        skip(); /* no network of its own is given here */
    }
    for (int writes = 0; writes < 2; writes++) {
        bench_open(b, "can0", "");
        struct port *p = &b->plant->bus[0].port;
        uint8_t junk[CANFD_MTU];
        port_take(p, dup(fd));
        if (writes != 0) {
            assert_int_equal(port_write(p, (const uint8_t *)&f, sizeof f), -EIO);
        } else {
            assert_int_equal(port_read(p, bench_now_ns(), junk, sizeof junk), -EIO);
        }
        assert_int_equal(port_discard(p), -EIO);
        assert_int_equal(port_write(p, (const uint8_t *)&f, sizeof f), -EIO);
        plant_lose(b->plant, &b->plant->bus[0]);
        assert_string_equal(plant_bus_why(b->plant, 0),
                            "bus servo: can0 is down (unplugged?): plug it in again, or ip link "
                            "set can0 up; torque of its joints is unknown");
        bench_close(b);
    }
    (void)close(fd);
}

/* Nobody takes what is sent: frames are dropped, and after two ticks the bus is lost. */
static void a_queue_that_stays_full_is_a_lost_bus(void **state)
{
    struct bench *b = *state;
    struct port *p;
    const struct canfd_frame f[8] = {{.can_id = 1, .len = 8}};
    const int small = 4096;
    open_pair(b, "", false);
    bench_tick(b, PLANT_LISTEN, NULL);
    p = &b->plant->bus[0].port;
    assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    struct clock clock = {.is_virtual = true, .now_ns = NS_PER_S};
    p->clock = &clock;
    int rc = 0;
    for (int i = 0; i < 1000 && rc == 0; i++) {
        rc = port_write(p, (const uint8_t *)f, sizeof f);
    }
    assert_int_equal(rc, -EAGAIN);
    assert_true(p->dropped > 0 && p->dropped <= 8);
    clock.now_ns += p->full_max_ns; /* two ticks */
    assert_int_equal(p->full_max_ns, 2 * NS_PER_S / 40);
    assert_int_equal(port_write(p, (const uint8_t *)f, sizeof f), -EAGAIN);
    clock.now_ns += 1;
    assert_int_equal(port_write(p, (const uint8_t *)f, sizeof f), -EIO);
    plant_lose(b->plant, &b->plant->bus[0]);
    assert_non_null(strstr(plant_bus_why(b->plant, 0), "can0 takes no more frames"));
    p->clock = &b->clock;
    bench_close(b);
}

/* Taken again in between, the time begins anew. */
static void a_queue_that_empties_is_none(void **state)
{
    struct bench *b = *state;
    const struct canfd_frame f[8] = {{.can_id = 1, .len = 8}};
    char junk[CANFD_MTU];
    const int small = 4096;
    open_pair(b, "", false);
    bench_tick(b, PLANT_LISTEN, NULL);
    struct port *p = &b->plant->bus[0].port;
    assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    struct clock clock = {.is_virtual = true, .now_ns = NS_PER_S};
    p->clock = &clock;
    for (int i = 0; i < 5; i++) {
        int rc = 0;
        while (rc == 0) {
            rc = port_write(p, (const uint8_t *)f, sizeof f);
        }
        assert_int_equal(rc, -EAGAIN);
        clock.now_ns += p->full_max_ns;
        while (read(b->line.fd, junk, sizeof junk) > 0) {
        }
        assert_int_equal(port_write(p, (const uint8_t *)f, CANFD_MTU), 0);
    }
    p->clock = &b->clock;
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_robot_behind_an_slcan_adapter, setup, teardown),
        cmocka_unit_test_setup_teardown(make_safe_cuts_torque, setup, teardown),
        cmocka_unit_test_setup_teardown(a_robot_on_an_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(a_robot_on_an_interface_with_fd, setup, teardown),
        cmocka_unit_test_setup_teardown(who_looks_when_the_world_says_misses_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_controllers_troubles_are_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_stays_full_is_a_lost_bus, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_empties_is_none, setup, teardown),
        /* last: it leaves the network */
        cmocka_unit_test_setup_teardown(an_interface_that_is_down_is_no_unplugged_one, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
