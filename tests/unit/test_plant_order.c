/* The two orders of a bus's tick: goals at a fixed phase of their own tick, or first thing in the
 * next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/crawler_fixture.h"

#include <stdlib.h>
#include <string.h>

#define TICKS_MAX 2000

struct ride {
    struct house house;
    int64_t planned_ns, period_ns;
    char why[WHY_CHARS];
};

static int open_ride(struct ride *r, const char *const *sets, int n_sets, bool virtual_clock)
{
    struct house_spec spec = crawler_spec(sets, n_sets);
    spec.virtual_clock = virtual_clock;
    *r = (struct ride){0};
    const int rc = house_open(&r->house, &spec, r->why, (int)sizeof r->why);
    r->period_ns = r->house.loop.period_ns;
    r->planned_ns = clock_now_ns(&r->house.clock);
    return rc;
}

static void tick(struct ride *r)
{
    struct record record;
    clock_resume(&r->house.clock, r->planned_ns);
    loop_tick(&r->house.loop, r->planned_ns, 0, 0);
    r->planned_ns += r->period_ns;
    while (ring_pop(&r->house.shared->telemetry, &record)) {
    }
}

static void ask(struct ride *r, enum request_kind kind)
{
    const struct request q = {.id = 1, .kind = kind};
    assert_true(ring_push(&r->house.shared->requests, &q));
    tick(r);
}

static void until(struct ride *r, enum fsm_state state)
{
    for (int i = 0; r->house.loop.st.fsm.state != state; i++) {
        assert_true(i < TICKS_MAX);
        tick(r);
    }
}

static void start(struct ride *r)
{
    until(r, STATE_LIMP);
    ask(r, REQUEST_ARM);
    until(r, STATE_READY);
    ask(r, REQUEST_RUN);
    until(r, STATE_RUNNING);
}

static int64_t last_byte_ns(const struct ride *r)
{
    return plant_counters(r->house.plant)->last_byte_ns;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct ride));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void same_tick_goals_leave_at_their_phase(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"bus.servo.write_phase_us=4000"};
    assert_int_equal(open_ride(r, sets, 1, true), 0);
    start(r);
    for (int i = 0; i < 100; i++) {
        tick(r);
        assert_in_range(last_byte_ns(r), 4000 * NS_PER_US, 5000 * NS_PER_US);
    }
    house_close(&r->house);
}

static void pipelined_goals_leave_first(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"bus.servo.order=pipelined"};
    assert_int_equal(open_ride(r, sets, 1, true), 0);
    start(r);
    for (int i = 0; i < 100; i++) {
        tick(r);
        assert_in_range(last_byte_ns(r), 1, 700 * NS_PER_US); /* their own bytes at 1 Mbaud */
    }
    const struct plant_counters *c = plant_counters(r->house.plant);
    for (int j = 0; j < r->house.config.robot.n_joints; j++) {
        assert_int_equal(c->misses[j], 0);
    }
    assert_int_equal(c->crc_errors, 0);
    house_close(&r->house);
}

/* Torque goes on without a goal of an earlier life, and after a stop nothing is sent any more. */
static void nothing_stored_survives_a_stop(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"bus.servo.order=pipelined"};
    assert_int_equal(open_ride(r, sets, 1, true), 0);
    for (int life = 0; life < 2; life++) {
        until(r, STATE_LIMP);
        ask(r, REQUEST_ARM);
        until(r, STATE_READY);
        assert_int_equal(last_byte_ns(r), 0); /* the first goal is on its way now */
        tick(r);
        assert_true(last_byte_ns(r) > 0);
        ask(r, REQUEST_RUN);
        until(r, STATE_RUNNING);
        atomic_fetch_or(&r->house.shared->stop, STOP_ASKED);
        until(r, STATE_LIMP);
        for (int i = 0; i < 10; i++) {
            tick(r);
            assert_int_equal(last_byte_ns(r), 0);
        }
    }
    house_close(&r->house);
}

/* The order follows the rate unless the file says it, and what does not fit a tick is refused. */
static void the_order_follows_the_rate(void **state)
{
    struct ride *r = *state;

    static const struct {
        const char *set[4];
        int order; /* -1: refused */
        const char *says;
    } cases[] = {
        {{"bus.servo.order=by_rate", "control.rate_hz=100"}, ORDER_SAME_TICK, ""},
        {{"bus.servo.order=by_rate", "control.rate_hz=200"}, ORDER_PIPELINED, ""},
        {{"bus.servo.order=same_tick", "control.rate_hz=200"}, ORDER_SAME_TICK, ""},
        {{"bus.servo.order=by_rate", "control.rate_hz=1000"}, -1, "reply_deadline_us 3000"},
        {{"bus.servo.order=same_tick", "control.rate_hz=1000", "bus.servo.reply_deadline_us=900"},
         -1,
         "write_phase_us 1100"},
        {{"bus.servo.order=by_rate", "control.rate_hz=1000", "bus.servo.reply_deadline_us=900"},
         -1,
         "takes up to 2860 us at 1000000 baud"},
        {{"bus.servo.order=by_rate", "control.rate_hz=1000", "bus.servo.reply_deadline_us=900",
          "bus.servo.baud=4000000"},
         ORDER_PIPELINED,
         ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int n = 0;
        while (n < 4 && cases[i].set[n] != NULL) {
            n++;
        }
        const int rc = open_ride(r, cases[i].set, n, true);
        assert_int_equal(rc < 0 ? -1 : r->house.config.robot.bus[0].order, cases[i].order);
        assert_non_null(strstr(r->why, cases[i].says));
        house_close(&r->house);
    }
}

/* At 4 Mbaud a whole exchange fits 1 ms, the slow registers' turn included. */
static void a_fast_bus_fits_a_fast_loop(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"control.rate_hz=1000", "bus.servo.baud=4000000",
                                       "bus.servo.order=by_rate",
                                       "bus.servo.reply_deadline_us=800"};
    assert_int_equal(open_ride(r, sets, 4, true), 0);
    start(r);
    const uint64_t before = plant_counters(r->house.plant)->requests[0];
    for (int i = 0; i < 120; i++) {
        tick(r);
    }
    const struct plant_counters *c = plant_counters(r->house.plant);
    assert_int_equal(c->requests[0] - before,
                     120 + 40); /* every third slow request is this joint's */
    assert_int_equal(c->misses[0] + c->misses[1] + c->misses[2], 0);
    assert_in_range(c->read_phase_us_max, 1, 800);
    house_close(&r->house);
}

/* Under a real clock nobody waits for the wire, but a transmission never begins before its time. */
static void a_body_in_real_time_is_never_early(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"bus.servo.order=pipelined"};
    assert_int_equal(open_ride(r, sets, 1, false), 0);
    start(r);
    int64_t shortest_ns = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        tick(r);
        shortest_ns = last_byte_ns(r) < shortest_ns ? last_byte_ns(r) : shortest_ns;
    }
    assert_true(shortest_ns > 0);
    clock_resume(&r->house.clock, r->planned_ns + 2 * NS_PER_MS); /* woken 2 ms late */
    loop_tick(&r->house.loop, r->planned_ns, 2 * NS_PER_MS, 0);
    assert_true(last_byte_ns(r) >= 2 * NS_PER_MS);
    house_close(&r->house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_tick_goals_leave_at_their_phase, setup, teardown),
        cmocka_unit_test_setup_teardown(pipelined_goals_leave_first, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_stored_survives_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(the_order_follows_the_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fast_bus_fits_a_fast_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_in_real_time_is_never_early, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
