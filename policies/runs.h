/*
 * Rows of a batch as runs of consecutive steps: a run ends after k of them, where an episode ends,
 * and where the batch does. Who goes back in time takes the last rows of all runs first, then those
 * before them.
 */
#pragma once

#include "policies/policy.h"

struct runs {
    int n;       /* rows of the batch */
    int *to_end; /* [B]: steps from each row to the last of its run; -1: padding */
    float *coef; /* [B]: rho gamma^t of each row, t steps from the first of its run */
    int *row;    /* [B]: those of the last runs_at */
};

void runs_init(struct runs *ret_runs, int rows, struct arena *mem);

/*
 * Cut a batch into runs of at most k steps, rho being the product of those of its rows (rho [n]),
 * but at most `most` (0: any). Returns how many there are.
 */
int runs_cut(struct runs *z, const struct batch *b, int k, const float *rho, float most);

/* Which rows are so many steps before the end of their runs: how many, in z->row. */
int runs_at(struct runs *z, int to_end);

bool batch_is_padding(const struct batch *b, int i);
