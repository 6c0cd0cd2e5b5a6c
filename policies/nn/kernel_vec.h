/*
 * One vector of LANES floats, LANES a divisor of PANEL: GCC's and Clang's vector types, and in
 * intrinsics what those cannot say: the first n numbers of a vector, roots.
 */
#pragma once

#include "policies/nn/kernel.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if LANES >= 8
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

INLINE vec load(const float *p)
{
    return *(const vec *)p;
}

INLINE void put(float *p, vec y)
{
    *(vec *)p = y;
}

/* y where the other is positive, else 0. */
INLINE vec positive(vec y, vec where)
{
    return (vec)((ivec)y & (ivec)(where > 0.0f));
}

/* x where it is positive, else 0, also for NaN: of a maximum with NaN x86 gives the second. */
INLINE vec relu_of(vec x)
{
#if LANES == 16
    return (vec)_mm512_max_ps((__m512)x, _mm512_setzero_ps());
#elif LANES == 8
    return (vec)_mm256_max_ps((__m256)x, _mm256_setzero_ps());
#else
    return positive(x, x);
#endif
}

/* The first n numbers at p, n > 0, and 0 for the others; more than LANES are LANES. Nothing else is
 * touched. */
#if LANES == 16
INLINE __mmask16 first(int n)
{
    return _cvtu32_mask16(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

INLINE vec get_some(const float *p, int n)
{
    return (vec)_mm512_maskz_loadu_ps(first(n), p);
}

INLINE void put_some(float *p, vec y, int n)
{
    _mm512_mask_storeu_ps(p, first(n), (__m512)y);
}

INLINE vec root_of(vec x)
{
    return (vec)_mm512_sqrt_ps((__m512)x);
}
#elif LANES == 8
INLINE __m256i first(int n)
{
    const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (__m256i)(lane < n);
}

INLINE vec get_some(const float *p, int n)
{
    return (vec)_mm256_maskload_ps(p, first(n));
}

INLINE void put_some(float *p, vec y, int n)
{
    _mm256_maskstore_ps(p, first(n), (__m256)y);
}

INLINE vec root_of(vec x)
{
    return (vec)_mm256_sqrt_ps((__m256)x);
}
#else
INLINE vec get_some(const float *p, int n)
{
    vec x = {0};
    for (int j = 0; j < LANES && j < n; j++) {
        x[j] = p[j];
    }
    return x;
}

INLINE void put_some(float *p, vec y, int n)
{
    for (int j = 0; j < LANES && j < n; j++) {
        p[j] = y[j];
    }
}

INLINE vec root_of(vec x)
{
    UNROLL for (int j = 0; j < LANES; j++)
    {
        x[j] = sqrtf(x[j]);
    }
    return x;
}
#endif

/*
 * Transpose LANES x LANES numbers: blocks of h x h change places, h = LANES/2 ... 1. Of two rows h
 * apart, LOW h takes what stays or comes up, HIGH h what goes down or stays.
 */
/* clang-format off */
#if LANES == 16
#define LOW8(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define HIGH8(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define LOW4(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define HIGH4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define LOW2(a, b)  __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define LOW1(a, b)  __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#elif LANES == 8
#define LOW4(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#define LOW2(a, b)  __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW1(a, b)  __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#elif LANES == 4
#define LOW2(a, b)  __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#define LOW1(a, b)  __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#endif
/* clang-format on */

#define SWAP_BLOCKS(t, h)                                                                          \
    UNROLL for (int i = 0; i < LANES; i++)                                                         \
    {                                                                                              \
        if ((i & (h)) == 0) {                                                                      \
            const vec a = (t)[i], b = (t)[i + (h)];                                                \
            (t)[i] = LOW##h(a, b);                                                                 \
            (t)[i + (h)] = HIGH##h(a, b);                                                          \
        }                                                                                          \
    }

/* The sums of LANES vectors, each into its lane: two halves of two rows at a time. t is used up. */
#define FOLD(t, h)                                                                                 \
    UNROLL for (int i = 0; i < (h); i++)                                                           \
    {                                                                                              \
        (t)[i] = LOW##h((t)[i], (t)[i + (h)]) + HIGH##h((t)[i], (t)[i + (h)]);                     \
    }

INLINE vec lane_sums(vec t[LANES])
{
#if LANES == 16
    FOLD(t, 8)
#endif
#if LANES >= 8
    FOLD(t, 4)
#endif
    FOLD(t, 2)
    FOLD(t, 1)
    return t[0];
}

INLINE void transpose(vec t[LANES])
{
#if LANES == 16
    SWAP_BLOCKS(t, 8)
#endif
#if LANES >= 8
    SWAP_BLOCKS(t, 4)
#endif
    SWAP_BLOCKS(t, 2)
    SWAP_BLOCKS(t, 1)
}
