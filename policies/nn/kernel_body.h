/*
 * The kernels in vectors, for whichever instruction set the file that includes this is compiled.
 *
 * All three products are one loop: a tile of ROWS x COLS results stays in registers while k runs,
 *
 *   c[r][j] += a[r rs + k cs] b[k ldb + j]
 *
 * forward            k = inputs,  a = x,   b = panels (contiguous)   c = y = act(c + bias)
 * backward_input     k = outputs, a = dy,  b = w                     c = dx, masked by x > 0
 * backward_weights   k = rows,    a = dy', b = x                     c = dw
 *
 * Six rows by two vectors of eight fill the sixteen registers of AVX2: twelve sums, two of b, one
 * of a. Twelve rows by two vectors of sixteen, of two panels, take 24 of the 32 of AVX-512; and so
 * do eight by three, for the last 33 to 48 columns. A number of a is always used twice: two loads a
 * cycle would not feed two products that need one each. Nothing is packed on the way.
 */
#include "policies/nn/kernel_vec.h"

#include <math.h>
#include <string.h>

#define TWO_PANELS (LANES == PANEL) /* a tile is as wide */
#define VECS       (TWO_PANELS ? 2 : PANEL / LANES)
#define COLS       (VECS * LANES)
#define WIDE       (TWO_PANELS ? 3 : VECS) /* vectors of the widest tile */
#define ROWS       (TWO_PANELS ? 12 : 6)
#define ROWS_MAX   12

#ifndef MULTIPLY_ADD /* numbers of a and b may be something else, of a float's size */
#define MULTIPLY_ADD(c, a, b) ((c) + (a) * (b))
#endif

enum finish { BIAS, BIAS_RELU, STORE, MASK };

struct tile {
    int k;
    const float *a;
    ptrdiff_t rs, cs;
    const float *b;
    ptrdiff_t ldb, next; /* next: from a vector of b to the one beside it, of the other panel */
    float *c;
    ptrdiff_t ldc;
    const float *x; /* BIAS: [COLS]; MASK: rows of ldx */
    ptrdiff_t ldx;
    int cols; /* of c that exist */
};

INLINE void tile(const int rows, const int vecs, const enum finish f, const bool narrow,
                 const struct tile *t)
{
    vec c[ROWS_MAX][WIDE];
    const float *row[ROWS_MAX / 3]; /* one index reaches three rows: twelve would not fit */
    const float *a = t->a, *b = t->b;
    const ptrdiff_t rs = t->rs, cs = t->cs, ldb = t->ldb, next = TWO_PANELS ? t->next : LANES;
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int v = 0; v < vecs; v++)
        {
            c[r][v] = f == BIAS || f == BIAS_RELU ? load(t->x + v * LANES) : (vec){0};
        }
    }
    for (int k = t->k; k > 0; k--, a += cs, b += ldb) {
        vec bv[WIDE];
        UNROLL for (int r = 0; r < rows; r += 3)
        {
            row[r / 3] = a + r * rs;
        }
        UNROLL for (int v = 0; v < vecs; v++)
        {
            bv[v] = load(b + v * next);
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            const float s = row[r / 3][r % 3 * rs];
            UNROLL for (int v = 0; v < vecs; v++)
            {
                c[r][v] = MULTIPLY_ADD(c[r][v], s, bv[v]);
            }
        }
    }
    float *to = t->c;
    const float *x = t->x;
    UNROLL for (int r = 0; r < rows; r++, to += t->ldc, x += t->ldx)
    {
        __asm__("" : "+r"(to), "+r"(x)); /* one by one: GCC would keep an offset for each row */
        UNROLL for (int v = 0; v < vecs; v++)
        {
            const vec sum = c[r][v], y = f == BIAS_RELU ? relu_of(sum)
                                         : f == MASK    ? positive(sum, load(x + v * LANES))
                                                        : sum;
            if (!narrow) {
                put(to + v * LANES, y);
            } else if (v * LANES < t->cols) {
                put_some(to + v * LANES, y, t->cols - v * LANES);
            }
        }
    }
}

INLINE void step_down(struct tile *t, int rows)
{
    t->a += rows * t->rs;
    t->c += rows * t->ldc;
    t->x = t->ldx > 0 ? t->x + rows * t->ldx : t->x;
}

INLINE void strip_by(const int rows, const int vecs, const enum finish f, const bool narrow,
                     struct tile *t, int *m)
{
    for (; *m >= rows && !(rows == ROWS_MAX && *m / 4 == 4); *m -= rows) {
        tile(rows, vecs, f, narrow, t);
        step_down(t, rows);
    }
}

/* m rows of results, down one panel: so many at a time that two units of latency four always have
 * a sum that does not wait. After twelve of sixteen, four would wait: those are twice eight. */
