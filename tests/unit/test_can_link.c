/*
 * How the kernel says that a CAN interface is set up, in answers made by hand as rtnetlink lays
 * them out; what is wanted of it; and that one program has it at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/io/can_link.h"

#include <errno.h>
#include <linux/can/netlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NESTED 0x8000u /* a flag beside an attribute's type */

struct answer {
    uint8_t bytes[1024];
    size_t n;
};

static void put(struct answer *a, const void *x, size_t n)
{
    assert_true(a->n + n <= sizeof a->bytes);
    memcpy(a->bytes + a->n, x, n);
    a->n += n;
}

static void put_attribute(struct answer *a, unsigned type, const void *value, size_t n)
{
    const struct rtattr head = {.rta_len = (unsigned short)(sizeof head + n),
                                .rta_type = (unsigned short)type};
    put(a, &head, sizeof head);
    put(a, value, n);
    a->n = RTA_ALIGN(a->n);
}

static void put_list(struct answer *a, unsigned type, const struct answer *list)
{
    put_attribute(a, type | NESTED, list->bytes, list->n);
}

static void put_number(struct answer *a, unsigned type, uint32_t x)
{
    put_attribute(a, type, &x, sizeof x);
}

/* Header and link, to be filled with attributes, then ended. */
static struct answer begin(unsigned type)
{
    struct answer a = {.n = 0};
    const struct nlmsghdr h = {.nlmsg_type = (unsigned short)type};
    const struct ifinfomsg i = {.ifi_index = 3};
    put(&a, &h, sizeof h);
    put(&a, &i, sizeof i);
    return a;
}

static void end(struct answer *a)
{
    const uint32_t n = (uint32_t)a->n;
    memcpy(a->bytes, &n, sizeof n);
}

static struct answer answer_of(const char *kind, const struct can_link *l)
{
    struct answer a = begin(RTM_NEWLINK), info = {.n = 0}, data = {.n = 0};
    const struct can_bittiming slow = {.bitrate = l->bitrate, .sample_point = 875, .tq = 25};
    const struct can_bittiming fast = {.bitrate = l->data_bitrate, .sample_point = 750};
    const struct can_ctrlmode mode = {.mask = UINT32_MAX, .flags = l->modes};
    put_attribute(&a, IFLA_IFNAME, "can0", 5);
    put_number(&a, IFLA_TXQLEN, l->queue_frames);
    put_attribute(&data, IFLA_CAN_BITTIMING, &slow, sizeof slow);
    put_number(&data, IFLA_CAN_STATE, CAN_STATE_ERROR_ACTIVE);
    put_attribute(&data, IFLA_CAN_CTRLMODE, &mode, sizeof mode);
    put_number(&data, IFLA_CAN_RESTART_MS, l->restart_ms);
    put_attribute(&data, IFLA_CAN_DATA_BITTIMING, &fast, sizeof fast);
    put_attribute(&info, IFLA_INFO_KIND, kind, strlen(kind));
    put_list(&info, IFLA_INFO_DATA, &data);
    put_list(&a, IFLA_LINKINFO, &info);
    put_number(&a, IFLA_GROUP, 0);
    end(&a);
    return a;
}

static void an_answer_is_taken_apart(void **state)
{
    (void)state;
    const struct can_link want = {.bitrate = 1000000,
                                  .data_bitrate = 5000000,
                                  .restart_ms = 100,
                                  .modes = CAN_CTRLMODE_FD,
                                  .queue_frames = 12};
    const struct answer a = answer_of("can", &want);
    struct can_link l;
    assert_int_equal(can_link_parse(a.bytes, a.n, &l), 0);
    assert_string_equal(l.kind, "can");
    assert_true(l.bitrate == 1000000 && l.data_bitrate == 5000000 && l.restart_ms == 100);
    assert_true(l.modes == CAN_CTRLMODE_FD && l.queue_frames == 12);
    const struct answer other = answer_of("a_kind_with_a_long_name", &want);
    assert_int_equal(can_link_parse(other.bytes, other.n, &l), 0);
    assert_string_equal(l.kind, "a_kind_with_a_l"); /* its numbers mean something else */
    assert_true(l.bitrate == 0 && l.restart_ms == 0 && l.queue_frames == 12);
}

/* Cut anywhere, or with a length that lies: refused, or read as far as it is whole; never beyond.
 */
static void a_damaged_one_is_none(void **state)
{
    (void)state;
    const struct can_link want = {.bitrate = 500000, .queue_frames = 10};
    const struct answer a = answer_of("can", &want);
    for (size_t n = 0; n < a.n; n++) {
        struct can_link l;
        uint8_t *cut = malloc(n + 1);
        assert_non_null(cut);
        memcpy(cut, a.bytes, n);
        assert_int_equal(can_link_parse(cut, n, &l), -EBADMSG);
        if (n >= sizeof(struct nlmsghdr)) { /* and says that this is all */
            const uint32_t all = (uint32_t)n;
            memcpy(cut, &all, sizeof all);
            const int rc = can_link_parse(cut, n, &l);
            assert_true(rc == -EBADMSG || (rc == 0 && (l.bitrate == 0 || l.bitrate == 500000)));
        }
        free(cut);
    }
}

