/*
 * AVX-512 with bf16, a float's upper half (VDPBF16PS): products of pairs are summed in float;
 * weights, gradients and moments stay float.
 *
 * A pair of numbers that follow each other in a sum takes the place of one float, so the loops of
 * kernel_body.h run over pairs as they are, in half the steps. Operands are rounded to nearest once
 * a call, into the caller's scratch: n (in + out) numbers for n in out products.
 *
 *   across   [n,w] to [n, w/2 pairs], of neighbours in a row: x of forward, dy of backward_input
 *   down     [n,w] to [n/2 pairs, w], of neighbours in a column: w of backward_input, dy and x of
 *            backward_weights
 *
 * An odd end is paired with 0. A panel is w across, in the first half of its floats. Few outputs
 * are summed in float, forward: there is nothing to win.
 */
#include "policies/nn/kernel.h"

#if defined(__AVX512BF16__) && !defined(BASAL_PORTABLE_ONLY)
#include <immintrin.h>

#define LANES                 16
#define PAIRS                 /* numbers of a and b */
#define MULTIPLY_ADD(c, a, b) pairs_added(c, a, b)

#include "policies/nn/kernel_vec.h"

/* c + the sum of the products of a pair with the pairs of b. */
INLINE vec pairs_added(vec c, float a, vec b)
{
    return (vec)_mm512_dpbf16_ps((__m512)c, (__m512bh)_mm512_set1_ps(a), (__m512bh)b);
}

#include "policies/nn/kernel_body.h"
#include "policies/nn/kernel_math.h"
#include "policies/nn/kernel_norm.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bf16");
}

static int half_of(int n)
{
    return (n + 1) / 2;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int scratch(int rows, int in, int out)
{
    const int forward = rows * matrix_stride(half_of(in));
    const int input = rows * matrix_stride(half_of(out)) + half_of(out) * matrix_stride(in);
    const int weights = half_of(rows) * (matrix_stride(in) + matrix_stride(out));
    return larger(larger(forward, input), weights);
}

/* n floats, of which there may be none; others are 0. */
INLINE vec some(const float *p, int n)
{
    return n >= LANES ? load(p) : n > 0 ? get_some(p, n) : (vec){0};
}

/* Pairs of neighbours of 32 floats, n of which are there. */
INLINE vec across_of(const float *p, int n)
{
    return (vec)_mm512_cvtne2ps_pbh((__m512)some(p + LANES, n - LANES), (__m512)some(p, n));
}

static struct matrix across(struct matrix x, int n, int width, float *to)
{
    const struct matrix y = {to, matrix_stride(half_of(width))};
    for (int i = 0; i < n; i++) {
        const float *from = x.v + (ptrdiff_t)i * x.ld;
        for (int k = 0; k < width; k += 2 * LANES) {
            put(y.v + (ptrdiff_t)i * y.ld + k / 2, across_of(from + k, width - k));
        }
    }
    return y;
}

/* a0 b0 a1 b1 ... */
INLINE vec down_of(vec a, vec b)
{
    const __m512i turns =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512bh both = _mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
    return (vec)_mm512_permutexvar_epi16(turns, (__m512i)both);
}

static struct matrix down(struct matrix x, int n, int width, float *to)
{
    const struct matrix y = {to, matrix_stride(width)};
    for (int i = 0; i < n; i += 2) {
        const float *a = x.v + (ptrdiff_t)i * x.ld, *b = a + x.ld;
        float *row = y.v + (ptrdiff_t)(i / 2) * y.ld;
        for (int j = 0; j < width; j += LANES) {
            put(row + j, down_of(some(a + j, width - j), some(b + j, i + 1 < n ? width - j : 0)));
        }
    }
    return y;
}

static void forward_pairs(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    struct layer half = *l;
    if (l->out > FEW) {
        half.in = half_of(l->in);
        x = across(x, n, l->in, l->scratch);
    }
    forward(&half, x, n, relu, y);
}

static void backward_input_pairs(const struct layer *l, struct matrix dy, int n, struct matrix x,
                                 struct matrix dx)
{
    struct layer half = *l;
    const struct matrix pairs = across(dy, n, l->out, l->scratch);
    half.out = half_of(l->out);
    half.w = down(l->w, l->out, l->in, l->scratch + (ptrdiff_t)n * pairs.ld);
    backward_input(&half, pairs, n, x, dx);
}

static void backward_weights_pairs(const struct layer *l, struct matrix dy, struct matrix x, int n,
                                   float *dw, float *db)
{
    const struct matrix dyp = down(dy, n, l->out, l->scratch);
    const struct matrix xp = down(x, n, l->in, l->scratch + (ptrdiff_t)half_of(n) * dyp.ld);
    weight_products(l, dyp, xp, half_of(n), dw);
    sum_rows(dy, n, l->out, db);
}

/* Squares of a panel's outputs by as many pairs of inputs. */
static void panels_pairs(int in, int out, const float *w, float *ret_panels)
{
    for (int o = 0; o < out; o += PANEL) {
        for (int k = 0; k < in; k += 2 * LANES) {
            vec t[LANES];
            UNROLL for (int j = 0; j < LANES; j++)
            {
                t[j] = o + j < out ? across_of(w + (ptrdiff_t)(o + j) * in + k, in - k) : (vec){0};
            }
            transpose(t);
            for (int j = 0; j < LANES && k / 2 + j < half_of(in); j++) {
                put(ret_panels + (ptrdiff_t)o * in + (ptrdiff_t)(k / 2 + j) * PANEL, t[j]);
            }
        }
    }
}

const struct kernel kernel_avx512_bf16 = {
    .name = "avx512_bf16",
    .usable = usable,
    .precision = PRECISION_BF16,
    .shares = true,
    .scratch = scratch,
    .forward = forward_pairs,
    .backward_weights = backward_weights_pairs,
    .backward_input = backward_input_pairs,
    .panels = panels_pairs,
    .adam = adam,
    .blend = blend,
    .norm = norm,
    .norm_backward = norm_backward,
    .norm_weights = norm_weights,
    .exp = exp_all,
    .tanh = tanh_all,
    .softplus = softplus_all,
    .normal = normal_all,
};
#endif
