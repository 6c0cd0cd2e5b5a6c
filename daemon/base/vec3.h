/*
 * Vectors and 3x3 matrices (row-major) of space, as the chain needs them. Outputs may not be
 * inputs, except where a function says so.
 */
#pragma once

/* ret = a x b */
static inline void vec3_cross(const double *a, const double *b, double *ret)
{
    ret[0] = a[1] * b[2] - a[2] * b[1];
    ret[1] = a[2] * b[0] - a[0] * b[2];
    ret[2] = a[0] * b[1] - a[1] * b[0];
}

static inline double vec3_dot(const double *a, const double *b)
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* y += s x; y may be x */
static inline void vec3_add(double s, const double *x, double *y)
{
    for (int i = 0; i < 3; i++) {
        y[i] += s * x[i];
    }
}

/* ret = R x */
static inline void vec3_turn(const double *r, const double *x, double *ret)
{
    for (int i = 0; i < 3; i++) {
        ret[i] = r[3 * i] * x[0] + r[3 * i + 1] * x[1] + r[3 * i + 2] * x[2];
    }
}

/* ret = R' x */
static inline void vec3_turn_back(const double *r, const double *x, double *ret)
{
    for (int i = 0; i < 3; i++) {
        ret[i] = r[i] * x[0] + r[3 + i] * x[1] + r[6 + i] * x[2];
    }
}

/* ret = A B */
static inline void mat3_times(const double *a, const double *b, double *ret)
{
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            ret[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
        }
    }
}

/* ret = S x, S symmetric: xx yy zz xy xz yz */
static inline void sym3_times(const double *s, const double *x, double *ret)
{
    ret[0] = s[0] * x[0] + s[3] * x[1] + s[4] * x[2];
    ret[1] = s[3] * x[0] + s[1] * x[1] + s[5] * x[2];
    ret[2] = s[4] * x[0] + s[5] * x[1] + s[2] * x[2];
}
