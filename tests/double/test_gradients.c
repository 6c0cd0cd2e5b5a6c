/*
 * Gradients of the pieces under the algorithms by finite differences, in double: mlp, critic,
 * gauss.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/critic.h"
#include "policies/nn/gauss.h"

#define ROWS 6

static double draw(struct rng *r, double half)
{
    return half * (2.0 * rng_uniform(r) - 1.0);
}

static void draw_all(struct rng *r, double half, int n, double *ret_v)
{
    for (int i = 0; i < n; i++) {
        ret_v[i] = draw(r, half);
    }
}

/* --- mlp: L = sum of c y --- */

struct mlp_case {
    struct mlp net;
    struct arena mem;
    double x[ROWS * 8], c[ROWS * 8];
};

static double mlp_loss(void *self, uint64_t *ret_pattern)
{
    struct mlp_case *k = self;
    const int in = k->net.shape.width[0], out = k->net.shape.width[k->net.shape.n_layers];
    double loss = 0.0, y[8];
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&k->net.shape, k->net.w, k->x + i * in, y, ret_pattern);
        for (int j = 0; j < out; j++) {
            loss += k->c[i * out + j] * y[j];
        }
    }
    return loss;
}

static void mlp_begin(struct mlp_case *k, const int *hidden, int n_hidden, int in, int out)
{
    struct mlp_shape shape;
    struct rng r;
    rng_seed(&r, 3);
    assert_int_equal(arena_open(&k->mem, "mlp", (size_t)16 << 20), 0);
    mlp_shape(&shape, in, hidden, n_hidden, out);
    mlp_init(&k->net, &shape, ROWS, &k->mem, &r);
    draw_all(&r, 1.0, ROWS * in, k->x);
    draw_all(&r, 1.0, ROWS * out, k->c);
}

static void mlp_gradients_match(const int *hidden, int n_hidden)
{
    static struct mlp_case k;
    double dx[ROWS * 8], dx_alone[ROWS * 8], once[2048];
    mlp_begin(&k, hidden, n_hidden, 4, 3);
    struct mlp *m = &k.net;
    double y[3];
    uint64_t pattern = 0;

    const double *got = mlp_forward(m, k.x, ROWS);
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&m->shape, m->w, k.x + i * 4, y, &pattern);
        for (int j = 0; j < 3; j++) {
            assert_true(fabs(got[i * 3 + j] - y[j]) < 1e-13);
        }
    }

    mlp_zero_grad(m);
    mlp_backward(m, k.c, ROWS, dx);
    check_differences("mlp weights", m->w, m->n, m->g, mlp_loss, &k);
    check_differences("mlp inputs", k.x, ROWS * 4, dx, mlp_loss, &k);

    /* backward adds; backward_input leaves the weights' gradient alone and gives the same dx */
    memcpy(once, m->g, (size_t)m->n * sizeof *once);
    mlp_backward(m, k.c, ROWS, NULL);
    for (int i = 0; i < m->n; i++) {
        assert_true(fabs(m->g[i] - 2.0 * once[i]) <= 1e-14 * (1.0 + fabs(once[i])));
    }
    memcpy(once, m->g, (size_t)m->n * sizeof *once);
    mlp_backward_input(m, k.c, ROWS, dx_alone);
    assert_memory_equal(once, m->g, (size_t)m->n * sizeof *once);
    assert_memory_equal(dx, dx_alone, (size_t)(ROWS * 4) * sizeof *dx);
    arena_close(&k.mem);
}

static void mlp_of_any_depth_has_the_gradients_of_its_output(void **state)
{
    (void)state;
    static const int hidden[] = {7, 5, 9, 6, 4};
    for (int n_hidden = 0; n_hidden < LAYERS_MAX; n_hidden++) {
        mlp_gradients_match(hidden, n_hidden);
    }
}

/* A unit that is off passes nothing on; at exactly 0 it is off. */
static void relu_at_zero_has_no_gradient(void **state)
{
    (void)state;
    static struct mlp_case k;
    static const int one[] = {1};
    mlp_begin(&k, one, 1, 1, 1);
    struct mlp *m = &k.net;
    const double w[] = {1.0, 0.0, 2.0, 0.0}; /* y = 2 relu(x) */
    memcpy(m->w, w, sizeof w);
    for (int i = 0; i < 3; i++) {
        const double x = i - 1, dy = 1.0;
        double dx = 9.0;
        (void)mlp_forward(m, &x, 1);
        mlp_zero_grad(m);
        mlp_backward(m, &dy, 1, &dx);
        assert_true(dx == (x > 0.0 ? 2.0 : 0.0));
        assert_true(m->g[0] == (x > 0.0 ? 2.0 : 0.0));
    }
    arena_close(&k.mem);
}

