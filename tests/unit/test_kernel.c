/*
 * Every back end in float (bf16: test_kernel_bf16) against the definition, at shapes with and
 * without whole vectors and panels; the vectors' exp, tanh, softplus over all floats of their
 * range; normal draws by their moments; the same bits twice, and from a job that is cut in two.
 */
#include "daemon/base/arena.h"
#include "daemon/base/rng.h"
#include "policies/nn/kernel.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RELATIVE 2e-6f /* of the largest sum of magnitudes: rounding in another order */

static const int shapes[][3] = {/* rows, in, out */
                                {1, 1, 1},     {2, 3, 1},      {7, 4, 2},    {100, 3, 64},
                                {100, 64, 64}, {33, 23, 48},   {96, 48, 12}, {128, 6, 200},
                                {31, 17, 17},  {256, 23, 256}, {13, 256, 6}, {5, 40, 8},
                                {64, 64, 1},   {9, 9, 9},      {6, 16, 16},  {17, 33, 2},
                                {19, 18, 3},   {9, 70, 4},     {11, 48, 5},  {10, 35, 7},
                                {21, 31, 40},  {50, 129, 65},  {25, 32, 33}, {3, 300, 256}};

struct problem {
    struct arena mem;
    struct layer l;
    struct matrix x, dy;
    int n;
    float *w, *panels;
};

static bool here(const struct kernel *k)
{
    return k->usable() && k->precision == PRECISION_FP32;
}

static float *some(struct arena *mem, struct rng *rng, int n)
{
    float *v = arena_take(mem, ((size_t)n + PANEL) * sizeof(float));
    for (int i = 0; i < n; i++) {
        v[i] = (float)rng_normal(rng);
    }
    return v;
}

static void make(struct problem *p, const int shape[3], struct rng *rng)
{
    const int n = shape[0], in = shape[1], out = shape[2];
    assert_int_equal(arena_open(&p->mem, "test", (size_t)64 << 20), 0);
    p->n = n;
    p->w = some(&p->mem, rng, out * (in + 1));
    p->panels = some(&p->mem, rng, 0);
    p->panels = arena_take(&p->mem, (size_t)(in * (out + PANEL)) * sizeof(float));
    p->x = (struct matrix){some(&p->mem, rng, n * matrix_stride(in)), matrix_stride(in)};
    p->dy = (struct matrix){some(&p->mem, rng, n * matrix_stride(out)), matrix_stride(out)};
    p->l = (struct layer){
        .in = in, .out = out, .w = {p->w, in}, .b = p->w + in * out, .panels = p->panels};
}

/* [rows, columns] of a and b agree, each column by column. */
static void alike(struct matrix a, struct matrix b, int rows, int columns, float scale)
{
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            const float x = a.v[i * a.ld + j], y = b.v[i * b.ld + j];
            if (!(fabsf(x - y) <= RELATIVE * scale)) {
                print_error("[%d,%d]: %g and %g\n", i, j, (double)x, (double)y);
                fail();
            }
        }
    }
}

/* Of an array from the arena, what lies behind it. */
static void untouched(const float *end)
{
    for (int j = 0; j < PANEL; j++) {
        assert_true(end[j] == 0.0f);
    }
}

