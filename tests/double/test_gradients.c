/*
 * Gradients of the pieces under the algorithms by finite differences, in double: mlp, critic, twin,
 * gauss, mu.
 */
#include <cmocka.h>

#include "tests/double/differences.h"

#include "policies/nn/gauss.h"
#include "policies/nn/mu.h"
#include "policies/nn/twin.h"

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

static void mlp_begin(struct mlp_case *k, const struct mlp_shape *shape)
{
    struct rng r;
    const int in = shape->width[0], out = shape->width[shape->n_layers];
    rng_seed(&r, 3);
    assert_int_equal(arena_open(&k->mem, "mlp", (size_t)16 << 20), 0);
    mlp_init(&k->net, shape, NULL, ROWS, &k->mem, &r);
    double *w = k->net.w; /* gains and biases that are not 1 and 0 */
    for (int i = 0; i < k->net.n && shape->layer_norm; i++) {
        w[i] += draw(&r, 0.3);
    }
    mlp_changed(&k->net);
    draw_all(&r, 1.0, ROWS * in, k->x);
    draw_all(&r, 1.0, ROWS * out, k->c);
}

/* Some rows, in any order, and some columns: the same numbers as of the whole input's gradient. */
static void some_inputs_match(struct mlp_case *k, const double *dx)
{
    static const int rows[] = {4, 0, 3};
    const struct input_part part = {.rows = rows, .n = 3, .from = 1, .columns = 2};
    double dy[3 * 3], some[3 * 2];
    for (int i = 0; i < 3; i++) {
        memcpy(dy + i * 3, k->c + rows[i] * 3, 3 * sizeof *dy);
    }
    mlp_backward_input(&k->net, dy, &part, some);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(some + i * 2, dx + rows[i] * 4 + 1, 2 * sizeof *some);
    }
}

static void mlp_gradients_match(const struct mlp_shape *shape)
{
    static struct mlp_case k;
    const struct input_part all = {.rows = NULL, .n = ROWS, .from = 0, .columns = 4};
    double dx[ROWS * 8], once[2048];
    mlp_begin(&k, shape);
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

    mlp_backward(m, k.c, ROWS);
    check_differences("mlp weights", m->w, m->n, m->g, mlp_loss, &k);

    /* backward does not add; backward_input leaves the weights' gradient alone */
    memcpy(once, m->g, (size_t)m->n * sizeof *once);
    mlp_backward(m, k.c, ROWS);
    for (int i = 0; i < m->n; i++) {
        assert_true(m->g[i] == once[i]);
    }
    mlp_backward_input(m, k.c, &all, dx);
    assert_memory_equal(once, m->g, (size_t)m->n * sizeof *once);
    check_differences("mlp inputs", k.x, ROWS * 4, dx, mlp_loss, &k);
    some_inputs_match(&k, dx);
    arena_close(&k.mem);
}

static void mlp_of_any_depth_has_the_gradients_of_its_output_14_1(void **state)
{
    (void)state;
    static const int hidden[] = {7, 5, 9, 6, 4};
    for (int n_hidden = 0; n_hidden < LAYERS_MAX; n_hidden++) {
        struct mlp_shape shape;
        mlp_shape(&shape, 4, hidden, n_hidden, 3);
        mlp_gradients_match(&shape);
    }
}

/* One of panels and a bit among them: sums are in parts of a panel. */
static void normalised_layers_have_the_gradients_of_their_output_14_1(void **state)
{
    (void)state;
    static const int hidden[] = {17, 9, 6};
    for (int i = 0; i < 9; i++) {
        struct mlp_shape shape;
        mlp_shape(&shape, 4, hidden, 1 + i / 3, 3);
        shape.layer_norm = i % 3 != 2;
        shape.activation = i % 3 != 0 ? ACTIVATION_TANH : ACTIVATION_RELU;
        mlp_gradients_match(&shape);
    }
}

/* Rows come out with mean 0 and variance 1, whatever the scale of what went in, and a row that is
 * the same everywhere with nothing. */
