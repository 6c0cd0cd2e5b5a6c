/*
 * The emulated servo on its line: what it answers to the manual's requests, byte by byte, what it
 * refuses, and when.
 */
#include "tests/unit/desk_fixture.h"
#include "tests/unit/hex.h"

#include <stdlib.h>

#define ALL DXL_BROADCAST

static int open_desk(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    *state = d;
    if (d != NULL) {
        desk_init(d, 3, true);
        desk_power(d);
    }
    return d != NULL ? 0 : -1;
}

static int close_desk(void **state)
{
    free(*state);
    return 0;
}

/* Whatever comes back within 5 ms to these bytes. */
static size_t exchange(struct desk *d, const uint8_t *tx, size_t n, uint8_t *ret_rx, size_t cap)
{
    const int64_t until_ns = d->now_ns + 5 * NS_PER_MS;
    size_t n_rx = 0;
    (void)wire_host_tx(&d->wire, tx, n, d->now_ns, (uint32_t)d->robot.bus[0].baud);
    while (d->now_ns < until_ns) {
        n_rx += (size_t)desk_hear(d, until_ns, ret_rx + n_rx, cap - n_rx);
    }
    return n_rx;
}

/* One request and its one status; the error byte, or -1: silence. */
static int request(struct desk *d, uint8_t id, uint8_t instruction, const char *params,
                   struct dxl_packet *ret_packet)
{
    uint8_t p[64], tx[128], rx[256];
    const size_t n_params = hex(params, p, sizeof p);
    const int n = dxl_build(id, instruction, p, n_params, tx, sizeof tx);
    const size_t n_rx = exchange(d, tx, (size_t)n, rx, sizeof rx);
    if (n_rx == 0) {
        return -1;
    }
    assert_int_equal(dxl_parse(rx, n_rx, ret_packet), n_rx);
    assert_int_equal(ret_packet->instruction, DXL_STATUS);
    return ret_packet->error;
}

static void assert_error(struct desk *d, uint8_t instruction, const char *params, int error)
{
    struct dxl_packet p;
    const int got = request(d, 1, instruction, params, &p);
    if (got != error) {
        fail_msg("instruction %02X %s: error %d instead of %d", instruction, params, got, error);
    }
}

static void it_answers_as_the_manual_shows(void **state)
{
    struct desk *d = *state;

    /* clang-format off */
    static const struct {
        const char *asked, *answered;
    } pairs[] = {
        {"FF FF FD 00 01 07 00 02 84 00 04 00 1D 15", "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0"},
        {"FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89", "FF FF FD 00 01 04 00 55 00 A1 0C"},
        {"FF FF FD 00 01 06 00 03 62 00 05 68 E4", "FF FF FD 00 01 04 00 55 00 A1 0C"},
        {"FF FF FD 00 01 09 00 04 68 00 C8 00 00 00 AE 8E", "FF FF FD 00 01 04 00 55 00 A1 0C"},
        {"FF FF FD 00 01 03 00 05 02 CE", "FF FF FD 00 01 04 00 55 00 A1 0C"},
        {"FF FF FD 00 01 08 00 10 01 44 58 4C 22 B1 DC", "FF FF FD 00 01 04 00 55 00 A1 0C"},
        {"FF FF FD 00 FE 0D 00 92 01 90 00 02 00 02 92 00 01 00 1A 05",
         "FF FF FD 00 01 06 00 55 00 77 00 C3 69 FF FF FD 00 02 05 00 55 00 24 8B A9"},
        {"FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87", ""},
        {"FF FF FD 00 FE 0A 00 8A 84 00 04 00 03 07 04 20 F2", ""}, /* the first of the list is not there */
        {"FF FF FD 00 01 03 00 08 2F 4E", "FF FF FD 00 01 04 00 55 00 A1 0C"},
    };

    /* clang-format on */
    servo_set(&d->servo[0], DXL_PRESENT_POSITION, 166);
    servo_set(&d->servo[0], DXL_PRESENT_VOLTAGE, 119);
    servo_set(&d->servo[1], DXL_PRESENT_TEMPERATURE, 36);
    servo_set(&d->servo[2], DXL_ID, 9);
    d->substep_ns = NS_PER_S; /* no sensor changes a register */
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        uint8_t tx[64], want[64], rx[256];
        const size_t n = hex(pairs[i].asked, tx, sizeof tx);
        const size_t n_want = hex(pairs[i].answered, want, sizeof want);
        const size_t n_rx = exchange(d, tx, n, rx, sizeof rx);
        if (n_rx != n_want || memcmp(rx, want, n_rx) != 0) {
            fail_msg("%s: %zu bytes instead of %zu, or other ones", pairs[i].asked, n_rx, n_want);
        }
    }
    assert_int_equal(desk_reg(d, 0, DXL_GOAL_POSITION), 0); /* 150, then the reboot */
    assert_int_equal(desk_reg(d, 1, DXL_GOAL_POSITION), 170);
}

