/* What doctor says of what was seen: every judgement on facts made by hand; and what it reads of
 * the system, from a folder that looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/folder_fixture.h"

#include "daemon/doctor.h"
#include "daemon/hostlook.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static struct robot robot;
static struct bus_facts facts;
static struct findings all;

static const char *model_name(int model)
{
    return model == 1060 ? "XL430-W250" : "unknown";
}

/* Two joints, both as they should be. */
static int all_well(void **state)
{
    static const struct device_facts good = {
        .asked = 6, .answers = 6, .delay_us = 0, .clears = true};
    (void)state;
    robot = (struct robot){.n_buses = 1, .n_joints = 2};
    robot.bus[0] = (struct bus_spec){.name = "servo", .driver = "dynamixel", .baud = 1000000};
    robot.joint[0] = (struct joint_spec){
        .name = "arm", .id = 1, .model = 1060, .firmware_min = 38, .actuated = true};
    robot.joint[1] = (struct joint_spec){.name = "hand", .id = 2, .model = 1190, .actuated = true};
    facts = (struct bus_facts){.latency_ms = -1, .silent_ms = 300, .model_name = model_name};
    for (int j = 0; j < 2; j++) {
        facts.device[j] = good;
        facts.device[j].id =
            (struct identity){.known = true, .model = robot.joint[j].model, .firmware = 45};
    }
    all.n = 0;
    return 0;
}

static void judge(void)
{
    all.n = 0;
    doctor_bus(&robot, 0, &facts, &all);
}

/* Exactly one finding, which says that of whom. */
static void assert_only(enum finding_level level, const char *where, const char *text)
{
    judge();
    if (all.n != 1 || all.at[0].level != level || strcmp(all.at[0].where, where) != 0 ||
        strstr(all.at[0].text, text) == NULL) {
        for (int i = 0; i < all.n; i++) {
            print_message("%s %s: %s\n", finding_level_name(all.at[i].level), all.at[i].where,
                          all.at[i].text);
        }
        fail_msg("not one finding of %s: %s", where, text);
    }
}

static void all_is_well(void **state)
{
    (void)state;
    assert_only(FINDING_OK, "bus servo", "2 of 2 devices answer at 1000000 bit/s");
    assert_int_equal(findings_worst(&all), FINDING_OK);
}

static void the_port(void **state)
{
    (void)state;
    facts.error = -ENOENT;
    (void)snprintf(facts.why, sizeof facts.why, "there is no /dev/ttyUSB0");
    assert_only(FINDING_FAULT, "bus servo", "there is no /dev/ttyUSB0");
    assert_false(doctor_may_ask(&facts));
    facts.error = -EBUSY;
    (void)snprintf(facts.holders, sizeof facts.holders, "basald (pid 7)");
    assert_only(FINDING_FAULT, "bus servo", "held by basald (pid 7): stop it first");
    facts.error = 0;
    assert_only(FINDING_FAULT, "bus servo", "basald (pid 7) has its device open too");
    facts.holders[0] = '\0';
    (void)snprintf(facts.note, sizeof facts.note, "can0 queues up to 1000 frames");
    assert_only(FINDING_NOTE, "bus servo", "can0 queues up to 1000");
}

static void the_latency_timer(void **state)
{
    (void)state;
    facts.latency_ms = 1;
    assert_only(FINDING_OK, "bus servo", "2 of 2");
    facts.latency_ms = 16;
    assert_only(FINDING_FAULT, "bus servo", "holds short answers back for 16 ms");
    facts.latency_ms = 1;
    facts.latency_set = true;
    judge();
    assert_int_equal(all.n, 2);
    assert_non_null(strstr(all.at[0].text, "fixed: its USB adapter's latency timer is 1 ms now"));
}

