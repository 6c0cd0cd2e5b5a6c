/* The linear system: its steps and cost, the Riccati equation that it is the oracle of, and the
 * gain that learners find in it. algorithms.md 14.4. */
#include "tests/unit/world_fixture.h"

#include "tests/unit/actor_fixture.h"

#include <stdio.h>

#define YAML ROBOT("lqr")

/* Of the robot file: s' = 1.2 s + 0.5 u, cost s^2 + 0.1 u^2, u = 2.5 a. */
static void it_steps_and_costs_as_it_says(void **state)
{
    (void)state;
    static struct world_rig w;
    const float act = -0.3f;
    rig_open(&w, YAML);
    rig_put(&w, (const double[]){0.8}, 1);
    rig_begin(&w);
    const double u = 2.5 * (double)act, cost = 0.64 + 0.1 * u * u;
    assert_near(rig_act(&w, &act), -cost, 1e-12);
    assert_near(rig_extra(&w, "state", 0), 1.2 * 0.8 + 0.5 * u, 1e-12);
    assert_near(rig_extra(&w, "cost", 0), cost, 1e-12);
    assert_near(rig_truth(&w).tau[0], u, 1e-12);
    rig_close(&w);
}

/* The best controller's cost from there is s'P s, discounted, whatever the numbers of states. */
struct system {
    const char *sets[6];
    int n;
    double gamma, gain[2], p[3]; /* P: its first row, then its last number */
};

static const struct system systems[] = {
    {{"sim.a=[1]", "sim.b=[1]", "sim.r=[1]"}, 1, .9, {.5884033490}, {1.5884033490}},
    {{"sim.a=[1]", "sim.b=[1]", "sim.r=[1]"}, 1, .99, {.6152512457}, {1.6152512457}},
    {{"sim.a=[1]", "sim.b=[1]", "sim.r=[1]"}, 1, 1, {.6180339887}, {1.6180339887}},
    {{NULL}, 1, .95, {1.8587903198}, {1.4461096767}},
    {{"sim.a=[1, 0.1, 0, 1]", "sim.b=[0.005, 0.1]", "sim.q=[1, 0.1]", "sim.r=[0.01]"},
     2,
     .99,
     {7.42619417, 4.51216858},
     {5.87637548, .98643819, .60053877}},
};

static void rig_open_system(struct world_rig *w, const struct system *y)
{
    int n = 0;
    while (n < 4 && y->sets[n] != NULL) {
        n++;
    }
    rig_open_with(w, YAML, y->sets, n);
}

static double discounted_cost(struct world_rig *w, const struct system *y, const double *s0,
                              double off)
{
    double sum = 0.0, discount = 1.0, before = 0.0;
    rig_put(w, s0, 2);
    w->cmd.mode[0] = MODE_EFFORT;
    for (int t = 0; t < 3000; t++) {
        const double *s = w->state;
        w->cmd.tau[0] = -(y->gain[0] + off) * s[0] - y->gain[1] * s[1];
        w->sim->step(w->self, w->state, &w->cmd, w->dt_s, NULL);
        const double cost = w->state[4]; /* behind four states */
        sum += discount * (cost - before);
        before = cost;
        discount *= y->gamma;
    }
    return sum;
}

static void the_riccati_gain_costs_s_p_s_14_4(void **state)
{
    (void)state;
    static struct world_rig w;
    for (size_t i = 0; i < 4; i++) {
        const struct system *y = &systems[i];
        rig_open_system(&w, y);
        const double s0[2] = {1.0, 0.0};
        const double best = discounted_cost(&w, y, s0, 0.0);
        assert_close(best, y->p[0], 1e-8);
        assert_true(discounted_cost(&w, y, s0, 0.05) > best);
        assert_true(discounted_cost(&w, y, s0, -0.05) > best);
        rig_close(&w);
    }
}

