/*
 * The plant on SocketCAN itself. Wants interfaces as tests/system/ci_vcan.sh makes them: vcan0 for
 * CAN FD, vcan1 for classic CAN with a long queue, vcan2 down. Exit status 77 without.
 */
#include "tests/unit/can_bench.h"

#include "drivers/io/can.h"

#include <errno.h>
#include <linux/can/error.h>
#include <net/if.h>
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

static void ride(struct bench *b, const char *interface, const char *bus_keys)
{
    char reason[WHY_CHARS] = "";
    bench_open(b, interface, bus_keys);
    if (line_plug(&b->line, &b->config.robot, 0, reason, sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
    bench_start(b);
    bench_ride(b);
    bench_until(b, PLANT_ARM, EVENT_ARMED);
    assert_int_equal(plant_cut_torque(b->plant, 0), 0);
    bench_fresh(b, PLANT_LISTEN, NULL);
    assert_int_equal(b->sensed.torque[0], TORQUE_OFF);
    assert_true(b->plant->bus[0].port.waited_ns > 0); /* the kernel stamps */
    bench_stop(b);
}

static void a_robot_on_classic_can(void **state)
{
    struct bench *b = *state;
    ride(b, "vcan1", "");
    assert_non_null(strstr(b->reopen[0].note, "vcan1 queues up to 1000 frames"));
    assert_non_null(strstr(b->reopen[0].note, "ip link set vcan1 txqueuelen 10"));
    bench_close(b);
}

static void a_robot_on_can_fd(void **state)
{
    struct bench *b = *state;
    ride(b, "vcan0", "    data_bitrate: 5000000\n");
    assert_string_equal(b->reopen[0].note, "");
    bench_close(b);
}

static int open_it(const char *interface, int data_bitrate, char *ret_note, char *ret_why)
{
    static const struct can_filter filter = {.can_id = 0x101, .can_mask = CAN_SFF_MASK};
    const struct can_spec spec = {.interface = interface,
                                  .rate = {.bitrate = 1000000, .data_bitrate = data_bitrate},
                                  .queue_frames = 12,
                                  .filter = &filter,
                                  .n_filters = 1};
    return can_open(&spec, ret_note, ret_why, WHY_CHARS);
}

static void what_is_wrong_with_an_interface_is_said(void **state)
{
    char note[WHY_CHARS], why[WHY_CHARS] = "";
    (void)state;
    assert_int_equal(open_it("vcan2", 0, note, why), -ENETDOWN);
    assert_string_equal(why, "vcan2 is down: ip link set vcan2 up type can bitrate 1000000 "
                             "restart-ms 0");
    assert_int_equal(open_it("vcan1", 5000000, note, why), -EPROTONOSUPPORT);
    assert_string_equal(why, "vcan1 is set up for classic CAN, bus.data_bitrate wants CAN FD: ip "
                             "link set vcan1 up type can bitrate 1000000 dbitrate 5000000 fd on "
                             "restart-ms 0");
    assert_int_equal(open_it("vcan7", 0, note, why), -ENODEV);
}

/* Others' identifiers do not come in; the errors of the interface do, and no lost arbitration. */
static void the_kernel_filters(void **state)
{
    char note[WHY_CHARS], why[WHY_CHARS] = "";
    const struct canfd_frame out[] = {{.can_id = 0x102, .len = 1},
                                      {.can_id = CAN_ERR_FLAG | CAN_ERR_LOSTARB, .len = 8},
                                      {.can_id = CAN_ERR_FLAG | CAN_ERR_BUSOFF, .len = 8},
                                      {.can_id = 0x101, .len = 1},
                                      {.can_id = 0x101, .len = 12, .flags = CANFD_FDF}};
    struct canfd_frame in[8];
    int64_t age_ns;
    (void)state;
    const int a = open_it("vcan0", 5000000, note, why), b = open_it("vcan0", 5000000, note, why);
    const int classic = open_it("vcan0", 0, note, why);
    assert_true(a >= 0 && b >= 0 && classic >= 0);
    assert_int_equal(can_write(a, out, sizeof out), sizeof out);
    assert_int_equal(can_wait(b, bench_now_ns() + PATIENCE_NS), 1);
    assert_int_equal(can_read(b, in, sizeof in, &age_ns), 3 * CANFD_MTU);
    assert_int_equal(in[0].can_id, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    assert_int_equal(in[1].can_id, 0x101);
    assert_int_equal(in[1].flags & CANFD_FDF, 0);
    assert_int_equal(in[2].len, 12);
    assert_int_equal(in[2].flags & CANFD_FDF, CANFD_FDF);
    assert_true(age_ns > 0);
    assert_int_equal(can_read(a, in, sizeof in, &age_ns), 0); /* never its own */
    assert_int_equal(can_read(classic, in, sizeof in, &age_ns), 2 * CANFD_MTU);
    (void)close(a);
    (void)close(b);
    (void)close(classic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_robot_on_classic_can, setup, teardown),
        cmocka_unit_test_setup_teardown(a_robot_on_can_fd, setup, teardown),
        cmocka_unit_test(what_is_wrong_with_an_interface_is_said),
        cmocka_unit_test(the_kernel_filters),
    };
    const int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);
    if (fd < 0 || if_nametoindex("vcan0") == 0 || if_nametoindex("vcan1") == 0 ||
        if_nametoindex("vcan2") == 0) {
        (void)printf("skipped: %s\n", fd < 0 ? "this kernel has no CAN sockets"
                                             : "no vcan0, vcan1, vcan2: tests/system/ci_vcan.sh");
        return 77;
    }
    (void)close(fd);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
