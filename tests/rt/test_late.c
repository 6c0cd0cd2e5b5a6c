/*
 * The loop that was put aside: what it missed is left out and counted, never made up; nothing
 * jumps; the row says so; beyond the deadman the robot holds. On a virtual clock, so that a stall
 * is a number and not luck.
 */
#include "tests/rt/rt_fixture.h"

#include "policies/replay_segment.h"

#include <math.h>
#include <string.h>

#define PERIOD_NS  (10 * NS_PER_MS)
#define DEADMAN_MS 100

static int setup(void **state)
{
    static const char *const sets[] = {"control.rate_hz=100", "policy.rate_hz=20",
                                       "control.loop_deadman_ms=100"};
    struct rig *r = rig_new(sets, 3);
    rig_run(r, RUN_RANDOM);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* The thread sleeps on after the tick was due. */
static void stall(struct rig *r, int64_t late_ns)
{
    r->house.clock.now_ns = r->house.loop.planned_ns + late_ns;
}

static void to_phase(struct rig *r, int phase)
{
    do {
        rig_step(r);
    } while (rig_state(r)->phase != phase);
}

struct row {
    uint8_t bits;
    float dt_s;
};

static struct row row_at(const struct rig *r, int64_t row)
{
    const struct replay *p = r->house.replay;
    const _Atomic uint32_t *tail = segment_row(p, row) + p->at_tail;
    return (struct row){(uint8_t)(word_get(tail + ROW_META) & 0xffu), word_float(tail + ROW_DT)};
}

static void missed_ticks_are_left_out_and_counted(void **state)
{
    struct rig *r = *state;
    static const int64_t late_ms[] = {3, 9, 10, 35, 60};
    for (size_t i = 0; i < sizeof late_ms / sizeof late_ms[0]; i++) {
        const struct record before = r->last;
        const int64_t left_out = late_ms[i] / 10;
        stall(r, late_ms[i] * NS_PER_MS);
        assert_true(rig_step(r));
        assert_int_equal(r->records, 1);
        assert_int_equal(r->last.tick, before.tick + 1);
        assert_int_equal(r->last.t_ns, before.t_ns + (1 + left_out) * PERIOD_NS);
        assert_int_equal(r->last.wake_ns, late_ms[i] * NS_PER_MS);
        assert_int_equal(r->last.overruns, before.overruns + (uint64_t)left_out);
        for (int k = 1; k <= 20; k++) { /* no burst: one tick a period, on the same grid */
            assert_true(rig_step(r));
            assert_int_equal(r->records, 1);
            assert_int_equal(r->last.wake_ns, 0);
            assert_int_equal(r->last.t_ns, before.t_ns + (1 + left_out + k) * PERIOD_NS);
        }
        assert_int_equal(r->last.overruns, before.overruns + (uint64_t)left_out);
        assert_int_equal(r->last.state, STATE_RUNNING);
    }
    const struct hist *wake = &r->house.loop.hist[HIST_WAKE];
    assert_int_equal(atomic_load(&wake->max_ns), 60 * NS_PER_MS);
}

/* A period lasts its nominal time, whatever was left out of it; only its row carries the flag. */
static void a_period_counts_the_ticks_it_lost(void **state)
{
    struct rig *r = *state;
    for (int left_out = 1; left_out <= 3; left_out++) {
        to_phase(r, 1);
        const int64_t head = replay_head(r->house.replay);
        stall(r, left_out * PERIOD_NS);
        rig_step(r);
        assert_int_equal(rig_state(r)->phase, left_out + 2);
        while (replay_head(r->house.replay) < head + 2) {
            rig_step(r);
        }
        assert_int_equal(row_at(r, head).bits, ROW_FLAG);
        assert_int_equal(lround((double)row_at(r, head).dt_s * 1000.0), 50);
        assert_int_equal(row_at(r, head + 1).bits, 0);
        assert_int_equal(lround((double)row_at(r, head + 1).dt_s * 1000.0), 50);
    }
    to_phase(r, 4);
    const int64_t head = replay_head(r->house.replay);
    stall(r, 6 * PERIOD_NS); /* past its end: closed at once, with the time it took */
    rig_step(r);
    assert_int_equal(replay_head(r->house.replay), head + 1);
    assert_int_equal(row_at(r, head).bits, ROW_FLAG);
    assert_int_equal(lround((double)row_at(r, head).dt_s * 1000.0), 100);
    assert_int_equal(rig_state(r)->phase, 1);
}

/* The filter takes one nominal tick, whatever time has passed. */
static void nothing_jumps_after_a_stall(void **state)
{
    struct rig *r = *state;
    const struct robot *robot = &r->house.config.robot;
    for (int i = 0; i < 200; i++) {
        struct safety before = rig_state(r)->safety;
        if (i % 7 == 0) {
            stall(r, (i % 10) * PERIOD_NS);
        }
        rig_step(r);
        const struct safety *z = &rig_state(r)->safety;
        for (int j = 0; j < robot->n_joints; j++) {
            if (!robot->joint[j].actuated) {
                continue;
            }
            const double v = (z->q_cmd[j] - before.q_cmd[j]) / r->house.loop.dt_s;
            const double step = robot->joint[j].qdd_max * r->house.loop.dt_s;
            assert_true(fabs(v) <= robot->joint[j].qd_max + 1e-9);
            assert_true(fabs(z->qd_cmd[j] - before.qd_cmd[j]) <= step + 1e-9 ||
                        fabs(z->qd_cmd[j]) < fabs(before.qd_cmd[j])); /* braking outranks */
        }
    }
    assert_true(r->last.overruns > 100);
}

static void a_stall_up_to_the_deadman_runs_on(void **state)
{
    struct rig *r = *state;
    stall(r, DEADMAN_MS * NS_PER_MS);
    rig_step(r);
    assert_int_equal(r->last.state, STATE_RUNNING);
}

static void a_stall_beyond_the_deadman_holds(void **state)
{
    struct rig *r = *state;
    to_phase(r, 2);
    const int64_t head = replay_head(r->house.replay);
    stall(r, DEADMAN_MS * NS_PER_MS + 1);
    rig_step(r);
    assert_int_equal(r->last.state, STATE_HOLDING);
    assert_int_equal(r->last.source, SOURCE_HOLD);
    assert_int_equal(r->happened.b, STATE_HOLDING);
    assert_string_equal(r->happened.text,
                        "the loop woke 100 ms late, control.loop_deadman_ms allows 100: see what "
                        "else runs on this machine, then basalctl run again");
    assert_int_equal(row_at(r, head).bits, ROW_FLAG | ROW_TRUNCATED);
    for (int i = 0; i < 300; i++) { /* and goes on holding until a person says otherwise */
        rig_step(r);
        assert_int_equal(r->last.state, STATE_HOLDING);
    }
    rig_ask(r, REQUEST_RUN, RUN_RANDOM);
    rig_until(r, STATE_RUNNING);
}

static void stall_inside(void *self, float *ret_act)
{
    struct rig *r = self;
    r->house.clock.now_ns += 250 * NS_PER_MS;
    ret_act[0] = ret_act[1] = 0.0f;
}

/* The tick itself takes too long: the next one knows. */
static void a_tick_that_takes_too_long_holds(void **state)
{
    struct rig *r = *state;
    to_phase(r, 4);
    r->house.loop.script = stall_inside;
    r->house.loop.script_self = r;
    while (rig_state(r)->phase != 1) {
        rig_step(r);
    }
    const uint64_t overruns = r->last.overruns;
    r->house.loop.script = NULL;
    rig_step(r);
    assert_int_equal(r->last.state, STATE_HOLDING);
    assert_in_range(r->last.overruns - overruns, 22, 25);
    assert_int_equal(r->records, 1);
}

/* An episode of a second ends after a second of the clock, not after so many ticks. */
static void an_episode_counts_the_time_that_passed(void **state)
{
    struct rig *r = *state;
    rig_ask(r, REQUEST_EPISODE_END, 0);
    const int64_t episode = rig_state(r)->episode;
    while (rig_state(r)->episode == episode) {
        rig_step(r);
    }
    const int64_t from_ns = r->last.t_ns;
    while (rig_state(r)->open) {
        stall(r, 3 * PERIOD_NS);
        rig_step(r);
    }
    const double length_s = (double)(r->last.t_ns - from_ns) * 1e-9;
    assert_true(fabs(length_s - r->house.config.task.settings.episode_s) < 0.05);
}

/* Main or comms without a beat for a second: a controlled stop. */
static void a_thread_without_progress_stops_the_robot(void **state)
{
    struct rig *r = *state;
    for (int i = 0; i < 120 && r->last.state == STATE_RUNNING; i++) {
        loop_step(&r->house.loop);
        while (ring_pop(&r->house.shared->telemetry, &r->last)) {
        }
        atomic_fetch_add(&r->house.shared->main_beats, 1);
        assert_true(i >= 100 || r->last.state == STATE_RUNNING);
    }
    assert_int_equal(r->last.state, STATE_STOPPING);
    rig_until(r, STATE_LIMP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missed_ticks_are_left_out_and_counted),
        TEST(a_period_counts_the_ticks_it_lost),
        TEST(nothing_jumps_after_a_stall),
        TEST(a_stall_up_to_the_deadman_runs_on),
        TEST(a_stall_beyond_the_deadman_holds),
        TEST(a_tick_that_takes_too_long_holds),
        TEST(an_episode_counts_the_time_that_passed),
        TEST(a_thread_without_progress_stops_the_robot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
