/*
 * CrossQ in double, through the contract of policies: one update's gradients against differences of
 * its losses. The critics' goes through the mean and variance of the joint batch of (s, a) and
 * (s', a'), the actor's through those of s; the actor's next action and its critics go by averages.
 */
#include <cmocka.h>

#include "tests/double/losses.h"

#define LAYERS  3
#define WIDE    8
#define CRITICS 2
#define ALPHA   0.3
#define EPS     1e-3

static const double half = 1.0 - 0.5; /* 1 - beta1 */

/* A batch-normalised network by plain loops. */
struct plain {
    int width[LAYERS + 1];
    double w[LAYERS][WIDE * WIDE + WIDE], norm[LAYERS][2 * WIDE]; /* gain, then bias */
    double mean[LAYERS][WIDE], var[LAYERS][WIDE];                 /* the averages */
    double r[LAYERS][WIDE], d[LAYERS][WIDE]; /* of the learning pass, held fixed */
    double moved[2][LAYERS][WIDE];           /* the averages after it */
};

struct cross_case {
    struct update_case u;
    bool renorm;
    struct plain pi, q[CRITICS];
    double a2[ROWS * A], logp2[ROWS];
    double joint[2 * ROWS * (O + A)]; /* (s, a), then (s', a') */
    int which;
};

/* --- by plain loops --- */

static void plain_dense(const struct plain *z, int l, const double *x, double *ret_y,
                        uint64_t *ret_pattern)
{
    const int in = z->width[l], out = z->width[l + 1];
    for (int o = 0; o < out; o++) {
        double y = z->w[l][out * in + o];
        for (int k = 0; k < in; k++) {
            y += z->w[l][o * in + k] * x[k];
        }
        if (l + 1 < LAYERS) {
            decide(ret_pattern, y > 0.0);
        }
        ret_y[o] = l + 1 < LAYERS && y <= 0.0 ? 0.0 : y;
    }
}

static void column_moments(const double *x, int rows, int n, int k, double *ret_mean,
                           double *ret_var)
{
    *ret_mean = *ret_var = 0.0;
    for (int i = 0; i < rows; i++) {
        *ret_mean += x[i * n + k] / rows;
    }
    for (int i = 0; i < rows; i++) {
        *ret_var += pow(x[i * n + k] - *ret_mean, 2.0) / rows;
    }
}

/* r and d, and where the averages go: Ioffe 2017, Algorithm 1. */
static void correct(struct plain *z, bool renorm, int l, int k, double mean, double var)
{
    const double sigma = sqrt(z->var[l][k] + EPS), ratio = sqrt(var + EPS) / sigma;
    const double off = (mean - z->mean[l][k]) / sigma;
    z->r[l][k] = renorm ? fmin(fmax(ratio, 1.0 / 3.0), 3.0) : 1.0;
    z->d[l][k] = renorm ? fmin(fmax(off, -5.0), 5.0) : 0.0;
    z->moved[0][l][k] = 0.99 * z->mean[l][k] + 0.01 * mean;
    z->moved[1][l][k] = 0.99 * z->var[l][k] + 0.01 * var;
}

/* x [rows,width[0]] -> ret_y [rows,width[LAYERS]]. By averages (learn false), or by the batch with
 * r and d as they are; fix NULL, or it, which gets r and d. */
static void plain_pass(const struct plain *z, bool learn, struct plain *fix, bool renorm,
                       const double *x, int rows, double *ret_y, uint64_t *ret_pattern)
{
    double now[2 * ROWS * WIDE], next[2 * ROWS * WIDE];
    memcpy(now, x, sizeof(double) * (size_t)(rows * z->width[0]));
    for (int l = 0; l < LAYERS; l++) {
        const int n = z->width[l];
        for (int k = 0; k < n; k++) {
            double mean = z->mean[l][k], var = z->var[l][k];
            if (learn) {
                column_moments(now, rows, n, k, &mean, &var);
            }
            if (fix != NULL) {
                correct(fix, renorm, l, k, mean, var);
            }
            for (int i = 0; i < rows; i++) {
                double xhat = (now[i * n + k] - mean) / sqrt(var + EPS);
                xhat = learn ? xhat * z->r[l][k] + z->d[l][k] : xhat;
                next[i * n + k] = z->norm[l][k] * xhat + z->norm[l][n + k];
            }
        }
        for (int i = 0; i < rows; i++) {
            plain_dense(z, l, next + i * n, now + i * z->width[l + 1], ret_pattern);
        }
    }
    memcpy(ret_y, now, sizeof(double) * (size_t)(rows * z->width[LAYERS]));
}

static void join(const double *s, const double *a, double *ret_sa)
{
    for (int i = 0; i < ROWS; i++) {
        memcpy(ret_sa + i * (O + A), s + i * O, O * sizeof *s);
        memcpy(ret_sa + i * (O + A) + O, a + i * A, A * sizeof *a);
    }
}