static void fast_lists_are_answered_as_one_packet(void **state)
{
    struct desk *d = *state;
    static const int ids[] = {3, 7, 4}, at[] = {166, 2079, 1023};

    /* clang-format off */
    static const struct {
        const char *asked, *answered;
    } pairs[] = {
        {"FF FF FD 00 FE 0A 00 8A 84 00 04 00 03 07 04 20 F2",
         "FF FF FD 00 FE 19 00 55 00 03 A6 00 00 00 84 08 00 07 1F 08 00 00 16 CA 00 04 FF 03 00 00 D1 9E"},
        {"FF FF FD 00 FE 12 00 9A 03 84 00 04 00 07 7C 00 02 00 04 92 00 01 00 DA 2D",
         "FF FF FD 00 FE 14 00 55 00 03 A6 00 00 00 67 A4 00 07 A5 01 24 74 00 04 1F D9 C1"},
    };

    /* clang-format on */
    for (int j = 0; j < 3; j++) {
        servo_set(&d->servo[j], DXL_ID, ids[j]);
        servo_set(&d->servo[j], DXL_PRESENT_POSITION, at[j]);
    }
    servo_set(&d->servo[1], DXL_PRESENT_PWM, 421);
    servo_set(&d->servo[2], DXL_PRESENT_TEMPERATURE, 31);
    d->substep_ns = NS_PER_S;
    for (size_t i = 0; i < 2; i++) {
        uint8_t tx[64], want[64], rx[256];
        const size_t n = hex(pairs[i].asked, tx, sizeof tx);
        const size_t n_want = hex(pairs[i].answered, want, sizeof want);
        assert_int_equal(exchange(d, tx, n, rx, sizeof rx), n_want);
        assert_memory_equal(rx, want, n_want);
        /* the one in the middle is gone: the packet ends before it, and all are well afterwards */
        servo_set(&d->servo[1], DXL_ID, 99);
        assert_int_equal(exchange(d, tx, n, rx, sizeof rx), 16);
        assert_memory_equal(rx, want, 16);
        struct dxl_packet p;
        assert_int_equal(request(d, 4, DXL_PING, "", &p), 0);
        assert_int_equal(request(d, 4, DXL_READ, "84 00 04 00", &p), 0);
        assert_int_equal(dxl_get32(p.params), 1023);
        /* a request that comes too soon is lost in what was waited for, and answered by nobody */
        (void)wire_host_tx(&d->wire, tx, n, d->now_ns, 1000000);
        desk_wait(d, 600 * NS_PER_US);
        assert_int_equal(request(d, 4, DXL_PING, "", &p), -1);
        assert_int_equal(request(d, 4, DXL_PING, "", &p), 0);
        servo_set(&d->servo[1], DXL_ID, 7);
    }
    /* a list whose packet would be longer than any servo's memory is not answered */
    assert_int_equal(request(d, ALL, DXL_FAST_SYNC_READ,
                             "78 00 80 00 0A 0B 0C 0D 0E 0F 10 11 12 03", &(struct dxl_packet){0}),
                     -1);
}

