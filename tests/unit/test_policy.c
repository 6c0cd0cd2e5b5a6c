/*
 * What a policy wants against what a robot and its learner give: refused in one sentence, before
 * anything is built; and the sentences of the settings that policies with an actor share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policies/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct dims robot = {.n_obs = 4,
                                  .n_act = 2,
                                  .batch = 8,
                                  .seg_len = 1,
                                  .policy_rate_hz = 20.0,
                                  .ticks_per_period = 1,
                                  .poses = true,
                                  .pose = {{1.0, 2.0, 20.0}, {1.0, 2.0, 20.0}}};

static struct wants wanted; /* by the policy under test */

static void tell_wants(const void *config, struct wants *ret_wants)
{
    (void)config;
    *ret_wants = wanted;
}

static const char *answer(const struct policy *p, const struct dims *d, int want)
{
    static char reason[WHY_CHARS];
    reason[0] = '\0';
    assert_int_equal(policy_check(p, NULL, d, reason, sizeof reason), want);
    assert_int_equal(reason[0] != '\0', want < 0);
    return reason;
}

static void every_need_that_nobody_gives_is_named(void **state)
{
    (void)state;

    static const struct {
        unsigned need;
        const char *says;
    } cases[] = {
        {NEEDS_NEXT_ACTION, "the next step"},  {NEEDS_LOGP, "log-probability"},
        {NEEDS_SEGMENTS, "consecutive steps"}, {NEEDS_NEWEST, "newest steps"},
        {NEEDS_SWEEP, "passes over all"},      {NEEDS_MODEL, "small simulated world"},
        {NEEDS_ONCE, "each step once"},
    };

    unsigned all = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        all |= cases[i].need;
    }
    assert_int_equal(all, 2 * NEEDS_ONCE - 1); /* it is the last bit: every need has a row */

    struct policy p = *policy_find("hold");
    struct dims d = robot;
    p.name = "picky";
    p.wants = tell_wants;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wanted = (struct wants){.needs = cases[i].need, .seg_len = 1};
        d.gives = ~cases[i].need; /* all but that */
        const char *reason = answer(&p, &d, -EINVAL);
        assert_non_null(strstr(reason, cases[i].says));
        assert_non_null(strstr(reason, "policy picky wants"));
        d.gives = cases[i].need;
        (void)answer(&p, &d, 0);
    }
}

static void runs_of_another_length_are_refused(void **state)
{
    (void)state;
    struct policy p = *policy_find("hold");
    struct dims d = robot;
    p.wants = tell_wants;
    wanted = (struct wants){.seg_len = 5};
    assert_non_null(strstr(answer(&p, &d, -EINVAL), "runs of 5 steps"));
    d.seg_len = 5;
    (void)answer(&p, &d, 0);
}

static void actions_of_another_kind_are_refused(void **state)
{
    (void)state;
    struct policy p = *policy_find("hold");
    struct dims d = robot;
    p.actions = ACTION_DISCRETE;
    assert_non_null(strstr(answer(&p, &d, -EINVAL), "2 actions are continuous"));
    d.n_choices = 9;
    (void)answer(&p, &d, 0);
    p.actions = ACTION_BOX;
    assert_non_null(strstr(answer(&p, &d, -EINVAL), "9 choices"));
    p.actions = ACTION_BOX | ACTION_DISCRETE;
    (void)answer(&p, &d, 0);
}

/* A robot whose actions the policy decides. */
static struct dims dims_for(const struct policy *p)
{
    struct dims d = robot;
    if ((p->actions & ACTION_BOX) == 0) {
        d.n_act = 1;
        d.n_choices = 3;
    }
    return d;
}

/* Such a robot and the learner as it is serve every policy that there is. */
static void this_learner_serves_them_all(void **state)
{
    (void)state;
    for (int i = 0; policies[i] != NULL; i++) {
        const struct policy *p = policies[i];
        void *config = calloc(1, p->config_bytes);
        char reason[WHY_CHARS] = "";
        struct dims d = dims_for(p);
        struct wants w;
        option_defaults(p->options, config);
        p->wants(config, &w);
        d.gives = NEEDS_NEXT_ACTION | NEEDS_LOGP | NEEDS_SEGMENTS | NEEDS_NEWEST | NEEDS_SWEEP |
                  NEEDS_MODEL | NEEDS_ONCE;
        d.seg_len = (w.needs & NEEDS_NEWEST) != 0 ? d.batch : w.seg_len;
        d.minibatch = 4;
        if (policy_check(p, config, &d, reason, sizeof reason) < 0) {
            fail_msg("%s", reason);
        }
        free(config);
    }
}

/* --- settings of actors and critics --- */