static void normalisation_forgets_mean_and_scale(void **state)
{
    (void)state;

    enum { N = 37 };

    static const double zero[N];
    double one[N], x[N], y[N], flat[N];
    for (int i = 0; i < N; i++) {
        one[i] = 1.0;
        x[i] = sin(1.3 * i);
        y[i] = 40.0 * x[i] - 700.0;
        flat[i] = 5.0;
    }
    const struct norm w = {one, zero};
    (void)kernel_best()->norm(N, &w, false, x, x, x);
    (void)kernel_best()->norm(N, &w, false, y, y, y);
    (void)kernel_best()->norm(N, &w, false, flat, flat, flat);
    double mean = 0.0, variance = 0.0;
    for (int i = 0; i < N; i++) {
        assert_true(fabs(x[i] - y[i]) < 1e-4); /* eps is less to the larger */
        assert_true(fabs(flat[i]) < 1e-12);
        mean += y[i] / N;
        variance += y[i] * y[i] / N;
    }
    assert_true(fabs(mean) < 1e-12 && fabs(variance - 1.0) < 1e-7);
}

/* A unit that is off passes nothing on; at exactly 0 it is off. */
static void relu_at_zero_has_no_gradient(void **state)
{
    (void)state;
    static struct mlp_case k;
    static const int one[] = {1};
    struct mlp_shape shape;
    mlp_shape(&shape, 1, one, 1, 1);
    mlp_begin(&k, &shape);
    struct mlp *m = &k.net;
    const double w[] = {1.0, 0.0, 2.0, 0.0}; /* y = 2 relu(x) */
    memcpy(m->w, w, sizeof w);
    mlp_changed(m);
    for (int i = 0; i < 3; i++) {
        const struct input_part all = {.n = 1, .columns = 1};
        const double x = i - 1, dy = 1.0;
        double dx = 9.0;
        (void)mlp_forward(m, &x, 1);
        mlp_backward(m, &dy, 1);
        mlp_backward_input(m, &dy, &all, &dx);
        assert_true(dx == (x > 0.0 ? 2.0 : 0.0));
        assert_true(m->g[0] == (x > 0.0 ? 2.0 : 0.0));
    }
    arena_close(&k.mem);
}

/* --- critic: L = mean of w 1/2 (Q - y)^2, and dQ/da --- */

static const int hidden_two[] = {8, 8};

static struct net_spec spec_of(double lr)
{
    return (struct net_spec){.n_obs = 4,
                             .n_act = 2,
                             .hidden = hidden_two,
                             .n_hidden = 2,
                             .rows = ROWS,
                             .adam = adam_defaults(lr)};
}

/* A batch, and the network under the differences. */
struct values {
    double s[ROWS * 4], a[ROWS * 2], y[ROWS], w[ROWS], dq[ROWS];
    const struct mlp *net;
};

struct critic_case {
    struct values v;
    struct critic q;
    struct arena mem;
};

static double value_of(const struct values *k, const struct mlp *net, int i, uint64_t *ret_pattern)
{
    double sa[6], q;
    memcpy(sa, k->s + i * 4, 4 * sizeof *sa);
    memcpy(sa + 4, k->a + i * 2, 2 * sizeof *sa);
    plain_mlp(&net->shape, net->w, sa, &q, ret_pattern);
    return q;
}

static double squared_error(void *self, uint64_t *ret_pattern)
{
    struct values *k = self;
    double loss = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double e = value_of(k, k->net, i, ret_pattern) - k->y[i];
        loss += k->w[i] * 0.5 * e * e / ROWS;
    }
    return loss;
}

static double weighted_value(void *self, uint64_t *ret_pattern)
{
    struct values *k = self;
    double sum = 0.0;
    for (int i = 0; i < ROWS; i++) {
        sum += k->dq[i] * value_of(k, k->net, i, ret_pattern);
    }
    return sum;
}

static void draw_values(struct values *k, struct rng *r)
{
    draw_all(r, 1.0, ROWS * 4, k->s);
    draw_all(r, 1.0, ROWS * 2, k->a);
    draw_all(r, 2.0, ROWS, k->y);
    draw_all(r, 1.0, ROWS, k->dq);
    for (int i = 0; i < ROWS; i++) {
        k->w[i] = 0.2 + rng_uniform(r);
    }
}

static void critic_begin(struct critic_case *k, double lr)
{
    const struct net_spec spec = spec_of(lr);
    struct rng r;
    rng_seed(&r, 4);
    assert_int_equal(arena_open(&k->mem, "critic", (size_t)16 << 20), 0);
    critic_init(&k->q, &spec, &k->mem, &r);
    draw_values(&k->v, &r);
    k->v.net = &k->q.net;
}

/* After one fit with a learning rate of 1e-3: Adam's first step is lr, down, and the gradient that
 * of the loss. Leaves the weights as they were before. */