/* Two states in a robot with one sensor of two numbers. */
static void rig_open_integrator(struct world_rig *w)
{
    const struct sim *lqr = sim_find("lqr");
    char reason[WHY_CHARS] = "";
    rig_open(w, YAML);
    for (int i = 0; i < 4; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "%c", "abqr"[i]);
        assert_int_equal(option_set(option_find(lqr->options, key), w->config.sim_config,
                                    strchr(systems[4].sets[i], '=') + 1, reason, sizeof reason),
                         0);
    }
    w->config.robot.extra[0].n = 2;
    w->config.robot.extra[1].offset = 2;
    if (lqr->open(w->config.sim_config, &w->config.robot, &w->mem, &w->self, reason,
                  sizeof reason) < 0) {
        fail_msg("%s", reason);
    }
}

static void a_double_integrator_costs_s_p_s_14_4(void **state)
{
    (void)state;
    static struct world_rig w;
    const struct system *y = &systems[4];
    rig_open_integrator(&w);
    const double ss[3][2] = {{1, 0}, {0, 1}, {1, 1}};
    const double want[3] = {y->p[0], y->p[2], y->p[0] + 2.0 * y->p[1] + y->p[2]};
    for (int i = 0; i < 3; i++) {
        assert_close(discounted_cost(&w, y, ss[i], 0.0), want[i], 1e-7);
    }
    rig_close(&w);
}

/* Of one step from s and the cost s'P s behind it, by the control u: its curvature in u is S = R +
 * gamma B'P B, its least is at -K s. */
static void check_curvature(struct world_rig *w, const struct system *y, const double *s0,
                            double curvature, double relative)
{
    double q[3];
    w->cmd.mode[0] = MODE_EFFORT;
    for (int k = 0; k < 3; k++) {
        rig_put(w, s0, 2);
        w->cmd.tau[0] = k - 1;
        w->sim->step(w->self, w->state, &w->cmd, w->dt_s, NULL);
        const double *s = w->state;
        q[k] = s[4] + y->gamma * (y->p[0] * s[0] * s[0] + 2.0 * y->p[1] * s[0] * s[1] +
                                  y->p[2] * s[1] * s[1]);
    }
    const double bend = 0.5 * (q[2] + q[0]) - q[1];
    assert_close(bend, curvature, relative);
    assert_close(0.25 * (q[2] - q[0]) / bend, y->gain[0] * s0[0] + y->gain[1] * s0[1], relative);
}

static void the_value_of_a_control_has_the_curvature_s_14_4(void **state)
{
    (void)state;
    static const double curvature[] = {2.4295630141, 2.5990987332, 2.6180339887, .4434510482};
    static struct world_rig w;
    for (size_t i = 0; i < 4; i++) {
        rig_open_system(&w, &systems[i]);
        check_curvature(&w, &systems[i], (const double[]){1, 0}, curvature[i], 1e-9);
        rig_close(&w);
    }
    rig_open_integrator(&w); /* whose P is printed to eight digits */
    check_curvature(&w, &systems[4], (const double[]){1, 0}, .0170673479, 1e-7);
    check_curvature(&w, &systems[4], (const double[]){-.5, 2}, .0170673479, 1e-7);
    rig_close(&w);
}

/* What any gain is worth from 1 on, and the slope of that: J(K) of the fourth row. */
static void any_gain_is_worth_its_j_14_4(void **state)
{
    (void)state;

    static const struct {
        double gain, j, slope;
    } cases[] = {{.8, -2.7142857143, 4.85422741},
                 {1.5, -1.5167930661, .43142428},
                 {2, -1.4553014553, -.12837081}};

    static struct world_rig w;
    const struct system *y = &systems[3];
    const double s0[2] = {1.0, 0.0}, h = 1e-4;
    rig_open_system(&w, y);
    for (size_t i = 0; i < 3; i++) {
        const double off = cases[i].gain - y->gain[0];
        assert_close(-discounted_cost(&w, y, s0, off), cases[i].j, 1e-9);
        const double more = -discounted_cost(&w, y, s0, off + h);
        const double less = -discounted_cost(&w, y, s0, off - h);
        assert_close((more - less) / (2.0 * h), cases[i].slope, 1e-6);
    }
    rig_close(&w);
}

