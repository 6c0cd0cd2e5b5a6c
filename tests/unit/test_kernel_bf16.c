/*
 * The products in bf16 against the definition. Both operands of a product are rounded to 8 bits, so
 * a result is at most 2^-7 of the sum of its products' magnitudes away, which the definition gives
 * for the operands' magnitudes; the sums in float add less than a hundredth of that. Where the
 * operands are small whole numbers nothing is rounded, and every result is the definition's.
 */
#include "daemon/base/arena.h"
#include "daemon/base/rng.h"
#include "policies/nn/mlp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOUND (0x1p-7f * 1.02f)

static const int shapes[][3] = {/* rows, in, out */
                                {1, 1, 2},     {2, 3, 1},      {7, 4, 2},      {3, 5, 3},
                                {100, 3, 64},  {100, 64, 64},  {33, 23, 48},   {96, 48, 12},
                                {128, 6, 200}, {31, 17, 17},   {256, 23, 256}, {13, 256, 6},
                                {5, 40, 8},    {64, 64, 1},    {9, 9, 9},      {6, 16, 16},
                                {12, 31, 33},  {25, 300, 129}, {1, 1024, 35}};

#define N_SHAPES (sizeof shapes / sizeof shapes[0])

static const struct kernel *bf16, *definition;

struct problem {
    struct arena mem;
    int n, in, out;
    struct layer l;
    struct matrix x, dy;
};

static float normal(struct rng *rng)
{
    return (float)rng_normal(rng);
}

/* -8 ... 8: sums of products stay whole in float */
static float whole(struct rng *rng)
{
    return (float)rng_below(rng, 17) - 8.0f;
}

static struct matrix draw(struct problem *p, int rows, int width, int ld, float (*of)(struct rng *),
                          struct rng *rng)
{
    struct matrix m = {arena_take(&p->mem, (size_t)(rows * ld + PANEL) * sizeof(float)), ld};
    for (int i = 0; i < rows * ld + PANEL; i++) {
        m.v[i] = i % ld < width ? of(rng) : NAN; /* what does not exist is in no sum */
    }
    return m;
}

static void make(struct problem *p, const int shape[3], float (*of)(struct rng *), struct rng *rng)
{
    const int n = shape[0], in = shape[1], out = shape[2];
    *p = (struct problem){.n = n, .in = in, .out = out};
    assert_int_equal(arena_open(&p->mem, "test", (size_t)256 << 20), 0);
    p->x = draw(p, n, in, matrix_stride(in), of, rng);
    p->dy = draw(p, n, out, out, of, rng);
    float *panels = arena_take(&p->mem, (size_t)(in * (out + PANEL)) * sizeof(float));
    p->l = (struct layer){.in = in,
                          .out = out,
                          .w = draw(p, out, in, in, of, rng),
                          .b = draw(p, 1, out, out, of, rng).v,
                          .panels = panels};
    bf16->panels(in, out, p->l.w.v, panels);
    p->l.scratch = arena_take(&p->mem, (size_t)bf16->scratch(n, in, out) * sizeof(float));
}

/* --- the three products, of one or the other --- */

struct results {
    struct matrix y, dx;
    float *dw, *db;
};

static float *room(struct problem *p, int n)
{
    return arena_take(&p->mem, (size_t)(n + PANEL) * sizeof(float));
}

/* dx, dw as from the first rows, outputs: all of them, or in two parts, as two threads do. */
static struct results products(struct problem *p, const struct kernel *k, const struct layer *l,
                               struct matrix x, struct matrix dy, int cut_n, int cut_out)
{
    const int ld = matrix_stride(p->out), ldx = matrix_stride(p->in);
    const struct results r = {{room(p, p->n * ld), ld},
                              {room(p, p->n * ldx), ldx},
                              room(p, p->in * p->out),
                              room(p, p->out)};
    const int from_n[] = {0, cut_n, p->n}, from_out[] = {0, cut_out, p->out};
    for (int i = 0; i < 2; i++) {
        const int at = from_n[i], n = from_n[i + 1] - at;
        const struct matrix xi = {x.v + at * x.ld, x.ld}, dyi = {dy.v + at * dy.ld, dy.ld};
        const struct matrix dxi = {r.dx.v + at * ldx, ldx};
        if (n > 0) {
            k->forward(l, xi, n, true, (struct matrix){r.y.v + at * ld, ld});
            k->backward_input(l, dyi, n, xi, dxi);
        }
        struct layer part = *l;
        part.out = from_out[i + 1] - from_out[i];
        if (part.out > 0) {
            k->backward_weights(&part, (struct matrix){dy.v + from_out[i], dy.ld}, x, p->n,
                                r.dw + from_out[i] * p->in, r.db + from_out[i]);
        }
    }
    return r;
}