static void check_products(const struct kernel *k, struct problem *p)
{
    const struct kernel *d = kernel_find("portable");
    const int n = p->n, in = p->l.in, out = p->l.out;
    const int widths[] = {matrix_stride(out), out};
    k->panels(in, out, p->w, p->panels);
    for (int t = 0; t < 2; t++) {
        struct matrix y[2];
        for (int i = 0; i < 2; i++) {
            y[i] = (struct matrix){
                arena_take(&p->mem, (size_t)(n * widths[t] + PANEL) * sizeof(float)), widths[t]};
        }
        k->forward(&p->l, p->x, n, t == 0, y[0]);
        d->forward(&p->l, p->x, n, t == 0, y[1]);
        alike(y[0], y[1], n, out, 4.0f * sqrtf((float)in) + 4.0f);
        untouched(y[0].v + n * widths[t]);
    }
    for (int t = 0; t < 3; t++) {
        const int ld = t == 2 ? in : matrix_stride(in);
        struct matrix dx[2];
        for (int i = 0; i < 2; i++) {
            dx[i] =
                (struct matrix){arena_take(&p->mem, (size_t)(n * ld + PANEL) * sizeof(float)), ld};
        }
        const struct matrix mask = t == 0 ? p->x : (struct matrix){0};
        k->backward_input(&p->l, p->dy, n, mask, dx[0]);
        d->backward_input(&p->l, p->dy, n, mask, dx[1]);
        alike(dx[0], dx[1], n, in, 4.0f * sqrtf((float)out) + 4.0f);
        untouched(dx[0].v + n * ld);
    }
    float *g[2];
    for (int i = 0; i < 2; i++) {
        g[i] = arena_take(&p->mem, (size_t)(out * (in + 1)) * sizeof(float));
        for (int j = 0; j < out * (in + 1); j++) {
            g[i][j] = NAN; /* it does not add */
        }
    }
    k->backward_weights(&p->l, p->dy, p->x, n, g[0], g[0] + in * out);
    d->backward_weights(&p->l, p->dy, p->x, n, g[1], g[1] + in * out);
    alike((struct matrix){g[0], 1}, (struct matrix){g[1], 1}, out * (in + 1), 1,
          8.0f * sqrtf((float)n) + 4.0f);
}

static void products_equal_the_definition(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; kernels[i] != NULL; i++) {
        for (size_t s = 0; here(kernels[i]) && s < sizeof shapes / sizeof shapes[0]; s++) {
            struct problem p = {0};
            make(&p, shapes[s], &rng);
            check_products(kernels[i], &p);
            arena_close(&p.mem);
        }
    }
}

/* All results of one problem, its rows or its outputs in two parts. */
struct results {
    struct matrix y, dx;
    float *g;
};

static struct matrix after(struct matrix x, int rows)
{
    return (struct matrix){x.v + rows * x.ld, x.ld};
}

static struct results work_out(const struct kernel *k, struct problem *p, int rows, int outs)
{
    const int in = p->l.in, out = p->l.out, n = p->n, ldy = matrix_stride(out);
    const int ldx = matrix_stride(in);
    struct results r = {
        .y = {arena_take(&p->mem, (size_t)(n * ldy) * sizeof(float)), ldy},
        .dx = {arena_take(&p->mem, (size_t)(n * ldx) * sizeof(float)), ldx},
        .g = arena_take(&p->mem, (size_t)(out * (in + 1)) * sizeof(float)),
    };
    struct layer first = p->l, second = p->l;
    first.out = outs;
    second.out = out - outs;
    k->forward(&p->l, p->x, rows, true, r.y);
    k->backward_input(&p->l, p->dy, rows, p->x, r.dx);
    k->backward_weights(&first, p->dy, p->x, n, r.g, r.g + in * out);
    if (rows < n) {
        const struct matrix x = after(p->x, rows);
        k->forward(&p->l, x, n - rows, true, after(r.y, rows));
        k->backward_input(&p->l, after(p->dy, rows), n - rows, x, after(r.dx, rows));
    }
    if (outs < out) {
        const struct matrix dy = {p->dy.v + outs, p->dy.ld};
        k->backward_weights(&second, dy, p->x, n, r.g + outs * in, r.g + in * out + outs);
    }
    return r;
}

static void the_same_bits_in_one_part_and_in_two(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 6);
    for (int i = 0; kernels[i] != NULL; i++) {
        const struct kernel *k = kernels[i];
        for (size_t s = 0; here(k) && k->shares && s < sizeof shapes / sizeof shapes[0]; s++) {
            struct problem p = {0};
            make(&p, shapes[s], &rng);
            const int n = p.n, in = p.l.in, out = p.l.out;
            const int rows = n > 12 ? 12 : n, outs = out > PANEL ? PANEL : out;
            k->panels(in, out, p.w, p.panels);
            const struct results one = work_out(k, &p, n, out), two = work_out(k, &p, rows, outs);
            for (int j = 0; j < n; j++) {
                assert_memory_equal(after(one.y, j).v, after(two.y, j).v,
                                    (size_t)out * sizeof(float));
                assert_memory_equal(after(one.dx, j).v, after(two.dx, j).v,
                                    (size_t)in * sizeof(float));
            }
            assert_memory_equal(one.g, two.g, (size_t)(out * (in + 1)) * sizeof(float));
            arena_close(&p.mem);
        }
    }
}