static void writes_are_checked(void **state)
{
    struct desk *d = *state;
    assert_error(d, DXL_WRITE, "0B 00 04", 0);                 /* mode, torque off */
    assert_error(d, DXL_WRITE, "40 00 01", 0);                 /* torque on */
    assert_error(d, DXL_WRITE, "0B 00 03", DXL_ERR_ACCESS);    /* non-volatile now */
    assert_error(d, DXL_WRITE, "78 00 00", DXL_ERR_ACCESS);    /* read-only */
    assert_error(d, DXL_WRITE, "0E 00 00", DXL_ERR_ACCESS);    /* not there */
    assert_error(d, DXL_WRITE, "E0 00 00", DXL_ERR_ACCESS);    /* indirect data: not emulated */
    assert_error(d, DXL_WRITE, "66 00 10 00", DXL_ERR_ACCESS); /* an XL430 has no current goal */
    assert_error(d, DXL_WRITE, "40 00 02", DXL_ERR_RANGE);
    assert_error(d, DXL_WRITE, "64 00 10", DXL_ERR_LENGTH);
    assert_error(d, DXL_WRITE, "64 00 76 03", DXL_ERR_RANGE); /* Goal PWM 886 */
    assert_error(d, DXL_WRITE, "40 00", DXL_ERR_LENGTH);
    assert_error(d, DXL_WRITE, "40 00 00", 0);
    assert_error(d, DXL_WRITE, "0B 00 03", 0);
    assert_error(d, DXL_WRITE, "30 00 E8 03 00 00", 0); /* Max Position 1000 */
    assert_error(d, DXL_WRITE, "74 00 E8 03 00 00", 0);
    assert_error(d, DXL_WRITE, "74 00 E9 03 00 00", DXL_ERR_LIMIT);
    assert_error(d, DXL_WRITE, "24 00 64 00", 0); /* PWM Limit 100 */
    assert_error(d, DXL_WRITE, "64 00 65 00", DXL_ERR_LIMIT);
    assert_error(d, DXL_READ, "96 02 01 00", DXL_ERR_ACCESS); /* beyond the table */
    assert_error(d, DXL_READ, "84 00", DXL_ERR_LENGTH);
    assert_error(d, 0x33, "", DXL_ERR_INSTRUCTION);
    assert_error(d, DXL_ACTION, "", DXL_ERR_INSTRUCTION); /* nothing is registered */
    assert_error(d, DXL_CLEAR, "01 44 58 4C 23", DXL_ERR_RANGE);
    struct dxl_packet p; /* a list that writes nothing, nowhere */
    assert_int_equal(request(d, ALL, DXL_BULK_WRITE, "01 00 07 00 00", &p), -1);
}

static void a_mode_brings_its_own_defaults(void **state)
{
    struct desk *d = *state;
    assert_error(d, DXL_WRITE, "54 00 20 03", 0); /* P 800 */
    assert_error(d, DXL_WRITE, "70 00 64 00 00 00", 0);
    assert_error(d, DXL_WRITE, "0B 00 04", 0);
    assert_int_equal(desk_reg(d, 0, DXL_POSITION_P), 640);
    assert_int_equal(desk_reg(d, 0, DXL_PROFILE_VELOCITY), 0);
}

static void registered_writes_wait_for_action(void **state)
{
    struct desk *d = *state;
    assert_error(d, DXL_REG_WRITE, "74 00 00 02 00 00", 0);
    assert_int_equal(desk_reg(d, 0, DXL_REGISTERED), 1);
    assert_int_equal(desk_reg(d, 0, DXL_GOAL_POSITION), 0);
    assert_error(d, DXL_ACTION, "", 0);
    assert_int_equal(desk_reg(d, 0, DXL_GOAL_POSITION), 512);
    assert_error(d, DXL_REG_WRITE, "78 00 00 00", DXL_ERR_ACCESS);
}

static void reboot_is_silence_and_a_new_clock(void **state)
{
    struct desk *d = *state;
    struct dxl_packet p;
    assert_error(d, DXL_WRITE, "40 00 01", 0);
    desk_wait(d, 3 * NS_PER_S);
    assert_int_equal(desk_reg(d, 0, DXL_TORQUE_ENABLE), 1);
    assert_int_equal(request(d, 1, DXL_REBOOT, "", &p), 0); /* it says so, then goes */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(request(d, 1, DXL_PING, "", &p), -1);
        desk_wait(d, 50 * NS_PER_MS);
    }
    desk_wait(d, 500 * NS_PER_MS);
    assert_int_equal(request(d, 1, DXL_PING, "", &p), 0);
    assert_int_equal(desk_reg(d, 0, DXL_TORQUE_ENABLE), 0);
    assert_in_range(desk_reg(d, 0, DXL_TICK), 0, 700);
}

