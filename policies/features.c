#include "policies/features.h"

#include <errno.h>
#include <math.h>

const char *const features_names[] = {"identity", "one_hot", "tiles", "polynomial", "radial", NULL};

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many there are; past limit it does not matter how many. */
static int64_t count(const struct features *f, int64_t limit)
{
    int64_t n = f->kind == FEATURES_TILES ? f->n_tilings : 1;
    for (int k = 0; k < f->bins.n && n <= limit; k++) {
        n *= f->kind == FEATURES_TILES        ? f->bins.count[k] + 1 /* shifted, they reach over */
             : f->kind == FEATURES_POLYNOMIAL ? f->degree + 1
                                              : f->bins.count[k];
    }
    return n;
}

int features_make(const struct features_settings *c, int n_obs, int64_t n_max,
                  struct features *ret_features, char *ret_why, int cap)
{
    struct features f = {.kind = c->kind,
                         .n_tilings = c->n_tilings,
                         .degree = c->degree,
                         .radial_width = c->radial_width};
    const bool sparse = c->kind == FEATURES_ONE_HOT || c->kind == FEATURES_TILES;
    const int64_t limit = sparse ? n_max : min_of(n_max, FEATURES_ACTIVE_MAX);
    int64_t n = n_obs;
    if (c->kind != FEATURES_IDENTITY) {
        struct bins_settings bins = c->bins;
        if (c->kind == FEATURES_POLYNOMIAL) { /* wants the range, not bins of it */
            bins.n_bins = bins.bins[0] = 1;
        }
        const int rc = bins_make(&bins, n_obs, INT32_MAX, &f.bins, ret_why, cap);
        if (rc < 0) {
            return rc;
        }
        n = count(&f, limit);
    }
    if (n > limit) {
        return why(ret_why, cap, -EINVAL,
                   "policy.features: %s of %d observations are more than %lld: give fewer bins, a "
                   "lower degree or fewer tilings",
                   features_names[c->kind], n_obs, (long long)limit);
    }
    f.n = (int)n;
    if (c->kind == FEATURES_IDENTITY) {
        f.bins.n = n_obs;
    }
    *ret_features = f;
    return 0;
}

/* The tile of each grid that the observation is in. */
static void tiles_of(const struct features *f, const float *obs, struct active *ret_active)
{
    const int tiles = f->n / f->n_tilings;
    for (int t = 0; t < f->n_tilings; t++) {
        int tile = 0;
        for (int k = 0; k < f->bins.n; k++) {
            const double shift = (double)(t * (2 * k + 1) % f->n_tilings) / f->n_tilings;
            tile = tile * (f->bins.count[k] + 1) + (int)(bins_place(&f->bins, k, obs[k]) + shift);
        }
        ret_active->index[t] = t * tiles + tile;
        ret_active->value[t] = 1.0;
    }
    ret_active->n = f->n_tilings;
}

/* Feature i is prod_k x_k^c_k, where the c are the digits of i. */
static void powers_of(const struct features *f, const float *obs, struct active *ret_active)
{
    int n = 1;
    ret_active->value[0] = 1.0;
    for (int k = 0; k < f->bins.n; k++) {
        const double x = 2.0 * bins_place(&f->bins, k, obs[k]) / f->bins.count[k] - 1.0;
        for (int i = n; i < n * (f->degree + 1); i++) {
            ret_active->value[i] = ret_active->value[i - n] * x;
        }
        n *= f->degree + 1;
    }
}

/* Feature i is exp(-|u - u_i|^2 / (2 width^2)), u_i the middle of cell i. */
static void hills_of(const struct features *f, const float *obs, struct active *ret_active)
{
    for (int i = 0; i < f->n; i++) {
        double distance2 = 0.0;
        for (int k = f->bins.n - 1, rest = i; k >= 0; k--) {
            const double middle = rest % f->bins.count[k] + 0.5;
            const double d = bins_place(&f->bins, k, obs[k]) - middle;
            distance2 += d * d;
            rest /= f->bins.count[k];
        }
        ret_active->value[i] = exp(-0.5 * distance2 / (f->radial_width * f->radial_width));
    }
}

void features_of(const struct features *f, const float *obs, struct active *ret_active)
{
    if (f->kind == FEATURES_TILES) {
        tiles_of(f, obs, ret_active);
        return;
    }
    if (f->kind == FEATURES_ONE_HOT) {
        ret_active->n = 1;
        ret_active->index[0] = bins_cell(&f->bins, obs);
        ret_active->value[0] = 1.0;
        return;
    }
    ret_active->n = f->n;
    for (int i = 0; i < f->n; i++) {
        ret_active->index[i] = i;
        ret_active->value[i] = f->kind == FEATURES_IDENTITY ? (double)obs[i] : 0.0;
    }
    if (f->kind == FEATURES_POLYNOMIAL) {
        powers_of(f, obs, ret_active);
    } else if (f->kind == FEATURES_RADIAL) {
        hills_of(f, obs, ret_active);
    }
}