static void somebody_else_speaks(void **state)
{
    (void)state;
    facts.heard = 24;
    facts.device[0].answers = 0; /* nobody was asked */
    assert_only(FINDING_FAULT, "bus servo", "24 bytes came in 300 ms in which nothing was asked");
    facts.can = true;
    assert_only(FINDING_FAULT, "bus servo", "24 frames came");
    facts.heard = 0;
    facts.device[0].answers = 6;
    facts.error_frames = 3;
    (void)snprintf(facts.error_why, sizeof facts.error_why, "can0 sees damaged frames");
    assert_only(FINDING_FAULT, "bus servo", "3 error frames: can0 sees damaged frames; both ends");
    facts.error_frames = 0;
    facts.cannot_ask = true;
    assert_only(FINDING_NOTE, "bus servo", "answer nothing but commands: none was asked");
}

static void answers_that_are_too_many_or_too_few(void **state)
{
    (void)state;
    facts.device[0].answers = 12;
    assert_only(FINDING_FAULT, "joint arm", "12 answers to 6 questions: two devices have id 1");
    facts.device[0].answers = 7; /* a late one */
    assert_only(FINDING_OK, "bus servo", "2 of 2");
    facts.device[0].answers = 5;
    assert_only(FINDING_NOTE, "joint arm", "5 of 6 answers came whole and in time");
    facts.device[0].answers = 4;
    facts.device[0].damaged = 20;
    assert_only(FINDING_FAULT, "joint arm", "4 of 6 answers came whole, with 20 damaged bytes");
    facts.device[0].answers = 6;
    assert_only(FINDING_NOTE, "joint arm", "with 20 damaged bytes beside them");
}

static void a_device_that_is_not_there(void **state)
{
    (void)state;
    facts.device[0].answers = 0;
    facts.device[0].id.known = false;
    assert_only(FINDING_FAULT, "joint arm", "nobody answers to id 1: check its power");
    facts.device[0].damaged = 9;
    assert_only(FINDING_FAULT, "joint arm", "id 1 answers what cannot be read: two devices");
    facts.device[0].damaged = 0;
    facts.device[0].rate = 57600;
    assert_only(FINDING_FAULT, "joint arm", "setup-motor --id 1 --baud 57600 arm");
    facts.device[0].rate = 0;
    facts.n_others = 1;
    facts.other[0] = (struct other_facts){.id = 9, .rate = 57600, .who = {.model = 1060}};
    assert_only(FINDING_FAULT, "joint arm",
                "nobody answers to id 1, but id 9 at 57600 bit/s belongs to no joint");
    facts.can = true;
    assert_only(FINDING_FAULT, "joint arm", "with the maker's tool");
    facts.can = false;
    facts.other[0].who.model = 1020; /* another model cannot be the one that is missing */
    judge();
    assert_int_equal(all.n, 2);
    assert_int_equal(all.at[1].level, FINDING_NOTE);
    assert_string_equal(all.at[1].text,
                        "id 9 at 57600 bit/s, model 1020 (unknown), belongs to no joint");
}

/* One cause, and not a finding a joint. */
static void nobody_is_there(void **state)
{
    (void)state;
    for (int j = 0; j < 2; j++) {
        facts.device[j] = (struct device_facts){.asked = 6, .delay_us = -1};
    }
    assert_only(FINDING_FAULT, "bus servo", "none of its 2 devices answers, at any rate");
    facts.device[0].rate = facts.device[1].rate = 57600;
    assert_only(
        FINDING_FAULT, "bus servo",
        "its 2 devices answer at 57600 bit/s, the robot file says 1000000: correct its baud");
    facts.device[1].rate = 115200;
    judge();
    assert_int_equal(all.n, 2);
}

static void models_and_firmware(void **state)
{
    (void)state;
    facts.device[0].id.firmware = 37;
    assert_only(FINDING_FAULT, "joint arm", "firmware 37, at least 38 is wanted");
    facts.device[0].id.firmware = 38;
    assert_only(FINDING_OK, "bus servo", "2 of 2");
    facts.device[0].id.model = 1020;
    assert_only(FINDING_FAULT, "joint arm",
                "id 1 is model 1020 (unknown), the robot file says model 1060 (XL430-W250)");
    facts.device[0].id.model = 1190;
    facts.device[1].id.model = 1060;
    assert_only(FINDING_FAULT, "joint arm", "it and joint hand are swapped: id 1 is model 1190");
    facts.device[0].id.model = 1060;
    facts.device[1].id.model = 1190;
    facts.device[1].id.silence = SILENCE_KEEPS_GOING;
    assert_only(FINDING_FAULT, "joint hand", "it goes on moving when the bus is silent");
    robot.bus[0].accept_no_device_watchdog = true;
    assert_only(FINDING_OK, "bus servo", "2 of 2");
}

