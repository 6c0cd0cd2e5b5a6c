/* The points of two segments that are nearest to each other. */
#pragma once

#include "daemon/base/rt.h"

/*
 * a, b [2,3]: both ends of each, which may be the same point. ret_a, ret_b [3]: the nearest points;
 * of several pairs (parallel segments) one. Returns their distance.
 */
double segment_apart(const double *a, const double *b, double *ret_a, double *ret_b) BASAL_RT;