static void settings_that_say_nothing_are_refused(void **state)
{
    (void)state;

    static const struct {
        const char *policy, *key, *value, *says; /* NULL: it is good */
    } cases[] = {
        {"sac", "ent_coef", "auto", NULL},
        {"sac", "ent_coef", "auto_0.1", NULL},
        {"sac", "ent_coef", "0.2", NULL},
        {"sac", "ent_coef", "automatic", "ent_coef must be auto, auto_X or X"},
        {"sac", "ent_coef", "auto_", "not \"auto_\""},
        {"sac", "ent_coef", "auto_-1", "from 0.0001 to 100"},
        {"sac", "ent_coef", "0", "from 0.0001 to 100"},
        {"sac", "ent_coef", "nan", "from 0.0001 to 100"},
        {"sac", "ent_coef", "0.2x", "not \"0.2x\""},
        {"sac", "target_entropy", "-2", NULL},
        {"sac", "target_entropy", "1.38", NULL},
        {"sac", "target_entropy", "1.39", "for 2 actions a number from -20 to 1.38"},
        {"sac", "target_entropy", "-20.1", "for 2 actions a number from -20 to 1.38"},
        {"sac", "target_entropy", "", "target_entropy must be auto"},
        {"sac", "optimizer_betas", "[0.9]", "must be two numbers"},
        {"td3", "optimizer_betas", "[]", "must be two numbers"},
        {"ddpg", "optimizer_betas", "[0.5, 0.9]", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct policy *p = policy_find(cases[i].policy);
        void *config = calloc(1, p->config_bytes);
        char reason[WHY_CHARS] = "";
        option_defaults(p->options, config);
        const struct option *o = option_find(p->options, cases[i].key);
        assert_int_equal(option_set(o, config, cases[i].value, reason, sizeof reason), 0);
        const int rc = policy_check(p, config, &robot, reason, sizeof reason);
        if (rc != (cases[i].says == NULL ? 0 : -EINVAL) ||
            (cases[i].says != NULL && strstr(reason, cases[i].says) == NULL)) {
            fail_msg("%s %s: %d, \"%s\"", cases[i].key, cases[i].value, rc, reason);
        }
        free(config);
    }
}

/* Weights are told apart by whatever changes what the tick computes, and by nothing else. */
static void networks_have_names(void **state)
{
    (void)state;

    static const struct {
        const char *key, *value;
        bool actor, critic; /* names another one of these */
    } cases[] = {
        {"net_arch", "[300, 400]", true, true},  {"net_arch_pi", "[256]", true, false},
        {"activation_fn", "tanh", true, true},   {"layer_norm_actor", "true", true, false},
        {"net_arch_qf", "[256]", false, true},   {"layer_norm", "true", false, true},
        {"learning_rate", "0.01", false, false}, {"optimizer_betas", "[0, 0]", false, false},
        {"max_grad_norm", "1", false, false},    {"use_sde", "true", true, false},
        {"sde_sample_freq", "4", false, false},  {"log_std_init", "-1", false, false},
    };

    for (int k = 0; policies[k] != NULL; k++) {
        const struct policy *p = policies[k];
        const struct dims d = dims_for(p);
        const bool critic_acts = strcmp(p->name, "softq_discrete") == 0;
        for (size_t i = 0; p->net != NULL && i < sizeof cases / sizeof cases[0]; i++) {
            const struct option *o = option_find(p->options, cases[i].key);
            if (o == NULL) {
                continue;
            }
            void *config = calloc(1, p->config_bytes);
            char reason[WHY_CHARS] = "";
            option_defaults(p->options, config);
            const uint32_t net = policy_net(p, config, &d);
            const bool other = critic_acts ? cases[i].critic : cases[i].actor;
            const bool tanh_anyway = o->def != NULL && strcmp(o->def, "tanh") == 0;
            const char *value = tanh_anyway ? "relu" : cases[i].value;
            assert_int_equal(option_set(o, config, value, reason, sizeof reason), 0);
            assert_int_equal(policy_net(p, config, &d) != net, other);
            assert_true(net != 0);
            free(config);
        }
    }
}

static void hold_takes_the_middle_choice(void **state)
{
    (void)state;
    static const float middle[] = {0, 0, 1, 1, 2}; /* of 1, 2 ... choices */
    const struct policy *p = policy_find("hold");
    for (int n = 1; n <= 5; n++) {
        const struct dims d = {
            .n_obs = 4, .n_act = 1, .n_choices = n, .batch = 8, .seg_len = 1, .policy_rate_hz = 20};
        const struct act_in in = {.legal = ~UINT64_C(0)};
        float act = -1.0f, logp = 0.0f;
        void *actor = malloc(p->actor_bytes(NULL, &d));
        assert_non_null(actor);
        (void)answer(p, &d, 0);
        p->actor_init(NULL, &d, actor);
        p->act(actor, &in, &act, &logp);
        assert_true(act == middle[n - 1]);
        free(actor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_need_that_nobody_gives_is_named),
        cmocka_unit_test(runs_of_another_length_are_refused),
        cmocka_unit_test(actions_of_another_kind_are_refused),
        cmocka_unit_test(this_learner_serves_them_all),
        cmocka_unit_test(settings_that_say_nothing_are_refused),
        cmocka_unit_test(networks_have_names),
        cmocka_unit_test(hold_takes_the_middle_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