/* The part of the weights' columns that critics ask for: w.ld is wider than in. */
static void input_gradient_of_some_columns(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 2);
    for (int i = 0; kernels[i] != NULL; i++) {
        if (!here(kernels[i])) {
            continue;
        }
        struct problem p = {0};
        make(&p, (const int[]){50, 23, 64}, &rng);
        float all[50 * 23], part[50 * 6 + PANEL];
        kernels[i]->backward_input(&p.l, p.dy, 50, (struct matrix){0}, (struct matrix){all, 23});
        struct layer actions = p.l;
        actions.in = 6;
        actions.w.v += 17;
        kernels[i]->backward_input(&actions, p.dy, 50, (struct matrix){0},
                                   (struct matrix){part, 6});
        alike((struct matrix){all + 17, 23}, (struct matrix){part, 6}, 50, 6, 40.0f);
        arena_close(&p.mem);
    }
}

static void optimiser_equals_the_definition(void **state)
{
    (void)state;

    enum { N = 77 };

    const struct adam_pass c = {0.9f, 0.999f, 1e-8f, 1e-2f, 1.5f};
    for (int i = 0; kernels[i] != NULL; i++) {
        float g[N], m[2][N], v[2][N], w[2][N], target[2][N];
        struct rng rng;
        rng_seed(&rng, 3);
        for (int j = 0; j < N; j++) {
            g[j] = (float)rng_normal(&rng);
            m[0][j] = m[1][j] = (float)rng_normal(&rng);
            v[0][j] = v[1][j] = (float)rng_uniform(&rng);
            w[0][j] = w[1][j] = (float)rng_normal(&rng);
            target[0][j] = target[1][j] = (float)rng_normal(&rng);
        }
        const struct kernel *both[] = {kernels[i]->usable() ? kernels[i] : kernel_best(),
                                       kernel_find("portable")};
        for (int b = 0; b < 2; b++) {
            both[b]->adam(N, &c, g, m[b], v[b], w[b]);
            both[b]->blend(N, 0.005f, w[b], target[b]);
        }
        alike((struct matrix){m[0], 1}, (struct matrix){m[1], 1}, N, 1, 1.0f);
        alike((struct matrix){v[0], 1}, (struct matrix){v[1], 1}, N, 1, 1.0f);
        alike((struct matrix){w[0], 1}, (struct matrix){w[1], 1}, N, 1, 1.0f);
        alike((struct matrix){target[0], 1}, (struct matrix){target[1], 1}, N, 1, 1.0f);
    }
}

/* A row of each width, in place too, as the tick has it; and gradients of all its columns and of
 * some. */
