/*
 * Returns as a distribution over fixed atoms z_i = v_min + i dz, i = 0 .. n - 1.
 *
 * Bellemare, Dabney and Munos 2017, arXiv:1707.06887, equation 7 and Algorithm 1, in the triangular
 * form, which has no corner cases:
 *
 *   m_j = sum_i p_i tri((clip(r + g z_i, v_min, v_max) - z_j) / dz),   tri(x) = max(0, 1 - |x|)
 */
#pragma once

struct support {
    int n;
    float v_min, v_max;
};

float support_atom(const struct support *z, int i);
/* softmax of logits [n] -> p [n] */
void categorical_softmax(const float *logits, int n, float *ret_p);
/* sum p_i z_i */
float categorical_mean(const struct support *z, const float *p);
/* The distribution of r + g Z, Z of p [n], back on the atoms: m [n]. g is 0 where the MDP ended.
 * Not finite where r + g Z is not. */
void categorical_project(const struct support *z, const float *p, float r, float g, float *ret_m);
/* - sum m_j log p_j for p = softmax of logits, and its derivative by them: p - m. */
float categorical_loss(const float *logits, const float *m, int n, float *ret_dlogits);