/* --- the policy's networks --- */

static double *part(struct cross_case *k, const char *net, const char *kind, int l,
                    const char *what)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.%s%d.%s", net, kind, l, what);
    return learner_floats(&k->u.l, name);
}

/* Everything of one network as it is now. */
static void read_plain(struct cross_case *k, const char *net, int in, int out, struct plain *ret_z)
{
    *ret_z = (struct plain){.width = {in, WIDE, WIDE, out}};
    for (int l = 0; l < LAYERS; l++) {
        const size_t n = (size_t)ret_z->width[l], m = (size_t)ret_z->width[l + 1];
        memcpy(ret_z->w[l], part(k, net, "dense", l, "0.weight"), m * (n + 1) * sizeof(double));
        memcpy(ret_z->norm[l], part(k, net, "norm", l, "gain_bias"), 2 * n * sizeof(double));
        memcpy(ret_z->mean[l], part(k, net, "norm", l, "running_mean"), n * sizeof(double));
        memcpy(ret_z->var[l], part(k, net, "norm", l, "running_var"), n * sizeof(double));
    }
}

/* As in the middle of learning: averages that are not the batch's, gains and biases that moved. */
static void stir(struct cross_case *k, const char *net, int in, struct rng *rng)
{
    for (int l = 0; l < LAYERS; l++) {
        const int n = l == 0 ? in : WIDE;
        double *w = part(k, net, "norm", l, "gain_bias");
        double *mean = part(k, net, "norm", l, "running_mean");
        double *var = part(k, net, "norm", l, "running_var");
        for (int i = 0; i < n; i++) {
            w[i] += 0.6 * rng_uniform(rng) - 0.3;
            w[n + i] = 0.6 * rng_uniform(rng) - 0.3;
            mean[i] = rng_uniform(rng) - 0.5;
            var[i] = 0.3 + rng_uniform(rng);
        }
    }
}

static void begin(struct cross_case *k, bool renorm)
{
    const struct setting settings[] = {{"net_arch", "[8, 8]"},
                                       {"ent_coef", "0.3"},
                                       {"policy_delay", "1"},
                                       {"renorm_warmup_steps", renorm ? "0" : "1000"},
                                       {NULL, NULL}};
    struct rng rng;
    rng_seed(&rng, 21);
    *k = (struct cross_case){.renorm = renorm};
    learner_make(&k->u.l, policy_find("crossq"), &dims, settings, 11);
    draw_batch(&k->u);
    stir(k, "actor", O, &rng);
    stir(k, "critic0", O + A, &rng);
    stir(k, "critic1", O + A, &rng);
    k->u.l.policy->restored(k->u.l.self);
    read_plain(k, "actor", O, 2 * A, &k->pi);
    read_plain(k, "critic0", O + A, 1, &k->q[0]);
    read_plain(k, "critic1", O + A, 1, &k->q[1]);
    struct rng noise = k->u.l.rng; /* the update draws for s' first, then for s */
    plain_normals(&noise, ROWS * A, k->u.eps[0]);
    plain_normals(&noise, ROWS * A, k->u.eps[1]);
}

/* Each layer's gradient out of Adam's first moment, against differences of the loss. */
static void check_net(struct cross_case *k, const char *net, struct plain *z,
                      double (*loss)(void *self, uint64_t *ret_pattern))
{
    for (int l = 0; l < LAYERS; l++) {
        const int in = z->width[l], n_w = (in + 1) * z->width[l + 1];
        double g[WIDE * WIDE + WIDE];
        const double *m = part(k, net, "dense", l, "adam_m.0.weight");
        for (int i = 0; i < n_w; i++) {
            g[i] = m[i] / half;
        }
        check_differences(net, z->w[l], n_w, g, loss, k);
        m = part(k, net, "norm", l, "adam_m");
        for (int i = 0; i < 2 * in; i++) {
            g[i] = m[i] / half;
        }
        check_differences(net, z->norm[l], 2 * in, g, loss, k);
    }
}

static void check_averages(struct cross_case *k, const char *net, const struct plain *z)
{
    for (int l = 0; l < LAYERS; l++) {
        const double *mean = part(k, net, "norm", l, "running_mean");
        const double *var = part(k, net, "norm", l, "running_var");
        for (int i = 0; i < z->width[l]; i++) {
            assert_true(fabs(mean[i] - z->moved[0][l][i]) < 1e-12);
            assert_true(fabs(var[i] - z->moved[1][l][i]) < 1e-12);
        }
    }
}

/* --- losses --- */

/* a' ~ pi(.|s') by averages; both critics over the joint batch; y = r + g (min q' - alpha log pi).
 */