static void check_fit(const char *what, struct values *k, struct mlp *m, const double *before)
{
    for (int i = 0; i < m->n; i++) {
        const double want = m->g[i] == 0.0 ? 0.0 : -1e-3 * (m->g[i] > 0.0 ? 1.0 : -1.0);
        assert_true(fabs(m->w[i] - before[i] - want) < 1e-3 * 1e-3);
    }
    memcpy(m->w, before, (size_t)m->n * sizeof *before);
    mlp_changed(m);
    k->net = m;
    check_differences(what, m->w, m->n, m->g, squared_error, k);
}

static void critic_fit_steps_down_the_gradient_of_its_loss_14_1(void **state)
{
    (void)state;
    static struct critic_case k;
    double before[256], value[ROWS], td[ROWS];
    uint64_t pattern = 0;
    critic_begin(&k, 1e-3);
    struct mlp *m = &k.q.net;
    const struct critic_target t = {k.v.y, k.v.w, td};
    const double loss = squared_error(&k.v, &pattern);
    for (int i = 0; i < ROWS; i++) {
        value[i] = value_of(&k.v, m, i, &pattern);
    }
    memcpy(before, m->w, (size_t)m->n * sizeof *before);

    assert_true(fabs(critic_fit(&k.q, k.v.s, k.v.a, &t, ROWS) - loss) < 1e-13);
    for (int i = 0; i < ROWS; i++) {
        assert_true(fabs(td[i] - fabs(value[i] - k.v.y[i])) < 1e-13); /* without the weight */
    }
    check_fit("critic", &k.v, m, before);
    arena_close(&k.mem);
}

static void critic_gives_dq_da_and_stays_as_it_was_14_1(void **state)
{
    (void)state;
    static struct critic_case k;
    static const int rows[] = {5, 2};
    double w[256], g[256], da[ROWS * 2], some[4];
    critic_begin(&k, 1e-3);
    struct mlp *m = &k.q.net;
    memcpy(m->g, m->w, (size_t)m->n * sizeof *m->g); /* anything that would show */
    memcpy(w, m->w, (size_t)m->n * sizeof *w);
    memcpy(g, m->g, (size_t)m->n * sizeof *g);
    (void)critic_forward(&k.q, k.v.s, k.v.a, ROWS);
    critic_backward_action(&k.q, k.v.dq, NULL, ROWS, da);
    check_differences("dQ/da", k.v.a, ROWS * 2, da, weighted_value, &k.v);

    const double dq[] = {k.v.dq[5], k.v.dq[2]};
    critic_backward_action(&k.q, dq, rows, 2, some);
    assert_memory_equal(some, da + 5 * 2, 2 * sizeof *some);
    assert_memory_equal(some + 2, da + 2 * 2, 2 * sizeof *some);

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
    const struct critic_target t = {k.v.y, k.v.w, NULL};
    memcpy(w, k.q.net.w, (size_t)k.q.net.n * sizeof *w);
    k.v.y[2] = (double)NAN;
    assert_true(!isfinite(critic_fit(&k.q, k.v.s, k.v.a, &t, ROWS)));
    assert_memory_equal(w, k.q.net.w, (size_t)k.q.net.n * sizeof *w);
    assert_true(k.q.opt.t == 0);
    arena_close(&k.mem);
}

/* --- twin: the same loss for each, and d/da of the smaller --- */

struct twin_case {
    struct values v;
    struct twin t;
    struct arena mem;
};

static double sum_of_least(void *self, uint64_t *ret_pattern)
{
    struct twin_case *k = self;
    double sum = 0.0;
    for (int i = 0; i < ROWS; i++) {
        const double q0 = value_of(&k->v, &k->t.q[0].net, i, ret_pattern);
        const double q1 = value_of(&k->v, &k->t.q[1].net, i, ret_pattern);
        decide(ret_pattern, q0 <= q1);
        sum += -0.7 * fmin(q0, q1);
    }
    return sum;
}

static void twin_begin(struct twin_case *k, double lr)
{
    const struct net_spec spec = spec_of(lr);
    struct rng r;
    rng_seed(&r, 8);
    assert_int_equal(arena_open(&k->mem, "twin", (size_t)16 << 20), 0);
    twin_init(&k->t, &spec, &k->mem, &r);
    draw_values(&k->v, &r);

    /* the second moved to the same mean as the first: each is smaller somewhere */
    struct mlp *second = &k->t.q[1].net;
    double gap = 0.0;
    uint64_t pattern = 0;
    for (int i = 0; i < ROWS; i++) {
        gap += value_of(&k->v, &k->t.q[0].net, i, &pattern) - value_of(&k->v, second, i, &pattern);
    }
    second->w[second->n - 1] += gap / ROWS;
    mlp_changed(second);
}

