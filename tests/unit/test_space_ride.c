/*
 * The fenced arm as it ships, driven at random by the loop in its simulated body, whose joints lag
 * and bend under its own weight: it stays in its space but for a tolerance, and never stops for it.
 */
#include "tests/unit/world_fixture.h"

#define FENCED      SOURCE_DIR "/deploy/robots/arm-fenced.yaml"
#define TICKS       60000
#define TOLERANCE_M 0.015

/* Random goals all the time; a measured overshoot of trip_m would end it. */
static void driven_at_random_it_stays_inside(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=100000000", "learner.n_steps=1",
                                       "policy.kind=sac", "policy.net_arch=[8]"};
    struct ride *r = ride_open_with(FENCED, sets, 4, 1);
    const struct loop_state *z = &r->house.loop.st;
    const struct space *x = &z->safety.space;
    double h[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
    for (int k = 0; k < TICKS; k++) {
        struct space_pose p;
        ride_tick(r);
        space_place(x, z->sensed.q, &p);
        for (int i = 0; i < x->n; i++) {
            h[x->rule[i].kind] = fmin(h[x->rule[i].kind], space_distance(x, &p, i));
        }
        if (z->fsm.state != STATE_RUNNING) {
            fail_msg("it stopped after %d ticks", k);
        }
    }
    uint64_t bites = 0;
    for (int j = 0; j < 6; j++) {
        bites += z->safety.bites[j][RULE_SPACE] + z->safety.bites[j][RULE_TABLE] +
                 z->safety.bites[j][RULE_SELF];
    }
    print_message("%d ticks: box %.4f m, table %.4f m, self %.4f m; the rules bit %llu times\n",
                  TICKS, h[SPACE_BOX], h[SPACE_TABLE], h[SPACE_SELF], (unsigned long long)bites);
    assert_true(h[SPACE_BOX] > -TOLERANCE_M && h[SPACE_TABLE] > -TOLERANCE_M &&
                h[SPACE_SELF] > -TOLERANCE_M);
    assert_true(bites > 1000);
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(driven_at_random_it_stays_inside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
