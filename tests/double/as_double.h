/*
 * Forced before every file of policies/ when it is compiled a second time for gradient checks: what
 * is float there becomes double, so that finite differences can be held to 1e-6.
 *
 * System headers come first: their own floats must stay what they are. cblas.h may come later, its
 * sgemm then declares dgemm as dgemm is.
 */
#pragma once

#include <complex.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASAL_PORTABLE_ONLY /* vectors are of floats */

#define float double
#define cosf        cos
#define expf        exp
#define fabsf       fabs
#define fmaxf       fmax
#define fminf       fmin
#define log1pf      log1p
#define logf        log
#define powf        pow
#define sinf        sin
#define sqrtf       sqrt
#define tanhf       tanh
#define cblas_sgemm cblas_dgemm

/* A new function of one letter too many would quietly stay single. */
#pragma GCC poison acosf asinf atan2f atanf ceilf coshf exp2f expm1f floorf fmaf fmodf hypotf
#pragma GCC poison ldexpf log10f log2f roundf sinhf tanf truncf
