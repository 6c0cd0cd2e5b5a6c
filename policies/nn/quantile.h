/*
 * Returns as n quantiles theta_i at tau_i = (2 i + 1) / 2 n, fitted to samples y_j of the target.
 *
 *   rho_tau(u) = |tau - 1[u < 0]| Huber_1(u),   u = y_j - theta_i
 *   loss = sum_i mean_j rho_tau_i(y_j - theta_i)
 *
 * Dabney et al. 2018, arXiv:1710.10044, equations 9 and 10.
 */
#pragma once

/* theta [n], y [m] -> the loss, and its derivative by theta [n]. */
float quantile_loss(const float *theta, int n, const float *y, int m, float *ret_dtheta);

/* Huber_1(u) = u^2 / 2 where |u| <= 1, else |u| - 1/2; and its derivative. */
float huber(float u);
float huber_derivative(float u);
