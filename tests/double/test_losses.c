/*
 * The losses of whole algorithms by finite differences, in double, through the contract of policies
 * alone: after the first update Adam's first moment is (1 - beta1) times the gradient.
 */
#include <cmocka.h>

#include "tests/double/losses.h"

/* --- soft actor-critic --- */

static double sac_entropy(struct update_case *k)
{
    uint64_t pattern = 0;
    double sum = 0.0, a[A], logp;
    for (int i = 0; i < ROWS; i++) {
        plain_gauss(&k->actor.shape, k->actor.w, k->s + i * O, k->eps[1] + i * A, a, &logp,
                    &pattern);
        sum -= logp / ROWS;
    }
    return sum;
}

/* y = r + g (min Q'(s', a') - alpha log pi(a'|s')) of the networks before the update. */
static void sac_targets(struct update_case *k)
{
    uint64_t pattern = 0;
    double a[A], logp;
    for (int i = 0; i < ROWS; i++) {
        const double *s2 = k->s2 + i * O;
        plain_gauss(&k->actor.shape, k->actor.w, s2, k->eps[0] + i * A, a, &logp, &pattern);
        k->y[i] = k->r[i] + k->g[i] * (least_target(k, s2, a) - k->alpha * logp);
    }
}

static void sac_begin(struct update_case *k)
{
    static const struct setting settings[] = {
        {"net_arch", "[8, 8]"}, {"ent_coef", "auto_0.3"}, {"tau", "0.02"}, {NULL, NULL}};
    learner_make(&k->l, policy_find("sac"), &dims, settings, 11);
    draw_batch(k);
    shape_net(&k->actor, O, 2 * A);
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    read_twin(k);
    k->alpha = exp(learner_floats(&k->l, "log_ent_coef")[0]);
    assert_true(fabs(k->alpha - 0.3) < 1e-12);
    struct rng noise = k->l.rng; /* the update draws for s' first, then for s */
    for (int pass = 0; pass < 2; pass++) {
        plain_normals(&noise, ROWS * A, k->eps[pass]);
    }
}

static void sac_steps_down_the_gradients_of_its_losses_14_1(void **state)
{
    (void)state;
    static struct update_case k;
    uint64_t pattern = 0;
    sac_begin(&k);
    k.l.policy->update(k.l.self, &k.b, &k.stats);

    sac_targets(&k);
    check_twin(&k, "sac critic");

    /* the actor saw the critics after their step, and alpha before its */
    for (int i = 0; i < 2; i++) {
        read_net(&k.l, critics[i], k.critic[i].w, k.critic[i].n);
        check_blend(&k.l, targets[i], 0.02, &k.critic[i], &k.target[i]);
    }
    read_gradient(&k.l, "actor", &k.actor);
    assert_true(fabs(stat(&k, "train/actor_loss") - sac_actor_loss(&k, &pattern)) < 1e-9);
    check_differences("sac actor", k.actor.w, k.actor.n, k.actor.g, sac_actor_loss, &k);
    learner_free(&k.l);
}

/* J(alpha) = E[ -log alpha (log pi + H) ]: its slope in log alpha has no alpha in it. */
static void sac_temperature_follows_the_entropy_14_9(void **state)
{
    (void)state;
    static struct update_case k;
    static const double initial[] = {0.01, 10.0};
    for (int i = 0; i < 2; i++) {
        sac_begin(&k);
        learner_floats(&k.l, "log_ent_coef")[0] = log(initial[i]);
        k.l.policy->update(k.l.self, &k.b, &k.stats);
        const double gap = sac_entropy(&k) - -A; /* the target is -1 per action */
        const double g = learner_floats(&k.l, "log_ent_coef.adam_m")[0] / one_less_beta1;
        const double step = learner_floats(&k.l, "log_ent_coef")[0] - log(initial[i]);
        assert_true(fabs(g - gap) < 1e-9 && fabs(gap) > 0.1);
        assert_true(fabs(stat(&k, "train/entropy") - sac_entropy(&k)) < 1e-9);
        assert_true(fabs(step + 3e-4 * (gap > 0.0 ? 1.0 : -1.0)) < 1e-8); /* Adam's first step */
        learner_free(&k.l);
    }
}

