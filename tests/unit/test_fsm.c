/* The state machine: every (state, event) pair against a table written out here, then sequences and
 * commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/base/clock.h"
#include "daemon/base/rng.h"
#include "daemon/fsm.h"

#include <math.h>
#include <string.h>

#define BIT(event) (UINT32_C(1) << EVENT_##event)

/* clang-format off */
/* One letter per state after the event: Boot Limp Arming reaDy Running Holding reTreating daMped Stopping Fault Estop.
   Columns as FSM_EVENTS: identified, not found, arm, armed, arm failed, run, hold, stop, stopped, stop failed, faulted,
   estopped, clear, lost, rested, timed out, cannot; where four letters stand, one for each response: hold, retreat, damped,
   limp. Rows: the states, and those that hold, retreat or sink with each latch. */
static const char letters[] = "BLADRHTMSFE";
static const struct {
    enum fsm_state state;
    enum fsm_latch latch;
    const char *to; /* four letters or one for each event */
} expected[] = {
    {STATE_BOOT,       LATCH_NONE,  "L L B B B  B B B B B  B E B B B  B B"},
    {STATE_LIMP,       LATCH_NONE,  "L L A L L  L L L L L  L E L L L  L L"},
    {STATE_ARMING,     LATCH_NONE,  "A A A D S  A A S A A  F E A A A  A A"},
    {STATE_READY,      LATCH_NONE,  "D D D D D  R D HTMS D D  HTMF HTME D DTMS D  D D"},
    {STATE_RUNNING,    LATCH_NONE,  "R R R R R  R D HTMS R R  HTMF HTME R HTMS R  R R"},
    {STATE_HOLDING,    LATCH_NONE,  "H H H H H  R D HTMS H H  HTMF HTME H HTMS H  S S"},
    {STATE_HOLDING,    LATCH_FAULT, "H H H H H  H H HTMF H H  HTMF HTME H HTMF H  F F"},
    {STATE_HOLDING,    LATCH_ESTOP, "H H H H H  H H HTME H H  HTME HTME H HTME H  E E"},
    {STATE_RETREATING, LATCH_NONE,  "T T T T T  T T TTMS T T  TTMF TTME T TTMS S  MMMS MMMS"},
    {STATE_RETREATING, LATCH_FAULT, "T T T T T  T T TTMF T T  TTMF TTME T TTMF F  MMMF MMMF"},
    {STATE_RETREATING, LATCH_ESTOP, "T T T T T  T T TTME T T  TTME TTME T TTME E  MMME MMME"},
    {STATE_DAMPED,     LATCH_NONE,  "M M M M M  M M MMMS M M  MMMF MMME M MMMS S  S S"},
    {STATE_DAMPED,     LATCH_FAULT, "M M M M M  M M MMMF M M  MMMF MMME M MMMF F  F F"},
    {STATE_DAMPED,     LATCH_ESTOP, "M M M M M  M M MMME M M  MMME MMME M MMME E  E E"},
    {STATE_STOPPING,   LATCH_NONE,  "S S S S S  S S S L F  F E S S S  S S"},
    {STATE_FAULT,      LATCH_FAULT, "F F F F F  F F F F F  F E L F F  F F"},
    {STATE_ESTOP,      LATCH_ESTOP, "E E E E E  E E E E E  E E L E E  E E"},
};

/* clang-format on */

/* The next event's letter for a response; to moves on to the one after. */
static char letter_of(const char **to, enum response how)
{
    *to += strspn(*to, " ");
    const size_t n = strcspn(*to, " ");
    assert_true(n == 1 || n == RESPONSES_N);
    const char c = (*to)[n == 1 ? 0 : (size_t)how];
    *to += n;
    return c;
}

/* Which latches a state can have is what the rows above say. */
static bool may_be(struct fsm_at at)
{
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (expected[i].state == at.state && expected[i].latch == at.latch) {
            return true;
        }
    }
    return false;
}