static void normalisation_equals_the_definition(void **state)
{
    (void)state;

    enum { N = 300, ROWS = 7 };

    static const int widths[] = {1, 2, 5, 15, 16, 17, 31, 37, 64, 65, 100, 256, N};
    static float x[ROWS * N], gain[N], bias[N], y[2][N], xhat[2][ROWS * N], dx[2][N], g[3][2 * N];
    const struct norm w = {gain, bias};
    const struct kernel *d = kernel_find("portable");
    struct rng rng;
    rng_seed(&rng, 9);
    for (int i = 0; i < ROWS * N; i++) {
        x[i] = 3.0f + (float)rng_normal(&rng);
    }
    for (int i = 0; i < N; i++) {
        gain[i] = (float)rng_normal(&rng);
        bias[i] = (float)rng_normal(&rng);
    }
    for (int i = 0; kernels[i] != NULL; i++) {
        const struct kernel *both[] = {kernels[i]->usable() ? kernels[i] : kernel_best(), d};
        for (size_t s = 0; s < sizeof widths / sizeof widths[0]; s++) {
            const int n = widths[s], some = n > PANEL ? PANEL : n;
            float inv_std[2];
            for (int b = 0; b < 2; b++) {
                const struct matrix dy = {x, n}, of = {xhat[b], n};
                for (int r = 0; r < ROWS; r++) {
                    inv_std[b] = both[b]->norm(n, &w, r % 2 != 0, x + r * n, of.v + r * n, y[b]);
                }
                both[b]->norm_backward(n, gain, of.v, inv_std[b], x + n, dx[b]);
                both[b]->norm_weights(n, ROWS, dy, of, g[b], g[b] + n);
            }
            alike((struct matrix){inv_std, 1}, (struct matrix){inv_std + 1, 1}, 1, 1, inv_std[0]);
            alike((struct matrix){y[0], n}, (struct matrix){y[1], n}, 1, n, 16.0f);
            alike((struct matrix){xhat[0], n}, (struct matrix){xhat[1], n}, ROWS, n, 16.0f);
            alike((struct matrix){dx[0], n}, (struct matrix){dx[1], n}, 1, n, 32.0f * inv_std[0]);
            alike((struct matrix){g[0], n}, (struct matrix){g[1], n}, 2, n, 64.0f);

            /* in place, and columns in two parts: the same bits */
            const struct kernel *k = both[0];
            (void)k->norm(n, &w, false, x, xhat[0], y[0]);
            memcpy(y[1], x, (size_t)n * sizeof(float));
            (void)k->norm(n, &w, false, y[1], y[1], y[1]);
            assert_memory_equal(y[0], y[1], (size_t)n * sizeof(float));
            k->norm_weights(n, ROWS, (struct matrix){x, n}, (struct matrix){xhat[0], n}, g[0],
                            g[0] + n);
            k->norm_weights(some, ROWS, (struct matrix){x, n}, (struct matrix){xhat[0], n}, g[2],
                            g[2] + n);
            if (some < n) {
                k->norm_weights(n - some, ROWS, (struct matrix){x + some, n},
                                (struct matrix){xhat[0] + some, n}, g[2] + some, g[2] + n + some);
            }
            assert_memory_equal(g[0], g[2], 2 * (size_t)n * sizeof(float));
        }
    }
}

static void row_equals_forward(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 4);
    for (int i = 0; kernels[i] != NULL; i++) {
        for (size_t s = 0; here(kernels[i]) && s < sizeof shapes / sizeof shapes[0]; s++) {
            struct problem p = {0};
            make(&p, shapes[s], &rng);
            float y[2][512], b[512] = {0};
            memcpy(b, p.l.b, (size_t)p.l.out * sizeof(float));
            kernels[i]->panels(p.l.in, p.l.out, p.w, p.panels);
            kernels[i]->row(p.panels, b, p.x.v, p.l.in, p.l.out, true, y[0]);
            kernel_find("portable")->forward(&p.l, p.x, 1, true, (struct matrix){y[1], p.l.out});
            alike((struct matrix){y[0], p.l.out}, (struct matrix){y[1], p.l.out}, 1, p.l.out,
                  4.0f * sqrtf((float)p.l.in) + 4.0f);
            arena_close(&p.mem);
        }
    }
}

/* --- elementwise: distance from the exact value in units of the last place --- */