static void serial_numbers(void **state)
{
    (void)state;
    robot.joint[0].serial = 1001;
    robot.joint[1].serial = 1002;
    facts.device[0].id.serial = 1001;
    facts.device[1].id.serial = 1002;
    assert_only(FINDING_OK, "bus servo", "2 of 2");
    facts.device[0].id.serial = 77;
    assert_only(FINDING_FAULT, "joint arm", "serial number 77 answers, 1001 is wanted");
    facts.device[0].id.serial = 1002;
    facts.device[1].id.serial = 1001;
    assert_only(FINDING_FAULT, "joint arm",
                "it and joint hand are swapped: each has the serial number of the other");
}

static void errors_and_settings(void **state)
{
    struct device_facts *d = &facts.device[1];
    (void)state;
    d->error = 0x20;
    (void)snprintf(d->error_text, sizeof d->error_text, "overload");
    assert_only(FINDING_FAULT, "joint hand",
                "error 0x20 is latched (overload): remove the cause, then clear it with doctor");
    d->torque = true;
    assert_only(FINDING_FAULT, "joint hand", "switch its torque off (basald --make-safe)");
    d->clears = false;
    assert_only(FINDING_FAULT, "joint hand", "remove the cause, then cycle its power");
    d->cleared = true;
    judge();
    assert_int_equal(findings_worst(&all), FINDING_OK);
    assert_non_null(strstr(all.at[0].text, "fixed: its error (overload) was cleared"));
    *d = facts.device[0];
    d->delay_us = 500;
    d->id.model = 1190;
    assert_only(FINDING_NOTE, "joint hand",
                "waits 500 us before each answer, the robot file says 0");
    d->delay_us = 0;
    d->mute = true;
    d->answers = 0;
    assert_only(FINDING_NOTE, "joint hand", "answers a ping but no read");
}

static void the_machine(void **state)
{
    struct host_facts h = {.folder = "/var/lib/basald", .free_bytes = 1e8, .realtime = true};
    (void)state;
    doctor_host(&h, &all);
    assert_int_equal(all.at[0].level, FINDING_FAULT);
    assert_non_null(strstr(all.at[0].text, "100 MB are free in /var/lib/basald"));
    assert_int_equal(all.at[1].level, FINDING_OK);
    h.free_bytes = 1e9;
    h.realtime = false;
    all.n = 0;
    doctor_host(&h, &all);
    assert_int_equal(all.at[0].level, FINDING_NOTE);
    assert_int_equal(all.at[1].level, FINDING_NOTE);
    h.free_bytes = (double)NAN; /* no such folder: nothing is said of it */
    all.n = 0;
    doctor_host(&h, &all);
    assert_int_equal(all.n, 1);
}

static void ranges_that_nobody_found(void **state)
{
    static struct robot arm = {.n_buses = 1,
                               .n_joints = 3,
                               .joint = {{.name = "pan", .actuated = true, .range_found = true},
                                         {.name = "lift", .actuated = true},
                                         {.name = "wheel"}}};
    struct safety_settings s = {.ranges = RANGES_FILE};
    (void)state;
    all.n = 0;
    doctor_ranges(&arm, &s, &all);
    assert_int_equal(all.n, 0);
    s.ranges = RANGES_FOUND;
    arm.n_buses = 0; /* a body: nobody's hand could */
    doctor_ranges(&arm, &s, &all);
    assert_int_equal(all.n, 0);
    arm.n_buses = 1;
    doctor_ranges(&arm, &s, &all);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.at[0].level, FINDING_NOTE);
    assert_string_equal(all.at[0].where, "joint lift");
    assert_non_null(strstr(all.at[0].text, "was not found on this robot, so it is not armed"));
}