static void sac_temperature_stays_between_its_bounds(void **state)
{
    (void)state;
    static struct update_case k;

    const struct {
        const char *target;
        double start, bound;
    } cases[] = {{"-20", -9.2103, log(1e-4)}, {"1.38", 4.6051, log(1e2)}};

    for (int i = 0; i < 2; i++) {
        const struct setting settings[] = {{"net_arch", "[8, 8]"},
                                           {"learning_rate", "1e-2"},
                                           {"target_entropy", cases[i].target},
                                           {NULL, NULL}};
        learner_make(&k.l, policy_find("sac"), &dims, settings, 11);
        draw_batch(&k);
        learner_floats(&k.l, "log_ent_coef")[0] = cases[i].start;
        bool reached = false; /* eight draws may have more entropy than there is on average */
        for (int u = 0; u < 5; u++) {
            k.l.policy->update(k.l.self, &k.b, &k.stats);
            const double log_alpha = learner_floats(&k.l, "log_ent_coef")[0];
            reached = reached || fabs(log_alpha - cases[i].bound) < 1e-12;
            assert_true(fabs(log_alpha) <= fabs(cases[i].bound) + 1e-12);
        }
        assert_true(reached);
        learner_free(&k.l);
    }
}

static void sac_fixed_temperature_stays(void **state)
{
    (void)state;
    static struct update_case k;
    static const struct setting settings[] = {
        {"net_arch", "[8, 8]"}, {"ent_coef", "0.25"}, {NULL, NULL}};
    learner_make(&k.l, policy_find("sac"), &dims, settings, 11);
    draw_batch(&k);
    k.l.policy->update(k.l.self, &k.b, &k.stats);
    assert_true(learner_floats(&k.l, "log_ent_coef")[0] == log(0.25));
    assert_true(fabs(stat(&k, "train/ent_coef") - 0.25) < 1e-12);
    learner_free(&k.l);
}

/* --- deep deterministic policy gradient --- */

static void plain_mu(const struct net *mu, const double *s, double *ret_a, uint64_t *ret_pattern)
{
    plain_mlp(&mu->shape, mu->w, s, ret_a, ret_pattern);
    for (int j = 0; j < A; j++) {
        ret_a[j] = tanh(ret_a[j]);
    }
}

/* - E[ Q(s, mu(s)) ] of the first critic */
static double climb_loss(void *self, uint64_t *ret_pattern)
{
    struct update_case *k = self;
    double loss = 0.0, a[A];
    for (int i = 0; i < ROWS; i++) {
        plain_mu(&k->actor, k->s + i * O, a, ret_pattern);
        loss -= q_of(&k->critic[0], k->s + i * O, a, ret_pattern) / ROWS;
    }
    return loss;
}

static void ddpg_begin(struct update_case *k)
{
    static const struct setting settings[] = {
        {"net_arch", "[8, 8]"}, {"tau", "0.02"}, {NULL, NULL}};
    learner_make(&k->l, policy_find("ddpg"), &dims, settings, 13);
    draw_batch(k);
    shape_net(&k->actor, O, A);
    shape_net(&k->actor_target, O, A);
    shape_net(&k->critic[0], O + A, 1);
    shape_net(&k->target[0], O + A, 1);
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    read_net(&k->l, "critic", k->critic[0].w, k->critic[0].n);
    double *mu = learner_floats(&k->l, "actor_target.0.weight");
    double *q = learner_floats(&k->l, "critic_target.0.weight");
    assert_memory_equal(mu, k->actor.w, (size_t)k->actor.n * sizeof *mu);
    assert_memory_equal(q, k->critic[0].w, (size_t)k->critic[0].n * sizeof *q);
    for (int i = 0; i < k->actor.n; i++) {
        k->actor_target.w[i] = mu[i] *= 0.8;
    }
    for (int i = 0; i < k->critic[0].n; i++) {
        k->target[0].w[i] = q[i] *= 0.9;
    }
    k->l.policy->restored(k->l.self);
}