static struct results all_of(struct problem *p, const struct kernel *k)
{
    return products(p, k, &p->l, p->x, p->dy, p->n, p->out);
}

static struct matrix magnitudes(struct problem *p, struct matrix m, int rows)
{
    struct matrix a = {room(p, rows * m.ld), m.ld};
    for (int i = 0; i < rows * m.ld; i++) {
        a.v[i] = fabsf(m.v[i]);
    }
    return a;
}

/* What the definition gives where every number is positive. */
static struct results sums_of_magnitudes(struct problem *p)
{
    struct layer l = p->l;
    l.w = magnitudes(p, l.w, p->out);
    l.b = magnitudes(p, (struct matrix){(float *)l.b, p->out}, 1).v;
    return products(p, definition, &l, magnitudes(p, p->x, p->n), magnitudes(p, p->dy, p->n), p->n,
                    p->out);
}

/* Rows of a within the bound of b's; with no sums: the same. Returns how much of it is used. */
static double apart(const char *what, struct matrix a, struct matrix b, struct matrix sum, int rows,
                    int columns)
{
    double most = 0.0;
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            const float x = a.v[i * a.ld + j], y = b.v[i * b.ld + j];
            const float bound = sum.v != NULL ? BOUND * sum.v[i * sum.ld + j] : 0.0f;
            if (!(fabsf(x - y) <= bound)) {
                fail_msg("%s[%d,%d]: %g, %g wanted, within %g", what, i, j, (double)x, (double)y,
                         (double)bound);
            }
            most = bound > 0.0f ? fmax(most, (double)(fabsf(x - y) / bound)) : most;
        }
    }
    return most;
}

static struct matrix flat(float *v)
{
    return (struct matrix){v, 1};
}

static void products_are_within_the_bound(void **state)
{
    (void)state;
    double most[3] = {0.0};
    struct rng rng;
    rng_seed(&rng, 1);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct problem p;
        make(&p, shapes[s], normal, &rng);
        const struct results got = all_of(&p, bf16), want = all_of(&p, definition);
        const struct results sum = sums_of_magnitudes(&p);
        most[0] = fmax(most[0], apart("y", got.y, want.y, sum.y, p.n, p.out));
        most[1] = fmax(most[1], apart("dx", got.dx, want.dx, sum.dx, p.n, p.in));
        most[2] =
            fmax(most[2], apart("dw", flat(got.dw), flat(want.dw), flat(sum.dw), p.in * p.out, 1));
        apart("db", flat(got.db), flat(want.db), flat(sum.db), p.out, 1);
        arena_close(&p.mem);
    }
    print_message("of the bound: forward %.2f, input %.2f, weights %.2f\n", most[0], most[1],
                  most[2]);
    assert_true(most[0] > 0.1 && most[1] > 0.1 && most[2] > 0.1); /* it is bf16 */
}

static void whole_numbers_are_exact(void **state)
{
    (void)state;
    const struct matrix none = {NULL, 0};
    struct rng rng;
    rng_seed(&rng, 2);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct problem p;
        make(&p, shapes[s], whole, &rng);
        const struct results got = all_of(&p, bf16), want = all_of(&p, definition);
        apart("y", got.y, want.y, none, p.n, p.out);
        apart("dx", got.dx, want.dx, none, p.n, p.in);
        apart("dw", flat(got.dw), flat(want.dw), none, p.in * p.out, 1);
        apart("db", flat(got.db), flat(want.db), none, p.out, 1);
        arena_close(&p.mem);
    }
}

/* Critics ask for the gradient of the actions alone: some columns of w, no mask, tight rows. */
static void some_columns_are_those_of_all(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 3);
    struct problem p;
    make(&p, (const int[]){50, 23, 64}, normal, &rng);
    float all[50 * 23 + PANEL], part[50 * 6 + PANEL];
    struct layer actions = p.l;
    bf16->backward_input(&p.l, p.dy, 50, (struct matrix){0}, (struct matrix){all, 23});
    actions.in = 6;
    actions.w.v += 17;
    bf16->backward_input(&actions, p.dy, 50, (struct matrix){0}, (struct matrix){part, 6});
    apart("dx", (struct matrix){part, 6}, (struct matrix){all + 17, 23}, (struct matrix){0}, 50, 6);
    arena_close(&p.mem);
}

