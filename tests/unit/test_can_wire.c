/* The emulated CAN bus: who goes first, how long it takes to the bit, and its faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/firmware/can_wire.h"
#include "tests/unit/can_double.h"

#include <linux/can/error.h>

#define MOTORS 3

struct desk {
    struct robot robot;
    struct can_wire wire;
    struct double_motor motor[MOTORS];
    struct robot_bus bus; /* for the driver's frames */
};

static void open_desk(struct desk *d, int data_bitrate)
{
    const struct double_config c = {.mute_s = 0};
    memset(d, 0, sizeof *d);
    d->robot.n_joints = MOTORS;
    d->bus = (struct robot_bus){.robot = &d->robot, .spec = &d->robot.bus[0], .n = MOTORS};
    d->robot.bus[0].data_bitrate = data_bitrate;
    d->wire.config.rate = (struct cantime){.bitrate = 1000000, .data_bitrate = data_bitrate};
    rng_seed(&d->wire.st.rng, 1);
    for (int j = 0; j < MOTORS; j++) {
        d->robot.joint[j].id = j + 1;
        d->bus.joint[j] = j;
        d->wire.device[j] = &device_double;
        d->wire.device_state[j] = &d->motor[j];
        d->wire.n++;
        double_init(&c, &d->robot, j, &d->motor[j]);
    }
}

/* A query to each, at t_ns; returns when the last has ended. */
static int64_t query(struct desk *d, int64_t t_ns, uint32_t bitrate)
{
    const struct command off = {.n = MOTORS};
    struct canfd_frame tx[MOTORS];
    const int n = double_goals(&d->bus, &off, tx, MOTORS);
    return can_wire_host_tx(&d->wire, (const uint8_t *)tx, (size_t)n * CANFD_MTU, t_ns, bitrate);
}

static int hear(struct desk *d, int64_t t_ns, struct canfd_frame *ret_rx, int cap)
{
    can_wire_advance(&d->wire, t_ns);
    const int n = can_wire_host_rx(&d->wire, t_ns, (uint8_t *)ret_rx, (size_t)cap * CANFD_MTU);
    return n > 0 ? n / (int)CANFD_MTU : n;
}

/* Every frame has its time, one after the other; the commands have the lower identifiers and win.
 */
static void frames_take_their_time_in_the_order_of_identifiers(void **state)
{
    struct canfd_frame rx[8];
    struct desk d;
    (void)state;
    for (int fd = 0; fd < 2; fd++) {
        open_desk(&d, fd != 0 ? 5000000 : 0);
        struct canfd_frame tx[MOTORS];
        const struct command off = {.n = MOTORS};
        int64_t end_ns = 1000;
        (void)double_goals(&d.bus, &off, tx, MOTORS);
        for (int j = 0; j < MOTORS; j++) {
            end_ns += cantime_frame_ns(&d.wire.config.rate, &tx[j]);
        }
        assert_int_equal(query(&d, 1000, 1000000), end_ns);
        assert_int_equal(hear(&d, end_ns - 1, rx, 8), 0);
        for (int j = 0; j < MOTORS; j++) { /* all answers were due before the bus was free */
            struct canfd_frame want = {.can_id = DOUBLE_ID + (canid_t)j + 1, .len = 8};
            want.flags = tx[0].flags;
            want.data[1] = DOUBLE_MARK;
            end_ns += cantime_frame_ns(&d.wire.config.rate, &want);
            assert_int_equal(hear(&d, end_ns - 1, rx, 8), 0);
            assert_int_equal(hear(&d, end_ns, rx, 8), 1);
            assert_memory_equal(&rx[0], &want, sizeof want);
        }
        assert_int_equal(can_wire_next_ns(&d.wire), INT64_MAX);
        assert_int_equal(d.wire.st.frames, 2 * MOTORS);
        for (int j = 0; j < MOTORS; j++) { /* all hear all */
            assert_int_equal(d.motor[j].heard, 1);
            assert_int_equal(d.motor[j].others, 2 * MOTORS - 2);
        }
    }
}

/* An answer with a lower identifier goes before the host's next command. */
static void a_lower_identifier_goes_first(void **state)
{
    struct canfd_frame rx[8];
    struct desk d;
    (void)state;
    open_desk(&d, 0);
    struct canfd_frame tx[2] = {double_frame(&d.bus, 0, DOUBLE_QUERY, 0),
                                {.can_id = 0x7FF, .len = 8}};
    const int64_t first_ns = cantime_frame_ns(&d.wire.config.rate, &tx[0]);
    const struct canfd_frame heavy[3] = {tx[0], tx[1], tx[1]};
    (void)can_wire_host_tx(&d.wire, (const uint8_t *)heavy, sizeof heavy, 0, 1000000);
    /* its answer is due in the first of the heavy frames, and goes before the second */
    const int64_t heavy_ns = cantime_frame_ns(&d.wire.config.rate, &tx[1]);
    assert_int_equal(hear(&d, first_ns + heavy_ns, rx, 8), 0);
    assert_int_equal(hear(&d, first_ns + heavy_ns + 160 * NS_PER_US, rx, 8), 1);
    assert_int_equal(d.motor[1].others, 4); /* the second heavy one is under way */
    /* 29-bit identifiers lose against the same 11 bits, remote frames against data */
    open_desk(&d, 0);
    tx[0] = (struct canfd_frame){.can_id = (DOUBLE_ID + 1) << 18 | CAN_EFF_FLAG, .len = 0};
    d.motor[0].due_ns = 0;
    (void)can_wire_host_tx(&d.wire, (const uint8_t *)tx, CANFD_MTU, 0, 1000000);
    assert_int_equal(hear(&d, 150 * NS_PER_US, rx, 8), 1);
    assert_true(d.wire.st.heard_ns > cantime_frame_ns(&d.wire.config.rate, &rx[0]));
}

