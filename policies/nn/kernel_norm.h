/* Layer normalisation in vectors; included by the kernels that have vectors. Of a row that is no
 * whole vectors the rest is done one by one. */
#include "policies/nn/kernel.h"

#define CHAINS_NORM 4 /* sums that do not wait for each other */

/* Of all lanes of all chains, in one order. */
INLINE float total(const vec part[CHAINS_NORM])
{
    float lane[LANES];
    put(lane, (part[0] + part[1]) + (part[2] + part[3]));
    UNROLL for (int h = LANES / 2; h > 0; h /= 2)
    {
        UNROLL for (int j = 0; j < h; j++)
        {
            lane[j] += lane[j + h];
        }
    }
    return lane[0];
}

static float norm_mean(int n, const float *x)
{
    vec part[CHAINS_NORM] = {{0}};
    float rest = 0.0f;
    int j = 0;
    for (; j + CHAINS_NORM * LANES <= n; j += CHAINS_NORM * LANES) {
        UNROLL for (int c = 0; c < CHAINS_NORM; c++)
        {
            part[c] += load(x + j + c * LANES);
        }
    }
    for (; j + LANES <= n; j += LANES) {
        part[0] += load(x + j);
    }
    for (; j < n; j++) {
        rest += x[j];
    }
    return (total(part) + rest) / (float)n;
}

static float norm_inv_std(int n, const float *x, float mean)
{
    vec part[CHAINS_NORM] = {{0}};
    float rest = 0.0f;
    int j = 0;
    for (; j + CHAINS_NORM * LANES <= n; j += CHAINS_NORM * LANES) {
        UNROLL for (int c = 0; c < CHAINS_NORM; c++)
        {
            const vec d = load(x + j + c * LANES) - mean;
            part[c] += d * d;
        }
    }
    for (; j + LANES <= n; j += LANES) {
        const vec d = load(x + j) - mean;
        part[0] += d * d;
    }
    for (; j < n; j++) {
        rest += (x[j] - mean) * (x[j] - mean);
    }
    return 1.0f / sqrtf((total(part) + rest) / (float)n + NORM_EPS);
}

static float norm(int n, const struct norm *w, bool relu, const float *x, float *ret_xhat,
                  float *ret_y)
{
    const float mean = norm_mean(n, x), inv_std = norm_inv_std(n, x, mean);
    int j = 0;
    for (; j + LANES <= n; j += LANES) {
        const vec xhat = (load(x + j) - mean) * inv_std;
        const vec y = load(w->gain + j) * xhat + load(w->bias + j);
        put(ret_xhat + j, xhat);
        put(ret_y + j, relu ? positive(y, y) : y);
    }
    for (; j < n; j++) {
        const float xhat = (x[j] - mean) * inv_std, y = w->gain[j] * xhat + w->bias[j];
        ret_xhat[j] = xhat;
        ret_y[j] = relu && y < 0.0f ? 0.0f : y;
    }
    return inv_std;
}

static void norm_backward(int n, const float *gain, const float *xhat, float inv_std,
                          const float *dy, float *ret_dx)
{
    vec part[CHAINS_NORM] = {{0}}, along[CHAINS_NORM] = {{0}};
    float rest = 0.0f, rest_along = 0.0f;
    int j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        UNROLL for (int c = 0; c < 2; c++)
        {
            const vec t = load(gain + j + c * LANES) * load(dy + j + c * LANES);
            part[c] += t;
            along[c] += t * load(xhat + j + c * LANES);
        }
    }
    for (; j < n; j++) {
        const float t = gain[j] * dy[j];
        rest += t;
        rest_along += t * xhat[j];
    }
    const float mean = (total(part) + rest) / (float)n;
    const float slope = (total(along) + rest_along) / (float)n;
    for (j = 0; j + LANES <= n; j += LANES) {
        const vec t = load(gain + j) * load(dy + j);
        put(ret_dx + j, (t - mean - load(xhat + j) * slope) * inv_std);
    }
    for (; j < n; j++) {
        ret_dx[j] = (gain[j] * dy[j] - mean - xhat[j] * slope) * inv_std;
    }
}

/* A vector of columns at a time, rows two by two. */
static void norm_weights(int columns, int n, struct matrix dy, struct matrix xhat, float *ret_dgain,
                         float *ret_dbias)
{
    for (int o = 0; o < columns; o += LANES) {
        const int here = columns - o < LANES ? columns - o : LANES;
        const float *d = dy.v + o, *x = xhat.v + o;
        vec gain[2] = {{0}}, bias[2] = {{0}};
        int i = 0;
        for (; i + 2 <= n; i += 2) {
            UNROLL for (int c = 0; c < 2; c++, d += dy.ld, x += xhat.ld)
            {
                const vec di = get_some(d, here);
                gain[c] += di * get_some(x, here);
                bias[c] += di;
            }
        }
        if (i < n) {
            const vec di = get_some(d, here);
            gain[0] += di * get_some(x, here);
            bias[0] += di;
        }
        put_some(ret_dgain + o, gain[0] + gain[1], here);
        put_some(ret_dbias + o, bias[0] + bias[1], here);
    }
}