/* Of the best policy of maximum entropy, N(-K s, alpha / 2S), from 0 on: V(0) = c. */
static void entropy_adds_its_constant_14_4(void **state)
{
    (void)state;

    enum { EPISODES = 8000, STEPS = 200 };

    static const struct {
        const char *set;
        double c;
    } cases[] = {{"sim.process_noise=0", -.3446873}, {"sim.process_noise=0.1", -.6194482}};

    static struct world_rig w;
    const double alpha = 0.1, variance = .1127520167, gamma = 0.95;
    const double entropy = 0.5 * log(2.0 * acos(-1.0) * exp(1.0) * variance);
    struct rng rng;
    rng_seed(&rng, 3);
    for (int k = 0; k < 2; k++) {
        double sum = 0.0, sum2 = 0.0;
        rig_open_with(&w, YAML, &cases[k].set, 1);
        w.cmd.mode[0] = MODE_EFFORT;
        for (int e = 0; e < EPISODES; e++) {
            double discount = 1.0, before = 0.0, worth = alpha * entropy / (1.0 - gamma);
            rig_put(&w, (const double[]){0}, 1);
            for (int t = 0; t < STEPS; t++) {
                w.cmd.tau[0] = -1.8587903198 * w.state[0] + .335786 * rng_normal(&rng);
                w.sim->step(w.self, w.state, &w.cmd, w.dt_s, &rng);
                worth -= discount * (w.state[4] - before);
                before = w.state[4];
                discount *= gamma;
            }
            sum += worth / EPISODES;
            sum2 += worth * worth / EPISODES;
        }
        const double error = sqrt((sum2 - sum * sum) / EPISODES);
        print_message("%s: %.4f +- %.4f of %.4f\n", cases[k].set, sum, error, cases[k].c);
        assert_true(error < 0.007);
        assert_near(sum, cases[k].c, 4.0 * error);
        rig_close(&w);
    }
}

/* gamma tr(P W) / (1 - gamma) is what noise adds: W = 0.04, from 0 on. */
static void noise_adds_its_constant_14_4(void **state)
{
    (void)state;
    static struct world_rig w;
    static const char *const sets[] = {"sim.process_noise=0.2"};

    enum { EPISODES = 4000, STEPS = 150 };

    double sum = 0.0;
    struct rng rng;
    rng_seed(&rng, 3);
    rig_open_with(&w, YAML, sets, 1);
    w.cmd.mode[0] = MODE_EFFORT;
    for (int e = 0; e < EPISODES; e++) {
        double discount = 1.0, before = 0.0;
        rig_put(&w, (const double[]){0}, 1);
        for (int t = 0; t < STEPS; t++) {
            w.cmd.tau[0] = -1.8587903198 * w.state[0];
            w.sim->step(w.self, w.state, &w.cmd, w.dt_s, &rng);
            sum += discount * (w.state[4] - before) / EPISODES;
            before = w.state[4];
            discount *= 0.95;
        }
    }
    assert_close(sum, 0.95 * 1.4461096767 * 0.04 / 0.05, 0.02);
    rig_close(&w);
}

static void a_reset_draws_uniformly(void **state)
{
    (void)state;
    static struct world_rig w;
    static const double mean[1] = {0}, half[] = {1};
    rig_open(&w, YAML);
    check_reset(&w, mean, half, 1);
    rig_close(&w);
}

static void a_copy_of_the_state_is_a_copy_of_the_world(void **state)
{
    (void)state;
    check_copy(YAML);
}

static void matrices_that_do_not_fit_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *set, *sentence;
    } cases[] = {{"sim.a=[1, 2]", "sim.a must be 1, 4, 9 or 16 numbers, not 2"},
                 {"sim.b=[1, 2]", "sim.b must be 1 x 1 numbers, not 2"},
                 {"sim.q=[1, 2]", "sim.q must be 1 x 1 numbers, not 2"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct world_rig w;
        char reason[WHY_CHARS] = "";
        const char *value = strchr(cases[i].set, '=') + 1;
        const char key[2] = {cases[i].set[4], '\0'};
        rig_open(&w, YAML);
        assert_int_equal(option_set(option_find(w.sim->options, key), w.config.sim_config, value,
                                    reason, sizeof reason),
                         0);
        assert_true(w.sim->open(w.config.sim_config, &w.config.robot, &w.mem, &w.self, reason,
                                sizeof reason) < 0);
        assert_string_equal(reason, cases[i].sentence);
        rig_close(&w);
    }
}