/* --- critic: L = mean of w 1/2 (Q - y)^2, and dQ/da --- */

struct critic_case {
    struct critic q;
    struct arena mem;
    double s[ROWS * 4], a[ROWS * 2], y[ROWS], w[ROWS], dq[ROWS];
};

static double value_of(struct critic_case *k, int i, uint64_t *ret_pattern)
{
    double sa[6], q;
    memcpy(sa, k->s + i * 4, 4 * sizeof *sa);
    memcpy(sa + 4, k->a + i * 2, 2 * sizeof *sa);
    plain_mlp(&k->q.net.shape, k->q.net.w, sa, &q, ret_pattern);
    return q;
}

static double critic_loss(void *self, uint64_t *ret_pattern)
{
    struct critic_case *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double e = value_of(k, i, ret_pattern) - k->y[i];
        loss += k->w[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

static double weighted_value(void *self, uint64_t *ret_pattern)
{
    struct critic_case *k = self;
    double sum = 0.0;
    for (int i = 0; i < ROWS; i++) {
        sum += k->dq[i] * value_of(k, i, ret_pattern);
    }
    return sum;
}

static void critic_begin(struct critic_case *k, double lr)
{
    static const int hidden[] = {8, 8};
    struct rng r;
    rng_seed(&r, 4);
    assert_int_equal(arena_open(&k->mem, "critic", (size_t)16 << 20), 0);
    const struct net_spec spec = {
        .n_obs = 4, .n_act = 2, .hidden = hidden, .n_hidden = 2, .rows = ROWS, .lr = lr};
    critic_init(&k->q, &spec, &k->mem, &r);
    draw_all(&r, 1.0, ROWS * 4, k->s);
    draw_all(&r, 1.0, ROWS * 2, k->a);
    draw_all(&r, 2.0, ROWS, k->y);
    draw_all(&r, 1.0, ROWS, k->dq);
    for (int i = 0; i < ROWS; i++) {
        k->w[i] = 0.2 + rng_uniform(&r);
    }
}

static void critic_fit_steps_down_the_gradient_of_its_loss(void **state)
{
    (void)state;
    static struct critic_case k;
    double before[256], td[ROWS];
    uint64_t pattern = 0;
    critic_begin(&k, 1e-3);
    struct mlp *m = &k.q.net;
    const struct critic_target t = {k.y, k.w, td};
    const double loss = critic_loss(&k, &pattern);
    double value[ROWS];
    for (int i = 0; i < ROWS; i++) {
        value[i] = value_of(&k, i, &pattern);
    }
    memcpy(before, m->w, (size_t)m->n * sizeof *before);

    assert_true(fabs(critic_fit(&k.q, k.s, k.a, &t, ROWS) - loss) < 1e-13);
    for (int i = 0; i < ROWS; i++) {
        assert_true(fabs(td[i] - fabs(value[i] - k.y[i])) < 1e-13); /* without the weight */
    }
    for (int i = 0; i < m->n; i++) { /* Adam's first step is lr, down */
        const double want = m->g[i] == 0.0 ? 0.0 : -1e-3 * (m->g[i] > 0.0 ? 1.0 : -1.0);
        assert_true(fabs(m->w[i] - before[i] - want) < 1e-3 * 1e-3);
    }
    memcpy(m->w, before, (size_t)m->n * sizeof *before);
    check_differences("critic", m->w, m->n, m->g, critic_loss, &k);
    arena_close(&k.mem);
}

static void critic_gives_dq_da_and_stays_as_it_was(void **state)
{
    (void)state;
    static struct critic_case k;
    double w[256], g[256], da[ROWS * 2];
    critic_begin(&k, 1e-3);
    struct mlp *m = &k.q.net;
    memcpy(m->g, m->w, (size_t)m->n * sizeof *m->g); /* anything that would show */
    memcpy(w, m->w, (size_t)m->n * sizeof *w);
    memcpy(g, m->g, (size_t)m->n * sizeof *g);
    (void)critic_forward(&k.q, k.s, k.a, ROWS);
    critic_backward_action(&k.q, k.dq, ROWS, da);
    check_differences("dQ/da", k.a, ROWS * 2, da, weighted_value, &k);
    assert_memory_equal(w, m->w, (size_t)m->n * sizeof *w);
    assert_memory_equal(g, m->g, (size_t)m->n * sizeof *g);
    arena_close(&k.mem);
}

static void critic_does_not_learn_from_what_is_not_finite(void **state)
{
    (void)state;
    static struct critic_case k;
    double w[256];
    critic_begin(&k, 1e-3);
    const struct critic_target t = {k.y, k.w, NULL};
    memcpy(w, k.q.net.w, (size_t)k.q.net.n * sizeof *w);
    k.y[2] = (double)NAN;
    assert_true(!isfinite(critic_fit(&k.q, k.s, k.a, &t, ROWS)));
    assert_memory_equal(w, k.q.net.w, (size_t)k.q.net.n * sizeof *w);
    assert_true(k.q.opt.t == 0);
    arena_close(&k.mem);
}

/* --- gauss: L = sum of da a + dlogp log pi, eps fixed --- */

struct gauss_case {
    struct gauss p;
    struct arena mem;
    double s[ROWS * 4], a[ROWS * 2], logp[ROWS], da[ROWS * 2], dlogp[ROWS];
};

static double gauss_loss(void *self, uint64_t *ret_pattern)
{
    struct gauss_case *k = self;
    double loss = 0.0, a[2], logp;
    for (int i = 0; i < ROWS; i++) {
        plain_gauss(&k->p.net.shape, k->p.net.w, k->s + i * 4, k->p.eps + i * 2, a, &logp,
                    ret_pattern);
        loss += k->da[i * 2] * a[0] + k->da[i * 2 + 1] * a[1] + k->dlogp[i] * logp;
    }
    return loss;
}

static void gauss_begin(struct gauss_case *k)
{
    static const int hidden[] = {8, 8};
    struct rng r;
    rng_seed(&r, 5);
    assert_int_equal(arena_open(&k->mem, "gauss", (size_t)16 << 20), 0);
    const struct net_spec spec = {
        .n_obs = 4, .n_act = 2, .hidden = hidden, .n_hidden = 2, .rows = ROWS};
    gauss_init(&k->p, &spec, &k->mem, &r);
    draw_all(&r, 1.0, ROWS * 4, k->s);
    draw_all(&r, 1.0, ROWS * 2, k->da);
    draw_all(&r, 1.0, ROWS, k->dlogp);
}

static void gauss_has_the_density_and_the_gradient_of_a_squashed_normal(void **state)
{
    (void)state;
    static struct gauss_case k;
    struct rng noise;
    double a[2], logp;
    uint64_t pattern = 0;
    gauss_begin(&k);
    rng_seed(&noise, 6);
    gauss_forward(&k.p, k.s, ROWS, &noise, k.a, k.logp);
    for (int i = 0; i < ROWS; i++) {
        plain_gauss(&k.p.net.shape, k.p.net.w, k.s + i * 4, k.p.eps + i * 2, a, &logp, &pattern);
        assert_true(fabs(a[0] - k.a[i * 2]) < 1e-13 && fabs(a[1] - k.a[i * 2 + 1]) < 1e-13);
        assert_true(fabs(logp - k.logp[i]) < 1e-10);
    }
    gauss_fit(&k.p, k.a, k.da, k.dlogp, ROWS); /* learning rate 0: the weights stay */
    check_differences("gauss", k.p.net.w, k.p.net.n, k.p.net.g, gauss_loss, &k);
    arena_close(&k.mem);
}

/* Outside of [-20, 2] log sigma is held there and learns nothing; mu still does. */
static void clamped_log_std_has_no_gradient(void **state)
{
    (void)state;
    static struct gauss_case k;
    struct rng noise;
    gauss_begin(&k);
    struct mlp *m = &k.p.net;
    double *bias = m->w + m->n - 4; /* of the last layer: mu, mu, log sigma, log sigma */
    bias[2] = 3.0;
    bias[3] = -30.0;
    rng_seed(&noise, 7);
    gauss_forward(&k.p, k.s, ROWS, &noise, k.a, k.logp);
    gauss_fit(&k.p, k.a, k.da, k.dlogp, ROWS);
    const double *g = m->g + m->n - 4;
    assert_true(g[0] != 0.0 && g[1] != 0.0);
    assert_true(g[2] == 0.0 && g[3] == 0.0);
    check_differences("gauss, clamped", m->w, m->n, m->g, gauss_loss, &k);
    arena_close(&k.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mlp_of_any_depth_has_the_gradients_of_its_output),
        cmocka_unit_test(relu_at_zero_has_no_gradient),
        cmocka_unit_test(critic_fit_steps_down_the_gradient_of_its_loss),
        cmocka_unit_test(critic_gives_dq_da_and_stays_as_it_was),
        cmocka_unit_test(critic_does_not_learn_from_what_is_not_finite),
        cmocka_unit_test(gauss_has_the_density_and_the_gradient_of_a_squashed_normal),
        cmocka_unit_test(clamped_log_std_has_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
