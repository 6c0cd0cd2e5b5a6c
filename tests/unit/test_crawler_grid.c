/* The crawler of nine by thirteen positions: its steps and what is best, against environments.md
 * 2.4. The state is arm, hand, way. */
#include "tests/unit/mdp_fixture.h"

#define YAML ROBOT("crawler-grid")

enum { ARM_UP, ARM_DOWN, HAND_UP, HAND_DOWN };

static void its_steps_are_those_of_2_4(void **state)
{
    (void)state;
    static struct world_rig w;

    static const struct {
        double arm, hand;
        float choice;
        double arm_then, hand_then, way;
    } cases[] = {
        {4, 6, HAND_DOWN, 4, 5, 0},           {4, 6, ARM_DOWN, 3, 6, 0.284414144},
        {0, 3, HAND_DOWN, 0, 2, 8.357750222}, {0, 6, HAND_DOWN, 0, 5, 8.144692552},
        {3, 6, ARM_DOWN, 2, 6, 0.995673540},  {0, 5, HAND_DOWN, 0, 4, 8.597905275},
        {0, 4, ARM_UP, 1, 4, -1.992467893},   {2, 6, ARM_DOWN, 1, 6, 1.606622098},
    };

    rig_open(&w, YAML);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_put(&w, (const double[]){cases[i].arm, cases[i].hand, 0}, 3);
        rig_begin(&w);
        assert_near(rig_act(&w, &cases[i].choice), cases[i].way, 1e-9);
        assert_true(rig_extra(&w, "arm", 0) == cases[i].arm_then);
        assert_true(rig_extra(&w, "hand", 0) == cases[i].hand_then);
    }
    rig_close(&w);
}

/* 35 of 117 positions touch the ground, and 424 choices are legal. */
static void its_positions_are_those_of_2_4(void **state)
{
    (void)state;
    static struct world_rig w;
    static const int last_touching[9] = {10, 9, 8, 7, -1, -1, -1, -1, -1};
    static const int first_touching[9] = {0, 0, 1, 2, 0, 0, 0, 0, 0};
    int touching = 0, choices = 0;
    rig_open(&w, YAML);
    for (int arm = 0; arm < 9; arm++) {
        for (int hand = 0; hand < 13; hand++) {
            rig_put(&w, (const double[]){arm, hand, 0}, 3);
            const bool touches = rig_extra(&w, "tip", 1) < 0.0;
            assert_int_equal(touches, hand >= first_touching[arm] && hand <= last_touching[arm]);
            touching += touches;
            choices += __builtin_popcountll(rig_truth(&w).legal);
        }
    }
    assert_int_equal(touching, 35);
    assert_int_equal(choices, 424);
    rig_put(&w, (const double[]){4, 6, 0}, 3);
    assert_near(rig_extra(&w, "tip", 0), 150.352762, 1e-6);
    assert_near(rig_extra(&w, "tip", 1), 1.362967, 1e-6);
    rig_put(&w, (const double[]){0, 6, 0}, 3);
    assert_near(rig_extra(&w, "tip", 0), 142.314286, 1e-6);
    assert_near(rig_extra(&w, "tip", 1), -28.637033, 1e-6);
    rig_close(&w);
}

/* What would leave the range is not legal, and stays if it is asked nevertheless. */
static void a_range_ends(void **state)
{
    (void)state;
    static struct world_rig w;
    const float down = ARM_DOWN, hand_up = HAND_UP;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){0, 12, 7}, 3);
    assert_int_equal(rig_truth(&w).legal, 1u << ARM_UP | 1u << HAND_DOWN);
    rig_step(&w, &down);
    rig_step(&w, &hand_up);
    assert_true(w.state[0] == 0 && w.state[1] == 12 && w.state[2] == 7);
    rig_put(&w, (const double[]){8, 0, 0}, 3);
    assert_int_equal(rig_truth(&w).legal, 1u << ARM_DOWN | 1u << HAND_UP);
    rig_close(&w);
}

static void both_joints_move_where_it_is_asked(void **state)
{
    (void)state;
    static struct world_rig w;
    const char *const sets[] = {"sim.product=true"};
    static const double then[4][2] = {{5, 7}, {5, 5}, {3, 7}, {3, 5}};
    static const double stopped[4][2] = {{1, 12}, {1, 11}, {0, 12}, {0, 11}};
    rig_open_with(&w, YAML, sets, 1);
    for (int a = 0; a < 4; a++) {
        const float choice = (float)a;
        rig_put(&w, (const double[]){4, 6, 0}, 3);
        assert_int_equal(rig_truth(&w).legal, 15);
        rig_step(&w, &choice);
        assert_true(w.state[0] == then[a][0] && w.state[1] == then[a][1]);
        rig_put(&w, (const double[]){0, 12, 0}, 3);
        assert_int_equal(rig_truth(&w).legal, 15);
        rig_step(&w, &choice);
        assert_true(w.state[0] == stopped[a][0] && w.state[1] == stopped[a][1]);
    }
    rig_close(&w);
}