static void twin_fits_both_to_the_same_targets_14_1(void **state)
{
    (void)state;
    static struct twin_case k;
    double before[2][256], td[ROWS], sum = 0.0;
    uint64_t pattern = 0;
    twin_begin(&k, 1e-3);
    const struct critic_target t = {k.v.y, k.v.w, td};
    for (int i = 0; i < 2; i++) {
        const struct mlp *m = k.v.net = &k.t.q[i].net;
        memcpy(before[i], m->w, (size_t)m->n * sizeof before[i][0]);
        sum += squared_error(&k.v, &pattern);
    }
    assert_true(memcmp(before[0], before[1], sizeof before[0]) != 0);

    assert_true(fabs(twin_fit(&k.t, k.v.s, k.v.a, &t, ROWS) - sum) < 1e-13);
    for (int i = 0; i < 2; i++) {
        check_fit("twin", &k.v, &k.t.q[i].net, before[i]);
    }
    for (int i = 0; i < ROWS; i++) { /* of the first */
        const double error = value_of(&k.v, &k.t.q[0].net, i, &pattern) - k.v.y[i];
        assert_true(fabs(td[i] - fabs(error)) < 1e-13);
    }
    arena_close(&k.mem);
}

static void twin_gives_the_gradient_of_the_smaller_14_1(void **state)
{
    (void)state;
    static struct twin_case k;
    double da[ROWS * 2], g[2][256];
    uint64_t pattern = 0;
    twin_begin(&k, 1e-3);
    for (int i = 0; i < 2; i++) {
        struct mlp *m = &k.t.q[i].net;
        memcpy(m->g, m->w, (size_t)m->n * sizeof *m->g); /* anything that would show */
        memcpy(g[i], m->g, (size_t)m->n * sizeof *m->g);
    }
    const double *least = twin_min(&k.t, k.v.s, k.v.a, ROWS);
    for (int i = 0; i < ROWS; i++) {
        const double q0 = value_of(&k.v, &k.t.q[0].net, i, &pattern);
        const double q1 = value_of(&k.v, &k.t.q[1].net, i, &pattern);
        assert_true(fabs(least[i] - fmin(q0, q1)) < 1e-13);
    }
    assert_true(k.t.n_smaller[0] > 0 && k.t.n_smaller[1] > 0); /* else half of it proves nothing */
    assert_int_equal(k.t.n_smaller[0] + k.t.n_smaller[1], ROWS);

    twin_backward_action(&k.t, -0.7, ROWS, da);
    check_differences("d min Q/da", k.v.a, ROWS * 2, da, sum_of_least, &k);
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(g[i], k.t.q[i].net.g, (size_t)k.t.q[i].net.n * sizeof g[i][0]);
    }
    arena_close(&k.mem);
}

/* 14.9: two critics whose errors are N(0,1) at an action worth 0: the less is -0.5642 in the mean.
 */
static void the_less_of_two_underestimates_14_9(void **state)
{
    (void)state;

    enum { DRAWS = 20000 };

    static struct twin_case k;
    struct rng r;
    double sum = 0.0;
    rng_seed(&r, 13);
    twin_begin(&k, 1e-3);
    for (int t = 0; t < DRAWS; t++) {
        for (int i = 0; i < 2; i++) {
            struct mlp *m = &k.t.q[i].net;
            memset(m->w, 0, (size_t)m->n * sizeof *m->w);
            m->w[m->n - 1] = rng_normal(&r);
            mlp_changed(m);
        }
        sum += twin_min(&k.t, k.v.s, k.v.a, 1)[0] / DRAWS;
    }
    assert_true(fabs(sum + 0.5642) < 4.0 * 0.8256 / sqrt(DRAWS));
    arena_close(&k.mem);
}

