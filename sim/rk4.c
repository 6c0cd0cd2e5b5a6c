#include "sim/rk4.h"

/* ret = y + h k */
static void along(const double *y, const double *k, int n, double h, double *ret)
{
    for (int i = 0; i < n; i++) {
        ret[i] = y[i] + h * k[i];
    }
}

void rk4(rk4_slope *f, const void *self, double *y, int n, double h_s)
{
    double k1[RK4_MAX], k2[RK4_MAX], k3[RK4_MAX], k4[RK4_MAX], at[RK4_MAX];
    f(self, y, k1);
    along(y, k1, n, h_s / 2.0, at);
    f(self, at, k2);
    along(y, k2, n, h_s / 2.0, at);
    f(self, at, k3);
    along(y, k3, n, h_s, at);
    f(self, at, k4);
    for (int i = 0; i < n; i++) {
        y[i] += h_s / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
    }
}
