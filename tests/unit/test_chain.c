/* The chain: what each choice does, by every option; its values by sweeps over its list of
 * outcomes; and the loop around both robot files. */
#include "tests/unit/world_fixture.h"

#define CHAIN ROBOT("chain")
#define CLIFF ROBOT("cliff-walk")

enum { STATES = 10 };

/* pattern: alternate */
static float right_in(int state)
{
    return (float)(state % 2);
}

static void the_right_way_is_paid_at_its_end(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const files[] = {CHAIN, CLIFF};
    for (int k = 0; k < 2; k++) {
        rig_open(&w, files[k]);
        rig_put(&w, (const double[]){0}, 1);
        rig_begin(&w);
        for (int i = 0; i < STATES; i++) {
            assert_int_equal(w.task.st.end, END_NONE);
            assert_true(rig_extra(&w, "state", 0) == i);
            const float act = right_in(i);
            assert_true(rig_act(&w, &act) == (i + 1 == STATES ? 1.0 : 0.0));
        }
        assert_int_equal(w.task.st.end, END_TERMINAL);
        assert_true(w.task.st.success);

        /* and stays there */
        const float any = 1.0f;
        rig_step(&w, &any);
        assert_true(rig_extra(&w, "score", 0) == 1.0 && rig_extra(&w, "state", 0) == STATES - 1);
        rig_close(&w);
    }
}

static void a_wrong_choice_leads_where_it_says(void **state)
{
    (void)state;

    static const struct {
        const char *wrong;
        double to;
        bool ends;
    } cases[] = {
        {"sim.wrong=end", 4, true}, {"sim.wrong=start", 0, false}, {"sim.wrong=back", 3, false}};

    for (int k = 0; k < 3; k++) {
        static struct world_rig w;
        const char *const sets[] = {cases[k].wrong, "sim.wrong_reward=0.25"};
        const float act = 1.0f - right_in(4);
        rig_open_with(&w, CLIFF, sets, 2);
        rig_put(&w, (const double[]){4}, 1);
        rig_begin(&w);
        assert_true(rig_act(&w, &act) == 0.25);
        assert_true(rig_extra(&w, "state", 0) == cases[k].to);
        assert_int_equal(w.task.st.end, cases[k].ends ? END_TERMINAL : END_NONE);
        assert_false(w.task.st.success);
        rig_close(&w);
    }
}

/* V by sweeps over the world's own outcomes, until nothing changes; ret_q [states,2]. */
static void sweep(struct world_rig *w, int states, double gamma, double (*ret_q)[2])
{
    double v[STATES] = {0};
    for (int pass = 0; pass < 4000; pass++) {
        for (int i = 0; i < states; i++) {
            for (int a = 0; a < 2; a++) {
                double to[2][3], p[2];
                assert_int_equal(w->state_bytes, sizeof to[0]);
                rig_put(w, (const double[]){i}, 1);
                w->cmd.choice = a;
                const int n = w->sim->outcomes(w->self, w->state, &w->cmd, to, p, 2);
                ret_q[i][a] = 0.0;
                for (int k = 0; k < n; k++) { /* state, score, end */
                    const double after = to[k][2] != 0.0 ? 0.0 : v[(int)to[k][0]];
                    ret_q[i][a] += p[k] * (to[k][1] + gamma * after);
                }
            }
        }
        for (int i = 0; i < states; i++) {
            v[i] = fmax(ret_q[i][0], ret_q[i][1]);
        }
    }
}

static void values_are_those_of_its_closed_form(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const files[] = {CHAIN, CLIFF};
    double q[STATES][2];
    for (int k = 0; k < 2; k++) {
        rig_open(&w, files[k]);
        sweep(&w, STATES, 0.9, q);
        for (int i = 0; i < STATES; i++) {
            const int right = (int)right_in(i);
            assert_near(q[i][right], pow(0.9, STATES - 1 - i), 1e-12);
            assert_near(q[i][1 - right], k == 0 ? pow(0.9, STATES) : 0.0, 1e-12);
        }
        rig_close(&w);
    }
}

/* Always forward: v_i = gamma (.8 v_(i+1) + .2 v_0) + .4, held
 * against that system, solved from its end. */
static void strens_chain_is_best_walked_forward(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {
        "sim.states=5",       "sim.wrong=start", "sim.goal_ends=false", "sim.goal_reward=10",
        "sim.wrong_reward=2", "sim.slip=0.2",    "sim.pattern=same"};
    const double gamma = 0.95;
    double q[STATES][2];
    rig_open_with(&w, CHAIN, sets, 7);
    sweep(&w, 5, gamma, q);
    /* v_4 = (8 + .4 + .2 gamma v_0) / (1 - .8 gamma), v_i = .8 gamma v_(i+1) + .2 (2 + gamma v_0)
     */
    double c = (8.0 + 0.4) / (1.0 - 0.8 * gamma), d = 0.2 * gamma / (1.0 - 0.8 * gamma);
    for (int i = 3; i >= 0; i--) { /* v_i = c + d v_0 */
        c = 0.8 * gamma * c + 0.4;
        d = 0.8 * gamma * d + 0.2 * gamma;
    }
    assert_near(q[0][1], c / (1.0 - d), 1e-9);
    for (int i = 0; i < 5; i++) {
        assert_true(q[i][1] > q[i][0]);
    }
    rig_close(&w);
}

/* Steps fall out as often as the list of outcomes says. */
static void slips_are_as_frequent_as_outcomes_say(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {"sim.slip=0.2"};

    enum { N = 40000 };

    int wrong = 0;
    struct rng rng;
    rng_seed(&rng, 4);
    rig_open_with(&w, CLIFF, sets, 1);
    w.cmd.choice = 0; /* the right one in state 0 */
    for (int i = 0; i < N; i++) {
        rig_put(&w, (const double[]){0}, 1);
        w.sim->step(w.self, w.state, &w.cmd, w.dt_s, &rng);
        wrong += rig_extra(&w, "end", 0) != 0.0;
    }
    assert_near((double)wrong / N, 0.2, 0.008);
    rig_close(&w);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(CHAIN);
    check_copy(CLIFF);
}

/* One in 2^states is paid: of 40,000 episodes of four states one in sixteen. */
static void at_random_it_is_paid_once_in_two_to_the_states(void **state)
{
    (void)state;
    static const char *const sets[] = {"learner.learning_starts=100000000", "sim.states=4"};
    struct ride *r = ride_open_with(CLIFF, sets, 2, 1);
    ride_on(r, 40000);
    print_message("paid: %.5f\n", ride_mean(r));
    assert_near(ride_mean(r), 1.0 / 16.0, 0.005);
    assert_true(r->successes == r->returns);
    ride_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_way_is_paid_at_its_end),
        cmocka_unit_test(a_wrong_choice_leads_where_it_says),
        cmocka_unit_test(values_are_those_of_its_closed_form),
        cmocka_unit_test(strens_chain_is_best_walked_forward),
        cmocka_unit_test(slips_are_as_frequent_as_outcomes_say),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(at_random_it_is_paid_once_in_two_to_the_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
