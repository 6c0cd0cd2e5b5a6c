/*
 * The row of the tick: one observation through one layer, out of panels.
 *
 * Over a block of outputs at once: the inner loop is a vector, the outer one reads on in order. So
 * many sums that none waits for the one before. Four panels side by side share what they read of x;
 * where they come from the second-level cache, one after the other in order is faster.
 */
#include "policies/nn/kernel_vec.h"

#define CHAINS     8     /* sums in all: of vecs side by side, and of inputs that take turns */
#define NEAR_BYTES 32768 /* what a first-level cache holds */

/* Sums of the same outputs together: the later half onto the earlier, until vecs are left. */
INLINE void row_fold(const int vecs, vec y[CHAINS])
{
    UNROLL for (int c = CHAINS / 2; c >= vecs; c /= 2)
    {
        UNROLL for (int v = 0; v < c; v++)
        {
            y[v] += y[v + c];
        }
    }
}

/* y += the products of in inputs with vecs vectors of outputs. */
INLINE void row_sum(const int vecs, const float *w, ptrdiff_t next, const float *x, int in,
                    vec y[CHAINS])
{
    const int turns = CHAINS / vecs;
    int i = 0;
    for (; i + turns <= in; i += turns, w += turns * PANEL) {
        UNROLL for (int c = 0; c < CHAINS; c++)
        {
            const int at = c / vecs;
            y[c] += x[i + at] * load(w + at * PANEL + c % vecs * next);
        }
    }
    for (; i < in; i++, w += PANEL) {
        UNROLL for (int v = 0; v < vecs; v++)
        {
            y[v] += x[i] * load(w + v * next);
        }
    }
}

struct row_of {
    const float *x;
    int in;
    bool relu;
};

INLINE void row_block(const int vecs, const float *w, ptrdiff_t next, const float *b,
                      const struct row_of *r, float *ret_y)
{
    vec y[CHAINS];
    UNROLL for (int c = 0; c < CHAINS; c++)
    {
        y[c] = c < vecs ? load(b + c * LANES) : (vec){0};
    }
    row_sum(vecs, w, next, r->x, r->in, y);
    row_fold(vecs, y);
    UNROLL for (int v = 0; v < vecs; v++)
    {
        put(ret_y + v * LANES, r->relu ? relu_of(y[v]) : y[v]);
    }
}

static void row(const float *panels_at, const float *b, const float *x, int in, int out, bool relu,
                float *ret_y)
{
    const struct row_of r = {x, in, relu};
    int p = 0;
    if (TWO_PANELS && (size_t)in * (size_t)out * sizeof(float) <= NEAR_BYTES) {
        for (; p + 4 * PANEL <= out; p += 4 * PANEL) {
            row_block(4, panels_at + p * (ptrdiff_t)in, (ptrdiff_t)in * PANEL, b + p, &r,
                      ret_y + p);
        }
    }
    for (; p < out; p += PANEL) {
        row_block(PANEL / LANES, panels_at + p * (ptrdiff_t)in, LANES, b + p, &r, ret_y + p);
    }
}
