/*
 * What people ask of the loop, and what comes of it.
 */
#include "tests/loop/ride_fixture.h"

static void push(struct ride *r, const struct request *q)
{
    r->refusal = REFUSED_NOT;
    assert_true(ring_push(&r->house.shared->requests, q));
    tick(r);
}

static void to_intake(void *to, const uint8_t *block, size_t n)
{
    assert_int_equal(intake_block(to, block, n), 0);
}

/* A plain run after a file's: without it, whether it has driven or only waits; and whose weights
 * came meanwhile drive. */
static void weights_of_a_run_that_is_over_drive_no_longer(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    struct learner *l = &r->house.learner;
    const uint64_t own = l->id.run_id;
    l->publish = to_intake;
    l->to = &r->house.intake;
    run(r);
    for (int i = 0; i < 4; i++) {
        struct loop *loop = &r->house.loop;
        l->id.run_id = 0xF11E;
        intake_follow(&r->house.intake, 0);
        learner_publish(l);
        for (int k = 0; k < 20 && i % 2 == 0; k++) {
            tick(r);
        }
        if (i >= 2) {
            l->id.run_id = own;
            intake_follow(&r->house.intake, own);
            learner_publish(l);
        }
        push(r, &(struct request){
                    .id = 1, .kind = REQUEST_RUN, .flags = RUN_NO_LEARN, .shun_run_id = 0xF11E});
        if (i < 2) {
            assert_int_equal(r->refusal, REFUSED_NO_WEIGHTS);
            assert_null(loop->packed);
        } else {
            assert_int_equal(r->refusal, REFUSED_NOT);
            assert_true(loop->packed->id.run_id == own);
        }
    }
}

/* Whoever asked was told that nobody answers, and may stand beside the robot by now. */
static void what_comes_too_late_moves_nothing(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    until(r, STATE_LIMP);
    while (r->planned_ns < 4 * NS_PER_S) {
        tick(r);
    }
    const int64_t old_ns = r->planned_ns - REQUEST_NS - TICK_NS;
    push(r, &(struct request){.id = 1, .kind = REQUEST_ARM, .asked_ns = old_ns});
    assert_int_equal(r->refusal, REFUSED_LATE);
    assert_int_equal(now(r), STATE_LIMP);
    push(r, &(struct request){.id = 1, .kind = REQUEST_ARM, .asked_ns = r->planned_ns - TICK_NS});
    until(r, STATE_READY);
    push(r, &(struct request){.id = 1, .kind = REQUEST_RUN, .asked_ns = old_ns});
    assert_int_equal(r->refusal, REFUSED_LATE);
    assert_int_equal(now(r), STATE_READY);
    ask(r, REQUEST_RUN);
    push(r, &(struct request){.id = 1, .kind = REQUEST_HOLD, .asked_ns = old_ns});
    assert_int_equal(r->refusal, REFUSED_NOT); /* what asks for less is never too late */
    assert_int_equal(now(r), STATE_READY);
}

/* The tick that takes the estop says so to who writes it down: the stop takes longer. */
static void an_estop_is_told_before_the_robot_has_stopped(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    run(r);
    struct shared *s = r->house.shared;
    atomic_fetch_or(&s->stop, STOP_ESTOP);
    while (now(r) != STATE_ESTOP) {
        assert_int_equal(atomic_load(&s->stop) & STOP_ESTOP, STOP_ESTOP);
        tick(r);
    }
    assert_false(loop_at_rest(&r->house.loop));
    assert_int_equal(atomic_load(&s->latched), LATCHED_ASKED);
    assert_int_equal(atomic_load(&s->stop) & STOP_ESTOP, 0);
}

static void who_loses_against_an_estop_is_told(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    run(r);
    atomic_fetch_or(&r->house.shared->stop, STOP_ESTOP);
    until(r, STATE_ESTOP);
    while (!loop_at_rest(&r->house.loop)) {
        tick(r);
    }
    atomic_fetch_or(&r->house.shared->stop, STOP_ESTOP);
    ask(r, REQUEST_CLEAR);
    assert_int_equal(r->refusal, REFUSED_LOST);
    assert_int_equal(now(r), STATE_ESTOP);
    ask(r, REQUEST_CLEAR);
    assert_int_equal(r->refusal, REFUSED_NOT);
    assert_int_equal(now(r), STATE_LIMP);
}

