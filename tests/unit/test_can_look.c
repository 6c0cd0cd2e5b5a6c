/* Who is on a CAN bus: the questions of each kind to its own emulated device, its answers, and that
 * no question drives or stops anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/can_look.h"
#include "drivers/damiao_regs.h"
#include "drivers/odrive_regs.h"
#include "drivers/robstride_regs.h"
#include "sim/firmware/device.h"

#include <math.h>
#include <string.h>

#define ID       5
#define STATE    8192
#define STEP_NS  INT64_C(1000000)
#define LATER_NS INT64_C(300000000) /* a heartbeat has come by then */

struct desk {
    struct robot robot;
    const struct can_look *look;
    const struct device *device;
    _Alignas(16) uint8_t state[STATE];
    struct can_seen seen[CAN_LOOK_IDS];
    struct command cmd;
    struct sensed truth;
    int64_t now_ns;
};

static struct desk d;

static void open_desk(const char *kind)
{
    memset(&d, 0, sizeof d);
    d.look = can_driver_find(kind)->look;
    d.device = device_find(kind);
    assert_true(d.look != NULL && d.device != NULL && d.device->state_bytes <= STATE);
    d.robot = (struct robot){.n_joints = 1, .n_buses = 1, .bus = {{.bitrate = 1000000}}};
    d.robot.joint[0] = (struct joint_spec){.id = ID, .sign = 1, .gear = 1.0, .tau_max = 5.0};
    d.truth.n = 1;
    d.device->init(NULL, &d.robot, 0, d.state);
    can_look_begin(d.seen);
}

/* Let time pass and hear whatever comes; returns the frames that were this kind's. */
static int listen(int64_t until_ns)
{
    int ours = 0;
    for (; d.now_ns < until_ns; d.now_ns += STEP_NS) {
        d.device->step(d.state, d.now_ns, &d.truth, &d.cmd);
        while (d.device->due(d.state) <= d.now_ns) {
            struct canfd_frame f;
            if (d.device->tx(d.state, d.now_ns, (uint8_t *)&f, sizeof f) == (int)sizeof f) {
                const int id = d.look->hear(&f, d.seen);
                assert_true(id == ID || id == -1);
                ours += id == ID;
            }
        }
        assert_int_equal(d.cmd.mode[0], MODE_OFF);
    }
    return ours;
}

static void ask(int id)
{
    for (int q = 0; q < d.look->questions; q++) {
        struct canfd_frame f;
        d.look->ask(id, q, &f);
        d.device->rx(d.state, (const uint8_t *)&f, sizeof f, d.now_ns, 1000000);
        (void)listen(d.now_ns + 5 * STEP_NS);
    }
}

static void assert_nobody_but(int id)
{
    for (int i = 0; i < CAN_LOOK_IDS; i++) {
        assert_int_equal(d.seen[i].who.known, i == id);
    }
}

static void a_damiao_tells_all(void **state)
{
    (void)state;
    open_desk("damiao");
    assert_int_equal(listen(LATER_NS), 0); /* it says nothing by itself */
    ask(ID + 1);
    assert_nobody_but(-1);
    ask(ID);
    assert_nobody_but(ID);
    const struct can_seen *z = &d.seen[ID];
    assert_int_equal(z->answers, 1);
    assert_int_equal(z->who.serial, 1000 + ID);
    assert_int_equal(z->who.firmware, 5015);
    assert_true(!z->torque && z->error == 0);
    /* a state with an error: over-current, of the same id by its low half and CAN id */
    struct canfd_frame f = {
        .can_id = ID + DM_MST_ID_MORE, .len = 8, .data = {DM_OVER_CURRENT << 4 | ID, 0x7F, 0xFF}};
    assert_int_equal(d.look->hear(&f, d.seen), ID);
    assert_int_equal(z->error, DM_OVER_CURRENT);
    assert_string_equal(z->error_text, "over-current");
    f.data[0] = DM_ENABLED << 4 | ID;
    assert_int_equal(d.look->hear(&f, d.seen), ID);
    assert_true(z->torque && z->error == 0);
    f.can_id++; /* of nobody that was heard */
    assert_int_equal(d.look->hear(&f, d.seen), -1);
}

static void a_robstride_tells_its_number(void **state)
{
    (void)state;
    open_desk("robstride");
    assert_int_equal(listen(LATER_NS), 0);
    ask(ID + 1);
    assert_nobody_but(-1);
    ask(ID);
    assert_nobody_but(ID);
    const struct can_seen *z = &d.seen[ID];
    assert_true(z->answers == 1 && z->who.serial != 0);
    assert_int_equal(z->who.firmware, -1); /* only a stop would tell */
    const struct canfd_frame f = {.can_id = CAN_EFF_FLAG | (uint32_t)RS_FEEDBACK << 24 |
                                            (uint32_t)(RS_RUN << 6 | RS_HOT) << 16 | ID << 8 | 253,
                                  .len = 8};
    assert_int_equal(d.look->hear(&f, d.seen), ID);
    assert_true(z->torque && z->error == RS_HOT);
    assert_string_equal(z->error_text, "too hot");
}

static void an_odrive_is_heard_first(void **state)
{
    (void)state;
    open_desk("odrive");
    assert_true(d.look->speaks);
    assert_true(listen(LATER_NS) > 0);
    assert_nobody_but(ID);
    assert_int_equal(d.seen[ID].answers, 0);
    ask(ID);
    const struct can_seen *z = &d.seen[ID];
    assert_int_equal(z->answers, 1);
    assert_true(z->who.serial != 0 && z->who.firmware > 0 && z->who.model > 0);
    struct canfd_frame f = {.can_id = ID << ODRIVE_NODE_BITS | ODRIVE_HEARTBEAT,
                            .len = 8,
                            .data = {0, 4, 0, 0, ODRIVE_CLOSED_LOOP}};
    assert_int_equal(d.look->hear(&f, d.seen), ID);
    assert_true(z->torque && z->error == 0x400);
    f.can_id = (ID + 1) << ODRIVE_NODE_BITS | ODRIVE_ADDRESS; /* of one that was not heard */
    assert_int_equal(d.look->hear(&f, d.seen), -1);
}

/* Nothing is asked of what would take a question for a command. */
static void a_cheetah_is_not_asked(void **state)
{
    (void)state;
    assert_null(can_driver_find("cheetah")->look);
}

/* Not theirs: other kinds' frames, short ones, remote ones, errors. */
static void other_frames_are_nobody_s(void **state)
{
    static const char *const kinds[] = {"damiao", "robstride", "odrive"};
    const struct canfd_frame frames[] = {
        {.can_id = 0x123, .len = 3},
        {.can_id = CAN_RTR_FLAG | 0x21},
        {.can_id = CAN_ERR_FLAG | 4, .len = 8},
        {.can_id = DM_REGISTER_ID, .len = 8, .data = {ID, 0, DM_READ, DM_SERIAL}},
        {.can_id = CAN_EFF_FLAG | 0x12345678, .len = 8},
    };
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        open_desk(kinds[k]);
        for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
            assert_int_equal(d.look->hear(&frames[i], d.seen), -1);
        }
        assert_nobody_but(-1);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damiao_tells_all),        cmocka_unit_test(a_robstride_tells_its_number),
        cmocka_unit_test(an_odrive_is_heard_first),  cmocka_unit_test(a_cheetah_is_not_asked),
        cmocka_unit_test(other_frames_are_nobody_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
