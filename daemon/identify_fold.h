/*
 * What least squares asks of a recorded motion, however long it is: a triangle for each joint.
 *
 * Of one joint: (Y tau) = Q R, its own rows alone. R [n + 1,n + 1] says all that is asked of them,
 * and they can come block after block, each folded into it by Householder's reflections. Golub and
 * Van Loan 2013, 5.3 and 6.5; Demmel, Grigori, Hoemmen and Langou 2012 (sequential TSQR).
 */
#pragma once

#include "daemon/identify.h"

#define FOLD_BLOCK 128 /* rows that are folded at once */

struct triangle {
    int n, rows, filled; /* parameters; rows in all; rows of the block that are new */
    double *a;           /* [n + 1 + FOLD_BLOCK,n + 1], column by column: R, then the block */
};

/* Row and column of R, and of the block below it. */
static inline double *triangle_cell(const struct triangle *t, int row, int at)
{
    return t->a + (size_t)at * (size_t)(t->n + 1 + FOLD_BLOCK) + row;
}

/*
 * The triangles [z->n] of all torques of joints that move. Memory is taken from mem. False: the
 * motion has numbers too large.
 */
bool identify_fold(const struct identify *z, const struct motion_record *m,
                   struct triangle *ret_triangle, struct arena *mem) BASAL_MUST_USE;