static void targets_of(struct cross_case *k)
{
    uint64_t pattern = 0;
    double out[ROWS * 2 * A], q[CRITICS][2 * ROWS];
    plain_pass(&k->pi, false, NULL, false, k->u.s2, ROWS, out, &pattern);
    for (int i = 0; i < ROWS; i++) {
        plain_squash(out + i * 2 * A, A, k->u.eps[0] + i * A, k->a2 + i * A, &k->logp2[i],
                     &pattern);
    }
    join(k->u.s, k->u.a, k->joint);
    join(k->u.s2, k->a2, k->joint + ROWS * (O + A));
    for (int c = 0; c < CRITICS; c++) {
        plain_pass(&k->q[c], true, &k->q[c], k->renorm, k->joint, 2 * ROWS, q[c], &pattern);
    }
    for (int i = 0; i < ROWS; i++) {
        const double next = fmin(q[0][ROWS + i], q[1][ROWS + i]);
        k->u.y[i] = k->u.r[i] + k->u.g[i] * (next - ALPHA * k->logp2[i]);
    }
}

static double joint_loss(void *self, uint64_t *ret_pattern)
{
    const struct cross_case *k = self;
    double q[2 * ROWS], loss = 0.0;
    plain_pass(&k->q[k->which], true, NULL, false, k->joint, 2 * ROWS, q, ret_pattern);
    for (int i = 0; i < ROWS;
         i++) { /* the other half has no error, but a say in mean and variance */
        loss += 0.5 * k->u.w[i] * pow(q[i] - k->u.y[i], 2.0) / ROWS;
    }
    return loss;
}

/* E[ alpha log pi(a|s) - min_i Q_i(s, a) ], the critics as they are after their step, by averages.
 */
static double actor_loss(void *self, uint64_t *ret_pattern)
{
    const struct cross_case *k = self;
    double out[ROWS * 2 * A], a[ROWS * A], logp[ROWS], sa[ROWS * (O + A)], q[CRITICS][ROWS];
    double loss = 0.0;
    plain_pass(&k->pi, true, NULL, false, k->u.s, ROWS, out, ret_pattern);
    for (int i = 0; i < ROWS; i++) {
        plain_squash(out + i * 2 * A, A, k->u.eps[1] + i * A, a + i * A, &logp[i], ret_pattern);
    }
    join(k->u.s, a, sa);
    for (int c = 0; c < CRITICS; c++) {
        plain_pass(&k->q[c], false, NULL, false, sa, ROWS, q[c], ret_pattern);
    }
    for (int i = 0; i < ROWS; i++) {
        decide(ret_pattern, q[1][i] < q[0][i]);
        loss += (ALPHA * logp[i] - fmin(q[0][i], q[1][i])) / ROWS;
    }
    return loss;
}

static void check_critics(struct cross_case *k, const double *td)
{
    uint64_t pattern = 0;
    double sum = 0.0, q[2 * ROWS];
    plain_pass(&k->q[0], true, NULL, false, k->joint, 2 * ROWS, q, &pattern);
    for (int i = 0; i < ROWS; i++) {
        assert_true(fabs(td[i] - fabs(q[i] - k->u.y[i])) < 1e-9);
    }
    for (k->which = 0; k->which < CRITICS; k->which++) {
        sum += joint_loss(k, &pattern);
        check_net(k, critics[k->which], &k->q[k->which], joint_loss);
        check_averages(k, critics[k->which], &k->q[k->which]);
    }
    assert_true(fabs(stat(&k->u, "train/critic_loss") - sum) < 1e-9);
}

/* 14.1: batch normalisation at first, and renormalisation with r and d frozen. */
static void it_steps_down_its_losses_14_1(void **state)
{
    (void)state;
    static struct cross_case k;
    for (int renorm = 0; renorm < 2; renorm++) {
        double td[ROWS], out[ROWS * 2 * A];
        uint64_t pattern = 0;
        begin(&k, renorm != 0);
        k.u.b.ret_td = td;
        k.u.l.policy->update(k.u.l.self, &k.u.b, &k.u.stats);
        targets_of(&k);
        assert_true((k.q[0].r[0][0] != 1.0) == (renorm != 0));
        check_critics(&k, td);
        plain_pass(&k.pi, true, &k.pi, k.renorm, k.u.s, ROWS, out, &pattern); /* r and d */
        read_plain(&k, "critic0", O + A, 1, &k.q[0]);
        read_plain(&k, "critic1", O + A, 1, &k.q[1]);
        assert_true(fabs(stat(&k.u, "train/actor_loss") - actor_loss(&k, &pattern)) < 1e-9);
        check_net(&k, "actor", &k.pi, actor_loss);
        check_averages(&k, "actor", &k.pi);
        learner_free(&k.u.l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_steps_down_its_losses_14_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