static void the_kernels_refusal_is_passed_on(void **state)
{
    (void)state;
    struct answer a = {.n = 0};
    struct can_link l;
    const struct nlmsghdr h = {.nlmsg_type = NLMSG_ERROR};
    const int error = -ENODEV, none = 0;
    put(&a, &h, sizeof h);
    put(&a, &error, sizeof error);
    end(&a);
    assert_int_equal(can_link_parse(a.bytes, a.n, &l), -ENODEV);
    memcpy(a.bytes + sizeof h, &none, sizeof none);
    assert_int_equal(can_link_parse(a.bytes, a.n, &l), -EBADMSG);
    struct answer b = begin(RTM_DELLINK);
    end(&b);
    assert_int_equal(can_link_parse(b.bytes, b.n, &l), -EBADMSG);
}

static const struct can_spec classic = {.interface = "can0", .rate = {.bitrate = 1000000}};
static const struct can_spec fd = {.interface = "can1",
                                   .rate = {.bitrate = 1000000, .data_bitrate = 5000000}};

static void what_is_not_as_wanted_says_the_command(void **state)
{
    (void)state;

    static const struct {
        const struct can_spec *spec;
        struct can_link link;
        const char *says; /* NULL: good */
    } rows[] = {
        {&classic, {.bitrate = 1000000}, NULL},
        {&classic, {.kind = "vcan"}, NULL},
        {&classic, {.bitrate = 1000000, .data_bitrate = 2000000, .modes = CAN_CTRLMODE_FD}, NULL},
        {&fd, {.bitrate = 1000000, .data_bitrate = 5000000, .modes = CAN_CTRLMODE_FD}, NULL},
        {&classic,
         {.bitrate = 500000},
         "can0 runs at 500000 bit/s, bus.bitrate is 1000000: ip link set can0 down, then ip link "
         "set can0 up type can bitrate 1000000 restart-ms 0"},
        {&fd,
         {.bitrate = 1000000, .data_bitrate = 2000000},
         "can1 sends data at 2000000 bit/s, bus.data_bitrate is 5000000: ip link set can1 down, "
         "then ip link set can1 up type can bitrate 1000000 dbitrate 5000000 fd on restart-ms 0"},
        {&classic,
         {.bitrate = 1000000, .modes = CAN_CTRLMODE_LISTENONLY},
         "can0 only listens (listen-only on): "},
        {&classic,
         {.bitrate = 1000000, .restart_ms = 100},
         "can0 goes back to the bus 100 ms after bus-off, and sends what was queued before: "},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char reason[WHY_CHARS] = "";
        const int rc = can_link_judge(rows[i].spec, &rows[i].link, reason, sizeof reason);
        assert_int_equal(rc, rows[i].says != NULL ? -EINVAL : 0);
        if (rows[i].says != NULL && strstr(reason, rows[i].says) != reason) {
            fail_msg("%s", reason);
        }
    }
}

/* What every machine has: an interface that is none of CAN's. */
static void the_kernel_answers(void **state)
{
    (void)state;
    struct can_link l = {.bitrate = 7};
    const int rc = can_link_ask("lo", &l);
    if (rc == -EPERM || rc == -EACCES || rc == -EAFNOSUPPORT || rc == -EPROTONOSUPPORT) {
        print_message("no rtnetlink here: %s\n", strerror(-rc));
        skip();
    }
    assert_int_equal(rc, 0);
    assert_true(l.kind[0] == '\0' && l.bitrate == 0 && l.restart_ms == 0);
    assert_int_equal(can_link_ask("no_such_link", &l), -ENODEV);
}

static void an_interface_has_one_owner(void **state)
{
    (void)state;
    char name[16], reason[WHY_CHARS] = "", process[32];
    (void)snprintf(name, sizeof name, "t%d", (int)getpid());
    const int first = can_link_lock(name, reason, sizeof reason);
    assert_true(first >= 0);
    assert_int_equal(can_link_lock(name, reason, sizeof reason), -EBUSY);
    (void)snprintf(process, sizeof process, "process %d:", (int)getpid());
    assert_non_null(strstr(reason, " belongs to another basald, "));
    assert_non_null(strstr(reason, process));
    assert_non_null(strstr(reason, name));
    (void)snprintf(name, sizeof name, "u%d", (int)getpid());
    const int other = can_link_lock(name, reason, sizeof reason);
    assert_true(other >= 0);
    assert_int_equal(close(other), 0);
    (void)snprintf(name, sizeof name, "t%d", (int)getpid());
    assert_int_equal(close(first), 0);
    const int again = can_link_lock(name, reason, sizeof reason);
    assert_true(again >= 0);
    assert_int_equal(close(again), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_apart),
        cmocka_unit_test(a_damaged_one_is_none),
        cmocka_unit_test(the_kernels_refusal_is_passed_on),
        cmocka_unit_test(what_is_not_as_wanted_says_the_command),
        cmocka_unit_test(the_kernel_answers),
        cmocka_unit_test(an_interface_has_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
