/*
 * The kernels in vectors of LANES floats, for whichever instruction set the file that includes this
 * is compiled: GCC's and Clang's vector types, no intrinsics. LANES divides PANEL.
 *
 * All three products are one loop: a tile of ROWS x PANEL results stays in registers while k runs,
 *
 *   c[r][j] += a[r rs + k cs] b[k ldb + j]
 *
 * forward            k = inputs,  a = x,   b = panels (contiguous)   c = y = act(c + bias)
 * backward_input     k = outputs, a = dy,  b = w                     c = dx, masked by x > 0
 * backward_weights   k = rows,    a = dy', b = x                     c = dw + c
 *
 * Six rows by two vectors of eight fill the sixteen registers of AVX2: twelve sums, two of b, one
 * of a. Nothing is packed on the way.
 */
#include "policies/nn/kernel.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define VECS     (PANEL / LANES) /* vectors in a panel */
#define ROWS_MAX 8

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

enum finish { BIAS, BIAS_RELU, STORE, MASK, ADD };

struct tile {
    int k;
    const float *a;
    ptrdiff_t rs, cs;
    const float *b;
    ptrdiff_t ldb;
    float *c;
    ptrdiff_t ldc;
    const float *x; /* BIAS: [PANEL]; MASK: rows of ldx */
    ptrdiff_t ldx;
    int cols; /* of c that exist */
};

INLINE vec load(const float *p)
{
    return *(const vec *)p;
}

INLINE vec positive(vec y, vec where)
{
    return (vec)((ivec)y & (ivec)(where > 0.0f));
}

INLINE vec finished(const enum finish f, vec sum, const struct tile *t, int r, int at)
{
    if (f == BIAS_RELU) {
        sum = positive(sum, sum);
    }
    if (f == MASK) {
        sum = positive(sum, load(t->x + r * t->ldx + at));
    }
    return sum;
}

/* Whole vectors, or only the columns that exist. */
INLINE void put(const enum finish f, const bool narrow, vec y, float *c, int cols)
{
    if (!narrow) {
        if (f == ADD) {
            y += load(c);
        }
        *(vec *)c = y;
        return;
    }
    for (int j = 0; j < LANES && j < cols; j++) {
        c[j] = f == ADD ? c[j] + y[j] : y[j];
    }
}

INLINE void tile(const int rows, const int vecs, const enum finish f, const bool narrow,
                 const struct tile *t)
{
    vec c[ROWS_MAX][VECS];
    const float *a = t->a, *b = t->b;
    const ptrdiff_t rs = t->rs, cs = t->cs, ldb = t->ldb;
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int v = 0; v < vecs; v++)
        {
            c[r][v] = f == BIAS || f == BIAS_RELU ? load(t->x + v * LANES) : (vec){0};
        }
    }
    for (int k = t->k; k > 0; k--, a += cs, b += ldb) {
        vec bv[VECS];
        UNROLL for (int v = 0; v < vecs; v++)
        {
            bv[v] = load(b + v * LANES);
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            const float s = a[r * rs];
            UNROLL for (int v = 0; v < vecs; v++)
            {
                c[r][v] += s * bv[v];
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int v = 0; v < vecs; v++)
        {
            const vec y = finished(f, c[r][v], t, r, v * LANES);
            put(f, narrow, y, t->c + r * t->ldc + v * LANES, t->cols - v * LANES);
        }
    }
}

INLINE void step_down(struct tile *t, int rows)
{
    t->a += rows * t->rs;
    t->c += rows * t->ldc;
    t->x = t->ldx > 0 ? t->x + rows * t->ldx : t->x;
}

/* m rows of results, down one panel: so many at a time that two units of latency four always have
 * a sum that does not wait. */
INLINE void strip(const int vecs, const enum finish f, const bool narrow, struct tile t, int m)
{
    const int most = vecs == VECS ? 6 : 8;
    for (; m >= most && (m != 8 || most == 8); m -= most) {
        tile(most, vecs, f, narrow, &t);
        step_down(&t, most);
    }
    for (; m >= 4; m -= 4) {
        tile(4, vecs, f, narrow, &t);
        step_down(&t, 4);
    }
    for (; m >= 2; m -= 2) {
        tile(2, vecs, f, narrow, &t);
        step_down(&t, 2);
    }
    if (m > 0) {
        tile(1, vecs, f, narrow, &t);
    }
}

/* One panel: half of its vectors where that is enough. padded: c has room for whole vectors. */
INLINE void panel(const enum finish f, bool padded, const struct tile *t, int m)
{
    const bool half = VECS > 1 && t->cols <= PANEL / 2;
    const bool whole = t->cols == (half ? PANEL / 2 : PANEL);
    if (half && (padded || whole)) {
        strip(VECS > 1 ? VECS / 2 : 1, f, false, *t, m);
    } else if (half) {
        strip(VECS > 1 ? VECS / 2 : 1, f, true, *t, m);
    } else if (padded || whole) {
        strip(VECS, f, false, *t, m);
    } else {
        strip(VECS, f, true, *t, m);
    }
}

