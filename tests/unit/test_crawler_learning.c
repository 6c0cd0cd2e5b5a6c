/*
 * How fast a table learns the crawler of nine by thirteen positions, against environments.md 2.4:
 * the speed of its greedy gait after so many steps, over ten seeds.
 */
#include "tests/unit/lesson_fixture.h"

#define CRAWLER ROBOT("crawler-grid")

/* Its earlier columns are means of ten seeds, which others' seeds do not repeat; from these steps
 * on all seeds agree. */
static void its_gaits_are_learnt_as_in_2_4(void **state)
{
    (void)state;

    enum { SEEDS = 10, EARLY = 1000 };

    static const struct {
        const char *initial_eps, *final_eps, *gamma;
        int64_t steps;
        double speed;
    } cases[] = {
        {"policy.exploration_initial_eps=0.5", "policy.exploration_final_eps=0.5",
         "learner.gamma=0.8", 5000, 1.76},
        {"policy.exploration_initial_eps=0.5", "policy.exploration_final_eps=0.5",
         "learner.gamma=0.9", 10000, 3.37},
        {"policy.exploration_initial_eps=1", "policy.exploration_final_eps=1", "learner.gamma=0.9",
         50000, 3.37},
    };

    static struct lesson x;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double early = 0.0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            const char *const sets[] = {cases[c].initial_eps, cases[c].final_eps, cases[c].gamma,
                                        NULL};
            lesson_open(&x, CRAWLER, sets, seed);
            (void)lesson_solve(&x, SOLVE_MAX, 0);
            lesson_go_on(&x, EARLY);
            struct gait g = mdp_gait(&x.solution, lesson_tensor(&x, "q"), 4);
            early += gait_speed(&g) / SEEDS;
            lesson_go_on(&x, cases[c].steps);
            g = mdp_gait(&x.solution, lesson_tensor(&x, "q"), 4);
            assert_near(gait_speed(&g), cases[c].speed, 0.005);
            lesson_close(&x);
        }
        print_message("%s, %s: %.2f a step after %d, all of ten %.2f after %d\n",
                      cases[c].initial_eps, cases[c].gamma, early, EARLY, cases[c].speed,
                      (int)cases[c].steps);
        assert_true(early < cases[c].speed - 0.3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_gaits_are_learnt_as_in_2_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