static void bits_are_those_of_before_and_of_two_halves(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 4);
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct problem p;
        make(&p, shapes[s], normal, &rng);
        const int n = (p.n / 2 + 11) / 12 * 12, out = (p.out / 2 + PANEL - 1) / PANEL * PANEL;
        const struct results once = all_of(&p, bf16), again = all_of(&p, bf16);
        const struct results halves =
            products(&p, bf16, &p.l, p.x, p.dy, n < p.n ? n : p.n, out < p.out ? out : p.out);
        const struct results *other[] = {&again, &halves};
        for (int i = 0; i < 2; i++) {
            apart("y", other[i]->y, once.y, (struct matrix){0}, p.n, p.out);
            apart("dx", other[i]->dx, once.dx, (struct matrix){0}, p.n, p.in);
            assert_memory_equal(other[i]->dw, once.dw, (size_t)(p.in * p.out) * sizeof(float));
            assert_memory_equal(other[i]->db, once.db, (size_t)p.out * sizeof(float));
        }
        arena_close(&p.mem);
    }
}

/* --- a whole network: the gradient of L = sum of c y beside that in float --- */

static double norm(const float *v, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        sum += (double)v[i] * (double)v[i];
    }
    return sqrt(sum);
}

static double relative(float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++) {
        a[i] -= b[i];
    }
    return norm(a, n) / norm(b, n);
}

static void nobody_gets_it_unasked(void **state)
{
    (void)state;
    assert_int_equal(kernel_best()->precision, PRECISION_FP32);
    assert_ptr_equal(kernel_of(PRECISION_FP32), kernel_best());
    assert_string_equal(bf16->name, "avx512_bf16");
}

static void gradients_of_a_network_are_near(void **state)
{
    (void)state;
    static const int hidden[] = {65, 33};

    enum { ROWS = 50, IN = 7, OUT = 3 };

    float x[ROWS * IN], c[ROWS * OUT], dx[2][ROWS * IN];
    const struct input_part all = {.n = ROWS, .columns = IN};
    struct arena mem;
    struct mlp_shape shape;
    struct mlp m[2];
    struct rng rng;
    assert_int_equal(arena_open(&mem, "test", (size_t)64 << 20), 0);
    mlp_shape(&shape, IN, hidden, 2, OUT);
    rng_seed(&rng, 5);
    for (int i = 0; i < ROWS * IN; i++) {
        x[i] = normal(&rng);
    }
    for (int i = 0; i < ROWS * OUT; i++) {
        c[i] = normal(&rng);
    }
    for (int i = 0; i < 2; i++) {
        rng_seed(&rng, 6);
        mlp_init(&m[i], &shape, i == 0 ? bf16 : NULL, ROWS, &mem, &rng);
        (void)mlp_forward(&m[i], x, ROWS);
        mlp_backward(&m[i], c, ROWS);
        mlp_backward_input(&m[i], c, &all, dx[i]);
    }
    assert_memory_equal(m[0].w, m[1].w, (size_t)m[0].n * sizeof(float));
    const double y = relative(m[0].x[3].v, m[1].x[3].v, ROWS * OUT);
    const double g = relative(m[0].g, m[1].g, m[0].n), d = relative(dx[0], dx[1], ROWS * IN);
    print_message("of the norm: output %.1e, weights' gradient %.1e, input's %.1e\n", y, g, d);
    /* rounding is at random: below 2^-8 a product; and the few units that change sides of 0 */
    assert_true(y < 0x1p-7 && g < 0x1p-5 && d < 0x1p-5);
    assert_true(y > 1e-5 && g > 1e-5 && d > 1e-5);
    arena_close(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_within_the_bound),
        cmocka_unit_test(whole_numbers_are_exact),
        cmocka_unit_test(some_columns_are_those_of_all),
        cmocka_unit_test(bits_are_those_of_before_and_of_two_halves),
        cmocka_unit_test(nobody_gets_it_unasked),
        cmocka_unit_test(gradients_of_a_network_are_near),
    };
    definition = kernel_find("portable");
    bf16 = kernel_of(PRECISION_BF16);
    if (bf16 == NULL) {
        printf("skipped: this processor has no AVX512_BF16\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
