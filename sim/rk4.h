/*
 * The classical Runge-Kutta method of fourth order: one step of dy/dt = f(y), what drives it held.
 *
 *   y <- y + h/6 (k1 + 2 k2 + 2 k3 + k4),  k1 = f(y), k2 = f(y + h/2 k1), k3 = f(y + h/2 k2),
 *                                          k4 = f(y + h k3)
 */
#pragma once

#define RK4_MAX 16 /* numbers in y */

typedef void rk4_slope(const void *self, const double *y, double *ret_dy);

/* y [n] is moved by h_s; n <= RK4_MAX. */
void rk4(rk4_slope *f, const void *self, double *y, int n, double h_s);
