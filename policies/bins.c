#include "policies/bins.h"

#include "daemon/base/hash.h"

#include <errno.h>
#include <math.h>

static int check_list(const char *key, int n, int n_obs, char *ret_why, int cap)
{
    if (n == 1 || n == n_obs) {
        return 0;
    }
    return why(ret_why, cap, -EINVAL,
               "policy.%s has %d numbers, the task has %d observations: give one for each, or one "
               "for all",
               key, n, n_obs);
}

static int check(const struct bins_settings *c, int n_obs, char *ret_why, int cap)
{
    if (n_obs < 1 || n_obs > BINS_DIMS_MAX) {
        return why(ret_why, cap, -EINVAL, "policy.bins: %d observations, 1 to %d can be cut", n_obs,
                   BINS_DIMS_MAX);
    }
    if ((c->n_min == 0) != (c->n_max == 0)) {
        return why(ret_why, cap, -EINVAL, "policy.bins_min and bins_max must both be given or []");
    }
    int rc = check_list("bins", c->n_bins, n_obs, ret_why, cap);
    if (c->n_min > 0) {
        rc = rc == 0 ? check_list("bins_min", c->n_min, n_obs, ret_why, cap) : rc;
        rc = rc == 0 ? check_list("bins_max", c->n_max, n_obs, ret_why, cap) : rc;
    }
    return rc;
}

int bins_make(const struct bins_settings *c, int n_obs, int64_t cells_max, struct bins *ret_bins,
              char *ret_why, int cap)
{
    struct bins b = {.n = n_obs};
    int64_t cells = 1;
    const int rc = check(c, n_obs, ret_why, cap);
    if (rc < 0) {
        return rc;
    }
    for (int k = 0; k < n_obs; k++) {
        b.count[k] = c->bins[c->n_bins > 1 ? k : 0];
        b.min[k] = c->n_min > 0 ? c->min[c->n_min > 1 ? k : 0] : -0.5;
        const double max = c->n_max > 0 ? c->max[c->n_max > 1 ? k : 0] : b.count[k] - 0.5;
        b.width[k] = max - b.min[k];
        if (!(b.width[k] > 0.0)) {
            return why(ret_why, cap, -EINVAL,
                       "policy.bins_max %g of observation %d must be above bins_min %g", max, k,
                       b.min[k]);
        }
        cells *= b.count[k];
        if (cells > cells_max) {
            return why(ret_why, cap, -EINVAL,
                       "policy.bins: the first %d of %d observations make %lld cells, %lld are "
                       "possible: give fewer bins",
                       k + 1, n_obs, (long long)cells, (long long)cells_max);
        }
    }
    b.cells = (int)cells;
    *ret_bins = b;
    return 0;
}

uint32_t bins_id(const struct bins *b)
{
    const size_t n = (size_t)b->n;
    uint64_t hash = hash_fnv1a(HASH_START, b->count, n * sizeof b->count[0]);
    hash = hash_fnv1a(hash, b->min, n * sizeof b->min[0]);
    hash = hash_fnv1a(hash, b->width, n * sizeof b->width[0]);
    return (uint32_t)(hash ^ hash >> 32);
}

double bins_place(const struct bins *b, int k, float x)
{
    const double at = ((double)x - b->min[k]) * b->count[k] / b->width[k];
    return at > 0.0 ? fmin(at, b->count[k]) : 0.0; /* what is no number is in the first */
}

int bins_cell(const struct bins *b, const float *obs)
{
    int cell = 0;
    for (int k = 0; k < b->n; k++) {
        const int bin = (int)bins_place(b, k, obs[k]);
        cell = cell * b->count[k] + (bin < b->count[k] ? bin : b->count[k] - 1);
    }
    return cell;
}