static void every_pair_goes_where_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct fsm_at at = {expected[i].state, expected[i].latch};
        for (int how = 0; how < RESPONSES_N; how++) {
            const char *left = expected[i].to;
            for (int e = 0; e < EVENTS_N; e++) {
                const char want = letter_of(&left, (enum response)how);
                const struct fsm_at to = fsm_next(at, (enum fsm_event)e, (enum response)how);
                if (letters[to.state] != want) {
                    fail_msg("%s, latch %d + %s, response %d: %s, expected %c",
                             fsm_state_name(at.state), (int)at.latch,
                             fsm_event_name((enum fsm_event)e), how, fsm_state_name(to.state),
                             want);
                }
                assert_true(may_be(to));
                /* what is latched stays so, but for the clear of a robot at rest */
                assert_true(to.latch >= at.latch || (e == EVENT_CLEAR && to.state == STATE_LIMP));
            }
            assert_int_equal(strspn(left, " "), strlen(left));
        }
    }
    assert_string_equal(fsm_state_name(STATES_N), "?");
    assert_string_equal(fsm_event_name(EVENTS_N), "?");
}

/* One tick's events; to all that have one the same response. */
static void step_as(struct fsm *f, uint32_t events, enum response how, int64_t now_ns)
{
    struct fsm_input in = {.events = events};
    memset(in.how, (int)how, sizeof in.how);
    fsm_step(f, &in, now_ns);
}

static void step(struct fsm *f, uint32_t events, int64_t now_ns)
{
    step_as(f, events, RESPONSE_LIMP, now_ns);
}

/* A machine brought into `state` by legal events only. */
static struct fsm reach(enum fsm_state state)
{
    static const struct {
        uint32_t events[4];
        enum response how;
    } path[STATES_N] = {
        [STATE_BOOT] = {{0}, RESPONSE_LIMP},
        [STATE_LIMP] = {{BIT(IDENTIFIED)}, RESPONSE_LIMP},
        [STATE_ARMING] = {{BIT(IDENTIFIED), BIT(ARM)}, RESPONSE_LIMP},
        [STATE_READY] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED)}, RESPONSE_LIMP},
        [STATE_RUNNING] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(RUN)}, RESPONSE_LIMP},
        [STATE_HOLDING] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(FAULTED)}, RESPONSE_HOLD},
        [STATE_RETREATING] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(STOP)}, RESPONSE_RETREAT},
        [STATE_DAMPED] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(ESTOPPED)}, RESPONSE_DAMPED},
        [STATE_STOPPING] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(STOP)}, RESPONSE_LIMP},
        [STATE_FAULT] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(FAULTED)}, RESPONSE_LIMP},
        [STATE_ESTOP] = {{BIT(IDENTIFIED), BIT(ARM), BIT(ARMED), BIT(ESTOPPED)}, RESPONSE_LIMP},
    };
    struct fsm f;
    fsm_init(&f, 0.5);
    for (int i = 0; i < 4; i++) {
        step_as(&f, path[state].events[i], path[state].how, i);
    }
    assert_int_equal(f.state, state);
    return f;
}

static void each_state_asks_the_plant_for_its_own(void **state)
{
    (void)state;

    static const enum plant_do plant[STATES_N] = {
        PLANT_IDENTIFY, PLANT_LISTEN, PLANT_ARM,  PLANT_RUN,  PLANT_RUN, PLANT_RUN,
        PLANT_RUN,      PLANT_RUN,    PLANT_STOP, PLANT_STOP, PLANT_STOP};

    for (int s = 0; s < STATES_N; s++) {
        assert_int_equal(reach((enum fsm_state)s).plant, plant[s]);
        assert_int_equal(fsm_drives((enum fsm_state)s), plant[s] == PLANT_RUN);
    }
}

