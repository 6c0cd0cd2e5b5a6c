/*
 * REDQ, DroQ and RLPD in double, through the contract of policies: one update's gradients against
 * differences of its losses, dropout as the update draws it from the learner's stream, pass by
 * pass; and the switch that takes entropy out of the target.
 */
#include <cmocka.h>

#include "tests/double/losses.h"

#include "policies/nn/ensemble.h"

#define CRITICS 4 /* both are others than by default */
#define LEAST   3
#define HIDDEN  2
#define ALPHA   0.3
#define TAU     0.02

/* What dropout keeps of the hidden sums of one pass of one critic; no p: everything. */
struct kept {
    struct dropout z[HIDDEN];
};

struct kind {
    const char *name, *policy, *layer_norm, *dropout, *backup_entropy;
};

struct ensemble_case {
    struct update_case u;
    const struct kind *kind;
    struct arena mem;
    bool drops;
    struct net q[CRITICS], target[CRITICS];
    struct kept of_target[CRITICS], of_fit[CRITICS], of_mean[CRITICS];
    int some[LEAST]; /* the critics that make the target */
    int which;       /* under the differences */
};

static void draw_kept(struct ensemble_case *k, struct kept *ret_kept, struct rng *rng)
{
    const double p = strtod(k->kind->dropout, NULL);
    for (int l = 0; l < HIDDEN && k->drops; l++) {
        dropout_init(&ret_kept->z[l], hidden[l], p, ROWS, &k->mem);
        dropout_draw(&ret_kept->z[l], ROWS, rng);
    }
}

/* All that the update draws, in its order: for s' the noise, the few critics, their dropout; for
 * the fit each critic's dropout; for s the noise, and each critic's dropout again. */
static void draw(struct ensemble_case *k)
{
    struct rng rng = k->u.l.rng;
    plain_normals(&rng, ROWS * A, k->u.eps[0]);
    ensemble_draw(CRITICS, LEAST, &rng, k->some);
    for (int i = 0; i < LEAST; i++) {
        draw_kept(k, &k->of_target[k->some[i]], &rng);
    }
    for (int i = 0; i < CRITICS; i++) {
        draw_kept(k, &k->of_fit[i], &rng);
    }
    plain_normals(&rng, ROWS * A, k->u.eps[1]);
    for (int i = 0; i < CRITICS; i++) {
        draw_kept(k, &k->of_mean[i], &rng);
    }
}

static void begin(struct ensemble_case *k, const struct kind *kind)
{
    const struct setting settings[] = {{"net_arch", "[8, 8]"},
                                       {"ent_coef", "0.3"},
                                       {"tau", "0.02"},
                                       {"n_critics", "4"},
                                       {"n_min_critics", "3"},
                                       {"policy_delay", "1"},
                                       {"layer_norm", kind->layer_norm},
                                       {"dropout", kind->dropout},
                                       {"backup_entropy", kind->backup_entropy},
                                       {NULL, NULL}};
    *k = (struct ensemble_case){.kind = kind, .drops = strcmp(kind->dropout, "0") != 0};
    assert_int_equal(arena_open(&k->mem, "kept", (size_t)1 << 20), 0);
    learner_make(&k->u.l, policy_find(kind->policy), &dims, settings, 3);
    draw_batch(&k->u);
    shape_net(&k->u.actor, O, 2 * A);
    read_net(&k->u.l, "actor", k->u.actor.w, k->u.actor.n);
    for (int i = 0; i < CRITICS; i++) {
        char name[32], first[48];
        for (int t = 0; t < 2; t++) {
            struct net *n = t == 0 ? &k->q[i] : &k->target[i];
            (void)snprintf(name, sizeof name, "critic%d%s", i, t == 0 ? "" : "_target");
            shape_net(n, O + A, 1);
            n->shape.layer_norm = strcmp(kind->layer_norm, "true") == 0;
            n->n = mlp_weights(&n->shape);
            read_net(&k->u.l, name, n->w, n->n);
        }
        assert_memory_equal(k->q[i].w, k->target[i].w, sizeof(double) * (size_t)k->q[i].n);
        for (int j = 0; j < k->target[i].n; j++) { /* apart, as in the middle of learning */
            k->target[i].w[j] *= 0.8;
        }
        (void)snprintf(first, sizeof first, "%s.0.weight", name);
        memcpy(learner_floats(&k->u.l, first), k->target[i].w,
               sizeof(double) * (size_t)k->target[i].n);
    }
    k->u.l.policy->restored(k->u.l.self);
    draw(k);
}

static double kept_q(const struct ensemble_case *k, const struct net *q, const struct kept *kept,
                     int row, const double *s, const double *a, uint64_t *ret_pattern)
{
    const double *keep[HIDDEN];
    double sa[O + A], value;
    memcpy(sa, s + row * O, O * sizeof *sa);
    memcpy(sa + O, a, A * sizeof *sa);
    for (int l = 0; l < HIDDEN && k->drops; l++) {
        keep[l] = kept->z[l].keep.v + row * kept->z[l].keep.ld;
    }
    plain_mlp_kept(&q->shape, q->w, k->drops ? keep : NULL, sa, &value, ret_pattern);
    return value;
}