static void ddpg_steps_down_the_gradients_of_its_losses_14_1(void **state)
{
    (void)state;
    static struct update_case k;
    uint64_t pattern = 0;
    double a[A];
    ddpg_begin(&k);
    k.l.policy->update(k.l.self, &k.b, &k.stats);

    /* y = r + g Q'(s', mu'(s')) */
    for (int i = 0; i < ROWS; i++) {
        const double *s2 = k.s2 + i * O;
        plain_mu(&k.actor_target, s2, a, &pattern);
        k.y[i] = k.r[i] + k.g[i] * q_of(&k.target[0], s2, a, &pattern);
    }
    struct net *q = &k.critic[0];
    read_gradient(&k.l, "critic", q);
    assert_true(fabs(stat(&k, "train/critic_loss") - fitted_loss(&k, &pattern)) < 1e-9);
    check_differences("ddpg critic", q->w, q->n, q->g, fitted_loss, &k);

    read_net(&k.l, "critic", q->w, q->n); /* the actor saw it after its step */
    check_blend(&k.l, "critic_target", 0.02, q, &k.target[0]);
    read_gradient(&k.l, "actor", &k.actor);
    assert_true(fabs(stat(&k, "train/actor_loss") - climb_loss(&k, &pattern)) < 1e-9);
    check_differences("ddpg actor", k.actor.w, k.actor.n, k.actor.g, climb_loss, &k);
    read_net(&k.l, "actor", k.actor.w, k.actor.n);
    check_blend(&k.l, "actor_target", 0.02, &k.actor, &k.actor_target);
    learner_free(&k.l);
}

/* Without targets y is of the networks themselves, and the rows are the newest: with the switch off
 * neither is so. */
static void ddpg_basic_aims_at_itself(void **state)
{
    (void)state;
    static struct update_case k;
    static const struct setting settings[] = {
        {"net_arch", "[8, 8]"}, {"basic", "true"}, {NULL, NULL}};
    uint64_t pattern = 0;
    double a[A];
    struct wants w;
    learner_make(&k.l, policy_find("ddpg"), &dims, settings, 13);
    draw_batch(&k);
    shape_net(&k.actor, O, A);
    shape_net(&k.critic[0], O + A, 1);
    k.l.policy->wants(k.l.config, &w);
    assert_int_equal(w.needs, NEEDS_NEWEST);
    for (int i = 0; i < k.l.n; i++) {
        assert_null(strstr(k.l.tensor[i].name, "target"));
    }
    for (int u = 0; u < 3; u++) { /* a target would lag behind from the second update on */
        double before[W_MAX];
        read_net(&k.l, "critic.adam_m", before, k.critic[0].n);
        read_net(&k.l, "actor", k.actor.w, k.actor.n);
        read_net(&k.l, "critic", k.critic[0].w, k.critic[0].n);
        for (int i = 0; i < ROWS; i++) {
            plain_mu(&k.actor, k.s2 + i * O, a, &pattern);
            k.y[i] = k.r[i] + k.g[i] * q_of(&k.critic[0], k.s2 + i * O, a, &pattern);
        }
        k.l.policy->update(k.l.self, &k.b, &k.stats);
        read_gradient(&k.l, "critic", &k.critic[0]);
        for (int i = 0; i < k.critic[0].n; i++) {
            k.critic[0].g[i] -= 0.9 * before[i] / one_less_beta1;
        }
        assert_true(fabs(stat(&k, "train/critic_loss") - fitted_loss(&k, &pattern)) < 1e-9);
        check_differences("ddpg basic", k.critic[0].w, k.critic[0].n, k.critic[0].g, fitted_loss,
                          &k);
    }
    learner_free(&k.l);
}

/* --- twin delayed deterministic policy gradient --- */

static void td3_begin(struct update_case *k)
{
    /* noise so large that some of it is clipped, and some of the actions */
    static const struct setting settings[] = {{"net_arch", "[8, 8]"},
                                              {"tau", "0.02"},
                                              {"target_policy_noise", "0.6"},
                                              {"target_noise_clip", "0.7"},
                                              {NULL, NULL}};
    learner_make(&k->l, policy_find("td3"), &dims, settings, 15);
    draw_batch(k);
    shape_net(&k->actor, O, A);
    shape_net(&k->actor_target, O, A);
    read_net(&k->l, "actor", k->actor.w, k->actor.n);
    double *mu = learner_floats(&k->l, "actor_target.0.weight");
    assert_memory_equal(mu, k->actor.w, (size_t)k->actor.n * sizeof *mu);
    for (int i = 0; i < k->actor.n; i++) {
        k->actor_target.w[i] = mu[i] *= 2.0;
    }
    read_twin(k);
}