INLINE void strip(const int vecs, const enum finish f, const bool narrow, struct tile t, int m)
{
    const int all = m;
    if (TWO_PANELS && vecs <= VECS) {
        strip_by(ROWS, vecs, f, narrow, &t, &m);
    }
    if (!TWO_PANELS && vecs == VECS && m != 8) {
        strip_by(ROWS, vecs, f, narrow, &t, &m);
    }
    if (TWO_PANELS || vecs < VECS) {
        strip_by(8, vecs, f, narrow, &t, &m);
    }
    strip_by(4, vecs, f, narrow, &t, &m);
    if (m == 3 && all > m) { /* one of the rows above once more takes no longer than two tiles */
        step_down(&t, -1);
        tile(4, vecs, f, narrow, &t);
        return;
    }
    strip_by(2, vecs, f, narrow, &t, &m);
    strip_by(1, vecs, f, narrow, &t, &m);
}

/* One tile's columns: half of its vectors where that is enough. padded: c has room for whole
 * vectors. */
INLINE void panel(const enum finish f, bool padded, const struct tile *t, int m)
{
    const bool half = VECS > 1 && t->cols <= COLS / 2, wide = t->cols > COLS;
    const bool whole = t->cols == (half ? COLS / 2 : wide ? WIDE * LANES : COLS);
    if (wide && (padded || whole)) {
        strip(WIDE, f, false, *t, m);
    } else if (wide) {
        strip(WIDE, f, true, *t, m);
    } else if (half && (padded || whole)) {
        strip(VECS > 1 ? VECS / 2 : 1, f, false, *t, m);
    } else if (half) {
        strip(VECS > 1 ? VECS / 2 : 1, f, true, *t, m);
    } else if (padded || whole) {
        strip(VECS, f, false, *t, m);
    } else {
        strip(VECS, f, true, *t, m);
    }
}

