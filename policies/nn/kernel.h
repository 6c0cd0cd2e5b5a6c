/*
 * The seam under the networks: what dense layers, optimisers and squashed Gaussians need, for one
 * instruction set. Everything above knows shapes and equations; everything below knows registers.
 *
 * The back ends are rows of a table (kernel.c). The portable one is the definition: plain loops in
 * the order of the equations. The others sum in another order, and fuse multiply with add; each
 * gives the same bits for the same input, whatever else runs.
 *
 * Why not a library: what an update multiplies, with bias, ReLU, mask and bias gradient, takes
 * libxsmm 1.01 times as long at 256x256 and 1.2 times at 64x64, oneDNN 1.03 and 1.7 (bf16: 1.2 and
 * 2.3), OpenBLAS 1.1 and 1.1, or 2.1 and 2.5 where it does not know the processor (Debian 12's, on
 * Zen 5; git blame has the table). The same loops are NEON's.
 */
#pragma once

#include "daemon/base/rt.h"

#include <stdbool.h>

#define PANEL 16 /* outputs that lie side by side in the forward order of weights */

/* Rows of ld floats each. */
struct matrix {
    float *v;
    int ld;
};

/*
 * The floats a row of n columns takes where kernels load and store it by whole vectors: rounded up
 * to panels, and one panel more, so that a column of rows does not fall onto the same cache lines.
 */
int matrix_stride(int n);

/* One dense layer: w [out,in], b [out]; and the same w once more in the order that forward reads:
 * panels [ceil(out / PANEL)][w.ld][PANEL], 0 where there is no output. */
struct layer {
    int in, out;
    struct matrix w;
    const float *b, *panels;
    float *scratch; /* the caller's own, if the kernel asks for any */
};

/* What products are made of. Sums, weights and all that is elementwise are float in any case. */
enum precision { PRECISION_FP32, PRECISION_BF16 };

/* For option tables: the names of enum precision. */
extern const char *const precision_names[];

/* Place in kernel_names of the choice that is left to the machine. */
enum { KERNEL_AUTO };

/* Of layer normalisation; epsilon is torch's. */
#define NORM_EPS ((float)1e-5)

struct norm {
    const float *gain, *bias;
};

/* Constants of one step of Adam: step = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t). */
struct adam_pass {
    float beta1, beta2, eps, step, root;
};

struct kernel {
    const char *name;
    bool (*usable)(void); /* on this processor */
    enum precision precision;
    bool shares; /* two threads may call it at once, and a job cut in two gives the same bits */

    /* Floats of scratch for the three products of a layer, with up to so many rows; NULL: none. */
    int (*scratch)(int rows, int in, int out);

    /* y [n,out] = x W' + b, and 0 where that is negative if relu. x [n,in]; y's rows have
     * matrix_stride(out) floats, or exactly out. */
    void (*forward)(const struct layer *l, struct matrix x, int n, bool relu, struct matrix y);

    /* dw [out,in] = dy' x, db [out] = sum of dy's rows. x's rows have matrix_stride(in) floats. */
    void (*backward_weights)(const struct layer *l, struct matrix dy, struct matrix x, int n,
                             float *dw, float *db);

    /* dx [n,in] = dy W; with x given (x.v not NULL) 0 where x is not positive: ReLU's derivative.
     * x's rows have matrix_stride(in) floats, dx's the same or exactly in. */
    void (*backward_input)(const struct layer *l, struct matrix dy, int n, struct matrix x,
                           struct matrix dx);

    /* w [out,in] into panels. */
    void (*panels)(int in, int out, const float *w, float *ret_panels);

    /* m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
     * w <- w - step m / (root sqrt(v) + eps). [n] each */
    void (*adam)(int n, const struct adam_pass *c, const float *g, float *m, float *v, float *w);

    /* target <- target + tau (w - target). [n] each */
    void (*blend)(int n, float tau, const float *w, float *target);

    /* One row, the tick's path: y [out rounded up to PANEL] = x W' + b out of panels of a packed
     * network, and 0 where that is negative if relu. NULL: this one only learns. */
    void (*row)(const float *panels, const float *b, const float *x, int in, int out, bool relu,
                float *ret_y) BASAL_RT;

    /*
     * Layer normalisation of one row [n] (layernorm.h has the equations): xhat and y = gain xhat +
     * bias, 0 where that is negative if relu; returns 1 / its deviation. xhat and y may be x.
     */
    float (*norm)(int n, const struct norm *norm, bool relu, const float *x, float *ret_xhat,
                  float *ret_y) BASAL_RT;
    /* dL/dx of a row from dL/dy, its xhat and 1 / its deviation. */
    void (*norm_backward)(int n, const float *gain, const float *xhat, float inv_std,
                          const float *dy, float *ret_dx);
    /* dgain = sum of dy xhat, dbias = sum of dy over n rows, each [columns]. */
    void (*norm_weights)(int columns, int n, struct matrix dy, struct matrix xhat, float *ret_dgain,
                         float *ret_dbias);

    /* Elementwise, [n] each; y may be x. Errors: kernel_math.h. */
    void (*exp)(int n, const float *x, float *ret_y);
    void (*tanh)(int n, const float *x, float *ret_y) BASAL_RT;
    void (*softplus)(int n, const float *x, float *ret_y); /* log(1 + exp x) */
    /* Box and Muller 1958: u [n] in (0,1] and v [n] in [0,1) become 2 n standard normals. */
    void (*normal)(int n, const float *u, const float *v, float *ret_z);
};

/* All that were built, best first, NULL at the end; the best that this processor can run in float;
 * and the best in a given precision, or NULL. */
extern const struct kernel *const kernels[];
const struct kernel *kernel_best(void) BASAL_RT;
const struct kernel *kernel_of(enum precision precision) BASAL_RT;
/* By name; NULL: unknown, not built, or not usable here. */
const struct kernel *kernel_find(const char *name);
/* For option tables: KERNEL_AUTO, then all that any machine may have. */
extern const char *const kernel_names[];
/* Those that this processor can run, with commas between. */
void kernel_list(char *ret_text, int cap);