/* y = r + g (min_{i in M} Q'_i(s', a') - alpha log pi(a'|s')), or without the entropy. */
static void targets_of(struct ensemble_case *k)
{
    const double alpha = strcmp(k->kind->backup_entropy, "true") == 0 ? ALPHA : 0.0;
    uint64_t pattern = 0;
    for (int i = 0; i < ROWS; i++) {
        double a[A], logp, least = INFINITY;
        plain_gauss(&k->u.actor.shape, k->u.actor.w, k->u.s2 + i * O, k->u.eps[0] + i * A, a, &logp,
                    &pattern);
        for (int m = 0; m < LEAST; m++) {
            const int c = k->some[m];
            least =
                fmin(least, kept_q(k, &k->target[c], &k->of_target[c], i, k->u.s2, a, &pattern));
        }
        k->u.y[i] = k->u.r[i] + k->u.g[i] * (least - alpha * logp);
    }
}

static double fit_loss(void *self, uint64_t *ret_pattern)
{
    const struct ensemble_case *k = self;
    const int c = k->which;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double e =
            kept_q(k, &k->q[c], &k->of_fit[c], i, k->u.s, k->u.a + i * A, ret_pattern) - k->u.y[i];
        loss += 0.5 * k->u.w[i] * e * e / ROWS;
    }
    return loss;
}

/* E[ alpha log pi(a|s) - 1/N sum_i Q_i(s, a) ] of the critics after their step. */
static double mean_actor_loss(void *self, uint64_t *ret_pattern)
{
    const struct ensemble_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        double a[A], logp;
        plain_gauss(&k->u.actor.shape, k->u.actor.w, k->u.s + i * O, k->u.eps[1] + i * A, a, &logp,
                    ret_pattern);
        loss += ALPHA * logp / ROWS;
        for (int c = 0; c < CRITICS; c++) {
            loss -= kept_q(k, &k->q[c], &k->of_mean[c], i, k->u.s, a, ret_pattern) / CRITICS / ROWS;
        }
    }
    return loss;
}

static void check_critics(struct ensemble_case *k, const double *td)
{
    uint64_t pattern = 0;
    double sum = 0.0;
    for (k->which = 0; k->which < CRITICS; k->which++) {
        char name[32];
        (void)snprintf(name, sizeof name, "critic%d", k->which);
        read_gradient(&k->u.l, name, &k->q[k->which]);
        sum += fit_loss(k, &pattern);
        check_differences(k->kind->name, k->q[k->which].w, k->q[k->which].n, k->q[k->which].g,
                          fit_loss, k);
    }
    assert_true(fabs(stat(&k->u, "train/critic_loss") - sum) < 1e-9);
    for (int i = 0; i < ROWS; i++) {
        const double q = kept_q(k, &k->q[0], &k->of_fit[0], i, k->u.s, k->u.a + i * A, &pattern);
        assert_true(fabs(td[i] - fabs(q - k->u.y[i])) < 1e-9);
    }
}

static void check_actor(struct ensemble_case *k)
{
    uint64_t pattern = 0;
    for (int i = 0; i < CRITICS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "critic%d", i);
        read_net(&k->u.l, name, k->q[i].w, k->q[i].n);
        (void)snprintf(name, sizeof name, "critic%d_target", i);
        check_blend(&k->u.l, name, TAU, &k->q[i], &k->target[i]);
    }
    read_gradient(&k->u.l, "actor", &k->u.actor);
    assert_true(fabs(stat(&k->u, "train/actor_loss") - mean_actor_loss(k, &pattern)) < 1e-9);
    check_differences(k->kind->name, k->u.actor.w, k->u.actor.n, k->u.actor.g, mean_actor_loss, k);
}

/* 14.1: all fit one target, the least of a random few; the actor climbs the mean of all. */
static void they_step_down_their_losses_14_1(void **state)
{
    (void)state;
    static struct ensemble_case k;
    static const struct kind kinds[] = {
        {"redq", "redq", "false", "0", "true"},
        {"redq, no entropy in the target", "redq", "false", "0", "false"},
        {"rlpd", "redq", "true", "0", "false"},
        {"droq", "droq", "true", "0.3", "true"},
        {"droq without layer normalisation", "droq", "false", "0.2", "true"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        double td[ROWS];
        begin(&k, &kinds[i]);
        k.u.b.ret_td = td;
        k.u.l.policy->update(k.u.l.self, &k.u.b, &k.u.stats);
        targets_of(&k);
        check_critics(&k, td);
        check_actor(&k);
        learner_free(&k.u.l);
        arena_close(&k.mem);
    }
}

/* G updates of the critics for one of the actor, on the last of them. */
static void the_actor_waits_for_its_delay(void **state)
{
    (void)state;
    static struct update_case k;
    static const struct setting settings[] = {
        {"net_arch", "[8, 8]"}, {"policy_delay", "3"}, {NULL, NULL}};
    learner_make(&k.l, policy_find("redq"), &dims, settings, 11);
    draw_batch(&k);
    shape_net(&k.actor, O, 2 * A);
    read_net(&k.l, "actor", k.actor.w, k.actor.n);
    for (int i = 1; i <= 6; i++) {
        double now[W_MAX];
        k.l.policy->update(k.l.self, &k.b, &k.stats);
        read_net(&k.l, "actor", now, k.actor.n);
        const bool moved = memcmp(now, k.actor.w, sizeof(double) * (size_t)k.actor.n) != 0;
        assert_int_equal(moved, i % 3 == 0);
        memcpy(k.actor.w, now, sizeof(double) * (size_t)k.actor.n);
    }
    learner_free(&k.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_step_down_their_losses_14_1),
        cmocka_unit_test(the_actor_waits_for_its_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