static void danger_wins_within_a_tick(void **state)
{
    (void)state;

    static const struct {
        enum fsm_state from;
        uint32_t events;
        enum fsm_state to;
    } cases[] = {
        {STATE_RUNNING, BIT(ESTOPPED) | BIT(FAULTED) | BIT(STOP) | BIT(HOLD), STATE_ESTOP},
        {STATE_RUNNING, BIT(FAULTED) | BIT(STOP), STATE_FAULT},
        {STATE_RUNNING, BIT(HOLD) | BIT(RUN), STATE_READY},
        {STATE_READY, BIT(STOP) | BIT(RUN), STATE_STOPPING},
        {STATE_READY, BIT(HOLD) | BIT(RUN), STATE_READY},
        {STATE_LIMP, BIT(STOP) | BIT(ARM), STATE_LIMP},
        {STATE_LIMP, BIT(FAULTED) | BIT(ARM), STATE_LIMP},
        {STATE_LIMP, BIT(ESTOPPED) | BIT(CLEAR) | BIT(ARM), STATE_ESTOP},
        {STATE_ARMING, BIT(ARMED) | BIT(STOP), STATE_STOPPING},
        {STATE_STOPPING, BIT(STOPPED) | BIT(FAULTED), STATE_FAULT},
        {STATE_FAULT, BIT(CLEAR) | BIT(FAULTED), STATE_FAULT},
        {STATE_FAULT, BIT(CLEAR) | BIT(ARM) | BIT(RUN), STATE_LIMP},
        {STATE_FAULT, BIT(CLEAR) | BIT(STOP), STATE_LIMP},
        {STATE_ESTOP, BIT(CLEAR) | BIT(ESTOPPED), STATE_ESTOP},
        {STATE_ESTOP, BIT(ARM) | BIT(RUN) | BIT(STOPPED), STATE_ESTOP},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fsm f = reach(cases[i].from);
        step(&f, cases[i].events, 10);
        if (f.state != cases[i].to) {
            fail_msg("case %zu: %s, expected %s", i, fsm_state_name(f.state),
                     fsm_state_name(cases[i].to));
        }
    }
}

/* Of the responses that are due in one tick the one that leads farthest counts, and the worst
 * latch. */
static void responses_lead_on_and_never_back(void **state)
{
    (void)state;
    struct fsm f = reach(STATE_RUNNING);
    struct fsm_input in = {.events = BIT(LOST) | BIT(FAULTED)};
    in.how[EVENT_LOST] = RESPONSE_DAMPED;
    in.how[EVENT_FAULTED] = RESPONSE_HOLD;
    fsm_step(&f, &in, 10);
    assert_int_equal(f.state, STATE_DAMPED);
    assert_int_equal(f.latch, LATCH_FAULT);
    step_as(&f, BIT(ESTOPPED), RESPONSE_RETREAT, 20);
    assert_int_equal(f.state, STATE_DAMPED);
    assert_int_equal(f.latch, LATCH_ESTOP);
    assert_int_equal(f.entered_ns, 10);
    step(&f, BIT(CLEAR) | BIT(RUN) | BIT(HOLD), 30);
    assert_int_equal(f.state, STATE_DAMPED);
    step(&f, BIT(RESTED), 40);
    assert_int_equal(f.state, STATE_ESTOP);
    assert_int_equal(f.plant, PLANT_STOP);
    step(&f, BIT(STOPPED), 50);
    assert_int_equal(f.state, STATE_ESTOP);
    step(&f, BIT(CLEAR), 60);
    assert_int_equal(f.state, STATE_LIMP);
    assert_int_equal(f.latch, LATCH_NONE);
}