static void its_values_are_those_of_2_4(void **state)
{
    (void)state;
    static struct world_rig w;
    static struct mdp m;

    static const struct {
        enum solution solution;
        double gamma, parameter, start, max, min; /* 0: the table does not say */
    } cases[] = {
        {SOLVE_MAX, 0.8, 0, 24.254128, 32.872005, 0.019229},
        {SOLVE_MAX, 0.9, 0, 40.282273, 50.980528, 10.177768},
        {SOLVE_MAX, 0.95, 0, 74.197557, 0, 0},
        {SOLVE_MAX, 0.99, 0, 351.788919, 361.029715, 0},
        {SOLVE_SOFT, 0.9, 0.1, 40.312227, 51.017152, 10.258274},
        {SOLVE_SOFT, 0.9, 1, 42.269445, 52.588873, 12.380784},
        {SOLVE_SOFT, 0.9, 5, 79.260467, 86.602063, 50.541299},
    };

    rig_open(&w, YAML);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double max = -(double)INFINITY, min = (double)INFINITY;
        mdp_solve(&m, &w, cases[i].gamma, cases[i].solution, cases[i].parameter);
        assert_int_equal(m.n_states, 117);
        assert_int_equal(m.pairs, 424);
        for (int k = 0; k < 117; k++) {
            max = fmax(max, m.v[k]);
            min = fmin(min, m.v[k]);
        }
        assert_near(m.v[4 * 13 + 6], cases[i].start, 1e-6);
        assert_true(cases[i].max == 0.0 || fabs(max - cases[i].max) < 1e-6);
        assert_true(cases[i].min == 0.0 || fabs(min - cases[i].min) < 1e-6);
    }
    rig_close(&w);
}

/* Who is greedy by the best values goes round, the longer the farther it looks. */
static void its_greedy_cycles_are_those_of_2_4(void **state)
{
    (void)state;
    static struct world_rig w;
    static struct mdp m;

    static const struct {
        double gamma;
        int steps;
        double speed;
    } cases[] = {
        {0.8, 8, 1.758157}, {0.9, 10, 3.368062}, {0.95, 10, 3.368062}, {0.99, 12, 3.465909}};

    /* of gamma 0.9: arm down, four times hand down, arm up, four times hand up */
    static const double rewards[10] = {0.2844, 8.5327, 8.7089, 8.4659, 7.7264, -0.0376, 0, 0, 0, 0};

    rig_open(&w, YAML);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdp_solve(&m, &w, cases[i].gamma, SOLVE_MAX, 0);
        const struct gait g = mdp_gait(&m, m.q[0], MDP_CHOICES);
        assert_int_equal(g.n, cases[i].steps);
        assert_near(gait_speed(&g), cases[i].speed, 1e-6);
        for (int k = 0; k < 10 && cases[i].gamma == 0.9; k++) {
            assert_near(g.reward[k], rewards[k], 5e-5);
        }
    }
    rig_close(&w);
}

/* The best mean way per step that any cycle has: Karp 1978, from the start in 0 to n steps. */
static double best_cycle(struct world_rig *w)
{
    enum { N = 117 };

    static double most[N + 1][N];
    double best = -(double)INFINITY;
    struct command cmd = {0};
    for (int k = 0; k <= N; k++) {
        for (int i = 0; i < N; i++) {
            most[k][i] = k == 0 && i == 4 * 13 + 6 ? 0.0 : (double)-(double)INFINITY;
        }
    }
    for (int k = 0; k < N; k++) {
        for (int i = 0; i < N; i++) {
            for (cmd.choice = 0; cmd.choice < 4; cmd.choice++) {
                double to[3], p;
                rig_put(w, (const double[]){i / 13, i % 13, 0}, 3);
                if ((rig_truth(w).legal >> cmd.choice & 1) != 0) {
                    (void)w->sim->outcomes(w->self, w->state, &cmd, to, &p, 1);
                    double *there = &most[k + 1][(int)(to[0] * 13 + to[1])];
                    *there = fmax(*there, most[k][i] + to[2]);
                }
            }
        }
    }
    for (int i = 0; i < N; i++) {
        double least = (double)INFINITY;
        for (int k = 0; k < N && isfinite(most[N][i]); k++) {
            least = isfinite(most[k][i]) ? fmin(least, (most[N][i] - most[k][i]) / (N - k)) : least;
        }
        best = isfinite(least) ? fmax(best, least) : best;
    }
    return best;
}

static void its_best_gaits_are_those_of_2_4(void **state)
{
    (void)state;
    static struct world_rig w;
    const char *const sets[] = {"sim.product=true"};
    rig_open(&w, YAML);
    assert_near(best_cycle(&w), 3.465909165, 1e-8);
    rig_close(&w);
    rig_open_with(&w, YAML, sets, 1);
    assert_near(best_cycle(&w), 3.969300673, 1e-8);
    rig_close(&w);
}

/* 2.4: nothing comes of moving at random. An episode is 1000 steps. */
static void at_random_it_stays_where_it_is_2_4(void **state)
{
    (void)state;
    struct ride *r = ride_open(YAML);
    ride_on(r, 200);
    assert_true(r->steps == 200000.0);
    assert_near(r->returns / r->steps, 0.0, 0.01);
    ride_close(r);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(YAML);
}

static void what_it_lacks_is_refused(void **state)
{
    (void)state;
    static struct world_rig w;
    char reason[WHY_CHARS];
    rig_open(&w, YAML);
    w.config.robot.n_choices = 3;
    assert_true(w.sim->open(w.config.sim_config, &w.config.robot, &w.mem, &w.self, reason,
                            sizeof reason) < 0);
    assert_string_equal(reason,
                        "choices: sim crawler_grid as configured has 4, the robot file names 3");
    rig_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_steps_are_those_of_2_4),
        cmocka_unit_test(its_positions_are_those_of_2_4),
        cmocka_unit_test(a_range_ends),
        cmocka_unit_test(both_joints_move_where_it_is_asked),
        cmocka_unit_test(its_values_are_those_of_2_4),
        cmocka_unit_test(its_greedy_cycles_are_those_of_2_4),
        cmocka_unit_test(its_best_gaits_are_those_of_2_4),
        cmocka_unit_test(at_random_it_stays_where_it_is_2_4),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(what_it_lacks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
