#include "policies/fixed.h"

#include <errno.h>

struct fixed {
    int n_act;
};

void *fixed_init(const void *config, const struct dims *d, struct arena *mem, struct rng *rng)
{
    (void)config;
    (void)rng;
    struct fixed *z = arena_take(mem, sizeof *z);
    z->n_act = d->n_act;
    return z;
}

void fixed_update(void *learner, const struct batch *b, struct stats *ret_stats)
{
    (void)learner;
    (void)b;
    (void)ret_stats;
}

int fixed_save(const void *learner, float *ret_w, int n_max)
{
    const struct fixed *z = learner;
    if (n_max < 1) {
        return -ENOSPC;
    }
    ret_w[0] = (float)z->n_act;
    return 1;
}

int fixed_state(void *learner, struct tensor *ret_tensors, int n_max)
{
    (void)learner;
    (void)ret_tensors;
    (void)n_max;
    return 0;
}

int fixed_pack(const void *config, const struct dims *d, const float *w, int n, float *ret_packed,
               int n_max)
{
    (void)config;
    if (n != 1 || n_max < 1 || w[0] != (float)d->n_act) {
        return -EPROTO;
    }
    ret_packed[0] = w[0];
    return 1;
}