/* Nothing but a clear leaves a latch, whatever comes; and then only to limp. */
static void latches_hold_against_random_events(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    for (int i = 0; i < 100000; i++) {
        struct fsm f = reach(rng_below(&r, 2) == 0 ? STATE_FAULT : STATE_ESTOP);
        const enum fsm_state from = f.state;
        const uint32_t events = (uint32_t)rng_u64(&r) & ((UINT32_C(1) << EVENTS_N) - 1);
        step_as(&f, events, (enum response)rng_below(&r, RESPONSES_N), 10);
        const bool clears = (events & BIT(CLEAR)) != 0 &&
                            (events & (BIT(ESTOPPED) | BIT(FAULTED) | BIT(STOP_FAILED))) == 0;
        const enum fsm_state stays = (events & BIT(ESTOPPED)) != 0 ? STATE_ESTOP : from;
        assert_int_equal(f.state, clears ? STATE_LIMP : stays);
    }
}

static const struct robot robot = {
    .n_joints = 3,
    .joint = {{.actuated = true, .tau_max = 2.0},
              {.actuated = true, .tau_max = 1.0},
              {.actuated = false, .tau_max = 9.0}},
};
static const struct sensed here = {.n = 3, .q = {0.1, 0.2, 7.0}};

/* What a source asks for in every tick, wilder than it should be. */
static struct command asked(void)
{
    struct command c = {.n = 3, .q = {1.0, 2.0, 3.0}};
    for (int j = 0; j < 3; j++) {
        c.mode[j] = MODE_POSITION;
        c.tau_max[j] = 99.0;
    }
    return c;
}

static void torque_is_off_where_it_must_be(void **state)
{
    (void)state;

    static const enum fsm_state off[] = {STATE_BOOT, STATE_LIMP, STATE_ARMING};

    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        static const uint32_t then[] = {0, BIT(ESTOPPED), BIT(ARM_FAILED)};
        for (size_t k = 0; k < sizeof then / sizeof then[0]; k++) {
            struct fsm f = reach(off[i]);
            struct command c = asked();
            step(&f, then[k], NS_PER_S);
            fsm_command(&f, &robot, &here, &c);
            for (int j = 0; j < 3; j++) {
                assert_int_equal(c.mode[j], MODE_OFF);
                assert_true(c.tau_max[j] == 0.0);
                assert_true(c.q[j] == here.q[j]);
            }
        }
    }
}

static void arming_holds_the_measured_pose_and_ramps(void **state)
{
    (void)state;
    struct fsm f = reach(STATE_ARMING);
    for (int k = 0; k <= 60; k++) {
        struct command c = asked();
        step(&f, k == 0 ? BIT(ARMED) : 0, k * 10 * NS_PER_MS);
        fsm_command(&f, &robot, &here, &c);
        const double ramp = fmin(1.0, k * 0.01 / 0.5);
        for (int j = 0; j < 2; j++) {
            assert_int_equal(c.mode[j], MODE_HOLD);
            assert_true(c.q[j] == here.q[j]);
            assert_true(fabs(c.tau_max[j] - ramp * robot.joint[j].tau_max) < 1e-12);
        }
        assert_int_equal(c.mode[2], MODE_OFF);
    }
}

static void a_run_keeps_the_ramp_and_ends_in_its_last_command(void **state)
{
    (void)state;
    struct fsm f = reach(STATE_ARMING);
    struct command c = asked();
    step(&f, BIT(ARMED), 0);
    fsm_command(&f, &robot, &here, &c);
    step(&f, BIT(RUN), 100 * NS_PER_MS);
    c = asked();
    fsm_command(&f, &robot, &here, &c);
    assert_int_equal(c.mode[0], MODE_POSITION);
    assert_true(fabs(c.tau_max[0] - 0.2 * 2.0) <
                1e-12); /* still ramping, and not what the source asks */
    assert_int_equal(c.mode[2], MODE_OFF);
    c.q[0] = 0.7; /* what the filter made of it */
    step(&f, BIT(HOLD), 200 * NS_PER_MS);
    fsm_command(&f, &robot, &here, &c);
    assert_int_equal(c.mode[0], MODE_HOLD);
    assert_true(c.q[0] == 0.7);
    c.q[0] = 0.9;
    step(&f, 0, 210 * NS_PER_MS);
    fsm_command(&f, &robot, &here, &c);
    assert_true(c.q[0] == 0.7);
}

