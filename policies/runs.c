#include "policies/runs.h"

#include <math.h>

void runs_init(struct runs *ret_runs, int rows, struct arena *mem)
{
    *ret_runs = (struct runs){.to_end = arena_take(mem, (size_t)rows * sizeof(int)),
                              .coef = arena_take(mem, (size_t)rows * sizeof(float)),
                              .row = arena_take(mem, (size_t)rows * sizeof(int))};
}

bool batch_is_padding(const struct batch *b, int i)
{
    return b->valid != NULL && b->valid[i] == 0;
}

/* The run of rows from..to */
static void measure(struct runs *z, const struct batch *b, int from, int to, const float *rho,
                    float most)
{
    float weight = 1.0f, discount = 1.0f;
    for (int i = from; i <= to; i++) {
        weight *= rho[i];
    }
    if (most > 0.0f) {
        weight = fminf(weight, most);
    }
    for (int i = from; i <= to; i++) {
        z->to_end[i] = to - i;
        z->coef[i] = weight * discount;
        discount *= b->g[i];
    }
}

int runs_cut(struct runs *z, const struct batch *b, int k, const float *rho, float most)
{
    int runs = 0;
    z->n = b->n;
    for (int i = 0, from = 0; i < b->n; i++) {
        if (batch_is_padding(b, i)) {
            z->to_end[i] = -1;
            z->coef[i] = 0.0f;
            from = i + 1;
        } else if (i + 1 - from == k || i + 1 == b->n || (b->last != NULL && b->last[i] != 0)) {
            measure(z, b, from, i, rho, most);
            from = i + 1;
            runs++;
        }
    }
    return runs;
}

int runs_at(struct runs *z, int to_end)
{
    int m = 0;
    for (int i = 0; i < z->n; i++) {
        if (z->to_end[i] == to_end) {
            z->row[m++] = i;
        }
    }
    return m;
}
