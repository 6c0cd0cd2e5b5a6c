/* The gridworlds: rules by hand-made steps, and their optimal values against environments.md 3.1.
 * The state is cell, end, score. */
#include "tests/unit/grid_values.h"
#include "tests/unit/mdp_fixture.h"

#include "policies/nn/boltzmann.h"

#include <stdio.h>

#define YAML ROBOT("gridworld")

enum { NORTH, SOUTH, EAST, WEST, EXIT };

/* BookGrid: 0 is the start, 5 the wall, 7 and 11 the exits of -1 and 1. */
static void one_goes_where_one_asks_but_for_walls(void **state)
{
    (void)state;
    static struct world_rig w;

    static const struct {
        int from;
        float choice;
        int to;
    } cases[] = {
        {0, NORTH, 4}, {0, SOUTH, 0}, {0, EAST, 1},  {0, WEST, 0}, {1, NORTH, 1}, {4, EAST, 4},
        {6, WEST, 6},  {6, EAST, 7},  {8, NORTH, 8}, {3, EAST, 3}, {9, SOUTH, 9}, {2, EXIT, 2},
    };

    const char *const sets[] = {"sim.slip=0", "sim.living_reward=-0.5"};
    rig_open_with(&w, YAML, sets, 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_put(&w, (const double[]){cases[i].from, 0, 3}, 3);
        assert_int_equal(rig_truth(&w).legal, 15);
        rig_step(&w, &cases[i].choice);
        assert_true(rig_extra(&w, "cell", 0) == cases[i].to);
        assert_true(rig_extra(&w, "score", 0) == 2.5 && rig_extra(&w, "end", 0) == 0.0);
    }
    rig_close(&w);
}

/* An exit pays when it is left, not when it is entered; after that nothing happens. */
static void an_exit_pays_and_ends(void **state)
{
    (void)state;
    static struct world_rig w;
    const char *const sets[] = {"sim.slip=0"};
    const float east = EAST, out = EXIT;
    rig_open_with(&w, YAML, sets, 1);
    rig_put(&w, (const double[]){6, 0, 0}, 3);
    rig_begin(&w);
    assert_true(rig_act(&w, &east) == 0.0);
    assert_int_equal(w.task.st.end, END_NONE);
    assert_int_equal(rig_truth(&w).legal, 1u << EXIT);
    assert_true(rig_act(&w, &out) == -1.0);
    assert_int_equal(w.task.st.end, END_TERMINAL);
    rig_step(&w, &east);
    rig_step(&w, &out);
    assert_true(rig_extra(&w, "score", 0) == -1.0 && rig_extra(&w, "end", 0) == 1.0);
    assert_true(rig_extra(&w, "cell", 0) == 7.0);
    rig_close(&w);
}

/* With noise, to the sides and never back: as listed, and as drawn. */
static void it_slips_to_the_sides(void **state)
{
    (void)state;

    enum { DRAWS = 20000 };

    static struct world_rig w;
    struct command cmd = {.choice = WEST};
    double to[3][3], p[3];
    int count[12] = {0};
    struct rng rng;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){2, 0, 0}, 3);
    assert_int_equal(w.sim->outcomes(w.self, w.state, &cmd, to, p, 3), 3);
    assert_true(to[0][0] == 1 && p[0] == 0.8);
    assert_true(to[1][0] == 2 && p[1] == 0.1); /* south of it is the edge */
    assert_true(to[2][0] == 6 && p[2] == 0.1);
    rng_seed(&rng, 4);
    for (int k = 0; k < DRAWS; k++) {
        rig_put(&w, (const double[]){2, 0, 0}, 3);
        w.sim->step(w.self, w.state, &cmd, w.dt_s, &rng);
        count[(int)w.state[0]]++;
    }
    assert_near(count[1] / (double)DRAWS, 0.8, 0.01);
    assert_near(count[2] / (double)DRAWS, 0.1, 0.01);
    assert_near(count[6] / (double)DRAWS, 0.1, 0.01);
    rig_close(&w);
}

static void open_grid(struct world_rig *w, const struct grid_values *g)
{
    char layout[40], noise[40], living[40], bins[40];
    (void)snprintf(layout, sizeof layout, "sim.layout=%s", g->layout);
    (void)snprintf(noise, sizeof noise, "sim.slip=%s", g->noise);
    (void)snprintf(living, sizeof living, "sim.living_reward=%s", g->living_reward);
    (void)snprintf(bins, sizeof bins, "policy.bins=[%d]", g->cells);
    const char *const sets[] = {layout, noise, living, bins};
    rig_open_with(w, YAML, sets, 4);
}