static void panel_bias(bool padded, const struct tile *t, int m)
{
    panel(BIAS, padded, t, m);
}

static void panel_bias_relu(bool padded, const struct tile *t, int m)
{
    panel(BIAS_RELU, padded, t, m);
}

static void panel_store(bool padded, const struct tile *t, int m)
{
    panel(STORE, padded, t, m);
}

static void panel_mask(bool padded, const struct tile *t, int m)
{
    panel(MASK, padded, t, m);
}

static void panel_add(bool padded, const struct tile *t, int m)
{
    panel(ADD, padded, t, m);
}

/*
 * Transpose LANES x LANES numbers: blocks of h x h change places, h = LANES/2 ... 1. Of two rows h
 * apart, LOW h takes what stays or comes up, HIGH h what goes down or stays.
 */
#if LANES == 8
#define LOW4(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#define LOW2(a, b)  __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW1(a, b)  __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#elif LANES == 4
#define LOW2(a, b)  __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#define LOW1(a, b)  __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#endif

#define SWAP_BLOCKS(t, h)                                                                          \
    UNROLL for (int i = 0; i < LANES; i++)                                                         \
    {                                                                                              \
        if ((i & (h)) == 0) {                                                                      \
            const vec a = (t)[i], b = (t)[i + (h)];                                                \
            (t)[i] = LOW##h(a, b);                                                                 \
            (t)[i + (h)] = HIGH##h(a, b);                                                          \
        }                                                                                          \
    }

INLINE void transpose(vec t[LANES])
{
#if LANES == 8
    SWAP_BLOCKS(t, 4)
#endif
    SWAP_BLOCKS(t, 2)
    SWAP_BLOCKS(t, 1)
}

/* One output: a dot product a row, LANES rows at a time; their sums come together by transposing.
 */
static void forward_one(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    const float *w = l->w.v;
    const int whole = l->in / LANES * LANES;
    for (int i = 0; i < n; i += LANES) {
        const float *at[LANES];
        vec sum[LANES];
        UNROLL for (int r = 0; r < LANES; r++)
        {
            at[r] = x.v + (ptrdiff_t)(i + r < n ? i + r : n - 1) * x.ld;
            sum[r] = (vec){0};
        }
        for (int k = 0; k < whole; k += LANES) {
            const vec wk = load(w + k);
            UNROLL for (int r = 0; r < LANES; r++)
            {
                sum[r] += load(at[r] + k) * wk;
            }
        }
        transpose(sum);
        vec q = (vec){0} + l->b[0];
        UNROLL for (int r = 0; r < LANES; r++)
        {
            q += sum[r];
        }
        for (int r = 0; r < LANES && i + r < n; r++) {
            float rest = q[r];
            for (int k = whole; k < l->in; k++) {
                rest += at[r][k] * w[k];
            }
            y.v[(ptrdiff_t)(i + r) * y.ld] = relu && rest < 0.0f ? 0.0f : rest;
        }
    }
}

static void forward(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    if (l->out == 1) {
        forward_one(l, x, n, relu, y);
        return;
    }
    struct tile t = {.k = l->in, .a = x.v, .rs = x.ld, .cs = 1, .ldb = PANEL, .ldc = y.ld};
    for (int p = 0; p < l->out; p += PANEL) {
        float bias[PANEL] = {0};
        t.cols = l->out - p < PANEL ? l->out - p : PANEL;
        memcpy(bias, l->b + p, (size_t)t.cols * sizeof(float));
        t.b = l->panels + (ptrdiff_t)p * l->in;
        t.c = y.v + p;
        t.x = bias;
        if (relu) {
            panel_bias_relu(y.ld > l->out, &t, n);
        } else {
            panel_bias(y.ld > l->out, &t, n);
        }
    }
}

static void backward_input(const struct layer *l, struct matrix dy, int n, struct matrix x,
                           struct matrix dx)
{
    struct tile t = {
        .k = l->out, .a = dy.v, .rs = dy.ld, .cs = 1, .ldb = l->w.ld, .ldc = dx.ld, .ldx = x.ld};
    for (int p = 0; p < l->in; p += PANEL) {
        t.cols = l->in - p < PANEL ? l->in - p : PANEL;
        t.b = l->w.v + p;
        t.c = dx.v + p;
        if (x.v != NULL) {
            t.x = x.v + p;
            panel_mask(dx.ld > l->in, &t, n);
        } else {
            t.ldx = 0;
            panel_store(dx.ld > l->in, &t, n);
        }
    }
}