/* Of the columns that are left, those of one tile. */
static int tile_cols(int left)
{
    return left < COLS || (left > COLS && left <= WIDE * LANES) ? left : COLS;
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

/*
 * Few outputs: a dot product for each, so many rows at a time that their sums are the lanes of a
 * vector.
 */
#define FEW (LANES / 2) /* outputs */

INLINE void dots(const int outs, const struct layer *l, struct matrix x, int n, bool relu,
                 struct matrix y)
{
    const int rows = LANES / outs, lanes = rows * outs, in = l->in;
    const float *w[FEW], *at[LANES];
    vec bias = {0};
    UNROLL for (int j = 0; j < lanes; j++)
    {
        bias[j] = l->b[j % outs];
        w[j % outs] = l->w.v + j % outs * (ptrdiff_t)l->w.ld;
    }
    for (int i = 0; i < n; i += rows) {
        vec sum[LANES] = {{0}}, q = bias;
        UNROLL for (int r = 0; r < rows; r++)
        {
            at[r] = x.v + (ptrdiff_t)(i + r < n ? i + r : n - 1) * x.ld;
        }
        int k = 0;
        for (; k + LANES <= in; k += LANES) {
            UNROLL for (int j = 0; j < lanes; j++)
            {
                sum[j] += load(at[j / outs] + k) * load(w[j % outs] + k);
            }
        }
        if (k < in) {
            UNROLL for (int j = 0; j < lanes; j++)
            {
                sum[j] += get_some(at[j / outs] + k, in - k) * get_some(w[j % outs] + k, in - k);
            }
        }
        q += lane_sums(sum);
        q = relu ? relu_of(q) : q;
        const int here = i + rows < n ? lanes : (n - i) * outs;
        if (y.ld == outs) {
            put_some(y.v + (ptrdiff_t)i * outs, q, here);
        } else {
            for (int j = 0; j < here; j++) {
                y.v[(ptrdiff_t)(i + j / outs) * y.ld + j % outs] = q[j];
            }
        }
    }
}

static void forward_few(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    switch (l->out) {
    case 1:
        dots(1, l, x, n, relu, y);
        break;
    case 2:
        dots(2, l, x, n, relu, y);
        break;
#if LANES > 4
    case 3:
        dots(3, l, x, n, relu, y);
        break;
    case 4:
        dots(4, l, x, n, relu, y);
        break;
#endif
#if LANES > 8
    case 5:
        dots(5, l, x, n, relu, y);
        break;
    case 6:
        dots(6, l, x, n, relu, y);
        break;
    case 7:
        dots(7, l, x, n, relu, y);
        break;
    default:
        dots(8, l, x, n, relu, y);
        break;
#endif
    }
}

static void forward(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y)
{
    if (l->out <= FEW) {
        forward_few(l, x, n, relu, y);
        return;
    }
    struct tile t = {.k = l->in, .a = x.v, .rs = x.ld, .cs = 1, .ldb = PANEL, .ldc = y.ld};
    t.next = (ptrdiff_t)l->w.ld * PANEL;
    for (int p = 0; p < l->out; p += t.cols) {
        float bias[WIDE * LANES] = {0};
        t.cols = tile_cols(l->out - p);
        for (int j = 0; j < t.cols; j += LANES) {
            put(bias + j, get_some(l->b + p + j, t.cols - j));
        }
        t.b = l->panels + (ptrdiff_t)p * l->w.ld;
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
    t.next = LANES;
    for (int p = 0; p < l->in; p += t.cols) {
        t.cols = tile_cols(l->in - p);
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

/* db = the sum of n rows, a vector of columns at a time, four rows a turn. */
static void sum_rows(struct matrix dy, int n, int out, float *db)
{
    for (int o = 0; o < out; o += LANES) {
        const int here = out - o < LANES ? out - o : LANES;
        const float *from = dy.v + o;
        vec sum[4] = {{0}};
        int i = 0;
        for (; i + 4 <= n; i += 4) {
            UNROLL for (int c = 0; c < 4; c++, from += dy.ld)
            {
                sum[c] += get_some(from, here);
            }
        }
        for (; i < n; i++, from += dy.ld) {
            sum[0] += get_some(from, here);
        }
        put_some(db + o, (sum[0] + sum[1]) + (sum[2] + sum[3]), here);
    }
}

/*
 * Fewer inputs than a tile has columns: dy' and x change places, k = rows, a = x', b = dy, and
 * c = dw' is turned, a square of LANES at a time.
 */
static void weights_of_few_inputs(const struct layer *l, struct matrix dy, struct matrix x, int n,
                                  float *dw)
{
    float turned[COLS * WIDE * LANES] = {0}; /* [in][WIDE * LANES] */
    struct tile t = {.k = n, .a = x.v, .rs = 1, .cs = x.ld, .ldb = dy.ld, .next = LANES};
    t.c = turned;
    t.ldc = WIDE * LANES;
    for (int p = 0; p < l->out; p += t.cols) {
        t.cols = tile_cols(l->out - p);
        t.b = dy.v + p;
        panel_store(true, &t, l->in);
        for (int o = 0; o < t.cols; o += LANES) {
            for (int k = 0; k < l->in; k += LANES) {
                vec square[LANES];
                UNROLL for (int j = 0; j < LANES; j++)
                {
                    square[j] = load(turned + (k + j) * WIDE * LANES + o);
                }
                transpose(square);
                for (int j = 0; j < LANES && o + j < t.cols; j++) {
                    put_some(dw + (ptrdiff_t)(p + o + j) * l->in + k, square[j], l->in - k);
                }
            }
        }
    }
}

static void weight_products(const struct layer *l, struct matrix dy, struct matrix x, int n,
                            float *dw)
{
    struct tile t = {
        .k = n, .a = dy.v, .rs = 1, .cs = dy.ld, .ldb = x.ld, .next = LANES, .ldc = l->in};
    if (l->in < COLS && dy.ld >= (l->out + COLS - 1) / COLS * COLS) {
        weights_of_few_inputs(l, dy, x, n, dw);
        return;
    }
    for (int p = 0; p < l->in; p += t.cols) {
        t.cols = tile_cols(l->in - p);
        t.b = x.v + p;
        t.c = dw + p;
        panel_store(false, &t, l->out);
    }
}

#ifndef PAIRS /* of numbers: their panels and gradients are made otherwise */
static void backward_weights(const struct layer *l, struct matrix dy, struct matrix x, int n,
                             float *dw, float *db)
{
    weight_products(l, dy, x, n, dw);
    sum_rows(dy, n, l->out, db);
}

/* A square of LANES at a time. */
static void panels(int in, int out, const float *w, float *ret_panels)
{
    for (int o = 0; o < out; o += LANES) {
        float *to = ret_panels + (ptrdiff_t)(o / PANEL) * PANEL * in + o % PANEL;
        const float *from = w + (ptrdiff_t)o * in;
        for (int k = 0; k < in; k += LANES) {
            vec t[LANES];
            UNROLL for (int j = 0; j < LANES; j++)
            {
                t[j] = o + j < out ? get_some(from + (ptrdiff_t)j * in + k, in - k) : (vec){0};
            }
            transpose(t);
            UNROLL for (int j = 0; j < LANES; j++)
            {
                if (k + j < in) {
                    put(to + (ptrdiff_t)(k + j) * PANEL, t[j]);
                }
            }
        }
    }
}
#endif

INLINE vec adam_of(const struct adam_pass *c, vec g, float *m, float *v, vec w, int n)
{
    const vec mi = c->beta1 * get_some(m, n) + (1.0f - c->beta1) * g;
    const vec vi = c->beta2 * get_some(v, n) + (1.0f - c->beta2) * g * g;
    put_some(m, mi, n);
    put_some(v, vi, n);
    return w - c->step * mi / (c->root * root_of(vi) + c->eps);
}

static void adam(int n, const struct adam_pass *c, const float *restrict g, float *restrict m,
                 float *restrict v, float *restrict w)
{
    const struct adam_pass pass = *c;
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        put(w + i, adam_of(&pass, load(g + i), m + i, v + i, load(w + i), LANES));
    }
    if (i < n) {
        put_some(
            w + i,
            adam_of(&pass, get_some(g + i, n - i), m + i, v + i, get_some(w + i, n - i), n - i),
            n - i);
    }
}

static void blend(int n, float tau, const float *restrict w, float *restrict target)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vec t = load(target + i);
        *(vec *)(target + i) = t + tau * (load(w + i) - t);
    }
    if (i < n) {
        const vec t = get_some(target + i, n - i);
        put_some(target + i, t + tau * (get_some(w + i, n - i) - t), n - i);
    }
}
