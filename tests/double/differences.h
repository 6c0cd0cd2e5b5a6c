/*
 * What gradient checks share: networks and draws by plain loops, apart from the code under test,
 * and finite differences of a loss.
 *
 *   f'(x) = ( 8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h)) ) / 12 h + O(h^4)
 */
#pragma once

#include "policies/nn/mlp.h"

#define STEP 1e-4

/* Fold one more decision (a ReLU on or off, which of two is less) into the pattern. */
static inline void decide(uint64_t *ret_pattern, bool yes)
{
    *ret_pattern = (*ret_pattern ^ (yes ? 2u : 1u)) * UINT64_C(0x100000001b3);
}

/* Ba et al. 2016, equations 3 and 4, for y [n]; gain and bias [n] lie one after the other. */
static inline void plain_layer_norm(double *y, int n, const double *gain_bias)
{
    double mean = 0.0, variance = 0.0;
    for (int j = 0; j < n; j++) {
        mean += y[j] / n;
    }
    for (int j = 0; j < n; j++) {
        variance += (y[j] - mean) * (y[j] - mean) / n;
    }
    for (int j = 0; j < n; j++) {
        y[j] = gain_bias[j] * (y[j] - mean) / sqrt(variance + 1e-5) + gain_bias[n + j];
    }
}

/* One row: x [in] -> ret_y [out]; which ReLUs were on goes into the pattern. keep[l] [out]: what
 * dropout multiplied the sums of hidden layer l with; NULL: there is none. */
static inline void plain_mlp_kept(const struct mlp_shape *s, const double *w,
                                  const double *const *keep, const double *x, double *ret_y,
                                  uint64_t *ret_pattern)
{
    double now[64], next[64];
    memcpy(now, x, (size_t)s->width[0] * sizeof *now);
    for (int l = 0; l < s->n_layers; l++) {
        const int in = s->width[l], out = s->width[l + 1];
        for (int j = 0; j < out; j++) {
            double y = w[out * in + j];
            for (int i = 0; i < in; i++) {
                y += w[j * in + i] * now[i];
            }
            next[j] = keep != NULL && l + 1 < s->n_layers ? y * keep[l][j] : y;
        }
        w += out * (in + 1);
        if (l + 1 < s->n_layers && s->layer_norm) {
            plain_layer_norm(next, out, w);
            w += 2 * out;
        }
        for (int j = 0; j < out; j++) {
            const bool relu = l + 1 < s->n_layers && s->activation == ACTIVATION_RELU;
            if (relu) {
                decide(ret_pattern, next[j] > 0.0);
            }
            now[j] = l + 1 == s->n_layers ? next[j]
                     : !relu              ? tanh(next[j])
                     : next[j] > 0.0      ? next[j]
                                          : 0.0;
        }
    }
    memcpy(ret_y, now, (size_t)s->width[s->n_layers] * sizeof *now);
}

static inline void plain_mlp(const struct mlp_shape *s, const double *w, const double *x,
                             double *ret_y, uint64_t *ret_pattern)
{
    plain_mlp_kept(s, w, NULL, x, ret_y, ret_pattern);
}

/* One row y = mu [A], log sigma [A], held in [-20, 2]: a = tanh(mu + sigma eps) and log pi by the
 * textbook's formula: log N(u; mu, sigma) - sum log(1 - tanh^2 u), which is 1 / cosh^2 u. */
static inline void plain_squash(const double *y, int n_act, const double *eps, double *ret_a,
                                double *ret_logp, uint64_t *ret_pattern)
{
    *ret_logp = 0.0;
    for (int k = 0; k < n_act; k++) {
        const double raw = y[n_act + k], log_std = fmin(fmax(raw, -20.0), 2.0);
        decide(ret_pattern, raw == log_std);
        const double sigma = exp(log_std), u = y[k] + sigma * eps[k], z = (u - y[k]) / sigma;
        ret_a[k] = tanh(u);
        *ret_logp += -0.5 * z * z - log_std - 0.5 * log(2.0 * acos(-1.0)) + 2.0 * log(cosh(u));
    }
}

/* The same of what a network's last layer gives. */
static inline void plain_gauss(const struct mlp_shape *s, const double *w, const double *obs,
                               const double *eps, double *ret_a, double *ret_logp,
                               uint64_t *ret_pattern)
{
    double y[64];
    plain_mlp(s, w, obs, y, ret_pattern);
    plain_squash(y, s->width[s->n_layers] / 2, eps, ret_a, ret_logp, ret_pattern);
}

/* n standard normals as an update draws them: in blocks of 128 (the last as many as are left), of
 * which the first half are the cosines and the second the sines of the same numbers, one random
 * word each: 24 bits of radius, 24 of angle. */
static inline void plain_normals(struct rng *r, int n, double *ret_z)
{
    for (int from = 0; from < n; from += 128) {
        const int left = n - from, half = left < 128 ? (left + 1) / 2 : 64;
        for (int i = 0; i < half; i++) {
            const uint64_t word = rng_u64(r);
            const double u = ((double)(word >> 40) + 1.0) / 16777216.0;
            const double turn = 2.0 * acos(-1.0) * (double)(word & 0xffffff) / 16777216.0;
            ret_z[from + i] = sqrt(-2.0 * log(u)) * cos(turn);
            if (half + i < left) {
                ret_z[from + half + i] = sqrt(-2.0 * log(u)) * sin(turn);
            }
        }
    }
}

/*
 * Hold g [n] against differences of the loss by x [n]: |g - d| / max(1e-6, |g| + |d|) < 1e-6; 1e-6
 * x 1e-6 is what rounding leaves of a loss around 1. Where the pattern changes within the step
 * there is a kink and no derivative: left out, at most one in ten.
 */
static inline void check_differences(const char *what, double *x, int n, const double *g,
                                     double (*loss)(void *self, uint64_t *ret_pattern), void *self)
{
    static const double at[] = {1.0, -1.0, 2.0, -2.0};
    int left_out = 0, not_zero = 0;
    for (int i = 0; i < n; i++) {
        const double x0 = x[i];
        double f[4];
        uint64_t here = 0, there[4] = {0};
        (void)loss(self, &here);
        bool smooth = true;
        for (int k = 0; k < 4; k++) {
            x[i] = x0 + at[k] * STEP;
            f[k] = loss(self, &there[k]);
            smooth = smooth && there[k] == here;
        }
        x[i] = x0;
        if (!smooth) {
            left_out++;
            continue;
        }
        const double d = (8.0 * (f[0] - f[1]) - (f[2] - f[3])) / (12.0 * STEP);
        if (!(fabs(g[i] - d) < 1e-6 * fmax(1e-6, fabs(g[i]) + fabs(d)))) {
            fail_msg("%s: d/dx[%d] is %.12g, by differences %.12g", what, i, g[i], d);
        }
        not_zero += d != 0.0;
    }
    if (left_out > n / 10) {
        fail_msg("%s: %d of %d have a kink", what, left_out, n);
    }
    assert_true(4 * not_zero >= n); /* dead networks prove nothing */
}