static void resets_and_backups_keep_what_they_say(void **state)
{
    struct desk *d = *state;
    struct dxl_packet p;
    assert_error(d, DXL_BACKUP, "02 43 54 52 4C", DXL_ERR_RESULT); /* there is none */
    assert_error(d, DXL_WRITE, "30 00 E8 03 00 00", 0);
    assert_error(d, DXL_WRITE, "40 00 01", 0);
    assert_error(d, DXL_BACKUP, "01 43 54 52 4C", DXL_ERR_ACCESS);
    assert_error(d, DXL_WRITE, "40 00 00", 0);
    assert_error(d, DXL_BACKUP, "01 43 54 52 4C", 0);
    assert_error(d, DXL_FACTORY_RESET, "02", 0); /* all but id and baud rate */
    assert_int_equal(desk_reg(d, 0, DXL_POSITION_MAX), 4095);
    assert_int_equal(desk_reg(d, 0, DXL_BAUD), 3);
    assert_error(d, DXL_BACKUP, "02 43 54 52 4C", 0);
    desk_wait(d, NS_PER_S);
    assert_int_equal(desk_reg(d, 0, DXL_POSITION_MAX), 1000);
    (void)request(d, ALL, DXL_FACTORY_RESET, "FF", &p); /* ids of all to 1: ignored */
    assert_int_equal(desk_reg(d, 1, DXL_ID), 2);
    assert_error(d, DXL_FACTORY_RESET, "01", 0);
    assert_int_equal(desk_reg(d, 0, DXL_BAUD), 1);
    assert_int_equal(desk_reg(d, 0, DXL_ID), 1);
}

static void status_level_decides_who_answers(void **state)
{
    struct desk *d = *state;

    static const struct {
        int level, read, write, sync;
    } rows[] = {{0, -1, -1, -1}, {1, 0, -1, 0}, {2, 0, 0, 0}};
    struct dxl_packet p;
    for (int i = 0; i < 3; i++) {
        servo_set(&d->servo[0], DXL_STATUS_LEVEL, rows[i].level);
        assert_int_equal(request(d, 1, DXL_PING, "", &p), 0);
        assert_int_equal(request(d, 1, DXL_READ, "84 00 04 00", &p), rows[i].read);
        assert_int_equal(request(d, 1, DXL_WRITE, "41 00 01", &p), rows[i].write);
        assert_int_equal(request(d, ALL, DXL_SYNC_READ, "84 00 04 00 01", &p), rows[i].sync);
    }
}

static void damage_and_pauses_are_not_obeyed(void **state)
{
    struct desk *d = *state;
    uint8_t tx[32], rx[64];
    struct dxl_packet p;
    const size_t n = hex("FF FF FD 00 01 06 00 03 41 00 01 CC 6A", tx, sizeof tx);
    dxl_put16(tx + n - 2, dxl_crc(0, tx, n - 2));
    tx[n - 1] ^= 1;
    assert_int_equal(dxl_parse(rx, exchange(d, tx, n, rx, sizeof rx), &p), 11);
    assert_int_equal(p.error, DXL_ERR_CRC);
    assert_int_equal(desk_reg(d, 0, DXL_LED), 0);
    tx[n - 1] ^= 1;
    for (size_t cut = 1; cut < n; cut++) { /* in two pieces: at once, and after 2 ms */
        for (int64_t pause_ns = 0; pause_ns <= 2 * NS_PER_MS; pause_ns += 2 * NS_PER_MS) {
            servo_set(&d->servo[0], DXL_LED, 0);
            (void)wire_host_tx(&d->wire, tx, cut, d->now_ns, 1000000);
            desk_wait(d, pause_ns);
            (void)exchange(d, tx + cut, n - cut, rx, sizeof rx);
            assert_int_equal(desk_reg(d, 0, DXL_LED), pause_ns == 0);
        }
    }
}

/* Return delay and turnaround before each status, 10 bits a byte. */
static void time_is_that_of_the_wire(void **state)
{
    struct desk *d = *state;
    for (int delay = 0; delay <= 250; delay += 250) {
        uint8_t tx[32], rx[64];
        desk_wait(d, NS_PER_MS);
        servo_set(&d->servo[0], DXL_RETURN_DELAY, delay);
        const int n = dxl_build(1, DXL_PING, NULL, 0, tx, sizeof tx);
        const int64_t start_ns = d->now_ns;
        const int64_t sent_ns = wire_host_tx(&d->wire, tx, (size_t)n, start_ns, 1000000);
        assert_int_equal(sent_ns - start_ns, 100000); /* ten bytes at 1 Mbaud */
        size_t got = 0;
        while (got < 14) {
            got += (size_t)desk_hear(d, d->now_ns + NS_PER_MS, rx, 1);
        }
        assert_int_equal(d->now_ns - sent_ns, 20000 + delay * 2000 + 140000);
    }
}