/* Of the policy alone, also after a run at random; and the shortest one ends, too. */
static void an_evaluation_judges_the_policy_and_ends(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    r->house.learner.publish = to_intake;
    r->house.learner.to = &r->house.intake;
    learner_publish(&r->house.learner);
    run(r); /* at random */
    for (int i = 0; i < 100; i++) {
        tick(r);
    }
    assert_int_equal(r->house.loop.st.source, SOURCE_RANDOM);
    ask(r, REQUEST_HOLD);
    for (int i = 0; i < 200; i++) {
        tick(r); /* the episode's reset goes by */
    }
    push(r, &(struct request){.id = 1, .kind = REQUEST_EVAL, .x = 1.0});
    for (int i = 0; i < 50; i++) {
        tick(r);
    }
    assert_true(r->house.loop.st.open);
    assert_int_equal(r->house.loop.st.source, SOURCE_POLICY);
    until(r, STATE_READY);
    push(r, &(struct request){.id = 1, .kind = REQUEST_EVAL, .x = 0.001});
    tick(r);
    tick(r);
    assert_int_equal(now(r), STATE_READY);
}

/* Weights of another publisher, which stays away: it holds, and its return resumes nothing. */
static void stale_weights_hold(void **state)
{
    struct ride *r = *state;
    static const char *const sets[] = {"comms.weights=ipc:///nowhere",
                                       "responses.policy_stale_s=0.5"};
    start(r, sets, 2);
    r->house.learner.publish = to_intake;
    r->house.learner.to = &r->house.intake;
    learner_publish(&r->house.learner);
    run(r);
    push(r, &(struct request){.id = 1, .kind = REQUEST_RUN, .flags = RUN_NO_LEARN});
    for (int i = 0; i < 200; i++) {
        if (i % 40 == 0) {
            learner_publish(&r->house.learner);
        }
        tick(r);
        assert_int_equal(now(r), STATE_RUNNING);
    }
    assert_int_equal(r->house.loop.st.source, SOURCE_POLICY);
    int ticks = 0;
    for (; now(r) == STATE_RUNNING; ticks++) {
        tick(r);
    }
    assert_in_range(ticks, 50 - 40, 50 - 40 + 12); /* taken when a period began */
    assert_int_equal(now(r), STATE_HOLDING);
    assert_int_equal(r->house.loop.st.cause, CAUSE_POLICY_STALE);
    assert_string_equal(r->changed, "no new weights came from ipc:///nowhere for "
                                    "responses.policy_stale_s, 0.5: see what publishes them, then "
                                    "basalctl run again");
    learner_publish(&r->house.learner);
    for (int i = 0; i < 100; i++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_HOLDING);
    ask(r, REQUEST_RUN);
    assert_int_equal(now(r), STATE_RUNNING);
}

/* The lease: as long as somebody beats, and no longer. */
static void an_unattended_run_holds(void **state)
{
    struct ride *r = *state;
    start(r, NULL, 0);
    run(r);
    for (int i = 0; i < 200; i++) {
        tick(r); /* nobody has to attend an ordinary run */
    }
    assert_int_equal(now(r), STATE_RUNNING);
    const struct request attended = {
        .id = 1, .kind = REQUEST_RUN, .flags = RUN_RANDOM | RUN_ATTENDED};
    push(r, &attended);
    for (int i = 0; i < 200; i++) {
        if (i % 40 == 0) { /* 400 of 500 ms */
            atomic_fetch_add(&r->house.shared->lease_beats, 1);
        }
        tick(r);
        assert_int_equal(now(r), STATE_RUNNING);
    }
    int ticks = 0;
    for (; now(r) == STATE_RUNNING; ticks++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_HOLDING);
    assert_int_equal(r->house.loop.st.cause, CAUSE_OPERATOR_LOST);
    assert_int_equal(r->house.loop.st.fsm.latch, LATCH_NONE);
    assert_non_null(strstr(r->changed, "was silent for more than control.lease_deadman_ms, 500"));
    assert_in_range(ticks, 50 - 40, 50 - 40 + 2); /* the last beat was 40 ticks ago */
    for (int i = 0; i < 200; i++) {               /* his return alone resumes nothing */
        atomic_fetch_add(&r->house.shared->lease_beats, 1);
        tick(r);
        assert_int_equal(now(r), STATE_HOLDING);
    }
    ask(r, REQUEST_HOLD); /* a person has seen it */
    assert_int_equal(now(r), STATE_READY);
    assert_int_equal(r->house.loop.st.cause, CAUSE_NONE);
    ask(r, REQUEST_RUN); /* again, and not attended */
    for (int i = 0; i < 200; i++) {
        tick(r);
    }
    assert_int_equal(now(r), STATE_RUNNING);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_ride, close_ride)
    const struct CMUnitTest tests[] = {
        TEST(weights_of_a_run_that_is_over_drive_no_longer),
        TEST(what_comes_too_late_moves_nothing),
        TEST(an_estop_is_told_before_the_robot_has_stopped),
        TEST(who_loses_against_an_estop_is_told),
        TEST(an_evaluation_judges_the_policy_and_ends),
        TEST(stale_weights_hold),
        TEST(an_unattended_run_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
