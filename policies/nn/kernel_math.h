/*
 * exp, tanh, softplus and normal draws in vectors; included by the kernels that have vectors.
 *
 * Polynomials are minimax fits of our own (weighted least squares at Chebyshev nodes, Lawson's
 * iteration), each over the interval beside it. Errors against the exact value, over all floats in
 * the stated range, are tested: exp 1.5 ulp, tanh 2.5 ulp, softplus 3 ulp.
 */
#include "policies/nn/kernel_vec.h"

#define EXP_LOW  (-87.3f) /* below: 0 is near enough; e^-87.3 is the last normal number */
#define EXP_HIGH 88.3f
#define ROUND    12582912.0f  /* 1.5 2^23: adding it leaves a whole number in the low bits */
#define LN_2_HI  0.693359375f /* so few bits that k LN_2_HI is exact */
#define LN_2_LO  (-2.12194440e-4f)
#define LOG_2_E  1.44269504f

INLINE vec all(float x)
{
    return (vec){0} + x;
}

INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

INLINE vec bounded(vec x, float low, float high)
{
    x = choose(x > low, x, all(low)); /* NaN becomes low: exp of it is 0 */
    return choose(x < high, x, all(high));
}

INLINE vec magnitude(vec x)
{
    return (vec)((ivec)x & 0x7fffffff);
}

INLINE vec with_sign_of(vec x, vec sign)
{
    return (vec)((ivec)x | ((ivec)sign & (int32_t)0x80000000));
}

/* e^x = 2^k e^r, |r| <= log 2 / 2, e^r = 1 + r + r^2 P(r) */
INLINE vec exp_of(vec x)
{
    x = bounded(x, EXP_LOW, EXP_HIGH);
    const vec shifted = x * LOG_2_E + ROUND;
    const vec k = shifted - ROUND;
    const vec r = (x - k * LN_2_HI) - k * LN_2_LO;
    vec p = all(1.381446476e-03f);
    p = p * r + 8.368780623e-03f;
    p = p * r + 4.166839426e-02f;
    p = p * r + 1.666652011e-01f;
    p = p * r + 4.999999341e-01f;
    p = p * (r * r) + r + 1.0f;
    return (vec)((ivec)p + ((ivec)shifted << 23)); /* the low bits of shifted are k */
}

/* |x| < 5/8: x + x^3 P(x^2); else 1 - 2 / (e^2|x| + 1), signed */
INLINE vec tanh_of(vec x)
{
    const vec z = x * x, large = magnitude(x);
    vec p = all(-5.716281716e-03f);
    p = p * z + 2.064993474e-02f;
    p = p * z - 5.374330824e-02f;
    p = p * z + 1.333148915e-01f;
    p = p * z - 3.333328385e-01f;
    const vec far = 1.0f - 2.0f / (exp_of(large + large) + 1.0f);
    return choose(large < 0.625f, x + x * (z * p), with_sign_of(far, x));
}

/* log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x|; log(1 + t) = 2 atanh s, s = t / (2 + t) */
INLINE vec softplus_of(vec x)
{
    const vec t = exp_of(-magnitude(x)), s = t / (2.0f + t), z = s * s;
    vec p = all(1.401564023e-01f);
    p = p * z + 1.399893099e-01f;
    p = p * z + 2.001088502e-01f;
    p = p * z + 3.333320602e-01f;
    const vec log1p = 2.0f * (s + s * (z * p));
    return positive(x, x) + log1p;
}

/* log of a positive normal number: exponent, and 2 atanh((m - 1) / (m + 1)), m in [1/sqrt 2, sqrt
 * 2] */
INLINE vec log_of(vec x)
{
    const ivec bits = (ivec)x - 0x3f3504f3; /* 1/sqrt 2 */
    const ivec e = bits >> 23;
    const vec m = (vec)((bits & 0x007fffff) + 0x3f3504f3);
    const vec k = __builtin_convertvector(e, vec);
    const vec s = (m - 1.0f) / (m + 1.0f), z = s * s;
    vec p = all(1.493686310e-01f);
    p = p * z + 1.998873660e-01f;
    p = p * z + 3.333338844e-01f;
    return k * LN_2_HI + (2.0f * (s + s * (z * p)) + k * LN_2_LO);
}

/* cos and sin of 2 pi v, v in [0, 1): to the nearest quarter turn, then r = v - q/4, |r| <= 1/8 */
INLINE void turn_of(vec v, vec *ret_cos, vec *ret_sin)
{
    const vec shifted = v * 4.0f + ROUND;
    const vec r = v - (shifted - ROUND) * 0.25f, z = r * r;
    const ivec q = (ivec)shifted;
    vec s = all(-7.540077450e+01f), c = all(5.924497082e+01f);
    s = s * z + 8.159252827e+01f;
    s = s * z - 4.134166251e+01f;
    s = r * (s * z + 6.283185288e+00f);
    c = c * z - 8.544371563e+01f;
    c = c * z + 6.493932627e+01f;
    c = (c * z - 1.973920869e+01f) * z + 1.0f;
    const ivec swap = (q & 1) != 0;
    const ivec flip_cos = ((q + 1) & 2) << 30, flip_sin = (q & 2) << 30;
    *ret_cos = (vec)((ivec)choose(swap, s, c) ^ flip_cos);
    *ret_sin = (vec)((ivec)choose(swap, c, s) ^ flip_sin);
}

/* Whole vectors, and a last one of what is left. */
#define ELEMENTWISE(name, of)                                                                      \
    static void name(int n, const float *x, float *ret_y)                                          \
    {                                                                                              \
        int i = 0;                                                                                 \
        for (; i + LANES <= n; i += LANES) {                                                       \
            put(ret_y + i, of(load(x + i)));                                                       \
        }                                                                                          \
        if (i < n) {                                                                               \
            put_some(ret_y + i, of(get_some(x + i, n - i)), n - i);                                \
        }                                                                                          \
    }

ELEMENTWISE(exp_all, exp_of)
ELEMENTWISE(tanh_all, tanh_of)
ELEMENTWISE(softplus_all, softplus_of)

static void normal_all(int n, const float *u, const float *v, float *ret_z)
{
    for (int i = 0; i < n; i += LANES) {
        vec c, s;
        turn_of(get_some(v + i, n - i), &c, &s);
        const vec radius = root_of(-2.0f * log_of(get_some(u + i, n - i)));
        put_some(ret_z + i, radius * c, n - i);
        put_some(ret_z + n + i, radius * s, n - i);
    }
}