static void a_stop_keeps_its_ceiling_until_the_plant_has_stopped(void **state)
{
    (void)state;
    static const uint32_t why_stop[] = {BIT(STOP), BIT(FAULTED), BIT(ESTOPPED)};
    for (size_t i = 0; i < sizeof why_stop / sizeof why_stop[0]; i++) {
        struct fsm f = reach(STATE_RUNNING);
        struct command c = asked();
        step(&f, 0, 250 * NS_PER_MS);
        fsm_command(&f, &robot, &here, &c);
        const double ceiling = c.tau_max[0];
        assert_true(ceiling > 0.0 && ceiling < 2.0);
        for (int k = 1; k < 50; k++) {
            step(&f, k == 1 ? why_stop[i] : 0, (250 + 10 * k) * NS_PER_MS);
            fsm_command(&f, &robot, &here, &c);
            assert_int_equal(f.plant, PLANT_STOP);
            assert_int_equal(c.mode[0], MODE_HOLD);
            assert_true(c.tau_max[0] == ceiling);
        }
        step(&f, i == 1 ? BIT(STOP_FAILED) : BIT(STOPPED), NS_PER_S);
        fsm_command(&f, &robot, &here, &c);
        assert_int_equal(c.mode[0], MODE_OFF);
        assert_true(c.tau_max[0] == 0.0);
        assert_int_equal(f.state, i == 0 ? STATE_LIMP : i == 1 ? STATE_FAULT : STATE_ESTOP);
    }
}

/* From any history: torque is commanded only after ARM and ARMED, and never in the tick of a danger
 * that ended it. */
static void no_history_drives_without_arming(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    struct fsm f;
    fsm_init(&f, 0.1);
    bool armed = false;
    for (int i = 0; i < 200000; i++) {
        const uint32_t one = UINT32_C(1) << rng_below(&r, EVENTS_N);
        const uint32_t events =
            rng_below(&r, 4) == 0 ? one | UINT32_C(1) << rng_below(&r, EVENTS_N) : one;
        const enum fsm_state from = f.state;
        struct command c = asked();
        const enum response how = (enum response)rng_below(&r, RESPONSES_N);
        step_as(&f, events, how, i * 10 * NS_PER_MS);
        fsm_command(&f, &robot, &here, &c);
        armed = f.state == STATE_LIMP || f.state == STATE_BOOT || f.state == STATE_ARMING
                    ? false
                    : armed || (from == STATE_ARMING && (events & BIT(ARMED)) != 0);
        if (c.mode[0] != MODE_OFF) {
            assert_true(armed);
        }
        if (f.state == STATE_RUNNING && from != STATE_RUNNING) {
            assert_true((events & BIT(RUN)) != 0);
        }
        if ((events & (BIT(ESTOPPED) | BIT(FAULTED) | BIT(STOP))) != 0) {
            assert_true(f.state != STATE_RUNNING && f.state != STATE_READY &&
                        f.state != STATE_ARMING);
        }
        if (f.latch != LATCH_NONE) {
            assert_true(f.state != STATE_RUNNING && f.state != STATE_READY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_goes_where_the_table_says),
        cmocka_unit_test(each_state_asks_the_plant_for_its_own),
        cmocka_unit_test(danger_wins_within_a_tick),
        cmocka_unit_test(responses_lead_on_and_never_back),
        cmocka_unit_test(latches_hold_against_random_events),
        cmocka_unit_test(torque_is_off_where_it_must_be),
        cmocka_unit_test(arming_holds_the_measured_pose_and_ramps),
        cmocka_unit_test(a_run_keeps_the_ramp_and_ends_in_its_last_command),
        cmocka_unit_test(a_stop_keeps_its_ceiling_until_the_plant_has_stopped),
        cmocka_unit_test(no_history_drives_without_arming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