static void a_new_servo_is_as_delivered(void **state)
{
    struct desk *d = *state;
    struct dxl_packet p;
    desk_init(d, 1, false);
    d->device[0].factory_new = true;
    d->robot.joint[0].id = 5;
    desk_power(d);
    assert_int_equal(request(d, 5, DXL_PING, "", &p), -1);
    assert_int_equal(request(d, 1, DXL_PING, "", &p), -1); /* another rate: noise */
    d->robot.bus[0].baud = 57600;
    desk_wait(d, 10 * NS_PER_MS);
    assert_int_equal(request(d, 1, DXL_PING, "", &p), 0);
    assert_int_equal(desk_reg(d, 0, DXL_RETURN_DELAY), 250);
    assert_error(d, DXL_WRITE, "08 00 03", 0); /* answered at the old rate */
    assert_int_equal(request(d, 1, DXL_PING, "", &p), -1);
    d->robot.bus[0].baud = 1000000;
    assert_int_equal(request(d, 1, DXL_PING, "", &p), 0);
}

/* Each in its turn; who is silent silences those after it; all answer a ping in their own time. */
static void lists_are_answered_in_order(void **state)
{
    struct desk *d = *state;
    uint8_t tx[32], rx[256];
    const uint8_t list[] = {0x84, 0, 4, 0, 3, 1, 2};
    int n = dxl_build(ALL, DXL_SYNC_READ, list, sizeof list, tx, sizeof tx);
    assert_int_equal(exchange(d, tx, (size_t)n, rx, sizeof rx), 45);
    assert_true(rx[4] == 3 && rx[19] == 1 && rx[34] == 2);
    servo_set(&d->servo[0], DXL_ID, 99);
    assert_int_equal(exchange(d, tx, (size_t)n, rx, sizeof rx), 15);
    servo_set(&d->servo[0], DXL_ID, 1);
    n = dxl_build(ALL, DXL_PING, NULL, 0, tx, sizeof tx);
    (void)wire_host_tx(&d->wire, tx, (size_t)n, d->now_ns, 1000000);
    for (int j = 0; j < 3; j++) {
        struct dxl_packet p;
        size_t got = 0;
        while (got < 14) {
            got += (size_t)desk_hear(d, d->now_ns + 20 * NS_PER_MS, rx + got, 14 - got);
        }
        assert_int_equal(dxl_parse(rx, got, &p), 14);
        assert_int_equal(p.id, j + 1);
    }
}

/* Another host's bytes come when nobody asked, at their own pace, and are answered by nobody. */
static void a_stranger_speaks_unasked(void **state)
{
    struct desk *d = *state;
    uint8_t rx[64];
    const int64_t every_ns = 20 * NS_PER_MS, from_ns = d->now_ns;
    d->wire.config.stranger_ns = every_ns;
    d->wire.st.stranger_ns = from_ns;
    wire_advance(&d->wire, from_ns + every_ns - 1);
    assert_int_equal(wire_host_rx(&d->wire, from_ns + every_ns - 1, rx, sizeof rx), 0);
    assert_int_equal(wire_next_ns(&d->wire), from_ns + every_ns);
    wire_advance(&d->wire, from_ns + 3 * every_ns);
    assert_int_equal(wire_host_rx(&d->wire, from_ns + 4 * every_ns - 1, rx, sizeof rx), 18);
    d->wire.config.stranger_ns = 0;
    assert_int_equal(wire_next_ns(&d->wire), INT64_MAX);
}

/* A servo that has another id than its joint. */
static void an_id_may_be_another_one(void **state)
{
    struct desk *d = *state;
    struct dxl_packet p;
    struct dxl_device_config c = d->servo[0].c;
    c.id = 77;
    device_find("dynamixel")->init(&c, &d->robot, 0, &d->servo[0]);
    assert_int_equal(request(d, 1, DXL_PING, "", &p), -1);
    assert_int_equal(request(d, 77, DXL_PING, "", &p), 0);
    assert_int_equal(p.id, 77);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)
    const struct CMUnitTest tests[] = {
        TEST(it_answers_as_the_manual_shows),
        TEST(fast_lists_are_answered_as_one_packet),
        TEST(writes_are_checked),
        TEST(a_mode_brings_its_own_defaults),
        TEST(registered_writes_wait_for_action),
        TEST(reboot_is_silence_and_a_new_clock),
        TEST(resets_and_backups_keep_what_they_say),
        TEST(status_level_decides_who_answers),
        TEST(damage_and_pauses_are_not_obeyed),
        TEST(time_is_that_of_the_wire),
        TEST(a_new_servo_is_as_delivered),
        TEST(lists_are_answered_in_order),
        TEST(a_stranger_speaks_unasked),
        TEST(an_id_may_be_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