/* --- learned from it: 20,000 random steps, episodes cut by a clock after four --- */

/* From |s| <= 1, by least squares: u = 2.5 a = -K s. */
static double gain_of(struct actor_fixture *actor)
{
    double su = 0.0, ss = 0.0;
    struct rng unused;
    rng_seed(&unused, 0);
    for (int i = -20; i <= 20; i++) {
        const float s = (float)i / 20.0f;
        float a;
        (void)actor_act(actor, &s, false, &unused, &a);
        su -= (double)s * 2.5 * (double)a;
        ss += (double)s * (double)s;
    }
    return su / ss;
}

/* Its mean over the last third of the updates. */
static double learned_gain(const char *const *sets, int n_sets)
{
    struct ride *r = ride_open_with(YAML, sets, n_sets, 1);
    struct learner *learner = &r->house.learner;
    static struct learner_fixture l;
    static struct actor_fixture actor;
    double gain = 0.0;

    enum { STEPS = 20000, EVERY = 100, LAST = STEPS / 3 };

    int looks = 0;
    l = (struct learner_fixture){.policy = learner->policy,
                                 .config = r->house.config.policy_config,
                                 .dims = learner->dims,
                                 .self = learner->self};
    actor_make(&actor, &l);
    for (int64_t seen = 0; r->house.loop.st.step < STEPS;) {
        ride_tick(r);
        while (learner_step(learner)) {
        }
        if (r->house.loop.st.step >= seen + EVERY) {
            seen = r->house.loop.st.step;
            if (seen > STEPS - LAST) {
                actor_take(&actor, &l);
                gain += gain_of(&actor);
                looks++;
            }
        }
    }
    actor_free(&actor);
    ride_close(r);
    return gain / looks;
}

/* 14.4: K within 5 % after 20,000 steps. */
static void learners_find_its_gain_14_4(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("60,000 updates take minutes with sanitizers\n");
    skip();
#endif

    static const char *const cases[][5] = {
        {"policy.kind=ddpg", "policy.activation_fn=tanh", "policy.tau=0.02",
         "policy.learning_rate=3e-4", "policy.net_arch=[64, 64]"},
        {"policy.kind=td3", "policy.activation_fn=tanh", "policy.tau=0.02",
         "policy.learning_rate=3e-4", "policy.target_policy_noise=0.05"},
        {"policy.k=1", "policy.learning_rate_actor=3e-4", "policy.log_std_min=-1.5",
         "policy.tau=0.005", "policy.net_arch=[64, 64]"},
    };

    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const double gain = learned_gain(cases[c], 5);
        print_message("%s: gain %.4f of 1.8588\n", cases[c][0], gain);
        assert_close(gain, 1.8587903198, 0.05);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_steps_and_costs_as_it_says),
        cmocka_unit_test(the_riccati_gain_costs_s_p_s_14_4),
        cmocka_unit_test(a_double_integrator_costs_s_p_s_14_4),
        cmocka_unit_test(the_value_of_a_control_has_the_curvature_s_14_4),
        cmocka_unit_test(any_gain_is_worth_its_j_14_4),
        cmocka_unit_test(noise_adds_its_constant_14_4),
        cmocka_unit_test(entropy_adds_its_constant_14_4),
        cmocka_unit_test(a_reset_draws_uniformly),
        cmocka_unit_test(a_copy_of_the_state_is_a_copy_of_the_world),
        cmocka_unit_test(matrices_that_do_not_fit_are_refused),
        cmocka_unit_test(learners_find_its_gain_14_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