static void faults_are_those_of_a_can_bus(void **state)
{
    struct canfd_frame rx[16];
    (void)state;
    for (int fault = 0; fault < WIRE_FAULTS; fault++) {
        struct desk d;
        open_desk(&d, 0);
        d.wire.config.p[fault] = 0.5;
        d.wire.config.late_ns = 10 * NS_PER_MS;
        int heard = 0, on_time = 0;
        int64_t t_ns = 0;
        for (int i = 0; i < 200; i++, t_ns += 50 * NS_PER_MS) {
            (void)query(&d, t_ns, 1000000);
            const int soon = hear(&d, t_ns + 6 * NS_PER_MS, rx, 16);
            on_time += soon;
            heard += soon + hear(&d, t_ns + 49 * NS_PER_MS, rx, 16);
            for (int k = 0; k < soon; k++) { /* what comes is whole */
                assert_int_equal(rx[k].data[1], DOUBLE_MARK);
            }
        }
        const int all = 200 * MOTORS, n = (int)d.wire.st.injected[fault];
        assert_true(n > all / 3);
        switch (fault) {
        case WIRE_LOST:
            assert_int_equal(heard, all - n);
            break;
        case WIRE_LATE:
            assert_int_equal(heard, all);
            assert_int_equal(on_time, all - n);
            break;
        case WIRE_DUPLICATED:
            assert_int_equal(heard, all + n);
            break;
        default: /* sent again until it is good */
            assert_int_equal(heard, all);
            assert_int_equal(on_time, all);
            break;
        }
    }
}

/* A destroyed frame costs its own time and that of an error flag. */
static void a_repeat_takes_time(void **state)
{
    struct canfd_frame rx[4];
    struct desk d;
    (void)state;
    open_desk(&d, 0);
    d.wire.config.p[WIRE_CORRUPTED] = 0.5;
    d.motor[0].due_ns = 0;
    int64_t t_ns = 0;
    while (hear(&d, t_ns, rx, 4) == 0) {
        t_ns += NS_PER_US;
    }
    const int64_t n = (int64_t)d.wire.st.injected[WIRE_CORRUPTED],
                  took_ns = cantime_frame_ns(&d.wire.config.rate, &rx[0]);
    assert_int_equal(t_ns, (n + 1) * took_ns + n * 20 * NS_PER_US);
}

static void bus_off_is_said_and_empties_the_queue(void **state)
{
    struct canfd_frame rx[8];
    struct desk d;
    (void)state;
    open_desk(&d, 0);
    d.wire.config.off_from_ns = 150 * NS_PER_US; /* in the second frame */
    d.wire.config.off_to_ns = 5 * NS_PER_MS;
    (void)query(&d, 0, 1000000);
    assert_int_equal(hear(&d, 2 * NS_PER_MS, rx, 8), 1);
    assert_int_equal(rx[0].can_id, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    assert_int_equal(d.motor[2].heard, 0);
    assert_int_equal(hear(&d, 3 * NS_PER_MS, rx, 8), -EIO);
    (void)query(&d, 4 * NS_PER_MS, 1000000); /* goes nowhere */
    assert_int_equal(hear(&d, 5 * NS_PER_MS, rx, 8), 0);
    assert_int_equal(d.motor[2].heard, 0);
    (void)query(&d, 6 * NS_PER_MS, 1000000);
    assert_int_equal(hear(&d, 9 * NS_PER_MS, rx, 8), MOTORS);
}

static void unplugged_and_at_another_rate_nobody_hears(void **state)
{
    struct canfd_frame rx[8];
    struct desk d;
    (void)state;
    open_desk(&d, 0);
    d.wire.config.away_from_ns = 10 * NS_PER_MS;
    d.wire.config.away_to_ns = 20 * NS_PER_MS;
    (void)query(&d, 0, 500000);
    assert_int_equal(hear(&d, 5 * NS_PER_MS, rx, 8), 1);
    assert_int_equal(rx[0].can_id, CAN_ERR_FLAG | CAN_ERR_ACK | CAN_ERR_CRTL);
    (void)query(&d, 12 * NS_PER_MS, 1000000);
    assert_int_equal(hear(&d, 15 * NS_PER_MS, rx, 8), -EIO);
    assert_int_equal(hear(&d, 25 * NS_PER_MS, rx, 8), 0);
    assert_int_equal(d.motor[0].heard, 0);
}

/* Another host's frames come when nobody asked, and are on the bus like any. */
static void a_stranger_speaks_unasked(void **state)
{
    struct canfd_frame rx[8];
    struct desk d;
    (void)state;
    open_desk(&d, 0);
    d.wire.config.stranger_ns = 5 * NS_PER_MS;
    assert_int_equal(can_wire_next_ns(&d.wire), 5 * NS_PER_MS);
    assert_int_equal(hear(&d, 5 * NS_PER_MS, rx, 8), 0); /* it has only begun */
    assert_int_equal(hear(&d, 16 * NS_PER_MS, rx, 8), 3);
    assert_true(rx[0].can_id == 0x6A5 && rx[2].len == 2);
    assert_int_equal(d.wire.st.frames, 3);
    assert_int_equal(d.motor[0].others, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_take_their_time_in_the_order_of_identifiers),
        cmocka_unit_test(a_lower_identifier_goes_first),
        cmocka_unit_test(faults_are_those_of_a_can_bus),
        cmocka_unit_test(a_repeat_takes_time),
        cmocka_unit_test(bus_off_is_said_and_empties_the_queue),
        cmocka_unit_test(unplugged_and_at_another_rate_nobody_hears),
        cmocka_unit_test(a_stranger_speaks_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