static void no_more_findings_than_there_is_room_for(void **state)
{
    (void)state;
    for (int i = 0; i < FINDINGS_MAX + 3; i++) {
        finding_add(&all, FINDING_NOTE, "bus", "%d", i);
    }
    assert_int_equal(all.n, FINDINGS_MAX);
}

/* --- the system's files --- */

static void write_text(const struct folder *d, const char *name, const char *text)
{
    char path[2 * PATH_CHARS];
    (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void make_folder(const struct folder *d, const char *name)
{
    char path[2 * PATH_CHARS];
    (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void an_adapter_s_latency(void **state)
{
    static const char file[] = "bus/usb-serial/devices/ttyUSB7/latency_timer";
    struct folder d;
    char tty[2 * PATH_CHARS], link[2 * PATH_CHARS];
    (void)state;
    folder_make(&d);
    make_folder(&d, "bus");
    make_folder(&d, "bus/usb-serial");
    make_folder(&d, "bus/usb-serial/devices");
    make_folder(&d, "bus/usb-serial/devices/ttyUSB7");
    write_text(&d, "ttyUSB7", "");
    (void)snprintf(tty, sizeof tty, "%s/ttyUSB7", d.path);
    (void)snprintf(link, sizeof link, "%s/servo", d.path);
    assert_int_equal(symlink(tty, link), 0);
    assert_int_equal(host_latency_ms(d.path, link), -1);
    assert_int_equal(host_latency_ms(d.path, "/nowhere"), -1);
    write_text(&d, file, "16\n");
    assert_int_equal(host_latency_ms(d.path, link), 16);
    assert_int_equal(host_set_latency_ms(d.path, link, 1), 0);
    assert_int_equal(host_latency_ms(d.path, link), 1);
    assert_int_equal(host_set_latency_ms(d.path, "/nowhere", 1), -ENOENT);
    static const char *const bad[] = {"", "\n", "x", "-1\n", "256\n", "99999999999999999999\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text(&d, file, bad[i]);
        assert_int_equal(host_latency_ms(d.path, link), -1);
    }
    folder_remove(&d);
}

static void holds_link(const struct folder *d, const char *name, const char *target)
{
    char path[2 * PATH_CHARS];
    (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
    assert_int_equal(symlink(target, path), 0);
}

static void who_holds_a_device(void **state)
{
    struct folder d;
    char text[64], tty[2 * PATH_CHARS];
    (void)state;
    folder_make(&d);
    write_text(&d, "ttyUSB7", "");
    (void)snprintf(tty, sizeof tty, "%s/ttyUSB7", d.path);
    static const char *const folders[] = {"12", "12/fd", "13", "13/fd", "self", "self/fd", "14"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        make_folder(&d, folders[i]);
    }
    holds_link(&d, "self/fd/3", tty); /* no number: no program */
    holds_link(&d, "13/fd/3", tty);   /* the other side of a pseudo-terminal */
    holds_link(&d, "13/fd/4", "/dev/ptmx");
    host_holders(d.path, tty, text, sizeof text);
    assert_string_equal(text, "");
    holds_link(&d, "12/fd/9", tty);
    write_text(&d, "12/comm", "screen\n");
    host_holders(d.path, tty, text, sizeof text);
    assert_string_equal(text, "screen (pid 12)");
    host_holders(d.path, tty, text, 8); /* no more than fits */
    assert_string_equal(text, "screen ");
    host_holders(d.path, "/nowhere", text, sizeof text);
    assert_string_equal(text, "");
    folder_remove(&d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, all_well)
    static const struct CMUnitTest tests[] = {
        TEST(all_is_well),
        TEST(the_port),
        TEST(the_latency_timer),
        TEST(somebody_else_speaks),
        TEST(answers_that_are_too_many_or_too_few),
        TEST(a_device_that_is_not_there),
        TEST(nobody_is_there),
        TEST(models_and_firmware),
        TEST(serial_numbers),
        TEST(errors_and_settings),
        TEST(the_machine),
        TEST(ranges_that_nobody_found),
        TEST(no_more_findings_than_there_is_room_for),
        TEST(an_adapter_s_latency),
        TEST(who_holds_a_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