static void their_values_are_those_of_3_1(void **state)
{
    (void)state;
    static struct world_rig w;
    static struct mdp m;
    for (size_t i = 0; i < GRIDS_N; i++) {
        const struct grid_values *g = &grid_values[i];
        open_grid(&w, g);
        mdp_solve(&m, &w, g->gamma, g->alpha > 0.0 ? SOLVE_SOFT : SOLVE_MAX, g->alpha);
        for (int c = 0; c < g->cells; c++) {
            if (grid_value(g, c) != NO && !(fabs(m.v[c] - grid_value(g, c)) <= g->tolerance)) {
                fail_msg("%s, noise %s, cell %d: %.9g, not %.9g", g->layout, g->noise, c, m.v[c],
                         grid_value(g, c));
            }
        }
        rig_close(&w);
    }
}

/* The letters of 3.1: no other choice of that cell is better. */
static void their_best_moves_are_those_of_3_1(void **state)
{
    (void)state;
    static struct world_rig w;
    static struct mdp m;
    int letters = 0;
    for (size_t i = 0; i < GRIDS_N; i++) {
        const struct grid_values *g = &grid_values[i];
        if (g->moves[0] == '\0') {
            continue;
        }
        open_grid(&w, g);
        mdp_solve(&m, &w, g->gamma, SOLVE_MAX, 0);
        for (int c = 0; c < g->cells; c++) {
            const char *letter = strchr("NSEW", g->moves[grid_place(g, c)]);
            for (int a = NORTH; letter != NULL && a <= WEST; a++) {
                const int best = (int)(letter - strchr("NSEW", 'N'));
                if (!(m.q[c][a] <= m.q[c][best] + 1e-9)) {
                    fail_msg("%s, noise %s, cell %d: not %c", g->layout, g->noise, c, *letter);
                }
            }
            letters += letter != NULL;
        }
        rig_close(&w);
    }
    assert_int_equal(letters, 70);
}

/* 3.1: how a soft policy chooses at BookGrid's start, N S E W; of the solution and of ours. */
static void its_soft_policy_is_that_of_3_1(void **state)
{
    (void)state;
    static struct world_rig w;
    static struct mdp m;

    static const struct {
        double alpha, pi[4];
    } cases[] = {{0.01, {.980895, .004446, .000263, .014396}},
                 {0.1, {.276398, .255453, .200757, .267392}}};

    rig_open(&w, YAML);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float q[5], pi[5];
        mdp_solve(&m, &w, 0.9, SOLVE_SOFT, cases[i].alpha);
        for (int a = 0; a < 5; a++) {
            q[a] = (float)m.q[0][a];
        }
        const float v = soft_value(q, 5, m.legal[0], (float)cases[i].alpha, pi);
        assert_near((double)v, m.v[0], 1e-6);
        assert_true(pi[EXIT] == 0.0f);
        for (int a = NORTH; a <= WEST; a++) {
            const double p = exp((m.q[0][a] - m.v[0]) / cases[i].alpha);
            assert_near(p, cases[i].pi[a], 5e-7);
            assert_near((double)pi[a], cases[i].pi[a], 1e-5);
        }
    }
    rig_close(&w);
}

/* 3.1: the four values of BookGrid's start, and all after five sweeps. */
static void the_book_has_its_values_of_3_1(void **state)
{
    (void)state;
    static struct world_rig w;
    static struct mdp m;
    static const double start[] = {.490684, .436230, .405338, .448422}; /* N S E W */
    static const double five[] = {0,     .2221, .3698, .1321, .2687, NO,
                                  .5532, -1,    .5076, .7155, .8409, 1};
    static const double choose[] = {NORTH, WEST, NORTH, WEST, NORTH, NO,
                                    NORTH, EXIT, EAST,  EAST, EAST,  EXIT};
    rig_open(&w, YAML);
    mdp_solve(&m, &w, 0.9, SOLVE_MAX, 0);
    for (int a = NORTH; a <= WEST; a++) {
        assert_near(m.q[0][a], start[a], 5e-7);
    }
    for (int c = 0; c < 12; c++) {
        for (int a = 0; choose[c] != NO && a < 5; a++) {
            assert_true((m.legal[c] >> a & 1) == 0 || m.q[c][a] <= m.q[c][(int)choose[c]]);
        }
        m.v[c] = 0.0;
    }
    for (int t = 0; t < 5; t++) {
        (void)mdp_sweep(&m);
    }
    for (int c = 0; c < 12; c++) {
        assert_true(five[c] == NO || fabs(m.v[c] - five[c]) <= 5e-5);
    }
    rig_close(&w);
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
    w.config.robot.n_choices = 4;
    assert_true(w.sim->open(w.config.sim_config, &w.config.robot, &w.mem, &w.self, reason,
                            sizeof reason) < 0);
    assert_string_equal(reason,
                        "choices: sim gridworld as configured has 5, the robot file names 4");
    rig_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_goes_where_one_asks_but_for_walls),
        cmocka_unit_test(an_exit_pays_and_ends),
        cmocka_unit_test(it_slips_to_the_sides),
        cmocka_unit_test(their_values_are_those_of_3_1),
        cmocka_unit_test(their_best_moves_are_those_of_3_1),
        cmocka_unit_test(its_soft_policy_is_that_of_3_1),
        cmocka_unit_test(the_book_has_its_values_of_3_1),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(what_it_lacks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
