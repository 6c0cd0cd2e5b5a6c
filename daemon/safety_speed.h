/* How fast something may go towards a limit: what the filter's files share. */
#pragma once

#include <math.h>

static inline double clip(double x, double low, double high)
{
    return x < low ? low : (x > high ? high : x);
}

/*
 * v(d) = sqrt(a_b (a_b + a_in) T^2 + 2 a_b d) - (a_b + a_in) T, which solves
 * v T + a_in T^2 / 2 + (v + a_in T)^2 / (2 a_b) = d: for T = t it is still driven on with a_in,
 * then it brakes with a_b. Negative where only moving back keeps the limit, -infinity where nothing
 * surely does.
 */
static inline double speed_allowed(double d, double a_b, double a_in, double t)
{
    const double under = a_b * (a_b + a_in) * t * t + 2.0 * a_b * d;
    return under > 0.0 ? sqrt(under) - (a_b + a_in) * t : -HUGE_VAL;
}

static inline double speed_towards(double d, double a_b, double a_in, double t)
{
    return fmax(0.0, speed_allowed(d, a_b, a_in, t));
}