/* db += the sum of n rows, a vector of columns at a time. */
static void add_rows(struct matrix dy, int n, int out, float *db)
{
    int o = 0;
    for (; o + LANES <= out; o += LANES) {
        vec sum[2] = {0};
        for (int i = 0; i + 2 <= n; i += 2) {
            sum[0] += load(dy.v + (ptrdiff_t)i * dy.ld + o);
            sum[1] += load(dy.v + (ptrdiff_t)(i + 1) * dy.ld + o);
        }
        if ((n & 1) != 0) {
            sum[0] += load(dy.v + (ptrdiff_t)(n - 1) * dy.ld + o);
        }
        *(vec *)(db + o) = load(db + o) + (sum[0] + sum[1]);
    }
    for (; o < out; o++) {
        for (int i = 0; i < n; i++) {
            db[o] += dy.v[(ptrdiff_t)i * dy.ld + o];
        }
    }
}

static void backward_weights(const struct layer *l, struct matrix dy, struct matrix x, int n,
                             float *dw, float *db)
{
    struct tile t = {.k = n, .a = dy.v, .rs = 1, .cs = dy.ld, .ldb = x.ld, .ldc = l->in};
    for (int p = 0; p < l->in; p += PANEL) {
        t.cols = l->in - p < PANEL ? l->in - p : PANEL;
        t.b = x.v + p;
        t.c = dw + p;
        panel_add(false, &t, l->out);
    }
    add_rows(dy, n, l->out, db);
}

/* Squares of LANES by vectors, what is left one by one. */
static void panels(int in, int out, const float *w, float *ret_panels)
{
    const int whole_in = in / LANES * LANES, whole_out = out / LANES * LANES;
    for (int o = 0; o < whole_out; o += LANES) {
        float *to = ret_panels + (ptrdiff_t)(o / PANEL) * PANEL * in + o % PANEL;
        for (int k = 0; k < whole_in; k += LANES) {
            vec t[LANES];
            UNROLL for (int j = 0; j < LANES; j++)
            {
                t[j] = load(w + (ptrdiff_t)(o + j) * in + k);
            }
            transpose(t);
            UNROLL for (int j = 0; j < LANES; j++)
            {
                *(vec *)(to + (ptrdiff_t)(k + j) * PANEL) = t[j];
            }
        }
    }
    for (int o = 0; o < out; o++) {
        float *to = ret_panels + (ptrdiff_t)(o / PANEL) * PANEL * in + o % PANEL;
        for (int k = o < whole_out ? whole_in : 0; k < in; k++) {
            to[(ptrdiff_t)k * PANEL] = w[(ptrdiff_t)o * in + k];
        }
    }
}

static void adam(int n, const struct adam_pass *c, const float *restrict g, float *restrict m,
                 float *restrict v, float *restrict w)
{
    const float b1 = c->beta1, b2 = c->beta2, eps = c->eps, step = c->step, root = c->root;
    for (int i = 0; i < n; i++) {
        const float mi = b1 * m[i] + (1.0f - b1) * g[i];
        const float vi = b2 * v[i] + (1.0f - b2) * g[i] * g[i];
        m[i] = mi;
        v[i] = vi;
        w[i] -= step * mi / (root * sqrtf(vi) + eps);
    }
}

static void blend(int n, float tau, const float *restrict w, float *restrict target)
{
    for (int i = 0; i < n; i++) {
        target[i] += tau * (w[i] - target[i]);
    }
}

/* Over a panel's outputs at once: the inner loop is a vector, the outer one reads on in order; four
 * sums a vector, so that none waits for the one before. */
#define CHAINS 4

static void row(const float *panels_at, const float *b, const float *x, int in, int out, bool relu,
                float *ret_y)
{
    for (int p = 0; p < out; p += PANEL, panels_at += (ptrdiff_t)in * PANEL) {
        vec y[CHAINS][VECS] = {0};
        int i = 0;
        for (; i + CHAINS <= in; i += CHAINS) {
            UNROLL for (int c = 0; c < CHAINS; c++)
            {
                UNROLL for (int v = 0; v < VECS; v++)
                {
                    y[c][v] += x[i + c] * load(panels_at + (ptrdiff_t)(i + c) * PANEL + v * LANES);
                }
            }
        }
        for (; i < in; i++) {
            UNROLL for (int v = 0; v < VECS; v++)
            {
                y[0][v] += x[i] * load(panels_at + (ptrdiff_t)i * PANEL + v * LANES);
            }
        }
        UNROLL for (int v = 0; v < VECS; v++)
        {
            vec sum = load(b + p + v * LANES) + ((y[0][v] + y[1][v]) + (y[2][v] + y[3][v]));
            if (relu) {
                sum = positive(sum, sum);
            }
            *(vec *)(ret_y + p + v * LANES) = sum;
        }
    }
}