static double softplus_exact(double x)
{
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

static double ulps(float got, double exact)
{
    const float rounded = (float)exact;
    const double unit = (double)(nextafterf(fabsf(rounded), HUGE_VALF) - fabsf(rounded));
    return fabs((double)got - exact) / unit;
}

static double worst(void (*f)(int, const float *, float *), double (*exact)(double), float low,
                    float high)
{
    enum { N = 1024 };

    uint32_t bits;
    double most = 0.0;
    float x[N], y[N];
    const float ends[2] = {low, high};
    for (int side = 0; side < 2; side++) {
        memcpy(&bits, &ends[side], sizeof bits);
        const uint32_t sign = bits & 0x80000000u, last = bits & 0x7fffffffu;
        /* every 211th float from 2^-30 outwards: 211 is prime, so all mantissas have their turn */
        for (uint32_t at = 0x30800000u; at < last; at += 211u * N) {
            int n = 0;
            for (uint32_t k = 0; n < N && at + 211u * k < last; k++) {
                const uint32_t here = (at + 211u * k) | sign;
                memcpy(&x[n++], &here, sizeof here);
            }
            f(n, x, y);
            for (int i = 0; i < n; i++) {
                most = fmax(most, ulps(y[i], exact((double)x[i])));
            }
        }
    }
    return most;
}

static void elementwise_errors_are_as_stated(void **state)
{
    (void)state;
    for (int i = 0; kernels[i] != NULL; i++) {
        const struct kernel *k = kernels[i];
        if (!k->usable()) {
            continue;
        }
        const double e = worst(k->exp, exp, -87.0f, 88.0f);
        const double t = worst(k->tanh, tanh, -20.0f, 20.0f);
        const double s = worst(k->softplus, softplus_exact, -80.0f, 80.0f);
        print_message("%s: exp %.2f, tanh %.2f, softplus %.2f ulp\n", k->name, e, t, s);
        assert_true(e <= 1.5 && t <= 2.5 && s <= 3.0);
    }
}

static void elementwise_edges(void **state)
{
    (void)state;
    for (int i = 0; kernels[i] != NULL; i++) {
        const struct kernel *k = kernels[i];
        if (!k->usable()) {
            continue;
        }
        float x[] = {0.0f, -0.0f, 100.0f, -100.0f, 1e-30f, 30.0f, -30.0f}, y[7];
        k->tanh(7, x, y);
        assert_true(y[0] == 0.0f && y[2] == 1.0f && y[3] == -1.0f && y[5] == 1.0f);
        k->exp(7, x, y);
        assert_true(y[0] == 1.0f && y[1] == 1.0f && y[2] > 1e38f && y[3] < 1e-37f);
        k->softplus(7, x, y);
        assert_true(fabsf(y[0] - 0.6931472f) < 1e-6f && y[2] == 100.0f && y[3] < 1e-37f);
        k->tanh(3, x, x); /* in place */
        assert_true(x[2] == 1.0f && x[3] == -100.0f);
    }
}

static void normals_have_their_moments(void **state)
{
    (void)state;

    enum { N = 20000 };

    static float u[N], v[N], z[2 * N], z2[2 * N];
    for (int i = 0; kernels[i] != NULL; i++) {
        if (!kernels[i]->usable()) {
            continue;
        }
        struct rng rng;
        rng_seed(&rng, 5);
        for (int j = 0; j < N; j++) {
            u[j] = (float)(1.0 - rng_uniform(&rng) * 0.9999999);
            v[j] = (float)rng_uniform(&rng) * 0.9999999f;
        }
        kernels[i]->normal(N, u, v, z);
        double m1 = 0.0, m2 = 0.0, m4 = 0.0, cross = 0.0;
        for (int j = 0; j < N; j++) {
            const double a = (double)z[j], b = (double)z[N + j];
            m1 += (a + b) / (2.0 * N);
            m2 += (a * a + b * b) / (2.0 * N);
            m4 += (a * a * a * a + b * b * b * b) / (2.0 * N);
            cross += a * b / N;
        }
        assert_true(fabs(m1) < 0.02 && fabs(m2 - 1.0) < 0.03 && fabs(m4 - 3.0) < 0.25);
        assert_true(fabs(cross) < 0.03);
        kernel_find("portable")->normal(N, u, v, z2);
        alike((struct matrix){z, 1}, (struct matrix){z2, 1}, 2 * N, 1, 1.5f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_the_definition),
        cmocka_unit_test(the_same_bits_in_one_part_and_in_two),
        cmocka_unit_test(input_gradient_of_some_columns),
        cmocka_unit_test(optimiser_equals_the_definition),
        cmocka_unit_test(normalisation_equals_the_definition),
        cmocka_unit_test(row_equals_forward),
        cmocka_unit_test(elementwise_errors_are_as_stated),
        cmocka_unit_test(elementwise_edges),
        cmocka_unit_test(normals_have_their_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
