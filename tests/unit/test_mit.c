/*
 * MIT-style packing byte by byte: frames that openarm_can's own encoder makes, of the AK manual's
 * packing, and of RobStride's MIT mode; driver's and motor's code, which share nothing; and that no
 * command is ever a special one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/rng.h"
#include "drivers/mit.h"
#include "sim/firmware/mit_motor.h"
#include "tests/unit/hex.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const struct mit_range dm4310 = {12.5, 30, 10, 500, 5}, ak80_9 = {12.5, 50, 18, 500, 5},
                              rs02 = {12.57, 33, 17, 500, 5}, cheetah = {12.5, 65, 18, 500, 5};

/* clang-format off */
static const struct {
    const struct mit_range *range;
    struct mit_goal goal; /* p v t kp kd */
    const char *bytes;
} commands[] = {
    {&dm4310, {0, 0, 0, 0, 0},          "7FFF7FF0000007FF"},
    {&dm4310, {1, 0, 0, 50, 1},         "8A3C7FF1993337FF"},
    {&dm4310, {-1.5, 2, -3.25, 240, 5}, "70A38887ADFFF566"},
    {&dm4310, {0.5, -10, 2, 100, 1},    "851E555333333999"},
    {&ak80_9, {0.5, 1, 0.8, 20, 0.5},   "851E8280A319985A"},
    {&rs02,   {1, 0, 0.5, 20, 0.5},     "8A2E7FF0A319983B"},
};

static const struct {
    const struct mit_range *range;
    const char *bytes; /* id first */
    double p, v, t;
} replies[] = {
    {&dm4310,  "0292557FF7FE1C1B", 1.790, 0, 0}, /* captured from a motor */
    {&dm4310,  "118A3C7778652320", 1.0, -2, 0.5},
    {&ak80_9,  "01851E82885A1F00", 0.5, 1, 0.8},
    {&cheetah, "027D707FF7FF80",   -0.25, 0, 0},
    {&rs02,    "018A2E78383B0159", 1, -2, 0.5},
};

/* clang-format on */

static void commands_are_the_makers_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct mit_range *r = commands[i].range;
        uint8_t want[8], got[8];
        assert_int_equal(hex(commands[i].bytes, want, sizeof want), 8);
        assert_int_equal(mit_pack(r, &commands[i].goal, got), 8);
        assert_memory_equal(got, want, 8);

        struct motor_command c;
        motor_decode(&(struct motor_range){r->p, r->v, r->t, r->kp, r->kd}, want, &c);
        assert_true(fabs(c.p - commands[i].goal.p) < 2 * r->p / 65535);
        assert_true(fabs(c.v - commands[i].goal.v) < 2 * r->v / 4095);
        assert_true(fabs(c.t - commands[i].goal.t) < 2 * r->t / 4095);
        assert_true(fabs(c.kp - commands[i].goal.kp) < r->kp / 4095);
        assert_true(fabs(c.kd - commands[i].goal.kd) < r->kd / 4095);
        assert_int_equal(motor_special(want), 0);
    }
}

static void replies_are_read_as_the_maker_means_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        const struct mit_range *r = replies[i].range;
        uint8_t bytes[8], made[8];
        struct mit_state m;
        const size_t n = hex(replies[i].bytes, bytes, sizeof bytes);
        mit_unpack(r, bytes, &m);
        assert_true(fabs(m.p - replies[i].p) < (i == 0 ? 1e-3 : 2 * r->p / 65535));
        assert_true(fabs(m.v - replies[i].v) < 2 * r->v / 4095);
        assert_true(fabs(m.t - replies[i].t) < (i == 0 ? 1e-2 : 2 * r->t / 4095));
        if (i > 0) { /* the captured one's pose is known to three digits only */
            memcpy(made, bytes, n);
            motor_answer(&(struct motor_range){r->p, r->v, r->t, r->kp, r->kd}, replies[i].p,
                         replies[i].v, replies[i].t, made);
            assert_memory_equal(made, bytes, n);
        }
    }
}

static void special_commands(void **state)
{
    static const enum mit_special all[] = {MIT_CLEAR, MIT_ENABLE, MIT_DISABLE, MIT_ZERO};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint8_t got[8];
        mit_pack_special(all[i], got);
        assert_int_equal(motor_special(got), all[i]);
    }
}

/* Everything at its end is the one command that could be taken for "enable", "disable" or "zero".
 */
static void no_command_is_a_special_one(void **state)
{
    static const uint8_t full[8] = {0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    struct rng rng;
    uint8_t got[8];
    (void)state;
    const struct mit_goal end = {1e9, 1e9, 1e9, 1e9, 1e9};
    assert_int_equal(mit_pack(&dm4310, &end, got), 8);
    assert_memory_equal(got, full, 8);
    for (int t = 0; t < 4096; t++) { /* every torque, all else at its end */
        const struct mit_goal g = {12.5, 30, -10 + 20.0 * t / 4095, 500, 5};
        assert_int_equal(mit_pack(&dm4310, &g, got), 8);
        assert_int_equal(motor_special(got), 0);
    }
    rng_seed(&rng, 1);
    for (int i = 0; i < 200000; i++) { /* most of them at or beyond an end */
        const struct mit_goal g = {rng_between(&rng, -10, 40), rng_between(&rng, -20, 90),
                                   rng_between(&rng, -9, 30), rng_between(&rng, -100, 1500),
                                   rng_between(&rng, -1, 15)};
        assert_int_equal(mit_pack(&dm4310, &g, got), 8);
        assert_int_equal(motor_special(got), 0);
    }
}

static void what_is_not_finite_is_never_packed(void **state)
{
    static const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (int field = 0; field < 5; field++) {
            struct mit_goal g = {0.1, 0.2, 0.3, 4, 0.5};
            struct mit_range r = dm4310;
            double *const goals[] = {&g.p, &g.v, &g.t, &g.kp, &g.kd};
            double *const ranges[] = {&r.p, &r.v, &r.t, &r.kp, &r.kd};
            uint8_t got[8] = {1, 2, 3, 4, 5, 6, 7, 8};
            static const uint8_t before[8] = {1, 2, 3, 4, 5, 6, 7, 8};
            *ranges[field] = bad[k];
            assert_int_equal(mit_pack(&r, &g, got), -EDOM);
            *ranges[field] = 0.0;
            assert_int_equal(mit_pack(&r, &g, got), -EDOM);
            *goals[field] = bad[k];
            assert_int_equal(mit_pack(&dm4310, &g, got), -EDOM);
            assert_memory_equal(got, before, 8);
        }
    }
}

/* Every code comes back as itself, and what is out of range as its end. */
static void codes_and_values(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 65536; code++) {
        const double x = mit_value(code, -12.5, 12.5, 16);
        assert_true(fabs(motor_value(code, 12.5, 16) - x) < 1e-12);
        assert_int_equal(mit_code(x + 1e-9, -12.5, 12.5, 16), code);
    }
    assert_int_equal(mit_code(-99, -12.5, 12.5, 16), 0);
    assert_int_equal(mit_code(99, -12.5, 12.5, 16), 65535);
    assert_int_equal(motor_code((double)NAN, 12.5, 16), 0);
    assert_int_equal(motor_code(99, 12.5, 12), 4095);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_the_makers_bytes),
        cmocka_unit_test(replies_are_read_as_the_maker_means_them),
        cmocka_unit_test(special_commands),
        cmocka_unit_test(no_command_is_a_special_one),
        cmocka_unit_test(what_is_not_finite_is_never_packed),
        cmocka_unit_test(codes_and_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