/* The second alone is not finite: the first learns nothing either. */
static void twin_learns_as_one_or_not_at_all(void **state)
{
    (void)state;
    static struct twin_case k;
    double w[2][256];
    twin_begin(&k, 1e-3);
    struct mlp *second = &k.t.q[1].net;
    second->w[second->n - 1] = (double)NAN;
    mlp_changed(second);
    for (int i = 0; i < 2; i++) {
        memcpy(w[i], k.t.q[i].net.w, (size_t)second->n * sizeof w[i][0]);
    }
    const struct critic_target t = {k.v.y, k.v.w, NULL};
    assert_true(!isfinite(twin_fit(&k.t, k.v.s, k.v.a, &t, ROWS)));
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(w[i], k.t.q[i].net.w, (size_t)second->n * sizeof w[i][0]);
        assert_true(k.t.q[i].opt.t == 0);
    }
    arena_close(&k.mem);
}

/* --- mu: L = sum of da tanh(net) --- */

struct mu_case {
    struct mu p;
    struct arena mem;
    double s[ROWS * 4], a[ROWS * 2], da[ROWS * 2];
};

static double mu_loss(void *self, uint64_t *ret_pattern)
{
    struct mu_case *k = self;
    double loss = 0.0, y[2];
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&k->p.net.shape, k->p.net.w, k->s + i * 4, y, ret_pattern);
        loss += k->da[i * 2] * tanh(y[0]) + k->da[i * 2 + 1] * tanh(y[1]);
    }
    return loss;
}

static void mu_has_the_gradient_of_a_squashed_output_14_1(void **state)
{
    (void)state;
    static struct mu_case k;
    struct mlp_shape shape;
    struct rng r;
    double y[2];
    uint64_t pattern = 0;
    rng_seed(&r, 9);
    assert_int_equal(arena_open(&k.mem, "mu", (size_t)16 << 20), 0);
    mlp_shape(&shape, 4, hidden_two, 2, 2);
    const struct net_spec spec = spec_of(0.0);
    mu_init(&k.p, &spec, &k.mem, &r); /* learning rate 0: the weights stay */
    draw_all(&r, 3.0, ROWS * 4, k.s);
    draw_all(&r, 1.0, ROWS * 2, k.da);
    mu_forward(&k.p, k.s, ROWS, k.a);
    for (int i = 0; i < ROWS; i++) {
        plain_mlp(&shape, k.p.net.w, k.s + i * 4, y, &pattern);
        assert_true(fabs(k.a[i * 2] - tanh(y[0])) < 1e-13);
        assert_true(fabs(k.a[i * 2 + 1] - tanh(y[1])) < 1e-13);
    }
    mu_fit(&k.p, k.a, k.da, ROWS);
    check_differences("mu", k.p.net.w, k.p.net.n, k.p.net.g, mu_loss, &k);
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
    const struct net_spec spec = spec_of(0.0);
    struct rng r;
    rng_seed(&r, 5);
    assert_int_equal(arena_open(&k->mem, "gauss", (size_t)16 << 20), 0);
    gauss_init(&k->p, &spec, &k->mem, &r);
    draw_all(&r, 1.0, ROWS * 4, k->s);
    draw_all(&r, 1.0, ROWS * 2, k->da);
    draw_all(&r, 1.0, ROWS, k->dlogp);
}

static void gauss_has_the_density_and_the_gradient_of_a_squashed_normal_14_1(void **state)
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
    mlp_changed(m);
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
        cmocka_unit_test(mlp_of_any_depth_has_the_gradients_of_its_output_14_1),
        cmocka_unit_test(normalised_layers_have_the_gradients_of_their_output_14_1),
        cmocka_unit_test(normalisation_forgets_mean_and_scale),
        cmocka_unit_test(relu_at_zero_has_no_gradient),
        cmocka_unit_test(critic_fit_steps_down_the_gradient_of_its_loss_14_1),
        cmocka_unit_test(critic_gives_dq_da_and_stays_as_it_was_14_1),
        cmocka_unit_test(critic_does_not_learn_from_what_is_not_finite),
        cmocka_unit_test(twin_fits_both_to_the_same_targets_14_1),
        cmocka_unit_test(twin_gives_the_gradient_of_the_smaller_14_1),
        cmocka_unit_test(the_less_of_two_underestimates_14_9),
        cmocka_unit_test(twin_learns_as_one_or_not_at_all),
        cmocka_unit_test(mu_has_the_gradient_of_a_squashed_output_14_1),
        cmocka_unit_test(gauss_has_the_density_and_the_gradient_of_a_squashed_normal_14_1),
        cmocka_unit_test(clamped_log_std_has_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