/* y = r + g min Q'(s', clip(mu'(s') + clip(eps, -c, c), -1, 1)) */
static void td3_targets(struct update_case *k, struct rng *noise)
{
    uint64_t pattern = 0;
    double a[A];
    int noise_clipped = 0, action_clipped = 0;
    plain_normals(noise, ROWS * A, k->eps[0]);
    for (int i = 0; i < ROWS; i++) {
        const double *s2 = k->s2 + i * O;
        plain_mu(&k->actor_target, s2, a, &pattern);
        for (int j = 0; j < A; j++) {
            const double eps = 0.6 * k->eps[0][i * A + j], held = fmin(fmax(eps, -0.7), 0.7);
            noise_clipped += eps != held;
            action_clipped += fabs(a[j] + held) > 1.0;
            a[j] = fmin(fmax(a[j] + held, -1.0), 1.0);
        }
        k->y[i] = k->r[i] + k->g[i] * least_target(k, s2, a);
    }
    assert_true(noise_clipped > 0 && noise_clipped < ROWS * A);
    assert_true(action_clipped > 0 && action_clipped < ROWS * A);
}

static void td3_steps_down_the_gradients_of_its_losses_14_1(void **state)
{
    (void)state;
    static struct update_case k;
    uint64_t pattern = 0;
    double w[W_MAX];
    td3_begin(&k);
    struct rng noise = k.l.rng;

    k.l.policy->update(k.l.self, &k.b, &k.stats);
    td3_targets(&k, &noise);
    check_twin(&k, "td3 critic");
    read_net(&k.l, "actor", w, k.actor.n); /* its turn is every other update */
    assert_memory_equal(w, k.actor.w, (size_t)k.actor.n * sizeof *w);
    read_net(&k.l, "actor_target", w, k.actor.n);
    assert_memory_equal(w, k.actor_target.w, (size_t)k.actor.n * sizeof *w);
    for (int i = 0; i < 2; i++) {
        read_net(&k.l, targets[i], w, k.target[i].n);
        assert_memory_equal(w, k.target[i].w, (size_t)k.target[i].n * sizeof *w);
    }

    k.l.policy->update(k.l.self, &k.b, &k.stats);
    assert_memory_not_equal(&noise, &k.l.rng, sizeof noise); /* noise anew */
    for (int i = 0; i < 2; i++) { /* the actor saw the first after its second step */
        read_net(&k.l, critics[i], k.critic[i].w, k.critic[i].n);
        check_blend(&k.l, targets[i], 0.02, &k.critic[i], &k.target[i]);
    }
    read_gradient(&k.l, "actor", &k.actor);
    assert_true(fabs(stat(&k, "train/actor_loss") - climb_loss(&k, &pattern)) < 1e-9);
    check_differences("td3 actor", k.actor.w, k.actor.n, k.actor.g, climb_loss, &k);
    read_net(&k.l, "actor", k.actor.w, k.actor.n);
    check_blend(&k.l, "actor_target", 0.02, &k.actor, &k.actor_target);
    learner_free(&k.l);
}

/* A reward that is not finite, as one damaged row would bring, changes no weight and is counted. */
static void what_is_not_finite_is_skipped(void **state)
{
    (void)state;
    static struct update_case k;
    static const char *const names[] = {"sac", "ddpg", "td3"};
    static const struct setting settings[] = {{"net_arch", "[8, 8]"}, {NULL, NULL}};
    for (int p = 0; p < 3; p++) {
        double before[TENSORS_MAX];
        learner_make(&k.l, policy_find(names[p]), &dims, settings, 14);
        draw_batch(&k);
        k.r[3] = (double)NAN;
        for (int i = 0; i < k.l.n; i++) {
            before[i] = k.l.tensor[i].type == TENSOR_F32 ? *(double *)k.l.tensor[i].data : 0.0;
        }
        k.l.policy->update(k.l.self, &k.b, &k.stats);
        for (int i = 0; i < k.l.n; i++) {
            assert_true(k.l.tensor[i].type != TENSOR_F32 ||
                        before[i] == *(double *)k.l.tensor[i].data);
        }
        assert_true(stat(&k, "train/skipped_not_finite") == 1.0);
        learner_free(&k.l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sac_steps_down_the_gradients_of_its_losses_14_1),
        cmocka_unit_test(sac_temperature_follows_the_entropy_14_9),
        cmocka_unit_test(sac_temperature_stays_between_its_bounds),
        cmocka_unit_test(sac_fixed_temperature_stays),
        cmocka_unit_test(ddpg_steps_down_the_gradients_of_its_losses_14_1),
        cmocka_unit_test(ddpg_basic_aims_at_itself),
        cmocka_unit_test(td3_steps_down_the_gradients_of_its_losses_14_1),
        cmocka_unit_test(what_is_not_finite_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
